//! Why a command failed: one sentence and what to do.

use super::plugin::RegistryError;
use crate::{
    audit::AuditError,
    backtest::certificate::No,
    config::ConfigError,
    demo::DemoError,
    identity::PersonError,
    licensing::EaKeyError,
    plugins::workshop::{NewError, ScenarioError},
    problem::Problem,
    secrets::{MasterKeyError, NoRandomness, VaultError},
    serve::ServeError,
    signing::SigningError,
    tenants::{ApplyError, RuleError},
    theme::ThemeError,
};
use marque_domain::tenant::Slug;
use marque_market::{catalogue::CatalogueError, history::HistoryError, import::FileError};
use marque_pluginbuild::BuildError;
use marque_sandbox::{Refused, SandboxError, gate::GateError};
use marque_store::StoreError;
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Settings that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server could not start or go on.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The demo was not seeded.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Tenants were not applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The catalogue could not be asked about a tenant's rules.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// What is stored of a tenant cannot be read.
    #[error("the tenant {0} cannot be read: apply its file again with `marque tenant apply`")]
    Definition(Slug, #[source] serde_json::Error),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys of EAs could not be read or made.
    #[error(transparent)]
    EaKeys(#[from] EaKeyError),
    /// Keys of EAs were not changed.
    #[error("the keys were not changed: {0}")]
    EaKey(String),
    /// A person was not added.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The themes are broken.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The list of instruments is broken.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A recording was not imported.
    #[error(transparent)]
    Import(#[from] FileError),
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A plugin was not added.
    #[error("{path}: {problem}")]
    Plugin {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: Box<Problem>,
    },
    /// The gate could not examine a component.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A plugin's crate was not made.
    #[error(transparent)]
    NewPlugin(#[from] NewError),
    /// A plugin's crate was not built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A plugin's scenarios could not be run.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A brand was asked in vain.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The component is not what it should be.
    #[error("{path}: {refused}")]
    Component {
        /// Which.
        path: PathBuf,
        /// Why.
        refused: Box<Refused>,
    },
    /// Scenarios failed.
    #[error("{failed} of {all} scenarios failed: what each expected and what happened stands above")]
    ScenariosFailed {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// The gate does not accept the component.
    #[error("the gate does not accept this plugin: mend what is fatal above and run it again")]
    NotAccepted,
    /// A plugin could not be measured.
    #[error("it cannot be measured: {0}. Run `marque plugin check` first")]
    NotMeasured(String),
    /// There is no master key, or it cannot be used.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A tenant's keys cannot be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The audit log could not be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The audit log was tampered with.
    #[error(
        "the audit log has {0} faults: somebody changed it past this program. Keep the database as it is, and compare it with back-ups"
    )]
    AuditBroken(u64),
    /// A kill switch cannot be pressed without saying why.
    #[error("say why in --reason: 1 to {} characters on one line", marque_domain::kill::REASON_CHARS_MAX)]
    KillReason,
    /// A desk refused a kill switch.
    #[error("it was refused: {0}")]
    KillRefused(String),
    /// The books do not add up.
    #[error(
        "the books have {0} faults. Stop the server, keep the database as it is, and compare it with back-ups: no desk opens over books that do not add up"
    )]
    LedgerBroken(u64),
    /// What a shard remembers cannot be read.
    #[error("a shard of {0} cannot be read: {1}. Keep the database as it is, and compare it with back-ups")]
    Shard(Slug, String),
    /// Nothing secret can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// There is no such tenant.
    #[error("there is no tenant {slug}. There are: {known}. Add one with `marque tenant apply`")]
    NoTenant {
        /// What was asked for.
        slug: Slug,
        /// What there is.
        known: String,
    },
    /// There is no such instrument.
    #[error("there is no instrument {symbol}. There are: {known}")]
    NoInstrument {
        /// What was asked for.
        symbol: String,
        /// What there is.
        known: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder cannot be made.
    #[error("cannot make the folder {path}: {source}. Set data_dir (MARQUE_DATA_DIR) to a folder that may be written")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}. Choose another place, or free some space")]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A backtest has no result.
    #[error("{0}")]
    Backtest(String),
    /// A certificate could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A certificate does not hold.
    #[error("no: {0}")]
    NotVerified(No),
    /// What is asked for is not in this program yet.
    #[error("{0}")]
    Unavailable(&'static str),
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

impl CliError {
    /// The exit code: 2 for what was asked wrongly, 1 for what went wrong.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(ConfigError::NoDatabase(_)) => 1,
            Self::Config(_) => 2,
            _ => 1,
        }
    }

    /// Whether only the reader of the output went away, as `head` does.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
