//! What the tests of the contract are written with: a world, what its kernel has said so far, and
//! waits that trust edges and nothing else.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;

use crate::faults::Fault;
use crate::kernel::SimKernel;
use crate::worlds::Fake;
use crate::worlds::Peer;
use crate::worlds::Real;
use crate::worlds::World;

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
        self.poll(|suite| suite.saw(socket, enough).then_some(()));
    }

    /// Whether what was seen of `socket` is enough.
    pub(crate) fn saw(&self, socket: Socket, enough: fn(&Ready) -> bool) -> bool {
        self.seen.get(&socket).is_some_and(enough)
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
