//! Mails and tokens that work once.

use super::{Decoded, named};
use crate::{
    entity::{mails, one_time_tokens},
    error::StoreError,
    record::{MailStatus, OneTimeToken, QueuedMail, TokenHash},
};
use marque_domain::{id::UserId, time::Millis};

pub(crate) fn one_time(row: one_time_tokens::Model) -> Decoded<OneTimeToken> {
    let digest = row.digest.as_slice().try_into();
    Ok(OneTimeToken {
        id: row.id,
        user: UserId(row.user_id),
        kind: row.kind,
        digest: TokenHash(digest.map_err(|_| StoreError::corrupt("one-time token", "its digest is not 32 bytes"))?),
        data: row.data,
        attempts: row.attempts,
        created_at: Millis(row.created_at),
        expires_at: Millis(row.expires_at),
    })
}

pub(crate) fn one_time_row(token: &OneTimeToken, tenant_id: i64) -> one_time_tokens::Model {
    one_time_tokens::Model {
        tenant_id,
        id: token.id,
        user_id: token.user.0,
        kind: token.kind.clone(),
        digest: token.digest.0.to_vec(),
        data: token.data.clone(),
        attempts: token.attempts,
        created_at: token.created_at.0,
        expires_at: token.expires_at.0,
        used_at: None,
    }
}

pub(crate) fn mail(row: mails::Model) -> Decoded<QueuedMail> {
    Ok(QueuedMail {
        id: row.id,
        kind: row.kind,
        recipient: row.recipient,
        content: row.content,
        status: named("mail", MailStatus::ALL, MailStatus::name, &row.status)?,
        attempts: row.attempts,
        next_attempt_at: Millis(row.next_attempt_at),
        last_error: row.last_error,
        created_at: Millis(row.created_at),
        sent_at: row.sent_at.map(Millis),
    })
}

pub(crate) fn mail_row(mail: &QueuedMail, tenant_id: i64) -> mails::Model {
    mails::Model {
        tenant_id,
        id: mail.id,
        kind: mail.kind.clone(),
        recipient: mail.recipient.clone(),
        content: mail.content.clone(),
        status: mail.status.name().to_owned(),
        attempts: mail.attempts,
        next_attempt_at: mail.next_attempt_at.0,
        last_error: mail.last_error.clone(),
        created_at: mail.created_at.0,
        sent_at: mail.sent_at.map(|at| at.0),
    }
}
