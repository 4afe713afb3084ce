//! Who plays: three origins, the balancer and the clients, each on a thread with a kernel of its
//! own, spoken to over channels. They are as independent of each other as processes would be.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::TryRecvError;
use std::thread;
use std::thread::JoinHandle;

use super::super::balance;
use super::super::exit::Failure;
use super::super::load::Figures;
use super::super::load::Load;
use super::super::origin;
use super::super::origin::Origin;
use super::dashboard;
use super::options::Options;
use super::script;
use super::script::Act;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Address;
use crate::config::Backend;
use crate::config::Config;
use crate::config::Host;
use crate::config::Listener;
use crate::config::Pool;
use crate::config::Scheme;
use crate::engine::BackendReport;
use crate::engine::Engine;
use crate::engine::Turn;
use crate::engine::kernel::Kernel;
use crate::os::MioKernel;

/// Everybody.
#[derive(Debug)]
pub(super) struct Cast {
    origins: Vec<Player>,
    balancer: SocketAddr,
    dashboard: String,
    reports: Arc<Mutex<Vec<BackendReport>>>,
    figures: Arc<Mutex<Figures>>,
    load: JoinHandle<()>,
    /// True when the clients shall go, and when the balancer shall: after them, or it would take
    /// their last answers with it.
    load_over: Arc<AtomicBool>,
    balancer_over: Arc<AtomicBool>,
}

/// An origin on its thread.
#[derive(Debug)]
struct Player {
    name: &'static str,
    address: SocketAddr,
    orders: Sender<Order>,
}

/// What an origin is told to do.
#[derive(Clone, Copy, Debug)]
enum Order {
    Kill,
    Revive,
    Slow(Span),
}

impl Cast {
    /// Starts everybody; clients ask from here on.
    pub(super) fn assemble(options: &Options) -> Result<Self, Failure> {
        let (load_over, balancer_over) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let origins: Vec<Player> = NAMES
            .into_iter()
            .map(Player::start)
            .collect::<Result<_, _>>()?;
        let reports = Arc::new(Mutex::new(Vec::new()));
        let addresses: Vec<SocketAddr> = origins.iter().map(|player| player.address).collect();
        let config = config(&addresses, options.length);
        let (balancer, dashboard) = start_balancer(
            config,
            options.admin.clone(),
            Arc::clone(&reports),
            Arc::clone(&balancer_over),
        )?;
        let figures = Arc::new(Mutex::new(Figures::default()));
        let load = start_load(balancer, Arc::clone(&figures), Arc::clone(&load_over))?;
        Ok(Self {
            origins,
            balancer,
            dashboard,
            reports,
            figures,
            load,
            load_over,
            balancer_over,
        })
    }

    /// Where clients connect.
    pub(super) const fn address(&self) -> SocketAddr {
        self.balancer
    }

    /// Where the dashboard is, in words.
    pub(super) fn dashboard(&self) -> &str {
        &self.dashboard
    }

    /// The origins and where they are, in words.
    pub(super) fn list(&self) -> String {
        let origins = self.origins.iter();
        let words: Vec<String> = origins
            .map(|player| format!("{} {}", player.name, player.address))
            .collect();
        words.join(", ")
    }

    /// What the origin behind the backend at that position is called.
    pub(super) fn name(&self, at: usize) -> &'static str {
        self.origins.get(at).map_or("?", |player| player.name)
    }

    /// Lets something happen.
    pub(super) fn perform(&self, act: Act) -> Result<(), Failure> {
        let (name, order) = match act {
            Act::Kill(name) => (name, Order::Kill),
            Act::Revive(name) => (name, Order::Revive),
            Act::Slow(name) => (name, Order::Slow(script::SLOW)),
            Act::Hurry(name) => (name, Order::Slow(Span::ZERO)),
        };
        for player in self.origins.iter().filter(|player| player.name == name) {
            player.orders.send(order).map_err(|_| gone("an origin"))?;
        }
        Ok(())
    }

    /// What the balancer says of its backends.
    pub(super) fn reports(&self) -> Vec<BackendReport> {
        held(&self.reports).clone()
    }

    /// What clients have seen so far.
    pub(super) fn figures(&self) -> Result<Figures, Failure> {
        if self.load.is_finished() {
            return Err(gone("the clients"));
        }
        Ok(held(&self.figures).clone())
    }

    /// Ends it: running requests are waited for. What clients have seen in all.
    pub(super) fn dismiss(self) -> Result<Figures, Failure> {
        self.load_over.store(true, Ordering::Relaxed);
        self.load.join().map_err(|_| gone("the clients"))?;
        self.balancer_over.store(true, Ordering::Relaxed);
        Ok(held(&self.figures).clone())
    }
}

impl Player {
    fn start(name: &'static str) -> Result<Self, Failure> {
        let (orders, inbox) = mpsc::channel();
        let address = spawn(name, move |born| {
            let mut kernel = MioKernel::new()?;
            let mut origin = listening_origin(name, &mut kernel)?;
            // Whoever waits for the address is `spawn`, which waits for it.
            let _ = born.send(Ok(origin.address()));
            while obey(&inbox, &mut origin, &mut kernel) {
                let until = kernel.now() + HEARTBEAT;
                origin.turn(&mut kernel, Some(until));
            }
            Ok(())
        })?;
        Ok(Self {
            name,
            address,
            orders,
        })
    }
}

/// An origin at an address that nobody else uses. While B is dead its port is free, and on
/// 127.0.0.1 the system could give it to somebody who connects: to another client, and B could not
/// come back, or to a probe of B, which would then connect to itself and find B well.
fn listening_origin(name: &str, kernel: &mut dyn Kernel) -> io::Result<Origin> {
    let options = |address: Ipv4Addr| origin::Options {
        listen: SocketAddr::from((address, 0)),
        name: name.to_owned(),
        ..origin::Options::default()
    };
    // Only Linux has the whole of 127/8 from the start.
    Origin::new(options(Ipv4Addr::new(127, 0, 0, 2)), kernel)
        .or_else(|_| Origin::new(options(Ipv4Addr::LOCALHOST), kernel))
}

/// Does what was ordered; false when nobody is left to order anything.
fn obey(inbox: &Receiver<Order>, origin: &mut Origin, kernel: &mut dyn Kernel) -> bool {
    loop {
        match inbox.try_recv() {
            Ok(Order::Kill) => origin.kill(kernel),
            Ok(Order::Revive) => {
                if let Err(error) = origin.revive(kernel) {
                    log::error!("cannot listen on {} again: {error}", origin.address());
                }
            }
            Ok(Order::Slow(delay)) => origin.slow(delay),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}

/// How the demo balances: as always, but watching more closely the shorter it is.
fn config(origins: &[SocketAddr], length: Span) -> Config {
    let backend = |at: &SocketAddr| Backend::new(Scheme::Http, Host::Address(at.ip()), at.port());
    let mut pool = Pool {
        backends: origins.iter().map(backend).collect(),
        ..Pool::default()
    };
    let interval = length.scaled(1, 60);
    pool.health.interval = interval.clamp(Span::millis(50), Span::seconds(1));
    Config {
        pools: vec![pool],
        ..Config::default()
    }
}

fn start_balancer(
    mut config: Config,
    admin: Option<Address>,
    reports: Arc<Mutex<Vec<BackendReport>>>,
    is_over: Arc<AtomicBool>,
) -> Result<(SocketAddr, String), Failure> {
    let (words, opened) = mpsc::channel();
    let address = spawn("balancer", move |born| {
        let mut kernel = MioKernel::new()?;
        let mut engine = match Engine::new(&config, &[], balance::seed(), &mut kernel) {
            Err(failure) if failure.error.kind() == io::ErrorKind::AddrInUse => {
                config.listeners = vec![Listener::at((Ipv4Addr::LOCALHOST, 0).into())];
                Engine::new(&config, &[], balance::seed(), &mut kernel)
            }
            other => other,
        }
        .map_err(|failure| failure.error)?;
        let dashboard = dashboard::open(admin.as_ref(), &mut engine, &mut kernel)?;
        let _ = words.send(dashboard);
        let address = engine.addresses().into_iter().next();
        let address = address.and_then(|address| match address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        });
        let _ = born.send(address.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
        let mut due = Moment(0);
        while engine.turn(&mut kernel) == Turn::Goes && !is_over.load(Ordering::Relaxed) {
            if kernel.now() >= due {
                due = kernel.now() + HEARTBEAT;
                *held(&reports) = engine.report();
            }
        }
        Ok(())
    })?;
    let words = opened.recv().map_err(|_| gone("balancer"))?;
    Ok((address, words))
}

fn start_load(
    target: SocketAddr,
    figures: Arc<Mutex<Figures>>,
    is_over: Arc<AtomicBool>,
) -> Result<JoinHandle<()>, Failure> {
    let mut kernel = super::super::process::kernel()?;
    let mut load = Load::new(target, CLIENTS, PACE);
    let body = move || {
        let mut due = Moment(0);
        loop {
            if is_over.load(Ordering::Relaxed) {
                load.end();
            }
            let now = kernel.now();
            if now >= due || load.has_ended() {
                due = now + HEARTBEAT;
                load.figures().clone_into(&mut held(&figures));
            }
            if load.has_ended() {
                return;
            }
            load.turn(&mut kernel, now + HEARTBEAT);
        }
    };
    let thread = thread::Builder::new().name("clients".to_owned());
    thread
        .spawn(body)
        .map_err(|error| unable("clients", &error))
}

/// Runs `body` on a thread, which sends where it listens, or ends with the reason why not.
fn spawn<F>(name: &'static str, body: F) -> Result<SocketAddr, Failure>
where
    F: FnOnce(&Sender<io::Result<SocketAddr>>) -> io::Result<()> + Send + 'static,
{
    let (born, address) = mpsc::channel();
    let body = move || {
        if let Err(error) = body(&born) {
            let _ = born.send(Err(error));
        }
    };
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(body).map_err(|error| unable(name, &error))?;
    match address.recv() {
        Ok(address) => address.map_err(|error| unable(name, &error)),
        Err(_) => Err(gone(name)),
    }
}

/// What is shared is whole at every moment, so a thread that died with it in hand did no harm.
fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unable(name: &str, error: &io::Error) -> Failure {
    Failure::run_time(&format!(
        "cannot start {name} of the demo: {error}; see whether files or threads are limited \
         (ulimit -a)"
    ))
}

fn gone(name: &str) -> Failure {
    Failure::run_time(&format!(
        "the demo broke: {name} ended on its own; please report this"
    ))
}

/// What the origins are called.
const NAMES: [&str; 3] = ["A", "B", "C"];

/// Connections that clients keep open.
const CLIENTS: usize = 16;

/// How long a client rests after an answer: enough requests to see every fault, and a machine
/// that can still be worked on.
const PACE: Span = Span::millis(4);

/// How often a thread looks up from its work.
const HEARTBEAT: Span = Span::millis(20);
