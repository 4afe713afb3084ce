//! A whole request to the admin interface, taken apart as far as routes need it.

use super::access::Visitor;
use crate::http::head;
use crate::http::head::Method;
use crate::http::head::RequestHead;

/// A whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As received.
    pub method: Method,
    /// The path, still escaped.
    pub path: String,
    /// What is behind the `?`, still escaped; empty if there is none.
    pub query: String,
    /// What the body is said to be, in lower case and without parameters.
    pub media: String,
    /// Who asks.
    pub visitor: Visitor,
    /// The body, at most [`super::BODY_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: Method::Other,
            path: String::new(),
            query: String::new(),
            media: String::new(),
            visitor: Visitor::Stranger,
            body: Vec::new(),
        }
    }
}

impl Request {
    /// With an empty body, for `visitor`. `bytes` is what `head` was made from.
    #[must_use]
    pub fn new(head: &RequestHead, bytes: &[u8], visitor: Visitor) -> Self {
        let target = String::from_utf8_lossy(head.target(bytes).rest).into_owned();
        let media = head::fields(bytes, "content-type").next();
        let media = String::from_utf8_lossy(media.unwrap_or_default()).to_ascii_lowercase();
        Self {
            method: head.method,
            path: String::from_utf8_lossy(head.path(bytes)).into_owned(),
            query: target
                .split_once('?')
                .map_or_else(String::new, |(_, query)| query.to_owned()),
            media: media
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            visitor,
            body: Vec::new(),
        }
    }

    /// The parts of the path between its slashes, unescaped; `None` if an escape is malformed.
    #[must_use]
    pub fn segments(&self) -> Option<Vec<String>> {
        let path = self.path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Vec::new());
        }
        path.split('/').map(unescaped).collect()
    }

    /// Names and values of the query, unescaped; `None` if an escape is malformed.
    #[must_use]
    pub fn parameters(&self) -> Option<Vec<(String, String)>> {
        let pieces = self.query.split('&').filter(|piece| !piece.is_empty());
        pieces
            .map(|piece| {
                let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
                Some((unescaped(name)?, unescaped(value)?))
            })
            .collect()
    }
}

/// RFC 3986 section 2.1.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        let table = [
            ("a%2Fb", Some("a/b")),
            ("%25%32%35", Some("%25")),
            ("a:1", Some("a:1")),
            ("%", None),
            ("%4", None),
            ("%+1", None),
            ("%ff", None),
        ];
        for (text, expected) in table {
            assert_eq!(unescaped(text).as_deref(), expected, "{text}");
        }
    }
}
