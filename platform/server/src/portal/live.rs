//! The live stream of an account's page.

use super::{
    Scene,
    account::{RowSource, find, largest, stats},
    view::{EquityEvent, LargestOrder, OrderRow, PatchEvent, TradeRow},
};
use crate::{
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    trading::{Desk, Live, View},
};
use futures_util::{Stream, StreamExt as _, stream};
use marque_domain::{account::EquityPoint, id::AccountId};
use marque_engine::Record;
use marque_store::{Account, TenantDb};
use poem::{
    IntoResponse as _, Response, handler,
    web::{
        Path,
        sse::{Event, SSE},
    },
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    time::Instant,
};

/// After this the browser connects again, and has to be signed in still.
const LIFE: Duration = Duration::from_secs(600);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often the largest next order is asked for: every rule of the account is asked several times for it.
const LARGEST_EVERY: Duration = Duration::from_secs(2);

#[handler]
pub(super) async fn follow(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let account = find(&who, Operation::StreamAccount, &id).await?;
    let desk = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?;
    let permit = scene.portal.0.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(ProblemCode::Unavailable, "Too many pages are followed live right now. Reload in a minute.")
            .retry_after_s(60)
    })?;
    let source = RowSource::of(&scene, who.db(), &account).await?;
    let follower = Follower {
        source,
        db: who.db().clone(),
        watch: desk.watch(),
        ends: Instant::now() + LIFE,
        account,
        scene,
        desk,
        shown: None,
        largest: None,
        asked: Instant::now(),
        _permit: permit,
    };
    Ok(SSE::new(follower.events()).keep_alive(KEEP_ALIVE).into_response())
}

/// One browser that follows an account.
struct Follower {
    scene: Scene,
    db: TenantDb,
    account: Account,
    /// Names for rows. Read anew when a deployment changes: what moves four times a second asks no database.
    source: RowSource,
    desk: Arc<Desk>,
    watch: broadcast::Receiver<Live>,
    ends: Instant,
    /// The last point that was sent.
    shown: Option<EquityPoint>,
    /// The largest next order that was sent last, and when it was asked for.
    largest: Option<LargestOrder>,
    asked: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Event> + Send {
        let batches = stream::unfold(self, |mut follower| async move {
            let events = follower.next().await?;
            Some((stream::iter(events), follower))
        });
        batches.flatten()
    }

    /// What the next update means for this page; none ends the stream.
    async fn next(&mut self) -> Option<Vec<Event>> {
        let update = tokio::time::timeout_at(self.ends, self.watch.recv()).await.ok()?;
        let events = match update {
            Ok(Live::Moved(view)) => self.moved(&view).await,
            Ok(Live::Committed(records)) => self.committed(&records).await,
            // Missed some: the next update shows all that moves.
            Err(broadcast::error::RecvError::Lagged(_)) => Ok(Vec::new()),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        events.map_err(|error| tracing::warn!(%error, "a live page could not be kept up to date")).ok()
    }

    const fn id(&self) -> AccountId {
        self.account.terms.id
    }

    async fn moved(&mut self, view: &View) -> Result<Vec<Event>, Problem> {
        let Some(now) = view.accounts.get(&self.id()) else { return Ok(Vec::new()) };
        let point = EquityPoint { account: self.id(), at: view.now, balance: now.balance, equity: now.equity };
        if self.shown == Some(point) {
            return Ok(Vec::new());
        }
        self.shown = Some(point);
        let (themes, theme) = (self.scene.portal.themes(), &self.scene.tenant.definition.theme);
        let floor = now.distances.first().map(|d| d.floor);
        let (stats, _) = stats(&self.account, view, &self.scene.clock());
        let mut events = vec![event(EquityEvent::NAME, &EquityEvent::of(&point, floor))?];
        events.push(patch(&PatchEvent::replace(themes, theme, "stats", &stats)?)?);
        if !now.floating.is_empty() {
            let rows = self.source.positions_now(view).unwrap_or_default();
            events.push(patch(&PatchEvent::rows(themes, theme, "positions", &rows)?)?);
        }
        if self.asked.elapsed() >= LARGEST_EVERY {
            self.asked = Instant::now();
            let found = largest(&self.scene, &self.source, &self.desk).await;
            if let Some(found) = found.filter(|found| self.largest.as_ref() != Some(found)) {
                events.push(patch(&PatchEvent::replace(themes, theme, "largest", &found)?)?);
                self.largest = Some(found);
            }
        }
        Ok(events)
    }

    async fn committed(&mut self, records: &[Record]) -> Result<Vec<Event>, Problem> {
        let id = self.id();
        if !records.iter().any(|r| touches(r, id)) {
            return Ok(Vec::new());
        }
        let (themes, theme) = (self.scene.portal.themes(), &self.scene.tenant.definition.theme);
        let mut events = Vec::new();
        let (deployments, mut positions, mut orders) = (records.iter().any(is_of_a_deployment), false, false);
        if deployments {
            self.source = RowSource::of(&self.scene, &self.db, &self.account).await?;
        }
        let source = &self.source;
        for record in records {
            match record {
                Record::Decided(d) if d.account == id => {
                    let row = source.decision(&self.db, d).await?;
                    events.push(patch(&PatchEvent::upsert(themes, theme, "decisions", &row)?)?);
                }
                Record::OrderPlaced(o) | Record::OrderMoved(o) if o.account == id => {
                    orders = true;
                    events.push(patch(&PatchEvent::upsert(themes, theme, "orders", &OrderRow::of(o, &source.desk))?)?);
                }
                Record::PositionOpened(p) | Record::PositionChanged(p) if p.account == id => positions = true,
                Record::PositionClosed(p) if p.account == id => {
                    positions = true;
                    if let Some(row) = TradeRow::of(p, &source.desk) {
                        events.push(patch(&PatchEvent::upsert(themes, theme, "trades", &row)?)?);
                    }
                }
                _ => {}
            }
        }
        if deployments {
            events.push(patch(&PatchEvent::rows(themes, theme, "deployments", &source.deployment_rows())?)?);
        }
        if orders {
            let view = self.scene.portal.floor().desk(self.db.tenant()).await?.view();
            events.push(patch(&PatchEvent::rows(themes, theme, "working", &source.working(&view))?)?);
        }
        if positions {
            let view = self.scene.portal.floor().desk(self.db.tenant()).await?.view();
            let rows = source.positions(&self.db, &view).await?;
            events.push(patch(&PatchEvent::rows(themes, theme, "positions", &rows)?)?);
        }
        Ok(events)
    }
}

/// Whether a record changes a strategy, or what is said of it.
const fn is_of_a_deployment(record: &Record) -> bool {
    matches!(
        record,
        Record::Deployed(_) | Record::DeploymentChanged { .. } | Record::Faulted { .. } | Record::Switched(_)
    )
}

/// Whether a record may change what an account's page shows. Deployments are looked up rather than guessed.
fn touches(record: &Record, id: AccountId) -> bool {
    match record {
        Record::Decided(d) => d.account == id,
        Record::OrderPlaced(o) | Record::OrderMoved(o) => o.account == id,
        Record::PositionOpened(p) | Record::PositionChanged(p) | Record::PositionClosed(p) => p.account == id,
        Record::Deployed(d) => d.account == id,
        Record::DeploymentChanged { .. } | Record::Faulted { .. } | Record::Switched(_) => true,
        Record::Moved(moved) => moved.account() == id,
        Record::MarginCalled { account, .. } => *account == id,
        Record::KillPressed(_) | Record::KillReleased { .. } => true,
        Record::AccountOpened { .. }
        | Record::AccountChanged { .. }
        | Record::DayBegan { .. }
        | Record::DaysKept { .. }
        | Record::Assessed { .. }
        | Record::TradesLimited { .. }
        | Record::Routed { .. }
        | Record::Executed { .. }
        | Record::Asked { .. }
        | Record::Answered { .. }
        | Record::Disputed(_)
        | Record::ShadowStarted { .. }
        | Record::ShadowEnded { .. } => false,
    }
}

fn patch(patch: &PatchEvent) -> Result<Event, Problem> {
    event(PatchEvent::NAME, patch)
}

fn event<T: Serialize>(name: &str, data: &T) -> Result<Event, Problem> {
    let data = serde_json::to_string(data).map_err(|error| Problem::internal(&error))?;
    Ok(Event::message(data).event_type(name))
}
