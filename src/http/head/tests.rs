//! Every guard by its reason, and every answer in every way of cutting the bytes.

use super::*;
use crate::base::random::Random;
use crate::http::Framing;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::limits;

const MAX: usize = 16 * 1024;

/// Search and parse, as a session does it, with the bytes arriving up to each of `cuts`.
fn arrive(bytes: &[u8], cuts: &[usize]) -> Result<Option<RequestHead>, Reject> {
    let mut scan = HeadScan::request();
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        if let Some(end) = scan.find(&bytes[..cut], MAX)? {
            return request(&bytes[scan.lead()..end]).map(Some);
        }
    }
    Ok(None)
}

/// The one outcome of `bytes`: whole, byte by byte, in two at every place, in random pieces.
fn outcome(bytes: &[u8]) -> Result<Option<RequestHead>, Reject> {
    let whole = arrive(bytes, &[]);
    let each: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(arrive(bytes, &each), whole, "byte by byte: {}", show(bytes));
    if bytes.len() < 1_000 {
        for cut in 0..bytes.len() {
            assert_eq!(arrive(bytes, &[cut]), whole, "at {cut}: {}", show(bytes));
        }
    }
    let mut random = Random::new(bytes.len() as u64);
    for _ in 0..5 {
        let mut cuts: Vec<usize> = (0..4)
            .map(|_| usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap())
            .collect();
        cuts.sort_unstable();
        assert_eq!(arrive(bytes, &cuts), whole, "{cuts:?}: {}", show(bytes));
    }
    whole
}

fn show(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(300)].escape_ascii().to_string()
}

fn accepted(bytes: &[u8]) -> RequestHead {
    outcome(bytes)
        .unwrap_or_else(|reject| panic!("{reject:?}: {}", show(bytes)))
        .unwrap_or_else(|| panic!("incomplete: {}", show(bytes)))
}

/// Refused with this reason and its status, alone and with a sound request glued behind.
fn refused(bytes: &[u8], reason: Reason) {
    let expected = Err(Reject {
        status: reason.status(),
        reason,
    });
    assert_eq!(outcome(bytes), expected, "{}", show(bytes));
    let glued = [bytes, b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    assert_eq!(outcome(&glued), expected, "glued: {}", show(bytes));
}

fn with(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").into_bytes()
}

fn answer(bytes: &[u8], to_head: bool) -> Result<ResponseHead, Reject> {
    let parse = |cuts: &[usize]| {
        let mut scan = HeadScan::response();
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            if let Some(end) = scan.find(&bytes[..cut], MAX)? {
                assert_eq!(scan.lead(), 0);
                return response(&bytes[..end], to_head).map(Some);
            }
        }
        Ok(None)
    };
    let whole = parse(&[]);
    let each: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(parse(&each), whole, "{}", show(bytes));
    for cut in 0..bytes.len().min(1_000) {
        assert_eq!(parse(&[cut]), whole, "at {cut}: {}", show(bytes));
    }
    whole.map(|head| head.expect("a whole head"))
}

fn answer_with(status: u16, fields: &str, to_head: bool) -> Result<ResponseHead, Reject> {
    let end = if fields.is_empty() { "" } else { "\r\n" };
    answer(
        format!("HTTP/1.1 {status} X\r\n{fields}{end}\r\n").as_bytes(),
        to_head,
    )
}

#[test]
fn content_length_is_one_plain_number() {
    for value in [
        "",
        "+1",
        "-1",
        "0x10",
        "1_0",
        "1 0",
        "1,",
        "5, 5",
        ",5",
        "5;",
        "010",
        "00",
        "1e3",
        "5\tx",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999",
        "\u{663}",
    ] {
        refused(
            &with(&format!("Content-Length: {value}")),
            Reason::LengthInvalid,
        );
    }
    for (value, length) in [
        ("0", 0),
        ("5 \t", 5),
        ("9223372036854775807", i64::MAX as u64),
    ] {
        let head = accepted(&with(&format!("Content-Length:{value}")));
        assert_eq!(head.framing, Framing::Length(length));
    }
    let twice = with("Content-Length: 5\r\ncontent-length: 5");
    refused(&twice, Reason::LengthDuplicate);
}

#[test]
fn transfer_encoding_is_chunked_once_or_nothing() {
    for value in ["chunked", "CHUNKED", " \tchunked\t "] {
        let head = accepted(&with(&format!("Transfer-Encoding:{value}")));
        assert_eq!(head.framing, Framing::Chunked);
    }
    for value in [
        "gzip",
        "identity",
        "xchunked",
        "gzip, chunked",
        "gzip;q=1",
        "chunkedx",
    ] {
        let bytes = with(&format!("Transfer-Encoding: {value}"));
        refused(&bytes, Reason::CodingUnknown);
    }
    for value in [
        "",
        ",chunked",
        "chunked,",
        "chunked, chunked",
        "chunked;q=1",
        "chunked, gzip",
        "chun ked",
        "\"chunked\"",
        "chunked;",
        "chunked\u{a0}",
        "gzip,,chunked",
        "gzip;",
        "'chunked' x",
        "=",
    ] {
        let bytes = with(&format!("Transfer-Encoding: {value}"));
        refused(&bytes, Reason::CodingMalformed);
    }
    refused(
        &with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Reason::CodingMalformed,
    );
    refused(
        &with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
        Reason::CodingMalformed,
    );
    for control in ["\u{b}", "\u{c}", "\u{1}"] {
        let bytes = with(&format!("Transfer-Encoding: {control}chunked"));
        refused(&bytes, Reason::ControlByte);
    }
    refused(&with("Transfer-Encoding: chunked\0"), Reason::Nul);
    refused(
        &with("Transfer-Encoding: chunked\u{7f}"),
        Reason::ControlByte,
    );
    refused(&with("Transfer-Encoding:\r\n chunked"), Reason::ObsFold);
}

#[test]
fn both_framings_are_refused_in_any_order_and_shape() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: identity\r\nContent-Length: 5",
        "Transfer-Encoding: \r\nContent-Length: 0",
    ] {
        refused(&with(fields), Reason::LengthWithCoding);
    }
    refused(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Reason::CodingInHttp10,
    );
    assert_eq!(accepted(&with("A: b")).framing, Framing::None);
}

#[test]
fn every_line_ends_in_crlf_and_holds_no_controls() {
    refused(b"GET / HTTP/1.1\nHost: a\r\n\r\n", Reason::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: a\n\r\n", Reason::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\n\n", Reason::BareLf);
    refused(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reason::BareLf);
    refused(b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", Reason::BareCr);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Reason::BareCr);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\n\rX", Reason::BareCr);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", Reason::Nul);
    refused(
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\r\n\r\n",
        Reason::ControlByte,
    );
    refused(
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        Reason::ControlByte,
    );
    refused(b"\x16\x03\x01\x02\0\x01\0", Reason::ControlByte);
    // Tabs and bytes beyond ASCII may stand in values that mean nothing to us.
    accepted(b"GET / HTTP/1.1\r\nHost: a\r\nX: \ta\t\xff\xfe b\t\r\n\r\n");
}

#[test]
fn one_empty_line_before_a_request_is_skipped() {
    let head = accepted(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head.method, Method::Get);
    refused(
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Reason::LeadingBlankLines,
    );
    let direct = request(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(direct.unwrap_err().reason, Reason::LeadingBlankLines);
    let mut scan = HeadScan::request();
    assert_eq!(scan.find(b"\r\n", MAX), Ok(None));
    assert!(scan.is_untouched());
    assert_eq!(scan.find(b"\r\nG", MAX), Ok(None));
    assert!(!scan.is_untouched());
}

#[test]
fn field_names() {
    for (line, reason) in [
        ("Content-Length : 5", Reason::SpaceBeforeColon),
        ("X\t: 5", Reason::SpaceBeforeColon),
        (" X: y", Reason::ObsFold),
        ("X: y\r\n z", Reason::ObsFold),
        ("X: y\r\n\tz", Reason::ObsFold),
        (": y", Reason::EmptyName),
        ("X", Reason::NameInvalid),
        ("X y", Reason::NameInvalid),
        ("X(y: z", Reason::NameInvalid),
        ("B\u{e9}: z", Reason::NameInvalid),
        ("\"X\": z", Reason::NameInvalid),
        ("content_length: 5", Reason::UnderscoreName),
        ("Transfer_Encoding: chunked", Reason::UnderscoreName),
        ("X_Forwarded_For: 1.2.3.4", Reason::UnderscoreName),
        ("X-Forwarded_Host: b", Reason::UnderscoreName),
        ("X_Real_IP: 1.2.3.4", Reason::UnderscoreName),
    ] {
        refused(&with(line), reason);
        refused(
            format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n").as_bytes(),
            reason,
        );
    }
    accepted(&with("My_Own_Name: fine\r\n!#$%&'*+-.^_`|~9z: fine"));
}

#[test]
fn request_lines() {
    for (line, reason) in [
        ("GET  / HTTP/1.1", Reason::RequestLineInvalid),
        ("GET /  HTTP/1.1", Reason::RequestLineInvalid),
        ("GET / a HTTP/1.1", Reason::RequestLineInvalid),
        (" GET / HTTP/1.1", Reason::RequestLineInvalid),
        ("GET / HTTP/1.1 ", Reason::RequestLineInvalid),
        ("GET HTTP/1.1", Reason::Http09),
        ("GET /", Reason::Http09),
        ("GET", Reason::RequestLineInvalid),
        ("SSH-2.0-OpenSSH_9.9", Reason::RequestLineInvalid),
        ("GET / http/1.1", Reason::VersionInvalid),
        ("GET / HTTP/1.1x", Reason::VersionInvalid),
        ("GET / HTTP/", Reason::VersionInvalid),
        ("GET / FTP/1.1", Reason::VersionInvalid),
        ("GET / HTTP/1.2", Reason::VersionUnsupported),
        ("GET / HTTP/2.0", Reason::VersionUnsupported),
        ("GET / HTTP/3", Reason::VersionUnsupported),
        ("GET / HTTP/01.1", Reason::VersionUnsupported),
        ("GET / HTTP/9.9", Reason::VersionUnsupported),
        ("PRI * HTTP/2.0", Reason::Http2Preface),
        ("G@T / HTTP/1.1", Reason::MethodInvalid),
        ("G\u{e9}T / HTTP/1.1", Reason::MethodInvalid),
        ("CONNECT a:443 HTTP/1.1", Reason::ConnectRefused),
        ("CONNECT / HTTP/1.1", Reason::ConnectRefused),
    ] {
        refused(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), reason);
    }
    let long = |length| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(length));
    assert_eq!(accepted(long(32).as_bytes()).method, Method::Other);
    refused(long(33).as_bytes(), Reason::MethodTooLong);
}

#[test]
fn garbage_is_refused_before_the_head_is_complete() {
    for (bytes, reason) in [
        (b"GET /\r\n".as_slice(), Reason::Http09),
        (b"GET / HTTP/1.1\n", Reason::BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\n", Reason::BareLf),
        (b"GET / HTTP/1.1\rH", Reason::BareCr),
        (b"GET / HTTP/2.0\r\n", Reason::VersionUnsupported),
        (b"PRI * HTTP/2.0\r\n", Reason::Http2Preface),
        (b"\0", Reason::Nul),
        (b"\r\n\r\n", Reason::LeadingBlankLines),
    ] {
        let found = HeadScan::default().find(bytes, MAX);
        assert_eq!(found.unwrap_err().reason, reason, "{}", show(bytes));
    }
}

#[test]
fn targets() {
    for target in [
        "/",
        "/a/b;c=d?e=f&g=%20",
        "//a",
        "/a?{b|c}^`",
        "/~a/-._!$&'()*+,;=:@",
        "/?a?b/c",
        "/%zz",
        "http://a",
        "HTTP://A/b",
        "https://a/?q",
        "http://a?q=1",
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        accepted(bytes.as_bytes());
    }
    for target in [
        "a",
        "*",
        "?a",
        "a/b",
        "/a#b",
        "/a\\b",
        "/\"",
        "/<",
        "/>",
        "/^",
        "/`",
        "/{",
        "/|",
        "/}",
        "/a?b#c",
        "/a?\\",
        "/\u{e9}",
        "/\t",
        "/\u{7f}",
        "ftp://a/",
        "http:/a",
        "http:///a",
        "http://",
        "http://u@a/",
        "http://a:/",
        "http://a#/",
        "http://a\\/",
        "a:80",
        "http://a,b/",
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        refused(bytes.as_bytes(), Reason::BadTarget);
    }
    for target in ["http://b/", "http://a:80/", "https://aa"] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        refused(bytes.as_bytes(), Reason::TargetNotHost);
    }
    accepted(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let bytes = b"GET http://A:8/p?q HTTP/1.1\r\nHost: a:8\r\n\r\n";
    let head = accepted(bytes);
    assert_eq!(head.path(bytes), b"/p");
    assert_eq!(head.target(bytes).rest, b"/p?q");
    assert_eq!(head.host(bytes), b"a:8");
    let bytes = b"GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = accepted(bytes);
    assert_eq!(head.path(bytes), b"/");
    assert_eq!(
        (head.target(bytes).slash, head.target(bytes).rest),
        ("/", b"?q".as_slice())
    );
    let bytes = b"OPTIONS http://a HTTP/1.0\r\n\r\n";
    let head = accepted(bytes);
    assert_eq!(
        (head.target(bytes).slash, head.target(bytes).rest),
        ("", b"*".as_slice())
    );
    assert_eq!(head.host(bytes), b"a");
}

#[test]
fn hosts_are_one_and_sound() {
    refused(b"GET / HTTP/1.1\r\n\r\n", Reason::HostMissing);
    refused(
        b"GET http://a/ HTTP/1.1\r\nA: b\r\n\r\n",
        Reason::HostMissing,
    );
    refused(
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        Reason::HostDuplicate,
    );
    for host in [
        "", "a,b", "a b", "u@a", "a/b", "a:", "a:99999", "a:8a", "[::1", "b\u{e9}", "a%41",
    ] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        refused(bytes.as_bytes(), Reason::HostInvalid);
    }
    refused(
        format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(301)).as_bytes(),
        Reason::HostInvalid,
    );
    let bytes = b"GET / HTTP/1.0\r\n\r\n";
    assert_eq!(accepted(bytes).host(bytes), b"");
    let bytes = b"GET / HTTP/1.1\r\nA: b\r\nhOST:\t[::1]:80 \r\n\r\n";
    assert_eq!(accepted(bytes).host(bytes), b"[::1]:80");
}

#[test]
fn limits_hold_to_the_byte() {
    let line = |length: usize| {
        let fill = length - "GET / HTTP/1.1".len();
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(fill)).into_bytes()
    };
    accepted(&line(8 * 1024));
    refused(&line(8 * 1024 + 1), Reason::LineTooLong);
    refused(&[b'a'; 8 * 1024 + 2], Reason::LineTooLong);
    assert_eq!(outcome(&[b'a'; 8 * 1024 + 1]), Ok(None));

    let head = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        let fill = length - start.len() - 4;
        format!("{start}{}\r\n\r\n", "b".repeat(fill)).into_bytes()
    };
    accepted(&head(MAX));
    refused(&head(MAX + 1), Reason::HeadTooLarge);
    let blank = [b"\r\n".as_slice(), &head(MAX - 1)].concat();
    refused(&blank, Reason::HeadTooLarge);

    let many = |count| with(&vec!["X: y"; count].join("\r\n"));
    assert_eq!(accepted(&many(99)).fields, 100);
    refused(&many(100), Reason::TooManyHeaders);
    let most = limits::REQUEST_HEAD_BYTES_MAX;
    assert_eq!(request(&head(most)).map(|head| head.fields), Ok(2));
    let reason = request(&head(most + 1)).unwrap_err().reason;
    assert_eq!(reason, Reason::HeadTooLarge);
    let response = [b"HTTP/1.1 200 ".as_slice(), &vec![b'a'; MAX]].concat();
    let found = HeadScan::response().find(&response, MAX).unwrap_err();
    assert_eq!((found.status, found.reason), (502, Reason::HeadTooLarge));
}

#[test]
fn connection_names_what_it_may() {
    for name in [
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Authorization",
        "cookie",
        "Content-Type",
        "X-Forwarded-For",
        "x-forwarded-proto",
        "X-Forwarded-Host",
        "X-Forwarded-Whatever",
        "Forwarded",
        "X-Real-IP",
        "x_real_ip",
        "Transfer_Encoding",
    ] {
        let bytes = with(&format!("Connection: close, {name}"));
        refused(&bytes, Reason::ConnectionNamesProtected);
    }
    for value in ["a b", "close;x", "\"close\"", "cl\u{e9}ose", "a=b"] {
        let bytes = with(&format!("Connection: {value}"));
        refused(&bytes, Reason::ConnectionInvalid);
    }
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("x{index}")).collect();
        with(&format!("Connection: {}", names.join(",")))
    };
    accepted(&names(16));
    refused(&names(17), Reason::ConnectionInvalid);
    for (bytes, persistent) in [
        (with("Connection: ,, ,"), true),
        (with("Connection: CLOSE"), false),
        (with("Connection: keep-alive, close"), false),
        (with("Connection: close\r\nConnection: keep-alive"), false),
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), false),
        (
            b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n".to_vec(),
            true,
        ),
    ] {
        assert_eq!(accepted(&bytes).persistent, persistent, "{}", show(&bytes));
    }
}

#[test]
fn scattered_hop_fields_have_an_end() {
    let fields = |count| vec!["Keep-Alive: x\r\nA: b"; count].join("\r\n");
    // The first touches Host and counts as one with it.
    accepted(&with(&fields(16)));
    refused(&with(&fields(17)), Reason::TooManyHopFields);
}

#[test]
fn expectations_and_upgrades() {
    let expects = |fields: &str| accepted(&with(fields)).expects_continue;
    assert!(expects("Expect: 100-Continue\r\nContent-Length: 1"));
    assert!(expects(
        "Transfer-Encoding: chunked\r\nExpect: 100-continue"
    ));
    assert!(!expects("Expect: 100-continue\r\nContent-Length: 0"));
    assert!(!expects("Expect: 100-continue"));
    for value in [
        "",
        "100-continue, x",
        "200-ok",
        "100-continue;a=b",
        "y 100-continue",
    ] {
        let bytes = with(&format!("Expect: {value}\r\nContent-Length: 1"));
        refused(&bytes, Reason::ExpectUnknown);
    }
    refused(
        &with("Expect: 100-continue\r\nExpect: 100-continue"),
        Reason::ExpectUnknown,
    );
    refused(
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        Reason::ExpectUnknown,
    );
    let wish = |method: &str, fields: &str| {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        accepted(bytes.as_bytes()).upgrade
    };
    let fields = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket";
    assert_eq!(wish("GET", fields), Upgrade::Wanted);
    assert_eq!(wish("POST", fields), Upgrade::Refused);
    assert_eq!(wish("GET", "Upgrade: websocket"), Upgrade::None);
    assert_eq!(
        wish("GET", "Connection: upgrade\r\nUpgrade: chat/2"),
        Upgrade::Wanted
    );
    for never in [
        "websocket\r\nUpgrade: websocket",
        "h2c\r\nUpgrade: websocket",
        "h2c",
        "H2",
        "HTTP/2.0",
        "TLS/1.0",
        "websocket, h2c",
        "",
    ] {
        let fields = format!("Connection: upgrade\r\nUpgrade: {never}");
        assert_ne!(wish("GET", &fields), Upgrade::Wanted, "{never}");
    }
    refused(&with("Upgrade: w\u{e9}bsocket"), Reason::NonAscii);
}

#[test]
fn methods() {
    for (name, method, idempotent) in [
        ("GET", Method::Get, true),
        ("HEAD", Method::Head, true),
        ("POST", Method::Post, false),
        ("PUT", Method::Put, true),
        ("DELETE", Method::Delete, true),
        ("OPTIONS", Method::Options, true),
        ("TRACE", Method::Trace, true),
        ("PATCH", Method::Patch, false),
        ("get", Method::Other, false),
        ("PURGE", Method::Other, false),
    ] {
        let bytes = format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = accepted(bytes.as_bytes());
        assert_eq!(head.method, method);
        assert_eq!(head.method.is_idempotent(), idempotent);
        assert_eq!(head.method.is_head(), name == "HEAD");
        assert_eq!(head.method_name(bytes.as_bytes()), name.as_bytes());
    }
}

#[test]
fn response_framing() {
    let framing = |status, fields, to_head| {
        let head = answer_with(status, fields, to_head).unwrap();
        (head.framing, head.persistent)
    };
    let chunked = "Transfer-Encoding: chunked";
    assert_eq!(
        framing(200, "Content-Length: 7", false),
        (Framing::Length(7), true)
    );
    assert_eq!(framing(200, chunked, false), (Framing::Chunked, true));
    assert_eq!(framing(200, "", false), (Framing::UntilClose, false));
    assert_eq!(
        framing(200, "Content-Length: 7", true),
        (Framing::None, true)
    );
    assert_eq!(framing(200, chunked, true), (Framing::None, true));
    assert_eq!(framing(200, "", true), (Framing::None, true));
    assert_eq!(
        framing(304, "Content-Length: 7", false),
        (Framing::None, true)
    );
    assert_eq!(framing(204, "", false), (Framing::None, true));
    assert_eq!(
        framing(204, "Content-Length: 0", false),
        (Framing::None, false)
    );
    assert_eq!(framing(204, chunked, false), (Framing::None, false));
    assert_eq!(framing(103, chunked, false), (Framing::None, false));
    assert!(!framing(200, "Content-Length: 7\r\nConnection: close", false).1);
    assert!(answer_with(100, "", false).unwrap().interim);
    assert!(!answer_with(101, "", false).unwrap().interim);
    assert!(!answer_with(200, "", false).unwrap().interim);
}

#[test]
fn responses_are_refused_as_bad_gateway() {
    for (fields, reason) in [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            Reason::LengthWithCoding,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5",
            Reason::LengthDuplicate,
        ),
        ("Content-Length: 05", Reason::LengthInvalid),
        ("Content-Length: 5, 5", Reason::LengthInvalid),
        ("Transfer-Encoding: gzip, chunked", Reason::CodingUnknown),
        ("Transfer-Encoding: chunked,", Reason::CodingMalformed),
        ("Content-Length : 5", Reason::SpaceBeforeColon),
        ("A: b\r\n c", Reason::ObsFold),
        ("content_length: 5", Reason::UnderscoreName),
        (
            "Connection: content-length",
            Reason::ConnectionNamesProtected,
        ),
    ] {
        for to_head in [false, true] {
            let reject = answer_with(200, fields, to_head).unwrap_err();
            assert_eq!((reject.status, reject.reason), (502, reason), "{fields}");
        }
    }
    for line in [
        "HTTP/1.1 099 X",
        "HTTP/1.1 600 X",
        "HTTP/1.1 20 X",
        "HTTP/1.1 2000 X",
        "HTTP/1.1  200 X",
        "HTTP/1.1 +20 X",
        "HTTP/1.1\t200 X",
        "http/1.1 200 X",
        "HTTP/2 200 X",
        "HTTP/1.2 200 X",
        "HTTP/1.1 200\tX",
        "HTTP/1.1",
        "HTTP/1.1 200X",
        "ICY 200 OK",
        "HTTP/1.1 200 \u{7f}",
        "Content-Length: 5",
    ] {
        let bytes = format!("{line}\r\nA: b\r\n\r\n");
        let reject = answer(bytes.as_bytes(), false).unwrap_err();
        assert_eq!(
            (reject.status, reject.reason),
            (502, Reason::StatusInvalid),
            "{line}"
        );
    }
    for (bytes, reason) in [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Reason::LeadingBlankLines),
        ("HTTP/1.1 200 OK\n\r\n", Reason::BareLf),
        ("HTTP/1.1 200 OK\rX\r\n\r\n", Reason::BareCr),
        ("HTTP/1.1 200 O\0K\r\n\r\n", Reason::Nul),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Reason::CodingInHttp10,
        ),
    ] {
        let reject = answer(bytes.as_bytes(), false).unwrap_err();
        assert_eq!((reject.status, reject.reason), (502, reason), "{bytes:?}");
    }
    for line in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.0 200 Ja wohl",
        "HTTP/1.1 299 a\tb\u{e9}",
    ] {
        assert!(
            answer(format!("{line}\r\n\r\n").as_bytes(), true).is_ok(),
            "{line}"
        );
    }
}

#[test]
fn what_a_backend_says_about_its_connection() {
    let head = |bytes: &str| answer(bytes.as_bytes(), false).unwrap();
    let old = head("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n");
    assert_eq!((old.version, old.persistent), (Version::Http10, false));
    let kept = head("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n");
    assert!(kept.persistent);
    for (value, seconds) in [
        ("timeout=5, max=100", Some(5)),
        ("max=100,Timeout= 60 ", Some(60)),
        ("max=1", None),
        ("timeout=x", None),
        ("timeout=-1", None),
        ("timeout=99999999999", None),
        ("", None),
    ] {
        let head = answer_with(200, &format!("Keep-Alive: {value}"), false).unwrap();
        assert_eq!(head.keep_alive_timeout, seconds, "{value}");
    }
}

#[test]
fn heads_are_small() {
    assert!(
        size_of::<RequestHead>() <= 152,
        "{}",
        size_of::<RequestHead>()
    );
    assert!(
        size_of::<ResponseHead>() <= 152,
        "{}",
        size_of::<ResponseHead>()
    );
    assert!(size_of::<HeadScan>() <= 12, "{}", size_of::<HeadScan>());
}
