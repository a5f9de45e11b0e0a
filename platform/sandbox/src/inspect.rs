//! A component at the door: a list of checks, each with an answer that its author can act on.

use crate::{
    cache::{Compiled, World},
    contract::{ORDER_EXPORTS, RULE_EXPORT, STRATEGY_EXPORT, is_offered, rule, rule_types, strategy_types},
    error::Refused,
    host::HostState,
    instance::Instance,
    limits::Limits,
    sandbox::Shared,
    settings::{SettingsError, SettingsSchema},
    strategy::StrategyPre,
    text::clean,
};
use marque_domain::plugin::{PluginDigest, PluginKind};
use marque_engine::port::Hooks;
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use wasmtime::{
    Engine,
    component::{Component, InstancePre},
};

/// What a plugin says of itself, checked.
#[derive(Clone)]
pub struct Description {
    /// Its identity: the SHA-256 of the component.
    pub digest: PluginDigest,
    /// What it does.
    pub kind: PluginKind,
    /// Its name: small letters, digits and hyphens, at most 64.
    pub name: String,
    /// Its semantic version.
    pub version: String,
    /// One sentence for people; plain text.
    pub summary: String,
    /// The market events a strategy wants; none for a rule.
    pub hooks: Hooks,
    /// JSON Schema of its settings: one closed object of plain fields.
    pub settings_schema: String,
    pub(crate) settings: SettingsSchema,
}

impl Description {
    /// Checks settings against the plugin's schema.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what is wrong with it.
    pub fn check_settings(&self, json: &str) -> Result<(), SettingsError> {
        self.settings.check(json)
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("digest", &self.digest)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The digest of a component.
pub(crate) fn digest(bytes: &[u8]) -> PluginDigest {
    PluginDigest(Sha256::digest(bytes).into())
}

/// Takes a component through all checks; the last is to ask it what it is.
pub(crate) fn admit(shared: &Arc<Shared>, bytes: &[u8], digest: PluginDigest) -> Result<Compiled, Refused> {
    check_format(bytes, &shared.limits)?;
    let component = compiled(shared, bytes, &digest)?;
    check_imports(&shared.engine, &component)?;
    let kind = kind_of(&shared.engine, &component)?;
    let pre = shared.linker.instantiate_pre(&component).map_err(|e| Refused::WrongShape(cause(&e)))?;
    match kind {
        PluginKind::Strategy => strategy_of(shared, pre, digest),
        PluginKind::RiskRule => rule_of(shared, pre, digest),
    }
}

/// Its machine code: as an earlier process left it, or else made now and left for the next.
fn compiled(shared: &Shared, bytes: &[u8], digest: &PluginDigest) -> Result<Component, Refused> {
    let (engine, shelf) = (&shared.engine, shared.shelf.as_ref());
    if let Some(component) = shelf.and_then(|shelf| shelf.take(engine, digest)) {
        return Ok(component);
    }
    let component = Component::from_binary(engine, bytes).map_err(|e| Refused::Invalid(cause(&e)))?;
    shelf.inspect(|shelf| shelf.put(engine, digest, &component));
    Ok(component)
}

fn cause(error: &wasmtime::Error) -> String {
    clean(&format!("{error:#}"), 300)
}

/// What the first bytes give away, before anything reads the rest.
pub(crate) fn check_format(bytes: &[u8], limits: &Limits) -> Result<(), Refused> {
    if bytes.len() > limits.module_bytes {
        return Err(Refused::TooLarge { bytes: bytes.len(), limit: limits.module_bytes });
    }
    if Engine::detect_precompiled(bytes).is_some() || bytes.starts_with(b"\x7fELF") {
        return Err(Refused::Precompiled);
    }
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(Refused::CoreModule),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ if bytes.trim_ascii_start().starts_with(b"(") => Err(Refused::Text),
        _ => Err(Refused::NotWasm),
    }
}

fn check_imports(engine: &Engine, component: &Component) -> Result<(), Refused> {
    let component = component.component_type();
    let foreign = component.imports(engine).map(|(name, _)| name).find(|name| !is_offered(name));
    foreign.map_or(Ok(()), |name| Err(Refused::ForeignImport(clean(name, 100))))
}

fn kind_of(engine: &Engine, component: &Component) -> Result<PluginKind, Refused> {
    let component = component.component_type();
    let has = |wanted: &str| component.exports(engine).any(|(name, _)| name == wanted);
    match (has(STRATEGY_EXPORT), has(RULE_EXPORT)) {
        (true, false) => Ok(PluginKind::Strategy),
        (false, true) => Ok(PluginKind::RiskRule),
        _ => Err(Refused::NoWorld),
    }
}

fn strategy_of(shared: &Arc<Shared>, pre: InstancePre<HostState>, digest: PluginDigest) -> Result<Compiled, Refused> {
    let component = pre.component().component_type();
    // One of them without the other is a mistake, which the contract's types then name.
    let with_orders = component.exports(&shared.engine).any(|(name, _)| ORDER_EXPORTS.contains(&name));
    let pre = StrategyPre::new(pre, with_orders).map_err(|e| Refused::WrongShape(cause(&e)))?;
    let mut instance = Instance::start(shared, 0, None, |store| pre.instantiate(store)).map_err(Refused::Silent)?;
    let told = instance
        .call(shared.limits.init(), |guest, store| guest.hooks.call_describe(store))
        .map_err(Refused::Silent)?;
    let strategy_types::Description { name, version, summary, hooks, settings_schema } = told;
    let kind = PluginKind::Strategy;
    let hooks = Hooks { bars: hooks.bars, ticks: hooks.ticks, history_bars: hooks.history_bars };
    let told = Told { name, version, summary, settings_schema };
    Ok(Compiled { description: describe(shared, digest, kind, hooks, told)?, world: World::Strategy(pre) })
}

fn rule_of(shared: &Arc<Shared>, pre: InstancePre<HostState>, digest: PluginDigest) -> Result<Compiled, Refused> {
    let pre = rule::RiskRulePre::new(pre).map_err(|e| Refused::WrongShape(cause(&e)))?;
    let mut instance = Instance::start(shared, 0, None, |store| pre.instantiate(store)).map_err(Refused::Silent)?;
    let told =
        instance.call(shared.limits.init(), |world, store| world.call_describe(store)).map_err(Refused::Silent)?;
    let rule_types::Description { name, version, summary, settings_schema } = told;
    let told = Told { name, version, summary, settings_schema };
    let description = describe(shared, digest, PluginKind::RiskRule, Hooks::default(), told)?;
    Ok(Compiled { description, world: World::Rule(pre) })
}

struct Told {
    name: String,
    version: String,
    summary: String,
    settings_schema: String,
}

fn describe(
    shared: &Shared,
    digest: PluginDigest,
    kind: PluginKind,
    hooks: Hooks,
    told: Told,
) -> Result<Description, Refused> {
    let Told { name, version, summary, settings_schema } = told;
    let name_char = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(name_char) || name.starts_with('-') {
        return Err(Refused::Description("its name must have small letters, digits and hyphens, at most 64"));
    }
    if !is_version(&version) {
        return Err(Refused::Description("its version must be a semantic version such as 1.2.0"));
    }
    if summary.trim().is_empty() || summary.len() > 300 {
        return Err(Refused::Description("its summary must be one sentence of at most 300 bytes"));
    }
    if hooks.history_bars > HISTORY_BARS_MAX {
        return Err(Refused::Description("it may ask for at most 10,000 bars of history"));
    }
    let settings = SettingsSchema::new(&settings_schema, shared.limits.settings_bytes).map_err(Refused::Schema)?;
    let summary = clean(&summary, 300);
    Ok(Description { digest, kind, name, version, summary, hooks, settings_schema, settings })
}

/// Bars of history that a strategy may ask for.
pub(crate) const HISTORY_BARS_MAX: u32 = 10_000;

/// Three numbers, and after a hyphen or plus what semantic versioning allows there.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let is_number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    text.len() <= 32
        && numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b))
}
