//! The figures of all loops: the first one, which has the admin interface, asks the others when
//! somebody wants to see something, and adds up what they answer.
//!
//! Nothing is told while nobody looks, and counting costs what it costs one loop alone. A question
//! is answered by a loop after every change that was told before it, so an answer also says that
//! those were applied there: so it is known when a server is idle, or gone, everywhere. A loop that
//! does not answer in time holds nobody up: its last figures stand for it, and no sum ever falls.

use super::figures::Figures;
use super::figures::Found;
use super::figures::Question;
use super::figures::Wish;
use super::kernel::Kernel;
use super::kernel::Word;
use super::office::Patience;
use super::office::Vigil;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::report::Backend;
use crate::base::time::Span;
use crate::peers::PeerId;

impl Engine {
    /// Asks all other loops; the number of the question.
    pub(super) fn question(&mut self, wish: Wish, kernel: &mut dyn Kernel) -> u64 {
        let Some(office) = &mut self.hub.office else {
            return 0;
        };
        let others = &mut office.others;
        let ticket = others.next();
        if others.are_there() {
            kernel.tell(Word::Asked(Question { ticket, wish }));
        }
        ticket
    }

    /// Whether there are other loops that have something to add.
    pub(super) fn has_company(&self) -> bool {
        let office = self.hub.office.as_ref();
        office.is_some_and(|office| office.others.are_there())
    }

    /// The first loop asks.
    pub(super) fn answer(&self, question: Question, kernel: &mut dyn Kernel) {
        let mut figures = Figures {
            worker: self.hub.worker,
            ticket: question.ticket,
            report: None,
            found: Found::default(),
        };
        match question.wish {
            Wish::Report => figures.report = Some(self.own_report(kernel)),
            Wish::Connections(filter) => figures.found.connections = self.connections(&filter),
            Wish::Requests(filter) => figures.found.requests = self.requests(&filter, kernel),
        }
        kernel.tell_first(Word::Counted(Box::new(figures)));
    }

    /// Another loop has answered.
    pub(super) fn hear_figures(&mut self, mut figures: Figures) {
        let found = std::mem::take(&mut figures.found);
        let Some(office) = &mut self.hub.office else {
            return;
        };
        for key in &office.waiting {
            if let Some(Tenant::Admin(desk)) = self.tenants.get_mut(*key)
                && let Some(Patience::Figures(view)) = &mut desk.patience
                && view.ticket == figures.ticket
            {
                view.found.add(found);
                break;
            }
        }
        office.others.heard(figures);
    }

    /// Another loop has let a server go.
    pub(super) fn hear_left(&mut self, worker: usize, pool: String, backend: Backend) {
        let hub = &mut self.hub;
        let Some(mut office) = hub.office.take() else {
            return;
        };
        office.others.left(worker, pool, backend);
        office.others.forget(&|whom| {
            let mut all = hub.peers.order().iter();
            all.any(|id| hub.is_called(*id, whom))
        });
        hub.office = Some(office);
    }

    /// This loop lets a server go: what it has counted there is still of use to the first one.
    pub(super) fn tell_left(&self, id: PeerId, kernel: &mut dyn Kernel) {
        if self.hub.leads {
            return;
        }
        let pool = self.hub.peers.get(id).map(|peer| peer.pool);
        if let (Some(pool), Some(backend)) = (pool, self.backend_report(id, kernel)) {
            kernel.tell_first(Word::Left {
                worker: self.hub.worker,
                pool: self.hub.rules(pool).name.clone(),
                backend: Box::new(backend),
            });
        }
    }

    /// This loop ends.
    pub(super) fn tell_last(&self, kernel: &mut dyn Kernel) {
        if !self.hub.leads {
            let ticket = Figures::LAST;
            let wish = Wish::Report;
            self.answer(Question { ticket, wish }, kernel);
        }
    }

    /// Whether what is waited for is true of all loops.
    pub(super) fn is_done(&self, vigil: &Vigil, gone: bool) -> bool {
        let peer = self.hub.peers.get(vigil.id);
        peer.is_none_or(|peer| !gone && peer.in_flight == 0)
            && self.hub.office.as_ref().is_some_and(|office| {
                let others = &office.others;
                others.are_done(&vigil.whom, vigil.ticket, gone)
            })
    }

    /// Asks again for those who wait for a server, as long as there are any.
    pub(super) fn poll_others(&mut self, kernel: &mut dyn Kernel) {
        let now = self.hub.now;
        let Some(office) = &mut self.hub.office else {
            return;
        };
        let waits = office.waiting.iter().any(|key| {
            let Some(Tenant::Admin(desk)) = self.tenants.get(*key) else {
                return false;
            };
            matches!(desk.patience, Some(Patience::Idle(_) | Patience::Gone(_)))
        });
        let others = &mut office.others;
        if !waits || !others.are_there() {
            others.poll = None;
            return;
        }
        let due = *others.poll.get_or_insert(now + POLL);
        if due <= now && others.owe_nothing() {
            others.poll = Some(now + POLL);
            self.question(Wish::Report, kernel);
        }
    }
}

/// How often all are asked about a server that somebody waits for.
const POLL: Span = Span::millis(20);

#[cfg(test)]
mod tests;
