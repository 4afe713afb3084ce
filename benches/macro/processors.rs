//! Which part runs on which processor: the proxy is never disturbed by who measures it.

use rustix::thread::CpuSet;
use rustix::thread::sched_getaffinity;
use rustix::thread::sched_setaffinity;

/// One processor for each part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors {
    pub(crate) proxy: usize,
    pub(crate) load: usize,
    pub(crate) origin: usize,
}

impl Processors {
    /// Spreads the parts over the processors that this process may use.
    pub(crate) fn spread() -> Self {
        let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|at| set.is_set(*at)).collect();
        // The first one is where a machine does its chores.
        let at = |wanted: usize| usable.get(wanted.min(usable.len().saturating_sub(1)));
        let at = |wanted| at(wanted).copied().unwrap_or(0);
        if usable.len() > 3 {
            return Self {
                proxy: at(1),
                load: at(2),
                origin: at(3),
            };
        }
        Self {
            proxy: at(1),
            load: at(0),
            origin: if usable.len() > 2 { at(2) } else { at(0) },
        }
    }
}

/// Binds this thread, and the processes that it starts from now on.
pub(crate) fn bind(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    if let Err(error) = sched_setaffinity(None, &set) {
        println!("cannot use processor {processor} alone: {error}");
    }
}
