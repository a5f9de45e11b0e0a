//! `Authorization: Bearer …` (RFC 6750). Whoever sends it is a program: the cookie of the same request counts for
//! nothing, neither for it nor against it.

use super::{
    scope,
    token::{self, Kind},
};
use crate::{
    edge::{self, Tenant},
    identity::{Identity, session, session::Person, signed_in::Means},
    problem::Problem,
};
use marque_domain::time::{MINUTE_MS, Millis};
use poem::{Request, http::header};

/// That a personal token was used is written at most this often.
const TOUCH_EVERY_MS: i64 = MINUTE_MS;

/// What stands in a request's `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identity) enum Shown<'a> {
    /// No token: the cookie decides.
    Nothing,
    /// A token, or what should be one.
    Token(&'a str),
    /// Two headers, or one where tokens do not count: nobody's.
    Unusable,
}

/// Reads the header. A password of another scheme is not ours: a proxy in front may ask for it.
pub(in crate::identity) fn shown(request: &Request) -> Shown<'_> {
    let mut bearers = request.headers().get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
    });
    match (bearers.next(), bearers.next()) {
        (None, _) => Shown::Nothing,
        (Some(token), None) if edge::is_api(request.uri().path()) => Shown::Token(token),
        _ => Shown::Unusable,
    }
}

impl Identity {
    /// Who a token speaks for at this tenant, and how far.
    pub(in crate::identity) async fn bearer(
        &self,
        tenant: &Tenant,
        text: &str,
    ) -> Result<Option<(Person, Means)>, Problem> {
        let now = self.0.clock.now();
        let found = match token::read(text) {
            Some((Kind::Access, hash)) => {
                let grant = tenant.db().grant_of_access_token(hash, now).await?;
                grant.map(|grant| (grant.user, Means::Grant(grant.id)))
            }
            Some((Kind::Personal, hash)) => {
                let token = tenant.db().personal_token(hash, now).await?;
                if let Some(token) = token.as_ref().filter(|token| is_stale(token.last_used_at, now)) {
                    tenant.db().touch_personal_token(token.id, now).await?;
                }
                token
                    .map(|token| (token.user, Means::Personal { token: token.id, scopes: scope::split(&token.scopes) }))
            }
            Some((Kind::Refresh, _)) | None => None,
        };
        let Some((user, means)) = found else { return Ok(None) };
        Ok(session::person(tenant.db(), user).await?.map(|person| (person, means)))
    }
}

fn is_stale(last: Option<Millis>, now: Millis) -> bool {
    last.is_none_or(|last| now.since(last) >= TOUCH_EVERY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let table: &[(&str, &[&str], Shown<'static>)] = &[
            ("/api/v1/x", &[], Shown::Nothing),
            ("/api/v1/x", &["Basic YTpi"], Shown::Nothing),
            ("/api/v1/x", &["Bearer abc"], Shown::Token("abc")),
            ("/api/v1/x", &["bEARER  abc "], Shown::Token("abc")),
            ("/api/v1/x", &["Bearer"], Shown::Token("")),
            ("/api/v1/x", &["Bearer a b"], Shown::Token("a b")),
            ("/api/v1/x", &["Basic YTpi", "Bearer abc"], Shown::Token("abc")),
            ("/api/v1/x", &["Bearer abc", "Bearer abc"], Shown::Unusable),
            ("/dashboard", &["Bearer abc"], Shown::Unusable),
            ("/dashboard", &["Basic YTpi"], Shown::Nothing),
        ];
        for (path, values, expect) in table {
            let mut request = Request::builder().uri_str(path);
            for value in *values {
                request = request.header("authorization", *value);
            }
            assert_eq!(shown(&request.finish()), *expect, "{path} {values:?}");
        }
    }
}
