//! From the text of PEM files to certificates and keys, and what can be wrong with them. Read by
//! the two sides of the room, towards clients and towards servers.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// Why TLS could not be set up from what the user gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSetupError {
    /// The PEM text holds no certificate.
    NoCertificate,
    /// One certificate of the PEM text cannot be read.
    BadCertificate {
        /// Which, counted from 1.
        position: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The PEM text holds no private key.
    NoKey,
    /// The private key cannot be read or used, or belongs to another certificate.
    BadKey {
        /// What is wrong with it.
        reason: String,
    },
    /// The server's name is neither a DNS name nor an IP address.
    BadServerName,
    /// The library could not start, for want of randomness or by a bug of ours.
    Library {
        /// In its words.
        reason: String,
    },
}

impl TlsSetupError {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the shape that map_err wants"
    )]
    pub(super) fn library(error: rustls::Error) -> Self {
        Self::Library {
            reason: error.to_string(),
        }
    }
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("no certificate in the PEM text"),
            Self::BadCertificate { position, reason } => {
                write!(f, "certificate {position} of the PEM text: {reason}")
            }
            Self::NoKey => f.write_str("no private key in the PEM text"),
            Self::BadKey { reason } => write!(f, "the private key: {reason}"),
            Self::BadServerName => f.write_str("neither a DNS name nor an IP address"),
            Self::Library { reason } => write!(f, "TLS: {reason}"),
        }
    }
}

impl std::error::Error for TlsSetupError {}

pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsSetupError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(text) {
        found.push(certificate.map_err(|error| TlsSetupError::BadCertificate {
            position: found.len() + 1,
            reason: error.to_string(),
        })?);
    }
    if found.is_empty() {
        return Err(TlsSetupError::NoCertificate);
    }
    Ok(found)
}

pub(super) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsSetupError> {
    if text
        .windows(ENCRYPTED.len())
        .any(|found| found == ENCRYPTED)
    {
        return Err(TlsSetupError::BadKey {
            reason: "it is encrypted".to_owned(),
        });
    }
    let key = PrivateKeyDer::pem_slice_iter(text).next();
    key.ok_or(TlsSetupError::NoKey)?
        .map_err(|error| TlsSetupError::BadKey {
            reason: error.to_string(),
        })
}

pub(super) fn add_roots(roots: &mut RootCertStore, text: &[u8]) -> Result<(), TlsSetupError> {
    for (index, certificate) in certificates(text)?.into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|error| TlsSetupError::BadCertificate {
                position: index + 1,
                reason: error.to_string(),
            })?;
    }
    Ok(())
}

/// In the label of PKCS#8 (RFC 7468 section 11), and in the head of older forms.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// RFC 7301 section 6. A server that wants none of the protocols offered must refuse, so only
/// what we speak is offered.
pub(super) const ALPN_HTTP_1_1: &[u8] = b"http/1.1";
