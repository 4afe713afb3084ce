//! Both kernels with somebody on the other side of the wire, so that one suite can drive either.
//!
//! The peer's verbs never block; what is not ready yet is `WouldBlock`.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::collections::BTreeMap;
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
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;
use tidegate::os::MioKernel;

use crate::faults::Fault;
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

/// A world and what its kernel has said so far.
pub(crate) struct Suite {
    pub(crate) world: Box<dyn World>,
    seen: BTreeMap<Socket, Ready>,
}

/// The real kernel, and twenty fake ones of which all but the first have faults.
pub(crate) fn everywhere(test: fn(&mut Suite)) {
    test(&mut Suite::new(Box::new(Real::new())));
    for seed in 0..20 {
        let mut kernel = SimKernel::new(seed);
        kernel.bounds().strict = false;
        if seed > 0 {
            for fault in Fault::HARMLESS {
                // What Stale does is more than a kernel may do.
                if fault != Fault::Stale {
                    kernel.faults().set(fault, 200);
                }
            }
        }
        test(&mut Suite::new(Box::new(Fake {
            kernel,
            peers: Vec::new(),
        })));
    }
}

impl Suite {
    pub(crate) fn new(world: Box<dyn World>) -> Self {
        Self {
            world,
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn kernel(&mut self) -> &mut dyn Kernel {
        self.world.kernel()
    }

    /// A listener of the kernel's, and where it is.
    pub(crate) fn listen(&mut self) -> (Socket, SocketAddr) {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = self.kernel().listen(at).unwrap();
        let at = self.kernel().local_address(listener).unwrap();
        (listener, at)
    }

    /// A connection that the peer has opened, from both sides, and the listener.
    pub(crate) fn pair(&mut self) -> (Socket, Peer, Socket) {
        let (listener, at) = self.listen();
        let peer = self.world.dial(at);
        self.until(listener, |seen| seen.readable);
        let (socket, _) = self.kernel().accept(listener).unwrap();
        (socket, peer, listener)
    }

    /// One `wait` of up to 10 ms; what it says is added to what was seen.
    pub(crate) fn look(&mut self) -> Vec<Ready> {
        let mut ready = Vec::new();
        let kernel = self.world.kernel();
        let until = kernel.now() + Span::millis(10);
        kernel.wait(Some(until), &mut ready);
        for event in &ready {
            let seen = self.seen.entry(event.socket).or_insert(Ready {
                socket: event.socket,
                readable: false,
                writable: false,
                ended: false,
            });
            seen.readable |= event.readable;
            seen.writable |= event.writable;
            seen.ended |= event.ended;
        }
        ready
    }

    /// Forgets what was seen of `socket`.
    pub(crate) fn forget(&mut self, socket: Socket) {
        self.seen.remove(&socket);
    }

    /// Waits, doing nothing else, until what was seen of `socket` is enough.
    pub(crate) fn until(&mut self, socket: Socket, enough: fn(&Ready) -> bool) {
        self.poll(|suite| suite.seen.get(&socket).is_some_and(enough).then_some(()));
    }

    /// Waits until `attempt` gives something. Half a minute is for machines with other worries.
    pub(crate) fn poll<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Option<T>) -> T {
        let patience = self.kernel().now() + Span::seconds(30);
        loop {
            if let Some(found) = attempt(self) {
                return found;
            }
            assert!(self.kernel().now() < patience, "nothing came for 30 s");
            self.look();
        }
    }

    /// Waits until a connect that the kernel started has its verdict.
    pub(crate) fn verdict(&mut self, socket: Socket) -> io::Result<()> {
        self.poll(|suite| {
            let seen = suite.seen.get(&socket)?;
            if !seen.writable {
                return None;
            }
            let verdict = suite.kernel().established(socket);
            if blocked(&verdict) {
                suite.forget(socket);
                return None;
            }
            Some(verdict)
        })
    }

    /// The next piece of news.
    pub(crate) fn news(&mut self) -> News {
        self.poll(|suite| suite.kernel().news())
    }

    /// Reads on the kernel's side until `count` bytes are there, the stream ends or breaks.
    /// Trusts edges: it waits for one after each `WouldBlock`.
    pub(crate) fn read(&mut self, socket: Socket, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while bytes.len() < count {
            let most = buffer.len().min(count - bytes.len());
            let result = self.kernel().read(socket, &mut buffer[..most]);
            if blocked(&result) {
                self.forget(socket);
                self.until(socket, |seen| seen.readable);
                continue;
            }
            match result? {
                0 => break,
                some => bytes.extend_from_slice(&buffer[..some]),
            }
        }
        Ok(bytes)
    }

    /// Writes everything on the kernel's side; only for what fits into the socket's buffers.
    pub(crate) fn write(&mut self, socket: Socket, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let result = self.kernel().write(socket, bytes);
            if blocked(&result) {
                self.forget(socket);
                self.until(socket, |seen| seen.writable);
                continue;
            }
            bytes = &bytes[result.unwrap()..];
        }
    }

    /// Reads on the peer's side until `count` bytes are there, the stream ends or breaks.
    pub(crate) fn peer_read(&mut self, peer: Peer, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.poll(|suite| {
            let mut buffer = vec![0; count];
            while bytes.len() < count {
                let result = suite.world.read(peer, &mut buffer[..count - bytes.len()]);
                if blocked(&result) {
                    return None;
                }
                match result {
                    Ok(0) => break,
                    Ok(some) => bytes.extend_from_slice(&buffer[..some]),
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(()))
        })?;
        Ok(bytes)
    }

    /// Writes everything on the peer's side.
    pub(crate) fn peer_write(&mut self, peer: Peer, mut bytes: &[u8]) {
        self.poll(|suite| {
            while !bytes.is_empty() {
                let result = suite.world.write(peer, bytes);
                if blocked(&result) {
                    return None;
                }
                bytes = &bytes[result.unwrap()..];
            }
            Some(())
        });
    }
}

/// True for `WouldBlock`.
pub(crate) fn blocked<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

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
