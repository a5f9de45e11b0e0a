//! From the contract's types to the author's and back.

use crate::{
    Action, Instrument, Levels, Lots, Money, OrderKind, OrderUpdate, Origin, Price, Side, Ticket, TimeInForce, Trail,
    WorkingOrder,
    bindings::{order_types as kinds, strategy, types},
};
use strategy::marque::plugin::{order_strategy_types as orders, strategy_types as wire};

pub(crate) fn side(side: types::Side) -> Side {
    match side {
        types::Side::Buy => Side::Buy,
        types::Side::Sell => Side::Sell,
    }
}

pub(crate) fn instrument_of(instrument: types::Instrument) -> Instrument {
    Instrument {
        symbol: instrument.symbol,
        tick_size: Price::from_units(instrument.tick_size),
        pip: Price::from_units(instrument.pip),
        lot_step: Lots::from_units(instrument.lot_step),
        lot_max: Lots::from_units(instrument.lot_max),
        contract_size: instrument.contract_size,
        quote_currency: instrument.quote_currency,
    }
}

pub(crate) fn opened(opened: wire::Opened) -> OrderUpdate {
    OrderUpdate::Opened {
        position: opened.position,
        side: side(opened.side),
        lots: Lots::from_units(opened.lots),
        price: Price::from_units(opened.price),
        balance: Money::from_units(opened.balance),
    }
}

pub(crate) fn closed(closed: wire::Closed) -> OrderUpdate {
    OrderUpdate::Closed {
        position: closed.position,
        price: Price::from_units(closed.price),
        profit: Money::from_units(closed.profit),
        origin: match closed.origin {
            types::Origin::Strategy => Origin::Strategy,
            types::Origin::Trader => Origin::Trader,
            types::Origin::Rule => Origin::Rule,
            types::Origin::StopLoss => Origin::StopLoss,
            types::Origin::TakeProfit => Origin::TakeProfit,
        },
        balance: Money::from_units(closed.balance),
    }
}

pub(crate) fn update_of(event: orders::OrderEvent) -> OrderUpdate {
    let (price, lots) = (Price::from_units, Lots::from_units);
    match event {
        orders::OrderEvent::Opened(told) => opened(told),
        orders::OrderEvent::Closed(told) => closed(told),
        orders::OrderEvent::Changed(told) => OrderUpdate::Changed {
            position: told.position,
            lots: lots(told.lots),
            price: price(told.price),
            balance: Money::from_units(told.balance),
        },
        orders::OrderEvent::Working(told) => OrderUpdate::Working(WorkingOrder {
            id: told.order,
            side: side(told.side),
            lots: lots(told.lots),
            kind: kind_of(told.kind),
            time_in_force: time_of(told.time_in_force),
            levels: levels_of(told.levels),
        }),
        orders::OrderEvent::Traded(told) => OrderUpdate::Traded {
            order: told.order,
            lots: lots(told.lots),
            price: price(told.price),
            left: lots(told.left),
        },
        orders::OrderEvent::Ended(order) => OrderUpdate::Ended { order },
        orders::OrderEvent::Refused => OrderUpdate::Refused,
    }
}

pub(crate) fn kind_of(kind: kinds::OrderKind) -> OrderKind {
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

pub(crate) fn time_of(time: kinds::TimeInForce) -> TimeInForce {
    match time {
        kinds::TimeInForce::Gtc => TimeInForce::Gtc,
        kinds::TimeInForce::Gtd(until) => TimeInForce::Gtd(until),
        kinds::TimeInForce::Ioc => TimeInForce::Ioc,
        kinds::TimeInForce::Fok => TimeInForce::Fok,
        kinds::TimeInForce::Day => TimeInForce::Day,
    }
}

fn trail_of(trail: kinds::Trail) -> Trail {
    Trail { distance: Price::from_units(trail.distance), step: Price::from_units(trail.step) }
}

fn levels_of(levels: kinds::Levels) -> Levels {
    Levels {
        stop_loss: levels.stop_loss.map(Price::from_units),
        take_profit: levels.take_profit.map(Price::from_units),
        trail: levels.trail.map(trail_of),
    }
}

fn wire_side(side: Side) -> types::Side {
    match side {
        Side::Buy => types::Side::Buy,
        Side::Sell => types::Side::Sell,
    }
}

fn wire_trail(trail: Trail) -> kinds::Trail {
    kinds::Trail { distance: trail.distance.units(), step: trail.step.units() }
}

fn wire_kind(kind: OrderKind) -> kinds::OrderKind {
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

fn wire_time(time: TimeInForce) -> kinds::TimeInForce {
    match time {
        TimeInForce::Gtc => kinds::TimeInForce::Gtc,
        TimeInForce::Gtd(until) => kinds::TimeInForce::Gtd(until),
        TimeInForce::Ioc => kinds::TimeInForce::Ioc,
        TimeInForce::Fok => kinds::TimeInForce::Fok,
        TimeInForce::Day => kinds::TimeInForce::Day,
    }
}

fn wire_levels(levels: Levels) -> kinds::Levels {
    kinds::Levels {
        stop_loss: levels.stop_loss.map(Price::units),
        take_profit: levels.take_profit.map(Price::units),
        trail: levels.trail.map(wire_trail),
    }
}

fn wire_open(side: Side, lots: Lots, stop_loss: Option<Price>, take_profit: Option<Price>) -> wire::OpenOrder {
    wire::OpenOrder {
        side: wire_side(side),
        lots: lots.units(),
        stop_loss: stop_loss.map(Price::units),
        take_profit: take_profit.map(Price::units),
    }
}

fn wire_ticket(ticket: Ticket) -> orders::Ticket {
    orders::Ticket {
        side: wire_side(ticket.side),
        lots: ticket.lots.units(),
        kind: wire_kind(ticket.kind),
        time_in_force: wire_time(ticket.time_in_force),
        levels: wire_levels(ticket.levels),
        oco: ticket.oco,
    }
}

pub(crate) fn wire_wish(action: Action) -> orders::Wish {
    match action {
        Action::Open { side, lots, stop_loss, take_profit } => {
            orders::Wish::Open(wire_open(side, lots, stop_loss, take_profit))
        }
        Action::Close { position } => orders::Wish::Close(position),
        Action::Place(ticket) => orders::Wish::Place(wire_ticket(ticket)),
        Action::Amend { order, to } => orders::Wish::Amend(orders::Amendment {
            order,
            kind: wire_kind(to.kind),
            time_in_force: wire_time(to.time_in_force),
            levels: wire_levels(to.levels),
        }),
        Action::Cancel { order } => orders::Wish::Cancel(order),
        Action::Reduce { position, lots } => orders::Wish::Reduce(orders::Reduction { position, lots: lots.units() }),
        Action::CloseBy { position, by } => orders::Wish::CloseBy(orders::Pair { position, by }),
        Action::Protect { position, levels } => {
            orders::Wish::Protect(orders::Protection { position, levels: wire_levels(levels) })
        }
        Action::SetTimer { at } => orders::Wish::SetTimer(at),
    }
}

/// What contracts before 1.2 have words for; none of the rest.
pub(crate) fn wire_action(action: Action) -> Option<wire::Action> {
    match action {
        Action::Open { side, lots, stop_loss, take_profit } => {
            Some(wire::Action::Open(wire_open(side, lots, stop_loss, take_profit)))
        }
        Action::Close { position } => Some(wire::Action::Close(position)),
        Action::SetTimer { at } => Some(wire::Action::SetTimer(at)),
        _ => None,
    }
}
