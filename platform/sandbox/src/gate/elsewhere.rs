//! The same plugin on another market and with other settings: what looks well in one trial, known to everybody, may be made for
//! that trial.
//!
//! The market and the settings follow from the component's digest and schema, so that every machine makes the same report.
//! Settings that the plugin refuses are its own affair, and those that it fails with are a warning: only what decides
//! differently where it must not is fatal.

use super::{
    code::Code,
    market::{self, Dice, Market},
    report::Report,
    settings,
    trial::{self, NEAR, Trial, difference, profile},
    watched::{Diary, Treatment},
};
use crate::text::clean;
use marque_domain::plugin::PluginKind;
use marque_engine::backtest::Pace;
use std::cell::Cell;

/// Settings beside the defaults that a plugin is tried with.
const SETTINGS_MAX: usize = 4;
/// Fuel of all these trials together: a few seconds of processor time.
const FUEL: u64 = 4_000_000_000;
/// Of settings in a finding, in bytes.
const SETTINGS_BYTES: usize = 300;

/// What came of a trial.
enum Outcome {
    /// It did not start with these settings.
    Refused,
    /// It decided alike in every way; how it went.
    Alike(Diary),
    /// It did until it failed.
    Failed(String),
    /// It decided differently.
    Differs(Code, String),
    /// The fuel was used up.
    Spent,
}

/// Tries what passed with its defaults once more, elsewhere.
pub(super) fn run(known: &Trial<'_>, report: &mut Report) {
    let description = &known.compiled.description;
    let seed = description.digest.0.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let market = Market::new(seed);
    let others = settings::others(&description.settings_schema, &known.settings, seed);
    let others = others.into_iter().filter(|settings| description.check_settings(settings).is_ok());
    let (mut left, mut failed, mut tried) = (FUEL, Vec::new(), 0);
    for settings in core::iter::once(known.settings.clone()).chain(others) {
        if tried > SETTINGS_MAX {
            break;
        }
        let with = if settings == known.settings {
            "On another market, with its defaults".to_owned()
        } else {
            format!("With the settings {}", clean(&settings, SETTINGS_BYTES))
        };
        let trial = Trial { shared: known.shared, compiled: known.compiled, settings, left: Cell::new(left) };
        let outcome = compared(&trial, &market, seed);
        left = trial.left.get();
        tried += usize::from(!matches!(outcome, Outcome::Refused));
        match outcome {
            Outcome::Refused => {}
            Outcome::Alike(live) => near(&trial, &live, &with, report),
            Outcome::Failed(fault) => failed.push(format!("{with}: {fault}")),
            Outcome::Differs(code, detail) => return report.find(code, format!("{with}: {detail}")),
            Outcome::Spent => {
                report.find(Code::NotAllTried, with);
                break;
            }
        }
    }
    if !failed.is_empty() {
        report.find(Code::FailsElsewhere, failed.join("\n"));
    }
}

/// Goes through the market in ways that must not make a difference.
fn compared(trial: &Trial<'_>, market: &Market, seed: u64) -> Outcome {
    let whole = market::QUOTES;
    let live = trial.go(market, whole, Pace::Steps, Treatment::Kept);
    if live.is_spent {
        return Outcome::Spent;
    }
    if live.fault.is_some() && !live.has_started {
        return Outcome::Refused;
    }
    let mut fault = fault_of(&live);
    let mut ways = Vec::new();
    match trial.compiled.description.kind {
        PluginKind::RiskRule => ways.push((Code::Impure, whole, Pace::Steps, Treatment::Renewed(1))),
        PluginKind::Strategy => {
            // In runs, whole and cut off at one of its decisions, it is handed what comes later as well.
            ways.push((Code::LookAhead, whole, Pace::Runs, Treatment::Kept));
            let place = usize::try_from(Dice(seed).next()).unwrap_or_default().checked_rem(live.decisions.len());
            if let Some(decided) = place.and_then(|place| live.decisions.get(place)) {
                ways.push((Code::LookAhead, market.known_at(decided.at), Pace::Runs, Treatment::Kept));
                ways.push((Code::StateLost, whole, Pace::Steps, Treatment::Renewed(trial::RENEW_CALLS)));
            }
        }
    }
    for (code, quotes, pace, treatment) in ways {
        let other = trial.go(market, quotes, pace, treatment);
        if other.is_spent {
            return Outcome::Spent;
        }
        fault = fault.or_else(|| fault_of(&other));
        let Some(detail) = differs(&live, &other) else { continue };
        // Whoever decides anew each time does so without any treatment.
        let again = trial.go(market, whole, Pace::Steps, Treatment::Kept);
        return match differs(&live, &again) {
            Some(detail) => Outcome::Differs(Code::Nondeterministic, detail),
            None => Outcome::Differs(code, detail),
        };
    }
    fault.map_or(Outcome::Alike(live), Outcome::Failed)
}

fn fault_of(diary: &Diary) -> Option<String> {
    diary.fault.as_ref().map(|fault| trial::told(fault, &diary.log))
}

/// What differs as far as both came before they failed or ended.
fn differs(live: &Diary, other: &Diary) -> Option<String> {
    difference(live.sound(), other.sound(), live.sound_until().min(other.until).min(other.sound_until()))
}

/// Whether a hook came near its fuel, where it did not with the defaults.
fn near(trial: &Trial<'_>, live: &Diary, with: &str, report: &mut Report) {
    if report.has(Code::FuelNear) {
        return;
    }
    if let Some(hook) = profile(live, &trial.shared.limits).into_iter().find(|hook| hook.max > hook.limit / NEAR) {
        report.find(Code::FuelNear, format!("{with}: {}: {} of {}", hook.hook, hook.max, hook.limit));
    }
}
