//! Signing in and out. What the page looks like comes from outside.

use super::{
    Identity, PasswordError,
    admission::{Admission, Method, Proven, see_other},
    contact::security_txt,
    cookies,
    csrf::Csrf,
    gate::{Pages, may, public},
    limits::{Budget, By},
    permissions::Operation,
    signed_in::SignedIn,
    way::keeps_own_way,
};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::{ClientAddress, Tenant},
    problem::{Problem, ProblemCode},
    secrets::Secret,
    sso::Way,
};
use marque_store::User;
use poem::{
    EndpointExt as _, Request, Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where people land when they were not on their way somewhere.
const HOME: &str = "/dashboard";
const NEXT_BYTES_MAX: usize = 1_000;

/// What the sign-in page shows.
#[derive(Debug)]
pub struct SignInView<'a> {
    /// The brand.
    pub tenant: &'a Tenant,
    /// The token that the form carries back in `csrf`.
    pub csrf: &'a str,
    /// The address of the last try.
    pub email: &'a str,
    /// Where to go afterwards: a path of this site.
    pub next: &'a str,
    /// Why the last try failed.
    pub problem: Option<&'a Problem>,
    /// Other sites that vouch for people.
    pub ways: &'a [Way],
}

/// Renders the sign-in page as HTML.
pub type RenderSignIn = Arc<dyn Fn(&Request, &SignInView<'_>) -> Result<String, Problem> + Send + Sync>;

/// `GET` and `POST /sign-in`, `POST /sign-out`, `GET /.well-known/security.txt`.
#[must_use]
pub fn pages(pages: Pages, render: RenderSignIn) -> Pages {
    pages
        .at("/sign-in", public().get(show.data(Arc::clone(&render))).post(sign_in.data(render)))
        .at("/sign-out", may(Operation::SignOut).post(sign_out))
        .at("/.well-known/security.txt", public().get(security_txt))
}

#[derive(Deserialize)]
struct Where {
    #[serde(default)]
    next: String,
    /// Set when a sign-in waited too long for its second proof.
    #[serde(default)]
    again: String,
}

#[derive(Deserialize)]
struct Filled {
    #[serde(default)]
    email: String,
    password: Secret,
    #[serde(default)]
    next: String,
}

#[handler]
async fn show(
    request: &Request,
    tenant: Tenant,
    csrf: Csrf,
    Data(identity): Data<&Identity>,
    Query(query): Query<Where>,
    Data(render): Data<&RenderSignIn>,
) -> poem::Result<Response> {
    let next = own_path(&query.next);
    if request.data::<SignedIn>().is_some() {
        return Ok(see_other(next));
    }
    let over = Problem::new(ProblemCode::SignInRequired, "That took too long or too many tries. Sign in again.");
    let problem = Some(&over).filter(|_| query.again == "1");
    let ways = identity.sso().ways(tenant.db()).await?;
    let view = SignInView { tenant: &tenant, csrf: &csrf.0, email: "", next, problem, ways: &ways };
    page(StatusCode::OK, render(request, &view)?)
}

#[handler]
async fn sign_in(
    request: &Request,
    tenant: Tenant,
    client: ClientAddress,
    csrf: Csrf,
    Data(identity): Data<&Identity>,
    Data(recorder): Data<&Recorder>,
    Data(render): Data<&RenderSignIn>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let next = own_path(&form.next);
    match identity.sign_in(&tenant, client, &form.email, form.password, recorder, next).await {
        Ok(admission) => Ok(identity.respond(&tenant, request, admission).await?),
        Err(problem) if problem.code.status().is_server_error() => Err(problem.into()),
        Err(problem) => {
            let shown: String = form.email.chars().take(254).collect();
            let (csrf, problem, ways) = (&csrf.0, &problem, &identity.sso().ways(tenant.db()).await?);
            let view = SignInView { tenant: &tenant, csrf, email: &shown, next, problem: Some(problem), ways };
            let mut response = page(problem.code.status(), render(request, &view)?)?;
            problem.add_headers(&mut response);
            Ok(response)
        }
    }
}

#[handler]
async fn sign_out(who: SignedIn) -> poem::Result<Response> {
    who.may(Operation::SignOut)?;
    let session = who.session()?;
    who.db().delete_session(session).await.map_err(Problem::from)?;
    who.audit(Act::SignOut, session.to_string(), Value::Null).await?;
    let mut response = see_other("/");
    cookies::remove(&mut response, cookies::SESSION);
    Ok(response)
}

impl Identity {
    /// Signs a person in by their password; one answer for a wrong address and a wrong password.
    async fn sign_in(
        &self,
        tenant: &Tenant,
        ClientAddress(client): ClientAddress,
        email: &str,
        password: Secret,
        recorder: &Recorder,
        next: &str,
    ) -> Result<Admission, Problem> {
        let user = self.prove_password(tenant, ClientAddress(client), recorder, email, password).await?;
        self.admit(tenant, Proven { user, method: Method::Password, recorder, next }).await
    }

    /// The person whose address and password these are. Attempts are counted, and whatever does not fit gets one answer.
    pub(super) async fn prove_password(
        &self,
        tenant: &Tenant,
        ClientAddress(client): ClientAddress,
        recorder: &Recorder,
        email: &str,
        password: Secret,
    ) -> Result<User, Problem> {
        let (parts, now) = (&self.0, self.0.clock.now());
        // An address is at most 254 characters (RFC 5321, errata 1690); more is nobody's, and not worth counting by.
        let email = if email.len() <= 254 { email } else { "" };
        // Counted before the password is checked, so that tries in parallel count too.
        let by = By { tenant: tenant.id, address: client, person: Some(email) };
        parts.limits.spend(Budget::SignIn, by, now).await?;
        let user = tenant.db().user_by_email(email).await?;
        let right = self.password_is_right(tenant, user.as_ref(), password).await?;
        // Asked after the same work for everybody; what is told depends on the domain alone.
        let required = self.required_way(tenant, email).await?;
        if let Some(other_way) = required.filter(|_| !(right && user.as_ref().is_some_and(keeps_own_way))) {
            return Err(other_way);
        }
        let Some(user) = user.filter(|_| right) else {
            // What was typed where the address belongs, whether or not there is such a person.
            let nobody = Actor::Nobody { name: email.to_owned() };
            recorder.record(tenant.db(), nobody, Act::SignInFailed, "", json!({ "by": "password" })).await?;
            tracing::info!(%client, "a sign-in failed");
            return Err(Problem::new(ProblemCode::WrongCredentials, "Check both and try again."));
        };
        parts.limits.succeeded(Budget::SignIn, by).await;
        Ok(user)
    }
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort | PasswordError::TooLong | PasswordError::Leaked | PasswordError::Guessable(_) => {
                Self::new(ProblemCode::Invalid, "Choose another password.").field("password", error.to_string())
            }
            PasswordError::Busy => {
                Self::new(ProblemCode::TooManyRequests, "Too many people sign in at once; try again.").retry_after_s(3)
            }
            PasswordError::Corrupt | PasswordError::Failed(_) | PasswordError::NoRandomness(_) => {
                Self::internal(&error)
            }
        }
    }
}

fn page(status: StatusCode, html: String) -> poem::Result<Response> {
    Ok(Response::builder().status(status).content_type("text/html; charset=utf-8").body(html))
}

/// `next` if it is a path of this site, else home. A browser reads `//host` and `/\host` as other sites.
pub(crate) fn own_path(next: &str) -> &str {
    let own = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= NEXT_BYTES_MAX
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !next.starts_with("/sign-");
    if own { next } else { HOME }
}

#[cfg(test)]
mod tests {
    use super::own_path;
    use proptest::prelude::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for good in ["/", "/accounts/acc_1?x=1&y=2", "/a//b"] {
            assert_eq!(own_path(good), good);
        }
        for bad in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/a b",
            "/é",
            "/sign-in",
            "/sign-out",
            "\n/",
        ] {
            assert_eq!(own_path(bad), "/dashboard", "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_stays_here(next in "[/\\\\a-z.:@ \t]{0,12}") {
            let path = own_path(&next);
            prop_assert!(path.starts_with('/') && !path.starts_with("//") && !path.contains('\\'));
        }
    }
}
