//! What the shard knows of the market: the last quote of each instrument and the bars being built.

use crate::{convert::Routes, event::ClosedBar};
use marque_domain::{
    bar::{Bar, BarBuilder, Quote, Timeframe},
    calendar::Calendar,
    id::InstrumentId,
    instrument::Instrument,
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How old a quote may be, in market time, for an order to rely on it.
pub const QUOTE_AGE_MS_MAX: i64 = 60_000;

/// The changing part of an instrument's market, which a restart must find again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tape {
    /// The last tradable quote.
    pub last: Option<Quote>,
    minutes: BarBuilder,
    longer: Vec<(Timeframe, Option<Bar>)>,
    log: TickLog,
}

/// How far a quote may be from the one before, as a multiple of how far quotes usually are, and of its spread, before it
/// looks like a bad tick.
const JUMP_MOVES: i64 = 20;
const JUMP_SPREADS: i64 = 10;
/// Quotes that must have been seen before any can look unusual.
const LOG_QUOTES_MIN: u32 = 64;
/// Quotes over which the usual move is averaged.
const LOG_QUOTES: i64 = 32;

/// What quotes of an instrument usually do. Only live markets keep one: a recording is taken as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TickLog {
    /// [`LOG_QUOTES`] times the usual move of the middle, twice over, in units of price.
    moves: i64,
    quotes: u32,
    /// The quote before the last, when the last jumped away from it.
    before_jump: Option<Quote>,
}

impl TickLog {
    fn take(&mut self, last: &Quote, quote: &Quote) {
        let middle = |q: &Quote| q.bid.units().saturating_add(q.ask.units());
        let moved = middle(quote).saturating_sub(middle(last)).saturating_abs();
        let spread = last.ask.units().saturating_sub(last.bid.units()).saturating_mul(2);
        let usual = (self.moves / LOG_QUOTES).saturating_mul(JUMP_MOVES).max(spread.saturating_mul(JUMP_SPREADS));
        let jumped = self.quotes >= LOG_QUOTES_MIN && moved > usual;
        self.before_jump = jumped.then_some(*last);
        if !jumped {
            self.moves = self.moves.saturating_add(moved.saturating_sub(self.moves / LOG_QUOTES));
            self.quotes = self.quotes.saturating_add(1);
        }
    }
}

impl Tape {
    fn new() -> Self {
        let longer = Timeframe::ALL.iter().filter(|t| **t != Timeframe::M1).map(|t| (*t, None)).collect();
        Self { last: None, minutes: BarBuilder::new(Timeframe::M1), longer, log: TickLog::default() }
    }

    /// Takes a quote; calls `closed` for each bar it closes, shortest first. Longer bars are merged from
    /// minutes and close with the same quote that closes their last minute.
    fn take(&mut self, quote: &Quote, mut closed: impl FnMut(Timeframe, Bar)) {
        if let Some(last) = self.last.replace(*quote) {
            self.log.take(&last, quote);
        }
        let Some(minute) = self.minutes.take(quote.at, quote.bid, quote.ask) else { return };
        closed(Timeframe::M1, minute);
        for (timeframe, open) in &mut self.longer {
            match open {
                Some(bar) => bar.merge(&minute),
                None => *open = Some(Bar { open_at: timeframe.open_of(minute.open_at), ..minute }),
            }
            if let Some(bar) = open.take_if(|bar| timeframe.open_of(quote.at) != bar.open_at) {
                closed(*timeframe, bar);
            }
        }
    }
}

/// An instrument with its tape.
#[derive(Debug, Clone)]
struct Listing {
    instrument: Instrument,
    calendar: Calendar,
    /// The last answer of the calendar and until when it holds.
    open: (bool, Millis),
    tape: Tape,
    /// Whether the tape changed since it was last marked.
    moved: bool,
}

/// The market of a shard: one listing for each instrument of the catalogue, found by its dense id.
#[derive(Debug, Clone)]
pub struct Market {
    listings: Vec<Option<Listing>>,
    routes: Arc<Routes>,
    /// The latest time seen in any quote: market time.
    now: Millis,
}

impl Market {
    /// With no quote yet.
    #[must_use]
    pub fn new(instruments: &[Instrument]) -> Self {
        let slots = instruments.iter().map(|i| i.id.0 as usize + 1).max().unwrap_or(0);
        let mut listings = vec![None; slots];
        for instrument in instruments {
            listings[instrument.id.0 as usize] = Some(Listing {
                calendar: Calendar::of(instrument.calendar),
                instrument: instrument.clone(),
                open: (false, Millis(i64::MIN)),
                tape: Tape::new(),
                moved: false,
            });
        }
        Self { listings, routes: Arc::new(Routes::new(instruments.iter())), now: Millis(0) }
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Every instrument.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.listings.iter().flatten().map(|l| &l.instrument)
    }

    /// Market time.
    #[must_use]
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// Moves market time forward.
    pub fn advance(&mut self, at: Millis) {
        self.now = self.now.max(at);
    }

    /// The instrument with this id.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.listing(id).map(|l| &l.instrument)
    }

    /// The last tradable quote.
    #[must_use]
    pub fn last(&self, id: InstrumentId) -> Option<&Quote> {
        self.listing(id).and_then(|l| l.tape.last.as_ref())
    }

    /// When the last quote jumped out of what the market did before: the quote before it, and it.
    #[must_use]
    pub fn jump(&self, id: InstrumentId) -> Option<(Quote, Quote)> {
        let tape = &self.listing(id)?.tape;
        Some((tape.log.before_jump?, tape.last?))
    }

    /// The last tradable quote of each instrument that has one.
    pub fn quotes(&self) -> impl Iterator<Item = &Quote> {
        self.listings.iter().flatten().filter_map(|l| l.tape.last.as_ref())
    }

    /// The last quote when an order may rely on it.
    #[must_use]
    pub fn fresh(&self, id: InstrumentId) -> Option<&Quote> {
        self.last(id).filter(|q| self.now.since(q.at) <= QUOTE_AGE_MS_MAX)
    }

    /// Whether the instrument's session is open now.
    pub fn is_open(&mut self, id: InstrumentId) -> bool {
        let now = self.now;
        let Some(listing) = self.listings.get_mut(id.0 as usize).and_then(Option::as_mut) else { return false };
        if now >= listing.open.1 || now < listing.open.1.plus(-60_000) {
            listing.open = (listing.calendar.is_open(now), Calendar::answer_holds_until(now));
        }
        listing.open.0
    }

    /// When the instrument's trading day ends.
    #[must_use]
    pub fn day_end(&self, id: InstrumentId) -> Option<Millis> {
        self.listing(id).map(|listing| listing.calendar.day_end(self.now))
    }

    /// Takes a quote, collects the bars it closes. Answers whether it was tradable and listed; any other
    /// quote changes nothing.
    pub fn take(&mut self, quote: &Quote, closed: &mut Vec<ClosedBar>) -> bool {
        let Some(listing) = self.listings.get_mut(quote.instrument.0 as usize).and_then(Option::as_mut) else {
            return false;
        };
        if !quote.is_tradable() {
            return false;
        }
        let instrument = quote.instrument;
        listing.moved = true;
        listing.tape.take(quote, |timeframe, bar| closed.push(ClosedBar { instrument, timeframe, bar }));
        self.now = self.now.max(quote.at);
        true
    }

    /// Takes a quote without building bars: a backtest brings its own.
    pub(crate) fn set_last(&mut self, quote: &Quote) {
        if let Some(listing) = self.listings.get_mut(quote.instrument.0 as usize).and_then(Option::as_mut) {
            listing.tape.last = Some(*quote);
            listing.moved = true;
            self.now = self.now.max(quote.at);
        }
    }

    /// The tapes, to be restored later.
    #[must_use]
    pub fn tapes(&mut self) -> Vec<(InstrumentId, Tape)> {
        let listings = self.listings.iter_mut().flatten();
        listings.map(|l| (l.moved = false, (l.instrument.id, l.tape.clone())).1).collect()
    }

    /// The tapes that changed since they were last asked for.
    #[must_use]
    pub fn tapes_changed(&mut self) -> Vec<(InstrumentId, Tape)> {
        let moved = |l: &mut Listing| core::mem::take(&mut l.moved).then(|| (l.instrument.id, l.tape.clone()));
        self.listings.iter_mut().flatten().filter_map(moved).collect()
    }

    /// Puts tapes back; market time becomes their latest.
    pub fn restore(&mut self, tapes: Vec<(InstrumentId, Tape)>) {
        for (id, tape) in tapes {
            if let Some(listing) = self.listings.get_mut(id.0 as usize).and_then(Option::as_mut) {
                self.now = tape.last.map_or(self.now, |q| self.now.max(q.at));
                listing.tape = tape;
            }
        }
    }

    fn listing(&self, id: InstrumentId) -> Option<&Listing> {
        self.listings.get(id.0 as usize).and_then(Option::as_ref)
    }
}
