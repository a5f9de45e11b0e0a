//! Between the engine's words and the contract's: what a strategy is told, and what it wishes for.
//!
//! What a guest wishes for is taken as it stands: whether its ids, prices and lots are any good is the gate's to judge, and
//! an id reaches only what is the deployment's own.

use crate::contract::{order_strategy_types as wire, order_types as kinds, strategy_types as hooks, types};
use marque_domain::{
    fixed::{Lots, Money, Price},
    id::{OrderId, PositionId},
    instrument::Instrument,
    order::{Origin, Side},
    ticket::{Amendment, Levels, OrderKind, TimeInForce, Trail},
    time::Millis,
};
use marque_engine::port::{Action, OrderUpdate};

pub(crate) fn wire_instrument(instrument: &Instrument) -> types::Instrument {
    types::Instrument {
        symbol: instrument.symbol.clone(),
        tick_size: instrument.tick_size.units(),
        pip: instrument.pip.units(),
        lot_step: instrument.lot_step.units(),
        lot_max: instrument.lot_max.units(),
        contract_size: instrument.contract_size,
        quote_currency: instrument.quote.code().to_owned(),
    }
}

pub(crate) const fn wire_side(side: Side) -> types::Side {
    match side {
        Side::Buy => types::Side::Buy,
        Side::Sell => types::Side::Sell,
    }
}

const fn wire_origin(origin: Origin) -> types::Origin {
    match origin {
        Origin::Strategy => types::Origin::Strategy,
        Origin::Trader => types::Origin::Trader,
        // The contract knows no others: to a strategy, all of them are the platform.
        Origin::Rule | Origin::KillSwitch | Origin::StopOut => types::Origin::Rule,
        Origin::StopLoss => types::Origin::StopLoss,
        Origin::TakeProfit => types::Origin::TakeProfit,
    }
}

/// The update in the words of contracts 1.0 and 1.1; none for what it has no words for.
pub(crate) const fn wire_update(update: &OrderUpdate) -> Option<hooks::OrderUpdate> {
    Some(match *update {
        OrderUpdate::Opened { position, side, lots, price, balance } => {
            hooks::OrderUpdate::Opened(wire_opened(position, side, lots, price, balance))
        }
        OrderUpdate::Closed { position, price, profit, origin, balance } => {
            hooks::OrderUpdate::Closed(wire_closed(position, price, profit, origin, balance))
        }
        OrderUpdate::Refused | OrderUpdate::Ended { .. } => hooks::OrderUpdate::Refused,
        OrderUpdate::Working { .. } | OrderUpdate::Traded { .. } | OrderUpdate::Changed { .. } => return None,
    })
}

const fn wire_opened(position: PositionId, side: Side, lots: Lots, price: Price, balance: Money) -> hooks::Opened {
    hooks::Opened {
        position: position.0,
        side: wire_side(side),
        lots: lots.units(),
        price: price.units(),
        balance: balance.units(),
    }
}

const fn wire_closed(
    position: PositionId,
    price: Price,
    profit: Money,
    origin: Origin,
    balance: Money,
) -> hooks::Closed {
    hooks::Closed {
        position: position.0,
        price: price.units(),
        profit: profit.units(),
        origin: wire_origin(origin),
        balance: balance.units(),
    }
}

fn open_of(open: hooks::OpenOrder) -> Action {
    Action::Open {
        side: side_of(open.side),
        lots: Lots::from_units(open.lots),
        stop_loss: open.stop_loss.map(Price::from_units),
        take_profit: open.take_profit.map(Price::from_units),
    }
}

pub(crate) fn action_of(action: hooks::Action) -> Action {
    match action {
        hooks::Action::Open(open) => open_of(open),
        hooks::Action::Close(position) => Action::Close { position: PositionId(position) },
        hooks::Action::SetTimer(at) => Action::SetTimer { at: Millis(at) },
    }
}

const fn side_of(side: types::Side) -> Side {
    match side {
        types::Side::Buy => Side::Buy,
        types::Side::Sell => Side::Sell,
    }
}

const fn wire_trail(trail: Trail) -> kinds::Trail {
    kinds::Trail { distance: trail.distance.units(), step: trail.step.units() }
}

const fn trail_of(trail: kinds::Trail) -> Trail {
    Trail { distance: Price::from_units(trail.distance), step: Price::from_units(trail.step) }
}

pub(crate) const fn wire_kind(kind: OrderKind) -> kinds::OrderKind {
    match kind {
        OrderKind::Market => kinds::OrderKind::Market,
        OrderKind::Limit { price } => kinds::OrderKind::Limit(price.units()),
        OrderKind::Stop { price } => kinds::OrderKind::Stop(price.units()),
        OrderKind::StopLimit { stop, limit } => {
            kinds::OrderKind::StopLimit(kinds::StopAndLimit { stop: stop.units(), limit: limit.units() })
        }
        OrderKind::TrailingStop { stop, trail } => {
            kinds::OrderKind::TrailingStop(kinds::StopAndTrail { stop: stop.units(), trail: wire_trail(trail) })
        }
    }
}

const fn kind_of(kind: kinds::OrderKind) -> OrderKind {
    let price = Price::from_units;
    match kind {
        kinds::OrderKind::Market => OrderKind::Market,
        kinds::OrderKind::Limit(limit) => OrderKind::Limit { price: price(limit) },
        kinds::OrderKind::Stop(stop) => OrderKind::Stop { price: price(stop) },
        kinds::OrderKind::StopLimit(at) => OrderKind::StopLimit { stop: price(at.stop), limit: price(at.limit) },
        kinds::OrderKind::TrailingStop(at) => {
            OrderKind::TrailingStop { stop: price(at.stop), trail: trail_of(at.trail) }
        }
    }
}

pub(crate) const fn wire_time(time: TimeInForce) -> kinds::TimeInForce {
    match time {
        TimeInForce::Gtc => kinds::TimeInForce::Gtc,
        TimeInForce::Gtd(until) => kinds::TimeInForce::Gtd(until.0),
        TimeInForce::Ioc => kinds::TimeInForce::Ioc,
        TimeInForce::Fok => kinds::TimeInForce::Fok,
        TimeInForce::Day => kinds::TimeInForce::Day,
    }
}

const fn time_of(time: kinds::TimeInForce) -> TimeInForce {
    match time {
        kinds::TimeInForce::Gtc => TimeInForce::Gtc,
        kinds::TimeInForce::Gtd(until) => TimeInForce::Gtd(Millis(until)),
        kinds::TimeInForce::Ioc => TimeInForce::Ioc,
        kinds::TimeInForce::Fok => TimeInForce::Fok,
        kinds::TimeInForce::Day => TimeInForce::Day,
    }
}

fn wire_levels(levels: Levels) -> kinds::Levels {
    kinds::Levels {
        stop_loss: levels.stop_loss.map(Price::units),
        take_profit: levels.take_profit.map(Price::units),
        trail: levels.trail.map(wire_trail),
    }
}

fn levels_of(levels: kinds::Levels) -> Levels {
    Levels {
        stop_loss: levels.stop_loss.map(Price::from_units),
        take_profit: levels.take_profit.map(Price::from_units),
        trail: levels.trail.map(trail_of),
    }
}

/// What became of an order, for a strategy that uses orders of every kind.
pub(crate) fn wire_event(update: &OrderUpdate) -> wire::OrderEvent {
    match *update {
        OrderUpdate::Opened { position, side, lots, price, balance } => {
            wire::OrderEvent::Opened(wire_opened(position, side, lots, price, balance))
        }
        OrderUpdate::Closed { position, price, profit, origin, balance } => {
            wire::OrderEvent::Closed(wire_closed(position, price, profit, origin, balance))
        }
        OrderUpdate::Changed { position, lots, price, balance } => wire::OrderEvent::Changed(wire::Changed {
            position: position.0,
            lots: lots.units(),
            price: price.units(),
            balance: balance.units(),
        }),
        OrderUpdate::Working { order, side, lots, kind, time_in_force, levels } => {
            wire::OrderEvent::Working(wire::Working {
                order: order.0,
                side: wire_side(side),
                lots: lots.units(),
                kind: wire_kind(kind),
                time_in_force: wire_time(time_in_force),
                levels: wire_levels(levels),
            })
        }
        OrderUpdate::Traded { order, lots, price, left } => wire::OrderEvent::Traded(wire::Traded {
            order: order.0,
            lots: lots.units(),
            price: price.units(),
            left: left.units(),
        }),
        OrderUpdate::Ended { order } => wire::OrderEvent::Ended(order.0),
        OrderUpdate::Refused => wire::OrderEvent::Refused,
    }
}

/// What such a strategy wishes for.
pub(crate) fn wish_of(wish: wire::Wish) -> Action {
    match wish {
        wire::Wish::Open(open) => open_of(open),
        wire::Wish::Close(position) => Action::Close { position: PositionId(position) },
        wire::Wish::Place(ticket) => Action::Place {
            side: side_of(ticket.side),
            lots: Lots::from_units(ticket.lots),
            kind: kind_of(ticket.kind),
            time_in_force: time_of(ticket.time_in_force),
            levels: levels_of(ticket.levels),
            oco: ticket.oco.map(OrderId),
        },
        wire::Wish::Amend(to) => Action::Amend {
            order: OrderId(to.order),
            to: Amendment {
                kind: kind_of(to.kind),
                time_in_force: time_of(to.time_in_force),
                levels: levels_of(to.levels),
            },
        },
        wire::Wish::Cancel(order) => Action::Cancel { order: OrderId(order) },
        wire::Wish::Reduce(part) => {
            Action::Reduce { position: PositionId(part.position), lots: Lots::from_units(part.lots) }
        }
        wire::Wish::CloseBy(pair) => Action::CloseBy { position: PositionId(pair.position), by: PositionId(pair.by) },
        wire::Wish::Protect(guard) => {
            Action::Protect { position: PositionId(guard.position), levels: levels_of(guard.levels) }
        }
        wire::Wish::SetTimer(at) => Action::SetTimer { at: Millis(at) },
    }
}
