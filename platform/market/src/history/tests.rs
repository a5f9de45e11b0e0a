//! History on disk: what goes in comes out, bars of every length, and files that are damaged.

use super::*;
use crate::columns::Tick;
use marque_domain::{
    bar::{Bar, BarBuilder},
    fixed::Price,
    time::{DAY_MS, HOUR_MS, MINUTE_MS},
};
use proptest::prelude::*;

const START: i64 = 1_398_902_400_000; // 2014-05-01, a Thursday

fn ticks(count: i64, every_ms: i64) -> TickColumns {
    let tick = |i: i64| {
        let bid = 138_700_000 + (i * 7_919 % 2_003) * 1_000;
        Tick { at: START + i * every_ms, bid, ask: bid + i % 3 * 1_000 }
    };
    (0..count).map(tick).collect()
}

fn minute(at: i64, price: i64) -> Bar {
    Bar::first(Timeframe::M1, Millis(at), Price::from_units(price), Price::from_units(price + 1))
}

#[test]
fn quotes_survive_the_disk_over_several_groups() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let all = ticks(300_000, 700);
    let merged = history.merge_ticks("EURUSD", &all).unwrap();
    assert_eq!(merged, Merged { rows_before: 0, rows_after: 300_000, changed: true });
    assert_eq!(history.ticks("EURUSD").unwrap(), all);
    let table = history.table("EURUSD", Kind::Ticks).unwrap().unwrap();
    assert_eq!(table.groups().iter().map(|g| g.rows).collect::<Vec<_>>(), [131_072, 131_072, 37_856]);
    assert_eq!(table.group_of(131_072), Some(1));
    assert_eq!(table.group_of(300_000), None);
    let bytes = fs::metadata(folder.path().join("EURUSD/ticks.parquet")).unwrap().len();
    assert!(bytes < 300_000 * 8, "{bytes} bytes for 300,000 quotes: a third of what memory takes, or less");
}

#[test]
fn the_list_shows_what_is_there_and_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path().join("history"));
    assert!(history.list().unwrap().is_empty());
    history.merge_ticks("EURUSD", &ticks(10, 1_000)).unwrap();
    let bars: BarColumns = [minute(START, 5), minute(START + MINUTE_MS, 6)].into_iter().collect();
    history.merge_minutes("EURUSD", &bars).unwrap();
    history.merge_minutes("XAUUSD", &bars).unwrap();
    fs::write(folder.path().join("history/XAUUSD/ticks.parquet"), b"PAR1 nonsense PAR1").unwrap();
    fs::create_dir(folder.path().join("history/lower case")).unwrap();
    let listed: Vec<_> = history
        .list()
        .unwrap()
        .into_iter()
        .map(|l| (l.symbol, l.kind, l.holding.map(|h| (h.rows, h.first.0 - START, h.last.0 - START)).ok()))
        .collect();
    assert_eq!(
        listed,
        [
            ("EURUSD".to_owned(), Kind::Ticks, Some((10, 0, 9_000))),
            ("EURUSD".to_owned(), Kind::Minutes, Some((2, 0, MINUTE_MS))),
            ("XAUUSD".to_owned(), Kind::Ticks, None),
            ("XAUUSD".to_owned(), Kind::Minutes, Some((2, 0, MINUTE_MS))),
        ]
    );
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let long = "A".repeat(33);
    for symbol in ["", "..", ".", "A/B", "../A", "eurusd", "A\\B", "A\0", ".A", "A.", long.as_str()] {
        assert!(matches!(history.ticks(symbol), Err(HistoryError::NotASymbol(_))), "{symbol}");
        assert!(matches!(history.merge_ticks(symbol, &ticks(1, 1)), Err(HistoryError::NotASymbol(_))), "{symbol}");
    }
    assert!(history.ticks("US500.CASH").unwrap().is_empty());
}

#[test]
fn unfit_rows_are_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let tick = |at, bid, ask| Tick { at, bid, ask };
    for rows in
        [vec![tick(2, 1, 1), tick(1, 1, 1)], vec![tick(i64::MIN, 1, 1)], vec![tick(1, 2, 1)], vec![tick(1, 0, 1)]]
    {
        let columns = rows.into_iter().collect();
        assert!(matches!(history.merge_ticks("EURUSD", &columns), Err(HistoryError::Unfit(_))));
    }
    for bars in [vec![minute(START, 5), minute(START, 5)], vec![Bar { open_at: Millis(START + 1), ..minute(START, 5) }]]
    {
        let columns = bars.into_iter().collect();
        assert!(matches!(history.merge_minutes("EURUSD", &columns), Err(HistoryError::Unfit(_))));
    }
    assert!(history.list().unwrap().is_empty());
}

/// Bars of a timeframe built in one pass over everything, the slow and obvious way; those closed at `before`.
fn all_bars(quotes: &TickColumns, timeframe: Timeframe, before: i64) -> Vec<Bar> {
    let mut builder = BarBuilder::new(timeframe);
    let price = Price::from_units;
    let mut bars: Vec<Bar> =
        quotes.iter().filter_map(|t| builder.take(Millis(t.at), price(t.bid), price(t.ask))).collect();
    bars.extend(builder.current());
    bars.retain(|bar| bar.open_at.0 + timeframe.length_ms() <= before);
    bars
}

#[test]
fn bars_of_every_length_agree_with_one_pass_over_all_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    // Four days, then a weekend without quotes, then two more: over three groups.
    let mut quotes = ticks(200_000, 1_700);
    let gap = 2 * DAY_MS + 3 * HOUR_MS;
    quotes.at.iter_mut().skip(120_000).for_each(|at| *at += gap);
    history.merge_ticks("EURUSD", &quotes).unwrap();
    let last = quotes.at.last().unwrap() + 1;
    for timeframe in Timeframe::ALL {
        for before in
            [i64::MIN, START, START + 1, START + DAY_MS, START + 3 * DAY_MS + 12_345, last, last + DAY_MS, i64::MAX]
        {
            for count in [0, 1, 2, 100, BARS_MAX] {
                let mut want = all_bars(&quotes, timeframe, before);
                let got = history.bars("EURUSD", timeframe, Millis(before), count).unwrap();
                let want = want.split_off(want.len().saturating_sub(count));
                assert_eq!(got.iter().collect::<Vec<_>>(), want, "{timeframe} before {before}, {count}");
            }
        }
    }
    let (from, to) = (Millis(START + 90 * MINUTE_MS), Millis(START + 5 * HOUR_MS));
    let hours = history.bars_between("EURUSD", Timeframe::H1, from, to, 100).unwrap();
    assert_eq!(hours.span(), Some((Millis(START + 2 * HOUR_MS), Millis(START + 4 * HOUR_MS))));
    assert_eq!(
        history.bars_between("EURUSD", Timeframe::H1, from, to, 1).unwrap().span().unwrap().0,
        Millis(START + 4 * HOUR_MS)
    );
    assert!(history.bars_between("EURUSD", Timeframe::H1, to, from, 100).unwrap().is_empty());
    let days = history.bars("EURUSD", Timeframe::D1, Millis(last + DAY_MS), 100).unwrap();
    assert!(days.open_at.windows(2).any(|pair| pair[1] - pair[0] > DAY_MS), "the weekend is a gap, not empty bars");
}

#[test]
fn recorded_minutes_stand_before_bars_from_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    history.merge_ticks("EURUSD", &ticks(300, 1_000)).unwrap(); // five minutes
    let recorded: BarColumns = [minute(START - MINUTE_MS, 7), minute(START + MINUTE_MS, 8)].into_iter().collect();
    history.merge_minutes("EURUSD", &recorded).unwrap();
    let bars = history.bars("EURUSD", Timeframe::M1, Millis(START + DAY_MS), 100).unwrap();
    assert_eq!(bars.len(), 6);
    assert_eq!(bars.get(0), recorded.get(0));
    assert_eq!(bars.get(2), recorded.get(1));
    assert_eq!(bars.volume, [1, 60, 1, 60, 60, 60]);
    assert_eq!(history.bars("EURUSD", Timeframe::M1, Millis(START + DAY_MS), 2).unwrap().volume, [60, 60]);
}

#[test]
fn damage_is_an_error_never_a_panic_and_never_wrong_values() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let all = ticks(3_000, 900);
    history.merge_ticks("EURUSD", &all).unwrap();
    let path = folder.path().join("EURUSD/ticks.parquet");
    let whole = fs::read(&path).unwrap();
    let mut noticed = 0;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= if place % 2 == 0 { 0xFF } else { 1 << (place / 2 % 8) };
        fs::write(&path, bytes).unwrap();
        match history.ticks("EURUSD") {
            // Statistics and page headers may change without changing a value.
            Ok(read) => assert_eq!(read, all, "byte {place}"),
            Err(error) => {
                noticed += 1;
                assert!(error.to_string().contains("import the recording again"), "{error}");
            }
        }
    }
    assert!(noticed > whole.len() / 2, "{noticed} of {}", whole.len());
    for length in (0..whole.len()).step_by(37) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(history.ticks("EURUSD"), Err(HistoryError::Corrupt { .. })), "cut to {length}");
    }
    // The broken file stops an import as well: it does not vanish under a new one.
    assert!(history.merge_ticks("EURUSD", &all).is_err());
    fs::remove_file(&path).unwrap();
    assert!(history.merge_ticks("EURUSD", &all).is_ok());
}

#[test]
fn the_right_file_in_the_wrong_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    history.merge_ticks("EURUSD", &ticks(10, 1_000)).unwrap();
    let place = |kind: Kind| folder.path().join("EURUSD").join(kind.file_name());
    fs::copy(place(Kind::Ticks), place(Kind::Minutes)).unwrap();
    let error = history.minutes("EURUSD").unwrap_err().to_string();
    assert!(error.contains("it was not written by Marque as m1-1"), "{error}");
}

#[test]
fn a_leftover_of_an_import_that_was_killed_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    history.merge_ticks("EURUSD", &ticks(10, 1_000)).unwrap();
    let leftover = folder.path().join("EURUSD/ticks.parquet.new");
    fs::write(&leftover, b"half a file").unwrap();
    assert_eq!(history.ticks("EURUSD").unwrap().len(), 10);
    history.merge_ticks("EURUSD", &ticks(20, 1_000)).unwrap();
    assert_eq!(history.ticks("EURUSD").unwrap().len(), 20);
    assert!(!leftover.exists());
}

#[test]
fn imports_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    std::thread::scope(|scope| {
        for part in 0..8 {
            let history = &history;
            scope.spawn(move || {
                let mut quotes = ticks(500, 1_000);
                quotes.at.iter_mut().for_each(|at| *at += part);
                history.merge_ticks("EURUSD", &quotes).unwrap();
            });
        }
    });
    let all = history.ticks("EURUSD").unwrap();
    assert_eq!(all.len(), 4_000);
    assert!(all.at.is_sorted());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_rows_survive_the_disk(rows in prop::collection::vec((TIME_MIN.0..=TIME_MAX.0, 1..i64::MAX, 0..i64::MAX), 1..200)) {
        let mut rows = rows;
        rows.sort();
        let quotes: TickColumns =
            rows.into_iter().map(|(at, bid, spread)| Tick { at, bid, ask: bid.saturating_add(spread) }).collect();
        let folder = tempfile::tempdir().unwrap();
        let history = History::at(folder.path());
        history.merge_ticks("EURUSD", &quotes).unwrap();
        prop_assert_eq!(&history.ticks("EURUSD").unwrap(), &quotes);
        prop_assert!(!history.merge_ticks("EURUSD", &quotes).unwrap().changed);
    }

    #[test]
    fn any_bars_survive_the_disk(rows in prop::collection::btree_map(-10_000..40_000_000_i64, (1..1_000_i64, 0..50_i64, 0..50_i64, any::<i64>()), 1..200)) {
        let bar = |(at, (low, up, more, volume)): (i64, (i64, i64, i64, i64))| Bar {
            open_at: Millis(at * MINUTE_MS),
            open: Price::from_units(low + up),
            high: Price::from_units(low + up + more),
            low: Price::from_units(low),
            close: Price::from_units(low + up.min(more)),
            spread: Price::from_units(more),
            volume,
        };
        let bars: BarColumns = rows.into_iter().map(bar).collect();
        let folder = tempfile::tempdir().unwrap();
        let history = History::at(folder.path());
        history.merge_minutes("EURUSD", &bars).unwrap();
        prop_assert_eq!(history.minutes("EURUSD").unwrap(), bars);
    }
}
