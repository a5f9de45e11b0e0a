//! What the author of a risk rule implements.

use crate::{About, Decimal, Lots, Money, Price, Side};
use serde::de::DeserializeOwned;

/// When a rule's day begins, on a local clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayReset {
    /// IANA name, such as `Europe/Prague`.
    pub zone: String,
    /// Minute of the local day, 0 to 1439.
    pub minute: u16,
}

/// What the account was worth when the rule's day began, and the best it was since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayAnchor {
    /// When the day began.
    pub began_at: i64,
    /// When the next one begins.
    pub next_at: i64,
    /// Closed balance at the beginning.
    pub balance: Money,
    /// Equity at the beginning.
    pub equity: Money,
    /// Highest equity since.
    pub peak_equity: Money,
}

/// An open position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// In what.
    pub instrument: u32,
    /// Which way.
    pub side: Side,
    /// How much.
    pub lots: Lots,
    /// What it would bring now.
    pub profit: Money,
}

/// All that a rule may base its answer on, with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Market time, in milliseconds.
    pub now: i64,
    /// What the account was funded with: its opening, plus deposits, less what was withdrawn beyond its profit.
    pub initial_balance: Money,
    /// Closed balance.
    pub balance: Money,
    /// Balance plus floating profit, less accrued costs.
    pub equity: Money,
    /// The rule's day; the account's whole life when it asked for no reset.
    pub day: DayAnchor,
    /// Open positions, oldest first.
    pub positions: Vec<Exposure>,
}

/// An order that would open a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// In what.
    pub instrument: u32,
    /// Which way.
    pub side: Side,
    /// How much, after rounding and earlier rules.
    pub lots: Lots,
    /// The price it would trade at now.
    pub price: Price,
    /// Attached stop-loss.
    pub stop_loss: Option<Price>,
    /// What it would lose at its stop-loss (positive), when it has one.
    pub risk: Option<Money>,
    /// What one lot earns when the price moves by 1.
    pub value_per_point: Money,
}

/// A rule's answer to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it is.
    Allow,
    /// No more than this.
    Shrink(Lots),
    /// Not at all. The reason is shown to the trader: give the numbers and what to do next.
    Refuse(String),
}

/// What a rule thinks of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing to do.
    Ok,
    /// Close to a limit.
    Warn,
    /// Close all positions; the account lives on.
    Flatten,
    /// The account has failed, for good.
    Fail,
}

/// What a goal counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The account's currency.
    Money,
    /// Hundredths of a whole.
    Percent,
    /// Trading days.
    Days,
}

/// A goal of a program: a target, days to trade, a share not to exceed. It never fails an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// Lower-case letters, digits and hyphens, at most 64.
    pub name: &'static str,
    /// One sentence for the trader, with the numbers.
    pub summary: String,
    /// What the numbers count.
    pub unit: Unit,
    /// Where it stands.
    pub have: Decimal,
    /// What is wanted.
    pub want: Decimal,
    /// Whether it is met.
    pub reached: bool,
}

/// A rule's assessment, with the levels at which it wants to be asked again. While the account's book stays as it is (no
/// fill, no deposit, no withdrawal) it is never called between them, so they must hold for every price path that stays
/// between them; a level that is already reached is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What it thinks.
    pub standing: Standing,
    /// For people, when it is not [`Standing::Ok`].
    pub reason: String,
    /// The equity at which the account would breach.
    pub floor: Option<Money>,
    /// Ask again once equity is at or below this.
    pub wake_below: Option<Money>,
    /// Ask again once equity is at or above this.
    pub wake_above: Option<Money>,
    /// Ask again at this time.
    pub wake_at: Option<i64>,
    /// Goals, at most 8.
    pub objectives: Vec<Objective>,
    /// The instruments whose positions [`Standing::Flatten`] closes, at most 32; none means all.
    pub only: Vec<u32>,
}

impl Assessment {
    /// Nothing to do and nothing to wait for.
    pub const OK: Self = Self {
        standing: Standing::Ok,
        reason: String::new(),
        floor: None,
        wake_below: None,
        wake_above: None,
        wake_at: None,
        objectives: Vec::new(),
        only: Vec::new(),
    };
}

/// A risk rule: a pure function of its settings and the account. It keeps no state between calls, and the host may
/// replace an instance at any time.
pub trait RiskRule: Sized {
    /// What a broker sets; read from JSON that satisfies the schema in [`About`].
    type Settings: DeserializeOwned;

    /// What it is, for the catalogue.
    fn about() -> About;

    /// Starts it.
    ///
    /// # Errors
    /// A sentence for the person who chose the settings, when the schema cannot say what is wrong with them.
    fn new(settings: Self::Settings) -> Result<Self, String>;

    /// When its day begins, if it has one.
    fn day_reset(&self) -> Option<DayReset> {
        None
    }

    /// Allows, shrinks or refuses an order.
    fn check(&self, order: &Order, account: &Account) -> Verdict;

    /// Assesses the account and sets its wake levels.
    fn assess(&self, account: &Account) -> Assessment;
}
