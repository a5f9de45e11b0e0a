//! What holds whatever is asked, in whatever order.

use super::*;
use crate::time::{DAY_MS, HOUR_MS};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn policies() -> impl Strategy<Value = Policy> {
    let term = prop_oneof![
        Just(Term::Perpetual),
        (-20..40_i64).prop_map(|days| Term::Until(NOW.plus(days * DAY_MS))),
        (prop_oneof![Just(Since::Creation), Just(Since::FirstUse), Just(Since::Activation)], 0..40_i64)
            .prop_map(|(since, days)| Term::For { since, ms: days * DAY_MS }),
    ];
    let seats = (proptest::option::of(0..4_u32), proptest::option::of(0..4_u32))
        .prop_map(|(machines, accounts)| Seats { machines, accounts, overage: Overage::Strict });
    let binding = prop_oneof![Just(Binding::Any), Just(Binding::Most), Just(Binding::All)];
    let floating = proptest::option::of(Just(Floating::default()));
    let times = (0..3 * DAY_MS, 0..90 * DAY_MS, 0..90 * DAY_MS, 0..DAY_MS);
    (term, seats, binding, floating, times).prop_map(
        |(term, seats, binding, floating, (grace_ms, lease_ms, offline_grace_ms, cooldown_ms))| Policy {
            term,
            seats,
            binding,
            floating,
            grace_ms,
            lease_ms,
            offline_grace_ms,
            cooldown_ms,
            ..Policy::default()
        },
    )
}

/// Something that happens: after so long, at one of three computers with one of three accounts.
#[derive(Debug, Clone)]
struct Step {
    after_ms: i64,
    machine: usize,
    account: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Activate,
    Heartbeat(usize),
    Release(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        3 => Just(What::Activate),
        2 => (0..8_usize).prop_map(What::Heartbeat),
        1 => (0..8_usize).prop_map(What::Release),
    ];
    let step = (0..20 * 60_000_i64, 0..3_usize, 0..3_usize, what);
    proptest::collection::vec(step, 0..40).prop_map(|steps| {
        let step = |(after_ms, machine, account, what)| Step { after_ms, machine, account, what };
        steps.into_iter().map(step).collect()
    })
}

const MACHINES: [&str; 3] = [HOME, OFFICE, "cellar"];
const ACCOUNTS: [&str; 3] = ["5001", "6002", "7003"];

/// What a step says of itself.
fn claimed(step: &Step, ask: Ask) -> Claim<'static> {
    Claim { machine: MACHINES[step.machine], account: ACCOUNTS[step.account], ..claim(ask) }
}

/// What whoever keeps the licence does about a verdict.
fn apply(licence: &mut Licence, step: &Step, now: Millis) -> Option<Terms> {
    let at = |index: usize| licence.activations.get(index).map(|seat| seat.id);
    let ask = match step.what {
        What::Activate => Ask::Activate,
        What::Heartbeat(index) | What::Release(index) => Ask::Seat(at(index)?),
    };
    let claim = claimed(step, ask);
    let Verdict::Valid { seat: own, instead_of, moves, terms, .. } = decide(licence, &claim, now) else { return None };
    licence.first_used_at.get_or_insert(now);
    licence.activations.iter_mut().filter(|seat| Some(seat.id) == instead_of).for_each(|seat| seat.released = true);
    let found = licence.activations.iter_mut().find(|seat| Some(seat.id) == own);
    match (&step.what, found) {
        (What::Activate, Some(seat)) => (seat.seen_at, seat.released) = (now, false),
        (What::Activate, None) => {
            let id = i64::try_from(licence.activations.len()).unwrap() + 1;
            licence.activations.push(Activation { seen_at: now, ..seat(id, claim.account, claim.machine) });
        }
        (What::Heartbeat(_), Some(seat)) => seat.seen_at = now,
        (What::Release(_), Some(seat)) => seat.released = true,
        (_, None) => {}
    }
    if matches!(step.what, What::Activate) {
        licence.first_activated_at.get_or_insert(now);
    }
    if moves {
        licence.moved_at = Some(now);
    }
    Some(terms)
}

proptest! {
    #[test]
    fn seats_are_never_exceeded_and_leases_end_in_time(policy in policies(), steps in steps()) {
        let (mut licence, mut now) = (licence(policy), NOW);
        for step in steps {
            now = now.plus(step.after_ms);
            if let Some(terms) = apply(&mut licence, &step, now) {
                let claim = claimed(&step, Ask::Nothing);
                let counted = licence.held(now).any(|seat| seat.counts_for(&claim));
                prop_assert!(counted || matches!(step.what, What::Release(_)), "{step:?} has a yes and is not counted");
                prop_assert!(now <= terms.lease_until && terms.lease_until <= terms.grace_until);
                prop_assert!(terms.grace_until <= now.plus(OFFLINE_MS_MAX));
                if let Some(floating) = policy.floating {
                    prop_assert!(terms.grace_until <= now.plus(floating.window_ms + floating.drift_ms), "its seat is another's");
                }
                if let Some(end) = licence.expires_at() {
                    prop_assert!(terms.grace_until <= end.plus(policy.grace_ms), "{:?}", terms);
                }
            }
            let machines: BTreeSet<&str> = licence.held(now).map(|seat| seat.machine.as_str()).collect();
            let accounts: BTreeSet<&str> = licence.held(now).map(|seat| seat.account.as_str()).collect();
            prop_assert!(policy.seats.machines.is_none_or(|max| machines.len() <= max as usize), "{machines:?}");
            prop_assert!(policy.seats.accounts.is_none_or(|max| accounts.len() <= max as usize), "{accounts:?}");
        }
    }

    #[test]
    fn one_licence_waits_between_two(policy in policies(), cooldown_ms in 1..2 * HOUR_MS, steps in steps()) {
        let seats = Seats { machines: Some(1), accounts: Some(1), overage: Overage::Strict };
        let (mut licence, mut now) = (licence(Policy { term: Term::Perpetual, seats, cooldown_ms, ..policy }), NOW);
        let mut with: Option<(usize, usize, Millis)> = None;
        for step in steps {
            now = now.plus(step.after_ms);
            if apply(&mut licence, &step, now).is_none() || !matches!(step.what, What::Activate) {
                continue;
            }
            let elsewhere = with.filter(|(machine, account, _)| (*machine, *account) != (step.machine, step.account));
            if let Some((.., since)) = elsewhere {
                prop_assert!(now.since(since) >= cooldown_ms, "{:?} after {} ms", step, now.since(since));
            }
            if with.is_none() || elsewhere.is_some() {
                with = Some((step.machine, step.account, now));
            }
        }
    }

    #[test]
    fn what_has_ended_stays_so(policy in policies(), steps in steps(), later_ms in 0..400 * DAY_MS) {
        let (mut licence, mut now) = (licence(policy), NOW);
        for step in steps {
            now = now.plus(step.after_ms);
            apply(&mut licence, &step, now);
        }
        for ask in [Ask::Activate, MINE, Ask::Nothing] {
            if code(&licence, &claim(ask), now) == "EXPIRED" {
                prop_assert_eq!(code(&licence, &claim(ask), now.plus(later_ms)), "EXPIRED");
            }
            let revoked = Licence { state: State::Revoked, ..licence.clone() };
            prop_assert_eq!(code(&revoked, &claim(ask), now.plus(later_ms)), "REVOKED");
        }
    }
}
