//! Where the bytes are that must not stand in a head, found fast.

use crate::http::Reason;

/// The first byte below 0x20 at or after `from`. Eight bytes at a time: a borrow can only mark
/// lanes above a true hit, so the lowest mark is always true.
pub(in crate::http) fn low_byte(bytes: &[u8], from: usize) -> Option<usize> {
    let (words, rest) = bytes.get(from..)?.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let lanes = u64::from_le_bytes(*word);
        let marks = lanes.wrapping_sub(ONES * 0x20) & !lanes & (ONES * 0x80);
        if marks != 0 {
            return Some(from + index * 8 + (marks.trailing_zeros() / 8) as usize);
        }
    }
    let index = rest.iter().position(|byte| *byte < 0x20)?;
    Some(from + words.len() * 8 + index)
}

/// Why this control byte may not stand here. A CR only comes here when no LF follows it.
pub(super) const fn unwelcome(byte: u8) -> Reason {
    match byte {
        b'\n' => Reason::BareLf,
        b'\r' => Reason::BareCr,
        0 => Reason::Nul,
        _ => Reason::ControlByte,
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_byte_agrees_with_a_plain_search() {
        let mut random = crate::base::random::Random::new(1);
        for _ in 0..20_000 {
            let length = random.below(40);
            let bytes: Vec<u8> = (0..length)
                .map(|_| match random.below(12) {
                    0 => u8::try_from(random.below(0x20)).unwrap(),
                    1 => 0x20,
                    2 => 0x1f,
                    3 => 0x80,
                    _ => u8::try_from(random.below(256)).unwrap() | 0x20,
                })
                .collect();
            let from = usize::try_from(random.below(length + 2)).unwrap();
            let plain = (from..bytes.len()).find(|index| bytes[*index] < 0x20);
            assert_eq!(low_byte(&bytes, from), plain, "{bytes:?} from {from}");
        }
    }
}
