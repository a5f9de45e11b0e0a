//! Licences: who may run which Expert Advisor, and what a vendor does about it.

use super::{
    Tag,
    caller::{Caller, invalid},
    eas::id_of,
    idempotency::once,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::Text,
};
use crate::{
    identity::{Identity, Operation},
    licensing::manage::{self, Step},
    problem::Problem,
};
use marque_domain::{licence::State as Standing, time::Millis};
use marque_store::{LicenceFilter, LicenceRow};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::{Json, PlainText},
    types::Example,
};

pub(super) struct Licences;

/// How a licence stands.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case", rename = "LicenceState")]
enum State {
    /// It may be used.
    Active,
    /// Stopped until it is reinstated.
    Suspended,
    /// Ended for good.
    Revoked,
}

impl From<Standing> for State {
    fn from(state: Standing) -> Self {
        match state {
            Standing::Active => Self::Active,
            Standing::Suspended => Self::Suspended,
            Standing::Revoked => Self::Revoked,
        }
    }
}

/// The right of one person to run an Expert Advisor.
#[derive(Object)]
#[oai(rename = "Licence", skip_serializing_if_is_none)]
struct LicenceEntry {
    /// Its id.
    id: String,
    /// For which product.
    ea: String,
    /// Under which policy.
    policy: String,
    /// Whose.
    user: String,
    /// How it stands.
    state: State,
    /// Why it is suspended or revoked.
    reason: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it ends, if it is one that is renewed.
    ends_at: Option<String>,
    /// When an EA first asked about it.
    first_used_at: Option<String>,
    /// When a seat was first taken.
    first_activated_at: Option<String>,
}

impl From<LicenceRow> for LicenceEntry {
    fn from(licence: LicenceRow) -> Self {
        let text = |at: Option<Millis>| at.map(|at| at.to_rfc3339());
        Self {
            id: licence.id.to_string(),
            ea: licence.product.to_string(),
            policy: licence.policy.to_string(),
            user: licence.user.to_string(),
            state: licence.state.into(),
            reason: Some(licence.reason).filter(|reason| !reason.is_empty()),
            created_at: licence.created_at.to_rfc3339(),
            ends_at: text(licence.ends_at),
            first_used_at: text(licence.first_used_at),
            first_activated_at: text(licence.first_activated_at),
        }
    }
}

/// A licence to be issued.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewLicence")]
struct LicenceBody {
    /// The policy's id.
    policy: Text,
    /// The e-mail address of who gets it.
    owner: Text,
    /// When it ends (RFC 3339); left out: as the policy says.
    #[oai(skip_serializing_if_is_none)]
    ends_at: Option<Text>,
}

impl Example for LicenceBody {
    fn example() -> Self {
        Self { policy: "pol_0r3v4k8m2n6p1".into(), owner: "ann@example.com".into(), ends_at: None }
    }
}

/// Why something is done.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "LicenceReason")]
struct ReasonBody {
    /// On one line of at most 500 characters.
    reason: Text,
}

impl Example for ReasonBody {
    fn example() -> Self {
        Self { reason: "The payment was charged back".into() }
    }
}

/// Until when a licence is renewed.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "LicenceRenewal")]
struct RenewalBody {
    /// An instant in the future (RFC 3339); left out: by the policy's period.
    #[oai(skip_serializing_if_is_none)]
    until: Option<Text>,
}

impl Example for RenewalBody {
    fn example() -> Self {
        Self { until: Some("2027-01-31T00:00:00Z".into()) }
    }
}

/// Who gets a licence.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "LicenceTransfer")]
struct TransferBody {
    /// Their e-mail address.
    owner: Text,
}

impl Example for TransferBody {
    fn example() -> Self {
        Self { owner: "bob@example.com".into() }
    }
}

#[derive(ApiResponse)]
enum Csv {
    /// The table (RFC 4180).
    #[oai(status = 200, content_type = "text/csv; charset=utf-8")]
    Table(PlainText<String>, #[oai(header = "Content-Disposition")] String),
}

/// An instant of a body.
fn instant(field: &str, text: Option<&Text>) -> Result<Option<Millis>, Problem> {
    let read = |text: &Text| Millis::from_rfc3339(&text.0).ok_or_else(|| invalid(field, "is no instant of RFC 3339"));
    text.map(read).transpose()
}

impl Caller {
    async fn licence_step(&self, id: &str, step: Step) -> Result<Json<LicenceEntry>, Refused> {
        self.who.may(Operation::ManageLicences)?;
        Ok(Json(manage::change(&self.who, id_of(id)?, step, self.app.0.clock.now()).await?.into()))
    }
}

#[OpenApi(tag = "Tag::Licences")]
impl Licences {
    /// List licences
    ///
    /// One's own; everybody's for who works for the brand.
    #[oai(path = "/licences", method = "get", operation_id = "list_licences")]
    async fn list_licences(
        &self,
        caller: Caller,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<LicenceEntry>, Refused> {
        let whose = caller.who.may(Operation::ReadLicences)?;
        let list = List::new(caller.db().tenant(), "/licences");
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().licences(whose, LicenceFilter::default(), page).await?;
        Ok(list.answer(page, found, LicenceEntry::from))
    }

    /// Export licences
    #[oai(path = "/licences.csv", method = "get", operation_id = "export_licences")]
    async fn export_licences(&self, caller: Caller) -> Result<Csv, Refused> {
        let table = manage::licences_csv(&caller.who, LicenceFilter::default()).await?;
        let table = String::from_utf8(table).map_err(|error| Problem::internal(&error))?;
        Ok(Csv::Table(PlainText(table), "attachment; filename=\"licences.csv\"".to_owned()))
    }

    /// Issue a licence
    ///
    /// Its owner finds its key on the site, or asks for it here.
    #[oai(path = "/licences", method = "post", operation_id = "issue_licence", transform = "once")]
    async fn issue_licence(
        &self,
        caller: Caller,
        identity: Data<&Identity>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<LicenceBody>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        caller.who.may(Operation::ManageLicences)?;
        let body = wanted.0;
        let ends_at = instant("/ends_at", body.ends_at.as_ref())?;
        let (policy, now) = (id_of(&body.policy.0)?, caller.app.0.clock.now());
        let issued = manage::issue_to(&caller.who, identity.0.vault(), policy, &body.owner.0, ends_at, now).await?;
        Ok(Json(issued.licence.into()))
    }

    /// Look at a licence
    #[oai(path = "/licences/:licence", method = "get", operation_id = "get_licence")]
    async fn get_licence(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        let whose = caller.who.may(Operation::ReadLicences)?;
        Ok(Json(caller.db().licence(whose, id_of(&licence.0)?).await?.into()))
    }

    /// Reissue a licence's key
    ///
    /// The old key is told that it was replaced. Seats stay, and are taken up with the new key.
    #[oai(path = "/licences/:licence/key", method = "post", operation_id = "reissue_licence_key", transform = "once")]
    async fn reissue_licence_key(
        &self,
        caller: Caller,
        identity: Data<&Identity>,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        let (whose, id) = (caller.who.may(Operation::ReissueLicenceKey)?, id_of(&licence.0)?);
        manage::reissue(&caller.who, identity.0.vault(), id, caller.app.0.clock.now()).await?;
        Ok(Json(caller.db().licence(whose, id).await?.into()))
    }

    /// Suspend a licence
    ///
    /// Its EAs open no more trades, until it is reinstated.
    #[oai(path = "/licences/:licence/suspend", method = "post", operation_id = "suspend_licence", transform = "once")]
    async fn suspend_licence(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        why: Json<ReasonBody>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        caller.licence_step(&licence.0, Step::Suspend(why.0.reason.0)).await
    }

    /// Reinstate a licence
    #[oai(
        path = "/licences/:licence/reinstate",
        method = "post",
        operation_id = "reinstate_licence",
        transform = "once"
    )]
    async fn reinstate_licence(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        caller.licence_step(&licence.0, Step::Reinstate).await
    }

    /// Renew a licence
    #[oai(path = "/licences/:licence/renew", method = "post", operation_id = "renew_licence", transform = "once")]
    async fn renew_licence(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<RenewalBody>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        let until = instant("/until", wanted.0.until.as_ref())?;
        caller.licence_step(&licence.0, Step::Renew(until)).await
    }

    /// Revoke a licence
    ///
    /// For good. Its EAs are refused within a second.
    #[oai(path = "/licences/:licence/revoke", method = "post", operation_id = "revoke_licence", transform = "once")]
    async fn revoke_licence(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        why: Json<ReasonBody>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        caller.licence_step(&licence.0, Step::Revoke(why.0.reason.0)).await
    }

    /// Transfer a licence
    ///
    /// To another person. Its key is replaced and its seats are given back; the new owner may activate at once.
    #[oai(path = "/licences/:licence/transfer", method = "post", operation_id = "transfer_licence", transform = "once")]
    async fn transfer_licence(
        &self,
        caller: Caller,
        identity: Data<&Identity>,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        to: Json<TransferBody>,
    ) -> Result<Json<LicenceEntry>, Refused> {
        caller.who.may(Operation::ManageLicences)?;
        let (id, now) = (id_of(&licence.0)?, caller.app.0.clock.now());
        Ok(Json(manage::transfer(&caller.who, identity.0.vault(), id, &to.0.owner.0, now).await?.into()))
    }
}
