//! What authors publish: the list, and one release with the gate's report.

use super::{Badge, Page, Tone, When};
use marque_domain::plugin::ReleaseStatus;
use marque_sandbox::gate::{Finding, HookFuel, Report, Severity};
use serde::Serialize;

/// A release in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseRow {
    /// Its page.
    pub href: String,
    /// Its plugin and version.
    pub title: String,
    /// The channel.
    pub channel: &'static str,
    /// Who published it.
    pub author: String,
    /// When.
    pub at: When,
    /// The gate's score.
    pub score: String,
    /// Where it is on its way.
    pub status: Badge,
}

impl ReleaseRow {
    /// The badge of a status.
    #[must_use]
    pub fn badge(status: ReleaseStatus) -> Badge {
        match status {
            ReleaseStatus::Pending => Badge::new(Tone::Warn, "Waits for a decision"),
            ReleaseStatus::Approved => Badge::new(Tone::Good, "Approved"),
            ReleaseStatus::Refused => Badge::new(Tone::Bad, "Refused"),
            ReleaseStatus::Yanked => Badge::new(Tone::Quiet, "Withdrawn"),
        }
    }
}

/// The list of releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasesPage {
    /// The newest first.
    pub releases: Vec<ReleaseRow>,
    /// The zone of its times.
    pub zone: String,
}

impl Page for ReleasesPage {
    const TEMPLATE: &'static str = "releases";
}

/// A finding of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingView {
    /// How grave, as a tone.
    pub tone: Tone,
    /// The tone without colour.
    pub mark: &'static str,
    /// How grave, as a word.
    pub severity: &'static str,
    /// The stable code.
    pub code: &'static str,
    /// What is so.
    pub what: &'static str,
    /// Where and how much.
    pub detail: String,
    /// Why it matters.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        let code = finding.code;
        let (tone, severity) = match code.severity() {
            Severity::Fatal => (Tone::Bad, "Fatal"),
            Severity::Warning => (Tone::Warn, "Warning"),
            Severity::Advice => (Tone::Quiet, "Advice"),
        };
        let detail = finding.detail.clone();
        let (what, why, mend) = (code.what(), code.why(), code.mend());
        Self { tone, mark: tone.mark(), severity, code: code.code(), what, detail, why, mend }
    }
}

/// A release with the gate's report, and what this person may decide about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasePage {
    /// As in the list.
    pub row: ReleaseRow,
    /// Its kind.
    pub kind: &'static str,
    /// Its component's digest.
    pub digest: String,
    /// The contract that it is built for.
    pub contract: String,
    /// The key that signed it.
    pub key: String,
    /// Why it was refused or withdrawn.
    pub reason: String,
    /// What changed, line by line.
    pub changelog: Vec<String>,
    /// The gravest first.
    pub findings: Vec<FindingView>,
    /// What its hooks used of their fuel.
    pub fuel: Vec<HookFuel>,
    /// Whether this person may let it in or refuse it now.
    pub may_decide: bool,
    /// Whether this person may withdraw it now.
    pub may_yank: bool,
    /// The token of the forms.
    pub csrf: String,
}

impl ReleasePage {
    /// What a report says, as far as it can be read.
    #[must_use]
    pub fn report(report: Option<&Report>) -> (Vec<FindingView>, Vec<HookFuel>) {
        let findings = report.iter().flat_map(|report| &report.findings).map(FindingView::from).collect();
        (findings, report.map(|report| report.fuel.clone()).unwrap_or_default())
    }
}

impl Page for ReleasePage {
    const TEMPLATE: &'static str = "release";
}
