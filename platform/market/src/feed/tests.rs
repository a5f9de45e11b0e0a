//! Feeds: replays that resume exactly, loops that keep time moving, a made-up market that is one market.

use super::*;
use crate::{
    catalogue::Catalogue,
    columns::{Tick, TickColumns},
    history::History,
};
use marque_domain::{
    bar::{Bar, Timeframe},
    calendar::{Calendar, CalendarId},
    fixed::Price,
    time::{DAY_MS, HOUR_MS, MINUTE_MS},
};
use proptest::prelude::*;
use std::sync::Arc;

const START: i64 = 1_398_902_400_000; // 2014-05-01, a Thursday
const EURUSD: InstrumentId = InstrumentId(0);
const XAUUSD: InstrumentId = InstrumentId(3);
const BTCUSD: InstrumentId = InstrumentId(4);

fn quotes(times: &[i64]) -> Arc<TickColumns> {
    Arc::new((1..).zip(times).map(|(bid, at)| Tick { at: START + at, bid, ask: bid + 1 }).collect())
}

fn replay_of(parts: &[&[i64]], looping: bool) -> Source {
    let ids = [EURUSD, XAUUSD, BTCUSD];
    let recordings = ids.into_iter().zip(parts.iter().map(|times| quotes(times))).collect();
    let options = ReplayOptions { looping, ..ReplayOptions::default() };
    Source::Replay(Replay::of_ticks(recordings, options).unwrap())
}

fn take(source: &mut Source, count: usize) -> Vec<Quote> {
    (0..count).map_while(|_| source.next().unwrap()).collect()
}

#[test]
fn recordings_are_merged_by_time_and_loop_by_weeks() {
    let mut source = replay_of(&[&[0, 5, 5, 9], &[5, 6]], true);
    let told: Vec<_> =
        take(&mut source, 8).into_iter().map(|q| (q.instrument.0, q.at.0 - START, q.bid.units())).collect();
    let week = 7 * DAY_MS;
    assert_eq!(
        told,
        [(0, 0, 1), (0, 5, 2), (0, 5, 3), (3, 5, 1), (3, 6, 2), (0, 9, 4), (0, week, 1), (0, week + 5, 2)]
    );
    let mut once = replay_of(&[&[0, 5]], false);
    assert_eq!(take(&mut once, 10).len(), 2);
    assert!(once.next().unwrap().is_none());
}

#[test]
fn nothing_to_replay_is_said_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let track = ReplayTrack { instrument: EURUSD, symbol: "EURUSD".to_owned() };
    let error =
        |tracks: &[ReplayTrack]| Replay::open(&history, tracks, ReplayOptions::default()).err().unwrap().to_string();
    assert!(error(&[track]).contains("no history of EURUSD"));
    assert!(error(&[]).contains("no instruments"));
    assert!(matches!(
        Replay::of_ticks(vec![(EURUSD, quotes(&[]))], ReplayOptions::default()),
        Err(FeedError::NoHistory(_))
    ));
    let mut replay = replay_of(&[&[1]], true);
    let cursor = Cursor::Synthetic(SyntheticCursor { at: Millis(0), instrument: EURUSD });
    assert!(matches!(replay.resume(&cursor), Err(FeedError::OtherFeed { stored: "synthetic", configured: "replay" })));
}

#[test]
fn minutes_are_played_as_four_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let bar = |minute: i64, [open, high, low, close]: [i64; 4]| Bar {
        open_at: Millis(START + minute * MINUTE_MS),
        open: Price::from_units(open),
        high: Price::from_units(high),
        low: Price::from_units(low),
        close: Price::from_units(close),
        spread: Price::from_units(2),
        volume: 1,
    };
    let bars = [bar(0, [10, 20, 5, 15]), bar(1, [15, 18, 9, 10])].into_iter().collect();
    history.merge_minutes("EURUSD", &bars).unwrap();
    let track = ReplayTrack { instrument: EURUSD, symbol: "EURUSD".to_owned() };
    let open = |options| Source::Replay(Replay::open(&history, std::slice::from_ref(&track), options).unwrap());
    let all = take(&mut open(ReplayOptions { looping: false, ..ReplayOptions::default() }), 100);
    assert_eq!(all.iter().map(|q| q.bid.units()).collect::<Vec<_>>(), [10, 5, 20, 15, 15, 18, 9, 10]);
    assert_eq!(
        all.iter().map(|q| q.at.0 - START).collect::<Vec<_>>(),
        [0, 20_000, 40_000, 59_999, 60_000, 80_000, 100_000, 119_999]
    );
    assert!(all.iter().all(|q| q.ask.units() - q.bid.units() == 2));
    // Rebuilt, they are the bars they came from.
    let mut builder = marque_domain::bar::BarBuilder::new(Timeframe::M1);
    let closed = all.iter().find_map(|q| builder.take(q.at, q.bid, q.ask)).unwrap();
    assert_eq!(Bar { volume: 1, ..closed }, bars.get(0).unwrap());
    // A window cuts by quote, not by bar.
    let options =
        ReplayOptions { from: Millis(START + 59_999), to: Millis(START + 80_000), looping: false, shift_weeks: 0 };
    assert_eq!(take(&mut open(options), 100).len(), 2);
}

#[test]
fn a_replay_from_disk_resumes_at_any_quote_over_groups_and_loops() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let ticks = |count: i64, every: i64| -> TickColumns {
        (0..count).map(|i| Tick { at: START + i * every, bid: 1 + i, ask: 2 + i }).collect()
    };
    history.merge_ticks("EURUSD", &ticks(140_000, 100)).unwrap();
    history.merge_ticks("XAUUSD", &ticks(1_000, 13_000)).unwrap();
    let tracks = [(EURUSD, "EURUSD"), (XAUUSD, "XAUUSD")]
        .map(|(instrument, symbol)| ReplayTrack { instrument, symbol: symbol.to_owned() });
    let open = || Source::Replay(Replay::open(&history, &tracks, ReplayOptions::default()).unwrap());
    let mut whole = open();
    let (mut all, mut cursors) = (vec![], vec![whole.cursor()]);
    for _ in 0..300_000 {
        all.push(whole.next().unwrap().unwrap());
        cursors.push(whole.cursor());
    }
    assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at));
    for stop in [0, 1, 999, 131_071, 131_072, 131_073, 140_999, 141_000, 141_001, 272_500] {
        let stored = postcard::to_allocvec(&cursors[stop]).unwrap();
        let mut again = open();
        again.resume(&postcard::from_bytes(&stored).unwrap()).unwrap();
        assert_eq!(again.cursor(), cursors[stop]);
        assert_eq!(take(&mut again, 2_000), all[stop..stop + 2_000], "resumed after {stop}");
    }
}

#[test]
fn a_replay_goes_on_in_time_when_history_has_grown() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path());
    let tracks = [ReplayTrack { instrument: EURUSD, symbol: "EURUSD".to_owned() }];
    let open = || Source::Replay(Replay::open(&history, &tracks, ReplayOptions::default()).unwrap());
    history.merge_ticks("EURUSD", &quotes(&[10, 20, 30, 40])).unwrap();
    let mut before = open();
    let last = take(&mut before, 6).pop().unwrap(); // in the second pass, at 20
    let cursor = before.cursor();
    history.merge_ticks("EURUSD", &quotes(&[5, 15, 25, 30 * DAY_MS])).unwrap();
    let mut after = open();
    after.resume(&cursor).unwrap();
    let next = take(&mut after, 12);
    assert_eq!(next[0].at.since(last.at), 5, "the new quote at 25");
    assert!(next.windows(2).all(|pair| pair[0].at < pair[1].at));
    // The open replay still plays the history it was opened with.
    assert_eq!(take(&mut before, 1)[0].at.since(last.at), 10);
}

#[test]
fn waits_follow_speed_and_are_capped() {
    let pace = |speed: &str| Pace { speed: speed.parse().unwrap(), wait_max: Duration::from_secs(5) };
    let (at, friday_to_sunday) = (Millis(START), Millis(START + 2 * DAY_MS));
    for (speed, next, want) in [
        ("1x", at.plus(250), Duration::from_millis(250)),
        ("1x", friday_to_sunday, Duration::from_secs(5)),
        ("60x", at.plus(250), Duration::from_nanos(4_166_666)),
        ("1000x", at.plus(1), Duration::from_micros(1)),
        ("max", friday_to_sunday, Duration::ZERO),
        ("1x", at.plus(-5), Duration::ZERO),
    ] {
        assert_eq!(pace(speed).wait(at, next), want, "{speed}");
        assert_eq!(pace(speed).speed.to_string(), speed);
    }
    for bad in ["", "0x", "x", "fast", "-1x", "1.5x"] {
        assert!(bad.parse::<Speed>().is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_replay_resumed_anywhere_equals_one_never_stopped(
        gaps in prop::collection::vec(prop::collection::vec(0..3_000_000_000_i64, 1..12), 1..4),
        stops in prop::collection::vec(0..60_usize, 1..6),
    ) {
        let parts: Vec<Vec<i64>> = gaps
            .iter()
            .map(|gaps| gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect())
            .collect();
        let parts: Vec<&[i64]> = parts.iter().map(Vec::as_slice).collect();
        let all = take(&mut replay_of(&parts, true), 80);
        prop_assert_eq!(all.len(), 80);
        prop_assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at), "time moves on");
        let rows: usize = parts.iter().map(|p| p.len()).sum();
        for (now, later) in all.iter().zip(all.iter().skip(rows)) {
            let moved = later.at.since(now.at);
            prop_assert!(moved > 0 && moved % (7 * DAY_MS) == 0, "whole weeks: {}", moved);
            prop_assert_eq!((now.instrument, now.bid), (later.instrument, later.bid));
        }
        for stop in stops {
            let mut first = replay_of(&parts, true);
            take(&mut first, stop);
            let mut second = replay_of(&parts, true);
            second.resume(&first.cursor()).unwrap();
            prop_assert_eq!(take(&mut second, 20), &all[stop..stop + 20]);
        }
    }
}

fn synthetic(ids: &[InstrumentId], from: i64) -> Source {
    Source::Synthetic(Synthetic::new(7, &Catalogue::embedded().unwrap(), ids, Millis(from)).unwrap())
}

fn window(id: InstrumentId, from: i64, to: i64) -> TickColumns {
    synthetic_history(7, &Catalogue::embedded().unwrap(), id, Millis(from), Millis(to)).unwrap()
}

#[test]
fn the_made_up_market_is_fixed_for_good() {
    // Golden: another machine, compiler or refactoring must give the same quotes. Change it only on purpose,
    // because stored cursors and recorded demos depend on it.
    let told: Vec<_> = take(&mut synthetic(&[EURUSD, XAUUSD, BTCUSD], START), 6)
        .iter()
        .map(|q| format!("{} {} {} {}", q.instrument.0, q.at.0 - START, q.bid, q.ask))
        .collect();
    assert_eq!(told, GOLDEN);
    let far = window(EURUSD, START + 4_000 * DAY_MS, START + 4_001 * DAY_MS);
    let sum = far.iter().fold(0_i64, |sum, t| sum.wrapping_mul(31).wrapping_add(t.at ^ t.bid ^ (t.ask << 7)));
    assert_eq!((far.len(), sum), GOLDEN_DAY);
}

const GOLDEN: [&str; 6] = [
    "3 204 4131.962 4132.281",
    "0 225 1.148 1.14809",
    "4 353 101066.44 101079.68",
    "0 489 1.148 1.14809",
    "3 767 4132.146 4132.465",
    "4 1018 101059.05 101072.29",
];
const GOLDEN_DAY: (usize, i64) = (25_977, -720_115_707_167_882_250);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_windowing_of_the_made_up_market_gives_the_same(
        from in START..START + 200 * DAY_MS,
        cuts in prop::collection::vec(0..HOUR_MS, 0..6),
        id in prop::sample::select(vec![EURUSD, XAUUSD, BTCUSD]),
    ) {
        let to = from + HOUR_MS;
        let whole = window(id, from, to);
        let mut cuts: Vec<i64> = cuts.into_iter().map(|cut| from + cut).chain([from, to]).collect();
        cuts.sort();
        // Newest window first: no state can have been carried along.
        let mut parts: Vec<TickColumns> = cuts.windows(2).rev().map(|pair| window(id, pair[0], pair[1])).collect();
        parts.reverse();
        let mut joined = TickColumns::default();
        parts.iter().for_each(|part| joined.extend(part.iter()));
        prop_assert_eq!(&joined, &whole);
        prop_assert!(whole.at.is_sorted_by(|a, b| a < b));
        prop_assert!(whole.iter().all(|t| t.bid > 0 && t.bid < t.ask && (from..to).contains(&t.at)));
        let mut live = synthetic(&[id], from);
        let told: TickColumns = take(&mut live, whole.len()).iter().map(|q| Tick { at: q.at.0, bid: q.bid.units(), ask: q.ask.units() }).collect();
        prop_assert_eq!(told, whole);
    }

    #[test]
    fn the_made_up_market_resumed_anywhere_equals_one_never_stopped(stop in 0..400_usize, from in START..START + 30 * DAY_MS) {
        let ids = [BTCUSD, EURUSD, XAUUSD];
        let mut whole = synthetic(&ids, from);
        take(&mut whole, stop);
        let stored = postcard::to_allocvec(&whole.cursor()).unwrap();
        let mut again = synthetic(&ids, START - DAY_MS);
        again.resume(&postcard::from_bytes(&stored).unwrap()).unwrap();
        prop_assert_eq!(take(&mut again, 100), take(&mut whole, 100));
    }
}

#[test]
fn the_made_up_market_keeps_sessions_and_skips_on_demand() {
    for (id, calendar) in [(EURUSD, CalendarId::Forex), (XAUUSD, CalendarId::Metals), (BTCUSD, CalendarId::Continuous)]
    {
        let calendar = Calendar::of(calendar);
        let week = window(id, START, START + 7 * DAY_MS);
        assert!(week.at.iter().all(|at| calendar.is_open(Millis(*at))));
        let gap = week.at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        let weekend = id != BTCUSD;
        assert_eq!(gap > 47 * HOUR_MS, weekend, "{gap}");
    }
    let mut source = Synthetic::new(7, &Catalogue::embedded().unwrap(), &[EURUSD], Millis(START)).unwrap();
    source.skip_to(Millis(START + HOUR_MS));
    let next = source.next().unwrap();
    assert_eq!(next.at.0, window(EURUSD, START + HOUR_MS, START + 2 * HOUR_MS).at[0]);
    source.skip_to(Millis(START));
    assert!(source.next().unwrap().at > next.at, "never back");
    let unknown = Synthetic::new(7, &Catalogue::embedded().unwrap(), &[InstrumentId(99)], Millis(START));
    assert!(matches!(unknown, Err(FeedError::UnknownInstrument(InstrumentId(99)))));
}

/// Figures by which a trader would tell a market from noise.
#[test]
fn the_made_up_market_looks_like_one() {
    let catalogue = Catalogue::embedded().unwrap();
    for instrument in catalogue.all() {
        let profile = catalogue.profile(instrument.id).unwrap();
        let level = profile.level.units() as f64;
        let (mut ranges, mut rate, mut spreads) = (vec![], vec![], vec![]);
        for day in (0..4).map(|n| START + n * 70 * DAY_MS) {
            let ticks = window(instrument.id, day, day + DAY_MS); // Thursdays
            let (low, high) = (ticks.bid.iter().min().unwrap(), ticks.bid.iter().max().unwrap());
            ranges.push((high - low) as f64 / level * 10_000.0);
            rate.push(ticks.len() as f64 / 86_400.0);
            spreads.extend(ticks.iter().map(|t| (t.ask - t.bid) / instrument.tick_size.units()));
            let strayed = ticks.bid.iter().map(|bid| (*bid as f64 / level - 1.0).abs()).fold(0.0, f64::max);
            assert!(strayed < 0.5, "{}: {strayed}", instrument.symbol);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let spread = spreads.iter().sum::<i64>() as f64 / spreads.len() as f64;
        let (range, rate) = (mean(&ranges), mean(&rate));
        let stated = f64::from(profile.daily_move_bp);
        println!(
            "{}: range {range:.1} bp (stated {stated}), {rate:.2} quotes/s, spread {spread:.1}",
            instrument.symbol
        );
        assert!((0.5 * stated..2.0 * stated).contains(&range), "{} {range}", instrument.symbol);
        assert!((3.0..5.0).contains(&rate), "{} {rate}", instrument.symbol);
        assert!((0.75..1.25).contains(&(spread / f64::from(profile.spread_ticks))), "{} {spread}", instrument.symbol);
    }
}

#[test]
fn cursors_from_nowhere_end_a_feed_and_break_nothing() {
    for at in [i64::MIN, i64::MIN + 1, 0, i64::MAX - 1, i64::MAX] {
        let mut source = synthetic(&[EURUSD], START);
        let cursor = SyntheticCursor { at: Millis(at), instrument: EURUSD };
        source.resume(&Cursor::Synthetic(cursor)).unwrap();
        assert_eq!(source.next().unwrap().is_some(), at <= 0);
        let mut replay = replay_of(&[&[0, 5], &[3]], true);
        for rows in [vec![], vec![u64::MAX; 2], vec![1; 3]] {
            let fingerprint = match replay.cursor() {
                Cursor::Replay(cursor) => cursor.fingerprint,
                Cursor::Synthetic(_) => panic!("a replay"),
            };
            let cursor = ReplayCursor { recorded_at: Some(Millis(at)), shift_ms: i64::MAX, rows, fingerprint };
            replay.resume(&Cursor::Replay(cursor)).unwrap();
            let _ = replay.next().unwrap();
        }
    }
}
