//! What licences are of: products, their versions, policies; and the keys that sign answers.

use super::TenantDb;
use crate::{
    codec,
    entity::{ea_keys, ea_products, ea_versions, licence_policies},
    error::StoreError,
    record::{EaKey, EaProduct, EaVersion, LicencePolicy},
    scope::TenantTx,
};
use marque_domain::{
    id::{EaVersionId, LicencePolicyId, ProductId},
    plugin::Channel,
    time::Millis,
};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

/// Products of a brand, versions and policies of a product, keys of a brand.
const LIST_MAX: u64 = 200;

impl TenantDb {
    /// The brand's products, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`]; so for everything here.
    pub async fn ea_products(&self) -> Result<Vec<EaProduct>, StoreError> {
        use ea_products::{Column as C, Entity};
        let rows = self.every(|tx| tx.find::<Entity>().order_by_asc(C::Id).limit(LIST_MAX)).await?;
        rows.into_iter().map(product).collect()
    }

    /// A product.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn ea_product(&self, id: ProductId) -> Result<EaProduct, StoreError> {
        use ea_products::{Column as C, Entity};
        let found = self.first(|tx| tx.find::<Entity>().filter(C::Id.eq(id.0))).await?;
        product(found.ok_or(StoreError::NotFound("product"))?)
    }

    /// Adds a product.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its code is taken or there are too many.
    pub async fn add_ea_product(&self, product: &EaProduct) -> Result<(), StoreError> {
        use ea_products::{Entity, Model};
        let tx = self.write().await?;
        if full(&tx.all(tx.find::<Entity>().limit(LIST_MAX)).await?) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a brand may have {LIST_MAX} products")));
        }
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: product.id.0,
            code: product.code.clone(),
            name: product.name.clone(),
            summary: product.summary.clone(),
            plans: codec::to_json("product", &product.plans)?,
            settings_schema: product.settings_schema.clone(),
            schema_version: product.schema_version,
            created_at: product.created_at.0,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.advance_licensing(true).await?;
        tx.commit().await
    }

    /// Changes what a product is called, which plans grant it, and its form of settings. Its code stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn change_ea_product(&self, product: &EaProduct) -> Result<(), StoreError> {
        use ea_products::{Column as C, Entity};
        let tx = self.write().await?;
        tx.advance_licensing(true).await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(product.id.0))
            .col_expr(C::Name, Expr::val(product.name.clone()))
            .col_expr(C::Summary, Expr::val(product.summary.clone()))
            .col_expr(C::Plans, Expr::val(codec::to_json("product", &product.plans)?))
            .col_expr(C::SettingsSchema, Expr::val(product.settings_schema.clone()))
            .col_expr(C::SchemaVersion, Expr::val(product.schema_version));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        if found { Ok(()) } else { Err(StoreError::NotFound("product")) }
    }

    /// The versions of a product, newest first.
    ///
    /// # Errors
    /// See [`TenantDb::ea_products`].
    pub async fn ea_versions(&self, product: ProductId) -> Result<Vec<EaVersion>, StoreError> {
        let tx = self.read().await?;
        let found = versions(&tx, product).await;
        tx.end().await;
        found
    }

    /// A version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn ea_version(&self, id: EaVersionId) -> Result<EaVersion, StoreError> {
        use ea_versions::{Column as C, Entity};
        let found = self.first(|tx| tx.find::<Entity>().filter(C::Id.eq(id.0))).await?;
        version(found.ok_or(StoreError::NotFound("version"))?)
    }

    /// Adds a version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is such a version or there are too many, [`StoreError::BrokenReference`] when
    /// there is no such product.
    pub async fn add_ea_version(&self, version: &EaVersion) -> Result<(), StoreError> {
        use ea_versions::{Column as C, Entity, Model};
        let tx = self.write().await?;
        let same = tx.find::<Entity>().filter(C::ProductId.eq(version.product.0)).limit(LIST_MAX);
        if full(&tx.all(same).await?) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a product may have {LIST_MAX} versions")));
        }
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: version.id.0,
            product_id: version.product.0,
            version: version.version.to_string(),
            channel: version.channel.name().to_owned(),
            changelog: version.changelog.clone(),
            created_at: version.created_at.0,
            yanked_at: version.yanked_at.map(|at| at.0),
            yank_reason: version.yank_reason.clone(),
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.advance_licensing(true).await?;
        tx.commit().await
    }

    /// Withdraws a version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] when it is withdrawn already.
    pub async fn yank_ea_version(&self, id: EaVersionId, reason: &str, at: Millis) -> Result<EaVersion, StoreError> {
        use ea_versions::{Column as C, Entity};
        let tx = self.write().await?;
        tx.advance_licensing(true).await?;
        let row = tx.one(tx.find::<Entity>().filter(C::Id.eq(id.0))).await?.ok_or(StoreError::NotFound("version"))?;
        if row.yanked_at.is_some() {
            return Err(StoreError::Conflict("the version is withdrawn already".to_owned()));
        }
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(id.0))
            .col_expr(C::YankedAt, Expr::val(at.0))
            .col_expr(C::YankReason, Expr::val(reason));
        tx.run_update(update).await?;
        tx.commit().await?;
        Ok(EaVersion { yanked_at: Some(at), yank_reason: reason.to_owned(), ..version(row)? })
    }

    /// The policies of a product, oldest first; of all products when none is named.
    ///
    /// # Errors
    /// See [`TenantDb::ea_products`].
    pub async fn licence_policies(&self, product: Option<ProductId>) -> Result<Vec<LicencePolicy>, StoreError> {
        use licence_policies::{Column as C, Entity};
        let rows = self.every(|tx| {
            let all = tx.find::<Entity>().order_by_asc(C::Id).limit(LIST_MAX);
            match product {
                Some(product) => all.filter(C::ProductId.eq(product.0)),
                None => all,
            }
        });
        rows.await?.into_iter().map(policy).collect()
    }

    /// A policy.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn licence_policy(&self, id: LicencePolicyId) -> Result<LicencePolicy, StoreError> {
        use licence_policies::{Column as C, Entity};
        let found = self.first(|tx| tx.find::<Entity>().filter(C::Id.eq(id.0))).await?;
        policy(found.ok_or(StoreError::NotFound("policy"))?)
    }

    /// Adds a policy.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the product has one of this name or there are too many;
    /// [`StoreError::BrokenReference`] when there is no such product.
    pub async fn add_licence_policy(&self, policy: &LicencePolicy) -> Result<(), StoreError> {
        use licence_policies::{Entity, Model};
        let tx = self.write().await?;
        if full(&tx.all(tx.find::<Entity>().limit(LIST_MAX)).await?) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a brand may have {LIST_MAX} policies")));
        }
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: policy.id.0,
            product_id: policy.product.0,
            name: policy.name.clone(),
            terms: codec::to_json("policy", &policy.terms)?,
            created_at: policy.created_at.0,
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Changes what a policy allows: for every licence under it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] besides.
    pub async fn change_licence_policy(&self, policy: &LicencePolicy) -> Result<(), StoreError> {
        use licence_policies::{Column as C, Entity};
        let tx = self.write().await?;
        tx.advance_licensing(true).await?;
        let update = tx
            .update::<Entity>()
            .filter(C::Id.eq(policy.id.0))
            .col_expr(C::Name, Expr::val(policy.name.clone()))
            .col_expr(C::Terms, Expr::val(codec::to_json("policy", &policy.terms)?));
        let found = tx.run_update(update).await? == 1;
        tx.commit().await?;
        if found { Ok(()) } else { Err(StoreError::NotFound("policy")) }
    }

    /// The keys that sign answers, newest first; those that are retired too.
    ///
    /// # Errors
    /// See [`TenantDb::ea_products`].
    pub async fn ea_keys(&self) -> Result<Vec<EaKey>, StoreError> {
        use ea_keys::{Column as C, Entity};
        let rows = self.every(|tx| tx.find::<Entity>().order_by_desc(C::Id).limit(LIST_MAX)).await?;
        Ok(rows.into_iter().map(key).collect())
    }

    /// Adds a key that signs answers. With `first`, only if there is none: of several at once one wins, and the caller
    /// reads what is stored.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this name or there are too many.
    pub async fn add_ea_key(&self, key: &EaKey, first: bool) -> Result<(), StoreError> {
        use ea_keys::{Entity, Model};
        let tx = self.write().await?;
        // Its lock makes those who come together wait for each other.
        tx.advance_licensing(true).await?;
        let there = tx.all(tx.find::<Entity>().limit(LIST_MAX)).await?;
        if first && !there.is_empty() {
            tx.end().await;
            return Ok(());
        }
        if full(&there) {
            tx.end().await;
            return Err(StoreError::Conflict(format!("a brand may have {LIST_MAX} keys, the retired ones included")));
        }
        let row = Model {
            tenant_id: tx.tenant_id(),
            id: key.id,
            name: key.name.clone(),
            public_key: key.public.clone(),
            secret: key.secret.clone(),
            created_at: key.created_at.0,
            retired_at: key.retired_at.map(|at| at.0),
        };
        tx.insert::<Entity>(vec![row], None).await?;
        tx.commit().await
    }

    /// Retires a key that signs answers, unless it is the only one that is good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it is retired or the only one.
    pub async fn retire_ea_key(&self, name: &str, at: Millis) -> Result<EaKey, StoreError> {
        use ea_keys::{Column as C, Entity};
        let tx = self.write().await?;
        tx.advance_licensing(true).await?;
        let good = tx.all(tx.find::<Entity>().filter(C::RetiredAt.is_null()).limit(LIST_MAX)).await?;
        let row = tx.one(tx.find::<Entity>().filter(C::Name.eq(name))).await?.ok_or(StoreError::NotFound("key"))?;
        if row.retired_at.is_some() {
            return Err(StoreError::Conflict("the key is retired already".to_owned()));
        }
        if good.len() < 2 {
            return Err(StoreError::Conflict("it is the only key that signs; make another first".to_owned()));
        }
        let update = tx.update::<Entity>().filter(C::Id.eq(row.id)).col_expr(C::RetiredAt, Expr::val(at.0));
        tx.run_update(update).await?;
        tx.commit().await?;
        Ok(EaKey { retired_at: Some(at), ..key(row) })
    }
}

fn full<T>(rows: &[T]) -> bool {
    u64::try_from(rows.len()).is_ok_and(|rows| rows >= LIST_MAX)
}

/// The versions of a product, newest first.
pub(super) async fn versions(tx: &TenantTx, of: ProductId) -> Result<Vec<EaVersion>, StoreError> {
    use ea_versions::{Column as C, Entity};
    let rows = tx.all(tx.find::<Entity>().filter(C::ProductId.eq(of.0)).limit(LIST_MAX)).await?;
    let mut found = rows.into_iter().map(version).collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|version| std::cmp::Reverse(version.version));
    Ok(found)
}

/// A product's row.
pub(super) fn product(row: ea_products::Model) -> Result<EaProduct, StoreError> {
    Ok(EaProduct {
        id: ProductId(row.id),
        code: row.code,
        name: row.name,
        summary: row.summary,
        plans: codec::from_json("product", &row.plans)?,
        settings_schema: row.settings_schema,
        schema_version: row.schema_version,
        created_at: Millis(row.created_at),
    })
}

/// A policy's row.
pub(super) fn policy(row: licence_policies::Model) -> Result<LicencePolicy, StoreError> {
    Ok(LicencePolicy {
        id: LicencePolicyId(row.id),
        product: ProductId(row.product_id),
        name: row.name,
        terms: codec::from_json("policy", &row.terms)?,
        created_at: Millis(row.created_at),
    })
}

fn version(row: ea_versions::Model) -> Result<EaVersion, StoreError> {
    let channel = Channel::ALL.into_iter().find(|channel| channel.name() == row.channel);
    Ok(EaVersion {
        id: EaVersionId(row.id),
        product: ProductId(row.product_id),
        version: row.version.parse().map_err(|fault| StoreError::corrupt("version", fault))?,
        channel: channel.ok_or_else(|| StoreError::corrupt("version", row.channel))?,
        changelog: row.changelog,
        created_at: Millis(row.created_at),
        yanked_at: row.yanked_at.map(Millis),
        yank_reason: row.yank_reason,
    })
}

fn key(row: ea_keys::Model) -> EaKey {
    EaKey {
        id: row.id,
        name: row.name,
        public: row.public_key,
        secret: row.secret,
        created_at: Millis(row.created_at),
        retired_at: row.retired_at.map(Millis),
    }
}
