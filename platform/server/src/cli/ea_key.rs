//! `marque ea-key …`

use super::{CliError, open, tenant};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    clock::Clock,
    config::Config,
    licensing::{EaKeyError, new_key, retire_key, rotate_seats},
    secrets::Vault,
};
use clap::{Args, Subcommand};
use marque_domain::{id::LicenceId, tenant::Slug, time::DAY_MS};
use marque_store::{StoreError, TenantDb};
use serde_json::{Map, Value, json};
use std::io::Write;

#[derive(Debug, Subcommand)]
pub(super) enum EaKeyCommand {
    /// Make a new key that signs answers for servers and tools; or, with --seats, a new key for every seat that is held.
    /// Old keys stay good: the brand's until it is retired, and EAs that have it in their source go on with it; a seat's for
    /// some days.
    #[command(
        after_help = "Examples:\n  marque ea-key rotate aurora\n  marque ea-key rotate aurora --seats\n  marque ea-key rotate aurora --seats --licence lic_0r3v4k8m2n6p1 --days 1"
    )]
    Rotate(RotateArgs),
    /// Retire the brand's key of this name: EAs that have no other key in their source believe no answer from then on, and open
    /// no trades once their grace is over. Or, with --seats, at once every seat's key that a newer one was made for.
    #[command(after_help = "Examples:\n  marque ea-key retire aurora 2026-05\n  marque ea-key retire aurora --seats")]
    Retire(RetireArgs),
    /// List the brand's keys that sign answers: name, public key, since when, until when.
    #[command(after_help = "Example:\n  marque ea-key list aurora")]
    List {
        /// The tenant's short name.
        slug: Slug,
    },
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// The tenant's short name.
    slug: Slug,
    /// The keys of seats instead.
    #[arg(long)]
    seats: bool,
    /// Only the seats of this licence.
    #[arg(long, requires = "seats")]
    licence: Option<LicenceId>,
    /// How many days the old keys of seats stay good.
    #[arg(long, requires = "seats", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=90))]
    days: u32,
}

#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    /// The tenant's short name.
    slug: Slug,
    /// The key's name, as `marque ea-key list` shows it.
    #[arg(required_unless_present = "seats", conflicts_with = "seats")]
    name: Option<String>,
    /// The old keys of seats instead.
    #[arg(long)]
    seats: bool,
}

pub(super) async fn run(
    config: &Config,
    clock: &Clock,
    command: EaKeyCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    let vault = Vault::open(config, clock.clone())?;
    match command {
        EaKeyCommand::Rotate(args) => {
            let db = tenant::rows(&store, &args.slug).await?;
            rotate(&db, &vault, clock, &args, out).await
        }
        EaKeyCommand::Retire(args) => {
            let db = tenant::rows(&store, &args.slug).await?;
            retire(&db, &vault, clock, &args, out).await
        }
        EaKeyCommand::List { slug } => {
            for key in tenant::rows(&store, &slug).await?.ea_keys().await? {
                let public: String = key.public.iter().map(|byte| format!("{byte:02x}")).collect();
                let until = key.retired_at.map_or_else(|| "-".to_owned(), |at| at.to_rfc3339());
                writeln!(out, "{}\t{public}\t{}\t{until}", key.name, key.created_at.to_rfc3339())?;
            }
            Ok(())
        }
    }
}

async fn rotate(
    db: &TenantDb,
    vault: &Vault,
    clock: &Clock,
    args: &RotateArgs,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let (slug, now) = (&args.slug, clock.now());
    if !args.seats {
        let name = new_key(db, vault, now).await?;
        record(db, vault, clock, "rotate", json!({ "key": name })).await?;
        writeln!(out, "{slug}: {name} signs from now on. The keys before it stay good until they are retired")?;
        return Ok(());
    }
    let retires_at = now.plus(i64::from(args.days) * DAY_MS);
    let rotated = rotate_seats(db, vault, args.licence, retires_at, now)
        .await
        .map_err(|problem| CliError::EaKey(problem.detail))?;
    let details = json!({ "seats": rotated, "licence": args.licence.map(|id| id.to_string()), "days": args.days });
    record(db, vault, clock, "rotate", details).await?;
    writeln!(
        out,
        "{slug}: {rotated} seats get a new key with their next heartbeat; the old ones are good until {}",
        retires_at.to_rfc3339()
    )?;
    Ok(())
}

async fn retire(
    db: &TenantDb,
    vault: &Vault,
    clock: &Clock,
    args: &RetireArgs,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let slug = &args.slug;
    let Some(name) = args.name.as_deref() else {
        let retired = db.retire_salts(clock.now()).await?;
        record(db, vault, clock, "retire", json!({ "seats": retired })).await?;
        writeln!(
            out,
            "{slug}: {retired} old keys of seats retired. EAs that still have one activate anew and keep their seats"
        )?;
        return Ok(());
    };
    match retire_key(db, name, clock.now()).await {
        Err(EaKeyError::Store(StoreError::NotFound(_))) => {
            return Err(CliError::EaKey(format!("there is no key {name:?}; `marque ea-key list {slug}` shows them")));
        }
        Err(EaKeyError::Store(StoreError::Conflict(detail))) => return Err(CliError::EaKey(detail)),
        other => other?,
    }
    record(db, vault, clock, "retire", json!({ "key": name })).await?;
    writeln!(out, "{slug}: {name} is retired")?;
    Ok(())
}

async fn record(db: &TenantDb, vault: &Vault, clock: &Clock, verb: &str, details: Value) -> Result<(), CliError> {
    let details = if let Value::Object(details) = details { details } else { Map::new() };
    let actor = Actor::System { name: format!("marque ea-key {verb}") };
    let (at, act, target, origin) = (clock.now(), Act::EaKeysRotated, String::new(), Origin::default());
    Ok(audit::record(db, vault, Entry { at, actor, act, target, details, origin }).await?)
}
