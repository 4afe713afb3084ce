//! Servers and clients that others have written, where they are installed: what they make of us.
//! Where one is missing its tests say so and pass.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio, id};
use std::thread;
use std::time::Duration;

use crate::binary::Binary;
use crate::client::get;
use crate::eventually;
use crate::message::{Framing, Message};
use crate::origin::{Origin, VacantPort, ok};

/// A foreign server. It is killed when this goes.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// One that prints its port on a line of its own; `None` if it is not installed.
    #[track_caller]
    fn start(program: &str, arguments: &[&str]) -> Option<Self> {
        let spawned = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            println!("skipped: no {program} here");
            return None;
        };
        let stdout = child.stdout.take().expect("it was asked for");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("text");
        let port: u16 = line.trim().parse().expect("a port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Some(Self { child, address })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the installed program runs; if not, the test says so.
fn installed(program: &str, flag: &str) -> bool {
    let ran = Command::new(program)
        .arg(flag)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let found = ran.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: no {program} here");
    }
    found
}

/// A new directory for a test.
fn directory(name: &str) -> PathBuf {
    let name = format!("{name}-{}", id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&path).expect("a directory for this");
    path
}

/// Answers in HTTP/1.0 and ends every body with its connection.
const PYTHON: &str = r#"
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        for number in range(20000):
            self.wfile.write(b"%09d\n" % number)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;

#[test]
fn python_answers_in_http_1_0_and_the_client_keeps_its_connection() {
    let Some(server) = Server::start("python3", &["-c", PYTHON]) else {
        return;
    };
    let binary = Binary::start(&[server.url()]);
    let mut client = binary.client();
    for _ in 0..5 {
        let response = client.get("/");
        assert_eq!(response.framing, Framing::Chunked);
        assert_eq!(response.body.len(), 200_000);
        let lines = response.text().lines().enumerate();
        assert!(lines.fold(true, |good, (at, line)| good && line.parse() == Ok(at)));
        let body = "abc".repeat(100_000);
        assert_eq!(client.post("/", &body).text(), body);
    }
}

/// Answers `/gather` when a hundred have asked, so that a hundred connections are idle at once.
/// It does not say how long it keeps them.
const NODE: &str = r#"
const http = require("http");
let waiting = [];
const answer = (response) => {
  response.setHeader("Connection", "keep-alive");
  response.end("node");
};
const server = http.createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    if (request.url !== "/gather") return answer(response);
    waiting.push(response);
    if (waiting.length < 100) return;
    waiting.forEach(answer);
    waiting = [];
  });
});
server.keepAliveTimeout = 1000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"#;

#[test]
fn node_that_closes_idle_connections_is_never_a_bad_gateway() {
    let Some(server) = Server::start("node", &["-e", NODE]) else {
        return;
    };
    let url = server.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let clients: Vec<_> = (0..100)
        .map(|number| {
            let mut client = binary.client();
            thread::spawn(move || {
                let first = client.get("/gather");
                // About when the server gives its connections up.
                client.assert_silent_for(Duration::from_millis(950 + number));
                let get = client.get("/");
                [first, get].map(|response| response.status())
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().expect("both answers"), [200; 2]);
    }
}

/// nginx in front of a directory.
struct Nginx {
    child: Child,
    port: VacantPort,
    directory: PathBuf,
}

impl Nginx {
    /// `None` if it is not installed.
    fn start(name: &str) -> Option<Self> {
        if !installed("nginx", "-v") {
            return None;
        }
        let port = VacantPort::new();
        let directory = directory(name);
        let long: String = (0..800_000)
            .map(|number| format!("{number:09}\n"))
            .collect();
        fs::write(directory.join("long"), long).expect("our own directory");
        let place = directory.display();
        let configuration = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/log;
             events {{ }}
             http {{
               access_log off; keepalive_requests 7;
               client_body_temp_path {place}; proxy_temp_path {place}; fastcgi_temp_path {place};
               uwsgi_temp_path {place}; scgi_temp_path {place};
               server {{
                 listen {address}; root {place}; client_max_body_size 1k;
                 location /small {{ return 200 small; }}
               }}
             }}",
            address = port.address(),
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration).expect("our own directory");
        let child = Command::new("nginx")
            .args([
                "-p".as_ref(),
                directory.as_os_str(),
                "-c".as_ref(),
                file.as_os_str(),
            ])
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        Some(Self {
            child,
            port,
            directory,
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn nginx_behind_us() {
    let Some(nginx) = Nginx::start("nginx") else {
        return;
    };
    let url = nginx.port.url();
    let binary = Binary::start(&[&url, "--interval", "50ms", "--rise", "1"]);
    let address = binary.address();
    eventually("nginx is up", || get(address, "/small").status() == 200);
    let mut client = binary.client();
    // It closes every connection after seven requests.
    for _ in 0..100 {
        assert_eq!(client.get("/small").text(), "small");
    }
    let long = client.get("/long");
    assert_eq!(
        (long.framing, long.body.len()),
        (Framing::Length, 8_000_000)
    );
    let lines = long.text().lines().enumerate();
    assert!(lines.fold(true, |good, (at, line)| good && line.parse() == Ok(at)));
    assert_eq!(client.get("/missing").status(), 404);
    client.send("GET /long HTTP/1.1\r\nHost: a\r\nRange: bytes=10-18\r\n\r\n");
    let part = client.response().expect("a whole response");
    assert_eq!((part.status(), part.text()), (206, "000000001"));
    client.send("HEAD /long HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to("HEAD").expect("a whole response");
    assert_eq!(head.value("content-length"), "8000000");
    assert_eq!(client.get("/small").text(), "small");
}

#[test]
fn nginx_that_refuses_an_upload_early_is_understood() {
    let Some(nginx) = Nginx::start("nginx-uploads") else {
        return;
    };
    let url = nginx.port.url();
    let binary = Binary::start(&[&url, "--interval", "50ms", "--rise", "1"]);
    let address = binary.address();
    eventually("nginx is up", || get(address, "/small").status() == 200);
    for _ in 0..20 {
        let mut client = binary.client();
        let body = "x".repeat(1 << 20);
        let response = client.post("/small", &body);
        assert_eq!(response.status(), 413);
        assert_eq!(get(address, "/small").text(), "small");
    }
}

/// Runs curl, quiet but for what goes wrong.
#[track_caller]
fn curl(binary: &Binary, arguments: &[&str]) -> Output {
    let url = format!("http://{}/", binary.address());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", &url])
        .args(arguments)
        .output()
        .expect("it is installed");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    output
}

/// Answers with the length of the body.
fn counting() -> Origin {
    Origin::new(|request: &Message, _| vec![ok(request.body.len().to_string())])
}

#[test]
fn curl_uploads_after_it_was_told_to_go_on() {
    if !installed("curl", "--version") {
        return;
    }
    let directory = directory("curl");
    let file = directory.join("body");
    fs::write(&file, vec![b'x'; 2 << 20]).expect("our own directory");
    let origin = counting();
    let binary = Binary::start(&[origin.url()]);
    let body = format!("@{}", file.display());
    let expects = [
        "-v",
        "-H",
        "Expect: 100-continue",
        "--expect100-timeout",
        "30",
    ];
    for more in [&[][..], &["-H", "Transfer-Encoding: chunked"]] {
        let mut arguments = vec!["--data-binary", body.as_str()];
        arguments.extend(expects);
        arguments.extend(more);
        let output = curl(&binary, &arguments);
        assert_eq!(output.stdout, b"2097152");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("HTTP/1.1 100 Continue"), "{stderr}");
    }
    let _ = fs::remove_dir_all(&directory);
}

#[test]
fn curl_asks_for_heads_and_speaks_http_1_0() {
    if !installed("curl", "--version") {
        return;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
    let origin = Origin::new(move |request, _| match request.method() {
        "HEAD" => vec![crate::origin::Step::Send(head.into())],
        _ => vec![ok("content")],
    });
    let binary = Binary::start(&[origin.url()]);
    let output = curl(&binary, &["--head"]);
    let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(text.starts_with("http/1.1 200 ok\r\n"), "{text}");
    assert!(text.contains("content-length: 7\r\n"), "{text}");
    let output = curl(&binary, &["--http1.0", "--include"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("\r\n\r\ncontent"), "{text}");
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncon\r\n4\r\ntent\r\n0\r\n\r\n";
    let origin = Origin::sending(chunks);
    let binary = Binary::start(&[origin.url()]);
    let output = curl(&binary, &["--http1.0", "--include", "--raw"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("\r\n\r\ncontent"), "{text}");
    assert!(!text.to_lowercase().contains("transfer-encoding"), "{text}");
}

#[test]
fn curl_uses_its_connection_again() {
    if !installed("curl", "--version") {
        return;
    }
    let origin = counting();
    let binary = Binary::start(&[origin.url()]);
    let again = format!("http://{}/again", binary.address());
    let output = curl(&binary, &[&again, "-w", "%{num_connects}"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0100");
}
