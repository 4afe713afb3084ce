//! A link's work when it is TLS: a channel above, a wire below, and the rules between them.
//!
//! Private to the link. Every function ends by having nothing more to do until an event.

use std::io;

use super::progress::Effort;
use super::progress::Progress;
use super::wire::Bridge;
use super::wire::NOTIFIED;
use super::wire::READABLE;
use super::wire::SEVERED;
use super::wire::WRITABLE;
use super::wire::Wire;
use crate::base::Fault;
use crate::base::TlsFault;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::engine::kernel::Kernel;
use crate::limits;
use crate::tls::channel::Channel;
use crate::tls::channel::Outcome;

/// Plaintext first; else ciphertext, as long as an event has promised some.
pub(super) fn decrypt(
    channel: &mut Channel,
    wire: &mut Wire,
    kernel: &mut dyn Kernel,
    into: &mut [u8],
) -> Progress {
    let mut absorbed = 0;
    loop {
        match channel.read(into) {
            Outcome::Moved(count) => return Progress::Moved(count),
            Outcome::Ended => return Progress::Ended,
            Outcome::Broke(fault) => return Progress::Broke(fault),
            Outcome::Empty => {}
        }
        match absorb(channel, wire, kernel, &mut absorbed) {
            Effort::Done => {}
            Effort::Blocked => return Progress::Blocked,
            Effort::Broke(fault) => return Progress::Broke(fault),
        }
    }
}

/// Takes new plaintext only when all the old ciphertext is gone, so that what waits here is
/// bounded and a caller that is blocked has bytes in the kernel, not only in here.
pub(super) fn encrypt(
    channel: &mut Channel,
    wire: &mut Wire,
    kernel: &mut dyn Kernel,
    from: &[u8],
) -> Progress {
    if wire.has(NOTIFIED) {
        // What the kernel says to a write after the end of a plain stream.
        return Progress::Broke(Fault::Reset);
    }
    match shake(channel, wire, kernel) {
        Effort::Done => {}
        Effort::Blocked => return Progress::Blocked,
        Effort::Broke(fault) => return Progress::Broke(fault),
    }
    let mut taken = 0;
    loop {
        match drain(channel, wire, kernel) {
            Effort::Done => {}
            Effort::Blocked => break,
            Effort::Broke(fault) => return Progress::Broke(fault),
        }
        if taken == from.len() || !wire.has(WRITABLE) {
            break;
        }
        let count = channel.write(&from[taken..]);
        if count == 0 {
            // Empty, and takes nothing: it never will.
            return Progress::Broke(Fault::Tls(TlsFault::Protocol));
        }
        taken += count;
    }
    match taken {
        0 => Progress::Blocked,
        count => Progress::Moved(count),
    }
}

pub(super) fn shake(channel: &mut Channel, wire: &mut Wire, kernel: &mut dyn Kernel) -> Effort {
    let mut absorbed = 0;
    let mut sent = Effort::Done;
    loop {
        if let Some(fault) = channel.fault() {
            return Effort::Broke(fault);
        }
        if !channel.handshaking() {
            return Effort::Done;
        }
        if channel.closed_cleanly() {
            return Effort::Broke(Fault::Ended);
        }
        // A peer that refuses says why and closes: our writing fails, but its alert, which tells
        // more, can still be read. So a failure to write counts only when there is no more to read.
        if sent == Effort::Done {
            sent = drain(channel, wire, kernel);
        }
        match absorb(channel, wire, kernel, &mut absorbed) {
            Effort::Blocked if sent != Effort::Done => return sent,
            Effort::Done => {}
            blocked_or_broken @ (Effort::Blocked | Effort::Broke(_)) => return blocked_or_broken,
        }
    }
}

/// One read's worth of ciphertext, and an attempt to send what it calls for. Blocked if the
/// socket has nothing. `absorbed` counts over one call from above.
fn absorb(
    channel: &mut Channel,
    wire: &mut Wire,
    kernel: &mut dyn Kernel,
    absorbed: &mut usize,
) -> Effort {
    if !wire.has(READABLE) {
        return Effort::Blocked;
    }
    if *absorbed >= limits::BYTES_PER_RUN {
        // So much of tickets and padding without one byte of plaintext serves only to keep us
        // busy; and to return here without blocking would spin.
        return Effort::Broke(Fault::Tls(TlsFault::Protocol));
    }
    let taken = channel.absorb(&mut Bridge { wire, kernel });
    // Whether or not anything could be taken. A failure will be found by whoever writes next.
    drain(channel, wire, kernel);
    match taken {
        Ok(count) => {
            *absorbed += count;
            Effort::Done
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Effort::Blocked,
        Err(error) => Effort::Broke(Fault::from_io(&error)),
    }
}

pub(super) fn drain(channel: &mut Channel, wire: &mut Wire, kernel: &mut dyn Kernel) -> Effort {
    while channel.wants_write() {
        if wire.has(SEVERED) {
            return Effort::Broke(Fault::Reset);
        }
        if !wire.has(WRITABLE) {
            return Effort::Blocked;
        }
        match channel.emit(&mut Bridge { wire, kernel }) {
            Ok(0) => return Effort::Blocked,
            Ok(_) if planted(Bug::TlsFlushesOnce) => return Effort::Done,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Effort::Blocked,
            Err(error) => return Effort::Broke(Fault::from_io(&error)),
        }
    }
    Effort::Done
}

pub(super) fn is_idle(channel: &mut Channel, wire: &mut Wire, kernel: &mut dyn Kernel) -> bool {
    let mut absorbed = 0;
    // One trial, whether or not an event has promised something.
    wire.set(READABLE);
    loop {
        if channel.has_news() || channel.handshaking() || !channel.is_open() {
            return false;
        }
        match absorb(channel, wire, kernel, &mut absorbed) {
            Effort::Done => {}
            Effort::Blocked => return true,
            Effort::Broke(_) => return false,
        }
    }
}
