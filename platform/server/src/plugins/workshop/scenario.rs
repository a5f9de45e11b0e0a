//! Scenarios: small files that say what must be true of a plugin.

use super::{
    market::{MarketText, Number},
    rules, story,
};
use marque_domain::plugin::{PluginKind, PluginRef};
use marque_engine::port::PluginHost;
use marque_sandbox::{Description, Plugins, Sandbox};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Scenarios of one plugin.
const SCENARIOS_MAX: usize = 200;

/// Scenarios could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The folder cannot be read.
    #[error("{} cannot be read: {source}. Scenarios lie in the folder `scenarios` of the crate", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is none.
    #[error("{} has no scenario. Write one: a file `<name>.toml` with `about`, `settings` and what is expected", .0.display())]
    None(PathBuf),
}

/// What came of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The file's name without its ending.
    pub name: String,
    /// What its author wrote about it.
    pub about: String,
    /// Why it failed, in words; empty when it passed.
    pub faults: Vec<String>,
    /// What happened, line by line.
    pub story: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioText {
    /// What is shown here, in a sentence.
    about: String,
    /// As a person would fill in the form.
    #[serde(default)]
    settings: toml::Table,
    /// For a strategy.
    market: Option<MarketText>,
    #[serde(default)]
    expect: Vec<Expected>,
    /// For a rule.
    #[serde(default)]
    account: AccountText,
    #[serde(default)]
    check: Vec<Check>,
    #[serde(default)]
    assess: Vec<Assess>,
    /// Words of the reason for which the settings must be refused.
    refused: Option<String>,
}

/// What a strategy must do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub bar: usize,
    pub what: String,
}

/// The account that a rule is asked about. What is left out is calm.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountText {
    pub initial_balance: Option<Number>,
    pub balance: Option<Number>,
    pub equity: Option<Number>,
    pub day_balance: Option<Number>,
    pub day_peak: Option<Number>,
}

/// An order, and what the rule must say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub order: OrderText,
    pub verdict: String,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderText {
    pub side: SideText,
    pub lots: Number,
    pub price: Number,
    pub stop_loss: Option<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SideText {
    Buy,
    Sell,
}

impl SideText {
    pub const fn is_buy(&self) -> bool {
        matches!(self, Self::Buy)
    }
}

/// An account's worth, and what the rule must think of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assess {
    pub balance: Option<Number>,
    pub equity: Option<Number>,
    pub standing: String,
    pub reason: Option<String>,
}

/// Runs every scenario of a folder, by name.
///
/// # Errors
/// [`ScenarioError`] when there is nothing to run; a scenario that cannot be read is a failed one.
pub fn run_all(
    folder: &Path,
    sandbox: &Arc<Sandbox>,
    description: &Description,
    component: &[u8],
) -> Result<Vec<Outcome>, ScenarioError> {
    let unreadable = |source| ScenarioError::Unreadable { path: folder.to_owned(), source };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(unreadable)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files.truncate(SCENARIOS_MAX);
    if files.is_empty() {
        return Err(ScenarioError::None(folder.to_owned()));
    }
    let bytes = component.to_vec();
    let host: Arc<dyn PluginHost> = Arc::new(Plugins::new(Arc::clone(sandbox), move |_| Some(bytes.clone())));
    Ok(files.iter().map(|file| run(file, &host, description)).collect())
}

fn run(file: &Path, host: &Arc<dyn PluginHost>, description: &Description) -> Outcome {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return failed(name, format!("It cannot be read: {error}.")),
    };
    let scenario: ScenarioText = match toml::from_str(&text) {
        Ok(scenario) => scenario,
        Err(error) => return failed(name, format!("It is not a scenario: {error}")),
    };
    let (faults, story) = match go(&scenario, host, description) {
        Ok(outcome) => outcome,
        Err(fault) => (vec![fault], Vec::new()),
    };
    Outcome { name, about: scenario.about, faults, story }
}

fn failed(name: String, fault: String) -> Outcome {
    Outcome { name, about: String::new(), faults: vec![fault], story: Vec::new() }
}

type Told = (Vec<String>, Vec<String>);

fn go(scenario: &ScenarioText, host: &Arc<dyn PluginHost>, description: &Description) -> Result<Told, String> {
    let settings = serde_json::to_string(&scenario.settings).map_err(|e| format!("Its settings are no JSON: {e}."))?;
    let plugin = PluginRef { digest: description.digest, name: description.name.clone(), settings };
    match description.kind {
        PluginKind::Strategy => {
            let market = scenario.market.as_ref().ok_or("A strategy's scenario needs [market].")?;
            let (faults, story) = story::play(Arc::clone(host), plugin, &market.minutes()?, &scenario.expect);
            Ok((refusal(scenario.refused.as_deref(), faults), story))
        }
        PluginKind::RiskRule => match host.rule(&plugin) {
            Ok(mut rule) if scenario.refused.is_none() => {
                if scenario.check.is_empty() && scenario.assess.is_empty() {
                    return Err("A rule's scenario needs [[check]] or [[assess]].".to_owned());
                }
                Ok(rules::ask(rule.as_mut(), &scenario.account, &scenario.check, &scenario.assess))
            }
            Ok(_) => Ok((refusal(scenario.refused.as_deref(), Vec::new()), Vec::new())),
            Err(fault) => {
                Ok((refusal(scenario.refused.as_deref(), vec![format!("It did not start: {fault}")]), Vec::new()))
            }
        },
    }
}

/// The faults of a scenario that may have meant to be refused.
fn refusal(wanted: Option<&str>, faults: Vec<String>) -> Vec<String> {
    let Some(wanted) = wanted else { return faults };
    let refused = faults.iter().any(|fault| fault.starts_with("It did not start") && fault.contains(wanted));
    if refused {
        Vec::new()
    } else {
        vec![format!("Its settings should be refused with \"{wanted}\". {}", faults.join(" "))]
    }
}
