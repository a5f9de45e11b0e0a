//! The mail of a site, for who runs it: what waits, what was sent, what was given up and why.

use super::{
    Scene,
    brand::see_other,
    view::{MailPage, MailRow, Pager, Tab},
};
use crate::{
    audit::Act,
    identity::{
        Identity, Operation, Reach, SignedIn,
        gate::{Pages, may},
    },
    problem::Problem,
};
use marque_store::{MailStatus, Page, QueuedMail};
use poem::{
    Response, handler,
    web::{Data, Path, Query},
};
use serde::Deserialize;

/// Mails on a page.
const ROWS: u32 = 50;

/// `/admin/mail`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/admin/mail", may(Operation::ReadMail).get(show))
        .at("/admin/mail/:mail/retry", may(Operation::RetryMail).post(retry))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    status: String,
    before: Option<i64>,
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Query(wanted): Query<Wanted>) -> poem::Result<Response> {
    who.may(Operation::ReadMail)?;
    // What needs somebody comes first.
    let status = MailStatus::ALL.iter().copied().find(|s| s.name() == wanted.status).unwrap_or(MailStatus::Dead);
    let here = |status: MailStatus| format!("/admin/mail?status={}", status.name());
    let page = Page { after: wanted.before, limit: ROWS };
    let mails = who.db().mails(status, page).await.map_err(Problem::from)?;
    let may_retry = status == MailStatus::Dead && Operation::RetryMail.reach(who.role) > Reach::Nothing;
    let clock = scene.clock();
    let row = |mail: QueuedMail| MailRow {
        id: mail.id.to_string(),
        kind: words(&mail.kind),
        recipient: mail.recipient,
        status: MailRow::badge(mail.status),
        attempts: mail.attempts.to_string(),
        at: clock.show(mail.created_at),
        error: mail.last_error,
        may_retry,
    };
    let tab = |label, tab: MailStatus| Tab { label, href: here(tab), current: tab == status };
    let view = MailPage {
        tabs: vec![tab("Failed", MailStatus::Dead), tab("Waiting", MailStatus::Queued), tab("Sent", MailStatus::Sent)],
        mails: mails.items.into_iter().map(row).collect(),
        pager: Pager {
            newer: wanted.before.map(|_| here(status)),
            older: mails.next.map(|id| format!("{}&before={id}", here(status))),
        },
        empty: match status {
            MailStatus::Dead => "Every mail has found its way, or is still on it.",
            MailStatus::Queued => "Nothing waits to be sent.",
            MailStatus::Sent => "Nothing was sent in the last thirty days.",
        },
        zone: clock.name().to_owned(),
    };
    scene.page("Mail", &view)
}

/// `reset-password` → `Reset password`.
fn words(kind: &str) -> String {
    let spaced = kind.replace('-', " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[handler]
async fn retry(who: SignedIn, Data(identity): Data<&Identity>, Path(id): Path<String>) -> poem::Result<Response> {
    who.may(Operation::RetryMail)?;
    let id: i64 = id.parse().map_err(|_| Problem::not_found())?;
    if !identity.retry_mail(who.db(), id).await.map_err(Problem::from)? {
        return Err(Problem::not_found().into());
    }
    who.audit(Act::MailRetried, id.to_string(), serde_json::Value::Null).await?;
    Ok(see_other("/admin/mail?status=queued"))
}
