//! A history of records held against the laws of [`marque_domain::oracle`]: the same checks for every simulation.

use crate::{
    event::Record,
    routed::{Dispute, DisputeKind},
    state::State,
};
use marque_domain::{
    decision::Decision,
    id::{AccountId, OrderId, PositionId},
    ledger::{Transaction, TransactionKind, reconcile::Claim},
    oracle::{self, Broken},
    order::{Order, Position},
    time::Millis,
};
use std::collections::BTreeMap;

/// All that a journal says, the latest of each thing.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Orders as they are now.
    pub orders: Vec<Order>,
    /// Positions as they are now, closed ones included.
    pub positions: Vec<Position>,
    /// Decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Movements of money, oldest first.
    pub transactions: Vec<Transaction>,
    /// What a venue did that it was not asked to.
    pub disputes: Vec<Dispute>,
    placed: Vec<OrderId>,
    days: Vec<(AccountId, u16, Millis)>,
    executions: Vec<(OrderId, String)>,
    state: State,
}

impl History {
    /// Reads a journal from its beginning.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut history = Self::default();
        let (mut orders, mut positions): (BTreeMap<OrderId, Order>, BTreeMap<PositionId, Position>) =
            Default::default();
        for record in records {
            history.state.apply(record);
            match record {
                Record::OrderPlaced(order) => {
                    history.placed.push(order.id);
                    orders.insert(order.id, order.clone());
                }
                Record::OrderMoved(order) => drop(orders.insert(order.id, order.clone())),
                Record::PositionOpened(p) | Record::PositionChanged(p) | Record::PositionClosed(p) => {
                    positions.insert(p.id, p.clone());
                }
                Record::Decided(decision) => history.decisions.push(decision.clone()),
                Record::Moved(moved) => history.transactions.push(moved.clone()),
                Record::DayBegan { account, rule, anchor } => history.days.push((*account, *rule, anchor.began_at)),
                Record::Executed { order, execution, .. } => history.executions.push((*order, execution.to_string())),
                Record::Disputed(dispute) => history.disputes.push(dispute.clone()),
                _ => {}
            }
        }
        history.orders = orders.into_values().collect();
        history.positions = positions.into_values().collect();
        history
    }

    /// The fold of the records.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Everything that is wrong with it, whatever venue it traded at.
    #[must_use]
    pub fn broken(&self) -> Vec<Broken> {
        let claims = self.state.accounts.values().map(|a| Claim {
            account: a.terms.id,
            currency: a.terms.currency,
            balance: a.balance,
        });
        let nights = self.transactions.iter().filter(|moved| moved.kind() == TransactionKind::Swap);
        let references =
            self.transactions.iter().filter_map(|moved| Some((moved.account(), moved.memo()?.reference.clone())));
        let mut broken = oracle::orders_equal_intents(&self.orders, &self.decisions, &self.positions);
        broken.extend(oracle::books(&self.transactions, claims));
        broken.extend(oracle::once_each("order", self.placed.iter().copied()));
        broken.extend(oracle::once_each("execution", &self.executions));
        broken.extend(oracle::once_each("movement", references));
        broken.extend(oracle::once_each("day of", self.days.iter().copied()));
        broken.extend(oracle::once_each("night of position", nights.map(|n| (n.account(), n.reference(), n.at()))));
        broken
    }

    /// Disputes in which a venue that keeps its word can never have done what is disputed: more than was ordered, or
    /// nobody's order.
    pub fn impossible(&self) -> impl Iterator<Item = &Dispute> {
        self.disputes.iter().filter(|dispute| dispute.kind != DisputeKind::FilledAfterEnd)
    }
}
