//! The people of a tenant as those see them who run it.

use crate::harness::*;
use marque_domain::{id::UserId, time::Millis};
use marque_store::{Page, PeopleFilter, Session, Standing, StoreError, TokenHash, UserStatus};

on_both!(people_are_found, a_tenant_keeps_somebody_who_runs_it, who_is_shut_out_loses_every_session, others_stay_apart,);

async fn found(bench: &Bench, filter: PeopleFilter<'_>) -> Vec<i64> {
    let page = bench.db(AURORA).people(filter, Page::first(10)).await.unwrap();
    page.items.into_iter().map(|user| user.id.0).collect()
}

async fn people_are_found(bench: Bench) {
    let db = bench.db(AURORA);
    for (id, email, name) in
        [(11, "ann@x.example", "Ann 50%"), (12, "bob@x.example", "Bob_Ünal"), (13, "c@y.example", "C")]
    {
        let mut user = user(id, email);
        name.clone_into(&mut user.display_name);
        db.create_user(&user).await.unwrap();
    }
    let text = |text| PeopleFilter { text, ..PeopleFilter::default() };
    assert_eq!(found(&bench, text("ANN@")).await, [11]);
    assert_eq!(found(&bench, text("50%")).await, [11], "a percent sign is itself");
    assert_eq!(found(&bench, text("bob_")).await, [12], "and an underscore");
    assert_eq!(found(&bench, text("%")).await, [11]);
    assert_eq!(found(&bench, text("\\")).await, [0_i64; 0]);
    assert_eq!(found(&bench, text("' OR 1=1 --")).await, [0_i64; 0]);
    db.change_standing(UserId(12), Standing::Role("risk"), "owner").await.unwrap();
    db.change_standing(UserId(13), Standing::Status(UserStatus::Suspended), "owner").await.unwrap();
    let by = |role, status| PeopleFilter { role, status, ..PeopleFilter::default() };
    assert_eq!(found(&bench, by(Some("risk"), None)).await, [12]);
    assert_eq!(found(&bench, by(None, Some(UserStatus::Suspended))).await, [13]);
    assert_eq!(found(&bench, by(Some("risk"), Some(UserStatus::Suspended))).await, [0_i64; 0]);

    let first = db.people(PeopleFilter::default(), Page::first(2)).await.unwrap();
    assert_eq!(first.items.iter().map(|u| u.id.0).collect::<Vec<_>>(), [13, 12]);
    let second = db.people(PeopleFilter::default(), Page { after: first.next, limit: 2 }).await.unwrap();
    assert_eq!(second.items.first().map(|u| u.id.0), Some(11));
}

async fn a_tenant_keeps_somebody_who_runs_it(bench: Bench) {
    let db = bench.db(AURORA);
    for id in [21, 22] {
        db.create_user(&user(id, &format!("{id}@x.example"))).await.unwrap();
        assert!(db.change_standing(UserId(id), Standing::Role("owner"), "owner").await.unwrap());
    }
    // Both at once, many times: one always stays.
    for _ in 0..10 {
        let (a, b) = tokio::join!(
            db.change_standing(UserId(21), Standing::Role("trader"), "owner"),
            db.change_standing(UserId(22), Standing::Status(UserStatus::Suspended), "owner"),
        );
        assert_eq!([a.unwrap(), b.unwrap()].into_iter().filter(|done| *done).count(), 1);
        for id in [21, 22] {
            assert!(db.change_standing(UserId(id), Standing::Role("owner"), "owner").await.unwrap());
            assert!(db.change_standing(UserId(id), Standing::Status(UserStatus::Active), "owner").await.unwrap());
        }
    }
    let nobody = db.change_standing(UserId(99), Standing::Role("trader"), "owner").await;
    assert!(matches!(nobody, Err(StoreError::NotFound("user"))));
    assert!(matches!(db.set_plan(UserId(99), None).await, Err(StoreError::NotFound("user"))));
}

async fn who_is_shut_out_loses_every_session(bench: Bench) {
    let db = bench.db(AURORA);
    for (id, whose) in [(1, 1), (2, 1), (3, 2)] {
        let session = crate::people::session(id, 1_000);
        db.create_session(&Session { user: UserId(whose), ..session }).await.unwrap();
    }
    let open = async |id: u8| db.session(TokenHash([id; 32]), Millis(0)).await.unwrap().is_some();
    assert!(db.change_standing(UserId(1), Standing::Status(UserStatus::Suspended), "owner").await.unwrap());
    assert_eq!([open(1).await, open(2).await, open(3).await], [false, false, true]);
    assert_eq!(db.user(UserId(1)).await.unwrap().status, UserStatus::Suspended);
}

async fn others_stay_apart(bench: Bench) {
    let (here, there) = (bench.db(AURORA), bench.db(BOREALIS));
    let before = there.user(UserId(1)).await.unwrap();
    here.change_standing(UserId(1), Standing::Role("risk"), "owner").await.unwrap();
    here.set_plan(UserId(1), Some("desk")).await.unwrap();
    assert_eq!(here.user(UserId(1)).await.unwrap().plan.as_deref(), Some("desk"));
    assert_eq!(there.user(UserId(1)).await.unwrap(), before);
}
