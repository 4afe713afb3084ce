//! Does the simulator work? Every fault fires, harmless ones lose nothing, equal seeds give equal
//! histories, and a world that has come to a stop says so.

use std::io;
use std::net::Ipv4Addr;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;

use crate::faults::Fault;
use crate::kernel::SimKernel;
use crate::relay::BACK;
use crate::relay::EXCHANGES;
use crate::relay::FRONT;
use crate::relay::World;
use crate::trace::Verb;

#[test]
fn harmless_faults_lose_no_byte() {
    for seed in 0..40 {
        let mut world = World::new(seed as u64, 8);
        for fault in Fault::HARMLESS {
            let rate = [0, 20, 300][(seed + fault as usize) % 3];
            world.kernel.faults().set(fault, rate);
        }
        world.run();
        let clients = world.clients();
        assert_eq!(clients.whole, 8 * 3, "seed {seed}");
        assert_eq!(clients.broken, 0, "seed {seed}");
        assert_eq!(world.kernel.census(), 1, "seed {seed}: the listener alone");
        assert_eq!(world.kernel.misuses(), 0);
    }
}

#[test]
fn every_fault_fires_and_nothing_gets_stuck() {
    let mut fired = [0; Fault::ALL.len()];
    for seed in 0..60 {
        let mut world = World::new(seed as u64, 8);
        for fault in Fault::ALL {
            let rate = [0, 5, 60][(seed * 7 + fault as usize) % 3];
            world.kernel.faults().set(fault, rate);
        }
        world.run();
        for ticket in 0..20 {
            world.kernel.resolve(ticket, "origin");
        }
        let until = world.kernel.now() + Span::seconds(1);
        world.relay.turn(&mut world.kernel, until);
        let clients = world.clients();
        assert_eq!(clients.whole + clients.broken, 8 * 3, "seed {seed}");
        for fault in Fault::ALL {
            fired[fault as usize] += world.kernel.faults().fired(fault);
        }
    }
    // The relay has no pipes; the storm has.
    let others = [Fault::PipesExhausted, Fault::ShortFill, Fault::ShortPour];
    for fault in Fault::ALL.into_iter().filter(|f| !others.contains(f)) {
        assert!(fired[fault as usize] > 0, "{fault:?} never fired");
    }
}

#[test]
fn a_seed_is_a_history() {
    let history = |seed| {
        let mut world = World::new(seed, 4);
        for fault in Fault::ALL {
            world.kernel.faults().set(fault, 30);
        }
        world.run();
        (world.kernel.trace().hash(), world.kernel.trace().steps())
    };
    for seed in 0..10 {
        assert_eq!(history(seed), history(seed));
    }
    assert_ne!(history(1).0, history(2).0);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_world_that_stands_still_says_so() {
    let mut kernel = SimKernel::new(1);
    kernel.wait(None, &mut Vec::new());
}

#[test]
#[should_panic(expected = "a verb on a socket that was closed")]
fn closing_twice_is_not_forgiven() {
    let mut kernel = SimKernel::new(1);
    let socket = kernel.listen(FRONT).unwrap();
    kernel.close(socket);
    kernel.close(socket);
}

#[test]
#[should_panic(expected = "read into an empty buffer")]
fn reading_nothing_is_not_forgiven() {
    let mut kernel = SimKernel::new(1);
    let socket = kernel.connect(FRONT).unwrap();
    let _ = kernel.read(socket, &mut []);
}

#[test]
fn resources_run_out_where_the_bounds_say() {
    let mut kernel = SimKernel::new(1);
    kernel.bounds().descriptors = 3;
    kernel.bounds().ports = 1;
    let listener = kernel.listen(FRONT).unwrap();
    let first = kernel.connect(FRONT).unwrap();
    let error = kernel.connect(FRONT).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    kernel.listen(BACK).unwrap();
    let error = kernel.connect(FRONT).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(24));
    assert_eq!(
        kernel.accept(listener).unwrap_err().raw_os_error(),
        Some(24)
    );
    kernel.close(first);
    assert_eq!(kernel.census(), 2);
}

#[test]
fn the_end_may_come_with_the_bytes_and_then_has_no_edge_of_its_own() {
    // Whoever stops at the short read here, `ended` or not, waits for ever.
    let rode = |seed| {
        let mut kernel = SimKernel::new(seed);
        let listener = kernel.listen(FRONT).unwrap();
        let peer = kernel.guest().connect(FRONT).unwrap();
        kernel.wait(None, &mut Vec::new());
        let socket = kernel.accept(listener).unwrap().0;
        kernel.wait(None, &mut Vec::new());
        kernel.guest().write(peer, b"all").unwrap();
        kernel.guest().close(peer);
        let mut ready = Vec::new();
        kernel.wait(None, &mut ready);
        assert_eq!(kernel.read(socket, &mut [0; 8]).unwrap(), 3);
        let ended = ready[0].ended;
        let until = kernel.now() + Span::seconds(1);
        ready.clear();
        kernel.wait(Some(until), &mut ready);
        assert_eq!(ready.is_empty(), ended);
        assert_eq!(kernel.read(socket, &mut [0; 8]).unwrap(), 0);
        ended
    };
    let rides = (0..100).filter(|seed| rode(*seed)).count();
    assert!((20..80).contains(&rides), "{rides} of 100");
}

#[test]
fn signals_and_names_are_news() {
    let mut kernel = SimKernel::new(1);
    let address = [Ipv4Addr::new(10, 0, 0, 9).into()];
    kernel.guest().name("origin", &address, Span::millis(7));
    kernel.guest().signal(Moment(9_000_000), true);
    kernel.resolve(4, "origin");
    let mut ready = Vec::new();
    kernel.wait(None, &mut ready);
    let (ticket, addresses) = (4, address.to_vec());
    assert_eq!(kernel.news(), Some(News::Resolved { ticket, addresses }));
    kernel.wait(None, &mut ready);
    assert_eq!(kernel.now(), Moment(9_000_000));
    assert_eq!(kernel.news(), Some(News::Quit));
    assert!(ready.is_empty());
}

#[test]
fn verbs_are_counted() {
    let mut world = World::new(3, 1);
    world.run();
    let trace = world.kernel.trace();
    assert_eq!(trace.calls(Verb::Connect), 3);
    assert_eq!(trace.calls(Verb::Close), 6);
    assert!(trace.calls(Verb::Read) >= 2 * 3 * u64::from(EXCHANGES));
    assert!(trace.system_calls() > trace.steps() / 4);
}
