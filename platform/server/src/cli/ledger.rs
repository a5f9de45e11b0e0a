//! `marque ledger …`

use super::{CliError, open, tenant};
use crate::{config::Config, trading};
use marque_domain::tenant::Slug;
use std::io::Write;

pub(super) async fn verify(config: &Config, slug: Option<&Slug>, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let store = open(config).await?;
    let mut faults = 0;
    for (slug, db) in tenant::chosen(&store, slug).await? {
        let verdict =
            trading::verify_books(&db).await.map_err(|error| CliError::Shard(slug.clone(), error.to_string()))?;
        let total = verdict.faults_total;
        let state = if total == 0 { "add up" } else { "do NOT add up" };
        writeln!(out, "{slug}: {} transactions, {} accounts, they {state}", verdict.transactions, verdict.accounts)?;
        for fault in &verdict.faults {
            writeln!(out, "{slug}: {fault}")?;
        }
        let more = total.saturating_sub(u64::try_from(verdict.faults.len()).unwrap_or(u64::MAX));
        if more > 0 {
            writeln!(out, "{slug}: and {more} more")?;
        }
        faults += total;
    }
    if faults == 0 { Ok(()) } else { Err(CliError::LedgerBroken(faults)) }
}
