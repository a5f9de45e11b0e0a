//! Where licences run: seats, keys, settings.

use super::{
    Tag,
    caller::{Caller, invalid},
    eas::id_of,
    idempotency::once,
    refused::Refused,
};
use crate::{
    identity::{Identity, Operation},
    licensing::manage,
};
use marque_domain::{id::LicenceId, time::Millis};
use marque_store::Seat;
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Header, Path},
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};

pub(super) struct Activations;

/// A licence's key.
#[derive(Object)]
#[oai(rename = "LicenceKey")]
struct KeyEntry {
    /// As it is typed into the EA.
    key: String,
}

/// A seat: the account and computer that have taken one.
#[derive(Object)]
#[oai(rename = "LicenceActivation", skip_serializing_if_is_none)]
struct SeatEntry {
    /// Its id.
    id: String,
    /// The trading account's number.
    account: String,
    /// The broker's server.
    server: String,
    /// The computer's fingerprint.
    machine: String,
    /// `demo`, `contest` or `live`.
    kind: String,
    /// `mt4`, `mt5` or `other`.
    platform: String,
    /// The EA's version.
    version: String,
    /// From where it was last heard.
    address: String,
    /// When it was last taken.
    taken_at: String,
    /// When it was last taken or held by a heartbeat.
    seen_at: String,
    /// When it was given back.
    released_at: Option<String>,
    /// When it was given to another because it was not heard from.
    lapsed_at: Option<String>,
    /// Orders that it reported.
    orders: i64,
    /// Lots of those orders.
    lots: String,
    /// Seconds in which it was allowed to trade.
    runtime_s: i64,
}

impl From<Seat> for SeatEntry {
    fn from(seat: Seat) -> Self {
        let text = |at: Option<Millis>| at.map(|at| at.to_rfc3339());
        Self {
            id: seat.id.to_string(),
            account: seat.account,
            server: seat.server,
            machine: seat.machine,
            kind: seat.kind,
            platform: seat.platform,
            version: seat.version,
            address: seat.address,
            taken_at: seat.taken_at.to_rfc3339(),
            seen_at: seat.seen_at.to_rfc3339(),
            released_at: text(seat.released_at),
            lapsed_at: text(seat.lapsed_at),
            orders: seat.usage.orders,
            lots: seat.usage.lots.to_string(),
            runtime_s: seat.usage.runtime_s,
        }
    }
}

/// Seats.
#[derive(Object)]
#[oai(rename = "LicenceActivations")]
struct SeatList {
    /// The oldest first, at most 500.
    items: Vec<SeatEntry>,
}

/// The settings of a licence's EA.
#[derive(Object)]
#[oai(rename = "EaSettings")]
struct SettingsEntry {
    /// Grows with each change; 0 before the first.
    version: i64,
    /// JSON Schema of what may be set.
    schema: Any<Value>,
    /// What is set.
    settings: Any<Value>,
}

/// Settings to be kept.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewEaSettings")]
struct SettingsBody {
    /// A flat object that fits the product's form.
    settings: Any<Value>,
}

impl Example for SettingsBody {
    fn example() -> Self {
        Self { settings: Any(json!({ "lots": 0.1 })) }
    }
}

#[OpenApi(tag = "Tag::Licences")]
impl Activations {
    /// Look at a licence's key
    ///
    /// Of one's own licence. That it was looked at is recorded.
    #[oai(path = "/licences/:licence/key", method = "get", operation_id = "get_licence_key")]
    async fn get_licence_key(
        &self,
        caller: Caller,
        identity: Data<&Identity>,
        /// The licence's id.
        licence: Path<String>,
    ) -> Result<Json<KeyEntry>, Refused> {
        caller.who.may(Operation::ShowLicenceKey)?;
        let key = manage::key_shown(&caller.who, identity.0.vault(), id_of(&licence.0)?).await?;
        Ok(Json(KeyEntry { key }))
    }

    /// List a licence's activations
    #[oai(path = "/licences/:licence/activations", method = "get", operation_id = "list_activations")]
    async fn list_activations(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
    ) -> Result<Json<SeatList>, Refused> {
        let whose = caller.who.may(Operation::ReadLicences)?;
        let licence = caller.db().licence(whose, id_of(&licence.0)?).await?;
        let items = caller.db().seats(licence.id).await?.into_iter().map(SeatEntry::from).collect();
        Ok(Json(SeatList { items }))
    }

    /// Release an activation
    ///
    /// Another computer or account may have the seat at once. The EA that had it stops, and does not take it again by itself.
    #[oai(
        path = "/licences/:licence/activations/:activation/release",
        method = "post",
        operation_id = "release_activation",
        transform = "once"
    )]
    async fn release_activation(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// The activation's id.
        activation: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<SeatEntry>, Refused> {
        caller.who.may(Operation::ReleaseSeat)?;
        let (licence, activation): (LicenceId, _) = (id_of(&licence.0)?, id_of(&activation.0)?);
        Ok(Json(manage::release_seat(&caller.who, licence, activation, caller.app.0.clock.now()).await?.into()))
    }

    /// Look at an EA's settings
    #[oai(path = "/licences/:licence/settings", method = "get", operation_id = "get_ea_settings")]
    async fn get_ea_settings(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
    ) -> Result<Json<SettingsEntry>, Refused> {
        let (schema, _, settings) = manage::settings_of(&caller.who, id_of(&licence.0)?).await?;
        let version = settings.as_ref().map_or(0, |settings| settings.version);
        let set = settings.and_then(|settings| serde_json::from_str(&settings.settings).ok());
        Ok(Json(SettingsEntry { version, schema: Any(schema), settings: Any(set.unwrap_or_else(|| json!({}))) }))
    }

    /// Set an EA's settings
    ///
    /// The EA has them with its next answer.
    #[oai(path = "/licences/:licence/settings", method = "post", operation_id = "set_ea_settings", transform = "once")]
    async fn set_ea_settings(
        &self,
        caller: Caller,
        /// The licence's id.
        licence: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<SettingsBody>,
    ) -> Result<Json<SettingsEntry>, Refused> {
        caller.who.may(Operation::SetUpEa)?;
        let id: LicenceId = id_of(&licence.0)?;
        let Value::Object(settings) = wanted.0.settings.0 else {
            return Err(invalid("/settings", "must be an object").into());
        };
        let version = manage::settings_set(&caller.who, id, &settings, caller.app.0.clock.now()).await?;
        let (schema, ..) = manage::settings_of(&caller.who, id).await?;
        Ok(Json(SettingsEntry { version, schema: Any(schema), settings: Any(Value::Object(settings)) }))
    }
}
