//! A trader's hand: the order ticket, and what may be changed of a working order and of an open position.
//!
//! Each is a form that works without scripts. What is refused comes back with the reason and everything as it was
//! filled in.

use super::{
    Scene,
    account::{RowSource, find, instruments},
    brand::see_other,
    view::{
        Link,
        ticket::{self, TicketForm, TicketPage},
    },
};
use crate::{
    identity::{Operation, SignedIn, gate::Pages},
    problem::{Problem, ProblemCode},
};
use core::str::FromStr;
use marque_domain::{
    decision::{Intent, Outcome},
    fixed::{FixedError, Lots, Price},
    id::{AccountId, OrderId, PositionId},
    order::{Order, Position, Side},
    ticket::{Amendment, Levels, OrderKind, Ticket, TimeInForce, Trail},
    time::Millis,
};
use marque_engine::{Command, Record};
use marque_store::{Account, Whose};
use poem::{
    IntoResponse as _, Response, handler,
    web::{Form, Path},
};
use std::collections::BTreeMap;

/// As much of an answer as is shown again.
const SHOWN_CHARS_MAX: usize = 40;

/// What was filled in, by field.
type Filled = BTreeMap<String, String>;

/// The pages and who may ask for them.
pub(super) fn pages(pages: Pages) -> Pages {
    use crate::identity::gate::may;
    pages
        .at("/accounts/:account/order", may(Operation::PlaceOrder).get(show_new).post(send_new))
        .at("/orders/:order/change", may(Operation::AmendOrder).get(show_order).post(change_order))
        .at("/orders/:order/cancel", may(Operation::CancelOrder).post(cancel_order))
        .at("/positions/:position/guard", may(Operation::GuardPosition).get(show_position).post(guard))
        .at("/positions/:position/reduce", may(Operation::ClosePosition).post(reduce))
        .at("/positions/:position/close-by", may(Operation::ClosePosition).post(close_by))
}

fn answer<'a>(filled: &'a Filled, name: &str) -> Option<&'a str> {
    filled.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn wrong(label: &str, what: &str) -> Problem {
    Problem::new(ProblemCode::Invalid, format!("{label}: {what}"))
}

fn decimal<T: FromStr<Err = FixedError>>(filled: &Filled, name: &str, label: &str) -> Result<Option<T>, Problem> {
    answer(filled, name)
        .map(|text| text.parse().map_err(|fault: FixedError| wrong(label, &fault.to_string())))
        .transpose()
}

fn above_zero(filled: &Filled, name: &str, label: &str) -> Result<Option<Price>, Problem> {
    match decimal::<Price>(filled, name, label)? {
        Some(price) if price <= Price::ZERO => Err(wrong(label, "write a price above zero.")),
        price => Ok(price),
    }
}

/// A trail that moves tick by tick.
fn trail(filled: &Filled, name: &str, label: &str) -> Result<Option<Trail>, Problem> {
    Ok(above_zero(filled, name, label)?.map(|distance| Trail { distance, step: Price::from_units(1) }))
}

fn levels(filled: &Filled) -> Result<Levels, Problem> {
    Ok(Levels {
        stop_loss: above_zero(filled, "stop_loss", "Stop-loss")?,
        take_profit: above_zero(filled, "take_profit", "Take-profit")?,
        trail: trail(filled, "trail_distance", "Trailing stop-loss")?,
    })
}

/// The kind with its prices. A price that the kind does not have is refused: somebody meant something by it.
fn kind(filled: &Filled, name: &str) -> Result<OrderKind, Problem> {
    let limit = above_zero(filled, "limit_price", "Limit price")?;
    let stop = above_zero(filled, "stop_price", "Stop price")?;
    let follow = trail(filled, "stop_distance", "Trailing distance")?;
    match (name, limit, stop, follow) {
        ("market", None, None, None) => Ok(OrderKind::Market),
        ("limit", Some(price), None, None) => Ok(OrderKind::Limit { price }),
        ("stop", None, Some(price), None) => Ok(OrderKind::Stop { price }),
        ("stop_limit", Some(limit), Some(stop), None) => Ok(OrderKind::StopLimit { stop, limit }),
        ("trailing_stop", None, Some(stop), Some(trail)) => Ok(OrderKind::TrailingStop { stop, trail }),
        ("market", ..) => {
            Err(wrong("Kind", "a market order has no price of its own. Empty the prices, or choose another kind."))
        }
        ("limit", ..) => Err(wrong("Limit price", "a limit order needs this price and no other.")),
        ("stop", ..) => Err(wrong("Stop price", "a stop order needs this price and no other.")),
        ("stop_limit", ..) => Err(wrong("Stop price", "a stop-limit order needs a stop price and a limit price.")),
        ("trailing_stop", ..) => {
            Err(wrong("Stop price", "a trailing stop needs a stop price and a trailing distance."))
        }
        _ => Err(wrong("Kind", "choose one of the list.")),
    }
}

fn time_in_force(filled: &Filled) -> Result<TimeInForce, Problem> {
    let at = answer(filled, "expires_at").map(|text| {
        Millis::from_rfc3339(text).ok_or_else(|| wrong("Good until", "write a time such as 2014-05-01T17:00:00Z."))
    });
    match (answer(filled, "time_in_force").unwrap_or("gtc"), at.transpose()?) {
        ("gtd", Some(at)) => Ok(TimeInForce::Gtd(at)),
        ("gtd", None) => Err(wrong("Good until", "say until when.")),
        (_, Some(_)) => Err(wrong("Good until", "empty it, or choose “until a time”.")),
        ("gtc", None) => Ok(TimeInForce::Gtc),
        ("day", None) => Ok(TimeInForce::Day),
        ("ioc", None) => Ok(TimeInForce::Ioc),
        ("fok", None) => Ok(TimeInForce::Fok),
        _ => Err(wrong("Good for", "choose one of the list.")),
    }
}

/// Wants something done; a denial is an answer to show beside the form.
async fn want(scene: &Scene, who: &SignedIn, account: AccountId, intent: Intent) -> Result<(), Problem> {
    let desk = scene.portal.floor().desk(scene.tenant.db().tenant()).await?;
    let records = desk.command(Command::Want { account, intent }, who.asker()).await?;
    let denial = records.iter().find_map(|record| match record {
        Record::Decided(decision) if decision.intent == intent => match &decision.outcome {
            Outcome::Denied(denial) => Some(denial.to_string()),
            Outcome::Approved { .. } => None,
        },
        _ => None,
    });
    denial.map_or(Ok(()), |text| Err(Problem::new(ProblemCode::Conflict, text)))
}

/// Back to the account, or to the form with why not.
fn done(
    outcome: Result<(), Problem>,
    account: AccountId,
    part: &str,
    form: impl FnOnce(String) -> poem::Result<Response>,
) -> poem::Result<Response> {
    match outcome {
        Ok(()) => Ok(see_other(&format!("/accounts/{account}#{part}"))),
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let status = problem.code.status();
            Ok(form(problem.detail)?.with_status(status).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

fn page(
    scene: &Scene,
    account: &Account,
    title: String,
    intro: &str,
    forms: Vec<TicketForm>,
    error: Option<String>,
) -> poem::Result<Response> {
    let account = Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id));
    let page =
        TicketPage { account, title: title.clone(), intro: intro.to_owned(), forms, error, csrf: scene.csrf.clone() };
    scene.page(&title, &page)
}

fn shown(filled: &Filled, name: &str) -> String {
    filled.get(name).map(|text| text.chars().take(SHOWN_CHARS_MAX).collect()).unwrap_or_default()
}

/// The orders of an account that wait, to be paired with: id and words.
fn waiting(source: &RowSource, orders: &[Order]) -> Vec<(String, String)> {
    let words = |o: &Order| {
        let price = o.kind.price().map(|price| source.desk.price(o.instrument, price)).unwrap_or_default();
        let side = if o.side == Side::Buy { "Buy" } else { "Sell" };
        format!("{side} {} {} {} {price}", o.lots, source.desk.symbol(o.instrument), o.kind.name().replace('_', "-"))
    };
    orders.iter().filter(|o| o.is_working() && o.kind.is_pending()).map(|o| (o.id.to_string(), words(o))).collect()
}

async fn new_order(
    scene: &Scene,
    who: &SignedIn,
    account: &Account,
    filled: &Filled,
    error: Option<String>,
) -> poem::Result<Response> {
    let source = RowSource::of(scene, who.db(), account).await?;
    let view = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?.view();
    let orders = view.accounts.get(&account.terms.id).map_or(&[][..], |now| &now.orders);
    let symbols: Vec<String> = instruments(scene).into_iter().map(|i| i.symbol).collect();
    let form = TicketForm {
        title: None,
        action: format!("/accounts/{}/order", account.terms.id),
        fields: ticket::new_order(&symbols, &waiting(&source, orders), &|name| shown(filled, name)),
        submit: "Place the order",
        kind: "primary",
    };
    let intro = "It passes the platform's checks and the account's rules before it is sent. With a stop-loss and a take-profit it is a bracket.";
    page(scene, account, "New order".to_owned(), intro, vec![form], error)
}

#[handler]
async fn show_new(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let account = find(&who, Operation::PlaceOrder, &id).await?;
    new_order(&scene, &who, &account, &Filled::new(), None).await
}

#[handler]
async fn send_new(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::PlaceOrder, &id).await?;
    let outcome = match ticket_of(&scene, &filled) {
        Ok(ticket) => want(&scene, &who, account.terms.id, Intent::Place(ticket)).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let status = problem.code.status();
            let again = new_order(&scene, &who, &account, &filled, Some(problem.detail)).await?;
            Ok(again.with_status(status).into_response())
        }
        other => done(other, account.terms.id, "orders", |_| Err(Problem::not_found().into())),
    }
}

fn ticket_of(scene: &Scene, filled: &Filled) -> Result<Ticket, Problem> {
    let symbol = answer(filled, "instrument").unwrap_or_default();
    let instrument = instruments(scene).into_iter().find(|i| i.symbol == symbol);
    let instrument = instrument.ok_or_else(|| wrong("Instrument", "choose one of the list."))?;
    let side = match answer(filled, "side") {
        Some("buy") => Side::Buy,
        Some("sell") => Side::Sell,
        _ => return Err(wrong("Side", "choose buy or sell.")),
    };
    let lots = decimal::<Lots>(filled, "lots", "Lots")?.ok_or_else(|| wrong("Lots", "say how much, such as 0.10."))?;
    let oco = answer(filled, "oco").map(|id| id.parse().map_err(|_| wrong("Paired with", "choose one of the list.")));
    Ok(Ticket {
        instrument: instrument.id,
        side,
        lots,
        kind: kind(filled, answer(filled, "kind").unwrap_or("market"))?,
        time_in_force: time_in_force(filled)?,
        levels: levels(filled)?,
        oco: oco.transpose()?,
    })
}

async fn order_of(who: &SignedIn, operation: Operation, id: &str) -> Result<(Order, Account), Problem> {
    let whose = who.may(operation)?;
    let id: OrderId = id.parse().map_err(|_| Problem::not_found())?;
    let order = who.db().order(whose, id).await?;
    let account = who.db().account(Whose::Account(order.account), order.account).await?;
    Ok((order, account))
}

/// What an order is now, as it would be filled in.
fn of_order(order: &Order) -> Filled {
    let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
    let until = if let TimeInForce::Gtd(at) = order.time_in_force { at.to_rfc3339() } else { String::new() };
    [
        ("limit_price", price(order.kind.limit())),
        ("stop_price", price(order.kind.stop())),
        ("stop_distance", price(order.kind.trail().map(|t| t.distance))),
        ("stop_loss", price(order.stop_loss)),
        ("take_profit", price(order.take_profit)),
        ("trail_distance", price(order.trail.map(|t| t.distance))),
        ("time_in_force", order.time_in_force.name().to_owned()),
        ("expires_at", until),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text))
    .collect()
}

fn order_form(
    scene: &Scene,
    order: &Order,
    account: &Account,
    filled: &Filled,
    error: Option<String>,
) -> poem::Result<Response> {
    let form = TicketForm {
        title: None,
        action: format!("/orders/{}/change", order.id),
        fields: ticket::changed_order(&|name| shown(filled, name)),
        submit: "Change the order",
        kind: "primary",
    };
    let side = if order.side == Side::Buy { "buy" } else { "sell" };
    let title = format!("Change a {} order to {side} {}", order.kind.name().replace('_', "-"), order.lots);
    page(scene, account, title, "Changed, it passes checks and rules as a new order would.", vec![form], error)
}

#[handler]
async fn show_order(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (order, account) = order_of(&who, Operation::AmendOrder, &id).await?;
    order_form(&scene, &order, &account, &of_order(&order), None)
}

#[handler]
async fn change_order(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let (order, account) = order_of(&who, Operation::AmendOrder, &id).await?;
    let amended = || -> Result<Amendment, Problem> {
        Ok(Amendment {
            kind: kind(&filled, order.kind.name())?,
            time_in_force: time_in_force(&filled)?,
            levels: levels(&filled)?,
        })
    };
    let outcome = match amended() {
        Ok(to) => want(&scene, &who, order.account, Intent::Amend { order: order.id, to }).await,
        Err(problem) => Err(problem),
    };
    done(outcome, order.account, "orders", |error| order_form(&scene, &order, &account, &filled, Some(error)))
}

#[handler]
async fn cancel_order(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (order, _) = order_of(&who, Operation::CancelOrder, &id).await?;
    want(&scene, &who, order.account, Intent::Cancel { order: order.id }).await?;
    Ok(see_other(&format!("/accounts/{}#orders", order.account)))
}

async fn position_of(who: &SignedIn, operation: Operation, id: &str) -> Result<(Position, Account), Problem> {
    let whose = who.may(operation)?;
    let id: PositionId = id.parse().map_err(|_| Problem::not_found())?;
    let position = who.db().position(whose, id).await?;
    let account = who.db().account(Whose::Account(position.account), position.account).await?;
    Ok((position, account))
}

async fn position_page(
    scene: &Scene,
    who: &SignedIn,
    (position, account): (&Position, &Account),
    filled: Option<&Filled>,
    error: Option<String>,
) -> poem::Result<Response> {
    let view = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?.view();
    let open = view.accounts.get(&account.terms.id).map_or(&[][..], |now| &now.positions);
    let opposite = |p: &&Position| p.instrument == position.instrument && p.side != position.side;
    let words = |p: &Position| (p.id.to_string(), format!("{} {} at {}", p.side.name(), p.lots, p.open_price));
    let others: Vec<(String, String)> = open.iter().filter(opposite).map(words).collect();
    let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
    let now = |name: &str| match name {
        "stop_loss" => price(position.stop_loss),
        "take_profit" => price(position.take_profit),
        _ => price(position.trail.map(|t| t.distance)),
    };
    let form = |title, path: &str, fields, submit, kind| TicketForm {
        title: Some(title),
        action: format!("/positions/{}/{path}", position.id),
        fields,
        submit,
        kind,
    };
    let guards = ticket::guards(&|name| filled.map_or_else(|| now(name), |filled| shown(filled, name)));
    let mut forms = vec![
        form("What guards it", "guard", guards, "Change the levels", "primary"),
        form("Close a part", "reduce", ticket::part(position.lots.to_string()), "Close this much", "plain"),
    ];
    if !others.is_empty() {
        forms.push(form(
            "Close by another",
            "close-by",
            ticket::opposite(&others),
            "Close both by each other",
            "plain",
        ));
    }
    let title = format!("Position: {} {}", position.side.name(), position.lots);
    page(scene, account, title, "A level that you empty is taken away.", forms, error)
}

#[handler]
async fn show_position(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (position, account) = position_of(&who, Operation::GuardPosition, &id).await?;
    position_page(&scene, &who, (&position, &account), None, None).await
}

#[handler]
async fn guard(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let (position, account) = position_of(&who, Operation::GuardPosition, &id).await?;
    let outcome = match levels(&filled) {
        Ok(levels) => want(&scene, &who, position.account, Intent::Protect { position: position.id, levels }).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let status = problem.code.status();
            let again = position_page(&scene, &who, (&position, &account), Some(&filled), Some(problem.detail)).await?;
            Ok(again.with_status(status).into_response())
        }
        other => done(other, position.account, "positions", |_| Err(Problem::not_found().into())),
    }
}

#[handler]
async fn reduce(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let (position, _) = position_of(&who, Operation::ClosePosition, &id).await?;
    let lots = decimal::<Lots>(&filled, "lots", "Lots to close")?;
    let lots = lots.ok_or_else(|| wrong("Lots to close", "say how much, such as 0.10."))?;
    want(&scene, &who, position.account, Intent::Reduce { position: position.id, lots }).await?;
    Ok(see_other(&format!("/accounts/{}#positions", position.account)))
}

#[handler]
async fn close_by(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let (position, _) = position_of(&who, Operation::ClosePosition, &id).await?;
    let by = answer(&filled, "by").and_then(|id| id.parse().ok());
    let by: PositionId = by.ok_or_else(|| wrong("Opposite position", "choose one of the list."))?;
    want(&scene, &who, position.account, Intent::CloseBy { position: position.id, by }).await?;
    Ok(see_other(&format!("/accounts/{}#positions", position.account)))
}
