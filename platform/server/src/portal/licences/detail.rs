//! One licence in full: seats, versions, settings, what happened.

use super::{LIST, line};
use crate::{
    identity::{Operation, Reach, SignedIn, place::Place},
    licensing::{
        Unusual,
        files::{Asks, gives},
        manage, unusual_use,
    },
    portal::{
        Scene,
        view::{
            Badge, Banner, EventLine, FileLine, LicencePage, LicenceSteps, Link, SeatLine, Tone, VersionLine,
            bytes_words, count, event_words, fields_of, machine_words, program_words,
        },
    },
    problem::Problem,
};
use marque_domain::{
    id::{LicenceId, LicencePolicyId, ProductId, UserId},
    licence::State,
    time::{HOUR_MS, Millis},
};
use marque_store::{EaFile, EaProduct, EaVersion, LicenceEvent, LicencePolicy, LicenceRow, Page, Seat};
use serde_json::Value;
use std::collections::{BTreeMap, btree_map::Entry};

/// Events that a page shows.
const EVENTS: u32 = 50;

/// What things are called, for lists of licences.
pub(super) struct Names {
    products: BTreeMap<ProductId, EaProduct>,
    policies: BTreeMap<LicencePolicyId, LicencePolicy>,
    owners: BTreeMap<UserId, String>,
}

impl Names {
    /// Of the products, policies and owners of these licences.
    pub async fn of(who: &SignedIn, licences: &[LicenceRow]) -> Result<Self, Problem> {
        let products = who.db().ea_products().await?.into_iter().map(|product| (product.id, product)).collect();
        let policies = who.db().licence_policies(None).await?.into_iter().map(|policy| (policy.id, policy)).collect();
        let mut owners = BTreeMap::new();
        for licence in licences {
            if let Entry::Vacant(owner) = owners.entry(licence.user) {
                owner.insert(who.db().user(licence.user).await?.email);
            }
        }
        Ok(Self { products, policies, owners })
    }

    pub fn product(&self, id: ProductId) -> String {
        self.products.get(&id).map(|product| product.name.clone()).unwrap_or_default()
    }

    pub fn policy(&self, id: LicencePolicyId) -> Option<&LicencePolicy> {
        self.policies.get(&id)
    }

    pub fn owner(&self, id: UserId) -> String {
        self.owners.get(&id).cloned().unwrap_or_default()
    }
}

fn is_held(seat: &Seat, policy: Option<&LicencePolicy>, now: Millis) -> bool {
    let floating = policy.and_then(|policy| policy.terms.policy.floating);
    let heard = floating.is_none_or(|f| now <= seat.seen_at.plus(f.window_ms.saturating_add(f.drift_ms)));
    seat.released_at.is_none() && seat.lapsed_at.is_none() && heard
}

/// How many seats are held, of how many.
pub(super) fn seats_words(seats: &[Seat], policy: Option<&LicencePolicy>, now: Millis) -> String {
    let held = seats.iter().filter(|seat| is_held(seat, policy, now)).count();
    match policy.and_then(|policy| policy.terms.policy.seats.machines) {
        Some(max) => format!("{held} of {max}"),
        None => held.to_string(),
    }
}

fn country(address: &str) -> Option<String> {
    address.parse().ok().and_then(|address| Place::of(address).code())
}

fn place(address: &str) -> String {
    let place = address.parse().map_or(Place::Unknown, Place::of).words();
    if address.is_empty() { place } else { format!("{place} ({address})") }
}

fn seat_line(scene: &Scene, policy: Option<&LicencePolicy>, seat: &Seat) -> SeatLine {
    let held = is_held(seat, policy, scene.clock_now());
    let usage = seat.usage;
    let status = match (held, seat.released_at) {
        (true, _) => Badge::new(Tone::Good, "In use"),
        (false, Some(_)) => Badge::new(Tone::Quiet, "Released"),
        (false, None) => Badge::new(Tone::Quiet, "Silent"),
    };
    SeatLine {
        release: format!("{LIST}/{}/seats/{}/release", seat.licence, seat.id),
        account: format!("{} at {} ({})", seat.account, seat.server, seat.kind),
        machine: machine_words(&seat.machine),
        program: program_words(seat),
        place: place(&seat.address),
        seen: scene.clock().show(seat.seen_at),
        usage: format!("{} orders, {} lots, {} h", usage.orders, usage.lots.to_text(2), usage.runtime_s / 3_600),
        status,
        held: seat.released_at.is_none() && seat.lapsed_at.is_none(),
    }
}

/// What a reader can do with versions and their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shows {
    /// Download files.
    pub downloads: bool,
    /// Withdraw versions and remove files.
    pub manages: bool,
}

/// A version as pages show it, with those of the files that are its own.
pub(super) fn version_line(scene: &Scene, version: &EaVersion, files: &[EaFile], shows: Shows) -> VersionLine {
    let offered = version.yanked_at.is_none();
    let yank = (shows.manages && offered).then(|| format!("/admin/ea-versions/{}/yank", version.id));
    // Who manages may look at what was withdrawn.
    let downloads = shows.downloads && (offered || shows.manages);
    let line = |file: &EaFile| FileLine {
        name: file.name.clone(),
        size: bytes_words(file.size),
        sealed: file.is_sealed(),
        download: downloads.then(|| format!("/ea-files/{}/download", file.id)),
        remove: shows.manages.then(|| format!("/admin/ea-files/{}/remove", file.id)),
    };
    VersionLine {
        version: version.version.to_string(),
        channel: version.channel.name(),
        at: scene.clock().show(version.created_at),
        changelog: version.changelog.clone(),
        yanked: version.yanked_at.map(|_| version.yank_reason.clone()),
        yank,
        files: files.iter().filter(|file| file.version == version.id).map(line).collect(),
    }
}

fn event_line(scene: &Scene, event: &LicenceEvent) -> EventLine {
    let (what, tone) = event_words(event.kind);
    let (account, machine) = (&event.account, machine_words(&event.machine));
    EventLine {
        at: scene.clock().show(event.at),
        what,
        tone,
        whereabouts: format!("Account {account}, computer {machine}, {}", place(&event.address)),
    }
}

fn unusual_words(scene: &Scene, found: &Unusual) -> String {
    let name = |code: &str| Place::Country(code.to_owned()).words();
    match found {
        Unusual::Machines(count) => format!("{count} computers took a seat within seven days."),
        Unusual::Travel { from, to, at } => {
            let when = scene.clock().show(*at);
            format!(
                "Heard from {} and then from {} within two hours, on {} {}.",
                name(from),
                name(to),
                when.date,
                when.time
            )
        }
    }
}

/// What a form has just done, in words. Only what stands here is shown: an address cannot put words into a page.
pub(super) fn notice(done: &str) -> Option<Banner> {
    let (title, text) = match done {
        "released" => (
            "Seat released",
            "Another computer or account may have it at once. The EA that had it opens no more trades.",
        ),
        "settings" => ("Settings saved", "The EA has them with its next answer, within a few minutes."),
        "reissued" => (
            "Key replaced",
            "The old key is told so and opens no more trades. Seats stay and are taken up with the new key.",
        ),
        "suspended" => ("Suspended", "Its EAs open no more trades within a second, until you reinstate it."),
        "reinstated" => ("Reinstated", "Its EAs go on by themselves within five minutes."),
        "renewed" => ("Renewed", "Its EAs go on by themselves."),
        "transferred" => (
            "Given to another person",
            "Its key was replaced and its seats were released. Its new owner finds the key on their page Expert Advisors.",
        ),
        "revoked" => ("Revoked for good", "Its EAs are refused everywhere within a second."),
        "issued" => ("Licence issued", "Its owner finds the key on their page Expert Advisors."),
        _ => return None,
    };
    Some(Banner::new(Tone::Good, title, text))
}

/// A licence within reach.
pub(super) async fn page(scene: &Scene, who: &SignedIn, id: LicenceId) -> Result<LicencePage, Problem> {
    let licence = who.db().licence(who.may(Operation::ReadLicences)?, id).await?;
    let names = Names::of(who, std::slice::from_ref(&licence)).await?;
    let policy = names.policy(licence.policy);
    let line = line(scene, who, &names, &licence).await?;
    let reaches = |operation: Operation| operation.reach(who.role) == Reach::Tenant;
    let mut seats = who.db().seats(id).await?;
    let now = scene.clock_now();
    seats.sort_by_key(|seat| (!is_held(seat, policy, now), core::cmp::Reverse(seat.seen_at)));
    let mut events = who.db().licence_events(id, Page::first(EVENTS)).await?.items;
    let looks_after = reaches(Operation::ReadLicences);
    if !looks_after {
        // Seats that are not there any more may have been a former owner's, whose accounts and addresses concern nobody else.
        events.retain(|event| seats.iter().any(|seat| event.activation == Some(seat.id)));
    }
    let versions = who.db().ea_versions(licence.product).await?;
    let files = who.db().ea_files_of(licence.product).await?;
    let (schema, _, settings) = manage::settings_of(who, id).await?;
    let values: Value = settings.and_then(|set| serde_json::from_str(&set.settings).ok()).unwrap_or_default();
    let own = licence.user == who.user;
    let asks = Asks { user: who.user, manages: reaches(Operation::DownloadEaFile) };
    let downloads = (own || asks.manages) && gives(who.db(), asks, licence.product, now).await?;
    let shows = Shows { downloads, manages: false };
    let steps = reaches(Operation::ManageLicences).then_some(LicenceSteps {
        suspend: licence.state == State::Active,
        reinstate: licence.state == State::Suspended,
        alive: licence.state != State::Revoked,
    });
    let found = if looks_after { unusual_use(who.db(), id, now, country).await? } else { Vec::new() };
    let back =
        if looks_after && !own { Link::new("Licences", "/admin/eas") } else { Link::new("Expert Advisors", LIST) };
    Ok(LicencePage {
        back,
        line,
        id: id.to_string(),
        action: format!("{LIST}/{id}"),
        notice: None,
        reason: licence.reason.clone(),
        key: None,
        may_show_key: own,
        may_reissue: licence.state != State::Revoked && (own || reaches(Operation::ReissueLicenceKey)),
        seats: seats.iter().map(|seat| seat_line(scene, policy, seat)).collect(),
        versions: versions.iter().map(|version| version_line(scene, version, &files, shows)).collect(),
        settings: fields_of(&schema, &values, &BTreeMap::new()),
        may_set: own || reaches(Operation::SetUpEa),
        error: None,
        events: events.iter().map(|event| event_line(scene, event)).collect(),
        unusual: found.iter().map(|found| unusual_words(scene, found)).collect(),
        steps,
        zone: scene.clock().name().to_owned(),
        csrf: scene.csrf.clone(),
    })
}

/// How long a policy lasts and what it allows, in words.
pub(super) fn policy_words(policy: &LicencePolicy) -> String {
    use marque_domain::licence::{Kinds, Term};
    let (terms, day) = (&policy.terms.policy, 24 * HOUR_MS);
    let days = |ms: i64| format!("{} days", ms / day);
    let lasts = match (policy.terms.period_ms, terms.term) {
        (Some(period), _) => format!("{}, renewable", days(period)),
        (None, Term::For { ms, .. }) => format!("a trial of {}", days(ms)),
        (None, Term::Perpetual | Term::Until(_)) => "for ever".to_owned(),
    };
    let many = |most: Option<u32>, one: &str, more: &str| match most {
        Some(most) => count(usize::try_from(most).unwrap_or(usize::MAX), one, more),
        None => format!("any {more}"),
    };
    let kinds = match terms.kinds {
        Kinds::Both => "demo and live",
        Kinds::Demo => "demo only",
        Kinds::Live => "live only",
    };
    let (machines, accounts) =
        (many(terms.seats.machines, "computer", "computers"), many(terms.seats.accounts, "account", "accounts"));
    let floating = if terms.floating.is_some() { ", seats held by heartbeats" } else { "" };
    let often = policy.terms.requests_per_minute.map_or_else(String::new, |most| format!("; {most} requests a minute"));
    format!("{lasts}; {machines}, {accounts}; {kinds}{floating}{often}")
}
