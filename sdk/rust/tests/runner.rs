//! A strategy under the runner, as an author would test it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use marque_plugin::{
    About, Action, Bar, Bracket, Context, Hooks, Instrument, Lots, Money, OrderUpdate, Origin, Price, Room, Side,
    Start, Strategy, Tick,
    run::{BAR_COLUMNS, Progress, StrategyRunner, bar_columns},
    testing,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Goes with the last bar, leaves on a quote above a limit, and rests for a minute after each.
#[derive(Debug, Serialize, Deserialize)]
struct Follower {
    lots: Lots,
    seen: u32,
    drawn: u64,
}

#[derive(Deserialize)]
struct Settings {
    lots: Lots,
}

impl Strategy for Follower {
    type Settings = Settings;

    fn about() -> About {
        About::strategy("follower", "1.0.0", "Goes with the last bar.", "{}").with_hooks(Hooks {
            ticks: true,
            timer: true,
            ..Hooks::BARS
        })
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        if settings.lots <= Lots::ZERO {
            return Err("Lots must be above zero.".to_owned());
        }
        Ok(Self { lots: settings.lots, seen: 0, drawn: 0 })
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        self.seen += 1;
        match bar.close.cmp(&bar.open) {
            core::cmp::Ordering::Greater => ctx.go_long(self.lots),
            core::cmp::Ordering::Less => ctx.go_short(self.lots),
            core::cmp::Ordering::Equal => {}
        }
    }

    fn on_tick(&mut self, ctx: &mut Context, tick: &Tick) {
        if tick.bid > Price::whole(2) {
            ctx.log("high enough");
            ctx.close_all();
            ctx.set_timer(ctx.now() + 60_000);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context) {
        self.drawn = ctx.random();
        ctx.open(Side::Sell, self.lots, Bracket { stop: Some(ctx.pips("12.5".parse().unwrap())), target: None });
    }
}

fn start() -> Start {
    let instrument = Instrument {
        symbol: "EURUSD".to_owned(),
        tick_size: "0.00001".parse().unwrap(),
        pip: "0.0001".parse().unwrap(),
        lot_step: "0.01".parse().unwrap(),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote_currency: "USD".to_owned(),
    };
    Start { instrument, timeframe_ms: 60_000 }
}

fn follower() -> StrategyRunner<Follower> {
    StrategyRunner::new(r#"{"lots":0.1}"#, start(), None).unwrap()
}

fn bar(minute: i64, open: i64, close: i64) -> Bar {
    let [open, close] = [open, close].map(Price::whole);
    let (high, low, spread) = (open.max(close), open.min(close), "0.0001".parse().unwrap());
    Bar { open_at: minute * 60_000, open, high, low, close, spread, volume: 1 }
}

fn opened(position: i64, side: Side) -> OrderUpdate {
    OrderUpdate::Opened { position, side, lots: Lots::whole(1), price: Price::whole(1), balance: Money::whole(500) }
}

fn closed(position: i64, origin: Origin) -> OrderUpdate {
    let (price, profit) = (Price::whole(1), Money::whole(1));
    OrderUpdate::Closed { position, price, profit, origin, balance: Money::whole(501) }
}

fn show(runner: &mut StrategyRunner<Follower>, bar: Bar) -> Vec<Action> {
    runner.on_bars(1, &bar_columns(&[bar]));
    runner.take_actions()
}

#[test]
fn a_run_stops_at_the_first_event_that_acted() {
    let bars = [bar(0, 1, 1), bar(1, 1, 1), bar(2, 1, 2), bar(3, 2, 3)];
    let mut runner = follower();
    assert_eq!(runner.on_bars(4, &bar_columns(&bars)), Progress { consumed: 3, acted: true });
    assert_eq!(runner.strategy().seen, 3);
    assert_eq!(runner.context().now(), 180_000, "a bar's time is its end");
    let long = Action::Open { side: Side::Buy, lots: "0.1".parse().unwrap(), stop_loss: None, take_profit: None };
    assert_eq!(runner.take_actions(), [long]);
    assert_eq!(runner.take_actions(), []);
}

#[test]
fn it_waits_for_an_answer_but_not_for_ever() {
    let mut runner = follower();
    assert_eq!(show(&mut runner, bar(0, 1, 2)).len(), 1);
    assert!(runner.context().is_waiting());
    // A quote of the same minute does not ask again; a bar a minute later gives the first wish up.
    assert_eq!(runner.on_ticks(1, &[61_000, Price::whole(3).units(), Price::whole(3).units()]).consumed, 1);
    assert_eq!(runner.take_actions(), [Action::SetTimer { at: 121_000 }]);
    assert_eq!(show(&mut runner, bar(1, 1, 2)).len(), 1);
    runner.on_order_update(120_001, &OrderUpdate::Refused);
    assert!(!runner.context().is_waiting());
}

#[test]
fn it_knows_its_positions_by_updates() {
    let mut runner = follower();
    show(&mut runner, bar(0, 1, 2));
    runner.on_order_update(61_000, &opened(7, Side::Buy));
    assert_eq!(runner.context().position().map(|p| (p.id, p.side)), Some((7, Side::Buy)));
    assert_eq!(runner.context().balance(), Some(Money::whole(500)));
    assert_eq!(show(&mut runner, bar(2, 1, 2)), [], "it is long already");
    let turned = show(&mut runner, bar(3, 2, 1));
    assert_eq!(turned[0], Action::Close { position: 7 });
    assert!(matches!(turned[1], Action::Open { side: Side::Sell, .. }));
    runner.on_order_update(240_001, &closed(7, Origin::Strategy));
    assert!(runner.context().is_waiting(), "one of two wishes has no answer");
    runner.on_order_update(240_002, &opened(8, Side::Sell));
    assert!(!runner.context().is_waiting());
    runner.on_order_update(240_003, &closed(8, Origin::StopLoss));
    assert_eq!(runner.context().positions(), []);
}

#[test]
fn timers_logs_and_random_numbers_reach_the_host() {
    testing::set_seed(1_234_567);
    let mut runner = follower();
    let high = Price::whole(3).units();
    assert!(runner.on_ticks(1, &[1_000, high, high]).acted);
    assert_eq!(testing::take_log(), ["high enough"]);
    runner.take_actions();
    assert!(runner.on_timer(61_000));
    let stop_loss = Some("3.00125".parse().unwrap());
    let lots = "0.1".parse().unwrap();
    assert_eq!(runner.take_actions(), [Action::Open { side: Side::Sell, lots, stop_loss, take_profit: None }]);
    assert_eq!(runner.strategy().drawn, 6_457_827_717_110_365_317);
}

#[test]
fn history_is_seen_without_wishes() {
    let mut runner = follower();
    runner.on_history(2, &bar_columns(&[bar(0, 1, 2), bar(1, 2, 1)]));
    assert_eq!(runner.take_actions(), []);
    assert_eq!(runner.strategy().seen, 2);
    assert!(!runner.context().is_waiting());
}

#[test]
fn settings_and_states_that_do_not_fit_are_told() {
    let fault = |settings: &str, state: Option<&[u8]>| {
        StrategyRunner::<Follower>::new(settings, start(), state).map(drop).unwrap_err()
    };
    assert_eq!(fault(r#"{"lots":0}"#, None), "Lots must be above zero.");
    assert!(fault("{}", None).contains("missing field `lots`"));
    for state in [&[][..], &[3, 0], &[1, 255, 255], &[2, 255, 255]] {
        assert!(fault("{}", Some(state)).contains("state"), "{state:?}");
    }
}

#[test]
fn columns_shorter_than_the_count_are_not_read_beyond() {
    let mut runner = follower();
    runner.on_bars(1_000, &bar_columns(&[bar(0, 1, 1)]));
    runner.on_ticks(9, &[]);
    assert_eq!(runner.take_actions(), []);
}

proptest! {
    #[test]
    fn a_run_means_the_same_as_its_events(moves in prop::collection::vec((1..4_i64, 1..4_i64), 1..30), size in 1..30_usize) {
        let bars: Vec<Bar> = (0..).zip(moves).map(|(minute, (open, close))| bar(minute, open, close)).collect();
        let (mut whole, mut single) = (follower(), follower());
        let (mut in_runs, mut one_by_one, mut seen) = (Vec::new(), Vec::new(), 0);
        while seen < bars.len() {
            let end = (seen + size).min(bars.len());
            let run = &bars[seen..end];
            prop_assert_eq!(bar_columns(run).len(), run.len() * BAR_COLUMNS);
            seen += whole.on_bars(run.len() as u32, &bar_columns(run)).consumed as usize;
            in_runs.extend(whole.take_actions());
        }
        for bar in &bars {
            one_by_one.extend(show(&mut single, *bar));
        }
        prop_assert_eq!(in_runs, one_by_one);
        prop_assert_eq!(whole.snapshot(), single.snapshot());
    }

    #[test]
    fn a_restored_strategy_continues_equally(moves in prop::collection::vec((1..4_i64, 1..4_i64), 2..30)) {
        let bars: Vec<Bar> = (0..).zip(moves).map(|(minute, (open, close))| bar(minute, open, close)).collect();
        let (before, after) = bars.split_at(bars.len() / 2);
        let mut unbroken = follower();
        before.iter().for_each(|bar| drop(show(&mut unbroken, *bar)));
        let mut restored = StrategyRunner::<Follower>::new("", start(), Some(&unbroken.snapshot())).unwrap();
        for bar in after {
            prop_assert_eq!(show(&mut restored, *bar), show(&mut unbroken, *bar));
        }
        prop_assert_eq!(restored.snapshot(), unbroken.snapshot());
    }
}

/// A state of another shape is refused, also one that has this one's fields at its beginning.
#[test]
fn a_state_with_more_in_it_is_not_taken() {
    let state = follower().snapshot();
    for (bytes, said) in
        [(&[&state[..], &[0]].concat(), "1 bytes are left over"), (&state[..state.len() - 1].to_vec(), "")]
    {
        let refused = StrategyRunner::<Follower>::new("", start(), Some(bytes)).map(drop).unwrap_err();
        assert!(refused.contains("saved by another version") && refused.contains(said), "{refused}");
    }
}

#[test]
fn it_knows_what_is_left_and_the_largest_order_that_fits() {
    let mut runner = follower();
    let at = |bid: &str| bid.parse::<Price>().unwrap().units();
    runner.on_ticks(1, &[1_000, at("1.1"), at("1.1")]);
    let stop: Price = "0.01".parse().unwrap();
    assert_eq!((runner.context().left(), runner.context().largest_lots(stop)), (None, Lots::whole(50)));
    let room = Room { floor: Some(Money::whole(95_000)), resets_at: Some(9), balance: Money::whole(100_000) };
    testing::set_known(testing::Known { room, ..testing::Known::default() });
    // A hundred pips lose 1,000 a lot: five lots would lose all that is left.
    assert_eq!(runner.context().left(), Some(Money::whole(5_000)));
    assert_eq!(runner.context().largest_lots(stop), "4.99".parse().unwrap());
    let price = "1.102".parse().unwrap();
    runner.on_order_update(
        2_000,
        &OrderUpdate::Opened { position: 1, side: Side::Sell, lots: Lots::whole(2), price, balance: room.balance },
    );
    assert_eq!(runner.context().left(), Some(Money::whole(5_400)), "20 pips of two lots are won");
    runner.on_ticks(1, &[3_000, at("1.13"), at("1.13")]);
    assert_eq!((runner.context().left(), runner.context().largest_lots(stop)), (Some(Money::whole(-600)), Lots::ZERO));
    testing::set_known(testing::Known::default());
}
