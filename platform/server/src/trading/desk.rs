//! One tenant's desk: a thread that follows the market and takes commands.

use super::{
    acts::Asker,
    books,
    commit::{CommitError, Group, Journal, Recovered, SHARD, Witness},
    feed::Maker,
    operator,
    past::{ForShard, Past},
    view::{DeskState, Live, View},
};
use marque_domain::{bar::Quote, instrument::Instrument, ledger::reconcile::LedgerFault, time::Millis};
use marque_engine::{
    Command, Record, Refusal, Shard,
    port::PluginHost,
    venue::{SimulatedVenue, VenueModel},
};
use marque_market::feed::{FeedError, Source};
use marque_store::{StoreError, SystemDb, TenantDb};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, oneshot},
};

/// Commands that may wait.
const QUEUE: usize = 1_024;
/// Commands that are committed together at most.
const GROUP_MAX: usize = 512;
/// Updates that a watcher may fall behind.
const BACKLOG: usize = 256;
/// How often watchers see prices move.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// How often the place in the market is committed when nothing else is.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How far behind its schedule a desk may fall before it gives the schedule up.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// How long to wait before a failed desk recovers, at first and at most.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The shard refused it; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many commands wait.
    #[error("too many requests wait for this desk; try again in a moment")]
    Busy,
    /// The desk is recovering or has stopped; the command may or may not have been carried out.
    #[error("the trading desk is restarting; look at the account, then try again")]
    Unavailable,
}

/// What a desk is made of.
pub(super) struct Parts {
    pub system: SystemDb,
    pub db: TenantDb,
    pub instruments: Vec<Instrument>,
    pub plugins: Arc<dyn PluginHost>,
    pub source: Maker,
    pub past: Arc<Past>,
    pub venue: VenueModel,
    pub runtime: Handle,
    pub witness: Witness,
}

/// Something to be found out on a desk's own thread.
type Question = Box<dyn FnOnce(&mut Shard) + Send>;

enum Message {
    Look(Question),
    Command(Box<(Command, Asker)>, Answer),
    Stop,
}

type Answer = oneshot::Sender<Result<Vec<Record>, CommandError>>;

/// A command, who asks for it and where its answer goes.
type Asked = (Box<(Command, Asker)>, Answer);

/// What a desk hears while it waits for the next quote.
enum Heard {
    Nothing,
    /// A question, which has its answer.
    Question,
    Commands,
    Stop,
}

/// A handle on a running desk.
pub struct Desk {
    messages: SyncSender<Message>,
    shared: Arc<Shared>,
    past: Arc<Past>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    view: RwLock<Arc<View>>,
    live: broadcast::Sender<Live>,
}

impl Shared {
    fn show(&self, view: View) {
        let view = Arc::new(view);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
        // Nobody watching is no fault.
        let _ = self.live.send(Live::Moved(view));
    }
}

impl Desk {
    /// Starts the thread. It recovers first; until then [`Desk::view`] says so.
    pub(super) fn open(parts: Parts) -> Result<Self, std::io::Error> {
        let (messages, inbox) = sync_channel(QUEUE);
        let shared =
            Arc::new(Shared { view: RwLock::new(Arc::new(View::blank())), live: broadcast::channel(BACKLOG).0 });
        let (past, seen) = (Arc::clone(&parts.past), Arc::clone(&shared));
        let name = format!("desk-{}", parts.db.tenant().0);
        let thread =
            std::thread::Builder::new().name(name).spawn(move || Thread { parts, inbox, shared: seen }.run())?;
        Ok(Self { messages, shared, past, thread: Mutex::new(Some(thread)) })
    }

    /// Carries out a command that somebody asks for. When this answers, everything that follows from it is committed: the records
    /// say what.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn command(&self, command: Command, asker: Asker) -> Result<Vec<Record>, CommandError> {
        let (answer, answered) = oneshot::channel();
        self.messages.try_send(Message::Command(Box::new((command, asker)), answer)).map_err(|error| match error {
            TrySendError::Full(_) => CommandError::Busy,
            TrySendError::Disconnected(_) => CommandError::Unavailable,
        })?;
        answered.await.map_err(|_| CommandError::Unavailable)?
    }

    /// Asks the shard something that changes nothing, between two events.
    ///
    /// # Errors
    /// [`CommandError::Busy`] or [`CommandError::Unavailable`].
    pub async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Shard) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let (answer, answered) = oneshot::channel();
        // Who asked may have gone away.
        let question: Question = Box::new(move |shard| drop(answer.send(question(shard))));
        self.messages.try_send(Message::Look(question)).map_err(|error| match error {
            TrySendError::Full(_) => CommandError::Busy,
            TrySendError::Disconnected(_) => CommandError::Unavailable,
        })?;
        answered.await.map_err(|_| CommandError::Unavailable)
    }

    /// The desk at this moment.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What happens from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Live> {
        self.shared.live.subscribe()
    }

    /// What its market has shown.
    #[must_use]
    pub const fn past(&self) -> &Arc<Past> {
        &self.past
    }

    /// Stops after what it is doing, and waits for it.
    pub(super) async fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let messages = self.messages.clone();
        let stopped = tokio::task::spawn_blocking(move || {
            // A full queue empties while this waits; a thread that is gone needs no message.
            let _ = messages.send(Message::Stop);
            thread.join()
        });
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::error!("a trading desk's thread did not end well; it recovers from its journal at the next start");
        }
    }
}

/// What ends a session of a desk.
enum End {
    Stopped,
    Failed(SessionError),
}

#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Feed(#[from] FeedError),
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

struct Thread {
    parts: Parts,
    inbox: Receiver<Message>,
    shared: Arc<Shared>,
}

impl Thread {
    /// Sessions until it is told to stop: one that fails is thrown away whole, and the next recovers from
    /// what is durable.
    fn run(self) {
        let mut wait = RETRY_MIN;
        loop {
            let begun = Instant::now();
            let error = match self.session() {
                End::Stopped => return,
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
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Command(_, answer)) => drop(answer.send(Err(CommandError::Unavailable))),
                // Who waits for its answer learns it by the channel that closes.
                Ok(Message::Look(_)) => {}
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
    shared: &'a Shared,
    past: &'a Past,
    maker: &'a Maker,
    desk: marque_engine::Desk<SimulatedVenue>,
    journal: Journal,
    /// Commands that came and wait for their group.
    waiting: VecDeque<Asked>,
    source: Source,
    /// The quote that comes next, and when.
    next: Option<Quote>,
    due: Instant,
    shown: Instant,
    flushed: (Instant, i64),
}

impl<'a> Session<'a> {
    fn recover(parts: &'a Parts, shared: &'a Shared) -> Result<Self, SessionError> {
        let image = parts.runtime.block_on(parts.db.load_shard(SHARD))?;
        let Recovered { state, mark, cursor, .. } = Recovered::from(&image).map_err(CommitError::from)?;
        let audit = books::compared(parts.runtime.block_on(parts.db.audit_ledger())?, &state);
        if let Some(first) = audit.faults.first() {
            return Err(SessionError::Books(audit.faults_total, *first));
        }
        let mut shard =
            Shard::new(&parts.instruments, Arc::clone(&parts.plugins), Box::new(ForShard(Arc::clone(&parts.past))));
        if let Some(cursor) = &cursor {
            parts.past.follow(cursor);
        }
        shard.restore(state, mark);
        let now = shard.market().now();
        let source = parts.source.make(cursor.as_ref(), now)?;
        parts.past.follow(&source.cursor());
        let mut venue = SimulatedVenue::with_model(parts.venue, &parts.instruments);
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
            shared,
            past: &parts.past,
            maker: &parts.source,
            desk: marque_engine::Desk::new(shard, venue),
            flushed: (moment, journal.seq),
            journal,
            waiting: VecDeque::new(),
            source,
            next: None,
            due: moment,
            shown: moment,
        };
        session.desk.recover(&mut session.journal)?;
        // The platform's switch, however long this desk was away.
        if let Some(command) = parts.runtime.block_on(operator::before_trading(&parts.system))? {
            let mut group = Group::default();
            group.join(Asker::system("marque kill"), None);
            session.journal.group = Some(group);
            if let Err(refusal) = session.desk.command(command, &mut session.journal)? {
                tracing::error!(%refusal, "the operator's kill switch was refused");
            }
            session.journal.group = None;
        }
        session.pull(now)?;
        if now == Millis(0) {
            // A new desk has a market time before it takes its first command.
            session.due = moment;
            session.quote()?;
        }
        session.show();
        Ok(session)
    }

    fn run(&mut self, inbox: &Receiver<Message>) -> End {
        loop {
            let worked = match self.listen(inbox) {
                Heard::Nothing => self.quote(),
                Heard::Question if self.is_due() => self.quote(),
                Heard::Question => Ok(()),
                // Commands that keep coming do not hold up the market.
                Heard::Commands if self.is_due() => self.commands().and_then(|()| self.quote()),
                Heard::Commands => self.commands(),
                Heard::Stop => {
                    let flushed = self.journal.flush(self.desk.shard_mut());
                    return flushed.map_or_else(|e| End::Failed(e.into()), |()| End::Stopped);
                }
            };
            if let Err(error) = worked.and_then(|()| self.housekeep()) {
                return End::Failed(error);
            }
        }
    }

    /// Waits for a command until the next quote is due, and takes what else has come by then.
    fn listen(&mut self, inbox: &Receiver<Message>) -> Heard {
        if self.waiting.is_empty() {
            match inbox.recv_timeout(self.idle_for()) {
                Ok(Message::Command(command, answer)) => self.waiting.push_back((command, answer)),
                Ok(Message::Look(question)) => {
                    question(self.desk.shard_mut());
                    return Heard::Question;
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Heard::Stop,
                Err(RecvTimeoutError::Timeout) => return Heard::Nothing,
            }
        }
        while self.waiting.len() < GROUP_MAX {
            match inbox.try_recv() {
                // Whoever presses the kill switch waits for nobody.
                Ok(Message::Command(command, answer)) if matches!(command.0, Command::Kill(_)) => {
                    self.waiting.push_front((command, answer));
                }
                Ok(Message::Command(command, answer)) => self.waiting.push_back((command, answer)),
                Ok(Message::Look(question)) => question(self.desk.shard_mut()),
                // Those that came before it get no answer, as those that wait in a queue that closes.
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return Heard::Stop,
                Err(TryRecvError::Empty) => break,
            }
        }
        Heard::Commands
    }

    fn is_due(&self) -> bool {
        self.next.is_some() && self.due <= Instant::now()
    }

    /// Until the next quote is due, or until something is to be shown when the recording has ended.
    fn idle_for(&self) -> Duration {
        match self.next {
            Some(_) => self.due.saturating_duration_since(Instant::now()),
            None => SHOW_EVERY,
        }
    }

    /// Carries out the first commands that wait and may be committed together; answers each when all are committed.
    fn commands(&mut self) -> Result<(), SessionError> {
        let (mut group, mut commands, mut answers) = (Group::default(), Vec::new(), Vec::new());
        let state = self.desk.shard().state();
        while let Some((command, _)) = self.waiting.front()
            && group.admits(command.0.account(state))
            && let Some((command, answer)) = self.waiting.pop_front()
        {
            let (command, asker) = *command;
            group.join(asker, command.account(state));
            commands.push(command);
            answers.push(answer);
        }
        self.journal.group = Some(group);
        let outcomes = self.desk.commands(commands, &mut self.journal);
        let records = self.journal.group.take().map(Group::into_records).unwrap_or_default();
        // Who asked may have gone away.
        match outcomes {
            Ok(outcomes) => {
                for ((answer, outcome), records) in answers.into_iter().zip(outcomes).zip(records) {
                    let _ = answer.send(outcome.map(|()| records).map_err(CommandError::from));
                }
            }
            Err(error) => {
                answers.into_iter().for_each(|answer| drop(answer.send(Err(CommandError::Unavailable))));
                return Err(error.into());
            }
        }
        self.show();
        Ok(())
    }

    fn quote(&mut self) -> Result<(), SessionError> {
        let Some(quote) = self.next.take() else { return Ok(()) };
        // The cursor stands after this quote, and is committed with what the quote causes.
        self.journal.cursor = Some(self.source.cursor());
        self.desk.quote(&quote, &mut self.journal)?;
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
        Ok(())
    }

    fn show(&mut self) {
        self.shown = Instant::now();
        let state = if self.next.is_some() { DeskState::Running } else { DeskState::Ended };
        self.shared.show(View::of(self.desk.shard(), state));
    }
}
