//! A licence with all that an answer needs, open: what the snapshot holds.

use super::{
    ask::{Ask, Operation},
    flat::Value,
    mac::{LicenceSecret, Mac},
    refused, retired,
};
use crate::{
    problem::Problem,
    secrets::{Place, SealError, SealedColumn, TenantKeys},
};
use marque_domain::{
    id::{ActivationId, ProductId},
    licence::{self, Activation, Claim, Kid, Licence, LicenceKey, Policy, Term, Version},
    plugin::Channel,
    time::Millis,
};
use marque_store::{EaProduct, EaVersion, LicenceImage, LicencePolicy, LicenceRow, Seat};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Stands for a product that is not the licence's.
const ANOTHER_PRODUCT: ProductId = ProductId(-1);

/// An opened key of the licence.
struct OpenKey {
    key_id: [u8; 16],
    secret: LicenceSecret,
    replaced: bool,
}

/// The server's half of a generation of an activation's key.
struct OpenSalt {
    /// 64 hexadecimal digits.
    salt: Zeroizing<String>,
    retires_at: Option<Millis>,
    /// What it gives with the licence's good key, so that it is not derived for each question.
    mac: Option<Mac>,
}

impl OpenSalt {
    fn is_retired(&self, now: Millis) -> bool {
        self.retires_at.is_some_and(|at| now >= at)
    }
}

/// The settings as answers carry them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub version: i64,
    pub schema: i64,
    pub settings: Vec<(String, Value<'static>)>,
}

/// What is known of a licence. Cloning shares what reports do not change.
#[derive(Clone)]
pub(super) struct Known {
    /// As the domain decides about it.
    pub licence: Licence,
    pub row: LicenceRow,
    pub heartbeat_s: u32,
    /// Questions of one key in a minute, where the vendor has set that.
    pub requests_per_minute: Option<u32>,
    pub config: Arc<Config>,
    /// The newest version that everybody gets, if there is one.
    pub latest: Option<Version>,
    /// The tenant's epoch when it was read.
    pub epoch: i64,
    /// When reading it began.
    pub read_at: Instant,
    /// Each by itself: a tree makes room for eleven at once, and nearly every licence has one.
    seats: BTreeMap<ActivationId, Arc<Seat>>,
    product: Arc<EaProduct>,
    yanked: Arc<BTreeSet<Version>>,
    keys: Arc<Vec<OpenKey>>,
    salts: Arc<BTreeMap<(ActivationId, u64), Box<OpenSalt>>>,
}

impl Known {
    /// Opens what was read.
    pub fn open(image: LicenceImage, keys: &TenantKeys, read_at: Instant) -> Result<Self, SealError> {
        let open = |row: &marque_store::LicenceKeyRow| {
            let opened = keys.open(&Place::new(SealedColumn::LicenceKeys, row.id), &row.secret)?;
            let key: LicenceKey = opened.text()?.expose().parse().map_err(|_| SealError::Broken)?;
            let secret = LicenceSecret::of(&key);
            Ok(OpenKey { key_id: row.key_id, secret, replaced: row.replaced_at.is_some() })
        };
        let open_keys = image.keys.iter().map(open).collect::<Result<Vec<OpenKey>, SealError>>()?;
        let good = open_keys.iter().find(|key| !key.replaced);
        let salt = |row: &marque_store::SeatSalt| {
            let opened = keys.open(&Place::new(SealedColumn::LicenceSalts, row.id), &row.salt)?;
            let salt = Zeroizing::new(super::mac::hex(opened.expose()));
            let generation = u64::try_from(row.generation).unwrap_or(0);
            let mac = good.map(|key| key.secret.activation_mac(row.activation, generation, &salt));
            let salt = Box::new(OpenSalt { salt, retires_at: row.retires_at, mac });
            Ok(((row.activation, generation), salt))
        };
        let policy = policy_of(&image.licence, &image.policy);
        let granted = image.product.plans.is_empty()
            || image.plan.as_ref().is_some_and(|plan| image.product.plans.contains(plan));
        let licence = Licence {
            id: image.licence.id,
            product: image.product.id,
            policy,
            state: image.licence.state,
            granted,
            created_at: image.licence.created_at,
            first_used_at: image.licence.first_used_at,
            first_activated_at: image.licence.first_activated_at,
            moved_at: image.licence.moved_at,
            activations: image.seats.iter().map(|seat| activation(seat, &policy)).collect(),
        };
        Ok(Self {
            licence,
            heartbeat_s: image.policy.terms.heartbeat_s,
            requests_per_minute: image.policy.terms.requests_per_minute,
            config: Arc::new(image.settings.as_ref().map(config).unwrap_or_default()),
            latest: latest(&image.versions),
            epoch: image.epoch,
            read_at,
            yanked: Arc::new(image.versions.iter().filter(|v| v.yanked_at.is_some()).map(|v| v.version).collect()),
            salts: Arc::new(image.salts.iter().map(salt).collect::<Result<_, SealError>>()?),
            keys: Arc::new(open_keys),
            seats: image.seats.into_iter().map(|seat| (seat.id, Arc::new(seat))).collect(),
            product: Arc::new(image.product),
            row: image.licence,
        })
    }

    /// What is claimed by a request, as the domain is asked.
    pub fn claim<'a>(&self, ask: &'a Ask<'_>, of: licence::Ask) -> Claim<'a> {
        Claim {
            ask: of,
            product: if ask.product == self.product.code { self.product.id } else { ANOTHER_PRODUCT },
            version: ask.version,
            account: ask.account,
            server: ask.server,
            machine: ask.machine,
            kind: ask.kind,
            key_replaced: self.keys.iter().any(|key| key.key_id == ask.key && key.replaced),
            yanked: self.yanked.contains(&ask.version),
            latest: self.latest,
        }
    }

    /// A seat that it has, or had.
    pub fn seat(&self, id: ActivationId) -> Option<&Seat> {
        self.seats.get(&id).map(Arc::as_ref)
    }

    /// All of them.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values().map(Arc::as_ref)
    }

    /// The same once a seat has reported.
    pub fn with_seat(&self, seat: &Seat) -> Self {
        let mut next = self.clone();
        let kept = next.seats.get(&seat.id).filter(|kept| kept.usage.sequence > seat.usage.sequence).cloned();
        let seat = kept.unwrap_or_else(|| Arc::new(seat.clone()));
        if let Some(known) = next.licence.activations.iter_mut().find(|known| known.id == seat.id) {
            *known = activation(&seat, &next.licence.policy);
        }
        next.seats.insert(seat.id, seat);
        next
    }

    fn key(&self, ask: &Ask<'_>) -> Option<&OpenKey> {
        self.keys.iter().find(|key| key.key_id == ask.key)
    }

    /// The key that a request must be signed with, if it may be signed with this one. A retired one of a seat that was given
    /// back is let through: its EA would otherwise activate anew, and take back what a person had released.
    ///
    /// # Errors
    /// That it is not known, or was retired.
    pub fn request_mac(&self, operation: Operation, ask: &Ask<'_>, kid: &Kid, now: Millis) -> Result<Mac, Problem> {
        match kid {
            Kid::Licence(_) if operation != Operation::Activate && ask.names_activation => Err(refused()),
            Kid::Activation { .. } if operation == Operation::Activate => Err(refused()),
            Kid::Activation { id, generation } => {
                let seat = ask.activation.filter(|seat| id.parse::<ActivationId>() == Ok(*seat)).ok_or_else(refused)?;
                let Some(Seat { released_at, .. }) = self.seat(seat) else { return Err(refused()) };
                let salt = self.salts.get(&(seat, *generation)).ok_or_else(retired)?;
                if salt.is_retired(now) && released_at.is_none() {
                    return Err(retired());
                }
                self.answer_mac(ask, kid).ok_or_else(refused)
            }
            Kid::Licence(_) | Kid::Tenant(_) => self.answer_mac(ask, kid).ok_or_else(refused),
        }
    }

    /// Whether a seat's key signs nothing any more but that the seat was given back.
    pub fn is_retired(&self, ask: &Ask<'_>, kid: &Kid, now: Millis) -> bool {
        let Kid::Activation { generation, .. } = kid else { return false };
        let salt = ask.activation.and_then(|seat| self.salts.get(&(seat, *generation)));
        salt.is_some_and(|salt| salt.is_retired(now))
    }

    /// The key of this id, that an answer is signed with.
    pub fn answer_mac(&self, ask: &Ask<'_>, kid: &Kid) -> Option<Mac> {
        let OpenKey { secret, replaced, .. } = self.key(ask)?;
        match kid {
            Kid::Licence(id) => (*id == ask.key_id).then(|| secret.licence_mac()),
            Kid::Activation { id, generation } => {
                let seat: ActivationId = id.parse().ok()?;
                let salt = self.salts.get(&(seat, *generation))?;
                let ready = salt.mac.clone().filter(|_| !replaced);
                Some(ready.unwrap_or_else(|| secret.activation_mac(seat, *generation, &salt.salt)))
            }
            Kid::Tenant(_) => None,
        }
    }

    /// The server's half of a key.
    pub fn salt(&self, seat: ActivationId, generation: u64) -> Option<&str> {
        self.salts.get(&(seat, generation)).map(|salt| salt.salt.as_str())
    }

    /// The newest generation of a seat's key, if it is newer than the one that signs.
    pub fn pending(&self, seat: &Seat) -> Option<u64> {
        let newest =
            self.salts.range((seat.id, 0)..=(seat.id, u64::MAX)).next_back().map(|((_, newest), _)| *newest)?;
        (newest > generation_of(seat)).then_some(newest)
    }

    /// The seat that this very request took before.
    pub fn taken_by(&self, ask: &Ask<'_>) -> Option<&Seat> {
        let bound =
            |seat: &&Seat| seat.account == ask.account && seat.server == ask.server && seat.machine == ask.machine;
        self.seats().filter(bound).find(|seat| seat.nonce == ask.nonce)
    }
}

/// The generation of a seat's key, as keys are named.
pub(super) fn generation_of(seat: &Seat) -> u64 {
    u64::try_from(seat.generation).unwrap_or(0)
}

fn latest(versions: &[EaVersion]) -> Option<Version> {
    let offered = versions.iter().filter(|v| v.yanked_at.is_none() && v.channel == Channel::Stable);
    offered.map(|v| v.version).max()
}

/// A seat as the domain decides about it. One that was lost because it was not heard from stays unheard whatever the
/// policy says later; where nobody need be heard it counts as given back.
fn activation(seat: &Seat, policy: &Policy) -> Activation {
    let lapsed = seat.lapsed_at.is_some();
    Activation {
        id: seat.id,
        account: seat.account.clone(),
        server: seat.server.clone(),
        machine: seat.machine.clone(),
        seen_at: seat.seen_at,
        released: seat.released_at.is_some() || (lapsed && policy.floating.is_none()),
        lapsed,
    }
}

/// What a licence allows: its policy, and its own end where it is one that is renewed.
pub(super) fn policy_of(licence: &LicenceRow, policy: &LicencePolicy) -> Policy {
    let of_all = policy.terms.policy;
    Policy { term: licence.ends_at.map_or(of_all.term, Term::Until), ..of_all }
}

fn config(settings: &marque_store::LicenceSettings) -> Config {
    let object = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&settings.settings).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let settings_of = object.into_iter().map(|(name, value)| (name, Value::from(text(value)))).collect();
    Config { version: settings.version, schema: settings.schema_version, settings: settings_of }
}
