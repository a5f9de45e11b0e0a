//! Files of Expert Advisors: what they are. Their bytes lie in the object store.

use super::TenantDb;
use crate::{
    entity::ea_files::{Column as C, Entity, Model},
    error::StoreError,
    record::{EaFile, EaFileRefused},
};
use marque_domain::{
    id::{EaFileId, EaVersionId, ProductId, UserId},
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, sea_query::ExprTrait as _};
use std::collections::BTreeSet;

/// Files of one version.
pub const EA_FILES_MAX: u64 = 20;
/// Files of one product that a list shows: those of its two hundred versions.
const OF_PRODUCT_MAX: u64 = 200 * EA_FILES_MAX;

impl TenantDb {
    /// The files of a version, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`]; so for everything here.
    pub async fn ea_files(&self, version: EaVersionId) -> Result<Vec<EaFile>, StoreError> {
        let rows = self
            .every(|tx| tx.find::<Entity>().filter(C::VersionId.eq(version.0)).order_by_asc(C::Id).limit(EA_FILES_MAX));
        rows.await?.into_iter().map(decode).collect()
    }

    /// The files of every version of a product, oldest first.
    ///
    /// # Errors
    /// See [`TenantDb::ea_files`].
    pub async fn ea_files_of(&self, product: ProductId) -> Result<Vec<EaFile>, StoreError> {
        use crate::entity::ea_versions;
        let rows = self.every(|tx| {
            let versions = tx.find::<ea_versions::Entity>().filter(ea_versions::Column::ProductId.eq(product.0));
            let versions = versions.select_only().column(ea_versions::Column::Id).into_query();
            let files = tx.find::<Entity>().filter(C::VersionId.in_subquery(versions));
            files.order_by_asc(C::Id).limit(OF_PRODUCT_MAX)
        });
        rows.await?.into_iter().map(decode).collect()
    }

    /// A file.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn ea_file(&self, id: EaFileId) -> Result<EaFile, StoreError> {
        let found = self.first(|tx| tx.find::<Entity>().filter(C::Id.eq(id.0))).await?;
        decode(found.ok_or(StoreError::NotFound("file"))?)
    }

    /// Which of these files there are.
    ///
    /// # Errors
    /// See [`TenantDb::ea_files`].
    pub async fn known_ea_files(&self, ids: &[EaFileId]) -> Result<BTreeSet<EaFileId>, StoreError> {
        let asked: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let rows = self.every(|tx| tx.find::<Entity>().filter(C::Id.is_in(asked))).await?;
        Ok(rows.into_iter().map(|row| EaFileId(row.id)).collect())
    }

    /// Adds a file, unless its name is taken, its version has as many as it may, or the brand's files together would
    /// take more than `bytes_max`.
    ///
    /// # Errors
    /// [`StoreError::BrokenReference`] when there is no such version.
    pub async fn add_ea_file(&self, file: &EaFile, bytes_max: i64) -> Result<Result<(), EaFileRefused>, StoreError> {
        let tx = self.write().await?;
        // Its lock makes those who come together wait for each other, so that no two pass the same limit.
        tx.advance_licensing(false).await?;
        let same = tx.all(tx.find::<Entity>().filter(C::VersionId.eq(file.version.0)).limit(EA_FILES_MAX)).await?;
        // A sum has another type on each database; a cast makes them alike.
        let sum = tx.find::<Entity>().select_only().expr(C::Size.sum().cast_as("BIGINT"));
        let taken = tx.tuples::<_, (Option<i64>,)>(sum).await?.into_iter().find_map(|(sum,)| sum).unwrap_or(0);
        let refused = if same.iter().any(|row| row.name == file.name) {
            Some(EaFileRefused::NameTaken)
        } else if u64::try_from(same.len()).is_ok_and(|files| files >= EA_FILES_MAX) {
            Some(EaFileRefused::TooMany)
        } else {
            (taken.saturating_add(file.size) > bytes_max).then_some(EaFileRefused::NoRoom)
        };
        if let Some(refused) = refused {
            tx.end().await;
            return Ok(Err(refused));
        }
        let row = encode(tx.tenant_id(), file);
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Takes a file out. From then on nobody gets it, whether or not its bytes are still there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn remove_ea_file(&self, id: EaFileId) -> Result<EaFile, StoreError> {
        let tx = self.write().await?;
        let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("file"))?;
        tx.run_delete(tx.delete::<Entity>().filter(C::Id.eq(id.0))).await?;
        tx.commit().await?;
        decode(row)
    }
}

fn decode(row: Model) -> Result<EaFile, StoreError> {
    let digest = <[u8; 32]>::try_from(row.digest);
    Ok(EaFile {
        id: EaFileId(row.id),
        version: EaVersionId(row.version_id),
        name: row.name,
        size: row.size,
        digest: digest.map_err(|_| StoreError::corrupt("file", "its digest is not 32 bytes"))?,
        data_key: row.data_key,
        uploaded_by: row.uploaded_by.map(UserId),
        uploaded_at: Millis(row.uploaded_at),
    })
}

fn encode(tenant_id: i64, file: &EaFile) -> Model {
    Model {
        tenant_id,
        id: file.id.0,
        version_id: file.version.0,
        name: file.name.clone(),
        size: file.size,
        digest: file.digest.to_vec(),
        data_key: file.data_key.clone(),
        uploaded_by: file.uploaded_by.map(|user| user.0),
        uploaded_at: file.uploaded_at.0,
    }
}
