//! What an EA says of itself and asks for: the fields of a request, checked.

use super::{
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

/// Fields of queries that are whole numbers.
pub(super) const NUMBERS: &[&str] = &["protocol", "build", "config_version", "config_schema"];
const PLATFORMS: [&str; 3] = ["mt4", "mt5", "other"];

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

    /// Whether it brings a report.
    pub const fn reports(self) -> bool {
        matches!(self, Self::Heartbeat | Self::Usage)
    }
}

/// The fields of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    /// Which licence, as it was written and as bytes.
    pub key_id: String,
    pub key: [u8; 16],
    pub product: String,
    pub version: Version,
    pub nonce: String,
    pub account: String,
    pub server: String,
    pub kind: Kind,
    pub kind_name: String,
    pub machine: String,
    pub platform: String,
    pub activation: Option<ActivationId>,
    /// What stands in `activation`, if anything does.
    pub names_activation: bool,
    /// The settings it has.
    pub config_version: i64,
    /// Whether the answer shall be signed by the tenant.
    pub ed25519: bool,
    pub usage: Option<Usage>,
}

impl Ask {
    /// What the domain is asked for anything but an activation.
    pub fn of_seat(&self) -> licence::Ask {
        self.activation.map_or(licence::Ask::Nothing, licence::Ask::Seat)
    }

    /// Reads the fields of a request.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] names every field that is wrong.
    pub fn read(operation: Operation, fields: &Fields<'_>) -> Result<Self, Problem> {
        let mut reader = Reader { fields, problem: None };
        let key_id = reader.text("key_id", "32 hexadecimal digits", |text| of_hex::<16>(text).is_some());
        let version =
            reader.text("version", "one to three numbers with points", |text| text.parse::<Version>().is_ok());
        let kind_name = reader.text("kind", "demo, contest or live", |text| kind_of(text).is_some());
        reader.check("protocol", "1", |value| matches!(value, Some(Value::Number(1))));
        let activation = reader.optional("activation", "1 to 40 of a-z, 0-9 and _", |text| plain(text, b"_", 40));
        let ask = Self {
            key: of_hex(&key_id).unwrap_or_default(),
            product: reader.text("product", "1 to 40 of a-z, 0-9 and -", |text| plain(text, b"-", 40)),
            version: version.parse().unwrap_or(Version([0; 3])),
            nonce: reader.text("nonce", "32 hexadecimal digits", |text| of_hex::<16>(text).is_some()),
            account: reader.text("account", "1 to 20 digits", |text| {
                (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
            }),
            server: reader.text("server", "1 to 64 characters", |text| {
                (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
            }),
            kind: kind_of(&kind_name).unwrap_or(Kind::Demo),
            machine: reader.text("machine", "64 hexadecimal digits", |text| of_hex::<32>(text).is_some()),
            platform: reader.text("platform", "mt4, mt5 or other", |text| PLATFORMS.contains(&text)),
            names_activation: activation.is_some(),
            activation: activation.and_then(|text| text.parse().ok()),
            config_version: reader.number("config_version").unwrap_or(0),
            ed25519: reader.optional("alg", "hmac-sha256 or ed25519", |text| matches!(text, "hmac-sha256" | "ed25519"))
                == Some("ed25519".to_owned()),
            usage: operation.reports().then(|| reader.usage()),
            key_id,
            kind_name,
        };
        reader.number("build");
        reader.number("config_schema");
        reader.problem.map_or(Ok(ask), Err)
    }
}

fn kind_of(text: &str) -> Option<Kind> {
    match text {
        "demo" => Some(Kind::Demo),
        "contest" => Some(Kind::Contest),
        "live" => Some(Kind::Live),
        _ => None,
    }
}

fn plain(text: &str, also: &[u8], chars_max: usize) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte);
    (1..=chars_max).contains(&text.len()) && text.bytes().all(good)
}

/// Lots as a decimal text: up to nine digits, and up to eight after the point.
fn lots_of(text: &str) -> Option<Lots> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, max: usize| (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole, 9) && digits(part, 8)).then(|| text.parse().ok()).flatten()
}

/// Reads fields one after the other, and keeps what is wrong.
struct Reader<'a> {
    fields: &'a Fields<'a>,
    problem: Option<Problem>,
}

impl Reader<'_> {
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

    fn text(&mut self, name: &str, wanted: &str, good: impl Fn(&str) -> bool) -> String {
        match self.fields.get(name) {
            Some(Value::Text(text)) if good(text) => text.as_ref().to_owned(),
            _ => {
                self.wrong(name, wanted);
                String::new()
            }
        }
    }

    fn optional(&mut self, name: &str, wanted: &str, good: impl Fn(&str) -> bool) -> Option<String> {
        self.fields.get(name).is_some().then(|| self.text(name, wanted, good))
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        match self.fields.get(name)? {
            Value::Number(number) if *number >= 0 => Some(*number),
            _ => {
                self.wrong(name, "a whole number");
                None
            }
        }
    }

    fn usage(&mut self) -> Usage {
        let mut total = |name: &str| {
            if !self.fields.get(name).is_some() {
                self.wrong(name, "a whole number");
            }
            self.number(name).unwrap_or(0)
        };
        let (sequence, orders, runtime_s) = (total("sequence"), total("orders"), total("runtime_s"));
        let lots = self.text("lots", "a decimal number of up to 8 places", |text| lots_of(text).is_some());
        Usage { sequence, orders, lots: lots_of(&lots).unwrap_or(Lots::ZERO), runtime_s }
    }
}
