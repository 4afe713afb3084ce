//! What is wrong with a configuration file, and where.

use std::ops::Range;

use super::super::text::Complaint;

/// What is wrong with a configuration file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    at: usize,
    message: String,
}

impl Flaw {
    /// A flaw that begins at this byte of the file.
    #[must_use]
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }

    /// `file:line:column: message`, and below it the line with a mark under the place. Columns
    /// count characters from 1.
    #[must_use]
    pub fn show(&self, file: &str, text: &str) -> String {
        let at = (0..=self.at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        let (before, after) = text.split_at(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let lead = &text[start..at];
        let column = lead.chars().count() + 1;
        let rest = after.split(['\n', '\r']).next().unwrap_or_default();
        let message = self.message.replace('\n', "; ");
        let first = format!("{file}:{line}:{column}: {message}");
        if lead.len() + rest.len() > LINE_MAX || (lead.is_empty() && rest.is_empty()) {
            return first;
        }
        let shown = |c: char| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        };
        let source: String = lead.chars().chain(rest.chars()).map(shown).collect();
        let mark: String = lead
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        format!("{first}\n  {source}\n  {mark}^")
    }
}

/// The flaw that a complaint about a value is.
pub(super) fn complaint(at: &Range<usize>, complaint: &Complaint) -> Flaw {
    Flaw::new(at.start, complaint.to_string())
}

/// Longer lines are not shown.
const LINE_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown() {
        let text = "a = 1\n\tbü = \"x\"\nlast";
        let show = |at| Flaw::new(at, "no").show("f", text);
        assert_eq!(show(0), "f:1:1: no\n  a = 1\n  ^");
        assert_eq!(show(13), "f:2:7: no\n  \tbü = \"x\"\n  \t     ^");
        assert_eq!(
            show(9),
            "f:2:3: no\n  \tbü = \"x\"\n  \t ^",
            "inside of a letter"
        );
        assert_eq!(show(999), "f:3:5: no\n  last\n      ^");
        assert_eq!(Flaw::new(9, "no").show("f", ""), "f:1:1: no");
        assert_eq!(
            Flaw::new(0, "no\nway").show("f", "\u{1b}[2J\r\n"),
            "f:1:1: no; way\n  \u{fffd}[2J\n  ^"
        );
        assert_eq!(Flaw::new(0, "no").show("f", &"x".repeat(500)), "f:1:1: no");
    }
}
