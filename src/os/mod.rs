//! The operating system behind [`Kernel`]: the only room that knows mio, socket2, signals and the
//! clock.
//!
//! Layer 4. It exists so that everything above can be run against a fake; `main` alone makes one.
//! The contract is in [`crate::engine::kernel`], the proof in `tests/kernel_contract.rs`.
//!
//! What a verb costs in system calls (Linux): `accept` is `accept4` and one `epoll_ctl`;
//! `connect` is `socket`, one `setsockopt`, `connect` and one `epoll_ctl`; `read`, `write`,
//! `finish` and `close` are one each. No connection is ever deregistered: closing the last
//! descriptor of a socket takes it out of the epoll set (epoll(7), question 6), and none of theirs
//! is ever duplicated.
//!
//! SIGPIPE cannot kill us: Rust's runtime ignores it before `main`, and the standard library
//! sends with `MSG_NOSIGNAL` besides, so a write to a dead peer is `EPIPE`.

mod files;
mod mailbox;
mod pipes;
mod reader;
pub mod resolver;
mod scribe;
mod setup;
mod signals;
mod sockets;
mod tokens;
mod vitals;

use std::collections::VecDeque;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use mio::Interest;
use mio::Token;
use mio::Waker;
use mio::net::TcpListener;
use mio::net::TcpStream;

use tokens::HANG_UP;
use tokens::QUIT;
use tokens::REOPEN;
use tokens::STOP;
use tokens::WAKE;
use tokens::packed;
use tokens::unpacked;

use crate::base::Pipe;
use crate::base::Socket;
use crate::base::arena::Arena;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::News;
use crate::engine::kernel::Reach;
use crate::engine::kernel::Ready;
use crate::engine::kernel::Vitals;
use crate::engine::kernel::Word;
use crate::limits;
use mailbox::Mailbox;
use reader::Reader;
use resolver::Resolver;
use signals::Signals;
use sockets::Entry;
use sockets::IN_PROGRESS;
use sockets::NOWHERE;
use sockets::fresh;
use sockets::readiness;
use sockets::stale;
use sockets::uninterrupted;

pub use reader::Errand;
pub use scribe::Complain;
pub use scribe::Pen;
pub use scribe::Scribe;
pub use sockets::check_free;
pub use vitals::raise_descriptor_limit;

/// Sockets, names, signals and time of a Unix machine, behind one epoll set.
#[derive(Debug)]
pub struct MioKernel {
    poll: mio::Poll,
    events: mio::Events,
    sockets: Arena<Entry>,
    pipes: Arena<pipes::Ends>,
    news: VecDeque<News>,
    /// The one way to wake this loop from another thread: mio wants no second one per poll.
    waker: Option<Arc<Waker>>,
    resolver: Option<Resolver>,
    reader: Option<Reader>,
    mailbox: Option<Mailbox>,
    signals: Option<Signals>,
    doors: files::Doors,
    pen: Option<Pen>,
    started: Instant,
}

impl MioKernel {
    /// A kernel without sockets, whose clock starts at zero. No thread runs and no signal is
    /// caught until somebody asks.
    ///
    /// # Errors
    /// Those of `epoll_create1(2)`: `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: mio::Poll::new()?,
            events: mio::Events::with_capacity(limits::EVENTS_PER_WAIT),
            sockets: Arena::default(),
            pipes: Arena::default(),
            news: VecDeque::new(),
            waker: None,
            resolver: None,
            reader: None,
            mailbox: None,
            signals: None,
            doors: files::Doors::default(),
            pen: None,
            started: clock(),
        })
    }

    /// A signal is for the whole program.
    fn signalled(&mut self, token: Token) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        let Some(news) = signals.collect(token) else {
            return;
        };
        if let Some(mailbox) = &self.mailbox {
            mailbox.tell(&news);
        }
        self.news.push_back(news);
    }

    /// How long the next poll may sleep: rounded up to its millisecond, so that it does not
    /// return a moment too early and spin there.
    fn timeout(&self, until: Option<Moment>) -> Option<Duration> {
        if !self.news.is_empty() {
            return Some(Duration::ZERO);
        }
        let left = until?.since(self.now());
        Some(Duration::from_millis(left.0.div_ceil(1_000_000)))
    }

    /// Sorts the events of one poll into `ready` and the news, and says how many there were.
    fn sort(&mut self, ready: &mut Vec<Ready>) -> usize {
        let (mut count, mut signals) = (0, [None; 3]);
        for event in &self.events {
            count += 1;
            match event.token() {
                token if token == WAKE => {
                    if let Some(resolver) = &self.resolver {
                        resolver.collect(&mut self.news);
                    }
                    if let Some(mailbox) = &self.mailbox {
                        mailbox.collect(&mut self.news);
                    }
                    if let Some(reader) = &self.reader {
                        reader.collect(&mut self.news);
                    }
                }
                token if token == STOP => signals[0] = Some(token),
                token if token == QUIT => signals[1] = Some(token),
                token if token == HANG_UP || token == REOPEN => {
                    if token == HANG_UP {
                        signals[2] = Some(token);
                    } else if let Some(signals) = &mut self.signals {
                        signals.reopening();
                    }
                    if let Some(pen) = &self.pen {
                        pen.reopen();
                    }
                }
                token => {
                    let socket = unpacked(token);
                    if self.sockets.get(socket.0).is_some() {
                        ready.push(readiness(socket, event));
                    }
                }
            }
        }
        for token in signals.into_iter().flatten() {
            self.signalled(token);
        }
        count
    }

    /// Gives a fresh socket its number and its one registration.
    fn admit(&mut self, entry: Entry) -> io::Result<Socket> {
        let key = self.sockets.insert(entry);
        let registry = self.poll.registry();
        let token = packed(Socket(key));
        let registered = match self.sockets.get_mut(key) {
            Some(Entry::Listener(listener)) => {
                registry.register(listener, token, Interest::READABLE)
            }
            Some(Entry::File(file)) => {
                registry.register(&mut file.listener, token, Interest::READABLE)
            }
            Some(Entry::Stream(stream)) => {
                registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
            }
            Some(Entry::Local(stream)) => {
                registry.register(stream, token, Interest::READABLE | Interest::WRITABLE)
            }
            None => Err(stale()),
        };
        if let Err(error) = registered {
            self.sockets.remove(key);
            return Err(error);
        }
        Ok(Socket(key))
    }

    /// Of a connection, whichever kind it is.
    fn descriptor(&self, socket: Socket) -> io::Result<BorrowedFd<'_>> {
        match self.sockets.get(socket.0) {
            Some(Entry::Local(stream)) => Ok(stream.as_fd()),
            _ => self.stream(socket).map(AsFd::as_fd),
        }
    }

    fn stream(&self, socket: Socket) -> io::Result<&TcpStream> {
        match self.sockets.get(socket.0) {
            Some(Entry::Stream(stream)) => Ok(stream),
            Some(Entry::Listener(_) | Entry::File(_) | Entry::Local(_)) | None => Err(stale()),
        }
    }
}

impl Kernel for MioKernel {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn wait(&mut self, until: Option<Moment>, ready: &mut Vec<Ready>) -> bool {
        loop {
            let timeout = self.timeout(until);
            match self.poll.poll(&mut self.events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // epoll_wait(2) knows EBADF, EFAULT, EINVAL and EINTR; the descriptor and the
                // memory are ours for as long as `self` lives, and the capacity is not zero.
                Err(error) => panic!("epoll_wait fails on its own descriptor: {error}"),
            }
            let count = self.sort(ready);
            // The clock is looked at last: a turn that has work to do need not ask it twice.
            if !ready.is_empty()
                || !self.news.is_empty()
                || until.is_some_and(|until| self.now() >= until)
            {
                return count < limits::EVENTS_PER_WAIT;
            }
        }
    }

    fn news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn tell(&mut self, word: Word) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.tell(&News::Told(word));
        }
    }

    fn tell_first(&mut self, word: Word) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.tell_first(News::Told(word));
        }
    }

    fn resolve(&mut self, ticket: u64, name: &str) {
        if let Some(answer) = resolver::literal(ticket, name) {
            self.news.push_back(answer);
            return;
        }
        if self.resolver.is_none() {
            self.resolver = self.waker().and_then(Resolver::start).ok();
        }
        let asked = self
            .resolver
            .as_ref()
            .is_some_and(|resolver| resolver.ask(ticket, name));
        if !asked {
            // Out of threads or descriptors, or the thread has died: start anew next time.
            self.resolver = None;
            self.news.push_back(News::Resolved {
                ticket,
                addresses: Vec::new(),
            });
        }
    }

    fn reread(&mut self) -> bool {
        let Some(reader) = &self.reader else {
            return false;
        };
        if let Err(error) = reader.start() {
            let why = format!("no thread to read it on: {error}; raise the limit (ulimit -u)");
            self.news.push_back(News::Reread(Err(why)));
        }
        true
    }

    fn check_free(&mut self, at: SocketAddr) -> io::Result<()> {
        check_free(at)
    }

    fn listen(&mut self, at: SocketAddr) -> io::Result<Socket> {
        let listener = sockets::listen(at, self.mailbox.is_some())?;
        self.admit(Entry::Listener(TcpListener::from_std(listener)))
    }

    fn listen_unix(&mut self, at: &Path, reach: Reach) -> io::Result<Socket> {
        // Other loops join it; in this one it would be two things at once.
        if self.sockets.iter().any(|(_, entry)| entry.is_at(at)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let file = self.doors.open(at, reach)?;
        self.admit(Entry::File(file))
    }

    fn unix_time(&self) -> u64 {
        vitals::unix_time()
    }

    fn log(&mut self, lines: &[u8]) {
        if let Some(pen) = &self.pen {
            pen.write(lines);
        }
    }

    fn unlogged(&self) -> u64 {
        self.pen.as_ref().map_or(0, Pen::lost)
    }

    fn vitals(&self) -> Vitals {
        vitals::of_process()
    }

    fn local_address(&self, socket: Socket) -> io::Result<SocketAddr> {
        match self.sockets.get(socket.0) {
            Some(Entry::Listener(listener)) => listener.local_addr(),
            Some(Entry::Stream(stream)) => stream.local_addr(),
            Some(Entry::File(_) | Entry::Local(_)) => Ok(NOWHERE),
            None => Err(stale()),
        }
    }

    fn accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)> {
        let listener = match self.sockets.get(listener.0) {
            Some(Entry::Listener(listener)) => listener,
            Some(Entry::File(file)) => {
                let (stream, _) = uninterrupted(|| file.listener.accept())?;
                return Ok((self.admit(Entry::Local(stream))?, NOWHERE));
            }
            Some(Entry::Stream(_) | Entry::Local(_)) | None => return Err(stale()),
        };
        let (stream, peer) = uninterrupted(|| listener.accept())?;
        let socket = self.admit(Entry::Stream(stream))?;
        Ok((socket, peer))
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        let socket = fresh(to)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(limits::UNSENT_BYTES_MAX)?;
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            // An interrupted connect goes on by itself, connect(2); asking again would not help.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let stream: std::net::TcpStream = socket.into();
        self.admit(Entry::Stream(TcpStream::from_std(stream)))
    }

    fn established(&mut self, socket: Socket) -> io::Result<()> {
        let stream = self.stream(socket)?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(error),
        }
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        if let Some(Entry::Local(stream)) = self.sockets.get(socket.0) {
            let mut stream = stream;
            return uninterrupted(|| stream.read(into));
        }
        let mut stream = self.stream(socket)?;
        uninterrupted(|| stream.read(into))
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        if let Some(Entry::Local(stream)) = self.sockets.get(socket.0) {
            let mut stream = stream;
            return uninterrupted(|| stream.write(from));
        }
        let mut stream = self.stream(socket)?;
        uninterrupted(|| stream.write(from))
    }

    fn finish(&mut self, socket: Socket) -> io::Result<()> {
        if let Some(Entry::Local(stream)) = self.sockets.get(socket.0) {
            return stream.shutdown(Shutdown::Write);
        }
        let how = if planted(Bug::FinishShutsBoth) {
            Shutdown::Both
        } else {
            Shutdown::Write
        };
        self.stream(socket)?.shutdown(how)
    }

    fn close(&mut self, socket: Socket) {
        if let Some(Entry::File(mut file)) = self.sockets.remove(socket.0) {
            // Another loop may have a descriptor of it, and ours would go on waking this one.
            let _ = self.poll.registry().deregister(&mut file.listener);
        }
    }

    fn abort(&mut self, socket: Socket) {
        if let Some(Entry::Stream(stream)) = self.sockets.remove(socket.0) {
            // Should the option fail, the socket is still closed, only more politely.
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }

    fn pipe(&mut self) -> io::Result<Pipe> {
        Ok(Pipe(self.pipes.insert(pipes::Ends::open()?)))
    }

    fn fill(&mut self, from: Socket, pipe: Pipe, most: usize) -> io::Result<usize> {
        let from = self.descriptor(from)?;
        let ends = self.pipes.get(pipe.0).ok_or_else(stale)?;
        uninterrupted(|| ends.fill(from, most))
    }

    fn pour(&mut self, pipe: Pipe, to: Socket, most: usize) -> io::Result<usize> {
        let to = self.descriptor(to)?;
        let ends = self.pipes.get(pipe.0).ok_or_else(stale)?;
        uninterrupted(|| ends.pour(to, most))
    }

    fn burst(&mut self, pipe: Pipe) {
        self.pipes.remove(pipe.0);
    }
}

/// The one place where the clock is read.
#[expect(
    clippy::disallowed_methods,
    reason = "this room is where the clock lives"
)]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
