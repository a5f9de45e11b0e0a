//! Second factors: what somebody has besides what they know.

use crate::problem::Problem;
use marque_domain::{id::UserId, time::Millis};
use marque_store::TenantDb;

/// Whether `code` is one of this person's, unused. It is used up by this.
pub(super) async fn check(_db: &TenantDb, _user: UserId, _code: &str, _now: Millis) -> Result<bool, Problem> {
    Ok(false)
}
