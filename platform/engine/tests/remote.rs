//! What is taken from a venue with books of its own, case by case: each execution counts once, none is dropped, and what is
//! unknown is asked about at growing waits, never sent again.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    decision::{Denial, Intent, Outcome},
    fixed::Money,
    id::{InstrumentId, OrderId, PositionId},
    kill::{Authority, Kill, KillMode, KillScope},
    ledger::movement::{Memo, Movement, MovementDenial, MovementKind},
    order::{OrderState, Side},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Record, Refusal, Shard,
    port::VenueReport,
    routed::{ASKS_MAX, DisputeKind, ENDED_KEPT},
    state::State,
};
use std::sync::Arc;
use support::{
    NativeHost, NoHistory, close, instrument, open,
    scripted::{ACCOUNT, Bench, ended, exited, filled, lots},
};

#[test]
fn an_execution_counts_once_however_often_and_wherever_it_is_told() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([VenueReport::Acked { order: id }, filled(id, "a", "0.4"), filled(id, "a", "0.4")]);
    assert_eq!((bench.order(id).filled, bench.held(id)), (lots("0.4"), Some(lots("0.4"))));
    // In an answer, and again after its end.
    let said = vec![VenueReport::Acked { order: id }, filled(id, "a", "0.4"), filled(id, "b", "0.6")];
    bench.say([VenueReport::Found { order: id, said, waits: None }]);
    assert_eq!((bench.order(id).state, bench.held(id)), (OrderState::Filled, Some(lots("1"))));
    let before = bench.journal.records.len();
    bench.say([filled(id, "b", "0.6"), filled(id, "a", "0.4")]);
    assert_eq!(bench.journal.records.len(), before, "what is known is no news");
    // Two fills of the same size and price are two fills.
    let other = bench.buy("1");
    bench.say([filled(other, "c", "0.5"), filled(other, "d", "0.5")]);
    assert_eq!(bench.held(other), Some(lots("1")));
    bench.check();
}

#[test]
fn executions_are_known_after_a_restart() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([filled(id, "a", "1")]);
    let mut state = State::default();
    bench.journal.records.iter().for_each(|record| state.apply(record));
    let mut shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
    let mark = bench.desk.shard_mut().mark();
    shard.restore(state, mark);
    bench.desk = Desk::new(shard, bench.venue.clone());
    bench.desk.recover(&mut bench.journal).unwrap();
    assert_eq!(bench.venue.script().asked, [id], "its level may have closed the position meanwhile");
    bench.say([VenueReport::Found { order: id, said: vec![filled(id, "a", "1"), exited(id, "z", "1")], waits: None }]);
    assert_eq!(bench.held(id), None);
    bench.say([exited(id, "z", "1"), filled(id, "a", "1")]);
    assert_eq!((bench.held(id), bench.disputes()), (None, vec![]));
    bench.check();
}

/// A fill is taken in whatever is thought of the order; after its end it is also said aloud.
#[test]
fn a_fill_is_taken_wherever_the_order_is() {
    let lost = |order| VenueReport::Lost { order };
    type Before = fn(&mut Bench, OrderId);
    let cases: [(&str, Before, OrderState, Option<DisputeKind>); 6] = [
        ("before its acknowledgement", |_, _| {}, OrderState::Filled, None),
        ("acknowledged", |b, id| b.say([VenueReport::Acked { order: id }]), OrderState::Filled, None),
        ("unknown", |b, id| b.say([VenueReport::Lost { order: id }]), OrderState::Filled, None),
        (
            "after a reject",
            |b, id| b.say([VenueReport::Rejected { order: id, reason: "no".into() }]),
            OrderState::Rejected,
            Some(DisputeKind::FilledAfterEnd),
        ),
        ("after its end there", |b, id| b.say([ended(id)]), OrderState::Cancelled, Some(DisputeKind::FilledAfterEnd)),
        (
            "after its withdrawal here",
            |b, id| {
                b.say([VenueReport::Acked { order: id }]);
                b.want(Intent::Cancel { order: id });
            },
            OrderState::Cancelled,
            Some(DisputeKind::FilledAfterEnd),
        ),
    ];
    for (when, before, state, dispute) in cases {
        let mut bench = Bench::new();
        let id = bench.buy("1");
        before(&mut bench, id);
        bench.say([filled(id, "a", "1"), filled(id, "a", "1")]);
        assert_eq!((bench.order(id).state, bench.order(id).filled), (state, lots("1")), "{when}");
        assert_eq!((bench.held(id), bench.disputes()), (Some(lots("1")), dispute.into_iter().collect()), "{when}");
        // An acknowledgement that comes last changes nothing.
        bench.say([VenueReport::Acked { order: id }, lost(id)]);
        assert_eq!(bench.order(id).state, state, "{when}");
        bench.check();
    }
}

#[test]
fn what_is_beyond_an_order_is_booked_and_said_aloud() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([filled(id, "a", "1.5")]);
    assert_eq!((bench.order(id).filled, bench.held(id)), (lots("1"), Some(lots("1.5"))));
    assert_eq!(bench.disputes(), [DisputeKind::Overfilled]);
    // Closed by more than there is: the rest stands the other way.
    let Outcome::Approved { order: closing, .. } = bench.want(close(PositionId(id.0))) else { panic!() };
    bench.say([filled(closing, "b", "2")]);
    let rest = bench.state().position(PositionId(closing.0)).unwrap();
    assert_eq!((bench.held(id), rest.side, rest.lots), (None, Side::Sell, lots("0.5")));
    assert_eq!(bench.disputes().len(), 2);
    bench.check();
    // Nobody's order: nobody's book, but not silence.
    bench.say([filled(OrderId(999), "c", "1"), exited(OrderId(998), "d", "1")]);
    assert_eq!(bench.disputes()[2..], [DisputeKind::UnknownOrder; 2]);
    bench.check();
}

/// A part that trades after the position was closed opens it again, and the position goes on with what it earned.
#[test]
fn a_late_part_opens_its_position_again() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([filled(id, "a", "0.5")]);
    let Outcome::Approved { order: closing, .. } = bench.want(close(PositionId(id.0))) else { panic!() };
    bench.say([filled(closing, "b", "0.5")]);
    assert_eq!((bench.held(id), bench.order(id).state), (None, OrderState::Cancelled), "its rest was withdrawn");
    bench.say([filled(id, "c", "0.5")]);
    let position = bench.state().position(PositionId(id.0)).unwrap();
    assert_eq!((position.lots, position.closed_lots), (lots("0.5"), lots("0.5")));
    assert_eq!(bench.disputes(), [DisputeKind::FilledAfterEnd]);
    bench.check();
}

#[test]
fn a_level_that_closed_more_than_is_known_is_asked_about() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([filled(id, "a", "0.5"), exited(id, "x", "1")]);
    assert_eq!((bench.held(id), bench.disputes()), (Some(lots("0.5")), vec![]));
    assert_eq!(bench.venue.script().asked, [id]);
    let said = vec![filled(id, "a", "0.5"), filled(id, "b", "0.5"), exited(id, "x", "1")];
    bench.say([VenueReport::Found { order: id, said, waits: None }]);
    assert_eq!((bench.held(id), bench.order(id).state), (None, OrderState::Filled));
    // When its whole account does not explain it, that is said aloud and not guessed.
    let other = bench.buy("1");
    bench.say([filled(other, "c", "1")]);
    let said = vec![filled(other, "c", "1"), exited(other, "y", "3")];
    bench.say([VenueReport::Found { order: other, said, waits: None }]);
    assert_eq!((bench.held(other), bench.disputes()), (Some(lots("1")), vec![DisputeKind::Unplaced]));
    bench.check();
}

#[test]
fn an_unknown_order_is_asked_about_at_growing_waits_and_then_a_person_is() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([VenueReport::Lost { order: id }]);
    assert_eq!(bench.venue.script().asked.len(), 1);
    let mut waits = Vec::new();
    let (mut last, mut second) = (0, 0);
    while second < 4_000 {
        second += 1;
        bench.pass(1_000);
        let asked = bench.venue.script().asked.len();
        if asked > waits.len() + 1 {
            waits.push(second - last);
            last = second;
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300, 300]);
    assert_eq!(bench.venue.script().asked.len(), usize::from(ASKS_MAX));
    assert_eq!(bench.venue.script().submitted, [id], "never a blind resend");
    let given_up = |r: &&Record| matches!(r, Record::Asked { asking, .. } if asking.is_given_up());
    assert_eq!(bench.journal.records.iter().filter(given_up).count(), 1, "a person is told, once");
    // The account takes no new risk, and no money leaves it.
    let denied = bench.want(open(InstrumentId(1), Side::Buy, lots("1")));
    assert_eq!(denied, Outcome::Denied(Denial::AccountUncertain));
    let memo = Memo { reference: "w".into(), note: String::new() };
    let movement = Movement { kind: MovementKind::Withdrawal, amount: Money::whole(1), memo };
    let refused = bench.command(Command::MoveMoney { account: ACCOUNT, movement });
    assert_eq!(refused, Err(Refusal::Movement(MovementDenial::Uncertain)));
    // The connection comes back: everything is asked anew, and the answer settles it.
    bench.say([VenueReport::Gap]);
    assert_eq!(bench.venue.script().asked.len(), usize::from(ASKS_MAX) + 1);
    bench.say([VenueReport::Found { order: id, said: vec![filled(id, "a", "1")], waits: None }]);
    assert_eq!(bench.order(id).state, OrderState::Filled);
    assert!(!bench.state().accounts[&ACCOUNT].is_uncertain());
    assert!(bench.state().next_question() == Millis(i64::MAX));
    bench.check();
}

#[test]
fn only_a_proof_of_absence_sends_an_order_again_and_only_while_it_is_young() {
    let mut bench = Bench::new();
    let young = bench.buy("1");
    bench.say([VenueReport::Lost { order: young }, VenueReport::NotFound { order: young }]);
    assert_eq!(bench.venue.script().submitted, [young, young]);
    bench.say([filled(young, "a", "1")]);
    let old = bench.buy("1");
    bench.say([VenueReport::Lost { order: old }]);
    bench.pass(2_500);
    bench.say([VenueReport::NotFound { order: old }]);
    assert_eq!((bench.order(old).state, bench.venue.script().submitted.len()), (OrderState::Cancelled, 3));
    // It reached the venue after all: it is withdrawn there.
    bench.say([VenueReport::Acked { order: old }]);
    bench.pass(1_000);
    assert_eq!(bench.venue.script().asked.last(), Some(&old));
    let waits = Some(bench.order(old).kind);
    bench.say([VenueReport::Found { order: old, said: vec![VenueReport::Acked { order: old }], waits }]);
    assert_eq!(bench.venue.script().restated, [old]);
    bench.pass(1_000);
    bench.say([VenueReport::Found { order: old, said: vec![ended(old)], waits: None }]);
    assert!(!bench.state().accounts[&ACCOUNT].is_uncertain() && bench.held(old).is_none());
    bench.check();
}

#[test]
fn a_fill_that_comes_with_the_proof_of_absence_keeps_the_order_from_going_out_again() {
    let mut bench = Bench::new();
    let id = bench.buy("1");
    bench.say([VenueReport::Lost { order: id }]);
    bench.say([VenueReport::NotFound { order: id }, filled(id, "a", "1")]);
    assert_eq!(bench.venue.script().submitted, [id], "it was there when its turn came");
    assert_eq!(bench.order(id).state, OrderState::Filled);
    bench.check();
}

/// What waits is withdrawn when a switch is pressed; what was on its way then, as soon as the venue says that it is there.
#[test]
fn an_order_that_arrives_under_a_kill_switch_is_withdrawn() {
    type Arrives = fn(&mut Bench, OrderId);
    let cases: [(&str, Arrives, &str); 3] = [
        ("acknowledged", |b, id| b.say([VenueReport::Acked { order: id }]), "0"),
        (
            "found when it was asked about",
            |b, id| {
                b.say([VenueReport::Lost { order: id }]);
                let waits = Some(b.order(id).kind);
                b.say([VenueReport::Found { order: id, said: vec![], waits }]);
            },
            "0",
        ),
        ("trading in part", |b, id| b.say([filled(id, "a", "0.4")]), "0.4"),
    ];
    for (how, arrives, traded) in cases {
        let mut bench = Bench::new();
        let id = bench.buy("1");
        let (scope, by, reason) = (KillScope::Account(ACCOUNT), "trader".to_owned(), "a test".to_owned());
        let kill = Kill { scope, mode: KillMode::Stop, authority: Authority::Trader, by, reason, at: Millis(0) };
        bench.command(Command::Kill(kill)).unwrap();
        assert_eq!(bench.order(id).state, OrderState::Sending, "whether it arrived is not known");
        arrives(&mut bench, id);
        assert_eq!((bench.order(id).state, bench.order(id).filled), (OrderState::Cancelled, lots(traded)), "{how}");
        // Like every withdrawal it is in question until the venue says that it is over, and told again until then.
        bench.pass(1_000);
        assert_eq!(bench.venue.script().asked.last(), Some(&id), "{how}");
        let waits = Some(bench.order(id).kind);
        bench.say([VenueReport::Found { order: id, said: vec![], waits }]);
        assert_eq!(bench.venue.script().restated.last(), Some(&id), "{how}");
        bench.check();
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut bench = Bench::new();
    let mut first = None;
    for n in 0..ENDED_KEPT + 20 {
        let id = bench.buy("0.01");
        first.get_or_insert(id);
        bench.say([filled(id, &format!("a{n}"), "0.01"), exited(id, &format!("b{n}"), "0.01")]);
    }
    let routed = &bench.state().accounts[&ACCOUNT].routed;
    assert!(routed.len() <= ENDED_KEPT + 1, "{}", routed.len());
    assert!(bench.state().remembered(first.unwrap()).is_none());
    // What is forgotten is nobody's order: said aloud, not booked.
    bench.say([filled(first.unwrap(), "a0", "0.01")]);
    assert_eq!(bench.disputes(), [DisputeKind::UnknownOrder]);
    bench.check();
}
