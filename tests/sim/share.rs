//! One busy session among quiet ones: it has its share of a turn and no more, and what is left
//! over needs no event to go on.

use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Span;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Listener;
use tidegate::config::Scheme;
use tidegate::engine::Engine;
use tidegate::engine::kernel::Kernel;
use tidegate::limits;
use tidegate::tally::Event;

use crate::kernel::SimKernel;
use crate::trace::Verb;

/// Everything that a turn could move, several shares of it, fits into the network at once.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// What a turn does beside running the session: it accepts, probes, looks at clocks and connects.
const OTHER_VERBS: u64 = 8;

/// A client and an origin with nothing in between but the engine.
struct Pair {
    kernel: SimKernel,
    engine: Engine,
    client: Socket,
    origin: Socket,
}

impl Pair {
    /// Both connected, the client's request at the origin.
    fn new() -> Self {
        let front = SocketAddr::from(([127, 0, 0, 1], 8000));
        let back = SocketAddr::from(([10, 1, 0, 0], 80));
        let mut kernel = SimKernel::new(1);
        kernel.bounds().strict = true;
        kernel.bounds().buffer = 2 * ANSWER_BYTES;
        let listener = kernel.guest().listen(back).unwrap();
        let mut config = Config {
            listeners: vec![Listener::at(front)],
            ..Config::default()
        };
        config.pools[0].health.probe = tidegate::config::Probe::Off;
        config.pools[0].backends = vec![Backend::new(
            Scheme::Http,
            Host::Address(back.ip()),
            back.port(),
        )];
        let mut engine = Engine::new(&config, &[], 1, &mut kernel).unwrap();
        let client = kernel.guest().connect(front).unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: sim.test\r\n\r\n";
        let mut asked = false;
        let until = kernel.now() + Span::seconds(1);
        let origin = loop {
            assert!(kernel.now() < until, "the request does not come");
            engine.turn(&mut kernel);
            asked = asked || kernel.guest().write(client, request).is_ok();
            if let Ok((origin, _)) = kernel.guest().accept(listener) {
                break origin;
            }
        };
        Self {
            kernel,
            engine,
            client,
            origin,
        }
    }

    /// The origin answers, all at once.
    fn answer(&mut self) {
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER_BYTES}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + ANSWER_BYTES, b'x');
        let mut buffer = [0; 4096];
        let until = self.kernel.now() + Span::seconds(1);
        while self.kernel.guest().read(self.origin, &mut buffer).is_err() {
            assert!(self.kernel.now() < until, "the request does not come");
            self.turn();
        }
        let taken = self.kernel.guest().write(self.origin, &bytes);
        assert_eq!(taken.unwrap(), bytes.len());
    }

    /// One turn; how many verbs moved bytes in it.
    fn turn(&mut self) -> u64 {
        self.engine.assert_settled();
        let moves = |kernel: &SimKernel| {
            kernel.trace().calls(Verb::Read) + kernel.trace().calls(Verb::Write)
        };
        let before = moves(&self.kernel);
        self.engine.turn(&mut self.kernel);
        moves(&self.kernel) - before
    }

    /// How many bytes are at the client by now.
    fn taken(&mut self) -> usize {
        let mut buffer = [0; 64 * 1024];
        let mut sum = 0;
        while let Ok(count) = self.kernel.guest().read(self.client, &mut buffer) {
            assert!(count > 0, "the answer was cut");
            sum += count;
        }
        sum
    }
}

#[test]
fn a_busy_session_has_its_share_and_what_is_left_needs_no_event() {
    let mut pair = Pair::new();
    pair.answer();
    let begun = pair.kernel.now();
    let mut taken = 0;
    while taken < ANSWER_BYTES {
        let verbs = pair.turn();
        assert!(
            verbs <= limits::STEPS_PER_RUN as u64 + OTHER_VERBS,
            "{verbs} verbs in one turn"
        );
        taken += pair.taken();
    }
    assert!(pair.engine.tally().of(Event::BudgetSpent) > 0);
    let span = pair.kernel.now().since(begun);
    assert!(span < Span::seconds(5), "it took {span}: something waited");
}
