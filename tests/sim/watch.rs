//! Looks at the engine before and after each of its turns, and asks for every invariant that can be
//! asked for then.

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::Engine;
use tidegate::engine::audit::Audit;
use tidegate::engine::kernel::Kernel;
use tidegate::peers::PeerId;
use tidegate::tally::Event;

use crate::canary::Sabotage;
use crate::faults::Fault;
use crate::invariant::Invariant;
use crate::kernel::SimKernel;
use crate::ledger::Book;
use crate::scene::Kind;

/// Whoever looks.
#[derive(Debug)]
pub(crate) struct Watch {
    kind: Kind,
    sabotage: Option<Sabotage>,
    audit: Audit,
    /// When the turn began.
    since: Moment,
    /// How long the program had been absent by then.
    absent: Span,
    deeds: u64,
    /// Servers that were taken out, and the requests they had been given by then.
    resting: Vec<(PeerId, u64)>,
    /// Turns on the spot, one behind the other.
    idle: u32,
    operated: bool,
}

impl Watch {
    pub(crate) fn new(kind: Kind, sabotage: Option<Sabotage>) -> Self {
        Self {
            kind,
            sabotage,
            audit: Audit::default(),
            since: Moment(0),
            absent: Span::ZERO,
            deeds: 0,
            resting: Vec::new(),
            idle: 0,
            operated: false,
        }
    }

    /// There is somebody who changes things: turns are not comparable any more.
    pub(crate) fn expect_changes(&mut self, expected: bool) {
        self.operated = expected;
    }

    /// What was taken out and stays out has been given nothing since.
    fn check_resting(&mut self, book: &mut Book) {
        if self.sabotage == Some(Sabotage::Intruder) && !self.resting.is_empty() {
            self.audit
                .resting
                .iter_mut()
                .for_each(|(_, given)| *given += 1);
        }
        for (id, given) in &self.audit.resting {
            let before = self.resting.iter().find(|(other, _)| other == id);
            if let Some((_, before)) = before {
                book.check(Invariant::RemovedRests, given == before, || {
                    format!("{id:?} was taken out, and was given {given} after {before}")
                });
            }
        }
        self.resting.clone_from(&self.audit.resting);
    }

    /// The loop is about to wait.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(crate) fn before(&mut self, engine: &mut Engine, kernel: &mut SimKernel, book: &mut Book) {
        engine.assert_settled();
        engine.audit(&mut self.audit);
        if self.sabotage == Some(Sabotage::Miscount) {
            self.audit.sessions.kept += 1;
        }
        self.since = kernel.now();
        self.absent = kernel.absent();
        self.deeds = kernel.trace().deeds();
        let audit = &self.audit;
        let forgotten = audit
            .beliefs
            .iter()
            .find(|belief| kernel.net().is_forgotten(belief));
        book.check(Invariant::Wakeups, forgotten.is_none(), || {
            format!("the kernel has told all it had to tell, and knows more: {forgotten:?}")
        });
        let right = audit.in_flight.iter().all(|count| count.is_right())
            && audit.sessions.is_right()
            && audit.windows.is_right()
            && audit.pipes.is_right()
            && audit.parked.is_right()
            && audit.sockets.is_right()
            && audit.given.is_right()
            && audit.records.is_right();
        book.check(Invariant::Books, right, || format!("{audit:?}"));
        let bounded = audit.windows.kept <= audit.windows_max as u64
            && audit.sessions.kept <= audit.sessions_max as u64
            && audit.sockets.found == kernel.census() as u64;
        book.check(Invariant::Bounded, bounded, || {
            format!("{} sockets are open; {audit:?}", kernel.census())
        });
        // A second try goes to the server of the first, whose turn it is not.
        let steady = !self.operated && engine.tally().of(Event::Retried) == 0;
        if self.kind == Kind::Calm && steady {
            let most = audit.picks.iter().max().copied().unwrap_or(0);
            let least = audit.picks.iter().min().copied().unwrap_or(0);
            book.check(Invariant::Fair, most - least <= 1, || {
                format!("the servers' turns: {:?}", audit.picks)
            });
        }
        self.check_resting(book);
        let (told, heard) = (
            kernel.faults().fired(Fault::Stale),
            engine.tally().of(Event::StaleEvent),
        );
        book.check(Invariant::Generations, told == heard, || {
            format!("{told} events were for closed sockets, {heard} were seen to be")
        });
    }

    /// The turn is over.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(crate) fn after(&mut self, kernel: &SimKernel, book: &mut Book) {
        let now = kernel.now();
        if let Some(due) = self.audit.due {
            let absent = Span(kernel.absent().0 - self.absent.0);
            let latest = due.max(self.since) + absent + GRAIN;
            book.check(Invariant::Deadlines, now <= latest, || {
                format!("it was due at {} ns and is {} ns", due.0, now.0)
            });
        }
        let stood = now <= self.since + MOMENT && self.deeds == kernel.trace().deeds();
        self.idle = if stood { self.idle + 1 } else { 0 };
        book.check(Invariant::NoSpin, self.idle <= IDLE_TURNS_MAX, || {
            format!("{} turns did nothing, at one moment", self.idle)
        });
    }
}

/// A wait comes back up to 20 ms late ([`Fault::Overslept`]) and lets up to 2 ms more pass
/// ([`Fault::Crowded`]).
const GRAIN: Span = Span::millis(23);

/// What a wait takes at least.
const MOMENT: Span = Span(1_000);

/// Turns that do nothing and take no time are legal when the kernel says what is not true; but
/// it does not say so for ever.
const IDLE_TURNS_MAX: u32 = 16;
