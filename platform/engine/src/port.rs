//! The ports of the engine: what it needs from plugins, and what a venue must answer.
//!
//! A port exists only where there are two implementations. Strategies and rules come from the sandbox
//! (WebAssembly) and from native code (tests, and the bench that measures what the sandbox costs). Venues
//! are the simulated one in this room and the adapters in `brokers`.

use crate::facts::Facts;
use marque_domain::{
    account::Deployment,
    bar::{Quote, Timeframe},
    decision::Verdict,
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    order::{Order, Origin, Position, Side},
    plugin::PluginRef,
    ticket::{Amendment, Levels, OrderKind, TimeInForce},
    time::{Millis, Zone},
    usage::Usage,
};
use serde::{Deserialize, Serialize};

/// Consecutive bars of one instrument and timeframe, in columns of equal length, oldest first. Prices and
/// spreads in units of 1e-8, times in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct BarRun<'a> {
    /// Starts of the bars.
    pub open_at: &'a [i64],
    /// First bids.
    pub open: &'a [i64],
    /// Highest bids.
    pub high: &'a [i64],
    /// Lowest bids.
    pub low: &'a [i64],
    /// Last bids.
    pub close: &'a [i64],
    /// Ask less bid at the close.
    pub spread: &'a [i64],
    /// Volumes.
    pub volume: &'a [i64],
}

impl BarRun<'_> {
    /// How many bars.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open_at.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open_at.is_empty()
    }
}

/// Consecutive quotes of one instrument, in columns of equal length, oldest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct TickRun<'a> {
    /// Times.
    pub at: &'a [i64],
    /// Bids.
    pub bid: &'a [i64],
    /// Asks.
    pub ask: &'a [i64],
}

impl TickRun<'_> {
    /// How many quotes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at.is_empty()
    }
}

/// A strategy's wish. The instrument and the account come from its deployment, never from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opens a position at the market.
    Open {
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// Attached stop-loss.
        stop_loss: Option<Price>,
        /// Attached take-profit.
        take_profit: Option<Price>,
    },
    /// Closes one of its own positions at the market.
    Close {
        /// Which one.
        position: PositionId,
    },
    /// Places an order of any kind.
    Place {
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// At which price.
        kind: OrderKind,
        /// For how long.
        time_in_force: TimeInForce,
        /// What guards the position it opens.
        levels: Levels,
        /// Another of its working orders: when either trades, the other is cancelled.
        oco: Option<OrderId>,
    },
    /// Changes one of its own working orders.
    Amend {
        /// Which one.
        order: OrderId,
        /// As it shall be.
        to: Amendment,
    },
    /// Withdraws one of its own working orders.
    Cancel {
        /// Which one.
        order: OrderId,
    },
    /// Closes a part of one of its own positions at the market.
    Reduce {
        /// Which one.
        position: PositionId,
        /// How much of it.
        lots: Lots,
    },
    /// Closes two of its own opposite positions against each other.
    CloseBy {
        /// The one.
        position: PositionId,
        /// The other.
        by: PositionId,
    },
    /// Changes what guards one of its own positions.
    Protect {
        /// Which one.
        position: PositionId,
        /// The levels as they shall be.
        levels: Levels,
    },
    /// Asks for `on_timer` at this time; replaces an earlier timer.
    SetTimer {
        /// When.
        at: Millis,
    },
}

/// What became of an order of this deployment. This is how a strategy learns of its account: by events,
/// never by price alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderUpdate {
    /// A position is open.
    Opened {
        /// Its id.
        position: PositionId,
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// At what price.
        price: Price,
        /// Closed balance of the account.
        balance: Money,
    },
    /// A position is closed.
    Closed {
        /// Its id.
        position: PositionId,
        /// At what price.
        price: Price,
        /// What it earned.
        profit: Money,
        /// Who closed it.
        origin: Origin,
        /// Closed balance of the account.
        balance: Money,
    },
    /// A position has other lots or levels than before, and is still open.
    Changed {
        /// Its id.
        position: PositionId,
        /// How much is open now.
        lots: Lots,
        /// Its opening price now.
        price: Price,
        /// Closed balance of the account.
        balance: Money,
    },
    /// A pending order stands at the venue, as it is now: new, or amended.
    Working {
        /// Its id.
        order: OrderId,
        /// Which way.
        side: Side,
        /// How much of it has not traded.
        lots: Lots,
        /// At which price.
        kind: OrderKind,
        /// For how long.
        time_in_force: TimeInForce,
        /// What will guard the position it opens.
        levels: Levels,
    },
    /// Some or all of a pending order traded. What that did to positions has been told before.
    Traded {
        /// Its id.
        order: OrderId,
        /// How much.
        lots: Lots,
        /// At what price.
        price: Price,
        /// How much of it has not traded; at nothing it stands at the venue no more.
        left: Lots,
    },
    /// A pending order ended before all of it traded.
    Ended {
        /// Its id.
        order: OrderId,
    },
    /// A wish was denied or its market order ended untraded.
    Refused,
}

impl OrderUpdate {
    /// A pending order as it stands at the venue.
    #[must_use]
    pub const fn working(order: &Order) -> Self {
        Self::Working {
            order: order.id,
            side: order.side,
            lots: order.remaining(),
            kind: order.kind,
            time_in_force: order.time_in_force,
            levels: order.levels(),
        }
    }
}

/// Which hooks a strategy wants. The others are never called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hooks {
    /// `on_bars`.
    pub bars: bool,
    /// `on_ticks`.
    pub ticks: bool,
    /// Bars of history it wants before its first event (at most 10,000).
    pub history_bars: u32,
}

/// Why a plugin call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The plugin trapped, ran out of fuel or memory, or answered nonsense: its own outcome, the same each
    /// time.
    #[error("{0}")]
    Plugin(String),
    /// The host stopped it: deadline, no room for another instance. Worth a retry.
    #[error("{0}")]
    Host(String),
}

/// What a strategy is started with.
#[derive(Debug, Clone)]
pub struct StrategyStart<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// What it trades.
    pub instrument: &'a Instrument,
    /// State that an earlier instance left.
    pub restore: Option<&'a [u8]>,
    /// Seed of its random numbers.
    pub seed: u64,
}

/// A strategy instance, started and warm.
///
/// `on_bars` and `on_ticks` take a run, handle its events one at a time and stop at the first that gives an
/// action; they answer how many they consumed (at least one) and push the actions of the last consumed event.
pub trait Strategy: Send {
    /// The hooks it wants.
    fn hooks(&self) -> Hooks;

    /// Shows it bars from before its first event. No actions come out.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer.
    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault>;

    /// Takes a run of closed bars.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer; nothing was consumed then.
    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault>;

    /// Takes a run of quotes.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer; nothing was consumed then.
    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault>;

    /// Tells it what became of an order.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer.
    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault>;

    /// Its timer is due.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer.
    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault>;

    /// Lets it know what binds its account, before the next call. It changes by events, never by price alone.
    fn set_room(&mut self, _room: Room) {}

    /// Its state as bytes that a later instance can be started with.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer.
    fn snapshot(&mut self) -> Result<Vec<u8>, Fault>;

    /// Takes what it logged since the last call: market time and text, oldest first.
    fn take_log(&mut self) -> Vec<(Millis, String)> {
        Vec::new()
    }

    /// Takes what it used up since the last call. Nothing is decided on it: it is for those who pay for it.
    fn take_usage(&mut self) -> Usage {
        Usage::default()
    }
}

/// What binds an account, as its strategies may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// The highest equity at which a rule ends or pauses the account.
    pub floor: Option<Money>,
    /// When that rule's day begins anew.
    pub resets_at: Option<Millis>,
    /// Closed balance.
    pub balance: Money,
}

/// When a rule's day begins, on a local clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayReset {
    /// Whose clock.
    pub zone: Zone,
    /// Minute of the local day, 0 to 1439.
    pub minute: u16,
}

/// What an account was worth when the rule's day began, and the best it was since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAnchor {
    /// When the day began.
    pub began_at: Millis,
    /// When the next one begins.
    pub next_at: Millis,
    /// Closed balance at the beginning.
    pub balance: Money,
    /// Equity at the beginning.
    pub equity: Money,
    /// Highest equity since.
    pub peak_equity: Money,
}

/// An open position as a rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExposureView {
    /// In what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// What it would bring now.
    pub profit: Money,
}

/// All that a rule may base its answer on, with its settings.
#[derive(Debug, Clone)]
pub struct AccountView<'a> {
    /// Market time.
    pub now: Millis,
    /// What the account was funded with, as deposits and withdrawals left it.
    pub initial_balance: Money,
    /// Closed balance.
    pub balance: Money,
    /// Balance plus floating profit, less accrued costs.
    pub equity: Money,
    /// The rule's day; the account's opening when the rule asked for no reset.
    pub day: DayAnchor,
    /// Open positions, oldest first.
    pub positions: &'a [ExposureView],
    /// What it may ask beyond this.
    pub facts: Facts<'a>,
}

/// An order as a rule sees it before it is one. One that adds to a position is seen as all that the position will be, on an account
/// that does not hold it; a position whose stop-loss goes further away, as the order that would open it like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderView {
    /// In what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much, after rounding and earlier rules.
    pub lots: Lots,
    /// The price it would trade at: that of its kind, or the market's now.
    pub price: Price,
    /// Attached stop-loss.
    pub stop_loss: Option<Price>,
    /// What it would lose at its stop-loss (positive), when it has one.
    pub risk: Option<Money>,
    /// What one lot earns when the price moves by 1.
    pub value_per_point: Money,
    /// At which price it may trade.
    pub kind: OrderKind,
    /// For how long.
    pub time_in_force: TimeInForce,
    /// The group of working orders that it joins or changes: it would trade instead of them.
    pub group: Option<OrderId>,
}

/// What a rule thinks of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing to do.
    Ok,
    /// Close to a limit.
    Warn,
    /// Close positions; the account lives on.
    Flatten,
    /// The account has failed: close all positions, for good.
    Fail,
}

/// What a goal counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// The account's currency.
    Money,
    /// Hundredths of a whole.
    Percent,
    /// Trading days.
    Days,
}

impl Unit {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Percent => "percent",
            Self::Days => "days",
        }
    }
}

/// A goal of a program. It never fails an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// Its name: `profit-target`.
    pub name: String,
    /// One sentence for the trader.
    pub summary: String,
    /// What the numbers count.
    pub unit: Unit,
    /// Where it stands, in units of 1e-8.
    pub have: i64,
    /// What is wanted, in units of 1e-8.
    pub want: i64,
    /// Whether it is met.
    pub reached: bool,
}

/// A rule's assessment, with the levels at which it wants to be asked again. While the account's book stays as it is,
/// the rule is never called between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// What it thinks.
    pub standing: Standing,
    /// For people, when it is not `Ok`.
    pub reason: String,
    /// The equity at which the account would breach, for the distance to breach.
    pub floor: Option<Money>,
    /// Ask again once equity is at or below this.
    pub wake_below: Option<Money>,
    /// Ask again once equity is at or above this.
    pub wake_above: Option<Money>,
    /// Ask again at this time.
    pub wake_at: Option<Millis>,
    /// Goals that it reports.
    pub objectives: Vec<Objective>,
    /// The instruments whose positions [`Standing::Flatten`] closes; none means all.
    pub only: Vec<InstrumentId>,
}

/// A risk rule instance: a pure function of its settings and the account view.
pub trait RiskRule: Send {
    /// When its day begins, if it has one.
    fn day_reset(&self) -> Option<&DayReset>;

    /// Whether it asks for facts of the account's days, which are kept only for rules that do.
    fn wants_days(&self) -> bool {
        false
    }

    /// Allows, shrinks or refuses an order.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer; the order is then denied.
    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault>;

    /// Assesses the account and sets its wake levels.
    ///
    /// # Errors
    /// [`Fault`] when the plugin gave no answer; the account then holds new orders, and nothing is closed.
    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault>;
}

/// Starts instances of plugins.
pub trait PluginHost: Send + Sync {
    /// Starts a strategy.
    ///
    /// # Errors
    /// [`Fault`] when the plugin is not there, refuses its settings or fails.
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault>;

    /// Starts a rule.
    ///
    /// # Errors
    /// [`Fault`] when the plugin is not there, refuses its settings or fails.
    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault>;
}

/// Where bars of the past come from, for `on_history`.
pub trait HistorySource {
    /// The last `count` closed bars that opened before `before`, as seven columns in the order of [`BarRun`].
    fn bars(&self, instrument: InstrumentId, timeframe: Timeframe, before: Millis, count: u32) -> [Vec<i64>; 7];
}

/// What a venue answers, in its own time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VenueReport {
    /// It has the order.
    Acked {
        /// Which.
        order: OrderId,
    },
    /// It refused the order.
    Rejected {
        /// Which.
        order: OrderId,
        /// Why.
        reason: String,
    },
    /// Some or all of an order traded.
    Filled {
        /// Which.
        order: OrderId,
        /// The venue's name for it, by which it counts once however often it is told; none from a venue that keeps no
        /// books of its own and says nothing twice.
        execution: Option<ExecutionId>,
        /// How much of it.
        lots: Lots,
        /// At what price.
        price: Price,
        /// For what charge; never negative.
        commission: Money,
    },
    /// The price of a waiting order has come: it would trade so. It trades if the account still has the margin, and is
    /// rejected if not.
    Triggered {
        /// Which.
        order: OrderId,
        /// How much of it.
        lots: Lots,
        /// At what price.
        price: Price,
        /// For what charge; never negative.
        commission: Money,
    },
    /// The stop of a stop-limit order was reached: it is a limit order from now on.
    Armed {
        /// Which.
        order: OrderId,
    },
    /// The level of a trailing stop order followed the price.
    Trailed {
        /// Which.
        order: OrderId,
        /// Where it triggers now.
        stop: Price,
    },
    /// An order ended before all of it traded: it expired, or could not trade at once.
    Ended {
        /// Which.
        order: OrderId,
        /// Why.
        reason: String,
    },
    /// An attached stop-loss or take-profit closed a position.
    Exited {
        /// Which position.
        position: PositionId,
        /// The venue's name for it and how much of the position it closed; none, and all of it, from a venue that keeps
        /// no books of its own.
        execution: Option<(ExecutionId, Lots)>,
        /// [`Origin::StopLoss`] or [`Origin::TakeProfit`].
        origin: Origin,
        /// At what price.
        price: Price,
        /// For what charge; never negative.
        commission: Money,
    },
    /// The trailing stop-loss of a position followed the price.
    Followed {
        /// Which position.
        position: PositionId,
        /// Its stop-loss now.
        stop_loss: Price,
    },
    /// No answer came in time.
    Lost {
        /// Which order.
        order: OrderId,
    },
    /// Asked about an order, it has never heard of it.
    NotFound {
        /// Which order.
        order: OrderId,
    },
    /// Asked about an order, it knows it: all that it has to say of it, in one piece.
    Found {
        /// Which order.
        order: OrderId,
        /// Everything that happened to it and to the position it opened, oldest first, also what was told before.
        said: Vec<VenueReport>,
        /// The price it waits for, if it still waits there; none when it is over.
        waits: Option<OrderKind>,
    },
    /// Reports may have been missed: the connection was gone for a while.
    Gap,
}

/// A venue: takes approved orders after their intent is committed, and answers by reports.
///
/// A venue keeps the shard's books (the simulated one: what stands there stands as the journal has it) or its own
/// ([`Venue::is_remote`]). What a remote one says may be late, twice, out of order or lost, and what it is told may be too.
/// An adapter therefore holds to three rules. Whatever is no definite answer (a time-out, a reset, an error of a server on
/// the way, something that it cannot read, a refusal because the order is there already) is [`VenueReport::Lost`] and
/// never a rejection. It sends an order once for each call of [`Venue::submit`] and never again by itself. An
/// answer to a question is given only to the last one that was asked about the order.
pub trait Venue: Send {
    /// Whether it keeps books of its own.
    fn is_remote(&self) -> bool {
        false
    }

    /// What it has said since it was last listened to, at this time. A venue that answers at once says nothing here.
    fn listen(&mut self, _now: Millis, _reports: &mut Vec<VenueReport>) {}

    /// What it quotes its customers where the market quotes this.
    fn price(&self, quote: &Quote) -> Quote {
        *quote
    }

    /// Takes an order. The order was approved: there is no other way to get one.
    fn submit(&mut self, order: &crate::gate::Approved, reports: &mut Vec<VenueReport>);

    /// Asks what became of an order whose fate is unknown.
    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>);

    /// Shows it a price, which may trigger attached levels and working orders.
    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>);

    /// An order is committed as it is here: changed, withdrawn, or as the venue itself reported it.
    fn order(&mut self, _order: &Order) {}

    /// A position is committed as it is here, with its levels.
    fn position(&mut self, _position: &Position) {}

    /// Tells a remote venue again how an order and its position stand here, because it seems not to have heard.
    fn restate(&mut self, _order: &Order, _position: Option<&Position>) {}
}
