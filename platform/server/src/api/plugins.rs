//! The strategies and rules that a brand offers.

use super::{Tag, caller::Caller, refused::Refused};
use crate::{
    identity::Operation,
    plugins::{self, Described},
    problem::Problem,
};
use marque_domain::plugin::PluginKind;
use marque_store::Plugin;
use poem_openapi::{Enum, Object, OpenApi, payload::Json, types::Any};
use serde_json::Value;

pub(super) struct Plugins;

/// What a plugin does.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Kind {
    /// Turns market events into intents.
    Strategy,
    /// Allows, shrinks or refuses orders, and watches accounts.
    RiskRule,
}

/// A plugin of the catalogue.
#[derive(Object)]
#[oai(rename = "Plugin")]
struct PluginEntry {
    /// Its name, such as `ema-cross`: what a deployment names.
    name: String,
    /// Its version, such as `1.0.0`.
    version: String,
    /// What it does.
    kind: Kind,
    /// The SHA-256 of its component, in hexadecimal digits.
    digest: String,
    /// One sentence for people.
    summary: String,
    /// JSON Schema of its settings.
    settings_schema: Any<Value>,
}

/// The catalogue.
#[derive(Object)]
struct Catalogue {
    /// All that is offered, by name.
    items: Vec<PluginEntry>,
}

fn entry(plugin: &Plugin) -> Result<PluginEntry, Problem> {
    let described = Described::read(plugin)?;
    Ok(PluginEntry {
        name: plugin.plugin.name.clone(),
        version: plugin.plugin.version.clone(),
        kind: match plugin.plugin.kind {
            PluginKind::Strategy => Kind::Strategy,
            PluginKind::RiskRule => Kind::RiskRule,
        },
        digest: plugin.plugin.digest.to_string(),
        summary: described.summary,
        settings_schema: Any(described.settings_schema),
    })
}

#[OpenApi(tag = "Tag::Plugins")]
impl Plugins {
    /// List plugins
    ///
    /// The strategies and risk rules that this brand offers, each in its newest version, with the schema of its settings.
    #[oai(path = "/plugins", method = "get", operation_id = "list_plugins")]
    async fn list_plugins(&self, caller: Caller) -> Result<Json<Catalogue>, Refused> {
        caller.who.may(Operation::ListPlugins)?;
        let offered = &caller.tenant().definition.plugins;
        let plugins = plugins::offered(caller.db(), offered).await?;
        let items = plugins.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Json(Catalogue { items }))
    }
}
