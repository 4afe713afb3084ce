//! `[pool.NAME]`.

use std::path::PathBuf;

use super::flaw::Flaw;
use super::listener::name;
use super::node::Node;
use super::schema;
use super::schema::Only;
use crate::config::Backend;
use crate::config::Health;
use crate::config::HostPolicy;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::Retry;
use crate::config::Reuse;
use crate::config::ReuseMode;
use crate::config::ServerTimeouts;
use crate::config::UpstreamTls;
use crate::config::url;
use crate::limits;

/// A pool as written: the mode of its backends depends on the listeners.
pub(super) struct Written<'a> {
    pool: Pool,
    backends: Vec<Server<'a>>,
}

/// A backend as written.
struct Server<'a> {
    url: String,
    weight: Option<u16>,
    max_conns: Option<u32>,
    node: Node<'a>,
}

impl<'a> Written<'a> {
    pub(super) fn read(called: &str, node: Node<'a>) -> Result<Self, Flaw> {
        let section = node.section(schema::POOL)?;
        if let Some(node) = section.get("balance") {
            node.only("pool.balance", &Only::Text("round-robin"))?;
        }
        let mut pool = Pool {
            name: called.to_owned(),
            ..Pool::default()
        };
        section.set("host", &mut pool.host, host)?;
        section.set("health", &mut pool.health, health)?;
        section.set("reuse", &mut pool.reuse, reuse)?;
        section.set("retry", &mut pool.retry, retry)?;
        section.set("timeout", &mut pool.timeouts, timeouts)?;
        section.set("tls", &mut pool.tls, tls)?;
        let mut backends = Vec::new();
        if let Some(list) = section.get("backends") {
            backends = list
                .list()?
                .into_iter()
                .map(server)
                .collect::<Result<_, _>>()?;
        }
        Ok(Self { pool, backends })
    }

    pub(super) fn name(&self) -> &str {
        &self.pool.name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.backends.is_empty()
    }

    /// Whether every backend is spoken to in tcp mode, and says so.
    pub(super) fn is_tcp(&self) -> bool {
        !self.is_empty() && self.backends.iter().all(|server| url::is_tcp(&server.url))
    }

    /// The pool, in the mode of its listeners, which somebody may have asked for.
    pub(super) fn complete(self, mode: Mode, asked: Option<Mode>) -> Result<Pool, Flaw> {
        let Self { mut pool, backends } = self;
        for server in backends {
            let Server { url, node, .. } = server;
            let complete = |_: &str| url::backend(&url, mode, asked);
            let mut backend: Backend = if node.is_table() {
                let place = node.section(schema::BACKEND)?.get("url").unwrap_or(node);
                place.parsed("http://127.0.0.1:9001", complete)?
            } else {
                node.parsed("http://127.0.0.1:9001", complete)?
            };
            backend.weight = server.weight.unwrap_or(backend.weight);
            backend.max_conns = server.max_conns.or(backend.max_conns);
            if pool.backends.iter().any(|other| other.is_same(&backend)) {
                let message = format!("{backend} is in this pool already; name it once");
                return Err(node.flaw(message));
            }
            pool.backends.push(backend);
        }
        Ok(pool)
    }
}

fn server(node: Node<'_>) -> Result<Server<'_>, Flaw> {
    let example = "http://127.0.0.1:9001";
    if !node.is_table() {
        return Ok(Server {
            url: node.text(example)?,
            weight: None,
            max_conns: None,
            node,
        });
    }
    let section = node.section(schema::BACKEND)?;
    let Some(url) = section.get("url") else {
        return Err(node.flaw(format!("a backend without url; add url = \"{example}\"")));
    };
    let url = url.text(example)?;
    let weight = section.get("weight");
    let weight = weight.map(|node| node.number(0, Backend::WEIGHT_MAX.into()));
    let most = section.get("max_conns");
    let most = most.map(|node| node.number(1, u32::MAX.into()));
    Ok(Server {
        url,
        weight: weight
            .transpose()?
            .and_then(|weight| u16::try_from(weight).ok()),
        max_conns: most.transpose()?.and_then(|most| u32::try_from(most).ok()),
        node,
    })
}

fn host(node: Node<'_>) -> Result<HostPolicy, Flaw> {
    let host = node.text("auto")?;
    match &*host {
        "auto" => Ok(HostPolicy::Auto),
        "keep" => Ok(HostPolicy::Keep),
        "upstream" => Ok(HostPolicy::Upstream),
        literal => {
            // The forms of a host are those that a URL may have.
            let url = format!("http://{literal}");
            let backend = url::backend(&url, Mode::Http, None).ok();
            let plain = !literal.contains([',', '/']) && literal.len() <= limits::HOST_BYTES_MAX;
            backend
                .filter(|_| plain)
                .map(|_| HostPolicy::Literal(host.clone()))
                .ok_or_else(|| {
                    node.flaw("not a host; write auto, keep, upstream, or a host's name")
                })
        }
    }
}

fn health(node: Node<'_>) -> Result<Health, Flaw> {
    let section = node.section(schema::HEALTH)?;
    let mut read = Health::default();
    section.set("probe", &mut read.probe, probe)?;
    section.set("interval", &mut read.interval, Node::duration)?;
    section.set("timeout", &mut read.timeout, Node::duration)?;
    section.set("rise", &mut read.rise, count)?;
    section.set("fall", &mut read.fall, count)?;
    Ok(read)
}

fn probe(node: Node<'_>) -> Result<Probe, Flaw> {
    match &*node.text("tcp")? {
        "tcp" => Ok(Probe::Tcp),
        "off" => Ok(Probe::Off),
        request if request.contains('/') => {
            let message = "HTTP probes are not available in this version; write tcp or off";
            Err(node.flaw(message))
        }
        _ => Err(node.flaw("not a probe; write tcp or off")),
    }
}

fn count(node: Node<'_>) -> Result<u32, Flaw> {
    let number = node.number(1, 1_000)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn reuse(node: Node<'_>) -> Result<Reuse, Flaw> {
    let section = node.section(schema::REUSE)?;
    let mut read = Reuse::default();
    section.set("idle", &mut read.idle, |node| {
        let number = node.number(0, 100_000)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    })?;
    section.set("idle_time", &mut read.idle_time, Node::duration)?;
    section.set("mode", &mut read.mode, |node| {
        node.choice(&ReuseMode::ALL, ReuseMode::name)
    })?;
    Ok(read)
}

fn retry(node: Node<'_>) -> Result<Retry, Flaw> {
    let section = node.section(schema::RETRY)?;
    let mut read = Retry::default();
    section.set("tries", &mut read.tries, count)?;
    Ok(read)
}

fn timeouts(node: Node<'_>) -> Result<ServerTimeouts, Flaw> {
    let section = node.section(schema::SERVER_TIMEOUTS)?;
    let mut read = ServerTimeouts::default();
    section.set("connect", &mut read.connect, Node::duration)?;
    section.set("response", &mut read.response, Node::duration)?;
    section.set("read", &mut read.read, Node::duration)?;
    Ok(read)
}

fn tls(node: Node<'_>) -> Result<UpstreamTls, Flaw> {
    let section = node.section(schema::UPSTREAM_TLS)?;
    let mut read = UpstreamTls::default();
    section.set("verify", &mut read.verify, Node::boolean)?;
    section.set("ca", &mut read.ca, |node| {
        Ok(Some(PathBuf::from(node.text("ca.pem")?)))
    })?;
    section.set("sni", &mut read.sni, |node| name(node).map(Some))?;
    Ok(read)
}
