//! The log: lines on stderr for people, `12:34:56.789 [INFO ] words`. Times are UTC: they compare
//! with those of other machines, and the local offset cannot be read safely with threads running.

use std::io;

use simplelog::ConfigBuilder;
use simplelog::LevelFilter;
use simplelog::LevelPadding;
use simplelog::WriteLogger;
use time::macros::format_description;

use crate::config::LogLevel;
use crate::os::Scribe;

/// What a configuration calls it.
pub(super) const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}

/// What a configuration would call it; the gravest for silence, which it has no word for.
pub(super) const fn word(level: LevelFilter) -> LogLevel {
    match level {
        LevelFilter::Off | LevelFilter::Error => LogLevel::Error,
        LevelFilter::Warn => LogLevel::Warn,
        LevelFilter::Info => LogLevel::Info,
        LevelFilter::Debug => LogLevel::Debug,
        LevelFilter::Trace => LogLevel::Trace,
    }
}

/// The log, as long as somebody holds it; then what was said is written, and nothing after that.
#[must_use]
#[derive(Debug)]
pub(super) struct Log(Option<Scribe>);

impl Drop for Log {
    fn drop(&mut self) {
        // A reader who does not read does not keep the program from ending.
        let _ = self.0.take().is_none_or(Scribe::close);
    }
}

/// Starts logging, once in the life of the process; again has no effect. A thread writes: a reader
/// who does not read keeps no event loop waiting.
pub(super) fn start(level: LevelFilter) -> Log {
    let config = ConfigBuilder::new()
        .set_time_format_custom(format_description!(
            "[hour]:[minute]:[second].[subsecond digits:3]"
        ))
        .set_level_padding(LevelPadding::Right)
        .set_target_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .add_filter_allow_str("tidegate")
        .build();
    let scribe = Scribe::for_people().ok();
    // The logger writes a line in five pieces; gathered, it costs one system call and cannot be
    // torn apart by what others write. The only error is that somebody was faster, and then there
    // is a log.
    let _ = match &scribe {
        Some(scribe) => {
            let lines = io::LineWriter::new(scribe.pen());
            WriteLogger::init(LevelFilter::Trace, config, lines)
        }
        None => {
            let lines = io::LineWriter::new(io::stderr());
            WriteLogger::init(LevelFilter::Trace, config, lines)
        }
    };
    // The facade filters, and may be told otherwise while the program runs.
    log::set_max_level(level);
    Log(scribe)
}
