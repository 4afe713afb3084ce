//! As much of a message's head as the load and the origin need. Heads of one run are nearly all
//! alike, so the last one is remembered, and comparing takes the place of parsing: the proxy shall
//! be what is busy.

/// The last head that was seen, and what it says.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    bytes: Vec<u8>,
    head: Head,
}

/// What a head says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes of the head itself.
    pub(crate) length: usize,
    /// Bytes of the body; `None` if the head tells no length.
    pub(crate) body: Option<usize>,
    /// The number in the first line: a response's status, or the size that a request asks for.
    pub(crate) number: usize,
    /// Whether the sender ends the connection after this message.
    pub(crate) closes: bool,
}

impl Memory {
    /// What the head at the beginning of `bytes` says; `None` if it is not there as a whole.
    pub(crate) fn head(&mut self, bytes: &[u8]) -> Option<Head> {
        if !self.bytes.is_empty() && bytes.starts_with(&self.bytes) {
            return Some(self.head);
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes[..end + 4]);
        self.head = parse(&self.bytes);
        Some(self.head)
    }
}

fn parse(bytes: &[u8]) -> Head {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let number = first.split(' ').nth(1).unwrap_or_default();
    let number = number.trim_start_matches('/').parse().unwrap_or(0);
    let mut head = Head {
        length: bytes.len(),
        body: None,
        number,
        closes: false,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name {
            "content-length" => head.body = value.trim().parse().ok(),
            "connection" => head.closes = value.contains("close"),
            _ => {}
        }
    }
    head
}
