//! `marque tenant …`

use super::{CliError, open};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    clock::Clock,
    config::Config,
    secrets::Vault,
    tenants,
    theme::Themes,
};
use marque_domain::tenant::{Slug, TenantStatus};
use marque_store::{Change, Store, Tenant, TenantDb};
use std::{io::Write, path::PathBuf};

pub(super) async fn apply(
    config: &Config,
    clock: &Clock,
    dir: Option<PathBuf>,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let dir = dir.unwrap_or_else(|| config.tenants_dir.clone());
    let themes = Themes::load()?;
    let names: Vec<&str> = themes.names().collect();
    let definitions = tenants::read_dir(&dir, &names)?;
    let store = open(config).await?;
    let vault = Vault::open(config, clock.clone())?;
    for (slug, change) in tenants::apply(&store.system("marque tenant apply"), &definitions, clock.now()).await? {
        if change != Change::Unchanged {
            let db = rows(&store, &slug).await?;
            let details = [("change".to_owned(), change_word(change).into())].into_iter().collect();
            audit::record(
                &db,
                &vault,
                Entry {
                    at: clock.now(),
                    actor: Actor::System { name: "marque tenant apply".to_owned() },
                    act: Act::TenantApplied,
                    target: slug.to_string(),
                    details,
                    origin: Origin::default(),
                },
            )
            .await?;
        }
        writeln!(out, "{slug}: {}", change_word(change))?;
    }
    Ok(())
}

pub(super) async fn list(store: &Store, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let tenants = store.system("marque tenant list").tenants().await?;
    if tenants.is_empty() {
        writeln!(out, "There is no tenant yet. Add some with `marque tenant apply tenants`.")?;
    }
    for Tenant { spec, .. } in tenants {
        let status = match spec.status {
            TenantStatus::Active => "active",
            TenantStatus::Suspended => "suspended",
        };
        writeln!(out, "{}\t{status}\t{}\t{}\t{}", spec.slug, spec.theme, spec.hosts.join(","), spec.name)?;
    }
    Ok(())
}

pub(super) async fn show(store: &Store, slug: &Slug, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let tenant = find(store, slug).await?;
    // Stored as JSON; what is not is shown as it is.
    let definition = serde_json::from_str(&tenant.spec.definition)
        .unwrap_or_else(|_| serde_json::Value::String(tenant.spec.definition.clone()));
    let understood = serde_json::from_str::<tenants::Definition>(&tenant.spec.definition).ok();
    let shown = serde_json::json!({
        "id": tenant.id.to_string(),
        "created_at": tenant.created_at.to_rfc3339(),
        "updated_at": tenant.updated_at.to_rfc3339(),
        "terms": understood.as_ref().map(tenants::terms_in_words),
        "definition": definition,
    });
    writeln!(out, "{shown:#}")?;
    Ok(())
}

/// The stored tenant of a slug.
pub(super) async fn find(store: &Store, slug: &Slug) -> Result<Tenant, CliError> {
    let tenants = store.system("find a tenant for a command").tenants().await?;
    let known: Vec<String> = tenants.iter().map(|tenant| tenant.spec.slug.to_string()).collect();
    let found = tenants.into_iter().find(|tenant| &tenant.spec.slug == slug);
    found.ok_or_else(|| CliError::NoTenant { slug: slug.clone(), known: known.join(", ") })
}

/// What a tenant's file said when it was last applied.
pub(super) async fn definition(store: &Store, slug: &Slug) -> Result<tenants::Definition, CliError> {
    let tenant = find(store, slug).await?;
    serde_json::from_str(&tenant.spec.definition).map_err(|error| CliError::Definition(slug.clone(), error))
}

/// The named tenant, or all of them, with their rows.
pub(super) async fn chosen(store: &Store, slug: Option<&Slug>) -> Result<Vec<(Slug, TenantDb)>, CliError> {
    let system = store.system("a command for one tenant or all");
    let tenants = match slug {
        Some(slug) => vec![find(store, slug).await?],
        None => system.tenants().await?,
    };
    Ok(tenants.into_iter().map(|tenant| (tenant.spec.slug, system.tenant_db(tenant.id))).collect())
}

/// A tenant's rows, for a command that names it.
pub(super) async fn rows(store: &Store, slug: &Slug) -> Result<TenantDb, CliError> {
    let tenant = find(store, slug).await?;
    Ok(store.system("a command names its tenant").tenant_db(tenant.id))
}

pub(super) const fn change_word(change: Change) -> &'static str {
    match change {
        Change::Created => "created",
        Change::Changed => "changed",
        Change::Unchanged => "unchanged",
    }
}
