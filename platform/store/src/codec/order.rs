//! Orders as rows: what a kind or a time in force carries stands in columns of its own.

use super::{Decoded, SIDES, instrument, named};
use crate::{entity::orders, error::StoreError};
use marque_domain::{
    fixed::{Lots, Price},
    id::{AccountId, DeploymentId, OrderId, PositionId},
    order::{Order, OrderState, Origin, Purpose, Side},
    ticket::{OrderKind, TimeInForce, Trail},
    time::Millis,
};

pub(super) fn trail(distance: Option<i64>, step: Option<i64>) -> Option<Trail> {
    let (distance, step) = (Price::from_units(distance?), Price::from_units(step?));
    Some(Trail { distance, step })
}

fn kind(row: &orders::Model) -> Decoded<OrderKind> {
    let incomplete = || StoreError::corrupt("order", format!("{} is a {} order without its prices", row.id, row.kind));
    let price = |units: Option<i64>| units.map(Price::from_units).ok_or_else(incomplete);
    Ok(match row.kind.as_str() {
        "market" => OrderKind::Market,
        "limit" => OrderKind::Limit { price: price(row.limit_price)? },
        "stop" => OrderKind::Stop { price: price(row.stop_price)? },
        "stop_limit" => OrderKind::StopLimit { stop: price(row.stop_price)?, limit: price(row.limit_price)? },
        "trailing_stop" => OrderKind::TrailingStop {
            stop: price(row.stop_price)?,
            trail: trail(row.stop_distance, row.stop_step).ok_or_else(incomplete)?,
        },
        other => return Err(StoreError::corrupt("order", format!("kind {other}"))),
    })
}

fn time_in_force(row: &orders::Model) -> Decoded<TimeInForce> {
    Ok(match (row.time_in_force.as_str(), row.expires_at) {
        ("gtc", _) => TimeInForce::Gtc,
        ("gtd", Some(at)) => TimeInForce::Gtd(Millis(at)),
        ("ioc", _) => TimeInForce::Ioc,
        ("fok", _) => TimeInForce::Fok,
        ("day", _) => TimeInForce::Day,
        (other, _) => return Err(StoreError::corrupt("order", format!("time in force {other}"))),
    })
}

pub(crate) fn order(row: orders::Model) -> Decoded<Order> {
    Ok(Order {
        id: OrderId(row.id),
        account: AccountId(row.account_id),
        deployment: row.deployment_id.map(DeploymentId),
        instrument: instrument("order", row.instrument_id)?,
        side: named("order", &SIDES, Side::name, &row.side)?,
        lots: Lots::from_units(row.lots),
        purpose: match (row.closes_position_id.map(PositionId), row.closes_by_position_id.map(PositionId)) {
            (None, _) => Purpose::Open,
            (Some(position), None) => Purpose::Close(position),
            (Some(position), Some(by)) => Purpose::CloseBy { position, by },
        },
        origin: named("order", &Origin::ALL, Origin::name, &row.origin)?,
        kind: kind(&row)?,
        time_in_force: time_in_force(&row)?,
        expires_at: row.expires_at.map(Millis),
        stop_loss: row.stop_loss.map(Price::from_units),
        take_profit: row.take_profit.map(Price::from_units),
        trail: trail(row.trail_distance, row.trail_step),
        oco: row.oco_order_id.map(OrderId),
        triggered: row.triggered != 0,
        state: named("order", &OrderState::ALL, OrderState::name, &row.state)?,
        filled: Lots::from_units(row.filled),
        fill_price: row.fill_price.map(Price::from_units),
        reason: row.reason,
        created_at: Millis(row.created_at),
        updated_at: Millis(row.updated_at),
    })
}

pub(crate) fn order_row(tenant_id: i64, order: &Order) -> orders::Model {
    let (closes, by) = match order.purpose {
        Purpose::Open => (None, None),
        Purpose::Close(position) => (Some(position.0), None),
        Purpose::CloseBy { position, by } => (Some(position.0), Some(by.0)),
    };
    orders::Model {
        tenant_id,
        id: order.id.0,
        account_id: order.account.0,
        deployment_id: order.deployment.map(|id| id.0),
        instrument_id: i64::from(order.instrument.0),
        side: order.side.name().to_owned(),
        lots: order.lots.units(),
        closes_position_id: closes,
        closes_by_position_id: by,
        origin: order.origin.name().to_owned(),
        kind: order.kind.name().to_owned(),
        limit_price: order.kind.limit().map(Price::units),
        stop_price: order.kind.stop().map(Price::units),
        stop_distance: order.kind.trail().map(|t| t.distance.units()),
        stop_step: order.kind.trail().map(|t| t.step.units()),
        time_in_force: order.time_in_force.name().to_owned(),
        expires_at: order.expires_at.map(|at| at.0),
        stop_loss: order.stop_loss.map(Price::units),
        take_profit: order.take_profit.map(Price::units),
        trail_distance: order.trail.map(|t| t.distance.units()),
        trail_step: order.trail.map(|t| t.step.units()),
        oco_order_id: order.oco.map(|id| id.0),
        triggered: i64::from(order.triggered),
        state: order.state.name().to_owned(),
        filled: order.filled.units(),
        fill_price: order.fill_price.map(Price::units),
        reason: order.reason.clone(),
        created_at: order.created_at.0,
        updated_at: order.updated_at.0,
    }
}
