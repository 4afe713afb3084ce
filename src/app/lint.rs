//! What can be written, and is hardly meant: each with what it is, where, and what to write
//! instead. Said by `--check`, never an error.

use std::thread;

use super::balance;
use super::circle;
use super::number::counted;
use super::number::of_each;
use super::places::Loaded;
use super::places::Warning;
use super::process;
use crate::base::time::Span;
use crate::config::Address;
use crate::config::ClientTimeouts;
use crate::config::Config;
use crate::config::HostPolicy;
use crate::config::Limits;
use crate::config::Listener;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::Reuse;
use crate::config::ServerTimeouts;
use crate::config::file::Key;

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Processors that the process may use.
    pub(super) processors: usize,
    /// Files that may be open.
    pub(super) descriptors: u64,
}

impl Machine {
    /// What this one has.
    pub(super) fn here() -> Self {
        Self {
            processors: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            descriptors: process::descriptors(),
        }
    }
}

/// Everything that is odd.
pub(super) fn all(config: &Config, machine: Machine) -> Vec<Warning<'_>> {
    let mut found = process_wide(config, machine);
    found.extend(circle::all(config));
    for (at, pool) in config.pools.iter().enumerate() {
        let served = config.listeners.iter().any(|listener| listener.pool == at);
        let unserved = (
            !served,
            "",
            "serves no listener; name it as the pool of one, or remove it".to_owned(),
        );
        let odd = std::iter::once(unserved).chain(of_pool(pool, config.max_connections));
        for (_, keys, words) in odd.filter(|(is_odd, ..)| *is_odd) {
            let path = path([Key::Named("pool"), Key::Named(&pool.name)], keys);
            let words = format!("pool {}: {words}", pool.name);
            found.push(Warning { path, words });
        }
    }
    for (at, listener) in config.listeners.iter().enumerate() {
        let odd = of_listener(listener).into_iter();
        for (_, keys, words) in odd.filter(|(is_odd, ..)| *is_odd) {
            let path = path([Key::Named("listener"), Key::At(at)], keys);
            let words = format!("listener {}: {words}", listener.name);
            found.push(Warning { path, words });
        }
    }
    found
}

/// To these keys, with dots between them, of what the first two lead to.
fn path<'a>(to: [Key<'a>; 2], keys: &'static str) -> Vec<Key<'a>> {
    let keys = keys.split('.').filter(|key| !key.is_empty());
    to.into_iter().chain(keys.map(Key::Named)).collect()
}

/// What is so odd that the log is told at every start and reload: keys that do nothing, and
/// circles.
pub(super) fn grave(loaded: &Loaded) -> Vec<String> {
    let Loaded { config, places } = loaded;
    let mut found = places.idle_keys();
    let circles = circle::all(config);
    found.extend(
        circles
            .iter()
            .map(|one| places.remark(&one.path, "", &one.words)),
    );
    found
}

/// Whether it is so, the keys where it is said, and words for it.
type Case = (bool, &'static str, String);

fn process_wide(config: &Config, machine: Machine) -> Vec<Warning<'_>> {
    let Machine {
        processors,
        descriptors,
    } = machine;
    let workers = config.workers.max(1) as u64;
    let fitting = balance::fitting(config, descriptors / workers);
    let clients = config.max_connections;
    let each = of_each(config.workers);
    let unguarded = config.admin.as_ref().filter(|one| one.token_file.is_none());
    let who = unguarded.map(|admin| match admin.listen {
        Address::Tcp(_) => "every user of this machine",
        Address::Unix(_) => "every program of its owner",
    });
    let table = [
        (
            config.workers > processors,
            "workers",
            format!(
                "{} share {}; write \"auto\"",
                counted(config.workers, "event loop"),
                counted(processors, "processor")
            ),
        ),
        (
            // The usual number is taken for as many as fit.
            fitting < clients && clients != Config::default().max_connections,
            "max_connections",
            format!(
                "{descriptors} files may be open, which is enough for {}{each}, not for {clients}; \
                 raise the limit (ulimit -n), or write {fitting}",
                counted(fitting, "client")
            ),
        ),
        (
            who.is_some(),
            "admin",
            format!(
                "without a token {} may change everything; add token_file",
                who.unwrap_or_default()
            ),
        ),
    ];
    let odd = table.into_iter().filter(|(is_odd, ..)| *is_odd);
    odd.map(|(_, key, words)| Warning {
        path: vec![Key::Named(key)],
        words: format!("{key}: {words}"),
    })
    .collect()
}

fn of_listener(listener: &Listener) -> Vec<Case> {
    if listener.mode == Mode::Tcp {
        return of_tcp_listener(listener);
    }
    let mut networks = listener.trusted_proxies.iter();
    let all = networks.find(|network| network.to_string().ends_with("/0"));
    let case = |all| {
        let words = format!(
            "with {all} in trusted_proxies every client may say who it is; write the networks of \
             your proxies"
        );
        (true, "trusted_proxies", words)
    };
    all.map(case).into_iter().collect()
}

/// Keys that are for HTTP and have been changed.
fn of_tcp_listener(listener: &Listener) -> Vec<Case> {
    let (usual, timeouts) = (Listener::default(), &listener.timeouts);
    let waits = ClientTimeouts::default();
    let proxies = &listener.trusted_proxies;
    let clear = listener.tls.is_none();
    [
        (listener.limits != Limits::default(), "limits"),
        (*proxies != usual.trusted_proxies, "trusted_proxies"),
        (listener.forwarded != usual.forwarded, "forwarded"),
        (listener.request_id != usual.request_id, "request_id"),
        (clear && timeouts.head != waits.head, "timeout.head"),
        (timeouts.idle != waits.idle, "timeout.idle"),
        (timeouts.read != waits.read, "timeout.read"),
        (timeouts.write != waits.write, "timeout.write"),
    ]
    .map(of_http_alone)
    .into()
}

/// Keys that are for HTTP and have been changed.
fn of_tcp_pool(pool: &Pool) -> Vec<Case> {
    let (usual, waits) = (Pool::default(), ServerTimeouts::default());
    [
        (pool.host != usual.host, "host"),
        (pool.reuse != usual.reuse, "reuse"),
        (pool.timeouts.response != waits.response, "timeout.response"),
        (pool.timeouts.read != waits.read, "timeout.read"),
    ]
    .map(of_http_alone)
    .into()
}

fn of_http_alone((is_odd, keys): (bool, &'static str)) -> Case {
    let words = match keys {
        "timeout.head" => format!("{keys} does nothing in tcp mode without TLS; remove it"),
        "limits" | "trusted_proxies" => format!("{keys} do nothing in tcp mode; remove them"),
        _ => format!("{keys} does nothing in tcp mode; remove it"),
    };
    (is_odd, keys, words)
}

fn of_pool(pool: &Pool, max_connections: usize) -> Vec<Case> {
    let mut cases = of_servers(pool);
    if pool.is_tcp() {
        cases.extend(of_tcp_pool(pool));
        return cases;
    }
    cases.extend(of_waiting(pool));
    cases.extend(of_host(&pool.host));
    let reuse = &pool.reuse;
    cases.push((
        // The usual number is nobody's mistake.
        reuse.idle > max_connections && reuse.idle != Reuse::default().idle,
        "reuse.idle",
        format!(
            "reuse.idle = {} can never be reached with {}; write less",
            reuse.idle,
            counted(max_connections, "client")
        ),
    ));
    cases
}

fn of_servers(pool: &Pool) -> Vec<Case> {
    let health = &pool.health;
    vec![
        (
            pool.backends.len() == 1,
            "backends",
            "one backend only: when it is down, no other can answer; add another".to_owned(),
        ),
        (
            pool.backends.iter().all(|backend| backend.weight == 0),
            "backends",
            "every weight is 0: nobody gets anything; give one a weight".to_owned(),
        ),
        (
            health.probe == Probe::Off && pool.backends.len() > 1,
            "health.probe",
            "health.probe = off: a dead backend is found by the requests that fail there; write \
             \"tcp\""
                .to_owned(),
        ),
        (
            health.probe != Probe::Off && health.timeout >= health.interval,
            "health.timeout",
            format!(
                "probes come every {}, but each may take {}: a silent backend is found late; \
                 write a shorter health.timeout",
                health.interval, health.timeout
            ),
        ),
        (
            pool.is_secure() && !pool.tls.verify,
            "tls.verify",
            "the certificates of https:// backends are not verified: anybody on the way may be \
             one; write tls.ca = \"their-ca.pem\""
                .to_owned(),
        ),
    ]
}

/// A word that stands for a policy elsewhere, or almost one of ours, is a Host like any other.
fn of_host(host: &HostPolicy) -> Option<Case> {
    let HostPolicy::Literal(literal) = host else {
        return None;
    };
    let word = literal.to_ascii_lowercase();
    let known = |(_, words): &&(&str, &[&str])| words.contains(&&*word);
    let (meant, _) = HOST_WORDS.iter().find(known)?;
    let words = format!(
        "host = {literal} tells backends the Host \"{literal}\", as it stands here; \
         write \"{meant}\""
    );
    Some((true, "host", words))
}

fn of_waiting(pool: &Pool) -> Vec<Case> {
    let (reuse, timeouts) = (&pool.reuse, &pool.timeouts);
    vec![
        (
            reuse.idle > 0 && reuse.idle_time >= NODE_KEEP_ALIVE,
            "reuse.idle_time",
            format!(
                "reuse.idle_time = {}: Node closes its connections after {NODE_KEEP_ALIVE}, in \
                 the middle of a request if need be; write less",
                reuse.idle_time
            ),
        ),
        (
            timeouts.response > CLIENT_PATIENCE,
            "timeout.response",
            format!(
                "timeout.response = {}: most clients give up after {CLIENT_PATIENCE}; write less",
                timeouts.response
            ),
        ),
        (
            timeouts.connect > timeouts.response,
            "timeout.connect",
            format!(
                "timeout.connect = {} is longer than timeout.response = {}; write less",
                timeouts.connect, timeouts.response
            ),
        ),
    ]
}

/// What `host` takes, and what is written in its place.
const HOST_WORDS: &[(&str, &[&str])] = &[
    ("auto", &["auto", "automatic", "default"]),
    (
        "keep",
        &[
            "keep",
            "client",
            "clients",
            "preserve",
            "preserved",
            "original",
            "incoming",
            "request",
            "pass",
            "passthrough",
            "forward",
            "same",
            "true",
            "on",
        ],
    ),
    (
        "upstream",
        &[
            "upstream",
            "upstreams",
            "backend",
            "backends",
            "server",
            "target",
            "destination",
            "url",
            "rewrite",
            "false",
            "off",
        ],
    ),
];

/// `server.keepAliveTimeout` of Node.js.
const NODE_KEEP_ALIVE: Span = Span::seconds(5);

/// What clients wait for an answer if nobody told them otherwise: libraries mostly 30 s or 60 s.
const CLIENT_PATIENCE: Span = Span::seconds(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    const SMALL: Machine = Machine {
        processors: 2,
        descriptors: 1_000,
    };

    fn said(text: &str) -> Vec<String> {
        let config = file::read(text, &|_| None).unwrap();
        let place = |warning: Warning<'_>| {
            let at = file::place(text, &warning.path).unwrap_or(text.len());
            let key = text[at..].split([' ', '\n', ']']).next().unwrap();
            format!("{key}> {}", warning.words)
        };
        all(&config, SMALL).into_iter().map(place).collect()
    }

    #[test]
    fn nothing_is_said_of_the_usual() {
        let text = "max_connections = 50\n[pool.a]\nbackends = [\"a:1\", \"b:1\"]";
        assert_eq!(said(text), [""; 0]);
    }

    #[test]
    fn every_warning_has_its_place_and_says_what_to_write() {
        let text = "max_connections = 900\nworkers = 3\n[admin]\nlisten = \"unix:/run/x\"\n\
             [[listener]]\npool = \"a\"\ntrusted_proxies = [\"::/0\"]\n[pool.a]\n\
             backends = [{ url = \"https://a\", weight = 0 }]\n\
             health = { interval = \"1s\", timeout = \"1s\" }\n\
             reuse = { idle_time = \"5s\", idle = 901 }\n\
             timeout = { response = \"2m\", connect = \"3m\" }\ntls = { verify = false }\n\
             [pool.b]\nhealth = { probe = \"off\" }\nbackends = [\"a:1\", \"b:1\"]";
        let expected = [
            "workers> workers: 3 event loops share 2 processors; write \"auto\"",
            "max_connections> max_connections: 1000 files may be open, which is enough for 105 \
             clients on each of 3 event loops, not for 900; raise the limit (ulimit -n), or \
             write 105",
            "admin> admin: without a token every program of its owner may change everything; add \
             token_file",
            "backends> pool a: one backend only: when it is down, no other can answer; add \
             another",
            "backends> pool a: every weight is 0: nobody gets anything; give one a weight",
            "timeout> pool a: probes come every 1s, but each may take 1s: a silent backend is \
             found late; write a shorter health.timeout",
            "verify> pool a: the certificates of https:// backends are not verified: anybody on \
             the way may be one; write tls.ca = \"their-ca.pem\"",
            "idle_time> pool a: reuse.idle_time = 5s: Node closes its connections after 5s, in \
             the middle of a request if need be; write less",
            "response> pool a: timeout.response = 2m: most clients give up after 1m; write less",
            "connect> pool a: timeout.connect = 3m is longer than timeout.response = 2m; write \
             less",
            "idle> pool a: reuse.idle = 901 can never be reached with 900 clients; write less",
            "b> pool b: serves no listener; name it as the pool of one, or remove it",
            "probe> pool b: health.probe = off: a dead backend is found by the requests that fail \
             there; write \"tcp\"",
            "trusted_proxies> listener web: with ::/0 in trusted_proxies every client may say who \
             it is; write the networks of your proxies",
        ];
        assert_eq!(said(text), expected);
        let loopback = "max_connections = 9\n[admin]\n[pool.a]\nbackends = [\"a:1\", \"b:1\"]\n\
                        reuse = { idle = 9 }";
        assert_eq!(
            said(loopback),
            [
                "admin> admin: without a token every user of this machine may change everything; \
              add token_file"
            ]
        );
    }

    #[test]
    fn a_word_that_is_hardly_a_host_is_said_with_the_right_one() {
        let pool = |host: &str| {
            let pool = "max_connections = 50\n[pool.a]\nbackends = [\"a:1\", \"b:1\"]";
            said(&format!("{pool}\nhost = \"{host}\""))
        };
        for (host, meant) in [
            ("client", "keep"),
            ("preserve", "keep"),
            ("original", "keep"),
            ("Keep", "keep"),
            ("backend", "upstream"),
            ("UPSTREAM", "upstream"),
            ("default", "auto"),
        ] {
            let expected = format!(
                "host> pool a: host = {host} tells backends the Host \"{host}\", as it stands \
                 here; write \"{meant}\""
            );
            assert_eq!(pool(host), [expected]);
        }
        for host in [
            "auto",
            "keep",
            "upstream",
            "shop.example",
            "client.example",
            "app",
            "a:1",
        ] {
            assert_eq!(pool(host), [""; 0], "{host}");
        }
    }

    #[test]
    fn what_is_for_http_does_nothing_in_tcp_mode() {
        let text = "[[listener]]\nmode = \"tcp\"\ntrusted_proxies = [\"::/0\"]\n\
             limits = { body = \"1MiB\" }\nforwarded = \"off\"\nrequest_id = \"off\"\n\
             timeout = { head = \"1s\", idle = \"1s\", read = \"1s\", write = \"1s\", \
             tunnel = \"1s\" }\n[pool.a]\nbackends = [\"a:1\", \"b:1\"]\nhost = \"x\"\n\
             reuse = { idle_time = \"1h\" }\nretry = { tries = 1 }\n\
             timeout = { response = \"2m\", read = \"1s\", connect = \"3m\" }";
        let expected = [
            "host> pool a: host does nothing in tcp mode; remove it",
            "reuse> pool a: reuse does nothing in tcp mode; remove it",
            "response> pool a: timeout.response does nothing in tcp mode; remove it",
            "read> pool a: timeout.read does nothing in tcp mode; remove it",
            "limits> listener web: limits do nothing in tcp mode; remove them",
            "trusted_proxies> listener web: trusted_proxies do nothing in tcp mode; remove them",
            "forwarded> listener web: forwarded does nothing in tcp mode; remove it",
            "request_id> listener web: request_id does nothing in tcp mode; remove it",
            "head> listener web: timeout.head does nothing in tcp mode without TLS; remove it",
            "idle> listener web: timeout.idle does nothing in tcp mode; remove it",
            "read> listener web: timeout.read does nothing in tcp mode; remove it",
            "write> listener web: timeout.write does nothing in tcp mode; remove it",
        ];
        assert_eq!(said(text), expected);
        let one_loop = "max_connections = 900\n[pool.a]\nbackends = [\"a:1\", \"b:1\"]";
        let said = said(one_loop).join("\n");
        assert!(
            !said.contains("loop") && said.contains(" clients, not for 900;"),
            "{said}"
        );
    }
}
