//! tidegate as operators run it: with an access log, with somebody who reads its metrics. What that
//! costs is told by comparison with the plain one, in the same run and in turns with it.

use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// What is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    Json,
    Combined,
    Haproxy,
    Scraped,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] = [Self::Json, Self::Combined, Self::Haproxy, Self::Scraped];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "tidegate+json",
            Self::Combined => "tidegate+combined",
            Self::Haproxy => "tidegate+haproxy",
            Self::Scraped => "tidegate+scraped",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Json => "every request in an access log of JSON, in a file",
            Self::Combined => "the same in Apache's combined format",
            Self::Haproxy => "the same in HAProxy's format",
            Self::Scraped => "an admin interface, whose metrics are read every second",
        }
    }

    /// Arguments beside those of the plain one.
    pub(crate) fn arguments(self, folder: &Path) -> String {
        let folder = folder.display();
        match self {
            Self::Json => format!("--access-log json:{folder}/{LOG} "),
            Self::Combined => format!("--access-log combined:{folder}/{LOG} "),
            Self::Haproxy => format!("--access-log haproxy:{folder}/{LOG} "),
            Self::Scraped => format!("--admin unix:{folder}/{SOCKET} "),
        }
    }

    /// What goes on while it runs.
    pub(crate) fn company(self, folder: &Path) -> Company {
        match self {
            Self::Json | Self::Combined | Self::Haproxy => Company {
                log: Some(folder.join(LOG)),
                scraper: None,
            },
            Self::Scraped => Company {
                log: None,
                scraper: Some(scrape(folder.join(SOCKET))),
            },
        }
    }
}

/// What goes on beside a proxy, and goes with it.
#[derive(Debug, Default)]
pub(crate) struct Company {
    /// A file of hundreds of megabytes that nobody reads.
    log: Option<PathBuf>,
    /// Ends the thread by going.
    scraper: Option<Sender<()>>,
}

impl Drop for Company {
    fn drop(&mut self) {
        self.scraper = None;
        if let Some(log) = &self.log {
            // If it is not there, so much the better.
            let _ = std::fs::remove_file(log);
        }
    }
}

/// Reads the metrics every second, from now on.
fn scrape(socket: PathBuf) -> Sender<()> {
    let (sender, over) = channel();
    thread::spawn(move || {
        // A bench whose scraper is refused measures nothing: it says so, once.
        if let Err(why) = scrape_until(&socket, &over) {
            eprintln!("nobody reads the metrics at {}: {why}", socket.display());
        }
    });
    sender
}

fn scrape_until(socket: &Path, over: &Receiver<()>) -> std::io::Result<()> {
    let mut answer = Vec::new();
    loop {
        let asked = UnixStream::connect(socket).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")?;
            stream.write_all(b"Connection: close\r\n\r\n")?;
            answer.clear();
            stream.read_to_end(&mut answer)
        });
        match over.recv_timeout(Duration::from_secs(1)) {
            Err(RecvTimeoutError::Timeout) => {}
            // The proxy may have gone in the middle.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        asked?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            let text = String::from_utf8_lossy(&answer).into_owned();
            return Err(std::io::Error::other(text));
        }
    }
}

const LOG: &str = "access.log";
const SOCKET: &str = "admin.sock";

/// How long an answer may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(5);
