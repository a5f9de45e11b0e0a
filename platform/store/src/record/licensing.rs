//! Products, policies, licences and seats as they are stored.

use core::fmt;
use marque_domain::{
    fixed::Lots,
    id::{ActivationId, EaFileId, EaVersionId, LicenceId, LicencePolicyId, ProductId, UserId},
    licence::{Policy, State, Version},
    plugin::Channel,
    time::Millis,
};
use serde::{Deserialize, Serialize};

/// An Expert Advisor that a brand offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EaProduct {
    /// Its id.
    pub id: ProductId,
    /// What the EA calls itself when it asks: 1–40 of `a-z0-9-`.
    pub code: String,
    /// What people read.
    pub name: String,
    /// One sentence about it.
    pub summary: String,
    /// Codes of the plans that grant it; none: every plan does.
    pub plans: Vec<String>,
    /// JSON Schema of its settings.
    pub settings_schema: String,
    /// The number of that form.
    pub schema_version: i64,
    /// When it was added.
    pub created_at: Millis,
}

/// A version of an Expert Advisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EaVersion {
    /// Its id.
    pub id: EaVersionId,
    /// Of which product.
    pub product: ProductId,
    /// Its number.
    pub version: Version,
    /// Through which it is offered.
    pub channel: Channel,
    /// What changed, in the vendor's words.
    pub changelog: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it was withdrawn.
    pub yanked_at: Option<Millis>,
    /// Why.
    pub yank_reason: String,
}

/// A file of a version. It shows nothing of its key.
#[derive(Clone, PartialEq, Eq)]
pub struct EaFile {
    /// Its id, and its place in the object store.
    pub id: EaFileId,
    /// Of which version.
    pub version: EaVersionId,
    /// What it is called when it is saved.
    pub name: String,
    /// Bytes, before they were sealed.
    pub size: i64,
    /// Their SHA-256.
    pub digest: [u8; 32],
    /// The key that its bytes are sealed with, itself sealed; empty: they lie open.
    pub data_key: Vec<u8>,
    /// Who uploaded it; none: a command.
    pub uploaded_by: Option<UserId>,
    /// When.
    pub uploaded_at: Millis,
}

impl EaFile {
    /// Whether its bytes are sealed where they lie.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        !self.data_key.is_empty()
    }
}

impl fmt::Debug for EaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EaFile({}, {:?}, {} bytes)", self.id, self.name, self.size)
    }
}

/// Why a file was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EaFileRefused {
    /// The version has one of this name.
    NameTaken,
    /// The version has as many as it may.
    TooMany,
    /// All files of the brand together would take more than they may.
    NoRoom,
}

/// What licences of a product allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicencePolicy {
    /// Its id.
    pub id: LicencePolicyId,
    /// For which product.
    pub product: ProductId,
    /// What the vendor calls it.
    pub name: String,
    /// What it allows.
    pub terms: PolicyTerms,
    /// When it was made.
    pub created_at: Millis,
}

/// The terms of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTerms {
    /// What is decided by.
    pub policy: Policy,
    /// How long a licence lasts until it is renewed, in milliseconds: a subscription. None: the policy's own term.
    pub period_ms: Option<i64>,
    /// How often the EA shall be heard, in seconds; 0 means not at all.
    pub heartbeat_s: u32,
    /// Questions that one key may ask in a minute; none: as many as the platform lets any. The platform's own limit holds
    /// in any case. Policies from before there was such a limit have none.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
}

/// The right of one person to run an Expert Advisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceRow {
    /// Its id.
    pub id: LicenceId,
    /// For which product.
    pub product: ProductId,
    /// Under which policy.
    pub policy: LicencePolicyId,
    /// Whose.
    pub user: UserId,
    /// How it stands.
    pub state: State,
    /// Why it is suspended or revoked.
    pub reason: String,
    /// When it ends, if it is one that is renewed.
    pub ends_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// The first question that named it.
    pub first_used_at: Option<Millis>,
    /// The first seat that was taken.
    pub first_activated_at: Option<Millis>,
    /// When it last moved: a seat was taken by somebody new, or by whom it had left.
    pub moved_at: Option<Millis>,
    /// The tenant's revision at its last change.
    pub revision: i64,
}

/// A key of a licence. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct LicenceKeyRow {
    /// The number of its row.
    pub id: i64,
    /// Of which licence.
    pub licence: LicenceId,
    /// What requests name it by.
    pub key_id: [u8; 16],
    /// The key, sealed.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// When another took its place.
    pub replaced_at: Option<Millis>,
}

impl fmt::Debug for LicenceKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LicenceKeyRow({}, concealed)", self.id)
    }
}

/// What an activation has reported: totals since it was first taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The number of the last report.
    pub sequence: i64,
    /// Orders opened.
    pub orders: i64,
    /// Lots of those orders.
    pub lots: Lots,
    /// Seconds in which the EA was allowed to trade.
    pub runtime_s: i64,
}

/// A seat: the account and computer that have taken one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Its id.
    pub id: ActivationId,
    /// Of which licence.
    pub licence: LicenceId,
    /// The trading account's number.
    pub account: String,
    /// The broker's server.
    pub server: String,
    /// The computer's fingerprint.
    pub machine: String,
    /// demo, contest or live.
    pub kind: String,
    /// mt4, mt5 or other.
    pub platform: String,
    /// The EA's version when it was last taken or heard.
    pub version: String,
    /// From where it was last heard.
    pub address: String,
    /// The nonce of the request that took it.
    pub nonce: String,
    /// The key that signs now.
    pub generation: i64,
    /// When it was last taken.
    pub taken_at: Millis,
    /// When it was last taken or held by a heartbeat.
    pub seen_at: Millis,
    /// When it was given back.
    pub released_at: Option<Millis>,
    /// When it was given to another because it was not heard from.
    pub lapsed_at: Option<Millis>,
    /// What it has reported.
    pub usage: Usage,
}

/// The server's half of a generation of an activation's key. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SeatSalt {
    /// The number of its row.
    pub id: i64,
    /// Of which licence.
    pub licence: LicenceId,
    /// Of which activation.
    pub activation: ActivationId,
    /// Which generation.
    pub generation: i64,
    /// The salt, sealed.
    pub salt: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// From when on it signs nothing any more.
    pub retires_at: Option<Millis>,
}

impl fmt::Debug for SeatSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeatSalt({}, concealed)", self.id)
    }
}

/// What happened to a licence's seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenceEventKind {
    /// A seat was taken by somebody new.
    Activated,
    /// Who had a seat took it up again.
    TakenUp,
    /// A new one took another's place, or a seat went back to where it was before others: the licence moved.
    TakenOver,
    /// It was given back.
    Released,
    /// It was not heard from, and another got it.
    Lapsed,
    /// It was heard from another address.
    Moved,
}

impl LicenceEventKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Activated, Self::TakenUp, Self::TakenOver, Self::Released, Self::Lapsed, Self::Moved];

    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::TakenUp => "taken_up",
            Self::TakenOver => "taken_over",
            Self::Released => "released",
            Self::Lapsed => "lapsed",
            Self::Moved => "moved",
        }
    }
}

/// Something that happened to a licence's seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceEvent {
    /// The number of its row: later ones are larger.
    pub id: i64,
    /// To which licence.
    pub licence: LicenceId,
    /// To which seat.
    pub activation: Option<ActivationId>,
    /// When.
    pub at: Millis,
    /// What.
    pub kind: LicenceEventKind,
    /// The trading account.
    pub account: String,
    /// The computer.
    pub machine: String,
    /// From where.
    pub address: String,
    /// The nonce of the request that took a seat; none of anything else.
    pub nonce: Option<String>,
}

/// The settings of a licence's EA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceSettings {
    /// Grows with each change.
    pub version: i64,
    /// The form they were checked against.
    pub schema_version: i64,
    /// A flat JSON object.
    pub settings: String,
    /// When they were changed.
    pub updated_at: Millis,
}

/// A key that signs answers to EAs. It shows nothing of its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct EaKey {
    /// The number of its row.
    pub id: i64,
    /// What requests and answers name it by, without `t.`.
    pub name: String,
    /// The public key: 32 bytes.
    pub public: Vec<u8>,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was retired.
    pub retired_at: Option<Millis>,
}

impl fmt::Debug for EaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EaKey({}, concealed)", self.name)
    }
}

/// A licence with all that an answer needs, at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceImage {
    /// The tenant's epoch at that instant.
    pub epoch: i64,
    /// The licence.
    pub licence: LicenceRow,
    /// Its keys, those that were replaced too.
    pub keys: Vec<LicenceKeyRow>,
    /// Its policy.
    pub policy: LicencePolicy,
    /// Its product.
    pub product: EaProduct,
    /// The product's versions, newest first.
    pub versions: Vec<EaVersion>,
    /// Its seats, oldest first, those that were given back too.
    pub seats: Vec<Seat>,
    /// The server's halves of their keys.
    pub salts: Vec<SeatSalt>,
    /// Its settings.
    pub settings: Option<LicenceSettings>,
    /// The plan of its owner.
    pub plan: Option<String>,
}

/// What taking a seat changes, if nothing else has changed the licence since it was read.
#[derive(Debug, Clone)]
pub struct SeatTaken {
    /// The revision at which it was decided.
    pub revision: i64,
    /// The seat as it is from now on.
    pub seat: Seat,
    /// Whether it is a new one.
    pub new: bool,
    /// Whether the licence moves by it.
    pub moved: bool,
    /// The server's half of its key. Older ones sign nothing any more.
    pub salt: SeatSalt,
    /// Seats that were not heard from, as they were read: they are lost.
    pub lapsed: Vec<Seat>,
    /// The seat whose place it takes: it is given back.
    pub replaced: Option<ActivationId>,
    /// Seats that are forgotten to make room.
    pub forgotten: Vec<ActivationId>,
    /// What is noted.
    pub events: Vec<LicenceEvent>,
}

/// A report of an activation.
#[derive(Debug, Clone)]
pub struct SeatReport {
    /// Of which licence.
    pub licence: LicenceId,
    /// Of which seat.
    pub seat: ActivationId,
    /// The totals.
    pub usage: Usage,
    /// Whether it holds the seat, and from when.
    pub alive_at: Option<Millis>,
    /// From where it came.
    pub address: String,
    /// The EA's version.
    pub version: String,
    /// What is noted.
    pub event: Option<LicenceEvent>,
}

/// What giving a licence to another person changes, if nothing else has changed the licence since it was read.
#[derive(Debug, Clone)]
pub struct LicenceTransfer {
    /// Which.
    pub licence: LicenceId,
    /// The revision at which it was read.
    pub revision: i64,
    /// Who has it from now on.
    pub to: UserId,
    /// Takes the place of the key that the former owner knows.
    pub key: LicenceKeyRow,
    /// What is noted of the former owner's seats.
    pub events: Vec<LicenceEvent>,
    /// When.
    pub at: Millis,
}

/// A change of a licence by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenceChange {
    /// How it stands, and why. What was revoked stays so.
    State(State, String),
    /// Until when it is good.
    Ends(Option<Millis>),
    /// Another key takes the place of the old one.
    Key(LicenceKeyRow),
    /// Another policy of the same product.
    Policy(LicencePolicyId),
}
