//! Themes: folders of Handlebars templates and CSS that turn view models into pages.
//!
//! This module owns how pages look: templates, style sheets, scripts, the brand's colours. It knows no
//! tenant, no request and no database; a page's words and numbers arrive ready in its view model
//! ([`crate::portal::view`]), and templates only place them.
//!
//! A theme is a folder with a `theme.toml`. It inherits every template and style sheet of its parent, replaces
//! templates by name and adds CSS after the parent's. Every value in a template is escaped: `{{{` and `{{&` are
//! faults that [`Themes::check`] finds, as are inline scripts and styles, which the pages' policy forbids.

pub mod assets;
mod check;
pub mod color;
mod error;
mod load;
pub mod manifest;
pub mod tokens;
mod wait;

pub use assets::{Asset, Assets, Files};
pub use error::{Fault, ThemeError};
pub use manifest::{Manifest, Mode};
pub use tokens::Tokens;

use crate::{
    mail::MailKind,
    portal::view::{Fragment, Page, Shell, sample::Sample},
};
use handlebars::Handlebars;
use serde::Serialize;
use std::collections::BTreeMap;

/// `Content-Security-Policy` of every page.
pub const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";
/// `Content-Security-Policy` of the API's documentation, whose viewer styles its elements one by one.
pub const API_DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All themes, compiled.
#[derive(Debug)]
pub struct Themes {
    themes: BTreeMap<String, Theme>,
    assets: Assets,
}

/// One theme with all it inherits.
#[derive(Debug)]
struct Theme {
    manifest: Manifest,
    registry: Handlebars<'static>,
}

/// What a page's template sees: the shell around every page, the page, the theme.
#[derive(Serialize)]
struct Scene<'a, P> {
    shell: &'a Shell,
    page: &'a P,
    theme: &'a str,
    mode: &'static str,
    template: &'static str,
}

impl Themes {
    /// Loads the themes that come with the program.
    ///
    /// # Errors
    /// [`ThemeError::Broken`] with every fault that keeps a template from compiling.
    pub fn load() -> Result<Self, ThemeError> {
        Self::from_files(&assets::embedded())
    }

    /// Loads themes from files whose paths start with the theme's name; third-party files stand under
    /// [`assets::VENDOR`].
    ///
    /// # Errors
    /// [`ThemeError::Broken`] with every fault that keeps a template from compiling.
    pub fn from_files(files: &Files) -> Result<Self, ThemeError> {
        let (themes, assets) = load::compile(files).map_err(ThemeError::Broken)?;
        Ok(Self { themes, assets })
    }

    /// The names of the themes that a tenant may choose, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.themes.iter().filter(|(_, theme)| theme.manifest.inherits.is_some()).map(|(name, _)| name.as_str())
    }

    /// Renders a page.
    ///
    /// # Errors
    /// [`ThemeError::Unknown`] and [`ThemeError::Render`].
    pub fn render<P: Page>(&self, theme: &str, shell: &Shell, page: &P) -> Result<String, ThemeError> {
        let found = self.theme(theme)?;
        let mode = shell.mode.unwrap_or(found.manifest.mode).name();
        let scene = Scene { shell, page, theme, mode, template: P::TEMPLATE };
        found.render(theme, P::TEMPLATE, &scene)
    }

    /// Renders a part of a page, as the live stream sends it.
    ///
    /// # Errors
    /// [`ThemeError::Unknown`] and [`ThemeError::Render`].
    pub fn fragment<F: Fragment>(&self, theme: &str, fragment: &F) -> Result<String, ThemeError> {
        self.theme(theme)?.render(theme, F::TEMPLATE, fragment)
    }

    /// Renders the markup of a mail.
    ///
    /// # Errors
    /// [`ThemeError::Unknown`] and [`ThemeError::Render`].
    pub fn mail<V: Serialize>(&self, theme: &str, kind: MailKind, view: &V) -> Result<String, ThemeError> {
        self.theme(theme)?.render(theme, kind.template(), view)
    }

    /// Renders a page of sample data.
    ///
    /// # Errors
    /// As [`Themes::render`].
    pub fn render_sample(&self, theme: &str, sample: &Sample) -> Result<String, ThemeError> {
        let found = self.theme(theme)?;
        let Some(shell) = &sample.shell else { return found.render(theme, sample.template, &sample.page) };
        let mode = shell.mode.unwrap_or(found.manifest.mode).name();
        let scene = Scene { shell, page: &sample.page, theme, mode, template: sample.template };
        found.render(theme, sample.template, &scene)
    }

    /// The brand's style sheet and the hash that its URL should carry: `/brand.css?v=<hash>`.
    ///
    /// # Errors
    /// [`ThemeError::Unknown`].
    pub fn brand_css(&self, theme: &str, tokens: &Tokens) -> Result<(String, String), ThemeError> {
        let css = tokens.to_css(&self.theme(theme)?.manifest.surfaces);
        let hash = assets::short_hash(css.as_bytes());
        Ok((css, hash))
    }

    /// The asset that `/assets/<hash>/<path>` names, and whether it may be kept for ever: it may not when
    /// the URL was made for another version of the file.
    #[must_use]
    pub fn asset(&self, hash: &str, path: &str) -> Option<(&Asset, bool)> {
        self.assets.find(hash, path)
    }

    /// All assets.
    #[must_use]
    pub const fn assets(&self) -> &Assets {
        &self.assets
    }

    /// Every fault of these themes: names that do not exist, markup that the pages' policy forbids, and pages
    /// that do not render with sample data.
    #[must_use]
    pub fn check(&self, files: &Files) -> Vec<Fault> {
        check::check(self, files)
    }

    fn theme(&self, name: &str) -> Result<&Theme, ThemeError> {
        self.themes.get(name).ok_or_else(|| ThemeError::Unknown {
            name: name.to_owned(),
            known: self.names().collect::<Vec<_>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests;

impl Theme {
    fn render<V: Serialize>(&self, theme: &str, template: &'static str, view: &V) -> Result<String, ThemeError> {
        self.registry.render(template, view).map_err(|source| ThemeError::Render {
            theme: theme.to_owned(),
            template,
            source: Box::new(source),
        })
    }
}
