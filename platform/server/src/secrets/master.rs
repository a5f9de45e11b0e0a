//! The platform's master keys: where they are kept, and what they wrap.
//!
//! A tenant's data keys lie in the database, wrapped by a master key that does not. Several master keys may stand
//! beside each other while one takes the other's place; the first is the one that wraps.

use super::{
    NoRandomness, Secret,
    cipher::{Key, SealError, concat, decrypt, encrypt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::id::TenantId;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Master keys side by side at most: one that takes over and those it takes over from.
const KEYS_MAX: usize = 4;
/// More than `KEYS_MAX` keys and a few lines of comment.
const FILE_BYTES_MAX: u64 = 4_096;
/// Bytes that tell which master key wrapped a data key.
const ID_BYTES: usize = 8;
/// The first byte of a wrapped key: how it is written.
const FORMAT: u8 = 1;

const HEADER: &str = "# Marque's master keys. Whoever has this file and the database can read every secret in it; whoever loses it has \
    lost them.\n# Keep a copy in a safe place that is not where the database's back-ups are.\n";

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is not there.
    #[error(
        "there is no master key in {0}: nothing that is sealed can be opened. Run `marque migrate` if this is a new installation; else bring the file \
         back from where you keep a copy, or set master_key_file or MARQUE_MASTER_KEY"
    )]
    Missing(PathBuf),
    /// The file cannot be used.
    #[error("cannot use the master key in {path}: {source}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("the master key in {0} can be read by everybody on this machine; run: chmod 600 {0}")]
    Exposed(PathBuf),
    /// What is there is not a key.
    #[error(
        "{0} holds no master key: it must be 1 to {KEYS_MAX} keys of 32 bytes in URL-safe base64 (43 characters), separated by spaces or lines"
    )]
    Malformed(String),
    /// The environment's keys are the operator's to change.
    #[error(
        "the master key comes from MARQUE_MASTER_KEY, which only you can change. Set it to a new key, a space and the old one \
         (openssl rand -base64 32 | tr '+/' '-_' | tr -d '=' makes one), run this again, then leave the old one away"
    )]
    NotOurs,
    /// No randomness for a new one.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Where the master keys come from.
#[derive(Clone)]
pub(crate) enum MasterSource {
    /// A setting.
    Given(Secret),
    /// A file that this program may change.
    File(PathBuf),
}

/// The master keys, the one that wraps first.
#[derive(Clone)]
pub(super) struct MasterKeys(Vec<Key>);

impl MasterSource {
    pub(super) fn read(&self) -> Result<MasterKeys, MasterKeyError> {
        match self {
            Self::Given(text) => MasterKeys::parse(text.expose(), "MARQUE_MASTER_KEY"),
            Self::File(path) => {
                let unusable = |source| MasterKeyError::Unusable { path: path.clone(), source };
                let about = match fs::metadata(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(MasterKeyError::Missing(path.clone()));
                    }
                    about => about.map_err(unusable)?,
                };
                if about.permissions().mode() & 0o007 != 0 {
                    return Err(MasterKeyError::Exposed(path.clone()));
                }
                if about.len() > FILE_BYTES_MAX {
                    return Err(MasterKeyError::Malformed(path.display().to_string()));
                }
                let text = Zeroizing::new(fs::read_to_string(path).map_err(unusable)?);
                MasterKeys::parse(&text, &path.display().to_string())
            }
        }
    }

    /// Whether there are any yet.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Given(_) => false,
            Self::File(path) => !path.exists(),
        }
    }

    /// Makes the first master key in its file.
    pub(super) fn create(&self) -> Result<(), MasterKeyError> {
        match self {
            Self::Given(_) => Ok(()),
            Self::File(path) => write_file(path, &MasterKeys(vec![Key::random()?])),
        }
    }

    /// Puts a new key before the others, unless there are several already: then a change is under way.
    pub(super) fn begin_change(&self) -> Result<MasterKeys, MasterKeyError> {
        let mut keys = self.read()?;
        match self {
            _ if keys.0.len() > 1 => {}
            Self::Given(_) => return Err(MasterKeyError::NotOurs),
            Self::File(path) => {
                keys.0.insert(0, Key::random()?);
                write_file(path, &keys)?;
            }
        }
        Ok(keys)
    }

    /// Leaves only the first key. Answers whether it could: the environment is the operator's.
    pub(super) fn end_change(&self) -> Result<bool, MasterKeyError> {
        let mut keys = self.read()?;
        match self {
            Self::Given(_) => Ok(keys.0.len() == 1),
            Self::File(path) => {
                keys.0.truncate(1);
                write_file(path, &keys)?;
                Ok(true)
            }
        }
    }
}

/// Writes beside the file and renames: at every moment one of the two is there whole.
fn write_file(path: &Path, keys: &MasterKeys) -> Result<(), MasterKeyError> {
    let unusable = |source| MasterKeyError::Unusable { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // A crash may have left one behind.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(HEADER.as_bytes())?;
        for key in &keys.0 {
            let line = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.bytes()) + "\n");
            file.write_all(line.as_bytes())?;
        }
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename itself must survive a power cut.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(unusable)
}

impl MasterKeys {
    fn parse(text: &str, place: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed(place.to_owned());
        let words = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
        let keys = words.map(|word| {
            let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(word.trim_end_matches('=')).map_err(|_| malformed())?);
            Ok(Key::new(bytes.as_slice().try_into().map_err(|_| malformed())?))
        });
        let keys = keys.collect::<Result<Vec<_>, MasterKeyError>>()?;
        if (1..=KEYS_MAX).contains(&keys.len()) { Ok(Self(keys)) } else { Err(malformed()) }
    }

    /// A key for one purpose, which says nothing about the master key it is made from.
    pub(super) fn derive(&self, purpose: &[u8]) -> Result<Key, SealError> {
        Ok(Key::new(self.0.first().ok_or(SealError::WrongMaster)?.mac(purpose)))
    }

    /// Whether a wrapped key is under the first master key.
    pub(super) fn is_current(&self, wrapped: &[u8]) -> bool {
        let first = self.0.first().map(id);
        wrapped.split_first().is_some_and(|(_, rest)| first.is_some_and(|id| rest.starts_with(&id)))
    }

    /// Wraps a tenant's data key under the first master key.
    pub(super) fn wrap(&self, tenant: TenantId, version: u32, key: &Key) -> Result<Vec<u8>, SealError> {
        let master = self.0.first().ok_or(SealError::WrongMaster)?;
        let mut wrapped = vec![FORMAT];
        wrapped.extend(id(master));
        wrapped.extend(encrypt(master, key.bytes(), &about(tenant, version))?);
        Ok(wrapped)
    }

    /// Unwraps a tenant's data key.
    pub(super) fn unwrap(&self, tenant: TenantId, version: u32, wrapped: &[u8]) -> Result<Key, SealError> {
        let (format, rest) = wrapped.split_first().ok_or(SealError::Broken)?;
        let (by, sealed) = rest.split_first_chunk::<ID_BYTES>().ok_or(SealError::Broken)?;
        if *format != FORMAT {
            return Err(SealError::Broken);
        }
        let master = self.0.iter().find(|key| id(key) == *by).ok_or(SealError::WrongMaster)?;
        let plain = decrypt(master, sealed, &about(tenant, version))?;
        Ok(Key::new(plain.as_slice().try_into().map_err(|_| SealError::Broken)?))
    }
}

/// Tells master keys apart without saying anything about them.
fn id(key: &Key) -> [u8; ID_BYTES] {
    let mac = key.mac(b"marque master key id 1");
    let mut id = [0; ID_BYTES];
    id.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    id
}

fn about(tenant: TenantId, version: u32) -> Vec<u8> {
    concat(&[b"marque data key 1", &tenant.0.to_be_bytes(), &version.to_be_bytes()])
}
