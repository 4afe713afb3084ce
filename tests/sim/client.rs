//! A client of the simulated world: asks, one request behind the other or several at once, and
//! checks every byte of what comes back.

use std::io;
use std::net::SocketAddr;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::invariant::Invariant;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::line::End;
use crate::line::Line;
use crate::message::Head;
use crate::net::Actor;
use crate::net::Net;
use crate::order::Order;
use crate::order::Then;
use crate::order::below;
use crate::sky::Sky;
use crate::stream::Stream;
use crate::weather::Climate;
use crate::weather::Misdeed;

/// One client.
pub(crate) struct Client {
    proxy: SocketAddr,
    sky: Sky,
    /// Requests it has yet to ask.
    left: usize,
    body_max: u64,
    /// Its next connection comes no earlier.
    start: Option<Moment>,
    line: Option<Line>,
}

impl Client {
    pub(crate) fn new(proxy: SocketAddr, sky: &Sky, left: usize, body_max: u64) -> Self {
        Self {
            proxy,
            sky: sky.clone(),
            left,
            body_max,
            start: None,
            line: None,
        }
    }

    /// Whether it has asked everything and heard of it.
    pub(crate) const fn is_done(&self) -> bool {
        self.left == 0 && self.line.is_none()
    }

    /// More to ask.
    pub(crate) const fn give(&mut self, requests: usize) {
        self.left += requests;
    }

    /// When its next connection begins.
    fn beginning(&mut self, net: &mut Net, now: Moment) -> Moment {
        if let Some(start) = self.start {
            return start;
        }
        let burst = self.sky.strikes(net, Misdeed::Burst);
        let start = if burst {
            Moment((now.0 / 1_000_000_000 + 1) * 1_000_000_000)
        } else {
            now
        };
        self.start = Some(start);
        start
    }

    fn connect(&mut self, net: &mut Net, now: Moment) {
        self.start = None;
        let Ok(socket) = net.connect(self.proxy) else {
            return;
        };
        let pipelines = self.sky.strikes(net, Misdeed::Pipelines);
        let to_ask = (1 + below(net, 8)).min(self.left);
        self.line = Some(Line::new(socket, to_ask, net, &self.sky, now));
        let at_once = if pipelines { to_ask } else { 1 };
        for _ in 0..at_once {
            self.ask(net);
        }
    }

    /// Writes one more request into the output, if the connection may have one.
    fn ask(&mut self, net: &mut Net) {
        let Some(line) = self.line.as_mut().filter(|line| line.to_ask > 0) else {
            return;
        };
        line.to_ask -= 1;
        self.left -= 1;
        let order = Order::draw(net, &self.sky, self.body_max);
        let id = self.sky.ledger.borrow_mut().enter(order.entry);
        line.asked.push_back(id);
        let start = line.output.len();
        let head = order.write(&mut line.output, id, net);
        match order.then {
            Then::Others => {}
            Then::Waits => {
                line.hold = Some(start + head);
                line.to_ask = 0;
            }
            Then::Nothing | Then::Kept => line.to_ask = 0,
            Then::Stream(early) => {
                line.early = early;
                line.to_ask = 0;
                line.half_close = false;
            }
        }
    }

    /// Goes on until it is blocked, or the connection is over.
    fn step(&mut self, net: &mut Net, now: Moment) -> Option<End> {
        let line = self.line.as_mut()?;
        if !line.stands {
            match net.established(line.socket) {
                Ok(()) => line.stands = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => return Some(End::Close),
            }
        }
        loop {
            let line = self.line.as_mut()?;
            if line.thinks.is_some_and(|until| until <= now) {
                line.thinks = None;
                self.ask(net);
                continue;
            }
            if let Some(end) = line.write(net, now) {
                return Some(end);
            }
            if line.stream.as_ref().is_some_and(Stream::is_over) {
                let id = line.asked.pop_front()?;
                let length = self.sky.ledger.borrow().entry(id).expected();
                self.sky.ledger.borrow_mut().answer(id, length);
                return Some(End::Close);
            }
            if line.deaf && line.stream.as_ref().is_some_and(Stream::is_ended) {
                return Some(End::Close);
            }
            let mut buffer = [0; 4096];
            let over = match line.read(net, &self.sky, now, &mut buffer)? {
                Ok(0) => self.ended(),
                Ok(count) => self.take(net, now, &buffer[..count]),
                Err(end) => Some(end),
            };
            if over.is_some() {
                return over;
            }
        }
    }

    /// Takes what is whole of the answers.
    fn take(&mut self, net: &mut Net, now: Moment, bytes: &[u8]) -> Option<End> {
        let line = self.line.as_mut()?;
        if let Some(stream) = &mut line.stream {
            stream.take(bytes);
            return None;
        }
        line.reading.push(bytes);
        loop {
            let line = self.line.as_mut()?;
            let Some(id) = line.asked.front().copied() else {
                assert!(line.reading.is_empty(), "bytes that nobody asked for");
                return None;
            };
            if !line.in_body {
                let head = line.reading.head()?;
                match self.judge(id, &head) {
                    Judged::Interim => continue,
                    Judged::Answer => {}
                    Judged::Switched => return None,
                    Judged::Refused => return Some(End::Close),
                }
            }
            let line = self.line.as_mut()?;
            let length = line.reading.body()?;
            if let Some(end) = self.whole(net, now, id, length) {
                return Some(end);
            }
        }
    }

    fn judge(&mut self, id: usize, head: &Head) -> Judged {
        let Some(line) = &mut self.line else {
            return Judged::Refused;
        };
        let entry = self.sky.ledger.borrow().entry(id);
        let status = head.status();
        match status {
            100 => {
                assert!(line.hold.take().is_some(), "nobody waits for a 100");
                return Judged::Interim;
            }
            101 => {
                assert_eq!(entry.kind, Kind::Stream, "{head:?}");
                assert_eq!(head.number("x-id"), Some(id), "a stream of somebody else's");
                let mut stream = Stream::client(id, &entry, line.early);
                stream.take(line.reading.rest());
                line.stream = Some(stream);
                return Judged::Switched;
            }
            102 | 103 => return Judged::Interim,
            _ => {}
        }
        line.last = head.value("connection") == Some("close");
        let Some(said) = head.number("x-id") else {
            // Not of an origin's: the proxy's own. What is behind it is not for us.
            assert!(status >= 400, "{head:?}");
            self.sky.ledger.borrow_mut().refuse(id, status);
            line.asked.pop_front();
            return Judged::Refused;
        };
        let mut book = self.sky.ledger.borrow_mut();
        book.check(Invariant::OneAnswer, said == id, || {
            format!("the answer to {said} came where {id} was asked")
        });
        let via = head.value("via");
        assert!(via.is_some_and(|via| via.contains("tidegate")));
        let bodiless = entry.method == Method::Head || status == 204 || status == 304;
        line.reading.begin(head, id, true, bodiless);
        line.in_body = true;
        Judged::Answer
    }

    /// The first answer is whole. What follows.
    fn whole(&mut self, net: &mut Net, now: Moment, id: usize, length: usize) -> Option<End> {
        self.sky.ledger.borrow_mut().answer(id, length);
        let line = self.line.as_mut()?;
        line.asked.pop_front();
        line.in_body = false;
        // A body that nobody asked for is not sent; bytes of a protocol that nobody wants to
        // speak cannot be told from requests.
        if line.asked.is_empty() && (line.hold.is_some() || line.early > 0) {
            return Some(End::Close);
        }
        if line.last {
            // Whoever is told that the connection ends waits for the end.
            line.to_ask = 0;
            return None;
        }
        if line.to_ask == 0 {
            return line.asked.is_empty().then_some(End::Close);
        }
        if self.sky.strikes(net, Misdeed::Thinks) {
            let line = self.line.as_mut()?;
            line.thinks = Some(now + Span::millis(net.below(3_000)));
        } else {
            self.ask(net);
        }
        None
    }

    /// The proxy has said that nothing more comes.
    fn ended(&mut self) -> Option<End> {
        let line = self.line.as_mut()?;
        if line.deaf {
            // So a broken connection looks after its error was told.
            return Some(End::Close);
        }
        if let Some(stream) = &mut line.stream {
            stream.end();
            return None;
        }
        if line.in_body
            && let Some(length) = line.reading.end()
            && let Some(id) = line.asked.pop_front()
        {
            self.sky.ledger.borrow_mut().answer(id, length);
        }
        Some(End::Close)
    }

    /// The connection is over: what was asked and not answered is broken.
    fn over(&mut self, net: &mut Net, end: End) {
        let Some(mut line) = self.line.take() else {
            return;
        };
        let mut book = self.sky.ledger.borrow_mut();
        // Whoever closes says that it has sent everything, which is not true of a stream.
        let streams = |id: &usize| book.entry(*id).kind == Kind::Stream;
        if end == End::Abort || line.asked.iter().any(streams) {
            net.abort(line.socket);
        } else {
            line.secure.close(net, line.socket);
        }
        if line.last && !line.in_body && end == End::Close {
            // RFC 9112 section 9.6: what was asked behind the last answer is asked anew.
            for id in line.asked {
                book.give_back(id);
                self.left += 1;
            }
        } else {
            book.broken += line.asked.len() as u64;
        }
    }
}

enum Judged {
    Interim,
    Answer,
    Switched,
    Refused,
}

impl Actor for Client {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        while net.changed().is_some() {}
        loop {
            if self.line.is_none() {
                if self.left == 0 {
                    return None;
                }
                let start = self.beginning(net, now);
                if start > now {
                    return Some(start);
                }
                self.connect(net, now);
            }
            let end = self.step(net, now);
            let Some(line) = &self.line else {
                return Some(now + Span::millis(10));
            };
            let end = match end {
                Some(end) => end,
                None if now < line.patience => return Some(line.wake(now)),
                None => {
                    let swallows = self.sky.climate() == Climate::Swallowing;
                    assert!(swallows, "a client waits in vain for {:?}", line.asked);
                    End::Abort
                }
            };
            self.over(net, end);
        }
    }
}
