//! What the command line says of the balancer, on top of every default or of a file.

use std::path::PathBuf;

use crate::config::Address;
use crate::config::Admin;
use crate::config::CertificateFiles;
use crate::config::Config;
use crate::config::Listener;
use crate::config::ListenerTls;
use crate::config::LogFormat;
use crate::config::LogPath;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::Probe;
use crate::config::text;
use crate::config::text::Complaint;
use crate::config::url;
use crate::config::words::closest;

/// What the command line says of the balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Options with their values, which are known to be good, in order.
    options: Vec<(&'static str, String)>,
    listeners: Vec<Address>,
    mode: Option<Mode>,
    workers: Option<usize>,
    admin: Option<Address>,
    /// Files of certificates, and those of their keys.
    tls: [Vec<PathBuf>; 2],
    access_log: Option<(LogFormat, Option<LogPath>)>,
    pub(super) backends: Vec<String>,
}

impl Settings {
    /// An option and its value, which is empty for one that takes none.
    pub(super) fn option(&mut self, name: &'static str, value: &str) -> Result<(), Complaint> {
        match name {
            "listen" => self.listeners.push(text::place(value)?),
            "admin" => self.admin = Some(text::place(value)?),
            "access-log" => self.access_log = Some(access_log(value)?),
            "mode" => self.mode = Some(mode(value)?),
            "tls-cert" => self.tls[0].push(PathBuf::from(value)),
            "tls-key" => self.tls[1].push(PathBuf::from(value)),
            "workers" => self.workers = Some(text::workers(value)?),
            _ => {
                set(&mut Pool::default(), name, value)?;
                self.options.push((name, value.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether the line has that option.
    pub(super) fn says(&self, option: &str) -> bool {
        match option {
            "listen" => !self.listeners.is_empty(),
            "admin" => self.admin.is_some(),
            "access-log" => self
                .access_log
                .as_ref()
                .is_some_and(|(_, path)| path.is_some()),
            "tls-cert" => !self.tls[0].is_empty(),
            _ => self.options.iter().any(|(name, _)| *name == option),
        }
    }

    /// The addresses that are named.
    pub(super) fn listeners(&self) -> &[Address] {
        &self.listeners
    }

    /// The configuration that comes of it: options count for every pool, backends join the only
    /// one, addresses replace that of the only listener.
    ///
    /// # Errors
    /// A backend that cannot be added; addresses or backends where there are several to choose
    /// from; nobody to balance over.
    pub(super) fn over(&self, mut config: Config) -> Result<Config, Complaint> {
        for pool in &mut config.pools {
            for (name, value) in &self.options {
                set(pool, name, value)?;
            }
        }
        if let Some(workers) = self.workers {
            config.workers = workers;
        }
        if let Some((format, path)) = &self.access_log {
            config.access_log.format = *format;
            // The path of the configuration stays, unless another one is named.
            if let Some(path) = path {
                config.access_log.path = path.clone();
            }
        }
        self.add_backends(&mut config)?;
        self.replace_listeners(&mut config)?;
        self.secure_listeners(&mut config)?;
        self.open_admin(&mut config)?;
        Ok(config)
    }

    /// Certificates are those of every listener, instead of the ones that a file names.
    fn secure_listeners(&self, config: &mut Config) -> Result<(), Complaint> {
        let [certs, keys] = &self.tls;
        let lonely = |option: &str, missing: &str, path: Option<&PathBuf>| {
            let place = path.map(|path| path.display().to_string());
            let instead = format!("write {missing} FILE after it");
            let what = format!("{option} without {missing}");
            Err(Complaint::new(what, &place.unwrap_or_default(), instead).under(option))
        };
        if certs.len() > keys.len() {
            return lonely("--tls-cert", "--tls-key", certs.get(keys.len()));
        }
        if keys.len() > certs.len() {
            return lonely("--tls-key", "--tls-cert", keys.get(certs.len()));
        }
        if certs.is_empty() {
            return Ok(());
        }
        let pairs = certs.iter().zip(keys).map(|(cert, key)| CertificateFiles {
            cert: cert.clone(),
            key: key.clone(),
        });
        let certificates: Vec<CertificateFiles> = pairs.collect();
        for listener in &mut config.listeners {
            let before = listener.tls.take();
            listener.tls = Some(ListenerTls {
                certificates: certificates.clone(),
                client_ca: before.and_then(|tls| tls.client_ca),
            });
        }
        Ok(())
    }

    fn open_admin(&self, config: &mut Config) -> Result<(), Complaint> {
        let Some(listen) = &self.admin else {
            return Ok(());
        };
        let token_file = config.admin.take().and_then(|admin| admin.token_file);
        let admin = Admin {
            listen: listen.clone(),
            token_file,
        };
        if !admin.is_guarded() {
            let instead = "set token_file under [admin] of a file, or write an address of loopback";
            let what = "an admin interface beyond loopback without a token";
            return Err(Complaint::new(what, &listen.to_string(), instead).under("--admin"));
        }
        config.admin = Some(admin);
        Ok(())
    }

    /// The admin interface that is named.
    pub(super) const fn admin(&self) -> Option<&Address> {
        self.admin.as_ref()
    }

    fn add_backends(&self, config: &mut Config) -> Result<(), Complaint> {
        let empty = config.pools.iter().all(|pool| pool.backends.is_empty());
        if self.backends.is_empty() && empty {
            let instead = "write one, like http://127.0.0.1:9001, or try tidegate demo";
            return Err(Complaint::new("no backend", "the command line", instead));
        }
        if empty {
            let (mode, backends) = url::backends(&self.backends, self.asked(config))?;
            for listener in &mut config.listeners {
                listener.mode = mode;
            }
            config.pools[0].backends = backends;
            return Ok(());
        }
        let several = config.pools.len() > 1;
        for word in &self.backends {
            if several {
                let instead = "the file has several pools, add it to one of them there";
                return Err(Complaint::new("a backend without a pool", word, instead));
            }
            let mode = config.listeners[0].mode;
            let backend = url::backend(word, mode, Some(mode))?;
            if config.pools[0]
                .backends
                .iter()
                .any(|other| other.is_same(&backend))
            {
                let instead = "name every backend once";
                return Err(Complaint::new("the same backend twice", word, instead));
            }
            config.pools[0].backends.push(backend);
        }
        let other = |listener: &&Listener| Some(listener.mode) != self.mode;
        match config.listeners.iter().find(other) {
            Some(listener) if self.mode.is_some() => {
                let is = listener.mode.name();
                let instead = format!("the backends of the file are for {is}, change them there");
                let asked = self.mode.unwrap_or_default().name();
                Err(Complaint::new("another mode", asked, instead).under("--mode"))
            }
            _ => Ok(()),
        }
    }

    /// The mode that was asked for, here or in a file.
    fn asked(&self, config: &Config) -> Option<Mode> {
        let tcp = config
            .listeners
            .iter()
            .any(|listener| listener.mode == Mode::Tcp);
        self.mode.or_else(|| tcp.then_some(Mode::Tcp))
    }

    fn replace_listeners(&self, config: &mut Config) -> Result<(), Complaint> {
        let Some(model) = config
            .listeners
            .first()
            .filter(|_| !self.listeners.is_empty())
        else {
            return Ok(());
        };
        if let (Some(second), Some(address)) = (config.listeners.get(1), self.listeners.first()) {
            let place = address.to_string();
            let instead = format!(
                "the file has several listeners ({}, {}), change them there",
                model.name, second.name
            );
            return Err(Complaint::new("which listener", &place, instead).under("--listen"));
        }
        let named = |(at, listen): (usize, &Address)| Listener {
            name: name(&model.name, at),
            listen: listen.clone(),
            ..model.clone()
        };
        config.listeners = self.listeners.iter().enumerate().map(named).collect();
        Ok(())
    }
}

/// `web`, `web-2`, `web-3`.
fn name(first: &str, at: usize) -> String {
    match at {
        0 => first.to_owned(),
        _ => format!("{first}-{}", at + 1),
    }
}

fn set(pool: &mut Pool, name: &str, value: &str) -> Result<(), Complaint> {
    match name {
        "probe" => pool.health.probe = probe(value)?,
        "interval" => pool.health.interval = text::positive_duration(value)?,
        "rise" => pool.health.rise = text::count(value)?,
        "fall" => pool.health.fall = text::count(value)?,
        "timeout-connect" => pool.timeouts.connect = text::positive_duration(value)?,
        "timeout-response" => pool.timeouts.response = text::positive_duration(value)?,
        "upstream-ca" => pool.tls.ca = Some(PathBuf::from(value)),
        "insecure-upstream" => pool.tls.verify = false,
        _ => {}
    }
    Ok(())
}

fn mode(value: &str) -> Result<Mode, Complaint> {
    match value {
        "http" => Ok(Mode::Http),
        "tcp" => Ok(Mode::Tcp),
        _ => Err(Complaint::new("not a mode", value, "write http or tcp")),
    }
}

/// `FORMAT` or `FORMAT:FILE`.
fn access_log(value: &str) -> Result<(LogFormat, Option<LogPath>), Complaint> {
    let (word, path) = match value.split_once(':') {
        Some((word, path)) => (word, Some(path)),
        None => (value, None),
    };
    let format = LogFormat::ALL.into_iter().find(|one| one.name() == word);
    let format = format.ok_or_else(|| {
        let names = LogFormat::ALL.map(LogFormat::name);
        let instead = closest(word, names.into_iter()).map_or_else(
            || "write off, json, combined, common or haproxy, and :FILE behind it".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        Complaint::new("not a format", value, instead)
    })?;
    match path {
        Some("") => {
            let instead = "name a file behind the colon, or leave the colon out";
            Err(Complaint::new("no file", value, instead))
        }
        path => Ok((format, path.map(LogPath::of))),
    }
}

fn probe(value: &str) -> Result<Probe, Complaint> {
    match value {
        "tcp" => Ok(Probe::Tcp),
        "off" => Ok(Probe::Off),
        path if path.starts_with('/') => {
            let instead = "they are not in this version, write tcp or off";
            Err(Complaint::new("an HTTP probe", path, instead))
        }
        _ => Err(Complaint::new("not a probe", value, "write tcp or off")),
    }
}
