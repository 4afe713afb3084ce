//! TLS 1.2 and 1.3 as a pure transformation of bytes: ciphertext in and out on one side, plaintext
//! on the other. The only room that knows which library does it.
//!
//! Nothing here touches a socket, so every rule of the transport, what a short read means and
//! when to try again, stays in `engine::link`, which is the caller; the program's start builds
//! [`ClientTls`] and [`ServerTls`] from the configuration. The library reads the system's clock
//! for the dates in certificates and its random source for keys; nothing else is ambient.

pub mod channel;
mod doorman;
mod identity;
pub mod machine;
mod pem;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::Connection;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::SignatureScheme;
use rustls::client::Resumption;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;

use crate::limits;
use channel::Channel;
use doorman::Doorman;
use machine::Machine;
use pem::ALPN_HTTP_1_1;
use pem::add_roots;

pub use identity::Credential;
pub use identity::Identity;
pub use identity::Lapse;
pub use pem::TlsSetupError;

/// How to speak TLS to servers: whom to trust, and the sessions that can be resumed. One serves
/// all backends of a pool; cloning it is cheap and shares the sessions, which are kept by server
/// name, [`limits::TLS_SESSIONS_MAX`] at most.
#[derive(Clone, Debug)]
pub struct ClientTls {
    source: Rc<dyn Source>,
    /// `None` for machines from elsewhere.
    origin: Option<Arc<Origin>>,
}

impl ClientTls {
    /// Trusts the authorities that Mozilla trusts, plus those in `extra_ca_pem`. With `verify`
    /// off every certificate will do, but the peer must still own the key of the one it shows.
    ///
    /// # Errors
    /// If `extra_ca_pem` holds no certificate, or one that cannot be read.
    pub fn new(extra_ca_pem: Option<&[u8]>, verify: bool) -> Result<Self, TlsSetupError> {
        Trust::new(extra_ca_pem, verify).map(|trust| Self::from(&trust))
    }

    /// For tests only: machines from elsewhere, be it the library set up in another way or no
    /// TLS at all. Whoever uses this says whom it trusts.
    #[must_use]
    pub fn simulated(source: Rc<dyn Source>) -> Self {
        Self {
            source,
            origin: None,
        }
    }

    /// A connection to the server called `server_name`, a DNS name or an IP address, with or
    /// without the brackets of a URL. An address is verified but not sent (RFC 6066 section 3).
    ///
    /// # Errors
    /// If `server_name` is neither.
    pub fn connect(&self, server_name: &str) -> Result<Channel, TlsSetupError> {
        let bare = server_name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(server_name);
        // The root's dot belongs to DNS, not to the certificate.
        let bare = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
        Ok(Channel::new(self.source.machine(&bare)?))
    }
}

impl Source for Arc<ClientConfig> {
    fn machine(&self, server_name: &str) -> Result<Box<dyn Machine>, TlsSetupError> {
        let name = ServerName::try_from(server_name.to_owned())
            .map_err(|_| TlsSetupError::BadServerName)?;
        let mut connection =
            ClientConnection::new(Self::clone(self), name).map_err(TlsSetupError::library)?;
        connection.set_buffer_limit(Some(limits::TLS_BUFFER_BYTES));
        Ok(Box::new(Connection::Client(connection)))
    }
}

/// Whom to trust: what a [`ClientTls`] is made of, on whichever thread has the time to read and
/// check certificates. Cloning it is cheap, and the clones share the sessions that can be resumed.
#[derive(Clone, Debug)]
pub struct Trust {
    config: Arc<ClientConfig>,
    origin: Arc<Origin>,
}

/// What it was made from.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    extra_ca_pem: Option<Vec<u8>>,
    verify: bool,
}

impl Trust {
    /// As [`ClientTls::new`].
    ///
    /// # Errors
    /// If `extra_ca_pem` holds no certificate, or one that cannot be read.
    pub fn new(extra_ca_pem: Option<&[u8]>, verify: bool) -> Result<Self, TlsSetupError> {
        let origin = Origin {
            extra_ca_pem: extra_ca_pem.map(<[u8]>::to_vec),
            verify,
        };
        Ok(Self {
            config: Arc::new(settings(extra_ca_pem, verify)?),
            origin: Arc::new(origin),
        })
    }
}

impl PartialEq for Trust {
    /// Whether both were made from the same certificates.
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin
    }
}

impl Eq for Trust {}

impl From<&Trust> for ClientTls {
    fn from(trust: &Trust) -> Self {
        Self {
            source: Rc::new(Arc::clone(&trust.config)),
            origin: Some(Arc::clone(&trust.origin)),
        }
    }
}

impl ClientTls {
    /// Whether it was made from the same certificates.
    #[must_use]
    pub fn is_like(&self, trust: &Trust) -> bool {
        self.origin.as_ref() == Some(&trust.origin)
    }
}

fn settings(extra_ca_pem: Option<&[u8]>, verify: bool) -> Result<ClientConfig, TlsSetupError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = extra_ca_pem {
        add_roots(&mut roots, pem)?;
    }
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(TlsSetupError::library)?;
    let mut config = if verify {
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate { algorithms }))
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(limits::TLS_SESSIONS_MAX);
    // Early data can be replayed by whoever recorded it (RFC 8446 section 8).
    config.enable_early_data = false;
    Ok(config)
}

/// How to speak TLS to clients. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct ServerTls {
    source: Rc<dyn Source>,
    /// `None` for machines from elsewhere.
    identity: Option<Identity>,
}

impl ServerTls {
    /// As somebody.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        Self {
            source: Rc::new(identity.config()),
            identity: Some(identity.clone()),
        }
    }

    /// For tests only: machines from elsewhere, be it the library set up in another way or no
    /// TLS at all.
    #[must_use]
    pub fn simulated(source: Rc<dyn Source>) -> Self {
        Self {
            source,
            identity: None,
        }
    }

    /// Whether it is somebody who was made from the same certificates.
    #[must_use]
    pub fn is_like(&self, identity: &Identity) -> bool {
        self.identity.as_ref() == Some(identity)
    }

    /// Whether clients have to be whom they have to be to `identity`.
    #[must_use]
    pub fn asks_like(&self, identity: &Identity) -> bool {
        let ours = self.identity.as_ref();
        ours.is_some_and(|ours| ours.asks_like(identity))
    }

    /// The server's end of a connection that a client has opened.
    ///
    /// # Errors
    /// Only if the library rejects its own configuration.
    pub fn accept(&self) -> Result<Channel, TlsSetupError> {
        Ok(Channel::new(self.source.machine("")?))
    }
}

impl Source for Arc<ServerConfig> {
    fn machine(&self, _server_name: &str) -> Result<Box<dyn Machine>, TlsSetupError> {
        let mut connection =
            ServerConnection::new(Self::clone(self)).map_err(TlsSetupError::library)?;
        connection.set_buffer_limit(Some(limits::TLS_BUFFER_BYTES));
        Ok(Box::new(Doorman::new(Connection::Server(connection))))
    }
}

/// Where the machines of one side come from. The only implementations in the program are the
/// library's; tests have others.
pub trait Source: fmt::Debug {
    /// A new machine. `server_name` is whom a client wants to speak to, without a URL's brackets
    /// and the root's dot, in lower case; a server is given an empty one.
    ///
    /// # Errors
    /// If the name is no name, or the machine cannot be made.
    fn machine(&self, server_name: &str) -> Result<Box<dyn Machine>, TlsSetupError>;
}

/// Takes every certificate, which leaves the connection open to whoever sits in between. The
/// signatures are checked all the same: to show a certificate without its key is a bug, not
/// a private authority.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(crate) mod fixture_tests;
#[cfg(test)]
mod tests;
