//! Trading as it runs: one desk for each tenant, on a thread of its own.
//!
//! Owns: the loop that pulls quotes and takes commands, the commit of what a shard decided, and what people
//! may see of it while it runs. Refuses to know pages, the API, and any other tenant than the desk's own.
//!
//! A desk is an engine shard with its venue. Its facts are committed before the venue sees an order; its
//! place in the market is committed with them, so that a killed process goes on where it stood.

mod acts;
mod books;
mod commit;
mod desk;
mod feed;
mod group;
pub mod kill;
pub mod meter;
pub mod movements;
pub mod operator;
mod past;
pub mod requests;
pub mod succession;
pub mod terms;
mod view;
mod warm;

pub use acts::Asker;
pub use books::{BooksError, verify_books};
pub use desk::{CommandError, Desk};
pub use feed::{FeedPlan, PlanError};
pub use past::Past;
pub use view::{AccountNow, DeskState, Live, View};

use crate::{
    backtest::{Backtests, Market},
    clock::Clock,
    secrets::Vault,
};
use marque_domain::{id::TenantId, instrument::Instrument};
use marque_market::{catalogue::Catalogue, history::History};
use marque_sandbox::{Plugins, Sandbox};
use marque_store::{Store, StoreError};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::runtime::Handle;
use warm::Warmer;

/// What all desks share.
pub struct Floor {
    store: Store,
    sandbox: Arc<Sandbox>,
    catalogue: Arc<Catalogue>,
    history: Arc<History>,
    plan: FeedPlan,
    clock: Clock,
    vault: Vault,
    backtests: Backtests,
    warmer: Warmer,
    desks: Mutex<HashMap<TenantId, Arc<Desk>>>,
}

/// A floor and who asks it for something.
#[derive(Clone)]
pub struct Asked<'a> {
    floor: &'a Floor,
    asker: Asker,
}

/// Why a desk could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FloorError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The feed cannot be made.
    #[error(transparent)]
    Feed(#[from] marque_market::feed::FeedError),
    /// The system gave no thread.
    #[error("the desk's thread could not be started: {0}; raise the limit on threads")]
    Thread(std::io::Error),
}

impl Floor {
    /// A floor without desks.
    #[must_use]
    pub fn new(
        store: Store,
        sandbox: Arc<Sandbox>,
        catalogue: Arc<Catalogue>,
        history: Arc<History>,
        plan: FeedPlan,
        clock: Clock,
        vault: Vault,
    ) -> Self {
        let market = Market { catalogue: Arc::clone(&catalogue), history: Arc::clone(&history) };
        let backtests =
            Backtests::new(store.clone(), Arc::clone(&sandbox), market, plan.seed, clock.clone(), vault.clone());
        let warmer = Warmer::new(&store, Arc::clone(&sandbox));
        Self { store, sandbox, catalogue, history, plan, clock, vault, backtests, warmer, desks: Mutex::default() }
    }

    /// The floor, as somebody asks it for something.
    #[must_use]
    pub const fn asked_by(&self, asker: Asker) -> Asked<'_> {
        Asked { floor: self, asker }
    }

    /// What can be traded.
    #[must_use]
    pub fn instruments(&self) -> Vec<Instrument> {
        self.catalogue.all().to_vec()
    }

    /// The market that all desks follow.
    #[must_use]
    pub const fn plan(&self) -> &FeedPlan {
        &self.plan
    }

    /// The database behind all desks.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The sandbox that all desks' plugins run in.
    #[must_use]
    pub const fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }

    /// The backtests that run beside the desks.
    #[must_use]
    pub const fn backtests(&self) -> &Backtests {
        &self.backtests
    }

    /// A tenant's desk, opened on first use. It recovers from its journal first; what it is told meanwhile waits.
    ///
    /// # Errors
    /// [`FloorError`].
    pub async fn desk(&self, tenant: TenantId) -> Result<Arc<Desk>, FloorError> {
        if let Some(desk) = self.known(tenant) {
            return Ok(desk);
        }
        let db = self.store.system("open a trading desk").tenant_db(tenant);
        let plugins = db.clone();
        let past = Arc::new(Past::new(Arc::clone(&self.history), Arc::clone(&self.catalogue), self.plan.clone()));
        let parts = desk::Parts {
            system: self.store.system("find the operator's kill switch before trading"),
            db,
            instruments: self.instruments(),
            plugins: Arc::new(self.plugins().of(tenant)),
            source: feed::Maker::new(
                self.plan.clone(),
                Arc::clone(&self.catalogue),
                Arc::clone(&self.history),
                self.clock.clone(),
            ),
            past,
            seed: self.plan.seed,
            runtime: Handle::current(),
            witness: commit::Witness { vault: self.vault.clone(), clock: self.clock.clone() },
        };
        // Two first uses at once: the second finds the first one's desk.
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = desks.get(&tenant) {
            return Ok(Arc::clone(desk));
        }
        let desk = Arc::new(Desk::open(parts).map_err(FloorError::Thread)?);
        desks.insert(tenant, Arc::clone(&desk));
        self.warmer.tenant(plugins, Arc::clone(&desk));
        Ok(desk)
    }

    /// Has a desk look at its tenant's file again, if it is open here. Answers whether it will.
    fn renew(&self, tenant: TenantId) -> bool {
        self.known(tenant).is_none_or(|desk| desk.renew())
    }

    /// Stops all desks after what they are doing, and waits for them.
    pub async fn close(&self) {
        self.warmer.stop();
        self.backtests.close().await;
        let desks: Vec<_> =
            self.desks.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, desk)| desk).collect();
        for desk in desks {
            desk.close().await;
        }
    }

    fn known(&self, tenant: TenantId) -> Option<Arc<Desk>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    fn plugins(&self) -> Plugins {
        let (system, runtime) = (self.store.system("load a plugin's component"), Handle::current());
        Plugins::new(Arc::clone(&self.sandbox), move |digest| {
            // Called on a desk's own thread, never on one of the runtime's.
            runtime.block_on(system.artifact(*digest)).ok().flatten()
        })
    }
}
