//! Programs of brokers as a whole: rules that we ship, in the real sandbox, on accounts of a real shard. The figures are
//! those of `prop-rules.md`.

use crate::fixture::{built, component, eurusd, sandbox};
use marque_domain::{
    account::{AccountStatus, AccountTerms, MarginLevels, PositionMode},
    bar::{Quote, Timeframe},
    calendar::CalendarId,
    decision::{Denial, Intent, Outcome},
    fixed::{Lots, Money, Price},
    id::{AccountId, InstrumentId, UserId},
    instrument::{Currency, Instrument},
    ledger::movement::{Memo, Movement, MovementKind},
    order::Side,
    plugin::{PluginDigest, PluginRef},
    ticket::{Levels, OrderKind, Ticket, Trail},
    time::{HOUR_MS, Millis},
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard, desk::Commit, port::DayAnchor, port::HistorySource, venue::SimulatedVenue,
};
use marque_sandbox::Plugins;
use std::{collections::HashMap, convert::Infallible, sync::Arc};

const ACCOUNT: AccountId = AccountId(1);
const EURUSD: InstrumentId = InstrumentId(0);
const BTCUSD: InstrumentId = InstrumentId(1);

const FTMO_DAILY: &str = r#"{"reference":"balance","amount":5,"amount_basis":"percent_of_initial","breach":"below",
    "reset_time":"00:00","zone":"Europe/Prague"}"#;
const TARGET: &str = r#"{"target":10,"target_basis":"percent_of_initial"}"#;
const PAYROLLS: &str = r#"{"events":"2014-05-02T12:30Z USD Non-farm payrolls","minutes_before":2,"minutes_after":2}"#;

struct NoHistory;

impl HistorySource for NoHistory {
    fn bars(&self, _: InstrumentId, _: Timeframe, _: Millis, _: u32) -> [Vec<i64>; 7] {
        Default::default()
    }
}

#[derive(Default)]
struct Journal(Vec<Record>);

impl Commit for Journal {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        self.0.extend(effects.records.iter().cloned());
        Ok(())
    }
}

fn bitcoin() -> Instrument {
    Instrument {
        id: BTCUSD,
        symbol: "BTCUSD".to_owned(),
        name: "Bitcoin".to_owned(),
        contract_size: 1,
        calendar: CalendarId::Continuous,
        ..eurusd()
    }
}

fn bound(name: &str, settings: &str) -> PluginRef {
    let digest = sandbox().inspect(component(name)).unwrap().digest;
    PluginRef { digest, name: name.to_owned(), settings: settings.to_owned() }
}

fn at(text: &str) -> Millis {
    Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn money(amount: i64) -> Money {
    Money::whole(amount)
}

/// An account of 100,000 under some rules, and its market. Prices are pips of EURUSD above 1.1; ten lots make 100 a pip.
struct Program {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
}

impl Program {
    fn open(start: &str, rules: &[(&str, &str)]) -> Self {
        Self::open_as(PositionMode::Hedging, start, rules)
    }

    fn open_as(mode: PositionMode, start: &str, rules: &[(&str, &str)]) -> Self {
        let all: HashMap<PluginDigest, Vec<u8>> =
            built().values().map(|bytes| (sandbox().inspect(bytes).unwrap().digest, bytes.clone())).collect();
        let plugins = Plugins::new(Arc::clone(sandbox()), move |digest| all.get(digest).cloned());
        let shard = Shard::new(&[eurusd(), bitcoin()], Arc::new(plugins), Box::new(NoHistory));
        let mut program =
            Self { desk: Desk::new(shard, SimulatedVenue::new(Money::ZERO)), journal: Journal::default() };
        program.quote(start, 0);
        program.enrol(ACCOUNT, mode, rules);
        program
    }

    fn enrol(&mut self, id: AccountId, mode: PositionMode, rules: &[(&str, &str)]) {
        let terms = AccountTerms {
            id,
            user: UserId(1),
            name: "Program".to_owned(),
            currency: Currency::USD,
            initial_balance: money(100_000),
            leverage: 100,
            mode,
            margin: MarginLevels::default(),
            trades_per_day: None,
            rules: rules.iter().map(|(name, settings)| bound(name, settings)).collect(),
        };
        self.command(Command::OpenAccount(terms));
    }

    fn command(&mut self, command: Command) {
        self.desk.command(command, &mut self.journal).unwrap().unwrap();
    }

    fn quote(&mut self, when: &str, pips: i64) {
        self.show(EURUSD, at(when), pips);
    }

    fn show(&mut self, instrument: InstrumentId, at: Millis, pips: i64) {
        let price = Price::from_units(110_000_000 + pips * 10_000);
        self.desk.quote(&Quote { instrument, at, bid: price, ask: price }, &mut self.journal).unwrap();
    }

    fn want(&mut self, intent: Intent) -> Outcome {
        self.command(Command::Want { account: ACCOUNT, intent });
        let decided = |record: &Record| match record {
            Record::Decided(decision) => Some(decision.outcome.clone()),
            _ => None,
        };
        self.journal.0.iter().rev().find_map(decided).unwrap()
    }

    /// Opens at the market with stops in pips from 1.1.
    fn trade(&mut self, side: Side, lots: &str, stop: Option<i64>, target: Option<i64>) -> Outcome {
        let price = |pips: i64| Price::from_units(110_000_000 + pips * 10_000);
        self.want(Intent::Open {
            instrument: EURUSD,
            side,
            lots: lots.parse().unwrap(),
            stop_loss: stop.map(price),
            take_profit: target.map(price),
        })
    }

    fn buy(&mut self, lots: &str) {
        let outcome = self.trade(Side::Buy, lots, None, None);
        assert!(matches!(outcome, Outcome::Approved { .. }), "{outcome:?}");
    }

    fn close_all(&mut self) {
        let open: Vec<_> = self.account().positions.iter().map(|p| p.id).collect();
        for position in open {
            self.want(Intent::Close { position });
        }
    }

    fn account(&self) -> &marque_engine::state::AccountState {
        &self.desk.shard().state().accounts[&ACCOUNT]
    }

    fn failed(&self) -> Option<&str> {
        match &self.account().status {
            AccountStatus::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    fn floor(&self, rule: usize) -> Money {
        self.account().rules[rule].last.as_ref().unwrap().floor.unwrap()
    }

    fn days(&self) -> Vec<DayAnchor> {
        let began = |record: &Record| match record {
            Record::DayBegan { anchor, .. } => Some(*anchor),
            _ => None,
        };
        self.journal.0.iter().filter_map(began).collect()
    }

    fn goal(&self) -> (i64, bool) {
        let goals = self.desk.shard().objectives(ACCOUNT);
        (goals[0].have / Money::whole(1).units(), goals[0].reached)
    }

    fn movement(&mut self, kind: MovementKind, amount: i64) {
        let memo = Memo { reference: format!("{kind:?}"), note: String::new() };
        let movement = Movement { kind, amount: money(amount), memo };
        self.command(Command::MoveMoney { account: ACCOUNT, movement });
    }
}

#[test]
fn a_breach_latches_and_a_gap_records_the_worst_equity_and_not_the_floor() {
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
    program.buy("10");
    program.quote("2014-05-01T08:00:01Z", -49);
    assert_eq!((program.failed(), program.floor(0)), (None, money(95_000)));
    // From 95,100 straight to 93,000, through the floor.
    program.quote("2014-05-01T08:00:02Z", -70);
    let reason = program.failed().unwrap().to_owned();
    assert!(reason.contains("93000.00") && reason.contains("95000.00"), "{reason}");
    let worst = program.journal.0.iter().rev().find_map(|record| match record {
        Record::Assessed { equity, assessment, .. } => Some((*equity, assessment.floor)),
        _ => None,
    });
    assert_eq!(worst, Some((money(93_000), Some(money(95_000)))));
    assert!(program.account().positions.is_empty());
    // Equity that recovers does not undo it.
    program.quote("2014-05-02T08:00:00Z", 500);
    assert!(matches!(program.trade(Side::Buy, "0.1", None, None), Outcome::Denied(Denial::AccountFailed { .. })));
}

#[test]
fn a_floating_loss_that_was_legal_at_23_59_breaches_at_midnight_when_the_reference_moves() {
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
    program.buy("10");
    program.quote("2014-05-01T09:00:00Z", 40);
    program.close_all();
    assert_eq!(program.account().balance, money(104_000));
    program.buy("10");
    program.quote("2014-05-01T21:59:59Z", -20);
    assert_eq!(
        (program.failed(), program.floor(0)),
        (None, money(95_000)),
        "98,000 of equity is legal in Prague's 1 May"
    );
    program.quote("2014-05-01T22:00:00Z", -20);
    assert!(program.failed().unwrap().contains("98000.00"), "{:?}", program.failed());
    assert_eq!(program.floor(0), money(99_000));
}

#[test]
fn days_have_23_and_25_hours_and_the_us_and_europe_change_on_different_dates() {
    let new_york = FTMO_DAILY.replace("00:00", "17:00").replace("Europe/Prague", "America/New_York");
    for (settings, start, next, length_hours) in [
        (FTMO_DAILY, "2014-03-29T12:00:00Z", "2014-03-30T12:00:00Z", 23),
        (FTMO_DAILY, "2014-10-25T12:00:00Z", "2014-10-26T12:00:00Z", 25),
        (FTMO_DAILY, "2014-03-08T12:00:00Z", "2014-03-09T12:00:00Z", 24),
        (&new_york, "2014-03-08T12:00:00Z", "2014-03-08T23:00:00Z", 23),
        (&new_york, "2014-03-29T12:00:00Z", "2014-03-29T23:00:00Z", 24),
        (&new_york, "2014-11-01T12:00:00Z", "2014-11-01T22:00:00Z", 25),
    ] {
        let mut program = Program::open(start, &[("daily-loss", settings)]);
        program.quote(next, 0);
        let day = *program.days().last().unwrap();
        assert_eq!(day.next_at.since(day.began_at), length_hours * HOUR_MS, "{settings} {next}");
    }
}

#[test]
fn the_day_rolls_before_what_fills_on_its_first_quote() {
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
    assert!(matches!(program.trade(Side::Buy, "10", Some(-30), None), Outcome::Approved { .. }));
    // The first quote of 2 May in Prague gaps through the stop.
    program.quote("2014-05-01T22:00:01Z", -45);
    let day = *program.days().last().unwrap();
    assert_eq!((day.balance, program.account().balance), (money(100_000), money(95_500)));
    assert_eq!(program.floor(0), money(95_000), "the loss belongs to the new day");
}

#[test]
fn the_mark_is_updated_before_the_breach_is_tested() {
    // HyroTrader: intraday peak less 5% of the initial balance, breached at the floor.
    let peak = r#"{"reference":"peak","amount":5,"amount_basis":"percent_of_initial","breach":"at_or_below",
        "reset_time":"00:00","zone":"UTC"}"#;
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", peak)]);
    program.buy("10");
    program.quote("2014-05-01T08:00:01Z", 100);
    assert_eq!(program.floor(0), money(105_000));
    program.quote("2014-05-01T08:00:02Z", 60);
    assert_eq!(program.failed(), None);
    // 104,500 is below yesterday's floor, but the day rolls first: its peak is what the account is worth then.
    program.quote("2014-05-02T00:00:00Z", 45);
    assert_eq!((program.failed(), program.floor(0)), (None, money(99_500)));
    program.quote("2014-05-02T00:00:01Z", -5);
    assert!(program.failed().unwrap().contains("99500.00"), "{:?}", program.failed());
}

#[test]
fn a_breach_wins_over_a_target_that_the_same_quote_reaches() {
    let run = |when: &str| {
        let rules = [("profit-target", TARGET), ("news-window", PAYROLLS)];
        let mut program = Program::open("2014-05-02T08:00:00Z", &rules);
        assert!(matches!(program.trade(Side::Buy, "10", None, Some(100)), Outcome::Approved { .. }));
        // The take-profit is reached: 10,000 of profit and a flat book.
        program.quote(when, 100);
        assert_eq!(program.account().balance, money(110_000));
        program
    };
    let calm = run("2014-05-02T12:00:00Z");
    assert_eq!((calm.failed(), calm.goal()), (None, (10_000, true)));
    let breached = run("2014-05-02T12:31:59Z");
    assert!(breached.failed().unwrap().contains("Non-farm payrolls"), "{:?}", breached.failed());
    assert_eq!(breached.goal(), (0, false), "the account did not live to see its target");
}

#[test]
fn what_is_closed_in_part_or_added_to_a_position_around_news_is_a_breach_too() {
    let start = |mode| {
        let mut program = Program::open_as(mode, "2014-05-02T08:00:00Z", &[("news-window", PAYROLLS)]);
        program.buy("1");
        program
    };
    for (when, breached) in [("2014-05-02T12:00:00Z", false), ("2014-05-02T12:31:00Z", true)] {
        let mut program = start(PositionMode::Hedging);
        program.quote(when, 0);
        let position = program.account().positions[0].id;
        let reduced = program.want(Intent::Reduce { position, lots: "0.99".parse().unwrap() });
        assert!(matches!(reduced, Outcome::Approved { .. }), "{reduced:?}");
        assert_eq!(program.failed().is_some(), breached, "all but a hundredth closed at {when}");

        let mut program = start(PositionMode::Netting);
        let kind = OrderKind::Stop { price: Price::from_units(110_000_000 + 10 * 10_000) };
        let more = Ticket::market(EURUSD, Side::Buy, Lots::whole(5), Levels::default());
        let waits = program.want(Intent::Place(Ticket { kind, ..more }));
        assert!(matches!(waits, Outcome::Approved { .. }), "{waits:?}");
        program.quote(when, 10);
        assert_eq!(program.failed().is_some(), breached, "five lots more at {when}");
    }
}

#[test]
fn a_phantom_tick_freezes_new_risk_and_fails_only_when_the_next_price_confirms_it() {
    let start = || {
        let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
        for second in 1..80 {
            program.show(EURUSD, at("2014-05-01T08:00:00Z").plus(second * 1_000), second % 3);
        }
        program.buy("10");
        program.quote("2014-05-01T08:02:00Z", -70);
        program
    };
    let mut program = start();
    assert_eq!((program.failed(), program.account().positions.len()), (None, 1));
    let denied = program.trade(Side::Buy, "0.1", None, None);
    assert!(
        matches!(&denied, Outcome::Denied(Denial::AccountHeld { reason }) if reason.contains("confirmed")),
        "{denied:?}"
    );
    // The market is where it was: a bad tick.
    program.quote("2014-05-01T08:02:01Z", 1);
    assert_eq!(program.account().status, AccountStatus::Active);
    program.buy("0.1");

    // The market stays there: it fails, with the worst that was seen.
    let mut program = start();
    program.quote("2014-05-01T08:02:01Z", -60);
    let reason = program.failed().unwrap();
    assert!(reason.contains("92900.00"), "{reason}");
    assert!(program.account().positions.is_empty());
}

/// Neither a rule that would only flatten acts on a single price, nor does the venue for want of margin.
#[test]
fn a_phantom_tick_closes_nothing_before_the_next_price_confirms_it() {
    let flattens = FTMO_DAILY.replace("\"zone\"", "\"on_breach\":\"flatten\",\"zone\"");
    // At 5,500 of equity, half of what ten lots bind, the venue would close them.
    for (settings, phantom, stays, fails) in [(&*flattens, -70, -60, false), (FTMO_DAILY, -950, -940, true)] {
        let start = || {
            let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", settings)]);
            for second in 1..80 {
                program.show(EURUSD, at("2014-05-01T08:00:00Z").plus(second * 1_000), second % 3);
            }
            program.buy("10");
            program.quote("2014-05-01T08:02:00Z", phantom);
            assert!(matches!(program.account().status, AccountStatus::Held(_)), "{:?}", program.account().status);
            assert_eq!(program.account().positions.len(), 1, "{settings}");
            program
        };
        let mut program = start();
        program.quote("2014-05-01T08:02:01Z", 1);
        assert_eq!(program.account().status, AccountStatus::Active, "{settings}");
        assert_eq!((program.account().positions.len(), program.account().balance), (1, money(100_000)));

        let mut program = start();
        program.quote("2014-05-01T08:02:01Z", stays);
        assert!(program.account().positions.is_empty(), "{settings}");
        assert_eq!((program.failed().is_some(), program.account().status == AccountStatus::Active), (fails, !fails));
    }
}

#[test]
fn deposits_and_payouts_move_reference_and_floor_and_are_no_profit() {
    let trail =
        r#"{"model":"trailing","amount":6,"amount_basis":"percent_of_initial","mark":"balance","breach":"below"}"#;
    let rules = [("profit-target", TARGET), ("daily-loss", FTMO_DAILY), ("max-loss", trail)];
    let mut program = Program::open("2014-05-01T08:00:00Z", &rules);
    program.movement(MovementKind::Deposit, 10_000);
    assert_eq!(program.goal(), (0, false));
    // B0 is 110,000 and 5% of 110,000 is 5,500; the trail is 6% of it below.
    assert_eq!((program.floor(1), program.floor(2)), (money(104_500), money(103_400)));
    program.buy("10");
    program.quote("2014-05-01T09:00:00Z", 80);
    program.close_all();
    assert_eq!((program.goal(), program.floor(2)), ((8_000, false), money(111_400)));
    // A payout of the profit takes the mark down with it and breaches nothing.
    program.movement(MovementKind::Payout, 8_000);
    assert_eq!((program.failed(), program.account().balance), (None, money(110_000)));
    assert_eq!((program.floor(1), program.floor(2)), (money(96_500), money(103_400)));
}

#[test]
fn a_withdrawal_of_profit_does_not_take_an_open_loss_onto_a_floor_that_stands_still() {
    let still = r#"{"model":"static","amount":6,"amount_basis":"percent_of_initial","breach":"at_or_below"}"#;
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("max-loss", still)]);
    program.buy("10");
    program.quote("2014-05-01T08:01:00Z", 80);
    program.close_all();
    program.buy("10");
    // 8,000 earned and 13,900 floating: 94,100, and the floor is that of the capital.
    program.quote("2014-05-01T08:02:00Z", -59);
    assert_eq!((program.account().balance, program.floor(0)), (money(108_000), money(94_000)));
    let memo = Memo { reference: "rent".to_owned(), note: String::new() };
    let movement = Movement { kind: MovementKind::Withdrawal, amount: money(100), memo };
    let refused =
        program.desk.command(Command::MoveMoney { account: ACCOUNT, movement }, &mut program.journal).unwrap();
    let denial = refused.unwrap_err().to_string();
    assert!(denial.contains("94000.00") && denial.contains("max-loss"), "{denial}");
    program.movement(MovementKind::Withdrawal, 99);
    assert_eq!((program.failed(), program.account().balance), (None, money(107_901)));
}

#[test]
fn ftmo_one_step_trails_the_balance_at_the_ends_of_days() {
    let trail = r#"{"model":"trailing","amount":10,"amount_basis":"percent_of_initial","mark":"end_of_day_balance",
        "breach":"below","reset_time":"00:00","zone":"Europe/Prague"}"#;
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("max-loss", trail)]);
    program.buy("10");
    program.quote("2014-05-01T09:00:00Z", 40);
    program.close_all();
    assert_eq!(program.floor(0), money(90_000), "104,000 within the day");
    program.quote("2014-05-02T08:00:00Z", 40);
    assert_eq!(program.floor(0), money(94_000), "104,000 at its end");
    program.buy("10");
    program.quote("2014-05-02T09:00:00Z", 30);
    program.close_all();
    program.quote("2014-05-05T08:00:00Z", 30);
    assert_eq!((program.account().balance, program.floor(0)), (money(103_000), money(94_000)), "it never falls");
}

#[test]
fn rules_are_pinned_to_the_account_that_was_enrolled_under_them() {
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
    // The brand's terms change for whoever comes later.
    let stricter = FTMO_DAILY.replace("\"amount\":5", "\"amount\":3");
    program.enrol(AccountId(2), PositionMode::Hedging, &[("daily-loss", &stricter)]);
    program.quote("2014-05-02T08:00:00Z", 0);
    let floor = |id| program.desk.shard().state().accounts[&AccountId(id)].rules[0].last.as_ref().unwrap().floor;
    assert_eq!((floor(1), floor(2)), (Some(money(95_000)), Some(money(97_000))));
}

#[test]
fn the_weekend_closes_what_closes_and_leaves_what_trades_on() {
    let mut program = Program::open("2014-05-16T08:00:00Z", &[("weekend", r#"{"minutes_before":15}"#)]);
    program.show(BTCUSD, at("2014-05-16T08:00:00Z"), 0);
    program.buy("1");
    let intent =
        Intent::Open { instrument: BTCUSD, side: Side::Buy, lots: Lots::whole(1), stop_loss: None, take_profit: None };
    assert!(matches!(program.want(intent), Outcome::Approved { .. }));
    // Forex ends on Friday at 17:00 in New York, 21:00 UTC.
    program.quote("2014-05-16T20:44:59Z", 1);
    assert_eq!(program.account().positions.len(), 2);
    program.quote("2014-05-16T20:45:00Z", 1);
    let held: Vec<_> = program.account().positions.iter().map(|p| p.instrument).collect();
    assert_eq!(held, [BTCUSD]);
    let denied = program.trade(Side::Buy, "1", None, None);
    assert!(matches!(&denied, Outcome::Denied(Denial::RuleRefused { rule, .. }) if rule == "weekend"), "{denied:?}");
}

#[test]
fn days_sizes_and_trades_are_counted_by_their_rules() {
    let rules = [
        ("min-days", r#"{"days":4,"counts":"opened","reset_time":"00:00","zone":"Europe/Prague"}"#),
        ("position-size", r#"{"risk_percent":1,"basis":"equity","require_stop":true}"#),
        ("exposure-cap", r#"{"max_lots":3}"#),
        ("trade-limit", r#"{"per_day":2,"reset_time":"00:00","zone":"Europe/Prague"}"#),
    ];
    let mut program = Program::open("2014-05-01T08:00:00Z", &rules);
    let lots = |outcome: &Outcome| match outcome {
        Outcome::Approved { lots, .. } => lots.to_string(),
        Outcome::Denied(denial) => denial.to_string(),
    };
    assert!(lots(&program.trade(Side::Buy, "1", None, None)).contains("without a stop-loss"));
    // 50 pips lose 5,000 with ten lots; 1% is 1,000.
    assert_eq!(lots(&program.trade(Side::Buy, "10", Some(-50), None)), "2");
    assert_eq!(lots(&program.trade(Side::Buy, "10", Some(-10), None)), "1", "three lots in all");
    assert!(lots(&program.trade(Side::Buy, "1", Some(-10), None)).starts_with("exposure-cap: 3 lots in all"));
    program.close_all();
    assert!(lots(&program.trade(Side::Buy, "1", Some(-10), None)).contains("2 opening orders today"));
    assert_eq!(program.goal(), (1, false));
    program.quote("2014-05-01T22:00:00Z", 0);
    assert_eq!(lots(&program.trade(Side::Buy, "1", Some(-10), None)), "1");
    assert_eq!(program.goal(), (2, false));
}

const ONE_PERCENT: &str = r#"{"risk_percent":1,"basis":"equity","require_stop":true}"#;

fn guarded(stop: Option<i64>) -> Levels {
    let stop_loss = stop.map(|pips| Price::from_units(110_000_000 + pips * 10_000));
    Levels { stop_loss, ..Levels::default() }
}

#[test]
fn a_stop_moves_away_only_as_far_as_the_size_allows_and_comes_nearer_always() {
    let one_order = r#"{"per_day":1,"reset_time":"00:00","zone":"UTC"}"#;
    let rules = [("position-size", ONE_PERCENT), ("trade-limit", one_order), ("exposure-cap", r#"{"max_lots":2}"#)];
    let mut program = Program::open("2014-05-01T08:00:00Z", &rules);
    // 50 pips lose 1,000 with two lots, which is all that is allowed.
    assert!(matches!(program.trade(Side::Buy, "2", Some(-50), None), Outcome::Approved { .. }));
    let position = program.account().positions[0].id;
    let protect = |program: &mut Program, stop| {
        let levels = guarded(stop);
        match program.want(Intent::Protect { position, levels }) {
            Outcome::Approved { .. } => None,
            Outcome::Denied(denial) => Some(denial.to_string()),
        }
    };
    let told = protect(&mut program, Some(-100)).unwrap();
    assert!(told.contains("position-size") && told.contains("only 1 lots"), "{told}");
    let told = protect(&mut program, None).unwrap();
    assert!(told.contains("without a stop-loss"), "{told}");
    // That the day's orders are used up and the lots are all open is nothing against a stop that moves where it may be.
    program.quote("2014-05-01T08:00:01Z", -10);
    for stop in [-30, -50] {
        assert_eq!(protect(&mut program, Some(stop)), None, "{stop}");
    }
    // What counts is what the position loses since it was opened, not what it loses from here: no step at a time.
    program.quote("2014-05-01T08:00:02Z", -45);
    assert!(protect(&mut program, Some(-60)).is_some());
    assert_eq!(program.account().positions[0].stop_loss, guarded(Some(-50)).stop_loss);
    // And what has been gained may be given back.
    program.quote("2014-05-01T08:00:03Z", 100);
    for stop in [90, -50] {
        assert_eq!(protect(&mut program, Some(stop)), None, "{stop}");
    }
}

#[test]
fn what_is_added_to_a_position_is_sized_with_all_that_its_stop_guards() {
    let rules = [("position-size", ONE_PERCENT)];
    let mut program = Program::open_as(PositionMode::Netting, "2014-05-01T08:00:00Z", &rules);
    let lots = |outcome: &Outcome| match outcome {
        Outcome::Approved { lots, .. } => lots.to_string(),
        Outcome::Denied(denial) => denial.to_string(),
    };
    assert_eq!(lots(&program.trade(Side::Buy, "1", Some(-50), None)), "1");
    // A hundredth more would take the stop of the whole to 200 pips, where it loses 2,020.
    let told = lots(&program.trade(Side::Buy, "0.01", Some(-200), None));
    assert!(told.contains("position-size"), "{told}");
    let trail = Some(Trail { distance: Price::from_units(200 * 10_000), step: Price::from_units(10_000) });
    let levels = Levels { trail, ..Levels::default() };
    let follows = Ticket::market(EURUSD, Side::Buy, "0.01".parse().unwrap(), levels);
    let told = lots(&program.want(Intent::Place(follows)));
    assert!(told.contains("position-size"), "{told}");
    // Two lots in all lose 1,000 at 50 pips: one is open. The stop that is there guards what brings none.
    assert_eq!(lots(&program.trade(Side::Buy, "2", None, None)), "1");
    let held = &program.account().positions[0];
    assert_eq!((held.lots, held.stop_loss), (Lots::whole(2), guarded(Some(-50)).stop_loss));
    assert!(lots(&program.trade(Side::Buy, "0.01", None, None)).contains("position-size"));
    // Twice as near, twice as much.
    assert_eq!(lots(&program.trade(Side::Buy, "5", Some(-25), None)), "2");
}

#[test]
fn the_largest_next_order_is_what_every_rule_leaves() {
    let mut program = Program::open("2014-05-01T08:00:00Z", &[("daily-loss", FTMO_DAILY)]);
    let price = |pips: i64| Some(Price::from_units(110_000_000 + pips * 10_000));
    let largest =
        |program: &mut Program, stop| program.desk.shard_mut().largest_order(ACCOUNT, EURUSD, Side::Buy, stop).unwrap();
    // 5,000 are left, and equity at the floor is allowed: 100 pips lose 1,000 a lot.
    let found = largest(&mut program, price(-100));
    assert_eq!(found.lots, Lots::whole(5));
    assert!(matches!(&found.bound_by, Some(Denial::RuleRefused { rule, .. }) if rule == "daily-loss"), "{found:?}");
    assert!(matches!(program.trade(Side::Buy, "5", Some(-100), None), Outcome::Approved { .. }));
    program.quote("2014-05-01T08:00:01Z", -20);
    assert_eq!(largest(&mut program, price(-120)).lots, Lots::whole(4));
    // Without a stop no rule knows what it risks: the instrument's own limit is all there is.
    let free = largest(&mut program, None);
    assert_eq!((free.lots, free.bound_by), (Lots::whole(50), None));
    let before = program.desk.shard().state().clone();
    largest(&mut program, None);
    assert_eq!(program.desk.shard().state(), &before, "a question changes nothing");
}
