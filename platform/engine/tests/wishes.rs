//! Who answers each denial with more wishes: it has failed before it costs anybody else anything.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{account::DeploymentStatus, bar::Timeframe, fixed::Money, tenant::Quotas};
use marque_engine::{Command, Desk, Record, Shard, venue::SimulatedVenue};
use std::sync::Arc;
use support::{Journal, NativeHost, NoHistory, deployment, instrument, plugin, quote, terms};

/// Wishes of one event; what a call brings that goes beyond is not carried out.
const WISHES: usize = 512;

#[test]
fn wishes_do_not_multiply() {
    let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
    let (mut desk, mut journal) = (Desk::new(shard, SimulatedVenue::new(Money::ZERO)), Journal::default());
    desk.quote(&quote(0, 0, 1), &mut journal).unwrap();
    desk.command(Command::OpenAccount(terms(vec![])), &mut journal).unwrap().unwrap();
    let greedy = deployment(plugin("insatiable", ""), Timeframe::M1);
    desk.command(Command::Deploy(greedy.clone(), Quotas::default()), &mut journal).unwrap().unwrap();
    for n in 1..=4 {
        let before = decided(&journal);
        desk.quote(&quote(n * 1_000, 0, 1), &mut journal).unwrap();
        assert!(decided(&journal) - before <= WISHES, "{n}");
    }
    let faults = journal.records.iter().filter(|record| matches!(record, Record::Faulted { .. })).count();
    assert_eq!(faults, 3, "each event that asks for too much is a fault");
    let status = &desk.shard().state().deployments[&greedy.id].status;
    assert!(matches!(status, DeploymentStatus::Quarantined(reason) if reason.contains("512")), "{status:?}");
}

fn decided(journal: &Journal) -> usize {
    journal.records.iter().filter(|record| matches!(record, Record::Decided(_))).count()
}
