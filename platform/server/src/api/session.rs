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
    /// Runs the brand and sees everything.
    Owner,
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
    /// To be sent in `X-CSRF-Token` with every request that changes something.
    csrf_token: String,
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
            role: match who.role {
                Role::Trader => RoleName::Trader,
                Role::Owner => RoleName::Owner,
            },
            brand: caller.tenant().definition.name.clone(),
            time_zone: caller.tenant().definition.time_zone.name().to_owned(),
            csrf_token: csrf.0,
        }))
    }
}
