//! Pipes as things: those of a session, and the stock of a loop.

use super::kernel::Kernel;
use crate::base::Pipe;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::limits;

/// The pipes of a session, by the side that the bytes come from.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) held: [Option<Held>; 2],
    /// There was none to be had once: this session copies.
    pub(super) denied: bool,
}

/// A pipe and how many bytes are in it, by the engine's own count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) pipe: Pipe,
    pub(super) count: usize,
}

/// The pipes of a loop.
#[derive(Debug)]
pub(super) struct Stock {
    spare: Vec<Pipe>,
    lent: usize,
    lent_max: usize,
}

impl Stock {
    /// For a loop that takes in so many clients.
    pub(super) fn new(clients: usize) -> Self {
        Self {
            spare: Vec::new(),
            lent: 0,
            lent_max: (clients / limits::CLIENTS_PER_PIPE).clamp(1, limits::PIPES_MAX),
        }
    }

    /// Whether descriptors are held that nobody uses.
    pub(super) const fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// How many are in use.
    pub(super) const fn lent(&self) -> usize {
        self.lent
    }

    /// An empty one, if there is one to be had.
    pub(super) fn take(&mut self, kernel: &mut dyn Kernel) -> Option<Pipe> {
        if self.lent >= self.lent_max {
            return None;
        }
        let pipe = self.spare.pop().or_else(|| kernel.pipe().ok())?;
        self.lent += 1;
        Some(pipe)
    }

    /// Takes one back. What holds bytes is closed: they must not come out for somebody else.
    pub(super) fn give(&mut self, held: Held, kernel: &mut dyn Kernel) {
        self.lent -= 1;
        let empty = held.count == 0 || planted(Bug::PipeKeepsBytes);
        if empty && self.spare.len() < limits::PIPES_SPARE_MAX {
            self.spare.push(held.pipe);
        } else {
            kernel.burst(held.pipe);
        }
    }

    /// Gives the descriptors of all spare pipes back: somebody needs them more.
    pub(super) fn clear(&mut self, kernel: &mut dyn Kernel) {
        for pipe in self.spare.drain(..) {
            kernel.burst(pipe);
        }
    }
}
