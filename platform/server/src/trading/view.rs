//! What people may see of a running desk.

use marque_domain::{
    account::AccountStatus,
    bar::Quote,
    fixed::Money,
    id::{AccountId, InstrumentId, PositionId},
    kill::Kill,
    order::{Order, Position},
    time::Millis,
};
use marque_engine::{Record, Shard, port::Objective, shard::Distance};
use std::{collections::BTreeMap, sync::Arc};

/// Whether a desk trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskState {
    /// It is reading its journal or waiting for its database.
    Recovering,
    /// It follows the market.
    Running,
    /// Its recording has ended.
    Ended,
}

/// An account at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountNow {
    /// Closed balance.
    pub balance: Money,
    /// Balance plus what open positions would bring.
    pub equity: Money,
    /// Equity less the margin that positions bind.
    pub free: Money,
    /// Open positions, oldest first: for everybody who follows the account, without a query each.
    pub positions: Vec<Position>,
    /// What each of them would bring.
    pub floating: BTreeMap<PositionId, Money>,
    /// Orders that wait at the venue, oldest first.
    pub orders: Vec<Order>,
    /// Whether it may trade.
    pub status: AccountStatus,
    /// How far each rule's limit is, nearest first.
    pub distances: Vec<Distance>,
    /// The goals that its rules report.
    pub objectives: Vec<Objective>,
    /// What the account was worth when its first rule's day began.
    pub day_began: Option<Money>,
}

/// A desk at this moment.
#[derive(Debug, Clone)]
pub struct View {
    /// Whether it trades.
    pub state: DeskState,
    /// Market time.
    pub now: Millis,
    /// The last quote of each instrument.
    pub quotes: BTreeMap<InstrumentId, Quote>,
    /// All accounts.
    pub accounts: BTreeMap<AccountId, AccountNow>,
    /// The kill switches that are on, the widest first.
    pub kills: Vec<Kill>,
}

impl View {
    pub(super) const fn blank() -> Self {
        Self {
            state: DeskState::Recovering,
            now: Millis(0),
            quotes: BTreeMap::new(),
            accounts: BTreeMap::new(),
            kills: Vec::new(),
        }
    }

    pub(super) fn of(shard: &Shard, state: DeskState) -> Self {
        let market = shard.market();
        let accounts = shard.state().accounts.iter().map(|(id, account)| {
            let now = AccountNow {
                balance: account.balance,
                equity: shard.equity(*id).unwrap_or(account.balance),
                free: shard.free(*id).unwrap_or(account.balance),
                positions: account.positions.clone(),
                orders: account.orders.iter().filter(|o| o.is_working()).cloned().collect(),
                floating: shard.floating(*id),
                status: account.status.clone(),
                distances: shard.distances(*id),
                objectives: shard.objectives(*id),
                day_began: account.rules.iter().find_map(|r| r.day).map(|d| d.equity),
            };
            (*id, now)
        });
        let quotes = market.quotes().map(|q| (q.instrument, *q)).collect();
        Self {
            state,
            now: market.now(),
            quotes,
            accounts: accounts.collect(),
            kills: shard.state().kills.values().cloned().collect(),
        }
    }
}

/// Something to show at once. Who falls behind misses some and looks again.
#[derive(Debug, Clone)]
pub enum Live {
    /// Prices moved; sent a few times a second.
    Moved(Arc<View>),
    /// Facts were committed.
    Committed(Arc<Vec<Record>>),
}
