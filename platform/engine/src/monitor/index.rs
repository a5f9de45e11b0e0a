//! The price index: for each instrument, accounts sorted by the price at which their equity could reach a wake level.
//!
//! An account stands in it with bands: as long as every price that moves it stays within its band, its equity lies
//! strictly between its wake levels. So a quote concerns only the accounts whose bands it leaves, and these stand
//! at the ends of sorted sets. An account moved by one price has the exact band; one moved by several shares the money
//! that is left to each level among them, and shares anew whenever it was looked at. A look is never late; it may be
//! early, and then it finds nothing.

use super::{
    drivers::{Driver, Follows, Gauge, Shape},
    extremes::Extremes,
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
    pub follows: Follows,
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

    /// Answers whether nobody is left.
    fn remove(&mut self, band: &Band, account: AccountId) -> bool {
        self.over.remove(&(band.high, account));
        self.under.remove(&(band.low, account));
        self.over.is_empty() && self.under.is_empty()
    }
}

/// One instrument's part of the index.
#[derive(Debug, Default)]
struct Ladder {
    /// By what moves accounts: the bid, the ask, and what books on both sides follow. There are some dozens at most.
    rungs: BTreeMap<Gauge, Rungs>,
    /// Accounts that every quote concerns.
    always: BTreeSet<AccountId>,
    /// Accounts whose best equity follows from `seen`.
    trusting: BTreeSet<AccountId>,
    seen: Extremes,
    /// The lowest and highest bid of each spread in `seen` since the last mark.
    ranges: BTreeMap<i64, (Price, Price)>,
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
        for (gauge, rungs) in &ladder.rungs {
            rungs.left_at(gauge.read(quote), out);
        }
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

    /// Bids and asks since the account was last settled at one of which it was worth most.
    pub fn best_since(&self, trust: &Trust) -> impl Iterator<Item = (Price, Price)> + '_ {
        let Trust { follows, since, .. } = *trust;
        let seen = self.ladders.get(&trust.instrument).map(|ladder| &ladder.seen);
        let seen = seen.filter(|seen| seen.now() != since);
        // Who holds one side does not look at the other price.
        let alone = seen.and_then(|seen| match follows {
            Follows::Bid => seen.highest_bid(since).map(|bid| (bid, bid)),
            Follows::Ask => seen.lowest_ask(since).map(|ask| (ask, ask)),
            Follows::Net { .. } => None,
        });
        let net = seen.filter(|_| matches!(follows, Follows::Net { .. }));
        let ranges = net.into_iter().flat_map(move |seen| seen.since(since));
        alone.into_iter().chain(ranges.map(move |range| range.better(follows.rises())))
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
                trust: follows.map(|(instrument, follows)| Trust {
                    instrument,
                    follows,
                    since: self.moment(instrument),
                }),
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
            self.ladder(band.instrument).rungs.entry(band.gauge).or_default().insert(band, account);
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
            let rungs = &mut self.ladder(band.instrument).rungs;
            if rungs.get_mut(&band.gauge).is_some_and(|on| on.remove(band, account)) {
                rungs.remove(&band.gauge);
            }
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
        let within = |left: i128| {
            let left = i64::try_from(left.min(i128::from(driver.reach))).unwrap_or(driver.reach);
            left.saturating_mul(driver.over.gauge.scale())
        };
        driver.bands(
            if unlimited(under_level) { i64::MIN } else { driver.under.value.saturating_sub(within(under)) },
            if unlimited(over_level) { i64::MAX } else { driver.over.value.saturating_add(within(over)) },
        )
    };
    if up < 0 || down < 0 {
        // A level is reached already: every quote concerns the account until its rules name other levels.
        return drivers.iter().flat_map(|driver| driver.bands(i64::MIN, i64::MIN)).collect();
    }
    drivers.iter().zip(&weights).flat_map(band).collect()
}

impl Driver {
    /// What it may show between `low` and `high`.
    fn bands(&self, low: i64, high: i64) -> impl Iterator<Item = Band> + use<> {
        let instrument = self.instrument;
        let band = move |gauge: Gauge, low: i64, high: i64| Band { instrument, gauge, low, high };
        let (under, over) = (self.under.gauge, self.over.gauge);
        let bands = if under == over {
            [Some(band(under, low, high)), None]
        } else {
            [Some(band(under, low, i64::MAX)), Some(band(over, i64::MIN, high))]
        };
        bands.into_iter().flatten().filter(|band| band.low > i64::MIN || band.high < i64::MAX)
    }
}

/// Shares of drivers as numbers of at most 48 bits: the size of the position, for a spread a small part of it.
fn weights(drivers: &[Driver]) -> Vec<i128> {
    /// How much less a spread moves than a price, about.
    const SPREAD_PART: i128 = 64;
    let size = |d: &Driver| {
        let price = i128::from(d.reach.max(1));
        d.slope.abs().saturating_mul(if d.over.gauge == Gauge::Spread { (price / SPREAD_PART).max(1) } else { price })
    };
    let sizes: Vec<i128> = drivers.iter().map(size).collect();
    let largest = sizes.iter().copied().max().unwrap_or(1).max(1);
    let excess = (i128::BITS - largest.leading_zeros()).saturating_sub(48);
    sizes.into_iter().map(|size| (size >> excess).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::drivers::{Net, add_drivers},
        *,
    };
    use marque_domain::time::Millis;
    use proptest::prelude::*;

    const EURUSD: InstrumentId = InstrumentId(1);

    fn quote((bid, spread): (i64, i64)) -> Quote {
        let (bid, ask) = (Price::from_units(bid), Price::from_units(bid + spread));
        Quote { instrument: EURUSD, at: Millis(0), bid, ask }
    }

    /// What a book gains between two quotes, times [`SCALE`].
    fn gained(net: &Net, from: &Quote, to: &Quote) -> i128 {
        let moved = |from: Price, to: Price| i128::from(to.units()) - i128::from(from.units());
        net.long * moved(from.bid, to.bid) - net.short * moved(from.ask, to.ask)
    }

    /// The bid at which a book has gained this much at a spread, rounded somehow.
    fn bid_at(net: &Net, from: &Quote, spread: i64, gain: i128) -> i64 {
        let open = net.long - net.short;
        let widened = i128::from(spread - (from.ask.units() - from.bid.units())) * net.short;
        from.bid.units() + i64::try_from((gain * i128::from(SCALE) + widened) / open).unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_096, ..ProptestConfig::default() })]

        /// Around the prices at which a level is reached, whatever the spread is by then: as long as no band is left,
        /// equity lies strictly between the levels.
        #[test]
        fn a_hedged_book_is_never_looked_at_late(
            (long, short) in (1..9_000_i128, 1..9_000_i128), first in (100_000_000..150_000_000_i64, 0..90_000_i64),
            (loss, gain) in (1..9_000_000_i64, 1..9_000_000_i64), spread in 0..400_000_i64, off in -400..400_i64,
        ) {
            prop_assume!(long != short);
            let net = Net { instrument: EURUSD, long: long * 100_000_000_000, short: short * 100_000_000_000 };
            let (first, mut drivers) = (quote(first), Vec::new());
            add_drivers(&net, &first, &mut drivers);
            let equity = Money::whole(100_000);
            let away = |cents: i64| Money::from_units(cents * 1_000_000);
            let reach = Reach {
                equity, below: equity.saturating_sub(away(loss)), above: equity.saturating_add(away(gain)), positions: 2,
            };
            let bands = bands(&drivers, &reach, false);
            let concerns = |quote: &Quote| {
                bands.iter().any(|band| !(band.low..=band.high).contains(&band.gauge.read(quote)))
            };
            prop_assert!(!concerns(&first) || loss.min(gain) < 10_000_000, "looked at where it stands");
            for level in [-i128::from(away(loss).units()), i128::from(away(gain).units())] {
                let next = quote((bid_at(&net, &first, spread, level) + off, spread));
                let gained = gained(&net, &first, &next);
                let scale = i128::from(SCALE);
                let inside = -i128::from(away(loss).units()) * scale < gained && gained < i128::from(away(gain).units()) * scale;
                prop_assert!(inside || concerns(&next), "late: {next:?}");
            }
            // With the spread of the first quote, half the way to either level is nothing to look at, but for a part of it;
            // where book and hedge are followed apart, each has only its share of the way.
            let together = drivers.len() == 1;
            let spread = first.ask.units() - first.bid.units();
            let dear = (long.min(short) / 8 + (long - short).abs() / 64 + 1) * i128::from(spread) * 1_000;
            for level in [-i128::from(away(loss).units()), i128::from(away(gain).units())] {
                let near = quote((bid_at(&net, &first, spread, level / 2), spread));
                let early = together && level.abs() / 2 > dear + 1_000_000 && near.bid.units() > first.bid.units() / 2 && near.bid.units() < first.bid.units() * 3 / 2;
                prop_assert!(!early || !concerns(&near), "early: {near:?} {bands:?}");
            }
        }
    }
}
