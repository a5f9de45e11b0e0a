//! Guests that misbehave: each ends with the right kind of fault, within its limits, and the next instance is clean.

use crate::{
    fixture::{Bars, rule_of, show, start_in, start_of, start_strategy},
    guests,
};
use marque_domain::{fixed::Lots, id::TenantId, order::Side, time::Millis};
use marque_engine::port::{Action, Fault, OrderUpdate, Strategy};
use marque_sandbox::{Limits, Sandbox};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Longer than any limit allows, with room for a machine that does much else at once.
const SOON: Duration = Duration::from_secs(10);

fn bars() -> Bars {
    Bars::of_closes([110_000, 110_010, 110_020])
}

fn started(parts: &[guests::Part<'_>]) -> Box<dyn Strategy> {
    start_strategy(&guests::strategy(parts), "{}", None).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Shows it one bar.
fn fault_of(parts: &[guests::Part<'_>]) -> Fault {
    let began = Instant::now();
    let mut strategy = started(parts);
    let fault = strategy.on_bars(bars().run(0..1), &mut Vec::new()).unwrap_err();
    assert!(began.elapsed() < SOON, "{fault} after {:?}", began.elapsed());
    // Stopped halfway, it is never entered again.
    assert_eq!(strategy.on_bars(bars().run(0..1), &mut Vec::new()), Err(fault.clone()));
    assert_eq!(strategy.snapshot(), Err(fault.clone()));
    // What it did stays with it.
    let mut clean = started(&[]);
    assert_eq!(show(clean.as_mut(), &bars(), 3), Ok(Vec::new()));
    fault
}

#[track_caller]
fn is_plugin(fault: &Fault, wanted: &str) {
    assert!(matches!(fault, Fault::Plugin(text) if text.contains(wanted)), "wanted {wanted:?}, got {fault:?}");
}

const FOREVER: &str = "(loop $again (br $again)) (unreachable)";

#[test]
fn an_endless_loop_uses_up_its_fuel() {
    is_plugin(&fault_of(&[("on-bars", FOREVER)]), "instructions");
}

#[test]
fn endless_loops_in_every_hook_end() {
    let is_out_of_fuel = |answer: Result<(), Fault>| is_plugin(&answer.unwrap_err(), "instructions");
    let none = &mut Vec::new();
    is_out_of_fuel(started(&[("on-history", "(loop $again (br $again))")]).on_history(bars().run(0..3)));
    let columns = [1, 2];
    let ticks = marque_engine::port::TickRun { at: &columns, bid: &columns, ask: &columns };
    is_out_of_fuel(started(&[("on-ticks", FOREVER)]).on_ticks(ticks, none).map(drop));
    let update = &OrderUpdate::Refused;
    is_out_of_fuel(started(&[("on-order-update", FOREVER)]).on_order_update(Millis(1), update, none));
    is_out_of_fuel(started(&[("on-timer", FOREVER)]).on_timer(Millis(1), none));
    is_out_of_fuel(started(&[("snapshot", FOREVER)]).snapshot().map(drop));
    let late = [("on-timer", "(i32.const 1)"), ("take-actions", FOREVER)];
    is_out_of_fuel(started(&late).on_timer(Millis(1), none));
    let start = start_strategy(&guests::strategy(&[("init", FOREVER)]), "{}", None);
    is_out_of_fuel(start.map(drop));
}

#[test]
fn deep_recursion_uses_up_its_stack() {
    is_plugin(&fault_of(&[("on-bars", "(call $deeper (i32.const 0))")]), "recurse");
}

#[test]
fn a_trap_is_told_by_its_kind() {
    is_plugin(&fault_of(&[("on-bars", "unreachable")]), "panicked");
    is_plugin(&fault_of(&[("on-bars", "(i32.div_u (i32.const 1) (i32.const 0))")]), "divide by zero");
    is_plugin(&fault_of(&[("on-bars", "(i32.load (i32.const -4))")]), "out of bounds memory access");
    is_plugin(&fault_of(&[("on-bars", "(call_indirect (result i32) (i32.const 0))")]), "uninitialized element");
}

#[test]
fn memory_and_tables_grow_to_their_limit_and_no_further() {
    // Traps when a growth succeeds that must not.
    let greedy = "
        (if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then unreachable))
        (if (i32.ne (table.grow $table (ref.null func) (i32.const 10000000)) (i32.const -1)) (then unreachable))
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (if (i32.ne (memory.size) (i32.const 256)) (then unreachable))
        (i32.store (i32.const 96) (local.get 0)) (i32.const 96)";
    let mut strategy = started(&[("on-bars", greedy)]);
    assert_eq!(show(strategy.as_mut(), &bars(), 3), Ok(Vec::new()));
}

#[test]
fn the_largest_copies_pay_for_their_bytes() {
    let filler = "
        (drop (memory.grow (i32.const 252)))
        (loop $again (memory.fill (i32.const 131072) (i32.const 7) (i32.const 16646144)) (br $again)) (unreachable)";
    is_plugin(&fault_of(&[("on-bars", filler)]), "instructions");
    let copier = filler.replace("(i32.const 7)", "(i32.const 131073)").replace("16646144", "16646143");
    is_plugin(&fault_of(&[("on-bars", &copier.replace("memory.fill", "memory.copy"))]), "instructions");
}

#[test]
fn a_guest_with_fuel_left_meets_the_deadline() {
    let limits = Limits { bar_fuel: u64::MAX, hook_deadline_ms: 20, instances: 4, ..Limits::default() };
    let sandbox = Arc::new(Sandbox::new(limits).unwrap());
    let start = |parts: &[guests::Part<'_>]| start_in(&sandbox, &guests::strategy(parts), "{}", None).unwrap();
    let began = Instant::now();
    let mut endless = start(&[("on-bars", FOREVER)]);
    let fault = endless.on_bars(bars().run(0..1), &mut Vec::new()).unwrap_err();
    assert!(matches!(&fault, Fault::Host(text) if text.contains("deadline")), "{fault:?}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(endless.on_bars(bars().run(0..1), &mut Vec::new()), Err(fault));
    assert_eq!(show(start(&[]).as_mut(), &bars(), 3), Ok(Vec::new()));
}

#[test]
fn a_full_sandbox_is_the_hosts_fault_until_there_is_room() {
    let sandbox = Arc::new(Sandbox::new(Limits { instances: 2, ..Limits::default() }).unwrap());
    let component = guests::strategy(&[]);
    let start = || start_in(&sandbox, &component, "{}", None);
    let (one, two) = (start().unwrap(), start().unwrap());
    let full = start().map(drop).unwrap_err();
    assert!(matches!(&full, Fault::Host(text) if text.contains("no room")), "{full:?}");
    drop(one);
    assert!(start().is_ok());
    drop(two);
}

#[test]
fn a_tenant_that_fills_its_share_leaves_the_others_theirs() {
    let limits = Limits { instances: 4, tenant_instances: 2, ..Limits::default() };
    let sandbox = Arc::new(Sandbox::new(limits).unwrap());
    let (component, rule) = (guests::strategy(&[]), guests::rule(&[]));
    let broken = guests::strategy(&[("init", "unreachable")]);
    let start = |tenant: i64| start_of(TenantId(tenant), &sandbox, &component);
    let no_room = |fault: Fault, whose: &str| {
        assert!(matches!(&fault, Fault::Host(text) if text.contains("no room") && text.contains(whose)), "{fault:?}");
    };
    // What does not start keeps no place.
    for _ in 0..3 {
        assert!(matches!(start_of(TenantId(1), &sandbox, &broken).map(drop), Err(Fault::Plugin(_))));
    }
    let one = rule_of(TenantId(1), &sandbox, &rule).unwrap();
    let two = start(1).unwrap();
    no_room(start(1).map(drop).unwrap_err(), "of this brand");
    no_room(rule_of(TenantId(1), &sandbox, &rule).map(drop).unwrap_err(), "of this brand");
    let others = (start(2).unwrap(), start(3).unwrap());
    no_room(start(4).map(drop).unwrap_err(), "on this node");
    drop(one);
    let again = start(1).unwrap();
    no_room(start(1).map(drop).unwrap_err(), "of this brand");
    drop((two, again, others));
    assert!(start(1).is_ok());
}

#[test]
fn a_flood_of_log_lines_costs_fuel_and_is_cut() {
    let flood = "(loop $again (call $log (i32.const 0) (i32.const 1024) (i32.const 60000)) (br $again)) (unreachable)";
    let mut strategy = started(&[("on-bars", flood)]);
    is_plugin(&strategy.on_bars(bars().run(0..1), &mut Vec::new()).unwrap_err(), "instructions");
    let log = strategy.take_log();
    assert_eq!(log.len(), 101);
    assert!(log.iter().all(|(at, line)| *at == Millis(60_000) && line.len() <= 1_024));
    assert!(log.iter().all(|(_, line)| !line.contains(char::is_control)));
}

#[test]
fn a_million_host_calls_cost_fuel() {
    let flood = "(loop $again (drop (call $random)) (br $again)) (unreachable)";
    is_plugin(&fault_of(&[("on-bars", flood)]), "instructions");
}

#[test]
fn bad_pointers_and_bad_text_are_answers_that_cannot_be_read() {
    let log = |pointer: i64, length: i64| {
        format!("(call $log (i32.const 0) (i32.const {pointer}) (i32.const {length})) (i32.const 96)")
    };
    // Outside the memory, wrapping around, larger than an answer may be, and not UTF-8.
    is_plugin(&fault_of(&[("on-bars", &log(262_140, 100))]), "");
    is_plugin(&fault_of(&[("on-bars", &log(-4, 100))]), "");
    is_plugin(&fault_of(&[("on-bars", &log(0, 200_000))]), "");
    let bad_utf8 = [("extra", r#"(data (i32.const 2000) "\ff\fe")"#), ("on-bars", &*log(2_000, 2))];
    is_plugin(&fault_of(&bad_utf8), "");
    for pointer in ["(i32.const 262144)", "(i32.const -8)", "(i32.const 97)"] {
        is_plugin(&fault_of(&[("on-bars", pointer)]), "");
    }
}

/// A strategy that acts at every bar with this list of actions.
fn acting(list: &str, extra: &str) -> Vec<u8> {
    let parts = [
        (
            "on-bars",
            "(i32.store (i32.const 96) (i32.const 1)) (i32.store8 (i32.const 100) (i32.const 1)) (i32.const 96)",
        ),
        ("take-actions", list),
        ("extra", extra),
    ];
    guests::strategy(&parts)
}

/// Answers the list at this place with this many actions.
fn list(pointer: i64, length: i64) -> String {
    format!(
        "(i32.store (i32.const 112) (i32.const {pointer})) (i32.store (i32.const 116) (i32.const {length})) (i32.const 112)"
    )
}

fn actions_of(component: &[u8]) -> Result<Vec<Action>, Fault> {
    let mut actions = Vec::new();
    start_strategy(component, "{}", None)?.on_bars(bars().run(0..3), &mut actions)?;
    Ok(actions)
}

#[test]
fn lists_of_actions_are_bounded() {
    for (length, wanted) in [(257, "the limit is 256"), (2_000, ""), (100_000_000, ""), (-1, "")] {
        is_plugin(&actions_of(&acting(&list(4_096, length), "")).unwrap_err(), wanted);
    }
    is_plugin(&actions_of(&acting(&list(262_136, 2), "")).unwrap_err(), "");
    assert_eq!(actions_of(&acting(&list(4_096, 256), "")).unwrap().len(), 256);
}

#[test]
fn values_that_do_not_exist_are_refused() {
    // Discriminant of the action, then the side of an open order.
    is_plugin(&actions_of(&acting(&list(2_048, 1), r#"(data (i32.const 2048) "\09")"#)).unwrap_err(), "");
    let side = r#"(data (i32.const 2048) "\00\00\00\00\00\00\00\00\07")"#;
    is_plugin(&actions_of(&acting(&list(2_048, 1), side)).unwrap_err(), "");
    let sell =
        r#"(data (i32.const 2048) "\00\00\00\00\00\00\00\00\01") (data (i32.const 2064) "\ff\ff\ff\ff\ff\ff\ff\ff")"#;
    let negative = Lots::from_units(-1);
    assert_eq!(
        actions_of(&acting(&list(2_048, 1), sell)),
        Ok(vec![Action::Open { side: Side::Sell, lots: negative, stop_loss: None, take_profit: None }]),
        "numbers are the gate's to judge"
    );
}

#[test]
fn progress_is_never_taken_on_the_guests_word() {
    for consumed in ["0", "2", "-1"] {
        let lie = format!("(i32.store (i32.const 96) (i32.const {consumed})) (i32.const 96)");
        is_plugin(&fault_of(&[("on-bars", &lie)]), "of 1 events");
    }
}

#[test]
fn a_snapshot_is_bounded() {
    let grown = "(drop (memory.grow (i32.const 100)))";
    let snapshot = |length: i64| format!("{grown} {}", list(0, length));
    let fault = |length| started(&[("snapshot", &snapshot(length))]).snapshot().unwrap_err();
    is_plugin(&fault(1_048_577), "the limit is 1048576");
    is_plugin(&fault(4_000_000), "");
    is_plugin(&fault(-1), "");
    assert_eq!(started(&[("snapshot", &snapshot(1_048_576))]).snapshot().map(|state| state.len()), Ok(1_048_585));
}

#[test]
fn a_refused_start_is_told_in_plain_text() {
    let refuse = [
        (
            "extra",
            r#"(data (i32.const 2048) "no\1b[2J\0a way") (data (i32.const 72) "\01\00\00\00\00\08\00\00\0b\00\00\00")"#,
        ),
        ("init", "(i32.const 72)"),
    ];
    let fault = start_strategy(&guests::strategy(&refuse), "{}", None).map(drop).unwrap_err();
    is_plugin(&fault, "no [2J  way");
}

#[test]
fn hooks_beyond_the_description_or_the_limit_are_nonsense() {
    let too_much =
        [("extra", r#"(data (i32.const 72) "\00\00\00\00\01\00\00\00\11\27\00\00")"#), ("init", "(i32.const 72)")];
    let fault = start_strategy(&guests::strategy(&too_much), "{}", None).map(drop).unwrap_err();
    is_plugin(&fault, "10,000 bars");
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    // Sixty-four threads share the cores: on the clock each of them may wait for long.
    let limits = Limits { hook_deadline_ms: 60_000, ..Limits::default() };
    let sandbox = &Arc::new(Sandbox::new(limits).unwrap());
    let (bad, good) = (&guests::strategy(&[("on-bars", FOREVER)]), &guests::strategy(&[]));
    std::thread::scope(|scope| {
        for n in 0..64 {
            scope.spawn(move || {
                let mut strategy = start_in(sandbox, if n % 2 == 0 { bad } else { good }, "{}", None).unwrap();
                let answer = strategy.on_bars(bars().run(0..3), &mut Vec::new());
                if n % 2 == 0 { is_plugin(&answer.unwrap_err(), "instructions") } else { assert_eq!(answer, Ok(1)) }
            });
        }
    });
}

/// What a guest that would never end may take of a core: its deadline on the clock, and as much processor time again.
#[test]
fn an_endless_guest_is_stopped_within_its_deadline_and_fifty_milliseconds() {
    for deadline_ms in [5, 20, 50] {
        let limits = Limits { bar_fuel: u64::MAX, hook_deadline_ms: deadline_ms, instances: 4, ..Limits::default() };
        let sandbox = Arc::new(Sandbox::new(limits).unwrap());
        let mut endless = start_in(&sandbox, &guests::strategy(&[("on-bars", FOREVER)]), "{}", None).unwrap();
        let began = cpu_time::ThreadTime::now();
        endless.on_bars(bars().run(0..1), &mut Vec::new()).unwrap_err();
        let used = began.elapsed();
        assert!(used < Duration::from_millis(deadline_ms + 50), "{used:?} of processor time at {deadline_ms} ms");
    }
}

/// It is asked on the thread on which the market moves, as often as anything is kept.
#[test]
fn an_endless_snapshot_has_what_a_bar_has() {
    let endless = |limits: Limits| {
        let sandbox = Arc::new(Sandbox::new(Limits { instances: 4, ..limits }).unwrap());
        let mut endless = start_in(&sandbox, &guests::strategy(&[("snapshot", FOREVER)]), "{}", None).unwrap();
        let began = cpu_time::ThreadTime::now();
        let fault = endless.snapshot().unwrap_err();
        (fault, began.elapsed())
    };
    let (fault, _) = endless(Limits { bar_fuel: 1_000_000, hook_deadline_ms: 60_000, ..Limits::default() });
    assert!(matches!(&fault, Fault::Plugin(said) if said.contains("instructions")), "{fault}");
    let generous = Limits { bar_fuel: u64::MAX, init_fuel: u64::MAX, init_deadline_ms: 60_000, ..Limits::default() };
    let (fault, used) = endless(Limits { hook_deadline_ms: 20, ..generous });
    assert!(matches!(&fault, Fault::Host(_)), "{fault}");
    assert!(used < Duration::from_millis(20 + 50), "{used:?} of processor time");
}

/// Pages of this process that are in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[test]
fn sixty_four_hostile_guests_at_once_take_no_more_than_their_memory() {
    const GUESTS: usize = 64;
    const MEMORY: usize = 2 << 20;
    // So many at once may find no processor before a hook's deadline, which other tests are about.
    let limits = Limits { memory_bytes: MEMORY, instances: 80, hook_deadline_ms: 60_000, ..Limits::default() };
    let sandbox = Arc::new(Sandbox::new(limits).unwrap());
    // Each takes all memory it can get and touches every page, then does its own kind of harm.
    let greedy = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (memory.fill (i32.const 262144) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 262144)))";
    let harms = [
        FOREVER,
        "(call $deeper (i32.const 0))",
        "unreachable",
        "(loop $again (call $log (i32.const 0) (i32.const 1024) (i32.const 60000)) (br $again)) (unreachable)",
        "(loop $again (drop (call $random)) (br $again)) (unreachable)",
        "(i32.const -8)",
    ];
    let components: Vec<Vec<u8>> =
        harms.iter().map(|harm| guests::strategy(&[("on-bars", &format!("{greedy} {harm}"))])).collect();
    // Compiled before anything is measured.
    components.iter().for_each(|component| drop(sandbox.inspect(component).unwrap()));
    #[cfg(target_os = "linux")]
    let before = resident();
    let began = Instant::now();
    let guests: Vec<Box<dyn Strategy>> = std::thread::scope(|scope| {
        let start = |guest: usize| {
            let (sandbox, component) = (&sandbox, &components[guest % harms.len()]);
            scope.spawn(move || {
                let mut strategy = start_in(sandbox, component, "{}", None).unwrap();
                let fault = strategy.on_bars(bars().run(0..1), &mut Vec::new()).unwrap_err();
                assert!(matches!(fault, Fault::Plugin(_)), "{fault:?}");
                strategy
            })
        };
        let started: Vec<_> = (0..GUESTS).map(start).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    #[cfg(target_os = "linux")]
    {
        // All of them are still there. Beside their memory: stacks of threads, tables, what a test itself needs.
        let (grown, most) = (resident().saturating_sub(before), GUESTS * MEMORY + (96 << 20));
        assert!(grown < most, "{GUESTS} guests took {grown} bytes, more than {most}");
    }
    drop(guests);
    let mut clean = start_in(&sandbox, &guests::strategy(&[]), "{}", None).unwrap();
    assert_eq!(show(clean.as_mut(), &bars(), 3), Ok(Vec::new()));
}
