//! What was wanted, what each rule answered, and what came of it.

use crate::{
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    kill::Killed,
    order::{Origin, Side},
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
    /// Closes a position at the market.
    Close {
        /// Which one.
        position: PositionId,
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
    /// The account's currency is not the instrument's quote currency.
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
}

impl Denial {
    /// A stable code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownInstrument => "unknown_instrument",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::NoFreshQuote => "no_fresh_quote",
            Self::MarketClosed => "market_closed",
            Self::LotsTooSmall { .. } => "lots_too_small",
            Self::LotsTooLarge { .. } => "lots_too_large",
            Self::StopOnWrongSide { .. } => "stop_on_wrong_side",
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
        }
    }
}

/// What came of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It became this order, of this size.
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
