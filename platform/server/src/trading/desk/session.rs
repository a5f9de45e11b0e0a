//! The thread of a desk: sessions from recovery to the first failure, one after the other.

use super::{Asked, CommandError, Message, Parts, Shared, inbox::Inbox};
use crate::{
    tenants::VenueTerms,
    trading::{
        acts::Asker,
        books,
        commit::{CommitError, Journal, Recovered, SHARD},
        feed::Maker,
        meter, operator,
        past::{ForShard, Past},
        terms::{self, TermsError},
        view::{DeskState, View},
    },
};
use marque_domain::{bar::Quote, id::AccountId, ledger::reconcile::LedgerFault, time::Millis};
use marque_engine::{Command, Shard, venue::SimulatedVenue};
use marque_market::feed::{FeedError, Source};
use marque_store::StoreError;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

/// Commands that join at a time at most: few enough that those of a crowd are stepped while others are committed.
const GROUP_MAX: usize = 256;
/// How long turns follow one another before watchers are shown what came of them.
const TURNS_FOR: Duration = Duration::from_millis(100);
/// How often watchers see prices move.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// How often the place in the market is committed when nothing else is.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How far behind its schedule a desk may fall before it gives the schedule up.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// How long to wait before a failed desk recovers, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// What a desk hears while it waits for the next quote.
enum Heard {
    Nothing,
    /// A question, which has its answer.
    Question,
    Commands,
    /// The tenant's file was applied again.
    Changed,
    Stop,
}

/// What ends a session of a desk.
enum End {
    Stopped,
    /// What it was made of has changed.
    Changed,
    Failed(SessionError),
}

#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Nothing trades on books that do not add up.
    #[error("the books have {0} faults, the first: {1}. Run `marque ledger verify` and compare with back-ups")]
    Books(u64, LedgerFault),
}

impl SessionError {
    /// Whether somebody else commits to this desk's journal. Two that follow one journal would each run every
    /// strategy, so the later one gives way for good.
    const fn is_of_another_writer(&self) -> bool {
        matches!(self, Self::Commit(CommitError::Store(StoreError::JournalConflict { .. })))
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

pub(super) struct Thread {
    pub parts: Parts,
    pub inbox: Inbox,
    pub shared: Arc<Shared>,
}

impl Thread {
    /// Sessions until it is told to stop: one that fails is thrown away whole, and the next recovers from
    /// what is durable.
    pub fn run(self) {
        let mut wait = RETRY_MIN;
        loop {
            let begun = Instant::now();
            let error = match self.session() {
                End::Stopped => return,
                End::Changed => {
                    tracing::info!(tenant = self.parts.db.tenant().0, "a trading desk takes up its brand's new terms");
                    continue;
                }
                End::Failed(error) => error,
            };
            self.shared.show(View::blank());
            if error.is_of_another_writer() {
                tracing::error!(%error, tenant = self.parts.db.tenant().0, "another process runs this desk; this one stops");
                while !self.refuse_for(RETRY_MAX) {}
                return;
            }
            tracing::error!(%error, tenant = self.parts.db.tenant().0, "a trading desk failed and recovers from its journal");
            wait = if begun.elapsed() > RETRY_MAX { RETRY_MIN } else { (wait * 2).min(RETRY_MAX) };
            if self.refuse_for(wait) {
                return;
            }
        }
    }

    /// Answers nobody while it waits; says whether it was told to stop.
    fn refuse_for(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            match self.inbox.wait(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Command(_, answer)) => drop(answer.send(Err(CommandError::Unavailable))),
                // Who waits for its answer learns it by the channel that closes.
                Ok(Message::Look(_) | Message::Changed) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn session(&self) -> End {
        match Session::recover(&self.parts, &self.shared) {
            Ok(mut session) => session.run(&self.inbox),
            Err(error) => End::Failed(error),
        }
    }
}

/// A desk from recovery to the first failure.
struct Session<'a> {
    parts: &'a Parts,
    shared: &'a Shared,
    past: &'a Past,
    maker: &'a Maker,
    desk: marque_engine::Desk<SimulatedVenue>,
    journal: Journal,
    /// What its venue was made of.
    terms: VenueTerms,
    /// Commands that came and wait for their group.
    waiting: VecDeque<Asked>,
    source: Source,
    /// The quote that comes next, and when.
    next: Option<Quote>,
    due: Instant,
    shown: Instant,
    flushed: (Instant, i64),
    /// When what strategies use was last held against plans.
    held: Instant,
}

impl<'a> Session<'a> {
    fn recover(parts: &'a Parts, shared: &'a Shared) -> Result<Self, SessionError> {
        let image = parts.runtime.block_on(parts.db.load_shard(SHARD))?;
        let Recovered { state, mark, cursor, .. } = Recovered::from(&image).map_err(CommitError::from)?;
        let audit = books::compared(parts.runtime.block_on(parts.db.audit_ledger())?, &state);
        if let Some(first) = audit.faults.first() {
            return Err(SessionError::Books(audit.faults_total, *first));
        }
        let terms = parts.runtime.block_on(terms::stored(&parts.system, parts.db.tenant()))?;
        let instruments: Vec<_> = parts.instruments.iter().map(|i| terms::listed(&terms, i)).collect();
        let mut shard =
            Shard::new(&instruments, Arc::clone(&parts.plugins), Box::new(ForShard(Arc::clone(&parts.past))));
        if let Some(cursor) = &cursor {
            parts.past.follow(cursor);
        }
        shard.restore(state, mark);
        let now = shard.market().now();
        let source = parts.source.make(cursor.as_ref(), now)?;
        parts.past.follow(&source.cursor());
        let mut venue = terms::venue(&terms, &instruments, parts.seed);
        venue.restore(&shard);
        let journal = Journal::new(
            parts.witness.clone(),
            parts.db.clone(),
            parts.runtime.clone(),
            shared.live.clone(),
            &image,
            cursor,
        );
        let moment = Instant::now();
        let mut session = Self {
            parts,
            shared,
            past: &parts.past,
            maker: &parts.source,
            desk: marque_engine::Desk::new(shard, venue),
            flushed: (moment, journal.seq),
            journal,
            terms,
            waiting: VecDeque::new(),
            source,
            next: None,
            due: moment,
            shown: moment,
            held: moment,
        };
        session.desk.recover(&mut session.journal)?;
        // The platform's switch, however long this desk was away.
        if let Some(command) = parts.runtime.block_on(operator::before_trading(&parts.system))? {
            session.command_of("marque kill", command)?;
        }
        session.pull(parts.source.waits_from(now))?;
        if now == Millis(0) {
            // A new desk has a market time before it takes its first command.
            session.due = moment;
            session.quote()?;
        }
        session.show();
        Ok(session)
    }

    fn run(&mut self, inbox: &Inbox) -> End {
        loop {
            let worked = match self.listen(inbox) {
                Heard::Nothing => self.quote(),
                Heard::Question if self.is_due() => self.quote(),
                Heard::Question => Ok(()),
                // Commands that keep coming do not hold up the market.
                Heard::Commands if self.is_due() => self.commands(Some(inbox)).and_then(|()| self.quote()),
                Heard::Commands => self.commands(Some(inbox)),
                Heard::Changed => match self.changed() {
                    Ok(false) => Ok(()),
                    Ok(true) => return self.flushed(End::Changed),
                    Err(error) => Err(error),
                },
                Heard::Stop => return self.flushed(End::Stopped),
            };
            if let Err(error) = worked.and_then(|()| self.housekeep()) {
                return End::Failed(error);
            }
        }
    }

    /// Its end, once its place in the market is committed.
    fn flushed(&mut self, end: End) -> End {
        let flushed = self.journal.flush(self.desk.shard_mut());
        flushed.map_or_else(|error| End::Failed(error.into()), |()| end)
    }

    /// Whether the venue's terms are others than those it was made of. Nobody who waits is left without an answer.
    fn changed(&mut self) -> Result<bool, SessionError> {
        while !self.waiting.is_empty() {
            self.commands(None)?;
        }
        let now = self.parts.runtime.block_on(terms::stored(&self.parts.system, self.parts.db.tenant()))?;
        Ok(now != self.terms)
    }

    /// Waits for a command until the next quote is due, and takes what else has come by then.
    fn listen(&mut self, inbox: &Inbox) -> Heard {
        if self.waiting.is_empty() {
            match inbox.wait(self.idle_for()) {
                Ok(Message::Command(command, answer)) => self.waiting.push_back((command, answer)),
                Ok(Message::Look(question)) => {
                    question(self.desk.shard_mut());
                    return Heard::Question;
                }
                Ok(Message::Changed) => return Heard::Changed,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Heard::Stop,
                Err(RecvTimeoutError::Timeout) => return Heard::Nothing,
            }
        }
        loop {
            inbox.hear(&mut self.waiting);
            match inbox.take_other() {
                Some(Message::Look(question)) => question(self.desk.shard_mut()),
                Some(Message::Changed) => return Heard::Changed,
                // Those that came before it get no answer, as those that wait in a queue that closes.
                Some(Message::Stop) => return Heard::Stop,
                Some(Message::Command(..)) | None => return Heard::Commands,
            }
        }
    }

    fn is_due(&self) -> bool {
        self.next.is_some() && self.due <= Instant::now()
    }

    /// Until the next quote is due. Where the recording has ended only commands change anything.
    fn idle_for(&self) -> Duration {
        match self.next {
            Some(_) => self.due.saturating_duration_since(Instant::now()),
            None => meter::HELD_EVERY,
        }
    }

    /// Carries out commands, turn by turn, until none is under way. Where there is an inbox, new ones join while those before
    /// are being committed, as long as nothing else has to be done. Before it takes them, a turn waits until there is room
    /// for what comes of it: the commit that is under way then leaves it time enough.
    fn commands(&mut self, inbox: Option<&Inbox>) -> Result<(), SessionError> {
        let until = Instant::now() + TURNS_FOR;
        let mut joins = true;
        loop {
            let (accounts, commands) = if joins { self.admitted() } else { Default::default() };
            // When this fails the group is dropped with the session: those who wait learn it by their channel.
            let outcomes = self.desk.turn(commands, &mut self.journal)?;
            for (account, outcome) in accounts.into_iter().zip(outcomes) {
                outcome.unwrap_or_else(|refusal| self.journal.group.refuse(account, refusal));
            }
            self.answer();
            let quiet = self.desk.is_quiet();
            if self.desk.make_room(&mut self.journal)? {
                self.answer();
            }
            if let Some(inbox) = inbox {
                inbox.hear(&mut self.waiting);
                joins = !(inbox.has_more_than_commands() || self.is_due() || Instant::now() >= until);
            }
            if quiet && (!joins || self.waiting.is_empty()) {
                break;
            }
        }
        self.show();
        Ok(())
    }

    /// Tells those about whose commands everything is durable. Beside a kill switch that is being carried out there are none.
    fn answer(&mut self) {
        if !self.desk.is_carrying() {
            self.journal.answer(self.desk.ahead(), self.desk.shard());
        }
    }

    /// The commands that wait and may be carried out beside those under way, in their order: all that concern an account
    /// alone, one for each, up to the first that concerns more.
    fn admitted(&mut self) -> (Vec<Option<AccountId>>, Vec<Command>) {
        let state = self.desk.shard().state();
        let (mut accounts, mut commands, mut later) = (Vec::new(), Vec::new(), VecDeque::new());
        let mut passed = BTreeSet::new();
        while commands.len() < GROUP_MAX
            && let Some((asked, answer)) = self.waiting.pop_front()
        {
            let account = asked.0.account(state);
            let in_order = !passed.contains(&account) && (account.is_some() || passed.is_empty());
            if in_order && self.journal.group.admits(account) {
                let (command, asker) = *asked;
                self.journal.group.join(account, asker, Some(answer));
                accounts.push(account);
                commands.push(command);
            } else {
                passed.insert(account);
                later.push_back((asked, answer));
            }
            // Nothing passes what concerns more than an account.
            if account.is_none() {
                break;
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        (accounts, commands)
    }

    /// Carries out a command of the server itself.
    fn command_of(&mut self, name: &str, command: Command) -> Result<(), SessionError> {
        self.journal.group.join(None, Asker::system(name), None);
        let answer = self.desk.command(command, &mut self.journal);
        self.answer();
        if let Err(refusal) = answer? {
            tracing::error!(%refusal, by = name, "a command of the server was refused");
        }
        Ok(())
    }

    /// Pauses the strategies of people whose plan has nothing left for them today.
    fn hold_to_plans(&mut self) -> Result<(), SessionError> {
        let now = self.parts.witness.clock.now();
        let (parts, state) = (self.parts, self.desk.shard().state());
        let exhausted = parts.runtime.block_on(meter::exhausted(&parts.system, &parts.db, state, now))?;
        for (deployment, reason) in exhausted {
            self.command_of("plan limits", Command::Pause { deployment, reason })?;
        }
        Ok(())
    }

    fn quote(&mut self) -> Result<(), SessionError> {
        let Some(quote) = self.next.take() else { return Ok(()) };
        // The cursor stands after this quote, and is committed with what the quote causes.
        self.journal.cursor = Some(self.source.cursor());
        self.desk.quote(&quote, &mut self.journal)?;
        self.desk.sample(quote.instrument, &mut self.journal)?;
        self.pull(quote.at)
    }

    /// Takes the next quote from the source and says when it is due.
    fn pull(&mut self, last: Millis) -> Result<(), SessionError> {
        self.next = self.source.next()?;
        if let Some(next) = &self.next {
            self.past.follow(&self.source.cursor());
            let now = Instant::now();
            if now.saturating_duration_since(self.due) > BEHIND_MAX {
                self.due = now;
            }
            self.due += self.maker.pace().wait(last, next.at);
        }
        Ok(())
    }

    fn housekeep(&mut self) -> Result<(), SessionError> {
        let now = Instant::now();
        if now.saturating_duration_since(self.shown) >= SHOW_EVERY {
            self.show();
        }
        if self.journal.seq != self.flushed.1 {
            self.flushed = (now, self.journal.seq);
        } else if self.next.is_some() && now.saturating_duration_since(self.flushed.0) >= FLUSH_EVERY {
            self.journal.flush(self.desk.shard_mut())?;
            self.flushed = (now, self.journal.seq);
        }
        if now.saturating_duration_since(self.held) >= meter::HELD_EVERY {
            self.held = now;
            self.hold_to_plans()?;
        }
        Ok(())
    }

    fn show(&mut self) {
        self.shown = Instant::now();
        let state = if self.next.is_some() { DeskState::Running } else { DeskState::Ended };
        self.shared.show(View::of(self.desk.shard(), state));
    }
}
