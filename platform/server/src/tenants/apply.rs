//! From a folder of tenant files to the database: all files are understood before one is written.

use super::{
    definition::Definition,
    file,
    mistake::{Mistake, Mistakes, Place},
    rules::{self, RuleError},
};
use crate::secrets::{self, NoRandomness};
use marque_domain::{id::TenantId, tenant::Slug, time::Millis};
use marque_store::{Change, StoreError, SystemDb, Tenant, TenantSpec};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A tenant's file of more bytes is none.
const FILE_BYTES_MAX: u64 = 256 * 1024;
const TENANTS_MAX: usize = 10_000;
const FILE_NAME: &str = "tenant.toml";

/// Why tenants were not applied. Nothing was written unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Files have mistakes.
    #[error("{0}\nNothing was applied.")]
    Mistakes(#[from] Mistakes),
    /// A folder or file cannot be read.
    #[error("cannot read {path}: {source}. Give the folder that holds <slug>/tenant.toml, or one tenant's folder")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing to apply.
    #[error("no tenant in {0}: it must hold <slug>/tenant.toml. Start from tenants/aurora of the repository")]
    Nothing(PathBuf),
    /// The catalogue could not be asked whether the rules fit.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// The database refused, or could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No id can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A definition that JSON cannot hold.
    #[error("tenant {0} cannot be written as JSON: {1}. This is a fault of the program; report it with the file")]
    Json(Slug, #[source] serde_json::Error),
}

/// Reads every tenant of a folder: `<dir>/<slug>/tenant.toml`, or `<dir>/tenant.toml` for one tenant whose slug is
/// the folder's name.
///
/// # Errors
/// Every mistake of every file at once.
pub fn read_dir(dir: &Path, themes: &[&str]) -> Result<Vec<Definition>, ApplyError> {
    let mut read = Reading { themes, definitions: Vec::new(), mistakes: Vec::new() };
    for (folder, file) in files(dir)? {
        read.file(&folder, &file)?;
    }
    read.refuse_shared_hosts();
    if !read.mistakes.is_empty() {
        return Err(Mistakes(read.mistakes).into());
    }
    if read.definitions.is_empty() { Err(ApplyError::Nothing(dir.to_owned())) } else { Ok(read.definitions) }
}

/// The tenant files below `dir` with their folders' names, in order.
fn files(dir: &Path) -> Result<Vec<(String, PathBuf)>, ApplyError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| ApplyError::Unreadable { path, source }
    };
    let name_of = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if dir.join(FILE_NAME).is_file() {
        let full = fs::canonicalize(dir).map_err(unreadable(dir))?;
        return Ok(vec![(name_of(&full), dir.join(FILE_NAME))]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable(dir))? {
        let folder = entry.map_err(unreadable(dir))?.path();
        let file = folder.join(FILE_NAME);
        if file.is_file() {
            found.push((name_of(&folder), file));
        }
    }
    found.sort();
    found.truncate(TENANTS_MAX);
    Ok(found)
}

struct Reading<'a> {
    themes: &'a [&'a str],
    definitions: Vec<Definition>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn file(&mut self, folder: &str, path: &Path) -> Result<(), ApplyError> {
        let unreadable = |source| ApplyError::Unreadable { path: path.to_owned(), source };
        let mut whole = |what: &str, remedy: &str| {
            self.mistakes.push(Mistake { file: path.to_owned(), at: None, what: what.into(), remedy: remedy.into() });
        };
        if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            whole("the file is larger than 256 KiB", "a tenant's file holds text alone; keep images elsewhere");
            return Ok(());
        }
        let Ok(text) = String::from_utf8(fs::read(path).map_err(unreadable)?) else {
            whole("the file is not UTF-8", "save it as UTF-8");
            return Ok(());
        };
        let slug = match folder.parse::<Slug>() {
            Ok(slug) => slug,
            Err(error) => {
                whole(&format!("the folder {folder:?} is {error}"), "rename the folder");
                return Ok(());
            }
        };
        match file::read(&slug, path, &text, self.themes) {
            Ok(definition) => self.definitions.push(definition),
            Err(mistakes) => self.mistakes.extend(mistakes.0),
        }
        Ok(())
    }

    fn refuse_shared_hosts(&mut self) {
        let mut owners: BTreeMap<&str, &Slug> = BTreeMap::new();
        for definition in &self.definitions {
            for (host, place) in &definition.host_places {
                let Some(other) = owners.insert(host, &definition.slug) else { continue };
                let what = format!("the host {host} is also listed by tenant {other}");
                self.mistakes.push(mistake(place, what, "a host leads to one tenant: remove it from one of the two"));
            }
        }
    }
}

/// Applies definitions, all of them or none; applying the same twice changes nothing.
///
/// # Errors
/// See [`ApplyError`].
pub async fn apply(
    system: &SystemDb,
    definitions: &[Definition],
    at: Millis,
) -> Result<Vec<(Slug, Change)>, ApplyError> {
    let stored = system.tenants().await?;
    refuse_taken_hosts(&stored, definitions)?;
    refuse_misfits(system, &stored, definitions).await?;
    let mut specs = Vec::with_capacity(definitions.len());
    for definition in definitions {
        specs.push((spec_of(definition)?, TenantId(secrets::new_id(at)?)));
    }
    let applied = system.apply_tenants(&specs, at).await?;
    Ok(specs.into_iter().zip(applied).map(|((spec, _), applied)| (spec.slug, applied.change)).collect())
}

/// Rules whose settings their schema does not accept. A new tenant has no catalogue to ask yet.
async fn refuse_misfits(system: &SystemDb, stored: &[Tenant], definitions: &[Definition]) -> Result<(), ApplyError> {
    let mut mistakes = Vec::new();
    for definition in definitions {
        if let Some(known) = stored.iter().find(|tenant| tenant.spec.slug == definition.slug) {
            mistakes.extend(rules::misfits(&system.tenant_db(known.id), definition).await?);
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes).into()) }
}

fn spec_of(definition: &Definition) -> Result<TenantSpec, ApplyError> {
    let json = serde_json::to_string(definition).map_err(|e| ApplyError::Json(definition.slug.clone(), e))?;
    Ok(TenantSpec {
        slug: definition.slug.clone(),
        name: definition.name.clone(),
        status: definition.status,
        theme: definition.theme.clone(),
        definition: json,
        hosts: definition.hosts.clone(),
    })
}

/// Asked before the write, so that the sentence can name both tenants. Among those that are applied together a host may
/// pass from one to another.
fn refuse_taken_hosts(stored: &[Tenant], definitions: &[Definition]) -> Result<(), ApplyError> {
    let staying = stored.iter().filter(|tenant| definitions.iter().all(|d| d.slug != tenant.spec.slug));
    let owners: BTreeMap<&str, &Slug> =
        staying.flat_map(|t| t.spec.hosts.iter().map(|host| (host.as_str(), &t.spec.slug))).collect();
    let taken = definitions.iter().flat_map(|definition| &definition.host_places).filter_map(|(host, place)| {
        let what = format!("the host {host} belongs to tenant {}", owners.get(host.as_str())?);
        Some(mistake(place, what, "remove it there first, and apply that file too"))
    });
    let mistakes: Vec<Mistake> = taken.collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes).into()) }
}

fn mistake((file, line, column): &Place, what: String, remedy: &str) -> Mistake {
    Mistake { file: file.clone(), at: Some((*line, *column)), what, remedy: remedy.to_owned() }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
