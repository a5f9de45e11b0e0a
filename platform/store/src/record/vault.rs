//! Keys and sealed values as they are stored. What they hold can only be read by who has the platform's key.

use core::fmt;
use marque_domain::time::Millis;

/// A tenant's key, wrapped by the platform's. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey {
    /// 0 makes MACs; from 1 on they seal.
    pub version: u32,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// When everything was sealed under it; none while a rotation to it is under way.
    pub completed_at: Option<Millis>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, concealed)", self.version)
    }
}

/// A column whose values are sealed. All of them stand here: what does not is lost when keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealedColumn {
    /// The secrets of apps that make sign-in codes, by person.
    Authenticators,
    /// Client secrets of single sign-on, by connection.
    SsoConnections,
    /// Nonce and verifier of somebody who is at an issuer, by the digest of the state.
    SsoAttempts,
    /// Content of mail, by mail; empty once it was sent.
    Mails,
    /// Keys that a brand signs with, by key.
    SigningKeys,
    /// Licence keys, by the number of their row.
    LicenceKeys,
    /// The server's half of activations' keys, by the number of their row.
    LicenceSalts,
    /// Keys that sign answers to EAs, by key.
    EaKeys,
    /// Keys that files of EAs are sealed with, by file; empty for one that lies open.
    EaFiles,
}

impl SealedColumn {
    /// Every sealed column.
    pub const ALL: &'static [Self] = &[
        Self::Authenticators,
        Self::SsoConnections,
        Self::SsoAttempts,
        Self::Mails,
        Self::SigningKeys,
        Self::LicenceKeys,
        Self::LicenceSalts,
        Self::EaKeys,
        Self::EaFiles,
    ];

    /// The table's name.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Authenticators => "authenticators",
            Self::SsoConnections => "sso_connections",
            Self::SsoAttempts => "sso_attempts",
            Self::Mails => "mails",
            Self::SigningKeys => "signing_keys",
            Self::LicenceKeys => "licence_keys",
            Self::LicenceSalts => "licence_salts",
            Self::EaKeys => "ea_keys",
            Self::EaFiles => "ea_files",
        }
    }

    /// The column's name.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Authenticators | Self::SsoConnections | Self::SigningKeys | Self::LicenceKeys | Self::EaKeys => {
                "secret"
            }
            Self::LicenceSalts => "salt",
            Self::SsoAttempts => "secrets",
            Self::Mails => "content",
            Self::EaFiles => "data_key",
        }
    }
}

/// What names a row within its tenant and table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A number.
    Id(i64),
    /// A digest.
    Digest(Vec<u8>),
}

impl From<i64> for RowKey {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

impl From<Vec<u8>> for RowKey {
    fn from(digest: Vec<u8>) -> Self {
        Self::Digest(digest)
    }
}

impl From<[u8; 32]> for RowKey {
    fn from(digest: [u8; 32]) -> Self {
        Self::Digest(digest.to_vec())
    }
}

/// A sealed value and where it lies.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Which row.
    pub key: RowKey,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRow({:?}, concealed)", self.key)
    }
}
