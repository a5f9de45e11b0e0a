//! A shard and its venue at one desk: the loop from event to order to answer.
//!
//! The one rule it keeps: facts are committed before the venue sees an order. Who commits, and how, the
//! caller says; a backtest commits nothing, the server writes to its journal.

use crate::{
    event::{ClosedBar, Command, Effects, Event, Record, Refusal},
    port::{Venue, VenueReport},
    shard::Shard,
};
use marque_domain::{
    bar::Quote,
    id::{InstrumentId, PositionId},
    order::OrderState,
    time::Millis,
};
use std::collections::VecDeque;

/// Commits that are under way at most: while one is being written, the next is made ready.
pub const COMMITS_MAX: usize = 2;

/// Orders withdrawn and positions closed by a kill switch in one turn, about: few enough that some are stepped while others are
/// committed.
pub const CARRIED_MAX: usize = 256;

/// What makes effects durable and shows them to whoever watches. An error stops the desk: nothing that
/// follows from uncommitted facts may leave it.
pub trait Commit {
    /// Why it failed.
    type Error;

    /// Commits the effects of what just happened.
    ///
    /// # Errors
    /// When they may not be durable.
    fn commit(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), Self::Error>;

    /// Takes the effects and begins to commit them, while the shard takes further commands. They become durable after all
    /// that was begun before, or not at all. [`COMMITS_MAX`] are under way at most. One that cannot work beside the shard
    /// commits here.
    ///
    /// # Errors
    /// When they will not be durable.
    fn begin(&mut self, shard: &mut Shard, effects: &Effects) -> Result<(), Self::Error> {
        self.commit(shard, effects)
    }

    /// Waits until the oldest of what was begun is durable. Called once for each [`Commit::begin`], in their order, and for all
    /// of them before [`Commit::commit`].
    ///
    /// # Errors
    /// When it may not be durable.
    fn finish(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A shard with its venue.
pub struct Desk<V> {
    shard: Shard,
    venue: V,
    /// What happened and is to be committed.
    effects: Effects,
    /// What is being committed, oldest first, while the shard goes on.
    under_way: VecDeque<Effects>,
    /// Memory for the next.
    spare: Vec<Effects>,
    reports: Vec<VenueReport>,
}

impl<V: Venue> Desk<V> {
    /// Puts a shard and its venue together.
    #[must_use]
    pub fn new(mut shard: Shard, venue: V) -> Self {
        shard.trades_at_remote(venue.is_remote());
        let (effects, under_way, spare) = Default::default();
        Self { shard, venue, effects, under_way, spare, reports: Vec::new() }
    }

    /// The shard.
    #[must_use]
    pub const fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The shard, to restore it or to take its mark.
    pub const fn shard_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }

    /// The venue.
    pub(crate) const fn venue(&self) -> &V {
        &self.venue
    }

    /// Takes a quote of the market: the venue makes its own of it and sees it first, because stops and working orders
    /// stand there; then the shard.
    ///
    /// # Errors
    /// The committer's.
    pub fn quote<C: Commit>(&mut self, quote: &Quote, commit: &mut C) -> Result<(), C::Error> {
        let quote = &self.venue.price(quote);
        self.venue.quote(quote, &mut self.reports);
        let event = Event::Quote(*quote, core::mem::take(&mut self.reports));
        let taken = self.shard.step(quote.at, event, &mut self.effects);
        debug_assert!(taken.is_ok(), "only commands are refused");
        self.settle(commit)
    }

    /// Takes the next points of the equity curves of accounts that the instrument moves: after its quote, when what that
    /// caused is done.
    ///
    /// # Errors
    /// The committer's.
    pub fn sample<C: Commit>(&mut self, instrument: InstrumentId, commit: &mut C) -> Result<(), C::Error> {
        self.shard.sample(instrument, &mut self.effects);
        self.settle(commit)
    }

    /// As [`Desk::quote`], for a quote that is the venue's own already, with the bars that it closes brought along.
    pub(crate) fn quote_with_bars<C: Commit>(
        &mut self,
        quote: &Quote,
        closed: &[ClosedBar],
        commit: &mut C,
    ) -> Result<(), C::Error> {
        self.venue.quote(quote, &mut self.reports);
        self.shard.quote_with_bars(quote, closed, core::mem::take(&mut self.reports), &mut self.effects);
        self.settle(commit)
    }

    /// Takes what a remote venue has said, at a time at which no quote need have come: questions that are due go out.
    ///
    /// # Errors
    /// The committer's.
    pub fn listen<C: Commit>(&mut self, now: Millis, commit: &mut C) -> Result<(), C::Error> {
        self.venue.listen(now, &mut self.reports);
        let heard = Event::Heard(core::mem::take(&mut self.reports));
        let taken = self.shard.step(now, heard, &mut self.effects);
        debug_assert!(taken.is_ok(), "only commands are refused");
        self.settle(commit)
    }

    /// Carries out a command and everything that follows from it.
    ///
    /// # Errors
    /// The committer's. The inner result is the shard's [`Refusal`].
    pub fn command<C: Commit>(&mut self, command: Command, commit: &mut C) -> Result<Result<(), Refusal>, C::Error> {
        let answer = self.step(Event::Command(command));
        self.settle(commit)?;
        Ok(answer)
    }

    /// One turn of many: steps the commands while what came before them is being committed, and begins to commit what came of
    /// them and of what left since. So the shard works beside the disk, and each commit holds new orders together with
    /// the fills of earlier ones. Afterwards all that happened is being committed or is durable. What a command led to is
    /// complete when nothing about its account is under way any more.
    ///
    /// A turn [makes room](Self::make_room) first, and waits for the oldest commit also where it has nothing to begin.
    ///
    /// A kill switch is committed in the turn of its command, and what it asks for is stepped in those that follow.
    ///
    /// At most one of the commands, and none of what is under way, may concern an account (see [`Command::account`]): each finds
    /// its account as it would alone. Everything else that the desk does comes between turns, when it [is quiet](Self::is_quiet).
    ///
    /// # Errors
    /// The committer's. The inner results are the shard's [`Refusal`]s, one for each command.
    pub fn turn<C: Commit>(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
        commit: &mut C,
    ) -> Result<Vec<Result<(), Refusal>>, C::Error> {
        let waited = self.make_room(commit)?;
        self.carry_out(CARRIED_MAX);
        let answers = commands.into_iter().map(|command| self.step(Event::Command(command))).collect();
        if self.effects.is_empty() && !waited {
            self.finish(commit)?;
        }
        if !self.effects.is_empty() {
            commit.begin(&mut self.shard, &self.effects)?;
            let begun = self.take_effects();
            self.under_way.push_back(begun);
        }
        Ok(answers)
    }

    /// Where [`COMMITS_MAX`] are under way, waits for the oldest and lets what that allows leave. Answers whether it did.
    /// Commands that came meanwhile can be in the next turn.
    ///
    /// # Errors
    /// The committer's.
    pub fn make_room<C: Commit>(&mut self, commit: &mut C) -> Result<bool, C::Error> {
        let full = self.under_way.len() >= COMMITS_MAX;
        if full {
            self.finish(commit)?;
        }
        Ok(full)
    }

    /// What has happened and is not even being committed. After a [turn](Self::turn) that is nothing.
    #[must_use]
    pub fn ahead(&self) -> &[Record] {
        &self.effects.records
    }

    /// Whether everything is committed, and all that may leave has left.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && self.effects.is_empty() && !self.is_carrying()
    }

    /// Whether a kill switch asks for more than was stepped. After a [command](Self::command) that is never so, after a
    /// [turn](Self::turn) it may be.
    #[must_use]
    pub fn is_carrying(&self) -> bool {
        self.shard.is_carrying()
    }

    /// After [`Shard::restore`]: settles orders whose fate is unknown.
    ///
    /// # Errors
    /// The committer's.
    pub fn recover<C: Commit>(&mut self, commit: &mut C) -> Result<(), C::Error> {
        let recovered = self.step(Event::Recovered);
        debug_assert!(recovered.is_ok(), "only commands are refused");
        self.settle(commit)
    }

    /// Moves the market to a quote that touches nobody.
    pub(crate) fn skip_to(&mut self, quote: &Quote) {
        self.venue.quote(quote, &mut self.reports);
        debug_assert!(self.reports.is_empty(), "a quote that triggers a stop was passed over");
        self.shard.skip_to(quote);
    }

    /// Lets the shard look at a quote, for what it makes of it; the venue has seen it or will not.
    pub(crate) fn glance(&mut self, quote: &Quote) {
        self.shard.skip_to(quote);
    }

    /// The parts, for a backtest that steps the shard itself and settles afterwards.
    pub(crate) const fn parts(&mut self) -> (&mut Shard, &mut Effects) {
        (&mut self.shard, &mut self.effects)
    }

    fn step(&mut self, event: Event) -> Result<(), Refusal> {
        let now: Millis = self.shard.market().now();
        self.shard.step(now, event, &mut self.effects)
    }

    /// Steps some of what a kill switch asks for, if one does.
    fn carry_out(&mut self, most: usize) {
        if self.is_carrying() {
            let carried = self.step(Event::CarryOut(most));
            debug_assert!(carried.is_ok(), "only commands are refused");
        }
    }

    /// What happened, leaving memory for what happens next.
    fn take_effects(&mut self) -> Effects {
        core::mem::replace(&mut self.effects, self.spare.pop().unwrap_or_default())
    }

    /// Keeps the memory of effects that are done with.
    fn put_by(&mut self, mut effects: Effects) {
        effects.clear();
        self.spare.push(effects);
    }

    /// Commits, hands over what may leave, takes the answers, and again until all is quiet. What a kill switch asks for follows once
    /// that is durable.
    pub(crate) fn settle<C: Commit>(&mut self, commit: &mut C) -> Result<(), C::Error> {
        while !self.under_way.is_empty() {
            self.finish(commit)?;
        }
        loop {
            if self.effects.is_empty() {
                self.carry_out(usize::MAX);
            }
            if self.effects.is_empty() {
                return Ok(());
            }
            let effects = self.take_effects();
            let result = commit.commit(&mut self.shard, &effects);
            if result.is_ok() {
                self.release(&effects);
            }
            self.put_by(effects);
            result?;
        }
    }

    /// Waits for the oldest of what is under way, if anything is, and lets it leave.
    fn finish<C: Commit>(&mut self, commit: &mut C) -> Result<(), C::Error> {
        let Some(effects) = self.under_way.pop_front() else { return Ok(()) };
        commit.finish()?;
        self.release(&effects);
        self.put_by(effects);
        Ok(())
    }

    /// Hands over what may leave now that it is committed, and takes the answers.
    fn release(&mut self, effects: &Effects) {
        follow(&mut self.venue, &effects.records);
        for approved in &effects.orders {
            let sent = self.step(Event::Sent(approved.order().id));
            debug_assert!(sent.is_ok(), "only commands are refused");
            // What was withdrawn in the meantime, or turned out to be there already, is not sent.
            if self.shard.state().order(approved.order().id).is_some_and(|o| o.state == OrderState::Sending) {
                self.venue.submit(approved, &mut self.reports);
            }
        }
        for order in effects.restated.iter().filter_map(|id| self.shard.state().remembered(*id)) {
            self.venue.restate(order, self.shard.state().position(PositionId(order.id.0)));
        }
        for order in &effects.queries {
            self.venue.query(*order, &mut self.reports);
        }
        for report in core::mem::take(&mut self.reports) {
            let taken = self.step(Event::Report(report));
            debug_assert!(taken.is_ok(), "only commands are refused");
        }
    }
}

/// Lets the venue know what is committed of orders and positions: what stands there stands as the journal has it. Of an
/// order that moved on at once our own venue hears where it ended.
fn follow<V: Venue>(venue: &mut V, records: &[Record]) {
    let hears_all = venue.is_remote();
    for (index, record) in records.iter().enumerate() {
        match record {
            Record::OrderMoved(order) => {
                let next = records.get(index + 1);
                let moved_on = matches!(next, Some(Record::OrderMoved(later)) if later.id == order.id);
                if hears_all || !moved_on {
                    venue.order(order);
                }
            }
            Record::PositionOpened(position) | Record::PositionChanged(position) | Record::PositionClosed(position) => {
                venue.position(position);
            }
            _ => {}
        }
    }
}
