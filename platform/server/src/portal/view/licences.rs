//! Licences of Expert Advisors: a trader's, and all that a vendor looks after.

use super::{
    Banner, Page, Pager, Tone,
    component::{Badge, Field, FieldKind, Link},
    figure::When,
};
use marque_domain::licence::State;
use marque_store::{LicenceEventKind, Seat};
use serde::Serialize;

/// A licence in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LicenceLine {
    /// Its page.
    pub href: String,
    /// The EA's name.
    pub ea: String,
    /// The policy's name.
    pub policy: String,
    /// Whose.
    pub owner: String,
    /// How it stands.
    pub status: Badge,
    /// When it ends, if it does.
    pub ends: Option<When>,
    /// Seats that are held, and how many there are.
    pub seats: String,
}

/// The badge of a licence.
#[must_use]
pub fn licence_badge(state: State, ended: bool) -> Badge {
    match state {
        State::Active if ended => Badge::new(Tone::Warn, "Ended"),
        State::Active => Badge::new(Tone::Good, "Valid"),
        State::Suspended => Badge::new(Tone::Warn, "Suspended"),
        State::Revoked => Badge::new(Tone::Bad, "Revoked"),
    }
}

/// `/eas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EasPage {
    /// The reader's licences, the newest first.
    pub licences: Vec<LicenceLine>,
    /// The zone of the times.
    pub zone: String,
}

impl Page for EasPage {
    const TEMPLATE: &'static str = "eas";
}

/// A seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeatLine {
    /// Where the form goes that releases it.
    pub release: String,
    /// The trading account and its server.
    pub account: String,
    /// The first digits of the computer's number.
    pub machine: String,
    /// Such as `MetaTrader 5, version 1.20`.
    pub program: String,
    /// Where it was last heard from.
    pub place: String,
    /// When it was last heard.
    pub seen: When,
    /// What it reported.
    pub usage: String,
    /// Whether it is held.
    pub status: Badge,
    /// Whether it can be released.
    pub held: bool,
}

/// The first digits of a computer's number: enough to tell two apart.
#[must_use]
pub fn machine_words(machine: &str) -> String {
    machine.chars().take(8).collect()
}

/// The program of a seat in words.
#[must_use]
pub fn program_words(seat: &Seat) -> String {
    let platform = match seat.platform.as_str() {
        "mt4" => "MetaTrader 4",
        "mt5" => "MetaTrader 5",
        _ => "Another program",
    };
    format!("{platform}, version {}", seat.version)
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// When.
    pub at: When,
    /// What, in words.
    pub what: &'static str,
    /// Of the sign beside it.
    pub tone: Tone,
    /// On which account and computer, from where.
    pub whereabouts: String,
}

/// What happened, in words.
#[must_use]
pub const fn event_words(kind: LicenceEventKind) -> (&'static str, Tone) {
    match kind {
        LicenceEventKind::Activated => ("A new seat was taken", Tone::Good),
        LicenceEventKind::TakenUp => ("The seat was taken up again", Tone::Quiet),
        LicenceEventKind::Released => ("The seat was released", Tone::Quiet),
        LicenceEventKind::Lapsed => ("The seat was silent too long, and another got it", Tone::Warn),
        LicenceEventKind::Moved => ("The EA was heard from another address", Tone::Quiet),
    }
}

/// A version that can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionLine {
    /// Its number.
    pub version: String,
    /// Through which it is offered.
    pub channel: &'static str,
    /// When it was added.
    pub at: When,
    /// What changed.
    pub changelog: String,
    /// Why it was withdrawn, if it was.
    pub yanked: Option<String>,
    /// Where the form goes that withdraws it; none for who may not.
    pub yank: Option<String>,
}

/// What a vendor can do with a licence now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LicenceSteps {
    /// Stop it.
    pub suspend: bool,
    /// Let it go on.
    pub reinstate: bool,
    /// Renew, transfer, revoke.
    pub alive: bool,
}

/// One licence, for its owner or for who looks after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LicencePage {
    /// Where the reader came from.
    pub back: Link,
    /// As in the list.
    pub line: LicenceLine,
    /// Its id.
    pub id: String,
    /// Where its forms go.
    pub action: String,
    /// What has just been done.
    pub notice: Option<Banner>,
    /// Why it is suspended or revoked.
    pub reason: String,
    /// The key, once it was asked for.
    pub key: Option<String>,
    /// Whether the reader may look at the key.
    pub may_show_key: bool,
    /// Whether the reader may have it replaced.
    pub may_reissue: bool,
    /// Its seats, held ones first.
    pub seats: Vec<SeatLine>,
    /// The product's versions, the newest first.
    pub versions: Vec<VersionLine>,
    /// The form of the EA's settings; empty when it has none or the reader may not set it up.
    pub settings: Vec<Field>,
    /// Whether the reader may set it up.
    pub may_set: bool,
    /// Why the settings were refused.
    pub error: Option<String>,
    /// What happened, the newest first.
    pub events: Vec<EventLine>,
    /// What should be looked at.
    pub unusual: Vec<String>,
    /// What a vendor can do; none for others.
    pub steps: Option<LicenceSteps>,
    /// The zone of the times.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl Page for LicencePage {
    const TEMPLATE: &'static str = "ea";
}

/// A product in the vendor's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductLine {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// What the EA calls itself.
    pub code: String,
    /// The plans that grant it.
    pub plans: String,
    /// The newest version.
    pub version: String,
}

/// What the vendor's list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LicenceQuery {
    /// The beginning of an address or account number.
    pub text: String,
    /// A product's id, or empty.
    pub ea: String,
    /// A state, or empty.
    pub state: String,
}

/// `/admin/eas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorPage {
    /// The products.
    pub products: Vec<ProductLine>,
    /// The fields of the search.
    pub search: Vec<Field>,
    /// Whether the list is narrowed.
    pub narrowed: bool,
    /// Licences found, the newest first.
    pub licences: Vec<LicenceLine>,
    /// Neighbouring pages.
    pub pager: Pager,
    /// The same as a file.
    pub csv: String,
    /// The form of a new product; empty for who may not add one.
    pub new_product: Vec<Field>,
    /// The form of a new licence; empty for who may not issue one, or while there is no policy.
    pub new_licence: Vec<Field>,
    /// Why the last form was refused.
    pub error: Option<String>,
    /// The zone of the times.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl VendorPage {
    /// The fields of the search.
    #[must_use]
    pub fn search(query: &LicenceQuery, products: &[(String, String)]) -> Vec<Field> {
        let optional = |field: Field| Field { required: false, ..field };
        let any = [(String::new(), "Any".to_owned())];
        let states = [("active", "Valid"), ("suspended", "Suspended"), ("revoked", "Revoked")];
        let states = states.map(|(value, label)| (value.to_owned(), label.to_owned()));
        vec![
            optional(Field::new(FieldKind::Text, "q", "E-mail or account number").value(query.text.as_str())),
            optional(
                Field::new(FieldKind::Select, "ea", "Expert Advisor")
                    .value(query.ea.as_str())
                    .choices(any.clone().into_iter().chain(products.iter().cloned())),
            ),
            optional(
                Field::new(FieldKind::Select, "state", "State")
                    .value(query.state.as_str())
                    .choices(any.into_iter().chain(states)),
            ),
        ]
    }

    /// The form of a new product.
    #[must_use]
    pub fn product_form() -> Vec<Field> {
        vec![
            Field::new(FieldKind::Text, "code", "Code")
                .hint("What the EA's source calls itself: small letters, digits and hyphens. It stays."),
            Field::new(FieldKind::Text, "name", "Name"),
            Field { required: false, ..Field::new(FieldKind::Text, "summary", "What it does, in one sentence") },
        ]
    }

    /// The form of a new licence under one of these policies: id and words.
    #[must_use]
    pub fn licence_form(policies: &[(String, String)]) -> Vec<Field> {
        if policies.is_empty() {
            return Vec::new();
        }
        vec![
            Field::new(FieldKind::Select, "policy", "Policy").choices(policies.iter().cloned()),
            Field::new(FieldKind::Email, "owner", "E-mail address of its owner"),
        ]
    }
}

impl Page for VendorPage {
    const TEMPLATE: &'static str = "admin-eas";
}

/// A policy in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyLine {
    /// Its name.
    pub name: String,
    /// What it allows, in words.
    pub terms: String,
}

/// `/admin/eas/{product}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductPage {
    /// As in the list.
    pub line: ProductLine,
    /// What it does.
    pub summary: String,
    /// Its versions, the newest first.
    pub versions: Vec<VersionLine>,
    /// Its policies, the oldest first.
    pub policies: Vec<PolicyLine>,
    /// The form of a new version; empty for who may not add one.
    pub new_version: Vec<Field>,
    /// The form of a new policy.
    pub new_policy: Vec<Field>,
    /// Why the last form was refused.
    pub error: Option<String>,
    /// The zone of the times.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl ProductPage {
    /// The form of a new version.
    #[must_use]
    pub fn version_form() -> Vec<Field> {
        vec![
            Field::new(FieldKind::Text, "version", "Version").hint("One to three numbers with points, such as 1.20."),
            Field::new(FieldKind::Select, "channel", "Channel").choices([("stable", "Stable"), ("beta", "Beta")]),
            Field { required: false, ..Field::new(FieldKind::Area, "changelog", "What changed") },
        ]
    }

    /// The form of a new policy: what most policies differ in.
    #[must_use]
    pub fn policy_form() -> Vec<Field> {
        let number = |name: &str, label: &str, value: &str, hint: &str| {
            let field = Field::new(FieldKind::Number, name, label).value(value).hint(hint);
            Field { required: false, min: Some("0".to_owned()), step: Some("1".to_owned()), ..field }
        };
        let terms = [("perpetual", "For ever"), ("subscription", "Until it is renewed"), ("trial", "A trial, once")];
        vec![
            Field::new(FieldKind::Text, "name", "Name"),
            Field::new(FieldKind::Select, "term", "Lasts").choices(terms),
            number("days", "Days", "", "Of a subscription's period or a trial."),
            number("machines", "Computers", "1", "Empty means no limit."),
            number("accounts", "Trading accounts", "1", "Empty means no limit."),
            Field::new(FieldKind::Select, "kinds", "For accounts that are").choices([
                ("both", "demo or live"),
                ("demo", "demo"),
                ("live", "live"),
            ]),
            number(
                "requests_per_minute",
                "Requests a minute of one key",
                "",
                "Empty means as many as this portal lets any.",
            ),
            Field {
                required: false,
                ..Field::new(FieldKind::Checkbox, "floating", "A seat is free when its EA is silent for 10 minutes")
            },
        ]
    }
}

impl Page for ProductPage {
    const TEMPLATE: &'static str = "admin-ea";
}
