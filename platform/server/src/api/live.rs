//! The live stream of an account: server-sent events of JSON.

use super::{
    App, Tag, books::Distance, caller::Caller, decisions::Decision, deployments::Deployment, market::Quote, number,
    order::Order, positions::Position, refused::Refused,
};
use crate::{
    identity::Operation,
    problem::{Problem, ProblemCode},
    trading::{Desk, Live, View},
};
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use marque_domain::{id::AccountId, time::Millis};
use marque_engine::Record;
use marque_store::{TenantDb, Whose};
use poem_openapi::{Enum, Object, OpenApi, param::Path, payload::EventStream};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    time::Instant,
};

/// After this a client connects again, and has to be signed in still.
const LIFE: Duration = Duration::from_secs(600);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) struct LiveAccount;

/// What an event is about.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum LiveKind {
    /// Prices moved: `at`, `balance`, `equity`, `distances`, `quotes`.
    Moved,
    /// Something was decided: `decision`.
    Decided,
    /// An order was placed or moved along: `order`.
    Order,
    /// A position was opened or closed: `position`.
    Position,
    /// A strategy was deployed, started, stopped or quarantined: `deployment`.
    Deployment,
    /// The client fell behind and missed events: read the lists again.
    Missed,
}

/// One event. `kind` says which of the other members are there.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct LiveEvent {
    /// What it is about.
    kind: LiveKind,
    /// Market time.
    at: Option<String>,
    /// Closed balance.
    balance: Option<String>,
    /// Balance plus what open positions would bring now.
    equity: Option<String>,
    /// How far each rule's limit is, nearest first.
    distances: Option<Vec<Distance>>,
    /// The last quote of each instrument.
    quotes: Option<Vec<Quote>>,
    /// The decision.
    decision: Option<Decision>,
    /// The order as it is now.
    order: Option<Order>,
    /// The position as it is now.
    position: Option<Position>,
    /// The deployment as it is now.
    deployment: Option<Deployment>,
}

impl LiveEvent {
    const fn of(kind: LiveKind) -> Self {
        Self {
            kind,
            at: None,
            balance: None,
            equity: None,
            distances: None,
            quotes: None,
            decision: None,
            order: None,
            position: None,
            deployment: None,
        }
    }
}

#[OpenApi(tag = "Tag::Accounts")]
impl LiveAccount {
    /// Follow an account
    ///
    /// Server-sent events, each with one JSON object as its data. The first shows the account as it is. The stream ends
    /// after ten minutes at the latest; connect again and read the lists for what happened between.
    #[oai(path = "/accounts/:account/live", method = "get", operation_id = "follow_account")]
    async fn follow_account(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
    ) -> Result<EventStream<BoxStream<'static, LiveEvent>>, Refused> {
        let account = caller.account(caller.who.may(Operation::StreamAccount)?, &account.0).await?.terms.id;
        let permit = Arc::clone(&caller.app.0.streams).try_acquire_owned().map_err(|_| {
            Problem::new(ProblemCode::Unavailable, "Too many accounts are followed right now. Try again in a minute.")
                .retry_after_s(60)
        })?;
        let desk = caller.desk().await?;
        let follower = Follower {
            db: caller.db().clone(),
            app: caller.app.clone(),
            account,
            watch: desk.watch(),
            ends: Instant::now() + LIFE,
            shown: Millis(i64::MIN),
            _permit: permit,
            desk,
        };
        Ok(EventStream::new(follower.events()).keep_alive(KEEP_ALIVE))
    }
}

/// One client that follows an account.
struct Follower {
    db: TenantDb,
    app: App,
    account: AccountId,
    desk: Arc<Desk>,
    watch: broadcast::Receiver<Live>,
    ends: Instant,
    /// The market time that was shown last.
    shown: Millis,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn events(mut self) -> BoxStream<'static, LiveEvent> {
        let first = self.moved(&self.desk.view());
        let later = stream::unfold(self, |mut follower| async move {
            let events = follower.next().await?;
            Some((stream::iter(events), follower))
        });
        stream::iter(first).chain(later.flatten()).boxed()
    }

    /// What the next update means for this client; none ends the stream.
    async fn next(&mut self) -> Option<Vec<LiveEvent>> {
        match tokio::time::timeout_at(self.ends, self.watch.recv()).await.ok()? {
            Ok(Live::Moved(view)) => Some(self.moved(&view)),
            Ok(Live::Committed(records)) => Some(self.committed(&records).await),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(vec![LiveEvent::of(LiveKind::Missed)]),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    fn moved(&mut self, view: &View) -> Vec<LiveEvent> {
        let Some(now) = view.accounts.get(&self.account) else { return Vec::new() };
        if self.shown == view.now {
            return Vec::new();
        }
        self.shown = view.now;
        let quotes = view.quotes.iter().map(|(id, quote)| Quote::of(self.app.symbol(*id), quote));
        vec![LiveEvent {
            at: Some(view.now.to_rfc3339()),
            balance: Some(number::money(now.balance)),
            equity: Some(number::money(now.equity)),
            distances: Some(now.distances.iter().map(Distance::from).collect()),
            quotes: Some(quotes.collect()),
            ..LiveEvent::of(LiveKind::Moved)
        }]
    }

    async fn committed(&self, records: &[Record]) -> Vec<LiveEvent> {
        let mut events = Vec::new();
        let view = self.desk.view();
        for record in records {
            events.extend(match record {
                Record::Decided(d) if d.account == self.account => {
                    Some(LiveEvent { decision: Some(Decision::of(d, &self.app)), ..LiveEvent::of(LiveKind::Decided) })
                }
                Record::OrderPlaced(o) | Record::OrderMoved(o) if o.account == self.account => {
                    Some(LiveEvent { order: Some(Order::of(o, &self.app)), ..LiveEvent::of(LiveKind::Order) })
                }
                Record::PositionOpened(p) | Record::PositionChanged(p) | Record::PositionClosed(p)
                    if p.account == self.account =>
                {
                    let position = Some(Position::of(p, &self.app, &view));
                    Some(LiveEvent { position, ..LiveEvent::of(LiveKind::Position) })
                }
                Record::Deployed(d) if d.account == self.account => Some(self.deployment(d)),
                Record::DeploymentChanged { deployment, .. } => {
                    // Only the id is in the record: whose it is, the store says.
                    let found = self.db.deployment(Whose::Account(self.account), *deployment).await;
                    found.ok().map(|d| self.deployment(&d))
                }
                _ => None,
            });
        }
        events
    }

    fn deployment(&self, found: &marque_domain::account::Deployment) -> LiveEvent {
        LiveEvent { deployment: Some(Deployment::of(found, &self.app)), ..LiveEvent::of(LiveKind::Deployment) }
    }
}
