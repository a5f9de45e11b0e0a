//! Files of Expert Advisors: taken in, kept, and given to whom they are for.
//!
//! Owns: what becomes of a file's bytes between a vendor and a trader, sealing them where that was asked for, short links and
//! who may use them, and that nothing is left lying that stands in no row. Refuses to know: where bytes lie (`objects`), what a
//! file may be and who is entitled to it (`domain::licence` decides), how pages and the API ask for it.
//!
//! # In which order
//! Bytes are put before their row is committed, and a row is taken out before its bytes: so a row never stands without its
//! bytes, and what is cut off in between leaves bytes that nobody can ask for. [`EaFiles::sweep`] takes them out later.
//! See [0080](../../../../decisions/0080-a-file-is-a-row-first.md).

mod entitled;
mod link;
mod sweep;

pub use link::LINK_MS;

use crate::{
    clock::Clock,
    config::Limits,
    objects::{ObjectKey, Objects},
    problem::{Problem, ProblemCode},
    secrets::{ContentKey, Place, SealedColumn, Vault, new_id},
};
pub(crate) use entitled::{Asks, gives};
use link::Link;
use marque_domain::{
    id::{EaFileId, EaVersionId, UserId},
    licence::{FILE_BYTES_MAX, FileFault, file_kind},
};
use marque_store::{EA_FILES_MAX, EaFile, EaFileRefused, StoreError, TenantDb, UserStatus};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Files that are in memory at once: each is read whole, so that what is changed is never begun to be sent.
const AT_ONCE: usize = 32;
/// What sealing adds to the bytes.
const SEALING_BYTES: usize = 64;

/// A file to be taken in.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Of which version.
    pub version: EaVersionId,
    /// What it is called.
    pub name: String,
    /// Whether it shall be sealed where it lies.
    pub sealed: bool,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A file that somebody may have now, with its bytes.
pub struct Fetched {
    /// What it is.
    pub file: EaFile,
    /// Whose link it was.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// To be kept until the bytes are gone: so many are in memory at once.
    pub permit: OwnedSemaphorePermit,
}

/// The files. Cloning shares them.
#[derive(Clone)]
pub struct EaFiles(Arc<Parts>);

struct Parts {
    objects: Objects,
    vault: Vault,
    clock: Clock,
    /// What the files of one brand may take together.
    bytes_max: i64,
    at_once: Arc<Semaphore>,
}

impl EaFiles {
    /// Over an object store.
    #[must_use]
    pub fn new(objects: Objects, vault: Vault, clock: Clock, limits: &Limits) -> Self {
        let bytes_max = i64::from(limits.ea_files_mib) << 20;
        Self(Arc::new(Parts { objects, vault, clock, bytes_max, at_once: Arc::new(Semaphore::new(AT_ONCE)) }))
    }

    /// Takes a file in, without asking who wants it.
    ///
    /// # Errors
    /// [`ProblemCode::Invalid`] when it is no file that is offered here, [`ProblemCode::TooLarge`],
    /// [`ProblemCode::NotFound`], [`ProblemCode::Conflict`] when the version was withdrawn or has one of this name or as
    /// many as it may, [`ProblemCode::Unavailable`].
    pub async fn put(&self, db: &TenantDb, new: NewFile, by: Option<UserId>) -> Result<EaFile, Problem> {
        let version = db.ea_version(new.version).await?;
        if version.yanked_at.is_some() {
            return Err(Problem::new(ProblemCode::Conflict, "This version was withdrawn; add another and its files."));
        }
        file_kind(&new.name, &new.bytes).map_err(|fault| unfit(fault, &new.name))?;
        let _permit = self.permit()?;
        let now = self.0.clock.now();
        let id = EaFileId(new_id(now)?);
        let size = i64::try_from(new.bytes.len()).unwrap_or(i64::MAX);
        let digest = Sha256::digest(&new.bytes).into();
        let (data_key, bytes) = if new.sealed { self.seal(db, id, &new.bytes).await? } else { (Vec::new(), new.bytes) };
        let file = EaFile {
            id,
            version: version.id,
            name: new.name,
            size,
            digest,
            data_key,
            uploaded_by: by,
            uploaded_at: now,
        };
        let key = ObjectKey { tenant: db.tenant(), file: id };
        self.0.objects.put(key, bytes).await?;
        match db.add_ea_file(&file, self.0.bytes_max).await {
            Ok(Ok(())) => Ok(file),
            Ok(Err(refused)) => {
                self.drop_bytes(key).await;
                Err(full(refused, self.0.bytes_max))
            }
            // Whether the row was committed is not known: its bytes stay, and the sweep decides later.
            Err(error @ StoreError::Uncertain { .. }) => Err(error.into()),
            Err(error) => {
                self.drop_bytes(key).await;
                Err(error.into())
            }
        }
    }

    /// Takes a file out, without asking who wants it. From then on nobody gets it.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`], [`ProblemCode::Unavailable`].
    pub async fn take_out(&self, db: &TenantDb, id: EaFileId) -> Result<EaFile, Problem> {
        let file = db.remove_ea_file(id).await?;
        self.drop_bytes(ObjectKey { tenant: db.tenant(), file: id }).await;
        Ok(file)
    }

    /// A link to a file for somebody who may have it now, and until when it works.
    ///
    /// # Errors
    /// [`ProblemCode::NotFound`] when nothing of theirs has to do with it, [`ProblemCode::NotEntitled`],
    /// [`ProblemCode::VersionWithdrawn`].
    pub(crate) async fn link(
        &self,
        db: &TenantDb,
        asks: Asks,
        id: EaFileId,
    ) -> Result<(EaFile, String, marque_domain::time::Millis), Problem> {
        let now = self.0.clock.now();
        let file = db.ea_file(id).await?;
        entitled::check(db, asks, &file, now).await?;
        let until = now.plus(LINK_MS);
        let link = Link { file: id, user: asks.user, until };
        let text = link.sign(&self.0.vault.of(db).await?);
        Ok((file, format!("{}/{text}", link::PATH), until))
    }

    /// What a link leads to, if it is one of this tenant's, has not ended, and whoever it was made for may have the file
    /// at this moment.
    ///
    /// # Errors
    /// [`ProblemCode::LinkEnded`], and as for [`EaFiles::link`].
    pub async fn by_link(&self, db: &TenantDb, text: &str) -> Result<Fetched, Problem> {
        let (keys, now) = (self.0.vault.of(db).await?, self.0.clock.now());
        let link = Link::read(text, &keys).filter(|link| now < link.until).ok_or_else(ended)?;
        let user = match db.user(link.user).await {
            Ok(user) if user.status == UserStatus::Active => user,
            Ok(_) | Err(StoreError::NotFound(_)) => return Err(ended()),
            Err(error) => return Err(error.into()),
        };
        let asks = Asks::of(&user).ok_or_else(ended)?;
        let file = match db.ea_file(link.file).await {
            Err(StoreError::NotFound(_)) => return Err(ended()),
            found => found?,
        };
        entitled::check(db, asks, &file, now).await?;
        let permit = self.permit()?;
        let bytes = self.read(db, &file).await?;
        Ok(Fetched { file, user: user.id, email: user.email, bytes, permit })
    }

    /// A file's bytes, as they were taken in.
    async fn read(&self, db: &TenantDb, file: &EaFile) -> Result<Vec<u8>, Problem> {
        let key = ObjectKey { tenant: db.tenant(), file: file.id };
        let kept = self.0.objects.get(key, FILE_BYTES_MAX + SEALING_BYTES).await?;
        let bytes = if file.is_sealed() {
            let opened = self.0.vault.of(db).await?.open(&place(file.id), &file.data_key)?;
            ContentKey::of(&opened)?.open(db.tenant(), file.id.0, &kept)?.expose().to_vec()
        } else {
            kept
        };
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if digest == file.digest { Ok(bytes) } else { Err(Problem::internal(&Changed(file.id))) }
    }

    /// The key of a file, sealed, and its bytes under it.
    async fn seal(&self, db: &TenantDb, id: EaFileId, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Problem> {
        let key = ContentKey::new()?;
        let sealed = key.seal(db.tenant(), id.0, bytes)?;
        Ok((self.0.vault.of(db).await?.seal(&place(id), key.expose())?, sealed))
    }

    /// Takes bytes out that no row names. What stays is swept later.
    async fn drop_bytes(&self, key: ObjectKey) {
        if let Err(error) = self.0.objects.remove(key).await {
            tracing::warn!(%error, file = %key.file, "bytes of a file stay behind; they are swept later");
        }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.0.at_once).try_acquire_owned();
        permit.map_err(|_| {
            Problem::new(ProblemCode::Unavailable, "Many files are sent at once. Try again in a moment.")
                .retry_after_s(2)
        })
    }
}

/// Where a file's key lies.
fn place(id: EaFileId) -> Place {
    Place::new(SealedColumn::EaFiles, id.0)
}

/// A link that leads nowhere any more; which of its parts does not fit is nobody's business.
fn ended() -> Problem {
    Problem::new(
        ProblemCode::LinkEnded,
        "A download link works for five minutes, at the site it was made for. Ask for another on the EA's page.",
    )
}

fn unfit(fault: FileFault, name: &str) -> Problem {
    if fault == FileFault::TooLarge {
        return Problem::new(ProblemCode::TooLarge, "Send at most 16 MiB in one file.");
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    Problem::new(ProblemCode::Invalid, "Choose another file, or name it as it is, and send it again.")
        .field("/file", format!("{shown:?} {fault}"))
}

fn full(refused: EaFileRefused, bytes_max: i64) -> Problem {
    let detail = match refused {
        EaFileRefused::NameTaken => {
            "This version has a file of this name; remove that one first, or add a new version.".to_owned()
        }
        EaFileRefused::TooMany => format!("A version has at most {EA_FILES_MAX} files; remove one first."),
        EaFileRefused::NoRoom => {
            format!("The files of all versions may take {} MiB together; remove what nobody needs.", bytes_max >> 20)
        }
    };
    Problem::new(ProblemCode::Conflict, detail)
}

#[derive(Debug, thiserror::Error)]
#[error("the bytes of the file {0} are not those that were uploaded. Restore them from a back-up, or upload it anew")]
struct Changed(EaFileId);
