//! Clients that are in while a reload changes what holds at their listener: their next answer says
//! that it is the last, and nobody else notices anything.

use crate::client::Client;
use crate::origin::{Origin, Step, ok};
use crate::reload::{Site, changes};

/// Two listeners of one pool; `more` is about the first.
fn two(origin: &Origin, more: &str) -> String {
    let url = origin.url();
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n{more}\n\
         [[listener]]\nname = \"other\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n\
         [pool.app]\nbackends = [{url:?}]\n"
    )
}

/// A client that says where it comes from.
fn told(client: &mut Client, origin: &Origin) -> (Vec<String>, Vec<String>) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    let answer = client.response().expect("a whole answer");
    assert_eq!(answer.text(), "there");
    let words = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect();
    let request = origin.last_request();
    (
        words(request.values("x-forwarded-for")),
        words(answer.values("connection")),
    )
}

#[test]
fn a_client_goes_with_its_next_answer_when_it_is_not_trusted_any_more() {
    let origin = Origin::saying("there");
    let site = Site::start("guests", &two(&origin, "trusted_proxies = [\"127.0.0.1\"]"));
    let [mut web, mut other] = ["web", "other"].map(|name| Client::new(site.place(name)));
    let trusted = told(&mut web, &origin);
    assert_eq!(trusted, (vec!["203.0.113.9, 127.0.0.1".into()], Vec::new()));
    told(&mut other, &origin);
    let done = site.reload(&two(&origin, ""));
    assert_eq!(changes(&done), ["changed listener web"]);
    let text = done["changes"][0]["text"].as_str().expect("text");
    assert!(
        text.ends_with("; 1 connection to end with the next answer"),
        "{text}"
    );
    assert_eq!(told(&mut web, &origin).1, ["close"]);
    web.assert_closed();
    let mut web = Client::new(site.place("web"));
    for _ in 0..2 {
        assert_eq!(told(&mut web, &origin), (vec!["127.0.0.1".into()], vec![]));
        assert_eq!(told(&mut other, &origin).1, Vec::<String>::new());
    }
}

#[test]
fn what_is_asked_but_not_answered_yet_is_the_last() {
    let origin = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let site = Site::start("guests-late", &two(&origin, ""));
    let [mut web, mut other] = ["web", "other"].map(|name| Client::new(site.place(name)));
    for client in [&mut web, &mut other] {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    origin.wait_until(|counts| counts.requests == 2);
    site.reload(&two(&origin, "limits.headers = 7"));
    origin.release();
    let last = web.response().expect("a whole answer");
    assert_eq!(
        (last.text(), last.values("connection")),
        ("late", vec!["close"])
    );
    web.assert_closed();
    let one = other.response().expect("a whole answer");
    assert_eq!((one.text(), one.values("connection")), ("late", Vec::new()));
}

/// An answer that has begun without a word of an end is not followed by one.
#[test]
fn an_answer_that_has_begun_is_not_the_last() {
    let origin = Origin::new(|_, before| match before {
        0 => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nth";
            vec![
                Step::Send(head.to_vec()),
                Step::Hold,
                Step::Send(b"ere".to_vec()),
            ]
        }
        _ => vec![ok("there")],
    });
    let site = Site::start("guests-begun", &two(&origin, ""));
    let mut web = Client::new(site.place("web"));
    web.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nth") {
        seen.extend(web.bytes(1));
    }
    site.reload(&two(&origin, "limits.headers = 7"));
    origin.release();
    assert_eq!(web.bytes(3), b"ere");
    assert_eq!(told(&mut web, &origin).1, ["close"]);
    web.assert_closed();
}
