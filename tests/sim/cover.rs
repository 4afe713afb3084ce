//! Which sides of a world are under TLS, which TLS that is, and what goes wrong with it.

use std::cell::Cell;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::Connection;
use rustls::ServerConfig;
use rustls::ServerConnection;
use tidegate::base::random::Random;
use tidegate::config::Scheme;
use tidegate::tls::ClientTls;
use tidegate::tls::ServerTls;

use crate::library;
use crate::library::FRONT;
use crate::library::Papers;
use crate::net::Net;
use crate::secure::Secure;
use crate::secure::Tongue;
use crate::toy::Role;
use crate::toy::Toys;

/// What may be the matter with one TLS connection of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Trouble {
    /// It breaks off after so many bytes.
    Abort,
    /// Bytes that are no TLS come first.
    Garbage,
    /// HTTP in the clear comes first.
    Http,
    /// A fatal alert comes in the middle.
    Alert,
    /// A byte of a record is changed.
    Garble,
    /// From some byte on nothing more comes; the end of the peer is still seen.
    Hang,
    /// It closes without close_notify.
    Cut,
    /// It says close_notify, ends its direction and waits for the peer to close.
    HalfClose,
    /// The origin's certificate is by an authority that nobody believes.
    Stranger,
    /// A ticket or key update comes behind an answer.
    Ticket,
}

impl Trouble {
    pub(crate) const ALL: [Self; 10] = [
        Self::Abort,
        Self::Garbage,
        Self::Http,
        Self::Alert,
        Self::Garble,
        Self::Hang,
        Self::Cut,
        Self::HalfClose,
        Self::Stranger,
        Self::Ticket,
    ];

    /// After which everything still arrives.
    const HARMLESS: [Self; 2] = [Self::HalfClose, Self::Ticket];
}

/// Whose TLS is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tls {
    #[default]
    None,
    Toy,
    Library,
}

impl Tls {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Toy, Self::Library];
}

/// What a world has of TLS before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dress {
    pub(crate) front: Tls,
    pub(crate) back: Tls,
    /// By trouble: how often, per mille of the occasions.
    pub(crate) rates: [u16; Trouble::ALL.len()],
}

impl Dress {
    /// Nothing, the toy, or the library, here, there or on both sides; and in a storm troubles.
    pub(crate) fn draw(seed: u64, stormy: bool) -> Self {
        let mut random = Random::new(seed ^ 0x0071_5071);
        // The library's arithmetic costs a hundred times what all else does: in few worlds it takes
        // a fifth of the time already.
        let tls = match random.below(40) {
            0..=22 => Tls::None,
            23..=38 => Tls::Toy,
            _ => Tls::Library,
        };
        let (front, back) = match random.below(3) {
            0 => (tls, Tls::None),
            1 => (Tls::None, tls),
            _ => (tls, tls),
        };
        let rates = Trouble::ALL.map(|trouble| {
            let rate = [0, 0, 5, 60][usize::try_from(random.below(4)).expect("small")];
            let strikes = tls != Tls::None && (stormy || Trouble::HARMLESS.contains(&trouble));
            if strikes { rate } else { 0 }
        });
        Self { front, back, rates }
    }
}

/// TLS in a world.
pub(crate) struct Cover {
    pub(crate) front: Tls,
    pub(crate) back: Tls,
    toys: [Rc<Toys>; 3],
    library: Option<Library>,
    seed: u64,
    tickets: u64,
    rates: Cell<[u16; Trouble::ALL.len()]>,
    struck: Cell<[u64; Trouble::ALL.len()]>,
    /// At which byte troubles begin; drawn if `None`.
    pub(crate) begin: Cell<Option<usize>>,
    /// Connections of origins on which a handshake was all that happened.
    pub(crate) probed: Cell<u64>,
    /// Handshakes that actors have completed.
    pub(crate) shaken: Cell<u64>,
}

struct Library {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    stranger: Arc<ServerConfig>,
}

impl Cover {
    pub(crate) fn new(dress: &Dress, seed: u64) -> Rc<Self> {
        let Dress { front, back, rates } = *dress;
        let tickets = seed % 3;
        library::seed(seed);
        let papers = || {
            let papers = Papers::of_the_process();
            let tickets = usize::try_from(tickets).expect("small");
            Library {
                client: papers.client(),
                server: papers.server(false, tickets),
                stranger: papers.server(true, 0),
            }
        };
        let server = |authority| Role::Server {
            authority,
            name: FRONT.to_owned(),
            tickets,
        };
        let toys = [
            Toys::new(Role::Client { authority: 1 }, seed ^ 1),
            Toys::new(server(1), seed ^ 2),
            Toys::new(Role::Client { authority: 1 }, seed ^ 3),
        ];
        Rc::new(Self {
            front,
            back,
            toys,
            library: [front, back].contains(&Tls::Library).then(papers),
            seed,
            tickets,
            rates: Cell::new(rates),
            struck: Cell::default(),
            begin: Cell::default(),
            probed: Cell::default(),
            shaken: Cell::default(),
        })
    }

    pub(crate) fn set(&self, trouble: Trouble, permille: u16) {
        let mut rates = self.rates.get();
        rates[trouble as usize] = permille;
        self.rates.set(rates);
    }

    /// Nothing goes wrong with new connections from here on.
    pub(crate) fn clear(&self) {
        self.rates.set(Default::default());
    }

    /// How often it happened.
    pub(crate) fn struck(&self, trouble: Trouble) -> u64 {
        self.struck.get()[trouble as usize]
    }

    /// The same of all.
    pub(crate) const fn all_struck(&self) -> [u64; Trouble::ALL.len()] {
        self.struck.get()
    }

    pub(crate) fn count(&self, trouble: Trouble) {
        let mut struck = self.struck.get();
        struck[trouble as usize] += 1;
        self.struck.set(struck);
    }

    /// An occasion: does it happen?
    pub(crate) fn strikes(&self, trouble: Trouble, net: &mut Net) -> bool {
        let rate = self.rates.get()[trouble as usize];
        rate > 0 && net.below(1000) < u64::from(rate)
    }

    /// How backends are spoken to.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.back {
            Tls::None => Scheme::Http,
            Tls::Toy | Tls::Library => Scheme::Https,
        }
    }

    /// What an origin is told of the client's scheme, and as whom it is addressed.
    pub(crate) fn told(&self, origin: SocketAddr) -> (&'static str, String) {
        let scheme = match self.front {
            Tls::None => "http",
            Tls::Toy | Tls::Library => "https",
        };
        let host = match self.back {
            Tls::None => FRONT.to_owned(),
            // The name of the certificate.
            Tls::Toy | Tls::Library => origin.to_string(),
        };
        (scheme, host)
    }

    /// The proxy's own settings towards clients.
    pub(crate) fn server_tls(&self) -> Option<ServerTls> {
        match (self.front, &self.library) {
            (Tls::Library, Some(library)) => {
                Some(ServerTls::simulated(Rc::new(Arc::clone(&library.server))))
            }
            (Tls::Toy, _) => Some(ServerTls::simulated(self.toys[1].clone())),
            (Tls::None | Tls::Library, _) => None,
        }
    }

    /// The proxy's own settings towards backends.
    pub(crate) fn client_tls(&self) -> Option<ClientTls> {
        match (self.back, &self.library) {
            (Tls::Library, Some(library)) => {
                Some(ClientTls::simulated(Rc::new(Arc::clone(&library.client))))
            }
            (Tls::Toy, _) => Some(ClientTls::simulated(self.toys[2].clone())),
            (Tls::None | Tls::Library, _) => None,
        }
    }

    /// A client's end of a new connection to the proxy.
    pub(crate) fn client(self: &Rc<Self>, net: &mut Net) -> Secure {
        library::clock(net.now());
        let tongue = match (self.front, &self.library) {
            (Tls::Library, Some(library)) => {
                let name = FRONT.try_into().expect("a name");
                let connection = ClientConnection::new(Arc::clone(&library.client), name);
                Tongue::library(Connection::Client(
                    connection.expect("a good configuration"),
                ))
            }
            (Tls::Toy, _) => Tongue::toy(self.toys[0].toy(FRONT)),
            (Tls::None | Tls::Library, _) => return Secure::plain(),
        };
        let kinds = &Trouble::ALL[..Trouble::Stranger as usize];
        let trouble = self.troubled(kinds, net);
        Secure::new(tongue, trouble, self, net)
    }

    /// An origin's end of a new connection from the proxy.
    pub(crate) fn origin(self: &Rc<Self>, at: IpAddr, net: &mut Net) -> Secure {
        library::clock(net.now());
        if self.back == Tls::None {
            return Secure::plain();
        }
        let kinds = &Trouble::ALL[..Trouble::Ticket as usize];
        let trouble = self.troubled(kinds, net);
        let strange = trouble == Some(Trouble::Stranger);
        let tongue = match (self.back, &self.library) {
            (Tls::Library, Some(library)) => {
                let settings = if strange {
                    &library.stranger
                } else {
                    &library.server
                };
                let connection = ServerConnection::new(Arc::clone(settings));
                Tongue::library(Connection::Server(
                    connection.expect("a good configuration"),
                ))
            }
            _ => {
                // A stranger has the wrong authority, or the wrong name.
                let wrong_name = strange && net.below(2) == 0;
                let role = Role::Server {
                    authority: if strange && !wrong_name { 2 } else { 1 },
                    name: if wrong_name {
                        "10.1.0.99".to_owned()
                    } else {
                        at.to_string()
                    },
                    tickets: self.tickets,
                };
                let seed = net.now().0 ^ self.seed;
                Tongue::toy(Toys::new(role, seed).toy(""))
            }
        };
        Secure::new(tongue, trouble, self, net)
    }

    fn troubled(&self, kinds: &[Trouble], net: &mut Net) -> Option<Trouble> {
        let mut kinds = kinds.iter().copied();
        kinds.find(|trouble| self.strikes(*trouble, net))
    }
}
