//! A client and a backend on the simulator's network, moved by one script: between them stands
//! the engine.
//!
//! Both in one actor, so that what comes next is decided when nothing moves on either side, as
//! the driver in memory decides it (`machine.rs`). Used by the cases through the engine.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tidegate::base::Socket;
use tidegate::base::random::Random;
use tidegate::base::time::{Moment, Span};

use crate::case::Ending;
use crate::delivery::{Connection, Origin, Record, Split};
use crate::net::{Actor, Net};
use crate::reference::{self, Reader};

/// Both ends of the world.
pub(crate) struct Stage {
    /// When nothing has moved for so long, nothing will.
    quiet: Span,
    listener: Option<Socket>,
    play: Option<Play>,
}

/// One delivery under way.
struct Play {
    client: Client,
    servers: Vec<Server>,
    script: Script,
    random: Random,
    record: Record,
    act: Act,
    /// When the next thing happens unless something moves before.
    due: Moment,
    /// The client waits for ever.
    stuck: bool,
}

/// What the backend does, in memory of its own.
struct Script {
    answer: Vec<u8>,
    ending: Ending,
    early: bool,
    plain: usize,
    split: Split,
    /// Requests that were answered, all connections together.
    requests: usize,
    /// The connection of each request, in the order in which they began.
    uses: Vec<usize>,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Bytes come and go.
    Talking,
    /// The client has said that nothing more comes.
    Ended,
    /// The backend has given up, because nothing else went on.
    Forced,
    /// Everything is closed.
    Closing,
    Over,
}

#[derive(Default)]
struct Client {
    socket: Option<Socket>,
    from: Option<SocketAddr>,
    later: VecDeque<Vec<u8>>,
    outgoing: Vec<u8>,
    /// It has seen the end of its connection.
    ended: bool,
}

#[derive(Default)]
struct Server {
    socket: Option<Socket>,
    later: VecDeque<Vec<u8>>,
    outgoing: Vec<u8>,
    /// What follows what comes later.
    ending: Ending,
    /// The engine has it still.
    held: bool,
}

impl Stage {
    pub(crate) const fn new(quiet: Span) -> Self {
        Self {
            quiet,
            listener: None,
            play: None,
        }
    }

    /// The next delivery.
    pub(crate) fn begin(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) {
        let seed = match origin.split {
            Split::Random(seed) => seed,
            Split::Whole | Split::Bytes | Split::Lines => 0,
        };
        self.play = Some(Play {
            client: Client {
                later: pieces.iter().map(|piece| piece.to_vec()).collect(),
                ..Client::default()
            },
            servers: Vec::new(),
            script: Script {
                answer: origin.answer.to_vec(),
                ending: origin.ending,
                early: origin.early,
                plain: origin.plain,
                split: origin.split,
                requests: 0,
                uses: Vec::new(),
            },
            random: Random::new(seed),
            record: Record::default(),
            act: Act::Talking,
            due: Moment::default(),
            stuck: false,
        });
    }

    /// What came of the delivery and who the client was, once it is over. Nothing if the client
    /// would wait for ever.
    pub(crate) fn end(&mut self) -> Option<(Record, SocketAddr)> {
        let play = self.play.take().filter(|play| !play.stuck)?;
        let from = play.client.from?;
        Some((play.record, from))
    }

    /// Whether there is something to `end`.
    pub(crate) fn is_over(&self) -> bool {
        self.play.as_ref().is_some_and(|play| play.act == Act::Over)
    }
}

impl Actor for Stage {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        let listener = *self.listener.get_or_insert_with(|| {
            // What the cases say of the client's address is true here too.
            net.party().host = IpAddr::V4(Ipv4Addr::LOCALHOST);
            net.listen(BACKEND).expect("nobody else listens there")
        });
        let mut moved = false;
        while net.changed().is_some() {
            moved = true;
        }
        let play = self.play.as_mut()?;
        if now < OPENS {
            return Some(OPENS);
        }
        while let Ok((socket, _)) = net.accept(listener) {
            play.servers.push(Server {
                socket: Some(socket),
                held: true,
                ..Server::default()
            });
            play.record.connections.push(Connection::default());
        }
        if play.client.connect(net) {
            play.due = now + self.quiet;
        }
        if !moved && now >= play.due {
            play.go_on(net);
        }
        play.pump(net);
        if play.act == Act::Over {
            return None;
        }
        if moved || now >= play.due {
            play.due = now + self.quiet;
        }
        Some(play.due)
    }
}

impl Play {
    /// Moves what can be moved.
    fn pump(&mut self, net: &mut Net) {
        for at in 0..self.servers.len() {
            let server = &mut self.servers[at];
            let connection = &mut self.record.connections[at];
            let before = connection.received.len();
            if let Some(socket) = server.socket {
                server.held &= !drain(net, socket, &mut connection.received);
            }
            if connection.received.len() > before {
                if before == connection.judged && connection.switched.is_none() {
                    self.script.uses.push(at);
                }
                let answers = &mut self.record.answers;
                while let Some(answer) = self.script.serve(connection) {
                    server.say(&self.script, &answer);
                    answers.push((answer.method, answer.bytes, answer.ended));
                }
            }
            server.flush(net);
        }
        self.client.flush(net);
        let to_client = &mut self.record.to_client;
        if let Some(socket) = self.client.socket.filter(|_| !self.client.ended) {
            let end = read(net, socket, to_client);
            self.client.ended = end.is_some();
            self.record.reset |= end == Some(End::Reset);
            // Another protocol has no promise to keep.
            let tunnel = self
                .record
                .connections
                .iter()
                .any(|one| one.switched.is_some());
            self.record.closed |= end.is_some() && (self.act == Act::Talking || tunnel);
        }
    }

    /// Nothing moves: the next piece, or an end.
    fn go_on(&mut self, net: &mut Net) {
        let mixed = matches!(self.script.split, Split::Random(_));
        let client_first = mixed && self.random.permille(500);
        if client_first && self.client.arrive() {
            return;
        }
        if self.server_arrives(net) || self.client.arrive() {
            return;
        }
        self.act = match self.act {
            Act::Talking => {
                self.client.finish(net);
                Act::Ended
            }
            Act::Ended | Act::Forced if self.client.ended => {
                self.leave(net);
                Act::Closing
            }
            Act::Ended => {
                self.force(net);
                Act::Forced
            }
            Act::Forced => {
                self.stuck = true;
                Act::Over
            }
            Act::Closing | Act::Over => Act::Over,
        };
    }

    /// The next piece of an answer, or what follows the last one.
    fn server_arrives(&mut self, net: &mut Net) -> bool {
        let Some(server) = self.script.uses.last().map(|at| &mut self.servers[*at]) else {
            return false;
        };
        let Some(socket) = server.socket.filter(|_| server.held) else {
            return false;
        };
        if let Some(piece) = server.later.pop_front() {
            server.outgoing.extend(piece);
            return true;
        }
        match std::mem::take(&mut server.ending) {
            Ending::Stays => return false,
            Ending::Ends => drop(net.finish(socket)),
            Ending::Resets => {
                net.abort(socket);
                server.socket = None;
            }
        }
        server.held = false;
        true
    }

    /// The backend closes last of all.
    fn force(&mut self, net: &mut Net) {
        if let Some(answer) = self.record.answers.last_mut() {
            answer.2 = true;
        }
        self.record.forced = true;
        for server in &mut self.servers {
            if let Some(socket) = server.socket {
                let _ = net.finish(socket);
            }
            server.held = false;
        }
    }

    /// Everybody goes; what the engine has kept until now, it has kept.
    fn leave(&mut self, net: &mut Net) {
        let uses = &self.script.uses;
        for (number, at) in uses.iter().enumerate() {
            let again = uses[number + 1..].contains(at);
            self.record.kept.push(again || self.servers[*at].held);
        }
        for socket in self.servers.iter_mut().filter_map(|one| one.socket.take()) {
            net.close(socket);
        }
        if let Some(socket) = self.client.socket.take() {
            net.close(socket);
        }
    }
}

/// An answer of the backend's.
struct Answer {
    method: Vec<u8>,
    bytes: Vec<u8>,
    ended: bool,
    ending: Ending,
    early: bool,
}

impl Script {
    /// What is answered to what this connection has received, if it is enough.
    fn serve(&mut self, connection: &mut Connection) -> Option<Answer> {
        if connection.switched.is_some() {
            return None;
        }
        let scripted = self.requests == self.plain;
        let unread = &connection.received[connection.judged..];
        let head = reference::head_length(unread)?;
        let early = scripted && self.early;
        let method: Vec<u8> = unread.iter().copied().take_while(|b| *b != b' ').collect();
        let asks = unread[..head]
            .windows(UPGRADE.len())
            .any(|at| at == UPGRADE);
        if let Ok((_, length)) = reference::request(Reader::Strict, unread) {
            connection.judged += length;
            if std::mem::take(&mut connection.answered) {
                return None;
            }
        } else if early && !connection.answered {
            connection.answered = true;
        } else {
            return None;
        }
        self.requests += 1;
        let origin = Origin {
            answer: &self.answer,
            ending: self.ending,
            early: self.early,
            plain: self.plain,
            split: self.split,
        };
        let bytes = origin.answer(scripted, &method);
        if asks && bytes.starts_with(b"HTTP/1.1 101") {
            connection.switched = Some(connection.received.len());
        }
        let ending = if scripted { self.ending } else { Ending::Stays };
        Some(Answer {
            method,
            bytes,
            ended: ending != Ending::Stays,
            ending,
            early,
        })
    }
}

impl Client {
    /// Connects; false if it has already.
    fn connect(&mut self, net: &mut Net) -> bool {
        if self.from.is_some() {
            return false;
        }
        let socket = net.connect(PROXY_ADDRESS).expect("ports are free");
        self.from = net.local_address(socket).ok();
        self.socket = Some(socket);
        true
    }

    /// The next piece arrives; false if there is none.
    fn arrive(&mut self) -> bool {
        match self.later.pop_front() {
            Some(piece) if self.socket.is_some() => self.outgoing.extend(piece),
            Some(_) | None => return false,
        }
        true
    }

    fn finish(&self, net: &mut Net) {
        if let Some(socket) = self.socket {
            // It may have been told enough, and be gone.
            let _ = net.finish(socket);
        }
    }

    fn flush(&mut self, net: &mut Net) {
        if let Some(socket) = self.socket
            && !flush(net, socket, &mut self.outgoing)
        {
            self.later.clear();
        }
    }
}

impl Server {
    /// Puts an answer in line. What is behind a whole answer comes with its last byte: what comes
    /// later could be for the next request.
    fn say(&mut self, script: &Script, answer: &Answer) {
        let pieces = script.split.pieces(&answer.bytes);
        let whole = whole_length(&answer.bytes, &answer.method);
        let mut begins = 0;
        for piece in pieces {
            match self.later.back_mut().filter(|_| begins >= whole) {
                Some(last) => last.extend(piece),
                None => self.later.push_back(piece.to_vec()),
            }
            begins += piece.len();
        }
        self.ending = answer.ending;
        if answer.early {
            self.outgoing.extend(self.later.drain(..).flatten());
        }
    }

    fn flush(&mut self, net: &mut Net) {
        if let Some(socket) = self.socket
            && !flush(net, socket, &mut self.outgoing)
        {
            self.held = false;
        }
    }
}

/// Where the final answer ends; all of the bytes if it does not.
fn whole_length(bytes: &[u8], method: &[u8]) -> usize {
    let mut at = 0;
    while let Ok((answer, length)) = reference::response(&bytes[at..], method, false) {
        at += length;
        if answer.status() >= 200 {
            return at;
        }
    }
    bytes.len()
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Finished,
    Reset,
}

/// Reads all that is there.
fn read(net: &mut Net, socket: Socket, into: &mut Vec<u8>) -> Option<End> {
    let mut space = [0; 4096];
    loop {
        match net.read(socket, &mut space) {
            Ok(0) => return Some(End::Finished),
            Ok(count) => into.extend_from_slice(&space[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(_) => return Some(End::Reset),
        }
    }
}

/// Reads all that is there; true at the end.
fn drain(net: &mut Net, socket: Socket, into: &mut Vec<u8>) -> bool {
    read(net, socket, into).is_some()
}

/// Writes as much as fits; false if nothing ever will again.
fn flush(net: &mut Net, socket: Socket, bytes: &mut Vec<u8>) -> bool {
    while !bytes.is_empty() {
        match net.write(socket, bytes) {
            Ok(count) => drop(bytes.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => {
                bytes.clear();
                return false;
            }
        }
    }
    true
}

/// Until the engine knows the backend's name it lets nobody in.
const OPENS: Moment = Moment(1_000_000_000);

const UPGRADE: &[u8] = b"\r\nConnection: upgrade\r\n";

/// Where the engine listens.
pub(crate) const PROXY_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

/// Where the backend listens.
pub(crate) const BACKEND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
