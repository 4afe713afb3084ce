//! What `--check` says: in plain words what a configuration would do, and what is odd about it.

use crate::base::time::Span;
use crate::config::ClientTimeouts;
use crate::config::Config;
use crate::config::Listener;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::ServerTimeouts;

/// Everything there is to say, line by line: listeners, pools, what differs from the defaults, and
/// warnings.
/// `found` are warnings about files.
pub(super) fn words(config: &Config, found: Vec<String>) -> String {
    let mut lines = Vec::new();
    for one in &config.listeners {
        listener(one, config, &mut lines);
    }
    for one in &config.pools {
        pool(one, &mut lines);
    }
    let usual = Config::default();
    if config.max_connections != usual.max_connections {
        lines.push(format!(
            "at most {} clients at a time",
            config.max_connections
        ));
    }
    if config.drain_timeout != usual.drain_timeout {
        lines.push(format!(
            "stopping waits for running requests up to {}",
            config.drain_timeout
        ));
    }
    let mut warnings = warnings(config);
    warnings.extend(found);
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(match warnings.len() {
        0 => "the configuration is valid".to_owned(),
        1 => "the configuration is valid, with 1 warning".to_owned(),
        count => format!("the configuration is valid, with {count} warnings"),
    });
    lines.push(String::new());
    lines.join("\n")
}

fn listener(listener: &Listener, config: &Config, lines: &mut Vec<String>) {
    let (name, listen, mode) = (&listener.name, &listener.listen, listener.mode.name());
    let pool = &config.pools[listener.pool].name;
    lines.push(format!(
        "listener {name}: {mode} on {listen} for pool {pool}"
    ));
    if let Some(tls) = &listener.tls {
        for one in &tls.certificates {
            lines.push(format!("  TLS with the certificate {}", one.cert.display()));
        }
        if let Some(path) = &tls.client_ca {
            let path = path.display();
            lines.push(format!("  clients show a certificate signed by {path}"));
        }
    }
    let usual = Listener::default();
    if listener.limits.request_head != usual.limits.request_head {
        let bytes = listener.limits.request_head;
        lines.push(format!("  a request's head may have {bytes} bytes"));
    }
    if let Some(bytes) = listener.limits.body {
        lines.push(format!("  a request's body may have {bytes} bytes"));
    }
    if listener.limits.requests_per_connection > 0 {
        let count = listener.limits.requests_per_connection;
        lines.push(format!("  a connection is closed after {count} requests"));
    }
    for network in &listener.trusted_proxies {
        lines.push(format!("  proxies in {network} are believed who asked"));
    }
    if listener.forwarded != usual.forwarded {
        lines.push(format!(
            "  backends are told who asked by: {}",
            listener.forwarded.name()
        ));
    }
    let spans = |timeouts: &ClientTimeouts| {
        [
            ("a whole request head", timeouts.head),
            ("the next request", timeouts.idle),
            ("a silent client in its body", timeouts.read),
            ("a client that takes nothing", timeouts.write),
            ("a silent tunnel", timeouts.tunnel),
        ]
    };
    differences(spans(&listener.timeouts), spans(&usual.timeouts), lines);
}

fn pool(pool: &Pool, lines: &mut Vec<String>) {
    let noun = match pool.backends.len() {
        1 => "backend",
        _ => "backends",
    };
    let count = pool.backends.len();
    lines.push(format!(
        "pool {}: round robin over {count} {noun}",
        pool.name
    ));
    for backend in &pool.backends {
        lines.push(match backend.weight {
            1 => format!("  {backend}"),
            weight => format!("  {backend}, weight {weight}"),
        });
    }
    let health = &pool.health;
    lines.push(match health.probe {
        Probe::Off => "  not watched: every backend counts as up".to_owned(),
        Probe::Tcp => format!(
            "  a TCP probe every {}, {} at most; up after {}, down after {}",
            health.interval, health.timeout, health.rise, health.fall
        ),
    });
    let usual = Pool::default();
    if pool.retry != usual.retry {
        lines.push(format!(
            "  {} backends are tried for a request",
            pool.retry.tries
        ));
    }
    if pool.reuse != usual.reuse {
        lines.push(format!(
            "  up to {} idle connections per backend are kept for {}, reuse is {}",
            pool.reuse.idle,
            pool.reuse.idle_time,
            pool.reuse.mode.name()
        ));
    }
    let spans = |timeouts: &ServerTimeouts| {
        [
            ("connecting", timeouts.connect),
            ("an answer to begin", timeouts.response),
            ("a silent backend in its answer", timeouts.read),
        ]
    };
    differences(spans(&pool.timeouts), spans(&usual.timeouts), lines);
}

fn differences<const N: usize>(
    spans: [(&str, Span); N],
    usual: [(&str, Span); N],
    lines: &mut Vec<String>,
) {
    for ((what, span), (_, usual)) in spans.into_iter().zip(usual) {
        if span != usual {
            lines.push(format!("  waits {span} for {what} (usually {usual})"));
        }
    }
}

/// What can be written, and is hardly meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for (at, pool) in config.pools.iter().enumerate() {
        if !config.listeners.iter().any(|listener| listener.pool == at) {
            found.push(format!("pool {} serves no listener", pool.name));
        }
        let about = pool_warnings(pool, config.max_connections).into_iter();
        found.extend(about.map(|warning| format!("pool {}: {warning}", pool.name)));
    }
    for listener in &config.listeners {
        let all = |network: &&crate::config::Network| network.to_string().ends_with("/0");
        if let Some(network) = listener.trusted_proxies.iter().find(all) {
            let name = &listener.name;
            found.push(format!(
                "listener {name}: with {network} in trusted_proxies every client may say who it is"
            ));
        }
    }
    found
}

fn pool_warnings(pool: &Pool, max_connections: usize) -> Vec<String> {
    let (health, reuse, timeouts) = (&pool.health, &pool.reuse, &pool.timeouts);
    let table = [
        (
            pool.backends.len() == 1,
            "one backend only: when it is down, nobody is there".to_owned(),
        ),
        (
            pool.backends.iter().all(|backend| backend.weight == 0),
            "every weight is 0: nobody gets anything".to_owned(),
        ),
        (
            health.probe != Probe::Off && health.interval < health.timeout,
            format!(
                "probes come every {}, but each may take {}: a silent backend is found late",
                health.interval, health.timeout
            ),
        ),
        (
            reuse.idle_time >= NODE_KEEP_ALIVE,
            format!(
                "reuse.idle_time = {}: Node closes its connections after {NODE_KEEP_ALIVE}, \
                 in the middle of a request if need be",
                reuse.idle_time
            ),
        ),
        (
            timeouts.response > CLIENT_PATIENCE,
            format!(
                "timeout.response = {}: most clients give up after {CLIENT_PATIENCE}",
                timeouts.response
            ),
        ),
        (
            timeouts.connect > timeouts.response,
            format!(
                "timeout.connect = {} is longer than timeout.response = {}",
                timeouts.connect, timeouts.response
            ),
        ),
        (
            reuse.idle > max_connections,
            format!(
                "reuse.idle = {} can never be reached by {max_connections} clients",
                reuse.idle
            ),
        ),
        (
            pool.is_secure() && !pool.tls.verify,
            "the certificates of https:// backends are not verified".to_owned(),
        ),
    ];
    let odd = table.into_iter().filter(|(is_odd, _)| *is_odd);
    odd.map(|(_, warning)| warning).collect()
}

/// `server.keepAliveTimeout` of Node.js.
const NODE_KEEP_ALIVE: Span = Span::seconds(5);

/// What clients wait for an answer if nobody told them otherwise: libraries mostly 30 s or 60 s.
const CLIENT_PATIENCE: Span = Span::seconds(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    fn checked(text: &str) -> String {
        words(&file::read(text, &|_| None).unwrap(), Vec::new())
    }

    #[test]
    fn the_usual_is_said_in_a_few_words() {
        assert_eq!(
            checked("[pool.app]\nbackends = [\"a:1\", { url = \"b:2\", weight = 3 }]"),
            "listener web: http on 127.0.0.1:8000 for pool app\n\
             pool app: round robin over 2 backends\n  \
             http://a:1\n  \
             http://b:2, weight 3\n  \
             a TCP probe every 2s, 1s at most; up after 2, down after 3\n\
             the configuration is valid\n"
        );
    }

    #[test]
    fn what_differs_is_said() {
        let said = checked(
            "max_connections = 9\ndrain_timeout = \"1s\"\n\
             [[listener]]\ntrusted_proxies = [\"10.0.0.0/8\"]\nforwarded = \"both\"\n\
             tls = [{ cert = \"a.pem\", key = \"a.key\" }]\nclient_ca = \"ca.pem\"\n\
             limits = { request_head = \"1KiB\", body = \"2KiB\", \
             requests_per_connection = 3 }\ntimeout = { idle = \"9s\" }\n\
             [pool.app]\nbackends = [\"a:1\", \"b:1\"]\nhealth = { probe = \"off\" }\n\
             retry = { tries = 2 }\nreuse = { idle = 5 }\ntimeout = { read = \"7s\" }",
        );
        for line in [
            "  TLS with the certificate a.pem",
            "  clients show a certificate signed by ca.pem",
            "  a request's head may have 1024 bytes",
            "  a request's body may have 2048 bytes",
            "  a connection is closed after 3 requests",
            "  proxies in 10.0.0.0/8 are believed who asked",
            "  backends are told who asked by: both",
            "  waits 9s for the next request (usually 1m)",
            "  not watched: every backend counts as up",
            "  2 backends are tried for a request",
            "  up to 5 idle connections per backend are kept for 4s, reuse is safe",
            "  waits 7s for a silent backend in its answer (usually 1m)",
            "at most 9 clients at a time",
            "stopping waits for running requests up to 1s",
        ] {
            assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
        }
    }

    #[test]
    fn every_warning() {
        let said = checked(
            "max_connections = 9\n[[listener]]\npool = \"a\"\ntrusted_proxies = [\"::/0\"]\n\
             [pool.a]\nbackends = [{ url = \"https://a\", weight = 0 }]\n\
             health = { interval = \"1s\", timeout = \"2s\" }\nreuse = { idle_time = \"5s\" }\n\
             timeout = { response = \"2m\", connect = \"3m\" }\ntls = { verify = false }\n\
             [pool.b]\nbackends = [\"a:1\", \"b:1\"]",
        );
        for warning in [
            "pool a: one backend only: when it is down, nobody is there",
            "pool a: every weight is 0: nobody gets anything",
            "pool a: probes come every 1s, but each may take 2s: a silent backend is found late",
            "pool a: reuse.idle_time = 5s: Node closes its connections after 5s, \
             in the middle of a request if need be",
            "pool a: timeout.response = 2m: most clients give up after 1m",
            "pool a: timeout.connect = 3m is longer than timeout.response = 2m",
            "pool a: reuse.idle = 64 can never be reached by 9 clients",
            "pool a: the certificates of https:// backends are not verified",
            "pool b serves no listener",
            "listener web: with ::/0 in trusted_proxies every client may say who it is",
        ] {
            let line = format!("warning: {warning}");
            assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
        }
        assert!(
            said.ends_with("the configuration is valid, with 11 warnings\n"),
            "{said}"
        );
    }
}
