//! Goal: a client meets the certificate that is meant for it, whatever the order and the kinds of
//! keys; what is wrong with a file is said of that file. Method: the table alone, and handshakes.

use std::io::Cursor;

use rcgen::CertificateParams;
use rcgen::KeyPair;
use rcgen::SignatureAlgorithm;
use rcgen::date_time_ymd;
use rustls::pki_types::PrivateKeyDer;

use super::super::ClientTls;
use super::super::ServerTls;
use super::super::channel::Channel;
use super::super::channel::Outcome;
use super::super::fixture_tests::Authority;
use super::super::fixture_tests::pem;
use super::*;
use crate::base::Fault;
use crate::base::TlsFault;

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn credential(authority: &Authority, names: &[&str]) -> Credential {
    let (certificate, key) = authority.issue_with(params(names));
    Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap()
}

#[test]
fn exact_names_come_before_wildcards_and_both_in_order() {
    let authority = Authority::new();
    let all = [
        credential(&authority, &["first.test"]),
        credential(&authority, &["*.shop.test", "*.SHOP.test"]),
        credential(&authority, &["Www.Shop.test", "shop.test"]),
        credential(&authority, &["www.shop.test", "*.shop.test"]),
    ];
    assert_eq!(all[2].names(), ["www.shop.test", "shop.test"]);
    let choice = Choice::new(&all).unwrap();
    let table: [(&str, &[usize]); 7] = [
        ("first.test", &[0]),
        ("shop.test", &[2]),
        ("www.shop.test", &[2, 3, 1, 1, 3]),
        ("a.shop.test", &[1, 1, 3]),
        ("a.b.shop.test", &[]),
        ("test", &[]),
        ("", &[]),
    ];
    for (name, expected) in table {
        let found: Vec<usize> = choice
            .candidates(name)
            .map(|key| {
                all.iter()
                    .position(|one| Arc::ptr_eq(&one.key, key))
                    .unwrap()
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Lets the two talk until neither has anything to say.
fn settle(client: &mut Channel, server: &mut Channel) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        let said = client.emit(&mut up).unwrap() + server.emit(&mut down).unwrap();
        if said == 0 && up.is_empty() && down.is_empty() {
            return;
        }
        for (channel, bytes) in [(&mut *server, &mut up), (&mut *client, &mut down)] {
            let mut from = Cursor::new(std::mem::take(bytes));
            while from.position() < from.get_ref().len() as u64 && channel.is_open() {
                channel.absorb(&mut from).unwrap();
            }
        }
    }
}

#[test]
fn a_client_meets_the_certificate_for_the_name_it_asks_for() {
    let authority = Authority::new();
    let all = [
        credential(&authority, &["first.test"]),
        credential(&authority, &["*.shop.test"]),
        credential(&authority, &["www.shop.test"]),
    ];
    let server = ServerTls::new(&Identity::new(&all, None).unwrap());
    let client = ClientTls::new(Some(authority.pem().as_bytes()), true).unwrap();
    // The client verifies the name, so that every other certificate would fail.
    for (name, meets) in [
        ("first.test", true),
        ("WWW.shop.test.", true),
        ("any.shop.test", true),
        ("shop.test", false),
    ] {
        let mut near = client.connect(name).unwrap();
        let mut far = server.accept().unwrap();
        settle(&mut near, &mut far);
        assert_eq!(!near.handshaking(), meets, "{name}: {:?}", near.complaint());
        if !meets {
            let said = near.complaint().unwrap();
            assert!(said.contains("first.test"), "{said}");
        }
    }
}

#[test]
fn a_client_that_asks_in_clear_text_is_answered_in_clear_text() {
    let authority = Authority::new();
    let identity = Identity::new(&[credential(&authority, &["a.test"])], None).unwrap();
    for cut in 1..20 {
        let mut channel = ServerTls::new(&identity).accept().unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(channel.absorb(&mut &request[..cut]).unwrap(), cut);
        let broken = Outcome::Broke(Fault::Tls(TlsFault::Protocol));
        assert_eq!(channel.read(&mut [0]), broken);
        assert!(channel.handshaking() && channel.wants_write());
        let mut said = Vec::new();
        while channel.emit(&mut said).unwrap() > 0 {}
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert!(!channel.wants_write());
    }
    // What is neither is told so by an alert.
    let mut channel = ServerTls::new(&identity).accept().unwrap();
    channel.absorb(&mut &b"\x05\x01\x00 hello"[..]).unwrap();
    let mut said = Vec::new();
    while channel.emit(&mut said).unwrap() > 0 {}
    assert_eq!(said.first(), Some(&21), "an alert");
}

#[test]
fn every_kind_of_key_in_its_usual_forms() {
    let all: [&SignatureAlgorithm; 3] = [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
    ];
    for algorithm in all {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = params(&["a.test"]).self_signed(&key).unwrap();
        let (certificate, text) = (certificate.pem(), key.serialize_pem());
        Credential::read(certificate.as_bytes(), text.as_bytes()).unwrap();
        // Other blocks in the file do no harm.
        let both = format!("{certificate}{text}");
        Credential::read(both.as_bytes(), both.as_bytes()).unwrap();
    }
    let read = |label| private_key(pem(label, "eA==").as_bytes()).unwrap();
    assert!(matches!(read("RSA PRIVATE KEY"), PrivateKeyDer::Pkcs1(_)));
    assert!(matches!(read("EC PRIVATE KEY"), PrivateKeyDer::Sec1(_)));
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("a.test");
    let (_, foreign) = authority.issue("a.test");
    let encrypted = pem("ENCRYPTED PRIVATE KEY", "eA==");
    let broken = pem("PRIVATE KEY", "eA==");
    let table = [
        (
            &*foreign,
            "the private key: it belongs to another certificate",
        ),
        (&*encrypted, "the private key: it is encrypted"),
        (&*certificate, "no private key in the PEM text"),
    ];
    for (key, expected) in table {
        let error = Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = Credential::read(certificate.as_bytes(), broken.as_bytes()).unwrap_err();
    assert!(
        error.to_string().starts_with("the private key: "),
        "{error}"
    );
    let rubbish = pem("CERTIFICATE", "eA==");
    let error = Credential::read(rubbish.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(
        matches!(error, TlsSetupError::BadCertificate { position: 1, .. }),
        "{error}"
    );
    let error = Identity::new(&[], None).unwrap_err();
    assert_eq!(error, TlsSetupError::NoCertificate);
    let one = Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap();
    let error = Identity::new(&[one], Some(b"")).unwrap_err();
    assert_eq!(error, TlsSetupError::NoCertificate);
}

#[test]
fn a_certificate_that_does_not_count_today_is_known() {
    let authority = Authority::new();
    assert_eq!(credential(&authority, &["a.test"]).lapse(), None);
    let mut old = params(&["a.test"]);
    old.not_after = date_time_ymd(2001, 1, 1);
    let (certificate, key) = authority.issue_with(old);
    let old = Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap();
    assert!(matches!(old.lapse(), Some(Lapse::Expired(seconds)) if seconds > 86_400 * 365));
    let mut early = params(&["a.test"]);
    early.not_before = date_time_ymd(4000, 1, 1);
    early.not_after = date_time_ymd(4001, 1, 1);
    let (certificate, key) = authority.issue_with(early);
    let early = Credential::read(certificate.as_bytes(), key.as_bytes()).unwrap();
    assert!(matches!(early.lapse(), Some(Lapse::Early(_))));
    assert_eq!(Lapse::Expired(86_401).to_string(), "it expired 2 days ago");
    assert_eq!(
        Lapse::Early(5).to_string(),
        "it is not valid yet, but in 1 day"
    );
}
