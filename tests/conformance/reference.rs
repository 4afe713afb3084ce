//! A second reader of HTTP/1.1, from the grammar of RFC 9112 alone: slow, obvious, byte at a time.
//!
//! It shares no code with the program, so that what both read alike is not one mistake made once.
//! [`Reader::Strict`] holds to the grammar. The other three are the servers that one meets: each
//! lenient in the way that has let requests be smuggled. What tidegate writes must mean the same
//! to all four.

/// How a reader decides what is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// What the grammar leaves open is refused.
    Strict,
    /// A line ends at LF, a CR before it or not.
    BareLf,
    /// Content-Length wins over Transfer-Encoding; the first one counts, up to its last digit.
    LengthFirst,
    /// The last Transfer-Encoding wins over everything, if `chunked` is anywhere in it.
    LastCoding,
}

/// The lenient ones.
pub(crate) const LENIENT: [Reader; 3] = [Reader::BareLf, Reader::LengthFirst, Reader::LastCoding];

/// A name and a value, without the blanks around it.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// A message: start line in words, fields in order with names in lower case, body without framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Method, target and version; or version, status and phrase.
    pub(crate) start: [Vec<u8>; 3],
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
}

/// What became of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// More bytes are needed.
    Short,
    /// No message, for this reason.
    Wrong(&'static str),
}

impl Message {
    /// Values of all fields of this name, in lower case.
    pub(crate) fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let named = self.fields.iter().filter(move |field| field.0 == name);
        named.map(|field| field.1.as_slice())
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        let digits = std::str::from_utf8(&self.start[1]).unwrap_or_default();
        digits.parse().unwrap_or_default()
    }
}

/// All requests that `bytes` hold, one behind the other, and what stopped the reading: `None` if
/// nothing is left.
pub(crate) fn requests(reader: Reader, bytes: &[u8]) -> (Vec<Message>, Option<Stop>) {
    let mut walk = Walk {
        reader,
        bytes,
        at: 0,
    };
    let mut found = Vec::new();
    while walk.at < bytes.len() {
        match walk.request() {
            Ok(message) => found.push(message),
            Err(stop) => return (found, Some(stop)),
        }
    }
    (found, None)
}

/// The request that `bytes` begin with and its length.
pub(crate) fn request(reader: Reader, bytes: &[u8]) -> Result<(Message, usize), Stop> {
    let mut walk = Walk {
        reader,
        bytes,
        at: 0,
    };
    let message = walk.request()?;
    Ok((message, walk.at))
}

/// Length of the head that `bytes` begin with, if it is whole.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    let ends = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    ends.map(|at| at + 4)
}

/// The response that `bytes` begin with and its length, given the method that it answers and
/// whether the connection was closed behind `bytes`.
pub(crate) fn response(
    bytes: &[u8],
    method: &[u8],
    closed: bool,
) -> Result<(Message, usize), Stop> {
    let mut walk = Walk {
        reader: Reader::Strict,
        bytes,
        at: 0,
    };
    let message = walk.response(method, closed)?;
    Ok((message, walk.at))
}

/// A place in the bytes.
struct Walk<'a> {
    reader: Reader,
    bytes: &'a [u8],
    at: usize,
}

enum Body {
    None,
    Length(u64),
    Chunks,
    UntilClose,
}

impl Walk<'_> {
    fn next(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, Stop> {
        let mut line = Vec::new();
        loop {
            match self.next()? {
                b'\n' if self.reader == Reader::BareLf => {
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                    return Ok(line);
                }
                b'\n' => return Err(Stop::Wrong("LF without CR")),
                b'\r' if self.reader != Reader::BareLf => match self.next()? {
                    b'\n' => return Ok(line),
                    _ => return Err(Stop::Wrong("CR without LF")),
                },
                byte => line.push(byte),
            }
        }
    }

    fn request(&mut self) -> Result<Message, Stop> {
        let mut line = self.line()?;
        if line.is_empty() {
            // RFC 9112 section 2.2.
            line = self.line()?;
        }
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let [method, target, version] = words.as_slice() else {
            return Err(Stop::Wrong("not three words"));
        };
        let visible = target.iter().all(|byte| (0x21..=0x7e).contains(byte));
        if !is_token(method) || target.is_empty() || !visible || !is_version(version) {
            return Err(Stop::Wrong("request line"));
        }
        let start = [method.to_vec(), target.to_vec(), version.to_vec()];
        let fields = self.fields()?;
        let body = match self.framing(&fields)? {
            Body::UntilClose => Body::None,
            body @ (Body::None | Body::Length(_) | Body::Chunks) => body,
        };
        let (body, trailers) = self.body(body)?;
        Ok(Message {
            start,
            fields,
            body,
            trailers,
        })
    }

    fn response(&mut self, method: &[u8], closed: bool) -> Result<Message, Stop> {
        let line = self.line()?;
        let words: Vec<&[u8]> = line.splitn(3, |byte| *byte == b' ').collect();
        let (version, code, phrase) = match words.as_slice() {
            [version, code] => (*version, *code, b"".as_slice()),
            [version, code, phrase] => (*version, *code, *phrase),
            _ => return Err(Stop::Wrong("status line")),
        };
        let digits = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
        if !is_version(version) || !digits || !(b'1'..=b'5').contains(&code[0]) {
            return Err(Stop::Wrong("status line"));
        }
        let start = [version.to_vec(), code.to_vec(), phrase.to_vec()];
        let fields = self.fields()?;
        let framing = self.framing(&fields)?;
        let bodiless = code[0] == b'1' || code == b"204" || code == b"304" || method == b"HEAD";
        let framing = if bodiless { Body::None } else { framing };
        if matches!(framing, Body::UntilClose) && !closed {
            return Err(Stop::Short);
        }
        let (body, trailers) = self.body(framing)?;
        Ok(Message {
            start,
            fields,
            body,
            trailers,
        })
    }

    fn fields(&mut self) -> Result<Vec<Field>, Stop> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let Some(colon) = colon else {
                return Err(Stop::Wrong("no colon"));
            };
            let (mut name, value) = (&line[..colon], &line[colon + 1..]);
            if self.reader != Reader::Strict {
                name = name.trim_ascii();
            }
            let plain = |byte: &u8| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f);
            if !is_token(name) || !value.iter().all(plain) {
                return Err(Stop::Wrong("field line"));
            }
            let value = trimmed(value, Reader::Strict);
            fields.push((name.to_ascii_lowercase(), value.to_vec()));
        }
    }

    /// RFC 9112 section 6.3; `UntilClose` means neither field.
    fn framing(&self, fields: &[Field]) -> Result<Body, Stop> {
        let values = |name: &[u8]| -> Vec<&[u8]> {
            let named = fields.iter().filter(|field| field.0 == name);
            named.map(|field| trimmed(&field.1, self.reader)).collect()
        };
        let lengths = values(b"content-length");
        let codings = values(b"transfer-encoding");
        let chunked = |value: &&[u8]| contains(&value.to_ascii_lowercase(), b"chunked");
        match self.reader {
            Reader::Strict => match (lengths.as_slice(), codings.as_slice()) {
                ([], []) => Ok(Body::UntilClose),
                ([length], []) => {
                    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
                    let number = number(length).filter(|_| digits);
                    number
                        .map(Body::Length)
                        .ok_or(Stop::Wrong("Content-Length"))
                }
                ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunks),
                _ => Err(Stop::Wrong("framing fields")),
            },
            Reader::LengthFirst | Reader::BareLf if !lengths.is_empty() => number(lengths[0])
                .map(Body::Length)
                .ok_or(Stop::Wrong("Content-Length")),
            Reader::BareLf | Reader::LengthFirst | Reader::LastCoding => {
                if codings.last().is_some_and(chunked) {
                    Ok(Body::Chunks)
                } else if let Some(length) = lengths.last() {
                    number(length)
                        .map(Body::Length)
                        .ok_or(Stop::Wrong("Content-Length"))
                } else {
                    Ok(Body::UntilClose)
                }
            }
        }
    }

    fn body(&mut self, body: Body) -> Result<(Vec<u8>, Vec<Field>), Stop> {
        let rest = self.bytes.len() - self.at;
        match body {
            Body::None => Ok((Vec::new(), Vec::new())),
            Body::UntilClose => Ok((self.take(rest)?, Vec::new())),
            Body::Length(length) => {
                let length = usize::try_from(length).map_err(|_| Stop::Short)?;
                Ok((self.take(length)?, Vec::new()))
            }
            Body::Chunks => self.chunks(),
        }
    }

    /// RFC 9112 section 7.1.
    fn chunks(&mut self) -> Result<(Vec<u8>, Vec<Field>), Stop> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let size = std::str::from_utf8(&line[..digits]).unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|_| Stop::Wrong("chunk size"))?;
            let behind = &line[digits..];
            let extension = |byte: &u8| *byte == b'\t' || (0x20..=0x7e).contains(byte);
            let sound = behind.is_empty()
                || (trimmed(behind, Reader::Strict).starts_with(b";")
                    && behind.iter().all(extension));
            if self.reader == Reader::Strict && !sound {
                return Err(Stop::Wrong("chunk extension"));
            }
            if size == 0 {
                return Ok((body, self.fields()?));
            }
            let size = usize::try_from(size).map_err(|_| Stop::Short)?;
            body.extend(self.take(size)?);
            if !self.line()?.is_empty() {
                return Err(Stop::Wrong("chunk without end"));
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        let end = self.at.checked_add(count).ok_or(Stop::Short)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Stop::Short)?;
        self.at = end;
        Ok(bytes.to_vec())
    }
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(token)
}

fn is_version(bytes: &[u8]) -> bool {
    bytes == b"HTTP/1.1" || bytes == b"HTTP/1.0"
}

/// Without OWS; the lenient take more for a blank.
fn trimmed(mut bytes: &[u8], reader: Reader) -> &[u8] {
    let blank = |byte: u8| match byte {
        b' ' | b'\t' => true,
        0x0b | 0x0c | 0x85 | 0xa0 => reader == Reader::LastCoding,
        _ => false,
    };
    while let [first, rest @ ..] = bytes
        && blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The digits that `bytes` begin with.
fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
