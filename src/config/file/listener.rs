//! `[[listener]]`.

use std::path::PathBuf;

use super::flaw::Flaw;
use super::node::Node;
use super::node::Section;
use super::schema;
use crate::config::Address;
use crate::config::CertificateFiles;
use crate::config::ClientTimeouts;
use crate::config::Forwarded;
use crate::config::Limits;
use crate::config::Listener;
use crate::config::ListenerTls;
use crate::config::Mode;
use crate::config::request_id::check;
use crate::config::text;
use crate::config::words::closest;
use crate::limits;

/// A listener as written: what its pool and mode are may follow from others.
pub(super) struct Written<'a> {
    pub(super) listener: Listener,
    /// The mode, if it is named.
    pub(super) mode: Option<(Mode, Node<'a>)>,
    pub(super) pool: Option<Node<'a>>,
    /// The table itself.
    pub(super) node: Node<'a>,
}

impl<'a> Written<'a> {
    /// The listener at position `at`, after `others`.
    pub(super) fn read(node: Node<'a>, at: usize, others: &[Self]) -> Result<Self, Flaw> {
        let section = node.section(schema::LISTENER)?;
        let mut listener = Listener::default();
        if at > 0 {
            listener.name = format!("{}-{}", listener.name, at + 1);
        }
        section.set("name", &mut listener.name, name)?;
        if let Some(other) = others
            .iter()
            .find(|other| other.listener.name == listener.name)
        {
            let place = section.get("name").unwrap_or(node);
            let name = &other.listener.name;
            return Err(place.flaw(format!(
                "a second listener called {name}; name it otherwise"
            )));
        }
        section.set("listen", &mut listener.listen, |node| {
            let address = node.parsed("127.0.0.1:8000", text::place)?;
            free(&address, others, node)?;
            Ok(address)
        })?;
        if section.get("listen").is_none() {
            free(&listener.listen, others, node)?;
        }
        let mode = |node: Node<'a>| Ok((node.choice(&[Mode::Http, Mode::Tcp], Mode::name)?, node));
        let mode = section.get("mode").map(mode).transpose()?;
        section.set("trusted_proxies", &mut listener.trusted_proxies, |node| {
            let networks = node.list()?.into_iter();
            networks
                .map(|node| node.parsed("10.0.0.0/8", text::network))
                .collect()
        })?;
        section.set("forwarded", &mut listener.forwarded, |node| {
            node.choice(&Forwarded::ALL, Forwarded::name)
        })?;
        section.set("request_id", &mut listener.request_id, request_id)?;
        listener.tls = tls(section)?;
        section.set("limits", &mut listener.limits, limits)?;
        section.set("timeout", &mut listener.timeouts, timeouts)?;
        Ok(Self {
            listener,
            mode,
            pool: section.get("pool"),
            node,
        })
    }

    /// The position of its pool among those called `names`.
    pub(super) fn choose_pool(&self, names: &[&str]) -> Result<usize, Flaw> {
        let Some(node) = self.pool else {
            return match names {
                [_] => Ok(0),
                _ => Err(self.node.flaw(format!(
                    "which pool serves this listener? add pool = \"{}\"",
                    names.first().copied().unwrap_or_default()
                ))),
            };
        };
        let wanted = node.text("app")?;
        let found = names.iter().position(|name| *name == wanted);
        found.ok_or_else(|| {
            let instead = match closest(&wanted, names.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("there is {}", names.join(", ")),
            };
            node.flaw(format!(
                "no pool is called \"{}\"; {instead}",
                wanted.escape_debug()
            ))
        })
    }
}

/// The field that carries the id of a request, in small letters; `None` for "off".
fn request_id(node: Node<'_>) -> Result<Option<String>, Flaw> {
    let name = node.text("x-request-id")?.to_ascii_lowercase();
    if name == "off" {
        return Ok(None);
    }
    check(&name).map_err(|why| node.flaw(why))?;
    Ok(Some(name))
}

/// What something is called: it goes into logs and metrics as it is.
pub(super) fn name(node: Node<'_>) -> Result<String, Flaw> {
    let name = node.text("web")?;
    if is_name(&name) {
        return Ok(name);
    }
    Err(node.flaw("not a name; write up to 64 letters, digits, -, _ and ."))
}

/// Whether that may be the name of something.
pub(super) fn is_name(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fine)
}

/// Two listeners cannot be at one address.
fn free(address: &Address, others: &[Written<'_>], node: Node<'_>) -> Result<(), Flaw> {
    let taken = others
        .iter()
        .find(|other| address.is_in_the_way_of(&other.listener.listen));
    taken.map_or(Ok(()), |other| {
        let (name, taken) = (&other.listener.name, &other.listener.listen);
        let taken = if taken == address {
            format!("{address} is taken by listener {name}")
        } else {
            format!("{address} and {taken} of listener {name} are in each other's way")
        };
        Err(node.flaw(format!("{taken}; choose another address")))
    })
}

/// Certificates, and whose clients have to show some.
fn tls(section: Section<'_>) -> Result<Option<ListenerTls>, Flaw> {
    let mut certificates = Vec::new();
    if let Some(node) = section.get("tls") {
        for one in node.list()? {
            certificates.push(certificate(one)?);
        }
    }
    let path = |node: Node<'_>| node.text("clients.pem").map(PathBuf::from);
    let client_ca = match section.get("client_ca") {
        Some(node) if certificates.is_empty() => {
            let instead = "add tls = [{ cert = \"site.pem\", key = \"site.key\" }]";
            return Err(node.flaw(format!("client_ca without tls; {instead}")));
        }
        node => node.map(path).transpose()?,
    };
    let tls = ListenerTls {
        certificates,
        client_ca,
    };
    Ok((!tls.certificates.is_empty()).then_some(tls))
}

fn certificate(node: Node<'_>) -> Result<CertificateFiles, Flaw> {
    let section = node.section(schema::CERTIFICATE)?;
    let path = |key: &str, example: &str| {
        let missing = || {
            node.flaw(format!(
                "a certificate without {key}; add {key} = \"{example}\""
            ))
        };
        let text = section.get(key).ok_or_else(missing)?.text(example)?;
        Ok(PathBuf::from(text))
    };
    Ok(CertificateFiles {
        cert: path("cert", "site.pem")?,
        key: path("key", "site.key")?,
    })
}

fn limits(node: Node<'_>) -> Result<Limits, Flaw> {
    let section: Section<'_> = node.section(schema::LIMITS)?;
    let mut read = Limits::default();
    section.set("request_head", &mut read.request_head, |node| {
        let bytes = node.parsed("16KiB", text::size)?;
        usize::try_from(bytes)
            .ok()
            .filter(|bytes| (HEAD_BYTES_MIN..=limits::REQUEST_HEAD_BYTES_MAX).contains(bytes))
            .ok_or_else(|| {
                let most = limits::REQUEST_HEAD_BYTES_MAX / 1024;
                node.flaw(format!("write a size from 1KiB to {most}KiB"))
            })
    })?;
    section.set("headers", &mut read.headers, |node| {
        let number = node.number(1, limits::HEADERS_MAX as u64)?;
        Ok(usize::try_from(number).unwrap_or(limits::HEADERS_MAX))
    })?;
    section.set("body", &mut read.body, |node| {
        if node.text("10MiB")? == "off" {
            return Ok(None);
        }
        match node.parsed("10MiB", text::size)? {
            0 => Err(node.flaw("write \"off\" for no bound, or a size from 1B")),
            bytes => Ok(Some(bytes)),
        }
    })?;
    section.set(
        "requests_per_connection",
        &mut read.requests_per_connection,
        |node| {
            let number = node.number(0, 1_000_000_000)?;
            Ok(u32::try_from(number).unwrap_or(u32::MAX))
        },
    )?;
    Ok(read)
}

fn timeouts(node: Node<'_>) -> Result<ClientTimeouts, Flaw> {
    let section = node.section(schema::CLIENT_TIMEOUTS)?;
    let mut read = ClientTimeouts::default();
    section.set("head", &mut read.head, Node::duration)?;
    section.set("idle", &mut read.idle, Node::duration)?;
    section.set("read", &mut read.read, Node::duration)?;
    section.set("write", &mut read.write, Node::duration)?;
    section.set("tunnel", &mut read.tunnel, Node::duration)?;
    Ok(read)
}

/// A smaller bound would refuse browsers.
const HEAD_BYTES_MIN: usize = 1024;
