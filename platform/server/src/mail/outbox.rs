//! The way into the queue.

use super::{
    Mail, MailError,
    letter::{Letter, Party},
};
use crate::{
    clock::Clock,
    config::Config,
    edge::{HostName, Tenant},
    secrets::{self, Place, Vault},
    tenants::Definition,
    theme::{ThemeError, Themes},
};
use marque_domain::id::TenantId;
use marque_store::{MailStatus, OneTimeToken, QueuedMail, SealedColumn, TenantDb};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Takes mail in. Cloning shares it.
#[derive(Clone)]
pub struct Outbox(Arc<Parts>);

struct Parts {
    themes: Arc<Themes>,
    vault: Vault,
    clock: Clock,
    /// The sender of tenants that name none; empty for one at their own host.
    from: String,
    /// Where `*.localhost` is served, for links in a developer's mails.
    port: u16,
    /// Tenants whose queue grew since the postman last looked.
    grown: Mutex<HashMap<TenantId, TenantDb>>,
    bell: Notify,
}

impl Outbox {
    /// An outbox. It loads the themes, whose mails it renders; see [`Outbox::themes`].
    ///
    /// # Errors
    /// [`ThemeError`] when they are broken.
    pub fn new(config: &Config, vault: Vault, clock: Clock) -> Result<Self, ThemeError> {
        Ok(Self(Arc::new(Parts {
            themes: Arc::new(Themes::load()?),
            vault,
            clock,
            from: config.mail.from.clone(),
            port: config.listen.port(),
            grown: Mutex::default(),
            bell: Notify::new(),
        })))
    }

    /// The themes, for whoever renders pages: they are loaded once.
    #[must_use]
    pub fn themes(&self) -> &Arc<Themes> {
        &self.0.themes
    }

    /// Queues a mail. Once this answers `Ok` it is sent, or given up where the tenant's owner sees it.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn queue(&self, tenant: &Tenant, mail: Mail) -> Result<(), MailError> {
        self.queue_with(tenant, mail, None).await
    }

    /// Queues a mail with the token that its link carries: both or neither.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn queue_with(&self, tenant: &Tenant, mail: Mail, token: Option<OneTimeToken>) -> Result<(), MailError> {
        let (parts, db, now) = (&self.0, tenant.db(), self.0.clock.now());
        let id = secrets::new_id(now)?;
        let letter = Letter::render(&parts.themes, &tenant.definition, self.sender(&tenant.definition), &mail)?;
        // A sender or recipient that cannot be is found now and not by the postman.
        letter.message(id, now)?;
        let keys = parts.vault.of(db).await?;
        let content = keys.seal(&Place::new(SealedColumn::Mails, id), &serde_json::to_vec(&letter)?)?;
        let queued = QueuedMail {
            id,
            kind: mail.kind.name().to_owned(),
            recipient: mail.to.email,
            content,
            status: MailStatus::Queued,
            attempts: 0,
            next_attempt_at: now,
            last_error: None,
            created_at: now,
            sent_at: None,
        };
        if !db.queue_mail(&queued, token.as_ref()).await? {
            tracing::error!(tenant = %tenant.id, "the mail queue is full; nothing more is taken");
            return Err(MailError::Full);
        }
        self.ring(db);
        Ok(())
    }

    /// The address of a path at a host of a tenant, for links in mails. Only hosts that the edge found a tenant for
    /// may be handed in; scheme and port never come from a request.
    #[must_use]
    pub fn link(&self, host: &HostName, path: &str) -> String {
        if host.is_localhost() {
            format!("http://{host}:{}{path}", self.0.port)
        } else {
            format!("https://{host}{path}")
        }
    }

    /// Tells the postman that there is something to do.
    pub(crate) fn ring(&self, db: &TenantDb) {
        let mut grown = self.0.grown.lock().unwrap_or_else(PoisonError::into_inner);
        grown.insert(db.tenant(), db.clone());
        drop(grown);
        self.0.bell.notify_one();
    }

    /// Waits until there is something to do, and answers for whom.
    pub(super) async fn rung(&self) -> HashMap<TenantId, TenantDb> {
        loop {
            let grown = std::mem::take(&mut *self.0.grown.lock().unwrap_or_else(PoisonError::into_inner));
            if !grown.is_empty() {
                return grown;
            }
            self.0.bell.notified().await;
        }
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn sender(&self, brand: &Definition) -> Party {
        let own = brand.mail.as_ref();
        let host = || brand.hosts.first().map_or("localhost", String::as_str);
        let email = match own.and_then(|mail| mail.from.clone()) {
            Some(from) => from,
            None if self.0.from.is_empty() => format!("no-reply@{}", host()),
            None => self.0.from.clone(),
        };
        Party { email, name: own.and_then(|mail| mail.name.clone()).unwrap_or_else(|| brand.name.clone()) }
    }
}
