//! What was wanted, what each rule answered, what came of it: in words.

use super::{
    Fragment, Page,
    component::{Link, Tone, words},
    figure::{When, lots_text},
    row::{Desk, OrderRow, SideView},
};
use marque_domain::{
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    order::{Position, Side},
};
use serde::Serialize;

/// What was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// Which way, when it is known.
    pub side: Option<SideView>,
    /// `Buy 0.50 EURUSD`, `Close 0.50 EURUSD`.
    pub text: String,
    /// Attached stop-loss.
    pub stop_loss: Option<String>,
    /// Attached take-profit.
    pub take_profit: Option<String>,
}

/// What a rule answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerView {
    /// The rule's name in words.
    pub rule: String,
    /// How it sounds.
    pub tone: Tone,
    /// That without colour.
    pub mark: &'static str,
    /// `Allowed`, `Shrunk`, `Refused`, `No answer`.
    pub verdict: &'static str,
    /// To what size, or why.
    pub detail: Option<String>,
}

impl AnswerView {
    fn of(answer: &RuleAnswer) -> Self {
        let (tone, mark, verdict, detail) = match &answer.verdict {
            Verdict::Allow => (Tone::Good, "✓", "Allowed", None),
            Verdict::Shrink(lots) => (Tone::Warn, "↓", "Shrunk", Some(format!("at most {} lots", lots_text(*lots)))),
            Verdict::Refuse(reason) => (Tone::Bad, "✕", "Refused", Some(reason.clone())),
            Verdict::Fault(fault) => (Tone::Bad, "!", "No answer", Some(format!("It counts as a refusal: {fault}"))),
        };
        Self { rule: words(&answer.rule), tone, mark, verdict, detail }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutcomeView {
    /// How it sounds.
    pub tone: Tone,
    /// That without colour.
    pub mark: &'static str,
    /// `Sent 0.50 lots`, `Not sent`.
    pub title: String,
    /// Why not, and what to do next.
    pub text: Option<String>,
    /// The denial's stable code.
    pub code: Option<&'static str>,
    /// The order it became.
    pub order: Option<String>,
}

/// A decision in the account's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionRow {
    /// Its id.
    pub id: String,
    /// Its own page.
    pub href: String,
    /// When.
    pub at: When,
    /// Who asked.
    pub by: String,
    /// What was wanted.
    pub wish: Wish,
    /// What each rule answered, in order.
    pub answers: Vec<AnswerView>,
    /// What came of it.
    pub outcome: OutcomeView,
}

impl DecisionRow {
    /// A decision, with the position it wanted to close when that is known.
    #[must_use]
    pub fn of(decision: &Decision, closes: Option<&Position>, desk: &Desk) -> Self {
        Self {
            id: decision.id.to_string(),
            href: format!("/decisions/{}", decision.id),
            at: desk.clock.show(decision.at),
            by: desk.who(decision.origin, decision.deployment),
            wish: wish(&decision.intent, closes, desk),
            answers: decision.answers.iter().map(AnswerView::of).collect(),
            outcome: outcome(decision),
        }
    }
}

impl Fragment for DecisionRow {
    const TEMPLATE: &'static str = "parts/decision-row";
}

fn wish(intent: &Intent, closes: Option<&Position>, desk: &Desk) -> Wish {
    match intent {
        Intent::Open { instrument, side, lots, stop_loss, take_profit } => Wish {
            side: Some((*side).into()),
            text: format!("{} {} {}", SideView::from(*side).label, lots_text(*lots), desk.symbol(*instrument)),
            stop_loss: stop_loss.map(|price| desk.price(*instrument, price)),
            take_profit: take_profit.map(|price| desk.price(*instrument, price)),
        },
        Intent::Close { position } => {
            let text = closes.map_or_else(
                || format!("Close {position}"),
                |p| {
                    let held = if p.side == Side::Buy { "long" } else { "short" };
                    format!("Close {held} {} {}", lots_text(p.lots), desk.symbol(p.instrument))
                },
            );
            Wish { side: closes.map(|p| p.side.opposite().into()), text, stop_loss: None, take_profit: None }
        }
    }
}

fn outcome(decision: &Decision) -> OutcomeView {
    match &decision.outcome {
        Outcome::Approved { order, lots } => OutcomeView {
            tone: Tone::Good,
            mark: "✓",
            title: format!("Sent {} lots", lots_text(*lots)),
            text: None,
            code: None,
            order: Some(order.to_string()),
        },
        Outcome::Denied(denial) => OutcomeView {
            tone: Tone::Bad,
            mark: "✕",
            title: "Not sent".to_owned(),
            text: Some(denial_text(denial)),
            code: Some(denial.code()),
            order: None,
        },
    }
}

/// The denial's sentence, with the rule named in words.
fn denial_text(denial: &Denial) -> String {
    match denial {
        Denial::RuleRefused { rule, reason } => format!("{}: {reason}", words(rule)),
        other => other.to_string(),
    }
}

/// A decision's own page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionPage {
    /// The account it was for.
    pub account: Link,
    /// The decision.
    pub decision: DecisionRow,
    /// The order it became.
    pub order: Option<OrderRow>,
}

impl Page for DecisionPage {
    const TEMPLATE: &'static str = "decision";
}
