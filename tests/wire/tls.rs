//! Backends under TLS: whom the program believes, what it tells them, and that a stream which was
//! cut never looks whole.

use std::sync::Arc;
use std::thread;

use rustls::ProtocolVersion;

use crate::admin::Admin;
use crate::binary::Binary;
use crate::client::{Client, get};
use crate::message::Framing;
use crate::origin::{Origin, Step, ok};
use crate::secure_origin::{self, Act, Authority, SecureOrigin, Seen};

/// A balancer without probes for one backend, whose authority it knows.
#[track_caller]
fn trusting(authority: &Authority, origin: &SecureOrigin) -> Binary {
    let url = origin.url();
    Binary::start(&["--probe", "off", "--upstream-ca", authority.file(), &url])
}

/// One called `localhost` that does that on every request.
fn doing(authority: &Authority, acts: Vec<Act>) -> SecureOrigin {
    let settings = authority.settings("localhost", rustls::ALL_VERSIONS);
    SecureOrigin::new(settings, move |_| acts.clone())
}

#[test]
fn a_backend_is_addressed_by_the_name_in_its_url() {
    let authority = Authority::new();
    let origin = SecureOrigin::saying(&authority, "private");
    let binary = trusting(&authority, &origin);
    let response = get(binary.address(), "/a?b");
    assert_eq!((response.status(), response.text()), (200, "private"));
    let [seen] = <[Seen; 1]>::try_from(origin.seen()).expect("one request");
    assert_eq!(seen.server_name.as_deref(), Some("localhost"));
    assert_eq!(seen.version, Some(ProtocolVersion::TLSv1_3));
    assert_eq!(seen.message.start, "GET /a?b HTTP/1.1");
    assert_eq!(seen.message.value("host"), origin.authority());
    assert_eq!(seen.message.value("x-forwarded-host"), "example.test");
    // How the client came here, not how the request goes on.
    assert_eq!(seen.message.value("x-forwarded-proto"), "http");
}

#[test]
fn a_certificate_from_a_stranger_is_refused_and_the_log_says_why() {
    let origin = SecureOrigin::saying(&Authority::new(), "never");
    let url = origin.url();
    let mut binary = Binary::start(&["--probe", "off", &url]);
    assert_eq!(get(binary.address(), "/").status(), 502);
    let line = binary.wait_for("TLS:");
    assert!(line.contains("UnknownIssuer"), "{line}");
    assert!(line.contains(&origin.authority()), "{line}");
    assert!(origin.seen().is_empty());
    // Another authority than the one that is trusted is a stranger, too.
    let other = Authority::new();
    let binary = trusting(&other, &origin);
    assert_eq!(get(binary.address(), "/").status(), 502);
    assert!(origin.seen().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_refused_and_the_log_says_why() {
    let authority = Authority::new();
    let settings = authority.settings("elsewhere.test", rustls::ALL_VERSIONS);
    let origin = SecureOrigin::new(settings, |_| vec![secure_origin::ok("never")]);
    let mut binary = trusting(&authority, &origin);
    assert_eq!(get(binary.address(), "/").status(), 502);
    let line = binary.wait_for("TLS:");
    assert!(line.contains("elsewhere.test"), "{line}");
    assert!(origin.seen().is_empty());
}

#[test]
fn probes_find_out_that_a_certificate_is_no_good() {
    let origin = SecureOrigin::saying(&Authority::new(), "never");
    let arguments = ["--interval", "50ms", "--fall", "2", &origin.url()];
    let mut admin = Admin::start(&arguments.map(str::to_owned));
    admin.binary.wait_for("UnknownIssuer");
    let line = admin.binary.wait_for("is down");
    assert!(line.contains("L6"), "{line}");
    assert_eq!(get(admin.binary.address(), "/").status(), 503);
    // It is said once, however often it is found out.
    let name = "tidegate_backend_probe_total{pool=\"app\",backend=\"app-1\",result=\"failed\"} ";
    crate::eventually("it is probed again", || {
        let page = admin.ask("GET", "/metrics", "");
        let line = page.text().lines().find_map(|line| line.strip_prefix(name));
        line.expect("that sample").parse::<u64>().expect("a number") > 4
    });
    admin.binary.signal("TERM");
    assert_eq!(admin.binary.exit_code(), Some(0));
    assert_eq!(admin.binary.lines("UnknownIssuer").len(), 1);
}

#[test]
fn whoever_wants_no_verification_gets_a_warning_and_an_answer() {
    let settings = Authority::new().settings("elsewhere.test", rustls::ALL_VERSIONS);
    let origin = SecureOrigin::new(settings, |_| vec![secure_origin::ok("anyway")]);
    let url = origin.url();
    let binary = Binary::start(&["--probe", "off", "--insecure-upstream", &url]);
    assert_eq!(get(binary.address(), "/").text(), "anyway");
    assert!(binary.has_said("--insecure-upstream"), "no warning");
}

#[test]
fn one_connection_carries_the_requests_of_many_clients() {
    let authority = Authority::new();
    let origin = SecureOrigin::saying(&authority, "again");
    let binary = trusting(&authority, &origin);
    for _ in 0..10 {
        let mut client = binary.client();
        for _ in 0..5 {
            assert_eq!(client.get("/").text(), "again");
        }
    }
    assert_eq!(origin.seen().len(), 50);
    assert_eq!(origin.counts().connections, 1);
}

#[test]
fn a_second_connection_resumes_the_session_of_the_first() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = Authority::new();
        let settings = authority.settings("localhost", &[version]);
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        let script = vec![Act::Say(head.into()), Act::End];
        let origin = SecureOrigin::new(settings, move |_| script.clone());
        let binary = trusting(&authority, &origin);
        for _ in 0..3 {
            assert_eq!(get(binary.address(), "/").text(), "ok");
        }
        let seen = origin.seen();
        let resumed: Vec<bool> = seen.iter().map(|seen| seen.resumed).collect();
        assert_eq!(resumed, [false, true, true], "{version:?}");
        assert!(
            seen.iter()
                .all(|seen| seen.version == Some(version.version))
        );
    }
}

/// Bytes in which a lost, doubled or displaced piece shows.
fn long_body() -> Vec<u8> {
    let numbers = (0..1_u32 << 21).map(|number| number.wrapping_mul(2_654_435_761));
    numbers.flat_map(u32::to_le_bytes).collect()
}

#[test]
fn eight_mebibytes_pass_whole_both_ways_to_a_slow_reader() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = Authority::new();
        let settings = authority.settings("localhost", &[version]);
        let echo = |seen: &crate::message::Message| vec![secure_origin::ok(&seen.body)];
        let origin = SecureOrigin::new(settings, echo);
        let binary = trusting(&authority, &origin);
        let body = Arc::new(long_body());
        let mut client = Client::narrow(binary.address());
        let length = body.len();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        for piece in body.chunks(70_001) {
            client.send(piece);
        }
        let response = client.response().expect("a whole response");
        assert!(response.body == *body, "the body came back changed");
        assert!(origin.seen()[0].message.body == *body, "it arrived changed");
    }
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    let authority = Authority::new();
    let settings = authority.settings("localhost", rustls::ALL_VERSIONS);
    let echo = |seen: &crate::message::Message| vec![secure_origin::ok(&seen.body)];
    let origin = SecureOrigin::new(settings, echo);
    let binary = trusting(&authority, &origin);
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let mut client = binary.client();
            thread::spawn(move || {
                for turn in 0..20 {
                    let body = format!("{number}-{turn} ").repeat(10_000);
                    assert!(client.post("/", &body).text() == body);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every body came back");
    }
    assert_eq!(origin.seen().len(), 160);
}

#[test]
fn a_body_that_ends_with_a_cut_stream_never_looks_whole() {
    let authority = Authority::new();
    let head = "HTTP/1.1 200 OK\r\n\r\nhalf";
    let whole = doing(&authority, vec![Act::Say(head.into()), Act::End]);
    let cut = doing(&authority, vec![Act::Say(head.into()), Act::Cut]);
    for version in ["1.1", "1.0"] {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
        // The same with a proper end, to know that it is the end which matters.
        let binary = trusting(&authority, &whole);
        let mut client = binary.client();
        client.send(&request);
        let response = client.response().expect("a whole response");
        assert_eq!(response.text(), "half", "HTTP/{version}");

        let binary = trusting(&authority, &cut);
        for _ in 0..20 {
            let mut client = binary.client();
            client.send(&request);
            // A head that was not passed on yet may still become an error of our own.
            let response = client.response();
            let status = response.as_ref().map(crate::message::Message::status);
            assert!(matches!(status, Err(_) | Ok(502)), "{response:?}");
        }
    }
}

#[test]
fn a_body_that_says_its_length_needs_no_proper_end() {
    let authority = Authority::new();
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n";
    for (text, framing) in [(length, Framing::Length), (chunks, Framing::Chunked)] {
        let origin = doing(&authority, vec![Act::Say(text.into()), Act::Cut]);
        let binary = trusting(&authority, &origin);
        let mut client = binary.client();
        for _ in 0..20 {
            let response = client.get("/");
            assert_eq!((response.text(), response.framing), ("whole", framing));
        }
    }
}

#[test]
fn a_body_shorter_than_its_length_never_looks_whole() {
    let authority = Authority::new();
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for text in [length, chunks] {
        for end in [Act::End, Act::Cut] {
            let origin = doing(&authority, vec![Act::Say(text.into()), end.clone()]);
            let binary = trusting(&authority, &origin);
            let mut client = binary.client();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let response = client.response();
            let status = response.as_ref().map(crate::message::Message::status);
            assert!(matches!(status, Err(_) | Ok(502)), "{end:?}: {response:?}");
        }
    }
}

#[test]
fn a_port_that_does_not_speak_tls_is_found_out_by_probes() {
    let authority = Authority::new();
    let plain = Origin::saying("plain");
    let secure = SecureOrigin::saying(&authority, "secure");
    let bad = format!("https://localhost:{}", plain.address().port());
    let good = secure.url();
    let mut binary = Binary::start(&[
        "--interval",
        "50ms",
        "--upstream-ca",
        authority.file(),
        &bad,
        &good,
    ]);
    let line = binary.wait_for("is down");
    assert!(line.contains(&plain.address().port().to_string()), "{line}");
    assert!(line.contains("1 of 2 up"), "{line}");
    for _ in 0..10 {
        assert_eq!(get(binary.address(), "/").text(), "secure");
    }
}

#[test]
fn a_backend_that_never_answers_the_handshake_is_a_gateway_timeout() {
    let silent = Origin::raw(|stream| {
        let _ = std::io::copy(stream, &mut std::io::sink());
    });
    let url = format!("https://localhost:{}", silent.address().port());
    let binary = Binary::start(&["--probe", "off", "--timeout-connect", "200ms", &url]);
    assert_eq!(get(binary.address(), "/").status(), 504);
}

#[test]
fn a_retry_names_the_host_that_the_next_backend_wants() {
    let authority = Authority::new();
    // The one that is asked first takes the request and answers nothing.
    let mute = Origin::new(|_, _| vec![Step::Close]);
    let secure = SecureOrigin::saying(&authority, "there");
    let (first, second) = (mute.url(), secure.url());
    let ca = authority.file();
    let binary = Binary::start(&["--probe", "off", "--upstream-ca", ca, &first, &second]);
    for _ in 0..10 {
        assert_eq!(get(binary.address(), "/x").text(), "there");
    }
    assert!(mute.counts().requests > 0, "nothing was tried again");
    assert_eq!(mute.last_request().value("host"), "example.test");
    assert_eq!(secure.seen().len(), 10);
    for seen in secure.seen() {
        assert_eq!(seen.message.start, "GET /x HTTP/1.1");
        assert_eq!(seen.message.value("host"), secure.authority());
        assert_eq!(seen.message.value("x-forwarded-host"), "example.test");
    }

    let mute = doing(&authority, vec![Act::Cut]);
    let plain = Origin::new(|request, _| vec![ok(request.value("host"))]);
    let (first, second) = (mute.url(), plain.url());
    let binary = Binary::start(&["--probe", "off", "--upstream-ca", ca, &first, &second]);
    for _ in 0..10 {
        assert_eq!(get(binary.address(), "/x").text(), "example.test");
    }
    assert!(!mute.seen().is_empty(), "nothing was tried again");
    for seen in mute.seen() {
        assert_eq!(seen.message.value("host"), mute.authority());
    }
    for request in plain.requests() {
        assert_eq!(request.value("x-forwarded-host"), "example.test");
    }
}

#[test]
fn head_and_no_content_leave_the_connection_usable() {
    let authority = Authority::new();
    let settings = authority.settings("localhost", rustls::ALL_VERSIONS);
    let origin = SecureOrigin::new(settings, |message| match message.method() {
        "HEAD" => vec![Act::Say(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".into(),
        )],
        "DELETE" => vec![Act::Say("HTTP/1.1 204 No Content\r\n\r\n".into())],
        _ => vec![secure_origin::ok("body")],
    });
    let binary = trusting(&authority, &origin);
    let mut client = binary.client();
    for _ in 0..5 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response_to("HEAD").expect("a whole response");
        assert_eq!(response.value("content-length"), "9");
        client.send("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response().expect("a whole response");
        assert_eq!(response.status(), 204);
        assert_eq!(client.get("/").text(), "body");
    }
    assert!(origin.counts().connections <= 2, "{:?}", origin.counts());
}
