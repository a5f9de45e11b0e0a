//! What every group measures with: the shipped plugins, an instrument, a deployment, quiet bars.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::Timeframe,
    calendar::CalendarId,
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, InstrumentId, UserId},
    instrument::{Currency, Instrument},
    plugin::{PluginDigest, PluginRef},
    time::{MINUTE_MS, Millis},
};
use marque_engine::port::{BarRun, Fault, PluginHost, Strategy, StrategyStart};
use marque_sandbox::{Limits, Plugins, Sandbox};

/// 1 May 2014, when the recordings beside the repository begin.
pub const START: Millis = Millis(1_398_902_400_000);
/// The strategy that is measured.
const NAME: &str = "ema-cross";
/// Settings of the EMA cross that all groups use.
pub const EMA_SETTINGS: &str = r#"{"fast":12,"slow":26,"lots":0.1,"stop_pips":20,"target_pips":40}"#;

/// The component of a shipped plugin.
///
/// # Errors
/// When it was not built.
pub fn component(name: &str) -> Result<Vec<u8>> {
    let folder = std::env::var_os("XTASK_PLUGINS")
        .map(PathBuf::from)
        .context("Run `cargo xtask bench`: it builds the plugins first.")?;
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).with_context(|| format!("{} could not be read. Run `cargo xtask bench`.", path.display()))
}

/// The instrument that is traded.
///
/// # Errors
/// Never with the numbers below.
pub fn instrument() -> Result<Instrument> {
    Ok(Instrument {
        id: InstrumentId(1),
        symbol: "EURUSD".to_owned(),
        name: "Euro against US dollar".to_owned(),
        tick_size: "0.00001".parse()?,
        pip: "0.0001".parse()?,
        lot_step: "0.01".parse()?,
        lot_max: Lots::whole(100),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar: CalendarId::Continuous,
        swap: None,
    })
}

/// The account that trades, watched by these rules.
pub fn terms(rules: Vec<PluginRef>) -> AccountTerms {
    AccountTerms {
        id: AccountId(1),
        user: UserId(1),
        name: "Bench".to_owned(),
        currency: Currency::USD,
        initial_balance: Money::whole(1_000_000),
        leverage: 100,
        mode: PositionMode::Hedging,
        margin: MarginLevels::default(),
        trades_per_day: None,
        rules,
    }
}

/// The EMA cross as the sandbox runs it.
pub struct EmaCross {
    host: Arc<Plugins>,
    digests: BTreeMap<String, PluginDigest>,
    instrument: Instrument,
    deployment: Deployment,
}

impl EmaCross {
    /// Loads it into a sandbox with room for `instances`.
    ///
    /// # Errors
    /// When the plugin is missing or refused.
    pub fn load(instances: u32) -> Result<Self> {
        Self::load_with(instances, &[])
    }

    /// As [`EmaCross::load`], with other shipped plugins beside it.
    ///
    /// # Errors
    /// When a plugin is missing or refused.
    pub fn load_with(instances: u32, others: &[&str]) -> Result<Self> {
        let sandbox = Arc::new(Sandbox::new(Limits { instances, ..Limits::default() })?);
        let (mut stored, mut digests) = (BTreeMap::new(), BTreeMap::new());
        for name in core::iter::once(&NAME).chain(others) {
            let bytes = component(name)?;
            let digest = sandbox.inspect(&bytes)?.digest;
            stored.insert(digest, bytes);
            digests.insert((*name).to_owned(), digest);
        }
        let digest = *digests.get(NAME).context("the EMA cross was not loaded")?;
        Ok(Self {
            host: Arc::new(Plugins::new(sandbox, move |wanted: &PluginDigest| stored.get(wanted).cloned())),
            digests,
            instrument: instrument()?,
            deployment: Deployment {
                id: DeploymentId(1),
                account: AccountId(1),
                plugin: PluginRef { digest, name: NAME.to_owned(), settings: EMA_SETTINGS.to_owned() },
                instrument: InstrumentId(1),
                timeframe: Timeframe::M1,
                status: DeploymentStatus::Running,
                created_at: START,
            },
        })
    }

    /// The plugins as the engine takes them.
    pub fn host(&self) -> Arc<dyn PluginHost> {
        self.host.clone()
    }

    /// What is deployed.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The digest of a plugin that was loaded.
    ///
    /// # Errors
    /// When it was not.
    pub fn digest(&self, name: &str) -> Result<PluginDigest> {
        self.digests.get(name).copied().with_context(|| format!("{name} was not loaded"))
    }

    /// Starts an instance.
    ///
    /// # Errors
    /// When there is no room.
    pub fn start(&self) -> Result<Box<dyn Strategy>, Fault> {
        self.host.strategy(&StrategyStart {
            deployment: &self.deployment,
            instrument: &self.instrument,
            restore: None,
            seed: 1,
        })
    }
}

/// Bars at one price: the averages never cross, so that every call is the same work and none acts.
pub struct QuietBars {
    open_at: Vec<i64>,
    price: Vec<i64>,
    spread: Vec<i64>,
}

impl QuietBars {
    /// So many.
    ///
    /// # Errors
    /// Never with the price below.
    pub fn new(count: usize) -> Result<Self> {
        let price: Price = "1.38".parse()?;
        Ok(Self {
            open_at: (0_i64..).take(count).map(|minute| START.0 + minute * MINUTE_MS).collect(),
            price: vec![price.units(); count],
            spread: vec![1_000; count],
        })
    }

    /// As a run.
    pub fn run(&self) -> BarRun<'_> {
        let price = &self.price;
        BarRun {
            open_at: &self.open_at,
            open: price,
            high: price,
            low: price,
            close: price,
            spread: &self.spread,
            volume: &self.spread,
        }
    }

    /// As the columns that cross the boundary, back to back.
    pub fn columns(&self) -> Vec<i64> {
        let run = self.run();
        [run.open_at, run.open, run.high, run.low, run.close, run.spread, run.volume].concat()
    }
}
