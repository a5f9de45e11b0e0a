//! How figures grow with accounts, deployments and instruments: a table and a plot, kept beside the bench.
//!
//! Written only when `XTASK_GROWTH` names a folder (`cargo xtask bench --keep`), with the machine and the day on them: a
//! growth is a shape, and its numbers belong to the machine they were measured on.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result};
use marque_domain::time::Millis;

use crate::row::{Figure, Unit};

/// A figure at several sizes.
pub struct Series {
    /// What it is.
    pub name: &'static str,
    /// Size and figure.
    pub points: Vec<(f64, f64)>,
}

/// Figures that grow with one thing.
pub struct Growth {
    /// What grows, and the name of the files.
    pub name: &'static str,
    /// What is measured.
    pub title: &'static str,
    /// On which market or database.
    pub market: &'static str,
    /// Of the figures.
    pub unit: Unit,
    /// Each with the same sizes.
    pub series: Vec<Series>,
}

/// The plot's area in the picture, in pixels: left, top, width, height.
const AREA: [f64; 4] = [90.0, 50.0, 520.0, 300.0];
/// Line colours that tell apart in grey as well, by order of the series.
const COLOURS: [&str; 5] = ["#1f5fa8", "#8a4fa3", "#c0562a", "#2e7d4f", "#7a7a7a"];

impl Growth {
    /// Writes the table and the plot, when a folder is named for them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self) -> Result<()> {
        let Some(folder) = std::env::var_os("XTASK_GROWTH").map(PathBuf::from) else { return Ok(()) };
        let measured = format!("{}, {}", machine(), today());
        for (kind, text) in [("md", self.table(&measured)), ("svg", self.plot(&measured))] {
            let path = folder.join(format!("{}.{kind}", self.name));
            fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }

    fn table(&self, measured: &str) -> String {
        let heads: Vec<&str> = self.series.iter().map(|s| s.name).collect();
        let mut text = format!(
            "# {} by {}\n\n{}. Measured on {measured}, by `cargo xtask bench --keep`.\n\n| {} | {} |\n|---:|{}\n",
            self.title,
            self.name,
            self.market,
            self.name,
            heads.join(" | "),
            "---:|".repeat(heads.len())
        );
        let sizes = self.series.first().map_or(&[][..], |s| &s.points);
        for (row, (size, _)) in sizes.iter().enumerate() {
            let figure = |s: &Series| {
                let value = s.points.get(row).map_or(f64::NAN, |(_, value)| *value);
                Figure { value, unit: self.unit }.to_string()
            };
            let cells: Vec<String> = self.series.iter().map(figure).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {size} | {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n![{} by {}]({}.svg)", self.title, self.name, self.name);
        text
    }

    /// Both axes logarithmic: a straight slope is a power, a flat line is no growth.
    fn plot(&self, measured: &str) -> String {
        let points = || self.series.iter().flat_map(|s| &s.points);
        let (across, up) = (Axis::over(points().map(|p| p.0)), Axis::over(points().map(|p| p.1)));
        let [left, top, width, height] = AREA;
        let at = |size: f64, value: f64| (left + width * across.place(size), top + height * (1.0 - up.place(value)));
        let mut body = String::new();
        for power in across.powers() {
            let (x, _) = at(power, up.low);
            let (from, to) = (top, top + height);
            let label = Figure { value: power, unit: Unit::Ratio }.value;
            let _ = write!(
                body,
                "<path d=\"M{x:.1} {from}V{to}\" class=\"grid\"/><text x=\"{x:.1}\" y=\"{:.1}\" class=\"across\">{label}</text>",
                to + 20.0
            );
        }
        for power in up.powers() {
            let (_, y) = at(across.low, power);
            let label = Figure { value: power, unit: self.unit };
            let _ = write!(
                body,
                "<path d=\"M{left} {y:.1}H{}\" class=\"grid\"/><text x=\"{:.1}\" y=\"{:.1}\" class=\"up\">{label}</text>",
                left + width,
                left - 8.0,
                y + 4.0
            );
        }
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line: Vec<String> = series
                .points
                .iter()
                .map(|(size, value)| at(*size, *value))
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let last = series.points.last().map_or((left, top), |(size, value)| at(*size, *value));
            let _ = write!(
                body,
                "<polyline points=\"{}\" stroke=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                line.join(" "),
                last.0 + 8.0,
                last.1 + 4.0,
                series.name
            );
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 420\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\
             <title>{} by {}</title><style>.grid{{stroke:#ddd}}polyline{{fill:none;stroke-width:2}}.across{{text-anchor:middle}}.up{{text-anchor:end}}</style>\
             <rect width=\"720\" height=\"420\" fill=\"#fff\"/><text x=\"{left}\" y=\"28\" font-size=\"16\">{} by {}</text>{body}\
             <text x=\"{left}\" y=\"405\" fill=\"#666\">{}; {measured}</text></svg>\n",
            self.title, self.name, self.title, self.name, self.market
        )
    }
}

/// Whole powers of ten around some figures.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), v| (low.min(v), high.max(v)));
        Self { low: 10_f64.powf(low.log10().floor()), high: 10_f64.powf(high.log10().ceil()) }
    }

    fn place(&self, value: f64) -> f64 {
        (value / self.low).log10() / (self.high / self.low).log10().max(1.0)
    }

    fn powers(&self) -> impl Iterator<Item = f64> + use<> {
        let high = self.high * 1.01;
        std::iter::successors(Some(self.low), |power| Some(power * 10.0)).take_while(move |power| *power <= high)
    }
}

/// The processor, how many there are, and the memory.
fn machine() -> String {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':'));
        found.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0) >> 20;
    format!("{cores} × {}, {memory} GiB", line("/proc/cpuinfo", "model name"))
}

fn today() -> String {
    #[expect(clippy::disallowed_methods, reason = "a figure is kept with the day on which it was measured")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let day = Millis(i64::try_from(now.as_millis()).unwrap_or(0)).to_rfc3339();
    day.get(..10).unwrap_or(&day).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_a_plot_show_every_point() {
        let growth = Growth {
            name: "accounts",
            title: "A quote",
            market: "a market",
            unit: Unit::Nanos,
            series: vec![
                Series { name: "mean", points: vec![(1_000.0, 250.0), (1_000_000.0, 500.0)] },
                Series { name: "scan", points: vec![(1_000.0, 900.0), (1_000_000.0, 900_000.0)] },
            ],
        };
        let table = growth.table("a machine, a day");
        assert!(table.contains("| 1000 | 250.00 ns | 900.00 ns |"), "{table}");
        assert!(table.contains("| 1000000 | 500.00 ns | 900.00 µs |"), "{table}");
        let plot = growth.plot("a machine, a day");
        assert_eq!(plot.matches("<polyline").count(), 2);
        // The smallest size is at the left edge, the largest at the right.
        assert!(plot.contains("points=\"90.0,") && plot.contains(" 610.0,"), "{plot}");
    }
}
