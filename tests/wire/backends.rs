//! Several backends: turns, refusals, connections that die while idle, backends that come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::binary::Binary;
use crate::client::get;
use crate::eventually;
use crate::origin::{Origin, Step, VacantPort, ok};

#[test]
fn round_robin_is_exact() {
    let origins = ["a", "b", "c"].map(Origin::saying);
    let mut arguments = vec!["--probe".to_owned(), "off".to_owned()];
    arguments.extend(origins.iter().map(Origin::url));
    let binary = Binary::start(&arguments);
    let mut client = binary.client();
    let names: Vec<String> = (0..30).map(|_| client.get("/").text().to_owned()).collect();
    let round: Vec<String> = names[..3].to_vec();
    assert!(names.chunks(3).all(|turn| turn == round), "{names:?}");
    for origin in &origins {
        assert_eq!(origin.counts().requests, 10);
    }
}

#[test]
fn a_backend_that_refuses_is_skipped_unseen() {
    let vacant = VacantPort::new();
    let origin = Origin::saying("there");
    let (dead, alive) = (vacant.url(), origin.url());
    let binary = Binary::start(&[&dead, &alive, "--probe", "off"]);
    let mut client = binary.client();
    for number in 0..20 {
        let response = if number % 2 == 0 {
            client.get("/")
        } else {
            // Nothing was sent where the connection was refused, so a POST may be tried again.
            client.post("/", "x")
        };
        assert_eq!((response.status(), response.text()), (200, "there"));
    }
    assert_eq!(origin.counts().requests, 20);
}

#[test]
fn a_get_on_a_connection_that_the_backend_closes_is_tried_again() {
    // The backend closes when the second request of a connection has arrived: the race that every
    // idle connection runs, here lost every time.
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    let origin = Origin::new(move |_, before| {
        if before > 0 {
            count.fetch_add(1, Ordering::SeqCst);
            return vec![Step::Close];
        }
        vec![ok("fresh")]
    });
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    eventually("an idle connection is used again", || {
        assert_eq!(client.get("/").text(), "fresh");
        dropped.load(Ordering::SeqCst) > 0
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_noticed() {
    let origin = Origin::sending("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "ok");
        origin.wait_until(|counts| counts.open == 0);
        assert_eq!(client.post("/", "x").text(), "ok");
        origin.wait_until(|counts| counts.open == 0);
    }
    assert_eq!(origin.counts().carriers, 40);
}

#[test]
fn a_post_that_may_have_been_executed_is_not_sent_twice() {
    let origins = [(); 2].map(|()| {
        Origin::new(|request, _| match request.method() {
            "POST" => vec![Step::Close],
            _ => vec![ok("warm")],
        })
    });
    let [first, second] = [origins[0].url(), origins[1].url()];
    let binary = Binary::start(&[&first, &second, "--probe", "off"]);
    let mut client = binary.client();
    // On a connection that has served before, and on a fresh one.
    for warm in [2, 0] {
        for _ in 0..warm {
            assert_eq!(client.get("/").text(), "warm");
        }
        assert_eq!(client.post("/order", "x").status(), 502);
    }
    let all = origins.iter().flat_map(Origin::requests);
    let orders = all.filter(|request| request.method() == "POST");
    assert_eq!(orders.count(), 2);
}

#[test]
fn a_backend_that_comes_back_gets_its_share_again() {
    let steady = Origin::saying("steady");
    let mut killed = Origin::saying("killed");
    let (first, second) = (steady.url(), killed.url());
    let binary = Binary::start(&[&first, &second, "--interval", "50ms"]);
    let mut client = binary.client();
    let mut ask = || client.get("/").text().to_owned();
    eventually("the second backend gets traffic", || ask() == "killed");

    killed.stop();
    for _ in 0..50 {
        assert_eq!(ask(), "steady");
    }
    killed.start();
    eventually("the revived backend gets traffic", || ask() == "killed");

    let before = (steady.counts().requests, killed.counts().requests);
    for _ in 0..20 {
        ask();
    }
    let steady = steady.counts().requests - before.0;
    let revived = killed.counts().requests - before.1;
    assert_eq!((steady, revived), (10, 10));
}

#[test]
fn a_silent_backend_does_not_hold_up_the_others() {
    let held = Origin::new(|_, _| vec![Step::Hold, ok("held")]);
    let origin = Origin::saying("quick");
    let (slow, quick) = (held.url(), origin.url());
    let binary = Binary::start(&[&slow, &quick, "--probe", "off"]);
    let mut waiting = binary.client();
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    held.wait_until(|counts| counts.requests == 1);
    assert_eq!(get(binary.address(), "/").text(), "quick");
    held.release();
    let response = waiting.response().expect("a whole response");
    assert_eq!(response.text(), "held");
}

#[test]
fn with_nobody_up_the_answer_is_503_and_says_when_to_come_back() {
    let vacant = VacantPort::new();
    let url = vacant.url();
    let mut binary = Binary::start(&[&url, "--interval", "50ms", "--fall", "1"]);
    let address = binary.address();
    eventually("the backend counts as down", || {
        get(address, "/").status() == 503
    });
    let response = get(address, "/");
    let seconds: u32 = response.value("retry-after").parse().expect("seconds");
    assert!(seconds > 0);
    let line = binary.wait_for("L4CON");
    assert!(line.contains(&vacant.address().to_string()), "{line}");
}
