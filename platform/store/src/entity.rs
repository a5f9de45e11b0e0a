//! The tables as `sea_orm` sees them. Nothing outside this crate does.

use sea_orm::EntityTrait;

/// A table whose rows each belong to one tenant.
pub(crate) trait TenantEntity: EntityTrait {
    /// The column that says which.
    const TENANT: Self::Column;
}

/// A table of the platform itself.
pub(crate) trait SystemEntity: EntityTrait {}

/// A tenant's table whose rows each belong to one account and are listed by `id`.
pub(crate) trait AccountEntity: TenantEntity {
    /// The column that says which account.
    const ACCOUNT: Self::Column;
    /// The id within the tenant.
    const ID: Self::Column;
}

macro_rules! entity {
    ($module:ident, $table:literal, key { $($key:ident: $key_type:ty),* }, { $($column:ident: $type:ty),* $(,)? }) => {
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                $(#[sea_orm(primary_key, auto_increment = false)] pub $key: $key_type,)*
                $(pub $column: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

macro_rules! of_tenant {
    ($($module:ident),*) => {
        $(impl TenantEntity for $module::Entity {
            const TENANT: $module::Column = $module::Column::TenantId;
        })*
    };
}

macro_rules! of_account {
    ($($module:ident: $account:ident),*) => {
        $(impl AccountEntity for $module::Entity {
            const ACCOUNT: $module::Column = $module::Column::$account;
            const ID: $module::Column = $module::Column::Id;
        })*
    };
}

mod factors;

pub(crate) use factors::{authenticators, backup_codes, passkeys, proof_tries, spent_proofs};
mod audit;
mod licensing;
mod registry;
mod vault;

pub(crate) use audit::{audit_entries, audit_heads};
pub(crate) use licensing::{
    ea_files, ea_keys, ea_products, ea_versions, licence_activations, licence_events, licence_keys, licence_policies,
    licence_salts, licence_settings, licences, licensing_revisions,
};
pub(crate) use registry::{author_keys, plugin_releases};
pub(crate) use vault::{
    SealedEntity, data_keys, sealed_authenticators, sealed_ea_files, sealed_ea_keys, sealed_licence_keys,
    sealed_licence_salts, sealed_mails, sealed_signing_keys, sealed_sso_attempts, sealed_sso_connections,
};

entity!(tenants, "tenants", key { id: i64 }, {
    slug: String, name: String, status: String, theme: String, definition: String, created_at: i64, updated_at: i64,
});
entity!(tenant_hosts, "tenant_hosts", key { host: String }, { tenant_id: i64 });
entity!(plugin_artifacts, "plugin_artifacts", key { digest: Vec<u8> }, { bytes: Vec<u8> });

entity!(kill_requests, "kill_requests", key { id: i64 }, {
    only_tenant: Option<i64>, scope: String, act: String, reason: String, asked_at: i64, done_at: Option<i64>,
    refused: Option<String>,
});

impl SystemEntity for kill_requests::Entity {}
impl SystemEntity for tenants::Entity {}
impl SystemEntity for tenant_hosts::Entity {}
impl SystemEntity for plugin_artifacts::Entity {}

entity!(users, "users", key { tenant_id: i64, id: i64 }, {
    email: String, display_name: String, password_hash: String, role: String, created_at: i64,
    email_verified_at: Option<i64>, status: String, plan: Option<String>, failures: i64, failed_at: Option<i64>,
});
entity!(sessions, "sessions", key { tenant_id: i64, id: i64 }, {
    token_hash: Vec<u8>, user_id: i64, csrf: String, created_at: i64, last_seen_at: i64, expires_at: i64,
    address: String, agent: String, method: String, proved_at: i64, country: Option<String>, device_id: Option<i64>,
});
entity!(one_time_tokens, "one_time_tokens", key { tenant_id: i64, id: i64 }, {
    user_id: i64, kind: String, digest: Vec<u8>, data: String, attempts: i64, created_at: i64, expires_at: i64,
    used_at: Option<i64>,
});
entity!(mails, "mails", key { tenant_id: i64, id: i64 }, {
    kind: String, recipient: String, content: Vec<u8>, status: String, attempts: i64, next_attempt_at: i64,
    last_error: Option<String>, created_at: i64, sent_at: Option<i64>,
});
entity!(idempotency, "idempotency", key { tenant_id: i64, user_id: i64, key: String }, {
    request_hash: Vec<u8>, status: Option<i64>, body: Option<Vec<u8>>, created_at: i64,
});
entity!(plugins, "plugins", key { tenant_id: i64, id: i64 }, {
    name: String, version: String, kind: String, digest: Vec<u8>, size: i64, description: String, enabled: bool,
    created_at: i64, channel: String, published: bool,
});
entity!(accounts, "accounts", key { tenant_id: i64, id: i64 }, {
    user_id: i64, name: String, currency: String, initial_balance: i64, balance: i64, leverage: i64, status: String,
    status_reason: Option<String>, terms: String, opened_at: i64, updated_at: i64,
});
entity!(deployments, "deployments", key { tenant_id: i64, id: i64 }, {
    account_id: i64, plugin_name: String, digest: Vec<u8>, settings: String, instrument_id: i64, timeframe: String,
    status: String, status_reason: Option<String>, created_at: i64, updated_at: i64,
});
entity!(positions, "positions", key { tenant_id: i64, id: i64 }, {
    account_id: i64, deployment_id: Option<i64>, instrument_id: i64, side: String, lots: i64, open_price: i64,
    opened_at: i64, stop_loss: Option<i64>, take_profit: Option<i64>, closed_at: Option<i64>,
    close_price: Option<i64>, profit: Option<i64>, close_origin: Option<String>, closed_lots: i64, realised: i64,
    trail_distance: Option<i64>, trail_step: Option<i64>,
});
entity!(orders, "orders", key { tenant_id: i64, id: i64 }, {
    account_id: i64, deployment_id: Option<i64>, instrument_id: i64, side: String, lots: i64,
    closes_position_id: Option<i64>, origin: String, stop_loss: Option<i64>, take_profit: Option<i64>, state: String,
    fill_price: Option<i64>, reason: Option<String>, created_at: i64, updated_at: i64, kind: String,
    limit_price: Option<i64>, stop_price: Option<i64>, stop_distance: Option<i64>, stop_step: Option<i64>,
    time_in_force: String, expires_at: Option<i64>, trail_distance: Option<i64>, trail_step: Option<i64>,
    oco_order_id: Option<i64>, triggered: i64, filled: i64, closes_by_position_id: Option<i64>,
});
entity!(decisions, "decisions", key { tenant_id: i64, id: i64 }, {
    account_id: i64, deployment_id: Option<i64>, origin: String, at: i64, order_id: Option<i64>,
    denial: Option<String>, intent: String, answers: String, outcome: String,
});
entity!(equity_points, "equity_points", key { tenant_id: i64, account_id: i64, at: i64 }, {
    balance: i64, equity: i64,
});
entity!(deployment_logs, "deployment_logs", key { tenant_id: i64, deployment_id: i64, seq: i64 }, {
    at: i64, text: String,
});
entity!(ledger_transactions, "ledger_transactions", key { tenant_id: i64, id: i64 }, {
    account_id: i64, at: i64, kind: String, reference: i64, memo_reference: Option<String>, note: Option<String>,
});
entity!(ledger_postings, "ledger_postings", key { tenant_id: i64, transaction_id: i64, line: i64 }, {
    account_id: i64, book: String, amount: i64,
});
entity!(journal, "journal", key { tenant_id: i64, shard: i64, seq: i64 }, { at: i64, payload: Vec<u8> });
entity!(shard_marks, "shard_marks", key { tenant_id: i64, shard: i64 }, { seq: i64, mark: Vec<u8> });
entity!(shard_checkpoints, "shard_checkpoints", key { tenant_id: i64, shard: i64 }, { seq: i64, state: Vec<u8> });

mod sso;
pub(crate) use sso::{sso_attempts, sso_connections, sso_identities};
mod access;
mod backtest;
mod running;
pub(crate) use access::{api_grants, api_tokens, devices, personal_tokens};
pub(crate) use backtest::{backtest_reports, backtest_usage, backtests, signing_keys};
pub(crate) use running::{deployment_shadows, deployment_switches, deployment_usage, shadow_differences};

of_tenant!(
    users,
    sessions,
    idempotency,
    plugins,
    accounts,
    deployments,
    positions,
    orders,
    decisions,
    equity_points,
    deployment_logs,
    ledger_transactions,
    ledger_postings,
    journal,
    shard_marks,
    shard_checkpoints
);
of_account!(
    accounts: Id,
    deployments: AccountId,
    positions: AccountId,
    orders: AccountId,
    decisions: AccountId,
    ledger_transactions: AccountId
);
of_tenant!(one_time_tokens, mails);
