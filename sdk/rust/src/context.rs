//! What a strategy sees of itself while it handles an event, and how it says what it wants.

use crate::{
    Action, Bracket, Decimal, Instrument, Lots, Money, Position, Price, Room, SCALE, Side, Start, book::Book, host,
};

/// How long a wish may stay unanswered before [`Context::is_waiting`] gives it up, in market time.
const ANSWER_TIMEOUT_MS: i64 = 60_000;

/// What a strategy sees of itself while it handles an event, and how it says what it wants.
///
/// Positions, orders and balance change by order updates, never by price alone.
#[derive(Debug)]
pub struct Context {
    pub(crate) book: Book,
    pub(crate) now: i64,
    pub(crate) event: u32,
    pub(crate) actions: Vec<Action>,
    pub(crate) muted: bool,
}

impl Context {
    pub(crate) const fn new(start: Start) -> Self {
        Self::resume(Book::new(start))
    }

    pub(crate) const fn resume(book: Book) -> Self {
        Self { book, now: 0, event: 0, actions: Vec::new(), muted: false }
    }

    /// Market time of this event, in milliseconds; of a bar, its end.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// What this strategy watches and trades.
    #[must_use]
    pub const fn instrument(&self) -> &Instrument {
        &self.book.start.instrument
    }

    /// What a seller gets, as of this event.
    #[must_use]
    pub const fn bid(&self) -> Price {
        self.book.bid
    }

    /// What a buyer pays, as of this event.
    #[must_use]
    pub const fn ask(&self) -> Price {
        self.book.ask
    }

    /// A number of pips as a distance.
    #[must_use]
    pub fn pips(&self, count: Decimal) -> Price {
        self.instrument().pip.times(count.units(), SCALE)
    }

    /// Its open positions, oldest first.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.book.positions
    }

    /// Its oldest open position.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.book.positions.first()
    }

    /// Closed balance of the account, once an order update has told it.
    #[must_use]
    pub const fn balance(&self) -> Option<Money> {
        self.book.balance
    }

    /// What binds the account: the nearest floor of its rules. It changes by events, never by price alone.
    #[must_use]
    pub fn room(&self) -> Room {
        host::room()
    }

    /// How much the account may lose before a rule ends or pauses it, at the prices of this event; none when no rule
    /// has a floor. It knows this strategy's own positions only: what others on the account win or lose is not in it.
    #[must_use]
    pub fn left(&self) -> Option<Money> {
        let room = self.room();
        let floating = self.positions().iter().fold(Money::ZERO, |sum, held| {
            let gain = if held.side == Side::Buy { self.bid() - held.price } else { held.price - self.ask() };
            sum + self.value(held.lots, gain)
        });
        Some(room.balance + floating - room.floor?)
    }

    /// The most lots that lose less than [`Context::left`] when the price runs this far against them; the instrument's
    /// largest order when nothing binds, and nothing when less than a step is left.
    #[must_use]
    pub fn largest_lots(&self, stop: Price) -> Lots {
        let instrument = self.instrument();
        let per_lot = self.value(Lots::whole(1), stop);
        let Some(left) = self.left().filter(|_| per_lot > Money::ZERO) else { return instrument.lot_max };
        let step = instrument.lot_step.units().max(1);
        let lots = Lots::whole(1).times(left.max(Money::ZERO).units(), per_lot.units()).units();
        let lots = Lots::from_units(lots - lots % step);
        // Some rules breach at their floor, so all of what is left is one step too many.
        let lots = if self.value(lots, stop) < left { lots } else { lots - instrument.lot_step };
        lots.max(Lots::ZERO).min(instrument.lot_max)
    }

    /// The most lots that lose no more than this when the price runs this far against them, in whole steps and at most the
    /// instrument's largest order; nothing when that is less than a step.
    #[must_use]
    pub fn lots_for(&self, risk: Money, stop: Price) -> Lots {
        let instrument = self.instrument();
        let per_lot = self.value(Lots::whole(1), stop);
        if per_lot <= Money::ZERO || risk <= Money::ZERO {
            return Lots::ZERO;
        }
        let step = instrument.lot_step.units().max(1);
        let lots = Lots::whole(1).times(risk.units(), per_lot.units()).units();
        let lots = Lots::from_units(lots - lots % step);
        // The division rounds, so it may be one step too many.
        let lots = if self.value(lots, stop) > risk { lots - instrument.lot_step } else { lots };
        lots.max(Lots::ZERO).min(instrument.lot_max)
    }

    /// What a move of the price is worth for so many lots.
    fn value(&self, lots: Lots, moved: Price) -> Money {
        let units = lots.units().saturating_mul(self.instrument().contract_size);
        Money::from_units(moved.times(units, SCALE).units())
    }

    /// Whether a wish has no answer yet. One older than a minute is given up.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.book.waiting > 0 && self.now.saturating_sub(self.book.waiting_since) < ANSWER_TIMEOUT_MS
    }

    /// Holds a long position of this size: closes what is short, opens when nothing is long. Does nothing while a
    /// wish has no answer, so it may be called on every event.
    pub fn go_long(&mut self, lots: Lots) {
        self.go(Side::Buy, lots, Bracket::default());
    }

    /// Holds a short position; as [`Context::go_long`].
    pub fn go_short(&mut self, lots: Lots) {
        self.go(Side::Sell, lots, Bracket::default());
    }

    /// Holds a position this way, opened with a stop-loss and a take-profit; as [`Context::go_long`].
    pub fn go(&mut self, side: Side, lots: Lots, bracket: Bracket) {
        if self.is_waiting() {
            return;
        }
        self.close_where(|position| position.side != side);
        if self.book.positions.iter().all(|position| position.side != side) {
            self.open(side, lots, bracket);
        }
    }

    /// Holds nothing; as [`Context::go_long`].
    pub fn close_all(&mut self) {
        if !self.is_waiting() {
            self.close_where(|_| true);
        }
    }

    /// Opens one more position, whatever is held or waited for.
    pub fn open(&mut self, side: Side, lots: Lots, bracket: Bracket) {
        let levels = bracket.around(side, if side == Side::Buy { self.book.ask } else { self.book.bid });
        self.wish(Action::Open { side, lots, stop_loss: levels.stop_loss, take_profit: levels.take_profit });
    }

    /// Closes one position, whatever is waited for.
    pub fn close(&mut self, position: i64) {
        self.wish(Action::Close { position });
    }

    /// Asks for `on_timer` at this time; replaces an earlier timer.
    pub fn set_timer(&mut self, at: i64) {
        if !self.muted {
            self.actions.push(Action::SetTimer { at });
        }
    }

    /// Writes a line into the plugin's log: at most 1 KiB, at most 100 lines in a minute of market time.
    pub fn log(&self, line: &str) {
        host::log(self.event, line);
    }

    /// The next of this deployment's seeded random numbers: the same in a replay.
    #[must_use]
    pub fn random(&mut self) -> u64 {
        host::random()
    }

    fn close_where(&mut self, which: impl Fn(&Position) -> bool) {
        let ids: Vec<i64> = self.book.positions.iter().filter(|p| which(p)).map(|p| p.id).collect();
        for id in ids {
            self.close(id);
        }
    }

    pub(crate) fn wish(&mut self, action: Action) {
        if self.muted {
            return;
        }
        self.book.waiting = if self.is_waiting() { self.book.waiting.saturating_add(1) } else { 1 };
        self.book.waiting_since = self.now;
        self.actions.push(action);
    }

    pub(crate) fn quote(&mut self, at: i64, bid: Price, ask: Price) {
        self.now = at;
        self.book.bid = bid;
        self.book.ask = ask;
    }
}
