//! What the process takes of the machine and may take of it, and the clock of the world.

use std::fs;
use std::io;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::engine::kernel::Vitals;

/// Raises the soft limit on open descriptors to the hard one, which needs no privilege, and says
/// what it is now; `u64::MAX` stands for "no limit". The soft default of 1024 is there for
/// programs that use `select(2)`.
///
/// # Errors
/// Those of `setrlimit(2)`.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this room is where the clocks live"
)]
pub(super) fn unix_time() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// From /proc, which is memory and no disk; zeros without one.
pub(super) fn of_process() -> Vitals {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|line| {
            let second = line.split_whitespace().nth(1)?;
            second.parse::<u64>().ok()
        });
    Vitals {
        resident: pages
            .unwrap_or(0)
            .saturating_mul(rustix::param::page_size() as u64),
        // The listing itself has one open.
        descriptors: fs::read_dir("/proc/self/fd").map_or(0, |list| list.count() as u64 - 1),
    }
}
