//! Sample data for the pages that run the site.

use super::{Sample, Shell};
use crate::{
    identity::{Invitation, Role},
    portal::view::{
        AdminHome, AdminLink, Banner, Clock, InvitePage, Pager, People, PeopleQuery, PersonContext, PersonPage,
        PersonRow, Tone,
    },
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    id::UserId,
    time::{Millis, Zone},
};
use marque_store::{Concealed, User, UserStatus};

/// 20 November 2026, noon in UTC.
const NOON: Millis = Millis(1_795_176_000_000);

fn user(name: &str, email: &str, role: Role, verified: bool, status: UserStatus) -> User {
    User {
        id: UserId(1_234_567_890_123),
        email: email.to_owned(),
        display_name: name.to_owned(),
        password_hash: Concealed::new(if verified { "hash".to_owned() } else { String::new() }),
        role: role.name().to_owned(),
        created_at: NOON,
        email_verified_at: verified.then_some(NOON),
        status,
        plan: None,
        failures: 0,
        failed_at: None,
    }
}

fn people(narrowed: bool) -> People {
    let clock = Clock::new(Zone::utc());
    let plans = super::plans();
    let users = [
        user("Ann Example", "ann@example.com", Role::Trader, true, UserStatus::Active),
        user("Bea Example", "bea@example.com", Role::Risk, false, UserStatus::Active),
        user("Carl Example", "carl@example.com", Role::Author, true, UserStatus::Suspended),
    ];
    let rows = users.iter().map(|user| PersonRow::of(user, &plans, &clock)).collect();
    if narrowed {
        let query = PeopleQuery { text: "zoe".to_owned(), role: "risk".to_owned(), status: String::new() };
        return People::new(&query, Vec::new(), Pager { newer: None, older: None }, false, "UTC");
    }
    let pager = Pager { newer: None, older: Some("?q=&role=&status=&before=1".to_owned()) };
    People::new(&PeopleQuery::default(), rows, pager, true, "UTC")
}

fn person(status: UserStatus, governed: bool) -> PersonPage {
    let user = user("Bea Example", "bea@example.com", Role::Risk, status == UserStatus::Suspended, status);
    let context = PersonContext {
        roles: &[Role::Trader, Role::Author, Role::Support, Role::Risk],
        plans: &super::plans(),
        clock: &Clock::new(Zone::utc()),
        governed,
        own: !governed,
        has_factor: governed,
        notice: governed.then(|| Banner::new(Tone::Good, "Saved", "It holds from their next request on.")),
        csrf: "csrf-token",
    };
    PersonPage::of(&user, context)
}

fn invitation() -> InvitePage {
    let filled = Invitation { email: "bea@".to_owned(), role: "risk".to_owned(), ..Invitation::default() };
    let problem = Problem::new(ProblemCode::Invalid, "Correct the field that is marked and send the form again.")
        .field("email", "This is not an e-mail address: write it like trader@aurora.example.");
    InvitePage::new(&filled, &[Role::Trader, Role::Risk], &super::plans(), Some(&problem), "csrf-token")
}

/// The pages of `/admin`.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let home = AdminHome {
        sections: vec![AdminLink::new("People", "/admin/people", "Invite people, say what they are, shut them out.")],
    };
    let shell = |title: &str| shell(title, "/admin/people", true);
    vec![
        Sample::page("admin", shell("Admin"), &home),
        Sample::page("admin-empty", shell("Admin"), &AdminHome { sections: Vec::new() }),
        Sample::page("people", shell("People"), &people(false)),
        Sample::page("people-none", shell("People"), &people(true)),
        Sample::page("invite", shell("Invite somebody"), &invitation()),
        Sample::page("person", shell("Bea Example"), &person(UserStatus::Active, true)),
        Sample::page("person-suspended", shell("Bea Example"), &person(UserStatus::Suspended, true)),
        Sample::page("person-own", shell("Bea Example"), &person(UserStatus::Active, false)),
    ]
}
