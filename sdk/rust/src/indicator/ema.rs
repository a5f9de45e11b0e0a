//! The exponential moving average: the one indicator that is ours. The library's multiplies and adds with one rounding,
//! for which WebAssembly has no instruction, so it costs a hundred instructions a value in the sandbox.

use serde::{Deserialize, Serialize};

/// An exponential moving average with weight `2 / (period + 1)`, seeded with the first value it sees.
///
/// Floats are safe here: the sandbox canonicalises NaN and has no relaxed instructions, so an average is the same on
/// any machine. What comes of it is a decision, never an amount.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    weight: f64,
    value: Option<f64>,
}

impl Ema {
    /// Over this many values; a period below 1 counts as 1.
    #[must_use]
    pub fn new(period: u32) -> Self {
        Self { weight: 2.0 / (f64::from(period.max(1)) + 1.0), value: None }
    }

    /// Takes the next value and answers the average.
    pub fn next(&mut self, value: f64) -> f64 {
        let average = self.value.map_or(value, |old| old + self.weight * (value - old));
        self.value = Some(average);
        average
    }

    /// The average so far.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_textbook() {
        let mut ema = Ema::new(3);
        assert_eq!(ema.value(), None);
        let averages: Vec<f64> = [2.0, 4.0, 6.0, 8.0].into_iter().map(|v| ema.next(v)).collect();
        assert_eq!(averages, [2.0, 3.0, 4.5, 6.25]);
    }
}
