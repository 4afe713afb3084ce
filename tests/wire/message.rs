//! HTTP/1.1 messages by a slow and obvious parser that shares no code with the program: it reads
//! byte by byte, knows no limits, and takes anything unusual as an error. Used by both ends.

use std::io::{self, BufRead, Read};

/// How the end of a body was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There can be no body.
    Nothing,
    Length,
    Chunked,
    /// It ended with the connection.
    Close,
}

/// A whole request or response.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The request line or status line, without its line break.
    pub(crate) start: String,
    /// As sent, in order, values trimmed.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads a request; calls `go_on` when its sender waits for that before it sends the body.
    /// `None` if the stream ended before its first byte.
    pub(crate) fn request(
        from: &mut impl BufRead,
        go_on: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Option<Self>> {
        let Some(mut message) = head(from)? else {
            return Ok(None);
        };
        message.framing = message.declared(Framing::Nothing)?;
        if message.values("expect") == ["100-continue"] {
            go_on()?;
        }
        message.body = body(from, &message)?;
        Ok(Some(message))
    }

    /// Reads the answer to a request with that method. A stream that ends first is an error.
    pub(crate) fn response(from: &mut impl BufRead, method: &str) -> io::Result<Self> {
        let mut message = head(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = message.status();
        let empty = method == "HEAD" || status < 200 || status == 204 || status == 304;
        if !empty {
            message.framing = message.declared(Framing::Close)?;
            message.body = body(from, &message)?;
        }
        Ok(message)
    }

    /// The values of all fields of that name, whatever its case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The value of the only field of that name.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "fields {name} in {self:?}");
        values[0]
    }

    /// The status of a response.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let code = self.start.split(' ').nth(1).expect("a status line");
        code.parse().expect("a status of digits")
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().expect("split gives something")
    }

    /// The target of a request.
    #[track_caller]
    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).expect("a request line")
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    fn declared(&self, otherwise: Framing) -> io::Result<Framing> {
        let codings = self.values("transfer-encoding");
        let lengths = self.values("content-length");
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(otherwise),
            ([], [_]) => Ok(Framing::Length),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            _ => Err(broken(&format!("ambiguous framing: {:?}", self.headers))),
        }
    }
}

fn head(from: &mut impl BufRead) -> io::Result<Option<Message>> {
    while from
        .fill_buf()
        .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
    {}
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let start = line(from)?;
    let mut headers = Vec::new();
    loop {
        let field = line(from)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field
            .split_once(':')
            .ok_or_else(|| broken(&format!("no colon in {field:?}")))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(broken(&format!("no field name in {field:?}")));
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Some(Message {
        start,
        headers,
        framing: Framing::Nothing,
        body: Vec::new(),
    }))
}

fn body(from: &mut impl BufRead, message: &Message) -> io::Result<Vec<u8>> {
    match message.framing {
        Framing::Nothing => Ok(Vec::new()),
        Framing::Length => {
            let length = message.value("content-length");
            let length = length.parse().map_err(|_| broken("content-length"))?;
            exactly(from, length)
        }
        Framing::Chunked => chunks(from),
        Framing::Close => {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes)?;
            Ok(bytes)
        }
    }
}

fn chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let size = line(from)?;
        let digits = size.split(';').next().unwrap_or("");
        let length = usize::from_str_radix(digits, 16).map_err(|_| broken(&size))?;
        if length == 0 {
            while !line(from)?.is_empty() {}
            return Ok(bytes);
        }
        bytes.extend(exactly(from, length)?);
        if !line(from)?.is_empty() {
            return Err(broken("a chunk longer than its size"));
        }
    }
}

fn exactly(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A line without its CRLF; anything but CRLF at its end is an error.
fn line(from: &mut impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\n") {
        bytes.extend(exactly(from, 1)?);
    }
    let text = bytes.strip_suffix(b"\r\n").ok_or_else(|| broken("LF"))?;
    String::from_utf8(text.to_vec()).map_err(|_| broken("a line not in UTF-8"))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
