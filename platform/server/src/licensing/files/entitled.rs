//! Who may have a file now: what the domain needs to know for it, read anew each time.

use crate::{
    identity::{Operation, Reach, Role},
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    id::{ProductId, UserId},
    licence::{Download, Licence, NoDownload, may_download},
    time::Millis,
};
use marque_store::{EaFile, EaProduct, LicenceFilter, LicencePolicy, LicenceRow, Page, TenantDb, User, Whose};

/// Licences of one product that one person's right is looked for in.
const LICENCES: u32 = 50;

/// Somebody who asks for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asks {
    /// Who.
    pub user: UserId,
    /// Whether every file of the brand is theirs to look at.
    pub manages: bool,
}

impl Asks {
    /// What somebody's role gives them at this moment; none when they may download nothing.
    pub fn of(user: &User) -> Option<Self> {
        let role: Role = user.role.parse().ok()?;
        match Operation::DownloadEaFile.reach(role) {
            Reach::Nothing => None,
            reach => Some(Self { user: user.id, manages: reach == Reach::Tenant }),
        }
    }
}

/// Whether somebody may have a file at this moment.
///
/// # Errors
/// [`ProblemCode::NotFound`] when nothing of theirs has to do with it, [`ProblemCode::NotEntitled`],
/// [`ProblemCode::VersionWithdrawn`].
pub(super) async fn check(db: &TenantDb, asks: Asks, file: &EaFile, now: Millis) -> Result<(), Problem> {
    let version = db.ea_version(file.version).await?;
    let product = db.ea_product(version.product).await?;
    let (plan_grants, licences) =
        if asks.manages { (false, Vec::new()) } else { rights(db, asks.user, &product).await? };
    let withdrawn = version.yanked_at.is_some();
    let download = Download { withdrawn, manages: asks.manages, plan_grants, licences: &licences };
    may_download(&download, now).map_err(|no| refusal(&no))
}

/// Whether somebody may have the files of a product's versions that were not withdrawn, at this moment.
pub(crate) async fn gives(db: &TenantDb, asks: Asks, product: ProductId, now: Millis) -> Result<bool, Problem> {
    if asks.manages {
        return Ok(true);
    }
    let (plan_grants, licences) = rights(db, asks.user, &db.ea_product(product).await?).await?;
    let download = Download { withdrawn: false, manages: false, plan_grants, licences: &licences };
    Ok(may_download(&download, now).is_ok())
}

/// Whether a person's plan grants a product, and their licences of it.
async fn rights(db: &TenantDb, user: UserId, product: &EaProduct) -> Result<(bool, Vec<Licence>), Problem> {
    let plan = db.user(user).await?.plan;
    let named = plan.is_some_and(|plan| product.plans.contains(&plan));
    let filter = LicenceFilter { product: Some(product.id), ..LicenceFilter::default() };
    let rows = db.licences(Whose::User(user), filter, Page::first(LICENCES)).await?.items;
    let policies = if rows.is_empty() { Vec::new() } else { db.licence_policies(Some(product.id)).await? };
    let granted = named || product.plans.is_empty();
    let licence = |row: &LicenceRow| {
        let policy = policies.iter().find(|policy| policy.id == row.policy)?;
        Some(as_decided(row, policy, granted))
    };
    Ok((named, rows.iter().filter_map(licence).collect()))
}

/// A licence as the domain decides about it, without its seats: nothing here depends on them.
fn as_decided(row: &LicenceRow, policy: &LicencePolicy, granted: bool) -> Licence {
    Licence {
        id: row.id,
        product: row.product,
        policy: super::super::known::policy_of(row, policy),
        state: row.state,
        granted,
        created_at: row.created_at,
        first_used_at: row.first_used_at,
        first_activated_at: row.first_activated_at,
        moved_at: row.moved_at,
        activations: Vec::new(),
    }
}

fn refusal(no: &NoDownload) -> Problem {
    match no {
        NoDownload::NotTheirs => Problem::not_found(),
        NoDownload::Withdrawn => {
            Problem::new(ProblemCode::VersionWithdrawn, "This version was withdrawn. Download the newest one instead.")
        }
        NoDownload::Licence(refusal) => Problem::new(ProblemCode::NotEntitled, refusal.to_string()),
    }
}
