//! What in a licence's history a vendor should look at: one key on many computers, and travel that nobody can do. Signs,
//! never verdicts: nothing is refused because of them.

use marque_domain::time::{DAY_MS, HOUR_MS, Millis};
use marque_store::{LicenceEvent, LicenceEventKind as Kind};
use std::collections::BTreeSet;

/// More computers than this in a week are many.
const MACHINES_MANY: usize = 5;
const MACHINES_WITHIN_MS: i64 = 7 * DAY_MS;
/// Nobody is in another country so soon; whoever seems so uses one key at two places.
const TRAVEL_WITHIN_MS: i64 = 2 * HOUR_MS;

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusual {
    /// So many computers took a seat in the last seven days.
    Machines(usize),
    /// It was heard from two countries within two hours.
    Travel {
        /// The country before, by its ISO 3166-1 code.
        from: String,
        /// The country after.
        to: String,
        /// When it was heard from there.
        at: Millis,
    },
}

/// What is unusual in a licence's events, newest first as they are listed. `country` says where an address is.
#[must_use]
pub fn unusual(events: &[LicenceEvent], now: Millis, country: impl Fn(&str) -> Option<String>) -> Vec<Unusual> {
    let recent = |event: &&LicenceEvent| now.since(event.at) <= MACHINES_WITHIN_MS;
    let taken = events.iter().filter(recent).filter(|event| matches!(event.kind, Kind::Activated | Kind::TakenOver));
    let machines = taken.map(|event| event.machine.as_str()).collect::<BTreeSet<_>>().len();
    let mut found: Vec<Unusual> =
        (machines > MACHINES_MANY).then_some(Unusual::Machines(machines)).into_iter().collect();
    // Only the EA's own address counts, not that of who released a seat in the portal.
    let heard =
        |event: &&LicenceEvent| matches!(event.kind, Kind::Activated | Kind::TakenUp | Kind::TakenOver | Kind::Moved);
    let mut before: Option<(String, Millis)> = None;
    for event in events.iter().rev().filter(heard) {
        let Some(there) = country(&event.address) else { continue };
        if let Some((from, at)) = before
            && from != there
            && event.at.since(at) <= TRAVEL_WITHIN_MS
        {
            found.push(Unusual::Travel { from, to: there.clone(), at: event.at });
        }
        before = Some((there, event.at));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NOON;
    use marque_domain::id::LicenceId;

    fn event(id: i64, ago_ms: i64, kind: Kind, machine: &str, address: &str) -> LicenceEvent {
        let (account, machine, address) = ("5001".to_owned(), machine.to_owned(), address.to_owned());
        let at = NOON.plus(-ago_ms);
        LicenceEvent { id, licence: LicenceId(1), activation: None, at, kind, account, machine, address, nonce: None }
    }

    fn country(address: &str) -> Option<String> {
        address.split_once('.').map(|(code, _)| code.to_uppercase())
    }

    #[test]
    fn many_computers_and_travel_that_nobody_can_do() {
        let table = [
            (vec![event(1, 0, Kind::Activated, "a", "cz.1")], vec![]),
            (
                (0..6).map(|n| event(n, n * HOUR_MS, Kind::Activated, &format!("m{n}"), "")).collect(),
                vec![Unusual::Machines(6)],
            ),
            (
                (0..6).map(|n| event(n, n * HOUR_MS, Kind::TakenOver, &format!("m{n}"), "")).collect(),
                vec![Unusual::Machines(6)],
            ),
            ((0..6).map(|n| event(n, n * HOUR_MS, Kind::TakenUp, &format!("m{n}"), "")).collect(), vec![]),
            ((0..6).map(|n| event(n, n * 3 * DAY_MS, Kind::Activated, &format!("m{n}"), "")).collect(), vec![]),
            (
                vec![event(2, 0, Kind::Moved, "a", "br.1"), event(1, HOUR_MS, Kind::Activated, "a", "cz.1")],
                vec![Unusual::Travel { from: "CZ".to_owned(), to: "BR".to_owned(), at: NOON }],
            ),
            (vec![event(2, 0, Kind::Moved, "a", "br.1"), event(1, 3 * HOUR_MS, Kind::Activated, "a", "cz.1")], vec![]),
            (vec![event(2, 0, Kind::Released, "a", "br.1"), event(1, 1, Kind::Activated, "a", "cz.1")], vec![]),
            (vec![event(2, 0, Kind::Moved, "a", "cz.2"), event(1, 1, Kind::Activated, "a", "cz.1")], vec![]),
        ];
        for (events, wanted) in table {
            assert_eq!(unusual(&events, NOON, country), wanted, "{events:?}");
        }
    }
}
