//! The admin interface on the loop: its listener, its connections, and who waits for what.
//!
//! A connection here is a tenant like sessions and probes, run in its turn and for its share. There
//! are few of them, they count towards nobody's limits, and what they cost is bounded: heads,
//! bodies, answers that wait, and time.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::figures::Others;
use super::figures::PATIENCE;
use super::figures::Wish;
use super::history::Entry;
use super::history::History;
use super::hub::Owner;
use super::kernel::Kernel;
use super::kernel::Reach;
use super::link::Effort;
use super::link::Link;
use super::link::Progress;
use super::office::Desk;
use super::office::Office;
use super::office::Patience;
use super::office::Setup;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::Access;
use crate::admin::Answer;
use crate::admin::Command;
use crate::admin::Conversation;
use crate::admin::Move;
use crate::admin::json;
use crate::base::Side;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Address;
use crate::limits;
use crate::peers::PeerId;

impl Engine {
    /// Opens the admin interface, and says where it is if that is an address.
    ///
    /// # Errors
    /// Those of [`Kernel::listen`] and [`Kernel::listen_unix`].
    pub fn open_admin(
        &mut self,
        setup: Setup,
        kernel: &mut dyn Kernel,
    ) -> io::Result<Option<SocketAddr>> {
        let (socket, address) = match &setup.address {
            Address::Tcp(address) => {
                let socket = kernel.listen(*address)?;
                (socket, Some(kernel.local_address(socket)?))
            }
            Address::Unix(path) => (kernel.listen_unix(path, Reach::Owner)?, None),
        };
        self.hub.own(socket, Owner::Admin);
        self.hub.office = Some(Office {
            socket,
            ready: false,
            retry: None,
            access: Rc::new(Access::new(address, setup.token)),
            desks: Vec::new(),
            history: History::default(),
            waiting: Vec::new(),
            streams: Vec::new(),
            tick: self.hub.now,
            others: Others::new(self.hub.loops),
        });
        Ok(address)
    }

    /// Accepts admin connections, answers who has waited long enough, and tells those who listen.
    pub(super) fn mind_office(&mut self, kernel: &mut dyn Kernel) {
        if self.hub.office.is_none() {
            self.hub.changes.clear();
            return;
        }
        self.accept_admin(kernel);
        self.answer_waiting(kernel);
        self.poll_others(kernel);
        self.tell(kernel);
    }

    fn accept_admin(&mut self, kernel: &mut dyn Kernel) {
        for _ in 0..limits::ADMIN_ACCEPTS_PER_TURN {
            let hub = &mut self.hub;
            let Some(office) = &mut hub.office else {
                return;
            };
            if !office.ready || office.retry.is_some_and(|at| at > hub.now) {
                return;
            }
            office.retry = None;
            let socket = match kernel.accept(office.socket) {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    office.ready = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => {
                    office.retry = Some(hub.now + ACCEPT_RETRY);
                    return;
                }
            };
            if office.desks.len() >= limits::ADMIN_CONNECTIONS_MAX && !self.make_room(kernel) {
                // The socket has just been born: it takes that much, or else nobody is there.
                let _ = kernel.write(socket, FULL);
                kernel.close(socket);
                continue;
            }
            let hub = &mut self.hub;
            let key = self.tenants.insert(Tenant::Admin(Box::new(Desk {
                link: Link::plain(socket),
                talk: Conversation::new(hub.now),
                patience: None,
            })));
            hub.own(socket, Owner::Session(key, Side::Client));
            hub.queue.push(key);
            if let Some(office) = &mut hub.office {
                office.desks.push(key);
            }
        }
    }

    /// Closes the connection that has been of no use for the longest time, so that a crowd of
    /// silent clients locks nobody out; false if all are of use.
    fn make_room(&mut self, kernel: &mut dyn Kernel) -> bool {
        let desks = self.hub.office.iter().flat_map(|office| &office.desks);
        let idle = desks.filter_map(|key| match self.tenants.get(*key) {
            Some(Tenant::Admin(desk)) => Some((desk.talk.idle_since()?, *key)),
            _ => None,
        });
        let Some((_, key)) = idle.min_by_key(|(since, _)| *since) else {
            return false;
        };
        self.end_desk(key, kernel);
        true
    }

    /// Runs the connection under `key`.
    pub(super) fn attend(&mut self, key: Key, kernel: &mut dyn Kernel) {
        let Some(access) = self.hub.office.as_ref().map(|one| Rc::clone(&one.access)) else {
            return self.end_desk(key, kernel);
        };
        self.go_on_writing(key);
        for _ in 0..limits::STEPS_PER_RUN {
            let now = self.hub.now;
            let Some(Tenant::Admin(desk)) = self.tenants.get_mut(key) else {
                return;
            };
            let can = (desk.link.can_read(), desk.link.can_write());
            match desk.talk.next(can, &access, now) {
                Move::Read => read(desk, now, kernel),
                Move::Write => write(desk, now, kernel),
                Move::Finish => match desk.link.finish(kernel) {
                    Effort::Done => desk.talk.finished(now),
                    Effort::Blocked => return,
                    Effort::Broke(_) => desk.talk.broke(),
                },
                Move::Answer(request) => {
                    // One in a turn: an answer may be long, and traffic comes first.
                    self.serve(key, &request, kernel);
                    return self.hub.queue.push(key);
                }
                Move::Wait => return self.arm_desk(key),
                Move::End => return self.end_desk(key, kernel),
            }
        }
        self.hub.queue.push(key);
    }

    fn arm_desk(&mut self, key: Key) {
        let Some(Tenant::Admin(desk)) = self.tenants.get_mut(key) else {
            return;
        };
        let patience = match &desk.patience {
            Some(Patience::Idle(vigil)) => Some(vigil.until),
            Some(Patience::Gone(vigil)) => Some(vigil.until).filter(|until| *until > self.hub.now),
            Some(Patience::Figures(view)) => Some(view.until),
            Some(Patience::Reload(_) | Patience::Page(_)) | None => None,
        };
        if let Some(due) = desk.talk.deadline().into_iter().chain(patience).min() {
            self.hub.timers.arm(key, due);
        }
    }

    pub(super) fn end_desk(&mut self, key: Key, kernel: &mut dyn Kernel) {
        if let Some(Tenant::Admin(desk)) = self.tenants.remove(key) {
            self.hub.timers.disarm(key);
            self.hub.close(desk.link, kernel);
            if let Some(office) = &mut self.hub.office {
                office.desks.retain(|other| *other != key);
                office.waiting.retain(|other| *other != key);
                office.streams.retain(|other| *other != key);
            }
        }
    }

    /// The program ends, and the interface with it.
    pub(super) fn close_office(&mut self, kernel: &mut dyn Kernel) {
        for key in self.tenants.keys() {
            if matches!(self.tenants.get(key), Some(Tenant::Admin(_))) {
                self.end_desk(key, kernel);
            }
        }
        if let Some(office) = self.hub.office.take() {
            self.hub.disown(office.socket);
            kernel.close(office.socket);
        }
    }

    /// Those whose servers are idle, or gone, or who have waited long enough.
    fn answer_waiting(&mut self, kernel: &dyn Kernel) {
        let waiting = match &self.hub.office {
            Some(office) if !office.waiting.is_empty() => office.waiting.clone(),
            _ => return,
        };
        for key in waiting {
            let hub = &self.hub;
            let Some(Tenant::Admin(desk)) = self.tenants.get(key) else {
                continue;
            };
            let answer = match &desk.patience {
                Some(Patience::Gone(vigil)) => {
                    let late = hub.peers.get(vigil.id).is_none() && vigil.until <= hub.now;
                    if !late && !self.is_done(vigil, true) {
                        continue;
                    }
                    Answer::nothing()
                }
                Some(Patience::Figures(view)) => {
                    let office = self.hub.office.as_ref();
                    let ready = office.is_some_and(|one| one.others.have_answered(view.ticket));
                    if !ready && view.until > hub.now {
                        continue;
                    }
                    if view.command == Command::Metrics {
                        match self.begin_page(key, kernel) {
                            Some(answer) => answer,
                            None => continue,
                        }
                    } else {
                        self.show(&view.command, &view.found, kernel)
                    }
                }
                Some(Patience::Idle(vigil)) => {
                    let idle = self.is_done(vigil, false);
                    if !idle && vigil.until > hub.now {
                        continue;
                    }
                    match self.backend_report(vigil.id, kernel) {
                        Some(report) if idle => Answer::json(200, &json::backend(&report)),
                        Some(report) => Answer::json(202, &json::backend(&report)),
                        None => Answer::nothing(),
                    }
                }
                Some(Patience::Reload(_) | Patience::Page(_)) | None => continue,
            };
            self.hub.pace.did("an answer to an operator who has waited");
            self.reply(key, &answer);
        }
    }

    /// The answer to the request that the connection has handed over.
    pub(super) fn reply(&mut self, key: Key, answer: &Answer) {
        if let Some(Tenant::Admin(desk)) = self.tenants.get_mut(key) {
            desk.patience = None;
            desk.talk.answer(answer, self.hub.now);
            self.hub.queue.push(key);
        }
        if let Some(office) = &mut self.hub.office {
            office.waiting.retain(|other| *other != key);
        }
    }

    /// Keeps what has become of a server.
    fn remember(&mut self, id: PeerId, kernel: &dyn Kernel) {
        let hub = &mut self.hub;
        let Some((since, pool)) = hub.peers.get(id).map(|peer| (peer.since, peer.pool)) else {
            return;
        };
        let pool = hub.rules(pool).name.clone();
        let Some(report) = self.backend_report(id, kernel) else {
            return;
        };
        if let Some(office) = &mut self.hub.office {
            office.history.note(Entry {
                peer: id,
                since,
                pool,
                id: report.id,
                url: report.url,
                state: report.state,
                reason: report.reason,
            });
        }
    }

    /// Tells those who listen what has changed, and once a second how everything is.
    fn tell(&mut self, kernel: &mut dyn Kernel) {
        let changes = std::mem::take(&mut self.hub.changes);
        for id in &changes {
            self.remember(*id, kernel);
        }
        let hub = &mut self.hub;
        let now = hub.now;
        let Some(office) = &mut hub.office else {
            return;
        };
        if office.streams.is_empty() {
            office.others.tick = None;
            return;
        }
        let due = office.tick <= now;
        if due {
            office.tick = now + TICK;
        }
        let waits = office.others.tick.is_some();
        let streams = office.streams.clone();
        if (std::mem::take(&mut hub.gone) || due) && !waits {
            let ticket = self.question(Wish::Report, kernel);
            if let Some(office) = &mut self.hub.office {
                office.others.tick = Some((ticket, now + PATIENCE));
            }
        }
        let mut text = String::new();
        for id in changes {
            if let (Some(peer), Some(report)) =
                (self.hub.peers.get(id), self.backend_report(id, kernel))
            {
                let pool = &self.hub.rules(peer.pool).name;
                let state = json::state(pool, &report);
                text += &format!("event: state\ndata: {state}\n\n");
            }
        }
        let office = self.hub.office.as_mut();
        if office.is_some_and(|office| office.others.take_tick(now)) {
            self.hub.pace.did("a report to those who listen");
            let tick = json::tick(&self.full_report(kernel));
            text += &format!("data: {tick}\n\n");
        }
        if text.is_empty() {
            return;
        }
        for key in streams {
            if let Some(Tenant::Admin(desk)) = self.tenants.get_mut(key) {
                desk.talk.feed(text.as_bytes(), now);
                self.hub.queue.push(key);
            }
        }
    }
}

fn read(desk: &mut Desk, now: Moment, kernel: &mut dyn Kernel) {
    let mut buffer = [0; READ_BYTES];
    match desk.link.read(kernel, &mut buffer) {
        Progress::Moved(count) => {
            let bytes = buffer.get(..count).unwrap_or_default();
            desk.talk.took(bytes, now);
        }
        Progress::Blocked => {}
        Progress::Ended => desk.talk.ended(),
        Progress::Broke(_) => desk.talk.broke(),
    }
}

fn write(desk: &mut Desk, now: Moment, kernel: &mut dyn Kernel) {
    match desk.link.write(kernel, desk.talk.pending()) {
        Progress::Moved(count) => desk.talk.wrote(count, now),
        Progress::Blocked => {}
        Progress::Ended | Progress::Broke(_) => desk.talk.broke(),
    }
}

/// Bytes read at once.
const READ_BYTES: usize = 4 * 1024;

/// From one report of everything to the next.
const TICK: Span = Span::seconds(1);

/// How long accepting rests after it failed.
const ACCEPT_RETRY: Span = Span::millis(100);

/// What those are told for whom there is no room.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
Retry-After: 10\r\nConnection: close\r\n\r\n";
