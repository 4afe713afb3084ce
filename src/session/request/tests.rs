//! What a request is called on its way to servers.

use std::net::IpAddr;
use std::rc::Rc;

use super::*;
use crate::base::buffer::Pool;
use crate::config;
use crate::session::Can;
use crate::session::Policy;
use crate::session::Step;

const OWN: u128 = 0xabc;

/// An exchange, told of one request, that wants its server; and the memory that it was lent from.
fn asking(fields: &str, policy: Policy) -> (Exchange, Pool) {
    let mut exchange = Exchange::new(Rc::new(policy), IpAddr::from([10, 0, 0, 1]), Moment(0));
    let mut pool = Pool::new(2);
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    exchange.up.lend(pool.take().unwrap());
    exchange.up.space()[..request.len()].copy_from_slice(request.as_bytes());
    exchange.filled(Side::Client, request.len(), &mut Vec::new(), Moment(0));
    assert!(matches!(exchange.next(Can::NOTHING), Step::Dial(_)));
    (exchange, pool)
}

fn naming(trusts: bool) -> Policy {
    let ten = config::Network::new(IpAddr::from([10, 0, 0, 0]), 8).unwrap();
    Policy {
        tries: 3,
        request_id: Some("x-request-id".to_owned()),
        trusted_proxies: trusts.then_some(ten).into_iter().collect(),
        ..Policy::default()
    }
}

/// What goes to a server that was found for a request with this number.
fn sent(exchange: &mut Exchange, number: u128, own_host: bool) -> String {
    let got = Dialled {
        authority: "server",
        own_host,
        reused: true,
        number,
    };
    exchange.dialled(got, &mut Vec::new(), Moment(0));
    String::from_utf8(exchange.pending(Side::Server).to_vec()).unwrap()
}

/// The ids among the fields of a head.
fn ids(head: &str) -> Vec<&str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"))
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn only_a_trusted_proxy_names_a_request_and_only_soundly() {
    let own = format!("{OWN:032x}");
    let long = format!("X-Request-Id: {}\r\n", "a".repeat(129));
    for (fields, trusted) in [
        ("", None),
        ("X-Request-Id: theirs\r\n", Some("theirs")),
        ("X-Request-Id: \r\n", None),
        ("X-Request-Id: a b\r\n", None),
        (&long, None),
        ("X-Request-Id: a\r\nX-Request-Id: b\r\n", None),
        ("X-Request-Id: a\r\nA: b\r\nx-request-id: a\r\n", None),
    ] {
        for trusts in [false, true] {
            let (mut exchange, _pool) = asking(fields, naming(trusts));
            let trusted = trusted.filter(|_| trusts);
            let asked = exchange.asks().unwrap();
            assert_eq!(asked.id, trusted.map(str::as_bytes), "{fields}");
            let head = sent(&mut exchange, OWN, false);
            assert_eq!(ids(&head), [trusted.unwrap_or(&own)], "{fields} {trusts}");
        }
    }
}

#[test]
fn a_policy_without_names_leaves_the_field_alone() {
    let policy = Policy {
        request_id: None,
        ..naming(true)
    };
    let (mut exchange, _pool) = asking("X-Request-Id: a\r\nX-Request-Id: b\r\n", policy);
    assert_eq!(exchange.asks().unwrap().id, None);
    assert_eq!(ids(&sent(&mut exchange, OWN, false)), ["a", "b"]);
}

#[test]
fn a_retry_is_the_same_request() {
    let own = format!("{OWN:032x}");
    for own_host in [false, true] {
        let (mut exchange, _pool) = asking("", naming(false));
        let first = sent(&mut exchange, OWN, false);
        exchange.wrote(Side::Server, first.len(), Moment(0));
        exchange.ended(Side::Server, &mut Vec::new(), Moment(0));
        let mut step = exchange.next(Can::NOTHING);
        if matches!(step, Step::Park | Step::Drop) {
            step = exchange.next(Can::NOTHING);
        }
        assert!(matches!(step, Step::Dial(_)), "{step:?}");
        assert!(exchange.asks().is_none(), "it is called something already");
        let second = sent(&mut exchange, OWN + 1, own_host);
        assert_eq!((ids(&first), ids(&second)), (vec![&*own], vec![&*own]));
        assert_eq!(second.contains("Host: server\r\n"), own_host);
    }
}

/// The room that reads the file cannot ask the one that reads heads, which would lose such fields.
#[test]
fn no_name_that_means_something_in_a_head_can_be_configured() {
    for name in [
        "host",
        "te",
        "expect",
        "upgrade",
        "trailer",
        "forwarded",
        "x-real-ip",
        "connection",
        "keep-alive",
        "content-length",
        "http2-settings",
        "proxy-connection",
        "transfer-encoding",
        "proxy-authorization",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-by",
        "authorization",
        "cookie",
        "via",
    ] {
        assert!(config::request_id::check(name).is_err(), "{name}");
    }
}

#[test]
fn what_cannot_be_sent_again_wants_a_young_connection() {
    for (method, fields, wish) in [
        ("GET", "", Wish::Any),
        ("PUT", "Content-Length: 100\r\n", Wish::Any),
        // It would be gone by the time that its server is found to be.
        ("PUT", "Content-Length: 18000\r\n", Wish::Young),
        ("PUT", "Transfer-Encoding: chunked\r\n", Wish::Young),
        ("POST", "Content-Length: 100\r\n", Wish::Young),
    ] {
        let policy = Rc::new(Policy::default());
        let mut exchange = Exchange::new(policy, IpAddr::from([10, 0, 0, 1]), Moment(0));
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        exchange.up.lend(Pool::new(1).take().unwrap());
        exchange.up.space()[..request.len()].copy_from_slice(request.as_bytes());
        exchange.filled(Side::Client, request.len(), &mut Vec::new(), Moment(0));
        let step = exchange.next(Can::NOTHING);
        assert_eq!(step, Step::Dial(wish), "{method} {fields}");
    }
}
