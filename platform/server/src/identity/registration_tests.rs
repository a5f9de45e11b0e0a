//! Registration, confirmation and reset: what works once, what ends what, and that nothing tells who has an account.

mod strangers;

use super::{
    Identity, NewPerson, Registration, Role, Visit, WayIn, create_person,
    one_time::{self, TokenKind},
};
use crate::{
    audit::{self, Act, Recorder},
    clock::Clock,
    edge::{HostName, Resolver, Tenant},
    mail::{Courier, Postman},
    problem::{Problem, ProblemCode},
    secrets::{Secret, Token},
    testing::{self, Letter, NOON, TestStore, config, vault},
};
use marque_domain::{
    id::{SessionId, UserId},
    time::{DAY_MS, HOUR_MS, Millis},
};
use marque_store::User;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const GOOD: &str = "correct horse battery";
const BETTER: &str = "staple battery horse";

struct World {
    /// Kept: its folder goes with it.
    _store: TestStore,
    identity: Identity,
    postman: Postman,
    visit: Visit,
    elsewhere: Tenant,
    now: Arc<AtomicI64>,
    mails: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let store = TestStore::with_demo(&[]).await;
        let now = Arc::new(AtomicI64::new(NOON.0));
        let shown = Arc::clone(&now);
        let clock = Clock::from_fn(move || Millis(shown.load(Ordering::Relaxed)));
        let config = config("");
        let identity = Identity::new(&config, clock.clone(), vault()).unwrap();
        let mails = tempfile::tempdir().unwrap();
        let courier = Courier::Folder(mails.path().to_owned());
        let postman = Postman::new(identity.outbox().clone(), courier, store.system());
        let resolver = Resolver::new(store.system(), &config.limits);
        let host = HostName::parse("aurora.localhost").unwrap();
        let tenant = resolver.tenant(&host).await.unwrap();
        let elsewhere = resolver.tenant(&HostName::parse("borealis.localhost").unwrap()).await.unwrap();
        let visit = Visit::for_tests(tenant, host, Recorder::new(vault(), clock, audit::Origin::default()));
        Self { _store: store, identity, postman, visit, elsewhere, now, mails }
    }

    async fn add(&self, email: &str) -> User {
        let new = NewPerson {
            email: email.to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new(GOOD.to_owned()),
            role: Role::Trader,
        };
        create_person(self.visit.tenant.db(), self.identity.passwords(), new, self.now()).await.unwrap()
    }

    async fn register(&self, email: &str, password: &str) -> Result<(), Problem> {
        let form = Registration {
            email: email.to_owned(),
            display_name: "Ann".to_owned(),
            password: Secret::new(password.to_owned()),
        };
        self.identity.register(&self.visit, form).await
    }

    /// Delivers what is queued and answers it.
    async fn letters(&mut self) -> Vec<Letter> {
        self.now.fetch_add(61_000, Ordering::Relaxed);
        self.postman.work().await;
        testing::take_letters(self.mails.path(), "aurora")
    }

    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    async fn person(&self, email: &str) -> Option<User> {
        self.visit.tenant.db().user_by_email(email).await.unwrap()
    }

    async fn opens(&self, email: &str, password: &str) -> bool {
        let stored = self.person(email).await.map(|user| user.password_hash);
        self.identity.passwords().verify(Secret::new(password.to_owned()), stored).await.unwrap()
    }

    /// What was recorded, oldest first.
    async fn acts(&self) -> Vec<String> {
        testing::acts(self.visit.tenant.db()).await
    }

    async fn recorded(&self, act: Act) -> Vec<String> {
        testing::recorded(self.visit.tenant.db(), act).await
    }

    /// What the server did meanwhile: hashes, audit entries, mails queued, bytes of tokens' rows are another matter.
    async fn work(&mut self, before: (u64, usize)) -> (u64, usize, Vec<Letter>) {
        let (hashes, acts) = (self.identity.passwords().computed() - before.0, self.acts().await.len() - before.1);
        (hashes, acts, self.letters().await)
    }

    async fn measure(&self) -> (u64, usize) {
        (self.identity.passwords().computed(), self.acts().await.len())
    }
}

fn code(refused: Result<(), Problem>) -> ProblemCode {
    refused.expect_err("it is refused").code
}

#[tokio::test]
async fn who_registers_confirms_the_address_once() {
    let mut world = World::new().await;
    world.register(" New@X.example", GOOD).await.unwrap();
    let person = world.person("new@x.example").await.unwrap();
    assert_eq!((person.email_verified_at, person.role.as_str()), (None, "trader"));
    assert!(world.opens("new@x.example", GOOD).await);
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].kind.as_str()), (1, "verify-email"));
    assert!(letters[0].to.contains("new@x.example"));
    let token = letters[0].token.clone().unwrap();
    // It is nobody's at another brand.
    let mut there = world.visit.clone();
    there.tenant = world.elsewhere.clone();
    assert_eq!(code(world.identity.verify_email(&there, &token).await), ProblemCode::LinkEnded);
    let tries = (0..20).map(|_| world.identity.verify_email(&world.visit, &token));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "it works once");
    assert!(world.person("new@x.example").await.unwrap().email_verified_at.is_some());
    assert_eq!(world.acts().await, ["registered", "email-verified"]);

    // Another link is for who has not confirmed yet.
    world.identity.resend_verification(&world.visit, person.id).await.unwrap();
    assert!(world.letters().await.is_empty());
    assert_eq!(world.recorded(Act::VerificationSent).await, [""; 0]);
}

#[tokio::test]
async fn who_has_another_way_in_reads_of_it_and_what_to_do() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    world.identity.tell_way_in(&world.visit, ann.id, WayIn::Identity("Acme & Sons")).await;
    let letters = world.letters().await;
    let [letter] = letters.as_slice() else { panic!("one mail, not {}", letters.len()) };
    assert_eq!(letter.kind, "way-in-changed");
    assert!(letter.to.contains("ann@x.example") && letter.token.is_none());
    for part in [
        "An identity of Acme & Sons was linked.",
        "On 20 Nov 2026, ",
        "http://aurora.localhost:8080/security",
        "http://aurora.localhost:8080/forgot",
    ] {
        assert!(letter.text.contains(part), "{part} is not in {}", letter.text);
    }
}

#[tokio::test]
async fn a_link_to_confirm_an_address_ends() {
    let mut world = World::new().await;
    world.register("new@x.example", GOOD).await.unwrap();
    let first = world.letters().await.remove(0).token.unwrap();
    world.now.fetch_add(DAY_MS, Ordering::Relaxed);
    assert_eq!(code(world.identity.verify_email(&world.visit, &first).await), ProblemCode::LinkEnded);
    let person = world.person("new@x.example").await.unwrap();
    world.identity.resend_verification(&world.visit, person.id).await.unwrap();
    let second = world.letters().await.remove(0).token.unwrap();
    assert_eq!(world.recorded(Act::VerificationSent).await, ["person new@x.example: new@x.example"]);
    // The address changes before the link is opened: it confirms the old one, which is no longer theirs.
    world.visit.tenant.db().change_email(person.id, "newer@x.example", world.now()).await.unwrap();
    assert_eq!(code(world.identity.verify_email(&world.visit, &second).await), ProblemCode::LinkEnded);
}

/// The oracle of "no enumeration": the same answer, the same number of hashes, audit entries and mails. What differs
/// is in the mail, which only the owner of the address reads.
#[tokio::test]
async fn registering_a_taken_address_does_the_same_work() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    let before = world.measure().await;
    world.register("new@x.example", BETTER).await.unwrap();
    let (hashes, acts, new) = world.work(before).await;
    let before = world.measure().await;
    world.register("ANN@x.example", BETTER).await.unwrap();
    let (hashes_taken, acts_taken, taken) = world.work(before).await;
    assert_eq!((hashes, acts, new.len()), (hashes_taken, acts_taken, taken.len()));
    assert_eq!((hashes, acts, new.len()), (2, 1, 1), "measured and hashed");
    assert_eq!((new[0].kind.as_str(), taken[0].kind.as_str()), ("verify-email", "already-registered"));
    assert!(taken[0].to.contains("ann@x.example") && new[0].token.is_some() && taken[0].token.is_some());
    assert_eq!(world.person("ann@x.example").await.unwrap(), ann, "nothing of hers changed");
    let repeated = ["nobody ann@x.example: ann@x.example"];
    assert_eq!(world.recorded(Act::RegistrationRepeated).await, repeated, "whoever it was");

    // Refusals too come before anything is looked up.
    for email in ["ann@x.example", "new2@x.example"] {
        let before = world.measure().await;
        let refused = world.register(email, "password1").await.expect_err("weak");
        assert_eq!((refused.code, refused.errors[0].field.as_str()), (ProblemCode::Invalid, "password"));
        let (hashes, acts, letters) = world.work(before).await;
        assert_eq!((hashes, acts, letters.len()), (1, 0, 0), "{email}");
    }
    let refused = world.register("not an address", GOOD).await.expect_err("no address");
    assert_eq!(refused.errors[0].field, "email");
    assert_eq!(world.recorded(Act::RegistrationRepeated).await, repeated);
}

#[tokio::test]
async fn asking_for_a_password_tells_nothing_either() {
    let mut world = World::new().await;
    world.add("ann@x.example").await;
    let mut seen = Vec::new();
    for email in ["ann@x.example", "nobody@x.example"] {
        let before = world.measure().await;
        world.identity.ask_reset(&world.visit, email).await.unwrap();
        let (hashes, acts, letters) = world.work(before).await;
        assert!(letters[0].to.contains(email));
        seen.push((hashes, acts, letters.len()));
    }
    assert_eq!(seen, [(0, 1, 1), (0, 1, 1)]);
}

#[tokio::test]
async fn mail_is_not_sent_without_end_and_the_refusal_tells_nothing() {
    let mut world = World::new().await;
    world.add("ann@x.example").await;
    for email in ["ann@x.example", "nobody@x.example"] {
        for _ in 0..3 {
            world.identity.ask_reset(&world.visit, email).await.unwrap();
            world.register(email, GOOD).await.unwrap();
        }
        // Whether a password is good may be tried without end; mail is not.
        for _ in 0..5 {
            assert_eq!(code(world.register("new@x.example", "password1").await), ProblemCode::Invalid);
        }
        assert_eq!(code(world.identity.ask_reset(&world.visit, email).await), ProblemCode::TooManyRequests);
        assert_eq!(code(world.register(email, GOOD).await), ProblemCode::TooManyRequests);
        assert_eq!(world.letters().await.len(), 6);
        world.now.fetch_add(HOUR_MS, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_ends_what_it_opened() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    let db = world.visit.tenant.db().clone();
    for id in [1, 2] {
        db.create_session(&session(id, ann.id, world.now())).await.unwrap();
    }
    testing::programs(&db, ann.id, world.now()).await;
    world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
    world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
    let mut letters = world.letters().await;
    let (other, token) = (letters.remove(0).token.unwrap(), letters.remove(0).token.unwrap());

    // A password that is refused leaves the link as it is.
    let weak = world.identity.reset_password(&world.visit, &token, Secret::new("password1".to_owned())).await;
    assert_eq!(weak.expect_err("weak").errors[0].field, "password");
    let tries = (0..8).map(|_| world.identity.reset_password(&world.visit, &token, Secret::new(BETTER.to_owned())));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");

    assert!(world.opens("ann@x.example", BETTER).await && !world.opens("ann@x.example", GOOD).await);
    assert_eq!(db.delete_sessions_of(ann.id).await.unwrap(), 0, "both had ended");
    assert_eq!(db.end_grants_of(ann.id, world.now()).await.unwrap(), 0, "so had the program's sign-in");
    assert_eq!(db.end_personal_tokens(ann.id, None, world.now()).await.unwrap(), 0, "and the personal token");
    let again = world.identity.reset_password(&world.visit, &other, Secret::new(GOOD.to_owned())).await;
    assert_eq!(code(again), ProblemCode::LinkEnded, "the other link ended too");
    assert_eq!(world.letters().await[0].kind, "password-changed");
    assert_eq!(world.acts().await, ["password-reset-asked", "password-reset-asked", "password-reset"]);
}

#[tokio::test]
async fn a_link_to_reset_lasts_an_hour_and_confirms_the_address() {
    let mut world = World::new().await;
    world.register("new@x.example", GOOD).await.unwrap();
    world.letters().await;
    world.identity.ask_reset(&world.visit, "new@x.example").await.unwrap();
    let late = world.letters().await.remove(0).token.unwrap();
    world.now.fetch_add(HOUR_MS, Ordering::Relaxed);
    let outcome = world.identity.reset_password(&world.visit, &late, Secret::new(BETTER.to_owned())).await;
    assert_eq!(code(outcome), ProblemCode::LinkEnded);
    world.identity.ask_reset(&world.visit, "new@x.example").await.unwrap();
    let token = world.letters().await.remove(0).token.unwrap();
    world.identity.reset_password(&world.visit, &token, Secret::new(BETTER.to_owned())).await.unwrap();
    assert!(world.person("new@x.example").await.unwrap().email_verified_at.is_some(), "the link came by mail");
}

#[tokio::test]
async fn who_is_invited_accepts_once_by_choosing_a_password() {
    let world = World::new().await;
    let ann = world.add("ann@x.example").await;
    let db = world.visit.tenant.db();
    let token = one_time::issue(db, TokenKind::Invitation, ann.id, &(), world.now()).await.unwrap();
    let choose = async |password: &str| {
        world.identity.reset_password(&world.visit, &token, Secret::new(password.to_owned())).await
    };
    assert_eq!(code(choose("password1").await), ProblemCode::Invalid);
    assert_eq!(world.acts().await, [""; 0]);
    choose(BETTER).await.unwrap();
    assert_eq!(code(choose(GOOD).await), ProblemCode::LinkEnded);
    assert_eq!(world.recorded(Act::InvitationAccepted).await, ["person ann@x.example: ann@x.example"]);
    assert_eq!(world.acts().await, ["invitation-accepted"]);
}

#[tokio::test]
async fn a_changed_password_keeps_this_session_only() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    let db = world.visit.tenant.db().clone();
    for id in [1, 2, 3] {
        db.create_session(&session(id, ann.id, world.now())).await.unwrap();
    }
    testing::programs(&db, ann.id, world.now()).await;
    let change = async |password: &str| {
        let password = Secret::new(password.to_owned());
        world.identity.change_password(&world.visit, ann.id, SessionId(2), password).await
    };
    assert_eq!(code(change("ann@x.example").await), ProblemCode::Invalid);
    change(BETTER).await.unwrap();
    assert!(world.opens("ann@x.example", BETTER).await);
    assert!(db.delete_session(SessionId(2)).await.unwrap(), "it stayed");
    assert_eq!(db.delete_sessions_of(ann.id).await.unwrap(), 0);
    assert_eq!(db.end_grants_of(ann.id, world.now()).await.unwrap(), 0, "programs sign in anew");
    assert_eq!(db.end_personal_tokens(ann.id, None, world.now()).await.unwrap(), 1, "what its owner made stays");
    assert_eq!(world.letters().await[0].kind, "password-changed");
}

#[tokio::test]
async fn a_hash_of_another_cost_is_renewed_at_sign_in() {
    let world = World::new().await;
    let ann = world.add("ann@x.example").await;
    let cheap = crate::identity::Cost { memory_kib: 8_192, passes: 1 }.hash(GOOD.as_bytes()).unwrap();
    world.visit.tenant.db().set_password(ann.id, &cheap, None).await.unwrap();
    let right = async |password: &str| {
        let mut person = world.person("ann@x.example").await;
        let password = Secret::new(password.to_owned());
        let right = world.identity.password_is_right(&world.visit.tenant, person.as_mut(), password).await.unwrap();
        // What was renewed is no other password.
        assert_eq!(person, world.person("ann@x.example").await);
        right
    };
    assert!(!right(BETTER).await);
    assert_eq!(world.person("ann@x.example").await.unwrap().password_hash, cheap);
    assert!(right(GOOD).await);
    let renewed = world.person("ann@x.example").await.unwrap().password_hash;
    assert!(renewed != cheap && right(GOOD).await);
    assert_eq!(world.person("ann@x.example").await.unwrap().password_hash, renewed, "once is enough");
}

#[tokio::test]
async fn an_address_changes_when_mail_reaches_it() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    world.add("bob@x.example").await;
    // A link to reset that went to the former address must not work once the address has changed.
    world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
    let reset = world.letters().await.remove(0).token.unwrap();

    world.identity.ask_email_change(&world.visit, ann.id, "Ann@New.example").await.unwrap();
    let mut letters = world.letters().await;
    letters.sort_by(|a, b| a.kind.cmp(&b.kind));
    let kinds: Vec<_> =
        letters.iter().map(|letter| (letter.kind.as_str(), letter.to.contains("new.example"))).collect();
    assert_eq!(kinds, [("confirm-email", true), ("email-changed", false)], "the former address is told");
    assert!(world.person("ann@new.example").await.is_none(), "not yet");
    let token = letters.remove(0).token.unwrap();
    world.identity.confirm_email_change(&world.visit, &token).await.unwrap();
    assert_eq!(world.person("ann@new.example").await.unwrap().id, ann.id);
    assert_eq!(code(world.identity.confirm_email_change(&world.visit, &token).await), ProblemCode::LinkEnded);
    let late = world.identity.reset_password(&world.visit, &reset, Secret::new(BETTER.to_owned())).await;
    assert_eq!(code(late), ProblemCode::LinkEnded);
    let letters = world.letters().await;
    assert_eq!((letters.len(), letters[0].kind.as_str()), (1, "email-replaced"), "and the former address is told");
    assert!(letters[0].to.contains("ann@x.example"));

    // An address that somebody has is answered the same; only its owner hears of it.
    world.identity.ask_email_change(&world.visit, ann.id, "bob@x.example").await.unwrap();
    let letters = world.letters().await;
    assert_eq!(letters.len(), 2);
    let told = letters.iter().find(|letter| letter.kind == "email-taken").unwrap();
    assert!(told.to.contains("bob@x.example") && told.token.is_none());
}

/// Whoever was in the account may have asked for another address: a new password takes that back too.
#[tokio::test]
async fn a_new_password_ends_a_change_of_address() {
    let mut world = World::new().await;
    let ann = world.add("ann@x.example").await;
    for by_mail in [true, false] {
        world.identity.ask_email_change(&world.visit, ann.id, "thief@x.example").await.unwrap();
        let theirs = world.letters().await.into_iter().find(|letter| letter.kind == "confirm-email").unwrap();
        if by_mail {
            world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
            let token = world.letters().await.remove(0).token.unwrap();
            world.identity.reset_password(&world.visit, &token, Secret::new(BETTER.to_owned())).await.unwrap();
        } else {
            let password = Secret::new(GOOD.to_owned());
            world.identity.change_password(&world.visit, ann.id, SessionId(1), password).await.unwrap();
        }
        let late = world.identity.confirm_email_change(&world.visit, &theirs.token.unwrap()).await;
        assert_eq!(code(late), ProblemCode::LinkEnded, "{by_mail}");
    }
    assert_eq!(world.person("ann@x.example").await.unwrap().id, ann.id);
}

/// Registering with somebody's address sends them a mail: from many places it is no more often than asking for one.
#[tokio::test]
async fn nobody_is_flooded_with_mail_by_who_registers_from_many_places() {
    let mut world = World::new().await;
    world.add("ann@x.example").await;
    world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
    let wanted = world.letters().await.remove(0).token.unwrap();
    for n in 0..10_u8 {
        world.visit.client = [198, 51, 100, n].into();
        for email in ["ann@x.example", "nobody@x.example"] {
            let registered = world.register(email, GOOD).await.map_err(|problem| problem.code);
            assert_eq!(registered, if n < 3 { Ok(()) } else { Err(ProblemCode::TooManyRequests) }, "{n} {email}");
        }
    }
    assert_eq!(world.letters().await.len(), 6);
    for _ in 0..2 {
        world.identity.ask_reset(&world.visit, "ann@x.example").await.unwrap();
    }
    let reset = world.identity.reset_password(&world.visit, &wanted, Secret::new(BETTER.to_owned())).await;
    assert_eq!(reset.map_err(|problem| problem.code), Ok(()), "the link that she waits for still works");
}

#[tokio::test]
async fn passwords_are_measured_for_an_address_some_dozens_of_times_an_hour() {
    let world = World::new().await;
    for n in 0..40 {
        let expected = if n < 30 { ProblemCode::Invalid } else { ProblemCode::TooManyRequests };
        assert_eq!(code(world.register("new@x.example", "password1").await), expected, "{n}");
    }
    // Nor without end for who is signed in or has a link, which is not used up by that.
    let ann = world.add("ann@x.example").await;
    let wanted = || Secret::new(BETTER.to_owned());
    let changed = world.identity.change_password(&world.visit, ann.id, SessionId(1), wanted()).await;
    assert_eq!(code(changed), ProblemCode::TooManyRequests);
    let db = world.visit.tenant.db();
    let token = one_time::issue(db, TokenKind::ResetPassword, ann.id, &(), world.now()).await.unwrap();
    let reset = world.identity.reset_password(&world.visit, &token, wanted()).await;
    assert_eq!(code(reset), ProblemCode::TooManyRequests);
    assert!(one_time::look(db, TokenKind::ResetPassword, &token, world.now()).await.unwrap().is_some());
}

#[tokio::test]
async fn of_two_who_want_an_address_one_gets_it() {
    let mut world = World::new().await;
    let (ann, bob) = (world.add("ann@x.example").await, world.add("bob@x.example").await);
    for person in [&ann, &bob] {
        world.identity.ask_email_change(&world.visit, person.id, "both@x.example").await.unwrap();
    }
    let letters = world.letters().await;
    let tokens: Vec<Token> = letters.into_iter().filter_map(|letter| letter.token).collect();
    assert_eq!(tokens.len(), 2);
    world.identity.confirm_email_change(&world.visit, &tokens[0]).await.unwrap();
    assert_eq!(code(world.identity.confirm_email_change(&world.visit, &tokens[1]).await), ProblemCode::Conflict);
}

fn session(id: i64, user: UserId, now: Millis) -> marque_store::Session {
    marque_store::Session {
        id: SessionId(id),
        token_hash: marque_store::TokenHash([u8::try_from(id).unwrap(); 32]),
        user,
        csrf: marque_store::Concealed::new(String::new()),
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus(DAY_MS),
        address: String::new(),
        agent: String::new(),
        method: "password".to_owned(),
        proved_at: now,
        country: None,
        device: None,
    }
}
