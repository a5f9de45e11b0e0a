//! Orders of every kind, from a sandboxed strategy through the gate and the simulated venue and back.

use crate::{
    fixture::{built, clerk, eurusd, sandbox, start_strategy},
    guests,
};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::{Quote, Timeframe},
    decision::{Denial, Outcome},
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId, UserId},
    instrument::Currency,
    order::Side,
    plugin::{PluginDigest, PluginRef},
    tenant::Quotas,
    ticket::{Levels, OrderKind, TimeInForce},
    time::{MINUTE_MS, Millis},
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard,
    backtest::{self, Pace, Recording, Setup},
    desk::Commit,
    port::{Action, BarRun, Fault, HistorySource, OrderUpdate},
    venue::{SimulatedVenue, VenueModel},
};
use marque_sandbox::Plugins;
use std::{collections::HashMap, convert::Infallible, sync::Arc};

/// Thursday 1 May 2014, 08:00 UTC.
const START: i64 = 1_398_931_200_000;
const ACCOUNT: AccountId = AccountId(1);

/// What was committed, and what strategies logged.
#[derive(Default)]
pub struct Journal {
    pub records: Vec<Record>,
    logs: Vec<(DeploymentId, String)>,
}

impl Commit for Journal {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        self.records.extend(effects.records.iter().cloned());
        self.logs.extend(effects.logs.iter().map(|(deployment, _, text)| (*deployment, text.clone())));
        Ok(())
    }
}

impl Journal {
    /// The codes of what was denied, in order.
    pub fn denials(&self) -> Vec<&'static str> {
        let code = |record: &Record| match record {
            Record::Decided(decision) => match &decision.outcome {
                Outcome::Denied(denial) => Some(Denial::code(denial)),
                Outcome::Approved { .. } => None,
            },
            _ => None,
        };
        self.records.iter().filter_map(code).collect()
    }

    pub fn faults(&self) -> usize {
        self.records.iter().filter(|r| matches!(r, Record::Faulted { .. })).count()
    }

    fn told(&self, deployment: i64) -> Vec<&str> {
        self.logs.iter().filter(|(of, _)| of.0 == deployment).map(|(_, text)| text.as_str()).collect()
    }
}

struct NoHistory;

impl HistorySource for NoHistory {
    fn bars(&self, _: InstrumentId, _: Timeframe, _: Millis, _: u32) -> [Vec<i64>; 7] {
        Default::default()
    }
}

fn plugins() -> Plugins {
    let digest = |bytes: &[u8]| sandbox().inspect(bytes).unwrap().digest;
    let mut all: HashMap<PluginDigest, Vec<u8>> =
        built().values().map(|bytes| (digest(bytes), bytes.clone())).collect();
    all.insert(digest(clerk()), clerk().to_vec());
    Plugins::new(Arc::clone(sandbox()), move |digest| all.get(digest).cloned())
}

fn rule(name: &str, settings: &str) -> PluginRef {
    let digest = sandbox().inspect(&built()[name]).unwrap().digest;
    PluginRef { digest, name: name.to_owned(), settings: settings.to_owned() }
}

fn terms(mode: PositionMode, rules: Vec<PluginRef>) -> AccountTerms {
    AccountTerms {
        id: ACCOUNT,
        user: UserId(1),
        name: "Orders".to_owned(),
        currency: Currency::USD,
        initial_balance: Money::whole(100_000),
        leverage: 100,
        mode,
        margin: MarginLevels::default(),
        trades_per_day: None,
        rules,
    }
}

/// A clerk with a line of wishes for each of its bars.
fn deployment(id: i64, lines: &[&str]) -> Deployment {
    let script = lines.join("\\n");
    let digest = sandbox().inspect(clerk()).unwrap().digest;
    let settings = format!(r#"{{"script":"{script}"}}"#);
    Deployment {
        id: DeploymentId(id),
        account: ACCOUNT,
        plugin: PluginRef { digest, name: "clerk".to_owned(), settings },
        instrument: eurusd().id,
        timeframe: Timeframe::M1,
        status: DeploymentStatus::Running,
        created_at: Millis(0),
    }
}

/// A desk with one account, whose market stands at 1.1.
struct Floor {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
    minute: i64,
}

impl Floor {
    fn open(mode: PositionMode, rules: Vec<PluginRef>, clerks: &[(i64, &[&str])]) -> Self {
        let shard = Shard::new(&[eurusd()], Arc::new(plugins()), Box::new(NoHistory));
        let desk = Desk::new(shard, SimulatedVenue::new(Money::ZERO));
        let mut floor = Self { desk, journal: Journal::default(), minute: 0 };
        floor.quote(0);
        floor.command(Command::OpenAccount(terms(mode, rules)));
        for (id, lines) in clerks {
            floor.command(Command::Deploy(deployment(*id, lines), Quotas::default()));
        }
        floor
    }

    fn command(&mut self, command: Command) {
        self.desk.command(command, &mut self.journal).unwrap().unwrap();
    }

    /// The first quote of the next minute, in pips above 1.1: it closes the bar before, so the next line is carried out at
    /// its price.
    fn quote(&mut self, pips: i64) {
        let price = Price::from_units(110_000_000 + pips * 10_000);
        let at = Millis(START + self.minute * MINUTE_MS);
        self.minute += 1;
        let quote = Quote { instrument: eurusd().id, at, bid: price, ask: price };
        self.desk.quote(&quote, &mut self.journal).unwrap();
    }
}

/// One clerk on a hedging account: what it is told while the market goes through these pips, a minute each.
fn play(lines: &[&str], pips: &[i64]) -> Journal {
    play_on(PositionMode::Hedging, lines, pips)
}

fn play_on(mode: PositionMode, lines: &[&str], pips: &[i64]) -> Journal {
    let mut floor = Floor::open(mode, Vec::new(), &[(7, lines)]);
    pips.iter().for_each(|pips| floor.quote(*pips));
    assert_eq!(floor.journal.faults(), 0);
    floor.journal
}

#[track_caller]
fn is_told(journal: &Journal, wanted: &[&str]) {
    assert_eq!(journal.told(7), wanted);
}

const NO_LEVELS: &str = "Levels { stop_loss: None, take_profit: None, trail: None }";

fn working(what: &str, counts: &str) -> String {
    format!("working {what} Gtc {NO_LEVELS}; {counts}")
}

#[test]
fn a_limit_order_waits_fills_and_is_closed_at_its_target() {
    let line = "place side=buy lots=1 kind=limit price=1.099 sl=1.098 tp=1.1005";
    let journal = play(&[line], &[0, -5, -10, 0, 5]);
    let levels = "Levels { stop_loss: Some(Price(1.098)), take_profit: Some(Price(1.1005)), trail: None }";
    is_told(
        &journal,
        &[
            &format!("working Buy 1 Limit {{ price: Price(1.099) }} Gtc {levels}; 1 working, 0 open"),
            "opened Buy 1 at 1.099; 0 working, 1 open",
            "traded 1 at 1.099, 0 left; 0 working, 1 open",
            "closed at 1.1005 for 150 by TakeProfit; 0 working, 0 open",
        ],
    );
}

#[test]
fn of_a_pair_one_trades_and_the_other_ends() {
    let lines = ["place side=buy lots=1 kind=stop price=1.101", "place side=sell lots=1 kind=stop price=1.099 oco=#0"];
    let journal = play(&lines, &[0, 0, 12, -20]);
    is_told(
        &journal,
        &[
            &working("Buy 1 Stop { price: Price(1.101) }", "1 working, 0 open"),
            &working("Sell 1 Stop { price: Price(1.099) }", "2 working, 0 open"),
            "opened Buy 1 at 1.1012; 1 working, 1 open",
            "ended; 0 working, 1 open",
            "traded 1 at 1.1012, 0 left; 0 working, 1 open",
        ],
    );
}

#[test]
fn stop_limit_and_trailing_stop_orders_wait_for_their_prices() {
    let lines = [
        "place side=buy lots=1 kind=stop-limit stop=1.101 price=1.1005",
        "place side=sell lots=2 kind=trailing stop=1.099 by=0.001",
    ];
    // The stop of the first is reached at +12 and its limit at +5; the second follows to +12 and triggers at +2.
    let journal = play(&lines, &[0, 0, 12, 5, 2]);
    is_told(
        &journal,
        &[
            &working("Buy 1 StopLimit { stop: Price(1.101), limit: Price(1.1005) }", "1 working, 0 open"),
            &working(
                "Sell 2 TrailingStop { stop: Price(1.099), trail: Trail { distance: Price(0.001), step: Price(0.00001) } }",
                "2 working, 0 open",
            ),
            "opened Buy 1 at 1.1005; 1 working, 1 open",
            "traded 1 at 1.1005, 0 left; 1 working, 1 open",
            "opened Sell 2 at 1.1002; 0 working, 2 open",
            "traded 2 at 1.1002, 0 left; 0 working, 2 open",
        ],
    );
}

#[test]
fn working_orders_are_moved_amended_and_withdrawn() {
    let lines = [
        "place side=buy lots=1 kind=limit price=1.099",
        "move order=#0 price=1.0985",
        "amend order=#0 kind=limit price=1.0987 tif=day sl=1.098",
        "amend order=#0 kind=stop price=1.102",
        "cancel order=#0",
        "cancel-all",
    ];
    let journal = play(&lines, &[0, 0, 0, 0, 0, 0]);
    is_told(
        &journal,
        &[
            &working("Buy 1 Limit { price: Price(1.099) }", "1 working, 0 open"),
            &working("Buy 1 Limit { price: Price(1.0985) }", "1 working, 0 open"),
            "working Buy 1 Limit { price: Price(1.0987) } Day Levels { stop_loss: Some(Price(1.098)), take_profit: None, trail: None }; 1 working, 0 open",
            "refused; 1 working, 0 open",
            "ended; 0 working, 0 open",
        ],
    );
    assert_eq!(journal.denials(), ["kind_fixed"]);
}

#[test]
fn what_it_asks_for_twice_within_an_event_is_answered_as_it_ended() {
    let lines = ["place side=buy lots=1 kind=limit price=1.099", "move order=#0 price=1.0985, cancel order=#0"];
    let journal = play(&lines, &[0, 0, -20]);
    let first = working("Buy 1 Limit { price: Price(1.099) }", "1 working, 0 open");
    is_told(&journal, &[&first, "ended; 0 working, 0 open"]);
}

#[test]
fn positions_are_reduced_protected_and_closed_by_each_other() {
    let lines = [
        "open side=buy lots=2, open side=sell lots=1",
        "reduce position=#0 lots=0.5",
        "protect position=#0 sl=1.0995 trail=0.0005",
        "close-by position=#0 by=#1",
    ];
    let journal = play(&lines, &[0, 0, 0, 0, 10, 4]);
    is_told(
        &journal,
        &[
            "opened Buy 2 at 1.1; 0 working, 1 open",
            "opened Sell 1 at 1.1; 0 working, 2 open",
            "changed to 1.5 at 1.1; 0 working, 2 open",
            "changed to 1.5 at 1.1; 0 working, 2 open",
            "changed to 0.5 at 1.1; 0 working, 2 open",
            "closed at 1.1 for 0 by Strategy; 0 working, 1 open",
            // The stop followed to 1.1005 and was reached at 1.1004.
            "closed at 1.1004 for 20 by StopLoss; 0 working, 0 open",
        ],
    );
}

#[test]
fn orders_are_good_for_as_long_as_they_say() {
    let until = START + 3 * MINUTE_MS;
    let timed = format!("place side=buy lots=1 kind=limit price=1.099 tif={until}");
    let lines = [
        timed.as_str(),
        "place side=buy lots=1 kind=limit price=1.099 tif=ioc",
        "place side=buy lots=1 kind=limit price=1.2 tif=fok",
    ];
    let journal = play(&lines, &[0, 0, 0, 0]);
    let told = journal.told(7);
    assert!(told[0].contains(&format!("Gtd({until})")), "{told:?}");
    assert!(told[1].contains("Ioc") && told[2] == "ended; 1 working, 0 open", "{told:?}");
    assert!(told.contains(&"ended; 0 working, 0 open") || told.contains(&"ended; 1 working, 0 open"), "{told:?}");
    assert!(told.contains(&"opened Buy 1 at 1.1; 0 working, 1 open"), "{told:?}");
}

#[test]
fn on_a_netting_account_a_pending_order_changes_the_one_position() {
    let lines = ["open side=buy lots=2", "place side=sell lots=1 kind=limit price=1.101"];
    let journal = play_on(PositionMode::Netting, &lines, &[0, 0, 10]);
    is_told(
        &journal,
        &[
            "opened Buy 2 at 1.1; 0 working, 1 open",
            &working("Sell 1 Limit { price: Price(1.101) }", "1 working, 1 open"),
            "changed to 1 at 1.1; 1 working, 1 open",
            "traded 1 at 1.101, 0 left; 0 working, 1 open",
        ],
    );
}

#[test]
fn ids_reach_only_what_is_the_deployments_own() {
    // The first trades and waits; the second has guessed every id there can be.
    let first = ["open side=buy lots=1", "place side=buy lots=1 kind=limit price=1.099"];
    let ids = 1..40;
    let guesses = ids.map(|id| {
        format!(
            "cancel order={id}, amend order={id} kind=limit price=1.098, close position={id}, \
             reduce position={id} lots=0.5, protect position={id} sl=1.09, close-by position={id} by={id}, \
             place side=sell lots=1 kind=limit price=1.102 oco={id}"
        )
    });
    let guesses: Vec<String> = guesses.collect();
    let mut lines = vec!["", "", ""];
    lines.extend(guesses.iter().map(String::as_str));
    let mut floor = Floor::open(PositionMode::Hedging, Vec::new(), &[(30_000, &first), (30_001, &lines)]);
    (0..50).for_each(|_| floor.quote(0));
    let account = &floor.desk.shard().state().accounts[&ACCOUNT];
    assert_eq!((account.positions.len(), account.orders.len()), (1, 1));
    assert_eq!(account.positions[0].stop_loss, None);
    let denials = floor.journal.denials();
    assert_eq!(denials.len(), 39 * 7);
    assert!(denials.iter().all(|code| ["order_not_working", "position_not_open"].contains(code)), "{denials:?}");
    assert_eq!((floor.journal.faults(), floor.journal.told(30_001).len()), (0, 39 * 7));
}

#[test]
fn wrong_values_are_denied_with_their_codes_and_harm_nobody() {
    let most = i64::MAX;
    let least = i64::MIN;
    let cases = [
        ("place side=buy lots=0 kind=limit price=1.09".to_owned(), "lots_too_small"),
        (format!("place side=buy lots={least}u kind=limit price=1.09"), "lots_too_small"),
        (format!("place side=buy lots={most}u kind=limit price=1.09"), "lots_too_large"),
        ("place side=buy lots=1 kind=limit price=1.2".to_owned(), "price_on_wrong_side"),
        (format!("place side=buy lots=1 kind=limit price={least}u"), "price_on_wrong_side"),
        (format!("place side=sell lots=1 kind=limit price={most}u"), "number_too_large"),
        (format!("place side=sell lots=1 kind=stop price={least}u"), "price_on_wrong_side"),
        ("place side=buy lots=1 kind=stop-limit stop=1.101 price=-1".to_owned(), "price_on_wrong_side"),
        ("place side=buy lots=1 kind=trailing stop=1.101 by=0".to_owned(), "trail_too_small"),
        (format!("place side=buy lots=1 kind=trailing stop=1.101 by={least}u"), "trail_too_small"),
        ("place side=buy lots=1 kind=limit price=1.09 trail=-1".to_owned(), "trail_too_small"),
        ("place side=buy lots=1 kind=limit price=1.09 sl=1.095".to_owned(), "stop_on_wrong_side"),
        (format!("place side=buy lots=1 kind=limit price=1.09 tp={least}u"), "stop_on_wrong_side"),
        ("place side=buy lots=1 kind=market tif=day".to_owned(), "time_in_force_unfit"),
        ("place side=buy lots=1 kind=stop price=1.2 tif=ioc".to_owned(), "time_in_force_unfit"),
        (format!("place side=buy lots=1 kind=limit price=1.09 tif={least}"), "expiry_in_past"),
        (format!("reduce position=#0 lots={most}u"), "lots_too_large"),
        ("reduce position=#0 lots=1.5".to_owned(), "lots_above_position"),
        (format!("protect position=#0 sl={most}u"), "stop_on_wrong_side"),
        ("close-by position=#0 by=#0".to_owned(), "not_opposite"),
    ];
    let mut lines = vec!["open side=buy lots=1".to_owned()];
    lines.extend(cases.iter().map(|(line, _)| line.clone()));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let journal = play(&lines, &vec![0; lines.len() + 1]);
    let wanted: Vec<&str> = cases.iter().map(|(_, code)| *code).collect();
    assert_eq!(journal.denials(), wanted);
}

#[test]
fn a_backtest_in_runs_gives_the_records_of_single_steps() {
    let lines = [
        "place side=buy lots=1 kind=limit price=1.0995 sl=1.098 tp=1.101",
        "place side=sell lots=1 kind=trailing stop=1.0985 by=0.001 tif=day",
        "",
        "move order=#0 price=1.0993",
        "open side=buy lots=0.5",
        "protect position=#0 trail=0.0005",
        "reduce position=#0 lots=0.1, place side=buy lots=1 kind=stop price=1.102",
        "place side=sell lots=1 kind=stop-limit stop=1.099 price=1.0988 oco=#0",
    ];
    let setup = Setup {
        instrument: eurusd(),
        terms: terms(PositionMode::Hedging, Vec::new()),
        deployment: deployment(7, &lines),
        venue: VenueModel::default(),
    };
    let closes = (0..300_i64).map(|n| 110_000_000 + ((n * 37) % 61 - 30) * 7_000);
    let mut columns: [Vec<i64>; 7] = Default::default();
    for (minute, close) in (0..).zip(closes) {
        let row = [START + minute * MINUTE_MS, close, close + 20_000, close - 20_000, close, 1_000, 4];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let [open_at, open, high, low, close, spread, volume] = &columns;
    let bars = BarRun { open_at, open, high, low, close, spread, volume };
    let go = |pace| {
        let mut journal = Journal::default();
        backtest::run(&setup, Recording::Minutes(bars), pace, Arc::new(plugins()), &mut journal).unwrap();
        journal
    };
    let (runs, steps) = (go(Pace::Runs), go(Pace::Steps));
    assert!(runs.told(7).len() > 8, "{:?}", runs.told(7));
    assert_eq!(runs.logs, steps.logs);
    assert_eq!(runs.records, steps.records);
}

#[test]
fn an_old_guest_is_never_told_what_it_has_no_words_for() {
    let (order, side, lots, price) = (OrderId(5), Side::Buy, Lots::whole(1), Price::whole(1));
    let (kind, time_in_force, levels) = (OrderKind::Limit { price }, TimeInForce::Gtc, Levels::default());
    let updates = [
        OrderUpdate::Working { order, side, lots, kind, time_in_force, levels },
        OrderUpdate::Traded { order, lots, price, left: Lots::ZERO },
        OrderUpdate::Changed { position: PositionId(5), lots, price, balance: Money::ZERO },
    ];
    for version in ["1.0", "1.1"] {
        let old = guests::old_strategy(version, &[("on-order-update", "unreachable")]);
        let mut strategy = start_strategy(&old, "{}", None).unwrap();
        for update in &updates {
            assert_eq!(strategy.on_order_update(Millis(1), update, &mut Vec::new()), Ok(()));
        }
        assert!(strategy.on_order_update(Millis(1), &OrderUpdate::Refused, &mut Vec::new()).is_err());
    }
    // And one that has the words is called by its new hook alone.
    let told = guests::order_strategy("unreachable", "(i32.const 112)", &[("on-order-update", "(i32.const 0)")]);
    for update in updates.iter().chain([&OrderUpdate::Ended { order }, &OrderUpdate::Refused]) {
        let mut strategy = start_strategy(&told, "{}", None).unwrap();
        assert!(strategy.on_order_update(Millis(1), update, &mut Vec::new()).is_err(), "{update:?}");
    }
}

/// What a guest gets for a list of this many wishes that lie at 4096, of these bytes.
fn wishes(count: u32, bytes: &str) -> Result<Vec<Action>, Fault> {
    let take = format!(
        "(i32.store (i32.const 112) (i32.const 4096)) (i32.store (i32.const 116) (i32.const {count})) (i32.const 112)"
    );
    let extra = format!(r#"(data (i32.const 4096) "{bytes}")"#);
    let parts = [("on-timer", "(i32.const 1)"), ("extra", extra.as_str()), ("take-actions", "unreachable")];
    let mut actions = Vec::new();
    let mut strategy = start_strategy(&guests::order_strategy("(i32.const 0)", &take, &parts), "{}", None)?;
    strategy.on_timer(Millis(1), &mut actions)?;
    Ok(actions)
}

#[test]
fn wishes_are_bounded_and_read_strictly() {
    // 256 wishes to open nothing, one more, and more than memory holds.
    assert_eq!(wishes(256, "").unwrap().len(), 256);
    for count in [257, 100_000, u32::MAX] {
        assert!(matches!(wishes(count, ""), Err(Fault::Plugin(_))), "{count}");
    }
    // A wish, an order's kind and a time in force that do not exist; an option that is neither.
    for bytes in [
        r"\09",
        r"\02\00\00\00\00\00\00\00\02",
        r"\02\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\05",
    ] {
        assert!(matches!(wishes(1, bytes), Err(Fault::Plugin(_))), "{bytes}");
    }
    let cancel = wishes(1, r"\04\00\00\00\00\00\00\00\ff\ff\ff\ff\ff\ff\ff\ff").unwrap();
    assert_eq!(cancel, [Action::Cancel { order: OrderId(-1) }], "whose it is, the gate judges");
}

#[test]
fn an_exposure_cap_counts_what_waits() {
    let lines = [
        "place side=buy lots=2 kind=limit price=1.099",
        "place side=buy lots=2 kind=limit price=1.098 oco=#0",
        "move order=#0 price=1.0985",
        "place side=buy lots=2 kind=limit price=1.097",
        "place side=buy lots=1 kind=limit price=1.096",
    ];
    let lots = |counts: bool| {
        let settings = format!(r#"{{"max_lots":3,"count_waiting":{counts}}}"#);
        let mut floor = Floor::open(PositionMode::Hedging, vec![rule("exposure-cap", &settings)], &[(7, &lines)]);
        (0..8).for_each(|_| floor.quote(0));
        let orders = &floor.desk.shard().state().accounts[&ACCOUNT].orders;
        let lots: Vec<String> = orders.iter().map(|o| o.lots.to_string()).collect();
        (lots, floor.journal.denials())
    };
    assert_eq!(lots(false), (["2", "2", "2", "1"].map(str::to_owned).to_vec(), vec![]), "as before");
    // The pair counts once, also while one of it is moved; what is left is one lot.
    assert_eq!(lots(true), (["2", "2", "1"].map(str::to_owned).to_vec(), vec!["rule_refused"]));
}
