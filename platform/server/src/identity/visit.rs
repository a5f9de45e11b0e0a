//! A request to a tenant, signed in or not: which site it is for, and what the audit log says of it.

use super::limits::By;
use crate::{
    audit::{Act, Actor, Recorder},
    edge::{ClientAddress, HostName, Origin, Tenant},
    problem::Problem,
};
use core::net::IpAddr;
#[cfg(test)]
use core::net::Ipv4Addr;
use poem::{FromRequest, Request, RequestBody};
use serde_json::Value;

/// A request to a tenant.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The tenant.
    pub tenant: Tenant,
    /// The tenant's host that was asked for: links in mails lead back to it.
    pub host: HostName,
    /// The client's address.
    pub client: IpAddr,
    recorder: Recorder,
}

impl Visit {
    /// A request from nowhere.
    #[cfg(test)]
    pub(super) const fn for_tests(tenant: Tenant, host: HostName, recorder: Recorder) -> Self {
        Self { tenant, host, client: IpAddr::V4(Ipv4Addr::LOCALHOST), recorder }
    }

    /// As limits count it: from here, for this address.
    pub(super) fn by<'a>(&self, email: &'a str) -> By<'a> {
        By { tenant: self.tenant.id, address: self.client, person: Some(email) }
    }

    /// What records acts of this request.
    pub(super) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Records an act in the tenant's audit log.
    pub(super) async fn record(&self, actor: Actor, act: Act, target: &str, details: Value) -> Result<(), Problem> {
        Ok(self.recorder.record(self.tenant.db(), actor, act, target, details).await?)
    }
}

impl<'a> FromRequest<'a> for Visit {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let tenant = Tenant::from_request(request, body).await?;
        let host = Origin::from_request(request, body).await?.authority.host;
        let recorder = request.data::<Recorder>().cloned().ok_or_else(|| Problem::internal(&OutsideLayer))?;
        let ClientAddress(client) = ClientAddress::from_request(request, body).await?;
        Ok(Self { tenant, host, client, recorder })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler asked for a visit on a route that is not behind `IdentityLayer`")]
struct OutsideLayer;
