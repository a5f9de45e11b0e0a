//! The dashboard and the account page.

use super::{
    Fragment, Page,
    component::{Badge, Banner, Pager, Setting, Tone, settings_list, words},
    decision::DecisionRow,
    deploy::StrategyCard,
    figure::{Figure, count},
    money::KillPanel,
    row::{DeploymentRow, OrderRow, PositionRow, TradeRow},
    worth::{Curve, Stats},
};
use marque_domain::account::AccountStatus;
use marque_engine::port::Objective;
use serde::Serialize;
use serde_json::Value;

/// A risk rule that watches the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCard {
    /// Its name in words.
    pub name: String,
    /// What it watches with.
    pub settings: Vec<Setting>,
}

impl RuleCard {
    /// A rule by its name in the catalogue, with its settings as JSON and the schema that names them.
    #[must_use]
    pub fn new(name: &str, settings: &str, schema: Option<&Value>) -> Self {
        Self { name: words(name), settings: settings_list(settings, schema) }
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

impl Fragment for LargestOrder {
    const TEMPLATE: &'static str = "parts/largest";
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
    /// What it was opened with besides.
    pub terms: Vec<Setting>,
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
            terms: Vec::new(),
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
