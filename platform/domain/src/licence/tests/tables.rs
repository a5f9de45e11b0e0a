//! Each question, with what answers it.

use super::*;
use crate::time::{DAY_MS, HOUR_MS};

#[test]
fn what_refuses_whoever_asks() {
    type Change = fn(&mut Licence, &mut Claim<'static>);
    let table: [(&str, Change); 12] = [
        ("VALID", |_, _| {}),
        ("KEY_REPLACED", |_, claim| claim.key_replaced = true),
        ("REVOKED", |licence, _| licence.state = State::Revoked),
        ("SUSPENDED", |licence, _| licence.state = State::Suspended),
        ("PRODUCT_MISMATCH", |_, claim| claim.product = ProductId(2)),
        ("PLAN_REQUIRED", |licence, _| licence.granted = false),
        ("EXPIRED", |licence, _| licence.policy.term = Term::Until(NOW)),
        ("DEMO_ONLY", |licence, claim| {
            licence.policy.kinds = Kinds::Demo;
            claim.kind = Kind::Live;
        }),
        ("LIVE_ONLY", |licence, claim| {
            licence.policy.kinds = Kinds::Live;
            claim.kind = Kind::Contest;
        }),
        ("VERSION_TOO_OLD", |licence, _| licence.policy.minimum_version = Some(Version([1, 21, 0]))),
        ("VERSION_YANKED", |_, claim| claim.yanked = true),
        ("VALID", |licence, _| licence.policy.minimum_version = Some(Version([1, 20, 0]))),
    ];
    for (at, (wanted, change)) in table.iter().enumerate() {
        for ask in [MINE, Ask::Activate] {
            let (mut licence, mut claim) = (seated(Policy::default()), claim(ask));
            change(&mut licence, &mut claim);
            assert_eq!(code(&licence, &claim, NOW), *wanted, "{ask:?}");
            // What stands earlier in the table is said first, whatever comes later.
            for (earlier, before) in table.iter().take(at).filter(|(earlier, _)| *earlier != "VALID") {
                let (mut licence, mut claim) = (licence.clone(), claim);
                before(&mut licence, &mut claim);
                let both_kinds = *earlier == "DEMO_ONLY" && *wanted == "LIVE_ONLY";
                assert!(both_kinds || code(&licence, &claim, NOW) == *earlier, "{earlier} before {wanted}");
            }
        }
    }
}

#[test]
fn nobody_is_told_to_take_what_was_withdrawn() {
    for (latest, wanted) in [
        (Some(Version([1, 19, 0])), "Download version 1.19 from the portal."),
        (None, "There is no other yet: ask support when there will be."),
    ] {
        let claim = Claim { yanked: true, latest, ..claim(MINE) };
        let Verdict::Refused(refusal) = decide(&seated(Policy::default()), &claim, NOW) else { panic!("withdrawn") };
        assert_eq!(refusal, Refusal::VersionYanked { latest });
        assert_eq!(refusal.to_string(), format!("This version of the EA was withdrawn. {wanted}"));
    }
}

#[test]
fn a_term_runs_from_what_the_policy_names() {
    let trial = |since| Policy { term: Term::For { since, ms: DAY_MS }, ..Policy::default() };
    let long_ago = NOW.plus(-2 * DAY_MS);
    for (since, used, activated, ask, wanted) in [
        (Since::Creation, None, None, Ask::Activate, "EXPIRED"),
        (Since::FirstUse, None, None, Ask::Activate, "VALID"),
        (Since::FirstUse, Some(long_ago), None, Ask::Activate, "EXPIRED"),
        (Since::FirstUse, Some(NOW.plus(1 - DAY_MS)), None, Ask::Activate, "VALID"),
        (Since::Activation, Some(long_ago), None, Ask::Activate, "VALID"),
        (Since::Activation, Some(long_ago), Some(long_ago), Ask::Activate, "EXPIRED"),
        (Since::Activation, None, Some(NOW.plus(-DAY_MS)), MINE, "EXPIRED"),
        (Since::Activation, None, Some(NOW.plus(1 - DAY_MS)), MINE, "VALID"),
    ] {
        let mut licence = seated(trial(since));
        (licence.created_at, licence.first_used_at, licence.first_activated_at) = (long_ago, used, activated);
        assert_eq!(code(&licence, &claim(ask), NOW), wanted, "{since:?} {used:?} {activated:?} {ask:?}");
    }
    // What is asked for now is the first: its lease ends with the trial.
    let Verdict::Valid { terms, .. } = decide(&licence(trial(Since::Activation)), &claim(Ask::Activate), NOW) else {
        panic!("a trial begins");
    };
    assert_eq!((terms.expires_at, terms.grace_until), (Some(NOW.plus(DAY_MS)), NOW.plus(DAY_MS)));
}

#[test]
fn grace_after_the_end() {
    let policy = Policy { term: Term::Until(NOW), grace_ms: HOUR_MS, ..Policy::default() };
    let licence = seated(policy);
    for (after_ms, wanted, notice) in [
        (-8 * DAY_MS, "VALID", None),
        (-7 * DAY_MS, "VALID", Some(Notice::ExpiresSoon)),
        (-1, "VALID", Some(Notice::ExpiresSoon)),
        (0, "VALID", Some(Notice::ExpiredGrace)),
        (HOUR_MS - 1, "VALID", Some(Notice::ExpiredGrace)),
        (HOUR_MS, "EXPIRED", None),
    ] {
        let now = NOW.plus(after_ms);
        assert_eq!(code(&licence, &claim(MINE), now), wanted, "{after_ms}");
        if let Verdict::Valid { notices, terms, .. } = decide(&licence, &claim(MINE), now) {
            assert_eq!(notices.first().copied(), notice, "{after_ms}");
            assert!(terms.grace_until <= NOW.plus(HOUR_MS), "{after_ms}");
        }
    }
}

#[test]
fn a_seat_that_was_named() {
    let floating = Policy { floating: Some(Floating::default()), ..Policy::default() };
    let licence = seated(floating);
    for (after_ms, wanted) in [(0, "VALID"), (630_000, "VALID"), (630_001, "HEARTBEAT_MISSED")] {
        assert_eq!(code(&licence, &claim(MINE), NOW.plus(after_ms)), wanted, "{after_ms}");
    }
    assert_eq!(code(&licence, &claim(Ask::Seat(ActivationId(2))), NOW), "NOT_ACTIVATED");
    assert_eq!(code(&licence, &claim(Ask::Nothing), NOW), "NOT_ACTIVATED");
    let mut released = licence.clone();
    released.activations[0].released = true;
    assert_eq!(code(&released, &claim(MINE), NOW), "RELEASED");
    let mut lapsed = licence.clone();
    lapsed.activations[0].lapsed = true;
    assert_eq!(code(&lapsed, &claim(MINE), NOW), "HEARTBEAT_MISSED", "what was lost stays lost");
    // Neither a heartbeat nor an activation brings back what was revoked.
    let revoked = Licence { state: State::Revoked, ..licence };
    assert_eq!((code(&revoked, &claim(MINE), NOW), code(&revoked, &claim(Ask::Activate), NOW)), ("REVOKED", "REVOKED"));
}

#[test]
fn who_only_asks_may_not_use_a_floating_seat_longer_than_it_is_held() {
    let licence = seated(Policy { floating: Some(Floating::default()), ..Policy::default() });
    for (ask, after_ms, wanted_ms) in [
        (MINE, 0, 630_000),
        (MINE, 300_000, 630_000),
        (MINE, 630_000, 630_000),
        // Who activates is heard by it.
        (Ask::Activate, 0, 630_000),
        (Ask::Activate, 300_000, 930_000),
    ] {
        let Verdict::Valid { terms, .. } = decide(&licence, &claim(ask), NOW.plus(after_ms)) else { panic!("held") };
        let wanted = NOW.plus(wanted_ms);
        assert_eq!((terms.lease_until, terms.grace_until), (wanted, wanted), "{ask:?} after {after_ms} ms");
    }
}

#[test]
fn bindings() {
    // What is forgiven in account or computer is asked for anew, because it is counted.
    let (valid, anew, other) = ("VALID", "NOT_ACTIVATED", "BINDING_MISMATCH");
    for (account, server, machine, all, most, any) in [
        ("5001", "Broker-Demo", HOME, valid, valid, valid),
        ("5001", "Broker-Live", HOME, other, valid, valid),
        ("6002", "Broker-Demo", HOME, other, anew, anew),
        ("5001", "Broker-Demo", OFFICE, other, anew, anew),
        ("5001", "Broker-Live", OFFICE, other, other, anew),
        ("6002", "Broker-Live", HOME, other, other, anew),
        ("6002", "Broker-Live", OFFICE, other, other, other),
    ] {
        for (binding, wanted) in [(Binding::All, all), (Binding::Most, most), (Binding::Any, any)] {
            for (machines, accounts) in [(Some(1), Some(1)), (None, None)] {
                let seats = Seats { machines, accounts, overage: Overage::Strict };
                let licence = seated(Policy { binding, seats, ..Policy::default() });
                let claim = Claim { account, server, machine, ..claim(MINE) };
                assert_eq!(code(&licence, &claim, NOW), wanted, "{binding:?} {account} {server} {machine}");
            }
        }
    }
    let licence = seated(Policy::default());
    let elsewhere = Claim { account: "6002", machine: OFFICE, ..claim(MINE) };
    let Verdict::Refused(refusal) = decide(&licence, &elsewhere, NOW) else { panic!("bound to all") };
    assert_eq!(
        refusal.to_string(),
        "This activation belongs to another account and another machine. Release it in the portal, then start the EA again."
    );
}

#[test]
fn seats() {
    let of = |machines, accounts, overage| Policy { seats: Seats { machines, accounts, overage }, ..Policy::default() };
    let office = Claim { machine: OFFICE, ..claim(Ask::Activate) };
    let second = Claim { account: "6002", ..claim(Ask::Activate) };
    for (policy, claim, wanted) in [
        (of(Some(1), Some(1), Overage::Strict), claim(Ask::Activate), "VALID"),
        (of(Some(1), Some(1), Overage::Strict), office, "TOO_MANY_MACHINES"),
        (of(Some(2), Some(1), Overage::Strict), office, "VALID"),
        (of(None, None, Overage::Strict), office, "VALID"),
        (of(Some(1), Some(1), Overage::Strict), second, "TOO_MANY_ACCOUNTS"),
        (of(Some(1), Some(2), Overage::Strict), second, "VALID"),
        (of(Some(1), Some(1), Overage::Allowed), office, "VALID"),
        (of(Some(0), None, Overage::Strict), claim(Ask::Activate), "TOO_MANY_MACHINES"),
    ] {
        assert_eq!(code(&seated(policy), &claim, NOW), wanted, "{:?} {claim:?}", policy.seats);
    }
    let over = seated(of(Some(1), Some(1), Overage::Allowed));
    let Verdict::Valid { seat, notices, .. } = decide(&over, &office, NOW) else { panic!("allowed") };
    assert_eq!((seat, notices), (None, vec![Notice::Overage]));
    // What was released, or was not heard from, is free at once.
    let mut free = seated(Policy::default());
    free.activations[0].released = true;
    assert_eq!(code(&free, &office, NOW), "VALID");
    let silent = seated(Policy { floating: Some(Floating::default()), ..Policy::default() });
    assert_eq!(code(&silent, &office, NOW.plus(630_000)), "TOO_MANY_MACHINES");
    assert_eq!(code(&silent, &office, NOW.plus(630_001)), "VALID");
}

/// What is answered to who activates beside a seat at home on account 5001: a code, or the seat and whose place it takes.
fn answered(policy: Policy, claim: &Claim<'_>) -> (String, bool) {
    match decide(&seated(policy), claim, NOW) {
        Verdict::Valid { seat: Some(_), notices, .. } => ("its own".to_owned(), notices.contains(&Notice::Overage)),
        Verdict::Valid { instead_of: Some(_), notices, .. } => {
            ("replaces".to_owned(), notices.contains(&Notice::Overage))
        }
        Verdict::Valid { notices, .. } => ("another".to_owned(), notices.contains(&Notice::Overage)),
        Verdict::Refused(refusal) => (refusal.code().to_owned(), false),
    }
}

#[test]
fn no_binding_makes_one_seat_of_two() {
    let many = "TOO_MANY_MACHINES";
    let accounts_many = "TOO_MANY_ACCOUNTS";
    let (one, two) = ((Some(1), Some(1)), (Some(2), Some(2)));
    for (max, account, server, machine, all, most, any) in [
        // Another account is counted, whatever the seat is bound by.
        (one, "6002", "Broker-Demo", HOME, accounts_many, accounts_many, accounts_many),
        ((Some(1), None), "6002", "Broker-Demo", HOME, "another", "another", "another"),
        (two, "6002", "Broker-Demo", HOME, "another", "another", "another"),
        (one, "6002", "Broker-Demo", OFFICE, many, many, many),
        ((None, Some(1)), "6002", "Broker-Demo", OFFICE, accounts_many, accounts_many, accounts_many),
        // Another computer takes the place of one of the same account, where there is no room beside it.
        (one, "5001", "Broker-Demo", OFFICE, many, "replaces", "replaces"),
        (one, "5001", "Broker-Live", OFFICE, many, many, "replaces"),
        (two, "5001", "Broker-Demo", OFFICE, "another", "another", "another"),
        ((None, Some(1)), "5001", "Broker-Demo", OFFICE, "another", "another", "another"),
        // Another server is neither.
        (one, "5001", "Broker-Live", HOME, "another", "its own", "its own"),
        ((Some(0), None), "5001", "Broker-Demo", HOME, many, many, many),
    ] {
        for (binding, wanted) in [(Binding::All, all), (Binding::Most, most), (Binding::Any, any)] {
            let (machines, accounts) = max;
            let of = |overage| Policy { binding, seats: Seats { machines, accounts, overage }, ..Policy::default() };
            let claim = Claim { account, server, machine, ..claim(Ask::Activate) };
            let at = format!("{binding:?} {max:?} {account} {server} {machine}");
            assert_eq!(answered(of(Overage::Strict), &claim), (wanted.to_owned(), false), "{at}");
            // Where more are let in, nobody goes for another, and it is told.
            let (let_in, told) = answered(of(Overage::Allowed), &claim);
            assert!(let_in == "another" || let_in == "its own", "{at}: {let_in}");
            assert_eq!(told, wanted.starts_with("TOO_MANY") || wanted == "replaces", "{at}");
        }
    }
}

#[test]
fn of_many_computers_with_one_account_each_is_let_in_once() {
    let mut licence = seated(Policy { binding: Binding::Most, ..Policy::default() });
    let machines: Vec<String> = (2..=20).map(|n| format!("computer {n}")).collect();
    for (machine, id) in machines.iter().zip(2..) {
        let new = Claim { machine, ..claim(Ask::Activate) };
        let Verdict::Valid { seat: None, instead_of: Some(other), moves: true, notices, .. } =
            decide(&licence, &new, NOW)
        else {
            panic!("{machine} is new")
        };
        assert_eq!((other, notices), (ActivationId(id - 1), vec![]), "it goes for the one before");
        licence.activations.iter_mut().filter(|seat| seat.id == other).for_each(|seat| seat.released = true);
        licence.activations.push(seat(id, "5001", machine));
    }
    for machine in machines.iter().take(18).map(String::as_str).chain([HOME]) {
        let again = Claim { machine, ..claim(Ask::Activate) };
        assert_eq!(code(&licence, &again, NOW), "TOO_MANY_MACHINES", "{machine} has had its turn");
    }
    let last = licence.activations.len() - 1;
    licence.activations[last].released = true;
    assert_eq!(code(&licence, &claim(Ask::Activate), NOW), "VALID", "a person has released one");
}

#[test]
fn who_was_silent_longest_is_replaced_if_that_makes_room() {
    let seats = Seats { machines: Some(2), accounts: Some(2), overage: Overage::Strict };
    let mut licence = seated(Policy { binding: Binding::Most, seats, ..Policy::default() });
    licence.activations = vec![
        seat(1, "5001", HOME),
        // At home there is another account, so the computer stays even if this one goes.
        seat(2, "6002", HOME),
        Activation { seen_at: NOW.plus(1), ..seat(3, "5001", OFFICE) },
    ];
    let new = Claim { machine: "new", ..claim(Ask::Activate) };
    let replaced = |licence: &Licence| match decide(licence, &new, NOW) {
        Verdict::Valid { instead_of, .. } => instead_of.map(|id| id.0),
        Verdict::Refused(refusal) => panic!("{refusal}"),
    };
    assert_eq!(replaced(&licence), Some(3));
    licence.activations[1] = Activation { released: true, ..seat(2, "6002", HOME) };
    assert_eq!(replaced(&licence), Some(1));
    licence.activations[2].account = "6002".to_owned();
    licence.activations[0].account = "6002".to_owned();
    assert_eq!(code(&licence, &new, NOW), "TOO_MANY_MACHINES", "none of them is this account's");
}

#[test]
fn who_comes_again_takes_up_the_old_seat() {
    let mut licence = seated(Policy { binding: Binding::Most, ..Policy::default() });
    licence.activations.push(Activation { released: true, ..seat(2, "5001", OFFICE) });
    let seat_of = |claim: &Claim<'_>| match decide(&licence, claim, NOW) {
        Verdict::Valid { seat, .. } => seat,
        Verdict::Refused(refusal) => panic!("{refusal}"),
    };
    assert_eq!(seat_of(&claim(Ask::Activate)), Some(ActivationId(1)), "the one that is most like it");
    let renamed = Claim { server: "Broker-Demo-2", ..claim(Ask::Activate) };
    assert_eq!(seat_of(&renamed), Some(ActivationId(1)), "two of three are enough");
}

#[test]
fn a_licence_does_not_wander() {
    let mut licence = seated(Policy { cooldown_ms: HOUR_MS, ..Policy::default() });
    licence.activations[0].released = true;
    let office = Claim { machine: OFFICE, ..claim(Ask::Activate) };
    let Verdict::Refused(refusal) = decide(&licence, &office, NOW.plus(HOUR_MS - 1)) else { panic!("too early") };
    assert_eq!(refusal, Refusal::TransferCooldown { retry_at: NOW.plus(HOUR_MS) });
    assert_eq!(code(&licence, &office, NOW.plus(HOUR_MS)), "VALID");
    assert_eq!(code(&licence, &claim(Ask::Activate), NOW), "VALID", "who had it takes it up at once");
}

#[test]
fn a_seat_that_goes_to_another_is_a_move() {
    for (binding, account, server, machine, released, moves) in [
        (Binding::All, "5001", "Broker-Demo", HOME, false, false),
        (Binding::All, "5001", "Broker-Demo", OFFICE, true, true),
        (Binding::Most, "5001", "Broker-Live", HOME, false, false),
        (Binding::Most, "5001", "Broker-Live", HOME, true, false),
        (Binding::Most, "5001", "Broker-Demo", OFFICE, false, true),
        (Binding::Most, "5001", "Broker-Demo", OFFICE, true, true),
        (Binding::Most, "6002", "Broker-Demo", HOME, true, true),
        (Binding::Any, "5001", "Broker-Live", OFFICE, false, true),
        (Binding::Any, "6002", "Broker-Demo", OFFICE, true, true),
    ] {
        let asked = Claim { account, server, machine, ..claim(Ask::Activate) };
        let at = format!("{binding:?} {account} {server} {machine}, released: {released}");
        let mut licence = seated(Policy { binding, ..Policy::default() });
        licence.activations[0].released = released;
        // Without a cool-down new hardware, or another account on a seat that is free, is let in at once.
        let Verdict::Valid { seat, instead_of, moves: moved, .. } = decide(&licence, &asked, NOW) else {
            panic!("{at}")
        };
        assert_eq!((seat.is_none(), moved), (moves, moves), "{at}");
        assert_eq!(instead_of, (moves && !released).then_some(ActivationId(1)), "{at}");
        licence.policy.cooldown_ms = HOUR_MS;
        let early = if moves { "TRANSFER_COOLDOWN" } else { "VALID" };
        assert_eq!(code(&licence, &asked, NOW.plus(HOUR_MS - 1)), early, "{at}");
        assert_eq!(code(&licence, &asked, NOW.plus(HOUR_MS)), "VALID", "{at}");
    }
    let Verdict::Valid { moves, .. } = decide(&licence(Policy::default()), &claim(Ask::Activate), NOW) else {
        panic!("the first seat")
    };
    assert!(moves);
    let Verdict::Valid { moves, .. } = decide(&seated(Policy::default()), &claim(MINE), NOW) else { panic!("valid") };
    assert!(!moves, "who only asks moves nothing");
}

#[test]
fn two_who_know_a_licence_do_not_use_it_by_shifts() {
    let mut licence = seated(Policy { cooldown_ms: HOUR_MS, ..Policy::default() });
    licence.activations = vec![
        Activation { seen_at: NOW.plus(-1), released: true, ..seat(1, "5001", HOME) },
        Activation { released: true, ..seat(2, "5001", OFFICE) },
    ];
    let (home, office) = (claim(Ask::Activate), Claim { machine: OFFICE, ..claim(Ask::Activate) });
    let both = |licence: &Licence| [&home, &office].map(|claim| code(licence, claim, NOW.plus(HOUR_MS - 1)));
    assert_eq!(both(&licence), ["TRANSFER_COOLDOWN", "VALID"], "it was last at the office");
    let Verdict::Valid { moves, .. } = decide(&licence, &home, NOW.plus(HOUR_MS)) else { panic!("it has waited") };
    assert!(moves, "and the office waits next");
    // One for two computers was last at both, until a third has one of its seats.
    licence.policy.seats.machines = Some(2);
    assert_eq!(both(&licence), ["VALID", "VALID"]);
    licence.activations.push(Activation { seen_at: NOW.plus(-2), ..seat(3, "5001", "cellar") });
    assert_eq!(both(&licence), ["TRANSFER_COOLDOWN", "VALID"]);
    licence.policy.seats = Seats { machines: Some(1), accounts: Some(1), overage: Overage::Allowed };
    assert_eq!(both(&licence), ["VALID", "VALID"], "all may use it at once");
}

#[test]
fn terms_of_a_perpetual_licence() {
    let Verdict::Valid { terms, notices, seat, .. } = decide(&seated(Policy::default()), &claim(MINE), NOW) else {
        panic!("valid");
    };
    let wanted = Terms { lease_until: NOW.plus(DAY_MS), grace_until: NOW.plus(4 * DAY_MS), expires_at: None };
    assert_eq!((terms, notices, seat), (wanted, vec![], Some(ActivationId(1))));
    let newer = Claim { latest: Some(Version([1, 30, 0])), ..claim(MINE) };
    let Verdict::Valid { notices, .. } = decide(&seated(Policy::default()), &newer, NOW) else { panic!("valid") };
    assert_eq!(notices, vec![Notice::UpdateAvailable]);
}
