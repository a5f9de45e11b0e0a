//! What in a licence's history a vendor should look at: one key on many computers, and travel that nobody can do. Signs,
//! never verdicts: nothing is refused because of them.

use marque_domain::{
    id::LicenceId,
    time::{DAY_MS, HOUR_MS, Millis},
};
use marque_store::{LicenceEvent, LicenceEventKind as Kind, StoreError, TenantDb};
use std::collections::BTreeSet;

/// More computers than this in a week are many.
const MACHINES_MANY: usize = 5;
/// How far back is looked.
const WITHIN_MS: i64 = 7 * DAY_MS;
/// Events of one question.
const EVENTS_MAX: u64 = 1_000;
/// With these the licence went to a computer.
const TAKEN: [Kind; 2] = [Kind::Activated, Kind::TakenOver];
/// These came from the EA's own address; others may be of who released a seat in the portal.
const HEARD: [Kind; 4] = [Kind::Activated, Kind::TakenUp, Kind::TakenOver, Kind::Moved];
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

/// What was unusual in how a licence was used in the last seven days. `country` says where an address is. Each sign is asked
/// for by itself: many of one kind of event hide none of another.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
pub async fn unusual_use(
    db: &TenantDb,
    licence: LicenceId,
    now: Millis,
    country: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Unusual>, StoreError> {
    let since = now.plus(-WITHIN_MS);
    let taken = db.licence_events_since(licence, &TAKEN, since, EVENTS_MAX).await?;
    let heard = db.licence_events_since(licence, &HEARD, since, EVENTS_MAX).await?;
    Ok(unusual(&taken, &heard, country))
}

/// What is unusual in events, newest first: by which the licence went to a computer, and by which an EA was heard.
fn unusual(taken: &[LicenceEvent], heard: &[LicenceEvent], country: impl Fn(&str) -> Option<String>) -> Vec<Unusual> {
    let machines = taken.iter().map(|event| event.machine.as_str()).collect::<BTreeSet<_>>().len();
    let mut found: Vec<Unusual> =
        (machines > MACHINES_MANY).then_some(Unusual::Machines(machines)).into_iter().collect();
    let mut before: Option<(String, Millis)> = None;
    for event in heard.iter().rev() {
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
            let of = |kinds: &[Kind]| -> Vec<LicenceEvent> {
                let since = NOON.plus(-WITHIN_MS);
                events.iter().filter(|event| kinds.contains(&event.kind) && event.at >= since).cloned().collect()
            };
            assert_eq!(unusual(&of(&TAKEN), &of(&HEARD), country), wanted, "{events:?}");
        }
    }
}
