//! Who registers with somebody else's address keeps no way into the account once its owner comes.

use super::*;
use crate::identity::factors::{confirm_app, totp};
use marque_store::{SsoConnection, SsoIdentity, TenantDb};

const ISSUER: &str = "https://issuer.example";

async fn connection(db: &TenantDb, now: Millis) {
    let connection = SsoConnection {
        id: 7,
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        preset: "oidc".to_owned(),
        issuer: ISSUER.to_owned(),
        client_id: "client".to_owned(),
        secret: vec![1],
        settings: r#"{"join":"anyone"}"#.to_owned(),
        domains: Vec::new(),
        enabled: false,
        created_at: now,
        updated_at: now,
    };
    db.create_sso_connection(&connection).await.unwrap();
}

/// Sets up an app and an identity at another site, as whoever is signed in can.
async fn settle(world: &World, user: UserId) {
    let (db, now) = (world.visit.tenant.db(), world.now());
    let keys = world.identity.vault().of(db).await.unwrap();
    totp::begin(db, &keys, user, now).await.unwrap();
    let app = totp::waiting(db, &keys, user).await.unwrap().unwrap();
    assert!(confirm_app(db, &keys, user, &app.code_at(now), now).await.unwrap().is_some());
    let identity = SsoIdentity {
        issuer: ISSUER.to_owned(),
        subject: user.to_string(),
        user,
        connection: 7,
        email: "settler@x.example".to_owned(),
        created_at: now,
        last_used_at: now,
    };
    db.link_sso_identity(&identity).await.unwrap();
}

#[tokio::test]
async fn who_settles_in_somebody_elses_address_is_out_when_its_owner_comes() {
    let mut world = World::new().await;
    let db = world.visit.tenant.db().clone();
    connection(&db, world.now()).await;
    // Nobody has shown that the first address is theirs; the second one's owner has.
    world.register("ann@x.example", GOOD).await.unwrap();
    let (ann, bob) = (world.person("ann@x.example").await.unwrap(), world.add("bob@x.example").await);
    for user in [ann.id, bob.id] {
        settle(&world, user).await;
    }
    world.letters().await;
    for (person, kept) in [(&ann, 0), (&bob, 1)] {
        world.identity.ask_reset(&world.visit, &person.email).await.unwrap();
        let token = world.letters().await.remove(0).token.unwrap();
        world.identity.reset_password(&world.visit, &token, Secret::new(BETTER.to_owned())).await.unwrap();
        world.letters().await;
        assert!(world.opens(&person.email, BETTER).await, "{}", person.email);
        assert_eq!(db.second_factors(person.id).await.unwrap().are_on(), kept == 1, "{}", person.email);
        assert_eq!(db.sso_identities_of(person.id).await.unwrap().len(), kept, "{}", person.email);
    }
    assert_eq!(world.recorded(Act::SecondFactorReset).await, [format!("person ann@x.example: {}", ann.id)]);
    assert_eq!(world.recorded(Act::SsoUnlinked).await, [format!("person ann@x.example: {ISSUER}")]);
}
