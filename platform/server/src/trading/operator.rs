//! The operator's kill switch: requests that `marque kill` left in the database, carried out on every desk they concern.
//!
//! The command runs in a process of its own, and a desk has one writer. So the command writes what it wants, and the
//! servers look for it many times a second.

use super::{Asker, CommandError, Floor, FloorError};
use crate::clock::Clock;
use marque_domain::{
    id::TenantId,
    kill::{Authority, Kill, KillMode, KillScope},
    time::Millis,
};
use marque_engine::Command;
use marque_store::{KillAct, KillRequest, Store, StoreError, SystemDb};
use std::{sync::Arc, time::Duration};

/// How often a server looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long it waits after a fault.
const AFTER_FAULT: Duration = Duration::from_millis(250);
/// Who the operator is to people.
const OPERATOR: &str = "the platform's operator";

/// Looks for requests and carries them out, until it is aborted.
pub async fn run(store: Store, floor: Arc<Floor>, clock: Clock) {
    let system = store.system("obey the operator's kill switch");
    loop {
        let wait = match round(&system, &floor, &clock).await {
            Ok(()) => LOOK_EVERY,
            Err(error) => {
                tracing::error!(%error, "a kill switch of the operator waits; it is tried again");
                AFTER_FAULT
            }
        };
        tokio::time::sleep(wait).await;
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Floor(#[from] FloorError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// One look. Requests are carried out in their order; one that a desk cannot carry out now holds up those after it.
async fn round(system: &SystemDb, floor: &Floor, clock: &Clock) -> Result<(), Fault> {
    for request in system.kills_to_do().await? {
        let refused = carry_out(system, floor, &request).await?;
        system.finish_kill(request.id, clock.now(), refused).await?;
        tracing::warn!(
            id = request.id,
            act = request.act.name(),
            scope = request.scope.name(),
            "the operator's kill switch"
        );
    }
    Ok(())
}

async fn carry_out(system: &SystemDb, floor: &Floor, request: &KillRequest) -> Result<Option<String>, Fault> {
    let tenants = match request.tenant {
        Some(tenant) => vec![tenant],
        None => system.tenants().await?.into_iter().map(|tenant| tenant.id).collect(),
    };
    // All at once: no desk waits for another.
    let each = tenants.into_iter().map(|tenant| on_desk(floor, tenant, request));
    let mut refused = None;
    for answer in futures_util::future::join_all(each).await {
        match answer {
            Ok(()) => {}
            // Asked again it would be refused again.
            Err(Fault::Command(CommandError::Refused(refusal))) => refused = Some(refusal.to_string()),
            Err(fault) => return Err(fault),
        }
    }
    Ok(refused)
}

async fn on_desk(floor: &Floor, tenant: TenantId, request: &KillRequest) -> Result<(), Fault> {
    let command = match request.act {
        KillAct::Press(mode) => Command::Kill(kill(request.scope, mode, &request.reason)),
        KillAct::Release => {
            Command::Release { scope: request.scope, authority: Authority::Operator, by: OPERATOR.to_owned() }
        }
    };
    floor.desk(tenant).await?.command(command, Asker::system("marque kill")).await?;
    Ok(())
}

fn kill(scope: KillScope, mode: KillMode, reason: &str) -> Kill {
    let (by, reason, at) = (OPERATOR.to_owned(), reason.to_owned(), Millis(0));
    Kill { scope, mode, authority: Authority::Operator, by, reason, at }
}

/// What a desk must do before it trades: a tenant that is new, or a desk that was away, finds the platform's switch on or
/// off as it was left.
pub(super) async fn before_trading(system: &SystemDb) -> Result<Option<Command>, StoreError> {
    let newest = system.platform_kill().await?;
    Ok(newest.and_then(|request| match request.act {
        KillAct::Press(mode) => Some(Command::Kill(kill(KillScope::Platform, mode, &request.reason))),
        KillAct::Release => None,
    }))
}
