//! A client and a backend on real sockets, moved by one thread: between them stands a program.
//!
//! Both ends in one loop leave nothing to chance: on loopback, what a program has sent to the
//! backend before it answered the client can be read when that answer is there. Used by the cases
//! over sockets and by the comparison with other proxies.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::case::Ending;
use crate::delivery::{Connection, Origin};
use crate::reference::{self, Message, Reader, Stop};

/// One client at a time, and the backend with all its connections.
pub(crate) struct Lane {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    address: SocketAddr,
    client: Client,
    backends: Vec<Backend>,
    seen: Seen,
}

/// What both ends have seen since the case began.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// To the backend, in the order in which they came.
    pub(crate) connections: Vec<Connection>,
    /// Requests that were answered, and those among them that were whole.
    pub(crate) answered: usize,
    pub(crate) whole: usize,
    /// What the client got on the connection that it has now.
    pub(crate) to_client: Vec<u8>,
    pub(crate) end: Option<End>,
}

/// How the client's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Finished,
    Reset,
}

#[derive(Default)]
struct Client {
    stream: Option<TcpStream>,
    outgoing: Vec<u8>,
    sent: usize,
    /// Nothing is sent behind it.
    last: bool,
}

#[derive(Default)]
struct Backend {
    stream: Option<TcpStream>,
    outgoing: Vec<u8>,
    sent: usize,
    ending: Ending,
}

impl Lane {
    pub(crate) fn new() -> Self {
        let poll = Poll::new().expect("a poll");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = TcpListener::bind(any).expect("a free port");
        poll.registry()
            .register(&mut listener, Token(0), Interest::READABLE)
            .expect("a listener can be waited for");
        Self {
            address: listener.local_addr().expect("it is bound"),
            poll,
            events: Events::with_capacity(64),
            listener,
            client: Client::default(),
            backends: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Where the backend listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client connects and sends this; the one before is gone.
    pub(crate) fn connect(&mut self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let stream = std::net::TcpStream::connect(to)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(1), both)?;
        self.client = Client {
            stream: Some(stream),
            outgoing: bytes.to_vec(),
            ..Client::default()
        };
        self.seen.to_client.clear();
        self.seen.end = None;
        Ok(())
    }

    /// The client sends more.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.client.outgoing.extend_from_slice(bytes);
        self.client.write();
    }

    /// The client says that nothing more comes.
    pub(crate) const fn half_close(&mut self) {
        self.client.last = true;
    }

    /// Moves bytes until it is enough; false if nothing came for as long as
    /// `patience`.
    pub(crate) fn run(
        &mut self,
        origin: &Origin<'_>,
        patience: Duration,
        enough: impl Fn(&Seen) -> bool,
    ) -> bool {
        loop {
            while self.pump(origin) {}
            if enough(&self.seen) {
                return true;
            }
            match self.poll.poll(&mut self.events, Some(patience)) {
                Ok(()) if self.events.is_empty() => return false,
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("poll: {error}"),
                _ => {}
            }
        }
    }

    /// Closes everything; the next case begins afresh.
    pub(crate) fn finish(&mut self) -> Seen {
        self.client = Client::default();
        self.backends.clear();
        std::mem::take(&mut self.seen)
    }

    /// One round over all sockets; true if anything moved.
    fn pump(&mut self, origin: &Origin<'_>) -> bool {
        let mut moved = self.accept();
        for at in 0..self.backends.len() {
            let Self { backends, seen, .. } = self;
            let backend = &mut backends[at];
            if let Some(stream) = &mut backend.stream {
                let count = seen.connections[at].received.len();
                let end = drain(stream, &mut seen.connections[at].received);
                moved |= end.is_some() || count < seen.connections[at].received.len();
                while let Some(answer) = serve(seen, at, origin) {
                    backend.outgoing.extend(answer.0);
                    backend.ending = answer.1;
                }
                backend.answer();
                if end.is_some() {
                    backend.stream = None;
                }
            }
        }
        self.client.write();
        if let Some(stream) = &mut self.client.stream {
            let count = self.seen.to_client.len();
            self.seen.end = drain(stream, &mut self.seen.to_client);
            moved |= self.seen.end.is_some() || count < self.seen.to_client.len();
            if self.seen.end.is_some() {
                self.client.stream = None;
            }
        }
        moved
    }

    fn accept(&mut self) -> bool {
        let mut any = false;
        while let Ok((mut stream, _)) = self.listener.accept() {
            let both = Interest::READABLE | Interest::WRITABLE;
            let token = Token(2 + self.backends.len());
            // Nobody left on either end of it is no connection.
            let _ = self.poll.registry().register(&mut stream, token, both);
            let _ = stream.set_nodelay(true);
            self.backends.push(Backend {
                stream: Some(stream),
                ..Backend::default()
            });
            self.seen.connections.push(Connection::default());
            any = true;
        }
        any
    }
}

impl Client {
    fn write(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if !flush(stream, &self.outgoing, &mut self.sent) {
            // The other end reads no more; what it said can be read all the same.
            self.sent = self.outgoing.len();
        }
        if self.last && self.sent == self.outgoing.len() {
            self.last = false;
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

impl Backend {
    fn answer(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let alive = flush(stream, &self.outgoing, &mut self.sent);
        if !alive || self.sent < self.outgoing.len() {
            return;
        }
        match std::mem::take(&mut self.ending) {
            Ending::Stays => {}
            Ending::Ends => {
                let _ = stream.shutdown(Shutdown::Write);
            }
            Ending::Resets => {
                let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                self.stream = None;
            }
        }
    }
}

impl Seen {
    /// Final answers that the client got to these requests.
    pub(crate) fn answers(&self, sent: &[Message]) -> Vec<Message> {
        let mut rest = self.to_client.as_slice();
        let mut found = Vec::new();
        let closed = self.end == Some(End::Finished);
        while !rest.is_empty() {
            let method = sent.get(found.len());
            let method = method.map_or(b"GET".as_slice(), |sent| &sent.start[0]);
            let Ok((answer, length)) = reference::response(rest, method, closed) else {
                return found;
            };
            rest = &rest[length..];
            if answer.status() >= 200 {
                found.push(answer);
            }
        }
        found
    }
}

/// What the backend answers to the next request on this connection, if it is there.
fn serve(seen: &mut Seen, at: usize, origin: &Origin<'_>) -> Option<(Vec<u8>, Ending)> {
    let scripted = seen.answered == origin.plain;
    let connection = &mut seen.connections[at];
    let unread = &connection.received[connection.judged..];
    let head = reference::head_length(unread).is_some();
    match request_length(unread) {
        Ok(length) => {
            connection.judged += length;
            seen.whole += 1;
            if std::mem::take(&mut connection.answered) {
                return None;
            }
        }
        // Early, or no request to any reader: one answer, and what is behind it is not looked at.
        Err(Stop::Wrong(_)) if head && !connection.answered => connection.answered = true,
        Err(Stop::Short) if head && scripted && origin.early && !connection.answered => {
            connection.answered = true;
        }
        Err(_) => return None,
    }
    let method: Vec<u8> = unread
        .iter()
        .copied()
        .take_while(|byte| *byte != b' ')
        .collect();
    seen.answered += 1;
    let ending = if scripted {
        origin.ending
    } else {
        Ending::Stays
    };
    Some((origin.answer(scripted, &method), ending))
}

/// Length of the request that `bytes` begin with, read leniently where the strict reader refuses:
/// other proxies pass on much.
fn request_length(bytes: &[u8]) -> Result<usize, Stop> {
    let read = match reference::request(Reader::Strict, bytes) {
        Err(Stop::Wrong(_)) => reference::request(Reader::BareLf, bytes),
        read => read,
    };
    read.map(|(_, length)| length)
}

/// Reads all that is there.
fn drain(stream: &mut TcpStream, into: &mut Vec<u8>) -> Option<End> {
    let mut space = [0; 16 * 1024];
    loop {
        match stream.read(&mut space) {
            Ok(0) => return Some(End::Finished),
            Ok(count) => into.extend(&space[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Some(End::Reset),
        }
    }
}

/// Writes as much as fits; false if nothing ever will again.
fn flush(stream: &mut TcpStream, bytes: &[u8], sent: &mut usize) -> bool {
    while *sent < bytes.len() {
        match stream.write(&bytes[*sent..]) {
            Ok(count) => *sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}
