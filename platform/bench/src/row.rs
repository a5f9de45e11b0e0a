//! A measured row and the limit it must keep.

use std::fmt;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds a call.
    Nanos,
    /// Events a second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// A plain quotient.
    Ratio,
}

/// A figure with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

/// The side of the limit on which a row must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Not above: times and sizes.
    AtMost,
    /// Not below: rates.
    AtLeast,
}

/// A limit: a promise (a plain number) or a multiple of something measured in the same run.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The figure.
    pub figure: Figure,
    /// On which side to stay.
    pub bound: Bound,
    /// What it is, such as "1.5 × raw typed call".
    pub source: String,
}

impl Limit {
    /// A figure as a part of the limit.
    fn ratio(&self, figure: Figure) -> f64 {
        figure.value / self.figure.value
    }

    /// Whether a figure stays on its side.
    fn holds(&self, figure: Figure) -> bool {
        match self.bound {
            Bound::AtMost => self.ratio(figure) <= 1.0,
            Bound::AtLeast => self.ratio(figure) >= 1.0,
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The median of the samples.
    pub median: Figure,
    /// What it must keep: a multiple of something measured in the same run.
    pub limit: Limit,
    /// A plain number that it must keep as well, on any machine it is promised for.
    pub promise: Option<Limit>,
}

impl Row {
    /// Measured by limit: at most 1 is well for times and sizes, at least 1 for rates.
    pub fn ratio(&self) -> f64 {
        self.limit.ratio(self.median)
    }

    /// Whether it keeps its limit, and its promise.
    pub fn holds(&self) -> bool {
        core::iter::once(&self.limit).chain(&self.promise).all(|limit| limit.holds(self.median))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.unit {
            Unit::Nanos => scaled(self.value, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")]),
            Unit::PerSecond => scaled(self.value, &[(1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")]),
            Unit::Bytes => scaled(self.value, &[(1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")]),
            Unit::Ratio => (self.value, "×"),
        };
        f.pad(&format!("{value:.2} {unit}"))
    }
}

/// The value in the largest unit of which it has at least one.
fn scaled(value: f64, units: &[(f64, &'static str)]) -> (f64, &'static str) {
    let fitting = units.iter().find(|(size, _)| value >= *size).or(units.last());
    fitting.map_or((value, ""), |(size, unit)| (value / size, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_in_their_largest_unit() {
        let table = [
            (170.4, Unit::Nanos, "170.40 ns"),
            (5_500.0, Unit::Nanos, "5.50 µs"),
            (0.5, Unit::Nanos, "0.50 ns"),
            (2_100_000.0, Unit::PerSecond, "2.10 M/s"),
            (40_960.0, Unit::Bytes, "40.00 KiB"),
            (1.25, Unit::Ratio, "1.25 ×"),
        ];
        for (value, unit, want) in table {
            assert_eq!(Figure { value, unit }.to_string(), want);
        }
    }

    #[test]
    fn a_row_holds_on_its_side_of_the_limit() {
        let table = [
            (Bound::AtMost, 1.0, true),
            (Bound::AtMost, 1.01, false),
            (Bound::AtLeast, 1.0, true),
            (Bound::AtLeast, 0.99, false),
            (Bound::AtMost, f64::NAN, false),
            (Bound::AtLeast, f64::NAN, false),
        ];
        for (bound, value, holds) in table {
            let figure = |value| Figure { value, unit: Unit::Ratio };
            let limit = |at| Limit { figure: figure(at), bound, source: String::new() };
            let row = |limit, promise| Row { name: String::new(), median: figure(value), limit, promise };
            assert_eq!(row(limit(1.0), None).holds(), holds, "{bound:?} {value}");
            let within = if bound == Bound::AtMost { 9.0 } else { 0.1 };
            assert_eq!(row(limit(within), Some(limit(1.0))).holds(), holds, "a promise of {bound:?} {value}");
        }
    }
}
