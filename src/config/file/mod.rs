//! From the text of a configuration file to a [`Config`], whole or not at all.
//!
//! TOML; every flaw has its place. A key that is unknown is a flaw, and so is one whose feature is
//! not in this version, unless it says what is true without it. Called by `app`, which reads the
//! file and knows the environment.

mod absent;
mod access_log;
mod flaw;
mod listener;
mod node;
mod place;
mod pool;
mod schema;
mod spot;

use std::path::PathBuf;

use toml::de::DeTable;

use super::Admin;
use super::Config;
use super::Listener;
use super::LogLevel;
use super::Mode;
use super::Pool;
use super::text;
use node::Node;
use node::Section;

pub use absent::idle_keys;
pub use flaw::Flaw;
pub use place::Key;
pub use place::place;
pub use spot::Spot;

/// Reads a whole file; `variables` knows what `${NAME}` stands for. If there is one pool, or none,
/// it may have no backends: they may come from the command line.
///
/// # Errors
/// The first flaw that is found.
pub fn read(text: &str, variables: &dyn Fn(&str) -> Option<String>) -> Result<Config, Flaw> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Flaw::new(at, format!("not TOML: {}", error.message()))
    })?;
    let section = Section::new(table.get_ref(), schema::FILE, variables)?;
    let mut config = Config::default();
    section.set("workers", &mut config.workers, workers)?;
    section.set("max_connections", &mut config.max_connections, |node| {
        let number = node.number(1, 10_000_000)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    })?;
    section.set("drain_timeout", &mut config.drain_timeout, Node::duration)?;
    section.set("log_level", &mut config.log_level, |node| {
        node.choice(&LogLevel::ALL, LogLevel::name)
    })?;
    section.set("access_log", &mut config.access_log, access_log::read)?;
    config.admin = section.get("admin").map(admin).transpose()?;
    let pools = pools(section)?;
    (config.listeners, config.pools) = join(listeners(section)?, pools)?;
    Ok(config)
}

fn admin(node: Node<'_>) -> Result<Admin, Flaw> {
    let section = node.section(schema::ADMIN)?;
    let example = "127.0.0.1:9900";
    let mut admin = Admin {
        listen: Admin::usual_address(),
        token_file: None,
    };
    section.set("listen", &mut admin.listen, |node| {
        node.parsed(example, text::place)
    })?;
    section.set("token_file", &mut admin.token_file, |node| {
        Ok(Some(PathBuf::from(node.text("/etc/tidegate/token")?)))
    })?;
    if !admin.is_guarded() {
        let place = section.get("listen").unwrap_or(node);
        return Err(place.flaw(
            "an admin interface beyond loopback needs a token; \
             add token_file = \"/etc/tidegate/token\"",
        ));
    }
    Ok(admin)
}

fn workers(node: Node<'_>) -> Result<usize, Flaw> {
    if node.is_text() {
        let word = node.text("auto")?;
        if word != "auto" {
            let message = "write \"auto\", or a whole number without quotes";
            return Err(node.flaw(message));
        }
        return node.parsed("auto", text::workers);
    }
    let number = node.number(1, text::WORKERS_MAX as u64)?;
    Ok(usize::try_from(number).unwrap_or(1))
}

fn pools(section: Section<'_>) -> Result<Vec<pool::Written<'_>>, Flaw> {
    let Some(all) = section.get("pool") else {
        return Ok(Vec::new());
    };
    let names = all.names()?;
    let mut pools = Vec::new();
    let is_one = names.len() == 1;
    for (called, at, node) in names {
        if !listener::is_name(called) {
            let message = "not a name for a pool; write up to 64 letters, digits, -, _ and .";
            return Err(Flaw::new(at, message));
        }
        let pool = pool::Written::read(called, node)?;
        if pool.is_empty() && !is_one {
            let message = "a pool without backends; add backends = [\"http://127.0.0.1:9001\"]";
            return Err(Flaw::new(at, message));
        }
        pools.push(pool);
    }
    Ok(pools)
}

fn listeners(section: Section<'_>) -> Result<Vec<listener::Written<'_>>, Flaw> {
    let mut listeners = Vec::new();
    if let Some(all) = section.get("listener") {
        for (at, node) in all.list()?.into_iter().enumerate() {
            let written = listener::Written::read(node, at, &listeners)?;
            listeners.push(written);
        }
    }
    Ok(listeners)
}

/// Settles what follows from one another: which pool, which mode, which schemes.
fn join(
    written: Vec<listener::Written<'_>>,
    pools: Vec<pool::Written<'_>>,
) -> Result<(Vec<Listener>, Vec<Pool>), Flaw> {
    let names: Vec<&str> = match pools.as_slice() {
        [] => vec!["app"],
        pools => pools.iter().map(pool::Written::name).collect(),
    };
    if written.is_empty() && names.len() > 1 {
        let message = format!(
            "{} pools, and no listener says which serves; add [[listener]] and pool = \"{}\"",
            names.len(),
            names.first().copied().unwrap_or_default()
        );
        return Err(Flaw::new(0, message));
    }
    let mut asked: Vec<Option<Mode>> = vec![None; names.len()];
    let mut listeners = Vec::new();
    for one in &written {
        let pool = one.choose_pool(&names)?;
        if let Some((mode, node)) = one.mode {
            if asked[pool].is_some_and(|other| other != mode) {
                let message = format!(
                    "pool {} serves a listener in the other mode; give this one a pool of its own",
                    names[pool]
                );
                return Err(node.flaw(message));
            }
            asked[pool] = Some(mode);
        }
        listeners.push(Listener {
            pool,
            ..one.listener.clone()
        });
    }
    if listeners.is_empty() {
        listeners.push(Listener::default());
    }
    let usual = |pool: &pool::Written<'_>| match pool.is_tcp() {
        true => Mode::Tcp,
        false => Mode::Http,
    };
    let mut whole = Vec::new();
    for (at, pool) in pools.into_iter().enumerate() {
        let mode = asked[at].unwrap_or_else(|| usual(&pool));
        for listener in listeners.iter_mut().filter(|listener| listener.pool == at) {
            listener.mode = mode;
        }
        whole.push(pool.complete(mode, asked[at])?);
    }
    if whole.is_empty() {
        whole.push(Pool::default());
        for listener in &mut listeners {
            listener.mode = asked[0].unwrap_or_default();
        }
    }
    Ok((listeners, whole))
}

#[cfg(test)]
mod tests;
