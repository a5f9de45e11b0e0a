//! The EMA cross that we ship, through the real sandbox.

use crate::fixture::{Bars, component, eurusd, host, plugin_ref, sandbox, show, start_strategy};
use marque_domain::{
    fixed::{Lots, Money, Price},
    id::PositionId,
    order::{Origin, Side},
    plugin::{PluginDigest, PluginKind, PluginRef},
    time::Millis,
};
use marque_engine::port::{Action, Fault, Hooks, OrderUpdate, PluginHost, StrategyStart};

const SETTINGS: &str = r#"{"fast":2,"slow":5,"lots":0.3}"#;

fn swing() -> Bars {
    Bars::of_closes((0..60).map(|n: i64| 110_000 + if (n / 10) % 2 == 0 { n % 10 } else { 10 - n % 10 } * 20))
}

#[test]
fn says_what_it_is() {
    let told = sandbox().inspect(component("ema-cross")).unwrap();
    assert_eq!((told.kind, told.name.as_str(), told.version.as_str()), (PluginKind::Strategy, "ema-cross", "0.1.0"));
    assert_eq!(told.hooks, Hooks { bars: true, ticks: false, history_bars: 8_000 });
    assert!(told.settings_schema.contains("Fast average"));
    assert_eq!(told.check_settings(SETTINGS), Ok(()));
    assert!(sandbox().has_compiled(&told.digest), "whoever inspects it has it compiled");
}

#[test]
fn acts_where_its_averages_cross() {
    let mut strategy = start_strategy(component("ema-cross"), SETTINGS, None).unwrap();
    assert_eq!(strategy.hooks(), Hooks { bars: true, ticks: false, history_bars: 20 });
    let acted = show(strategy.as_mut(), &swing(), 60).unwrap();
    let lots: Lots = "0.3".parse().unwrap();
    let sides: Vec<Side> = acted
        .iter()
        .map(|(_, action)| match *action {
            Action::Open { side, lots: wanted, stop_loss: None, take_profit: None } if wanted == lots => side,
            ref other => panic!("{other:?}"),
        })
        .collect();
    assert!(sides.len() >= 4, "{sides:?}");
    assert!(sides.windows(2).all(|pair| pair[0] != pair[1]), "{sides:?}");
}

#[test]
fn attaches_its_stops_to_the_price_it_would_get() {
    let settings = r#"{"fast":2,"slow":5,"lots":1,"stop_pips":12.5,"target_pips":30}"#;
    let mut strategy = start_strategy(component("ema-cross"), settings, None).unwrap();
    let bars = swing();
    for (bar, action) in show(strategy.as_mut(), &bars, 1).unwrap() {
        let Action::Open { side, stop_loss, take_profit, .. } = action else { panic!("{action:?}") };
        let (bid, pip) = (bars.close(bar), 10_000);
        let away = |pips_x10: i64| match side {
            Side::Buy => Some(Price::from_units(bid.units() + pip + pips_x10 * pip / 10)),
            Side::Sell => Some(Price::from_units(bid.units() - pips_x10 * pip / 10)),
        };
        assert_eq!((stop_loss, take_profit), (away(-125), away(300)));
    }
}

#[test]
fn turns_its_position_round_once_it_knows_it() {
    let mut strategy = start_strategy(component("ema-cross"), SETTINGS, None).unwrap();
    let bars = swing();
    let mut actions = Vec::new();
    let mut seen = 0;
    while actions.is_empty() {
        seen += strategy.on_bars(bars.run(seen..bars.len()), &mut actions).unwrap();
    }
    let Some(Action::Open { side, lots, .. }) = actions.pop() else { panic!("{actions:?}") };
    let position = PositionId(42);
    let opened =
        OrderUpdate::Opened { position, side, lots, price: bars.close(seen - 1), balance: Money::whole(1_000) };
    strategy.on_order_update(Millis(1), &opened, &mut actions).unwrap();
    while actions.is_empty() {
        seen += strategy.on_bars(bars.run(seen..bars.len()), &mut actions).unwrap();
    }
    assert_eq!(actions[0], Action::Close { position });
    assert!(matches!(actions[1], Action::Open { side: turned, .. } if turned == side.opposite()));
    // Closed by its stop meanwhile: there is nothing left to close at the next cross.
    let closed = OrderUpdate::Closed {
        position,
        price: bars.close(seen - 1),
        profit: Money::ZERO,
        origin: Origin::StopLoss,
        balance: Money::whole(1_000),
    };
    actions.clear();
    strategy.on_order_update(Millis(2), &closed, &mut actions).unwrap();
    while actions.is_empty() {
        seen += strategy.on_bars(bars.run(seen..bars.len()), &mut actions).unwrap();
    }
    assert!(matches!(actions.as_slice(), [Action::Open { .. }]), "{actions:?}");
}

#[test]
fn history_warms_it_up_without_acting() {
    let bars = swing();
    let mut cold = start_strategy(component("ema-cross"), SETTINGS, None).unwrap();
    let wanted: Vec<_> = show(cold.as_mut(), &bars, 60).unwrap().into_iter().filter(|(bar, _)| *bar >= 30).collect();
    let mut warm = start_strategy(component("ema-cross"), SETTINGS, None).unwrap();
    warm.on_history(bars.run(0..30)).unwrap();
    let (mut seen, mut acted, mut actions) = (30, Vec::new(), Vec::new());
    while seen < bars.len() {
        seen += warm.on_bars(bars.run(seen..bars.len()), &mut actions).unwrap();
        acted.extend(actions.drain(..).map(|action| (seen - 1, action)));
    }
    assert_eq!(acted, wanted);
}

#[test]
fn settings_are_checked_by_the_host_and_then_by_the_strategy() {
    for (settings, wanted) in [
        (r#"{"fast":2,"slow":5}"#, "\"lots\" is a required property"),
        (r#"{"fast":2,"slow":5,"lots":0}"#, "lots: 0 is less than or equal to the minimum"),
        (r#"{"fast":2,"slow":5,"lots":1,"stop":3}"#, "'stop' was unexpected"),
        (r#"{"fast":9,"slow":5,"lots":1}"#, "The fast average must be over fewer bars"),
        (r#"{"fast":2,"slow":5,"lots":0.123456789}"#, "eight decimal places"),
        ("{", "not valid JSON"),
    ] {
        let fault = start_strategy(component("ema-cross"), settings, None).map(drop).unwrap_err();
        assert!(matches!(&fault, Fault::Plugin(text) if text.contains(wanted)), "{settings} -> {fault:?}");
    }
}

#[test]
fn hooks_that_it_does_not_list_are_not_called() {
    let mut strategy = start_strategy(component("ema-cross"), SETTINGS, None).unwrap();
    let columns = [1, 2, 3];
    let ticks = marque_engine::port::TickRun { at: &columns, bid: &columns, ask: &columns };
    let mut actions = Vec::new();
    assert_eq!(strategy.on_ticks(ticks, &mut actions), Ok(3));
    assert_eq!(strategy.on_timer(Millis(1), &mut actions), Ok(()));
    assert_eq!(actions, []);
}

#[test]
fn what_cannot_be_loaded_is_said() {
    let deployment = |digest: [u8; 32], name: &str| marque_domain::account::Deployment {
        id: marque_domain::id::DeploymentId(1),
        account: marque_domain::id::AccountId(1),
        plugin: PluginRef { digest: PluginDigest(digest), name: name.to_owned(), settings: SETTINGS.to_owned() },
        instrument: marque_domain::id::InstrumentId(0),
        timeframe: marque_domain::bar::Timeframe::M1,
        status: marque_domain::account::DeploymentStatus::Running,
        created_at: Millis(0),
    };
    let start = |plugins: &marque_sandbox::Plugins, digest| {
        let (deployment, instrument) = (deployment(digest, "ema-cross"), eurusd());
        let start = StrategyStart { deployment: &deployment, instrument: &instrument, restore: None, seed: 1 };
        plugins.strategy(&start).map(drop).unwrap_err()
    };
    let empty = marque_sandbox::Plugins::new(std::sync::Arc::clone(sandbox()), |_| None);
    assert!(matches!(start(&empty, [1; 32]), Fault::Host(text) if text.contains("not stored")));
    assert!(matches!(start(&host(component("ema-cross")), [1; 32]), Fault::Host(text) if text.contains("damaged")));
    let rule = plugin_ref(component("daily-loss"), "{}").digest;
    assert!(
        matches!(start(&host(component("daily-loss")), rule.0), Fault::Plugin(text) if text.contains("not a strategy"))
    );
}
