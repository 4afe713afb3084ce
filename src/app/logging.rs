//! The log: lines on stderr for a person to read, with the time in UTC.

use std::io::LineWriter;

use log::LevelFilter;
use simplelog::ConfigBuilder;
use simplelog::WriteLogger;

/// Starts it. A second start changes nothing.
pub(super) fn start(level: LevelFilter) {
    let config = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .set_target_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_level_padding(simplelog::LevelPadding::Right)
        // What libraries tell of their insides is not about balancing.
        .add_filter_allow_str("tidegate")
        .build();
    // The only error is that there is a log already.
    let _ = WriteLogger::init(level, config, LineWriter::new(std::io::stderr()));
}
