//! The walker against a slow decoder that shares no code with it, over every way of cutting the
//! bytes.

use super::*;
use crate::base::random::Random;

/// What a body comes to, by either decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Done { data: Vec<u8>, used: usize },
    Unfinished { data: Vec<u8> },
    Refused,
}

/// The slow decoder: the grammar of RFC 9112 section 7.1 by single bytes, limits left out.
fn slow(input: &[u8]) -> Verdict {
    let mut data = Vec::new();
    match slow_body(input, &mut data) {
        Ok(used) => Verdict::Done { data, used },
        Err(Stop::Short) => Verdict::Unfinished { data },
        Err(Stop::Wrong) => Verdict::Refused,
    }
}

enum Stop {
    Short,
    Wrong,
}

fn slow_body(input: &[u8], data: &mut Vec<u8>) -> Result<usize, Stop> {
    let mut at = 0;
    loop {
        let mut digits = String::new();
        while let Some(byte) = input.get(at).filter(|byte| byte.is_ascii_hexdigit()) {
            digits.push(char::from(*byte));
            at += 1;
        }
        if digits.len() > 16 {
            return Err(Stop::Wrong);
        }
        let next = *input.get(at).ok_or(Stop::Short)?;
        if digits.is_empty() {
            return Err(Stop::Wrong);
        }
        if next == b';' {
            at = slow_extensions(input, at)?;
        }
        at = slow_break(input, at)?;
        let size = u64::from_str_radix(&digits, 16).map_err(|_| Stop::Wrong)?;
        if size == 0 {
            return slow_trailers(input, at);
        }
        if size > i64::MAX as u64 - data.len() as u64 {
            return Err(Stop::Wrong);
        }
        for _ in 0..size {
            data.push(*input.get(at).ok_or(Stop::Short)?);
            at += 1;
        }
        at = slow_break(input, at)?;
    }
}

fn slow_break(input: &[u8], at: usize) -> Result<usize, Stop> {
    for (index, expected) in [(at, b'\r'), (at + 1, b'\n')] {
        match input.get(index) {
            None => return Err(Stop::Short),
            Some(byte) if *byte == expected => {}
            Some(_) => return Err(Stop::Wrong),
        }
    }
    Ok(at + 2)
}

/// Extensions as a regular expression by hand: each `;` blanks name blanks [ `=` blanks value ].
fn slow_extensions(input: &[u8], mut at: usize) -> Result<usize, Stop> {
    let peek = |at: usize| input.get(at).copied().ok_or(Stop::Short);
    let blanks = |mut at: usize| {
        while matches!(input.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    };
    let token = |mut at: usize| {
        let start = at;
        while input
            .get(at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
        {
            at += 1;
        }
        if at == start {
            peek(at)?;
            return Err(Stop::Wrong);
        }
        Ok(at)
    };
    loop {
        at = token(blanks(at + 1))?;
        let mut after = blanks(at);
        if peek(after)? == b'=' {
            let value = blanks(after + 1);
            at = if peek(value)? == b'"' {
                let mut inside = value + 1;
                loop {
                    match peek(inside)? {
                        b'"' => break inside + 1,
                        b'\\' => {
                            if !matches!(peek(inside + 1)?, b'\t' | 0x20..=0x7e) {
                                return Err(Stop::Wrong);
                            }
                            inside += 2;
                        }
                        b'\t' | 0x20..=0x7e => inside += 1,
                        _ => return Err(Stop::Wrong),
                    }
                }
            } else {
                token(value)?
            };
            after = blanks(at);
        }
        match peek(after)? {
            b';' => at = after,
            b'\r' if after == at => return Ok(at),
            _ => return Err(Stop::Wrong),
        }
    }
}

fn slow_trailers(input: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        if input.get(at) == Some(&b'\r') {
            return slow_break(input, at);
        }
        let start = at;
        while !matches!(input.get(at), Some(b'\r') | None) {
            if matches!(input[at], 0..=8 | 10..=31) {
                return Err(Stop::Wrong);
            }
            at += 1;
        }
        let line = &input[start..at];
        at = slow_break(input, at)?;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err(Stop::Wrong);
        };
        let name = std::str::from_utf8(&line[..colon]).map_err(|_| Stop::Wrong)?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || line.contains(&0x7f) {
            return Err(Stop::Wrong);
        }
        let plain = name.to_ascii_lowercase().replace('_', "-");
        if [
            "te",
            "host",
            "cookie",
            "content-length",
            "transfer-encoding",
        ]
        .contains(&plain.as_str())
        {
            return Err(Stop::Wrong);
        }
    }
}

/// What the walker makes of `input` arriving in pieces that end at `cuts`: the verdict, with what
/// it passed on as the data, and the reason of a refusal.
fn walk(input: &[u8], keep: Keep, cuts: &[usize]) -> (Verdict, Option<Reason>) {
    let mut chunked = Chunked::new(keep);
    let mut held: Vec<u8> = Vec::new();
    let mut passed = Vec::new();
    let (mut from, mut used) = (0, 0);
    for cut in cuts.iter().copied().chain([input.len()]) {
        held.extend_from_slice(&input[from..cut]);
        from = cut;
        let progress = match chunked.filter(&mut held) {
            Ok(progress) => progress,
            Err(reject) => {
                assert_eq!(reject.status, 400);
                return (Verdict::Refused, Some(reject.reason));
            }
        };
        assert!(progress.produced <= progress.consumed && progress.consumed <= held.len());
        assert_eq!(progress.done, chunked.is_done());
        passed.extend_from_slice(&held[..progress.produced]);
        held.drain(..progress.consumed);
        used += progress.consumed;
        if progress.done {
            break;
        }
    }
    if keep == Keep::Data {
        assert_eq!(chunked.data_bytes(), passed.len() as u64);
    }
    let verdict = if chunked.is_done() {
        Verdict::Done { data: passed, used }
    } else {
        Verdict::Unfinished { data: passed }
    };
    (verdict, None)
}

/// Both decoders agree, however the bytes arrive, and what is passed on as chunks is canonical.
fn agree(input: &[u8], cuts: &[usize]) {
    let show = || format!("{} at {cuts:?}", input.escape_ascii());
    let expected = slow(input);
    assert_eq!(walk(input, Keep::Data, cuts).0, expected, "{}", show());
    let (framed, _) = walk(input, Keep::Framing, cuts);
    match (expected, framed) {
        (Verdict::Refused, Verdict::Refused) => {}
        (
            Verdict::Done { data, used },
            Verdict::Done {
                data: out,
                used: too,
            },
        ) => {
            assert_eq!(used, too, "{}", show());
            assert!(canonical(&out), "{} became {}", show(), out.escape_ascii());
            let again = slow(&out);
            let used = out.len();
            assert_eq!(again, Verdict::Done { data, used }, "{}", show());
            assert_eq!(
                walk(&out, Keep::Framing, &[]).0,
                Verdict::Done { data: out, used }
            );
        }
        (Verdict::Unfinished { data }, Verdict::Unfinished { data: out }) => {
            assert_eq!(slow(&out), Verdict::Unfinished { data }, "{}", show());
        }
        (expected, framed) => panic!("{}: {expected:?} but {framed:?}", show()),
    }
}

/// Whether every size line is the one spelling that we write.
fn canonical(body: &[u8]) -> bool {
    let mut rest = body;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\r').unwrap();
        let digits = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(digits, 16).unwrap();
        if digits != format!("{size:x}") {
            return false;
        }
        if size == 0 {
            return true;
        }
        rest = &rest[end + 2 + size + 2..];
    }
}

fn every_split(input: &[u8]) {
    for mask in 0_u32..1 << (input.len().max(1) - 1) {
        let cuts: Vec<usize> = (1..input.len())
            .filter(|index| mask >> (index - 1) & 1 == 1)
            .collect();
        agree(input, &cuts);
    }
}

#[test]
fn every_split_of_short_bodies() {
    for input in [
        b"0\r\n\r\n".as_slice(),
        b"0\r\n\r\nGET /",
        b"00;a\r\n\r\nX",
        b"1\r\na\r\n0\r\n\r\n",
        b"02\r\nab\r\n0\r\n\r\n",
        b"A\r\n0123456789\r",
        b"1;x=\"\\\"\"\r\na\r\n",
        b"0\r\nA:b\r\n\r\nXY",
        b"1\r\na\r\n000\r\n\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"0\r\nA:b\n\r\n",
        b"0\r\nTE:b\r\n\r\n",
        b"1;a \r\nx\r\n0\r\n\r\n",
    ] {
        every_split(input);
    }
}

#[test]
fn every_string_over_a_small_alphabet() {
    fn extend(string: &mut Vec<u8>, left: usize, count: &mut usize) {
        *count += 1;
        agree(string, &[]);
        if string.len() > 2 {
            agree(string, &[string.len() / 2]);
            agree(string, &(1..string.len()).collect::<Vec<_>>());
        }
        if left > 0 {
            for byte in *b"01;\r\na" {
                string.push(byte);
                extend(string, left - 1, count);
                string.pop();
            }
        }
    }
    let mut count = 0;
    extend(&mut Vec::new(), 6, &mut count);
    // The interesting ones begin where short strings end.
    extend(&mut b"1\r\na\r\n".to_vec(), 5, &mut count);
    extend(&mut b"0\r\n".to_vec(), 5, &mut count);
    extend(&mut b"0\r\na:".to_vec(), 5, &mut count);
    assert_eq!(count, 55_987 + 3 * 9_331);
}

#[test]
fn mutated_bodies_in_random_pieces() {
    let seeds = [
        b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n".as_slice(),
        b"0A;q=\"a\\\"b;c\"; d =\te\r\n0123456789\r\n00\r\nX-Sum: 1\r\nY:\t2 \r\n\r\nGET",
        b"1\r\na\r\n1\r\nb\r\n000001\r\nc\r\nFf\r\nshort",
    ];
    let mut random = Random::new(7);
    let mut draw = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let spice = b"\r\n\0;:=\" \t0aA-\\\x7f\xff";
    for round in 0..60_000 {
        let mut input = seeds[round % seeds.len()].to_vec();
        for _ in 0..draw(3) {
            let at = draw(input.len());
            match draw(4) {
                0 => drop(input.remove(at)),
                1 => input.insert(at, spice[draw(spice.len())]),
                2 => input[at] = spice[draw(spice.len())],
                _ => input.truncate(at + 1),
            }
        }
        let mut cuts: Vec<usize> = (0..draw(6)).map(|_| draw(input.len() + 1)).collect();
        cuts.sort_unstable();
        agree(&input, &cuts);
    }
}

#[test]
fn each_guard_by_its_reason() {
    let refused = |input: &[u8], reason| {
        for keep in [Keep::Framing, Keep::Data] {
            let each: Vec<usize> = (0..input.len()).collect();
            for cuts in [&[][..], &each] {
                let (_, found) = walk(input, keep, cuts);
                assert_eq!(found, Some(reason), "{}", input.escape_ascii());
            }
        }
    };
    for line in [
        "\r\n",
        ";x\r\n",
        " \r\n",
        "5 \r\n",
        "+5\r\n",
        "-5\r\n",
        "0x5\r\n",
        "5_0\r\n",
        "g\r\n",
        " 5\r\n",
        "\t5\r\n",
        "00000000000000005\r\n",
        "8000000000000000\r\n",
        "5\0\r\n",
        "5 ;a\r\n",
        "\u{660}\r\n",
        "5,\r\n",
        "ffffffffffffffff\r\n",
    ] {
        refused(line.as_bytes(), Reason::ChunkSizeInvalid);
    }
    refused(b"1\r\na\r\n7fffffffffffffff\r\n", Reason::ChunkSizeInvalid);
    refused(b"5\nhello", Reason::BareLf);
    refused(b"\n", Reason::BareLf);
    refused(b"5\r\r\n", Reason::BareCr);
    refused(b"5\rhello", Reason::BareCr);
    refused(b"5;a\nGET / HTTP/1.1\r\n", Reason::BareLf);
    refused(b"5;a=\"\nGET / HTTP/1.1\r\n", Reason::BareLf);
    refused(b"5;a\rGET / HTTP/1.1\r\n", Reason::BareCr);
    for line in [
        "5;\r\n",
        "5; \r\n",
        "5;;a\r\n",
        "5;a=\r\n",
        "5;a=\"b\r\n",
        "5;a=\"b\"c\r\n",
        "5;a=b c\r\n",
        "5;a \r\n",
        "5;\0\r\n",
        "5;a=\"\\\r\n",
        "5;a\u{e9}\r\n",
        "5;=b\r\n",
        "5;a=\"\u{7f}\"\r\n",
        "5;a b\r\n",
    ] {
        refused(line.as_bytes(), Reason::ChunkExtensionInvalid);
    }
    refused(b"1\r\na\n", Reason::BareLf);
    refused(b"1\r\nabc", Reason::ChunkDataUnterminated);
    refused(b"1\r\na\rb", Reason::ChunkDataUnterminated);
    refused(b"1\r\na0\r\n\r\n", Reason::ChunkDataUnterminated);
    for line in [
        "A",
        "A b: c",
        " A: b",
        ": b",
        "A : b",
        "A: b\r\n c",
        "A: \0",
        "A: \u{7f}",
    ] {
        let input = format!("0\r\n{line}\r\n\r\n");
        refused(input.as_bytes(), Reason::TrailerInvalid);
    }
    refused(b"0\r\n\n", Reason::BareLf);
    refused(b"0\r\nA: b\n\r\n", Reason::BareLf);
    refused(b"0\r\nA: b\rc\r\n\r\n", Reason::BareCr);
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Transfer_Encoding",
        "Host",
        "Cookie",
        "Set-Cookie",
        "Authorization",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "x_forwarded_host",
        "Forwarded",
        "X-Real-IP",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Content-Type",
        "content_type",
        "Expect",
        "Range",
        "If-Match",
        "WWW-Authenticate",
        "Content-Encoding",
        "Cache-Control",
    ] {
        let input = format!("0\r\n{name}: 1\r\n\r\n");
        refused(input.as_bytes(), Reason::TrailerForbidden);
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let line = |length: usize| {
        let fill = "a".repeat(length - "0;\r\n".len());
        format!("0;{fill}\r\n\r\n").into_bytes()
    };
    let whole = |input: &[u8]| walk(input, Keep::Framing, &[]);
    let each = |input: &[u8]| walk(input, Keep::Framing, &(0..input.len()).collect::<Vec<_>>());
    for run in [&whole as &dyn Fn(&[u8]) -> _, &each] {
        assert_eq!(run(&line(256)).1, None);
        assert_eq!(run(&line(257)).1, Some(Reason::ChunkLineTooLong));

        // 16 bytes of extension each.
        let extended = format!("1;{}\r\na\r\n", "x".repeat(15));
        let body = format!("{}0\r\n\r\n", extended.repeat(256));
        assert_eq!(run(body.as_bytes()).1, None);
        let body = format!("{}0;x\r\n\r\n", extended.repeat(256));
        assert_eq!(
            run(body.as_bytes()).1,
            Some(Reason::ChunkExtensionsTooLarge)
        );

        let trailer = |length: usize| {
            let fill = "b".repeat(length - "A:\r\n\r\n".len());
            format!("0\r\nA:{fill}\r\n\r\n").into_bytes()
        };
        assert_eq!(run(&trailer(4096)).1, None);
        assert_eq!(run(&trailer(4097)).1, Some(Reason::TrailersTooLarge));
        let many = |count| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)).into_bytes();
        assert_eq!(run(&many(64)).1, None);
        assert_eq!(run(&many(65)).1, Some(Reason::TrailersTooLarge));
    }
}

#[test]
fn canonical_bodies_stay_where_they_are_and_data_does_not_wait() {
    let body = b"5\r\nhello\r\n1f\r\n0123456789abcdef0123456789abcde\r\n0\r\nA: b\r\n\r\n";
    let mut bytes = body.to_vec();
    let progress = Chunked::new(Keep::Framing).filter(&mut bytes).unwrap();
    assert_eq!(bytes, body);
    assert_eq!(
        progress,
        Progress {
            consumed: body.len(),
            produced: body.len(),
            done: true
        }
    );
    let mut chunked = Chunked::new(Keep::Data);
    let mut bytes = b"7fffffffffffffff;x\r\npart".to_vec();
    let progress = chunked.filter(&mut bytes).unwrap();
    assert_eq!((progress.consumed, progress.produced), (24, 4));
    assert_eq!(&bytes[..4], b"part");
    assert_eq!(chunked.data_bytes(), 4);
}

#[test]
fn the_last_size_line_is_held_back_until_the_trailers_are_sound() {
    let mut chunked = Chunked::new(Keep::Framing);
    let mut bytes = b"1\r\na\r\n0\r\nA: b\r\n".to_vec();
    let progress = chunked.filter(&mut bytes).unwrap();
    assert_eq!((progress.consumed, progress.produced), (6, 6));
    assert!(!progress.done);
}

#[test]
fn a_trailer_section_byte_by_byte_is_looked_at_once() {
    let mut section = Vec::new();
    while section.len() < 3_900 {
        section.extend_from_slice(
            b"X-Filler: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\n",
        );
    }
    section.extend_from_slice(b"\r\n");
    let mut trailers = Trailers::default();
    let mut looked_at = 0;
    for length in 0..=section.len() {
        looked_at += length - trailers.at;
        let found = trailers.find(&section[..length]).unwrap();
        assert_eq!(found.is_some(), length == section.len());
    }
    assert!(looked_at <= section.len() * 2, "{looked_at}");
}

#[test]
fn a_body_is_bounded_by_its_data_and_not_by_its_framing() {
    let body = "1;x=y\r\na\r\n02\r\nbc\r\n0\r\nT: u\r\n\r\n";
    for (most, fits) in [(3, true), (2, false), (0, false), (u64::MAX, true)] {
        let mut bytes = body.as_bytes().to_vec();
        let result = Chunked::new(Keep::Framing).bounded(most).filter(&mut bytes);
        match result {
            Ok(progress) => assert!(fits && progress.done),
            Err(reject) => {
                assert!(!fits);
                assert_eq!((reject.status, reject.reason), (413, Reason::BodyTooLarge));
            }
        }
    }
    let mut empty = *b"0\r\n\r\n";
    let progress = Chunked::new(Keep::Framing).bounded(0).filter(&mut empty);
    assert!(progress.unwrap().done);
}

#[test]
fn the_walker_is_small() {
    assert!(size_of::<Chunked>() <= 64, "{}", size_of::<Chunked>());
}
