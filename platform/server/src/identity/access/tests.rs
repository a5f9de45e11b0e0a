//! Programs as they come, and as they must not be able to.

use super::NewPersonalToken;
use crate::{
    audit::Act,
    clock::Clock,
    identity::{
        Csrf, Identity, IdentityLayer, NewPerson, Operation, RenderSignIn, Role, Scope, SignedIn, Visit, create_person,
        factors::{self, totp},
        gate::{Pages, may},
    },
    mail::MailKind,
    secrets::Secret,
    testing::{NOON, TestServer, TestStore, config, edge, queued, recorded, vault},
};
use marque_domain::{
    id::UserId,
    time::{DAY_MS, MINUTE_MS, Millis},
};
use marque_store::{TenantDb, User, UserStatus};
use poem::{EndpointExt as _, Route, get, handler, http::Method, post, web::Data};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const AURORA: &str = "aurora.localhost";
const BOREALIS: &str = "borealis.localhost";
const ANN: &str = "ann@x.example";

#[handler]
fn me(who: SignedIn) -> poem::Result<String> {
    who.may(Operation::ReadSession)?;
    Ok(format!("{} {}", who.tenant.definition.slug, who.email))
}

#[handler]
fn change(who: SignedIn) -> poem::Result<String> {
    who.may(Operation::CreateDeployment)?;
    Ok("changed".to_owned())
}

/// What only a person does.
#[handler]
fn leave(who: SignedIn) -> poem::Result<String> {
    who.may(Operation::SignOut)?;
    Ok("left".to_owned())
}

#[handler]
fn csrf_of(csrf: Csrf) -> String {
    csrf.0
}

#[handler]
async fn enter(
    visit: Visit,
    Data(identity): Data<&Identity>,
    poem::web::Json(body): poem::web::Json<Value>,
) -> poem::Result<poem::web::Json<Value>> {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let tokens = match body.get("refresh") {
        Some(_) => identity.renew(&visit.tenant, visit.recorder(), &Secret::new(text("refresh"))).await?,
        None => {
            let password = Secret::new(text("password"));
            identity.sign_in_program(&visit, &text("email"), password, body["code"].as_str()).await?
        }
    };
    Ok(poem::web::Json(json!({
        "access": tokens.access.expose(), "refresh": tokens.refresh.expose(),
        "access_s": tokens.access_s, "refresh_s": tokens.refresh_s,
    })))
}

#[handler]
async fn make_token(
    who: SignedIn,
    visit: Visit,
    Data(identity): Data<&Identity>,
    poem::web::Json(scopes): poem::web::Json<Vec<String>>,
) -> poem::Result<String> {
    let scopes: Vec<Scope> = scopes.iter().filter_map(|name| super::scope::named(name)).collect();
    let wanted = NewPersonalToken { name: "Sheet".to_owned(), scopes, days: 7 };
    Ok(identity.make_personal_token(&visit, &who, &wanted).await?.text.expose().to_owned())
}

struct World {
    server: TestServer,
    store: TestStore,
    now: Arc<AtomicI64>,
    identity: Identity,
}

async fn world() -> World {
    let store = TestStore::with_demo(&[]).await;
    let config = config("");
    let now = Arc::new(AtomicI64::new(NOON.0));
    let shown = now.clone();
    let clock = Clock::from_fn(move || Millis(shown.load(Ordering::Relaxed)));
    let identity = Identity::new(&config, clock, vault()).unwrap();
    for tenant in store.system().tenants().await.unwrap() {
        let person = NewPerson {
            email: ANN.to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new(format!("{} password", tenant.spec.slug)),
            role: Role::Trader,
        };
        create_person(&store.system().tenant_db(tenant.id), identity.passwords(), person, NOON).await.unwrap();
    }
    let render: RenderSignIn = Arc::new(|_, view| Ok(view.csrf.to_owned()));
    let pages = Pages::new().at("/page", may(Operation::ReadAccounts).get(me).post(change));
    let app = Route::new()
        .at("/api/v1/me", get(me))
        .at("/api/v1/change", post(change))
        .at("/api/v1/leave", post(leave))
        .at("/api/v1/csrf", get(csrf_of))
        .at("/api/v1/tokens", post(enter))
        .at("/api/v1/make", post(make_token))
        .nest_no_strip("/", crate::identity::pages(pages, render).into_route());
    let app = app.with(IdentityLayer::new(identity.clone())).with(edge(&config, &store));
    World { server: TestServer::start(app).await, store, now, identity }
}

/// Status and code of a refusal, or the body.
type Told = (u16, String);

impl World {
    fn at(&self, ms: i64) {
        self.now.store(NOON.0 + ms, Ordering::Relaxed);
    }

    async fn db(&self, slug: &str) -> TenantDb {
        let tenants = self.store.system().tenants().await.unwrap();
        let tenant = tenants.iter().find(|tenant| tenant.spec.slug.as_str() == slug).unwrap();
        self.store.system().tenant_db(tenant.id)
    }

    async fn send(&self, host: &str, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> Told {
        let client = self.server.client(host).build().unwrap();
        let mut request = client.request(method, self.server.url(host, path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.json(body).send().await.unwrap();
        assert!(answer.headers().get("set-cookie").is_none() || headers.is_empty(), "a program gets no cookie");
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let code = serde_json::from_str::<Value>(&text).ok().filter(|_| status >= 400);
        (status, code.map_or(text, |problem| problem["code"].as_str().unwrap_or_default().to_owned()))
    }

    async fn enter(&self, host: &str, body: &Value) -> Result<Value, Told> {
        let (status, text) = self.send(host, Method::POST, "/api/v1/tokens", &[], body).await;
        if status == 200 { Ok(serde_json::from_str(&text).unwrap()) } else { Err((status, text)) }
    }

    async fn sign_in(&self, host: &str) -> Value {
        let password = format!("{} password", host.split('.').next().unwrap());
        self.enter(host, &json!({ "email": ANN, "password": password })).await.unwrap()
    }

    /// Asks with a token and more headers.
    async fn with(&self, token: &str, more: &[(&str, &str)], method: Method, path: &str) -> Told {
        let header = format!("Bearer {token}");
        let headers = [&[("authorization", header.as_str())], more].concat();
        self.send(AURORA, method, path, &headers, &Value::Null).await
    }

    async fn me(&self, token: &Value) -> Told {
        self.with(token.as_str().unwrap(), &[], Method::GET, "/api/v1/me").await
    }

    /// The cookie of a session of a browser, and its forms' token.
    async fn browser(&self) -> (String, String) {
        let client = self.server.client(AURORA).build().unwrap();
        let cookie = |answer: &reqwest::Response| {
            let cookies = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap());
            cookies
                .filter(|c| !c.contains("Max-Age=0"))
                .map(|c| c.split(';').next().unwrap().to_owned())
                .next()
                .unwrap()
        };
        let page = client.get(self.server.url(AURORA, "/sign-in")).send().await.unwrap();
        let before = cookie(&page);
        let form =
            [("csrf", page.text().await.unwrap()), ("email", ANN.into()), ("password", "aurora password".into())];
        let answer = client.post(self.server.url(AURORA, "/sign-in")).header("cookie", before).form(&form);
        let session = cookie(&answer.send().await.unwrap());
        let (_, csrf) = self.send(AURORA, Method::GET, "/api/v1/csrf", &[("cookie", &session)], &Value::Null).await;
        (session, csrf)
    }
}

fn refused(status: u16, code: &str) -> Told {
    (status, code.to_owned())
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap()
}

#[tokio::test]
async fn a_program_signs_in_and_renews() {
    let world = world().await;
    let first = world.sign_in(AURORA).await;
    assert_eq!((&first["access_s"], &first["refresh_s"]), (&json!(600), &json!(30 * 86_400)));
    assert_eq!(world.me(&first["access"]).await, (200, format!("aurora {ANN}")));
    assert_eq!(world.with(text(&first, "access"), &[], Method::POST, "/api/v1/change").await, (200, "changed".into()));
    world.at(10 * MINUTE_MS - 1);
    assert_eq!(world.me(&first["access"]).await.0, 200);
    world.at(10 * MINUTE_MS);
    assert_eq!(world.me(&first["access"]).await, refused(401, "invalid-token"));
    let second = world.enter(AURORA, &json!({ "refresh": first["refresh"] })).await.unwrap();
    assert_eq!(world.me(&second["access"]).await.0, 200);

    // A refresh token opens nothing, an access token renews nothing.
    assert_eq!(world.me(&second["refresh"]).await, refused(401, "invalid-token"));
    let wrong = world.enter(AURORA, &json!({ "refresh": second["access"] })).await;
    assert_eq!(wrong, Err(refused(401, "invalid-token")));

    // Ninety days after it signed in it must sign in again, however often it renewed.
    let mut last = second;
    for day in (25..=75).step_by(25) {
        world.at(day * DAY_MS);
        last = world.enter(AURORA, &json!({ "refresh": last["refresh"] })).await.unwrap();
    }
    assert_eq!(last["refresh_s"], json!(15 * 86_400));
    world.at(90 * DAY_MS);
    let late = world.enter(AURORA, &json!({ "refresh": last["refresh"] })).await;
    assert_eq!(late, Err(refused(401, "invalid-token")));
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_everything_that_came_of_it() {
    let world = world().await;
    let (first, other) = (world.sign_in(AURORA).await, world.sign_in(AURORA).await);
    let renewed = (0..100).map(|_| {
        let body = json!({ "refresh": first["refresh"] });
        let world = &world;
        async move { world.enter(AURORA, &body).await }
    });
    let answers = futures_util::future::join_all(renewed).await;
    let winners: Vec<&Value> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one wins");
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|told| *told == refused(401, "invalid-token")));
    for token in [&first["access"], &winners[0]["access"]] {
        assert_eq!(world.me(token).await, refused(401, "invalid-token"));
    }
    let after = world.enter(AURORA, &json!({ "refresh": winners[0]["refresh"] })).await;
    assert_eq!(after, Err(refused(401, "invalid-token")));
    assert_eq!(world.me(&other["access"]).await.0, 200, "another program of hers goes on");
    // One of them ended it; to the others it was over.
    let db = world.db("aurora").await;
    let opened = recorded(&db, Act::ApiGrantOpened).await;
    let reused = recorded(&db, Act::ApiTokenReused).await;
    assert_eq!((opened.len(), reused.len()), (2, 1), "{reused:?}");
    let grant = reused[0].strip_prefix(&format!("nobody {ANN}: ")).expect("whoever showed it need not be her");
    assert_eq!(opened.iter().filter(|entry| **entry == format!("person {ANN}: {grant}")).count(), 1, "{opened:?}");
}

#[tokio::test]
async fn a_token_of_one_tenant_is_nothing_at_another() {
    let world = world().await;
    let (here, there) = (world.sign_in(AURORA).await, world.sign_in(BOREALIS).await);
    assert_eq!(world.me(&there["access"]).await, refused(401, "invalid-token"));
    let crossed = world.enter(BOREALIS, &json!({ "refresh": here["refresh"] })).await;
    assert_eq!(crossed, Err(refused(401, "invalid-token")));
    assert_eq!(world.me(&here["access"]).await.0, 200, "and trying it there ends nothing here");
    world.enter(AURORA, &json!({ "refresh": here["refresh"] })).await.unwrap();
    let wrong = world.enter(AURORA, &json!({ "email": ANN, "password": "borealis password" })).await;
    assert_eq!(wrong, Err(refused(401, "wrong-credentials")));
}

#[tokio::test]
async fn a_token_and_a_cookie_are_never_combined() {
    let world = world().await;
    let (session, csrf) = world.browser().await;
    let token = world.sign_in(AURORA).await;
    let token = text(&token, "access");
    let cookie = ("cookie", session.as_str());
    let (get, post) = (Method::GET, Method::POST);
    let ask = async |headers: &[(&str, &str)], method: &Method, path: &str| {
        world.send(AURORA, method.clone(), path, headers, &Value::Null).await
    };
    // With the cookie alone.
    assert_eq!(ask(&[cookie], &get, "/api/v1/me").await.0, 200);
    assert_eq!(ask(&[cookie], &post, "/api/v1/change").await, refused(403, "csrf-refused"));
    assert_eq!(ask(&[cookie, ("x-csrf-token", &csrf)], &post, "/api/v1/leave").await.0, 200);

    // A token that opens nothing is not helped by the cookie.
    for bad in ["Bearer x", "Bearer", "bearer mqa_x"] {
        let both = [cookie, ("x-csrf-token", &csrf), ("authorization", bad)];
        assert_eq!(ask(&both, &get, "/api/v1/me").await, refused(401, "invalid-token"), "{bad}");
        assert_eq!(ask(&both, &post, "/api/v1/change").await, refused(401, "invalid-token"), "{bad}");
        assert_ne!(ask(&both, &get, "/page").await.0, 200, "{bad}");
    }
    // With both it is a program's request: no token of forms, and nothing that only a person does.
    let bearer = format!("Bearer {token}");
    let both = [cookie, ("authorization", bearer.as_str())];
    assert_eq!(ask(&both, &post, "/api/v1/change").await.0, 200);
    assert_eq!(ask(&both, &post, "/api/v1/leave").await, refused(403, "scope-missing"));
    assert_eq!(ask(&both, &get, "/api/v1/csrf").await, (200, String::new()), "the session's token is not told");
    // Pages are for people.
    assert_eq!(ask(&both, &get, "/page").await.0, 401);
    assert_eq!(ask(&both, &post, "/page").await.0, 401);
    // Two tokens are none.
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(ask(&twice, &get, "/api/v1/me").await, refused(401, "invalid-token"));
    // Another scheme is not ours.
    assert_eq!(ask(&[cookie, ("authorization", "Basic YTpi")], &get, "/api/v1/me").await.0, 200);
}

#[tokio::test]
async fn a_personal_token_is_for_what_it_was_made_for() {
    let world = world().await;
    let (session, csrf) = world.browser().await;
    let make = async |scopes: Value| {
        let headers = [("cookie", session.as_str()), ("x-csrf-token", csrf.as_str())];
        world.send(AURORA, Method::POST, "/api/v1/make", &headers, &scopes).await
    };
    assert_eq!(make(json!([])).await, refused(422, "invalid"));
    assert_eq!(make(json!(["person"])).await, refused(422, "invalid"));
    let db = world.db("aurora").await;
    assert_eq!(queued(&db, MailKind::WayInChanged).await, [""; 0], "a token that was refused is no news");
    let (_, read) = make(json!(["read"])).await;
    assert_eq!(queued(&db, MailKind::WayInChanged).await, [ANN]);
    let (_, both) = make(json!(["read", "trade"])).await;
    assert!(read.starts_with("mq_"), "{read}");
    let table = [
        (&read, Method::GET, "/api/v1/me", (200, format!("aurora {ANN}"))),
        (&read, Method::POST, "/api/v1/change", refused(403, "scope-missing")),
        (&both, Method::POST, "/api/v1/change", (200, "changed".to_owned())),
        (&both, Method::POST, "/api/v1/leave", refused(403, "scope-missing")),
    ];
    for (token, method, path, expect) in table {
        assert_eq!(world.with(token, &[], method, path).await, expect, "{path}");
    }
    let user = db.user_by_email(ANN).await.unwrap().unwrap();
    let kept = db.personal_tokens_of(user.id, NOON).await.unwrap();
    assert!(kept.len() == 2 && kept.iter().all(|token| token.last_used_at == Some(NOON)));
    let ended = kept.iter().find(|token| token.scopes == "read trade").map(|token| token.id);
    assert_eq!(db.end_personal_tokens(user.id, ended, NOON).await.unwrap(), 1);
    assert_eq!(world.me(&json!(both)).await, refused(401, "invalid-token"));
    world.at(7 * DAY_MS);
    assert_eq!(world.me(&json!(read)).await, refused(401, "invalid-token"));
}

#[tokio::test]
async fn texts_of_tokens_are_not_stored() {
    let world = world().await;
    let tokens = world.sign_in(AURORA).await;
    let (session, csrf) = world.browser().await;
    let headers = [("cookie", session.as_str()), ("x-csrf-token", csrf.as_str())];
    let (_, personal) = world.send(AURORA, Method::POST, "/api/v1/make", &headers, &json!(["read"])).await;
    let stored = world.store.bytes();
    let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    for token in [text(&tokens, "access"), text(&tokens, "refresh"), &personal] {
        let (kind, bare) = token.split_once('_').unwrap();
        let digest = crate::secrets::Token::parse(bare).unwrap().digest();
        assert!(holds(&digest.0) && !holds(bare.as_bytes()), "{kind}");
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_with_the_password() {
    let world = world().await;
    let db = world.db("aurora").await;
    let user = db.user_by_email(ANN).await.unwrap().unwrap().id;
    let (keys, before) = (world.identity.vault().of(&db).await.unwrap(), NOON.plus(-MINUTE_MS));
    totp::begin(&db, &keys, user, before).await.unwrap();
    let app = totp::waiting(&db, &keys, user).await.unwrap().unwrap();
    let codes = factors::confirm_app(&db, &keys, user, &app.code_at(before), before).await.unwrap().unwrap();

    let with = |code: &str| json!({ "email": ANN, "password": "aurora password", "code": code });
    let password = json!({ "email": ANN, "password": "aurora password" });
    assert_eq!(world.enter(AURORA, &password).await, Err(refused(401, "code-required")));
    assert_eq!(world.enter(AURORA, &with("000000")).await, Err(refused(401, "code-required")));
    assert_eq!(recorded(&db, Act::ApiGrantOpened).await, [""; 0]);
    let code = app.code_at(NOON);
    let mut wrong = with(&code);
    wrong["password"] = json!("a wrong guess");
    assert_eq!(world.enter(AURORA, &wrong).await, Err(refused(401, "wrong-credentials")), "a code alone opens nothing");
    assert!(world.enter(AURORA, &with(&code)).await.is_ok());
    assert_eq!(world.enter(AURORA, &with(&code)).await, Err(refused(401, "code-required")), "a code works once");
    // Long enough for the limits to forget.
    world.at(15 * MINUTE_MS);
    assert!(world.enter(AURORA, &with(&codes[0])).await.is_ok(), "a backup code");
    assert_eq!(world.enter(AURORA, &with(&codes[0])).await, Err(refused(401, "code-required")));
    assert_eq!(recorded(&db, Act::ApiGrantOpened).await.len(), 2);
    // What a page would note of the same is noted here.
    let by_her = format!("person {ANN}: {user}");
    assert_eq!(recorded(&db, Act::BackupCodeUsed).await, [by_her.as_str()]);
    assert_eq!(recorded(&db, Act::SignInChallenged).await, [by_her.as_str()], "the password alone");
    let mut failed = recorded(&db, Act::SignInFailed).await;
    failed.sort();
    let guess = format!("nobody {ANN}: ");
    assert_eq!(failed, [guess.as_str(), &by_her, &by_her, &by_her], "a wrong password, a wrong code and two used ones");
}

#[tokio::test]
async fn a_suspended_person_reads_what_everybody_does_and_the_log_knows() {
    let world = world().await;
    let db = world.db("aurora").await;
    let ann = db.user_by_email(ANN).await.unwrap().unwrap();
    let gone = User { id: UserId(77), email: "gone@x.example".to_owned(), status: UserStatus::Suspended, ..ann };
    db.create_user(&gone).await.unwrap();
    let password = json!({ "email": gone.email, "password": "aurora password" });
    assert_eq!(world.enter(AURORA, &password).await, Err(refused(401, "wrong-credentials")));
    assert_eq!(recorded(&db, Act::SignInFailed).await, [format!("person {}: {}", gone.email, gone.id)]);
}

#[tokio::test]
async fn an_unusual_sign_in_is_confirmed_on_the_site_and_a_new_program_is_told_of() {
    let world = world().await;
    let db = world.db("aurora").await;
    let told = async || {
        let mails = db.mails(marque_store::MailStatus::Queued, marque_store::Page::default()).await.unwrap();
        mails.items.iter().filter(|mail| mail.kind == "new-device").count()
    };
    let password = json!({ "email": ANN, "password": "aurora password" });
    assert!(world.enter(AURORA, &password).await.is_ok());
    assert_eq!(told().await, 1, "a program that was never seen");
    assert!(world.enter(AURORA, &password).await.is_ok());
    assert_eq!(told().await, 1, "the same from the same place");

    let guess = json!({ "email": ANN, "password": "a wrong guess" });
    for _ in 0..3 {
        assert_eq!(world.enter(AURORA, &guess).await, Err(refused(401, "wrong-credentials")));
    }
    // Long enough for the limits to forget; that it failed is remembered for a day.
    world.at(15 * MINUTE_MS);
    let before = recorded(&db, Act::SignInFailed).await.len();
    assert_eq!(world.enter(AURORA, &password).await, Err(refused(403, "step-up-required")));
    assert_eq!(recorded(&db, Act::SignInFailed).await.len(), before + 1, "that it was refused is noted");
}

#[tokio::test]
async fn guessing_a_password_here_counts_as_at_the_page() {
    let world = world().await;
    let guess = json!({ "email": ANN, "password": "a wrong guess" });
    for _ in 0..3 {
        assert_eq!(world.enter(AURORA, &guess).await, Err(refused(401, "wrong-credentials")));
    }
    // Then the page asks a question, which a program has no way to answer; here that is the end for a while.
    for _ in 0..2 {
        assert_eq!(world.enter(AURORA, &guess).await, Err(refused(403, "question-asked")));
    }
    assert_eq!(world.enter(AURORA, &guess).await, Err(refused(429, "too-many-requests")));
}
