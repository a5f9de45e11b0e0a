//! A plugin as large as one asks for: a shipped one, and beside it a module of real code that nothing calls. The gate
//! validates, measures and compiles all of it all the same.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

/// The section of a component that holds a core module.
const CORE_MODULE_SECTION: u8 = 1;
/// Rounds of arithmetic in a function.
const ROUNDS: u64 = 12;

/// The component with a module more, which makes it `bytes` long or a function longer.
///
/// # Errors
/// When it is that large already.
pub fn component(of: &[u8], bytes: usize) -> Result<Vec<u8>> {
    let missing = bytes.saturating_sub(of.len());
    ensure!(missing > 0, "the plugin has {} bytes already", of.len());
    // What one function takes is found by making some.
    let few = module(100)?.len();
    let module = module((missing * 100).div_ceil(few).max(1) as u64)?;
    let mut whole = of.to_vec();
    whole.push(CORE_MODULE_SECTION);
    leb128(module.len(), &mut whole);
    whole.extend(module);
    Ok(whole)
}

/// A module of so many functions: loops over arithmetic with constants of their own, loads and stores.
fn module(functions: u64) -> Result<Vec<u8>> {
    let mut text = String::from("(module (memory 1)\n");
    let mut constant = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..functions {
        text.push_str("(func (param i64 i32) (result i64) (local i64) (loop $again\n");
        for round in 0..ROUNDS {
            constant = constant.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "(local.set 2 (i64.xor (i64.mul (local.get 0) (i64.const {})) (i64.load offset={} (local.get 1))))
                 (i64.store offset={} (local.get 1) (local.get 2)) (local.set 0 (i64.rotl (local.get 2) (i64.const {})))\n",
                constant >> 34,
                round * 8,
                round * 16,
                constant % 63
            );
        }
        text.push_str(
            "(local.set 1 (i32.add (local.get 1) (i32.const 8)))
             (br_if $again (i32.lt_u (local.get 1) (i32.const 4096)))) (local.get 0))\n",
        );
    }
    text.push(')');
    Ok(wat::parse_str(&text)?)
}

/// A length as WebAssembly writes it.
fn leb128(mut value: usize, into: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(value & 0x7F).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            return into.push(low);
        }
        into.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_sevens_of_bits() {
        for (value, want) in [(0, vec![0]), (127, vec![127]), (128, vec![0x80, 1]), (300, vec![0xAC, 2])] {
            let mut out = Vec::new();
            leb128(value, &mut out);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn a_component_grows_to_the_size_that_was_asked_for() {
        let empty = wat::parse_str("(component)").unwrap();
        let grown = component(&empty, 64 << 10).unwrap();
        assert!((64 << 10..66 << 10).contains(&grown.len()), "{}", grown.len());
        assert!(component(&grown, 100).is_err());
    }
}
