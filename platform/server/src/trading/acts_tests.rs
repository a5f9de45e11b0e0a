//! A record and what the log says of it: in whose name, about what.

use super::*;
use marque_domain::{
    decision::Denial,
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, InstrumentId, OrderId, PositionId, UserId},
    order::{Closed, Side},
    ticket::{Amendment, Levels, OrderKind, TimeInForce},
};
use marque_engine::routed::{Asking, Dispute, DisputeKind};

const ACCOUNT: AccountId = AccountId(1);
const DEPLOYMENT: DeploymentId = DeploymentId(2);
const ORDER: OrderId = OrderId(3);
const POSITION: PositionId = PositionId(4);
const DECISION: DecisionId = DecisionId(5);
/// Market time, which no entry has.
const THEN: Millis = Millis(1);
const NOW: Millis = Millis(2);

fn ann() -> Asker {
    let origin = Origin { address: "203.0.113.9".to_owned(), agent: "test".to_owned() };
    Asker { actor: Actor::Person { id: UserId(9), name: "ann@x.example".to_owned() }, origin }
}

fn desk() -> Asker {
    Asker::system("trading desk")
}

/// What stands in the log when this asker asked for what a record is about.
fn told(record: Record, asker: Option<&Asker>) -> Option<Entry> {
    let mut told = entries(&[record], |_| asker, &State::default(), NOW);
    assert!(told.len() <= 1, "{told:?}");
    told.pop()
}

fn made(act: Act, by: Asker, target: String, details: Value) -> Option<Entry> {
    let details = details.as_object().cloned().unwrap_or_default();
    Some(Entry { at: NOW, actor: by.actor, act, target, details, origin: by.origin })
}

fn deployment(status: DeploymentStatus) -> Record {
    Record::DeploymentChanged { deployment: DEPLOYMENT, status, at: THEN }
}

fn asked(asking: Asking) -> Record {
    Record::Asked { account: ACCOUNT, order: ORDER, asking, at: THEN }
}

fn decided(origin: By, intent: Intent, outcome: Outcome) -> Record {
    let (deployment, answers) = (None, Vec::new());
    Record::Decided(Decision { id: DECISION, account: ACCOUNT, deployment, origin, at: THEN, intent, answers, outcome })
}

fn approved() -> Outcome {
    Outcome::Approved { order: ORDER, lots: Lots::whole(1) }
}

fn amend() -> Intent {
    let (kind, levels) = (OrderKind::Market, Levels::default());
    Intent::Amend { order: ORDER, to: Amendment { kind, time_in_force: TimeInForce::Gtc, levels } }
}

#[test]
fn what_happens_by_itself_is_the_desks_whoever_asks_for_something() {
    let dispute = Dispute {
        kind: DisputeKind::Overfilled,
        account: Some(ACCOUNT),
        order: ORDER,
        execution: ExecutionId::new("x-1").unwrap(),
        lots: Lots::whole(2),
        price: Price::whole(3),
        at: THEN,
    };
    let held = AccountStatus::Held("too much at once".to_owned());
    let (equity, bound) = (Money::whole(40), Money::whole(50));
    let (account, order) = (ACCOUNT.to_string(), ORDER.to_string());
    let disputed = json!({
        "account": account, "kind": "overfilled", "execution": "x-1", "lots": "2", "price": "3", "booked": true,
    });
    for (record, act, target, details) in [
        (
            Record::AccountChanged { account: ACCOUNT, status: held, at: THEN },
            Act::AccountChanged,
            account.clone(),
            json!({ "status": "held", "reason": "too much at once" }),
        ),
        (
            Record::MarginCalled { account: ACCOUNT, called: true, equity, bound, at: THEN },
            Act::MarginCalled,
            account.clone(),
            json!({ "called": true, "equity": "40.00", "margin": "50.00" }),
        ),
        (Record::Disputed(dispute), Act::VenueDisputed, order.clone(), disputed),
        (
            asked(Asking { tries: 16, next_at: None }),
            Act::VenueSilent,
            order,
            json!({ "account": account, "questions": 16 }),
        ),
        (
            deployment(DeploymentStatus::Quarantined("it trapped".to_owned())),
            Act::StrategyQuarantined,
            DEPLOYMENT.to_string(),
            json!({ "reason": "it trapped" }),
        ),
    ] {
        assert_eq!(told(record, Some(&ann())), made(act, desk(), target, details), "{act}");
    }
}

#[test]
fn what_is_asked_for_is_the_askers() {
    let paused = DeploymentStatus::Paused("fuel".to_owned());
    let of_decision = json!({ "account": ACCOUNT.to_string(), "decision": DECISION.to_string() });
    let denied = json!({ "account": ACCOUNT.to_string(), "reason": Denial::PositionNotOpen.to_string() });
    let (amend, cancel) = (amend(), Intent::Cancel { order: ORDER });
    let protect = Intent::Protect { position: POSITION, levels: Levels::default() };
    let close = Intent::Close { position: POSITION };
    for (record, act, target, details) in [
        (deployment(paused), Act::StrategyPaused, DEPLOYMENT.to_string(), json!({ "reason": "fuel" })),
        (deployment(DeploymentStatus::Running), Act::StrategyStarted, DEPLOYMENT.to_string(), Value::Null),
        (deployment(DeploymentStatus::Stopped), Act::StrategyStopped, DEPLOYMENT.to_string(), Value::Null),
        (decided(By::Trader, amend, approved()), Act::OrderChanged, ORDER.to_string(), of_decision.clone()),
        (decided(By::Trader, cancel, approved()), Act::OrderCancelled, ORDER.to_string(), of_decision.clone()),
        (decided(By::Trader, protect, approved()), Act::PositionGuarded, POSITION.to_string(), of_decision),
        (
            decided(By::Trader, close, Outcome::Denied(Denial::PositionNotOpen)),
            Act::OrderRefused,
            DECISION.to_string(),
            denied,
        ),
    ] {
        let by_ann = made(act, ann(), target.clone(), details.clone());
        assert_eq!(told(record.clone(), Some(&ann())), by_ann, "{act}");
        assert_eq!(told(record, None), made(act, desk(), target, details), "{act}, when nobody asked");
    }
}

/// A position that ended, with figures that take as much room as any.
fn closed(id: i64, origin: By) -> Record {
    let (lots, price) = (Lots::from_units(i64::MAX), Price::from_units(i64::MAX));
    let profit = Money::from_units(-i64::MAX);
    Record::PositionClosed(Position {
        id: PositionId(id),
        account: ACCOUNT,
        deployment: None,
        instrument: InstrumentId(u32::MAX),
        side: Side::Sell,
        lots,
        closed_lots: Lots::ZERO,
        realised: Money::ZERO,
        open_price: price,
        opened_at: THEN,
        stop_loss: None,
        take_profit: None,
        trail: None,
        closed: Some(Closed { at: THEN, price, profit, origin }),
    })
}

#[test]
fn what_a_kill_switch_closes_is_told_together_and_whole() {
    let switch = Asker::system("kill switch").actor;
    let alone = told(closed(1, By::KillSwitch), Some(&ann())).unwrap();
    assert_eq!((&alone.actor, &alone.target), (&switch, &PositionId(1).to_string()));

    let mut records: Vec<Record> = (1..=20).map(|id| closed(id, By::KillSwitch)).collect();
    records.push(closed(21, By::StopLoss));
    let by_ann = ann();
    let told = entries(&records, |_| Some(&by_ann), &State::default(), NOW);
    let [other, first, second] = &told[..] else { panic!("three entries are wanted") };
    assert_eq!(other.target, PositionId(21).to_string(), "what is not the switch's has an entry each");
    let mut named = Vec::new();
    for (entry, target) in [(first, "16 positions"), (second, "4 positions")] {
        assert_eq!((&entry.actor, entry.act, entry.target.as_str()), (&switch, Act::PositionClosed, target));
        assert!(Value::Object(entry.details.clone()).to_string().len() <= crate::audit::DETAILS_BYTES_MAX);
        named.extend(entry.details["positions"].as_array().unwrap().iter().cloned());
    }
    for (id, found) in (1..).zip(&named) {
        let mut details = alone.details.clone();
        details.insert("position".to_owned(), Value::String(PositionId(id).to_string()));
        assert_eq!(found, &Value::Object(details), "as it would be told alone");
    }
    assert_eq!(named.len(), 20);
}

#[test]
fn what_stands_elsewhere_is_not_in_the_log() {
    for record in [
        // Strategies decide by the thousand; their decisions say so.
        decided(By::Strategy, amend(), approved()),
        decided(By::Strategy, Intent::Cancel { order: ORDER }, approved()),
        decided(By::Strategy, amend(), Outcome::Denied(Denial::PositionNotOpen)),
        // A venue may still answer.
        asked(Asking::at_once(THEN)),
        // What is approved has an order of its own.
        decided(By::Trader, Intent::Close { position: POSITION }, approved()),
    ] {
        assert_eq!(told(record.clone(), Some(&ann())), None, "{record:?}");
    }
}
