//! From http to https, to hosts that are stored and nowhere else.

use super::{answer::is_api, forwarded::Origin, host::HostName, resolver::Tenant};
use crate::problem::{Problem, ProblemCode};
use poem::{
    Response,
    http::{StatusCode, Uri, header},
};

/// What is answered to who came by http; nothing where that is how it is meant.
///
/// The name in the answer is the tenant's own, as it is stored: no text of the request decides where it leads.
pub(super) fn to_https(origin: &Origin, tenant: &Tenant, uri: &Uri) -> Option<Result<Response, Problem>> {
    let asked = &origin.authority.host;
    if origin.secure || is_local(asked) {
        return None;
    }
    if is_api(uri.path()) {
        let detail = "Call it at https://, and change what you sent here: it could be read on its way.";
        return Some(Err(Problem::new(ProblemCode::HttpsRequired, detail)));
    }
    let host = tenant.definition.hosts.iter().find(|host| host.as_str() == asked.as_str())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = Response::builder()
        .status(StatusCode::PERMANENT_REDIRECT)
        .header(header::LOCATION, format!("https://{host}{path}"))
        .finish();
    Some(Ok(answer))
}

/// A browser trusts its own machine without TLS.
fn is_local(host: &HostName) -> bool {
    host.is_localhost() || host.is_address()
}
