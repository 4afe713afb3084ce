//! From what people write to values: durations, sizes, addresses, networks.
//!
//! Every parser takes the whole text and answers with a value or a [`Complaint`] that says what
//! is wrong, where, and what to write instead. Called by the readers of the command
//! line and of the file.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::Address;
use super::Host;
use super::Network;
use super::Share;
use crate::base::time::Span;

/// What is wrong, where, and what to do instead: one line, whatever the text contained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    what: String,
    place: String,
    instead: String,
}

impl Complaint {
    /// A complaint about `place`, which is text of the user's.
    #[must_use]
    pub fn new(what: impl Into<String>, place: &str, instead: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            place: place.escape_debug().to_string(),
            instead: instead.into(),
        }
    }

    /// The same complaint with the name of the option in front of its place.
    #[must_use]
    pub fn under(mut self, option: &str) -> Self {
        self.place = format!("{option} {}", self.place);
        self
    }
}

impl fmt::Display for Complaint {
    /// `what: where; what to do instead`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what, self.place, self.instead)
    }
}

/// A length of time with its unit: `250ms`, `2s`, `1m`, `1h`.
///
/// # Errors
/// No unit, an unknown one, a number that is none, or more than 584 years.
pub fn duration(text: &str) -> Result<Span, Complaint> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    if !digits.is_empty() && unit.is_empty() {
        let instead = format!("add a unit, like {digits}ms or {digits}s");
        return Err(Complaint::new("a duration without a unit", text, instead));
    }
    let nanoseconds: Option<u64> = match unit {
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    };
    nanoseconds
        .zip(digits.parse::<u64>().ok())
        .and_then(|(unit, count)| count.checked_mul(unit))
        .map(Span)
        .ok_or_else(|| {
            let instead = "write a whole number and ms, s, m or h, like 250ms or 2s";
            Complaint::new("not a duration", text, instead)
        })
}

/// A length of time that is not zero; the forms are those of [`duration`].
///
/// # Errors
/// As [`duration`], and for zero.
pub fn positive_duration(text: &str) -> Result<Span, Complaint> {
    let span = duration(text)?;
    if span == Span::ZERO {
        let instead = "write a longer one, like 250ms";
        return Err(Complaint::new("a duration of zero", text, instead));
    }
    Ok(span)
}

/// A number of bytes: `512`, `512B`, `16KiB`, `1MiB`, `1GiB`.
///
/// # Errors
/// An unknown unit (`KB` and `K` among them, which mean 1000 to some), a number that is none, or
/// one beyond 64 bits.
pub fn size(text: &str) -> Result<u64, Complaint> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(split.unwrap_or(text.len()));
    let bytes: Option<u64> = match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    bytes
        .zip(digits.parse::<u64>().ok())
        .and_then(|(unit, count)| count.checked_mul(unit))
        .ok_or_else(|| {
            let instead = "write bytes or a whole number and KiB, MiB or GiB, like 16KiB";
            Complaint::new("not a size", text, instead)
        })
}

/// A share in percent, to a tenth: `100%`, `50%`, `0.1%`.
///
/// # Errors
/// No percent sign, a number that is none, more than the whole, or finer than a tenth.
pub fn share(text: &str) -> Result<Share, Complaint> {
    let number = text.strip_suffix('%');
    let parts = number.map(|number| number.split_once('.').unwrap_or((number, "0")));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = parts.and_then(|(whole, tenth)| {
        let sound = digits(whole) && digits(tenth) && tenth.len() == 1;
        let whole = whole.parse::<u16>().ok().filter(|_| sound)?;
        whole.checked_mul(10)?.checked_add(tenth.parse().ok()?)
    });
    thousandths.and_then(Share::permille).ok_or_else(|| {
        let instead = "write percent from 0% to 100%, like 50% or 0.1%";
        Complaint::new("not a share", text, instead)
    })
}

/// A number from 1 on.
///
/// # Errors
/// For zero, for what is no number, and beyond 32 bits.
pub fn count(text: &str) -> Result<u32, Complaint> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| Complaint::new("not a count", text, "write a whole number from 1 on"))
}

/// How many event loops: a number, or `auto` for one per processor that the process may use.
///
/// # Errors
/// For zero, for more than [`WORKERS_MAX`], and for other words.
pub fn workers(text: &str) -> Result<usize, Complaint> {
    if text == "auto" {
        let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        return Ok(all.min(WORKERS_MAX));
    }
    let instead = || format!("write auto or a whole number from 1 to {WORKERS_MAX}");
    text.parse()
        .ok()
        .filter(|count| (1..=WORKERS_MAX).contains(count))
        .ok_or_else(|| Complaint::new("not a number of loops", text, instead()))
}

/// The most event loops that can be asked for.
pub const WORKERS_MAX: usize = 256;

/// A place to listen at: as [`listen`], or `unix:/path`.
///
/// # Errors
/// As [`listen`], and for a path that is not absolute.
pub fn place(text: &str) -> Result<Address, Complaint> {
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') && path.len() <= UNIX_PATH_BYTES_MAX => {
            Ok(Address::Unix(PathBuf::from(path)))
        }
        Some(_) => {
            let instead = "write unix:/ and a path of up to 107 bytes";
            Err(Complaint::new("not a path for a socket", text, instead))
        }
        None => listen(text).map(Address::Tcp),
    }
}

/// unix(7): 108 bytes with the one that ends it.
const UNIX_PATH_BYTES_MAX: usize = 107;

/// An IP address without a port, the way addresses of clients are written.
///
/// # Errors
/// For everything else.
pub fn address(text: &str) -> Result<IpAddr, Complaint> {
    text.parse().map_err(|_| {
        let instead = "write an IP address without a port, like 10.0.0.7 or ::1";
        Complaint::new("not an IP address", text, instead)
    })
}

/// An address to listen on: `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000` (the IPv4 one) and
/// `:8000` (every IPv4 address). Port 0 lets the system choose.
///
/// # Errors
/// No port, a bare port, a name, or an IPv6 address without brackets.
pub fn listen(text: &str) -> Result<SocketAddr, Complaint> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let fail = |instead: String| Err(Complaint::new("not an address to listen on", text, instead));
    if text.contains("://") {
        return fail("write it without a scheme, like 127.0.0.1:8000".to_owned());
    }
    if text.parse::<u16>().is_ok() {
        return fail(format!(
            "write 127.0.0.1:{text} for this machine alone or :{text} for everyone"
        ));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return fail(format!("add a port, like {}:8000", Host::Address(address)));
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        match (host, port.parse::<u16>()) {
            ("localhost", Ok(port)) => return Ok((Ipv4Addr::LOCALHOST, port).into()),
            ("" | "*", Ok(port)) => return Ok((Ipv4Addr::UNSPECIFIED, port).into()),
            (_, Ok(_)) => return fail("write an IP address, like 127.0.0.1:8000".to_owned()),
            (_, Err(_)) => {}
        }
    }
    fail("write IP:PORT, like 127.0.0.1:8000 or [::1]:8000".to_owned())
}

/// A network: `10.0.0.0/8`, `2001:db8::/32`, or an address, which is a network of one; `unix:`
/// for whoever comes through a socket in the file system.
///
/// # Errors
/// No address, too many bits, or an address that goes on behind them.
pub fn network(text: &str) -> Result<Network, Complaint> {
    if text == "unix:" {
        return Ok(Network::UNIX);
    }
    let fail = |instead: &str| Err(Complaint::new("not a network", text, instead));
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u8>().ok()),
        None => (text, Some(if text.contains(':') { 128 } else { 32 })),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return fail("write ADDRESS/BITS, like 10.0.0.0/8 or 2001:db8::/32");
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let Some(bits) = bits.filter(|bits| *bits <= width) else {
        return fail(&format!("write a number from 0 to {width} after the slash"));
    };
    Network::new(address, bits).map_or_else(
        || fail("the address goes on behind the bits that count, write zeros there"),
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::config::url::backends;

    fn complaint<T: fmt::Debug>(result: Result<T, Complaint>) -> String {
        result.unwrap_err().to_string()
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn durations() {
        let table = [
            ("250ms", Span::millis(250)),
            ("2s", Span::seconds(2)),
            ("1m", Span::seconds(60)),
            ("1h", Span::seconds(3_600)),
            ("0s", Span::ZERO),
        ];
        for (text, span) in table {
            assert_eq!(duration(text), Ok(span));
        }
        assert_eq!(
            complaint(duration("250")),
            "a duration without a unit: 250; add a unit, like 250ms or 250s"
        );
        for text in [
            "",
            "s",
            "2 s",
            "-1s",
            "1.5s",
            "2d",
            "1m30s",
            "99999999999h",
            "²s",
            "+2s",
        ] {
            let expected = format!(
                "not a duration: {text}; write a whole number and ms, s, m or h, like 250ms or 2s"
            );
            assert_eq!(complaint(duration(text)), expected);
        }
        assert_eq!(
            complaint(positive_duration("0ms")),
            "a duration of zero: 0ms; write a longer one, like 250ms"
        );
    }

    #[test]
    fn sizes_and_counts() {
        let table = [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("1KiB", 1024),
            ("16MiB", 16 << 20),
            ("2GiB", 2 << 30),
        ];
        for (text, bytes) in table {
            assert_eq!(size(text), Ok(bytes));
        }
        for text in [
            "",
            "KiB",
            "1KB",
            "1k",
            "1.5KiB",
            "-1",
            "18446744073709551615KiB",
        ] {
            let expected = format!(
                "not a size: {text}; \
                 write bytes or a whole number and KiB, MiB or GiB, like 16KiB"
            );
            assert_eq!(complaint(size(text)), expected);
        }
        assert_eq!(count("3"), Ok(3));
        for text in ["0", "", "-1", "x", "4294967296"] {
            let expected = format!("not a count: {text}; write a whole number from 1 on");
            assert_eq!(complaint(count(text)), expected);
        }
    }

    #[test]
    fn shares() {
        let table = [("100%", 1000), ("50%", 500), ("0.1%", 1), ("0%", 0)];
        for (text, thousandths) in table {
            let read = share(text).unwrap();
            assert_eq!(read.thousandths(), thousandths);
            assert_eq!(read.to_string(), text);
        }
        for text in [
            "", "%", "50", "101%", "100.1%", "0.01%", "-1%", ".5%", "5.%", "+5%", "9e9%",
        ] {
            let instead = "write percent from 0% to 100%, like 50% or 0.1%";
            assert_eq!(
                complaint(share(text)),
                format!("not a share: {text}; {instead}")
            );
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        let table = [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:8000", "127.0.0.1:8000"),
            (":8000", "0.0.0.0:8000"),
            ("*:8000", "0.0.0.0:8000"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ];
        for (text, address) in table {
            assert_eq!(listen(text).unwrap().to_string(), address);
        }
        let anything = "write IP:PORT, like 127.0.0.1:8000 or [::1]:8000";
        let table = [
            (
                "8000",
                "write 127.0.0.1:8000 for this machine alone or :8000 for everyone",
            ),
            ("10.0.0.1", "add a port, like 10.0.0.1:8000"),
            ("::1", "add a port, like [::1]:8000"),
            ("web.example:80", "write an IP address, like 127.0.0.1:8000"),
            (
                "http://127.0.0.1:80",
                "write it without a scheme, like 127.0.0.1:8000",
            ),
            ("127.0.0.1:70000", anything),
            ("", anything),
            ("a:b", anything),
        ];
        for (text, instead) in table {
            let expected = format!("not an address to listen on: {text}; {instead}");
            assert_eq!(complaint(listen(text)), expected);
        }
    }

    #[test]
    fn backends_and_the_mode_they_imply() {
        type Case = (
            &'static [&'static str],
            Option<Mode>,
            Mode,
            &'static [&'static str],
        );
        let table: [Case; 7] = [
            (
                &["127.0.0.1:9001"],
                None,
                Mode::Http,
                &["http://127.0.0.1:9001"],
            ),
            (
                &["127.0.0.1:9001"],
                Some(Mode::Tcp),
                Mode::Tcp,
                &["tcp://127.0.0.1:9001"],
            ),
            (
                &["tcp://a:1", "tcp://b:1"],
                None,
                Mode::Tcp,
                &["tcp://a:1", "tcp://b:1"],
            ),
            (
                &["http://A.Example", "https://b", "c:80", "HTTPS://d:8443/"],
                None,
                Mode::Http,
                &[
                    "http://a.example",
                    "https://b",
                    "http://c",
                    "https://d:8443",
                ],
            ),
            (
                &["http://[::1]", "[::1]:81"],
                None,
                Mode::Http,
                &["http://[::1]", "http://[::1]:81"],
            ),
            (
                &["a_b-c.d:65535"],
                None,
                Mode::Http,
                &["http://a_b-c.d:65535"],
            ),
            (&[], None, Mode::Http, &[]),
        ];
        for (texts, asked, mode, urls) in table {
            let (implied, list) = backends(&owned(texts), asked).unwrap();
            assert_eq!(implied, mode, "{texts:?}");
            let shown: Vec<String> = list.iter().map(ToString::to_string).collect();
            assert_eq!(shown, urls);
        }
    }

    #[test]
    fn every_complaint_about_a_backend() {
        let host = "write a name or an address, like http://10.0.0.2:80";
        let port = "write a number from 1 to 65535 after the colon";
        let table = [
            (
                "ftp://a:1",
                "an unknown scheme",
                "write http://, https:// or tcp://",
            ),
            (
                "unix:/run/app.sock",
                "a socket as a backend",
                "backends are reached by TCP, write http://host:port",
            ),
            ("a", "a backend without a port", "add one, like a:9001"),
            (
                "[::1]",
                "a backend without a port",
                "add one, like [::1]:9001",
            ),
            (
                "tcp://a",
                "a backend without a port",
                "add one, like a:9001",
            ),
            (
                "http://a:1?x,weight=3",
                "a query in a backend",
                "a backend is a server, write it without the query",
            ),
            (
                "http://a/x",
                "a path in a backend",
                "a backend is a server, write it without the path",
            ),
            (
                "a:1?x",
                "a query in a backend",
                "a backend is a server, write it without the query",
            ),
            (
                "http://a#x",
                "a fragment in a backend",
                "a backend is a server, write it without the fragment",
            ),
            (
                "http://u:p@a",
                "a user in a backend",
                "let the client send its own, write the URL without it",
            ),
            ("", "not a host", host),
            ("http://", "not a host", host),
            ("http://:80", "not a host", host),
            ("a b:1", "not a host", host),
            ("a..b:1", "not a host", host),
            ("127.0.0.256:1", "not a host", host),
            ("1.2.3:1", "not a host", host),
            ("bücher:1", "not a host", host),
            ("a:0", "not a port", port),
            ("a:+1", "not a port", port),
            ("a:", "not a port", port),
            ("a:65536", "not a port", port),
            ("[::1]:x", "not a port", port),
            (
                "[::1",
                "a bracket that is not closed",
                "write [ADDRESS]:PORT",
            ),
            ("[::1]x", "text after the bracket", "write [ADDRESS]:PORT"),
            (
                "[a]:1",
                "not an IPv6 address",
                "write one between the brackets, like [::1]",
            ),
            (
                "::1",
                "more than one colon",
                "write IPv6 addresses in brackets, like [::1]:80",
            ),
        ];
        for (text, what, instead) in table {
            let all_tcp = text.starts_with("tcp:").then_some(Mode::Tcp);
            let expected = format!("{what}: {text}; {instead}");
            assert_eq!(complaint(backends(&owned(&[text]), all_tcp)), expected);
        }
    }

    #[test]
    fn backends_that_do_not_go_together() {
        let table: [(&[&str], Option<Mode>, &str); 5] = [
            (
                &["http://a:1", "tcp://b:1"],
                None,
                "a tcp backend among others: tcp://b:1; write tcp:// for all backends or for none",
            ),
            (
                &["tcp://b:1"],
                Some(Mode::Http),
                "a tcp backend among others: tcp://b:1; \
                 in http mode write http://, or choose the mode tcp",
            ),
            (
                &["https://b:1"],
                Some(Mode::Tcp),
                "an http backend: https://b:1; in tcp mode write tcp://b:PORT",
            ),
            (
                &["a:80", "http://A"],
                None,
                "the same backend twice: http://A; name every backend once",
            ),
            (
                &["a\nb:1"],
                None,
                "not a host: a\\nb:1; write a name or an address, like http://10.0.0.2:80",
            ),
        ];
        for (texts, asked, line) in table {
            assert_eq!(complaint(backends(&owned(texts), asked)), line);
        }
    }
}
