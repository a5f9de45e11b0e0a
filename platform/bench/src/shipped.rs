//! The SMA 10/20 cross as it is shipped: what backtests are compared on, ours, without a sandbox and by others.

use core::ops::ControlFlow;
use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use marque_domain::{
    account::{Deployment, DeploymentStatus},
    bar::Timeframe,
    fixed::Money,
    id::{AccountId, DeploymentId, InstrumentId},
    plugin::{PluginDigest, PluginRef},
};
use marque_engine::{
    backtest::{self, Pace, Recorder, Recording, Setup, stats::Measured},
    port::PluginHost,
    venue::VenueModel,
};
use marque_sandbox::{Limits, Plugins, Sandbox};

use crate::fixture::{self, START};

/// The strategy's name.
pub const NAME: &str = "sma-cross";
/// Bars of its fast average.
pub const FAST: u32 = 10;
/// Bars of its slow average.
pub const SLOW: u32 = 20;
/// Units of the base currency in each position: 0.1 lots.
pub const UNITS: i64 = 10_000;
/// What a fill of a position is charged: 3.50 for each lot.
pub const FEE: Money = Money::from_units(35_000_000);
/// Always in the market once the averages have crossed, without stops.
pub const SETTINGS: &str = r#"{"fast":10,"slow":20,"lots":0.1}"#;
/// What a whole lot of a fill is charged.
const COMMISSION: Money = Money::from_units(350_000_000);

/// The strategy, and what it is tested on.
pub struct SmaCross {
    /// Starts it in the sandbox.
    pub host: Arc<dyn PluginHost>,
    /// Which code.
    pub digest: PluginDigest,
    /// Account, venue, instrument and settings.
    pub setup: Setup,
}

/// What a backtest came to, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// Seconds from columns to figures.
    pub seconds: f64,
    /// Closed trades.
    pub trades: u64,
    /// Equity at the end.
    pub equity: Money,
}

impl SmaCross {
    /// Loads it into a sandbox with room for `instances`.
    ///
    /// # Errors
    /// When the plugin is missing or refused.
    pub fn load(instances: u32) -> Result<Self> {
        let sandbox = Arc::new(Sandbox::new(Limits { instances, ..Limits::default() })?);
        let bytes = fixture::component(NAME)?;
        let digest = sandbox.inspect(&bytes)?.digest;
        let host = Plugins::new(sandbox, move |wanted: &PluginDigest| (*wanted == digest).then(|| bytes.clone()));
        let deployment = Deployment {
            id: DeploymentId(1),
            account: AccountId(1),
            plugin: PluginRef { digest, name: NAME.to_owned(), settings: SETTINGS.to_owned() },
            instrument: InstrumentId(1),
            timeframe: Timeframe::M1,
            status: DeploymentStatus::Running,
            created_at: START,
        };
        let setup = Setup {
            instrument: fixture::instrument()?,
            terms: fixture::terms(Vec::new()),
            deployment,
            venue: VenueModel { commission_per_lot: COMMISSION, ..VenueModel::default() },
        };
        Ok(Self { host: Arc::new(host), digest, setup })
    }

    /// One backtest as a person asks for it: trades, equity over time, drawdown and the other figures.
    ///
    /// # Errors
    /// When it is refused, the strategy fails or nothing is traded.
    pub fn test(&self, recording: Recording<'_>, host: &Arc<dyn PluginHost>) -> Result<Tested> {
        let (mut watch, began) = (|_| ControlFlow::Continue(()), Instant::now());
        let ran = backtest::run_quick::<Recorder>(&self.setup, recording, Pace::Runs, Arc::clone(host), &mut watch);
        let (recorder, summary) = ran.map_err(|error| anyhow!("{error}"))?;
        let outcome = recorder.outcome(self.setup.terms.initial_balance, summary);
        let statistics = Measured::of(&outcome).statistics();
        let seconds = began.elapsed().as_secs_f64();
        ensure!(outcome.faults == 0, "the strategy failed: {}", outcome.first_fault.unwrap_or_default());
        ensure!(outcome.refused == 0, "{} orders were refused", outcome.refused);
        ensure!(statistics.trades > 0, "the backtest did not trade");
        statistics.sharpe.context("equity did not vary, or there is less than a week of it")?;
        Ok(Tested { seconds, trades: statistics.trades, equity: outcome.equity })
    }
}
