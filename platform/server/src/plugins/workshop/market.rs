//! The market of a scenario: minutes that its author wrote down, or made up from a seed.

use marque_domain::{
    calendar::CalendarId,
    fixed::{Lots, Price},
    id::InstrumentId,
    instrument::{Currency, Instrument},
};
use marque_engine::port::BarRun;
use serde::Deserialize;

/// Monday 2024-01-01 00:00 UTC.
pub(super) const START_MS: i64 = 1_704_067_200_000;
pub(super) const MINUTE_MS: i64 = 60_000;
/// Minutes of the longest scenario: two weeks.
const MINUTES_MAX: usize = 20_000;

/// As it stands in a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarketText {
    /// One close for each minute; each opens where the one before closed.
    #[serde(default)]
    closes: Vec<Number>,
    /// Open, high, low and close of each minute.
    #[serde(default)]
    bars: Vec<[Number; 4]>,
    /// Made up.
    random: Option<Random>,
    /// Ask less bid; one tick if left out.
    spread: Option<Number>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    seed: u64,
    minutes: usize,
}

/// A price or amount as a person writes it: exactly, whether as number or as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Whole(i64),
            Float(f64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Whole(whole) => whole.to_string(),
            // The shortest decimal that reads back as this float is what was written.
            Written::Float(float) => float.to_string(),
            Written::Text(text) => text,
        };
        marque_domain::fixed::parse_units(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Minutes in columns.
#[derive(Debug, Default, Clone)]
pub(super) struct Minutes {
    columns: [Vec<i64>; 7],
}

impl Minutes {
    fn push(&mut self, [open, high, low, close]: [i64; 4], spread: i64) {
        let at = START_MS + i64::try_from(self.len()).unwrap_or_default() * MINUTE_MS;
        let row = [at, open, high, low, close, spread, 1];
        self.columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }

    pub fn len(&self) -> usize {
        let [at, ..] = &self.columns;
        at.len()
    }

    pub fn run(&self) -> BarRun<'_> {
        let [open_at, open, high, low, close, spread, volume] = &self.columns;
        BarRun { open_at, open, high, low, close, spread, volume }
    }
}

impl MarketText {
    /// The minutes, with one more at the end so that the last that was written closes.
    ///
    /// # Errors
    /// What to write instead.
    pub fn minutes(&self) -> Result<Minutes, String> {
        let given = usize::from(!self.closes.is_empty()) + usize::from(!self.bars.is_empty());
        if given + usize::from(self.random.is_some()) != 1 {
            return Err("[market] needs one of `closes`, `bars` and `random`".to_owned());
        }
        let spread = self.spread.map_or(instrument().tick_size.units(), |spread| spread.0);
        let mut minutes = Minutes::default();
        let mut last = self.closes.first().map(|first| first.0);
        for close in &self.closes {
            let open = last.replace(close.0).unwrap_or(close.0);
            minutes.push([open, open.max(close.0), open.min(close.0), close.0], spread);
        }
        for (minute, bar) in self.bars.iter().enumerate() {
            let [open, high, low, close] = bar.map(|number| number.0);
            if high < open.max(close).max(low) || low > open.min(close) {
                return Err(format!("bar {} is no bar: write open, high, low, close", minute + 1));
            }
            minutes.push([open, high, low, close], spread);
            last = Some(close);
        }
        if let Some(random) = self.random {
            last = Some(made_up(random, spread, &mut minutes));
        }
        if minutes.len() > MINUTES_MAX {
            return Err(format!("[market] has {} minutes; the most is {MINUTES_MAX}", minutes.len()));
        }
        let last = last.unwrap_or_default();
        minutes.push([last; 4], spread);
        let positive = minutes.run().low.iter().all(|low| *low > 0);
        if positive && spread >= 0 {
            Ok(minutes)
        } else {
            Err("prices must be above zero, a spread not below".to_owned())
        }
    }
}

fn made_up(random: Random, spread: i64, minutes: &mut Minutes) -> i64 {
    let tick = instrument().tick_size.units();
    let (mut state, mut price) = (random.seed, 110_000_i64);
    for _ in 0..random.minutes.min(MINUTES_MAX) {
        // SplitMix64, as everywhere: the same minutes on any machine.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let step = i64::try_from((mixed ^ (mixed >> 31)) % 61).unwrap_or_default() - 30;
        let open = price;
        price = (price + step).clamp(50_000, 200_000);
        minutes.push([open, open.max(price), open.min(price), price].map(|points| points * tick), spread);
    }
    price * tick
}

/// What every scenario trades: a pair with five digits that never closes.
pub(super) fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId(1),
        symbol: "EURUSD".to_owned(),
        name: "Euro against US dollar".to_owned(),
        tick_size: Price::from_units(1_000),
        pip: Price::from_units(10_000),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar: CalendarId::Continuous,
        swap: None,
    }
}
