//! Sample data for the pages that run the site.

use super::{Sample, Shell};
use crate::portal::view::{AdminHome, AdminLink};

/// The pages of `/admin`.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let home = AdminHome {
        sections: vec![AdminLink::new("People", "/admin/people", "Invite people, say what they are, shut them out.")],
    };
    vec![
        Sample::page("admin", shell("Admin", "/admin", true), &home),
        Sample::page("admin-empty", shell("Admin", "/admin", true), &AdminHome { sections: Vec::new() }),
    ]
}
