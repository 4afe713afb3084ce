//! Which kinds of trouble a world has, and how often: drawn for each seed anew, so that calm and
//! stormy worlds both occur, and each trouble alone and together with others.

use tidegate::base::random::Random;

use crate::faults::Fault;
use crate::faults::Faults;

/// What origins and clients do wrong, or at least not as everybody does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Misdeed {
    /// An origin closes behind a whole answer without having said so.
    SilentClose,
    /// An origin closes or resets in the middle of an answer.
    CutAnswer,
    /// An origin closes before its answer.
    NoAnswer,
    /// An origin sends bytes that nobody asked for behind an answer.
    Surplus,
    /// An origin answers before it has the whole request, and closes.
    Early,
    /// An origin says 103 first.
    Interim,
    /// An origin crashes, and comes back after a while.
    Crash,
    /// An origin never answers.
    Hang,
    /// A client goes away in the middle.
    Abort,
    /// A client says that it sends no more before it has its answers.
    HalfClose,
    /// A client sends the start of its head, and the rest seconds later.
    Dribble,
    /// A client takes only a few bytes at a time.
    Slow,
}

/// How often they do it, per mille of the occasions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    rates: [u16; Misdeed::ALL.len()],
    /// The network may swallow the bytes of a connection: then waiting in vain is nobody's fault.
    pub(crate) swallows: bool,
}

impl Misdeed {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 12] = [
        Self::SilentClose,
        Self::CutAnswer,
        Self::NoAnswer,
        Self::Surplus,
        Self::Early,
        Self::Interim,
        Self::Crash,
        Self::Hang,
        Self::Abort,
        Self::HalfClose,
        Self::Dribble,
        Self::Slow,
    ];
}

/// How often it is done at most in stormy worlds.
const STORMY: [(Misdeed, u64); 11] = [
    (Misdeed::SilentClose, 200),
    (Misdeed::CutAnswer, 100),
    (Misdeed::NoAnswer, 100),
    (Misdeed::Early, 100),
    (Misdeed::Interim, 200),
    (Misdeed::Crash, 20),
    (Misdeed::Hang, 10),
    (Misdeed::Abort, 100),
    (Misdeed::HalfClose, 100),
    (Misdeed::Dribble, 100),
    (Misdeed::Slow, 300),
];

/// What makes the bytes of one write arrive at different moments.
const LATE: [Fault; 6] = [
    Fault::Segmented,
    Fault::Delayed,
    Fault::ShortRead,
    Fault::ShortWrite,
    Fault::BlockedWrite,
    Fault::SmallBuffers,
];

impl Weather {
    /// How often that is done.
    pub(crate) const fn rate(&self, misdeed: Misdeed) -> u16 {
        self.rates[misdeed as usize]
    }

    /// From here on it is done so often.
    pub(crate) const fn set(&mut self, misdeed: Misdeed, permille: u16) {
        self.rates[misdeed as usize] = permille;
    }

    /// A world in which nothing goes wrong but what must not matter.
    pub(crate) fn calm(faults: &mut Faults, random: &mut Random) -> Self {
        // A connect that is slower than a probe's timeout makes a server look dead for a while.
        for fault in Fault::HARMLESS
            .into_iter()
            .filter(|fault| *fault != Fault::ConnectSlow)
        {
            let rate = [0, 10, 200][usize::try_from(random.below(3)).expect("small")];
            faults.set(fault, rate);
        }
        let mut weather = Self::default();
        weather.set(Misdeed::Slow, draw(random, 300));
        weather.set(Misdeed::Dribble, 50);
        weather.set(Misdeed::Interim, draw(random, 200));
        weather
    }

    /// A world in which anything goes wrong.
    pub(crate) fn stormy(faults: &mut Faults, random: &mut Random) -> Self {
        for fault in Fault::ALL {
            let rate = [0, 0, 3, 30][usize::try_from(random.below(4)).expect("small")];
            faults.set(fault, rate);
        }
        // These are long: a world with many of them is spent asleep.
        for fault in [Fault::Stopped, Fault::Gap] {
            faults.set(fault, u16::from(random.permille(300)));
        }
        // A byte that vanishes without a word is found by a timeout of a minute: seldom is enough.
        let swallows = random.permille(200);
        faults.set(Fault::Silenced, u16::from(swallows));
        // Bytes behind an answer that arrive when the connection carries the next request cannot
        // be told from its answer by anybody. So where there are some, they come with the answer.
        let surplus = random.permille(300);
        if surplus {
            for fault in LATE {
                faults.set(fault, 0);
            }
        }
        let mut weather = Self {
            swallows,
            ..Self::default()
        };
        for (misdeed, most) in STORMY {
            if random.permille(600) {
                weather.set(misdeed, draw(random, most));
            }
        }
        weather.set(Misdeed::Surplus, if surplus { 300 } else { 0 });
        weather
    }

    /// Nothing goes wrong from here on.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            swallows: self.swallows,
            ..Self::default()
        };
    }
}

fn draw(random: &mut Random, most: u64) -> u16 {
    u16::try_from(random.below(most)).expect("less than a thousand")
}
