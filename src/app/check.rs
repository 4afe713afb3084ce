//! What `--check` says: in plain words what a configuration would do, and what is odd about it.

use super::lint;
use super::lint::Machine;
use super::places::Loaded;
use crate::base::time::Span;
use crate::config::ClientTimeouts;
use crate::config::Config;
use crate::config::Listener;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Only;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::ServerTimeouts;
use crate::config::Share;

/// Everything there is to say, line by line: listeners, pools, what differs from the defaults, and
/// warnings, which have their places if there is a file. `found` are more of them, about files that
/// it names.
pub(super) fn words(loaded: &Loaded, machine: Machine, found: &[String]) -> String {
    let Loaded { config, places } = loaded;
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
    access_log(config, &mut lines);
    let mut warnings: Vec<String> = lint::all(config, machine)
        .iter()
        .map(|warning| places.remark(&warning.path, "", &warning.words))
        .collect();
    warnings.extend_from_slice(found);
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(match warnings.len() {
        0 => "the configuration is valid".to_owned(),
        1 => "the configuration is valid, with 1 warning".to_owned(),
        count => format!("the configuration is valid, with {count} warnings"),
    });
    lines.push(String::new());
    lines.join("\n")
}

fn access_log(config: &Config, lines: &mut Vec<String>) {
    let log = &config.access_log;
    if log.format == LogFormat::Off {
        return;
    }
    let which = match log.only {
        Only::All => "every request".to_owned(),
        Only::Errors => "every request that was not plainly served".to_owned(),
        Only::Slow => format!("every request that took {} or longer", log.slow),
    };
    let share = match log.sample {
        Share::ALL => String::new(),
        share => format!(", {share} of them"),
    };
    let place = match &log.path {
        LogPath::Stdout => "standard output".to_owned(),
        LogPath::File(path) => path.display().to_string(),
    };
    let format = log.format.name();
    lines.push(format!("a line of {format} to {place} for {which}{share}"));
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
    if listener.request_id != usual.request_id {
        lines.push(match &listener.request_id {
            Some(field) => format!("  backends are told the id of a request by: {field}"),
            None => "  backends are not told the id of a request".to_owned(),
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::places::Places;
    use crate::app::places::Source;
    use crate::config::file;

    fn checked(text: &str) -> String {
        words(&loaded(text, None), ROOMY, &[])
    }

    fn loaded(text: &str, file: Option<Source>) -> Loaded {
        Loaded {
            config: file::read(text, &|_| None).unwrap(),
            places: Places {
                file,
                ..Places::default()
            },
        }
    }

    const ROOMY: Machine = Machine {
        processors: 64,
        descriptors: u64::MAX,
    };

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
             request_id = \"Trace\"\n\
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
            "  backends are told the id of a request by: trace",
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
    fn warnings_have_places_if_there_is_a_file() {
        let text = "[pool.app]\nbackends = [\"a:1\", \"b:1\"]\n  [pool.app.reuse]\n  \
                    idle_time = \"5s\"\n";
        let source = Source {
            name: "f.toml".to_owned(),
            text: text.to_owned(),
        };
        let said = words(&loaded(text, Some(source)), ROOMY, &[]);
        assert!(
            said.contains("\nwarning: f.toml:4:3: pool app: reuse.idle_time = 5s: "),
            "{said}"
        );
        assert!(
            said.ends_with("the configuration is valid, with 1 warning\n"),
            "{said}"
        );
        let said = checked(text);
        assert!(
            said.contains("\nwarning: pool app: reuse.idle_time = 5s: "),
            "{said}"
        );
    }
}
