//! An issuer that is as Apple: it wants a signed secret in the body of an exchange, has no user info, and writes
//! booleans as strings.

use super::world::{AURORA, World, refused};
use crate::{
    secrets::Secret,
    sso::{
        client::signing_key,
        connection::{Join, Settings, place},
        issuer::{self, CLIENT, Lie},
    },
    testing::NOON,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use marque_store::SsoConnection;
use serde_json::{Value, json};

const ID: i64 = 3;
const TEAM: &str = "TEAM123";
const KEY: &str = "KEY123";

fn pem() -> Secret {
    let der = STANDARD.encode(issuer::key(7));
    Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n"))
}

/// What Apple says of itself, where that is not what others say.
fn about(document: &mut Value) {
    document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    document.as_object_mut().unwrap().remove("userinfo_endpoint");
}

/// A world with the connection `apple`, whose issuer writes this into its tokens.
async fn world(claims: fn(&mut Value)) -> World {
    let world = World::start().await;
    world.issuer.reads_bodies();
    world.issuer.lies(Lie { claims, discovery: about, ..Lie::NONE });
    let db = world.db(AURORA).await;
    let keys = world.identity.vault().of(&db).await.unwrap();
    let settings = Settings { join: Join::Anyone, team: TEAM.to_owned(), key: KEY.to_owned(), form_post: false };
    let apple = SsoConnection {
        preset: "apple".to_owned(),
        secret: keys.seal(&place(ID), pem().expose().as_bytes()).unwrap(),
        settings: serde_json::to_string(&settings).unwrap(),
        ..world.connection(AURORA, ID, "apple").await
    };
    db.create_sso_connection(&apple).await.unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_shown_a_signature_in_the_body_and_no_header() {
    let world = world(|_| {}).await;
    assert_eq!(world.browser(AURORA).by_sso("apple").await.status(), 303);
    let asked = world.issuer.last_exchange();
    assert_eq!((asked.authorization.as_str(), asked.form["client_id"].as_str()), ("", CLIENT));

    let secret = &asked.form["client_secret"];
    let header = jsonwebtoken::decode_header(secret).unwrap();
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::ES256, Some(KEY)));
    let public = Jwk::from_encoding_key(&signing_key(&pem()).unwrap(), Algorithm::ES256).unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&["https://appleid.apple.com"]);
    // It is noon in the test, whatever the time is.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(secret, &DecodingKey::from_jwk(&public).unwrap(), &rules);
    let claims = claims.expect("it is signed with the connection's key, for Apple").claims;
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(TEAM), &json!(CLIENT)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOON.0 / 1_000), &json!(NOON.0 / 1_000 + 300)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verified_address_may_be_one_in_words() {
    let world = world(|claims| claims["email_verified"] = json!("false")).await;
    let unverified = world.browser(AURORA).by_sso("apple").await;
    refused(unverified, 403, "has not verified your e-mail address").await;
    world.issuer.lies(Lie { claims: |claims| claims["email_verified"] = json!("true"), discovery: about, ..Lie::NONE });
    let mut ann = world.browser(AURORA);
    assert_eq!(ann.by_sso("apple").await.status(), 303);
    assert_eq!(ann.who().await.as_deref(), Some("ann@x.example"));
}
