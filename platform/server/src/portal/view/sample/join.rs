//! Sample data for the pages of accounts, addresses and passwords, and of a site's mail.

use super::{Sample, Shell, too_often};
use crate::{
    portal::view::{
        Clock, ConfirmLink, EmailPage, Forgot, Link, MailPage, MailRow, Note, Pager, PasswordPage, Register, Reset,
        Tab, Unverified,
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::time::{Millis, Zone};
use marque_store::MailStatus;

const TOKEN: &str = "a-token";

/// The pages of who opens an account, confirms an address or chooses a password.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let wrong = Problem::new(ProblemCode::Invalid, "Correct what is marked and send the form again.")
        .field("email", "write an address like trader@aurora.example")
        .field("password", "this password stands in lists of leaked passwords: choose another");
    let confirm = ConfirmLink {
        action: "/verify",
        token: TOKEN.to_owned(),
        title: "Confirm your address",
        text: "One step is left: confirm that this address is yours.",
        button: "Confirm my address",
    };
    let unverified = |sent| Unverified { email: "trader@example.com".to_owned(), sent };
    let note = Note::new("Check your mail", "We have sent a mail.", Some(Link::new("Sign in", "/sign-in")));
    vec![
        Sample::page("register", shell("Open an account", "/register", false), &Register::new("", "", None)),
        Sample::page(
            "register-error",
            shell("Open an account", "/register", false),
            &Register::new("Ann", "ann@", Some(&wrong)),
        ),
        Sample::page(
            "register-wait",
            shell("Open an account", "/register", false),
            &Register::new("Ann", "ann@example.com", Some(&too_often())),
        ),
        Sample::page("forgot", shell("Forgot your password?", "/forgot", false), &Forgot::new("", None)),
        Sample::page(
            "forgot-wait",
            shell("Forgot your password?", "/forgot", false),
            &Forgot::new("ann@example.com", Some(&too_often())),
        ),
        Sample::page("reset", shell("Choose a new password", "/reset", false), &Reset::new(TOKEN, false, None)),
        Sample::page("reset-error", shell("Welcome", "/reset", false), &Reset::new(TOKEN, true, Some(&wrong))),
        Sample::page("reset-wait", shell("Welcome", "/reset", false), &Reset::new(TOKEN, true, Some(&too_often()))),
        Sample::page("confirm-link", shell("Confirm your address", "/verify", false), &confirm),
        Sample::page("unverified", shell("Confirm your address", "/verify", true), &unverified(false)),
        Sample::page("unverified-sent", shell("Confirm your address", "/verify", true), &unverified(true)),
        Sample::page("note", shell("Check your mail", "/check-mail", false), &note),
        Sample::page(
            "security-password",
            shell("Change your password", "/security/password", true),
            &PasswordPage::new("trader@example.com", Some(&wrong)),
        ),
        Sample::page(
            "security-email",
            shell("Change your e-mail", "/security/email", true),
            &EmailPage::new("trader@example.com", "", None),
        ),
        Sample::page(
            "security-email-wait",
            shell("Change your e-mail", "/security/email", true),
            &EmailPage::new("trader@example.com", "ann@example.com", Some(&too_often())),
        ),
        Sample::page(
            "security-password-wait",
            shell("Change your password", "/security/password", true),
            &PasswordPage::new("trader@example.com", Some(&too_often())),
        ),
        Sample::page("admin-mail", shell("Mail", "/admin/mail", true), &mail_page(vec![dead_mail()])),
        Sample::page("admin-mail-empty", shell("Mail", "/admin/mail", true), &mail_page(Vec::new())),
    ]
}

fn mail_page(mails: Vec<MailRow>) -> MailPage {
    let tab = |label, current| Tab { label, href: "/admin/mail?status=dead".to_owned(), current };
    MailPage {
        tabs: vec![tab("Failed", true), tab("Waiting", false), tab("Sent", false)],
        mails,
        pager: Pager { newer: None, older: Some("/admin/mail?status=dead&before=1".to_owned()) },
        empty: "Every mail has found its way, or is still on it.",
        zone: "UTC".to_owned(),
    }
}

fn dead_mail() -> MailRow {
    MailRow {
        id: "1".to_owned(),
        kind: "Verify email".to_owned(),
        recipient: "nobody@example.com".to_owned(),
        status: MailRow::badge(MailStatus::Dead),
        attempts: "1".to_owned(),
        at: Clock::new(Zone::utc()).show(Millis(1_795_176_000_000)),
        error: Some("permanent error (550): 5.1.1 No such mailbox".to_owned()),
        may_retry: true,
    }
}
