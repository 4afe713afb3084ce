//! Command lines and what they come to, every complaint included.

use super::*;
use crate::config::Listener;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::url;
use std::path::PathBuf;

fn line(words: &str) -> Result<Line, Complaint> {
    parse(words.split_whitespace().map(OsString::from))
}

fn balance(words: &str) -> Config {
    match line(words).map(|line| line.command) {
        Ok(Command::Balance(order)) => order.settings.over(Config::default()).unwrap(),
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn a_backend_alone_gets_every_default() {
    let config = balance("http://127.0.0.1:9001");
    let (mode, backends) = url::backends(&["127.0.0.1:9001".to_owned()], None).unwrap();
    let expected = Config {
        listeners: vec![Listener {
            mode,
            ..Listener::default()
        }],
        pools: vec![Pool {
            backends,
            ..Pool::default()
        }],
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn every_option_of_the_balancer_reaches_its_place() {
    let config = balance(
        "-l :80 --listen=[::1]:81 -m http --probe off --interval 250ms --rise 4 --fall 5 \
         --timeout-connect 1s --timeout-response 2m --upstream-ca ca.pem --insecure-upstream \
         https://a b:1",
    );
    let listeners: Vec<String> = config
        .listeners
        .iter()
        .map(|listener| listener.listen.to_string())
        .collect();
    assert_eq!(listeners, ["0.0.0.0:80", "[::1]:81"]);
    let pool = &config.pools[0];
    assert_eq!(pool.health.probe, Probe::Off);
    assert_eq!(pool.health.interval, Span::millis(250));
    assert_eq!((pool.health.rise, pool.health.fall), (4, 5));
    assert_eq!(pool.timeouts.connect, Span::seconds(1));
    assert_eq!(pool.timeouts.response, Span::seconds(120));
    assert_eq!(pool.tls.ca, Some(PathBuf::from("ca.pem")));
    assert!(!pool.tls.verify);
    assert_eq!(pool.backends.len(), 2);
    assert_eq!(balance("-m tcp a:1").listeners[0].mode, Mode::Tcp);
    assert_eq!(balance("tcp://a:1").listeners[0].mode, Mode::Tcp);
}

#[test]
fn demo_and_origin_have_options_of_their_own() {
    let demo = demo::Options {
        length: Span::seconds(3),
        headless: true,
        admin: None,
    };
    let demo = Ok(Command::Demo(demo));
    assert_eq!(
        line("demo --for 3s --headless").map(|line| line.command),
        demo
    );
    assert_eq!(
        line("--for 3s --headless demo").map(|line| line.command),
        demo
    );
    let Ok(Command::Demo(demo)) = line("demo --admin localhost:9901").map(|line| line.command)
    else {
        panic!("a demo takes --admin");
    };
    assert_eq!(demo.admin.unwrap().to_string(), "127.0.0.1:9901");
    assert!(line("demo --admin :9901").is_err(), "others could reach it");
    let origin = origin::Options {
        listen: "127.0.0.1:7000".parse().unwrap(),
        name: "B".to_owned(),
        size: Some(1024),
        delay: Span::millis(5),
        status: 503,
    };
    let words = "origin --listen localhost:7000 --name B --size 1KiB --delay 5ms --status 503";
    assert_eq!(
        line(words).map(|line| line.command),
        Ok(Command::Origin(origin))
    );
    // A server that is called demo is still a backend when it says where it listens.
    assert_eq!(balance("demo:80 http://origin").pools[0].backends.len(), 2);
}

#[test]
fn a_file_comes_first_and_the_line_on_top() {
    let Ok(Command::Balance(order)) =
        line("-c x.toml --check --fall 9 a:1").map(|line| line.command)
    else {
        panic!("an order")
    };
    assert_eq!(order.deed, Deed::Check);
    assert_eq!(order.file, Some(PathBuf::from("x.toml")));
    let read = |text| crate::config::file::read(text, &|_| None).unwrap();
    let over = |text| order.settings.over(read(text));
    let one = over("[pool.p]\nbackends = [\"b:1\"]").unwrap();
    let backends: Vec<String> = one.pools[0]
        .backends
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(backends, ["http://b:1", "http://a:1"]);
    assert_eq!(one.pools[0].health.fall, 9);
    let refused = |words: &str, text| match line(words).map(|line| line.command) {
        Ok(Command::Balance(order)) => order.settings.over(read(text)).unwrap_err().to_string(),
        other => panic!("{words}: {other:?}"),
    };
    let two = "[[listener]]\npool = \"p\"\n[[listener]]\nlisten = \":1\"\npool = \"q\"\n\
               [pool.p]\nbackends = [\"b:1\"]\n[pool.q]\nbackends = [\"b:1\"]";
    assert_eq!(
        refused("-c x a:1", two),
        "a backend without a pool: a:1; the file has several pools, add it to one of them there"
    );
    assert_eq!(
        refused("-c x -l :2", two),
        "which listener: --listen 0.0.0.0:2; \
         the file has several listeners (web, web-2), change them there"
    );
    assert_eq!(
        refused("-c x -m tcp", two),
        "another mode: --mode tcp; the backends of the file are for http, change them there"
    );
    assert_eq!(
        refused("-c x", ""),
        "no backend: the command line; write one, like http://127.0.0.1:9001, \
         or try tidegate demo"
    );
}

#[test]
fn help_and_version_win_over_what_follows() {
    for (words, command) in [
        ("-h", Command::Help(help::TEXT.to_owned())),
        ("--help --nonsense", Command::Help(help::TEXT.to_owned())),
        ("demo --help", Command::Help(help::TEXT.to_owned())),
        ("ctl --help", Command::Help(ctl::help::text(&[]))),
        (
            "ctl drain app-1 -h",
            Command::Help(ctl::help::text(&["drain".to_owned()])),
        ),
        ("-V", Command::Version),
        ("a:1 --version", Command::Version),
    ] {
        assert_eq!(line(words).map(|line| line.command), Ok(command));
    }
}

#[test]
fn levels() {
    let table = [
        ("-v a:1", LevelFilter::Debug),
        ("-vv a:1", LevelFilter::Trace),
        ("-vvvv a:1", LevelFilter::Trace),
        ("-q a:1", LevelFilter::Warn),
        ("-qq a:1", LevelFilter::Error),
        ("-qqq a:1", LevelFilter::Error),
        ("--log-level warn -v a:1", LevelFilter::Warn),
        ("demo", LevelFilter::Error),
        ("demo -vv", LevelFilter::Info),
        ("origin --log-level trace", LevelFilter::Trace),
    ];
    for (words, level) in table {
        assert_eq!(line(words).unwrap().level, Some(level), "{words}");
    }
    assert_eq!(line("a:1").unwrap().level, None, "the file may say it");
}

#[test]
fn every_complaint_in_full() {
    let origin_options = "--listen, --name, --size, --delay, --status, --verbose, --quiet, \
                          --log-level, --version, --help";
    let table = [
        (
            "",
            "no backend: the command line; \
             write one, like http://127.0.0.1:9001, or try tidegate demo",
        ),
        (
            "--listne :1 a:1",
            "unknown option: --listne; did you mean --listen?",
        ),
        (
            "--for-ever",
            "unknown option: --for-ever; tidegate --help lists all there are",
        ),
        ("-c", "a missing value: --config; write --config FILE"),
        ("--chekc", "unknown option: --chekc; did you mean --check?"),
        (
            "demo --headles",
            "unknown option: --headles; did you mean --headless?",
        ),
        (
            "-x",
            "unknown option: -x; tidegate --help lists all there are",
        ),
        ("a:1 -l", "a missing value: --listen; write --listen ADDR"),
        ("--probe", "a missing value: --probe; write --probe tcp|off"),
        (
            "--insecure-upstream=yes a:1",
            "a value too many: --insecure-upstream=yes; write --insecure-upstream alone",
        ),
        ("-m udp a:1", "not a mode: --mode udp; write http or tcp"),
        (
            "--probe /health a:1",
            "an HTTP probe: --probe /health; they are not in this version, write tcp or off",
        ),
        (
            "--probe icmp a:1",
            "not a probe: --probe icmp; write tcp or off",
        ),
        (
            "--interval 2 a:1",
            "a duration without a unit: --interval 2; add a unit, like 2ms or 2s",
        ),
        (
            "--interval 0s a:1",
            "a duration of zero: --interval 0s; write a longer one, like 250ms",
        ),
        (
            "--rise 0 a:1",
            "not a count: --rise 0; write a whole number from 1 on",
        ),
        (
            "-l 8000 a:1",
            "not an address to listen on: --listen 8000; \
             write 127.0.0.1:8000 for this machine alone or :8000 for everyone",
        ),
        (
            "--log-level loud a:1",
            "not a log level: --log-level loud; write error, warn, info, debug or trace",
        ),
        ("a", "a backend without a port: a; add one, like a:9001"),
        ("dmeo", "not a backend: dmeo; did you mean tidegate demo?"),
        (
            "orign",
            "not a backend: orign; did you mean tidegate origin?",
        ),
        (
            "satus",
            "not a backend: satus; did you mean tidegate ctl status?",
        ),
        (
            "drain app-1",
            "not a backend: drain; did you mean tidegate ctl drain?",
        ),
        (
            "ctl stauts",
            "not a command of ctl: stauts; did you mean status?",
        ),
        (
            "ctl --amdin a status",
            "unknown option: --amdin; did you mean --admin?",
        ),
        (
            "ctl --admin a status",
            "not an admin interface: --admin a; write 127.0.0.1:9900, \
             http://127.0.0.1:9900/ or unix:/path",
        ),
        (
            "a:1 demo",
            "not a backend: demo; put it first, without backends",
        ),
        (
            "demo a:1",
            "a word too many: a:1; tidegate demo takes options only",
        ),
        (
            "demo --for 10ms",
            "too short for a demo: --for 10ms; write 1s or more",
        ),
        (
            "--rise 3 origin",
            &format!(
                "an option of another command: --rise; tidegate origin takes {origin_options}"
            ),
        ),
        (
            "origin -l :1 -l :2",
            "--listen twice: 0.0.0.0:2; an origin has one address, start another origin",
        ),
        (
            "origin --name a,b",
            "not a name: --name a,b; write up to 64 letters, digits, -, _ and .",
        ),
        (
            "origin --size 1KB",
            "not a size: --size 1KB; \
             write bytes or a whole number and KiB, MiB or GiB, like 16KiB",
        ),
        (
            "origin --status 99",
            "not a status: --status 99; write a number from 200 to 599",
        ),
        (
            "origin --status +200",
            "not a status: --status +200; write a number from 200 to 599",
        ),
    ];
    for (words, expected) in table {
        assert_eq!(line(words).unwrap_err().to_string(), expected, "{words}");
    }
}

#[test]
fn what_is_not_unicode_is_shown_as_far_as_it_can_be() {
    use std::os::unix::ffi::OsStringExt;
    let word = OsString::from_vec(b"a\xff:1".to_vec());
    let complaint = parse([word]).unwrap_err().to_string();
    assert_eq!(complaint, "not Unicode: a\u{fffd}:1; write it in UTF-8");
}
