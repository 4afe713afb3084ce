//! An origin of the simulated world: reads requests, checks every byte of them, answers as the
//! request asks, and misbehaves as the weather wants.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::cover::Cover;
use crate::invariant::Invariant;
use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Ledger;
use crate::ledger::fill;
use crate::message::Head;
use crate::message::Reading;
use crate::net::Actor;
use crate::net::Net;
use crate::secure::Secure;
use crate::weather::Misdeed;
use crate::weather::Weather;

/// One origin.
pub(crate) struct Origin {
    at: SocketAddr,
    number: usize,
    ledger: Ledger,
    weather: Rc<Cell<Weather>>,
    cover: Rc<Cover>,
    listener: Option<Socket>,
    /// It has crashed and comes back then.
    back: Option<Moment>,
    connections: BTreeMap<Socket, Connection>,
}

#[derive(Default)]
struct Connection {
    reading: Reading,
    /// The request whose body is being read.
    current: Option<usize>,
    output: Vec<u8>,
    written: usize,
    then: Then,
    secure: Secure,
}

/// What follows once the output is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Then {
    #[default]
    Serve,
    Close,
    Reset,
    Hang,
}

impl Origin {
    pub(crate) fn new(
        at: SocketAddr,
        number: usize,
        ledger: &Ledger,
        weather: &Rc<Cell<Weather>>,
        cover: &Rc<Cover>,
    ) -> Self {
        Self {
            at,
            number,
            ledger: Rc::clone(ledger),
            weather: Rc::clone(weather),
            cover: Rc::clone(cover),
            listener: None,
            back: None,
            connections: BTreeMap::new(),
        }
    }

    fn serve(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&socket) else {
            return Ok(());
        };
        let mut buffer = [0; 4096];
        loop {
            while connection.written < connection.output.len() {
                let rest = &connection.output[connection.written..];
                connection.written += connection.secure.write(net, socket, rest)?;
            }
            connection.secure.flush(net, socket)?;
            if connection.written > 0 {
                connection.secure.chat(net);
            }
            connection.output.clear();
            connection.written = 0;
            match connection.then {
                Then::Serve | Then::Hang => {}
                Then::Close => {
                    connection.secure.farewell(net, socket)?;
                    return Err(io::ErrorKind::Other.into());
                }
                Then::Reset => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            if advance(
                connection,
                &self.ledger,
                self.number,
                self.weather.get(),
                self.cover.told(self.at),
                net,
            ) {
                continue;
            }
            match connection.secure.read(net, socket, &mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => connection.reading.push(&buffer[..count]),
            }
        }
    }

    fn crash(&mut self, net: &mut Net, now: Moment) {
        for socket in std::mem::take(&mut self.connections).into_keys() {
            net.abort(socket);
        }
        if let Some(listener) = self.listener.take() {
            net.close(listener);
        }
        self.back = Some(now + Span::millis(net.below(20_000)));
    }
}

/// Takes what is whole of a request. True if there is something to write.
fn advance(
    connection: &mut Connection,
    ledger: &Ledger,
    origin: usize,
    weather: Weather,
    told: (&str, String),
    net: &mut Net,
) -> bool {
    if connection.current.is_none() {
        let Some(head) = connection.reading.head() else {
            return false;
        };
        let id = judged(&head, &told);
        connection.reading.begin(&head, id, false, false);
        connection.current = Some(id);
        // The reader is strict: what could be read in two ways does not get here.
        ledger
            .borrow_mut()
            .check(Invariant::Unambiguous, true, String::new);
        let entry = ledger.borrow().entry(id);
        if entry.request_bytes > 0 && ledger.borrow_mut().strikes(weather, Misdeed::Early, net) {
            ledger.borrow_mut().execute(id, origin);
            answer(&mut connection.output, id, entry);
            connection.then = Then::Close;
            return true;
        }
    }
    let Some(id) = connection.current else {
        return false;
    };
    let Some(length) = connection.reading.body() else {
        return false;
    };
    ledger.borrow_mut().received(id, length);
    connection.current = None;
    ledger.borrow_mut().execute(id, origin);
    reply(connection, id, ledger, weather, net);
    true
}

/// What every request that comes through the proxy must look like.
fn judged(head: &Head, told: &(&str, String)) -> usize {
    let id = head.number("x-id").expect("every request has a number");
    assert!(head.start.ends_with(&format!("/{id} HTTP/1.1")), "{head:?}");
    assert_eq!(head.value("host"), Some(told.1.as_str()));
    assert_eq!(head.value("connection"), None);
    assert_eq!(head.value("x-forwarded-proto"), Some(told.0));
    assert!(
        head.value("x-forwarded-for")
            .is_some_and(|at| at.starts_with("10.0.")),
        "{head:?}"
    );
    id
}

fn reply(connection: &mut Connection, id: usize, ledger: &Ledger, weather: Weather, net: &mut Net) {
    let entry = ledger.borrow().entry(id);
    let strikes = |misdeed, net: &mut Net| ledger.borrow_mut().strikes(weather, misdeed, net);
    if strikes(Misdeed::NoAnswer, net) {
        connection.then = if net.below(2) == 0 {
            Then::Close
        } else {
            Then::Reset
        };
        return;
    }
    if strikes(Misdeed::Hang, net) {
        connection.then = Then::Hang;
        return;
    }
    if strikes(Misdeed::Interim, net) {
        connection
            .output
            .extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    }
    let start = connection.output.len();
    answer(&mut connection.output, id, entry);
    if entry.frame == Frame::UntilClose {
        connection.then = Then::Close;
        if connection.secure.will_be_cut() && !entry.head {
            ledger.borrow_mut().cut.insert(id);
        }
    }
    if strikes(Misdeed::CutAnswer, net) {
        // A head without its last byte, or less of a body than was promised. An answer that ends
        // with its connection is cut by a reset only.
        let whole = connection.output.len() - start;
        let most = u64::try_from(whole).expect("small");
        let cut = start + usize::try_from(net.below(most)).expect("small");
        connection.output.truncate(cut);
        connection.then = if entry.frame == Frame::UntilClose || net.below(2) == 0 {
            Then::Reset
        } else {
            Then::Close
        };
    } else if strikes(Misdeed::SilentClose, net) {
        connection.then = Then::Close;
    } else if entry.frame != Frame::UntilClose
        && connection.output.len() < SURPLUS_BEHIND_MAX
        && strikes(Misdeed::Surplus, net)
    {
        connection
            .output
            .extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

/// Answers up to this length leave in one write.
const SURPLUS_BEHIND_MAX: usize = 8 * 1024;

fn answer(out: &mut Vec<u8>, id: usize, entry: Entry) {
    let count = entry.response_bytes;
    let mut head = match entry.frame {
        Frame::NoContent => "HTTP/1.1 204 No Content\r\n".to_owned(),
        Frame::NotModified => "HTTP/1.1 304 Not Modified\r\n".to_owned(),
        Frame::Length | Frame::Chunked | Frame::UntilClose => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let _ = write!(head, "X-Id: {id}\r\n");
    match entry.frame {
        Frame::Length => drop(write!(head, "Content-Length: {count}\r\n")),
        Frame::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        Frame::UntilClose => head.push_str("Connection: close\r\n"),
        Frame::NoContent | Frame::NotModified => {}
    }
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"\r\n");
    if entry.head {
        return;
    }
    match entry.frame {
        Frame::Length | Frame::UntilClose => fill(out, id, true, 0, count),
        Frame::Chunked => {
            let mut at = 0;
            while at < count {
                let piece = (count - at).min(1 + id % 997);
                out.extend_from_slice(format!("{piece:x}\r\n").as_bytes());
                fill(out, id, true, at, piece);
                out.extend_from_slice(b"\r\n");
                at += piece;
            }
            out.extend_from_slice(b"0\r\n\r\n");
        }
        Frame::NoContent | Frame::NotModified => {}
    }
}

impl Actor for Origin {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        if self.back.is_some_and(|back| back > now) {
            while net.changed().is_some() {}
            return self.back;
        }
        self.back = None;
        if self.listener.is_none() {
            self.listener = net.listen(self.at).ok();
        }
        let Some(listener) = self.listener else {
            return Some(now + Span::millis(50));
        };
        while let Ok((socket, _)) = net.accept(listener) {
            let connection = Connection {
                secure: self.cover.origin(self.at.ip(), net),
                ..Connection::default()
            };
            self.connections.insert(socket, connection);
        }
        while let Some(ready) = net.changed() {
            let Err(error) = self.serve(net, ready.socket) else {
                continue;
            };
            if error.kind() == io::ErrorKind::WouldBlock {
                continue;
            }
            if error.kind() == io::ErrorKind::ConnectionAborted {
                net.abort(ready.socket);
            } else if let Some(connection) = self.connections.get_mut(&ready.socket) {
                connection.secure.close(net, ready.socket);
            }
            self.connections.remove(&ready.socket);
            let weather = self.weather.get();
            if self
                .ledger
                .borrow_mut()
                .strikes(weather, Misdeed::Crash, net)
            {
                self.crash(net, now);
                return self.back;
            }
        }
        None
    }
}
