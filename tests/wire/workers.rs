//! Several event loops in one program: they look like one from outside.

use crate::binary::{Binary, run};
use crate::client::{Client, get};
use crate::origin::{Origin, Step, ok};

/// Binary with so many loops before these origins.
fn start(loops: &str, more: &[&str], origins: &[Origin]) -> Binary {
    let mut arguments: Vec<String> = vec!["--workers".to_owned(), loops.to_owned()];
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    arguments.extend(origins.iter().map(Origin::url));
    Binary::start(&arguments)
}

#[test]
fn round_robin_is_even_over_all_loops() {
    let origins = ["a", "b", "c"].map(Origin::saying);
    let binary = start("3", &["--probe", "off"], &origins);
    for _ in 0..60 {
        assert_eq!(get(binary.address(), "/").status(), 200);
    }
    let counts = origins.each_ref().map(|origin| origin.counts().requests);
    assert_eq!(counts.iter().sum::<usize>(), 60);
    let (most, least) = (counts.iter().max(), counts.iter().min());
    // Each loop is off by one at most.
    assert!(most.unwrap() - least.unwrap() <= 3, "{counts:?}");
}

#[test]
fn one_loop_probes_for_all_and_all_hear_of_it() {
    let mut origins = [Origin::saying("a"), Origin::saying("b")];
    let probing = ["--interval", "50ms", "--fall", "2"];
    let mut binary = start("3", &probing, &origins);
    origins[0].stop();
    let port = origins[0].address().port();
    binary.wait_for(&format!("{port} is down"));
    origins[0].start();
    binary.wait_for(&format!("{port} is up"));
    // Whichever loop takes a client knows: clients of all of them meet both servers again.
    let before = origins[0].counts().requests;
    crate::eventually("every loop uses it again", || {
        assert_eq!(get(binary.address(), "/").status(), 200);
        origins[0].counts().requests >= before + 10
    });
}

#[test]
fn all_loops_end_with_the_program() {
    let origins = [Origin::saying("a")];
    let mut binary = start("4", &[], &origins);
    let mut clients: Vec<Client> = (0..16).map(|_| binary.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn an_address_that_another_program_has_is_not_shared() {
    let origins = [Origin::saying("a")];
    let binary = start("2", &[], &origins);
    let address = binary.address().to_string();
    let second = run(&["--workers", "2", "-l", &address, &origins[0].url()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
}

#[test]
fn a_second_signal_ends_the_loop_that_still_drains() {
    for _ in 0..4 {
        let origins = [Origin::new(|_, _| vec![Step::Hold, ok("late")])];
        let mut binary = start("3", &["--probe", "off"], &origins);
        let mut client = binary.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        origins[0].wait_until(|counts| counts.requests == 1);
        binary.signal("TERM");
        // Two of the loops have nothing to end, perhaps the one that hears signals.
        for _ in 0..2 {
            binary.wait_for("stopped");
        }
        binary.signal("TERM");
        assert_eq!(binary.exit_code(), Some(3));
    }
}
