//! The seam under the engine: a dozen verbs over sockets named by number.
//!
//! Two things stand behind it: the operating system (`os`) and a seeded fake (`tests/sim`). Both
//! pass one suite, `tests/kernel_contract.rs`, which is the law; what follows is its preamble.
//!
//! - No verb blocks but [`Kernel::wait`].
//! - Every socket that a verb hands out is non-blocking, has `TCP_NODELAY`, and is already
//!   watched, both ways and edge-triggered: one registration in its life.
//! - Readiness is a hint. It may be spurious, late, repeated, split or merged, but never lost: a
//!   socket that was not ready and becomes ready is reported by some later `wait`.
//! - A read that returns fewer bytes than asked has emptied the socket, and a write that took
//!   fewer has filled it; what comes next is a new edge. The one exception is the end of the
//!   stream, which may have come with the bytes: it is then announced by [`Ready::ended`] in the
//!   event that announced them or in a later one, so after such an event a reader goes on until
//!   it gets 0 or an error.
//! - Errors are those of the operating system, with their numbers. `WouldBlock` is the only one
//!   after which a socket can be used again; `Interrupted` never comes out.
//! - A number whose socket was closed is never valid again: verbs on it fail with `NotFound`,
//!   and `wait` does not report it.
//!
//! The engine takes `&mut dyn Kernel`: one indirect call beside a system call of several hundred
//! nanoseconds.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::figures::Figures;
use super::figures::Question;
use super::plan::Plan;
use crate::admin::Change;
use crate::admin::report::Backend;
use crate::base::Fault;
use crate::base::Pipe;
use crate::base::Socket;
use crate::base::time::Moment;
use crate::peers::PeerId;

/// What [`Kernel::wait`] says of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Which one.
    pub socket: Socket,
    /// A read, or an accept, may now give something: bytes, the end or an error.
    pub readable: bool,
    /// A write may now take something, or a pending connect has its verdict.
    pub writable: bool,
    /// The peer will send no more, or the connection is broken: bytes may still be waiting.
    pub ended: bool,
}

/// What the process takes of the machine; zeros from a kernel that does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Bytes of memory in use.
    pub resident: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// What reaches the loop beside sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The answer to [`Kernel::resolve`]: addresses in the resolver's order, without repeats, or
    /// an empty list if the name has none or the resolver failed.
    Resolved {
        /// The ticket of the question.
        ticket: u64,
        /// Never more than 64.
        addresses: Vec<IpAddr>,
    },
    /// What another loop of the same program says.
    Told(Word),
    /// Somebody asks for the configuration to be read anew (HUP).
    HungUp,
    /// The answer to [`Kernel::reread`]: what was read, or what is wrong with it.
    Reread(Result<Arc<Plan>, String>),
    /// Somebody asks the program to end after what is running (TERM, INT).
    Stop,
    /// Somebody asks the program to end now (QUIT).
    Quit,
}

/// What one loop tells all others of the same program, or the first of them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A change was applied, and is to be applied by everybody.
    Changed(Change),
    /// A configuration that was read anew was applied, and is to be applied by everybody.
    Reloaded(Arc<Plan>),
    /// How an attempt to connect to a server went. All loops have the same servers under keys of
    /// the same generation: they are added, and changed, in the same order.
    Tried {
        /// Which server.
        peer: PeerId,
        /// Why it failed; `None` if it did not.
        fault: Option<Fault>,
    },
    /// Something is worth knowing of a loop, in one line: for the first one alone, which keeps the
    /// last of them for whoever looks.
    Noted(String),
    /// The first loop asks what all others have counted.
    Asked(Question),
    /// What a loop has counted, for the first one alone.
    Counted(Box<Figures>),
    /// A loop has nothing to do with a server any more, whose last figures these are: for the first
    /// one alone, which may still have it.
    Left {
        /// Which loop.
        worker: usize,
        /// The name of the pool.
        pool: String,
        /// What the loop has counted there.
        backend: Box<Backend>,
    },
}

/// Who may connect to a listener in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its owner alone (mode 0600).
    Owner,
    /// Everybody who can reach the file (mode 0666).
    Everybody,
}

/// The operating system, as far as a balancer needs it. The module's documentation is the
/// contract of every verb.
pub trait Kernel {
    /// The monotonic clock. Never goes back.
    fn now(&self) -> Moment;

    /// Waits until a socket is ready, news has come, or `until` is reached (never before it;
    /// `None` waits for ever, a moment in the past only looks), and appends to `ready`, which the
    /// caller has cleared.
    ///
    /// True if everything that has become ready was reported; false if more may be waiting.
    fn wait(&mut self, until: Option<Moment>, ready: &mut Vec<Ready>) -> bool;

    /// The next piece of news, in order of arrival. Looked at after every `wait`.
    fn news(&mut self) -> Option<News>;

    /// Tells all other loops of the program, which hear it as [`News::Told`], each in the order of
    /// telling. A loop that is alone tells nobody.
    fn tell(&mut self, word: Word) {
        let _ = word;
    }

    /// Tells the first loop of the program alone, as [`Kernel::tell`] tells all. Not for the first
    /// loop itself.
    fn tell_first(&mut self, word: Word) {
        let _ = word;
    }

    /// Starts looking up the addresses of `name`; the answer comes as [`News::Resolved`].
    fn resolve(&mut self, ticket: u64, name: &str);

    /// Starts reading the configuration anew, elsewhere; the answer comes as [`News::Reread`].
    /// False if there is nothing to read: then no answer comes.
    fn reread(&mut self) -> bool {
        false
    }

    /// Whether nobody listens at that address, for loops that share theirs: they would join
    /// somebody else unnoticed. A kernel that cannot know says yes, as this one does.
    ///
    /// # Errors
    /// `AddrInUse`, and whatever else [`Kernel::listen`] gives.
    fn check_free(&mut self, at: SocketAddr) -> io::Result<()> {
        let _ = at;
        Ok(())
    }

    /// Opens a listener with a backlog of at least [`crate::limits::BACKLOG`]; port 0 lets the
    /// system choose.
    ///
    /// # Errors
    /// `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`, and whatever `socket(2)`, `bind(2)`
    /// and `listen(2)` give.
    fn listen(&mut self, at: SocketAddr) -> io::Result<Socket>;

    /// Opens a listener in the file system. A file that a dead process has left there is replaced;
    /// closing the listener removes it. All loops of one program may open the same path: they share
    /// one queue of clients, and the last one to close removes the file. Connections of such a
    /// listener are said to come from [`crate::base::NO_ADDRESS`], port 0. They cannot be reset:
    /// [`Kernel::abort`] closes them. A kernel without a file system says `Unsupported`, as this
    /// one does.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there, or if the file is no socket; whatever `socket(2)`,
    /// `bind(2)` and `listen(2)` give.
    fn listen_unix(&mut self, at: &Path, reach: Reach) -> io::Result<Socket> {
        let _ = (at, reach);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The clock of the world, in nanoseconds since 1970; 0 from a kernel that has none. To be
    /// shown, never to be reckoned with: it may go back.
    fn unix_time(&self) -> u64 {
        0
    }

    /// Takes whole lines of the access log, to be written by somebody else: never waits for it.
    /// Lines that come faster than they are written are lost, whole, and counted.
    fn log(&mut self, lines: &[u8]) {
        let _ = lines;
    }

    /// How many lines of the access log were lost so far, by all loops of the program.
    fn unlogged(&self) -> u64 {
        0
    }

    /// What the process takes of the machine.
    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    /// Where a listener or connection really is.
    ///
    /// # Errors
    /// `NotFound` for a stale number.
    fn local_address(&self, socket: Socket) -> io::Result<SocketAddr>;

    /// Takes one connection off the listener's queue. It has not been reported yet: its first
    /// readiness comes with a later `wait`.
    ///
    /// # Errors
    /// `WouldBlock` when the queue is empty; `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` when out of
    /// resources (the connection stays queued and no edge announces it again); `ECONNABORTED` and
    /// other errors of `accept(2)` for a connection that has died in the queue.
    fn accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)>;

    /// Starts connecting. The verdict is [`Kernel::established`], after a `writable` event.
    ///
    /// # Errors
    /// What `connect(2)` says at once, `EINPROGRESS` excepted.
    fn connect(&mut self, to: SocketAddr) -> io::Result<Socket>;

    /// The verdict of a pending connect: `Ok` once it stands.
    ///
    /// # Errors
    /// `WouldBlock` while it is undecided; else why it failed (`SO_ERROR`).
    fn established(&mut self, socket: Socket) -> io::Result<()>;

    /// Reads. `Ok(0)` with a non-empty `into` is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the connection is broken.
    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize>;

    /// Writes. Never `Ok(0)` with a non-empty `from`.
    ///
    /// # Errors
    /// `WouldBlock` if nothing can be taken; else the connection is broken.
    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize>;

    /// Says that no more bytes will come (`shutdown(2)`, the writing half).
    ///
    /// # Errors
    /// `NotConnected` if the peer has already torn the connection down.
    fn finish(&mut self, socket: Socket) -> io::Result<()>;

    /// Closes. Bytes already written are still delivered, unless unread bytes are waiting: then
    /// TCP resets (RFC 2525 section 2.17), and the peer may lose what it has not read.
    fn close(&mut self, socket: Socket);

    /// Closes with a reset, so that the peer can see that the stream is not whole.
    fn abort(&mut self, socket: Socket);

    /// A new pipe, empty. A kernel without pipes says `Unsupported`, as this one does.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`: a pipe takes two descriptors.
    fn pipe(&mut self) -> io::Result<Pipe> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Moves up to `most` bytes, at least one, from a socket into an empty pipe (`splice(2)`).
    /// `Ok(0)` is the end of the stream. Fewer than asked says nothing about the socket: the pipe
    /// may be full with less, and what is left is not announced again. Into a pipe that is not
    /// empty this must not be called: a full pipe could not be told from an empty socket.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the connection is broken.
    fn fill(&mut self, from: Socket, pipe: Pipe, most: usize) -> io::Result<usize> {
        let _ = (from, pipe, most);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Moves up to `most` bytes, of which the pipe holds at least that many, from the pipe to a
    /// socket. Never `Ok(0)`. Fewer than asked says nothing about the socket.
    ///
    /// # Errors
    /// `WouldBlock` if nothing can be taken; else the connection is broken.
    fn pour(&mut self, pipe: Pipe, to: Socket, most: usize) -> io::Result<usize> {
        let _ = (pipe, to, most);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Closes a pipe, with whatever is in it.
    fn burst(&mut self, pipe: Pipe) {
        let _ = pipe;
    }
}
