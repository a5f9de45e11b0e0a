//! What is decided, as tables; what must always hold, as laws; and the golden vectors.

mod laws;
mod tables;
mod vectors;

use super::*;
use crate::{
    id::{ActivationId, LicenceId, ProductId},
    time::Millis,
};

pub(super) const EA: ProductId = ProductId(1);
pub(super) const NOW: Millis = Millis(1_900_000_000_000);
pub(super) const HOME: &str = "home";
pub(super) const OFFICE: &str = "office";

pub(super) fn licence(policy: Policy) -> Licence {
    Licence {
        id: LicenceId(7),
        product: EA,
        policy,
        state: State::Active,
        granted: true,
        created_at: NOW.plus(-1_000),
        first_used_at: None,
        first_activated_at: None,
        moved_at: None,
        activations: Vec::new(),
    }
}

pub(super) fn seat(id: i64, account: &str, machine: &str) -> Activation {
    Activation {
        id: ActivationId(id),
        account: account.to_owned(),
        server: "Broker-Demo".to_owned(),
        machine: machine.to_owned(),
        seen_at: NOW,
        released: false,
        lapsed: false,
    }
}

/// A licence with one seat, at home on account 5001.
pub(super) fn seated(policy: Policy) -> Licence {
    Licence { activations: vec![seat(1, "5001", HOME)], moved_at: Some(NOW), ..licence(policy) }
}

pub(super) const fn claim(ask: Ask) -> Claim<'static> {
    Claim {
        ask,
        product: EA,
        version: Version([1, 20, 0]),
        account: "5001",
        server: "Broker-Demo",
        machine: HOME,
        kind: Kind::Demo,
        key_replaced: false,
        yanked: false,
        latest: Some(Version([1, 20, 0])),
    }
}

pub(super) const MINE: Ask = Ask::Seat(ActivationId(1));

/// The code that is answered.
pub(super) fn code(licence: &Licence, claim: &Claim<'_>, now: Millis) -> &'static str {
    match decide(licence, claim, now) {
        Verdict::Valid { .. } => "VALID",
        Verdict::Refused(refusal) => refusal.code(),
    }
}
