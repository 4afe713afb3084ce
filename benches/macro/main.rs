//! tidegate beside the proxies that are installed here, one after the other under the same load:
//!
//! ```sh
//! cargo bench --bench proxies                                 # everything, half an hour
//! cargo bench --bench proxies -- --quick                      # a first look
//! cargo bench --bench proxies -- --only small,tcp --proxies tidegate,nginx,floor
//! cargo bench --bench proxies -- --only small,get-10k --proxies variants
//! ```
//!
//! The proxy has a processor for itself, clients and origin have others. Each run starts the
//! proxy afresh, lets it warm up, and measures; rounds go through the proxies forwards and
//! backwards in turn. What counts is processor time for a request: unlike requests per second, it
//! tells proxies apart even where clients and origin are what is busy. The report is
//! `target/bench/report.md`, with pictures beside it.

mod config;
mod field;
mod floor;
mod histogram;
mod load;
mod message;
mod options;
mod origin;
mod plot;
mod process;
mod processors;
mod proxy;
mod report;
mod scenario;
mod variant;
mod wire;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use field::Field;
use load::Order;
use load::Outcome;
use options::Asked;
use options::Options;
use processors::Processors;
use proxy::Proxy;
use report::Row;
use report::Sample;
use scenario::Kind;
use scenario::Mode;
use scenario::Scenario;
use wire::Identity;

fn main() -> ExitCode {
    let result = match options::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Bench(options)) => Bench::new(options).and_then(|bench| bench.run()),
        Ok(Asked::Floor(listen, origin)) => {
            floor::run(listen, origin).map_err(|error| error.to_string())
        }
        Ok(Asked::Help) => {
            print!("{}", options::HELP);
            Ok(())
        }
        Ok(Asked::Nothing) => Ok(()),
        Err(error) => Err(format!("{error}\n\n{}", options::HELP)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// How busy the machine is with other things, and what that means for the figures.
fn others_at_work() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first: f64 = load
        .split(' ')
        .next()
        .and_then(|it| it.parse().ok())
        .unwrap_or(0.0);
    let advice = if first > 0.5 {
        ": it does other things too, so times are worth little, and processor time for a request \
         only compares those of one scenario"
    } else {
        ""
    };
    format!("Load of the machine before the first run: {first}{advice}.\n")
}

/// Everything that a run of the bench needs.
struct Bench {
    options: Options,
    scenarios: Vec<Scenario>,
    proxies: Vec<Proxy>,
    processors: Processors,
    field: Field,
    identity: Identity,
    /// Where the report goes, and what proxies write.
    folder: PathBuf,
    is_stopped: Arc<AtomicBool>,
}

impl Bench {
    fn new(options: Options) -> Result<Self, String> {
        tidegate::os::raise_descriptor_limit().map_err(|error| error.to_string())?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        for signal in [2, 15] {
            // INT and TERM end the bench between two runs, and with it all it has started.
            signal_hook::flag::register(signal, is_stopped.clone())
                .map_err(|error| error.to_string())?;
        }
        let mut scenarios = scenario::all(options.rate);
        let is_wanted = |scenario: &Scenario| {
            let names = &options.only;
            names.is_empty() || names.iter().any(|name| scenario.name.starts_with(name))
        };
        scenarios.retain(is_wanted);
        if scenarios.is_empty() {
            let names: Vec<String> = scenario::all(1).into_iter().map(|it| it.name).collect();
            return Err(format!("--only: none of {}", names.join(", ")));
        }
        let processors = Processors::spread();
        let field = Field::start(processors.load, processors.origin);
        let field = field.map_err(|error| error.to_string())?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../bench");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        Ok(Self {
            scenarios,
            proxies: Vec::new(),
            processors,
            field,
            identity: Identity::new()?,
            folder,
            is_stopped,
            options,
        })
    }

    fn run(mut self) -> Result<(), String> {
        let head = self.introduce();
        println!("{head}");
        let mut all: Vec<Vec<Row>> = Vec::new();
        for scenario in self.scenarios.clone() {
            if self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            let rows = self.measure(&scenario);
            println!("{}", report::table(&rows));
            all.push(rows);
        }
        let end = format!(
            "{}\n{}\n{}",
            report::above_the_floor(&all),
            report::costs(&all),
            report::losses(&all)
        );
        println!("{end}");
        self.write(&head, &all, &end)
            .map_err(|error| error.to_string())?;
        println!("report: {}", self.folder.join("report.md").display());
        Ok(())
    }

    /// Who takes part, where, and how they are configured.
    fn introduce(&mut self) -> String {
        let mut text = String::from("# tidegate beside others\n\n");
        for proxy in self.options.proxies.clone() {
            match proxy.version() {
                Some(version) => {
                    let _ = writeln!(text, "- {}: {version}", proxy.name());
                    self.proxies.push(proxy);
                }
                None => {
                    let _ = writeln!(text, "- {}: not installed", proxy.name());
                }
            }
        }
        let Processors {
            proxy,
            load,
            origin,
        } = self.processors;
        let runs = self.scenarios.len() * self.proxies.len() * self.options.rounds;
        let _ = writeln!(
            text,
            "\nProcessor {proxy} is the proxy's, {load} the clients', {origin} the origin's. {} \
             rounds of {} s after {} s of warm-up, {runs} runs, some {:.0} minutes. Figures are \
             medians, with half the distance between least and most.\n",
            self.options.rounds,
            self.options.seconds,
            self.options.warm_up,
            f64::from(u32::try_from(runs).unwrap_or(u32::MAX))
                * (self.options.seconds + self.options.warm_up + 0.5)
                / 60.0
        );
        text.push_str(&others_at_work());
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 8000));
        for mode in [Mode::Http, Mode::Tcp, Mode::Tls] {
            if !self.scenarios.iter().any(|scenario| scenario.mode == mode) {
                continue;
            }
            for proxy in &self.proxies {
                let folder = Path::new("/tmp/bench");
                let Some(config) = proxy.config(mode, folder, listen, self.field.origin) else {
                    let _ = writeln!(text, "\n{} has no {mode:?} mode.", proxy.name());
                    continue;
                };
                let name = proxy.name();
                let _ = writeln!(
                    text,
                    "\n{name}, {mode:?}:\n\n```\n{}\n```",
                    config.trim_end()
                );
            }
        }
        text
    }

    /// All rounds of one scenario.
    fn measure(&self, scenario: &Scenario) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .proxies
            .iter()
            .map(|proxy| Row {
                scenario: scenario.clone(),
                proxy: *proxy,
                samples: Vec::new(),
            })
            .collect();
        for round in 0..self.options.rounds {
            let count = rows.len();
            for at in 0..count {
                if self.is_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let row = &mut rows[if round % 2 == 0 { at } else { count - 1 - at }];
                match self.sample(scenario, row.proxy) {
                    Ok(sample) => row.samples.extend(sample),
                    Err(why) => println!("{}: {why}", scenario.name),
                }
            }
        }
        rows.retain(|row| !row.samples.is_empty());
        rows
    }

    /// One run of one proxy; nothing if it has no such mode.
    fn sample(&self, scenario: &Scenario, proxy: Proxy) -> Result<Option<Sample>, String> {
        if scenario.kind != Kind::Idle {
            let run = self.run_once(scenario, scenario.connections, proxy)?;
            return Ok(run.map(|(outcome, memory)| Sample::new(&outcome, memory)));
        }
        // What a proxy holds whether anybody is there or not is no connection's.
        let Some((_, before)) = self.run_once(scenario, scenario::IDLE_BEFORE, proxy)? else {
            return Ok(None);
        };
        let all = scenario::IDLE_BEFORE + scenario.connections;
        let Some((outcome, after)) = self.run_once(scenario, all, proxy)? else {
            return Ok(None);
        };
        // In `Sample::new` a KiB, so bytes for each connection in the end.
        let memory = after.saturating_sub(before) * 1024 / scenario.connections as u64;
        Ok(Some(Sample::new(&outcome, memory)))
    }

    /// Starts a proxy, runs a scenario with so many connections, and says what memory it held.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds from the command line, in nanoseconds"
    )]
    fn run_once(
        &self,
        scenario: &Scenario,
        connections: usize,
        proxy: Proxy,
    ) -> Result<Option<(Outcome, u64)>, String> {
        let origin = self.field.origin;
        let started = proxy.start(
            scenario.mode,
            (&self.folder, &self.identity),
            origin,
            self.processors.proxy,
        )?;
        let Some(running) = started else {
            return Ok(None);
        };
        let processes = running.process.tree();
        let outcome = self.field.run(Order {
            scenario: Scenario {
                connections,
                ..scenario.clone()
            },
            target: running.address,
            tls: (scenario.mode == Mode::Tls).then(|| self.identity.client.clone()),
            processes: processes.clone(),
            warm_up: (self.options.warm_up * 1e9) as u64,
            length: (self.options.seconds * 1e9) as u64,
        })?;
        let memory = process::memory(&processes);
        self.field.release();
        drop(running);
        Ok(Some((outcome, memory)))
    }

    fn write(&self, head: &str, all: &[Vec<Row>], end: &str) -> std::io::Result<()> {
        let mut text = head.to_owned();
        for rows in all {
            let _ = write!(text, "\n## {}", report::table(rows));
        }
        let _ = write!(text, "\n## In short\n\n{end}\n");
        let is_busy = |rows: &&Vec<Row>| {
            let first = rows.first();
            first.is_some_and(|row| {
                row.scenario.kind != Kind::Idle && !row.scenario.name.starts_with(scenario::GROWTH)
            })
        };
        let busy: Vec<Vec<Row>> = all.iter().filter(is_busy).cloned().collect();
        let mut pictures = vec![
            ("cost.svg", Some(plot::bars(&busy, &report::COST))),
            ("rate.svg", Some(plot::bars(&busy, &report::RATE))),
            ("growth-cost.svg", plot::growth(all, &report::COST)),
            ("growth-memory.svg", plot::growth(all, &report::MEMORY)),
        ];
        let idle = |rows: &&Vec<Row>| rows.iter().any(|row| row.scenario.kind == Kind::Idle);
        let idle: Vec<Vec<Row>> = all.iter().filter(idle).cloned().collect();
        if !idle.is_empty() {
            pictures.push(("idle.svg", Some(plot::bars(&idle, &report::PER_CONNECTION))));
        }
        for (name, picture) in pictures {
            if let Some(picture) = picture {
                fs::write(self.folder.join(name), picture)?;
                let _ = writeln!(text, "![{name}]({name})");
            }
        }
        fs::write(self.folder.join("report.md"), text)
    }
}
