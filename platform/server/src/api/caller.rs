//! Who calls the API: a signed-in person, with what the resources share.

use super::{App, refused::Refused};
use crate::{
    edge::Tenant,
    identity::{Operation, SignedIn},
    problem::{Problem, ProblemCode},
    tenants::Feature,
    trading::{Asked, Desk, Floor, requests},
};
use marque_domain::{
    id::{AccountId, OrderId, PositionId},
    order::{Order, Position},
};
use marque_engine::{Command, Record};
use marque_store::{Account, TenantDb, Whose};
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use std::sync::Arc;

/// What a browser shows.
const SESSION: &str = "session";
/// What a program shows.
const TOKEN: &str = "token";

/// The caller of an operation. Who takes it runs for nobody who is not signed in.
pub(super) struct Caller {
    pub who: SignedIn,
    pub app: App,
}

impl Caller {
    pub fn db(&self) -> &TenantDb {
        self.who.db()
    }

    pub fn tenant(&self) -> &Tenant {
        &self.who.tenant
    }

    pub fn floor(&self) -> &Floor {
        &self.app.0.floor
    }

    pub async fn desk(&self) -> Result<Arc<Desk>, Problem> {
        Ok(self.floor().desk(self.db().tenant()).await?)
    }

    /// The floor, as the caller asks it.
    pub fn asked(&self) -> Asked<'_> {
        self.floor().asked_by(self.who.asker())
    }

    /// Sends a command to the tenant's desk. What is refused before anything was done says so.
    pub async fn command(&self, command: Command) -> Result<Vec<Record>, Refused> {
        Ok(self.desk().await?.command(command, self.who.asker()).await?)
    }

    /// An account within reach, by the id of a path.
    pub async fn account(&self, whose: Whose, id: &str) -> Result<Account, Problem> {
        let id: AccountId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.db().account(whose, id).await?)
    }
}

impl Caller {
    /// An order within reach of an operation, by the id of a path. Another's is not told apart from none.
    pub async fn order(&self, operation: Operation, id: &str) -> Result<Order, Problem> {
        let whose = self.who.may(operation)?;
        let id: OrderId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.db().order(whose, id).await?)
    }

    /// A position, in the same way.
    pub async fn position(&self, operation: Operation, id: &str) -> Result<Position, Problem> {
        let whose = self.who.may(operation)?;
        let id: PositionId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.db().position(whose, id).await?)
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let session = MetaSecurityScheme {
            description: Some("The session's cookie, set by signing in at `/sign-in`."),
            name: Some("__Host-marque"),
            key_in: Some("cookie"),
            ..scheme("apiKey")
        };
        let token = MetaSecurityScheme {
            description: Some("An access token of `POST /tokens`, or a personal token."),
            scheme: Some("bearer"),
            ..scheme("http")
        };
        registry.create_security_scheme(SESSION, session);
        registry.create_security_scheme(TOKEN, token);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SESSION, TOKEN]
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let who = <SignedIn as FromRequest>::from_request(request, body).await?;
        let app = request.data::<App>().cloned().ok_or_else(|| Problem::internal(&OutsideApi))?;
        requests::gate(&who, Feature::ApiAccess).await?;
        Ok(Self { who, app })
    }
}

const fn scheme(ty: &'static str) -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty,
        description: None,
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an operation of the API is routed outside of `api::routes`")]
struct OutsideApi;

/// A value of a body that is not accepted.
pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::Invalid, "Correct the fields that `errors` names and send the request again.")
        .field(field, detail)
}
