//! What is wrong with a configuration file, and where.

use std::ops::Range;

use super::super::text::Complaint;
use super::spot::Spot;

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
        Spot::new(self.at, file, text).say(&self.message)
    }
}

/// The flaw that a complaint about a value is.
pub(super) fn complaint(at: &Range<usize>, complaint: &Complaint) -> Flaw {
    Flaw::new(at.start, complaint.to_string())
}

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
