//! Mail as its readers get it, and as a mail server that is down, slow or unwilling makes it.

use super::{Courier, Mail, MailKind, Outbox, Postman, one_line};
use crate::{
    clock::Clock,
    edge::{HostName, Resolver, Tenant},
    identity::{
        NewPerson, Passwords, Role, create_person,
        one_time::{self, TokenKind},
    },
    secrets::Secret,
    testing::{NOON, TestStore, config, vault},
};
use marque_domain::time::{DAY_MS, MINUTE_MS, Millis};
use marque_store::{MailStatus, Page, QueuedMail};
use proptest::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

mod sink;

use sink::{Sink, Taken};

/// A queue with its postman, on a clock that a test turns.
struct Office {
    store: TestStore,
    outbox: Outbox,
    postman: Postman,
    aurora: Tenant,
    borealis: Tenant,
    now: Arc<AtomicI64>,
}

impl Office {
    async fn new(courier: Courier) -> Self {
        let store = TestStore::with_demo(&[]).await;
        let now = Arc::new(AtomicI64::new(NOON.0));
        let shown = Arc::clone(&now);
        let clock = Clock::from_fn(move || Millis(shown.load(Ordering::Relaxed)));
        let config = config("");
        let outbox = Outbox::new(&config, vault(), clock).unwrap();
        let resolver = Resolver::new(store.system(), &config.limits);
        let tenant = async |host: &str| resolver.tenant(&HostName::parse(host).unwrap()).await.unwrap();
        let (aurora, borealis) = (tenant("aurora.localhost").await, tenant("borealis.localhost").await);
        let postman = Postman::new(outbox.clone(), courier, store.system());
        Self { postman, store, outbox, aurora, borealis, now }
    }

    /// Over a mail server at an address.
    async fn over(address: &str) -> Self {
        let settings = config(&format!("[mail]\nsmtp_url = \"smtp://{address}\""));
        Self::new(Courier::new(&settings).unwrap()).await
    }

    /// Lets the postman look as often as the time passes.
    async fn pass(&mut self, ms: i64) {
        let step = MINUTE_MS / 2;
        for _ in 0..=ms / step {
            self.postman.work().await;
            self.now.fetch_add(step, Ordering::Relaxed);
        }
    }

    async fn mails(&self, status: MailStatus) -> Vec<QueuedMail> {
        self.aurora.db().mails(status, Page::default()).await.unwrap().items
    }
}

fn mail(email: &str, name: &str) -> Mail {
    let mut mail = Mail::new(MailKind::ResetPassword, email, name);
    mail.values = MailKind::ResetPassword.sample();
    mail
}

fn one(mails: &[Taken]) -> &Taken {
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails.first().unwrap()
}

#[tokio::test]
async fn a_mail_is_read_in_its_brands_looks_and_as_text() {
    let Some(sink) = Sink::start("").await else { return };
    let mut office = Office::over(&sink.address).await;
    office.outbox.queue(&office.aurora, mail("ann@x.example", "Ann Nováková")).await.unwrap();
    office.outbox.queue(&office.borealis, mail("ann@x.example", "")).await.unwrap();
    office.pass(0).await;
    let mut got = sink.mails();
    got.sort_by(|a, b| a.from.cmp(&b.from));
    let [aurora, borealis] = got.as_slice() else { panic!("two mails: {got:?}") };
    assert_eq!((aurora.from.as_str(), aurora.to.as_str()), ("desk@aurora.localhost", "ann@x.example"));
    assert_eq!(borealis.from, "no-reply@borealis.localhost", "without a sender of its own: at its host");
    assert_eq!(aurora.header("From"), "Aurora Markets <desk@aurora.localhost>");
    assert_eq!(aurora.header("To"), "Ann Nováková <ann@x.example>");
    assert_eq!(borealis.header("To"), "ann@x.example");
    assert_eq!(aurora.header("Subject"), "Choose a new password for Aurora Markets");
    assert_eq!(aurora.header("Auto-Submitted"), "auto-generated");
    assert_eq!(aurora.header("Date"), "Fri, 20 Nov 2026 12:00:00 +0000");
    assert!(aurora.header("Message-ID").ends_with("@aurora.localhost>"));
    insta::assert_snapshot!(aurora.text);
    let accent = office.aurora.definition.tokens.accent.to_string();
    assert!(aurora.html.contains(&accent) && aurora.html.contains("Hello Ann Nováková,"), "{}", aurora.html);
    assert!(!borealis.html.contains(&accent) && borealis.html.contains("Hello,"));
    assert!(!format!("{got:?}").to_lowercase().contains("googleapis"), "a mail fetches nothing");
    // No byte of one brand in the other's mail.
    for (mail, other) in [(aurora, "Borealis"), (borealis, "Aurora")] {
        assert!(!mail.raw.contains(other), "{}", mail.raw);
    }
}

#[tokio::test]
async fn what_was_sent_is_forgotten_and_what_waits_is_sealed() {
    let Some(sink) = Sink::start("").await else { return };
    let mut office = Office::over(&sink.address).await;
    let with_secret = mail("ann@x.example", "Ann").with("link", "https://x.example/reset?token=S3CRETS3CRET");
    office.outbox.queue(&office.aurora, with_secret).await.unwrap();
    let holds = |needle: &[u8]| office.store.bytes().windows(needle.len()).any(|window| window == needle);
    assert!(holds(b"ann@x.example"), "the search works");
    assert!(!holds(b"S3CRETS3CRET"));
    office.postman.work().await;
    assert!(one(&sink.mails()).text.contains("S3CRETS3CRET"));
    assert_eq!(office.mails(MailStatus::Sent).await.len(), 1);
    office.pass(31 * DAY_MS / 400).await;
    assert_eq!(office.mails(MailStatus::Sent).await.len(), 1);
    office.now.fetch_add(31 * DAY_MS, Ordering::Relaxed);
    office.postman.work().await;
    assert_eq!(office.mails(MailStatus::Sent).await.len(), 0, "its row goes after thirty days");
    assert_eq!(sink.mails().len(), 1, "and it was sent once");
}

#[tokio::test]
async fn names_with_line_breaks_cannot_write_headers() {
    let Some(sink) = Sink::start("").await else { return };
    let mut office = Office::over(&sink.address).await;
    let names = [
        "Ann\r\nBcc: thief@evil.example",
        "Ann\nSubject: hello",
        "Ann\r\n\r\n<h1>body</h1>",
        "\u{0}\u{1b}[31m\u{2028}Ann\u{85}",
        "\"Ann\" <thief@evil.example>",
        "Ann, thief@evil.example;",
        "<mj-text>{{it.link}}</mj-text><script>alert(1)</script>",
        "=?utf-8?q?Ann?= \\\" (comment",
        &"ž".repeat(500),
        "\r\n",
    ];
    for (n, name) in names.iter().enumerate() {
        office.outbox.queue(&office.aurora, mail(&format!("n{n}@x.example"), name)).await.unwrap();
    }
    office.pass(0).await;
    let mails = sink.mails();
    assert_eq!(mails.len(), names.len());
    for mail in &mails {
        assert_eq!(mail.headers.len(), 8, "{:?}", mail.headers);
        assert!(mail.to.ends_with("@x.example"), "one recipient: {}", mail.to);
        assert_eq!(mail.recipients, 1);
        assert_eq!(mail.header("Subject"), "Choose a new password for Aurora Markets");
        assert!(!mail.html.contains("<script") && !mail.html.contains("<h1>body"), "{}", mail.html);
        assert!(!mail.text.contains('\u{1b}') && !mail.text.contains('\u{0}'));
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_is_refused_before_it_is_queued() {
    let office = Office::new(Courier::Folder("/nowhere".into())).await;
    for bad in
        ["", "ann", "ann@x.example\r\nRCPT TO:<thief@evil.example>", "ann@x.example, b@x.example", "<a@x.example>"]
    {
        let refused = office.outbox.queue(&office.aurora, mail(bad, "Ann")).await;
        assert!(matches!(refused, Err(super::MailError::Address(_))), "{bad:?}");
    }
    assert!(office.mails(MailStatus::Queued).await.is_empty());
}

#[tokio::test]
async fn a_mail_outlives_an_outage() {
    let Some(sink) = Sink::start("").await else { return };
    let address = sink.address.clone();
    drop(sink);
    let mut office = Office::over(&address).await;
    office.outbox.queue(&office.aurora, mail("ann@x.example", "Ann")).await.unwrap();
    office.pass(20 * MINUTE_MS).await;
    let waiting = office.mails(MailStatus::Queued).await;
    assert!(waiting[0].attempts > 2 && waiting[0].last_error.is_some(), "{waiting:?}");

    let Some(sink) = Sink::start_at(&address, "").await else { return };
    office.pass(60 * MINUTE_MS).await;
    assert_eq!(one(&sink.mails()).to, "ann@x.example");
    assert!(office.mails(MailStatus::Queued).await.is_empty());
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_until_it_is_dead_and_can_be_tried_again() {
    let Some(sink) = Sink::start("450 4.2.1 try later").await else { return };
    let mut office = Office::over(&sink.address).await;
    office.outbox.queue(&office.aurora, mail("ann@x.example", "Ann")).await.unwrap();
    office.pass(0).await;
    assert_eq!(office.mails(MailStatus::Queued).await[0].attempts, 1);
    office.pass(DAY_MS * 3 / 2).await;
    let dead = office.mails(MailStatus::Dead).await;
    assert_eq!((dead.len(), dead[0].attempts), (1, 9), "the first try and eight more");
    assert!(dead[0].last_error.as_deref().unwrap().contains("try later"), "{dead:?}");

    sink.answer("");
    office.pass(DAY_MS / 24).await;
    assert!(sink.mails().is_empty(), "dead is dead until somebody says otherwise");
    let now = Millis(office.now.load(Ordering::Relaxed));
    assert!(office.aurora.db().retry_mail(dead[0].id, now).await.unwrap());
    office.pass(MINUTE_MS * 2).await;
    assert_eq!(one(&sink.mails()).to, "ann@x.example");
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let Some(sink) = Sink::start("550 5.1.1 no such mailbox").await else { return };
    let mut office = Office::over(&sink.address).await;
    office.outbox.queue(&office.aurora, mail("ann@x.example", "Ann")).await.unwrap();
    office.pass(0).await;
    let dead = office.mails(MailStatus::Dead).await;
    assert_eq!((dead[0].attempts, dead[0].last_error.as_deref().unwrap().contains("no such mailbox")), (1, true));

    // But a server that wants another password is the operator's affair: the mail waits for it.
    sink.answer("535 5.7.8 bad credentials");
    office.outbox.queue(&office.aurora, mail("bob@x.example", "Bob")).await.unwrap();
    office.pass(2 * MINUTE_MS).await;
    assert_eq!(office.mails(MailStatus::Queued).await.len(), 1);
}

#[tokio::test]
async fn two_postmen_send_each_mail_once() {
    let Some(sink) = Sink::start("").await else { return };
    let mut office = Office::over(&sink.address).await;
    let settings = config(&format!("[mail]\nsmtp_url = \"smtp://{}\"", sink.address));
    let mut other = Postman::new(office.outbox.clone(), Courier::new(&settings).unwrap(), office.store.system());
    for n in 0..30 {
        office.outbox.queue(&office.aurora, mail(&format!("n{n}@x.example"), "Ann")).await.unwrap();
    }
    for _ in 0..4 {
        tokio::join!(office.postman.work(), other.work());
    }
    let mut to: Vec<String> = sink.mails().into_iter().map(|mail| mail.to).collect();
    to.sort();
    let all = to.len();
    to.dedup();
    assert_eq!((all, to.len()), (30, 30));
}

#[tokio::test]
async fn a_mail_that_was_sent_and_not_noted_comes_again_and_its_link_works() {
    let Some(sink) = Sink::start("stall").await else { return };
    let mut office = Office::over(&sink.address).await;
    let person = NewPerson {
        email: "ann@x.example".to_owned(),
        display_name: "Ann".to_owned(),
        password: Secret::new("correct horse battery".to_owned()),
        role: Role::Trader,
    };
    let passwords = Passwords::new(&config("").limits).unwrap();
    let ann = create_person(office.aurora.db(), &passwords, person, NOON).await.unwrap();
    let (token, row) = one_time::prepare(TokenKind::ResetPassword, ann.id, &(), NOON).unwrap();
    let letter = mail(&ann.email, "Ann").with("link", format!("https://x.example/reset?token={}", token.expose()));
    office.outbox.queue_with(&office.aurora, letter, Some(row)).await.unwrap();
    let taken = async {
        while sink.mails().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    // What works is dropped where it stands, as by kill -9: the mail server has the mail, and nobody here knows.
    tokio::select! {
        _ = office.postman.work() => panic!("the mail server did not say that it has the mail"),
        () = taken => {}
    }
    assert_eq!(office.mails(MailStatus::Queued).await.len(), 1);

    sink.answer("");
    let now = Millis(office.now.fetch_add(6 * MINUTE_MS, Ordering::Relaxed)).plus(6 * MINUTE_MS);
    let settings = config(&format!("[mail]\nsmtp_url = \"smtp://{}\"", sink.address));
    let mut next = Postman::new(office.outbox.clone(), Courier::new(&settings).unwrap(), office.store.system());
    next.work().await;
    assert_eq!(office.mails(MailStatus::Sent).await.len(), 1);
    let mails = sink.mails();
    let [first, second] = mails.as_slice() else { panic!("once before and once after: {mails:?}") };
    assert_eq!(first.raw, second.raw, "with the same id, a reader sees it once");
    assert!(second.text.contains(&token.expose()));
    let redeemed = one_time::redeem(office.aurora.db(), TokenKind::ResetPassword, &token, now).await.unwrap();
    assert_eq!(redeemed.map(|found| found.user), Some(ann.id));
}

#[tokio::test]
async fn the_task_sends_at_once_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::new(Courier::Folder(folder.path().to_owned())).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(office.postman.run(async move { drop(stopped.await) }));
    office.outbox.queue(&office.aurora, mail("ann@x.example", "Ann")).await.unwrap();
    let file = async {
        loop {
            let files = std::fs::read_dir(folder.path().join("aurora")).into_iter().flatten().flatten();
            let found = files.map(|file| file.path()).find(|path| path.extension().is_some_and(|ext| ext == "eml"));
            if let Some(path) = found {
                return std::fs::read_to_string(path).unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let text = tokio::time::timeout(std::time::Duration::from_secs(20), file).await.expect("it is written");
    assert!(text.contains("To: \"Ann\" <ann@x.example>") || text.contains("To: Ann <ann@x.example>"), "{text}");
    drop(stop);
    tokio::time::timeout(std::time::Duration::from_secs(20), task).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn links_lead_to_hosts_of_the_tenant_only() {
    let office = Office::new(Courier::Folder("/nowhere".into())).await;
    let link = |host: &str| office.outbox.link(&HostName::parse(host).unwrap(), "/reset");
    assert_eq!(link("aurora.localhost"), "http://aurora.localhost:8080/reset");
    assert_eq!(link("aurora.localhost:1"), "http://aurora.localhost:8080/reset", "the port is the server's own");
    assert_eq!(link("Aurora.Example."), "https://aurora.example/reset");
}

proptest! {
    #[test]
    fn any_text_becomes_one_line(text in "\\PC{0,60}|[\\x00-\\x20a-z\u{85}\u{2028}\u{2029}]{0,300}") {
        let line = one_line(&text);
        prop_assert!(!line.chars().any(char::is_control));
        prop_assert!(line.chars().count() <= 200 && line.trim() == line);
    }
}
