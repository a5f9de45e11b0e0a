//! The gate's answer: what it measured, what it found, and a score; readable in a terminal and as JSON.

use super::code::{Code, Severity, UnknownCode};
use crate::inspect::Description;
use core::fmt;
use marque_domain::plugin::PluginKind;
use marque_engine::port::Hooks;
use serde::{Deserialize, Serialize};

/// Which set of checks made a report. It is raised when a check is added or sharpened.
pub const GATE_VERSION: u16 = 3;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "FindingText", try_from = "FindingText")]
pub struct Finding {
    /// What.
    pub code: Code,
    /// Where and how much, this time; may be empty.
    pub detail: String,
}

/// A finding as it is written: whoever reads it needs no table.
#[derive(Serialize, Deserialize)]
struct FindingText {
    code: String,
    severity: Severity,
    what: String,
    detail: String,
    why: String,
    mend: String,
}

impl From<Finding> for FindingText {
    fn from(finding: Finding) -> Self {
        let Finding { code, detail } = finding;
        Self {
            code: code.code().to_owned(),
            severity: code.severity(),
            what: code.what().to_owned(),
            detail,
            why: code.why().to_owned(),
            mend: code.mend().to_owned(),
        }
    }
}

impl TryFrom<FindingText> for Finding {
    type Error = UnknownCode;
    fn try_from(text: FindingText) -> Result<Self, UnknownCode> {
        Ok(Self { code: text.code.parse()?, detail: text.detail })
    }
}

/// What the plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What it does.
    pub kind: PluginKind,
    /// Its name.
    pub name: String,
    /// Its semantic version.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// The market events that it wants.
    pub hooks: Hooks,
    /// JSON Schema of its settings.
    pub settings_schema: String,
}

impl From<&Description> for Told {
    fn from(description: &Description) -> Self {
        Self {
            kind: description.kind,
            name: description.name.clone(),
            version: description.version.clone(),
            summary: description.summary.clone(),
            hooks: description.hooks,
            settings_schema: description.settings_schema.clone(),
        }
    }
}

/// How much the component has of what is capped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Functions with a body.
    pub functions: u64,
    /// Most local variables of one function.
    pub locals_max: u64,
    /// Bytes of the largest function.
    pub function_bytes_max: u64,
    /// Entries of all tables at the start.
    pub table_entries: u64,
    /// Bytes of all memories at the start.
    pub memory_bytes: u64,
    /// Bytes of constant data.
    pub data_bytes: u64,
    /// Core modules.
    pub modules: u64,
    /// Bytes of custom sections: names and debugging information.
    pub custom_bytes: u64,
}

/// What a hook used of its fuel, event by event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFuel {
    /// Which: `on_bar`.
    pub hook: String,
    /// Events that were measured.
    pub events: u64,
    /// Half of them used at most this.
    pub p50: u64,
    /// Ninety-nine of a hundred used at most this.
    pub p99: u64,
    /// The most.
    pub max: u64,
    /// What one event gets.
    pub limit: u64,
}

/// What a hook costs on this machine: fuel is the same everywhere, time is not, so no report has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookTime {
    /// In fuel.
    pub fuel: HookFuel,
    /// Half of the events took at most this many nanoseconds.
    pub ns_p50: u64,
    /// Ninety-nine of a hundred took at most this many.
    pub ns_p99: u64,
}

/// The gate's answer about one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`GATE_VERSION`] of the gate that made it.
    pub gate: u16,
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// 0 when it is not accepted, else up to 100.
    pub score: u8,
    /// Whether it is accepted.
    pub accepted: bool,
    /// What it is, as far as it could be asked.
    pub plugin: Option<Told>,
    /// The version of the plugin contract that it is built for, such as `1.1`.
    pub contract: Option<String>,
    /// What it is made of, as far as it could be read.
    pub shape: Option<Shape>,
    /// What its hooks used on the gate's market.
    pub fuel: Vec<HookFuel>,
    /// Decisions that were compared: wishes of a strategy, answers of a rule.
    pub decisions: u64,
    /// The gravest first.
    pub findings: Vec<Finding>,
}

/// What a warning and a piece of advice cost of a hundred.
const WARNING_COST: usize = 15;
const ADVICE_COST: usize = 3;

impl Report {
    pub(super) fn new(digest: String, bytes: usize) -> Self {
        Self {
            gate: GATE_VERSION,
            digest,
            bytes: bytes as u64,
            score: 100,
            accepted: true,
            plugin: None,
            contract: None,
            shape: None,
            fuel: Vec::new(),
            decisions: 0,
            findings: Vec::new(),
        }
    }

    /// Adds a finding and weighs all of them anew.
    pub(super) fn find(&mut self, code: Code, detail: impl Into<String>) {
        self.findings.push(Finding { code, detail: detail.into() });
        self.findings.sort_by_key(|finding| finding.code.severity());
        let count =
            |severity: Severity| self.findings.iter().filter(|finding| finding.code.severity() == severity).count();
        self.accepted = count(Severity::Fatal) == 0;
        let cost = count(Severity::Warning) * WARNING_COST + count(Severity::Advice) * ADVICE_COST;
        self.score = if self.accepted { u8::try_from(100_usize.saturating_sub(cost).max(1)).unwrap_or(1) } else { 0 };
    }

    /// Whether this was found.
    #[must_use]
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }
}

/// As it reads in a terminal.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(told) => writeln!(f, "{} {} · {} · {} bytes", told.name, told.version, told.kind.name(), self.bytes)?,
            None => writeln!(f, "not a usable plugin · {} bytes", self.bytes)?,
        }
        writeln!(f, "sha256 {}", self.digest)?;
        let verdict = if self.accepted { "accepted" } else { "NOT accepted" };
        writeln!(f, "score {} of 100: {verdict}", self.score)?;
        if !self.fuel.is_empty() {
            writeln!(f, "\n{:<18}{:>9}{:>13}{:>13}{:>13}{:>13}", "fuel", "events", "p50", "p99", "max", "limit")?;
        }
        for hook in &self.fuel {
            let HookFuel { hook, events, p50, p99, max, limit } = hook;
            writeln!(f, "{hook:<18}{events:>9}{p50:>13}{p99:>13}{max:>13}{limit:>13}")?;
        }
        for finding in &self.findings {
            let code = finding.code;
            writeln!(f, "\n{}: {code}", code.severity().name())?;
            writeln!(f, "  what  {}", code.what())?;
            for line in finding.detail.lines() {
                writeln!(f, "        {line}")?;
            }
            writeln!(f, "  why   {}", code.why())?;
            writeln!(f, "  mend  {}", code.mend())?;
        }
        if self.findings.is_empty() {
            writeln!(f, "\nNothing to mend.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_follows_from_what_was_found() {
        let mut report = Report::new("00".to_owned(), 1);
        assert_eq!((report.score, report.accepted), (100, true));
        report.find(Code::Untitled, "lots");
        report.find(Code::FuelNear, "on_bar");
        assert_eq!((report.score, report.accepted), (82, true));
        assert_eq!(report.findings.first().map(|f| f.code), Some(Code::FuelNear), "the gravest first");
        report.find(Code::LookAhead, "");
        assert_eq!((report.score, report.accepted), (0, false));
    }

    #[test]
    fn a_report_survives_its_json() {
        let mut report = Report::new("00".to_owned(), 1);
        report.find(Code::Schema, "lots: `pattern` is not supported");
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("\"mend\":\"Use one closed object"), "{json}");
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
