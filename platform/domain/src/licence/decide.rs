//! Whether an EA may trade: one question after the other, and the first that says no is the answer.

use super::{Activation, Ask, Claim, Kind, Kinds, Licence, OFFLINE_MS_MAX, Overage, Refusal, State};
use crate::{
    id::ActivationId,
    time::{DAY_MS, Millis},
};
use std::collections::BTreeSet;

/// How long before its end a licence is said to end soon, in milliseconds.
const SOON_MS: i64 = 7 * DAY_MS;

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may trade.
    Valid {
        /// The seat it has, or takes up again. None when it asked for one and a new one is to be made.
        seat: Option<ActivationId>,
        /// The seat whose place the new one takes: the caller gives it back.
        instead_of: Option<ActivationId>,
        /// Whether the licence moves by taking it: the caller notes when, and the cool-down begins.
        moves: bool,
        /// For how long.
        terms: Terms,
        /// What a person should know.
        notices: Vec<Notice>,
    },
    /// It may not.
    Refused(Refusal),
}

/// How long a valid answer holds. `now <= lease_until <= grace_until`, and neither goes beyond the licence's end and grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Until then nothing need be asked.
    pub lease_until: Millis,
    /// Until then the EA trades on with a warning.
    pub grace_until: Millis,
    /// When the licence's time is over.
    pub expires_at: Option<Millis>,
}

/// What is good to know of a licence that is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// It ends within seven days.
    ExpiresSoon,
    /// It has ended, and its grace has not.
    ExpiredGrace,
    /// More use it than it is for.
    Overage,
    /// There is a newer version.
    UpdateAvailable,
}

impl Notice {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExpiresSoon => "EXPIRES_SOON",
            Self::ExpiredGrace => "EXPIRED_GRACE",
            Self::Overage => "OVERAGE",
            Self::UpdateAvailable => "UPDATE_AVAILABLE",
        }
    }
}

/// Whether who asks may trade now. Changes nothing: a seat that the verdict names or promises is taken by the caller.
#[must_use]
pub fn decide(licence: &Licence, claim: &Claim<'_>, now: Millis) -> Verdict {
    let place = of_licence(licence, claim, now).and_then(|()| match claim.ask {
        Ask::Activate => admit(licence, claim, now),
        Ask::Seat(id) => sit(licence, id, claim, now).map(Place::Own),
        Ask::Nothing => Err(Refusal::NotActivated),
    });
    match place {
        Ok(place) => Verdict::Valid {
            seat: place.own().map(|seat| seat.id),
            instead_of: place.other().map(|seat| seat.id),
            moves: claim.ask == Ask::Activate && moves(licence, place.own(), now),
            terms: terms(licence, place.own(), claim.ask, now),
            notices: notices(licence, place.own().or(place.other()), claim, now),
        },
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// Where an asker sits.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// On the seat of this account and computer.
    Own(&'a Activation),
    /// On a new one.
    New,
    /// On a new one, and another is given back for it.
    InsteadOf(&'a Activation),
}

impl<'a> Place<'a> {
    const fn own(self) -> Option<&'a Activation> {
        match self {
            Self::Own(seat) => Some(seat),
            Self::New | Self::InsteadOf(_) => None,
        }
    }

    const fn other(self) -> Option<&'a Activation> {
        match self {
            Self::InsteadOf(seat) => Some(seat),
            Self::New | Self::Own(_) => None,
        }
    }
}

/// What refuses whoever asks.
fn of_licence(licence: &Licence, claim: &Claim<'_>, now: Millis) -> Result<(), Refusal> {
    let policy = &licence.policy;
    let refusals = [
        claim.key_replaced.then_some(Refusal::KeyReplaced),
        (licence.state == State::Revoked).then_some(Refusal::Revoked),
        (licence.state == State::Suspended).then_some(Refusal::Suspended),
        (licence.product != claim.product).then_some(Refusal::ProductMismatch),
        (!licence.granted).then_some(Refusal::PlanRequired),
        licence
            .expires_once_asked(claim.ask, now)
            .filter(|end| now >= end.plus(policy.grace_ms))
            .map(|at| Refusal::Expired { at }),
        (policy.kinds == Kinds::Demo && claim.kind == Kind::Live).then_some(Refusal::DemoOnly),
        (policy.kinds == Kinds::Live && claim.kind != Kind::Live).then_some(Refusal::LiveOnly),
        policy
            .minimum_version
            .filter(|minimum| claim.version < *minimum)
            .map(|minimum| Refusal::VersionTooOld { minimum }),
        claim.yanked.then_some(Refusal::VersionYanked { latest: claim.latest }),
    ];
    refusals.into_iter().flatten().next().map_or(Ok(()), Err)
}

/// The seat that was named, if it is still the asker's. Another account or computer has no seat here, even where the binding
/// would let it have one: it must activate, so that it is counted.
fn sit<'a>(licence: &'a Licence, id: ActivationId, claim: &Claim<'_>, now: Millis) -> Result<&'a Activation, Refusal> {
    let seat = licence.activations.iter().find(|seat| seat.id == id).ok_or(Refusal::NotActivated)?;
    if seat.is_bound_to(&licence.policy, claim) && !seat.counts_for(claim) {
        return Err(Refusal::NotActivated);
    }
    if seat.released {
        return Err(Refusal::Released);
    }
    if !seat.is_heard(&licence.policy, now) {
        return Err(Refusal::HeartbeatMissed);
    }
    if !seat.is_bound_to(&licence.policy, claim) {
        return Err(Refusal::BindingMismatch { mismatched: seat.differs(claim) });
    }
    Ok(seat)
}

/// Where who activates sits: on the seat that this account and computer have or had, else on a new one. Where there is room
/// for neither, a computer that is new here may take another's place.
fn admit<'a>(licence: &'a Licence, claim: &Claim<'_>, now: Millis) -> Result<Place<'a>, Refusal> {
    let own = licence
        .activations
        .iter()
        .filter(|seat| seat.counts_for(claim) && seat.is_bound_to(&licence.policy, claim))
        .min_by_key(|seat| seat.differs(claim).len());
    let place = match (own, too_many(licence, own, claim, now)) {
        (Some(own), None) => Place::Own(own),
        (None, None) => Place::New,
        (Some(_), Some(refusal)) => return Err(refusal),
        (None, Some(refusal)) => Place::InsteadOf(replaced(licence, claim, now).ok_or(refusal)?),
    };
    let free_at = licence.moved_at.map(|moved| moved.plus(licence.policy.cooldown_ms));
    match free_at.filter(|free_at| now < *free_at && moves(licence, own, now)) {
        Some(retry_at) => Err(Refusal::TransferCooldown { retry_at }),
        None => Ok(place),
    }
}

/// What refuses the asker where more want seats than there are, once it has one in place of another.
fn too_many(licence: &Licence, left: Option<&Activation>, claim: &Claim<'_>, now: Millis) -> Option<Refusal> {
    let seats = licence.policy.seats;
    if seats.overage == Overage::Allowed {
        return None;
    }
    let (machines, accounts) = used(licence, left, claim, now);
    let machines = seats.machines.filter(|max| machines > *max as usize).map(|max| Refusal::TooManyMachines { max });
    let accounts = seats.accounts.filter(|max| accounts > *max as usize).map(|max| Refusal::TooManyAccounts { max });
    machines.or(accounts)
}

/// The seat whose place a computer takes that has had none with this account. Fingerprints change with hardware, and what
/// binds by `most` or `any` forgives that; so it goes by another computer of the *same account*, the one that was silent
/// longest. Account numbers do not change: another account is another one, and waits until there is room.
///
/// Who was replaced has had a seat, and is refused when it comes again. So nobody gains by turns: each of many computers has
/// a seat once, and after that a person releases one.
fn replaced<'a>(licence: &'a Licence, claim: &Claim<'_>, now: Millis) -> Option<&'a Activation> {
    licence
        .held(now)
        .filter(|seat| seat.account == claim.account && seat.is_bound_to(&licence.policy, claim))
        .filter(|seat| too_many(licence, Some(*seat), claim, now).is_none())
        .min_by_key(|seat| seat.seen_at)
}

/// Whether the licence moves when the asker takes a seat: it goes to an account or computer that it was not with last. A move
/// waits for the cool-down and begins the next one. It is one
///
/// - to take a new seat, be there room for it or does it take another's place. Who changes hardware does just that, and is let
///   in at once where the policy has no cool-down. Another server of the broker is no move: account and computer are the same;
/// - to come back to a free seat after the licence was with others. Otherwise two who have both had a seat could go on by
///   shifts for ever.
///
/// It is none to take up again what one holds, as after a restart, or to come back to where the licence was last.
fn moves(licence: &Licence, own: Option<&Activation>, now: Millis) -> bool {
    own.is_none_or(|own| !own.is_held(&licence.policy, now) && !was_last(licence, own, now))
}

/// Whether a free seat is where the licence was last. One for several computers was last at several: then the seat counts as
/// long as it, those that are held and those that were used since are no more than the licence is for. Seats that nobody
/// counts strictly can all be used at once, so shifts gain nothing.
fn was_last(licence: &Licence, own: &Activation, now: Millis) -> bool {
    let (policy, seats) = (&licence.policy, licence.policy.seats);
    let since = |seat: &&Activation| seat.is_held(policy, now) || seat.seen_at >= own.seen_at;
    let used = || licence.activations.iter().filter(since);
    let machines: BTreeSet<&str> = used().map(|seat| seat.machine.as_str()).collect();
    let accounts: BTreeSet<&str> = used().map(|seat| seat.account.as_str()).collect();
    let fits = |used: usize, max: Option<u32>| max.is_none_or(|max| used <= max as usize);
    seats.overage == Overage::Allowed || (fits(machines.len(), seats.machines) && fits(accounts.len(), seats.accounts))
}

/// How many computers and accounts have seats once the asker has one in place of the one that is left: its own, or another's.
fn used(licence: &Licence, left: Option<&Activation>, claim: &Claim<'_>, now: Millis) -> (usize, usize) {
    let others = || licence.held(now).filter(|seat| left.is_none_or(|left| left.id != seat.id));
    if others().next().is_none() {
        return (1, 1);
    }
    let mut machines: BTreeSet<&str> = others().map(|seat| seat.machine.as_str()).collect();
    let mut accounts: BTreeSet<&str> = others().map(|seat| seat.account.as_str()).collect();
    machines.insert(claim.machine);
    accounts.insert(claim.account);
    (machines.len(), accounts.len())
}

fn terms(licence: &Licence, seat: Option<&Activation>, ask: Ask, now: Millis) -> Terms {
    let policy = &licence.policy;
    let expires_at = licence.expires_once_asked(ask, now);
    let longest = now.plus(OFFLINE_MS_MAX);
    let end = expires_at.map_or(longest, |end| end.plus(policy.grace_ms).min(longest));
    // A floating seat is another's once nothing was heard of it for so long: until then, and no longer, it may be used unheard.
    // Who activates is heard now. Who names a seat was heard when the seat was last held, and not every question holds it.
    let heard_at = seat.filter(|_| ask != Ask::Activate).map_or(now, |seat| seat.seen_at);
    let end =
        policy.floating.map_or(end, |floating| end.min(heard_at.plus(floating.window_ms).plus(floating.drift_ms)));
    let lease_until = now.plus(policy.lease_ms.max(0)).min(end);
    let grace_until = lease_until.plus(policy.offline_grace_ms.max(0)).min(end);
    Terms { lease_until, grace_until, expires_at }
}

fn notices(licence: &Licence, seat: Option<&Activation>, claim: &Claim<'_>, now: Millis) -> Vec<Notice> {
    let (machines, accounts) = used(licence, seat, claim, now);
    let seats = licence.policy.seats;
    let over = |used: usize, max: Option<u32>| max.is_some_and(|max| used > max as usize);
    let end = licence.expires_once_asked(claim.ask, now);
    let ended = end.is_some_and(|end| now >= end);
    let soon = !ended && end.is_some_and(|end| now >= end.plus(-SOON_MS));
    [
        (Notice::ExpiresSoon, soon),
        (Notice::ExpiredGrace, ended),
        (Notice::Overage, over(machines, seats.machines) || over(accounts, seats.accounts)),
        (Notice::UpdateAvailable, claim.latest.is_some_and(|latest| latest > claim.version)),
    ]
    .into_iter()
    .filter_map(|(notice, holds)| holds.then_some(notice))
    .collect()
}
