//! Files of versions: what vendors put there, and what others may have of it.

use crate::{
    audit::{Act, Actor, Recorder},
    identity::{Operation, SignedIn},
    licensing::files::{Asks, EaFiles, Fetched, NewFile},
    problem::Problem,
};
use marque_domain::{id::EaFileId, time::Millis};
use marque_store::{EaFile, TenantDb, Whose};
use serde_json::{Value, json};

/// A link to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadLink {
    /// To which.
    pub file: EaFile,
    /// Its path at this site.
    pub path: String,
    /// Until when it works.
    pub until: Millis,
}

fn details(file: &EaFile) -> Value {
    let digest: String = file.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "version": file.version.to_string(), "name": file.name, "size": file.size, "sha256": digest })
}

/// Adds a file to a version.
///
/// # Errors
/// As [`EaFiles::put`].
pub async fn add_file(who: &SignedIn, files: &EaFiles, new: NewFile) -> Result<EaFile, Problem> {
    who.may(Operation::ManageEas)?;
    let file = files.put(who.db(), new, Some(who.user)).await?;
    who.audit(Act::EaFileAdded, file.id.to_string(), details(&file)).await?;
    Ok(file)
}

/// Removes a file of a version. Links to it end at once.
///
/// # Errors
/// As [`EaFiles::take_out`].
pub async fn remove_file(who: &SignedIn, files: &EaFiles, id: EaFileId) -> Result<EaFile, Problem> {
    who.may(Operation::ManageEas)?;
    let file = files.take_out(who.db(), id).await?;
    who.audit(Act::EaFileRemoved, file.id.to_string(), details(&file)).await?;
    Ok(file)
}

/// A link to a file that this person may have now.
///
/// # Errors
/// [`crate::problem::ProblemCode::NotFound`], [`crate::problem::ProblemCode::NotEntitled`],
/// [`crate::problem::ProblemCode::VersionWithdrawn`].
pub async fn download_link(who: &SignedIn, files: &EaFiles, id: EaFileId) -> Result<DownloadLink, Problem> {
    let manages = who.may(Operation::DownloadEaFile)? == Whose::Everyone;
    let (file, path, until) = files.link(who.db(), Asks { user: who.user, manages }, id).await?;
    Ok(DownloadLink { file, path, until })
}

/// What a link leads to. That somebody has it is recorded before they do.
///
/// # Errors
/// As [`EaFiles::by_link`].
pub async fn download(db: &TenantDb, recorder: &Recorder, files: &EaFiles, link: &str) -> Result<Fetched, Problem> {
    let fetched = files.by_link(db, link).await?;
    let actor = Actor::Person { id: fetched.user, name: fetched.email.clone() };
    let (target, about) = (fetched.file.id.to_string(), details(&fetched.file));
    recorder.record(db, actor, Act::EaFileDownloaded, target, about).await?;
    Ok(fetched)
}
