//! What the people of a world do out of the ordinary, and how often: drawn for each seed anew, so
//! that calm and stormy worlds both occur, and each misdeed alone and together with others.
//!
//! Misdeeds that must not matter occur in calm worlds too, where every request is answered whole.
//! Each one counts how often it happened, so that a sweep can show that none never did.

use tidegate::base::random::Random;

use crate::faults::Fault;
use crate::faults::Faults;

/// Something that a client, an origin or a name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Misdeed {
    /// A client goes away while it sends.
    Abort,
    /// A client goes away while it reads.
    AbortReading,
    /// A client says that it sends no more before it has its answers.
    HalfClose,
    /// A client sends the start of its head, and the rest seconds later.
    Dribble,
    /// A client sends a byte at a time.
    Bytewise,
    /// A client takes only a few bytes at a time.
    Slow,
    /// A client connects at a full second, as others do.
    Burst,
    /// A client waits before its next request.
    Thinks,
    /// A client sends several requests at once.
    Pipelines,
    /// A client waits for a 100 before it sends its body.
    Expects,
    /// A client has trailers behind its chunks.
    Trails,
    /// A client speaks HTTP/1.0.
    Old,
    /// A client says `Connection: close`.
    SaysClose,
    /// A client asks in absolute form.
    Absolute,
    /// A client asks for another protocol.
    Upgrades,
    /// A client that does so sends bytes of it before it is told that it may.
    Hasty,
    /// An attacker sends a request that is none.
    Attack,
    /// An attacker begins a good request and spoils its body.
    Poison,
    /// An attacker sends its head a byte a second and never ends.
    Loris,
    /// An origin says 103, up to eight times.
    Interim,
    /// An origin says 103 or 102 more often than anybody may.
    InterimStorm,
    /// An origin closes behind a whole answer without having said so.
    SilentClose,
    /// An origin closes a connection that was idle for a second.
    IdleClose,
    /// An origin says how long it keeps a connection, and keeps to it.
    KeepAliveSaid,
    /// An origin says `Connection: close`.
    Closes,
    /// An origin answers in HTTP/1.0.
    OldAnswer,
    /// An origin's chunks have extensions and trailers.
    Extensions,
    /// An origin's head has thousands of bytes.
    LongHead,
    /// An origin's answer comes in pieces.
    Drip,
    /// An origin closes in the middle of an answer.
    CutClose,
    /// An origin resets in the middle of an answer.
    CutReset,
    /// An origin promises more bytes than it has.
    WrongLength,
    /// An origin closes before its answer.
    NoAnswer,
    /// An origin never answers.
    Hang,
    /// An origin stops in the middle of an answer.
    HangInside,
    /// An origin answers with what is no head.
    Garbage,
    /// An origin's head is larger than any may be.
    HugeHead,
    /// An origin sends an answer that nobody asked for right behind another.
    Surplus,
    /// An origin sends bytes that nobody asked for on an idle connection.
    LateSurplus,
    /// An origin answers before it has the whole request, and closes.
    Early,
    /// An origin answers before it has the whole request, and reads on.
    EarlyOpen,
    /// An origin crashes, and comes back after a while.
    Crash,
    /// An origin that crashed does not even refuse.
    BlackHole,
    /// An origin accepts, and does nothing for a while.
    Deaf,
    /// An origin accepts nobody for a while, and serves whom it has.
    Unlisted,
    /// An origin does not want to speak another protocol.
    Declines,
    /// An origin sends bytes of the new protocol with its 101.
    Glued,
    /// A name gets other addresses.
    Renamed,
    /// The first address of a name is dead.
    DeadAddress,
    /// A client sends a body that is longer than any may be, and says so.
    TooLong,
    /// A client sends one without saying how long it is.
    TooLongInside,
}

/// How often each misdeed occurs at most in calm and in stormy worlds, per mille of its occasions.
const RATES: [(Misdeed, u16, u16); COUNT] = [
    (Misdeed::Abort, 0, 100),
    (Misdeed::AbortReading, 0, 60),
    (Misdeed::HalfClose, 200, 150),
    (Misdeed::Dribble, 60, 100),
    (Misdeed::Bytewise, 60, 60),
    (Misdeed::Slow, 300, 300),
    (Misdeed::Burst, 500, 500),
    (Misdeed::Thinks, 200, 200),
    (Misdeed::Pipelines, 800, 800),
    (Misdeed::Expects, 300, 300),
    (Misdeed::Trails, 400, 400),
    (Misdeed::Old, 200, 300),
    (Misdeed::SaysClose, 100, 100),
    (Misdeed::Absolute, 200, 200),
    (Misdeed::Upgrades, 150, 150),
    (Misdeed::Hasty, 500, 500),
    (Misdeed::Attack, 900, 900),
    (Misdeed::Poison, 0, 300),
    (Misdeed::Loris, 60, 60),
    (Misdeed::Interim, 200, 200),
    (Misdeed::InterimStorm, 0, 40),
    (Misdeed::SilentClose, 0, 200),
    (Misdeed::IdleClose, 0, 300),
    (Misdeed::KeepAliveSaid, 0, 300),
    (Misdeed::Closes, 100, 100),
    (Misdeed::OldAnswer, 200, 200),
    (Misdeed::Extensions, 400, 400),
    (Misdeed::LongHead, 50, 50),
    (Misdeed::Drip, 60, 60),
    (Misdeed::CutClose, 0, 80),
    (Misdeed::CutReset, 0, 80),
    (Misdeed::WrongLength, 0, 50),
    (Misdeed::NoAnswer, 0, 100),
    (Misdeed::Hang, 0, 10),
    (Misdeed::HangInside, 0, 10),
    (Misdeed::Garbage, 0, 40),
    (Misdeed::HugeHead, 0, 20),
    (Misdeed::Surplus, 0, 0),
    (Misdeed::LateSurplus, 0, 0),
    (Misdeed::Early, 0, 100),
    (Misdeed::EarlyOpen, 0, 150),
    (Misdeed::Crash, 0, 20),
    (Misdeed::BlackHole, 0, 500),
    (Misdeed::Deaf, 0, 8),
    (Misdeed::Unlisted, 0, 8),
    (Misdeed::Declines, 300, 400),
    (Misdeed::Glued, 500, 500),
    (Misdeed::Renamed, 500, 500),
    (Misdeed::DeadAddress, 500, 500),
    (Misdeed::TooLong, 0, 0),
    (Misdeed::TooLongInside, 0, 0),
];

const COUNT: usize = Misdeed::TooLongInside as usize + 1;

/// Those at the end of the list are not drawn with the others: see [`Weather::draw_apart`].
const DRAWN: usize = Misdeed::TooLong as usize;

/// The weather of a world: what holds for it, and how often what happens, per mille.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    rates: [u16; COUNT],
    pub(crate) climate: Climate,
}

/// What holds for a world as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Climate {
    /// Nothing is lost, and whoever closes says so before.
    #[default]
    Calm,
    /// Nothing is lost, but origins close kept connections without a word: who asks for what may
    /// be asked twice is not to notice.
    Closing,
    /// Actors do anything, the network does what it should.
    Rough,
    /// The network breaks connections too.
    Stormy,
    /// And it may swallow the bytes of one: then waiting in vain is nobody's fault.
    Swallowing,
}

impl Misdeed {
    /// All of them, in order.
    pub(crate) const ALL: [Self; COUNT] = [
        Self::Abort,
        Self::AbortReading,
        Self::HalfClose,
        Self::Dribble,
        Self::Bytewise,
        Self::Slow,
        Self::Burst,
        Self::Thinks,
        Self::Pipelines,
        Self::Expects,
        Self::Trails,
        Self::Old,
        Self::SaysClose,
        Self::Absolute,
        Self::Upgrades,
        Self::Hasty,
        Self::Attack,
        Self::Poison,
        Self::Loris,
        Self::Interim,
        Self::InterimStorm,
        Self::SilentClose,
        Self::IdleClose,
        Self::KeepAliveSaid,
        Self::Closes,
        Self::OldAnswer,
        Self::Extensions,
        Self::LongHead,
        Self::Drip,
        Self::CutClose,
        Self::CutReset,
        Self::WrongLength,
        Self::NoAnswer,
        Self::Hang,
        Self::HangInside,
        Self::Garbage,
        Self::HugeHead,
        Self::Surplus,
        Self::LateSurplus,
        Self::Early,
        Self::EarlyOpen,
        Self::Crash,
        Self::BlackHole,
        Self::Deaf,
        Self::Unlisted,
        Self::Declines,
        Self::Glued,
        Self::Renamed,
        Self::DeadAddress,
        Self::TooLong,
        Self::TooLongInside,
    ];
}

impl Climate {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Calm,
        Self::Closing,
        Self::Rough,
        Self::Stormy,
        Self::Swallowing,
    ];

    /// True where every request is answered whole.
    pub(crate) const fn is_calm(self) -> bool {
        matches!(self, Self::Calm | Self::Closing)
    }

    /// True where the network breaks no connection.
    pub(crate) const fn keeps_connections(self) -> bool {
        matches!(self, Self::Calm | Self::Closing | Self::Rough)
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            rates: [0; COUNT],
            climate: Climate::Calm,
        }
    }
}

impl Weather {
    /// How often that happens.
    pub(crate) const fn rate(&self, misdeed: Misdeed) -> u16 {
        self.rates[misdeed as usize]
    }

    /// From here on it happens so often.
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
        if !random.permille(300) {
            return Self::drawn(Climate::Calm, random, |(_, calm, _)| *calm);
        }
        let mut weather = Self::drawn(Climate::Closing, random, |(_, calm, _)| *calm);
        for misdeed in [
            Misdeed::SilentClose,
            Misdeed::IdleClose,
            Misdeed::KeepAliveSaid,
        ] {
            weather.set(misdeed, below(random, 400));
        }
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
        if random.permille(200) {
            // A listener's queue with many of the dead in it.
            faults.set(Fault::AcceptAborted, 300);
        }
        // A byte that vanishes without a word is found by a timeout of a minute: seldom is enough.
        let swallows = random.permille(200);
        faults.set(Fault::Silenced, u16::from(swallows));
        let mut climate = if swallows {
            Climate::Swallowing
        } else {
            Climate::Stormy
        };
        if random.permille(350) {
            climate = Climate::Rough;
            let harmful = |fault: &Fault| !Fault::HARMLESS.contains(fault);
            for fault in Fault::ALL.into_iter().filter(harmful) {
                faults.set(fault, 0);
            }
        }
        let mut weather = Self::drawn(climate, random, |(.., stormy)| *stormy);
        // Bytes behind an answer that arrive when the connection carries the next request cannot
        // be told from its answer by anybody. So where there are some, they come in time.
        if random.permille(300) {
            for fault in LATE {
                faults.set(fault, 0);
            }
            weather.set(Misdeed::Surplus, 200);
            weather.set(Misdeed::LateSurplus, 200);
        }
        weather
    }

    fn drawn(
        climate: Climate,
        random: &mut Random,
        most: impl Fn(&(Misdeed, u16, u16)) -> u16,
    ) -> Self {
        let mut weather = Self {
            climate,
            ..Self::default()
        };
        for row in &RATES[..DRAWN] {
            if random.permille(600) {
                weather.set(row.0, below(random, most(row) + 1));
            }
        }
        weather
    }

    /// Draws what has dice of its own: bodies that are too long, where there are such.
    pub(crate) fn draw_apart(&mut self, random: &mut Random) {
        for misdeed in [Misdeed::TooLong, Misdeed::TooLongInside] {
            self.set(misdeed, below(random, 200));
        }
    }

    /// Nothing happens from here on. (What the network has swallowed stays swallowed.)
    pub(crate) const fn clear(&mut self) {
        self.rates = [0; COUNT];
    }
}

fn below(random: &mut Random, bound: u16) -> u16 {
    u16::try_from(random.below(u64::from(bound))).expect("below a small number")
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
