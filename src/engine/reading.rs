//! Reading the configuration anew, while everything goes on: who has asked for it, and what they
//! are told once it has been read and applied.
//!
//! Files are read elsewhere ([`Kernel::reread`]); what comes of it is news. One reading runs at a
//! time. Whoever asks meanwhile gets the next one: the running one may have seen the file as it
//! was before.

use std::sync::Arc;

use log::Level;

use super::herald::Herald;
use super::kernel::Kernel;
use super::kernel::Word;
use super::office::Patience;
use super::office::State;
use super::plan::Plan;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::Answer;
use crate::admin::Difference;
use crate::admin::difference;
use crate::admin::difference::Kind;
use crate::base::arena::Key;
use crate::config::LogFormat;
use crate::config::LogPath;

impl Engine {
    /// Somebody has sent HUP. One loop reads for all.
    pub(super) fn hung_up(&mut self, kernel: &mut dyn Kernel) {
        if self.hub.leads && self.ask(kernel).is_none() {
            // The log's file is the kernel's, which has done that by now.
            let log = &self.hub.config.access_log;
            let is_file = log.format != LogFormat::Off && log.path != LogPath::Stdout;
            let done = if is_file {
                "the access log is opened again"
            } else {
                "nothing to do"
            };
            log::info!("HUP: {done}; there is no configuration file to read again");
        }
    }

    /// The connection under `key` wants a reload, and is answered when it is done; the answer, if
    /// it cannot be.
    pub(super) fn reload_for(&mut self, key: Key, kernel: &mut dyn Kernel) -> Option<Answer> {
        let Some(number) = self.ask(kernel) else {
            return Some(Answer::problem(422, NOTHING));
        };
        self.be_patient(key, Patience::Reload(number));
        None
    }

    /// The number of the reading that will see the file as it is now; `None` if there is none.
    fn ask(&mut self, kernel: &mut dyn Kernel) -> Option<u64> {
        let reading = &mut self.hub.reading;
        if reading.state != State::Over {
            reading.state = State::Again;
            return Some(reading.begun + 1);
        }
        if !kernel.reread() {
            return None;
        }
        reading.begun += 1;
        reading.state = State::Runs;
        Some(reading.begun)
    }

    /// The configuration was read: it is applied, here and by all other loops.
    pub(super) fn reread(&mut self, read: Result<Arc<Plan>, String>, kernel: &mut dyn Kernel) {
        let state = std::mem::replace(&mut self.hub.reading.state, State::Over);
        let result = read.and_then(|plan| {
            let all = self.reload(&plan, kernel)?;
            if all.iter().any(|one| one.kind != Kind::Unchanged) {
                let addresses = self.addresses();
                let plan = Plan {
                    addresses,
                    ..Plan::clone(&plan)
                };
                kernel.tell(Word::Reloaded(Arc::new(plan)));
            }
            Ok(all)
        });
        self.hub.reading.good = result.is_ok();
        if result.is_ok() {
            self.hub.reading.since = self.hub.now;
        }
        report(&result, &mut self.hub.herald);
        self.answer_reload(&result);
        if state == State::Again {
            self.ask(kernel);
        }
    }

    /// Another loop has applied it.
    pub(super) fn follow(&mut self, plan: &Plan, kernel: &mut dyn Kernel) {
        if let Err(why) = self.reload(plan, kernel) {
            log::debug!("an event loop could not follow a reload: {why}");
        }
    }

    fn answer_reload(&mut self, result: &Result<Vec<Difference>, String>) {
        let begun = self.hub.reading.begun;
        let office = self.hub.office.as_ref();
        let waiting = office.map_or_else(Vec::new, |office| office.waiting.clone());
        for key in waiting {
            if let Some(Tenant::Admin(desk)) = self.tenants.get(key)
                && let Some(Patience::Reload(number)) = &desk.patience
                && *number <= begun
            {
                let answer = match result {
                    Ok(all) => Answer::json(200, &difference::document(all)),
                    Err(why) => Answer::problem(422, why),
                };
                self.reply(key, &answer);
            }
        }
    }
}

fn report(result: &Result<Vec<Difference>, String>, herald: &mut Herald) {
    let all = match result {
        Ok(all) => all,
        Err(why) => {
            let why = why.lines().next().unwrap_or_default();
            return herald.say(Level::Error, format!("reload: nothing is different: {why}"));
        }
    };
    let count = |test: fn(Kind) -> bool| all.iter().filter(|one| test(one.kind)).count();
    let waiting = count(|kind| kind == Kind::Restart);
    let changes = count(|kind| !matches!(kind, Kind::Unchanged | Kind::Restart));
    if changes + waiting == 0 {
        let same = "reload: the configuration is the same, nothing was touched";
        return herald.say(Level::Info, same.to_owned());
    }
    for one in all {
        let level = match one.kind {
            Kind::Restart => Level::Warn,
            Kind::Added | Kind::Removed | Kind::Changed | Kind::Unchanged => Level::Info,
        };
        herald.say(level, format!("reload: {one}"));
    }
    let done = match changes {
        0 => "nothing was touched".to_owned(),
        1 => "1 change".to_owned(),
        count => format!("{count} changes"),
    };
    let rest = match waiting {
        0 => String::new(),
        1 => "; 1 takes effect at the next start only".to_owned(),
        count => format!("; {count} take effect at the next start only"),
    };
    herald.say(Level::Info, format!("reloaded: {done}{rest}"));
}

/// What is said to whoever asks in vain.
const NOTHING: &str = "there is nothing to read anew; start with --config FILE";
