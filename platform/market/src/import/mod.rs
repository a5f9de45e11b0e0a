//! Recordings as traders export them, read into columns.
//!
//! Owns the formats, the rules for rows that are wrong or out of place, and the report on them. Refuses to
//! know where history is kept.
//!
//! The rules:
//! * A row that cannot be read is left out and counted; the first are named by line, fault and text. When
//!   more than a stated share of rows is bad the whole file is refused: it is probably not what it seems.
//! * A quote with the bid above the ask is an artefact of recording: dropped and counted. Bid = ask is kept.
//!   A bar whose close has a negative spread keeps its bids and gets a spread of zero.
//! * Rows are put in order of time; rows of the same time stay in the order of the file.
//! * A tick equal to the tick before it (time, bid and ask) is dropped. Of bars with one start the last stands.
//! * Bars must be minutes. Longer ones are built from them, so a file of longer bars is refused.
//! * In the hour that a local clock shows twice, times are taken as its first pass.

mod clock;
mod collect;
mod format;
mod input;
mod report;
mod row;
#[cfg(test)]
mod tests;

pub use clock::{LocalClock, NotAClock};
pub use collect::Rows;
pub use format::{Format, UnknownFormat};
pub use input::Limits;
pub use report::{BadRow, Report};
pub use row::RowFault;

use crate::history::{History, HistoryError, Merged};
use format::{ClockOf, Layout};
use input::{Line, Lines};
use marque_domain::{fixed::Price, instrument::Instrument, time::MINUTE_MS};
use row::{Row, RowReader};
use std::{
    io::BufRead,
    path::{Path, PathBuf},
};

/// Lines looked at to recognise a format without a header.
const HEAD_LINES: usize = 10;

/// Why nothing of a file was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
    /// It is not a usable ZIP archive.
    #[error("cannot use the ZIP archive: {0}")]
    Zip(String),
    /// It is UTF-16, as old MetaTrader builds write.
    #[error("the file is encoded as UTF-16: save it as UTF-8 (in an editor or with iconv) and import that")]
    Utf16,
    /// It unpacks to more than the limit.
    #[error("the file is larger than {bytes_max} bytes unpacked: split it and import the parts")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// It has more rows than the limit.
    #[error("the file has more than {rows_max} rows: split it and import the parts")]
    TooManyRows {
        /// The limit.
        rows_max: usize,
    },
    /// No format fits.
    #[error(
        "no known format fits; the first line is \"{0}\". Known are MetaTrader 4 and 5, Dukascopy, HistData, and plain ts,bid,ask or ts,open,high,low,close,volume"
    )]
    UnknownFormat(String),
    /// The header says that it is of another format.
    #[error("the file was said to be {given}, but its header is that of {found}: leave the format out")]
    OtherFormat {
        /// What was said.
        given: Format,
        /// What it is.
        found: Format,
    },
    /// A clock was given for a format that needs none.
    #[error("{0} files carry their own time zone: leave the zone out")]
    ClockNotNeeded(Format),
    /// Too many rows are bad.
    #[error("{} of {} rows are bad, more than {percent_max} %: nothing was imported. The first:\n{}", .report.bad, .report.rows, named(.report))]
    TooManyBadRows {
        /// What was read.
        report: Box<Report>,
        /// The limit.
        percent_max: u8,
    },
    /// No row is left.
    #[error("the file has no usable rows ({rows} read, {bad} bad): nothing was imported")]
    Empty {
        /// Rows in the file.
        rows: u64,
        /// Bad ones.
        bad: u64,
    },
    /// Its bars are longer than a minute.
    #[error("its bars are {minutes} minutes long: export bars of one minute (M1), longer ones are built from them")]
    NotMinutes {
        /// Shortest distance between two bars.
        minutes: i64,
    },
    /// It holds something else than the files before it.
    #[error(
        "it holds bars where the files before it hold quotes, or quotes where they hold bars: import the two one after the other"
    )]
    OtherKind,
    /// It was read, but could not be kept.
    #[error(transparent)]
    History(#[from] HistoryError),
}

fn named(report: &Report) -> String {
    report.bad_rows.iter().map(|row| format!("  {row}")).collect::<Vec<_>>().join("\n")
}

/// How to read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Its format; recognised by its first lines when absent.
    pub format: Option<Format>,
    /// Its clock, for formats with local time: MetaTrader (the server's), plain text times, Dukascopy's
    /// "Local time". UTC when absent.
    pub clock: Option<LocalClock>,
    /// Spread of bars that have none of their own.
    pub default_spread: Price,
    /// How many bad rows are named.
    pub bad_rows_named: usize,
    /// Share of bad rows, in percent, above which nothing is imported.
    pub bad_rows_max_percent: u8,
    /// What the import may cost.
    pub limits: Limits,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            format: None,
            clock: None,
            default_spread: Price::ZERO,
            bad_rows_named: 20,
            bad_rows_max_percent: 10,
            limits: Limits::default(),
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What was read of each file.
    pub reports: Vec<Report>,
    /// What became of the history.
    pub merged: Merged,
}

/// Why nothing was imported, and the file that it concerns.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: Box<ImportError>,
}

/// Reads recordings of `instrument` (plain, `.gz` or `.zip`) and merges them into `history` in their order. All of them are
/// there afterwards or none; doing it twice changes nothing.
///
/// # Errors
/// [`FileError`] says why nothing was imported.
pub fn import_files(
    history: &History,
    instrument: &Instrument,
    paths: &[PathBuf],
    options: &ImportOptions,
) -> Result<Imported, FileError> {
    let (mut reports, mut rows) = (Vec::with_capacity(paths.len()), None);
    for path in paths {
        let fault = |source| FileError { path: path.clone(), source: Box::new(source) };
        let (read, report) = read_file(path, instrument, options).map_err(fault)?;
        reports.push(report);
        rows = Some(match rows {
            None => read,
            Some(before) => Rows::joined(before, read).ok_or(ImportError::OtherKind).map_err(fault)?,
        });
    }
    let merged = match &rows {
        None => Err(ImportError::Empty { rows: 0, bad: 0 }),
        Some(Rows::Ticks(ticks)) => history.merge_ticks(&instrument.symbol, ticks).map_err(ImportError::from),
        Some(Rows::Minutes(bars)) => history.merge_minutes(&instrument.symbol, bars).map_err(ImportError::from),
    };
    let path = || paths.first().cloned().unwrap_or_default();
    let merged = merged.map_err(|source| FileError { path: path(), source: Box::new(source) })?;
    Ok(Imported { reports, merged })
}

/// Reads a recording (plain, `.gz` or `.zip`) without keeping it.
///
/// # Errors
/// [`ImportError`] says why it cannot be used.
pub fn read_file(path: &Path, instrument: &Instrument, options: &ImportOptions) -> Result<(Rows, Report), ImportError> {
    input::with_lines(path, options.limits, |lines| read_lines(lines, instrument, options))
}

/// Reads a recording from unpacked bytes.
///
/// # Errors
/// [`ImportError`] says why it cannot be used.
pub fn read(
    source: impl BufRead,
    instrument: &Instrument,
    options: &ImportOptions,
) -> Result<(Rows, Report), ImportError> {
    read_lines(Lines::new(source, options.limits), instrument, options)
}

fn read_lines<R: BufRead>(
    mut lines: Lines<R>,
    instrument: &Instrument,
    options: &ImportOptions,
) -> Result<(Rows, Report), ImportError> {
    let head = read_head(&mut lines)?;
    let texts: Vec<Vec<u8>> = head.iter().map(|(_, text, _)| text.clone()).collect();
    let layout = Layout::detect(&texts, options.format)?;
    if options.clock.is_some() && layout.clock != ClockOf::Local {
        return Err(ImportError::ClockNotNeeded(layout.format));
    }
    let clock = options.clock.clone().unwrap_or_else(LocalClock::utc);
    let mut reading = Reading {
        reader: RowReader::new(layout, clock, instrument.tick_size, options.default_spread),
        rows: if layout.format.has_ticks() {
            Rows::Ticks(Default::default())
        } else {
            Rows::Minutes(Default::default())
        },
        report: Report::new(layout.format),
        options,
    };
    for (number, text, too_long) in head.iter().skip(usize::from(layout.has_header)) {
        reading.take(&Line { number: *number, text, too_long: *too_long })?;
    }
    while let Some(line) = lines.next()? {
        reading.take(&line)?;
    }
    reading.finish()
}

/// The first lines that are not empty.
fn read_head<R: BufRead>(lines: &mut Lines<R>) -> Result<Vec<(u64, Vec<u8>, bool)>, ImportError> {
    let mut head = vec![];
    while head.len() < HEAD_LINES {
        let Some(line) = lines.next()? else { break };
        if !line.text.trim_ascii().is_empty() {
            head.push((line.number, line.text.to_vec(), line.too_long));
        }
    }
    Ok(head)
}

/// A file half read.
struct Reading<'a> {
    reader: RowReader,
    rows: Rows,
    report: Report,
    options: &'a ImportOptions,
}

impl Reading<'_> {
    fn take(&mut self, line: &Line<'_>) -> Result<(), ImportError> {
        if line.text.trim_ascii().is_empty() {
            return Ok(());
        }
        self.report.rows += 1;
        let read = if line.too_long {
            Err(RowFault::TooLong(self.options.limits.line_bytes))
        } else {
            self.reader.read(line.text)
        };
        match read {
            Ok(Row::Tick(tick)) => self.rows.keep_tick(tick, &mut self.report),
            Ok(Row::Bar(bar)) => self.rows.keep_bar(bar, &mut self.report),
            Ok(Row::Incomplete) => self.report.incomplete += 1,
            Ok(Row::Flat) => self.report.flat += 1,
            Err(fault) => {
                self.report.bad += 1;
                if self.report.bad_rows.len() < self.options.bad_rows_named {
                    self.report.bad_rows.push(BadRow { line: line.number, fault, text: shown(line.text) });
                }
            }
        }
        if self.rows.len() > self.options.limits.rows {
            return Err(ImportError::TooManyRows { rows_max: self.options.limits.rows });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Rows, Report), ImportError> {
        let percent_max = self.options.bad_rows_max_percent;
        if self.report.bad.saturating_mul(100) > self.report.rows.saturating_mul(u64::from(percent_max)) {
            return Err(ImportError::TooManyBadRows { report: Box::new(self.report), percent_max });
        }
        let rows = self.rows.settle(&mut self.report);
        let span = match &rows {
            Rows::Ticks(ticks) => ticks.span(),
            Rows::Minutes(bars) => bars.span(),
        };
        let (rows_read, bad) = (self.report.rows, self.report.bad);
        let (first, last) = span.ok_or(ImportError::Empty { rows: rows_read, bad })?;
        if let Some(length_ms) = rows.other_timeframe_ms() {
            return Err(ImportError::NotMinutes { minutes: length_ms / MINUTE_MS });
        }
        self.report.kept = rows.len() as u64;
        (self.report.first, self.report.last) = (first, last);
        Ok((rows, self.report))
    }
}

/// The beginning of a line, printable on one line.
fn shown(text: &[u8]) -> String {
    const LENGTH_MAX: usize = 120;
    let text = text.get(..LENGTH_MAX).unwrap_or(text);
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect()
}
