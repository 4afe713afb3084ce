//! Runs one session: carries out its steps until it waits, ends, or has used its share of a turn.

use super::books;
use super::chronicle;
use super::hub::Hub;
use super::journal;
use super::kernel::Kernel;
use super::link::Effort;
use super::link::Progress;
use super::slot::Slot;
use super::slot::Stage;
use super::splice;
use super::upstream;
use crate::base::Fault;
use crate::base::Side;
use crate::base::arena::Key;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::limits;
use crate::session::Outcome;
use crate::session::Step;
use crate::session::Way;
use crate::tally::Event;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// Nothing to do before something happens.
    Waits,
    /// There is more to do, but others come first.
    Again,
    /// A window is missing; to be run again when one comes back.
    Starves,
    /// The session is over.
    Over(Outcome),
}

/// Runs the session in `slot`.
pub(super) fn run(key: Key, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> Ran {
    let mut bytes = 0;
    let steps = if planted(Bug::ShareUnbounded) {
        usize::MAX
    } else {
        limits::STEPS_PER_RUN
    };
    for _ in 0..steps {
        if bytes >= limits::BYTES_PER_RUN && !planted(Bug::ShareUnbounded) {
            break;
        }
        chores(key, slot, hub, kernel);
        let step = slot.session.next(slot.can());
        // A request that has ended comes before what befell the next one, and a run may see
        // several refused: each is said before the next one can be.
        if let Some(record) = slot.session.record() {
            books::finished(record, slot, hub);
        }
        chronicle::incident(slot, hub);
        match step {
            Step::Read(side) => match read(side, slot, hub, kernel) {
                Some(count) => {
                    bytes += count;
                    books::came(side, count, slot, hub);
                }
                None => return Ran::Starves,
            },
            Step::Write(side) => {
                let count = write(side, slot, hub, kernel);
                bytes += count;
                books::went(side, count, slot, hub);
            }
            Step::Fill(side) => {
                let count = splice::fill(side, slot, hub, kernel);
                bytes += count;
                books::came(side, count, slot, hub);
            }
            Step::Pour(side) => {
                let count = splice::pour(side, slot, hub, kernel);
                bytes += count;
                books::went(side, count, slot, hub);
            }
            Step::Finish(side) => finish(side, slot, hub, kernel),
            Step::Dial(wish) => {
                if hub.is_last(slot) {
                    slot.session.drain();
                }
                upstream::dial(key, slot, wish, hub, kernel);
            }
            Step::Redial(fault) => upstream::redial(key, slot, fault, hub, kernel),
            Step::Park => upstream::park(slot, hub, kernel),
            Step::Drop => upstream::drop_server(slot, hub, kernel),
            Step::End(outcome) => return Ran::Over(outcome),
            Step::Wait => {
                if slot
                    .session
                    .deadline()
                    .is_none_or(|deadline| deadline > hub.now)
                {
                    return wait(key, slot, hub, kernel);
                }
                slot.session.expired(&mut hub.scratch, hub.now);
            }
        }
    }
    hub.tally.count(Event::BudgetSpent);
    Ran::Again
}

/// The deadline is armed and memory that holds nothing goes back.
fn wait(key: Key, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> Ran {
    if let Some(deadline) = slot.session.deadline() {
        hub.timers.arm(key, deadline);
    }
    for side in [Side::Client, Side::Server] {
        if let Some(window) = slot.session.half_mut(side).reclaim() {
            hub.give(window);
        }
    }
    if let Some(memory) = slot.session.reclaim() {
        hub.keep(memory);
        // What was tried for the last request is of no use to the next one.
        slot.attempt.rest();
        journal::release(slot, hub);
    }
    splice::settle(slot, hub, kernel);
    Ran::Waits
}

/// What the links need before the session is asked.
fn chores(key: Key, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if matches!(slot.attempt.stage, Stage::Connecting | Stage::Handshaking) {
        upstream::advance(key, slot, hub, kernel);
    } else if let Some(server) = slot.server.as_mut().filter(|server| server.can_flush())
        && let Effort::Broke(fault) = server.flush(kernel)
    {
        slot.session
            .broke(Side::Server, Way::Writing, fault, &mut hub.scratch, hub.now);
    }
    if slot.client.can_flush()
        && let Effort::Broke(fault) = slot.client.flush(kernel)
    {
        slot.session
            .broke(Side::Client, Way::Writing, fault, &mut hub.scratch, hub.now);
    }
}

/// Reads once. `None` if there was no window to read into.
fn read(side: Side, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> Option<usize> {
    let half = slot.session.half_mut(side);
    if !half.has_window() {
        half.lend(hub.take()?);
    }
    if slot.session.lacks_memory()
        && let Some(memory) = hub.memories.pop()
    {
        slot.session.lend(memory);
    }
    let half = slot.session.half_mut(side);
    // A session that could splice would not have asked for a read.
    half.broaden(&mut hub.windows);
    let link = match side {
        Side::Client => Some(&mut slot.client),
        Side::Server => slot.server.as_mut(),
    };
    let progress = match link {
        Some(link) => link.read(kernel, half.space()),
        None => Progress::Broke(Fault::Ended),
    };
    let (session, scratch, now) = (&mut slot.session, &mut hub.scratch, hub.now);
    match progress {
        Progress::Moved(count) => {
            session.filled(side, count, scratch, now);
            return Some(count);
        }
        Progress::Blocked => {}
        Progress::Ended if planted(Bug::EndIsReset) => {
            session.broke(side, Way::Reading, Fault::Reset, scratch, now);
        }
        Progress::Ended => session.ended(side, scratch, now),
        Progress::Broke(fault) => session.broke(side, Way::Reading, fault, scratch, now),
    }
    Some(0)
}

fn write(side: Side, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> usize {
    let link = match side {
        Side::Client => Some(&mut slot.client),
        Side::Server => slot.server.as_mut(),
    };
    let progress = match link {
        Some(link) => link.write(kernel, slot.session.pending(side)),
        None => Progress::Broke(Fault::Ended),
    };
    match progress {
        Progress::Moved(count) => {
            slot.session.wrote(side, count, hub.now);
            return count;
        }
        Progress::Blocked => {}
        Progress::Ended => {
            slot.session
                .broke(side, Way::Writing, Fault::Ended, &mut hub.scratch, hub.now);
        }
        Progress::Broke(fault) => {
            slot.session
                .broke(side, Way::Writing, fault, &mut hub.scratch, hub.now);
        }
    }
    0
}

fn finish(side: Side, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(link) = slot.link_mut(side) else {
        return;
    };
    match link.finish(kernel) {
        // The session sees by what is held back that it has to wait.
        Effort::Blocked => {}
        Effort::Done => slot.session.finished(side, hub.now),
        Effort::Broke(fault) => {
            slot.session
                .broke(side, Way::Writing, fault, &mut hub.scratch, hub.now);
        }
    }
}
