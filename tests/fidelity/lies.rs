//! Does the comparison notice anything? Kernels that lie once in a while, each in its own way.

use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;

use crate::kernel::SimKernel;
use crate::player::Player;
use crate::script::script;
use crate::truth::Sky;

/// A calm fake kernel with one flaw.
struct Liar {
    kernel: SimKernel,
    lie: Lie,
}

/// The flaw.
#[derive(Clone, Copy, Debug)]
enum Lie {
    /// A reset reads like an end.
    ResetIsEnd,
    /// A byte of a read is another one.
    WrongByte,
    /// A read passes over a byte.
    LostByte,
    /// No event says that a stream has ended.
    NoEnded,
    /// Every event says that the stream has ended.
    EarlyEnded,
    /// No event says that there is room.
    NoWritable,
    /// A write to a broken connection seems to succeed.
    DeafWrite,
    /// Close does not say so.
    SilentClose,
    /// A connection that stands is refused.
    Refused,
}

const LIES: [Lie; 9] = [
    Lie::ResetIsEnd,
    Lie::WrongByte,
    Lie::LostByte,
    Lie::NoEnded,
    Lie::EarlyEnded,
    Lie::NoWritable,
    Lie::DeafWrite,
    Lie::SilentClose,
    Lie::Refused,
];

#[test]
fn every_lie_is_noticed() {
    for lie in LIES {
        let noticed = (0..400).filter(|seed| {
            let kernel = SimKernel::new(*seed);
            let mut liar = Liar { kernel, lie };
            liar.kernel.bounds().strict = false;
            let at = SocketAddr::from(([127, 0, 0, 1], 0));
            let (sky, glance) = (Sky::Clear, Span(60_000));
            let steps = script(*seed);
            Player::play(&mut liar, sky, glance, at, &steps, &mut Vec::new()).is_err()
        });
        assert!(noticed.count() > 0, "{lie:?} was never noticed");
    }
}

impl Kernel for Liar {
    fn now(&self) -> Moment {
        self.kernel.now()
    }

    fn wait(&mut self, until: Option<Moment>, ready: &mut Vec<Ready>) -> bool {
        let whole = self.kernel.wait(until, ready);
        for event in ready {
            match self.lie {
                Lie::NoEnded => event.ended = false,
                Lie::EarlyEnded => event.ended = true,
                Lie::NoWritable => event.writable = false,
                Lie::ResetIsEnd
                | Lie::WrongByte
                | Lie::LostByte
                | Lie::DeafWrite
                | Lie::SilentClose
                | Lie::Refused => {}
            }
        }
        whole
    }

    fn news(&mut self) -> Option<News> {
        self.kernel.news()
    }

    fn resolve(&mut self, ticket: u64, name: &str) {
        self.kernel.resolve(ticket, name);
    }

    fn listen(&mut self, at: SocketAddr) -> io::Result<Socket> {
        self.kernel.listen(at)
    }

    fn local_address(&self, socket: Socket) -> io::Result<SocketAddr> {
        self.kernel.local_address(socket)
    }

    fn accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)> {
        self.kernel.accept(listener)
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        self.kernel.connect(to)
    }

    fn established(&mut self, socket: Socket) -> io::Result<()> {
        if matches!(self.lie, Lie::Refused) {
            return Err(io::Error::from_raw_os_error(111));
        }
        self.kernel.established(socket)
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        if matches!(self.lie, Lie::LostByte) {
            let _ = self.kernel.read(socket, &mut [0]);
        }
        let result = self.kernel.read(socket, into);
        match (self.lie, &result) {
            (Lie::WrongByte, Ok(1..)) => into[0] ^= 1,
            (Lie::ResetIsEnd, Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Ok(0);
            }
            _ => {}
        }
        result
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        let result = self.kernel.write(socket, from);
        match (self.lie, &result) {
            (Lie::DeafWrite, Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(from.len())
            }
            _ => result,
        }
    }

    fn finish(&mut self, socket: Socket) -> io::Result<()> {
        self.kernel.finish(socket)
    }

    fn close(&mut self, socket: Socket) {
        if !matches!(self.lie, Lie::SilentClose) {
            self.kernel.close(socket);
        }
    }

    fn abort(&mut self, socket: Socket) {
        self.kernel.abort(socket);
    }
}
