//! Holds what came of a case against what the case says: status, reason, every byte that a
//! backend got, and what follows on the connection.

use tidegate::http::Reason;
use tidegate::session::Cause;

use crate::case::{Case, Ending, Verdict};
use crate::delivery::{Origin, Proxy, Record, SPLITS, Split};
use crate::notation::{bytes, shown};
use crate::oracle;
use crate::reference;

/// Where the case stands on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Alone,
    /// Behind a request that is fine.
    Behind,
    /// Before one.
    Before,
}

/// Delivers every case in every way.
///
/// # Panics
/// If a case does not come out as it says.
pub(crate) fn check_all(cases: &[Case], proxy: &mut impl Proxy) {
    let (mut deliveries, mut wrong) = (0, Vec::new());
    for case in cases {
        match check(case, proxy) {
            Ok(count) => deliveries += count,
            Err(why) => wrong.push(why),
        }
    }
    println!("{} cases, {deliveries} deliveries", cases.len());
    let list = wrong.join("\n\n");
    assert!(wrong.is_empty(), "{} cases are wrong:\n{list}", wrong.len());
    assert!(deliveries >= 10 * cases.len());
}

/// Delivers the case in every way; the number of ways, or the first thing that is wrong.
fn check(case: &Case, proxy: &mut impl Proxy) -> Result<usize, String> {
    let mut ways: Vec<(Place, Split)> = SPLITS.map(|split| (Place::Alone, split)).to_vec();
    for split in [Split::Whole, Split::Lines, Split::Random(6)] {
        ways.push((Place::Behind, split));
        if goes_on(case) && !case.alone {
            ways.push((Place::Before, split));
        }
    }
    for way in &ways {
        deliver(case, proxy, *way)?;
    }
    Ok(ways.len())
}

/// Whether what is behind the case is told apart from it.
fn goes_on(case: &Case) -> bool {
    match case.verdict {
        Verdict::Forward { .. } | Verdict::Refuse { .. } | Verdict::Abort { .. } => {
            case.ending == Ending::Stays
        }
        Verdict::Unfinished | Verdict::Broken { .. } | Verdict::Lost | Verdict::Cut => false,
    }
}

/// Delivers the case in one way; what is wrong about what came of it.
pub(crate) fn deliver(
    case: &Case,
    proxy: &mut impl Proxy,
    (place, split): (Place, Split),
) -> Result<(), String> {
    let mut client = case.client.clone();
    match place {
        Place::Alone => {}
        Place::Behind => client = [BEFORE_SENT, &client].concat(),
        Place::Before => client.extend(BEHIND_SENT),
    }
    let plain = usize::from(place == Place::Behind);
    let origin = Origin {
        answer: &case.answer,
        ending: case.ending,
        early: case.early,
        plain,
        split,
    };
    let record = proxy.carry(&split.pieces(&client), &origin);
    let view = View {
        case,
        place,
        plain,
        record: &record,
    };
    view.check()
        .and_then(|()| oracle::judge(&client, &record))
        .map_err(|why| {
            format!(
                "{}\n  ({place:?}, {split:?}) {why}\n--- backend got\n{}--- client got\n{}\n{:?}",
                case.name,
                shown(&record.received()),
                shown(&record.to_client),
                record.incidents,
            )
        })
}

struct View<'a> {
    case: &'a Case,
    place: Place,
    plain: usize,
    record: &'a Record,
}

impl View<'_> {
    fn check(&self) -> Result<(), String> {
        if let Some(kept) = self.case.kept {
            let was = self.record.kept.get(self.plain).copied();
            expect("the backend's connection kept", &Some(kept), &was)?;
        }
        match &self.case.verdict {
            Verdict::Forward { close } => self.forwarded(*close),
            Verdict::Refuse { status, code } => {
                self.nothing_passed()?;
                self.said(*status, Some((Some(code), true)))
            }
            Verdict::Abort { status, code } => {
                self.nothing_whole_passed()?;
                self.said(*status, Some((Some(code), true)))
            }
            Verdict::Broken { code } => {
                self.nothing_behind_passed()?;
                self.said(502, Some((Some(code), false)))
            }
            Verdict::Lost => {
                self.nothing_behind_passed()?;
                self.said(502, None)
            }
            Verdict::Unfinished => {
                self.nothing_whole_passed()?;
                expect("refusals", &0, &self.record.refusals.len())?;
                expect("answers", &0, &self.answer()?.len())
            }
            Verdict::Cut => {
                expect("reset", &true, &self.record.reset)?;
                match reference::response(self.answer()?, b"GET", false) {
                    Ok(_) => Err("the cut answer looks whole".to_owned()),
                    Err(_) => Ok(()),
                }
            }
        }
    }

    fn forwarded(&self, close: bool) -> Result<(), String> {
        let more = self.place == Place::Before && !close;
        if !self.case.backend.is_empty() {
            let mut expected = self.before();
            expected.extend(&self.case.backend);
            if more {
                expected.extend(bytes("GET /behind HTTP/1.1\\r\\nHost: behind\\r\\n"));
                expected.extend(bytes("{hop behind}\\r\\n\\r\\n"));
            }
            expect_bytes("the backend's bytes", &expected, &self.record.received())?;
        }
        if !self.case.shown.is_empty() {
            let mut expected = self.case.shown.clone();
            if more {
                expected.extend(PLAIN_ANSWER);
            }
            expect_bytes("the client's bytes", &expected, self.answer()?)?;
        }
        if more && !self.record.to_client.ends_with(PLAIN_ANSWER) {
            return Err("the request behind it was not answered".to_owned());
        }
        expect("refusals", &0, &self.record.refusals.len())?;
        expect("reset", &false, &self.record.reset)?;
        expect(
            "the client's connection closed",
            &close,
            &self.record.closed,
        )
    }

    /// What the requests before the case come to at the backend.
    fn before(&self) -> Vec<u8> {
        if self.plain == 0 {
            return Vec::new();
        }
        bytes("GET /before HTTP/1.1\\r\\nHost: before\\r\\n{hop before}\\r\\n\\r\\n")
    }

    /// What the client got behind what is not the case's.
    fn answer(&self) -> Result<&[u8], String> {
        let answer = self.record.to_client.as_slice();
        if self.plain == 0 {
            return Ok(answer);
        }
        answer
            .strip_prefix(PLAIN_ANSWER)
            .ok_or_else(|| "the one before is missing".to_owned())
    }

    fn nothing_passed(&self) -> Result<(), String> {
        expect_bytes(
            "the backend's bytes",
            &self.before(),
            &self.record.received(),
        )?;
        expect("connections", &self.plain, &self.record.connections.len())
    }

    /// The case is the last request that a backend saw, if it was sent again too.
    fn nothing_behind_passed(&self) -> Result<(), String> {
        let requests = oracle::agreed(&self.record.received())?;
        let behind = requests.iter().skip(self.plain + 1);
        let other = behind
            .filter(|one| Some(*one) != requests.get(self.plain))
            .count();
        expect("requests behind the case", &0, &other)
    }

    fn nothing_whole_passed(&self) -> Result<(), String> {
        let requests = oracle::agreed(&self.record.received())?;
        expect("whole requests", &self.plain, &requests.len())
    }

    /// The last word is ours: this status, for this reason, whose it was (the client's or not).
    fn said(&self, status: u16, reason: Option<(Option<&String>, bool)>) -> Result<(), String> {
        let [(said, cause)] = self.record.refusals.as_slice() else {
            return Err(format!("one refusal expected: {:?}", self.record.refusals));
        };
        expect("status", &status, said)?;
        let answer = self.answer()?;
        let start = format!("HTTP/1.1 {status} ");
        if !answer.starts_with(start.as_bytes()) {
            return Err(format!("{start}expected"));
        }
        match (cause, reason) {
            (Cause::Refused(was), Some((Some(code), true))) => {
                expect("reason", &code.as_str(), &was.code())?;
                expect("the client's connection closed", &true, &self.record.closed)?;
                let line = b"\r\nConnection: close\r\n";
                let told = answer.windows(line.len()).any(|window| window == line);
                expect("the client told", &true, &told)?;
                self.sentence(answer, *was)
            }
            (Cause::ResponseBroken(was), Some((Some(code), false))) => {
                expect("reason", &code.as_str(), &was.code())
            }
            (Cause::ServerBroke(_), None) => Ok(()),
            _ => Err(format!("another cause: {cause:?}")),
        }
    }

    fn sentence(&self, answer: &[u8], reason: Reason) -> Result<(), String> {
        let head = reference::head_length(answer).ok_or("no head")?;
        let body = &answer[head..];
        // Nothing is behind it, and HEAD gets none.
        if body.is_empty() && self.case.client.starts_with(b"HEAD") {
            return Ok(());
        }
        expect_bytes(
            "the sentence",
            format!("{}\n", reason.why()).as_bytes(),
            body,
        )
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    Err(format!("{what}: expected {wanted:?}, got {got:?}"))
}

fn expect_bytes(what: &str, wanted: &[u8], got: &[u8]) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    Err(format!(
        "{what}: expected\n{}but got\n{}",
        shown(wanted),
        shown(got)
    ))
}

const BEFORE_SENT: &[u8] = b"GET /before HTTP/1.1\r\nHost: before\r\n\r\n";

const BEHIND_SENT: &[u8] = b"GET /behind HTTP/1.1\r\nHost: behind\r\n\r\n";

const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nVia: 1.1 tidegate\r\nContent-Length: 2\r\n\r\nok";
