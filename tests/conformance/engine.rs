//! Delivery through the engine that runs in production, on the simulator's kernel.
//!
//! One engine serves all deliveries, one after the other: whatever a case leaves behind spoils
//! the next one, and after each nothing may be left open. Reasons are read from the engine's own
//! list of troubles. In stormy weather everything comes late, in pieces, twice or in any order,
//! and must mean the same.

use tidegate::base::time::Span;
use tidegate::config::{Backend, Config, Host, Limits, Listener, Pool, Probe, Scheme};
use tidegate::engine::{Census, Engine, Turn, What};
use tidegate::limits;
use tidegate::session::Incident;
use tidegate::tally::Event;

use crate::case::{self, Ending};
use crate::delivery::{Origin, Proxy, Record, Split};
use crate::faults::Fault;
use crate::folder;
use crate::kernel::SimKernel;
use crate::mutate::Corpus;
use crate::notation::shown;
use crate::oracle;
use crate::stage::{BACKEND, PROXY_ADDRESS, Stage};
use crate::trial;
use crate::verdict::{self, Place};

/// A world with the engine in its middle.
pub(crate) struct World {
    kernel: SimKernel,
    engine: Engine,
    stage: usize,
}

impl World {
    /// A world; with faults at this rate, per mille, if they do no harm.
    fn new(seed: u64, faults: u16, quiet: Span) -> Self {
        Self::with(seed, faults, quiet, Limits::default())
    }

    /// The same with other limits.
    fn with(seed: u64, faults: u16, quiet: Span, limits: Limits) -> Self {
        let mut kernel = SimKernel::new(seed);
        kernel.bounds().strict = true;
        // Less than a window: an early answer is here before a long body is gone.
        kernel.bounds().buffer = 8 * 1024;
        for fault in Fault::HARMLESS {
            kernel.faults().set(fault, faults);
        }
        let name = "backend.test";
        let addresses = [BACKEND.ip()];
        kernel.guest().name(name, &addresses, Span::millis(1));
        let stage = kernel.add(Box::new(Stage::new(quiet)));
        let config = config(name, limits);
        let engine = Engine::new(&config, &[], seed, &mut kernel).expect("a free port");
        Self {
            kernel,
            engine,
            stage,
        }
    }

    fn turn(&mut self) {
        self.engine.assert_settled();
        assert_eq!(self.engine.turn(&mut self.kernel), Turn::Goes);
    }
}

impl Proxy for World {
    fn carry(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) -> Record {
        let stage = self.kernel.actor_mut::<Stage>(self.stage);
        stage.begin(pieces, origin);
        let mut turns = 0;
        while !self.kernel.actor::<Stage>(self.stage).is_over() {
            self.turn();
            turns += 1;
            assert!(turns < TURNS_MAX, "the loop spins");
        }
        let ended = self.kernel.actor_mut::<Stage>(self.stage).end();
        let (mut record, client) = ended.unwrap_or_else(|| {
            let (sent, tail) = (shown(&pieces.concat()), self.kernel.trace().tail());
            panic!("the client waits for ever, having sent:\n{sent}\n{tail}")
        });
        let mine = self.engine.recent().filter(|one| one.client == client);
        for trouble in mine {
            match trouble.what {
                What::Incident(incident) => record.incidents.push(incident),
                What::Ended(outcome) => record.outcome = Some(outcome),
            }
        }
        for incident in &record.incidents {
            if let Incident::Answered(status, cause) = incident {
                record.refusals.push((*status, *cause));
            }
        }
        let timers = self.engine.census().timers;
        assert!(timers <= 1, "{timers} timers are left");
        let left = Census {
            timers: 0,
            ..self.engine.census()
        };
        assert_eq!(left, Census::default(), "something is left");
        assert_eq!(self.kernel.census(), 1, "sockets are left");
        record
    }
}

/// No probes, and no timeout that a case could reach.
fn config(backend: &str, limits: Limits) -> Config {
    let long = Span::seconds(1_000_000);
    let mut listener = Listener {
        limits,
        // Heads are compared byte for byte, and no two ids are alike.
        request_id: None,
        ..Listener::at(PROXY_ADDRESS)
    };
    let mut pool = Pool {
        backends: vec![Backend::new(
            Scheme::Http,
            Host::Name(backend.to_owned()),
            BACKEND.port(),
        )],
        ..Pool::default()
    };
    pool.health.probe = Probe::Off;
    for span in [
        &mut listener.timeouts.head,
        &mut listener.timeouts.idle,
        &mut listener.timeouts.read,
        &mut listener.timeouts.write,
        &mut listener.timeouts.tunnel,
        &mut pool.timeouts.connect,
        &mut pool.timeouts.response,
        &mut pool.timeouts.read,
        &mut pool.reuse.idle_time,
    ] {
        *span = long;
    }
    Config {
        listeners: vec![listener],
        pools: vec![pool],
        // Ends the wait behind each delivery.
        resolve_interval: Span::seconds(10),
        ..Config::default()
    }
}

#[test]
fn the_engine_does_what_a_session_does() {
    let cases = case::all(&folder());
    let mut world = World::new(1, 0, Span::millis(1));
    verdict::check_all(&cases, &mut world);
}

/// Nothing is delivered before another request: what a backend says too much may come too late
/// to be told from the answer to that one.
#[test]
fn the_engine_does_the_same_in_a_storm() {
    let mut cases = case::all(&folder());
    // Whether an answer is early is for the weather to say.
    cases.retain(|case| !case.early);
    for case in &mut cases {
        // For how long depends on how long the delivery took.
        case.kept = None;
    }
    let mut wrong = Vec::new();
    let ways = [
        (Place::Alone, Split::Whole),
        (Place::Alone, Split::Lines),
        (Place::Behind, Split::Whole),
        (Place::Behind, Split::Random(7)),
    ];
    for seed in 1..=2 {
        let rate = [40, 300][usize::from(seed % 2 == 0)];
        let mut world = World::new(seed, rate, Span::seconds(20));
        for case in &cases {
            for way in ways {
                if let Err(why) = verdict::deliver(case, &mut world, way) {
                    wrong.push(format!("seed {seed}: {why}"));
                }
            }
        }
        for fault in Fault::HARMLESS {
            let fired = world.kernel.faults().fired(fault);
            // No case is long enough for a pipe.
            let pipes = [Fault::PipesExhausted, Fault::ShortFill, Fault::ShortPour];
            let piped = pipes.contains(&fault);
            assert!(fired > 0 || piped, "seed {seed}: {fault:?} never fired");
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// The same inputs as in memory, fewer of them, before the same judge.
#[test]
fn no_damage_makes_two_opinions_in_the_engine() {
    let corpus = Corpus::new(&case::all(&folder()));
    let mut world = World::new(1, 0, Span::millis(1));
    let wrong: Vec<String> = (0..INPUTS)
        .filter_map(|number| {
            let input = corpus.input(number);
            let why = trial::exchange(&mut world, &input).err()?;
            let (client, answer) = (shown(&input.client), shown(&input.answer));
            let how = (input.split, input.ending, input.early);
            Some(format!(
                "input {number}: {why}\n{how:?}\n--- client\n{client}\n--- answer\n{answer}\n"
            ))
        })
        .collect();
    let first = wrong.iter().take(10).cloned().collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        first.join("\n")
    );
}

/// Several refusals in one run of one session: none may hide another.
#[test]
fn every_refusal_is_told() {
    let mut world = World::new(1, 0, Span::millis(1));
    world.kernel.faults().set(Fault::ConnectUnreachable, 1000);
    let five = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5);
    let origin = Origin {
        answer: b"",
        ending: Ending::Stays,
        early: false,
        plain: 0,
        split: Split::Whole,
    };
    let record = world.carry(&[&five], &origin);
    let statuses: Vec<u16> = record.refusals.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [502; 5]);
    assert_eq!(world.engine.tally().of(Event::AnsweredItself), 5);
}

/// A request whose head has this length and this many fields.
fn long_request(head_bytes: usize, fields: usize) -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n".to_vec();
    request.extend_from_slice(&b"X: y\r\n".repeat(fields - 3));
    request.extend_from_slice(b"Y: ");
    request.resize(head_bytes - 4, b'y');
    request.extend_from_slice(b"\r\n\r\nbody");
    request
}

/// Up to 64 KiB, if the configuration says so; what is behind it comes through too, and the
/// memory that it took is given back.
#[test]
fn heads_may_be_as_long_as_configured() {
    let most = limits::REQUEST_HEAD_BYTES_MAX;
    for allowed in [
        2_000,
        limits::HEAD_BYTES_MAX,
        limits::HEAD_BYTES_MAX + 1,
        most,
    ] {
        let limits = Limits {
            request_head: allowed,
            headers: 20,
            ..Limits::default()
        };
        let mut world = World::with(1, 0, Span::millis(1), limits);
        for (head_bytes, fields, status) in [
            (allowed, 20, None),
            (allowed + 1, 20, Some(431)),
            (1000, 20, None),
            (1000, 21, Some(431)),
        ] {
            for split in [Split::Whole, Split::Bytes, Split::Random(1)] {
                let origin = Origin {
                    answer: b"",
                    ending: Ending::Stays,
                    early: false,
                    plain: 0,
                    split,
                };
                let sent = long_request(head_bytes, fields);
                let twice = sent.repeat(2);
                let record = world.carry(&split.pieces(&twice), &origin);
                let refused = record.refusals.first().map(|(status, _)| *status);
                assert_eq!(refused, status, "{head_bytes} of {allowed}, {split:?}");
                let got = record.answers.len();
                assert_eq!(got, if status.is_some() { 0 } else { 2 });
                oracle::judge(&twice, &record).unwrap();
            }
        }
    }
}

/// Whatever is too much is refused before the backend sees the end of it, however it is cut.
#[test]
fn bodies_may_be_as_long_as_configured() {
    let limits = Limits {
        body: Some(10),
        ..Limits::default()
    };
    let mut world = World::with(1, 0, Span::millis(1), limits);
    for (framing, is_too_much) in [
        ("Content-Length: 10\r\n\r\n0123456789", false),
        ("Content-Length: 11\r\n\r\n0123456789a", true),
        ("Content-Length: 9223372036854775807\r\n\r\n0", true),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n",
            false,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n",
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
            true,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n0",
            true,
        ),
    ] {
        for split in [Split::Whole, Split::Bytes, Split::Random(1)] {
            let origin = Origin {
                answer: b"",
                ending: Ending::Stays,
                early: false,
                plain: 0,
                split,
            };
            let sent = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}");
            let record = world.carry(&split.pieces(sent.as_bytes()), &origin);
            let refused = record.refusals.first().map(|(status, _)| *status);
            assert_eq!(
                refused,
                is_too_much.then_some(413),
                "{framing:?}, {split:?}"
            );
            let got = record.answers.len();
            assert_eq!(got, usize::from(!is_too_much), "{framing:?}, {split:?}");
            for connection in record.connections.iter().filter(|_| is_too_much) {
                let seen = &connection.received;
                assert!(!seen.ends_with(b"\r\n0\r\n\r\n"), "{framing:?}, {split:?}");
                assert!(framing.starts_with("Transfer") || seen.is_empty());
            }
        }
    }
}

#[test]
fn connections_carry_as_many_requests_as_configured() {
    let limits = Limits {
        requests_per_connection: 2,
        ..Limits::default()
    };
    let mut world = World::with(1, 0, Span::millis(1), limits);
    for split in [Split::Whole, Split::Bytes, Split::Random(1)] {
        let origin = Origin {
            answer: b"",
            ending: Ending::Stays,
            early: false,
            plain: 0,
            split,
        };
        let sent = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
        let record = world.carry(&split.pieces(&sent), &origin);
        assert_eq!(record.answers.len(), 2, "{split:?}");
        let said = String::from_utf8_lossy(&record.to_client);
        assert_eq!(said.matches("Connection: close\r\n").count(), 1, "{said}");
        assert!(!record.reset, "{split:?}");
    }
}

/// Damaged inputs per run of the tests.
const INPUTS: u64 = 4_000;

/// Far more than any delivery takes.
const TURNS_MAX: u64 = 2_000_000;
