//! What every sub-command needs of the operating system.

use super::exit::Failure;
use crate::os::Errand;
use crate::os::MioKernel;

/// A kernel.
pub(super) fn kernel() -> Result<MioKernel, Failure> {
    MioKernel::new().map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n)";
        Failure::run_time(&format!("cannot wait for events: {error}; {advice}"))
    })
}

/// A kernel that takes signals as news.
pub(super) fn kernel_with_signals() -> Result<MioKernel, Failure> {
    let mut kernel = kernel()?;
    kernel.watch_signals().map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n)";
        Failure::run_time(&format!("cannot catch signals: {error}; {advice}"))
    })?;
    Ok(kernel)
}

/// A kernel that takes signals as news, and reads the configuration anew when it is asked to, if
/// there is a file of it.
pub(super) fn kernel_with_file(read: Option<Errand>) -> Result<MioKernel, Failure> {
    let mut kernel = kernel_with_signals()?;
    kernel.watch_file(read).map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n)";
        Failure::run_time(&format!("cannot catch signals: {error}; {advice}"))
    })?;
    Ok(kernel)
}

/// Raises the limit on descriptors as far as it goes; answers how many there may be.
pub(super) fn descriptors() -> u64 {
    crate::os::raise_descriptor_limit().unwrap_or_else(|error| {
        log::warn!("the limit on open files stays what it is: {error}");
        u64::MAX
    })
}
