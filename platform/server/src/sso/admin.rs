//! The page on which an admin sets connections up: list, add, change, test, switch on and off. A secret goes in and
//! never comes out again.

use super::{
    Refused, Sso,
    attempt::return_address,
    connection::{Connection, Draft, Filled, Join, Preset, domain, place},
    prove_first,
};
use crate::{
    audit::Act,
    edge::Origin,
    identity::{
        Identity, Operation, Role, SignedIn,
        admission::Method,
        gate::{Pages, may},
    },
    portal::{
        Scene,
        view::{Badge, Banner, Field, FieldKind, SsoConnectionRow, SsoFormPage, SsoListPage, SsoPresetCard, Tone},
    },
    problem::{FieldError, Problem},
    secrets,
};
use marque_domain::time::Millis;
use marque_store::{SSO_LIST_MAX, SsoConnection, StoreError, TenantDb};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path, Query},
};
use serde::Deserialize;
use serde_json::json;

const PAGE: &str = "/admin/sso";

pub(super) fn pages(pages: Pages) -> Pages {
    let gate = || may(Operation::ManageSso);
    pages
        .at(PAGE, gate().get(list))
        .at("/admin/sso/new", gate().get(show_new).post(add))
        .at("/admin/sso/:connection", gate().get(show).post(change))
        .at("/admin/sso/:connection/test", gate().post(test))
        .at("/admin/sso/:connection/enable", gate().post(enable))
        .at("/admin/sso/:connection/disable", gate().post(disable))
}

#[handler]
async fn list(scene: Scene, who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let all = identity.sso().connections(who.db()).await.map_err(Problem::from)?;
    let rows = all.iter().map(|connection| SsoConnectionRow {
        name: connection.row.name.clone(),
        href: format!("{PAGE}/{}", connection.row.slug),
        preset: connection.preset.title().to_owned(),
        issuer: connection.row.issuer.clone(),
        domains: connection.row.domains.join(", "),
        state: state(connection.row.enabled),
    });
    let presets = Preset::ALL.map(|preset| SsoPresetCard {
        title: preset.title().to_owned(),
        href: format!("{PAGE}/new?preset={}", preset.name()),
        text: about(preset).to_owned(),
    });
    scene.page("Single sign-on", &SsoListPage { connections: rows.collect(), presets: presets.to_vec() })
}

fn state(enabled: bool) -> Badge {
    if enabled { Badge::new(Tone::Good, "On") } else { Badge::new(Tone::Quiet, "Off") }
}

const fn about(preset: Preset) -> &'static str {
    match preset {
        Preset::Oidc => "Any provider that speaks OpenID Connect: Entra ID, Okta, Keycloak, your own.",
        Preset::Google => "Google accounts, also of a company on Google Workspace.",
        Preset::Apple => "Apple accounts. Needs a key from Apple's developer pages.",
    }
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    preset: String,
}

#[handler]
async fn show_new(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Query(which): Query<Which>,
) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let preset = Preset::named(&which.preset).ok_or_else(Problem::not_found)?;
    // Before the form is filled in: on the way to the proof and back it would be lost.
    if let Some(first) = prove_first(&who, identity, &format!("{PAGE}/new?preset={}", preset.name())) {
        return Ok(first);
    }
    let name = if preset == Preset::Oidc { "" } else { preset.title() };
    let slug = if preset == Preset::Oidc { "" } else { preset.name() };
    let filled = Filled {
        preset: preset.name().to_owned(),
        name: name.to_owned(),
        slug: slug.to_owned(),
        join: Join::Anyone.name().to_owned(),
        ..Filled::empty()
    };
    form(&scene, &origin, None, &filled, &[], None)
}

#[handler]
async fn add(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let preset = Preset::named(&filled.preset).unwrap_or(Preset::Oidc).name();
    if let Some(first) = prove_first(&who, identity, &format!("{PAGE}/new?preset={preset}")) {
        return Ok(first);
    }
    let sso = identity.sso();
    let draft = match filled.check(&sso.0.outbound, false) {
        Ok(draft) => draft,
        Err(faults) => return form(&scene, &origin, None, &filled, &faults, None),
    };
    match sso.create(who.db(), &draft).await {
        Ok(()) => {}
        Err(Refused::Store(StoreError::Conflict(_))) => {
            let fault = FieldError {
                field: "slug".to_owned(),
                detail: "Another connection has it; choose another.".to_owned(),
            };
            return form(&scene, &origin, None, &filled, &[fault], None);
        }
        Err(error) => return Err(Problem::from(error).into()),
    }
    who.audit(Act::SsoConnectionAdded, &draft.slug, said(&draft)).await?;
    Ok(super::flow::see_other(&format!("{PAGE}/{}", draft.slug)))
}

#[handler]
async fn show(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Path(slug): Path<String>,
) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let connection = identity.sso().connection(who.db(), &slug).await.map_err(Problem::from)?;
    if let Some(first) = prove_first(&who, identity, &format!("{PAGE}/{slug}")) {
        return Ok(first);
    }
    form(&scene, &origin, Some(&connection), &Filled::of(&connection), &[], None)
}

#[handler]
async fn change(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Path(slug): Path<String>,
    Form(filled): Form<Filled>,
) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let sso = identity.sso();
    let connection = sso.connection(who.db(), &slug).await.map_err(Problem::from)?;
    if let Some(first) = prove_first(&who, identity, &format!("{PAGE}/{slug}")) {
        return Ok(first);
    }
    // What cannot change is not asked for; whatever the form says of it counts for nothing.
    let filled = Filled { preset: connection.row.preset.clone(), slug, ..filled };
    let draft = match filled.check(&sso.0.outbound, true) {
        Ok(draft) => draft,
        Err(faults) => return form(&scene, &origin, Some(&connection), &filled, &faults, None),
    };
    // Else whoever may change it could have the stored secret sent to a server of theirs.
    let is_kept = draft.issuer == connection.row.issuer && draft.client_id == connection.row.client_id;
    if draft.secret.is_none() && !is_kept {
        let detail = "Enter the secret again: it goes to another address, or belongs to another client, from now on.";
        let fault = FieldError { field: "secret".to_owned(), detail: detail.to_owned() };
        return form(&scene, &origin, Some(&connection), &filled, &[fault], None);
    }
    let changed = sso.update(who.db(), &connection, &draft).await.map_err(Problem::from)?;
    who.audit(Act::SsoConnectionChanged, &draft.slug, said(&draft)).await?;
    let saved = Banner::new(Tone::Good, "Saved", "It counts from now on. Test it before people use it.");
    form(&scene, &origin, Some(&changed), &Filled::of(&changed), &[], Some(saved))
}

/// What the audit log says of a connection: everything but the secret.
fn said(draft: &Draft) -> serde_json::Value {
    json!({
        "preset": draft.preset.name(), "name": draft.name, "issuer": draft.issuer, "client_id": draft.client_id,
        "domains": draft.domains, "join": draft.settings.join.name(), "secret_changed": draft.secret.is_some(),
    })
}

#[handler]
async fn test(
    scene: Scene,
    who: SignedIn,
    origin: Origin,
    Data(identity): Data<&Identity>,
    Path(slug): Path<String>,
) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let sso = identity.sso();
    let connection = sso.connection(who.db(), &slug).await.map_err(Problem::from)?;
    let banner = match sso.try_out(who.db(), &connection).await {
        Ok(text) => Banner::new(Tone::Good, "The provider answers", text),
        Err(error @ (Refused::Store(_) | Refused::Vault(_))) => return Err(Problem::from(error).into()),
        Err(error) => {
            Banner::new(Tone::Bad, "The provider cannot be used", format!("{}.", sentence(&error.to_string())))
        }
    };
    form(&scene, &origin, Some(&connection), &Filled::of(&connection), &[], Some(banner))
}

#[handler]
async fn enable(who: SignedIn, Data(identity): Data<&Identity>, Path(slug): Path<String>) -> poem::Result<Response> {
    switch(&who, identity, &slug, true).await
}

#[handler]
async fn disable(who: SignedIn, Data(identity): Data<&Identity>, Path(slug): Path<String>) -> poem::Result<Response> {
    switch(&who, identity, &slug, false).await
}

async fn switch(who: &SignedIn, identity: &Identity, slug: &str, enabled: bool) -> poem::Result<Response> {
    who.may(Operation::ManageSso)?;
    let sso = identity.sso();
    let connection = sso.connection(who.db(), slug).await.map_err(Problem::from)?;
    if let Some(first) = prove_first(who, identity, &format!("{PAGE}/{slug}")) {
        return Ok(first);
    }
    let row = SsoConnection { enabled, updated_at: sso.0.clock.now(), ..connection.row.clone() };
    sso.store(who.db(), &connection, row).await.map_err(Problem::from)?;
    who.audit(Act::SsoConnectionChanged, slug, json!({ "enabled": enabled })).await?;
    Ok(super::flow::see_other(&format!("{PAGE}/{slug}")))
}

impl Sso {
    async fn create(&self, db: &TenantDb, draft: &Draft) -> Result<(), Refused> {
        let now = self.0.clock.now();
        if u64::try_from(self.connections(db).await?.len()).unwrap_or(u64::MAX) >= SSO_LIST_MAX {
            return Err(Refused::TooMany);
        }
        let id = secrets::new_id(now)?;
        // Off until it was tested and switched on.
        let row = self.row(db, draft, id, Vec::new(), false, now, now).await?;
        Ok(db.create_sso_connection(&row).await?)
    }

    async fn update(&self, db: &TenantDb, old: &Connection, draft: &Draft) -> Result<Connection, Refused> {
        let (kept, now) = (old.row.secret.clone(), self.0.clock.now());
        let row = self.row(db, draft, old.row.id, kept, old.row.enabled, old.row.created_at, now).await?;
        self.store(db, old, row).await
    }

    /// Stores what has become of a connection. What people of a domain that it claims now, and did not before, have opened by
    /// other ways ends with it: sessions, programs, personal tokens. Owners keep theirs. A claim that did not end them
    /// would not come again: the next change would find the domain claimed.
    async fn store(&self, db: &TenantDb, before: &Connection, row: SsoConnection) -> Result<Connection, Refused> {
        let now = Connection::of(row)?;
        let claims_more = now.row.enabled && (now.row.domains != before.row.domains || !before.row.enabled);
        if !claims_more {
            db.update_sso_connection(&now.row).await?;
            return Ok(now);
        }
        let is_new = |email: &str| domain(email).is_some_and(|domain| now.claims(&domain) && !before.claims(&domain));
        let (owner, by_sso, at) = (Role::Owner.name(), Method::Sso.name(), self.0.clock.now());
        let ended = db.claim_by_sso_connection(&now.row, is_new, owner, by_sso, at).await?;
        // Once more for who was let in while that was under way. Whoever comes after it sees the claim.
        let late = db.end_other_ways(now.row.id, is_new, owner, by_sso, at).await?;
        let connection = &now.row.slug;
        tracing::info!(?ended, late, %connection, "what people of a claimed domain had opened was ended");
        Ok(now)
    }

    #[expect(clippy::too_many_arguments, reason = "a row has these columns")]
    async fn row(
        &self,
        db: &TenantDb,
        draft: &Draft,
        id: i64,
        kept: Vec<u8>,
        enabled: bool,
        created_at: Millis,
        updated_at: Millis,
    ) -> Result<SsoConnection, Refused> {
        let secret = match &draft.secret {
            Some(secret) => self.keys(db).await?.seal(&place(id), secret.expose().trim().as_bytes())?,
            None => kept,
        };
        Ok(SsoConnection {
            id,
            slug: draft.slug.clone(),
            name: draft.name.clone(),
            preset: draft.preset.name().to_owned(),
            issuer: draft.issuer.clone(),
            client_id: draft.client_id.clone(),
            secret,
            settings: serde_json::to_string(&draft.settings).map_err(|_| Refused::Corrupt)?,
            domains: draft.domains.clone(),
            enabled,
            created_at,
            updated_at,
        })
    }

    /// Asks the issuer what it is, past what is remembered, and sees whether our secret can be made.
    async fn try_out(&self, db: &TenantDb, connection: &Connection) -> Result<String, Refused> {
        let client = connection.client(&self.keys(db).await?)?;
        client.secret(true, self.0.clock.now())?;
        let metadata = self.0.providers.discover(&client.issuer).await?;
        let keys = metadata.jwks().keys().len();
        let host = metadata.authorization_endpoint().url().host_str().unwrap_or_default().to_owned();
        Ok(format!(
            "People will be sent to {host}; it signs with {keys} {}. Whether client id and secret are right shows at the first sign-in: switch the connection on and try it in a private window.",
            if keys == 1 { "key" } else { "keys" }
        ))
    }
}

/// The form of a connection, new or stored.
fn form(
    scene: &Scene,
    origin: &Origin,
    stored: Option<&Connection>,
    filled: &Filled,
    faults: &[FieldError],
    banner: Option<Banner>,
) -> poem::Result<Response> {
    let preset = Preset::named(&filled.preset).unwrap_or(Preset::Oidc);
    let fields = fields(preset, filled, stored.is_some());
    let fault = |field: &str| faults.iter().find(|fault| fault.field == field).map(|fault| fault.detail.clone());
    let fields = fields.into_iter().map(|field| {
        let error = fault(&field.name);
        field.error(error)
    });
    let slug = stored.map(|connection| connection.row.slug.as_str());
    let path = slug.map_or_else(|| format!("{PAGE}/new"), |slug| format!("{PAGE}/{slug}"));
    let page = SsoFormPage {
        csrf: scene.csrf.clone(),
        title: stored.map_or_else(|| format!("Add {}", preset.title()), |connection| connection.row.name.clone()),
        path,
        preset: filled.preset.clone(),
        stored: stored.is_some(),
        enabled: stored.is_some_and(|connection| connection.row.enabled),
        state: stored.map(|connection| state(connection.row.enabled)),
        return_addresses: slug.map_or_else(Vec::new, |slug| return_addresses(scene, origin, slug)),
        fields: fields.collect(),
        error: (!faults.is_empty()).then(|| "Nothing was saved. Correct the marked fields.".to_owned()),
        banner,
    };
    let mut response = scene.page(&page.title, &page)?;
    if !faults.is_empty() {
        response.set_status(StatusCode::UNPROCESSABLE_ENTITY);
    }
    Ok(response)
}

/// What to register at the provider: one address for each host that people may come by.
fn return_addresses(scene: &Scene, origin: &Origin, slug: &str) -> Vec<String> {
    let here = return_address(origin, slug);
    let others = scene.tenant.definition.hosts.iter().filter(|host| host.as_str() != origin.authority.host.as_str());
    let port = origin.authority.port.map_or_else(String::new, |port| format!(":{port}"));
    let scheme = if origin.secure { "https" } else { "http" };
    core::iter::once(here).chain(others.map(|host| format!("{scheme}://{host}{port}/sso/{slug}/callback"))).collect()
}

fn fields(preset: Preset, filled: &Filled, stored: bool) -> Vec<Field> {
    let text = |name: &str, label: &str, value: &str| Field::new(FieldKind::Text, name, label).value(value);
    let mut fields = vec![text("name", "Name", &filled.name).hint("The button reads “Continue with” and this name.")];
    if !stored {
        let hint = "Part of the return address at the provider, such as acme. It cannot be changed later.";
        fields.push(text("slug", "Short name", &filled.slug).hint(hint));
    }
    if preset == Preset::Oidc {
        let hint = "The provider's address as it writes itself, such as https://login.acme.example.";
        fields.push(text("issuer", "Issuer", &filled.issuer).hint(hint));
    }
    fields.push(text(
        "client_id",
        if preset == Preset::Apple { "Services id" } else { "Client id" },
        &filled.client_id,
    ));
    if preset == Preset::Apple {
        fields.push(text("team", "Team id", &filled.team));
        fields.push(text("key", "Key id", &filled.key));
    }
    fields.push(secret_field(preset, stored));
    let joins = Join::ALL.map(|(_, name, label)| (name, label));
    fields.push(Field::new(FieldKind::Select, "join", "Who may join").value(&filled.join).choices(joins));
    let mut domains = Field::new(FieldKind::Area, "domains", "Mail domains").value(&filled.domains).hint(
        "One on each line, such as acme.example. Their people must come this way: their passwords no longer open the \
         site, and who came another way is signed out. Who has an account already connects it by a mail. Owners keep their \
         passwords, so that a broken provider locks nobody out.",
    );
    domains.required = false;
    fields.push(domains);
    if preset == Preset::Oidc {
        let mut form = Field::new(FieldKind::Checkbox, "form_post", "The provider answers with a form (form_post)");
        form.checked = filled.form_post.is_some();
        fields.push(form);
    }
    fields
}

fn secret_field(preset: Preset, stored: bool) -> Field {
    let (kind, label) = match preset {
        Preset::Apple => (FieldKind::Area, "Private key"),
        Preset::Oidc | Preset::Google => (FieldKind::Password, "Client secret"),
    };
    let mut field = Field::new(kind, "secret", label).autocomplete("off");
    field.required = !stored;
    let hint = if stored {
        "Stored and sealed; it is not shown. Leave it empty to keep it."
    } else {
        "It is sealed when it is stored, and never shown again."
    };
    field.hint(hint)
}

/// An error's text as a sentence of a page.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
