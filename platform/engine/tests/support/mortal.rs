//! A desk that is killed at a commit and started again.

use super::{NativeHost, NoHistory, instrument};
use marque_domain::{bar::Quote, id::DeploymentId, succession::Difference};
use marque_engine::{
    Desk, Effects, Record, Shard,
    desk::Commit,
    port::PluginHost,
    shard::Mark,
    state::State,
    venue::{SimulatedVenue, VenueModel},
};
use std::sync::Arc;

/// Commits until it is told to die: then the commit and all that would follow is lost.
#[derive(Default)]
pub struct Mortal {
    pub records: Vec<Record>,
    pub mark: Option<Mark>,
    pub commits: usize,
    pub dies_at: usize,
    pub quotes: usize,
    pub committed_quotes: usize,
    /// What is shown to people is committed with the next facts.
    pub differences: Vec<Difference>,
    pub compared: u64,
    waiting: Vec<Difference>,
}

impl Commit for Mortal {
    type Error = ();
    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), ()> {
        self.waiting.extend(effects.differences.iter().cloned());
        if effects.records.is_empty() {
            return Ok(());
        }
        self.commits += 1;
        if self.commits == self.dies_at {
            return Err(());
        }
        self.records.extend(effects.records.iter().cloned());
        self.differences.append(&mut self.waiting);
        self.compared += shard.take_compared().get(&DeploymentId(5)).copied().unwrap_or_default();
        // The cursor and the mark are of the same moment as the records: whole at first and now and then, else what changed.
        match &mut self.mark {
            Some(mark) if !self.commits.is_multiple_of(7) => mark.apply(shard.mark_change()),
            mark => *mark = Some(shard.mark()),
        }
        self.committed_quotes = self.quotes;
        Ok(())
    }
}

/// A new desk at a venue on these terms.
pub fn desk(model: VenueModel) -> Desk<SimulatedVenue> {
    let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
    Desk::new(shard, SimulatedVenue::with_model(model, &[instrument()]))
}

/// Shows it the quotes that it has not seen.
pub fn feed(desk: &mut Desk<SimulatedVenue>, journal: &mut Mortal, quotes: &[Quote]) -> Result<(), ()> {
    for quote in quotes.iter().skip(journal.quotes) {
        journal.quotes += 1;
        desk.quote(quote, journal)?;
    }
    Ok(())
}

/// What is left of a desk after the process was killed: the journal and the mark.
pub fn revive(model: VenueModel, journal: &mut Mortal) -> Desk<SimulatedVenue> {
    revive_with(Arc::new(NativeHost), model, journal)
}

/// A shard as it is left, before it has recovered.
pub fn restored(host: Arc<dyn PluginHost>, journal: &Mortal) -> Shard {
    let mut state = State::default();
    journal.records.iter().for_each(|r| state.apply(r));
    let mut shard = Shard::new(&[instrument()], host, Box::new(NoHistory));
    shard.restore(state, journal.mark.clone().unwrap_or_default());
    shard
}

/// The same at a node with such a host.
pub fn revive_with(host: Arc<dyn PluginHost>, model: VenueModel, journal: &mut Mortal) -> Desk<SimulatedVenue> {
    let shard = restored(host, journal);
    let mut venue = SimulatedVenue::with_model(model, &[instrument()]);
    venue.restore(&shard);
    let mut desk = Desk::new(shard, venue);
    journal.quotes = journal.committed_quotes;
    journal.dies_at = 0;
    journal.waiting.clear();
    desk.recover(journal).unwrap();
    desk
}

/// Records without the steps that a restart adds while it finds out about orders in flight.
pub fn outcome(records: &[Record]) -> Vec<Record> {
    let in_flight = |state: marque_domain::order::OrderState| {
        use marque_domain::order::OrderState as S;
        matches!(state, S::Intent | S::Sending | S::Unknown)
    };
    records.iter().filter(|r| !matches!(r, Record::OrderMoved(o) if in_flight(o.state))).cloned().collect()
}
