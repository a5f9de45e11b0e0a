//! Colours: parsed strictly, compared by the contrast formula of WCAG 2.2.
//!
//! <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// Contrast that WCAG asks of text (level AA).
pub const AA_TEXT: f64 = 4.5;

/// An opaque sRGB colour, written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

/// Text that is not a colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a colour: write # and six hexadecimal digits, such as #2f4bd6")]
pub struct NotAColor;

impl Color {
    /// Paper.
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };
    /// No light.
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0 };

    /// Relative luminance, 0 (black) to 1 (white).
    #[must_use]
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Contrast with another colour, 1 (equal) to 21 (black on white).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// This colour with `percent` of `other` mixed in.
    #[must_use]
    pub fn mix(self, other: Self, percent: u8) -> Self {
        let percent = u32::from(percent.min(100));
        let channel = |from: u8, to: u8| {
            let sum = u32::from(from) * (100 - percent) + u32::from(to) * percent;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Self {
            red: channel(self.red, other.red),
            green: channel(self.green, other.green),
            blue: channel(self.blue, other.blue),
        }
    }

    /// The colour of text on a fill of this colour: white where it reads well, else black. One of the two
    /// always reaches [`AA_TEXT`], because the geometric mean of their contrasts is √21 ≈ 4.58.
    #[must_use]
    pub fn text_on(self) -> Self {
        if Self::WHITE.contrast(self) >= AA_TEXT { Self::WHITE } else { Self::BLACK }
    }

    /// The nearest shade of this colour that reads as text on every one of `surfaces`: darker on light
    /// surfaces, lighter on dark ones.
    #[must_use]
    pub fn readable_on(self, surfaces: &[Self]) -> Self {
        let light = surfaces.iter().all(|surface| surface.text_on() == Self::BLACK);
        let end = if light { Self::BLACK } else { Self::WHITE };
        (0..=100)
            .map(|percent| self.mix(end, percent))
            .find(|shade| surfaces.iter().all(|surface| shade.contrast(*surface) >= AA_TEXT))
            .unwrap_or(end)
    }
}

impl FromStr for Color {
    type Err = NotAColor;
    fn from_str(text: &str) -> Result<Self, NotAColor> {
        let digits = text.strip_prefix('#').ok_or(NotAColor)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotAColor);
        }
        let value = u32::from_str_radix(digits, 16).map_err(|_| NotAColor)?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self { red, green, blue })
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl TryFrom<String> for Color {
    type Error = NotAColor;
    fn try_from(text: String) -> Result<Self, NotAColor> {
        text.parse()
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_six_digits_are_a_colour() {
        assert_eq!("#2F4bd6".parse::<Color>().unwrap().to_string(), "#2f4bd6");
        for bad in ["", "#", "#fff", "red", "2f4bd6", "#2f4bd6;", "#2f4bd6}", "#+f4bd6", "#2f4bdé", "url(x)"] {
            assert_eq!(bad.parse::<Color>(), Err(NotAColor), "{bad}");
        }
    }

    #[test]
    fn contrast_is_the_published_one() {
        // The usual reference pairs of contrast checkers.
        let grey: Color = "#767676".parse().unwrap();
        assert!((Color::WHITE.contrast(Color::BLACK) - 21.0).abs() < 1e-9);
        assert!((Color::WHITE.contrast(grey) - 4.54).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn any_accent_can_be_read(red: u8, green: u8, blue: u8) {
            let accent = Color { red, green, blue };
            prop_assert!(accent.text_on().contrast(accent) >= AA_TEXT);
            for surfaces in [["#ffffff", "#f2f4f8"], ["#0b0e11", "#1a2129"]] {
                let surfaces = surfaces.map(|s| s.parse::<Color>().unwrap());
                let text = accent.readable_on(&surfaces);
                prop_assert!(surfaces.iter().all(|s| text.contrast(*s) >= AA_TEXT), "{accent} {text}");
            }
        }

        #[test]
        fn any_text_is_an_answer(text in ".{0,12}") {
            if let Ok(color) = text.parse::<Color>() {
                prop_assert_eq!(color.to_string(), text.to_ascii_lowercase());
            }
        }
    }
}
