//! Requests as a test server needs them: where one ends, whether the connection goes on, and the
//! body if it is to be echoed. Pure; garbage is answered with a status, never with a panic.
//!
//! This is not the parser of the balancer, which is stricter by duty: a server that shares its
//! parser with the balancer under test would agree with it in every mistake.

use crate::limits;

/// One request, its body included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// The answer has no body.
    pub(super) is_head: bool,
    /// What happens after the answer.
    pub(super) after: After,
    /// What is asked for.
    pub(super) target: Target,
    /// The body, if it goes back as it came.
    pub(super) echo: Option<Vec<u8>>,
}

/// What happens to the connection after the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    /// It goes on, as HTTP/1.1 connections do.
    #[default]
    Stays,
    /// It goes on because an HTTP/1.0 client asked for it.
    StaysAsAsked,
    /// It ends.
    Closes,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// The usual body.
    #[default]
    Usual,
    /// `/say/WORD`: the line with that word in it.
    Say(String),
}

/// What a reader says of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// More are needed.
    More,
    /// The client waits for `100 Continue` before it sends the body.
    Continue,
    /// A whole request.
    Whole(Request),
    /// No request: answer with this status and close.
    Broken(u16),
}

/// Finds requests in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    part: Part,
    request: Request,
}

/// Which part of a request comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    Fixed(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    None,
    Fixed(u64),
    Chunked,
}

/// What the fields of a head come to.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    length: Length,
    connection: Option<After>,
    expects_continue: bool,
}

impl Reader {
    /// Reads on in `bytes`, which start where the last call stopped. Answers how many of them
    /// are used up and what they came to.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> (usize, Outcome) {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let (step, outcome) = self.step(rest);
            used += step;
            match outcome {
                Some(outcome) => return (used, outcome),
                None if step == 0 && used == bytes.len() => return (used, Outcome::More),
                None => {}
            }
        }
    }

    /// One part, or a piece of one: bytes used, and an outcome if this is the place to stop.
    fn step(&mut self, rest: &[u8]) -> (usize, Option<Outcome>) {
        match self.part {
            Part::Head => self.head(rest),
            Part::Fixed(0) => (0, Some(self.whole())),
            Part::Fixed(left) => self.data(rest, left, Part::Fixed),
            Part::ChunkData(0) => {
                self.part = Part::ChunkEnd;
                (0, (rest.is_empty()).then_some(Outcome::More))
            }
            Part::ChunkData(left) => self.data(rest, left, Part::ChunkData),
            Part::ChunkSize | Part::ChunkEnd | Part::Trailer => self.line(rest),
        }
    }

    fn data(
        &mut self,
        rest: &[u8],
        left: u64,
        part: impl FnOnce(u64) -> Part,
    ) -> (usize, Option<Outcome>) {
        let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        if let Some(echo) = &mut self.request.echo {
            if echo.len() + taken > ECHO_BYTES_MAX {
                return (0, Some(Outcome::Broken(413)));
            }
            echo.extend_from_slice(rest.get(..taken).unwrap_or_default());
        }
        self.part = part(left - taken as u64);
        (taken, (taken == 0).then_some(Outcome::More))
    }

    /// A line of the chunked coding (RFC 9112 section 7.1).
    fn line(&mut self, rest: &[u8]) -> (usize, Option<Outcome>) {
        let Some(length) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            let outcome = if rest.len() > limits::TRAILER_BYTES_MAX {
                Outcome::Broken(400)
            } else {
                Outcome::More
            };
            return (0, Some(outcome));
        };
        let line = rest.get(..length).unwrap_or_default();
        self.part = match self.part {
            Part::ChunkEnd if line.is_empty() => Part::ChunkSize,
            Part::Trailer if line.is_empty() => Part::Fixed(0),
            Part::Trailer => Part::Trailer,
            Part::ChunkSize => match chunk_size(line) {
                Some(0) => Part::Trailer,
                Some(size) => Part::ChunkData(size),
                None => return (0, Some(Outcome::Broken(400))),
            },
            Part::Head | Part::Fixed(_) | Part::ChunkData(_) | Part::ChunkEnd => {
                return (0, Some(Outcome::Broken(400)));
            }
        };
        (length + 2, None)
    }

    fn head(&mut self, rest: &[u8]) -> (usize, Option<Outcome>) {
        // An empty line before a request is let pass, RFC 9112 section 2.2.
        if rest.starts_with(b"\r\n") {
            return (2, None);
        }
        let Some(length) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            let outcome = if rest.len() > limits::HEAD_BYTES_MAX {
                Outcome::Broken(431)
            } else {
                Outcome::More
            };
            return (0, Some(outcome));
        };
        let head = std::str::from_utf8(rest.get(..length).unwrap_or_default());
        let fields = match head.map_err(|_| 400).and_then(|head| self.parse(head)) {
            Ok(fields) => fields,
            Err(status) => return (0, Some(Outcome::Broken(status))),
        };
        self.part = match fields.length {
            Length::None => Part::Fixed(0),
            Length::Fixed(length) => Part::Fixed(length),
            Length::Chunked => Part::ChunkSize,
        };
        let waits = fields.expects_continue && self.part != Part::Fixed(0);
        (length + 4, waits.then_some(Outcome::Continue))
    }

    /// Reads a head, its empty line cut off, or says with which status to refuse it.
    fn parse(&mut self, head: &str) -> Result<Fields, u16> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(400);
        };
        let after = match version {
            "HTTP/1.1" => After::Stays,
            "HTTP/1.0" => After::Closes,
            other if other.starts_with("HTTP/") => return Err(505),
            _ => return Err(400),
        };
        let fields = Fields::parse(lines)?;
        self.request = Request {
            is_head: method == "HEAD",
            after: match (after, fields.connection) {
                (_, Some(After::Closes)) => After::Closes,
                (After::Closes, Some(_)) => After::StaysAsAsked,
                (after, _) => after,
            },
            target: match target.strip_prefix("/say/") {
                Some(word) => Target::Say(word.to_owned()),
                None => Target::Usual,
            },
            echo: (target == "/echo" && method != "HEAD").then(Vec::new),
        };
        Ok(fields)
    }

    fn whole(&mut self) -> Outcome {
        self.part = Part::Head;
        Outcome::Whole(std::mem::take(&mut self.request))
    }
}

impl Fields {
    fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self, u16> {
        let mut fields = Self::default();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(400_u16)?;
            let value = value.trim_matches([' ', '\t']);
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("content-length") {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let length = value.parse().ok().filter(|_| digits).ok_or(400_u16)?;
                if fields.length != Length::None {
                    return Err(400);
                }
                fields.length = Length::Fixed(length);
            } else if is("transfer-encoding") {
                if fields.length != Length::None {
                    return Err(400);
                }
                if !value.eq_ignore_ascii_case("chunked") {
                    return Err(501);
                }
                fields.length = Length::Chunked;
            } else if is("connection") {
                for option in value.split(',') {
                    let option = option.trim_matches([' ', '\t']);
                    if option.eq_ignore_ascii_case("close") {
                        fields.connection = Some(After::Closes);
                    } else if option.eq_ignore_ascii_case("keep-alive") {
                        fields.connection = fields.connection.or(Some(After::Stays));
                    }
                }
            } else if is("expect") {
                fields.expects_continue = value.eq_ignore_ascii_case("100-continue");
            }
        }
        Ok(fields)
    }
}

/// The number of a chunk-size line, extensions ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    let digits = line.split(';').next()?.trim_end_matches([' ', '\t']);
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
}

/// Bytes of a body that is echoed.
const ECHO_BYTES_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// Everything that `bytes` come to, given in pieces that end at `cuts`.
    fn outcomes(bytes: &[u8], mut next: impl FnMut(usize) -> usize) -> Vec<Outcome> {
        let mut reader = Reader::default();
        let mut held: Vec<u8> = Vec::new();
        let mut given = 0;
        let mut seen = Vec::new();
        loop {
            let (used, outcome) = reader.advance(&held);
            held.drain(..used);
            match outcome {
                Outcome::More if given == bytes.len() => return seen,
                Outcome::More => {
                    let count = next(bytes.len() - given);
                    held.extend_from_slice(&bytes[given..given + count]);
                    given += count;
                }
                Outcome::Broken(_) => {
                    seen.push(outcome);
                    return seen;
                }
                Outcome::Continue | Outcome::Whole(_) => seen.push(outcome),
            }
        }
    }

    fn echo(body: &str) -> Outcome {
        Outcome::Whole(Request {
            echo: Some(body.as_bytes().to_vec()),
            ..Request::default()
        })
    }

    fn plain(is_head: bool, after: After) -> Outcome {
        Outcome::Whole(Request {
            is_head,
            after,
            ..Request::default()
        })
    }

    #[test]
    fn requests_and_what_they_come_to() {
        let table: [(&str, Vec<Outcome>); 12] = [
            ("GET / HTTP/1.1\r\n\r\n", vec![plain(false, After::Stays)]),
            (
                "\r\nHEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
                vec![plain(true, After::Stays)],
            ),
            ("GET / HTTP/1.0\r\n\r\n", vec![plain(false, After::Closes)]),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                vec![plain(false, After::StaysAsAsked)],
            ),
            (
                "GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n",
                vec![plain(false, After::Closes)],
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
                vec![plain(false, After::Stays), plain(false, After::Stays)],
            ),
            (
                "POST /echo HTTP/1.1\r\ncontent-length:3\r\n\r\nabc",
                vec![echo("abc")],
            ),
            (
                "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3;x=y\r\nabc\r\nA \r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
                vec![echo("abc0123456789")],
            ),
            (
                "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
                vec![Outcome::Continue, echo("x")],
            ),
            ("POST /echo HTTP/1.1\r\n\r\n", vec![echo("")]),
            (
                "GET /say/hi HTTP/1.1\r\n\r\n",
                vec![Outcome::Whole(Request {
                    target: Target::Say("hi".to_owned()),
                    ..Request::default()
                })],
            ),
            ("GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", vec![]),
        ];
        for (text, expected) in table {
            let whole = outcomes(text.as_bytes(), |left| left);
            assert_eq!(whole, expected, "{text:?}");
            assert_eq!(
                outcomes(text.as_bytes(), |_| 1),
                expected,
                "{text:?} bytewise"
            );
        }
    }

    #[test]
    fn what_is_no_request_gets_a_status() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let long = format!("GET /{} HTTP/1.1", "x".repeat(limits::HEAD_BYTES_MAX));
        let table = [
            ("GET /\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1 x\r\n\r\n".to_owned(), 400),
            ("GET / FTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/2.0\r\n\r\n".to_owned(), 505),
            ("GET / HTTP/1.1\r\nx\r\n\r\n".to_owned(), 400),
            (
                "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n".to_owned(),
                400,
            ),
            ("GET / HTTP/1.1\r\nContent-Length:\r\n\r\n".to_owned(), 400),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".to_owned(),
                400,
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
                501,
            ),
            (format!("{chunked}x\r\n"), 400),
            (format!("{chunked}\r\n"), 400),
            (format!("{chunked}-1\r\n"), 400),
            (format!("{chunked}11111111111111111\r\n"), 400),
            (format!("{chunked}1\r\nab\r\n"), 400),
            (
                format!("{chunked}{}", "1".repeat(limits::TRAILER_BYTES_MAX + 1)),
                400,
            ),
            (long, 431),
        ];
        for (text, status) in table {
            let expected = [Outcome::Broken(status)];
            assert_eq!(outcomes(text.as_bytes(), |left| left), expected, "{text:?}");
        }
    }

    const NOISE: &[u8] = b"\r\n\0 :;0aGZ/\xff";

    #[test]
    fn noise_ends_in_a_status_or_in_waiting() {
        let seed =
            b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let mut random = Random::new(11);
        let mut below = |count: usize| usize::try_from(random.below(count as u64)).unwrap();
        let mut broken = 0;
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..3 {
                let at = below(bytes.len());
                bytes[at] = NOISE[below(NOISE.len())];
            }
            let seen = outcomes(&bytes, |left| 1 + below(left));
            broken += usize::from(matches!(seen.last(), Some(Outcome::Broken(_))));
        }
        assert!(broken > 1_000, "{broken}");
    }
}
