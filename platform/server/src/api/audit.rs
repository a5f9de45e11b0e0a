//! The audit log.

use super::{
    Tag,
    caller::{Caller, invalid},
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
};
use crate::{audit::Act, identity::Operation};
use marque_store::{AuditFilter, AuditRow};
use poem_openapi::{Enum, Object, OpenApi, param::Query};

pub(super) struct Audit;

/// What kind of actor.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "ActorKind")]
enum Kind {
    /// A person who was signed in.
    Person,
    /// Somebody who was not.
    Nobody,
    /// A strategy, a rule, a command of the operator.
    System,
}

/// Something that was done.
#[derive(Object)]
#[oai(rename = "AuditEntry", skip_serializing_if_is_none)]
struct Entry {
    /// Its number, without gaps from 1 on.
    number: i64,
    /// When.
    at: String,
    /// What kind of actor.
    actor_kind: Kind,
    /// The person's id, when it was one.
    actor: Option<String>,
    /// The actor's name at that time.
    actor_name: String,
    /// The act's stable code.
    act: String,
    /// To what it was done; may be empty.
    target: String,
    /// More about it: a JSON object, as text.
    details: String,
    /// The client's address; empty when there was none.
    address: String,
    /// The client's own name for itself; empty when there was none.
    agent: String,
}

impl From<AuditRow> for Entry {
    fn from(AuditRow { seq, entry, .. }: AuditRow) -> Self {
        Self {
            number: seq,
            at: entry.at.to_rfc3339(),
            actor_kind: match entry.actor_kind.as_str() {
                "person" => Kind::Person,
                "nobody" => Kind::Nobody,
                _ => Kind::System,
            },
            actor: entry.actor.map(|user| user.to_string()),
            actor_name: entry.actor_name,
            act: entry.act,
            target: entry.target,
            details: entry.details,
            address: entry.address,
            agent: entry.agent,
        }
    }
}

#[OpenApi(tag = "Tag::Admin")]
impl Audit {
    /// List the audit log
    ///
    /// What was done at the brand, by whom, from where; newest first.
    #[oai(path = "/audit", method = "get", operation_id = "list_audit")]
    async fn list_audit(
        &self,
        caller: Caller,
        /// Only this act, such as `sign-in-failed`.
        #[oai(validator(pattern = "^[a-z-]{1,40}$"))]
        act: Query<Option<String>>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Entry>, Refused> {
        caller.who.may(Operation::ReadAudit)?;
        let act = act.0.map(|code| code.parse::<Act>().map_err(|error| invalid("act", error.to_string())));
        let act = act.transpose()?.map(|act| act.code().to_owned());
        let filters = act.as_ref().map_or_else(String::new, |act| format!("?act={act}"));
        let list = List::new(caller.db().tenant(), format!("/audit{filters}"));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().audit(&AuditFilter { act, ..AuditFilter::default() }, page).await?;
        Ok(list.answer(page, found, Entry::from))
    }
}
