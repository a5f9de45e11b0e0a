//! `marque kill …`

use super::{CliError, KillCommand, KillTarget, open, tenant};
use crate::{clock::Clock, config::Config, secrets};
use marque_domain::{
    id::TenantId,
    kill::{KillMode, KillScope, REASON_CHARS_MAX},
};
use marque_market::catalogue::Catalogue;
use marque_store::{KillAct, KillRequest, Store};
use std::{
    io::Write,
    time::{Duration, Instant},
};

/// How long a command waits for the servers.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(
    config: &Config,
    clock: &Clock,
    command: KillCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let (target, act, reason) = match command {
        KillCommand::Press { target, close, reason } => {
            let mode = if close { KillMode::Close } else { KillMode::Stop };
            (target, KillAct::Press(mode), reason)
        }
        KillCommand::Release { target } => (target, KillAct::Release, "released".to_owned()),
    };
    let length = reason.trim().chars().count();
    if length == 0 || length > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(CliError::KillReason);
    }
    let store = open(config).await?;
    let (tenant, scope) = chosen(&store, target).await?;
    let id = secrets::new_id(clock.now())?;
    let request = KillRequest { id, tenant, scope, act, reason, asked_at: clock.now(), done_at: None, refused: None };
    let system = store.system("the operator's kill switch");
    system.request_kill(&request).await?;
    let begun = Instant::now();
    loop {
        let now = system.kill_request(id).await?;
        match (now.done_at, now.refused) {
            (Some(_), None) => break writeln!(out, "{}: committed on every desk it concerns.", act.name())?,
            (Some(_), Some(refused)) => return Err(CliError::KillRefused(refused)),
            (None, _) if begun.elapsed() > PATIENCE => {
                break writeln!(
                    out,
                    "{}: kept. No server has answered yet; the next that runs does it before it trades.",
                    act.name()
                )?;
            }
            (None, _) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    Ok(())
}

/// What to stop, and at which tenant.
async fn chosen(store: &Store, target: KillTarget) -> Result<(Option<TenantId>, KillScope), CliError> {
    let KillTarget { platform: _, tenant, account, deployment, instrument } = target;
    let Some(slug) = tenant else { return Ok((None, KillScope::Platform)) };
    let scope = match (account, deployment, instrument) {
        (Some(account), _, _) => KillScope::Account(account),
        (_, Some(deployment), _) => KillScope::Deployment(deployment),
        (_, _, Some(symbol)) => {
            let catalogue = Catalogue::embedded()?;
            let found = catalogue.all().iter().find(|i| i.symbol == symbol).map(|i| i.id);
            let known = || catalogue.all().iter().map(|i| i.symbol.as_str()).collect::<Vec<_>>().join(", ");
            KillScope::Instrument(found.ok_or_else(|| CliError::NoInstrument { symbol, known: known() })?)
        }
        (None, None, None) => KillScope::Tenant,
    };
    Ok((Some(tenant::find(store, &slug).await?.id), scope))
}
