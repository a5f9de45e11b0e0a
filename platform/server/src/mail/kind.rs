//! Which mails there are, and what each needs to know.

use serde_json::{Map, Value};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident, $code:literal, { $($value:ident: $sample:literal),* $(,)? };)*) => {
        /// What a mail says. Each has a template `mail/<name>.hbs`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MailKind {
            $($(#[$doc])* $name,)*
        }

        impl MailKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its stable name, which is its template's.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The name of its template.
            #[must_use]
            pub(crate) const fn template(self) -> &'static str {
                match self { $(Self::$name => concat!("mail/", $code),)* }
            }

            /// Values such as its template needs, for the check of themes and for who designs one.
            #[must_use]
            pub fn sample(self) -> Map<String, Value> {
                let pairs: &[(&str, &str)] = match self {
                    $(Self::$name => &[$((stringify!($value), $sample),)*],)*
                };
                pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
            }
        }
    };
}

kinds! {
    /// Shows that mail reaches who registered.
    VerifyEmail, "verify-email", { link: "https://sample.example/verify?token=t", lasts: "24 hours" };
    /// Somebody registered with an address that has an account.
    AlreadyRegistered, "already-registered", {
        link: "https://sample.example/reset?token=t", lasts: "1 hour", sign_in: "https://sample.example/sign-in",
    };
    /// Lets the owner of an account choose a new password.
    ResetPassword, "reset-password", { link: "https://sample.example/reset?token=t", lasts: "1 hour" };
    /// Somebody asked for a new password for an address that has no account.
    NoAccount, "no-account", { register: "https://sample.example/register" };
    /// The password was changed.
    PasswordChanged, "password-changed", { forgot: "https://sample.example/forgot", at: "20 Nov 2026, 12:00 UTC" };
    /// Shows that mail reaches the new address of an account.
    ConfirmEmail, "confirm-email", {
        link: "https://sample.example/security/email/confirm?token=t", lasts: "24 hours",
    };
    /// Somebody wants an address for their account that another account has.
    EmailTaken, "email-taken", { sign_in: "https://sample.example/sign-in" };
    /// Tells the address of an account that it is to get another.
    EmailChanged, "email-changed", { email: "new@sample.example", at: "20 Nov 2026, 12:00 UTC" };
    /// Tells the former address that the account has another now.
    EmailReplaced, "email-replaced", { email: "new@sample.example", at: "20 Nov 2026, 12:00 UTC" };
    /// Lets somebody who comes by another site take their account along.
    LinkSso, "link-sso", {
        link: "https://sample.example/sso/link?token=t", lasts: "1 hour", provider: "Acme",
    };
    /// Lets somebody who was invited choose a password.
    Invitation, "invitation", {
        link: "https://sample.example/reset?token=t", lasts: "7 days", inviter: "Demo owner", role: "trader",
    };
    /// A browser that was not seen before signed in.
    NewDevice, "new-device", {
        what: "browser", device: "Firefox on Linux", place: "Czechia", address: "192.0.2.7", at: "20 Nov 2026, 12:00 UTC",
        sessions: "https://sample.example/security/sessions", forgot: "https://sample.example/forgot",
    };
    /// Something that opens the account was added, or taken away by others.
    WayInChanged, "way-in-changed", {
        what: "A passkey was added", at: "20 Nov 2026, 12:00 UTC",
        security: "https://sample.example/security", forgot: "https://sample.example/forgot",
    };
    /// The code that an unusual sign-in asks for.
    SignInCode, "sign-in-code", { code: "123 456", lasts: "10 minutes", device: "Firefox on Linux", place: "Czechia" };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: BTreeSet<_> = MailKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), MailKind::ALL.len());
    }
}
