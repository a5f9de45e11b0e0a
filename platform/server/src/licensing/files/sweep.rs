//! Bytes without a row: what was cut off between the two, or could not be removed when its row was.

use super::EaFiles;
use crate::{objects::ObjectKey, problem::Problem};
use marque_domain::{
    id::EaFileId,
    time::{HOUR_MS, Millis},
};
use marque_store::TenantDb;

/// Bytes may be so old before a row must name them: long enough for any upload to end, and for clocks to differ.
const YOUNG_MS: i64 = 2 * HOUR_MS;
/// Files that the database is asked about at once.
const CHUNK: usize = 500;

impl EaFiles {
    /// Takes out a tenant's bytes that no row names and no upload can still be about to name. Answers how many.
    ///
    /// # Errors
    /// [`crate::problem::ProblemCode::Unavailable`]; what was taken out stays out.
    pub async fn sweep(&self, db: &TenantDb) -> Result<u64, Problem> {
        let old = self.0.clock.now().plus(-YOUNG_MS);
        let listed = self.0.objects.ea_files(db.tenant()).await?;
        let candidates = listed.into_iter().filter(|(_, at): &(EaFileId, Millis)| *at < old);
        let candidates: Vec<EaFileId> = candidates.map(|(id, _)| id).collect();
        let mut swept = 0;
        for chunk in candidates.chunks(CHUNK) {
            let known = db.known_ea_files(chunk).await?;
            for file in chunk.iter().filter(|id| !known.contains(id)) {
                self.0.objects.remove(ObjectKey { tenant: db.tenant(), file: *file }).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
