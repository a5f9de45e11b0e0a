//! Where large things lie: in local files, or on S3 when the settings name it.
//!
//! Owns: the keys that things lie under, and what may go wrong. A key is made of ids, its tenant's first; nothing that a
//! person typed is ever in one. Refuses to know: what the bytes are, who may have them. What lies here and stands in no row
//! is garbage and is given to nobody.

use crate::{
    config::{Config, ObjectPlace, S3Place},
    problem::{Chain, Problem, ProblemCode},
};
use futures_util::TryStreamExt as _;
use marque_domain::{
    id::{EaFileId, TenantId},
    time::Millis,
};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path, prefix::PrefixStore,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Seconds that one request to S3 may take, and all tries of it together.
const REQUEST: Duration = Duration::from_secs(10);
const TRIES: Duration = Duration::from_secs(20);
const TRIES_MAX: usize = 3;
/// Objects of one tenant that one look lists.
pub const LIST_MAX: usize = 10_000;

/// Why an object was not put, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The folder cannot be used.
    #[error(
        "cannot use the folder {path} for files of Expert Advisors: {source}. Correct data_dir, or let the server write there"
    )]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings of the object store are not usable.
    #[error("the object store cannot be set up: {0}. Correct object_store and the section [s3]")]
    Settings(#[source] object_store::Error),
    /// It is not there.
    #[error("the object {0} is not there. Restore it from a back-up of the object store, or upload it anew")]
    Missing(String),
    /// It is larger than what was put.
    #[error("the object {0} is larger than anything that is put here. Restore it from a back-up")]
    TooLarge(String),
    /// The store does not answer as it should.
    #[error("the object store does not answer")]
    Unavailable(#[source] object_store::Error),
}

impl From<ObjectsError> for Problem {
    fn from(error: ObjectsError) -> Self {
        match &error {
            ObjectsError::Unavailable(_) => {
                tracing::error!(error = %Chain(&error), "the object store is not available");
                Self::new(ProblemCode::Unavailable, "Try again in a moment.").retry_after_s(5)
            }
            _ => Self::internal(&error),
        }
    }
}

/// The key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectKey {
    /// Whose.
    pub tenant: TenantId,
    /// Which file of an Expert Advisor.
    pub file: EaFileId,
}

impl ObjectKey {
    fn path(self) -> Path {
        Path::from_iter([self.tenant.to_string().as_str(), EA_FILES, self.file.to_string().as_str()])
    }
}

/// What a tenant's files of Expert Advisors lie below.
const EA_FILES: &str = "ea-files";

/// The object store. Cloning shares it.
/// It shows nothing of how it is reached.
#[derive(Clone)]
pub struct Objects(Arc<dyn ObjectStore>);

impl core::fmt::Debug for Objects {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Objects")
    }
}

impl Objects {
    /// The one that the settings name. S3 is not asked before something is put or read.
    ///
    /// # Errors
    /// [`ObjectsError::Folder`], [`ObjectsError::Settings`].
    pub fn open(config: &Config) -> Result<Self, ObjectsError> {
        match config.objects() {
            ObjectPlace::Folder(path) => Self::in_folder(path),
            ObjectPlace::S3(place) => Self::on_s3(&place),
        }
    }

    fn in_folder(path: PathBuf) -> Result<Self, ObjectsError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| ObjectsError::Folder { path: path.clone(), source })?;
        let files = LocalFileSystem::new_with_prefix(&path).map_err(ObjectsError::Settings)?;
        // What is put survives a power cut: its row is committed after it.
        Ok(Self(Arc::new(files.with_fsync(true).with_automatic_cleanup(true))))
    }

    fn on_s3(place: &S3Place) -> Result<Self, ObjectsError> {
        let http = place.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(http)
            .with_timeout(REQUEST)
            .with_connect_timeout(REQUEST)
            .with_user_agent(object_store::HeaderValue::from_static("marque"));
        let retry = RetryConfig { max_retries: TRIES_MAX, retry_timeout: TRIES, ..RetryConfig::default() };
        let mut s3 = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_access_key_id(place.access_key_id.expose())
            .with_secret_access_key(place.secret_access_key.expose())
            .with_client_options(client)
            .with_retry(retry)
            // One at a time is what every server of this kind offers, and all that is asked for here.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &place.endpoint {
            s3 = s3.with_endpoint(endpoint);
        }
        let s3 = s3.build().map_err(ObjectsError::Settings)?;
        Ok(Self(Arc::new(PrefixStore::new(s3, place.prefix.as_str()))))
    }

    /// Keeps bytes under a key that nothing lay under before.
    ///
    /// # Errors
    /// [`ObjectsError::Unavailable`].
    pub async fn put(&self, key: ObjectKey, bytes: Vec<u8>) -> Result<(), ObjectsError> {
        self.0.put(&key.path(), bytes.into()).await.map(drop).map_err(ObjectsError::Unavailable)
    }

    /// The bytes under a key, of which there are at most `bytes_max`.
    ///
    /// # Errors
    /// [`ObjectsError::Missing`], [`ObjectsError::TooLarge`], [`ObjectsError::Unavailable`].
    pub async fn get(&self, key: ObjectKey, bytes_max: usize) -> Result<Vec<u8>, ObjectsError> {
        let path = key.path();
        let found = match self.0.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Err(ObjectsError::Missing(path.to_string())),
            found => found.map_err(ObjectsError::Unavailable)?,
        };
        if usize::try_from(found.meta.size).map_or(true, |size| size > bytes_max) {
            return Err(ObjectsError::TooLarge(path.to_string()));
        }
        Ok(found.bytes().await.map_err(ObjectsError::Unavailable)?.to_vec())
    }

    /// Takes out what lies under a key, if anything does.
    ///
    /// # Errors
    /// [`ObjectsError::Unavailable`].
    pub async fn remove(&self, key: ObjectKey) -> Result<(), ObjectsError> {
        match self.0.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ObjectsError::Unavailable(error)),
        }
    }

    /// The files of a tenant's Expert Advisors that lie here, with when each was put: at most [`LIST_MAX`] of them.
    ///
    /// # Errors
    /// [`ObjectsError::Unavailable`].
    pub async fn ea_files(&self, tenant: TenantId) -> Result<Vec<(EaFileId, Millis)>, ObjectsError> {
        let below = Path::from_iter([tenant.to_string().as_str(), EA_FILES]);
        let mut listed = self.0.list(Some(&below));
        let mut found = Vec::new();
        while let Some(object) = listed.try_next().await.map_err(ObjectsError::Unavailable)? {
            let id = object.location.filename().and_then(|name| name.parse().ok());
            found.extend(id.map(|id| (id, Millis(object.last_modified.timestamp_millis()))));
            if found.len() >= LIST_MAX {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
