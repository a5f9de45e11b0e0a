//! What an issuer, or somebody between, could try. Each row is one lie of an otherwise good issuer; none gives a person,
//! and nothing inside is asked.

use super::{
    Refused,
    answer::Answer,
    client::{Client, Proof},
    issuer::{CLIENT, Issuer, Lie, SECRET, Signed},
    provider::{Known, Providers},
};
use crate::{
    outbound::{Outbound, OutboundError, Reach},
    secrets::Secret,
    testing::NOON,
};
use marque_domain::{id::TenantId, time::Millis};
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpListener;

const T: TenantId = TenantId(1);
const BACK: &str = "https://aurora.example/sso/acme/callback";

fn providers() -> Providers {
    Providers::new(Outbound::new(Reach::Loopback))
}

fn client(issuer: &Issuer) -> Client {
    Client {
        issuer: issuer.url.clone(),
        client_id: CLIENT.to_owned(),
        proof: Proof::Shared(Secret::new(SECRET.to_owned())),
        scopes: &["email", "profile"],
        form_post: false,
    }
}

fn answer(code: &str, state: &str, iss: Option<&str>) -> Answer {
    Answer { state: state.to_owned(), code: Some(code.to_owned()), iss: iss.map(str::to_owned), ..Answer::default() }
}

/// A whole sign-in with a fresh memory of issuers.
async fn sign_in(issuer: &Issuer) -> Result<Known, Refused> {
    come(issuer, None).await
}

/// The same of somebody whom the issuer was told to ask anew.
async fn come(issuer: &Issuer, asked_at: Option<Millis>) -> Result<Known, Refused> {
    let (providers, client) = (providers(), client(issuer));
    let begun = providers.begin(T, &client, BACK, asked_at).await?;
    let (code, state) = issuer.authorize(&begun.url);
    assert_eq!(state, begun.state.expose());
    providers.finish(T, &client, &begun.hidden, &answer(&code, &state, Some(&issuer.url)), NOON).await
}

#[tokio::test]
async fn a_good_issuer_is_believed() {
    let issuer = Issuer::start().await;
    let known = sign_in(&issuer).await.unwrap();
    assert_eq!((known.issuer.as_str(), known.subject.as_str()), (issuer.url.as_str(), "ann-at-the-issuer"));
    assert_eq!((known.email.as_deref(), known.email_verified), (Some("ann@x.example"), true));
    assert_eq!(known.name.as_deref(), Some("Ann Lee"));
}

#[tokio::test]
async fn what_an_issuer_is_asked() {
    let issuer = Issuer::start().await;
    let query = async |form_post, asked_at| {
        let client = Client { form_post, ..client(&issuer) };
        let begun = providers().begin(T, &client, BACK, asked_at).await.unwrap();
        let url = reqwest::Url::parse(&begun.url).unwrap();
        assert!(begun.url.starts_with(&format!("{}/authorize?", issuer.url)));
        url.query_pairs().into_owned().collect::<std::collections::BTreeMap<_, _>>()
    };
    let (asked, again, form) = (query(false, None).await, query(false, None).await, query(true, None).await);
    let anew = query(false, Some(NOON)).await;
    assert_eq!((anew["prompt"].as_str(), anew["max_age"].as_str()), ("login", "0"));
    assert!(!asked.contains_key("prompt") && !asked.contains_key("max_age"), "{asked:?}");
    assert_eq!((asked["redirect_uri"].as_str(), asked["scope"].as_str()), (BACK, "openid email profile"));
    assert_eq!((asked.get("response_mode"), form["response_mode"].as_str()), (None, "form_post"));
    for fresh in ["state", "nonce", "code_challenge"] {
        assert!(asked[fresh].len() == 43 && asked[fresh] != again[fresh], "{fresh}");
    }
}

#[tokio::test]
async fn no_lie_of_a_token_is_believed() {
    type Row = (&'static str, fn(&mut serde_json::Value), fn(&Refused) -> bool);
    let token = |refused: &Refused| matches!(refused, Refused::Token(_));
    let table: &[Row] = &[
        ("iss: another", |c| c["iss"] = json!("https://evil.example"), token),
        ("iss: with a slash", |c| c["iss"] = json!(format!("{}/", c["iss"].as_str().unwrap())), token),
        ("iss: none", |c| drop(c.as_object_mut().unwrap().remove("iss")), |_| true),
        ("aud: another", |c| c["aud"] = json!("another-client"), token),
        ("aud: another too", |c| c["aud"] = json!([CLIENT, "another-client"]), token),
        ("aud: empty", |c| c["aud"] = json!([]), token),
        ("aud: none", |c| drop(c.as_object_mut().unwrap().remove("aud")), |_| true),
        ("azp: another", |c| c["azp"] = json!("another-client"), |r| matches!(r, Refused::OtherClient)),
        ("nonce: another", |c| c["nonce"] = json!("x"), token),
        ("nonce: none", |c| drop(c.as_object_mut().unwrap().remove("nonce")), token),
        ("exp: past", |c| c["exp"] = json!(NOON.0 / 1_000 - 1), token),
        ("exp: this very second", |c| c["exp"] = json!(NOON.0 / 1_000), token),
        ("exp: none", |c| drop(c.as_object_mut().unwrap().remove("exp")), |_| true),
        ("iat: yesterday", |c| c["iat"] = json!(NOON.0 / 1_000 - 86_400), |r| matches!(r, Refused::Stale)),
        ("iat: tomorrow", |c| c["iat"] = json!(NOON.0 / 1_000 + 86_400), |r| matches!(r, Refused::Stale)),
        ("at_hash: another", |c| c["at_hash"] = json!("x"), |r| matches!(r, Refused::AccessToken)),
        ("sub: empty", |c| c["sub"] = json!(""), |r| matches!(r, Refused::Subject)),
        ("sub: long", |c| c["sub"] = json!("x".repeat(256)), |r| matches!(r, Refused::Subject)),
        ("sub: none", |c| drop(c.as_object_mut().unwrap().remove("sub")), |_| true),
        // The address is asked for at the issuer; what it says there of somebody else does not count.
        ("no mail", |c| drop(c.as_object_mut().unwrap().remove("email")), |r| matches!(r, Refused::UserInfo)),
    ];
    let issuer = Issuer::start().await;
    for (name, claims, expected) in table {
        issuer.lies(Lie { claims: *claims, user_info: |c| c["sub"] = json!("somebody else"), ..Lie::NONE });
        let refused = sign_in(&issuer).await.err().unwrap_or_else(|| panic!("{name} was believed"));
        assert!(expected(&refused), "{name}: {refused}");
        issuer.lies(Lie::NONE);
        assert!(sign_in(&issuer).await.is_ok(), "{name}");
    }
}

/// Whoever sits before a browser that was left open is known to the issuer too.
#[tokio::test]
async fn who_was_to_be_asked_anew_was() {
    let issuer = Issuer::start().await;
    // What the issuer says of when, whether that is good enough, and how long ago it was.
    type Row = (&'static str, fn(&mut serde_json::Value), bool, Option<i64>);
    let table: &[Row] = &[
        ("just now", |_| {}, true, Some(0)),
        ("a minute ago, by another clock", |c| c["auth_time"] = json!(NOON.0 / 1_000 - 60), true, Some(60_000)),
        ("an hour ago", |c| c["auth_time"] = json!(NOON.0 / 1_000 - 3_600), false, Some(3_600_000)),
        ("in an hour", |c| c["auth_time"] = json!(NOON.0 / 1_000 + 3_600), false, Some(-3_600_000)),
        ("nothing", |c| drop(c.as_object_mut().unwrap().remove("auth_time")), false, None),
    ];
    for (name, claims, good, ago_ms) in table {
        issuer.lies(Lie { claims: *claims, ..Lie::NONE });
        let asked = come(&issuer, Some(NOON)).await;
        assert_eq!(asked.is_ok(), *good, "{name}");
        assert!(*good || matches!(asked, Err(Refused::NotAsked)), "{name}");
        // Who only signs in may have been known already; then that is what counts.
        let known = sign_in(&issuer).await.unwrap();
        let shown = known.shown_at.map(|at| NOON.since(at));
        assert_eq!(shown, ago_ms.filter(|ms| *ms != 0), "{name}: it says so only when told to");
    }
}

#[tokio::test]
async fn no_signature_but_the_issuers_counts() {
    let issuer = Issuer::start().await;
    for signed in [Signed::Not, Signed::WithSecret, Signed::WithPublicKey, Signed::ByAnother] {
        issuer.lies(Lie { signed, ..Lie::NONE });
        assert!(matches!(sign_in(&issuer).await, Err(Refused::Token(_))), "{signed:?}");
    }
}

#[tokio::test]
async fn a_code_counts_once_and_only_with_its_verifier() {
    let issuer = Issuer::start().await;
    let (providers, client) = (providers(), client(&issuer));
    let begun = providers.begin(T, &client, BACK, None).await.unwrap();
    let (code, state) = issuer.authorize(&begun.url);
    let answer = answer(&code, &state, Some(&issuer.url));
    assert!(providers.finish(T, &client, &begun.hidden, &answer, NOON).await.is_ok());
    let replayed = providers.finish(T, &client, &begun.hidden, &answer, NOON).await;
    assert!(matches!(replayed, Err(Refused::Exchange)));

    // A code of another's attempt, put into one's own: the verifier does not fit it.
    let (victim, mine) = (
        providers.begin(T, &client, BACK, None).await.unwrap(),
        providers.begin(T, &client, BACK, None).await.unwrap(),
    );
    let (stolen, _) = issuer.authorize(&victim.url);
    let injected = self::answer(&stolen, &mine.state.expose(), Some(&issuer.url));
    let result = providers.finish(T, &client, &mine.hidden, &injected, NOON).await;
    assert!(matches!(result, Err(Refused::Exchange)));
}

#[tokio::test]
async fn an_answer_of_another_issuer_goes_nowhere() {
    let (honest, evil) = (Issuer::start().await, Issuer::start().await);
    let providers = providers();
    let (ours, theirs) = (client(&honest), client(&evil));
    // The mix-up: the browser believes it talks to one, the answer is the other's.
    let begun = providers.begin(T, &theirs, BACK, None).await.unwrap();
    let asked_honest = providers.begin(T, &ours, BACK, None).await.unwrap();
    let (code, _) = honest.authorize(&asked_honest.url);
    for iss in [Some(honest.url.as_str()), Some("https://evil.example"), Some(""), None] {
        let answer = answer(&code, &begun.state.expose(), iss);
        let result = providers.finish(T, &theirs, &begun.hidden, &answer, NOON).await;
        assert!(matches!(result, Err(Refused::OtherIssuer)), "{iss:?}");
    }
    assert_eq!(evil.exchanges(), 0, "the code never reached the other issuer");
    // What was begun with one issuer is not finished with another, even by the same connection.
    let answer = answer(&code, &begun.state.expose(), Some(&honest.url));
    let result = providers.finish(T, &ours, &begun.hidden, &answer, NOON).await;
    assert!(matches!(result, Err(Refused::OtherIssuer)));
    assert_eq!(honest.exchanges(), 0);
}

#[tokio::test]
async fn who_declines_is_not_signed_in() {
    let issuer = Issuer::start().await;
    let (providers, client) = (providers(), client(&issuer));
    let begun = providers.begin(T, &client, BACK, None).await.unwrap();
    let (code, state) = issuer.authorize(&begun.url);
    let answer = Answer { error: Some("access_denied\r\n<b>".to_owned()), ..answer(&code, &state, Some(&issuer.url)) };
    let refused = providers.finish(T, &client, &begun.hidden, &answer, NOON).await.unwrap_err();
    assert_eq!(refused.to_string(), "the issuer declined: access_denied<b>");
    assert_eq!(issuer.exchanges(), 0);
}

#[tokio::test]
async fn an_issuers_document_leads_nowhere_inside() {
    // Another loopback address stands for our own network: the tests' setting does not open it.
    let inside = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let issuer = Issuer::start().await;
    let places = [
        format!("http://127.0.0.2:{port}/"),
        format!("https://127.0.0.2:{port}/"),
        format!("https://[::ffff:127.0.0.2]:{port}/"),
        "https://10.0.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "http://accounts.example/".to_owned(),
        "https://ann:pw@accounts.example/".to_owned(),
        "ftp://accounts.example/".to_owned(),
    ];
    static PLACE: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());
    let members: [fn(&mut serde_json::Value); 5] = [
        |d| d["authorization_endpoint"] = json!(*PLACE.lock().unwrap()),
        |d| d["token_endpoint"] = json!(*PLACE.lock().unwrap()),
        |d| d["jwks_uri"] = json!(*PLACE.lock().unwrap()),
        |d| d["userinfo_endpoint"] = json!(*PLACE.lock().unwrap()),
        |d| d["redirect"] = json!(*PLACE.lock().unwrap()),
    ];
    for to in &places {
        PLACE.lock().unwrap().clone_from(to);
        for (number, discovery) in members.into_iter().enumerate() {
            issuer.lies(Lie { discovery, ..Lie::NONE });
            let refused = sign_in(&issuer).await.err();
            assert!(matches!(refused, Some(Refused::Outbound(_))), "{number} {to}: {refused:?}");
        }
    }
    // An issuer that is itself inside.
    for to in &places {
        let client = Client { issuer: to.clone(), ..client(&issuer) };
        let refused = providers().begin(T, &client, BACK, None).await.err();
        assert!(matches!(refused, Some(Refused::Outbound(_))), "{to}: {refused:?}");
    }
    let knocked = tokio::time::timeout(Duration::from_millis(50), inside.accept()).await;
    assert!(knocked.is_err(), "somebody asked inside");
}

#[tokio::test]
async fn giants_and_redirects_of_the_token_endpoint() {
    let issuer = Issuer::start().await;
    issuer.lies(Lie { token: Some(|| poem::Response::builder().body(vec![b' '; 4 << 20])), ..Lie::NONE });
    assert!(matches!(sign_in(&issuer).await, Err(Refused::Outbound(OutboundError::TooLarge(_)))));
    let away = || {
        poem::Response::builder()
            .status(poem::http::StatusCode::TEMPORARY_REDIRECT)
            .header("location", "/jwks")
            .finish()
    };
    issuer.lies(Lie { token: Some(away), ..Lie::NONE });
    assert!(matches!(sign_in(&issuer).await, Err(Refused::Outbound(OutboundError::Redirected(_)))));
    issuer.lies(Lie {
        discovery: |d| d["jwks_uri"] = json!(format!("{}/giant", d["issuer"].as_str().unwrap())),
        ..Lie::NONE
    });
    assert!(matches!(sign_in(&issuer).await, Err(Refused::Outbound(OutboundError::TooLarge(_)))));
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_taken() {
    let issuer = Issuer::start().await;
    let lies: [fn(&mut serde_json::Value); 4] = [
        |d| d["issuer"] = json!("https://accounts.google.com"),
        |d| d["issuer"] = json!(format!("{}/", d["issuer"].as_str().unwrap())),
        |d| drop(d.as_object_mut().unwrap().remove("issuer")),
        |d| drop(d.as_object_mut().unwrap().remove("token_endpoint")),
    ];
    for discovery in lies {
        issuer.lies(Lie { discovery, ..Lie::NONE });
        assert!(matches!(sign_in(&issuer).await, Err(Refused::Discovery(_))));
    }
}

#[tokio::test]
async fn the_address_may_come_from_user_info() {
    let issuer = Issuer::start().await;
    issuer.lies(Lie { claims: |c| drop(c.as_object_mut().unwrap().remove("email")), ..Lie::NONE });
    let known = sign_in(&issuer).await.unwrap();
    assert_eq!((known.email.as_deref(), known.email_verified), (Some("from-user-info@x.example"), true));
    // Never half from here and half from there.
    issuer.lies(Lie {
        claims: |c| drop(c.as_object_mut().unwrap().remove("email")),
        user_info: |c| drop(c.as_object_mut().unwrap().remove("email_verified")),
        ..Lie::NONE
    });
    assert!(!sign_in(&issuer).await.unwrap().email_verified);
}
