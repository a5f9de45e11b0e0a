//! Plugins compiled ahead of their use, off the threads of the desks.
//!
//! Owns: when a tenant's plugins are compiled. Refuses to know what runs them: a desk that asks for a plugin first compiles
//! it itself, and whoever comes second finds it.
//!
//! A desk opens without waiting for any of this. What its strategies run is compiled as it recovers; the others follow then, one
//! at a time, so that start-up and the market keep the processors; and who deploys one before its turn has it compiled
//! before the desk hears of it.

use super::Desk;
use marque_domain::plugin::PluginDigest;
use marque_sandbox::Sandbox;
use marque_store::{Store, StoreError, SystemDb, TenantDb};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
};

/// What compiles the plugins of a floor.
pub(super) struct Warmer {
    sandbox: Arc<Sandbox>,
    system: SystemDb,
    /// One of all tenants' plugins at a time.
    turn: Arc<Semaphore>,
    tenants: Mutex<JoinSet<()>>,
}

impl Warmer {
    pub fn new(store: &Store, sandbox: Arc<Sandbox>) -> Self {
        Self {
            sandbox,
            system: store.system("compile plugins before they are used"),
            turn: Arc::new(Semaphore::new(1)),
            tenants: Mutex::default(),
        }
    }

    /// Compiles a plugin unless it is, so that no strategy of a desk waits meanwhile. One that is not stored or not accepted is
    /// for the desk to refuse, which says why.
    pub async fn plugin(&self, digest: PluginDigest) -> Result<(), StoreError> {
        compile(&self.sandbox, &self.system, digest).await
    }

    /// Compiles all plugins of a tenant, one after the other, once its desk follows the market.
    pub fn tenant(&self, db: TenantDb, desk: Arc<Desk>) {
        let (sandbox, system, turn) = (Arc::clone(&self.sandbox), self.system.clone(), Arc::clone(&self.turn));
        let work = async move {
            desk.recovered().await;
            drop(desk);
            let plugins = match db.plugins().await {
                Ok(plugins) => plugins,
                Err(error) => return tracing::warn!(%error, "plugins are compiled at their first use"),
            };
            for plugin in plugins {
                // It is never closed.
                let Ok(_turn) = turn.acquire().await else { return };
                if let Err(error) = compile(&sandbox, &system, plugin.plugin.digest).await {
                    tracing::warn!(%error, plugin = plugin.plugin.name, "a plugin is compiled at its first use");
                }
            }
        };
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        while tenants.try_join_next().is_some() {}
        tenants.spawn(work);
    }

    /// Begins with no further plugin.
    pub fn stop(&self) {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

async fn compile(sandbox: &Arc<Sandbox>, system: &SystemDb, digest: PluginDigest) -> Result<(), StoreError> {
    if sandbox.has_compiled(&digest) {
        return Ok(());
    }
    let Some(bytes) = system.artifact(digest).await? else { return Ok(()) };
    let sandbox = Arc::clone(sandbox);
    let compiled = spawn_blocking(move || sandbox.inspect(&bytes).map(drop)).await;
    match compiled {
        Ok(Ok(())) => {}
        Ok(Err(refused)) => tracing::error!(%digest, %refused, "a stored plugin is refused"),
        Err(error) => tracing::error!(%digest, %error, "compiling a plugin ended badly"),
    }
    Ok(())
}
