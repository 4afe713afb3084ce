//! What can be said on the command line, and how the program answers when it cannot.

use std::net::TcpListener;

use crate::binary::run;

/// Arguments, exit code, and what the one line on stderr must name.
const BAD: &[(&[&str], i32, &str)] = &[
    (&[], 2, "backend"),
    (&["--frobnicate"], 2, "--frobnicate"),
    (&["--listne", "127.0.0.1:0", "127.0.0.1:1"], 2, "--listen"),
    (&["-Z"], 2, "-Z"),
    (&["--probe"], 2, "--probe"),
    (&["127.0.0.1:1", "--listen"], 2, "--listen"),
    (&["127.0.0.1:1", "--listen", "nonsense"], 2, "nonsense"),
    (&["127.0.0.1:1", "--listen", "127.0.0.1:99999"], 2, "99999"),
    (&["ftp://127.0.0.1:1"], 2, "ftp"),
    (&["http://127.0.0.1:99999"], 2, "99999"),
    (&["http://"], 2, "http://"),
    (&["http://127.0.0.1:1,weight=heavy"], 2, "weight"),
    (&["127.0.0.1:1", "--mode", "udp"], 2, "udp"),
    (&["--mode", "http", "tcp://127.0.0.1:1"], 2, "tcp"),
    (&["127.0.0.1:1", "--balance", "random"], 2, "--balance"),
    (&["127.0.0.1:1", "--probe", "sometimes"], 2, "sometimes"),
    (&["127.0.0.1:1", "--interval", "fast"], 2, "fast"),
    (&["127.0.0.1:1", "--interval", "2"], 2, "2s"),
    (&["127.0.0.1:1", "--interval", "-1s"], 2, "-1s"),
    (&["127.0.0.1:1", "--rise", "0"], 2, "rise"),
    (&["127.0.0.1:1", "--fall", "many"], 2, "many"),
    (
        &["127.0.0.1:1", "--timeout-response", "1 year"],
        2,
        "1 year",
    ),
    (&["127.0.0.1:1", "--log-level", "loud"], 2, "loud"),
    (&["127.0.0.1:1", "--tls-cert", "cert.pem"], 2, "--tls-cert"),
    (&["--config", "/nowhere.toml"], 2, "--config /nowhere.toml"),
    // An address of TEST-NET-1, RFC 5737: nobody has it.
    (
        &["127.0.0.1:1", "--listen", "192.0.2.1:80"],
        1,
        "192.0.2.1:80",
    ),
];

#[test]
fn an_error_is_one_line_that_says_what_and_where() {
    for (arguments, code, named) in BAD {
        let outcome = run(arguments);
        assert_eq!(
            outcome.status.code(),
            Some(*code),
            "{arguments:?}: {outcome:?}"
        );
        assert_eq!(
            outcome.stderr.lines().count(),
            1,
            "{arguments:?}: {outcome:?}"
        );
        assert!(outcome.stderr.contains(named), "{arguments:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_a_failure_at_run_time() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = holder.local_addr().expect("it is bound").to_string();
    let outcome = run(&["--listen", &address, "127.0.0.1:1"]);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains(&address), "{outcome:?}");
}

#[test]
fn help_and_version_go_to_stdout() {
    for flag in ["--version", "-V"] {
        let outcome = run(&[flag]);
        assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
        let version = concat!("tidegate ", env!("CARGO_PKG_VERSION"));
        assert!(outcome.stdout.starts_with(version), "{outcome:?}");
    }
    for flag in ["--help", "-h"] {
        let outcome = run(&[flag]);
        assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
        assert_eq!(outcome.stderr, "");
        for said in ["--listen", "--mode", "--probe", "http://"] {
            assert!(outcome.stdout.contains(said), "{said} in {outcome:?}");
        }
        let columns = outcome.stdout.lines().map(|line| line.chars().count());
        assert!(columns.max() <= Some(100), "{}", outcome.stdout);
    }
}
