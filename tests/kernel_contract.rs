//! One suite for both kernels: the real one over loopback, and the fake of the simulator, calm
//! and with every fault that a caller must not notice. What holds here is what the engine may
//! rely on; where the two differ, the simulator's verdicts are worth nothing.

#[path = "sim/dial.rs"]
mod dial;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/kernel.rs"]
mod kernel;
#[path = "sim/link.rs"]
mod link;
#[path = "sim/net.rs"]
mod net;
#[path = "sim/pipe_contract.rs"]
mod pipe_contract;
#[path = "sim/pipes.rs"]
mod pipes;
#[path = "sim/queue.rs"]
mod queue;
#[path = "sim/suite.rs"]
mod suite;
#[path = "sim/trace.rs"]
mod trace;
#[path = "sim/verbs.rs"]
mod verbs;
#[path = "sim/worlds.rs"]
mod worlds;

use std::io::ErrorKind;
use std::net::SocketAddr;

use tidegate::admin::Change;
use tidegate::base::Fault as Cause;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Word;

use suite::Suite;
use suite::blocked;
use suite::everywhere;

#[test]
fn a_listener_says_would_block_until_somebody_knocks_and_after() {
    everywhere(|suite| {
        let (listener, at) = suite.listen();
        assert!(blocked(&suite.kernel().accept(listener)));
        suite.world.dial(at);
        suite.until(listener, |seen| seen.readable);
        let (socket, peer) = suite.kernel().accept(listener).unwrap();
        assert_eq!(suite.kernel().local_address(socket).unwrap(), at);
        assert!(peer.ip().is_loopback() && peer != at);
        assert!(blocked(&suite.kernel().accept(listener)));
    });
}

#[test]
fn a_listener_has_a_port_of_its_own_and_keeps_it() {
    everywhere(|suite| {
        let (listener, at) = suite.listen();
        assert_ne!(at.port(), 0);
        let error = suite.kernel().listen(at).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        suite.kernel().close(listener);
        // Another test may have it for a moment.
        suite.poll(|suite| suite.kernel().listen(at).ok());
    });
}

#[test]
fn an_accepted_socket_is_reported_by_a_later_wait() {
    everywhere(|suite| {
        let (socket, _, _) = suite.pair();
        suite.until(socket, |seen| seen.writable);
    });
}

#[test]
fn a_connect_stands_after_its_writable_event() {
    everywhere(|suite| {
        let (listener, at) = suite.world.serve();
        let socket = suite.kernel().connect(at).unwrap();
        suite.verdict(socket).unwrap();
        // Once it stands it goes on standing.
        suite.kernel().established(socket).unwrap();
        let peer = suite.poll(|suite| suite.world.accept(listener).ok());
        suite.write(socket, b"hello");
        assert_eq!(suite.peer_read(peer, 5).unwrap(), b"hello");
    });
}

#[test]
fn a_connect_to_nobody_is_refused() {
    everywhere(|suite| {
        let at = suite.world.desert();
        let verdict = match suite.kernel().connect(at) {
            Ok(socket) => suite.verdict(socket),
            Err(error) => Err(error),
        };
        assert_eq!(Cause::from_io(&verdict.unwrap_err()), Cause::Refused);
    });
}

#[test]
fn bytes_go_both_ways_in_order() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        let bytes: Vec<u8> = (0..=255).cycle().take(200).collect();
        suite.peer_write(peer, &bytes);
        assert_eq!(suite.read(socket, 200).unwrap(), bytes);
        suite.write(socket, &bytes);
        assert_eq!(suite.peer_read(peer, 200).unwrap(), bytes);
        assert!(blocked(&suite.kernel().read(socket, &mut [0; 8])));
    });
}

#[test]
fn an_end_that_comes_with_bytes_is_announced() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.peer_write(peer, b"last words");
        suite.world.finish(peer);
        suite.until(socket, |seen| seen.readable && seen.ended);
        assert_eq!(suite.read(socket, 100).unwrap(), b"last words");
        // The end is no event that passes: it can be read again.
        assert_eq!(suite.kernel().read(socket, &mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn an_end_after_a_short_read_is_a_new_edge() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.peer_write(peer, b"first");
        assert_eq!(suite.read(socket, 5).unwrap(), b"first");
        assert!(blocked(&suite.kernel().read(socket, &mut [0; 8])));
        suite.forget(socket);
        suite.world.finish(peer);
        suite.until(socket, |seen| seen.readable && seen.ended);
        assert_eq!(suite.kernel().read(socket, &mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn the_other_direction_outlives_the_peers_end() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.world.finish(peer);
        assert_eq!(suite.read(socket, 1).unwrap(), b"");
        suite.write(socket, b"still here");
        suite.kernel().finish(socket).unwrap();
        assert_eq!(suite.peer_read(peer, 100).unwrap(), b"still here");
    });
}

#[test]
fn lines_of_the_log_are_taken_at_once_and_nobody_loses_them_without_counting() {
    everywhere(|suite| {
        for _ in 0..100 {
            suite.kernel().log(b"one\ntwo\n");
        }
        assert_eq!(suite.kernel().unlogged(), 0);
    });
}

#[test]
fn a_loop_that_is_alone_tells_nobody_and_hears_nothing_of_it() {
    everywhere(|suite| {
        let word = Word::Changed(Change::Drain(true));
        suite.kernel().tell(word.clone());
        suite.kernel().tell_first(word);
        let kernel = suite.kernel();
        let now = kernel.now();
        kernel.wait(Some(now), &mut Vec::new());
        assert_eq!(kernel.news(), None);
    });
}

#[test]
fn the_other_direction_outlives_our_end() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.kernel().finish(socket).unwrap();
        assert_eq!(suite.peer_read(peer, 1).unwrap(), b"");
        let error = suite.kernel().write(socket, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        suite.peer_write(peer, b"still here");
        suite.world.finish(peer);
        assert_eq!(suite.read(socket, 100).unwrap(), b"still here");
    });
}

#[test]
fn a_connection_that_has_ended_both_ways_is_as_good_as_closed() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.kernel().finish(socket).unwrap();
        assert_eq!(suite.peer_read(peer, 1).unwrap(), b"");
        suite.world.finish(peer);
        suite.until(socket, |seen| seen.ended);
        assert_eq!(suite.kernel().read(socket, &mut [0; 8]).unwrap(), 0);
        // Whoever asks for the verdict of a connect again and again must stop when he has it.
        let error = suite.kernel().established(socket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let error = suite.kernel().finish(socket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn an_end_behind_more_bytes_than_the_reader_holds_waits_for_him() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        let bytes = vec![7; 256 * 1024];
        let mut sent = 0;
        while let Ok(count) = suite.world.write(peer, &bytes) {
            sent += count;
        }
        suite.world.finish(peer);
        suite.until(socket, |seen| seen.readable);
        if suite.world.calm() {
            assert!(!suite.saw(socket, |seen| seen.ended));
        }
        assert_eq!(suite.read(socket, sent + 1).unwrap().len(), sent);
        suite.until(socket, |seen| seen.ended);
    });
}

#[test]
fn a_full_socket_says_when_it_has_room_again() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        let mut sent = fill(suite, socket);
        for _ in 0..3 {
            suite.forget(socket);
            // The peer reads what it finds; nobody tries to write until told.
            let mut got = 0;
            let mut buffer = vec![0; 64 * 1024];
            suite.poll(|suite| {
                while let Ok(count @ 1..) = suite.world.read(peer, &mut buffer) {
                    got += count;
                }
                suite.saw(socket, |seen| seen.writable).then_some(())
            });
            sent = fill(suite, socket) + sent - got;
        }
        suite.kernel().finish(socket).unwrap();
        assert_eq!(suite.peer_read(peer, sent + 1).unwrap().len(), sent);
    });
}

/// Writes until nothing is taken any more, however often it is tried.
fn fill(suite: &mut Suite, socket: tidegate::base::Socket) -> usize {
    let bytes = vec![7; 256 * 1024];
    let mut sent = 0;
    loop {
        let result = suite.kernel().write(socket, &bytes);
        if blocked(&result) {
            return sent;
        }
        let count = result.unwrap();
        assert_ne!(count, 0);
        sent += count;
    }
}

#[test]
fn no_edge_is_lost_after_a_short_read() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        let mut buffer = [0; 64];
        for round in 0..20 {
            suite.peer_write(peer, &[round; 10]);
            let mut got = 0;
            while got < 10 {
                suite.until(socket, |seen| seen.readable);
                // Fewer than asked: emptied. No second read finds that out.
                suite.forget(socket);
                let result = suite.kernel().read(socket, &mut buffer);
                if !blocked(&result) {
                    got += result.unwrap();
                }
            }
            assert_eq!(got, 10);
        }
    });
}

#[test]
fn closing_with_unread_bytes_resets() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.peer_write(peer, b"never read");
        suite.until(socket, |seen| seen.readable);
        suite.kernel().close(socket);
        match suite.peer_read(peer, 1) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            // Announced, but still in flight when the socket was closed: the end comes first.
            Ok(bytes) => {
                assert!(bytes.is_empty() && !suite.world.calm());
                let error = suite.poll(|suite| suite.world.write(peer, b"x").err());
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
        }
    });
}

#[test]
fn closing_with_nothing_unread_delivers() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.write(socket, b"goodbye");
        suite.kernel().close(socket);
        assert_eq!(suite.peer_read(peer, 100).unwrap(), b"goodbye");
    });
}

#[test]
fn aborting_resets() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.kernel().abort(socket);
        let error = suite.peer_read(peer, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(
            suite.kernel().read(socket, &mut [0; 8]).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn a_reset_by_the_peer_is_told_once_and_in_all_directions() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.until(socket, |seen| seen.writable);
        suite.forget(socket);
        suite.world.abort(peer);
        suite.until(socket, |seen| seen.readable && seen.writable && seen.ended);
        let error = suite.kernel().read(socket, &mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        // Told once: whoever lets another verb take the error sees a clean end here.
        assert_eq!(suite.kernel().read(socket, &mut [0; 8]).unwrap(), 0);
        let error = suite.kernel().write(socket, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = suite.kernel().finish(socket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn a_reset_that_a_write_has_met_reads_like_an_end() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.world.abort(peer);
        suite.until(socket, |seen| seen.ended);
        let error = suite.kernel().write(socket, b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(suite.kernel().read(socket, &mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn bytes_that_came_before_a_reset_are_read_first() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.peer_write(peer, b"before");
        suite.poll(|suite| {
            suite.forget(socket);
            suite.look();
            Some(())
        });
        suite.world.abort(peer);
        suite.until(socket, |seen| seen.ended);
        // The fake may put bytes back into flight, and those are lost.
        let mut buffer = [0; 16];
        match suite.kernel().read(socket, &mut buffer) {
            Ok(count) => {
                assert!(b"before".starts_with(&buffer[..count]) && count > 0);
                let error = suite.kernel().read(socket, &mut buffer).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    });
}

#[test]
fn writing_to_a_peer_that_has_closed_ends_in_an_error() {
    everywhere(|suite| {
        let (socket, peer, _) = suite.pair();
        suite.world.close(peer);
        suite.until(socket, |seen| seen.ended);
        let error = suite.poll(|suite| {
            let result = suite.kernel().write(socket, b"anybody?");
            if blocked(&result) { None } else { result.err() }
        });
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_connection_that_ended_in_the_queue_can_be_accepted() {
    everywhere(|suite| {
        let (listener, at) = suite.listen();
        let peer = suite.world.dial(at);
        suite.until(listener, |seen| seen.readable);
        suite.world.finish(peer);
        let (socket, _) = suite.kernel().accept(listener).unwrap();
        suite.until(socket, |seen| seen.ended);
        assert_eq!(suite.read(socket, 1).unwrap(), b"");
    });
}

#[test]
fn a_stale_number_finds_nothing() {
    everywhere(|suite| {
        let (socket, peer, listener) = suite.pair();
        suite.kernel().close(socket);
        suite.world.close(peer);
        let at = suite.kernel().local_address(listener).unwrap();
        suite.forget(socket);
        suite.world.dial(at);
        let next = suite.poll(|suite| suite.kernel().accept(listener).ok()).0;
        assert_ne!(next, socket);
        assert_missing(suite, socket);
        suite.until(next, |seen| seen.writable);
        suite.kernel().close(listener);
        assert_missing(suite, listener);
    });
}

fn assert_missing(suite: &mut Suite, socket: tidegate::base::Socket) {
    let kernel = suite.kernel();
    let kinds = [
        kernel.read(socket, &mut [0; 8]).map(drop),
        kernel.write(socket, b"x").map(drop),
        kernel.finish(socket),
        kernel.established(socket),
        kernel.accept(socket).map(drop),
        kernel.local_address(socket).map(drop),
    ];
    for result in kinds {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    }
    // No answer, but no harm to the new tenant either.
    kernel.close(socket);
    kernel.abort(socket);
    let reported = suite.look();
    assert!(reported.iter().all(|event| event.socket != socket));
}

#[test]
fn a_wait_is_never_early() {
    everywhere(|suite| {
        let kernel = suite.kernel();
        for nanoseconds in [1, 999_999, 1_000_000, 1_000_001, 3_300_000] {
            let until = kernel.now() + Span(nanoseconds);
            let mut ready = Vec::new();
            assert!(kernel.wait(Some(until), &mut ready));
            assert!(kernel.now() >= until);
            assert!(ready.is_empty());
        }
        // A moment in the past only looks.
        assert!(kernel.wait(Some(Moment(0)), &mut Vec::new()));
    });
}

#[test]
fn addresses_and_names_are_answered() {
    everywhere(|suite| {
        suite.kernel().resolve(7, "127.0.0.1");
        // Waits for ever, were there no news.
        suite.kernel().wait(None, &mut Vec::new());
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        assert_eq!(suite.news(), resolved(7, &[loopback]));
        // Too long for a label, so that no server has to be asked.
        suite.kernel().resolve(8, &"x".repeat(300));
        assert_eq!(suite.news(), resolved(8, &[]));
    });
}

#[test]
fn a_kernel_that_was_given_nothing_to_read_says_so() {
    everywhere(|suite| {
        assert!(!suite.kernel().reread());
        assert_eq!(suite.kernel().news(), None);
    });
}

fn resolved(ticket: u64, addresses: &[SocketAddr]) -> News {
    News::Resolved {
        ticket,
        addresses: addresses.iter().map(SocketAddr::ip).collect(),
    }
}

#[test]
fn a_burst_waits_in_the_queue() {
    everywhere(|suite| {
        let (listener, at) = suite.listen();
        let burst = 200;
        for _ in 0..burst {
            suite.world.dial(at);
        }
        let mut sockets = Vec::new();
        while sockets.len() < burst {
            suite.until(listener, |seen| seen.readable);
            suite.forget(listener);
            loop {
                let result = suite.kernel().accept(listener);
                if blocked(&result) {
                    break;
                }
                sockets.push(result.unwrap().0);
            }
        }
        for socket in sockets {
            suite.until(socket, |seen| seen.writable);
        }
    });
}

#[test]
fn an_undecided_connect_says_so() {
    everywhere(|suite| {
        let (_, at) = suite.world.serve();
        let socket = suite.kernel().connect(at).unwrap();
        // Over loopback it may be decided already.
        match suite.kernel().established(socket) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        suite.verdict(socket).unwrap();
    });
}
