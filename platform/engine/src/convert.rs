//! From one currency to another, at the market's last quotes.
//!
//! Owns: which instruments lead from a currency to another, and the one rounding of what is converted. Refuses to know:
//! what is converted.
//!
//! A rate is the middle between bid and ask: what an account is worth must not depend on the direction in which somebody
//! would have to trade to make it so. There are three ways, in this order: an instrument that is quoted so (EURUSD from
//! EUR to USD), one that is quoted the other way round (from USD to EUR), and two of them through USD. Where none has a
//! quote there is no rate, and nothing is opened that would need it.

use crate::market::Market;
use marque_domain::{
    fixed::{FixedError, Money, SCALE, round_div},
    id::InstrumentId,
    instrument::{Currency, Instrument},
};
use std::collections::BTreeMap;

/// The middle of a quote, as twice itself: `bid + ask` over this is the price.
const TWICE: i128 = 2 * SCALE as i128;

/// One instrument on the way, and in which direction it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub instrument: InstrumentId,
    /// From its quote currency to its base.
    pub inverse: bool,
}

/// The way from one currency to another: at most two instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route(pub [Option<Leg>; 2]);

impl Route {
    const SAME: Self = Self([None, None]);

    /// The instruments whose quotes make the rate.
    pub fn legs(self) -> impl Iterator<Item = Leg> {
        self.0.into_iter().flatten()
    }
}

/// The ways that a list of instruments opens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(BTreeMap<(Currency, Currency), Route>);

impl Routes {
    pub fn new<'a>(instruments: impl Iterator<Item = &'a Instrument>) -> Self {
        let mut legs: BTreeMap<(Currency, Currency), Leg> = BTreeMap::new();
        let mut inverse: BTreeMap<(Currency, Currency), Leg> = BTreeMap::new();
        for instrument in instruments {
            if let Some(base) = instrument.base() {
                let leg = |inverse| Leg { instrument: instrument.id, inverse };
                legs.entry((base, instrument.quote)).or_insert(leg(false));
                inverse.entry((instrument.quote, base)).or_insert(leg(true));
            }
        }
        // As quoted wins over the other way round.
        for (way, leg) in inverse {
            legs.entry(way).or_insert(leg);
        }
        let mut routes: BTreeMap<_, _> = legs.iter().map(|(way, leg)| (*way, Route([Some(*leg), None]))).collect();
        let to_usd = legs.iter().filter(|((_, to), _)| *to == Currency::USD);
        for ((from, _), first) in to_usd {
            let from_usd = legs.iter().filter(|((via, to), _)| *via == Currency::USD && to != from);
            for ((_, to), second) in from_usd {
                routes.entry((*from, *to)).or_insert(Route([Some(*first), Some(*second)]));
            }
        }
        Self(routes)
    }

    pub fn find(&self, from: Currency, to: Currency) -> Option<Route> {
        if from == to { Some(Route::SAME) } else { self.0.get(&(from, to)).copied() }
    }
}

/// A rate as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    numerator: i128,
    denominator: i128,
}

impl Rate {
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// The rate of a way, when each of its instruments has a quote that `quote` finds good.
    pub fn of<'a>(route: Route, quote: impl Fn(InstrumentId) -> Option<&'a marque_domain::bar::Quote>) -> Option<Self> {
        route.legs().try_fold(Self::ONE, |rate, leg| {
            let quote = quote(leg.instrument)?;
            let price = i128::from(quote.bid.units()) + i128::from(quote.ask.units());
            let (numerator, denominator) = if leg.inverse { (TWICE, price) } else { (price, TWICE) };
            let numerator = rate.numerator.checked_mul(numerator)?;
            let denominator = rate.denominator.checked_mul(denominator)?;
            // Prices are whole ticks, so this leaves small numbers and room for large amounts.
            let common = common_divisor(numerator, denominator);
            (common > 0).then(|| Self { numerator: numerator / common, denominator: denominator / common })
        })
    }

    /// `amount / scale`, converted and rounded once. Where the product is beyond 128 bits it is rounded before it is
    /// converted as well: the amount is beyond what any account holds.
    ///
    /// # Errors
    /// [`FixedError::Overflow`] when the result does not fit.
    pub fn convert(self, amount: i128, scale: i128) -> Result<Money, FixedError> {
        let exact = amount.checked_mul(self.numerator).zip(scale.checked_mul(self.denominator));
        match exact {
            Some((numerator, denominator)) => round_div(numerator, denominator).map(Money::from_units),
            None => {
                let rounded = i128::from(round_div(amount, scale)?);
                let numerator = rounded.checked_mul(self.numerator).ok_or(FixedError::Overflow)?;
                round_div(numerator, self.denominator).map(Money::from_units)
            }
        }
    }
}

/// The greatest common divisor of two numbers above zero (Euclid).
fn common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Market {
    /// The way from one currency to another, if there is one.
    pub(crate) fn route(&self, from: Currency, to: Currency) -> Option<Route> {
        self.routes().find(from, to)
    }

    /// The rate at the last quotes, however old: what is open must be worth something.
    pub(crate) fn rate(&self, from: Currency, to: Currency) -> Option<Rate> {
        if from == to {
            return Some(Rate::ONE);
        }
        Rate::of(self.route(from, to)?, |id| self.last(id))
    }

    /// The rate at quotes that an order may rely on.
    pub(crate) fn fresh_rate(&self, from: Currency, to: Currency) -> Option<Rate> {
        if from == to {
            return Some(Rate::ONE);
        }
        Rate::of(self.route(from, to)?, |id| self.fresh(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{bar::Quote, fixed::Price, time::Millis};
    use proptest::prelude::*;

    fn quote(id: u32, bid: i64, ask: i64) -> Quote {
        let price = Price::from_units;
        Quote { instrument: InstrumentId(id), at: Millis(0), bid: price(bid), ask: price(ask) }
    }

    fn rate(route: Route, quotes: &[Quote]) -> Option<Rate> {
        Rate::of(route, |id| quotes.iter().find(|quote| quote.instrument == id))
    }

    const fn leg(id: u32, inverse: bool) -> Option<Leg> {
        Some(Leg { instrument: InstrumentId(id), inverse })
    }

    #[test]
    fn one_rounding_at_the_end() {
        let quotes = [quote(1, 138_000_000, 138_002_000), quote(2, 10_200_000_000, 10_202_000_000)];
        // 100 USD in EUR at 1.38001, half to even in the eighth place.
        let inverse = rate(Route([leg(1, true), None]), &quotes).unwrap();
        assert_eq!(inverse.convert(10_000_000_000, 1), Ok("72.46324302".parse().unwrap()));
        // 10,000 JPY in EUR through USD: / 102.01 / 1.38001.
        let via = rate(Route([leg(2, true), leg(1, true)]), &quotes).unwrap();
        assert_eq!(via.convert(1_000_000_000_000, 1), Ok("71.03543086".parse().unwrap()));
        assert_eq!(rate(Route([leg(3, false), None]), &quotes), None);
    }

    proptest! {
        /// There and back is the same but for what one rounding each may leave.
        #[test]
        fn there_and_back(units in -1_000_000_000_000_000_i64..1_000_000_000_000_000, bid in 1_000_000_i64..20_000_000_000, spread in 0_i64..1_000_000) {
            let quotes = [quote(1, bid, bid + spread)];
            let there = rate(Route([leg(1, false), None]), &quotes).unwrap();
            let back = rate(Route([leg(1, true), None]), &quotes).unwrap();
            let converted = there.convert(i128::from(units), 1).unwrap();
            let again = back.convert(i128::from(converted.units()), 1).unwrap();
            let slack = i64::try_from(TWICE / i128::from(2 * bid)).unwrap() + 1;
            prop_assert!((again.units() - units).abs() <= slack, "{} {} {}", units, again.units(), slack);
        }
    }
}
