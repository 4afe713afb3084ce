//! Both kernels with somebody on the other side of the wire, so that one suite can drive either.
//!
//! The peer's verbs never block; what is not ready yet is `WouldBlock`.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::getrlimit;
use rustix::process::setrlimit;
use socket2::Domain;
use socket2::Type;
use tidegate::base::Socket;
use tidegate::engine::kernel::Kernel;
use tidegate::os::MioKernel;

use crate::kernel::SimKernel;

/// A kernel and its counterpart.
pub(crate) trait World {
    fn kernel(&mut self) -> &mut dyn Kernel;
    /// The peer connects. By the next `wait` the connection is under way.
    fn dial(&mut self, to: SocketAddr) -> Peer;
    /// The peer listens.
    fn serve(&mut self) -> (Peer, SocketAddr);
    fn accept(&mut self, listener: Peer) -> io::Result<Peer>;
    fn read(&mut self, peer: Peer, into: &mut [u8]) -> io::Result<usize>;
    fn write(&mut self, peer: Peer, from: &[u8]) -> io::Result<usize>;
    fn finish(&mut self, peer: Peer);
    fn close(&mut self, peer: Peer);
    fn abort(&mut self, peer: Peer);
    /// Takes all descriptors from the kernel that are free, or gives them back. In the real world
    /// the whole process starves, so that a test that does this needs a process of its own.
    fn starve(&mut self, starved: bool);
    /// An address at which nobody listens, and nobody will.
    fn desert(&mut self) -> SocketAddr;
    /// True if events and transfers are never bent by faults.
    fn calm(&self) -> bool;
}

/// A socket of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(usize);

/// mio, and standard sockets in the same thread.
pub(crate) struct Real {
    kernel: MioKernel,
    peers: Vec<Option<Standard>>,
}

enum Standard {
    Listener(TcpListener),
    Stream(TcpStream),
}

impl Real {
    pub(crate) fn new() -> Self {
        Self {
            kernel: MioKernel::new().unwrap(),
            peers: Vec::new(),
        }
    }

    fn keep(&mut self, standard: Standard) -> Peer {
        self.peers.push(Some(standard));
        Peer(self.peers.len() - 1)
    }

    fn stream(&self, peer: Peer) -> &TcpStream {
        match self.peers[peer.0].as_ref() {
            Some(Standard::Stream(stream)) => stream,
            Some(Standard::Listener(_)) | None => panic!("{peer:?} is no open connection"),
        }
    }
}

impl World for Real {
    fn kernel(&mut self) -> &mut dyn Kernel {
        &mut self.kernel
    }

    fn dial(&mut self, to: SocketAddr) -> Peer {
        // Blocks until the backlog has it, for which nobody has to accept.
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nonblocking(true).unwrap();
        self.keep(Standard::Stream(stream))
    }

    fn serve(&mut self) -> (Peer, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap();
        (self.keep(Standard::Listener(listener)), at)
    }

    fn accept(&mut self, listener: Peer) -> io::Result<Peer> {
        let Some(Standard::Listener(listener)) = &self.peers[listener.0] else {
            panic!("{listener:?} is no listener");
        };
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true).unwrap();
        Ok(self.keep(Standard::Stream(stream)))
    }

    fn read(&mut self, peer: Peer, into: &mut [u8]) -> io::Result<usize> {
        self.stream(peer).read(into)
    }

    fn write(&mut self, peer: Peer, from: &[u8]) -> io::Result<usize> {
        self.stream(peer).write(from)
    }

    fn finish(&mut self, peer: Peer) {
        self.stream(peer).shutdown(Shutdown::Write).unwrap();
    }

    fn close(&mut self, peer: Peer) {
        self.peers[peer.0] = None;
    }

    fn abort(&mut self, peer: Peer) {
        let stream = socket2::SockRef::from(self.stream(peer));
        stream.set_linger(Some(Duration::ZERO)).unwrap();
        self.peers[peer.0] = None;
    }

    fn starve(&mut self, starved: bool) {
        let most = getrlimit(Resource::Nofile).maximum;
        let current = if starved {
            // The next descriptor is the lowest free one; the limit is the first forbidden.
            let next = File::open("/dev/null").unwrap().as_raw_fd();
            Some(u64::try_from(next).unwrap())
        } else {
            most
        };
        let maximum = most;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }

    fn desert(&mut self) -> SocketAddr {
        // Bound, but not listening: nobody else can get the port while it is kept.
        let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&at.into()).unwrap();
        let at = socket.local_addr().unwrap().as_socket().unwrap();
        self.keep(Standard::Stream(socket.into()));
        at
    }

    fn calm(&self) -> bool {
        true
    }
}

/// The fake, and the test as a party of its network.
pub(crate) struct Fake {
    pub(crate) kernel: SimKernel,
    pub(crate) peers: Vec<Socket>,
}

impl Fake {
    fn keep(&mut self, socket: Socket) -> Peer {
        self.peers.push(socket);
        Peer(self.peers.len() - 1)
    }
}

impl World for Fake {
    fn kernel(&mut self) -> &mut dyn Kernel {
        &mut self.kernel
    }

    fn dial(&mut self, to: SocketAddr) -> Peer {
        let socket = self.kernel.guest().connect(to).unwrap();
        self.keep(socket)
    }

    fn serve(&mut self) -> (Peer, SocketAddr) {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = self.kernel.guest().listen(at).unwrap();
        let at = self.kernel.local_address(listener).unwrap();
        (self.keep(listener), at)
    }

    fn accept(&mut self, listener: Peer) -> io::Result<Peer> {
        let (socket, _) = self.kernel.guest().accept(self.peers[listener.0])?;
        Ok(self.keep(socket))
    }

    fn read(&mut self, peer: Peer, into: &mut [u8]) -> io::Result<usize> {
        self.kernel.guest().read(self.peers[peer.0], into)
    }

    fn write(&mut self, peer: Peer, from: &[u8]) -> io::Result<usize> {
        self.kernel.guest().write(self.peers[peer.0], from)
    }

    fn finish(&mut self, peer: Peer) {
        self.kernel.guest().finish(self.peers[peer.0]).unwrap();
    }

    fn close(&mut self, peer: Peer) {
        self.kernel.guest().close(self.peers[peer.0]);
    }

    fn abort(&mut self, peer: Peer) {
        self.kernel.guest().abort(self.peers[peer.0]);
    }

    fn starve(&mut self, starved: bool) {
        let open = self.kernel.census();
        self.kernel.bounds().descriptors = if starved { open } else { usize::MAX };
    }

    fn desert(&mut self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
    }

    fn calm(&self) -> bool {
        self.kernel.net().faults.is_calm()
    }
}
