//! Programs use the API with tokens alone.

use super::{
    asked::{asked, nobodys},
    world::{AURORA, Answer, PASSWORD, Person, World},
};
use crate::identity::{Reach, Role, Scope};
use poem::http::Method;
use serde_json::{Value, json};

/// What a program that signed in is given.
pub struct Program {
    pub access: String,
    pub refresh: String,
}

impl Person<'_> {
    /// Signs a program in in this person's name.
    pub async fn program(&self) -> Program {
        let by = json!({ "email": format!("{}@x.example", self.name), "password": PASSWORD });
        let given = self.tokens("/tokens", &by).await.ok();
        let text = |name: &str| given[name].as_str().unwrap().to_owned();
        Program { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// Signs it out.
    pub async fn end_program(&self, program: &Program) {
        let answer = self.tokens("/tokens/end", &json!({ "token": program.access })).await;
        assert_eq!(answer.ok(), json!({ "ended": true }));
    }

    /// Makes a token with one scope, on the page for it.
    async fn personal_token(&self, scope: Scope) -> String {
        let ticked = format!("scope.{}", scope.name());
        let form = [("name", scope.name()), (ticked.as_str(), "on"), ("days", "7")];
        let page = self.page(Method::POST, "/security/tokens", &form).await;
        assert_eq!(page.status(), 200);
        let html = page.text().await.unwrap();
        let shown = html.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c));
        shown.into_iter().find(|word| word.starts_with("mq_")).expect("the token is shown once").to_owned()
    }

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
async fn a_token_reaches_no_further_than_its_scope() {
    let world = World::start().await;
    for (name, role) in [("ann", Role::Trader), ("owner", Role::Owner)] {
        let person = world.person(AURORA, name).await;
        for scope in Scope::GRANTED {
            let mut program = world.stranger(AURORA);
            program.bearer = Some(person.personal_token(*scope).await);
            for asked in asked().iter().filter(|asked| asked.operation.reach(role) != Reach::Nothing) {
                let needs = asked.operation.scope();
                if needs != *scope {
                    let answer = asked.ask(&program, &nobodys()).await;
                    let what = format!("{} by {name} with {}", asked.id, scope.name());
                    assert_eq!(answer.refusal(), (403, "scope-missing"), "{what}");
                } else if asked.names_an_id() {
                    let answer = asked.ask(&program, &nobodys()).await;
                    assert_eq!(answer.refusal(), (404, "not-found"), "{} by {name}", asked.id);
                }
            }
        }
    }
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
