//! The text format of Prometheus itself: families, labels, samples. What is told in it is
//! [`super`]'s business alone.

use std::fmt::Display;
use std::fmt::Write;

use crate::admin::report::Backend;
use crate::admin::report::Pool;
use crate::admin::report::Report;
use crate::base::time::Span;
use crate::tally::Histogram;

/// The text as it grows.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) text: String,
    name: &'static str,
}

impl Page {
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    pub(super) fn single(
        &mut self,
        name: &'static str,
        kind: &str,
        help: &str,
        value: &dyn Display,
    ) {
        self.family(name, kind, help);
        self.line(&[], value);
    }

    pub(super) fn line(&mut self, labels: &[(&str, &dyn Display)], value: &dyn Display) {
        self.sample("", labels, value);
    }

    pub(super) fn per_backend(
        &mut self,
        report: &Report,
        family: Family,
        value: fn(&Backend) -> u64,
    ) {
        let (name, kind, help) = family;
        self.family(name, kind, help);
        for (pool, one) in all(report) {
            self.line(&[("pool", &pool.name), ("backend", &one.id)], &value(one));
        }
    }

    pub(super) fn split(
        &mut self,
        report: &Report,
        family: Family,
        label: &str,
        values: impl Fn(&Backend) -> Vec<(&'static str, u64)>,
    ) {
        let (name, kind, help) = family;
        self.family(name, kind, help);
        for (pool, one) in all(report) {
            for (word, value) in values(one) {
                let labels: [(&str, &dyn Display); 3] =
                    [("pool", &pool.name), ("backend", &one.id), (label, &word)];
                self.line(&labels, &value);
            }
        }
    }

    pub(super) fn histogram(&mut self, labels: &[(&str, &dyn Display)], histogram: &Histogram) {
        for (bound, count) in histogram.cumulated() {
            let bound = seconds(bound);
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample("_bucket", &labels, &count);
        }
        let mut beyond = labels.to_vec();
        beyond.push(("le", &"+Inf"));
        self.sample("_bucket", &beyond, &histogram.count());
        self.sum_and_count(labels, histogram.sum(), histogram.count());
    }

    pub(super) fn sum_and_count(&mut self, labels: &[(&str, &dyn Display)], sum: Span, count: u64) {
        self.sample("_sum", labels, &seconds(sum));
        self.sample("_count", labels, &count);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &dyn Display)], value: &dyn Display) {
        self.text += self.name;
        self.text += suffix;
        for (at, (label, word)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text += label;
            self.text += "=\"";
            let start = self.text.len();
            // As below.
            let _ = write!(self.text, "{word}");
            escape(&mut self.text, start);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, " {value}");
    }
}

/// Writes what stands from there on so that it can stand between quotes. Pages have a label for
/// every few bytes, and hardly any needs this: nothing is copied to find that out.
fn escape(text: &mut String, start: usize) {
    let is_plain = |byte: &u8| !matches!(byte, b'\\' | b'"' | b'\n');
    let word = text.as_bytes().get(start..).unwrap_or_default();
    if word.iter().all(is_plain) {
        return;
    }
    let word = text.split_off(start);
    let word = word.replace('\\', "\\\\").replace('"', "\\\"");
    *text += &word.replace('\n', "\\n");
}

/// Seconds, exactly, as decimal digits without an exponent.
pub(super) fn seconds(span: Span) -> String {
    let (whole, rest) = (span.0 / 1_000_000_000, span.0 % 1_000_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{rest:09}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// All servers of all pools.
pub(super) fn all(report: &Report) -> impl Iterator<Item = (&Pool, &Backend)> {
    let of = |pool| -> Vec<(&Pool, &Backend)> {
        let pool: &Pool = pool;
        pool.backends.iter().map(|one| (pool, one)).collect()
    };
    report.pools.iter().flat_map(of)
}

/// Name, type and meaning of what follows.
pub(super) type Family = (&'static str, &'static str, &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_seconds_are_written_in_the_one_form_that_is_read() {
        let mut page = Page::default();
        page.family("a_total", "counter", "A.");
        page.line(&[("x", &"q\"b\\n\nü"), ("y", &1)], &2);
        let text = "# HELP a_total A.\n# TYPE a_total counter\n\
                    a_total{x=\"q\\\"b\\\\n\\nü\",y=\"1\"} 2\n";
        assert_eq!(page.text, text);
        for (span, text) in [
            (Span(1), "0.000000001"),
            (Span(2_500_000), "0.0025"),
            (Span::seconds(10), "10"),
        ] {
            assert_eq!(seconds(span), text);
        }
    }
}
