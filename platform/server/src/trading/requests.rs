//! What people may ask of trading: open an account, deploy a strategy, start it again. Pages and the API both come
//! here, and here is where a person's plan is looked up: it is the account's owner's, whoever asks.

use super::{Asked, Asker, CommandError, Floor, meter};
use crate::{
    clock::Clock,
    identity::{Role, SignedIn},
    plugins::Described,
    problem::{Problem, ProblemCode},
    secrets,
    tenants::{Definition, Feature},
};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus},
    bar::Timeframe,
    id::{AccountId, DeploymentId, UserId},
    instrument::Instrument,
    plugin::{Channel, PluginKind, PluginRef},
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
    /// Through which channel its version is chosen.
    pub channel: Channel,
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
            CommandError::Busy | CommandError::Unavailable => {
                Self::new(ProblemCode::Unavailable, text).retry_after_s(2)
            }
            CommandError::Refused(refusal) => match refusal {
                Refusal::NoSuchAccount | Refusal::NoSuchDeployment => Self::not_found(),
                Refusal::Duplicate | Refusal::AccountClosed(_) => Self::new(ProblemCode::Conflict, text),
                Refusal::Movement(denial) if super::movements::is_mistyped(&denial) => {
                    Self::new(ProblemCode::Invalid, text)
                }
                Refusal::Movement(_) => Self::new(ProblemCode::Conflict, text),
                Refusal::Killed(_) | Refusal::TooManyKills => Self::new(ProblemCode::Conflict, text),
                Refusal::NoSuchInstrument | Refusal::Plugin(_) | Refusal::KillWords | Refusal::OtherPlugin(_) => {
                    Self::new(ProblemCode::Invalid, text)
                }
                Refusal::SameRelease
                | Refusal::NotTakenUp(_)
                | Refusal::NotQuiet
                | Refusal::NothingToRollBack
                | Refusal::NotRunning
                | Refusal::NoShadow => Self::new(ProblemCode::Conflict, text),
                Refusal::TooManyStrategies { .. } | Refusal::TooManyInstruments { .. } => {
                    Self::new(ProblemCode::PlanRefused, text)
                }
            },
        }
    }
}

impl From<super::FloorError> for Problem {
    fn from(error: super::FloorError) -> Self {
        tracing::error!(%error, "a trading desk could not be opened");
        Self::new(ProblemCode::Unavailable, "Trading is not available right now. Try again in a moment.")
            .retry_after_s(5)
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
pub async fn open_account(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    user: UserId,
    name: &str,
    clock: &Clock,
) -> Result<AccountTerms, Problem> {
    let quotas = plan_of(db, definition, user).await?.quotas;
    let have =
        db.accounts(Whose::User(user), Page::first(u32::try_from(ACCOUNTS_MAX).unwrap_or(u32::MAX))).await?.items.len();
    if have >= ACCOUNTS_MAX {
        return Err(Problem::new(
            ProblemCode::Conflict,
            format!("You have {ACCOUNTS_MAX} accounts, which is the most. Use one of them."),
        ));
    }
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        return Err(Problem::new(ProblemCode::Invalid, "Give the account a name of 1 to 60 characters.")
            .field("name", "1 to 60 printable characters"));
    }
    let mut rules = Vec::new();
    for binding in &definition.accounts.rules {
        let rule = offered(db, definition, &binding.plugin, PluginKind::RiskRule, Channel::Stable).await?;
        asked.floor.warmer.plugin(rule.plugin.digest).await?;
        rules.push(reference(&rule, &Value::Object(binding.settings.clone())));
    }
    let terms = AccountTerms {
        id: AccountId(new_id(clock)?),
        user,
        name: name.to_owned(),
        currency: definition.accounts.currency,
        initial_balance: definition.accounts.initial_balance,
        leverage: definition.accounts.leverage,
        mode: definition.accounts.position_mode,
        margin: definition.accounts.margin,
        trades_per_day: quotas.trades_per_day,
        rules,
    };
    asked.floor.desk(db.tenant()).await?.command(Command::OpenAccount(terms.clone()), asked.asker).await?;
    Ok(terms)
}

/// Makes a person's accounts follow their plan. For whoever changes a plan, or puts somebody on another.
///
/// # Errors
/// That the desk does not answer.
pub async fn follow_plan(floor: &Floor, db: &TenantDb, definition: &Definition, user: UserId) -> Result<(), Problem> {
    let per_day = plan_of(db, definition, user).await?.quotas.trades_per_day;
    floor
        .desk(db.tenant())
        .await?
        .command(Command::LimitTrades { user, per_day }, Asker::system("change of plan"))
        .await?;
    Ok(())
}

/// Refuses what a trader's plan does not open. A feature that no plan sells is open to everybody, and who works for the
/// brand needs no plan.
///
/// # Errors
/// [`ProblemCode::PlanRefused`] with the plans that have it.
pub async fn gate(who: &SignedIn, feature: Feature) -> Result<(), Problem> {
    let definition = &who.tenant.definition;
    let sold: Vec<&Plan> = definition.sold_with(feature).collect();
    if sold.is_empty() || who.role != Role::Trader {
        return Ok(());
    }
    let plan = plan_of(who.db(), definition, who.user).await?;
    if sold.iter().any(|with| with.code == plan.code) {
        return Ok(());
    }
    let names: Vec<&str> = sold.iter().map(|plan| plan.name.as_str()).collect();
    Err(Problem::new(
        ProblemCode::PlanRefused,
        format!("The plan {} does not include {}. It comes with {}.", plan.name, feature.what(), names.join(" and ")),
    ))
}

/// The plan of a person.
pub(crate) async fn plan_of(db: &TenantDb, definition: &Definition, user: UserId) -> Result<Plan, Problem> {
    let user = db.user(user).await?;
    definition.plan(user.plan.as_deref()).cloned().ok_or_else(|| Problem::internal(&NoPlans))
}

#[derive(Debug, thiserror::Error)]
#[error("the tenant's stored definition has no plan; apply its file again")]
struct NoPlans;

/// Lets a stopped or quarantined strategy run again. One that runs is left as it is.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's, [`ProblemCode::PlanRefused`] at a limit of its owner's plan.
pub async fn start(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    whose: Whose,
    id: DeploymentId,
) -> Result<Deployment, Problem> {
    let found = db.deployment(whose, id).await?;
    let owner = db.account(Whose::Everyone, found.account).await?.terms.user;
    let plan = plan_of(db, definition, owner).await?;
    if found.status != DeploymentStatus::Running {
        meter::gate(db, &plan, owner, asked.floor.clock.now()).await?;
    }
    asked.floor.warmer.plugin(found.plugin.digest).await?;
    command(asked, db, Command::Start(id, plan.quotas), &plan).await?;
    Ok(db.deployment(Whose::Everyone, id).await?)
}

/// Sends a command that the plan limits; a refusal names the plan.
async fn command(asked: Asked<'_>, db: &TenantDb, command: Command, plan: &Plan) -> Result<Vec<Record>, Problem> {
    asked.floor.desk(db.tenant()).await?.command(command, asked.asker).await.map_err(|error| match error {
        CommandError::Refused(Refusal::TooManyStrategies { limit }) => {
            let what = if limit == 1 { "1 strategy".to_owned() } else { format!("{limit} strategies") };
            Problem::new(
                ProblemCode::PlanRefused,
                format!(
                    "The plan {} runs {what} at once, on all your accounts together. Stop one, or choose a larger plan.",
                    plan.name
                ),
            )
        }
        CommandError::Refused(Refusal::TooManyInstruments { limit }) => {
            let what = if limit == 1 { "1 instrument".to_owned() } else { format!("{limit} instruments") };
            Problem::new(
                ProblemCode::PlanRefused,
                format!(
                    "The plan {} runs strategies on {what} at once, on all your accounts together. Stop the strategies on another instrument, or choose a larger plan.",
                    plan.name
                ),
            )
        }
        other => other.into(),
    })
}

/// Deploys a strategy on an account and starts it.
///
/// # Errors
/// [`ProblemCode::NotFound`] for another's account, [`ProblemCode::Invalid`] with the settings that are wrong,
/// [`ProblemCode::PlanRefused`] at a limit of the plan.
pub async fn deploy(
    asked: Asked<'_>,
    db: &TenantDb,
    definition: &Definition,
    whose: Whose,
    wanted: NewDeployment,
    clock: &Clock,
) -> Result<Deployment, Problem> {
    let account = db.account(whose, wanted.account).await?;
    let plan = plan_of(db, definition, account.terms.user).await?;
    let strategy = offered(db, definition, &wanted.strategy, PluginKind::Strategy, wanted.channel).await?;
    let instruments = tradable(asked.floor);
    let instrument = instruments.iter().find(|i| i.symbol == wanted.symbol).ok_or_else(|| {
        Problem::new(ProblemCode::Invalid, "Choose one of the offered instruments.")
            .field("instrument", "not offered here")
    })?;
    let mine = db.deployments(Whose::Account(account.terms.id), Page::first(200)).await?.items;
    if mine.len() >= DEPLOYMENTS_MAX {
        let text = format!(
            "An account keeps at most {DEPLOYMENTS_MAX} strategies. Start one that is there instead of adding another."
        );
        return Err(Problem::new(ProblemCode::Conflict, text));
    }
    check_settings(&strategy, &wanted.settings)?;
    meter::gate(db, &plan, account.terms.user, clock.now()).await?;
    let deployment = Deployment {
        id: DeploymentId(new_id(clock)?),
        account: account.terms.id,
        plugin: reference(&strategy, &wanted.settings),
        instrument: instrument.id,
        timeframe: wanted.timeframe,
        status: DeploymentStatus::Running,
        created_at: clock.now(),
    };
    asked.floor.warmer.plugin(strategy.plugin.digest).await?;
    let records = command(asked, db, Command::Deploy(deployment.clone(), plan.quotas), &plan).await?;
    let deployed = records.into_iter().find_map(|r| if let Record::Deployed(d) = r { Some(d) } else { None });
    Ok(deployed.unwrap_or(deployment))
}

/// A plugin that this tenant offers.
pub(crate) async fn offered(
    db: &TenantDb,
    definition: &Definition,
    name: &str,
    kind: PluginKind,
    channel: Channel,
) -> Result<Plugin, Problem> {
    let plugin = db.plugin_in_channel(name, channel).await?;
    plugin.filter(|p| p.is_offered(&definition.plugins) && p.plugin.kind == kind).ok_or_else(|| {
        let what = kind.name();
        Problem::new(
            ProblemCode::Invalid,
            format!("There is no {what} named {name} here. Choose one from the catalogue."),
        )
        .field(if kind == PluginKind::Strategy { "strategy" } else { "rule" }, "not in the catalogue")
    })
}

/// Names every setting that the plugin's schema does not accept.
pub(crate) fn check_settings(plugin: &Plugin, settings: &Value) -> Result<(), Problem> {
    let mut problem = Problem::new(ProblemCode::Invalid, "Some settings are not accepted.");
    for (path, fault) in Described::read(plugin)?.faults(settings)? {
        problem = problem.field(format!("settings{path}"), fault);
    }
    if problem.errors.is_empty() { Ok(()) } else { Err(problem) }
}

fn reference(plugin: &Plugin, settings: &Value) -> PluginRef {
    PluginRef { digest: plugin.plugin.digest, name: plugin.plugin.name.clone(), settings: settings.to_string() }
}

fn new_id(clock: &Clock) -> Result<i64, Problem> {
    secrets::new_id(clock.now()).map_err(|error| Problem::internal(&error))
}
