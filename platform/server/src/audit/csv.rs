//! The log as a file for a spreadsheet. A cell that a spreadsheet would take for a formula is made text: much of the log
//! was typed by strangers, and whoever opens the file is an administrator.

use marque_store::AuditRow;

/// The first line.
const HEAD: [&str; 9] = ["number", "time", "actor kind", "actor", "act", "target", "details", "address", "agent"];

/// Rows as CSV (RFC 4180), with the first line.
///
/// # Errors
/// What the writer says; in memory it does not fail.
pub fn table(rows: &[AuditRow]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEAD)?;
    for row in rows {
        let entry = &row.entry;
        let cells = [
            row.seq.to_string(),
            entry.at.to_rfc3339(),
            text(&entry.actor_kind),
            text(&entry.actor_name),
            text(&entry.act),
            text(&entry.target),
            text(&entry.details),
            text(&entry.address),
            text(&entry.agent),
        ];
        writer.write_record(cells)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A cell that no spreadsheet takes for a formula: what could begin one gets an apostrophe before it.
pub fn text(cell: &str) -> String {
    let first = cell.trim_start().chars().next();
    let formula = first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'));
    if formula || cell.starts_with(['\t', '\r', '\n', '\'']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::time::Millis;
    use marque_store::AuditEntry;

    fn row(agent: &str) -> AuditRow {
        let entry = AuditEntry {
            at: Millis(0),
            actor_kind: "nobody".to_owned(),
            actor: None,
            actor_name: "@SUM(1)".to_owned(),
            act: "sign-in-failed".to_owned(),
            target: String::new(),
            details: r#"{"a":"b, \"c\""}"#.to_owned(),
            address: "203.0.113.9".to_owned(),
            agent: agent.to_owned(),
        };
        AuditRow { seq: 7, entry, mac: Vec::new() }
    }

    #[test]
    fn nothing_that_a_client_chose_is_a_formula() {
        for bad in ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "\n=1", "＝1", "=HYPERLINK(\"http://x\",\"y\")"] {
            let table = table(&[row(bad)]).unwrap();
            let mut reader = csv::Reader::from_reader(table.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[8], format!("'{bad}"), "whole, but text");
            assert_eq!(&record[3], "'@SUM(1)");
            assert_eq!(&record[6], r#"{"a":"b, \"c\""}"#);
        }
        for good in ["", "Mozilla/5.0 (X11; Linux)", "a=b", "5 - 3"] {
            let table = String::from_utf8(table(&[row(good)]).unwrap()).unwrap();
            assert!(table.ends_with(&format!(",{good}\r\n")), "{table}");
        }
    }
}
