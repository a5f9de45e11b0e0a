//! What a request may say: each field with its name, its form and what it means. Requests are read by it and described by it.

use super::{ask::Operation, mac::of_hex};
use marque_domain::{
    fixed::Lots,
    licence::{Kind, Version},
};

/// A field that is a text.
pub(super) struct TextField {
    pub name: &'static str,
    /// What it means.
    pub what: &'static str,
    /// What it must be, in the words of a refusal.
    pub wanted: &'static str,
    /// Whether a text is that.
    pub good: fn(&str) -> bool,
    /// The same as a regular expression (ECMA 262), for who describes it.
    pub pattern: &'static str,
}

/// A field that is a whole number, not below zero.
pub(super) struct NumberField {
    pub name: &'static str,
    /// What it means.
    pub what: &'static str,
}

/// How many keys may be named that shall sign an answer.
const SIGNERS_MAX: usize = 8;

/// What a number must be, in the words of a refusal.
pub(super) const WHOLE: &str = "a whole number";
/// The version of the protocol.
pub(super) const PROTOCOL: NumberField = NumberField { name: "protocol", what: "Version of the protocol: 1." };

macro_rules! texts {
    ($($(#[doc = $what:literal])* $name:ident = $field:literal, $wanted:literal, $pattern:literal, $good:expr;)*) => {
        $(
            $(#[doc = $what])*
            pub(super) const $name: TextField = TextField {
                name: $field,
                what: concat!($($what),*).trim_ascii_start(),
                wanted: $wanted,
                good: $good,
                pattern: $pattern,
            };
        )*
    };
}

texts! {
    /// Which licence: derived from its key.
    KEY_ID = "key_id", "32 hexadecimal digits", "^[0-9a-f]{32}$", |text| of_hex::<16>(text).is_some();
    /// The EA's code.
    PRODUCT = "product", "1 to 40 of a-z, 0-9 and -", "^[a-z0-9-]{1,40}$", |text| plain(text, b"-");
    /// The EA's version.
    VERSION = "version", "one to three numbers with points", "^[0-9]{1,6}(\\.[0-9]{1,6}){0,2}$",
        |text| text.parse::<Version>().is_ok();
    /// New for each request, not to be guessed.
    NONCE = "nonce", "32 hexadecimal digits", "^[0-9a-f]{32}$", |text| of_hex::<16>(text).is_some();
    /// The trading account's number.
    ACCOUNT = "account", "1 to 20 digits", "^[0-9]{1,20}$",
        |text| (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    /// The broker's server as the terminal names it.
    SERVER = "server", "1 to 64 characters", "^[^\\u0000-\\u001f\\u007f-\\u009f]{1,64}$",
        |text| (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    /// What kind of account; contest counts as demo.
    KIND = "kind", "demo, contest or live", "^(demo|contest|live)$", |text| kind_of(text).is_some();
    /// Fingerprint of the computer: a hash that says nothing else about it.
    MACHINE = "machine", "64 hexadecimal digits", "^[0-9a-f]{64}$", |text| of_hex::<32>(text).is_some();
    /// Who asks.
    PLATFORM = "platform", "mt4, mt5 or other", "^(mt4|mt5|other)$", |text| matches!(text, "mt4" | "mt5" | "other");
    /// The seat; in all but activate, left out by tools that have none.
    ACTIVATION = "activation", "1 to 40 of a-z, 0-9 and _", "^[a-z0-9_]{1,40}$", |text| plain(text, b"_");
    /// How the answer is to be signed; hmac-sha256 when left out.
    ALG = "alg", "hmac-sha256 or ed25519", "^(hmac-sha256|ed25519)$", |text| matches!(text, "hmac-sha256" | "ed25519");
    /// Public keys of the tenant, with spaces between: with ed25519 the newest of them that is good signs.
    SIGNER = "signer", "1 to 8 public keys of 64 hexadecimal digits, with spaces between",
        "^[0-9a-f]{64}( [0-9a-f]{64}){0,7}$", |text| signers_of(text).is_some();
    /// Lots of those orders.
    LOTS = "lots", "a decimal number of up to 8 places", "^[0-9]{1,9}(\\.[0-9]{1,8})?$", |text| lots_of(text).is_some();
}

/// Texts of every request.
pub(super) const TEXTS: [TextField; 9] = [KEY_ID, PRODUCT, VERSION, NONCE, ACCOUNT, SERVER, KIND, MACHINE, PLATFORM];
/// Texts that may stand in every request.
pub(super) const TEXTS_OPTIONAL: [TextField; 3] = [ACTIVATION, ALG, SIGNER];
/// Numbers that may stand in every request.
pub(super) const NUMBERS_OPTIONAL: [NumberField; 3] = [BUILD, CONFIG_VERSION, CONFIG_SCHEMA];
/// Numbers of a report.
pub(super) const NUMBERS_REPORTED: [NumberField; 3] = [SEQUENCE, ORDERS, RUNTIME_S];

/// The terminal's build.
pub(super) const BUILD: NumberField = NumberField { name: "build", what: "The terminal's build." };
/// The settings that it has.
pub(super) const CONFIG_VERSION: NumberField =
    NumberField { name: "config_version", what: "The settings that the EA has; 0 for none." };
/// The form of settings that it understands.
pub(super) const CONFIG_SCHEMA: NumberField =
    NumberField { name: "config_schema", what: "The form of settings that it understands." };
/// The number of a report.
pub(super) const SEQUENCE: NumberField =
    NumberField { name: "sequence", what: "Grows with each report of the activation." };
/// Orders so far.
pub(super) const ORDERS: NumberField =
    NumberField { name: "orders", what: "Orders opened since the activation was made." };
/// Time so far.
pub(super) const RUNTIME_S: NumberField =
    NumberField { name: "runtime_s", what: "Seconds in which the EA was allowed to trade." };

/// Whether a field of a query is a whole number.
pub(super) fn is_number(name: &str) -> bool {
    name == PROTOCOL.name || NUMBERS_OPTIONAL.iter().any(|field| field.name == name)
}

impl Operation {
    /// Texts that it needs.
    pub fn texts(self) -> impl Iterator<Item = TextField> {
        TEXTS.into_iter().chain(self.reports().then_some(LOTS))
    }

    /// Numbers that it needs.
    pub fn numbers(self) -> impl Iterator<Item = NumberField> {
        core::iter::once(PROTOCOL).chain(NUMBERS_REPORTED.into_iter().filter(move |_| self.reports()))
    }
}

/// What kind of account a text names.
pub(super) fn kind_of(text: &str) -> Option<Kind> {
    match text {
        "demo" => Some(Kind::Demo),
        "contest" => Some(Kind::Contest),
        "live" => Some(Kind::Live),
        _ => None,
    }
}

/// The public keys that a text names, one of which shall sign the answer: at least one.
pub(super) fn signers_of(text: &str) -> Option<Vec<[u8; 32]>> {
    let keys = text.split(' ').map(of_hex::<32>).collect::<Option<Vec<_>>>()?;
    (keys.len() <= SIGNERS_MAX).then_some(keys)
}

fn plain(text: &str, also: &[u8]) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also.contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(good)
}

/// Lots as a decimal text: up to nine digits, and up to eight after the point.
pub(super) fn lots_of(text: &str) -> Option<Lots> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, max: usize| (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole, 9) && digits(part, 8)).then(|| text.parse().ok()).flatten()
}
