//! The way to a server: a kept connection first, else a new one; what follows when it fails; and
//! what becomes of it afterwards.
//!
//! Until a connection stands, nothing of a request was sent, so a failure here is never the
//! client's: the next address, then the next server is tried at once, whatever the method.

use std::io;

use super::chronicle;
use super::chronicle::How;
use super::hub::Hub;
use super::hub::Owner;
use super::hub::Parked;
use super::journal;
use super::kernel::Kernel;
use super::link::Effort;
use super::link::Link;
use super::slot::Attempt;
use super::slot::Slot;
use super::slot::Stage;
use crate::base::Fault;
use crate::base::Side;
use crate::base::TlsFault;
use crate::base::arena::Key;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::ReuseMode;
use crate::config::STALE_AFTER;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::session::Dialled;
use crate::session::Undialled;
use crate::session::Wish;
use crate::tally::Event;

/// A server that says how long it keeps a connection may measure from earlier than we do, and its
/// closing takes time to get here: that much earlier the connection is given up.
const KEEP_ALIVE_MARGIN: Span = Span::millis(500);

/// Gets the session a server, or tells it that there is none.
pub(super) fn dial(key: Key, slot: &mut Slot, wish: Wish, hub: &mut Hub, kernel: &mut dyn Kernel) {
    // The time to connect begins now, however long the request took to come.
    slot.session.redialled(hub.now);
    follow(slot, hub);
    slot.began.get_or_insert(hub.now);
    journal::asked(slot, hub);
    let last = slot.attempt.peer.filter(|_| is_retry(slot, wish));
    if let Some(id) = last {
        journal::lost(id, None, slot, hub);
        if let Some(peer) = hub.peers.get_mut(id) {
            peer.counts.retries += 1;
        }
    }
    let peer = match wish {
        Wish::Any | Wish::Young => {
            slot.attempt = Attempt::default();
            hub.peers.next(slot.pool, &[])
        }
        Wish::Fresh => {
            hub.tally.count(Event::Retried);
            slot.attempt.forget_addresses();
            same(slot, hub).or_else(|| hub.peers.next(slot.pool, slot.attempt.tried()))
        }
        Wish::Elsewhere => {
            hub.tally.count(Event::Retried);
            let lost = slot.attempt.peer;
            slot.attempt.trail().tried.extend(lost);
            slot.attempt.forget_addresses();
            let last = slot.attempt.peer.filter(|id| is_open(*id, slot, hub));
            hub.peers.next(slot.pool, slot.attempt.tried()).or(last)
        }
    };
    if matches!(wish, Wish::Fresh | Wish::Elsewhere) && slot.attempt.peer.is_some() {
        // What the client is told if there is no other server.
        slot.attempt.fault.get_or_insert(Fault::Reset);
    }
    let since_min = match wish {
        Wish::Any => Some(Moment::default()),
        Wish::Young => Some(match hub.rules(slot.pool).reuse.mode {
            ReuseMode::Always => Moment::default(),
            ReuseMode::Safe | ReuseMode::Never => hub.now - STALE_AFTER,
        }),
        Wish::Fresh | Wish::Elsewhere => None,
    };
    if let (Some(peer), Some(since_min)) = (peer, since_min)
        && let Some(link) = kept(peer, since_min, wish, hub, kernel)
    {
        slot.attempt.peer = Some(peer);
        hub.tally.count(Event::Reused);
        journal::tried(peer, slot, hub);
        return join(key, slot, link, true, hub);
    }
    walk(key, slot, peer, hub, kernel);
}

/// Whether the request was given to a server before. A tunnel says [`Wish::Fresh`] at once.
fn is_retry(slot: &Slot, wish: Wish) -> bool {
    matches!(wish, Wish::Fresh | Wish::Elsewhere) && slot.attempt.peer.is_some()
}

/// The server of the last attempt, if it may be asked again.
fn same(slot: &Slot, hub: &Hub) -> Option<PeerId> {
    let id = slot.attempt.peer?;
    (is_open(id, slot, hub) && !slot.attempt.tried().contains(&id)).then_some(id)
}

/// Whether that server may be given the request: the client's pool may be another one by now.
fn is_open(id: PeerId, slot: &Slot, hub: &Hub) -> bool {
    let ours = hub.peers.get(id).is_some_and(|peer| peer.pool == slot.pool);
    ours && hub.peers.takes_more(id)
}

/// The listener may have got another pool since the client came in; but if its name stands for
/// another place by now, it is not where this client came in.
fn follow(slot: &mut Slot, hub: &Hub) {
    let listener = hub.listeners.get(slot.listener);
    if let Some(listener) = listener.filter(|listener| listener.moves == slot.moves) {
        slot.pool = listener.pool;
    }
}

/// The attempt under way has failed.
pub(super) fn redial(
    key: Key,
    slot: &mut Slot,
    fault: Fault,
    hub: &mut Hub,
    kernel: &mut dyn Kernel,
) {
    slot.attempt.timeouts += u32::from(fault == Fault::TimedOut);
    hub.books.handshakes[1] += u64::from(slot.attempt.stage == Stage::Handshaking);
    lose(slot, hub, kernel);
    let next = failed(slot, fault, hub, kernel);
    slot.session.redialled(hub.now);
    walk(key, slot, next, hub, kernel);
}

/// The server under way is not to get anything new: another one is asked. That is nobody's failure.
fn divert(key: Key, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    lose(slot, hub, kernel);
    follow(slot, hub);
    let lost = slot.attempt.peer;
    slot.attempt.trail().tried.extend(lost);
    let next = hub.peers.next(slot.pool, slot.attempt.tried());
    slot.session.redialled(hub.now);
    walk(key, slot, next, hub, kernel);
}

/// Connects to `peer`, or to the next one for as long as that fails at once.
fn walk(key: Key, slot: &mut Slot, peer: Option<PeerId>, hub: &mut Hub, kernel: &mut dyn Kernel) {
    // The pool may have come back with servers that speak something else: not a byte for them.
    let mode = slot.session.mode();
    let mut peer = peer.filter(|_| hub.rules(slot.pool).mode == mode);
    while let Some(id) = peer {
        if !hub.peers.is_enabled(id) || hub.peers.is_full(id) {
            slot.attempt.trail().tried.push(id);
            peer = hub.peers.next(slot.pool, slot.attempt.tried());
            continue;
        }
        if slot.attempt.peer != Some(id) {
            slot.attempt.forget_addresses();
        }
        slot.attempt.peer = Some(id);
        let known = hub.peers.get(id);
        if known.is_some_and(|known| known.addresses.is_empty()) {
            // Its name is still being looked up: that is nobody's failure, and no news about it.
            slot.attempt.fault.get_or_insert(Fault::Unresolved);
            slot.attempt.trail().tried.push(id);
            peer = hub.peers.next(slot.pool, slot.attempt.tried());
            continue;
        }
        let Some(address) = known.and_then(|known| known.address(slot.attempt.addresses())) else {
            let fault = slot.attempt.fault.unwrap_or(Fault::Unresolved);
            peer = give_up_peer(slot, id, fault, hub, kernel);
            continue;
        };
        let tried = &mut slot.attempt.trail().addresses;
        tried.push(address.ip());
        if tried.len() == 1 {
            journal::tried(id, slot, hub);
        }
        match hub.connect_in_need(address, kernel) {
            Ok(socket) => {
                hub.own(socket, Owner::Session(key, Side::Server));
                slot.server = Some(Link::plain(socket));
                slot.attempt.stage = Stage::Connecting;
                hub.peers.dials(id, true);
                return;
            }
            Err(error) => peer = failed(slot, Fault::from_io(&error), hub, kernel),
        }
    }
    let why = match slot.attempt.fault {
        None if hub.peers.is_busy(slot.pool) => Undialled::Full,
        None => Undialled::NobodyUp,
        Some(Fault::Exhausted) => Undialled::Exhausted,
        Some(fault) => Undialled::Failed(fault),
    };
    slot.attempt.stage = Stage::None;
    slot.session.undialled(why, &mut hub.scratch, hub.now);
}

/// An address failed. Whom to try next.
fn failed(slot: &mut Slot, fault: Fault, hub: &mut Hub, kernel: &mut dyn Kernel) -> Option<PeerId> {
    let id = slot.attempt.peer?;
    slot.attempt.fault = Some(fault);
    if fault == Fault::Exhausted {
        // Our own want: no other address would fare better, and no server is to blame.
        return None;
    }
    if slot.attempt.timeouts >= hub.rules(slot.pool).retry.tries {
        give_up_peer(slot, id, fault, hub, kernel);
        return None;
    }
    if let (Some(peer), Some(failed)) = (hub.peers.get_mut(id), slot.attempt.addresses().last()) {
        peer.avoid(*failed);
        if peer.address(slot.attempt.addresses()).is_some() {
            return Some(id);
        }
    }
    give_up_peer(slot, id, fault, hub, kernel)
}

/// All addresses of a server failed: it is to blame. Whom to try next.
fn give_up_peer(
    slot: &mut Slot,
    id: PeerId,
    fault: Fault,
    hub: &mut Hub,
    kernel: &mut dyn Kernel,
) -> Option<PeerId> {
    hub.tally.count(Event::DialFailed);
    slot.attempt.fault = Some(fault);
    slot.attempt.trail().tried.push(id);
    if let Some(peer) = hub.peers.get_mut(id) {
        peer.failures += 1;
    }
    journal::lost(id, Some(fault), slot, hub);
    chronicle::failed(id, fault, How::Request, hub, kernel);
    hub.peers.next(slot.pool, slot.attempt.tried())
}

/// The connection under way may have got on.
pub(super) fn advance(key: Key, slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if !slot.attempt.peer.is_some_and(|id| hub.peers.is_enabled(id)) {
        return divert(key, slot, hub, kernel);
    }
    let Some(link) = slot.server.as_mut() else {
        return;
    };
    if slot.attempt.stage == Stage::Connecting {
        match verdict(link, kernel) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => return redial(key, slot, Fault::from_io(&error), hub, kernel),
        }
        let Some(peer) = slot.attempt.peer.and_then(|id| hub.peers.get(id)) else {
            return;
        };
        let heard = planted(Bug::PlaintextBeforeHandshake) && link.can_read();
        if let Some(name) = peer.tls_name.as_ref().filter(|_| !heard) {
            match secure(link, name, peer.pool, hub) {
                Ok(()) => slot.attempt.stage = Stage::Handshaking,
                Err(fault) => return redial(key, slot, fault, hub, kernel),
            }
        }
    }
    if slot.attempt.stage == Stage::Handshaking {
        match link.handshake(kernel) {
            Effort::Done => hub.books.handshakes[0] += 1,
            Effort::Blocked => return,
            Effort::Broke(fault) => {
                if let (Some(peer), Some(words)) = (slot.attempt.peer, link.complaint()) {
                    chronicle::complaint(peer, &words, hub);
                }
                return redial(key, slot, fault, hub, kernel);
            }
        }
    }
    let Some(link) = slot.server.take() else {
        return;
    };
    if let Some(id) = slot.attempt.peer {
        chronicle::passed(id, How::Request, hub, kernel);
        if let Some(peer) = hub.peers.get_mut(id) {
            peer.prefer(slot.attempt.addresses().last());
        }
    }
    hub.tally.count(Event::Dialled);
    join(key, slot, link, false, hub);
}

/// What has come of a connect, as far as its socket was heard of.
fn verdict(link: &Link, kernel: &mut dyn Kernel) -> io::Result<()> {
    let readable = planted(Bug::ReadableMeansConnected) && link.can_read();
    if readable || (link.can_write() && planted(Bug::ConnectVerdictSkipped)) {
        return Ok(());
    }
    if !link.can_write() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    kernel.established(link.socket())
}

/// Puts TLS on a link that has just been connected.
pub(super) fn secure(link: &mut Link, name: &str, pool: PoolId, hub: &Hub) -> Result<(), Fault> {
    let unable = Fault::Tls(TlsFault::Protocol);
    let settings = hub.rules(pool).client_tls.as_ref().ok_or(unable)?;
    link.secured(settings.connect(name).map_err(|_| unable)?);
    Ok(())
}

/// A kept connection to that server which is still clean.
///
/// Usually what the kernel has reported is enough to go by. For a request that cannot be repeated
/// one more look, a system call, catches an end that came since.
fn kept(
    peer: PeerId,
    since_min: Moment,
    wish: Wish,
    hub: &mut Hub,
    kernel: &mut dyn Kernel,
) -> Option<Link> {
    loop {
        let taken = hub.idle.take(peer, since_min, hub.turn, hub.now)?;
        let Some(Parked {
            mut link,
            peer: whose,
        }) = hub.parked.remove(taken.connection)
        else {
            continue;
        };
        assert!(whose == peer, "a connection outlived its server");
        let unsure = taken.unseen || hub.unseen_events || link.can_read() || wish == Wish::Young;
        if unsure && !link.idle_check(kernel) {
            hub.tally.count(Event::ParkedBroken);
            hub.close(link, kernel);
            continue;
        }
        return Some(link);
    }
}

/// Gives the session its server.
fn join(key: Key, slot: &mut Slot, link: Link, reused: bool, hub: &mut Hub) {
    hub.own(link.socket(), Owner::Session(key, Side::Server));
    slot.server = Some(link);
    let full = slot.attempt.peer.is_some_and(|id| hub.peers.is_full(id));
    debug_assert!(
        !reused || !full,
        "a server gets more than it is to be given"
    );
    release(slot, hub);
    slot.attempt.stage = Stage::Joined;
    let number = journal::joined(reused, slot, hub);
    let Some(peer) = slot.attempt.peer.and_then(|id| hub.peers.get_mut(id)) else {
        return;
    };
    peer.requests += 1;
    match reused {
        true => peer.counts.reuses += 1,
        false => peer.counts.connects += 1,
    }
    let got = Dialled {
        authority: &peer.authority,
        own_host: peer.own_host,
        reused,
        number,
    };
    slot.session.dialled(got, &mut hub.scratch, hub.now);
    if let Some(id) = slot.attempt.peer {
        hub.peers.carries(id, true);
    }
}

/// The place that it has at a server is free, or another kind of place.
fn release(slot: &Slot, hub: &mut Hub) {
    let Some(id) = slot.attempt.peer else {
        return;
    };
    match slot.attempt.stage {
        Stage::None => {}
        Stage::Connecting | Stage::Handshaking => hub.peers.dials(id, false),
        Stage::Joined => hub.peers.carries(id, false),
    }
}

/// Takes the server link out of the slot and settles the books.
fn detach(slot: &mut Slot, hub: &mut Hub) -> Option<Link> {
    release(slot, hub);
    slot.attempt.stage = Stage::None;
    slot.server.take()
}

/// The session is done with its server connection, which is clean as far as it knows.
pub(super) fn park(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(mut link) = detach(slot, hub) else {
        return;
    };
    let said = slot.session.server_keep_alive();
    let pool = slot.attempt.peer.and_then(|id| hub.peers.get(id));
    let reuse = hub.rules(pool.map_or(slot.pool, |peer| peer.pool)).reuse;
    let most = match reuse.mode {
        ReuseMode::Never => 0,
        ReuseMode::Safe | ReuseMode::Always => reuse.idle,
    };
    let span = said.map_or(reuse.idle_time, |said| {
        reuse
            .idle_time
            .min(Span(said.0.saturating_sub(KEEP_ALIVE_MARGIN.0)))
    });
    let peer = slot
        .attempt
        .peer
        .filter(|id| hub.peers.is_up(*id) && !hub.draining() && !slot.attempt.strange);
    // A byte or an end that came with the answer, or behind it, spoils the connection.
    let clean = !link.unsent() && (!link.can_read() || link.idle_check(kernel));
    let Some(peer) = peer.filter(|_| clean && span > Span::ZERO) else {
        return hub.close(link, kernel);
    };
    hub.tally.count(Event::Parked);
    let socket = link.socket();
    let connection = hub.parked.insert(Parked { link, peer });
    hub.own(socket, Owner::Parked(connection));
    let evicted = hub
        .idle
        .put(peer, most, connection, hub.now + span, hub.turn, hub.now);
    if let Some(Parked { link, .. }) = evicted.and_then(|key| hub.parked.remove(key)) {
        hub.close(link, kernel);
    }
}

/// The session is done with its server connection, which nobody else may use.
pub(super) fn drop_server(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if let Some(link) = detach(slot, hub) {
        hub.close(link, kernel);
    }
}

/// The server connection goes with a reset, because what went through it is not whole.
pub(super) fn abort_server(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if planted(Bug::InFlightLeaks) {
        slot.attempt.stage = Stage::None;
    }
    if let Some(link) = detach(slot, hub) {
        hub.abort(link, kernel);
    }
}

/// The connection under way is given up.
fn lose(slot: &mut Slot, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if planted(Bug::AbandonedSocketLeaks) {
        slot.server = None;
    }
    drop_server(slot, hub, kernel);
}
