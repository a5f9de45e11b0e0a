//! The tenant's catalogue of plugins: how a component gets into it and what is kept of its description.
//!
//! Owns: publishing (the sandbox inspects, then the store keeps). Refuses to know how plugins run.

pub mod registry;
pub mod signature;
pub mod workshop;

use crate::{
    clock::Clock,
    config::Config,
    problem::{Problem, ProblemCode},
    secrets::{self, Vault},
};
use marque_domain::id::PluginId;
use marque_engine::port::Hooks;
use marque_sandbox::{Description, Limits, Sandbox, Shelf};
use marque_store::{Change, NewPlugin, Plugin, Store, StoreError, TenantDb};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::{collections::BTreeSet, sync::Arc};

/// Mistakes of settings that are named at once.
const FAULTS_MAX: usize = 20;

/// Where this installation keeps what it compiled. Without it everything works and each start compiles anew.
pub fn shelf(config: &Config, vault: &Vault) -> Option<Shelf> {
    let folder = config.compiled_dir();
    let key = vault.compiled_key().inspect_err(|error| tracing::warn!(%error, "compiled plugins are not kept")).ok()?;
    let shelf = Shelf::open(&folder, &key, Limits::default().compiled);
    shelf
        .inspect_err(|error| tracing::warn!(%error, folder = %folder.display(), "compiled plugins are not kept; make the folder writable"))
        .ok()
}

/// What is kept of what a plugin says of itself, beside its name, version and kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// One sentence for people.
    pub summary: String,
    /// JSON Schema of its settings.
    pub settings_schema: Value,
    /// The market events a strategy wants.
    pub hooks: Hooks,
}

impl Described {
    fn of(description: &Description) -> Self {
        Self {
            summary: description.summary.clone(),
            settings_schema: serde_json::from_str(&description.settings_schema).unwrap_or(Value::Bool(true)),
            hooks: description.hooks,
        }
    }

    /// What is kept of a plugin of the catalogue.
    ///
    /// # Errors
    /// An internal problem when the row does not hold it.
    pub fn read(plugin: &Plugin) -> Result<Self, Problem> {
        serde_json::from_str(&plugin.plugin.description).map_err(|error| Problem::internal(&error))
    }

    /// Every setting that the plugin's schema does not accept: a JSON pointer into the settings, and what is wrong.
    ///
    /// # Errors
    /// An internal problem when the schema itself cannot be used, which the sandbox has checked.
    pub fn faults(&self, settings: &Value) -> Result<Vec<(String, String)>, Problem> {
        let schema = jsonschema::validator_for(&self.settings_schema).map_err(|error| Problem::internal(&error))?;
        let faults = schema.iter_errors(settings).take(FAULTS_MAX);
        Ok(faults.map(|error| (error.instance_path().to_string(), error.to_string())).collect())
    }

    /// The settings that the schema has: each by its name, with what it may be.
    pub fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.settings_schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    }

    /// The names of the settings that must be given.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let names = self.settings_schema.get("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether two settings say the same to this plugin: what is left out has its default, and 1.0 is 1.
    #[must_use]
    pub fn same(&self, one: &Value, other: &Value) -> bool {
        let known = |settings: &Value| settings.as_object().is_some_and(|all| all.keys().all(|name| self.knows(name)));
        let value = |settings: &Value, name: &str, field: &Value| {
            settings.get(name).or_else(|| field.get("default")).cloned().unwrap_or_default()
        };
        let equal = |(name, field): (&String, &Value)| same(&value(one, name, field), &value(other, name, field));
        known(one) && known(other) && self.fields().all(equal)
    }

    /// Whether there is a setting of this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.fields().any(|(known, _)| known == name)
    }
}

fn same(one: &Value, other: &Value) -> bool {
    let fractions = |a: &Number, b: &Number| (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64();
    matches!((one, other), (Value::Number(a), Value::Number(b)) if fractions(a, b)) || one == other
}

/// What a brand offers, by name: of each the version that a new deployment takes. `listed` is what its file names.
///
/// # Errors
/// What the store answers.
pub async fn offered(db: &TenantDb, listed: &[String]) -> Result<Vec<Plugin>, StoreError> {
    let all = db.plugins().await?;
    let names: BTreeSet<&str> = all.iter().filter(|p| p.is_offered(listed)).map(|p| p.plugin.name.as_str()).collect();
    let mut offered = Vec::with_capacity(names.len());
    for name in names {
        offered.extend(db.plugin_by_name(name).await?.filter(|p| p.is_offered(listed)));
    }
    Ok(offered)
}

/// Inspects a component in the sandbox and puts it into a tenant's catalogue. The same component twice
/// changes nothing; another one under the same name takes its place for new deployments.
///
/// # Errors
/// [`ProblemCode::Invalid`] with what the sandbox found and how to mend it; or that the store does not answer.
pub async fn publish(
    store: &Store,
    db: &TenantDb,
    sandbox: &Arc<Sandbox>,
    component: Vec<u8>,
    clock: &Clock,
) -> Result<(Description, Change), Problem> {
    let (inspector, component) = (Arc::clone(sandbox), Arc::new(component));
    let bytes = Arc::clone(&component);
    let inspected = tokio::task::spawn_blocking(move || inspector.inspect(&bytes))
        .await
        .map_err(|error| Problem::internal(&error))?;
    let description = inspected.map_err(|refused| Problem::new(ProblemCode::Invalid, refused.to_string()))?;
    let now = clock.now();
    let plugin = NewPlugin {
        id: PluginId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
        name: description.name.clone(),
        version: description.version.clone(),
        kind: description.kind,
        digest: description.digest,
        size: u64::try_from(component.len()).unwrap_or(u64::MAX),
        description: serde_json::to_string(&Described::of(&description)).map_err(|error| Problem::internal(&error))?,
    };
    store.system("store a plugin's component").put_artifact(description.digest, &component).await?;
    let change = db.add_plugin(&plugin, now).await?;
    Ok((description, change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_say_the_same_whatever_a_form_makes_of_them() {
        let schema = json!({"type": "object", "required": ["lots"], "properties": {
            "lots": {"type": "number"}, "both": {"type": "boolean", "default": true}, "exit": {"type": "string"}}});
        let described = Described { summary: String::new(), settings_schema: schema, hooks: Hooks::default() };
        for (one, other, same) in [
            (json!({"lots": 1}), json!({"lots": 1.0}), true),
            (json!({"lots": 1}), json!({"lots": 1.0, "both": true}), true),
            (json!({"lots": 1}), json!({"lots": 1, "both": false}), false),
            (json!({"lots": 1}), json!({"lots": 2}), false),
            (json!({"lots": 1}), json!({"lots": "1"}), false),
            (json!({"lots": 1}), json!({"lots": 1, "exit": "cross"}), false),
            (json!({"lots": 1, "gone": 2}), json!({"lots": 1}), false),
            (json!(null), json!({}), false),
        ] {
            assert_eq!(described.same(&one, &other), same, "{one} {other}");
            assert_eq!(described.same(&other, &one), same, "{other} {one}");
        }
        assert_eq!(described.required().collect::<Vec<_>>(), ["lots"]);
    }
}
