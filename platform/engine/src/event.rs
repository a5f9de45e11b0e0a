//! What goes into a shard and what comes out.

use crate::{
    gate::Approved,
    port::{Assessment, DayAnchor, VenueReport},
    routed::{Asking, Dispute},
    state::State,
};
use marque_domain::{
    account::{AccountStatus, AccountTerms, Deployment, DeploymentStatus, EquityPoint},
    bar::{Bar, Quote, Timeframe},
    decision::{Decision, Intent},
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, InstrumentId, OrderId, UserId},
    kill::{Authority, Kill, KillScope, Killed},
    ledger::{
        Transaction,
        movement::{Movement, MovementDenial},
    },
    order::{Order, Position},
    plugin::PluginRef,
    succession::{Difference, ShadowEnd, Switch},
    tenant::Quotas,
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// Something that happened outside the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The market moved, with what the venue did at once because of it (attached stops).
    Quote(Quote, Vec<VenueReport>),
    /// A person or a program asks for something.
    Command(Command),
    /// The runtime is about to hand this order to the venue; its intent is committed.
    Sent(OrderId),
    /// The venue answered.
    Report(VenueReport),
    /// Time went by without a quote, with what a remote venue said meanwhile.
    Heard(Vec<VenueReport>),
    /// The shard was rebuilt from its journal: orders that may have been sent become unknown and are
    /// asked about.
    Recovered,
    /// Some of what the switches that were pressed ask for is to be done: about so many orders and positions.
    CarryOut(usize),
}

/// What a person or a program may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Opens and funds an account.
    OpenAccount(AccountTerms),
    /// Deploys a strategy and starts it, within what its owner's plan leaves.
    Deploy(Deployment, Quotas),
    /// Starts a stopped or quarantined strategy, within what its owner's plan leaves.
    Start(DeploymentId, Quotas),
    /// Stops a strategy. Its positions stay open.
    Stop(DeploymentId),
    /// Wants something done on an account.
    Want {
        /// Which account.
        account: AccountId,
        /// What.
        intent: Intent,
    },
    /// A person's plan now allows this many orders a day.
    LimitTrades {
        /// Whose.
        user: UserId,
        /// Orders that may open a position in a UTC day; none means no limit.
        per_day: Option<u32>,
    },
    /// Presses a kill switch. The shard says when.
    Kill(Kill),
    /// Lets go of the kill switches of a scope that were pressed in this name or a lower one.
    Release {
        /// Of what.
        scope: KillScope,
        /// In whose name.
        authority: Authority,
        /// Who lets go: a name for people.
        by: String,
    },
    /// Moves money into or out of an account. A reference that already named the same movement changes nothing and is
    /// no refusal: asked again, it was done.
    MoveMoney {
        /// Which account.
        account: AccountId,
        /// What.
        movement: Movement,
    },
    /// Puts another release of the same plugin in the place of the one that runs, which hands its state over.
    Upgrade {
        /// On which deployment.
        deployment: DeploymentId,
        /// The release, with the settings it shall run with.
        to: PluginRef,
    },
    /// Puts the release before back. One that was quarantined starts again with it, within what its owner's plan leaves.
    RollBack(DeploymentId, Quotas),
    /// Runs another release of the same plugin beside the live one.
    Shadow {
        /// Beside which deployment's.
        deployment: DeploymentId,
        /// The release, with the settings it shall run with.
        plugin: PluginRef,
    },
    /// Puts the shadow in the place of the live release.
    Promote(DeploymentId),
    /// Ends the shadow.
    DropShadow(DeploymentId),
    /// Stops a strategy because its owner's plan has nothing left for it. Its positions stay open.
    Pause {
        /// Which.
        deployment: DeploymentId,
        /// For its owner.
        reason: String,
    },
}

impl Command {
    /// The account that it concerns; none when it concerns several or one that is not there.
    #[must_use]
    pub fn account(&self, state: &State) -> Option<AccountId> {
        match self {
            Self::OpenAccount(terms) => Some(terms.id),
            Self::Deploy(deployment, _) => Some(deployment.account),
            Self::Start(deployment, _)
            | Self::Stop(deployment)
            | Self::Upgrade { deployment, .. }
            | Self::RollBack(deployment, _)
            | Self::Shadow { deployment, .. }
            | Self::Promote(deployment)
            | Self::DropShadow(deployment)
            | Self::Pause { deployment, .. } => state.deployments.get(deployment).map(|d| d.account),
            Self::Want { account, .. } | Self::MoveMoney { account, .. } => Some(*account),
            Self::LimitTrades { .. } | Self::Kill(_) | Self::Release { .. } => None,
        }
    }
}

/// Why a command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account is not in this shard.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The deployment is not in this shard.
    #[error("there is no such deployment")]
    NoSuchDeployment,
    /// The id is taken.
    #[error("this id is already in use")]
    Duplicate,
    /// The instrument is not in the catalogue.
    #[error("there is no such instrument")]
    NoSuchInstrument,
    /// The account may not run strategies any more.
    #[error("this account takes no new strategies: {0}")]
    AccountClosed(String),
    /// The plugin could not be started with these settings.
    #[error("the plugin did not start: {0}")]
    Plugin(String),
    /// A kill switch is in the way.
    #[error(transparent)]
    Killed(Killed),
    /// A kill switch was pressed without saying why, or with words that cannot be kept.
    #[error(
        "say who presses the switch and why, in 1 to {} characters on one line",
        marque_domain::kill::REASON_CHARS_MAX
    )]
    KillWords,
    /// Too many switches are on.
    #[error(
        "{} kill switches are on, which is the most: release some, or press one that stops more",
        marque_domain::kill::KILLS_MAX
    )]
    TooManyKills,
    /// The money may not be moved.
    #[error(transparent)]
    Movement(#[from] MovementDenial),
    /// The owner's plan runs no more strategies at once.
    #[error("the plan runs at most {limit} at once, on all accounts together: stop one, or choose a larger plan")]
    TooManyStrategies {
        /// Strategies at once.
        limit: u32,
    },
    /// The owner's plan runs strategies on no more instruments at once.
    #[error(
        "the plan runs strategies on at most {limit} at once, on all accounts together: stop one on another instrument, or choose a larger plan"
    )]
    TooManyInstruments {
        /// Instruments at once.
        limit: u32,
    },
    /// A release follows another one of the same plugin only.
    #[error("this deployment runs {0}: choose another release of it, or deploy the other plugin beside it")]
    OtherPlugin(String),
    /// The deployment runs this release already.
    #[error("it runs this release already")]
    SameRelease,
    /// The release could not take over, or not run beside the live one; that goes on running as it was.
    #[error("the new release was not taken up, and nothing changed: {0}")]
    NotTakenUp(String),
    /// An order of the strategy is on its way, and it must hear what became of it first.
    #[error("an order of this strategy is on its way to the venue: try again once it has been answered")]
    NotQuiet,
    /// There is no release to go back to.
    #[error("there is no release to go back to: this deployment was not upgraded since it was last rolled back")]
    NothingToRollBack,
    /// A shadow needs a live release beside it.
    #[error("the strategy does not run: start it first, so that there is something to compare with")]
    NotRunning,
    /// No release runs beside the live one.
    #[error("no release runs beside the live one")]
    NoShadow,
}

/// A durable fact. The state of a shard is the sum of its records and nothing else; they are committed
/// before anything that follows from them leaves the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// An account was opened.
    AccountOpened {
        /// With what.
        terms: AccountTerms,
        /// When.
        at: Millis,
    },
    /// An account's status changed.
    AccountChanged {
        /// Which.
        account: AccountId,
        /// To what.
        status: AccountStatus,
        /// When.
        at: Millis,
    },
    /// A strategy was deployed.
    Deployed(Deployment),
    /// A deployment's status changed.
    DeploymentChanged {
        /// Which.
        deployment: DeploymentId,
        /// To what.
        status: DeploymentStatus,
        /// When.
        at: Millis,
    },
    /// A strategy's call gave no answer.
    Faulted {
        /// Which deployment.
        deployment: DeploymentId,
        /// When.
        at: Millis,
        /// What happened.
        fault: String,
    },
    /// An intent was decided.
    Decided(Decision),
    /// An order was approved: the intent that must be durable before it is sent.
    OrderPlaced(Order),
    /// An order moved along: the order as it is now.
    OrderMoved(Order),
    /// A position was opened.
    PositionOpened(Position),
    /// An open position has other lots or levels: the position as it is now.
    PositionChanged(Position),
    /// A position was closed: the position with how it ended.
    PositionClosed(Position),
    /// Money moved.
    Moved(Transaction),
    /// A rule's day began.
    DayBegan {
        /// Whose.
        account: AccountId,
        /// Which of the account's rules.
        rule: u16,
        /// What the account was worth.
        anchor: DayAnchor,
    },
    /// The days of one of the account's rules are tallied from here on.
    DaysKept {
        /// Whose.
        account: AccountId,
        /// Which of the account's rules.
        rule: u16,
    },
    /// What a rule says of an account changed.
    Assessed {
        /// Whose.
        account: AccountId,
        /// Which of the account's rules.
        rule: u16,
        /// What it said.
        assessment: Assessment,
        /// Equity at that moment: after a gap, the worst that was seen.
        equity: Money,
        /// When.
        at: Millis,
    },
    /// An account's orders a day follow its owner's plan.
    TradesLimited {
        /// Which account.
        account: AccountId,
        /// Orders that may open a position in a UTC day; none means no limit.
        per_day: Option<u32>,
    },
    /// An account was called because of its margin, or is calm again.
    MarginCalled {
        /// Which.
        account: AccountId,
        /// Called, or calm again.
        called: bool,
        /// What it was worth.
        equity: Money,
        /// What its positions bind.
        bound: Money,
        /// When.
        at: Millis,
    },
    /// A kill switch was pressed, or became stronger.
    KillPressed(Kill),
    /// A kill switch was released.
    KillReleased {
        /// Of what.
        scope: KillScope,
        /// In whose name it was on.
        authority: Authority,
        /// Who let go of it.
        by: String,
        /// When.
        at: Millis,
    },
    /// An order goes to a venue that keeps its own books: what that says of it is remembered from here on.
    Routed {
        /// Whose.
        account: AccountId,
        /// Which.
        order: OrderId,
    },
    /// An execution that such a venue told is counted.
    Executed {
        /// Whose.
        account: AccountId,
        /// Of which order; of a level that closed a position, the order that opened it.
        order: OrderId,
        /// The venue's name for it.
        execution: ExecutionId,
        /// How much traded.
        lots: Lots,
        /// At what price.
        price: Price,
        /// When it was told.
        at: Millis,
    },
    /// A question about an order goes out or will, or nobody asks any more and a person has to look.
    Asked {
        /// Whose.
        account: AccountId,
        /// About which.
        order: OrderId,
        /// How often by now, and when again.
        asking: Asking,
        /// When.
        at: Millis,
    },
    /// The venue answered a question about an order.
    Answered {
        /// Whose.
        account: AccountId,
        /// About which.
        order: OrderId,
        /// Whether the venue said that the order is over. Of one that it never heard of it has not: it may still be on its way.
        over: bool,
        /// When.
        at: Millis,
    },
    /// A venue did something other than it was asked to; a person should look at it.
    Disputed(Dispute),
    /// A deployment runs another release of its plugin.
    Switched(Switch),
    /// A release runs beside the live one from here on.
    ShadowStarted {
        /// Beside which deployment's.
        deployment: DeploymentId,
        /// The release, with its settings.
        plugin: PluginRef,
        /// When.
        at: Millis,
    },
    /// It does not any more.
    ShadowEnded {
        /// Beside which deployment's.
        deployment: DeploymentId,
        /// Why.
        end: ShadowEnd,
        /// When.
        at: Millis,
    },
}

impl Record {
    /// The account that it concerns, if it is there.
    #[must_use]
    pub fn account(&self, state: &State) -> Option<AccountId> {
        let of = |deployment: &DeploymentId| state.deployments.get(deployment).map(|d| d.account);
        match self {
            Self::AccountOpened { terms, .. } => Some(terms.id),
            Self::AccountChanged { account, .. }
            | Self::DayBegan { account, .. }
            | Self::Assessed { account, .. }
            | Self::TradesLimited { account, .. }
            | Self::MarginCalled { account, .. }
            | Self::Routed { account, .. }
            | Self::Executed { account, .. }
            | Self::Asked { account, .. }
            | Self::Answered { account, .. }
            | Self::DaysKept { account, .. } => Some(*account),
            Self::Disputed(dispute) => dispute.account,
            Self::Deployed(deployment) => Some(deployment.account),
            Self::DeploymentChanged { deployment, .. }
            | Self::Faulted { deployment, .. }
            | Self::ShadowStarted { deployment, .. }
            | Self::ShadowEnded { deployment, .. } => of(deployment),
            Self::Switched(switch) => of(&switch.deployment),
            Self::Decided(decision) => Some(decision.account),
            Self::OrderPlaced(order) | Self::OrderMoved(order) => Some(order.account),
            Self::PositionOpened(position) | Self::PositionChanged(position) | Self::PositionClosed(position) => {
                Some(position.account)
            }
            Self::Moved(transaction) => Some(transaction.account()),
            Self::KillPressed(_) | Self::KillReleased { .. } => None,
        }
    }

    /// The account whose positions or balance this changes.
    #[must_use]
    pub(crate) const fn revalues(&self) -> Option<AccountId> {
        match self {
            Self::PositionOpened(position) | Self::PositionChanged(position) | Self::PositionClosed(position) => {
                Some(position.account)
            }
            Self::Moved(transaction) => Some(transaction.account()),
            Self::AccountOpened { .. }
            | Self::AccountChanged { .. }
            | Self::Deployed(_)
            | Self::DeploymentChanged { .. }
            | Self::Faulted { .. }
            | Self::Decided(_)
            | Self::OrderPlaced(_)
            | Self::OrderMoved(_)
            | Self::DayBegan { .. }
            | Self::DaysKept { .. }
            | Self::Assessed { .. }
            | Self::TradesLimited { .. }
            | Self::MarginCalled { .. }
            | Self::KillPressed(_)
            | Self::KillReleased { .. }
            | Self::Routed { .. }
            | Self::Executed { .. }
            | Self::Asked { .. }
            | Self::Answered { .. }
            | Self::Disputed(_)
            | Self::Switched(_)
            | Self::ShadowStarted { .. }
            | Self::ShadowEnded { .. } => None,
        }
    }
}

/// A bar that has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedBar {
    /// Of what.
    pub instrument: InstrumentId,
    /// Of what length.
    pub timeframe: Timeframe,
    /// The bar.
    pub bar: Bar,
}

/// What a step wants done, in this order: commit the records, hand over the orders, ask the queries. The
/// rest is for people who watch; it is derived and may be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// Facts to commit.
    pub records: Vec<Record>,
    /// Orders to hand to the venue once the records are committed.
    pub orders: Vec<Approved>,
    /// Orders to ask the venue about.
    pub queries: Vec<OrderId>,
    /// Orders that a remote venue must be told again, with their positions.
    pub restated: Vec<OrderId>,
    /// Points of equity curves.
    pub points: Vec<EquityPoint>,
    /// What strategies logged.
    pub logs: Vec<(DeploymentId, Millis, String)>,
    /// Decisions in which shadows differ from the live release.
    pub differences: Vec<Difference>,
}

impl Effects {
    /// Whether nothing needs to be done.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.orders.is_empty()
            && self.queries.is_empty()
            && self.restated.is_empty()
            && self.points.is_empty()
            && self.logs.is_empty()
            && self.differences.is_empty()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.orders.clear();
        self.queries.clear();
        self.restated.clear();
        self.points.clear();
        self.logs.clear();
        self.differences.clear();
    }
}
