//! Seats, the server's halves of their keys, and what happened to them.

use super::Decoded;
use crate::{
    entity::{licence_activations, licence_events, licence_salts},
    error::StoreError,
    record::{LicenceEvent, LicenceEventKind, Seat, SeatSalt, Usage},
};
use marque_domain::{
    fixed::Lots,
    id::{ActivationId, LicenceId},
    time::Millis,
};

/// A salt's row.
pub(crate) fn salt(row: licence_salts::Model) -> SeatSalt {
    SeatSalt {
        id: row.id,
        licence: LicenceId(row.licence_id),
        activation: ActivationId(row.activation_id),
        generation: row.generation,
        salt: row.salt,
        created_at: Millis(row.created_at),
        retires_at: row.retires_at.map(Millis),
    }
}

/// The row of a salt.
pub(crate) fn salt_row(tenant_id: i64, salt: &SeatSalt) -> licence_salts::Model {
    licence_salts::Model {
        tenant_id,
        id: salt.id,
        licence_id: salt.licence.0,
        activation_id: salt.activation.0,
        generation: salt.generation,
        salt: salt.salt.clone(),
        created_at: salt.created_at.0,
        retires_at: salt.retires_at.map(|at| at.0),
    }
}

/// What happened.
pub(crate) fn event(row: licence_events::Model) -> Decoded<LicenceEvent> {
    let kind = LicenceEventKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
    Ok(LicenceEvent {
        id: row.id,
        licence: LicenceId(row.licence_id),
        activation: row.activation_id.map(ActivationId),
        at: Millis(row.at),
        kind: kind.ok_or_else(|| StoreError::corrupt("licence event", row.kind))?,
        account: row.account,
        machine: row.machine,
        address: row.address,
        nonce: row.nonce,
    })
}

/// A seat.
pub(crate) fn seat(row: licence_activations::Model) -> Seat {
    Seat {
        id: ActivationId(row.id),
        licence: LicenceId(row.licence_id),
        account: row.account,
        server: row.server,
        machine: row.machine,
        kind: row.kind,
        platform: row.platform,
        version: row.version,
        address: row.address,
        nonce: row.nonce,
        generation: row.generation,
        taken_at: Millis(row.taken_at),
        seen_at: Millis(row.seen_at),
        released_at: row.released_at.map(Millis),
        lapsed_at: row.lapsed_at.map(Millis),
        usage: Usage {
            sequence: row.sequence,
            orders: row.orders,
            lots: Lots::from_units(row.lots),
            runtime_s: row.runtime_s,
        },
    }
}

/// The row of a seat.
pub(crate) fn seat_row(tenant_id: i64, seat: &Seat) -> licence_activations::Model {
    licence_activations::Model {
        tenant_id,
        id: seat.id.0,
        licence_id: seat.licence.0,
        account: seat.account.clone(),
        server: seat.server.clone(),
        machine: seat.machine.clone(),
        kind: seat.kind.clone(),
        platform: seat.platform.clone(),
        version: seat.version.clone(),
        address: seat.address.clone(),
        nonce: seat.nonce.clone(),
        generation: seat.generation,
        taken_at: seat.taken_at.0,
        seen_at: seat.seen_at.0,
        released_at: seat.released_at.map(|at| at.0),
        lapsed_at: seat.lapsed_at.map(|at| at.0),
        sequence: seat.usage.sequence,
        orders: seat.usage.orders,
        lots: seat.usage.lots.units(),
        runtime_s: seat.usage.runtime_s,
    }
}

/// The row of what happened.
pub(crate) fn event_row(tenant_id: i64, event: &LicenceEvent) -> licence_events::Model {
    licence_events::Model {
        tenant_id,
        id: event.id,
        licence_id: event.licence.0,
        activation_id: event.activation.map(|id| id.0),
        at: event.at.0,
        kind: event.kind.name().to_owned(),
        account: event.account.clone(),
        machine: event.machine.clone(),
        address: event.address.clone(),
        nonce: event.nonce.clone(),
    }
}
