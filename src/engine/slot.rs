//! What the engine runs: sessions, each with its links and its attempt to dial, and probes.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::journal::note::Note;
use super::link::Link;
use super::office::Desk;
use super::pipes::Pipes;
use crate::base::Fault;
use crate::base::Side;
use crate::base::time::Moment;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::session::Can;
use crate::session::Session;

/// What the run queue and the timers speak of.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one piece of memory that is given back when a crowd has left"
)]
pub(super) enum Tenant {
    Session(Slot),
    Probe(Probe),
    Admin(Box<Desk>),
}

/// A session with everything it holds.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) session: Session,
    pub(super) client: Link,
    pub(super) server: Option<Link>,
    pub(super) attempt: Attempt,
    /// Where the client is.
    pub(super) from: SocketAddr,
    /// Who serves it.
    pub(super) pool: PoolId,
    /// Where it came in: the position of the listener.
    pub(super) listener: usize,
    /// How often that had been moved by then.
    pub(super) moves: u32,
    /// When it came in.
    pub(super) since: Moment,
    /// When a server was wanted first for the request that runs.
    pub(super) began: Option<Moment>,
    /// What is to be told of the request that runs.
    pub(super) note: Option<Box<Note>>,
    /// What a long transfer uses.
    pub(super) pipes: Option<Box<Pipes>>,
}

/// How a client came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door {
    pub(super) listener: usize,
    pub(super) moves: u32,
    pub(super) pool: PoolId,
    pub(super) now: Moment,
}

/// The way to a server, as far as it is gone.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) peer: Option<PeerId>,
    /// What was tried; nothing for most, who get a kept connection.
    trail: Option<Box<Trail>>,
    pub(super) stage: Stage,
    /// Why the last attempt failed.
    pub(super) fault: Option<Fault>,
    /// How many attempts took too long.
    pub(super) timeouts: u32,
    /// The connection was made under rules that do not hold any more: nobody else may use it.
    pub(super) strange: bool,
}

/// What was tried for one request.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Servers that it is not to be given to again.
    pub(super) tried: Vec<PeerId>,
    /// The addresses of the server at hand; the last one is under way.
    pub(super) addresses: Vec<IpAddr>,
}

impl Attempt {
    /// Servers that this request is not to be given to again.
    pub(super) fn tried(&self) -> &[PeerId] {
        self.trail.as_ref().map_or(&[], |trail| &trail.tried)
    }

    /// The addresses of the server at hand that were tried; the last one is under way.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        self.trail.as_ref().map_or(&[], |trail| &trail.addresses)
    }

    /// What was tried, to go on with.
    pub(super) fn trail(&mut self) -> &mut Trail {
        self.trail.get_or_insert_default()
    }

    /// The addresses that were tried are those of another server, or of another time.
    pub(super) fn forget_addresses(&mut self) {
        if let Some(trail) = &mut self.trail {
            trail.addresses.clear();
        }
    }

    /// Nothing is under way: no memory is held.
    pub(super) fn rest(&mut self) {
        self.trail = None;
    }
}

/// How far a server connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There is none.
    #[default]
    None,
    /// TCP is being agreed on.
    Connecting,
    /// TLS is being agreed on.
    Handshaking,
    /// The session has it.
    Joined,
}

/// A probe that runs.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) peer: PeerId,
    pub(super) link: Link,
    pub(super) stage: Stage,
    /// The addresses of the server that were tried; the last one is under way.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) deadline: Moment,
}

impl Slot {
    /// For a client that has just connected.
    #[must_use]
    pub(super) fn new(session: Session, client: Link, from: SocketAddr, door: Door) -> Self {
        Self {
            session,
            client,
            server: None,
            attempt: Attempt::default(),
            from,
            pool: door.pool,
            listener: door.listener,
            moves: door.moves,
            since: door.now,
            began: None,
            note: None,
            pipes: None,
        }
    }

    /// What the sockets allow. A server that is not joined yet is none.
    #[must_use]
    pub(super) fn can(&self) -> Can {
        let can = Can::NOTHING
            .with_read(Side::Client, self.client.can_read())
            .with_write(Side::Client, self.client.can_write())
            .with_held(Side::Client, self.client.holds())
            .with_greeting(self.client.handshaking())
            .with_stuck(Side::Client, self.client.is_stuck());
        match &self.server {
            Some(server) if self.attempt.stage == Stage::Joined => can
                .with_read(Side::Server, server.can_read())
                .with_write(Side::Server, server.can_write())
                .with_held(Side::Server, server.holds())
                .with_stuck(Side::Server, server.is_stuck())
                .with_pipes(self.may_splice(server)),
            _ => can,
        }
    }

    fn may_splice(&self, server: &Link) -> bool {
        let denied = self.pipes.as_ref().is_some_and(|pipes| pipes.denied);
        !denied && !server.is_secure() && !self.client.is_secure()
    }

    /// The link to that side.
    pub(super) fn link_mut(&mut self, side: Side) -> Option<&mut Link> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Server => self.server.as_mut(),
        }
    }

    /// True if the engine has to do something before the session is asked: a connection whose
    /// next stage may be reached, or ciphertext that may go out.
    #[must_use]
    pub(super) fn has_chores(&self) -> bool {
        self.client.can_flush()
            || self
                .server
                .as_ref()
                .is_some_and(|server| match self.attempt.stage {
                    Stage::None => false,
                    Stage::Connecting => server.can_write(),
                    Stage::Handshaking => server.can_read() || server.can_flush(),
                    Stage::Joined => server.can_flush(),
                })
    }

    /// True if nothing at all can be done now: no chore, and the session waits for something
    /// that has not come. Asserted by the simulator whenever the loop is about to block.
    #[must_use]
    pub(super) fn is_settled(&mut self, now: Moment) -> bool {
        let waits = self
            .session
            .deadline()
            .is_none_or(|deadline| deadline > now);
        let can = self.can();
        !self.has_chores() && waits && self.session.next(can) == crate::session::Step::Wait
    }
}
