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
    question::{self, Answer, Question},
    signed_in::SignedIn,
    suspicion::FAILURES_COUNT_MS,
    way::keeps_own_way,
};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::{ClientAddress, Tenant},
    problem::{Problem, ProblemCode},
    secrets::Secret,
    sso::Way,
};
use core::net::IpAddr;
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
    /// What must be answered with the next one.
    pub question: Option<&'a Question>,
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
    #[serde(default)]
    question: String,
    #[serde(default)]
    answer: String,
}

/// A try to sign in by a password.
struct Try<'a> {
    client: IpAddr,
    email: &'a str,
    password: Secret,
    answer: Answer<'a>,
    recorder: &'a Recorder,
    next: &'a str,
}

/// Why a try failed, and whether the next one needs an answer.
struct Failed {
    problem: Problem,
    asks: bool,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { problem, asks: false }
    }
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
    let view = SignInView { tenant: &tenant, csrf: &csrf.0, email: "", next, problem, ways: &ways, question: None };
    page(StatusCode::OK, render(request, &view)?)
}

#[handler]
#[expect(clippy::too_many_arguments, reason = "each is an extractor of the request")]
async fn sign_in(
    request: &Request,
    tenant: Tenant,
    ClientAddress(client): ClientAddress,
    csrf: Csrf,
    Data(identity): Data<&Identity>,
    Data(recorder): Data<&Recorder>,
    Data(render): Data<&RenderSignIn>,
    Form(form): Form<Filled>,
) -> poem::Result<Response> {
    let next = own_path(&form.next);
    let answer = Answer { token: &form.question, text: &form.answer };
    let tried = Try { client, email: &form.email, password: form.password, answer, recorder, next };
    match identity.sign_in(&tenant, tried).await {
        Ok(admission) => Ok(identity.respond(&tenant, request, admission).await?),
        Err(Failed { problem, .. }) if problem.code.status().is_server_error() => Err(problem.into()),
        Err(Failed { problem, asks }) => {
            let shown: String = form.email.chars().take(254).collect();
            let question = if asks { Some(identity.question(&tenant).await?) } else { None };
            let (ways, question) = (&identity.sso().ways(tenant.db()).await?, question.as_ref());
            let (csrf, problem) = (&csrf.0, &problem);
            let view =
                SignInView { tenant: &tenant, csrf, email: &shown, next, problem: Some(problem), ways, question };
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
    async fn sign_in(&self, tenant: &Tenant, tried: Try<'_>) -> Result<Admission, Failed> {
        let (recorder, next) = (tried.recorder, tried.next);
        let user = self.prove(tenant, tried).await?;
        Ok(self.admit(tenant, Proven { user, method: Method::Password, recorder, next, shown_at: None }).await?)
    }

    /// The person whose address and password these are. Attempts are counted, and whatever does not fit gets one answer.
    /// A program cannot answer a question: after so many failures it is told to sign in on the page.
    pub(super) async fn prove_password(
        &self,
        tenant: &Tenant,
        ClientAddress(client): ClientAddress,
        recorder: &Recorder,
        email: &str,
        password: Secret,
    ) -> Result<User, Problem> {
        let tried = Try { client, email, password, answer: Answer::default(), recorder, next: "" };
        self.prove(tenant, tried).await.map_err(|failed| match failed.problem.code {
            ProblemCode::QuestionAsked => Problem::new(
                ProblemCode::QuestionAsked,
                "There were several tries. Sign in on this site's page, or later.",
            ),
            _ => failed.problem,
        })
    }

    async fn prove(&self, tenant: &Tenant, tried: Try<'_>) -> Result<User, Failed> {
        let (parts, now) = (&self.0, self.0.clock.now());
        let Try { client, password, recorder, .. } = tried;
        // An address is at most 254 characters (RFC 5321, errata 1690); more is nobody's, and not worth counting by.
        let email = if tried.email.len() <= 254 { tried.email } else { "" };
        // Counted before the password is checked, so that tries in parallel count too.
        let by = By { tenant: tenant.id, address: client, person: Some(email) };
        let left = parts.limits.spend(Budget::SignIn, by, now).await?;
        // What was typed where the address belongs, whether or not there is such a person.
        let note = async |reason: Option<&str>| {
            let details = reason.map_or(json!({ "by": "password" }), |why| json!({ "by": "password", "reason": why }));
            recorder.record(tenant.db(), said_to_be(email), Act::SignInFailed, "", details).await.map_err(Problem::from)
        };
        if question::is_asked(&left, 0) && !self.is_answered(tenant, tried.answer).await? {
            note(Some("question")).await?;
            let detail = "There were several tries. Answer the question below too, then sign in.";
            let problem = Problem::new(ProblemCode::QuestionAsked, detail).limits(&left);
            return Err(Failed { problem, asks: true });
        }
        let mut user = tenant.db().user_by_email(email).await.map_err(Problem::from)?;
        let right = self.password_is_right(tenant, user.as_mut(), password).await?;
        if !right {
            let failed = user.as_ref().map(|user| user.id);
            tenant.db().note_failure(failed, FAILURES_COUNT_MS, now).await.map_err(Problem::from)?;
        }
        // Asked after the same work for everybody; what is told depends on the domain alone.
        let required = self.required_way(tenant, email).await?;
        if let Some(other_way) = required.filter(|_| !(right && user.as_ref().is_some_and(keeps_own_way))) {
            note(Some("other-way")).await?;
            return Err(other_way.limits(&left).into());
        }
        let Some(user) = user.filter(|_| right) else {
            note(None).await?;
            tracing::info!(%client, "a sign-in failed");
            let problem = Problem::new(ProblemCode::WrongCredentials, "Check both and try again.").limits(&left);
            return Err(Failed { problem, asks: question::is_asked(&left, 1) });
        };
        parts.limits.succeeded(Budget::SignIn, by).await;
        Ok(user)
    }

    async fn question(&self, tenant: &Tenant) -> Result<Question, Problem> {
        question::ask(&self.0.vault.of(tenant.db()).await?, self.now())
    }

    async fn is_answered(&self, tenant: &Tenant, answer: Answer<'_>) -> Result<bool, Problem> {
        let keys = self.0.vault.of(tenant.db()).await?;
        question::is_right(&keys, &self.0.limits, tenant.id, answer, self.now()).await
    }
}

/// Whoever typed this as their address. Something without an `@` may be a password in the wrong field: it is not kept.
fn said_to_be(email: &str) -> Actor {
    let name = if email.contains('@') { marque_store::normalise_email(email) } else { String::new() };
    Actor::Nobody { name }
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
