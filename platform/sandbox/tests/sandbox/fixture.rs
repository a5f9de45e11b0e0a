//! A sandbox with the plugins of this workspace in it, and a market to show them.

use marque_domain::{
    account::{Deployment, DeploymentStatus},
    bar::Timeframe,
    calendar::CalendarId,
    fixed::{Lots, Price},
    id::{AccountId, DeploymentId, InstrumentId, TenantId},
    instrument::{Currency, Instrument},
    plugin::PluginRef,
    time::Millis,
};
use marque_engine::port::{Action, BarRun, Fault, PluginHost, RiskRule, Strategy, StrategyStart};
use marque_sandbox::{Limits, Plugins, Sandbox};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// The components of `plugins/`, built once, by name.
pub fn built() -> &'static HashMap<String, Vec<u8>> {
    static BUILT: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let plugins = marque_pluginbuild::build(root, &target.join("plugins")).unwrap_or_else(|e| panic!("{e}"));
        plugins.into_iter().map(|plugin| (plugin.name, std::fs::read(plugin.path).unwrap())).collect()
    })
}

/// One of them.
pub fn component(name: &str) -> &'static [u8] {
    &built()[name]
}

/// The plugin of the tests that does what its script says: see `tests/plugins/clerk`.
pub fn clerk() -> &'static [u8] {
    static CLERK: OnceLock<Vec<u8>> = OnceLock::new();
    CLERK.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let folder = "platform/sandbox/tests/plugins";
        let built = marque_pluginbuild::build_folder(root, folder, &target.join("plugins-tested"));
        std::fs::read(&built.unwrap_or_else(|e| panic!("{e}"))[0].path).unwrap()
    })
}

/// The sandbox of all tests: it reserves address space, so one is enough.
pub fn sandbox() -> &'static Arc<Sandbox> {
    static SANDBOX: OnceLock<Arc<Sandbox>> = OnceLock::new();
    SANDBOX.get_or_init(|| Arc::new(Sandbox::new(Limits { instances: 256, ..Limits::default() }).unwrap()))
}

/// The sandbox as the engine sees it, holding one component.
pub fn host(component: &[u8]) -> Plugins {
    host_in(sandbox(), component)
}

fn host_in(sandbox: &Arc<Sandbox>, component: &[u8]) -> Plugins {
    let component = component.to_vec();
    Plugins::new(Arc::clone(sandbox), move |_| Some(component.clone()))
}

/// What a deployment says of the component it runs.
pub fn plugin_ref(component: &[u8], settings: &str) -> PluginRef {
    ref_in(sandbox(), component, settings)
}

fn ref_in(sandbox: &Sandbox, component: &[u8], settings: &str) -> PluginRef {
    let digest = sandbox.inspect(component).unwrap_or_else(|e| panic!("{e}")).digest;
    PluginRef { digest, name: "tested".to_owned(), settings: settings.to_owned() }
}

pub fn start_strategy(component: &[u8], settings: &str, restore: Option<&[u8]>) -> Result<Box<dyn Strategy>, Fault> {
    start_in(sandbox(), component, settings, restore)
}

pub fn start_in(
    sandbox: &Arc<Sandbox>,
    component: &[u8],
    settings: &str,
    restore: Option<&[u8]>,
) -> Result<Box<dyn Strategy>, Fault> {
    start_on(&host_in(sandbox, component), ref_in(sandbox, component, settings), restore)
}

/// A strategy of a tenant's.
pub fn start_of(tenant: TenantId, sandbox: &Arc<Sandbox>, component: &[u8]) -> Result<Box<dyn Strategy>, Fault> {
    start_on(&host_in(sandbox, component).of(tenant), ref_in(sandbox, component, "{}"), None)
}

/// A rule of a tenant's.
pub fn rule_of(tenant: TenantId, sandbox: &Arc<Sandbox>, component: &[u8]) -> Result<Box<dyn RiskRule>, Fault> {
    host_in(sandbox, component).of(tenant).rule(&ref_in(sandbox, component, "{}"))
}

fn start_on(plugins: &Plugins, plugin: PluginRef, restore: Option<&[u8]>) -> Result<Box<dyn Strategy>, Fault> {
    let deployment = Deployment {
        id: DeploymentId(1),
        account: AccountId(2),
        plugin,
        instrument: InstrumentId(0),
        timeframe: Timeframe::M1,
        status: DeploymentStatus::Running,
        created_at: Millis(0),
    };
    plugins.strategy(&StrategyStart { deployment: &deployment, instrument: &eurusd(), restore, seed: 7 })
}

pub fn start_rule(component: &[u8], settings: &str) -> Result<Box<dyn RiskRule>, Fault> {
    host(component).rule(&plugin_ref(component, settings))
}

pub fn eurusd() -> Instrument {
    Instrument {
        id: InstrumentId(0),
        symbol: "EURUSD".to_owned(),
        name: "Euro against US dollar".to_owned(),
        tick_size: "0.00001".parse().unwrap(),
        pip: "0.0001".parse().unwrap(),
        lot_step: "0.01".parse().unwrap(),
        lot_max: Lots::whole(50),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar: CalendarId::Forex,
        swap: None,
    }
}

/// Bars in columns.
#[derive(Debug, Clone, Default)]
pub struct Bars([Vec<i64>; 7]);

impl Bars {
    /// One bar a minute with these closes, in points of 0.00001, and a spread of one pip.
    pub fn of_closes(closes: impl IntoIterator<Item = i64>) -> Self {
        let mut bars = Self::default();
        let mut open = None;
        for (minute, points) in (0..).zip(closes) {
            let close = points * 1_000;
            let first = open.unwrap_or(close);
            let row = [minute * 60_000, first, first.max(close), first.min(close), close, 10_000, 5];
            bars.0.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            open = Some(close);
        }
        bars
    }

    pub fn len(&self) -> usize {
        self.0[0].len()
    }

    /// The bars of this range as a run.
    pub fn run(&self, range: std::ops::Range<usize>) -> BarRun<'_> {
        let [open_at, open, high, low, close, spread, volume] = self.0.each_ref().map(|c| &c[range.clone()]);
        BarRun { open_at, open, high, low, close, spread, volume }
    }

    pub fn close(&self, at: usize) -> Price {
        Price::from_units(self.0[4][at])
    }
}

/// Shows all bars in runs of at most `run` and answers each action with the bar it came from.
pub fn show(strategy: &mut dyn Strategy, bars: &Bars, run: usize) -> Result<Vec<(usize, Action)>, Fault> {
    let (mut seen, mut acted, mut actions) = (0, Vec::new(), Vec::new());
    while seen < bars.len() {
        let end = (seen + run).min(bars.len());
        let consumed = strategy.on_bars(bars.run(seen..end), &mut actions)?;
        assert!((1..=end - seen).contains(&consumed));
        seen += consumed;
        acted.extend(actions.drain(..).map(|action| (seen - 1, action)));
    }
    Ok(acted)
}
