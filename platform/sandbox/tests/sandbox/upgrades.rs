//! One release of a component takes the state of another, and what both use up is counted.

use crate::fixture::{Bars, component, show, start_in, start_strategy};
use marque_domain::usage::Usage;
use marque_engine::port::Fault;
use marque_sandbox::{Limits, Sandbox, Stopwatch};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The same code under another version: other bytes, so another release.
fn another_release(component: &[u8]) -> Vec<u8> {
    let (old, new) = (b"0.1.0", b"0.2.0");
    let mut bytes = component.to_vec();
    let places: Vec<usize> = (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty(), "the component does not say its version in one piece");
    places.iter().for_each(|at| bytes[*at..*at + new.len()].copy_from_slice(new));
    bytes
}

fn swing(bars: i64) -> Bars {
    Bars::of_closes((0..bars).map(|n: i64| 110_000 + if (n / 10) % 2 == 0 { n % 10 } else { 10 - n % 10 } * 20))
}

const CASES: [(&str, &str); 2] =
    [("ema-cross", r#"{"fast":2,"slow":5,"lots":0.3}"#), ("sma-cross", r#"{"fast":2,"slow":5,"lots":0.3}"#)];

#[test]
fn a_release_of_equal_code_goes_on_where_the_other_stood() {
    let bars = swing(120);
    for (name, settings) in CASES {
        let first = component(name);
        let second = another_release(first);
        let mut alone = start_strategy(first, settings, None).unwrap();
        let undisturbed = show(alone.as_mut(), &bars, 7).unwrap();
        assert!(undisturbed.len() > 8, "{name} acts {} times", undisturbed.len());
        for at in [1, 4, 5, 33, 60, 119] {
            let mut old = start_strategy(first, settings, None).unwrap();
            let mut actions = Vec::new();
            let (mut seen, mut acted) = (0, Vec::new());
            while seen < at {
                seen += old.on_bars(bars.run(seen..at), &mut actions).unwrap();
                acted.extend(actions.drain(..).map(|action| (seen - 1, action)));
            }
            let state = old.snapshot().unwrap();
            let mut new = start_strategy(&second, settings, Some(&state)).unwrap();
            assert_eq!(new.snapshot().unwrap(), state, "{name} at {at}");
            while seen < bars.len() {
                seen += new.on_bars(bars.run(seen..bars.len()), &mut actions).unwrap();
                acted.extend(actions.drain(..).map(|action| (seen - 1, action)));
            }
            assert_eq!(acted, undisturbed, "{name} at {at}");
        }
    }
}

#[test]
fn a_state_that_is_not_understood_is_not_taken() {
    let settings = CASES[0].1;
    for state in [&[][..], &[1; 9], &[9; 400], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 77, 1, 2]] {
        let refused = start_strategy(component("ema-cross"), settings, Some(state)).map(drop).unwrap_err();
        assert!(matches!(refused, Fault::Plugin(_)), "{refused:?}");
    }
}

#[test]
fn what_is_used_adds_up() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    let clock = Stopwatch::new(|| NOW.fetch_add(10, Ordering::Relaxed));
    let sandbox = Arc::new(Sandbox::timed(Limits { instances: 4, ..Limits::default() }, clock, None).unwrap());
    let bars = swing(120);
    let (name, settings) = CASES[0];
    let use_up = |each: bool| {
        let mut strategy = start_in(&sandbox, component(name), settings, None).unwrap();
        let (mut total, mut parts, mut actions, mut seen) = (Usage::default(), 0, Vec::new(), 0);
        while seen < bars.len() {
            seen += strategy.on_bars(bars.run(seen..seen + 1), &mut actions).unwrap();
            if each {
                total += strategy.take_usage();
                parts += 1;
            }
        }
        total += strategy.take_usage();
        (total, parts)
    };
    let ((once, _), (in_parts, parts)) = (use_up(false), use_up(true));
    assert_eq!(parts, bars.len());
    assert_eq!(once, in_parts, "however often it is asked");
    // A start, an init, a call for each bar, and one for the actions of each that acted.
    assert!(once.calls > 122, "{once:?}");
    assert_eq!(once.time_ns, once.calls * 10, "each call takes one step of this clock");
    assert!(once.fuel > 10_000, "{once:?}");
    assert!((64 << 10..=16 << 20).contains(&once.memory_bytes_peak), "{once:?}");
    let mut silent = start_strategy(component(name), settings, None).unwrap();
    let used = silent.take_usage();
    assert_eq!((used.time_ns, used.calls), (0, 2), "without a clock there is no time");
    assert_eq!(silent.take_usage().calls, 0, "what was taken is not told again");
}
