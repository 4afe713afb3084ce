//! The configuration read anew while the program runs: the file again, with the command line on
//! top of it again, and everything that comes from other files.
//!
//! It runs on a thread of its own, whenever somebody asks; the loops apply what it finds.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use log::LevelFilter;

use super::arguments::Order;
use super::balance;
use super::configuration;
use super::exit::Failure;
use super::identity;
use super::lint;
use super::logging;
use super::places::Loaded;
use crate::config::Backend;
use crate::config::Config;
use crate::config::Host;
use crate::engine::Plan;
use crate::engine::kernel::News;
use crate::os::Errand;
use crate::os::resolver::looked_up;

/// What reads it: as it was read at the start, for so many loops. Nothing if there is no file.
pub(super) fn reader(order: Order, level: Option<LevelFilter>, config: &Config) -> Option<Errand> {
    order.file.as_ref()?;
    let workers = config.workers;
    let known = Mutex::new(names(config));
    Some(Arc::new(move || {
        let plan = plan(&order, level, workers).map(|plan| Plan {
            names: look_up(&plan.config, &known),
            ..plan
        });
        News::Reread(plan.map(Arc::new).map_err(|failure| {
            let line = failure.line;
            line.strip_prefix("tidegate: ").unwrap_or(&line).to_owned()
        }))
    }))
}

fn plan(order: &Order, level: Option<LevelFilter>, workers: usize) -> Result<Plan, Failure> {
    let mut loaded = configuration::load(order)?;
    balance::fit(&mut loaded.config, workers);
    let warnings = lint::grave(&loaded);
    let Loaded { mut config, places } = loaded;
    config.log_level = level.map_or(config.log_level, logging::word);
    for line in warnings {
        log::warn!("{line}");
    }
    Ok(Plan {
        token: balance::token_of(&config, &places)?,
        trust: balance::trusts(&config, &places)?,
        identities: identity::all(&config, &places)?.announced(),
        names: Vec::new(),
        addresses: Vec::new(),
        spots: places.spots(&config),
        config,
    })
}

/// The addresses of names that were not there before.
fn look_up(config: &Config, known: &Mutex<BTreeSet<String>>) -> Vec<(String, Vec<IpAddr>)> {
    // Whoever has panicked with it in his hands has not spoilt it.
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names(config);
    let fresh = names.difference(&known);
    let found = fresh.map(|name| (name.clone(), looked_up(name))).collect();
    *known = names;
    found
}

/// The names of all backends.
fn names(config: &Config) -> BTreeSet<String> {
    let backends = config.pools.iter().flat_map(|pool| &pool.backends);
    let name = |backend: &Backend| match &backend.host {
        Host::Name(name) => Some(name.clone()),
        Host::Address(_) => None,
    };
    backends.filter_map(name).collect()
}
