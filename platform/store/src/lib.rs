//! Everything that is kept: tenants, people, plugins, accounts, orders, books and the shards' journals.
//!
//! Owns: the connection to SQLite or PostgreSQL, transactions, and the rule that nothing is read or written
//! without a tenant. [`TenantDb`] is the only way to a tenant's rows and comes only from [`SystemDb`], whose uses
//! are logged with a reason. This is the only room that names `sea_orm`; its entities are private.
//!
//! Refuses to know: what an order may do, who may see what, clocks and randomness. Ids and times come in.
//!
//! A tenant is kept apart twice. Every query is made in `scope`, which adds the tenant; clippy bans the raw
//! finders elsewhere. Below that, keys and references carry the tenant, and PostgreSQL enforces row-level security
//! on a role that cannot bypass it: [`Store::connect`] refuses any other role.

#![warn(clippy::indexing_slicing)]

mod audit;
mod codec;
mod commit;
mod connect;
mod entity;
mod error;
mod keys;
mod kills;
mod page;
mod record;
mod scope;
mod shard;
mod system;
mod tenant_db;
mod together;

pub use commit::{CommitBatch, DIFFERENCES_KEPT, LOG_LINES_KEPT, LogLine, PreparedCommit, SWITCHES_KEPT};
pub use connect::{Store, migrate};
pub use error::StoreError;
pub use kills::{KillAct, KillRequest};
pub use page::{PAGE_MAX, Page, Paged, Whose};
pub use record::{
    Account, Concealed, LoggedLine, MailStatus, NewPlugin, OneTimeToken, Plugin, QueuedMail, Session, Tenant,
    TenantSpec, TokenHash, User, UserStatus, normalise_email,
};
pub use record::{
    AuditActor, AuditBatch, AuditEntry, AuditFilter, AuditHead, AuditRow, AuditSeal, DataKey, RowKey, SealedColumn,
    SealedRow,
};
pub use record::{Authenticator, BackupCode, Passkey, SecondFactors};
pub use record::{AuthorKey, Release};
pub use record::{Backtest, BacktestReport, BacktestStatus, SigningKey};
pub use record::{DeploymentUsage, MeteredHour, NumberedDifference, PlanUsage, RunningBatch, ShadowReport, ShadowStep};
pub use record::{
    EaFile, EaFileRefused, EaKey, EaProduct, EaVersion, LicenceChange, LicenceEvent, LicenceEventKind, LicenceImage,
    LicenceKeyRow, LicencePolicy, LicenceRow, LicenceSettings, LicenceTransfer, PolicyTerms, Seat, SeatReport,
    SeatSalt, SeatTaken, Usage,
};
pub use record::{Grant, GrantToken, MetDevice, NewGrantTokens, PersonalToken, Rotation, SeenDevice};
pub use record::{SsoAttempt, SsoConnection, SsoIdentity};
pub use shard::{JournalEntry, ShardImage};
pub use system::{Applied, Change, SystemDb};
pub use tenant_db::{
    AUDIT_PAGE_MAX, BACKTEST_ATTEMPTS_MAX, BACKTESTS_UNFINISHED_MAX, EQUITY_PAGE_MAX, KeyUse, MAILS_QUEUED_MAX,
    PeopleFilter, Registered, STATEMENT_PAGE_MAX, Standing, StatementLine, TOKENS_OF_A_KIND_MAX, TenantDb,
};
pub use tenant_db::{AUTHOR_KEYS_MAX, RELEASES_MAX, RELEASES_PENDING_MAX};
pub use tenant_db::{EA_FILES_MAX, EVENTS_PAGE_MAX, LicenceFilter, SEATS_KEPT_MAX};
pub use tenant_db::{PASSKEYS_MAX, USAGE_LIST_MAX};
pub use tenant_db::{SESSIONS_MAX, SSO_IDENTITIES_MAX, SSO_LIST_MAX, Unlinked};
