//! What an account is worth: its figures, its curve, and how far a breach is.

use super::{
    Fragment,
    component::words,
    figure::{Figure, When, count},
    live::plotted,
};
use core::fmt::Write as _;
use marque_domain::{
    account::EquityPoint,
    fixed::{Money, round_div},
    instrument::Currency,
};
use serde::Serialize;

/// How close a breach is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DistanceLevel {
    /// More than half of the room is left.
    Far,
    /// Less than half.
    Near,
    /// Less than a fifth, or breached.
    Close,
}

/// How far equity is from the level at which a rule breaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Distance {
    /// How much equity may still be lost.
    pub left: Figure,
    /// The level.
    pub floor: Figure,
    /// The part of the room that is left, 0 to 100.
    pub percent: u8,
    /// How close it is.
    pub level: DistanceLevel,
    /// How close it is, in words.
    pub words: &'static str,
    /// The rule whose level is nearest.
    pub rule: String,
    /// When the rule's day begins anew.
    pub resets_at: Option<When>,
}

impl Distance {
    /// The distance from `equity` to `floor`, of the room that there was at `reference` (what the account was
    /// worth when the rule's day began).
    #[must_use]
    pub fn of(equity: Money, floor: Money, reference: Money, currency: Currency, rule: &str) -> Self {
        let left = equity.saturating_sub(floor).max(Money::ZERO);
        let room = reference.saturating_sub(floor).max(left);
        let share = round_div(i128::from(left.units()) * 100, i128::from(room.units())).unwrap_or(0);
        let percent = u8::try_from(share.clamp(0, 100)).unwrap_or(0);
        let (level, distance) = match percent {
            51.. => (DistanceLevel::Far, "Plenty of room"),
            20..=50 => (DistanceLevel::Near, "Over half of the room is used"),
            _ if left.is_zero() => (DistanceLevel::Close, "The limit is reached"),
            _ => (DistanceLevel::Close, "Very close to the limit"),
        };
        Self {
            left: Figure::money(left, currency),
            floor: Figure::money(floor, currency),
            percent,
            level,
            words: distance,
            rule: words(rule),
            resets_at: None,
        }
    }
}

/// What an account is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Balance plus floating profit.
    pub equity: Figure,
    /// Closed balance.
    pub balance: Figure,
    /// What open positions would bring.
    pub floating: Figure,
    /// Equity against the beginning of the day.
    pub day: Figure,
    /// The same in percent.
    pub day_percent: Option<Figure>,
    /// How far a breach is; none without a rule that has a level.
    pub distance: Option<Distance>,
    /// Market time of these figures.
    pub at: When,
}

impl Fragment for Stats {
    const TEMPLATE: &'static str = "parts/stats";
}

/// An equity curve, drawn by the server so that it is there before scripts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Curve {
    /// The line as an SVG path in a box of 600 by 200.
    pub line: String,
    /// The same, closed at the bottom.
    pub area: String,
    /// The points as JSON pairs of milliseconds and equity, for the live chart.
    pub points: String,
    /// The curve in words.
    pub label: String,
}

impl Curve {
    /// The curve through at least two points, oldest first; none for fewer.
    #[must_use]
    pub fn of(points: &[EquityPoint], currency: Currency) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let worths = || points.iter().map(|point| plotted(point.equity));
        let (low, high) = worths().fold((f64::MAX, f64::MIN), |(low, high), worth| (low.min(worth), high.max(worth)));
        if points.len() < 2 {
            return None;
        }
        let span_ms = last.at.since(first.at).max(1);
        let height = (high - low).max(0.01);
        let (mut line, mut pairs) = (String::new(), String::from("["));
        for (index, point) in points.iter().enumerate() {
            // A share of 600 with one digit: more cannot be seen.
            let x = round_div(i128::from(point.at.since(first.at)) * 6_000, i128::from(span_ms)).unwrap_or(0);
            let y = 192.0 - (plotted(point.equity) - low) / height * 184.0;
            // Writing to a String cannot fail.
            let _ = write!(line, "{}{}.{} {y:.1}", if index == 0 { "M" } else { "L" }, x / 10, x % 10);
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(pairs, "{comma}[{},{:.2}]", point.at.0, plotted(point.equity));
        }
        pairs.push(']');
        let change = Figure::change(last.equity.saturating_sub(first.equity), currency).text();
        let label = format!(
            "Equity from {} to {}, {change}, over {}",
            Figure::money(first.equity, currency).text(),
            Figure::money(last.equity, currency).text(),
            count(points.len(), "point", "points"),
        );
        Some(Self { area: format!("{line}L600 200L0 200Z"), line, points: pairs, label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{id::AccountId, time::Millis};
    use proptest::prelude::*;

    fn distance(equity: i64, floor: i64, reference: i64) -> Distance {
        let whole = Money::whole;
        Distance::of(whole(equity), whole(floor), whole(reference), Currency::USD, "daily-loss")
    }

    #[test]
    fn the_distance_is_a_share_of_the_days_room() {
        for (equity, percent, level) in [
            (100_000, 100, DistanceLevel::Far),
            (101_000, 100, DistanceLevel::Far),
            (97_500, 50, DistanceLevel::Near),
            (95_900, 18, DistanceLevel::Close),
            (95_000, 0, DistanceLevel::Close),
            (90_000, 0, DistanceLevel::Close),
        ] {
            let shown = distance(equity, 95_000, 100_000);
            assert_eq!((shown.percent, shown.level), (percent, level), "{equity}");
        }
        assert_eq!(distance(90_000, 95_000, 100_000).left.text(), "0.00 USD");
        assert_eq!(distance(95_000, 95_000, 95_000).percent, 0);
    }

    proptest! {
        #[test]
        fn any_curve_stays_in_its_box(steps in prop::collection::vec((0..100_000_i64, any::<i64>()), 0..40)) {
            let mut at = 0;
            let points: Vec<_> = steps.iter().map(|(gap, units)| {
                at += gap;
                let money = Money::from_units(*units);
                EquityPoint { account: AccountId(1), at: Millis(at), balance: money, equity: money }
            }).collect();
            let curve = Curve::of(&points, Currency::USD);
            prop_assert_eq!(curve.is_some(), points.len() > 1);
            for pair in curve.iter().flat_map(|c| c.line.split(['M', 'L'])).filter(|pair| !pair.is_empty()) {
                let (x, y) = pair.split_once(' ').unwrap();
                prop_assert!((0.0..=600.0).contains(&x.parse::<f64>().unwrap()), "{}", pair);
                prop_assert!((0.0..=200.0).contains(&y.parse::<f64>().unwrap()), "{}", pair);
            }
        }
    }
}
