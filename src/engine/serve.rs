//! Does what a request to the admin interface asks for, and finds the answer.

use super::change::filter;
use super::figures::Found;
use super::figures::PATIENCE;
use super::figures::Wish;
use super::hub::Hub;
use super::kernel::Kernel;
use super::kernel::Word;
use super::office::Patience;
use super::office::View;
use super::office::Vigil;
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
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Config;
use crate::config::LogLevel;
use crate::config::Mode;
use crate::config::print;
use crate::config::url;
use crate::peers::PeerId;
use crate::peers::PoolId;

impl Engine {
    /// Serves one request of the connection under `key`.
    pub(super) fn serve(&mut self, key: Key, request: &Request, kernel: &mut dyn Kernel) {
        let hub = &self.hub;
        let mode = |pool: &str| Some(hub.rules(hub.pool_named(pool).ok()?).mode);
        let routed = admin::route(request, hub.drain.span, &mode);
        let answer = match routed.and_then(|command| hub.known(command)) {
            Err(answer) => Some(answer),
            Ok(Command::Events) => {
                self.listen_to_events(key, kernel);
                None
            }
            Ok(Command::Change(change, after)) => self.change(key, change, after, kernel),
            Ok(Command::Page) if request.visitor == Visitor::Stranger => Some(admin::page(None)),
            Ok(Command::Reload) => self.reload_for(key, kernel),
            Ok(command) => {
                let is_scrape = command == Command::Metrics;
                let deed = if is_scrape {
                    "a page of metrics"
                } else {
                    "an answer to an operator"
                };
                self.hub.pace.did(deed);
                self.look(key, command, kernel)
            }
        };
        if let Some(answer) = answer {
            self.reply(key, &answer);
        }
    }

    /// The answer, unless other loops have to be asked for their part of it.
    fn look(&mut self, key: Key, command: Command, kernel: &mut dyn Kernel) -> Option<Answer> {
        let Some(wish) = wish(&command).filter(|_| self.has_company()) else {
            if command == Command::Metrics {
                return self.begin_page(key, kernel);
            }
            return Some(self.show(&command, &Found::default(), kernel));
        };
        let ticket = self.question(wish, kernel);
        let view = View {
            command,
            ticket,
            until: self.hub.now + PATIENCE,
            found: Found::default(),
        };
        self.be_patient(key, Patience::Figures(Box::new(view)));
        None
    }

    /// What is asked for, as far as it is known, but for metrics, which are written piece by piece;
    /// `found` is what other loops have said to it.
    pub(super) fn show(&self, command: &Command, found: &Found, kernel: &dyn Kernel) -> Answer {
        let report = || self.full_report(kernel);
        match command {
            Command::Healthy => Answer::text(200, "ok"),
            Command::Ready => match self.hub.unready() {
                "" => Answer::text(200, "ready"),
                why => Answer::text(503, why),
            },
            Command::Status => Answer::json(200, &json::status(&report())),
            Command::Pools => Answer::json(200, &json::pools(&report())),
            Command::Pool(name) => self.show_pool(name, json::pool, kernel),
            Command::Backends(name) => self.show_pool(name, json::backends, kernel),
            Command::Backend(whom) => match self.hub.peer_named(whom) {
                Ok(id) => self.show_backend(200, id, kernel),
                Err(refusal) => refused(&refusal),
            },
            Command::Connections(filter) => {
                let mut all = self.connections(filter);
                all.extend_from_slice(&found.connections);
                all.truncate(filter.limit);
                Answer::json(200, &json::connections(&all))
            }
            Command::Requests(filter) => {
                let all = self.requests(filter, kernel);
                Answer::new(200, "application/json", found.requests(all, filter.limit))
            }
            Command::Changes(filter) => Answer::json(200, &self.changes(filter.limit, kernel)),
            Command::Config => {
                let text = print::print(&self.hub.config_now());
                Answer::new(200, "application/toml", text)
            }
            Command::Explain(question) => self.explain(question, kernel),
            Command::Page => admin::page(Some((&report(), &self.state_changes(kernel)))),
            Command::Metrics | Command::Events | Command::Change(..) | Command::Reload => {
                Answer::nothing()
            }
        }
    }

    fn explain(&self, question: &Question, kernel: &dyn Kernel) -> Answer {
        let hub = &self.hub;
        let turns = (0..hub.rules.len()).map(|at| {
            let most = hub.rules[at].retry.tries as usize;
            let turns = hub.peers.turns(PoolId(at), most);
            let turns = turns.into_iter().map(|id| hub.peer_name(id)).collect();
            (hub.rules[at].name.clone(), turns)
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
        // What is not over by then is cut, everywhere.
        let gone = match &change {
            Change::Remove { drain, .. } => *drain,
            Change::Edit { .. } | Change::Add { .. } | Change::Drain(_) | Change::LogLevel(_) => {
                Span::ZERO
            }
        };
        self.hub.pace.did("a change by an operator");
        let applied = match self.apply(change.clone(), kernel) {
            Ok(applied) => applied,
            Err(refusal) => return Some(refused(&refusal)),
        };
        kernel.tell(Word::Changed(change));
        let Applied::Backend { pool, id: backend } = applied else {
            return self.look(key, Command::Status, kernel);
        };
        let whom = Whom { pool, backend };
        let id = before.or_else(|| self.hub.peer_named(&whom).ok());
        match (after, id) {
            (After::Gone, Some(id)) => {
                let vigil = self.vigil(id, whom, self.hub.now + gone + PATIENCE, kernel);
                self.be_patient(key, Patience::Gone(vigil));
            }
            (After::Idle(span), Some(id)) => {
                let vigil = self.vigil(id, whom, self.hub.now + span, kernel);
                self.be_patient(key, Patience::Idle(vigil));
            }
            (After::Created, Some(id)) => {
                let Whom { pool, backend } = whom;
                let location = format!("/api/v1/pools/{pool}/backends/{backend}");
                let answer = self.show_backend(201, id, kernel);
                return Some(answer.with("Location", location));
            }
            (After::Show, Some(_)) => return self.look(key, Command::Backend(whom), kernel),
            (_, None) => return Some(Answer::nothing()),
        }
        None
    }

    /// A change was told to all: from here on it is waited for what it brings about.
    fn vigil(&mut self, id: PeerId, whom: Whom, until: Moment, kernel: &mut dyn Kernel) -> Vigil {
        Vigil {
            id,
            whom,
            ticket: self.question(Wish::Report, kernel),
            until,
        }
    }

    pub(super) fn be_patient(&mut self, key: Key, patience: Patience) {
        if let (Some(Tenant::Admin(desk)), Some(office)) =
            (self.tenants.get_mut(key), &mut self.hub.office)
        {
            desk.patience = Some(patience);
            if !office.waiting.contains(&key) {
                office.waiting.push(key);
            }
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

/// What other loops have to say to that.
fn wish(command: &Command) -> Option<Wish> {
    match command {
        Command::Metrics
        | Command::Status
        | Command::Page
        | Command::Pools
        | Command::Pool(_)
        | Command::Backends(_)
        | Command::Backend(_)
        | Command::Explain(_) => Some(Wish::Report),
        Command::Connections(filter) => Some(Wish::Connections(filter.clone())),
        Command::Requests(filter) => Some(Wish::Requests(filter.clone())),
        Command::Healthy
        | Command::Ready
        | Command::Changes(_)
        | Command::Config
        | Command::Events
        | Command::Change(..)
        | Command::Reload => None,
    }
}

impl Hub {
    /// The command, if the pools that it speaks of have ever been there.
    fn known(&self, command: Command) -> Result<Command, Answer> {
        if let Command::Requests(filter) | Command::Connections(filter) = &command {
            let pools: Vec<&str> = self.rules.iter().map(|one| one.name.as_str()).collect();
            filter.check(&pools)?;
        }
        Ok(command)
    }

    /// The configuration, with what was changed since through the admin interface: backends,
    /// their weights and bounds, and the log level. Who is drained or disabled is no part of it.
    fn config_now(&self) -> Config {
        let mut config = Config::clone(&self.config);
        let level = log::max_level();
        let mut levels = LogLevel::ALL.into_iter();
        if let Some(level) = levels.find(|one| filter(*one) == level) {
            config.log_level = level;
        }
        for pool in &mut config.pools {
            let Some(at) = self.rules.iter().position(|one| one.name == pool.name) else {
                continue;
            };
            let mode = self.rules.get(at).map_or(Mode::Http, |rules| rules.mode);
            let peers = self.peers.of(PoolId(at)).iter();
            let peers = peers.filter_map(|id| self.peers.get(*id));
            pool.backends = peers
                .filter(|peer| !peer.is_leaving())
                .filter_map(|peer| {
                    let mut backend = url::backend(&peer.name, mode, None).ok()?;
                    backend.weight = peer.weight;
                    backend.max_conns = peer.max_conns;
                    Some(backend)
                })
                .collect();
        }
        config
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
