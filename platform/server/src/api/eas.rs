//! Expert Advisors that the brand offers, and their versions.

use super::{Tag, caller::Caller, idempotency::once, refused::Refused, releases::Channel, text::Text};
use crate::{
    identity::Operation,
    licensing::manage::{self, NewProduct, NewVersion, ProductChange},
    problem::Problem,
};
use marque_domain::plugin;
use marque_store::{EaProduct, EaVersion};
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};

pub(super) struct Eas;

/// An Expert Advisor that the brand offers.
#[derive(Object)]
#[oai(rename = "EaProduct")]
struct ProductEntry {
    /// Its id.
    id: String,
    /// What the EA calls itself when it asks.
    code: String,
    /// What people read.
    name: String,
    /// One sentence about it.
    summary: String,
    /// Codes of the plans that grant it; none: every plan does.
    plans: Vec<String>,
    /// JSON Schema of its settings.
    settings_schema: Any<Value>,
    /// The number of that form.
    schema_version: i64,
    /// When it was added.
    created_at: String,
}

impl From<EaProduct> for ProductEntry {
    fn from(product: EaProduct) -> Self {
        Self {
            id: product.id.to_string(),
            code: product.code,
            name: product.name,
            summary: product.summary,
            plans: product.plans,
            settings_schema: Any(serde_json::from_str(&product.settings_schema).unwrap_or_default()),
            schema_version: product.schema_version,
            created_at: product.created_at.to_rfc3339(),
        }
    }
}

/// Products.
#[derive(Object)]
#[oai(rename = "EaProducts")]
struct ProductList {
    /// The oldest first, at most 200.
    items: Vec<ProductEntry>,
}

/// A product to be added.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewEaProduct")]
struct ProductBody {
    /// What the EA calls itself: 1 to 40 of `a-z`, `0-9` and `-`. It stays.
    code: Text,
    /// What people read.
    name: Text,
    /// One sentence about it.
    #[oai(skip_serializing_if_is_none)]
    summary: Option<Text>,
    /// Codes of the plans that grant it; none: every plan does.
    #[oai(skip_serializing_if_is_none)]
    plans: Option<Vec<Text>>,
    /// JSON Schema of its settings: a flat object.
    #[oai(skip_serializing_if_is_none)]
    settings_schema: Option<Any<Value>>,
}

impl Example for ProductBody {
    fn example() -> Self {
        Self {
            code: "gold-rush".into(),
            name: "Gold Rush".into(),
            summary: Some("Buys gold when it rises.".into()),
            plans: None,
            settings_schema: Some(Any(json!({ "type": "object", "properties": { "lots": { "type": "number" } } }))),
        }
    }
}

/// What of a product is to be changed; what is left out stays.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "EaProductChange")]
struct ProductChangeBody {
    /// What people read.
    #[oai(skip_serializing_if_is_none)]
    name: Option<Text>,
    /// One sentence about it.
    #[oai(skip_serializing_if_is_none)]
    summary: Option<Text>,
    /// Codes of the plans that grant it; an empty list: every plan does.
    #[oai(skip_serializing_if_is_none)]
    plans: Option<Vec<Text>>,
    /// JSON Schema of its settings: another form.
    #[oai(skip_serializing_if_is_none)]
    settings_schema: Option<Any<Value>>,
}

impl Example for ProductChangeBody {
    fn example() -> Self {
        Self { name: Some("Gold Rush 2".into()), summary: None, plans: None, settings_schema: None }
    }
}

/// A version of an Expert Advisor.
#[derive(Object)]
#[oai(rename = "EaVersion", skip_serializing_if_is_none)]
struct VersionEntry {
    /// Its id.
    id: String,
    /// Of which product.
    product: String,
    /// Its number.
    version: String,
    /// Through which it is offered.
    channel: Channel,
    /// What changed.
    changelog: String,
    /// When it was added.
    created_at: String,
    /// When it was withdrawn.
    yanked_at: Option<String>,
    /// Why.
    yank_reason: Option<String>,
}

impl From<EaVersion> for VersionEntry {
    fn from(version: EaVersion) -> Self {
        Self {
            id: version.id.to_string(),
            product: version.product.to_string(),
            version: version.version.to_string(),
            channel: match version.channel {
                plugin::Channel::Stable => Channel::Stable,
                plugin::Channel::Beta => Channel::Beta,
            },
            changelog: version.changelog,
            created_at: version.created_at.to_rfc3339(),
            yanked_at: version.yanked_at.map(|at| at.to_rfc3339()),
            yank_reason: Some(version.yank_reason).filter(|reason| !reason.is_empty()),
        }
    }
}

/// Versions.
#[derive(Object)]
#[oai(rename = "EaVersions")]
struct VersionList {
    /// The newest first, at most 200.
    items: Vec<VersionEntry>,
}

/// A version to be added.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewEaVersion")]
struct VersionBody {
    /// One to three numbers with points.
    version: Text,
    /// Through which it shall be offered.
    channel: Channel,
    /// What changed.
    #[oai(skip_serializing_if_is_none)]
    changelog: Option<Text>,
}

impl Example for VersionBody {
    fn example() -> Self {
        Self { version: "1.20".into(), channel: Channel::Stable, changelog: Some("A closer stop.".into()) }
    }
}

/// Why a version is withdrawn.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "EaYank")]
struct YankBody {
    /// On one line of at most 500 characters.
    reason: Text,
}

impl Example for YankBody {
    fn example() -> Self {
        Self { reason: "It counts lots wrongly".into() }
    }
}

/// An id of a path.
pub(super) fn id_of<T: core::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

fn texts(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.0).collect()
}

#[OpenApi(tag = "Tag::Licences")]
impl Eas {
    /// List Expert Advisors
    #[oai(path = "/eas", method = "get", operation_id = "list_eas")]
    async fn list_eas(&self, caller: Caller) -> Result<Json<ProductList>, Refused> {
        caller.who.may(Operation::ListEas)?;
        let items = caller.db().ea_products().await?.into_iter().map(ProductEntry::from).collect();
        Ok(Json(ProductList { items }))
    }

    /// Add an Expert Advisor
    #[oai(path = "/eas", method = "post", operation_id = "add_ea", transform = "once")]
    async fn add_ea(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<ProductBody>,
    ) -> Result<Json<ProductEntry>, Refused> {
        let body = wanted.0;
        let new = NewProduct {
            code: body.code.0,
            name: body.name.0,
            summary: body.summary.map(|text| text.0).unwrap_or_default(),
            plans: body.plans.map(texts).unwrap_or_default(),
            settings_schema: body.settings_schema.map(|schema| schema.0),
        };
        Ok(Json(manage::add_product(&caller.who, new, caller.app.0.clock.now()).await?.into()))
    }

    /// Change an Expert Advisor
    #[oai(path = "/eas/:ea", method = "post", operation_id = "change_ea", transform = "once")]
    async fn change_ea(
        &self,
        caller: Caller,
        /// The product's id.
        ea: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<ProductChangeBody>,
    ) -> Result<Json<ProductEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let body = wanted.0;
        let change = ProductChange {
            name: body.name.map(|text| text.0),
            summary: body.summary.map(|text| text.0),
            plans: body.plans.map(texts),
            settings_schema: body.settings_schema.map(|schema| schema.0),
        };
        Ok(Json(manage::change_product(&caller.who, id_of(&ea.0)?, change).await?.into()))
    }

    /// List an Expert Advisor's versions
    #[oai(path = "/eas/:ea/versions", method = "get", operation_id = "list_ea_versions")]
    async fn list_ea_versions(
        &self,
        caller: Caller,
        /// The product's id.
        ea: Path<String>,
    ) -> Result<Json<VersionList>, Refused> {
        caller.who.may(Operation::ListEas)?;
        let product = caller.db().ea_product(id_of(&ea.0)?).await?;
        let items = caller.db().ea_versions(product.id).await?.into_iter().map(VersionEntry::from).collect();
        Ok(Json(VersionList { items }))
    }

    /// Add a version
    #[oai(path = "/eas/:ea/versions", method = "post", operation_id = "add_ea_version", transform = "once")]
    async fn add_ea_version(
        &self,
        caller: Caller,
        /// The product's id.
        ea: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<VersionBody>,
    ) -> Result<Json<VersionEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let body = wanted.0;
        let changelog = body.changelog.map(|text| text.0).unwrap_or_default();
        let new = NewVersion { version: body.version.0, channel: body.channel.into(), changelog };
        Ok(Json(manage::add_version(&caller.who, id_of(&ea.0)?, new, caller.app.0.clock.now()).await?.into()))
    }

    /// Withdraw a version
    ///
    /// EAs of this version open no more trades, and are told what to take instead.
    #[oai(
        path = "/ea-versions/:ea_version/yank",
        method = "post",
        operation_id = "yank_ea_version",
        transform = "once"
    )]
    async fn yank_ea_version(
        &self,
        caller: Caller,
        /// The version's id.
        ea_version: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        why: Json<YankBody>,
    ) -> Result<Json<VersionEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let (id, now) = (id_of(&ea_version.0)?, caller.app.0.clock.now());
        Ok(Json(manage::yank_version(&caller.who, id, &why.0.reason.0, now).await?.into()))
    }
}
