//! The sandbox itself, and the engine's port on it.

use crate::{
    cache::{Cache, Compiled, World},
    error::{Refused, SandboxError},
    host::{self, HostState},
    inspect::{self, Description},
    limits::Limits,
    meter::Stopwatch,
    profile,
    rule::RuleInstance,
    share::{Seat, Share, Shares},
    shelf::Shelf,
    strategy::StrategyInstance,
    ticker::Ticker,
};
use marque_domain::{
    id::TenantId,
    plugin::{PluginDigest, PluginKind, PluginRef},
};
use marque_engine::port::{Fault, PluginHost, RiskRule, Strategy, StrategyStart};
use std::sync::Arc;
use wasmtime::{Engine, component::Linker};

/// What every instance needs.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) stopwatch: Stopwatch,
    pub(crate) shelf: Option<Shelf>,
    /// Stops when the last instance is gone.
    _ticker: Ticker,
}

/// Runs plugins under limits. One per process: it reserves the address space of all its instances.
pub struct Sandbox {
    shared: Arc<Shared>,
    cache: Cache,
    shares: Shares,
}

impl Sandbox {
    /// Sets the sandbox up, without a clock: what plugins use up has no time in it.
    ///
    /// # Errors
    /// [`SandboxError`] when this machine cannot hold it.
    pub fn new(limits: Limits) -> Result<Self, SandboxError> {
        Self::timed(limits, Stopwatch::default(), None)
    }

    /// Sets the sandbox up without a clock, over what earlier processes compiled.
    ///
    /// # Errors
    /// [`SandboxError`] when this machine cannot hold it.
    pub fn shelved(limits: Limits, shelf: Option<Shelf>) -> Result<Self, SandboxError> {
        Self::timed(limits, Stopwatch::default(), shelf)
    }

    /// Sets the sandbox up, with a clock that says how long calls take, over what earlier processes compiled.
    ///
    /// # Errors
    /// [`SandboxError`] when this machine cannot hold it.
    pub fn timed(limits: Limits, stopwatch: Stopwatch, shelf: Option<Shelf>) -> Result<Self, SandboxError> {
        let engine = profile::engine(&limits).map_err(|e| SandboxError::Engine(format!("{e:#}")))?;
        let linker = host::linker(&engine).map_err(|e| SandboxError::Engine(format!("{e:#}")))?;
        let ticker = Ticker::start(engine.clone()).map_err(SandboxError::Ticker)?;
        let (cache, shares) = (Cache::new(limits.compiled), Shares::new(limits.tenant_instances));
        let limits = Arc::new(limits);
        let shared = Arc::new(Shared { engine, linker, limits, stopwatch, shelf, _ticker: ticker });
        Ok(Self { shared, cache, shares })
    }

    /// Checks a component and asks it what it is. It stays compiled for those who run it.
    ///
    /// # Errors
    /// [`Refused`] says what its author can do.
    pub fn inspect(&self, component: &[u8]) -> Result<Description, Refused> {
        self.compile(component).map(|compiled| compiled.description.clone())
    }

    /// Whether a plugin would run at once. Does not wait for one that is being compiled.
    #[must_use]
    pub fn has_compiled(&self, digest: &PluginDigest) -> bool {
        self.cache.has(digest)
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn compile(&self, component: &[u8]) -> Result<Arc<Compiled>, Refused> {
        // Before anything is computed over it.
        if component.len() > self.shared.limits.module_bytes {
            return Err(Refused::TooLarge { bytes: component.len(), limit: self.shared.limits.module_bytes });
        }
        let digest = inspect::digest(component);
        self.cache.get_or_compile(digest, || inspect::admit(&self.shared, component, digest))
    }
}

/// Where components come from: the bytes that have this digest, if anyone has them.
type Artifacts = Box<dyn Fn(&PluginDigest) -> Option<Vec<u8>> + Send + Sync>;

/// The engine's [`PluginHost`]: a sandbox with the place that components come from.
pub struct Plugins {
    sandbox: Arc<Sandbox>,
    artifacts: Artifacts,
    share: Option<Arc<Share>>,
}

impl Plugins {
    /// Over a sandbox and a function from a digest to the component's bytes.
    pub fn new(
        sandbox: Arc<Sandbox>,
        artifacts: impl Fn(&PluginDigest) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self { sandbox, artifacts: Box::new(artifacts), share: None }
    }

    /// The same for one tenant: all that it runs, wherever in this process, has room within its share.
    #[must_use]
    pub fn of(self, tenant: TenantId) -> Self {
        let share = Some(self.sandbox.shares.of(tenant));
        Self { share, ..self }
    }

    fn seat(&self) -> Result<Option<Seat>, Fault> {
        self.share.as_ref().map(Share::seat).transpose()
    }

    fn load(&self, plugin: &PluginRef) -> Result<Arc<Compiled>, Fault> {
        if let Some(compiled) = self.sandbox.cache.get(&plugin.digest) {
            return Ok(compiled);
        }
        let name = &plugin.name;
        let bytes = (self.artifacts)(&plugin.digest)
            .ok_or_else(|| Fault::Host(format!("The plugin {name} is not stored on this platform any more.")))?;
        if inspect::digest(&bytes) != plugin.digest {
            return Err(Fault::Host(format!("The stored file of the plugin {name} is damaged. Publish it again.")));
        }
        self.sandbox.compile(&bytes).map_err(|refused| Fault::Plugin(format!("{name}: {refused}")))
    }
}

fn check_settings(compiled: &Compiled, plugin: &PluginRef) -> Result<(), Fault> {
    let checked = compiled.description.check_settings(&plugin.settings);
    checked.map_err(|error| Fault::Plugin(format!("The settings of {} are not accepted: {error}", plugin.name)))
}

fn wrong_kind(plugin: &PluginRef, wanted: PluginKind) -> Fault {
    Fault::Plugin(format!("The plugin {} is not a {}. Choose another one.", plugin.name, wanted.name()))
}

impl PluginHost for Plugins {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        let plugin = &start.deployment.plugin;
        let compiled = self.load(plugin)?;
        let World::Strategy(pre) = &compiled.world else {
            return Err(wrong_kind(plugin, PluginKind::Strategy));
        };
        check_settings(&compiled, plugin)?;
        let seat = self.seat()?;
        Ok(Box::new(StrategyInstance::start(&self.sandbox.shared, pre, &compiled.description, start, seat)?))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let compiled = self.load(rule)?;
        let World::Rule(pre) = &compiled.world else {
            return Err(wrong_kind(rule, PluginKind::RiskRule));
        };
        check_settings(&compiled, rule)?;
        let seat = self.seat()?;
        Ok(Box::new(RuleInstance::start(&self.sandbox.shared, pre, &rule.settings, seat)?))
    }
}
