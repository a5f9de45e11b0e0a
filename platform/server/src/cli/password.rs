//! `marque password …`

use super::CliError;
use crate::{
    clock::Clock,
    identity::{Cost, PasswordError, PersonError},
};
use std::io::Write;

/// The least that OWASP's Password Storage Cheat Sheet asks for: 19 MiB and two passes.
const LEAST: Cost = Cost { memory_kib: 19_456, passes: 2 };
/// Memory tried, each twice the one before: what makes guessing dear on other machines is memory first.
const MEMORY_KIB: [u32; 6] = [19_456, 38_912, 77_824, 155_648, 311_296, 622_592];
const PASSES_MAX: u32 = 20;
/// Hashes that one measure is the best of: others use the machine too.
const TRIES: u32 = 3;

/// Measures what a check costs, and prints the dearest settings within the budget.
pub(super) fn calibrate(clock: &Clock, budget_ms: u32, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let mut chosen = LEAST;
    let mut took = measure(clock, chosen)?;
    for memory_kib in MEMORY_KIB {
        let cost = Cost { memory_kib, ..LEAST };
        let ms = measure(clock, cost)?;
        writeln!(out, "# {memory_kib} KiB, {} passes: {ms} ms", cost.passes)?;
        if ms > i64::from(budget_ms) {
            break;
        }
        (chosen, took) = (cost, ms);
    }
    while chosen.passes < PASSES_MAX {
        let cost = Cost { passes: chosen.passes + 1, ..chosen };
        let ms = measure(clock, cost)?;
        if ms > i64::from(budget_ms) {
            break;
        }
        (chosen, took) = (cost, ms);
    }
    if took > i64::from(budget_ms) {
        writeln!(out, "# The least that is safe takes {took} ms here, more than {budget_ms} ms.")?;
    }
    writeln!(out, "[limits]\npassword_memory_kib = {}\npassword_passes = {}", chosen.memory_kib, chosen.passes)?;
    Ok(())
}

/// The milliseconds of one hash.
fn measure(clock: &Clock, cost: Cost) -> Result<i64, CliError> {
    let mut best = i64::MAX;
    for _ in 0..TRIES {
        let began = clock.now();
        cost.hash(b"as long as people's").map_err(|error: PasswordError| PersonError::from(error))?;
        best = best.min(clock.now().since(began));
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_are_settings_that_can_be_used() {
        let mut out = Vec::new();
        calibrate(&Clock::system(), 10, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let config = crate::testing::config(&text);
        assert!(config.limits.password_memory_kib >= 19_456 && config.limits.password_passes >= 2, "{text}");
    }
}
