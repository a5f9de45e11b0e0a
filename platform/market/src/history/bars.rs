//! Bars of any timeframe from what is on disk, read backwards a group at a time until there are enough.

use super::{HistoryError, Kind, file::Table, merge::merge_bars};
use crate::columns::{BarColumns, TickColumns};
use marque_domain::{
    bar::{Bar, BarBuilder, Timeframe},
    fixed::Price,
    time::Millis,
};

/// The last `count` bars of `table` in `[start, end)`, both starts of bars.
pub(super) fn last_bars(
    table: &Table,
    kind: Kind,
    timeframe: Timeframe,
    (start, end): (Millis, Millis),
    count: usize,
) -> Result<Vec<Bar>, HistoryError> {
    let mut bars: Vec<Bar> = vec![];
    let mut parts: Vec<Vec<Bar>> = vec![];
    let mut found = 0;
    for (index, group) in table.groups().iter().enumerate().rev() {
        if group.first_at >= end.0 {
            continue;
        }
        if group.last_at < start.0 {
            break;
        }
        let part = group_bars(table.read_group(index)?, kind, timeframe, (start, end));
        found += part.len();
        parts.push(part);
        // The oldest bar may have begun in the group before, so it needs one more.
        if found > count.saturating_add(parts.len()) {
            break;
        }
    }
    for part in parts.into_iter().rev() {
        let mut part = part.into_iter();
        if let (Some(last), Some(first)) = (bars.last_mut(), part.as_slice().first())
            && last.open_at == first.open_at
        {
            last.merge(first);
            part.next();
        }
        bars.extend(part);
    }
    Ok(bars.split_off(bars.len().saturating_sub(count)))
}

/// The bars of one group, the last one included although it may go on in the next.
fn group_bars(columns: Vec<Vec<i64>>, kind: Kind, timeframe: Timeframe, (start, end): (Millis, Millis)) -> Vec<Bar> {
    let mut builder = BarBuilder::new(timeframe);
    let mut bars: Vec<Bar> = match kind {
        Kind::Ticks => TickColumns::from_parts(columns)
            .iter()
            .filter(|tick| (start.0..end.0).contains(&tick.at))
            .filter_map(|t| builder.take(Millis(t.at), Price::from_units(t.bid), Price::from_units(t.ask)))
            .collect(),
        Kind::Minutes => BarColumns::from_parts(columns)
            .iter()
            .filter(|bar| (start..end).contains(&bar.open_at))
            .filter_map(|bar| builder.take_bar(&bar))
            .collect(),
    };
    bars.extend(builder.current());
    bars
}

/// Bars from recorded minutes and from quotes; where both have one, the recorded stands.
pub(super) fn combine(minutes: Vec<Bar>, quotes: Vec<Bar>, count: usize) -> BarColumns {
    let merged = merge_bars(quotes.into_iter(), minutes.into_iter());
    let surplus = merged.len().saturating_sub(count);
    if surplus == 0 { merged } else { merged.iter().skip(surplus).collect() }
}
