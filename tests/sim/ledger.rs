//! What clients and origins know of each other outside the network: which request is which, how
//! often it was executed, and how its bytes must look. Every body is a function of the request's
//! number, so a byte in the wrong place is seen where it arrives.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::diary::Sight;
use crate::invariant::Invariant;
use crate::weather::Misdeed;

/// The shared book.
pub(crate) type Ledger = Rc<RefCell<Book>>;

/// All requests of a world.
#[derive(Debug)]
pub(crate) struct Book {
    entries: Vec<Entry>,
    /// Whole answers, checked to the last byte.
    pub(crate) answered: u64,
    /// Answers of the proxy's own, by status.
    pub(crate) refused: Vec<(u16, u64)>,
    /// Connections that broke before the answer was whole.
    pub(crate) broken: u64,
    /// Requests behind an answer that said that it is the last: they are asked anew.
    pub(crate) returned: u64,
    /// Requests whose answer ends without close_notify although only its end tells its length.
    pub(crate) cut: BTreeSet<usize>,
    /// Requests executed by each origin.
    pub(crate) executed: Vec<u64>,
    /// What the proxy calls each request.
    pub(crate) names: BTreeMap<usize, String>,
    /// By request: with what it was refused.
    turned: BTreeMap<usize, u16>,
    /// The same the other way round.
    callers: BTreeMap<String, usize>,
    /// How often one request may be sent.
    pub(crate) tries: u32,
    /// By what there is to be seen: how often it was.
    pub(crate) seen: [u64; Sight::ALL.len()],
    /// By misdeed: how often it was done.
    pub(crate) done: [u64; Misdeed::ALL.len()],
    /// By invariant: how often it was asked for.
    pub(crate) asked: [u64; Invariant::ALL.len()],
}

/// What a request asks to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Options,
    Delete,
    Put,
    Post,
}

impl Method {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Delete => "DELETE",
            Self::Put => "PUT",
            Self::Post => "POST",
        }
    }

    /// True for those that come with a body here.
    pub(crate) const fn has_body(self) -> bool {
        matches!(self, Self::Put | Self::Post)
    }
}

/// How an answer is to be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Length,
    Chunked,
    UntilClose,
    NoContent,
    NotModified,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    pub(crate) kind: Kind,
    /// Whether trailers follow the body.
    pub(crate) trailers: bool,
    pub(crate) request_bytes: usize,
    pub(crate) response_bytes: usize,
    pub(crate) frame: Frame,
    pub(crate) executions: u32,
    /// Whole answers that its client has.
    pub(crate) answers: u32,
}

/// What a request is in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One with an answer.
    Plain,
    /// One for another protocol, or a connection of a world in mode tcp.
    Stream,
    /// One whose body is malformed in the middle: nobody may get it whole.
    Poisoned,
    /// One with a body that nobody may send: nobody may get it whole.
    TooLong(Misdeed),
}

impl Entry {
    /// Body bytes of a whole answer.
    pub(crate) const fn expected(&self) -> usize {
        let bodiless = matches!(self.method, Method::Head)
            || matches!(self.frame, Frame::NoContent | Frame::NotModified);
        if bodiless { 0 } else { self.response_bytes }
    }
}

impl Default for Book {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            answered: 0,
            refused: Vec::new(),
            broken: 0,
            returned: 0,
            executed: Vec::new(),
            cut: BTreeSet::new(),
            names: BTreeMap::new(),
            turned: BTreeMap::new(),
            seen: [0; Sight::ALL.len()],
            callers: BTreeMap::new(),
            tries: 1,
            done: [0; Misdeed::ALL.len()],
            asked: [0; Invariant::ALL.len()],
        }
    }
}

impl Book {
    /// Enters a request; its number.
    pub(crate) fn enter(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(crate) fn entry(&self, id: usize) -> Entry {
        self.entries[id]
    }

    /// An origin has the whole request.
    ///
    /// # Panics
    /// If a request that must not be repeated was.
    pub(crate) fn execute(&mut self, id: usize, origin: usize) {
        let entry = &mut self.entries[id];
        entry.executions += 1;
        self.cut.remove(&id);
        let (times, most) = (
            entry.executions,
            match (entry.kind, entry.method) {
                (Kind::Poisoned | Kind::TooLong(_), _) => 0,
                (Kind::Plain | Kind::Stream, Method::Post) => 1,
                (Kind::Plain | Kind::Stream, _) => self.tries,
            },
        );
        self.check(Invariant::Executions, times <= most, || {
            format!("request {id} was executed {times} times, {most} are allowed")
        });
        if origin >= self.executed.len() {
            self.executed.resize(origin + 1, 0);
        }
        self.executed[origin] += 1;
    }

    /// A client has the whole answer to its request.
    pub(crate) fn answer(&mut self, id: usize, length: usize) {
        let entry = &mut self.entries[id];
        entry.answers += 1;
        let (answers, executions) = (entry.answers, entry.executions);
        let expected = entry.expected();
        self.check(Invariant::OneAnswer, answers == 1 && executions > 0, || {
            format!("request {id} was executed {executions} times and answered {answers} times")
        });
        self.check(Invariant::AnswerBytes, length == expected, || {
            format!("{length} of {expected} bytes of answer {id} were taken for the whole")
        });
        let cut = self.cut.contains(&id);
        self.check(Invariant::AnswerBytes, !cut, || {
            format!("answer {id} was cut under TLS and taken for whole")
        });
        self.answered += 1;
    }

    /// An origin has the head of a request that the proxy calls so.
    pub(crate) fn named(&mut self, id: usize, name: &str) {
        let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let sound = name.len() == 32 && name.bytes().all(digits);
        let known = *self.names.entry(id).or_insert_with(|| name.to_owned()) == name;
        let others = self.callers.insert(name.to_owned(), id);
        let own = others.is_none_or(|other| other == id);
        self.check(Invariant::Executions, sound && known && own, || {
            format!("request {id} is called {name}, as {others:?} is")
        });
    }

    /// An origin has a request that it takes for whole.
    pub(crate) fn received(&mut self, id: usize, length: usize, trailers: usize) {
        let expected = self.entries[id].request_bytes;
        let told = usize::from(self.entries[id].trailers);
        self.check(Invariant::RequestBytes, trailers == told, || {
            format!("request {id} came with {trailers} trailers of {told}")
        });
        self.check(Invariant::RequestBytes, length == expected, || {
            format!("{length} of {expected} bytes of request {id} were taken for the whole")
        });
    }

    /// An invariant is asked for.
    ///
    /// # Panics
    /// If it does not hold; `why` is then asked what is wrong.
    pub(crate) fn check(
        &mut self,
        invariant: Invariant,
        holds: bool,
        why: impl FnOnce() -> String,
    ) {
        self.asked[invariant as usize] += 1;
        assert!(holds, "{invariant}: {}", why());
    }

    /// The proxy has refused a request of a client's.
    pub(crate) fn refuse(&mut self, id: usize, status: u16) {
        let executions = self.entries[id].executions;
        // What was wrong with the request itself is known before anybody is given it; 408 is
        // about what never came.
        let at_once = (400..500).contains(&status) && status != 408;
        self.check(
            Invariant::RefusedStaysOut,
            !at_once || executions == 0,
            || format!("request {id} was refused with {status} and executed {executions} times"),
        );
        self.turned.insert(id, status);
        match self.entries[id].kind {
            Kind::TooLong(Misdeed::TooLong) if status == 413 => self.see(Sight::RefusedAtOnce, 1),
            Kind::TooLong(_) if status == 413 => self.see(Sight::RefusedInside, 1),
            Kind::TooLong(_) | Kind::Plain | Kind::Stream | Kind::Poisoned => {}
        }
        match self.refused.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((status, 1)),
        }
    }

    /// Something that a sweep must have seen was seen so often.
    pub(crate) const fn see(&mut self, sight: Sight, count: u64) {
        self.seen[sight as usize] += count;
    }

    /// Every request whose client knows what became of it, with the status if it was refused.
    pub(crate) fn settled(&self) -> impl Iterator<Item = (usize, Option<u16>)> {
        let answered = |(id, entry): (usize, &Entry)| (entry.answers > 0).then_some((id, None));
        let answered = self.entries.iter().enumerate().filter_map(answered);
        let turned = self.turned.iter().map(|(id, status)| (*id, Some(*status)));
        answered.chain(turned)
    }

    /// An answer said that it is the last, and nobody has done what was asked behind it.
    pub(crate) fn give_back(&mut self, id: usize) {
        let executions = self.entries[id].executions;
        self.check(Invariant::Executions, executions == 0, || {
            format!("request {id} was executed behind the last answer of its connection")
        });
        self.returned += 1;
    }

    /// How many requests there have been: the number of the next one.
    pub(crate) const fn entered(&self) -> usize {
        self.entries.len()
    }

    /// Everybody is gone: each request has one of the three ends, and what was executed of those
    /// from `first` on was answered.
    pub(crate) fn expect_ends(&mut self, first: usize) {
        let (entered, ended) = (self.entries.len() as u64, self.total());
        self.check(Invariant::OneAnswer, entered == ended, || {
            format!("{entered} requests were asked, and {ended} came to an end")
        });
        for id in first..self.entries.len() {
            let Entry {
                executions,
                answers,
                ..
            } = self.entries[id];
            self.check(
                Invariant::EndsInTime,
                executions == 0 || answers == 1,
                || format!("request {id} was under way at the end, and its answer was dropped"),
            );
        }
    }

    /// Every request that was asked, whatever became of it.
    pub(crate) fn total(&self) -> u64 {
        let told = self.answered + self.broken + self.returned;
        told + self.refused.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// Byte `at` of the body of request `id`, or of its answer.
pub(crate) const fn byte(id: usize, answer: bool, at: usize) -> u8 {
    let mixed = id
        .wrapping_mul(0x9e37_79b9)
        .wrapping_add(at.wrapping_mul(31));
    let [_, low, ..] = mixed.to_le_bytes();
    let [_, high, ..] = at.to_le_bytes();
    low ^ high ^ if answer { 0xa5 } else { 0 }
}

/// Appends that much of a body.
pub(crate) fn fill(out: &mut Vec<u8>, id: usize, answer: bool, from: usize, count: usize) {
    out.extend((from..from + count).map(|at| byte(id, answer, at)));
}
