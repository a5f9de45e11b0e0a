//! What can be traded, its past and its prices now.

use super::{
    Tag,
    caller::Caller,
    number,
    page_query::{Instant, Limit},
    refused::Refused,
};
use crate::{
    identity::Operation,
    problem::{Problem, ProblemCode},
    tenants::VenueTerms,
    trading::{DeskState, Past, requests, terms},
};
use marque_domain::{
    bar,
    calendar::{Calendar, CalendarId},
    fixed::Price,
    id::InstrumentId,
    instrument,
    time::{DAY_MS, Millis},
};
use marque_engine::venue::{Slippage, Spread};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use std::sync::Arc;

/// Days of a made-up market that are made up for one request.
const SYNTHETIC_DAYS_MAX: i64 = 14;
/// Bars of a request that does not say how many.
const BARS: u32 = 200;

pub(super) struct Market;

/// The length of a bar.
#[derive(Enum, Clone, Copy)]
pub(super) enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// Four hours.
    H4,
    /// A day.
    D1,
}

impl From<Timeframe> for bar::Timeframe {
    fn from(timeframe: Timeframe) -> Self {
        match timeframe {
            Timeframe::M1 => Self::M1,
            Timeframe::M5 => Self::M5,
            Timeframe::M15 => Self::M15,
            Timeframe::M30 => Self::M30,
            Timeframe::H1 => Self::H1,
            Timeframe::H4 => Self::H4,
            Timeframe::D1 => Self::D1,
        }
    }
}

impl From<bar::Timeframe> for Timeframe {
    fn from(timeframe: bar::Timeframe) -> Self {
        match timeframe {
            bar::Timeframe::M1 => Self::M1,
            bar::Timeframe::M5 => Self::M5,
            bar::Timeframe::M15 => Self::M15,
            bar::Timeframe::M30 => Self::M30,
            bar::Timeframe::H1 => Self::H1,
            bar::Timeframe::H4 => Self::H4,
            bar::Timeframe::D1 => Self::D1,
        }
    }
}

/// When an instrument trades.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Hours {
    /// Sunday 17:00 to Friday 17:00, New York.
    Forex,
    /// As forex, with a break from 17:00 to 18:00 each day.
    Metals,
    /// Always.
    Continuous,
}

/// Something that can be traded.
#[derive(Object)]
struct Instrument {
    /// Its name at the platform, such as `EURUSD`.
    symbol: String,
    /// What a person calls it.
    name: String,
    /// The smallest price change.
    tick_size: String,
    /// The move that traders count in.
    pip: String,
    /// The smallest change of quantity, and the smallest order.
    lot_step: String,
    /// The largest order.
    lot_max: String,
    /// Units of the base in one lot.
    contract_size: i64,
    /// The currency of its price and of its profit.
    quote_currency: String,
    /// When it trades.
    hours: Hours,
    /// On what terms it trades here, and what that costs.
    terms: Terms,
}

/// On what terms an instrument trades at the brand's venue. Amounts of a price are moves of it.
#[derive(Object)]
#[oai(rename = "VenueTerms", skip_serializing_if_is_none)]
struct Terms {
    /// What each lot of each fill is charged, in the account's currency.
    commission_per_lot: String,
    /// How much wider than the market's the spread is.
    spread_markup: Option<String>,
    /// How wide the spread is at least.
    spread_minimum: Option<String>,
    /// How much worse than the quote orders at the market trade, at most.
    slippage_max: Option<String>,
    /// How long after its approval an order can trade, in milliseconds of market time.
    latency_ms: i64,
    /// How much one order can trade on one quote; absent means all of it.
    lots_per_quote: Option<String>,
    /// What a long earns for a night, as a move of the price; what it pays is below zero. Absent where nothing is charged.
    swap_long: Option<String>,
    /// The same for a short.
    swap_short: Option<String>,
}

impl Terms {
    fn of(venue: &VenueTerms, found: &instrument::Instrument) -> Self {
        let model = terms::model(venue, found, 0);
        let swap = terms::listed(venue, found).swap;
        let (markup, minimum) = match model.spread {
            Spread::Quoted => (None, None),
            Spread::Markup(more) => (Some(more), None),
            Spread::Minimum(width) => (None, Some(width)),
        };
        Self {
            commission_per_lot: number::money(model.commission_per_lot),
            spread_markup: markup.map(|price| price.to_string()),
            spread_minimum: minimum.map(|price| price.to_string()),
            slippage_max: match model.slippage {
                Slippage::None => None,
                Slippage::Fixed(most) | Slippage::Random(most) => Some(most.to_string()),
            },
            latency_ms: model.latency_ms,
            lots_per_quote: model.liquidity.map(|lots| lots.to_string()),
            swap_long: swap.as_ref().map(|swap| swap.long.to_string()),
            swap_short: swap.as_ref().map(|swap| swap.short.to_string()),
        }
    }
}

impl Instrument {
    fn of(venue: &VenueTerms, found: instrument::Instrument) -> Self {
        Self {
            terms: Terms::of(venue, &found),
            tick_size: found.tick_size.to_string(),
            pip: found.pip.to_string(),
            lot_step: found.lot_step.to_string(),
            lot_max: found.lot_max.to_string(),
            contract_size: found.contract_size,
            quote_currency: found.quote.to_string(),
            hours: match found.calendar {
                CalendarId::Forex => Hours::Forex,
                CalendarId::Metals => Hours::Metals,
                CalendarId::Continuous => Hours::Continuous,
            },
            symbol: found.symbol,
            name: found.name,
        }
    }
}

/// The instruments of the brand's market.
#[derive(Object)]
struct InstrumentList {
    /// All of them.
    items: Vec<Instrument>,
}

/// A bar of bid prices.
#[derive(Object)]
struct Bar {
    /// When it begins.
    open_at: String,
    /// The first price.
    open: String,
    /// The highest.
    high: String,
    /// The lowest.
    low: String,
    /// The last.
    close: String,
    /// The spread at its last price.
    spread: String,
    /// Ticks, or the volume that the recording gives.
    volume: i64,
}

/// Bars of one instrument.
#[derive(Object)]
struct Bars {
    /// Of what.
    symbol: String,
    /// Of which length.
    timeframe: Timeframe,
    /// Oldest first. Only bars that are closed.
    items: Vec<Bar>,
}

/// What somebody can trade at now.
#[derive(Object)]
pub(super) struct Quote {
    /// Of what.
    symbol: String,
    /// When it was quoted, in market time.
    at: String,
    /// What a seller gets.
    bid: String,
    /// What a buyer pays.
    ask: String,
}

impl Quote {
    pub fn of(symbol: String, quote: &bar::Quote) -> Self {
        Self { symbol, at: quote.at.to_rfc3339(), bid: quote.bid.to_string(), ask: quote.ask.to_string() }
    }
}

/// Whether the brand's desk trades.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "DeskState")]
enum State {
    /// It reads its journal; orders are refused for a moment.
    Recovering,
    /// It follows the market.
    Running,
    /// Its recording has ended.
    Ended,
}

/// The market at this moment.
#[derive(Object)]
struct MarketNow {
    /// Whether the desk trades.
    state: State,
    /// Market time: in a replay, the recording's. Absent while the desk recovers.
    #[oai(skip_serializing_if_is_none)]
    now: Option<String>,
    /// The last quote of each instrument.
    quotes: Vec<Quote>,
    /// The symbols whose session is open.
    open: Vec<String>,
}

#[OpenApi(tag = "Tag::Market")]
impl Market {
    /// List instruments
    ///
    /// What can be traded at this brand's market, and on what terms.
    #[oai(path = "/instruments", method = "get", operation_id = "list_instruments")]
    async fn list_instruments(&self, caller: Caller) -> Result<Json<InstrumentList>, Refused> {
        caller.who.may(Operation::ListInstruments)?;
        let venue = &caller.tenant().definition.venue;
        let items = requests::tradable(caller.floor()).into_iter().map(|i| Instrument::of(venue, i)).collect();
        Ok(Json(InstrumentList { items }))
    }

    /// List bars
    ///
    /// The last closed bars before a time, oldest first. There may be fewer than asked for: where the recording begins,
    /// and in the synthetic market, which is made up for at most 14 days at once.
    #[oai(path = "/instruments/:symbol/bars", method = "get", operation_id = "list_bars")]
    async fn list_bars(
        &self,
        caller: Caller,
        /// The instrument, such as `EURUSD`.
        symbol: Path<String>,
        /// The length of a bar.
        timeframe: Query<Timeframe>,
        /// Only bars that were closed at this time (RFC 3339). Market time when left out or later than it.
        before: Query<Option<Instant>>,
        /// How many at most.
        limit: Query<Option<Limit<1_000>>>,
    ) -> Result<Json<Bars>, Refused> {
        caller.who.may(Operation::ListBars)?;
        let found = requests::tradable(caller.floor()).into_iter().find(|i| i.symbol == symbol.0);
        let instrument = found.ok_or_else(Problem::not_found)?;
        let desk = caller.desk().await?;
        let now = desk.view().now;
        if now == Millis(0) {
            let text = "The market is starting. Try again in a moment.";
            return Err(Problem::new(ProblemCode::Unavailable, text).retry_after_s(1).into());
        }
        let before = before.0.map(|text| number::instant("before", &text.0)).transpose()?.unwrap_or(now);
        let wanted = Wanted {
            instrument: instrument.id,
            timeframe: timeframe.0.into(),
            before: before.clamp(Millis(0), now),
            count: limit.0.map_or(BARS, |limit| limit.0),
        };
        let items = wanted.read(&caller, Arc::clone(desk.past())).await?;
        Ok(Json(Bars { symbol: instrument.symbol, timeframe: timeframe.0, items }))
    }

    /// The market now
    ///
    /// Market time and the last quote of each instrument.
    #[oai(path = "/market", method = "get", operation_id = "get_market")]
    async fn get_market(&self, caller: Caller) -> Result<Json<MarketNow>, Refused> {
        caller.who.may(Operation::ListInstruments)?;
        let view = caller.desk().await?.view();
        let started = view.now > Millis(0);
        let tradable = requests::tradable(caller.floor());
        let open = tradable.into_iter().filter(|i| started && Calendar::of(i.calendar).is_open(view.now));
        Ok(Json(MarketNow {
            state: match view.state {
                DeskState::Recovering => State::Recovering,
                DeskState::Running => State::Running,
                DeskState::Ended => State::Ended,
            },
            now: started.then(|| view.now.to_rfc3339()),
            quotes: view.quotes.iter().map(|(id, quote)| Quote::of(caller.app.symbol(*id), quote)).collect(),
            open: open.map(|i| i.symbol).collect(),
        }))
    }
}

/// Bars that are to be read.
struct Wanted {
    instrument: InstrumentId,
    timeframe: bar::Timeframe,
    before: Millis,
    count: u32,
}

impl Wanted {
    async fn read(self, caller: &Caller, past: Arc<Past>) -> Result<Vec<Bar>, Problem> {
        let mut count = self.count;
        if caller.floor().plan().is_synthetic() {
            let most = SYNTHETIC_DAYS_MAX * DAY_MS / self.timeframe.length_ms();
            count = count.min(u32::try_from(most).unwrap_or(count));
        }
        let _turn = caller.app.0.bars.acquire().await.map_err(|error| Problem::internal(&error))?;
        // Files are read, or a market is made up: not on a thread that serves others.
        let read = tokio::task::spawn_blocking(move || past.bars(self.instrument, self.timeframe, self.before, count));
        let columns = read.await.map_err(|error| Problem::internal(&error))?;
        let price = |units: i64| Price::from_units(units).to_string();
        let bars = columns.iter().map(|bar| Bar {
            open_at: bar.open_at.to_rfc3339(),
            open: price(bar.open.units()),
            high: price(bar.high.units()),
            low: price(bar.low.units()),
            close: price(bar.close.units()),
            spread: price(bar.spread.units()),
            volume: bar.volume,
        });
        Ok(bars.collect())
    }
}
