//! What is measured: how many clients ask for what.

/// One sort of load.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// In words, for the report.
    pub(crate) about: String,
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Bytes of a request's body; 0 is a GET.
    pub(crate) post: usize,
    /// Bytes of an answer's body.
    pub(crate) answer: usize,
}

/// How clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each again as soon as it has its answer.
    Closed,
    /// A connection for every request.
    Fresh,
    /// At a fixed rate, whatever the answers do: latency counts from when a request was due.
    Paced(u64),
    /// Once, and then silence: for the memory of connections that wait.
    Idle,
}

/// What the proxy understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Http,
    Tcp,
    /// HTTP under TLS on the client's side.
    Tls,
}

/// All of them, in the order of the report; `rate` is of the paced one, in requests per second.
pub(crate) fn all(rate: u64) -> Vec<Scenario> {
    let http = |name, connections, answer, about| Scenario::new(name, connections, answer, about);
    let tcp = |name, connections, answer, about| Scenario {
        mode: Mode::Tcp,
        ..Scenario::new(name, connections, answer, about)
    };
    let post = |name, connections, post, about| Scenario {
        post,
        ..Scenario::new(name, connections, SMALL, about)
    };
    let mut all = vec![
        http("small", 64, SMALL, "64 connections, answers of 128 bytes"),
        http("one", 1, SMALL, "one connection, answers of 128 bytes"),
        http(
            "crowd",
            2_000,
            SMALL,
            "2000 connections, answers of 128 bytes",
        ),
        Scenario {
            kind: Kind::Fresh,
            ..http(
                "fresh",
                64,
                SMALL,
                "a connection for each request, 64 at a time",
            )
        },
        Scenario {
            kind: Kind::Paced(rate),
            ..http("paced", 64, SMALL, "")
        },
        http("get-10k", 64, 10 * KIB, "64 connections, answers of 10 KiB"),
        http("get-1m", 16, MIB, "16 connections, answers of 1 MiB"),
        post("post-16k", 64, 16 * KIB, "64 connections, posts of 16 KiB"),
        post("post-1m", 16, MIB, "16 connections, posts of 1 MiB"),
        tcp(
            "tcp-small",
            64,
            SMALL,
            "tcp mode, 64 connections, 128 bytes back",
        ),
        tcp("tcp-bulk", 16, MIB, "tcp mode, 16 connections, 1 MiB back"),
        Scenario {
            mode: Mode::Tls,
            ..http(
                "tls-small",
                64,
                SMALL,
                "TLS 1.3, 64 connections, answers of 128 bytes",
            )
        },
        Scenario {
            mode: Mode::Tls,
            kind: Kind::Fresh,
            ..http(
                "tls-fresh",
                64,
                SMALL,
                "TLS 1.3, a whole handshake for each request, 64 at a time",
            )
        },
        Scenario {
            kind: Kind::Idle,
            ..http(
                "idle",
                4_000,
                SMALL,
                "4000 more connections that wait after a request",
            )
        },
    ];
    for scenario in &mut all {
        if scenario.kind == Kind::Paced(rate) {
            scenario.about = format!("64 connections, {rate} requests a second in all");
        }
    }
    for connections in [16, 64, 256, 1_000, 2_000, 4_000, 8_000] {
        let name = format!("{GROWTH}{connections}");
        let about = format!("{connections} connections, answers of 128 bytes");
        all.push(Scenario::new(&name, connections, SMALL, &about));
    }
    all
}

impl Scenario {
    fn new(name: &str, connections: usize, answer: usize, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            about: about.to_owned(),
            kind: Kind::Closed,
            mode: Mode::Http,
            connections,
            post: 0,
            answer,
        }
    }

    /// Every request has these bytes.
    pub(crate) fn request(&self) -> Vec<u8> {
        let method = if self.post > 0 { "POST" } else { "GET" };
        let mut text = format!(
            "{method} /{} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: tidegate-bench\r\n\
             Accept: */*\r\n",
            self.answer
        );
        if self.kind == Kind::Fresh {
            text.push_str("Connection: close\r\n");
        }
        if self.post > 0 {
            text.push_str(&format!("Content-Length: {}\r\n", self.post));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len() + self.post, b'p');
        bytes
    }
}

/// What names of scenarios begin with that show how cost grows with connections.
pub(crate) const GROWTH: &str = "many-";

/// Connections that are there before those are counted that cost memory: a proxy has then touched
/// what it holds for itself, buffers, logs and books.
pub(crate) const IDLE_BEFORE: usize = 4_500;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SMALL: usize = 128;
