//! What is done with a licence.

use super::{
    super::{TRIES, activate::event, crowded},
    LINE_CHARS_MAX,
    issue::{self, Issued, NewLicence},
    line, wrong,
};
use crate::{
    audit::Act,
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    secrets::Vault,
};
use marque_domain::{
    id::{ActivationId, LicenceId, LicencePolicyId, UserId},
    licence::State,
    time::Millis,
};
use marque_store::{LicenceChange, LicenceEventKind, LicenceRow, LicenceTransfer, Seat, StoreError, TenantDb, User};
use serde_json::{Value, json};

/// What a person does with a licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Stops it until it is reinstated.
    Suspend(String),
    /// Lets it go on.
    Reinstate,
    /// Ends it for good.
    Revoke(String),
    /// Lets it last longer: to an instant, or by the policy's period.
    Renew(Option<Millis>),
    /// Puts it under another policy of its product.
    Policy(LicencePolicyId),
}

async fn owner(who: &SignedIn, email: &str) -> Result<User, Problem> {
    let found = who.db().user_by_email(email).await?;
    found.ok_or_else(|| wrong("owner", "nobody here has this e-mail address"))
}

/// Makes a licence for a person.
///
/// # Errors
/// [`ProblemCode::NotFound`] when there is no such policy, [`ProblemCode::Invalid`] when nobody has the address.
pub async fn issue_to(
    who: &SignedIn,
    vault: &Vault,
    policy: LicencePolicyId,
    email: &str,
    ends_at: Option<Millis>,
    now: Millis,
) -> Result<Issued, Problem> {
    who.may(Operation::ManageLicences)?;
    let policy = who.db().licence_policy(policy).await?;
    let user = owner(who, email).await?;
    let details = json!({ "owner": user.email, "policy": policy.name });
    let issued = issue::issue(who.db(), vault, NewLicence { user: user.id, policy, ends_at }, now).await?;
    who.audit(Act::LicenceIssued, issued.licence.id.to_string(), details).await?;
    Ok(issued)
}

/// Does something with a licence.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Invalid`], [`ProblemCode::Conflict`] when it was revoked or the step changes
/// nothing.
pub async fn change(who: &SignedIn, id: LicenceId, step: Step, now: Millis) -> Result<LicenceRow, Problem> {
    let licence = who.db().licence(who.may(Operation::ManageLicences)?, id).await?;
    let (act, change, details) = match step {
        Step::Suspend(why) => {
            in_state(&licence, State::Active)?;
            let why = line("reason", &why, 1, LINE_CHARS_MAX)?;
            let details = json!({ "reason": why });
            (Act::LicenceSuspended, LicenceChange::State(State::Suspended, why), details)
        }
        Step::Reinstate => {
            in_state(&licence, State::Suspended)?;
            (Act::LicenceReinstated, LicenceChange::State(State::Active, String::new()), Value::Null)
        }
        Step::Revoke(why) => {
            let why = line("reason", &why, 1, LINE_CHARS_MAX)?;
            let details = json!({ "reason": why });
            (Act::LicenceRevoked, LicenceChange::State(State::Revoked, why), details)
        }
        Step::Renew(until) => {
            let until = renewed(who, &licence, until, now).await?;
            (Act::LicenceRenewed, LicenceChange::Ends(Some(until)), json!({ "until": until.to_rfc3339() }))
        }
        Step::Policy(policy) => {
            let policy = who.db().licence_policy(policy).await?;
            if policy.product != licence.product {
                return Err(wrong("policy", "a policy of the licence's own product"));
            }
            (Act::LicenceRenewed, LicenceChange::Policy(policy.id), json!({ "policy": policy.name }))
        }
    };
    let changed = who.db().change_licence(id, &change, now).await.map_err(ended)?;
    who.audit(act, id.to_string(), details).await?;
    Ok(changed)
}

fn in_state(licence: &LicenceRow, wanted: State) -> Result<(), Problem> {
    if licence.state == wanted {
        return Ok(());
    }
    let detail = match wanted {
        State::Suspended => "Only a suspended licence can be reinstated.",
        _ => "Only a licence that may be used can be suspended.",
    };
    Err(Problem::new(ProblemCode::Conflict, detail))
}

async fn renewed(who: &SignedIn, licence: &LicenceRow, until: Option<Millis>, now: Millis) -> Result<Millis, Problem> {
    if let Some(until) = until {
        let future = until > now;
        return if future { Ok(until) } else { Err(wrong("until", "an instant in the future")) };
    }
    let policy = who.db().licence_policy(licence.policy).await?;
    let period = policy.terms.period_ms.ok_or_else(|| wrong("until", "needed: the policy has no period of its own"))?;
    Ok(licence.ends_at.map_or(now, |end| end.max(now)).plus(period))
}

/// A licence that was revoked says so; the rest as always.
fn ended(error: StoreError) -> Problem {
    match error {
        StoreError::Conflict(_) => {
            Problem::new(ProblemCode::Conflict, "It was revoked for good, or has had as many keys as it may.")
        }
        other => other.into(),
    }
}

/// Gives a licence to another person. From then on it is theirs alone: see `hand_over`.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Invalid`], [`ProblemCode::Conflict`], [`ProblemCode::Unavailable`].
pub async fn transfer(
    who: &SignedIn,
    vault: &Vault,
    id: LicenceId,
    email: &str,
    now: Millis,
) -> Result<LicenceRow, Problem> {
    let licence = who.db().licence(who.may(Operation::ManageLicences)?, id).await?;
    let to = owner(who, email).await?;
    if to.id == licence.user {
        return Err(wrong("owner", "somebody other than who has it"));
    }
    let changed = hand_over(who.db(), vault, id, to.id, &who.recorder.origin().address, now).await?;
    who.audit(Act::LicenceTransferred, id.to_string(), json!({ "owner": to.email })).await?;
    Ok(changed)
}

/// Makes a licence another person's, without asking who wants it; `by_address` goes to the time line. Its key is replaced,
/// and the new one is shown to its new owner only. The seats of who had it are released and forgotten: their EAs are
/// refused, and what a seat knows of account and computer is not shown to whom it does not concern. No cool-down is left from
/// before and none begins: it is there against licences that wander by themselves, and this is a vendor's decision. The new
/// owner's first seat begins it as every first one does.
///
/// # Errors
/// [`ProblemCode::NotFound`]; [`ProblemCode::Conflict`] when it was revoked or has had as many keys as it may;
/// [`ProblemCode::Unavailable`] when its EAs leave no moment for it.
pub(crate) async fn hand_over(
    db: &TenantDb,
    vault: &Vault,
    id: LicenceId,
    to: UserId,
    by_address: &str,
    now: Millis,
) -> Result<LicenceRow, Problem> {
    let (key, _) = issue::new_key(db, vault, id, now).await?;
    for _ in 0..TRIES {
        let image = db.licence_image(id).await?;
        let revision = image.licence.revision;
        let held = image.seats.into_iter().filter(|seat| seat.released_at.is_none() && seat.lapsed_at.is_none());
        let gone =
            |seat: Seat| event(&Seat { address: by_address.to_owned(), ..seat }, LicenceEventKind::Released, now);
        let events = held.map(gone).collect::<Result<Vec<_>, _>>()?;
        let transfer = LicenceTransfer { licence: id, revision, to, key: key.clone(), events, at: now };
        if let Some(given) = db.transfer_licence(&transfer).await.map_err(ended)? {
            return Ok(given);
        }
    }
    Err(crowded())
}

/// The key of one's own licence, as it is typed into the EA. Looking at it is recorded.
///
/// # Errors
/// [`ProblemCode::NotFound`].
pub async fn key_shown(who: &SignedIn, vault: &Vault, id: LicenceId) -> Result<String, Problem> {
    who.db().licence(who.may(Operation::ShowLicenceKey)?, id).await?;
    let key = issue::shown_key(who.db(), vault, id).await?;
    who.audit(Act::LicenceKeyShown, id.to_string(), Value::Null).await?;
    Ok(key)
}

/// Puts a new key in the place of the old one, which is told so from now on. Seats stay.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Conflict`].
pub async fn reissue(who: &SignedIn, vault: &Vault, id: LicenceId, now: Millis) -> Result<String, Problem> {
    who.db().licence(who.may(Operation::ReissueLicenceKey)?, id).await?;
    let (row, key) = issue::new_key(who.db(), vault, id, now).await?;
    who.db().change_licence(id, &LicenceChange::Key(row), now).await.map_err(ended)?;
    who.audit(Act::LicenceKeyReissued, id.to_string(), Value::Null).await?;
    Ok(key.shown())
}

/// Gives a seat back. Another may have it at once.
///
/// # Errors
/// [`ProblemCode::NotFound`].
pub async fn release_seat(who: &SignedIn, licence: LicenceId, id: ActivationId, now: Millis) -> Result<Seat, Problem> {
    let licence = who.db().licence(who.may(Operation::ReleaseSeat)?, licence).await?;
    let seats = who.db().seats(licence.id).await?;
    let seat = seats.into_iter().find(|seat| seat.id == id).ok_or_else(Problem::not_found)?;
    let address = who.recorder.origin().address.clone();
    let gone = event(&Seat { address, ..seat }, LicenceEventKind::Released, now)?;
    let (seat, held) = who.db().release_seat(licence.id, id, now, &gone).await?;
    if held {
        let details = json!({ "licence": licence.id.to_string(), "account": seat.account, "machine": seat.machine });
        who.audit(Act::EaReleased, id.to_string(), details).await?;
    }
    Ok(seat)
}
