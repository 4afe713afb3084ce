//! Bytes as text, for case files: whatever can be sent can be written down and read in a diff.
//!
//! `\r \n \t \0 \s` (a space at a line's end) `\\` and `\xNN` are single bytes. `{a*8200}` is the
//! text before the last star that many times. `{hop}` stands for the fields that tidegate adds to
//! every request; `{hop NAME}` for a host other than `a`, `{hop10 NAME}` for an HTTP/1.0 client.

/// The bytes that `text` stands for. Panics with the text if it stands for none: a test's input.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '\\' => escape(rest, &mut out),
            '{' => brace(rest, &mut out),
            other => {
                let mut buffer = [0; 4];
                out.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                &rest[other.len_utf8()..]
            }
        };
    }
    out
}

/// The values of an `each` line: words between blanks, where `\x01..\x1f` is one word per byte.
pub(crate) fn values(text: &str) -> Vec<String> {
    text.split_whitespace().flat_map(value).collect()
}

/// Bytes for people: what is not plain ASCII is escaped, lines end where lines end.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        text.push_str(&byte.escape_ascii().to_string());
        if *byte == b'\n' {
            text.push('\n');
        }
    }
    text
}

fn value(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once("..").filter(|_| word.starts_with("\\x")) else {
        return vec![word.to_owned()];
    };
    let (first, last) = (single(first), single(last));
    (first..=last)
        .map(|byte| format!("\\x{byte:02x}"))
        .collect()
}

fn single(text: &str) -> u8 {
    let bytes = bytes(text);
    assert_eq!(bytes.len(), 1, "one byte: {text}");
    bytes[0]
}

fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let letter = text.as_bytes().get(1).copied().unwrap_or_default();
    let plain = match letter {
        b'r' => b'\r',
        b'n' => b'\n',
        b't' => b'\t',
        b'0' => 0,
        b's' => b' ',
        b'\\' => b'\\',
        b'x' => {
            let digits = text
                .get(2..4)
                .unwrap_or_else(|| panic!("two digits: {text}"));
            out.push(u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("digits: {text}")));
            return &text[4..];
        }
        _ => panic!("no such escape: {text}"),
    };
    out.push(plain);
    &text[2..]
}

fn brace<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let end = closing(text).unwrap_or_else(|| panic!("no closing brace: {text}"));
    let (inner, rest) = (&text[1..end], &text[end + 1..]);
    let (name, host) = inner.split_once(' ').unwrap_or((inner, "a"));
    let version = match name {
        "hop" => "1.1",
        "hop10" => "1.0",
        _ => {
            let counted = inner.rsplit_once('*');
            let (what, count) = counted.unwrap_or_else(|| panic!("no such brace: {text}"));
            let count = count.parse().unwrap_or_else(|_| panic!("a count: {inner}"));
            out.extend(bytes(what).repeat(count));
            return rest;
        }
    };
    let from = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http";
    out.extend(format!("Via: {version} tidegate\r\n{from}").into_bytes());
    if !host.is_empty() {
        out.extend(b"\r\nX-Forwarded-Host: ");
        out.extend(bytes(host));
    }
    rest
}

/// Where the brace that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 1 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn text_stands_for_bytes() {
    assert_eq!(
        bytes(r"a\r\n\t\0\s\\\xff{bc*2}{\r\n*2}"),
        b"a\r\n\t\0 \\\xffbcbc\r\n\r\n"
    );
    assert_eq!(
        values(r"a \x01..\x03 b..c"),
        ["a", r"\x01", r"\x02", r"\x03", "b..c"]
    );
    assert!(bytes("{hop x}").ends_with(b"http\r\nX-Forwarded-Host: x"));
    assert!(bytes("{hop10 }").ends_with(b"X-Forwarded-Proto: http"));
    assert_eq!(shown(b"a\r\n\x00"), "a\\r\\n\n\\x00");
}
