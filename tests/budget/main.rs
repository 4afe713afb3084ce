//! The budget of a warm keep-alive request, as counts: they do not depend on the machine, so a
//! test can hold them. What they come to in time, `cargo bench` measures.
//!
//! Verbs of the kernel are counted where `os` makes one system call of each. Instructions are
//! counted where there is valgrind, by running one of these tests under it; where a request spends
//! them is seen with:
//!
//! ```sh
//! cargo test --release --test budget --no-run      # prints where the binary is
//! valgrind --tool=callgrind --toggle-collect='*Engine*turn*' BINARY --exact \
//!     a_busy_request_costs_four_calls_and_a_share_of_a_wait
//! callgrind_annotate --inclusive=yes callgrind.out.*
//! ```

mod wire;

use std::alloc::System;
use std::env;
use std::process::Command;

use stats_alloc::INSTRUMENTED_SYSTEM;
use stats_alloc::Region;
use stats_alloc::StatsAlloc;
use tidegate::config::LogFormat;
use tidegate::engine::Engine;

use wire::Calls;
use wire::Wire;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Enough for every vector to have found its size.
const WARM_UP: usize = 200;

fn warm(clients: usize) -> (Wire, Engine) {
    let (mut wire, mut engine) = Wire::with_engine(clients);
    for _ in 0..WARM_UP {
        wire.round(&mut engine);
    }
    wire.calls = Calls::default();
    (wire, engine)
}

#[test]
fn a_client_alone_costs_six_calls() {
    let (mut wire, mut engine) = warm(1);
    for _ in 0..100 {
        wire.round(&mut engine);
    }
    let expected = Calls {
        waits: 200,
        reads: 200,
        writes: 200,
        others: 0,
    };
    assert_eq!(wire.calls, expected);
}

#[test]
fn a_busy_request_costs_four_calls_and_a_share_of_a_wait() {
    for clients in [8, 64] {
        let (mut wire, mut engine) = warm(clients);
        for _ in 0..100 {
            wire.round(&mut engine);
        }
        let requests = 100 * clients as u64;
        let expected = Calls {
            waits: 200,
            reads: 2 * requests,
            writes: 2 * requests,
            others: 0,
        };
        assert_eq!(wire.calls, expected, "{clients} clients");
    }
}

/// Compilers differ, and the checks of a test run cost something: the bound is for what adds a
/// fifth, not for what a change gains or loses by a percent.
#[test]
fn a_busy_request_costs_no_more_instructions_than_it_may() {
    let test = "a_busy_request_costs_four_calls_and_a_share_of_a_wait";
    let requests = (WARM_UP + 100) * (8 + 64);
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*Engine*turn*")
        .arg(env::current_exe().expect("this file"))
        .args(["--exact", test])
        .output();
    let Ok(run) = run else {
        assert_ne!(
            env::var("TIDEGATE_VALGRIND").as_deref(),
            Ok("required"),
            "there is no valgrind"
        );
        println!("instructions are not counted: there is no valgrind");
        return;
    };
    let text = String::from_utf8_lossy(&run.stderr);
    let collected = text.split("Collected : ").nth(1);
    let collected =
        collected.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    let each = collected.unwrap_or_else(|| panic!("{text}")) / requests;
    println!("instructions of a busy request: {each}, {INSTRUCTIONS_MAX} are allowed");
    assert!(run.status.success());
    assert!((5_000..=INSTRUCTIONS_MAX).contains(&each), "{each}");
}

/// Of a request in a test run, the kernel that it is counted over included.
const INSTRUCTIONS_MAX: usize = 23_000;

/// A post with a body of `length` bytes.
fn post(length: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    message(&head, length, wire::END)
}

/// An answer with a body of `length` bytes.
fn answer(length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    message(&head, length, wire::BODY)
}

fn message(head: &str, length: usize, end: &[u8]) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(head.len() + length - end.len(), b'x');
    bytes.extend_from_slice(end);
    bytes
}

/// What a window holds is one read and one write, however much more than a head that is. A post
/// has one read more: before something that cannot be repeated goes to a kept connection, that is
/// asked whether it has ended.
#[test]
fn a_body_that_a_window_holds_costs_no_more_than_a_small_one() {
    let messages = [
        (wire::REQUEST.to_vec(), answer(10 << 10), 2),
        (post(16 << 10), wire::ANSWER.to_vec(), 3),
    ];
    for (request, reply, reads) in messages {
        let (mut wire, mut engine) = Wire::new(&request, &reply).started(8, LogFormat::Off);
        for _ in 0..WARM_UP {
            wire.round(&mut engine);
        }
        wire.calls = Calls::default();
        for _ in 0..100 {
            wire.round(&mut engine);
        }
        let expected = Calls {
            waits: 200,
            reads: reads * 800,
            writes: 2 * 800,
            others: 0,
        };
        assert_eq!(wire.calls, expected);
    }
}

#[test]
fn a_warm_request_allocates_nothing() {
    for clients in [1, 64] {
        let (mut wire, mut engine) = warm(clients);
        // The counts are the process's, and other threads may use the allocator meanwhile: the
        // least of many runs is the engine's own.
        let least = (0..50)
            .map(|_| {
                let region = Region::new(ALLOCATOR);
                for _ in 0..10 {
                    wire.round(&mut engine);
                }
                let change = region.change();
                change.allocations + change.reallocations + change.deallocations
            })
            .min();
        assert_eq!(least, Some(0), "{clients} clients");
    }
}

#[test]
fn a_busy_request_and_its_line_allocate_nothing_and_cost_no_call() {
    for format in [LogFormat::Json, LogFormat::Combined, LogFormat::Haproxy] {
        let (mut wire, mut engine) = Wire::with_log(8, format);
        for _ in 0..WARM_UP {
            wire.round(&mut engine);
        }
        (wire.calls, wire.logged) = (Calls::default(), 0);
        let least = (0..50)
            .map(|_| {
                let region = Region::new(ALLOCATOR);
                wire.round(&mut engine);
                let change = region.change();
                change.allocations + change.reallocations + change.deallocations
            })
            .min();
        assert_eq!((least, wire.logged), (Some(0), 50 * 8), "{format:?}");
        assert_eq!((wire.calls.reads, wire.calls.others), (2 * 50 * 8, 0));
    }
}

#[test]
fn the_counter_of_allocations_counts() {
    let region = Region::new(ALLOCATOR);
    let bytes = std::hint::black_box(vec![1_u8; 1000]);
    assert!(region.change().bytes_allocated >= bytes.len());
}
