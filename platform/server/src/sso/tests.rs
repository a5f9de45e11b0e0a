//! Whole sign-ins through the running pages, with a good issuer and browsers that are not.

mod apple;
mod claimed;
mod coming;
mod setting_up;
mod world;

use super::is_foreign_form;

#[test]
fn only_the_callbacks_post_comes_from_elsewhere() {
    for path in ["/sso/acme/callback", "/sso/a/callback"] {
        assert!(is_foreign_form(path), "{path}");
    }
    for path in [
        "/sso/acme/begin",
        "/sso//callback",
        "/sso/callback",
        "/sso/a/b/callback",
        "/x/sso/a/callback",
        "/sso/a/callback/",
    ] {
        assert!(!is_foreign_form(path), "{path}");
    }
}
