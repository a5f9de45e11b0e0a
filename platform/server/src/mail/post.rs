//! The postman: takes what is due from every tenant's queue and hands it to the courier.

use super::{Courier, MailError, Outbox, Refusal, letter::Letter};
use crate::secrets::Place;
use futures_util::{StreamExt as _, stream};
use marque_domain::{
    id::TenantId,
    tenant::TenantStatus,
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use marque_store::{QueuedMail, SealedColumn, StoreError, SystemDb, TenantDb};
use std::{collections::HashMap, time::Duration};

/// How long after each failed try the next one is. After the last, the mail is dead.
const PAUSES_MS: [i64; 8] =
    [30_000, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS];
/// Mails taken at once, and carried at the same time. All of them together take at most [`LEASE_MS`].
const BATCH: u64 = 20;
const AT_ONCE: usize = 4;
/// How long a taken mail is nobody else's: longer than `BATCH / AT_ONCE` mails may take.
const LEASE_MS: i64 = 5 * MINUTE_MS;
/// Every tenant's queue is looked at this often, for what another node or an earlier run of this one queued.
const ROUND_MS: i64 = MINUTE_MS;
/// How long a sent mail's row is kept, for who asks whether it went out.
const KEPT_MS: i64 = 30 * DAY_MS;
/// The shortest pause: a fault must not make a busy loop.
const PAUSE_MS_MIN: i64 = 50;

/// A tenant whose queue is looked after.
struct Route {
    slug: String,
    db: TenantDb,
    /// When there is something to do.
    due: Option<Millis>,
}

/// Sends what is queued.
pub struct Postman {
    outbox: Outbox,
    courier: Courier,
    system: SystemDb,
    routes: HashMap<TenantId, Route>,
    next_round: Millis,
}

impl Postman {
    /// A postman for all tenants of a store.
    #[must_use]
    pub fn new(outbox: Outbox, courier: Courier, system: SystemDb) -> Self {
        Self { outbox, courier, system, routes: HashMap::new(), next_round: Millis(0) }
    }

    /// Works until `stop`. A mail that is being carried then is carried to its end.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let wake = self.work().await;
            let pause = wake.since(self.outbox.clock().now()).clamp(PAUSE_MS_MIN, ROUND_MS);
            tokio::select! {
                () = &mut stop => return,
                grown = self.outbox.rung() => self.note(&grown),
                () = tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())) => {}
            }
        }
    }

    /// Sends all that is due now; answers when there is something to do next.
    pub async fn work(&mut self) -> Millis {
        let now = self.outbox.clock().now();
        // A clock that was set back must not stop the rounds.
        if now >= self.next_round || self.next_round.since(now) > ROUND_MS {
            if let Err(error) = self.round(now).await {
                tracing::error!(%error, "the mail queues could not be looked at");
            }
            self.next_round = now.plus(ROUND_MS);
        }
        for route in self.routes.values_mut().filter(|route| route.due.is_some_and(|due| due <= now)) {
            match deliver(&self.outbox, &self.courier, &route.slug, &route.db, now).await {
                Ok(next) => route.due = next,
                Err(error) => {
                    tracing::error!(tenant = %route.db.tenant(), %error, "a mail queue could not be worked on");
                    route.due = Some(now.plus(PAUSES_MS[0]));
                }
            }
        }
        self.routes.values().filter_map(|route| route.due).min().unwrap_or(self.next_round).min(self.next_round)
    }

    /// Looks which tenants there are and what waits in their queues. A suspended tenant's mail waits.
    async fn round(&mut self, now: Millis) -> Result<(), StoreError> {
        let tenants = self.system.tenants().await?;
        let active = |id: &TenantId| tenants.iter().any(|t| t.id == *id && t.spec.status == TenantStatus::Active);
        self.routes.retain(|id, _| active(id));
        for tenant in tenants.iter().filter(|tenant| tenant.spec.status == TenantStatus::Active) {
            let system = &self.system;
            let route = self.routes.entry(tenant.id).or_insert_with(|| Route {
                slug: tenant.spec.slug.to_string(),
                db: system.tenant_db(tenant.id),
                due: None,
            });
            route.due = route.db.next_mail_at().await?;
            route.db.delete_sent_mails(now.plus(-KEPT_MS)).await?;
        }
        Ok(())
    }

    fn note(&mut self, grown: &HashMap<TenantId, TenantDb>) {
        let now = self.outbox.clock().now();
        for id in grown.keys() {
            match self.routes.get_mut(id) {
                Some(route) => route.due = Some(now),
                // A tenant that was added since the last round.
                None => self.next_round = now,
            }
        }
    }
}

/// Sends one batch of what is due; answers when the next is.
async fn deliver(
    outbox: &Outbox,
    courier: &Courier,
    slug: &str,
    db: &TenantDb,
    now: Millis,
) -> Result<Option<Millis>, MailError> {
    let keys = outbox.vault().of(db).await?;
    let due = db.take_due_mails(now, now.plus(LEASE_MS), BATCH).await?;
    let deliveries = due.into_iter().map(|mail| {
        let keys = &keys;
        async move {
            let letter = keys
                .open(&Place::new(SealedColumn::Mails, mail.id), &mail.content)
                .map_err(MailError::from)
                .and_then(|opened| Ok(serde_json::from_slice::<Letter>(opened.expose())?))
                .and_then(|letter| letter.message(mail.id, mail.created_at));
            let outcome = match letter {
                Ok(message) => courier.carry(slug, &format!("{}-{}", mail.id, mail.kind), message).await,
                // Nothing that time mends.
                Err(error) => Err(Refusal::Lasting(error.to_string())),
            };
            note(db, &mail, outcome, outbox.clock().now()).await
        }
    });
    let outcomes: Vec<Result<(), StoreError>> = stream::iter(deliveries).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(db.next_mail_at().await?)
}

async fn note(db: &TenantDb, mail: &QueuedMail, outcome: Result<(), Refusal>, now: Millis) -> Result<(), StoreError> {
    let (tenant, id, kind) = (db.tenant(), mail.id, mail.kind.as_str());
    let (said, pause) = match outcome {
        Ok(()) => {
            tracing::info!(%tenant, id, kind, attempts = mail.attempts, "a mail was sent");
            return db.mail_sent(mail.id, now).await;
        }
        Err(Refusal::Lasting(said)) => (said, None),
        Err(Refusal::Passing(said)) => (said, pause_ms(mail.attempts)),
    };
    match pause {
        Some(pause) => {
            tracing::warn!(%tenant, id, kind, attempts = mail.attempts, said, pause, "a mail is tried again")
        }
        None => tracing::error!(%tenant, id, kind, attempts = mail.attempts, said, "a mail is given up"),
    }
    db.mail_failed(mail.id, &said, pause.map(|ms| now.plus(ms))).await
}

/// How long to wait after so many tries; none when they were enough.
fn pause_ms(attempts: i64) -> Option<i64> {
    let index = usize::try_from(attempts.saturating_sub(1)).ok()?;
    PAUSES_MS.get(index).copied()
}
