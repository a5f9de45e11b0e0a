//! Files that are no plugins, or not the plugins they should be.

use crate::{
    fixture::{component, sandbox},
    guests,
};
use marque_engine::port::Fault;
use marque_sandbox::Refused;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn refused(bytes: &[u8]) -> Refused {
    sandbox().inspect(bytes).unwrap_err()
}

#[test]
fn what_a_file_is_is_said_before_it_is_read() {
    for (bytes, wanted) in [
        (b"".to_vec(), Refused::NotWasm),
        (b"MZ\x90\0 an executable".to_vec(), Refused::NotWasm),
        (b"\n (module)".to_vec(), Refused::Text),
        (wat::parse_str("(module)").unwrap(), Refused::CoreModule),
        (vec![0; (2 << 20) + 1], Refused::TooLarge { bytes: (2 << 20) + 1, limit: 2 << 20 }),
        (b"\x7fELF\x02\x01\x01".to_vec(), Refused::Precompiled),
    ] {
        assert_eq!(refused(&bytes), wanted);
        assert!(wanted.to_string().len() > 40, "{wanted}");
    }
}

#[test]
fn machine_code_is_never_accepted() {
    let engine = wasmtime::Engine::default();
    let compiled = engine.precompile_component(&guests::strategy(&[])).unwrap();
    assert_eq!(refused(&compiled), Refused::Precompiled);
}

#[test]
fn imports_beyond_the_contract_are_named() {
    for (import, wanted) in [
        (r#"(import "wasi:clocks/wall-clock@0.2.0" (instance))"#, "wasi:clocks/wall-clock@0.2.0"),
        (
            r#"(import "wasi:cli/environment@0.2.0" (instance (export "get-arguments" (func))))"#,
            "wasi:cli/environment@0.2.0",
        ),
        (r#"(import "marque:plugin/host@2.0.0" (instance))"#, "marque:plugin/host@2.0.0"),
        (r#"(import "run" (func))"#, "run"),
    ] {
        let bytes = wat::parse_str(format!("(component {import})")).unwrap();
        assert_eq!(refused(&bytes), Refused::ForeignImport(wanted.to_owned()));
    }
}

#[test]
fn what_does_not_fit_the_contract_is_told() {
    assert_eq!(refused(&wat::parse_str("(component)").unwrap()), Refused::NoWorld);
    // The right name with another type, and our interface with a function that it does not have.
    let export = |body: &str| wat::parse_str(format!("(component {body})")).unwrap();
    let core = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))"#;
    let wrong_type = export(&format!(r#"{core} (export "on-bars" (func $f))"#));
    assert!(matches!(refused(&wrong_type), Refused::WrongShape(_)));
    let too_much = export(&format!(
        r#"(import "marque:plugin/host@1.2.0" (instance (export "open-file" (func)))) {core} (export "assess" (func $f))"#
    ));
    assert!(matches!(refused(&too_much), Refused::WrongShape(_)));
}

#[test]
fn features_that_differ_between_machines_are_not_valid() {
    for part in [
        "(memory $shared 1 1 shared)",
        "(memory $second 1)",
        "(func $tail (return_call $tail))",
        "(tag $exception)",
        "(type $struct (struct))",
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
    ] {
        let told = std::panic::catch_unwind(|| guests::strategy(&[("extra", part)])).ok().map(|bytes| refused(&bytes));
        assert!(matches!(told, None | Some(Refused::Invalid(_))), "{part}: {told:?}");
    }
    let memory = guests::strategy(&[("extra", "")]);
    assert!(sandbox().inspect(&memory).is_ok());
}

#[test]
fn guests_that_cannot_say_what_they_are_are_refused() {
    let forever = "(loop $again (br $again)) (unreachable)";
    let began = Instant::now();
    let silent = |parts: &[guests::Part<'_>]| match refused(&guests::strategy(parts)) {
        Refused::Silent(Fault::Plugin(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(silent(&[("describe", forever)]).contains("instructions"));
    assert!(silent(&[("extra", &format!("(func $start {forever}) (start $start)"))]).contains("instructions"));
    assert!(silent(&[("describe", "unreachable")]).contains("panicked"));
    silent(&[("describe", "(i32.const 262140)")]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn descriptions_are_checked() {
    let described = |extra: &str| refused(&guests::strategy(&[("extra", extra)]));
    let is_description = |refused: Refused| assert!(matches!(refused, Refused::Description(_)), "{refused:?}");
    is_description(described(r#"(data (i32.const 1024) "Guest")"#));
    is_description(described(r#"(data (i32.const 1024) "../..")"#));
    is_description(described(r#"(data (i32.const 1040) "1.0.x")"#));
    is_description(described(r#"(data (i32.const 4) "\00")"#));
    is_description(described(r#"(data (i32.const 20) "\00")"#));
    is_description(described(r#"(data (i32.const 28) "\ff\ff\ff\ff")"#));
    let schema = described(r#"(data (i32.const 1120) "[]          ")"#);
    assert!(matches!(&schema, Refused::Schema(_)), "{schema:?}");
}

#[test]
fn a_memory_larger_than_the_limit_is_refused() {
    let module = wat::parse_str(
        r#"(component (core module $m (memory 257)) (core instance (instantiate $m))
            (core module $f (func (export "f"))) (core instance $i (instantiate $f))
            (func $f (canon lift (core func $i "f"))) (export "on-bars" (func $f)))"#,
    );
    let told = refused(&module.unwrap());
    assert!(matches!(told, Refused::Invalid(_) | Refused::WrongShape(_)), "{told:?}");
}

#[test]
fn compiling_our_plugins_takes_well_under_a_start() {
    let fresh = marque_sandbox::Sandbox::new(marque_sandbox::Limits { instances: 8, ..Default::default() }).unwrap();
    let began = Instant::now();
    for name in ["ema-cross", "daily-loss"] {
        fresh.inspect(component(name)).unwrap();
    }
    let (first, began) = (began.elapsed(), Instant::now());
    for name in ["ema-cross", "daily-loss"] {
        fresh.inspect(component(name)).unwrap();
    }
    println!("compiled in {first:?}, from the cache in {:?}", began.elapsed());
    assert!(began.elapsed() < first);
}

/// Where the last section ends that is not a custom one: names and tools of its making, which nothing needs, may be cut off.
fn needed(component: &[u8]) -> usize {
    let sections = wasmparser::Parser::new(0).parse_all(component).map(Result::unwrap);
    sections
        .filter_map(|section| section.as_section())
        .filter(|(id, _)| *id != 0)
        .map(|(_, range)| range.end)
        .max()
        .unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(sandbox().inspect(&bytes).is_err());
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend_from_slice(&bytes);
        let _ = sandbox().inspect(&component);
    }

    #[test]
    fn a_truncated_component_is_refused(cut in any::<prop::sample::Index>()) {
        let whole = guests::strategy(&[]);
        let kept = cut.index(needed(&whole));
        prop_assert!(sandbox().inspect(&whole[..kept]).is_err(), "{kept} of {} bytes", whole.len());
    }

    #[test]
    fn a_flipped_bit_is_an_answer_not_a_panic(place in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut damaged = guests::strategy(&[]);
        let place = place.index(damaged.len());
        damaged[place] ^= 1 << bit;
        // Some bits do not matter: those of names and of data.
        let _ = sandbox().inspect(&damaged);
    }
}
