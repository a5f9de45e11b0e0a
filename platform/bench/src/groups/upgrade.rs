//! How long a desk waits while a strategy is upgraded: state out of one instance and into another, in the shard.

use anyhow::{Context as _, Result, anyhow, ensure};
use marque_domain::{bar::Quote, fixed::Price, id::InstrumentId, plugin::PluginRef, tenant::Quotas};
use marque_engine::{Command, Effects, Event, Shard};

use crate::{
    fixture::{self, EMA_SETTINGS, EmaCross, START},
    population::NoPast,
    raw::Raw,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::Samples,
};

/// Upgrades in a sample.
const UPGRADES: u32 = 200;
/// An upgrade is an instance that begins, and two states that are said; settings are checked besides.
const FACTOR: f64 = 2.0;

/// An upgrade of a running strategy between two events, against what wasmtime takes to instantiate it and to call its init.
///
/// # Errors
/// When a plugin is missing or an upgrade is refused.
pub fn pause(samples: Samples) -> Result<Row> {
    let ema = EmaCross::load(4)?;
    let raw = Raw::load(&fixture::component("ema-cross")?, 4)?;
    let mut shard = running(&ema)?;
    // The same code twice: for the shard other settings are another release, and a blank more is the same settings.
    let first = &ema.deployment().plugin;
    let second = PluginRef { settings: format!("{EMA_SETTINGS} "), ..first.clone() };
    let (deployment, mut effects) = (ema.deployment().id, Effects::default());
    let (mut refused, mut failed, mut turn) = (0_u32, 0_u32, 0_u32);
    let (ours, theirs) = samples.nanos_in_turn(
        UPGRADES,
        || {
            for _ in 0..UPGRADES {
                turn += 1;
                let to = if turn.is_multiple_of(2) { first.clone() } else { second.clone() };
                let upgrade = Event::Command(Command::Upgrade { deployment, to });
                refused += u32::from(shard.step(START, upgrade, &mut effects).is_err());
                effects.clear();
            }
        },
        || (0..UPGRADES).for_each(|_| failed += u32::from(raw.start().is_err())),
    );
    ensure!(refused + failed == 0, "upgrade: {refused} were refused and {failed} starts failed");
    let figure = Figure { value: theirs * FACTOR, unit: Unit::Nanos };
    let limit =
        Limit { figure, bound: Bound::AtMost, source: format!("{FACTOR} × raw wasmtime instantiate and init") };
    let median = Figure { value: ours, unit: Unit::Nanos };
    Ok(Row { name: "upgrade pause, state carried over".to_owned(), median, limit, promise: None })
}

/// A shard with the strategy running on an account.
fn running(ema: &EmaCross) -> Result<Shard> {
    let mut shard = Shard::new(&[fixture::instrument()?], ema.host(), Box::new(NoPast));
    let (bid, ask): (Price, Price) = ("1.38".parse()?, "1.3801".parse()?);
    let quote = Quote { instrument: InstrumentId(1), at: START, bid, ask };
    let mut effects = Effects::default();
    for event in [
        Event::Quote(quote, Vec::new()),
        Event::Command(Command::OpenAccount(fixture::terms(Vec::new()))),
        Event::Command(Command::Deploy(ema.deployment().clone(), Quotas::default())),
    ] {
        shard.step(START, event, &mut effects).map_err(|refusal| anyhow!(refusal)).context("a running strategy")?;
    }
    Ok(shard)
}
