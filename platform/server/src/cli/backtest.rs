//! `marque backtest …`: a test on this machine, of a file, without a database. The same engine and sandbox as in the
//! server.

use super::{CliError, open, tenant};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    backtest::{
        AccountSpec, Grid, Kind, Market, NoReport, Permits, PluginSpec, Rank, Report, RunError, Runner, Source, Spec,
        certificate::{About, Certificate, Proof},
        equity_csv,
        figures::figures,
        html, trades_csv,
    },
    clock::Clock,
    config::Config,
    secrets::{self, Vault},
    signing::Signatory,
};
use clap::{Args, Subcommand};
use core::ops::ControlFlow;
use marque_domain::{
    account::{MarginLevels, PositionMode},
    bar::Timeframe,
    fixed::{Money, Price},
    id::BacktestId,
    instrument::{Currency, Instrument},
    tenant::Slug,
    time::Millis,
};
use marque_engine::{
    port::PluginHost,
    venue::{Slippage, Spread, VenueModel},
};
use marque_market::{
    catalogue::Catalogue,
    history::{History, Kind as HistoryKind},
};
use marque_sandbox::{Limits, Plugins, Sandbox};
use serde_json::Value;
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Instances at once: a strategy and its rules for each core.
const INSTANCES: u32 = 256;
/// Combinations of a sweep, at most.
const COMBINATIONS_MAX: usize = 100_000;
/// Rows of a sweep that are printed.
const ROWS_PRINTED: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum BacktestCommand {
    /// Test a strategy on recorded prices and print its figures.
    #[command(
        after_help = "Examples:\n  marque backtest run --plugin ema_cross.wasm --symbol EURUSD --timeframe M5 --settings '{\"fast\":12,\"slow\":26,\"lots\":0.1}'\n  marque backtest run --plugin ema_cross.wasm --symbol EURUSD --settings '{\"lots\":0.1}' --grid fast=5,10,20 --grid slow=30,60 --rank sharpe --html report.html\n  marque backtest run --plugin ema_cross.wasm --symbol EURUSD --grid fast=5,10 --grid slow=30,60 --choose-days 10 --try-days 5"
    )]
    Run(Box<RunArgs>),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The strategy: a .wasm file.
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// Its settings: a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// A rule that watches the account, as a file and its settings. May be given again.
    #[arg(long, value_name = "FILE=JSON")]
    rule: Vec<String>,
    /// The instrument.
    #[arg(long, visible_alias = "instrument", value_name = "SYMBOL")]
    symbol: String,
    /// The bars it sees.
    #[arg(long, default_value = "M5")]
    timeframe: Timeframe,
    /// ticks, minutes or synthetic. Without it, whatever is recorded, ticks before minutes.
    #[arg(long)]
    source: Option<String>,
    /// The folder of the history. Without it, that of the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// From this instant (RFC 3339) or UTC day on. Without it, from the beginning of the recording.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to before this instant or UTC day. Without it, to the end of the recording.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// What the account begins with.
    #[arg(long, default_value = "10000")]
    balance: Money,
    /// The currency of its money.
    #[arg(long, default_value = "USD")]
    currency: Currency,
    /// Its leverage.
    #[arg(long, default_value_t = 100)]
    leverage: i64,
    /// Charged for each lot of each fill.
    #[arg(long, default_value = "3.5")]
    commission: Money,
    /// What the venue adds to the recorded spread, as a price difference.
    #[arg(long, default_value = "0")]
    markup: Price,
    /// What orders at the market lose, as a price difference.
    #[arg(long, default_value = "0")]
    slippage: Price,
    /// Milliseconds after its approval from which on an order can trade.
    #[arg(long, default_value_t = 0)]
    latency: i64,
    /// The seed of the made-up market and of all chance. Without it, that of the settings.
    #[arg(long)]
    seed: Option<u64>,
    /// Values of a setting to try, such as fast=5,10,20. May be given again: every combination is tried.
    #[arg(long, value_name = "NAME=V1,V2")]
    grid: Vec<String>,
    /// What combinations are ranked by: net_profit, sharpe, sortino, calmar, profit_factor, expectancy, drawdown.
    #[arg(long, default_value = "sharpe")]
    rank: Rank,
    /// Walk forward: days in which settings are chosen.
    #[arg(long, value_name = "DAYS", requires = "try_days")]
    choose_days: Option<u32>,
    /// Walk forward: days in which the choice is tried.
    #[arg(long, value_name = "DAYS", requires = "choose_days")]
    try_days: Option<u32>,
    /// Write the report as one HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the trades as CSV.
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Write equity over time as CSV.
    #[arg(long, value_name = "FILE")]
    equity: Option<PathBuf>,
    /// Write a certificate, signed by the brand that --signed-by names.
    #[arg(long, value_name = "FILE", requires = "signed_by")]
    certificate: Option<PathBuf>,
    /// The brand that signs the certificate: its short name.
    #[arg(long, value_name = "TENANT", requires = "certificate")]
    signed_by: Option<Slug>,
}

/// What a test runs in: plugins by their digest, and the market.
pub(super) struct Bench {
    pub host: Arc<dyn PluginHost>,
    pub plugins: Vec<PluginSpec>,
    pub market: Market,
}

impl Bench {
    /// Reads plugins and finds out what they are.
    pub fn new(files: &[&Path], history: PathBuf) -> Result<Self, CliError> {
        let sandbox = Arc::new(Sandbox::new(Limits { instances: INSTANCES, ..Limits::default() })?);
        let (mut plugins, mut components) = (Vec::new(), Vec::new());
        for path in files {
            let bytes = std::fs::read(path).map_err(|source| CliError::Unreadable { path: path.into(), source })?;
            let told = sandbox.inspect(&bytes);
            let told = told.map_err(|refused| CliError::Backtest(format!("{}: {refused}", path.display())))?;
            let (digest, name, version) = (told.digest, told.name.clone(), told.version.clone());
            plugins.push(PluginSpec { digest, name, version, settings: "{}".to_owned() });
            components.push((digest, bytes));
        }
        let host = Plugins::new(sandbox, move |wanted| {
            components.iter().find(|(digest, _)| digest == wanted).map(|(_, bytes)| bytes.clone())
        });
        let market = Market { catalogue: Arc::new(Catalogue::embedded()?), history: Arc::new(History::at(history)) };
        Ok(Self { host: Arc::new(host), plugins, market })
    }

    /// Runs a test on all cores, by what makes its report.
    pub fn run<T>(
        &self,
        spec: &Spec,
        instrument: &Instrument,
        make: impl FnOnce(&Runner<'_>, &Spec) -> Result<T, RunError>,
    ) -> Result<T, NoReport> {
        let recorded = self.market.read(spec)?;
        let (permits, watch) = (Permits::one_a_core(), |_| ControlFlow::Continue(()));
        let runner =
            Runner { instrument, recorded: &recorded, host: Arc::clone(&self.host), permits: &permits, watch: &watch };
        Ok(make(&runner, spec)?)
    }
}

pub(super) async fn run(
    config: &Config,
    clock: &Clock,
    command: BacktestCommand,
    out: &mut (dyn Write + Send),
) -> Result<(), CliError> {
    let BacktestCommand::Run(args) = command;
    let rules = args.rule.iter().map(|rule| rule_of(rule)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<&Path> =
        std::iter::once(args.plugin.as_path()).chain(rules.iter().map(|(path, _)| path.as_path())).collect();
    let history = args.data.clone().unwrap_or_else(|| config.history_dir());
    let bench = Bench::new(&files, history)?;
    let instrument = instrument_of(&bench.market, &args.symbol)?;
    let spec = spec_of(config, &bench, &args, &rules, &instrument)?;
    if let Some(fault) = spec.faults(COMBINATIONS_MAX).into_iter().next() {
        return Err(CliError::Backtest(format!("{}: {}", fault.field, fault.detail)));
    }
    if instrument.quote != args.currency {
        let text = format!("{} is quoted in {}: set --currency to it", instrument.symbol, instrument.quote);
        return Err(CliError::Backtest(text));
    }
    let certifies = args.certificate.is_some();
    let ran = tokio::task::block_in_place(|| {
        bench.run(&spec, &instrument, |runner, spec| {
            if certifies {
                return Report::certifiable(runner, spec).map(|(report, proof)| (report, Some(proof)));
            }
            Report::make(runner, spec).map(|report| (report, None))
        })
    });
    let (report, proof) = ran.map_err(|error| CliError::Backtest(error.to_string()))?;
    print(&spec, &report, out)?;
    let write = |path: &Option<PathBuf>, bytes: &dyn Fn() -> Result<Vec<u8>, csv::Error>| match path {
        Some(path) => {
            let bytes = bytes().map_err(|error| CliError::Backtest(error.to_string()))?;
            std::fs::write(path, bytes).map_err(|source| CliError::Unwritable { path: path.clone(), source })
        }
        None => Ok(()),
    };
    write(&args.html, &|| Ok(html(&spec, &report, "Marque").into_bytes()))?;
    write(&args.trades, &|| trades_csv(&report))?;
    write(&args.equity, &|| equity_csv(&report))?;
    if let (Some(path), Some(slug), Some(proof)) = (&args.certificate, &args.signed_by, proof) {
        let proof = proof.map_err(|reason| CliError::Backtest(reason.to_string()))?;
        let text = certify(config, clock, slug, (&spec, &report, proof), &instrument).await?;
        std::fs::write(path, text).map_err(|source| CliError::Unwritable { path: path.clone(), source })?;
        writeln!(out, "Certificate: {}", path.display())?;
    }
    Ok(())
}

async fn certify(
    config: &Config,
    clock: &Clock,
    slug: &Slug,
    (spec, report, proof): (&Spec, &Report, Proof),
    instrument: &Instrument,
) -> Result<String, CliError> {
    let store = open(config).await?;
    let db = tenant::rows(&store, slug).await?;
    let definition = tenant::definition(&store, slug).await?;
    let vault = Vault::open(config, clock.clone())?;
    let key = Signatory::of(&db, &vault, clock).await?;
    let issuer = format!("https://{}", definition.hosts.first().map_or("unknown", String::as_str));
    let backtest = BacktestId(secrets::new_id(clock.now())?).to_string();
    let about = About { issuer: &issuer, backtest: &backtest, at: clock.now(), instrument };
    let certificate = Certificate::sign(spec, report, &about, &key, proof);
    let certificate = certificate.map_err(|reason| CliError::Backtest(reason.to_string()))?;
    let details = [("result", &certificate.statement.result), ("plugin", &certificate.statement.plugin)];
    let entry = Entry {
        at: clock.now(),
        actor: Actor::System { name: "marque backtest run".to_owned() },
        act: Act::BacktestSigned,
        target: backtest,
        details: details.into_iter().map(|(name, value)| (name.to_owned(), value.clone().into())).collect(),
        origin: Origin::default(),
    };
    audit::record(&db, &vault, entry).await?;
    Ok(certificate.to_text())
}

pub(super) fn instrument_of(market: &Market, symbol: &str) -> Result<Instrument, CliError> {
    market.catalogue.by_symbol(symbol).cloned().ok_or_else(|| {
        let known: Vec<&str> = market.catalogue.all().iter().map(|i| i.symbol.as_str()).collect();
        CliError::NoInstrument { symbol: symbol.to_owned(), known: known.join(", ") }
    })
}

fn rule_of(text: &str) -> Result<(PathBuf, String), CliError> {
    let (path, settings) = text.split_once('=').unwrap_or((text, "{}"));
    Ok((PathBuf::from(path), object("--rule", settings)?.to_string()))
}

fn object(argument: &str, text: &str) -> Result<Value, CliError> {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let wrong = || CliError::Backtest(format!("{argument} needs a JSON object such as '{{\"lots\":0.1}}'"));
    value.filter(Value::is_object).ok_or_else(wrong)
}

fn spec_of(
    config: &Config,
    bench: &Bench,
    args: &RunArgs,
    rules: &[(PathBuf, String)],
    instrument: &Instrument,
) -> Result<Spec, CliError> {
    let source = source_of(bench, args)?;
    let (from, to) = span_of(bench, args, source)?;
    let mut plugins = bench.plugins.iter().cloned();
    let Some(strategy) = plugins.next() else {
        return Err(CliError::Backtest("there is no strategy".to_owned()));
    };
    let settings = object("--settings", &args.settings)?.to_string();
    let rules = plugins.zip(rules).map(|(rule, (_, settings))| PluginSpec { settings: settings.clone(), ..rule });
    let grid = args.grid.iter().map(|text| values_of(text)).collect::<Result<Grid, _>>()?;
    let kind = match (grid.is_empty(), args.choose_days, args.try_days) {
        (_, Some(choose_days), Some(try_days)) => Kind::Forward { grid, rank: args.rank, choose_days, try_days },
        (true, ..) => Kind::Single,
        (false, ..) => Kind::Sweep { grid, rank: args.rank },
    };
    Ok(Spec {
        strategy: PluginSpec { settings, ..strategy },
        rules: rules.collect(),
        symbol: args.symbol.clone(),
        swap: instrument.swap.clone(),
        timeframe: args.timeframe,
        source,
        from,
        to,
        account: AccountSpec {
            currency: args.currency,
            balance: args.balance,
            leverage: args.leverage,
            mode: PositionMode::Hedging,
            margin: MarginLevels::default(),
        },
        venue: VenueModel {
            commission_per_lot: args.commission,
            spread: if args.markup.is_zero() { Spread::Quoted } else { Spread::Markup(args.markup) },
            slippage: if args.slippage.is_zero() { Slippage::None } else { Slippage::Fixed(args.slippage) },
            latency_ms: args.latency,
            liquidity: None,
            seed: args.seed.unwrap_or(config.feed.seed),
        },
        kind,
    })
}

fn source_of(bench: &Bench, args: &RunArgs) -> Result<Source, CliError> {
    if let Some(text) = &args.source {
        let known = Source::ALL.into_iter().find(|source| source.name() == text);
        return known.ok_or_else(|| CliError::Backtest("--source is one of ticks, minutes and synthetic".to_owned()));
    }
    let has = |kind| Ok::<_, CliError>(bench.market.history.holding(&args.symbol, kind)?.is_some());
    Ok(if has(HistoryKind::Ticks)? { Source::Ticks } else { Source::Minutes })
}

/// From when to when: as said, or all that is recorded.
fn span_of(bench: &Bench, args: &RunArgs, source: Source) -> Result<(Millis, Millis), CliError> {
    let kind = match source {
        Source::Ticks => Some(HistoryKind::Ticks),
        Source::Minutes => Some(HistoryKind::Minutes),
        Source::Synthetic => None,
    };
    let held = match kind {
        Some(kind) => bench.market.history.holding(&args.symbol, kind)?,
        None => None,
    };
    let time = |argument: &str, text: &Option<String>, else_at: Option<Millis>| match text {
        Some(text) => time_of(text).ok_or_else(|| {
            CliError::Backtest(format!(
                "{argument} needs a day such as 2014-05-01, or an instant such as 2014-05-01T08:00:00Z"
            ))
        }),
        None => else_at.ok_or_else(|| {
            CliError::Backtest(format!(
                "no {} of {} are recorded: say {argument}, or import a recording with `marque data import`",
                source.name(),
                args.symbol
            ))
        }),
    };
    let from = time("--from", &args.from, held.map(|held| held.first))?;
    let to = time("--to", &args.to, held.map(|held| held.last.plus(1)))?;
    Ok((from, to))
}

fn time_of(text: &str) -> Option<Millis> {
    Millis::from_rfc3339(text).or_else(|| Millis::from_rfc3339(&format!("{text}T00:00:00Z")))
}

/// `fast=5,10,20`: each value as JSON, or else as text.
fn values_of(text: &str) -> Result<(String, Vec<Value>), CliError> {
    let wrong = || CliError::Backtest("--grid needs a setting and its values, such as fast=5,10,20".to_owned());
    let (name, values) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    Ok((name.to_owned(), values.split(',').map(value).collect()))
}

fn print(spec: &Spec, report: &Report, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let (first, last) = report.data_span;
    writeln!(
        out,
        "{} {} on {} {}, {} {} from {} to {}",
        spec.strategy.name,
        spec.strategy.version,
        spec.symbol,
        spec.timeframe,
        report.data_rows,
        spec.source.name(),
        first.to_rfc3339(),
        last.to_rfc3339()
    )?;
    if !report.settings.is_empty() {
        writeln!(out, "Settings {}", report.settings)?;
    }
    for row in figures(&report.statistics) {
        let value = row.number.map_or_else(|| "none".to_owned(), |number| number.text(spec.account.currency));
        writeln!(out, "  {:<22} {value:>16}", row.words.name)?;
    }
    let outcome = &report.outcome;
    writeln!(out, "  {:<22} {:>16}", "Orders refused", outcome.refused)?;
    if let Some(fault) = &outcome.first_fault {
        writeln!(out, "The strategy failed {} times. First: {fault}", outcome.faults)?;
    }
    if !report.rows.is_empty() {
        writeln!(out, "{} combinations, best first:", report.rows.len())?;
    }
    for row in report.rows.iter().take(ROWS_PRINTED) {
        match (&row.statistics, &row.fault) {
            (Some(s), _) => writeln!(
                out,
                "  {:>14.2}  sharpe {:>7}  {:>5} trades  {}",
                s.net_profit,
                s.sharpe.map_or_else(|| "none".to_owned(), |sharpe| format!("{sharpe:.2}")),
                s.trades,
                row.settings
            )?,
            (None, fault) => writeln!(out, "  {}  {}", fault.as_deref().unwrap_or_default(), row.settings)?,
        }
    }
    for window in &report.windows {
        writeln!(
            out,
            "  {} to {}: {:>12.2} where chosen, {:>12.2} where tried  {}",
            window.tried_from.to_rfc3339(),
            window.tried_to.to_rfc3339(),
            window.chosen.net_profit,
            window.tried.net_profit,
            window.settings
        )?;
    }
    Ok(())
}
