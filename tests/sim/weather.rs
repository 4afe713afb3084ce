//! Which kinds of trouble a world has, and how often: drawn for each seed anew, so that calm and
//! stormy worlds both occur, and each trouble alone and together with others.

use tidegate::base::random::Random;

use crate::faults::Fault;
use crate::faults::Faults;

/// What origins and clients do wrong, per mille of the occasions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// An origin closes behind a whole answer without having said so.
    pub(crate) silent_close: u64,
    /// An origin closes or resets in the middle of an answer.
    pub(crate) cut_answer: u64,
    /// An origin closes before its answer.
    pub(crate) no_answer: u64,
    /// An origin sends bytes that nobody asked for behind an answer.
    pub(crate) surplus: u64,
    /// An origin answers before it has the whole request, and closes.
    pub(crate) early: u64,
    /// An origin says 103 first.
    pub(crate) interim: u64,
    /// An origin crashes, and comes back after a while.
    pub(crate) crash: u64,
    /// An origin never answers.
    pub(crate) hang: u64,
    /// A client goes away in the middle.
    pub(crate) abort: u64,
    /// A client says that it sends no more before it has its answers.
    pub(crate) half_close: u64,
    /// A client sends the start of its head, and the rest seconds later.
    pub(crate) dribble: u64,
    /// A client takes only a few bytes at a time.
    pub(crate) slow: u64,
    /// The network may swallow the bytes of a connection: then waiting in vain is nobody's fault.
    pub(crate) swallows: bool,
}

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
        Self {
            slow: random.below(300),
            dribble: 50,
            interim: random.below(200),
            ..Self::default()
        }
    }

    /// A world in which anything goes wrong.
    pub(crate) fn stormy(faults: &mut Faults, random: &mut Random) -> Self {
        for fault in Fault::ALL {
            let rate = [0, 0, 3, 30][usize::try_from(random.below(4)).expect("small")];
            faults.set(fault, rate);
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
        let surplus = if surplus { 300 } else { 0 };
        let mut rate = |most: u64| {
            if random.permille(600) {
                random.below(most)
            } else {
                0
            }
        };
        Self {
            silent_close: rate(200),
            cut_answer: rate(100),
            no_answer: rate(100),
            surplus,
            early: rate(100),
            interim: rate(200),
            crash: rate(20),
            hang: rate(10),
            abort: rate(100),
            half_close: rate(100),
            dribble: rate(100),
            slow: rate(300),
            swallows,
        }
    }

    /// Nothing goes wrong from here on.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            swallows: self.swallows,
            ..Self::default()
        };
    }
}
