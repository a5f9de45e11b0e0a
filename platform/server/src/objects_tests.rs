//! Local files and a real S3 server, tried alike.

use super::*;
use crate::{
    clock::Clock,
    licensing::{
        files::{EaFiles, NewFile},
        manage::{NewProduct, NewVersion, put_product, put_version},
    },
    testing::{NOON, TestStore, config, vault},
};
use marque_domain::plugin::Channel;
use marque_testkit::S3Server;

const ONE: TenantId = TenantId(101);
const TWO: TenantId = TenantId(202);

/// Settings that lead to an S3 server.
fn on(server: &S3Server) -> Config {
    Config::read("test.toml", "", server.settings().map(|(name, value)| (name.to_owned(), value))).unwrap()
}

/// What every object store must do.
async fn keeps_lists_and_forgets(objects: &Objects) {
    let key = |tenant, id| ObjectKey { tenant, file: EaFileId(id) };
    let missing = objects.get(key(ONE, 1), 100).await;
    assert!(matches!(missing, Err(ObjectsError::Missing(_))), "{missing:?}");
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    objects.put(key(ONE, 1), b"one".to_vec()).await.unwrap();
    objects.put(key(ONE, 2), large.clone()).await.unwrap();
    objects.put(key(TWO, 1), b"another's".to_vec()).await.unwrap();
    objects.put(key(ONE, 3), Vec::new()).await.unwrap();
    assert_eq!(objects.get(key(ONE, 1), 3).await.unwrap(), b"one");
    assert_eq!(objects.get(key(ONE, 2), large.len()).await.unwrap(), large);
    assert_eq!(objects.get(key(TWO, 1), 100).await.unwrap(), b"another's");
    assert_eq!(objects.get(key(ONE, 3), 100).await.unwrap(), b"");
    assert!(matches!(objects.get(key(ONE, 1), 2).await, Err(ObjectsError::TooLarge(_))));
    let ids = async |tenant| {
        let mut ids: Vec<i64> = objects.ea_files(tenant).await.unwrap().into_iter().map(|(id, _)| id.0).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!((ids(ONE).await, ids(TWO).await, ids(TenantId(7)).await), (vec![1, 2, 3], vec![1], vec![]));
    let now = Clock::system().now();
    let put = objects.ea_files(ONE).await.unwrap();
    assert!(put.iter().all(|(_, at)| (now.0 - at.0).abs() < 60_000), "{put:?}");
    objects.remove(key(ONE, 1)).await.unwrap();
    objects.remove(key(ONE, 1)).await.unwrap();
    assert!(matches!(objects.get(key(ONE, 1), 100).await, Err(ObjectsError::Missing(_))));
    assert_eq!(ids(ONE).await, [2, 3]);
}

/// A file goes in and comes out through all of it.
async fn carries_files(config: &Config) {
    let store = TestStore::with_demo(&[]).await;
    let tenant = store.system().tenants().await.unwrap().remove(0).id;
    let db = store.system().tenant_db(tenant);
    let files = EaFiles::new(Objects::open(config).unwrap(), vault(), Clock::from_fn(|| NOON), &config.limits);
    let product = NewProduct {
        code: "gold-rush".to_owned(),
        name: "Gold Rush".to_owned(),
        summary: String::new(),
        plans: Vec::new(),
        settings_schema: None,
    };
    let product = put_product(&db, product, NOON).await.unwrap().id;
    let version = NewVersion { version: "1.0".to_owned(), channel: Channel::Stable, changelog: String::new() };
    let version = put_version(&db, product, version, NOON).await.unwrap().id;
    let user = crate::identity::create_person(
        &db,
        &crate::identity::Passwords::new(&config.limits).unwrap(),
        crate::identity::NewPerson {
            email: "owner@x.example".to_owned(),
            display_name: "Owner".to_owned(),
            password: crate::secrets::Secret::new("correct horse battery".to_owned()),
            role: crate::identity::Role::Owner,
        },
        NOON,
    )
    .await
    .unwrap();
    for sealed in [true, false] {
        let bytes = [b"EX5".as_slice(), &[7; 1_000_000]].concat();
        let name = format!("Gold {sealed}.ex5");
        let new = NewFile { version, name, sealed, bytes: bytes.clone() };
        let file = files.put(&db, new, None).await.unwrap();
        let asks = crate::licensing::files::Asks { user: user.id, manages: true };
        let (_, path, _) = files.link(&db, asks, file.id).await.unwrap();
        let fetched = files.by_link(&db, path.rsplit('/').next().unwrap()).await.unwrap();
        assert_eq!(fetched.bytes, bytes, "sealed: {sealed}");
        files.take_out(&db, file.id).await.unwrap();
    }
    assert_eq!(Objects::open(config).unwrap().ea_files(tenant).await.unwrap(), []);
}

#[tokio::test]
async fn local_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let config = config(&format!("data_dir = {:?}", folder.path()));
    keeps_lists_and_forgets(&Objects::open(&config).unwrap()).await;
    carries_files(&config).await;
    let mode = std::fs::metadata(folder.path().join("objects")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else on the machine looks in");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let blocked = crate::testing::config(&format!("data_dir = {file:?}"));
    let told = Objects::open(&blocked).unwrap_err().to_string();
    assert!(told.contains("Correct data_dir"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_s3_server() {
    let Some(server) = S3Server::start("objects::a_real_s3_server").await else { return };
    let there = on(&server);
    keeps_lists_and_forgets(&Objects::open(&there).unwrap()).await;
    let keys = server.keys().await;
    let expected = format!("marque/{ONE}/ea-files/{}", EaFileId(2));
    assert!(keys.contains(&expected), "a key is prefix, tenant and id: {keys:?}");
    carries_files(&there).await;
    // A bucket that is not there, and a server that is gone, are told as such and shown to nobody.
    let settings = server.settings().map(|(name, value)| (name.to_owned(), value.replace("our-bucket", "no-bucket")));
    let wrong = Objects::open(&Config::read("test.toml", "", settings).unwrap()).unwrap();
    let key = ObjectKey { tenant: ONE, file: EaFileId(1) };
    assert!(wrong.put(key, vec![1]).await.is_err());
    let gone = Objects::open(&there).unwrap();
    drop(server);
    let refused = Problem::from(gone.put(key, vec![1]).await.unwrap_err());
    assert_eq!((refused.code, refused.retry_after_s), (ProblemCode::Unavailable, Some(5)));
}
