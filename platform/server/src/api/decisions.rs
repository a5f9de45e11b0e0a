//! Decisions: what was wanted, what each rule answered, and what came of it.

use super::{
    App, Tag,
    caller::Caller,
    orders::{Origin, Side},
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
};
use crate::{
    identity::Operation,
    problem::Problem,
    trading::requests::{self, Feature},
};
use marque_domain::{decision, id::DecisionId};
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
    /// Close a position at the market.
    Close,
}

/// What a strategy or a person wanted.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct Intent {
    /// What is to be done.
    kind: IntentKind,
    /// To open: in what.
    instrument: Option<String>,
    /// To open: which way.
    side: Option<Side>,
    /// To open: how much was asked for.
    lots: Option<String>,
    /// To open: the attached stop-loss.
    stop_loss: Option<String>,
    /// To open: the attached take-profit.
    take_profit: Option<String>,
    /// To close: which position.
    position: Option<String>,
}

impl Intent {
    fn of(intent: &decision::Intent, app: &App) -> Self {
        match intent {
            decision::Intent::Open { instrument, side, lots, stop_loss, take_profit } => Self {
                kind: IntentKind::Open,
                instrument: Some(app.symbol(*instrument)),
                side: Some((*side).into()),
                lots: Some(lots.to_string()),
                stop_loss: stop_loss.map(|price| price.to_string()),
                take_profit: take_profit.map(|price| price.to_string()),
                position: None,
            },
            decision::Intent::Close { position } => Self {
                kind: IntentKind::Close,
                instrument: None,
                side: None,
                lots: None,
                stop_loss: None,
                take_profit: None,
                position: Some(position.to_string()),
            },
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
    /// The order it became, if it was approved.
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
