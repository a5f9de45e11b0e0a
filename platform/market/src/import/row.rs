//! One line to one tick or bar. Owns the checks on a single row; refuses to know its neighbours, except the
//! last prices that a MetaTrader tick leaves out.

use super::{
    clock::{LocalClock, Read, utc},
    format::{ClockOf, Column, Format, Layout},
};
use crate::columns::Tick;
use marque_domain::{
    bar::Bar,
    fixed::{DECIMALS, FixedError, Price, SCALE, parse_units},
    time::{MINUTE_MS, Millis},
};

/// Most columns of a row that are looked at.
const FIELDS: usize = 32;

/// Why a row is bad.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// Longer than the limit.
    #[error("the line is longer than {0} bytes")]
    TooLong(u64),
    /// The row ends before this column.
    #[error("there is no {0} column")]
    Missing(&'static str),
    /// The time cannot be read.
    #[error("the time is not written as in the rest of the file")]
    Time,
    /// A number cannot be read.
    #[error("{column}: {fault}")]
    Number {
        /// In which column.
        column: &'static str,
        /// Why.
        fault: FixedError,
    },
    /// A price is zero or negative.
    #[error("{0} must be above zero")]
    NotPositive(&'static str),
    /// The volume is not a number, or negative.
    #[error("the volume is not a number of at least zero")]
    Volume,
    /// The four prices of a bar contradict each other.
    #[error("open, high, low and close do not fit together")]
    Inconsistent,
    /// The bar does not start on a full minute.
    #[error("a minute bar opens on a full minute")]
    OffMinute,
}

/// What a good row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    Tick(Tick),
    Bar(Bar),
    /// A tick whose bid or ask has never been told yet.
    Incomplete,
    /// A bar that says the market was closed: Dukascopy fills weekends with flat bars without volume.
    Flat,
}

/// Reads the rows of one file.
pub(super) struct RowReader {
    layout: Layout,
    clock: LocalClock,
    tick_size: i64,
    default_spread: Price,
    last_bid: Option<i64>,
    last_ask: Option<i64>,
}

impl RowReader {
    pub(super) const fn new(layout: Layout, clock: LocalClock, tick_size: Price, default_spread: Price) -> Self {
        Self { layout, clock, tick_size: tick_size.units(), default_spread, last_bid: None, last_ask: None }
    }

    /// Reads a row.
    pub(super) fn read(&mut self, line: &[u8]) -> Result<Row, RowFault> {
        let mut fields = [&b""[..]; FIELDS];
        let mut count = 0;
        for (slot, field) in fields.iter_mut().zip(line.split(|b| *b == self.layout.delimiter)) {
            *slot = unquoted(field);
            count += 1;
        }
        let fields = fields.get(..count).unwrap_or_default();
        let at = self.time(fields)?;
        if self.layout.format.has_ticks() { self.tick(fields, at) } else { self.bar(fields, at) }
    }

    fn field<'a>(&self, fields: &[&'a [u8]], column: Column) -> Option<&'a [u8]> {
        fields.get(self.layout.place(column)?).copied()
    }

    fn time(&self, fields: &[&[u8]]) -> Result<Millis, RowFault> {
        let time = self.field(fields, Column::Time).ok_or(RowFault::Missing("time"))?;
        let read = match self.field(fields, Column::Date) {
            Some(date) => self.layout.spelling.read(date, time),
            // The owner's own tools spell Dukascopy's columns with ISO times.
            None => self.layout.spelling.read(time, b"").or_else(|| super::clock::Spelling::Plain.read(time, b"")),
        };
        let at = match (read.ok_or(RowFault::Time)?, self.layout.clock) {
            (Read::Instant(at), _) => Some(at),
            (Read::Local(local), ClockOf::Behind(ms)) => utc(local).map(|at| at.plus(ms)),
            (Read::Local(local), ClockOf::Local) => self.clock.instant(local),
        };
        at.ok_or(RowFault::Time)
    }

    fn tick(&mut self, fields: &[&[u8]], at: Millis) -> Result<Row, RowFault> {
        let unchanged = self.layout.format == Format::Mt5Ticks;
        let side = |column, name, last: Option<i64>| match self.field(fields, column) {
            Some(b"") if unchanged => Ok(last),
            Some(text) => price(text, name).map(Some),
            None => Err(RowFault::Missing(name)),
        };
        let bid = side(Column::Bid, "bid", self.last_bid)?;
        let ask = side(Column::Ask, "ask", self.last_ask)?;
        (self.last_bid, self.last_ask) = (bid, ask);
        Ok(match (bid, ask) {
            (Some(bid), Some(ask)) => Row::Tick(Tick { at: at.0, bid, ask }),
            _ => Row::Incomplete,
        })
    }

    fn bar(&self, fields: &[&[u8]], at: Millis) -> Result<Row, RowFault> {
        let read = |column, name| {
            let text = self.field(fields, column).ok_or(RowFault::Missing(name))?;
            price(text, name).map(Price::from_units)
        };
        let (open, high) = (read(Column::Open, "open")?, read(Column::High, "high")?);
        let (low, close) = (read(Column::Low, "low")?, read(Column::Close, "close")?);
        let volume = self.field(fields, Column::Volume).map_or(Ok(0), volume)?;
        let spread = self.spread(fields, close)?;
        let bar = Bar { open_at: at, open, high, low, close, spread, volume };
        // A negative spread is counted and held at zero later; it does not make the bid's own prices wrong.
        if !(Bar { spread: Price::ZERO, ..bar }).is_consistent() {
            return Err(RowFault::Inconsistent);
        }
        if at.0.rem_euclid(MINUTE_MS) != 0 {
            return Err(RowFault::OffMinute);
        }
        let flat = self.layout.format == Format::DukascopyBars && volume == 0 && high == low;
        Ok(if flat { Row::Flat } else { Row::Bar(bar) })
    }

    /// Ask less bid at the close, from the ask's close, from a spread in ticks, or as the person said.
    fn spread(&self, fields: &[&[u8]], close: Price) -> Result<Price, RowFault> {
        if self.layout.format == Format::BidAskBars {
            let text = self.field(fields, Column::AskClose).ok_or(RowFault::Missing("ask_close"))?;
            let ask = price(text, "ask_close")?;
            return Ok(Price::from_units(ask.saturating_sub(close.units())));
        }
        let Some(text) = self.field(fields, Column::Spread).filter(|text| !text.is_empty()) else {
            return Ok(self.default_spread);
        };
        let units = number(text, "spread")?;
        if self.layout.format != Format::Mt5Bars {
            return Ok(Price::from_units(units));
        }
        let ticks = units / SCALE;
        let fault = RowFault::Number { column: "spread", fault: FixedError::Overflow };
        ticks.checked_mul(self.tick_size).map(Price::from_units).ok_or(fault)
    }
}

/// A field without blanks and quotation marks around it.
fn unquoted(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|f| f.strip_suffix(b"\"")).map_or(field, <[u8]>::trim_ascii)
}

fn price(text: &[u8], column: &'static str) -> Result<i64, RowFault> {
    let units = number(text, column)?;
    if units > 0 { Ok(units) } else { Err(RowFault::NotPositive(column)) }
}

/// A decimal in units of 1e-8. Exports that went through floating point carry noise such as
/// `1.1370200000000001`: digits beyond the eighth are rounded, half away from zero.
fn number(text: &[u8], column: &'static str) -> Result<i64, RowFault> {
    let fault = |fault| RowFault::Number { column, fault };
    let text = core::str::from_utf8(text).map_err(|_| fault(FixedError::Malformed))?;
    match parse_units(text) {
        Err(FixedError::TooPrecise) => {}
        done => return done.map_err(fault),
    }
    let point = text.find('.').ok_or_else(|| fault(FixedError::Malformed))?;
    let (kept, rest) = text.split_at_checked(point + 1 + DECIMALS).ok_or_else(|| fault(FixedError::Malformed))?;
    if !rest.bytes().all(|b| b.is_ascii_digit()) {
        return Err(fault(FixedError::Malformed));
    }
    let units = parse_units(kept).map_err(fault)?;
    let up = i64::from(rest.as_bytes().first().is_some_and(|digit| *digit >= b'5'));
    Ok(units.saturating_add(if kept.starts_with('-') { -up } else { up }))
}

/// Whole volume. Not money, so floating point will do: Dukascopy counts in millions with noise.
fn volume(text: &[u8]) -> Result<i64, RowFault> {
    if text.is_empty() {
        return Ok(0);
    }
    let value: f64 = core::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(RowFault::Volume)?;
    if !value.is_finite() || value < 0.0 {
        return Err(RowFault::Volume);
    }
    // Above zero stays above zero: a traded minute must not look like a closed market.
    Ok(if value > 0.0 { (value as i64).max(1) } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_keep_eight_places() {
        for (text, want) in [
            ("1.1370200000000001", Ok(113_702_000)),
            ("203.14900000000003", Ok(20_314_900_000)),
            ("1.137019999999999", Ok(113_702_000)),
            ("0.000000005", Ok(1)),
            ("0.000000004", Err(RowFault::NotPositive("bid"))),
            ("0", Err(RowFault::NotPositive("bid"))),
            ("-1.5", Err(RowFault::NotPositive("bid"))),
            ("1.13702000000000x", Err(RowFault::Number { column: "bid", fault: FixedError::Malformed })),
            ("1,5", Err(RowFault::Number { column: "bid", fault: FixedError::Malformed })),
            ("", Err(RowFault::Number { column: "bid", fault: FixedError::Malformed })),
            ("99999999999", Err(RowFault::Number { column: "bid", fault: FixedError::Overflow })),
        ] {
            assert_eq!(price(text.as_bytes(), "bid"), want, "{text}");
        }
    }

    #[test]
    fn volumes_are_whole() {
        for (text, want) in [("", Ok(0)), ("12", Ok(12)), ("0.4", Ok(1)), ("9899.99", Ok(9_899)), ("0.0", Ok(0))] {
            assert_eq!(volume(text.as_bytes()), want, "{text}");
        }
        for text in ["-1", "NaN", "inf", "x", "1 2"] {
            assert_eq!(volume(text.as_bytes()), Err(RowFault::Volume), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_row_is_an_answer_not_a_panic(line in prop::collection::vec(any::<u8>(), 0..200), pick in 0..10_usize) {
            let layout = Layout::detect(&[], Some(Format::ALL[pick])).unwrap();
            let mut reader = RowReader::new(layout, LocalClock::utc(), Price::from_units(1_000), Price::ZERO);
            let _ = reader.read(&line);
        }
    }
}
