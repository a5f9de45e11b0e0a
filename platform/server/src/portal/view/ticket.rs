//! The forms of a trader's hand: an order ticket, what may be changed of an order, and of a position.

use super::{
    Page,
    component::{Field, FieldKind, Link},
};
use serde::Serialize;

/// One form of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketForm {
    /// What it does, as a heading; none on a page with one form.
    pub title: Option<&'static str>,
    /// Where it is sent.
    pub action: String,
    /// What is filled in.
    pub fields: Vec<Field>,
    /// What the button says.
    pub submit: &'static str,
    /// How the button looks: `primary`, `plain` or `stop`.
    pub kind: &'static str,
}

/// A page with such forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketPage {
    /// The account.
    pub account: Link,
    /// What is to be done: `New order`, `Change Buy 0.50 EURUSD`.
    pub title: String,
    /// What to know first.
    pub intro: String,
    /// The forms.
    pub forms: Vec<TicketForm>,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the forms.
    pub csrf: String,
}

impl Page for TicketPage {
    const TEMPLATE: &'static str = "ticket";
}

/// What was filled in before, by the name of its field.
pub type Before<'a> = &'a dyn Fn(&str) -> String;

/// A choice of fixed answers, with the one that was chosen before.
fn choice(name: &str, label: &str, answers: &[(&str, &str)], before: Before<'_>) -> Field {
    Field::new(FieldKind::Select, name, label).value(before(name)).choices(answers.iter().copied())
}

/// A field that may stay empty.
fn optional(name: &str, label: &str, hint: &str, before: Before<'_>) -> Field {
    let mut field = Field::new(FieldKind::Text, name, label).value(before(name));
    field.required = false;
    if hint.is_empty() { field } else { field.hint(hint) }
}

/// The prices that an order waits for.
fn prices(before: Before<'_>) -> Vec<Field> {
    vec![
        optional("limit_price", "Limit price", "The worst price: of limit and stop-limit orders.", before),
        optional(
            "stop_price",
            "Stop price",
            "Where it triggers: of stop, stop-limit and trailing-stop orders.",
            before,
        ),
        optional(
            "stop_distance",
            "Trailing distance",
            "How far the stop stays behind the price: of trailing-stop orders.",
            before,
        ),
    ]
}

/// How long it is good.
fn times(answers: &[(&str, &str)], before: Before<'_>) -> Vec<Field> {
    vec![
        choice("time_in_force", "Good for", answers, before),
        optional("expires_at", "Good until", "In market time, UTC, such as 2014-05-01T17:00:00Z.", before),
    ]
}

/// What guards a position.
#[must_use]
pub fn guards(before: Before<'_>) -> Vec<Field> {
    vec![
        optional("stop_loss", "Stop-loss", "Closes the position at this price against you.", before),
        optional("take_profit", "Take-profit", "Closes the position at this price for you.", before),
        optional(
            "trail_distance",
            "Trailing stop-loss",
            "Lets the stop-loss follow the price at this distance.",
            before,
        ),
    ]
}

/// The fields of a new order.
#[must_use]
pub fn new_order(instruments: &[String], waiting: &[(String, String)], before: Before<'_>) -> Vec<Field> {
    let symbols = instruments.iter().map(|symbol| (symbol.clone(), symbol.clone()));
    let kinds = [
        ("market", "Market: at once"),
        ("limit", "Limit: at this price or better"),
        ("stop", "Stop: at the market from this price on"),
        ("stop_limit", "Stop-limit: at the limit from the stop on"),
        ("trailing_stop", "Trailing stop: a stop that follows the price"),
    ];
    let mut fields = vec![
        Field::new(FieldKind::Select, "instrument", "Instrument").value(before("instrument")).choices(symbols),
        choice("side", "Side", &[("buy", "Buy"), ("sell", "Sell")], before),
        Field::new(FieldKind::Text, "lots", "Lots").value(before("lots")).hint("Such as 0.10."),
        choice("kind", "Kind", &kinds, before),
    ];
    fields.extend(prices(before));
    fields.extend(guards(before));
    fields.extend(times(
        &[
            ("gtc", "Until cancelled"),
            ("day", "The trading day"),
            ("gtd", "Until a time"),
            ("ioc", "At once, the rest is cancelled"),
            ("fok", "At once and wholly, or not at all"),
        ],
        before,
    ));
    if !waiting.is_empty() {
        let none = (String::new(), "No other order".to_owned());
        let orders = core::iter::once(none).chain(waiting.iter().cloned());
        let mut pair = Field::new(FieldKind::Select, "oco", "Paired with").value(before("oco")).choices(orders);
        pair.required = false;
        fields.push(pair.hint("When one of the two trades, the other is cancelled."));
    }
    fields
}

/// The fields of a working order that may be changed.
#[must_use]
pub fn changed_order(before: Before<'_>) -> Vec<Field> {
    let mut fields = prices(before);
    fields.extend(guards(before));
    let answers = [("gtc", "Until cancelled"), ("day", "The trading day"), ("gtd", "Until a time")];
    fields.extend(times(&answers, before));
    fields
}

/// How much of a position is to be closed.
#[must_use]
pub fn part(lots: String) -> Vec<Field> {
    vec![Field::new(FieldKind::Text, "lots", "Lots to close").value(lots)]
}

/// Which position it is closed against.
#[must_use]
pub fn opposite(others: &[(String, String)]) -> Vec<Field> {
    vec![Field::new(FieldKind::Select, "by", "Opposite position").choices(others.iter().cloned())]
}
