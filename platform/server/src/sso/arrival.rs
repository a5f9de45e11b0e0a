//! Who somebody whom an issuer vouches for is here: a pure decision over what is known of them.

use super::{
    Refused,
    connection::{Connection, Join, domain},
    provider::Known,
};
use marque_domain::id::UserId;
use marque_store::SsoIdentity;

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Somebody who linked this identity, or came by it before.
    Person(UserId),
    /// Somebody new, with an address that the issuer verified.
    New {
        /// The address.
        email: String,
    },
}

/// Decides by identity, never by address: an address only says whether somebody *new* may come.
pub(super) fn decide(
    connection: &Connection,
    identity: Option<&SsoIdentity>,
    known: &Known,
    address_taken: bool,
) -> Result<Arrival, Refused> {
    if let Some(identity) = identity {
        return Ok(Arrival::Person(identity.user));
    }
    let email = known.email.as_deref().filter(|_| known.email_verified).ok_or(Refused::Unverified)?;
    let domain = domain(email).ok_or(Refused::Unverified)?;
    // Taken is said before who may join: it tells a person who is here already what to do.
    if address_taken {
        return Err(Refused::AddressTaken);
    }
    let welcome = match connection.settings.join {
        Join::Anyone => true,
        Join::Domains => connection.has_domain(&domain),
        Join::Nobody => false,
    };
    if welcome { Ok(Arrival::New { email: email.to_owned() }) } else { Err(Refused::NotInvited) }
}

/// Whether somebody with this address may come by `connection`: when others claim their domain, only by one of them.
pub(super) fn check_way(all: &[Connection], connection: &Connection, email: &str) -> Result<(), Refused> {
    let Some(domain) = domain(email) else { return Ok(()) };
    let mut claiming = all.iter().filter(|other| other.claims(&domain)).peekable();
    let free = claiming.peek().is_none();
    if free || claiming.any(|other| other.row.id == connection.row.id) { Ok(()) } else { Err(Refused::OtherWay) }
}

/// What somebody new is called: what the issuer says, if it fits on a line, else the first part of their address.
pub(super) fn display_name(said: [Option<String>; 2], email: &str) -> String {
    let clean = |name: String| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    let local = email.split('@').next().unwrap_or_default();
    said.into_iter().flatten().find_map(clean).unwrap_or_else(|| local.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sso::connection::{Preset, Settings};
    use marque_domain::time::Millis;
    use marque_store::SsoConnection;

    fn connection(id: i64, join: Join, domains: &[&str], enabled: bool) -> Connection {
        let settings = Settings { join, team: String::new(), key: String::new(), form_post: false };
        let row = SsoConnection {
            id,
            slug: format!("c{id}"),
            name: "Acme".to_owned(),
            preset: "oidc".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "client".to_owned(),
            secret: Vec::new(),
            settings: serde_json::to_string(&settings).unwrap(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            enabled,
            created_at: Millis(0),
            updated_at: Millis(0),
        };
        Connection { row, preset: Preset::Oidc, settings }
    }

    fn known(email: Option<&str>, verified: bool) -> Known {
        Known {
            issuer: "https://issuer.example".to_owned(),
            subject: "s".to_owned(),
            email: email.map(str::to_owned),
            email_verified: verified,
            name: None,
            shown_at: None,
            organisation: None,
        }
    }

    #[test]
    fn new_people() {
        let (acme, other) = (Some("ann@Acme.example"), Some("ann@other.example"));
        // Who may join, address, verified, taken: how it ends.
        let table = [
            (Join::Anyone, acme, true, false, "new"),
            (Join::Anyone, acme, false, false, "unverified"),
            (Join::Anyone, None, true, false, "unverified"),
            (Join::Anyone, Some("not an address"), true, false, "unverified"),
            (Join::Anyone, acme, true, true, "taken"),
            (Join::Anyone, acme, false, true, "unverified"),
            (Join::Domains, acme, true, false, "new"),
            (Join::Domains, other, true, false, "not invited"),
            (Join::Domains, Some("ann@acme.example.evil.example"), true, false, "not invited"),
            (Join::Nobody, acme, true, false, "not invited"),
            (Join::Nobody, acme, true, true, "taken"),
        ];
        for (join, email, verified, taken, expect) in table {
            let got = decide(&connection(1, join, &["acme.example"], true), None, &known(email, verified), taken);
            let got = match got {
                Ok(Arrival::New { .. }) => "new",
                Err(Refused::Unverified) => "unverified",
                Err(Refused::AddressTaken) => "taken",
                Err(Refused::NotInvited) => "not invited",
                other => panic!("{other:?}"),
            };
            assert_eq!(got, expect, "{join:?} {email:?} {verified} {taken}");
        }
    }

    #[test]
    fn who_is_linked_comes_whatever_their_address_there() {
        let identity = SsoIdentity {
            issuer: "https://issuer.example".to_owned(),
            subject: "s".to_owned(),
            user: UserId(7),
            connection: 1,
            email: String::new(),
            created_at: Millis(0),
            last_used_at: Millis(0),
        };
        for email in [None, Some("other@evil.example")] {
            let arrival = decide(&connection(1, Join::Nobody, &[], true), Some(&identity), &known(email, false), true);
            assert_eq!(arrival.unwrap(), Arrival::Person(UserId(7)));
        }
    }

    #[test]
    fn who_must_come_another_way() {
        let all = [
            connection(1, Join::Anyone, &["acme.example"], true),
            connection(2, Join::Anyone, &[], true),
            connection(3, Join::Anyone, &["off.example"], false),
            connection(4, Join::Anyone, &["acme.example", "two.example"], true),
        ];
        let may = |by: usize, email: &str| check_way(&all, &all[by], email).is_ok();
        assert!(may(0, "ann@acme.example") && may(3, "ann@acme.example"));
        assert!(!may(1, "ann@acme.example") && !may(1, "Ann@ACME.example ") && !may(0, "ann@two.example"));
        assert!(may(1, "ann@off.example"), "a connection that is off claims nobody");
        assert!(may(1, "ann@sub.acme.example") && may(1, "nobody"));
    }

    #[test]
    fn names() {
        let name = |a: Option<&str>, b: Option<&str>| {
            display_name([a.map(str::to_owned), b.map(str::to_owned)], "ann.lee@x.example")
        };
        assert_eq!(name(Some(" Ann\r\nLee "), Some("B")), "AnnLee");
        assert_eq!((name(Some(" \n"), Some("Ann")), name(None, None)), ("Ann".to_owned(), "ann.lee".to_owned()));
        assert_eq!(name(Some(&"x".repeat(500)), None).len(), 100);
    }
}
