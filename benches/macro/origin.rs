//! The server behind the proxies: `GET /123` is answered with 123 bytes. It judges nothing but
//! lengths, and writes answers that were made before.

use std::collections::BTreeMap;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::event::Event;
use mio::net::TcpListener;
use mio::net::TcpStream;
use slab::Slab;

use crate::message::Memory;

/// A listener and its connections.
pub(crate) struct Origin {
    listener: TcpListener,
    connections: Slab<Connection>,
    memory: Memory,
    answers: BTreeMap<usize, Vec<u8>>,
    room: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a head.
    begun: Vec<u8>,
    /// Bytes of a request's body that are still to come.
    body: usize,
    /// The size of the answer that is owed or being written, and how much of it has gone.
    answer: Option<(usize, usize)>,
    closes: bool,
}

impl Origin {
    /// Tokens from here on are the origin's.
    pub(crate) const TOKENS: usize = 1 << 32;

    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            listener,
            connections: Slab::new(),
            memory: Memory::default(),
            answers: BTreeMap::new(),
            room: vec![0; 256 * 1024],
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Something happened on a token of the origin's.
    pub(crate) fn event(&mut self, registry: &Registry, event: &Event) {
        if event.token() == LISTENER {
            while let Ok((mut stream, _)) = self.listener.accept() {
                let entry = self.connections.vacant_entry();
                let token = Token(Self::TOKENS + entry.key());
                let both = Interest::READABLE | Interest::WRITABLE;
                if registry.register(&mut stream, token, both).is_ok() {
                    entry.insert(Connection {
                        stream,
                        begun: Vec::new(),
                        body: 0,
                        answer: None,
                        closes: false,
                    });
                }
            }
            return;
        }
        let key = event.token().0 - Self::TOKENS;
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let ended = event.is_read_closed() || event.is_error();
        let served = connection.serve(&mut self.memory, &mut self.answers, &mut self.room, ended);
        if served.is_err() {
            self.connections.remove(key);
        }
    }
}

impl Connection {
    /// Goes on as far as possible; an error ends the connection.
    fn serve(
        &mut self,
        memory: &mut Memory,
        answers: &mut BTreeMap<usize, Vec<u8>>,
        room: &mut [u8],
        ended: bool,
    ) -> io::Result<()> {
        if !self.answer(answers)? {
            return Ok(());
        }
        loop {
            let count = match self.stream.read(room) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.take(memory, &room[..count]);
            if !self.answer(answers)? || (count < room.len() && !ended) {
                return Ok(());
            }
        }
    }

    /// Looks at what has come. No proxy here sends a second request before the first answer.
    fn take(&mut self, memory: &mut Memory, bytes: &[u8]) {
        if self.answer.is_some() {
            self.body = self.body.saturating_sub(bytes.len());
            return;
        }
        let whole = if self.begun.is_empty() {
            bytes
        } else {
            self.begun.extend_from_slice(bytes);
            &self.begun
        };
        let Some(head) = memory.head(whole) else {
            if self.begun.is_empty() {
                self.begun.extend_from_slice(bytes);
            }
            return;
        };
        let body = whole.len() - head.length;
        self.body = head.body.unwrap_or(0).saturating_sub(body);
        self.answer = Some((head.number, 0));
        self.closes = head.closes;
        self.begun.clear();
    }

    /// Writes what is owed; false if it has to go on later.
    fn answer(&mut self, answers: &mut BTreeMap<usize, Vec<u8>>) -> io::Result<bool> {
        let Some((size, mut at)) = self.answer else {
            return Ok(true);
        };
        if self.body > 0 {
            return Ok(true);
        }
        let bytes = answers.entry(size).or_insert_with(|| made(size));
        while at < bytes.len() {
            match self.stream.write(&bytes[at..]) {
                Ok(count) => at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.answer = Some((size, at));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.answer = None;
        if self.closes {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(true)
    }
}

fn made(size: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n")
            .into_bytes();
    bytes.resize(bytes.len() + size, b'a');
    bytes
}

const LISTENER: Token = Token(usize::MAX - 1);
