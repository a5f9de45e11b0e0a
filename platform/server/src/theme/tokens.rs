//! The few things that a tenant may say about its looks, and the style sheet they become.
//!
//! A tenant never writes CSS here: every token is a closed type, so nothing it says can leave its
//! declaration. Names and logo text are not tokens; templates escape those.

use super::{
    color::Color,
    manifest::{Mode, Surfaces},
};
use core::fmt::Write;
use serde::{Deserialize, Serialize};

/// The radius of cards in pixels, 0 to 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Radius(u8);

/// A radius that no card has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a radius is 0 to 24 pixels")]
pub struct RadiusTooLarge;

impl TryFrom<u8> for Radius {
    type Error = RadiusTooLarge;
    fn try_from(pixels: u8) -> Result<Self, RadiusTooLarge> {
        if pixels <= 24 { Ok(Self(pixels)) } else { Err(RadiusTooLarge) }
    }
}

impl From<Radius> for u8 {
    fn from(radius: Radius) -> Self {
        radius.0
    }
}

/// A typeface that the platform serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Font {
    /// Inter.
    Inter,
    /// IBM Plex Sans.
    Plex,
    /// Whatever the reader's device uses.
    System,
}

impl Font {
    const fn stack(self) -> &'static str {
        match self {
            Self::Inter => r#""Inter Variable", system-ui, sans-serif"#,
            Self::Plex => r#""IBM Plex Sans Variable", system-ui, sans-serif"#,
            Self::System => "system-ui, sans-serif",
        }
    }
}

/// What a tenant says about its looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// The one colour of the brand.
    pub accent: Color,
    /// The radius of cards; the theme's own when it is not said.
    #[serde(default)]
    pub radius: Option<Radius>,
    /// The typeface of text; the theme's own when it is not said.
    #[serde(default)]
    pub font: Option<Font>,
    /// Light or dark to start with; the theme's own when it is not said.
    #[serde(default)]
    pub mode: Option<Mode>,
}

impl Tokens {
    /// The custom properties that a theme's CSS reads. `--accent` is as the tenant gave it and
    /// `--on-accent` reads on it; `--accent-ink` is the shade that reads as text on the theme's surfaces.
    #[must_use]
    pub fn to_css(&self, surfaces: &Surfaces) -> String {
        let on_accent = self.accent.text_on();
        // Away from the text on it, so that hovering never costs contrast.
        let away = if on_accent == Color::WHITE { Color::BLACK } else { Color::WHITE };
        let strong = self.accent.mix(away, 14);
        let (light, dark) = (self.accent.readable_on(&surfaces.light), self.accent.readable_on(&surfaces.dark));
        let mut css = format!(
            ":root{{--accent:{};--accent-strong:{strong};--on-accent:{on_accent};--accent-ink:light-dark({light},{dark});",
            self.accent
        );
        // Writing to a String cannot fail.
        if let Some(Radius(pixels)) = self.radius {
            let _ = write!(css, "--radius:{pixels}px;");
        }
        if let Some(font) = self.font {
            let _ = write!(css, "--font-body:{};", font.stack());
        }
        css.push_str("}\n");
        css
    }

    /// The brand's sign: its initial on its colour, as an SVG image for the browser's tab.
    #[must_use]
    pub fn favicon(&self, name: &str) -> String {
        let initial: String = name.chars().find(|c| c.is_alphanumeric()).map_or_else(String::new, |c| {
            // Letters and digits need no escaping in XML.
            c.to_uppercase().collect()
        });
        let (fill, text) = (self.accent, self.accent.text_on());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" \
             fill=\"{fill}\"/><text x=\"16\" y=\"22.5\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" \
             font-size=\"19\" font-weight=\"700\" fill=\"{text}\">{initial}</text></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surfaces() -> Surfaces {
        Surfaces { light: vec![Color::WHITE], dark: vec![Color::BLACK] }
    }

    #[test]
    fn a_brand_becomes_a_style_sheet() {
        let tokens: Tokens = toml::from_str("accent = '#ffb224'\nradius = 4\nfont = 'plex'").unwrap();
        insta::assert_snapshot!(tokens.to_css(&surfaces()), @r#":root{--accent:#ffb224;--accent-strong:#ffbd43;--on-accent:#000000;--accent-ink:light-dark(#9c6d16,#ffb224);--radius:4px;--font-body:"IBM Plex Sans Variable", system-ui, sans-serif;}"#);
    }

    #[test]
    fn tokens_are_closed_types() {
        for bad in [
            "accent = 'red; } body { display: none'",
            "accent = '#12345'",
            "accent = '#123456'\nradius = 25",
            "accent = '#123456'\nradius = '4px'",
            "accent = '#123456'\nfont = 'Comic Sans'",
            "accent = '#123456'\ncss = '*{}'",
            "radius = 4",
        ] {
            assert!(toml::from_str::<Tokens>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hostile_name_has_no_markup_in_its_icon() {
        let tokens: Tokens = toml::from_str("accent = '#123456'").unwrap();
        let icon = tokens.favicon("<script>&\"");
        assert!(icon.contains(">S</text>") && !icon.contains("<script"));
        assert!(tokens.favicon("&&&").contains("></text>"));
    }
}
