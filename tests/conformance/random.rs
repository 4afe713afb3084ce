//! Damaged cases by the thousand, before the judge who knows no case.
//!
//! An input is made from its number alone. `TIDEGATE_INPUTS` says how many, `TIDEGATE_FIRST` from
//! which number on: what a failure prints is enough to see it again.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::machine::Machine;
use crate::mutate::Corpus;
use crate::notation::shown;
use crate::trial;
use crate::{case, folder};

/// Inputs per run of the tests.
const INPUTS: u64 = 20_000;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "it measures how fast it is, and asserts nothing of it"
)]
fn no_damage_makes_two_opinions() {
    let number = |name, default| {
        let said = env::var(name).ok();
        said.map_or(default, |said: String| said.parse().expect("a number"))
    };
    let (inputs, first) = (
        number("TIDEGATE_INPUTS", INPUTS),
        number("TIDEGATE_FIRST", 0),
    );
    let corpus = Corpus::new(&case::all(&folder()));
    let begun = Instant::now();
    let mut machine = Machine::new();
    let (mut forwarded, mut wrong) = (0_u64, 0);
    for number in first..first + inputs {
        let input = corpus.input(number);
        let outcome = catch_unwind(AssertUnwindSafe(|| trial::everything(&mut machine, &input)));
        let why = match outcome {
            Ok(Ok(answers)) => {
                forwarded += u64::from(answers > 0);
                continue;
            }
            Ok(Err(why)) => why,
            Err(_) => {
                machine = Machine::new();
                "a panic".to_owned()
            }
        };
        wrong += 1;
        let (client, answer) = (shown(&input.client), shown(&input.answer));
        let how = (input.split, input.ending, input.early);
        println!("input {number}: {why}\n{how:?}\n--- client\n{client}\n--- answer\n{answer}\n");
        assert!(wrong < 10, "enough to look at");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = inputs as f64 / seconds.max(1e-9);
    println!("{inputs} inputs, {forwarded} of them reached a backend, {rate:.0} a second");
    assert_eq!(wrong, 0);
    assert!(
        forwarded * 10 > inputs,
        "most were refused: they prove little"
    );
}
