//! Licences of Expert Advisors: who may run one, where, and for how long.
//!
//! Owns: policies, seats, the order of the questions ([`decide`]), the refusals and what a person does about them, licence
//! keys as people type them, the bytes that signatures cover, and who may have which file
//! ([`may_download`], [`file_kind`]). `ea/protocol.md` says all of it for clients, and the
//! golden vectors in `ea/vectors` hold for this module too. Refuses to know: hashes and keys, rows, clocks, who asks how often.
//!
//! Deciding changes nothing. Whoever keeps the licence takes or frees the seat that a verdict names, in one transaction
//! with the question, so that of a hundred who race for the last seat one wins.

mod decide;
mod download;
mod file;
mod key;
mod policy;
mod refusal;
mod seat;
mod signed;
#[cfg(test)]
mod tests;
mod version;

pub use decide::{Notice, Terms, Verdict, decide};
pub use download::{Download, NoDownload, may_download};
pub use file::{FILE_BYTES_MAX, FILE_NAME_MAX, FileFault, FileKind, file_kind};
pub use key::{KeyFault, LicenceKey};
pub use policy::{Binding, Floating, Kinds, Overage, Policy, Seats, Since, Term};
pub use refusal::Refusal;
pub use seat::{Activation, Ask, Bound, Claim, Kind, Licence, State};
pub use signed::{Kid, SignedKind, activation_info, signed_bytes, state_info};
pub use version::Version;

/// Longest time that a valid answer may let an EA run without being heard, in milliseconds: 31 days.
pub const OFFLINE_MS_MAX: i64 = 31 * crate::time::DAY_MS;
