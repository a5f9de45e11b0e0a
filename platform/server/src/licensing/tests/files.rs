//! Files between a vendor and a trader: what is kept, who gets it, and what happens when something is moved or cut off.

use super::{
    super::{
        files::{Asks, EaFiles, LINK_MS, NewFile},
        manage::{NewVersion, PolicyWish, put_version},
    },
    world::{AURORA, BOREALIS, Given, World},
};
use crate::{
    clock::Clock,
    objects::{ObjectKey, Objects},
    problem::{Problem, ProblemCode as P},
    secrets::Vault,
    testing::{config, ea_files},
};
use marque_domain::{
    id::{EaFileId, EaVersionId, UserId},
    licence::State,
    plugin::Channel,
};
use marque_store::{EaFile, LicenceChange, Standing, TenantDb, UserStatus};
use std::path::PathBuf;

const ANN: UserId = UserId(1);

/// A licence of ann's, and files in a folder of their own.
struct Bench {
    world: World,
    licence: Given,
    version: EaVersionId,
    files: EaFiles,
    folder: tempfile::TempDir,
}

fn code<T>(answer: Result<T, Problem>) -> Option<P> {
    answer.err().map(|problem| problem.code)
}

impl Bench {
    async fn with(wish: PolicyWish, plans: &[&str]) -> Self {
        let world = World::start().await;
        let licence = world.licence_on(AURORA, wish, plans).await;
        let version = version(&world, &licence.db).await;
        let folder = tempfile::tempdir().unwrap();
        let time = world.time.clone();
        let config = config(&format!("data_dir = {:?}\n[limits]\nea_files_mib = 1\n", folder.path()));
        let clock = Clock::from_fn(move || time.now());
        let objects = Objects::open(&config).unwrap();
        let files = EaFiles::new(objects, world.vault.clone(), clock, &config.limits);
        Self { world, licence, version, files, folder }
    }

    async fn new() -> Self {
        Self::with(PolicyWish::default(), &[]).await
    }

    fn db(&self) -> &TenantDb {
        &self.licence.db
    }

    async fn put(&self, name: &str, sealed: bool, bytes: &[u8]) -> Result<EaFile, Problem> {
        let new = NewFile { version: self.version, name: name.to_owned(), sealed, bytes: bytes.to_vec() };
        self.files.put(self.db(), new, Some(ANN)).await
    }

    /// The link of somebody who manages nothing.
    async fn link(&self, file: EaFileId) -> Result<String, Problem> {
        let asks = Asks { user: ANN, manages: false };
        let (_, path, until) = self.files.link(self.db(), asks, file).await?;
        assert_eq!(until, self.world.time.now().plus(LINK_MS));
        Ok(path.rsplit('/').next().unwrap().to_owned())
    }

    async fn bytes(&self, link: &str) -> Result<Vec<u8>, Problem> {
        self.files.by_link(self.db(), link).await.map(|fetched| fetched.bytes)
    }

    fn place(&self, file: EaFileId) -> PathBuf {
        let tenant = self.db().tenant().to_string();
        self.folder.path().join("objects").join(tenant).join("ea-files").join(file.to_string())
    }
}

async fn version(world: &World, db: &TenantDb) -> EaVersionId {
    let product = db.ea_products().await.unwrap().remove(0).id;
    let new = NewVersion { version: "1.20".to_owned(), channel: Channel::Stable, changelog: String::new() };
    put_version(db, product, new, world.time.now()).await.unwrap().id
}

#[tokio::test]
async fn a_file_comes_back_as_it_was() {
    let bench = Bench::new().await;
    let large: Vec<u8> = b"EX5".iter().copied().chain((0..300_000_u32).map(|n| n.to_le_bytes()[0])).collect();
    for (name, sealed, bytes) in [
        ("Open.set", false, b"lots=0.1".as_slice()),
        ("Sealed.set", true, b"lots=0.2"),
        ("Gold Rush.ex5", true, &large),
    ] {
        let file = bench.put(name, sealed, bytes).await.unwrap();
        assert_eq!((file.is_sealed(), file.size), (sealed, i64::try_from(bytes.len()).unwrap()));
        let lies = std::fs::read(bench.place(file.id)).unwrap();
        assert_eq!(lies == bytes, !sealed, "what is sealed does not lie open");
        let link = bench.link(file.id).await.unwrap();
        assert_eq!(bench.bytes(&link).await.unwrap(), bytes);
        assert_eq!(bench.bytes(&link).await.unwrap(), bytes, "a link works as often as it is followed");
    }
    // A server with other keys in its memory, over the same database and folder.
    let vault = Vault::for_tests(Clock::system());
    let time = bench.world.time.clone();
    let config = config(&format!("data_dir = {:?}", bench.folder.path()));
    let other =
        EaFiles::new(Objects::open(&config).unwrap(), vault, Clock::from_fn(move || time.now()), &config.limits);
    let files = bench.db().ea_files(bench.version).await.unwrap();
    let file = files.iter().find(|file| file.name == "Sealed.set").unwrap();
    let link = bench.link(file.id).await.unwrap();
    assert_eq!(other.by_link(bench.db(), &link).await.unwrap().bytes, b"lots=0.2");
}

#[tokio::test]
async fn what_is_not_a_file_of_a_version_is_not_taken() {
    let bench = Bench::new().await;
    assert_eq!(code(bench.put("a.exe", true, b"MZ").await), Some(P::Invalid));
    assert_eq!(code(bench.put("a.ex5", true, b"MZ").await), Some(P::Invalid));
    assert_eq!(code(bench.put("../a.set", true, b"a=1").await), Some(P::Invalid));
    assert_eq!(code(bench.put("a.set", true, b"").await), Some(P::Invalid));
    bench.put("a.set", true, b"a=1").await.unwrap();
    assert_eq!(code(bench.put("a.set", false, b"a=2").await), Some(P::Conflict), "a name is taken once");
    // A mebibyte of all files together.
    let half = vec![b'a'; 600 << 10];
    bench.put("b.set", false, &half).await.unwrap();
    assert_eq!(code(bench.put("c.set", false, &half).await), Some(P::Conflict));
    for number in 2..20 {
        bench.put(&format!("{number}.set"), false, b"a=1").await.unwrap();
    }
    assert_eq!(code(bench.put("20.set", false, b"a=1").await), Some(P::Conflict), "a version has twenty at most");
    let nowhere = NewFile { version: EaVersionId(7), name: "a.set".to_owned(), sealed: true, bytes: vec![b'a'] };
    assert_eq!(code(bench.files.put(bench.db(), nowhere, None).await), Some(P::NotFound));
    bench.db().yank_ea_version(bench.version, "wrong", bench.world.time.now()).await.unwrap();
    assert_eq!(code(bench.put("d.set", true, b"a=1").await), Some(P::Conflict));
    let kept = bench.folder.path().join("objects").join(bench.db().tenant().to_string()).join("ea-files");
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 20, "nothing is left of what was refused");
}

#[tokio::test]
async fn moved_and_changed_bytes_are_given_to_nobody() {
    let bench = Bench::new().await;
    for sealed in [true, false] {
        let one = bench.put(&format!("one-{sealed}.set"), sealed, b"one=1").await.unwrap().id;
        let two = bench.put(&format!("two-{sealed}.set"), sealed, b"two=2").await.unwrap().id;
        let (kept, other) = (std::fs::read(bench.place(one)).unwrap(), std::fs::read(bench.place(two)).unwrap());
        let link = bench.link(one).await.unwrap();
        let mut changed = kept.clone();
        changed[2] ^= 1;
        for wrong in [other, changed, kept[1..].to_vec(), Vec::new()] {
            std::fs::write(bench.place(one), wrong).unwrap();
            assert_eq!(code(bench.bytes(&link).await), Some(P::Internal), "sealed: {sealed}");
        }
        std::fs::write(bench.place(one), &kept).unwrap();
        assert_eq!(bench.bytes(&link).await.unwrap(), b"one=1");
        std::fs::remove_file(bench.place(one)).unwrap();
        assert_eq!(code(bench.bytes(&link).await), Some(P::Internal), "a row without its bytes");
    }
}

#[tokio::test]
async fn another_brands_bytes_and_links_open_nothing() {
    let bench = Bench::new().await;
    let there = bench.world.licence(BOREALIS, PolicyWish::default()).await;
    let version = version(&bench.world, &there.db).await;
    let here = bench.put("a.set", true, b"here=1").await.unwrap();
    let new = NewFile { version, name: "a.set".to_owned(), sealed: true, bytes: b"there=1".to_vec() };
    let theirs = bench.files.put(&there.db, new, None).await.unwrap();
    let link = bench.link(here.id).await.unwrap();
    assert_eq!(code(bench.files.by_link(&there.db, &link).await), Some(P::LinkEnded));
    let asks = Asks { user: ANN, manages: true };
    assert_eq!(code(bench.files.link(bench.db(), asks, theirs.id).await), Some(P::NotFound));
    // Their bytes in the place of ours, by whoever can write there.
    let place = bench.place(theirs.id);
    let place = PathBuf::from(
        place.to_string_lossy().replace(&bench.db().tenant().to_string(), &there.db.tenant().to_string()),
    );
    std::fs::copy(place, bench.place(here.id)).unwrap();
    assert_eq!(code(bench.bytes(&link).await), Some(P::Internal));
}

#[tokio::test]
async fn a_link_ends_and_is_nobodys_to_write() {
    let bench = Bench::new().await;
    let file = bench.put("a.set", true, b"a=1").await.unwrap();
    let link = bench.link(file.id).await.unwrap();
    bench.world.time.pass_s(299);
    assert_eq!(bench.bytes(&link).await.unwrap(), b"a=1");
    bench.world.time.pass_s(1);
    assert_eq!(code(bench.bytes(&link).await), Some(P::LinkEnded));
    let link = bench.link(file.id).await.unwrap();
    for at in 0..link.len() {
        let mut changed = link.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        // The last character carries bits that no byte needs; written otherwise they are refused, too.
        assert_eq!(code(bench.bytes(&changed).await), Some(P::LinkEnded), "character {at}");
    }
    for bad in ["", "x", &"A".repeat(75), "../../etc/passwd"] {
        assert_eq!(code(bench.bytes(bad).await), Some(P::LinkEnded), "{bad}");
    }
    bench.files.take_out(bench.db(), file.id).await.unwrap();
    assert!(!bench.place(file.id).exists());
    assert_eq!(code(bench.bytes(&link).await), Some(P::LinkEnded), "what was removed is gone at once");
    assert_eq!(code(bench.files.take_out(bench.db(), file.id).await), Some(P::NotFound));
}

#[tokio::test]
async fn what_a_licence_is_at_that_moment_counts() {
    let bench = Bench::new().await;
    let file = bench.put("a.set", true, b"a=1").await.unwrap();
    let link = bench.link(file.id).await.unwrap();
    let now = bench.world.time.now();
    let change = async |change| drop(bench.licence.change(change, now).await);
    change(LicenceChange::State(State::Suspended, "unpaid".to_owned())).await;
    assert_eq!(code(bench.bytes(&link).await), Some(P::NotEntitled), "the link was made before");
    assert_eq!(code(bench.link(file.id).await), Some(P::NotEntitled));
    change(LicenceChange::State(State::Active, String::new())).await;
    assert_eq!(bench.bytes(&link).await.unwrap(), b"a=1");
    change(LicenceChange::Ends(Some(now))).await;
    assert_eq!(code(bench.bytes(&link).await), Some(P::NotEntitled));
    change(LicenceChange::Ends(Some(now.plus(60_000)))).await;
    assert_eq!(bench.bytes(&link).await.unwrap(), b"a=1");
    let standing = async |status| bench.db().change_standing(ANN, Standing::Status(status), "owner").await.unwrap();
    assert!(standing(UserStatus::Suspended).await);
    assert_eq!(code(bench.bytes(&link).await), Some(P::LinkEnded), "who was shut out");
    assert!(standing(UserStatus::Active).await);
    bench.db().yank_ea_version(bench.version, "wrong", now).await.unwrap();
    assert_eq!(code(bench.bytes(&link).await), Some(P::VersionWithdrawn));
    let manager = Asks { user: ANN, manages: true };
    assert!(bench.files.link(bench.db(), manager, file.id).await.is_ok(), "who manages it may look");
    change(LicenceChange::State(State::Revoked, "fraud".to_owned())).await;
    assert_eq!(code(bench.bytes(&link).await), Some(P::VersionWithdrawn));
}

#[tokio::test]
async fn a_plan_that_is_named_is_enough_and_one_that_is_not_takes_away() {
    let bench = Bench::with(PolicyWish::default(), &["desk"]).await;
    let file = bench.put("a.set", true, b"a=1").await.unwrap();
    assert_eq!(code(bench.link(file.id).await), Some(P::NotEntitled), "a licence that her plan does not grant");
    bench.db().set_plan(ANN, Some("desk")).await.unwrap();
    let link = bench.link(file.id).await.unwrap();
    bench.licence.change(LicenceChange::State(State::Revoked, "by mistake".to_owned()), bench.world.time.now()).await;
    assert_eq!(bench.bytes(&link).await.unwrap(), b"a=1", "the plan gives it");
    bench.db().set_plan(ANN, Some("plus")).await.unwrap();
    assert_eq!(code(bench.bytes(&link).await), Some(P::NotEntitled));
}

#[tokio::test]
async fn somebody_without_licence_and_plan_learns_nothing() {
    let bench = Bench::new().await;
    let file = bench.put("a.set", true, b"a=1").await.unwrap();
    let mut bob = bench.db().user(ANN).await.unwrap();
    (bob.id, bob.email) = (UserId(2), "bob@x.example".to_owned());
    bench.db().create_user(&bob).await.unwrap();
    bench.db().set_plan(bob.id, Some("desk")).await.unwrap();
    let asks = Asks { user: bob.id, manages: false };
    let (refused, nobodys) =
        (bench.files.link(bench.db(), asks, file.id).await, bench.files.link(bench.db(), asks, EaFileId(7)).await);
    assert_eq!(refused.err(), nobodys.err());
}

#[tokio::test]
async fn keys_change_and_files_stay() {
    let bench = Bench::new().await;
    let sealed = bench.put("a.set", true, b"a=1").await.unwrap();
    let open = bench.put("b.set", false, b"b=1").await.unwrap();
    let kept = std::fs::read(bench.place(sealed.id)).unwrap();
    // A clock that runs: a new key seals nothing before it is seconds old.
    let begun = std::time::Instant::now();
    let start = bench.world.time.now();
    let clock = Clock::from_fn(move || start.plus(i64::try_from(begun.elapsed().as_millis()).unwrap() * 1_000));
    let rotated = Vault::for_tests(clock).rotate(bench.db(), |_| ()).await.unwrap();
    assert!(rotated.broken.is_empty() && rotated.resealed >= 1, "{rotated:?}");
    let row = bench.db().ea_file(sealed.id).await.unwrap();
    assert!(row.data_key != sealed.data_key && row.is_sealed());
    assert!(!bench.db().ea_file(open.id).await.unwrap().is_sealed(), "what lies open has no key");
    assert_eq!(std::fs::read(bench.place(sealed.id)).unwrap(), kept, "no file is written anew");
    let time = bench.world.time.clone();
    let later = Clock::from_fn(move || time.now().plus(60_000));
    let fresh = ea_files_with(&bench, later);
    let link = bench.link(sealed.id).await.unwrap();
    assert_eq!(fresh.by_link(bench.db(), &link).await.unwrap().bytes, b"a=1");
}

/// Another server's, over the same folder.
fn ea_files_with(bench: &Bench, clock: Clock) -> EaFiles {
    ea_files(bench.folder.path(), clock)
}

#[tokio::test]
async fn bytes_without_a_row_are_swept_once_no_upload_can_be_about_to_name_them() {
    let bench = Bench::new().await;
    let file = bench.put("a.set", true, b"a=1").await.unwrap();
    let config = config(&format!("data_dir = {:?}", bench.folder.path()));
    let objects = Objects::open(&config).unwrap();
    let orphan = ObjectKey { tenant: bench.db().tenant(), file: EaFileId(7) };
    objects.put(orphan, b"left behind".to_vec()).await.unwrap();
    let asks = Asks { user: ANN, manages: true };
    assert_eq!(code(bench.files.link(bench.db(), asks, orphan.file).await), Some(P::NotFound), "nobody can ask for it");
    // Files on disk are as old as the machine's clock says.
    let at = |ms: i64| Clock::from_fn(move || Clock::system().now().plus(ms));
    assert_eq!(ea_files_with(&bench, at(0)).sweep(bench.db()).await.unwrap(), 0, "it is young");
    assert_eq!(ea_files_with(&bench, at(3 * 3_600_000)).sweep(bench.db()).await.unwrap(), 1);
    assert!(bench.place(file.id).exists() && !bench.place(orphan.file).exists());
    let other = bench.world.db(BOREALIS).await;
    assert_eq!(ea_files_with(&bench, at(3 * 3_600_000)).sweep(&other).await.unwrap(), 0);
}
