//! From what was measured to what is said of it: medians with their spread, a table for the
//! terminal, the same in Markdown, and where tidegate loses.

use std::fmt::Write;

use crate::load::Outcome;
use crate::proxy::Proxy;
use crate::scenario::Kind;
use crate::scenario::Scenario;

/// What one run of one proxy came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Microseconds of processor time for a request.
    pub(crate) cost: f64,
    /// Share of the proxy's processor that was used, in per cent.
    pub(crate) busy: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// KiB after the run; for idle connections, bytes for each of them.
    pub(crate) memory: f64,
    pub(crate) errors: u64,
    pub(crate) complaint: Option<String>,
}

/// All runs of one proxy in one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) proxy: Proxy,
    pub(crate) samples: Vec<Sample>,
}

/// A median, and how far the runs lay apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// What is compared: its name and unit, whether more is better, and where it is found.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) more_is_better: bool,
    of: fn(&Sample) -> f64,
}

pub(crate) const RATE: Metric = Metric {
    name: "requests/s",
    more_is_better: true,
    of: |sample| sample.rate,
};
pub(crate) const COST: Metric = Metric {
    name: "CPU µs/request",
    more_is_better: false,
    of: |sample| sample.cost,
};
const P50: Metric = Metric {
    name: "p50 µs",
    more_is_better: false,
    of: |sample| sample.p50,
};
const P99: Metric = Metric {
    name: "p99 µs",
    more_is_better: false,
    of: |sample| sample.p99,
};
const P999: Metric = Metric {
    name: "p999 µs",
    more_is_better: false,
    of: |sample| sample.p999,
};
pub(crate) const MEMORY: Metric = Metric {
    name: "memory KiB",
    more_is_better: false,
    of: |sample| sample.memory,
};
pub(crate) const PER_CONNECTION: Metric = Metric {
    name: "bytes per idle connection",
    more_is_better: false,
    of: |sample| sample.memory,
};
const BUSY: Metric = Metric {
    name: "busy %",
    more_is_better: true,
    of: |sample| sample.busy,
};

impl Sample {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and times of a few seconds"
    )]
    pub(crate) fn new(outcome: &Outcome, memory: u64) -> Self {
        let answered = outcome.answered.max(1) as f64;
        let elapsed = outcome.elapsed.max(1) as f64;
        let micros = |share| outcome.latency.percentile(share) as f64 / 1e3;
        Self {
            rate: outcome.answered as f64 / elapsed * 1e9,
            cost: outcome.processor as f64 / answered / 1e3,
            busy: outcome.processor as f64 / elapsed * 100.0,
            p50: micros(0.5),
            p99: micros(0.99),
            p999: micros(0.999),
            memory: memory as f64 / 1024.0,
            errors: outcome.errors,
            complaint: outcome.complaint.clone(),
        }
    }
}

impl Row {
    pub(crate) fn figure(&self, metric: &Metric) -> Figure {
        let mut values: Vec<f64> = self.samples.iter().map(metric.of).collect();
        values.sort_by(f64::total_cmp);
        let Some((least, most)) = values.first().zip(values.last()) else {
            return Figure::default();
        };
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Figure {
            median,
            least: *least,
            most: *most,
        }
    }

    pub(crate) fn errors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.errors).sum()
    }

    fn metrics(&self) -> &'static [&'static Metric] {
        match self.scenario.kind {
            Kind::Idle => &[&PER_CONNECTION],
            // How many requests come is not the proxy's doing.
            Kind::Paced(_) => &[&COST, &P50, &P99, &P999, &MEMORY],
            Kind::Closed | Kind::Fresh => &[&RATE, &COST, &P50, &P99, &P999, &MEMORY],
        }
    }
}

/// The rows of one scenario as a table, in Markdown, which reads well in a terminal too.
pub(crate) fn table(rows: &[Row]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut shown: Vec<&Metric> = first.metrics().to_vec();
    if first.scenario.kind != Kind::Idle {
        shown.push(&BUSY);
    }
    let mut head = vec!["proxy".to_owned()];
    for metric in &shown {
        head.push(metric.name.to_owned());
    }
    head.push("errors".to_owned());
    lines.push(head);
    for row in rows {
        let mut line = vec![row.proxy.name().to_owned()];
        for metric in &shown {
            line.push(row.figure(metric).text());
        }
        line.push(row.errors().to_string());
        lines.push(line);
    }
    let mut text = format!("{}: {}\n\n", first.scenario.name, first.scenario.about);
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    for (at, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if at == 0 {
            for width in &widths {
                let _ = write!(text, "|{:-<1$}", "", width + 2);
            }
            text.push_str("|\n");
        }
    }
    for row in rows {
        let mut complaints = row
            .samples
            .iter()
            .filter_map(|sample| sample.complaint.as_ref());
        if let Some(complaint) = complaints.next() {
            let _ = writeln!(text, "\n{}: first error: {complaint}", row.proxy.name());
        }
    }
    text
}

/// Where another proxy is better than tidegate, and where it cannot be told, in plain words.
pub(crate) fn losses(all: &[Vec<Row>]) -> String {
    let (mut lost, mut close, mut won) = (Vec::new(), Vec::new(), 0);
    for rows in all {
        let own = rows.iter().find(|row| row.proxy == Proxy::Tidegate);
        let Some(own) = own else { continue };
        if own.errors() > 0 {
            let line = format!("{}: {} errors", own.scenario.name, own.errors());
            lost.push(line);
        }
        for metric in own.metrics() {
            let others = rows.iter().filter(|row| {
                let is_rival = !matches!(
                    row.proxy,
                    Proxy::Tidegate | Proxy::Floor | Proxy::Variant(_)
                );
                is_rival && row.errors() == 0
            });
            let better = |one: f64, other: f64| (one > other) == metric.more_is_better;
            let mine = own.figure(metric);
            let mut won_all = true;
            for other in others {
                let theirs = other.figure(metric);
                if !better(theirs.median, mine.median) {
                    continue;
                }
                won_all = false;
                let line = format!(
                    "{}, {}: {} against {}'s {}",
                    own.scenario.name,
                    metric.name,
                    mine.text(),
                    other.proxy.name(),
                    theirs.text()
                );
                let overlap = mine.meets(theirs);
                if overlap { &mut close } else { &mut lost }.push(line);
            }
            won += usize::from(won_all);
        }
    }
    let mut text = String::from("Where tidegate loses (medians differ, ranges do not meet):\n\n");
    let list = |text: &mut String, lines: &[String]| {
        for line in lines {
            let _ = writeln!(text, "- {line}");
        }
        if lines.is_empty() {
            text.push_str("- nowhere\n");
        }
    };
    list(&mut text, &lost);
    text.push_str("\nWhere another's median is better, but the ranges meet:\n\n");
    list(&mut text, &close);
    let _ = writeln!(
        text,
        "\nIn {won} other comparisons nobody's median is better."
    );
    text
}

/// How far above the floor everybody is, by processor time for a request.
pub(crate) fn above_the_floor(all: &[Vec<Row>]) -> String {
    let mut text = String::from(
        "CPU per request, as a multiple of the floor's, which pools nothing: where each request \
         has a connection of its own, a proxy that keeps those to the origin can be below it.\n\n",
    );
    for rows in all {
        let floor = rows.iter().find(|row| row.proxy == Proxy::Floor);
        let Some(floor) = floor.map(|row| row.figure(&COST).median) else {
            continue;
        };
        if floor <= 0.0 {
            continue;
        }
        let others = rows.iter().filter(|row| row.proxy != Proxy::Floor);
        let ratios: Vec<String> = others
            .map(|row| {
                let ratio = row.figure(&COST).median / floor;
                format!("{} {ratio:.2}", row.proxy.name())
            })
            .collect();
        let name = rows.first().map_or("", |row| &row.scenario.name);
        let _ = writeln!(text, "- {name}: {}", ratios.join(", "));
    }
    text
}

/// What it costs to have more of tidegate than the plain one, by processor time for a request.
pub(crate) fn costs(all: &[Vec<Row>]) -> String {
    let mut lines = String::new();
    for rows in all {
        let plain = rows.iter().find(|row| row.proxy == Proxy::Tidegate);
        let plain = plain.map_or(0.0, |row| row.figure(&COST).median);
        for row in rows {
            let Proxy::Variant(variant) = row.proxy else {
                continue;
            };
            if plain > 0.0 {
                let ratio = row.figure(&COST).median / plain;
                let (name, scenario) = (variant.name(), &row.scenario.name);
                let _ = writeln!(
                    lines,
                    "- {scenario}, {name}: {ratio:.3}, {}",
                    variant.about()
                );
            }
        }
    }
    if lines.is_empty() {
        return lines;
    }
    format!("Cost of, as a multiple of plain tidegate's CPU per request:\n\n{lines}")
}

impl Figure {
    /// Whether the runs of both lie so close that they do not tell who is better. A run or two
    /// know nothing of their spread, so it is taken to be 2 % each way at least.
    fn meets(self, other: Self) -> bool {
        let least = |figure: Self| figure.least.min(figure.median * 0.98);
        let most = |figure: Self| figure.most.max(figure.median * 1.02);
        least(self) <= most(other) && least(other) <= most(self)
    }

    /// The median, and half the distance between the ends in per cent of it.
    fn text(self) -> String {
        let number = match self.median.abs() {
            size if size >= 100.0 => format!("{:.0}", self.median),
            size if size >= 10.0 => format!("{:.1}", self.median),
            _ => format!("{:.2}", self.median),
        };
        let spread = (self.most - self.least) / 2.0 / self.median.abs().max(1e-9) * 100.0;
        format!("{number} ±{spread:.0}%")
    }
}
