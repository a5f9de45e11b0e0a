//! What an EA says of itself and asks for: the fields of a request, checked.

use super::{
    fields::{self as f, NumberField, TextField},
    flat::{Fields, Value},
    mac::of_hex,
};
use crate::problem::{Problem, ProblemCode};
use marque_domain::{
    fixed::Lots,
    id::ActivationId,
    licence::{self, Kind, Version},
};
use marque_store::Usage;
use poem::http::Method;

const BOTH: &[Method] = &[Method::GET, Method::POST];
const POST: &[Method] = &[Method::POST];

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Validate,
    Activate,
    Deactivate,
    Heartbeat,
    Config,
    Usage,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Activate, Self::Validate, Self::Heartbeat, Self::Usage, Self::Config, Self::Deactivate];

    /// Its name in addresses and signatures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Heartbeat => "heartbeat",
            Self::Config => "config",
            Self::Usage => "usage",
        }
    }

    /// How it may be asked.
    pub const fn methods(self) -> &'static [Method] {
        match self {
            Self::Validate | Self::Config => BOTH,
            Self::Activate | Self::Deactivate | Self::Heartbeat | Self::Usage => POST,
        }
    }

    /// Whether it brings a report.
    pub const fn reports(self) -> bool {
        matches!(self, Self::Heartbeat | Self::Usage)
    }
}

/// The fields of a request, as they stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask<'a> {
    /// Which licence, as it was written and as bytes.
    pub key_id: &'a str,
    pub key: [u8; 16],
    pub product: &'a str,
    pub version: Version,
    pub nonce: &'a str,
    pub account: &'a str,
    pub server: &'a str,
    pub kind: Kind,
    pub kind_name: &'a str,
    pub machine: &'a str,
    pub platform: &'a str,
    pub activation: Option<ActivationId>,
    /// What stands in `activation`, if anything does.
    pub names_activation: bool,
    /// The settings it has.
    pub config_version: i64,
    /// Whether the answer shall be signed by the tenant.
    pub ed25519: bool,
    /// Public keys of the tenant of which one shall sign then; none when it does not matter.
    pub signers: Vec<[u8; 32]>,
    pub usage: Option<Usage>,
}

impl<'a> Ask<'a> {
    /// What the domain is asked for anything but an activation.
    pub fn of_seat(&self) -> licence::Ask {
        self.activation.map_or(licence::Ask::Nothing, licence::Ask::Seat)
    }

    /// Reads the fields of a request.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] names every field that is wrong.
    pub fn read(operation: Operation, fields: &'a Fields<'a>) -> Result<Self, Problem> {
        let mut reader = Reader { fields, problem: None };
        let key_id = reader.text(&f::KEY_ID);
        let version = reader.text(&f::VERSION);
        let kind_name = reader.text(&f::KIND);
        reader.check(f::PROTOCOL.name, "1", |value| matches!(value, Some(Value::Number(1))));
        let activation = reader.optional(&f::ACTIVATION);
        let ask = Self {
            key: of_hex(key_id).unwrap_or_default(),
            product: reader.text(&f::PRODUCT),
            version: version.parse().unwrap_or(Version([0; 3])),
            nonce: reader.text(&f::NONCE),
            account: reader.text(&f::ACCOUNT),
            server: reader.text(&f::SERVER),
            kind: f::kind_of(kind_name).unwrap_or(Kind::Demo),
            machine: reader.text(&f::MACHINE),
            platform: reader.text(&f::PLATFORM),
            names_activation: activation.is_some(),
            activation: activation.and_then(|text| text.parse().ok()),
            config_version: reader.number(&f::CONFIG_VERSION).unwrap_or(0),
            ed25519: reader.optional(&f::ALG).is_some_and(|alg| alg == "ed25519"),
            signers: reader.optional(&f::SIGNER).and_then(f::signers_of).unwrap_or_default(),
            usage: operation.reports().then(|| reader.usage()),
            key_id,
            kind_name,
        };
        reader.number(&f::BUILD);
        reader.number(&f::CONFIG_SCHEMA);
        reader.problem.map_or(Ok(ask), Err)
    }
}

/// Reads fields one after the other, and keeps what is wrong.
struct Reader<'a> {
    fields: &'a Fields<'a>,
    problem: Option<Problem>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, name: &str, wanted: &str) {
        let problem = self.problem.take().unwrap_or_else(|| {
            Problem::new(ProblemCode::Invalid, "Correct the fields that `errors` names and send the request again.")
        });
        self.problem = Some(problem.field(name, format!("must be {wanted}")));
    }

    fn check(&mut self, name: &str, wanted: &str, good: impl Fn(Option<&Value<'_>>) -> bool) {
        if !good(self.fields.get(name)) {
            self.wrong(name, wanted);
        }
    }

    fn text(&mut self, field: &TextField) -> &'a str {
        let fields = self.fields;
        match fields.get(field.name) {
            Some(Value::Text(text)) if (field.good)(text) => text.as_ref(),
            _ => {
                self.wrong(field.name, field.wanted);
                ""
            }
        }
    }

    fn optional(&mut self, field: &TextField) -> Option<&'a str> {
        self.fields.get(field.name).is_some().then(|| self.text(field))
    }

    fn number(&mut self, field: &NumberField) -> Option<i64> {
        match self.fields.get(field.name)? {
            Value::Number(number) if *number >= 0 => Some(*number),
            _ => {
                self.wrong(field.name, f::WHOLE);
                None
            }
        }
    }

    fn usage(&mut self) -> Usage {
        let mut total = |field: &NumberField| {
            if self.fields.get(field.name).is_none() {
                self.wrong(field.name, f::WHOLE);
            }
            self.number(field).unwrap_or(0)
        };
        let (sequence, orders, runtime_s) = (total(&f::SEQUENCE), total(&f::ORDERS), total(&f::RUNTIME_S));
        let lots = self.text(&f::LOTS);
        Usage { sequence, orders, lots: f::lots_of(lots).unwrap_or(Lots::ZERO), runtime_s }
    }
}
