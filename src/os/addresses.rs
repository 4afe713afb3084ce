//! Sockets at addresses: how they are made, and how they listen. Only the kernel of this room calls
//! it, and whoever starts several loops.

use std::io;
use std::net::SocketAddr;

use crate::limits;

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
