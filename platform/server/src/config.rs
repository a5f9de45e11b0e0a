//! The server's settings: defaults, then a file, then the environment, each able to change what came before.
//!
//! Owns: names, defaults and ranges. `defaults.toml` beside this file *is* the defaults, so that what
//! `marque config` prints cannot differ from what runs. Refuses to know what the settings do.

mod check;
mod source;

use crate::{
    outbound::Reach,
    secrets::{MasterSource, Secret},
};
use core::net::SocketAddr;
use figment::{
    Figment,
    providers::{Format as _, Toml},
};
use ipnet::IpNet;
use serde::Deserialize;
use source::{Named, Variable, explain};
use std::path::{Path, PathBuf};

/// The commented defaults.
pub const DEFAULTS: &str = include_str!("defaults.toml");
/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "marque.toml";

/// All settings. What each means stands in `defaults.toml`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where everything is kept that the server writes.
    pub data_dir: PathBuf,
    /// Empty means `compiled` in `data_dir`; see [`Config::compiled_dir`].
    compiled_dir: String,
    /// Where `<slug>/tenant.toml` are.
    pub tenants_dir: PathBuf,
    /// Empty means SQLite in `data_dir`; see [`Config::database`].
    database_url: Secret,
    /// Empty means `database_url`; see [`Config::database_admin`].
    database_admin_url: Secret,
    /// Whether the outbound client may also ask this machine, over http too. For tests only.
    pub outbound_allow_loopback: bool,
    /// Empty means that limits are counted in this process; see [`Config::redis`].
    redis_url: Secret,
    /// Whom to tell of a hole in this server; empty for nobody.
    pub security_contact: String,
    /// Empty means `master_key_file`.
    master_key: Secret,
    /// Empty means `master.key` in `data_dir`.
    master_key_file: String,
    /// Empty means files in `data_dir`; see [`Config::objects`].
    object_store: String,
    /// How S3 is reached, when `object_store` names it.
    s3: S3Settings,
    /// Whose forwarded headers count.
    pub proxies: Proxies,
    /// Where prices come from.
    pub feed: Feed,
    /// What is logged.
    pub log: Log,
    /// How mail is sent.
    pub mail: MailSettings,
    /// How long people stay signed in.
    pub sessions: Sessions,
    /// A limit on everything.
    pub limits: Limits,
}

/// Whose forwarded headers count.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxies {
    /// Networks of the proxies in front.
    pub trusted: Vec<IpNet>,
    /// Which headers they set.
    pub headers: ForwardedHeaders,
    /// Whether who comes by http is sent to https.
    pub https_only: bool,
}

/// Which headers the proxies set. Only one kind: a proxy that sets one often passes a client's other through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Host`, `X-Forwarded-Proto`.
    XForwarded,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Which feed.
    pub kind: FeedKind,
    /// The instruments in it.
    pub symbols: Vec<String>,
    /// Seconds of market time in one second; 0 means as fast as possible.
    pub speed: f64,
    /// Whether a replay starts again at its end.
    pub repeat: bool,
    /// The synthetic market's seed.
    pub seed: u64,
}

/// Which feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedKind {
    /// A seeded random walk.
    Synthetic,
    /// Imported history.
    Replay,
}

/// How S3 is reached.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Settings {
    endpoint: String,
    region: String,
    access_key_id: Secret,
    secret_access_key: Secret,
}

/// Where large things lie.
#[derive(Clone)]
pub enum ObjectPlace {
    /// In files below this folder.
    Folder(PathBuf),
    /// On S3.
    S3(S3Place),
}

/// A bucket of S3, and how it is reached.
#[derive(Clone)]
pub struct S3Place {
    /// Its name.
    pub bucket: String,
    /// What stands before all keys; may be empty.
    pub prefix: String,
    /// The server; none is Amazon's own.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The name of the access key.
    pub access_key_id: Secret,
    /// The access key.
    pub secret_access_key: Secret,
}

/// How mail is sent.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The mail server; empty writes mails as files.
    pub smtp_url: Secret,
    /// The sender of tenants that name none; empty is `no-reply` at their first host.
    pub from: String,
}

/// What is logged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// An `EnvFilter` directive.
    pub filter: String,
}

/// How long people stay signed in.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Hours without a request.
    pub idle_h: u32,
    /// Days in any case.
    pub absolute_d: u32,
}

/// A limit on everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest body of a request.
    pub body_bytes: u32,
    /// The largest body of an upload.
    pub upload_bytes: u32,
    /// Connections at once.
    pub connections: u32,
    /// Seconds for a body to arrive.
    pub body_s: u32,
    /// Seconds for an answer to begin.
    pub request_s: u32,
    /// Seconds without a byte after which a connection is closed.
    pub idle_s: u32,
    /// Seconds that requests under way have to finish when the server stops.
    pub shutdown_s: u32,
    /// Hosts kept in memory.
    pub hosts: u32,
    /// Seconds a known host is remembered.
    pub host_known_s: u32,
    /// Seconds an unknown host is remembered.
    pub host_unknown_s: u32,
    /// Password checks at once.
    pub passwords: u32,
    /// Password checks that may wait.
    pub password_queue: u32,
    /// Memory of one password check, in KiB.
    pub password_memory_kib: u32,
    /// Passes of one password check over its memory.
    pub password_passes: u32,
    /// Failed sign-ins of one e-mail from one address before it must wait.
    pub sign_in_attempts: u32,
    /// Seconds in which failed sign-ins are forgotten.
    pub sign_in_window_s: u32,
    /// Registrations from one address in an hour.
    pub registrations_per_hour: u32,
    /// Mails that reset a password, for one person in an hour.
    pub resets_per_hour: u32,
    /// Calls of the API by one person in a minute.
    pub api_per_minute: u32,
    /// Orders and other acts of trading by one person in a minute.
    pub trading_per_minute: u32,
    /// Questions of EAs for one licence key in a minute.
    pub ea_per_minute: u32,
    /// Licences kept in memory.
    pub licences: u32,
    /// What the files of one brand's Expert Advisors may take together, in MiB.
    pub ea_files_mib: u32,
    /// Instances of plugins that one brand may have at once.
    pub tenant_instances: u32,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file is not there or cannot be read.
    #[error(
        "cannot read the settings file {path}: {source}. Correct --config or MARQUE_CONFIG; `marque config` prints a file to start from"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing of that name.
    #[error("unknown setting `{key}` in {place}. Known there: {known}. `marque config` prints all settings")]
    Unknown {
        /// Its full name.
        key: String,
        /// The file or the variable.
        place: String,
        /// The names that exist at this level.
        known: String,
    },
    /// The value is of the wrong kind, or the file is not TOML.
    #[error("{place}: {what}. `marque config` prints all settings with their defaults")]
    Wrong {
        /// The file or the variable.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// There is no database file.
    #[error(
        "there is no database in {0} yet. Run `marque migrate` first; if there should be one, correct data_dir (MARQUE_DATA_DIR)"
    )]
    NoDatabase(PathBuf),
    /// The value is not in its range.
    #[error("setting `{key}` is {value}: it must be {range}")]
    Range {
        /// Its full name.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        range: String,
    },
}

impl Config {
    /// Reads the settings of this process: the defaults, the file, the environment. The default file may be
    /// absent; a named one may not.
    ///
    /// # Errors
    /// Names the setting, the place and what to do.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        // Variables that are not Unicode cannot be settings; those of ours are ASCII by name.
        let vars = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self::read(&path.display().to_string(), &text, vars)
    }

    /// Reads settings from a file's text and from variables.
    ///
    /// # Errors
    /// Names the setting, the place and what to do.
    pub fn read(file: &str, text: &str, vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        // Checked on its own first: figment's own error for a broken file has no line.
        if let Err(error) = text.parse::<toml::Table>() {
            let line = text.get(..error.span().map_or(0, |s| s.start)).map_or(1, |t| t.matches('\n').count() + 1);
            return Err(ConfigError::Wrong { place: format!("{file}:{line}"), what: error.message().to_owned() });
        }
        let figment = Figment::from(Toml::string(DEFAULTS)).merge(Named { name: file, inner: Toml::string(text) });
        let figment =
            vars.into_iter().filter_map(|(name, value)| Variable::of(&name, &value)).fold(figment, Figment::merge);
        let config: Self = figment.extract().map_err(explain)?;
        config.check()?;
        Ok(config)
    }

    /// Whom the outbound client may ask.
    #[must_use]
    pub const fn outbound_reach(&self) -> Reach {
        if self.outbound_allow_loopback { Reach::Loopback } else { Reach::Public }
    }

    /// The database's address: the configured one, or SQLite in the data directory.
    #[must_use]
    pub fn database(&self) -> Secret {
        if self.database_url.expose().is_empty() {
            Secret::new(format!("sqlite://{}", self.database_file().display()))
        } else {
            self.database_url.clone()
        }
    }

    fn database_file(&self) -> PathBuf {
        self.data_dir.join("marque.db")
    }

    /// Says what to do when the SQLite file was not made yet: its own error names neither file nor remedy.
    ///
    /// # Errors
    /// [`ConfigError::NoDatabase`].
    pub fn require_database(&self) -> Result<(), ConfigError> {
        let there = !self.database_url.expose().is_empty() || self.database_file().is_file();
        if there { Ok(()) } else { Err(ConfigError::NoDatabase(self.data_dir.clone())) }
    }

    /// The address that migrates, when it is another.
    #[must_use]
    pub fn database_admin(&self) -> Option<Secret> {
        Some(self.database_admin_url.clone()).filter(|url| !url.expose().is_empty())
    }

    /// The address of Redis, when there is one.
    #[must_use]
    pub fn redis(&self) -> Option<Secret> {
        Some(self.redis_url.clone()).filter(|url| !url.expose().is_empty())
    }

    /// Where large things lie: in the data directory, or on the S3 that is named.
    #[must_use]
    pub fn objects(&self) -> ObjectPlace {
        let Some((bucket, prefix)) = check::bucket(&self.object_store) else {
            return ObjectPlace::Folder(self.data_dir.join("objects"));
        };
        ObjectPlace::S3(S3Place {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(self.s3.endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
            region: self.s3.region.clone(),
            access_key_id: self.s3.access_key_id.clone(),
            secret_access_key: self.s3.secret_access_key.clone(),
        })
    }

    /// Where the master key is.
    pub(crate) fn master_key_source(&self) -> MasterSource {
        if !self.master_key.expose().is_empty() {
            return MasterSource::Given(self.master_key.clone());
        }
        MasterSource::File(match self.master_key_file.as_str() {
            "" => self.data_dir.join("master.key"),
            path => PathBuf::from(path),
        })
    }

    /// Where compiled plugins are kept.
    #[must_use]
    pub fn compiled_dir(&self) -> PathBuf {
        match self.compiled_dir.as_str() {
            "" => self.data_dir.join("compiled"),
            path => PathBuf::from(path),
        }
    }

    /// Where recorded prices are.
    #[must_use]
    pub fn history_dir(&self) -> PathBuf {
        self.data_dir.join("history")
    }

    /// Where mails are written while there is no mail server.
    #[must_use]
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir.join("mail")
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
