//! Whether the rules that a tenant's file binds accept the settings it gives them.
//!
//! The catalogue decides, so only rules that are in it can be asked. One that is added later is asked when it is added.

use super::definition::{Definition, RuleBinding};
use super::mistake::Mistake;
use crate::{plugins::Described, problem::Problem};
use marque_domain::plugin::PluginKind;
use marque_store::{Plugin, StoreError, TenantDb};
use serde_json::Value;

/// Why rules could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The catalogue does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored of a plugin cannot be used.
    #[error("the catalogue's {name} cannot be read: {}. Add the plugin again with `marque plugin add`", problem.detail)]
    Catalogue {
        /// Which plugin.
        name: String,
        /// Why.
        problem: Box<Problem>,
    },
}

/// Every setting of the file's rules that the tenant's catalogue does not accept.
///
/// # Errors
/// [`RuleError`].
pub async fn misfits(db: &TenantDb, definition: &Definition) -> Result<Vec<Mistake>, RuleError> {
    let mut mistakes = Vec::new();
    for binding in &definition.accounts.rules {
        if let Some(plugin) = db.plugin_by_name(&binding.plugin).await? {
            mistakes.extend(faults(definition, binding, &plugin)?);
        }
    }
    Ok(mistakes)
}

fn faults(definition: &Definition, binding: &RuleBinding, plugin: &Plugin) -> Result<Vec<Mistake>, RuleError> {
    let name = &binding.plugin;
    if plugin.plugin.kind != PluginKind::RiskRule {
        let what = format!("{name} is a {}, not a rule", plugin.plugin.kind.name());
        return Ok(vec![mistake(definition, binding, what, "bind a risk rule, or remove the binding")]);
    }
    let catalogue = |problem| RuleError::Catalogue { name: name.clone(), problem: Box::new(problem) };
    let described = Described::read(plugin).map_err(catalogue)?;
    let faults = described.faults(&Value::Object(binding.settings.clone())).map_err(catalogue)?;
    let version = &plugin.plugin.version;
    let remedy = format!("GET /api/v1/plugins describes the settings of {name} {version}");
    Ok(faults
        .into_iter()
        .map(|(path, fault)| {
            let setting = path.trim_start_matches('/');
            let of = if setting.is_empty() { String::new() } else { format!(" {setting:?}") };
            mistake(definition, binding, format!("the rule {name} does not accept the setting{of}: {fault}"), &remedy)
        })
        .collect())
}

fn mistake(definition: &Definition, binding: &RuleBinding, what: String, remedy: &str) -> Mistake {
    let (file, at) = match &binding.place {
        Some((file, line, column)) => (file.clone(), Some((*line, *column))),
        // Stored earlier: the file of that name is where it is corrected.
        None => (format!("{}/tenant.toml", definition.slug).into(), None),
    };
    Mistake { file, at, what, remedy: remedy.to_owned() }
}
