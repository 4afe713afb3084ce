//! Pages that are written in pieces.

use super::*;
use crate::admin::report::Backend;
use crate::admin::report::fixture;

/// So many servers in each pool.
fn report(pools: &[usize]) -> Report {
    let backend = |at: usize| Backend {
        in_flight: at as u64,
        codes: [at as u64; 5],
        ..fixture::backend(&format!("b-{at}"), "")
    };
    let pool = |(at, count): (usize, &usize)| {
        fixture::pool(&format!("p{at}"), (0..*count).map(backend).collect())
    };
    fixture::report(pools.iter().enumerate().map(pool).collect())
}

#[test]
fn a_page_is_the_same_however_small_its_pieces_are() {
    for pools in [&[][..], &[0], &[3], &[2, 0, 3], &[0, 0], &[1, 1]] {
        let report = report(pools);
        let mut whole = Draft::new(report.clone());
        assert!(whole.write(usize::MAX));
        let whole = whole.into_text();
        for family in PER_BACKEND {
            let (name, kind, _) = family.0;
            let mark = format!("# TYPE {name} {kind}\n");
            assert_eq!(whole.matches(&mark).count(), 1, "{mark}");
        }
        let servers: usize = pools.iter().sum();
        assert_eq!(whole.matches("tidegate_backend_up{").count(), servers);
        for most in [1, 100, 10_000] {
            let mut draft = Draft::new(report.clone());
            let mut pieces = 1;
            while !draft.write(most) {
                pieces += 1;
            }
            assert!(most > 1 || pieces >= servers * PER_BACKEND.len());
            assert_eq!(draft.into_text(), whole);
        }
    }
}
