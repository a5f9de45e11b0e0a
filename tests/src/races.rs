//! A hundred at once for what only one may have, through the running server: one winner each, and the books add up.

use crate::{
    oracles,
    visitor::{Credentials, demo_password, sign_in},
};
use marque_testkit::site::{Running, Site};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

const HOST: &str = "aurora.localhost";
const AT_ONCE: usize = 100;
/// What the brand's first plan allows.
const TRADES_A_DAY: usize = 10;
const STRATEGIES: usize = 1;

/// Somebody signed in, who asks a hundred times at once.
struct Owner {
    server: Running,
    client: reqwest::Client,
    credentials: Credentials,
}

impl Owner {
    async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(self.server.url(HOST, path));
        let request = request.header("cookie", format!("__Host-marque={}", self.credentials.session));
        let request = request.header("x-csrf-token", &self.credentials.csrf).header("idempotency-key", key);
        let answer = request.json(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(self.server.url(HOST, path));
        let request = request.header("cookie", format!("__Host-marque={}", self.credentials.session));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    async fn account(self: &Arc<Self>, name: &str) -> String {
        let (status, account) =
            self.post("/api/v1/accounts", &format!("open-{}", name.replace(' ', "-")), &json!({ "name": name })).await;
        assert_eq!(status, 200, "{account}");
        account["id"].as_str().expect("an id").to_owned()
    }

    /// All of them under way before any is answered, each under a key of its own.
    async fn at_once(self: &Arc<Self>, path: &str, body: impl Fn(usize) -> Value) -> Vec<(u16, Value)> {
        let asked: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let (owner, path, body) = (Arc::clone(self), path.to_owned(), body(n));
                tokio::spawn(async move { owner.post(&path, &format!("{path}-{n}"), &body).await })
            })
            .collect();
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.expect("a request ends"));
        }
        answers
    }
}

fn count(answers: &[(u16, Value)], status: u16) -> usize {
    answers.iter().filter(|(got, _)| *got == status).count()
}

async fn races(site: Site) {
    let password = demo_password(&site);
    let server = site.serve().await;
    let credentials = sign_in(&server, HOST, "owner@aurora.example", &password).await;
    let client = server.client(HOST).expect("a client");
    let owner = Arc::new(Owner { server, client, credentials });
    let account = owner.account("Races").await;
    let statement = format!("/api/v1/accounts/{account}/transactions");

    // One reference, sent by a hundred: each is told the same one movement.
    let deposit = json!({ "kind": "deposit", "amount": "250.00", "reference": "wire-1" });
    let answers = owner.at_once(&statement, |_| deposit.clone()).await;
    assert_eq!(count(&answers, 200), AT_ONCE, "asked again, it was done: {answers:?}");
    let made: BTreeSet<&str> = answers.iter().filter_map(|(_, line)| line["id"].as_str()).collect();
    assert_eq!(made.len(), 1, "one movement");

    // A withdrawal that fits once.
    let withdrawal = |n: usize| json!({ "kind": "withdrawal", "amount": "60000.00", "reference": format!("out-{n}") });
    let answers = owner.at_once(&format!("{statement}?withdrawal"), withdrawal).await;
    assert_eq!((count(&answers, 200), count(&answers, 409)), (1, AT_ONCE - 1), "{:?}", answers.first());
    let lines = owner.get(&statement).await;
    let kinds: Vec<&str> =
        lines["items"].as_array().expect("lines").iter().filter_map(|l| l["kind"].as_str()).collect();
    assert_eq!(kinds, ["withdrawal", "deposit", "deposit"]);
    assert_eq!(lines.pointer("/items/0/balance"), Some(&json!("40250.00")));

    // Orders a day, over two accounts of one person.
    let second = owner.account("More races").await;
    let order = |_: usize| json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
    let (first, second) = (format!("/api/v1/accounts/{account}/orders"), format!("/api/v1/accounts/{second}/orders"));
    let (a, b) = tokio::join!(owner.at_once(&first, order), owner.at_once(&second, order));
    let outcomes: Vec<&str> = a.iter().chain(&b).filter_map(|(_, decision)| decision["order"].as_str()).collect();
    assert_eq!(outcomes.len(), TRADES_A_DAY, "{:?}", a.first());

    // Strategies that run at once.
    let settings = json!({ "fast": 12, "slow": 26, "lots": 0.1 });
    let deployment = |_: usize| {
        json!({
            "account": account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M1",
            "settings": settings,
        })
    };
    let answers = owner.at_once("/api/v1/deployments", deployment).await;
    assert_eq!(count(&answers, 200), STRATEGIES, "{:?}", answers.first());

    drop(owner);
    oracles::hold(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_one_wins_on_sqlite() {
    races(Site::seeded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_at_once_one_wins_on_postgresql() {
    let Some(cluster) = marque_testkit::shared_postgres("of_a_hundred_at_once_one_wins_on_postgresql") else { return };
    let database = cluster.database().expect("a database");
    races(Site::empty().with("MARQUE_DATABASE_URL", database.url()).seed()).await;
}
