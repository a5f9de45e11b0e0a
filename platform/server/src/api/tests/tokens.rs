//! Programs use the API with tokens alone.

use super::world::{AURORA, Answer, PASSWORD, Person, World};
use poem::http::Method;
use serde_json::{Value, json};

impl Person<'_> {
    /// Posts as a program does: with a token, and with nothing of a browser's.
    async fn as_program(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).header("idempotency-key", "p").bearer_auth(token);
        self.send(if body.is_null() { request } else { request.json(body) }).await
    }

    async fn tokens(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_signs_in_trades_and_signs_out() {
    let world = World::start().await;
    let program = world.stranger(AURORA);
    let by = json!({ "email": "ann@x.example", "password": PASSWORD });
    let first = program.tokens("/tokens", &by).await.ok();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(600)));
    let next = json!({ "refresh_token": first["refresh_token"] });
    let second = program.tokens("/tokens/refresh", &next).await.ok();
    let token = second["access_token"].as_str().unwrap();

    let session = program.as_program(token, Method::GET, "/session", &Value::Null).await.ok();
    assert_eq!((&session["email"], &session["csrf_token"]), (&json!("ann@x.example"), &Value::Null));
    assert_eq!(session["user"], second["user"]);
    let opened = program.as_program(token, Method::POST, "/accounts", &json!({ "name": "By program" })).await.ok();
    let ann = world.person(AURORA, "ann").await;
    assert_eq!(ann.get("/accounts").await.ok()["items"][0]["id"], opened["id"]);

    let answer = program.tokens("/tokens/end", &json!({ "token": token })).await;
    assert_eq!(answer.ok(), json!({ "ended": true }));
    let after = program.as_program(token, Method::GET, "/session", &Value::Null).await;
    assert_eq!(after.refusal(), (401, "invalid-token"));
    let renewed = program.tokens("/tokens/refresh", &json!({ "refresh_token": second["refresh_token"] })).await;
    assert_eq!(renewed.refusal(), (401, "invalid-token"));
    let nothing = program.tokens("/tokens/end", &json!({ "token": "nothing" })).await;
    assert_eq!(nothing.ok(), json!({ "ended": true }), "what was no token is answered alike");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_alike() {
    let world = World::start().await;
    let program = world.stranger(AURORA);
    let wrong = program.tokens("/tokens", &json!({ "email": "ann@x.example", "password": "not hers" })).await;
    let nobody = program.tokens("/tokens", &json!({ "email": "nobody@x.example", "password": "not hers" })).await;
    assert_eq!(wrong.refusal(), (401, "wrong-credentials"));
    assert_eq!(wrong.anonymous(), nobody.anonymous());
    for (path, body) in [
        ("/tokens", json!({ "email": "ann@x.example" })),
        ("/tokens", json!({ "email": 1, "password": PASSWORD })),
        ("/tokens/refresh", json!({})),
        ("/tokens/end", json!({ "token": null })),
    ] {
        assert_eq!(program.tokens(path, &body).await.status, 400, "{path} {body}");
    }
}
