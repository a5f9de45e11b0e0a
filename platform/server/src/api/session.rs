//! Who is signed in.

use super::{Tag, caller::Caller, refused::Refused};
use crate::identity::{Csrf, Operation, Role};
use poem_openapi::{Enum, Object, OpenApi, payload::Json};

pub(super) struct Session;

/// What a person is at the brand.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "Role")]
enum RoleName {
    /// Has accounts and trades on them.
    Trader,
    /// Writes strategies, and trades as a trader does.
    Author,
    /// Helps traders: sees what they see, changes nothing of it.
    Support,
    /// Watches the risk: sees everything that trades, stops and closes it.
    Risk,
    /// Runs the site day by day.
    Admin,
    /// Has the last word.
    Owner,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Trader => Self::Trader,
            Role::Author => Self::Author,
            Role::Support => Self::Support,
            Role::Risk => Self::Risk,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

/// The caller's session.
#[derive(Object)]
#[oai(rename = "Session")]
struct SessionAnswer {
    /// Who, such as `usr_0r3v4k8m2n6p1`.
    user: String,
    /// Their address.
    email: String,
    /// What they are called.
    display_name: String,
    /// What they are at the brand.
    role: RoleName,
    /// The brand's name.
    brand: String,
    /// What the brand's pages show times in, an IANA zone.
    time_zone: String,
    /// To be sent in `X-CSRF-Token` with every request that changes something. A program has none and needs none.
    #[oai(skip_serializing_if_is_none)]
    csrf_token: Option<String>,
}

#[OpenApi(tag = "Tag::Session")]
impl Session {
    /// Who is signed in
    ///
    /// The session of the caller, with the token that changing requests carry.
    #[oai(path = "/session", method = "get", operation_id = "get_session")]
    async fn get_session(&self, caller: Caller, csrf: Csrf) -> Result<Json<SessionAnswer>, Refused> {
        caller.who.may(Operation::ReadSession)?;
        let who = &caller.who;
        Ok(Json(SessionAnswer {
            user: who.user.to_string(),
            email: who.email.clone(),
            display_name: who.display_name.clone(),
            role: who.role.into(),
            brand: caller.tenant().definition.name.clone(),
            time_zone: caller.tenant().definition.time_zone.name().to_owned(),
            csrf_token: Some(csrf.0).filter(|token| !token.is_empty()),
        }))
    }
}
