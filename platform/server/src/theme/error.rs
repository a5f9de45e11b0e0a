//! What can be wrong with a theme.

/// One fault of a theme, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what} {remedy}")]
pub struct Fault {
    /// The file, from `themes/` on.
    pub file: String,
    /// What is wrong: a sentence.
    pub what: String,
    /// What to do: a sentence.
    pub remedy: String,
}

impl Fault {
    /// A fault in a file.
    pub fn new(file: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}

/// Why themes did not load or a page did not render.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// Themes that cannot be used. The first fault is shown; all are there.
    #[error("the themes cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Broken(Vec<Fault>),
    /// A theme that is not there.
    #[error("there is no theme {name:?}; choose one of: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A template that met a value it did not expect.
    #[error("the page {template:?} of the theme {theme:?} did not render; run the theme check to see why")]
    Render {
        /// Which theme.
        theme: String,
        /// Which page or fragment.
        template: &'static str,
        /// What happened.
        #[source]
        source: Box<handlebars::RenderError>,
    },
}
