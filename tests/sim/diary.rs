//! The access log of a world, read when everybody is gone: is there one line for each request, and
//! does it say what its client saw? And what a sweep must have seen beside misdeeds and faults.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::invariant::Invariant;
use crate::knob::Knob;
use crate::knob::Knobs;
use crate::ledger::Book;
use crate::pipes::Paper;

/// Something that must occur in some world, or nobody knows what would come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Sight {
    /// A line of that format was read, of a request with a number.
    JsonLine,
    CombinedLine,
    CommonLine,
    HaproxyLine,
    /// One of a connection in mode tcp.
    TcpLine,
    /// There was no room for a line.
    LineLost,
    /// A request was not of the kind that gets a line, or not of the share.
    LineUnwanted,
    /// A body that said that it was too long was refused with 413.
    RefusedAtOnce,
    /// One that did not, once it was.
    RefusedInside,
}

impl Sight {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::JsonLine,
        Self::CombinedLine,
        Self::CommonLine,
        Self::HaproxyLine,
        Self::TcpLine,
        Self::LineLost,
        Self::LineUnwanted,
        Self::RefusedAtOnce,
        Self::RefusedInside,
    ];
}

/// What a line says.
#[derive(Debug, Default)]
struct Line {
    /// The number of the request, if it had one.
    request: Option<usize>,
    status: Option<u64>,
    /// What the proxy calls it.
    name: Option<String>,
    /// Whether `only = "errors"` would have it.
    is_error: Option<bool>,
    /// Seconds in all.
    total: Option<f64>,
}

/// Asks for [`Invariant::OneLine`]; the engine has `recorded` so many ends.
pub(crate) fn check(paper: &Paper, knobs: &Knobs, recorded: u64, book: &mut Book) {
    let text = String::from_utf8_lossy(&paper.text);
    let format = knobs.of(Knob::LogFormat);
    let lines: Vec<&str> = text.lines().collect();
    let written = lines.len() as u64 + paper.lost;
    let wants_all = knobs.of(Knob::LogOnly) == 0 && knobs.of(Knob::LogSample) == 1_000;
    let holds = match format {
        0 => written == 0,
        _ if wants_all => written == recorded,
        _ => written <= recorded,
    };
    book.check(Invariant::OneLine, holds, || {
        let (count, lost) = (lines.len(), paper.lost);
        format!("{count} lines and {lost} that were lost, of {recorded} requests")
    });
    if format == 0 {
        return;
    }
    book.see(Sight::LineLost, paper.lost);
    book.see(Sight::LineUnwanted, recorded - written);
    let mut by_request = BTreeMap::new();
    for text in lines {
        let line = match format {
            _ if knobs.is_tcp() && format != 1 => Some(Line::default()),
            1 => from_json(text),
            _ => from_text(text),
        };
        book.check(Invariant::OneLine, line.is_some(), || {
            format!("this cannot be read: {text:?}")
        });
        let Some(line) = line else { continue };
        unwanted(&line, knobs, book, text);
        if knobs.is_tcp() {
            book.see(Sight::TcpLine, 1);
        } else if let Some(id) = line.request {
            book.see(sight(format), 1);
            let other = by_request.insert(id, line);
            book.check(Invariant::OneLine, other.is_none(), || {
                format!("request {id} has two lines; one is {text:?}")
            });
        }
    }
    if !knobs.is_tcp() {
        compare(&by_request, paper.lost, knobs, book);
    }
}

/// Each line belongs to a request whose client saw the same, and each such request has one.
fn compare(lines: &BTreeMap<usize, Line>, lost: u64, knobs: &Knobs, book: &mut Book) {
    let sampled = knobs.of(Knob::LogSample) < 1_000;
    let settled: Vec<(usize, Option<u16>)> = book.settled().collect();
    let mut missing = Vec::new();
    for (id, refused) in settled {
        let Some(line) = lines.get(&id) else {
            let wanted = match knobs.of(Knob::LogOnly) {
                0 => true,
                1 => refused.is_some_and(|status| status >= 500),
                _ => false,
            };
            // What a head that never ended asked for, nobody knows.
            if wanted && !sampled && refused != Some(408) {
                missing.push(id);
            }
            continue;
        };
        let same = match (line.status, refused) {
            (None, _) => true,
            (Some(said), Some(status)) => said == u64::from(status),
            (Some(said), None) => said < 400,
        };
        book.check(Invariant::OneLine, same, || {
            format!("request {id} was refused with {refused:?}, and its line says {line:?}")
        });
    }
    book.check(Invariant::OneLine, missing.len() as u64 <= lost, || {
        format!("requests {missing:?} have no line, and {lost} were lost")
    });
    for (id, line) in lines {
        let (told, said) = (book.names.get(id).cloned(), &line.name);
        let same = said.is_none() || told.is_none() || *said == told;
        book.check(Invariant::OneLine, same, || {
            format!("request {id} is {told:?} to its origin, and {said:?} in its line")
        });
    }
}

/// Asks whether this line should be there at all.
fn unwanted(line: &Line, knobs: &Knobs, book: &mut Book, text: &str) {
    let wanted = match knobs.of(Knob::LogOnly) {
        1 => line.is_error.unwrap_or(true),
        // A second, as it is written.
        2 => line.total.is_none_or(|total| total >= 1.0),
        _ => true,
    };
    book.check(Invariant::OneLine, wanted, || {
        format!("nobody wants to see {text:?}")
    });
}

/// A line of that format.
const fn sight(format: u64) -> Sight {
    match format {
        1 => Sight::JsonLine,
        2 => Sight::CombinedLine,
        3 => Sight::CommonLine,
        _ => Sight::HaproxyLine,
    }
}

/// The number in a target: an attacker's has none.
fn number(target: &str) -> Option<usize> {
    let (_, number) = target.rsplit_once('/')?;
    number.parse().ok()
}

fn from_json(text: &str) -> Option<Line> {
    let line: Value = serde_json::from_str(text).ok()?;
    let status = line["status"].as_u64();
    let (end, tries) = (line["end"].as_str()?, line["tries"].as_u64()?);
    line["ts"].as_str()?;
    Some(Line {
        request: line["path"].as_str().and_then(number),
        status,
        name: Some(line["id"].as_str()?.to_owned()),
        is_error: Some(end != "--" || tries > 1 || status >= Some(500)),
        total: Some(line["t_total"].as_f64()?),
    })
}

/// Whatever the format, what was asked stands in the first quotes. In those of web servers the
/// status is behind it.
fn from_text(text: &str) -> Option<Line> {
    let (_, rest) = text.split_once('"')?;
    let (asked, rest) = rest.split_once('"')?;
    let mut words = asked.split(' ');
    let request = words.nth(1).and_then(number);
    let status = rest.trim_start().split(' ').next().unwrap_or_default();
    Some(Line {
        request,
        status: status.parse().ok(),
        ..Line::default()
    })
}
