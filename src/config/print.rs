//! A [`Config`] as the text of a file that [`super::file`] reads back into the same value, with
//! every key that this version has. Called by `app`.

use std::fmt;
use std::fmt::Write;
use std::path::Path;

use super::Backend;
use super::Config;
use super::HostPolicy;
use super::Listener;
use super::ListenerTls;
use super::Pool;
use super::Probe;

/// The text of a file that says all of it.
#[must_use]
pub fn print(config: &Config) -> String {
    let mut out = process(config);
    for one in &config.listeners {
        out += &one_listener(one, &config.pools[one.pool].name);
    }
    for one in &config.pools {
        out += &one_pool(one);
    }
    out
}

/// Everything but listeners and pools.
pub(super) fn process(config: &Config) -> String {
    let mut out = Text::default();
    out.key("workers", config.workers);
    out.key("max_connections", config.max_connections);
    out.text("drain_timeout", config.drain_timeout);
    out.text("log_level", config.log_level.name());
    let log = &config.access_log;
    out.header("[access_log]");
    out.text("format", log.format.name());
    out.text("path", &log.path);
    out.text("only", log.only.name());
    out.text("slow", log.slow);
    out.text("sample", log.sample);
    if let Some(admin) = &config.admin {
        out.header("[admin]");
        out.text("listen", &admin.listen);
        if let Some(path) = &admin.token_file {
            out.text("token_file", path.display());
        }
    }
    out.0
}

/// One listener, with the name of its pool.
pub(super) fn one_listener(one: &Listener, pool: &str) -> String {
    let mut out = Text::default();
    listener(&mut out, one, pool);
    out.0
}

/// One pool.
pub(super) fn one_pool(one: &Pool) -> String {
    let mut out = Text::default();
    pool(&mut out, one);
    out.0
}

fn listener(out: &mut Text, listener: &Listener, pool: &str) {
    out.header("[[listener]]");
    out.text("name", &listener.name);
    out.text("listen", &listener.listen);
    out.text("mode", listener.mode.name());
    out.text("pool", pool);
    tls(out, listener.tls.as_ref());
    out.list("trusted_proxies", &listener.trusted_proxies);
    out.text("forwarded", listener.forwarded.name());
    out.text(
        "request_id",
        listener.request_id.as_deref().unwrap_or("off"),
    );
    out.header("[listener.limits]");
    out.text("request_head", size(listener.limits.request_head as u64));
    out.key("headers", listener.limits.headers);
    let body = listener.limits.body.map(size);
    out.text("body", body.unwrap_or_else(|| "off".to_owned()));
    let requests = listener.limits.requests_per_connection;
    out.key("requests_per_connection", requests);
    out.header("[listener.timeout]");
    let timeouts = &listener.timeouts;
    for (key, span) in [
        ("head", timeouts.head),
        ("idle", timeouts.idle),
        ("read", timeouts.read),
        ("write", timeouts.write),
        ("tunnel", timeouts.tunnel),
    ] {
        out.text(key, span);
    }
}

fn tls(out: &mut Text, tls: Option<&ListenerTls>) {
    let certificates = tls.map_or(&[][..], |tls| &tls.certificates);
    let quoted = |path: &Path| Quoted(&path.display().to_string()).to_string();
    let all = certificates.iter().map(|one| {
        let (cert, key) = (quoted(&one.cert), quoted(&one.key));
        format!("{{ cert = {cert}, key = {key} }}")
    });
    let all: Vec<String> = all.collect();
    out.key("tls", format_args!("[{}]", all.join(", ")));
    if let Some(path) = tls.and_then(|tls| tls.client_ca.as_ref()) {
        out.text("client_ca", path.display());
    }
}

fn pool(out: &mut Text, pool: &Pool) {
    let name = &pool.name;
    let header = |section: &str| format!("[pool.{}{section}]", Quoted(name));
    out.header(&header(""));
    out.text("balance", "round-robin");
    backends(out, &pool.backends);
    out.text(
        "host",
        match &pool.host {
            HostPolicy::Auto => "auto",
            HostPolicy::Keep => "keep",
            HostPolicy::Upstream => "upstream",
            HostPolicy::Literal(host) => host,
        },
    );
    out.header(&header(".health"));
    let probe = match pool.health.probe {
        Probe::Tcp => "tcp",
        Probe::Off => "off",
    };
    out.text("probe", probe);
    out.text("interval", pool.health.interval);
    out.text("timeout", pool.health.timeout);
    out.key("rise", pool.health.rise);
    out.key("fall", pool.health.fall);
    out.header(&header(".reuse"));
    out.key("idle", pool.reuse.idle);
    out.text("idle_time", pool.reuse.idle_time);
    out.text("mode", pool.reuse.mode.name());
    out.header(&header(".retry"));
    out.key("tries", pool.retry.tries);
    out.header(&header(".timeout"));
    out.text("connect", pool.timeouts.connect);
    out.text("response", pool.timeouts.response);
    out.text("read", pool.timeouts.read);
    out.header(&header(".tls"));
    out.key("verify", pool.tls.verify);
    if let Some(ca) = &pool.tls.ca {
        out.text("ca", ca.display());
    }
    if let Some(sni) = &pool.tls.sni {
        out.text("sni", sni);
    }
}

fn backends(out: &mut Text, backends: &[Backend]) {
    out.line("backends = [");
    for backend in backends {
        let url = Quoted(&backend.to_string()).to_string();
        let mut terms = String::new();
        if backend.weight != 1 {
            terms += &format!(", weight = {}", backend.weight);
        }
        if let Some(most) = backend.max_conns {
            terms += &format!(", max_conns = {most}");
        }
        out.line(&match &*terms {
            "" => format!("  {url},"),
            terms => format!("  {{ url = {url}{terms} }},"),
        });
    }
    out.line("]");
}

/// A number of bytes as [`super::text::size`] reads it, in the largest unit that leaves no rest:
/// `10MiB`, `1025B`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = |(unit, _): &(u64, &str)| bytes > 0 && bytes.is_multiple_of(*unit);
    let (unit, name) = units.into_iter().find(whole).unwrap_or((1, "B"));
    format!("{}{name}", bytes / unit)
}

/// What has been printed.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn header(&mut self, header: &str) {
        self.0.push('\n');
        self.line(header);
    }

    fn key(&mut self, key: &str, value: impl fmt::Display) {
        self.line(&format!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: impl fmt::Display) {
        self.key(key, Quoted(&value.to_string()));
    }

    fn list(&mut self, key: &str, values: &[impl fmt::Display]) {
        let values: Vec<String> = values
            .iter()
            .map(|value| Quoted(&value.to_string()).to_string())
            .collect();
        self.key(key, format_args!("[{}]", values.join(", ")));
    }
}

/// A basic string of TOML; what would be a variable is none any more.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.replace("${", "$${").chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;
    use crate::config::url;

    const RICH: &str = r#"
        max_connections = 77
        drain_timeout = "1500ms"
        log_level = "debug"
        [access_log]
        format = "haproxy"
        path = "/var/log/t.log"
        only = "slow"
        slow = "7s"
        sample = "0.5%"
        [[listener]]
        name = "first"
        listen = "[::1]:8080"
        pool = "b.c"
        tls = [{ cert = "a \"b\".pem", key = "a.key" }, { key = "b", cert = "c" }]
        client_ca = "d.pem"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        forwarded = "both"
        request_id = "Trace-1"
        limits = { request_head = "4097B", body = "3MiB", requests_per_connection = 9 }
        timeout = { head = "1s", idle = "2s", read = "3s", write = "4s", tunnel = "5h" }
        [[listener]]
        listen = "unix:/run/a b.sock"
        pool = "a"
        trusted_proxies = ["unix:", "0.0.0.0/0"]
        [pool.a]
        backends = ["tcp://x:1"]
        [pool."b.c"]
        backends = ["https://y,weight=3", { url = "z:2", weight = 0 },
                    { url = "z:3", max_conns = 1 }, "z:4,weight=2,max-conns=9"]
        host = "shop.example"
        health = { probe = "off", interval = "1m", timeout = "9ms", rise = 7, fall = 8 }
        reuse = { idle = 0, idle_time = "1s", mode = "always" }
        retry = { tries = 9 }
        timeout = { connect = "1ms", response = "2ms", read = "3ms" }
        tls = { verify = false, ca = "a \"b\" \\ $${c} \u0007ü.pem", sni = "s.example" }
    "#;

    fn again(config: &Config) -> Config {
        let printed = print(config);
        file::read(&printed, &|_| None)
            .unwrap_or_else(|flaw| panic!("{}", flaw.show("-", &printed)))
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let rich = file::read(RICH, &|_| None).unwrap();
        assert_eq!(rich.listeners.len(), 2);
        let bounds = rich.pools[1].backends.iter().map(|one| one.max_conns);
        assert_eq!(bounds.collect::<Vec<_>>(), [None, None, Some(1), Some(9)]);
        assert_eq!(again(&rich), rich);
        let mut poor = Config::default();
        poor.pools[0]
            .backends
            .push(url::backend("a:1", super::super::Mode::Http, None).unwrap());
        assert_eq!(again(&poor), poor);
        assert_eq!(again(&Config::default()), Config::default());
    }

    #[test]
    fn every_value_of_the_rich_one_differs_from_its_default() {
        // A key that is not printed would read back as its default: then the test above sees it.
        let printed = print(&file::read(RICH, &|_| None).unwrap());
        let usual = print(&Config::default());
        for line in usual
            .lines()
            .filter(|line| line.contains(" = \"") || line.ends_with(char::is_numeric))
        {
            let same = ["workers", "headers", "balance", "mode = \"http\""];
            let count = |text: &str| text.lines().filter(|other| *other == line).count();
            let known = same.iter().any(|key| line.starts_with(key));
            assert!(known || count(&printed) <= 1, "{line}");
        }
    }
}
