//! One of each thing that a brand or a person can have, made once and named by its ids.

use super::World;
use crate::{
    licensing::{
        files::NewFile,
        manage::{self, NewLicence, NewProduct, NewVersion, PolicyWish},
    },
    secrets,
    testing::{NOON, vault},
};
use marque_domain::{
    id::{ActivationId, AuthorKeyId, PluginId, UserId},
    plugin::{Channel, PluginDigest, PluginKind, ReleaseStatus},
};
use marque_store::{
    AuthorKey, LicenceFilter, LicenceRow, MailStatus, NewPlugin, Page, Passkey, QueuedMail, Release, Seat, SeatSalt,
    SeatTaken, SsoConnection, TenantDb, Usage, Whose,
};
use serde_json::json;

impl World {
    /// Sets up a single sign-on connection that only this brand has; answers its name in addresses.
    pub async fn connection(&self, host: &str) -> String {
        let (db, id) = (self.tenant(host).await, 1);
        let place = secrets::Place::new(secrets::SealedColumn::SsoConnections, id);
        let secret = vault().of(&db).await.unwrap().seal(&place, b"a secret").unwrap();
        let connection = SsoConnection {
            id,
            slug: "somebodys".to_owned(),
            name: "Somebody's".to_owned(),
            preset: "oidc".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "client".to_owned(),
            secret,
            settings: r#"{"join":"anyone"}"#.to_owned(),
            domains: Vec::new(),
            enabled: true,
            created_at: NOON,
            updated_at: NOON,
        };
        db.create_sso_connection(&connection).await.unwrap();
        connection.slug
    }

    /// A mail of a brand that could not be delivered; answers its id in addresses.
    pub async fn dead_mail(&self, host: &str) -> String {
        let mail = QueuedMail {
            id: 77,
            kind: "verify-email".to_owned(),
            recipient: "ann@x.example".to_owned(),
            content: vec![1, 2, 3],
            status: MailStatus::Dead,
            attempts: 9,
            next_attempt_at: NOON,
            last_error: Some("no such mailbox".to_owned()),
            created_at: NOON,
            sent_at: None,
        };
        assert!(self.tenant(host).await.queue_mail(&mail, None).await.unwrap());
        mail.id.to_string()
    }

    /// Gives a person a passkey that no authenticator has.
    pub async fn passkey(&self, host: &str, name: &str) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        let passkey = Passkey {
            id: 4_711,
            user,
            credential: vec![1, 2, 3],
            name: "Laptop".to_owned(),
            data: "{}".to_owned(),
            created_at: NOON,
            last_used_at: None,
        };
        db.add_passkey(&passkey, &[]).await.unwrap();
    }

    /// A release of a person's that waits for a decision, and the key that signed it: made up once, past the gate.
    pub async fn release(&self, host: &str, name: &str) -> (String, String) {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        if let Some(there) = db.releases(Whose::User(user)).await.unwrap().first() {
            return (there.plugin.id.to_string(), there.key.to_string());
        }
        let key = AuthorKey {
            id: AuthorKeyId(secrets::new_id(NOON).unwrap()),
            user,
            name: "Laptop".to_owned(),
            public_key: secrets::random_bytes::<32>().unwrap().to_vec(),
            created_at: NOON,
            revoked_at: None,
        };
        db.add_author_key(&key).await.unwrap();
        let digest = PluginDigest(secrets::random_bytes().unwrap());
        let release = Release {
            plugin: NewPlugin {
                id: PluginId(secrets::new_id(NOON).unwrap()),
                name: format!("{name}s-own"),
                version: "1.0.0".to_owned(),
                kind: PluginKind::Strategy,
                digest,
                size: 32,
                description: r#"{"summary":"Made up.","settings_schema":{},"hooks":{"bars":true,"ticks":false,"history_bars":0}}"#.to_owned(),
            },
            user,
            key: key.id,
            channel: Channel::Stable,
            contract: "1.1".to_owned(),
            signature: vec![1; 64],
            changelog: "First.".to_owned(),
            report: "{}".to_owned(),
            status: ReleaseStatus::Pending,
            reason: String::new(),
            created_at: NOON,
            decided_at: None,
        };
        assert_eq!(db.add_release(&release, &digest.0).await.unwrap(), None);
        (release.plugin.id.to_string(), key.id.to_string())
    }

    /// An Expert Advisor with a version and a policy, and a person's licence with a seat: made up once. Answers their ids.
    pub async fn licence(&self, host: &str, name: &str) -> [String; 5] {
        let db = self.tenant(host).await;
        let user = db.user_by_email(&format!("{name}@x.example")).await.unwrap().unwrap().id;
        let there = db.licences(Whose::User(user), LicenceFilter::default(), Page::first(1)).await.unwrap().items;
        let licence = match there.into_iter().next() {
            Some(licence) => licence,
            None => make_licence(&db, user).await,
        };
        let version = db.ea_versions(licence.product).await.unwrap().remove(0).id;
        let seat = db.seats(licence.id).await.unwrap().remove(0).id;
        let (ea, policy) = (licence.product.to_string(), licence.policy.to_string());
        [ea, version.to_string(), policy, licence.id.to_string(), seat.to_string()]
    }

    /// A file of a version: made up once. Answers its id.
    pub async fn ea_file(&self, host: &str, version: &str) -> String {
        let (db, version) = (self.tenant(host).await, version.parse().unwrap());
        if let Some(there) = db.ea_files(version).await.unwrap().first() {
            return there.id.to_string();
        }
        let new = NewFile { version, name: "Gold Rush.ex5".to_owned(), sealed: true, bytes: b"EX5\x02q".to_vec() };
        self.files.put(&db, new, None).await.unwrap().id.to_string()
    }
}

async fn make_licence(db: &TenantDb, user: UserId) -> LicenceRow {
    let schema = json!({ "type": "object", "properties": { "lots": { "type": "number" } } });
    let product = NewProduct {
        code: "gold-rush".to_owned(),
        name: "Gold Rush".to_owned(),
        summary: String::new(),
        plans: Vec::new(),
        settings_schema: Some(schema),
    };
    let product = manage::put_product(db, product, NOON).await.unwrap().id;
    let version = NewVersion { version: "1.20".to_owned(), channel: Channel::Stable, changelog: String::new() };
    manage::put_version(db, product, version, NOON).await.unwrap();
    let wish = PolicyWish { name: "Standard".to_owned(), ..PolicyWish::default() };
    let policy = manage::put_policy(db, product, &wish, NOON).await.unwrap();
    let issued = manage::issue(db, &vault(), NewLicence { user, policy, ends_at: None }, NOON).await.unwrap();
    let id = ActivationId(secrets::new_id(NOON).unwrap());
    let licence = issued.licence.id;
    let text = |text: &str| text.to_owned();
    let seat = Seat {
        id,
        licence,
        account: text("5001"),
        server: text("Broker-Demo"),
        machine: "ab".repeat(32),
        kind: text("demo"),
        platform: text("mt5"),
        version: text("1.20"),
        address: text("203.0.113.9"),
        nonce: "0".repeat(32),
        generation: 1,
        taken_at: NOON,
        seen_at: NOON,
        released_at: None,
        lapsed_at: None,
        usage: Usage::default(),
    };
    let salt = SeatSalt {
        id: id.0,
        licence,
        activation: id,
        generation: 1,
        salt: vec![1, 2, 3],
        created_at: NOON,
        retires_at: None,
    };
    let row = db.licence(Whose::Everyone, licence).await.unwrap();
    let revision = row.revision;
    let (lapsed, forgotten, events) = (Vec::new(), Vec::new(), Vec::new());
    let taken = SeatTaken { revision, seat, new: true, moved: true, salt, lapsed, replaced: None, forgotten, events };
    assert!(db.take_seat(&taken).await.unwrap());
    row
}
