//! The strategies that we ship, each through sandbox, gate and simulated venue: over synthetic markets always, and over
//! recordings where they are present.

use crate::{
    fixture::{built, eurusd, host, sandbox},
    orders::Journal,
};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::Timeframe,
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, UserId},
    instrument::{Currency, Instrument},
    order::{OrderState, Position},
    plugin::PluginRef,
    time::{MINUTE_MS, Millis},
};
use marque_engine::{
    Record,
    backtest::{self, Pace, Recording, Setup, Summary},
    port::{BarRun, TickRun},
    venue::{Slippage, VenueModel},
};
use std::{io::Read, ops::ControlFlow, path::PathBuf, sync::Arc};

/// Monday 5 May 2014, 00:00 UTC.
const MONDAY: i64 = 1_399_248_000_000;

fn gold() -> Instrument {
    Instrument {
        symbol: "XAUUSD".to_owned(),
        name: "Gold against US dollar".to_owned(),
        tick_size: "0.01".parse().unwrap(),
        pip: "0.1".parse().unwrap(),
        contract_size: 100,
        ..eurusd()
    }
}

/// What is tested: a strategy with its settings, its bars, and its instrument.
struct Case {
    name: &'static str,
    settings: &'static str,
    timeframe: Timeframe,
    instrument: Instrument,
}

fn sma_cross() -> Case {
    let settings = r#"{"fast":10,"slow":20,"lots":0.1,"stop_pips":20,"target_pips":60}"#;
    Case { name: "sma-cross", settings, timeframe: Timeframe::M1, instrument: eurusd() }
}

fn bos_retest() -> Case {
    let settings = r#"{"lots":1,"risk_percent":0.5,"retest_minutes":90}"#;
    Case { name: "bos-retest", settings, timeframe: Timeframe::M1, instrument: eurusd() }
}

fn submarine() -> Case {
    let settings = r#"{"lots":1,"from_hour":7,"session_hours":10,"range_atr":30,"calm":0.3,"storm":5}"#;
    Case { name: "submarine-gold", settings, timeframe: Timeframe::M5, instrument: gold() }
}

fn ferrari() -> Case {
    Case { name: "ferrari-scalper", settings: r#"{"lots":0.5}"#, timeframe: Timeframe::M1, instrument: eurusd() }
}

fn go(case: &Case, recording: Recording<'_>, pace: Pace) -> (Journal, Summary) {
    let mut journal = Journal::default();
    let host = Arc::new(host(&built()[case.name]));
    let summary = backtest::run(&setup(case), recording, pace, host, &mut journal).unwrap();
    (journal, summary)
}

fn setup(case: &Case) -> Setup {
    let component = &built()[case.name];
    let digest = sandbox().inspect(component).unwrap().digest;
    Setup {
        terms: AccountTerms {
            id: AccountId(1),
            user: UserId(1),
            name: "Shipped".to_owned(),
            currency: Currency::USD,
            initial_balance: Money::whole(100_000),
            leverage: 100,
            mode: PositionMode::Hedging,
            margin: MarginLevels::default(),
            trades_per_day: None,
            rules: Vec::new(),
        },
        deployment: Deployment {
            id: DeploymentId(2),
            account: AccountId(1),
            plugin: PluginRef { digest, name: case.name.to_owned(), settings: case.settings.to_owned() },
            instrument: case.instrument.id,
            timeframe: case.timeframe,
            status: DeploymentStatus::Running,
            created_at: Millis(0),
        },
        instrument: case.instrument.clone(),
        venue: VenueModel {
            commission_per_lot: "3.5".parse().unwrap(),
            slippage: Slippage::Random(case.instrument.tick_size),
            latency_ms: 50,
            ..VenueModel::default()
        },
    }
}

fn opened(journal: &Journal) -> Vec<&Position> {
    let opened = journal.records.iter().filter_map(|record| match record {
        Record::PositionOpened(position) => Some(position),
        _ => None,
    });
    opened.collect()
}

/// What holds for each of them: it never fails, it trades, and what it opens is guarded.
fn is_sound(case: &Case, journal: &Journal, summary: &Summary) {
    let positions = opened(journal);
    assert_eq!(journal.faults(), 0, "{}", case.name);
    assert!(!positions.is_empty(), "{} did not trade: {:?}", case.name, journal.denials().first());
    assert!(positions.iter().all(|p| p.stop_loss.is_some() && p.take_profit.is_some()), "{}", case.name);
    let cash = journal.records.iter().map(|record| match record {
        Record::Moved(moved) => moved.cash(),
        _ => Money::ZERO,
    });
    assert_eq!(cash.fold(Money::ZERO, Money::saturating_add), summary.balance);
    let rejected =
        journal.records.iter().filter(|r| matches!(r, Record::OrderMoved(o) if o.state == OrderState::Rejected));
    println!(
        "{}: {} positions, {} rejected, {} denied, balance {:.2}, equity {:.2}",
        case.name,
        positions.len(),
        rejected.count(),
        journal.denials().len(),
        summary.balance,
        summary.equity
    );
}

/// Numbers that look random and are the same everywhere.
fn rolls(seed: u64) -> impl FnMut(i64) -> i64 {
    let mut state = seed;
    move |sides| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % sides
    }
}

/// Minutes of a week of trading days: a walk with a drift that turns every few hours, livelier by day.
fn minutes(from: i64, tick: i64, lively: i64) -> [Vec<i64>; 7] {
    let (mut roll, mut close, mut drift) = (rolls(11), from, 0);
    let mut columns: [Vec<i64>; 7] = Default::default();
    for minute in 0..4 * 1_440 {
        if minute % 97 == 0 {
            drift = roll(5) - 2;
        }
        let hour = minute / 60 % 24;
        let size = if (7..17).contains(&hour) { lively } else { lively / 2 };
        let open = close;
        close = (close + (roll(2 * size + 1) - size + drift) * tick).max(tick * 1_000);
        let (high, low) = (open.max(close) + roll(size) * tick, open.min(close) - roll(size) * tick);
        let row = [MONDAY + minute * MINUTE_MS, open, high, low, close, tick * 8, 4];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
}

fn bars(columns: &[Vec<i64>; 7]) -> BarRun<'_> {
    let [open_at, open, high, low, close, spread, volume] = columns;
    BarRun { open_at, open, high, low, close, spread, volume }
}

/// Quotes that stand around, and now and then run and come back.
fn quotes() -> [Vec<i64>; 3] {
    let (mut roll, mut at, mut bid, mut run) = (rolls(5), MONDAY + 8 * 3_600_000, 110_000_000, 0_i64);
    let mut columns: [Vec<i64>; 3] = Default::default();
    for _ in 0..30_000 {
        at += 50 + roll(900);
        if roll(400) == 0 {
            run = (roll(2) * 2 - 1) * 12;
        }
        let ahead = if run.abs() > 6 { run.signum() } else { -run.signum() };
        bid += (roll(5) - 2 + ahead * 4) * 1_000;
        run -= run.signum();
        let row = [at, bid, bid + (3 + roll(4)) * 1_000];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
}

fn ticks(columns: &[Vec<i64>; 3]) -> TickRun<'_> {
    let [at, bid, ask] = columns;
    TickRun { at, bid, ask }
}

#[test]
fn each_trades_soundly_over_a_synthetic_market_and_alike_in_runs_and_steps() {
    let (euro, metal, fast) = (minutes(110_000_000, 1_000, 12), minutes(129_000_000_000, 1_000_000, 14), quotes());
    let cases = [
        (sma_cross(), Recording::Minutes(bars(&euro))),
        (bos_retest(), Recording::Minutes(bars(&euro))),
        (submarine(), Recording::Minutes(bars(&metal))),
        (ferrari(), Recording::Ticks(ticks(&fast))),
    ];
    for (case, recording) in cases {
        let (runs, summary) = go(&case, recording, Pace::Runs);
        is_sound(&case, &runs, &summary);
        let (steps, stepped) = go(&case, recording, Pace::Steps);
        assert!(runs.records == steps.records, "{}: runs and steps differ", case.name);
        assert_eq!(summary, stepped, "{}", case.name);
        let mut watch = |_| ControlFlow::Continue(());
        for pace in [Pace::Runs, Pace::Steps] {
            let host = Arc::new(host(&built()[case.name]));
            let ran = backtest::run_quick::<Journal>(&setup(&case), recording, pace, host, &mut watch);
            let (quick, summary) = ran.unwrap();
            assert!(quick.records == steps.records, "{}: without kept states it differs", case.name);
            assert_eq!(summary, stepped, "{}", case.name);
        }
    }
}

/// A recording of the shared folder, as rows of numbers in units of 1e-8 behind their time; none when it is not there.
fn recorded(name: &str, rows: usize) -> Option<Vec<Vec<i64>>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let beside = here.ancestors().map(|folder| folder.join("shared/data")).collect::<Vec<_>>();
    let given = std::env::var_os("MARQUE_SHARED_DATA").map(PathBuf::from);
    let path = given.into_iter().chain(beside).map(|folder| folder.join(name)).find(|path| path.is_file())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let row = |line: &str| {
        let mut fields = line.split(',');
        let at = fields.next().unwrap().parse().unwrap();
        std::iter::once(at).chain(fields.map(|field| field.parse::<Price>().unwrap().units())).collect()
    };
    Some(text.lines().skip(1).take(rows).map(row).collect())
}

/// The minutes of such a recording.
fn recorded_minutes(name: &str) -> Option<[Vec<i64>; 7]> {
    let mut columns: [Vec<i64>; 7] = Default::default();
    for row in recorded(name, usize::MAX)? {
        let [at, open, high, low, close, _, _, _, ask] = row[..] else { panic!("{row:?}") };
        let row = [at, open, high, low, close, (ask - close).max(0), 1];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    Some(columns)
}

#[test]
fn each_trades_soundly_over_a_recording() {
    if let Some(euro) = recorded_minutes("eurusd-m1-fxcm-2014-05.csv.gz") {
        for case in [sma_cross(), bos_retest()] {
            let (journal, summary) = go(&case, Recording::Minutes(bars(&euro)), Pace::Runs);
            is_sound(&case, &journal, &summary);
            let (again, _) = go(&case, Recording::Minutes(bars(&euro)), Pace::Runs);
            assert!(!journal.records.is_empty());
            assert_eq!(
                format!("{:?}", journal.records),
                format!("{:?}", again.records),
                "the same events, the same effects"
            );
        }
    }
    if let Some(metal) = recorded_minutes("xauusd-m1-oanda-2014-05.csv.gz") {
        let (journal, summary) = go(&submarine(), Recording::Minutes(bars(&metal)), Pace::Runs);
        is_sound(&submarine(), &journal, &summary);
    }
    if let Some(rows) = recorded("eurusd-ticks-fxcm-2014-05.csv.gz", 200_000) {
        let mut fast: [Vec<i64>; 3] = Default::default();
        for row in rows {
            fast.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let (journal, summary) = go(&ferrari(), Recording::Ticks(ticks(&fast)), Pace::Runs);
        is_sound(&ferrari(), &journal, &summary);
        let longest = opened(&journal).into_iter().map(|p| p.lots).max();
        assert_eq!(longest, Some("0.5".parse::<Lots>().unwrap()));
    }
}
