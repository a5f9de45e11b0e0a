//! The audit log, for who runs the site: what was done, by whom, from where; and as a file.

use super::{
    Scene,
    account::instruments,
    view::{AuditLine, AuditPage, Clock, Field, FieldKind, Pager, details_in_words},
};
use crate::{
    audit::{self, Act},
    identity::{
        Operation, SignedIn,
        gate::{Pages, may},
    },
    problem::Problem,
};
use jiff::{civil::Date, tz::TimeZone};
use marque_domain::{
    id::InstrumentId,
    time::{DAY_MS, Millis},
};
use marque_store::{AUDIT_PAGE_MAX, AuditActor, AuditFilter, AuditRow, Page, TenantDb, normalise_email};
use poem::{IntoResponse as _, Response, handler, http::header, web::Query};
use serde::Deserialize;
use serde_json::json;

/// Entries on a page.
const ROWS: u32 = 50;
/// Entries in a file: the newest of those that were chosen.
const EXPORTED_MAX: usize = 20_000;

/// `/admin/audit`.
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at("/admin/audit", may(Operation::ReadAudit).get(show))
        .at("/admin/audit.csv", may(Operation::ReadAudit).get(export))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    act: String,
    person: String,
    from: String,
    until: String,
    before: Option<i64>,
}

/// What a form chose, and which of it makes no sense.
struct Chosen {
    filter: AuditFilter,
    wrong: [Option<String>; 2],
}

impl Wanted {
    /// The filter. Days are the brand's, and the last one counts whole.
    async fn chosen(&self, db: &TenantDb, zone: &str) -> Result<Chosen, Problem> {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let day = |text: &str, after: i64| match text.trim() {
            "" => Ok(None),
            text => begin_of(text, &zone, after).map(Some).ok_or_else(|| "Write a day like 2026-11-20.".to_owned()),
        };
        let (from, until) = (day(&self.from, 0), day(&self.until, 1));
        let wrong = [from.clone().err(), until.clone().err()];
        let name: String = normalise_email(&self.person).chars().take(254).collect();
        let actor = if name.is_empty() {
            None
        } else {
            // A person is found under every address they have had.
            Some(AuditActor { id: db.user_by_email(&name).await?.map(|user| user.id), name })
        };
        let act = self.act.parse::<Act>().ok().map(|act| act.code().to_owned());
        let filter = AuditFilter { act, actor, from: from.ok().flatten(), until: until.ok().flatten() };
        Ok(Chosen { filter, wrong })
    }

    /// The filters as a query, for links.
    fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in
            [("act", &self.act), ("person", &self.person), ("from", &self.from), ("until", &self.until)]
        {
            if !value.is_empty() {
                query.push_str(if query.is_empty() { "?" } else { "&" });
                query.push_str(name);
                query.push('=');
                query.extend(value.bytes().take(254).map(encoded));
            }
        }
        query
    }

    fn fields(&self, [from, until]: [Option<String>; 2]) -> Vec<Field> {
        let mut acts: Vec<(&str, &str)> = vec![("", "Everything")];
        acts.extend(Act::ALL.iter().map(|act| (act.code(), act.words())));
        let optional = |mut field: Field| {
            field.required = false;
            field
        };
        let day = |name, label, value: &str, error| {
            let mut field = optional(Field::new(FieldKind::Text, name, label).value(value).error(error));
            field.input = "date";
            field
        };
        vec![
            optional(Field::new(FieldKind::Select, "act", "What").value(&self.act).choices(acts)),
            optional(Field::new(FieldKind::Text, "person", "Who, by e-mail").value(&self.person)),
            day("from", "From", &self.from, from),
            day("until", "To", &self.until, until),
        ]
    }
}

/// A byte as a query carries it.
fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// When a day begins in a zone, or the one `after` days later.
fn begin_of(text: &str, zone: &TimeZone, after: i64) -> Option<Millis> {
    let day: Date = text.parse().ok()?;
    let day = if after == 0 { day } else { day.tomorrow().ok()? };
    let begin = day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
    (begin.abs() < 100_000 * DAY_MS).then_some(Millis(begin))
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Query(wanted): Query<Wanted>) -> poem::Result<Response> {
    who.may(Operation::ReadAudit)?;
    let clock = scene.clock();
    let Chosen { filter, wrong } = wanted.chosen(who.db(), clock.name()).await?;
    let page = Page { after: wanted.before, limit: ROWS };
    let found = who.db().audit(&filter, page).await.map_err(Problem::from)?;
    let instruments = instruments(&scene);
    let symbol = |id| {
        let known = instruments.iter().find(|instrument| instrument.id == id);
        known.map_or_else(|| format!("#{}", id.0), |instrument| instrument.symbol.clone())
    };
    let query = wanted.query();
    let glue = if query.is_empty() { '?' } else { '&' };
    let view = AuditPage {
        fields: wanted.fields(wrong),
        lines: found.items.into_iter().map(|row| line(row, &clock, symbol)).collect(),
        pager: Pager {
            newer: wanted.before.map(|_| format!("/admin/audit{query}")),
            older: found.next.map(|seq| format!("/admin/audit{query}{glue}before={seq}")),
        },
        csv: format!("/admin/audit.csv{query}"),
        exported_max: EXPORTED_MAX,
        zone: clock.name().to_owned(),
    };
    scene.page("Audit log", &view)
}

fn line(row: AuditRow, clock: &Clock, symbol: impl Fn(InstrumentId) -> String) -> AuditLine {
    let entry = row.entry;
    let words = entry.act.parse::<Act>().map_or_else(|_| entry.act.clone(), |act| act.words().to_owned());
    AuditLine {
        seq: row.seq.to_string(),
        at: clock.show(entry.at),
        who: if entry.actor_name.is_empty() { "Somebody".to_owned() } else { entry.actor_name },
        kind: match entry.actor_kind.as_str() {
            "person" => None,
            "nobody" => Some("not signed in"),
            _ => Some("automatic"),
        },
        act: words,
        target: entry.target,
        details: details_in_words(&entry.details, symbol),
        address: entry.address,
        agent: entry.agent,
    }
}

#[handler]
async fn export(scene: Scene, who: SignedIn, Query(wanted): Query<Wanted>) -> poem::Result<Response> {
    who.may(Operation::ReadAudit)?;
    let Chosen { filter, .. } = wanted.chosen(who.db(), scene.clock().name()).await?;
    let (mut rows, mut after) = (Vec::new(), None);
    while rows.len() < EXPORTED_MAX {
        let found = who.db().audit(&filter, Page { after, limit: AUDIT_PAGE_MAX }).await.map_err(Problem::from)?;
        rows.extend(found.items);
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    let table = audit::csv::table(&rows).map_err(|error| Problem::internal(&error))?;
    // Recorded before it leaves: who takes the log away stands in it.
    who.audit(Act::AuditExported, "", json!({ "entries": rows.len(), "filter": wanted.query() })).await?;
    Ok(table
        .with_content_type("text/csv; charset=utf-8; header=present")
        .with_header(header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\"")
        .with_header(header::CACHE_CONTROL, "no-store")
        .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_brands_own() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |day| {
            let begin = begin_of(day, &berlin, 0).unwrap();
            begin_of(day, &berlin, 1).unwrap().since(begin) / 3_600_000
        };
        // Clocks went forward and back.
        assert_eq!((hours("2026-03-28"), hours("2026-03-29"), hours("2026-10-25")), (24, 23, 25));
        assert_eq!(begin_of("2026-11-20", &berlin, 0).unwrap().to_rfc3339(), "2026-11-19T23:00:00.000Z");
        for bad in ["", "20.11.2026", "2026-13-01", "x", "9999-12-31"] {
            assert_eq!(begin_of(bad, &berlin, 1), None, "{bad}");
        }
    }

    #[test]
    fn links_keep_what_was_chosen_and_nothing_else() {
        let wanted = Wanted { act: "sign-in".to_owned(), person: "a&b=c@x".to_owned(), ..Wanted::default() };
        assert_eq!(wanted.query(), "?act=sign-in&person=a%26b%3Dc%40x");
        assert_eq!(Wanted::default().query(), "");
    }
}
