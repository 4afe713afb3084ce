//! A scripted server under TLS, with certificates made on the spot. It speaks through the library
//! directly, not through the program's code around it, so that a mistake there is not made twice.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{
    HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::message::Message;
use crate::origin::{Counts, Origin};

/// A private authority, and the file that tells the program to trust it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    /// One that nobody knows yet.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("randomness");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a key that can sign");
        let number = FILES.fetch_add(1, Ordering::SeqCst);
        let name = format!("authority-{}-{number}.pem", process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, issuer.pem()).expect("a directory for this");
        Self { issuer, file }
    }

    /// For `--upstream-ca`.
    pub(crate) fn file(&self) -> &str {
        self.file
            .to_str()
            .expect("ASCII, unless the checkout is not")
    }

    /// A certificate and its key for these names, in files beside that of the authority.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names of DNS");
        self.issue_with(params)
    }

    /// The same for what `params` say.
    pub(crate) fn issue_with(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority");
        let number = FILES.fetch_add(1, Ordering::SeqCst);
        let path = |kind: &str| self.file.with_extension(format!("{number}.{kind}"));
        let issued = Issued {
            cert: path("crt"),
            key: path("key"),
            pair: (certificate.der().to_vec(), key.serialize_der()),
        };
        fs::write(&issued.cert, certificate.pem()).expect("a directory for this");
        fs::write(&issued.key, key.serialize_pem()).expect("a directory for this");
        issued
    }

    /// Its own certificate.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// What a server called `name` needs, for those versions of the protocol.
    pub(crate) fn settings(
        &self,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let params = CertificateParams::new([name.to_owned()]).expect("a name of DNS");
        let key = KeyPair::generate().expect("randomness");
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that the provider knows")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they belong together")
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

/// A certificate with its key, in files that go with this.
#[derive(Debug)]
pub(crate) struct Issued {
    cert: PathBuf,
    key: PathBuf,
    /// Both as DER.
    pub(crate) pair: (Vec<u8>, Vec<u8>),
}

impl Issued {
    /// The file of the certificate.
    pub(crate) fn cert(&self) -> &str {
        self.cert
            .to_str()
            .expect("ASCII, unless the checkout is not")
    }

    /// The file of the key.
    pub(crate) fn key(&self) -> &str {
        self.key
            .to_str()
            .expect("ASCII, unless the checkout is not")
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.cert);
        let _ = fs::remove_file(&self.key);
    }
}

/// What a secure origin does after it has read a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Vec<u8>),
    /// Ends the stream as TLS wants it, with close_notify.
    End,
    /// Ends the TCP stream in order, but TLS has not said that this is the end: what anybody
    /// between the two could do.
    Cut,
}

/// A request and what its connection was like.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) message: Message,
    pub(crate) server_name: Option<String>,
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) resumed: bool,
}

/// A server under TLS on a port of 127.0.0.1.
#[derive(Debug)]
pub(crate) struct SecureOrigin {
    origin: Origin,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl SecureOrigin {
    /// One that asks `script` what to do with each request.
    pub(crate) fn new(
        settings: ServerConfig,
        script: impl Fn(&Message) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let settings = Arc::new(settings);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let origin = Origin::raw(move |stream| serve(stream, &settings, &noted, &script));
        Self { origin, seen }
    }

    /// One called `localhost` that answers everything with 200 and that body.
    pub(crate) fn saying(authority: &Authority, body: &'static str) -> Self {
        let settings = authority.settings("localhost", rustls::ALL_VERSIONS);
        Self::new(settings, move |_| vec![ok(body)])
    }

    /// As a backend on the command line, by its name.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.authority())
    }

    /// What its URL says between the slashes.
    pub(crate) fn authority(&self) -> String {
        format!("localhost:{}", self.origin.address().port())
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no thread panics with it").clone()
    }

    /// How many connections there were; requests are counted by [`SecureOrigin::seen`].
    pub(crate) fn counts(&self) -> Counts {
        self.origin.counts()
    }
}

/// 200 with a body of known length.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    Act::Say([head.as_bytes(), body].concat())
}

static FILES: AtomicUsize = AtomicUsize::new(0);

fn serve(
    stream: &TcpStream,
    settings: &Arc<ServerConfig>,
    seen: &Mutex<Vec<Seen>>,
    script: &impl Fn(&Message) -> Vec<Act>,
) {
    let Ok(twin) = stream.try_clone() else { return };
    let connection = ServerConnection::new(Arc::clone(settings)).expect("good settings");
    let mut stream = BufReader::new(StreamOwned::new(connection, twin));
    while let Ok(Some(message)) = Message::request(&mut stream, || Ok(())) {
        let connection = &stream.get_ref().conn;
        let acts = script(&message);
        seen.lock().expect("no thread panics with it").push(Seen {
            message,
            server_name: connection.server_name().map(str::to_owned),
            version: connection.protocol_version(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        });
        for act in acts {
            let stream = stream.get_mut();
            match act {
                Act::Say(bytes) => {
                    if stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Act::End => {
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                    return;
                }
                Act::Cut => return,
            }
        }
    }
}
