//! `tidegate demo`: three origins, a balancer and clients in one process. On a script an origin
//! dies, comes back, and another turns slow; meanwhile the clients look at every byte that they
//! get, and the end says whether one of them noticed.

mod cast;
mod dashboard;
mod options;
mod screen;
mod script;

use std::io;
use std::io::IsTerminal;

use super::exit::Exit;
use super::exit::Failure;
use super::load::Figures;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::engine::BackendReport;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::News;
use crate::os::MioKernel;
use cast::Cast;
pub use options::Options;
use screen::Row;
use screen::Screen;
use screen::Status;
use script::Script;

/// Runs the demo; [`Exit::Failed`] says that a client saw an error.
///
/// # Errors
/// If a part of it cannot be started, or died.
pub(super) fn run(options: &Options) -> Result<Exit, Failure> {
    let redraws = !options.headless && io::stdout().is_terminal();
    let mut screen = Screen::new(io::stdout(), redraws);
    let mut kernel = super::process::kernel_with_signals()?;
    super::process::descriptors();
    let cast = Cast::assemble(options)?;
    screen.event(cast.dashboard());
    screen.event(&format!(
        "clients ask http://{} for {}; origins: {}; ctrl-C ends it early",
        cast.address(),
        options.length,
        cast.list()
    ));
    let mut play = Play::new(options.length, kernel.now());
    while play.scene(&mut kernel, &cast, &mut screen)? {}
    let figures = cast.dismiss()?;
    screen.summary(&play.status(&figures));
    Ok(if figures.errors == 0 && figures.answered > 0 {
        Exit::Clean
    } else {
        Exit::Failed
    })
}

/// How far the demo is, and what was seen last.
#[derive(Debug)]
struct Play {
    length: Span,
    began: Moment,
    now: Moment,
    script: Script,
    /// When the next status line is due, and what was counted at the one before.
    status_due: Moment,
    counted: Vec<u64>,
    answered: u64,
    reports: Vec<BackendReport>,
    rows: Vec<Row>,
    rate: u64,
}

impl Play {
    fn new(length: Span, now: Moment) -> Self {
        Self {
            length,
            began: now,
            now,
            script: Script::new(length),
            status_due: now + SECOND,
            counted: Vec::new(),
            answered: 0,
            reports: Vec::new(),
            rows: Vec::new(),
            rate: 0,
        }
    }

    /// A moment of the demo; false when it was the last.
    fn scene(
        &mut self,
        kernel: &mut MioKernel,
        cast: &Cast,
        screen: &mut Screen<io::Stdout>,
    ) -> Result<bool, Failure> {
        let end = self.began + self.length;
        // No socket belongs to this kernel; it is a clock that signals interrupt.
        kernel.wait(Some((self.now + SCENE).min(end)), &mut Vec::new());
        self.now = kernel.now();
        while let Some(news) = kernel.news() {
            if matches!(news, News::Stop | News::Quit) {
                screen.event("stopped early");
                return Ok(false);
            }
        }
        let elapsed = self.now.since(self.began);
        while let Some(act) = self.script.next(elapsed) {
            cast.perform(act)?;
            screen.event(&format!("{}: {}", whole_seconds(elapsed), act.words()));
        }
        self.tell_changes(cast, screen);
        let figures = cast.figures()?;
        if self.now >= self.status_due {
            self.status_due = self.status_due + SECOND;
            self.count(cast, figures.answered);
            screen.status(&self.status(&figures));
        }
        Ok(self.now < end)
    }

    /// Says which backends the balancer found to be down or up since the last look.
    fn tell_changes(&mut self, cast: &Cast, screen: &mut Screen<io::Stdout>) {
        let reports = cast.reports();
        let left = reports.iter().filter(|report| report.up).count();
        for (at, report) in reports.iter().enumerate() {
            let before = self.reports.get(at).is_none_or(|report| report.up);
            if report.up == before {
                continue;
            }
            let name = cast.name(at);
            let elapsed = whole_seconds(self.now.since(self.began));
            screen.event(&if report.up {
                format!("{elapsed}: the balancer sees that {name} is up, {left} now")
            } else {
                let reason = &report.reason;
                format!("{elapsed}: the balancer sees that {name} is down: {reason}, {left} left")
            });
        }
        self.reports = reports;
    }

    /// Takes down what happened in the last second.
    fn count(&mut self, cast: &Cast, answered: u64) {
        self.counted.resize(self.reports.len(), 0);
        self.rows.clear();
        for (at, report) in self.reports.iter().enumerate() {
            let before = self.counted.get(at).copied().unwrap_or(0);
            self.rows.push(Row {
                name: cast.name(at).to_owned(),
                state: match (report.up, report.reason.as_str()) {
                    (true, _) => "up".to_owned(),
                    (false, "") => "down".to_owned(),
                    (false, reason) => format!("down ({reason})"),
                },
                rate: report.requests.saturating_sub(before),
            });
            if let Some(count) = self.counted.get_mut(at) {
                *count = report.requests;
            }
        }
        self.rate = answered.saturating_sub(self.answered);
        self.answered = answered;
    }

    fn status(&self, figures: &Figures) -> Status {
        Status {
            elapsed: self.now.since(self.began),
            length: self.length,
            rows: self.rows.clone(),
            rate: self.rate,
            figures: figures.clone(),
        }
    }
}

fn whole_seconds(span: Span) -> String {
    format!("{:5.1}s", span.to_duration().as_secs_f64())
}

/// From one status line to the next.
const SECOND: Span = Span::seconds(1);

/// From one look at the script and the backends to the next.
const SCENE: Span = Span::millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Address;

    #[test]
    fn no_client_notices_anything() {
        let options = Options {
            length: Span::seconds(3),
            headless: true,
            admin: Some(Address::Tcp(([127, 0, 0, 1], 0).into())),
        };
        assert_eq!(run(&options), Ok(Exit::Clean));
    }
}
