//! The server's end of TLS, for a client that may speak no TLS at all.
//!
//! A browser that is sent to the port of https with http:// gets a sentence in clear text, as from
//! nginx, instead of an alert that it shows as noise. What decides is the first byte: a request
//! begins with a letter, a TLS record never does (RFC 8446 section 5.1).

use std::io;
use std::io::Read;
use std::io::Write;

use rustls::Connection;

use super::machine::Complaint;
use super::machine::Machine;
use crate::base::TlsFault;

/// The library's machine, and what is said to whoever does not speak its language.
#[derive(Debug)]
pub(super) struct Doorman {
    connection: Connection,
    /// What is left of the sentence in clear text, once it has to be said.
    plain: Option<&'static [u8]>,
    /// A byte has come.
    begun: bool,
}

impl Doorman {
    pub(super) const fn new(connection: Connection) -> Self {
        Self {
            connection,
            plain: None,
            begun: false,
        }
    }
}

impl Machine for Doorman {
    fn take(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        if self.begun {
            return self.connection.take(from);
        }
        let mut glance = Glance { from, first: None };
        let taken = self.connection.take(&mut glance);
        if let Some(first) = glance.first {
            self.begun = true;
            if first.is_ascii_alphabetic() {
                self.plain = Some(ANSWER);
            }
        }
        taken
    }

    fn digest(&mut self) -> Result<bool, Complaint> {
        let digested = self.connection.digest();
        if self.plain.is_none() {
            return digested;
        }
        Err(Complaint {
            fault: TlsFault::Protocol,
            words: "a request in clear text on a port for TLS".to_owned(),
        })
    }

    fn give(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        let Some(left) = &mut self.plain else {
            return self.connection.give(to);
        };
        if left.is_empty() {
            return Ok(0);
        }
        let count = to.write(left)?;
        *left = left.get(count..).unwrap_or_default();
        Ok(count)
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        self.connection.read(into)
    }

    fn write(&mut self, from: &[u8]) -> usize {
        self.connection.write(from)
    }

    fn holds_plaintext(&mut self) -> bool {
        self.connection.holds_plaintext()
    }

    fn notify(&mut self) {
        self.connection.notify();
    }

    fn handshaking(&self) -> bool {
        self.plain.is_some() || self.connection.handshaking()
    }

    fn wants_write(&self) -> bool {
        match self.plain {
            None => Machine::wants_write(&self.connection),
            Some(left) => !left.is_empty(),
        }
    }

    fn resumed(&self) -> bool {
        self.connection.resumed()
    }
}

/// Sees the first byte go by.
struct Glance<'a> {
    from: &'a mut dyn Read,
    first: Option<u8>,
}

impl Read for Glance<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        self.first = self.first.or_else(|| into.get(..count)?.first().copied());
        Ok(count)
    }
}

const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 57\r\n\
    Connection: close\r\n\r\n\
    400 Bad Request: this port speaks TLS, ask with https://\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_is_as_long_as_it_says() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    }
}
