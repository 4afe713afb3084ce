//! How the balancer of a world is set up, and what is planned for it, as numbers by name: so that
//! a scene can be printed, read again, and made simpler one knob at a time.

use tidegate::base::random::Random;
use tidegate::base::time::Span;
use tidegate::config::AccessLog;
use tidegate::config::ClientTimeouts;
use tidegate::config::Config;
use tidegate::config::Health;
use tidegate::config::LogFormat;
use tidegate::config::Mode;
use tidegate::config::Only;
use tidegate::config::Probe;
use tidegate::config::Reuse;
use tidegate::config::ReuseMode;
use tidegate::config::ServerTimeouts;
use tidegate::config::Share;

/// A number that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Knob {
    /// 1 for connections instead of requests.
    Tcp,
    /// 1 for backends that are given by name.
    Named,
    /// How many attackers there are.
    Attackers,
    /// Bytes that a direction of a connection holds.
    Buffer,
    /// Sockets that the program may have; 0 for as many as it likes.
    Descriptors,
    /// When the program is asked to end while everybody is busy; 0 for afterwards.
    StopMillis,
    /// 1 if it is then asked to end at once.
    Quit,
    DrainMillis,
    Tries,
    IdleKept,
    IdleKeptMillis,
    /// 0 for what is safe, 1 for always, 2 for never.
    Reuse,
    /// 0 for no probes.
    Probes,
    ProbeMillis,
    ProbeTimeoutMillis,
    Rise,
    Fall,
    ResolveMillis,
    HeadMillis,
    IdleMillis,
    ReadMillis,
    WriteMillis,
    TunnelMillis,
    ConnectMillis,
    ResponseMillis,
    ServerReadMillis,
    /// After how many requests a connection ends; 0 for never.
    Requests,
    /// Bytes of a body that are too many if there is one more.
    Body,
    /// 0 for no access log, 1 for JSON, 2 for combined, 3 for common, 4 for HAProxy's.
    LogFormat,
    /// 0 for all requests, 1 for errors, 2 for slow ones.
    LogOnly,
    /// Which share of them gets a line, per mille.
    LogSample,
    /// How often whoever takes lines is not quick enough, per mille.
    LogFull,
}

/// Each knob and where it stands usually.
const USUAL: [(Knob, u64); COUNT] = [
    (Knob::Tcp, 0),
    (Knob::Named, 0),
    (Knob::Attackers, 0),
    (Knob::Buffer, 64 * 1024),
    (Knob::Descriptors, 0),
    (Knob::StopMillis, 0),
    (Knob::Quit, 0),
    (Knob::DrainMillis, 30_000),
    (Knob::Tries, 3),
    (Knob::IdleKept, 64),
    (Knob::IdleKeptMillis, 4_000),
    (Knob::Reuse, 0),
    (Knob::Probes, 1),
    (Knob::ProbeMillis, 2_000),
    (Knob::ProbeTimeoutMillis, 1_000),
    (Knob::Rise, 2),
    (Knob::Fall, 3),
    (Knob::ResolveMillis, 30_000),
    (Knob::HeadMillis, 10_000),
    (Knob::IdleMillis, 60_000),
    (Knob::ReadMillis, 30_000),
    (Knob::WriteMillis, 30_000),
    (Knob::TunnelMillis, 3_600_000),
    (Knob::ConnectMillis, 5_000),
    (Knob::ResponseMillis, 60_000),
    (Knob::ServerReadMillis, 60_000),
    (Knob::Requests, 0),
    (Knob::Body, BODY_BYTES),
    (Knob::LogFormat, 0),
    (Knob::LogOnly, 0),
    (Knob::LogSample, 1_000),
    (Knob::LogFull, 0),
];

const COUNT: usize = Knob::LogFull as usize + 1;

/// Where all knobs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Knobs([u64; COUNT]);

impl Default for Knobs {
    fn default() -> Self {
        Self(USUAL.map(|(_, usual)| usual))
    }
}

impl Knob {
    /// All of them.
    pub(crate) const ALL: [(Self, u64); COUNT] = USUAL;
}

impl Knobs {
    pub(crate) const fn of(&self, knob: Knob) -> u64 {
        self.0[knob as usize]
    }

    pub(crate) const fn set(&mut self, knob: Knob, value: u64) {
        self.0[knob as usize] = value;
    }

    /// A span that a knob gives.
    pub(crate) const fn span(&self, knob: Knob) -> Span {
        Span::millis(self.of(knob))
    }

    fn count<T: TryFrom<u64>>(&self, knob: Knob) -> T {
        let value = T::try_from(self.of(knob));
        value.unwrap_or_else(|_| panic!("{knob:?} is small"))
    }

    /// True where clients ask for connections and not for requests.
    pub(crate) const fn is_tcp(&self) -> bool {
        self.of(Knob::Tcp) == 1
    }

    pub(crate) fn draw(random: &mut Random, stormy: bool) -> Self {
        let mut knobs = Self::default();
        let tcp = random.permille(120);
        let mut set = |knob, permille, from: u64, most: u64, random: &mut Random| {
            if random.permille(permille) {
                knobs.set(knob, from + random.below(most + 1 - from));
            }
        };
        if tcp {
            set(Knob::Tcp, 1_000, 1, 1, random);
        } else {
            set(Knob::Named, 250, 1, 1, random);
            set(Knob::Attackers, 400, 1, 2, random);
        }
        // With room for megabytes a session has work for longer than its turn lasts.
        set(Knob::Buffer, 300, 4 * 1024, 4 * 1024, random);
        set(Knob::Buffer, 150, ROOMY, ROOMY, random);
        set(Knob::Tries, 500, if stormy { 1 } else { 2 }, 4, random);
        set(Knob::IdleKept, 400, 0, 3, random);
        set(Knob::IdleKeptMillis, 500, 500, 8_000, random);
        set(Knob::Reuse, 300, 1, 2, random);
        set(Knob::ProbeMillis, 500, 500, 3_000, random);
        set(Knob::Rise, 500, 1, 3, random);
        set(Knob::Fall, 500, 1, 3, random);
        set(Knob::ResolveMillis, 800, 500, 10_000, random);
        set(Knob::StopMillis, 200, 1, 12_000, random);
        // Where nothing goes wrong a server is not down for being slow.
        set(Knob::ProbeTimeoutMillis, 1_000, 10_000, 10_000, random);
        if stormy {
            set(Knob::ProbeTimeoutMillis, 1_000, 200, 2_000, random);
            set(Knob::Descriptors, 150, 8, 32, random);
            set(Knob::Quit, 200, 1, 1, random);
            // What was sent behind the last one is not answered: where nothing goes wrong all is.
            set(Knob::Requests, 200, 1, 5, random);
            set(Knob::DrainMillis, 300, 0, 3_000, random);
            for (knob, usual) in &USUAL[Knob::HeadMillis as usize..=Knob::ServerReadMillis as usize]
            {
                set(*knob, 500, 1_000, (*usual).min(60_000), random);
            }
            // What hangs there hangs for an hour otherwise.
            set(Knob::TunnelMillis, 1_000, 1_000, 100_000, random);
        }
        if random.permille(100) {
            knobs.set(Knob::Probes, 0);
        }
        knobs
    }

    /// Draws what has dice of its own, so that all else stays what a seed has always been.
    pub(crate) fn draw_apart(&mut self, random: &mut Random, stormy: bool) {
        if random.permille(500) {
            // JSON is the one whose lines say the most.
            let format = random.below(6).saturating_sub(1).max(1);
            self.set(Knob::LogFormat, format);
        }
        if random.permille(200) {
            self.set(Knob::LogOnly, 1 + random.below(2));
        }
        if random.permille(150) {
            self.set(Knob::LogSample, 1 + random.below(999));
        }
        if random.permille(300) {
            self.set(Knob::LogFull, 1 + random.below(300));
        }
        // Whose body is too long gets no answer of a server's: where all goes well, everybody does.
        if stormy && !self.is_tcp() && random.permille(300) {
            self.set(Knob::Body, 100 + random.below(1_500));
        }
    }

    /// Sets a configuration up accordingly.
    pub(crate) fn turn(&self, config: &mut Config) {
        config.drain_timeout = self.span(Knob::DrainMillis);
        config.resolve_interval = self.span(Knob::ResolveMillis);
        let listener = &mut config.listeners[0];
        listener.mode = if self.is_tcp() { Mode::Tcp } else { Mode::Http };
        listener.timeouts = ClientTimeouts {
            head: self.span(Knob::HeadMillis),
            idle: self.span(Knob::IdleMillis),
            read: self.span(Knob::ReadMillis),
            write: self.span(Knob::WriteMillis),
            tunnel: self.span(Knob::TunnelMillis),
        };
        listener.limits.requests_per_connection = self.count(Knob::Requests);
        listener.limits.body = Some(self.of(Knob::Body));
        config.access_log = AccessLog {
            format: match self.of(Knob::LogFormat) {
                0 => LogFormat::Off,
                1 => LogFormat::Json,
                2 => LogFormat::Combined,
                3 => LogFormat::Common,
                _ => LogFormat::Haproxy,
            },
            only: match self.of(Knob::LogOnly) {
                0 => Only::All,
                1 => Only::Errors,
                _ => Only::Slow,
            },
            sample: Share::permille(self.count(Knob::LogSample)).expect("no more than all"),
            ..AccessLog::default()
        };
        let pool = &mut config.pools[0];
        pool.timeouts = ServerTimeouts {
            connect: self.span(Knob::ConnectMillis),
            response: self.span(Knob::ResponseMillis),
            read: self.span(Knob::ServerReadMillis),
        };
        pool.reuse = Reuse {
            idle: self.count(Knob::IdleKept),
            idle_time: self.span(Knob::IdleKeptMillis),
            mode: match self.of(Knob::Reuse) {
                0 => ReuseMode::Safe,
                1 => ReuseMode::Always,
                _ => ReuseMode::Never,
            },
        };
        pool.retry.tries = self.count(Knob::Tries);
        pool.health = Health {
            probe: if self.of(Knob::Probes) == 0 {
                Probe::Off
            } else {
                Probe::Tcp
            },
            interval: self.span(Knob::ProbeMillis),
            timeout: self.span(Knob::ProbeTimeoutMillis),
            rise: self.count(Knob::Rise),
            fall: self.count(Knob::Fall),
        };
    }
}

/// Nobody sends as much as is allowed usually; attackers say that they will.
pub(crate) const BODY_BYTES: u64 = 1 << 30;

/// Room for all that is ever sent at once.
pub(crate) const ROOMY: u64 = 4 << 20;
