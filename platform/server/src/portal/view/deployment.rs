//! A deployment's own page, and what strategies use up.

use super::{
    Page,
    component::{Badge, Banner, Choice, Link, Pager, Setting, Tab, Tone},
    decision::DecisionRow,
    figure::{Clock, When, count},
};
use crate::trading::meter::millions;
use marque_domain::{
    succession::{Moment, ShadowEnd, StateKept, Way},
    usage::Usage,
};
use marque_store::{LoggedLine, NumberedDifference, ShadowReport};
use serde::Serialize;

/// What was used up, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageView {
    /// Calls: `1,204`.
    pub calls: String,
    /// Instructions: `12.5 million`.
    pub fuel: String,
    /// Time in calls: `340 ms`.
    pub time: String,
    /// The most memory: `1.1 MiB`.
    pub memory: String,
}

impl From<Usage> for UsageView {
    fn from(used: Usage) -> Self {
        Self {
            calls: used.calls.to_string(),
            fuel: millions(used.fuel),
            time: time_words(used.time_ns),
            memory: memory_words(used.memory_bytes_peak),
        }
    }
}

/// A number and its tenths, with a unit.
fn tenths(amount: u64, whole: u64, unit: &str) -> String {
    let tenths = amount.saturating_mul(10) / whole;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, rest) => format!("{whole}.{rest} {unit}"),
    }
}

fn time_words(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => tenths(ns, 1_000_000, "ms"),
        _ => tenths(ns, 1_000_000_000, "s"),
    }
}

fn memory_words(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { format!("{} KiB", bytes >> 10) } else { tenths(bytes, MIB, "MiB") }
}

/// What was used up of one thing: a day, a deployment, a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// What used it.
    pub label: String,
    /// Its page, if it has one.
    pub href: Option<String>,
    /// Something more about it.
    pub note: String,
    /// What was used.
    pub used: UsageView,
}

impl UsageRow {
    /// A row without a page.
    #[must_use]
    pub fn new(label: impl Into<String>, used: Usage) -> Self {
        Self { label: label.into(), href: None, note: String::new(), used: used.into() }
    }
}

/// A decision in which the shadow differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceRow {
    /// When.
    pub at: When,
    /// At what: `Bar`.
    pub moment: &'static str,
    /// What the live version wanted.
    pub live: String,
    /// What the shadow wanted, or its fault.
    pub shadow: String,
    /// Whether it failed.
    pub failed: bool,
}

const fn moment_words(moment: Moment) -> &'static str {
    match moment {
        Moment::Tick => "Quote",
        Moment::Bar => "Bar",
        Moment::OrderUpdate => "Order update",
        Moment::Timer => "Timer",
        Moment::Refusal => "Its wish not carried out",
    }
}

impl DifferenceRow {
    /// A stored difference.
    #[must_use]
    pub fn of(found: &NumberedDifference, clock: &Clock) -> Self {
        let difference = &found.difference;
        let words = |text: &str| if text.is_empty() { "Nothing".to_owned() } else { text.to_owned() };
        Self {
            at: clock.show(difference.at),
            moment: moment_words(difference.moment),
            live: words(&difference.live),
            shadow: words(&difference.shadow),
            failed: difference.failed,
        }
    }
}

/// The version beside the live one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShadowPanel {
    /// Which version.
    pub version: String,
    /// Whether it runs, or how it ended.
    pub status: Badge,
    /// Why it failed.
    pub reason: Option<String>,
    /// Since when.
    pub since: When,
    /// How often it differed, in words.
    pub verdict: String,
    /// Whether it runs and may be promoted or ended by the reader.
    pub may_change: bool,
    /// The decisions in which it differed, newest first.
    pub differences: Vec<DifferenceRow>,
    /// More of them.
    pub pager: Pager,
}

impl ShadowPanel {
    /// A report without its list.
    #[must_use]
    pub fn of(report: &ShadowReport, version: String, clock: &Clock) -> Self {
        let end = report.ended.as_ref().map(|(_, end)| end);
        let status = match end {
            None => Badge::new(Tone::Good, "Running beside"),
            Some(ShadowEnd::Dropped) => Badge::new(Tone::Quiet, "Ended"),
            Some(ShadowEnd::Promoted) => Badge::new(Tone::Good, "Took over"),
            Some(ShadowEnd::Overtaken) => Badge::new(Tone::Quiet, "Ended with the change of version"),
            Some(ShadowEnd::Stopped) => Badge::new(Tone::Quiet, "Ended with the strategy"),
            Some(ShadowEnd::Failed(_)) => Badge::new(Tone::Bad, "Failed"),
        };
        let plural = |n: u64, one: &str, many: &str| count(usize::try_from(n).unwrap_or(usize::MAX), one, many);
        let compared = plural(report.compared, "decision", "decisions");
        let verdict = match (report.differing, report.failed) {
            (0, _) => format!("{compared} compared, none differed."),
            (differing, 0) => format!("{compared} compared, {differing} differed."),
            (differing, failed) => format!("{compared} compared, {differing} differed, {failed} of them by failing."),
        };
        Self {
            version,
            status,
            reason: end.and_then(ShadowEnd::reason).map(str::to_owned),
            since: clock.show(report.shadow.since),
            verdict,
            may_change: false,
            differences: Vec::new(),
            pager: Pager { newer: None, older: None },
        }
    }
}

/// A change of version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRow {
    /// When.
    pub at: When,
    /// `Upgraded from 1.0.0 to 1.1.0`.
    pub text: String,
    /// With which state the new version began.
    pub state: &'static str,
}

impl ChangeRow {
    /// A change between two versions by name.
    #[must_use]
    pub fn new(at: When, way: Way, from: &str, to: &str, state: StateKept) -> Self {
        let text = match way {
            Way::Upgrade => format!("Upgraded from {from} to {to}"),
            Way::RollBack => format!("Went back from {from} to {to}"),
            Way::Promotion => format!("{to} took over from {from}"),
        };
        let state = match state {
            StateKept::Carried => "Its state was carried over.",
            StateKept::Own => "It went on with its own state.",
            StateKept::Fresh => "It began anew, from the bars before and what was open.",
        };
        Self { at, text, state }
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRow {
    /// When.
    pub at: When,
    /// What it said.
    pub text: String,
}

impl LogRow {
    /// A stored line.
    #[must_use]
    pub fn of(line: &LoggedLine, clock: &Clock) -> Self {
        Self { at: clock.show(line.at), text: line.text.clone() }
    }
}

/// A deployment's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentPage {
    /// Its account.
    pub account: Link,
    /// Its id.
    pub id: String,
    /// Its address.
    pub href: String,
    /// The strategy's name.
    pub strategy: String,
    /// The version that it runs.
    pub version: String,
    /// `EURUSD · M1`.
    pub about: String,
    /// Whether it runs.
    pub status: Badge,
    /// Why it does not, and what next.
    pub reason: Option<String>,
    /// Why what was asked for was not done.
    pub banner: Option<Banner>,
    /// What it runs with.
    pub settings: Vec<Setting>,
    /// Where to stop it, while it runs.
    pub stop_url: Option<String>,
    /// Where to start it, while it does not.
    pub start_url: Option<String>,
    /// Whether the reader may change its version.
    pub may_change: bool,
    /// Whether it runs, so that another version may run beside it.
    pub running: bool,
    /// The versions that it could run.
    pub versions: Vec<Choice>,
    /// The version that a roll-back leads to.
    pub previous: Option<String>,
    /// The version beside it.
    pub shadow: Option<ShadowPanel>,
    /// What followed what, newest first.
    pub changes: Vec<ChangeRow>,
    /// What it used, by days, newest first.
    pub usage: Vec<UsageRow>,
    /// What it logged, newest first.
    pub log: Vec<LogRow>,
    /// More of it.
    pub log_pager: Pager,
    /// What it wanted, newest first.
    pub decisions: Vec<DecisionRow>,
    /// More of it.
    pub decisions_pager: Pager,
    /// The zone of the page's times.
    pub zone: String,
    /// The token of its forms.
    pub csrf: String,
}

impl Page for DeploymentPage {
    const TEMPLATE: &'static str = "deployment";
}

/// What strategies use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsagePage {
    /// `Your strategies`, or `All strategies` for who sees those of others.
    pub title: &'static str,
    /// Over how many days: `the last 7 days`.
    pub span: String,
    /// All of it together.
    pub total: UsageView,
    /// What the reader's plan allows, and what is left of it today; none without a limit.
    pub limit: Option<Banner>,
    /// By days, newest first.
    pub days: Vec<UsageRow>,
    /// By deployments, those first that used most.
    pub deployments: Vec<UsageRow>,
    /// By plans, for who sees all of the brand's.
    pub plans: Vec<UsageRow>,
    /// The choices of how many days.
    pub spans: Vec<Tab>,
}

impl UsagePage {
    /// What is left of a day's instructions.
    #[must_use]
    pub fn limit(limit: u64, today: u64) -> Banner {
        let (used, all) = (millions(today), millions(limit));
        if today >= limit {
            let text = format!(
                "Your plan allows {all} instructions a day. You can start your strategies again tomorrow (UTC)."
            );
            return Banner::new(Tone::Warn, "Today's instructions are used up", text);
        }
        let text = format!("{used} of {all} instructions of today (UTC) are used, on all your accounts together.");
        Banner::new(Tone::Quiet, "What your plan allows", text)
    }
}

impl Page for UsagePage {
    const TEMPLATE: &'static str = "usage";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_told_in_words() {
        for (ns, words) in [(0, "0 µs"), (999_999, "999 µs"), (1_250_000, "1.2 ms"), (2_000_000_000, "2 s")] {
            assert_eq!(time_words(ns), words);
        }
        for (bytes, words) in [(65_536, "64 KiB"), (1 << 20, "1 MiB"), (1_200_000, "1.1 MiB")] {
            assert_eq!(memory_words(bytes), words);
        }
    }
}
