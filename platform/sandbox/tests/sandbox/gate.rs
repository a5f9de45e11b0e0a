//! The gate from outside: what we ship passes, and each way of cheating is found by its code.

use crate::{
    fixture::{built, component},
    guests,
};
use marque_sandbox::{
    Limits,
    gate::{Code, Report, judge},
};

fn report(component: &[u8]) -> Report {
    judge(component, &Limits::default()).unwrap()
}

#[track_caller]
fn is_refused(component: &[u8], wanted: Code) -> Report {
    let report = report(component);
    assert!(report.has(wanted) && !report.accepted && report.score == 0, "wanted {wanted}, got\n{report}");
    report
}

#[test]
fn what_we_ship_passes() {
    for (name, component) in built() {
        let report = report(component);
        assert!(report.accepted && report.score >= 70, "{name}\n{report}");
        assert_eq!(report.plugin.as_ref().map(|told| &told.name), Some(name));
        assert!(!report.fuel.is_empty() && report.decisions > 0, "{name} was not tried\n{report}");
    }
}

#[test]
fn a_report_is_the_same_twice() {
    let component = component("ema-cross");
    let (one, two) = (report(component), report(component));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
    println!("{one}");
}

/// Bars only, so that runs are long.
const BARS_ONLY: (&str, &str) = ("init", "(i32.store8 (i32.const 69) (i32.const 0)) (i32.const 64)");
/// Wishes to close position 1.
const CLOSE: &str = "
    (i32.store8 (i32.const 2048) (i32.const 1)) (i64.store (i32.const 2056) (i64.const 1))
    (i32.store (i32.const 112) (i32.const 2048)) (i32.store (i32.const 116) (i32.const 1)) (i32.const 112)";
/// Answers that one event was handled, and that it made the guest act when `local 3` says so.
const ANSWER_ONE: &str =
    "(i32.store (i32.const 96) (i32.const 1)) (i32.store8 (i32.const 100) (local.get 3)) (i32.const 96)";

fn strategy(on_bars: &str, snapshot: &str) -> Vec<u8> {
    let on_bars = format!("(local i32) {on_bars} {ANSWER_ONE}");
    guests::strategy(&[BARS_ONLY, ("on-bars", &on_bars), ("take-actions", CLOSE), ("snapshot", snapshot)])
}

/// Saves and restores nothing.
const FORGETS: &str =
    "(i32.store (i32.const 112) (i32.const 0)) (i32.store (i32.const 116) (i32.const 0)) (i32.const 112)";

#[test]
fn an_honest_strategy_that_acts_at_every_rise_passes() {
    // The close of its first bar against the open: columns lie back to back, open is the second, close the fifth.
    let rises = "(local.set 3 (i64.gt_s
        (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))
        (i64.load (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 8))))))";
    let report = report(&strategy(rises, FORGETS));
    assert!(report.accepted && report.decisions > 100, "{report}");
}

#[test]
fn a_strategy_that_reads_the_next_bar_is_found() {
    let peeks = "(if (i32.gt_u (local.get 0) (i32.const 1)) (then (local.set 3 (i64.gt_s
        (i64.load (i32.add (local.get 1) (i32.mul (i32.add (i32.mul (local.get 0) (i32.const 4)) (i32.const 1)) (i32.const 8))))
        (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))))))";
    is_refused(&strategy(peeks, FORGETS), Code::LookAhead);
}

#[test]
fn a_strategy_that_reads_the_end_of_the_run_now_and_then_is_found() {
    // It acts honestly at every rise, and once in a while leaves a wish out because of what the last bar of the run says.
    let peeks = "
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (local.set 3 (i64.gt_s
            (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))
            (i64.load (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 8))))))
        (if (i32.and (i32.gt_u (local.get 0) (i32.const 20)) (i64.gt_s
            (i64.load (i32.add (local.get 1) (i32.mul (i32.sub (i32.mul (local.get 0) (i32.const 5)) (i32.const 1)) (i32.const 8))))
            (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))))
            (then (local.set 3 (i32.const 0))))";
    is_refused(&strategy(peeks, FORGETS), Code::LookAhead);
}

#[test]
fn state_that_no_snapshot_carries_is_found() {
    let counts = "
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (local.set 3 (i32.eqz (i32.rem_u (global.get $calls) (i32.const 50))))";
    let report = is_refused(&strategy(counts, FORGETS), Code::StateLost);
    assert!(report.findings[0].detail.contains("Decision"), "{report}");
}

#[test]
fn a_snapshot_that_changes_what_is_done_later_is_found() {
    // It acts at every rise while it was asked for its state an even number of times.
    let moody = "
        (local.set 3 (i32.and (i32.eqz (i32.and (global.get $calls) (i32.const 1))) (i64.gt_s
            (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))
            (i64.load (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 8)))))))";
    let counts = format!("(global.set $calls (i32.add (global.get $calls) (i32.const 1))) {FORGETS}");
    let report = is_refused(&strategy(moody, &counts), Code::SnapshotActs);
    assert!(report.findings[0].detail.contains("Decision"), "{report}");
}

/// A schema with one box to tick, and how long the settings are when it is ticked.
const BOX: &str = r#"{"type":"object","additionalProperties":false,"properties":{
    "bold":{"type":"boolean","title":"Bold","description":"Whether it is bold.","default":false}}}"#;
const TICKED: &str = r#"{"bold":true}"#;

/// A strategy with that box. It knows how long its settings are, which is enough to know whether it is ticked: `$calls` says so.
fn boxed(init: &str, on_bars: &str) -> Vec<u8> {
    let ticked = TICKED.len();
    let init = format!(
        "(global.set $calls (i32.eq (local.get 1) (i32.const {ticked}))) {init}
        (i32.store8 (i32.const 69) (i32.const 0)) (i32.const 64)"
    );
    let length: String = u32::try_from(BOX.len()).unwrap().to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat();
    // In the place of the guest's own schema, and of its length in the description.
    let schema = BOX.replace('\n', " ").replace('"', "\\\"");
    let extra = format!("(data (i32.const 1120) \"{schema}\") (data (i32.const 36) \"{length}\")");
    let on_bars = format!("(local i32) {on_bars} {ANSWER_ONE}");
    guests::strategy(&[
        ("extra", &extra),
        ("init", &init),
        ("on-bars", &on_bars),
        ("take-actions", CLOSE),
        ("snapshot", FORGETS),
    ])
}

/// Acts at every rise of the bar at hand.
const RISES: &str = "(local.set 3 (i64.gt_s
    (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))
    (i64.load (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const 8))))))";

#[test]
fn a_strategy_that_looks_ahead_with_some_settings_only_is_found() {
    let peeks = format!(
        "{RISES} (if (i32.and (global.get $calls) (i32.gt_u (local.get 0) (i32.const 1))) (then (local.set 3 (i64.gt_s
        (i64.load (i32.add (local.get 1) (i32.mul (i32.add (i32.mul (local.get 0) (i32.const 4)) (i32.const 1)) (i32.const 8))))
        (i64.load (i32.add (local.get 1) (i32.mul (i32.mul (local.get 0) (i32.const 4)) (i32.const 8))))))))"
    );
    let report = is_refused(&boxed("", &peeks), Code::LookAhead);
    assert!(report.findings[0].detail.contains(TICKED), "{report}");
    let falls = format!("{RISES} (if (global.get $calls) (then (local.set 3 (i32.eqz (local.get 3)))))");
    let honest = self::report(&boxed("", &falls));
    assert!(honest.accepted && honest.decisions > 100, "another decision with other settings is no fault\n{honest}");
}

#[test]
fn state_that_is_lost_with_some_settings_only_is_found() {
    // With the box ticked it counts, and acts at every fiftieth rise.
    let counts = format!(
        "{RISES} (if (i32.and (local.get 3) (i32.ne (global.get $calls) (i32.const 0))) (then
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (local.set 3 (i32.eqz (i32.rem_u (global.get $calls) (i32.const 50))))))"
    );
    let report = is_refused(&boxed("", &counts), Code::StateLost);
    assert!(report.findings[0].detail.contains(TICKED), "{report}");
}

#[test]
fn settings_that_are_refused_or_fail_are_not_fatal() {
    let refuses = report(&boxed("(if (global.get $calls) (then unreachable))", RISES));
    assert!(refuses.accepted && !refuses.has(Code::FailsElsewhere), "{refuses}");
    let fails = report(&boxed("", &format!("{RISES} (if (global.get $calls) (then unreachable))")));
    assert!(fails.accepted && fails.has(Code::FailsElsewhere) && fails.score > 70, "{fails}");
    let detail = fails.findings.iter().find(|found| found.code == Code::FailsElsewhere).map(|found| &found.detail);
    assert!(detail.is_some_and(|detail| detail.contains(TICKED) && detail.contains("panicked")), "{fails}");
    let burns = "(if (global.get $calls) (then (local.set 3 (i32.const 3000000)) (loop $again (br_if $again
        (local.tee 3 (i32.sub (local.get 3) (i32.const 1)))))))";
    let burns = report(&boxed("", &format!("{burns} {RISES}")));
    assert!(burns.accepted && burns.has(Code::NotAllTried), "what costs too much is not tried for ever\n{burns}");
}

#[test]
fn a_rule_that_remembers_is_found() {
    let remembers = "
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store8 (i32.const 128) (i32.and (global.get $calls) (i32.const 1)))
        (i64.store (i32.const 136) (i64.const 1000000)) (i32.const 128)";
    is_refused(&guests::rule(&[("check", remembers)]), Code::Impure);
    let same =
        "(i32.store8 (i32.const 128) (i32.const 1)) (i64.store (i32.const 136) (i64.const 1000000)) (i32.const 128)";
    let report = report(&guests::rule(&[("check", same)]));
    assert!(report.accepted, "{report}");
}

#[test]
fn plugins_that_fail_are_told_what_at() {
    is_refused(&guests::strategy(&[("on-bars", "unreachable")]), Code::Fault);
    is_refused(&guests::rule(&[("check", "unreachable")]), Code::Fault);
    is_refused(&guests::strategy(&[("init", "unreachable")]), Code::DoesNotStart);
    is_refused(&guests::strategy(&[("describe", "(loop $again (br $again)) (unreachable)")]), Code::Silent);
    is_refused(&guests::rule(&[("describe", "(i32.const -4)")]), Code::Silent);
}

#[test]
fn a_strategy_that_only_waits_is_warned_and_near_limits_too() {
    let waits = report(&guests::strategy(&[]));
    assert!(waits.accepted && waits.has(Code::NeverActed), "{waits}");
    // Twelve of twenty million, at every bar.
    let burns = "(local.set 3 (i32.const 3000000)) (loop $again (br_if $again
        (local.tee 3 (i32.sub (local.get 3) (i32.const 1)))))";
    let burns = report(&strategy(burns, FORGETS));
    assert!(burns.has(Code::FuelNear), "{burns}");
    // And at every question for its state, which takes the time of an event.
    let burns = format!(
        "(local i32) (local.set 0 (i32.const 30000)) (loop $again (br_if $again
        (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) {FORGETS}"
    );
    let burns = judge(&strategy("", &burns), &Limits { bar_fuel: 200_000, ..Limits::default() }).unwrap();
    let state = burns.fuel.iter().find(|hook| hook.hook == "snapshot").unwrap();
    assert!(state.events > 100 && state.max > 100_000 && state.limit == 200_000, "{burns}");
    assert!(burns.has(Code::FuelNear), "{burns}");
}

/// A component around one core module.
fn around(module: &str) -> Vec<u8> {
    wat::parse_str(format!("(component (core module {module}))")).unwrap()
}

#[test]
fn what_bytes_alone_say_is_said_before_anything_is_compiled() {
    let many = |count: usize, what: &str| what.repeat(count);
    for (component, wanted) in [
        (vec![0; 3 << 20], Code::TooLarge),
        (b"hello".to_vec(), Code::NotAComponent),
        (b"(component)".to_vec(), Code::NotAComponent),
        (wat::parse_str("(module)").unwrap(), Code::NotAComponent),
        (b"\x7fELF\x02\x01\x01".to_vec(), Code::NotAComponent),
        (b"\0asm\x0d\0\x01\0\x01".to_vec(), Code::Invalid),
        (around("(memory i64 1)"), Code::Feature),
        (around("(memory 1 1 shared)"), Code::Feature),
        (around("(func (return_call 0))"), Code::Feature),
        (around("(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0)))"), Code::Feature),
        (around("(memory 1) (memory 1)"), Code::Feature),
        (around("(type (struct))"), Code::Feature),
        (around("(tag)"), Code::Feature),
        (around(&many(10_001, "(func)")), Code::TooManyFunctions),
        (around(&format!("(func {})", many(4_097, "(local i32)"))), Code::FunctionTooLarge),
        (around(&format!("(func {})", many(300_000, "nop "))), Code::FunctionTooLarge),
        (around("(memory 300)"), Code::MemoryTooLarge),
        (around("(table 9000 funcref)"), Code::TooManyTables),
        (around(&format!("(memory 17) (data (i32.const 0) \"{}\")", many((1 << 20) + 1, "a"))), Code::DataTooLarge),
        (wat::parse_str(format!("(component {})", many(9, "(core module)"))).unwrap(), Code::TooManyModules),
        (
            wat::parse_str(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance)))"#).unwrap(),
            Code::ForeignImport,
        ),
        (wat::parse_str(r#"(component (import "now" (func)))"#).unwrap(), Code::ForeignImport),
        (
            wat::parse_str(r#"(component (import "marque:plugin/host@9.0.0" (instance)))"#).unwrap(),
            Code::ContractVersion,
        ),
        (wat::parse_str("(component)").unwrap(), Code::NoWorld),
    ] {
        let report = is_refused(&component, wanted);
        assert!(report.plugin.is_none() && report.fuel.is_empty());
    }
}

#[test]
fn the_fuel_of_a_bench_is_that_of_the_report() {
    let component = component("ema-cross");
    let hooks = marque_sandbox::gate::bench(component, &Limits::default()).unwrap();
    let fuel: Vec<_> = hooks.iter().map(|hook| hook.fuel.clone()).collect();
    assert_eq!(fuel, report(component).fuel);
    assert!(hooks.iter().all(|hook| hook.ns_p50 > 0 && hook.ns_p50 <= hook.ns_p99));
}
