//! What moves an account's equity: the prices it depends on, and how much equity changes with each.
//!
//! A long position is worth its units times the bid, a short one loses them times the ask. A book on both sides of one
//! instrument, long on balance, follows the bid less a part of the spread: `L·bid − S·ask = (L − S)·(bid − S/(L − S)·(ask
//! − bid))`; short on balance, the ask plus such a part; hedged whole, the spread alone. So equity is a sum over drivers, up
//! to one rounding in each position. Parts of the spread are rounded to few values ([`Gauge::BidLess`]), so that books
//! stand together in few sorted sets; each end of a band is rounded so that a look is early and never late.

use crate::{convert::Route, market::Market, state::AccountState};
use marque_domain::{
    bar::Quote,
    fixed::{Money, SCALE},
    id::InstrumentId,
    order::Side,
};
use std::collections::BTreeSet;

/// A price of an instrument that positions are worth something by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gauge {
    /// What longs are closed at.
    Bid,
    /// What shorts are closed at.
    Ask,
    /// What a hedge costs.
    Spread,
    /// The bid less so many 64ths of the spread, in 64ths.
    BidLess(u32),
    /// The ask plus so many 64ths of the spread, in 64ths.
    AskPlus(u32),
}

/// In how many parts a spread is taken.
const PARTS: i64 = 64;
/// The largest multiple of the spread that is followed exactly; beyond it the book and its hedge are followed apart.
const MULTIPLE_MAX: i64 = 1_024;

impl Gauge {
    /// What it shows in a quote, in units of 1e-8 divided by its [`Gauge::scale`]. No quote has its bid above its ask.
    pub fn read(self, quote: &Quote) -> i64 {
        let (bid, ask) = (quote.bid.units(), quote.ask.units());
        let part = |parts: u32| (ask - bid).saturating_mul(i64::from(parts));
        match self {
            Self::Bid => bid,
            Self::Ask => ask,
            Self::Spread => ask - bid,
            Self::BidLess(parts) => bid.saturating_mul(PARTS).saturating_sub(part(parts)),
            Self::AskPlus(parts) => ask.saturating_mul(PARTS).saturating_add(part(parts)),
        }
    }

    /// By how much finer than a price it shows.
    pub const fn scale(self) -> i64 {
        match self {
            Self::Bid | Self::Ask | Self::Spread => 1,
            Self::BidLess(_) | Self::AskPlus(_) => PARTS,
        }
    }
}

/// One end of what an account may see: on which gauge, and where the account stands on it now. That is not always what
/// the gauge shows: its part of the spread is rounded, and this is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub gauge: Gauge,
    pub value: i64,
}

/// What an account whose best equity is worked out from prices follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is long: the highest bid.
    Bid,
    /// It is short: the lowest ask.
    Ask,
    /// It is both: of each spread the better end of the prices.
    Net {
        /// Whether it gains when the price rises and the spread stays.
        rises: bool,
    },
}

impl Follows {
    /// Whether it gains when the price rises.
    pub const fn rises(self) -> bool {
        matches!(self, Self::Bid | Self::Net { rises: true })
    }
}

/// One price that moves an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Driver {
    pub instrument: InstrumentId,
    /// Where it falls out of a band.
    pub under: End,
    /// Where it rises out of it.
    pub over: End,
    /// How far the price may move while the sum surely holds: nothing overflows within.
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
        /// The instrument when it is one, and which of its prices decide about the best equity.
        follows: Option<(InstrumentId, Follows)>,
    },
    /// Something else (a conversion through another instrument, a missing price, numbers near the limits): only a look
    /// tells. With the instruments that move it.
    Opaque(Vec<InstrumentId>),
}

/// The longs and shorts of one instrument, in lots times contract size.
pub(super) struct Net {
    pub instrument: InstrumentId,
    pub long: i128,
    pub short: i128,
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
        [net] if net.short == 0 => Some((net.instrument, Follows::Bid)),
        [net] if net.long == 0 => Some((net.instrument, Follows::Ask)),
        [net] if is_whole(account, market) => Some((net.instrument, Follows::Net { rises: net.long >= net.short })),
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

/// What moves the positions of one instrument.
pub(super) fn add_drivers(net: &Net, quote: &Quote, drivers: &mut Vec<Driver>) {
    let (instrument, reach) = (net.instrument, quote.bid.units());
    let mut add = |slope: i128, (under, over): (End, End)| {
        if slope != 0 {
            drivers.push(Driver { instrument, under, over, reach, slope });
        }
    };
    let plain = |gauge: Gauge| {
        let end = End { gauge, value: gauge.read(quote) };
        (end, end)
    };
    let slope = net.long - net.short;
    if net.long == 0 {
        add(slope, plain(Gauge::Ask));
    } else if net.short == 0 {
        add(slope, plain(Gauge::Bid));
    } else if let Some(ends) = skewed(net, quote) {
        add(slope, ends);
    } else {
        add(slope, plain(Gauge::Bid));
        add(-net.short, plain(Gauge::Spread));
    }
}

/// The ends of a book on both sides that is long or short on balance. Below, a gauge that never shows more than what the
/// book follows; above, one that never shows less.
fn skewed(net: &Net, quote: &Quote) -> Option<(End, End)> {
    let (hedged, open) = (net.long.min(net.short), (net.long - net.short).abs());
    // In parts of the spread: hedged / open of it.
    let parts = hedged.checked_mul(i128::from(PARTS))?;
    let (least, most) = (rounded_down(parts.checked_div(open)?)?, rounded_up(div_up(parts, open)?)?);
    let spread = i128::from(quote.ask.units() - quote.bid.units());
    let moved = parts.checked_mul(spread)?;
    let (part, part_up) = (moved / open, div_up(moved, open)?);
    let at = |price: i64, moved: i128| i64::try_from(i128::from(price) * i128::from(PARTS) + moved).ok();
    Some(if net.long > net.short {
        let bid = quote.bid.units();
        (
            End { gauge: Gauge::BidLess(most), value: at(bid, -part)? },
            End { gauge: Gauge::BidLess(least), value: at(bid, -part_up)? },
        )
    } else {
        let ask = quote.ask.units();
        (
            End { gauge: Gauge::AskPlus(least), value: at(ask, part_up)? },
            End { gauge: Gauge::AskPlus(most), value: at(ask, part)? },
        )
    })
}

fn div_up(value: i128, by: i128) -> Option<i128> {
    value.checked_add(by - 1)?.checked_div(by)
}

/// A number of parts with four significant bits, not above this.
fn rounded_down(parts: i128) -> Option<u32> {
    let parts = u32::try_from(parts).ok().filter(|parts| i64::from(*parts) <= MULTIPLE_MAX * PARTS)?;
    let low = u32::BITS.saturating_sub(parts.leading_zeros()).saturating_sub(4);
    Some(parts >> low << low)
}

/// A number of parts with four significant bits, not below this.
fn rounded_up(parts: i128) -> Option<u32> {
    let down = rounded_down(parts)?;
    if i128::from(down) == parts {
        return Some(down);
    }
    let low = u32::BITS.saturating_sub(down.leading_zeros()).saturating_sub(4);
    Some(down + (1 << low))
}
