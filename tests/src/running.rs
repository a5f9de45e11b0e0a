//! What anybody can see of the running binary.

use crate::oracles::recorded;
use marque_testkit::site::Site;

#[tokio::test]
async fn each_brand_answers_under_its_own_host_and_an_unknown_one_is_refused() {
    let site = Site::seeded();
    let server = site.serve().await;
    let table = [
        ("aurora.localhost", 200, "Aurora", "Borealis"),
        ("borealis.localhost", 200, "Borealis", "Aurora"),
        ("nobody.localhost", 421, "", "Aurora"),
    ];
    for (host, status, named, unnamed) in table {
        let answer = server.get(host, "/").await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{host}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(named), "{host} does not name {named}");
        assert!(!page.contains(unnamed), "{host} names {unnamed}");
    }
}

#[tokio::test]
async fn it_stops_when_asked_and_starts_again_after_a_kill() {
    let site = Site::seeded();
    assert!(site.serve().await.stop().success(), "SIGTERM must end it in order");
    site.serve().await.kill();
    site.serve().await;
}

#[tokio::test]
async fn applying_the_tenants_twice_changes_nothing() {
    let site = Site::seeded();
    let tenants = marque_testkit::site::workspace().join("tenants").display().to_string();
    let before = site.succeeds(&["tenant", "list"]);
    site.succeeds(&["tenant", "apply", &tenants]);
    assert_eq!(site.succeeds(&["tenant", "list"]), before);
    for slug in ["aurora", "borealis"] {
        assert!(before.contains(slug), "{slug} is not in:\n{before}");
    }
    assert_eq!(recorded(&site, "tenant-applied").await, ["system marque tenant apply: aurora"]);
}

#[test]
fn every_command_explains_itself() {
    let site = Site::empty();
    let commands: &[&[&str]] = &[
        &[],
        &["serve"],
        &["migrate"],
        &["tenant", "apply"],
        &["tenant", "list"],
        &["tenant", "show"],
        &["data", "import"],
        &["openapi"],
    ];
    for command in commands {
        let help = site.succeeds(&[command, &["--help"][..]].concat());
        assert!(help.contains("Usage: marque"), "`marque {} --help` says:\n{help}", command.join(" "));
    }
}

#[test]
fn a_wrong_setting_ends_the_start_with_a_sentence() {
    let site = Site::empty();
    for (name, value) in
        [("MARQUE_LISTEN", "nowhere"), ("MARQUE_LISTN", "127.0.0.1:0"), ("MARQUE_LIMITS_BODY_BYTES", "-1")]
    {
        let output = site.marque(&["serve"]).env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}={value} was accepted");
        assert!(said.contains(name), "{name} is not named in:\n{said}");
        assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
    }
}

#[tokio::test]
async fn what_an_operator_adds_to_a_catalogue_stands_in_its_audit_log() {
    let site = Site::seeded();
    let count = async || recorded(&site, "plugin-added").await.len();
    let listed = site.succeeds(&["plugin", "list", "aurora"]).lines().count();
    assert!(listed > 10, "only {listed} plugins");
    assert_eq!(count().await, listed);
    // Adding what is there changes nothing, and so leaves no entry.
    let file = &marque_testkit::site::plugins().first().expect("a plugin").path;
    site.succeeds(&["plugin", "add", "aurora", &file.display().to_string()]);
    assert_eq!(count().await, listed);
}

#[tokio::test]
async fn a_log_that_somebody_changed_is_named_and_ends_badly() {
    const NAME: &str = "a_log_that_somebody_changed_is_named_and_ends_badly";
    let site = Site::empty();
    let tenants = marque_testkit::site::workspace().join("tenants").display().to_string();
    site.succeeds(&["migrate"]);
    site.succeeds(&["tenant", "apply", &tenants]);
    site.succeeds(&["plugin", "add", "aurora", &marque_testkit::site::plugins()[0].path.display().to_string()]);
    let whole = site.succeeds(&["audit", "verify", "aurora"]);
    assert!(whole.contains("aurora: 2 entries, whole, head "), "{whole}");
    let head = whole.trim().rsplit(' ').next().expect("a head").to_owned();
    site.succeeds(&["audit", "verify", "aurora", "--noted", &head]);
    let other = format!("{}{}", &head[..head.len() - 1], if head.ends_with('0') { '1' } else { '0' });
    let refused = |args: &[&str], why: &str| {
        let output = site.run(args);
        let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{why}: {said}{told}");
        assert!(said.contains("NOT whole"), "{why}: {said}{told}");
        said.into_owned()
    };
    refused(&["audit", "verify", "aurora", "--noted", &other], "another head was noted");

    // As somebody does who has the file and a tool for it.
    let sql = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
               c.executescript(\"DROP TRIGGER audit_entries_no_update; \
               UPDATE audit_entries SET actor_name = 'nobody' WHERE seq = 2\"); c.commit()";
    let file = site.data().join("marque.db");
    let changed = std::process::Command::new("python3").args(["-c", sql]).arg(file).status();
    if !changed.is_ok_and(|status| status.success()) {
        return marque_testkit::skipped(NAME, "python3 with sqlite3 changes a row past the server");
    }
    let said = refused(&["audit", "verify", "aurora"], "an entry was altered");
    assert!(said.contains('2'), "the entry is named: {said}");
}
