//! What the store hands out that is not already a noun of the domain.

mod mail;
mod one_time;
mod sso;

pub use mail::{MailStatus, QueuedMail};
pub use one_time::OneTimeToken;
pub use sso::{SsoAttempt, SsoConnection, SsoIdentity};
mod factors;

pub use factors::{Authenticator, BackupCode, Passkey, SecondFactors};
mod audit;
mod backtest;
mod licensing;
mod registry;
mod running;
mod vault;

pub use audit::{AuditActor, AuditBatch, AuditEntry, AuditFilter, AuditHead, AuditRow, AuditSeal};
pub use backtest::{Backtest, BacktestReport, BacktestStatus, SigningKey};
pub use licensing::{
    EaFile, EaFileRefused, EaKey, EaProduct, EaVersion, LicenceChange, LicenceEvent, LicenceEventKind, LicenceImage,
    LicenceKeyRow, LicencePolicy, LicenceRow, LicenceSettings, LicenceTransfer, PolicyTerms, Seat, SeatReport,
    SeatSalt, SeatTaken, Usage,
};
pub use registry::{AuthorKey, Release};
pub use running::{
    DeploymentUsage, MeteredHour, NumberedDifference, PlanUsage, RunningBatch, ShadowReport, ShadowStep,
};
pub use vault::{DataKey, RowKey, SealedColumn, SealedRow};
mod access;
mod device;

pub use access::{Grant, GrantToken, NewGrantTokens, PersonalToken, Rotation};
pub use device::{MetDevice, SeenDevice};

use core::fmt;
use marque_domain::{
    account::{AccountStatus, AccountTerms},
    fixed::Money,
    id::{PluginId, SessionId, TenantId, UserId},
    plugin::{Channel, PluginDigest, PluginKind},
    tenant::{Slug, TenantStatus},
    time::Millis,
};

/// A text that must not reach a log: it shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Concealed(String);

impl Concealed {
    /// Conceals a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(concealed)")
    }
}

/// The SHA-256 of a session token. The token itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(concealed)")
    }
}

/// A tenant as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSpec {
    /// Its short name, by which it is found again.
    pub slug: Slug,
    /// What people read.
    pub name: String,
    /// Whether it is served.
    pub status: TenantStatus,
    /// The theme of its pages.
    pub theme: String,
    /// The whole of its file, normalised, as JSON.
    pub definition: String,
    /// Its host names, lower case and without port.
    pub hosts: Vec<String>,
}

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What its file says; the hosts are in alphabetical order.
    pub spec: TenantSpec,
    /// When it was first applied.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// A person at a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, as [`normalise_email`] writes it.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// The Argon2id hash of their password, in PHC format. Empty for who has none and comes by single sign-on.
    pub password_hash: Concealed,
    /// What they may do, such as `trader` or `owner`.
    pub role: String,
    /// When they joined.
    pub created_at: Millis,
    /// When they showed that mail to their address reaches them.
    pub email_verified_at: Option<Millis>,
    /// Whether they may sign in.
    pub status: UserStatus,
    /// The plan they are on, by its name in the tenant's file; none is the tenant's first.
    pub plan: Option<String>,
    /// Failed sign-ins since the last one that succeeded.
    pub failures: i64,
    /// When the last of them was.
    pub failed_at: Option<Millis>,
}

/// Whether a person may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// They may.
    Active,
    /// The tenant has shut them out; what they have stays.
    Suspended,
}

impl UserStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[Self::Active, Self::Suspended];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// The form in which an address is stored and compared: no outer spaces, lower case.
#[must_use]
pub fn normalise_email(address: &str) -> String {
    address.trim().to_lowercase()
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The hash of its token.
    pub token_hash: TokenHash,
    /// Who is signed in.
    pub user: UserId,
    /// The token that its forms must carry.
    pub csrf: Concealed,
    /// When it was opened.
    pub created_at: Millis,
    /// When it was last used.
    pub last_seen_at: Millis,
    /// When it ends.
    pub expires_at: Millis,
    /// The client's address when it was opened.
    pub address: String,
    /// The client's own name for itself.
    pub agent: String,
    /// How it was opened: `password`, `passkey` or `sso`.
    pub method: String,
    /// When the person last proved themselves in it.
    pub proved_at: Millis,
    /// The country of the address when it was opened, as ISO 3166-1 writes it; none when it is not known.
    pub country: Option<String>,
    /// The browser it was opened in, when that is known.
    pub device: Option<i64>,
}

/// A plugin to be put into a tenant's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPlugin {
    /// Its id, if it is new.
    pub id: PluginId,
    /// Its name, such as `ema-cross`.
    pub name: String,
    /// Its version, such as `1.0.0`.
    pub version: String,
    /// What it does.
    pub kind: PluginKind,
    /// Its component, which must be stored already.
    pub digest: PluginDigest,
    /// The component's size in bytes.
    pub size: u64,
    /// What its `describe` answered, as JSON.
    pub description: String,
}

/// A plugin in a tenant's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// What it is.
    pub plugin: NewPlugin,
    /// Through which channel it is offered.
    pub channel: Channel,
    /// Whether an author published it and the brand let it in; else the operator added it.
    pub published: bool,
    /// Whether it may be newly deployed.
    pub enabled: bool,
    /// When it entered the catalogue.
    pub created_at: Millis,
}

impl Plugin {
    /// Whether a brand whose file lists these names offers it: what was let in by approval needs no line there.
    #[must_use]
    pub fn is_offered(&self, listed: &[String]) -> bool {
        self.enabled && (self.published || listed.contains(&self.plugin.name))
    }
}

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What it was opened with; never changes.
    pub terms: AccountTerms,
    /// Closed balance: the sum of its cash postings.
    pub balance: Money,
    /// Whether it may trade.
    pub status: AccountStatus,
    /// When it was opened.
    pub opened_at: Millis,
}

/// A line that a deployed strategy logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedLine {
    /// Its number within the deployment.
    pub seq: i64,
    /// When, in market time.
    pub at: Millis,
    /// What it said.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?} {:?}", Concealed::new("hunter2".into()), TokenHash([7; 32]));
        assert_eq!(shown, "(concealed) (concealed)");
    }

    #[test]
    fn addresses_compare_without_case_or_spaces() {
        assert_eq!(normalise_email("  Trader@Aurora.Example "), "trader@aurora.example");
    }
}
