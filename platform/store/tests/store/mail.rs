//! The queue of mail, on both databases.

use crate::harness::*;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{Concealed, MailStatus, OneTimeToken, Page, QueuedMail, Registered, StoreError, TokenHash};
use std::collections::BTreeSet;

on_both!(
    a_mail_is_taken_by_one_at_a_time,
    a_mail_is_sent_given_up_and_tried_again,
    a_mail_and_its_token_are_one,
    a_registration_never_replaces_anybody,
    a_password_is_only_replaced_if_it_is_still_the_same,
);

fn mail(id: i64, due: i64) -> QueuedMail {
    QueuedMail {
        id,
        kind: "test".to_owned(),
        recipient: "ann@x.example".to_owned(),
        content: vec![1, 2, 3],
        status: MailStatus::Queued,
        attempts: 0,
        next_attempt_at: Millis(due),
        last_error: None,
        created_at: Millis(0),
        sent_at: None,
    }
}

async fn a_mail_is_taken_by_one_at_a_time(bench: Bench) {
    let db = bench.db(AURORA);
    for id in 1..=20 {
        assert!(db.queue_mail(&mail(id, id), None).await.unwrap());
    }
    let takers = (0..10).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { db.take_due_mails(Millis(15), Millis(100), 4).await.unwrap() })
    });
    let mut taken = Vec::new();
    for one in takers.collect::<Vec<_>>() {
        taken.extend(one.await.unwrap());
    }
    let ids: BTreeSet<i64> = taken.iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), taken.len(), "nobody took what another had");
    assert!(taken.iter().all(|mail| mail.attempts == 1 && mail.next_attempt_at == Millis(100)));
    // What lost a race is still there for the next look.
    let mut rest = db.take_due_mails(Millis(15), Millis(100), 50).await.unwrap();
    rest.extend(taken);
    assert_eq!(rest.iter().map(|mail| mail.id).collect::<BTreeSet<_>>(), (1..=15).collect());
    assert_eq!(db.next_mail_at().await.unwrap(), Some(Millis(16)));
    assert!(bench.db(BOREALIS).take_due_mails(Millis(99), Millis(100), 50).await.unwrap().is_empty());
    // Whoever took them died: they come back.
    assert_eq!(db.take_due_mails(Millis(100), Millis(200), 50).await.unwrap().len(), 20);
}

async fn a_mail_is_sent_given_up_and_tried_again(bench: Bench) {
    let db = bench.db(AURORA);
    for id in 1..=3 {
        db.queue_mail(&mail(id, 0), None).await.unwrap();
    }
    db.take_due_mails(Millis(0), Millis(50), 50).await.unwrap();
    db.mail_sent(1, Millis(1)).await.unwrap();
    db.mail_failed(2, "later", Some(Millis(7))).await.unwrap();
    db.mail_failed(3, "never", None).await.unwrap();
    let list = async |status| db.mails(status, Page::default()).await.unwrap().items;
    let sent = list(MailStatus::Sent).await;
    assert_eq!((sent.len(), sent[0].sent_at, sent[0].last_error.clone()), (1, Some(Millis(1)), None));
    assert_eq!(list(MailStatus::Queued).await[0].last_error.as_deref(), Some("later"));
    let dead = list(MailStatus::Dead).await;
    assert_eq!((dead[0].id, dead[0].last_error.as_deref(), dead[0].content.is_empty()), (3, Some("never"), true));

    assert!(!bench.db(BOREALIS).retry_mail(3, Millis(9)).await.unwrap(), "another tenant's");
    assert!(!db.retry_mail(1, Millis(9)).await.unwrap(), "it was sent");
    assert!(db.retry_mail(3, Millis(9)).await.unwrap());
    assert!(!db.retry_mail(3, Millis(9)).await.unwrap());
    let again = db.take_due_mails(Millis(9), Millis(50), 50).await.unwrap();
    assert_eq!(again.iter().map(|m| (m.id, m.attempts)).collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    assert_eq!(again[1].content, [1, 2, 3], "what it says was kept");
    // Sent mail is forgotten after a while; and what it said, at once.
    db.mail_sent(2, Millis(20)).await.unwrap();
    assert_eq!(db.delete_sent_mails(Millis(20)).await.unwrap(), 1);
    assert_eq!(list(MailStatus::Sent).await.len(), 1);
}

async fn a_mail_and_its_token_are_one(bench: Bench) {
    let db = bench.db(AURORA);
    let token = OneTimeToken {
        id: 1,
        user: UserId(99),
        kind: "test".to_owned(),
        digest: TokenHash([1; 32]),
        data: "{}".to_owned(),
        attempts: 0,
        created_at: Millis(0),
        expires_at: Millis(10),
    };
    let refused = db.queue_mail(&mail(1, 0), Some(&token)).await;
    assert!(matches!(refused, Err(StoreError::BrokenReference(_))), "there is no such person");
    assert_eq!(db.next_mail_at().await.unwrap(), None);
    db.queue_mail(&mail(1, 0), Some(&OneTimeToken { user: UserId(1), ..token.clone() })).await.unwrap();
    assert!(db.one_time("test", token.digest, Millis(0)).await.unwrap().is_some());
}

async fn a_registration_never_replaces_anybody(bench: Bench) {
    let db = bench.db(AURORA);
    let known = db.user(UserId(1)).await.unwrap();
    let mut again = user(50, &known.email.to_uppercase());
    again.display_name = "Somebody else".to_owned();
    assert_eq!(db.register_user(&again).await.unwrap(), Registered::Taken(Box::new(known.clone())));
    assert_eq!(db.user(UserId(1)).await.unwrap(), known);
    assert_eq!(db.register_user(&user(51, "new@x.example")).await.unwrap(), Registered::New);

    assert!(!db.verify_email(UserId(51), "old@x.example", Millis(5)).await.unwrap(), "the address has changed since");
    assert!(db.verify_email(UserId(51), " New@x.example", Millis(5)).await.unwrap());
    let taken = db.change_email(UserId(51), &known.email, Millis(6)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    db.change_email(UserId(51), "Newer@x.example", Millis(6)).await.unwrap();
    let changed = db.user(UserId(51)).await.unwrap();
    assert_eq!((changed.email.as_str(), changed.email_verified_at), ("newer@x.example", Some(Millis(6))));
}

async fn a_password_is_only_replaced_if_it_is_still_the_same(bench: Bench) {
    let db = bench.db(AURORA);
    let hash = |text: &str| Concealed::new(text.to_owned());
    assert!(db.set_password(UserId(1), &hash("a"), None).await.unwrap());
    assert!(db.set_password(UserId(1), &hash("b"), Some(&hash("a"))).await.unwrap());
    assert!(!db.set_password(UserId(1), &hash("c"), Some(&hash("a"))).await.unwrap());
    assert_eq!(db.user(UserId(1)).await.unwrap().password_hash, hash("b"));
}
