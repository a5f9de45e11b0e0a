//! What a browser does with an answer, for tests that ask the running server by hand.

use marque_testkit::site::{Running, Site};

/// What makes a request one of a signed-in trader.
pub struct Credentials {
    pub session: String,
    pub csrf: String,
}

/// Signs in as a person does, by the form.
pub async fn sign_in(server: &Running, host: &str, email: &str, password: &str) -> Credentials {
    let page = server.get(host, "/sign-in").await.expect("the sign-in page");
    let cookie = cookies(&page);
    let text = page.text().await.expect("a page");
    let csrf = between(&text, "name=\"csrf\" value=\"", "\"");
    let form = [("csrf", csrf.as_str()), ("email", email), ("password", password), ("next", "/dashboard")];
    let client = server.client(host).expect("a client");
    let request = client.post(server.url(host, "/sign-in")).header("cookie", cookie).form(&form);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 303, "the demo's trader must get in");
    let cookie = cookies(&answer);
    let session = client.get(server.url(host, "/api/v1/session")).header("cookie", &cookie).send().await;
    let text = session.expect("a session").text().await.expect("a body");
    let named = cookie.split("; ").find_map(|cookie| cookie.strip_prefix("__Host-marque="));
    Credentials { session: named.expect("a session").to_owned(), csrf: between(&text, "\"csrf_token\":\"", "\"") }
}

/// The password of the demo's people at a seeded site.
pub fn demo_password(site: &Site) -> String {
    let said = site.succeeds(&["demo-seed"]);
    let people: serde_json::Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    people["people"][0]["password"].as_str().expect("a password").to_owned()
}

/// The cookies that an answer sets, as the next request carries them.
pub fn cookies(answer: &reqwest::Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let kept = set.filter(|cookie| !cookie.contains("Max-Age=0")).filter_map(|cookie| cookie.split(';').next());
    kept.collect::<Vec<_>>().join("; ")
}

/// The first text between two others.
pub fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).expect("an end").0.to_owned()
}
