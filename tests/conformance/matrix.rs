//! What becomes of each request here and elsewhere: tidegate beside nginx and HAProxy.
//!
//! `cargo test --test conformance matrix -- --nocapture` prints a table, and what others pass on
//! that is refused here. Others are only described: nothing that they do fails the test, nor that
//! they are not installed. Of tidegate it is asserted that no request was split, no body changed,
//! nothing written that some backend would read otherwise, and nobody left without an end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{self, Case, Ending, Verdict};
use crate::delivery::{Connection, Origin, Split};
use crate::lane::{Lane, Seen};
use crate::oracle;
use crate::program::{Peer, Program};
use crate::reference::{self, Message, Reader, Stop};

#[test]
fn matrix_of_what_becomes_of_each_request() {
    let cases = case::all(&crate::folder());
    let cases: Vec<&Case> = cases.iter().filter(|case| is_about_request(case)).collect();
    let ours = column("tidegate", &cases, PATIENCE_OURS, |lanes| {
        let one = |lane: &Lane| Program::tidegate(lane.address());
        Ok(lanes.iter().map(one).collect())
    });
    let ours = ours.expect("tidegate starts");
    table(&cases, &ours);
    for peer in [Peer::Nginx, Peer::Haproxy] {
        let theirs = column(peer.name(), &cases, PATIENCE_THEIRS, |lanes| {
            Program::peer(peer, lanes).map(|program| vec![program])
        });
        match theirs {
            Ok(theirs) => {
                table(&cases, &theirs);
                differences(peer, &cases, &theirs);
            }
            Err(why) => println!("{why}: skipped"),
        }
    }
    let sound = |fate: &Fate| matches!(fate, Fate::Refused(_) | Fate::Closed | Fate::Forwarded);
    let wrong: Vec<String> = cases
        .iter()
        .zip(&ours)
        .filter(|(_, fate)| !sound(fate))
        .map(|(case, fate)| format!("{}: {}", case.name, fate.word()))
        .collect();
    assert!(wrong.is_empty(), "not by tidegate:\n{}", wrong.join("\n"));
    let forwarded = ours.iter().filter(|fate| **fate == Fate::Forwarded).count();
    assert!(
        forwarded >= 100,
        "hardly anything was passed on: {forwarded}"
    );
}

/// What became of a request. Where several hold, the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Answered by the proxy itself with this status; no backend got it whole.
    Refused(u16),
    /// The connection was closed without an answer, or there was none that could be read.
    Closed,
    /// Neither an answer nor an end in time.
    Silent,
    Forwarded,
    /// Another method or another body than were sent.
    Changed,
    /// Backends got what is no request by the grammar, or what is another to some of them.
    Unclear,
    /// Backends got more requests than were sent, or one behind a refusal.
    Split,
}

/// How a column is spread: one lane is one backend and one thread.
type Lanes<'a> = Vec<(Lane, SocketAddr, Vec<&'a Case>)>;

/// What one proxy makes of all cases, in their order.
#[expect(clippy::disallowed_methods, reason = "told, and not judged by")]
fn column(
    name: &str,
    cases: &[&Case],
    patience: Duration,
    start: impl FnOnce(&[Lane]) -> Result<Vec<Program>, String>,
) -> Result<Vec<Fate>, String> {
    let lanes: Vec<Lane> = (0..LANES).map(|_| Lane::new()).collect();
    let programs = start(&lanes)?;
    let begun = Instant::now();
    let addresses = programs.iter().flat_map(|program| &program.addresses);
    let lanes: Lanes<'_> = lanes
        .into_iter()
        .zip(addresses)
        .enumerate()
        .map(|(at, (lane, address))| {
            let mine = cases.iter().skip(at).step_by(LANES).copied().collect();
            (lane, *address, mine)
        })
        .collect();
    let fates: Vec<Vec<Fate>> = thread::scope(|scope| {
        let one = |(mut lane, address, mine): (Lane, SocketAddr, Vec<&Case>)| {
            let fate = move |case: &&Case| fate(&mut lane, address, case, patience);
            mine.iter().map(fate).collect()
        };
        let started: Vec<_> = lanes
            .into_iter()
            .map(|lane| scope.spawn(move || one(lane)))
            .collect();
        let ended = started.into_iter();
        ended
            .map(|lane| lane.join().expect("a lane panicked"))
            .collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!("\n{name}: {} requests in {seconds:.1} s", cases.len());
    Ok((0..cases.len())
        .map(|at| fates[at % LANES][at / LANES])
        .collect())
}

/// Sends one case and classifies what came of it.
fn fate(lane: &mut Lane, address: SocketAddr, case: &Case, patience: Duration) -> Fate {
    let origin = Origin {
        answer: b"",
        ending: Ending::Stays,
        early: false,
        plain: 0,
        split: Split::Whole,
    };
    let (sent, stop) = reference::requests(Reader::Strict, &case.client);
    if lane.connect(address, &case.client).is_err() {
        return Fate::Closed;
    }
    let wanted = sent.len() + usize::from(matches!(stop, Some(Stop::Wrong(_))));
    if case.verdict != Verdict::Unfinished {
        lane.run(&origin, patience, |seen| {
            seen.answers(&sent).len() >= wanted || seen.end.is_some()
        });
    }
    // Whatever it takes for a request behind that, it must do now or never.
    lane.half_close();
    lane.run(&origin, patience, |seen| seen.end.is_some());
    classify(&sent, stop.as_ref(), &lane.finish())
}

fn classify(sent: &[Message], stop: Option<&Stop>, seen: &Seen) -> Fate {
    let answers = seen.answers(sent);
    let refusal = answers.iter().position(|answer| answer.status() != 200);
    let got = seen.whole;
    // What the strict reader stops at may be one request to others, but not two.
    let most = sent.len() + usize::from(stop.is_some());
    if got > refusal.unwrap_or(most).min(most) {
        return Fate::Split;
    }
    if let (Some(answer), 0) = (answers.first(), got)
        && refusal == Some(0)
    {
        return Fate::Refused(answer.status());
    }
    let all = seen.connections.iter();
    let read: Vec<_> = all.map(|one| oracle::agreed(&one.received)).collect();
    if read.iter().any(Result::is_err) {
        return Fate::Unclear;
    }
    let read = read.iter().flatten().flatten();
    let changed =
        |(sent, got): (&Message, &Message)| sent.start[0] != got.start[0] || sent.body != got.body;
    if sent.iter().zip(read).any(changed) {
        return Fate::Changed;
    }
    match refusal {
        Some(at) => Fate::Refused(answers[at].status()),
        None if got > 0 => Fate::Forwarded,
        None if seen.end.is_some() => Fate::Closed,
        None => Fate::Silent,
    }
}

/// Whether it is about what a client sends, and so says something about any proxy.
fn is_about_request(case: &Case) -> bool {
    let about_answer = matches!(
        case.verdict,
        Verdict::Broken { .. } | Verdict::Lost | Verdict::Cut
    );
    !about_answer && case.answer.is_empty() && case.ending == Ending::Stays
}

impl Fate {
    const WORDS: [&str; 7] = [
        "refused",
        "closed",
        "silent",
        "forwarded",
        "changed",
        "unclear",
        "split",
    ];

    const fn index(self) -> usize {
        match self {
            Self::Refused(_) => 0,
            Self::Closed => 1,
            Self::Silent => 2,
            Self::Forwarded => 3,
            Self::Changed => 4,
            Self::Unclear => 5,
            Self::Split => 6,
        }
    }

    const fn word(self) -> &'static str {
        Self::WORDS[self.index()]
    }
}

/// One line for each file, and one for all.
fn table(cases: &[&Case], fates: &[Fate]) {
    let mut files: BTreeMap<&str, [usize; 7]> = BTreeMap::new();
    let mut all = [0; 7];
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for (case, fate) in cases.iter().zip(fates) {
        let file = case.name.split('.').next().unwrap_or_default();
        files.entry(file).or_default()[fate.index()] += 1;
        all[fate.index()] += 1;
        if let Fate::Refused(status) = fate {
            *statuses.entry(*status).or_default() += 1;
        }
    }
    let words: String = Fate::WORDS.map(|word| format!("{word:>10}")).concat();
    println!("{:<20}{words}", "");
    for (file, counts) in files.iter().chain([(&"all", &all)]) {
        let counts: String = counts.map(|count| format!("{count:>10}")).concat();
        println!("{file:<20}{counts}");
    }
    let statuses: Vec<String> = statuses
        .iter()
        .map(|(status, count)| format!("{count} x {status}"))
        .collect();
    println!("refused with {}", statuses.join(", "));
}

/// What a peer passes on that is refused here: one line for a case with all its values.
fn differences(peer: Peer, cases: &[&Case], fates: &[Fate]) {
    let mut found: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    let mut count = 0;
    for (case, fate) in cases.iter().zip(fates) {
        let refused = matches!(case.verdict, Verdict::Refuse { .. } | Verdict::Abort { .. });
        if !refused || fate.index() < Fate::Forwarded.index() {
            continue;
        }
        count += 1;
        let (name, value) = case.name.split_once(" [").unwrap_or((&case.name, ""));
        let name = format!("{:<9} {name}", fate.word());
        let value = value.strip_suffix(']').unwrap_or(value);
        found.entry(name).or_insert((0, value)).0 += 1;
    }
    println!("{} passes on {count} that tidegate refuses:", peer.name());
    // The worst first.
    let mut lines: Vec<_> = found.iter().collect();
    let rank = |name: &str| Fate::WORDS.iter().position(|word| name.starts_with(word));
    lines.sort_by_key(|(name, _)| std::cmp::Reverse(rank(name)));
    for (name, (count, value)) in lines.iter().take(LINES_MAX) {
        let value: String = value.chars().take(30).collect();
        match count {
            1 if value.is_empty() => println!("  {name}"),
            1 => println!("  {name} [{value}]"),
            _ => println!("  {name} [{value}] and {} more", count - 1),
        }
    }
    if lines.len() > LINES_MAX {
        println!("  and {} kinds more", lines.len() - LINES_MAX);
    }
}

/// Backends, each with a thread of its own.
const LANES: usize = 8;

/// How long another proxy may be silent. Too short, it makes a word weaker and nothing fail.
const PATIENCE_THEIRS: Duration = Duration::from_millis(300);

/// Far longer than anything takes here, where nothing is silent.
const PATIENCE_OURS: Duration = Duration::from_secs(30);

/// Of a list of differences.
const LINES_MAX: usize = 40;

/// Nobody splits requests while this runs, so it is shown here that it would be noticed.
#[test]
fn what_a_bad_proxy_does_is_called_by_its_name() {
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const BAD: &str = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    let both = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    let smuggled = format!("{both}\r\n0\r\n\r\n{GET}");
    let table = [
        (GET, GET.to_owned(), 1, OK.to_owned(), Fate::Forwarded),
        (GET, GET.repeat(2), 2, OK.repeat(2), Fate::Split),
        (&smuggled, GET.repeat(2), 2, OK.repeat(2), Fate::Split),
        (&smuggled, smuggled.clone(), 1, OK.to_owned(), Fate::Unclear),
        (
            &smuggled,
            String::new(),
            0,
            BAD.to_owned(),
            Fate::Refused(400),
        ),
        (GET, GET.to_owned(), 1, BAD.to_owned(), Fate::Split),
        (
            post,
            post.replace("ab", "xy"),
            1,
            OK.to_owned(),
            Fate::Changed,
        ),
        (GET, String::new(), 0, String::new(), Fate::Silent),
    ];
    for (client, received, whole, to_client, expected) in table {
        let (sent, stop) = reference::requests(Reader::Strict, client.as_bytes());
        let seen = Seen {
            connections: vec![Connection {
                received: received.into_bytes(),
                ..Connection::default()
            }],
            whole,
            to_client: to_client.into_bytes(),
            ..Seen::default()
        };
        assert_eq!(classify(&sent, stop.as_ref(), &seen), expected, "{client}");
    }
}
