//! Curves as SVG paths: pure geometry, for pages and for files.

/// Points of a path, at most: more than a screen shows.
const POINTS_MAX: usize = 600;

/// A curve in a box, with what stands at its edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The line.
    pub line: String,
    /// The area between the line and the foot (or the head, for what hangs).
    pub area: String,
    /// The least and the largest value.
    pub range: (f64, f64),
}

/// Where a curve's area ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// At the foot of the box.
    Up,
    /// At its head: a fall hangs from above.
    Down,
}

/// Draws points of time and value, in order of time, into a box. None of fewer than two points.
#[must_use]
pub fn plot(points: &[(i64, f64)], (width, height): (f64, f64), stands: Stands) -> Option<Plot> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let low = points.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    if first == last {
        return None;
    }
    let span = if high > low { high - low } else { 1.0 };
    let place = |(at, value): &(i64, f64)| {
        let x = (*at - first) as f64 / (last - first) as f64 * width;
        (x, height - (value - low) / span * height)
    };
    let placed: Vec<(f64, f64)> = thin(points).iter().map(place).collect();
    let line = path(&placed);
    let edge = if stands == Stands::Up { height } else { 0.0 };
    let area = format!("{line} L{width:.1} {edge:.1} L0.0 {edge:.1} Z");
    Some(Plot { line, area, range: (low, high) })
}

/// Fewer points that look the same: of each part the least and the largest, in order of time.
#[must_use]
pub fn thin(points: &[(i64, f64)]) -> Vec<(i64, f64)> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let part = points.len().div_ceil(POINTS_MAX / 2);
    let mut kept = Vec::with_capacity(POINTS_MAX + 2);
    kept.extend(points.first());
    for part in points.chunks(part) {
        let by_value = |a: &&(i64, f64), b: &&(i64, f64)| a.1.total_cmp(&b.1);
        let mut ends: Vec<_> = part.iter().min_by(by_value).into_iter().chain(part.iter().max_by(by_value)).collect();
        ends.sort_by_key(|(at, _)| *at);
        kept.extend(ends);
    }
    kept.extend(points.last());
    kept.dedup();
    kept
}

fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (index, (x, y)) in points.iter().enumerate() {
        text.push(if index == 0 { 'M' } else { 'L' });
        text.push_str(&format!("{x:.1} {y:.1} "));
    }
    text.truncate(text.trim_end().len());
    text
}

/// How far equity is below its highest so far, as a share, 0 or less.
#[must_use]
pub fn falls(points: &[(i64, f64)]) -> Vec<(i64, f64)> {
    let mut peak = f64::NEG_INFINITY;
    let fall = |(at, value): &(i64, f64)| {
        peak = peak.max(*value);
        (*at, if peak > 0.0 { value / peak - 1.0 } else { 0.0 })
    };
    points.iter().map(fall).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_fills_its_box() {
        let drawn = plot(&[(0, 10.0), (5, 30.0), (10, 20.0)], (100.0, 50.0), Stands::Up).unwrap();
        assert_eq!(drawn.line, "M0.0 50.0 L50.0 0.0 L100.0 25.0");
        assert_eq!(drawn.area, "M0.0 50.0 L50.0 0.0 L100.0 25.0 L100.0 50.0 L0.0 50.0 Z");
        assert_eq!(drawn.range, (10.0, 30.0));
        assert_eq!(plot(&[], (1.0, 1.0), Stands::Up), None);
        assert_eq!(plot(&[(1, 1.0)], (1.0, 1.0), Stands::Up), None);
        assert!(plot(&[(0, 1.0), (1, 1.0)], (1.0, 1.0), Stands::Down).is_some());
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_extremes() {
        let points: Vec<(i64, f64)> = (0..10_000).map(|at| (at, f64::from(i32::from(at == 4_321)))).collect();
        let kept = thin(&points);
        assert!(kept.len() <= POINTS_MAX + 2);
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        assert!(kept.contains(&(4_321, 1.0)) && kept.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn falls_are_from_the_highest_so_far() {
        assert_eq!(falls(&[(0, 10.0), (1, 20.0), (2, 15.0), (3, 20.0)]), [(0, 0.0), (1, 0.0), (2, -0.25), (3, 0.0)]);
    }
}
