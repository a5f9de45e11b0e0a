//! Sample data for a deployment's page and for what strategies use up.

use super::{Sample, Shell, desk::decisions};
use crate::portal::view::{
    Badge, Banner, ChangeRow, Choice, Clock, DeploymentPage, DifferenceRow, Link, LogRow, Pager, Setting, ShadowPanel,
    Tab, Tone, UsagePage, UsageRow, VersionCard, VersionPage, fields_of,
};
use marque_domain::{
    id::DeploymentId,
    plugin::{PluginDigest, PluginRef},
    succession::{Difference, Moment, Shadow, ShadowEnd, StateKept, Way},
    time::{Millis, Zone},
    usage::Usage,
};
use marque_store::{LoggedLine, NumberedDifference, ShadowReport};
use serde_json::json;
use std::collections::BTreeMap;

/// 1 May 2014, 14:03:12 UTC.
const NOW: Millis = Millis(1_398_952_992_000);

fn used(fuel: u64) -> Usage {
    Usage { calls: 2_880, fuel, time_ns: 41_300_000, memory_bytes_peak: 1_179_648 }
}

fn shadow(ended: Option<ShadowEnd>) -> ShadowPanel {
    let clock = Clock::new(Zone::utc());
    let plugin = PluginRef { digest: PluginDigest([7; 32]), name: "ema-cross".to_owned(), settings: "{}".to_owned() };
    let report = ShadowReport {
        shadow: Shadow { plugin, since: Millis(NOW.0 - 7_200_000) },
        compared: 1_204,
        differing: 3,
        failed: u64::from(ended.is_some()),
        ended: ended.map(|end| (NOW, end)),
    };
    let difference = |seq, moment, live: &str, shadow: &str, failed| {
        let (live, shadow) = (live.to_owned(), shadow.to_owned());
        let difference = Difference { deployment: DeploymentId(1), at: NOW, moment, live, shadow, failed };
        DifferenceRow::of(&NumberedDifference { seq, difference }, &clock)
    };
    let mut panel = ShadowPanel::of(&report, "1.3.0".to_owned(), &clock);
    panel.may_change = report.ended.is_none();
    panel.differences = vec![
        difference(3, Moment::Bar, "buy 0.50 at the market, stop-loss 1.38605", "", false),
        difference(2, Moment::Bar, "buy 0.50 at the market", "buy 0.40 at the market", false),
        difference(1, Moment::Timer, "", "The plugin trapped: out of bounds memory access.", true),
    ];
    panel
}

fn page(name: &'static str, full: bool, shell: Shell) -> Sample {
    let clock = Clock::new(Zone::utc());
    let at = || clock.show(NOW);
    let choice =
        |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned(), selected: false };
    let line = |seq, text: &str| LogRow::of(&LoggedLine { seq, at: NOW, text: text.to_owned() }, &clock);
    let nothing = || Pager { newer: None, older: None };
    let page = DeploymentPage {
        account: Link::new("Evaluation 100K", "/accounts/acc_000000000001a"),
        id: "dep_000000000001a".to_owned(),
        href: "/deployments/dep_000000000001a".to_owned(),
        strategy: "ema-cross".to_owned(),
        version: "1.2.0".to_owned(),
        about: "EURUSD · M1".to_owned(),
        status: if full { Badge::new(Tone::Good, "Running") } else { Badge::new(Tone::Bad, "Quarantined") },
        reason: (!full).then(|| "It failed too often and was stopped.".to_owned()),
        banner: (!full).then(|| Banner::new(Tone::Bad, "Nothing was changed", "The settings do not fit 2.0.0.")),
        settings: vec![Setting { label: "Fast average".to_owned(), value: "12".to_owned() }],
        stop_url: full.then(|| "/deployments/dep_000000000001a/stop".to_owned()),
        start_url: (!full).then(|| "/deployments/dep_000000000001a/start".to_owned()),
        may_change: true,
        running: full,
        versions: vec![choice("1.3.0", "1.3.0 (stable)"), choice("2.0.0", "2.0.0 (beta, these settings do not fit)")],
        previous: full.then(|| "1.1.0".to_owned()),
        shadow: full.then(|| shadow(None)).or_else(|| Some(shadow(Some(ShadowEnd::Failed("It trapped.".to_owned()))))),
        changes: vec![
            ChangeRow::new(at(), Way::Upgrade, "1.1.0", "1.2.0", StateKept::Carried),
            ChangeRow::new(at(), Way::RollBack, "1.2.0", "1.1.0", StateKept::Fresh),
        ],
        usage: vec![UsageRow::new("2014-05-01", used(12_540_000))],
        log: if full { vec![line(2, "crossed upwards"), line(1, "shadow: crossed upwards")] } else { Vec::new() },
        log_pager: nothing(),
        decisions: if full { decisions() } else { Vec::new() },
        decisions_pager: nothing(),
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    };
    Sample::page(name, shell, &page)
}

fn usage(broker: bool) -> UsagePage {
    let row = |label: &str, note: &str, fuel| UsageRow { note: note.to_owned(), ..UsageRow::new(label, used(fuel)) };
    let deployment = UsageRow {
        href: Some("/deployments/dep_000000000001a".to_owned()),
        ..row("ema-cross on EURUSD", "", 9_000_000)
    };
    UsagePage {
        title: if broker { "All strategies" } else { "Your strategies" },
        span: "the last 7 days (UTC)".to_owned(),
        total: used(21_540_000).into(),
        limit: (!broker).then(|| UsagePage::limit(50_000_000, 12_540_000)),
        days: vec![row("2014-05-01", "", 12_540_000), row("2014-04-30", "", 9_000_000)],
        deployments: vec![deployment],
        plans: if broker { vec![row("Pro", "12 people", 21_540_000)] } else { Vec::new() },
        spans: vec![
            Tab { label: "Today", href: "/usage?days=1".to_owned(), current: false },
            Tab { label: "7 days", href: "/usage?days=7".to_owned(), current: true },
        ],
    }
}

/// The form of a version that the present settings do not fit.
fn version() -> VersionPage {
    let schema = json!({
        "type": "object", "required": ["fast"],
        "properties": {
            "fast": {"type": "integer", "title": "Fast average", "description": "Bars of the quick line.", "minimum": 20, "maximum": 500},
            "exit": {"type": "string", "title": "Exit", "enum": ["cross", "stop-only"], "default": "cross"}
        }
    });
    let errors = BTreeMap::from([("fast".to_owned(), "12 is less than the minimum of 20".to_owned())]);
    let href = "/deployments/dep_000000000001a".to_owned();
    VersionPage {
        account: Link::new("Evaluation 100K", "/accounts/acc_000000000001a"),
        strategy: "ema-cross".to_owned(),
        current: "1.2.0".to_owned(),
        versions: vec![
            VersionCard::new(&href, "2.0.0", "beta", false, true),
            VersionCard::new(&href, "1.3.0", "stable", true, false),
        ],
        version: "2.0.0".to_owned(),
        settings: fields_of(&schema, &json!({"fast": 12}), &errors),
        banner: Some(Banner::new(Tone::Bad, "Nothing was changed", "The settings do not fit ema-cross 2.0.0.")),
        dropped: VersionPage::dropped(&["slow".to_owned()]),
        running: true,
        csrf: "csrf-token".to_owned(),
        href,
    }
}

/// The pages with and without something on them.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let shell = |title: &str, path: &str| shell(title, path, true);
    let empty = UsagePage { days: Vec::new(), deployments: Vec::new(), limit: None, ..usage(false) };
    vec![
        page("deployment", true, shell("ema-cross", "/deployments/x")),
        page("deployment-refused", false, shell("ema-cross", "/deployments/x")),
        Sample::page("version", shell("Another version", "/deployments/x/version"), &version()),
        Sample::page(
            "version-none",
            shell("Another version", "/deployments/x/version"),
            &VersionPage {
                versions: Vec::new(),
                settings: Vec::new(),
                banner: None,
                dropped: None,
                running: false,
                ..version()
            },
        ),
        Sample::page("usage", shell("Usage", "/usage"), &usage(false)),
        Sample::page("usage-broker", shell("Usage", "/usage"), &usage(true)),
        Sample::page("usage-none", shell("Usage", "/usage"), &empty),
    ]
}
