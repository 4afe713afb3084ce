//! New inputs from the cases: small damage of the sorts that have let requests be smuggled.

use tidegate::base::random::Random;

use crate::case::{Case, Ending, Verdict};
use crate::delivery::Split;
use crate::trial::Input;

/// The cases, as raw material.
pub(crate) struct Corpus {
    /// Those that reach a backend as they are.
    sound: Vec<Input>,
    refused: Vec<Input>,
    long: Vec<Input>,
}

impl Corpus {
    pub(crate) fn new(cases: &[Case]) -> Self {
        let (mut sound, mut refused, mut long) = (Vec::new(), Vec::new(), Vec::new());
        for case in cases {
            let input = Input {
                client: case.client.clone(),
                answer: case.answer.clone(),
                ending: case.ending,
                early: case.early,
                split: Split::Whole,
            };
            let rejected = matches!(case.verdict, Verdict::Refuse { .. } | Verdict::Abort { .. });
            if input.client.len() + input.answer.len() > 1500 {
                long.push(input);
            } else if rejected {
                refused.push(input);
            } else {
                sound.push(input);
            }
        }
        Self {
            sound,
            refused,
            long,
        }
    }

    /// The input that belongs to this number, always the same.
    pub(crate) fn input(&self, number: u64) -> Input {
        let random = &mut Random::new(number);
        let mut input = self.pick(random).clone();
        if random.permille(200) {
            let other = self.pick(random);
            (input.answer, input.ending) = (other.answer.clone(), other.ending);
        }
        for _ in 0..=random.below(3) {
            if !input.answer.is_empty() && random.permille(500) {
                self.mutate(&mut input.answer, random, true);
            } else {
                self.mutate(&mut input.client, random, false);
            }
        }
        if random.permille(100) {
            input.ending = [Ending::Stays, Ending::Ends, Ending::Resets][below(random, 3)];
        }
        input.early ^= random.permille(50);
        input.split = match random.below(10) {
            0 => Split::Bytes,
            1 => Split::Lines,
            2..5 => Split::Random(number),
            _ => Split::Whole,
        };
        input
    }

    fn pick(&self, random: &mut Random) -> &Input {
        let from = match random.below(200) {
            0 => &self.long,
            1..50 => &self.refused,
            _ => &self.sound,
        };
        &from[below(random, from.len())]
    }

    fn mutate(&self, bytes: &mut Vec<u8>, random: &mut Random, answer: bool) {
        let at = below(random, bytes.len() + 1);
        let there = at < bytes.len();
        match random.below(16) {
            0 if there => drop(bytes.remove(at)),
            1 if there => bytes[at] = u8::try_from(random.below(256)).expect("a byte"),
            2 => bytes.insert(at, u8::try_from(random.below(256)).expect("a byte")),
            3 | 4 => splice(bytes, at..at, MEANINGFUL[below(random, MEANINGFUL.len())]),
            5 if there => splice(bytes, at..=at, MEANINGFUL[below(random, MEANINGFUL.len())]),
            6 | 7 => add_line(bytes, random, &FRAMING),
            8 => add_line(bytes, random, &FIELDS),
            9 => remove_line(bytes, random),
            10 => double_line(bytes, random),
            11 => {
                let other = self.pick(random);
                let other = if answer { &other.answer } else { &other.client };
                bytes.extend_from_slice(other);
            }
            12 => bytes.truncate(at),
            13 => {
                let from = below(random, at + 1);
                let piece = bytes[from..at].to_vec();
                let to = below(random, bytes.len() + 1);
                splice(bytes, to..to, &piece);
            }
            14 => shift_number(bytes, random),
            _ => change_case(bytes, random),
        }
    }
}

fn splice(bytes: &mut Vec<u8>, range: impl std::ops::RangeBounds<usize>, with: &[u8]) {
    bytes.splice(range, with.iter().copied());
}

/// Where lines begin, the end of all bytes included.
fn lines(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}

fn add_line(bytes: &mut Vec<u8>, random: &mut Random, from: &[&[u8]]) {
    let line = from[below(random, from.len())];
    let starts = lines(bytes);
    let at = starts[below(random, starts.len())];
    splice(bytes, at..at, line);
}

fn remove_line(bytes: &mut Vec<u8>, random: &mut Random) {
    let starts = lines(bytes);
    let which = below(random, starts.len());
    let end = starts.get(which + 1).copied().unwrap_or(bytes.len());
    bytes.drain(starts[which]..end);
}

fn double_line(bytes: &mut Vec<u8>, random: &mut Random) {
    let starts = lines(bytes);
    let which = below(random, starts.len());
    let end = starts.get(which + 1).copied().unwrap_or(bytes.len());
    let line = bytes[starts[which]..end].to_vec();
    let to = starts[below(random, starts.len())];
    splice(bytes, to..to, &line);
}

/// A length or a size that is off by a little moves the boundary between messages.
fn shift_number(bytes: &mut Vec<u8>, random: &mut Random) {
    let digits: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit())
        .collect();
    if digits.is_empty() {
        return;
    }
    let at = digits[below(random, digits.len())];
    if random.permille(700) {
        bytes[at] = b"0123456789"[below(random, 10)];
    } else {
        bytes.insert(at, b"0123456789"[below(random, 10)]);
    }
}

fn change_case(bytes: &mut [u8], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = below(random, bytes.len());
    let end = (at + below(random, 12)).min(bytes.len());
    for byte in &mut bytes[at..end] {
        if byte.is_ascii_alphabetic() && random.permille(500) {
            *byte ^= 0x20;
        }
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("below a usize")
}

const MEANINGFUL: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b":",
    b"\t",
    b" ",
    b"\r\n ",
    b"\r\n\r\n",
    b"\n\n",
    b",",
    b";",
    b"\x0b",
    b"\x0c",
    b"\x85",
    b"\xa0",
    b"\"",
    b"#",
    b"?",
    b"/",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"_",
];

const FRAMING: [&[u8]; 16] = [
    b"Content-Length: 0\r\n",
    b"Content-Length: 1\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 30\r\n",
    b"content-length:\t7\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding:CHUNKED\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer_Encoding: chunked\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n",
];

const FIELDS: [&[u8]; 18] = [
    b"Host: a\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: X, y\r\n",
    b"Connection: Content-Length\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"Trailer: X\r\n",
    b"TE: trailers\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"X-Forwarded-For: 1.2.3.4\r\n",
    b"Forwarded: for=1.2.3.4\r\n",
    b"Via: 1.1 x\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 304 X\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
];
