//! Files and what they come to, every flaw with its place.

use super::*;
use crate::base::time::Span;
use crate::config::Forwarded;
use crate::config::HostPolicy;
use crate::config::Probe;
use crate::config::ReuseMode;

fn variables(name: &str) -> Option<String> {
    (name == "PORT").then(|| "9001".to_owned())
}

fn config(text: &str) -> Config {
    read(text, &variables).unwrap_or_else(|flaw| panic!("{}", flaw.show("f", text)))
}

const SHORTEST: &str = "[pool.app]\nbackends = [\"http://127.0.0.1:9001\", \"127.0.0.1:9002\"]\n";

#[test]
fn the_shortest_file_has_every_default() {
    let read = config(SHORTEST);
    let urls: Vec<String> = read.pools[0]
        .backends
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(urls, ["http://127.0.0.1:9001", "http://127.0.0.1:9002"]);
    let mut expected = Config::default();
    expected.pools[0].backends = read.pools[0].backends.clone();
    assert_eq!(read, expected);
    assert_eq!(config(""), Config::default());
}

#[test]
fn every_key_reaches_its_place() {
    let read = config(
        r#"
workers = 3
max_connections = 5_000
drain_timeout = "1m"
log_level = "warn"
[[listener]]
name = "plain"
listen = ":8001"
pool = "two"
tls = [{ cert = "a.pem", key = "${PORT}.key" }, { cert = "b.pem", key = "b.key" }]
client_ca = "ca.pem"
trusted_proxies = ["10.0.0.0/8"]
forwarded = "rfc7239"
request_id = "Trace-Id"
[listener.limits]
request_head = "8KiB"
headers = 50
body = "2MiB"
requests_per_connection = 7
[listener.timeout]
head = "1s"
idle = "2s"
read = "3s"
write = "4s"
tunnel = "5s"
[[listener]]
listen = "127.0.0.1:8002"
mode = "tcp"
pool = "one"
[pool.two]
backends = [{ url = "http://a:${PORT},max-conns=9", weight = 3, max_conns = 7 }, "${NONE:-b:1}"]
host = "keep"
health = { probe = "off", interval = "3s", timeout = "4s", rise = 5, fall = 6 }
reuse = { idle = 7, idle_time = "8s", mode = "never" }
retry = { tries = 9 }
timeout = { connect = "10s", response = "11s", read = "12s" }
tls = { verify = false, ca = "ca.pem", sni = "a.example" }
[pool.one]
backends = ["c:1"]
"#,
    );
    assert_eq!(
        (read.max_connections, read.drain_timeout),
        (5_000, Span::seconds(60))
    );
    assert_eq!(read.log_level, LogLevel::Warn);
    let [plain, second] = read.listeners.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(
        (&*plain.name, plain.pool, plain.mode),
        ("plain", 0, Mode::Http)
    );
    assert_eq!(
        (&*second.name, second.pool, second.mode),
        ("web-2", 1, Mode::Tcp)
    );
    assert_eq!(plain.listen.to_string(), "0.0.0.0:8001");
    assert_eq!(plain.trusted_proxies[0].to_string(), "10.0.0.0/8");
    let tls = plain.tls.as_ref().unwrap();
    let files = tls.certificates.iter().map(|one| [&one.cert, &one.key]);
    let files: Vec<&str> = files.flatten().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(files, ["a.pem", "9001.key", "b.pem", "b.key"]);
    assert_eq!(tls.client_ca.as_deref(), Some("ca.pem".as_ref()));
    assert_eq!(second.tls, None);
    assert_eq!(plain.forwarded, Forwarded::Rfc7239);
    assert_eq!(plain.request_id.as_deref(), Some("trace-id"));
    assert_eq!(second.request_id.as_deref(), Some("x-request-id"));
    assert_eq!(plain.limits.request_head, 8192);
    assert_eq!(plain.limits.headers, 50);
    assert_eq!(plain.limits.body, Some(2 << 20));
    assert_eq!(plain.limits.requests_per_connection, 7);
    let times = plain.timeouts;
    let times = [
        times.head,
        times.idle,
        times.read,
        times.write,
        times.tunnel,
    ];
    assert_eq!(times, [1, 2, 3, 4, 5].map(Span::seconds));
    let [two, one] = read.pools.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(
        (&*two.name, &*one.name),
        ("two", "one"),
        "in the order of the file"
    );
    assert_eq!(one.backends[0].to_string(), "tcp://c:1");
    assert_eq!(two.backends[0].to_string(), "http://a:9001");
    let [three, usual] = &*two.backends else {
        panic!("{two:?}")
    };
    assert_eq!((three.weight, three.max_conns), (3, Some(7)));
    assert_eq!((usual.weight, usual.max_conns), (1, None));
    assert_eq!(two.host, HostPolicy::Keep);
    assert_eq!(two.health.probe, Probe::Off);
    assert_eq!((two.health.rise, two.health.fall), (5, 6));
    let times = [two.health.interval, two.health.timeout, two.reuse.idle_time];
    assert_eq!(times, [3, 4, 8].map(Span::seconds));
    assert_eq!((two.reuse.idle, two.reuse.mode), (7, ReuseMode::Never));
    assert_eq!(two.retry.tries, 9);
    let times = [
        two.timeouts.connect,
        two.timeouts.response,
        two.timeouts.read,
    ];
    assert_eq!(times, [10, 11, 12].map(Span::seconds));
    assert_eq!(two.tls.ca.as_deref(), Some("ca.pem".as_ref()));
    assert_eq!(
        (two.tls.verify, two.tls.sni.as_deref()),
        (false, Some("a.example"))
    );
}

#[test]
fn the_mode_follows_from_the_backends() {
    let read = config("[pool.db]\nbackends = [\"tcp://a:1\"]");
    assert_eq!(read.listeners[0].mode, Mode::Tcp);
    let read = config("[[listener]]\nmode = \"tcp\"");
    assert_eq!(read.listeners[0].mode, Mode::Tcp);
}

#[test]
fn what_is_not_in_this_version_may_say_so() {
    config(
        r#"
[[listener]]
tls = []
accept_proxy = false
allow = []
rate_limit = "off"
limits = { headers = 100, body = "off", requests_per_connection = 0 }
[pool.app]
balance = "round-robin"
backends = [{ url = "a:1", backup = false }]
sticky = "off"
slow_start = "0s"
when_down = "fail"
send_proxy = "off"
health = { expect = "2xx,3xx" }
outlier = { failures = 5, eject = "10s", max_eject = "50%" }
reuse = { max_uses = 0 }
retry = { on = ["connect", "reset"], budget = "20%" }
queue = { size = 1000, wait = "5s" }
timeout = { total = "off" }
"#,
    );
}

/// A file, and the first line of what is said about it.
const FLAWS: &[(&str, &str)] = &[
    (
        "a = ",
        "1:5: not TOML: string values must be quoted, expected literal string",
    ),
    ("workers = 1\nworkers = 1", "2:1: not TOML: duplicate key"),
    (
        "listne = 1",
        "1:1: unknown key \"listne\"; did you mean \"listener\"?",
    ),
    (
        "zebra = 1",
        "1:1: unknown key \"zebra\"; the file takes workers, max_connections, drain_timeout, \
         log_level, admin, access_log, listener, pool",
    ),
    (
        "[pool.app]\nbackend = []",
        "2:1: unknown key \"backend\"; did you mean \"backends\"?",
    ),
    (
        "[pool.app]\nbackends = [\"a:1\"]\n  [pool.app.health]\n  intervall = \"2s\"",
        "4:3: unknown key \"intervall\"; did you mean \"interval\"?",
    ),
    (
        "[pool.app]\nbackends = [{ url = \"a:1\", wieght = 2 }]",
        "2:28: unknown key \"wieght\"; did you mean \"weight\"?",
    ),
    ("workers = 257", "1:11: write a whole number from 1 to 256"),
    (
        "max_connections = 0",
        "1:19: write a whole number from 1 to 10000000",
    ),
    (
        "max_connections = \"9\"",
        "1:19: this is text, write a whole number",
    ),
    (
        "max_connections = -1",
        "1:19: write a whole number from 1 to 10000000",
    ),
    (
        "drain_timeout = 30",
        "1:17: a duration without a unit, write \"30s\" or \"30ms\"",
    ),
    (
        "drain_timeout = \"30\"",
        "1:17: a duration without a unit: 30; add a unit, like 30ms or 30s",
    ),
    (
        "drain_timeout = \"2 days\"",
        "1:17: not a duration: 2 days; \
         write a whole number and ms, s, m or h, like 250ms or 2s",
    ),
    (
        "drain_timeout = true",
        "1:17: this is true or false, write text, like \"2s\"",
    ),
    (
        "log_level = \"wran\"",
        "1:13: \"wran\" is not known; did you mean \"warn\"?",
    ),
    (
        "log_level = \"loud\"",
        "1:13: \"loud\" is not known; write error, warn, info, debug, trace",
    ),
    (
        "[admin]\nlisten = \"0.0.0.0:9900\"",
        "2:10: an admin interface beyond loopback needs a token; \
         add token_file = \"/etc/tidegate/token\"",
    ),
    (
        "[access_log]\nformat = \"jsn\"",
        "2:10: \"jsn\" is not known; did you mean \"json\"?",
    ),
    (
        "[access_log]\nsample = \"half\"",
        "2:10: not a share: half; write percent from 0% to 100%, like 50% or 0.1%",
    ),
    (
        "listener = 1",
        "1:12: this is a number, write a list, in brackets",
    ),
    (
        "[listener]\nlisten = \":80\"",
        "1:1: this is a table, \
         write a list: [{ … }], or a heading in two brackets, like [[listener]]",
    ),
    (
        "[[listener]]\nlisten = \"8000\"",
        "2:10: not an address to listen on: 8000; \
         write 127.0.0.1:8000 for this machine alone or :8000 for everyone",
    ),
    (
        "[[listener]]\nname = \"a\"\n[[listener]]\nlisten = \"localhost:8000\"",
        "4:10: 127.0.0.1:8000 is taken by listener a; choose another address",
    ),
    (
        "[[listener]]\nname = \"a\"\n[[listener]]\nlisten = \":1\"\nname = \"a\"",
        "5:8: a second listener called a; name it otherwise",
    ),
    (
        "[[listener]]\nlisten = \"unix:/a\"\n[[listener]]\nlisten = \"unix:/a\"",
        "4:10: unix:/a is taken by listener web; choose another address",
    ),
    (
        "[[listener]]\nlisten = \"unix:a\"",
        "2:10: not a path for a socket: unix:a; write unix:/ and a path of up to 107 bytes",
    ),
    (
        "[[listener]]\nname = \"a b\"",
        "2:8: not a name; write up to 64 letters, digits, -, _ and .",
    ),
    (
        "[[listener]]\npool = \"ap\"\n[pool.app]\nbackends = [\"a:1\"]",
        "2:8: no pool is called \"ap\"; did you mean \"app\"?",
    ),
    (
        "[[listener]]\npool = \"x\"\n[pool.app]\nbackends = [\"a:1\"]",
        "2:8: no pool is called \"x\"; there is app",
    ),
    (
        "[[listener]]\n[pool.b]\nbackends = [\"a:1\"]\n[pool.a]\nbackends = [\"a:1\"]",
        "1:1: which pool serves this listener? add pool = \"b\"",
    ),
    (
        "[pool.b]\nbackends = [\"a:1\"]\n[pool.a]\nbackends = [\"a:1\"]",
        "1:1: 2 pools, and no listener says which serves; add [[listener]] and pool = \"b\"",
    ),
    (
        "[[listener]]\nmode = \"http\"\n[[listener]]\nlisten = \":1\"\nmode = \"tcp\"",
        "5:8: pool app serves a listener in the other mode; give this one a pool of its own",
    ),
    (
        "[[listener]]\ntrusted_proxies = [\"10.0.0.1/8\"]",
        "2:20: not a network: 10.0.0.1/8; \
         the address goes on behind the bits that count, write zeros there",
    ),
    (
        "[[listener]]\ntrusted_proxies = [\"10.0.0.0/33\"]",
        "2:20: not a network: 10.0.0.0/33; write a number from 0 to 32 after the slash",
    ),
    (
        "[[listener]]\ntrusted_proxies = \"10.0.0.0/8\"",
        "2:19: this is text, write a list, in brackets",
    ),
    (
        "[[listener]]\nforwarded = \"none\"",
        "2:13: \"none\" is not known; write x-forwarded, rfc7239, both, off",
    ),
    (
        "[[listener]]\nrequest_id = \"Connection\"",
        "2:14: connection has a meaning of its own; write another name, like x-request-id",
    ),
    (
        "[[listener]]\nrequest_id = \"x_request_id\"",
        "2:14: not the name of a field; write up to 64 letters, digits and -, or off",
    ),
    (
        "[[listener]]\nrequest_id = true",
        "2:14: this is true or false, write text, like \"x-request-id\"",
    ),
    (
        "[[listener]]\ntls = [{ cert = \"a.pem\" }]",
        "2:8: a certificate without key; add key = \"site.key\"",
    ),
    (
        "[[listener]]\ntls = [{ certificate = \"a.pem\" }]",
        "2:10: unknown key \"certificate\"; tls takes cert, key",
    ),
    (
        "[[listener]]\ntls = \"a.pem\"",
        "2:7: this is text, write a list, in brackets",
    ),
    (
        "[[listener]]\nclient_ca = \"a.pem\"",
        "2:13: client_ca without tls; add tls = [{ cert = \"site.pem\", key = \"site.key\" }]",
    ),
    (
        "[[listener]]\nrate_limit = \"100/s\"",
        "2:14: listener.rate_limit is not available in this version; \
         the one value so far is \"off\"",
    ),
    (
        "[[listener]]\nallow = [\"10.0.0.0/8\"]",
        "2:9: listener.allow is not available in this version; leave it out",
    ),
    (
        "[[listener]]\nroute = []",
        "2:9: listener.route is not available in this version; leave it out",
    ),
    (
        "[pool.app]\noutlier = {}",
        "2:11: pool.outlier is not available in this version; leave it out",
    ),
    (
        "[pool.app]\nqueue = { size = 5 }",
        "2:18: queue.size is not available in this version; the one value so far is 1000",
    ),
    (
        "[[listener]]\n[[listener.route]]\npath = \"/\"",
        "2:1: listener.route is not available in this version; leave it out",
    ),
    (
        "[[listener]]\nlimits = { request_head = \"16KB\" }",
        "2:27: not a size: 16KB; write bytes or a whole number and KiB, MiB or GiB, like 16KiB",
    ),
    (
        "[[listener]]\nlimits = { request_head = \"65KiB\" }",
        "2:27: write a size from 1KiB to 64KiB",
    ),
    (
        "[[listener]]\nlimits = { headers = 101 }",
        "2:22: write a whole number from 1 to 100",
    ),
    (
        "[[listener]]\nlimits = { body = \"0\" }",
        "2:19: write \"off\" for no bound, or a size from 1B",
    ),
    (
        "[[listener]]\nlimits = { body = \"10MB\" }",
        "2:19: not a size: 10MB; write bytes or a whole number and KiB, MiB or GiB, like 16KiB",
    ),
    (
        "[[listener]]\nlimits = { body = 10 }",
        "2:19: this is a number, write text, like \"10MiB\"",
    ),
    (
        "[[listener]]\nlimits = { requests_per_connection = -1 }",
        "2:38: write a whole number from 0 to 1000000000",
    ),
    (
        "[[listener]]\ntimeout = { head = \"0s\" }",
        "2:20: a duration of zero: 0s; write a longer one, like 250ms",
    ),
    (
        "pool = 1",
        "1:8: this is a number, write a table, like [pool.app]",
    ),
    (
        "[pool.\"a b\"]",
        "1:7: not a name for a pool; write up to 64 letters, digits, -, _ and .",
    ),
    (
        "[pool.a]\nbackends = []\n[pool.b]\nbackends = [\"a:1\"]",
        "1:7: a pool without backends; add backends = [\"http://127.0.0.1:9001\"]",
    ),
    (
        "[pool.app]\nbackends = [\"a:1\", \"http://A:1\"]",
        "2:20: http://a:1 is in this pool already; name it once",
    ),
    (
        "[pool.app]\nbackends = [\n  \"a:1\",\n  \"ftp://b\",\n]",
        "4:3: an unknown scheme: ftp://b; write http://, https:// or tcp://",
    ),
    (
        "[pool.app]\nbackends = [{ weight = 2 }]",
        "2:13: a backend without url; add url = \"http://127.0.0.1:9001\"",
    ),
    (
        "[pool.app]\nbackends = [{ url = \"a:1\", weight = 257 }]",
        "2:37: write a whole number from 0 to 256",
    ),
    (
        "[pool.app]\nbackends = [{ url = \"a:1\", max_conns = 0 }]",
        "2:40: write a whole number from 1 to 4294967295",
    ),
    (
        "[pool.app]\nbackends = [{ url = \"a:1\", max_conns = \"9\" }]",
        "2:40: this is text, write a whole number",
    ),
    (
        "[pool.app]\nbackends = [\"a:1,max-conns=0\"]",
        "2:13: not a number of requests: max-conns=0; write a whole number from 1 to 4294967295",
    ),
    (
        "[pool.app]\nbackends = [{ url = \"a:1\", max_conns = 9, backup = true }]",
        "2:52: backend.backup is not available in this version; the one value so far is false",
    ),
    (
        "[pool.app]\nbackends = [\"tcp://a:1\", \"http://b:1\"]",
        "2:13: a tcp backend among others: tcp://a:1; write tcp:// for all backends or for none",
    ),
    (
        "[pool.app]\nbackends = [\"${HOST}:1\"]",
        "2:13: the variable HOST is not set; set it, or write ${HOST:-default}",
    ),
    (
        "[pool.app]\nbackends = [\"a:1\"]\nbalance = \"p2c\"",
        "3:11: pool.balance is not available in this version; \
         the one value so far is \"round-robin\"",
    ),
    (
        "[pool.app]\nhost = \"a b\"",
        "2:8: not a host; write auto, keep, upstream, or a host's name",
    ),
    (
        "[pool.app]\nhealth = { probe = \"GET /healthz\" }",
        "2:20: HTTP probes are not available in this version; write tcp or off",
    ),
    (
        "[pool.app]\nhealth = { rise = 0 }",
        "2:19: write a whole number from 1 to 1000",
    ),
    (
        "[pool.app]\nretry = { on = [\"503\"] }",
        "2:16: retry.on is not available in this version; \
         the one value so far is [\"connect\", \"reset\"]",
    ),
    (
        "[pool.app]\nreuse = { mode = \"alwyas\" }",
        "2:18: \"alwyas\" is not known; did you mean \"always\"?",
    ),
    (
        "[pool.app]\ntls = { verify = \"no\" }",
        "2:18: this is text, write true or false",
    ),
];

#[test]
fn every_flaw_in_full() {
    let mut wrong = Vec::new();
    for (text, expected) in FLAWS {
        let said = match read(text, &variables) {
            Ok(_) => "nothing".to_owned(),
            Err(flaw) => flaw.show("f", text),
        };
        let first = said.lines().next().unwrap_or_default();
        if first != format!("f:{expected}") {
            wrong.push(format!("{text}\n  is      {first}\n  not   f:{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_that_is_read_panics() {
    let good = "[[listener]]\nlisten = \":1\"\n[pool.app]\nbackends = [{ url = \"a:1\" }]\n";
    for at in 0..good.len() {
        for with in ["", "\"", "[", "${", "ü", "=", "\n", "\0"] {
            for cut in 0..3 {
                let end = (at + cut).min(good.len());
                let text = format!("{}{with}{}", &good[..at], &good[end..]);
                if let Err(flaw) = read(&text, &variables) {
                    let shown = flaw.show("f", &text);
                    assert!(
                        shown.starts_with("f:") && shown.lines().count() <= 3,
                        "{shown}"
                    );
                }
            }
        }
    }
}
