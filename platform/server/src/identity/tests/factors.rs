//! Second factors and step-up through the server.

use super::*;
use crate::{
    audit::{Act, Recorder},
    edge::Tenant,
    identity::{
        Visit,
        admission::{Answered, Proof},
        factors::{self, totp},
        one_time::{self, TokenKind},
        step_up::Confirmation,
    },
    problem::Problem,
    secrets::Token,
    testing::recorded,
};
use marque_domain::{id::UserId, time::MINUTE_MS};
use marque_store::{TenantDb, User, UserStatus};
use poem::{
    Request,
    web::{Data, Form},
};
use serde::Deserialize;

const EMAIL: &str = "ann@x.example";
const PASSWORD: &str = "aurora password";

#[derive(Deserialize)]
pub(super) struct Filled {
    code: String,
}

/// The page of a sign-in that waits, bare.
#[handler]
pub(super) async fn more(
    request: &Request,
    tenant: Tenant,
    Data(identity): Data<&Identity>,
    Data(recorder): Data<&Recorder>,
    Form(form): Form<Filled>,
) -> poem::Result<poem::Response> {
    match identity.answer(&tenant, request, recorder, Proof::Code(&form.code)).await? {
        Answered::Admitted(admission) => Ok(identity.respond(&tenant, request, admission).await?),
        Answered::Wrong { left } => {
            Ok(poem::Response::builder().status(StatusCode::UNAUTHORIZED).body(left.to_string()))
        }
        Answered::Over => Ok(identity.begin_anew()),
    }
}

#[handler]
pub(super) fn sensitive(who: SignedIn, Data(identity): Data<&Identity>) -> poem::Result<&'static str> {
    who.recently_proved(identity.now())?;
    Ok("done")
}

#[handler]
pub(super) async fn prove(
    who: SignedIn,
    Data(identity): Data<&Identity>,
    Form(form): Form<Filled>,
) -> poem::Result<String> {
    let proof = if form.code.contains("password") {
        Confirmation::Password(Secret::new(form.code.clone()))
    } else {
        Confirmation::Code(&form.code)
    };
    let right = identity.confirm(&who, proof).await?;
    Ok(right.to_string())
}

/// The link of a reset mail with a new password, bare.
#[handler]
pub(super) async fn reset(
    visit: Visit,
    Data(identity): Data<&Identity>,
    Form(form): Form<Filled>,
) -> poem::Result<&'static str> {
    let (token, password) = form.code.split_once(' ').unwrap();
    let password = Secret::new(password.to_owned());
    identity.reset_password(&visit, &Token::parse(token).unwrap(), password).await?;
    Ok("reset")
}

struct Ann {
    db: TenantDb,
    user: UserId,
    app: totp::Enrolment,
    codes: Vec<String>,
}

impl World {
    async fn ann(&self) -> (TenantDb, User) {
        let tenants = self.store.system().tenants().await.unwrap();
        let aurora = tenants.iter().find(|tenant| tenant.spec.slug.as_str() == "aurora").unwrap();
        let db = self.store.system().tenant_db(aurora.id);
        let user = db.user_by_email(EMAIL).await.unwrap().unwrap();
        (db, user)
    }

    /// Ann with an app, whose first code was that of a minute ago.
    async fn ann_with_app(&self) -> Ann {
        let (db, user) = self.ann().await;
        let before = NOON.plus(-MINUTE_MS);
        let keys = self.identity.vault().of(&db).await.unwrap();
        totp::begin(&db, &keys, user.id, before).await.unwrap();
        let app = totp::waiting(&db, &keys, user.id).await.unwrap().unwrap();
        assert_eq!(factors::confirm_app(&db, &keys, user.id, "000000x", before).await.unwrap(), None);
        let codes = factors::confirm_app(&db, &keys, user.id, &app.code_at(before), before).await.unwrap().unwrap();
        assert_eq!(codes.len(), 10);
        Ann { db, user: user.id, app, codes }
    }

    fn go_on(&self, ms: i64) -> Millis {
        Millis(self.now.fetch_add(ms, Ordering::Relaxed) + ms)
    }
}

impl Browser<'_> {
    /// Shows a password that is right, and is asked for more.
    async fn begin(&mut self) {
        self.cookies.clear();
        let answer = self.sign_in(EMAIL, PASSWORD).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/sign-in/more"));
        assert_eq!(self.who().await, None, "a password alone opens nothing");
    }

    pub(super) async fn show(&mut self, code: &str) -> (u16, String) {
        let csrf = self.csrf().await;
        let answer = self.post("/more", &[("csrf", &csrf), ("code", code)]).await;
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default())
    }
}

fn ok() -> (u16, String) {
    (303, "/me".to_owned())
}

fn over() -> (u16, String) {
    (303, "/sign-in?again=1".to_owned())
}

#[tokio::test]
async fn a_password_and_a_code() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut here = Browser::new(&world, AURORA);
    here.begin().await;
    let code = ann.app.code_at(NOON);
    assert_eq!(here.show("000000").await.0, 401);
    let kept = here.cookies.clone();
    assert_eq!(here.show(&format!("{} {}", &code[..3], &code[3..])).await, ok(), "as the app groups it");
    assert!(here.who().await.unwrap().starts_with("aurora ann@x.example"));
    assert!(!here.cookies.iter().any(|(name, _)| name.contains("more") || name.contains("form")), "{:?}", here.cookies);

    let mut there = Browser::new(&world, AURORA);
    there.cookies = kept;
    assert_eq!(there.show(&code).await, over(), "a challenge is answered once");
    there.begin().await;
    assert_eq!(there.show(&code).await.0, 401, "a code works once");
    world.go_on(30_000);
    let next = ann.app.code_at(world.identity.now());
    assert_eq!(there.show(&next).await, ok());
    // The secret is sealed where it lies.
    let key = ann.app.key().replace(' ', "");
    let stored = world.store.bytes();
    assert!(!stored.windows(key.len()).any(|window| window == key.as_bytes()));
}

#[tokio::test]
async fn five_wrong_codes_end_a_sign_in_and_ten_make_one_wait() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut guesser = Browser::new(&world, AURORA);
    for round in 0..2 {
        guesser.begin().await;
        for _ in 0..4 {
            assert_eq!(guesser.show("000000").await.0, 401, "{round}");
        }
        assert_eq!(guesser.show("000000").await, over());
        let right = ann.app.code_at(NOON);
        assert_eq!(guesser.show(&right).await, over(), "a dead challenge takes no code");
    }
    guesser.begin().await;
    assert_eq!(guesser.show(&ann.app.code_at(NOON)).await.0, 429, "nor does a new one, for a while");
    let later = world.go_on(15 * MINUTE_MS);
    guesser.begin().await;
    assert_eq!(guesser.show(&ann.app.code_at(later)).await, ok());
}

#[tokio::test]
async fn a_challenge_ends_in_time() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut late = Browser::new(&world, AURORA);
    late.begin().await;
    let later = world.go_on(10 * MINUTE_MS);
    assert_eq!(late.show(&ann.app.code_at(later)).await, over());
}

/// A reset sets the password first and ends what is under way after it.
#[tokio::test]
async fn a_challenge_ends_with_the_password_that_it_began_with() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut thief = Browser::new(&world, AURORA);
    thief.begin().await;
    assert!(ann.db.set_password(ann.user, &Concealed::new("another".to_owned()), None).await.unwrap());
    assert_eq!(thief.show(&ann.codes[0]).await, over());
    assert_eq!(thief.who().await, None);
    assert_eq!(ann.db.second_factors(ann.user).await.unwrap().backup_codes, 10, "nothing of hers is used up");
}

#[tokio::test]
async fn a_backup_code_works_once() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut here = Browser::new(&world, AURORA);
    here.begin().await;
    assert_eq!(here.show(&ann.codes[3].to_uppercase()).await, ok());
    here.begin().await;
    assert_eq!(here.show(&ann.codes[3]).await.0, 401);
    let by_her = format!("person {EMAIL}: {}", ann.user);
    assert_eq!(recorded(&ann.db, Act::BackupCodeUsed).await, [by_her.as_str()], "not the one that was refused");
    assert_eq!(recorded(&ann.db, Act::SignInChallenged).await, [by_her.as_str(); 2], "each password asked for more");
    assert_eq!(here.show(&ann.codes[4]).await, ok());
    assert_eq!(ann.db.second_factors(ann.user).await.unwrap().backup_codes, 8);
    let csrf = here.csrf().await;
    for right in ["true", "false"] {
        let answer = here.post("/prove", &[("csrf", &csrf), ("code", &ann.codes[6])]).await;
        assert_eq!(answer.text().await.unwrap(), right, "to confirm with it uses it up");
    }
    assert_eq!(recorded(&ann.db, Act::BackupCodeUsed).await, [by_her.as_str(); 3], "two to sign in, one to confirm");
    let stored = world.store.bytes();
    let bare = ann.codes[5].replace('-', "");
    assert!(!stored.windows(bare.len()).any(|window| window == bare.as_bytes()), "a code is not stored");
}

/// Four sign-ins that wait show the same right code a hundred times at once.
async fn race(world: &World, code: &str) -> usize {
    let mut tries = Vec::new();
    for _ in 0..4 {
        let mut browser = Browser::new(world, AURORA);
        browser.begin().await;
        let csrf = browser.csrf().await;
        for _ in 0..25 {
            let request = browser.request(Method::POST, "/more").header("origin", browser.origin());
            tries.push(request.form(&[("csrf", csrf.as_str()), ("code", code)]).send());
        }
    }
    let answers = futures_util::future::join_all(tries).await;
    let opened = |answer: &Response| {
        let cookies = answer.headers().get_all("set-cookie");
        cookies.iter().any(|cookie| cookie.to_str().unwrap().starts_with("__Host-marque="))
    };
    answers.into_iter().map(Result::unwrap).filter(opened).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_at_once_one_gets_in() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    assert_eq!(race(&world, &ann.app.code_at(NOON)).await, 1, "by the app's code");
    world.go_on(15 * MINUTE_MS);
    assert_eq!(race(&world, &ann.codes[0]).await, 1, "by a backup code");
}

#[tokio::test]
async fn who_is_suspended_stays_out() {
    let world = world("").await;
    let (db, ann) = world.ann().await;
    let email = "gone@x.example".to_owned();
    let gone = User { id: UserId(77), email: email.clone(), status: UserStatus::Suspended, ..ann };
    db.create_user(&gone).await.unwrap();
    let mut browser = Browser::new(&world, AURORA);
    let answer = browser.sign_in(&email, PASSWORD).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("suspended"));
    assert_eq!(browser.sign_in(&email, "wrong").await.status(), 401, "only who proved who they are is told");
}

#[tokio::test]
async fn sensitive_acts_need_a_proof_of_the_last_ten_minutes() {
    let world = world("").await;
    let mut ann = Browser::new(&world, AURORA);
    ann.sign_in(EMAIL, PASSWORD).await;
    world.go_on(10 * MINUTE_MS - 1);
    assert_eq!(ann.get("/api/v1/sensitive").await.status(), 200);
    world.go_on(1);
    let answer = ann.get("/api/v1/sensitive").await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("step-up-required"));
    let page = ann.get("/sensitive?x=1").await;
    assert_eq!(
        (page.status().as_u16(), page.headers()["location"].to_str().unwrap()),
        (303, "/confirm?next=/sensitive%3Fx%3D1")
    );
    let csrf = ann.csrf().await;
    let form = ann.request(Method::POST, "/sensitive").header("referer", format!("{}/page?y", ann.origin()));
    let answer = form.form(&[("csrf", &csrf)]).send().await.unwrap();
    assert_eq!(answer.headers()["location"], "/confirm?next=/page%3Fy", "back to the page with the form");

    for (proof, right) in [("123456", "false"), ("a wrong password", "false"), (PASSWORD, "true")] {
        let answer = ann.post("/prove", &[("csrf", &csrf), ("code", proof)]).await;
        assert_eq!(answer.text().await.unwrap(), right, "{proof}");
    }
    assert_eq!(ann.get("/api/v1/sensitive").await.status(), 200);
    // A clock that is set back prolongs nothing.
    world.go_on(-5 * MINUTE_MS);
    assert_eq!(ann.get("/api/v1/sensitive").await.status(), 403);
}

#[tokio::test]
async fn guessing_at_a_confirmation_is_limited() {
    let world = world("").await;
    let mut thief = Browser::new(&world, AURORA);
    thief.sign_in(EMAIL, PASSWORD).await;
    let csrf = thief.csrf().await;
    for _ in 0..10 {
        assert_eq!(thief.post("/prove", &[("csrf", &csrf), ("code", "password?")]).await.status(), 200);
    }
    let answer = thief.post("/prove", &[("csrf", &csrf), ("code", PASSWORD)]).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "900"));
}

#[tokio::test]
async fn a_password_alone_confirms_nobody_who_has_a_second_factor() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let mut thief = Browser::new(&world, AURORA);
    thief.begin().await;
    assert_eq!(thief.show(&ann.codes[0]).await, ok());
    let later = world.go_on(10 * MINUTE_MS);
    let csrf = thief.csrf().await;
    let app = ann.app.code_at(later);
    for (proof, status, opens) in
        [(PASSWORD, 401, 403), ("a wrong password", 401, 403), ("000000", 200, 403), (app.as_str(), 200, 200)]
    {
        let answer = thief.post("/prove", &[("csrf", &csrf), ("code", proof)]).await;
        assert_eq!(answer.status().as_u16(), status, "{proof}");
        assert_eq!(thief.get("/api/v1/sensitive").await.status().as_u16(), opens, "{proof}");
    }
    world.go_on(10 * MINUTE_MS);
    let answer = thief.post("/prove", &[("csrf", &csrf), ("code", &ann.codes[1])]).await;
    assert_eq!(answer.text().await.unwrap(), "true", "a backup code is one too");
}

/// Each is a hash, and everybody's sign-ins wait in the same line.
#[tokio::test]
async fn a_password_that_is_right_confirms_only_so_often() {
    let world = world("").await;
    let (mut ann, mut owner) = (Browser::new(&world, AURORA), Browser::new(&world, AURORA));
    ann.sign_in(EMAIL, PASSWORD).await;
    owner.sign_in("owner@x.example", PASSWORD).await;
    let csrf = ann.csrf().await;
    for n in 0..12 {
        let answer = ann.post("/prove", &[("csrf", &csrf), ("code", PASSWORD)]).await;
        assert_eq!(answer.status().as_u16(), if n < 10 { 200 } else { 429 }, "{n}");
    }
    let csrf = owner.csrf().await;
    assert_eq!(owner.post("/prove", &[("csrf", &csrf), ("code", PASSWORD)]).await.status(), 200, "others are not kept");
}

#[tokio::test]
async fn codes_are_one_persons_at_one_tenant() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let owner = ann.db.user_by_email("owner@x.example").await.unwrap().unwrap().id;
    let keys = world.identity.vault().of(&ann.db).await.unwrap();
    let redeem =
        async |user, code: &str| -> Result<_, Problem> { Ok(factors::redeem(&ann.db, &keys, user, code, NOON).await?) };
    for code in [ann.app.code_at(NOON), ann.codes[0].clone()] {
        assert_eq!(redeem(owner, &code).await.unwrap(), None);
        assert!(redeem(ann.user, &code).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_reset_by_mail_keeps_the_second_factor() {
    let world = world("").await;
    let ann = world.ann_with_app().await;
    let token = one_time::issue(&ann.db, TokenKind::ResetPassword, ann.user, &(), NOON).await.unwrap();
    let mut thief = Browser::new(&world, AURORA);
    let csrf = thief.csrf().await;
    let link = format!("{} correct horse battery", token.expose());
    assert_eq!(thief.post("/reset-link", &[("csrf", &csrf), ("code", &link)]).await.status(), 200);
    let answer = thief.sign_in(EMAIL, "correct horse battery").await;
    assert_eq!(answer.headers()["location"], "/sign-in/more", "who reads the mail still lacks the phone");
    assert_eq!(thief.who().await, None);
    assert_eq!(thief.show(&ann.app.code_at(NOON)).await, ok());
}
