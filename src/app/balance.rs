//! The main job: a kernel, an engine, and the loop around them.

use super::exit::Exit;
use super::exit::Trouble;
use crate::config::Config;
use crate::config::Scheme;
use crate::engine::Engine;
use crate::engine::Turn;
use crate::engine::kernel::Kernel;
use crate::limits;
use crate::os;
use crate::os::MioKernel;
use crate::tls::ClientTls;

/// Balances until it is asked to stop.
pub(super) fn run(mut config: Config) -> Result<Exit, Trouble> {
    let descriptors = os::raise_descriptor_limit().map_err(system)?;
    let connections = (descriptors.saturating_sub(limits::DESCRIPTORS_RESERVED) / 2).max(1);
    let connections = usize::try_from(connections).unwrap_or(usize::MAX);
    let fewer = connections < config.max_connections;
    config.max_connections = config.max_connections.min(connections);
    let mut kernel = MioKernel::new().map_err(system)?;
    kernel.watch_signals().map_err(system)?;
    let client_tls = client_tls(&config)?;
    let seed = kernel.now().0 ^ u64::from(std::process::id()) << 32;
    let mut engine =
        Engine::new(&config, client_tls, seed, &mut kernel).map_err(Trouble::failure)?;
    if fewer {
        log::info!(
            "{descriptors} descriptors (ulimit -n) are enough for this many clients at a time: \
             {connections}; more wait"
        );
    }
    announce(&config, &engine);
    loop {
        match engine.turn(&mut kernel) {
            Turn::Goes => {}
            Turn::Stopped { cut: 0 } => return Ok(Exit::Clean),
            Turn::Stopped { .. } => return Ok(Exit::Cut),
            Turn::Unresolvable => {
                return Err(Trouble::failure(
                    "no backend has an address: none of the names resolves; check spelling and DNS",
                ));
            }
        }
    }
}

/// What is needed to speak TLS to backends, if any wants it.
fn client_tls(config: &Config) -> Result<Option<ClientTls>, Trouble> {
    if config
        .backends
        .iter()
        .all(|backend| backend.scheme != Scheme::Https)
    {
        return Ok(None);
    }
    let wanted = &config.upstream_tls;
    let pem = match &wanted.ca {
        None => None,
        Some(path) => Some(std::fs::read(path).map_err(|error| {
            let path = path.display();
            Trouble::usage(format!(
                "cannot read: --upstream-ca {path}: {error}; name a PEM file"
            ))
        })?),
    };
    if !wanted.verify {
        log::warn!("--insecure-upstream: certificates of backends are not verified");
    }
    let settings = ClientTls::new(pem.as_deref(), wanted.verify);
    settings
        .map(Some)
        .map_err(|error| Trouble::usage(format!("--upstream-ca: {error}")))
}

fn announce(config: &Config, engine: &Engine) {
    let backends: Vec<String> = config.backends.iter().map(ToString::to_string).collect();
    log::info!(
        "{} backends, round robin: {}",
        backends.len(),
        backends.join(" ")
    );
    for address in engine.addresses() {
        log::info!("listening on {address}");
    }
}

fn system(error: std::io::Error) -> Trouble {
    Trouble::failure(format!(
        "the system refuses what every server needs: {error}"
    ))
}
