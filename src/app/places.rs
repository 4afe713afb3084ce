//! Where the parts of a configuration were said, for complaints about what they name: files that
//! cannot be read, addresses that are taken. The file's line if it says so, else the option.

use super::exit::Exit;
use super::exit::Failure;
use super::settings::Settings;
use crate::config::Address;
use crate::config::Config;
use crate::config::file;
use crate::config::file::Key;
use crate::config::file::Spot;

/// Where the parts of a configuration were said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) file: Option<Source>,
    pub(super) settings: Settings,
}

/// The text of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// What the user calls the file.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

/// A configuration, and where its parts were said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) places: Places,
}

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Warning<'a> {
    /// Where it is said.
    pub(super) path: Vec<Key<'a>>,
    /// What it is, and what to write instead.
    pub(super) words: String,
}

impl Source {
    /// What these keys lead to, or as far as they lead; `None` if they lead nowhere.
    fn spot(&self, path: &[Key<'_>]) -> Option<Spot> {
        let at = file::place(&self.text, path)?;
        Some(Spot::new(at, &self.name, &self.text))
    }
}

impl Places {
    /// Where the file says what these keys lead to; `None` if that is a default, or said by that
    /// option, which comes on top of the file.
    pub(super) fn spot(&self, path: &[Key<'_>], option: &str) -> Option<Spot> {
        let file = self.file.as_ref()?;
        let is_typed = self.settings.says(option);
        file.spot(path).filter(|_| !is_typed)
    }

    /// That something these keys or that option name is wrong.
    pub(super) fn usage(&self, path: &[Key<'_>], option: &str, what: &str) -> Failure {
        match self.spot(path, option) {
            Some(spot) => Failure::file(spot.say(what)),
            None if self.settings.says(option) => Failure::usage(&format!("--{option}: {what}")),
            None => Failure::usage(&what),
        }
    }

    /// That something these keys or that option name cannot be had now.
    pub(super) fn run_time(&self, path: &[Key<'_>], option: &str, what: &str) -> Failure {
        match self.spot(path, option) {
            Some(spot) => Failure {
                exit: Exit::Failed,
                line: spot.say(what),
            },
            None => Failure::run_time(&what),
        }
    }

    /// That nobody can listen at an address of the configuration.
    pub(super) fn deaf(&self, config: &Config, address: &Address, what: &str) -> Failure {
        let mut listeners = config.listeners.iter();
        match listeners.position(|one| one.listen == *address) {
            Some(at) => self.run_time(&listener(at, "listen"), "listen", what),
            None => self.run_time(&ADMIN, "admin", what),
        }
    }

    /// A remark about what these keys lead to, behind its place.
    pub(super) fn remark(&self, path: &[Key<'_>], option: &str, what: &str) -> String {
        match self.spot(path, option) {
            Some(spot) => format!("{}: {what}", spot.place()),
            None if self.settings.says(option) => format!("--{option}: {what}"),
            None => what.to_owned(),
        }
    }

    /// The keys of the file that do nothing in this version, each behind its place.
    pub(super) fn idle_keys(&self) -> Vec<String> {
        let Some(Source { name, text }) = &self.file else {
            return Vec::new();
        };
        let said = |(at, words): (usize, String)| {
            let spot = Spot::new(at, name, text);
            format!("{}: {words}", spot.place())
        };
        file::idle_keys(text).into_iter().map(said).collect()
    }

    /// Where the file names the listeners and pools, by their positions.
    pub(super) fn spots(&self, config: &Config) -> [Vec<Option<Spot>>; 2] {
        let listeners = 0..config.listeners.len();
        let pools = config.pools.iter();
        [
            listeners
                .map(|at| self.spot(&listener(at, "listen"), "listen"))
                .collect(),
            pools
                .map(|one| self.spot(&[Key::Named("pool"), Key::Named(&one.name)], ""))
                .collect(),
        ]
    }
}

/// To a key of the listener at that position.
pub(super) const fn listener(at: usize, key: &str) -> [Key<'_>; 3] {
    [Key::Named("listener"), Key::At(at), Key::Named(key)]
}

/// To a key of a pool.
pub(super) fn pool<'a>(name: &'a str, keys: &'a str) -> Vec<Key<'a>> {
    let keys = keys.split('.').filter(|key| !key.is_empty());
    let steps = [Key::Named("pool"), Key::Named(name)];
    steps.into_iter().chain(keys.map(Key::Named)).collect()
}

/// To the address of the admin interface.
pub(super) const ADMIN: [Key<'static>; 2] = [Key::Named("admin"), Key::Named("listen")];
