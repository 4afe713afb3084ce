//! Numbers in sentences that people read: `--check`, its warnings and the log say them alike.

/// `1 backend`, `2 backends`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// What holds for each event loop. Nothing with one: people need not know that there is such a
/// thing.
pub(super) fn of_each(workers: usize) -> String {
    match workers {
        0 | 1 => String::new(),
        _ => format!(" on each of {workers} event loops"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let said = [0, 1, 2].map(|count| counted(count, "client") + &of_each(count));
        let expected = [
            "0 clients",
            "1 client",
            "2 clients on each of 2 event loops",
        ];
        assert_eq!(said, expected);
    }
}
