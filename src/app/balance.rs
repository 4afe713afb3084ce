//! The balancer as a program: an engine over the operating system, until somebody asks it to end.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::path::Path;

use super::exit::Exit;
use super::exit::Failure;
use super::identity;
use crate::config::Admin;
use crate::config::Config;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Pool;
use crate::engine::Engine;
use crate::engine::Setup;
use crate::engine::Turn;
use crate::limits;
use crate::os::Errand;
use crate::os::MioKernel;
use crate::os::Scribe;
use crate::tls::ClientTls;
use crate::tls::Trust;

/// Sees to it that what a configuration names is there: files of certificates.
/// The warnings are about what is in them.
pub(super) fn prepare(config: &Config) -> Result<Vec<String>, Failure> {
    if let Some(path) = config
        .admin
        .as_ref()
        .and_then(|one| one.token_file.as_ref())
    {
        token(path)?;
    }
    all_client_tls(config)?;
    let identities = identity::all(config)?;
    Ok(identities.warnings)
}

/// Takes in no more clients than there are descriptors for, shared by so many loops.
pub(super) fn fit(config: &mut Config, workers: usize) {
    let share = super::process::descriptors() / workers.max(1) as u64;
    fit_descriptors(config, share);
}

/// Balances on one loop until told to stop.
pub(super) fn run(mut config: Config, read: Errand) -> Result<Exit, Failure> {
    let client_tls = all_client_tls(&config)?;
    let identities = identity::all(&config)?;
    let workers = config.workers;
    fit(&mut config, workers);
    let scribe = scribe(&config)?;
    let mut kernel = super::process::kernel_with_file(read)?;
    if let Some(scribe) = &scribe {
        kernel.take_pen(scribe.pen());
    }
    let mut engine = Engine::new(&config, &client_tls, seed(), &mut kernel)
        .map_err(|error| Failure::run_time(&error))?;
    identities.put_on(&mut engine);
    announce(&config, &engine);
    identities.warn();
    if let Some(admin) = &config.admin {
        open_admin(admin, &mut engine, &mut kernel)?;
    }
    let ended = lived(&mut engine, &mut kernel);
    close(scribe);
    ended
}

/// Starts whoever writes the access log, if there is one.
pub(super) fn scribe(config: &Config) -> Result<Option<Scribe>, Failure> {
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
        Failure::run_time(&format!("no access log in {path}: {error}; {advice}"))
    });
    started.map(Some)
}

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

/// Opens the admin interface.
pub(super) fn open_admin(
    admin: &Admin,
    engine: &mut Engine,
    kernel: &mut MioKernel,
) -> Result<(), Failure> {
    let setup = Setup {
        address: admin.listen.clone(),
        token: admin.token_file.as_deref().map(token).transpose()?,
    };
    let place = engine.open_admin(setup, kernel).map_err(|error| {
        let listen = &admin.listen;
        let advice = "stop what listens there, or choose another --admin";
        Failure::run_time(&format!("cannot listen on {listen}: {error}; {advice}"))
    })?;
    match place {
        Some(address) => log::info!("admin interface on http://{address}"),
        None => log::info!("admin interface on {}", admin.listen),
    }
    Ok(())
}

/// The token in a file: its text without the blanks around it.
pub(super) fn token(path: &Path) -> Result<String, Failure> {
    let bad = |why: &dyn std::fmt::Display| {
        let path = path.display();
        let advice = "name a readable file with one line of visible ASCII";
        Failure::usage(&format!("no token in {path}: {why}; {advice}"))
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

pub(super) fn announce(config: &Config, engine: &Engine) {
    if config
        .pools
        .iter()
        .any(|pool| pool.is_secure() && !pool.tls.verify)
    {
        log::warn!("--insecure-upstream: the certificates of backends are not verified");
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

/// What every pool needs to speak to its https backends.
pub(super) fn all_client_tls(config: &Config) -> Result<Vec<Option<ClientTls>>, Failure> {
    let all = trusts(config)?;
    let tls = |trust: Option<Trust>| trust.as_ref().map(ClientTls::from);
    Ok(all.into_iter().map(tls).collect())
}

/// Whom every pool trusts.
pub(super) fn trusts(config: &Config) -> Result<Vec<Option<Trust>>, Failure> {
    // What is added later may be https:// too.
    let always = config.admin.is_some();
    let all = config.pools.iter();
    all.map(|pool| trust(pool, always)).collect()
}

/// What is needed to speak to https backends; nothing if there is none.
fn trust(pool: &Pool, always: bool) -> Result<Option<Trust>, Failure> {
    let wanted = &pool.tls;
    let is_needed = pool.is_secure() || always;
    if !is_needed && wanted.ca.is_none() {
        return Ok(None);
    }
    let bad = |why: &dyn std::fmt::Display| {
        let file = wanted.ca.as_deref().unwrap_or_else(|| "".as_ref());
        let file = file.display();
        let advice = "name a readable file of PEM certificates";
        Failure::usage(&format!(
            "bad certificates: --upstream-ca {file}: {why}; {advice}"
        ))
    };
    let pem = match &wanted.ca {
        Some(path) => Some(std::fs::read(path).map_err(|error| bad(&error))?),
        None => None,
    };
    let trust = Trust::new(pem.as_deref(), wanted.verify).map_err(|error| bad(&error))?;
    Ok(is_needed.then_some(trust))
}

/// A client needs two descriptors, its own and its backend's, and a share of those of pipes. More
/// clients than that would only be taken in to be turned away, so the rest waits in the kernel's
/// queue instead.
fn fit_descriptors(config: &mut Config, limit: u64) {
    let fitting = fitting(config, limit);
    let wanted = config.max_connections;
    if fitting >= wanted {
        return;
    }
    config.max_connections = fitting;
    // A little less than the round default is nobody's worry.
    let level = if fitting < wanted / 2 {
        log::Level::Warn
    } else {
        log::Level::Debug
    };
    log::log!(
        level,
        "at most {fitting} clients at a time instead of {wanted}: only {limit} files may be \
         open; raise the limit (ulimit -n)"
    );
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
            fit_descriptors(&mut config, limit);
            assert_eq!(config.max_connections, expected);
        }
    }

    #[test]
    fn certificates_are_read_before_anything_starts() {
        let mut pool = Pool::default();
        assert!(trust(&pool, false).unwrap().is_none());
        pool.tls.ca = Some(PathBuf::from("/nowhere/ca.pem"));
        let failure = trust(&pool, false).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(
            failure
                .line
                .starts_with("tidegate: bad certificates: --upstream-ca /nowhere/ca.pem: "),
            "{failure:?}"
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
