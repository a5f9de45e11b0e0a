//! Sample data for the pages of sessions and tokens.

use super::{Sample, Shell};
use crate::portal::view::{Clock, SessionRow, SessionsPage, TokenRow, TokensPage};
use marque_domain::time::{Millis, Zone};

/// `/security/sessions` and `/security/tokens`.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let clock = Clock::new(Zone::utc());
    let at = clock.show(Millis(1_795_176_000_000));
    let row = |id: &str, device: &str, place: &str, current: bool| SessionRow {
        id: id.to_owned(),
        device: device.to_owned(),
        place: place.to_owned(),
        address: "192.0.2.7".to_owned(),
        since: at.clone(),
        last: at.clone(),
        current,
    };
    let sessions = SessionsPage {
        sessions: vec![
            row("ses_1", "Chrome on Windows", "Czech Republic", true),
            row("ses_2", "Safari on iPhone", "Germany", false),
        ],
        others: true,
        programs: vec![row("grt_1", "curl", "Local network", false)],
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    };
    let token = TokenRow {
        id: "pat_1".to_owned(),
        name: "Spreadsheet".to_owned(),
        scopes: "read, trade".to_owned(),
        ends: at.clone(),
        last: Some(at),
    };
    let mut made = TokensPage::new(vec![token], &[7, 30], "csrf-token");
    made.made = Some("mq_hB1n0Hq3cT5Zb7Yk2m8VQxw4sLr9JdKfPg6EoUaNiMt".to_owned());
    let mut empty = TokensPage::new(Vec::new(), &[7, 30], "csrf-token");
    empty.error = Some("Correct what is marked and send it again.".to_owned());
    empty.scopes_error = Some("Choose at least one".to_owned());
    let alone = SessionsPage { programs: Vec::new(), others: false, ..sessions.clone() };
    vec![
        Sample::page("security-sessions", shell("Sessions", "/security/sessions", true), &sessions),
        Sample::page("security-sessions-alone", shell("Sessions", "/security/sessions", true), &alone),
        Sample::page("security-tokens", shell("Tokens", "/security/tokens", true), &made),
        Sample::page("security-tokens-empty", shell("Tokens", "/security/tokens", true), &empty),
    ]
}
