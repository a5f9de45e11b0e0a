//! The part of the site that runs it: who may open what of it.

mod invite;
mod people;

use super::{
    Scene,
    view::{AdminHome, AdminLink},
};
use crate::identity::{
    Operation, Reach, SignedIn,
    gate::{Pages, may},
};
use poem::{Response, handler};

/// A page of `/admin` that its first page leads to.
struct Section {
    /// Who is led there.
    operation: Operation,
    title: &'static str,
    href: &'static str,
    /// What can be done there.
    text: &'static str,
}

/// In the order in which they are listed. A feature with a page of its own adds its line here.
const SECTIONS: &[Section] = &[
    Section {
        operation: Operation::ReadPeople,
        title: "People",
        href: "/admin/people",
        text: "Who belongs here, what they are, who is let in and who is shut out.",
    },
    Section {
        operation: Operation::OpenAdmin,
        title: "Kill switch",
        href: "/admin/kill",
        text: "Stop an account, a strategy, an instrument or everything; see what is stopped, and release it.",
    },
    Section {
        operation: Operation::ReadReleases,
        title: "Releases",
        href: "/releases",
        text: "See what authors publish and what the gate says of it; let it in, refuse it, withdraw it.",
    },
    Section {
        operation: Operation::OpenAdmin,
        title: "Expert Advisors",
        href: "/admin/eas",
        text: "See which EAs are offered and who runs them where; issue licences, renew, suspend and revoke them.",
    },
    Section {
        operation: Operation::ReadUsage,
        title: "Usage",
        href: "/usage",
        text: "See what strategies use up: instructions, time and memory, by plan, by strategy and by day.",
    },
    Section {
        operation: Operation::ReadLedger,
        title: "Ledger",
        href: "/admin/ledger",
        text: "See every movement of money, and whether the books add up.",
    },
    Section {
        operation: Operation::ManageSso,
        title: "Single sign-on",
        href: "/admin/sso",
        text: "Let people sign in with Google, Apple or your own provider, and say who must.",
    },
    Section {
        operation: Operation::ReadAudit,
        title: "Audit log",
        href: "/admin/audit",
        text: "See what was done on this site, by whom and from where; save it as a file.",
    },
    Section {
        operation: Operation::ReadMail,
        title: "Mail",
        href: "/admin/mail",
        text: "See which mails could not be delivered, and why; try them again.",
    },
];

/// The pages of `/admin`.
pub(super) fn pages(pages: Pages) -> Pages {
    use Operation as O;
    pages
        .at("/admin", may(O::OpenAdmin).get(home))
        .at("/admin/people", may(O::ReadPeople).get(people::list))
        .at("/admin/people/invite", may(O::InvitePerson).get(invite::show_invitation).post(invite::send_invitation))
        .at("/admin/people/:person/invite", may(O::InvitePerson).post(invite::invite_again))
        .at("/admin/people/:person", may(O::ReadPeople).get(people::show).and(O::ChangePerson).post(people::change))
        .at("/admin/people/:person/suspend", may(O::SuspendPerson).post(people::suspend))
        .at("/admin/people/:person/reinstate", may(O::SuspendPerson).post(people::reinstate))
        .at("/admin/people/:person/reset-factor", may(O::ResetFactor).post(people::reset_factor))
}

#[handler]
fn home(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    let mine = SECTIONS.iter().filter(|section| section.operation.reach(who.role) > Reach::Nothing);
    let sections = mine.map(|section| AdminLink::new(section.title, section.href, section.text)).collect();
    scene.page("Admin", &AdminHome { sections })
}
