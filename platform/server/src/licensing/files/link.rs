//! A short link to one file, for one person, until an instant: signed, so that nothing of it need be kept.
//!
//! The key comes of the tenant's own, so that a link of one brand is noise at another.

use crate::secrets::{TenantKeys, cipher::concat};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::{
    id::{EaFileId, UserId},
    time::{MINUTE_MS, Millis},
};
use subtle::ConstantTimeEq as _;

/// How long a link works, in milliseconds.
pub const LINK_MS: i64 = 5 * MINUTE_MS;
/// Where links lie.
pub(super) const PATH: &str = "/ea-downloads";
/// What the key is for.
const PURPOSE: &str = "ea download link";
/// File, person and instant, and the MAC.
const BYTES: usize = 3 * 8 + 32;
/// As many characters as those bytes take.
const CHARS: usize = BYTES.div_ceil(3) * 4 - (3 - BYTES % 3) % 3;

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Which file.
    pub file: EaFileId,
    /// For whom.
    pub user: UserId,
    /// Until when, this instant not included.
    pub until: Millis,
}

impl Link {
    fn fields(self) -> [[u8; 8]; 3] {
        [self.file.0.to_be_bytes(), self.user.0.to_be_bytes(), self.until.0.to_be_bytes()]
    }

    fn mac(self, keys: &TenantKeys) -> [u8; 32] {
        let [file, user, until] = self.fields();
        keys.mac(PURPOSE, &concat(&[&keys.tenant().0.to_be_bytes(), &file, &user, &until]))
    }

    /// The last part of its address.
    pub fn sign(self, keys: &TenantKeys) -> String {
        let fields = self.fields();
        URL_SAFE_NO_PAD.encode([fields.as_flattened(), &self.mac(keys)].concat())
    }

    /// What was signed with these keys; nothing else is a link.
    pub fn read(text: &str, keys: &TenantKeys) -> Option<Self> {
        // The bound keeps a hostile address from being decoded at all.
        let bytes = (text.len() == CHARS).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten()?;
        let (file, rest) = bytes.split_first_chunk::<8>()?;
        let (user, rest) = rest.split_first_chunk::<8>()?;
        let (until, mac) = rest.split_first_chunk::<8>()?;
        let link = Self {
            file: EaFileId(i64::from_be_bytes(*file)),
            user: UserId(i64::from_be_bytes(*user)),
            until: Millis(i64::from_be_bytes(*until)),
        };
        bool::from(link.mac(keys).as_slice().ct_eq(mac)).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, TestStore, vault};

    #[tokio::test]
    async fn a_link_is_read_as_it_was_signed_and_at_its_own_tenant() {
        let store = TestStore::with_demo(&[]).await;
        let tenants = store.system().tenants().await.unwrap();
        let (vault, db) = (vault(), |at: usize| store.system().tenant_db(tenants[at].id));
        let (keys, others) = (vault.of(&db(0)).await.unwrap(), vault.of(&db(1)).await.unwrap());
        let link = Link { file: EaFileId(7), user: UserId(8), until: NOON };
        let text = link.sign(&keys);
        assert_eq!(text.len(), CHARS);
        assert_eq!(Link::read(&text, &keys), Some(link));
        assert_eq!(Link::read(&text, &others), None, "another tenant's");
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Link::read(&URL_SAFE_NO_PAD.encode(changed), &keys), None, "bit {bit}");
        }
        for bad in ["", "a", &text[1..], &format!("{text}A"), &"é".repeat(CHARS / 2), &"=".repeat(CHARS)] {
            assert_eq!(Link::read(bad, &keys), None, "{bad}");
        }
    }
}
