//! What was wanted, what each rule answered, and what came of it.

use crate::{
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::Currency,
    kill::Killed,
    order::{Origin, Side},
    ticket::{Amendment, Levels, Ticket},
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// What a strategy or a person wants to do. It is a wish: only the risk gate can turn it into an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent {
    /// Opens a position at the market.
    Open {
        /// In what.
        instrument: InstrumentId,
        /// Which way.
        side: Side,
        /// How much.
        lots: Lots,
        /// Attached stop-loss.
        stop_loss: Option<Price>,
        /// Attached take-profit.
        take_profit: Option<Price>,
    },
    /// Closes a position at the market, wholly.
    Close {
        /// Which one.
        position: PositionId,
    },
    /// Places an order of any kind.
    Place(Ticket),
    /// Changes a working order.
    Amend {
        /// Which one.
        order: OrderId,
        /// As it shall be.
        to: Amendment,
    },
    /// Withdraws a working order.
    Cancel {
        /// Which one.
        order: OrderId,
    },
    /// Closes a part of a position at the market.
    Reduce {
        /// Which one.
        position: PositionId,
        /// How much of it.
        lots: Lots,
    },
    /// Closes two opposite positions in one instrument against each other, as far as the smaller one goes.
    CloseBy {
        /// The one.
        position: PositionId,
        /// The other.
        by: PositionId,
    },
    /// Changes what guards an open position.
    Protect {
        /// Which one.
        position: PositionId,
        /// The levels as they shall be.
        levels: Levels,
    },
}

/// What one rule said of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// As it is.
    Allow,
    /// No more than this.
    Shrink(Lots),
    /// Not at all, with the rule's reason.
    Refuse(String),
    /// The rule could not answer, with the fault. It counts as a refusal.
    Fault(String),
}

/// A rule's verdict with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleAnswer {
    /// The rule's name in the catalogue.
    pub rule: String,
    /// What it said.
    pub verdict: Verdict,
}

/// Why an intent did not become an order, with the numbers that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Denial {
    /// The instrument is not in the catalogue.
    #[error("This instrument is not offered here. Choose one from the list of instruments.")]
    UnknownInstrument,
    /// There is no quote to convert profit and margin at.
    #[error(
        "Profit in {from} cannot be converted into this account's {to} now: there is no fresh price for it. Try again when prices move, or choose an instrument quoted in {to}."
    )]
    NoConversionRate {
        /// The currency of the instrument's profit.
        from: Currency,
        /// The account's currency.
        to: Currency,
    },
    /// The account's currency is not the instrument's quote currency. Not answered any more: profits are converted.
    #[error(
        "This account is kept in another currency than the instrument's profit. Choose an instrument quoted in the account's currency."
    )]
    CurrencyMismatch,
    /// No tradable quote yet, or the last one is too old.
    #[error("There is no fresh price for this instrument. Try again when prices move.")]
    NoFreshQuote,
    /// Outside the instrument's session.
    #[error("The market for this instrument is closed. Try again when it opens.")]
    MarketClosed,
    /// Less than the smallest order.
    #[error("{wanted} lots is below the smallest order of {minimum} lots. Ask for at least {minimum}.")]
    LotsTooSmall {
        /// What was asked for.
        wanted: Lots,
        /// The smallest order.
        minimum: Lots,
    },
    /// More than the largest order.
    #[error("{wanted} lots is above the largest order of {maximum} lots. Ask for at most {maximum}.")]
    LotsTooLarge {
        /// What was asked for.
        wanted: Lots,
        /// The largest order.
        maximum: Lots,
    },
    /// A stop-loss or take-profit on the wrong side of the price.
    #[error("The {which} at {level} would trigger at once: the price is {price}. Move it to the other side.")]
    StopOnWrongSide {
        /// `stop-loss` or `take-profit`.
        which: String,
        /// Where it was put.
        level: Price,
        /// The price it is compared with.
        price: Price,
    },
    /// A pending price from which the order would trade at once.
    #[error(
        "The {which} at {level} would trade at once: the price is {price}. Move it to the other side, or place a market order."
    )]
    PriceOnWrongSide {
        /// `limit` or `stop`.
        which: String,
        /// Where it was put.
        level: Price,
        /// The price it is compared with.
        price: Price,
    },
    /// A price nearer to the market than the venue takes.
    #[error(
        "The {which} at {level} is too close: the price is {price} and {minimum} is the nearest. Move it further away."
    )]
    PriceTooClose {
        /// `limit`, `stop`, `stop-loss` or `take-profit`.
        which: String,
        /// Where it was put.
        level: Price,
        /// The price it is compared with.
        price: Price,
        /// How far away it must be at least.
        minimum: Price,
    },
    /// A trailing distance smaller than the venue takes.
    #[error("A trailing distance of {distance} is too small: {minimum} is the smallest. Ask for at least {minimum}.")]
    TrailTooSmall {
        /// What was asked for.
        distance: Price,
        /// The smallest.
        minimum: Price,
    },
    /// An order that would expire before it could trade.
    #[error("The order would expire at {}, and it is {} now. Choose a later time.", .expires_at.to_rfc3339(), .now.to_rfc3339())]
    ExpiryInPast {
        /// When it would expire.
        expires_at: Millis,
        /// Market time.
        now: Millis,
    },
    /// A kind of order that cannot be good for that long.
    #[error("A {kind} order cannot be {time_in_force}. Choose another time in force.")]
    TimeInForceUnfit {
        /// The order's kind.
        kind: String,
        /// What was asked for.
        time_in_force: String,
    },
    /// Too many working orders at once.
    #[error("An account has at most {limit} working orders. Cancel one first.")]
    TooManyWorkingOrders {
        /// Orders.
        limit: u32,
    },
    /// The order is not there, has ended, or is on its way.
    #[error("This order is not working any more.")]
    OrderNotWorking,
    /// A change that would make another kind of order of it.
    #[error("This is a {kind} order and stays one. Cancel it and place another.")]
    KindFixed {
        /// What it is.
        kind: String,
    },
    /// More than the position holds.
    #[error("The position has {open} lots and {wanted} were to be closed. Ask for at most {open}.")]
    LotsAbovePosition {
        /// What was asked for.
        wanted: Lots,
        /// What is open.
        open: Lots,
    },
    /// Two positions that do not stand against each other.
    #[error("Only two opposite positions in one instrument can be closed by each other. Choose another pair.")]
    NotOpposite,
    /// The account holds new orders.
    #[error("This account takes no new orders: {reason}")]
    AccountHeld {
        /// Why.
        reason: String,
    },
    /// A rule failed the account.
    #[error("This account has ended: {reason}")]
    AccountFailed {
        /// Why.
        reason: String,
    },
    /// An order's fate is not known.
    #[error("The fate of an earlier order is being checked with the venue. New orders wait for that answer.")]
    AccountUncertain,
    /// The plan's orders for the day are used up.
    #[error(
        "Your plan allows {limit} opening orders a day and they are used up. Wait for the next UTC day or change the plan."
    )]
    DailyTradeLimit {
        /// Orders a day.
        limit: u32,
    },
    /// Too many positions at once.
    #[error("An account holds at most {limit} positions. Close one first.")]
    TooManyPositions {
        /// Positions.
        limit: u32,
    },
    /// The margin does not suffice.
    #[error("This order needs a margin of {needed:.2} and {free:.2} is free. Ask for fewer lots or close a position.")]
    MarginTooSmall {
        /// What it would bind.
        needed: Money,
        /// What is free.
        free: Money,
    },
    /// The position is not there or is already being closed.
    #[error("This position is not open any more.")]
    PositionNotOpen,
    /// A number does not fit.
    #[error("The size of this order cannot be computed exactly. Ask for fewer lots.")]
    NumberTooLarge,
    /// A rule said no.
    #[error("{rule}: {reason}")]
    RuleRefused {
        /// Which rule.
        rule: String,
        /// Its reason.
        reason: String,
    },
    /// The kill switch is on.
    #[error(transparent)]
    KillSwitch(Killed),
    /// A rule could not answer; rules fail closed.
    #[error("The rule {rule} could not be asked, so the order was not sent. Your broker has been told.")]
    RuleFailed {
        /// Which rule.
        rule: String,
    },
    /// The order closes a position for the account's or the brand's safety.
    #[error("This order closes a position because {asked_by} asked for it. It stays until it is filled.")]
    CloseRequired {
        /// Who asked for it.
        asked_by: String,
    },
}

impl Denial {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownInstrument => "unknown_instrument",
            Self::NoConversionRate { .. } => "no_conversion_rate",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::NoFreshQuote => "no_fresh_quote",
            Self::MarketClosed => "market_closed",
            Self::LotsTooSmall { .. } => "lots_too_small",
            Self::LotsTooLarge { .. } => "lots_too_large",
            Self::StopOnWrongSide { .. } => "stop_on_wrong_side",
            Self::PriceOnWrongSide { .. } => "price_on_wrong_side",
            Self::PriceTooClose { .. } => "price_too_close",
            Self::TrailTooSmall { .. } => "trail_too_small",
            Self::ExpiryInPast { .. } => "expiry_in_past",
            Self::TimeInForceUnfit { .. } => "time_in_force_unfit",
            Self::TooManyWorkingOrders { .. } => "too_many_working_orders",
            Self::OrderNotWorking => "order_not_working",
            Self::KindFixed { .. } => "kind_fixed",
            Self::LotsAbovePosition { .. } => "lots_above_position",
            Self::NotOpposite => "not_opposite",
            Self::AccountHeld { .. } => "account_held",
            Self::AccountFailed { .. } => "account_failed",
            Self::AccountUncertain => "account_uncertain",
            Self::DailyTradeLimit { .. } => "daily_trade_limit",
            Self::TooManyPositions { .. } => "too_many_positions",
            Self::MarginTooSmall { .. } => "margin_too_small",
            Self::PositionNotOpen => "position_not_open",
            Self::NumberTooLarge => "number_too_large",
            Self::RuleRefused { .. } => "rule_refused",
            Self::KillSwitch(_) => "kill_switch",
            Self::RuleFailed { .. } => "rule_failed",
            Self::CloseRequired { .. } => "close_required",
        }
    }
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It became this order, of this size; or it concerned this order. What changes a position's levels concerns the
    /// order that opened it.
    Approved {
        /// Which.
        order: OrderId,
        /// After rounding and shrinking.
        lots: Lots,
    },
    /// It did not.
    Denied(Denial),
}

/// The whole story of one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// For which account.
    pub account: AccountId,
    /// From which strategy, if any.
    pub deployment: Option<DeploymentId>,
    /// Who asked.
    pub origin: Origin,
    /// When, in market time.
    pub at: Millis,
    /// What was wanted.
    pub intent: Intent,
    /// What each rule that was asked said, in order.
    pub answers: Vec<RuleAnswer>,
    /// What came of it.
    pub outcome: Outcome,
}
