//! Data keys, and the sealed columns of other tables: of each its key and what is sealed, for whoever changes keys.

use super::TenantEntity;
use sea_orm::Value;

/// A table with one sealed column, in rows that one column besides the tenant names.
pub(crate) trait SealedEntity: TenantEntity {
    /// The column that names the row.
    const KEY: Self::Column;
    /// The sealed one.
    const SEALED: Self::Column;
    /// What names a row.
    type Key: sea_orm::TryGetable + Into<Value> + Into<crate::RowKey> + Send;
}

macro_rules! sealed {
    ($($module:ident: $key:ident: $type:ty, $sealed:ident;)*) => {
        $(impl SealedEntity for $module::Entity {
            const KEY: $module::Column = $module::Column::$key;
            const SEALED: $module::Column = $module::Column::$sealed;
            type Key = $type;
        })*
    };
}

entity!(data_keys, "data_keys", key { tenant_id: i64, version: i64 }, {
    wrapped: Vec<u8>, created_at: i64, completed_at: Option<i64>,
});
entity!(sealed_authenticators, "authenticators", key { tenant_id: i64, user_id: i64 }, { secret: Vec<u8> });
entity!(sealed_sso_connections, "sso_connections", key { tenant_id: i64, id: i64 }, { secret: Vec<u8> });
entity!(sealed_sso_attempts, "sso_attempts", key { tenant_id: i64, digest: Vec<u8> }, { secrets: Vec<u8> });
entity!(sealed_signing_keys, "signing_keys", key { tenant_id: i64, id: i64 }, { secret: Vec<u8> });
entity!(sealed_mails, "mails", key { tenant_id: i64, id: i64 }, { content: Vec<u8> });

entity!(sealed_licence_keys, "licence_keys", key { tenant_id: i64, id: i64 }, { secret: Vec<u8> });
entity!(sealed_licence_salts, "licence_salts", key { tenant_id: i64, id: i64 }, { salt: Vec<u8> });
entity!(sealed_ea_keys, "ea_keys", key { tenant_id: i64, id: i64 }, { secret: Vec<u8> });
entity!(sealed_ea_files, "ea_files", key { tenant_id: i64, id: i64 }, { data_key: Vec<u8> });

of_tenant!(sealed_licence_keys, sealed_licence_salts, sealed_ea_keys, sealed_ea_files);
of_tenant!(data_keys, sealed_authenticators, sealed_sso_connections, sealed_sso_attempts, sealed_mails);
of_tenant!(sealed_signing_keys);
sealed! {
    sealed_authenticators: UserId: i64, Secret;
    sealed_sso_connections: Id: i64, Secret;
    sealed_sso_attempts: Digest: Vec<u8>, Secrets;
    sealed_mails: Id: i64, Content;
    sealed_signing_keys: Id: i64, Secret;
    sealed_licence_keys: Id: i64, Secret;
    sealed_licence_salts: Id: i64, Salt;
    sealed_ea_keys: Id: i64, Secret;
    sealed_ea_files: Id: i64, DataKey;
}
