//! Proxies as child processes: tidegate, and those that it is compared with, if they are there.
//!
//! They serve lanes: for each a port to connect to, and its backend behind it. All are killed and
//! what they left behind is removed when a [`Program`] goes.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::lane::Lane;

/// A running proxy.
pub(crate) struct Program {
    child: Child,
    folder: Option<PathBuf>,
    /// Where it listens, for each lane.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Proxies that others have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    Haproxy,
}

impl Program {
    /// This program, before this backend. It gives requests no ids: heads are compared byte for
    /// byte, and no two ids are alike.
    pub(crate) fn tidegate(backend: SocketAddr) -> Self {
        let name = format!("tidegate-own-{}-{}", std::process::id(), backend.port());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        let config = folder.join("config");
        let text = "[[listener]]\nlisten = \"127.0.0.1:0\"\nrequest_id = \"off\"\n";
        fs::write(&config, text).expect("a temporary file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg("--config").arg(&config);
        command.args(["--probe", "off", &format!("http://{backend}")]);
        let started = Self::start(&mut command, "listening on ");
        let (mut program, line) = started.expect("the program starts");
        program.folder = Some(folder);
        let (_, behind) = line.split_once("listening on ").expect("just found");
        let address = behind.split(' ').next().unwrap_or(behind);
        program.addresses = vec![address.parse().expect("an address in the log")];
        program
    }

    /// Another one before these lanes; or why there is none.
    pub(crate) fn peer(peer: Peer, lanes: &[Lane]) -> Result<Self, String> {
        let version = Command::new(peer.name()).arg("-v").output();
        let version = version.map_err(|_| format!("{} is not installed", peer.name()))?;
        let said = [version.stdout, version.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        println!("\n{}", said.lines().next().unwrap_or_else(|| peer.name()));
        Self::peer_before(peer, lanes)
            .map_err(|error| format!("{} does not start: {error}", peer.name()))
    }

    fn peer_before(peer: Peer, lanes: &[Lane]) -> io::Result<Self> {
        let name = format!("tidegate-{}-{}", peer.name(), std::process::id());
        let folder = std::env::temp_dir().join(name);
        let addresses = free_addresses(lanes.len())?;
        let pairs = addresses.iter().zip(lanes);
        let ports: Vec<_> = pairs
            .map(|(address, lane)| (*address, lane.address()))
            .collect();
        let config = folder.join("config");
        fs::create_dir_all(&folder)?;
        fs::write(&config, peer.config(&folder, &ports))?;
        let started = Self::start(&mut peer.command(&config), peer.ready());
        let started = started.inspect_err(|_| {
            // There is nothing to do about a folder that stays.
            let _ = fs::remove_dir_all(&folder);
        });
        let (mut program, _) = started?;
        program.folder = Some(folder);
        program.addresses = addresses;
        Ok(program)
    }

    /// Starts it and waits for a line of its log that has this in it.
    fn start(command: &mut Command, ready: &str) -> io::Result<(Self, String)> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().expect("it was asked for");
        let program = Self {
            child,
            folder: None,
            addresses: Vec::new(),
        };
        let (sender, log) = channel();
        thread::spawn(move || {
            // To its end, even if nobody listens: a full pipe would stop the program.
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut seen = Vec::new();
        while let Ok(line) = log.recv_timeout(PATIENCE) {
            if line.contains(ready) {
                return Ok((program, line));
            }
            seen.push(line);
        }
        Err(io::Error::other(seen.join("\n")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// What it says as soon as it listens.
    const fn ready(self) -> &'static str {
        match self {
            Self::Nginx => "event method",
            Self::Haproxy => "Loading success",
        }
    }

    fn command(self, config: &Path) -> Command {
        let mut command = Command::new(self.name());
        match self {
            Self::Nginx => {
                let folder = config.parent().unwrap_or(config);
                command.args(["-e", "stderr", "-p"]).arg(folder);
                command.arg("-c").arg(config);
            }
            Self::Haproxy => {
                // Its worker ends with it.
                command.args(["-W", "-db", "-f"]).arg(config);
            }
        }
        command
    }

    fn config(self, folder: &Path, ports: &[(SocketAddr, SocketAddr)]) -> String {
        match self {
            Self::Nginx => nginx(folder, ports),
            Self::Haproxy => haproxy(ports),
        }
    }
}

/// As its documents advise for a proxy that keeps connections; one process, so that killing it
/// leaves none. The client's end is not its flight: a lane says that way that it is done.
fn nginx(folder: &Path, ports: &[(SocketAddr, SocketAddr)]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid;\n\
         error_log stderr notice;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         proxy_request_buffering off; proxy_ignore_client_abort on;\n\
         client_body_timeout 2s; client_header_timeout 2s; lingering_timeout 1s;\n"
    );
    for (at, (front, back)) in ports.iter().enumerate() {
        let _ = writeln!(
            text,
            "upstream lane{at} {{ server {back} max_fails=0; keepalive 4; }}\n\
             server {{ listen {front}; location / {{ proxy_pass http://lane{at}; }} }}"
        );
    }
    text + "}\n"
}

fn haproxy(ports: &[(SocketAddr, SocketAddr)]) -> String {
    let mut text = "global\n maxconn 256\ndefaults\n mode http\n timeout connect 2s\n \
                    timeout client 2s\n timeout server 2s\n timeout http-request 2s\n \
                    http-reuse never\n"
        .to_owned();
    for (at, (front, back)) in ports.iter().enumerate() {
        let _ = writeln!(text, "listen lane{at}\n bind {front}\n server one {back}");
    }
    text
}

/// Free a moment ago; nobody fails if one no longer is, there is only nothing to compare with.
fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let bound: Result<Vec<TcpListener>, _> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    bound?.iter().map(TcpListener::local_addr).collect()
}

/// Far longer than any start; a failure is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(30);
