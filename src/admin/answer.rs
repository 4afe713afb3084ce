//! Answers of the admin interface, and problems in the form of RFC 9457.

use serde_json::Value;
use serde_json::json;

/// One answer, before it is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    media: &'static str,
    body: Vec<u8>,
    /// Whole fields beside those that every answer has.
    fields: Vec<(&'static str, String)>,
}

impl Answer {
    /// A document of that media type.
    #[must_use]
    pub fn new(status: u16, media: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            media,
            body: body.into(),
            fields: Vec::new(),
        }
    }

    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        let mut body = value.to_string();
        body.push('\n');
        Self::new(status, "application/json", body)
    }

    /// A line of text.
    #[must_use]
    pub fn text(status: u16, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    /// 204: done, and there is nothing to show.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(204, "", "")
    }

    /// What went wrong, for a program and for a person.
    #[must_use]
    pub fn problem(status: u16, detail: &str) -> Self {
        let value = json!({
            "type": "about:blank",
            "title": phrase(status),
            "status": status,
            "detail": detail,
        });
        Self::new(status, "application/problem+json", format!("{value}\n"))
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Writes it, RFC 9112: the head alone if that was asked for.
    pub(super) fn write(&self, out: &mut Vec<u8>, persistent: bool, head_only: bool) {
        let (status, title) = (self.status, phrase(self.status));
        let mut head = format!("HTTP/1.1 {status} {title}\r\n");
        if status != 204 {
            let (media, length) = (self.media, self.body.len());
            head += &format!("Content-Type: {media}\r\nContent-Length: {length}\r\n");
        }
        // What it says is true now, and not for other sites to read.
        head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        if !persistent {
            head += "Connection: close\r\n";
        }
        head += "\r\n";
        out.extend_from_slice(head.as_bytes());
        if !head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
