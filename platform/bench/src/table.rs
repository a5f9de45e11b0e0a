//! The table that a person reads.

use crate::row::{Bound, Row};

/// Rows as aligned columns: name, median, limit, ratio, verdict.
pub fn rendered(rows: &[Row]) -> String {
    let mut cells = vec![["row", "median", "limit", "ratio", ""].map(str::to_owned)];
    cells.extend(rows.iter().map(line));
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let width = |row: &[String; 5]| row.get(column).map_or(0, |cell| cell.chars().count());
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

fn line(row: &Row) -> [String; 5] {
    let limit = row.limit.as_ref().map_or_else(String::new, |limit| {
        let side = match limit.bound {
            Bound::AtMost => "≤",
            Bound::AtLeast => "≥",
        };
        format!("{side} {} ({})", limit.figure, limit.source)
    });
    let ratio = row.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let verdict = match (&row.limit, row.holds()) {
        (None, _) => "",
        (Some(_), true) => "ok",
        (Some(_), false) => "MISSED",
    };
    [row.name.clone(), row.median.to_string(), limit, ratio, verdict.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Figure, Limit, Unit};

    #[test]
    fn columns_line_up() {
        let nanos = |value| Figure { value, unit: Unit::Nanos };
        let limit = |value| Some(Limit { figure: nanos(value), bound: Bound::AtMost, source: "1.5 × raw".into() });
        let rows = [
            Row { name: "call".into(), median: nanos(150.0), limit: limit(300.0) },
            Row { name: "instantiate".into(), median: nanos(5_000.0), limit: limit(2_000.0) },
            Row { name: "note".into(), median: nanos(1.0), limit: None },
        ];
        let want = "\
row             median  limit                    ratio
call         150.00 ns  ≤ 300.00 ns (1.5 × raw)   0.50  ok
instantiate    5.00 µs  ≤ 2.00 µs (1.5 × raw)     2.50  MISSED
note           1.00 ns
";
        assert_eq!(rendered(&rows), want);
    }
}
