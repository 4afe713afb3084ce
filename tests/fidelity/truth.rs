//! What may be true of one connection, and how one truth follows another.
//!
//! A truth is what nobody can look at: what has arrived, what is on its way. It changes when
//! somebody uses a verb ([`Truth::after`]) and by itself ([`Truth::moves`]). The rules are those
//! of RFC 9293 as Linux keeps them (`tcp_reset`, `tcp_recvmsg`, `tcp_sendmsg`, `inet_shutdown`);
//! byte counts are known to the caller and not part of a truth.

use crate::marks::Marks;

/// One possible state of a connection: end 0 connected, end 1 accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Truth {
    pub(crate) phase: Phase,
    pub(crate) ends: [End; 2],
}

/// How far the connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Asked,
    Standing,
    Failed,
}

/// One end, and the error number that the next verb gets there (0 for none, [`ANY`] for one that
/// only a storm explains).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) marks: Marks,
    pub(crate) error: i32,
}

/// How much the world may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sky {
    /// Nothing. The real kernel, and the fake without faults.
    Clear,
    /// Transfers are cut short and late.
    Hazy,
    /// Connections break, connects and accepts fail.
    Stormy,
}

/// A verb on an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Read,
    Write,
    Finish,
    Established,
    Close,
    Abort,
}

/// What came of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Done,
    Bytes(usize),
    Error(i32),
}

/// What is known beside the truths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Somebody listens where the connect went.
    pub(crate) listening: bool,
    /// What the verb asked for.
    pub(crate) asked: usize,
    /// The buffers may be full.
    pub(crate) crowded: bool,
}

impl Truth {
    pub(crate) const ASKED: Self = Self {
        phase: Phase::Asked,
        ends: [End {
            marks: Marks::NONE,
            error: 0,
        }; 2],
    };

    /// The truths that can follow this one when `verb` at `end` gives `outcome`; none if it
    /// cannot give that.
    pub(crate) fn after(self, verb: Verb, end: usize, outcome: Outcome, known: Known) -> Vec<Self> {
        match verb {
            Verb::Read => self.after_read(end, outcome, known),
            Verb::Write => self.after_write(end, outcome, known),
            Verb::Finish => self.after_finish(end, outcome),
            Verb::Established => self.after_established(end, outcome),
            Verb::Close => self.after_close(end),
            Verb::Abort => self.after_abort(end),
        }
    }

    fn after_read(self, end: usize, outcome: Outcome, known: Known) -> Vec<Self> {
        let here = self.ends[end];
        let queued = here.marks.has(Marks::QUEUED);
        match outcome {
            Outcome::Bytes(count @ 1..) if queued => {
                let emptied = self.unmark(end, Marks::QUEUED);
                // Fewer than asked: nothing was left behind.
                if count < known.asked {
                    vec![emptied]
                } else {
                    vec![self, emptied]
                }
            }
            // Bytes go first, then the end, then the error.
            _ if queued => Vec::new(),
            Outcome::Bytes(0) if here.marks.has(Marks::FIN) => vec![self],
            _ if here.marks.has(Marks::FIN) => Vec::new(),
            Outcome::Bytes(0) if here.error == 0 && here.marks.has(Marks::DOWN) => vec![self],
            Outcome::Error(EAGAIN) if here.error == 0 && !here.marks.has(Marks::DOWN) => {
                vec![self]
            }
            Outcome::Error(number) => self.told(end, number),
            Outcome::Bytes(_) | Outcome::Done => Vec::new(),
        }
    }

    fn after_write(self, end: usize, outcome: Outcome, known: Known) -> Vec<Self> {
        let here = self.ends[end];
        let broken = here.marks.any(Marks::DOWN.and(Marks::FINISHED));
        match outcome {
            Outcome::Error(EPIPE) if here.error == 0 && broken => vec![self],
            Outcome::Error(EAGAIN) if here.error == 0 && !broken => {
                if self.phase == Phase::Asked || known.crowded {
                    vec![self]
                } else {
                    Vec::new()
                }
            }
            Outcome::Error(number) => self.told(end, number),
            Outcome::Bytes(count @ 1..)
                if here.error == 0 && !broken && self.phase == Phase::Standing =>
            {
                if count < known.asked && !known.crowded {
                    return Vec::new();
                }
                vec![self.mark(1 - end, Marks::COMING)]
            }
            Outcome::Bytes(_) | Outcome::Done => Vec::new(),
        }
    }

    fn after_finish(self, end: usize, outcome: Outcome) -> Vec<Self> {
        let marks = self.ends[end].marks;
        match outcome {
            Outcome::Done if self.phase == Phase::Standing && !marks.has(Marks::DOWN) => {
                if marks.has(Marks::FINISHED) {
                    return vec![self];
                }
                vec![self.finished(end)]
            }
            // Both directions are over: for Linux that is a closed socket.
            Outcome::Error(ENOTCONN)
                if marks.has(Marks::DOWN) || marks.has(Marks::FINISHED.and(Marks::FIN)) =>
            {
                vec![self]
            }
            Outcome::Error(_) | Outcome::Done | Outcome::Bytes(_) => Vec::new(),
        }
    }

    fn after_established(self, end: usize, outcome: Outcome) -> Vec<Self> {
        let here = self.ends[end];
        let over = here.marks.has(Marks::FINISHED.and(Marks::FIN));
        let down = here.marks.has(Marks::DOWN);
        match outcome {
            Outcome::Done if self.phase == Phase::Standing && here.error == 0 && !down => {
                vec![self]
            }
            Outcome::Error(EAGAIN)
                if here.error == 0 && (self.phase == Phase::Asked || down || over) =>
            {
                vec![self]
            }
            Outcome::Error(number) => self.told(end, number),
            Outcome::Done | Outcome::Bytes(_) => Vec::new(),
        }
    }

    fn after_close(self, end: usize) -> Vec<Self> {
        let here = self.ends[end].marks;
        if self.phase != Phase::Standing || here.has(Marks::DOWN) {
            return vec![self.left(end)];
        }
        if here.has(Marks::QUEUED) {
            // RFC 2525 section 2.17: somebody must hear that bytes were not read.
            return self.after_abort(end);
        }
        let finished = if here.has(Marks::FINISHED) {
            self
        } else {
            self.finished(end)
        };
        vec![finished.left(end)]
    }

    fn after_abort(self, end: usize) -> Vec<Self> {
        let here = self.ends[end].marks;
        let left = self.left(end);
        if self.phase != Phase::Standing || here.has(Marks::DOWN) {
            return vec![left];
        }
        let reset = left.mark(1 - end, Marks::RESET_COMING);
        if here.has(Marks::FINISHED.and(Marks::FIN)) {
            // With both directions over there is nothing left that could be reset.
            vec![left, reset]
        } else {
            vec![reset]
        }
    }

    /// What can happen next by itself, storms not counted. None: everything has arrived.
    pub(crate) fn moves(self, known: Known) -> Vec<Self> {
        let mut next = Vec::new();
        if self.phase == Phase::Asked {
            self.decide(known, &mut next);
        }
        for end in 0..2 {
            let marks = self.ends[end].marks;
            if marks.has(Marks::COMING) {
                let arrived = self.unmark(end, Marks::COMING);
                if marks.has(Marks::GONE) {
                    next.push(arrived.scorned(1 - end));
                } else {
                    next.push(arrived.mark(end, Marks::QUEUED));
                    next.push(self.mark(end, Marks::QUEUED));
                }
            } else if marks.has(Marks::FIN_COMING) {
                next.push(self.unmark(end, Marks::FIN_COMING).mark(end, Marks::FIN));
            }
            if marks.has(Marks::RESET_COMING) {
                self.reset(end, &mut next);
            }
        }
        next.retain(|other| *other != self);
        next
    }

    /// What a storm can do at any time.
    pub(crate) fn squalls(self) -> Vec<Self> {
        let mut next = Vec::new();
        if self.phase == Phase::Asked {
            next.push(self.failed(ANY));
        }
        for end in 0..2 {
            let marks = self.ends[end].marks;
            if self.phase == Phase::Standing && !marks.any(Marks::DOWN.and(Marks::GONE)) {
                let broken = self.broken(end, ANY);
                next.extend([broken, broken.unmark(end, Marks::QUEUED)]);
            }
        }
        next
    }

    /// A read finds less than was announced: the rest is put back onto the wire.
    pub(crate) fn postponed(self) -> Vec<Self> {
        let mut next = Vec::new();
        for end in 0..2 {
            let marks = self.ends[end].marks;
            if marks.has(Marks::QUEUED) && !marks.any(Marks::FIN.and(Marks::DOWN)) {
                next.push(self.mark(end, Marks::COMING).unmark(end, Marks::QUEUED));
                next.push(self.mark(end, Marks::COMING));
            }
        }
        next.retain(|other| *other != self);
        next
    }

    /// The request has reached the other host.
    fn decide(self, known: Known, next: &mut Vec<Self>) {
        let mut standing = self;
        standing.phase = Phase::Standing;
        if self.ends[0].marks.has(Marks::GONE) {
            // Withdrawn; whether the listener ever heard of it is a matter of moments.
            next.push(self.failed(0));
            next.push(standing.finished(0));
            next.push(standing.mark(1, Marks::RESET_COMING));
        } else if known.listening {
            next.push(standing);
        } else {
            next.push(self.failed(ECONNREFUSED));
            next.push(standing.mark(0, Marks::RESET_COMING).left(1));
        }
    }

    /// Bytes have reached a place where nobody is: their sender will hear so.
    fn scorned(self, sender: usize) -> Self {
        let marks = self.ends[sender].marks;
        if marks.any(Marks::GONE.and(Marks::DOWN)) {
            return self;
        }
        self.mark(sender, Marks::RESET_COMING)
    }

    /// A reset arrives.
    fn reset(self, end: usize, next: &mut Vec<Self>) {
        let arrived = self.unmark(end, Marks::RESET_COMING);
        let marks = arrived.ends[end].marks;
        if marks.any(Marks::GONE.and(Marks::DOWN)) {
            next.push(arrived);
            return;
        }
        let over = marks.has(Marks::FIN.and(Marks::FINISHED));
        if over {
            next.push(arrived);
        }
        if marks.has(Marks::FIN) {
            next.push(arrived.broken(end, EPIPE));
        }
        if over || !marks.has(Marks::FIN) {
            next.push(arrived.broken(end, ECONNRESET));
        }
    }

    fn broken(self, end: usize, error: i32) -> Self {
        let lost = Marks::COMING
            .and(Marks::FIN_COMING)
            .and(Marks::RESET_COMING);
        let mut broken = self.unmark(end, lost).mark(end, Marks::DOWN);
        broken.ends[end].error = error;
        broken
    }

    fn failed(self, error: i32) -> Self {
        let mut failed = self.broken(0, error);
        failed.phase = Phase::Failed;
        failed
    }

    /// The error was told, if it is this one.
    fn told(mut self, end: usize, number: i32) -> Vec<Self> {
        let error = self.ends[end].error;
        let same = error == number || error == ANY && BREAKS.contains(&number);
        self.ends[end].error = 0;
        if error != 0 && same {
            vec![self]
        } else {
            Vec::new()
        }
    }

    fn finished(self, end: usize) -> Self {
        self.mark(end, Marks::FINISHED)
            .mark(1 - end, Marks::FIN_COMING)
    }

    pub(crate) fn left(self, end: usize) -> Self {
        let mut left = self.unmark(end, Marks::QUEUED).mark(end, Marks::GONE);
        left.ends[end].error = 0;
        left
    }

    fn mark(mut self, end: usize, marks: Marks) -> Self {
        self.ends[end].marks = self.ends[end].marks.and(marks);
        self
    }

    pub(crate) fn unmark(mut self, end: usize, marks: Marks) -> Self {
        self.ends[end].marks = self.ends[end].marks.without(marks);
        self
    }
}

pub(crate) const EAGAIN: i32 = 11;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const ECONNRESET: i32 = 104;
pub(crate) const ENOTCONN: i32 = 107;
pub(crate) const ECONNREFUSED: i32 = 111;

/// An error that the world itself has made.
pub(crate) const ANY: i32 = -1;

/// What [`ANY`] can be: `EPIPE`, `ENETUNREACH`, `ECONNRESET`, `ETIMEDOUT`, `ECONNREFUSED`,
/// `EHOSTUNREACH`.
const BREAKS: [i32; 6] = [32, 101, 104, 110, 111, 113];
