//! The gate's market: quotes made up from a seed, the same on every machine, with calm and busy hours, trends and jumps.

use marque_domain::{
    calendar::CalendarId,
    fixed::{Lots, Price},
    id::InstrumentId,
    instrument::{Currency, Instrument},
    time::Millis,
};
use marque_engine::port::TickRun;

/// Monday 2024-01-01 00:00 UTC.
pub(super) const START: Millis = Millis(1_704_067_200_000);
/// Milliseconds between two quotes, and between two in a rush.
const GAP_MS: i64 = 15_000;
const RUSH_MS: i64 = 500;
/// Every so manieth mood is a rush, for strategies that live on single quotes.
const RUSH_EVERY: usize = 4;
/// Quotes of one market: some two thousand minutes.
pub(super) const QUOTES: usize = 12_000;
const TICK: i64 = 1_000;
const SPREAD_TICKS: i64 = 8;
/// Quotes after which the mood of the market changes.
const MOOD_QUOTES: usize = 240;

/// Quotes in columns.
pub(super) struct Market {
    at: Vec<i64>,
    bid: Vec<i64>,
    ask: Vec<i64>,
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from `-most` to `most`.
    fn around_zero(&mut self, most: i64) -> i64 {
        let width = most.unsigned_abs() * 2 + 1;
        i64::try_from(self.next() % width).unwrap_or_default() - most
    }
}

impl Market {
    /// The market of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let (mut dice, mut market) = (Dice(seed), Self { at: Vec::new(), bid: Vec::new(), ask: Vec::new() });
        let (mut price, mut drift, mut swing, mut at, mut gap) = (110_000_i64, 0, 6, START.0, GAP_MS);
        for quote in 0..QUOTES {
            if quote % MOOD_QUOTES == 0 {
                drift = dice.around_zero(2);
                swing = 3 + dice.around_zero(2).abs() * 6;
                gap = if (quote / MOOD_QUOTES) % RUSH_EVERY == 1 { RUSH_MS } else { GAP_MS };
            }
            // A jump as news make it, about twice a day.
            let jump = if dice.next() % 2_500 == 0 { dice.around_zero(150) } else { 0 };
            price = (price + drift + dice.around_zero(swing) + jump).clamp(60_000, 200_000);
            market.at.push(at);
            at += gap;
            market.bid.push(price * TICK);
            market.ask.push((price + SPREAD_TICKS + dice.around_zero(3)) * TICK);
        }
        market
    }

    /// Its first `quotes` quotes: history as it was known then.
    pub(super) fn until(&self, quotes: usize) -> TickRun<'_> {
        let end = quotes.min(self.at.len());
        let [at, bid, ask] = [&self.at, &self.bid, &self.ask].map(|column| column.get(..end).unwrap_or_default());
        TickRun { at, bid, ask }
    }

    /// How many quotes are known when the first at or after `at` has come.
    pub(super) fn known_at(&self, at: i64) -> usize {
        self.at.partition_point(|known| *known < at).saturating_add(1).min(self.at.len())
    }
}

/// What is traded: it never closes, so that a trial needs no weekend.
pub(super) fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId(1),
        symbol: "EURUSD".to_owned(),
        name: "Euro against US dollar, made up".to_owned(),
        tick_size: Price::from_units(TICK),
        pip: Price::from_units(TICK * 10),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar: CalendarId::Continuous,
        swap: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_market_and_its_quotes_can_be_traded_on() {
        let (one, two, other) = (Market::new(1), Market::new(1), Market::new(2));
        assert_eq!((&one.bid, &one.ask), (&two.bid, &two.ask));
        assert_ne!(one.bid, other.bid);
        assert!(one.bid.iter().zip(&one.ask).all(|(bid, ask)| *bid > 0 && bid < ask));
        assert!(one.at.is_sorted());
        let (low, high) = (one.bid.iter().min().unwrap(), one.bid.iter().max().unwrap());
        assert!(high - low > 200 * TICK, "it moves");
    }

    #[test]
    fn history_ends_where_it_was_known() {
        let market = Market::new(3);
        assert_eq!(market.known_at(START.0), 1);
        assert_eq!(market.known_at(START.0 + 1), 2);
        assert_eq!(market.known_at(i64::MAX), QUOTES);
        assert_eq!(market.until(5).len(), 5);
        assert_eq!(market.until(usize::MAX).len(), QUOTES);
    }
}
