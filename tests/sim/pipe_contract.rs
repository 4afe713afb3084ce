//! What both kernels promise of pipes: every byte once and in order, never more than was asked
//! for, and a refusal that means what it says.

use std::io::ErrorKind;

use tidegate::base::Pipe;
use tidegate::base::Socket;

use crate::suite::Suite;
use crate::suite::blocked;
use crate::suite::everywhere;

/// Fills an empty pipe with at most `most` bytes; 0 is the end.
fn fill(suite: &mut Suite, socket: Socket, pipe: Pipe, most: usize) -> usize {
    loop {
        let result = suite.kernel().fill(socket, pipe, most);
        if blocked(&result) {
            suite.forget(socket);
            suite.until(socket, |seen| seen.readable);
            continue;
        }
        return result.unwrap();
    }
}

/// Pours all `count` bytes of the pipe.
fn pour(suite: &mut Suite, pipe: Pipe, socket: Socket, mut count: usize) {
    while count > 0 {
        let result = suite.kernel().pour(pipe, socket, count);
        if blocked(&result) {
            suite.forget(socket);
            suite.until(socket, |seen| seen.writable);
            continue;
        }
        count -= result.unwrap();
    }
}

/// A pipe; the fake may have to be asked more than once.
fn pipe(suite: &mut Suite) -> Pipe {
    suite.poll(|suite| suite.kernel().pipe().ok())
}

/// What fits into a socket's buffer for sure.
fn portion(suite: &Suite) -> usize {
    if suite.world.calm() { 7_000 } else { 200 }
}

fn generated(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

#[test]
fn bytes_go_through_a_pipe_in_order_and_then_the_end() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let (to, sink, _) = suite.pair();
        let pipe = pipe(suite);
        let bytes = generated(30_000);
        for piece in bytes.chunks(portion(suite)) {
            suite.peer_write(source, piece);
            let mut left = piece.len();
            while left > 0 {
                let count = fill(suite, from, pipe, 100_000);
                assert!(count > 0, "the end came before it was sent");
                left -= count;
                pour(suite, pipe, to, count);
            }
            assert_eq!(suite.peer_read(sink, piece.len()).unwrap(), piece);
        }
        suite.world.finish(source);
        assert_eq!(fill(suite, from, pipe, 1), 0);
    });
}

#[test]
fn a_pipe_takes_no_more_than_it_is_asked_to() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let (to, sink, _) = suite.pair();
        let pipe = pipe(suite);
        suite.peer_write(source, b"body|next head");
        let mut left = 5;
        while left > 0 {
            let count = fill(suite, from, pipe, left);
            assert!((1..=left).contains(&count));
            left -= count;
            pour(suite, pipe, to, count);
        }
        assert_eq!(suite.peer_read(sink, 5).unwrap(), b"body|");
        assert_eq!(suite.read(from, 9).unwrap(), b"next head");
    });
}

#[test]
fn what_a_pipe_leaves_in_the_socket_can_be_read_without_an_edge() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let pipe = pipe(suite);
        let bytes = generated(200);
        suite.peer_write(source, &bytes);
        let count = fill(suite, from, pipe, 100);
        suite.kernel().burst(pipe);
        let rest = suite.read(from, bytes.len() - count).unwrap();
        assert_eq!(rest, bytes[count..]);
    });
}

#[test]
fn an_empty_socket_blocks_a_pipe_and_then_gives_an_edge() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let pipe = pipe(suite);
        let result = suite.kernel().fill(from, pipe, 10);
        assert!(blocked(&result));
        suite.forget(from);
        suite.peer_write(source, b"x");
        suite.until(from, |seen| seen.readable);
        assert_eq!(fill(suite, from, pipe, 10), 1);
    });
}

#[test]
fn a_full_socket_blocks_a_pipe_and_nothing_is_lost() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let (to, sink, _) = suite.pair();
        let pipe = pipe(suite);
        let piece = generated(portion(suite));
        let (mut outstanding, mut sent) = (0, 0);
        let waiting = loop {
            if outstanding == 0 {
                suite.peer_write(source, &piece);
                outstanding = piece.len();
            }
            let mut left = fill(suite, from, pipe, piece.len());
            outstanding -= left;
            // Until the edge that a refusal promises would have to be waited for.
            let stuck = loop {
                match suite.kernel().pour(pipe, to, left) {
                    Ok(count) => {
                        left -= count;
                        sent += count;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        break true;
                    }
                }
                if left == 0 {
                    break false;
                }
            };
            if stuck {
                break left;
            }
        };
        suite.forget(to);
        let here = suite.peer_read(sink, sent).unwrap();
        pour(suite, pipe, to, waiting);
        let rest = suite.peer_read(sink, waiting).unwrap();
        assert_eq!((here.len(), rest.len()), (sent, waiting));
    });
}

#[test]
fn a_reset_is_told_to_a_pipe_as_to_a_read() {
    everywhere(|suite| {
        let (from, source, _) = suite.pair();
        let pipe = pipe(suite);
        suite.world.abort(source);
        let error = suite.poll(|suite| match suite.kernel().fill(from, pipe, 10) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            result => Some(result.unwrap_err()),
        });
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_pipe_that_was_closed_is_gone() {
    everywhere(|suite| {
        let (from, _, _) = suite.pair();
        let pipe = pipe(suite);
        suite.kernel().burst(pipe);
        let error = suite.kernel().fill(from, pipe, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}
