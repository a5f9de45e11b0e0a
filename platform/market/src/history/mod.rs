//! History on disk: `<folder>/<SYMBOL>/ticks.parquet` and `<folder>/<SYMBOL>/m1.parquet`.
//!
//! Owns the files, what merging means, and bars of any timeframe from them. Refuses to know where recordings
//! come from and what a feed does with them. A file is replaced as a whole and never changed in place, so
//! readers need no lock; writers of one symbol wait for each other.

mod bars;
mod file;
mod merge;
#[cfg(test)]
mod tests;

pub use file::Kind;
pub(crate) use file::Table;
pub(crate) use merge::{merge_minutes, merge_ticks};

use crate::columns::{BarColumns, TIME_MAX, TIME_MIN, TickColumns, in_time};
use marque_domain::{bar::Timeframe, time::Millis};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Most bars that one query answers.
pub const BARS_MAX: usize = 50_000;
/// Longest symbol.
const SYMBOL_LENGTH_MAX: usize = 32;

/// Why history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file or folder cannot be read.
    #[error("cannot read history at {}: {source}; check that the file may be read", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written; what was there before is unchanged.
    #[error("cannot write history at {}: {source}; nothing was changed. Check free space and permissions", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged or not ours.
    #[error("the history file {} cannot be used: {fault}; move it away and import the recording again", .path.display())]
    Corrupt {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// A symbol that cannot name a folder.
    #[error("\"{0}\" is not a symbol: use capital letters, digits and inner points")]
    NotASymbol(String),
    /// Rows to be stored break the rules of history; a fault of the caller.
    #[error("{0}: nothing was stored")]
    Unfit(&'static str),
}

impl HistoryError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }

    fn corrupt(path: &Path, fault: &str) -> Self {
        Self::Corrupt { path: path.to_owned(), fault: fault.to_owned() }
    }
}

/// What a merge changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Rows before.
    pub rows_before: u64,
    /// Rows after.
    pub rows_after: u64,
    /// Whether the file is another now; false when everything was there already.
    pub changed: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// How many rows.
    pub rows: u64,
    /// Time of the first.
    pub first: Millis,
    /// Time of the last.
    pub last: Millis,
}

/// A file of history in a list.
#[derive(Debug)]
pub struct Listed {
    /// Whose history.
    pub symbol: String,
    /// What kind.
    pub kind: Kind,
    /// What it holds, or why it cannot be used.
    pub holding: Result<Holding, HistoryError>,
}

/// The history below one folder.
#[derive(Debug, Clone)]
pub struct History {
    folder: PathBuf,
}

impl History {
    /// History in `folder`, which is made by the first import.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Merges quotes (in order of time, never crossed) into the history of `symbol`. See the rules of merging
    /// in `merge`; merging twice changes nothing.
    ///
    /// # Errors
    /// [`HistoryError`]; what was there is unchanged then.
    pub fn merge_ticks(&self, symbol: &str, ticks: &TickColumns) -> Result<Merged, HistoryError> {
        let sound = ticks.at.is_sorted()
            && in_time(ticks.span())
            && ticks.iter().all(|tick| tick.bid > 0 && tick.bid <= tick.ask);
        if !sound {
            return Err(HistoryError::Unfit("the quotes are not in order of time, or one is crossed or not positive"));
        }
        self.merge(symbol, Kind::Ticks, |old| {
            let old = TickColumns::from_parts(old);
            let merged = merge_ticks(&old, ticks);
            (merged != old).then(|| merged.into_parts())
        })
    }

    /// Merges bars of one minute (in order, one a minute) into the history of `symbol`; where both have a
    /// minute, the new bar stands.
    ///
    /// # Errors
    /// [`HistoryError`]; what was there is unchanged then.
    pub fn merge_minutes(&self, symbol: &str, bars: &BarColumns) -> Result<Merged, HistoryError> {
        let on_minutes =
            bars.iter().all(|bar| Timeframe::M1.open_of(bar.open_at) == bar.open_at && bar.is_consistent());
        if !bars.open_at.is_sorted_by(|a, b| a < b) || !in_time(bars.span()) || !on_minutes {
            return Err(HistoryError::Unfit("the bars are not consistent minutes in order of time"));
        }
        self.merge(symbol, Kind::Minutes, |old| {
            let old = BarColumns::from_parts(old);
            let merged = merge_minutes(&old, bars);
            (merged != old).then(|| merged.into_parts())
        })
    }

    /// All quotes of `symbol`; none is empty.
    ///
    /// # Errors
    /// [`HistoryError`] when the file cannot be used.
    pub fn ticks(&self, symbol: &str) -> Result<TickColumns, HistoryError> {
        let table = self.table(symbol, Kind::Ticks)?;
        table.map_or(Ok(TickColumns::default()), |table| table.read_all().map(TickColumns::from_parts))
    }

    /// All recorded minutes of `symbol`; none is empty.
    ///
    /// # Errors
    /// [`HistoryError`] when the file cannot be used.
    pub fn minutes(&self, symbol: &str) -> Result<BarColumns, HistoryError> {
        let table = self.table(symbol, Kind::Minutes)?;
        table.map_or(Ok(BarColumns::default()), |table| table.read_all().map(BarColumns::from_parts))
    }

    /// The last `count` bars (at most [`BARS_MAX`]) of `symbol` that were closed at `before`, oldest first.
    /// They come from recorded minutes and from quotes; where both cover a bar the recorded minutes stand.
    /// Spans without either have no bar.
    ///
    /// # Errors
    /// [`HistoryError`] when a file cannot be used.
    pub fn bars(
        &self,
        symbol: &str,
        timeframe: Timeframe,
        before: Millis,
        count: usize,
    ) -> Result<BarColumns, HistoryError> {
        self.bars_between(symbol, timeframe, TIME_MIN, before, count)
    }

    /// As [`Self::bars`], only those that open at `from` or later.
    ///
    /// # Errors
    /// [`HistoryError`] when a file cannot be used.
    pub fn bars_between(
        &self,
        symbol: &str,
        timeframe: Timeframe,
        from: Millis,
        before: Millis,
        count: usize,
    ) -> Result<BarColumns, HistoryError> {
        // A bar that ends after `before` is still being built: its rows are not looked at. One that began
        // before `from` is left out, not shown in part.
        let start = timeframe.open_of(from.clamp(TIME_MIN, TIME_MAX).plus(timeframe.length_ms() - 1));
        let end = timeframe.open_of(before.clamp(TIME_MIN, TIME_MAX));
        let count = count.min(BARS_MAX);
        let of = |kind| match self.table(symbol, kind)? {
            Some(table) => bars::last_bars(&table, kind, timeframe, (start, end), count),
            None => Ok(vec![]),
        };
        Ok(bars::combine(of(Kind::Minutes)?, of(Kind::Ticks)?, count))
    }

    /// What a file holds; `None` when there is none.
    ///
    /// # Errors
    /// [`HistoryError`] when it cannot be used.
    pub fn holding(&self, symbol: &str, kind: Kind) -> Result<Option<Holding>, HistoryError> {
        Ok(self.table(symbol, kind)?.and_then(|table| {
            let (first, last) = table.span()?;
            Some(Holding { rows: table.rows(), first: Millis(first), last: Millis(last) })
        }))
    }

    /// Every file there is, by symbol. A damaged file is listed with its fault and hides no other.
    ///
    /// # Errors
    /// [`HistoryError`] when the folder itself cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, HistoryError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(HistoryError::read(&self.folder, error)),
        };
        let mut symbols = vec![];
        for entry in entries {
            let entry = entry.map_err(|e| HistoryError::read(&self.folder, e))?;
            symbols.extend(entry.file_name().into_string().ok().filter(|name| is_symbol(name)));
        }
        symbols.sort();
        let mut listed = vec![];
        for symbol in symbols {
            for kind in Kind::ALL {
                if let Some(holding) = self.holding(&symbol, kind).transpose() {
                    listed.push(Listed { symbol: symbol.clone(), kind, holding });
                }
            }
        }
        Ok(listed)
    }

    pub(crate) fn table(&self, symbol: &str, kind: Kind) -> Result<Option<Table>, HistoryError> {
        Table::open(&self.path(symbol, kind)?, kind)
    }

    fn path(&self, symbol: &str, kind: Kind) -> Result<PathBuf, HistoryError> {
        // The symbol names a folder: nothing that could lead elsewhere.
        if !is_symbol(symbol) {
            return Err(HistoryError::NotASymbol(symbol.to_owned()));
        }
        Ok(self.folder.join(symbol).join(kind.file_name()))
    }

    /// Replaces a file by what `merge` makes of its columns, if it makes anything.
    fn merge(
        &self,
        symbol: &str,
        kind: Kind,
        merge: impl FnOnce(Vec<Vec<i64>>) -> Option<Vec<Vec<i64>>>,
    ) -> Result<Merged, HistoryError> {
        let path = self.path(symbol, kind)?;
        let _lock = lock(&path).map_err(|e| HistoryError::write(&path, e))?;
        let table = Table::open(&path, kind)?;
        let rows_before = table.as_ref().map_or(0, Table::rows);
        let old = table.map_or(Ok(vec![]), |table| table.read_all())?;
        let Some(columns) = merge(old) else {
            return Ok(Merged { rows_before, rows_after: rows_before, changed: false });
        };
        let parts: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
        file::write(&path, kind, &parts)?;
        let rows_after = parts.first().map_or(0, |column| column.len() as u64);
        Ok(Merged { rows_before, rows_after, changed: true })
    }
}

/// Takes the lock of a symbol's folder, making the folder if need be. The system gives it back when the
/// holder ends, however it ends.
fn lock(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn is_symbol(text: &str) -> bool {
    (1..=SYMBOL_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.')
        && !text.starts_with('.')
        && !text.ends_with('.')
}
