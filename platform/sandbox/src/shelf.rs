//! Compiled plugins kept on disk, so that a start does not compile again what ran before.
//!
//! Owns: which file is whose, and that code is run only when this installation made it. Refuses to know: where the key comes
//! from.
//!
//! To load compiled code is to run whatever lies there. Each file therefore ends with an HMAC-SHA-256 over the code, the digest
//! of the component it was made from and what the compiler was set up with, under a key that does not lie beside it. Whoever can
//! write into the folder and does not have the key can only make the sandbox compile anew.

use hmac::{Hmac, KeyInit as _, Mac as _};
use marque_domain::plugin::PluginDigest;
use sha2::Sha256;
use std::{
    fs::{self, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};
use wasmtime::{Engine, component::Component};

type Seal = Hmac<Sha256>;

const SEAL_BYTES: usize = 32;
/// Larger ones are compiled each time. A component of [`crate::Limits`]'s size stays far below.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// How the name of a finished file ends.
const SUFFIX: &str = ".code";

/// A folder of compiled plugins, which only this installation's processes can add to.
pub struct Shelf {
    folder: PathBuf,
    seal: Seal,
    most: usize,
}

impl Shelf {
    /// A shelf in a folder, which is made when it is not there, for at most so many plugins; those made longest ago leave first.
    /// The key must be secret and this installation's own: who has it can have anything run outside the sandbox.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, key: &[u8; 32], most: usize) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // HMAC takes keys of any length; a shorter one is padded to a block with zeros (RFC 2104, 2).
        let seal = Seal::new_from_slice(key).map_err(io::Error::other)?;
        Ok(Self { folder: folder.to_owned(), seal, most: most.max(1) })
    }

    /// What was compiled of a component under this engine's settings, if it lies here as it was put.
    pub(crate) fn take(&self, engine: &Engine, digest: &PluginDigest) -> Option<Component> {
        let setup = setup(engine);
        let code = self.read(digest, setup)?;
        self.revive(engine, &code)
    }

    #[expect(unsafe_code, reason = "compiled code can only be brought back unchecked; its seal has been checked")]
    fn revive(&self, engine: &Engine, code: &Opened) -> Option<Component> {
        // SAFETY: the bytes are what `Component::serialize` answered to a process that had this installation's key, unchanged: an
        // `Opened` is only made by `read`, once the seal was right. That it was another version, another set-up or another
        // processor is looked for by wasmtime itself.
        unsafe { Component::deserialize(engine, &code.0) }.ok()
    }

    /// Puts what was compiled where the next process finds it. That it could not costs time later and nothing else.
    pub(crate) fn put(&self, engine: &Engine, digest: &PluginDigest, component: &Component) {
        let Ok(code) = component.serialize() else { return };
        if (code.len() + SEAL_BYTES) as u64 <= FILE_BYTES_MAX && self.write(digest, setup(engine), &code).is_ok() {
            self.make_room();
        }
    }

    fn read(&self, digest: &PluginDigest, setup: u64) -> Option<Opened> {
        let file = fs::File::open(self.path(digest, setup)).ok()?;
        let mut code = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut code).ok()?;
        let body = code.len().checked_sub(SEAL_BYTES)?;
        let seal = code.split_off(body);
        self.sealing(digest, setup, &code).verify_slice(&seal).ok()?;
        Some(Opened(code))
    }

    fn write(&self, digest: &PluginDigest, setup: u64, code: &[u8]) -> io::Result<()> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let seal = self.sealing(digest, setup, code).finalize().into_bytes();
        let path = self.path(digest, setup);
        // Beside it and then renamed: whoever reads meanwhile finds one whole file or none.
        let beside = path.with_extension(format!("{}-{}", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(code)?;
            file.write_all(&seal)?;
            fs::rename(&beside, &path)
        };
        write().inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    fn sealing(&self, digest: &PluginDigest, setup: u64, code: &[u8]) -> Seal {
        let mut seal = self.seal.clone();
        seal.update(b"marque compiled plugin 1");
        seal.update(&setup.to_be_bytes());
        seal.update(&digest.0);
        seal.update(code);
        seal
    }

    fn path(&self, digest: &PluginDigest, setup: u64) -> PathBuf {
        self.folder.join(format!("{digest}-{setup:016x}{SUFFIX}"))
    }

    /// Removes what was made longest ago, unfinished files among it, until there are no more than may be. Those of an earlier
    /// version of the compiler go first: nobody makes them anew.
    fn make_room(&self) {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let age = |file: fs::DirEntry| Some((file.metadata().ok()?.modified().ok()?, file.path()));
        let mut files: Vec<(SystemTime, PathBuf)> = files.filter_map(age).collect();
        files.sort();
        for (_, path) in files.iter().take(files.len().saturating_sub(self.most)) {
            // Another process may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

/// Code whose seal was right.
struct Opened(Vec<u8>);

/// What the compiler was set up with, in a number: version, target and settings.
fn setup(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}
