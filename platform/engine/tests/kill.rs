//! The kill switch: once it is committed, nothing new of its scope reaches the venue, whatever happens when.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{Deployment, DeploymentStatus},
    bar::{Quote, Timeframe},
    decision::{Denial, Outcome},
    fixed::{Lots, Money},
    id::{AccountId, DeploymentId, InstrumentId, OrderId},
    kill::{Authority, KILLS_MAX, Kill, KillMode, KillScope},
    order::{Order, OrderState, Origin, Position, Purpose, Side},
    tenant::Quotas,
    time::Millis,
};
use marque_engine::{
    Command, Desk, Effects, Refusal, Shard,
    desk::Commit,
    event::Record,
    gate::Approved,
    port::{Venue, VenueReport},
    state::State,
    venue::SimulatedVenue,
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use support::{NativeHost, NoHistory, instrument, plugin, quote, terms};

/// What is on by what was committed, and whether anything was sent past it.
#[derive(Default)]
struct Committed {
    state: State,
    records: Vec<Record>,
    sent: Vec<Order>,
    past: Vec<Order>,
    /// As it was when the last switch became durable, and nothing of what it asks for.
    pressed: Option<State>,
}

/// Loses some orders on the way, without telling: the desk asks later and hears that the venue never had them.
struct Lossy {
    inner: SimulatedVenue,
    committed: Arc<Mutex<Committed>>,
    loses: u64,
    lost: Vec<OrderId>,
}

impl Venue for Lossy {
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let mut committed = self.committed.lock().unwrap();
        let sent = order.order();
        let opens = sent.purpose == Purpose::Open;
        if opens && committed.state.kill_over(sent.account, sent.instrument, sent.deployment).is_some() {
            committed.past.push(sent.clone());
        }
        committed.sent.push(sent.clone());
        self.loses = self.loses.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if opens && self.loses >> 62 == 0 {
            self.lost.push(sent.id);
            reports.push(VenueReport::Lost { order: sent.id });
        } else {
            self.inner.submit(order, reports);
        }
    }

    /// The answer comes with the next quote, so that anything may happen before it.
    fn query(&mut self, order: OrderId, _: &mut Vec<VenueReport>) {
        self.lost.push(order);
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        reports.extend(self.lost.drain(..).map(|order| VenueReport::NotFound { order }));
        self.inner.quote(quote, reports);
    }

    fn order(&mut self, order: &Order) {
        self.inner.order(order);
    }

    fn position(&mut self, position: &Position) {
        self.inner.position(position);
    }
}

struct Journal(Arc<Mutex<Committed>>);

impl Commit for Journal {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        let mut committed = self.0.lock().unwrap();
        for record in &effects.records {
            committed.state.apply(record);
            committed.records.push(record.clone());
        }
        if matches!(effects.records[..], [Record::KillPressed(_)]) {
            committed.pressed = Some(committed.state.clone());
        }
        Ok(())
    }
}

struct Bench {
    desk: Desk<Lossy>,
    committed: Arc<Mutex<Committed>>,
    journal: Journal,
    at: i64,
}

const ACCOUNTS: [AccountId; 2] = [AccountId(1), AccountId(2)];
const INSTRUMENTS: [InstrumentId; 2] = [InstrumentId(1), InstrumentId(2)];

fn shard() -> Shard {
    let second = marque_domain::instrument::Instrument { id: InstrumentId(2), symbol: "GBPUSD".into(), ..instrument() };
    Shard::new(&[instrument(), second], Arc::new(NativeHost), Box::new(NoHistory))
}

impl Bench {
    fn new(seed: u64) -> Self {
        let committed = Arc::new(Mutex::new(Committed::default()));
        let inner = SimulatedVenue::new(Money::whole(5));
        let venue = Lossy { inner, committed: Arc::clone(&committed), loses: seed, lost: Vec::new() };
        let mut bench =
            Self { desk: Desk::new(shard(), venue), journal: Journal(Arc::clone(&committed)), committed, at: 0 };
        bench.quote(InstrumentId(1), 0);
        bench.quote(InstrumentId(2), 0);
        for account in ACCOUNTS {
            let mut terms = terms(vec![]);
            terms.id = account;
            bench.command(Command::OpenAccount(terms)).unwrap();
            for instrument in INSTRUMENTS {
                bench.command(Command::Deploy(deployment(account, instrument), Quotas::default())).unwrap();
            }
        }
        bench
    }

    fn quote(&mut self, instrument: InstrumentId, bid: i64) {
        self.at += 700;
        let quote = Quote { instrument, ..quote(self.at, bid, 2) };
        self.desk.quote(&quote, &mut self.journal).unwrap();
    }

    fn command(&mut self, command: Command) -> Result<(), Refusal> {
        self.desk.command(command, &mut self.journal).unwrap()
    }

    fn press(&mut self, scope: KillScope, mode: KillMode, authority: Authority) -> Result<(), Refusal> {
        let (by, reason) = ("risk@x.example".to_owned(), "a test".to_owned());
        self.command(Command::Kill(Kill { scope, mode, authority, by, reason, at: Millis(0) }))
    }

    fn release(&mut self, scope: KillScope, authority: Authority) -> Result<(), Refusal> {
        self.command(Command::Release { scope, authority, by: "risk@x.example".to_owned() })
    }

    fn buy(&mut self, account: AccountId, instrument: InstrumentId) {
        let intent = support::open(instrument, Side::Buy, Lots::from_units(10_000_000));
        self.command(Command::Want { account, intent }).unwrap();
    }

    fn last_outcome(&self) -> Outcome {
        let committed = self.committed.lock().unwrap();
        let decided =
            committed.records.iter().rev().find_map(|r| if let Record::Decided(d) = r { Some(d) } else { None });
        decided.unwrap().outcome.clone()
    }

    fn positions(&self, account: AccountId) -> usize {
        self.desk.shard().state().accounts[&account].positions.len()
    }

    /// The process is killed: a new shard from what was committed, with a venue that remembers its positions.
    fn restart(&mut self) {
        let committed = self.committed.lock().unwrap();
        let mut fresh = shard();
        let state = committed.state.clone();
        let mark = self.desk.shard_mut().mark();
        let mut inner = SimulatedVenue::new(Money::whole(5));
        fresh.restore(state, mark);
        inner.restore(&fresh);
        drop(committed);
        let venue = Lossy { inner, committed: Arc::clone(&self.committed), loses: 7, lost: Vec::new() };
        self.desk = Desk::new(fresh, venue);
        self.desk.recover(&mut self.journal).unwrap();
    }
}

fn deployment(account: AccountId, instrument: InstrumentId) -> Deployment {
    Deployment {
        id: DeploymentId(account.0 * 10 + i64::from(instrument.0)),
        account,
        plugin: plugin("dice-ticks", &format!("{} 3", account.0 * 77 + i64::from(instrument.0))),
        instrument,
        timeframe: Timeframe::M1,
        status: DeploymentStatus::Running,
        created_at: Millis(0),
    }
}

#[test]
fn a_switch_denies_stops_and_says_who_when_and_why() {
    let mut bench = Bench::new(u64::MAX / 3);
    bench.press(KillScope::Account(ACCOUNTS[0]), KillMode::Stop, Authority::Broker).unwrap();
    bench.buy(ACCOUNTS[0], INSTRUMENTS[0]);
    let Outcome::Denied(Denial::KillSwitch(killed)) = bench.last_outcome() else {
        panic!("{:?}", bench.last_outcome())
    };
    assert_eq!((killed.by.as_str(), killed.reason.as_str()), ("risk@x.example", "a test"));
    assert!(killed.at > Millis(0));
    let states = |bench: &Bench, account: AccountId| {
        let all = &bench.desk.shard().state().deployments;
        all.values().filter(|d| d.account == account).map(|d| d.status.clone()).collect::<Vec<_>>()
    };
    assert_eq!(states(&bench, ACCOUNTS[0]), [DeploymentStatus::Stopped, DeploymentStatus::Stopped]);
    assert_eq!(states(&bench, ACCOUNTS[1]), [DeploymentStatus::Running, DeploymentStatus::Running]);
    let id = deployment(ACCOUNTS[0], INSTRUMENTS[0]).id;
    let refused = bench.command(Command::Start(id, Quotas::default()));
    assert!(matches!(refused, Err(Refusal::Killed(_))), "{refused:?}");

    bench.release(KillScope::Account(ACCOUNTS[0]), Authority::Broker).unwrap();
    bench.buy(ACCOUNTS[0], INSTRUMENTS[0]);
    assert!(matches!(bench.last_outcome(), Outcome::Approved { .. }), "release restores");
    bench.command(Command::Start(id, Quotas::default())).unwrap();
}

#[test]
fn stopping_keeps_positions_and_closing_flattens_them() {
    let mut bench = Bench::new(1 << 63);
    for account in ACCOUNTS {
        bench.command(Command::Stop(deployment(account, INSTRUMENTS[0]).id)).unwrap();
        bench.command(Command::Stop(deployment(account, INSTRUMENTS[1]).id)).unwrap();
        while bench.positions(account) < 2 {
            bench.buy(account, INSTRUMENTS[0]);
            bench.buy(account, INSTRUMENTS[1]);
            bench.quote(INSTRUMENTS[0], 3);
        }
    }
    let open = |bench: &Bench| {
        ACCOUNTS.map(|account| {
            let positions = &bench.desk.shard().state().accounts[&account].positions;
            INSTRUMENTS.map(|id| positions.iter().filter(|p| p.instrument == id).count())
        })
    };
    let before = open(&bench);
    bench.press(KillScope::Tenant, KillMode::Stop, Authority::Broker).unwrap();
    assert_eq!(open(&bench), before, "what is open stays");
    bench.press(KillScope::Instrument(INSTRUMENTS[1]), KillMode::Close, Authority::Broker).unwrap();
    assert_eq!(open(&bench), before.map(|[first, _]| [first, 0]), "only what its scope covers");
    bench.press(KillScope::Tenant, KillMode::Close, Authority::Broker).unwrap();
    assert_eq!(open(&bench), [[0, 0]; 2]);
    let committed = bench.committed.lock().unwrap();
    let closes = committed.sent.iter().filter(|o| o.purpose != Purpose::Open);
    assert!(closes.clone().count() > 0);
    assert!(closes.clone().all(|o| o.origin == Origin::KillSwitch));
}

#[test]
fn who_is_lower_does_not_let_go() {
    let mut bench = Bench::new(3);
    let scope = KillScope::Account(ACCOUNTS[0]);
    bench.press(scope, KillMode::Stop, Authority::Trader).unwrap();
    bench.press(scope, KillMode::Stop, Authority::Broker).unwrap();
    bench.release(scope, Authority::Trader).unwrap();
    assert!(bench.desk.shard().state().kill_over(ACCOUNTS[0], INSTRUMENTS[0], None).is_some());
    assert!(matches!(bench.release(scope, Authority::Trader), Err(Refusal::Killed(_))));
    bench.press(scope, KillMode::Stop, Authority::Trader).unwrap();
    bench.release(scope, Authority::Operator).unwrap();
    assert!(bench.desk.shard().state().kills.is_empty(), "who is higher lets go of all");
    assert_eq!(bench.release(scope, Authority::Trader), Ok(()), "asked again, it was done");
    let nobody = bench.press(KillScope::Account(AccountId(9)), KillMode::Stop, Authority::Broker);
    assert_eq!(nobody, Err(Refusal::NoSuchAccount));
}

#[test]
fn pressed_again_it_only_becomes_stronger_and_a_restart_finds_it_on() {
    let mut bench = Bench::new(5);
    bench.press(KillScope::Platform, KillMode::Close, Authority::Operator).unwrap();
    let count = |bench: &Bench| {
        let committed = bench.committed.lock().unwrap();
        committed.records.iter().filter(|r| matches!(r, Record::KillPressed(_))).count()
    };
    bench.press(KillScope::Platform, KillMode::Stop, Authority::Operator).unwrap();
    bench.press(KillScope::Platform, KillMode::Close, Authority::Operator).unwrap();
    assert_eq!(count(&bench), 1);
    bench.restart();
    bench.buy(ACCOUNTS[1], INSTRUMENTS[1]);
    assert!(matches!(bench.last_outcome(), Outcome::Denied(Denial::KillSwitch(_))));
}

/// The switch is durable by itself, before what it asks for: a process that dies between the two finds the rest to do.
#[test]
fn a_restart_right_after_it_is_durable_carries_it_out() {
    let mut bench = Bench::new(1 << 63);
    while bench.positions(ACCOUNTS[0]) == 0 {
        bench.buy(ACCOUNTS[0], INSTRUMENTS[0]);
        bench.quote(INSTRUMENTS[0], 3);
    }
    bench.press(KillScope::Tenant, KillMode::Close, Authority::Broker).unwrap();
    let pressed = bench.committed.lock().unwrap().pressed.take().expect("the switch has an entry of its own");
    let runs = |state: &State| state.deployments.values().any(|d| d.status == DeploymentStatus::Running);
    assert!(runs(&pressed) && !pressed.accounts[&ACCOUNTS[0]].positions.is_empty(), "nothing else is in it");
    bench.committed.lock().unwrap().state = pressed;
    bench.restart();
    for _ in 0..3 {
        bench.quote(INSTRUMENTS[0], 3);
    }
    let state = bench.desk.shard().state();
    assert!(!runs(state));
    assert!(state.accounts.values().all(|a| a.positions.is_empty() && a.orders.is_empty()), "{:?}", state.accounts);
    let committed = bench.committed.lock().unwrap();
    assert_eq!(committed.past, vec![]);
    assert_eq!(&committed.state, state, "what is committed is what is");
}

/// A thousand people may press the switches of their own accounts; the brake of the brand and the operator's work all the same.
#[test]
fn however_many_are_on_those_who_stop_everybody_can() {
    let mut bench = Bench::new(7);
    let id = |n: usize| AccountId(100 + i64::try_from(n).unwrap());
    for n in 0..=KILLS_MAX {
        let mut terms = terms(vec![]);
        terms.id = id(n);
        bench.command(Command::OpenAccount(terms)).unwrap();
        let pressed = bench.press(KillScope::Account(id(n)), KillMode::Stop, Authority::Trader);
        assert_eq!(pressed, if n < KILLS_MAX { Ok(()) } else { Err(Refusal::TooManyKills) });
    }
    for (scope, authority) in [
        (KillScope::Tenant, Authority::Broker),
        (KillScope::Tenant, Authority::Trader),
        (KillScope::Account(id(KILLS_MAX)), Authority::Broker),
        (KillScope::Account(id(KILLS_MAX)), Authority::Operator),
        (KillScope::Platform, Authority::Operator),
    ] {
        assert_eq!(bench.press(scope, KillMode::Close, authority), Ok(()), "{scope:?} {authority:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Quote(usize, i64),
    Buy(usize, usize),
    Press(KillScope, KillMode, Authority),
    Release(KillScope, Authority),
    Start(usize, usize),
    Restart,
}

fn scope() -> impl Strategy<Value = KillScope> {
    let deployments = ACCOUNTS.iter().flat_map(|a| INSTRUMENTS.iter().map(|i| deployment(*a, *i).id));
    let mut all = vec![KillScope::Platform, KillScope::Tenant];
    all.extend(ACCOUNTS.map(KillScope::Account));
    all.extend(INSTRUMENTS.map(KillScope::Instrument));
    all.extend(deployments.map(KillScope::Deployment));
    select(all)
}

fn step() -> impl Strategy<Value = Step> {
    let authority = || select(Authority::ALL.to_vec());
    prop_oneof![
        8 => (0_usize..2, -60_i64..60).prop_map(|(i, bid)| Step::Quote(i, bid)),
        3 => (0_usize..2, 0_usize..2).prop_map(|(a, i)| Step::Buy(a, i)),
        2 => (scope(), select(vec![KillMode::Stop, KillMode::Close]), authority()).prop_map(|(s, m, a)| Step::Press(s, m, a)),
        2 => (scope(), authority()).prop_map(|(s, a)| Step::Release(s, a)),
        3 => (0_usize..2, 0_usize..2).prop_map(|(a, i)| Step::Start(a, i)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// After a switch is committed no order of its scope that could open anything is ever sent, whatever is under way:
    /// strategies, people, orders that were lost and are found never to have arrived, restarts. Where nothing is on,
    /// orders pass again.
    #[test]
    fn nothing_new_is_sent_once_it_is_committed(seed: u64, steps in vec(step(), 1..80)) {
        let mut bench = Bench::new(seed);
        for step in &steps {
            match step {
                Step::Quote(i, bid) => bench.quote(INSTRUMENTS[*i], *bid),
                Step::Buy(a, i) => {
                    bench.buy(ACCOUNTS[*a], INSTRUMENTS[*i]);
                    let on = bench.desk.shard().state().kill_over(ACCOUNTS[*a], INSTRUMENTS[*i], None).is_some();
                    let killed = matches!(bench.last_outcome(), Outcome::Denied(Denial::KillSwitch(_)));
                    prop_assert_eq!(on, killed);
                }
                Step::Press(scope, mode, authority) => {
                    bench.press(*scope, *mode, *authority).unwrap();
                    for deployment in bench.desk.shard().state().deployments.values() {
                        let covered = scope.covers(deployment.account, deployment.instrument, Some(deployment.id));
                        prop_assert!(!covered || deployment.status != DeploymentStatus::Running);
                    }
                }
                Step::Release(scope, authority) => drop(bench.release(*scope, *authority)),
                Step::Start(a, i) => {
                    let id = deployment(ACCOUNTS[*a], INSTRUMENTS[*i]).id;
                    let on = bench.desk.shard().state().kill_over(ACCOUNTS[*a], INSTRUMENTS[*i], Some(id)).is_some();
                    let running = bench.desk.shard().state().deployments[&id].status == DeploymentStatus::Running;
                    let answer = bench.command(Command::Start(id, Quotas::default()));
                    prop_assert_eq!(answer.is_err(), on && !running);
                }
                Step::Restart => bench.restart(),
            }
            let committed = bench.committed.lock().unwrap();
            prop_assert_eq!(&committed.past, &vec![]);
            prop_assert_eq!(&committed.state, bench.desk.shard().state(), "what is committed is what is");
        }
        // Everybody lets go, and things pass again.
        let kills: Vec<_> = bench.desk.shard().state().kills.keys().map(|(scope, _)| *scope).collect();
        for scope in kills {
            bench.release(scope, Authority::Operator).unwrap();
        }
        for _ in 0..3 {
            bench.quote(INSTRUMENTS[0], 1);
        }
        // Orders of one moment may all be lost; the next one waits until that is settled.
        let lost = |o: &Order| o.state == OrderState::Unknown;
        let uncertain = bench.desk.shard().state().accounts[&ACCOUNTS[0]].orders.iter().any(lost);
        bench.buy(ACCOUNTS[0], INSTRUMENTS[0]);
        prop_assert!(!matches!(bench.last_outcome(), Outcome::Denied(Denial::KillSwitch(_))));
        prop_assert_eq!(uncertain, matches!(bench.last_outcome(), Outcome::Denied(Denial::AccountUncertain)));
    }
}
