//! A strategy that uses orders of every kind, under the runner, as an author would test it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use marque_plugin::{
    About, Action, Amendment, Bracket, Context, Hooks, Levels, Lots, Money, OrderKind, OrderUpdate, Origin, Price,
    Side, Start, Strategy, Tick, Ticket, TimeInForce, Trail, WorkingOrder,
    run::StrategyRunner,
    testing::{self, Trial},
};
use serde::{Deserialize, Serialize};

/// Does one thing at each quote, in the order of this list.
#[derive(Debug, Serialize, Deserialize)]
struct Drill {
    step: u32,
}

#[derive(marque_plugin::Settings)]
struct Settings {}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

impl Strategy for Drill {
    type Settings = Settings;

    fn about() -> About {
        About::strategy("drill", "1.0.0", "Does one thing at each quote.", Settings::SCHEMA).with_hooks(Hooks::TICKS)
    }

    fn new(_settings: Settings, _start: &Start) -> Result<Self, String> {
        Ok(Self { step: 0 })
    }

    fn on_tick(&mut self, ctx: &mut Context, _tick: &Tick) {
        let (lots, pips) = (Lots::whole(1), |count: i64| Price::from_units(count * 10_000));
        let bracket = Bracket { stop: Some(pips(10)), target: Some(pips(20)) };
        self.step += 1;
        match self.step {
            1 => ctx.buy_limit(lots, price("1.099"), bracket),
            2 => ctx.sell_limit(lots, price("1.101"), Bracket::default()),
            3 => ctx.buy_stop(lots, price("1.102"), bracket),
            4 => ctx.sell_stop(lots, price("1.098"), bracket),
            5 => ctx.trailing_stop(Side::Buy, lots, pips(5), Bracket::default()),
            6 => {
                ctx.place(Ticket::new(Side::Buy, lots, OrderKind::Limit { price: price("1.1") }).good(TimeInForce::Fok))
            }
            7 => ctx.move_order(1, price("1.0985")),
            8 => {
                let kind = OrderKind::Limit { price: price("1.0986") };
                let levels = Levels { trail: Some(Trail::by(pips(3))), ..Levels::default() };
                ctx.amend(1, Amendment { kind, time_in_force: TimeInForce::Day, levels });
            }
            9 => {
                ctx.cancel(2);
                ctx.cancel(2);
            }
            10 => ctx.move_order(99, pips(1)),
            11 => ctx.reduce(3, Lots::from_units(50_000_000)),
            12 => ctx.protect(3, Levels { stop_loss: Some(price("1.1")), ..Levels::default() }),
            13 => ctx.close_by(3, 4),
            _ => ctx.cancel_all(),
        }
    }
}

fn trial() -> Trial<Drill> {
    Trial::start("{}", testing::instrument(), 60_000).unwrap()
}

fn tick(trial: &mut Trial<Drill>) -> Vec<Action> {
    let at = trial.runner().context().now() + 1_000;
    trial.tick(&Tick { at, bid: price("1.1"), ask: price("1.1002") });
    trial.take_wishes()
}

#[test]
fn its_helpers_say_what_they_mean() {
    let mut trial = trial();
    let wishes: Vec<Action> = (0..6).flat_map(|_| tick(&mut trial)).collect();
    let lots = Lots::whole(1);
    let ticket = |side, kind| Ticket::new(side, lots, kind);
    let guarded = |stop: &str, target: &str| Levels {
        stop_loss: Some(price(stop)),
        take_profit: Some(price(target)),
        trail: None,
    };
    let trailing = OrderKind::TrailingStop { stop: price("1.1007"), trail: Trail::by(price("0.0005")) };
    let wanted = [
        ticket(Side::Buy, OrderKind::Limit { price: price("1.099") }).guarded(guarded("1.098", "1.101")),
        ticket(Side::Sell, OrderKind::Limit { price: price("1.101") }),
        ticket(Side::Buy, OrderKind::Stop { price: price("1.102") }).guarded(guarded("1.101", "1.104")),
        ticket(Side::Sell, OrderKind::Stop { price: price("1.098") }).guarded(guarded("1.099", "1.096")),
        ticket(Side::Buy, trailing),
        ticket(Side::Buy, OrderKind::Limit { price: price("1.1") }).good(TimeInForce::Fok),
    ];
    assert_eq!(wishes, wanted.map(Action::Place));
    assert_eq!(trial.orders().iter().map(|order| order.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn it_knows_its_orders_by_updates() {
    let mut trial = trial();
    (0..6).for_each(|_| drop(tick(&mut trial)));
    // Moved, and then another price, another time and other levels.
    tick(&mut trial);
    assert_eq!(trial.orders()[0].kind, OrderKind::Limit { price: price("1.0985") });
    assert_eq!(trial.orders()[0].levels.stop_loss, Some(price("1.098")), "its levels stay");
    tick(&mut trial);
    let first = trial.orders()[0];
    assert_eq!((first.kind.price(), first.time_in_force), (Some(price("1.0986")), TimeInForce::Day));
    // Asked twice, withdrawn once; what is not there cannot be moved.
    assert_eq!(tick(&mut trial), [Action::Cancel { order: 2 }]);
    assert_eq!((trial.orders().len(), tick(&mut trial).len()), (5, 0));
    trial.fill(3);
    assert_eq!(trial.positions().iter().map(|p| (p.id, p.side)).collect::<Vec<_>>(), [(3, Side::Buy)]);
    assert!(trial.orders().iter().all(|order| order.id != 3));
    tick(&mut trial);
    assert_eq!(trial.positions()[0].lots, "0.5".parse().unwrap());
    tick(&mut trial);
    tick(&mut trial);
    tick(&mut trial);
    assert_eq!(trial.orders(), [], "all are withdrawn");
    assert!(!trial.runner().context().is_waiting());
}

fn working(id: i64, lots: Lots) -> OrderUpdate {
    OrderUpdate::Working(WorkingOrder {
        id,
        side: Side::Buy,
        lots,
        kind: OrderKind::Limit { price: price("1.099") },
        time_in_force: TimeInForce::Gtc,
        levels: Levels::default(),
    })
}

#[test]
fn what_fills_in_parts_is_less_and_less_of_an_order() {
    let mut trial = trial();
    let (half, at, balance) = ("0.5".parse().unwrap(), price("1.099"), Money::ZERO);
    trial.tell(&working(7, Lots::whole(2)));
    trial.tell(&OrderUpdate::Opened { position: 7, side: Side::Buy, lots: half, price: at, balance });
    assert_eq!(trial.orders()[0].lots, "1.5".parse().unwrap());
    trial.tell(&OrderUpdate::Traded { order: 7, lots: half, price: at, left: "1.5".parse().unwrap() });
    assert_eq!(trial.orders()[0].lots, "1.5".parse().unwrap());
    // The next part grows the position: the order's own update says what is left of it.
    trial.tell(&OrderUpdate::Changed { position: 7, lots: Lots::whole(1), price: at, balance });
    trial.tell(&OrderUpdate::Traded { order: 7, lots: half, price: at, left: Lots::whole(1) });
    assert_eq!((trial.orders()[0].lots, trial.positions()[0].lots), (Lots::whole(1), Lots::whole(1)));
    trial.tell(&OrderUpdate::Ended { order: 7 });
    assert_eq!((trial.orders().len(), trial.positions().len()), (0, 1));
}

#[test]
fn a_fill_or_an_expiry_is_no_answer_to_another_wish() {
    let start = Start { instrument: testing::instrument(), timeframe_ms: 60_000 };
    let mut runner: StrategyRunner<Drill> = StrategyRunner::new("{}", start, None).unwrap();
    for id in [7, 8] {
        runner.on_order_update(500, &working(id, Lots::whole(1)));
    }
    runner.on_ticks(1, &[1_000, price("1.1").units(), price("1.1").units()]);
    let (at, balance, lots) = (price("1.099"), Money::ZERO, Lots::whole(1));
    runner.on_order_update(1_001, &OrderUpdate::Opened { position: 7, side: Side::Buy, lots, price: at, balance });
    runner.on_order_update(1_001, &OrderUpdate::Traded { order: 7, lots, price: at, left: Lots::ZERO });
    runner.on_order_update(1_002, &OrderUpdate::Ended { order: 8 });
    let closed = OrderUpdate::Closed { position: 7, price: at, profit: Money::ZERO, origin: Origin::StopLoss, balance };
    runner.on_order_update(1_003, &closed);
    assert!(runner.context().is_waiting(), "the order it placed has no answer yet");
    runner.on_order_update(1_004, &working(9, lots));
    assert!(!runner.context().is_waiting());
}

/// The state of a strategy with a position, as version 0.1 of the SDK saved it: a book without orders.
#[derive(Serialize)]
struct OldBook {
    start: Start,
    bid: Price,
    ask: Price,
    positions: Vec<(i64, Side, Lots, Price)>,
    balance: Option<Money>,
    waiting: u32,
    waiting_since: i64,
}

#[test]
fn a_state_from_before_there_were_orders_is_restored() {
    let start = || Start { instrument: testing::instrument(), timeframe_ms: 60_000 };
    let book = OldBook {
        start: start(),
        bid: price("1.1"),
        ask: price("1.1002"),
        positions: vec![(42, Side::Sell, Lots::whole(2), price("1.2"))],
        balance: Some(Money::whole(500)),
        waiting: 1,
        waiting_since: 7_000,
    };
    let old = postcard::to_extend(&(book, Drill { step: 4 }), vec![1_u8]).unwrap();
    let restored = StrategyRunner::<Drill>::new("{}", start(), Some(&old)).unwrap();
    let context = restored.context();
    assert_eq!((context.orders(), restored.strategy().step), (&[][..], 4));
    assert_eq!(context.positions().iter().map(|p| (p.id, p.lots)).collect::<Vec<_>>(), [(42, Lots::whole(2))]);
    assert_eq!((context.balance(), context.bid()), (Some(Money::whole(500)), price("1.1")));
    // And what it saves now carries its orders.
    let mut runner = StrategyRunner::<Drill>::new("{}", start(), Some(&old)).unwrap();
    runner.on_order_update(8_000, &working(7, Lots::whole(1)));
    let again = StrategyRunner::<Drill>::new("{}", start(), Some(&runner.snapshot())).unwrap();
    assert_eq!(again.context().orders(), runner.context().orders());
    assert_eq!(again.context().orders().len(), 1);
}
