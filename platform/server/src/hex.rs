//! Bytes as lower-case hexadecimal digits.

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Two digits for each byte. Every answer to an EA carries some, so it looks digits up instead of formatting numbers.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        for byte in 0..=u8::MAX {
            assert_eq!(super::hex(&[byte, 0]), format!("{byte:02x}00"));
        }
    }
}
