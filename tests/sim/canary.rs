//! Worlds that must fail: somebody stands between the engine and its kernel, or between a client
//! and its book, and does what must not be done. Whoever does not see that sees nothing.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::arena::Key;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;

use crate::kernel::SimKernel;
use crate::service::BARE;

/// What must not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A byte of an answer's body changes on its way.
    AnswerByte,
    /// A byte of a request's body changes on its way.
    RequestByte,
    /// An answer says that it is another's.
    OtherAnswer,
    /// An answer is made to look like a refusal of the proxy's own.
    Disowned,
    /// A POST goes out twice.
    Doubled,
    /// A request that was never under TLS goes out.
    Bare,
    /// A line end loses its CR.
    BareLineFeed,
    /// The first connection's turn is always another's: one server refuses everybody.
    Unfair,
    /// An event for a socket that never was.
    WrongGeneration,
    /// What becomes readable is not told.
    LostEdge,
    /// The wait comes back although nothing has happened, at once and always.
    Spin,
    /// A connection is never closed.
    Leak,
    /// The listener is never closed.
    LeakedListener,
    /// A book is not what a recount finds.
    Miscount,
    /// The wait comes back too late.
    Late,
    /// Nothing works any more once it should.
    Ruins,
    /// A server that was taken out is given a request, by the books.
    Intruder,
    /// A change is forgotten.
    Forgetful,
    /// Nobody hears that the program shall end.
    Deaf,
    /// Lines are lost, and nobody counts them.
    Unwritten,
}

/// The kernel, with somebody in front of it.
pub(crate) struct Saboteur<'a> {
    pub(crate) kernel: &'a mut SimKernel,
    pub(crate) sabotage: Sabotage,
}

impl Saboteur<'_> {
    fn does(&self, sabotage: Sabotage) -> bool {
        self.sabotage == sabotage
    }
}

impl Kernel for Saboteur<'_> {
    fn now(&self) -> Moment {
        self.kernel.now()
    }

    fn wait(&mut self, until: Option<Moment>, ready: &mut Vec<Ready>) -> bool {
        let started = self.kernel.now() > Moment(0) + Span::millis(5);
        if started && self.does(Sabotage::Spin) {
            return true;
        }
        let late = Span::millis(if self.does(Sabotage::Late) { 100 } else { 0 });
        let whole = self.kernel.wait(until.map(|until| until + late), ready);
        if started && self.does(Sabotage::LostEdge) {
            for ready in ready.iter_mut() {
                ready.readable = false;
            }
        }
        if started && self.does(Sabotage::WrongGeneration) {
            let socket = Socket(Key {
                index: 0,
                generation: u32::MAX,
            });
            ready.extend(ready.first().map(|first| Ready { socket, ..*first }));
        }
        whole
    }

    fn news(&mut self) -> Option<News> {
        self.kernel
            .news()
            .filter(|news| *news != News::Stop || !self.does(Sabotage::Deaf))
    }

    fn log(&mut self, lines: &[u8]) {
        if !self.does(Sabotage::Unwritten) {
            self.kernel.log(lines);
        }
    }

    fn unlogged(&self) -> u64 {
        self.kernel.unlogged()
    }

    fn unix_time(&self) -> u64 {
        self.kernel.unix_time()
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
        let first = IpAddr::from([10, 1, 0, 0]);
        let refused = self.does(Sabotage::Unfair) && to.ip() == first
            || self.does(Sabotage::Ruins) && self.kernel.now() > Moment(0) + Span::seconds(60);
        if refused {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.kernel.connect(to)
    }

    fn established(&mut self, socket: Socket) -> io::Result<()> {
        self.kernel.established(socket)
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        let count = self.kernel.read(socket, into)?;
        let bytes = &mut into[..count];
        let body = find(bytes, b"\r\n\r\n").map(|at| at + 4);
        let plain = find(bytes, b"Content-Length").is_some();
        let sabotaged = self.does(Sabotage::AnswerByte) && bytes.starts_with(b"HTTP")
            || self.does(Sabotage::RequestByte) && bytes.starts_with(b"POST");
        if let (true, Some(byte)) = (plain && sabotaged, body.and_then(|at| bytes.get_mut(at))) {
            *byte ^= 1;
        }
        if self.does(Sabotage::Disowned) && bytes.starts_with(b"HTTP/1.1 200") {
            bytes[9] = b'4';
            if let Some(at) = find(bytes, b"X-Id: ") {
                bytes[at] = b'Y';
            }
        }
        if let (true, Some(at)) = (
            self.does(Sabotage::OtherAnswer) && bytes.starts_with(b"HTTP"),
            find(bytes, b"X-Id: ").map(|at| at + 6),
        ) && let Some(digit) = bytes.get_mut(at)
        {
            *digit = if *digit == b'1' { b'2' } else { b'1' };
        }
        Ok(count)
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        if self.does(Sabotage::BareLineFeed) && from.starts_with(b"GET") {
            let at = find(from, b"\r\n").unwrap_or(from.len());
            let bad = [&from[..at], &from[at + 1..]].concat();
            self.kernel.write(socket, &bad)?;
            return Ok(from.len());
        }
        if self.does(Sabotage::Bare) && from.starts_with(b"GET") {
            let bad = [b"GET /", BARE, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            self.kernel.write(socket, &bad)?;
            return Ok(from.len());
        }
        let count = self.kernel.write(socket, from)?;
        if self.does(Sabotage::Doubled) && from.starts_with(b"POST") && count == from.len() {
            self.kernel.write(socket, from)?;
        }
        Ok(count)
    }

    fn finish(&mut self, socket: Socket) -> io::Result<()> {
        self.kernel.finish(socket)
    }

    fn close(&mut self, socket: Socket) {
        let listens = self.kernel.net().is_listener(socket);
        let kept = match listens {
            true => self.does(Sabotage::LeakedListener),
            false => self.does(Sabotage::Leak),
        };
        if !kept {
            self.kernel.close(socket);
        }
    }

    fn abort(&mut self, socket: Socket) {
        self.kernel.abort(socket);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::invariant::Invariant;
    use crate::scene::Kind;
    use crate::scene::Scene;

    /// What everybody in the frame has to see, and as what.
    const CANARIES: [(Sabotage, Kind, Invariant); 20] = [
        (Sabotage::Intruder, Kind::Calm, Invariant::RemovedRests),
        (Sabotage::Forgetful, Kind::Calm, Invariant::DumpReplays),
        (Sabotage::AnswerByte, Kind::Calm, Invariant::AnswerBytes),
        (Sabotage::RequestByte, Kind::Calm, Invariant::RequestBytes),
        (Sabotage::OtherAnswer, Kind::Calm, Invariant::OneAnswer),
        (Sabotage::Disowned, Kind::Calm, Invariant::RefusedStaysOut),
        (Sabotage::Doubled, Kind::Calm, Invariant::Executions),
        (Sabotage::Bare, Kind::Calm, Invariant::TlsFirst),
        (Sabotage::BareLineFeed, Kind::Calm, Invariant::Unambiguous),
        (Sabotage::Unfair, Kind::Calm, Invariant::Fair),
        (
            Sabotage::WrongGeneration,
            Kind::Calm,
            Invariant::Generations,
        ),
        (Sabotage::LostEdge, Kind::Calm, Invariant::Wakeups),
        (Sabotage::Spin, Kind::Calm, Invariant::NoSpin),
        (Sabotage::Leak, Kind::Calm, Invariant::Bounded),
        (Sabotage::LeakedListener, Kind::Calm, Invariant::NothingLeft),
        (Sabotage::Miscount, Kind::Calm, Invariant::Books),
        (Sabotage::Late, Kind::Calm, Invariant::Deadlines),
        (Sabotage::Ruins, Kind::Stormy, Invariant::Recovers),
        (Sabotage::Deaf, Kind::Calm, Invariant::EndsInTime),
        (Sabotage::Unwritten, Kind::Calm, Invariant::OneLine),
    ];

    #[test]
    fn every_gas_has_its_canary() {
        for invariant in Invariant::ALL {
            // Every song is a panic.
            let needless =
                invariant == Invariant::NoPanic || Invariant::UNASKED.contains(&invariant);
            let has = CANARIES.iter().any(|(.., of)| *of == invariant);
            assert!(has != needless, "{invariant}");
        }
    }

    #[test]
    fn every_canary_sings_of_its_own_gas() {
        for (sabotage, kind, invariant) in CANARIES {
            let mut songs = Vec::new();
            for seed in 0..10 {
                let scene = Scene::draw(kind, seed);
                if let Err(failure) = frame::sabotaged(&scene, Some(sabotage)) {
                    songs.push(failure.message);
                }
            }
            let name = format!("{invariant}:");
            let heard = songs.iter().any(|song| song.contains(&name));
            assert!(heard, "{sabotage:?} is not seen as {invariant}: {songs:#?}");
        }
    }

    #[test]
    fn a_canary_is_cornered() {
        let scene = Scene::draw(Kind::Calm, 3);
        let fails = |scene: &Scene| frame::sabotaged(scene, Some(Sabotage::AnswerByte)).is_err();
        let least = crate::shrink::shrink(&scene, &fails);
        assert!(fails(&least), "{least}");
        let asked: usize = least.clients.iter().map(|part| part.requests).sum();
        let rates = least.faults.iter().filter(|rate| **rate > 0).count();
        assert!(
            asked <= 10 && rates == 0 && least.clients.len() == 1,
            "{least}"
        );
    }
}
