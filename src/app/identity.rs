//! From the files of certificates that a configuration names to what the listeners show clients,
//! and what is said of files that are no good.

use std::fmt;
use std::path::Path;

use super::exit::Failure;
use super::places;
use super::places::Places;
use crate::config::CertificateFiles;
use crate::config::Config;
use crate::config::Listener;
use crate::config::Mode;
use crate::config::file::Key;
use crate::engine::Engine;
use crate::tls::Credential;
use crate::tls::Identity;
use crate::tls::ServerTls;
use crate::tls::TlsSetupError;

/// What all listeners show clients. Clones, one for each event loop, resume each other's sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities {
    /// By the position of the listener; `None` for one in the clear.
    listeners: Vec<Option<Identity>>,
    /// What is odd about the files.
    pub(super) warnings: Vec<String>,
}

impl Identities {
    /// Has the listeners of an engine that has not turned yet speak TLS.
    pub(super) fn put_on(&self, engine: &mut Engine) {
        for (at, identity) in self.listeners.iter().enumerate() {
            if let Some(identity) = identity {
                engine.terminate(at, ServerTls::new(identity));
            }
        }
    }

    /// All of them, after the log was told what is odd.
    pub(super) fn announced(self) -> Vec<Option<Identity>> {
        self.warn();
        self.listeners
    }

    /// Tells the log what is odd.
    pub(super) fn warn(&self) {
        for warning in &self.warnings {
            log::warn!("{warning}");
        }
    }
}

/// Reads the files of all listeners.
///
/// # Errors
/// The first file that is no good: which, why, and what to do instead.
pub(super) fn all(config: &Config, places: &Places) -> Result<Identities, Failure> {
    let mut all = Identities::default();
    for (at, listener) in config.listeners.iter().enumerate() {
        let seat = Seat { at, places };
        let identity = identity(listener, seat, &mut all.warnings)?;
        all.listeners.push(identity);
    }
    Ok(all)
}

/// The listener whose files they are, and where the configuration names them.
#[derive(Clone, Copy)]
struct Seat<'a> {
    at: usize,
    places: &'a Places,
}

impl Seat<'_> {
    /// What is wrong with a file of the certificate at that position.
    fn bad(self, position: usize, key: &str, what: &str) -> Failure {
        let path = path(self.at, position, key);
        self.places.usage(&path, OPTION, what)
    }

    /// What is odd about it.
    fn odd(self, position: usize, what: &str) -> String {
        let path = path(self.at, position, "cert");
        self.places.remark(&path, OPTION, what)
    }
}

fn path(listener: usize, position: usize, key: &str) -> [Key<'_>; 5] {
    let [first, at, tls] = places::listener(listener, "tls");
    [first, at, tls, Key::At(position), Key::Named(key)]
}

/// Both come from the line, or none.
const OPTION: &str = "tls-cert";

fn identity(
    listener: &Listener,
    seat: Seat<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<Identity>, Failure> {
    let Some(tls) = &listener.tls else {
        return Ok(None);
    };
    let mut credentials: Vec<Credential> = Vec::new();
    for (position, files) in tls.certificates.iter().enumerate() {
        let credential = credential(files).map_err(|(key, what)| seat.bad(position, key, &what))?;
        let file = files.cert.display();
        if let Some(lapse) = credential.lapse() {
            warnings.push(seat.odd(position, &format!("the certificate in {file}: {lapse}")));
        }
        if credential.names().is_empty() && !credentials.is_empty() {
            let warning = format!(
                "the certificate in {file}: it is for no DNS name, and not the first: no client \
                 will meet it"
            );
            warnings.push(seat.odd(position, &warning));
        }
        credentials.push(credential);
    }
    let made = match &tls.client_ca {
        None => Identity::new(&credentials, None).map_err(|error| Failure::run_time(&error))?,
        Some(path) => {
            let advice = "name a readable file of PEM certificates";
            let place = places::listener(seat.at, "client_ca");
            let bad = |what: String| seat.places.usage(&place, "", &what);
            let pem = read(path, "client_ca", advice).map_err(bad)?;
            Identity::new(&credentials, Some(&pem))
                .map_err(|error| bad(words("client_ca", path, &error, advice)))?
        }
    };
    Ok(Some(match listener.mode {
        Mode::Http => made,
        Mode::Tcp => made.for_any_protocol(),
    }))
}

/// A certificate and its key; else the key of the configuration that names the file which is no
/// good, and why it is none.
fn credential(files: &CertificateFiles) -> Result<Credential, (&'static str, String)> {
    let cert_advice =
        "name a PEM file with the certificate and those that link it to its authority";
    let key_advice = "name the PEM file of that certificate's private key, not encrypted";
    let of_cert = |what| ("cert", what);
    let of_key = |what| ("key", what);
    let cert = read(&files.cert, "certificate", cert_advice).map_err(of_cert)?;
    let key = read(&files.key, "private key", key_advice).map_err(of_key)?;
    let key_words = |why: &dyn fmt::Display| words("private key", &files.key, why, key_advice);
    Credential::read(&cert, &key).map_err(|error| match error {
        TlsSetupError::BadKey { reason } => of_key(key_words(&reason)),
        TlsSetupError::NoKey => of_key(key_words(&error)),
        TlsSetupError::NoCertificate
        | TlsSetupError::BadCertificate { .. }
        | TlsSetupError::BadServerName
        | TlsSetupError::Library { .. } => {
            of_cert(words("certificate", &files.cert, &error, cert_advice))
        }
    })
}

fn read(path: &Path, what: &str, advice: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| words(what, path, &error, advice))
}

fn words(what: &str, path: &Path, why: &dyn fmt::Display, advice: &str) -> String {
    let path = path.display();
    format!("bad {what} {path}: {why}; {advice}")
}
