//! `theme.toml`: what a theme says of itself.

use super::color::Color;
use serde::{Deserialize, Serialize};

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As the reader's device is set.
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Mode {
    /// Every mode, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// A stable lower-case name, as it stands in the browser's cookie.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The mode of this name, as a cookie or form says it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// The surfaces on which text of the brand's colour must be readable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surfaces {
    /// In light mode.
    pub light: Vec<Color>,
    /// In dark mode.
    pub dark: Vec<Color>,
}

/// A theme's `theme.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What a person calls it.
    pub title: String,
    /// One sentence on its looks.
    pub summary: String,
    /// The theme whose templates and CSS it builds on.
    #[serde(default)]
    pub inherits: Option<String>,
    /// Light or dark to start with.
    pub mode: Mode,
    /// Its style sheets in order; they follow those of the theme it inherits from.
    pub css: Vec<String>,
    /// Where the brand's colour stands as text.
    pub surfaces: Surfaces,
}
