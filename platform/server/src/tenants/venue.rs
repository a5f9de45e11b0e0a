//! The terms of a brand's simulated venue: what its file may say of them, and what they are once understood.
//!
//! Owns: the grammar of `[venue]`. Amounts of a price are in points, the smallest step of an instrument, so that one line
//! holds for all of them. Refuses to know how orders fill: `trading` makes the engine's venue of it.

use super::{file::Text, mistake::Notes};
use marque_domain::fixed::{Lots, Money, Price};
use marque_market::catalogue::Catalogue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// A spread or a slippage of more points is a slip of the keyboard.
const POINTS_MAX: i64 = 100_000;
/// So is a commission of more for a lot, in whole units of the account's currency.
const COMMISSION_MAX: i64 = 1_000;
/// And a latency of more than a minute.
const LATENCY_MS_MAX: i64 = 60_000;

/// How wide the venue quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadPoints {
    /// As the market does.
    #[default]
    Quoted,
    /// This much wider.
    Markup(i64),
    /// At least this wide.
    Minimum(i64),
}

/// How much worse than the quote an order at the market trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlippagePoints {
    /// Not at all.
    #[default]
    None,
    /// By this much.
    Fixed(i64),
    /// By whole points from nothing up to this much.
    Random(i64),
}

/// On what terms an instrument trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TradingTerms {
    /// Charged for each lot of each fill, in the account's currency.
    pub commission_per_lot: Money,
    /// How wide the venue quotes.
    pub spread: SpreadPoints,
    /// What orders at the market lose.
    pub slippage: SlippagePoints,
    /// How much one order can trade on one quote; none means all of it.
    pub liquidity: Option<Lots>,
}

/// What a lot earns for a night, in points; what is paid is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightPoints {
    /// Held long. A number of points, with a fraction.
    pub long: Price,
    /// Held short.
    pub short: Price,
}

/// The terms of an instrument that has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTerms {
    /// Its terms; what its table leaves out is as for all.
    pub trading: TradingTerms,
    /// Its swap, where it is not the market's.
    pub swap: Option<NightPoints>,
}

/// The terms of a venue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VenueTerms {
    /// For instruments that have none of their own.
    pub trading: TradingTerms,
    /// How long after its approval an order can trade, in milliseconds of market time.
    pub latency_ms: i64,
    /// Whether nothing is charged or paid overnight.
    pub swap_free: bool,
    /// Of all that is random at it; none is the feed's.
    pub seed: Option<u64>,
    /// Instruments with terms of their own, by symbol.
    pub instruments: BTreeMap<String, OwnTerms>,
}

impl VenueTerms {
    /// The terms on which an instrument trades.
    #[must_use]
    pub fn of(&self, symbol: &str) -> &TradingTerms {
        self.instruments.get(symbol).map_or(&self.trading, |own| &own.trading)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileVenue {
    commission_per_lot: Option<Text>,
    spread: Option<Spanned<SpreadPoints>>,
    slippage: Option<Spanned<SlippagePoints>>,
    liquidity_lots: Option<Text>,
    latency_ms: Option<Spanned<i64>>,
    #[serde(default)]
    swap_free: bool,
    seed: Option<u64>,
    #[serde(default)]
    instruments: BTreeMap<String, Spanned<FileOwn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOwn {
    commission_per_lot: Option<Text>,
    spread: Option<Spanned<SpreadPoints>>,
    slippage: Option<Spanned<SlippagePoints>>,
    liquidity_lots: Option<Text>,
    swap: Option<FileSwap>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSwap {
    long: Text,
    short: Text,
}

/// What of the terms a table says.
struct Said<'a> {
    commission_per_lot: Option<&'a Text>,
    spread: Option<&'a Spanned<SpreadPoints>>,
    slippage: Option<&'a Spanned<SlippagePoints>>,
    liquidity_lots: Option<&'a Text>,
}

/// Understands `[venue]`; a file without it has a perfect venue that costs nothing.
pub(super) fn understand(file: Option<FileVenue>, notes: &mut Notes<'_>) -> VenueTerms {
    let Some(file) = file else { return VenueTerms::default() };
    let said = Said {
        commission_per_lot: file.commission_per_lot.as_ref(),
        spread: file.spread.as_ref(),
        slippage: file.slippage.as_ref(),
        liquidity_lots: file.liquidity_lots.as_ref(),
    };
    let trading = said.over(TradingTerms::default(), notes);
    if let Some(latency) = file.latency_ms.as_ref().filter(|ms| !(0..=LATENCY_MS_MAX).contains(ms.get_ref())) {
        let what = format!("a latency of {} ms", latency.get_ref());
        notes.at(latency.span(), what, format!("write 0 to {LATENCY_MS_MAX}"));
    }
    let catalogue = (!file.instruments.is_empty()).then(Catalogue::embedded).and_then(Result::ok);
    let mut instruments = BTreeMap::new();
    for (symbol, own) in file.instruments {
        let known = catalogue.as_ref().and_then(|all| all.by_symbol(&symbol));
        match known {
            None => {
                let all: Vec<_> = catalogue.iter().flat_map(Catalogue::all).map(|i| i.symbol.as_str()).collect();
                notes.at(
                    own.span(),
                    format!("there is no instrument {symbol}"),
                    format!("there are {}", all.join(", ")),
                );
            }
            Some(_) if file.swap_free && own.get_ref().swap.is_some() => {
                let what = format!("a swap of {symbol} at a venue that charges none");
                notes.at(own.span(), what, "remove it, or `swap_free = true`");
            }
            Some(known) if known.swap.is_none() && own.get_ref().swap.is_some() => {
                notes.at(own.span(), format!("{symbol} is not held overnight"), "remove its swap");
            }
            Some(_) => drop(instruments.insert(symbol, own_terms(own.get_ref(), trading, notes))),
        }
    }
    let latency_ms = file.latency_ms.map_or(0, Spanned::into_inner);
    VenueTerms { trading, latency_ms, swap_free: file.swap_free, seed: file.seed, instruments }
}

fn own_terms(own: &FileOwn, general: TradingTerms, notes: &mut Notes<'_>) -> OwnTerms {
    let said = Said {
        commission_per_lot: own.commission_per_lot.as_ref(),
        spread: own.spread.as_ref(),
        slippage: own.slippage.as_ref(),
        liquidity_lots: own.liquidity_lots.as_ref(),
    };
    let trading = said.over(general, notes);
    let swap = own
        .swap
        .as_ref()
        .and_then(|swap| Some(NightPoints { long: night(&swap.long, notes)?, short: night(&swap.short, notes)? }));
    OwnTerms { trading, swap }
}

impl Said<'_> {
    /// The terms, with `general` where nothing is said.
    fn over(&self, general: TradingTerms, notes: &mut Notes<'_>) -> TradingTerms {
        TradingTerms {
            commission_per_lot: self.commission_per_lot.map_or(general.commission_per_lot, |t| commission(t, notes)),
            spread: self.spread.map_or(general.spread, |spread| {
                if let SpreadPoints::Markup(points) | SpreadPoints::Minimum(points) = *spread.get_ref() {
                    in_points(spread.span(), points, notes);
                }
                *spread.get_ref()
            }),
            slippage: self.slippage.map_or(general.slippage, |slippage| {
                if let SlippagePoints::Fixed(points) | SlippagePoints::Random(points) = *slippage.get_ref() {
                    in_points(slippage.span(), points, notes);
                }
                *slippage.get_ref()
            }),
            liquidity: self.liquidity_lots.map_or(general.liquidity, |lots| liquidity(lots, notes)),
        }
    }
}

fn in_points(span: core::ops::Range<usize>, points: i64, notes: &mut Notes<'_>) {
    if !(0..=POINTS_MAX).contains(&points) {
        notes.at(span, format!("{points} points"), format!("write 0 to {POINTS_MAX}"));
    }
}

fn commission(text: &Text, notes: &mut Notes<'_>) -> Money {
    let found = text.get_ref().parse::<Money>().ok();
    found.filter(|money| (Money::ZERO..=Money::whole(COMMISSION_MAX)).contains(money)).unwrap_or_else(|| {
        let remedy = format!("write it in quotes, from \"0\" to \"{COMMISSION_MAX}\", such as \"3.50\"");
        notes.at(text.span(), format!("{:?} is not a commission for a lot", text.get_ref()), remedy);
        Money::ZERO
    })
}

fn liquidity(text: &Text, notes: &mut Notes<'_>) -> Option<Lots> {
    let found = text.get_ref().parse::<Lots>().ok().filter(|lots| *lots > Lots::ZERO);
    if found.is_none() {
        let remedy = "write it in quotes and above zero, such as \"5\", or leave it out for no limit";
        notes.at(text.span(), format!("{:?} lots cannot be traded on a quote", text.get_ref()), remedy);
    }
    found
}

fn night(text: &Text, notes: &mut Notes<'_>) -> Option<Price> {
    let found = text.get_ref().parse::<Price>().ok().filter(|points| points.abs() <= Price::whole(POINTS_MAX));
    if found.is_none() {
        let remedy = "write points in quotes, below zero for what is paid, such as \"-6.5\"";
        notes.at(text.span(), format!("{:?} is not a swap", text.get_ref()), remedy);
    }
    found
}
