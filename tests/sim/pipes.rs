//! Pipes of the program under test: what `splice(2)` may do, and no more.
//!
//! A pipe holds a number of pieces, not of bytes, so one that is full of small ones leaves the
//! rest in the socket, without an edge that would tell of it.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::io;

use tidegate::base::Pipe;
use tidegate::base::Socket;
use tidegate::base::arena::Arena;
use tidegate::base::random::Random;

use crate::faults::Fault;
use crate::net::Net;

/// Where the program's lines go: what was taken, and how many lines there was no room for.
#[derive(Debug)]
pub(crate) struct Paper {
    pub(crate) text: Vec<u8>,
    pub(crate) lost: u64,
    /// How often it is full, per mille.
    pub(crate) full: u64,
    /// Dice of its own: lines are nothing that the world would notice.
    random: Random,
}

impl Paper {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            text: Vec::new(),
            lost: 0,
            full: 0,
            random: Random::new(seed ^ 0x9a9e),
        }
    }

    /// Takes whole lines, or all but the last of them, or none.
    pub(crate) fn take(&mut self, lines: &[u8]) {
        assert!(lines.ends_with(b"\n"), "only whole lines are handed over");
        let full = self.full > 0 && self.random.permille(self.full);
        let mut room = match full {
            false => u64::MAX,
            true => self.random.below(3),
        };
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if room > 0 {
                self.text.extend_from_slice(line);
                room -= 1;
            } else {
                self.lost += 1;
            }
        }
    }
}

/// All pipes of the program under test.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    open: Arena<Vec<u8>>,
    moved: u64,
}

impl Pipes {
    /// Bytes that came out of pipes so far.
    pub(crate) const fn moved(&self) -> u64 {
        self.moved
    }

    pub(crate) fn open(&mut self, net: &mut Net) -> io::Result<Pipe> {
        if net.faults.strikes(Fault::PipesExhausted) {
            return Err(io::Error::from_raw_os_error(24));
        }
        Ok(Pipe(self.open.insert(Vec::new())))
    }

    pub(crate) fn fill(
        &mut self,
        net: &mut Net,
        from: Socket,
        pipe: Pipe,
        most: usize,
    ) -> io::Result<usize> {
        let held = self.open.get_mut(pipe.0).ok_or(io::ErrorKind::NotFound)?;
        assert!(held.is_empty(), "a pipe that is not empty is filled");
        assert!(most > 0, "nothing is asked for");
        let mut most = most.min(CAPACITY);
        if net.faults.strikes(Fault::ShortFill) {
            most = net.faults.size(most);
        }
        held.resize(most, 0);
        let result = net.read(from, held);
        held.truncate(result.as_ref().map_or(0, |count| *count));
        result
    }

    pub(crate) fn pour(
        &mut self,
        net: &mut Net,
        pipe: Pipe,
        to: Socket,
        most: usize,
    ) -> io::Result<usize> {
        let held = self.open.get_mut(pipe.0).ok_or(io::ErrorKind::NotFound)?;
        assert!(
            (1..=held.len()).contains(&most),
            "more is asked for than the pipe holds"
        );
        let mut most = most;
        if net.faults.strikes(Fault::ShortPour) {
            most = net.faults.size(most);
        }
        let count = net.write(to, &held[..most])?;
        held.drain(..count);
        self.moved += count as u64;
        Ok(count)
    }

    pub(crate) fn burst(&mut self, pipe: Pipe) {
        assert!(
            self.open.remove(pipe.0).is_some(),
            "a pipe is closed that is not open"
        );
    }
}

/// Bytes that a pipe of the usual size holds in full pages.
const CAPACITY: usize = 64 * 1024;
