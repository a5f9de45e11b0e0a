//! Products and their versions.

use super::{
    CHANGELOG_CHARS_MAX, LINE_CHARS_MAX, NAME_CHARS_MAX, line,
    settings::{SETTINGS_MAX, is_name},
    wrong,
};
use crate::{
    audit::Act,
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    secrets::new_id,
};
use marque_domain::{
    id::{EaVersionId, ProductId},
    plugin::Channel,
    time::Millis,
};
use marque_store::{EaProduct, EaVersion, StoreError, TenantDb};
use serde_json::{Value, json};

/// Bytes of a form of settings.
const SCHEMA_BYTES_MAX: usize = 16_384;

/// A product to be added.
#[derive(Debug, Clone)]
pub struct NewProduct {
    /// What the EA calls itself: 1–40 of `a-z0-9-`.
    pub code: String,
    /// What people read.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Codes of the plans that grant it; none: every plan does.
    pub plans: Vec<String>,
    /// JSON Schema of its settings; none when it has no settings.
    pub settings_schema: Option<Value>,
}

/// What of a product is to be changed. What is left out stays.
#[derive(Debug, Clone, Default)]
pub struct ProductChange {
    /// What people read.
    pub name: Option<String>,
    /// One sentence.
    pub summary: Option<String>,
    /// Codes of the plans that grant it.
    pub plans: Option<Vec<String>>,
    /// JSON Schema of its settings: a new form.
    pub settings_schema: Option<Value>,
}

/// A version to be added.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Its number.
    pub version: String,
    /// Through which it is offered.
    pub channel: Channel,
    /// What changed.
    pub changelog: String,
}

/// A form of settings, if EAs can have it: a flat object whose settings have short plain names.
fn schema_of(schema: Option<&Value>) -> Result<String, Problem> {
    let empty = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let schema = schema.unwrap_or(&empty);
    let scalar = |property: &Value| {
        let kind = property.get("type").and_then(Value::as_str).unwrap_or_default();
        ["string", "number", "integer", "boolean"].contains(&kind)
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let good = schema.get("type") == Some(&json!("object"))
        && properties.is_some_and(|all| {
            all.len() <= SETTINGS_MAX && all.keys().all(|name| is_name(name)) && all.values().all(scalar)
        })
        && jsonschema::validator_for(schema).is_ok();
    let text = schema.to_string();
    if good && text.len() <= SCHEMA_BYTES_MAX {
        return Ok(text);
    }
    let detail = format!(
        "a JSON Schema of an object with up to {SETTINGS_MAX} properties, each a string, number, integer or boolean, with names of a-z, 0-9 and _"
    );
    Err(wrong("settings_schema", detail))
}

fn plans_of(who: &SignedIn, plans: Vec<String>) -> Result<Vec<String>, Problem> {
    let known = &who.tenant.definition.plans;
    match plans.iter().find(|code| known.iter().all(|plan| plan.code != **code)) {
        None => Ok(plans),
        Some(code) => {
            let all: Vec<&str> = known.iter().map(|plan| plan.code.as_str()).collect();
            Err(wrong("plans", format!("there is no plan {code:?}; choose from {}", all.join(", "))))
        }
    }
}

/// Adds a product without asking who wants it.
pub(crate) async fn put_product(db: &TenantDb, new: NewProduct, now: Millis) -> Result<EaProduct, Problem> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=40).contains(&new.code.len()) || !new.code.bytes().all(good) {
        return Err(wrong("code", "1 to 40 of a-z, 0-9 and -, as the EA's source says it"));
    }
    let product = EaProduct {
        id: ProductId(new_id(now)?),
        code: new.code,
        name: line("name", &new.name, 1, NAME_CHARS_MAX)?,
        summary: line("summary", &new.summary, 0, LINE_CHARS_MAX)?,
        plans: new.plans,
        settings_schema: schema_of(new.settings_schema.as_ref())?,
        schema_version: 1,
        created_at: now,
    };
    match db.add_ea_product(&product).await {
        Ok(()) => Ok(product),
        Err(StoreError::Conflict(_)) => Err(Problem::new(
            ProblemCode::Conflict,
            "There is a product with this code, or there are as many as may be.",
        )),
        Err(other) => Err(other.into()),
    }
}

/// Adds a product.
///
/// # Errors
/// [`ProblemCode::Invalid`], [`ProblemCode::Conflict`] when its code is taken.
pub async fn add_product(who: &SignedIn, mut new: NewProduct, now: Millis) -> Result<EaProduct, Problem> {
    who.may(Operation::ManageEas)?;
    new.plans = plans_of(who, new.plans)?;
    let product = put_product(who.db(), new, now).await?;
    who.audit(Act::EaProductAdded, product.id.to_string(), json!({ "code": product.code })).await?;
    Ok(product)
}

/// Changes a product. Another form of settings counts its number on.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Invalid`].
pub async fn change_product(who: &SignedIn, id: ProductId, change: ProductChange) -> Result<EaProduct, Problem> {
    who.may(Operation::ManageEas)?;
    let mut product = who.db().ea_product(id).await?;
    if let Some(name) = change.name {
        product.name = line("name", &name, 1, NAME_CHARS_MAX)?;
    }
    if let Some(summary) = change.summary {
        product.summary = line("summary", &summary, 0, LINE_CHARS_MAX)?;
    }
    if let Some(plans) = change.plans {
        product.plans = plans_of(who, plans)?;
    }
    if let Some(schema) = change.settings_schema {
        let schema = schema_of(Some(&schema))?;
        product.schema_version += i64::from(schema != product.settings_schema);
        product.settings_schema = schema;
    }
    who.db().change_ea_product(&product).await?;
    let details = json!({ "code": product.code, "plans": product.plans, "form": product.schema_version });
    who.audit(Act::EaProductChanged, product.id.to_string(), details).await?;
    Ok(product)
}

/// Adds a version without asking who wants it.
pub(crate) async fn put_version(
    db: &TenantDb,
    product: ProductId,
    new: NewVersion,
    now: Millis,
) -> Result<EaVersion, Problem> {
    if new.changelog.chars().count() > CHANGELOG_CHARS_MAX {
        return Err(wrong("changelog", format!("at most {CHANGELOG_CHARS_MAX} characters")));
    }
    let version = EaVersion {
        id: EaVersionId(new_id(now)?),
        product,
        version: new.version.parse().map_err(|_| wrong("version", "one to three numbers with points, such as 1.20"))?,
        channel: new.channel,
        changelog: new.changelog,
        created_at: now,
        yanked_at: None,
        yank_reason: String::new(),
    };
    match db.add_ea_version(&version).await {
        Ok(()) => Ok(version),
        Err(StoreError::Conflict(_)) => {
            Err(Problem::new(ProblemCode::Conflict, "There is such a version, or there are as many as may be."))
        }
        Err(other) => Err(other.into()),
    }
}

/// Adds a version of a product.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Invalid`], [`ProblemCode::Conflict`] when there is such a version.
pub async fn add_version(
    who: &SignedIn,
    product: ProductId,
    new: NewVersion,
    now: Millis,
) -> Result<EaVersion, Problem> {
    who.may(Operation::ManageEas)?;
    let product = who.db().ea_product(product).await?;
    let version = put_version(who.db(), product.id, new, now).await?;
    let details = json!({ "code": product.code, "version": version.version.to_string() });
    who.audit(Act::EaVersionAdded, version.id.to_string(), details).await?;
    Ok(version)
}

/// Withdraws a version: EAs of it open no more trades, and are told what to take instead.
///
/// # Errors
/// [`ProblemCode::NotFound`], [`ProblemCode::Conflict`] when it is withdrawn already.
pub async fn yank_version(who: &SignedIn, id: EaVersionId, why: &str, now: Millis) -> Result<EaVersion, Problem> {
    who.may(Operation::ManageEas)?;
    let why = line("reason", why, 1, LINE_CHARS_MAX)?;
    let yanked = match who.db().yank_ea_version(id, &why, now).await {
        Err(StoreError::Conflict(_)) => {
            return Err(Problem::new(ProblemCode::Conflict, "It is withdrawn already."));
        }
        other => other?,
    };
    let details = json!({ "version": yanked.version.to_string(), "reason": why });
    who.audit(Act::EaVersionYanked, id.to_string(), details).await?;
    Ok(yanked)
}
