//! Long transfers through pipes: who holds one, and for how long.
//!
//! A session says what goes in and comes out; this file finds it a pipe. A direction holds one
//! only while bytes are in it or are about to be, so that a few serve many transfers. One whose
//! bytes nobody wants any more is closed: what is in it must never come out for somebody else.

use super::hub::Hub;
use super::kernel::Kernel;
use super::link::Progress;
use super::pipes::Held;
use super::slot::Slot;
use crate::base::Fault;
use crate::base::Side;
use crate::session::Way;
use crate::tally::Event;

/// Moves bytes from `side` into its pipe, and says how many.
pub(super) fn fill(side: Side, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> usize {
    let pipes = slot.pipes.get_or_insert_default();
    let place = &mut pipes.held[side.index()];
    if let Some(dirty) = place.take_if(|held| held.count > 0) {
        hub.pipes.give(dirty, kernel);
    }
    if place.is_none() {
        *place = hub.pipes.take(kernel).map(|pipe| Held { pipe, count: 0 });
    }
    let Some(held) = place else {
        hub.tally.count(Event::PipeMissing);
        pipes.denied = true;
        return 0;
    };
    let link = match side {
        Side::Client => Some(&mut slot.client),
        Side::Server => slot.server.as_mut(),
    };
    let most = slot.session.splice_most(side);
    let progress = match link {
        Some(link) if most > 0 => link.fill(kernel, held.pipe, most),
        _ => Progress::Broke(Fault::Ended),
    };
    let (session, scratch, now) = (&mut slot.session, &mut hub.scratch, hub.now);
    match progress {
        Progress::Moved(count) => {
            held.count = count;
            hub.tally.add(Event::Spliced, count as u64);
            session.piped(side, count, now);
            return count;
        }
        Progress::Blocked => {}
        Progress::Ended => session.ended(side, scratch, now),
        Progress::Broke(fault) => session.broke(side, Way::Reading, fault, scratch, now),
    }
    0
}

/// Moves what is in the other side's pipe to `side`, and says how much.
pub(super) fn pour(side: Side, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) -> usize {
    let held = slot
        .pipes
        .as_mut()
        .and_then(|pipes| pipes.held[side.other().index()].as_mut());
    let link = match side {
        Side::Client => Some(&mut slot.client),
        Side::Server => slot.server.as_mut(),
    };
    let progress = match (link, held) {
        (Some(link), Some(held)) if held.count > 0 => {
            let progress = link.pour(kernel, held.pipe, held.count);
            if let Progress::Moved(count) = progress {
                held.count -= count;
            }
            progress
        }
        _ => Progress::Broke(Fault::Ended),
    };
    let fault = match progress {
        Progress::Moved(count) => {
            slot.session.poured(side, count, hub.now);
            return count;
        }
        Progress::Blocked => return 0,
        Progress::Ended => Fault::Ended,
        Progress::Broke(fault) => fault,
    };
    slot.session
        .broke(side, Way::Writing, fault, &mut hub.scratch, hub.now);
    0
}

/// The session waits: pipes that hold nothing of it go back.
pub(super) fn settle(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(pipes) = &mut slot.pipes else {
        return;
    };
    for side in [Side::Client, Side::Server] {
        if slot.session.half(side).piped() == 0
            && let Some(held) = pipes.held[side.index()].take()
        {
            hub.pipes.give(held, kernel);
        }
    }
}

/// The session is over: all its pipes go.
pub(super) fn surrender(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(pipes) = slot.pipes.take() else {
        return;
    };
    for held in pipes.held.into_iter().flatten() {
        hub.pipes.give(held, kernel);
    }
}
