//! Secrets stay where they were sealed, and outlive every key that sealed them.

use super::{
    master::{MasterKeys, MasterSource},
    vault::{Place, Vault, version_of},
    *,
};
use crate::{
    clock::Clock,
    testing::{NOON, TestStore},
};
use marque_domain::{id::TenantId, time::HOUR_MS};
use marque_store::{MailStatus, QueuedMail, Store, TenantDb};
use std::{
    cell::Cell,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};
use tokio::sync::Notify;

/// A clock a thousand times as fast, which can be set forward.
fn fast() -> (Clock, Arc<AtomicI64>) {
    let (begun, more) = (Instant::now(), Arc::new(AtomicI64::new(0)));
    let shown = Arc::clone(&more);
    let clock = Clock::from_fn(move || {
        let run = i64::try_from(begun.elapsed().as_millis()).unwrap() * 1_000;
        NOON.plus(run + shown.load(Ordering::Relaxed))
    });
    (clock, more)
}

fn mail(id: i64, content: Vec<u8>) -> QueuedMail {
    QueuedMail {
        id,
        kind: "test".to_owned(),
        recipient: "ann@x.example".to_owned(),
        content,
        status: MailStatus::Queued,
        attempts: 0,
        next_attempt_at: NOON,
        last_error: None,
        created_at: NOON,
        sent_at: None,
    }
}

async fn tenants(store: &Store) -> [TenantDb; 2] {
    let system = store.system("tests");
    let ids: Vec<TenantId> = system.tenants().await.unwrap().iter().map(|tenant| tenant.id).collect();
    [system.tenant_db(ids[0]), system.tenant_db(ids[1])]
}

#[test]
fn each_master_key_seals_what_was_compiled_with_a_key_of_its_own() {
    let key = |masters: &str| {
        let source = MasterSource::Given(Secret::new(masters.to_owned()));
        let master = source.read().unwrap();
        *Vault::with(source, master, Clock::system()).compiled_key().unwrap()
    };
    let (one, two) = (format!("{}E", "AQEB".repeat(10) + "AQ"), format!("{}I", "AgIC".repeat(10) + "Ag"));
    assert_eq!(key(&one), key(&one));
    assert_ne!(key(&one), key(&two));
    assert_eq!(key(&format!("{two} {one}")), key(&two), "while it changes, the new one counts");
    assert_ne!(key(&one), [1; 32], "it is not the master key itself");
}

/// Every pair of tenant, table, column, row and key version: a value opens in its own place and in no other.
#[tokio::test]
async fn no_swapped_ciphertext_opens() {
    let store = TestStore::with_demo(&[]).await;
    let (clock, _) = fast();
    let vault = Vault::for_tests(clock);
    let mut sealed = Vec::new();
    for (t, db) in tenants(&store.store).await.into_iter().enumerate() {
        let first = vault.of(&db).await.unwrap();
        vault.rotate(&db, |_| ()).await.unwrap();
        let second = vault.of(&db).await.unwrap();
        assert!(first.current() < second.current());
        for keys in [first, second.clone()] {
            for column in SealedColumn::ALL {
                for row in [
                    RowKey::Id(1),
                    RowKey::Id(2),
                    RowKey::Digest(vec![1; 32]),
                    RowKey::Digest(1_i64.to_be_bytes().to_vec()),
                ] {
                    let place = Place::new(*column, row.clone());
                    let text = format!("{t} {column:?} {row:?} {}", keys.current());
                    sealed.push((
                        t,
                        keys.current(),
                        place.clone(),
                        keys.seal(&place, text.as_bytes()).unwrap(),
                        second.clone(),
                        text,
                    ));
                }
            }
        }
    }
    let mut tried = 0;
    for (i, (_, _, place, _, keys, _)) in sealed.iter().enumerate() {
        for (j, (_, version, _, value, _, text)) in sealed.iter().enumerate() {
            let opened = keys.open(place, value);
            // Two keys of one tenant may seal for one place: then both open there, each to what it sealed.
            let same_place = sealed[i].0 == sealed[j].0 && place == &sealed[j].2;
            assert_eq!(opened.is_ok(), same_place, "{i} {j} {version}");
            if let Ok(opened) = opened {
                assert_eq!(opened.expose(), text.as_bytes());
            }
            // A value that names another key of the same tenant.
            let mut renamed = value.clone();
            renamed[1..5].copy_from_slice(&(3 - version).to_be_bytes());
            assert!(keys.open(place, &renamed).is_err(), "{i} {j}: key version");
            tried += 2;
        }
    }
    // Two tenants, two keys of each, four rows of each column.
    let values = 2 * 2 * 4 * SealedColumn::ALL.len();
    assert_eq!(tried, 2 * values * values);
}

#[tokio::test]
async fn no_changed_ciphertext_opens() {
    let store = TestStore::with_demo(&[]).await;
    let [db, _] = tenants(&store.store).await;
    let keys = Vault::for_tests(fast().0).of(&db).await.unwrap();
    let place = Place::new(SealedColumn::Mails, 7);
    let value = keys.seal(&place, b"hunter2").unwrap();
    assert!(!value.windows(7).any(|part| part == b"hunter2"));
    assert_ne!(value, keys.seal(&place, b"hunter2").unwrap(), "each sealing has its own nonce");
    for bit in 0..value.len() * 8 {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.open(&place, &changed).is_err(), "bit {bit}");
    }
    for length in 0..value.len() {
        assert!(keys.open(&place, &value[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(keys.open(&place, &value).unwrap().text().unwrap().expose(), "hunter2");
}

/// Cut off after every possible number of pages, then run again: at every moment every secret opens, and in the end
/// all are under the new key.
async fn rotation_is_cut_off(store: &Store) {
    const MAILS: i64 = 1_400;
    let [db, other] = tenants(store).await;
    let (clock, more) = fast();
    let vault = Vault::for_tests(clock.clone());
    let keys = vault.of(&db).await.unwrap();
    let backup_code = keys.mac("backup code", b"1234");
    for id in 1..=MAILS {
        let sealed = keys.seal(&Place::new(SealedColumn::Mails, id), format!("mail {id}").as_bytes()).unwrap();
        db.queue_mail(&mail(id, sealed), None).await.unwrap();
    }
    let others = vault.of(&other).await.unwrap().seal(&Place::new(SealedColumn::Mails, 1), b"theirs").unwrap();
    other.queue_mail(&mail(1, others.clone()), None).await.unwrap();
    for pages in 1..=3 {
        let (cut, left) = (Notify::new(), Cell::new(pages));
        // Dropped at an await point, as a killed process is: what was not committed is gone.
        tokio::select! {
            biased;
            () = cut.notified() => {}
            _ = vault.rotate(&db, |_| { left.set(left.get() - 1); if left.get() == 0 { cut.notify_one() } }) => {
                panic!("it was to be cut off after {pages} pages");
            }
        }
        let (old, new) = opens(&vault, &db, MAILS).await;
        assert!(new > 0 && old + new == MAILS, "{pages}: {old} {new}");
        // Another process, which knows nothing of this one.
        opens(&Vault::for_tests(clock.clone()), &db, MAILS).await;
    }
    let rotated = vault.rotate(&db, |_| ()).await.unwrap();
    assert!(rotated.resumed && rotated.version == 2 && rotated.broken.is_empty(), "{rotated:?}");
    assert_eq!(opens(&vault, &db, MAILS).await, (0, MAILS));
    assert_eq!((rotated.removed.clone(), rotated.kept.clone()), (vec![], vec![1]), "a server may still use it");
    assert_eq!(vault.of(&db).await.unwrap().mac("backup code", b"1234"), backup_code);
    more.fetch_add(2 * HOUR_MS, Ordering::Relaxed);
    let next = vault.rotate(&db, |_| ()).await.unwrap();
    assert_eq!((next.version, next.resumed, next.removed, next.kept), (3, false, vec![1], vec![2]));
    assert_eq!(opens(&vault, &db, MAILS).await.1, MAILS);
    assert_eq!(other.sealed(SealedColumn::Mails, None).await.unwrap()[0].sealed, others, "another tenant's stay");
}

/// Opens every mail; answers how many are under older keys and how many under the newest.
async fn opens(vault: &Vault, db: &TenantDb, count: i64) -> (i64, i64) {
    let (keys, mut after) = (vault.load(db).await.unwrap(), None);
    let newest = db.data_keys().await.unwrap().last().unwrap().version;
    let (mut old, mut new) = (0, 0);
    loop {
        let rows = db.sealed(SealedColumn::Mails, after.as_ref()).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in &rows {
            let RowKey::Id(id) = row.key else { panic!("mails have numbers") };
            let plain = keys.open(&Place::new(SealedColumn::Mails, id), &row.sealed).unwrap();
            assert_eq!(plain.expose(), format!("mail {id}").as_bytes());
            *(if version_of(&row.sealed) == Some(newest) { &mut new } else { &mut old }) += 1;
        }
    }
    assert_eq!(old + new, count);
    (old, new)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_is_cut_off_on_sqlite() {
    rotation_is_cut_off(&TestStore::with_demo(&[]).await.store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_is_cut_off_on_postgres() {
    if let Some((store, _database)) = crate::testing::postgres("vault::rotation").await {
        rotation_is_cut_off(&store).await;
    }
}

#[tokio::test]
async fn a_secret_that_was_moved_stops_no_rotation_and_loses_no_key() {
    let store = TestStore::with_demo(&[]).await;
    let [db, _] = tenants(&store.store).await;
    let (clock, more) = fast();
    let vault = Vault::for_tests(clock);
    let sealed = vault.of(&db).await.unwrap().seal(&Place::new(SealedColumn::Mails, 1), b"one").unwrap();
    db.queue_mail(&mail(1, sealed.clone()), None).await.unwrap();
    db.queue_mail(&mail(2, sealed), None).await.unwrap();
    let rotated = vault.rotate(&db, |_| ()).await.unwrap();
    assert_eq!((rotated.resealed, rotated.broken), (1, vec![(SealedColumn::Mails, RowKey::Id(2))]));
    more.fetch_add(2 * HOUR_MS, Ordering::Relaxed);
    assert_eq!(vault.rotate(&db, |_| ()).await.unwrap().kept, [1, 2], "what it is under may be wanted back");
}

#[tokio::test]
async fn the_master_key_changes_under_running_servers() {
    let store = TestStore::with_demo(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    let source = MasterSource::File(path.clone());
    assert!(source.is_missing() && matches!(source.read(), Err(MasterKeyError::Missing(_))));
    source.create().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&path).unwrap();
    let open = || Vault::with(source.clone(), source.read().unwrap(), fast().0);
    let (running, command) = (open(), open());
    let dbs = tenants(&store.store).await;
    let place = Place::new(SealedColumn::Mails, 1);
    let mut sealed = Vec::new();
    for db in &dbs {
        sealed.push(running.of(db).await.unwrap().seal(&place, b"secret").unwrap());
    }
    // Cut off between the new key's file and the wrapping: both are there.
    source.begin_change().unwrap();
    assert_eq!(running.load(&dbs[0]).await.unwrap().open(&place, &sealed[0]).unwrap().expose(), b"secret");
    let (rewrapped, alone) = command.rotate_master(&dbs).await.unwrap();
    assert_eq!((rewrapped, alone), (4, true), "of two tenants, the key of MACs and the one that seals");
    assert_ne!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    for (db, sealed) in dbs.iter().zip(&sealed) {
        assert_eq!(running.load(db).await.unwrap().open(&place, sealed).unwrap().expose(), b"secret");
    }
    // The old key, from a back-up, opens nothing any more.
    std::fs::write(&path, before).unwrap();
    let refused = open().load(&dbs[0]).await.err().unwrap().to_string();
    assert!(refused.contains("another master key"), "{refused}");
}

#[test]
fn master_keys_are_read_strictly() {
    let key = |byte: &str| byte.repeat(43);
    let read = |text: &str| MasterSource::Given(Secret::new(text.to_owned())).read().map(|_| ());
    for good in [key("A"), format!("{} {}", key("A"), key("E")), format!("# c\n{}=\n", key("A"))] {
        assert!(read(&good).is_ok(), "{good}");
    }
    for bad in [
        String::new(),
        "x".to_owned(),
        key("A")[1..].to_owned(),
        format!("{}A", key("A")),
        format!("{} ", key("A")).repeat(5),
    ] {
        let told = read(&bad).unwrap_err().to_string();
        assert!(told.contains("43 characters") && !told.contains("AAAA"), "{told}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k");
    std::fs::write(&path, key("A")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(MasterSource::File(path).read(), Err(MasterKeyError::Exposed(_))));
}

#[test]
fn a_wrapped_key_is_one_tenants_and_one_versions() {
    let master = MasterSource::Given(Secret::new("A".repeat(43))).read().unwrap();
    let other: MasterKeys = MasterSource::Given(Secret::new(format!("{}E", "A".repeat(42)))).read().unwrap();
    let wrapped = master.wrap(TenantId(1), 1, &cipher::Key::new([7; 32])).unwrap();
    let fails =
        |master: &MasterKeys, tenant, version, wrapped: &[u8]| master.unwrap(TenantId(tenant), version, wrapped).err();
    assert_eq!(fails(&master, 1, 1, &wrapped), None);
    assert_eq!(fails(&master, 2, 1, &wrapped), Some(SealError::Broken));
    assert_eq!(fails(&master, 1, 2, &wrapped), Some(SealError::Broken));
    assert_eq!(fails(&other, 1, 1, &wrapped), Some(SealError::WrongMaster));
    assert_eq!(fails(&master, 1, 1, &wrapped[..8]), Some(SealError::Broken));
}
