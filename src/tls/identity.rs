//! Who we are to clients under TLS: certificates with their keys, which of them a client meets, and
//! whom a client has to be.
//!
//! The program's start reads the files, makes one [`Identity`] of them for each listener and gives
//! it to all event loops, so that a client that comes back resumes on whichever loop it meets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;

use super::pem::ALPN_HTTP_1_1;
use super::pem::TlsSetupError;
use super::pem::add_roots;
use super::pem::certificates;
use super::pem::private_key;

/// A certificate chain with its key.
#[derive(Clone, Debug)]
pub struct Credential {
    key: Arc<CertifiedKey>,
    /// In lower case; `*.` in front of what stands for any first label.
    names: Vec<String>,
    lapse: Option<Lapse>,
}

impl Credential {
    /// The chain in `certificate_pem`, leaf first, with the key in `key_pem` (PKCS#8, PKCS#1 or
    /// SEC1; RSA, ECDSA or Ed25519).
    ///
    /// # Errors
    /// If there is no certificate or key, one cannot be read, or they do not belong together.
    pub fn read(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, TlsSetupError> {
        let chain = certificates(certificate_pem)?;
        let leaf = chain.first().ok_or(TlsSetupError::NoCertificate)?.clone();
        let parsed = webpki::EndEntityCert::try_from(&leaf).map_err(|error| {
            TlsSetupError::BadCertificate {
                position: 1,
                reason: error.to_string(),
            }
        })?;
        let names = parsed.valid_dns_names().map(str::to_ascii_lowercase);
        let names = names.collect();
        let lapse = lapse(&parsed);
        let key = CertifiedKey::from_der(chain, private_key(key_pem)?, &ring::default_provider())
            .map_err(|error| TlsSetupError::BadKey {
            reason: reason(&error),
        })?;
        Ok(Self {
            key: Arc::new(key),
            names,
            lapse,
        })
    }

    /// The DNS names it is for, as the certificate says them: `*.example.com` is one.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the certificate counts today.
    #[must_use]
    pub const fn lapse(&self) -> Option<Lapse> {
        self.lapse
    }
}

/// Why a certificate does not count today, although it may some day, or did once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Its time is over, by so many seconds.
    Expired(u64),
    /// Its time begins in so many seconds.
    Early(u64),
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = |seconds: &u64| match seconds.div_ceil(DAY_SECONDS) {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        match self {
            Self::Expired(seconds) => write!(f, "it expired {} ago", days(seconds)),
            Self::Early(seconds) => write!(f, "it is not valid yet, but in {}", days(seconds)),
        }
    }
}

const DAY_SECONDS: u64 = 86_400;

/// Everything a listener needs to speak TLS. Cheap to clone, for every event loop; all clones
/// resume each other's sessions.
#[derive(Clone, Debug)]
pub struct Identity {
    config: Arc<ServerConfig>,
    origin: Arc<Origin>,
}

/// What it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    /// A key belongs to its certificate, and cannot differ where that does not.
    chains: Vec<Vec<CertificateDer<'static>>>,
    client_ca_pem: Option<Vec<u8>>,
    any_protocol: bool,
}

impl PartialEq for Identity {
    /// Whether both were made from the same certificates.
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin
    }
}

impl Eq for Identity {}

impl Identity {
    /// A client meets the certificate that is for the name it asks for (SNI, RFC 6066 section 3):
    /// one that says the name itself before one with a wildcard, and the earlier one before the
    /// later; the first of all if there is none, or if it asks for no name. Of several for the
    /// same name the first whose kind of key the client knows counts.
    ///
    /// With `client_ca_pem` clients have to show a certificate that one of these authorities has
    /// signed. Sessions are resumed with tickets whose key turns over every six hours.
    ///
    /// # Errors
    /// If `credentials` is empty, or `client_ca_pem` holds no certificate or one that cannot be
    /// read.
    pub fn new(
        credentials: &[Credential],
        client_ca_pem: Option<&[u8]>,
    ) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(ring::default_provider());
        let choice = Choice::new(credentials)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(TlsSetupError::library)?;
        let builder = match client_ca_pem {
            None => builder.with_no_client_auth(),
            Some(pem) => builder.with_client_cert_verifier(verifier(pem, provider)?),
        };
        let mut config = builder.with_cert_resolver(Arc::new(choice));
        config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
        config.ticketer = ring::Ticketer::new().map_err(TlsSetupError::library)?;
        let chains = credentials.iter().map(|one| one.key.cert.clone());
        let origin = Origin {
            chains: chains.collect(),
            client_ca_pem: client_ca_pem.map(<[u8]>::to_vec),
            any_protocol: false,
        };
        Ok(Self {
            config: Arc::new(config),
            origin: Arc::new(origin),
        })
    }

    /// The same without ALPN: what clients speak inside is nobody's business here.
    #[must_use]
    pub fn for_any_protocol(self) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = Vec::new();
        let origin = Origin {
            any_protocol: true,
            ..(*self.origin).clone()
        };
        Self {
            config: Arc::new(config),
            origin: Arc::new(origin),
        }
    }

    /// Whether clients have to be the same to both.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        self.origin.client_ca_pem == other.origin.client_ca_pem
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

fn verifier(
    pem: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    add_roots(&mut roots, pem)?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| TlsSetupError::Library {
            reason: error.to_string(),
        })
}

/// Which certificate a client meets.
#[derive(Debug)]
struct Choice {
    first: Arc<CertifiedKey>,
    /// By the name itself.
    exact: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows `*.`.
    wild: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
}

impl Choice {
    fn new(credentials: &[Credential]) -> Result<Self, TlsSetupError> {
        let first = credentials.first().ok_or(TlsSetupError::NoCertificate)?;
        let mut choice = Self {
            first: Arc::clone(&first.key),
            exact: BTreeMap::new(),
            wild: BTreeMap::new(),
        };
        for credential in credentials {
            for name in &credential.names {
                let (table, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut choice.wild, rest),
                    None => (&mut choice.exact, name.as_str()),
                };
                let keys = table.entry(name.to_owned()).or_default();
                keys.push(Arc::clone(&credential.key));
            }
        }
        Ok(choice)
    }

    /// Every certificate for that name, which is in lower case, the best first.
    fn candidates(&self, name: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let exact = self.exact.get(name).into_iter().flatten();
        // A wildcard stands for one label (RFC 6125 section 6.4.3).
        let rest = name.split_once('.').map(|(_, rest)| rest);
        let wild = rest.and_then(|rest| self.wild.get(rest));
        exact.chain(wild.into_iter().flatten())
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let name = name.as_deref().unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name);
        let chosen = self.candidates(name).find(usable);
        Some(Arc::clone(chosen.unwrap_or(&self.first)))
    }
}

/// Whether the dates in it say that it does not count today. A path to no authority at all fails
/// in any case, and the library looks at the dates before it looks for a path.
fn lapse(leaf: &webpki::EndEntityCert<'_>) -> Option<Lapse> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let now = UnixTime::now();
    let usage = webpki::KeyUsage::server_auth();
    let result = leaf.verify_for_usage(algorithms.all, &[], &[], now, usage, None, None);
    let seconds = |later: UnixTime, earlier: UnixTime| later.as_secs() - earlier.as_secs();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other flaw is the business of clients"
    )]
    match result.err()? {
        webpki::Error::CertExpired { time, not_after } if not_after < time => {
            Some(Lapse::Expired(seconds(time, not_after)))
        }
        webpki::Error::CertNotValidYet { time, not_before } if time < not_before => {
            Some(Lapse::Early(seconds(not_before, time)))
        }
        _ => None,
    }
}

/// The library's words are for those who write programs.
fn reason(error: &rustls::Error) -> String {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        return "it belongs to another certificate".to_owned();
    }
    error.to_string()
}

#[cfg(test)]
mod tests;
