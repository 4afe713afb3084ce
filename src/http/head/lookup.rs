//! Single fields by name, for heads that were judged already. Called by the admin server: a proxy
//! never asks.

/// The values of every field of that name, in order, without the blanks around them. `head` is a
/// whole one that [`super::request()`] has found sound.
pub fn fields<'a>(head: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(move |line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (found, value) = line.split_at_checked(colon)?;
        found
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_values_are_bare() {
        let head = b"GET /a:b HTTP/1.1\r\nHost: x\r\nX-A:1\r\nx-a: \t 2:3 \r\nX-AB: 4\r\n\r\n";
        let found: Vec<&[u8]> = fields(head, "X-a").collect();
        assert_eq!(found, [b"1".as_slice(), b"2:3"]);
        assert_eq!(fields(head, "GET /a").count(), 0);
    }
}
