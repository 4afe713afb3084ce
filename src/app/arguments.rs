//! From arguments to a configuration: first what was written, then what it means.

use std::ffi::OsString;

use lexopt::Arg;
use lexopt::Parser;
use log::LevelFilter;

use super::exit::Trouble;
use crate::config::Config;
use crate::config::Mode;
use crate::config::Probe;
use crate::config::Scheme;
use crate::config::text;
use crate::config::text::Complaint;

/// What the program is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Balance.
    Balance(Box<Config>, LevelFilter),
    /// Say how it is used.
    Help,
    /// Say which one it is.
    Version,
}

/// One option, as the help shows it.
pub(super) struct Opt {
    pub(super) short: Option<char>,
    pub(super) long: &'static str,
    pub(super) value: &'static str,
    pub(super) about: &'static str,
}

const fn opt(
    short: Option<char>,
    long: &'static str,
    value: &'static str,
    about: &'static str,
) -> Opt {
    Opt {
        short,
        long,
        value,
        about,
    }
}

/// Every option there is; `did you mean` looks here too.
pub(super) const OPTIONS: &[Opt] = &[
    opt(
        Some('l'),
        "listen",
        "ADDR",
        "where clients connect, repeatable      [127.0.0.1:8000]",
    ),
    opt(
        Some('m'),
        "mode",
        "http|tcp",
        "what is balanced      [http; tcp if every BACKEND is tcp://]",
    ),
    opt(
        None,
        "probe",
        "tcp|off",
        "how backends are watched                          [tcp]",
    ),
    opt(
        None,
        "interval",
        "DUR",
        "time between probes                                [2s]",
    ),
    opt(
        None,
        "rise",
        "N",
        "good results until a backend is up                  [2]",
    ),
    opt(
        None,
        "fall",
        "N",
        "bad results until a backend is down                 [3]",
    ),
    opt(
        None,
        "timeout-connect",
        "DUR",
        "connecting to a backend, TLS included              [5s]",
    ),
    opt(
        None,
        "timeout-response",
        "DUR",
        "from request to the head of its answer            [60s]",
    ),
    opt(
        None,
        "upstream-ca",
        "FILE",
        "trust this CA (PEM) for https:// backends, too",
    ),
    opt(
        None,
        "insecure-upstream",
        "",
        "do not verify backends' certificates",
    ),
    opt(Some('v'), "verbose", "", "log more; twice: everything"),
    opt(Some('q'), "quiet", "", "log warnings and errors only"),
    opt(
        None,
        "log-level",
        "LEVEL",
        "error | warn | info | debug | trace              [info]",
    ),
    opt(Some('V'), "version", "", "say which version this is"),
    opt(Some('h'), "help", "", "say this"),
];

/// What was written, not yet judged as a whole.
#[derive(Default)]
struct Written {
    listeners: Vec<String>,
    mode: Option<Mode>,
    backends: Vec<String>,
    level: Option<LevelFilter>,
    verbosity: i32,
}

/// Reads the whole command line.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Trouble> {
    let mut parser = Parser::from_args(arguments);
    let mut written = Written::default();
    let mut config = Config::default();
    while let Some(argument) = parser.next().map_err(Trouble::usage)? {
        match argument {
            Arg::Value(text) => {
                let text = text.to_string_lossy().into_owned();
                written.backends.push(text);
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Short('v') | Arg::Long("verbose") => written.verbosity += 1,
            Arg::Short('q') | Arg::Long("quiet") => written.verbosity -= 1,
            Arg::Long("insecure-upstream") => config.upstream_tls.verify = false,
            Arg::Short(letter) => {
                let long = match letter {
                    'l' => "listen",
                    'm' => "mode",
                    _ => return Err(unknown(&format!("-{letter}"))),
                };
                option(long, &mut parser, &mut written, &mut config)?;
            }
            Arg::Long(long) => {
                let long = long.to_owned();
                option(&long, &mut parser, &mut written, &mut config)?;
            }
        }
    }
    judge(written, config)
}

/// An option with a value.
fn option(
    long: &str,
    parser: &mut Parser,
    written: &mut Written,
    config: &mut Config,
) -> Result<(), Trouble> {
    let known = OPTIONS
        .iter()
        .any(|known| known.long == long && !known.value.is_empty());
    if !known {
        return Err(unknown(&format!("--{long}")));
    }
    let option = format!("--{long}");
    let missing = || Trouble::usage(format!("no value: {option}; write one behind it"));
    let value = parser.value().map_err(|_| missing())?;
    let value = value.to_string_lossy().into_owned();
    let under = |complaint: Complaint| Trouble::usage(complaint.under(&option));
    match long {
        "listen" => written.listeners.push(value),
        "mode" => written.mode = Some(mode(&value).map_err(under)?),
        "probe" => config.health.probe = probe(&value).map_err(under)?,
        "interval" => config.health.interval = text::positive_duration(&value).map_err(under)?,
        "rise" => config.health.rise = text::count(&value).map_err(under)?,
        "fall" => config.health.fall = text::count(&value).map_err(under)?,
        "timeout-connect" => {
            config.timeouts.connect = text::positive_duration(&value).map_err(under)?;
        }
        "timeout-response" => {
            config.timeouts.response = text::positive_duration(&value).map_err(under)?;
        }
        "upstream-ca" => config.upstream_tls.ca = Some(value.into()),
        _ => written.level = Some(level(&value).map_err(under)?),
    }
    Ok(())
}

/// What was written, taken together.
fn judge(written: Written, mut config: Config) -> Result<Command, Trouble> {
    if written.backends.is_empty() {
        return Err(Trouble::usage(
            "no backend: nowhere to send requests; name one, like http://127.0.0.1:9001, \
             or try `tidegate demo` (--help says more)",
        ));
    }
    (config.mode, config.backends) =
        text::backends(&written.backends, written.mode).map_err(Trouble::usage)?;
    if !written.listeners.is_empty() {
        config.listeners.clear();
        for listener in &written.listeners {
            let under = |complaint: Complaint| Trouble::usage(complaint.under("--listen"));
            let address = text::listen(listener).map_err(under)?;
            if config.listeners.contains(&address) && address.port() != 0 {
                let again = Complaint::new("given twice", listener, "name each address once");
                return Err(under(again));
            }
            config.listeners.push(address);
        }
    }
    let secure = config
        .backends
        .iter()
        .any(|backend| backend.scheme == Scheme::Https);
    if !secure && config.upstream_tls.ca.is_some() {
        return Err(Trouble::usage(
            "nothing to verify: --upstream-ca; no backend is https://, leave it out",
        ));
    }
    let level = written.level.unwrap_or(match written.verbosity {
        ..=-1 => LevelFilter::Warn,
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        2.. => LevelFilter::Trace,
    });
    Ok(Command::Balance(Box::new(config), level))
}

fn mode(value: &str) -> Result<Mode, Complaint> {
    match value {
        "http" => Ok(Mode::Http),
        "tcp" => Ok(Mode::Tcp),
        _ => Err(Complaint::new("unknown mode", value, "write http or tcp")),
    }
}

fn probe(value: &str) -> Result<Probe, Complaint> {
    match value {
        "tcp" => Ok(Probe::Tcp),
        "off" => Ok(Probe::Off),
        _ if value.starts_with('/') => Err(Complaint::new(
            "no HTTP probes in this version",
            value,
            "write tcp or off",
        )),
        _ => Err(Complaint::new("unknown probe", value, "write tcp or off")),
    }
}

fn level(value: &str) -> Result<LevelFilter, Complaint> {
    match value {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => Err(Complaint::new(
            "unknown level",
            value,
            "write error, warn, info, debug or trace",
        )),
    }
}

fn unknown(option: &str) -> Trouble {
    let near = option.strip_prefix("--").and_then(|long| {
        let all = OPTIONS.iter().map(|known| known.long);
        all.map(|known| (distance(long, known), known))
            .min()
            .filter(|(far, _)| *far <= 2)
    });
    match near {
        Some((_, known)) => {
            Trouble::usage(format!("unknown option: {option}; did you mean --{known}?"))
        }
        None => Trouble::usage(format!(
            "unknown option: {option}; --help lists all there are"
        )),
    }
}

/// How many insertions, removals, replacements and swaps of neighbours lie between two words.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let arguments = arguments.iter().map(OsString::from);
        parse(arguments)
            .map(|_| ())
            .expect_err("this is wrong")
            .line
    }

    fn accepted(arguments: &[&str]) -> (Config, LevelFilter) {
        match parse(arguments.iter().map(OsString::from)).unwrap() {
            Command::Balance(config, level) => (*config, level),
            other @ (Command::Help | Command::Version) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let table: [(&[&str], &str); 11] = [
            (&[], "no backend"),
            (&["--lisen", "x", "a:1"], "did you mean --listen?"),
            (&["--listne=x", "a:1"], "did you mean --listen?"),
            (&["--weight", "a:1"], "unknown option: --weight"),
            (&["a:1", "--rise"], "no value: --rise"),
            (&["a:1", "--rise", "0"], "--rise 0"),
            (&["a:1", "--interval", "2"], "add a unit"),
            (&["a:1", "--probe", "/health"], "no HTTP probes"),
            (
                &["a:1", "-l", "127.0.0.1:1", "-l", "127.0.0.1:1"],
                "given twice",
            ),
            (&["a:1", "--upstream-ca", "f"], "nothing to verify"),
            (&["a:1", "--log-level", "loud"], "unknown level"),
        ];
        for (arguments, named) in table {
            let line = refused(arguments);
            assert!(line.contains(named), "{arguments:?}: {line}");
            assert_eq!(line.lines().count(), 1);
        }
    }

    #[test]
    fn options_stand_before_and_behind_backends() {
        let (config, level) = accepted(&["-l", "127.0.0.1:0", "tcp://127.0.0.1:1", "-v"]);
        assert_eq!(config.mode, Mode::Tcp);
        assert_eq!(config.backends.len(), 1);
        assert_eq!(level, LevelFilter::Debug);
        let (config, level) = accepted(&["-q", "--fall=7", "a:1", "b:1", "--probe=off"]);
        assert_eq!((config.health.fall, config.health.probe), (7, Probe::Off));
        assert_eq!(level, LevelFilter::Warn);
    }

    #[test]
    fn distances_count_swaps_as_one() {
        assert_eq!(distance("listen", "listne"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("mode", "node"), 1);
    }
}
