//! The balancer as a program: an engine over the operating system, until somebody asks it to end.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::path::Path;

use super::exit::Exit;
use super::exit::Failure;
use super::identity;
use super::number::counted;
use super::number::of_each;
use super::places;
use super::places::Loaded;
use super::places::Places;
use crate::config::Address;
use crate::config::Admin;
use crate::config::Config;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Pool;
use crate::config::file::Key;
use crate::engine::Engine;
use crate::engine::Setup;
use crate::engine::Turn;
use crate::limits;
use crate::os::Errand;
use crate::os::MioKernel;
use crate::os::Scribe;
use crate::tls::ClientTls;
use crate::tls::Trust;

/// Sees to it that what a configuration names is there: files of certificates, of a token, and the
/// directory of the log. The warnings are about what is in them, and keys that do nothing.
pub(super) fn prepare(loaded: &Loaded) -> Result<Vec<String>, Failure> {
    let Loaded { config, places } = loaded;
    token_of(config, places)?;
    trusts(config, places)?;
    log_path(config, places)?;
    let mut warnings = identity::all(config, places)?.warnings;
    warnings.splice(0..0, places.idle_keys());
    Ok(warnings)
}

/// Takes in no more clients than there are descriptors for, shared by so many loops.
pub(super) fn fit(config: &mut Config, workers: usize) -> Fit {
    let fit = Fit {
        descriptors: super::process::descriptors(),
        workers: workers.max(1),
    };
    config.fitting = fit.clients(config);
    fit
}

/// Balances on one loop until told to stop.
pub(super) fn run(loaded: Loaded, read: Option<Errand>) -> Result<Exit, Failure> {
    let Loaded { mut config, places } = loaded;
    let token = token_of(&config, &places)?;
    let trusts = trusts(&config, &places)?;
    let identities = identity::all(&config, &places)?;
    let workers = config.workers;
    fit(&mut config, workers).say(&config);
    let scribe = scribe(&config, &places)?;
    let mut kernel = super::process::kernel_with_file(read)?;
    if let Some(scribe) = &scribe {
        kernel.take_pen(scribe.pen());
    }
    let deaf = |address: &Address, why: &str| places.deaf(&config, address, why);
    let mut engine = Engine::new(&config, &client_tls(&trusts), seed(), &mut kernel)
        .map_err(|error| deaf(&error.address, &error.to_string()))?;
    identities.put_on(&mut engine);
    announce(&config, &places, &engine);
    identities.warn();
    if let Some(admin) = &config.admin {
        open_admin(admin, token, &mut engine, &mut kernel)
            .map_err(|why| deaf(&admin.listen, &why))?;
    }
    let ended = lived(&mut engine, &mut kernel);
    close(scribe);
    ended
}

/// Starts whoever writes the access log, if there is one.
pub(super) fn scribe(config: &Config, places: &Places) -> Result<Option<Scribe>, Failure> {
    log_path(config, places)?;
    if config.access_log.format == LogFormat::Off {
        return Ok(None);
    }
    let path = match &config.access_log.path {
        LogPath::Stdout => None,
        LogPath::File(path) => Some(path.as_path()),
    };
    let complain = Box::new(|line: &str| log::error!("{line}"));
    let started = Scribe::start(path, complain).map_err(|error| {
        let path = &config.access_log.path;
        let advice = "name a file that can be written, or - for standard output";
        let what = format!("no access log in {path}: {error}; {advice}");
        places.run_time(&LOG_PATH, "access-log", &what)
    });
    started.map(Some)
}

/// What can be known of the log's file without opening it.
fn log_path(config: &Config, places: &Places) -> Result<(), Failure> {
    let LogPath::File(path) = &config.access_log.path else {
        return Ok(());
    };
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let why = if config.access_log.format == LogFormat::Off {
        return Ok(());
    } else if path.is_dir() {
        "it is a directory; name a file in it"
    } else if parent.is_some_and(|parent| !parent.is_dir()) {
        "its directory is not there; create it, or name another file"
    } else {
        return Ok(());
    };
    let what = format!("no access log in {}: {why}", path.display());
    Err(places.usage(&LOG_PATH, "access-log", &what))
}

const LOG_PATH: [Key<'static>; 2] = [Key::Named("access_log"), Key::Named("path")];

/// Sees to it that every line is written before the program ends.
pub(super) fn close(scribe: Option<Scribe>) {
    if !scribe.is_none_or(Scribe::close) {
        log::warn!("the end of the access log is lost: nobody reads it");
    }
}

/// Turns the loop until it ends.
pub(super) fn lived(engine: &mut Engine, kernel: &mut MioKernel) -> Result<Exit, Failure> {
    loop {
        match engine.turn(kernel) {
            Turn::Goes => {}
            Turn::Stopped { cut: 0 } => return Ok(Exit::Clean),
            Turn::Stopped { .. } => return Ok(Exit::Cut),
            Turn::Unresolvable => {
                let line = "no backend has an address: no name resolves; check their spelling, \
                            and DNS";
                return Err(Failure::run_time(&line));
            }
        }
    }
}

/// Opens the admin interface; else says why it cannot be.
pub(super) fn open_admin(
    admin: &Admin,
    token: Option<String>,
    engine: &mut Engine,
    kernel: &mut MioKernel,
) -> Result<(), String> {
    let address = admin.listen.clone();
    let place = engine
        .open_admin(Setup { address, token }, kernel)
        .map_err(|error| {
            let listen = &admin.listen;
            let advice = "stop what listens there, or choose another address";
            format!("cannot listen on {listen}: {error}; {advice}")
        })?;
    match place {
        Some(address) => log::info!("admin interface on http://{address}"),
        None => log::info!("admin interface on {}", admin.listen),
    }
    Ok(())
}

/// The token that the admin interface wants, if it wants one.
pub(super) fn token_of(config: &Config, places: &Places) -> Result<Option<String>, Failure> {
    let admin = config.admin.as_ref();
    let path = admin.and_then(|admin| admin.token_file.as_ref());
    let keys = [Key::Named("admin"), Key::Named("token_file")];
    path.map(|path| token(path).map_err(|why| places.usage(&keys, "", &why)))
        .transpose()
}

/// The token in a file: its text without the blanks around it; else why there is none.
pub(super) fn token(path: &Path) -> Result<String, String> {
    let bad = |why: &dyn std::fmt::Display| {
        let path = path.display();
        let advice = "name a readable file with one line of visible ASCII";
        format!("no token in {path}: {why}; {advice}")
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad(&"it has none that a request could bring along"));
    }
    Ok(token.to_owned())
}

/// A number that nobody can foresee, for jitter: several balancers must not probe in step.
pub(super) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

pub(super) fn announce(config: &Config, places: &Places, engine: &Engine) {
    for pool in &config.pools {
        if pool.is_secure() && !pool.tls.verify {
            let path = places::pool(&pool.name, "tls.verify");
            let what = format!(
                "pool {}: the certificates of backends are not verified",
                pool.name
            );
            log::warn!("{}", places.remark(&path, "insecure-upstream", &what));
        }
    }
    for (listener, address) in config.listeners.iter().zip(engine.addresses()) {
        let backends = config.pools[listener.pool].backends.iter();
        let backends: Vec<String> = backends.map(ToString::to_string).collect();
        let tls = listener.tls.as_ref().map_or("", |_| " under TLS");
        log::info!(
            "listening on {address} ({}{tls}) for {}",
            listener.mode.name(),
            backends.join(", ")
        );
    }
}

/// What pools that trust those need to speak to their https backends.
pub(super) fn client_tls(trusts: &[Option<Trust>]) -> Vec<Option<ClientTls>> {
    let tls = |trust: &Option<Trust>| trust.as_ref().map(ClientTls::from);
    trusts.iter().map(tls).collect()
}

/// Whom every pool trusts.
pub(super) fn trusts(config: &Config, places: &Places) -> Result<Vec<Option<Trust>>, Failure> {
    // What is added later may be https:// too.
    let always = config.admin.is_some();
    let all = config.pools.iter();
    all.map(|pool| {
        trust(pool, always).map_err(|why| {
            let path = places::pool(&pool.name, "tls.ca");
            places.usage(&path, "upstream-ca", &why)
        })
    })
    .collect()
}

/// What is needed to speak to https backends; nothing if there is none.
fn trust(pool: &Pool, always: bool) -> Result<Option<Trust>, String> {
    let wanted = &pool.tls;
    let is_needed = pool.is_secure() || always;
    if !is_needed && wanted.ca.is_none() {
        return Ok(None);
    }
    let bad = |why: &dyn std::fmt::Display| {
        let file = wanted.ca.as_deref().unwrap_or_else(|| "".as_ref());
        let file = file.display();
        let advice = "name a readable file of PEM certificates";
        format!("bad certificates {file}: {why}; {advice}")
    };
    let pem = match &wanted.ca {
        Some(path) => Some(std::fs::read(path).map_err(|error| bad(&error))?),
        None => None,
    };
    let trust = Trust::new(pem.as_deref(), wanted.verify).map_err(|error| bad(&error))?;
    Ok(is_needed.then_some(trust))
}

/// What the process has for clients. A client needs two descriptors, its own and its backend's, and
/// a share of those of pipes. More clients than that would only be taken in to be turned away, so
/// the rest waits in the kernel's queue instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Files that the process may have open.
    descriptors: u64,
    /// Loops that share them.
    workers: usize,
}

impl Fit {
    fn clients(self, config: &Config) -> usize {
        fitting(config, self.descriptors / self.workers as u64)
    }

    /// Tells the log, if it is less than was asked for.
    pub(super) fn say(self, config: &Config) {
        let (fitting, wanted) = (config.fitting, config.max_connections);
        if fitting >= wanted {
            return;
        }
        // A little less than the round default is nobody's worry.
        let level = if fitting < wanted / 2 {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        let Self {
            descriptors,
            workers,
        } = self;
        let clients = counted(fitting, "client");
        let each = of_each(workers);
        log::log!(
            level,
            "at most {clients} at a time{each} instead of {wanted}: the process may have \
             only {descriptors} files open; raise the limit (ulimit -n)"
        );
    }
}

/// How many clients of one loop there are so many descriptors for.
pub(super) fn fitting(config: &Config, limit: u64) -> usize {
    let admin = config
        .admin
        .as_ref()
        .map_or(0, |_| limits::ADMIN_CONNECTIONS_MAX as u64);
    let free = limit.saturating_sub(limits::DESCRIPTORS_RESERVED + admin);
    // Two each for a client and for every pipe, of which there is one for so many clients until
    // there are enough.
    let share = limits::CLIENTS_PER_PIPE as u64;
    let few = free.saturating_mul(share) / (2 * share + 2);
    let many = free.saturating_sub(2 * limits::PIPES_MAX as u64) / 2;
    let fitting = few.max(many);
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn clients_are_limited_by_what_may_be_open() {
        let table = [
            (u64::MAX, 10_000),
            (100_000, 10_000),
            (5000, 2356),
            (1024, 440),
            (10, 1),
        ];
        for (limit, expected) in table {
            let mut config = Config::default();
            let fit = Fit {
                descriptors: limit,
                workers: 1,
            };
            config.fitting = fit.clients(&config);
            assert_eq!(config.clients(), expected);
        }
    }

    #[test]
    fn certificates_are_read_before_anything_starts() {
        let mut pool = Pool::default();
        assert!(trust(&pool, false).unwrap().is_none());
        pool.tls.ca = Some(PathBuf::from("/nowhere/ca.pem"));
        let why = trust(&pool, false).unwrap_err();
        assert!(
            why.starts_with("bad certificates /nowhere/ca.pem: "),
            "{why}"
        );
        pool.tls.ca = None;
        let text = vec!["https://a".to_owned()];
        pool.backends = crate::config::url::backends(&text, None).unwrap().1;
        assert!(trust(&pool, false).unwrap().is_some());
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(seed(), seed());
    }
}
