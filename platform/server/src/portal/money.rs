//! An account's statement, as a page and as a file, with the form of those who may move money; and the brand's books.

use super::{
    Scene,
    account::find,
    brand::see_other,
    view::{Banner, Figure, LedgerPage, Link, MoneyForm, MoneyRow, Pager, StatementPage, Tone, kind_words},
};
use crate::{
    audit::{self, Act},
    identity::{
        Identity, Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    problem::{Problem, ProblemCode},
    trading::{self, movements},
};
use marque_domain::{
    fixed::Money,
    id::{AccountId, TransactionId},
    instrument::Currency,
    ledger::movement::{Funds, Memo, Movement, MovementKind},
};
use marque_store::{Account, Page, STATEMENT_PAGE_MAX, StatementLine, Whose};
use poem::{
    IntoResponse as _, Response, handler,
    http::{StatusCode, header},
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, btree_map::Entry};

/// Lines on a page.
const ROWS: u32 = 50;
/// Lines in a file: the newest.
const EXPORTED_MAX: usize = 20_000;

/// Statements and `/admin/ledger`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/accounts/:account/money", may(Operation::ReadAccounts).get(show).and(Operation::MoveMoney).post(send))
        .at("/accounts/:account/statement.csv", may(Operation::ReadAccounts).get(export))
        .at("/admin/ledger", may(Operation::ReadLedger).get(ledger))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    before: Option<String>,
    done: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filled {
    kind: String,
    amount: String,
    reference: String,
    note: String,
}

#[handler]
async fn show(
    scene: Scene,
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::ReadAccounts, &id).await?;
    if has_form(&who) {
        // Before it is filled in: on the way to the proof and back it would be lost.
        who.recently_proved(identity.now())?;
    }
    let notice =
        (wanted.done == "moved").then(|| Banner::new(Tone::Good, "Booked", "It stands on top of the statement."));
    let form = MoneyForm::new("deposit", "", "", "", None);
    page(&scene, &who, &account, wanted.before.as_deref(), form, notice).await
}

/// Whether the statement has the form for this person; the others only read it.
fn has_form(who: &SignedIn) -> bool {
    Operation::MoveMoney.reach(who.role) > Reach::Nothing
}

async fn page(
    scene: &Scene,
    who: &SignedIn,
    account: &Account,
    before: Option<&str>,
    form: MoneyForm,
    notice: Option<Banner>,
) -> poem::Result<Response> {
    let (id, currency, clock) = (account.terms.id, account.terms.currency, scene.clock());
    let after = before.map(str::parse::<TransactionId>).transpose().map_err(|_| Problem::not_found())?;
    let wanted = Page { after: after.map(|id| id.0), limit: ROWS };
    let found = who.db().statement(Whose::Account(id), id, wanted).await.map_err(Problem::from)?;
    let view = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?.view();
    let now = view.accounts.get(&id);
    let available = now.map(|now| Funds { balance: now.balance, free: now.free }.available());
    let here = format!("/accounts/{id}/money");
    let view = StatementPage {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{id}")),
        balance: Figure::money(now.map_or(account.balance, |now| now.balance), currency),
        available: available.map(|free| Figure::money(free, currency)),
        notice,
        form: has_form(who).then_some(form),
        rows: found.items.iter().map(|line| MoneyRow::of(line, currency, &clock)).collect(),
        pager: Pager {
            newer: after.map(|_| here.clone()),
            older: found.next.map(|last| format!("{here}?before={}", TransactionId(last))),
        },
        csv: format!("/accounts/{id}/statement.csv"),
        action: here,
        zone: clock.name().to_owned(),
        csrf: scene.csrf.clone(),
    };
    scene.page("Statement", &view)
}

#[handler]
async fn send(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Data(identity): Data<&Identity>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::MoveMoney, &id).await?;
    // Whoever found a browser that was left open must not take money with it.
    who.recently_proved(identity.now())?;
    match make(&scene, &who, account.terms.id, &filled).await {
        Ok(_) => Ok(see_other(&format!("/accounts/{id}/money?done=moved"))),
        Err(problem) if matches!(problem.code, ProblemCode::Invalid | ProblemCode::Conflict) => {
            let Filled { kind, amount, reference, note } = &filled;
            let form = MoneyForm::new(kind, amount, reference, note, Some(problem.detail.clone()));
            let shown = page(&scene, &who, &account, None, form, None).await?;
            let status = if problem.code == ProblemCode::Invalid {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::CONFLICT
            };
            Ok(shown.with_status(status).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

async fn make(scene: &Scene, who: &SignedIn, account: AccountId, filled: &Filled) -> Result<StatementLine, Problem> {
    let wrong = |detail: String| Problem::new(ProblemCode::Invalid, detail);
    let kind = MovementKind::ALL.into_iter().find(|kind| kind.name() == filled.kind);
    let kind = kind.ok_or_else(|| wrong("Choose what it is.".to_owned()))?;
    let amount = filled.amount.trim().parse::<Money>().map_err(|error| wrong(format!("The amount is {error}.")))?;
    let (reference, note) = (filled.reference.trim().to_owned(), filled.note.trim().to_owned());
    let movement = Movement { kind, amount, memo: Memo { reference, note } };
    movements::make(scene.portal.floor().asked_by(who.asker()), who.db(), account, movement).await
}

#[handler]
async fn export(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let account = find(&who, Operation::ReadAccounts, &id).await?;
    let id = account.terms.id;
    let (mut lines, mut after) = (Vec::new(), None);
    while lines.len() < EXPORTED_MAX {
        let wanted = Page { after, limit: STATEMENT_PAGE_MAX };
        let found = who.db().statement(Whose::Account(id), id, wanted).await.map_err(Problem::from)?;
        lines.extend(found.items);
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    let table = statement(&lines, account.terms.currency).map_err(|error| Problem::internal(&error))?;
    // Recorded before it leaves.
    who.audit(Act::StatementExported, id.to_string(), json!({ "lines": lines.len() })).await?;
    Ok(table
        .with_content_type("text/csv; charset=utf-8; header=present")
        .with_header(header::CONTENT_DISPOSITION, "attachment; filename=\"statement.csv\"")
        .with_header(header::CACHE_CONTROL, "no-store")
        .into_response())
}

/// A statement as CSV (RFC 4180). What people wrote is made text; amounts are numbers.
fn statement(lines: &[StatementLine], currency: Currency) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["time", "transaction", "kind", "amount", "balance", "currency", "reference", "note"])?;
    for StatementLine { moved, balance } in lines {
        let memo = moved.memo();
        writer.write_record([
            moved.at().to_rfc3339(),
            moved.id().to_string(),
            kind_words(moved.kind()).to_owned(),
            moved.cash().to_text(2),
            balance.to_text(2),
            currency.to_string(),
            audit::csv::text(memo.map_or("", |memo| memo.reference.as_str())),
            audit::csv::text(memo.map_or("", |memo| memo.note.as_str())),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[handler]
async fn ledger(scene: Scene, who: SignedIn, Query(wanted): Query<Wanted>) -> poem::Result<Response> {
    who.may(Operation::ReadLedger)?;
    let clock = scene.clock();
    let after =
        wanted.before.as_deref().map(str::parse::<TransactionId>).transpose().map_err(|_| Problem::not_found())?;
    let found = who.db().transactions(Whose::Everyone, Page { after: after.map(|id| id.0), limit: ROWS });
    let found = found.await.map_err(Problem::from)?;
    let mut currencies: BTreeMap<AccountId, Currency> = BTreeMap::new();
    for moved in &found.items {
        if let Entry::Vacant(unknown) = currencies.entry(moved.account()) {
            let account = who.db().account(Whose::Everyone, moved.account()).await.map_err(Problem::from)?;
            unknown.insert(account.terms.currency);
        }
    }
    let currency = |id: AccountId| currencies.get(&id).copied().unwrap_or(Currency::USD);
    let books = trading::verify_books(who.db()).await.map_err(|error| Problem::internal(&error))?;
    let verdict = if books.faults_total == 0 {
        let text = format!("{} transactions on {} accounts: debits equal credits.", books.transactions, books.accounts);
        Banner::new(Tone::Good, "The books add up", text)
    } else {
        let text =
            format!("{} things are wrong. Tell who runs the platform; change nothing meanwhile.", books.faults_total);
        Banner::new(Tone::Bad, "The books do not add up", text)
    };
    let view = LedgerPage {
        verdict,
        faults: books.faults.iter().map(ToString::to_string).collect(),
        rows: found.items.iter().map(|moved| MoneyRow::of_brand(moved, currency(moved.account()), &clock)).collect(),
        pager: Pager {
            newer: after.map(|_| "/admin/ledger".to_owned()),
            older: found.next.map(|last| format!("/admin/ledger?before={}", TransactionId(last))),
        },
        zone: clock.name().to_owned(),
    };
    scene.page("Ledger", &view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{
        ledger::{Book, Transaction, TransactionKind},
        time::Millis,
    };

    #[test]
    fn what_a_person_wrote_is_no_formula_and_an_amount_is_a_number() {
        let moved = Transaction::transfer(
            TransactionId(1),
            AccountId(1),
            Millis(0),
            TransactionKind::Withdrawal,
            0,
            Book::External,
            Money::whole(-5),
        );
        let memo = Memo { reference: "=1+1".to_owned(), note: "@SUM(A1)".to_owned() };
        let line = StatementLine { moved: moved.with_memo(Some(memo)), balance: Money::whole(95) };
        let table = String::from_utf8(statement(&[line], Currency::USD).unwrap()).unwrap();
        assert_eq!(
            table.lines().nth(1).unwrap(),
            "1970-01-01T00:00:00.000Z,txn_0000000000001,Withdrawal,-5.00,95.00,USD,'=1+1,'@SUM(A1)"
        );
    }
}
