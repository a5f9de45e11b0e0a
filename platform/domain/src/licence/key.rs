//! Licence keys as people read and type them: 24 random characters and one that checks them.

use core::{fmt, str::FromStr};

/// Crockford's base 32; <https://www.crockford.com/base32.html>.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a key.
const WIDTH: usize = 25;

/// A licence key in its canonical form. It opens what its licence opens: it is shown only when somebody asks for it.
#[derive(Clone, PartialEq, Eq)]
pub struct LicenceKey([u8; WIDTH]);

/// Why a text is no licence key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not 25 characters.
    #[error("a licence key has 25 characters")]
    Length,
    /// A character that no key has.
    #[error("a licence key has only digits and letters other than U")]
    Character,
    /// The last character does not fit the others.
    #[error("the licence key is mistyped")]
    Mistyped,
}

impl LicenceKey {
    /// A new key of 120 random bits.
    #[must_use]
    pub fn of_random(random: [u8; 15]) -> Self {
        let mut key = [b'0'; WIDTH];
        let bit = |at: usize| random.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        for (at, slot) in key.iter_mut().take(WIDTH - 1).enumerate() {
            let symbol = (0..5).fold(0, |symbol, offset| symbol << 1 | usize::from(bit(at * 5 + offset)));
            *slot = ALPHABET[symbol];
        }
        key[WIDTH - 1] = check(&key[..WIDTH - 1]);
        Self(key)
    }

    /// The 25 characters that keys are derived from.
    #[must_use]
    pub fn canonical(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As people read it: five groups of five.
    #[must_use]
    pub fn shown(&self) -> String {
        let groups: Vec<&str> = self.0.chunks(5).map(|group| core::str::from_utf8(group).unwrap_or_default()).collect();
        groups.join("-")
    }
}

/// The key itself stays out of logs.
impl fmt::Debug for LicenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LicenceKey")
    }
}

impl FromStr for LicenceKey {
    type Err = KeyFault;

    /// Takes small letters, spaces and hyphens, O for 0, and I and L for 1.
    fn from_str(typed: &str) -> Result<Self, KeyFault> {
        let read = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let text: Vec<char> = typed.chars().filter(|c| *c != '-' && !c.is_whitespace()).map(read).collect();
        if text.len() != WIDTH {
            return Err(KeyFault::Length);
        }
        let mut key = [b'0'; WIDTH];
        for (slot, character) in key.iter_mut().zip(text) {
            let byte = u8::try_from(character).map_err(|_| KeyFault::Character)?;
            *slot = if ALPHABET.contains(&byte) { byte } else { return Err(KeyFault::Character) };
        }
        if check(&key[..WIDTH - 1]) == key[WIDTH - 1] { Ok(Self(key)) } else { Err(KeyFault::Mistyped) }
    }
}

/// Luhn's sum over 32 symbols: finds each wrong character and nearly all pairs that changed places.
fn check(body: &[u8]) -> u8 {
    let symbol = |byte: &u8| ALPHABET.iter().position(|c| c == byte).unwrap_or(0);
    let total = body.iter().rev().enumerate().fold(0, |total, (at, byte)| {
        let product = symbol(byte) * if at % 2 == 0 { 2 } else { 1 };
        total + product / 32 + product % 32
    });
    ALPHABET[(32 - total % 32) % 32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_is_read_as_it_is_shown(random: [u8; 15]) {
            let key = LicenceKey::of_random(random);
            prop_assert_eq!(&key.shown().parse::<LicenceKey>().unwrap(), &key);
            let typed = key.shown().to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(typed.parse::<LicenceKey>().unwrap(), key);
        }

        #[test]
        fn every_wrong_character_is_found(random: [u8; 15], at in 0..25_usize, by in 1..32_usize) {
            let mut key = LicenceKey::of_random(random).0;
            let symbol = ALPHABET.iter().position(|c| *c == key[at]).unwrap();
            key[at] = ALPHABET[(symbol + by) % 32];
            let text = core::str::from_utf8(&key).unwrap().to_owned();
            prop_assert_eq!(text.parse::<LicenceKey>(), Err(KeyFault::Mistyped));
        }
    }

    #[test]
    fn random_bits_are_all_used() {
        assert_eq!(LicenceKey::of_random([0xff; 15]).canonical()[..24], *"Z".repeat(24));
        assert_ne!(
            LicenceKey::of_random([0; 15]),
            LicenceKey::of_random([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        );
    }

    #[test]
    fn logs_do_not_show_it() {
        assert_eq!(format!("{:?}", LicenceKey::of_random([7; 15])), "LicenceKey");
    }
}
