//! Licences of Expert Advisors, as their owners see them. What a vendor looks after besides is in `vendor`.

use super::{
    Banner, Page, Tone,
    component::{Badge, Field, Link},
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
    /// What their plan gives them besides.
    pub included: Vec<IncludedEa>,
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
        LicenceEventKind::TakenOver => ("The seat went to another computer or account", Tone::Warn),
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
    /// Its files, the oldest first.
    pub files: Vec<FileLine>,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// What it is called.
    pub name: String,
    /// How large it is: `12 KiB`.
    pub size: String,
    /// Whether it is sealed where it lies.
    pub sealed: bool,
    /// Where the form goes that downloads it; none for who may not now.
    pub download: Option<String>,
    /// Where the form goes that removes it; none for who may not.
    pub remove: Option<String>,
}

/// An Expert Advisor that the reader's plan gives them, without a licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncludedEa {
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// Its newest version.
    pub version: VersionLine,
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
