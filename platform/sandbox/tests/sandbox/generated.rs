//! Modules that nobody wrote: made up by wasm-smith in the shape of a plugin, and shipped plugins with bits turned over.
//! Nothing outside the limits is accepted, and everything ends.
//!
//! `GENERATED_CASES=1000` tries more than the few of every commit; a case that fails prints its number, which makes it again.

use crate::{fixture::component, guests};
use marque_sandbox::{
    Limits,
    gate::{Code, Report, judge},
};
use std::time::{Duration, Instant};
use wasm_smith::{Config, Module};

/// Far longer than any component may take here; a machine that does much else at once needs some of it.
const SOON: Duration = Duration::from_secs(60);

fn cases() -> u64 {
    std::env::var("GENERATED_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

/// SplitMix64, so that a case is its number.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Judges and checks what must hold whatever it is.
fn judged(case: &str, bytes: &[u8]) -> Report {
    let limits = Limits::default();
    let began = Instant::now();
    let report = judge(bytes, &limits).unwrap();
    assert!(began.elapsed() < SOON, "{case} took {:?}", began.elapsed());
    if report.accepted {
        let shape = report.shape.unwrap();
        assert!(
            shape.memory_bytes <= limits.memory_bytes as u64 && bytes.len() <= limits.module_bytes,
            "{case}\n{report}"
        );
        assert!(report.fuel.iter().all(|hook| hook.max <= hook.limit), "{case}\n{report}");
        assert!(report.plugin.is_some() && report.score > 0, "{case}\n{report}");
    } else {
        assert!(report.score == 0 && !report.findings.is_empty(), "{case}\n{report}");
    }
    report
}

/// A module with a plugin's imports and exports, and whatever wasm-smith thinks of inside.
fn made_up(seed: u64, shape: &[u8], world: &str) -> Option<Vec<u8>> {
    let mut state = seed;
    let bytes: Vec<u8> = (0..2_000).flat_map(|_| dice(&mut state).to_le_bytes()).collect();
    let config = Config {
        module_shape: Some(shape.to_vec()),
        allow_start_export: true,
        reference_types_enabled: true,
        bulk_memory_enabled: true,
        simd_enabled: seed.is_multiple_of(2),
        relaxed_simd_enabled: false,
        tail_call_enabled: seed % 16 == 5,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        max_memory32_bytes: 1 << 24,
        max_instructions: 2_000,
        ..Config::default()
    };
    let module = Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    guests::component_of(module.to_bytes(), world)
}

#[test]
fn modules_in_the_shape_of_plugins_end() {
    for (world, shape) in [("strategy", guests::strategy_module()), ("risk-rule", guests::rule_module())] {
        let mut made = 0;
        for case in 0..cases() * 4 {
            let Some(component) = made_up(case, &shape, world) else { continue };
            judged(&format!("{world} {case}"), &component);
            made += 1;
        }
        assert!(made >= cases(), "only {made} of {} components of {world} could be made", cases() * 4);
    }
}

#[test]
fn plugins_with_bits_turned_over_end() {
    let busy = guests::strategy(&[(
        "on-bars",
        "(if (i32.eqz (i32.rem_u (local.get 0) (i32.const 7))) (then (drop (memory.grow (i32.const 1)))))
         (call $log (i32.const 0) (i32.const 1024) (i32.const 5))
         (i32.store (i32.const 96) (local.get 0)) (i32.const 96)",
    )]);
    let (mut accepted, mut refused) = (0, 0);
    for (name, whole) in
        [("ema-cross", component("ema-cross")), ("daily-loss", component("daily-loss")), ("busy", &busy)]
    {
        for case in 0..cases() {
            let mut state = case;
            let mut bytes = whole.to_vec();
            for _ in 0..=case % 3 {
                let place = dice(&mut state);
                let at = usize::try_from(place >> 3).unwrap_or_default() % bytes.len();
                bytes[at] ^= 1 << (place & 7);
            }
            let report = judged(&format!("{name} {case}"), &bytes);
            if report.accepted { accepted += 1 } else { refused += 1 }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(refused > 0, "a damaged component must sometimes be noticed");
}

#[test]
fn plugins_that_are_cut_off_end() {
    let whole = component("ema-cross");
    for part in 1..=24 {
        let report = judged(&format!("cut {part}"), &whole[..whole.len() * part / 25]);
        assert!(report.has(Code::Invalid) || report.has(Code::NotAComponent), "{report}");
    }
}
