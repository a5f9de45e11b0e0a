//! The forms of a trader's hand: an order ticket, what may be changed of an order, and of a position.

use super::{
    Page,
    component::{Field, FieldKind, Link, Setting},
};
use serde::Serialize;

/// The kinds of orders: what forms call them, a word, and a sentence.
const KINDS: [(&str, &str, &str); 5] = [
    ("market", "Market", "Trades at once, at the price there is."),
    ("limit", "Limit", "Waits for this price or a better one."),
    ("stop", "Stop", "Trades at the market once the price has reached the stop."),
    ("stop_limit", "Stop-limit", "Once the price has reached the stop, waits for the limit or better."),
    ("trailing_stop", "Trailing stop", "A stop that follows the price at a distance and never goes back."),
];

/// The kind of that name, or a market order.
#[must_use]
pub fn kind(name: &str) -> &'static str {
    KINDS.iter().map(|(kind, ..)| *kind).find(|kind| *kind == name).unwrap_or("market")
}

/// A kind of order to choose: a link to the form that has its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindTab {
    /// Its name.
    pub label: &'static str,
    /// What it does.
    pub hint: &'static str,
    /// The form.
    pub href: String,
    /// Whether it is the one that is shown.
    pub current: bool,
}

/// The kinds to choose from.
#[must_use]
pub fn kinds(action: &str, chosen: &str) -> Vec<KindTab> {
    let tab = |(name, label, hint): (&str, &'static str, &'static str)| KindTab {
        label,
        hint,
        href: format!("{action}?kind={name}"),
        current: name == chosen,
    };
    KINDS.map(tab).into()
}

/// An answer that nobody fills in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// What the form calls it.
    pub name: &'static str,
    /// What it sends.
    pub value: String,
}

/// One form of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketForm {
    /// What it does, as a heading; none on a page with one form.
    pub title: Option<&'static str>,
    /// Where it is sent.
    pub action: String,
    /// What it sends besides.
    pub hidden: Vec<Hidden>,
    /// What is filled in.
    pub fields: Vec<Field>,
    /// What the button says.
    pub submit: &'static str,
    /// How the button looks: `primary`, `plain` or `stop`.
    pub kind: &'static str,
}

impl TicketForm {
    /// A form without a heading.
    #[must_use]
    pub const fn new(action: String, fields: Vec<Field>, submit: &'static str, kind: &'static str) -> Self {
        Self { title: None, action, hidden: Vec::new(), fields, submit, kind }
    }

    /// With a heading.
    #[must_use]
    pub fn titled(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }

    /// With an answer that nobody fills in.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.hidden.push(Hidden { name, value: value.to_owned() });
        self
    }
}

/// A page with such forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketPage {
    /// The account.
    pub account: Link,
    /// What is to be done: `New order`, `Change: Buy 0.50 EURUSD limit 1.38500`.
    pub title: String,
    /// What to know first.
    pub intro: String,
    /// The kinds of orders to choose from; none where there is no choice.
    pub kinds: Vec<KindTab>,
    /// What it is about as things stand: prices, or the position.
    pub facts: Vec<Setting>,
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

/// The prices that an order of a kind waits for.
fn prices(kind: &str, before: Before<'_>) -> Vec<Field> {
    let price =
        |name: &str, label: &str, hint: &str| Field::new(FieldKind::Text, name, label).value(before(name)).hint(hint);
    let stop = || price("stop_price", "Stop price", "Where it triggers.");
    let limit = || price("limit_price", "Limit price", "The worst price it may trade at.");
    match kind {
        "limit" => vec![limit()],
        "stop" => vec![stop()],
        "stop_limit" => vec![stop(), limit()],
        "trailing_stop" => vec![
            stop(),
            price("stop_distance", "Trailing distance", "How far the stop stays behind the price, such as 0.0020."),
        ],
        _ => Vec::new(),
    }
}

/// How long it is good.
fn times(answers: &[(&str, &str)], before: Before<'_>) -> Vec<Field> {
    let mut fields = vec![choice("time_in_force", "Good for", answers, before)];
    if answers.iter().any(|(name, _)| *name == "gtd") {
        let hint = "For “until a time”: in market time, UTC, such as 2014-05-01T17:00:00Z.";
        fields.push(optional("expires_at", "Good until", hint, before));
    }
    fields
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

/// How long an order of a kind can be good for: what forms call it, and words.
const fn good_for(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind.as_bytes() {
        b"market" => &[
            ("gtc", "Until it has traded"),
            ("ioc", "At once, the rest is cancelled"),
            ("fok", "At once and wholly, or not at all"),
        ],
        b"limit" => &[
            ("gtc", "Until cancelled"),
            ("day", "The trading day"),
            ("gtd", "Until a time"),
            ("ioc", "At once, the rest is cancelled"),
            ("fok", "At once and wholly, or not at all"),
        ],
        _ => &[("gtc", "Until cancelled"), ("day", "The trading day"), ("gtd", "Until a time")],
    }
}

/// The fields of a new order of a kind.
#[must_use]
pub fn new_order(kind: &str, instruments: &[String], waiting: &[(String, String)], before: Before<'_>) -> Vec<Field> {
    let symbols = instruments.iter().map(|symbol| (symbol.clone(), symbol.clone()));
    let mut fields = vec![
        Field::new(FieldKind::Select, "instrument", "Instrument").value(before("instrument")).choices(symbols),
        choice("side", "Side", &[("buy", "Buy"), ("sell", "Sell")], before),
        Field::new(FieldKind::Text, "lots", "Lots").value(before("lots")).hint("Such as 0.10."),
    ];
    fields.extend(prices(kind, before));
    fields.extend(guards(before));
    fields.extend(times(good_for(kind), before));
    if !waiting.is_empty() && kind != "market" {
        let none = (String::new(), "No other order".to_owned());
        let orders = core::iter::once(none).chain(waiting.iter().cloned());
        let mut pair = Field::new(FieldKind::Select, "oco", "Paired with").value(before("oco")).choices(orders);
        pair.required = false;
        fields.push(pair.hint("When one of the two trades, the other is cancelled."));
    }
    fields
}

/// The fields of a working order of a kind that may be changed.
#[must_use]
pub fn changed_order(kind: &str, before: Before<'_>) -> Vec<Field> {
    let mut fields = prices(kind, before);
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
pub fn opposite(others: &[(String, String)], chosen: &str) -> Vec<Field> {
    vec![Field::new(FieldKind::Select, "by", "Opposite position").value(chosen).choices(others.iter().cloned())]
}
