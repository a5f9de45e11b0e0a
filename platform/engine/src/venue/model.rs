//! How the simulated venue differs from a perfect one. All of it is data: the same model, orders and quotes give the
//! same fills.

use marque_domain::{
    bar::Quote,
    fixed::{Lots, Money, Price},
    order::Side,
};
use serde::{Deserialize, Serialize};

/// What the venue quotes where the market quotes a spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Spread {
    /// As the market does.
    #[default]
    Quoted,
    /// This much wider: the ask is higher.
    Markup(Price),
    /// At least this wide: the ask is raised to it.
    Minimum(Price),
}

/// How much worse than the quote an order at the market trades. Limit orders and take-profits never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Slippage {
    /// Not at all.
    #[default]
    None,
    /// By this much.
    Fixed(Price),
    /// By whole ticks from nothing up to this much, by the seed, the order and the quote's time.
    Random(Price),
}

/// A venue's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VenueModel {
    /// Charged for each lot of each fill.
    pub commission_per_lot: Money,
    /// What it adds to the market's spread.
    pub spread: Spread,
    /// What orders at the market lose.
    pub slippage: Slippage,
    /// How long after its approval an order can trade, in milliseconds of market time.
    pub latency_ms: i64,
    /// How much one order can trade on one quote; none means all of it.
    pub liquidity: Option<Lots>,
    /// Of all that is random.
    pub seed: u64,
}

impl VenueModel {
    /// The quote that the venue makes of the market's. A quote that cannot be traded on stays so.
    #[must_use]
    pub fn price(&self, quote: &Quote) -> Quote {
        if !quote.is_tradable() {
            return *quote;
        }
        let ask = match self.spread {
            Spread::Quoted => quote.ask,
            Spread::Markup(more) => quote.ask.saturating_add(more),
            Spread::Minimum(width) => quote.ask.max(quote.bid.saturating_add(width)),
        };
        Quote { ask, ..*quote }
    }

    /// What is left of a price at the market after slippage: higher for who buys, lower for who sells, and never
    /// below one tick.
    #[must_use]
    pub fn slip(&self, price: Price, side: Side, tick: Price, quote: &Quote, id: i64) -> Price {
        let worse = match self.slippage {
            Slippage::None => return price,
            Slippage::Fixed(by) => by,
            Slippage::Random(most) => {
                let steps = most.units().max(0).unsigned_abs() / tick.units().max(1).unsigned_abs();
                let drawn = mix(self.seed ^ mix(id.unsigned_abs() ^ mix(quote.at.0.unsigned_abs()))) % (steps + 1);
                Price::from_units(tick.units().saturating_mul(i64::try_from(drawn).unwrap_or(0)))
            }
        };
        match side {
            Side::Buy => price.saturating_add(worse),
            Side::Sell => price.saturating_sub(worse).max(tick),
        }
    }

    /// How much of `lots` one quote can take, in whole steps; at least one step.
    #[must_use]
    pub fn portion(&self, lots: Lots, step: Lots) -> Lots {
        self.liquidity.map_or(lots, |most| lots.min(most.round_down_to(step).max(step)))
    }
}

/// SplitMix64's finalizer: spreads every bit of the input over the output. Steele, Lea, Flood: *Fast splittable
/// pseudorandom number generators*, OOPSLA 2014.
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
