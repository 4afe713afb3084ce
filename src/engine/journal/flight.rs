//! The recorder: the last requests, each cut to a fixed size, and the last changes of state.
//!
//! Always on, so that what led to an incident is there when somebody looks. Its memory comes in
//! pieces as it fills; once full it stays as it is.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::note::BRIEF;
use super::note::ID_MAX;
use super::note::Words;
use super::verdict::Lost;
use super::verdict::Verdict;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::limits;
use crate::peers::PoolId;
use crate::tally::End;

/// What is known of a request that has ended, or of a connection in tcp mode; its texts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Facts {
    /// When it ended.
    pub(in crate::engine) ended: Moment,
    /// From its first byte to its last.
    pub(in crate::engine) total: Span,
    /// From its first byte to the end of its head; `None` if that never came.
    pub(in crate::engine) head: Option<Span>,
    /// What connecting took; `None` if there never was a connection.
    pub(in crate::engine) connect: Option<Span>,
    /// From then to the first byte of the answer; `None` if none came.
    pub(in crate::engine) first: Option<Span>,
    /// The number it was given.
    pub(in crate::engine) number: u128,
    pub(in crate::engine) client: SocketAddr,
    /// The position of the listener.
    pub(in crate::engine) listener: u32,
    pub(in crate::engine) pool: PoolId,
    /// The server's number in its pool; 0 if there was none.
    pub(in crate::engine) backend: u32,
    pub(in crate::engine) tries: u32,
    /// The last try that came to nothing, if there was another one.
    pub(in crate::engine) lost: Option<Lost>,
    pub(in crate::engine) reused: bool,
    /// What the client was told; 0 if nothing.
    pub(in crate::engine) status: u16,
    /// Bytes that came from the client.
    pub(in crate::engine) came: u64,
    /// Bytes that went to the client.
    pub(in crate::engine) went: u64,
    /// How many of these were heads.
    pub(in crate::engine) heads: u32,
    /// How long an answer might have taken to begin.
    pub(in crate::engine) patience: Span,
    pub(in crate::engine) kind: Kind,
    pub(in crate::engine) end: End,
    pub(in crate::engine) verdict: Verdict,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// A request.
    Request,
    /// A connection in tcp mode.
    Connection,
}

/// One record.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Flight {
    pub(in crate::engine) facts: Facts,
    proto: &'static str,
    ends: [u8; 4],
    text: [u8; TEXT],
}

impl Flight {
    fn new(facts: Facts, words: &Words<'_>) -> Self {
        let mut flight = Self {
            facts,
            proto: words.proto,
            ends: [0; 4],
            text: [0; TEXT],
        };
        // An id is whole or it is another one: a long one has the room of the target.
        let pieces = [
            (words.method, METHOD),
            (words.host, BRIEF.0),
            (words.id, ID_MAX),
            (words.target, BRIEF.1),
        ];
        let mut at = 0;
        for ((piece, most), end) in pieces.into_iter().zip(&mut flight.ends) {
            let count = piece.len().min(most).min(TEXT - at);
            let (place, from) = (flight.text.get_mut(at..at + count), piece.get(..count));
            if let (Some(place), Some(from)) = (place, from) {
                place.copy_from_slice(from);
                at += count;
            }
            *end = u8::try_from(at).unwrap_or(u8::MAX);
        }
        flight
    }

    /// Its texts, cut.
    pub(in crate::engine) fn words(&self) -> Words<'_> {
        let piece = |at: usize| {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            let range = usize::from(start)..usize::from(self.ends[at]);
            self.text.get(range).unwrap_or_default()
        };
        Words {
            method: piece(0),
            host: piece(1),
            id: piece(2),
            target: piece(3),
            proto: self.proto,
            ..Words::default()
        }
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub(in crate::engine) struct Recorder {
    /// Pieces of [`PIECE`] records each.
    pieces: Vec<Vec<Flight>>,
    /// How many there have been.
    count: u64,
}

impl Recorder {
    /// Keeps one, in the place of the oldest if there is no other.
    pub(in crate::engine) fn keep(&mut self, facts: Facts, words: &Words<'_>) {
        let at = place(self.count);
        self.count += 1;
        if at.0 == self.pieces.len() {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let Some(piece) = self.pieces.get_mut(at.0) else {
            return;
        };
        let flight = Flight::new(facts, words);
        match piece.get_mut(at.1) {
            Some(place) => *place = flight,
            None => piece.push(flight),
        }
    }

    /// The newest first.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Flight> {
        let oldest = self.count.saturating_sub(limits::RECORDED_REQUESTS as u64);
        (oldest..self.count).rev().filter_map(|number| {
            let at = place(number);
            self.pieces.get(at.0)?.get(at.1)
        })
    }

    /// How many there have been.
    pub(in crate::engine) const fn count(&self) -> u64 {
        self.count
    }
}

/// The piece and the place in it of the record with that number.
fn place(number: u64) -> (usize, usize) {
    let at = usize::try_from(number % limits::RECORDED_REQUESTS as u64).unwrap_or(0);
    (at / PIECE, at % PIECE)
}

/// The last changes of state, in words.
#[derive(Debug, Default)]
pub(in crate::engine) struct Events(VecDeque<(Moment, String)>);

impl Events {
    /// Keeps one.
    pub(in crate::engine) fn keep(&mut self, at: Moment, text: String) {
        if self.0.len() == limits::RECORDED_EVENTS {
            self.0.pop_front();
        }
        self.0.push_back((at, text));
    }

    /// The newest first.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &(Moment, String)> {
        self.0.iter().rev()
    }
}

/// Records in one piece of memory.
const PIECE: usize = 256;

/// Bytes of a method that are kept.
const METHOD: usize = 15;

/// Bytes of all texts together: those of a UUID besides the longest others. The 32 digits of our
/// own are not among them.
const TEXT: usize = METHOD + BRIEF.0 + BRIEF.1 + 48;

const _: () = assert!(TEXT <= u8::MAX as usize && METHOD + BRIEF.0 + ID_MAX <= TEXT);
const _: () = assert!(limits::RECORDED_REQUESTS.is_multiple_of(PIECE));

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::engine::journal) fn facts() -> Facts {
        Facts {
            ended: Moment(5_000_000_000),
            total: Span(2_500_000),
            head: Some(Span(100_000)),
            connect: Some(Span(0)),
            first: Some(Span(2_100_000)),
            number: 0x00ab,
            client: SocketAddr::from(([10, 0, 0, 7], 51_312)),
            listener: 0,
            pool: PoolId(0),
            backend: 2,
            tries: 1,
            lost: None,
            reused: true,
            status: 200,
            came: 78,
            went: 1_024,
            heads: 100,
            patience: Span::seconds(60),
            kind: Kind::Request,
            end: End::Ok,
            verdict: Verdict::Fine,
        }
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_goes_first() {
        let mut recorder = Recorder::default();
        let most = limits::RECORDED_REQUESTS as u64;
        assert_eq!(recorder.iter().count(), 0);
        for number in 0..most + 10 {
            let facts = Facts {
                came: number,
                ..facts()
            };
            recorder.keep(facts, &Words::default());
        }
        let kept: Vec<u64> = recorder.iter().map(|one| one.facts.came).collect();
        let expected: Vec<u64> = (10..most + 10).rev().collect();
        assert_eq!(kept, expected);
        assert_eq!(recorder.count(), most + 10);
        assert_eq!(recorder.pieces.len() * PIECE, limits::RECORDED_REQUESTS);
    }

    #[test]
    fn texts_are_cut_to_their_size() {
        let long = [b'x'; 300];
        let words = Words {
            method: &long,
            host: &long,
            target: &long,
            id: &long,
            proto: "HTTP/1.1",
            ..Words::default()
        };
        let flight = Flight::new(facts(), &words);
        let kept = flight.words();
        assert_eq!(kept.method.len(), METHOD);
        assert_eq!(kept.host.len(), BRIEF.0);
        assert_eq!(kept.id.len(), ID_MAX);
        assert_eq!(kept.target.len(), TEXT - METHOD - BRIEF.0 - ID_MAX);
        let words = Words {
            method: b"GET",
            target: b"/a",
            id: b"abc",
            ..Words::default()
        };
        let flight = Flight::new(facts(), &words);
        assert_eq!(flight.words(), words);
    }

    #[test]
    fn events_are_bounded() {
        let mut events = Events::default();
        for at in 0..=limits::RECORDED_EVENTS as u64 {
            events.keep(Moment(at), at.to_string());
        }
        assert_eq!(events.iter().count(), limits::RECORDED_EVENTS);
        assert_eq!(
            events.iter().next().unwrap().1,
            limits::RECORDED_EVENTS.to_string()
        );
    }
}
