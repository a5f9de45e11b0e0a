//! At which price which level is reached, and how a level follows the price: pure, and each a case of `FILLS.md`.

use super::{Edge, Item, exit_price};
use marque_domain::{
    bar::Quote,
    fixed::Price,
    order::{Order, Origin, Position, Side},
    ticket::Trail,
};

/// The levels of a working order: what sets it off, and what moves its trailing stop.
pub(super) fn edges_of_order(order: &Order) -> Vec<(Edge, Price, Item)> {
    let item = Item::Order(order.id);
    let mut edges = Vec::new();
    match (order.kind.stop().filter(|_| !order.triggered), order.kind.limit(), order.side) {
        // A stop to buy waits for a higher ask, a stop to sell for a lower bid.
        (Some(stop), _, Side::Buy) => edges.push((Edge::AskHigh, stop, item)),
        (Some(stop), _, Side::Sell) => edges.push((Edge::BidLow, stop, item)),
        (None, Some(limit), Side::Buy) => edges.push((Edge::AskLow, limit, item)),
        (None, Some(limit), Side::Sell) => edges.push((Edge::BidHigh, limit, item)),
        (None, None, _) => {}
    }
    if let (Some(stop), Some(trail), false) = (order.kind.stop(), order.kind.trail(), order.triggered) {
        // It trades as a position of the other side would exit: a stop to sell follows the bid up.
        edges.push(follow_edge(order.side.opposite(), stop, trail, Item::Trail(order.id)));
    }
    edges
}

/// The levels of a position.
pub(super) fn edges_of_position(position: &Position) -> Vec<(Edge, Price, Item)> {
    let item = Item::Exit(position.id);
    let (stop_edge, take_edge) = match position.side {
        Side::Buy => (Edge::BidLow, Edge::BidHigh),
        Side::Sell => (Edge::AskHigh, Edge::AskLow),
    };
    let mut edges: Vec<_> = position.stop_loss.map(|level| (stop_edge, level, item)).into_iter().collect();
    edges.extend(position.take_profit.map(|level| (take_edge, level, item)));
    if let (Some(stop), Some(trail)) = (position.stop_loss, position.trail) {
        edges.push(follow_edge(position.side, stop, trail, Item::Follow(position.id)));
    }
    edges
}

/// The price from which on a stop below a long (above a short) is moved.
const fn follow_edge(held: Side, stop: Price, trail: Trail, item: Item) -> (Edge, Price, Item) {
    let away = trail.distance.saturating_add(trail.step);
    match held {
        Side::Buy => (Edge::BidHigh, stop.saturating_add(away), item),
        Side::Sell => (Edge::AskLow, stop.saturating_sub(away), item),
    }
}

/// Which of a position's levels this quote reaches. When it reaches both, the stop-loss wins.
pub(super) fn trigger(position: &Position, quote: &Quote) -> Option<Origin> {
    let price = exit_price(position.side, quote);
    let (stopped, took) = match position.side {
        Side::Buy => (position.stop_loss.is_some_and(|l| price <= l), position.take_profit.is_some_and(|l| price >= l)),
        Side::Sell => {
            (position.stop_loss.is_some_and(|l| price >= l), position.take_profit.is_some_and(|l| price <= l))
        }
    };
    if stopped {
        Some(Origin::StopLoss)
    } else if took {
        Some(Origin::TakeProfit)
    } else {
        None
    }
}

/// Where a position's stop-loss follows to.
pub(super) fn followed(position: &Position, quote: &Quote, tick: Price) -> Option<Price> {
    let trail = position.trail?;
    let level = behind(position.side, exit_price(position.side, quote), trail, tick);
    is_closer(position.side, level, position.stop_loss?).then_some(level)
}

/// Where a trailing stop order's level follows to.
pub(super) fn trailed(order: &Order, quote: &Quote, tick: Price) -> Option<Price> {
    let held = order.side.opposite();
    let level = behind(held, exit_price(held, quote), order.kind.trail()?, tick);
    is_closer(held, level, order.kind.stop()?).then_some(level)
}

/// The level at the trailing distance behind a price, in whole ticks, never nearer than the distance.
pub(crate) fn behind(held: Side, price: Price, trail: Trail, tick: Price) -> Price {
    match held {
        Side::Buy => price.saturating_sub(trail.distance).round_down_to(tick),
        Side::Sell => {
            let level = price.saturating_add(trail.distance);
            let down = level.round_down_to(tick);
            if down == level { level } else { down.saturating_add(tick) }
        }
    }
}

/// Whether a stop has moved towards the price.
fn is_closer(held: Side, level: Price, before: Price) -> bool {
    match held {
        Side::Buy => level > before,
        Side::Sell => level < before,
    }
}
