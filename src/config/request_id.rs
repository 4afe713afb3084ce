//! Which field may carry the id of a request. Called by the reader of the file.

use crate::limits;

/// Whether a field of that name, in small letters, may be taken from clients and set for backends.
///
/// # Errors
/// What to write instead: for what is no name, and for names that mean something else. Underscores
/// are none: they are dropped or taken for hyphens on the way.
pub fn check(name: &str) -> Result<(), String> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || name.len() > limits::REQUEST_ID_NAME_BYTES_MAX || !name.bytes().all(fine)
    {
        let most = limits::REQUEST_ID_NAME_BYTES_MAX;
        return Err(format!(
            "not the name of a field; write up to {most} letters, digits and -, or off"
        ));
    }
    if name.starts_with(FORWARDED) || TAKEN.contains(&name) {
        return Err(format!(
            "{name} has a meaning of its own; write another name, like x-request-id"
        ));
    }
    Ok(())
}

/// Every name that begins like this says who asked.
const FORWARDED: &str = "x-forwarded-";

/// Framing, what is for one hop, who asked, and what else a message stands or falls with.
const TAKEN: &[&str] = &[
    "accept",
    "accept-encoding",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "retry-after",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-real-ip",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_nothing_else_are_free() {
        for name in ["x-request-id", "x-correlation-id", "trace", "request-id2"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&"a".repeat(64)), Ok(()));
    }

    #[test]
    fn others_are_refused() {
        let long = "a".repeat(65);
        for name in ["", "x y", "x_y", "x:", "ü", "a\r\n", &long] {
            assert!(check(name).unwrap_err().contains("not the name"), "{name}");
        }
        for name in [
            "host",
            "connection",
            "x-forwarded-for",
            "x-forwarded-",
            "te",
        ] {
            assert!(check(name).unwrap_err().contains("a meaning"), "{name}");
        }
    }
}
