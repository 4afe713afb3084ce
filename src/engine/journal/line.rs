//! The formats of the access log: from what is known of a request to its line.

use super::flight::Facts;
use super::flight::Kind;
use super::ink;
use super::ink::Escape;
use super::note::Words;
use super::verdict::Why;
use crate::base::time::Span;
use crate::config::LogFormat;

/// Everything that a line is made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Entry<'a> {
    pub(in crate::engine) facts: &'a Facts,
    pub(in crate::engine) words: Words<'a>,
    pub(in crate::engine) listener: &'a str,
    pub(in crate::engine) pool: &'a str,
    /// How many tries there may be.
    pub(in crate::engine) tries_max: u32,
    /// Nanoseconds from 1970 to its end.
    pub(in crate::engine) unix: u64,
    /// Connections of the process, of the listener, of the pool, of the server.
    pub(in crate::engine) loads: [u64; 4],
}

impl Entry<'_> {
    /// Appends its line.
    pub(in crate::engine) fn write(&self, out: &mut Vec<u8>, format: LogFormat) {
        match (format, self.facts.kind) {
            (LogFormat::Off, _) => return,
            (LogFormat::Json, _) => self.json(out),
            (LogFormat::Combined, _) => self.common(out, true),
            (LogFormat::Common, _) => self.common(out, false),
            (LogFormat::Haproxy, Kind::Request) => self.httplog(out),
            (LogFormat::Haproxy, Kind::Connection) => self.tcplog(out),
        }
        out.push(b'\n');
    }

    /// The object, without a line break.
    pub(in crate::engine) fn json(&self, out: &mut Vec<u8>) {
        let (facts, words) = (self.facts, &self.words);
        out.extend_from_slice(b"{\"ts\":\"");
        ink::rfc3339(out, self.unix);
        out.extend_from_slice(b"\",\"id\":\"");
        self.id(out);
        out.push(b'"');
        string(out, "listener", self.listener.as_bytes());
        key(out, "client");
        out.push(b'"');
        ink::place(out, facts.client);
        out.push(b'"');
        match facts.kind {
            Kind::Connection => string(out, "proto", b"TCP"),
            Kind::Request => {
                string(out, "method", words.method);
                string(out, "host", words.host);
                string(out, "path", words.target);
                string(out, "proto", words.proto.as_bytes());
                count(out, "status", u64::from(facts.status));
            }
        }
        count(out, "bytes_in", facts.came);
        count(out, "bytes_out", facts.went);
        string(out, "pool", self.pool.as_bytes());
        key(out, "backend");
        out.push(b'"');
        if facts.backend > 0 {
            self.backend(out);
        }
        out.push(b'"');
        count(out, "tries", u64::from(facts.tries));
        key(out, "reused");
        out.extend_from_slice(if facts.reused { b"true" } else { b"false" });
        for (name, span) in [
            ("t_head", facts.head.unwrap_or(Span::ZERO)),
            ("t_queue", Span::ZERO),
            ("t_connect", facts.connect.unwrap_or(Span::ZERO)),
            ("t_first", facts.first.unwrap_or(Span::ZERO)),
            ("t_total", facts.total),
        ] {
            key(out, name);
            ink::seconds(out, span);
        }
        string(out, "end", &facts.verdict.letters());
        key(out, "why");
        out.push(b'"');
        ink::display(out, self.why(), Escape::Json);
        out.extend_from_slice(b"\"}");
    }

    fn why(&self) -> Why<'_> {
        Why {
            verdict: self.facts.verdict,
            status: match self.facts.kind {
                Kind::Request => self.facts.status,
                Kind::Connection => 0,
            },
            pool: self.pool,
            backend: self.facts.backend,
            tries: self.facts.tries,
            lost: self.facts.lost,
            tries_max: self.tries_max,
            patience: self.facts.patience,
        }
    }

    fn id(&self, out: &mut Vec<u8>) {
        match self.words.id {
            b"" => ink::id(out, self.facts.number),
            id => ink::text(out, id, Escape::Json),
        }
    }

    fn backend(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pool.as_bytes());
        out.push(b'-');
        ink::number(out, u64::from(self.facts.backend));
    }

    /// `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent`, and
    /// `"$http_referer" "$http_user_agent"` behind it if it is combined.
    fn common(&self, out: &mut Vec<u8>, combined: bool) {
        let (facts, words) = (self.facts, &self.words);
        ink::host(out, facts.client);
        out.extend_from_slice(b" - ");
        user(out, words.credentials);
        out.extend_from_slice(b" [");
        ink::common_date(out, self.unix);
        out.extend_from_slice(b" +0000] \"");
        or_dash(out, words.line);
        out.extend_from_slice(b"\" ");
        ink::padded(out, u64::from(facts.status), 3);
        out.push(b' ');
        ink::number(out, facts.went.saturating_sub(u64::from(facts.heads)));
        if combined {
            out.extend_from_slice(b" \"");
            or_dash(out, words.referer);
            out.extend_from_slice(b"\" \"");
            or_dash(out, words.agent);
            out.push(b'"');
        }
    }

    /// `ci:cp [tr] fe be/srv TR/Tw/Tc/Tr/Ta ST B CC CS tsc ac/fc/bc/sc/rc sq/bq "request"`.
    fn httplog(&self, out: &mut Vec<u8>) {
        let facts = self.facts;
        self.beginning(out);
        let queued = facts.connect.map(|_| Span::ZERO);
        for span in [facts.head, queued, facts.connect, facts.first] {
            ink::millis(out, span);
            out.push(b'/');
        }
        ink::millis(out, Some(facts.total));
        out.push(b' ');
        match facts.status {
            0 => out.extend_from_slice(b"-1"),
            status => ink::number(out, u64::from(status)),
        }
        out.push(b' ');
        ink::number(out, facts.went);
        out.extend_from_slice(b" - - ");
        out.extend_from_slice(&facts.verdict.letters());
        out.extend_from_slice(b"--");
        self.ending(out);
        out.extend_from_slice(b" \"");
        match self.words.line {
            b"" => out.extend_from_slice(b"<BADREQ>"),
            line => ink::text(out, line, Escape::Haproxy),
        }
        out.push(b'"');
    }

    /// `ci:cp [t] fe be/srv Tw/Tc/Tt B ts ac/fc/bc/sc/rc sq/bq`.
    fn tcplog(&self, out: &mut Vec<u8>) {
        let facts = self.facts;
        self.beginning(out);
        ink::millis(out, facts.connect.map(|_| Span::ZERO));
        out.push(b'/');
        ink::millis(out, facts.connect);
        out.push(b'/');
        ink::millis(out, Some(facts.total));
        out.push(b' ');
        ink::number(out, facts.went);
        out.push(b' ');
        out.extend_from_slice(&facts.verdict.letters());
        self.ending(out);
    }

    /// `ci:cp [t] fe be/srv `, with the time at which it began.
    fn beginning(&self, out: &mut Vec<u8>) {
        ink::place(out, self.facts.client);
        out.extend_from_slice(b" [");
        let began = self.unix.saturating_sub(self.facts.total.0);
        ink::common_date(out, began);
        out.push(b'.');
        ink::padded(out, began / 1_000_000 % 1_000, 3);
        out.extend_from_slice(b"] ");
        out.extend_from_slice(self.listener.as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.pool.as_bytes());
        out.push(b'/');
        match self.facts.backend {
            0 => out.extend_from_slice(b"<NOSRV>"),
            _ => self.backend(out),
        }
        out.push(b' ');
    }

    /// ` ac/fc/bc/sc/rc sq/bq`.
    fn ending(&self, out: &mut Vec<u8>) {
        let retries = u64::from(self.facts.tries.saturating_sub(1));
        let mut before = b' ';
        for load in self.loads.into_iter().chain([retries]) {
            out.push(before);
            ink::number(out, load);
            before = b'/';
        }
        out.extend_from_slice(b" 0/0");
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    key(out, name);
    out.push(b'"');
    ink::text(out, value, Escape::Json);
    out.push(b'"');
}

fn count(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    ink::number(out, value);
}

fn or_dash(out: &mut Vec<u8>, text: &[u8]) {
    match text {
        b"" => out.push(b'-'),
        text => ink::text(out, text, Escape::Nginx),
    }
}

/// The user of `Basic` credentials, RFC 7617; a dash if there is none. The password, which is
/// behind the first colon, is never decoded.
fn user(out: &mut Vec<u8>, credentials: &[u8]) {
    let (scheme, coded) = credentials.split_at_checked(6).unwrap_or_default();
    let start = out.len();
    if scheme.eq_ignore_ascii_case(b"basic ") {
        let (mut bits, mut width) = (0_u32, 0);
        for byte in coded.trim_ascii() {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => break,
            };
            bits = bits << 6 | u32::from(value);
            width += 6;
            if width >= 8 {
                width -= 8;
                let byte = u8::try_from(bits >> width & 0xff).unwrap_or(0);
                if byte == b':' {
                    break;
                }
                ink::text(out, &[byte], Escape::Nginx);
            }
        }
    }
    if out.len() == start {
        out.push(b'-');
    }
}

#[cfg(test)]
mod tests;
