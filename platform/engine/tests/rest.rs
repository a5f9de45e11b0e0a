//! A strategy that the host stops again and again is asked less and less often, and knows all the same what became of its
//! orders.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{Deployment, DeploymentStatus},
    bar::{Quote, Timeframe},
    fixed::Price,
    id::{AccountId, DeploymentId, InstrumentId, PositionId},
    order::{Origin, Side},
    plugin::PluginRef,
    tenant::Quotas,
    time::Millis,
};
use marque_engine::{
    Command, Desk, Effects, Event, Record, Shard,
    port::{BarRun, Fault, HistorySource, PluginHost, RiskRule, Strategy, StrategyStart},
    venue::{SimulatedVenue, VenueModel},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use support::{
    NativeHost, START, deployment, instrument,
    mortal::{self, Mortal, feed, outcome, revive, revive_with},
    quote,
    release::{CROWDED, EQUAL, FIRST, JOLTED, LATE, release},
    terms,
};

const DEPLOYED: DeploymentId = DeploymentId(5);
/// Between two quotes.
const STEP_MS: i64 = 500;

fn quotes(minutes: i64) -> Vec<Quote> {
    (1..minutes * 60_000 / STEP_MS).map(|n| quote(n * STEP_MS, n % 5, 1)).collect()
}

fn begin(plugin: PluginRef, journal: &mut Mortal) -> Desk<SimulatedVenue> {
    let mut desk = mortal::desk(VenueModel::default());
    desk.quote(&quote(0, 0, 1), journal).unwrap();
    desk.command(Command::OpenAccount(terms(vec![])), journal).unwrap().unwrap();
    desk.command(Command::Deploy(deployment(plugin, Timeframe::M1), Quotas::default()), journal).unwrap().unwrap();
    desk
}

/// When the strategy failed, in milliseconds after the start.
fn failed_at(records: &[Record]) -> Vec<i64> {
    let at = |record: &Record| match record {
        Record::Faulted { at, .. } => Some(at.since(START)),
        _ => None,
    };
    records.iter().filter_map(at).collect()
}

#[test]
fn one_that_the_host_stops_rests_longer_each_time_and_is_never_quarantined() {
    let mut journal = Mortal::default();
    let mut desk = begin(release("dice-ticks", "3 9", LATE), &mut journal);
    feed(&mut desk, &mut journal, &quotes(15)).unwrap();

    let at = failed_at(&journal.records);
    let rests: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // At once, then twice as long each time; after ten minutes the first ones do not count any more, and a minute remains.
    assert_eq!(rests[..8], [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    assert!(rests[8..].iter().all(|rest| *rest == 60_000), "{rests:?}");
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].status, DeploymentStatus::Running);
    let said: Vec<_> = journal
        .records
        .iter()
        .filter_map(|r| if let Record::Faulted { fault, .. } = r { Some(fault.as_str()) } else { None })
        .collect();
    assert_eq!(
        said[..2],
        ["Stopped at its deadline.", "Stopped at its deadline. It is shown the market again in 1 s."]
    );
}

/// Where the host has no room for another instance, the strategy that failed has none for a while; that is not its fault.
#[test]
fn one_that_finds_no_room_again_is_not_quarantined() {
    let mut journal = Mortal::default();
    let mut desk = begin(release("dice-ticks", "3 9", CROWDED), &mut journal);
    feed(&mut desk, &mut journal, &quotes(15)).unwrap();
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].status, DeploymentStatus::Running);
    let at = failed_at(&journal.records);
    let rests: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(rests[..7], [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000], "it is tried less and less often");
    assert!(rests[7..].iter().all(|rest| *rest == 60_000), "{rests:?}");
}

#[test]
fn a_restart_in_the_rest_does_not_shorten_it() {
    let (plugin, quotes) = (release("dice-ticks", "3 9", LATE), quotes(5));
    let mut calm = Mortal::default();
    let mut desk = begin(plugin.clone(), &mut calm);
    let begun = calm.commits;
    feed(&mut desk, &mut calm, &quotes).unwrap();
    for dies_at in begun + 1..=calm.commits {
        let mut journal = Mortal::default();
        let mut desk = begin(plugin.clone(), &mut journal);
        journal.dies_at = dies_at;
        assert!(feed(&mut desk, &mut journal, &quotes).is_err(), "nothing died at {dies_at}");
        let mut desk = revive(VenueModel::default(), &mut journal);
        feed(&mut desk, &mut journal, &quotes).unwrap();
        assert_eq!(outcome(&journal.records), outcome(&calm.records), "killed at {dies_at}");
    }
}

/// The bar before the present one, once it is asked for in earnest.
struct Lately(Arc<AtomicBool>);

const BAR: [i64; 6] = [138_000_000, 138_400_000, 137_900_000, 138_200_000, 1_000, 5];

impl HistorySource for Lately {
    fn bars(&self, _: InstrumentId, timeframe: Timeframe, before: Millis, _: u32) -> [Vec<i64>; 7] {
        if !self.0.load(Ordering::Relaxed) {
            return Default::default();
        }
        let [open, high, low, close, spread, volume] = BAR;
        [before.0 - timeframe.length_ms(), open, high, low, close, spread, volume].map(|value| vec![value])
    }
}

/// Starts native strategies, and keeps the state that each release was last started from.
struct Registrar(Arc<Mutex<BTreeMap<u8, Vec<u8>>>>);

impl PluginHost for Registrar {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        if let Some(state) = start.restore {
            self.0.lock().unwrap().insert(start.deployment.plugin.digest.0[0], state.to_vec());
        }
        NativeHost.strategy(start)
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        NativeHost.rule(rule)
    }
}

/// Starts native strategies while there is room, and keeps what they were started from.
#[derive(Clone, Default)]
struct Crowd {
    is_full: Arc<AtomicBool>,
    begun: Arc<Mutex<BTreeMap<u8, Vec<u8>>>>,
}

impl Crowd {
    /// The process is gone, and another one goes on with the journal.
    fn restart(&self, journal: &mut Mortal) -> Desk<SimulatedVenue> {
        revive_with(Arc::new(self.clone()), VenueModel::default(), journal)
    }

    fn begun(&self) -> Option<Vec<u8>> {
        self.begun.lock().unwrap().get(&FIRST).cloned()
    }
}

impl PluginHost for Crowd {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Fault::Host("There is no room.".into()));
        }
        Registrar(Arc::clone(&self.begun)).strategy(start)
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        NativeHost.rule(rule)
    }
}

/// A node that starts again is often full at first: everybody's instances come at once.
#[test]
fn one_that_finds_no_room_at_a_restart_rests_and_goes_on_from_where_it_was() {
    let quotes = quotes(4);
    let live = || {
        let mut journal = Mortal::default();
        let mut desk = begin(release("dice-ticks", "3 9", FIRST), &mut journal);
        feed(&mut desk, &mut journal, &quotes[..150]).unwrap();
        journal
    };
    let with_room = Crowd::default();
    with_room.restart(&mut live());
    assert!(with_room.begun().is_some(), "it is started from its state");

    let (mut journal, full) = (live(), Crowd::default());
    full.is_full.store(true, Ordering::Relaxed);
    let mut desk = full.restart(&mut journal);
    let restarted_at = desk.shard().market().now().since(START);
    let from = journal.quotes;
    let failed = |journal: &Mortal| -> Vec<i64> {
        failed_at(&journal.records).into_iter().map(|at| at - restarted_at).collect()
    };
    assert_eq!(failed(&journal), [0]);
    // The process dies in the rest, which is not shortened by that, nor counted as another failure.
    feed(&mut desk, &mut journal, &quotes[..from + 3]).unwrap();
    let mut desk = full.restart(&mut journal);
    feed(&mut desk, &mut journal, &quotes[..from + 20]).unwrap();
    assert_eq!(failed(&journal), [0, 1_000, 3_000, 7_000], "it is tried less and less often");
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].status, DeploymentStatus::Running);
    assert_eq!(full.begun(), None);

    full.is_full.store(false, Ordering::Relaxed);
    let before = journal.records.len();
    feed(&mut desk, &mut journal, &quotes).unwrap();
    assert_eq!(full.begun(), with_room.begun(), "its state at the restart");
    let decided = journal.records[before..].iter().any(|r| matches!(r, Record::Decided(_)));
    assert!(decided && failed(&journal).len() == 4, "it trades on");
}

/// An order of it fills while it has no instance: the next one is shown the position, and closes it one day.
#[test]
fn what_its_order_opened_while_it_had_no_instance_is_shown_to_the_next() {
    let (model, quotes) = (VenueModel { latency_ms: 5_000, ..VenueModel::default() }, quotes(6));
    let mut journal = Mortal::default();
    let mut desk = mortal::desk(model);
    desk.quote(&quote(0, 0, 1), &mut journal).unwrap();
    desk.command(Command::OpenAccount(terms(vec![])), &mut journal).unwrap().unwrap();
    let deployed = deployment(release("dice-ticks", "3 9", FIRST), Timeframe::M1);
    desk.command(Command::Deploy(deployed, Quotas::default()), &mut journal).unwrap().unwrap();
    let mut shown = 0;
    while desk.shard().state().accounts[&AccountId(1)].orders.is_empty() {
        shown += 1;
        feed(&mut desk, &mut journal, &quotes[..shown]).unwrap();
    }
    let order = desk.shard().state().accounts[&AccountId(1)].orders[0].id;

    let crowd = Crowd::default();
    crowd.is_full.store(true, Ordering::Relaxed);
    let mut desk = revive_with(Arc::new(crowd.clone()), model, &mut journal);
    feed(&mut desk, &mut journal, &quotes[..shown + 14]).unwrap();
    assert!(desk.shard().state().position(PositionId(order.0)).is_some(), "it filled");
    crowd.is_full.store(false, Ordering::Relaxed);
    feed(&mut desk, &mut journal, &quotes).unwrap();
    let closed = journal.records.iter().find_map(|r| match r {
        Record::PositionClosed(position) if position.id.0 == order.0 => position.closed,
        _ => None,
    });
    assert_eq!(closed.map(|closed| closed.origin), Some(Origin::Strategy));
}

/// A release that takes over, or runs beside, while the live one rests begins with the bars of the rest: nobody shows them to
/// it later.
#[test]
fn a_release_that_follows_in_a_rest_knows_the_bars_of_the_rest() {
    let plugin = |digest| release("dice-both", "3 9", digest);
    let (upgrade, shadow) = (
        Command::Upgrade { deployment: DEPLOYED, to: plugin(EQUAL) },
        Command::Shadow { deployment: DEPLOYED, plugin: plugin(EQUAL) },
    );
    for (command, rests_on) in [(upgrade, false), (shadow, true)] {
        let (past, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let (host, history) = (Registrar(Arc::clone(&begun)), Lately(Arc::clone(&past)));
        let mut shard = Shard::new(&[instrument()], Arc::new(host), Box::new(history));
        let mut fx = Effects::default();
        let mut step = |at_ms: i64, event: Event| {
            shard.step(START.plus(at_ms), event, &mut fx).unwrap();
            failed_at(&fx.records).len()
        };
        let tick = |n: i64| Event::Quote(quote(n * STEP_MS, n % 5, 1), vec![]);
        step(0, tick(0));
        step(0, Event::Command(Command::OpenAccount(terms(vec![]))));
        let deployed = deployment(plugin(LATE), Timeframe::M1);
        step(0, Event::Command(Command::Deploy(deployed.clone(), Quotas::default())));
        // It fails at 64 seconds, rests for a minute, and the bar of the second minute closes at 120.
        for n in 1..=242 {
            step(n * STEP_MS, tick(n));
        }
        let restored = |digest: u8| begun.lock().unwrap().get(&digest).cloned().unwrap();
        let rested = restored(LATE);
        past.store(true, Ordering::Relaxed);
        assert_eq!(step(121_000, Event::Command(command)), 8);

        let next = Deployment { plugin: plugin(EQUAL), ..deployed };
        let instrument = instrument();
        let start = StrategyStart { deployment: &next, instrument: &instrument, restore: Some(&rested), seed: 5 };
        let mut expected = NativeHost.strategy(&start).unwrap();
        let columns = Lately(Arc::clone(&past)).bars(instrument.id, Timeframe::M1, START.plus(120_000), 1);
        let [open_at, open, high, low, close, spread, volume] = &columns;
        expected.on_history(BarRun { open_at, open, high, low, close, spread, volume }).unwrap();
        assert_eq!(restored(EQUAL), expected.snapshot().unwrap());
        assert_ne!(restored(EQUAL), rested);

        // The live one beside which a shadow runs is left in peace as long as before.
        if rests_on {
            for n in 243..248 {
                assert_eq!(step(n * STEP_MS, tick(n)), 8, "at {} ms", n * STEP_MS);
            }
            assert_eq!(step(124_000, tick(248)), 9);
        }
    }
}

/// Nobody tells it later: an instance that does not hear of a position never closes it.
#[test]
fn what_became_of_an_order_is_told_again_to_the_instance_that_takes_over() {
    let run = |digest| {
        let mut journal = Mortal::default();
        let mut desk = begin(release("dice-ticks", "3 9", digest), &mut journal);
        feed(&mut desk, &mut journal, &quotes(5)).unwrap();
        journal.records
    };
    let (calm, jolted) = (run(FIRST), run(JOLTED));
    assert_eq!((failed_at(&calm).len(), failed_at(&jolted).len()), (0, 1));
    let traded = |records: Vec<Record>| {
        let of_the_release = |r: &Record| matches!(r, Record::Deployed(_) | Record::Faulted { .. });
        records.into_iter().filter(|r| !of_the_release(r)).collect::<Vec<_>>()
    };
    let closed = calm.iter().filter(|r| matches!(r, Record::PositionClosed(_))).count();
    assert!(closed > 1, "it closes what it opened");
    assert_eq!(traded(jolted), traded(calm));
}

#[test]
fn what_becomes_of_its_orders_ends_the_rest() {
    let mut journal = Mortal::default();
    let mut desk = begin(release("dice-ticks", "3 2", FIRST), &mut journal);
    // Until it holds a position with a stop-loss and nothing else is on its way.
    let mut n = 0;
    let (held, stop_loss) = loop {
        n += 1;
        assert!(n < 2_000, "it never opens anything with a stop");
        desk.quote(&quote(n * STEP_MS, n % 5, 1), &mut journal).unwrap();
        let account = &desk.shard().state().accounts[&AccountId(1)];
        let held = account.positions.first().filter(|_| account.orders.is_empty()).cloned();
        if let Some((held, stop_loss)) = held.and_then(|held| held.stop_loss.map(|stop_loss| (held, stop_loss))) {
            break (held, stop_loss);
        }
    };
    let to = release("dice-ticks", "3 2", LATE);
    desk.command(Command::Upgrade { deployment: DEPLOYED, to }, &mut journal).unwrap().unwrap();
    let upgraded = n;
    while failed_at(&journal.records).len() < 8 {
        n += 1;
        desk.quote(&quote(n * STEP_MS, upgraded % 5, 1), &mut journal).unwrap();
    }

    // It rests for a minute now; two seconds on, its stop is reached.
    n += 4;
    let beyond = if held.side == Side::Buy { -10_000 } else { 10_000 };
    let bid = Price::from_units(stop_loss.units() + beyond);
    let reached = Quote { bid, ask: Price::from_units(bid.units() + 1_000), ..quote(n * STEP_MS, 0, 1) };
    desk.quote(&reached, &mut journal).unwrap();
    let positions = &desk.shard().state().accounts[&AccountId(1)].positions;
    assert!(positions.iter().all(|position| position.id != held.id), "the stop was not reached");
    // It was told, so that it does not rest any more: it is shown the next quote, and fails at it.
    desk.quote(&quote((n + 1) * STEP_MS, 0, 1), &mut journal).unwrap();
    let last = failed_at(&journal.records).last().copied();
    assert!(last >= Some(n * STEP_MS), "the last failure was at {last:?}, the stop at {}", n * STEP_MS);
}
