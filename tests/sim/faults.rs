//! What can go wrong, how often it shall, and how often it did.
//!
//! Every fault is legal for a real kernel or network: readiness may be late, repeated or wrong,
//! but never lost; bytes may be late or never come, but are never reordered. Rates are per mille
//! of the occasions; a new world is calm. A fault that never fires tests nothing, so each one is
//! counted.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use tidegate::base::random::Random;

/// One way in which the world is unkind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// A write arrives in up to seven pieces, at later and later moments.
    Segmented,
    /// A write arrives up to 200 ms late.
    Delayed,
    /// A read finds only a part of what had been announced, perhaps nothing; the rest comes later.
    ShortRead,
    /// A write is taken in part although there is room; an edge follows.
    ShortWrite,
    /// A write is not taken although there is room; an edge follows.
    BlockedWrite,
    /// A connection whose directions hold 256 B to 64 KiB.
    SmallBuffers,
    /// The network breaks a connection: both ends are reset.
    Severed,
    /// The network swallows everything on a connection from here on.
    Silenced,
    /// The network swallows everything on a connection, and after 5 s to 20 s somebody gives up:
    /// the writer gets `ETIMEDOUT` or `EHOSTUNREACH`, the other end a reset.
    GivenUp,
    /// A reset destroys what its sender had written and what had not arrived yet.
    ResetOvertakes,
    /// A reset destroys what had arrived and was not read (not Linux, but RFC 9293 allows it).
    ResetPurges,
    /// A connect stands before the verb returns.
    ConnectNow,
    /// A connect takes up to 3 s.
    ConnectSlow,
    /// A connect is refused although somebody listens.
    ConnectRefused,
    /// A connect never gets a verdict.
    ConnectNever,
    /// A connect ends with `ETIMEDOUT` after 5 s.
    ConnectTimedOut,
    /// A connect fails at once with `ENETUNREACH` or `EHOSTUNREACH`.
    ConnectUnreachable,
    /// A connect ends with `EHOSTUNREACH` after 3 s: a router said so, or nobody answered ARP.
    ConnectUnrouted,
    /// A listener's queue is full: the request is dropped and repeated 1 s, 2 s, 4 s later.
    QueueOverflown,
    /// A connect fails at once with `EADDRNOTAVAIL`.
    PortsExhausted,
    /// A connect fails at once with `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`.
    ConnectExhausted,
    /// A connection is reset right after its verdict.
    ResetAtOnce,
    /// An accept fails with `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`; the connection stays.
    AcceptExhausted,
    /// An accept fails with `ECONNABORTED`; the connection is gone.
    AcceptAborted,
    /// An accept fails with `EPROTO` or an error of the network, which Linux passes on
    /// (accept(2), error handling); the connection is gone.
    AcceptBroken,
    /// A batch of events comes in any order.
    Shuffled,
    /// Readable and writable come as two events.
    Split,
    /// An event waits for a later batch.
    Postponed,
    /// An event comes twice.
    Duplicated,
    /// An event says more than is true.
    Spurious,
    /// An event for a socket that was closed meanwhile. Beyond what the contract lets `wait` do,
    /// but just what a batch looks like to a caller who closes sockets while going through it.
    Stale,
    /// A batch holds no more than four events.
    SmallBatch,
    /// Up to 0.3 ms pass before a verb looks, with whatever happens meanwhile: what no event has
    /// told of yet is true already.
    Raced,
    /// A batch comes up to 2 ms late, with whatever else has become ready: the process was not
    /// given the processor. This is how bytes and the end of the stream become one event.
    Crowded,
    /// The process is stopped for 1 s to 10 s (SIGSTOP), and the world goes on without it.
    Stopped,
    /// The clock jumps ahead by 1 s to 1 h, and nothing has happened meanwhile: the whole machine
    /// was suspended.
    Gap,
    /// A wait that nothing ends comes back up to 20 ms late.
    Overslept,
    /// A name does not resolve although it is in the table.
    ResolveFailed,
    /// There is no pipe to be had.
    PipesExhausted,
    /// A pipe is full before the socket is empty.
    ShortFill,
    /// A socket takes a part of what is in a pipe although it has room.
    ShortPour,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 41] = [
        Self::Segmented,
        Self::Delayed,
        Self::ShortRead,
        Self::ShortWrite,
        Self::BlockedWrite,
        Self::SmallBuffers,
        Self::Severed,
        Self::Silenced,
        Self::GivenUp,
        Self::ResetOvertakes,
        Self::ResetPurges,
        Self::ConnectNow,
        Self::ConnectSlow,
        Self::ConnectRefused,
        Self::ConnectNever,
        Self::ConnectTimedOut,
        Self::ConnectUnreachable,
        Self::ConnectUnrouted,
        Self::QueueOverflown,
        Self::PortsExhausted,
        Self::ConnectExhausted,
        Self::ResetAtOnce,
        Self::AcceptExhausted,
        Self::AcceptAborted,
        Self::AcceptBroken,
        Self::Shuffled,
        Self::Split,
        Self::Postponed,
        Self::Duplicated,
        Self::Spurious,
        Self::Stale,
        Self::SmallBatch,
        Self::Raced,
        Self::Crowded,
        Self::Stopped,
        Self::Gap,
        Self::Overslept,
        Self::ResolveFailed,
        Self::PipesExhausted,
        Self::ShortFill,
        Self::ShortPour,
    ];

    /// Those after which every byte still arrives and every connect succeeds: only timing and
    /// the shape of events and transfers differ.
    pub(crate) const HARMLESS: [Self; 21] = [
        Self::Segmented,
        Self::Delayed,
        Self::ShortRead,
        Self::ShortWrite,
        Self::BlockedWrite,
        Self::SmallBuffers,
        Self::ConnectNow,
        Self::ConnectSlow,
        Self::Shuffled,
        Self::Split,
        Self::Postponed,
        Self::Duplicated,
        Self::Spurious,
        Self::Stale,
        Self::SmallBatch,
        Self::Raced,
        Self::Crowded,
        Self::Overslept,
        Self::PipesExhausted,
        Self::ShortFill,
        Self::ShortPour,
    ];
}

/// The dice: rates per mille, tallies, and the one source of randomness of a world.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    rates: [u16; Fault::ALL.len()],
    fired: [u64; Fault::ALL.len()],
    random: Random,
}

impl Faults {
    /// Calm weather.
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            rates: [0; Fault::ALL.len()],
            fired: [0; Fault::ALL.len()],
            random: Random::new(seed),
        }
    }

    /// From here on `fault` happens `permille` times in a thousand occasions.
    pub(crate) const fn set(&mut self, fault: Fault, permille: u16) {
        self.rates[fault as usize] = permille;
    }

    /// The weather clears. The tallies stay.
    pub(crate) const fn calm(&mut self) {
        self.rates = [0; Fault::ALL.len()];
    }

    /// True if nothing can strike.
    pub(crate) fn is_calm(&self) -> bool {
        self.rates.iter().all(|rate| *rate == 0)
    }

    /// How often it shall happen, per mille.
    pub(crate) const fn rate(&self, fault: Fault) -> u16 {
        self.rates[fault as usize]
    }

    /// How often it happened.
    pub(crate) const fn fired(&self, fault: Fault) -> u64 {
        self.fired[fault as usize]
    }

    /// An occasion: does it happen? Draws nothing while the rate is zero.
    pub(crate) const fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.rates[fault as usize];
        if rate == 0 || !self.random.permille(rate as u64) {
            return false;
        }
        self.fired[fault as usize] += 1;
        true
    }

    /// A number in `0..bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// A size in `1..=most`; `most` must not be zero.
    pub(crate) fn size(&mut self, most: usize) -> usize {
        1 + self.index(most)
    }

    /// A position in `0..count`.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        let drawn = self.random.below(count as u64);
        usize::try_from(drawn).expect("below a usize")
    }
}
