//! Keys of single files: what is too large for a row is sealed with a key of its own, and only that key lies, sealed like
//! any other secret, in the row. Changing the tenant's keys then seals keys anew and touches no file.

use super::{
    NoRandomness,
    cipher::{self, Key, SealError, concat},
    vault::Opened,
};
use core::fmt;
use marque_domain::id::TenantId;

/// A key that one file is sealed with. No `Debug` of its bits, no `Serialize`; they are wiped when dropped.
pub struct ContentKey(Key);

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(concealed)")
    }
}

impl ContentKey {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self, NoRandomness> {
        Key::random().map(Self)
    }

    /// One that was sealed and is open again.
    ///
    /// # Errors
    /// [`SealError::Broken`] when it is none.
    pub fn of(opened: &Opened) -> Result<Self, SealError> {
        let bytes = <[u8; 32]>::try_from(opened.expose()).map_err(|_| SealError::Broken)?;
        Ok(Self(Key::new(bytes)))
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Seals a tenant's file of this id. It opens as no other file and at no other tenant, even under the same key.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`], [`SealError::TooLong`].
    pub fn seal(&self, tenant: TenantId, id: i64, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        cipher::encrypt(&self.0, plain, &about(tenant, id))
    }

    /// Opens a tenant's file of this id.
    ///
    /// # Errors
    /// [`SealError::Broken`] when it was changed, or is another file.
    pub fn open(&self, tenant: TenantId, id: i64, sealed: &[u8]) -> Result<Opened, SealError> {
        cipher::decrypt(&self.0, sealed, &about(tenant, id)).map(Opened::new)
    }
}

fn about(tenant: TenantId, id: i64) -> Vec<u8> {
    concat(&[b"marque file 1", &tenant.0.to_be_bytes(), &id.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_as_itself_and_nothing_else() {
        let (key, other) = (ContentKey::new().unwrap(), ContentKey::new().unwrap());
        let sealed = key.seal(TenantId(1), 7, b"EX5 and so on").unwrap();
        assert!(!sealed.windows(3).any(|part| part == b"EX5"));
        assert_eq!(key.open(TenantId(1), 7, &sealed).unwrap().expose(), b"EX5 and so on");
        let fails = |key: &ContentKey, tenant, id, sealed: &[u8]| key.open(TenantId(tenant), id, sealed).err();
        assert_eq!(fails(&key, 2, 7, &sealed), Some(SealError::Broken), "at another tenant");
        assert_eq!(fails(&key, 1, 8, &sealed), Some(SealError::Broken), "as another file");
        assert_eq!(fails(&other, 1, 7, &sealed), Some(SealError::Broken), "under another key");
        for length in 0..sealed.len() {
            assert!(fails(&key, 1, 7, &sealed[..length]).is_some(), "{length} bytes");
        }
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(fails(&key, 1, 7, &changed).is_some(), "bit {bit}");
        }
        let again = ContentKey::of(&Opened::new(key.expose().to_vec().into())).unwrap();
        assert_eq!(again.open(TenantId(1), 7, &sealed).unwrap().expose(), b"EX5 and so on");
        assert!(ContentKey::of(&Opened::new(vec![1; 31].into())).is_err());
    }
}
