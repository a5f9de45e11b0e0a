//! `marque keys …`

use super::{CliError, open, tenant};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    clock::Clock,
    config::Config,
    secrets::Vault,
};
use marque_domain::tenant::Slug;
use marque_store::TenantDb;
use serde_json::{Map, Value, json};
use std::io::Write;

const COMMAND: &str = "marque keys rotate";

pub(super) async fn rotate(
    config: &Config,
    clock: &Clock,
    slug: Option<&Slug>,
    master: bool,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    let vault = Vault::open(config, clock.clone())?;
    let tenants = tenant::chosen(&store, slug).await?;
    if master {
        return rotate_master(&vault, clock, &tenants, out).await;
    }
    for (slug, db) in &tenants {
        let mut printed = Ok(());
        let rotated = vault
            .rotate(db, |resealed| {
                printed = writeln!(out, "{slug}: {resealed} secrets sealed anew").and_then(|()| out.flush());
            })
            .await?;
        printed?;
        let details = json!({ "version": rotated.version, "resealed": rotated.resealed, "removed": rotated.removed });
        record(&vault, clock, db, details).await?;
        let (version, resealed) = (rotated.version, rotated.resealed);
        let went_on = if rotated.resumed { " (went on with what was begun)" } else { "" };
        writeln!(out, "{slug}: key {version}{went_on}, {resealed} secrets sealed anew")?;
        for old in &rotated.removed {
            writeln!(out, "{slug}: key {old} removed")?;
        }
        for old in &rotated.kept {
            writeln!(
                out,
                "{slug}: key {old} kept: a running server may have used it to the last. A later run removes it"
            )?;
        }
        for (column, row) in &rotated.broken {
            writeln!(out, "{slug}: a secret in {} cannot be opened and stays as it is: {row:?}", column.table())?;
        }
    }
    Ok(())
}

async fn rotate_master(
    vault: &Vault,
    clock: &Clock,
    tenants: &[(Slug, TenantDb)],
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let rows: Vec<TenantDb> = tenants.iter().map(|(_, db)| db.clone()).collect();
    let (rewrapped, alone) = vault.rotate_master(&rows).await?;
    for db in &rows {
        record(vault, clock, db, json!({ "master": true })).await?;
    }
    writeln!(out, "{rewrapped} data keys wrapped under the new master key")?;
    writeln!(
        out,
        "{}",
        if alone {
            "The old master key is gone. Replace the copies that you keep: back-ups from before need the old one"
        } else {
            "Now leave the old key away in MARQUE_MASTER_KEY and restart every server"
        }
    )?;
    Ok(())
}

async fn record(vault: &Vault, clock: &Clock, db: &TenantDb, details: Value) -> Result<(), CliError> {
    let details = if let Value::Object(details) = details { details } else { Map::new() };
    let actor = Actor::System { name: COMMAND.to_owned() };
    let (at, act, target, origin) = (clock.now(), Act::KeysRotated, String::new(), Origin::default());
    Ok(audit::record(db, vault, Entry { at, actor, act, target, details, origin }).await?)
}
