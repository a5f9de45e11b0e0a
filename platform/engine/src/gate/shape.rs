//! An order shaped to its instrument: lots to steps, prices to ticks, levels on the side where they can trigger. Pure.

use crate::venue::{entry_price, exit_price};
use marque_domain::{
    bar::Quote,
    decision::Denial,
    fixed::{Lots, Price},
    instrument::Instrument,
    order::Side,
    ticket::{Levels, OrderKind, Ticket, TimeInForce, Trail},
    time::Millis,
};

pub(super) fn lots(wanted: Lots, instrument: &Instrument) -> Result<Lots, Denial> {
    let lots = wanted.round_down_to(instrument.lot_step);
    if lots < instrument.lot_step {
        return Err(Denial::LotsTooSmall { wanted, minimum: instrument.lot_step });
    }
    if lots > instrument.lot_max {
        return Err(Denial::LotsTooLarge { wanted, maximum: instrument.lot_max });
    }
    Ok(lots)
}

/// From when on the order is no longer good, where its kind can be good for that long.
pub(super) fn expiry(ticket: &Ticket, now: Millis, day_end: Option<Millis>) -> Result<Option<Millis>, Denial> {
    let (kind, time) = (ticket.kind, ticket.time_in_force);
    let fits = match time {
        TimeInForce::Gtc => true,
        TimeInForce::Gtd(_) | TimeInForce::Day => kind.is_pending(),
        // A stop waits by its nature.
        TimeInForce::Ioc | TimeInForce::Fok => kind.stop().is_none(),
    };
    if !fits {
        return Err(Denial::TimeInForceUnfit { kind: kind.name().to_owned(), time_in_force: time.name().to_owned() });
    }
    match time {
        TimeInForce::Gtd(expires_at) if expires_at <= now => Err(Denial::ExpiryInPast { expires_at, now }),
        TimeInForce::Gtd(expires_at) => Ok(Some(expires_at)),
        TimeInForce::Day => Ok(day_end),
        TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok => Ok(None),
    }
}

/// Rounds the prices of a kind to ticks and checks that the order waits where it says it does.
pub(super) fn kind(ticket: &Ticket, quote: &Quote, instrument: &Instrument) -> Result<OrderKind, Denial> {
    let (side, price) = (ticket.side, entry_price(ticket.side, quote));
    let tick = |level: Price| level.round_down_to(instrument.tick_size);
    let below = side == Side::Buy;
    let limit = |level: Price| {
        let level = positive("limit", tick(level), price)?;
        // What must trade at once may name any limit.
        if ticket.time_in_force.is_immediate() { Ok(level) } else { apart("limit", level, price, below, instrument) }
    };
    let stop = |level: Price| {
        let level = positive("stop", tick(level), price)?;
        apart("stop", level, price, !below, instrument)
    };
    Ok(match ticket.kind {
        OrderKind::Market => OrderKind::Market,
        OrderKind::Limit { price } => OrderKind::Limit { price: limit(price)? },
        OrderKind::Stop { price } => OrderKind::Stop { price: stop(price)? },
        // Its limit counts from the stop on: there it may lie on either side.
        OrderKind::StopLimit { stop: at, limit } => {
            OrderKind::StopLimit { stop: stop(at)?, limit: positive("limit", tick(limit), price)? }
        }
        OrderKind::TrailingStop { stop: at, trail: how } => {
            OrderKind::TrailingStop { stop: stop(at)?, trail: trail(how, instrument)? }
        }
    })
}

fn positive(which: &str, level: Price, price: Price) -> Result<Price, Denial> {
    if level > Price::ZERO {
        return Ok(level);
    }
    Err(Denial::PriceOnWrongSide { which: which.to_owned(), level, price })
}

/// Checks that a level lies below (above) the price, and far enough.
fn apart(which: &str, level: Price, price: Price, below: bool, instrument: &Instrument) -> Result<Price, Denial> {
    let which = || which.to_owned();
    let distance = if below { price.saturating_sub(level) } else { level.saturating_sub(price) };
    let minimum = instrument.price_distance_min();
    if distance <= Price::ZERO {
        Err(Denial::PriceOnWrongSide { which: which(), level, price })
    } else if distance < minimum {
        Err(Denial::PriceTooClose { which: which(), level, price, minimum })
    } else {
        Ok(level)
    }
}

/// A trailing distance in whole ticks, with a step of at least one.
fn trail(wanted: Trail, instrument: &Instrument) -> Result<Trail, Denial> {
    let minimum = instrument.price_distance_min();
    let distance = wanted.distance.round_down_to(instrument.tick_size);
    if distance < minimum {
        return Err(Denial::TrailTooSmall { distance: wanted.distance, minimum });
    }
    let step = wanted.step.round_down_to(instrument.tick_size).max(instrument.tick_size);
    Ok(Trail { distance, step })
}

/// The levels of an order, checked against the price at which its position would be closed when it is opened.
pub(super) fn attached(
    levels: Levels,
    side: Side,
    kind: OrderKind,
    quote: &Quote,
    instrument: &Instrument,
) -> Result<Levels, Denial> {
    let exit = kind.price().unwrap_or_else(|| exit_price(side, quote));
    Ok(Levels {
        stop_loss: level(levels.stop_loss, "stop-loss", side, exit, instrument)?,
        take_profit: level(levels.take_profit, "take-profit", side.opposite(), exit, instrument)?,
        trail: levels.trail.map(|how| trail(how, instrument)).transpose()?,
    })
}

/// The levels of an open position: as those of an order, and no nearer to the price than the venue takes.
pub(super) fn guarding(levels: Levels, side: Side, quote: &Quote, instrument: &Instrument) -> Result<Levels, Denial> {
    let shaped = attached(levels, side, OrderKind::Market, quote, instrument)?;
    let (exit, below) = (exit_price(side, quote), side == Side::Buy);
    for (which, level, below) in [("stop-loss", shaped.stop_loss, below), ("take-profit", shaped.take_profit, !below)] {
        level.map(|level| apart(which, level, exit, below, instrument)).transpose()?;
    }
    Ok(shaped)
}

/// Rounds a level to the tick and checks that it lies where `side` loses: below the price for a buy.
fn level(
    level: Option<Price>,
    which: &str,
    side: Side,
    price: Price,
    instrument: &Instrument,
) -> Result<Option<Price>, Denial> {
    let Some(level) = level.map(|l| l.round_down_to(instrument.tick_size)) else { return Ok(None) };
    let right = level > Price::ZERO
        && match side {
            Side::Buy => level < price,
            Side::Sell => level > price,
        };
    if right { Ok(Some(level)) } else { Err(Denial::StopOnWrongSide { which: which.to_owned(), level, price }) }
}
