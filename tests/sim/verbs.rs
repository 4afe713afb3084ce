//! The verbs of the fake network: what a party can do with its sockets.
//!
//! Same names, same arguments and same errors as [`tidegate::engine::kernel::Kernel`]; each call
//! is one step of the trace. Faults that only the program under test shall meet ask who calls.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::arena::Key;

use crate::faults::Fault;
use crate::link::End;
use crate::link::Fin;
use crate::link::Phase;
use crate::link::Thirst;
use crate::net::EAGAIN;
use crate::net::ENOTCONN;
use crate::net::EPIPE;
use crate::net::Kind;
use crate::net::Net;
use crate::net::PROXY;
use crate::queue::Plan;
use crate::trace::Step;
use crate::trace::Verb;
use crate::trace::minus;
use crate::trace::number;

impl Net {
    pub(crate) fn listen(&mut self, at: SocketAddr) -> io::Result<Socket> {
        let result = self.try_listen(at);
        self.note_socket(Verb::Listen, &result);
        result
    }

    pub(crate) fn accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)> {
        let result = self.try_accept(listener);
        let worth = match &result {
            Ok((socket, _)) => number(*socket).cast_signed(),
            Err(error) => minus(error),
        };
        self.note(Verb::Accept, listener, worth);
        result
    }

    pub(crate) fn connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        let result = self.try_connect(to);
        self.note_socket(Verb::Connect, &result);
        result
    }

    pub(crate) fn established(&mut self, socket: Socket) -> io::Result<()> {
        let result = self.try_established(socket);
        self.note(
            Verb::Established,
            socket,
            result.as_ref().map_or_else(minus, |()| 0),
        );
        result
    }

    pub(crate) fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        let result = self.try_read(socket, into);
        self.note_count(Verb::Read, socket, &result);
        result
    }

    pub(crate) fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        let result = self.try_write(socket, from);
        self.note_count(Verb::Write, socket, &result);
        result
    }

    pub(crate) fn finish(&mut self, socket: Socket) -> io::Result<()> {
        let result = self.try_finish(socket);
        self.note(
            Verb::Finish,
            socket,
            result.as_ref().map_or_else(minus, |()| 0),
        );
        result
    }

    pub(crate) fn close(&mut self, socket: Socket) {
        self.leave(Verb::Close, socket);
    }

    pub(crate) fn abort(&mut self, socket: Socket) {
        self.leave(Verb::Abort, socket);
    }

    pub(crate) fn local_address(&self, socket: Socket) -> io::Result<SocketAddr> {
        match self.sockets.get(socket.0).map(|entry| &entry.kind) {
            Some(Kind::Listener { at, .. }) => Ok(*at),
            Some(Kind::Stream { link, end }) => {
                let link = self.links.get(*link).ok_or(io::ErrorKind::NotFound)?;
                Ok(link.ends[usize::from(*end)].address)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn try_read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        let (key, side) = self.stream(socket)?;
        if into.is_empty() {
            self.misuse("read into an empty buffer");
            return Ok(0);
        }
        let mine = self.current == PROXY;
        let later = self.now + self.latency();
        let link = self.links.get_mut(key).ok_or(io::ErrorKind::NotFound)?;
        let pipe = &mut link.pipes[usize::from(1 - side)];
        let mut count = pipe.arrived.min(into.len());
        if count == 0 {
            let end = &mut link.ends[usize::from(side)];
            return match (pipe.fin, end.error) {
                (Fin::Arrived, _) => Ok(0),
                (Fin::Open | Fin::Sent, 0) if end.reset => Ok(0),
                (Fin::Open | Fin::Sent, 0) => Err(error(EAGAIN)),
                (Fin::Open | Fin::Sent, number) => {
                    end.error = 0;
                    Err(error(number))
                }
            };
        }
        let whole = pipe.fin == Fin::Arrived || link.ends[usize::from(side)].reset;
        if mine && !whole && self.faults.strikes(Fault::ShortRead) {
            // As if the rest had not arrived yet: it will, with an edge of its own.
            count = (self.faults.index(count + 1)).min(count);
            let back = pipe.arrived - count;
            pipe.arrived = count;
            if let Ok(count @ 1..) = u32::try_from(back) {
                let to = side;
                let link = key;
                pipe.floor = later.max(pipe.floor);
                self.queue.push(later, Plan::Arrive { link, to, count });
            }
            if count == 0 {
                return Err(error(EAGAIN));
            }
        }
        take(&mut pipe.bytes, &mut into[..count]);
        pipe.arrived -= count;
        if pipe.is_roomy() && link.ends[usize::from(1 - side)].thirsty() {
            self.quench(key, 1 - side);
        }
        self.open_window(key, side);
        Ok(count)
    }

    fn try_write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        let (key, side) = self.stream(socket)?;
        if from.is_empty() {
            self.misuse("write of an empty buffer");
            return Ok(0);
        }
        let mine = self.current == PROXY;
        let link = self.links.get_mut(key).ok_or(io::ErrorKind::NotFound)?;
        let end = &mut link.ends[usize::from(side)];
        let pipe = &mut link.pipes[usize::from(side)];
        if end.error != 0 {
            return Err(error(std::mem::take(&mut end.error)));
        }
        if end.reset || pipe.fin != Fin::Open {
            return Err(error(EPIPE));
        }
        if link.phase != Phase::Standing {
            return Err(error(EAGAIN));
        }
        let mut count = pipe.room().min(from.len());
        let mut teased = false;
        if mine && count > 0 && self.faults.strikes(Fault::BlockedWrite) {
            // Almost full counts as full; then the edge comes when somebody has read.
            (count, teased) = (0, true);
        } else if mine && count > 1 && self.faults.strikes(Fault::ShortWrite) {
            (count, teased) = (self.faults.size(count - 1), true);
        }
        if count < from.len() && end.thirst == Thirst::No {
            end.thirst = Thirst::Yes;
        }
        pipe.bytes.extend(&from[..count]);
        if teased && pipe.is_roomy() {
            self.quench(key, side);
        }
        if count == 0 {
            return Err(error(EAGAIN));
        }
        self.send(key, side, count);
        Ok(count)
    }

    fn try_finish(&mut self, socket: Socket) -> io::Result<()> {
        let (key, side) = self.stream(socket)?;
        let link = self.links.get(key).ok_or(io::ErrorKind::NotFound)?;
        let torn = link.ends[usize::from(side)].reset || link.is_over();
        if link.phase == Phase::Standing && !torn {
            self.send_fin(key, side);
        }
        // Linux wakes whoever waits for this socket, and tells all that is true of it.
        if let Some(link) = self.links.get(key) {
            let signs = link.signs(side);
            self.touch(socket, signs);
        }
        if torn
            || self
                .links
                .get(key)
                .is_none_or(|link| link.phase != Phase::Standing)
        {
            return Err(error(ENOTCONN));
        }
        Ok(())
    }

    /// Fails for numbers that stand for nothing, and stops whoever uses a neighbour's.
    pub(crate) fn live(&mut self, socket: Socket) -> io::Result<()> {
        let Some(entry) = self.sockets.get(socket.0) else {
            self.misuse("a verb on a socket that was closed");
            return Err(io::ErrorKind::NotFound.into());
        };
        assert_eq!(entry.party, self.current, "{socket:?} is somebody else's");
        Ok(())
    }

    pub(crate) fn stream(&mut self, socket: Socket) -> io::Result<(Key, u8)> {
        self.live(socket)?;
        match self.sockets.get(socket.0).map(|entry| &entry.kind) {
            Some(Kind::Stream { link, end }) => Ok((*link, *end)),
            Some(Kind::Listener { .. }) | None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn misuse(&mut self, what: &str) {
        self.party().misuses += 1;
        assert!(
            !self.bounds.strict,
            "party {}: {what}; last verbs:\n{}",
            self.current,
            self.trace.tail()
        );
    }

    pub(crate) fn note(&mut self, verb: Verb, socket: Socket, result: i64) {
        self.trace.record(Step {
            at: self.now,
            party: self.current,
            verb,
            socket: number(socket),
            result,
        });
    }

    fn note_count(&mut self, verb: Verb, socket: Socket, result: &io::Result<usize>) {
        let worth = match result {
            Ok(count) => i64::try_from(*count).unwrap_or(i64::MAX),
            Err(error) => minus(error),
        };
        self.note(verb, socket, worth);
    }

    fn note_socket(&mut self, verb: Verb, result: &io::Result<Socket>) {
        let (socket, worth) = match result {
            Ok(socket) => (*socket, 0),
            Err(error) => (NOBODY, minus(error)),
        };
        self.note(verb, socket, worth);
    }
}

impl End {
    fn thirsty(&self) -> bool {
        self.thirst == Thirst::Yes
    }
}

/// Moves the first bytes of `from` into all of `into`.
fn take(from: &mut VecDeque<u8>, into: &mut [u8]) {
    let (front, back) = from.as_slices();
    let first = front.len().min(into.len());
    into[..first].copy_from_slice(&front[..first]);
    let rest = into.len() - first;
    into[first..].copy_from_slice(&back[..rest]);
    from.drain(..into.len());
}

pub(crate) fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// What a step says of a socket that was not made.
pub(crate) const NOBODY: Socket = Socket(Key {
    index: u32::MAX,
    generation: 0,
});
