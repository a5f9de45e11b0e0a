//! What must hold for every market: determinism, runs that mean the same as single events, snapshots that continue.

use crate::fixture::{Bars, component, show, start_strategy};
use marque_domain::{
    fixed::{Money, Price},
    id::PositionId,
    order::Origin,
    time::Millis,
};
use marque_engine::port::{Action, OrderUpdate, Strategy};
use proptest::prelude::*;

const SETTINGS: &str = r#"{"fast":3,"slow":8,"lots":0.5,"stop_pips":20}"#;

fn ema() -> Box<dyn Strategy> {
    start_strategy(component("ema-cross"), SETTINGS, None).unwrap()
}

/// A random walk around 1.1.
fn market() -> impl Strategy_<Value = Bars> {
    prop::collection::vec(-30..=30_i64, 1..200).prop_map(|steps| {
        Bars::of_closes(steps.into_iter().scan(110_000, |at, step| Some(std::mem::replace(at, *at + step))))
    })
}
use proptest::strategy::Strategy as Strategy_;

/// Shows bars in runs and fills every wish at once, as a venue would.
fn trade(strategy: &mut dyn Strategy, bars: &Bars, from: usize, run: usize) -> Vec<(usize, Action)> {
    let (mut seen, mut acted, mut actions, mut next) = (from, Vec::new(), Vec::new(), 1 + from as i64 * 10);
    while seen < bars.len() {
        let end = (seen + run).min(bars.len());
        seen += strategy.on_bars(bars.run(seen..end), &mut actions).unwrap();
        for action in std::mem::take(&mut actions) {
            acted.push((seen - 1, action));
            let (price, balance) = (bars.close(seen - 1), Money::whole(1_000));
            let update = match action {
                Action::Open { side, lots, .. } => {
                    next += 1;
                    OrderUpdate::Opened { position: PositionId(next), side, lots, price, balance }
                }
                Action::Close { position } => {
                    let (profit, origin) = (Money::ZERO, Origin::Strategy);
                    OrderUpdate::Closed { position, price, profit, origin, balance }
                }
                _ => continue,
            };
            strategy.on_order_update(Millis(seen as i64 * 60_000), &update, &mut actions).unwrap();
            assert_eq!(actions, []);
        }
    }
    acted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_market_gives_the_same_actions_and_state(bars in market()) {
        let (mut one, mut two) = (ema(), ema());
        prop_assert_eq!(trade(one.as_mut(), &bars, 0, 64), trade(two.as_mut(), &bars, 0, 64));
        prop_assert_eq!(one.snapshot(), two.snapshot());
    }

    #[test]
    fn a_run_means_the_same_as_its_bars_one_by_one(bars in market(), run in 2..300_usize) {
        let (mut whole, mut single) = (ema(), ema());
        prop_assert_eq!(trade(whole.as_mut(), &bars, 0, run), trade(single.as_mut(), &bars, 0, 1));
        prop_assert_eq!(whole.snapshot(), single.snapshot());
    }

    #[test]
    fn a_restored_strategy_continues_equally(bars in market(), cut in 0.0..1.0_f64) {
        let cut = (bars.len() as f64 * cut) as usize;
        let mut unbroken = ema();
        let mut first = ema();
        let before = Bars::of_closes((0..cut).map(|at| bars.close(at).units() / 1_000));
        trade(unbroken.as_mut(), &before, 0, 50);
        trade(first.as_mut(), &before, 0, 50);
        let saved = first.snapshot().unwrap();
        drop(first);
        let mut second = start_strategy(component("ema-cross"), SETTINGS, Some(&saved)).unwrap();
        prop_assert_eq!(trade(second.as_mut(), &bars, cut, 50), trade(unbroken.as_mut(), &bars, cut, 50));
        prop_assert_eq!(second.snapshot(), unbroken.snapshot());
    }

    #[test]
    fn any_saved_state_is_an_answer_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = vec![1; 9];
        framed.push(1);
        framed.extend_from_slice(&bytes);
        for saved in [bytes, framed] {
            let _ = start_strategy(component("ema-cross"), SETTINGS, Some(&saved));
        }
    }

    #[test]
    fn extreme_prices_are_answers_not_traps(closes in prop::collection::vec(any::<i64>(), 1..40)) {
        let bars = Bars::of_closes(closes.into_iter().map(|close| close / 1_000));
        prop_assert!(show(ema().as_mut(), &bars, 40).is_ok());
    }
}

#[test]
fn a_damaged_state_is_refused_in_words() {
    for saved in [&[][..], &[1, 2], &[9; 40], &[1, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let fault = start_strategy(component("ema-cross"), SETTINGS, Some(saved)).map(drop).unwrap_err();
        assert!(fault.to_string().contains("state"), "{fault}");
    }
}

/// Floats decide the cross, so the sandbox must compute them as any other machine does.
#[test]
fn agrees_with_native_arithmetic() {
    let bars = Bars::of_closes((0..400).map(|n: i64| 110_000 + (n * n * 7 + n * 13) % 97));
    let (mut fast, mut slow, mut above) = (None, None, None);
    let mut crosses = Vec::new();
    for bar in 0..bars.len() {
        let close: f64 = bars.close(bar).units() as f64 / Price::whole(1).units() as f64;
        let next = |value: &mut Option<f64>, period: f64| {
            let average = value.map_or(close, |old| old + 2.0 / (period + 1.0) * (close - old));
            *value = Some(average);
            average
        };
        let now = next(&mut fast, 3.0) > next(&mut slow, 8.0);
        if above.replace(now).is_some_and(|before: bool| before != now) {
            crosses.push(bar);
        }
    }
    let acted = trade(ema().as_mut(), &bars, 0, 100);
    let mut at: Vec<usize> = acted.into_iter().map(|(bar, _)| bar).collect();
    at.dedup();
    assert_eq!(at, crosses);
}
