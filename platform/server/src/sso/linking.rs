//! Linking and unlinking: a person's own page. Linking makes a new way in, so it asks for a fresh proof of who does it.

use super::{
    Refused,
    attempt::{Errand, Purpose},
    flow, prove_first,
};
use crate::{
    audit::Act,
    edge::Origin,
    identity::{
        Identity, Operation, SignedIn, Visit, WayIn,
        gate::{Pages, may},
    },
    portal::{
        Scene,
        view::{SsoIdentityRow, SsoLinkPage, SsoWay},
    },
    problem::{Problem, ProblemCode},
};
use marque_store::{SsoIdentity, Unlinked};
use poem::{
    Request, Response, handler,
    web::{Data, Form, Path},
};
use serde::Deserialize;
use serde_json::json;

const PAGE: &str = "/security/sso";

pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at(PAGE, may(Operation::LinkSso).get(show))
        .at("/security/sso/unlink", may(Operation::LinkSso).post(unlink))
        .at("/security/sso/link/:connection", may(Operation::LinkSso).post(link))
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.may(Operation::LinkSso)?;
    let (db, clock) = (who.db(), scene.clock());
    let identities = db.sso_identities_of(who.user).await.map_err(Problem::from)?;
    let all = identity.sso().connections(db).await.map_err(Problem::from)?;
    let linked = identities.iter().map(|identity| SsoIdentityRow {
        name: name_of(&all, identity),
        email: identity.email.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        linked: clock.show(identity.created_at),
        used: clock.show(identity.last_used_at),
    });
    let free = |connection: &&super::Connection| {
        connection.row.enabled && !identities.iter().any(|identity| identity.issuer == connection.row.issuer)
    };
    let ways = all
        .iter()
        .filter(free)
        .map(|connection| SsoWay::new(&connection.row.name, &format!("{PAGE}/link/{}", connection.row.slug)));
    let page = SsoLinkPage { csrf: scene.csrf.clone(), linked: linked.collect(), ways: ways.collect() };
    scene.page("Linked sign-ins", &page)
}

/// What the brand calls the site that an identity is at.
fn name_of(all: &[super::Connection], identity: &SsoIdentity) -> String {
    let by_id = all.iter().find(|connection| connection.row.id == identity.connection);
    let found = by_id.or_else(|| all.iter().find(|connection| connection.row.issuer == identity.issuer));
    found.map_or_else(|| identity.issuer.clone(), |connection| connection.row.name.clone())
}

#[handler]
async fn link(
    request: &Request,
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Path(slug): Path<String>,
) -> poem::Result<Response> {
    who.may(Operation::LinkSso)?;
    if let Some(first) = prove_first(&who, identity, PAGE) {
        return Ok(first);
    }
    let browser = flow::browser(request);
    let errand = Errand { next: PAGE, purpose: Purpose::Link(who.user) };
    let leaving = identity.sso().begin(&who.tenant, &slug, &origin, browser, errand).await;
    flow::leave(&scene, leaving.map_err(Problem::from)?)
}

#[derive(Deserialize)]
struct Which {
    issuer: String,
    subject: String,
}

#[handler]
async fn unlink(
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(which): Form<Which>,
) -> poem::Result<Response> {
    who.may(Operation::LinkSso)?;
    if let Some(first) = prove_first(&who, identity, PAGE) {
        return Ok(first);
    }
    let db = who.db();
    let user = db.user(who.user).await.map_err(Problem::from)?;
    let is_needed = identity.must_come_by_another_site(&who.tenant, &user).await?;
    let theirs = db.sso_identities_of(who.user).await.map_err(Problem::from)?;
    let gone = theirs.iter().find(|one| one.issuer == which.issuer && one.subject == which.subject);
    let all = identity.sso().connections(db).await.map_err(Problem::from)?;
    let name = gone.map_or_else(|| which.issuer.clone(), |gone| name_of(&all, gone));
    let unlinked = db.unlink_spare_sso_identity(who.user, &which.issuer, &which.subject, is_needed).await;
    match unlinked.map_err(Problem::from)? {
        Unlinked::Gone => {}
        Unlinked::NotTheirs => return Err(Problem::not_found().into()),
        Unlinked::Needed => return Err(needed(is_needed).into()),
    }
    let details = json!({ "issuer": which.issuer, "subject": which.subject });
    who.audit(Act::SsoUnlinked, &which.issuer, details).await?;
    identity.tell_way_in(&visit, who.user, WayIn::IdentityRemoved(&name)).await;
    Ok(flow::see_other(PAGE))
}

/// Why somebody's only identity stays.
fn needed(by_domain: bool) -> Problem {
    let detail = if by_domain {
        "People with your address sign in this way only. Ask the people who run this site."
    } else {
        "This is your only way in. Set a password first: sign out and choose “Forgot your password?”."
    };
    Problem::new(ProblemCode::Conflict, detail)
}

impl From<Refused> for Problem {
    fn from(error: Refused) -> Self {
        error.told(None)
    }
}
