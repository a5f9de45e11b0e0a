//! A second factor as somebody sets it up on the pages and as an owner takes it away, and what is recorded of it.

use super::world::{AURORA, World};
use crate::{
    audit::Act,
    identity::factors::totp,
    mail::MailKind,
    testing::{queued, vault},
};
use poem::http::Method;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_recorded_when_it_comes_and_when_it_is_taken_away() {
    let world = World::start().await;
    let (ann, owner) = (world.person(AURORA, "ann").await, world.person(AURORA, "owner").await);
    let (db, id) = (world.tenant(AURORA).await, ann.user().await);
    let send = async |path: &str, form: &[(&str, &str)]| ann.page(Method::POST, path, form).await.status().as_u16();
    let reset = format!("/admin/people/{id}/reset-factor");
    let take_away = async || owner.page(Method::POST, &reset, &[]).await.status().as_u16();
    assert_eq!(send("/security/codes", &[]).await, 303, "who has no second factor gets no codes");
    assert_eq!(ann.page(Method::GET, "/security/app", &[]).await.status(), 200);
    let keys = vault().of(&db).await.unwrap();
    let app = totp::waiting(&db, &keys, id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(send("/security/app", &[("code", "000000x")]).await, 422);
    assert_eq!(take_away().await, 409, "there is none yet");
    for act in [Act::SecondFactorAdded, Act::BackupCodesMade, Act::SecondFactorReset] {
        assert_eq!(world.recorded(AURORA, act).await, [""; 0], "{act}");
    }
    let told = async || queued(&db, MailKind::WayInChanged).await;
    assert_eq!(told().await, [""; 0]);

    let code = app.code_at(app.created_at);
    assert_eq!(send("/security/app", &[("code", code.as_str())]).await, 200, "it shows the codes that came with it");
    assert_eq!(told().await, ["ann@x.example"], "its owner reads that it came");
    assert_eq!(send("/security/codes", &[]).await, 200);
    assert_eq!(told().await, ["ann@x.example"; 2], "and that there are new codes");
    for act in [Act::SecondFactorAdded, Act::BackupCodesMade] {
        assert_eq!(world.recorded(AURORA, act).await, [format!("person ann@x.example: {id}")], "{act}");
    }
    assert_eq!((take_away().await, take_away().await), (303, 409));
    assert_eq!(told().await, ["ann@x.example"; 3], "and that it was taken away, once");
    assert_eq!(world.recorded(AURORA, Act::SecondFactorReset).await, [format!("person owner@x.example: {id}")]);
    assert_eq!(ann.get("/accounts").await.status, 401, "and signs its owner out");
}
