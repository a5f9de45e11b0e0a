//! Sample data for the pages of what authors publish.

use super::{Sample, Shell};
use crate::portal::view::{Clock, FindingView, ReleasePage, ReleaseRow, ReleasesPage};
use marque_domain::{
    plugin::ReleaseStatus,
    time::{Millis, Zone},
};
use marque_sandbox::gate::{Code, Finding, HookFuel};

fn row(status: ReleaseStatus) -> ReleaseRow {
    ReleaseRow {
        href: "/releases/plg_000000000001a".to_owned(),
        title: "gap-fade 1.2.0".to_owned(),
        channel: "stable",
        author: "author@example.com".to_owned(),
        at: Clock::new(Zone::utc()).show(Millis(1_795_176_000_000)),
        score: "82".to_owned(),
        status: ReleaseRow::badge(status),
    }
}

fn page(status: ReleaseStatus, reason: &str) -> ReleasePage {
    let finding = |code, detail: &str| FindingView::from(&Finding { code, detail: detail.to_owned() });
    let pending = status == ReleaseStatus::Pending;
    ReleasePage {
        row: row(status),
        kind: "strategy",
        digest: "5d0c".repeat(16),
        contract: "1.1".to_owned(),
        key: "aky_000000000001a".to_owned(),
        reason: reason.to_owned(),
        changelog: vec!["Closes before the weekend.".to_owned(), "A closer stop.".to_owned()],
        findings: if pending {
            vec![finding(Code::FuelNear, "on_bar: 12000000 of 20000000"), finding(Code::Untitled, "lots")]
        } else {
            Vec::new()
        },
        fuel: vec![HookFuel {
            hook: "on_bar".to_owned(),
            events: 2_999,
            p50: 1_204,
            p99: 1_377,
            max: 12_000_000,
            limit: 20_000_000,
        }],
        may_decide: pending,
        may_yank: pending,
        csrf: "csrf-token".to_owned(),
    }
}

/// The list and one release of each kind.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let shell = |title: &str| shell(title, "/releases", true);
    let releases = vec![row(ReleaseStatus::Pending), row(ReleaseStatus::Approved), row(ReleaseStatus::Yanked)];
    let list = |releases| ReleasesPage { releases, zone: "UTC".to_owned() };
    vec![
        Sample::page("releases", shell("Releases"), &list(releases)),
        Sample::page("releases-none", shell("Releases"), &list(Vec::new())),
        Sample::page("release", shell("gap-fade 1.2.0"), &page(ReleaseStatus::Pending, "")),
        Sample::page("release-refused", shell("gap-fade 1.2.0"), &page(ReleaseStatus::Refused, "It trades too much.")),
    ]
}
