//! A place in a file the way people and editors know it, and what is said of it. Made from a flaw
//! or by whoever knows a byte of the file; kept by those who may have to complain about it later.

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    place: String,
    excerpt: String,
}

impl Spot {
    /// That byte of `text`, which is all of `file`.
    #[must_use]
    pub fn new(at: usize, file: &str, text: &str) -> Self {
        let at = (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        let (before, after) = text.split_at(at);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let lead = &text[start..at];
        let column = lead.chars().count() + 1;
        let rest = after.split(['\n', '\r']).next().unwrap_or_default();
        let place = format!("{file}:{line}:{column}");
        let excerpt = excerpt(lead, rest);
        Self { place, excerpt }
    }

    /// `file:line:column`; columns count characters from 1.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// `file:line:column: message`, and below it the line with a mark under the place.
    #[must_use]
    pub fn say(&self, message: &str) -> String {
        let message = message.replace('\n', "; ");
        format!("{}: {message}{}", self.place, self.excerpt)
    }
}

/// The line and the mark; nothing if the line is empty, or too long to be looked at.
fn excerpt(lead: &str, rest: &str) -> String {
    if lead.len() + rest.len() > LINE_MAX || (lead.is_empty() && rest.is_empty()) {
        return String::new();
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
    format!("\n  {source}\n  {mark}^")
}

/// Longer lines are not shown.
const LINE_MAX: usize = 160;
