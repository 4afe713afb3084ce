//! What a world consists of, as plain numbers: drawn from a seed, and small enough to be looked at,
//! changed and drawn smaller. Whoever adds a feature to the worlds draws it here.

use std::net::SocketAddr;

use tidegate::base::random::Random;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Listener;
use tidegate::config::Probe;
use tidegate::config::Scheme;

use crate::cover::Dress;
use crate::cover::Tls;
use crate::faults::Fault;
use crate::faults::Faults;
use crate::knob::BODY_BYTES;
use crate::knob::Knob;
use crate::knob::Knobs;
use crate::knob::ROOMY;
use crate::weather::Weather;

/// A world before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    /// What the dice of the world start from.
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) origins: u8,
    pub(crate) clients: Vec<Part>,
    pub(crate) connections_max: usize,
    /// Requests that each client has under way when the program is asked to end.
    pub(crate) parting: usize,
    /// By fault: how often, per mille.
    pub(crate) faults: [u16; Fault::ALL.len()],
    pub(crate) weather: Weather,
    pub(crate) dress: Dress,
    pub(crate) knobs: Knobs,
    /// How many changes an operator makes.
    pub(crate) changes: u16,
}

/// What may go wrong in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only what must not matter.
    Calm,
    /// Everything.
    Stormy,
}

/// What one client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) requests: usize,
    /// No body is longer.
    pub(crate) body_max: u64,
}

impl Scene {
    /// The scene of that seed.
    pub(crate) fn draw(kind: Kind, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let mut faults = Faults::new(0);
        let mut weather = match kind {
            Kind::Calm => Weather::calm(&mut faults, &mut random),
            Kind::Stormy => Weather::stormy(&mut faults, &mut random),
        };
        let mut knobs = Knobs::draw(&mut random, kind == Kind::Stormy);
        let mut apart = Random::new(seed ^ 0xd1a5_7a11);
        knobs.draw_apart(&mut apart, kind == Kind::Stormy);
        if knobs.of(Knob::Body) < BODY_BYTES {
            weather.draw_apart(&mut apart);
        }
        let roomy = knobs.of(Knob::Buffer) == ROOMY;
        let connections_max = usize::try_from(4 + random.below(30)).expect("small");
        let origins = u8::try_from(1 + random.below(4)).expect("small");
        let clients = (0..2 + random.below(8))
            .map(|_| Part::draw(&mut random, roomy))
            .collect();
        Self {
            seed,
            kind,
            origins,
            clients,
            connections_max,
            parting: usize::try_from(random.below(4)).expect("small"),
            faults: Fault::ALL.map(|fault| faults.rate(fault)),
            weather,
            // Streams are spoken in the clear, and certificates have no names but addresses.
            dress: if knobs.is_tcp() || knobs.of(Knob::Named) == 1 {
                Dress::default()
            } else {
                Dress::draw(seed, kind == Kind::Stormy)
            },
            changes: if knobs.is_tcp() || knobs.of(Knob::Named) == 1 {
                0
            } else {
                changes(seed, origins)
            },
            knobs,
        }
    }

    /// Where the program listens.
    pub(crate) fn proxy() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8000))
    }

    /// Where that origin listens.
    pub(crate) fn origin(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 1, 0, number], 80))
    }

    /// Another address of that origin's name, where nobody lives.
    pub(crate) fn desert(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 9, 0, number], 80))
    }

    /// The name of that origin, if it is known by one. Where nothing is sure, at least the first
    /// is there without being looked up.
    pub(crate) fn name(&self, number: u8) -> Option<String> {
        let named = self.knobs.of(Knob::Named) == 1 && (self.kind == Kind::Calm || number > 0);
        named.then(|| format!("origin-{number}.test"))
    }

    /// How the program is configured.
    pub(crate) fn config(&self) -> Config {
        let scheme = match self.dress.back {
            _ if self.knobs.is_tcp() => Scheme::Tcp,
            Tls::None => Scheme::Http,
            Tls::Toy | Tls::Library => Scheme::Https,
        };
        let backend = |number| {
            let at = Self::origin(number);
            let name = self.name(number).map(Host::Name);
            Backend::new(
                scheme,
                name.unwrap_or_else(|| Host::Address(at.ip())),
                at.port(),
            )
        };
        let mut config = Config {
            listeners: vec![Listener::at(Self::proxy())],
            max_connections: self.connections_max,
            ..Config::default()
        };
        self.knobs.turn(&mut config);
        config.pools[0].backends = (0..self.origins).map(backend).collect();
        if (0..self.origins).all(|number| self.name(number).is_none()) {
            // Without lookups and probes nothing would ever wake an idle program.
            config.pools[0].health.probe = Probe::Tcp;
        }
        config
    }
}

/// Half of the worlds in which there is something to change have an operator.
fn changes(seed: u64, origins: u8) -> u16 {
    let mut random = Random::new(seed ^ 0xc4a6);
    if origins < 2 || random.permille(500) {
        return 0;
    }
    u16::try_from(1 + random.below(60)).expect("small")
}

impl Part {
    fn draw(random: &mut Random, roomy: bool) -> Self {
        let requests = usize::try_from(5 + random.below(30)).expect("small");
        let body_max = match random.below(100) {
            0..=29 if roomy => 1_500_000,
            // Bytes cost more than requests: few clients move many.
            0 => 1_500_000,
            1..=4 => 200_000,
            _ => 3_000,
        };
        Self { requests, body_max }
    }
}

impl Kind {
    /// What the worlds of that seed are.
    pub(crate) const fn of(seed: u64) -> Self {
        if seed.is_multiple_of(3) {
            Self::Calm
        } else {
            Self::Stormy
        }
    }

    /// What tests and messages call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Stormy => "stormy",
        }
    }
}
