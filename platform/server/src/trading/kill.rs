//! The kill switch as people press it: whose it is, who may let go of it, and what of it they see. Pages, the API and
//! the operator's command all come here.

use super::{Asked, Desk, View};
use crate::{
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    id::{AccountId, DeploymentId, InstrumentId},
    kill::{Authority, Kill, KillMode, KillScope},
    time::Millis,
};
use marque_engine::{Command, Record};
use marque_store::{Page, Whose};
use std::{collections::BTreeSet, sync::Arc};

/// The reason when nobody wrote one: who presses in a hurry must not have to type.
const UNSAID: &str = "no reason was given";

/// A switch that somebody wants to press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// What it stops.
    pub scope: KillScope,
    /// How.
    pub mode: KillMode,
    /// Why; may be empty.
    pub reason: String,
}

/// In whose name a person presses and lets go, by how far they reach.
const fn authority(whose: Whose) -> Authority {
    if matches!(whose, Whose::Everyone) { Authority::Broker } else { Authority::Trader }
}

/// Who a person is to those who read it: traders are not shown who works for the brand. The audit log names them.
fn name_of(who: &SignedIn, authority: Authority) -> String {
    match authority {
        Authority::Trader => who.email.clone(),
        _ => format!("{} ({})", who.tenant.definition.name, who.role.title().to_lowercase()),
    }
}

/// Whether a scope is within reach. What is another's is not there.
async fn reach(who: &SignedIn, whose: Whose, scope: KillScope) -> Result<(), Problem> {
    match scope {
        KillScope::Account(id) => who.db().account(whose, id).await.map(drop)?,
        KillScope::Deployment(id) => who.db().deployment(whose, id).await.map(drop)?,
        KillScope::Tenant | KillScope::Instrument(_) if matches!(whose, Whose::Everyone) => {}
        KillScope::Tenant | KillScope::Instrument(_) => {
            let detail = "Stop your own accounts and strategies one by one; ask your broker to stop more.";
            return Err(Problem::new(ProblemCode::Forbidden, detail));
        }
        KillScope::Platform => {
            return Err(Problem::new(ProblemCode::Forbidden, "Only who runs the platform may stop all of it."));
        }
    }
    Ok(())
}

/// Presses a switch. When this answers it is committed, and everything that it asks for is done or on its way.
///
/// # Errors
/// [`ProblemCode::NotFound`] for what is another's, [`ProblemCode::Forbidden`] for more than one's own; that the desk
/// does not answer.
pub async fn press(asked: Asked<'_>, who: &SignedIn, press: Press) -> Result<Kill, Problem> {
    let whose = who.may(Operation::PressKill)?;
    reach(who, whose, press.scope).await?;
    let (scope, authority) = (press.scope, authority(whose));
    let reason = if press.reason.trim().is_empty() { UNSAID.to_owned() } else { press.reason };
    let kill = Kill { scope, mode: press.mode, authority, by: name_of(who, authority), reason, at: Millis(0) };
    let desk = asked.floor.desk(who.db().tenant()).await?;
    let records = desk.command(Command::Kill(kill.clone()), asked.asker).await?;
    let pressed = records.into_iter().find_map(|r| if let Record::KillPressed(kill) = r { Some(kill) } else { None });
    // One that was on already stays as it was pressed.
    let view = desk.view();
    let known = || view.kills.iter().find(|kill| kill.scope == scope && kill.authority == authority).cloned();
    Ok(pressed.or_else(known).unwrap_or(Kill { at: view.now, ..kill }))
}

/// Lets go of the switches of a scope, as far as this person may; answers in whose names they were on.
///
/// # Errors
/// As [`press`]; [`ProblemCode::Conflict`] when somebody higher pressed it.
pub async fn release(asked: Asked<'_>, who: &SignedIn, scope: KillScope) -> Result<Vec<Authority>, Problem> {
    let whose = who.may(Operation::ReleaseKill)?;
    reach(who, whose, scope).await?;
    let authority = authority(whose);
    let command = Command::Release { scope, authority, by: name_of(who, authority) };
    let records = asked.floor.desk(who.db().tenant()).await?.command(command, asked.asker).await?;
    let released = records.into_iter().filter_map(|record| match record {
        Record::KillReleased { authority, .. } => Some(authority),
        _ => None,
    });
    Ok(released.collect())
}

/// The switches that are on and concern a person: all of the brand's for who works for it, for a trader those over their
/// own accounts and strategies, and those over everything.
///
/// # Errors
/// That the database does not answer.
pub async fn visible(who: &SignedIn, desk: &Arc<Desk>) -> Result<Vec<Kill>, Problem> {
    let whose = who.may(Operation::ReadKills)?;
    let kills = desk.view().kills.clone();
    if matches!(whose, Whose::Everyone) || kills.is_empty() {
        return Ok(kills);
    }
    let accounts = who.db().accounts(whose, Page::first(200)).await?.items;
    let accounts: BTreeSet<AccountId> = accounts.iter().map(|account| account.terms.id).collect();
    let mut deployments: BTreeSet<DeploymentId> = BTreeSet::new();
    for kill in &kills {
        if let KillScope::Deployment(id) = kill.scope
            && who.db().deployment(whose, id).await.is_ok()
        {
            deployments.insert(id);
        }
    }
    let mine = |scope: KillScope| match scope {
        KillScope::Account(id) => accounts.contains(&id),
        KillScope::Deployment(id) => deployments.contains(&id),
        KillScope::Platform | KillScope::Tenant | KillScope::Instrument(_) => true,
    };
    Ok(kills.into_iter().filter(|kill| mine(kill.scope)).collect())
}

/// The switch that is on over all that an account does, the widest first.
#[must_use]
pub fn over_account(view: &View, account: AccountId) -> Option<&Kill> {
    let whole = |kill: &&Kill| match kill.scope {
        KillScope::Platform | KillScope::Tenant => true,
        KillScope::Account(id) => id == account,
        KillScope::Instrument(_) | KillScope::Deployment(_) => false,
    };
    view.kills.iter().filter(whole).min_by_key(|kill| kill.scope)
}

/// What a switch stops, by what a form or a body names: at most one of these, the whole brand when none.
///
/// # Errors
/// [`ProblemCode::NotFound`] for an id that is none.
pub fn scope_of(
    account: Option<&str>,
    deployment: Option<&str>,
    instrument: Option<InstrumentId>,
) -> Result<KillScope, Problem> {
    match (account, deployment, instrument) {
        (None, None, None) => Ok(KillScope::Tenant),
        (Some(id), None, None) => id.parse().map(KillScope::Account).map_err(|_| Problem::not_found()),
        (None, Some(id), None) => id.parse().map(KillScope::Deployment).map_err(|_| Problem::not_found()),
        (None, None, Some(id)) => Ok(KillScope::Instrument(id)),
        _ => {
            Err(Problem::new(ProblemCode::Invalid, "Name one of account, deployment and instrument, or none for all."))
        }
    }
}
