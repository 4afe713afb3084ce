//! Around the proxy: the origin behind it and the clients before it, each with a processor of its
//! own if there are enough, else both in one loop, which costs the least.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use mio::Events;
use mio::Poll;

use crate::load::Load;
use crate::load::Order;
use crate::load::Outcome;
use crate::origin::Origin;
use crate::processors;

/// Nanoseconds since the bench began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The threads. They end with the process.
pub(crate) struct Field {
    pub(crate) origin: SocketAddr,
    orders: Sender<Option<Order>>,
    outcomes: Receiver<Outcome>,
}

impl Field {
    /// Starts them on these processors; if they are the same, as one thread.
    pub(crate) fn start(load: usize, origin: usize) -> io::Result<Self> {
        let (orders, to_do) = channel();
        let (done, outcomes) = channel();
        let poll = Poll::new()?;
        let server = Origin::new(poll.registry())?;
        let address = server.address()?;
        if load == origin {
            thread::spawn(move || run(poll, Some(server), Some((to_do, done)), load));
        } else {
            thread::spawn(move || run(poll, Some(server), None, origin));
            let poll = Poll::new()?;
            thread::spawn(move || run(poll, None, Some((to_do, done)), load));
        }
        Ok(Self {
            origin: address,
            orders,
            outcomes,
        })
    }

    /// Runs one load to its end. Its connections stay until [`Field::release`].
    pub(crate) fn run(&self, order: Order) -> Result<Outcome, String> {
        let gone = |_| "the load has died".to_owned();
        self.orders
            .send(Some(order))
            .map_err(|error| error.to_string())?;
        self.outcomes
            .recv()
            .map_err(|error| gone(error.to_string()))
    }

    /// Closes the connections of the last load.
    pub(crate) fn release(&self) {
        // If the thread is gone, so are its connections.
        let _ = self.orders.send(None);
    }
}

type Desk = (Receiver<Option<Order>>, Sender<Outcome>);

fn run(mut poll: Poll, mut origin: Option<Origin>, desk: Option<Desk>, processor: usize) {
    processors::bind(processor);
    let clock = Clock::start();
    let mut events = Events::with_capacity(1024);
    let mut load: Option<Load> = None;
    loop {
        let is_paced = load.as_ref().is_some_and(Load::is_paced);
        let pause = if is_paced { Duration::ZERO } else { PAUSE };
        match poll.poll(&mut events, Some(pause)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result.expect("a poll of our own"),
        }
        for event in &events {
            if event.token().0 >= Origin::TOKENS {
                if let Some(origin) = &mut origin {
                    origin.event(poll.registry(), event);
                }
            } else if let Some(load) = &mut load {
                load.event(poll.registry(), event);
            }
        }
        let Some((orders, done)) = &desk else {
            continue;
        };
        if let Some(load) = &mut load {
            let was_over = load.outcome().is_some();
            load.turn(poll.registry());
            if let (false, Some(outcome)) = (was_over, load.outcome()) {
                // Nobody waits for it any more: the bench is being ended.
                let _ = done.send(outcome.clone());
            }
        }
        let is_free = load.as_ref().is_none_or(|load| load.outcome().is_some());
        if let (true, Ok(order)) = (is_free, orders.try_recv()) {
            load = order.map(|order| Load::new(order, clock));
        }
    }
}

/// How long nothing may happen before the time is looked at.
const PAUSE: Duration = Duration::from_millis(1);
