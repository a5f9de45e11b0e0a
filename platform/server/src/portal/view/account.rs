//! The dashboard and the account page.

use super::{
    Fragment, Page,
    component::{Badge, Banner, Pager, Setting, Tone, settings_list, words},
    decision::DecisionRow,
    deploy::StrategyCard,
    figure::{Figure, When, count},
    live::plotted,
    money::KillPanel,
    row::{DeploymentRow, OrderRow, PositionRow, TradeRow},
};
use core::fmt::Write;
use marque_domain::{
    account::{AccountStatus, EquityPoint},
    fixed::{Money, round_div},
    instrument::Currency,
    plugin::PluginRef,
};
use marque_engine::port::Objective;
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

/// A risk rule that watches the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCard {
    /// Its name in words.
    pub name: String,
    /// What it watches with.
    pub settings: Vec<Setting>,
}

impl RuleCard {
    /// A rule with its settings.
    #[must_use]
    pub fn of(rule: &PluginRef) -> Self {
        Self::named(&rule.name, &rule.settings)
    }

    /// A rule by its name in the catalogue, with its settings as JSON.
    #[must_use]
    pub fn named(name: &str, settings: &str) -> Self {
        Self { name: words(name), settings: settings_list(settings) }
    }
}

/// A goal of the account's program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Goal {
    /// Its name in words.
    pub name: String,
    /// Where it stands, in words.
    pub summary: String,
    /// Whether it is met.
    pub status: Badge,
}

impl Goal {
    /// A goal as a rule reports it.
    #[must_use]
    pub fn of(goal: &Objective) -> Self {
        let status = if goal.reached { Badge::new(Tone::Good, "Met") } else { Badge::new(Tone::Quiet, "Open") };
        Self { name: words(&goal.name), summary: goal.summary.clone(), status }
    }
}

/// How far one rule's limit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Room {
    /// The rule in words.
    pub rule: String,
    /// How much equity may still be lost.
    pub left: Figure,
    /// The level at which it breaches.
    pub floor: Figure,
}

/// The largest order that would be approved now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LargestOrder {
    /// How much, with its unit: `1.25 lots`.
    pub lots: String,
    /// In what: `EURUSD`.
    pub symbol: String,
    /// With what stop: `with a stop 20 pips away`.
    pub stop: String,
    /// What stands in the way of a larger one.
    pub bound_by: Option<String>,
}

/// The status of an account as a badge.
fn status_badge(status: &AccountStatus) -> Badge {
    match status {
        AccountStatus::Active => Badge::new(Tone::Good, "Active"),
        AccountStatus::Held(_) => Badge::new(Tone::Warn, "On hold"),
        AccountStatus::Failed(_) => Badge::new(Tone::Bad, "Ended"),
    }
}

/// Why an account may not trade, and what next; none while it may.
fn status_banner(status: &AccountStatus) -> Option<Banner> {
    match status {
        AccountStatus::Active => None,
        AccountStatus::Held(reason) => Some(Banner::new(
            Tone::Warn,
            "This account takes no new orders",
            format!("{reason} Open positions can still be closed."),
        )),
        AccountStatus::Failed(reason) => Some(Banner::new(
            Tone::Bad,
            "This account has ended",
            format!("{reason} Its positions were closed and its history stays here."),
        )),
    }
}

/// An account on the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountCard {
    /// What its owner calls it.
    pub name: String,
    /// Who its owner is, for who sees accounts of others.
    pub owner: Option<String>,
    /// Its id.
    pub id: String,
    /// Its page.
    pub href: String,
    /// Whether it may trade.
    pub status: Badge,
    /// What it is worth.
    pub stats: Stats,
    /// Its curve.
    pub curve: Option<Curve>,
    /// How many strategies run: `2 strategies running`.
    pub running: String,
    /// Whether any does.
    pub any_running: bool,
}

impl AccountCard {
    /// An account's card.
    #[must_use]
    pub fn new(
        id: &str,
        name: &str,
        status: &AccountStatus,
        stats: Stats,
        curve: Option<Curve>,
        running: usize,
    ) -> Self {
        Self {
            name: name.to_owned(),
            owner: None,
            id: id.to_owned(),
            href: format!("/accounts/{id}"),
            status: status_badge(status),
            stats,
            curve,
            running: match running {
                0 => "No strategy running".to_owned(),
                n => format!("{} running", count(n, "strategy", "strategies")),
            },
            any_running: running > 0,
        }
    }
}

/// The first page of who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dashboard {
    /// `Your accounts`, or `All accounts` for who sees those of others.
    pub title: &'static str,
    /// The accounts, newest first.
    pub accounts: Vec<AccountCard>,
    /// Towards older accounts.
    pub pager: Pager,
    /// The page that opens one, for who may.
    pub open: Option<&'static str>,
    /// The latest decisions on all of them, newest first.
    pub recent: Vec<DecisionRow>,
    /// The zone of their times.
    pub zone: String,
}

impl Page for Dashboard {
    const TEMPLATE: &'static str = "dashboard";
}

/// An account's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountPage {
    /// What its owner calls it.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Whether it may trade.
    pub status: Badge,
    /// Why it may not, and what next.
    pub banner: Option<Banner>,
    /// What it is worth.
    pub stats: Stats,
    /// The largest next order; none while the desk cannot say.
    pub largest: Option<LargestOrder>,
    /// The goals of its program.
    pub goals: Vec<Goal>,
    /// How far every limit is, nearest first.
    pub limits: Vec<Room>,
    /// Its curve; none before there are two points.
    pub curve: Option<Curve>,
    /// The stream that keeps the page up to date.
    pub live_url: String,
    /// Where to stop all strategies.
    pub stop_url: String,
    /// Its kill switch.
    pub kill: KillPanel,
    /// Its statement.
    pub money_url: String,
    /// Whether any runs.
    pub any_running: bool,
    /// The strategies on it.
    pub deployments: Vec<DeploymentRow>,
    /// The strategies that could be put on it.
    pub strategies: Vec<StrategyCard>,
    /// The rules that watch it, in the order in which they are asked.
    pub rules: Vec<RuleCard>,
    /// Open positions, oldest first.
    pub positions: Vec<PositionRow>,
    /// Decisions, newest first.
    pub decisions: Vec<DecisionRow>,
    /// More of them.
    pub decisions_pager: Pager,
    /// Where to place an order, for who may.
    pub order_url: Option<String>,
    /// Orders that wait at the venue, newest first.
    pub working: Vec<OrderRow>,
    /// Orders, newest first.
    pub orders: Vec<OrderRow>,
    /// Closed trades, newest first.
    pub trades: Vec<TradeRow>,
    /// The zone of the page's times.
    pub zone: String,
    /// The token of its forms.
    pub csrf: String,
}

impl AccountPage {
    /// The page of an account with nothing on it yet; the caller fills in the lists.
    #[must_use]
    pub fn new(id: &str, name: &str, status: &AccountStatus, stats: Stats, zone: &str, csrf: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            status: status_badge(status),
            banner: status_banner(status),
            stats,
            largest: None,
            goals: Vec::new(),
            limits: Vec::new(),
            curve: None,
            live_url: format!("/accounts/{id}/live"),
            stop_url: format!("/accounts/{id}/stop"),
            kill: KillPanel { on: None, press_url: None, release_url: None },
            money_url: format!("/accounts/{id}/money"),
            any_running: false,
            deployments: Vec::new(),
            strategies: Vec::new(),
            rules: Vec::new(),
            positions: Vec::new(),
            decisions: Vec::new(),
            decisions_pager: Pager { newer: None, older: None },
            order_url: None,
            working: Vec::new(),
            orders: Vec::new(),
            trades: Vec::new(),
            zone: zone.to_owned(),
            csrf: csrf.to_owned(),
        }
    }
}

impl Page for AccountPage {
    const TEMPLATE: &'static str = "account";
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
