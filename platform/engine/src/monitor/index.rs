//! The price index: for each instrument, accounts sorted by the price at which their equity could reach a wake level.
//!
//! An account stands in it with bands: as long as every price that moves it stays within its band, its equity lies
//! strictly between its wake levels. So a quote concerns only the accounts whose bands it leaves, and these stand
//! at the ends of sorted sets. An account moved by one price has the exact band; one moved by several shares the money
//! that is left to each level among them, and shares anew whenever it was looked at. A look is never late; it may be
//! early, and then it finds nothing.

use super::{
    drivers::{Driver, Gauge, Shape},
    extremes::{Extremes, Range},
    marks::Ranges,
};
use marque_domain::{
    bar::Quote,
    fixed::{Money, Price, SCALE},
    id::{AccountId, InstrumentId},
};
use std::collections::{BTreeMap, BTreeSet};

/// Prices of one gauge between which an account need not be looked at, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    instrument: InstrumentId,
    gauge: Gauge,
    low: i64,
    high: i64,
}

/// Where an account stands in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Footing {
    bands: Vec<Band>,
    always: Vec<InstrumentId>,
    trust: Option<Trust>,
}

/// An account whose best equity is worked out from the best price since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trust {
    pub instrument: InstrumentId,
    /// Whether it gains when the price rises.
    pub rises: bool,
    pub since: u64,
}

/// Accounts sorted by the ends of their bands on one gauge.
#[derive(Debug, Default)]
struct Rungs {
    over: BTreeSet<(i64, AccountId)>,
    under: BTreeSet<(i64, AccountId)>,
}

impl Rungs {
    /// Collects the accounts whose bands this value leaves.
    fn left_at(&self, value: i64, out: &mut Vec<AccountId>) {
        out.extend(self.over.iter().take_while(|(high, _)| *high < value).map(|(_, account)| *account));
        out.extend(self.under.iter().rev().take_while(|(low, _)| *low > value).map(|(_, account)| *account));
    }

    fn insert(&mut self, band: &Band, account: AccountId) {
        if band.high < i64::MAX {
            self.over.insert((band.high, account));
        }
        if band.low > i64::MIN {
            self.under.insert((band.low, account));
        }
    }

    fn remove(&mut self, band: &Band, account: AccountId) {
        self.over.remove(&(band.high, account));
        self.under.remove(&(band.low, account));
    }
}

/// One instrument's part of the index.
#[derive(Debug, Default)]
struct Ladder {
    bid: Rungs,
    ask: Rungs,
    spread: Rungs,
    /// Accounts that every quote concerns.
    always: BTreeSet<AccountId>,
    /// Accounts whose best equity follows from `seen`.
    trusting: BTreeSet<AccountId>,
    seen: Extremes,
    /// The lowest and highest bid of each spread in `seen` since the last mark.
    ranges: BTreeMap<i64, (Price, Price)>,
}

impl Ladder {
    const fn rungs(&mut self, gauge: Gauge) -> &mut Rungs {
        match gauge {
            Gauge::Bid => &mut self.bid,
            Gauge::Ask => &mut self.ask,
            Gauge::Spread => &mut self.spread,
        }
    }
}

/// The wake levels of an account, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// What it is worth now.
    pub equity: Money,
    /// Look at or below this.
    pub below: Money,
    /// Look at or above this.
    pub above: Money,
    /// Positions: each rounds once.
    pub positions: usize,
}

/// Accounts by the prices that concern them.
#[derive(Debug, Default)]
pub(super) struct PriceIndex {
    ladders: BTreeMap<InstrumentId, Ladder>,
}

impl PriceIndex {
    /// Takes a quote; collects the accounts it can concern, in the order of their ids.
    pub fn moved(&mut self, quote: &Quote, out: &mut Vec<AccountId>) {
        out.clear();
        let Some(ladder) = self.ladders.get_mut(&quote.instrument) else { return };
        if !ladder.trusting.is_empty() {
            ladder.seen.push(quote);
            let range = ladder.ranges.entry(Gauge::Spread.read(quote)).or_insert((quote.bid, quote.bid));
            *range = (range.0.min(quote.bid), range.1.max(quote.bid));
            if ladder.seen.is_full() {
                // All of them are looked at and start from this moment.
                out.extend(&ladder.trusting);
                ladder.seen.forget();
            }
        }
        ladder.bid.left_at(Gauge::Bid.read(quote), out);
        ladder.ask.left_at(Gauge::Ask.read(quote), out);
        ladder.spread.left_at(Gauge::Spread.read(quote), out);
        out.extend(&ladder.always);
        if out.len() > 1 {
            out.sort_unstable();
            out.dedup();
        }
    }

    /// The present moment of an instrument, for [`Trust::since`].
    pub fn moment(&self, instrument: InstrumentId) -> u64 {
        self.ladders.get(&instrument).map_or(0, |ladder| ladder.seen.now())
    }

    /// The prices since the account was last settled at one of which it was worth most.
    pub fn since(&self, trust: &Trust) -> impl Iterator<Item = Range> + '_ {
        let since = trust.since;
        self.ladders.get(&trust.instrument).into_iter().flat_map(move |ladder| ladder.seen.since(since))
    }

    /// The ranges of bids, by instrument and spread, since this was last asked for, as far as somebody's best equity
    /// follows from them.
    pub fn take_ranges(&mut self) -> Ranges {
        let taken = self.ladders.iter_mut().flat_map(|(id, ladder)| {
            let ranges = core::mem::take(&mut ladder.ranges).into_iter();
            ranges.map(|(spread, (low, high))| (*id, spread, low, high))
        });
        taken.collect()
    }

    /// Puts an account where its equity and levels say, and takes it away from where it stood.
    pub fn place(&mut self, account: AccountId, footing: &mut Footing, shape: Option<&Shape>, reach: &Reach) {
        let next = match shape {
            None => Footing::default(),
            Some(Shape::Opaque(instruments)) => Footing { always: instruments.clone(), ..Footing::default() },
            Some(Shape::Sum { drivers, one_sided, follows }) => Footing {
                bands: bands(drivers, reach, *one_sided),
                trust: follows.map(|(instrument, rises)| Trust { instrument, rises, since: self.moment(instrument) }),
                ..Footing::default()
            },
        };
        if next != *footing {
            self.clear(account, footing);
            self.enter(account, &next);
            *footing = next;
        }
    }

    fn enter(&mut self, account: AccountId, footing: &Footing) {
        for band in &footing.bands {
            self.ladder(band.instrument).rungs(band.gauge).insert(band, account);
        }
        for instrument in &footing.always {
            self.ladder(*instrument).always.insert(account);
        }
        if let Some(trust) = &footing.trust {
            self.ladder(trust.instrument).trusting.insert(account);
        }
    }

    fn clear(&mut self, account: AccountId, footing: &Footing) {
        for band in &footing.bands {
            self.ladder(band.instrument).rungs(band.gauge).remove(band, account);
        }
        for instrument in &footing.always {
            self.ladder(*instrument).always.remove(&account);
        }
        if let Some(trust) = &footing.trust {
            self.ladder(trust.instrument).trusting.remove(&account);
        }
    }

    fn ladder(&mut self, instrument: InstrumentId) -> &mut Ladder {
        self.ladders.entry(instrument).or_default()
    }
}

impl Footing {
    /// How the account's best equity is worked out, when it is.
    pub const fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// From now on: what was before is accounted for.
    pub const fn settled(&mut self, now: u64) {
        if let Some(trust) = &mut self.trust {
            trust.since = now;
        }
    }
}

/// The bands within which equity lies strictly between the levels. Each driver gets a share of what is left, by how
/// much of the account it is, so that all would be used up by the same relative move.
fn bands(drivers: &[Driver], reach: &Reach, single: bool) -> Vec<Band> {
    let unlimited = |level: Money| single && matches!(level, Money::MIN | Money::MAX);
    // Each position rounds once now and once then; strictly between, so one unit more.
    let margin = i128::from(u32::try_from(reach.positions).unwrap_or(u32::MAX)) + 1;
    let left = |from: Money, to: Money| i128::from(to.units()) - i128::from(from.units()) - margin;
    let (up, down) = (left(reach.equity, reach.above), left(reach.below, reach.equity));
    let weights = weights(drivers);
    let total: i128 = weights.iter().sum::<i128>().max(1);
    let band = |(driver, weight): (&Driver, &i128)| {
        let slope = driver.slope.abs().max(1);
        let price = |left: i128| (left * weight / total) * i128::from(SCALE) / slope;
        let (gain, loss) = (price(up), price(down));
        let ((over, over_level), (under, under_level)) = if driver.slope > 0 {
            ((gain, reach.above), (loss, reach.below))
        } else {
            ((loss, reach.below), (gain, reach.above))
        };
        let within = |left: i128| i64::try_from(left.min(i128::from(driver.reach))).unwrap_or(driver.reach);
        Band {
            instrument: driver.instrument,
            gauge: driver.gauge,
            high: if unlimited(over_level) { i64::MAX } else { driver.value.saturating_add(within(over)) },
            low: if unlimited(under_level) { i64::MIN } else { driver.value.saturating_sub(within(under)) },
        }
    };
    if up < 0 || down < 0 {
        // A level is reached already: every quote concerns the account until its rules name other levels.
        return drivers
            .iter()
            .map(|d| Band { instrument: d.instrument, gauge: d.gauge, low: i64::MIN, high: i64::MIN })
            .collect();
    }
    drivers.iter().zip(&weights).map(band).collect()
}

/// Shares of drivers as numbers of at most 48 bits: the size of the position, for a spread a small part of it.
fn weights(drivers: &[Driver]) -> Vec<i128> {
    /// How much less a spread moves than a price, about.
    const SPREAD_PART: i128 = 64;
    let size = |d: &Driver| {
        let price = i128::from(d.reach.max(1));
        d.slope.abs().saturating_mul(if d.gauge == Gauge::Spread { (price / SPREAD_PART).max(1) } else { price })
    };
    let sizes: Vec<i128> = drivers.iter().map(size).collect();
    let largest = sizes.iter().copied().max().unwrap_or(1).max(1);
    let excess = (i128::BITS - largest.leading_zeros()).saturating_sub(48);
    sizes.into_iter().map(|size| (size >> excess).max(1)).collect()
}
