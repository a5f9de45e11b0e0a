//! The chain: the MAC of each entry covers the entry, its number and the MAC before it.

use crate::secrets::{TenantKeys, cipher::concat};
use marque_domain::id::TenantId;
use marque_store::{AuditEntry, AuditHead, AuditSeal};
use subtle::ConstantTimeEq as _;

/// Makes and checks one tenant's chain. The keys are the tenant's and do not change with those that seal.
pub struct Chain {
    tenant: TenantId,
    entries: Purpose,
    heads: Purpose,
}

/// One of the two things that are bound: a MAC of one can never stand for the other.
struct Purpose(TenantKeys, &'static str);

impl Purpose {
    fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.0.mac(self.1, message)
    }
}

impl Chain {
    /// The chain of the keys' tenant.
    #[must_use]
    pub fn new(keys: &TenantKeys) -> Self {
        Self {
            tenant: keys.tenant(),
            entries: Purpose(keys.clone(), "audit entry"),
            heads: Purpose(keys.clone(), "audit head"),
        }
    }
}

impl AuditSeal for Chain {
    fn entry(&self, seq: i64, previous: &[u8], entry: &AuditEntry) -> [u8; 32] {
        // Every column of the row, so that none can be changed.
        let actor = entry.actor.map_or_else(Vec::new, |user| user.0.to_be_bytes().to_vec());
        self.entries.mac(&concat(&[
            &self.tenant.0.to_be_bytes(),
            &seq.to_be_bytes(),
            previous,
            &entry.at.0.to_be_bytes(),
            entry.actor_kind.as_bytes(),
            &actor,
            entry.actor_name.as_bytes(),
            entry.act.as_bytes(),
            entry.target.as_bytes(),
            entry.details.as_bytes(),
            entry.address.as_bytes(),
            entry.agent.as_bytes(),
        ]))
    }

    fn head(&self, seq: i64, mac: &[u8]) -> [u8; 32] {
        self.heads.mac(&concat(&[&self.tenant.0.to_be_bytes(), &seq.to_be_bytes(), mac]))
    }

    fn is_genuine(&self, head: &AuditHead) -> bool {
        self.head(head.seq, &head.mac).as_slice().ct_eq(head.head_mac.as_slice()).into()
    }
}
