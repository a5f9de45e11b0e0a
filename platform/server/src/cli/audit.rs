//! `marque audit …`

use super::{CliError, open, tenant};
use crate::{
    audit::{self, Noted},
    clock::Clock,
    config::Config,
    secrets::Vault,
};
use marque_domain::tenant::Slug;
use std::io::Write;

pub(super) async fn verify(
    config: &Config,
    clock: &Clock,
    slug: Option<&Slug>,
    noted: Option<&Noted>,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    let vault = Vault::open(config, clock.clone())?;
    let mut faults = 0;
    for (slug, db) in tenant::chosen(&store, slug).await? {
        let verdict = audit::verify(&db, &vault, noted).await?;
        let state = if verdict.faults_total == 0 { "whole" } else { "NOT whole" };
        let head = verdict.head.as_ref().map_or_else(|| "none".to_owned(), Noted::to_string);
        writeln!(out, "{slug}: {} entries, {state}, head {head}", verdict.entries)?;
        for fault in &verdict.faults {
            writeln!(out, "{slug}: {fault}")?;
        }
        let more = verdict.faults_total - u64::try_from(verdict.faults.len()).unwrap_or(u64::MAX);
        if more > 0 {
            writeln!(out, "{slug}: and {more} more")?;
        }
        faults += verdict.faults_total;
    }
    if faults == 0 { Ok(()) } else { Err(CliError::AuditBroken(faults)) }
}
