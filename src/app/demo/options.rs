//! How the demo is to be, as the command line says it.

use crate::base::time::Span;
use crate::config::Address;

/// How long, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// From the first request to the last. Default: 30 s.
    pub length: Span,
    /// Plain lines even if somebody looks at a terminal. Default: false.
    pub headless: bool,
    /// Where the dashboard is. Default: 127.0.0.1:9900, or a free port if that is taken.
    pub admin: Option<Address>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            length: Span::seconds(30),
            headless: false,
            admin: None,
        }
    }
}
