//! Checking a chain: every altered, dropped, reordered or cut-off entry is named.
//!
//! What a chain cannot show is a roll-back: rows and head put back together to what they once were. Against that, the
//! head that is printed is noted elsewhere and shown again at the next check.

use super::Chain;
use crate::secrets::{Vault, VaultError};
use core::{fmt, str::FromStr};
use marque_store::{AuditHead, AuditRow, AuditSeal as _, TenantDb};
use subtle::ConstantTimeEq as _;

/// Faults that are listed; more are counted.
const FAULTS_MAX: usize = 100;
/// Bytes of a MAC that are noted.
const NOTED_BYTES: usize = 8;

/// Where a chain stood: its head's number and the beginning of its MAC, as `12:9f3a5c0017e2b4d8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The number.
    pub seq: i64,
    /// The beginning of the MAC.
    pub mac: String,
}

impl Noted {
    fn of(seq: i64, mac: &[u8]) -> Self {
        Self { seq, mac: mac.iter().take(NOTED_BYTES).map(|byte| format!("{byte:02x}")).collect() }
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.mac)
    }
}

impl FromStr for Noted {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected what an earlier check printed, such as 12:9f3a5c0017e2b4d8";
        let (seq, mac) = text.split_once(':').ok_or(EXPECTED)?;
        let seq = seq.parse().map_err(|_| EXPECTED)?;
        let good = mac.len() == 2 * NOTED_BYTES && mac.bytes().all(|b| b.is_ascii_hexdigit());
        if good { Ok(Self { seq, mac: mac.to_ascii_lowercase() }) } else { Err(EXPECTED) }
    }
}

/// Something that is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An entry is not what was written, or not where.
    Altered(i64),
    /// Entries were dropped.
    Missing(i64, i64),
    /// Entries were cut off at the end.
    CutOff(i64, i64),
    /// Entries stand after the end.
    Surplus(i64, i64),
    /// The head is gone.
    NoHead,
    /// The head is not one that this server wrote.
    ForgedHead,
    /// What was noted at an earlier check does not stand there any more.
    RolledBack(i64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered(seq) => write!(f, "entry {seq} was altered or moved"),
            Self::Missing(from, to) => write!(f, "entries {from} to {to} were dropped"),
            Self::CutOff(from, to) => write!(f, "entries {from} to {to} were cut off at the end"),
            Self::Surplus(from, to) => write!(f, "entries {from} to {to} were added past the end"),
            Self::NoHead => f.write_str("the head is gone"),
            Self::ForgedHead => f.write_str("the head was changed"),
            Self::RolledBack(seq) => write!(f, "entry {seq} is not the one that was noted: the log was put back"),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Entries that were looked at.
    pub entries: u64,
    /// Where the chain stands, to be noted elsewhere; none when the head cannot be believed.
    pub head: Option<Noted>,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many there are in all.
    pub faults_total: u64,
}

/// Checks the whole of a tenant's log, at one instant.
///
/// # Errors
/// [`VaultError`] when it cannot be read or the keys cannot be had.
pub async fn verify(db: &TenantDb, vault: &Vault, noted: Option<&Noted>) -> Result<Verdict, VaultError> {
    let keys = vault.of(db).await?;
    let mut check = Check::new(Chain::new(&keys), noted.cloned());
    let head = db.walk_audit(|row| check.see(&row)).await?;
    Ok(check.end(head))
}

/// Checks rows that are already at hand.
#[cfg(test)]
pub(super) fn check(keys: &crate::secrets::TenantKeys, rows: &[AuditRow], head: Option<AuditHead>) -> Verdict {
    let mut check = Check::new(Chain::new(keys), None);
    rows.iter().for_each(|row| check.see(row));
    check.end(head)
}

struct Check {
    chain: Chain,
    noted: Option<Noted>,
    next: i64,
    previous: Vec<u8>,
    verdict: Verdict,
}

impl Check {
    fn new(chain: Chain, noted: Option<Noted>) -> Self {
        Self { chain, noted, next: 1, previous: vec![0; 32], verdict: Verdict::default() }
    }

    fn fault(&mut self, fault: Fault) {
        self.verdict.faults_total += 1;
        if self.verdict.faults.len() < FAULTS_MAX {
            self.verdict.faults.push(fault);
        }
    }

    /// Rows come in the order of their numbers.
    fn see(&mut self, row: &AuditRow) {
        self.verdict.entries += 1;
        if row.seq > self.next {
            // What the row after a gap followed is not there any more, so it is taken as it is.
            self.fault(Fault::Missing(self.next, row.seq - 1));
        } else {
            let expected = self.chain.entry(row.seq, &self.previous, &row.entry);
            if row.seq < self.next || !bool::from(expected.as_slice().ct_eq(row.mac.as_slice())) {
                self.fault(Fault::Altered(row.seq));
            }
        }
        if self.noted.as_ref().is_some_and(|noted| noted.seq == row.seq && *noted == Noted::of(row.seq, &row.mac)) {
            self.noted = None;
        }
        self.next = row.seq.saturating_add(1);
        self.previous.clone_from(&row.mac);
    }

    fn end(mut self, head: Option<AuditHead>) -> Verdict {
        let last = self.next - 1;
        match head {
            None => self.fault(Fault::NoHead),
            Some(head) if !self.chain.is_genuine(&head) => self.fault(Fault::ForgedHead),
            Some(head) => {
                if head.seq > last {
                    self.fault(Fault::CutOff(self.next, head.seq));
                } else if head.seq < last {
                    self.fault(Fault::Surplus(head.seq + 1, last));
                } else if head.mac != self.previous && !self.verdict.faults.contains(&Fault::Altered(last)) {
                    self.fault(Fault::Altered(last));
                }
                self.verdict.head = Some(Noted::of(head.seq, &head.mac));
            }
        }
        if let Some(noted) = self.noted.take().filter(|noted| noted.seq != 0) {
            self.fault(Fault::RolledBack(noted.seq));
        }
        self.verdict
    }
}
