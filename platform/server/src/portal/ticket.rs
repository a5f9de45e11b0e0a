//! A trader's hand: the order ticket, what may be changed of a working order, and (in `position`) of an open position.
//!
//! Each is a form that works without scripts. What is refused comes back with the reason and everything as it was
//! filled in.

mod filled;
mod position;

use super::{
    Scene,
    account::{RowSource, find, instruments},
    brand::see_other,
    view::{
        Link, Setting,
        ticket::{self, TicketForm, TicketPage},
    },
};
use crate::{
    identity::{Operation, SignedIn, gate::Pages},
    problem::{Problem, ProblemCode},
};
use filled::Filled;
use marque_domain::{
    account::PositionMode,
    decision::{Intent, Outcome},
    id::{AccountId, OrderId},
    order::{Order, Side},
};
use marque_engine::{Command, Record};
use marque_store::{Account, Whose};
use poem::{
    IntoResponse as _, Response, handler,
    web::{Form, Path, Query},
};
use serde::Deserialize;

/// The pages and who may ask for them.
pub(super) fn pages(pages: Pages) -> Pages {
    use crate::identity::gate::may;
    pages
        .at("/accounts/:account/order", may(Operation::PlaceOrder).get(show_new).post(send_new))
        .at("/orders/:order/change", may(Operation::AmendOrder).get(show_order).post(change_order))
        .at("/orders/:order/cancel", may(Operation::CancelOrder).post(cancel_order))
        .at("/positions/:position/guard", may(Operation::GuardPosition).get(position::show).post(position::guard))
        .at("/positions/:position/reduce", may(Operation::ClosePosition).post(position::reduce))
        .at("/positions/:position/close-by", may(Operation::ClosePosition).post(position::close_by))
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

/// Back to a part of the account's page.
fn back(account: AccountId, part: &str) -> Response {
    see_other(&format!("/accounts/{account}#{part}"))
}

/// The form again, with why it was refused; what is no refusal of the form is answered as it is.
async fn again(problem: Problem, form: impl AsyncFnOnce(String) -> poem::Result<Response>) -> poem::Result<Response> {
    if !matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) {
        return Err(problem.into());
    }
    let status = problem.code.status();
    Ok(form(problem.detail).await?.with_status(status).into_response())
}

fn page(
    scene: &Scene,
    account: &Account,
    title: String,
    intro: &str,
    facts: Vec<Setting>,
    forms: Vec<TicketForm>,
    error: Option<String>,
) -> poem::Result<Response> {
    let account = Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id));
    let (intro, csrf) = (intro.to_owned(), scene.csrf.clone());
    let page = TicketPage { account, title: title.clone(), intro, kinds: Vec::new(), facts, forms, error, csrf };
    scene.page(&title, &page)
}

/// The orders of an account that wait, to be paired with: id and words.
fn waiting(source: &RowSource, orders: &[Order]) -> Vec<(String, String)> {
    let pending = orders.iter().filter(|o| o.is_working() && o.kind.is_pending());
    pending.map(|o| (o.id.to_string(), words(source, o))).collect()
}

/// `Buy 0.5 EURUSD stop-limit 1.38500`
fn words(source: &RowSource, order: &Order) -> String {
    let price = order.kind.price().map(|price| source.desk.price(order.instrument, price)).unwrap_or_default();
    let side = if order.side == Side::Buy { "Buy" } else { "Sell" };
    let kind = order.kind.name().replace('_', "-");
    format!("{side} {} {} {kind} {price}", order.lots, source.desk.symbol(order.instrument)).trim_end().to_owned()
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
    let offered = instruments(scene);
    let prices = offered.iter().filter_map(|instrument| {
        let quote = view.quotes.get(&instrument.id)?;
        let price = |price| source.desk.price(instrument.id, price);
        let value = format!("{} / {}", price(quote.bid), price(quote.ask));
        Some(Setting { label: instrument.symbol.clone(), value })
    });
    let symbols: Vec<String> = offered.iter().map(|i| i.symbol.clone()).collect();
    let kind = ticket::kind(&filled.shown("kind"));
    let action = format!("/accounts/{}/order", account.terms.id);
    let fields = ticket::new_order(kind, &symbols, &waiting(&source, orders), &|name| filled.shown(name));
    let page = TicketPage {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id)),
        title: "New order".to_owned(),
        intro: match account.terms.mode {
            PositionMode::Hedging => "It passes the platform's checks and the account's rules before it is sent.",
            PositionMode::Netting => {
                "It passes the platform's checks and the account's rules before it is sent. It adds to the position in its instrument, reduces it or turns it: this account has one in each."
            }
        }
        .to_owned(),
        kinds: ticket::kinds(&action, kind),
        facts: prices.collect(),
        forms: vec![TicketForm::new(action, fields, "Place the order", "primary").with("kind", kind)],
        error,
        csrf: scene.csrf.clone(),
    };
    scene.page("New order", &page)
}

#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    kind: String,
}

#[handler]
async fn show_new(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(chosen): Query<Chosen>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::PlaceOrder, &id).await?;
    new_order(&scene, &who, &account, &Filled::from([("kind", chosen.kind)]), None).await
}

#[handler]
async fn send_new(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::PlaceOrder, &id).await?;
    let outcome = match filled.ticket(&instruments(&scene)) {
        Ok(ticket) => want(&scene, &who, account.terms.id, Intent::Place(ticket)).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(()) => Ok(back(account.terms.id, "orders")),
        Err(problem) => {
            again(problem, async |error| new_order(&scene, &who, &account, &filled, Some(error)).await).await
        }
    }
}

async fn order_of(who: &SignedIn, operation: Operation, id: &str) -> Result<(Order, Account), Problem> {
    let whose = who.may(operation)?;
    let id: OrderId = id.parse().map_err(|_| Problem::not_found())?;
    let order = who.db().order(whose, id).await?;
    let account = who.db().account(Whose::Account(order.account), order.account).await?;
    Ok((order, account))
}

async fn order_form(
    scene: &Scene,
    who: &SignedIn,
    (order, account): (&Order, &Account),
    filled: &Filled,
    error: Option<String>,
) -> poem::Result<Response> {
    let source = RowSource::of(scene, who.db(), account).await?;
    let fields = ticket::changed_order(order.kind.name(), &|name| filled.shown(name));
    let form = TicketForm::new(format!("/orders/{}/change", order.id), fields, "Change the order", "primary");
    let title = format!("Change: {}", words(&source, order));
    let intro = "Changed, it passes checks and rules as a new order would.";
    page(scene, account, title, intro, Vec::new(), vec![form], error)
}

#[handler]
async fn show_order(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (order, account) = order_of(&who, Operation::AmendOrder, &id).await?;
    order_form(&scene, &who, (&order, &account), &Filled::of_order(&order), None).await
}

#[handler]
async fn change_order(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let (order, account) = order_of(&who, Operation::AmendOrder, &id).await?;
    let outcome = match filled.amendment(&order) {
        Ok(to) => want(&scene, &who, order.account, Intent::Amend { order: order.id, to }).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(()) => Ok(back(order.account, "orders")),
        Err(problem) => {
            let form = async |error| order_form(&scene, &who, (&order, &account), &filled, Some(error)).await;
            again(problem, form).await
        }
    }
}

#[handler]
async fn cancel_order(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (order, _) = order_of(&who, Operation::CancelOrder, &id).await?;
    want(&scene, &who, order.account, Intent::Cancel { order: order.id }).await?;
    Ok(back(order.account, "orders"))
}
