//! A toy in place of TLS: no keys, no secrets, and every habit of the library that has bitten
//! somebody.
//!
//! Records of at most 16 KiB with a checksum; hellos in the clear, a server's flight of several
//! records with messages cut anywhere, tickets behind the handshake; alerts and close_notify that
//! nobody wrote; reads of 4 KiB that are refused while too much plaintext waits; writes that take
//! a part or nothing. What the library would do silently and a caller must not rely on, panics.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::IoSlice;
use std::io::Read;
use std::io::Write;
use std::rc::Rc;

use tidegate::base::TlsFault;
use tidegate::base::random::Random;
use tidegate::limits;
use tidegate::tls::Source;
use tidegate::tls::TlsSetupError;
use tidegate::tls::machine::Complaint;
use tidegate::tls::machine::Machine;

/// Who one is, or whom one believes.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    /// Believes certificates of this authority.
    Client { authority: u8 },
    /// Shows a certificate of this authority for this name, and sends so many tickets.
    Server {
        authority: u8,
        name: String,
        tickets: u64,
    },
}

/// Makes toys.
#[derive(Debug)]
pub(crate) struct Toys {
    role: Role,
    dice: Cell<u64>,
}

/// One end.
pub(crate) struct Toy {
    role: Role,
    /// Whom a client wants to speak to.
    wanted: String,
    dice: Random,
    stage: Stage,
    input: Vec<u8>,
    /// Handshake messages whose end is missing.
    parts: Vec<u8>,
    output: VecDeque<Vec<u8>>,
    /// How much of the first of `output` is gone.
    gone: usize,
    held: usize,
    plaintext: VecDeque<u8>,
    sent: u64,
    received: u64,
    closed: bool,
    notified: bool,
    flaw: Option<Complaint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The peer's hello is awaited.
    Hello,
    /// The rest of the peer's flight is awaited.
    Flight,
    Open,
}

impl Toys {
    pub(crate) fn new(role: Role, seed: u64) -> Rc<Self> {
        let dice = Cell::new(seed);
        Rc::new(Self { role, dice })
    }

    pub(crate) fn toy(&self, wanted: &str) -> Toy {
        self.dice.set(self.dice.get() + 1);
        Toy::new(self.role.clone(), wanted, self.dice.get())
    }
}

impl Source for Toys {
    fn machine(&self, server_name: &str) -> Result<Box<dyn Machine>, TlsSetupError> {
        Ok(Box::new(self.toy(server_name)))
    }
}

impl Toy {
    fn new(role: Role, wanted: &str, seed: u64) -> Self {
        let mut toy = Self {
            role,
            wanted: wanted.to_owned(),
            dice: Random::new(seed),
            stage: Stage::Hello,
            input: Vec::new(),
            parts: Vec::new(),
            output: VecDeque::new(),
            gone: 0,
            held: 0,
            plaintext: VecDeque::new(),
            sent: 0,
            received: 0,
            closed: false,
            notified: false,
            flaw: None,
        };
        if matches!(toy.role, Role::Client { .. }) {
            let hello = toy.message(CLIENT_HELLO, Vec::new(), 150, 400);
            toy.record(HANDSHAKE, &hello);
        }
        toy
    }

    /// Sends a ticket, as a server may at any time.
    pub(crate) fn ticket(&mut self) {
        let ticket = self.message(TICKET, Vec::new(), 30, 250);
        self.seal(HANDSHAKE, &ticket);
    }

    /// A message of the handshake: `body`, then something.
    fn message(&mut self, kind: u8, mut body: Vec<u8>, least: u64, most: u64) -> Vec<u8> {
        let filler = usize::try_from(least + self.dice.below(most - least)).expect("small");
        body.resize(body.len() + filler, kind);
        let [.., high, middle, low] = body.len().to_be_bytes();
        let mut message = vec![kind, high, middle, low];
        message.append(&mut body);
        message
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.held += bytes.len();
        self.output.push_back(bytes);
    }

    /// A record in the clear.
    fn record(&mut self, kind: u8, body: &[u8]) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        let [.., high, low] = body.len().to_be_bytes();
        bytes.extend_from_slice(&[kind, 3, 3, high, low]);
        bytes.extend_from_slice(body);
        self.push(bytes);
    }

    /// A record under "encryption".
    fn seal(&mut self, kind: u8, body: &[u8]) {
        assert!(!self.notified, "bytes behind close_notify");
        let length = body.len() + 1 + TAG_BYTES;
        let [.., high, low] = length.to_be_bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
        bytes.extend_from_slice(&[DATA, 3, 3, high, low]);
        let [key, ..] = self.sent.to_le_bytes();
        bytes.extend(body.iter().map(|byte| byte ^ key ^ 0x5a));
        bytes.push(kind);
        let tag = checksum(&bytes[HEADER_BYTES..], self.sent);
        bytes.extend_from_slice(&tag.to_le_bytes());
        self.sent += 1;
        self.push(bytes);
    }

    /// Messages as records that end where they like.
    fn seal_cut(&mut self, mut messages: &[u8]) {
        while !messages.is_empty() {
            let most = usize::try_from(50 + self.dice.below(1_500)).expect("small");
            let (part, rest) = messages.split_at(most.min(messages.len()));
            self.seal(HANDSHAKE, part);
            messages = rest;
        }
    }

    fn fail<T>(&mut self, fault: TlsFault, words: &str, alert: u8) -> Result<T, Complaint> {
        match self.stage {
            Stage::Hello => self.record(ALERT, &[2, alert]),
            Stage::Flight | Stage::Open if !self.notified => self.seal(ALERT, &[2, alert]),
            Stage::Flight | Stage::Open => {}
        }
        let words = words.to_owned();
        Err(Complaint { fault, words })
    }

    /// The next record, taken out of the input.
    fn open(&mut self) -> Result<Option<(u8, Vec<u8>)>, Complaint> {
        let Some(header) = self.input.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, major, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(CHANGE..=DATA).contains(&kind) || major != 3 || length > RECORD_MAX {
            return self.fail(TlsFault::Protocol, "no record", 50);
        }
        let Some(body) = self.input.get(HEADER_BYTES..HEADER_BYTES + length) else {
            return Ok(None);
        };
        let mut body = body.to_vec();
        self.input.drain(..HEADER_BYTES + length);
        if kind != DATA {
            return Ok(Some((kind, body)));
        }
        let sequence = self.received;
        self.received += 1;
        let tag = body.last_chunk::<TAG_BYTES>().copied();
        body.truncate(length.saturating_sub(TAG_BYTES));
        if self.stage == Stage::Hello || tag != Some(checksum(&body, sequence).to_le_bytes()) {
            return self.fail(TlsFault::Protocol, "bad record", 20);
        }
        let Some(kind) = body.pop() else {
            return self.fail(TlsFault::Protocol, "empty record", 10);
        };
        let [key, ..] = sequence.to_le_bytes();
        body.iter_mut().for_each(|byte| *byte ^= key ^ 0x5a);
        Ok(Some((kind, body)))
    }

    fn judge(&mut self, kind: u8, body: &[u8]) -> Result<(), Complaint> {
        match (kind, body) {
            (CHANGE, _) => Ok(()),
            (ALERT, [1, 0]) => {
                self.closed = true;
                Ok(())
            }
            (ALERT, [_, number]) => Err(Complaint {
                fault: TlsFault::Alert,
                words: format!("alert {number}"),
            }),
            (HANDSHAKE, part) => {
                self.parts.extend_from_slice(part);
                self.messages()
            }
            (DATA, bytes) if self.stage == Stage::Open => {
                self.plaintext.extend(bytes);
                Ok(())
            }
            _ => self.fail(TlsFault::Protocol, "unexpected record", 10),
        }
    }

    fn messages(&mut self) -> Result<(), Complaint> {
        while let Some([kind, high, middle, low]) = self.parts.first_chunk::<4>().copied() {
            let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).expect("24");
            let Some(body) = self.parts.get(4..4 + length) else {
                return Ok(());
            };
            let body = body.to_vec();
            self.parts.drain(..4 + length);
            self.step(kind, &body)?;
        }
        Ok(())
    }

    fn step(&mut self, kind: u8, body: &[u8]) -> Result<(), Complaint> {
        match (self.role.clone(), self.stage, kind) {
            (
                Role::Server {
                    authority, name, ..
                },
                Stage::Hello,
                CLIENT_HELLO,
            ) => {
                let hello = self.message(SERVER_HELLO, Vec::new(), 80, 120);
                self.record(HANDSHAKE, &hello);
                self.record(CHANGE, &[1]);
                let mut identity = vec![authority];
                identity.extend_from_slice(name.as_bytes());
                identity.push(b';');
                let mut flight = self.message(CERTIFICATE, identity, 700, 4_000);
                flight.extend(self.message(FINISHED, Vec::new(), 32, 33));
                self.stage = Stage::Flight;
                self.seal_cut(&flight);
            }
            (Role::Client { .. }, Stage::Hello, SERVER_HELLO) => self.stage = Stage::Flight,
            (Role::Client { authority }, Stage::Flight, CERTIFICATE) => {
                let mut wanted = vec![authority];
                wanted.extend_from_slice(self.wanted.as_bytes());
                wanted.push(b';');
                if !body.starts_with(&wanted) {
                    return self.fail(TlsFault::Certificate, "a stranger", 42);
                }
            }
            (Role::Client { .. }, Stage::Flight, FINISHED) => {
                self.record(CHANGE, &[1]);
                let finished = self.message(FINISHED, Vec::new(), 32, 33);
                self.seal(HANDSHAKE, &finished);
                self.stage = Stage::Open;
            }
            (Role::Server { tickets, .. }, Stage::Flight, FINISHED) => {
                self.stage = Stage::Open;
                for _ in 0..tickets {
                    self.ticket();
                }
            }
            (Role::Client { .. }, Stage::Open, TICKET) => {}
            _ => return self.fail(TlsFault::Protocol, "unexpected message", 10),
        }
        Ok(())
    }
}

impl Machine for Toy {
    fn take(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        if self.closed {
            return Ok(0);
        }
        if self.plaintext.len() > RECEIVED_MAX {
            return Err(io::Error::other("too much plaintext waits"));
        }
        let start = self.input.len();
        if start > RECORD_MAX + HEADER_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.input.resize(start + READ_BYTES, 0);
        let result = from.read(&mut self.input[start..]);
        let count = result.as_ref().map_or(0, |count| *count);
        self.input.truncate(start + count);
        result
    }

    fn digest(&mut self) -> Result<bool, Complaint> {
        if let Some(flaw) = &self.flaw {
            return Err(flaw.clone());
        }
        while !self.closed {
            let judged = match self.open() {
                Ok(None) => break,
                Ok(Some((kind, body))) => self.judge(kind, &body),
                Err(flaw) => Err(flaw),
            };
            if let Err(flaw) = judged {
                self.flaw = Some(flaw.clone());
                return Err(flaw);
            }
        }
        Ok(self.closed)
    }

    fn give(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        let slices: Vec<_> = (self.output.iter().take(64).enumerate())
            .map(|(at, bytes)| IoSlice::new(&bytes[if at == 0 { self.gone } else { 0 }..]))
            .collect();
        let count = to.write_vectored(&slices)?;
        self.held -= count;
        self.gone += count;
        while let Some(first) = self.output.front()
            && self.gone >= first.len()
        {
            self.gone -= first.len();
            self.output.pop_front();
        }
        Ok(count)
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        self.plaintext.read(into).expect("memory does not fail")
    }

    fn write(&mut self, from: &[u8]) -> usize {
        assert!(!self.handshaking(), "plaintext before the handshake");
        let count = limits::TLS_BUFFER_BYTES
            .saturating_sub(self.held)
            .min(from.len());
        for part in from[..count].chunks(PLAINTEXT_MAX) {
            self.seal(DATA, part);
        }
        count
    }

    fn holds_plaintext(&mut self) -> bool {
        !self.plaintext.is_empty()
    }

    fn notify(&mut self) {
        if self.notified {
            return;
        }
        match self.stage {
            Stage::Hello => self.record(ALERT, &[1, 0]),
            Stage::Flight | Stage::Open => self.seal(ALERT, &[1, 0]),
        }
        self.notified = true;
    }

    fn handshaking(&self) -> bool {
        self.stage != Stage::Open
    }

    fn wants_write(&self) -> bool {
        !self.output.is_empty()
    }

    fn resumed(&self) -> bool {
        false
    }
}

impl fmt::Debug for Toy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toy")
            .field("stage", &self.stage)
            .field("input", &self.input.len())
            .field("held", &self.held)
            .field("plaintext", &self.plaintext.len())
            .field("closed", &self.closed)
            .field("notified", &self.notified)
            .field("flaw", &self.flaw)
            .finish_non_exhaustive()
    }
}

/// FNV-1a by words: a byte that was changed, lost or moved is found.
fn checksum(bytes: &[u8], sequence: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ sequence;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3);
        hash ^= hash >> 29;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 8;
const PLAINTEXT_MAX: usize = 16 * 1024;
const RECORD_MAX: usize = PLAINTEXT_MAX + 256;
/// What the library reads at a time, and how much plaintext it lets wait.
const READ_BYTES: usize = 4096;
const RECEIVED_MAX: usize = 16 * 1024;

const CHANGE: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const TICKET: u8 = 4;
const CERTIFICATE: u8 = 11;
const FINISHED: u8 = 20;
