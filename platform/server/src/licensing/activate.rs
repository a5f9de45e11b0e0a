//! Taking a seat, and giving it back.

use super::{
    Asked, Licensing, TRIES,
    answer::{self, Answer, Signed},
    crowded,
    known::{Known, generation_of},
    rotation::new_salt,
    sign_with,
    snapshot::Slot,
};
use crate::{
    audit::{self, Act, Actor, Entry, Origin},
    problem::{Problem, ProblemCode},
    secrets::{NoRandomness, new_id},
};
use marque_domain::{
    id::ActivationId,
    licence::{self, Kid, Refusal, Verdict},
    time::Millis,
};
use marque_store::{LicenceEvent, LicenceEventKind as Kind, SEATS_KEPT_MAX, Seat, SeatTaken, StoreError, Usage};
use serde_json::{Map, Value};

/// The seat that is taken up again, or none for a new one; whose place that takes; and whether the licence moves by it.
#[derive(Clone, Copy)]
struct Taking {
    own: Option<ActivationId>,
    instead_of: Option<ActivationId>,
    moves: bool,
}

/// A conflict is worth another try.
fn again(error: StoreError) -> Result<bool, StoreError> {
    if matches!(error, StoreError::Conflict(_)) { Ok(false) } else { Err(error) }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        Self::internal(&error)
    }
}

impl Licensing {
    /// `activate`. Under the licence's lock, and from the database: the last seat is given once, whoever else gives some.
    pub(super) async fn activate(&self, slot: &Slot, asked: &Asked<'_>, now: Millis) -> Result<Signed, Problem> {
        let _turn = slot.turn().await;
        for _ in 0..TRIES {
            let known = slot.load(asked.from.db).await?;
            if let Some(seat) = known.taken_by(asked.ask).cloned() {
                return self.taken(asked, &known, &seat, now).await;
            }
            let wish = known.claim(asked.ask, licence::Ask::Activate);
            let verdict = licence::decide(&known.licence, &wish, now);
            let Verdict::Valid { seat: own, instead_of, moves, .. } = verdict else {
                // Who takes a seat notes it with the seat.
                if known.licence.first_used_at.is_none() {
                    asked.from.db.use_licence(known.licence.id, now).await?;
                }
                return self.sign(asked, &known, &answer::of(asked, &known, &verdict, now)).await;
            };
            // No seat has this nonce now; one that had it has been taken up by another request since.
            if asked.from.db.has_taken(known.licence.id, asked.ask.nonce).await? {
                return Err(replayed());
            }
            let Some(taking) = self.taking(asked, &known, Taking { own, instead_of, moves }, now).await? else {
                let max = u32::try_from(SEATS_KEPT_MAX).unwrap_or(u32::MAX);
                let full = Verdict::Refused(Refusal::TooManyMachines { max });
                return self.sign(asked, &known, &answer::of(asked, &known, &full, now)).await;
            };
            // Who was faster is looked at in the next try; so is what has the same new id, by chance.
            if asked.from.db.take_seat(&taking).await.or_else(again)? {
                if let Some(replaced) = taking.replaced.and_then(|id| known.seat(id)) {
                    self.note(asked, Act::EaReleased, replaced, now).await?;
                }
                self.note(asked, Act::EaActivated, &taking.seat, now).await?;
                let known = slot.load(asked.from.db).await?;
                let seat = known.seat(taking.seat.id).cloned().ok_or_else(crowded)?;
                return self.taken(asked, &known, &seat, now).await;
            }
        }
        Err(crowded())
    }

    /// The answer to who has taken a seat, under the key that it gives.
    async fn taken(&self, asked: &Asked<'_>, known: &Known, seat: &Seat, now: Millis) -> Result<Signed, Problem> {
        let claim = known.claim(asked.ask, licence::Ask::Seat(seat.id));
        let verdict = licence::decide(&known.licence, &claim, now);
        let mut answer = answer::of(asked, known, &verdict, now);
        if !matches!(verdict, Verdict::Valid { .. }) {
            return self.sign(asked, known, &answer).await;
        }
        answer.key(known, seat);
        answer.totals(seat);
        answer.settings(known, asked.ask, false);
        if asked.ask.ed25519 {
            return self.by_tenant(asked.from.db, asked.operation, asked.ask, &answer).await;
        }
        let kid = Kid::Activation { id: seat.id.to_string(), generation: generation_of(seat) };
        let mac = known.answer_mac(asked.ask, &kid).ok_or_else(crowded)?;
        Ok(sign_with(&mac, asked.operation, &kid, &answer))
    }

    /// What taking a seat changes; none when the licence has no room for another.
    async fn taking(
        &self,
        asked: &Asked<'_>,
        known: &Known,
        Taking { own, instead_of, moves }: Taking,
        now: Millis,
    ) -> Result<Option<SeatTaken>, Problem> {
        let own = own.and_then(|own| known.seat(own));
        let Some(forgotten) = forgotten(known, own.is_none(), now) else { return Ok(None) };
        let id = own.map_or_else(|| new_id(now).map(ActivationId), |seat| Ok(seat.id))?;
        let generation = own.map_or(0, |seat| newest(known, seat)).saturating_add(1);
        let seat = Seat {
            id,
            licence: known.licence.id,
            account: asked.ask.account.to_owned(),
            server: asked.ask.server.to_owned(),
            machine: asked.ask.machine.to_owned(),
            kind: asked.ask.kind_name.to_owned(),
            platform: asked.ask.platform.to_owned(),
            version: asked.ask.version.to_string(),
            address: asked.from.address.to_string(),
            nonce: asked.ask.nonce.to_owned(),
            generation,
            taken_at: now,
            seen_at: now,
            released_at: None,
            lapsed_at: None,
            usage: own.map_or_else(Usage::default, |seat| seat.usage),
        };
        let replaced = instead_of.and_then(|other| known.seat(other));
        let kind = match (own, replaced, moves) {
            (None, None, _) => Kind::Activated,
            (None, Some(_), _) | (Some(_), _, true) => Kind::TakenOver,
            (Some(_), _, false) => Kind::TakenUp,
        };
        let lapsed = lapsed(known, id, now);
        let lost = lapsed.iter().map(|lost| (lost, Kind::Lapsed)).chain(replaced.map(|other| (other, Kind::Released)));
        let all = lost.chain([(&seat, kind)]);
        let events = all.map(|(seat, kind)| event(seat, kind, now)).collect::<Result<Vec<_>, _>>()?;
        let salt = new_salt(asked.from.db, &self.0.vault, &seat, generation, now).await?;
        let (revision, new, replaced) = (known.row.revision, own.is_none(), replaced.map(|other| other.id));
        Ok(Some(SeatTaken { revision, seat, new, moved: moves, salt, lapsed, replaced, forgotten, events }))
    }

    /// `deactivate`.
    pub(super) async fn deactivate(&self, slot: &Slot, asked: &Asked<'_>, now: Millis) -> Result<Signed, Problem> {
        let Some(id) = asked.ask.activation else { return Err(super::refused()) };
        let _turn = slot.turn().await;
        let known = slot.load(asked.from.db).await?;
        let seat = known.seat(id).ok_or_else(super::refused)?;
        let gone = Seat { address: asked.from.address.to_string(), ..seat.clone() };
        let event = event(&gone, Kind::Released, now)?;
        let (seat, held) = asked.from.db.release_seat(known.licence.id, id, now, &event).await?;
        if held {
            self.note(asked, Act::EaReleased, &seat, now).await?;
        }
        let known = slot.load(asked.from.db).await?;
        let answer: Answer<'_> = answer::of(asked, &known, &Verdict::Refused(Refusal::Released), now);
        self.sign(asked, &known, &answer).await
    }

    /// Records in the brand's audit log what an EA did.
    async fn note(&self, asked: &Asked<'_>, act: Act, seat: &Seat, now: Millis) -> Result<(), Problem> {
        let details: Map<String, Value> = [
            ("licence", seat.licence.to_string()),
            ("account", seat.account.clone()),
            ("server", seat.server.clone()),
            ("machine", seat.machine.clone()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
        let actor = Actor::System { name: format!("EA {} {}", asked.ask.product, asked.ask.version) };
        let origin = Origin { address: asked.from.address.to_string(), agent: asked.ask.platform.to_owned() };
        let entry = Entry { at: now, actor, act, target: seat.id.to_string(), details, origin };
        Ok(audit::record(asked.from.db, &self.0.vault, entry).await?)
    }
}

/// The request was answered long ago, and its answer has been overtaken.
fn replayed() -> Problem {
    let detail = "This request was answered before, and another has followed it. Make a new nonce for each request.";
    Problem::new(ProblemCode::SignatureRefused, detail)
}

/// The newest generation of a seat's key.
pub(super) fn newest(known: &Known, seat: &Seat) -> i64 {
    known.pending(seat).and_then(|next| i64::try_from(next).ok()).unwrap_or(seat.generation)
}

/// Seats other than this one that were not heard from: they are lost now.
fn lapsed(known: &Known, id: ActivationId, now: Millis) -> Vec<Seat> {
    let held: Vec<ActivationId> = known.licence.held(now).map(|seat| seat.id).collect();
    let silent = |seat: &&Seat| {
        seat.id != id && seat.released_at.is_none() && seat.lapsed_at.is_none() && !held.contains(&seat.id)
    };
    known.seats().filter(silent).cloned().collect()
}

/// The seats that make room for another: the oldest that nobody has. None when all are held.
fn forgotten(known: &Known, another: bool, now: Millis) -> Option<Vec<ActivationId>> {
    let kept = usize::try_from(SEATS_KEPT_MAX).unwrap_or(usize::MAX);
    if !another || known.seats().count() < kept {
        return Some(Vec::new());
    }
    let held: Vec<ActivationId> = known.licence.held(now).map(|seat| seat.id).collect();
    // Whoever was given back may come again; who was silent long ago is known as such only until then.
    let free = known.seats().find(|seat| seat.released_at.is_some() && !held.contains(&seat.id));
    free.or_else(|| known.seats().find(|seat| seat.lapsed_at.is_some())).map(|seat| vec![seat.id])
}

/// That something happened to a seat.
pub(super) fn event(seat: &Seat, kind: Kind, at: Millis) -> Result<LicenceEvent, NoRandomness> {
    Ok(LicenceEvent {
        id: new_id(at)?,
        licence: seat.licence,
        activation: Some(seat.id),
        at,
        kind,
        account: seat.account.clone(),
        machine: seat.machine.clone(),
        address: seat.address.clone(),
        nonce: matches!(kind, Kind::Activated | Kind::TakenUp | Kind::TakenOver).then(|| seat.nonce.clone()),
    })
}
