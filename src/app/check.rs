//! What `--check` says: in plain words what a configuration would do, and what is odd about it.

use super::lint;
use super::lint::Machine;
use super::number::counted;
use super::number::of_each;
use super::places::Loaded;
use crate::base::time::Span;
use crate::config::ClientTimeouts;
use crate::config::Config;
use crate::config::Forwarded;
use crate::config::HostPolicy;
use crate::config::Limits;
use crate::config::Listener;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Mode;
use crate::config::Network;
use crate::config::Only;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::ReuseMode;
use crate::config::Scheme;
use crate::config::ServerTimeouts;
use crate::config::Share;
use crate::config::print::size;

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
    process(config, &mut lines);
    access_log(config, &mut lines);
    let mut warnings: Vec<String> = lint::all(config, machine)
        .iter()
        .map(|warning| places.remark(&warning.path, "", &warning.words))
        .collect();
    warnings.extend_from_slice(found);
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.push(match warnings.len() {
        0 => "the configuration is valid".to_owned(),
        count => format!(
            "the configuration is valid, with {}",
            counted(count, "warning")
        ),
    });
    lines.push(String::new());
    lines.join("\n")
}

fn process(config: &Config, lines: &mut Vec<String>) {
    let usual = Config::default();
    if let Some(admin) = &config.admin {
        let token = admin.token_file.as_ref().map_or_else(String::new, |path| {
            format!(", for whoever has the token in {}", path.display())
        });
        lines.push(format!("admin interface on {}{token}", admin.listen));
    }
    if config.workers > 1 {
        lines.push(counted(config.workers, "event loop"));
    }
    if config.max_connections != usual.max_connections {
        let clients = counted(config.max_connections, "client");
        let each = of_each(config.workers);
        lines.push(format!("at most {clients} at a time{each}"));
    }
    if config.drain_timeout != usual.drain_timeout {
        lines.push(format!(
            "stopping waits for running requests up to {}",
            config.drain_timeout
        ));
    }
    if config.log_level != usual.log_level {
        lines.push(format!("the log level is {}", config.log_level.name()));
    }
}

fn access_log(config: &Config, lines: &mut Vec<String>) {
    let log = &config.access_log;
    if log.format == LogFormat::Off {
        return;
    }
    let is_tcp = |listener: &Listener| listener.mode == Mode::Tcp;
    let noun = match config.listeners.iter().all(is_tcp) {
        true => "connection",
        false => "request",
    };
    let which = match log.only {
        Only::All => format!("every {noun}"),
        Only::Errors => format!("every {noun} that did not go well"),
        Only::Slow => format!("every {noun} that took {} or longer", log.slow),
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
    lines.push(format!("access log to {place}: {format}, {which}{share}"));
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
    let (own, usual) = (listener.timeouts, ClientTimeouts::default());
    match listener.mode {
        Mode::Http => {
            limits(&listener.limits, lines);
            identity(listener, lines);
            let spans = |timeouts: ClientTimeouts| {
                [
                    ("a whole request head", timeouts.head),
                    ("the next request", timeouts.idle),
                    ("a silent client in its body", timeouts.read),
                    ("a client that takes nothing", timeouts.write),
                    ("a silent tunnel", timeouts.tunnel),
                ]
            };
            differences(spans(own), spans(usual), lines);
        }
        Mode::Tcp => {
            let spans = |timeouts: ClientTimeouts| {
                [
                    ("the TLS handshake", timeouts.head),
                    ("a silent connection", timeouts.tunnel),
                ]
            };
            let from = usize::from(listener.tls.is_none());
            differences(
                spans(own).into_iter().skip(from),
                spans(usual).into_iter().skip(from),
                lines,
            );
        }
    }
}

fn limits(limits: &Limits, lines: &mut Vec<String>) {
    let usual = Limits::default();
    if limits.request_head != usual.request_head {
        let most = size(limits.request_head as u64);
        lines.push(format!("  a request's head has {most} at most"));
    }
    if limits.headers != usual.headers {
        let most = counted(limits.headers, "header");
        lines.push(format!("  a request has {most} at most"));
    }
    if let Some(bytes) = limits.body {
        let most = size(bytes);
        lines.push(format!("  a request's body has {most} at most"));
    }
    if limits.requests_per_connection > 0 {
        let count = counted(limits.requests_per_connection as usize, "request");
        lines.push(format!("  a connection is closed after {count}"));
    }
}

/// Who is said to have asked, and by whom.
fn identity(listener: &Listener, lines: &mut Vec<String>) {
    let usual = Listener::default();
    for network in &listener.trusted_proxies {
        lines.push(match *network == Network::UNIX {
            true => "  proxies that come through the socket are believed when they say who asked"
                .to_owned(),
            false => format!("  proxies in {network} are believed when they say who asked"),
        });
    }
    if listener.forwarded != usual.forwarded {
        lines.push(match listener.forwarded {
            Forwarded::XForwarded => "  backends are told who asked in X-Forwarded-*".to_owned(),
            Forwarded::Rfc7239 => "  backends are told who asked in Forwarded".to_owned(),
            Forwarded::Both => {
                "  backends are told who asked in X-Forwarded-* and Forwarded".to_owned()
            }
            Forwarded::Off => "  backends are not told who asked".to_owned(),
        });
    }
    if listener.request_id != usual.request_id {
        lines.push(match &listener.request_id {
            Some(field) => format!("  backends are told the id of a request in {field}"),
            None => "  backends are not told the id of a request".to_owned(),
        });
    }
}

fn pool(pool: &Pool, lines: &mut Vec<String>) {
    let backends = counted(pool.backends.len(), "backend");
    lines.push(format!("pool {}: round robin over {backends}", pool.name));
    for backend in &pool.backends {
        lines.push(match (backend.weight, backend.max_conns) {
            (1, None) => format!("  {backend}"),
            (1, Some(most)) => format!("  {backend}, max_conns {most}"),
            _ => format!("  {backend}, {}", backend.terms()),
        });
    }
    let health = &pool.health;
    let mut schemes = pool.backends.iter().map(|backend| backend.scheme);
    lines.push(match health.probe {
        Probe::Off => "  not watched: every backend counts as up".to_owned(),
        Probe::Tcp => format!(
            "  a {} probe every {}, {} at most; up after {}, down after {}",
            match schemes.len() > 0 && schemes.all(|scheme| scheme == Scheme::Https) {
                true => "TLS",
                false => "TCP",
            },
            health.interval,
            health.timeout,
            health.rise,
            health.fall
        ),
    });
    proofs(pool, lines);
    let (own, usual) = (pool.timeouts, ServerTimeouts::default());
    let spans = |timeouts: ServerTimeouts| {
        [
            ("connecting", timeouts.connect),
            ("an answer to begin", timeouts.response),
            ("a silent backend in its answer", timeouts.read),
        ]
    };
    let count = match pool.is_tcp() {
        // There are no requests and no answers.
        true => 1,
        false => {
            requests(pool, lines);
            3
        }
    };
    differences(
        spans(own).into_iter().take(count),
        spans(usual).into_iter().take(count),
        lines,
    );
}

/// How backends prove who they are.
fn proofs(pool: &Pool, lines: &mut Vec<String>) {
    if !pool.is_secure() {
        return;
    }
    if !pool.tls.verify {
        lines.push("  certificates of backends are not verified".to_owned());
    } else if let Some(path) = &pool.tls.ca {
        let path = path.display();
        lines.push(format!(
            "  certificates signed by {path} are trusted as well"
        ));
    }
    if let Some(name) = &pool.tls.sni {
        lines.push(format!(
            "  backends are asked for the certificate of {name}"
        ));
    }
}

/// How a request gets to a backend.
fn requests(pool: &Pool, lines: &mut Vec<String>) {
    match &pool.host {
        HostPolicy::Auto => {}
        HostPolicy::Keep => lines.push("  backends are told the client's Host".to_owned()),
        HostPolicy::Upstream => lines.push("  backends are told their own Host".to_owned()),
        HostPolicy::Literal(host) => lines.push(format!("  backends are told the Host {host}")),
    }
    let usual = Pool::default();
    if pool.retry != usual.retry {
        lines.push(match pool.retry.tries {
            1 => "  a request is sent once, whatever happens".to_owned(),
            tries => format!("  a request that may be sent again is sent {tries} times at most"),
        });
    }
    if pool.reuse != usual.reuse {
        let reuse = &pool.reuse;
        lines.push(match (reuse.mode, reuse.idle) {
            (ReuseMode::Never, _) | (_, 0) => "  every request has a new connection".to_owned(),
            (mode, idle) => format!(
                "  {} per backend {} kept for {}{}",
                counted(idle, "idle connection"),
                if idle == 1 { "is" } else { "are" },
                reuse.idle_time,
                match mode {
                    ReuseMode::Always => ", for any request",
                    ReuseMode::Safe | ReuseMode::Never => "",
                }
            ),
        });
    }
}

fn differences<'a>(
    spans: impl IntoIterator<Item = (&'a str, Span)>,
    usual: impl IntoIterator<Item = (&'a str, Span)>,
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
            checked(
                "[pool.app]\nbackends = [\"a:1\", { url = \"b:2\", weight = 3 }, \
                 { url = \"c:3\", max_conns = 9 }, \"d:4,weight=0,max-conns=1\"]"
            ),
            "listener web: http on 127.0.0.1:8000 for pool app\n\
             pool app: round robin over 4 backends\n  \
             http://a:1\n  \
             http://b:2, weight 3\n  \
             http://c:3, max_conns 9\n  \
             http://d:4, weight 0, max_conns 1\n  \
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
            "  a request's head has 1KiB at most",
            "  a request's body has 2KiB at most",
            "  a connection is closed after 3 requests",
            "  proxies in 10.0.0.0/8 are believed when they say who asked",
            "  backends are told who asked in X-Forwarded-* and Forwarded",
            "  backends are told the id of a request in trace",
            "  waits 9s for the next request (usually 1m)",
            "  not watched: every backend counts as up",
            "  a request that may be sent again is sent 2 times at most",
            "  5 idle connections per backend are kept for 4s",
            "  waits 7s for a silent backend in its answer (usually 1m)",
            "at most 9 clients at a time",
            "stopping waits for running requests up to 1s",
        ] {
            assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
        }
    }

    #[test]
    fn one_is_no_plural_and_nothing_is_said_that_does_not_count() {
        let said = checked(
            "workers = 2\nmax_connections = 1\nlog_level = \"debug\"\n\
             [admin]\ntoken_file = \"t\"\n\
             [access_log]\nformat = \"json\"\nonly = \"slow\"\nsample = \"10%\"\n\
             [[listener]]\npool = \"a\"\ntrusted_proxies = [\"unix:\"]\n\
             forwarded = \"off\"\nlimits = { headers = 1, body = \"10MiB\", \
             requests_per_connection = 1 }\n\
             [[listener]]\nname = \"b\"\nlisten = \":1\"\nmode = \"tcp\"\npool = \"b\"\n\
             timeout = { tunnel = \"8h\", head = \"1s\", idle = \"1s\" }\n\
             [pool.a]\nbackends = [\"https://a:1\"]\nretry = { tries = 1 }\n\
             reuse = { idle = 1 }\nhost = \"x\"\ntls = { ca = \"ca.pem\", sni = \"y\" }\n\
             [pool.b]\nbackends = [\"b:1\"]\nreuse = { idle = 0 }\n\
             timeout = { connect = \"1s\", read = \"1s\" }",
        );
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("w")).collect();
        assert_eq!(
            lines,
            [
                "listener web: http on 127.0.0.1:8000 for pool a",
                "  a request has 1 header at most",
                "  a request's body has 10MiB at most",
                "  a connection is closed after 1 request",
                "  proxies that come through the socket are believed when they say who asked",
                "  backends are not told who asked",
                "listener b: tcp on 0.0.0.0:1 for pool b",
                "  waits 8h for a silent connection (usually 1h)",
                "pool a: round robin over 1 backend",
                "  https://a:1",
                "  a TLS probe every 2s, 1s at most; up after 2, down after 3",
                "  certificates signed by ca.pem are trusted as well",
                "  backends are asked for the certificate of y",
                "  backends are told the Host x",
                "  a request is sent once, whatever happens",
                "  1 idle connection per backend is kept for 4s",
                "pool b: round robin over 1 backend",
                "  tcp://b:1",
                "  a TCP probe every 2s, 1s at most; up after 2, down after 3",
                "  waits 1s for connecting (usually 5s)",
                "admin interface on 127.0.0.1:9900, for whoever has the token in t",
                "2 event loops",
                "at most 1 client at a time on each of 2 event loops",
                "the log level is debug",
                "access log to standard output: json, every request that took 1s or longer, \
                 10% of them",
                "the configuration is valid, with 6 warnings",
            ]
        );
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
