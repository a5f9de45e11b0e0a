//! What every request of a tenant passes after the edge: who asks, and whether they really meant to.

use super::{
    Identity, access,
    access::Shown,
    admission::see_other,
    cookies,
    csrf::{self, FormToken},
    session::Person,
    signed_in::{BadToken, Means, SignedIn},
    step_up::CONFIRM,
};
use crate::{
    audit::{self, Recorder},
    edge::{self, ClientAddress, Origin, Tenant},
    problem::{Problem, ProblemCode},
    sso,
};
use core::fmt::Write as _;
use marque_domain::time::Millis;
use marque_store::TokenHash;
use poem::{
    Endpoint, FromRequest as _, IntoResponse as _, Middleware, Request, Response,
    http::{Method, header},
};

/// Finds the session, checks unsafe requests, sends people who must sign in to the page for it. Goes around all
/// routes of tenants, inside [`Edge`](crate::edge::Edge).
#[derive(Clone)]
pub struct IdentityLayer(Identity);

impl IdentityLayer {
    /// The layer.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self(identity)
    }
}

impl<E: Endpoint> Middleware<E> for IdentityLayer {
    type Output = IdentityEndpoint<E>;
    fn transform(&self, inner: E) -> IdentityEndpoint<E> {
        IdentityEndpoint { inner, identity: self.0.clone() }
    }
}

/// Routes behind the layer.
pub struct IdentityEndpoint<E> {
    inner: E,
    identity: Identity,
}

impl<E: Endpoint> Endpoint for IdentityEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let tenant = Tenant::from_request_without_body(&request).await?;
        let Asks { person, proved_at, token, borrowable } = self.who_asks(&tenant, &request).await?;
        check_unsafe(&mut request, borrowable, &token).await?;
        let recorder = self.identity.recorder(&request).await?;
        match person {
            Some((person, means)) => request.set_data(signed_in(tenant, person, means, proved_at, recorder.clone())),
            None if access::shown(&request) != Shown::Nothing => request.set_data(BadToken),
            None => {}
        }
        request.set_data(recorder);
        request.set_data(token.clone());
        request.set_data(self.identity.clone());
        let sign_in = sign_in_location(&request);
        let confirm = confirm_location(&request);
        let mut response = match self.inner.call(request).await {
            Err(error) if is(&error, ProblemCode::SignInRequired) && sign_in.is_some() => {
                see_other(&sign_in.unwrap_or_default())
            }
            Err(error) if is(&error, ProblemCode::StepUpRequired) && confirm.is_some() => {
                see_other(&confirm.unwrap_or_default())
            }
            result => result?.into_response(),
        };
        if let Some(cookie) = token.cookie_to_set() {
            cookies::set(&mut response, cookies::FORM, cookie, None);
        }
        Ok(response)
    }
}

/// Who asks, and how they are told from who only makes their browser ask.
struct Asks {
    person: Option<(Person, Means)>,
    /// When a person who is there last proved who they are.
    proved_at: Option<Millis>,
    token: FormToken,
    /// Whether the browser adds the authority by itself, so that another site could borrow it.
    borrowable: bool,
}

impl<E> IdentityEndpoint<E> {
    /// By the header if there is a token in it, and then by nothing else; by the cookie otherwise.
    async fn who_asks(&self, tenant: &Tenant, request: &Request) -> Result<Asks, Problem> {
        let person = match access::shown(request) {
            Shown::Token(text) => self.identity.bearer(tenant, text).await?,
            Shown::Unusable => None,
            Shown::Nothing => return self.by_cookie(tenant, request).await,
        };
        // No page is made for a program, so there is no form to tell apart.
        let token = FormToken::of_session("");
        Ok(Asks { person, proved_at: None, token, borrowable: false })
    }

    async fn by_cookie(&self, tenant: &Tenant, request: &Request) -> Result<Asks, Problem> {
        let parts = &self.identity.0;
        let found = match cookies::token(request.headers(), cookies::SESSION) {
            Some(token) => parts.sessions.find(tenant.db(), &token, parts.clock.now()).await?,
            None => None,
        };
        let Some(found) = found else {
            let token = FormToken::before_session(cookies::token(request.headers(), cookies::FORM));
            let token = token.map_err(|error| Problem::internal(&error))?;
            return Ok(Asks { person: None, proved_at: None, token, borrowable: !edge::is_api(request.uri().path()) });
        };
        let token = FormToken::of_session(found.session.csrf.expose());
        let (means, proved_at) = (Means::Session(found.session.id), Some(found.session.proved_at));
        Ok(Asks { person: Some((found.person, means)), proved_at, token, borrowable: true })
    }
}

fn signed_in(
    tenant: Tenant,
    Person { user, role }: Person,
    means: Means,
    proved_at: Option<Millis>,
    recorder: Recorder,
) -> SignedIn {
    let verified = user.email_verified_at.is_some();
    SignedIn {
        tenant,
        user: user.id,
        email: user.email,
        display_name: user.display_name,
        role,
        verified,
        means,
        proved_at,
        recorder,
    }
}

impl Identity {
    /// Records what a request does, with where it comes from. Handlers find it in the request's data.
    async fn recorder(&self, request: &Request) -> poem::Result<Recorder> {
        let ClientAddress(client) = ClientAddress::from_request_without_body(request).await?;
        let agent = request.header(header::USER_AGENT).unwrap_or_default().to_owned();
        let origin = audit::Origin { address: client.to_string(), agent };
        let device = cookies::token(request.headers(), cookies::DEVICE).map(|token| TokenHash(token.digest().0));
        Ok(Recorder::new(self.0.vault.clone(), self.0.clock.clone(), origin).by_device(device))
    }
}

/// A call of the API without a session has no authority that another site could borrow; its handler refuses it
/// with a clearer word. A program's token is added by the program alone.
async fn check_unsafe(request: &mut Request, borrowable: bool, token: &FormToken) -> poem::Result<()> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || !borrowable {
        return Ok(());
    }
    // It carries no cookie that it could misuse and changes nothing: it is only sent on to GET.
    if *request.method() == Method::POST && sso::is_foreign_form(request.uri().path()) {
        return Ok(());
    }
    let origin = Origin::from_request_without_body(request).await?;
    // The edge has read it whole; this only looks.
    let body = request.take_body().into_bytes().await?;
    csrf::check(&origin, request.headers(), &body, token)?;
    request.set_body(body);
    Ok(())
}

/// Where to send a person who must sign in first: only for a page that they can come back to.
fn sign_in_location(request: &Request) -> Option<String> {
    if *request.method() != Method::GET || !edge::wants_page(request) {
        return None;
    }
    let here = request.original_uri().path_and_query().map_or("/", |path| path.as_str());
    Some(format!("/sign-in?next={}", encoded(here)))
}

/// Where to send a person who must confirm that it is them: back to this page, or to the one whose form they sent.
fn confirm_location(request: &Request) -> Option<String> {
    if !edge::wants_page(request) {
        return None;
    }
    let here = request.original_uri().path_and_query().map(|path| path.as_str());
    let there = if *request.method() == Method::GET { here } else { came_from(request) };
    Some(format!("{CONFIRM}?next={}", encoded(there.unwrap_or("/security"))))
}

/// The path of the page that a form was sent from. Another site's form was refused before.
fn came_from(request: &Request) -> Option<&str> {
    let (_, rest) = request.header(header::REFERER)?.split_once("://")?;
    rest.find('/').and_then(|at| rest.get(at..))
}

fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn is(error: &poem::Error, code: ProblemCode) -> bool {
    error.downcast_ref::<Problem>().is_some_and(|problem| problem.code == code)
}
