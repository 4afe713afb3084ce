//! From the files of certificates that a configuration names to what the listeners show clients,
//! and what is said of files that are no good.

use std::fmt;
use std::path::Path;

use super::exit::Failure;
use crate::config::CertificateFiles;
use crate::config::Config;
use crate::config::Listener;
use crate::config::Mode;
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
pub(super) fn all(config: &Config) -> Result<Identities, Failure> {
    let mut all = Identities::default();
    for listener in &config.listeners {
        let identity = identity(listener, &mut all.warnings)?;
        all.listeners.push(identity);
    }
    Ok(all)
}

fn identity(listener: &Listener, warnings: &mut Vec<String>) -> Result<Option<Identity>, Failure> {
    let Some(tls) = &listener.tls else {
        return Ok(None);
    };
    let mut credentials: Vec<Credential> = Vec::new();
    for files in &tls.certificates {
        let credential = credential(files)?;
        let file = files.cert.display();
        if let Some(lapse) = credential.lapse() {
            warnings.push(format!("the certificate in {file}: {lapse}"));
        }
        if credential.names().is_empty() && !credentials.is_empty() {
            let warning = "it is for no DNS name, and not the first: no client will meet it";
            warnings.push(format!("the certificate in {file}: {warning}"));
        }
        credentials.push(credential);
    }
    let made = match &tls.client_ca {
        None => Identity::new(&credentials, None).map_err(|error| Failure::run_time(&error))?,
        Some(path) => {
            let advice = "name a readable file of PEM certificates";
            let pem = read(path, "client_ca", advice)?;
            Identity::new(&credentials, Some(&pem))
                .map_err(|error| bad("client_ca", path, &error, advice))?
        }
    };
    Ok(Some(match listener.mode {
        Mode::Http => made,
        Mode::Tcp => made.for_any_protocol(),
    }))
}

fn credential(files: &CertificateFiles) -> Result<Credential, Failure> {
    let cert_advice =
        "name a PEM file with the certificate and those that link it to its authority";
    let key_advice = "name the PEM file of that certificate's private key, not encrypted";
    let cert = read(&files.cert, "certificate", cert_advice)?;
    let key = read(&files.key, "private key", key_advice)?;
    Credential::read(&cert, &key).map_err(|error| match error {
        TlsSetupError::BadKey { reason } => bad("private key", &files.key, &reason, key_advice),
        TlsSetupError::NoKey => bad("private key", &files.key, &error, key_advice),
        TlsSetupError::NoCertificate
        | TlsSetupError::BadCertificate { .. }
        | TlsSetupError::BadServerName
        | TlsSetupError::Library { .. } => bad("certificate", &files.cert, &error, cert_advice),
    })
}

fn read(path: &Path, what: &str, advice: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| bad(what, path, &error, advice))
}

fn bad(what: &str, path: &Path, why: &dyn fmt::Display, advice: &str) -> Failure {
    let path = path.display();
    Failure::usage(&format!("bad {what} {path}: {why}; {advice}"))
}
