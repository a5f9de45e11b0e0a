//! How long the gate takes for a plugin of one mebibyte, from its bytes to the report.

use std::time::Instant;

use anyhow::{Result, ensure};
use marque_sandbox::{Limits, gate};

use crate::{
    fixture, large, raw,
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
};

/// The component's size.
const BYTES: usize = 1 << 20;
/// Samples at most: each is a second or more.
const SAMPLES: usize = 5;
/// The gate may take half as much again as wasmtime takes to compile the component, and the gate for the small plugin that
/// is in it: hashing, validation and what it counts are for nothing beside the compiler.
const FACTOR: f64 = 1.5;
/// What an author waits for a mebibyte, in nanoseconds: the server ends a gate after a minute.
const PROMISE: f64 = 10e9;

/// Measures the group.
///
/// # Errors
/// When a plugin is missing or the gate refuses it.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let (limits, small) = (Limits::default(), fixture::component("ema-cross")?);
    let big = large::component(&small, BYTES)?;
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..=samples.count().min(SAMPLES) {
        ours.push(judged(&big, &limits)?);
        let began = Instant::now();
        raw::compile(&big)?;
        least.push(began.elapsed().as_secs_f64() * 1e9 + judged(&small, &limits)?);
    }
    let [ours, least] = [ours, least].map(|mut warm| median(warm.split_off(1)));
    let figure = |value| Figure { value, unit: Unit::Nanos };
    let source = format!("{FACTOR} × (raw wasmtime compile + gate of its {} KiB)", small.len() >> 10);
    Ok(vec![Row {
        name: format!("gate, a component of {} KiB", big.len() >> 10),
        median: figure(ours),
        limit: Limit { figure: figure(least * FACTOR), bound: Bound::AtMost, source },
        promise: Some(Limit { figure: figure(PROMISE), bound: Bound::AtMost, source: "promise".to_owned() }),
    }])
}

/// Nanoseconds until an accepted component has its report.
fn judged(component: &[u8], limits: &Limits) -> Result<f64> {
    let began = Instant::now();
    let report = gate::judge(component, limits)?;
    let taken = began.elapsed().as_secs_f64() * 1e9;
    ensure!(report.accepted, "the gate refuses what it should accept: {:?}", report.findings);
    Ok(taken)
}
