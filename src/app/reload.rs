//! The configuration read anew while the program runs: the file again, with the command line on
//! top of it again, and everything that comes from other files.
//!
//! It runs on a thread of its own, whenever somebody asks; the loops apply what it finds.

use std::sync::Arc;

use log::LevelFilter;

use super::arguments::Order;
use super::balance;
use super::configuration;
use super::exit::Failure;
use super::logging;
use crate::engine::Plan;
use crate::engine::kernel::News;
use crate::os::Errand;

/// What reads it: as it was read at the start, for so many loops.
pub(super) fn reader(order: Order, level: Option<LevelFilter>, workers: usize) -> Errand {
    Arc::new(move || {
        let plan = plan(&order, level, workers);
        News::Reread(plan.map(Arc::new).map_err(|failure| {
            let line = failure.line;
            line.strip_prefix("tidegate: ").unwrap_or(&line).to_owned()
        }))
    })
}

fn plan(order: &Order, level: Option<LevelFilter>, workers: usize) -> Result<Plan, Failure> {
    if order.file.is_none() {
        let what = "there is nothing to reload: no configuration file was given; start with \
                    --config FILE";
        return Err(Failure::usage(&what));
    }
    let mut config = configuration::load(order)?;
    config.log_level = level.map_or(config.log_level, logging::word);
    balance::fit(&mut config, workers);
    let admin = config.admin.as_ref();
    let token = admin.and_then(|admin| admin.token_file.as_deref());
    Ok(Plan {
        token: token.map(balance::token).transpose()?,
        trust: balance::trusts(&config)?,
        addresses: Vec::new(),
        config,
    })
}
