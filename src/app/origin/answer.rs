//! What an origin answers: heads and bodies as bytes. Pure.

use super::options::Options;
use super::request::After;
use super::request::Request;
use super::request::Target;

/// The answers of one origin.
#[derive(Debug)]
pub(super) struct Answers {
    options: Options,
    /// The usual answer as it goes out, if it is short: head and body.
    usual: Option<Vec<u8>>,
}

impl Answers {
    pub(super) fn new(options: Options) -> Self {
        let mut answers = Self {
            options,
            usual: None,
        };
        let mut usual = Vec::new();
        if answers.append(&Request::default(), &mut usual).1 == 0 {
            answers.usual = Some(usual);
        }
        answers
    }

    /// Appends the answer to `request`. Answers which piece of the pattern is still missing of its
    /// body: from where and how long.
    pub(super) fn append(&self, request: &Request, output: &mut Vec<u8>) -> (u64, u64) {
        if let Some(usual) = &self.usual
            && *request == Request::default()
        {
            output.extend_from_slice(usual);
            return (0, 0);
        }
        let name = &self.options.name;
        let line;
        let (body, length): (&[u8], u64) = match (&request.echo, self.options.size) {
            (Some(echo), _) => (echo, echo.len() as u64),
            (None, Some(size)) => {
                let first = usize::try_from(size).map_or(FIRST_BYTES, |size| size.min(FIRST_BYTES));
                (PATTERN.get(..first).unwrap_or_default(), size)
            }
            (None, None) => {
                line = match &request.target {
                    Target::Usual => format!("hello from {name}\n"),
                    Target::Say(word) => format!("hello from {name}, {word}\n"),
                };
                (line.as_bytes(), line.len() as u64)
            }
        };
        self.head(request, length, output);
        if request.is_head || !has_body(self.options.status) {
            return (0, 0);
        }
        output.extend_from_slice(body);
        (body.len() as u64, length - body.len() as u64)
    }

    fn head(&self, request: &Request, length: u64, output: &mut Vec<u8>) {
        let status = self.options.status;
        push(output, &format!("HTTP/1.1 {status} {}\r\n", reason(status)));
        if has_body(status) {
            push(output, "Content-Type: text/plain\r\n");
            push(output, &format!("Content-Length: {length}\r\n"));
        }
        push(output, &format!("X-Origin: {}\r\n", self.options.name));
        push(
            output,
            match request.after {
                After::Stays => "\r\n",
                After::StaysAsAsked => "Connection: keep-alive\r\n\r\n",
                After::Closes => "Connection: close\r\n\r\n",
            },
        );
    }
}

/// The pattern from `offset` on, as much of it as is at hand at once.
pub(super) fn pattern(offset: u64) -> &'static [u8] {
    let start = usize::try_from(offset % LINE.len() as u64).unwrap_or(0);
    PATTERN.get(start..).unwrap_or_default()
}

/// The answer to what is no request; the connection ends after it.
pub(super) fn refusal(status: u16, output: &mut Vec<u8>) {
    push(output, &format!("HTTP/1.1 {status} {}\r\n", reason(status)));
    push(output, "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

fn push(output: &mut Vec<u8>, text: &str) {
    output.extend_from_slice(text.as_bytes());
}

/// RFC 9110 sections 15.3.5 and 15.4.5.
const fn has_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Whatever",
    }
}

/// Bytes of a large body that go out together with its head.
const FIRST_BYTES: usize = 16 * 1024;

/// What large bodies repeat: a reader sees at once where one was cut or shifted.
const LINE: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";

/// The line, often enough that one write moves a lot of it.
static PATTERN: [u8; 64 * 1024] = {
    let mut pattern = [0; 64 * 1024];
    let mut at = 0;
    while at < pattern.len() {
        pattern[at] = LINE[at % LINE.len()];
        at += 1;
    }
    pattern
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text(options: Options, request: &Request) -> (String, u64) {
        let mut output = Vec::new();
        let missing = Answers::new(options).append(request, &mut output).1;
        (String::from_utf8(output).unwrap(), missing)
    }

    #[test]
    fn answers_byte_for_byte() {
        let named = || Options {
            name: "A".to_owned(),
            ..Options::default()
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ";
        assert_eq!(
            text(named(), &Request::default()),
            (format!("{head}13\r\nX-Origin: A\r\n\r\nhello from A\n"), 0)
        );
        let request = Request {
            is_head: true,
            after: After::StaysAsAsked,
            ..Request::default()
        };
        assert_eq!(
            text(named(), &request),
            (
                format!("{head}13\r\nX-Origin: A\r\nConnection: keep-alive\r\n\r\n"),
                0
            )
        );
        let request = Request {
            target: Target::Say("4711".to_owned()),
            after: After::Closes,
            ..Request::default()
        };
        assert_eq!(
            text(named(), &request).0,
            format!("{head}19\r\nX-Origin: A\r\nConnection: close\r\n\r\nhello from A, 4711\n")
        );
        let empty = Options {
            status: 204,
            ..named()
        };
        let none = "HTTP/1.1 204 No Content\r\nX-Origin: A\r\n\r\n";
        assert_eq!(text(empty, &Request::default()).0, none);
    }

    #[test]
    fn a_large_body_comes_in_pieces_of_one_pattern() {
        let options = Options {
            size: Some(100_000),
            ..Options::default()
        };
        let (first, missing) = text(options, &Request::default());
        assert_eq!(missing, 100_000 - FIRST_BYTES as u64);
        assert!(first.ends_with("XYZ-\n"));
        assert!(pattern(100_000 - missing).starts_with(b"0123"));
        assert!(pattern(63).starts_with(b"\n0123"));
        assert!(pattern(u64::MAX).starts_with(b"\n0123"));
    }
}
