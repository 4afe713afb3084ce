//! What fuzzers and the tests share: the trials, the oracle and the second reader are those of
//! `tests/conformance`, where they also run on every `cargo test`.

#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../../tests/conformance/case.rs"]
mod case;
#[path = "../../tests/conformance/delivery.rs"]
mod delivery;
#[path = "../../tests/conformance/machine.rs"]
mod machine;
#[path = "../../tests/conformance/notation.rs"]
mod notation;
#[path = "../../tests/conformance/oracle.rs"]
mod oracle;
#[path = "../../tests/conformance/reference.rs"]
mod reference;
#[path = "../../tests/conformance/trial.rs"]
mod trial;

use std::fs;
use std::io;
use std::path::Path;

use case::Ending;
use delivery::Split;
use machine::Machine;
use trial::Input;

/// Heads of requests and answers.
pub fn head(bytes: &[u8]) {
    expect(trial::head(bytes));
    expect(trial::answer(bytes));
}

/// Chunked bodies.
pub fn chunked(bytes: &[u8]) {
    expect(trial::chunks(bytes));
}

/// A whole exchange from both sides, cut anyhow: three bytes that say how, the length of what the
/// client sends in two, that, and what the backend answers.
pub fn exchange(bytes: &[u8]) {
    let [how, ending, seed, low, high, rest @ ..] = bytes else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (client, answer) = rest.split_at(length);
    let input = Input {
        client: client.to_vec(),
        answer: answer.to_vec(),
        ending: [Ending::Stays, Ending::Ends, Ending::Resets][usize::from(*ending % 3)],
        early: *ending >= 128,
        split: match how % 4 {
            0 => Split::Whole,
            1 => Split::Bytes,
            2 => Split::Lines,
            _ => Split::Random(u64::from(*seed)),
        },
    };
    expect(trial::exchange(&mut Machine::new(), &input));
}

/// What a client sends, before a backend that answers everything: what it gets is read alike by
/// the strict reader and the lenient ones.
pub fn differential(bytes: &[u8]) {
    let input = Input {
        client: bytes.to_vec(),
        answer: Vec::new(),
        ending: Ending::Stays,
        early: false,
        split: Split::Whole,
    };
    expect(trial::exchange(&mut Machine::new(), &input));
}

/// Writes every case into `corpus/TARGET/` under `folder`, as each target takes it.
///
/// # Errors
/// A file or folder cannot be written.
pub fn seeds(folder: &Path) -> io::Result<()> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/cases");
    for (number, case) in case::all(&cases).iter().enumerate() {
        let body = reference::head_length(&case.client).unwrap_or_default();
        let length = u16::try_from(case.client.len()).unwrap_or(u16::MAX);
        let ending = case.ending as u8 + u8::from(case.early) * 129;
        let mut both = vec![(number % 4) as u8, ending, 1];
        both.extend(length.to_le_bytes());
        both.extend([case.client.as_slice(), &case.answer].concat());
        for (target, bytes) in [
            ("head", case.client.as_slice()),
            ("head", &case.answer),
            ("chunked", &case.client[body..]),
            ("differential", &case.client),
            ("exchange", &both),
        ] {
            if bytes.is_empty() {
                continue;
            }
            let into = folder.join("corpus").join(target);
            fs::create_dir_all(&into)?;
            let side = if std::ptr::eq(bytes, case.answer.as_slice()) {
                "-answer"
            } else {
                ""
            };
            fs::write(into.join(format!("case-{number:04}{side}")), bytes)?;
        }
    }
    Ok(())
}

fn expect<T>(outcome: Result<T, String>) {
    if let Err(why) = outcome {
        panic!("{why}");
    }
}
