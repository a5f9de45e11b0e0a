//! Whether a tenant's books add up and its shard remembers them as they are. Asked at start-up and by `marque ledger verify`.

use super::commit::{Recovered, SHARD};
use marque_domain::ledger::reconcile::{FAULTS_MAX, LedgerAudit, LedgerFault};
use marque_engine::state::State;
use marque_store::{StoreError, TenantDb};

/// Why books could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal cannot be decoded.
    #[error("the journal cannot be decoded: {0}")]
    Encoding(#[from] postcard::Error),
}

/// Adds a tenant's books up, from single postings and from its shard's journal.
///
/// # Errors
/// [`BooksError`].
pub async fn verify_books(db: &TenantDb) -> Result<LedgerAudit, BooksError> {
    let (audit, image) = db.audit_books(SHARD).await?;
    Ok(compared(audit, &Recovered::from(&image)?.state))
}

/// The audit, with what the shard remembers otherwise.
pub(super) fn compared(mut audit: LedgerAudit, state: &State) -> LedgerAudit {
    let faults: Vec<LedgerFault> = audit.against(state.accounts.iter().map(|(id, account)| (*id, account.balance)));
    audit.faults_total += u64::try_from(faults.len()).unwrap_or(u64::MAX);
    audit.faults.extend(faults);
    audit.faults.truncate(FAULTS_MAX);
    audit
}
