//! What must be true of trading after any run, whatever failed in it. One set of checks for simulations, tests of the running
//! program and whoever compares a venue's statement with ours; the numbers are those of the catalogue of tests.
//!
//! O1 what was acknowledged is present, once · O2 venue orders equal our intents · O3 debits equal credits. O4 (payment
//! events) has nothing to look at before there are payments. O6 (the audit chain) needs its keys: `marque audit verify`.
//!
//! Refuses to know: where orders and books are kept. Every check takes them as they are and answers what is wrong.

use crate::{
    decision::{Decision, Outcome},
    fixed::Lots,
    id::{InstrumentId, OrderId, PositionId},
    ledger::{
        Transaction,
        reconcile::{Claim, Reconciliation},
    },
    order::{Order, OrderState, Origin, Position, Side},
};
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

/// Which law is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// Every acknowledged write is present.
    Acknowledged,
    /// Venue orders equal our intents, each client id at most once, none unexplained.
    Orders,
    /// Debits equal credits, and balances are sums.
    Books,
    /// Nothing that time brings comes twice.
    Time,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which law.
    pub law: Law,
    /// What is wrong, for a person.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let law = match self.law {
            Law::Acknowledged => "O1",
            Law::Orders => "O2",
            Law::Books => "O3",
            Law::Time => "time",
        };
        write!(f, "{law}: {}", self.what)
    }
}

fn broken(law: Law, what: String) -> Broken {
    Broken { law, what }
}

/// O1: everything that somebody was told is present, and once.
#[must_use]
pub fn acknowledged<K: Ord + fmt::Debug>(
    told: impl IntoIterator<Item = K>,
    present: impl IntoIterator<Item = K>,
) -> Vec<Broken> {
    let mut counts: BTreeMap<K, u32> = BTreeMap::new();
    present.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
    let told: BTreeSet<K> = told.into_iter().collect();
    let wrong = told.into_iter().filter_map(|key| match counts.get(&key) {
        Some(1) => None,
        Some(count) => Some(format!("{key:?} was acknowledged once and is there {count} times")),
        None => Some(format!("{key:?} was acknowledged and is not there")),
    });
    wrong.map(|what| broken(Law::Acknowledged, what)).collect()
}

/// O2, our own side: each order stands there once; each was approved by a decision, but those by which a venue carried a
/// level out; each approval led to its order; each position has the order that opened it.
#[must_use]
pub fn orders_equal_intents(orders: &[Order], decisions: &[Decision], positions: &[Position]) -> Vec<Broken> {
    let mut wrong = Vec::new();
    let mut known: BTreeSet<OrderId> = BTreeSet::new();
    for order in orders {
        if !known.insert(order.id) {
            wrong.push(format!("{} stands there twice", order.id));
        }
    }
    let approved: BTreeSet<OrderId> = decisions
        .iter()
        .filter_map(|decision| match decision.outcome {
            Outcome::Approved { order, .. } => Some(order),
            Outcome::Denied(_) => None,
        })
        .collect();
    wrong.extend(approved.difference(&known).map(|order| format!("{order} was approved and is not there")));
    let of_the_venue = |order: &Order| matches!(order.origin, Origin::StopLoss | Origin::TakeProfit);
    let unexplained = orders.iter().filter(|o| !of_the_venue(o) && !approved.contains(&o.id));
    wrong.extend(unexplained.map(|order| format!("nobody approved {}", order.id)));
    let mut opened: BTreeSet<PositionId> = BTreeSet::new();
    for position in positions {
        if !opened.insert(position.id) {
            wrong.push(format!("{} stands there twice", position.id));
        }
        if !known.contains(&OrderId(position.id.0)) {
            wrong.push(format!("nobody ordered {}", position.id));
        }
    }
    wrong.into_iter().map(|what| broken(Law::Orders, what)).collect()
}

/// An order as a venue has it, by our id of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueOrder {
    /// Our id: the client order id.
    pub id: OrderId,
    /// In what.
    pub instrument: InstrumentId,
    /// Which way.
    pub side: Side,
    /// How much was ordered.
    pub lots: Lots,
    /// How much traded.
    pub filled: Lots,
    /// Whether it may still trade.
    pub working: bool,
}

/// O2, the venue's side: each order there is one of ours, once, as it was ordered, as far as it traded; none works there that
/// has ended here, and none here that the venue does not have. Of what has ended here without trading the venue need not know.
#[must_use]
pub fn venue_equals_intents(ours: &[Order], theirs: &[VenueOrder]) -> Vec<Broken> {
    let ours: BTreeMap<OrderId, &Order> = ours.iter().map(|order| (order.id, order)).collect();
    let mut there: BTreeMap<OrderId, &VenueOrder> = BTreeMap::new();
    let mut wrong = Vec::new();
    for order in theirs {
        if there.insert(order.id, order).is_some() {
            wrong.push(format!("the venue has {} twice", order.id));
        }
        let Some(own) = ours.get(&order.id) else {
            wrong.push(format!("the venue has {}, which nobody here ordered", order.id));
            continue;
        };
        if (own.instrument, own.side, own.lots) != (order.instrument, order.side, order.lots) {
            wrong.push(format!("{} is another order at the venue: {own:?} and {order:?}", order.id));
        }
        if own.filled != order.filled {
            wrong.push(format!("of {} traded {} here and {} at the venue", order.id, own.filled, order.filled));
        }
        if own.state.is_final() == order.working {
            let state = own.state.name();
            wrong.push(format!(
                "{} is {state} here and {}working at the venue",
                order.id,
                if order.working { "" } else { "not " }
            ));
        }
    }
    let here = |own: &&&Order| !own.state.is_final() || own.filled > Lots::ZERO;
    let of_the_venue = |own: &&&Order| matches!(own.origin, Origin::StopLoss | Origin::TakeProfit);
    let missing = ours.values().filter(|own| here(own) && !of_the_venue(own) && !there.contains_key(&own.id));
    wrong.extend(missing.map(|own| format!("{} is {} here and the venue does not have it", own.id, own.state.name())));
    wrong.extend(
        ours.values()
            .filter(|own| own.state == OrderState::Unknown)
            .map(|own| format!("what became of {} is not known", own.id)),
    );
    wrong.into_iter().map(|what| broken(Law::Orders, what)).collect()
}

/// O2, what is held: the venue holds of each position what is open here.
#[must_use]
pub fn positions_equal(
    ours: impl IntoIterator<Item = (PositionId, Side, Lots)>,
    theirs: impl IntoIterator<Item = (PositionId, Side, Lots)>,
) -> Vec<Broken> {
    let of = |positions: Vec<(PositionId, Side, Lots)>| -> BTreeMap<PositionId, (Side, Lots)> {
        positions.into_iter().map(|(id, side, lots)| (id, (side, lots))).collect()
    };
    let (ours, theirs) = (of(ours.into_iter().collect()), of(theirs.into_iter().collect()));
    let all: BTreeSet<PositionId> = ours.keys().chain(theirs.keys()).copied().collect();
    let differs = all.into_iter().filter(|id| ours.get(id) != theirs.get(id));
    let said =
        differs.map(|id| format!("of {id} is open here {:?} and at the venue {:?}", ours.get(&id), theirs.get(&id)));
    said.map(|what| broken(Law::Orders, what)).collect()
}

/// O3: books add up, from single postings, and each account claims what its postings sum to.
#[must_use]
pub fn books<'a>(
    transactions: impl IntoIterator<Item = &'a Transaction>,
    claims: impl IntoIterator<Item = Claim>,
) -> Vec<Broken> {
    let mut sum = Reconciliation::default();
    transactions.into_iter().for_each(|moved| sum.take_transaction(moved));
    sum.finish(claims).faults.iter().map(|fault| broken(Law::Books, fault.to_string())).collect()
}

/// Time: what comes once for each of these keys came once (the nights of a position, the days of a rule).
#[must_use]
pub fn once_each<K: Ord + fmt::Debug>(what: &str, keys: impl IntoIterator<Item = K>) -> Vec<Broken> {
    let mut counts: BTreeMap<K, u32> = BTreeMap::new();
    keys.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
    let twice = counts.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|(key, count)| broken(Law::Time, format!("{what} {key:?} came {count} times"))).collect()
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
