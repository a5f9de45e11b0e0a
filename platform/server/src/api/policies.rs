//! Policies: what licences of an Expert Advisor allow.

use super::{
    Tag,
    caller::{Caller, invalid},
    eas::id_of,
    idempotency::once,
    refused::Refused,
    text::Text,
};
use crate::{
    identity::Operation,
    licensing::manage::{self, PolicyWish, TermWish},
    problem::Problem,
};
use marque_domain::{
    licence::{self, Term},
    time::SECOND_MS,
};
use marque_store::LicencePolicy;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path},
    payload::Json,
    types::Example,
};

pub(super) struct Policies;

macro_rules! same {
    ($(#[$doc:meta])* $name:ident as $rename:literal = $of:ident { $($(#[$each:meta])* $variant:ident),* }) => {
        $(#[$doc])*
        #[derive(Enum, Clone, Copy)]
        #[oai(rename_all = "snake_case", rename = $rename)]
        enum $name {
            $($(#[$each])* $variant,)*
        }

        impl From<$name> for licence::$of {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => Self::$variant,)* }
            }
        }

        impl From<licence::$of> for $name {
            fn from(value: licence::$of) -> Self {
                match value { $(licence::$of::$variant => Self::$variant,)* }
            }
        }
    };
}

same!(
    /// From when a trial's time runs.
    Since as "LicenceSince" = Since {
        /// When the licence was made.
        Creation,
        /// The first question that named it.
        FirstUse,
        /// The first seat that was taken.
        Activation
    }
);
same!(
    /// What happens when more want a seat than there are.
    Overage as "LicenceOverage" = Overage {
        /// They are refused.
        Strict,
        /// They are let in, and it is told.
        Allowed
    }
);
same!(
    /// How much of account, broker server and computer must be the seat's.
    Binding as "LicenceBinding" = Binding {
        /// One of the three.
        Any,
        /// Two of the three.
        Most,
        /// All three.
        All
    }
);
same!(
    /// Which accounts a licence is for.
    Kinds as "LicenceKinds" = Kinds {
        /// Demo and live.
        Both,
        /// Demo only; contest accounts count as demo.
        Demo,
        /// Live only.
        Live
    }
);

/// How long licences last.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case", rename = "LicenceTerm")]
enum TermKind {
    /// For ever.
    Perpetual,
    /// So long, until it is renewed.
    Subscription,
    /// So long, once.
    Trial,
}

/// What licences of a product allow. Times are in seconds.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename = "LicencePolicyTerms")]
struct PolicyBody {
    /// What you call it.
    name: Text,
    /// How long licences last.
    term: TermKind,
    /// How long, for `subscription` and `trial`.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "0"), maximum(value = "3155760000")))]
    term_s: Option<i64>,
    /// From when a trial runs; `creation` when left out.
    #[oai(skip_serializing_if_is_none)]
    since: Option<Since>,
    /// How long one works beyond its end.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    grace_s: i64,
    /// Computers at once; left out: no limit.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "0"), maximum(value = "1000000")))]
    machines: Option<u32>,
    /// Trading accounts at once; left out: no limit.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "0"), maximum(value = "1000000")))]
    accounts: Option<u32>,
    /// What happens beyond.
    overage: Overage,
    /// How firmly a seat is bound.
    binding: Binding,
    /// Which accounts.
    kinds: Kinds,
    /// How long a heartbeat holds a seat; 0: seats are not held by heartbeats.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    window_s: i64,
    /// How long after one seat was taken another may be.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    cooldown_s: i64,
    /// The oldest version that still runs.
    #[oai(skip_serializing_if_is_none)]
    minimum_version: Option<Text>,
    /// How long a valid answer holds.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    lease_s: i64,
    /// How long the EA trades on with a warning after that.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    offline_grace_s: i64,
    /// How often the EA shall be heard; 0: not at all.
    #[oai(validator(minimum(value = "0"), maximum(value = "3155760000")))]
    heartbeat_s: i64,
    /// Requests of one licence key in a minute; left out: the platform's own limit, which holds in any case.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "3"), maximum(value = "10000000")))]
    requests_per_minute: Option<u32>,
}

impl Example for PolicyBody {
    fn example() -> Self {
        Self {
            name: "Monthly".into(),
            term: TermKind::Subscription,
            term_s: Some(2_678_400),
            since: None,
            grace_s: 86_400,
            machines: Some(2),
            accounts: Some(1),
            overage: Overage::Strict,
            binding: Binding::All,
            kinds: Kinds::Both,
            window_s: 600,
            cooldown_s: 0,
            minimum_version: None,
            lease_s: 86_400,
            offline_grace_s: 259_200,
            heartbeat_s: 200,
            requests_per_minute: Some(30),
        }
    }
}

impl PolicyBody {
    fn wish(self) -> Result<PolicyWish, Problem> {
        let needed = || invalid("/term_s", "is needed for a subscription and for a trial");
        let minimum = self.minimum_version.map(|text| text.0.parse());
        Ok(PolicyWish {
            name: self.name.0,
            term: match self.term {
                TermKind::Perpetual => TermWish::Perpetual,
                TermKind::Subscription => TermWish::Subscription(self.term_s.ok_or_else(needed)?),
                TermKind::Trial => {
                    let since = self.since.map_or(licence::Since::Creation, Into::into);
                    TermWish::Trial(since, self.term_s.ok_or_else(needed)?)
                }
            },
            grace_s: self.grace_s,
            machines: self.machines,
            accounts: self.accounts,
            overage: self.overage.into(),
            binding: self.binding.into(),
            kinds: self.kinds.into(),
            window_s: self.window_s,
            cooldown_s: self.cooldown_s,
            minimum_version: minimum.transpose().map_err(|_| invalid("/minimum_version", "is no version"))?,
            lease_s: self.lease_s,
            offline_grace_s: self.offline_grace_s,
            heartbeat_s: self.heartbeat_s,
            requests_per_minute: self.requests_per_minute,
        })
    }
}

/// A policy.
#[derive(Object)]
#[oai(rename = "LicencePolicy")]
struct PolicyEntry {
    /// Its id.
    id: String,
    /// Of which product.
    product: String,
    /// When it was made.
    created_at: String,
    /// What it allows.
    terms: PolicyBody,
}

impl From<LicencePolicy> for PolicyEntry {
    fn from(policy: LicencePolicy) -> Self {
        let terms = policy.terms.policy;
        let (term, term_ms, since) = match (policy.terms.period_ms, terms.term) {
            (Some(period_ms), _) => (TermKind::Subscription, Some(period_ms), None),
            (None, Term::For { since, ms }) => (TermKind::Trial, Some(ms), Some(since.into())),
            (None, Term::Perpetual | Term::Until(_)) => (TermKind::Perpetual, None, None),
        };
        Self {
            id: policy.id.to_string(),
            product: policy.product.to_string(),
            created_at: policy.created_at.to_rfc3339(),
            terms: PolicyBody {
                name: Text(policy.name),
                term,
                term_s: term_ms.map(|ms| ms / SECOND_MS),
                since,
                grace_s: terms.grace_ms / SECOND_MS,
                machines: terms.seats.machines,
                accounts: terms.seats.accounts,
                overage: terms.seats.overage.into(),
                binding: terms.binding.into(),
                kinds: terms.kinds.into(),
                window_s: terms.floating.map_or(0, |floating| floating.window_ms / SECOND_MS),
                cooldown_s: terms.cooldown_ms / SECOND_MS,
                minimum_version: terms.minimum_version.map(|version| Text(version.to_string())),
                lease_s: terms.lease_ms / SECOND_MS,
                offline_grace_s: terms.offline_grace_ms / SECOND_MS,
                heartbeat_s: policy.terms.heartbeat_s.into(),
                requests_per_minute: policy.terms.requests_per_minute,
            },
        }
    }
}

/// Policies.
#[derive(Object)]
#[oai(rename = "LicencePolicies")]
struct PolicyList {
    /// The oldest first, at most 200.
    items: Vec<PolicyEntry>,
}

#[OpenApi(tag = "Tag::Licences")]
impl Policies {
    /// List an Expert Advisor's policies
    #[oai(path = "/eas/:ea/policies", method = "get", operation_id = "list_licence_policies")]
    async fn list_licence_policies(
        &self,
        caller: Caller,
        /// The product's id.
        ea: Path<String>,
    ) -> Result<Json<PolicyList>, Refused> {
        caller.who.may(Operation::ListEas)?;
        let product = caller.db().ea_product(id_of(&ea.0)?).await?;
        let policies = caller.db().licence_policies(Some(product.id)).await?;
        Ok(Json(PolicyList { items: policies.into_iter().map(PolicyEntry::from).collect() }))
    }

    /// Add a policy
    #[oai(path = "/eas/:ea/policies", method = "post", operation_id = "add_licence_policy", transform = "once")]
    async fn add_licence_policy(
        &self,
        caller: Caller,
        /// The product's id.
        ea: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<PolicyBody>,
    ) -> Result<Json<PolicyEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let (product, wish) = (id_of(&ea.0)?, wanted.0.wish()?);
        Ok(Json(manage::add_policy(&caller.who, product, &wish, caller.app.0.clock.now()).await?.into()))
    }

    /// Change a policy
    ///
    /// For every licence under it, within a second.
    #[oai(
        path = "/licence-policies/:licence_policy",
        method = "post",
        operation_id = "change_licence_policy",
        transform = "once"
    )]
    async fn change_licence_policy(
        &self,
        caller: Caller,
        /// The policy's id.
        licence_policy: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<PolicyBody>,
    ) -> Result<Json<PolicyEntry>, Refused> {
        caller.who.may(Operation::ManageEas)?;
        let (id, wish) = (id_of(&licence_policy.0)?, wanted.0.wish()?);
        Ok(Json(manage::change_policy(&caller.who, id, &wish).await?.into()))
    }
}
