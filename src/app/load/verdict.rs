//! Whether an answer is the one that was asked for. Pure.

/// What the bytes received so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The beginning of an answer.
    More,
    /// The answer, from the origin of that name.
    Good(String),
    /// Something else, in words.
    Bad(String),
}

/// Judges an answer to `GET /say/word`.
pub(super) fn judge(bytes: &[u8], word: &str) -> Verdict {
    let Some(length) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Verdict::More;
    };
    let head = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
    let body = bytes.get(length + 4..).unwrap_or_default();
    let first = head.lines().next().unwrap_or_default();
    if !first.starts_with("HTTP/1.1 200 ") {
        return Verdict::Bad(format!("answered {first:?}"));
    }
    let promised = field(&head, "content-length").and_then(|length| length.parse::<usize>().ok());
    let Some(promised) = promised else {
        return Verdict::Bad("an answer without a length".to_owned());
    };
    if body.len() < promised {
        return Verdict::More;
    }
    let name = field(&head, "x-origin").unwrap_or_default();
    if body == format!("hello from {name}, {word}\n").as_bytes() {
        Verdict::Good(name.to_owned())
    } else {
        let body = String::from_utf8_lossy(body);
        Verdict::Bad(format!("a foreign body from {name}: {body:?}"))
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_answer_is_good() {
        let good =
            "HTTP/1.1 200 OK\r\nX-Origin: A\r\nContent-Length: 18\r\n\r\nhello from A, 1-2\n";
        assert_eq!(judge(good.as_bytes(), "1-2"), Verdict::Good("A".to_owned()));
        for length in 0..good.len() {
            assert_eq!(judge(&good.as_bytes()[..length], "1-2"), Verdict::More);
        }
        let table = [
            (
                good.replace("200 OK", "502 Bad Gateway"),
                "answered \"HTTP/1.1 502 Bad Gateway\"",
            ),
            (
                good.replace("1-2", "1-3"),
                "a foreign body from A: \"hello from A, 1-3\\n\"",
            ),
            (
                good.replace(": A", ": B"),
                "a foreign body from B: \"hello from A, 1-2\\n\"",
            ),
            (
                good.replace("1-2\n", "1-2\nx"),
                "a foreign body from A: \"hello from A, 1-2\\nx\"",
            ),
            (
                good.replace("Content-Length: 18\r\n", ""),
                "an answer without a length",
            ),
        ];
        for (answer, why) in table {
            assert_eq!(
                judge(answer.as_bytes(), "1-2"),
                Verdict::Bad(why.to_owned())
            );
        }
    }
}
