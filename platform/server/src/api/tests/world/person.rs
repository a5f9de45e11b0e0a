//! Somebody who calls the API and opens pages, and what their trades leave.

use super::World;
use crate::secrets;
use poem::http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The token of a page's forms.
pub(super) fn csrf_of(html: &str) -> String {
    let (_, rest) = html.split_once("name=\"csrf\" value=\"").expect("a page with a form");
    rest.split('"').next().unwrap().to_owned()
}

/// What a browser keeps of an answer.
pub(super) fn cookie_of(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap());
    let kept = cookies.filter(|c| !c.contains("Max-Age=0")).map(|c| c.split(';').next().unwrap());
    kept.collect::<Vec<_>>().join("; ")
}

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub kind: String,
    pub link: Option<String>,
    pub body: Value,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let (status, link) = (response.status().as_u16(), header("link"));
        let kind = header("content-type").unwrap_or_default();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} is not JSON: {text}"));
        if status >= 400 {
            assert_eq!(kind, "application/problem+json", "{text}");
        }
        Self { status, kind, link, body }
    }

    /// The body of a 200.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// A refusal without what differs from request to request.
    pub fn anonymous(mut self) -> Self {
        if let Some(body) = self.body.as_object_mut() {
            body.remove("request_id");
        }
        self
    }
}

/// Somebody who calls the API.
pub struct Person<'a> {
    pub(super) world: &'a World,
    pub host: &'static str,
    pub name: String,
    pub(super) http: reqwest::Client,
    pub cookie: String,
    pub csrf: String,
    /// The token of a program.
    pub bearer: Option<String>,
}

impl Person<'_> {
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.world.server.url(self.host, &format!("/api/v1{path}"));
        let request = self.http.request(method, url);
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request.header("cookie", &self.cookie).header("x-csrf-token", &self.csrf),
        }
    }

    /// A request for a page, whatever its body will be.
    pub fn page_request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.world.server.url(self.host, path);
        self.http.request(method, url).header("cookie", &self.cookie).header("accept", "text/html")
    }

    /// Asks for a page, or sends its form. Whatever it answers, its cookies are for this host alone.
    pub async fn page(&self, method: Method, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let url = self.world.server.url(self.host, path);
        let request =
            self.http.request(method.clone(), url).header("cookie", &self.cookie).header("accept", "text/html");
        let fields: Vec<(&str, &str)> = form.iter().copied().chain([("csrf", self.csrf.as_str())]).collect();
        let request = if method == Method::GET { request } else { request.form(&fields) };
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()) {
            assert!(cookie.starts_with("__Host-"), "{method} {path} sets {cookie}");
            assert!(cookie.contains("; Path=/; Secure; HttpOnly") && !cookie.contains("; Domain"), "{method} {path}");
        }
        answer
    }

    /// Keeps what an answer gives a browser to keep, beside what it has.
    pub fn keep(&mut self, answer: &reqwest::Response) {
        self.cookie = format!("{}; {}", self.cookie, cookie_of(answer));
    }

    /// Their own id.
    pub async fn user(&self) -> String {
        self.get("/session").await.ok()["user"].as_str().unwrap().to_owned()
    }

    /// Ends the session on the page for it.
    pub async fn sign_out(&self) {
        let url = self.world.server.url(self.host, "/sign-out");
        let request = self.http.post(url).header("cookie", &self.cookie).form(&[("csrf", &self.csrf)]);
        assert_eq!(request.send().await.unwrap().status(), 303);
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts under a key of its own.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let key: String = secrets::Token::new().unwrap().expose();
        self.post_as(&key, path, body).await
    }

    pub async fn post_as(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        self.send(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Opens an account.
    pub async fn account(&self) -> String {
        let opened = self.post("/accounts", &json!({ "name": "Mine" })).await.ok();
        opened["id"].as_str().unwrap().to_owned()
    }

    /// Waits until EURUSD has a price.
    pub async fn until_prices(&self) -> Value {
        self.until("/market", |market| {
            market["state"] == "running" && market["quotes"].as_array().unwrap().iter().any(|q| q["symbol"] == "EURUSD")
        })
        .await
    }

    /// Reads until what is read is right.
    pub async fn until(&self, path: &str, right: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..200 {
            last = self.get(path).await.ok();
            if right(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} stays {last}");
    }

    /// Has a trade: account, order, position, decision, and a strategy deployed on this timeframe.
    pub async fn trade(&self, timeframe: &str) -> Ids {
        self.until_prices().await;
        let account = self.account().await;
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.10" });
        let decision = self.post(&format!("/accounts/{account}/orders"), &order).await.ok();
        assert_eq!(decision["outcome"], "approved", "{decision}");
        let open = format!("/accounts/{account}/positions?state=open");
        let positions = self.until(&open, |found| found["items"].as_array().unwrap().len() == 1).await;
        let strategy = json!({
            "account": account, "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": timeframe,
            "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        });
        let deployed = self.post("/deployments", &strategy).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (release, author_key) = self.world.release(self.host, &self.name).await;
        let [ea, ea_version, licence_policy, licence, activation] = self.world.licence(self.host, &self.name).await;
        let ea_file = self.world.ea_file(self.host, &ea_version).await;
        let tested = self.post("/backtests", &backtest_body()).await.ok();
        self.until(&format!("/backtests/{}", tested["id"].as_str().unwrap()), |found| found["status"] == "done").await;
        Ids {
            account,
            order: text(&decision["order"]),
            decision: text(&decision["id"]),
            position: text(&positions["items"][0]["id"]),
            deployment: text(&deployed["id"]),
            release,
            author_key,
            backtest: text(&tested["id"]),
            ea,
            ea_version,
            ea_file,
            licence_policy,
            licence,
            activation,
        }
    }

    /// Closes what is open on the account of a trade and places another order; the ids of order, decision and position are
    /// then its own. A netting account would add to the position that it has, whose number would stay.
    pub async fn trade_again(&self, ids: &mut Ids) {
        let open = format!("/accounts/{}/positions?state=open", ids.account);
        let closed = self.post(&format!("/positions/{}/close", ids.position), &Value::Null).await.ok();
        assert_eq!(closed["outcome"], "approved", "{closed}");
        self.until(&open, |found| found["items"] == json!([])).await;
        let order = json!({ "instrument": "EURUSD", "side": "buy", "lots": "0.01" });
        let decision = self.post(&format!("/accounts/{}/orders", ids.account), &order).await.ok();
        assert_eq!(decision["outcome"], "approved", "{decision}");
        let positions = self.until(&open, |found| found["items"].as_array().unwrap().len() == 1).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ids.order = text(&decision["order"]);
        ids.decision = text(&decision["id"]);
        ids.position = text(&positions["items"][0]["id"]);
    }
}

/// What a trade left.
#[derive(Debug, Clone)]
pub struct Ids {
    pub account: String,
    pub order: String,
    pub decision: String,
    pub position: String,
    pub deployment: String,
    pub release: String,
    pub author_key: String,
    pub backtest: String,
    pub ea: String,
    pub ea_version: String,
    pub ea_file: String,
    pub licence_policy: String,
    pub licence: String,
    pub activation: String,
}

/// A backtest of a day of the made-up market.
pub fn backtest_body() -> Value {
    json!({
        "strategy": "ema-cross", "instrument": "EURUSD", "timeframe": "M5", "source": "synthetic",
        "settings": { "fast": 3, "slow": 8, "lots": 0.1 },
        "from": "2026-11-10T00:00:00Z", "to": "2026-11-11T00:00:00Z",
    })
}
