//! What a browser looks at: the program itself as a balancer, and as the servers behind it, each a
//! process of its own, so that killing one is what it is in life.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::PATIENCE;
use crate::driver;

/// A running program. It is killed when this goes.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts it with these arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (sender, lines) = channel();
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        let pipes: [Box<dyn Read + Send>; 2] = [Box::new(stdout), Box::new(stderr)];
        for pipe in pipes {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    // To its end, whether or not somebody listens: a full pipe would stop it.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// The word behind `text` in the next line that has it.
    pub(crate) fn word_behind(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|why| panic!("no {text:?} is said: {why}"));
            if let Some((_, rest)) = line.split_once(text) {
                return rest
                    .split([' ', ',', ';'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
        }
    }

    /// Kills it, as abruptly as it gets.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our own child");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A balancer with two servers.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) balancer: Program,
    /// The URL of the dashboard, without the `/`.
    pub(crate) url: String,
    pub(crate) servers: Vec<Program>,
    /// Where clients connect.
    port: u16,
}

impl Stage {
    /// With those arguments besides.
    pub(crate) fn set(arguments: &[&str]) -> Self {
        let start = |name| {
            let server =
                Program::start(&["origin", "--listen", "127.0.0.1:0", "--name", name, "-v"]);
            let address = server.word_behind("listening on ");
            (server, format!("http://{address}"))
        };
        let (servers, urls): (Vec<_>, Vec<_>) = ["A", "B"].map(start).into_iter().unzip();
        let mut all = vec!["--listen", "127.0.0.1:0"];
        all.extend(urls.iter().map(String::as_str));
        all.extend_from_slice(arguments);
        if !arguments.contains(&"--admin") && !arguments.contains(&"--config") {
            all.extend(["--admin", "127.0.0.1:0"]);
        }
        let balancer = Program::start(&all);
        let listening = balancer.word_behind("listening on ");
        let (_, port) = listening.rsplit_once(':').expect("an address");
        Self {
            url: format!(
                "http://{}",
                balancer.word_behind("admin interface on http://")
            ),
            port: port.parse().expect("a port"),
            balancer,
            servers,
        }
    }

    /// A document of the admin interface.
    pub(crate) fn document(&self, path: &str) -> Value {
        let (_, port) = self.url.rsplit_once(':').expect("a URL");
        let (status, document) =
            driver::exchange(port.parse().expect("a port"), "GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {document}");
        document
    }

    /// The state of a server, as the admin interface says it.
    pub(crate) fn state(&self, id: &str) -> String {
        let one = self.document(&format!("/api/v1/pools/app/backends/{id}"));
        one["state"].as_str().expect("a state").to_owned()
    }

    /// So many clients, one behind the other, each on a connection of its own.
    pub(crate) fn visit(&self, count: usize) {
        for _ in 0..count {
            let (status, _) = driver::exchange(self.port, "GET", "/", &Value::Null);
            assert_eq!(status, 200);
        }
    }

    /// Clients that ask all the time, and insist on being answered.
    pub(crate) fn load(&self) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let (port, flag) = (self.port, Arc::clone(&over));
        let thread = thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                let (status, _) = driver::exchange(port, "GET", "/", &Value::Null);
                assert_eq!(status, 200, "a client noticed something");
            }
        });
        Load {
            over,
            thread: Some(thread),
        }
    }
}

/// A running load. It ends when this goes.
#[derive(Debug)]
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Ends it; no client noticed anything.
    pub(crate) fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it ends once");
        thread.join().expect("no client noticed anything");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
