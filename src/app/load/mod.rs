//! Clients for the demo: a few connections that stay open, each asking again and again, and
//! looking at every byte of the answers.
//!
//! Every request carries a word that no other has and that the origin repeats. So an answer that
//! belongs to somebody else's request, or is cut, or is glued to another, cannot pass.

mod histogram;
mod verdict;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use crate::base::Socket;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::Ready;
pub(super) use histogram::Histogram;
use verdict::Verdict;

/// What clients have seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// Requests answered as they should be.
    pub(super) answered: u64,
    /// Requests that were not.
    pub(super) errors: u64,
    /// What was wrong with the first few of those.
    pub(super) complaints: Vec<String>,
    /// Good answers by the name of the origin that gave them.
    pub(super) origins: BTreeMap<String, u64>,
    /// From the first byte of a request to the last byte of its answer.
    pub(super) latency: Histogram,
}

/// Some clients.
#[derive(Debug)]
pub(super) struct Load {
    target: SocketAddr,
    pace: Span,
    clients: Vec<Client>,
    figures: Figures,
    ready: Vec<Ready>,
    is_ending: bool,
}

impl Load {
    /// `count` clients of `target`; each rests for `pace` after an answer.
    pub(super) fn new(target: SocketAddr, count: usize, pace: Span) -> Self {
        Self {
            target,
            pace,
            clients: (0..count).map(Client::new).collect(),
            figures: Figures::default(),
            ready: Vec::new(),
            is_ending: false,
        }
    }

    /// What was seen so far.
    pub(super) const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Starts no more requests.
    pub(super) const fn end(&mut self) {
        self.is_ending = true;
    }

    /// True once no request is running and none will start.
    pub(super) fn has_ended(&self) -> bool {
        self.is_ending && self.clients.iter().all(|client| !client.is_waiting())
    }

    /// Waits for something to happen, not beyond `until`, and sees to it.
    pub(super) fn turn(&mut self, kernel: &mut dyn Kernel, until: Moment) {
        let due = self.clients.iter().map(|client| client.due).min();
        let wake = due.unwrap_or(until).min(until);
        self.ready.clear();
        kernel.wait(Some(wake), &mut self.ready);
        let now = kernel.now();
        for client in &mut self.clients {
            let own = |ready: &&Ready| Some(ready.socket) == client.socket;
            let is_called = self.ready.iter().any(|ready| own(&ready));
            if !is_called && now < client.due {
                continue;
            }
            if !client.is_waiting() && now >= client.due {
                if self.is_ending {
                    client.due = Moment(u64::MAX);
                    continue;
                }
                client.ask(now);
            }
            let Some(ended) = client.run(kernel, self.target, now) else {
                continue;
            };
            client.due = now + self.pace;
            match ended {
                Ok((origin, took)) => {
                    self.figures.answered += 1;
                    *self.figures.origins.entry(origin).or_insert(0) += 1;
                    self.figures.latency.record(took);
                }
                Err(complaint) => {
                    client.due = now + ERROR_PAUSE;
                    self.figures.errors += 1;
                    if self.figures.complaints.len() < COMPLAINTS_MAX {
                        self.figures.complaints.push(complaint);
                    }
                }
            }
        }
    }
}

/// One client, with one connection and at most one request.
#[derive(Debug)]
struct Client {
    number: usize,
    asked: u64,
    socket: Option<Socket>,
    /// The request that runs, its unsent bytes, and since when.
    request: Option<Asked>,
    input: Vec<u8>,
    /// When the next request starts, or the running one has taken too long.
    due: Moment,
}

#[derive(Debug)]
struct Asked {
    word: String,
    unsent: Vec<u8>,
    since: Moment,
}

impl Client {
    const fn new(number: usize) -> Self {
        Self {
            number,
            asked: 0,
            socket: None,
            request: None,
            input: Vec::new(),
            due: Moment(0),
        }
    }

    const fn is_waiting(&self) -> bool {
        self.request.is_some()
    }

    fn ask(&mut self, now: Moment) {
        self.asked += 1;
        let word = format!("{}-{}", self.number, self.asked);
        self.request = Some(Asked {
            unsent: format!("GET /say/{word} HTTP/1.1\r\nHost: demo\r\n\r\n").into_bytes(),
            word,
            since: now,
        });
        self.due = now + PATIENCE;
    }

    /// Goes on as far as possible; tells how the request ended, if it did.
    fn run(
        &mut self,
        kernel: &mut dyn Kernel,
        target: SocketAddr,
        now: Moment,
    ) -> Option<Result<(String, Span), String>> {
        let gone = self.go_on(kernel, target, now);
        let request = self.request.as_ref();
        let Some(request) = request else {
            // A connection that the other side closes between two requests is no loss.
            if gone.is_err() {
                self.hang_up(kernel);
            }
            return None;
        };
        let verdict = match gone {
            Ok(()) => verdict::judge(&self.input, &request.word),
            Err(why) => Verdict::Bad(why),
        };
        let (word, since) = (&request.word, request.since);
        let ended = match verdict {
            Verdict::More if now >= self.due => Err(format!("{word}: no answer in {PATIENCE}")),
            Verdict::More => return None,
            Verdict::Good(origin) => Ok((origin, now.since(since))),
            Verdict::Bad(why) => Err(format!("{word}: {why}")),
        };
        if ended.is_err() {
            self.hang_up(kernel);
        }
        self.request = None;
        self.input.clear();
        Some(ended)
    }

    /// Connects, writes and reads what there is; an error says why the connection is of no use.
    fn go_on(
        &mut self,
        kernel: &mut dyn Kernel,
        target: SocketAddr,
        now: Moment,
    ) -> Result<(), String> {
        let Some(socket) = self.socket else {
            if self.request.is_some() && now < self.due {
                let socket = kernel.connect(target);
                self.socket = Some(socket.map_err(|error| format!("cannot connect: {error}"))?);
            }
            return Ok(());
        };
        if let Some(request) = &mut self.request {
            while !request.unsent.is_empty() {
                // Too early a write fails like one into a full socket, or as not connected.
                match kernel.established(socket) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(format!("cannot connect: {error}")),
                }
                match kernel.write(socket, &request.unsent) {
                    Ok(count) => drop(request.unsent.drain(..count)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(format!("cannot send: {error}")),
                }
            }
        }
        let mut piece = [0; 4096];
        loop {
            match kernel.read(socket, &mut piece) {
                Ok(0) => {
                    let count = self.input.len();
                    return Err(format!("the connection ended after {count} bytes"));
                }
                Ok(count) => {
                    let bytes = piece.get(..count).unwrap_or_default();
                    self.input.extend_from_slice(bytes);
                    if self.input.len() > ANSWER_BYTES_MAX {
                        return Err("an answer without an end".to_owned());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(format!("cannot receive: {error}")),
            }
        }
    }

    fn hang_up(&mut self, kernel: &mut dyn Kernel) {
        self.input.clear();
        if let Some(socket) = self.socket.take() {
            kernel.close(socket);
        }
    }
}

/// How long a client waits for an answer before it calls that an error.
const PATIENCE: Span = Span::seconds(10);

/// How long a client rests after an error.
const ERROR_PAUSE: Span = Span::millis(50);

/// Errors that are kept in words.
const COMPLAINTS_MAX: usize = 5;

/// Bytes of an answer; the origins of the demo send some 150.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
