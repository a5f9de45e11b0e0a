//! Reports: totals that only grow, and the heartbeat that holds a seat.

use super::{
    Asked, Licensing, TRIES,
    activate::event,
    answer::{self, Signed},
    ask::Operation,
    crowded, decided,
    known::{Known, generation_of},
    snapshot::Slot,
};
use crate::problem::{Problem, ProblemCode};
use marque_domain::{
    licence::{self, Kid, Verdict},
    time::Millis,
};
use marque_store::{LicenceEventKind, Seat, SeatReport, Usage};
use std::sync::Arc;

impl Licensing {
    /// `heartbeat` and `usage`. A report whose number is new is taken; one that was seen changes nothing, nor does it hold
    /// a seat. Nothing here makes a licence or a seat good again.
    pub(super) async fn report(
        &self,
        slot: &Slot,
        asked: &Asked<'_>,
        known: Arc<Known>,
        now: Millis,
    ) -> Result<Signed, Problem> {
        let Some(usage) = asked.ask.usage else { return Err(crowded()) };
        let mut known = self.arrived(slot, asked, known).await?;
        for _ in 0..TRIES {
            let (seen, verdict) = decided(slot, asked, known, now).await?;
            let valid = matches!(verdict, Verdict::Valid { .. });
            let own = |seat: &&Seat| seat.account == asked.ask.account && seat.machine == asked.ask.machine;
            let seat = asked.ask.activation.and_then(|id| seen.seat(id)).filter(own).cloned();
            let Some(seat) = seat else {
                // A tool without a seat has nothing to report of, and who has another's nothing of that one.
                return self.sign(asked, &seen, &answer::of(asked, &seen, &verdict, now)).await;
            };
            if usage.sequence <= seat.usage.sequence {
                return self.told(asked, &seen, &seat, &verdict, now).await;
            }
            if shrinks(&usage, &seat.usage) {
                known = slot.load(asked.from.db).await?;
                let stored = known.seat(seat.id).map_or(seat.usage, |seat| seat.usage);
                if shrinks(&usage, &stored) && usage.sequence > stored.sequence {
                    return Err(shrunk());
                }
                continue;
            }
            let alive = asked.operation == Operation::Heartbeat && valid;
            let report = reported(asked, &seat, usage, alive.then_some(now), now)?;
            if asked.from.db.report_usage(&report).await? {
                let seat = after(&seat, &report);
                let seen = slot.heard(&seen, &seat);
                // What holds a floating seat lengthens its lease.
                let longer = alive && seen.licence.policy.floating.is_some();
                let anew = || licence::decide(&seen.licence, &seen.claim(asked.ask, asked.ask.of_seat()), now);
                let verdict = if longer { anew() } else { verdict };
                return self.told(asked, &seen, &seat, &verdict, now).await;
            }
            // Another server heard of it first, or the seat is not what it was.
            known = slot.load(asked.from.db).await?;
        }
        Err(crowded())
    }

    /// The answer to a report.
    async fn told(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        seat: &Seat,
        verdict: &Verdict,
        now: Millis,
    ) -> Result<Signed, Problem> {
        let mut answer = answer::of(asked, known, verdict, now);
        if matches!(verdict, Verdict::Valid { .. }) {
            answer.totals(seat);
            if asked.operation == Operation::Heartbeat {
                answer.settings(known, asked.ask, false);
                answer.next_key(known, seat);
            }
        }
        self.sign(asked, known, &answer).await
    }

    /// Notes that the EA signs with the key that was given it beside the old one.
    async fn arrived(&self, slot: &Slot, asked: &Asked<'_>, known: Arc<Known>) -> Result<Arc<Known>, Problem> {
        let Kid::Activation { generation, .. } = asked.kid else { return Ok(known) };
        let Some(seat) = asked.ask.activation.and_then(|id| known.seat(id)) else { return Ok(known) };
        if generation <= generation_of(seat) {
            return Ok(known);
        }
        let next = i64::try_from(generation).unwrap_or(seat.generation);
        asked.from.db.arrive_at(known.licence.id, seat.id, next).await?;
        slot.load(asked.from.db).await
    }
}

fn shrinks(usage: &Usage, had: &Usage) -> bool {
    usage.orders < had.orders || usage.lots < had.lots || usage.runtime_s < had.runtime_s
}

fn shrunk() -> Problem {
    Problem::new(ProblemCode::Invalid, "Totals only grow; activate tells what the server has, go on from there.")
        .field("orders", "must be at least what was reported before, as must lots and runtime_s")
}

fn reported(
    asked: &Asked<'_>,
    seat: &Seat,
    usage: Usage,
    alive_at: Option<Millis>,
    now: Millis,
) -> Result<SeatReport, Problem> {
    let address = asked.from.address.to_string();
    let moved = Seat { address: address.clone(), ..seat.clone() };
    let event = if address == seat.address { None } else { Some(event(&moved, LicenceEventKind::Moved, now)?) };
    let version = asked.ask.version.to_string();
    Ok(SeatReport { licence: seat.licence, seat: seat.id, usage, alive_at, address, version, event })
}

/// The seat once a report was taken.
fn after(seat: &Seat, report: &SeatReport) -> Seat {
    Seat {
        usage: report.usage,
        seen_at: report.alive_at.unwrap_or(seat.seen_at),
        address: report.address.clone(),
        version: report.version.clone(),
        ..seat.clone()
    }
}
