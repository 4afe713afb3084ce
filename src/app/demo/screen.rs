//! What the audience sees: events as they happen, and below them, on a terminal, a few lines of
//! figures that are drawn over every second. Elsewhere every second is a line of its own.

use std::io::Write;

use super::super::load::Figures;
use crate::base::time::Span;

/// The figures of a second.
#[derive(Clone, Debug)]
pub(super) struct Status {
    /// Since the beginning.
    pub(super) elapsed: Span,
    /// From the beginning to the end.
    pub(super) length: Span,
    /// One per backend.
    pub(super) rows: Vec<Row>,
    /// Answers that clients got in the last second.
    pub(super) rate: u64,
    /// Everything that clients saw.
    pub(super) figures: Figures,
}

/// A backend in the last second.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its name.
    pub(super) name: String,
    /// `up`, or `down` and why.
    pub(super) state: String,
    /// Requests given to it in the last second.
    pub(super) rate: u64,
}

/// Where it is shown.
#[derive(Debug)]
pub(super) struct Screen<W: Write> {
    output: W,
    redraws: bool,
    /// Lines of the last status, which the next thing shown is drawn over.
    drawn: String,
}

impl<W: Write> Screen<W> {
    /// With `redraws` the output has to be a terminal.
    pub(super) const fn new(output: W, redraws: bool) -> Self {
        Self {
            output,
            redraws,
            drawn: String::new(),
        }
    }

    /// Shows something that happened.
    pub(super) fn event(&mut self, words: &str) {
        let drawn = std::mem::take(&mut self.drawn);
        let erased = erased(&drawn);
        self.show(&format!("{erased}{words}\n{drawn}"));
        self.drawn = drawn;
    }

    /// Shows the figures of a second.
    pub(super) fn status(&mut self, status: &Status) {
        if self.redraws {
            let erased = erased(&self.drawn);
            self.drawn = block(status);
            let text = format!("{erased}{}", self.drawn);
            self.show(&text);
        } else {
            self.show(&line(status));
        }
    }

    /// Shows how it ended.
    pub(super) fn summary(&mut self, status: &Status) {
        let erased = erased(&self.drawn);
        self.drawn.clear();
        self.show(&format!("{erased}{}", summary(status)));
    }

    fn show(&mut self, text: &str) {
        // The demo also runs for its exit code: it goes on when nobody looks any more.
        let _ = self.output.write_all(text.as_bytes());
        let _ = self.output.flush();
    }
}

/// Takes the cursor to the beginning of what was drawn, and clears from there (ECMA-48 CUU, ED).
fn erased(drawn: &str) -> String {
    match drawn.lines().count() {
        0 => String::new(),
        lines => format!("\x1b[{lines}A\x1b[J"),
    }
}

/// A second in one line.
fn line(status: &Status) -> String {
    let rows: Vec<String> = status
        .rows
        .iter()
        .map(|row| format!("{} {} {}/s", row.name, row.state, row.rate))
        .collect();
    format!(
        "{:5.1}s: {} | clients {}/s, {} errors\n",
        status.elapsed.to_duration().as_secs_f64(),
        rows.join(", "),
        status.rate,
        status.figures.errors
    )
}

/// A second in a few lines, none wider than 80 columns: a line that wraps could not be erased.
fn block(status: &Status) -> String {
    let (elapsed, length) = (status.elapsed.0 / SECOND, status.length.0 / SECOND);
    let figures = &status.figures;
    let mut text = format!(
        "{elapsed:4} of {length}s  {} answers, {}/s, {} errors, p50 {}, p99 {}\n",
        figures.answered,
        status.rate,
        figures.errors,
        shown(figures.latency.percentile(50)),
        shown(figures.latency.percentile(99)),
    );
    let most = status.rows.iter().map(|row| row.rate).max().unwrap_or(0);
    for row in &status.rows {
        let share = (row.rate * BAR_MAX).checked_div(most).unwrap_or(0);
        let bar = "#".repeat(usize::try_from(share).unwrap_or(0));
        let state: String = row.state.chars().take(36).collect();
        text.push_str(&format!(
            "  {} {bar:20} {:6}/s  {state}\n",
            row.name, row.rate
        ));
    }
    text
}

fn summary(status: &Status) -> String {
    let figures = &status.figures;
    let origins: Vec<String> = figures
        .origins
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let mut text = format!(
        "{:.1}s: {} answers ({}), {} errors\nlatency seen by clients: p50 {}, p99 {}, most {}\n",
        status.elapsed.to_duration().as_secs_f64(),
        figures.answered,
        origins.join(", "),
        figures.errors,
        shown(figures.latency.percentile(50)),
        shown(figures.latency.percentile(99)),
        shown(figures.latency.percentile(100)),
    );
    for complaint in &figures.complaints {
        text.push_str(&format!("  {complaint}\n"));
    }
    text.push_str(match (figures.errors, figures.answered) {
        (0, 0) => "no client got any answer\n",
        (0, _) => "no client noticed anything\n",
        _ => "clients saw errors: this is a bug, please report it\n",
    });
    text
}

/// Milliseconds with two digits after the point.
fn shown(span: Span) -> String {
    format!("{:.2}ms", span.to_duration().as_secs_f64() * 1_000.0)
}

/// Nanoseconds of a second.
const SECOND: u64 = Span::seconds(1).0;

/// Length of the bar of the busiest backend.
const BAR_MAX: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let row = |name: &str, state: &str, rate| Row {
            name: name.to_owned(),
            state: state.to_owned(),
            rate,
        };
        Status {
            elapsed: Span::seconds(12),
            length: Span::seconds(30),
            rows: vec![
                row("A", "up", 300),
                row("B", "down (L4CON connection refused)", 0),
            ],
            rate: 300,
            figures: Figures {
                answered: 4_000,
                origins: [("A".to_owned(), 3_000), ("B".to_owned(), 1_000)].into(),
                ..Figures::default()
            },
        }
    }

    fn shown_by(redraws: bool, show: impl FnOnce(&mut Screen<Vec<u8>>)) -> String {
        let mut screen = Screen::new(Vec::new(), redraws);
        show(&mut screen);
        String::from_utf8(screen.output).unwrap()
    }

    #[test]
    fn plain_output_is_lines() {
        let text = shown_by(false, |screen| {
            screen.event("hello");
            screen.status(&status());
            screen.summary(&status());
        });
        assert_eq!(
            text,
            "hello\n 12.0s: A up 300/s, B down (L4CON connection refused) 0/s | \
             clients 300/s, 0 errors\n\
             12.0s: 4000 answers (A 3000, B 1000), 0 errors\n\
             latency seen by clients: p50 0.00ms, p99 0.00ms, most 0.00ms\n\
             no client noticed anything\n"
        );
    }

    #[test]
    fn a_terminal_is_drawn_over() {
        let text = shown_by(true, |screen| {
            screen.status(&status());
            screen.event("hello");
        });
        let figures = "  12 of 30s  4000 answers, 300/s, 0 errors, p50 0.00ms, p99 0.00ms\n  \
                       A ####################    300/s  up\n  \
                       B                           0/s  down (L4CON connection refused)\n";
        assert_eq!(text, format!("{figures}\x1b[3A\x1b[Jhello\n{figures}"));
        assert!(figures.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn errors_are_not_hidden() {
        let mut bad = status();
        bad.figures.errors = 1;
        bad.figures.complaints = vec!["1-2: answered 502".to_owned()];
        let text = shown_by(false, |screen| screen.summary(&bad));
        assert!(text.contains(", 1 errors\n"), "{text}");
        assert!(text.ends_with(
            "  1-2: answered 502\nclients saw errors: this is a bug, please report it\n"
        ));
    }
}
