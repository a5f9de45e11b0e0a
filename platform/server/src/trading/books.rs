//! Whether a tenant's books add up and its shard remembers them as they are. Asked at start-up and by `marque ledger verify`.

use super::commit::SHARD;
use marque_domain::ledger::reconcile::{FAULTS_MAX, LedgerAudit, LedgerFault};
use marque_engine::{Record, state::State};
use marque_store::{ShardImage, StoreError, TenantDb};

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
    Ok(compared(audit, &fold(&image)?))
}

/// The state that a shard's rows fold to.
pub(super) fn fold(image: &ShardImage) -> Result<State, postcard::Error> {
    let mut state: State = match &image.checkpoint {
        Some((_, bytes)) => postcard::from_bytes(bytes)?,
        None => State::default(),
    };
    for entry in &image.tail {
        let records: Vec<Record> = postcard::from_bytes(&entry.records)?;
        records.iter().for_each(|record| state.apply(record));
    }
    Ok(state)
}

/// The audit, with what the shard remembers otherwise.
pub(super) fn compared(mut audit: LedgerAudit, state: &State) -> LedgerAudit {
    let faults: Vec<LedgerFault> = audit.against(state.accounts.iter().map(|(id, account)| (*id, account.balance)));
    audit.faults_total += u64::try_from(faults.len()).unwrap_or(u64::MAX);
    audit.faults.extend(faults);
    audit.faults.truncate(FAULTS_MAX);
    audit
}
