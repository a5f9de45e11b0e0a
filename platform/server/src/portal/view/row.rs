//! Rows of the account page, made from the domain's nouns.

use super::{
    Fragment,
    component::{Badge, Setting, Tone, settings_list},
    figure::{Clock, Figure, When, digits_of, lots_text, price_text},
};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    fixed::{Money, Price},
    id::{DeploymentId, InstrumentId},
    instrument::{Currency, Instrument},
    order::{Order, OrderState, Origin, Position, Purpose, Side},
    ticket::{OrderKind, TimeInForce},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What rows need to know besides themselves: names, and how to write times and money.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The clock that the reader lives by.
    pub clock: Clock,
    /// The account's currency.
    pub currency: Currency,
    /// The instruments that rows may name.
    pub instruments: BTreeMap<InstrumentId, Instrument>,
    /// The names of the strategies of the account's deployments.
    pub strategies: BTreeMap<DeploymentId, String>,
    /// The token that forms in rows carry back.
    pub csrf: String,
}

impl Desk {
    /// The instrument's symbol, or its number when it is not in the catalogue any more.
    #[must_use]
    pub fn symbol(&self, id: InstrumentId) -> String {
        self.instruments.get(&id).map_or_else(|| format!("#{}", id.0), |instrument| instrument.symbol.clone())
    }

    /// A price with the digits of its instrument.
    #[must_use]
    pub fn price(&self, id: InstrumentId, price: Price) -> String {
        price_text(price, digits_of(self.instruments.get(&id)))
    }

    /// Who did it, in words.
    #[must_use]
    pub fn who(&self, origin: Origin, deployment: Option<DeploymentId>) -> String {
        match origin {
            Origin::Strategy => self.strategy(deployment).unwrap_or_else(|| "a strategy".to_owned()),
            Origin::Trader => "you".to_owned(),
            Origin::Rule => "a risk rule".to_owned(),
            Origin::StopLoss => "stop-loss".to_owned(),
            Origin::TakeProfit => "take-profit".to_owned(),
            Origin::KillSwitch => "the kill switch".to_owned(),
            Origin::StopOut => "a stop-out".to_owned(),
        }
    }

    /// The name of a deployment's strategy.
    #[must_use]
    pub fn strategy(&self, deployment: Option<DeploymentId>) -> Option<String> {
        self.strategies.get(&deployment?).cloned()
    }
}

/// Buy or sell, in words and with a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SideView {
    /// `buy` or `sell`.
    pub name: &'static str,
    /// `Buy` or `Sell`.
    pub label: &'static str,
    /// An arrow.
    pub mark: &'static str,
}

impl From<Side> for SideView {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self { name: "buy", label: "Buy", mark: "↗" },
            Side::Sell => Self { name: "sell", label: "Sell", mark: "↘" },
        }
    }
}

/// An open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PositionRow {
    /// Its id.
    pub id: String,
    /// Which way.
    pub side: SideView,
    /// In what.
    pub symbol: String,
    /// How much.
    pub lots: String,
    /// The price it was opened at.
    pub open_price: String,
    /// The price it would close at now.
    pub price_now: Option<String>,
    /// Attached stop-loss.
    pub stop_loss: Option<String>,
    /// Attached take-profit.
    pub take_profit: Option<String>,
    /// What it would bring now.
    pub profit: Option<Figure>,
    /// When it was opened.
    pub opened_at: When,
    /// Who holds it.
    pub by: String,
    /// Where to close it, when the reader may.
    pub close_url: Option<String>,
    /// Where to change its levels or close a part.
    pub guard_url: String,
    /// For that form.
    pub csrf: String,
}

impl PositionRow {
    /// An open position, with the price it would close at and what it would bring, when they are known.
    #[must_use]
    pub fn of(position: &Position, now: Option<(Price, Money)>, desk: &Desk) -> Self {
        let price = |price| desk.price(position.instrument, price);
        Self {
            id: position.id.to_string(),
            side: position.side.into(),
            symbol: desk.symbol(position.instrument),
            lots: lots_text(position.lots),
            open_price: price(position.open_price),
            price_now: now.map(|(now, _)| price(now)),
            stop_loss: position.stop_loss.map(price),
            take_profit: position.take_profit.map(price),
            profit: now.map(|(_, profit)| Figure::change(profit, desk.currency)),
            opened_at: desk.clock.show(position.opened_at),
            by: desk.strategy(position.deployment).unwrap_or_else(|| "you".to_owned()),
            close_url: Some(format!("/positions/{}/close", position.id)),
            guard_url: format!("/positions/{}/guard", position.id),
            csrf: desk.csrf.clone(),
        }
    }
}

impl Fragment for PositionRow {
    const TEMPLATE: &'static str = "parts/position-row";
}

/// A closed position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradeRow {
    /// Its id.
    pub id: String,
    /// Which way it was.
    pub side: SideView,
    /// In what.
    pub symbol: String,
    /// How much.
    pub lots: String,
    /// The price it was opened at.
    pub open_price: String,
    /// The price it was closed at.
    pub close_price: String,
    /// What it earned.
    pub profit: Figure,
    /// When it was closed.
    pub closed_at: When,
    /// Who closed it.
    pub closed_by: String,
}

impl TradeRow {
    /// A closed position; none while it is open.
    #[must_use]
    pub fn of(position: &Position, desk: &Desk) -> Option<Self> {
        let closed = position.closed?;
        Some(Self {
            id: position.id.to_string(),
            side: position.side.into(),
            symbol: desk.symbol(position.instrument),
            lots: lots_text(position.lots),
            open_price: desk.price(position.instrument, position.open_price),
            close_price: desk.price(position.instrument, closed.price),
            profit: Figure::change(closed.profit, desk.currency),
            closed_at: desk.clock.show(closed.at),
            closed_by: desk.who(closed.origin, position.deployment),
        })
    }
}

impl Fragment for TradeRow {
    const TEMPLATE: &'static str = "parts/trade-row";
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderRow {
    /// Its id.
    pub id: String,
    /// Which way.
    pub side: SideView,
    /// `open` or `close`.
    pub purpose: &'static str,
    /// In what.
    pub symbol: String,
    /// How much.
    pub lots: String,
    /// What it waits for, in words: `limit 1.38500 · day`; none for a market order.
    pub waits: Option<String>,
    /// The price it traded at.
    pub price: Option<String>,
    /// Where it is in its life.
    pub state: Badge,
    /// Why it ended without trading.
    pub reason: Option<String>,
    /// When its state last changed.
    pub at: When,
    /// Who asked for it.
    pub by: String,
    /// Where to change it, while it waits.
    pub change_url: Option<String>,
    /// Where to cancel it, while it waits.
    pub cancel_url: Option<String>,
    /// For that form.
    pub csrf: String,
}

impl OrderRow {
    /// An order.
    #[must_use]
    pub fn of(order: &Order, desk: &Desk) -> Self {
        Self {
            id: order.id.to_string(),
            side: order.side.into(),
            purpose: if matches!(order.purpose, Purpose::Open) { "open" } else { "close" },
            symbol: desk.symbol(order.instrument),
            lots: lots_text(order.lots),
            waits: waits(order, desk),
            price: order.fill_price.map(|price| desk.price(order.instrument, price)),
            state: order_badge(order.state),
            reason: order.reason.clone(),
            at: desk.clock.show(order.updated_at),
            by: desk.who(order.origin, order.deployment),
            change_url: (order.is_working() && order.kind.is_pending() && order.filled.is_zero())
                .then(|| format!("/orders/{}/change", order.id)),
            cancel_url: order.is_working().then(|| format!("/orders/{}/cancel", order.id)),
            csrf: desk.csrf.clone(),
        }
    }
}

impl OrderRow {
    /// The same in the list of waiting orders, where it stands besides the list of all.
    #[must_use]
    pub fn waiting(order: &Order, desk: &Desk) -> Self {
        let row = Self::of(order, desk);
        Self { id: format!("waiting-{}", row.id), ..row }
    }
}

/// What a pending order waits for, and until when.
fn waits(order: &Order, desk: &Desk) -> Option<String> {
    let price = |price| desk.price(order.instrument, price);
    let at = match order.kind {
        OrderKind::Market => return None,
        OrderKind::Limit { price: limit } => format!("limit {}", price(limit)),
        OrderKind::Stop { price: stop } => format!("stop {}", price(stop)),
        OrderKind::StopLimit { stop, limit } => format!("stop {}, limit {}", price(stop), price(limit)),
        OrderKind::TrailingStop { stop, trail } => {
            format!("stop {}, following at {}", price(stop), price(trail.distance))
        }
    };
    let until = match order.time_in_force {
        TimeInForce::Gtc => "until cancelled",
        TimeInForce::Gtd(_) => "until a time",
        TimeInForce::Ioc | TimeInForce::Fok => "at once",
        TimeInForce::Day => "today",
    };
    let pair = if order.oco.is_some() { ", one of a pair" } else { "" };
    Some(format!("{at}, {until}{pair}"))
}

impl Fragment for OrderRow {
    const TEMPLATE: &'static str = "parts/order-row";
}

fn order_badge(state: OrderState) -> Badge {
    match state {
        OrderState::Intent => Badge::new(Tone::Quiet, "Committed"),
        OrderState::Sending => Badge::new(Tone::Quiet, "Sending"),
        OrderState::Acked => Badge::new(Tone::Accent, "At the venue"),
        OrderState::Partial => Badge::new(Tone::Accent, "Partly filled"),
        OrderState::Filled => Badge::new(Tone::Good, "Filled"),
        OrderState::Unknown => Badge::new(Tone::Warn, "Being checked"),
        OrderState::Rejected => Badge::new(Tone::Bad, "Rejected"),
        OrderState::Cancelled => Badge::new(Tone::Quiet, "Cancelled"),
    }
}

/// A strategy on the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentRow {
    /// Its id.
    pub id: String,
    /// The strategy's name.
    pub strategy: String,
    /// What it trades.
    pub symbol: String,
    /// The bars it sees.
    pub timeframe: &'static str,
    /// Whether it runs.
    pub status: Badge,
    /// Why it was stopped for it, and what to do.
    pub reason: Option<String>,
    /// What it runs with.
    pub settings: Vec<Setting>,
    /// Where to stop it, while it runs.
    pub stop_url: Option<String>,
    /// Where to start it, while it does not.
    pub start_url: Option<String>,
    /// Its own page.
    pub href: String,
    /// For these forms.
    pub csrf: String,
}

impl DeploymentRow {
    /// A deployment.
    #[must_use]
    pub fn of(deployment: &Deployment, desk: &Desk) -> Self {
        let running = deployment.status == DeploymentStatus::Running;
        let url = |verb: &str| format!("/deployments/{}/{verb}", deployment.id);
        Self {
            id: deployment.id.to_string(),
            strategy: deployment.plugin.name.clone(),
            symbol: desk.symbol(deployment.instrument),
            timeframe: deployment.timeframe.name(),
            status: match deployment.status {
                DeploymentStatus::Running => Badge::new(Tone::Good, "Running"),
                DeploymentStatus::Stopped => Badge::new(Tone::Quiet, "Stopped"),
                DeploymentStatus::Quarantined(_) => Badge::new(Tone::Bad, "Quarantined"),
                DeploymentStatus::Paused(_) => Badge::new(Tone::Warn, "Paused"),
            },
            reason: match &deployment.status {
                DeploymentStatus::Running | DeploymentStatus::Stopped => None,
                DeploymentStatus::Paused(reason) => Some(reason.clone()),
                DeploymentStatus::Quarantined(fault) => {
                    Some(format!("It failed too often and was stopped: {fault}. Start it again once that is fixed."))
                }
            },
            href: format!("/deployments/{}", deployment.id),
            settings: settings_list(&deployment.plugin.settings, None),
            stop_url: running.then(|| url("stop")),
            start_url: (!running).then(|| url("start")),
            csrf: desk.csrf.clone(),
        }
    }
}

impl Fragment for DeploymentRow {
    const TEMPLATE: &'static str = "parts/deployment-row";
}
