//! Browsers that people sign in with: each keeps a token of its own, so that one which was never seen is noticed.
//!
//! The token opens nothing. It only says that this browser was here before.

use super::{Identity, agent, cookies, place::Place};
use crate::{
    edge::{Origin, Tenant},
    mail::{self, Mail, MailKind},
    problem::Problem,
    secrets::{self, Token},
};
use marque_domain::time::{DAY_MS, Millis};
use marque_store::{MetDevice, SeenDevice, Session, TokenHash};
use poem::{Request, Response};

/// What browsers keep a cookie for at most.
const COOKIE_MS: i64 = 400 * DAY_MS;

impl Identity {
    /// Notes which browser a session was opened in, and gives it its token if it has none.
    pub(super) async fn meet(
        &self,
        tenant: &Tenant,
        request: &Request,
        token: &Token,
        response: &mut Response,
    ) -> Result<(), Problem> {
        let now = self.now();
        let opened = tenant.db().session(TokenHash(token.digest().0), now).await?;
        let Some(session) = opened else { return Ok(()) };
        let device = match cookies::token(request.headers(), cookies::DEVICE) {
            Some(device) => device,
            None => Token::new().map_err(|error| Problem::internal(&error))?,
        };
        let met = self.note(tenant, &session, &device, now).await?;
        // Set anew each time, so that a browser in use keeps it.
        cookies::set(response, cookies::DEVICE, &device.expose(), Some(COOKIE_MS / 1_000));
        tenant.db().forget_failures(session.user).await?;
        if met.is_new && !met.is_first {
            self.tell(tenant, request, &session).await?;
        }
        Ok(())
    }

    /// Tells somebody by mail that a browser signed in that was never seen before. The first of all is no news.
    async fn tell(&self, tenant: &Tenant, request: &Request, session: &Session) -> Result<(), Problem> {
        let Some(origin) = request.data::<Origin>() else { return Ok(()) };
        let (outbox, host) = (self.outbox(), &origin.authority.host);
        let user = tenant.db().user(session.user).await?;
        let mail = Mail::new(MailKind::NewDevice, &user.email, &user.display_name)
            .with("device", agent::words(&session.agent))
            .with("place", Place::stored(&session.address, session.country.as_deref()).words())
            .with("address", session.address.as_str())
            .with("at", mail::instant(&tenant.definition, session.created_at))
            .with("sessions", outbox.link(host, "/security/sessions"))
            .with("forgot", outbox.link(host, "/forgot"));
        // Somebody who proved who they are is not kept out because mail is held up.
        if let Err(error) = outbox.queue(tenant, mail).await {
            tracing::error!(%error, user = %user.id, "a mail about a new browser could not be queued");
        }
        Ok(())
    }

    async fn note(
        &self,
        tenant: &Tenant,
        session: &Session,
        device: &Token,
        now: Millis,
    ) -> Result<MetDevice, Problem> {
        let seen = SeenDevice {
            id: secrets::new_id(now).map_err(|error| Problem::internal(&error))?,
            user: session.user,
            hash: TokenHash(device.digest().0),
            agent: session.agent.clone(),
            address: session.address.clone(),
            country: session.country.clone(),
        };
        Ok(tenant.db().meet_device(&seen, session.id, now).await?)
    }
}
