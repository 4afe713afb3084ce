//! Several loops in one program: threads that share nothing but the addresses they listen at and
//! what they tell each other.
//!
//! The first loop runs on the main thread: it catches signals and probes, for all. Each has its
//! own sessions, kept connections and round robin.

use std::sync::mpsc;
use std::thread;
use std::thread::JoinHandle;

use super::balance::announce;
use super::balance::client_tls;
use super::balance::close;
use super::balance::fit;
use super::balance::lived;
use super::balance::open_admin;
use super::balance::scribe;
use super::balance::seed;
use super::balance::token_of;
use super::balance::trusts;
use super::exit::Exit;
use super::exit::Failure;
use super::identity;
use super::identity::Identities;
use super::places::Loaded;
use super::process;
use crate::base::time::Span;
use crate::config::Address;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::StartError;
use crate::engine::kernel::Kernel;
use crate::os;
use crate::os::Errand;
use crate::os::MioKernel;
use crate::tls::Trust;

/// Balances on `config.workers` loops until told to stop.
pub(super) fn run(loaded: Loaded, read: Option<Errand>) -> Result<Exit, Failure> {
    let Loaded { mut config, places } = loaded;
    let workers = config.workers;
    fit(&mut config, workers).say(&config);
    let token = token_of(&config, &places)?;
    let trusts = trusts(&config, &places)?;
    let identities = identity::all(&config, &places)?;
    let scribe = scribe(&config, &places)?;
    let mut kernels = kernels(config.workers, read)?;
    for kernel in &mut kernels {
        if let Some(scribe) = &scribe {
            kernel.take_pen(scribe.pen());
        }
    }
    let listeners = config.listeners.iter().map(|listener| &listener.listen);
    let admin = config.admin.iter().map(|admin| &admin.listen);
    for address in listeners.chain(admin) {
        // A file is shared by being opened once; who opens it finds out.
        let Address::Tcp(socket_address) = address else {
            continue;
        };
        os::check_free(*socket_address).map_err(|error| {
            let address = address.clone();
            let why = StartError { address, error }.to_string();
            places.deaf(&config, &Address::Tcp(*socket_address), &why)
        })?;
    }
    // The first one is there, however few are wanted.
    let mut kernel = kernels.remove(0);
    let mut others = kernels;
    let mut engine = Engine::new(&config, &client_tls(&trusts), seed(), &mut kernel)
        .map_err(|error| places.deaf(&config, &error.address, &error.to_string()))?;
    engine.join(0, config.workers);
    identities.put_on(&mut engine);
    // What was left to the system to choose has to be the same for all.
    for (listener, address) in config.listeners.iter_mut().zip(engine.addresses()) {
        listener.listen = address;
    }
    let threads: Vec<JoinHandle<Result<Exit, Failure>>> = others
        .drain(..)
        .enumerate()
        .map(|(at, kernel)| {
            let (config, trusts) = (config.clone(), trusts.clone());
            let identities = identities.clone();
            start(
                at + 1,
                kernel,
                Share {
                    config,
                    trusts,
                    identities,
                },
            )
        })
        .collect::<Result<_, _>>()?;
    announce(&config, &places, &engine);
    identities.warn();
    if let Some(admin) = &config.admin {
        open_admin(admin, token, &mut engine, &mut kernel)
            .map_err(|why| places.deaf(&config, &admin.listen, &why))?;
    }
    log::info!("{} event loops share every address", config.workers);
    let worst = lived(&mut engine, &mut kernel)?;
    let ended = join(threads, worst, &mut kernel);
    close(scribe);
    ended
}

/// Waits for the other loops, which may have more to end than the first one had. A second signal
/// is theirs too, so somebody goes on listening for it.
fn join(
    threads: Vec<JoinHandle<Result<Exit, Failure>>>,
    mut worst: Exit,
    kernel: &mut MioKernel,
) -> Result<Exit, Failure> {
    let mut ready = Vec::new();
    while threads.iter().any(|thread| !thread.is_finished()) {
        kernel.wait(Some(kernel.now() + LOOK), &mut ready);
        ready.clear();
        while kernel.news().is_some() {}
    }
    let mut failure = None;
    for thread in threads {
        match thread.join() {
            Ok(Ok(exit)) => worst = worst.worse(exit),
            Ok(Err(why)) => failure = Some(why),
            Err(_) => std::process::abort(),
        }
    }
    failure.map_or(Ok(worst), Err)
}

/// How often it is looked whether the other loops have ended.
const LOOK: Span = Span::millis(20);

/// Acquainted kernels; the first one hears signals.
fn kernels(count: usize, read: Option<Errand>) -> Result<Vec<MioKernel>, Failure> {
    let mut kernels = vec![process::kernel_with_file(read)?];
    for _ in 1..count {
        kernels.push(process::kernel()?);
    }
    MioKernel::introduce(&mut kernels).map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n), or start fewer --workers";
        Failure::run_time(&format!("cannot connect event loops: {error}; {advice}"))
    })?;
    Ok(kernels)
}

/// What a loop is made of.
struct Share {
    config: Config,
    trusts: Vec<Option<Trust>>,
    identities: Identities,
}

/// Starts a loop on a thread of its own, and waits until it listens.
fn start(
    worker: usize,
    mut kernel: MioKernel,
    share: Share,
) -> Result<JoinHandle<Result<Exit, Failure>>, Failure> {
    let (started, listens) = mpsc::channel();
    let run = move || {
        let _bomb = Bomb;
        let Share {
            config,
            trusts,
            identities,
        } = share;
        let engine = Engine::new(&config, &client_tls(&trusts), seed(), &mut kernel)
            .map_err(|error| Failure::run_time(&error));
        match engine {
            Ok(mut engine) => {
                engine.join(worker, config.workers);
                identities.put_on(&mut engine);
                let _ = started.send(Ok(()));
                lived(&mut engine, &mut kernel)
            }
            Err(failure) => {
                let _ = started.send(Err(failure));
                Ok(Exit::Clean)
            }
        }
    };
    let thread = thread::Builder::new()
        .name(format!("loop-{worker}"))
        .spawn(run)
        .map_err(|error| {
            let advice = "raise the limit on threads (ulimit -u), or start fewer --workers";
            Failure::run_time(&format!("cannot start an event loop: {error}; {advice}"))
        })?;
    match listens.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::run_time(&"an event loop ended before it began")),
    }
}

/// A loop that panics takes the program with it: a supervisor starts it anew, while a program that
/// went on with one loop less would go on so for ever.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}
