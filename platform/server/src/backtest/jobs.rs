//! Backtests as people start them: checked, kept, run beside the trading, and cancelled.
//!
//! A job waits in the database, so a server that ends loses none: it waits again, or another server takes it once its
//! runner has not been heard of for [`SILENT_MS`]; one that silenced two runners has failed. Tenants take turns, whoever has
//! how many waiting, and while one waits no other has more than one lane: what it began last waits again. Fuel is metered
//! under who started the test.

use super::{
    certificate::{About, Certificate, Proof, Uncertified},
    data::Market,
    permits::Permits,
    report::Report,
    run::{RunError, Runner, Step},
    spec::Spec,
};
use crate::{
    clock::Clock,
    problem::Problem,
    secrets::Vault,
    signing::{Signatory, SigningError},
    tenants::Definition,
    trading::meter::beginning,
};
use core::ops::ControlFlow;
use marque_domain::{
    id::{BacktestId, TenantId, UserId},
    plugin::PluginDigest,
    time::{HOUR_MS, Millis},
};
use marque_sandbox::{Plugins, Sandbox};
use marque_store::{Backtest, BacktestReport, BacktestStatus as Status, Store, StoreError, TenantDb, Whose};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// Backtests that run at once; their runs share the cores.
const LANES: u32 = 2;
/// How long a runner may be silent before another takes its backtest, in milliseconds.
const SILENT_MS: i64 = 30_000;
/// How often a running one is noted and asked whether it is still wanted.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for backtests that wait and nobody here knows of.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Reports of a person that are kept: the newest.
const KEPT: u64 = 100;
/// How long the end waits for runs under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The place where backtests run. Cloning shares it.
#[derive(Clone)]
pub struct Backtests(Arc<Parts>);

struct Parts {
    store: Store,
    sandbox: Arc<Sandbox>,
    market: Market,
    seed: u64,
    clock: Clock,
    vault: Vault,
    permits: Permits,
    lanes: Semaphore,
    line: Mutex<Line>,
    gauges: Mutex<HashMap<(TenantId, BacktestId), Arc<Gauge>>>,
    closing: AtomicBool,
}

/// Who waits, tenant by tenant, and who runs, the last that began last.
#[derive(Default)]
struct Line {
    tenants: VecDeque<(TenantId, VecDeque<BacktestId>)>,
    running: Vec<(TenantId, BacktestId)>,
    known: HashSet<(TenantId, BacktestId)>,
}

impl Line {
    /// Takes a place at the tenant's end. Answers whether it had none.
    fn join(&mut self, tenant: TenantId, id: BacktestId) -> bool {
        if !self.known.insert((tenant, id)) {
            return false;
        }
        match self.tenants.iter_mut().find(|(other, _)| *other == tenant) {
            Some((_, waiting)) => waiting.push_back(id),
            None => self.tenants.push_back((tenant, [id].into())),
        }
        true
    }

    fn runs(&self, tenant: TenantId) -> usize {
        self.running.iter().filter(|(other, _)| *other == tenant).count()
    }

    /// The first of the tenant whose turn it is, which then goes to the end: of those that have no lane, if there are any.
    /// It runs until [`Line::ended`].
    fn next(&mut self) -> Option<(TenantId, BacktestId)> {
        let turn = self.tenants.iter().position(|(tenant, _)| self.runs(*tenant) == 0).unwrap_or(0);
        let (tenant, mut waiting) = self.tenants.remove(turn)?;
        let id = waiting.pop_front();
        if !waiting.is_empty() {
            self.tenants.push_back((tenant, waiting));
        }
        let next = (tenant, id?);
        self.running.push(next);
        Some(next)
    }

    /// What is to end so that a tenant that waits has a lane: the last that a tenant with several began. None while a lane is
    /// free or nobody without one waits.
    fn in_the_way(&self) -> Option<(TenantId, BacktestId)> {
        let waits = self.tenants.iter().any(|(tenant, _)| self.runs(*tenant) == 0);
        if !waits || self.running.len() < LANES as usize {
            return None;
        }
        self.running.iter().rev().find(|(tenant, _)| self.runs(*tenant) > 1).copied()
    }

    /// It does not run any more and has no place.
    fn ended(&mut self, tenant: TenantId, id: BacktestId) {
        self.running.retain(|running| *running != (tenant, id));
        self.known.remove(&(tenant, id));
    }
}

/// How far a running backtest is, and whether it is to end.
#[derive(Debug, Default)]
struct Gauge {
    runs: AtomicU64,
    ended: AtomicU64,
    within: AtomicU64,
    /// Fuel that was used and is not metered yet.
    fuel: AtomicU64,
    stop: AtomicBool,
    /// Whether it ends so that another tenant has its lane, and waits again.
    makes_room: AtomicBool,
}

impl Gauge {
    fn take(&self, step: Step) -> ControlFlow<()> {
        match step {
            Step::Runs(runs) => self.runs.store(runs, Ordering::Relaxed),
            Step::Within(thousandths) => self.within.store(thousandths, Ordering::Relaxed),
            Step::Used(fuel) => {
                self.fuel.fetch_add(fuel, Ordering::Relaxed);
            }
            Step::Done => {
                self.within.store(0, Ordering::Relaxed);
                self.ended.fetch_add(1, Ordering::Relaxed);
            }
        }
        if self.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Thousandths of all runs, and how many runs there are.
    fn read(&self) -> (u64, u64) {
        let runs = self.runs.load(Ordering::Relaxed);
        let done = self.ended.load(Ordering::Relaxed) * 1_000 + self.within.load(Ordering::Relaxed);
        (done.checked_div(runs).unwrap_or(0).min(1_000), runs)
    }
}

/// Why a job has no report.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error("cancelled")]
    Cancelled,
    /// In words for its owner.
    #[error("{0}")]
    Owner(String),
    /// Not theirs to mend.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("{0}")]
    Inner(String),
}

impl Backtests {
    /// A place without jobs.
    #[must_use]
    pub fn new(store: Store, sandbox: Arc<Sandbox>, market: Market, seed: u64, clock: Clock, vault: Vault) -> Self {
        let lanes = Semaphore::new(LANES as usize);
        let permits = Permits::one_a_core();
        Self(Arc::new(Parts {
            store,
            sandbox,
            market,
            seed,
            clock,
            vault,
            permits,
            lanes,
            line: Mutex::default(),
            gauges: Mutex::default(),
            closing: AtomicBool::new(false),
        }))
    }

    /// Where quotes come from.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.0.market
    }

    /// Of what is random where a brand's venue names no seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Looks for backtests that wait, again and again until it is dropped: after a start those that a server before left
    /// behind, later those of a server that fell silent.
    pub async fn look_after(self) {
        let mut rounds = tokio::time::interval(LOOK_EVERY);
        loop {
            rounds.tick().await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "backtests that wait could not be looked for");
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let system = self.0.store.system("find backtests that wait");
        let silent_since = self.0.clock.now().plus(-SILENT_MS);
        for tenant in system.tenants().await? {
            for waiting in system.tenant_db(tenant.id).waiting_backtests(silent_since).await? {
                self.enqueue(tenant.id, waiting.id);
            }
        }
        Ok(())
    }

    /// Keeps a backtest and lets it wait for its turn. Answers whether there was room among the `most` that its owner may
    /// have waiting.
    ///
    /// # Errors
    /// What the store says.
    pub async fn add(&self, db: &TenantDb, backtest: &Backtest, most: u64) -> Result<bool, StoreError> {
        if !db.add_backtest(backtest, most).await? {
            return Ok(false);
        }
        db.forget_backtests(backtest.user, KEPT).await?;
        self.enqueue(db.tenant(), backtest.id);
        Ok(true)
    }

    /// Asks for a backtest's end. Answers it as it is then, and whether this asked first.
    ///
    /// # Errors
    /// As [`TenantDb::cancel_backtest`].
    pub async fn cancel(&self, db: &TenantDb, whose: Whose, id: BacktestId) -> Result<(Backtest, bool), Problem> {
        let asked = db.cancel_backtest(whose, id, self.0.clock.now()).await?;
        if let Some(gauge) = self.gauge(db.tenant(), id) {
            gauge.stop.store(true, Ordering::Relaxed);
        }
        Ok(asked)
    }

    /// Thousandths that are done of a backtest, as near as this server knows.
    #[must_use]
    pub fn progress(&self, tenant: TenantId, backtest: &Backtest) -> u64 {
        match backtest.status {
            Status::Done => 1_000,
            Status::Running => self.gauge(tenant, backtest.id).map_or(backtest.done, |gauge| gauge.read().0),
            _ => backtest.done,
        }
    }

    /// Ends what runs: it waits again for the next start.
    pub async fn close(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        for gauge in self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).values() {
            gauge.stop.store(true, Ordering::Relaxed);
        }
        if tokio::time::timeout(PATIENCE, self.0.lanes.acquire_many(LANES)).await.is_err() {
            tracing::warn!("a backtest did not end in order; it is run again later");
        }
    }

    fn gauge(&self, tenant: TenantId, id: BacktestId) -> Option<Arc<Gauge>> {
        self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).get(&(tenant, id)).cloned()
    }

    fn enqueue(&self, tenant: TenantId, id: BacktestId) {
        if self.0.line.lock().unwrap_or_else(PoisonError::into_inner).join(tenant, id) {
            let this = self.clone();
            tokio::spawn(async move { this.serve_one().await });
            self.make_room();
        }
    }

    /// Ends what is in the way of a tenant that waits and has no lane; it waits again.
    fn make_room(&self) {
        let last = self.0.line.lock().unwrap_or_else(PoisonError::into_inner).in_the_way();
        if let Some(gauge) = last.and_then(|(tenant, id)| self.gauge(tenant, id)) {
            gauge.makes_room.store(true, Ordering::Relaxed);
            gauge.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Runs whoever's turn it is, once a lane is free. There are as many of these as jobs that wait.
    async fn serve_one(&self) {
        let Ok(_lane) = self.0.lanes.acquire().await else { return };
        if self.0.closing.load(Ordering::Relaxed) {
            return;
        }
        let next = self.0.line.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((tenant, id)) = next else { return };
        if let Err(error) = self.run(tenant, id).await {
            tracing::error!(%error, %id, "a backtest could not be kept; it is tried again");
        }
        let gauge = self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).remove(&(tenant, id));
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner).ended(tenant, id);
        if gauge.is_some_and(|gauge| gauge.makes_room.load(Ordering::Relaxed)) {
            // Where it ended all the same, nobody can claim it.
            self.enqueue(tenant, id);
        }
    }

    async fn run(&self, tenant: TenantId, id: BacktestId) -> Result<(), StoreError> {
        let (db, clock) = (self.0.store.system("run a backtest").tenant_db(tenant), &self.0.clock);
        let now = clock.now();
        if !db.claim_backtest(id, now, now.plus(-SILENT_MS)).await? {
            return Ok(());
        }
        let mut backtest = db.backtest(Whose::Everyone, id).await?;
        let gauge = Arc::new(Gauge::default());
        self.0.gauges.lock().unwrap_or_else(PoisonError::into_inner).insert((tenant, id), Arc::clone(&gauge));
        // Somebody may have come to wait before it could be told to make room.
        self.make_room();
        let noting = tokio::spawn(note(db.clone(), (id, backtest.user), Arc::clone(&gauge), clock.clone()));
        let ended = self.report(&db, &backtest, &gauge).await;
        noting.abort();
        meter(&db, backtest.user, &gauge, clock.now()).await;
        let (done, runs) = gauge.read();
        (backtest.done, backtest.runs, backtest.finished_at) = (done, runs, Some(clock.now()));
        let report = match ended {
            Ok((report, summary)) => {
                (backtest.status, backtest.done, backtest.summary) = (Status::Done, 1_000, Some(summary));
                Some(report)
            }
            Err(JobError::Cancelled) if self.waits_again(&gauge) && !backtest.cancel_asked => {
                return db.give_backtest_back(id).await;
            }
            Err(JobError::Cancelled) => {
                backtest.status = Status::Cancelled;
                None
            }
            Err(error) => {
                backtest.status = Status::Failed;
                backtest.fault = Some(match error {
                    JobError::Owner(text) => text,
                    error => {
                        tracing::error!(%error, %id, "a backtest failed by no fault of its owner's");
                        "Something went wrong on our side. Start it again; if it fails again, tell us.".to_owned()
                    }
                });
                None
            }
        };
        db.finish_backtest(&backtest, report.as_ref()).await
    }

    /// Whether what ended was ended by us.
    fn waits_again(&self, gauge: &Gauge) -> bool {
        self.0.closing.load(Ordering::Relaxed) || gauge.makes_room.load(Ordering::Relaxed)
    }

    /// Runs it on a thread of its own and signs what came of it.
    async fn report(
        &self,
        db: &TenantDb,
        backtest: &Backtest,
        gauge: &Arc<Gauge>,
    ) -> Result<(BacktestReport, String), JobError> {
        let inner = |error: &dyn core::fmt::Display| JobError::Inner(error.to_string());
        let spec: Spec = serde_json::from_str(&backtest.spec).map_err(|error| inner(&error))?;
        let components = self.components(&spec).await?;
        let (this, gauge, tenant) = (self.clone(), Arc::clone(gauge), db.tenant());
        let work = tokio::task::spawn_blocking(move || {
            let (report, proof) = this.work(tenant, &spec, components, &gauge)?;
            let bytes = report.to_bytes().map_err(|error| JobError::Inner(error.to_string()))?;
            Ok::<_, JobError>((spec, report, proof, bytes))
        });
        let (spec, report, proof, bytes) = work.await.map_err(|error| inner(&error))??;
        let certificate = match proof {
            Ok(proof) => {
                let tenant = self.0.store.system("name a certificate's issuer").tenant(db.tenant()).await?;
                let definition: Definition =
                    serde_json::from_str(&tenant.spec.definition).map_err(|error| inner(&error))?;
                self.certificate(db, (&spec, &report, proof), &definition, backtest.id).await?
            }
            Err(reason) => {
                tracing::info!(%reason, id = %backtest.id, "a backtest is not certified");
                None
            }
        };
        let summary = serde_json::to_string(&report.statistics).map_err(|error| inner(&error))?;
        Ok((BacktestReport { report: bytes, certificate }, summary))
    }

    async fn certificate(
        &self,
        db: &TenantDb,
        (spec, report, proof): (&Spec, &Report, Proof),
        definition: &Definition,
        id: BacktestId,
    ) -> Result<Option<String>, SigningError> {
        let Some(instrument) = self.0.market.catalogue.by_symbol(&spec.symbol) else { return Ok(None) };
        let key = Signatory::of(db, &self.0.vault, &self.0.clock).await?;
        let host = definition.hosts.first().map_or("unknown", String::as_str);
        let (issuer, backtest) = (format!("https://{host}"), id.to_string());
        let about = About {
            issuer: &issuer,
            backtest: &backtest,
            at: self.0.clock.now(),
            instrument: &spec.instrument(instrument),
        };
        Ok(Certificate::sign(spec, report, &about, &key, proof).ok().map(|certificate| certificate.to_text()))
    }

    async fn components(&self, spec: &Spec) -> Result<HashMap<PluginDigest, Vec<u8>>, JobError> {
        let system = self.0.store.system("load a plugin's component for a backtest");
        let mut components = HashMap::new();
        for (digest, name) in Certificate::plugins(spec) {
            let bytes = system.artifact(digest).await?;
            let gone = || JobError::Owner(format!("The plugin {name} is not stored on this platform any more."));
            components.insert(digest, bytes.ok_or_else(gone)?);
        }
        Ok(components)
    }

    fn work(
        &self,
        tenant: TenantId,
        spec: &Spec,
        components: HashMap<PluginDigest, Vec<u8>>,
        gauge: &Gauge,
    ) -> Result<(Report, Result<Proof, Uncertified>), JobError> {
        let market = &self.0.market;
        let instrument = market.catalogue.by_symbol(&spec.symbol);
        let instrument =
            instrument.ok_or_else(|| JobError::Owner(format!("{} is not offered any more.", spec.symbol)))?;
        let instrument = &spec.instrument(instrument);
        let recorded = market.read(spec);
        let recorded = recorded.map_err(|error| JobError::Owner(super::sentence(&error.to_string())))?;
        let host = Plugins::new(Arc::clone(&self.0.sandbox), move |digest| components.get(digest).cloned());
        let host = host.of(tenant);
        let watch = |step| gauge.take(step);
        let runner =
            Runner { instrument, recorded: &recorded, host: Arc::new(host), permits: &self.0.permits, watch: &watch };
        Report::certifiable(&runner, spec).map_err(|error| match error {
            RunError::Cancelled => JobError::Cancelled,
            other => JobError::Owner(super::sentence(&other.to_string())),
        })
    }
}

/// Notes a running backtest until this is dropped, and tells it when it is not wanted any more.
async fn note(db: TenantDb, (id, user): (BacktestId, UserId), gauge: Arc<Gauge>, clock: Clock) {
    let mut rounds = tokio::time::interval(NOTE_EVERY);
    loop {
        rounds.tick().await;
        let (done, runs) = gauge.read();
        match db.note_backtest(id, done, runs, clock.now()).await {
            Ok(true) => gauge.stop.store(true, Ordering::Relaxed),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, %id, "the progress of a backtest could not be noted"),
        }
        meter(&db, user, &gauge, clock.now()).await;
    }
}

/// Keeps what was used since the last time; what cannot be kept waits for the next. What is being kept when a test ends may be
/// lost, which is a second's at most.
async fn meter(db: &TenantDb, user: UserId, gauge: &Gauge, now: Millis) {
    let fuel = gauge.fuel.swap(0, Ordering::Relaxed);
    if fuel == 0 {
        return;
    }
    if let Err(error) = db.meter_backtest(user, beginning(now, HOUR_MS), fuel).await {
        gauge.fuel.fetch_add(fuel, Ordering::Relaxed);
        tracing::warn!(%error, "what a backtest used could not be kept yet");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_take_turns() {
        let mut line = Line::default();
        for (tenant, id) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)] {
            assert!(line.join(TenantId(tenant), BacktestId(id)));
        }
        assert!(!line.join(TenantId(1), BacktestId(10)), "it has its place");
        let order: Vec<i64> = std::iter::from_fn(|| line.next()).map(|(_, id)| id.0).collect();
        assert_eq!(order, [10, 20, 30, 11, 21, 12]);
    }

    #[test]
    fn a_tenant_has_one_lane_while_another_waits() {
        let (first, second) = (TenantId(1), TenantId(2));
        let mut line = Line::default();
        for id in [10, 11, 12] {
            line.join(first, BacktestId(id));
        }
        assert_eq!((line.next(), line.next()), (Some((first, BacktestId(10))), Some((first, BacktestId(11)))));
        assert_eq!(line.in_the_way(), None, "alone it has both");
        line.join(second, BacktestId(20));
        assert_eq!(line.in_the_way(), Some((first, BacktestId(11))), "what began last");
        line.ended(first, BacktestId(11));
        assert!(line.join(first, BacktestId(11)), "it waits again");
        assert_eq!(line.next(), Some((second, BacktestId(20))), "before all others of who has a lane");
        line.join(second, BacktestId(21));
        assert_eq!(line.in_the_way(), None, "each has one");
        line.ended(first, BacktestId(10));
        assert_eq!(line.next(), Some((first, BacktestId(12))));
        line.ended(first, BacktestId(12));
        line.ended(second, BacktestId(20));
        assert!(line.running.is_empty());
    }

    #[test]
    fn a_gauge_counts_runs_and_parts_of_one() {
        let gauge = Gauge::default();
        assert_eq!(gauge.read(), (0, 0));
        let _ = gauge.take(Step::Runs(4));
        let _ = gauge.take(Step::Done);
        let _ = gauge.take(Step::Done);
        assert_eq!(gauge.read(), (500, 4));
        gauge.stop.store(true, Ordering::Relaxed);
        assert_eq!(gauge.take(Step::Within(7)), ControlFlow::Break(()));
    }
}
