//! Clients under TLS: whom they meet, what they may speak, and that what they get is whole. They
//! speak through the library directly, not through the program's code around it.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{CertificateParams, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::PATIENCE;
use crate::binary::{Binary, run};
use crate::client::Client;
use crate::message::Message;
use crate::origin::{Origin, Step, ok};
use crate::secure_origin::{Authority, Issued};

/// A client under TLS.
struct Secure {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Secure {
    /// Connects, and shakes hands with whoever calls itself that.
    fn new(settings: &Arc<ClientConfig>, at: SocketAddr, name: &str) -> std::io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut connection =
            ClientConnection::new(Arc::clone(settings), name).expect("good settings");
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        connection.complete_io(&mut stream)?;
        let stream = BufReader::new(StreamOwned::new(connection, stream));
        Ok(Self { stream })
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.get_mut();
        let sent = stream
            .write_all(bytes.as_ref())
            .and_then(|()| stream.flush());
        sent.expect("an open connection");
    }

    fn get(&mut self, target: &str) -> std::io::Result<Message> {
        self.send(format!(
            "GET {target} HTTP/1.1\r\nHost: example.test\r\n\r\n"
        ));
        Message::response(&mut self.stream, "GET")
    }

    fn connection(&self) -> &ClientConnection {
        &self.stream.get_ref().conn
    }

    /// The certificate it met.
    fn met(&self) -> &[u8] {
        let chain = self.connection().peer_certificates();
        chain.expect("the handshake is over")[0].as_ref()
    }
}

/// How a client speaks that trusts that authority, and shows that certificate if it has to.
fn settings(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<&Issued>,
    alpn: &[&[u8]],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.der()))
        .expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions that the provider knows")
        .with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(Issued {
            pair: (cert, key), ..
        }) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.clone()));
            let chain = vec![CertificateDer::from(cert.clone())];
            builder.with_client_auth_cert(chain, key).expect("a pair")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

fn usual(authority: &Authority) -> Arc<ClientConfig> {
    settings(authority, rustls::ALL_VERSIONS, None, &[b"h2", b"http/1.1"])
}

/// A balancer without probes that shows these certificates.
#[track_caller]
fn showing(certificates: &[&Issued], more: &[&str]) -> Binary {
    let mut arguments = vec!["--probe", "off"];
    for one in certificates {
        arguments.extend(["--tls-cert", one.cert(), "--tls-key", one.key()]);
    }
    arguments.extend(more);
    Binary::start(&arguments)
}

#[test]
fn the_name_that_a_client_asks_for_picks_the_certificate() {
    let authority = Authority::new();
    let origin = Origin::saying("there");
    let first = authority.issue(&["first.test", "127.0.0.1"]);
    let wild = authority.issue(&["*.shop.test"]);
    let exact = authority.issue(&["www.shop.test"]);
    let binary = showing(&[&first, &wild, &exact], &[&origin.url()]);
    let client = usual(&authority);
    for (name, expected) in [
        ("first.test", &first),
        ("api.shop.test", &wild),
        ("www.shop.test", &exact),
        ("WWW.Shop.Test", &exact),
        ("127.0.0.1", &first),
    ] {
        let mut secure = Secure::new(&client, binary.address(), name).expect(name);
        assert!(secure.met() == expected.pair.0, "{name}");
        assert_eq!(secure.connection().alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..3 {
            assert_eq!(secure.get("/").expect("an answer").text(), "there");
        }
        let request = origin.last_request();
        assert_eq!(request.value("x-forwarded-proto"), "https");
        assert_eq!(request.value("x-forwarded-for"), "127.0.0.1");
    }
    // Nobody is called so: the first is shown, and it is up to the client to refuse.
    let refused = Secure::new(&client, binary.address(), "elsewhere.test");
    let error = refused.err().expect("a refusal").to_string();
    assert!(error.contains("first.test"), "{error}");
}

#[test]
fn both_versions_are_spoken_and_nothing_but_http_1_1() {
    let authority = Authority::new();
    let origin = Origin::saying("there");
    let one = authority.issue(&["a.test"]);
    let binary = showing(&[&one], &[&origin.url()]);
    for (version, named) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let client = settings(&authority, &[version], None, &[]);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
            assert_eq!(secure.connection().protocol_version(), Some(named));
            assert_eq!(secure.get("/").expect("an answer").text(), "there");
            kinds.push(secure.connection().handshake_kind());
        }
        assert_eq!(kinds[0], Some(HandshakeKind::Full));
        assert_eq!(kinds[2], Some(HandshakeKind::Resumed), "{named:?}");
    }
    let other = settings(&authority, rustls::ALL_VERSIONS, None, &[b"h2"]);
    assert!(Secure::new(&other, binary.address(), "a.test").is_err());
}

#[test]
fn clients_show_a_certificate_where_they_have_to() {
    let authority = Authority::new();
    let clients = Authority::new();
    let origin = Origin::saying("there");
    let one = authority.issue(&["a.test"]);
    let [friend, stranger] = [&clients, &authority].map(|from| from.issue(&["client"]));
    let file = crate::configuration::File::new(
        "client-ca",
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\nclient_ca = \"{}\"\n\
             tls = [{{ cert = \"{}\", key = \"{}\" }}]\n[pool.app]\nbackends = [\"{}\"]\n",
            clients.file(),
            one.cert(),
            one.key(),
            origin.url()
        ),
    );
    let mut binary = Binary::start_with_file(file.path());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let attempt = |shown: Option<&Issued>| {
            let client = settings(&authority, &[version], shown, &[]);
            // In TLS 1.3 a client learns only after its own end of the handshake what came of it.
            let mut secure = Secure::new(&client, binary.address(), "a.test").ok()?;
            let request = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
            secure.stream.get_mut().write_all(request).ok()?;
            Message::response(&mut secure.stream, "GET").ok()
        };
        assert_eq!(attempt(Some(&friend)).expect("an answer").text(), "there");
        assert!(attempt(Some(&stranger)).is_none());
        assert!(attempt(None).is_none());
    }
    assert_eq!(origin.counts().requests, 2);
    let line = binary.wait_for("TLS: ");
    assert!(line.contains("client 127.0.0.1:"), "{line}");
}

/// Bytes in which a lost, doubled or displaced piece shows.
fn long_body() -> Vec<u8> {
    let numbers = (0..1_u32 << 21).map(|number| number.wrapping_mul(2_654_435_761));
    numbers.flat_map(u32::to_le_bytes).collect()
}

#[test]
fn eight_mebibytes_pass_whole_both_ways() {
    let authority = Authority::new();
    let origin = Origin::new(|request, _| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            request.body.len()
        );
        vec![Step::Send([head.as_bytes(), &request.body].concat())]
    });
    let one = authority.issue(&["a.test"]);
    let url = origin.url();
    for workers in ["1", "2"] {
        let binary = showing(&[&one], &["--workers", workers, &url]);
        let client = usual(&authority);
        let body = long_body();
        for _ in 0..4 {
            let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
            let length = body.len();
            secure.send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
            ));
            for piece in body.chunks(70_001) {
                secure.send(piece);
            }
            let response = Message::response(&mut secure.stream, "POST").expect("an answer");
            assert!(response.body == body, "the body came back changed");
            assert!(origin.last_request().body == body, "it arrived changed");
        }
    }
}

#[test]
fn all_loops_resume_each_others_sessions() {
    let authority = Authority::new();
    let origin = Origin::saying("there");
    let one = authority.issue(&["a.test"]);
    let binary = showing(&[&one], &["--workers", "3", &origin.url()]);
    let client = settings(&authority, &[&rustls::version::TLS12], None, &[]);
    for turn in 0..20 {
        let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
        assert_eq!(secure.get("/").expect("an answer").text(), "there");
        let resumed = secure.connection().handshake_kind() == Some(HandshakeKind::Resumed);
        assert_eq!(resumed, turn > 0, "connection {turn}");
    }
}

#[test]
fn the_end_of_a_connection_is_said_and_that_of_a_cut_answer_is_not() {
    let authority = Authority::new();
    let origin = Origin::new(|request, _| match request.target() {
        "/cut" => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
            Step::Close,
        ],
        _ => vec![ok("whole")],
    });
    let one = authority.issue(&["a.test"]);
    let binary = showing(&[&one], &[&origin.url()]);
    let client = usual(&authority);
    let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
    secure.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut all = Vec::new();
    // An end without close_notify would be an error.
    secure.stream.read_to_end(&mut all).expect("close_notify");
    assert!(all.ends_with(b"\r\n\r\nwhole"));
    let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
    secure.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut all = Vec::new();
    secure
        .stream
        .read_to_end(&mut all)
        .expect_err("no whole answer");
}

#[test]
fn clear_text_is_answered_in_clear_text() {
    let authority = Authority::new();
    let origin = Origin::saying("never");
    let one = authority.issue(&["a.test"]);
    let mut binary = showing(&[&one], &[&origin.url()]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response().expect("an answer");
    assert_eq!(response.status(), 400);
    assert!(response.text().contains("https://"), "{response:?}");
    assert_eq!(client.rest().expect("a clean end"), b"");
    binary.wait_for("in clear text");
    assert_eq!(origin.counts().requests, 0);
}

#[test]
fn tcp_mode_under_tls_keeps_bytes_and_ends() {
    let authority = Authority::new();
    let origin = Origin::raw(|stream| {
        // The server speaks first, and last.
        let _ = stream.write_all(b"hello ");
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(&all);
    });
    let one = authority.issue(&["a.test"]);
    let url = format!("tcp://{}", origin.address());
    let binary = showing(&[&one], &[&url]);
    // What is spoken inside is between the two.
    let client = settings(&authority, rustls::ALL_VERSIONS, None, &[b"postgresql"]);
    let mut secure = Secure::new(&client, binary.address(), "a.test").expect("hands");
    assert_eq!(secure.connection().alpn_protocol(), None);
    let mut greeting = [0; 6];
    secure.stream.read_exact(&mut greeting).expect("six bytes");
    assert_eq!(&greeting, b"hello ");
    let body = long_body();
    let body = &body[..1 << 20];
    secure.send(body);
    let stream = secure.stream.get_mut();
    stream.conn.send_close_notify();
    stream.flush().expect("an open connection");
    let mut all = Vec::new();
    secure.stream.read_to_end(&mut all).expect("close_notify");
    assert!(all == body, "the bytes changed");
}

#[test]
fn a_stalled_handshake_in_tcp_mode_ends_and_troubles_no_backend() {
    let authority = Authority::new();
    let origin = Origin::raw(|_| {});
    let one = authority.issue(&["a.test"]);
    let file = crate::configuration::File::new(
        "stalled",
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\nmode = \"tcp\"\n\
             timeout = {{ head = \"300ms\" }}\n\
             tls = [{{ cert = \"{}\", key = \"{}\" }}]\n[pool.app]\nbackends = [\"tcp://{}\"]\n\
             health = {{ probe = \"off\" }}\n",
            one.cert(),
            one.key(),
            origin.address()
        ),
    );
    let binary = Binary::start_with_file(file.path());
    for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut client = Client::new(binary.address());
        client.send(said);
        client.assert_closed();
    }
    assert_eq!(origin.counts().connections, 0);
}

#[test]
fn files_that_are_no_good_are_named() {
    let authority = Authority::new();
    let [one, two] = [["a.test"], ["b.test"]].map(|names| authority.issue(&names));
    let table = [
        (
            one.cert(),
            two.key(),
            two.key(),
            "belongs to another certificate",
        ),
        (one.key(), one.key(), one.key(), "no certificate"),
        (one.cert(), one.cert(), one.cert(), "no private key"),
        ("/nowhere.pem", one.key(), "/nowhere.pem", "No such file"),
        (one.cert(), "/nowhere.key", "/nowhere.key", "No such file"),
    ];
    for (cert, key, named, why) in table {
        for check in [&["--check"][..], &[]] {
            let pair = ["--tls-cert", cert, "--tls-key", key, "127.0.0.1:1"];
            let outcome = run(&[check, &pair].concat());
            assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
            assert!(outcome.stderr.contains(named), "{outcome:?}");
            assert!(outcome.stderr.contains(why), "{outcome:?}");
        }
    }
    let lonely = run(&["--tls-key", one.key(), "127.0.0.1:1"]);
    assert_eq!(lonely.status.code(), Some(2), "{lonely:?}");
    assert!(lonely.stderr.contains("--tls-cert"), "{lonely:?}");
}

#[test]
fn an_expired_certificate_is_warned_of_and_shown_all_the_same() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["a.test".to_owned()]).expect("a name");
    params.not_after = date_time_ymd(2001, 1, 1);
    let old = authority.issue_with(params);
    let pair = [
        "--tls-cert",
        old.cert(),
        "--tls-key",
        old.key(),
        "127.0.0.1:1",
    ];
    let outcome = run(&[&["--check"][..], &pair].concat());
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("expired"), "{outcome:?}");
    let mut binary = showing(&[&old], &["127.0.0.1:1"]);
    binary.wait_for("expired");
    let refused = Secure::new(&usual(&authority), binary.address(), "a.test");
    let error = refused.err().expect("a refusal");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn certificates_are_read_anew_and_sessions_outlive_that() {
    let authority = Authority::new();
    let origin = Origin::saying("there");
    let [old, new] = [["a.test"], ["a.test"]].map(|names| authority.issue(&names));
    let socket = crate::unix::Place::new();
    let text = |tls: &str| {
        format!(
            "workers = 2\n[[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n{tls}\n\
             [pool.app]\nbackends = [\"{}\"]\nhealth = {{ probe = \"off\" }}\n",
            origin.url()
        )
    };
    let tls = format!(
        "tls = [{{ cert = \"{}\", key = \"{}\" }}]",
        old.cert(),
        old.key()
    );
    let file = crate::configuration::File::new("renewed", text(&tls));
    let mut binary = Binary::start_with_file(file.path());
    let at = binary.address();
    let client = settings(&authority, &[&rustls::version::TLS12], None, &[]);
    let meet = || {
        let mut secure = Secure::new(&client, at, "a.test").expect("hands");
        assert_eq!(secure.get("/").expect("an answer").text(), "there");
        let resumed = secure.connection().handshake_kind() == Some(HandshakeKind::Resumed);
        (secure.met().to_vec(), resumed)
    };
    let mut reload = |text: &str, said: &str| {
        file.write(text);
        binary.signal("HUP");
        binary.wait_for(said)
    };
    assert_eq!(meet(), (old.pair.0.clone(), false));
    assert!(meet().1);
    // Nothing is different: whoever was here before still is.
    reload(&text(&tls), "nothing was touched");
    assert!(meet().1);
    // The same files, and something else in them. All loops hear of it, each in its time.
    std::fs::copy(new.cert(), old.cert()).expect("a file");
    std::fs::copy(new.key(), old.key()).expect("a file");
    let mut open = Secure::new(&client, at, "a.test").expect("hands");
    reload(
        &text(&tls),
        "tls: certificates those read before -> those read now",
    );
    crate::eventually("every loop shows the new one", || {
        let fresh = settings(&authority, &[&rustls::version::TLS12], None, &[]);
        (0..8).all(|_| {
            let secure = Secure::new(&fresh, at, "a.test").expect("hands");
            secure.met() == new.pair.0
        })
    });
    // Who was in stays in.
    assert_eq!(open.get("/").expect("an answer").text(), "there");
    // A file that is no good changes nothing.
    std::fs::write(old.key(), "no key").expect("a file");
    reload(&text(&tls), "no private key");
    assert_eq!(meet().0, new.pair.0);
    // In the clear, and through a file besides.
    let more = format!(
        "[[listener]]\nname = \"file\"\nlisten = \"{}\"",
        socket.address()
    );
    reload(&text(&more), "reloaded: ");
    crate::eventually("every loop speaks in the clear", || {
        (0..8).all(|_| {
            let mut client = Client::new(at);
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.response().is_ok_and(|answer| answer.status() == 200)
        })
    });
    for _ in 0..8 {
        assert_eq!(crate::unix::ask(&socket.connect(), "").text(), "there");
    }
    reload(&text(""), "reloaded: ");
    crate::eventually("the file is gone", || !socket.path().exists());
}
