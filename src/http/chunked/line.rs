//! Chunk-size lines: the strict reader and the canonical writer. RFC 9112 section 7.1.
//!
//! httparse's own reader of chunk sizes takes an empty size for zero, a bare LF inside an extension
//! and a NUL; each of these has let requests be smuggled, so it is not used. Called by the walker
//! over chunks alone.

use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Reason;
use crate::http::head::is_token_byte;
use crate::limits;

/// A complete size line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeLine {
    pub(super) size: u64,
    /// Of the whole line, its CRLF included.
    pub(super) length: usize,
    /// Bytes of extensions, from the first semicolon on.
    pub(super) extension: usize,
}

/// Reads the line that `bytes` begin with; `None` while it is incomplete and could still be one.
pub(super) fn read(bytes: &[u8]) -> Result<Option<SizeLine>, Reason> {
    let seen = bytes.get(..limits::CHUNK_LINE_BYTES_MAX).unwrap_or(bytes);
    match judge(seen)? {
        None if seen.len() == limits::CHUNK_LINE_BYTES_MAX => Err(Reason::ChunkLineTooLong),
        outcome => Ok(outcome),
    }
}

/// Writes the canonical line of `size` (lower case, no leading zeros) to the beginning of `space`
/// and answers its length. `space` held a line with the same size, so it is long enough.
pub(super) fn write(space: &mut [u8], size: u64) -> usize {
    let digits = (u64::BITS - size.leading_zeros()).div_ceil(4).max(1);
    let mut shift = digits * 4;
    let mut length = 0;
    let mut put = |byte: u8| {
        if let Some(slot) = space.get_mut(length) {
            *slot = byte;
            length += 1;
        }
    };
    while shift > 0 {
        shift -= 4;
        let nibble = u8::try_from((size >> shift) & 0xf).unwrap_or(0);
        put(if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + (nibble - 10)
        });
    }
    put(b'\r');
    put(b'\n');
    length
}

fn judge(seen: &[u8]) -> Result<Option<SizeLine>, Reason> {
    let mut size = 0_u64;
    let mut digits = 0;
    while let Some(digit) = seen.get(digits).and_then(|byte| hexadecimal(*byte)) {
        digits += 1;
        if digits > DIGITS_MAX {
            return Err(Reason::ChunkSizeInvalid);
        }
        size = (size << 4) | digit;
    }
    let rest = seen.get(digits..).unwrap_or_default();
    let extension = match rest {
        [] => return Ok(None),
        [b'\n', ..] => return Err(Reason::BareLf),
        _ if digits == 0 => return Err(Reason::ChunkSizeInvalid),
        [b';', ..] => match extensions(rest)? {
            Some(length) => length,
            None => return Ok(None),
        },
        _ => 0,
    };
    match rest.get(extension..).unwrap_or_default() {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(SizeLine {
            size,
            length: digits + extension + 2,
            extension,
        })),
        [b'\r', ..] => Err(Reason::BareCr),
        _ => Err(Reason::ChunkSizeInvalid),
    }
}

/// Where in `*( ";" name [ "=" ( token / quoted-string ) ] )` the walk stands.
#[derive(Clone, Copy)]
enum Part {
    /// A name must come, perhaps after blanks.
    NameStart,
    Name,
    NameBlank,
    /// A value must come, perhaps after blanks.
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuotedEnd,
    /// After a value, blanks: only another extension may follow.
    ValueBlank,
}

/// The length of the extensions that `bytes` begin with, up to the CR; `None` while incomplete.
fn extensions(bytes: &[u8]) -> Result<Option<usize>, Reason> {
    let mut part = Part::ValueBlank;
    for (index, byte) in bytes.iter().enumerate() {
        let blank = matches!(byte, b' ' | b'\t');
        let token = is_token_byte(*byte);
        part = match (part, *byte) {
            (Part::Name | Part::Value | Part::QuotedEnd, b'\r') => return Ok(Some(index)),
            (_, b'\n') if planted(Bug::LfInExtension) => part,
            (_, b'\n') => return Err(Reason::BareLf),
            (Part::NameStart | Part::Name, _) if token => Part::Name,
            (Part::ValueStart | Part::Value, _) if token => Part::Value,
            (Part::NameStart | Part::ValueStart, _) if blank => part,
            (Part::Name | Part::NameBlank, _) if blank => Part::NameBlank,
            (Part::Name | Part::NameBlank, b'=') => Part::ValueStart,
            (Part::ValueStart, b'"') => Part::Quoted,
            (Part::Quoted, b'"') => Part::QuotedEnd,
            (Part::Quoted, b'\\') => Part::Escaped,
            (Part::Quoted | Part::Escaped, b'\t' | 0x20..=0x7e) => Part::Quoted,
            (Part::Value | Part::QuotedEnd | Part::ValueBlank, _) if blank => Part::ValueBlank,
            (
                Part::Name | Part::NameBlank | Part::Value | Part::QuotedEnd | Part::ValueBlank,
                b';',
            ) => Part::NameStart,
            _ => return Err(Reason::ChunkExtensionInvalid),
        };
    }
    Ok(None)
}

const fn hexadecimal(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some((byte - b'0') as u64),
        b'a'..=b'f' => Some((byte - b'a') as u64 + 10),
        b'A'..=b'F' => Some((byte - b'A') as u64 + 10),
        _ => None,
    }
}

/// Digits of a 64-bit size.
const DIGITS_MAX: usize = 16;
