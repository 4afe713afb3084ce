//! The causes of refusal: what an operator greps for, and what tests assert instead of a status.
//!
//! A status alone proves little: a 400 may come from the wrong guard. So every guard has its own
//! reason, a stable word for logs and counters, and a sentence for people.

/// Why a message was refused. One variant per guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are not an HTTP/1.1 head at all.
    Malformed,
    /// A line feed without a carriage return before it.
    BareLf,
    /// A carriage return without a line feed after it.
    BareCr,
    /// A zero byte.
    Nul,
    /// A control byte other than HTAB.
    ControlByte,
    /// A byte above 0x7e where only ASCII has a meaning.
    NonAscii,
    /// More empty lines before the message than tolerated.
    LeadingBlankLines,
    /// Not three words with one space between them.
    RequestLineInvalid,
    /// The method is not a token.
    MethodInvalid,
    /// The method is longer than any known one.
    MethodTooLong,
    /// The target has a form or a byte that is not allowed.
    BadTarget,
    /// The target names another host than the Host field.
    TargetNotHost,
    /// The last word of the request line is no version.
    VersionInvalid,
    /// A version other than 1.0 and 1.1.
    VersionUnsupported,
    /// A client that speaks HTTP/2 without being asked to.
    Http2Preface,
    /// A request line without a version.
    Http09,
    /// The status line is malformed or its code is outside 100 to 599.
    StatusInvalid,
    /// The request line is over its limit.
    LineTooLong,
    /// The head is over its limit.
    HeadTooLarge,
    /// More fields than allowed.
    TooManyHeaders,
    /// Fields to be removed are scattered over more places than a head needs.
    TooManyHopFields,
    /// The body is over its limit.
    BodyTooLarge,
    /// A field line that begins with whitespace.
    ObsFold,
    /// Whitespace between a field's name and its colon.
    SpaceBeforeColon,
    /// A field without a name.
    EmptyName,
    /// A field name that is not a token, or a line without a colon.
    NameInvalid,
    /// A protected name spelled with underscores, which CGI would take for it.
    UnderscoreName,
    /// HTTP/1.1 without a Host field.
    HostMissing,
    /// More than one Host field.
    HostDuplicate,
    /// The Host value is no host with an optional port.
    HostInvalid,
    /// Content-Length is not one plain decimal number.
    LengthInvalid,
    /// More than one Content-Length field, equal or not.
    LengthDuplicate,
    /// Content-Length next to Transfer-Encoding.
    LengthWithCoding,
    /// A well-formed transfer coding other than chunked.
    CodingUnknown,
    /// Transfer-Encoding that is not a list of codings with chunked last.
    CodingMalformed,
    /// Transfer-Encoding in HTTP/1.0, which has none.
    CodingInHttp10,
    /// Connection is not a list of at most a few tokens.
    ConnectionInvalid,
    /// Connection names a field that must not be removed.
    ConnectionNamesProtected,
    /// Expect is not exactly one 100-continue in HTTP/1.1.
    ExpectUnknown,
    /// CONNECT: this is no forward proxy.
    ConnectRefused,
    /// Not 1 to 16 hexadecimal digits, or too large in sum.
    ChunkSizeInvalid,
    /// A chunk-size line over its limit.
    ChunkLineTooLong,
    /// A chunk extension outside the grammar.
    ChunkExtensionInvalid,
    /// More extension bytes in one message than allowed.
    ChunkExtensionsTooLarge,
    /// Chunk data not followed by CRLF.
    ChunkDataUnterminated,
    /// A trailer line that is no field.
    TrailerInvalid,
    /// A trailer field that may only stand in a head.
    TrailerForbidden,
    /// A trailer section over its limits.
    TrailersTooLarge,
}

impl Reason {
    /// How many reasons there are, for arrays of counters indexed by `reason as usize`.
    pub const COUNT: usize = ROWS.len();

    /// All of them, in order of declaration.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.reason)
    }

    /// The status that a request refused for this reason is answered with. (A response refused
    /// for it is a 502, see [`super::Kind::reject`].)
    #[must_use]
    pub const fn status(self) -> u16 {
        ROWS[self as usize].status
    }

    /// The stable word for logs, counters and tests: `snake_case`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        ROWS[self as usize].code
    }

    /// One short sentence without a full stop.
    #[must_use]
    pub const fn why(self) -> &'static str {
        ROWS[self as usize].why
    }
}

struct Row {
    reason: Reason,
    status: u16,
    code: &'static str,
    why: &'static str,
}

const fn row(reason: Reason, status: u16, code: &'static str, why: &'static str) -> Row {
    Row {
        reason,
        status,
        code,
        why,
    }
}

#[rustfmt::skip]
const ROWS: [Row; 48] = [
    row(Reason::Malformed, 400, "malformed", "the head is not HTTP/1.1"),
    row(Reason::BareLf, 400, "bare_lf", "a line ended in LF without CR"),
    row(Reason::BareCr, 400, "bare_cr", "a CR was not followed by LF"),
    row(Reason::Nul, 400, "nul", "a NUL byte in the head"),
    row(Reason::ControlByte, 400, "control_byte", "a control byte in the head"),
    row(Reason::NonAscii, 400, "non_ascii", "a byte beyond ASCII in a control field"),
    row(Reason::LeadingBlankLines, 400, "leading_blank_lines", "empty lines before the start line"),
    row(Reason::RequestLineInvalid, 400, "request_line_invalid",
        "the request line is not method, target and version"),
    row(Reason::MethodInvalid, 400, "method_invalid", "the method is not a token"),
    row(Reason::MethodTooLong, 400, "method_too_long", "the method is too long"),
    row(Reason::BadTarget, 400, "bad_target", "the request target is malformed"),
    row(Reason::TargetNotHost, 400, "target_not_host", "the target's authority differs from Host"),
    row(Reason::VersionInvalid, 400, "version_invalid", "the HTTP version is malformed"),
    row(Reason::VersionUnsupported, 505, "version_unsupported",
        "only HTTP/1.0 and HTTP/1.1 are spoken"),
    row(Reason::Http2Preface, 505, "http2_preface", "HTTP/2 is not spoken here"),
    row(Reason::Http09, 400, "http09", "HTTP/0.9 is not spoken"),
    row(Reason::StatusInvalid, 400, "status_invalid", "the status line is malformed"),
    row(Reason::LineTooLong, 414, "line_too_long", "the request line is too long"),
    row(Reason::HeadTooLarge, 431, "head_too_large", "the head is too large"),
    row(Reason::TooManyHeaders, 431, "too_many_headers", "too many fields in the head"),
    row(Reason::TooManyHopFields, 431, "too_many_hop_fields", "too many fields for this hop alone"),
    row(Reason::BodyTooLarge, 413, "body_too_large", "the body is too large"),
    row(Reason::ObsFold, 400, "obs_fold", "a folded or indented field line"),
    row(Reason::SpaceBeforeColon, 400, "space_before_colon", "whitespace before a field's colon"),
    row(Reason::EmptyName, 400, "empty_name", "a field without a name"),
    row(Reason::NameInvalid, 400, "name_invalid", "a field name is not a token"),
    row(Reason::UnderscoreName, 400, "underscore_name", "a protected field name with underscores"),
    row(Reason::HostMissing, 400, "host_missing", "the Host field is missing"),
    row(Reason::HostDuplicate, 400, "host_duplicate", "more than one Host field"),
    row(Reason::HostInvalid, 400, "host_invalid", "the Host field is malformed"),
    row(Reason::LengthInvalid, 400, "length_invalid", "Content-Length is not a plain number"),
    row(Reason::LengthDuplicate, 400, "length_duplicate", "more than one Content-Length field"),
    row(Reason::LengthWithCoding, 400, "length_with_coding",
        "both Content-Length and Transfer-Encoding"),
    row(Reason::CodingUnknown, 501, "coding_unknown", "a transfer coding other than chunked"),
    row(Reason::CodingMalformed, 400, "coding_malformed", "Transfer-Encoding is malformed"),
    row(Reason::CodingInHttp10, 400, "coding_in_http10", "Transfer-Encoding in HTTP/1.0"),
    row(Reason::ConnectionInvalid, 400, "connection_invalid", "Connection is not a list of tokens"),
    row(Reason::ConnectionNamesProtected, 400, "connection_names_protected",
        "Connection names a protected field"),
    row(Reason::ExpectUnknown, 417, "expect_unknown", "only 100-continue can be expected"),
    row(Reason::ConnectRefused, 405, "connect_refused", "CONNECT is not allowed"),
    row(Reason::ChunkSizeInvalid, 400, "chunk_size_invalid",
        "a chunk size is malformed or too large"),
    row(Reason::ChunkLineTooLong, 400, "chunk_line_too_long", "a chunk-size line is too long"),
    row(Reason::ChunkExtensionInvalid, 400, "chunk_extension_invalid",
        "a chunk extension is malformed"),
    row(Reason::ChunkExtensionsTooLarge, 400, "chunk_extensions_too_large",
        "too many bytes of chunk extensions"),
    row(Reason::ChunkDataUnterminated, 400, "chunk_data_unterminated",
        "chunk data does not end in CRLF"),
    row(Reason::TrailerInvalid, 400, "trailer_invalid", "a trailer field is malformed"),
    row(Reason::TrailerForbidden, 400, "trailer_forbidden",
        "a field that is not allowed as a trailer"),
    row(Reason::TrailersTooLarge, 400, "trailers_too_large", "the trailer section is too large"),
];

// The table is indexed by the variant, so its order is the order of declaration, and it is whole.
const _: () = {
    let mut index = 0;
    while index < ROWS.len() {
        assert!(ROWS[index].reason as usize == index);
        index += 1;
    }
    assert!(Reason::TrailersTooLarge as usize + 1 == ROWS.len());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_words_and_statuses_are_known() {
        let mut codes: Vec<&str> = Reason::all().map(Reason::code).collect();
        let word = |code: &&str| code.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
        assert!(codes.iter().all(word));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::COUNT);
        let known = [400, 405, 413, 414, 417, 431, 501, 505];
        assert!(Reason::all().all(|reason| known.contains(&reason.status())));
        assert!(Reason::all().all(|reason| !reason.why().ends_with('.')));
    }
}
