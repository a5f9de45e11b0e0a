//! The registry of a brand: what authors publish, signed, and what the brand lets into its catalogue.
//!
//! A release is pending once the gate accepts it and its signature fits; a person of the brand approves or refuses it;
//! its author, or the brand, may withdraw it. Each step is recorded.

use super::{
    Described,
    signature::{self, Statement},
};
use crate::{
    audit::Act,
    clock::Clock,
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    secrets,
};
use marque_domain::{
    id::{AuthorKeyId, PluginId},
    plugin::{Channel, PluginDigest, ReleaseStatus},
};
use marque_sandbox::{
    Limits,
    gate::{Gate, Report, Told, WorkerLimits},
};
use marque_store::{AuthorKey, NewPlugin, Release, StoreError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{path::PathBuf, time::Duration};
use tokio::sync::Semaphore;

/// Bytes of a changelog.
const CHANGELOG_BYTES_MAX: usize = 16 << 10;
const NAME_CHARS_MAX: usize = 60;
const REASON_CHARS_MAX: usize = 500;
/// How long an upload waits for those before it.
const WAIT: Duration = Duration::from_secs(20);

/// Examines uploads: each in a process of its own, one at a time, so that authors never take a node's cores from traders.
#[derive(Debug)]
pub struct Gatekeeper {
    gate: Gate,
    turn: Semaphore,
}

impl Gatekeeper {
    /// A gate in a process of this program.
    #[must_use]
    pub fn new() -> Self {
        // The tests of this room are another program: theirs is examined where they run, by the same checks.
        let gate = if cfg!(test) {
            Gate::here(Limits::default())
        } else {
            Gate::apart(Limits::default(), this_program(), &["plugin-gate"], WorkerLimits::default())
        };
        Self { gate, turn: Semaphore::new(1) }
    }

    async fn judge(&self, component: Vec<u8>) -> Result<Report, Problem> {
        let turn = tokio::time::timeout(WAIT, self.turn.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let detail = "Other plugins are being examined. Send it again in a moment.";
            return Err(Problem::new(ProblemCode::Unavailable, detail).retry_after_s(10));
        };
        let gate = self.gate.clone();
        let judged = tokio::task::spawn_blocking(move || gate.judge(&component)).await;
        judged.map_err(|error| Problem::internal(&error))?.map_err(|error| {
            tracing::error!(%error, "a plugin could not be examined");
            Problem::new(ProblemCode::Unavailable, "The plugin could not be examined now. Send it again in a moment.")
                .retry_after_s(10)
        })
    }
}

impl Default for Gatekeeper {
    fn default() -> Self {
        Self::new()
    }
}

/// On Linux this leads to the program that runs, even after its file was replaced by a newer one.
fn this_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or(running) }
}

/// What an author sends.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The component.
    pub component: Vec<u8>,
    /// The 32 bytes of the registered key that signed it.
    pub public_key: Vec<u8>,
    /// The signature over the [`Statement`].
    pub signature: Vec<u8>,
    /// Through which channel it shall be offered.
    pub channel: Channel,
    /// What changed.
    pub changelog: String,
}

/// Publishes a version: the gate examines it, the signature must fit, and then it waits for the brand.
///
/// # Errors
/// [`ProblemCode::Invalid`] with every fatal finding of the gate, or when the signature does not fit;
/// [`ProblemCode::Conflict`] when name, version or component are taken.
pub async fn publish(
    who: &SignedIn,
    gatekeeper: &Gatekeeper,
    wanted: Submission,
    clock: &Clock,
) -> Result<Release, Problem> {
    who.may(Operation::PublishPlugin)?;
    if wanted.changelog.len() > CHANGELOG_BYTES_MAX {
        return Err(field("changelog", format!("at most {CHANGELOG_BYTES_MAX} bytes")));
    }
    // Before the work of the gate: who has no key here publishes nothing, nor what is there or has no room.
    let key = who.db().author_key(who.user, &wanted.public_key).await?;
    let key = key.filter(|key| key.revoked_at.is_none());
    let key = key.ok_or_else(|| field("public_key", "not one of your keys here; register it first".to_owned()))?;
    let bytes = PluginDigest(Sha256::digest(&wanted.component).into());
    if let Some(refused) = who.db().release_refused(who.user, bytes).await? {
        return Err(not_published(&refused));
    }
    let (report, component) = (gatekeeper.judge(wanted.component.clone()).await?, wanted.component);
    let (told, digest) = accepted(&report)?;
    let contract = report.contract.clone().unwrap_or_else(|| "1.0".to_owned());
    let statement = Statement { digest, name: &told.name, version: &told.version, contract: &contract };
    if !statement.is_signed(&key.public_key, &wanted.signature) {
        let detail = format!("does not sign this with that key: {:?}", statement.text());
        return Err(field("signature", detail));
    }
    let now = clock.now();
    let release = Release {
        plugin: NewPlugin {
            id: PluginId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?),
            name: told.name.clone(),
            version: told.version.clone(),
            kind: told.kind,
            digest,
            size: component.len() as u64,
            description: serde_json::to_string(&described(told)).map_err(|error| Problem::internal(&error))?,
        },
        user: who.user,
        key: key.id,
        channel: wanted.channel,
        contract,
        signature: wanted.signature,
        changelog: wanted.changelog,
        report: serde_json::to_string(&report).map_err(|error| Problem::internal(&error))?,
        status: ReleaseStatus::Pending,
        reason: String::new(),
        created_at: now,
        decided_at: None,
    };
    if let Some(taken) = who.db().add_release(&release, &component).await? {
        return Err(not_published(&taken));
    }
    record(who, Act::PluginPublished, &release).await?;
    Ok(release)
}

fn not_published(taken: &str) -> Problem {
    Problem::new(ProblemCode::Conflict, format!("It is not published: {taken}."))
}

/// What a report says of a component that the gate accepts; else a problem that teaches.
fn accepted(report: &Report) -> Result<(&Told, PluginDigest), Problem> {
    if let (true, Some(told), Ok(digest)) = (report.accepted, &report.plugin, report.digest.parse()) {
        return Ok((told, digest));
    }
    let detail = "The gate does not accept this plugin. `marque plugin check` says the same before you publish.";
    let problem = Problem::new(ProblemCode::Invalid, detail);
    let fatal = report.findings.iter().filter(|f| f.code.severity() == marque_sandbox::gate::Severity::Fatal);
    Err(fatal.fold(problem, |problem, finding| {
        let (code, detail) = (finding.code, &finding.detail);
        problem.field("component", format!("{code}: {} {detail} {}", code.what(), code.mend()))
    }))
}

fn described(told: &Told) -> Described {
    Described {
        summary: told.summary.clone(),
        settings_schema: serde_json::from_str(&told.settings_schema).unwrap_or(serde_json::Value::Bool(true)),
        hooks: told.hooks,
    }
}

fn field(name: &str, detail: String) -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct the fields that `errors` names and send the request again.")
        .field(format!("/{name}"), detail)
}

async fn record(who: &SignedIn, act: Act, release: &Release) -> Result<(), Problem> {
    let plugin = &release.plugin;
    let details = json!({
        "name": plugin.name, "version": plugin.version, "digest": plugin.digest.to_string(),
        "channel": release.channel.name(), "reason": release.reason,
    });
    who.audit(act, plugin.id.to_string(), details).await
}

/// A reason that people read, on one line.
fn reason(text: &str) -> Result<&str, Problem> {
    let text = text.trim();
    let fits = (1..=REASON_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { Err(field("reason", format!("1 to {REASON_CHARS_MAX} characters on one line"))) }
}

/// Lets a release in, or refuses it with a reason.
///
/// # Errors
/// [`ProblemCode::NotFound`]; [`ProblemCode::Conflict`] when it is not pending.
pub async fn decide(who: &SignedIn, id: PluginId, refused: Option<&str>, clock: &Clock) -> Result<Release, Problem> {
    who.may(Operation::ApprovePlugin)?;
    let refused = refused.map(reason).transpose()?;
    if refused.is_none() {
        // Whoever found a browser that was left open must not let their own code run for everybody.
        who.recently_proved_in_browser(clock.now())?;
    }
    let decided = who.db().decide_release(id, refused, clock.now()).await;
    let release = decided.map_err(|error| moved(error, "Only a pending release can be decided on."))?;
    let act = if refused.is_some() { Act::PluginRefused } else { Act::PluginApproved };
    record(who, act, &release).await?;
    Ok(release)
}

/// Withdraws a release: nothing new is deployed with it, and what runs goes on.
///
/// # Errors
/// [`ProblemCode::NotFound`]; [`ProblemCode::Conflict`] when it is refused or withdrawn already.
pub async fn yank(who: &SignedIn, id: PluginId, why: &str, clock: &Clock) -> Result<Release, Problem> {
    let whose = who.may(Operation::PublishPlugin)?;
    let why = reason(why)?;
    let yanked = who.db().yank_release(whose, id, why, clock.now()).await;
    let release = yanked.map_err(|error| moved(error, "It is refused or withdrawn already."))?;
    record(who, Act::PluginYanked, &release).await?;
    Ok(release)
}

/// A release that is elsewhere on its way says so; the rest as always.
fn moved(error: StoreError, detail: &str) -> Problem {
    match error {
        StoreError::Conflict(_) => Problem::new(ProblemCode::Conflict, detail),
        other => other.into(),
    }
}

/// Registers a public key for the one who asks.
///
/// # Errors
/// [`ProblemCode::Invalid`] when it is no key, [`ProblemCode::Conflict`] when it is known or there are too many.
pub async fn add_key(who: &SignedIn, name: &str, public_key: Vec<u8>, clock: &Clock) -> Result<AuthorKey, Problem> {
    who.may(Operation::ManageAuthorKeys)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(field("name", format!("1 to {NAME_CHARS_MAX} printable characters")));
    }
    if !signature::is_public_key(&public_key) {
        return Err(field(
            "public_key",
            "32 bytes of an Ed25519 public key in base64, as `marque plugin key` prints".to_owned(),
        ));
    }
    let now = clock.now();
    let id = AuthorKeyId(secrets::new_id(now).map_err(|error| Problem::internal(&error))?);
    let (name, user) = (name.to_owned(), who.user);
    let key = AuthorKey { id, user, name, public_key, created_at: now, revoked_at: None };
    who.db().add_author_key(&key).await?;
    who.audit(Act::AuthorKeyAdded, id.to_string(), json!({ "name": key.name })).await?;
    Ok(key)
}

/// Revokes a key: nothing more is published with it. What it signed stays.
///
/// # Errors
/// [`ProblemCode::NotFound`].
pub async fn revoke_key(who: &SignedIn, id: AuthorKeyId, clock: &Clock) -> Result<AuthorKey, Problem> {
    let whose = who.may(Operation::ManageAuthorKeys)?;
    let key = who.db().revoke_author_key(whose, id, clock.now()).await?;
    who.audit(Act::AuthorKeyRevoked, id.to_string(), json!({ "name": key.name })).await?;
    Ok(key)
}
