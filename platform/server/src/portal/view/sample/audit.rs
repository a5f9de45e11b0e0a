//! Sample data for the audit log.

use super::{Sample, Shell};
use crate::portal::view::{AuditLine, AuditPage, Clock, Field, FieldKind, Pager};
use marque_domain::time::{Millis, Zone};

/// The log with an entry of a person and one of nobody, and an empty one.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let page = |lines| AuditPage {
        fields: vec![
            Field::new(FieldKind::Select, "act", "What")
                .value("")
                .choices([("", "Everything"), ("sign-in", "Signed in")]),
            Field::new(FieldKind::Text, "person", "Who, by e-mail"),
        ],
        lines,
        pager: Pager { newer: None, older: Some("/admin/audit?before=1".to_owned()) },
        csv: "/admin/audit.csv".to_owned(),
        exported_max: 20_000,
        zone: "UTC".to_owned(),
    };
    let line = |seq: &str, who: &str, kind, act: &str, details: &str| AuditLine {
        seq: seq.to_owned(),
        at: Clock::new(Zone::utc()).show(Millis(1_795_176_000_000)),
        who: who.to_owned(),
        kind,
        act: act.to_owned(),
        target: String::new(),
        details: details.to_owned(),
        address: "203.0.113.9".to_owned(),
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned(),
    };
    let lines = vec![
        line("2", "trader@example.com", None, "Signed in", "method: password"),
        line("1", "=cmd()@example.com", Some("not signed in"), "Failed to sign in", ""),
    ];
    vec![
        Sample::page("admin-audit", shell("Audit log", "/admin/audit", true), &page(lines)),
        Sample::page("admin-audit-empty", shell("Audit log", "/admin/audit", true), &page(Vec::new())),
    ]
}
