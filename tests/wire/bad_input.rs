//! Files and places that cannot be used: each refusal is one line that says what and where.

use std::fs;
use std::path::PathBuf;

use crate::binary::run;

/// What is in a file, and the line that is said of it behind the file's name.
const FILES: &[(&str, &str)] = &[
    (
        "[pool.app]\nbackend = []",
        ":2:1: unknown key \"backend\"; did you mean \"backends\"?",
    ),
    (
        "[pool.app]\nbackends = \"a:1\"",
        ":2:12: this is text, write a list, in brackets",
    ),
    (
        "workers = true",
        ":1:11: this is true or false, write a whole number",
    ),
    (
        "drain_timeout = \"3 weeks\"",
        ":1:17: not a duration: 3 weeks; write a whole number and ms, s, m or h",
    ),
    (
        "drain_timeout = 3",
        ":1:17: a duration without a unit, write \"3s\" or \"3ms\"",
    ),
    (
        "[[listener]]\nlimits = { request_head = \"16KB\" }",
        ":2:27: not a size: 16KB; write bytes or a whole number and KiB, MiB or GiB",
    ),
    (
        "[[listener]]\nlisten = \":80\"\n[[listener]]\nname = \"b\"\nlisten = \":80\"",
        ":5:10: ",
    ),
    ("[[listener]]\n[[listener]]\nname = \"web\"", ":3:8: "),
    (
        "[admin]\nlisten = \"0.0.0.0:9900\"",
        ":2:10: an admin interface beyond loopback needs a token; add token_file",
    ),
    ("[pool", ":1:6: not TOML"),
    (
        "[pool.app]\nbackends = []",
        ":2:1: no backend; write backends = [",
    ),
    ("workers = 1", ":1:1: no backend; write backends = ["),
    (
        "workers = \"2\"\n[pool.app]\nbackends = [\"a:1\"]",
        ":1:11: write \"auto\", or a whole number without quotes",
    ),
    (
        "[pool.app]\nbackends = [\"https://a\"]\ntls.ca = \"/nowhere/ca.pem\"",
        ":3:5: bad certificates /nowhere/ca.pem: No such file",
    ),
    (
        "[[listener]]\ntls = [{ cert = \"/nowhere/a.pem\", key = \"b\" }]\n\
         [pool.app]\nbackends = [\"a:1\"]",
        ":2:10: bad certificate /nowhere/a.pem: No such file",
    ),
    (
        "[admin]\ntoken_file = \"/nowhere/token\"\n[pool.app]\nbackends = [\"a:1\"]",
        ":2:1: no token in /nowhere/token: No such file",
    ),
    (
        "[[listener]]\nlisten = \":80\"\n[[listener]]\nlisten = \"127.0.0.1:80\"",
        ":4:10: 127.0.0.1:80 and 0.0.0.0:80 of listener web are in each other's way",
    ),
    (
        "[admin]\nlisten = \"127.0.0.1:8000\"\n[pool.app]\nbackends = [\"a:1\"]",
        ":2:1: 127.0.0.1:8000 is taken by listener web; choose another address",
    ),
    (
        "[access_log]\nformat = \"json\"\npath = \"/tmp\"\n[pool.app]\nbackends = [\"a:1\"]",
        ":3:1: no access log in /tmp: it is a directory; name a file in it",
    ),
    (
        "[access_log]\nformat = \"json\"\npath = \"/nowhere/a\"\n\
         [pool.app]\nbackends = [\"a:1\"]",
        ":3:1: no access log in /nowhere/a: its directory is not there",
    ),
];

#[test]
fn a_file_that_is_wrong_is_refused_with_the_place() {
    let name = format!("tidegate-{}-bad.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    let shown = path.to_str().expect("no odd names here");
    for (text, said) in FILES {
        fs::write(&path, text).expect("a directory for temporary files");
        let outcome = run(&["-c", shown, "--check"]);
        assert_eq!(outcome.status.code(), Some(2), "{text}: {outcome:?}");
        assert_eq!(outcome.stdout, "");
        let first = outcome.stderr.lines().next().unwrap_or_default();
        let rest = first.strip_prefix(shown).unwrap_or_default();
        assert_eq!(
            outcome.stderr.lines().last().map(str::trim_start),
            Some("^")
        );
        assert!(rest.starts_with(said), "{text}: {said} in {outcome:?}");
    }
    let _ = fs::remove_file(&path);
}

#[test]
fn a_place_that_cannot_be_used_is_named_in_one_line() {
    let nowhere: PathBuf = std::env::temp_dir().join("tidegate-no-such-directory");
    let socket = format!("unix:{}", nowhere.join("a.sock").display());
    let file = nowhere.join("a.toml").display().to_string();
    let backend = "http://127.0.0.1:1";
    let directory = std::env::temp_dir().display().to_string();
    for (arguments, code, said) in [
        (vec!["-c", &*file], 2, &*file),
        (vec!["-c", &*directory], 2, "name a file in it"),
        (vec!["--upstream-ca", &*file, backend], 2, &*file),
        (
            vec!["-a", "0.0.0.0:0", backend],
            2,
            "--admin 0.0.0.0:0; set token_file",
        ),
        (
            vec!["-a", "unix:here", backend],
            2,
            "not a path for a socket: --admin unix:here",
        ),
        (
            vec!["-l", "127.0.0.1:0", "-a", &*socket, backend],
            1,
            &*socket,
        ),
        (
            vec!["-l", "127.0.0.1:81", "-l", ":81", "--check", backend],
            2,
            "--listen: 0.0.0.0:81 is in the way of 127.0.0.1:81; choose another address",
        ),
        (
            vec!["-l", ":81", "-a", "127.0.0.1:81", "--check", backend],
            2,
            "--admin: 127.0.0.1:81 is taken by listener web",
        ),
        (
            vec!["--access-log", "json:/tmp", "--check", backend],
            2,
            "--access-log: no access log in /tmp: it is a directory",
        ),
        (vec!["ctl", "--token-file", &*file, "status"], 2, &*file),
        (vec!["ctl", "-a", &*socket, "status"], 1, &*socket),
    ] {
        let outcome = run(&arguments);
        assert_eq!(outcome.status.code(), Some(code), "{outcome:?}");
        let own = outcome
            .stderr
            .lines()
            .filter(|line| !line.contains("[INFO ]"));
        let own: Vec<&str> = own.collect();
        assert_eq!(own.len(), 1, "{outcome:?}");
        assert!(
            own[0].starts_with("tidegate: ") && own[0].contains(said),
            "{outcome:?}"
        );
    }
}
