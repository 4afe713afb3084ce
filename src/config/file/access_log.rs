//! `[access_log]`.

use super::flaw::Flaw;
use super::node::Node;
use super::schema;
use crate::config::AccessLog;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Only;
use crate::config::text;

/// The whole section.
pub(super) fn read(node: Node<'_>) -> Result<AccessLog, Flaw> {
    let section = node.section(schema::ACCESS_LOG)?;
    let mut log = AccessLog::default();
    section.set("format", &mut log.format, |node| {
        node.choice(&LogFormat::ALL, LogFormat::name)
    })?;
    section.set("path", &mut log.path, |node| {
        match node.text("/var/log/tidegate.log")? {
            text if text.is_empty() => Err(node.flaw("an empty path; write a file, or \"-\"")),
            text => Ok(LogPath::of(&text)),
        }
    })?;
    section.set("only", &mut log.only, |node| {
        node.choice(&Only::ALL, Only::name)
    })?;
    section.set("slow", &mut log.slow, Node::duration)?;
    section.set("sample", &mut log.sample, |node| {
        node.parsed("10%", text::share)
    })?;
    Ok(log)
}
