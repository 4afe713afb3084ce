//! The floor: a relay that parses nothing. One thread, one epoll set, for each client a connection
//! to the origin that it keeps; a request costs one receive and one send each way and a share of a
//! wait. No proxy over the same system calls can be cheaper, so what lies above is the proxy's own.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;

use mio::Events;
use mio::Interest;
use mio::Poll;
use mio::Token;
use mio::net::TcpListener;
use mio::net::TcpStream;
use slab::Slab;

/// One side of a pair: what came from it and could not be passed on yet.
struct End {
    stream: TcpStream,
    pending: Vec<u8>,
    ended: bool,
    finished: bool,
}

/// Relays until it is killed.
pub(crate) fn run(listen: SocketAddr, origin: SocketAddr) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&listen.into())?;
    socket.listen(4096)?;
    let mut listener = TcpListener::from_std(socket.into());
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut pairs: Slab<[End; 2]> = Slab::new();
    let mut room = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    let entry = pairs.vacant_entry();
                    let key = entry.key() * 2;
                    let server = TcpStream::connect(origin)?;
                    server.set_nodelay(true)?;
                    let mut ends = [client, server].map(|stream| End {
                        stream,
                        pending: Vec::new(),
                        ended: false,
                        finished: false,
                    });
                    let both = Interest::READABLE | Interest::WRITABLE;
                    for (at, end) in ends.iter_mut().enumerate() {
                        poll.registry()
                            .register(&mut end.stream, Token(key + at), both)?;
                    }
                    entry.insert(ends);
                }
                continue;
            }
            let (key, side) = (event.token().0 / 2, event.token().0 % 2);
            let Some(ends) = pairs.get_mut(key) else {
                continue;
            };
            let closing = event.is_read_closed() || event.is_error();
            let mut result = Ok(());
            if event.is_readable() || closing {
                result = relay(ends, side, &mut room, closing);
            }
            if result.is_ok() && event.is_writable() && !ends[1 - side].pending.is_empty() {
                // What waited for room goes on, and so does its sender.
                result = relay(ends, 1 - side, &mut room, true);
            }
            if result.is_err() || ends.iter().all(|end| end.finished) {
                pairs.remove(key);
            }
        }
    }
}

/// Passes on what comes from one side, as far as it goes.
fn relay(ends: &mut [End; 2], from: usize, room: &mut [u8], is_thorough: bool) -> io::Result<()> {
    loop {
        while !ends[from].pending.is_empty() {
            let [first, second] = ends;
            let (source, sink) = if from == 0 {
                (first, second)
            } else {
                (second, first)
            };
            match sink.stream.write(&source.pending) {
                Ok(count) => drop(source.pending.drain(..count)),
                Err(error) if is_early(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if ends[from].ended {
            if !ends[from].finished {
                ends[from].finished = true;
                ends[1 - from].stream.shutdown(std::net::Shutdown::Write)?;
            }
            return Ok(());
        }
        let count = match ends[from].stream.read(room) {
            Ok(0) => {
                ends[from].ended = true;
                continue;
            }
            Ok(count) => count,
            Err(error) if is_early(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let sent = match ends[1 - from].stream.write(&room[..count]) {
            Ok(sent) => sent,
            Err(error) if is_early(&error) => 0,
            Err(error) => return Err(error),
        };
        ends[from].pending.extend_from_slice(&room[sent..count]);
        if ends[from].pending.is_empty() && count < room.len() && !is_thorough {
            return Ok(());
        }
    }
}

/// The socket is full, empty, or not connected yet.
fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
    )
}

const LISTENER: Token = Token(usize::MAX - 1);
