//! A strategy that the host stops again and again is asked less and less often, and knows all the same what became of its
//! orders.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::DeploymentStatus,
    bar::{Quote, Timeframe},
    fixed::Price,
    id::{AccountId, DeploymentId},
    order::Side,
    plugin::PluginRef,
    tenant::Quotas,
};
use marque_engine::{
    Command, Desk, Record,
    venue::{SimulatedVenue, VenueModel},
};
use support::{
    START, deployment,
    mortal::{self, Mortal, feed, outcome, revive},
    quote,
    release::{CROWDED, FIRST, JOLTED, LATE, release},
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
