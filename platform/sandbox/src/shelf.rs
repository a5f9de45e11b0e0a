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
use nix::sys::{stat::futimens, time::TimeSpec};
use sha2::Sha256;
use std::{
    fs::{self, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};
use wasmtime::{Engine, component::Component};

type Seal = Hmac<Sha256>;

const SEAL_BYTES: usize = 32;
/// Larger ones are compiled each time. A component of [`crate::Limits`]'s size stays below.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// What all files together may take.
const FOLDER_BYTES_MAX: u64 = 512 << 20;
/// How a finished file is called: digest, hyphen, set-up, this.
const SUFFIX: &str = ".code";
/// Letters before the suffix: 64 of the digest, a hyphen, 16 of the set-up.
const STEM: usize = 64 + 1 + 16;

/// A folder of compiled plugins, which only this installation's processes can add to.
pub struct Shelf {
    folder: PathBuf,
    seal: Seal,
    most: usize,
}

impl Shelf {
    /// A shelf in a folder, which is made when it is not there, for at most so many plugins; those used longest ago leave first.
    /// The key must be secret and this installation's own: who has it can have anything run outside the sandbox.
    ///
    /// # Errors
    /// When the folder cannot be made or nothing can be written into it.
    pub fn open(folder: &Path, key: &[u8; 32], most: usize) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        drop(beside(folder)?);
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
        // Not one that would make whoever opens it wait.
        let nonblocking = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(self.path(digest, setup)).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        // The next to leave is what was used longest ago, by the file system's own clock.
        let _ = futimens(&file, &TimeSpec::UTIME_OMIT, &TimeSpec::UTIME_NOW);
        let mut code = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut code).ok()?;
        let body = code.len().checked_sub(SEAL_BYTES)?;
        let seal = code.split_off(body);
        self.sealing(digest, setup, &code).verify_slice(&seal).ok()?;
        Some(Opened(code))
    }

    fn write(&self, digest: &PluginDigest, setup: u64, code: &[u8]) -> io::Result<()> {
        let seal = self.sealing(digest, setup, code).finalize().into_bytes();
        // Beside it and then renamed: whoever reads meanwhile finds one whole file or none.
        let mut beside = beside(&self.folder)?;
        beside.write_all(code)?;
        beside.write_all(&seal)?;
        beside.persist(self.path(digest, setup))?;
        Ok(())
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

    /// Removes what was used longest ago until there is no more than may be. What an earlier version of the compiler made goes
    /// first, since nobody uses it, and what a process that was killed left half written. Other files are not ours.
    fn make_room(&self) {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let about = |file: fs::DirEntry| {
            let about = file.metadata().ok().filter(|_| is_ours(&file.file_name().to_string_lossy()))?;
            Some((about.modified().ok()?, about.len(), file.path()))
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = files.filter_map(about).collect();
        files.sort();
        let (mut kept, mut bytes) = (0, 0_u64);
        for (_, size, path) in files.iter().rev() {
            (kept, bytes) = (kept + 1, bytes.saturating_add(*size));
            if kept > self.most || bytes > FOLDER_BYTES_MAX {
                // Another process may have been faster.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// How a file is called while it is written.
const UNFINISHED: &str = "compiling-";

/// A file beside the finished ones that is gone unless it takes the place of one of them. Nobody else can read it.
fn beside(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

fn is_ours(name: &str) -> bool {
    let is_stem = |stem: &str| stem.len() == STEM && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    name.starts_with(UNFINISHED) || name.strip_suffix(SUFFIX).is_some_and(is_stem)
}

/// Code whose seal was right.
struct Opened(Vec<u8>);

/// What the compiler was set up with, in a number: version, target and settings.
fn setup(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}
