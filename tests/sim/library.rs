//! The library itself in a simulated world, as far as possible a function of the seed.
//!
//! Its random source and its clock are the world's. The key exchange draws from the system, but
//! what it makes is always equally long, and so are Ed25519 certificates and signatures: lengths
//! are all that a trace knows of ciphertext.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::SerialNumber;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::GetRandomFailed;
use rustls::crypto::SecureRandom;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tidegate::base::random::Random;
use tidegate::base::time::Moment;

/// Certificates for every name of every world, made once per process.
#[derive(Debug)]
pub(crate) struct Papers {
    roots: Arc<RootCertStore>,
    good: (CertificateDer<'static>, PrivateKeyDer<'static>),
    /// By an authority that nobody believes.
    strange: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

impl Papers {
    pub(crate) fn of_the_process() -> &'static Self {
        static PAPERS: OnceLock<Papers> = OnceLock::new();
        PAPERS.get_or_init(|| {
            let (known, unknown) = (authority(), authority());
            let mut roots = RootCertStore::empty();
            roots.add(known.der().clone()).unwrap();
            Self {
                roots: Arc::new(roots),
                good: issue(&known),
                strange: issue(&unknown),
            }
        })
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_details(provider(), Arc::new(WorldClock))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        Arc::new(config)
    }

    pub(crate) fn server(&self, strange: bool, tickets: usize) -> Arc<ServerConfig> {
        let (certificate, key) = if strange { &self.strange } else { &self.good };
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(WorldClock))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.clone_key())
            .unwrap();
        config.send_tls13_tickets = tickets;
        Arc::new(config)
    }
}

/// What the library draws from here on in this thread follows from `seed`.
pub(crate) fn seed(seed: u64) {
    DICE.set(seed);
}

/// What time it is in this thread's world.
pub(crate) fn clock(now: Moment) {
    NOW.set(now.0 / 1_000_000_000);
}

/// The time of issue, and then the world's.
#[derive(Debug)]
struct WorldClock;

impl TimeProvider for WorldClock {
    fn current_time(&self) -> Option<UnixTime> {
        let start = Duration::from_secs(1_800_000_000);
        Some(UnixTime::since_unix_epoch(
            start + Duration::from_secs(NOW.get()),
        ))
    }
}

#[derive(Debug)]
struct Dice;

impl SecureRandom for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        for chunk in bytes.chunks_mut(8) {
            let mut random = Random::new(DICE.get());
            DICE.set(random.draw());
            chunk.copy_from_slice(&DICE.get().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

thread_local! {
    static DICE: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<u64> = const { Cell::new(0) };
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        secure_random: &Dice,
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    })
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(SerialNumber::from(1));
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

fn issue(
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut names: Vec<_> = (0..16).map(|last| origin(last).to_string()).collect();
    names.push(FRONT.to_owned());
    let mut params = CertificateParams::new(names).unwrap();
    params.serial_number = Some(SerialNumber::from(2));
    let key = key();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (certificate.der().clone(), key)
}

/// Where origins live.
fn origin(last: u8) -> IpAddr {
    IpAddr::from([10, 1, 0, last])
}

/// What clients call the proxy.
pub(crate) const FRONT: &str = "sim.test";
