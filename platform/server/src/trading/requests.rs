//! What people may ask of trading: open an account, deploy a strategy. Pages and the API both come here.

use super::{CommandError, Floor};
use crate::{
    clock::Clock,
    plugins::Described,
    problem::{Problem, ProblemCode},
    secrets,
    tenants::Definition,
};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus},
    bar::Timeframe,
    id::{AccountId, DeploymentId, UserId},
    instrument::Instrument,
    plugin::{PluginKind, PluginRef},
    tenant::Plan,
};
use marque_engine::{Command, Record, Refusal};
use marque_store::{Page, Plugin, TenantDb, Whose};
use serde_json::Value;

/// Accounts that a person may have at once.
pub const ACCOUNTS_MAX: usize = 20;
/// Deployments that an account may have, running or not.
pub const DEPLOYMENTS_MAX: usize = 50;

/// A strategy that someone wants on an account.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// On which account.
    pub account: AccountId,
    /// The strategy's name in the catalogue.
    pub strategy: String,
    /// The instrument's symbol.
    pub symbol: String,
    /// The bars it sees.
    pub timeframe: Timeframe,
    /// Its settings: a JSON object.
    pub settings: Value,
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let text = sentence(&error.to_string());
        match error {
            CommandError::Busy | CommandError::Unavailable => Self::new(ProblemCode::Unavailable, text).retry_after_s(2),
            CommandError::Refused(refusal) => match refusal {
                Refusal::NoSuchAccount | Refusal::NoSuchDeployment => Self::not_found(),
                Refusal::Duplicate | Refusal::AccountClosed(_) => Self::new(ProblemCode::Conflict, text),
                Refusal::NoSuchInstrument | Refusal::Plugin(_) => Self::new(ProblemCode::Invalid, text),
            },
        }
    }
}

impl From<super::FloorError> for Problem {
    fn from(error: super::FloorError) -> Self {
        tracing::error!(%error, "a trading desk could not be opened");
        Self::new(ProblemCode::Unavailable, "Trading is not available right now. Try again in a moment.").retry_after_s(5)
    }
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let stop = if text.ends_with('.') { "" } else { "." };
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + stop)
}

/// What can be traded at this moment's market: instruments that the feed shows.
#[must_use]
pub fn tradable(floor: &Floor) -> Vec<Instrument> {
    let shown = floor.plan().instruments();
    floor.instruments().into_iter().filter(|i| shown.contains(&i.id)).collect()
}

/// Opens an account for a person, on the tenant's terms and the plan's limits.
///
/// # Errors
/// [`ProblemCode::Conflict`] at the limit of accounts; what a rule or the store answers.
pub async fn open_account(floor: &Floor, db: &TenantDb, definition: &Definition, user: UserId, name: &str, plan: Option<&Plan>, clock: &Clock) -> Result<AccountTerms, Problem> {
    let have = db.accounts(Whose::User(user), Page::first(u32::try_from(ACCOUNTS_MAX).unwrap_or(u32::MAX))).await?.items.len();
    if have >= ACCOUNTS_MAX {
        return Err(Problem::new(ProblemCode::Conflict, format!("You have {ACCOUNTS_MAX} accounts, which is the most. Use one of them.")));
    }
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(Problem::new(ProblemCode::Invalid, "Give the account a name of 1 to 60 characters.").field("name", "1 to 60 printable characters"));
    }
    let mut rules = Vec::new();
    for binding in &definition.accounts.rules {
        let rule = offered(db, definition, &binding.plugin, PluginKind::RiskRule).await?;
        rules.push(reference(&rule, &Value::Object(binding.settings.clone())));
    }
    let terms = AccountTerms {
        id: AccountId(new_id(clock)?),
        user,
        name: name.to_owned(),
        currency: definition.accounts.currency,
        initial_balance: definition.accounts.initial_balance,
        leverage: definition.accounts.leverage,
        trades_per_day: plan.and_then(|p| p.quotas.trades_per_day),
        rules,
    };
    floor.desk(db.tenant()).await?.command(Command::OpenAccount(terms.clone())).await?;
    Ok(terms)
}

/// Deploys a strategy on an account and starts it.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's account, [`ProblemCode::Invalid`] with the settings that are wrong,
/// [`ProblemCode::PlanRefused`] at a limit of the plan.
pub async fn deploy(floor: &Floor, db: &TenantDb, definition: &Definition, whose: Whose, wanted: NewDeployment, plan: Option<&Plan>, clock: &Clock) -> Result<Deployment, Problem> {
    let account = db.account(whose, wanted.account).await?;
    let strategy = offered(db, definition, &wanted.strategy, PluginKind::Strategy).await?;
    let instruments = tradable(floor);
    let instrument = instruments.iter().find(|i| i.symbol == wanted.symbol).ok_or_else(|| {
        Problem::new(ProblemCode::Invalid, "Choose one of the offered instruments.").field("instrument", "not offered here")
    })?;
    let mine = db.deployments(Whose::Account(account.terms.id), Page::first(200)).await?.items;
    within_plan(&mine, instrument, plan)?;
    check_settings(&strategy, &wanted.settings)?;
    let deployment = Deployment {
        id: DeploymentId(new_id(clock)?),
        account: account.terms.id,
        plugin: reference(&strategy, &wanted.settings),
        instrument: instrument.id,
        timeframe: wanted.timeframe,
        status: DeploymentStatus::Running,
        created_at: clock.now(),
    };
    let records = floor.desk(db.tenant()).await?.command(Command::Deploy(deployment.clone())).await?;
    let deployed = records.into_iter().find_map(|r| if let Record::Deployed(d) = r { Some(d) } else { None });
    Ok(deployed.unwrap_or(deployment))
}

fn within_plan(mine: &[Deployment], instrument: &Instrument, plan: Option<&Plan>) -> Result<(), Problem> {
    if mine.len() >= DEPLOYMENTS_MAX {
        let text = format!("An account keeps at most {DEPLOYMENTS_MAX} strategies. Start one that is there instead of adding another.");
        return Err(Problem::new(ProblemCode::Conflict, text));
    }
    let Some(plan) = plan else { return Ok(()) };
    let running: Vec<_> = mine.iter().filter(|d| d.status == DeploymentStatus::Running).collect();
    if let Some(limit) = plan.quotas.deployments.filter(|limit| running.len() >= *limit as usize) {
        let text = format!("The plan {} runs {limit} strategies at once. Stop one, or choose a larger plan.", plan.name);
        return Err(Problem::new(ProblemCode::PlanRefused, text));
    }
    let mut instruments: Vec<_> = running.iter().map(|d| d.instrument).chain([instrument.id]).collect();
    instruments.sort_unstable();
    instruments.dedup();
    if let Some(limit) = plan.quotas.instruments.filter(|limit| instruments.len() > *limit as usize) {
        let text = format!("The plan {} trades {limit} instruments at once. Stop a strategy on another one, or choose a larger plan.", plan.name);
        return Err(Problem::new(ProblemCode::PlanRefused, text));
    }
    Ok(())
}

/// A plugin that this tenant offers.
async fn offered(db: &TenantDb, definition: &Definition, name: &str, kind: PluginKind) -> Result<Plugin, Problem> {
    let plugin = if definition.plugins.iter().any(|p| p == name) { db.plugin_by_name(name).await? } else { None };
    plugin.filter(|p| p.enabled && p.plugin.kind == kind).ok_or_else(|| {
        let what = kind.name();
        Problem::new(ProblemCode::Invalid, format!("There is no {what} named {name} here. Choose one from the catalogue."))
            .field(if kind == PluginKind::Strategy { "strategy" } else { "rule" }, "not in the catalogue")
    })
}

/// Names every setting that the plugin's schema does not accept.
fn check_settings(plugin: &Plugin, settings: &Value) -> Result<(), Problem> {
    let described = Described::read(plugin)?;
    let schema = jsonschema::validator_for(&described.settings_schema).map_err(|error| Problem::internal(&error))?;
    let mut problem = Problem::new(ProblemCode::Invalid, "Some settings are not accepted.");
    for error in schema.iter_errors(settings).take(20) {
        let path = error.instance_path().to_string();
        problem = problem.field(format!("settings{path}"), error.to_string());
    }
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}

fn reference(plugin: &Plugin, settings: &Value) -> PluginRef {
    PluginRef { digest: plugin.plugin.digest, name: plugin.plugin.name.clone(), settings: settings.to_string() }
}

fn new_id(clock: &Clock) -> Result<i64, Problem> {
    secrets::new_id(clock.now()).map_err(|error| Problem::internal(&error))
}
