//! The specification of one connection: the set of truths that explain everything seen so far.
//!
//! Each outcome throws out the truths that do not allow it. If none is left, no TCP behaves so.

use crate::marks::Marks;
use crate::truth::Known;
use crate::truth::Outcome;
use crate::truth::Phase;
use crate::truth::Sky;
use crate::truth::Truth;
use crate::truth::Verb;

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    truths: Vec<Truth>,
    sky: Sky,
    listening: bool,
    /// Bytes written to an end that it has not read.
    pub(crate) unread: [usize; 2],
    /// Bytes read at an end.
    pub(crate) read: [usize; 2],
    /// An end's buffers have been full at some time.
    full: [bool; 2],
}

impl Spec {
    /// A connect was started.
    pub(crate) fn new(sky: Sky, listening: bool) -> Self {
        Self {
            truths: vec![Truth::ASKED],
            sky,
            listening,
            unread: [0; 2],
            read: [0; 2],
            full: [false; 2],
        }
    }

    /// Takes note of what a verb at `end` gave that asked for `asked` bytes. False if it cannot
    /// be.
    pub(crate) fn see(&mut self, verb: Verb, end: usize, asked: usize, outcome: Outcome) -> bool {
        self.close_over();
        let mut known = self.known();
        known.asked = asked;
        let outstanding = self.unread[1 - end];
        known.crowded = match self.sky {
            Sky::Clear => self.full[end] || outstanding + asked > ROOM,
            Sky::Hazy | Sky::Stormy => true,
        };
        let mut next = Vec::new();
        for truth in &self.truths {
            next.extend(truth.after(verb, end, outcome, known));
        }
        self.truths = next;
        if let Outcome::Bytes(count) = outcome {
            match verb {
                Verb::Read if count > self.unread[end] => return false,
                Verb::Read => {
                    self.unread[end] -= count;
                    self.read[end] += count;
                }
                Verb::Write => {
                    self.unread[1 - end] += count;
                    self.full[end] |= count < asked;
                }
                Verb::Finish | Verb::Established | Verb::Close | Verb::Abort => {}
            }
        }
        self.tidy();
        !self.truths.is_empty()
    }

    /// An event said that nothing more will come to `end`.
    pub(crate) fn see_end(&mut self, end: usize) -> bool {
        self.close_over();
        let over = Marks::FIN.and(Marks::DOWN);
        self.truths.retain(|truth| truth.ends[end].marks.any(over));
        !self.truths.is_empty()
    }

    /// The listener gave this connection out, or had none to give.
    pub(crate) fn see_accept(&mut self, accepted: bool) -> bool {
        self.close_over();
        let standing = Phase::Standing;
        self.truths
            .retain(|truth| (truth.phase == standing) == accepted);
        !self.truths.is_empty()
    }

    /// The listener was closed; `queued` if the connection had not been accepted.
    pub(crate) fn unlisten(&mut self, queued: bool) {
        self.close_over();
        self.listening = false;
        if queued {
            let known = self.known();
            let aborted = |truth: &Truth| match truth.phase {
                Phase::Asked | Phase::Failed => vec![*truth],
                Phase::Standing => truth.after(Verb::Abort, 1, Outcome::Done, known),
            };
            self.truths = self.truths.iter().flat_map(aborted).collect();
            self.tidy();
        }
    }

    /// What has to be announced at `end`, sooner or later, whatever is true.
    pub(crate) fn due(&mut self, end: usize) -> Marks {
        self.close_over();
        let known = self.known();
        let quiet = self
            .truths
            .iter()
            .filter(|truth| truth.moves(known).is_empty());
        let due = quiet.map(|truth| self.due_if(*truth, end));
        due.reduce(Marks::common).unwrap_or(Marks::NONE)
    }

    /// Whether the listener has to announce this connection.
    pub(crate) fn due_at_listener(&mut self) -> bool {
        self.close_over();
        let known = self.known();
        let mut quiet = self
            .truths
            .iter()
            .filter(|truth| truth.moves(known).is_empty());
        quiet.all(|truth| truth.phase == Phase::Standing)
    }

    pub(crate) fn truths(&self) -> &[Truth] {
        &self.truths
    }

    fn due_if(&self, truth: Truth, end: usize) -> Marks {
        let marks = truth.ends[end].marks;
        let down = marks.has(Marks::DOWN);
        // Behind many unread bytes the end of the stream may wait for the window to open.
        let unstuck = match self.sky {
            Sky::Clear => UNSTUCK,
            Sky::Hazy | Sky::Stormy => 0,
        };
        let ended = down || marks.has(Marks::FIN) && self.unread[end] <= unstuck;
        let room = truth.phase == Phase::Standing && self.unread[1 - end] == 0;
        Marks::NONE
            .when(ended, Marks::ENDED)
            .when(ended || marks.has(Marks::QUEUED), Marks::READABLE)
            .when(down || room, Marks::WRITABLE)
    }

    fn known(&self) -> Known {
        Known {
            listening: self.listening,
            asked: 0,
            crowded: false,
        }
    }

    /// Adds everything that may have become true by itself.
    fn close_over(&mut self) {
        let known = self.known();
        let mut looked = 0;
        while looked < self.truths.len() {
            let truth = self.truths[looked];
            looked += 1;
            let mut next = truth.moves(known);
            if self.sky > Sky::Clear {
                next.extend(truth.postponed());
            }
            if self.sky == Sky::Stormy {
                next.extend(truth.squalls());
            }
            for truth in next {
                if !self.truths.contains(&truth) {
                    self.truths.push(truth);
                }
            }
        }
        self.tidy();
    }

    /// Reconciles the truths with the counts.
    fn tidy(&mut self) {
        let unread = self.unread;
        for truth in &mut self.truths {
            for (end, left) in unread.iter().enumerate() {
                if *left == 0 {
                    *truth = truth.unmark(end, Marks::QUEUED.and(Marks::COMING));
                }
            }
        }
        let somewhere = Marks::QUEUED.and(Marks::COMING);
        let excused = somewhere.and(Marks::DOWN).and(Marks::GONE);
        self.truths.retain(|truth| {
            (0..2).all(|end| unread[end] == 0 || truth.ends[end].marks.any(excused))
        });
        self.truths.sort_unstable();
        self.truths.dedup();
    }
}

/// Bytes that a direction of a connection takes at least before it is full.
const ROOM: usize = 16 * 1024;

/// Bytes behind which the end of the stream cannot get stuck.
const UNSTUCK: usize = 2048;
