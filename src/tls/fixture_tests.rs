//! Certificates for tests, made on the spot: none in the tree that could expire there.

use std::rc::Rc;
use std::sync::Arc;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;

use crate::tls::ClientTls;
use crate::tls::Credential;
use crate::tls::Identity;
use crate::tls::ServerTls;
use crate::tls::TlsSetupError;

/// A private authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One that nobody knows yet.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key for `name`, as PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        self.issue_with(CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// Certificate and key for what `params` says, as PEM.
    pub(crate) fn issue_with(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A client and a server that trust each other under `name`.
pub(crate) fn pair(name: &str) -> (ClientTls, ServerTls) {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(name);
    (
        ClientTls::new(Some(authority.pem().as_bytes()), true).unwrap(),
        server(&certificate, &key).unwrap(),
    )
}

/// A server with that certificate.
pub(crate) fn server(certificate: &str, key: &str) -> Result<ServerTls, TlsSetupError> {
    let credential = Credential::read(certificate.as_bytes(), key.as_bytes())?;
    Ok(ServerTls::new(&Identity::new(&[credential], None)?))
}

/// The same, with a server that sends so many tickets after each handshake.
pub(crate) fn pair_with_tickets(name: &str, count: usize) -> (ClientTls, ServerTls) {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(name);
    let credential = Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap();
    let identity = Identity::new(&[credential], None).unwrap();
    let mut config = (*identity.config()).clone();
    config.send_tls13_tickets = count;
    (
        ClientTls::new(Some(authority.pem().as_bytes()), true).unwrap(),
        ServerTls::simulated(Rc::new(Arc::new(config))),
    )
}

/// A block as in RFC 7468.
pub(crate) fn pem(label: &str, base64: &str) -> String {
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}
