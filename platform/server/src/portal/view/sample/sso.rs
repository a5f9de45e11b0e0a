//! Sample data for the pages of single sign-on.

use super::{Sample, Shell};
use crate::portal::view::{
    Badge, Banner, Clock, Field, FieldKind, SignIn, SsoConnectionRow, SsoFormPage, SsoIdentityRow, SsoLeave,
    SsoLinkPage, SsoListPage, SsoPresetCard, SsoWay, Tone,
};
use marque_domain::time::{Millis, Zone};

/// Every page of single sign-on.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let ways = vec![SsoWay::new("Google", "/sso/google/begin"), SsoWay::new("Acme", "/sso/acme/begin")];
    let sign_in = SignIn::new("", "/dashboard", None).ways(ways.clone());
    let leave = SsoLeave { name: "Acme".to_owned(), url: "https://login.acme.example/authorize?x=y".to_owned() };
    let linked = SsoLinkPage { csrf: "csrf-token".to_owned(), linked: vec![identity()], ways };
    let unlinked = SsoLinkPage { linked: Vec::new(), ways: Vec::new(), ..linked.clone() };
    let empty = SsoListPage { connections: Vec::new(), ..connections() };
    vec![
        Sample::page("sign-in-sso", shell("Sign in", "/sign-in", false), &sign_in),
        Sample::page("sso-leave", shell("On to Acme", "/sso/acme/begin", false), &leave),
        Sample::page("sso-links", shell("Linked sign-ins", "/security/sso", true), &linked),
        Sample::page("sso-links-empty", shell("Linked sign-ins", "/security/sso", true), &unlinked),
        Sample::page("admin-sso", shell("Single sign-on", "/admin/sso", true), &connections()),
        Sample::page("admin-sso-empty", shell("Single sign-on", "/admin/sso", true), &empty),
        Sample::page("admin-sso-form", shell("Acme", "/admin/sso/acme", true), &form()),
    ]
}

fn identity() -> SsoIdentityRow {
    let at = Clock::new(Zone::utc()).show(Millis(1_398_952_992_000));
    SsoIdentityRow {
        name: "Acme".to_owned(),
        email: "ann@acme.example".to_owned(),
        issuer: "https://login.acme.example".to_owned(),
        subject: "ann".to_owned(),
        linked: at.clone(),
        used: at,
    }
}

fn connections() -> SsoListPage {
    let row = SsoConnectionRow {
        name: "Acme".to_owned(),
        href: "/admin/sso/acme".to_owned(),
        preset: "OpenID Connect".to_owned(),
        issuer: "https://login.acme.example/realms/traders".to_owned(),
        domains: "acme.example".to_owned(),
        state: Badge::new(Tone::Good, "On"),
    };
    let preset = SsoPresetCard {
        title: "Google".to_owned(),
        href: "/admin/sso/new?preset=google".to_owned(),
        text: "Google accounts, also of a company on Google Workspace.".to_owned(),
    };
    SsoListPage { connections: vec![row], presets: vec![preset] }
}

fn form() -> SsoFormPage {
    SsoFormPage {
        csrf: "csrf-token".to_owned(),
        title: "Acme".to_owned(),
        path: "/admin/sso/acme".to_owned(),
        preset: "oidc".to_owned(),
        stored: true,
        enabled: true,
        state: Some(Badge::new(Tone::Good, "On")),
        return_addresses: vec!["https://trade.example/sso/acme/callback".to_owned()],
        fields: vec![
            Field::new(FieldKind::Text, "name", "Name").value("Acme"),
            Field::new(FieldKind::Password, "secret", "Client secret").hint("Leave it empty to keep it."),
            Field::new(FieldKind::Area, "domains", "Mail domains").error(Some("This is none.".to_owned())),
        ],
        error: Some("Nothing was saved. Correct the marked fields.".to_owned()),
        banner: Some(Banner::new(Tone::Good, "Saved", "It counts from now on.")),
    }
}
