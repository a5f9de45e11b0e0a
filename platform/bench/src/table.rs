//! The table that a person reads.

use crate::row::{Bound, Limit, Row};

/// Rows as aligned columns: name, median, limit, ratio, promise, verdict.
pub fn rendered(rows: &[Row]) -> String {
    let mut cells = vec![["row", "median", "limit", "ratio", "promise", ""].map(str::to_owned)];
    cells.extend(rows.iter().map(line));
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let width = |row: &[String; 6]| row.get(column).map_or(0, |cell| cell.chars().count());
        cells.iter().map(width).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in &cells {
        let padded: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            // Words to the left, figures to the right.
            .map(
                |(column, (cell, width))| {
                    if matches!(column, 1 | 3) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn line(row: &Row) -> [String; 6] {
    let shown = |limit: &Limit| {
        let side = match limit.bound {
            Bound::AtMost => "≤",
            Bound::AtLeast => "≥",
        };
        format!("{side} {}", limit.figure)
    };
    let limit = format!("{} ({})", shown(&row.limit), row.limit.source);
    let promise = row.promise.as_ref().map_or_else(String::new, shown);
    let verdict = if row.holds() { "ok" } else { "MISSED" };
    let ratio = format!("{:.2}", row.ratio());
    [row.name.clone(), row.median.to_string(), limit, ratio, promise, verdict.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Figure, Unit};

    #[test]
    fn columns_line_up() {
        let nanos = |value| Figure { value, unit: Unit::Nanos };
        let limit = |value| Limit { figure: nanos(value), bound: Bound::AtMost, source: "1.5 × raw".into() };
        let row =
            |name: &str, value, at| Row { name: name.into(), median: nanos(value), limit: limit(at), promise: None };
        let rows = [
            row("call", 150.0, 300.0),
            row("instantiate", 5_000.0, 2_000.0),
            Row { promise: Some(limit(9.0)), ..row("note", 1.0, 4.0) },
        ];
        let want = "\
row             median  limit                    ratio  promise
call         150.00 ns  ≤ 300.00 ns (1.5 × raw)   0.50             ok
instantiate    5.00 µs  ≤ 2.00 µs (1.5 × raw)     2.50             MISSED
note           1.00 ns  ≤ 4.00 ns (1.5 × raw)     0.25  ≤ 9.00 ns  ok
";
        assert_eq!(rendered(&rows), want);
    }
}
