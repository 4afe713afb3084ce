//! What is written of every request, and where.

use std::fmt;
use std::path::PathBuf;

use crate::base::time::Span;

/// The access log: one line for each request, and for each connection in tcp mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// How a line looks. Default: [`LogFormat::Off`].
    pub format: LogFormat,
    /// Where the lines go. Default: [`LogPath::Stdout`].
    pub path: LogPath,
    /// Which requests get one. Default: [`Only::All`].
    pub only: Only,
    /// From how long on a request counts as slow, for [`Only::Slow`]. Default: 1 s.
    pub slow: Span,
    /// Which share of them gets a line. Default: all.
    pub sample: Share,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            format: LogFormat::Off,
            path: LogPath::Stdout,
            only: Only::All,
            slow: Span::seconds(1),
            sample: Share::ALL,
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// There is none.
    #[default]
    Off,
    /// An object a line, with everything that is known.
    Json,
    /// As nginx writes it by default.
    Combined,
    /// The same without referrer and user agent.
    Common,
    /// As HAProxy writes it with `option httplog`, and `option tcplog` in tcp mode.
    Haproxy,
}

impl LogFormat {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Off,
        Self::Json,
        Self::Combined,
        Self::Common,
        Self::Haproxy,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Json => "json",
            Self::Combined => "combined",
            Self::Common => "common",
            Self::Haproxy => "haproxy",
        }
    }
}

/// Where the lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogPath {
    /// Standard output, written `-`.
    #[default]
    Stdout,
    /// A file, which is appended to.
    File(PathBuf),
}

impl LogPath {
    /// `-`, or the path of a file.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "-" => Self::Stdout,
            path => Self::File(PathBuf::from(path)),
        }
    }
}

impl fmt::Display for LogPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Which requests get a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only {
    /// Every one.
    #[default]
    All,
    /// Those that were not plainly served: an end that is not `--`, a second try, or a 5xx.
    Errors,
    /// Those that took long.
    Slow,
}

impl Only {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::All, Self::Errors, Self::Slow];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Errors => "errors",
            Self::Slow => "slow",
        }
    }
}

/// A share in thousandths, from 0 to 1000. Written in percent: `50%`, `0.1%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// The whole.
    pub const ALL: Self = Self(1000);

    /// `None` for more than the whole.
    #[must_use]
    pub const fn permille(thousandths: u16) -> Option<Self> {
        if thousandths <= 1000 {
            Some(Self(thousandths))
        } else {
            None
        }
    }

    /// In thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenth) => write!(f, "{whole}.{tenth}%"),
        }
    }
}
