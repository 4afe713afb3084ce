//! The request that is asked about, and the head that a client would send for it.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use serde_json::Value;
use serde_json::json;

use crate::config::Listener;
use crate::config::text::Complaint;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::head;
use crate::http::head::HeadScan;

/// A request that somebody might send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// As it would be sent; the balancer judges it. Default: GET.
    pub method: String,
    /// Whether the client speaks TLS. Default: no.
    pub secure: bool,
    /// The host, with a port if the URL names one. Default: localhost.
    pub host: String,
    /// Path and query. Default: `/`.
    pub path: String,
    /// Who asks. Default: 127.0.0.1.
    pub client: IpAddr,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            secure: false,
            host: "localhost".to_owned(),
            path: "/".to_owned(),
            client: Ipv4Addr::LOCALHOST.into(),
        }
    }
}

impl Question {
    /// A request for this URL, `http://` or `https://`, or a host and what follows it.
    ///
    /// # Errors
    /// What no client could make a request of. Whatever a client can send is the balancer's to
    /// judge.
    pub fn of(method: &str, url: &str) -> Result<Self, Complaint> {
        let (secure, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, _)) if !scheme.contains(['/', '?']) => {
                let instead = "write http:// or https://";
                return Err(Complaint::new("an unknown scheme", url, instead));
            }
            _ => (false, url),
        };
        // A fragment is the client's alone, RFC 9110 section 4.2.5.
        let rest = rest.split('#').next().unwrap_or_default();
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = match path {
            query if !query.starts_with('/') => format!("/{query}"),
            path => path.to_owned(),
        };
        let question = Self {
            method: method.to_owned(),
            secure,
            host: host.to_owned(),
            path,
            ..Self::default()
        };
        question.check()?;
        Ok(question)
    }

    /// Whether a client could send that.
    ///
    /// # Errors
    /// For what would be more than one line, and for a port that is none.
    pub fn check(&self) -> Result<(), Complaint> {
        for (what, text) in [
            ("a method", &self.method),
            ("a host", &self.host),
            ("a path", &self.path),
        ] {
            if text.is_empty() || text.contains(char::is_control) {
                let what = format!("not {what}");
                let instead = "write METHOD URL, like GET http://example.com/a";
                return Err(Complaint::new(what, text, instead));
            }
        }
        if self.named_port() == Some(None) {
            let instead = "write a number up to 65535 behind the colon, or none";
            return Err(Complaint::new("not a port", &self.host, instead));
        }
        Ok(())
    }

    /// The port that it goes to.
    pub(super) fn port(&self) -> u16 {
        let usual = if self.secure { 443 } else { 80 };
        self.named_port().flatten().unwrap_or(usual)
    }

    /// What stands behind the colon of the host, if one is there.
    fn named_port(&self) -> Option<Option<u16>> {
        let (_, after) = self.host.rsplit_once(']').unwrap_or(("", &self.host));
        let (_, port) = after.rsplit_once(':')?;
        Some(port.parse().ok())
    }

    /// The head of the request, with these whole lines behind its Host.
    pub(super) fn head(&self, lines: &str) -> String {
        let Self {
            method, path, host, ..
        } = self;
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")
    }

    /// What a listener thinks of it.
    pub(super) fn judge(&self, listener: &Listener) -> Result<(), Reject> {
        let text = self.head("");
        let mut scan = HeadScan::request();
        let end = scan.find(text.as_bytes(), listener.limits.request_head)?;
        let whole = end.is_some_and(|end| end == text.len());
        if !whole {
            let reason = Reason::HeadTooLarge;
            let status = reason.status();
            return Err(Reject { status, reason });
        }
        head::request(text.as_bytes()).map(|_| ())
    }

    /// Whether sending it twice means the same as once.
    pub(super) fn is_idempotent(&self) -> bool {
        head::request(self.head("").as_bytes()).is_ok_and(|head| head.method.is_idempotent())
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "method": self.method,
            "scheme": if self.secure { "https" } else { "http" },
            "host": self.host,
            "port": self.port(),
            "path": self.path,
            "client": self.client.to_string(),
        })
    }
}
