//! Bytes as lower-case hexadecimal digits.

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Two digits for each byte. Every answer to an EA carries some, so it looks digits up instead of formatting numbers.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut text = vec![0; bytes.len() * 2];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
    // Digits are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(super::hex(&[byte, 0]), format!("{byte:02x}00"));
        }
        assert_eq!(super::hex(&[]), "");
    }
}
