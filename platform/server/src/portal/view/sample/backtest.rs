//! Sample data for backtests. Prices and trades follow from a few fixed waves: a report that looks like one, of nothing.

use super::{Sample, Shell};
use crate::{
    backtest::{AccountSpec, Candle, Kind, PluginSpec, Rank, Report, Row, Source, Spec, Window, result_digest},
    portal::view::{
        BacktestForm, BacktestList, BacktestPage, BacktestRow, Banner, CertificateView, Clock, Deploy, Field,
        FieldKind, Pager, ReportView, Setting, StrategyCard, Tone, backtest_kind_words, settings_list, status_badge,
    },
};
use marque_domain::{
    account::{MarginLevels, PositionMode},
    bar::Timeframe,
    fixed::{Lots, Money, Price},
    id::{BacktestId, PositionId, UserId},
    instrument::Currency,
    order::{Origin, Side},
    plugin::PluginDigest,
    time::{DAY_MS, HOUR_MS, Millis, Zone},
};
use marque_engine::{
    backtest::{Outcome, Statistics, Trade, outcome::Exit, stats::Measured},
    venue::VenueModel,
};
use marque_store::{Backtest, BacktestStatus};
use serde_json::json;

/// 2014-05-01, a Thursday.
const BEGIN: Millis = Millis(1_398_902_400_000);
const HOURS: i64 = 24 * 21;
const SETTINGS: &str = r#"{"fast":12,"lots":0.1,"slow":26}"#;

fn spec(kind: Kind) -> Spec {
    Spec {
        strategy: PluginSpec {
            digest: PluginDigest([7; 32]),
            name: "ema-cross".to_owned(),
            version: "1.0.0".to_owned(),
            settings: SETTINGS.to_owned(),
        },
        rules: Vec::new(),
        symbol: "EURUSD".to_owned(),
        swap: None,
        timeframe: Timeframe::M5,
        source: Source::Minutes,
        from: BEGIN,
        to: BEGIN.plus(30 * DAY_MS),
        account: AccountSpec {
            currency: Currency::USD,
            balance: Money::whole(10_000),
            leverage: 100,
            mode: PositionMode::Hedging,
            margin: MarginLevels::default(),
        },
        venue: VenueModel { commission_per_lot: Money::from_units(350_000_000), seed: 7, ..VenueModel::default() },
        kind,
    }
}

/// A price in units, by the hour.
fn price(hour: i64) -> i64 {
    138_000_000 + (hour * 37 % 101 - 50) * 2_000 + (hour * 11 % 263 - 131) * 1_500
}

fn trades() -> Vec<Trade> {
    let trade = |number: i64| {
        let (open, close) = (number * 11, number * 11 + 7);
        let side = if number % 3 == 0 { Side::Sell } else { Side::Buy };
        Trade {
            position: PositionId(number + 1),
            side,
            lots: Lots::from_units(10_000_000),
            opened_at: BEGIN.plus(open * HOUR_MS),
            open_price: Price::from_units(price(open)),
            closed: (number < 44).then(|| Exit {
                at: BEGIN.plus(close * HOUR_MS),
                price: Price::from_units(price(close)),
                gross: Money::whole((number * 29 % 47) - 20),
                origin: if number % 5 == 0 { Origin::StopLoss } else { Origin::Strategy },
            }),
            left_at: None,
            commission: Money::from_units(70_000_000),
            swap: Money::ZERO,
        }
    };
    (0..45).map(trade).collect()
}

fn outcome() -> Outcome {
    let trades = trades();
    let worth = |at: Millis| {
        let nets = trades.iter().filter(|t| t.closed.is_some_and(|exit| exit.at <= at)).filter_map(Trade::net);
        nets.fold(Money::whole(10_000), Money::saturating_add)
    };
    let hours = (0..=HOURS).map(|hour| BEGIN.plus(hour * HOUR_MS));
    let curve: Vec<(Millis, Money)> = hours.map(|at| (at, worth(at))).collect();
    let days = curve.iter().copied().skip(23).step_by(24).collect();
    let equity = curve.last().map_or(Money::ZERO, |(_, equity)| *equity);
    Outcome {
        initial: Money::whole(10_000),
        balance: equity,
        equity,
        quotes: 124_000,
        bars: 6_000,
        trades,
        trades_dropped: 0,
        refused: 3,
        faults: 0,
        first_fault: None,
        host_faults: 0,
        days,
        curve,
    }
}

fn report(rows: bool, windows: bool) -> Report {
    let outcome = outcome();
    let statistics = Measured::of(&outcome).statistics();
    let row = |fast: i64| Row {
        settings: json!({ "fast": fast, "slow": 26 }).to_string(),
        statistics: (fast < 26).then(|| Statistics { net_profit: Money::whole(240 - fast * 9), ..statistics.clone() }),
        fault: (fast >= 26).then(|| "the test could not start: fast must be below slow".to_owned()),
    };
    let window = |number: i64| Window {
        chosen_from: BEGIN.plus(number * 5 * DAY_MS),
        tried_from: BEGIN.plus((number * 5 + 10) * DAY_MS),
        tried_to: BEGIN.plus((number * 5 + 15) * DAY_MS),
        settings: json!({ "fast": 5 + number, "slow": 26 }).to_string(),
        chosen: statistics.clone(),
        tried: Statistics { net_profit: Money::whole(60 - number * 45), ..statistics.clone() },
    };
    let candle = |hour: i64| Candle {
        at: BEGIN.plus(hour * HOUR_MS).0,
        open: price(hour),
        high: price(hour).max(price(hour + 1)) + 40_000,
        low: price(hour).min(price(hour + 1)) - 40_000,
        close: price(hour + 1),
    };
    Report {
        result_digest: result_digest(&outcome),
        statistics: statistics.clone(),
        rows: if rows { [5, 8, 12, 20, 40].map(row).into() } else { Vec::new() },
        windows: if windows { (0..3).map(window).collect() } else { Vec::new() },
        settings: if windows { String::new() } else { SETTINGS.to_owned() },
        data_rows: 31_000,
        data_span: (BEGIN, BEGIN.plus(30 * DAY_MS)),
        data_digest: [5; 32],
        chart: Timeframe::H1,
        candles: (0..HOURS).map(candle).collect(),
        outcome,
    }
}

fn stored(status: BacktestStatus, kind: &Kind) -> Backtest {
    let done = status == BacktestStatus::Done;
    let summary = || serde_json::to_string(&report(false, false).statistics).unwrap_or_default();
    Backtest {
        id: BacktestId(3_141_592_653_589_793),
        user: UserId(1),
        kind: kind.name().to_owned(),
        spec: String::new(),
        status,
        done: 420,
        runs: 12,
        cancel_asked: false,
        fault: None,
        summary: done.then(summary),
        created_at: BEGIN,
        started_at: None,
        finished_at: None,
    }
}

fn page(status: BacktestStatus, kind: Kind) -> BacktestPage {
    let (rows, windows) = (matches!(kind, Kind::Sweep { .. }), matches!(kind, Kind::Forward { .. }));
    let (spec, clock) = (spec(kind), Clock::new(Zone::utc()));
    let done = status == BacktestStatus::Done;
    let mut view = ReportView::of("bkt_x", &spec, &report(rows, windows), 5, &clock);
    view.certificate = (!windows).then(|| CertificateView {
        href: "/backtests/bkt_x/certificate.json".to_owned(),
        binds: vec![
            Setting { label: "Plugin".to_owned(), value: "0707070707070707".to_owned() },
            Setting { label: "Result".to_owned(), value: "9f3a5c0017e2b4d8".to_owned() },
        ],
        command: "marque verify certificate.json --plugin ema-cross.wasm --data history".to_owned(),
    });
    BacktestPage {
        id: "bkt_x".to_owned(),
        title: "ema-cross on EURUSD M5".to_owned(),
        status: status_badge(status),
        about: "1 May 2014 to 31 May 2014, recorded minutes".to_owned(),
        kind: backtest_kind_words(spec.kind.name()),
        settings: settings_list(SETTINGS, None),
        banner: (status == BacktestStatus::Failed).then(|| {
            Banner::new(Tone::Bad, "It could not be tested", "No minutes of EURUSD are recorded between these times.")
        }),
        progress: (status == BacktestStatus::Running).then_some(42),
        cancel: (!status.is_final()).then(|| "/backtests/bkt_x/cancel".to_owned()),
        report: done.then_some(view),
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

fn list(rows: &[(BacktestStatus, Kind)]) -> BacktestList {
    let clock = Clock::new(Zone::utc());
    let row =
        |(status, kind): &(BacktestStatus, Kind)| BacktestRow::of(&stored(*status, kind), &spec(kind.clone()), &clock);
    BacktestList {
        rows: rows.iter().map(row).collect(),
        start: Some("/backtests/new".to_owned()),
        pager: Pager { newer: None, older: None },
        zone: "UTC".to_owned(),
    }
}

fn form() -> BacktestForm {
    let text = |name: &str, label: &str, value: &str| Field::new(FieldKind::Text, name, label).value(value);
    let card = StrategyCard {
        name: "ema-cross".to_owned(),
        summary: "Follows the crossing of two moving averages.".to_owned(),
        href: "/backtests/new?strategy=ema-cross".to_owned(),
        selected: true,
    };
    BacktestForm {
        strategies: vec![card],
        strategy: "ema-cross".to_owned(),
        market: vec![
            Deploy::timeframe_field("M5"),
            BacktestForm::source_field("minutes"),
            text("from", "From", "2014-05-01").hint("A day in UTC."),
            text("to", "To", "2014-05-31").error(Some("must be later than the beginning".to_owned())),
        ],
        settings: vec![Field::new(FieldKind::Number, "setting.fast", "Fast average").value("12")],
        terms: vec![text("balance", "Balance", "10000")],
        search: vec![Field::new(FieldKind::Area, "grid", "Values to try"), BacktestForm::rank_field("sharpe")],
        recorded: vec!["EURUSD minutes: 1 May 2014 to 30 May 2014".to_owned()],
        error: Some("Correct the fields that are marked.".to_owned()),
        csrf: "csrf-token".to_owned(),
    }
}

pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let grid = || [("fast".to_owned(), vec![json!(5), json!(8)])].into();
    let sweep = || Kind::Sweep { grid: grid(), rank: Rank::Sharpe };
    let forward = || Kind::Forward { grid: grid(), rank: Rank::Sharpe, choose_days: 10, try_days: 5 };
    let here = |title: &str| shell(title, "/backtests", true);
    let listed = [(BacktestStatus::Running, sweep()), (BacktestStatus::Done, Kind::Single)];
    vec![
        Sample::page("backtests", here("Backtests"), &list(&listed)),
        Sample::page("backtests-empty", here("Backtests"), &list(&[])),
        Sample::page("backtest-form", here("Test a strategy"), &form()),
        Sample::page("backtest", here("Backtest"), &page(BacktestStatus::Done, Kind::Single)),
        Sample::page("backtest-sweep", here("Backtest"), &page(BacktestStatus::Done, sweep())),
        Sample::page("backtest-forward", here("Backtest"), &page(BacktestStatus::Done, forward())),
        Sample::page("backtest-running", here("Backtest"), &page(BacktestStatus::Running, Kind::Single)),
        Sample::page("backtest-failed", here("Backtest"), &page(BacktestStatus::Failed, Kind::Single)),
    ]
}
