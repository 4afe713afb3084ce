//! What a head costs that comes byte by byte: as much per byte, however long it is.
//!
//! `cargo test --test conformance cost -- --nocapture` prints milliseconds of processor time. On
//! an idle machine 64 KiB take less than 5 ms and less than ten times what 8 KiB take; asserted
//! are numbers of steps only, which no other process can change.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use rustix::time::{ClockId, clock_gettime};
use tidegate::base::Side;
use tidegate::base::buffer::Pool;
use tidegate::base::time::Moment;
use tidegate::config::Mode;
use tidegate::limits;
use tidegate::session::{Can, Dialled, Policy, Session, Step, Wish};

#[test]
fn a_head_byte_by_byte_costs_what_it_is_long() {
    for fields in [3, 90] {
        for kilobytes in [8, 16, 32, 64] {
            let head = head(kilobytes * 1024, fields);
            let costs = (0..5).map(|_| deliver(&head));
            let cost = costs.min().expect("five of them");
            let milliseconds = Milliseconds(cost.nanoseconds);
            println!("{kilobytes:2} KiB, {fields:2} fields: {milliseconds} ms of CPU");
            assert_eq!(cost.reads, head.len());
            assert_eq!(
                cost.steps,
                head.len() + 1,
                "one step for each byte, and one to dial"
            );
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    nanoseconds: u64,
    reads: usize,
    steps: usize,
}

/// Nanoseconds, printed as milliseconds.
struct Milliseconds(u64);

impl std::fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

/// A GET whose head has this length and this many fields.
fn head(bytes: usize, fields: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
    let each = (bytes - head.len() - 2) / (fields - 1);
    for number in 1..fields {
        head.extend_from_slice(b"X-Long: ");
        let end = if number == fields - 1 {
            bytes - 2
        } else {
            head.len() - 8 + each
        };
        head.resize(end - 2, b'y');
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    assert_eq!(head.len(), bytes);
    head
}

/// A session gets it byte by byte, until what is forwarded is there.
fn deliver(head: &[u8]) -> Cost {
    let policy = Policy {
        request_head: limits::REQUEST_HEAD_BYTES_MAX,
        ..Policy::default()
    };
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut session = Session::new(Mode::Http, Rc::new(policy), client, Moment(1));
    let mut pool = Pool::new(1);
    let window = pool.take().expect("one is there");
    session.half_mut(Side::Client).lend(window);
    let mut scratch = Vec::new();
    let can = Can::NOTHING.with_read(Side::Client, true);
    let (mut bytes, mut reads, mut steps) = (head.iter(), 0, 0);
    let begun = processor_time();
    loop {
        steps += 1;
        let step = session.next(can);
        if step != Step::Read(Side::Client) {
            assert_eq!(step, Step::Dial(Wish::Any), "after {reads} bytes");
            break;
        }
        let byte = bytes.next().expect("the head has an end");
        session.half_mut(Side::Client).space()[0] = *byte;
        session.filled(Side::Client, 1, &mut scratch, Moment(1));
        reads += 1;
    }
    let got = Dialled {
        authority: "backend.test",
        own_host: false,
        reused: false,
        number: 0,
    };
    session.dialled(got, &mut scratch, Moment(1));
    let nanoseconds = processor_time() - begun;
    assert!(session.pending(Side::Server).len() > head.len());
    Cost {
        nanoseconds,
        reads,
        steps,
    }
}

/// How long this thread has had the processor, in nanoseconds.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let parts = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    let (Ok(seconds), Ok(nanoseconds)) = parts else {
        panic!("a clock before its beginning: {time:?}");
    };
    seconds * 1_000_000_000 + nanoseconds
}
