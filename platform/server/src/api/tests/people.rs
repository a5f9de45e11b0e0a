//! What those who run a brand decide about its people, by the forms of their pages.

use super::world::{AURORA, BOREALIS, Person, World};
use crate::{audit::Act, identity::Role};
use poem::http::Method;

async fn send(who: &Person<'_>, whom: &str, what: &str, form: &[(&str, &str)]) -> u16 {
    let path = format!("/admin/people/{whom}{what}");
    who.page(Method::POST, &path, form).await.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_shut_out_is_out_at_once_and_can_be_let_in_again() {
    let world = World::start().await;
    let owner = world.person(AURORA, "owner").await;
    let (bob, again) = (world.person(AURORA, "bob").await, world.person(AURORA, "bob").await);
    let same_name = world.person(BOREALIS, "bob").await;
    let id = bob.user().await;
    assert_eq!(send(&owner, &id, "/suspend", &[]).await, 303);
    for session in [&bob, &again] {
        assert_eq!(session.get("/accounts").await.refusal(), (401, "sign-in-required"));
    }
    assert_eq!(world.try_sign_in(AURORA, "bob").await, 403);
    assert_eq!(same_name.get("/accounts").await.status, 200, "the person of that address at another brand stays");
    assert_eq!(send(&owner, &id, "/reinstate", &[]).await, 303);
    assert_eq!(bob.get("/accounts").await.status, 401, "what ended does not come back");
    assert_eq!(world.try_sign_in(AURORA, "bob").await, 303);
    for act in [Act::PersonSuspended, Act::PersonRestored] {
        assert_eq!(world.recorded(AURORA, act).await, [format!("person owner@x.example: {id}")], "{act}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_about_whom_they_do_not_govern() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for role in Role::ALL {
        let name = if *role == Role::Trader { "ann" } else { role.name() };
        ids.push((*role, world.person(AURORA, name).await.user().await));
    }
    let before = world.people(AURORA).await;
    for role in Role::ALL {
        let name = if *role == Role::Trader { "bob" } else { role.name() };
        let who = world.person(AURORA, name).await;
        let own = who.user().await;
        for (other, id) in &ids {
            // What an owner or admin may do is tried below.
            if role.governs(*other) && own != *id {
                continue;
            }
            for (what, form) in
                [("", &[("role", "owner")][..]), ("/suspend", &[]), ("/reinstate", &[]), ("/reset-factor", &[])]
            {
                assert_eq!(send(&who, id, what, form).await, 403, "{role} decided about {other}: {what}");
            }
        }
    }
    // An admin makes nobody an admin or an owner.
    let admin = world.person(AURORA, "admin").await;
    for role in ["admin", "owner"] {
        assert_eq!(send(&admin, &ids[0].1, "", &[("role", role)]).await, 403);
    }
    for form in [&[("role", "emperor")][..], &[("role", "trader"), ("plan", "free for ever")]] {
        assert_eq!(send(&admin, &ids[0].1, "", form).await, 422);
    }
    assert_eq!(world.people(AURORA).await, before, "nothing moved");
    assert_eq!(world.recorded(AURORA, Act::RoleChanged).await, [""; 0]);
    assert_eq!(send(&admin, &ids[0].1, "", &[("role", "risk"), ("plan", "plus")]).await, 303);
    for act in [Act::RoleChanged, Act::PlanChanged] {
        assert_eq!(world.recorded(AURORA, act).await, [format!("person admin@x.example: {}", ids[0].1)], "{act}");
    }
    let ann = world.people(AURORA).await.into_iter().find(|user| user.id.to_string() == ids[0].1).unwrap();
    assert_eq!((ann.role.as_str(), ann.plan.as_deref()), ("risk", Some("plus")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_keeps_an_owner() {
    let world = World::start().await;
    let owner = world.person(AURORA, "owner").await;
    let admin = world.person(AURORA, "admin").await;
    let (own, second) = (owner.user().await, admin.user().await);
    assert_eq!(send(&owner, &second, "", &[("role", "owner")]).await, 303);
    // Now there are two: each may take it from the other, but not both.
    assert_eq!(send(&admin, &own, "", &[("role", "trader")]).await, 303);
    assert_eq!(send(&owner, &second, "", &[("role", "trader")]).await, 403, "who was an owner is none any more");
    assert_eq!(send(&admin, &second, "", &[("role", "trader")]).await, 403, "nobody decides about themselves");
    let owners = world.people(AURORA).await.into_iter().filter(|user| user.role == "owner").count();
    assert_eq!(owners, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_listed_and_found_by_who_may_see_them() {
    let world = World::start().await;
    let support = world.person(AURORA, "support").await;
    let page = async |query: &str| {
        let answer = support.page(Method::GET, &format!("/admin/people{query}"), &[]).await;
        assert_eq!(answer.status(), 200, "{query}");
        answer.text().await.unwrap()
    };
    let all = page("").await;
    assert!(all.contains("ann@x.example") && all.contains("owner@x.example"));
    let found = page("?q=ANN%40&role=&status=").await;
    assert!(found.contains("ann@x.example") && !found.contains("owner@x.example"));
    assert!(page("?q=%25").await.contains("Nobody is like that"), "a sign of a pattern is itself");
    assert!(page("?status=suspended").await.contains("Nobody is like that"));
    let hostile = page("?q=%22%3E%3Cscript%3E&role=%3Cb%3E&status='").await;
    assert!(!hostile.contains("<script>") && !hostile.contains("<b>"));
    // Support looks and has no forms.
    let ann = world.person(AURORA, "ann").await.user().await;
    let person = page(&format!("/{ann}")).await;
    assert!(person.contains("ann@x.example") && !person.contains("/suspend"));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_asked_in_once_and_comes_in_by_their_own_password_alone() {
    let world = World::start().await;
    let (owner, admin) = (world.person(AURORA, "owner").await, world.person(AURORA, "admin").await);
    let form = [("email", "zoe@x.example"), ("name", "Zoe"), ("role", "risk"), ("plan", "")];
    assert_eq!(send(&admin, "invite", "", &form).await, 303);
    let zoe = world.people(AURORA).await.into_iter().find(|user| user.email == "zoe@x.example").unwrap();
    assert_eq!((zoe.role.as_str(), zoe.password_hash.expose(), zoe.email_verified_at), ("risk", "", None));
    assert_eq!(world.try_sign_in(AURORA, "zoe").await, 401, "nobody has a password for her yet");
    assert!(world.people(BOREALIS).await.iter().all(|user| user.email != "zoe@x.example"));

    assert_eq!(send(&owner, "invite", "", &form).await, 409, "not twice");
    assert_eq!(send(&owner, &zoe.id.to_string(), "/invite", &[]).await, 303, "but another mail may go out");
    let has_password = world.person(AURORA, "ann").await.user().await;
    assert_eq!(send(&owner, &has_password, "/invite", &[]).await, 409);
    for (field, value, status) in
        [("email", "zoe", 422), ("name", "", 422), ("role", "emperor", 422), ("plan", "x", 422)]
    {
        let wrong: Vec<_> =
            form.iter().map(|(name, kept)| (*name, if *name == field { value } else { kept })).collect();
        assert_eq!(send(&owner, "invite", "", &wrong).await, status, "{field}");
    }
    // An admin asks nobody in who would be above them, and a line break in a name goes nowhere.
    let above: Vec<_> = form.iter().map(|(n, v)| (*n, if *n == "role" { "owner" } else { v })).collect();
    assert_eq!(send(&admin, "invite", "", &above).await, 403);
    let split = [("email", "b@x.example"), ("name", "B\r\nBcc: c@x.example"), ("role", "trader"), ("plan", "")];
    assert_eq!(send(&owner, "invite", "", &split).await, 422);
    assert_eq!(world.recorded(AURORA, Act::PersonInvited).await.len(), 2);
}
