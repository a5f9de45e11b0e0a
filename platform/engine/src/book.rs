//! What positions are worth and bind, at the market's last quotes.

use crate::{
    convert::Rate,
    market::Market,
    port::ExposureView,
    state::AccountState,
    venue::{entry_price, exit_price},
};
use marque_domain::{
    bar::Quote,
    fixed::{FixedError, Lots, Money, Price, SCALE},
    id::{InstrumentId, OrderId},
    instrument::{Currency, Instrument},
    order::{Order, Position, Purpose, Side},
};
use std::collections::BTreeMap;

/// What a position of this side earns between two prices, converted and rounded once.
pub fn profit(
    side: Side,
    from: Price,
    to: Price,
    lots: Lots,
    instrument: &Instrument,
    rate: Rate,
) -> Result<Money, FixedError> {
    let (from, to) = match side {
        Side::Buy => (from, to),
        Side::Sell => (to, from),
    };
    let moved = i128::from(to.units()) - i128::from(from.units());
    let quantity = i128::from(lots.units()) * i128::from(instrument.contract_size);
    rate.convert(moved.checked_mul(quantity).ok_or(FixedError::Overflow)?, i128::from(SCALE))
}

/// What closing the position now would bring in the account's currency; nothing while there is no quote.
pub fn floating(position: &Position, currency: Currency, market: &Market) -> Money {
    market
        .last(position.instrument)
        .map_or(Money::ZERO, |q| floating_at(position, exit_price(position.side, q), currency, market))
}

/// What closing the position at a price would bring.
fn floating_at(position: &Position, to: Price, currency: Currency, market: &Market) -> Money {
    let Some(instrument) = market.instrument(position.instrument) else { return Money::ZERO };
    let Some(rate) = market.rate(instrument.quote, currency) else { return Money::ZERO };
    gain(position, to, instrument, rate)
}

fn gain(position: &Position, to: Price, instrument: &Instrument, rate: Rate) -> Money {
    profit(position.side, position.open_price, to, position.lots, instrument, rate)
        .unwrap_or_else(|_| overflowed(position.side, position.open_price, to))
}

/// A gain or loss beyond 92 billion is held at that limit: enough for every rule to see it.
pub fn overflowed(side: Side, from: Price, to: Price) -> Money {
    if (to > from) == (side == Side::Buy) { Money::MAX } else { Money::MIN }
}

/// Balance plus what all open positions would bring.
pub fn equity(account: &AccountState, market: &Market) -> Money {
    worth(account, |p| floating(p, account.terms.currency, market))
}

/// Equity if all positions were closed at these prices: for an account whose positions are in one instrument.
pub fn equity_at(account: &AccountState, bid: Price, ask: Price, market: &Market) -> Money {
    worth(account, |p| floating_at(p, if p.side == Side::Buy { bid } else { ask }, account.terms.currency, market))
}

/// Equity if one instrument still stood at this quote: where it is held, and where it converts.
pub fn equity_before(account: &AccountState, before: &Quote, market: &Market) -> Money {
    let quote = |id: InstrumentId| if id == before.instrument { Some(before) } else { market.last(id) };
    worth(account, |p| {
        let (Some(instrument), Some(last)) = (market.instrument(p.instrument), quote(p.instrument)) else {
            return Money::ZERO;
        };
        let rate = market.route(instrument.quote, account.terms.currency).and_then(|route| Rate::of(route, quote));
        rate.map_or(Money::ZERO, |rate| gain(p, exit_price(p.side, last), instrument, rate))
    })
}

fn worth(account: &AccountState, floating: impl Fn(&Position) -> Money) -> Money {
    account.positions.iter().fold(account.balance, |sum, p| sum.saturating_add(floating(p)))
}

/// The margin that `lots` bind at this price, converted and rounded once.
pub fn margin(
    lots: Lots,
    price: Price,
    leverage: i64,
    instrument: &Instrument,
    rate: Rate,
) -> Result<Money, FixedError> {
    let units = i128::from(lots.units()) * i128::from(instrument.contract_size);
    let product = units.checked_mul(i128::from(price.units())).ok_or(FixedError::Overflow)?;
    rate.convert(product, i128::from(SCALE) * i128::from(leverage.max(1)))
}

/// The margin that all open positions bind, at their opening prices.
pub fn margin_used(account: &AccountState, market: &Market) -> Money {
    account.positions.iter().fold(Money::ZERO, |sum, p| {
        let bound = market.instrument(p.instrument).and_then(|i| {
            let rate = market.rate(i.quote, account.terms.currency)?;
            margin(p.lots, p.open_price, account.terms.leverage, i, rate).ok()
        });
        sum.saturating_add(bound.unwrap_or(Money::MAX))
    })
}

/// How much of an order's lots would add to what is open: on a netting account, what goes beyond the opposite position.
pub fn added_lots(account: &AccountState, instrument: InstrumentId, side: Side, lots: Lots) -> Lots {
    let against = account.netted(instrument).filter(|p| p.side != side).map_or(Lots::ZERO, |p| p.lots);
    lots.saturating_sub(against).max(Lots::ZERO)
}

/// The margin that waiting orders would bind where they wait, without those of one group. Of a group only one can trade,
/// so it counts with its largest.
pub fn margin_waiting(account: &AccountState, market: &Market, without: Option<OrderId>) -> Money {
    let mut groups: BTreeMap<OrderId, Money> = BTreeMap::new();
    for order in account.orders.iter().filter(|o| o.purpose == Purpose::Open && Some(o.group()) != without) {
        let largest = groups.entry(order.group()).or_insert(Money::ZERO);
        *largest = (*largest).max(margin_of(account, market, order));
    }
    groups.into_values().fold(Money::ZERO, Money::saturating_add)
}

/// The margin that what is left of an order would bind.
fn margin_of(account: &AccountState, market: &Market, order: &Order) -> Money {
    let (Some(quote), Some(instrument)) = (market.last(order.instrument), market.instrument(order.instrument)) else {
        return Money::MAX;
    };
    let price = order.kind.price().unwrap_or_else(|| entry_price(order.side, quote));
    let added = added_lots(account, order.instrument, order.side, order.remaining());
    let Some(rate) = market.rate(instrument.quote, account.terms.currency) else { return Money::MAX };
    margin(added, price, account.terms.leverage, instrument, rate).unwrap_or(Money::MAX)
}

/// The open positions as rules see them.
pub fn exposures(account: &AccountState, market: &Market, out: &mut Vec<ExposureView>) {
    out.clear();
    out.extend(account.positions.iter().map(|p| ExposureView {
        instrument: p.instrument,
        side: p.side,
        lots: p.lots,
        profit: floating(p, account.terms.currency, market),
    }));
}
