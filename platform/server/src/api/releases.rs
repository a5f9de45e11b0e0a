//! What authors publish, and what the brand decides about it.

use super::{
    Tag,
    caller::{Caller, invalid},
    idempotency::once,
    refused::Refused,
    text::Text,
};
use crate::{
    identity::Operation,
    plugins::registry::{self, Submission},
    problem::Problem,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use marque_domain::{
    id::{AuthorKeyId, PluginId},
    plugin::{self, PluginKind, ReleaseStatus},
};
use marque_store::{AuthorKey, Release};
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path},
    payload::Json,
    types::{Any, Example},
};
use serde_json::Value;

pub(super) struct Releases;

/// What a plugin does.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "PluginReleaseKind")]
enum Kind {
    /// Turns market events into intents.
    Strategy,
    /// Allows, shrinks or refuses orders, and watches accounts.
    RiskRule,
}

/// Through which a release reaches those who deploy it.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "PluginChannel")]
pub(super) enum Channel {
    /// What everybody gets.
    Stable,
    /// What those get who ask for it.
    Beta,
}

impl From<Channel> for plugin::Channel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Stable => Self::Stable,
            Channel::Beta => Self::Beta,
        }
    }
}

/// Where a release is on its way into the catalogue.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "PluginReleaseStatus")]
enum Status {
    /// The gate accepted it; nobody has decided.
    Pending,
    /// It may be deployed.
    Approved,
    /// Somebody decided against it.
    Refused,
    /// It was withdrawn: what runs goes on, nothing new starts with it.
    Yanked,
}

/// A version of a plugin as its author published it.
#[derive(Object)]
#[oai(rename = "PluginRelease", skip_serializing_if_is_none)]
struct ReleaseEntry {
    /// Its id.
    id: String,
    /// Its plugin's name.
    name: String,
    /// Its semantic version.
    version: String,
    /// What it does.
    kind: Kind,
    /// Through which it is offered.
    channel: Channel,
    /// The SHA-256 of its component, in hexadecimal digits.
    digest: String,
    /// Bytes of its component.
    size: u64,
    /// The version of the plugin contract that it is built for.
    contract: String,
    /// Who published it.
    author: String,
    /// The key that signed it.
    key: String,
    /// The signature, in base64.
    signature: String,
    /// What changed, in the author's words.
    changelog: String,
    /// Where it is on its way.
    status: Status,
    /// Why it was refused or withdrawn.
    reason: Option<String>,
    /// When it was published.
    created_at: String,
    /// When it was last decided on.
    decided_at: Option<String>,
    /// What the gate said: a score, what it measured, and findings that say what, why and how to mend.
    report: Any<Value>,
}

impl From<Release> for ReleaseEntry {
    fn from(release: Release) -> Self {
        let plugin = release.plugin;
        Self {
            id: plugin.id.to_string(),
            name: plugin.name,
            version: plugin.version,
            kind: match plugin.kind {
                PluginKind::Strategy => Kind::Strategy,
                PluginKind::RiskRule => Kind::RiskRule,
            },
            channel: match release.channel {
                plugin::Channel::Stable => Channel::Stable,
                plugin::Channel::Beta => Channel::Beta,
            },
            digest: plugin.digest.to_string(),
            size: plugin.size,
            contract: release.contract,
            author: release.user.to_string(),
            key: release.key.to_string(),
            signature: BASE64_STANDARD.encode(release.signature),
            changelog: release.changelog,
            status: match release.status {
                ReleaseStatus::Pending => Status::Pending,
                ReleaseStatus::Approved => Status::Approved,
                ReleaseStatus::Refused => Status::Refused,
                ReleaseStatus::Yanked => Status::Yanked,
            },
            reason: Some(release.reason).filter(|reason| !reason.is_empty()),
            created_at: release.created_at.to_rfc3339(),
            decided_at: release.decided_at.map(|at| at.to_rfc3339()),
            report: Any(serde_json::from_str(&release.report).unwrap_or_default()),
        }
    }
}

/// Releases.
#[derive(Object)]
#[oai(rename = "PluginReleases")]
struct ReleaseList {
    /// The newest first, at most 200.
    items: Vec<ReleaseEntry>,
}

/// A version to be published.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewPluginRelease")]
struct NewRelease {
    /// The component, in base64.
    component: Text,
    /// The registered public key that signed it, in base64.
    public_key: Text,
    /// An Ed25519 signature, in base64, over five lines that each end with a line feed: `marque plugin release 1`, then
    /// `sha256: `, `name: `, `version: ` and `contract: ` with what the gate reads of the component.
    signature: Text,
    /// Through which it shall be offered.
    channel: Channel,
    /// What changed, for those who choose it: at most 16 KiB.
    #[oai(skip_serializing_if_is_none)]
    changelog: Option<Text>,
}

impl Example for NewRelease {
    fn example() -> Self {
        Self {
            component: "AGFzbQ0AAQA=".into(),
            public_key: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".into(),
            signature: "5VZDAMNgrHKQhuLMgG6CioSHfx64UOyyDxICt9qU0a2ZuuhlJ2TqzZ0Y0Py3GN0KxIJnhLJ1k9Pq8p4yKQ0MBQ=="
                .into(),
            channel: Channel::Stable,
            changelog: Some("First version.".into()),
        }
    }
}

/// Why something is done.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "PluginReleaseReason")]
struct Reason {
    /// On one line of at most 500 characters; the author reads it.
    reason: Text,
}

impl Example for Reason {
    fn example() -> Self {
        Self { reason: "It trades on what it cannot know yet".into() }
    }
}

/// A public key that an author signs with.
#[derive(Object)]
#[oai(rename = "AuthorKey", skip_serializing_if_is_none)]
struct KeyEntry {
    /// Its id.
    id: String,
    /// Whose.
    author: String,
    /// What its owner calls it.
    name: String,
    /// The Ed25519 public key, in base64.
    public_key: String,
    /// When it was registered.
    created_at: String,
    /// From when on nothing more can be published with it.
    revoked_at: Option<String>,
}

impl From<AuthorKey> for KeyEntry {
    fn from(key: AuthorKey) -> Self {
        Self {
            id: key.id.to_string(),
            author: key.user.to_string(),
            name: key.name,
            public_key: BASE64_STANDARD.encode(key.public_key),
            created_at: key.created_at.to_rfc3339(),
            revoked_at: key.revoked_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// Keys.
#[derive(Object)]
#[oai(rename = "AuthorKeys")]
struct KeyList {
    /// The newest first.
    items: Vec<KeyEntry>,
}

/// A key to be registered.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "NewAuthorKey")]
struct NewKey {
    /// What you call it.
    name: Text,
    /// The Ed25519 public key, in base64, as `marque plugin key` prints it.
    public_key: Text,
}

impl Example for NewKey {
    fn example() -> Self {
        Self { name: "Laptop".into(), public_key: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".into() }
    }
}

fn bytes(field: &str, text: &Text) -> Result<Vec<u8>, Problem> {
    BASE64_STANDARD.decode(&text.0).map_err(|_| invalid(field, "is not base64"))
}

fn release_id(text: &str) -> Result<PluginId, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

#[OpenApi(tag = "Tag::Plugins")]
impl Releases {
    /// List releases
    ///
    /// What you published; everybody's for who works for the brand. Each with the gate's report.
    #[oai(path = "/plugins/releases", method = "get", operation_id = "list_releases")]
    async fn list_releases(&self, caller: Caller) -> Result<Json<ReleaseList>, Refused> {
        let releases = caller.db().releases(caller.who.may(Operation::ReadReleases)?).await?;
        Ok(Json(ReleaseList { items: releases.into_iter().map(ReleaseEntry::from).collect() }))
    }

    /// Publish a release
    ///
    /// The gate examines the component: a fatal finding refuses it, with what to mend in `errors`. Then it waits for the
    /// brand's approval. A name is its first author's, and a version is published once.
    #[oai(path = "/plugins/releases", method = "post", operation_id = "publish_release", transform = "once")]
    async fn publish_release(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<NewRelease>,
    ) -> Result<Json<ReleaseEntry>, Refused> {
        caller.who.may(Operation::PublishPlugin)?;
        let submission = Submission {
            component: bytes("/component", &wanted.0.component)?,
            public_key: bytes("/public_key", &wanted.0.public_key)?,
            signature: bytes("/signature", &wanted.0.signature)?,
            channel: wanted.0.channel.into(),
            changelog: wanted.0.changelog.map(|text| text.0).unwrap_or_default(),
        };
        let parts = &caller.app.0;
        let made = registry::publish(&caller.who, &parts.gatekeeper, submission, &parts.clock).await?;
        Ok(Json(made.into()))
    }

    /// Look at a release
    #[oai(path = "/plugins/releases/:release", method = "get", operation_id = "get_release")]
    async fn get_release(
        &self,
        caller: Caller,
        /// The release's id.
        release: Path<String>,
    ) -> Result<Json<ReleaseEntry>, Refused> {
        let whose = caller.who.may(Operation::ReadReleases)?;
        Ok(Json(caller.db().release(whose, release_id(&release.0)?).await?.into()))
    }

    /// Approve a release
    ///
    /// It enters the catalogue of its channel: new deployments take the highest version that was approved. What runs keeps
    /// the version that it was deployed with.
    #[oai(
        path = "/plugins/releases/:release/approve",
        method = "post",
        operation_id = "approve_release",
        transform = "once"
    )]
    async fn approve_release(
        &self,
        caller: Caller,
        /// The release's id.
        release: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<ReleaseEntry>, Refused> {
        caller.who.may(Operation::ApprovePlugin)?;
        let id = release_id(&release.0)?;
        Ok(Json(registry::decide(&caller.who, id, None, &caller.app.0.clock).await?.into()))
    }

    /// Refuse a release
    #[oai(
        path = "/plugins/releases/:release/refuse",
        method = "post",
        operation_id = "refuse_release",
        transform = "once"
    )]
    async fn refuse_release(
        &self,
        caller: Caller,
        /// The release's id.
        release: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        why: Json<Reason>,
    ) -> Result<Json<ReleaseEntry>, Refused> {
        caller.who.may(Operation::ApprovePlugin)?;
        let id = release_id(&release.0)?;
        Ok(Json(registry::decide(&caller.who, id, Some(&why.0.reason.0), &caller.app.0.clock).await?.into()))
    }

    /// Withdraw a release
    ///
    /// By its author or by the brand. Nothing new is deployed with it; what runs goes on.
    #[oai(path = "/plugins/releases/:release/yank", method = "post", operation_id = "yank_release", transform = "once")]
    async fn yank_release(
        &self,
        caller: Caller,
        /// The release's id.
        release: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        why: Json<Reason>,
    ) -> Result<Json<ReleaseEntry>, Refused> {
        caller.who.may(Operation::PublishPlugin)?;
        let id = release_id(&release.0)?;
        Ok(Json(registry::yank(&caller.who, id, &why.0.reason.0, &caller.app.0.clock).await?.into()))
    }

    /// List author keys
    ///
    /// The public keys that your releases are signed with.
    #[oai(path = "/plugins/keys", method = "get", operation_id = "list_author_keys")]
    async fn list_author_keys(&self, caller: Caller) -> Result<Json<KeyList>, Refused> {
        let keys = caller.db().author_keys(caller.who.may(Operation::ManageAuthorKeys)?).await?;
        Ok(Json(KeyList { items: keys.into_iter().map(KeyEntry::from).collect() }))
    }

    /// Register an author key
    #[oai(path = "/plugins/keys", method = "post", operation_id = "add_author_key", transform = "once")]
    async fn add_author_key(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<NewKey>,
    ) -> Result<Json<KeyEntry>, Refused> {
        caller.who.may(Operation::ManageAuthorKeys)?;
        let public_key = bytes("/public_key", &wanted.0.public_key)?;
        Ok(Json(registry::add_key(&caller.who, &wanted.0.name.0, public_key, &caller.app.0.clock).await?.into()))
    }

    /// Revoke an author key
    ///
    /// Nothing more can be published with it. What it signed stays.
    #[oai(
        path = "/plugins/keys/:author_key/revoke",
        method = "post",
        operation_id = "revoke_author_key",
        transform = "once"
    )]
    async fn revoke_author_key(
        &self,
        caller: Caller,
        /// The key's id.
        author_key: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<KeyEntry>, Refused> {
        caller.who.may(Operation::ManageAuthorKeys)?;
        let id: AuthorKeyId = author_key.0.parse().map_err(|_| Problem::not_found())?;
        Ok(Json(registry::revoke_key(&caller.who, id, &caller.app.0.clock).await?.into()))
    }
}
