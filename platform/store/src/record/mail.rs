//! Mail that is to be sent.

use marque_domain::time::Millis;

/// Where a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailStatus {
    /// It is to be sent.
    Queued,
    /// A mail server took it.
    Sent,
    /// It was tried often enough, or refused for good.
    Dead,
}

impl MailStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[Self::Queued, Self::Sent, Self::Dead];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

/// A mail of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its id.
    pub id: i64,
    /// What it says, by a stable name.
    pub kind: String,
    /// Whom it goes to: an address.
    pub recipient: String,
    /// Subject, text and HTML, sealed. Empty once it was sent.
    pub content: Vec<u8>,
    /// Where it stands.
    pub status: MailStatus,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt_at: Millis,
    /// What the last failed try met.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: Millis,
    /// When a mail server took it.
    pub sent_at: Option<Millis>,
}
