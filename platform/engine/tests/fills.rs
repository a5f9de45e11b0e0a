//! The fill rules of `FILLS.md`: each case is the test of its name.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountTerms, PositionMode},
    bar::Quote,
    calendar::CalendarId,
    decision::{Denial, Intent, Outcome},
    fixed::{Lots, Money, Price},
    id::{AccountId, InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    order::{Order, OrderState, Origin, Position, Side},
    ticket::{Amendment, Levels, OrderKind, Ticket, TimeInForce, Trail},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Record, Shard,
    venue::{SimulatedVenue, Slippage, Spread, VenueModel},
};
use std::sync::Arc;
use support::{Journal, NativeHost, NoHistory, START, instrument, quote, terms};

/// A price so many points (of 1e-5) above 1.38.
fn p(points: i64) -> Price {
    Price::from_units(138_000_000 + points * 1_000)
}

fn points(points: i64) -> Price {
    Price::from_units(points * 1_000)
}

fn lots(text: &str) -> Lots {
    text.parse().unwrap()
}

struct Stage {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
}

impl Stage {
    /// A hedging account at a perfect venue that is always open, at a bid of 0 and an ask of 10 points.
    fn new() -> Self {
        Self::with(VenueModel::default(), PositionMode::Hedging)
    }

    fn with(model: VenueModel, mode: PositionMode) -> Self {
        Self::on(&instrument(), model, mode, START, "100000")
    }

    fn on(instrument: &Instrument, model: VenueModel, mode: PositionMode, at: Millis, balance: &str) -> Self {
        let instruments = core::slice::from_ref(instrument);
        let shard = Shard::new(instruments, Arc::new(NativeHost), Box::new(NoHistory));
        let desk = Desk::new(shard, SimulatedVenue::with_model(model, instruments));
        let mut stage = Self { desk, journal: Journal::default() };
        stage.quote(at.since(START), 0, 10);
        let terms = AccountTerms { mode, initial_balance: balance.parse().unwrap(), ..terms(vec![]) };
        stage.desk.command(Command::OpenAccount(terms), &mut stage.journal).unwrap().unwrap();
        stage
    }

    fn quote(&mut self, at: i64, bid: i64, spread: i64) {
        self.desk.quote(&quote(at, bid, spread), &mut self.journal).unwrap();
    }

    fn want(&mut self, intent: Intent) -> Result<OrderId, Denial> {
        let from = self.journal.records.len();
        self.desk.command(Command::Want { account: AccountId(1), intent }, &mut self.journal).unwrap().unwrap();
        let decided = self.journal.records[from..].iter().find_map(|record| match record {
            Record::Decided(decision) => Some(decision.outcome.clone()),
            _ => None,
        });
        match decided.unwrap() {
            Outcome::Approved { order, .. } => Ok(order),
            Outcome::Denied(denial) => Err(denial),
        }
    }

    fn place(&mut self, side: Side, size: &str, kind: OrderKind) -> OrderId {
        self.want(Intent::Place(ticket(side, size, kind))).unwrap()
    }

    fn market(&mut self, side: Side, size: &str) -> OrderId {
        self.place(side, size, OrderKind::Market)
    }

    /// An order as it was recorded last.
    fn order(&self, id: OrderId) -> Order {
        let found = self.journal.records.iter().rev().find_map(|record| match record {
            Record::OrderPlaced(order) | Record::OrderMoved(order) if order.id == id => Some(order.clone()),
            _ => None,
        });
        found.unwrap()
    }

    fn state(&self, id: OrderId) -> OrderState {
        self.order(id).state
    }

    fn open(&self) -> &[Position] {
        &self.desk.shard().state().accounts[&AccountId(1)].positions
    }

    fn closed(&self) -> Vec<Position> {
        let closed = self.journal.records.iter().filter_map(|record| match record {
            Record::PositionClosed(position) => Some(position.clone()),
            _ => None,
        });
        closed.collect()
    }

    fn balance(&self) -> Money {
        self.desk.shard().state().accounts[&AccountId(1)].balance
    }

    fn filled_at(&self, id: OrderId) -> Price {
        let order = self.order(id);
        assert_eq!(order.state, OrderState::Filled, "{order:?}");
        order.fill_price.unwrap()
    }
}

fn ticket(side: Side, size: &str, kind: OrderKind) -> Ticket {
    Ticket { kind, ..Ticket::market(InstrumentId(1), side, lots(size), Levels::default()) }
}

fn limit(at: i64) -> OrderKind {
    OrderKind::Limit { price: p(at) }
}

fn stop(at: i64) -> OrderKind {
    OrderKind::Stop { price: p(at) }
}

fn guarded(stop_loss: Option<i64>, take_profit: Option<i64>) -> Levels {
    Levels { stop_loss: stop_loss.map(p), take_profit: take_profit.map(p), trail: None }
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Currencies, which close for the weekend; from a Friday at noon in New York.
fn weekly() -> (Instrument, Millis) {
    let friday: Millis = Millis::from_rfc3339("2014-05-16T16:00:00Z").unwrap();
    (Instrument { calendar: CalendarId::Forex, ..instrument() }, friday)
}

fn after(text: &str) -> i64 {
    Millis::from_rfc3339(text).unwrap().since(START)
}

#[test]
fn the_document_and_the_tests_name_the_same_cases() {
    let named = |text: &str, from: &str, to: &str| {
        let mut names: Vec<String> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(from))
            .filter(|rest| rest.starts_with('f') && rest.as_bytes()[1].is_ascii_digit())
            .filter_map(|rest| rest.split_once(to).map(|(name, _)| name.to_owned()))
            .collect();
        names.sort();
        names
    };
    assert_eq!(named(include_str!("../FILLS.md"), "- `", "`"), named(include_str!("fills.rs"), "fn ", "("));
}

#[test]
fn f01_a_crossed_quote_does_nothing_and_a_locked_one_trades() {
    let mut stage = Stage::new();
    let ends = TimeInForce::Gtd(START.plus(1_500));
    let expiring =
        stage.want(Intent::Place(Ticket { time_in_force: ends, ..ticket(Side::Buy, "1", limit(-900)) })).unwrap();
    let waiting = stage.place(Side::Buy, "1", limit(-50));
    stage.quote(2_000, -60, -5);
    assert_eq!((stage.state(waiting), stage.state(expiring)), (OrderState::Acked, OrderState::Acked));
    stage.quote(3_000, -60, 0);
    assert_eq!(stage.filled_at(waiting), p(-60));
    assert_eq!(stage.state(expiring), OrderState::Cancelled);
}

#[test]
fn f02_a_wider_spread_raises_the_ask_for_everybody() {
    for (spread, quoted, ask) in [
        (Spread::Markup(points(3)), 10, 13),
        (Spread::Minimum(points(15)), 10, 15),
        (Spread::Minimum(points(5)), 10, 10),
    ] {
        let mut stage = Stage::with(VenueModel { spread, ..VenueModel::default() }, PositionMode::Hedging);
        stage.quote(1_000, 0, quoted);
        let bought = stage.market(Side::Buy, "1");
        assert_eq!(stage.filled_at(bought), p(ask));
        let equity = stage.desk.shard().equity(AccountId(1)).unwrap();
        assert_eq!(equity, money("100000").saturating_sub(Money::whole(ask)), "equity is at the venue's own spread");
    }
}

#[test]
fn f03_a_market_order_buys_at_the_ask_and_sells_at_the_bid() {
    let mut stage = Stage::new();
    let (bought, sold) = (stage.market(Side::Buy, "1"), stage.market(Side::Sell, "1"));
    assert_eq!((stage.filled_at(bought), stage.filled_at(sold)), (p(10), p(0)));
    assert_eq!(stage.open().len(), 2, "a hedging account holds both");
}

#[test]
fn f04_each_fill_costs_the_commission_of_its_lots() {
    let model = VenueModel { commission_per_lot: money("3.5"), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let (long, short) = (stage.market(Side::Buy, "0.15"), stage.market(Side::Sell, "0.15"));
    assert_eq!(stage.balance(), money("100000").saturating_sub(money("1.05")));
    stage.want(Intent::CloseBy { position: PositionId(long.0), by: PositionId(short.0) }).unwrap();
    // Ten points of spread on 0.15 lots, and no charge for settling them against each other.
    assert_eq!(stage.balance(), money("100000").saturating_sub(money("2.55")));
}

#[test]
fn f05_fixed_slippage_makes_market_and_stop_fills_worse() {
    let model = VenueModel { slippage: Slippage::Fixed(points(4)), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let (bought, sold) = (stage.market(Side::Buy, "1"), stage.market(Side::Sell, "1"));
    assert_eq!((stage.filled_at(bought), stage.filled_at(sold)), (p(14), p(-4)));
    let (above, below) = (stage.place(Side::Buy, "1", stop(50)), stage.place(Side::Buy, "1", limit(-50)));
    stage.quote(1_000, 45, 10);
    stage.quote(2_000, -65, 10);
    assert_eq!((stage.filled_at(above), stage.filled_at(below)), (p(59), p(-55)));
    let intent = Intent::Protect { position: PositionId(bought.0), levels: guarded(None, Some(100)) };
    stage.want(intent).unwrap();
    stage.quote(3_000, 100, 10);
    let took = stage.closed()[0].closed.unwrap();
    assert_eq!((took.origin, took.price), (Origin::TakeProfit, p(100)));
}

#[test]
fn f06_random_slippage_stays_in_its_bounds_and_repeats() {
    let run = |seed| {
        let model = VenueModel { slippage: Slippage::Random(points(5)), seed, ..VenueModel::default() };
        let mut stage = Stage::with(model, PositionMode::Hedging);
        let mut fills = Vec::new();
        for _ in 0..60 {
            let id = stage.market(Side::Buy, "0.01");
            fills.push(stage.filled_at(id).saturating_sub(p(10)).units() / 1_000);
        }
        fills
    };
    let fills = run(7);
    assert!(fills.iter().all(|worse| (0..=5).contains(worse)), "{fills:?}");
    assert!((0..=5).all(|worse| fills.contains(&worse)), "every step of the bounds: {fills:?}");
    assert_eq!(fills, run(7));
    assert_ne!(fills, run(8));
}

#[test]
fn f07_a_limit_fills_at_the_first_quote_at_or_beyond_it() {
    let mut stage = Stage::new();
    let (buy, sell) = (stage.place(Side::Buy, "1", limit(-20)), stage.place(Side::Sell, "1", limit(30)));
    stage.quote(1_000, -29, 10);
    assert_eq!(stage.state(buy), OrderState::Acked, "the ask is a point above");
    stage.quote(2_000, -30, 10);
    assert_eq!(stage.filled_at(buy), p(-20));
    stage.quote(3_000, 29, 10);
    assert_eq!(stage.state(sell), OrderState::Acked);
    stage.quote(4_000, 30, 10);
    assert_eq!(stage.filled_at(sell), p(30));
}

#[test]
fn f08_a_gap_through_a_limit_fills_at_the_better_price() {
    let mut stage = Stage::new();
    let (buy, sell) = (stage.place(Side::Buy, "1", limit(-20)), stage.place(Side::Sell, "1", limit(30)));
    stage.quote(1_000, -100, 10);
    stage.quote(2_000, 200, 10);
    assert_eq!((stage.filled_at(buy), stage.filled_at(sell)), (p(-90), p(200)));
}

#[test]
fn f09_a_stop_watches_the_price_it_trades_at() {
    let mut stage = Stage::new();
    let (buy, sell) = (stage.place(Side::Buy, "1", stop(30)), stage.place(Side::Sell, "1", stop(-20)));
    stage.quote(1_000, 19, 10);
    assert_eq!(stage.state(buy), OrderState::Acked);
    stage.quote(2_000, 20, 10);
    assert_eq!(stage.filled_at(buy), p(30));
    stage.quote(3_000, -19, 10);
    assert_eq!(stage.state(sell), OrderState::Acked);
    stage.quote(4_000, -20, 10);
    assert_eq!(stage.filled_at(sell), p(-20));
}

#[test]
fn f10_a_gap_through_a_stop_fills_at_the_first_price() {
    let mut stage = Stage::new();
    let sell = stage.place(Side::Sell, "1", stop(-20));
    stage.quote(1_000, -500, 10);
    assert_eq!(stage.filled_at(sell), p(-500));
}

#[test]
fn f11_a_stop_limit_waits_at_its_limit_once_its_stop_is_reached() {
    let mut stage = Stage::new();
    let kind = OrderKind::StopLimit { stop: p(30), limit: p(40) };
    let (waits, takes) = (stage.place(Side::Buy, "1", kind), stage.place(Side::Buy, "1", kind));
    stage.want(Intent::Cancel { order: takes }).unwrap();
    stage.quote(1_000, 90, 10);
    assert!(stage.order(waits).triggered);
    assert_eq!(stage.state(waits), OrderState::Acked, "armed, but the price is beyond its limit");
    stage.quote(2_000, 25, 10);
    assert_eq!(stage.filled_at(waits), p(35));
    let again = stage.place(Side::Buy, "1", OrderKind::StopLimit { stop: p(60), limit: p(70) });
    stage.quote(3_000, 55, 10);
    assert_eq!(stage.filled_at(again), p(65), "on the quote that reached its stop");
}

#[test]
fn f12_a_trailing_stop_follows_in_steps_and_never_goes_back() {
    let mut stage = Stage::new();
    let trail = Trail { distance: points(20), step: points(5) };
    let id = stage.place(Side::Sell, "1", OrderKind::TrailingStop { stop: p(-20), trail });
    let level = |stage: &Stage| stage.order(id).kind.stop().unwrap();
    stage.quote(1_000, 4, 10);
    assert_eq!(level(&stage), p(-20), "less than a step");
    stage.quote(2_000, 7, 10);
    assert_eq!(level(&stage), p(-13));
    stage.quote(3_000, -5, 10);
    assert_eq!(level(&stage), p(-13), "never back");
    stage.quote(4_000, -14, 10);
    assert_eq!(stage.filled_at(id), p(-14));
}

#[test]
fn f13_levels_watch_the_price_that_closes_the_position() {
    let mut stage = Stage::new();
    let bracket = |side, levels| Intent::Place(Ticket { levels, ..ticket(side, "1", OrderKind::Market) });
    let long = stage.want(bracket(Side::Buy, guarded(Some(-30), Some(60)))).unwrap();
    let short = stage.want(bracket(Side::Sell, guarded(Some(60), Some(-30)))).unwrap();
    stage.quote(1_000, 51, 8);
    assert_eq!(stage.open().len(), 2, "neither the bid nor the ask is at 60");
    stage.quote(2_000, 50, 10);
    let closed = stage.closed();
    assert_eq!((closed[0].id, closed[0].closed.unwrap().price), (PositionId(short.0), p(60)));
    stage.quote(3_000, -30, 10);
    let closed = stage.closed();
    assert_eq!((closed[1].id, closed[1].closed.unwrap().origin), (PositionId(long.0), Origin::StopLoss));
}

#[test]
fn f14_a_bracket_closes_at_one_of_its_levels_once() {
    let mut stage = Stage::new();
    let levels = guarded(Some(-60), Some(60));
    stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", limit(-20)) })).unwrap();
    stage.quote(1_000, -30, 10);
    stage.quote(2_000, 60, 10);
    stage.quote(3_000, -60, 10);
    let closed = stage.closed();
    assert_eq!((closed.len(), closed[0].closed.unwrap().origin), (1, Origin::TakeProfit));
    assert!(stage.open().is_empty());
}

#[test]
fn f15_a_gap_through_a_level_fills_at_the_first_price() {
    for (bid, origin) in [(-300, Origin::StopLoss), (300, Origin::TakeProfit)] {
        let mut stage = Stage::new();
        let levels = guarded(Some(-30), Some(60));
        stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
        stage.quote(1_000, bid, 10);
        let closed = stage.closed()[0].closed.unwrap();
        assert_eq!((closed.origin, closed.price), (origin, p(bid)));
    }
}

#[test]
fn f16_levels_count_from_the_quote_after_the_fill() {
    let mut stage = Stage::new();
    let levels = guarded(Some(-50), None);
    stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", limit(-20)) })).unwrap();
    stage.quote(1_000, -100, 10);
    assert_eq!(stage.open().len(), 1, "filled beyond its own stop-loss");
    stage.quote(2_000, -90, 10);
    assert_eq!(stage.closed()[0].closed.unwrap().price, p(-90));
}

#[test]
fn f17_a_trailing_stop_loss_begins_at_its_distance_and_follows() {
    for (side, begins, moved, closes) in [(Side::Buy, -25, 35, 35), (Side::Sell, 35, -25, -25)] {
        let mut stage = Stage::new();
        let levels = Levels { trail: Some(Trail { distance: points(25), step: points(10) }), ..Levels::default() };
        stage.want(Intent::Place(Ticket { levels, ..ticket(side, "1", OrderKind::Market) })).unwrap();
        assert_eq!(stage.open()[0].stop_loss, Some(p(begins)));
        let up = if side == Side::Buy { 60 } else { -60 };
        stage.quote(1_000, up, 10);
        assert_eq!(stage.open()[0].stop_loss, Some(p(moved)));
        stage.quote(2_000, if side == Side::Buy { closes } else { closes - 10 }, 10);
        assert_eq!(stage.closed()[0].closed.unwrap().price, p(closes));
    }
}

#[test]
fn f18_attached_levels_come_before_orders_on_one_quote() {
    let mut stage = Stage::with(VenueModel::default(), PositionMode::Netting);
    let levels = guarded(Some(-30), None);
    stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
    let more = stage.place(Side::Buy, "1", limit(-25));
    stage.quote(1_000, -40, 10);
    assert_eq!(stage.closed().len(), 1);
    assert_eq!((stage.open().len(), stage.open()[0].id), (1, PositionId(more.0)), "a position of its own");
}

#[test]
fn f19_one_of_a_pair_trades_and_the_other_is_withdrawn() {
    let mut stage = Stage::new();
    let above = stage.place(Side::Buy, "1", stop(40));
    let pair = Ticket { oco: Some(above), ..ticket(Side::Buy, "1", limit(-30)) };
    let below = stage.want(Intent::Place(pair)).unwrap();
    stage.quote(1_000, -40, 10);
    assert_eq!((stage.filled_at(below), stage.state(above)), (p(-30), OrderState::Cancelled));
    stage.quote(2_000, 100, 10);
    assert_eq!(stage.open().len(), 1);
    let late = Ticket { oco: Some(above), ..ticket(Side::Buy, "1", limit(-30)) };
    assert_eq!(stage.want(Intent::Place(late)), Err(Denial::OrderNotWorking));
    let other = stage.place(Side::Buy, "1", limit(-90));
    let at_once = Ticket { oco: Some(other), ..ticket(Side::Buy, "1", OrderKind::Market) };
    assert!(matches!(stage.want(Intent::Place(at_once)), Err(Denial::TimeInForceUnfit { .. })));
}

#[test]
fn f20_a_gap_that_reaches_both_of_a_pair_fills_exactly_one() {
    let mut stage = Stage::new();
    let older = stage.place(Side::Sell, "1", stop(-30));
    let pair = Ticket { oco: Some(older), ..ticket(Side::Buy, "1", limit(-20)) };
    let younger = stage.want(Intent::Place(pair)).unwrap();
    stage.quote(1_000, -60, 10);
    assert_eq!((stage.state(older), stage.state(younger)), (OrderState::Filled, OrderState::Cancelled));
    assert_eq!(stage.open().len(), 1);
}

#[test]
fn f21_a_triggered_order_that_no_longer_fits_is_rejected() {
    // Each lot binds about 1,380 of 100,000; the loss of the first fill takes what the second one needs.
    let mut stage = Stage::on(&instrument(), VenueModel::default(), PositionMode::Hedging, START, "3000");
    let first = stage.place(Side::Buy, "1", limit(-20));
    let second = stage.place(Side::Buy, "1", limit(-600));
    assert!(matches!(
        stage.want(Intent::Place(ticket(Side::Buy, "1", limit(-30)))),
        Err(Denial::MarginTooSmall { .. })
    ));
    stage.quote(1_000, -30, 10);
    assert_eq!(stage.state(first), OrderState::Filled);
    stage.quote(2_000, -610, 10);
    let order = stage.order(second);
    assert_eq!(order.state, OrderState::Rejected);
    let reason = order.reason.unwrap();
    assert!(reason.contains("a margin of 1374.00 and 1030.20 is free"), "the numbers that decided: {reason}");
    // On one quote the fills before it count: the first one's spread is already lost.
    let mut both = Stage::on(&instrument(), VenueModel::default(), PositionMode::Hedging, START, "3000");
    let (one, two) = (both.place(Side::Buy, "1", limit(-20)), both.place(Side::Buy, "1", limit(-25)));
    both.quote(1_000, -450, 400);
    assert_eq!((both.state(one), both.state(two)), (OrderState::Filled, OrderState::Rejected));
}

#[test]
fn f22_an_order_ends_at_its_instant_before_it_could_trade() {
    let mut stage = Stage::new();
    let until = |ms| TimeInForce::Gtd(START.plus(ms));
    let buy = |ms| Intent::Place(Ticket { time_in_force: until(ms), ..ticket(Side::Buy, "1", limit(-20)) });
    let (early, late) = (stage.want(buy(5_000)).unwrap(), stage.want(buy(5_001)).unwrap());
    stage.quote(5_000, -30, 10);
    assert_eq!((stage.state(early), stage.state(late)), (OrderState::Cancelled, OrderState::Filled));
    assert_eq!(stage.order(early).reason.as_deref(), Some("it expired"));
    assert!(matches!(stage.want(buy(5_000)), Err(Denial::ExpiryInPast { .. })));
}

#[test]
fn f23_a_day_order_ends_with_the_instruments_trading_day() {
    let (instrument, friday) = weekly();
    let thursday = friday.plus(-24 * 3_600_000);
    let mut stage = Stage::on(&instrument, VenueModel::default(), PositionMode::Hedging, thursday, "100000");
    let day = Ticket { time_in_force: TimeInForce::Day, ..ticket(Side::Buy, "1", limit(-20)) };
    let id = stage.want(Intent::Place(day)).unwrap();
    assert_eq!(stage.order(id).expires_at, Millis::from_rfc3339("2014-05-15T21:00:00Z"));
    stage.quote(after("2014-05-15T20:59:59Z"), 0, 10);
    assert_eq!(stage.state(id), OrderState::Acked);
    stage.quote(after("2014-05-15T21:00:00Z"), -30, 10);
    assert_eq!(stage.state(id), OrderState::Cancelled);
}

#[test]
fn f24_immediate_or_cancel_takes_what_there_is() {
    let model = VenueModel { liquidity: Some(lots("0.4")), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let ioc = |kind| Intent::Place(Ticket { time_in_force: TimeInForce::Ioc, ..ticket(Side::Buy, "1", kind) });
    let (market, near, far) = (
        stage.want(ioc(OrderKind::Market)).unwrap(),
        stage.want(ioc(limit(10))).unwrap(),
        stage.want(ioc(limit(9))).unwrap(),
    );
    for (id, filled) in [(market, "0.4"), (near, "0.4"), (far, "0")] {
        assert_eq!((stage.state(id), stage.order(id).filled), (OrderState::Cancelled, lots(filled)));
    }
    let unfit = Ticket { time_in_force: TimeInForce::Ioc, ..ticket(Side::Buy, "1", stop(50)) };
    assert!(matches!(stage.want(Intent::Place(unfit)), Err(Denial::TimeInForceUnfit { .. })));
}

#[test]
fn f25_fill_or_kill_takes_all_or_nothing() {
    let model = VenueModel { liquidity: Some(lots("0.4")), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let fok =
        |size| Intent::Place(Ticket { time_in_force: TimeInForce::Fok, ..ticket(Side::Buy, size, OrderKind::Market) });
    let (fits, exceeds) = (stage.want(fok("0.4")).unwrap(), stage.want(fok("0.41")).unwrap());
    assert_eq!((stage.state(fits), stage.state(exceeds)), (OrderState::Filled, OrderState::Cancelled));
    assert!(stage.order(exceeds).filled.is_zero());
}

#[test]
fn f26_latency_lets_an_order_trade_from_the_first_quote_after_it() {
    let model = VenueModel { latency_ms: 150, ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let (market, pending) = (stage.market(Side::Buy, "1"), stage.place(Side::Buy, "1", limit(-20)));
    stage.quote(149, -30, 10);
    assert_eq!((stage.state(market), stage.state(pending)), (OrderState::Acked, OrderState::Acked));
    stage.quote(150, -5, 10);
    assert_eq!((stage.filled_at(market), stage.state(pending)), (p(5), OrderState::Acked));
    stage.quote(151, -30, 10);
    assert_eq!(stage.filled_at(pending), p(-20));
}

#[test]
fn f27_what_one_quote_cannot_take_waits_for_the_next() {
    let model = VenueModel { liquidity: Some(lots("0.4")), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let (market, pending) = (stage.market(Side::Buy, "1"), stage.place(Side::Sell, "0.6", limit(30)));
    assert_eq!((stage.state(market), stage.order(market).filled), (OrderState::Partial, lots("0.4")));
    stage.quote(1_000, 30, 10);
    assert_eq!((stage.order(market).filled, stage.order(pending).filled), (lots("0.8"), lots("0.4")));
    stage.quote(2_000, 20, 10);
    assert_eq!((stage.state(market), stage.order(market).filled), (OrderState::Filled, lots("1")));
    assert_eq!(stage.order(pending).filled, lots("0.4"), "a limit waits for its price again");
    stage.quote(3_000, 31, 10);
    assert_eq!(stage.state(pending), OrderState::Filled);
}

#[test]
fn f28_several_fills_make_one_position_at_their_average() {
    let model = VenueModel { liquidity: Some(lots("0.5")), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let id = stage.market(Side::Buy, "1");
    stage.quote(1_000, 20, 10);
    assert_eq!(stage.open().len(), 1);
    let position = &stage.open()[0];
    assert_eq!((position.id, position.lots, position.open_price), (PositionId(id.0), lots("1"), p(20)));
    assert_eq!(stage.filled_at(id), p(20));
}

#[test]
fn f29_closing_a_position_withdraws_what_is_left_of_its_order() {
    let model = VenueModel { liquidity: Some(lots("0.4")), ..VenueModel::default() };
    let mut stage = Stage::with(model, PositionMode::Hedging);
    let id = stage.market(Side::Buy, "1");
    stage.want(Intent::Close { position: PositionId(id.0) }).unwrap();
    assert_eq!((stage.state(id), stage.order(id).filled), (OrderState::Cancelled, lots("0.4")));
    stage.quote(1_000, 0, 10);
    assert!(stage.open().is_empty());
}

#[test]
fn f30_while_the_market_is_closed_only_what_can_wait_is_taken() {
    let (instrument, friday) = weekly();
    let mut stage = Stage::on(&instrument, VenueModel::default(), PositionMode::Hedging, friday, "100000");
    stage.quote(after("2014-05-17T12:00:00Z"), 0, 10);
    let with = |time_in_force, kind| Intent::Place(Ticket { time_in_force, ..ticket(Side::Buy, "1", kind) });
    for denied in [
        with(TimeInForce::Gtc, OrderKind::Market),
        with(TimeInForce::Ioc, limit(20)),
        with(TimeInForce::Fok, limit(20)),
        with(TimeInForce::Day, limit(-20)),
    ] {
        assert_eq!(stage.want(denied), Err(Denial::MarketClosed));
    }
    let gtc = stage.want(with(TimeInForce::Gtc, limit(-20))).unwrap();
    stage.want(with(TimeInForce::Gtd(friday.plus(7 * 86_400_000)), stop(30))).unwrap();
    stage.quote(after("2014-05-18T21:00:01Z"), -40, 10);
    assert_eq!(stage.filled_at(gtc), p(-30), "at the first quote of the session");
}

#[test]
fn f31_a_close_while_the_market_is_closed_waits_for_its_first_quote() {
    let (instrument, friday) = weekly();
    let mut stage = Stage::on(&instrument, VenueModel::default(), PositionMode::Hedging, friday, "100000");
    let id = stage.market(Side::Buy, "1");
    stage.quote(after("2014-05-17T12:00:00Z"), 5, 10);
    let close = stage.want(Intent::Close { position: PositionId(id.0) }).unwrap();
    stage.quote(after("2014-05-17T13:00:00Z"), 9, 10);
    assert_eq!(stage.state(close), OrderState::Acked);
    stage.quote(after("2014-05-18T21:00:01Z"), -40, 10);
    assert_eq!(stage.filled_at(close), p(-40));
    assert!(stage.open().is_empty());
}

#[test]
fn f32_quotes_outside_the_session_trade_nothing() {
    let (instrument, friday) = weekly();
    let mut stage = Stage::on(&instrument, VenueModel::default(), PositionMode::Hedging, friday, "100000");
    let levels = guarded(Some(-30), None);
    stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
    let ends = TimeInForce::Gtd(Millis::from_rfc3339("2014-05-17T12:00:00Z").unwrap());
    let expiring =
        stage.want(Intent::Place(Ticket { time_in_force: ends, ..ticket(Side::Buy, "1", limit(-900)) })).unwrap();
    let waiting = stage.place(Side::Buy, "1", limit(-20));
    stage.quote(after("2014-05-17T12:00:00Z"), -50, 10);
    assert_eq!((stage.open().len(), stage.state(waiting)), (1, OrderState::Acked));
    assert_eq!(stage.state(expiring), OrderState::Cancelled);
    stage.quote(after("2014-12-24T22:00:00Z"), -50, 10);
    assert_eq!((stage.open().len(), stage.state(waiting)), (1, OrderState::Acked), "Christmas");
    stage.quote(after("2014-12-25T22:00:00Z"), -50, 10);
    assert_eq!((stage.closed().len(), stage.state(waiting)), (1, OrderState::Filled));
}

#[test]
fn f33_a_partial_close_leaves_the_rest_with_its_levels() {
    let mut stage = Stage::new();
    let levels = guarded(Some(-30), Some(90));
    let id = stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
    let position = PositionId(id.0);
    stage.quote(1_000, 30, 10);
    stage.want(Intent::Reduce { position, lots: lots("0.4") }).unwrap();
    assert_eq!(stage.balance(), money("100008"));
    let rest = stage.open()[0].clone();
    assert_eq!((rest.lots, rest.closed_lots, rest.realised), (lots("0.6"), lots("0.4"), money("8")));
    assert_eq!((rest.stop_loss, rest.take_profit), (Some(p(-30)), Some(p(90))));
    assert!(matches!(
        stage.want(Intent::Reduce { position, lots: lots("0.61") }),
        Err(Denial::LotsAbovePosition { .. })
    ));
    stage.quote(2_000, 90, 10);
    let closed = stage.closed()[0].clone();
    assert_eq!((closed.opened_lots(), closed.closed.unwrap().profit), (lots("1"), money("56")));
    assert_eq!(stage.balance(), money("100056"));
}

#[test]
fn f34_a_close_by_settles_two_positions_at_each_others_opening_prices() {
    let mut stage = Stage::new();
    let long = PositionId(stage.market(Side::Buy, "1").0);
    stage.quote(1_000, 50, 10);
    let short = PositionId(stage.market(Side::Sell, "0.3").0);
    stage.quote(2_000, -500, 400);
    let id = stage.want(Intent::CloseBy { position: long, by: short }).unwrap();
    assert_eq!(stage.filled_at(id), p(50));
    // Bought at 10, sold at 50, on 0.3 lots; what the market does meanwhile is nothing to them.
    assert_eq!(stage.balance(), money("100012"));
    assert_eq!((stage.open().len(), stage.open()[0].lots), (1, lots("0.7")));
    let other = PositionId(stage.market(Side::Buy, "0.1").0);
    assert_eq!(stage.want(Intent::CloseBy { position: long, by: other }), Err(Denial::NotOpposite));
}

#[test]
fn f35_netting_adds_reduces_and_turns() {
    let mut stage = Stage::with(VenueModel::default(), PositionMode::Netting);
    let levels = guarded(Some(-90), Some(190));
    let first = stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
    stage.quote(1_000, 20, 10);
    let levels = guarded(Some(-60), None);
    stage.want(Intent::Place(Ticket { levels, ..ticket(Side::Buy, "1", OrderKind::Market) })).unwrap();
    let held = stage.open()[0].clone();
    assert_eq!((stage.open().len(), held.id, held.lots, held.open_price), (1, PositionId(first.0), lots("2"), p(20)));
    assert_eq!((held.stop_loss, held.take_profit), (Some(p(-60)), Some(p(190))), "what the order brings replaces");
    stage.quote(2_000, 40, 10);
    stage.market(Side::Sell, "0.5");
    assert_eq!((stage.balance(), stage.open()[0].lots), (money("100010"), lots("1.5")));
    let turned = stage.market(Side::Sell, "2");
    assert_eq!(stage.balance(), money("100040"));
    let held = &stage.open()[0];
    assert_eq!((held.id, held.side, held.lots), (PositionId(turned.0), Side::Sell, lots("0.5")));
    assert_eq!(stage.closed()[0].closed.unwrap().profit, money("40"));
}

#[test]
fn f36_a_changed_order_waits_at_its_new_price_only() {
    let mut stage = Stage::new();
    let id = stage.place(Side::Buy, "1", limit(-20));
    let to = |kind| Amendment { kind, time_in_force: TimeInForce::Gtc, levels: guarded(Some(-200), None) };
    assert!(matches!(stage.want(Intent::Amend { order: id, to: to(stop(50)) }), Err(Denial::KindFixed { .. })));
    assert!(matches!(stage.want(Intent::Amend { order: id, to: to(limit(20)) }), Err(Denial::PriceOnWrongSide { .. })));
    assert!(matches!(stage.want(Intent::Amend { order: id, to: to(limit(5)) }), Err(Denial::PriceTooClose { .. })));
    stage.want(Intent::Amend { order: id, to: to(limit(-60)) }).unwrap();
    stage.quote(1_000, -40, 10);
    assert_eq!(stage.state(id), OrderState::Acked);
    stage.quote(2_000, -70, 10);
    assert_eq!((stage.filled_at(id), stage.open()[0].stop_loss), (p(-60), Some(p(-200))));
    let gone = stage.place(Side::Buy, "1", limit(-100));
    stage.want(Intent::Cancel { order: gone }).unwrap();
    assert_eq!(stage.want(Intent::Cancel { order: gone }), Err(Denial::OrderNotWorking));
    stage.quote(3_000, -150, 10);
    assert_eq!((stage.state(gone), stage.open().len()), (OrderState::Cancelled, 1));
}

#[test]
fn f37_an_instrument_may_trade_on_its_own_terms() {
    let own = VenueModel {
        commission_per_lot: Money::whole(7),
        spread: Spread::Markup(points(3)),
        slippage: Slippage::Fixed(points(2)),
        ..VenueModel::default()
    };
    for (id, at, paid) in [(instrument().id, p(15), Money::whole(7)), (InstrumentId(99), p(10), Money::ZERO)] {
        let mut stage = Stage::new();
        let venue = SimulatedVenue::with_model(VenueModel::default(), &[instrument()]).with_own([(id, own)]);
        let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
        (stage.desk, stage.journal) = (Desk::new(shard, venue), Journal::default());
        stage.quote(0, 0, 10);
        stage.desk.command(Command::OpenAccount(terms(vec![])), &mut stage.journal).unwrap().unwrap();
        let before = stage.balance();
        let bought = stage.market(Side::Buy, "1");
        assert_eq!((stage.filled_at(bought), before.saturating_sub(stage.balance())), (at, paid));
    }
}

#[test]
fn f38_a_close_waits_for_a_quote_of_the_last_minute() {
    let instruments = [instrument(), Instrument { id: InstrumentId(2), symbol: "GBPUSD".into(), ..instrument() }];
    let mut stage = Stage::new();
    let shard = Shard::new(&instruments, Arc::new(NativeHost), Box::new(NoHistory));
    let venue = SimulatedVenue::with_model(VenueModel::default(), &instruments);
    (stage.desk, stage.journal) = (Desk::new(shard, venue), Journal::default());
    stage.quote(0, 0, 10);
    stage.desk.command(Command::OpenAccount(terms(vec![])), &mut stage.journal).unwrap().unwrap();
    let [first, second, long] = [0; 3].map(|_| stage.market(Side::Buy, "1"));
    let short = stage.market(Side::Sell, "1");
    // Time passes in another market.
    let elsewhere = |stage: &mut Stage, at: i64| {
        let quote = Quote { instrument: InstrumentId(2), ..quote(at, 0, 10) };
        stage.desk.quote(&quote, &mut stage.journal).unwrap();
    };
    let close = |stage: &mut Stage, id: OrderId| stage.want(Intent::Close { position: PositionId(id.0) }).unwrap();
    elsewhere(&mut stage, 60_000);
    let in_time = close(&mut stage, first);
    assert_eq!(stage.filled_at(in_time), p(0));
    elsewhere(&mut stage, 60_001);
    let waits = close(&mut stage, second);
    elsewhere(&mut stage, 90_000);
    assert_eq!(stage.state(waits), OrderState::Acked, "the market is open, and nobody knows its price");
    stage.want(Intent::CloseBy { position: PositionId(long.0), by: PositionId(short.0) }).unwrap();
    assert_eq!(stage.open().len(), 1);
    stage.quote(91_000, -40, 10);
    assert_eq!(stage.filled_at(waits), p(-40));
    assert!(stage.open().is_empty());
}
