//! The proxies: tidegate, the floor, and those of others that are installed, with configurations
//! that say the same. For all: one worker, no access log, connections to the origin kept, bodies
//! streamed, the client's address in X-Forwarded-For, no health probes, limits on connections out
//! of the way.

use std::fs;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::StreamOwned;

use crate::config;
use crate::process::Process;
use crate::scenario::Mode;
use crate::variant::Company;
use crate::variant::Variant;
use crate::wire;
use crate::wire::Identity;

/// One that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proxy {
    Tidegate,
    Floor,
    Nginx,
    Haproxy,
    Caddy,
    Sozu,
    Envoy,
    Traefik,
    /// tidegate with something switched on.
    Variant(Variant),
}

/// One that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Goes with it.
    _company: Company,
}

impl Proxy {
    pub(crate) const ALL: [Self; 8] = [
        Self::Tidegate,
        Self::Floor,
        Self::Nginx,
        Self::Haproxy,
        Self::Caddy,
        Self::Sozu,
        Self::Envoy,
        Self::Traefik,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::Floor => "floor",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Sozu => "sozu",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Variant(variant) => variant.name(),
        }
    }

    /// What it calls itself, or `None` if it is not here.
    pub(crate) fn version(self) -> Option<String> {
        let argument = match self {
            Self::Tidegate => return Some(format!("tidegate {}", env!("CARGO_PKG_VERSION"))),
            Self::Variant(variant) => return Some(variant.about().to_owned()),
            Self::Floor => return Some("a relay that parses nothing".to_owned()),
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy | Self::Traefik => "version",
            Self::Sozu | Self::Envoy => "--version",
        };
        let output = Command::new(self.name()).arg(argument).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().find(|line| !line.trim().is_empty())?;
        Some(line.trim().to_owned())
    }

    /// Its configuration in this mode, or the arguments that stand for one; `None` if it has no
    /// such mode.
    pub(crate) fn config(
        self,
        mode: Mode,
        folder: &Path,
        listen: SocketAddr,
        origin: SocketAddr,
    ) -> Option<String> {
        let is_able = matches!(
            self,
            Self::Tidegate | Self::Variant(_) | Self::Nginx | Self::Haproxy
        );
        if mode == Mode::Tls && !is_able {
            return None;
        }
        match self {
            Self::Tidegate | Self::Variant(_) => {
                Some(config::tidegate(mode, folder, listen, origin))
            }
            Self::Floor => Some(format!("--floor {listen} {origin}\n")),
            Self::Nginx => Some(config::nginx(mode, folder, listen, origin)),
            Self::Haproxy => Some(config::haproxy(mode, folder, listen, origin)),
            Self::Caddy => config::caddy(mode, listen, origin),
            Self::Sozu => Some(config::sozu(mode, folder, listen, origin)),
            Self::Envoy => Some(config::envoy(mode, listen, origin)),
            Self::Traefik => Some(config::traefik(mode, folder, listen)),
        }
    }

    fn command(self, folder: &Path, config: &Path, text: &str) -> Command {
        let mut command = match self {
            Self::Tidegate | Self::Variant(_) => Command::new(env!("CARGO_BIN_EXE_tidegate")),
            Self::Floor => {
                Command::new(std::env::current_exe().unwrap_or_else(|_| "proxies".into()))
            }
            Self::Nginx
            | Self::Haproxy
            | Self::Caddy
            | Self::Sozu
            | Self::Envoy
            | Self::Traefik => Command::new(self.name()),
        };
        match self {
            Self::Tidegate => command.arg("-q").arg("--config").arg(config),
            Self::Variant(variant) => command
                .arg("-q")
                .arg("--config")
                .arg(config)
                .args(variant.arguments(folder).split_whitespace()),
            Self::Floor => command.args(text.split_whitespace()),
            Self::Nginx => command
                .args(["-e", "stderr", "-p"])
                .arg(folder)
                .arg("-c")
                .arg(config),
            Self::Haproxy => command.arg("-db").arg("-f").arg(config),
            Self::Caddy => command
                .env("GOMAXPROCS", "1")
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder)
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(config),
            Self::Sozu => command.args(["start", "-c"]).arg(config),
            Self::Envoy => command
                .args(["--concurrency", "1", "--log-level", "error"])
                .args(["--disable-hot-restart", "-c"])
                .arg(config),
            Self::Traefik => command
                .env("GOMAXPROCS", "1")
                .arg(format!("--configFile={}", config.display())),
        };
        command
    }

    /// Starts it before the origin on a processor and sees to it that it answers.
    pub(crate) fn start(
        self,
        mode: Mode,
        (folder, identity): (&Path, &Identity),
        origin: SocketAddr,
        processor: usize,
    ) -> Result<Option<Running>, String> {
        let folder = folder.join(self.name());
        let failed = |error: io::Error| format!("{} cannot be started: {error}", self.name());
        fs::create_dir_all(&folder).map_err(failed)?;
        identity.write(&folder).map_err(failed)?;
        let address = free_address().map_err(failed)?;
        let Some(text) = self.config(mode, &folder, address, origin) else {
            return Ok(None);
        };
        let config = self.config_path(&folder);
        fs::write(&config, &text).map_err(failed)?;
        if self == Self::Traefik {
            let routes = config::traefik_routes(mode, origin);
            fs::write(folder.join("routes.yaml"), routes).map_err(failed)?;
        }
        let mut command = self.command(&folder, &config, &text);
        let process = Process::start(&mut command, processor).map_err(failed)?;
        let tls = (mode == Mode::Tls).then(|| identity.client.clone());
        let mut said = Vec::new();
        for _ in 0..TRIES {
            let Err(why) = answers(address, tls.as_ref()) else {
                let mut company = Company::default();
                if let Self::Variant(variant) = self {
                    company = variant.company(&folder);
                }
                return Ok(Some(Running {
                    process,
                    address,
                    _company: company,
                }));
            };
            // Whatever it says may mean that it listens now, and some say nothing.
            match process.line(PATIENCE) {
                Ok(line) => said.extend(line),
                Err(end) => {
                    let log = said.join("\n");
                    return Err(format!("{}: {end} ({why})\n{log}", self.name()));
                }
            }
        }
        Err(format!(
            "{} does not answer:\n{}",
            self.name(),
            said.join("\n")
        ))
    }

    fn config_path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Envoy | Self::Traefik => "config.yaml",
            Self::Sozu => "config.toml",
            Self::Tidegate
            | Self::Variant(_)
            | Self::Floor
            | Self::Nginx
            | Self::Haproxy
            | Self::Caddy => "config",
        })
    }
}

/// Whether a request is answered there as it shall be, with nothing but a status and a length.
fn answers(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<()> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    match tls {
        Some(tls) => ask(StreamOwned::new(wire::session(tls)?, stream)),
        None => ask(stream),
    }
}

fn ask(mut stream: impl Read + Write) -> io::Result<()> {
    stream.write_all(b"GET /7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    if text.starts_with("HTTP/1.1 200 ") && text.ends_with("\r\n\r\naaaaaaa") {
        return Ok(());
    }
    ended?;
    Err(io::Error::other(format!("{text:?}")))
}

/// An address that nobody listens on.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// How long a starting proxy may be silent before it is tried again, and how often it is.
const PATIENCE: Duration = Duration::from_millis(50);
const TRIES: usize = 200;
