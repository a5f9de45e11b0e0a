//! Commands in turns: the shard goes on while what came before is being committed, nothing leaves before it is durable and
//! before what was begun earlier, and every account ends as if its commands had come one by one.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountTerms,
    bar::Quote,
    decision::Intent,
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId, OrderId},
    kill::{Authority, Kill, KillMode, KillScope},
    order::{Order, Position, Side},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard,
    desk::{CARRIED_MAX, COMMITS_MAX, Commit},
    gate::Approved,
    port::{Venue, VenueReport},
    state::State,
    venue::SimulatedVenue,
};
use proptest::{collection::vec, prelude::*};
use std::{
    collections::{BTreeSet, VecDeque},
    ops::RangeInclusive,
    sync::{Arc, Mutex},
};
use support::{NativeHost, NoHistory, close, instrument, open, quote, terms};

const ACCOUNTS: i64 = 6;

/// What a disk would hold: entries, oldest first.
#[derive(Default)]
struct Disk {
    durable: Vec<Vec<Record>>,
    being_written: VecDeque<Vec<Record>>,
    is_full: bool,
}

impl Disk {
    /// Which entry holds an order.
    fn entry_of(&self, order: OrderId) -> Option<usize> {
        let placed = |record: &Record| matches!(record, Record::OrderPlaced(placed) if placed.id == order);
        self.durable.iter().position(|entry| entry.iter().any(placed))
    }
}

/// A venue that looks at the disk whenever it is told something.
struct Watchful {
    inner: SimulatedVenue,
    disk: Arc<Mutex<Disk>>,
    /// The entry of the order that was sent last.
    sent: Option<usize>,
}

impl Venue for Watchful {
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let entry = self.disk.lock().unwrap().entry_of(order.order().id);
        assert!(entry.is_some(), "an order left before it was durable");
        assert!(self.sent <= entry, "an order left before one of an earlier entry");
        self.sent = entry;
        self.inner.submit(order, reports);
    }

    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        self.inner.query(order, reports);
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        assert!(self.disk.lock().unwrap().being_written.is_empty(), "the market moved on in the middle of a commit");
        self.inner.quote(quote, reports);
    }

    fn order(&mut self, order: &Order) {
        self.inner.order(order);
    }

    fn position(&mut self, position: &Position) {
        self.inner.position(position);
    }
}

/// That the disk was full.
#[derive(Debug)]
struct Full;

/// Writes in the background: what it took is durable when it is waited for.
struct Journal(Arc<Mutex<Disk>>);

impl Commit for Journal {
    type Error = Full;

    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), Full> {
        assert!(self.0.lock().unwrap().being_written.is_empty(), "a commit passed those that were begun");
        self.begin(shard, effects)?;
        self.finish()
    }

    fn begin(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Full> {
        let mut disk = self.0.lock().unwrap();
        assert!(disk.being_written.len() < COMMITS_MAX, "too many commits at once");
        disk.being_written.push_back(effects.records.clone());
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Full> {
        let mut disk = self.0.lock().unwrap();
        if disk.is_full {
            return Err(Full);
        }
        let written = disk.being_written.pop_front().unwrap();
        disk.durable.push(written);
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
        let venue = Watchful { inner: SimulatedVenue::new(Money::ZERO), disk: Arc::clone(&disk), sent: None };
        let mut bench = Self {
            desk: Desk::new(shard, venue),
            journal: Journal(Arc::clone(&disk)),
            disk,
            busy: BTreeSet::new(),
            at: 0,
        };
        bench.quote(0);
        bench.open_accounts(1..=ACCOUNTS);
        bench
    }

    fn open_accounts(&mut self, ids: RangeInclusive<i64>) {
        for id in ids.map(AccountId) {
            let terms = AccountTerms { id, initial_balance: Money::whole(10_000 * id.0), ..terms(Vec::new()) };
            self.desk.command(Command::OpenAccount(terms), &mut self.journal).unwrap().unwrap();
        }
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
        assert!(self.disk.lock().unwrap().being_written.is_empty());
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
        assert!(self.desk.ahead().is_empty(), "something is not being committed");
        self.look();
    }

    fn make_room(&mut self) {
        self.desk.make_room(&mut self.journal).unwrap();
        self.look();
    }

    /// Finds out who has something under way.
    fn look(&mut self) {
        let disk = self.disk.lock().unwrap();
        let state = self.desk.shard().state();
        let under_way = disk.being_written.iter().flatten().chain(self.desk.ahead());
        self.busy = under_way.filter_map(|record| record.account(state)).collect();
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

/// Whether room is made before a turn, accounts that want something in it, and where the market goes after it, if it does.
type Turn = (bool, Vec<(i64, i64)>, Option<i64>);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let wishes = vec((1..=ACCOUNTS, 1_i64..9), 0..4);
    vec((any::<bool>(), wishes, prop::option::weighted(0.3, -200_i64..200)), 1..40)
}

proptest! {
    #[test]
    fn accounts_end_as_if_their_commands_had_come_one_by_one(turns in turns()) {
        let (mut together, mut alone) = (Bench::new(), Bench::new());
        for (roomy, wishes, market) in turns {
            if roomy {
                together.make_room();
            }
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
        together.disk.lock().unwrap().durable.iter().flatten().for_each(|record| state.apply(record));
        let bytes = |state: &State| postcard::to_stdvec(state).unwrap();
        prop_assert_eq!(bytes(&state), bytes(together.desk.shard().state()));
    }
}

#[test]
fn a_commit_holds_new_orders_with_the_fills_of_those_before() {
    let mut bench = Bench::new();
    let before = bench.disk.lock().unwrap().durable.len();
    for id in 1..=ACCOUNTS {
        let wish = bench.wish(AccountId(id), 2);
        bench.turn(vec![wish]);
    }
    bench.quiet();
    assert!(bench.books().iter().all(|(_, held)| held.len() == 1));
    let commits = bench.disk.lock().unwrap().durable.len() - before;
    assert_eq!(commits, 8, "one for each turn, and one for each of the last two fills");
}

/// How many entries are durable, and how many are being written.
fn entries(bench: &Bench) -> (usize, usize) {
    let disk = bench.disk.lock().unwrap();
    (disk.durable.len(), disk.being_written.len())
}

#[test]
fn a_commit_is_begun_while_the_one_before_is_written() {
    let mut bench = Bench::new();
    let (before, _) = entries(&bench);
    for (id, expected) in [(1, (before, 1)), (2, (before, 2)), (3, (before + 1, 2)), (4, (before + 2, 2))] {
        let wish = bench.wish(AccountId(id), 2);
        bench.turn(vec![wish]);
        assert_eq!(entries(&bench), expected, "after turn {id}");
    }
    // One without commands waits for the oldest, and begins what follows from it.
    bench.turn(Vec::new());
    assert_eq!(entries(&bench), (before + 3, 2));
    // Where room was made, what comes meanwhile is in the same entry as what follows from the one that was waited for.
    bench.make_room();
    assert_eq!(entries(&bench), (before + 4, 1));
    let wish = bench.wish(AccountId(5), 2);
    bench.turn(vec![wish]);
    assert_eq!(entries(&bench), (before + 4, 2));
    bench.quiet();
    assert!(bench.books().iter().take(5).all(|(_, held)| held.len() == 1));
}

#[test]
fn a_switch_is_begun_alone_and_closes_in_parts() {
    let mut bench = Bench::new();
    let all = i64::try_from(2 * CARRIED_MAX).unwrap() + 1;
    bench.open_accounts(ACCOUNTS + 1..=all);
    for id in (1..=all).map(AccountId) {
        let wish = bench.wish(id, 2);
        bench.desk.command(wish, &mut bench.journal).unwrap().unwrap();
    }
    let (before, _) = entries(&bench);
    let (by, reason) = ("risk@x.example".to_owned(), "a test".to_owned());
    let (scope, mode, authority) = (KillScope::Tenant, KillMode::Close, Authority::Broker);
    bench.turn(vec![Command::Kill(Kill { scope, mode, authority, by, reason, at: Millis(0) })]);
    assert!(bench.desk.is_carrying() && !bench.desk.is_quiet());
    assert_eq!(entries(&bench), (before, 1));
    bench.turn(Vec::new());
    assert_eq!(entries(&bench), (before, 2), "the first part is begun while the switch is written");
    bench.quiet();
    let held = |account: &marque_engine::state::AccountState| !account.positions.is_empty();
    assert!(!bench.desk.shard().state().accounts.values().any(held));
    let disk = bench.disk.lock().unwrap();
    let placed = |entry: &Vec<Record>| entry.iter().filter(|r| matches!(r, Record::OrderPlaced(_))).count();
    let parts: Vec<usize> = disk.durable[before..].iter().map(placed).collect();
    assert!(matches!(disk.durable[before][..], [Record::KillPressed(_)]));
    // The fills of the first part come with the third, and those of the others after it.
    assert_eq!(parts, [0, CARRIED_MAX, CARRIED_MAX, 1, 0, 0]);
}

#[test]
fn nothing_that_follows_a_failed_commit_leaves() {
    let mut bench = Bench::new();
    for id in [1, 2] {
        let wish = bench.wish(AccountId(id), 2);
        bench.turn(vec![wish]);
    }
    bench.disk.lock().unwrap().is_full = true;
    // The venue would notice an order that leaves now.
    let wish = bench.wish(AccountId(3), 2);
    bench.desk.turn([wish], &mut bench.journal).unwrap_err();
    let held = |(_, held): &Books| held.len();
    assert_eq!(bench.books().iter().map(held).sum::<usize>(), 0, "nothing was filled");
}
