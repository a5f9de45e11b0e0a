//! Host → tenant, cached. There is no default: a host that nobody has is answered with 421.

use super::host::HostName;
use crate::{
    bounded::Bounded,
    config::Limits,
    problem::{Problem, ProblemCode},
    tenants::Definition,
};
use marque_domain::{id::TenantId, tenant::TenantStatus};
use marque_store::{StoreError, SystemDb, TenantDb};
use moka::{Expiry, future::Cache};
use poem::{FromRequest, Request, RequestBody};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A tenant as requests need it: understood once, shared by all of them.
#[derive(Debug)]
pub struct Site {
    /// Its id.
    pub id: TenantId,
    /// What its file says.
    pub definition: Definition,
    db: TenantDb,
}

/// The tenant a request is for. Holding one is the permission to touch that tenant's rows and no others.
#[derive(Debug, Clone)]
pub struct Tenant(Arc<Site>);

impl Tenant {
    /// Why it is closed, while it is.
    #[must_use]
    pub fn closed(&self) -> Option<Problem> {
        match self.definition.status {
            TenantStatus::Active => None,
            TenantStatus::Suspended => {
                let detail = "Its owner can have it opened again; what you keep here is not lost.";
                Some(Problem::new(ProblemCode::TenantClosed, detail).retry_after_s(3_600))
            }
        }
    }

    /// Its rows.
    #[must_use]
    pub fn db(&self) -> &TenantDb {
        &self.0.db
    }
}

impl core::ops::Deref for Tenant {
    type Target = Site;
    fn deref(&self) -> &Site {
        &self.0
    }
}

impl Tenant {
    /// That of a request.
    ///
    /// # Errors
    /// [`ProblemCode::Internal`] on a route that is not behind the edge.
    pub fn of(request: &Request) -> Result<&Self, Problem> {
        request.data::<Self>().ok_or_else(|| Problem::internal(&OutsideEdge))
    }
}

impl<'a> FromRequest<'a> for Tenant {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::of(request)?.clone())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler asked for the tenant on a route that the edge does not resolve; put the route behind `Edge`")]
struct OutsideEdge;

/// Finds the tenant of a host.
#[derive(Clone)]
pub struct Resolver {
    system: SystemDb,
    known_for: Duration,
    /// What nearly every request finds. It knows no times, so each tenant says when it was looked up.
    near: Arc<Bounded<HostName, Found>>,
    /// Where those are from who are not there, or no longer true: one question to the database for all who ask at once.
    cache: Cache<HostName, Option<Found>>,
}

/// A tenant, and the begin of the look that found it.
#[derive(Debug, Clone)]
struct Found {
    tenant: Tenant,
    at: Instant,
}

/// A stored tenant that cannot be served.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the stored definition of tenant {0} is not readable: apply its file again with `marque tenant apply`")]
    Definition(String, #[source] serde_json::Error),
}

struct Remember {
    known: Duration,
    unknown: Duration,
}

impl Expiry<HostName, Option<Found>> for Remember {
    fn expire_after_create(&self, _: &HostName, found: &Option<Found>, _: Instant) -> Option<Duration> {
        Some(if found.is_some() { self.known } else { self.unknown })
    }
}

impl Resolver {
    /// A resolver over the stored tenants.
    #[must_use]
    pub fn new(system: SystemDb, limits: &Limits) -> Self {
        let remember = Remember {
            known: Duration::from_secs(limits.host_known_s.into()),
            unknown: Duration::from_secs(limits.host_unknown_s.into()),
        };
        let (known_for, hosts) = (remember.known, limits.hosts.into());
        let cache = Cache::builder().max_capacity(hosts).expire_after(remember).build();
        Self { system, known_for, near: Arc::new(Bounded::new(hosts)), cache }
    }

    /// The tenant of a host, open or closed.
    ///
    /// # Errors
    /// [`ProblemCode::UnknownHost`], or that the database does not answer.
    pub async fn tenant(&self, host: &HostName) -> Result<Tenant, Problem> {
        if let Some(found) = self.near.get(host).filter(|found| found.at.elapsed() < self.known_for) {
            return Ok(found.tenant);
        }
        let found = self.find(host).await?.ok_or_else(|| {
            let detail = "Check the address; if it is yours, its owner must list it for this server.";
            Problem::new(ProblemCode::UnknownHost, detail)
        })?;
        self.near.insert(host.clone(), found.clone());
        Ok(found.tenant)
    }

    /// Forgets what is cached, so that a change in this process works at once.
    pub fn forget(&self) {
        self.cache.invalidate_all();
        self.near.clear();
    }

    async fn find(&self, host: &HostName) -> Result<Option<Found>, Problem> {
        // Concurrent requests for a host that is not cached ask the database once. A fault is not cached.
        self.cache.try_get_with_by_ref(host, self.load(host)).await.map_err(|error| match error.as_ref() {
            ResolveError::Store(StoreError::Unavailable { .. }) => {
                tracing::error!(%error, %host, "the tenant of a host cannot be looked up");
                Problem::new(ProblemCode::Unavailable, "Try again in a moment.").retry_after_s(5)
            }
            error => Problem::internal(error),
        })
    }

    async fn load(&self, host: &HostName) -> Result<Option<Found>, ResolveError> {
        let at = Instant::now();
        let Some(stored) = self.system.tenant_by_host(host.as_str()).await? else { return Ok(None) };
        let definition = serde_json::from_str(&stored.spec.definition)
            .map_err(|error| ResolveError::Definition(stored.spec.slug.to_string(), error))?;
        let db = self.system.tenant_db(stored.id);
        let tenant = Tenant(Arc::new(Site { id: stored.id, definition, db }));
        Ok(Some(Found { tenant, at }))
    }
}
