//! What delivers a case, and the ways to cut it into pieces.
//!
//! The same bytes mean the same, however the network cuts them: every case goes through all of
//! [`SPLITS`], and again behind and before another request.

use tidegate::base::random::Random;
use tidegate::session::{Cause, Incident, Outcome};

use crate::case::Ending;

/// Whatever stands between a client and a backend.
pub(crate) trait Proxy {
    /// Sends the pieces as one client, one after the other, waiting in between until nothing
    /// moves; closes; tells everything that came of it.
    fn carry(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) -> Record;
}

/// How the backend behaves.
pub(crate) struct Origin<'a> {
    /// What is answered to the request after the first `plain` ones; nothing means a plain 200.
    pub(crate) answer: &'a [u8],
    pub(crate) ending: Ending,
    /// Whether that answer comes as soon as the head is there.
    pub(crate) early: bool,
    /// Requests before that one.
    pub(crate) plain: usize,
    /// How answers are cut.
    pub(crate) split: Split,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) connections: Vec<Connection>,
    pub(crate) to_client: Vec<u8>,
    /// Method, answer and whether the connection ended behind it, for each request answered.
    pub(crate) answers: Vec<(Vec<u8>, Vec<u8>, bool)>,
    /// For each connection given up, whether it could be used again.
    pub(crate) kept: Vec<bool>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) refusals: Vec<(u16, Cause)>,
    /// The client was told that nothing more comes.
    pub(crate) finished: bool,
    /// The client's connection was ended before the client ended it.
    pub(crate) closed: bool,
    /// The backend closed last of all, because nothing else went on.
    pub(crate) forced: bool,
    /// The client's connection was reset.
    pub(crate) reset: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// A connection to the backend.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) received: Vec<u8>,
    /// Where the bytes of another protocol begin, if it came to that.
    pub(crate) switched: Option<usize>,
    /// Bytes that were whole requests.
    pub(crate) judged: usize,
    /// The request behind them was answered already.
    pub(crate) answered: bool,
}

/// A way to cut bytes into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Whole,
    Bytes,
    /// Between CR and LF and behind LF.
    Lines,
    /// Pieces of random length.
    Random(u64),
}

/// All of them.
pub(crate) const SPLITS: [Split; 8] = [
    Split::Whole,
    Split::Bytes,
    Split::Lines,
    Split::Random(1),
    Split::Random(2),
    Split::Random(3),
    Split::Random(4),
    Split::Random(5),
];

impl Connection {
    /// The part that is HTTP.
    pub(crate) fn requests(&self) -> &[u8] {
        &self.received[..self.switched.unwrap_or(self.received.len())]
    }
}

impl Record {
    /// What backends got, all connections together.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.connections
            .iter()
            .flat_map(|one| one.received.iter().copied())
            .collect()
    }
}

impl Split {
    pub(crate) fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole if bytes.is_empty() => Vec::new(),
            Self::Whole => vec![bytes],
            Self::Bytes => bytes.chunks(1).collect(),
            Self::Lines => bytes
                .split_inclusive(|b| matches!(b, b'\r' | b'\n'))
                .collect(),
            Self::Random(seed) => random_pieces(seed, bytes),
        }
    }
}

impl Origin<'_> {
    /// What is answered to a request of this method.
    pub(crate) fn answer(&self, scripted: bool, method: &[u8]) -> Vec<u8> {
        match method {
            _ if scripted && !self.answer.is_empty() => self.answer.to_vec(),
            b"HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".to_vec(),
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        }
    }
}

/// Short and long ones, so that both a line and a run of lines are cut.
fn random_pieces(seed: u64, mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut random = Random::new(seed);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let longest = [2, 16, 200, 6000]
            [usize::from(random.permille(500)) * 2 + usize::from(random.permille(300))];
        let count = 1 + usize::try_from(random.below(longest)).expect("a small number");
        let (piece, rest) = bytes.split_at(count.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
