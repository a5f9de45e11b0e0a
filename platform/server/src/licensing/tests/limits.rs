//! How often a key may ask: what the vendor says, within what the platform says.

use super::{
    super::manage::PolicyWish,
    world::{AURORA, World, raw},
};

fn wish(most: u32) -> PolicyWish {
    PolicyWish { requests_per_minute: Some(most), ..PolicyWish::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_bounds_how_often_a_key_asks() {
    let world = World::start().await;
    let (given, other) = (world.licence(AURORA, wish(3)).await, world.licence(AURORA, wish(3)).await);
    let mut ea = given.ea("5001", 1);
    let taken = ea.activate(&world.node).await;
    assert_eq!(taken.code(), "VALID");
    let [policy, left] = &taken.limits;
    assert!(policy.starts_with("\"ea-licence\";q=3;w=60, \"ea-key\";q=1000000;w=60, "), "{policy}");
    assert!(left.starts_with("\"ea-licence\";r=2;t=60, \"ea-key\";r=999999;t=60, "), "{left}");
    // Who only knows what the key is called uses nothing of it up.
    let body = serde_json::to_vec(&ea.request("validate", serde_json::json!({}))).unwrap();
    let forged = format!("kid={}, hmac-sha256={}", ea.kid("validate"), "0".repeat(64));
    for _ in 0..5 {
        assert_eq!(raw(&world.node, AURORA, "validate", &forged, body.clone()).await.code(), "signature-refused");
    }
    for _ in 0..2 {
        assert_eq!(ea.ask(&world.node, "validate").await.code(), "VALID");
    }
    let often = ea.ask(&world.node, "validate").await;
    assert_eq!((often.status, often.code(), often.retry_after.as_deref()), (429, "too-many-requests", Some("60")));
    assert_eq!(often.limits, ["\"ea-licence\";q=3;w=60", "\"ea-licence\";r=0;t=60"]);
    // Every key has its own, and it comes back.
    assert_eq!(other.ea("5002", 2).activate(&world.node).await.code(), "VALID");
    world.time.pass_s(60);
    assert_eq!(ea.ask(&world.node, "validate").await.code(), "VALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_own_limit_holds_in_any_case() {
    let world = World::start().await;
    let given = world.licence(AURORA, wish(3)).await;
    let (strict, mut ea) = (world.strict(2).await, given.ea("5001", 1));
    let taken = ea.activate(&strict).await;
    assert!(taken.limits[0].starts_with("\"ea-key\";q=2;w=60, "), "{:?}", taken.limits);
    assert_eq!(ea.ask(&strict, "validate").await.code(), "VALID");
    let often = ea.ask(&strict, "validate").await;
    assert_eq!(often.status, 429);
    assert!(often.limits[1].starts_with("\"ea-key\";r=0;t=60, "), "{:?}", often.limits);
}

#[test]
fn a_limit_that_would_cut_an_ea_off_is_none() {
    for (most, good) in [(0, false), (2, false), (3, true), (10_000_000, true), (10_000_001, false)] {
        assert_eq!(wish(most).terms().is_ok(), good, "{most}");
    }
    assert_eq!(PolicyWish::default().terms().unwrap().requests_per_minute, None);
    // Policies from before there was such a limit.
    let mut stored = serde_json::to_value(wish(3).terms().unwrap()).unwrap();
    stored.as_object_mut().unwrap().remove("requests_per_minute");
    assert_eq!(serde_json::from_value::<marque_store::PolicyTerms>(stored).unwrap().requests_per_minute, None);
}
