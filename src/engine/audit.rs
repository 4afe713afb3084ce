//! The engine's books, each beside what a recount finds: for the simulator, which compares them
//! between any two turns. A counter that nobody recounts is believed until it wraps.

use super::hub::Hub;
use super::link::Link;
use super::slot::Slot;
use super::slot::Stage;
use super::slot::Tenant;
use super::turn::Engine;
use crate::base::Side;
use crate::base::Socket;
use crate::base::time::Moment;
use crate::peers::PeerId;
use crate::tally::Event;

/// What the engine believes, and what is true.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Client connections.
    pub sessions: Count,
    /// Memory lent for bytes, in windows.
    pub windows: Count,
    /// Pipes in use.
    pub pipes: Count,
    /// More windows are never lent.
    pub windows_max: usize,
    /// More client connections are never accepted.
    pub sessions_max: usize,
    /// Kept server connections.
    pub parked: Count,
    /// Sockets with an owner, and sockets that somebody holds.
    pub sockets: Count,
    /// Requests on each server, in the order of the configuration.
    pub in_flight: Vec<Count>,
    /// Requests given to servers: over new and kept connections, and by the servers' own counts.
    pub given: Count,
    /// Requests and tunnels that have ended: as they were recorded, and as they were counted.
    pub records: Count,
    /// How often the turn came to each server: requests given to it, and attempts under way.
    pub picks: Vec<u64>,
    /// Servers that an operator has taken out, and the requests given to each so far.
    pub resting: Vec<(PeerId, u64)>,
    /// The first moment at which a session, a probe, a kept connection or the drain is over its
    /// time; `None` if nothing waits.
    pub due: Option<Moment>,
    /// What is believed of every socket.
    pub beliefs: Vec<Belief>,
}

/// One figure twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// As it is kept.
    pub kept: u64,
    /// As a recount finds it.
    pub found: u64,
}

/// What is believed of a socket. A socket that could do more than that, and of which the kernel
/// has nothing left to report, is forgotten for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belief {
    /// Which one.
    pub socket: Socket,
    /// A read, or an accept, may give something.
    pub readable: bool,
    /// A write may take something.
    pub writable: bool,
}

impl Engine {
    /// Takes all books into `audit`, whose memory is used again. For the simulator: it walks
    /// through everything there is.
    pub fn audit(&self, audit: &mut Audit) {
        let hub = &self.hub;
        audit.start(hub);
        for (_, tenant) in self.tenants.iter() {
            match tenant {
                Tenant::Session(slot) => audit.session(slot, hub),
                Tenant::Probe(probe) => {
                    audit.link(&probe.link);
                    audit.wait(probe.deadline);
                }
                Tenant::Admin(desk) => {
                    audit.link(&desk.link);
                    if let Some(deadline) = desk.talk.deadline() {
                        audit.wait(deadline);
                    }
                }
            }
        }
        for (_, parked) in hub.parked.iter() {
            audit.link(&parked.link);
        }
        if let Some(office) = &hub.office {
            audit.sockets.found += 1;
            audit.beliefs.push(Belief {
                socket: office.socket,
                readable: office.ready,
                writable: true,
            });
        }
        for listener in &hub.listeners {
            let Some(socket) = listener.socket else {
                continue;
            };
            audit.sockets.found += 1;
            audit.beliefs.push(Belief {
                socket,
                readable: listener.ready,
                writable: true,
            });
        }
    }
}

impl Audit {
    /// What is kept, and nothing found yet.
    fn start(&mut self, hub: &Hub) {
        let mut in_flight = std::mem::take(&mut self.in_flight);
        let mut picks = std::mem::take(&mut self.picks);
        let mut beliefs = std::mem::take(&mut self.beliefs);
        in_flight.clear();
        picks.clear();
        beliefs.clear();
        let known = hub.peers.order().iter().filter_map(|id| hub.peers.get(*id));
        in_flight.extend(known.clone().map(|peer| Count::kept(peer.in_flight)));
        picks.extend(known.map(|peer| peer.requests));
        let mut resting = std::mem::take(&mut self.resting);
        resting.clear();
        let all = hub.peers.order().iter();
        let out = all.filter(|id| !hub.peers.is_enabled(**id));
        resting.extend(out.filter_map(|id| Some((*id, hub.peers.get(*id)?.requests))));
        let given = hub.tally.of(Event::Dialled) + hub.tally.of(Event::Reused);
        *self = Self {
            sessions: Count::kept(hub.sessions as u64),
            windows: Count::kept(hub.windows.lent() as u64),
            pipes: Count::kept(hub.pipes.lent() as u64),
            windows_max: hub.sessions_max.saturating_mul(2),
            sessions_max: hub.sessions_max,
            parked: Count {
                kept: hub.idle.len() as u64,
                found: hub.parked.len() as u64,
            },
            sockets: Count::kept(hub.owners.iter().flatten().count() as u64),
            in_flight,
            given: Count {
                kept: given,
                found: picks.iter().sum::<u64>() + hub.peers.departed(),
            },
            records: Count {
                kept: hub.journal.recorder.count(),
                found: ended(hub),
            },
            picks,
            resting,
            due: None,
            beliefs,
        };
        for moment in [hub.idle.due(), hub.drain.deadline(), hub.leaving_due()]
            .into_iter()
            .flatten()
        {
            self.wait(moment);
        }
    }

    fn session(&mut self, slot: &Slot, hub: &Hub) {
        self.sessions.found += 1;
        self.link(&slot.client);
        if let Some(server) = &slot.server {
            self.link(server);
        }
        for side in [Side::Client, Side::Server] {
            self.windows.found += u64::from(slot.session.half(side).has_window());
        }
        if let Some(pipes) = &slot.pipes {
            self.pipes.found += pipes.held.iter().flatten().count() as u64;
        }
        if let Some(at) = slot.attempt.peer.and_then(|id| place(id, hub)) {
            match slot.attempt.stage {
                Stage::None => {}
                Stage::Connecting | Stage::Handshaking => self.picks[at] += 1,
                Stage::Joined => self.in_flight[at].found += 1,
            }
        }
        if let Some(deadline) = slot.session.deadline() {
            self.wait(deadline);
        }
    }

    fn link(&mut self, link: &Link) {
        self.sockets.found += 1;
        let (readable, writable) = link.believed();
        self.beliefs.push(Belief {
            socket: link.socket(),
            readable,
            writable,
        });
    }

    fn wait(&mut self, until: Moment) {
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
    }
}

impl Count {
    const fn kept(kept: u64) -> Self {
        Self { kept, found: 0 }
    }

    /// True if the book is right.
    #[must_use]
    pub const fn is_right(self) -> bool {
        self.kept == self.found
    }
}

/// How many have ended by the counters, in which an upgraded request is one and its tunnel another.
fn ended(hub: &Hub) -> u64 {
    let ends: u64 = hub.books.ends.iter().flatten().sum();
    let rows = hub
        .books
        .doors
        .iter()
        .flat_map(|door| door.rows.iter().flatten());
    let codes = rows.flat_map(|row| row.codes.iter().flatten());
    let switched: u64 = codes.map(|codes| codes[101]).sum();
    ends - switched
}

fn place(id: PeerId, hub: &Hub) -> Option<usize> {
    hub.peers.order().iter().position(|known| *known == id)
}
