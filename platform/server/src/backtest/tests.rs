//! Tests run by the real engine on made-up quotes, with a strategy of the tests' own in the place of the sandbox's. What
//! goes through the sandbox is tried in `api/tests/backtests.rs` and `cli/tests.rs`.

use super::{
    certificate::{About, Certificate, No, Proof, Statement, Uncertified},
    *,
};
use crate::signing::{PublishedKey, PublishedKeys, Signatory};
use core::ops::ControlFlow;
use marque_domain::{
    account::{MarginLevels, PositionMode},
    bar::Timeframe,
    decision::Verdict,
    fixed::{Lots, Money, Price},
    id::PositionId,
    instrument::{Currency, Instrument},
    order::Side,
    plugin::{PluginDigest, PluginRef},
    time::{DAY_MS, MINUTE_MS, Millis},
};
use marque_engine::port::{
    Action, BarRun, Fault as PluginFault, Hooks, OrderUpdate, PluginHost, RiskRule, Strategy, StrategyStart, TickRun,
};
use marque_engine::venue::{Slippage, Spread, VenueModel};
use marque_market::{
    catalogue::Catalogue,
    columns::{Tick, TickColumns},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// 2014-05-05, a Monday.
const MONDAY: Millis = Millis(1_399_248_000_000);
const DAYS: i64 = 10;

/// Opens every `every` bars and closes after `hold` more. When it peeks, it opens the way that the bar after will go, where
/// that lies in the run.
struct Beat {
    every: u64,
    hold: u64,
    peeks: bool,
    bars: u64,
    open: Option<(PositionId, u64)>,
}

impl Strategy for Beat {
    fn hooks(&self) -> Hooks {
        Hooks { bars: true, ticks: false, history_bars: 0 }
    }

    fn on_history(&mut self, _: BarRun<'_>) -> Result<(), PluginFault> {
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, PluginFault> {
        for index in 0..bars.len() {
            self.bars += 1;
            if let Some((position, since)) = self.open
                && self.bars >= since + self.hold
            {
                self.open = None;
                actions.push(Action::Close { position });
                return Ok(index + 1);
            }
            if self.bars.is_multiple_of(self.every) && self.open.is_none() {
                let rises = match (self.peeks, bars.close.get(index + 1)) {
                    (true, Some(next)) => *next > bars.close[index],
                    _ => (self.bars / self.every).is_multiple_of(2),
                };
                let side = if rises { Side::Buy } else { Side::Sell };
                actions.push(Action::Open { side, lots: "0.1".parse().unwrap(), stop_loss: None, take_profit: None });
                return Ok(index + 1);
            }
        }
        Ok(bars.len())
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, _: &mut Vec<Action>) -> Result<usize, PluginFault> {
        Ok(ticks.len())
    }

    fn on_order_update(&mut self, _: Millis, update: &OrderUpdate, _: &mut Vec<Action>) -> Result<(), PluginFault> {
        if let OrderUpdate::Opened { position, .. } = update {
            self.open = Some((*position, self.bars));
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), PluginFault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, PluginFault> {
        Ok(Vec::new())
    }
}

/// Does nothing, and is stopped by the host at one of its bars.
struct Late {
    bars: u64,
    at: u64,
}

impl Strategy for Late {
    fn hooks(&self) -> Hooks {
        Hooks { bars: true, ticks: false, history_bars: 0 }
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), PluginFault> {
        self.bars += bars.len() as u64;
        Ok(())
    }

    fn on_bars(&mut self, bars: BarRun<'_>, _: &mut Vec<Action>) -> Result<usize, PluginFault> {
        let first = self.bars + 1;
        self.bars += bars.len() as u64;
        if (first..=self.bars).contains(&self.at) {
            return Err(PluginFault::Host("Stopped at its deadline.".to_owned()));
        }
        Ok(bars.len())
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, _: &mut Vec<Action>) -> Result<usize, PluginFault> {
        Ok(ticks.len())
    }

    fn on_order_update(&mut self, _: Millis, _: &OrderUpdate, _: &mut Vec<Action>) -> Result<(), PluginFault> {
        Ok(())
    }

    fn on_timer(&mut self, _: Millis, _: &mut Vec<Action>) -> Result<(), PluginFault> {
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, PluginFault> {
        Ok(self.bars.to_le_bytes().to_vec())
    }
}

struct Host;

impl PluginHost for Host {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, PluginFault> {
        let settings: Value = serde_json::from_str(&start.deployment.plugin.settings).unwrap();
        let number = |name: &str| settings[name].as_u64().ok_or_else(|| PluginFault::Plugin(format!("no {name}")));
        if let Some(at) = settings["late"].as_u64() {
            let bars = start.restore.map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap()));
            return Ok(Box::new(Late { bars, at }));
        }
        let peeks = settings["peeks"].as_bool().unwrap_or(false);
        Ok(Box::new(Beat { every: number("every")?, hold: number("hold")?, peeks, bars: 0, open: None }))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, PluginFault> {
        let _ = Verdict::Allow;
        Err(PluginFault::Plugin(format!("no rule {}", rule.name)))
    }
}

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::embedded().unwrap())
}

fn eurusd() -> Instrument {
    catalogue().by_symbol("EURUSD").unwrap().clone()
}

/// A quote a minute that rises and falls, and drifts up in the first half of the time.
fn ticks() -> TickColumns {
    let tick = |minute: i64| {
        let drift = minute.min(DAYS * 24 * 60 / 2) * 40;
        let bid = 138_000_000 + (minute * 37 % 101) * 1_000 - (minute * 11 % 263) * 1_000 + drift;
        let bid = bid - bid % 1_000;
        Tick { at: MONDAY.0 + minute * MINUTE_MS, bid, ask: bid + 1_000 }
    };
    (0..DAYS * 24 * 60).map(tick).collect()
}

fn spec(kind: Kind) -> Spec {
    Spec {
        strategy: PluginSpec {
            digest: PluginDigest([7; 32]),
            name: "beat".to_owned(),
            version: "1.0.0".to_owned(),
            settings: r#"{"every":20,"hold":7}"#.to_owned(),
        },
        rules: Vec::new(),
        symbol: "EURUSD".to_owned(),
        swap: None,
        timeframe: Timeframe::M5,
        source: Source::Ticks,
        from: MONDAY,
        to: MONDAY.plus(DAYS * DAY_MS),
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

fn grid() -> Grid {
    let numbers = |list: &[u64]| list.iter().map(|n| json!(n)).collect();
    Grid::from([("every".to_owned(), numbers(&[10, 20, 30])), ("hold".to_owned(), numbers(&[3, 7]))])
}

fn make_on<T>(
    recorded: &Recorded,
    spec: &Spec,
    threads: usize,
    make: impl FnOnce(&Runner<'_>, &Spec) -> Result<T, RunError>,
) -> Result<T, RunError> {
    let (instrument, permits) = (eurusd(), Permits::new(threads));
    let watch = |_| ControlFlow::Continue(());
    let runner = Runner { instrument: &instrument, recorded, host: Arc::new(Host), permits: &permits, watch: &watch };
    make(&runner, spec)
}

fn run_on(recorded: &Recorded, spec: &Spec, threads: usize) -> Result<Report, RunError> {
    make_on(recorded, spec, threads, Report::make)
}

fn run(spec: &Spec, threads: usize) -> Report {
    run_on(&Recorded::ticks(ticks()), spec, threads).unwrap()
}

#[test]
fn one_run_has_trades_figures_and_a_chart() {
    let report = run(&spec(Kind::Single), 1);
    assert!(report.outcome.trades.len() > 50, "{}", report.outcome.trades.len());
    assert_eq!((report.outcome.faults, &report.outcome.first_fault), (0, &None));
    assert!(report.outcome.refused > 0, "the market is closed on Saturday");
    let closed: Money = report.outcome.trades.iter().filter_map(|t| t.net()).fold(Money::ZERO, Money::saturating_add);
    let open: Money = report
        .outcome
        .trades
        .iter()
        .filter(|t| t.closed.is_none())
        .fold(Money::ZERO, |sum, t| sum.saturating_add(t.swap).saturating_sub(t.commission));
    assert_eq!(report.outcome.balance, Money::whole(10_000).saturating_add(closed).saturating_add(open));
    assert!(report.candles.len() > 100 && report.candles.len() <= 1_500);
    assert_eq!(report.data_rows, 14_400);
    assert_eq!(Report::from_bytes(&report.to_bytes().unwrap()).unwrap(), report);
    assert_eq!(run(&spec(Kind::Single), 1), report, "the same again");
}

#[test]
fn a_sweep_is_ranked_and_threads_change_nothing() {
    for rank in Rank::ALL {
        let sweep = spec(Kind::Sweep { grid: grid(), rank });
        let (one, many) = (run(&sweep, 1), run(&sweep, 4));
        assert_eq!(one, many, "{rank}");
        assert_eq!(one.rows.len(), 6);
        let figures: Vec<_> = one.rows.iter().map(|row| row.statistics.clone().unwrap()).collect();
        assert!(figures.is_sorted_by(|a, b| rank.compare(a, b).is_le()), "{rank}");
        assert_eq!(one.statistics, figures[0], "the report is the best one's");
        // And the best one alone comes to the same.
        let mut alone = spec(Kind::Single);
        alone.strategy.settings.clone_from(&one.settings);
        assert_eq!(run(&alone, 1).result_digest, one.result_digest);
    }
}

#[test]
fn settings_that_do_not_start_are_named_and_hide_no_other() {
    let mut values = grid();
    values.insert("every".to_owned(), vec![json!("often"), json!(20)]);
    let report = run(&spec(Kind::Sweep { grid: values, rank: Rank::NetProfit }), 2);
    assert_eq!(report.rows.len(), 4);
    assert!(report.rows[..2].iter().all(|row| row.statistics.is_some()));
    assert!(report.rows[2..].iter().all(|row| row.fault.as_deref().is_some_and(|f| f.contains("no every"))));
    let none = Grid::from([("every".to_owned(), vec![json!("never")])]);
    let refused = spec(Kind::Sweep { grid: none, rank: Rank::NetProfit });
    let error = run_on(&Recorded::ticks(ticks()), &refused, 1).unwrap_err();
    assert!(matches!(error, RunError::NoneRan(_)), "{error}");
}

#[test]
fn a_walk_forward_tries_what_it_has_not_seen() {
    let forward = Kind::Forward { grid: grid(), rank: Rank::NetProfit, choose_days: 4, try_days: 3 };
    let report = run(&spec(forward), 2);
    let shown: Vec<_> = report
        .windows
        .iter()
        .map(|w| [w.chosen_from, w.tried_from, w.tried_to].map(|at| at.since(MONDAY) / DAY_MS))
        .collect();
    assert_eq!(shown, [[0, 4, 7], [3, 7, 10]]);
    // The tries one after the other are the whole, and begin where the one before ended.
    let tried = report.windows.iter().fold(Money::ZERO, |sum, w| sum.saturating_add(w.tried.net_profit));
    assert_eq!(report.outcome.equity, Money::whole(10_000).saturating_add(tried));
    assert!(report.outcome.curve.is_sorted_by_key(|(at, _)| *at));
    assert!(report.outcome.trades.iter().all(|t| t.opened_at >= MONDAY.plus(4 * DAY_MS)));
    assert!(report.settings.is_empty() && report.outcome.trades.len() > 10);
    // What happens in a try cannot change the choice before it.
    let mut other = ticks();
    for row in other.at.iter().position(|at| *at >= MONDAY.plus(4 * DAY_MS).0).unwrap()..other.len() {
        other.bid[row] += 50_000;
        other.ask[row] += 90_000;
    }
    let forward = Kind::Forward { grid: grid(), rank: Rank::NetProfit, choose_days: 4, try_days: 6 };
    let (a, b) = (run(&spec(forward.clone()), 2), run_on(&Recorded::ticks(other), &spec(forward), 2).unwrap());
    assert_eq!((&a.windows[0].settings, &a.windows[0].chosen), (&b.windows[0].settings, &b.windows[0].chosen));
    assert_ne!(a.windows[0].tried, b.windows[0].tried);
}

#[test]
fn who_watches_hears_of_each_run_and_ends_it() {
    let (recorded, instrument, permits) = (Recorded::ticks(ticks()), eurusd(), Permits::new(2));
    let done = AtomicU64::new(0);
    let watch = |step| match step {
        run::Step::Done if done.fetch_add(1, Ordering::Relaxed) >= 2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let runner =
        Runner { instrument: &instrument, recorded: &recorded, host: Arc::new(Host), permits: &permits, watch: &watch };
    let sweep = spec(Kind::Sweep { grid: grid(), rank: Rank::NetProfit });
    assert!(matches!(Report::make(&runner, &sweep), Err(RunError::Cancelled)));
    assert!(done.load(Ordering::Relaxed) < 6, "the rest was not run");
}

#[test]
fn what_is_wrong_with_a_test_is_named() {
    let fields = |change: &dyn Fn(&mut Spec)| {
        let mut spec = spec(Kind::Single);
        change(&mut spec);
        spec.faults(100).into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    type Change = fn(&mut Spec);
    let table: &[(Change, &[&str])] = &[
        (|_| {}, &[]),
        (|s| s.to = s.from, &["to"]),
        (|s| s.source = Source::Synthetic, &[]),
        (|s| (s.source, s.to) = (Source::Synthetic, s.from.plus(93 * DAY_MS)), &["to"]),
        (|s| s.account.balance = Money::ZERO, &["balance"]),
        (|s| s.account.leverage = 0, &["leverage"]),
        (|s| s.venue.commission_per_lot = Money::whole(-1), &["commission_per_lot"]),
        (|s| s.venue.latency_ms = 60_001, &["latency_ms"]),
        (|s| s.kind = Kind::Sweep { grid: Grid::from([("a".into(), vec![])]), rank: Rank::Sharpe }, &["grid"]),
        (
            |s| s.kind = Kind::Sweep { grid: Grid::from([("a".into(), vec![json!(1); 101])]), rank: Rank::Sharpe },
            &["grid"],
        ),
        (
            |s| s.kind = Kind::Forward { grid: grid(), rank: Rank::Sharpe, choose_days: 8, try_days: 3 },
            &["choose_days"],
        ),
    ];
    for (number, (change, want)) in table.iter().enumerate() {
        assert_eq!(fields(change), *want, "row {number}");
    }
}

fn certified() -> (Spec, Report, Certificate) {
    let spec = spec(Kind::Single);
    let report = run(&spec, 1);
    let instrument = eurusd();
    let about = About { issuer: "https://aurora.example", backtest: "bkt_x", at: MONDAY, instrument: &instrument };
    let certificate =
        Certificate::sign(&spec, &report, &about, &Signatory::for_tests(1), Proof::for_tests(&report)).unwrap();
    (spec, report, certificate)
}

/// Everything that `marque verify` does, without files.
fn verify(text: &str, keys: &PublishedKeys, recorded: &Recorded) -> Result<(), No> {
    let certificate = Certificate::read(text)?;
    certificate.is_by(keys)?;
    let (spec, _) = certificate.spec()?;
    certificate.is_on(recorded)?;
    let report = make_on(recorded, &spec, 1, Report::stepped).map_err(|error| No::Run(error.to_string()))?;
    certificate.is_of(&report)
}

fn published(key: &Signatory) -> PublishedKeys {
    let key = PublishedKey { key: key.public().to_string(), since: String::new(), retired: None };
    PublishedKeys { keys: vec![key] }
}

#[test]
fn a_certificate_holds_and_no_changed_byte_does() {
    let (_, _, certificate) = certified();
    let (keys, recorded) = (published(&Signatory::for_tests(1)), Recorded::ticks(ticks()));
    let text = certificate.to_text();
    assert_eq!(verify(&text, &keys, &recorded), Ok(()));
    // Every byte of the file, changed, dropped and doubled. The signature alone finds them: nothing need be run.
    for index in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[index] ^= 1;
        let changed = String::from_utf8(bytes).map(|text| Certificate::read(&text).is_err());
        assert!(changed.unwrap_or(true), "byte {index} changed: {:?}", text.get(index..index + 1));
        let mut bytes = text.clone().into_bytes();
        bytes.remove(index);
        assert!(Certificate::read(core::str::from_utf8(&bytes).unwrap()).is_err(), "byte {index} dropped");
    }
    assert!(Certificate::read(&format!("{text} ")).is_err());
    assert!(Certificate::read(&text.replace('\n', "")).is_err(), "another spelling");
}

#[test]
fn each_field_that_is_altered_is_a_no() {
    let (_, _, certificate) = certified();
    let keys = published(&Signatory::for_tests(1));
    for field in Statement::FIELDS {
        let mut altered = certificate.clone();
        altered.statement.field_mut(field).push('1');
        assert_eq!(Certificate::read(&altered.to_text()), Err(No::Signature), "{field}");
    }
    let mut altered = certificate.clone();
    altered.key = Signatory::for_tests(2).public().to_string();
    assert_eq!(Certificate::read(&altered.to_text()), Err(No::Signature));
    altered = certificate.clone();
    altered.signature = Signatory::for_tests(1).sign(b"something else");
    assert_eq!(Certificate::read(&altered.to_text()), Err(No::Signature));
    altered = certificate.clone();
    altered.format = "marque backtest certificate 2".to_owned();
    assert!(matches!(Certificate::read(&altered.to_text()), Err(No::Unreadable(_))));
    // Who signs the same anew is not the brand.
    let (spec, report, _) = certified();
    let instrument = eurusd();
    let about = About { issuer: "https://aurora.example", backtest: "bkt_x", at: MONDAY, instrument: &instrument };
    let forged =
        Certificate::sign(&spec, &report, &about, &Signatory::for_tests(2), Proof::for_tests(&report)).unwrap();
    let read = Certificate::read(&forged.to_text()).unwrap();
    assert!(matches!(read.is_by(&keys), Err(No::Stranger(_))));
}

/// The gate tries a strategy with the settings that its form proposes. What others switch on is found here.
#[test]
fn a_strategy_that_reads_the_next_bar_is_not_certified() {
    let (recorded, honest) = (Recorded::ticks(ticks()), spec(Kind::Single));
    let (report, proof) = make_on(&recorded, &honest, 1, Report::certifiable).unwrap();
    assert_eq!(proof, Ok(Proof::for_tests(&report)));
    let mut peeking = honest;
    peeking.strategy.settings = r#"{"every":20,"hold":7,"peeks":true}"#.to_owned();
    let (report, proof) = make_on(&recorded, &peeking, 1, Report::certifiable).unwrap();
    assert_eq!(proof, Err(Uncertified::Differs));
    // The settings that are certified are those that did best, whatever a sweep began with.
    let mut values = Grid::from([("peeks".to_owned(), vec![json!(true)])]);
    values.extend(grid());
    let sweep = Spec { kind: Kind::Sweep { grid: values, rank: Rank::NetProfit }, ..spec(Kind::Single) };
    let (_, swept) = make_on(&recorded, &sweep, 2, Report::certifiable).unwrap();
    assert_eq!(swept, Err(Uncertified::Differs));
    // And where somebody signed it all the same, whoever checks it hears no.
    let (key, instrument) = (Signatory::for_tests(1), eurusd());
    let about = About { issuer: "https://aurora.example", backtest: "bkt_x", at: MONDAY, instrument: &instrument };
    let signed = Certificate::sign(&peeking, &report, &about, &key, Proof::for_tests(&report)).unwrap();
    let checked = verify(&signed.to_text(), &published(&key), &recorded);
    assert!(matches!(checked, Err(No::Result { .. })), "{checked:?}");
    // A proof is of one result.
    let other = Certificate::sign(&peeking, &report, &about, &key, Proof::for_tests(&run(&spec(Kind::Single), 1)));
    assert_eq!(other, Err(Uncertified::Differs));
}

/// What the host stopped says something of the machine: it may come to something else on another, or tomorrow.
#[test]
fn what_the_host_stopped_is_not_certified() {
    let mut late = spec(Kind::Single);
    late.strategy.settings = r#"{"late":700}"#.to_owned();
    let recorded = Recorded::ticks(ticks());
    let (report, proof) = make_on(&recorded, &late, 1, Report::certifiable).unwrap();
    assert_eq!((report.outcome.faults, report.outcome.host_faults), (1, 1));
    assert_eq!(proof, Err(Uncertified::Stopped));
    let stepped = make_on(&recorded, &late, 1, Report::stepped).unwrap();
    assert_eq!(stepped.result_digest, report.result_digest, "by its result alone nobody would know");
}

/// Even the brand itself cannot sign what did not happen: what is said is run again.
#[test]
fn each_thing_that_is_bound_is_checked_by_running_it_again() {
    let (spec, report, _) = certified();
    let (key, instrument, recorded) = (Signatory::for_tests(1), eurusd(), Recorded::ticks(ticks()));
    let keys = published(&key);
    let about = About { issuer: "https://aurora.example", backtest: "bkt_x", at: MONDAY, instrument: &instrument };
    let signed = |spec: &Spec, report: &Report| {
        Certificate::sign(spec, report, &about, &key, Proof::for_tests(report)).unwrap().to_text()
    };
    let said = |change: &dyn Fn(&mut Spec, &mut Report)| {
        let (mut spec, mut report) = (spec.clone(), report.clone());
        change(&mut spec, &mut report);
        report.settings.clone_from(&spec.strategy.settings);
        verify(&signed(&spec, &report), &keys, &recorded)
    };
    assert_eq!(said(&|_, _| {}), Ok(()));
    type Change = fn(&mut Spec, &mut Report);
    let results: &[Change] = &[
        |s, _| s.strategy.settings = r#"{"every":20,"hold":8}"#.to_owned(),
        |s, _| s.venue.commission_per_lot = Money::from_units(340_000_000),
        |s, _| s.venue.spread = Spread::Markup(Price::from_units(1_000)),
        |s, _| s.venue.slippage = Slippage::Fixed(Price::from_units(1_000)),
        |s, _| s.venue.latency_ms = 90_000,
        |s, _| s.account.balance = Money::whole(10_001),
        |s, _| s.timeframe = Timeframe::M15,
        |_, r| r.result_digest[0] ^= 1,
        |_, r| r.statistics.net_profit = Money::whole(1_000_000),
        |_, r| r.statistics.trades += 1,
    ];
    for (number, change) in results.iter().enumerate() {
        assert!(matches!(said(change), Err(No::Result { .. })), "row {number}: {:?}", said(change));
    }
    assert!(matches!(said(&|_, r| r.data_digest[0] ^= 1), Err(No::Data { .. })));
    assert!(matches!(said(&|_, r| r.data_rows += 1), Err(No::Data { .. })));
    assert!(matches!(said(&|s, _| s.strategy.settings = "{}".to_owned()), Err(No::Run(_))));
    // One quote that differs by the least there is.
    for change in [
        |t: &mut TickColumns| t.bid[5_000] -= 1_000,
        |t: &mut TickColumns| t.ask[5_000] += 1_000,
        |t: &mut TickColumns| t.at[5_000] += 1,
    ] {
        let mut other = ticks();
        change(&mut other);
        assert!(matches!(verify(&signed(&spec, &report), &keys, &Recorded::ticks(other)), Err(No::Data { .. })));
    }
    // Lots are no part of the terms; a walk-forward has no certificate.
    let forward = Kind::Forward { grid: grid(), rank: Rank::Sharpe, choose_days: 4, try_days: 3 };
    let forward = Spec { kind: forward, ..spec.clone() };
    let proof = Proof::for_tests(&report);
    assert_eq!(Certificate::sign(&forward, &report, &about, &key, proof), Err(Uncertified::ManyRuns));
    assert!(report.outcome.trades.iter().all(|t| t.lots == "0.1".parse::<Lots>().unwrap()));
}

#[test]
fn files_say_what_the_report_says() {
    let mut spec = spec(Kind::Sweep { grid: grid(), rank: Rank::NetProfit });
    spec.strategy.name = "<script>alert(1)</script>".to_owned();
    let report = run(&spec, 2);
    let table = String::from_utf8(trades_csv(&report).unwrap()).unwrap();
    assert_eq!(table.lines().count(), report.outcome.trades.len() + 1);
    let curve = String::from_utf8(equity_csv(&report).unwrap()).unwrap();
    assert_eq!(curve.lines().count(), report.outcome.curve.len() + 1);
    let page = html(&spec, &report, "Aurora & Sons");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("Aurora &amp; Sons"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "it needs nothing else");
    assert!(page.contains("Sharpe") && page.contains("Settings tried") && page.contains("<svg"));
}
