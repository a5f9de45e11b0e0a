//! One tenant's desk: a thread that follows the market and takes commands.

mod inbox;
mod session;

use super::{
    acts::Asker,
    commit::Witness,
    feed::Maker,
    past::Past,
    view::{DeskState, Live, View},
};
use inbox::Inbox;
use marque_domain::instrument::Instrument;
use marque_engine::{Command, Record, Refusal, Shard, port::PluginHost};
use marque_store::{SystemDb, TenantDb};
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};
use tokio::{
    runtime::Handle,
    sync::{broadcast, oneshot},
};

/// Commands that may wait.
const QUEUE: usize = 1_024;
/// Updates that a watcher may fall behind.
const BACKLOG: usize = 256;

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
    /// Of what is random at a venue whose terms name no seed.
    pub seed: u64,
    pub runtime: Handle,
    pub witness: Witness,
}

/// Something to be found out on a desk's own thread.
type Question = Box<dyn FnOnce(&mut Shard) + Send>;

enum Message {
    Look(Question),
    Command(Box<(Command, Asker)>, Answer),
    Changed,
    Stop,
}

pub(super) type Answer = oneshot::Sender<Result<Vec<Record>, CommandError>>;

/// A command, who asks for it and where its answer goes.
type Asked = (Box<(Command, Asker)>, Answer);

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
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || session::Thread { parts, inbox: Inbox::new(inbox), shared: seen }.run())?;
        Ok(Self { messages, shared, past, thread: Mutex::new(Some(thread)) })
    }

    /// Carries out a command that somebody asks for. When this answers, everything that follows from it is committed: the records
    /// say what; of one that concerns more than an account, those that are about no account.
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

    /// Waits until it follows its market, which one that cannot recover never does.
    pub async fn recovered(&self) {
        // Watched before it is looked at: no news falls between the two.
        let mut watched = self.watch();
        while self.view().state == DeskState::Recovering {
            // Whatever it was, also that some was missed: the view says where it stands.
            let _ = watched.recv().await;
        }
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

    /// Says that the tenant's file was applied again. Answers whether the desk will hear of it: a queue may be full.
    pub(super) fn renew(&self) -> bool {
        self.messages.try_send(Message::Changed).is_ok()
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
