//! What a loop holds for the recorder and the access log: nouns, and what they decide alone.

use super::flight::Events;
use super::flight::Facts;
use super::flight::Recorder;
use super::note::Depth;
use super::note::Note;
use crate::base::random::Random;
use crate::base::spare::Spare;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::AccessLog;
use crate::config::LogFormat;
use crate::config::Only;
use crate::config::Share;
use crate::engine::kernel::Kernel;
use crate::limits;

/// The recorder and the access log of a loop.
#[derive(Debug)]
pub(in crate::engine) struct Journal {
    pub(in crate::engine) recorder: Recorder,
    pub(in crate::engine) events: Events,
    /// The program ends: what breaks now breaks for that.
    pub(in crate::engine) stopping: bool,
    pub(super) format: LogFormat,
    only: Only,
    slow: Span,
    sample: Share,
    /// Lines that the kernel has not been handed yet.
    pub(super) lines: Vec<u8>,
    /// The clock of the world when the turn began; 0 while nothing is written.
    pub(super) unix: u64,
    pub(super) random: Random,
    /// Memory for notes, to be used again.
    pub(super) spare: Spare<Box<Note>>,
    /// Lines that were lost when that was last said, and until when no more is said.
    pub(super) said: (u64, Moment),
}

impl Journal {
    /// An empty one; `seed` feeds ids and samples.
    pub(in crate::engine) fn new(log: &AccessLog, seed: u64) -> Self {
        Self {
            recorder: Recorder::default(),
            events: Events::default(),
            stopping: false,
            format: log.format,
            only: log.only,
            slow: log.slow,
            sample: log.sample,
            lines: Vec::new(),
            unix: 0,
            // Not the stream that jitter is drawn from: ids would tell of it.
            random: Random::new(seed ^ 0x6a09_e667_f3bc_c908),
            spare: Spare::new(limits::WINDOWS_SPARE_MAX),
            said: (0, Moment(0)),
        }
    }

    /// Goes by another configuration from here on. Format and path stay: their writer does.
    pub(in crate::engine) const fn adopt(&mut self, log: &AccessLog) {
        self.only = log.only;
        self.slow = log.slow;
        self.sample = log.sample;
    }

    pub(super) const fn depth(&self) -> Depth {
        match self.format {
            LogFormat::Off => Depth::Brief,
            LogFormat::Json => Depth::Whole,
            LogFormat::Common | LogFormat::Combined => Depth::Agent,
            LogFormat::Haproxy => Depth::Line,
        }
    }

    /// Whether a request with these facts gets a line.
    pub(super) fn wants(&mut self, facts: &Facts) -> bool {
        let chosen = match self.only {
            Only::All => true,
            Only::Errors => {
                facts.verdict.letters() != *b"--" || facts.tries > 1 || facts.status >= 500
            }
            Only::Slow => facts.total >= self.slow,
        };
        chosen && (self.sample == Share::ALL || self.random.permille(self.sample.thousandths()))
    }

    /// Memory that nobody has needed for a while goes.
    pub(in crate::engine) fn tidy(&mut self, now: Moment) {
        self.spare.tidy(now);
    }

    /// A note for somebody who has none.
    pub(super) fn fresh_note(&mut self) -> Box<Note> {
        self.spare.pop().unwrap_or_default()
    }

    /// A number for a request, that nobody else has.
    pub(super) const fn number(&mut self) -> u128 {
        (self.random.draw() as u128) << 64 | self.random.draw() as u128
    }

    /// A new turn begins.
    pub(in crate::engine) fn begin_turn(&mut self, kernel: &dyn Kernel) {
        if self.format != LogFormat::Off {
            self.unix = kernel.unix_time();
        }
    }

    /// True if so many lines wait that they should not wait for the end of the turn.
    pub(in crate::engine) const fn is_heavy(&self) -> bool {
        self.lines.len() >= limits::LOG_CHUNK_BYTES
    }
}
