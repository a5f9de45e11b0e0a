//! What moves an account's equity: the prices it depends on, and how much equity changes with each.
//!
//! A long position is worth its units times the bid, a short one loses them times the ask. A hedged book in one
//! instrument is the net position and, for the part that is hedged, the spread: `L·bid − S·ask = (L − S)·bid − S·(ask −
//! bid)`. So equity is a sum over drivers, up to one rounding in each position.

use crate::{convert::Route, market::Market, state::AccountState};
use marque_domain::{
    bar::Quote,
    fixed::{Money, SCALE},
    id::InstrumentId,
    order::Side,
};
use std::collections::BTreeSet;

/// A price of an instrument that positions are worth something by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gauge {
    /// What longs are closed at.
    Bid,
    /// What shorts are closed at.
    Ask,
    /// What a hedge costs.
    Spread,
}

impl Gauge {
    /// What it shows in a quote, in units of 1e-8.
    pub const fn read(self, quote: &Quote) -> i64 {
        match self {
            Self::Bid => quote.bid.units(),
            Self::Ask => quote.ask.units(),
            Self::Spread => quote.ask.units() - quote.bid.units(),
        }
    }
}

/// One price that moves an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Driver {
    pub instrument: InstrumentId,
    pub gauge: Gauge,
    /// What the gauge shows now.
    pub value: i64,
    /// How far it may move while the sum surely holds: nothing overflows within.
    pub reach: i64,
    /// Equity changes by `slope / SCALE` for each unit of the price.
    pub slope: i128,
}

/// An account's equity as a function of prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A sum over drivers.
    Sum {
        /// The prices.
        drivers: Vec<Driver>,
        /// All positions are of one side in one instrument: equity never falls when the price moves in its favour.
        one_sided: bool,
        /// The instrument when it is one, and whether the book gains when its price rises and the spread stays.
        follows: Option<(InstrumentId, bool)>,
    },
    /// Something else (a conversion through another instrument, a missing price, numbers near the limits): only a look
    /// tells. With the instruments that move it.
    Opaque(Vec<InstrumentId>),
}

/// The longs and shorts of one instrument, in lots times contract size.
struct Net {
    instrument: InstrumentId,
    long: i128,
    short: i128,
}

/// Works out what moves an account; nothing when it holds nothing.
pub(super) fn shape(account: &AccountState, market: &Market) -> Option<Shape> {
    let nets = nets(account, market)?;
    if !is_plain(account, market) {
        return Some(Shape::Opaque(movers(&nets, account, market)));
    }
    let mut drivers = Vec::with_capacity(nets.len());
    for net in &nets {
        if let Some(quote) = market.last(net.instrument) {
            add_drivers(net, quote, &mut drivers);
        }
    }
    let one_sided = matches!(nets.as_slice(), [Net { short: 0, .. } | Net { long: 0, .. }]);
    let follows = match nets.as_slice() {
        [net] if one_sided || is_whole(account, market) => Some((net.instrument, net.long >= net.short)),
        _ => None,
    };
    Some(Shape::Sum { drivers, one_sided, follows })
}

/// Whether no position's profit is ever rounded: only then the sum of both sides rises and falls as its net does.
fn is_whole(account: &AccountState, market: &Market) -> bool {
    account.positions.iter().all(|position| {
        let size = market.instrument(position.instrument).map_or(1, |i| i128::from(i.contract_size));
        (i128::from(position.lots.units()) * size) % i128::from(SCALE) == 0
    })
}

fn nets(account: &AccountState, market: &Market) -> Option<Vec<Net>> {
    let mut nets: Vec<Net> = Vec::new();
    for position in &account.positions {
        let size = market.instrument(position.instrument).map_or(0, |i| i128::from(i.contract_size));
        let units = i128::from(position.lots.units()) * size;
        let known = nets.iter().position(|net| net.instrument == position.instrument);
        let index = known.unwrap_or_else(|| {
            nets.push(Net { instrument: position.instrument, long: 0, short: 0 });
            nets.len() - 1
        });
        if let Some(net) = nets.get_mut(index) {
            match position.side {
                Side::Buy => net.long += units,
                Side::Sell => net.short += units,
            }
        }
    }
    (!nets.is_empty()).then_some(nets)
}

/// Whether equity is a plain sum: every profit is in the account's own currency, every price is there, and nothing
/// comes near the limits of the numbers even if prices move by their [`Driver::reach`].
fn is_plain(account: &AccountState, market: &Market) -> bool {
    let mut gross = i128::from(account.balance.units()).abs();
    for position in &account.positions {
        let (Some(quote), Some(instrument)) =
            (market.last(position.instrument), market.instrument(position.instrument))
        else {
            return false;
        };
        if instrument.quote != account.terms.currency {
            return false;
        }
        let units = i128::from(position.lots.units()) * i128::from(instrument.contract_size);
        let price = i128::from(quote.ask.units()).saturating_mul(4).max(i128::from(position.open_price.units()));
        gross = gross.saturating_add(units.saturating_mul(price) / i128::from(SCALE));
    }
    gross < i128::from(Money::MAX.units()) / 2
}

/// The instruments whose quotes change what the account is worth.
fn movers(nets: &[Net], account: &AccountState, market: &Market) -> Vec<InstrumentId> {
    let mut movers: BTreeSet<InstrumentId> = nets.iter().map(|net| net.instrument).collect();
    for net in nets {
        let quoted = market.instrument(net.instrument).map(|i| i.quote);
        let route = quoted.and_then(|quote| market.route(quote, account.terms.currency));
        movers.extend(route.into_iter().flat_map(Route::legs).map(|leg| leg.instrument));
    }
    movers.into_iter().collect()
}

fn add_drivers(net: &Net, quote: &Quote, drivers: &mut Vec<Driver>) {
    let mut add = |gauge: Gauge, slope: i128| {
        if slope != 0 {
            let (value, reach) = (gauge.read(quote), quote.bid.units());
            drivers.push(Driver { instrument: net.instrument, gauge, value, reach, slope });
        }
    };
    if net.long == 0 {
        add(Gauge::Ask, -net.short);
    } else {
        add(Gauge::Bid, net.long - net.short);
        add(Gauge::Spread, -net.short);
    }
}
