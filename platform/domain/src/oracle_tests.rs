//! Each oracle finds what it is there for.

use super::*;
use crate::{
    decision::Intent,
    fixed::Price,
    id::{AccountId, DecisionId},
    order::Purpose,
    ticket::{OrderKind, TimeInForce},
    time::Millis,
};

fn order(id: i64) -> Order {
    Order {
        id: OrderId(id),
        account: AccountId(1),
        deployment: None,
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: Lots::whole(1),
        purpose: Purpose::Open,
        origin: Origin::Trader,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        expires_at: None,
        stop_loss: None,
        take_profit: None,
        trail: None,
        oco: None,
        triggered: false,
        state: OrderState::Filled,
        filled: Lots::whole(1),
        fill_price: Some(Price::whole(1)),
        reason: None,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

fn approved(order: i64) -> Decision {
    Decision {
        id: DecisionId(order - 1),
        account: AccountId(1),
        deployment: None,
        origin: Origin::Trader,
        at: Millis(0),
        intent: Intent::Cancel { order: OrderId(order) },
        answers: vec![],
        outcome: Outcome::Approved { order: OrderId(order), lots: Lots::whole(1) },
    }
}

fn theirs(id: i64) -> VenueOrder {
    VenueOrder {
        id: OrderId(id),
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: Lots::whole(1),
        filled: Lots::whole(1),
        working: false,
    }
}

#[test]
fn intents_without_orders_and_orders_without_intents_are_found() {
    let exit = Order { origin: Origin::StopLoss, ..order(9) };
    assert_eq!(orders_equal_intents(&[order(2), exit], &[approved(2)], &[]), []);
    for (orders, decisions) in
        [(vec![order(2)], vec![]), (vec![], vec![approved(2)]), (vec![order(2), order(2)], vec![approved(2)])]
    {
        assert_eq!(orders_equal_intents(&orders, &decisions, &[]).len(), 1, "{orders:?}");
    }
}

#[test]
fn a_venue_that_differs_in_anything_is_found() {
    let ours = [order(2), Order { state: OrderState::Cancelled, filled: Lots::ZERO, ..order(4) }];
    assert_eq!(venue_equals_intents(&ours, &[theirs(2)]), []);
    let half = Lots::from_units(50_000_000);
    for (wrong, how) in [
        (vec![], "missing"),
        (vec![theirs(2), theirs(2)], "twice"),
        (vec![theirs(2), theirs(3)], "unexplained"),
        (vec![VenueOrder { filled: half, ..theirs(2) }], "half of it"),
        (vec![VenueOrder { side: Side::Sell, ..theirs(2) }], "the other way"),
        (vec![VenueOrder { working: true, ..theirs(2) }], "still there"),
        (vec![theirs(2), theirs(4)], "traded, and ended here"),
    ] {
        assert_eq!(venue_equals_intents(&ours, &wrong).len(), 1, "{how}");
    }
    let unknown = Order { state: OrderState::Unknown, filled: Lots::ZERO, ..order(2) };
    let there = VenueOrder { filled: Lots::ZERO, working: true, ..theirs(2) };
    assert_eq!(venue_equals_intents(&[unknown], &[there]).len(), 1, "nothing may stay unknown");
}

#[test]
fn what_is_held_is_compared_by_position() {
    let one = (PositionId(2), Side::Buy, Lots::whole(1));
    assert_eq!(positions_equal([one], [one]), []);
    for theirs in [
        vec![],
        vec![(PositionId(2), Side::Buy, Lots::whole(2))],
        vec![one, (PositionId(3), Side::Buy, Lots::whole(1))],
    ] {
        assert_eq!(positions_equal([one], theirs).len(), 1);
    }
}

#[test]
fn acknowledgements_and_moments_are_counted() {
    assert_eq!(acknowledged([1, 2], [2, 1, 3]), []);
    assert_eq!(acknowledged([1, 2], [1, 1]).len(), 2);
    assert_eq!(once_each("night", [1, 2, 3]), []);
    assert_eq!(once_each("night", [1, 2, 1]).len(), 1);
}
