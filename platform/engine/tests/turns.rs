//! Commands in turns: the shard goes on while what came before is being committed, nothing leaves before it is durable, and
//! every account ends as if its commands had come one by one.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountTerms,
    bar::Quote,
    decision::Intent,
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId, OrderId},
    order::{Order, Position, Side},
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard,
    desk::Commit,
    gate::Approved,
    port::{Venue, VenueReport},
    state::State,
    venue::SimulatedVenue,
};
use proptest::{collection::vec, prelude::*};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};
use support::{NativeHost, NoHistory, close, instrument, open, quote, terms};

const ACCOUNTS: i64 = 6;

/// What a disk would hold.
#[derive(Default)]
struct Disk {
    durable: Vec<Record>,
    being_written: Option<Vec<Record>>,
    commits: usize,
}

impl Disk {
    fn has(&self, order: OrderId) -> bool {
        self.durable.iter().any(|record| matches!(record, Record::OrderPlaced(placed) if placed.id == order))
    }
}

/// A venue that looks at the disk whenever it is told something.
struct Watchful {
    inner: SimulatedVenue,
    disk: Arc<Mutex<Disk>>,
}

impl Venue for Watchful {
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        assert!(self.disk.lock().unwrap().has(order.order().id), "an order left before it was durable");
        self.inner.submit(order, reports);
    }

    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        self.inner.query(order, reports);
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        assert!(self.disk.lock().unwrap().being_written.is_none(), "the market moved on in the middle of a commit");
        self.inner.quote(quote, reports);
    }

    fn order(&mut self, order: &Order) {
        self.inner.order(order);
    }

    fn position(&mut self, position: &Position) {
        self.inner.position(position);
    }
}

/// Writes in the background: what it took is durable when it is waited for.
struct Journal(Arc<Mutex<Disk>>);

impl Commit for Journal {
    type Error = Infallible;

    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        self.begin(shard, effects)?;
        self.finish()
    }

    fn begin(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        let mut disk = self.0.lock().unwrap();
        assert!(disk.being_written.is_none(), "two commits at once");
        disk.being_written = Some(effects.records.clone());
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Infallible> {
        let mut disk = self.0.lock().unwrap();
        let written = disk.being_written.take().unwrap();
        disk.durable.extend(written);
        disk.commits += 1;
        Ok(())
    }
}

/// An account's balance, and of its positions side, lots and opening price.
type Books = (i64, Vec<(Side, i64, i64)>);

struct Bench {
    desk: Desk<Watchful>,
    disk: Arc<Mutex<Disk>>,
    journal: Journal,
    /// Accounts with something under way.
    busy: BTreeSet<AccountId>,
    at: i64,
}

impl Bench {
    fn new() -> Self {
        let disk = Arc::new(Mutex::new(Disk::default()));
        let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
        let venue = Watchful { inner: SimulatedVenue::new(Money::ZERO), disk: Arc::clone(&disk) };
        let mut bench = Self {
            desk: Desk::new(shard, venue),
            journal: Journal(Arc::clone(&disk)),
            disk,
            busy: BTreeSet::new(),
            at: 0,
        };
        bench.quote(0);
        for id in (1..=ACCOUNTS).map(AccountId) {
            let terms = AccountTerms { id, initial_balance: Money::whole(10_000 * id.0), ..terms(Vec::new()) };
            bench.desk.command(Command::OpenAccount(terms), &mut bench.journal).unwrap().unwrap();
        }
        bench
    }

    fn quote(&mut self, bid: i64) {
        self.quiet();
        self.at += 1_000;
        self.desk.quote(&quote(self.at, bid, 10), &mut self.journal).unwrap();
    }

    fn quiet(&mut self) {
        while !self.desk.is_quiet() {
            self.turn(Vec::new());
        }
        assert!(self.disk.lock().unwrap().being_written.is_none());
        self.busy.clear();
    }

    /// Closes what the account holds, or opens something.
    fn wish(&self, account: AccountId, lots: i64) -> Command {
        let state = self.desk.shard().state();
        let held = state.accounts[&account].positions.first();
        let side = if lots % 2 == 0 { Side::Buy } else { Side::Sell };
        let intent: Intent = match held {
            Some(position) => close(position.id),
            None => open(InstrumentId(1), side, Lots::from_units(lots * 1_000_000)),
        };
        Command::Want { account, intent }
    }

    fn turn(&mut self, commands: Vec<Command>) {
        self.desk.turn(commands, &mut self.journal).unwrap().into_iter().for_each(|answer| answer.unwrap());
        let disk = self.disk.lock().unwrap();
        let state = self.desk.shard().state();
        let under_way = disk.being_written.iter().flatten().filter_map(|record| record.account(state));
        self.busy = under_way.collect();
    }

    /// What each account has, without the numbers that orders and positions were given.
    fn books(&self) -> Vec<Books> {
        let state = self.desk.shard().state();
        let of = |id: AccountId| {
            state.accounts[&id].positions.iter().map(|p| (p.side, p.lots.units(), p.open_price.units())).collect()
        };
        (1..=ACCOUNTS).map(AccountId).map(|id| (state.accounts[&id].balance.units(), of(id))).collect()
    }
}

/// Accounts that want something in a turn, and where the market goes after it, if it does.
type Turn = (Vec<(i64, i64)>, Option<i64>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    vec((vec((1..=ACCOUNTS, 1_i64..9), 0..4), prop::option::weighted(0.3, -200_i64..200)), 1..40)
}

proptest! {
    #[test]
    fn accounts_end_as_if_their_commands_had_come_one_by_one(turns in turns()) {
        let (mut together, mut alone) = (Bench::new(), Bench::new());
        for (wishes, market) in turns {
            let mut commands = Vec::new();
            for (account, lots) in wishes {
                let account = AccountId(account);
                if !together.busy.contains(&account) {
                    together.busy.insert(account);
                    commands.push(together.wish(account, lots));
                    let command = alone.wish(account, lots);
                    alone.desk.command(command, &mut alone.journal).unwrap().unwrap();
                }
            }
            together.turn(commands);
            if let Some(bid) = market {
                together.quote(bid);
                alone.quote(bid);
            }
        }
        together.quiet();
        prop_assert_eq!(together.books(), alone.books());
        // The journal has all of it, in an order that leads there.
        let mut state = State::default();
        together.disk.lock().unwrap().durable.iter().for_each(|record| state.apply(record));
        let bytes = |state: &State| postcard::to_stdvec(state).unwrap();
        prop_assert_eq!(bytes(&state), bytes(together.desk.shard().state()));
    }
}

#[test]
fn a_commit_holds_new_orders_with_the_fills_of_those_before() {
    let mut bench = Bench::new();
    let before = bench.disk.lock().unwrap().commits;
    for id in 1..=ACCOUNTS {
        let wish = bench.wish(AccountId(id), 2);
        bench.turn(vec![wish]);
    }
    bench.quiet();
    assert!(bench.books().iter().all(|(_, held)| held.len() == 1));
    let commits = bench.disk.lock().unwrap().commits - before;
    assert_eq!(commits, 7, "one for each turn, and one for the last fill");
}
