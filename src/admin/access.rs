//! Who may use the admin interface: checked for every request, before its body is read.
//!
//! A page in a browser on the same machine can send requests to a loopback address. What it cannot
//! do is lie about the Host it thinks it speaks to, or about its own Origin; so both have to be
//! ours. Beyond loopback a token is needed besides.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::answer::Answer;
use crate::http::head;
use crate::http::head::Method;
use crate::http::head::RequestHead;

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody who may see and do everything.
    Known,
    /// Somebody without the token, who gets the page that asks for it, and nothing else.
    #[default]
    Stranger,
}

/// Who may use the admin interface.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where it listens; `None` for a socket in the file system, whose file says who may connect.
    address: Option<SocketAddr>,
    token: Option<String>,
}

impl Access {
    /// For an interface at that address, for whoever brings the token, if there is one.
    #[must_use]
    pub const fn new(address: Option<SocketAddr>, token: Option<String>) -> Self {
        Self { address, token }
    }

    /// At the same address, for whoever brings this token.
    #[must_use]
    pub const fn with_token(&self, token: Option<String>) -> Self {
        Self::new(self.address, token)
    }

    /// The token that is needed.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether a request may go on, and for whom. `bytes` is what `head` was made from.
    ///
    /// # Errors
    /// The answer that it gets instead.
    pub(super) fn admit(&self, head: &RequestHead, bytes: &[u8]) -> Result<Visitor, Answer> {
        let host = String::from_utf8_lossy(head.host(bytes)).to_ascii_lowercase();
        if !host.is_empty() && !self.is_ours(&host) {
            let detail = format!(
                "{host:?} is not the name of the admin interface; use its address, or localhost"
            );
            return Err(Answer::problem(403, &detail));
        }
        for origin in head::fields(bytes, "origin") {
            let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
            let own = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            if own.is_none_or(|own| own != host) {
                return Err(Answer::problem(
                    403,
                    "a page of another origin may not do that",
                ));
            }
        }
        match self.check_token(bytes) {
            Ok(()) => Ok(Visitor::Known),
            // A browser that is sent to an address brings no token along.
            Err(_) if is_page(head, bytes) => Ok(Visitor::Stranger),
            Err(answer) => Err(answer),
        }
    }

    fn check_token(&self, bytes: &[u8]) -> Result<(), Answer> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let mut given = head::fields(bytes, "authorization");
        let bearer = given.next().and_then(|value| {
            let (scheme, rest) = value.split_at_checked(7)?;
            scheme
                .eq_ignore_ascii_case(b"bearer ")
                .then(|| rest.trim_ascii())
        });
        match (bearer, given.next()) {
            (Some(given), None) if is_same(given, token.as_bytes()) => Ok(()),
            _ => {
                let detail = "a token is needed: Authorization: Bearer …";
                Err(Answer::problem(401, detail).with("WWW-Authenticate", "Bearer"))
            }
        }
    }

    /// Whether `host`, in lower case and with its port, if it has one, is this interface.
    fn is_ours(&self, host: &str) -> bool {
        let Some(address) = self.address else {
            return true;
        };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        if name == "localhost" {
            return true;
        }
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        let Ok(ip) = bare.parse::<IpAddr>() else {
            return false;
        };
        // Whoever listens everywhere has many addresses. A name could be made to point here, an
        // address cannot.
        ip.is_loopback() || ip == address.ip() || address.ip().is_unspecified()
    }
}

fn is_page(head: &RequestHead, bytes: &[u8]) -> bool {
    matches!(head.method, Method::Get | Method::Head) && head.path(bytes) == b"/"
}

/// Compares in a time that tells nothing of where the two differ.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let mut differ = given.len() ^ token.len();
    for (at, byte) in token.iter().enumerate() {
        let other = given.get(at).copied().unwrap_or(!byte);
        differ |= usize::from(byte ^ other);
    }
    std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(access: &Access, fields: &str) -> u16 {
        let bytes = format!("GET /metrics HTTP/1.1\r\n{fields}\r\n");
        let head = head::request(bytes.as_bytes()).unwrap();
        access
            .admit(&head, bytes.as_bytes())
            .map_or_else(|answer| answer.status, |_| 200)
    }

    #[test]
    fn host_and_origin_have_to_be_ours() {
        let local = Access::new(Some(SocketAddr::from(([127, 0, 0, 1], 9900))), None);
        for (fields, status) in [
            ("Host: 127.0.0.1:9900\r\n", 200),
            ("Host: localhost:1\r\n", 200),
            ("Host: LOCALHOST\r\n", 200),
            ("Host: [::1]:9900\r\n", 200),
            ("Host: evil.example\r\n", 403),
            ("Host: evil.example:9900\r\n", 403),
            ("Host: localhost.evil.example\r\n", 403),
            ("Host: 10.0.0.1\r\n", 403),
            (
                "Host: localhost:9900\r\nOrigin: http://localhost:9900\r\n",
                200,
            ),
            (
                "Host: localhost:9900\r\nOrigin: http://localhost:80\r\n",
                403,
            ),
            (
                "Host: localhost:9900\r\nOrigin: http://evil.example\r\n",
                403,
            ),
            ("Host: localhost:9900\r\nOrigin: null\r\n", 403),
            (
                "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://e\r\n",
                403,
            ),
        ] {
            assert_eq!(verdict(&local, fields), status, "{fields}");
        }
    }

    #[test]
    fn an_address_is_accepted_where_every_address_is_listened_on() {
        let open = Access::new(Some(SocketAddr::from(([0, 0, 0, 0], 9900))), None);
        assert_eq!(verdict(&open, "Host: 10.1.2.3:9900\r\n"), 200);
        assert_eq!(verdict(&open, "Host: evil.example\r\n"), 403);
        let unix = Access::new(None, None);
        assert_eq!(verdict(&unix, "Host: whatever\r\n"), 200);
    }

    #[test]
    fn a_stranger_gets_the_page_that_asks_for_the_token_and_nothing_else() {
        let access = Access::new(None, Some("secret".to_owned()));
        for (line, token, expected) in [
            ("GET / HTTP/1.1", "", Ok(Visitor::Stranger)),
            ("HEAD /?x HTTP/1.1", "", Ok(Visitor::Stranger)),
            ("GET / HTTP/1.1", "wrong", Ok(Visitor::Stranger)),
            ("GET / HTTP/1.1", "secret", Ok(Visitor::Known)),
            ("POST / HTTP/1.1", "", Err(401)),
            ("GET // HTTP/1.1", "", Err(401)),
            ("GET /events HTTP/1.1", "", Err(401)),
            ("GET /%2f HTTP/1.1", "", Err(401)),
        ] {
            let bytes =
                format!("{line}\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
            let head = head::request(bytes.as_bytes()).unwrap();
            let verdict = access.admit(&head, bytes.as_bytes());
            assert_eq!(verdict.map_err(|answer| answer.status), expected, "{line}");
        }
    }

    #[test]
    fn a_token_is_asked_for_and_compared_whole() {
        let access = Access::new(None, Some("secret".to_owned()));
        for (given, status) in [
            ("", 401),
            ("Authorization: Bearer secret\r\n", 200),
            ("Authorization: bearer  secret\r\n", 200),
            ("Authorization: Bearer secre\r\n", 401),
            ("Authorization: Bearer secrets\r\n", 401),
            ("Authorization: Bearer Secret\r\n", 401),
            ("Authorization: Bearer \r\n", 401),
            ("Authorization: Basic secret\r\n", 401),
            (
                "Authorization: Bearer secret\r\nAuthorization: Bearer x\r\n",
                401,
            ),
        ] {
            let fields = format!("Host: localhost\r\n{given}");
            assert_eq!(verdict(&access, &fields), status, "{given}");
        }
    }
}
