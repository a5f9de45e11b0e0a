//! The command line: what an operator can ask of the binary.
//!
//! Owns: arguments, help, what is printed, exit codes. Refuses to know how anything is done: each command is a few
//! calls of the room that knows.

mod audit;
mod backtest;
mod data;
mod ea_key;
mod error;
mod keys;
mod kill;
mod ledger;
mod password;
mod person;
mod plugin;
mod tenant;
mod verify;

pub use error::CliError;
pub use plugin::RegistryError;

use crate::{
    api,
    audit::Noted,
    clock::Clock,
    config::{self, Config},
    demo,
    identity::Role,
    secrets, serve,
};
use clap::{Args, Parser, Subcommand};
use marque_domain::{
    id::{AccountId, DeploymentId},
    tenant::Slug,
};
use marque_market::import::{Format, LocalClock};
use marque_sandbox::gate;
use marque_store::Store;
use std::{io::Write, net::SocketAddr, path::PathBuf};

const AFTER: &str = "Settings come from marque.toml and MARQUE_* variables; `marque config` prints them all.\n\
    Exit codes: 0 done, 1 failed (nothing is half done), 2 wrong arguments or settings.";

/// Marque: an algorithmic-trading platform that brokers run under their own brand.
#[derive(Debug, Parser)]
#[command(name = "marque", bin_name = "marque", version, after_help = AFTER, arg_required_else_help = true)]
pub struct Cli {
    /// The settings file. Without it, marque.toml of the current directory is read if there is one.
    #[arg(long, global = true, env = "MARQUE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve all tenants until SIGTERM or Ctrl-C.
    #[command(after_help = "Examples:\n  marque serve\n  MARQUE_LISTEN=127.0.0.1:9000 marque serve")]
    Serve {
        /// Where to listen, instead of the setting.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Create the database or bring it up to date. Running it again changes nothing.
    #[command(
        after_help = "Examples:\n  marque migrate\n  MARQUE_DATABASE_URL=postgres://app@db/marque MARQUE_DATABASE_ADMIN_URL=postgres://owner@db/marque marque migrate"
    )]
    Migrate,
    /// Tenants: the brands that are served.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// People of a tenant.
    #[command(subcommand)]
    Person(PersonCommand),
    /// Passwords and what checking one costs.
    #[command(subcommand)]
    Password(PasswordCommand),
    /// Plugins: strategies and risk rules.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Recorded prices.
    #[command(subcommand)]
    Data(DataCommand),
    /// Tests of strategies on recorded prices.
    #[command(subcommand)]
    Backtest(backtest::BacktestCommand),
    /// Check a backtest's certificate: run it again and say yes or no, and why. Exit code 1 for no.
    #[command(
        after_help = "Examples:\n  marque verify certificate.json --plugin ema_cross.wasm\n  marque verify certificate.json --plugin ema_cross.wasm --data history --keys marque-keys.json"
    )]
    Verify(verify::VerifyArgs),
    /// The keys that seal secrets.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The keys that sign answers to Expert Advisors.
    #[command(subcommand)]
    EaKey(ea_key::EaKeyCommand),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The kill switch: stop a strategy, an account, an instrument, a tenant or everything, until it is released.
    #[command(subcommand)]
    Kill(KillCommand),
    /// The books: every movement of money.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print the OpenAPI document of /api/v1.
    #[command(after_help = "Example:\n  marque openapi > openapi.json")]
    Openapi,
    /// Print all settings with their defaults, ready to be saved as marque.toml.
    #[command(after_help = "Examples:\n  marque config > marque.toml\n  marque config --check")]
    Config {
        /// Read the settings as they are now instead, and say whether they can be used.
        #[arg(long)]
        check: bool,
    },
    /// Examine one component: from standard input, the report to standard output, within these limits.
    #[command(hide = true)]
    PluginGate {
        /// Processor time, in seconds.
        cpu_s: u64,
        /// Writable memory, in bytes.
        memory_bytes: u64,
    },
    /// Add the demo's people, accounts and deployments. Prints them as JSON in the last line.
    #[command(hide = true)]
    DemoSeed,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Make the database say what tenant files say. Applying twice changes nothing; a mistake in any file applies none.
    #[command(after_help = "Examples:\n  marque tenant apply tenants\n  marque tenant apply tenants/aurora")]
    Apply {
        /// The folder of <slug>/tenant.toml, or one tenant's folder. Without it, the setting tenants_dir.
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// List all tenants: slug, status, theme, hosts, name.
    #[command(after_help = "Example:\n  marque tenant list")]
    List,
    /// Print all that is stored of a tenant, as JSON.
    #[command(after_help = "Example:\n  marque tenant show aurora")]
    Show {
        /// The tenant's short name.
        slug: Slug,
    },
}

#[derive(Debug, Subcommand)]
enum PersonCommand {
    /// Add a person to a tenant. The password is read from standard input: its first line.
    #[command(
        after_help = "Example:\n  marque person add aurora --email ann@aurora.example --name Ann --role trader < password.txt"
    )]
    Add(AddPerson),
}

#[derive(Debug, Args)]
struct AddPerson {
    /// The tenant's short name.
    slug: Slug,
    /// What they sign in with.
    #[arg(long)]
    email: String,
    /// What they are called.
    #[arg(long)]
    name: String,
    /// trader, author, support, risk, admin or owner.
    #[arg(long, default_value = "trader")]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum PasswordCommand {
    /// Measure what a password check may cost on this machine, and print the settings for it.
    #[command(after_help = "Examples:\n  marque password calibrate\n  marque password calibrate --milliseconds 250")]
    Calibrate {
        /// What one check may take of one core.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=5_000))]
        milliseconds: u32,
    },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Give every tenant a new data key and seal all secrets anew. People go on working. Cut off, it goes on when run again.
    #[command(
        after_help = "Examples:\n  marque keys rotate\n  marque keys rotate aurora\n  marque keys rotate --master"
    )]
    Rotate {
        /// Only this tenant.
        #[arg(conflicts_with = "master")]
        slug: Option<Slug>,
        /// Change the master key instead, and wrap every data key under the new one.
        #[arg(long)]
        master: bool,
    },
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that no entry was altered, dropped, reordered or cut off. Exit code 1 when one was.
    #[command(
        after_help = "Examples:\n  marque audit verify\n  marque audit verify aurora --noted 12:9f3a5c0017e2b4d8\n\nNote what it prints as the head in a place that whoever administers the database cannot change. Only that finds a log\nthat was put back whole to an earlier state."
    )]
    Verify {
        /// Only this tenant.
        slug: Option<Slug>,
        /// The head that an earlier check printed: it must still stand in the log.
        #[arg(long, value_name = "SEQ:MAC", requires = "slug")]
        noted: Option<Noted>,
    },
}

#[derive(Debug, Subcommand)]
enum KillCommand {
    /// Stop strategies, withdraw working orders and deny new ones. Answers once every desk has committed it.
    #[command(
        after_help = "Examples:\n  marque kill press --platform --reason \"wrong prices\"\n  marque kill press --tenant aurora --instrument EURUSD --close --reason \"venue is gone\"\n  marque kill press --tenant aurora --account acc_0r3v4k8m2n6p1 --reason \"asked by phone\""
    )]
    Press {
        #[command(flatten)]
        target: KillTarget,
        /// Close what is open as well.
        #[arg(long)]
        close: bool,
        /// Why. Traders read it with every order that is denied.
        #[arg(long)]
        reason: String,
    },
    /// Take new orders again. Strategies stay stopped until they are started.
    #[command(after_help = "Example:\n  marque kill release --tenant aurora --instrument EURUSD")]
    Release {
        #[command(flatten)]
        target: KillTarget,
    },
}

#[derive(Debug, Args)]
struct KillTarget {
    /// Everything, at every tenant.
    #[arg(long, conflicts_with = "tenant", required_unless_present = "tenant")]
    platform: bool,
    /// At this tenant: everything, or what is named besides.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<Slug>,
    /// Only this account.
    #[arg(long, requires = "tenant", conflicts_with_all = ["deployment", "instrument"])]
    account: Option<AccountId>,
    /// Only this strategy.
    #[arg(long, requires = "tenant", conflicts_with = "instrument")]
    deployment: Option<DeploymentId>,
    /// Only this instrument, on all accounts.
    #[arg(long, requires = "tenant", value_name = "SYMBOL")]
    instrument: Option<String>,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Add every posting up anew: debits equal credits, balances are their cash, nobody took more than there was, and
    /// the shard remembers what the rows say. Exit code 1 when anything does not add up.
    #[command(after_help = "Examples:\n  marque ledger verify\n  marque ledger verify aurora")]
    Verify {
        /// Only this tenant.
        slug: Option<Slug>,
    },
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Import a recording (CSV, plain or in .gz or .zip) into the history. All of it or nothing; again changes nothing.
    #[command(
        after_help = "Examples:\n  marque data import --symbol EURUSD DAT_ASCII_EURUSD_T_201405.csv\n  marque data import --symbol XAUUSD --format mt5-ticks --timezone America/New_York+7h XAUUSD.csv"
    )]
    Import(ImportData),
    /// List the recorded history: symbol, kind, rows, first and last time.
    #[command(after_help = "Example:\n  marque data list")]
    List,
}

#[derive(Debug, Args)]
struct ImportData {
    /// The instrument, as the catalogue names it.
    #[arg(long, visible_alias = "instrument", value_name = "SYMBOL")]
    symbol: String,
    /// The export's format; recognised by its first lines when left out.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The clock of local times: an IANA zone, or one with hours added such as America/New_York+7h. UTC when left out.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<LocalClock>,
    /// The recordings.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Cli {
    /// Whether this process will serve, and so logs what it does; other commands log only what is wrong.
    #[must_use]
    pub const fn serves(&self) -> bool {
        matches!(self.command, Command::Serve { .. })
    }

    /// The settings this command runs with.
    ///
    /// # Errors
    /// A setting that cannot be used.
    pub fn settings(&self) -> Result<Config, CliError> {
        let mut config = Config::load(self.config.as_deref())?;
        if let Command::Serve { listen: Some(listen) } = self.command {
            config.listen = listen;
        }
        Ok(config)
    }

    /// Does what was asked and prints to `out`.
    ///
    /// # Errors
    /// One sentence for a person, with what to do.
    pub async fn run(self, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
        if let Command::Config { check: false } = self.command {
            write!(out, "{}", config::DEFAULTS)?;
            return Ok(());
        }
        if let Command::PluginGate { cpu_s, memory_bytes } = self.command {
            return Ok(gate::work(cpu_s, memory_bytes, std::io::stdin(), out)?);
        }
        let config = self.settings()?;
        let clock = Clock::system();
        match self.command {
            Command::Serve { .. } => {
                config.require_database()?;
                serve::serve(config, clock).await?;
            }
            Command::Migrate => migrate(&config, out).await?,
            Command::Tenant(TenantCommand::Apply { dir }) => tenant::apply(&config, &clock, dir, out).await?,
            Command::Tenant(TenantCommand::List) => tenant::list(&open(&config).await?, out).await?,
            Command::Tenant(TenantCommand::Show { slug }) => tenant::show(&open(&config).await?, &slug, out).await?,
            Command::Person(PersonCommand::Add(person)) => person::add(&config, &clock, person, out).await?,
            Command::Password(PasswordCommand::Calibrate { milliseconds }) => {
                password::calibrate(&clock, milliseconds, out)?;
            }
            Command::Plugin(command) => plugin::run(&config, &clock, command, out).await?,
            Command::Data(DataCommand::Import(import)) => data::import(&config, import, out).await?,
            Command::Data(DataCommand::List) => data::list(&config, out)?,
            Command::Backtest(command) => backtest::run(&config, &clock, command, out).await?,
            Command::Verify(args) => verify::run(&config, args, out).await?,
            Command::Keys(KeysCommand::Rotate { slug, master }) => {
                keys::rotate(&config, &clock, slug.as_ref(), master, out).await?
            }
            Command::EaKey(command) => ea_key::run(&config, &clock, command, out).await?,
            Command::Audit(AuditCommand::Verify { slug, noted }) => {
                audit::verify(&config, &clock, slug.as_ref(), noted.as_ref(), out).await?
            }
            Command::Kill(command) => kill::run(&config, &clock, command, out).await?,
            Command::Ledger(LedgerCommand::Verify { slug }) => ledger::verify(&config, slug.as_ref(), out).await?,
            Command::Openapi => writeln!(out, "{}", api::document())?,
            Command::Config { .. } | Command::PluginGate { .. } => writeln!(out, "The settings can be used.")?,
            Command::DemoSeed => {
                config.require_database()?;
                demo::seed(&config, &clock, out).await?;
            }
        }
        Ok(())
    }
}

async fn migrate(config: &Config, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|source| CliError::Folder { path: config.data_dir.clone(), source })?;
    let admin = config.database_admin();
    marque_store::migrate(config.database().expose(), admin.as_ref().map(|url| url.expose())).await?;
    secrets::create_master_key(config, &open(config).await?).await?;
    writeln!(out, "The database is up to date.")?;
    Ok(())
}

async fn open(config: &Config) -> Result<Store, CliError> {
    config.require_database()?;
    Ok(Store::connect(config.database().expose()).await?)
}

#[cfg(test)]
mod tests;
