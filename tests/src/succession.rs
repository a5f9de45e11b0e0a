//! A deployment is upgraded and rolled back while the server is killed: what was acknowledged is there, and there is
//! never anything between two versions.

use crate::visitor::{Credentials, demo_password, sign_in};
use marque_testkit::site::{Running, Site, workspace};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

const HOST: &str = "aurora.localhost";
/// How often the server is killed.
const KILLS: u64 = 12;

/// Whoever owns the deployment.
struct Owner {
    credentials: Credentials,
    deployment: String,
}

impl Owner {
    async fn get(&self, server: &Running, path: &str) -> Value {
        let client = server.client(HOST).expect("a client");
        let cookie = format!("__Host-marque={}", self.credentials.session);
        let url = server.url(HOST, &format!("/api/v1{path}"));
        let answer = client.get(url).header("cookie", cookie).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    /// Asks for a change; answers the status, if there was an answer.
    async fn ask(&self, server: &Running, act: &str, key: &str, body: Option<Value>) -> Option<u16> {
        self.post(server, &format!("/deployments/{}/{act}", self.deployment), key, body).await
    }

    async fn post(&self, server: &Running, path: &str, key: &str, body: Option<Value>) -> Option<u16> {
        let client = server.client(HOST).expect("a client");
        let url = server.url(HOST, &format!("/api/v1{path}"));
        let cookie = format!("__Host-marque={}", self.credentials.session);
        let request = client.post(url).header("cookie", cookie).header("idempotency-key", key);
        let request = request.header("x-csrf-token", &self.credentials.csrf);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Some(request.send().await.ok()?.status().as_u16())
    }

    async fn versions(&self, server: &Running) -> Value {
        self.get(server, &format!("/deployments/{}/versions", self.deployment)).await
    }
}

/// The EMA cross of this workspace under another version: the same code in other bytes.
fn another_version(site: &Site) -> PathBuf {
    let target = marque_testkit::site::binary().ancestors().nth(2).expect("a binary lies in target/<profile>");
    let built = marque_pluginbuild::build(&workspace(), &target.join("plugins")).expect("the plugins must build");
    let ema = built.into_iter().find(|plugin| plugin.name == "ema-cross").expect("the EMA cross");
    let mut bytes = std::fs::read(ema.path).expect("a component");
    let places: Vec<usize> = (0..bytes.len() - 5).filter(|at| bytes[*at..].starts_with(b"0.1.0")).collect();
    assert!(!places.is_empty(), "the component does not say its version in one piece");
    places.iter().for_each(|at| bytes[*at..*at + 5].copy_from_slice(b"0.2.0"));
    let file = site.data().join("ema-cross-2.wasm");
    std::fs::write(&file, bytes).expect("a file");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_change_of_version_outlives_the_server() {
    let site = Site::seeded().with("MARQUE_LOG_FILTER", "error,marque::audit=off");
    site.succeeds(&["plugin", "add", "aurora", &another_version(&site).display().to_string()]);
    let password = demo_password(&site);
    let server = site.serve().await;
    let credentials = sign_in(&server, HOST, "trader@aurora.example", &password).await;
    let mut owner = Owner { credentials, deployment: String::new() };
    let found = owner.get(&server, "/deployments?limit=200").await;
    let deployments = found["items"].as_array().expect("a list").iter();
    let ema = deployments.clone().find(|d| d["strategy"]["name"] == "ema-cross" && d["status"] == "running");
    let ema = ema.expect("a running EMA cross");
    owner.deployment = ema["id"].as_str().expect("an id").to_owned();
    // Another strategy runs the new version from the beginning: so it is compiled at each start, and deaths meet the change
    // and not the compiler.
    let beside = json!({
        "account": ema["account"], "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "H1",
        "settings": { "fast": 5, "slow": 30, "lots": 0.01 },
    });
    assert_eq!(owner.post(&server, "/deployments", "beside", Some(beside)).await, Some(200));
    let mut current = owner.versions(&server).await["current"]["version"].as_str().expect("a version").to_owned();
    assert_eq!(current, "0.1.0");
    let mut running = Some(server);
    let (mut walk, mut acknowledged, mut changes) = (0x9E37_79B9_u64, 0, 0);
    for round in 0..KILLS {
        let server = match running.take() {
            Some(server) => server,
            None => site.serve().await,
        };
        let upgrade = current == "0.1.0";
        let (act, body) = if upgrade { ("upgrade", Some(json!({ "version": "0.2.0" }))) } else { ("rollback", None) };
        walk = walk.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = Duration::from_millis((walk >> 33) % 60);
        let key = format!("change-{round}");
        let (answer, ()) = tokio::join!(owner.ask(&server, act, &key, body), async {
            tokio::time::sleep(pause).await;
            server.strike();
        });
        server.kill();
        let server = site.serve().await;
        let versions = owner.versions(&server).await;
        let now = versions["current"]["version"].as_str().expect("a version").to_owned();
        if answer == Some(200) {
            acknowledged += 1;
            assert_ne!(now, current, "{act} was acknowledged and is gone");
        }
        if now != current {
            changes += 1;
            let kind = if upgrade { "upgrade" } else { "rollback" };
            assert_eq!(versions["changes"][0]["kind"], kind);
            assert_eq!(versions["changes"][0]["state"], "carried");
        }
        let kept = versions["changes"].as_array().expect("a list").len();
        assert_eq!(kept, changes, "each change is there once");
        assert_eq!(versions["previous"].is_object(), now == "0.2.0", "{versions}");
        let deployment = owner.get(&server, &format!("/deployments/{}", owner.deployment)).await;
        assert_eq!(deployment["status"], "running", "{deployment}");
        current = now;
        running = Some(server);
    }
    assert!(acknowledged > 0, "no change was ever answered: the test tests nothing");
    drop(running);
    site.succeeds(&["ledger", "verify", "aurora"]);
}
