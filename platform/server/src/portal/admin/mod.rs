//! The part of the site that runs it: who may open what of it.

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
        operation: Operation::ManageSso,
        title: "Single sign-on",
        href: "/admin/sso",
        text: "Let people sign in with Google, Apple or your own provider, and say who must.",
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
    pages.at("/admin", may(Operation::OpenAdmin).get(home))
}

#[handler]
fn home(scene: Scene, who: SignedIn) -> poem::Result<Response> {
    let mine = SECTIONS.iter().filter(|section| section.operation.reach(who.role) > Reach::Nothing);
    let sections = mine.map(|section| AdminLink::new(section.title, section.href, section.text)).collect();
    scene.page("Admin", &AdminHome { sections })
}
