//! What is answered, field by field, in the order of `ea/protocol.md`.

use super::{
    Asked,
    ask::{Ask, Operation},
    flat::{Ordered, Value},
    known::{Known, generation_of},
};
use marque_domain::{
    licence::{Notice, Refusal, Terms, Verdict},
    time::{Millis, SECOND_MS},
};
use marque_store::Seat;

/// Settings ride on an answer up to this size.
const SETTINGS_BYTES_MAX: usize = 4_096;

/// An answer with its signature.
pub(super) struct Signed {
    /// `Marque-Signature`.
    pub header: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
}

/// An answer before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<'a>(Ordered<'a>);

fn seconds(at: Millis) -> i64 {
    at.0.div_euclid(SECOND_MS)
}

fn begin<'a>(
    operation: Operation,
    ask: &'a Ask<'_>,
    valid: bool,
    code: &'static str,
    message: impl Into<Value<'a>>,
    now: Millis,
) -> Ordered<'a> {
    let mut fields = Ordered::default();
    fields.put("protocol", 1);
    fields.put("operation", operation.name());
    fields.put("valid", valid);
    fields.put("code", code);
    fields.put("message", message);
    fields.put("nonce", ask.nonce);
    fields.put("server_time", seconds(now));
    fields.put("key_id", ask.key_id);
    fields.put("product", ask.product);
    fields.put("account", ask.account);
    fields.put("machine", ask.machine);
    fields
}

/// That it may not trade, where nothing is known of the licence.
pub(super) fn refusal<'a>(operation: Operation, ask: &'a Ask<'_>, refusal: &Refusal, now: Millis) -> Answer<'a> {
    let mut fields = begin(operation, ask, false, refusal.code(), refusal.to_string(), now);
    facts(&mut fields, refusal);
    Answer(fields)
}

/// What was decided.
pub(super) fn of<'a>(asked: &Asked<'a>, known: &Known, verdict: &Verdict, now: Millis) -> Answer<'a> {
    let (operation, ask) = (asked.operation, asked.ask);
    match verdict {
        Verdict::Refused(refused) => {
            let mut answer = refusal(operation, ask, refused, now);
            if let Some(seat) = ask.activation.filter(|seat| known.seat(*seat).is_some()) {
                answer.0.put("activation", seat.to_string());
            }
            answer
        }
        Verdict::Valid { seat, terms, notices, .. } => {
            let mut fields = begin(operation, ask, true, "VALID", "The licence is valid.", now);
            if let Some(seat) = seat {
                fields.put("activation", seat.to_string());
            }
            put_terms(&mut fields, known, ask, terms, notices, now);
            Answer(fields)
        }
    }
}

fn put_terms(fields: &mut Ordered<'_>, known: &Known, ask: &Ask<'_>, terms: &Terms, notices: &[Notice], now: Millis) {
    // The lease is never over before the second in which it is given.
    let lease = seconds(terms.lease_until).max(seconds(now));
    fields.put("lease_until", lease);
    fields.put("grace_until", seconds(terms.grace_until).max(lease));
    fields.put("expires_at", terms.expires_at.map_or(0, seconds));
    fields.put("heartbeat_s", i64::from(known.heartbeat_s));
    fields.put("latest_version", known.latest.unwrap_or(ask.version).to_string());
    fields.put("notice", notices.iter().map(|notice| notice.name()).collect::<Vec<_>>().join(","));
}

/// What a refusal says besides its code.
fn facts(fields: &mut Ordered<'_>, refusal: &Refusal) {
    match refusal {
        Refusal::Expired { at } => fields.put("expires_at", seconds(*at)),
        Refusal::VersionTooOld { minimum } => fields.put("minimum_version", minimum.to_string()),
        Refusal::VersionYanked { latest: Some(latest) } => fields.put("latest_version", latest.to_string()),
        Refusal::BindingMismatch { mismatched } => {
            let names: Vec<String> = mismatched.iter().map(ToString::to_string).collect();
            fields.put("mismatched", names.join(","));
        }
        Refusal::TooManyMachines { max } => fields.put("machines_max", i64::from(*max)),
        Refusal::TooManyAccounts { max } => fields.put("accounts_max", i64::from(*max)),
        Refusal::TransferCooldown { retry_at } => fields.put("retry_at", seconds(*retry_at)),
        _ => {}
    }
}

impl<'a> Answer<'a> {
    /// What the activation's key is derived from.
    pub fn key(&mut self, known: &'a Known, seat: &Seat) {
        let generation = generation_of(seat);
        if let Some(salt) = known.salt(seat.id, generation) {
            self.0.put("generation", seat.generation);
            self.0.put("salt", salt);
        }
    }

    /// The key that takes the present one's place, if there is one.
    pub fn next_key(&mut self, known: &'a Known, seat: &Seat) {
        let pending = known.pending(seat).and_then(|next| Some((next, known.salt(seat.id, next)?)));
        if let Some((next, salt)) = pending {
            self.0.put("next_generation", i64::try_from(next).unwrap_or(0));
            self.0.put("next_salt", salt);
        }
    }

    /// What the server has of a seat's reports.
    pub fn totals(&mut self, seat: &Seat) {
        self.0.put("sequence", seat.usage.sequence);
        self.0.put("orders", seat.usage.orders);
        self.0.put("lots", seat.usage.lots.to_string());
        self.0.put("runtime_s", seat.usage.runtime_s);
    }

    /// The settings: with `always` whatever version the EA has, else when it has another and they fit.
    pub fn settings(&mut self, known: &'a Known, ask: &Ask<'_>, always: bool) {
        let config = &known.config;
        self.0.put("config_version", config.version);
        if !always && ask.config_version == config.version {
            return;
        }
        let mut riding = Ordered::default();
        riding.put("config_included", true);
        riding.put("config_schema", config.schema.max(1));
        for (name, value) in &config.settings {
            riding.put(format!("set.{name}"), value.clone());
        }
        if always || riding.to_bytes().len() <= SETTINGS_BYTES_MAX {
            self.0.extend(riding);
        }
    }

    /// As it is sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}
