//! Does what a request to the admin interface asks for, and finds the answer.

use super::kernel::Kernel;
use super::kernel::Word;
use super::office::Patience;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin;
use crate::admin::After;
use crate::admin::Answer;
use crate::admin::Applied;
use crate::admin::Change;
use crate::admin::Command;
use crate::admin::Refusal;
use crate::admin::Request;
use crate::admin::Visitor;
use crate::admin::Whom;
use crate::admin::explain;
use crate::admin::explain::Question;
use crate::admin::json;
use crate::admin::metrics;
use crate::base::arena::Key;
use crate::config::print;
use crate::peers::PeerId;
use crate::peers::PoolId;

impl Engine {
    /// Serves one request of the connection under `key`.
    pub(super) fn serve(&mut self, key: Key, request: &Request, kernel: &mut dyn Kernel) {
        let hub = &self.hub;
        let mode = |pool: &str| Some(hub.rules(hub.pool_named(pool).ok()?).mode);
        let answer = match admin::route(request, hub.drain.span, &mode) {
            Err(answer) => Some(answer),
            Ok(Command::Events) => {
                self.listen_to_events(key, kernel);
                None
            }
            Ok(Command::Change(change, after)) => self.change(key, change, after, kernel),
            Ok(Command::Page) => Some(self.show_page(request.visitor, kernel)),
            Ok(Command::Reload) => self.reload_for(key, kernel),
            Ok(command) => Some(self.show(&command, kernel)),
        };
        if let Some(answer) = answer {
            self.reply(key, &answer);
        }
    }

    fn show(&self, command: &Command, kernel: &dyn Kernel) -> Answer {
        let report = || self.full_report(kernel);
        match command {
            Command::Healthy => Answer::text(200, "ok"),
            Command::Ready => match self.hub.unready() {
                "" => Answer::text(200, "ready"),
                why => Answer::text(503, why),
            },
            Command::Metrics => Answer::new(200, metrics::MEDIA, metrics::render(&report())),
            Command::Status => Answer::json(200, &json::status(&report())),
            Command::Pools => Answer::json(200, &json::pools(&report())),
            Command::Pool(name) => self.show_pool(name, json::pool, kernel),
            Command::Backends(name) => self.show_pool(name, json::backends, kernel),
            Command::Backend(whom) => match self.hub.peer_named(whom) {
                Ok(id) => self.show_backend(200, id, kernel),
                Err(refusal) => refused(&refusal),
            },
            Command::Connections(filter) => {
                Answer::json(200, &json::connections(&self.connections(filter)))
            }
            Command::Requests(filter) => {
                Answer::new(200, "application/json", self.requests(filter, kernel))
            }
            Command::Changes(filter) => Answer::json(200, &self.changes(filter.limit, kernel)),
            Command::Config => {
                let text = print::print(&self.hub.config);
                Answer::new(200, "application/toml", text)
            }
            Command::Explain(question) => self.explain(question, kernel),
            Command::Page | Command::Events | Command::Change(..) | Command::Reload => {
                Answer::nothing()
            }
        }
    }

    fn show_page(&self, visitor: Visitor, kernel: &dyn Kernel) -> Answer {
        match visitor {
            Visitor::Known => {
                let (report, changes) = (self.full_report(kernel), self.state_changes(kernel));
                admin::page(Some((&report, &changes)))
            }
            Visitor::Stranger => admin::page(None),
        }
    }

    fn explain(&self, question: &Question, kernel: &dyn Kernel) -> Answer {
        let hub = &self.hub;
        let turns = (0..hub.rules.len()).map(|at| {
            let most = hub.rules[at].retry.tries as usize;
            let turns = hub.peers.turns(PoolId(at), most);
            turns.into_iter().map(|id| hub.peer_name(id)).collect()
        });
        let live = explain::Live {
            report: self.full_report(kernel),
            turns: turns.collect(),
        };
        let document = explain::explain(question, &self.hub.config, Some(&live));
        Answer::json(200, &document)
    }

    fn show_pool(
        &self,
        name: &str,
        render: fn(&admin::report::Pool) -> admin::Document,
        kernel: &dyn Kernel,
    ) -> Answer {
        match self.hub.pool_named(name) {
            Ok(id) => Answer::json(200, &render(&self.pool_report(id, kernel))),
            Err(refusal) => refused(&refusal),
        }
    }

    fn show_backend(&self, status: u16, id: PeerId, kernel: &dyn Kernel) -> Answer {
        self.backend_report(id, kernel)
            .map_or_else(Answer::nothing, |report| {
                Answer::json(status, &json::backend(&report))
            })
    }

    /// The answer, unless it has to wait.
    fn change(
        &mut self,
        key: Key,
        change: Change,
        after: After,
        kernel: &mut dyn Kernel,
    ) -> Option<Answer> {
        let before = match &change {
            Change::Remove { whom, .. } | Change::Edit { whom, .. } => {
                self.hub.peer_named(whom).ok()
            }
            Change::Add { .. } | Change::Drain(_) | Change::LogLevel(_) => None,
        };
        // What other loops have under way on a server is not known here: it is over when the time
        // is that they were given.
        let gone = match &change {
            Change::Remove { drain, .. } if self.hub.loops > 1 => self.hub.now + *drain,
            Change::Remove { .. }
            | Change::Edit { .. }
            | Change::Add { .. }
            | Change::Drain(_)
            | Change::LogLevel(_) => self.hub.now,
        };
        let applied = match self.apply(change.clone(), kernel) {
            Ok(applied) => applied,
            Err(refusal) => return Some(refused(&refusal)),
        };
        kernel.tell(Word::Changed(change));
        let Applied::Backend { pool, id: backend } = applied else {
            return Some(Answer::json(200, &json::status(&self.full_report(kernel))));
        };
        let whom = Whom { pool, backend };
        let id = before.or_else(|| self.hub.peer_named(&whom).ok());
        match (after, id) {
            (After::Gone, Some(id)) => self.be_patient(key, Patience::Gone(id, gone)),
            (After::Idle(span), Some(id)) => {
                let until = self.hub.now + span;
                self.be_patient(key, Patience::Idle(id, until));
            }
            (After::Created, Some(id)) => {
                let Whom { pool, backend } = whom;
                let location = format!("/api/v1/pools/{pool}/backends/{backend}");
                let answer = self.show_backend(201, id, kernel);
                return Some(answer.with("Location", location));
            }
            (After::Show, Some(id)) => return Some(self.show_backend(200, id, kernel)),
            (_, None) => return Some(Answer::nothing()),
        }
        None
    }

    pub(super) fn be_patient(&mut self, key: Key, patience: Patience) {
        if let (Some(Tenant::Admin(desk)), Some(office)) =
            (self.tenants.get_mut(key), &mut self.hub.office)
        {
            desk.patience = Some(patience);
            office.waiting.push(key);
        }
    }

    fn listen_to_events(&mut self, key: Key, kernel: &dyn Kernel) {
        let history = json::history(&self.state_changes(kernel));
        let history = format!("event: history\ndata: {history}\n\n");
        if let (Some(Tenant::Admin(desk)), Some(office)) =
            (self.tenants.get_mut(key), &mut self.hub.office)
        {
            desk.talk.stream(self.hub.now);
            desk.talk.feed(history.as_bytes(), self.hub.now);
            office.streams.push(key);
            // The first report comes at once.
            office.tick = self.hub.now;
        }
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::NoPool(_) | Refusal::NoBackend(_) => 404,
        Refusal::Exists(_) | Refusal::Leaving(_) => 409,
        Refusal::Unfit(_) => 422,
    };
    Answer::problem(status, &refusal.to_string())
}
