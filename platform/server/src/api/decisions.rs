//! Decisions: what was wanted, what each rule answered, and what came of it.

use super::{
    App, Tag,
    caller::Caller,
    order::{Origin, Side},
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    ticket::{OrderKind, TimeInForce, Trail},
};
use crate::{identity::Operation, problem::Problem, tenants::Feature, trading::requests};
use marque_domain::{
    decision,
    id::{DecisionId, DeploymentId},
    ticket::{self, Levels, Ticket},
};
use marque_store::Whose;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};

pub(super) struct Decisions;

/// What is to be done.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum IntentKind {
    /// Open a position at the market.
    Open,
    /// Close a position at the market, wholly.
    Close,
    /// Place an order of any kind.
    Place,
    /// Change a working order.
    Amend,
    /// Withdraw a working order.
    Cancel,
    /// Close a part of a position at the market.
    Reduce,
    /// Close two opposite positions against each other.
    CloseBy,
    /// Change what guards an open position.
    Protect,
}

/// What a strategy or a person wanted. Which fields there are follows from `kind`.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct Intent {
    /// What is to be done.
    kind: IntentKind,
    /// To open or place: in what.
    instrument: Option<String>,
    /// To open or place: which way.
    side: Option<Side>,
    /// To open, place or reduce: how much was asked for.
    lots: Option<String>,
    /// To place or amend: at which price.
    order_kind: Option<OrderKind>,
    /// To place or amend: the worst price.
    limit_price: Option<String>,
    /// To place or amend: where it triggers.
    stop_price: Option<String>,
    /// To place or amend: how the trigger follows the price.
    stop_trail: Option<Trail>,
    /// To place or amend: for how long.
    time_in_force: Option<TimeInForce>,
    /// To place or amend: until when.
    expires_at: Option<String>,
    /// The stop-loss.
    stop_loss: Option<String>,
    /// The take-profit.
    take_profit: Option<String>,
    /// How the stop-loss follows the price.
    trail: Option<Trail>,
    /// To place: the working order of which only one of the two may trade.
    oco: Option<String>,
    /// To amend or cancel: which order.
    order: Option<String>,
    /// To close, reduce or protect: which position.
    position: Option<String>,
    /// To close by: the other position.
    by: Option<String>,
}

impl Intent {
    const fn bare(kind: IntentKind) -> Self {
        Self {
            kind,
            instrument: None,
            side: None,
            lots: None,
            order_kind: None,
            limit_price: None,
            stop_price: None,
            stop_trail: None,
            time_in_force: None,
            expires_at: None,
            stop_loss: None,
            take_profit: None,
            trail: None,
            oco: None,
            order: None,
            position: None,
            by: None,
        }
    }

    fn guarded(self, levels: Levels) -> Self {
        Self {
            stop_loss: levels.stop_loss.map(|price| price.to_string()),
            take_profit: levels.take_profit.map(|price| price.to_string()),
            trail: levels.trail.map(Trail::from),
            ..self
        }
    }

    fn priced(self, kind: ticket::OrderKind, time: ticket::TimeInForce) -> Self {
        Self {
            order_kind: Some(kind.into()),
            limit_price: kind.limit().map(|price| price.to_string()),
            stop_price: kind.stop().map(|price| price.to_string()),
            stop_trail: kind.trail().map(Trail::from),
            time_in_force: Some(time.into()),
            expires_at: if let ticket::TimeInForce::Gtd(at) = time { Some(at.to_rfc3339()) } else { None },
            ..self
        }
    }

    fn opening(kind: IntentKind, wanted: &Ticket, app: &App) -> Self {
        Self {
            instrument: Some(app.symbol(wanted.instrument)),
            side: Some(wanted.side.into()),
            lots: Some(wanted.lots.to_string()),
            oco: wanted.oco.map(|id| id.to_string()),
            ..Self::bare(kind).guarded(wanted.levels)
        }
    }

    fn of(intent: &decision::Intent, app: &App) -> Self {
        use decision::Intent as Wanted;
        match intent {
            Wanted::Open { instrument, side, lots, stop_loss, take_profit } => {
                let levels = Levels { stop_loss: *stop_loss, take_profit: *take_profit, trail: None };
                Self::opening(IntentKind::Open, &Ticket::market(*instrument, *side, *lots, levels), app)
            }
            Wanted::Place(wanted) => {
                Self::opening(IntentKind::Place, wanted, app).priced(wanted.kind, wanted.time_in_force)
            }
            Wanted::Amend { order, to } => Self {
                order: Some(order.to_string()),
                ..Self::bare(IntentKind::Amend).priced(to.kind, to.time_in_force).guarded(to.levels)
            },
            Wanted::Cancel { order } => Self { order: Some(order.to_string()), ..Self::bare(IntentKind::Cancel) },
            Wanted::Close { position } => {
                Self { position: Some(position.to_string()), ..Self::bare(IntentKind::Close) }
            }
            Wanted::Reduce { position, lots } => Self {
                position: Some(position.to_string()),
                lots: Some(lots.to_string()),
                ..Self::bare(IntentKind::Reduce)
            },
            Wanted::CloseBy { position, by } => Self {
                position: Some(position.to_string()),
                by: Some(by.to_string()),
                ..Self::bare(IntentKind::CloseBy)
            },
            Wanted::Protect { position, levels } => {
                Self { position: Some(position.to_string()), ..Self::bare(IntentKind::Protect).guarded(*levels) }
            }
        }
    }
}

/// What a rule said.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Verdict {
    /// As it is.
    Allow,
    /// No more than `lots`.
    Shrink,
    /// Not at all, with the rule's reason.
    Refuse,
    /// The rule could not answer; it counts as a refusal.
    Fault,
}

/// A rule's answer.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct RuleAnswer {
    /// The rule's name in the catalogue.
    rule: String,
    /// What it said.
    verdict: Verdict,
    /// To shrink: to how much.
    lots: Option<String>,
    /// Why, in the rule's own words.
    reason: Option<String>,
}

impl From<&decision::RuleAnswer> for RuleAnswer {
    fn from(answer: &decision::RuleAnswer) -> Self {
        let (verdict, lots, reason) = match &answer.verdict {
            decision::Verdict::Allow => (Verdict::Allow, None, None),
            decision::Verdict::Shrink(lots) => (Verdict::Shrink, Some(lots.to_string()), None),
            decision::Verdict::Refuse(reason) => (Verdict::Refuse, None, Some(reason.clone())),
            decision::Verdict::Fault(fault) => (Verdict::Fault, None, Some(fault.clone())),
        };
        Self { rule: answer.rule.clone(), verdict, lots, reason }
    }
}

/// What came of it.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Outcome {
    /// It became an order.
    Approved,
    /// It did not.
    Denied,
}

/// Why it did not become an order.
#[derive(Object)]
struct Denial {
    /// A stable code, such as `margin_too_small` or `rule_refused`.
    code: String,
    /// What happened and what to do next, with the numbers that decided.
    detail: String,
}

/// The whole story of one wish.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Decision {
    /// Its id: `dec_…`.
    id: String,
    /// For which account.
    account: String,
    /// From which deployed strategy.
    deployment: Option<String>,
    /// Who asked.
    origin: Origin,
    /// When, in market time.
    at: String,
    /// What was wanted.
    intent: Intent,
    /// What each rule that was asked said, in order.
    answers: Vec<RuleAnswer>,
    /// What came of it.
    outcome: Outcome,
    /// The order it became or concerned, if it was approved. What changes a position concerns the order that opened it.
    order: Option<String>,
    /// The order's size after rounding and shrinking, if it was approved.
    lots: Option<String>,
    /// Why not, if it was denied.
    denial: Option<Denial>,
}

impl Decision {
    pub fn of(found: &decision::Decision, app: &App) -> Self {
        let (outcome, order, lots, denial) = match &found.outcome {
            decision::Outcome::Approved { order, lots } => {
                (Outcome::Approved, Some(order.to_string()), Some(lots.to_string()), None)
            }
            decision::Outcome::Denied(denial) => {
                let denial = Denial { code: denial.code().to_owned(), detail: denial.to_string() };
                (Outcome::Denied, None, None, Some(denial))
            }
        };
        Self {
            id: found.id.to_string(),
            account: found.account.to_string(),
            deployment: found.deployment.map(|id| id.to_string()),
            origin: found.origin.into(),
            at: found.at.to_rfc3339(),
            intent: Intent::of(&found.intent, app),
            answers: found.answers.iter().map(RuleAnswer::from).collect(),
            outcome,
            order,
            lots,
            denial,
        }
    }
}

/// Which decisions.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum OutcomeFilter {
    /// Those that became orders.
    Approved,
    /// Those that did not.
    Denied,
}

#[OpenApi(tag = "Tag::Decisions")]
impl Decisions {
    /// List decisions
    ///
    /// What strategies and people wanted on an account, and what came of it. Pages after the first are for plans with
    /// `decision-history`, where the brand sells it.
    #[oai(path = "/accounts/:account/decisions", method = "get", operation_id = "list_decisions")]
    async fn list_decisions(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
        /// Only the approved, or only the denied.
        outcome: Query<Option<OutcomeFilter>>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Decision>, Refused> {
        let id = caller.account(caller.who.may(Operation::ReadDecisions)?, &account.0).await?.terms.id;
        if cursor.0.is_some() {
            requests::gate(&caller.who, Feature::DecisionHistory).await?;
        }
        let (denied, filter) = match outcome.0 {
            None => (None, ""),
            Some(OutcomeFilter::Approved) => (Some(false), "?outcome=approved"),
            Some(OutcomeFilter::Denied) => (Some(true), "?outcome=denied"),
        };
        let list = List::new(caller.db().tenant(), format!("/accounts/{id}/decisions{filter}"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().decisions(Whose::Account(id), denied, page).await?;
        Ok(list.answer(page, found, |decision| Decision::of(&decision, &caller.app)))
    }

    /// The decisions of a deployment
    ///
    /// What its strategy wanted, and what came of it, newest first. Pages after the first are for plans with
    /// `decision-history`, where the brand sells it.
    #[oai(path = "/deployments/:deployment/decisions", method = "get", operation_id = "list_deployment_decisions")]
    async fn list_deployment_decisions(
        &self,
        caller: Caller,
        /// The deployment's id.
        deployment: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Decision>, Refused> {
        let whose = caller.who.may(Operation::ReadDecisions)?;
        let id: DeploymentId = deployment.0.parse().map_err(|_| Problem::not_found())?;
        caller.db().deployment(whose, id).await?;
        if cursor.0.is_some() {
            requests::gate(&caller.who, Feature::DecisionHistory).await?;
        }
        let list = List::new(caller.db().tenant(), format!("/deployments/{id}/decisions"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().decisions_of(whose, id, page).await?;
        Ok(list.answer(page, found, |decision| Decision::of(&decision, &caller.app)))
    }

    /// Get a decision
    #[oai(path = "/decisions/:decision", method = "get", operation_id = "get_decision")]
    async fn get_decision(
        &self,
        caller: Caller,
        /// The decision's id.
        decision: Path<String>,
    ) -> Result<Json<Decision>, Refused> {
        let whose = caller.who.may(Operation::ReadDecisions)?;
        let id: DecisionId = decision.0.parse().map_err(|_| Problem::not_found())?;
        Ok(Json(Decision::of(&caller.db().decision(whose, id).await?, &caller.app)))
    }
}
