//! Conversations byte by byte: every framing, every bound.

use super::*;

const NOW: Moment = Moment(1);

fn access() -> Access {
    Access::new(None, None)
}

/// Gives it bytes, piece by piece, and collects what it does.
fn talk(conversation: &mut Conversation, bytes: &[u8], piece: usize) -> (Vec<Request>, String) {
    let mut requests = Vec::new();
    let mut said = Vec::new();
    let mut pieces = bytes.chunks(piece);
    for _ in 0..10_000 {
        match conversation.next((true, true), &access(), NOW) {
            Move::Read => match pieces.next() {
                Some(piece) => conversation.took(piece, NOW),
                None => break,
            },
            Move::Write => {
                said.push(conversation.pending()[0]);
                conversation.wrote(1, NOW);
            }
            Move::Answer(request) => {
                requests.push(request);
                conversation.answer(&Answer::text(200, "fine"), NOW);
            }
            Move::Finish => conversation.finished(NOW),
            Move::Wait => panic!("it waits although everything is possible"),
            Move::End => break,
        }
    }
    (requests, String::from_utf8(said).unwrap())
}

#[test]
fn requests_are_answered_one_after_the_other_however_they_come() {
    let bytes = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\
        POST /b?c=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
        POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: A/b; c\r\n\r\n\
        2\r\nde\r\n1\r\nf\r\n0\r\n\r\nHEAD /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for piece in [1, 2, 7, 1000] {
        let mut conversation = Conversation::new(NOW);
        let (requests, said) = talk(&mut conversation, bytes, piece);
        let paths: Vec<&str> = requests.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["/a", "/b", "/d", "/e"]);
        assert_eq!(
            (&*requests[1].query, &*requests[1].body),
            ("c=1", &b"abc"[..])
        );
        assert_eq!(
            (&*requests[2].media, &*requests[2].body),
            ("a/b", &b"def"[..])
        );
        assert_eq!(said.matches("fine\n").count(), 3);
        assert!(said.ends_with("Connection: close\r\n\r\n"), "{said}");
    }
}

#[test]
fn too_long_a_body_is_refused_before_it_comes() {
    let announced = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n".to_owned();
    let chunks = "10000\r\n".to_owned() + &"x".repeat(65_536) + "\r\n1\r\ny\r\n";
    let chunked =
        format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    for bytes in [announced, chunked] {
        let mut conversation = Conversation::new(NOW);
        let (requests, said) = talk(&mut conversation, bytes.as_bytes(), 4096);
        assert_eq!(requests, []);
        assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    }
}

#[test]
fn a_hundred_is_said_only_for_a_body_that_is_wanted() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ";
    for (length, said) in [
        ("5\r\n\r\n", "HTTP/1.1 100 "),
        ("70000\r\n\r\n", "HTTP/1.1 413 "),
    ] {
        let mut conversation = Conversation::new(NOW);
        let (_, answer) = talk(&mut conversation, format!("{head}{length}").as_bytes(), 999);
        assert!(answer.starts_with(said), "{answer}");
    }
}

#[test]
fn the_slow_are_given_up() {
    let mut conversation = Conversation::new(NOW);
    assert_eq!(conversation.deadline(), Some(NOW + IDLE));
    conversation.took(b"GET / HT", NOW);
    let later = Moment(NOW.0 + 1);
    conversation.took(b"TP", later);
    assert_eq!(conversation.deadline(), Some(NOW + READ));
    let end = NOW + READ;
    assert_eq!(conversation.next((true, true), &access(), end), Move::End);
}

#[test]
fn a_slow_reader_of_events_is_given_up() {
    let mut conversation = Conversation::new(NOW);
    conversation.took(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n", NOW);
    let next = conversation.next((true, true), &access(), NOW);
    assert!(matches!(next, Move::Answer(_)));
    conversation.stream(NOW);
    let events = vec![b'x'; STREAM_BYTES_MAX / 4];
    for _ in 0..4 {
        conversation.feed(&events, NOW);
        assert_eq!(
            conversation.next((false, false), &access(), NOW),
            Move::Wait
        );
    }
    conversation.feed(&events, NOW);
    assert_eq!(conversation.next((false, false), &access(), NOW), Move::End);
}

#[test]
fn a_long_event_is_no_slow_reader() {
    let mut conversation = Conversation::new(NOW);
    conversation.took(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n", NOW);
    let next = conversation.next((true, true), &access(), NOW);
    assert!(matches!(next, Move::Answer(_)));
    conversation.stream(NOW);
    // Thousands of backends, once a second.
    let events = vec![b'x'; 3 * STREAM_BYTES_MAX];
    for _ in 0..3 {
        conversation.feed(&events, NOW);
        let next = conversation.next((false, true), &access(), NOW);
        assert_eq!(next, Move::Write);
        conversation.wrote(conversation.pending().len(), NOW);
    }
}

#[test]
fn what_follows_waits_while_an_answer_takes_its_time_and_an_end_ends_it() {
    let ask = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    let waiting = || {
        let mut conversation = Conversation::new(NOW);
        conversation.took(ask, NOW);
        let step = conversation.next((true, true), &access(), NOW);
        assert!(matches!(step, Move::Answer(_)));
        assert_eq!(conversation.idle_since(), None);
        conversation
    };
    let mut conversation = waiting();
    assert_eq!(conversation.next((true, true), &access(), NOW), Move::Read);
    conversation.took(ask, NOW);
    assert_eq!(conversation.next((false, true), &access(), NOW), Move::Wait);
    conversation.took(&[b'x'; AHEAD_BYTES_MAX], NOW);
    assert_eq!(conversation.next((true, true), &access(), NOW), Move::Wait);
    let mut conversation = waiting();
    conversation.took(ask, NOW);
    conversation.answer(&Answer::text(200, "late"), NOW);
    let (requests, said) = talk(&mut conversation, b"", 1);
    assert_eq!((requests.len(), said.matches("late").count()), (1, 1));
    let mut conversation = waiting();
    conversation.ended();
    assert_eq!(conversation.next((true, true), &access(), NOW), Move::End);
}

#[test]
fn who_is_of_no_use_is_told_from_who_is() {
    let mut conversation = Conversation::new(NOW);
    assert_eq!(conversation.idle_since(), Some((false, NOW)));
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
    conversation.took(head, Moment(5));
    assert_eq!(conversation.next((true, true), &access(), NOW), Move::Read);
    assert_eq!(conversation.idle_since(), Some((true, Moment(5))));
    conversation.took(b"ab", NOW);
    let step = conversation.next((true, true), &access(), NOW);
    assert!(matches!(step, Move::Answer(_)));
    conversation.answer(&Answer::text(200, "fine"), Moment(7));
    assert_eq!(conversation.idle_since(), None, "an answer goes out");
}
