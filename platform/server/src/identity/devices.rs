//! Browsers that people sign in with: each keeps a token of its own, so that one which was never seen is noticed.
//!
//! The token opens nothing. It only says that this browser was here before.

use super::{Identity, agent, cookies, place::Place};
use crate::{
    edge::{HostName, Origin, Tenant},
    mail::{self, Mail, MailKind},
    problem::Problem,
    secrets::{self, Token},
};
use marque_domain::{
    id::UserId,
    time::{DAY_MS, Millis},
};
use marque_store::{MetDevice, SeenDevice, Session, TokenHash};
use poem::{Request, Response};

/// What signed in that was never seen before.
pub(super) struct Stranger<'a> {
    /// `browser` or `program`.
    pub(super) what: &'static str,
    /// Whom it speaks for.
    pub(super) user: UserId,
    /// What it calls itself.
    pub(super) agent: &'a str,
    /// Where it is.
    pub(super) address: &'a str,
    /// The address's country, when that is known.
    pub(super) country: Option<&'a str>,
    /// When.
    pub(super) at: Millis,
}

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
        // The first of all is no news.
        if let Some(origin) = request.data::<Origin>().filter(|_| met.is_new && !met.is_first) {
            let Session { user, ref agent, ref address, ref country, created_at: at, .. } = session;
            let stranger = Stranger { what: "browser", user, agent, address, country: country.as_deref(), at };
            self.tell(tenant, &origin.authority.host, stranger).await?;
        }
        Ok(())
    }

    /// Tells somebody by mail that something signed in in their name that was never seen before.
    pub(super) async fn tell(&self, tenant: &Tenant, host: &HostName, stranger: Stranger<'_>) -> Result<(), Problem> {
        let outbox = self.outbox();
        let user = tenant.db().user(stranger.user).await?;
        let mail = Mail::new(MailKind::NewDevice, &user.email, &user.display_name)
            .with("what", stranger.what)
            .with("device", agent::words(stranger.agent))
            .with("place", Place::stored(stranger.address, stranger.country).words())
            .with("address", stranger.address)
            .with("at", mail::instant(&tenant.definition, stranger.at))
            .with("sessions", outbox.link(host, "/security/sessions"))
            .with("forgot", outbox.link(host, "/forgot"));
        // Somebody who proved who they are is not kept out because mail is held up.
        if let Err(error) = outbox.queue(tenant, mail).await {
            tracing::error!(%error, user = %user.id, "a mail about a new sign-in could not be queued");
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
