//! The text format of Prometheus itself: families, labels, samples. What is told in it is
//! [`super`]'s business alone.

use std::fmt::Display;
use std::fmt::Write;

use crate::base::time::Span;
use crate::tally::Histogram;

/// The text as it grows.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) text: String,
    name: &'static str,
    /// Labels of what is being told of, as they are written.
    subject: String,
}

impl Page {
    /// A family begins, about nothing in particular.
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.subject.clear();
        self.text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// What is told from here on is about that.
    pub(super) fn about(&mut self, labels: &[(&str, &dyn Display)]) {
        self.subject.clear();
        for (at, (label, word)) in labels.iter().enumerate() {
            if at > 0 {
                self.subject.push(',');
            }
            self.subject += label;
            self.subject += "=\"";
            let start = self.subject.len();
            // Writing to a String cannot fail.
            let _ = write!(self.subject, "{word}");
            escape(&mut self.subject, start);
            self.subject.push('"');
        }
    }

    /// A family of one sample.
    pub(super) fn single(
        &mut self,
        name: &'static str,
        kind: &str,
        help: &str,
        value: &dyn Display,
    ) {
        self.family(name, kind, help);
        self.plain(value);
    }

    /// A sample with labels of its own.
    pub(super) fn line(&mut self, labels: &[(&str, &dyn Display)], value: &dyn Display) {
        self.about(labels);
        self.plain(value);
    }

    /// A sample of what is told of.
    pub(super) fn plain(&mut self, value: &dyn Display) {
        self.sample("", None, value);
    }

    /// A sample of a part of what is told of; `word` is one of ours, which needs no escapes.
    pub(super) fn split(&mut self, label: &str, word: &str, value: &dyn Display) {
        self.sample("", Some((label, word)), value);
    }

    pub(super) fn histogram(&mut self, histogram: &Histogram) {
        for (bound, count) in histogram.cumulated() {
            self.sample("_bucket", Some(("le", &seconds(bound))), &count);
        }
        self.sample("_bucket", Some(("le", "+Inf")), &histogram.count());
        self.sum_and_count(histogram.sum(), histogram.count());
    }

    pub(super) fn sum_and_count(&mut self, sum: Span, count: u64) {
        self.sample("_sum", None, &seconds(sum));
        self.sample("_count", None, &count);
    }

    fn sample(&mut self, suffix: &str, more: Option<(&str, &str)>, value: &dyn Display) {
        let Self {
            text,
            name,
            subject,
        } = self;
        *text += name;
        *text += suffix;
        let comma = if subject.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = match more {
            Some((label, word)) => writeln!(text, "{{{subject}{comma}{label}=\"{word}\"}} {value}"),
            None if subject.is_empty() => writeln!(text, " {value}"),
            None => writeln!(text, "{{{subject}}} {value}"),
        };
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

/// Name, type and meaning of what follows.
pub(super) type Family = (&'static str, &'static str, &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_seconds_are_written_in_the_one_form_that_is_read() {
        let mut page = Page::default();
        page.family("a_total", "counter", "A.");
        page.plain(&0);
        page.split("z", "w", &1);
        page.line(&[("x", &"q\"b\\\n\nü"), ("y", &1)], &2);
        page.split("z", "w", &3);
        let text = "# HELP a_total A.\n# TYPE a_total counter\n\
                    a_total 0\na_total{z=\"w\"} 1\n\
                    a_total{x=\"q\\\"b\\\\\\n\\nü\",y=\"1\"} 2\n\
                    a_total{x=\"q\\\"b\\\\\\n\\nü\",y=\"1\",z=\"w\"} 3\n";
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
