//! Expert Advisors, compiled from their MQL sources, against the real server: what `ea/test` plays against its stand-in.

use crate::{oracles::recorded, visitor::demo_password};
use marque_testkit::site::{Running, Site, binary, workspace};
use reqwest::Client;
use serde_json::{Value, json};
use std::process::Command;

const HOST: &str = "aurora.localhost";
const OWNER: &str = "owner@aurora.example";

/// Whether the harness can compile here.
fn has_compiler() -> bool {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|said| said.status.success());
    let found = there("g++") && there("python3");
    assert!(found || std::env::var_os("CI").is_none(), "g++ and python3 are needed");
    found
}

fn site() -> Site {
    Site::empty().with("MARQUE_LIMITS_EA_PER_MINUTE", "1000000").seed()
}

/// The owner of the demo, as a program.
struct Owner<'a> {
    server: &'a Running,
    client: Client,
    token: String,
}

impl<'a> Owner<'a> {
    async fn of(server: &'a Running, password: &str) -> Self {
        let client = server.client(HOST).expect("a client");
        let credentials = json!({ "email": OWNER, "password": password });
        let answer =
            client.post(server.url(HOST, "/api/v1/tokens")).json(&credentials).send().await.expect("an answer");
        let tokens: Value = answer.json().await.expect("JSON");
        let token = tokens["access_token"].as_str().expect("a token").to_owned();
        Self { server, client, token }
    }

    async fn get(&self, path: &str) -> Value {
        let asked = self.client.get(self.server.url(HOST, &format!("/api/v1{path}"))).bearer_auth(&self.token);
        asked.send().await.expect("an answer").json().await.expect("JSON")
    }
}

/// Plays the scenarios whose names contain a word; answers what was printed.
fn play(site: &Site, owner: &Owner<'_>, words: &str) -> String {
    let root = workspace();
    let url = format!("http://{HOST}:{}", owner.server.address().port());
    let control = format!("python3 -B {}", root.join("ea/test/control.py").display());
    let mut script = Command::new("python3");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MARQUE_")) {
        script.env_remove(name);
    }
    let played = script
        .arg("-B")
        .arg(root.join("ea/test/run.py"))
        .args(["--base-url", &url, "--control", &control, words])
        // The brand's own keys are made and retired by command.
        .envs(site.settings())
        .env("MARQUE_EA_COMMAND", binary())
        .env("MARQUE_EA_URL", &url)
        .env("MARQUE_EA_EMAIL", OWNER)
        .env("MARQUE_EA_TOKEN", &owner.token)
        .output()
        .expect("python3 must start");
    let said = format!("{}{}", String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success(), "scenarios with {words:?} failed:\n{said}");
    let passed = said.lines().rev().find_map(|line| line.split_once(" passed, ")).map(|(passed, _)| passed);
    assert!(passed.is_some_and(|passed| passed != "0"), "no scenario has {words:?} in its name:\n{said}");
    said
}

/// Success, every refusal that a person can bring about, changed and replayed answers, outages, leases, clocks, usage, the
/// sample EAs of both platforms, the brand's own keys.
#[tokio::test(flavor = "multi_thread")]
async fn compiled_expert_advisors_get_along_with_the_real_server() {
    if !has_compiler() {
        return;
    }
    let site = site();
    let server = site.serve().await;
    let password = demo_password(&site);
    let owner = Owner::of(&server, &password).await;
    let said = play(&site, &owner, "");
    println!("{said}");
    let licences = owner.get("/licences?limit=200").await;
    assert!(licences["items"].as_array().expect("licences").len() > 20, "{licences}");
    assert!(site.succeeds(&["audit", "verify", "aurora"]).contains("aurora"));
    assert!(server.stop().success());
}

/// Keys are changed by command while a server runs.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_retired_by_command() {
    let site = site();
    let server = site.serve().await;
    let keys = async || -> Value {
        let answer = server.get(HOST, "/api/ea/v1/keys").await.expect("an answer");
        answer.json().await.expect("JSON")
    };
    let first = keys().await["current"].as_str().expect("a key").to_owned();
    let name = first.trim_start_matches("t.");
    let refused = site.run(&["ea-key", "retire", "aurora", name]);
    assert!(!refused.status.success(), "the only key is not retired");
    site.succeeds(&["ea-key", "rotate", "aurora"]);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let both = keys().await;
    assert_ne!(both["current"], first.as_str());
    assert!(both[&first].is_string(), "the old one is published until it is retired: {both}");
    site.succeeds(&["ea-key", "retire", "aurora", name]);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(keys().await[&first].is_null());
    assert!(site.succeeds(&["ea-key", "rotate", "aurora", "--seats"]).contains("0 seats"));
    assert!(site.succeeds(&["ea-key", "list", "aurora"]).lines().count() == 2);
    assert!(server.stop().success());
    let verbs = ["rotate", "retire", "rotate"].map(|verb| format!("system marque ea-key {verb}: "));
    assert_eq!(recorded(&site, "ea-keys-rotated").await, verbs, "and nothing of what was refused");
}
