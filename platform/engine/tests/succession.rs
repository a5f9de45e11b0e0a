//! One release follows another, or runs beside it: nothing of the account may show that it happened, except where the
//! code differs.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::DeploymentStatus,
    bar::{Quote, Timeframe},
    fixed::Money,
    id::DeploymentId,
    plugin::PluginRef,
    succession::{Moment, ShadowEnd, StateKept, Switch, Way},
    tenant::Quotas,
};
use marque_engine::{
    Command, Desk, Effects, Event, Record, Refusal, Shard,
    venue::{SimulatedVenue, VenueModel},
};
use proptest::prelude::*;
use std::sync::Arc;
use support::{
    NativeHost, NoHistory, deployment, instrument,
    mortal::{self, Mortal, feed, outcome, revive},
    quote,
    release::{BOLDER, BROKEN, DEAD, EQUAL, FIRST, LATE, PROUD, SILENT, release},
    terms,
};

const DEPLOYED: DeploymentId = DeploymentId(5);

fn model() -> VenueModel {
    VenueModel { commission_per_lot: Money::whole(3), ..VenueModel::default() }
}

fn walk(steps: &[(i64, i64)]) -> Vec<Quote> {
    let (mut at, mut bid) = (1, 0);
    steps
        .iter()
        .map(|(gap, step)| {
            at += gap;
            bid += step;
            quote(at, bid, 1)
        })
        .collect()
}

fn steps() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((1..30_000_i64, -12..=12_i64), 64..200)
}

/// What is under test: a strategy with its settings, deployed as one release.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    settings: String,
    first: u8,
}

impl Case {
    fn new(name: &'static str, seed: u32, every: u64, first: u8) -> Self {
        Self { name, settings: format!("{seed} {every}"), first }
    }

    fn release(&self, digest: u8) -> PluginRef {
        release(self.name, &self.settings, digest)
    }

    fn begin(&self, journal: &mut Mortal) -> Desk<SimulatedVenue> {
        let mut desk = mortal::desk(model());
        desk.quote(&quote(0, 0, 1), journal).unwrap();
        desk.command(Command::OpenAccount(terms(vec![])), journal).unwrap().unwrap();
        let deployed = deployment(self.release(self.first), Timeframe::M1);
        desk.command(Command::Deploy(deployed, Quotas::default()), journal).unwrap().unwrap();
        desk
    }

    fn upgrade(&self, digest: u8) -> Command {
        Command::Upgrade { deployment: DEPLOYED, to: self.release(digest) }
    }

    fn shadow(&self, digest: u8) -> Command {
        Command::Shadow { deployment: DEPLOYED, plugin: self.release(digest) }
    }

    /// The journal of a run with commands before some of the quotes; kills at some of the commits.
    fn run(&self, quotes: &[Quote], commands: &[(usize, Command)], kills: &[usize]) -> (Desk<SimulatedVenue>, Mortal) {
        let mut journal = Mortal::default();
        let mut desk = self.begin(&mut journal);
        let begun = journal.commits;
        let mut kills = kills.iter().map(|kill| begun + kill);
        journal.dies_at = kills.next().unwrap_or(0);
        let mut carried_out = 0;
        loop {
            let result = match commands.get(carried_out) {
                Some((before, command)) if journal.quotes >= *before => {
                    desk.command(command.clone(), &mut journal).map(|answer| {
                        answer.unwrap();
                        carried_out += 1;
                    })
                }
                next => {
                    let until = next.map_or(quotes.len(), |(before, _)| *before).min(quotes.len());
                    let fed = feed(&mut desk, &mut journal, quotes.get(..until).unwrap());
                    if fed.is_ok() && next.is_none() {
                        return (desk, journal);
                    }
                    fed
                }
            };
            if result.is_err() {
                desk = revive(model(), &mut journal);
                let dead = journal.commits;
                journal.dies_at = kills.next().map_or(0, |kill| kill.max(dead + 1));
            }
        }
    }
}

/// What happened to the account, without what happened to releases.
fn traded(records: &[Record]) -> Vec<Record> {
    let of_releases =
        |r: &Record| matches!(r, Record::Switched(_) | Record::ShadowStarted { .. } | Record::ShadowEnded { .. });
    outcome(records).into_iter().filter(|r| !of_releases(r)).collect()
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("dice-both"), Just("dice-ticks"), Just("clerk-both")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The state is carried over: a release of the same code goes on as the one before would have.
    #[test]
    fn an_upgrade_to_equal_code_changes_nothing(name in names(), steps in steps(), seed: u32, every in 1..20_u64, at in 1..40_usize) {
        let (case, quotes) = (Case::new(name, seed, every, FIRST), walk(&steps));
        let (_, calm) = case.run(&quotes, &[], &[]);
        let commands = [(at, case.upgrade(EQUAL)), (at + 7, Command::RollBack(DEPLOYED, Quotas::default()))];
        let (desk, upgraded) = case.run(&quotes, &commands, &[]);
        prop_assert_eq!(traded(&upgraded.records), traded(&calm.records));
        let switches: Vec<_> = upgraded.records.iter().filter_map(|r| if let Record::Switched(s) = r { Some((s.way, s.state)) } else { None }).collect();
        prop_assert_eq!(switches, vec![(Way::Upgrade, StateKept::Carried), (Way::RollBack, StateKept::Carried)]);
        prop_assert_eq!(&desk.shard().state().deployments[&DEPLOYED].plugin, &case.release(FIRST));
    }

    /// Killed at any commit around an upgrade, a promotion and a roll-back, the desk comes to the same.
    #[test]
    fn a_kill_around_an_upgrade_loses_and_doubles_nothing(
        name in names(), steps in steps(), seed: u32, every in 1..12_u64, at in 1..20_usize,
        kills in prop::collection::vec(1..40_usize, 1..8),
    ) {
        let (case, quotes) = (Case::new(name, seed, every, FIRST), walk(&steps));
        let commands = [
            (at, case.upgrade(BOLDER)),
            (at + 5, case.shadow(EQUAL)),
            (at + 15, Command::Promote(DEPLOYED)),
            (at + 18, Command::RollBack(DEPLOYED, Quotas::default())),
        ];
        let (calm_desk, calm) = case.run(&quotes, &commands, &[]);
        let mut kills = kills;
        kills.sort_unstable();
        kills.dedup();
        let (desk, journal) = case.run(&quotes, &commands, &kills);
        prop_assert_eq!(outcome(&journal.records), outcome(&calm.records));
        prop_assert_eq!(&journal.differences, &calm.differences);
        prop_assert_eq!(journal.compared, calm.compared);
        prop_assert_eq!(desk.shard().state(), calm_desk.shard().state());
    }

    /// A shadow of equal code agrees always; whatever the shadow is, the account does not notice it.
    #[test]
    fn a_shadow_never_touches_the_account(name in names(), steps in steps(), seed: u32, every in 1..12_u64, at in 1..40_usize) {
        let (case, quotes) = (Case::new(name, seed, every, FIRST), walk(&steps));
        let (_, alone) = case.run(&quotes, &[], &[]);
        for digest in [EQUAL, BOLDER, BROKEN] {
            let (_, beside) = case.run(&quotes, &[(at, case.shadow(digest))], &[]);
            prop_assert_eq!(traded(&beside.records), traded(&alone.records));
            if digest == EQUAL {
                prop_assert_eq!(&beside.differences, &vec![]);
            }
        }
    }
}

fn calm(case: &Case, commands: &[(usize, Command)]) -> (Desk<SimulatedVenue>, Mortal) {
    let steps: Vec<(i64, i64)> = (0..400).map(|n: i64| (4_000, (n * 7) % 23 - 11)).collect();
    case.run(&walk(&steps), commands, &[])
}

#[test]
fn every_differing_decision_is_reported() {
    let case = Case::new("dice-ticks", 3, 9, FIRST);
    let (desk, journal) = calm(&case, &[(100, case.shadow(BOLDER))]);
    assert_eq!(desk.shard().state().shadows[&DEPLOYED].plugin, case.release(BOLDER));
    let started = journal.records.iter().position(|r| matches!(r, Record::ShadowStarted { .. })).unwrap();
    // This strategy opens something whenever it acts, and the bolder release wants more each time.
    let mut acts: Vec<_> = journal.records[started..]
        .iter()
        .filter_map(|r| match r {
            Record::Decided(d) if matches!(d.intent, marque_domain::decision::Intent::Open { .. }) => Some(d.at),
            _ => None,
        })
        .collect();
    acts.dedup();
    assert!(acts.len() > 10, "{acts:?}");
    // The last acts may wait for a commit that never comes here.
    let told: Vec<_> = journal.differences.iter().map(|d| d.at).collect();
    assert_eq!(told, acts);
    assert!(journal.compared >= 200, "{}", journal.compared);
    for difference in &journal.differences {
        assert_eq!((difference.moment, difference.failed), (Moment::Tick, false));
        assert!(difference.live.contains("at the market") && difference.shadow.contains("at the market"));
        assert_ne!(difference.live, difference.shadow);
    }
}

#[test]
fn a_shadow_that_fails_ends_alone() {
    for (release, reason) in [(BROKEN, "it fails at everything"), (LATE, "Stopped at its deadline.")] {
        ends_alone(release, reason);
    }
}

fn ends_alone(release: u8, reason: &str) {
    let case = Case::new("dice-ticks", 3, 9, FIRST);
    let (desk, journal) = calm(&case, &[(100, case.shadow(release))]);
    let ends: Vec<_> = journal
        .records
        .iter()
        .filter_map(|r| if let Record::ShadowEnded { end, .. } = r { Some(end) } else { None })
        .collect();
    assert_eq!(ends, [&ShadowEnd::Failed(reason.into())]);
    assert_eq!(journal.differences.iter().filter(|d| d.failed).count(), 3);
    let state = desk.shard().state();
    assert_eq!(state.deployments[&DEPLOYED].status, DeploymentStatus::Running);
    assert!(state.shadows.is_empty());
    assert!(!journal.records.iter().any(|r| matches!(r, Record::Faulted { .. })));
}

#[test]
fn a_promoted_shadow_takes_over_with_its_own_state() {
    let case = Case::new("dice-ticks", 3, 9, FIRST);
    let (desk, journal) = calm(&case, &[(100, case.shadow(BOLDER)), (200, Command::Promote(DEPLOYED))]);
    let state = desk.shard().state();
    assert_eq!(state.deployments[&DEPLOYED].plugin, case.release(BOLDER));
    assert_eq!(state.former[&DEPLOYED], case.release(FIRST));
    let last =
        journal.records.iter().rev().find_map(|r| if let Record::Switched(s) = r { Some(s.clone()) } else { None });
    let Some(Switch { way: Way::Promotion, state: StateKept::Own, .. }) = last else { panic!("{last:?}") };
    assert!(journal.records.iter().any(|r| matches!(r, Record::ShadowEnded { end: ShadowEnd::Promoted, .. })));
}

/// What is refused leaves everything as it was: the old release decides the rest of the run.
#[test]
fn what_does_not_take_over_changes_nothing() {
    let case = Case::new("dice-both", 5, 7, FIRST);
    let other = release("dice-ticks", &case.settings, EQUAL);
    let quotas = Quotas::default();
    let not_taken = |reason: &str| Refusal::NotTakenUp(reason.into());
    let (_, undisturbed) = calm(&case, &[]);
    for (command, refusal) in [
        (case.upgrade(FIRST), Refusal::SameRelease),
        (Command::Upgrade { deployment: DEPLOYED, to: other.clone() }, Refusal::OtherPlugin("dice-both".into())),
        (case.upgrade(PROUD), not_taken("this state is of another version")),
        (case.upgrade(SILENT), not_taken("it cannot say its state")),
        (case.upgrade(DEAD), not_taken("it does not start")),
        (case.shadow(PROUD), not_taken("this state is of another version")),
        (case.shadow(FIRST), Refusal::SameRelease),
        (Command::Promote(DEPLOYED), Refusal::NoShadow),
        (Command::DropShadow(DEPLOYED), Refusal::NoShadow),
        (Command::RollBack(DEPLOYED, quotas), Refusal::NothingToRollBack),
        (Command::RollBack(DeploymentId(99), quotas), Refusal::NoSuchDeployment),
        (Command::DropShadow(DeploymentId(99)), Refusal::NoSuchDeployment),
    ] {
        let mut journal = Mortal::default();
        let mut desk = case.begin(&mut journal);
        let steps: Vec<(i64, i64)> = (0..400).map(|n: i64| (4_000, (n * 7) % 23 - 11)).collect();
        let quotes = walk(&steps);
        feed(&mut desk, &mut journal, &quotes[..150]).unwrap();
        assert_eq!(desk.command(command.clone(), &mut journal).unwrap(), Err(refusal), "{command:?}");
        feed(&mut desk, &mut journal, &quotes).unwrap();
        assert_eq!(journal.records, undisturbed.records, "{command:?}");
    }
}

#[test]
fn a_roll_back_to_what_does_not_read_the_state_begins_anew() {
    let case = Case::new("dice-ticks", 3, 9, PROUD);
    let (desk, journal) =
        calm(&case, &[(100, case.upgrade(EQUAL)), (200, Command::RollBack(DEPLOYED, Quotas::default()))]);
    let ways: Vec<_> = journal
        .records
        .iter()
        .filter_map(|r| if let Record::Switched(s) = r { Some((s.way, s.state)) } else { None })
        .collect();
    assert_eq!(ways, [(Way::Upgrade, StateKept::Carried), (Way::RollBack, StateKept::Fresh)]);
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].plugin, case.release(PROUD));
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].status, DeploymentStatus::Running);
    assert!(desk.shard().state().former.is_empty());
}

/// The changes of release in a journal, with the state that each began with.
fn ways(journal: &Mortal) -> Vec<(Way, StateKept)> {
    let of = |r: &Record| if let Record::Switched(s) = r { Some((s.way, s.state)) } else { None };
    journal.records.iter().filter_map(of).collect()
}

/// What a strategy restores it need not read from its settings: with others a release begins anew, and so does the one before it
/// when it comes back to its own.
#[test]
fn with_other_settings_a_release_begins_anew() {
    let (case, other) = (Case::new("dice-ticks", 3, 9, FIRST), Case::new("dice-ticks", 3, 11, FIRST));
    let back = (200, Command::RollBack(DEPLOYED, Quotas::default()));
    // One that reads no state of another release takes over all the same: there is none to read.
    let (desk, journal) = calm(&case, &[(100, other.upgrade(PROUD)), back]);
    assert_eq!(ways(&journal), [(Way::Upgrade, StateKept::Fresh), (Way::RollBack, StateKept::Fresh)]);
    let state = desk.shard().state();
    assert_eq!(state.deployments[&DEPLOYED].plugin, case.release(FIRST));
    assert_eq!(state.deployments[&DEPLOYED].status, DeploymentStatus::Running);

    let (desk, journal) = calm(&case, &[(100, other.shadow(EQUAL)), (200, Command::Promote(DEPLOYED))]);
    assert_eq!(ways(&journal), [(Way::Promotion, StateKept::Own)]);
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].plugin, other.release(EQUAL));

    // What does not start with them leaves the old one as it was.
    let mut journal = Mortal::default();
    let mut desk = case.begin(&mut journal);
    let refused = desk.command(other.upgrade(DEAD), &mut journal).unwrap();
    assert_eq!(refused, Err(Refusal::NotTakenUp("it does not start".into())));
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].status, DeploymentStatus::Running);
}

#[test]
fn a_roll_back_starts_what_the_new_release_brought_down() {
    let case = Case::new("dice-ticks", 3, 9, FIRST);
    let (desk, journal) =
        calm(&case, &[(100, case.upgrade(BROKEN)), (200, Command::RollBack(DEPLOYED, Quotas::default()))]);
    let statuses: Vec<_> = journal
        .records
        .iter()
        .filter_map(|r| if let Record::DeploymentChanged { status, .. } = r { Some(status.name()) } else { None })
        .collect();
    assert_eq!(statuses, ["quarantined", "running"]);
    assert_eq!(desk.shard().state().deployments[&DEPLOYED].plugin, case.release(FIRST));
    let back = journal.records.iter().rposition(|r| matches!(r, Record::Switched(_))).unwrap();
    assert!(journal.records[back..].iter().any(|r| matches!(r, Record::Decided(_))), "it trades again");
}

#[test]
fn a_stopped_strategy_is_upgraded_where_it_stands_and_ends_its_shadow() {
    let case = Case::new("dice-ticks", 3, 9, FIRST);
    let commands = [
        (50, case.shadow(BOLDER)),
        (100, Command::Pause { deployment: DEPLOYED, reason: "nothing left today".into() }),
        (150, case.upgrade(EQUAL)),
        (200, Command::Start(DEPLOYED, Quotas::default())),
    ];
    let (desk, journal) = calm(&case, &commands);
    let state = desk.shard().state();
    assert_eq!((state.deployments[&DEPLOYED].status.name(), state.shadows.len()), ("running", 0));
    assert_eq!(state.deployments[&DEPLOYED].plugin, case.release(EQUAL));
    let ended = |r: &Record| matches!(r, Record::ShadowEnded { end: ShadowEnd::Stopped, .. });
    assert!(journal.records.iter().any(ended));
    let paused = DeploymentStatus::Paused("nothing left today".into());
    let was = |r: &Record| matches!(r, Record::DeploymentChanged { status, .. } if *status == paused);
    assert!(journal.records.iter().any(was));
    let mut journal = Mortal::default();
    let mut desk = case.begin(&mut journal);
    desk.command(Command::Stop(DEPLOYED), &mut journal).unwrap().unwrap();
    assert_eq!(desk.command(case.shadow(BOLDER), &mut journal).unwrap(), Err(Refusal::NotRunning));
    assert!(matches!(desk.command(case.upgrade(DEAD), &mut journal).unwrap(), Err(Refusal::NotTakenUp(_))));
}

/// Whoever sent an order hears what became of it.
#[test]
fn no_release_is_changed_while_its_order_is_on_its_way() {
    let case = Case::new("dice-ticks", 3, 2, FIRST);
    let mut shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
    let (mut fx, mut now) = (Effects::default(), quote(0, 0, 1).at);
    shard.step(now, Event::Quote(quote(0, 0, 1), vec![]), &mut fx).unwrap();
    shard.step(now, Event::Command(Command::OpenAccount(terms(vec![]))), &mut fx).unwrap();
    let deployed = deployment(case.release(FIRST), Timeframe::M1);
    shard.step(now, Event::Command(Command::Deploy(deployed, Quotas::default())), &mut fx).unwrap();
    for n in 1.. {
        let next = quote(n * 100, n % 7, 1);
        now = next.at;
        shard.step(now, Event::Quote(next, vec![]), &mut fx).unwrap();
        if !fx.orders.is_empty() {
            break;
        }
    }
    for command in [case.upgrade(EQUAL), case.shadow(EQUAL)] {
        assert_eq!(shard.step(now, Event::Command(command), &mut fx), Err(Refusal::NotQuiet));
    }
}
