//! One connection to an origin: reads requests, holds answers back for as long as was asked, and
//! writes them, as many as there are at once.

use std::io;

use super::answer;
use super::answer::Answers;
use super::request::After;
use super::request::Outcome;
use super::request::Reader;
use super::request::Request;
use crate::base::Socket;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::Ready;

/// A connection and everything that waits in it.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    reader: Reader,
    /// Bytes read, those between `start` and `end` not yet looked at.
    input: Box<[u8]>,
    start: usize,
    end: usize,
    incoming: Incoming,
    /// Bytes to write, those before `written` gone.
    output: Vec<u8>,
    written: usize,
    bulk: Bulk,
    /// A request whose answer is held back, and until when.
    held: Option<(Moment, Request)>,
    stage: Stage,
}

/// When to run a connection again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// When the kernel says so.
    Event,
    /// Then, or when the kernel says so.
    At(Moment),
    /// Never: it is to be closed.
    Over,
}

/// What a read may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incoming {
    /// Nothing until the next event.
    Dry,
    /// Bytes; a short read says that they were the last for now.
    Bytes,
    /// Bytes, and then the end, which no short read announces.
    End,
}

/// The rest of a large body, a piece of the pattern.
#[derive(Clone, Copy, Debug, Default)]
struct Bulk {
    offset: u64,
    left: u64,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are read.
    Open,
    /// What is written is the last.
    Last,
    /// As [`Stage::Last`], and bytes that nobody asked for may be under way: closing at once
    /// would reset the connection and take the answer away from the client.
    LastOfGarbage,
    /// Everything was written; what comes is thrown away until the client ends, or until then.
    Draining(Moment),
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            reader: Reader::default(),
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            incoming: Incoming::Dry,
            output: Vec::new(),
            written: 0,
            bulk: Bulk::default(),
            held: None,
            stage: Stage::Open,
        }
    }

    pub(super) const fn socket(&self) -> Socket {
        self.socket
    }

    /// Takes down what the kernel said.
    pub(super) const fn note(&mut self, ready: &Ready) {
        if ready.ended {
            self.incoming = Incoming::End;
        } else if ready.readable && !matches!(self.incoming, Incoming::End) {
            self.incoming = Incoming::Bytes;
        }
    }

    /// Goes on until nothing more can be done now.
    pub(super) fn run(
        &mut self,
        kernel: &mut dyn Kernel,
        answers: &Answers,
        delay: Span,
        now: Moment,
    ) -> Next {
        for _ in 0..STEPS_PER_RUN {
            if let Some(next) = self.step(kernel, answers, delay, now) {
                return next;
            }
        }
        // Others want their turn too.
        Next::At(now)
    }

    fn step(
        &mut self,
        kernel: &mut dyn Kernel,
        answers: &Answers,
        delay: Span,
        now: Moment,
    ) -> Option<Next> {
        if self.stage == Stage::Open && self.output.len() < OUTPUT_BYTES && self.bulk.left == 0 {
            if let Some((until, request)) = self.held.take() {
                if now >= until {
                    self.answer(&request, answers);
                    return None;
                }
                self.held = Some((until, request));
            } else if self.parse(answers, delay, now) {
                return None;
            }
        }
        match self.flush(kernel) {
            Ok(true) => {}
            Ok(false) => return Some(Next::Event),
            Err(_) => return Some(Next::Over),
        }
        match (self.stage, &self.held) {
            (Stage::Open, Some((until, _))) => Some(Next::At(*until)),
            (Stage::Open, None) => self.fill(kernel),
            (Stage::Last, _) => Some(Next::Over),
            (Stage::LastOfGarbage, _) => {
                let until = now + LINGER;
                self.stage = Stage::Draining(until);
                kernel.finish(self.socket).is_err().then_some(Next::Over)
            }
            (Stage::Draining(until), _) => {
                (self.start, self.end) = (0, 0);
                match self.fill(kernel) {
                    Some(Next::Event) if now < until => Some(Next::At(until)),
                    None if now < until => None,
                    Some(_) | None => Some(Next::Over),
                }
            }
        }
    }

    /// Looks at what was read; false if it holds no more requests.
    fn parse(&mut self, answers: &Answers, delay: Span, now: Moment) -> bool {
        let bytes = self.input.get(self.start..self.end).unwrap_or_default();
        let (used, outcome) = self.reader.advance(bytes);
        self.start += used;
        match outcome {
            Outcome::More => return false,
            Outcome::Continue => {
                self.output
                    .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            Outcome::Whole(request) if delay == Span::ZERO => self.answer(&request, answers),
            Outcome::Whole(request) => self.held = Some((now + delay, request)),
            Outcome::Broken(status) => {
                answer::refusal(status, &mut self.output);
                self.stage = Stage::LastOfGarbage;
            }
        }
        true
    }

    fn answer(&mut self, request: &Request, answers: &Answers) {
        let (offset, left) = answers.append(request, &mut self.output);
        self.bulk = Bulk { offset, left };
        if request.after == After::Closes {
            self.stage = Stage::Last;
        }
    }

    /// Writes; true when everything has gone.
    fn flush(&mut self, kernel: &mut dyn Kernel) -> io::Result<bool> {
        loop {
            let small = self.output.get(self.written..).unwrap_or_default();
            let piece = if small.is_empty() {
                let pattern = answer::pattern(self.bulk.offset);
                let left = usize::try_from(self.bulk.left).unwrap_or(usize::MAX);
                pattern.get(..left.min(pattern.len())).unwrap_or_default()
            } else {
                small
            };
            if piece.is_empty() {
                self.output.clear();
                self.written = 0;
                return Ok(true);
            }
            match kernel.write(self.socket, piece) {
                Ok(count) if small.is_empty() => {
                    self.bulk.offset += count as u64;
                    self.bulk.left = self.bulk.left.saturating_sub(count as u64);
                }
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads once; `None` if that gave something.
    fn fill(&mut self, kernel: &mut dyn Kernel) -> Option<Next> {
        if self.incoming == Incoming::Dry {
            return Some(Next::Event);
        }
        self.input.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let space = self.input.get_mut(self.end..).unwrap_or_default();
        if space.is_empty() {
            // No head and no line that the reader would wait for is that long.
            return Some(Next::Over);
        }
        match kernel.read(self.socket, space) {
            Ok(0) => Some(Next::Over),
            Ok(count) => {
                if count < space.len() && self.incoming == Incoming::Bytes {
                    self.incoming = Incoming::Dry;
                }
                self.end += count;
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.incoming = Incoming::Dry;
                Some(Next::Event)
            }
            Err(_) => Some(Next::Over),
        }
    }
}

/// Bytes read at once; more than any head or line that is waited for.
const INPUT_BYTES: usize = 32 * 1024;

const _: () = assert!(INPUT_BYTES > crate::limits::HEAD_BYTES_MAX + 4);

/// With so many bytes to write, no further request is looked at.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Steps before other connections get theirs.
const STEPS_PER_RUN: usize = 1024;

/// How long a client may take to read a refusal.
const LINGER: Span = Span::seconds(1);
