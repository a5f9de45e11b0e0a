//! What the live stream of an account says.

use super::{Fragment, figure::Figure};
use marque_domain::{account::EquityPoint, fixed::Money};
use serde::Serialize;

/// `event: equity`. One more point of the equity curve. The numbers are for drawing and lose what a double
/// loses; figures to read come as patches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EquityEvent {
    /// Market time in milliseconds.
    pub at: i64,
    /// Balance plus floating profit.
    pub equity: f64,
    /// Closed balance.
    pub balance: f64,
    /// The equity at which a rule breaches.
    pub floor: Option<f64>,
}

impl EquityEvent {
    /// The event's name.
    pub const NAME: &'static str = "equity";

    /// The event for a point.
    #[must_use]
    pub fn of(point: &EquityPoint, floor: Option<Money>) -> Self {
        Self {
            at: point.at.0,
            equity: plotted(point.equity),
            balance: plotted(point.balance),
            floor: floor.map(plotted),
        }
    }
}

/// Money as a coordinate.
pub(super) fn plotted(amount: Money) -> f64 {
    // Figure rounds to cents, and cents of any account fit a double exactly.
    let figure = Figure::money(amount, marque_domain::instrument::Currency::USD);
    let digits: String = figure.digits.chars().filter(|c| *c != ',').collect();
    let magnitude = digits.parse::<f64>().unwrap_or(0.0);
    if figure.sign.is_empty() { magnitude } else { -magnitude }
}

/// Where the HTML of a patch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// In place of all that the target holds.
    Replace,
    /// In place of the child with the same `id`; first in the target when there is none. The target keeps at
    /// most as many children as its `data-live-max` says.
    Upsert,
}

/// `event: patch`. HTML for a part of the page: the element whose `data-live` is `target`.
///
/// | target | fragment | placement |
/// |---|---|---|
/// | `stats` | [`super::Stats`] | replace |
/// | `largest` | [`super::LargestOrder`] | replace |
/// | `positions` | [`super::PositionRow`]s | replace, with [`PatchEvent::rows`] |
/// | `deployments` | [`super::DeploymentRow`]s | replace |
/// | `working` | [`super::OrderRow`]s | replace, with [`PatchEvent::rows`] |
/// | `orders` | [`super::OrderRow`] | upsert |
/// | `decisions` | [`super::DecisionRow`] | upsert |
/// | `trades` | [`super::TradeRow`] | upsert |
///
/// A target whose list becomes empty is replaced by nothing; the page then shows the empty state beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatchEvent {
    /// Which part.
    pub target: &'static str,
    /// How the HTML is placed.
    pub placement: Placement,
    /// What [`crate::theme::Themes::fragment`] rendered.
    pub html: String,
}

impl PatchEvent {
    /// The event's name.
    pub const NAME: &'static str = "patch";

    /// One part, in place of what was there.
    ///
    /// # Errors
    /// As [`crate::theme::Themes::fragment`].
    pub fn replace<F: Fragment>(
        themes: &crate::theme::Themes,
        theme: &str,
        target: &'static str,
        view: &F,
    ) -> Result<Self, crate::theme::ThemeError> {
        Ok(Self { target, placement: Placement::Replace, html: themes.fragment(theme, view)? })
    }

    /// All rows of a list, in place of what was there.
    ///
    /// # Errors
    /// As [`crate::theme::Themes::fragment`].
    pub fn rows<F: Fragment>(
        themes: &crate::theme::Themes,
        theme: &str,
        target: &'static str,
        rows: &[F],
    ) -> Result<Self, crate::theme::ThemeError> {
        let html = rows.iter().map(|row| themes.fragment(theme, row)).collect::<Result<String, _>>()?;
        Ok(Self { target, placement: Placement::Replace, html })
    }

    /// One row, in place of its earlier self or first in its list.
    ///
    /// # Errors
    /// As [`crate::theme::Themes::fragment`].
    pub fn upsert<F: Fragment>(
        themes: &crate::theme::Themes,
        theme: &str,
        target: &'static str,
        row: &F,
    ) -> Result<Self, crate::theme::ThemeError> {
        Ok(Self { target, placement: Placement::Upsert, html: themes.fragment(theme, row)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_becomes_a_coordinate() {
        for (text, want) in [("0", 0.0), ("99874.12", 99_874.12), ("-1234.5", -1_234.5)] {
            assert!((plotted(text.parse().unwrap()) - want).abs() < 1e-9, "{text}");
        }
    }
}
