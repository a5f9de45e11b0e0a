//! Mistakes in tenant files, as a person reads them.

use core::{fmt, ops::Range};
use std::path::{Path, PathBuf};

/// One mistake: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which file.
    pub file: PathBuf,
    /// Line and column, counted from one; none when it concerns the file as a whole.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// Every mistake that was found. While there is one, nothing is applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A place of a file: the file, line and column.
pub type Place = (PathBuf, usize, usize);

/// Collects the mistakes of one file.
pub(super) struct Notes<'a> {
    file: &'a Path,
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl<'a> Notes<'a> {
    pub(super) const fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, mistakes: Vec::new() }
    }

    /// Notes a mistake at a place of the file.
    pub(super) fn at(&mut self, span: Range<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        let at = Some(position(self.text, span.start));
        self.mistakes.push(Mistake { file: self.file.to_owned(), at, what: what.into(), remedy: remedy.into() });
    }

    /// A place of the file.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let (line, column) = position(self.text, span.start);
        (self.file.to_owned(), line, column)
    }

    /// Answers `value` when nothing is wrong.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Result<T, Mistakes> {
        self.mistakes.sort_by_key(|m| m.at);
        match value {
            Some(value) if self.mistakes.is_empty() => Ok(value),
            _ => Err(Mistakes(self.mistakes)),
        }
    }
}

/// Line and column of a byte, counted from one; the column counts characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn positions_count_from_one() {
        let text = "ab\nčd\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 3), (2, 1));
        assert_eq!(position(text, 5), (2, 2));
        assert_eq!(position(text, 7), (3, 1));
        assert_eq!(position(text, 99), (3, 1));
    }
}
