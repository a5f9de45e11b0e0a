//! Samples and medians.

use std::time::Instant;

/// How many samples each row takes.
#[derive(Debug, Clone, Copy)]
pub struct Samples(usize);

impl Samples {
    /// At least one.
    pub fn new(count: usize) -> Self {
        Self(count.max(1))
    }

    /// How many.
    pub const fn count(self) -> usize {
        self.0
    }

    /// How often work runs for a row: the samples and the one that warms up.
    pub const fn runs(self) -> usize {
        self.0 + 1
    }

    /// Median nanoseconds a call takes, when `work` makes `calls` of them. One run before the samples warms
    /// caches and is not counted.
    pub fn nanos_per_call(self, calls: u32, mut work: impl FnMut()) -> f64 {
        work();
        median((0..self.0).map(|_| timed(&mut work) / f64::from(calls)).collect())
    }

    /// Medians of two kinds of work that are compared: their samples take turns, so that a machine that slows
    /// down slows both.
    pub fn nanos_in_turn(self, calls: u32, mut one: impl FnMut(), mut other: impl FnMut()) -> (f64, f64) {
        one();
        other();
        let (ones, others) =
            (0..self.0).map(|_| (timed(&mut one) / f64::from(calls), timed(&mut other) / f64::from(calls))).unzip();
        (median(ones), median(others))
    }
}

fn timed(work: &mut impl FnMut()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e9
}

/// The middle value, or the mean of the two middle ones; NaN of nothing, which keeps no limit.
pub fn median(values: Vec<f64>) -> f64 {
    percentiles(values, [0.5])[0]
}

/// Values below which these parts (0 to 1) of all lie, by linear interpolation between neighbours.
pub fn percentiles<const N: usize>(mut values: Vec<f64>, parts: [f64; N]) -> [f64; N] {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    parts.map(|part| {
        let place = part.clamp(0.0, 1.0) * values.len().saturating_sub(1) as f64;
        let (low, high) = (at(place.floor() as usize), at(place.ceil() as usize));
        low + (high - low) * place.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn percentiles_lie_between_neighbours() {
        let hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentiles(hundred, [0.0, 0.5, 0.99, 1.0]), [0.0, 50.0, 99.0, 100.0]);
        assert_eq!(percentiles(vec![1.0, 2.0], [0.25]), [1.25]);
    }

    #[test]
    fn the_warm_up_is_not_counted() {
        let mut runs = 0;
        assert!(Samples::new(3).nanos_per_call(1, || runs += 1) >= 0.0);
        assert_eq!(runs, 4);
        let (mut one, mut other) = (0, 0);
        Samples::new(0).nanos_in_turn(1, || one += 1, || other += 1);
        assert_eq!((one, other), (2, 2), "no samples are one sample");
    }
}
