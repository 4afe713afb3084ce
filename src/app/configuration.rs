//! From a file and the command line to the configuration that counts, and what is said of it.

use std::io;
use std::path::Path;

use super::arguments::Order;
use super::exit::Failure;
use crate::config::Config;
use crate::config::file;
use crate::config::file::Flaw;
use crate::config::file::Key;
use crate::config::text::Complaint;

/// The configuration that an order comes to.
///
/// # Errors
/// What is wrong with the file or with the line; nothing has happened then.
pub(super) fn load(order: &Order) -> Result<Config, Failure> {
    let config = match &order.file {
        Some(path) => read(path)?,
        None => Config::default(),
    };
    order
        .settings
        .over(config)
        .map_err(|complaint| Failure::usage(&complaint))
}

/// The text of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// What the user calls the file.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

impl Source {
    /// `file:line:column` of what these keys lead to, or as far as they lead; `None` if they lead
    /// nowhere: it comes from the command line, or is a default.
    pub(super) fn place(&self, path: &[Key<'_>]) -> Option<String> {
        let at = file::place(&self.text, path)?;
        let shown = Flaw::new(at, "").show(&self.name, &self.text);
        let line = shown.lines().next().unwrap_or_default();
        Some(line.trim_end_matches([':', ' ']).to_owned())
    }
}

/// The text of the file of an order, if it has one.
///
/// # Errors
/// If it cannot be read.
pub(super) fn source(order: &Order) -> Result<Option<Source>, Failure> {
    order.file.as_deref().map(text).transpose()
}

fn read(path: &Path) -> Result<Config, Failure> {
    let Source { name, text } = text(path)?;
    file::read(&text, &|name| std::env::var(name).ok())
        .map_err(|flaw| Failure::file(flaw.show(&name, &text)))
}

fn text(path: &Path) -> Result<Source, Failure> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| unreadable(&shown, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let flaw = Flaw::new(at, "this is not UTF-8; save the file in UTF-8");
        Failure::file(flaw.show(&shown, &text))
    })?;
    Ok(Source { name: shown, text })
}

fn unreadable(shown: &str, error: &io::Error) -> Failure {
    let instead = if error.kind() == io::ErrorKind::IsADirectory {
        "name a file in it"
    } else {
        "name a file that can be read"
    };
    let what = format!("no configuration ({error})");
    Failure::usage(&Complaint::new(what, shown, instead).under("--config"))
}
