//! `/.well-known/security.txt` (RFC 9116): whom to tell of a hole.

use super::Identity;
use crate::{
    edge::{Origin, Tenant},
    problem::Problem,
};
use marque_domain::time::DAY_MS;
use poem::{Response, handler, web::Data};

/// How long the file says that it holds; it is made anew for each reader.
const HOLDS_MS: i64 = 180 * DAY_MS;

#[handler]
pub(super) fn security_txt(origin: Origin, tenant: Tenant, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    let contact = identity.0.security_contact.as_str();
    if contact.is_empty() {
        return Err(Problem::not_found().into());
    }
    let expires = identity.now().plus(HOLDS_MS).to_rfc3339();
    let (host, languages) = (&origin.authority.host, &tenant.definition.locale);
    let text = format!(
        "Contact: {contact}\nExpires: {expires}\nPreferred-Languages: {languages}, en\n\
         Canonical: https://{host}/.well-known/security.txt\n"
    );
    Ok(Response::builder().content_type("text/plain; charset=utf-8").body(text))
}
