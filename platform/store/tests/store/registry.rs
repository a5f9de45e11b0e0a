//! Keys and releases of authors.

use crate::harness::{AURORA, BOREALIS, Bench, NOW};
use marque_domain::{
    id::{AuthorKeyId, PluginId, UserId},
    plugin::{Channel, PluginDigest, PluginKind, ReleaseStatus},
    time::Millis,
};
use marque_store::{AUTHOR_KEYS_MAX, AuthorKey, NewPlugin, RELEASES_PENDING_MAX, Release, StoreError, TenantDb, Whose};

on_both!(
    a_release_enters_the_catalogue_when_it_is_approved,
    names_versions_and_components_are_taken_once,
    keys_are_an_authors_own
);

fn key(id: i64, user: i64) -> AuthorKey {
    let bytes = u8::try_from(id).unwrap();
    AuthorKey {
        id: AuthorKeyId(id),
        user: UserId(user),
        name: format!("Key {id}"),
        public_key: vec![bytes; 32],
        created_at: NOW,
        revoked_at: None,
    }
}

fn release(id: u8, user: i64, name: &str, version: &str) -> Release {
    Release {
        plugin: NewPlugin {
            id: PluginId(i64::from(id)),
            name: name.to_owned(),
            version: version.to_owned(),
            kind: PluginKind::Strategy,
            digest: PluginDigest([id; 32]),
            size: 3,
            description: "{}".to_owned(),
        },
        user: UserId(user),
        key: AuthorKeyId(user),
        channel: Channel::Stable,
        contract: "1.1".to_owned(),
        signature: vec![9; 64],
        changelog: "First.".to_owned(),
        report: "{}".to_owned(),
        status: ReleaseStatus::Pending,
        reason: String::new(),
        created_at: NOW,
        decided_at: None,
    }
}

/// Publishes a release, with a component of three bytes.
async fn add(db: &TenantDb, release: &Release) -> Result<Option<String>, StoreError> {
    db.add_release(release, &release.plugin.digest.0[..3]).await
}

/// Two authors with a key each.
async fn authors(bench: &Bench) {
    for tenant in [AURORA, BOREALIS] {
        for author in [1, 2] {
            bench.db(tenant).add_author_key(&key(author, author)).await.unwrap();
        }
    }
}

async fn a_release_enters_the_catalogue_when_it_is_approved(bench: Bench) {
    authors(&bench).await;
    let db = bench.db(AURORA);
    let offered = async |channel| {
        let found = db.plugin_in_channel("gap-fade", channel).await.unwrap();
        found.map(|plugin| (plugin.plugin.version, plugin.published))
    };
    let later = Millis(NOW.0 + 5);
    for (id, version, channel) in [
        (1, "1.0.0", Channel::Stable),
        (2, "1.10.0", Channel::Stable),
        (3, "1.9.0", Channel::Stable),
        (4, "2.0.0-rc.1", Channel::Beta),
    ] {
        let new = Release { channel, ..release(id, 1, "gap-fade", version) };
        assert_eq!(add(&db, &new).await.unwrap(), None);
        assert_eq!(db.release(Whose::User(UserId(1)), PluginId(i64::from(id))).await.unwrap(), new);
    }
    assert_eq!(offered(Channel::Stable).await, None);
    for id in 1..=4 {
        let approved = db.decide_release(PluginId(id), None, later).await.unwrap();
        assert_eq!((approved.status, approved.decided_at), (ReleaseStatus::Approved, Some(later)));
    }
    // The highest version, not the last or the one that sorts last as text.
    assert_eq!(offered(Channel::Stable).await, Some(("1.10.0".to_owned(), true)));
    assert_eq!(offered(Channel::Beta).await, Some(("2.0.0-rc.1".to_owned(), true)));
    assert!(matches!(db.decide_release(PluginId(1), None, later).await, Err(StoreError::Conflict(_))));
    assert!(matches!(db.decide_release(PluginId(9), None, later).await, Err(StoreError::NotFound(_))));

    let yanked = db.yank_release(Whose::User(UserId(1)), PluginId(2), "wrong", later).await.unwrap();
    assert_eq!((yanked.status, yanked.reason.as_str()), (ReleaseStatus::Yanked, "wrong"));
    assert_eq!(offered(Channel::Stable).await, Some(("1.9.0".to_owned(), true)));
    // Who runs it still finds it.
    assert!(db.plugin_by_digest(PluginDigest([2; 32])).await.unwrap().is_some());
    assert!(matches!(db.yank_release(Whose::Everyone, PluginId(2), "", later).await, Err(StoreError::Conflict(_))));
    assert!(matches!(
        db.yank_release(Whose::User(UserId(2)), PluginId(3), "", later).await,
        Err(StoreError::NotFound(_))
    ));
    assert!(matches!(bench.db(BOREALIS).release(Whose::Everyone, PluginId(3)).await, Err(StoreError::NotFound(_))));
    assert_eq!(bench.db(BOREALIS).releases(Whose::Everyone).await.unwrap(), []);

    assert_eq!(add(&db, &release(5, 1, "gap-fade", "3.0.0")).await.unwrap(), None);
    let refused = db.decide_release(PluginId(5), Some("no"), later).await.unwrap();
    assert_eq!((refused.status, refused.reason.as_str()), (ReleaseStatus::Refused, "no"));
    assert_eq!(offered(Channel::Stable).await, Some(("1.9.0".to_owned(), true)));
    let ids: Vec<i64> = db.releases(Whose::User(UserId(1))).await.unwrap().iter().map(|r| r.plugin.id.0).collect();
    assert_eq!(ids, [5, 4, 3, 2, 1]);
}

async fn names_versions_and_components_are_taken_once(bench: Bench) {
    authors(&bench).await;
    let db = bench.db(AURORA);
    bench.store.system("test").put_artifact(PluginDigest([30; 32]), &[30; 3]).await.unwrap();
    db.add_plugin(&release(30, 1, "ema-cross", "1.0.0").plugin, NOW).await.unwrap();
    let kept = async |id: u8| bench.store.system("test").artifact(PluginDigest([id; 32])).await.unwrap();
    assert_eq!(add(&db, &release(1, 1, "gap-fade", "1.0.0")).await.unwrap(), None);
    for (why, other) in [
        ("another author's", release(2, 2, "gap-fade", "2.0.0")),
        ("raise its version", release(2, 1, "gap-fade", "1.0.0")),
        ("of the platform", release(2, 1, "ema-cross", "9.0.0")),
    ] {
        let taken = add(&db, &other).await.unwrap();
        assert!(taken.as_deref().is_some_and(|text| text.contains(why)), "{why}: {taken:?}");
        assert_eq!((kept(1).await, kept(2).await), (Some(vec![1; 3]), None), "{why}: nothing more is kept");
    }
    let mut same = release(2, 1, "other", "1.0.0");
    same.plugin.digest = PluginDigest([1; 32]);
    assert!(add(&db, &same).await.unwrap().is_some_and(|text| text.contains("this very component")));
    let said = db.release_refused(UserId(2), PluginDigest([1; 32])).await.unwrap();
    assert!(said.is_some_and(|text| text.contains("this very component")), "nobody need look at it first");
    assert_eq!(db.release_refused(UserId(2), PluginDigest([2; 32])).await.unwrap(), None);
    // Without its release no component is kept; another brand has names of its own.
    let lost = Release { key: AuthorKeyId(99), ..release(200, 1, "lost", "1.0.0") };
    assert!(matches!(add(&db, &lost).await, Err(StoreError::BrokenReference(_))));
    assert_eq!(kept(200).await, None);
    assert_eq!(add(&bench.db(BOREALIS), &release(1, 2, "gap-fade", "1.0.0")).await.unwrap(), None);

    let most = u8::try_from(RELEASES_PENDING_MAX).unwrap();
    for id in 2..=most {
        assert_eq!(add(&db, &release(id, 1, "gap-fade", &format!("1.0.{id}"))).await.unwrap(), None);
    }
    let waits = add(&db, &release(most + 1, 1, "gap-fade", "5.0.0")).await.unwrap();
    assert!(waits.is_some_and(|text| text.contains("wait for a decision")));
    assert_eq!(kept(most + 1).await, None);
    let said = db.release_refused(UserId(1), PluginDigest([99; 32])).await.unwrap();
    assert!(said.is_some_and(|text| text.contains("wait for a decision")));
}

async fn keys_are_an_authors_own(bench: Bench) {
    let db = bench.db(AURORA);
    db.add_author_key(&key(1, 1)).await.unwrap();
    let again = AuthorKey { id: AuthorKeyId(9), user: UserId(2), ..key(1, 1) };
    assert!(matches!(db.add_author_key(&again).await, Err(StoreError::Conflict(_))), "a key is one person's");
    bench.db(BOREALIS).add_author_key(&key(1, 1)).await.unwrap();
    assert_eq!(db.author_key(UserId(1), &[1; 32]).await.unwrap(), Some(key(1, 1)));
    assert_eq!(db.author_key(UserId(2), &[1; 32]).await.unwrap(), None);
    assert!(matches!(
        db.revoke_author_key(Whose::User(UserId(2)), AuthorKeyId(1), NOW).await,
        Err(StoreError::NotFound(_))
    ));
    let revoked = db.revoke_author_key(Whose::User(UserId(1)), AuthorKeyId(1), NOW).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(NOW));
    // Revoked again it stays revoked since then.
    let again = db.revoke_author_key(Whose::User(UserId(1)), AuthorKeyId(1), Millis(NOW.0 + 9)).await.unwrap();
    assert_eq!(again.revoked_at, Some(NOW));
    for id in 2..=i64::try_from(AUTHOR_KEYS_MAX).unwrap() {
        db.add_author_key(&key(id, 1)).await.unwrap();
    }
    assert!(matches!(db.add_author_key(&key(100, 1)).await, Err(StoreError::Conflict(_))));
    let ids: Vec<i64> = db.author_keys(Whose::User(UserId(1))).await.unwrap().iter().map(|k| k.id.0).collect();
    assert_eq!((ids.len(), ids.first()), (20, Some(&20)));
    assert_eq!(db.author_keys(Whose::User(UserId(2))).await.unwrap(), []);
}
