//! What was done, as a number to compare, a few lines to read and tallies to budget with.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::fmt;
use std::fmt::Write as _;
use std::io;

use tidegate::base::Socket;
use tidegate::base::time::Moment;

/// A verb of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verb {
    Wait,
    Listen,
    Accept,
    Connect,
    Established,
    Read,
    Write,
    Finish,
    Close,
    Abort,
    Resolve,
}

impl Verb {
    const COUNT: usize = Self::Resolve as usize + 1;

    /// What the verb costs on Linux when it succeeds or fails (see `src/os/mod.rs`).
    const fn system_calls(self, result: i64) -> u64 {
        match self {
            Self::Accept if result >= 0 => 2,
            Self::Connect => 4,
            Self::Established | Self::Abort => 2,
            Self::Listen => 5,
            Self::Resolve => 0,
            Self::Wait | Self::Accept | Self::Read | Self::Write | Self::Finish | Self::Close => 1,
        }
    }
}

/// One verb that was called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: Moment,
    /// 0 is the program under test, 1 the test itself, the others are actors.
    pub(crate) party: u32,
    pub(crate) verb: Verb,
    pub(crate) socket: u64,
    /// A count, or an error number below zero.
    pub(crate) result: i64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            party,
            verb,
            socket,
            result,
        } = self;
        let (index, generation) = (socket & 0xffff_ffff, socket >> 32);
        write!(
            f,
            "{:>14} ns party {party} {verb:?} {index}#{generation} -> {result}",
            at.0
        )
    }
}

/// Hash, ring and tallies.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: u64,
    steps: u64,
    ring: [Option<Step>; 40],
    calls: [u64; Verb::COUNT],
    system_calls: u64,
    deeds: u64,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            steps: 0,
            ring: [None; 40],
            calls: [0; Verb::COUNT],
            system_calls: 0,
            deeds: 0,
        }
    }

    /// Notes a verb.
    pub(crate) fn record(&mut self, step: Step) {
        self.mix(step.at.0);
        self.mix(step.socket);
        self.mix(u64::from(step.party) << 8 | step.verb as u64);
        self.mix(step.result.cast_unsigned());
        self.ring[(self.steps % 40) as usize] = Some(step);
        self.steps += 1;
        if step.party == 0 {
            self.calls[step.verb as usize] += 1;
            self.system_calls += step.verb.system_calls(step.result);
            // Who reads the end of a stream once has other things to do as well; who does it again
            // and again does nothing.
            let nothing = step.verb == Verb::Read && step.result == 0;
            let deed = step.verb != Verb::Wait && step.result != -11 && !nothing;
            self.deeds += u64::from(deed);
        }
    }

    /// FNV-1a, by words.
    pub(crate) const fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    /// Equal for equal histories.
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Verbs called so far, by everybody.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// How often the program under test called `verb`.
    pub(crate) const fn calls(&self, verb: Verb) -> u64 {
        self.calls[verb as usize]
    }

    /// How many system calls the verbs of the program under test would have cost on Linux.
    pub(crate) const fn system_calls(&self) -> u64 {
        self.system_calls
    }

    /// How many verbs of the program under test did something: neither waited nor were blocked,
    /// nor found the end of a stream.
    pub(crate) const fn deeds(&self) -> u64 {
        self.deeds
    }

    /// The last 40 verbs, oldest first.
    pub(crate) fn tail(&self) -> String {
        let mut text = String::new();
        for offset in 0..40 {
            if let Some(step) = self.ring[((self.steps + offset) % 40) as usize] {
                let _ = writeln!(text, "{step}");
            }
        }
        text
    }
}

/// The number of a socket, for a step.
pub(crate) fn number(socket: Socket) -> u64 {
    socket.0.pack()
}

/// An error as a step has it: its number, or 2 (`ENOENT`) for `NotFound`, 11 for `WouldBlock`.
pub(crate) fn minus(error: &io::Error) -> i64 {
    let blocked = error.kind() == io::ErrorKind::WouldBlock;
    let number = error.raw_os_error().unwrap_or(if blocked { 11 } else { 2 });
    -i64::from(number)
}
