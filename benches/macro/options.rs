//! What stands behind `--` on the command line.

use std::ffi::OsString;

use crate::proxy::Proxy;
use crate::variant::Variant;

/// How long, how often, what and whom.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Rounds; in every other one the proxies come in reverse order. Default: 5, quick 2.
    pub(crate) rounds: usize,
    /// Seconds of counting in a round. Default: 3, quick 1.
    pub(crate) seconds: f64,
    /// Seconds before them. Default: 1, quick 0.5.
    pub(crate) warm_up: f64,
    /// Requests a second of the paced scenario. Default: 5000.
    pub(crate) rate: u64,
    /// Names, or beginnings of names, of scenarios. Default: all, quick the main ones.
    pub(crate) only: Vec<String>,
    /// Default: all that are installed.
    pub(crate) proxies: Vec<Proxy>,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Bench(Options),
    Floor(std::net::SocketAddr, std::net::SocketAddr),
    Help,
    /// Not a bench: `cargo test --all-targets` runs it too.
    Nothing,
}

/// What `--help` says.
pub(crate) const HELP: &str = "\
cargo bench --bench proxies -- [OPTIONS]

  --quick              two short rounds of the main scenarios
  --only NAME,...      scenarios whose names begin so: small,tcp,many
  --proxies NAME,...   of tidegate,floor,nginx,haproxy,caddy,sozu,envoy,traefik, and of
                       tidegate+json,tidegate+combined,tidegate+haproxy (access logs) and
                       tidegate+scraped (metrics read every second); these and the plain
                       one together are called variants
  --rounds N           [5]
  --seconds S          counted in each round                     [3]
  --rate N             requests a second of the paced scenario   [5000]
";

/// Reads the arguments, the program's name left out.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Asked, lexopt::Error> {
    let mut options = Options {
        rounds: 0,
        seconds: 0.0,
        warm_up: 1.0,
        rate: 5_000,
        only: Vec::new(),
        proxies: Proxy::ALL.to_vec(),
    };
    let (mut is_bench, mut is_quick) = (false, false);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let lexopt::Arg::Long(name) = argument else {
            return Err(argument.unexpected());
        };
        match name {
            "bench" => is_bench = true,
            "quick" => is_quick = true,
            "help" => return Ok(Asked::Help),
            "floor" => {
                let at = number(&mut parser)?;
                return Ok(Asked::Floor(at, number(&mut parser)?));
            }
            "rounds" => options.rounds = number(&mut parser)?,
            "seconds" => options.seconds = number(&mut parser)?,
            "rate" => options.rate = number(&mut parser)?,
            "only" => options.only = names(&mut parser)?,
            "proxies" => {
                let mut wanted = names(&mut parser)?;
                if let Some(at) = wanted.iter().position(|name| name == "variants") {
                    let all = Variant::ALL.map(|variant| variant.name().to_owned());
                    wanted.splice(at..=at, all);
                    if !wanted.iter().any(|name| name == Proxy::Tidegate.name()) {
                        wanted.push(Proxy::Tidegate.name().to_owned());
                    }
                }
                options.proxies.extend(Variant::ALL.map(Proxy::Variant));
                let is_wanted = |proxy: &Proxy| wanted.iter().any(|name| name == proxy.name());
                options.proxies.retain(is_wanted);
                if options.proxies.len() < wanted.len() {
                    return Err("--proxies: see --help for their names".into());
                }
            }
            _ => return Err(argument.unexpected()),
        }
    }
    if is_quick {
        options.warm_up = 0.5;
        if options.only.is_empty() {
            options.only = MAIN.map(str::to_owned).to_vec();
        }
    }
    if options.rounds == 0 {
        options.rounds = if is_quick { 2 } else { 5 };
    }
    if options.seconds <= 0.0 {
        options.seconds = if is_quick { 1.0 } else { 3.0 };
    }
    if options.rate == 0 {
        return Err("--rate 0 asks for nothing".into());
    }
    Ok(if is_bench {
        Asked::Bench(options)
    } else {
        Asked::Nothing
    })
}

fn number<T: std::str::FromStr>(parser: &mut lexopt::Parser) -> Result<T, lexopt::Error>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
{
    lexopt::ValueExt::parse(&parser.value()?)
}

fn names(parser: &mut lexopt::Parser) -> Result<Vec<String>, lexopt::Error> {
    let value = lexopt::ValueExt::string(parser.value()?)?;
    Ok(value.split(',').map(str::to_owned).collect())
}

/// What `--quick` measures.
const MAIN: [&str; 6] = ["small", "one", "crowd", "fresh", "get-10k", "tcp-small"];
