//! Backends as they are written: a URL, or what is left of one, with options after commas.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::config::Backend;
use crate::config::Host;
use crate::config::Mode;
use crate::config::Scheme;
use crate::config::text::Complaint;

/// A backend for `mode`, which somebody asked for or which follows from the other backends.
///
/// # Errors
/// As [`backends`].
pub fn backend(text: &str, mode: Mode, asked: Option<Mode>) -> Result<Backend, Complaint> {
    Written::parse(text)?.complete(mode, asked)
}

/// Whether it says that it is spoken to in [`Mode::Tcp`].
#[must_use]
pub fn is_tcp(text: &str) -> bool {
    Written::parse(text).is_ok_and(|written| written.scheme == Some(Scheme::Tcp))
}

/// The backends of a command line and the mode they are balanced in: the one asked for, or tcp if
/// every backend is `tcp://`, or http. A backend without a scheme takes that of the mode.
///
/// # Errors
/// What [`Backend`]'s forms exclude; a scheme that the mode cannot speak; the same backend twice.
pub fn backends(texts: &[String], asked: Option<Mode>) -> Result<(Mode, Vec<Backend>), Complaint> {
    let written: Vec<Written<'_>> = texts
        .iter()
        .map(|text| Written::parse(text))
        .collect::<Result<_, _>>()?;
    let all_tcp = !written.is_empty() && written.iter().all(|one| one.scheme == Some(Scheme::Tcp));
    let mode = asked.unwrap_or(if all_tcp { Mode::Tcp } else { Mode::Http });
    let mut backends: Vec<Backend> = Vec::with_capacity(written.len());
    for one in written {
        let text = one.text;
        let backend = one.complete(mode, asked)?;
        if backends.iter().any(|other| other.is_same(&backend)) {
            let instead = "name every backend once";
            return Err(Complaint::new("the same backend twice", text, instead));
        }
        backends.push(backend);
    }
    Ok((mode, backends))
}

/// A backend as written: what is missing depends on the mode, which depends on the others.
struct Written<'a> {
    text: &'a str,
    scheme: Option<Scheme>,
    host: Host,
    port: Option<u16>,
    options: Options,
}

impl<'a> Written<'a> {
    fn parse(text: &'a str) -> Result<Self, Complaint> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme_named(scheme, text)?), rest),
            None => (None, text),
        };
        if text.starts_with("unix:") {
            let instead = "backends are reached by TCP, write http://host:port";
            return Err(Complaint::new("a socket as a backend", text, instead));
        }
        let mut parts = rest.split(',');
        let rest = parts.next().unwrap_or_default();
        refuse_extras(text, rest)?;
        let mut options = Options::default();
        for option in parts {
            options.read(option)?;
        }
        let rest = match scheme {
            Some(Scheme::Http | Scheme::Https) => rest.strip_suffix('/').unwrap_or(rest),
            Some(Scheme::Tcp) | None => rest,
        };
        if rest.contains('/') {
            let instead = "a backend is a server, write it without the path";
            return Err(Complaint::new("a path in a backend", text, instead));
        }
        let (host, port) = host_and_port(text, rest)?;
        Ok(Self {
            text,
            scheme,
            host,
            port,
            options,
        })
    }

    fn complete(self, mode: Mode, asked: Option<Mode>) -> Result<Backend, Complaint> {
        let scheme = match (mode, self.scheme) {
            (Mode::Http, None) => Scheme::Http,
            (Mode::Tcp, None) => Scheme::Tcp,
            (Mode::Http, Some(scheme @ (Scheme::Http | Scheme::Https))) => scheme,
            (Mode::Tcp, Some(Scheme::Tcp)) => Scheme::Tcp,
            (Mode::Tcp, Some(_)) => {
                let instead = format!("in tcp mode write tcp://{}:PORT", self.host);
                return Err(Complaint::new("an http backend", self.text, instead));
            }
            (Mode::Http, Some(Scheme::Tcp)) => {
                let instead = match asked {
                    Some(_) => "in http mode write http://, or choose the mode tcp",
                    None => "write tcp:// for all backends or for none",
                };
                return Err(Complaint::new(
                    "a tcp backend among others",
                    self.text,
                    instead,
                ));
            }
        };
        // Without a scheme nothing but the port tells a backend from a mistyped word.
        let port = self
            .port
            .or_else(|| self.scheme.and_then(Scheme::default_port));
        let Some(port) = port else {
            let instead = format!("add one, like {}:9001", self.host);
            return Err(Complaint::new(
                "a backend without a port",
                self.text,
                instead,
            ));
        };
        let mut backend = Backend::new(scheme, self.host, port);
        backend.weight = self.options.weight.unwrap_or(backend.weight);
        backend.max_conns = self.options.max_conns;
        Ok(backend)
    }
}

fn scheme_named(name: &str, text: &str) -> Result<Scheme, Complaint> {
    [Scheme::Http, Scheme::Https, Scheme::Tcp]
        .into_iter()
        .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| {
            let instead = "write http://, https:// or tcp://";
            Complaint::new("an unknown scheme", text, instead)
        })
}

/// What was written after commas; of an option that comes twice the last one counts.
#[derive(Default)]
struct Options {
    weight: Option<u16>,
    max_conns: Option<u32>,
}

impl Options {
    /// One of them, like `weight=3` or `max-conns=100`.
    fn read(&mut self, option: &str) -> Result<(), Complaint> {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        match key {
            "weight" => {
                let weight = value.parse().ok();
                let weight = weight.filter(|weight| *weight <= Backend::WEIGHT_MAX);
                self.weight = Some(weight.ok_or_else(|| {
                    let instead = "write a whole number from 0 to 256";
                    Complaint::new("not a weight", option, instead)
                })?);
            }
            "max-conns" => {
                let most = value.parse().ok().filter(|most| *most > 0);
                self.max_conns = Some(most.ok_or_else(|| {
                    let instead = format!("write a whole number from 1 to {}", u32::MAX);
                    Complaint::new("not a number of requests", option, instead)
                })?);
            }
            _ => {
                let what = match key {
                    "backup" => "an option that is not available in this version",
                    _ => "an unknown option of a backend",
                };
                let instead = "there are weight=N and max-conns=N";
                return Err(Complaint::new(what, option, instead));
            }
        }
        Ok(())
    }
}

/// What a URL may have and a backend has not.
fn refuse_extras(text: &str, rest: &str) -> Result<(), Complaint> {
    let extras = [
        (
            '?',
            "a query in a backend",
            "a backend is a server, write it without the query",
        ),
        (
            '#',
            "a fragment in a backend",
            "a backend is a server, write it without the fragment",
        ),
        (
            '@',
            "a user in a backend",
            "let the client send its own, write the URL without it",
        ),
    ];
    for (sign, what, instead) in extras {
        if rest.contains(sign) {
            return Err(Complaint::new(what, text, instead));
        }
    }
    Ok(())
}

fn host_and_port(text: &str, rest: &str) -> Result<(Host, Option<u16>), Complaint> {
    let fail = |what: &str, instead: &str| Err(Complaint::new(what, text, instead));
    let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
        let Some((address, after)) = inner.split_once(']') else {
            return fail("a bracket that is not closed", "write [ADDRESS]:PORT");
        };
        let Ok(address) = address.parse::<Ipv6Addr>() else {
            return fail(
                "not an IPv6 address",
                "write one between the brackets, like [::1]",
            );
        };
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return fail("text after the bracket", "write [ADDRESS]:PORT"),
        };
        (Host::Address(address.into()), port)
    } else {
        if rest.parse::<Ipv6Addr>().is_ok() || rest.matches(':').count() > 1 {
            return fail(
                "more than one colon",
                "write IPv6 addresses in brackets, like [::1]:80",
            );
        }
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        };
        let Some(host) = named_host(host) else {
            return fail(
                "not a host",
                "write a name or an address, like http://10.0.0.2:80",
            );
        };
        (host, port)
    };
    let Some(port) = port else {
        return Ok((host, None));
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok((host, Some(port))),
        _ => fail(
            "not a port",
            "write a number from 1 to 65535 after the colon",
        ),
    }
}

/// An IPv4 address or a DNS name: labels of 1 to 63 letters, digits, `-` and `_`, 253 bytes in
/// all (RFC 1035 section 2.3.4). A name that ends in a number is a mistyped address.
fn named_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let fine = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let address = last.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() <= 253 && text.split('.').all(fine) && !address)
        .then(|| Host::Name(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_follow_after_commas() {
        let weight = |text| backend(text, Mode::Http, None).map(|backend| backend.weight);
        assert_eq!(weight("a:1"), Ok(1));
        assert_eq!(weight("http://a,weight=0"), Ok(0));
        assert_eq!(weight("a:1,weight=256"), Ok(256));
        let table = [
            (
                "a:1,weight=heavy",
                "not a weight: weight=heavy; write a whole number from 0 to 256",
            ),
            (
                "a:1,weight=257",
                "not a weight: weight=257; write a whole number from 0 to 256",
            ),
            (
                "a:1,backup",
                "an option that is not available in this version: backup; \
                 there are weight=N and max-conns=N",
            ),
            (
                "a:1,wieght=3",
                "an unknown option of a backend: wieght=3; there are weight=N and max-conns=N",
            ),
            (
                "a:1,max-conns=0",
                "not a number of requests: max-conns=0; write a whole number from 1 to 4294967295",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(weight(text).unwrap_err().to_string(), expected);
        }
        for text in [
            "a:1,max-conns",
            "a:1,max-conns=-1",
            "a:1,max-conns=4294967296",
        ] {
            let said = weight(text).unwrap_err().to_string();
            assert!(said.starts_with("not a number of requests: "), "{said}");
        }
        let both = backend("a:1,weight=3,max-conns=100", Mode::Http, None);
        let both = both.map(|backend| (backend.weight, backend.max_conns));
        assert_eq!(both, Ok((3, Some(100))));
        let bound = backend("tcp://a:1,max-conns=4294967295", Mode::Tcp, None);
        let bound = bound.map(|backend| (backend.weight, backend.max_conns));
        assert_eq!(bound, Ok((1, Some(u32::MAX))));
    }
}
