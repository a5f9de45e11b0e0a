//! The operator's side: `marque plugin add` and `list`.

use super::super::{CliError, open, tenant};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    clock::Clock,
    config::Config,
    plugins,
    secrets::Vault,
    tenants,
};
use marque_domain::tenant::Slug;
use marque_sandbox::{Limits, Sandbox};
use marque_store::{Change, Store};
use std::{io::Write, path::Path, sync::Arc};

/// Inspecting needs few: the rest of the address space stays free.
const INSTANCES: u32 = 4;

pub(super) async fn add(
    config: &Config,
    clock: &Clock,
    slugs: &[Slug],
    file: &Path,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    // Every tenant is looked up before the first catalogue changes.
    let mut catalogues = Vec::new();
    for slug in slugs {
        catalogues.push((slug, tenant::rows(&store, slug).await?));
    }
    let vault = Vault::open(config, clock.clone())?;
    let component = std::fs::read(file).map_err(|source| CliError::Unreadable { path: file.to_owned(), source })?;
    let limits = Limits { instances: INSTANCES, ..Limits::default() };
    // The server will run what is compiled here.
    let sandbox = Arc::new(Sandbox::shelved(limits, plugins::shelf(config, &vault))?);
    for (slug, db) in catalogues {
        let added = plugins::publish(&store, &db, &sandbox, component.clone(), clock).await;
        let (description, change) =
            added.map_err(|problem| CliError::Plugin { path: file.to_owned(), problem: Box::new(problem) })?;
        let (name, version) = (&description.name, &description.version);
        writeln!(out, "{slug}: {name} {version} {}", tenant::change_word(change))?;
        if change != Change::Unchanged {
            let details = [("name", name.clone()), ("version", version.clone())];
            let entry = Entry {
                at: clock.now(),
                actor: Actor::System { name: "marque plugin add".to_owned() },
                act: Act::PluginAdded,
                target: description.digest.to_string(),
                details: details.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect(),
                origin: Origin::default(),
            };
            audit::record(&db, &vault, entry).await?;
        }
        // The plugin stays: what binds it is corrected by applying the tenant's file again.
        for mistake in tenants::misfits(&db, &tenant::definition(&store, slug).await?).await? {
            writeln!(out, "warning: no account can be opened at {slug} until this is corrected. {mistake}")?;
        }
    }
    Ok(())
}

pub(super) async fn list(store: &Store, slug: &Slug, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let plugins = tenant::rows(store, slug).await?.plugins().await?;
    if plugins.is_empty() {
        writeln!(out, "{slug} has no plugins yet. Add one with `marque plugin add {slug} <file>.wasm`.")?;
    }
    for row in plugins {
        let enabled = if row.enabled { "enabled" } else { "disabled" };
        let plugin = row.plugin;
        writeln!(out, "{}\t{}\t{}\t{enabled}\t{}", plugin.name, plugin.version, plugin.kind.name(), plugin.digest)?;
    }
    Ok(())
}
