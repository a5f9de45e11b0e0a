//! A backtest as somebody asks for it, checked and made a [`Spec`]. Pages, the API and the command line come here.

use super::{
    data::Source,
    jobs::Backtests,
    spec::{AccountSpec, Kind, PluginSpec, Spec},
};
use crate::{
    audit::Act,
    clock::Clock,
    identity::SignedIn,
    problem::{Problem, ProblemCode},
    secrets,
    tenants::Feature,
    trading::{meter, requests, terms},
};
use marque_domain::{
    bar::Timeframe,
    fixed::{Money, Price},
    id::BacktestId,
    plugin::{Channel, PluginKind},
    time::Millis,
};
use marque_engine::venue::{Slippage, Spread, VenueModel};
use marque_store::{Backtest, BacktestStatus, Plugin, Whose};
use serde_json::{Value, json};

/// Combinations of a sweep, at most.
pub const COMBINATIONS_MAX: usize = 1_000;
/// Backtests that a person may have waiting and running, at most; a plan that runs fewer strategies has fewer.
pub const UNFINISHED_MAX: u32 = 10;

/// A backtest that somebody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBacktest {
    /// The strategy's name in the catalogue.
    pub strategy: String,
    /// Its settings: a JSON object.
    pub settings: Value,
    /// The instrument's symbol.
    pub symbol: String,
    /// The bars that it sees.
    pub timeframe: Timeframe,
    /// Which recording.
    pub source: Source,
    /// From this instant on.
    pub from: Millis,
    /// Up to before this one.
    pub to: Millis,
    /// What the account begins with; the brand's own where it is not said.
    pub balance: Option<Money>,
    /// Its leverage; the brand's own where it is not said.
    pub leverage: Option<i64>,
    /// Charged for each lot of each fill; the venue's own where it is not said.
    pub commission_per_lot: Option<Money>,
    /// What the venue adds to the recorded spread; the venue's own where it is not said.
    pub markup: Option<Price>,
    /// What orders at the market lose; the venue's own where it is not said.
    pub slippage: Option<Price>,
    /// How long after its approval an order can trade; the venue's own where it is not said.
    pub latency_ms: Option<i64>,
    /// Whether the brand's rules watch the account.
    pub rules: bool,
    /// One run, or many.
    pub kind: Kind,
}

/// Checks a backtest, keeps it and lets it wait for its turn.
///
/// # Errors
/// [`ProblemCode::Invalid`] with the fields that are wrong, [`ProblemCode::PlanRefused`] where the plan does not have it, has
/// nothing left for it today, or has too many waiting.
pub async fn start(place: &Backtests, who: &SignedIn, wanted: NewBacktest, clock: &Clock) -> Result<Backtest, Problem> {
    requests::gate(who, Feature::Backtests).await?;
    if wanted.kind != Kind::Single {
        requests::gate(who, Feature::Sweeps).await?;
    }
    let spec = spec(place, who, wanted).await?;
    let (plan, now) = (requests::plan_of(who.db(), &who.tenant.definition, who.user).await?, clock.now());
    meter::gate_tests(who.db(), &plan, who.user, now).await?;
    let most = plan.quotas.deployments.unwrap_or(UNFINISHED_MAX).clamp(1, UNFINISHED_MAX);
    let backtest = Backtest {
        id: BacktestId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
        user: who.user,
        kind: spec.kind.name().to_owned(),
        spec: serde_json::to_string(&spec).map_err(|error| Problem::internal(&error))?,
        status: BacktestStatus::Queued,
        done: 0,
        runs: 0,
        cancel_asked: false,
        fault: None,
        summary: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    };
    if place.add(who.db(), &backtest, u64::from(most)).await? {
        let details = json!({ "strategy": spec.strategy.name, "instrument": spec.symbol, "kind": backtest.kind });
        who.audit(Act::BacktestStarted, backtest.id.to_string(), details).await?;
        return Ok(backtest);
    }
    let text = format!("At most {most} of your backtests may wait or run at once. Wait for one to end, or cancel one.");
    Err(Problem::new(ProblemCode::PlanRefused, text))
}

async fn spec(place: &Backtests, who: &SignedIn, wanted: NewBacktest) -> Result<Spec, Problem> {
    let (db, definition) = (who.db(), &who.tenant.definition);
    let strategy = requests::offered(db, definition, &wanted.strategy, PluginKind::Strategy, Channel::Stable).await?;
    let mut rules = Vec::new();
    if wanted.rules {
        for binding in &definition.accounts.rules {
            let rule =
                requests::offered(db, definition, &binding.plugin, PluginKind::RiskRule, Channel::Stable).await?;
            rules.push(plugin(&rule, &Value::Object(binding.settings.clone())));
        }
    }
    let Some(instrument) = place.market().catalogue.by_symbol(&wanted.symbol) else {
        return Err(invalid().field("instrument", "is not offered here; choose one from the list of instruments"));
    };
    let account = &definition.accounts;
    let spec = Spec {
        strategy: plugin(&strategy, &wanted.settings),
        rules,
        symbol: instrument.symbol.clone(),
        swap: terms::listed(&definition.venue, instrument).swap,
        timeframe: wanted.timeframe,
        source: wanted.source,
        from: wanted.from,
        to: wanted.to,
        account: AccountSpec {
            currency: account.currency,
            balance: wanted.balance.unwrap_or(account.initial_balance),
            leverage: wanted.leverage.unwrap_or(account.leverage),
            mode: account.position_mode,
            margin: account.margin,
        },
        venue: venue(terms::model(&definition.venue, instrument, place.seed()), &wanted),
        kind: wanted.kind,
    };
    let mut problem = invalid();
    for fault in spec.faults(COMBINATIONS_MAX) {
        problem = problem.field(fault.field, fault.detail);
    }
    if instrument.quote != account.currency {
        let detail = format!("is quoted in {} and accounts here are in {}", instrument.quote, account.currency);
        problem = problem.field("instrument", detail);
    }
    if !problem.errors.is_empty() {
        return Err(problem);
    }
    check_grid(&strategy, &spec)?;
    Ok(spec)
}

/// The brand's venue, except for what the test names.
fn venue(brands: VenueModel, wanted: &NewBacktest) -> VenueModel {
    let spread = |by: Price| if by.is_zero() { Spread::Quoted } else { Spread::Markup(by) };
    let slippage = |by: Price| if by.is_zero() { Slippage::None } else { Slippage::Fixed(by) };
    VenueModel {
        commission_per_lot: wanted.commission_per_lot.unwrap_or(brands.commission_per_lot),
        spread: wanted.markup.map_or(brands.spread, spread),
        slippage: wanted.slippage.map_or(brands.slippage, slippage),
        latency_ms: wanted.latency_ms.unwrap_or(brands.latency_ms),
        ..brands
    }
}

/// Checks the settings of the first run, and each further value of a search in its place: what no run could use is said now.
fn check_grid(strategy: &Plugin, spec: &Spec) -> Result<(), Problem> {
    let first = first_settings(spec);
    requests::check_settings(strategy, &first)?;
    let Some((grid, _)) = spec.kind.search() else { return Ok(()) };
    for (name, values) in grid {
        for value in values.iter().skip(1) {
            let mut settings = first.clone();
            if let Some(settings) = settings.as_object_mut() {
                settings.insert(name.clone(), value.clone());
            }
            requests::check_settings(strategy, &settings)?;
        }
    }
    Ok(())
}

/// The settings of the first run.
fn first_settings(spec: &Spec) -> Value {
    let first = spec.kind.search().and_then(|(grid, _)| super::sweep::combinations(grid).into_iter().next());
    let settings = spec.with_settings(&first.unwrap_or_default()).strategy.settings;
    serde_json::from_str(&settings).unwrap_or_default()
}

fn plugin(found: &Plugin, settings: &Value) -> PluginSpec {
    PluginSpec {
        digest: found.plugin.digest,
        name: found.plugin.name.clone(),
        version: found.plugin.version.clone(),
        settings: settings.to_string(),
    }
}

fn invalid() -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct the fields that `errors` names and send the request again.")
}

/// Why a backtest that is done has no certificate.
#[must_use]
pub fn uncertified(backtest: &Backtest) -> Problem {
    let many = backtest.kind == "walk_forward";
    let text = if many {
        "A walk-forward is many runs and has no certificate."
    } else {
        "This test has no certificate. Shown one bar at a time, as live, the strategy did something else, or the server had to stop it on the way. Start the test again; if that has none either, the strategy reads what comes later."
    };
    Problem::new(ProblemCode::Conflict, text)
}

/// Asks for a backtest's end.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's.
pub async fn cancel(place: &Backtests, who: &SignedIn, whose: Whose, id: BacktestId) -> Result<Backtest, Problem> {
    let (cancelled, first) = place.cancel(who.db(), whose, id).await?;
    // One that had ended before, or was asked to, is as it was.
    if first {
        who.audit(Act::BacktestCancelled, id.to_string(), Value::Null).await?;
    }
    Ok(cancelled)
}
