//! What was wanted, what each rule answered, what came of it: in words.

use super::{
    Fragment, Page,
    component::{Link, Tone, words},
    figure::{When, lots_text},
    row::{Desk, OrderRow, SideView},
};
use marque_domain::{
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::Price,
    id::PositionId,
    order::{Position, Side},
    ticket::{Levels, OrderKind, Ticket},
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
    let held = |position: PositionId| {
        closes.map_or_else(
            || position.to_string(),
            |p| {
                let held = if p.side == Side::Buy { "long" } else { "short" };
                format!("{held} {} {}", lots_text(p.lots), desk.symbol(p.instrument))
            },
        )
    };
    let plain = |side: Option<Side>, text: String| Wish {
        side: side.map(Into::into),
        text,
        stop_loss: None,
        take_profit: None,
    };
    let closing = closes.map(|p| p.side.opposite());
    match intent {
        Intent::Open { instrument, side, lots, stop_loss, take_profit } => {
            let levels = Levels { stop_loss: *stop_loss, take_profit: *take_profit, trail: None };
            opening(&Ticket::market(*instrument, *side, *lots, levels), desk)
        }
        Intent::Place(ticket) => opening(ticket, desk),
        Intent::Amend { order, .. } => plain(None, format!("Change {order}")),
        Intent::Cancel { order } => plain(None, format!("Cancel {order}")),
        Intent::Close { position } => plain(closing, format!("Close {}", held(*position))),
        Intent::Reduce { position, lots } => {
            plain(closing, format!("Close {} lots of {}", lots_text(*lots), held(*position)))
        }
        Intent::CloseBy { position, by } => plain(closing, format!("Close {} by {by}", held(*position))),
        Intent::Protect { position, levels } => {
            let price = |price: Price| closes.map_or_else(|| price.to_string(), |p| desk.price(p.instrument, price));
            Wish {
                side: closes.map(|p| p.side.into()),
                text: format!("Guard {}", held(*position)),
                stop_loss: levels.stop_loss.map(price),
                take_profit: levels.take_profit.map(price),
            }
        }
    }
}

fn opening(ticket: &Ticket, desk: &Desk) -> Wish {
    let price = |price: Price| desk.price(ticket.instrument, price);
    let (side, size) = (SideView::from(ticket.side), lots_text(ticket.lots));
    let at = match ticket.kind {
        OrderKind::Market => String::new(),
        OrderKind::Limit { price: limit } => format!(" at {} or better", price(limit)),
        OrderKind::Stop { price: stop } => format!(" at the market from {}", price(stop)),
        OrderKind::StopLimit { stop, limit } => format!(" at {} or better from {}", price(limit), price(stop)),
        OrderKind::TrailingStop { stop, trail } => {
            format!(" at the market from {}, following at {}", price(stop), price(trail.distance))
        }
    };
    Wish {
        side: Some(side),
        text: format!("{} {size} {}{at}", side.label, desk.symbol(ticket.instrument)),
        stop_loss: ticket.levels.stop_loss.map(price),
        take_profit: ticket.levels.take_profit.map(price),
    }
}

fn outcome(decision: &Decision) -> OutcomeView {
    match &decision.outcome {
        Outcome::Approved { order, lots } => OutcomeView {
            tone: Tone::Good,
            mark: "✓",
            title: match decision.intent {
                Intent::Amend { .. } | Intent::Protect { .. } => "Changed".to_owned(),
                Intent::Cancel { .. } => "Cancelled".to_owned(),
                _ => format!("Sent {} lots", lots_text(*lots)),
            },
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
