//! Sockets before they have a number, and what events say of those that have one.
//!
//! Only the kernel of this room, and the start of the program, call it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use mio::event::Event;
use mio::net::TcpListener;
use mio::net::TcpStream;

use super::files;
use crate::base::NO_ADDRESS;
use crate::base::Socket;
use crate::engine::kernel::Ready;
use crate::limits;

/// What a number stands for. Dropping it closes the descriptor.
#[derive(Debug)]
pub(super) enum Entry {
    Listener(TcpListener),
    Stream(TcpStream),
    File(files::FileListener),
    Local(mio::net::UnixStream),
}

impl Entry {
    /// Whether it is the listener at that path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        matches!(self, Self::File(file) if file.is_at(path))
    }
}

/// Whether somebody else listens at that address. Loops that share it would join them unnoticed.
///
/// # Errors
/// Those of `socket(2)` and `bind(2)`.
pub fn check_free(at: SocketAddr) -> io::Result<()> {
    let socket = fresh(at)?;
    socket.set_reuse_address(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&at.into())?;
    // Binding alone is allowed beside a listener when both may reuse the address.
    socket.listen(1)
}

/// A listener; a shared one is one of several of this program, among which the system spreads
/// clients.
pub(super) fn listen(at: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = fresh(at)?;
    // A restarted program must get its address back although connections of the old one
    // linger in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if at.is_ipv6() {
        // Otherwise `[::]:80` would take `0.0.0.0:80` too, or not, by a sysctl's mood.
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit it, which saves a system call for each of them.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(limits::UNSENT_BYTES_MAX)?;
    socket.bind(&at.into())?;
    socket.listen(limits::BACKLOG)?;
    Ok(socket.into())
}

/// A socket of the family of `address`, non-blocking from its birth.
pub(super) fn fresh(address: SocketAddr) -> io::Result<socket2::Socket> {
    socket2::Socket::new_raw(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM.nonblocking().cloexec(),
        Some(socket2::Protocol::TCP),
    )
}

/// What an event says. An error or a hang-up makes both directions worth a try: whoever tries
/// gets the error, and nobody who waits for one direction only is left waiting for ever.
pub(super) fn readiness(socket: Socket, event: &Event) -> Ready {
    let broken = event.is_error() || event.is_write_closed();
    let ended = event.is_read_closed() || event.is_error();
    Ready {
        socket,
        readable: event.is_readable() || ended || broken,
        writable: event.is_writable() || broken,
        ended,
    }
}

/// Repeats a call that a signal has cut short.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

pub(super) fn stale() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// Where connections of the file system are said to be.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(NO_ADDRESS, 0);

/// `EINPROGRESS` of Linux: `std::io::ErrorKind` has no stable name for it.
pub(super) const IN_PROGRESS: i32 = 115;
