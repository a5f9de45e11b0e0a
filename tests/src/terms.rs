//! A brand changes its terms while the server runs: what an account was opened with stays, what the venue charges changes.

use crate::{
    oracles,
    storm::answer,
    visitor::{demo_password, sign_in},
};
use marque_testkit::site::{Running, Site, workspace};
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const HOST: &str = "aurora.localhost";
/// A server looks every two seconds, and remembers a host for ten.
const PATIENCE: Duration = Duration::from_secs(40);

struct Person<'a> {
    server: &'a Running,
    client: Client,
    cookie: String,
    csrf: String,
}

impl Person<'_> {
    async fn get(&self, path: &str) -> Value {
        let asked = self.client.get(self.server.url(HOST, path)).header("cookie", &self.cookie);
        answer(asked.send().await).await.expect("an answer").1
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let asked = self.client.post(self.server.url(HOST, path)).header("cookie", &self.cookie);
        let asked = asked.header("x-csrf-token", &self.csrf).header("idempotency-key", key).json(body);
        answer(asked.send().await).await.expect("an answer")
    }

    async fn open(&self, name: &str) -> Value {
        let (status, account) = self.post("/api/v1/accounts", name, &json!({ "name": name })).await;
        assert_eq!(status, 200, "{account}");
        account
    }

    /// Buys a tenth of a lot, and answers what of the account's cash that took at once.
    async fn pays(&self, account: &Value, key: &str) -> String {
        let id = account["id"].as_str().expect("an id");
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
        let (status, decision) = self.post(&format!("/api/v1/accounts/{id}/orders"), key, &order).await;
        assert_eq!((status, &decision["outcome"]), (200, &json!("approved")), "{decision}");
        let lines = self.get(&format!("/api/v1/accounts/{id}/transactions")).await;
        let charged = lines["items"].as_array().expect("lines").iter().find(|line| line["kind"] == "commission");
        charged.expect("a charge")["amount"].as_str().expect("an amount").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_keep_their_terms_and_the_venue_takes_up_its_new_ones() {
    let site = Site::seeded();
    let server = site.serve().await;
    let password = demo_password(&site);
    let credentials = sign_in(&server, HOST, "trader@aurora.example", &password).await;
    let client = server.client(HOST).expect("a client");
    let cookie = format!("__Host-marque={}", credentials.session);
    let person = Person { server: &server, client, cookie, csrf: credentials.csrf };
    let old = person.open("old").await;
    assert_eq!((&old["position_mode"], &old["margin"]["stop_out_percent"]), (&json!("hedging"), &json!(50)));
    assert_eq!(person.pays(&old, "first").await, "-0.35");

    let tenants = TempDir::new().expect("a folder");
    let folder = tenants.path().join("aurora");
    fs::create_dir(&folder).expect("a folder");
    let mut file = fs::read_to_string(workspace().join("tenants/aurora/tenant.toml")).expect("the file");
    for (from, to) in [
        ("position_mode = \"hedging\"", "position_mode = \"netting\""),
        ("stop_out_percent = 50", "stop_out_percent = 20"),
        ("commission_per_lot = \"3.50\"", "commission_per_lot = \"9.00\""),
    ] {
        assert!(file.contains(from), "{from}");
        file = file.replacen(from, to, 1);
    }
    fs::write(folder.join("tenant.toml"), file).expect("the file");
    let path = tenants.path().display().to_string();
    assert_eq!(site.succeeds(&["tenant", "apply", &path]), "aurora: changed\n");
    assert_eq!(site.succeeds(&["tenant", "apply", &path]), "aurora: unchanged\n");
    let shown: Value = serde_json::from_str(&site.succeeds(&["tenant", "show", "aurora"])).expect("JSON");
    assert_eq!(shown["terms"]["position_mode"], "netting");
    assert_eq!(shown["terms"]["venue"]["commission_per_lot"], "9.00");

    let began = Instant::now();
    let terms = async || person.get("/api/v1/instruments").await["items"][0]["terms"]["commission_per_lot"].clone();
    while terms().await != "9.00" {
        assert!(began.elapsed() < PATIENCE, "the new terms are shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The desk hears of it within seconds too, and takes orders again once it has begun anew.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let new = person.open("new").await;
    assert_eq!((&new["position_mode"], &new["margin"]["stop_out_percent"]), (&json!("netting"), &json!(20)));
    let shown = person.get(&format!("/api/v1/accounts/{}", old["id"].as_str().expect("an id"))).await;
    assert_eq!((&shown["position_mode"], &shown["margin"]["stop_out_percent"]), (&json!("hedging"), &json!(50)));
    assert_eq!(person.pays(&old, "second").await, "-0.90", "the venue's terms are everybody's");
    assert_eq!(person.pays(&new, "third").await, "-0.90");
    // A second order of a hedging account is a second position; of a netting account it adds to the first.
    person.pays(&new, "fourth").await;
    for (account, positions) in [(&old, 2), (&new, 1)] {
        let id = account["id"].as_str().expect("an id");
        let open = person.get(&format!("/api/v1/accounts/{id}/positions?state=open")).await;
        assert_eq!(open["items"].as_array().expect("positions").len(), positions, "{open}");
    }
    assert!(server.stop().success());
    oracles::hold(&site).await;
}
