//! The leanest kernel that a request can pass: sockets are two vectors, every verb is counted.
//! For what the engine itself costs; faults and faithfulness are the simulator's (`tests/sim`).
//! Used by the tests here and by `benches/micro.rs`. Warm, it allocates nothing.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tidegate::base::Socket;
use tidegate::base::arena::Arena;
use tidegate::base::time::{Moment, Span};
use tidegate::config::{AccessLog, Backend, Config, Health, Host, LogFormat, Pool, Probe, Scheme};
use tidegate::engine::Engine;
use tidegate::engine::kernel::{Kernel, News, Ready};

/// Verbs that are a system call in `os`, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) waits: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    /// Accepts, connects, shutdowns, closes and questions about a socket.
    pub(crate) others: u64,
}

/// The kernel, the clients and the server, all in one.
pub(crate) struct Wire {
    now: Moment,
    sockets: Arena<End>,
    clients: Vec<Socket>,
    listener: Option<Socket>,
    backlog: VecDeque<Socket>,
    events: Vec<Ready>,
    request: Vec<u8>,
    answer: Vec<u8>,
    pub(crate) calls: Calls,
    /// Answers that clients have got whole.
    pub(crate) answered: usize,
    /// Lines of the access log.
    pub(crate) logged: usize,
}

/// The engine's end of a connection.
#[derive(Default)]
struct End {
    is_server: bool,
    /// What the engine has not read yet begins at `read`.
    input: Vec<u8>,
    read: usize,
    /// What the engine has written of the current message.
    output: Vec<u8>,
}

/// A request as a browser's cousin sends it, 180 bytes.
pub(crate) const REQUEST: &[u8] = b"GET /index.html?user=1 HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: curl/8.5.0\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n\
    Cookie: session=0123456789abcdef\r\nX-Request-Id: 42\r\n\r\n";

/// Its answer, without a body of its own length's sake: 11 bytes.
pub(crate) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\n\
    Content-Length: 11\r\n\r\nhello world";

/// What every answer ends with.
pub(crate) const BODY: &[u8] = b"hello world";

/// What every request ends with, those with a body too.
pub(crate) const END: &[u8] = b"\r\n\r\n";

impl Wire {
    /// A kernel on which nothing is open.
    pub(crate) fn new(request: &[u8], answer: &[u8]) -> Self {
        Self {
            now: Moment(1_000_000_000),
            sockets: Arena::default(),
            clients: Vec::new(),
            listener: None,
            backlog: VecDeque::new(),
            events: Vec::new(),
            request: request.to_vec(),
            answer: answer.to_vec(),
            calls: Calls::default(),
            answered: 0,
            logged: 0,
        }
    }

    /// This kernel with an engine on it and clients that are connected.
    pub(crate) fn with_engine(clients: usize) -> (Self, Engine) {
        Self::with_log(clients, LogFormat::Off)
    }

    /// The same with an access log.
    pub(crate) fn with_log(clients: usize, format: LogFormat) -> (Self, Engine) {
        Self::new(REQUEST, ANSWER).started(clients, format)
    }

    /// An engine on this kernel, with clients that are connected.
    pub(crate) fn started(self, clients: usize, format: LogFormat) -> (Self, Engine) {
        let mut wire = self;
        let pool = Pool {
            backends: vec![Backend {
                scheme: Scheme::Http,
                host: Host::Address(Ipv4Addr::LOCALHOST.into()),
                port: 9001,
                weight: 1,
                max_conns: None,
            }],
            health: Health {
                probe: Probe::Off,
                ..Health::default()
            },
            ..Pool::default()
        };
        let config = Config {
            pools: vec![pool],
            access_log: AccessLog {
                format,
                ..AccessLog::default()
            },
            ..Config::default()
        };
        let mut engine = Engine::new(&config, &[None], 1, &mut wire).expect("a listener");
        for _ in 0..clients {
            wire.connect_client();
        }
        while wire.clients.len() < clients || !wire.backlog.is_empty() {
            engine.turn(&mut wire);
        }
        (wire, engine)
    }

    /// Every client asks once; goes on until every one has its answer.
    pub(crate) fn round(&mut self, engine: &mut Engine) {
        let wanted = self.answered + self.clients.len();
        for at in 0..self.clients.len() {
            let client = self.clients[at];
            let end = self.sockets.get_mut(client.0).expect("a client stays");
            end.input.extend_from_slice(&self.request);
            self.events.push(ready(client, true));
        }
        while self.answered < wanted {
            engine.turn(self);
        }
    }

    fn connect_client(&mut self) {
        let socket = Socket(self.sockets.insert(End::default()));
        self.backlog.push_back(socket);
        if let Some(listener) = self.listener {
            self.events.push(ready(listener, true));
        }
    }

    /// The other side looks at what was written.
    fn hear(&mut self, socket: Socket) {
        let Some(end) = self.sockets.get_mut(socket.0) else {
            return;
        };
        if end.is_server && end.output.ends_with(END) {
            end.output.clear();
            end.input.extend_from_slice(&self.answer);
            self.events.push(ready(socket, true));
        } else if !end.is_server && end.output.ends_with(BODY) {
            assert!(end.output.starts_with(b"HTTP/1.1 200 OK\r\n"), "{end:?}");
            end.output.clear();
            self.answered += 1;
        }
    }
}

impl Kernel for Wire {
    fn log(&mut self, lines: &[u8]) {
        self.logged += lines.iter().filter(|byte| **byte == b'\n').count();
    }

    fn now(&self) -> Moment {
        self.now
    }

    fn wait(&mut self, until: Option<Moment>, into: &mut Vec<Ready>) -> bool {
        self.calls.waits += 1;
        self.now = self.now + Span(1_000);
        if self.events.is_empty() {
            let until = until.expect("nothing will ever happen");
            self.now = self.now.max(until);
        }
        into.append(&mut self.events);
        true
    }

    fn news(&mut self) -> Option<News> {
        None
    }

    fn resolve(&mut self, _: u64, name: &str) {
        panic!("{name} is an address");
    }

    fn listen(&mut self, _: SocketAddr) -> io::Result<Socket> {
        self.calls.others += 1;
        let socket = Socket(self.sockets.insert(End::default()));
        self.listener = Some(socket);
        Ok(socket)
    }

    fn local_address(&self, _: Socket) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)))
    }

    fn accept(&mut self, _: Socket) -> io::Result<(Socket, SocketAddr)> {
        self.calls.others += 1;
        let Some(socket) = self.backlog.pop_front() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        self.clients.push(socket);
        self.events.push(ready(socket, false));
        Ok((socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000))))
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<Socket> {
        self.calls.others += 1;
        let end = End {
            is_server: true,
            ..End::default()
        };
        let socket = Socket(self.sockets.insert(end));
        self.events.push(ready(socket, false));
        Ok(socket)
    }

    fn established(&mut self, _: Socket) -> io::Result<()> {
        self.calls.others += 1;
        Ok(())
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        self.calls.reads += 1;
        let end = self
            .sockets
            .get_mut(socket.0)
            .ok_or(io::ErrorKind::NotFound)?;
        let unread = &end.input[end.read..];
        if unread.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = unread.len().min(into.len());
        into[..count].copy_from_slice(&unread[..count]);
        end.read += count;
        if end.read == end.input.len() {
            end.input.clear();
            end.read = 0;
        }
        Ok(count)
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        self.calls.writes += 1;
        let end = self
            .sockets
            .get_mut(socket.0)
            .ok_or(io::ErrorKind::NotFound)?;
        end.output.extend_from_slice(from);
        self.hear(socket);
        Ok(from.len())
    }

    fn finish(&mut self, _: Socket) -> io::Result<()> {
        self.calls.others += 1;
        Ok(())
    }

    fn close(&mut self, socket: Socket) {
        self.calls.others += 1;
        self.sockets.remove(socket.0);
    }

    fn abort(&mut self, socket: Socket) {
        self.close(socket);
    }
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.output))
    }
}

fn ready(socket: Socket, readable: bool) -> Ready {
    Ready {
        socket,
        readable,
        writable: true,
        ended: false,
    }
}
