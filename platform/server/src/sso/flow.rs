//! The way of a browser: away to an issuer, and back.
//!
//! It leaves from a form of ours, over a page of ours: a form that is answered with a redirect to another site would need
//! a policy that lets forms go anywhere. It comes back with GET, or, where the issuer answers with a form of
//! its own page (Apple does), with a POST from another site, with which browsers send no cookies. That POST is
//! answered with a redirect to GET and does nothing else; with the GET the cookie comes along, and only a browser that
//! began the attempt has it. So the cookie can stay `SameSite=Lax` like all others.

use super::{
    Refused,
    answer::Answer,
    attempt::{ATTEMPT_MS, Errand, Failed, Leaving, Purpose, Returned},
};
use crate::{
    audit::{Act, Actor, Recorder},
    edge::{ClientAddress, Origin, Tenant},
    identity::{
        ADOPTION, Identity, SignedIn, Visit, WayIn,
        admission::{Method, Proven},
        cookies,
        gate::{Pages, public},
        limits::{Budget, By},
        own_path,
        step_up::Confirmation,
    },
    portal::{
        Scene,
        view::{ConfirmLink, Link, Note, SsoLeave},
    },
    problem::Problem,
    secrets::Token,
};
use marque_domain::id::UserId;
use poem::{
    IntoResponse as _, Request, Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;
use serde_json::json;

/// The cookie that binds attempts to the browser that began them.
const BROWSER: &str = "__Host-marque-sso";

pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/sso/:connection/begin", public().post(begin))
        .at("/sso/:connection/callback", public().get(arrive).post(bring))
        .at(ADOPTION, public().get(show_adoption).post(adopt))
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    next: String,
    /// `1` when who is signed in shows anew that it is them.
    #[serde(default)]
    prove: String,
}

#[handler]
async fn begin(
    request: &Request,
    scene: Scene,
    origin: Origin,
    ClientAddress(client): ClientAddress,
    Data(identity): Data<&Identity>,
    Path(slug): Path<String>,
    Form(form): Form<Begin>,
) -> poem::Result<Response> {
    // Each attempt is a row of ours and a question to the issuer.
    let by = By { tenant: scene.tenant.id, address: client, person: None };
    identity.limits().spend(Budget::SignInElsewhere, by, identity.now()).await?;
    let purpose = match request.data::<SignedIn>().filter(|_| form.prove == "1") {
        Some(who) => Purpose::Prove(who.user),
        None => Purpose::SignIn,
    };
    let browser = browser(request);
    let errand = Errand { next: own_path(&form.next), purpose };
    let leaving = identity.sso().begin(&scene.tenant, &slug, &origin, browser, errand).await;
    leave(&scene, leaving.map_err(Problem::from)?)
}

/// What this browser has of earlier attempts.
pub(super) fn browser(request: &Request) -> Option<Token> {
    cookies::token(request.headers(), BROWSER)
}

/// The page that leads away. It goes on by itself, and has a link for who switched that off.
pub(super) fn leave(scene: &Scene, leaving: Leaving) -> poem::Result<Response> {
    let title = format!("On to {}", leaving.name);
    let page = SsoLeave { name: leaving.name, url: leaving.url.clone() };
    let mut response = scene.page(&title, &page)?;
    let refresh = HeaderValue::from_str(&format!("0; url={}", leaving.url)).map_err(|e| Problem::internal(&e))?;
    response.headers_mut().insert(header::REFRESH, refresh);
    cookies::set(&mut response, BROWSER, &leaving.browser.expose(), Some(ATTEMPT_MS / 1_000));
    Ok(response)
}

/// An issuer's form, from its own page. Nothing of it is believed yet; the same browser asks again with its cookie.
#[handler]
async fn bring(request: &Request, body: String) -> poem::Result<Response> {
    let answer = Answer::read(&body).map_err(Problem::from)?;
    let location = format!("{}?{}", request.original_uri().path(), answer.query());
    Ok(StatusCode::SEE_OTHER.with_header(header::LOCATION, location).into_response())
}

#[handler]
async fn arrive(
    request: &Request,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Data(recorder): Data<&Recorder>,
    Path(slug): Path<String>,
) -> poem::Result<Response> {
    let (answer, tenant) = (Answer::of(request.original_uri()).map_err(Problem::from)?, &visit.tenant);
    let returned = match identity.sso().finish(tenant, &slug, browser(request), &answer).await {
        Ok(returned) => returned,
        Err(failed) => return Err(refuse(tenant, recorder, failed).await?.into()),
    };
    let by = Arrived { visit: &visit, identity, recorder };
    let is = |user: UserId| request.data::<SignedIn>().filter(|who| who.user == user);
    match returned.purpose {
        Purpose::SignIn => by.sign_in(request, &returned).await,
        Purpose::Link(user) => by.link(is(user), &returned).await,
        Purpose::Prove(user) => by.prove(is(user), &returned).await,
    }
}

/// Records a refusal of an attempt that was ours. One that was not is anybody's noise, and the log has it.
async fn refuse(tenant: &Tenant, recorder: &Recorder, failed: Failed) -> Result<Problem, Problem> {
    let Some(connection) = failed.connection else { return Ok(failed.refused.told(None)) };
    let details = json!({ "method": "sso", "reason": failed.refused.code() });
    let nobody = Actor::Nobody { name: String::new() };
    recorder.record(tenant.db(), nobody, Act::SignInFailed, &connection.row.slug, details).await?;
    Ok(failed.refused.told(Some(&connection.row.name)))
}

/// Where an answer that held arrives.
struct Arrived<'a> {
    visit: &'a Visit,
    identity: &'a Identity,
    recorder: &'a Recorder,
}

impl Arrived<'_> {
    async fn link(&self, who: Option<&SignedIn>, returned: &Returned) -> poem::Result<Response> {
        let (name, slug) = (&returned.connection.row.name, &returned.connection.row.slug);
        let linked = match who {
            Some(who) => self.identity.sso().link(self.visit.tenant.db(), returned, who.user).await.map(|()| who),
            None => Err(Refused::OtherPerson),
        };
        let who = match linked {
            Ok(who) => who,
            Err(refused) => {
                let details = json!({ "method": "sso", "linking": true, "reason": refused.code() });
                self.note(actor(who), Act::SignInFailed, slug, details).await?;
                return Err(refused.told(Some(name)).into());
            }
        };
        let details = json!({ "issuer": returned.known.issuer, "subject": returned.known.subject });
        who.audit(Act::SsoLinked, slug, details).await?;
        self.identity.tell_way_in(self.visit, who.user, WayIn::Identity(name)).await;
        Ok(see_other("/security/sso"))
    }

    /// Who is signed in has shown the issuer anew who they are.
    async fn prove(&self, who: Option<&SignedIn>, returned: &Returned) -> poem::Result<Response> {
        let (name, slug) = (&returned.connection.row.name, &returned.connection.row.slug);
        let same = match who {
            Some(who) => self.identity.sso().check_same(who.db(), returned, who.user).await.map(|()| who),
            None => Err(Refused::OtherPerson),
        };
        let who = match same {
            Ok(who) => who,
            Err(refused) => {
                let details = json!({ "by": "sso", "reason": refused.code() });
                self.note(actor(who), Act::StepUpFailed, slug, details).await?;
                return Err(refused.told(Some(name)).into());
            }
        };
        self.identity.confirm(who, Confirmation::Elsewhere).await?;
        who.audit(Act::StepUp, who.user.to_string(), json!({ "by": "sso" })).await?;
        Ok(see_other(own_path(&returned.next)))
    }

    async fn sign_in(&self, request: &Request, returned: &Returned) -> poem::Result<Response> {
        let slug = &returned.connection.row.slug;
        let (user, new) = match self.identity.sso().person(self.visit.tenant.db(), returned).await {
            Ok(found) => found,
            Err(Refused::AddressTaken) if self.offer(returned).await? => return Ok(see_other("/check-mail")),
            Err(refused) => {
                let details = json!({ "method": "sso", "reason": refused.code() });
                let name = returned.known.email.clone().unwrap_or_default();
                self.note(Actor::Nobody { name }, Act::SignInFailed, slug, details).await?;
                return Err(refused.told(Some(&returned.connection.row.name)).into());
            }
        };
        if new {
            let system = Actor::System { name: format!("single sign-on {slug}") };
            let details = json!({ "role": user.role, "issuer": returned.known.issuer });
            self.note(system, Act::PersonAdded, &user.email, details).await?;
        }
        let next = own_path(&returned.next);
        let proven =
            Proven { user, method: Method::Sso, recorder: self.recorder, next, shown_at: returned.known.shown_at };
        let admission = self.identity.admit(&self.visit.tenant, proven).await?;
        Ok(self.identity.respond(&self.visit.tenant, request, admission).await?)
    }

    /// Offers who must come this way to take along the account that has their address. Answers whether it did.
    async fn offer(&self, returned: &Returned) -> Result<bool, Problem> {
        let Some((email, there)) = self.identity.sso().claimed(returned) else { return Ok(false) };
        self.identity.offer_adoption(self.visit, email, there, &returned.connection.row.name).await
    }

    async fn note(&self, actor: Actor, act: Act, target: &str, details: serde_json::Value) -> Result<(), Problem> {
        Ok(self.recorder.record(self.visit.tenant.db(), actor, act, target, details).await?)
    }
}

fn actor(who: Option<&SignedIn>) -> Actor {
    who.map_or_else(|| Actor::Nobody { name: String::new() }, SignedIn::actor)
}

#[derive(Deserialize)]
struct LinkToken {
    #[serde(default)]
    token: String,
}

#[handler]
fn show_adoption(scene: Scene, Query(query): Query<LinkToken>) -> poem::Result<Response> {
    let page = ConfirmLink {
        action: ADOPTION,
        token: query.token.chars().take(100).collect(),
        title: "Connect your account",
        text: "One step is left: confirm that you sign in to your account this way from now on. Whoever is signed in to it \
               now no longer is.",
        button: "Connect my account",
    };
    scene.page(page.title, &page)
}

#[handler]
async fn adopt(
    scene: Scene,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<LinkToken>,
) -> poem::Result<Response> {
    let token = Token::parse(&form.token).ok_or_else(crate::identity::link_ended);
    let adopted = match token {
        Ok(token) => identity.adopt(&visit, &token).await,
        Err(problem) => Err(problem),
    };
    let sign_in = Some(Link::new("Sign in", "/sign-in"));
    match adopted {
        Ok(way) => {
            let text = format!("Sign in with {} from now on; everything you have here is as it was.", way.name);
            scene.page("Account connected", &Note::new("Your account is connected", &text, sign_in))
        }
        Err(problem) => {
            let mut response =
                scene.page(problem.code.title(), &Note::new(problem.code.title(), &problem.detail, sign_in))?;
            response.set_status(problem.code.status());
            Ok(response)
        }
    }
}

pub(super) fn see_other(path: &str) -> Response {
    StatusCode::SEE_OTHER.with_header(header::LOCATION, path).into_response()
}
