//! The shapes in which traders export recordings, and how one is recognised by its first lines.
//!
//! | format | rows | clock |
//! |---|---|---|
//! | MetaTrader 5 ticks | `<DATE> <TIME> <BID> <ASK> …`, tabs; an empty bid or ask is unchanged | server |
//! | MetaTrader 5 bars | `<DATE> <TIME> <OPEN> … <TICKVOL> <VOL> <SPREAD>`, tabs; spread in ticks | server |
//! | MetaTrader 4 bars | `2014.05.01,00:00,open,high,low,close,volume` | server |
//! | Dukascopy ticks | `Gmt time,Ask,Bid,…` with `01.05.2014 00:00:00.123` | GMT |
//! | Dukascopy bars | `Gmt time,Open,High,Low,Close,Volume` | GMT |
//! | HistData ticks | `20140501 000000123,bid,ask,volume` | EST, never daylight saving |
//! | HistData bars | `20140501 000000;open;high;low;close;volume` | EST, never daylight saving |
//! | plain ticks | `ts,bid,ask` or `ts_ms,bid,ask` | UTC unless told |
//! | plain bars | `ts,open,high,low,close[,volume[,spread]]` | UTC unless told |
//! | bid/ask bars | `ts_ms,bid_open,…,bid_close,ask_open,…,ask_close` | UTC unless told |
//!
//! HistData's layouts: <https://www.histdata.com/f-a-q/data-files-detailed-specification/>. A header row may
//! name the columns in any order; without one the order is as above.

use super::{ImportError, clock::Spelling};
use marque_domain::time::HOUR_MS;
use std::{fmt, str::FromStr};

/// A shape of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// MetaTrader 5, symbols window, ticks.
    Mt5Ticks,
    /// MetaTrader 5, symbols window, bars.
    Mt5Bars,
    /// MetaTrader 4, history centre.
    Mt4Bars,
    /// Dukascopy, ticks.
    DukascopyTicks,
    /// Dukascopy, minutes.
    DukascopyBars,
    /// HistData, generic ASCII ticks.
    HistDataTicks,
    /// HistData, generic ASCII minutes.
    HistDataBars,
    /// `ts,bid,ask`.
    PlainTicks,
    /// `ts,open,high,low,close,volume`.
    PlainBars,
    /// Open, high, low and close of bid and of ask.
    BidAskBars,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Mt5Ticks,
        Self::Mt5Bars,
        Self::Mt4Bars,
        Self::DukascopyTicks,
        Self::DukascopyBars,
        Self::HistDataTicks,
        Self::HistDataBars,
        Self::PlainTicks,
        Self::PlainBars,
        Self::BidAskBars,
    ];

    /// The name a person types.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mt5Ticks => "mt5-ticks",
            Self::Mt5Bars => "mt5-bars",
            Self::Mt4Bars => "mt4-bars",
            Self::DukascopyTicks => "dukascopy-ticks",
            Self::DukascopyBars => "dukascopy-bars",
            Self::HistDataTicks => "histdata-ticks",
            Self::HistDataBars => "histdata-bars",
            Self::PlainTicks => "ticks",
            Self::PlainBars => "bars",
            Self::BidAskBars => "bid-ask-bars",
        }
    }

    /// Whether its rows are ticks; else they are minutes.
    #[must_use]
    pub const fn has_ticks(self) -> bool {
        matches!(self, Self::Mt5Ticks | Self::DukascopyTicks | Self::HistDataTicks | Self::PlainTicks)
    }

    /// The columns in their usual order, as [`Column::named`] knows them.
    const fn usual_columns(self) -> &'static str {
        match self {
            Self::Mt5Ticks => "date,time,bid,ask,last,volume,flags",
            Self::Mt5Bars => "date,time,open,high,low,close,tickvol,vol,spread",
            Self::Mt4Bars => "date,time,open,high,low,close,volume",
            Self::DukascopyTicks => "gmt time,ask,bid,askvolume,bidvolume",
            Self::DukascopyBars => "gmt time,open,high,low,close,volume",
            Self::HistDataTicks => "ts,bid,ask,volume",
            Self::HistDataBars => "ts,open,high,low,close,volume",
            Self::PlainTicks => "ts,bid,ask",
            Self::PlainBars => "ts,open,high,low,close,volume,spread",
            Self::BidAskBars => "ts_ms,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close",
        }
    }

    const fn spelling(self) -> Spelling {
        match self {
            Self::Mt5Ticks | Self::Mt5Bars | Self::Mt4Bars => Spelling::DateAndTime,
            Self::DukascopyTicks | Self::DukascopyBars => Spelling::DayFirst,
            Self::HistDataTicks | Self::HistDataBars => Spelling::Compact,
            Self::PlainTicks | Self::PlainBars | Self::BidAskBars => Spelling::Plain,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such format: {0}; use one of mt5-ticks, mt5-bars, mt4-bars, dukascopy-ticks, dukascopy-bars, histdata-ticks, histdata-bars, ticks, bars, bid-ask-bars"
)]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|f| f.name() == text).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Date,
    Time,
    Bid,
    Ask,
    Open,
    High,
    Low,
    Close,
    AskClose,
    Volume,
    Spread,
}

impl Column {
    /// How many there are.
    pub(super) const COUNT: usize = 11;

    /// What a column with this heading holds; the heading in lower case without brackets and quotes.
    fn named(heading: &str) -> Option<Self> {
        Some(match heading {
            "date" => Self::Date,
            "time" | "ts" | "ts_ms" | "timestamp" | "datetime" | "date time" | "time_utc" | "gmt time" | "utc time"
            | "local time" | "utc" => Self::Time,
            "bid" | "bidprice" | "bid_price" => Self::Bid,
            "ask" | "askprice" | "ask_price" => Self::Ask,
            "open" | "bid_open" => Self::Open,
            "high" | "bid_high" => Self::High,
            "low" | "bid_low" => Self::Low,
            "close" | "bid_close" => Self::Close,
            "ask_close" => Self::AskClose,
            "volume" | "tickvol" | "tick_volume" | "vol" => Self::Volume,
            "spread" => Self::Spread,
            _ => return None,
        })
    }
}

/// Whose clock the times of a file follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockOf {
    /// That of the trading server or of the person: told by an option, else UTC.
    Local,
    /// Always this far behind UTC.
    Behind(i64),
}

/// A format with the details of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub format: Format,
    pub delimiter: u8,
    pub has_header: bool,
    pub clock: ClockOf,
    pub spelling: Spelling,
    places: [Option<u8>; Column::COUNT],
}

impl Layout {
    fn new(format: Format, delimiter: u8, headings: &str, separator: u8) -> Self {
        let mut places = [None; Column::COUNT];
        for (place, heading) in (0_u8..64).zip(headings.split(char::from(separator))) {
            let slot = Column::named(&plain(heading)).and_then(|column| places.get_mut(column as usize));
            if let Some(slot @ None) = slot {
                *slot = Some(place);
            }
        }
        let clock = match format {
            Format::HistDataTicks | Format::HistDataBars => ClockOf::Behind(5 * HOUR_MS),
            Format::DukascopyTicks | Format::DukascopyBars => ClockOf::Behind(0),
            _ => ClockOf::Local,
        };
        Self { format, delimiter, has_header: false, clock, spelling: format.spelling(), places }
    }

    fn usual(format: Format, delimiter: u8) -> Self {
        Self::new(format, delimiter, format.usual_columns(), b',')
    }

    /// The place of a column in a row.
    pub(super) fn place(&self, column: Column) -> Option<usize> {
        self.places.get(column as usize).copied().flatten().map(usize::from)
    }

    /// Finds the layout of a file by its first lines; `given` is the format a person said it has.
    pub(super) fn detect(head: &[Vec<u8>], given: Option<Format>) -> Result<Self, ImportError> {
        let first = head.first().map(Vec::as_slice).unwrap_or_default();
        let by_header = Self::by_header(first);
        match (given, by_header) {
            (None, Some(found)) => Ok(found),
            (Some(format), Some(found)) if format == found.format => Ok(found),
            (Some(format), Some(found)) => Err(ImportError::OtherFormat { given: format, found: found.format }),
            (Some(format), None) => Ok(Self::usual(format, delimiter_of(first))),
            (None, None) => head
                .iter()
                .find_map(|line| Self::by_row(line))
                .ok_or_else(|| ImportError::UnknownFormat(super::shown(first))),
        }
    }

    fn by_header(line: &[u8]) -> Option<Self> {
        let line = core::str::from_utf8(line).ok()?;
        let delimiter = delimiter_of(line.as_bytes());
        let headings: Vec<String> = line.split(char::from(delimiter)).map(plain).collect();
        let has = |name: &str| headings.iter().any(|h| h == name);
        let ticks = has("bid") && has("ask") || has("bidprice") && has("askprice");
        let bars = ["open", "high", "low", "close"].into_iter().all(has);
        let first = headings.first()?.as_str();
        let format = match first {
            "date" if has("time") && ticks => Format::Mt5Ticks,
            "date" if has("time") && bars && has("tickvol") => Format::Mt5Bars,
            "date" if has("time") && bars => Format::Mt4Bars,
            "gmt time" | "local time" | "utc time" | "utc" if ticks => Format::DukascopyTicks,
            "gmt time" | "local time" | "utc time" | "utc" if bars => Format::DukascopyBars,
            _ if Column::named(first) != Some(Column::Time) => return None,
            _ if ticks => Format::PlainTicks,
            _ if bars => Format::PlainBars,
            _ if ["bid_open", "bid_high", "bid_low", "bid_close", "ask_close"].into_iter().all(has) => {
                Format::BidAskBars
            }
            _ => return None,
        };
        let mut layout = Self::new(format, delimiter, line, delimiter);
        layout.has_header = true;
        if first == "local time" {
            layout.clock = ClockOf::Local;
        }
        Some(layout)
    }

    fn by_row(line: &[u8]) -> Option<Self> {
        let delimiter = delimiter_of(line);
        let fields: Vec<&[u8]> = line.split(|b| *b == delimiter).collect();
        let first = fields.first().copied().unwrap_or_default();
        let second = fields.get(1).copied().unwrap_or_default();
        let reads = |spelling: Spelling| spelling.read(first, second).is_some();
        let format = match fields.len() {
            4 if reads(Spelling::Compact) => Format::HistDataTicks,
            6 if reads(Spelling::Compact) => Format::HistDataBars,
            5 if reads(Spelling::DayFirst) => Format::DukascopyTicks,
            6 if reads(Spelling::DayFirst) => Format::DukascopyBars,
            // Both have seven columns; only a tick has a fraction of a second.
            4..=7 if reads(Spelling::DateAndTime) && second.contains(&b'.') => Format::Mt5Ticks,
            6 | 7 if reads(Spelling::DateAndTime) => Format::Mt4Bars,
            9 if reads(Spelling::DateAndTime) => Format::Mt5Bars,
            3 if reads(Spelling::Plain) => Format::PlainTicks,
            5..=7 if reads(Spelling::Plain) => Format::PlainBars,
            9 if reads(Spelling::Plain) => Format::BidAskBars,
            _ => return None,
        };
        Some(Self::usual(format, delimiter))
    }
}

/// A heading without what programs wrap around it.
fn plain(heading: &str) -> String {
    let wrapping = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '[' | ']');
    heading.trim_matches(wrapping).to_ascii_lowercase()
}

/// The delimiter of a line: the first of tab, semicolon and comma that it holds.
fn delimiter_of(line: &[u8]) -> u8 {
    [b'\t', b';', b','].into_iter().find(|d| line.contains(d)).unwrap_or(b',')
}
