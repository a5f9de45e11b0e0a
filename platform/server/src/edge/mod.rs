//! The edge: what every request passes before a handler sees it, and every answer before a client does.
//!
//! Owns: host → tenant, https, the client's address behind proxies, body limits and timeouts, request ids and spans,
//! panics, security headers, and the choice between problem+json and a page. Refuses to know people,
//! permissions and what pages say.
//!
//! poem's own parts for this are not used: its `RouteDomain` sends ports, upper case, trailing dots and all of
//! HTTP/2 to `*`, its `RealIp` believes anyone, and its JSON bodies have no bound.

mod answer;
mod body;
mod forwarded;
pub mod host;
mod listen;
mod resolver;
mod secure;
mod serve;

pub use answer::{ErrorPages, Refusal, is_api, wants_page};
pub use forwarded::Origin;
pub use host::{HostFault, HostName};
pub use listen::{BoundedAcceptor, Held};
pub use resolver::{Resolver, Site, Tenant};
pub use serve::{ClientAddress, Edge, EdgeEndpoint, NeutralFiles, Readiness, RequestId};
