//! That nothing shown becomes markup, and that the browser runs what stands in the page and
//! nothing else.

use super::*;
use crate::admin::report::State;
use crate::admin::report::fixture;

fn report(name: &str) -> Report {
    let backend = Backend {
        state: State::Down,
        reason: name.to_owned(),
        requests: 1_042,
        ..fixture::backend(name, &format!("http://{name}"))
    };
    let mut report = fixture::report(vec![fixture::pool(name, vec![backend])]);
    report.process.uptime = Span::seconds(61);
    report
}

fn rendered(answer: &Answer) -> String {
    let mut bytes = Vec::new();
    answer.write(&mut bytes, true, false);
    String::from_utf8(bytes).unwrap()
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(begin).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn nothing_that_is_shown_becomes_markup() {
    let name = "<!--changes--><script>alert('1')</script>\"&x";
    let changes = [StateChange {
        since: 0,
        pool: name.to_owned(),
        id: name.to_owned(),
        url: name.to_owned(),
        state: State::Down,
        reason: name.to_owned(),
    }];
    let text = rendered(&page(Some((&report(name), &changes))));
    assert_eq!(text.matches("<script").count(), 1);
    assert!(!text.contains("alert('1')") && !text.contains("\"\"&x"));
    let safe = "&lt;!--changes--&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;x";
    // Twice the pool; twice the id, its URL and its reason; the id and the reason of the change.
    assert_eq!(text.matches(safe).count(), 8);
    assert!(text.contains(">1042<") && text.contains("61s"));
}

#[test]
fn without_the_token_there_is_a_page_and_nothing_in_it() {
    let text = rendered(&page(None));
    assert!(text.contains("A token is needed") && !text.contains("data-state=\"up\""));
    assert!(!text.contains("<!--"), "every place is filled");
}

#[test]
fn the_page_is_small_and_asks_nobody_else_for_anything() {
    assert!(DASHBOARD.len() < 60_000, "{} bytes", DASHBOARD.len());
    let outside = DASHBOARD.replace("http://www.w3.org/2000/svg", "");
    for word in [
        "http://", "https://", "//cdn", "@import", "url(", "style=\"", " onclick",
    ] {
        assert!(!outside.contains(word), "{word}");
    }
}

#[test]
fn the_digests_are_those_of_the_script_and_the_style() {
    for (begin, end, known) in [
        ("<script>", "</script>", SCRIPT_DIGEST),
        ("<style>", "</style>", STYLE_DIGEST),
    ] {
        assert_eq!(DASHBOARD.matches(begin).count(), 1);
        let digest = sha256(between(DASHBOARD, begin, end).as_bytes());
        let expected = format!("sha256-{}", base64(&digest));
        assert_eq!(known, expected, "write the one on the right into page.rs");
    }
    let text = rendered(&page(None));
    let policy = between(&text, "Content-Security-Policy: ", "\r\n");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"));
}

#[test]
fn the_digest_is_that_of_fips_180() {
    let of = |text: &str| base64(&sha256(text.as_bytes()));
    assert_eq!(of(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_eq!(of("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

/// FIPS 180-4, with the constants computed from their definition: the first 32 bits of the
/// fractional parts of square and cube roots of primes.
fn sha256(message: &[u8]) -> [u8; 32] {
    let primes: Vec<u32> = (2..312_u32)
        .filter(|n| (2..*n).all(|d| n % d != 0))
        .collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 0 and less than 2 to the 32"
    )]
    let fraction = |root: f64| ((root - root.floor()) * 4_294_967_296.0) as u32;
    let mut hash: Vec<u32> = primes[..8]
        .iter()
        .map(|p| fraction(f64::from(*p).sqrt()))
        .collect();
    let keys: Vec<u32> = primes[..64]
        .iter()
        .map(|p| fraction(f64::from(*p).cbrt()))
        .collect();
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut w: Vec<u32> = block
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect();
        for at in 16..64 {
            let (a, b) = (w[at - 15], w[at - 2]);
            let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            let sum = w[at - 16].wrapping_add(low).wrapping_add(w[at - 7]);
            w.push(sum.wrapping_add(high));
        }
        let mut v = hash.clone();
        for at in 0..64 {
            let (e, a) = (v[4], v[0]);
            let ones = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & v[5]) ^ (!e & v[6]);
            let first = v[7].wrapping_add(ones).wrapping_add(choice);
            let first = first.wrapping_add(keys[at]).wrapping_add(w[at]);
            let zeros = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(first);
            v[0] = first.wrapping_add(zeros).wrapping_add(majority);
        }
        for (sum, more) in hash.iter_mut().zip(v) {
            *sum = sum.wrapping_add(more);
        }
    }
    let bytes: Vec<u8> = hash.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.try_into().unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() {
                letter as char
            } else {
                '='
            });
        }
    }
    text
}
