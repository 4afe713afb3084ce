//! How connections of the fake network come and go: listening, connecting, accepting, closing.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::arena::Key;
use tidegate::base::time::Span;

use crate::faults::Fault;
use crate::link::End;
use crate::link::Link;
use crate::link::Phase;
use crate::link::Pipe;
use crate::link::Presence;
use crate::net::EADDRINUSE;
use crate::net::EADDRNOTAVAIL;
use crate::net::EAGAIN;
use crate::net::ECONNABORTED;
use crate::net::ECONNREFUSED;
use crate::net::EHOSTUNREACH;
use crate::net::EINVAL;
use crate::net::EMFILE;
use crate::net::ENETDOWN;
use crate::net::ENETUNREACH;
use crate::net::ENFILE;
use crate::net::ENOBUFS;
use crate::net::ENOMEM;
use crate::net::EPROTO;
use crate::net::ETIMEDOUT;
use crate::net::Entry;
use crate::net::Kind;
use crate::net::Net;
use crate::net::PROXY;
use crate::net::Signs;
use crate::queue::Plan;
use crate::trace::Verb;
use crate::verbs::error;

impl Net {
    pub(crate) fn try_listen(&mut self, at: SocketAddr) -> io::Result<Socket> {
        self.room_for_descriptor()?;
        let port = if at.port() == 0 {
            self.port()
        } else {
            at.port()
        };
        let at = SocketAddr::new(at.ip(), port);
        if self.listeners.iter().any(|(other, _)| *other == at) {
            return Err(error(EADDRINUSE));
        }
        let queue = VecDeque::new();
        let socket = self.issue(Kind::Listener { at, queue });
        self.listeners.push((at, socket));
        Ok(socket)
    }

    pub(crate) fn try_accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)> {
        self.live(listener)?;
        // accept4(2) takes the descriptor before it looks into the queue.
        self.room_for_descriptor()?;
        let Some(entry) = self.sockets.get_mut(listener.0) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let Kind::Listener { queue, .. } = &mut entry.kind else {
            return Err(error(EINVAL));
        };
        if queue.is_empty() {
            return Err(error(EAGAIN));
        }
        if self.current == PROXY && self.faults.strikes(Fault::AcceptExhausted) {
            let errors = [EMFILE, ENFILE, ENOBUFS, ENOMEM];
            return Err(error(errors[self.faults.index(errors.len())]));
        }
        let link = queue.pop_front().expect("looked at above");
        if self.current == PROXY && self.faults.strikes(Fault::AcceptAborted) {
            self.depart(link, 1, Verb::Abort);
            return Err(error(ECONNABORTED));
        }
        if self.current == PROXY && self.faults.strikes(Fault::AcceptBroken) {
            self.depart(link, 1, Verb::Abort);
            let errors = [EPROTO, ENETDOWN, EHOSTUNREACH, ENETUNREACH];
            return Err(error(errors[self.faults.index(errors.len())]));
        }
        let socket = self.issue(Kind::Stream { link, end: 1 });
        let Some(state) = self.links.get_mut(link) else {
            return Err(error(ECONNABORTED));
        };
        state.ends[1].presence = Presence::Open(socket);
        let peer = state.ends[0].address;
        let signs = state.signs(1);
        self.touch(socket, signs);
        Ok((socket, peer))
    }

    pub(crate) fn try_connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        self.room_for_descriptor()?;
        let mine = self.current == PROXY;
        if mine && self.faults.strikes(Fault::ConnectExhausted) {
            let errors = [EMFILE, ENFILE, ENOBUFS, ENOMEM];
            return Err(error(errors[self.faults.index(errors.len())]));
        }
        let no_port = self.party().outgoing >= self.bounds.ports;
        if mine && (no_port || self.faults.strikes(Fault::PortsExhausted)) {
            return Err(error(EADDRNOTAVAIL));
        }
        if mine && self.faults.strikes(Fault::ConnectUnreachable) {
            let errors = [ENETUNREACH, EHOSTUNREACH];
            return Err(error(errors[self.faults.index(errors.len())]));
        }
        let mut host = self.party().host;
        if host.is_ipv4() != to.is_ipv4() {
            host = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
        }
        let from = SocketAddr::new(host, self.port());
        let (there, back) = (self.pipe(), self.pipe());
        let link = self.links.insert(Link {
            ends: [End::new(from), End::new(to)],
            pipes: [there, back],
            phase: Phase::Connecting,
            silent: false,
        });
        let socket = self.issue(Kind::Stream { link, end: 0 });
        self.party().outgoing += 1;
        if let Some(state) = self.links.get_mut(link) {
            state.ends[0].presence = Presence::Open(socket);
        }
        self.plan_connect(link, to);
        Ok(socket)
    }

    /// Decides how a connect goes on.
    fn plan_connect(&mut self, link: Key, to: SocketAddr) {
        let mine = self.current == PROXY;
        let mut at = self.now + self.latency();
        if mine && self.faults.strikes(Fault::ConnectNever) {
            return;
        }
        if mine && self.faults.strikes(Fault::ConnectTimedOut) {
            let error = ETIMEDOUT;
            let at = self.now + Span::seconds(5);
            self.queue.push(at, Plan::Verdict { link, error });
            return;
        }
        if mine && self.faults.strikes(Fault::ConnectUnrouted) {
            let error = EHOSTUNREACH;
            let at = self.now + Span::seconds(3);
            self.queue.push(at, Plan::Verdict { link, error });
            return;
        }
        if mine && self.faults.strikes(Fault::ConnectRefused) {
            let error = ECONNREFUSED;
            self.queue.push(at, Plan::Verdict { link, error });
            return;
        }
        let welcome = self.listener(to).is_some() && !self.backlog_full(to);
        if mine && welcome && self.faults.strikes(Fault::ConnectNow) {
            self.verdict(link, 0);
            return;
        }
        if mine && self.faults.strikes(Fault::ConnectSlow) {
            at = at + Span(self.faults.below(3_000_000_000));
        }
        self.queue.push(at, Plan::Syn { link, attempt: 0 });
    }

    pub(crate) fn try_established(&mut self, socket: Socket) -> io::Result<()> {
        let (key, end) = self.stream(socket)?;
        let link = self.links.get_mut(key).ok_or(io::ErrorKind::NotFound)?;
        let over = link.is_over();
        let end = &mut link.ends[usize::from(end)];
        if end.error != 0 {
            return Err(error(std::mem::take(&mut end.error)));
        }
        if link.phase != Phase::Standing || end.reset || over {
            return Err(error(EAGAIN));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self, verb: Verb, socket: Socket) {
        self.note(verb, socket, 0);
        if self.live(socket).is_err() {
            return;
        }
        let Some(entry) = self.sockets.remove(socket.0) else {
            return;
        };
        self.party().census -= 1;
        if self.current == PROXY {
            self.graves.truncate(3);
            self.graves.push_front(socket);
        }
        match entry.kind {
            Kind::Listener { queue, .. } => {
                self.listeners.retain(|(_, other)| *other != socket);
                for link in queue {
                    self.depart(link, 1, Verb::Abort);
                }
            }
            Kind::Stream { link, end } => {
                if end == 0 {
                    self.party().outgoing -= 1;
                }
                self.depart(link, end, verb);
            }
        }
    }

    /// Takes an end out of a connection, and tells the other end.
    fn depart(&mut self, key: Key, side: u8, verb: Verb) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let end = &mut link.ends[usize::from(side)];
        end.presence = Presence::Closed;
        let gone = end.reset;
        let alone = match link.ends[usize::from(1 - side)].presence {
            Presence::Closed => true,
            // Undecided, or refused: nobody will ever be there.
            Presence::Nobody => link.phase != Phase::Standing,
            Presence::Open(_) => false,
        };
        if alone {
            self.bury(key);
            return;
        }
        let inbound = &mut link.pipes[usize::from(1 - side)];
        let unread = inbound.arrived > 0;
        if unread || verb == Verb::Abort {
            inbound.bytes.clear();
            inbound.arrived = 0;
            inbound.held = 0;
        }
        if gone {
            return;
        }
        if unread || verb == Verb::Abort {
            self.send_reset(key, side);
        } else {
            self.send_fin(key, side);
        }
    }

    fn pipe(&mut self) -> Pipe {
        let bytes = self.spare.pop().unwrap_or_default();
        let capacity = if self.faults.strikes(Fault::SmallBuffers) {
            256 << self.faults.below(9)
        } else {
            self.bounds.buffer
        };
        Pipe::new(bytes, capacity)
    }

    fn issue(&mut self, kind: Kind) -> Socket {
        let party = self.current;
        self.party().census += 1;
        Socket(self.sockets.insert(Entry {
            party,
            listed: false,
            signs: Signs::NONE,
            kind,
        }))
    }

    fn room_for_descriptor(&mut self) -> io::Result<()> {
        if self.current == PROXY && self.party().census >= self.bounds.descriptors {
            return Err(error(EMFILE));
        }
        Ok(())
    }
}
