//! An open position: what guards it, a part of it, and another that it is closed against.

use super::{Filled, again, back, page, want};
use crate::{
    identity::{Operation, SignedIn},
    portal::{
        Scene,
        account::RowSource,
        view::{
            PositionRow, Setting,
            ticket::{self, TicketForm},
        },
    },
    problem::Problem,
};
use marque_domain::{decision::Intent, fixed::Price, id::PositionId, order::Position};
use marque_store::{Account, Whose};
use poem::{
    Response, handler,
    web::{Form, Path},
};

/// A position within reach, with its account.
struct Held {
    position: Position,
    account: Account,
}

impl Held {
    async fn find(who: &SignedIn, operation: Operation, id: &str) -> Result<Self, Problem> {
        let whose = who.may(operation)?;
        let id: PositionId = id.parse().map_err(|_| Problem::not_found())?;
        let position = who.db().position(whose, id).await?;
        let account = who.db().account(Whose::Account(position.account), position.account).await?;
        Ok(Self { position, account })
    }

    /// Wants something done with it. What is refused comes back on its page, with what was filled in.
    async fn want(
        &self,
        scene: &Scene,
        who: &SignedIn,
        filled: &Filled,
        intent: Result<Intent, Problem>,
    ) -> poem::Result<Response> {
        let outcome = match intent {
            Ok(intent) => want(scene, who, self.position.account, intent).await,
            Err(problem) => Err(problem),
        };
        match outcome {
            Ok(()) => Ok(back(self.position.account, "positions")),
            Err(problem) => again(problem, async |error| self.page(scene, who, Some(filled), Some(error)).await).await,
        }
    }

    async fn page(
        &self,
        scene: &Scene,
        who: &SignedIn,
        filled: Option<&Filled>,
        error: Option<String>,
    ) -> poem::Result<Response> {
        let Self { position, account } = self;
        let source = RowSource::of(scene, who.db(), account).await?;
        let view = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?.view();
        let open = view.accounts.get(&account.terms.id).map_or(&[][..], |now| &now.positions);
        let opposite = |p: &&Position| p.instrument == position.instrument && p.side != position.side;
        let words = |p: &Position| {
            let price = source.desk.price(p.instrument, p.open_price);
            (p.id.to_string(), format!("{} {} at {price}", p.side.name(), p.lots))
        };
        let others: Vec<(String, String)> = open.iter().filter(opposite).map(words).collect();
        let title = format!("{} {} {}", side(position), position.lots, source.desk.symbol(position.instrument));
        let row = source.position_row(position, &view);
        let facts = facts(&row);
        let forms = self.forms(filled, &others);
        page(scene, account, title, "A level that you empty is taken away.", facts, forms, error)
    }

    fn forms(&self, filled: Option<&Filled>, others: &[(String, String)]) -> Vec<TicketForm> {
        let position = &self.position;
        let price = |price: Option<Price>| price.map(|price| price.to_string()).unwrap_or_default();
        let now = |name: &str| match name {
            "stop_loss" => price(position.stop_loss),
            "take_profit" => price(position.take_profit),
            _ => price(position.trail.map(|t| t.distance)),
        };
        // What was filled in belongs to the form that has such a field; the others show what is.
        let asked = |name: &str| filled.and_then(|filled| filled.answer(name).map(|_| filled.shown(name)));
        let of_guard = filled.filter(|filled| filled.answer("lots").is_none() && filled.answer("by").is_none());
        let guards = ticket::guards(&|name| of_guard.map_or_else(|| now(name), |filled| filled.shown(name)));
        let part = ticket::part(asked("lots").unwrap_or_else(|| position.lots.to_string()));
        let form = |title, path: &str, fields, submit, kind| {
            TicketForm::new(format!("/positions/{}/{path}", position.id), fields, submit, kind).titled(title)
        };
        let mut forms = vec![
            form("What guards it", "guard", guards, "Change the levels", "primary"),
            form("Close a part", "reduce", part, "Close this much", "plain"),
        ];
        if !others.is_empty() {
            let fields = ticket::opposite(others, &asked("by").unwrap_or_default());
            forms.push(form("Close by another", "close-by", fields, "Close both by each other", "plain"));
        }
        forms
    }
}

const fn side(position: &Position) -> &'static str {
    match position.side {
        marque_domain::order::Side::Buy => "Buy",
        marque_domain::order::Side::Sell => "Sell",
    }
}

/// What the position is, above its forms.
fn facts(row: &PositionRow) -> Vec<Setting> {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let opened = &row.opened_at;
    [
        ("Opened at", format!("{}, {} {} {}", row.open_price, opened.date, opened.time, opened.zone)),
        ("Price now", row.price_now.clone().unwrap_or_else(|| "no price yet".to_owned())),
        ("Profit", row.profit.as_ref().map_or_else(|| "–".to_owned(), super::super::view::Figure::text)),
        ("Stop-loss", known(&row.stop_loss)),
        ("Take-profit", known(&row.take_profit)),
        ("Held by", row.by.clone()),
    ]
    .into_iter()
    .map(|(label, value)| Setting { label: label.to_owned(), value })
    .collect()
}

#[handler]
pub(super) async fn show(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    Held::find(&who, Operation::GuardPosition, &id).await?.page(&scene, &who, None, None).await
}

#[handler]
pub(super) async fn guard(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let held = Held::find(&who, Operation::GuardPosition, &id).await?;
    let intent = filled.levels().map(|levels| Intent::Protect { position: held.position.id, levels });
    held.want(&scene, &who, &filled, intent).await
}

#[handler]
pub(super) async fn reduce(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let held = Held::find(&who, Operation::ClosePosition, &id).await?;
    let intent = filled.part().map(|lots| Intent::Reduce { position: held.position.id, lots });
    held.want(&scene, &who, &filled, intent).await
}

#[handler]
pub(super) async fn close_by(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let held = Held::find(&who, Operation::ClosePosition, &id).await?;
    let intent = filled.opposite().map(|by| Intent::CloseBy { position: held.position.id, by });
    held.want(&scene, &who, &filled, intent).await
}
