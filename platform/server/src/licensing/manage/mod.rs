//! What vendors and owners do with products, policies and licences: each checked, done, and recorded in the audit log.

mod export;
mod files;
mod issue;
mod licences;
mod policies;
mod products;
mod settings;

pub use export::licences_csv;
pub use files::{DownloadLink, add_file, download, download_link, remove_file};
pub use issue::{Issued, NewLicence, issue};
#[cfg(test)]
pub(crate) use licences::hand_over;
pub use licences::{Step, change, issue_to, key_shown, reissue, release_seat, transfer};
pub(crate) use policies::put_policy;
pub use policies::{PolicyWish, TermWish, add_policy, change_policy};
pub use products::{NewProduct, NewVersion, ProductChange, add_product, add_version, change_product, yank_version};
pub(crate) use products::{put_product, put_version};
pub use settings::{settings_of, settings_set};

use crate::problem::{Problem, ProblemCode};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 60;
/// Characters of a sentence or reason.
const LINE_CHARS_MAX: usize = 500;
/// Characters of what changed.
const CHANGELOG_CHARS_MAX: usize = 16_384;

fn wrong(name: &str, detail: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct the fields that `errors` names and send the request again.")
        .field(format!("/{name}"), detail)
}

/// A text on one line.
fn line(field: &str, text: &str, min: usize, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let fits = (min..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(wrong(field, format!("{min} to {max} characters on one line"))) }
}

/// A new key for a licence, sealed and open.
#[cfg(test)]
pub(crate) async fn key_for_tests(
    db: &marque_store::TenantDb,
    vault: &crate::secrets::Vault,
    id: marque_domain::id::LicenceId,
    now: marque_domain::time::Millis,
) -> (marque_store::LicenceKeyRow, marque_domain::licence::LicenceKey) {
    issue::new_key(db, vault, id, now).await.unwrap()
}

/// The key of a licence that is good now.
#[cfg(test)]
pub(crate) async fn good_key_for_tests(
    db: &marque_store::TenantDb,
    vault: &crate::secrets::Vault,
    id: marque_domain::id::LicenceId,
) -> marque_domain::licence::LicenceKey {
    issue::shown_key(db, vault, id).await.unwrap().parse().unwrap()
}
