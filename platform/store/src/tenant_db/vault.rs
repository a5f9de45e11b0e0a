//! Data keys, and what is sealed under them.

use super::TenantDb;
use crate::{
    audit,
    entity::{
        SealedEntity, data_keys, sealed_authenticators, sealed_ea_files, sealed_ea_keys, sealed_licence_keys,
        sealed_licence_salts, sealed_mails, sealed_signing_keys, sealed_sso_attempts, sealed_sso_connections,
    },
    error::StoreError,
    record::{AuditSeal, DataKey, RowKey, SealedColumn, SealedRow},
    scope::TenantTx,
};
use marque_domain::time::Millis;
use sea_orm::{
    ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Value,
    sea_query::{Expr, OnConflict},
};

/// Sealed rows in one page at most.
const SEALED_PAGE_MAX: u64 = 200;

impl TenantDb {
    /// The tenant's keys, by version.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn data_keys(&self) -> Result<Vec<DataKey>, StoreError> {
        let rows = self.every(|tx| tx.find::<data_keys::Entity>().order_by_asc(data_keys::Column::Version)).await?;
        rows.into_iter().map(decode).collect()
    }

    /// Stores the tenant's first keys and begins its audit log. Of several at once one wins: read what is stored.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_keys(&self, keys: &[DataKey], seal: &dyn AuditSeal) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let rows: Vec<data_keys::Model> = keys.iter().map(|key| encode(&tx, key)).collect();
        let (count, keep) = (rows.len(), on_version().do_nothing().to_owned());
        let written = tx.insert::<data_keys::Entity>(rows, Some(keep)).await?;
        if usize::try_from(written) == Ok(count) {
            audit::begin(&tx, seal).await?;
            return tx.commit().await;
        }
        // Somebody else's are there. Half of ours beside theirs would be of no use to anybody.
        tx.end().await;
        Ok(())
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of that version, [`StoreError::Unavailable`].
    pub async fn add_data_key(&self, key: &DataKey) -> Result<(), StoreError> {
        let tx = self.write().await?;
        let row = encode(&tx, key);
        tx.insert::<data_keys::Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Notes that everything is sealed under a key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn complete_data_key(&self, version: u32, at: Millis) -> Result<(), StoreError> {
        use data_keys::{Column as C, Entity};
        let tx = self.write().await?;
        let update = tx.update::<Entity>().filter(C::Version.eq(i64::from(version)));
        tx.run_update(update.col_expr(C::CompletedAt, Expr::val(at.0))).await?;
        tx.commit().await
    }

    /// Replaces a key's wrapping, if it is still what it was. Answers whether it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rewrap_data_key(&self, version: u32, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
        use data_keys::{Column as C, Entity};
        let tx = self.write().await?;
        let update =
            tx.update::<Entity>().filter(C::Version.eq(i64::from(version))).filter(C::Wrapped.eq(old.to_vec()));
        let changed = tx.run_update(update.col_expr(C::Wrapped, Expr::val(new.to_vec()))).await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Removes a key. What is sealed under it is lost.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_data_key(&self, version: u32) -> Result<(), StoreError> {
        use data_keys::{Column as C, Entity};
        let tx = self.write().await?;
        tx.run_delete(tx.delete::<Entity>().filter(C::Version.eq(i64::from(version)))).await?;
        tx.commit().await
    }

    /// A page of a sealed column, in the order of its rows' keys, after `after`. Empty values are left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sealed(&self, column: SealedColumn, after: Option<&RowKey>) -> Result<Vec<SealedRow>, StoreError> {
        let tx = self.read().await?;
        let rows = match column {
            SealedColumn::Authenticators => page::<sealed_authenticators::Entity>(&tx, after).await?,
            SealedColumn::SsoConnections => page::<sealed_sso_connections::Entity>(&tx, after).await?,
            SealedColumn::SsoAttempts => page::<sealed_sso_attempts::Entity>(&tx, after).await?,
            SealedColumn::Mails => page::<sealed_mails::Entity>(&tx, after).await?,
            SealedColumn::SigningKeys => page::<sealed_signing_keys::Entity>(&tx, after).await?,
            SealedColumn::LicenceKeys => page::<sealed_licence_keys::Entity>(&tx, after).await?,
            SealedColumn::LicenceSalts => page::<sealed_licence_salts::Entity>(&tx, after).await?,
            SealedColumn::EaKeys => page::<sealed_ea_keys::Entity>(&tx, after).await?,
            SealedColumn::EaFiles => page::<sealed_ea_files::Entity>(&tx, after).await?,
        };
        tx.end().await;
        Ok(rows)
    }

    /// Puts newly sealed values in the place of old ones, in one transaction. A row that has changed in the meantime is
    /// left as it is. Answers how many were changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn reseal(&self, column: SealedColumn, rows: &[(SealedRow, Vec<u8>)]) -> Result<u64, StoreError> {
        let tx = self.write().await?;
        let mut changed = 0;
        for (old, new) in rows {
            changed += match column {
                SealedColumn::Authenticators => swap::<sealed_authenticators::Entity>(&tx, old, new).await?,
                SealedColumn::SsoConnections => swap::<sealed_sso_connections::Entity>(&tx, old, new).await?,
                SealedColumn::SsoAttempts => swap::<sealed_sso_attempts::Entity>(&tx, old, new).await?,
                SealedColumn::Mails => swap::<sealed_mails::Entity>(&tx, old, new).await?,
                SealedColumn::SigningKeys => swap::<sealed_signing_keys::Entity>(&tx, old, new).await?,
                SealedColumn::LicenceKeys => swap::<sealed_licence_keys::Entity>(&tx, old, new).await?,
                SealedColumn::LicenceSalts => swap::<sealed_licence_salts::Entity>(&tx, old, new).await?,
                SealedColumn::EaKeys => swap::<sealed_ea_keys::Entity>(&tx, old, new).await?,
                SealedColumn::EaFiles => swap::<sealed_ea_files::Entity>(&tx, old, new).await?,
            };
        }
        tx.commit().await?;
        Ok(changed)
    }
}

impl From<&RowKey> for Value {
    fn from(key: &RowKey) -> Self {
        match key {
            RowKey::Id(id) => (*id).into(),
            RowKey::Digest(digest) => digest.clone().into(),
        }
    }
}

async fn page<E: SealedEntity>(tx: &TenantTx, after: Option<&RowKey>) -> Result<Vec<SealedRow>, StoreError> {
    let mut rows = tx.find::<E>().filter(E::SEALED.ne(Vec::<u8>::new()));
    if let Some(after) = after {
        rows = rows.filter(E::KEY.gt(Value::from(after)));
    }
    let rows = rows.order_by_asc(E::KEY).limit(SEALED_PAGE_MAX).select_only().column(E::KEY).column(E::SEALED);
    let rows = tx.tuples::<_, (E::Key, Vec<u8>)>(rows).await?;
    Ok(rows.into_iter().map(|(key, sealed)| SealedRow { key: key.into(), sealed }).collect())
}

async fn swap<E: SealedEntity>(tx: &TenantTx, old: &SealedRow, new: &[u8]) -> Result<u64, StoreError> {
    let row = tx.update::<E>().filter(E::KEY.eq(Value::from(&old.key))).filter(E::SEALED.eq(old.sealed.clone()));
    tx.run_update(row.col_expr(E::SEALED, Expr::val(new.to_vec()))).await
}

fn on_version() -> OnConflict {
    OnConflict::columns([data_keys::Column::TenantId, data_keys::Column::Version])
}

fn decode(row: data_keys::Model) -> Result<DataKey, StoreError> {
    Ok(DataKey {
        version: u32::try_from(row.version).map_err(|fault| StoreError::corrupt("data key", fault))?,
        wrapped: row.wrapped,
        created_at: Millis(row.created_at),
        completed_at: row.completed_at.map(Millis),
    })
}

fn encode(tx: &TenantTx, key: &DataKey) -> data_keys::Model {
    data_keys::Model {
        tenant_id: tx.tenant_id(),
        version: i64::from(key.version),
        wrapped: key.wrapped.clone(),
        created_at: key.created_at.0,
        completed_at: key.completed_at.map(|at| at.0),
    }
}
