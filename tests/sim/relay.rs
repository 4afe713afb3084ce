//! The program that the simulator tests itself with: a relay of a few dozen lines that obeys the
//! kernel's contract to the letter, between clients that check and an origin that echoes.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;

use crate::kernel::SimKernel;
use crate::net::Actor;
use crate::net::Net;

pub(crate) const FRONT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
pub(crate) const BACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 81);
pub(crate) const EXCHANGES: u32 = 10;
const EXCHANGE_BYTES: usize = 700;
const CONNECTIONS: u32 = 3;

/// A relay between clients that check and an origin that echoes.
pub(crate) struct World {
    pub(crate) kernel: SimKernel,
    clients: usize,
    pub(crate) relay: Relay,
}

impl World {
    pub(crate) fn new(seed: u64, clients: usize) -> Self {
        let mut kernel = SimKernel::new(seed);
        let origin = [Ipv4Addr::LOCALHOST.into()];
        kernel.guest().name("origin", &origin, Span::millis(3));
        kernel.add(Box::new(Origin::default()));
        for _ in 0..clients {
            kernel.add(Box::new(Client::default()));
        }
        let relay = Relay::new(&mut kernel);
        Self {
            kernel,
            clients,
            relay,
        }
    }

    /// Until every client has had enough, and a while longer for the relay to notice.
    pub(crate) fn run(&mut self) {
        let all = CONNECTIONS as usize * self.clients;
        while self.clients().whole + self.clients().broken < all {
            let until = self.kernel.now() + Span::seconds(1);
            self.relay.turn(&mut self.kernel, until);
        }
        let until = self.kernel.now() + Span::seconds(30);
        while self.kernel.now() < until {
            self.relay.turn(&mut self.kernel, until);
        }
    }

    pub(crate) fn clients(&self) -> Counts {
        let mut sum = Counts::default();
        for number in 1..=self.clients {
            let client: &Client = self.kernel.actor(number);
            sum.whole += client.counts.whole;
            sum.broken += client.counts.broken;
        }
        sum
    }
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) whole: usize,
    pub(crate) broken: usize,
}

/// Sends, expects the same back, [`EXCHANGES`] times a connection.
#[derive(Default)]
struct Client {
    socket: Option<Socket>,
    exchange: u32,
    sent: usize,
    got: usize,
    patience: Moment,
    counts: Counts,
}

impl Actor for Client {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        while net.changed().is_some() {}
        loop {
            if self.counts.whole + self.counts.broken >= CONNECTIONS as usize {
                return None;
            }
            let socket = match self.socket {
                Some(socket) => socket,
                None => self.start(net, now),
            };
            match self.step(net, socket) {
                Ok(true) => {
                    // Bytes with the end right behind them; nobody answers any more.
                    let _ = net.write(socket, b"goodbye");
                    self.counts.whole += 1;
                }
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if now < self.patience {
                        return Some(self.patience);
                    }
                    self.counts.broken += 1;
                    net.abort(socket);
                    self.socket = None;
                    continue;
                }
                Err(_) => self.counts.broken += 1,
            }
            net.close(socket);
            self.socket = None;
        }
    }
}

impl Client {
    fn start(&mut self, net: &mut Net, now: Moment) -> Socket {
        let socket = net.connect(FRONT).expect("actors have no bounds");
        (self.exchange, self.sent, self.got) = (0, 0, 0);
        self.patience = now + Span::seconds(60);
        self.socket = Some(socket);
        socket
    }

    /// Goes on until it is blocked, through, or broken.
    fn step(&mut self, net: &mut Net, socket: Socket) -> io::Result<bool> {
        net.established(socket)?;
        while self.exchange < EXCHANGES {
            let salt = self.exchange as usize;
            while self.sent < EXCHANGE_BYTES {
                let bytes: Vec<u8> = (self.sent..EXCHANGE_BYTES).map(|n| byte(salt, n)).collect();
                self.sent += net.write(socket, &bytes)?;
            }
            let mut buffer = [0; 512];
            while self.got < EXCHANGE_BYTES {
                let count = net.read(socket, &mut buffer)?;
                for value in &buffer[..count] {
                    assert_eq!(*value, byte(salt, self.got), "byte {}", self.got);
                    self.got += 1;
                }
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.exchange += 1;
            (self.sent, self.got) = (0, 0);
        }
        Ok(true)
    }
}

fn byte(salt: usize, position: usize) -> u8 {
    u8::try_from((position * 31 + salt * 7) % 251).expect("below 251")
}

/// Echoes, with a queue of bytes for each connection.
#[derive(Default)]
struct Origin {
    listener: Option<Socket>,
    queues: BTreeMap<Socket, Vec<u8>>,
}

impl Actor for Origin {
    fn act(&mut self, net: &mut Net, _now: Moment) -> Option<Moment> {
        let listener = *self
            .listener
            .get_or_insert_with(|| net.listen(BACK).expect("nobody else listens there"));
        while let Ok((socket, _)) = net.accept(listener) {
            self.queues.insert(socket, Vec::new());
        }
        while let Some(ready) = net.changed() {
            let Some(queue) = self.queues.get_mut(&ready.socket) else {
                continue;
            };
            if let Err(error) = echo(net, ready.socket, queue)
                && error.kind() != io::ErrorKind::WouldBlock
            {
                net.close(ready.socket);
                self.queues.remove(&ready.socket);
            }
        }
        None
    }
}

fn echo(net: &mut Net, socket: Socket, queue: &mut Vec<u8>) -> io::Result<()> {
    loop {
        while !queue.is_empty() {
            let count = net.write(socket, queue)?;
            queue.drain(..count);
        }
        let mut buffer = [0; 2048];
        match net.read(socket, &mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => queue.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The program under test: accepts, connects, copies both ways, ends both when one has ended.
pub(crate) struct Relay {
    listener: Socket,
    /// Something may be waiting in the queue.
    knocking: bool,
    pairs: Vec<Option<Pair>>,
    owners: BTreeMap<Socket, (usize, usize)>,
}

struct Pair {
    sides: [Half; 2],
    established: bool,
}

struct Half {
    socket: Socket,
    readable: bool,
    writable: bool,
    ended: bool,
    /// Read from this side, to be written to the other.
    bytes: Vec<u8>,
}

impl Relay {
    fn new(kernel: &mut dyn Kernel) -> Self {
        Self {
            listener: kernel.listen(FRONT).unwrap(),
            knocking: false,
            pairs: Vec::new(),
            owners: BTreeMap::new(),
        }
    }

    pub(crate) fn turn(&mut self, kernel: &mut dyn Kernel, until: Moment) {
        let mut ready = Vec::new();
        // Running out of resources leaves connections in the queue; time brings another try.
        let soon = kernel.now() + Span::millis(100);
        kernel.wait(Some(until.min(soon)), &mut ready);
        for event in ready {
            self.knocking |= event.socket == self.listener;
            let Some((number, side)) = self.owners.get(&event.socket).copied() else {
                continue;
            };
            let pair = self.pairs[number].as_mut().expect("owners have pairs");
            let half = &mut pair.sides[side];
            half.readable |= event.readable;
            half.writable |= event.writable;
            half.ended |= event.ended;
            if pump(kernel, pair).is_err() {
                self.drop_pair(kernel, number);
            }
        }
        while self.knocking {
            match kernel.accept(self.listener) {
                Ok((socket, _)) => self.admit(kernel, socket),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.knocking = false,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, kernel: &mut dyn Kernel, client: Socket) {
        let Ok(server) = kernel.connect(BACK) else {
            kernel.abort(client);
            return;
        };
        let number = self.pairs.len();
        self.owners.insert(client, (number, 0));
        self.owners.insert(server, (number, 1));
        self.pairs.push(Some(Pair {
            sides: [Half::new(client), Half::new(server)],
            established: false,
        }));
    }

    fn drop_pair(&mut self, kernel: &mut dyn Kernel, number: usize) {
        if let Some(pair) = self.pairs[number].take() {
            for half in pair.sides {
                self.owners.remove(&half.socket);
                kernel.close(half.socket);
            }
        }
    }
}

impl Half {
    fn new(socket: Socket) -> Self {
        Self {
            socket,
            readable: false,
            writable: false,
            ended: false,
            bytes: Vec::new(),
        }
    }
}

/// Moves what can be moved. An error is the end of the pair, the end of a stream included.
fn pump(kernel: &mut dyn Kernel, pair: &mut Pair) -> io::Result<()> {
    if !pair.established {
        if !pair.sides[1].writable {
            return Ok(());
        }
        match kernel.established(pair.sides[1].socket) {
            Ok(()) => pair.established = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    for side in [0, 1, 0] {
        let (left, right) = pair.sides.split_at_mut(1);
        let (source, target) = match side {
            0 => (&mut left[0], &mut right[0]),
            _ => (&mut right[0], &mut left[0]),
        };
        while copy(kernel, source, target)? {}
    }
    Ok(())
}

/// One write and one read. True if it is worth another try.
fn copy(kernel: &mut dyn Kernel, source: &mut Half, target: &mut Half) -> io::Result<bool> {
    if !source.bytes.is_empty() {
        if !target.writable {
            return Ok(false);
        }
        match kernel.write(target.socket, &source.bytes) {
            Ok(count) => {
                // What the contract says: a write that took fewer has filled the socket.
                target.writable = count == source.bytes.len();
                source.bytes.drain(..count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => target.writable = false,
            Err(error) => return Err(error),
        }
        return Ok(true);
    }
    if !source.readable {
        return Ok(false);
    }
    let mut buffer = [0; 1024];
    match kernel.read(source.socket, &mut buffer) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            // A read that returns fewer has emptied it, unless the end may be next.
            source.readable = count == buffer.len() || source.ended;
            source.bytes.extend_from_slice(&buffer[..count]);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => source.readable = false,
        Err(error) => return Err(error),
    }
    Ok(true)
}
