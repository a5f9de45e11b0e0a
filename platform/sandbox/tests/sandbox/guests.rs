//! Guests written by hand in WebAssembly text: a harmless one of each kind, of which a test replaces one part.
//!
//! They speak the canonical ABI directly, so they can do what no guest of the SDK can: lie about lengths, point outside
//! their memory, answer values that do not exist.

use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// A part of a guest that a test replaces.
pub type Part<'a> = (&'a str, &'a str);

/// Little-endian words as a WebAssembly string.
fn words(words: &[u32]) -> String {
    words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}

const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{}}"#;

/// What both kinds share: memory, an allocator that starts over when its 64 KiB are used up, and strings.
const COMMON: &str = r#"
    (import "marque:plugin/host@1.2.0" "log" (func $log (param i32 i32 i32)))
    (import "marque:plugin/host@1.2.0" "random" (func $random (result i64)))
    (memory (export "memory") 4)
    (table $table 1 funcref)
    (global $free (mut i32) (i32.const 65536))
    (global $calls (mut i32) (i32.const 0))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (if (i32.gt_u (i32.add (global.get $free) (local.get 3)) (i32.const 131072))
            (then (global.set $free (i32.const 65536))))
        (local.set $at (global.get $free))
        (global.set $free (i32.and (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 7)) (i32.const -8)))
        (local.get $at))
    (func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))
    (data (i32.const 1024) "guest")
    (data (i32.const 1040) "1.0.0")
    (data (i32.const 1056) "A guest of the tests.")
"#;

fn data(at: usize, content: &str) -> String {
    format!("(data (i32.const {at}) \"{}\")\n", content.replace('"', "\\\""))
}

fn fill(template: &str, defaults: &[Part<'_>], parts: &[Part<'_>]) -> String {
    for (name, _) in parts {
        assert!(defaults.iter().any(|(known, _)| known == name), "no part is called {name}");
    }
    defaults.iter().fold(template.to_owned(), |text, (name, body)| {
        let body = parts.iter().find(|(replaced, _)| replaced == name).map_or(*body, |(_, body)| body);
        text.replace(&format!("<{name}>"), body)
    })
}

fn encode(wat: &str, world: &str) -> Vec<u8> {
    encode_for(wat, world, "../../sdk/wit")
}

/// A guest as it was built when the contract was `1.0` or `1.1`: the frozen files are in `contract-1.0` and `contract-1.1`.
pub fn old_rule(version: &str, parts: &[Part<'_>]) -> Vec<u8> {
    encode_as(version, &rule_text(parts), "risk-rule")
}

/// As [`old_rule`], with one more import.
pub fn old_rule_with(version: &str, import: &str, parts: &[Part<'_>]) -> Vec<u8> {
    encode_as(version, &with_import(&rule_text(parts), import), "risk-rule")
}

/// As [`old_rule`].
pub fn old_strategy(version: &str, parts: &[Part<'_>]) -> Vec<u8> {
    encode_as(version, &strategy_text(parts), "strategy")
}

fn encode_as(version: &str, text: &str, world: &str) -> Vec<u8> {
    encode_for(&text.replace("@1.2.0", &format!("@{version}.0")), world, &format!("tests/contract-{version}"))
}

fn encode_for(wat: &str, world: &str, contract: &str) -> Vec<u8> {
    let module = wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}\n{wat}"));
    try_encode(module, world, contract).unwrap()
}

/// A core module as a component of the newest contract, if it fits.
pub fn component_of(module: Vec<u8>, world: &str) -> Option<Vec<u8>> {
    try_encode(module, world, "../../sdk/wit")
}

/// The core module of a harmless strategy.
pub fn strategy_module() -> Vec<u8> {
    wat::parse_str(strategy_text(&[])).unwrap()
}

/// The core module of a harmless rule.
pub fn rule_module() -> Vec<u8> {
    wat::parse_str(rule_text(&[])).unwrap()
}

fn try_encode(mut module: Vec<u8>, world: &str, contract: &str) -> Option<Vec<u8>> {
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join(contract);
    let (package, _) = resolve.push_dir(contract).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).ok()?.encode().ok()
}

/// A strategy that takes every hook, consumes each run whole and does nothing.
pub fn strategy(parts: &[Part<'_>]) -> Vec<u8> {
    encode(&strategy_text(parts), "strategy")
}

fn strategy_text(parts: &[Part<'_>]) -> String {
    let defaults = [
        ("extra", ""),
        ("describe", "(i32.const 0)"),
        ("init", "(i32.const 64)"),
        ("on-history", ""),
        ("on-bars", "(i32.store (i32.const 96) (local.get 0)) (i32.const 96)"),
        ("on-ticks", "(i32.store (i32.const 96) (local.get 0)) (i32.const 96)"),
        ("on-order-update", "(i32.const 0)"),
        ("on-timer", "(i32.const 0)"),
        ("take-actions", "(i32.const 112)"),
        ("snapshot", "(i32.const 112)"),
    ];
    let description =
        words(&[1_024, 5, 1_040, 5, 1_056, 21, 0x0101_0101, 0, 1_120, u32::try_from(SCHEMA.len()).unwrap()]);
    let template = format!(
        r#"(module {COMMON} {schema}
        (data (i32.const 0) "{description}")
        (data (i32.const 64) "{hooks}")
        <extra>
        (func (export "describe") (result i32) <describe>)
        (func (export "init")
            (param i32 i32 i32 i32 i64 i64 i64 i64 i64 i32 i32 i64 i32 i32 i32) (result i32) <init>)
        (func (export "on-history") (param i32 i32 i32) <on-history>)
        (func (export "on-bars") (param i32 i32 i32) (result i32) <on-bars>)
        (func (export "on-ticks") (param i32 i32 i32) (result i32) <on-ticks>)
        (func (export "on-order-update") (param i64 i32 i64 i64 i64 i64 i64) (result i32) <on-order-update>)
        (func (export "on-timer") (param i64) (result i32) <on-timer>)
        (func (export "take-actions") (result i32) <take-actions>)
        (func (export "snapshot") (result i32) <snapshot>))"#,
        schema = data(1_120, SCHEMA),
        hooks = words(&[0, 0x0101_0101, 0]),
    );
    fill(&template, &defaults, parts)
}

/// A strategy that uses orders of every kind, and otherwise does as [`strategy`].
pub fn order_strategy(event: &str, wishes: &str, parts: &[Part<'_>]) -> Vec<u8> {
    let hooks = format!(
        r#"(func (export "on-order-event") (param i32) (result i32) {event})
        (func (export "take-wishes") (result i32) {wishes})"#
    );
    let text = strategy_text(parts);
    let end = text.rfind(')').unwrap();
    encode(&format!("{}{hooks})", &text[..end]), "order-strategy")
}

/// A rule that allows every order and finds every account well.
pub fn rule(parts: &[Part<'_>]) -> Vec<u8> {
    encode(&rule_text(parts), "risk-rule")
}

/// As [`rule`], with one more import.
pub fn rule_with(import: &str, parts: &[Part<'_>]) -> Vec<u8> {
    encode(&with_import(&rule_text(parts), import), "risk-rule")
}

fn with_import(text: &str, import: &str) -> String {
    text.replacen("(module ", &format!("(module {import} "), 1)
}

fn rule_text(parts: &[Part<'_>]) -> String {
    let defaults = [
        ("extra", ""),
        ("describe", "(i32.const 0)"),
        ("init", "(i32.const 64)"),
        ("check", "(i32.const 128)"),
        ("assess", "(i32.const 192)"),
    ];
    let description = words(&[1_024, 5, 1_040, 5, 1_056, 21, 1_120, u32::try_from(SCHEMA.len()).unwrap()]);
    let template = format!(
        r#"(module {COMMON} {schema}
        (data (i32.const 0) "{description}")
        <extra>
        (func (export "describe") (result i32) <describe>)
        (func (export "init") (param i32 i32) (result i32) <init>)
        (func (export "check") (param i32) (result i32) <check>)
        (func (export "assess")
            (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i32) (result i32) <assess>))"#,
        schema = data(1_120, SCHEMA),
    );
    fill(&template, &defaults, parts)
}
