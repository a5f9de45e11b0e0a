//! What an import did, in numbers and for people.

use super::{Format, RowFault};
use marque_domain::time::Millis;
use std::fmt;

/// A row that was left out because it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: RowFault,
    /// Its beginning, printable.
    pub text: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.fault, self.text)
    }
}

/// What was read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The format it has.
    pub format: Format,
    /// Rows in the file, without header and empty lines.
    pub rows: u64,
    /// Rows kept.
    pub kept: u64,
    /// Rows that are wrong.
    pub bad: u64,
    /// The first of them.
    pub bad_rows: Vec<BadRow>,
    /// Quotes with the bid above the ask, dropped; for bars, closes with a negative spread, kept as zero.
    pub crossed: u64,
    /// Quotes with bid = ask, kept.
    pub locked: u64,
    /// Ticks before the first bid or the first ask, dropped.
    pub incomplete: u64,
    /// Bars that only say that the market was closed, dropped.
    pub flat: u64,
    /// Rows earlier than the row before them, sorted in.
    pub out_of_order: u64,
    /// Ticks equal to the one before, or bars replaced by a later row of the same minute; dropped.
    pub duplicates: u64,
    /// Time of the first kept row.
    pub first: Millis,
    /// Time of the last kept row.
    pub last: Millis,
}

impl Report {
    pub(super) const fn new(format: Format) -> Self {
        Self {
            format,
            rows: 0,
            kept: 0,
            bad: 0,
            bad_rows: vec![],
            crossed: 0,
            locked: 0,
            incomplete: 0,
            flat: 0,
            out_of_order: 0,
            duplicates: 0,
            first: Millis(0),
            last: Millis(0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.format.has_ticks() { "ticks" } else { "minutes" };
        write!(f, "{} of {} rows kept as {noun} ({})", self.kept, self.rows, self.format)?;
        write!(f, ", {} to {}", self.first.to_rfc3339(), self.last.to_rfc3339())?;
        let crossed = if self.format.has_ticks() { "crossed dropped" } else { "negative spreads held at zero" };
        for (count, what) in [
            (self.bad, "bad"),
            (self.crossed, crossed),
            (self.locked, "locked kept"),
            (self.incomplete, "without bid or ask yet"),
            (self.flat, "of a closed market dropped"),
            (self.out_of_order, "out of order, sorted in"),
            (self.duplicates, "duplicates dropped"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        for row in &self.bad_rows {
            write!(f, "\n  {row}")?;
        }
        let unnamed = self.bad.saturating_sub(self.bad_rows.len() as u64);
        if unnamed > 0 {
            write!(f, "\n  and {unnamed} more")?;
        }
        Ok(())
    }
}
