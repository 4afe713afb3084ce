//! The access log and the recorder as users meet them: lines in files and pipes, one for each
//! request, whatever becomes of it.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::admin::Admin;
use crate::binary::Binary;
use crate::client::{Client, get};
use crate::configuration::File;
use crate::eventually;
use crate::origin::{Origin, Step, VacantPort, ok};

/// A directory that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("tidegate-access-log-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for temporary files");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines of a file that is written now and then, once there are so many.
#[track_caller]
fn lines(path: &str, count: usize) -> Vec<String> {
    let mut text = String::new();
    eventually("the lines are written", || {
        std::thread::yield_now();
        text = fs::read_to_string(path).unwrap_or_default();
        text.lines().count() >= count && text.ends_with('\n')
    });
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), count, "{text}");
    lines
}

#[track_caller]
fn records(path: &str, count: usize) -> Vec<Value> {
    let lines = lines(path, count);
    let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    lines.iter().map(read).collect()
}

/// Sends bytes on a connection of their own; the status of the answer.
#[track_caller]
fn status(binary: &Binary, request: &str) -> u16 {
    let mut client = binary.client();
    client.send(request);
    client.response().expect("a whole response").status()
}

const KEYS: [&str; 22] = [
    "ts",
    "id",
    "listener",
    "client",
    "method",
    "host",
    "path",
    "proto",
    "status",
    "bytes_in",
    "bytes_out",
    "pool",
    "backend",
    "tries",
    "reused",
    "t_head",
    "t_queue",
    "t_connect",
    "t_first",
    "t_total",
    "end",
    "why",
];

#[test]
fn a_request_is_one_json_object_with_every_key() {
    let directory = Directory::new("json");
    let path = directory.file("log");
    let origin = Origin::saying("hello");
    let log = format!("json:{path}");
    let binary = Binary::start(&[&origin.url(), "--access-log", &log]);
    let mut client = binary.client();
    client.get("/first?a=%22b%22");
    client.post("/second", "12345");
    let records = records(&path, 2);
    let text = fs::read_to_string(&path).expect("a file");
    for (line, record) in text.lines().zip(&records) {
        let object = record.as_object().expect("an object");
        assert_eq!(object.len(), KEYS.len(), "{line}");
        let mut at = 0;
        for key in KEYS {
            let found = line[at..].find(&format!("\"{key}\":"));
            at += found.unwrap_or_else(|| panic!("{key} is missing or out of order: {line}"));
        }
        assert_eq!((&record["end"], &record["why"]), (&"--".into(), &"".into()));
        assert_eq!(record["backend"], "app-1");
        assert_eq!(record["status"], 200);
        assert!(record["t_total"].is_number() && record["t_queue"] == 0);
        assert_eq!(record["id"].as_str().map(str::len), Some(32));
    }
    assert_eq!(records[0]["path"], "/first?a=%22b%22");
    assert_eq!(
        (&records[0]["reused"], &records[1]["reused"]),
        (&false.into(), &true.into())
    );
    let sent = "POST /second HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5\r\n\r\n12345";
    assert_eq!(records[1]["bytes_in"], sent.len());
    assert!(
        records[1]["bytes_out"]
            .as_u64()
            .is_some_and(|bytes| bytes > 40)
    );
    assert_ne!(records[0]["id"], records[1]["id"]);
}

#[test]
fn a_request_is_called_the_same_by_backend_log_and_recorder() {
    let directory = Directory::new("ids");
    let path = directory.file("log");
    let origin = Origin::saying("x");
    let listener = "[[listener]]\nlisten = \"127.0.0.1:0\"\n";
    let file = File::new(
        "ids",
        format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n[access_log]\nformat = \"json\"\n\
             path = \"{path}\"\n{listener}{listener}trusted_proxies = [\"127.0.0.0/8\"]\n\
             request_id = \"Trace\"\n{listener}request_id = \"off\"\n[pool.app]\n\
             backends = [\"{}\"]\n",
            origin.url()
        ),
    );
    let admin = Admin::of(Binary::start_with_file(file.path()));
    let seen = |at: usize, fields: &str| {
        let mut client = Client::new(admin.binary.addresses()[at]);
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(client.response().expect("a response").status(), 200);
        origin.last_request()
    };
    let longest = "i".repeat(128);
    let own = seen(0, "").value("x-request-id").to_owned();
    let replaced = seen(0, "X-Request-Id: theirs\r\n");
    let replaced = replaced.value("x-request-id").to_owned();
    let kept = seen(1, &format!("trace: {longest}\r\nX-Request-Id: b\r\n"));
    let twice = seen(1, "Trace: a\r\nTRACE: b\r\n")
        .value("trace")
        .to_owned();
    let off = seen(2, "X-Request-Id: theirs\r\nTrace: c\r\n");
    assert_eq!((own.len(), replaced.len(), twice.len()), (32, 32, 32));
    assert_eq!(kept.value("trace"), longest);
    assert_eq!(
        kept.value("x-request-id"),
        "b",
        "that name means nothing there"
    );
    assert_eq!(off.value("x-request-id"), "theirs");
    assert_eq!(off.value("trace"), "c");
    assert_eq!(seen(2, "").values("x-request-id"), [""; 0]);
    let records = records(&path, 6);
    let logged = |at: usize| records[at]["id"].as_str().expect("text");
    for (at, id) in [&own, &replaced, &longest, &twice].into_iter().enumerate() {
        assert_eq!(logged(at), id, "{at}");
    }
    assert_eq!((logged(4).len(), logged(5).len()), (32, 32));
    let recorded = admin.document("/api/v1/requests");
    let recorded = recorded.as_array().expect("a list");
    let newest_first = recorded.iter().rev().map(|one| one["id"].as_str());
    assert!(
        newest_first.eq((0..6).map(|at| Some(logged(at)))),
        "{recorded:?}"
    );
}

#[test]
fn pipelined_requests_share_no_byte() {
    let directory = Directory::new("pipelined");
    let path = directory.file("log");
    let origin = Origin::saying("x");
    let log = format!("json:{path}");
    let binary = Binary::start(&[&origin.url(), "--access-log", &log]);
    let mut client = binary.client();
    let requests =
        ["/a", "/bb", "/ccc"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.send(requests.concat() + "GET bad\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(client.response().expect("a response").status(), 200);
    }
    assert_eq!(client.response().expect("a response").status(), 400);
    let records = records(&path, 4);
    for (record, request) in records.iter().zip(&requests) {
        assert_eq!(record["bytes_in"], request.len(), "{record}");
        assert_eq!(record["end"], "--", "{record}");
    }
    assert_eq!(
        (&records[3]["end"], &records[3]["status"]),
        (&"PR".into(), &400.into())
    );
}

#[test]
fn every_status_of_its_own_says_who_ended_it_and_why() {
    let directory = Directory::new("own");
    let path = directory.file("log");
    let origin = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let file = File::new(
        "own-answers",
        format!(
            "[access_log]\nformat = \"json\"\npath = \"{path}\"\n[[listener]]\n\
             listen = \"127.0.0.1:0\"\ntimeout = {{ head = \"300ms\" }}\n\
             limits = {{ body = \"1KiB\" }}\n[pool.app]\n\
             backends = [\"{}\"]\ntimeout = {{ response = \"300ms\" }}\n",
            origin.url()
        ),
    );
    let binary = Binary::start_with_file(file.path());
    let long = "x".repeat(9_000);
    let large = "X: y\r\n".repeat(200);
    let table = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "PR"),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            414,
            "PR",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"),
            431,
            "PR",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n".to_owned(),
            417,
            "PR",
        ),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505, "PR"),
        (
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_owned(),
            405,
            "PR",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            501,
            "PR",
        ),
        ("GET / HTTP/1.1\r\nHo".to_owned(), 408, "cR"),
        (
            "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            504,
            "sH",
        ),
        (
            "POST /part HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nZZ\r\n".to_owned(),
            0,
            "CH",
        ),
        (
            "POST /big?a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1025\r\n\r\n".to_owned(),
            413,
            "PR",
        ),
    ];
    for (request, expected, _) in &table {
        if *expected == 0 {
            let mut client = binary.client();
            client.send(request);
            client.finish();
            let _ = client.rest();
        } else {
            assert_eq!(status(&binary, request), *expected, "{request}");
        }
    }
    let records = records(&path, table.len());
    for ((request, expected, end), record) in table.iter().zip(&records) {
        let shown = if *expected == 0 { 499 } else { *expected };
        assert_eq!(record["status"], shown, "{request}");
        assert_eq!(record["end"], *end, "{request}");
        let why = record["why"].as_str().expect("a sentence");
        assert!(why.len() > 10, "{request}: {why}");
    }
    let refused = &records[10];
    for (key, value) in [
        ("method", "POST"),
        ("host", "shop.example"),
        ("path", "/big?a"),
        ("proto", "HTTP/1.1"),
    ] {
        assert_eq!(refused[key], value, "{refused}");
    }
    assert_eq!(
        records[8]["why"],
        "app-1 did not begin its answer within 300ms"
    );
    assert_eq!(
        (&records[0]["method"], &records[0]["path"]),
        (&"GET".into(), &"/".into())
    );
}

#[test]
fn a_502_and_a_503_name_the_backend() {
    let directory = Directory::new("gateway");
    let vacant = VacantPort::new();
    let path = directory.file("502");
    let log = format!("json:{path}");
    let binary = Binary::start(&[&vacant.url(), "--probe", "off", "--access-log", &log]);
    assert_eq!(get(binary.address(), "/").status(), 502);
    let refused = &records(&path, 1)[0];
    assert_eq!(
        (&refused["end"], &refused["backend"]),
        (&"SC".into(), &"app-1".into())
    );
    assert_eq!(
        refused["why"],
        "app-1 refused the connection; 1 of 3 tries used"
    );
    let there = Origin::saying("there");
    let path = directory.file("saved");
    let log = format!("json:{path}");
    let urls = [vacant.url(), there.url()];
    let binary = Binary::start(&[&urls[0], &urls[1], "--probe", "off", "--access-log", &log]);
    assert_eq!(get(binary.address(), "/").text(), "there");
    let saved = &records(&path, 1)[0];
    assert_eq!((&saved["end"], &saved["tries"]), (&"--".into(), &2.into()));
    assert_eq!(
        saved["why"],
        "app-1 refused the connection, app-2 answered; 2 of 3 tries used"
    );
    let path = directory.file("503");
    let log = format!("json:{path}");
    let mut binary = Binary::start(&[&vacant.url(), "--interval", "50ms", "--access-log", &log]);
    binary.wait_for("is down");
    assert_eq!(get(binary.address(), "/").status(), 503);
    let nobody = &records(&path, 1)[0];
    assert_eq!(
        (&nobody["end"], &nobody["backend"]),
        (&"SC".into(), &"".into())
    );
    assert_eq!(nobody["why"], "no backend of pool app is up");
    let broken = Origin::sending("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    let path = directory.file("broken");
    let log = format!("json:{path}");
    let binary = Binary::start(&[&broken.url(), "--access-log", &log]);
    assert_eq!(get(binary.address(), "/").status(), 502);
    let broken = &records(&path, 1)[0];
    assert_eq!(broken["end"], "PH");
    let why = broken["why"].as_str().expect("a sentence");
    assert!(why.starts_with("app-1 sent a malformed answer: "), "{why}");
    let own = Origin::sending("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    let path = directory.file("own");
    let log = format!("json:{path}");
    let binary = Binary::start(&[&own.url(), "--access-log", &log]);
    assert_eq!(get(binary.address(), "/").status(), 500);
    let own = &records(&path, 1)[0];
    assert_eq!(
        (&own["end"], &own["why"]),
        (&"--".into(), &"app-1 itself answered 500".into())
    );
}

#[test]
fn an_upgraded_connection_is_one_record_and_so_is_one_of_tcp_mode() {
    let directory = Directory::new("tunnels");
    let path = directory.file("http");
    let log = format!("json:{path}");
    let origin = Origin::raw(|stream| {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\n\r\nfirst";
        let _ = std::io::Write::write_all(stream, agreed.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut binary = Binary::start(&[&origin.url(), "--probe", "off", "--access-log", &log]);
    let mut client = binary.client();
    client
        .send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    client.bytes(20);
    client.send("late");
    client.finish();
    client.rest().expect("a clean end");
    let one = &records(&path, 1)[0];
    assert_eq!(
        (&one["status"], &one["path"]),
        (&101.into(), &"/chat".into())
    );
    assert_eq!((&one["end"], &one["why"]), (&"--".into(), &"".into()));
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    records(&path, 1);

    let path = directory.file("tcp");
    let log = format!("json:{path}");
    let origin = Origin::raw(|stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = std::io::Write::write_all(stream, b"bye");
    });
    let url = origin.url().replace("http://", "tcp://");
    let binary = Binary::start(&[&url, "--probe", "off", "--access-log", &log]);
    let mut client = binary.client();
    client.send("hello");
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"bye");
    let one = &records(&path, 1)[0];
    assert_eq!(
        (&one["proto"], &one["backend"]),
        (&"TCP".into(), &"app-1".into())
    );
    assert_eq!(
        (&one["bytes_in"], &one["bytes_out"]),
        (&5.into(), &3.into())
    );
    assert_eq!(one["end"], "--");
    assert!(one.get("status").is_none());
}

/// nginx in front of the same origin, writing what it calls combined.
struct Nginx(Child);

impl Nginx {
    fn start(directory: &Directory, port: &VacantPort, origin: &Origin) -> Option<Self> {
        let place = directory.0.display();
        let (listen, url) = (port.address(), origin.url());
        let configuration = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/errors;
             events {{ }}
             http {{
               access_log {place}/nginx combined; client_body_temp_path {place};
               proxy_temp_path {place}; fastcgi_temp_path {place}; uwsgi_temp_path {place};
               scgi_temp_path {place};
               server {{ listen {listen}; location / {{ proxy_pass {url}; }} }}
             }}"
        );
        let file = directory.file("nginx.conf");
        fs::write(&file, configuration).expect("our own directory");
        let program = ["/usr/sbin/nginx", "nginx"].into_iter().find(|name| {
            Command::new(name)
                .arg("-v")
                .stderr(Stdio::null())
                .status()
                .is_ok()
        })?;
        let child = Command::new(program)
            .args([
                "-p".as_ref(),
                directory.0.as_os_str(),
                "-c".as_ref(),
                file.as_ref(),
            ])
            .env("TZ", "UTC")
            .stderr(Stdio::null())
            .spawn();
        Some(Self(child.expect("it is installed")))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line of combined without what differs from program to program: the time, and the length of
/// a body if it is not the origin's.
fn comparable(line: &str) -> String {
    let (before, rest) = line.split_once('[').expect("a time");
    let (time, after) = rest.split_once("] ").expect("a time");
    assert_eq!(time.len(), "21/Nov/2026:01:52:03 +0000".len(), "{line}");
    assert!(time.ends_with(" +0000"), "{line}");
    format!("{before}[] {after}")
}

#[test]
fn combined_is_what_nginx_writes_for_the_same_request() {
    let directory = Directory::new("combined");
    let path = directory.file("ours");
    let log = format!("combined:{path}");
    let origin = Origin::saying("hello");
    let binary = Binary::start(&[&origin.url(), "--access-log", &log]);
    let requests = [
        "GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x \"y\" \\z\r\nReferer: http://r/\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET http://a/abs HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YSJiOnNlY3JldA==\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nUser-Agent: ü\r\n\r\nhi",
    ];
    for request in requests {
        assert_eq!(status(&binary, request), 200);
    }
    let ours = lines(&path, requests.len());
    assert!(
        ours[1].ends_with(r#" 200 5 "http://r/" "x \x22y\x22 \x5Cz""#),
        "{}",
        ours[1]
    );
    assert!(!ours.concat().contains("secret"));
    let port = VacantPort::new();
    let Some(_nginx) = Nginx::start(&directory, &port, &origin) else {
        return;
    };
    eventually("nginx listens", || {
        std::net::TcpStream::connect(port.address()).is_ok()
    });
    for request in requests {
        let mut client = Client::new(port.address());
        client.send(request);
        assert_eq!(client.response().expect("a response").status(), 200);
    }
    let theirs = lines(&directory.file("nginx"), requests.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(comparable(ours), comparable(theirs));
    }
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_request() {
    let origin = Origin::saying("hello");
    let arguments = ["--admin", "127.0.0.1:0", "--access-log", "json"].map(str::to_owned);
    let (mut binary, mut stdout) =
        Binary::start_with_stdout(&[&arguments[..], &[origin.url()]].concat());
    let line = binary.wait_for("admin interface on http://");
    let (_, at) = line.split_once("http://").expect("just found");
    let admin = at.parse().expect("an address in the log");
    let target = format!("/{}", "x".repeat(8_000));
    let mut client = binary.client();
    // Four MiB wait at most, beside what the pipe holds.
    let mut sent = 0;
    for _ in 0..1_000 {
        assert_eq!(client.get(&target).status(), 200);
        sent += 1;
    }
    let metrics = get_metrics(admin);
    let lost = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tidegate_access_log_dropped_total "))
        .and_then(|number| number.parse::<usize>().ok())
        .expect("a metric");
    assert!(lost > 100, "{lost}");
    binary.wait_for("lines of the access log are lost");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("text");
        text
    });
    drop(client);
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    let text = reader.join().expect("a reader");
    assert_eq!(text.lines().count() + lost, sent);
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("a whole line");
        assert_eq!(value["status"], 200);
    }
}

fn get_metrics(admin: std::net::SocketAddr) -> String {
    let mut client = Client::new(admin);
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.response().expect("metrics").text().to_owned()
}

#[test]
fn a_renamed_file_is_begun_anew_on_usr1_and_hup() {
    let directory = Directory::new("rename");
    let path = directory.file("log");
    let log = format!("common:{path}");
    let origin = Origin::saying("hello");
    let mut binary = Binary::start(&[&origin.url(), "--workers", "2", "--access-log", &log]);
    assert_eq!(get(binary.address(), "/first").status(), 200);
    lines(&path, 1);
    for (at, signal) in ["USR1", "HUP"].into_iter().enumerate() {
        let old = directory.file(signal);
        fs::rename(&path, &old).expect("our own file");
        binary.signal(signal);
        eventually("the file is there again", || {
            std::thread::yield_now();
            fs::exists(&path).unwrap_or(false)
        });
        let target = format!("/after-{signal}");
        assert_eq!(get(binary.address(), &target).status(), 200);
        let new = lines(&path, 1);
        assert!(new[0].contains(&target), "{at}: {new:?}");
        assert_eq!(lines(&old, 1).len(), 1);
    }
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn without_an_access_log_these_signals_end_nothing() {
    let origin = Origin::saying("hello");
    let mut binary = Binary::start(&[origin.url()]);
    for signal in ["USR1", "HUP", "USR2"] {
        binary.signal(signal);
        assert_eq!(get(binary.address(), "/").status(), 200);
    }
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn everything_is_written_before_the_program_ends() {
    let directory = Directory::new("exit");
    let path = directory.file("log");
    let log = format!("haproxy:{path}");
    let origin = Origin::saying("hello");
    let mut binary = Binary::start(&[&origin.url(), "--workers", "2", "--access-log", &log]);
    for _ in 0..50 {
        assert_eq!(get(binary.address(), "/").status(), 200);
    }
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    let text = fs::read_to_string(&path).expect("a file");
    assert_eq!(text.lines().count(), 50);
    assert!(
        text.lines()
            .all(|line| line.contains(" web app/app-1 0/0/")),
        "{text}"
    );
    assert!(
        text.lines()
            .all(|line| line.ends_with(" \"GET / HTTP/1.1\"")),
        "{text}"
    );
}

#[test]
fn only_and_sample_choose() {
    let directory = Directory::new("choose");
    let origin = Origin::new(|request, _| match request.target() {
        "/bad" => vec![Step::Send(
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into(),
        )],
        _ => vec![ok("fine")],
    });
    let count = |more: &str| {
        let path = directory.file("log");
        let _ = fs::remove_file(&path);
        let file = File::new(
            "choose",
            format!(
                "[access_log]\nformat = \"json\"\npath = \"{path}\"\n{more}\n[[listener]]\n\
                 listen = \"127.0.0.1:0\"\n[pool.app]\nbackends = [\"{}\"]\n",
                origin.url()
            ),
        );
        let mut binary = Binary::start_with_file(file.path());
        let mut client = binary.client();
        for at in 0..400 {
            client.get(if at % 100 == 0 { "/bad" } else { "/" });
        }
        drop(client);
        binary.signal("TERM");
        assert_eq!(binary.exit_code(), Some(0));
        fs::read_to_string(&path).expect("a file").lines().count()
    };
    assert_eq!(count(""), 400);
    assert_eq!(count("only = \"errors\""), 4);
    assert_eq!(count("only = \"slow\"\nslow = \"1h\""), 0);
    assert_eq!(count("sample = \"0%\""), 0);
    let half = count("sample = \"50%\"");
    // Ten standard deviations around the middle.
    assert!((100..300).contains(&half), "{half}");
}

#[test]
fn the_recorder_is_always_on_and_can_be_searched() {
    let good = Origin::saying("hello");
    let admin = Admin::start(&[good.url()]);
    let mut client = admin.binary.client();
    client.get("/one");
    client.get("/two");
    client.send("GET /three HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().expect("a response").status(), 400);
    let count = |query: &str| {
        let list = admin.document(&format!("/api/v1/requests{query}"));
        list.as_array().expect("a list").len()
    };
    let all = admin.document("/api/v1/requests");
    let paths: Vec<&str> = all
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["path"].as_str().expect("a path"))
        .collect();
    assert_eq!(paths[1..], ["/two", "/one"]);
    for record in all.as_array().expect("a list") {
        assert_eq!(
            record.as_object().map(serde_json::Map::len),
            Some(KEYS.len())
        );
        assert!(KEYS.iter().all(|key| record.get(key).is_some()), "{record}");
    }
    for (query, expected) in [
        ("?limit=1", 1),
        ("?pool=app", 3),
        ("?backend=app-2", 0),
        ("?backend=app-1", 2),
        ("?status=400", 1),
        ("?status=2xx", 2),
        ("?end=PR", 1),
        ("?end=!--", 1),
        ("?end=ok", 2),
        ("?client=127.0.0.1", 3),
        ("?client=10.0.0.0/8", 0),
        ("?status=2xx&limit=1", 1),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
    assert_eq!(
        admin.ask("GET", "/api/v1/requests?end=never", "").status(),
        400
    );
    let open = admin.binary.client();
    eventually("it is seen", || {
        let list = admin.document("/api/v1/connections?client=127.0.0.1&pool=app");
        list.as_array().is_some_and(|list| !list.is_empty())
    });
    let strange = admin.ask("GET", "/api/v1/connections?pool=x", "");
    assert_eq!(strange.status(), 400);
    assert_eq!(
        admin
            .ask("GET", "/api/v1/connections?status=200", "")
            .status(),
        400
    );
    drop(open);
    let drained = admin.ask(
        "POST",
        &format!("{}/app-1/drain", crate::admin::BACKENDS),
        "",
    );
    assert_eq!(drained.status(), 200);
    let events = admin.document("/api/v1/events?limit=1");
    let text = events[0]["text"].as_str().expect("a text");
    assert!(text.contains("drain"), "{text}");
}
