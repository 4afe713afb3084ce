//! A client of the simulated world that means no good: it sends what is no request, or could be
//! two, sends more behind it, and only then looks at the answer. Nothing of it may reach an
//! origin, and the answer must be whole and readable: a proxy that closes with bytes unread
//! destroys it with a reset.

use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::line::PATIENCE;
use crate::message::Head;
use crate::message::Reading;
use crate::net::Actor;
use crate::net::Net;
use crate::order::below;
use crate::secure::Secure;
use crate::sky::Sky;
use crate::weather::Climate;
use crate::weather::Misdeed;

/// One attacker.
pub(crate) struct Attacker {
    proxy: SocketAddr,
    sky: Sky,
    left: usize,
    attack: Option<Attack>,
}

struct Attack {
    socket: Socket,
    secure: Secure,
    stands: bool,
    plan: Plan,
    output: Vec<u8>,
    written: usize,
    /// What goes out before the pause, and what after it.
    first: usize,
    pause: Moment,
    reads_from: Moment,
    patience: Moment,
    reading: Reading,
    bytes: Vec<u8>,
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// A head that is refused with this status.
    Refused(u16),
    /// A body that breaks: 400, unless the origin said something before.
    Poison,
    /// A head that never ends.
    Loris,
}

impl Attacker {
    pub(crate) fn new(proxy: SocketAddr, sky: &Sky, left: usize) -> Self {
        Self {
            proxy,
            sky: sky.clone(),
            left,
            attack: None,
        }
    }

    /// Whether it has given up.
    pub(crate) const fn is_done(&self) -> bool {
        self.left == 0 && self.attack.is_none()
    }

    fn begin(&mut self, net: &mut Net, now: Moment) {
        let Ok(socket) = net.connect(self.proxy) else {
            return;
        };
        self.left -= 1;
        let sky = &self.sky;
        let secure = sky.cover.client(net);
        let (plan, mut output) = if sky.strikes(net, Misdeed::Poison) {
            (Plan::Poison, self.poison(net))
        } else if sky.strikes(net, Misdeed::Loris) {
            let head = "GET /evil-request HTTP/1.1\r\nHost: sim.test\r\nX-Slow: ";
            (Plan::Loris, head.as_bytes().to_vec())
        } else if sky.strikes(net, Misdeed::Attack) {
            let (status, text) = bad(net);
            (Plan::Refused(status), text.into_bytes())
        } else {
            (Plan::Refused(431), long_head())
        };
        let first = output.len();
        if plan != Plan::Loris && net.below(3) > 0 {
            let more = below(net, 60_000);
            output.extend((0..more).map(|_| b'x'));
        }
        let glued = plan != Plan::Loris && net.below(2) == 0;
        self.attack = Some(Attack {
            socket,
            secure,
            stands: false,
            plan,
            first: if glued { output.len() } else { first },
            output,
            written: 0,
            pause: now + Span::millis(net.below(800)),
            reads_from: now + Span::millis(net.below(1_500)),
            patience: now + PATIENCE,
            reading: Reading::default(),
            bytes: Vec::new(),
            lost: false,
        });
    }

    /// A good head and a body that breaks.
    fn poison(&self, net: &mut Net) -> Vec<u8> {
        let entry = Entry {
            method: Method::Post,
            kind: Kind::Poisoned,
            trailers: false,
            request_bytes: 0,
            response_bytes: 0,
            frame: Frame::Length,
            executions: 0,
            answers: 0,
        };
        let id = self.sky.ledger.borrow_mut().enter(entry);
        let bodies = [
            "g\r\n",
            "5\nhello",
            "0\r\nContent-Length: 3\r\n\r\n",
            "-1\r\n",
            ";\r\n",
        ];
        let body = bodies[below(net, bodies.len())];
        let head = "Host: sim.test\r\nTransfer-Encoding: chunked\r\n";
        format!("POST /{id} HTTP/1.1\r\n{head}X-Id: {id}\r\n\r\n{body}").into_bytes()
    }
}

impl Attack {
    /// Goes on until it is blocked; true once it is over.
    fn step(&mut self, net: &mut Net, now: Moment, sky: &Sky) -> bool {
        if !self.stands {
            match net.established(self.socket) {
                Ok(()) => self.stands = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
        self.write(net, now);
        if self.reads_from > now {
            return false;
        }
        let mut buffer = [0; 4096];
        loop {
            match self.secure.read(net, self.socket, &mut buffer) {
                Ok(0) => {
                    self.judge(sky, self.lost);
                    return true;
                }
                Ok(count) => {
                    self.patience = now + PATIENCE;
                    self.bytes.extend_from_slice(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => {
                    self.judge(sky, true);
                    return true;
                }
            }
        }
    }

    fn write(&mut self, net: &mut Net, now: Moment) {
        if self.plan == Plan::Loris && self.written == self.output.len() && self.pause <= now {
            self.output.push(b'z');
            self.pause = now + Span::seconds(1);
        }
        while self.written < self.output.len() && !self.lost {
            let mut rest = &self.output[self.written..];
            if self.written < self.first {
                rest = &self.output[self.written..self.first];
            } else if self.pause > now && self.plan != Plan::Loris {
                return;
            }
            match self.secure.write(net, self.socket, rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.lost = true,
            }
        }
    }

    /// The connection is over: was the answer what it had to be?
    fn judge(&mut self, sky: &Sky, reset: bool) {
        if !sky.keeps_connections() || sky.is_ending() {
            return;
        }
        self.reading.push(&self.bytes);
        let seen = self.bytes.escape_ascii();
        let status = match self.reading.head() {
            Some(head) => {
                assert_eq!(head.value("connection"), Some("close"), "{head:?}");
                self.length(&head);
                head.status()
            }
            None => 0,
        };
        match self.plan {
            // An origin that breaks off, or is not there, is quicker at times.
            Plan::Poison => return assert!([0, 400, 502, 503, 504].contains(&status), "{seen}"),
            Plan::Refused(expected) => assert_eq!(status, expected, "{seen}"),
            // Its bytes come for ever, so that it may be reset after a while.
            Plan::Loris => return assert_eq!(status, 408, "{seen}"),
        }
        assert!(!reset, "the answer was torn away: {seen}");
    }

    /// An answer of the proxy's own is as long as it says.
    fn length(&self, head: &Head) {
        let length = head.number("content-length");
        assert_eq!(length, Some(self.reading.rest().len()), "{head:?}");
    }
}

impl Actor for Attacker {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        while net.changed().is_some() {}
        loop {
            if self.attack.is_none() {
                if self.left == 0 {
                    return None;
                }
                self.begin(net, now);
            }
            let Some(attack) = &mut self.attack else {
                return Some(now + Span::millis(10));
            };
            if !attack.step(net, now, &self.sky) {
                if now < attack.patience {
                    let times = [attack.pause, attack.reads_from, attack.patience];
                    return times.into_iter().filter(|at| *at > now).min();
                }
                let swallows = self.sky.climate() == Climate::Swallowing;
                assert!(swallows, "{:?} is not answered", attack.plan);
            }
            if attack.plan == Plan::Poison {
                self.sky.ledger.borrow_mut().broken += 1;
            }
            attack.secure.close(net, attack.socket);
            self.attack = None;
        }
    }
}

/// Something that must be refused, and how.
fn bad(net: &mut Net) -> (u16, String) {
    let at = below(net, HEADS.len() + FIELDS.len());
    if let Some((status, head)) = HEADS.get(at) {
        return (*status, (*head).to_owned());
    }
    let (status, fields) = FIELDS[at - HEADS.len()];
    let line = "POST /evil-request HTTP/1.1\r\nHost: a";
    (status, format!("{line}\r\n{fields}\r\n\r\nhello"))
}

/// A head that does not fit.
fn long_head() -> Vec<u8> {
    let mut text = "GET /evil-request HTTP/1.1\r\nHost: sim.test\r\n".to_owned();
    for _ in 0..20 {
        text.push_str("X-Long: ");
        text.push_str(&"l".repeat(1_000));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Heads that must be refused, and how.
const HEADS: [(u16, &str); 24] = [
    (400, "GET /evil-request HTTP/1.1\r\n\r\n"),
    (
        400,
        "GET /evil-request HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    (400, "GET /evil-request HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, "GET /evil-request HTTP/1.1\nHost: a\r\n\r\n"),
    (400, "GET /evil-request HTTP/1.1\r\nHost: a\n\r\n"),
    (400, "GET /evil-request HTTP/1.1\rHost: a\r\n\r\n"),
    (400, "GET /evil-request\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        400,
        "GET /evil-request HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n",
    ),
    (400, "GET /evil-request HTTP/1.1\r\n Host: a\r\n\r\n"),
    (
        400,
        "GET /evil-request HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    ),
    (
        400,
        "GET /evil-request HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    ),
    (400, "GET /evil-request HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    (
        400,
        "GET /evil-request HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    ),
    (400, "GET  /evil-request HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /evil-request /b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /evil-request#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET evil-request HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET * HTTP/1.1\r\nHost: a\r\nX: evil-request\r\n\r\n"),
    (400, "GET http://b/evil-request HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "\r\n\r\nGET /evil-request HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        400,
        "POST /evil-request HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        405,
        "CONNECT evil-request:80 HTTP/1.1\r\nHost: evil-request:80\r\n\r\n",
    ),
    (505, "GET /evil-request HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nevil-request"),
];

/// Fields that must be refused, and how.
const FIELDS: [(u16, &str); 17] = [
    (400, "Content-Length: +5"),
    (400, "Content-Length: 0x5"),
    (400, "Content-Length: 5, 5"),
    (400, "Content-Length: 05"),
    (400, "Content-Length:"),
    (400, "Content-Length: 5\r\nContent-Length: 5"),
    (
        400,
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
    ),
    (
        400,
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0",
    ),
    (400, "Transfer-Encoding: chunked, chunked\r\n\r\n0"),
    (400, "Transfer-Encoding: ,chunked\r\n\r\n0"),
    (
        400,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0",
    ),
    (400, "Transfer-Encoding: chunked\x0b\r\n\r\n0"),
    (400, "Transfer-Encoding : chunked\r\n\r\n0"),
    (501, "Transfer-Encoding: gzip, chunked\r\n\r\n0"),
    (501, "Transfer-Encoding: xchunked\r\n\r\n0"),
    (413, "Content-Length: 1073741825"),
    (417, "Expect: 200-ok\r\nContent-Length: 5"),
];
