//! The API against its own description: every operation with valid, invalid and unusual requests, as a trader and as a
//! brand's owner, about rows that there are and rows that there are not.

use crate::visitor::{Credentials, demo_password, sign_in};
use marque_testkit::site::{Running, Site, workspace};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Where `cargo xtask test` put the fuzzer.
const PROGRAM: &str = "XTASK_SCHEMATHESIS";
/// More examples of each operation than each commit's, for a run on demand: `XTASK_FUZZ_EXAMPLES=500`.
const EXAMPLES: &str = "XTASK_FUZZ_EXAMPLES";
/// Where the choice of requests begins: a failure in CI is the same on every machine.
const SEED: &str = "20261120";

const HOST: &str = "aurora.localhost";

/// Lists, and what the ids of their rows are called. One in braces is an id of an earlier list.
const LISTS: &[(&str, &str)] = &[
    ("/accounts", "account"),
    ("/accounts/{account}/orders", "order"),
    ("/accounts/{account}/positions", "position"),
    ("/accounts/{account}/decisions", "decision"),
    ("/deployments", "deployment"),
    ("/plugins/releases", "release"),
    ("/plugins/keys", "author_key"),
    ("/backtests", "backtest"),
    ("/eas", "ea"),
    ("/eas/{ea}/versions", "ea_version"),
    ("/ea-versions/{ea_version}/files", "ea_file"),
    ("/eas/{ea}/policies", "licence_policy"),
    ("/licences", "licence"),
    ("/licences/{licence}/activations", "activation"),
];

/// Words that mean something at the brand.
const WORDS: &[(&str, &[&str])] = &[
    ("instrument", &["EURUSD", "XAUUSD"]),
    ("symbol", &["EURUSD", "XAUUSD"]),
    ("strategy", &["ema-cross", "sma-cross"]),
    ("owner", &["trader@aurora.example"]),
    ("lots", &["0.01"]),
    ("amount", &["1.00"]),
    ("reference", &["wire-1", "wire-2", "wire-3"]),
    ("reason", &["because"]),
    ("version", &["0.1.0", "7.1", "7.2"]),
    ("code", &["silver-rush"]),
];

/// The share of operations, in percent, that must be answered with success at least once: or else it is only refusals that
/// are tested. The rest needs what nobody makes up: a signed component, a released version, a licence before it was revoked.
const THROUGH: usize = 75;

/// Ids and words by the names of parameters and fields.
type Known = BTreeMap<String, Vec<String>>;

/// No 5xx, no answer that the description does not allow, no wrong request that is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_keeps_to_its_description() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        let why = format!("run it by `cargo xtask test`, which sets {PROGRAM}");
        marque_testkit::skipped("every_operation_keeps_to_its_description", why);
        return;
    };
    // Without limits of rate: here it is answers that are tested, not patience.
    let site = Site::empty()
        .with("MARQUE_LIMITS_API_PER_MINUTE", "1000000")
        .with("MARQUE_LIMITS_TRADING_PER_MINUTE", "1000000")
        .seed();
    let password = demo_password(&site);
    let server = site.serve().await;
    let operations = operations();
    let mut succeeded = BTreeSet::new();
    for role in ["trader", "owner"] {
        let credentials = sign_in(&server, HOST, &format!("{role}@aurora.example"), &password).await;
        let api = Api { server: &server, credentials: &credentials };
        if role == "trader" {
            api.leave_something().await;
        }
        let known = api.known().await;
        // Both are tried on everything in the ways that the description gives, and then with made-up requests: the owner
        // where the trader did not get through.
        let all: Vec<&str> = operations.values().map(String::as_str).collect();
        let closed = operations.iter().filter(|(label, _)| !succeeded.contains(*label));
        let closed: Vec<&str> = closed.map(|(_, id)| id.as_str()).collect();
        for (phases, ids) in [("examples,coverage", all), ("fuzzing", closed)] {
            succeeded.extend(fuzz(&program, &api, &known, phases, &ids));
        }
        assert_eq!(api.get("/session").await.map(|session| session["role"].clone()), Some(json!(role)), "signed out");
    }
    let never: Vec<&String> = operations.keys().filter(|operation| !succeeded.contains(*operation)).collect();
    println!("never answered with success: {never:#?}");
    assert!(never.len() * 100 <= operations.len() * (100 - THROUGH), "too little was reached: {never:#?}");
    assert!(
        server.get(HOST, "/readyz").await.is_ok_and(|ready| ready.status() == 200),
        "the server is not ready any more"
    );
}

/// The operations of the description: method and path, and the name.
fn operations() -> BTreeMap<String, String> {
    let document = fs::read_to_string(workspace().join("sdk/openapi.json")).expect("the description");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    all.map(|(label, operation)| (label, operation["operationId"].as_str().expect("a name").to_owned())).collect()
}

/// Fuzzes the operations of these names; answers which were once answered with success.
fn fuzz(program: &OsStr, api: &Api<'_>, known: &Known, phases: &str, ids: &[&str]) -> BTreeSet<String> {
    let (folder, description) = (workspace().join("tests/fuzz"), workspace().join("sdk/openapi.json"));
    let own = tempfile::tempdir().expect("a folder");
    let (config, seen) = (own.path().join("schemathesis.toml"), own.path().join("succeeded"));
    fs::write(&config, configuration(&folder, known)).expect("the settings");
    let examples = std::env::var(EXAMPLES).unwrap_or_else(|_| "50".to_owned());
    let mut fuzz = Command::new(program);
    fuzz.current_dir(&folder).arg("--config-file").arg(config).arg("run").arg(description);
    fuzz.args(["--origin", &format!("http://{}", api.server.address()), "--max-examples", &examples, "--seed", SEED]);
    fuzz.args(["--phases", phases]).args(ids.iter().flat_map(|id| ["--include-operation-id", id]));
    // One worker: what makes up requests shares a cache between its threads, and stumbles over it.
    fuzz.args(["--request-timeout", "10", "--workers", "1", "--warnings", "off", "--no-color"]);
    let Credentials { session, csrf } = api.credentials;
    fuzz.env("MARQUE_FUZZ_HOST", HOST).env("MARQUE_FUZZ_SESSION", session).env("MARQUE_FUZZ_CSRF", csrf);
    fuzz.env("MARQUE_FUZZ_SUCCEEDED", &seen).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = fuzz.stdin(Stdio::null()).output().expect("the fuzzer must start");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the fuzzer found something:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read_to_string(seen).expect("what succeeded").lines().map(str::to_owned).collect()
}

/// The settings, with what is known as dictionaries: three of four values are from there, the others made up.
fn configuration(folder: &Path, known: &Known) -> String {
    let mut text = fs::read_to_string(folder.join("schemathesis.toml")).expect("the settings");
    for (name, values) in known {
        write!(text, "\n[dictionaries.{name}]\nvalues = {}\n", json!(values)).expect("a string takes all");
    }
    text += "\n[parameters]\n";
    for name in known.keys() {
        for place in ["path", "query", "body"] {
            let binding = format!("{{ dictionary = \"{name}\", probability = 0.75 }}");
            writeln!(text, "\"{place}.{name}\" = {binding}").expect("a string takes all");
        }
    }
    text
}

/// The API as a person has it in a browser.
struct Api<'a> {
    server: &'a Running,
    credentials: &'a Credentials,
}

impl Api<'_> {
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let client = self.server.client(HOST).expect("a client");
        let request = client.request(method, self.server.url(HOST, &format!("/api/v1{path}")));
        let cookie = format!("__Host-marque={}", self.credentials.session);
        request.header("cookie", cookie).header("x-csrf-token", &self.credentials.csrf)
    }

    /// What is there, if it is and is theirs.
    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.request(reqwest::Method::GET, path).send().await.expect("an answer");
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request =
            self.request(reqwest::Method::POST, path).header("idempotency-key", format!("{path}{body}").len());
        request.json(body).send().await.expect("an answer").json().await.expect("JSON")
    }

    /// An order and a backtest: of everything else the demo has made something.
    async fn leave_something(&self) {
        let accounts = self.get("/accounts").await.expect("accounts");
        let account = accounts["items"][0]["id"].as_str().expect("an account").to_owned();
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
        self.post(&format!("/accounts/{account}/orders"), &order).await;
        let tested = json!({
            "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M5", "source": "synthetic",
            "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
            "from": "2026-11-10T00:00:00Z", "to": "2026-11-11T00:00:00Z",
        });
        let begun = self.post("/backtests", &tested).await;
        let path = format!("/backtests/{}", begun["id"].as_str().unwrap_or_else(|| panic!("a backtest: {begun}")));
        let began = Instant::now();
        while self.get(&path).await.is_none_or(|tested| tested["status"] != "done") {
            assert!(began.elapsed() < Duration::from_secs(60), "the backtest does not end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ids of what they see, and words.
    async fn known(&self) -> Known {
        let words =
            WORDS.iter().map(|(name, words)| ((*name).to_owned(), words.iter().map(|w| (*w).to_owned()).collect()));
        let mut known: Known = words.collect();
        for (list, name) in LISTS {
            let parent = list.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(parent, _)| parent);
            let paths = match parent {
                None => vec![(*list).to_owned()],
                Some(parent) => {
                    let ids = known.get(parent).into_iter().flatten().take(3);
                    ids.map(|id| list.replace(&format!("{{{parent}}}"), id)).collect()
                }
            };
            let mut ids = Vec::new();
            for path in paths {
                let rows = self.get(&path).await.unwrap_or_default();
                let rows = rows["items"].as_array().cloned().unwrap_or_default();
                ids.extend(rows.iter().filter_map(|row| row["id"].as_str()).take(4).map(str::to_owned));
            }
            if !ids.is_empty() {
                known.insert((*name).to_owned(), ids);
            }
        }
        if let Some(policies) = known.get("licence_policy").cloned() {
            known.insert("policy".to_owned(), policies);
        }
        known
    }
}
