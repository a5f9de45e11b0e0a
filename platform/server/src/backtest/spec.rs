//! What is tested, on what terms: all that the result depends on, besides the quotes themselves.

use super::{
    data::Source,
    sweep::{self, Grid, Rank},
};
use marque_domain::{
    account::{MarginLevels, PositionMode},
    bar::Timeframe,
    fixed::{Lots, Money, Price},
    instrument::{Currency, Instrument},
    plugin::{PluginDigest, PluginRef},
    swap::SwapTerms,
    time::{DAY_MS, Millis},
};
use marque_engine::venue::{Slippage, Spread, VenueModel};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Days of a walk-forward's windows, at most.
const WINDOW_DAYS_MAX: u32 = 3_650;
/// Windows of a walk-forward, at most.
pub const WINDOWS_MAX: usize = 60;
/// Rules on the tested account, at most.
const RULES_MAX: usize = 16;
/// Milliseconds after its approval within which an order must be able to trade.
const LATENCY_MS_MAX: i64 = 60_000;
/// Text of a value that a search tries.
const VALUE_BYTES_MAX: usize = 256;

/// A test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The strategy with its settings; a sweep replaces some of them.
    pub strategy: PluginSpec,
    /// The rules that watch the account, in the order in which they are asked.
    #[serde(default)]
    pub rules: Vec<PluginSpec>,
    /// The instrument's symbol.
    pub symbol: String,
    /// What a position in it costs or earns for a night.
    pub swap: Option<SwapTerms>,
    /// The bars that the strategy sees.
    pub timeframe: Timeframe,
    /// Which recording.
    pub source: Source,
    /// From this instant on.
    pub from: Millis,
    /// Up to before this one.
    pub to: Millis,
    /// The account.
    pub account: AccountSpec,
    /// The venue.
    pub venue: VenueModel,
    /// One run, or many.
    pub kind: Kind,
}

/// A plugin in a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginSpec {
    /// Which code.
    #[serde(with = "text")]
    pub digest: PluginDigest,
    /// Its name in the catalogue.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its settings: a JSON object, as text.
    pub settings: String,
}

impl PluginSpec {
    /// As the engine names it.
    #[must_use]
    pub fn reference(&self) -> PluginRef {
        PluginRef { digest: self.digest, name: self.name.clone(), settings: self.settings.clone() }
    }
}

/// The account that is traded on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSpec {
    /// The currency of its money.
    pub currency: Currency,
    /// What it begins with.
    pub balance: Money,
    /// Units of exposure per unit of margin.
    pub leverage: i64,
    /// How its positions live together.
    pub mode: PositionMode,
    /// The margin levels at which it is called and closed.
    pub margin: MarginLevels,
}

/// One run, or many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One run.
    Single,
    /// A run for each combination of settings.
    Sweep {
        /// The values that are tried.
        grid: Grid,
        /// What they are ranked by.
        rank: Rank,
    },
    /// In each window the best settings of its first part trade its second part, which they have never seen.
    Forward {
        /// The values that are tried.
        grid: Grid,
        /// What they are ranked by.
        rank: Rank,
        /// Days in which settings are chosen.
        choose_days: u32,
        /// Days in which the choice is tried; the next window begins so much later.
        try_days: u32,
    },
}

impl Kind {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Sweep { .. } => "sweep",
            Self::Forward { .. } => "walk_forward",
        }
    }

    /// The values that are tried, and what they are ranked by.
    #[must_use]
    pub const fn search(&self) -> Option<(&Grid, Rank)> {
        match self {
            Self::Single => None,
            Self::Sweep { grid, rank } | Self::Forward { grid, rank, .. } => Some((grid, *rank)),
        }
    }
}

/// What is wrong with a test: the field by its name in the API, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which field.
    pub field: &'static str,
    /// What to write.
    pub detail: String,
}

impl Spec {
    /// The instrument on the terms of this test.
    #[must_use]
    pub fn instrument(&self, of_the_catalogue: &Instrument) -> Instrument {
        Instrument { swap: self.swap.clone(), ..of_the_catalogue.clone() }
    }

    /// Everything that is wrong with it by itself, before any recording is looked at.
    #[must_use]
    pub fn faults(&self, combinations_max: usize) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |right: bool, field: &'static str, detail: &dyn Fn() -> String| {
            if !right {
                faults.push(Fault { field, detail: detail() });
            }
        };
        let say = |text: &'static str| move || text.to_owned();
        let days_max = self.source.days_max();
        let span = self.to.since(self.from);
        check(span > 0, "to", &say("must be later than the beginning"));
        check(span <= days_max * DAY_MS, "to", &|| {
            format!("at most {days_max} days after the beginning for this source")
        });
        let balance = self.account.balance;
        let fair = balance > Money::ZERO && balance <= Money::whole(1_000_000_000);
        check(fair, "balance", &say("above 0, at most 1,000,000,000"));
        check((1..=1_000).contains(&self.account.leverage), "leverage", &say("1 to 1000"));
        let venue = &self.venue;
        check(venue.commission_per_lot >= Money::ZERO, "commission_per_lot", &say("0 or more"));
        let wider = match venue.spread {
            Spread::Quoted => Price::ZERO,
            Spread::Markup(by) | Spread::Minimum(by) => by,
        };
        check(wider >= Price::ZERO, "markup", &say("0 or more"));
        let slips = match venue.slippage {
            Slippage::None => Price::ZERO,
            Slippage::Fixed(by) | Slippage::Random(by) => by,
        };
        check(slips >= Price::ZERO, "slippage", &say("0 or more"));
        check(venue.liquidity.is_none_or(|most| most > Lots::ZERO), "liquidity", &say("above 0"));
        let range = format!("0 to {LATENCY_MS_MAX}");
        check((0..=LATENCY_MS_MAX).contains(&venue.latency_ms), "latency_ms", &|| range.clone());
        check(self.rules.len() <= RULES_MAX, "rules", &|| format!("at most {RULES_MAX}"));
        if let Some((grid, _)) = self.kind.search() {
            let found = sweep::count(grid);
            let fits = found.is_some_and(|count| (1..=combinations_max).contains(&count));
            check(fits, "grid", &|| {
                let found = found.map_or_else(|| "too many".to_owned(), |count| count.to_string());
                format!("1 to {combinations_max} combinations; these are {found}")
            });
            // Each is in the report as often as it was tried.
            let short = grid.values().flatten().all(|value| value.to_string().len() <= VALUE_BYTES_MAX);
            check(short, "grid", &|| format!("values of at most {VALUE_BYTES_MAX} characters"));
        }
        if let Kind::Forward { choose_days, try_days, .. } = self.kind {
            let range = 1..=WINDOW_DAYS_MAX;
            check(range.contains(&choose_days), "choose_days", &|| format!("1 to {WINDOW_DAYS_MAX}"));
            check(range.contains(&try_days), "try_days", &|| format!("1 to {WINDOW_DAYS_MAX}"));
            let whole = (i64::from(choose_days) + i64::from(try_days)) * DAY_MS;
            check(whole <= span, "choose_days", &say("one window must fit into the time of the test"));
            let windows = span.saturating_sub(i64::from(choose_days) * DAY_MS) / (i64::from(try_days).max(1) * DAY_MS);
            let few = usize::try_from(windows).unwrap_or(usize::MAX) <= WINDOWS_MAX;
            check(few, "try_days", &|| format!("at most {WINDOWS_MAX} windows; these are {windows}"));
        }
        faults
    }

    /// The strategy's settings with those of a combination in their place.
    #[must_use]
    pub fn with_settings(&self, changed: &[(String, Value)]) -> Self {
        let mut settings: Value = serde_json::from_str(&self.strategy.settings).unwrap_or_default();
        if let Some(object) = settings.as_object_mut() {
            for (name, value) in changed {
                object.insert(name.clone(), value.clone());
            }
        }
        let strategy = PluginSpec { settings: settings.to_string(), ..self.strategy.clone() };
        Self { strategy, kind: Kind::Single, ..self.clone() }
    }
}

/// A value as its text.
mod text {
    use core::{fmt::Display, str::FromStr};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
