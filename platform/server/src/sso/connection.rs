//! A tenant's connection to an issuer: what kind it is, who may come by it, and whether an admin's form describes one.

use super::{
    Refused,
    client::{self, Client, Proof},
};
use crate::{
    edge::HostName,
    outbound::Outbound,
    problem::FieldError,
    secrets::{Place, Secret, TenantKeys},
};
use marque_store::{SealedColumn, SsoConnection};
use serde::{Deserialize, Serialize};

const NAME_CHARS_MAX: usize = 40;
const SLUG_BYTES: core::ops::RangeInclusive<usize> = 2..=32;
const ISSUER_BYTES_MAX: usize = 300;
const CLIENT_BYTES_MAX: usize = 300;
const SECRET_BYTES_MAX: usize = 8_192;
const DOMAINS_MAX: usize = 20;
/// Short names that are paths of their own.
const RESERVED: &[&str] = &["new"];

/// What kind of issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preset {
    /// Any that speaks OpenID Connect.
    Oidc,
    /// Google.
    Google,
    /// Apple.
    Apple,
}

impl Preset {
    pub(super) const ALL: [Self; 3] = [Self::Oidc, Self::Google, Self::Apple];

    /// Whether it asks somebody anew whom it knows, when told to, and says when. Google does neither.
    pub(super) const fn asks_anew(self) -> bool {
        !matches!(self, Self::Google)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Google => "google",
            Self::Apple => "apple",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Oidc => "OpenID Connect",
            Self::Google => "Google",
            Self::Apple => "Apple",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its issuer, where there is only one.
    pub(super) const fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Oidc => None,
            Self::Google => Some("https://accounts.google.com"),
            Self::Apple => Some("https://appleid.apple.com"),
        }
    }

    const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Oidc | Self::Google => &["email", "profile"],
            Self::Apple => &["email", "name"],
        }
    }
}

/// Which new people may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Join {
    /// Whoever has a verified address there.
    Anyone,
    /// Only with an address of the connection's domains.
    Domains,
    /// Nobody: who comes must have linked it before.
    Nobody,
}

impl Join {
    pub(super) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Anyone, "anyone", "Anyone with a verified address"),
        (Self::Domains, "domains", "Only people of the domains below"),
        (Self::Nobody, "nobody", "Nobody new: only people who linked it"),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(join, ..)| *join == self).map_or("", |(_, name, _)| name)
    }
}

/// What a connection needs besides its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) join: Join,
    /// Apple's team.
    #[serde(default)]
    pub(super) team: String,
    /// The id of Apple's key.
    #[serde(default)]
    pub(super) key: String,
    /// Whether an issuer of tests answers with a form, as Apple does.
    #[serde(default)]
    pub(super) form_post: bool,
}

/// A stored connection, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) row: SsoConnection,
    pub(super) preset: Preset,
    pub(super) settings: Settings,
}

impl Connection {
    pub(super) fn of(row: SsoConnection) -> Result<Self, Refused> {
        let preset = Preset::named(&row.preset).ok_or(Refused::Corrupt)?;
        let settings = serde_json::from_str(&row.settings).map_err(|_| Refused::Corrupt)?;
        Ok(Self { row, preset, settings })
    }

    /// What the tenant is at the issuer, with its secret opened.
    pub(super) fn client(&self, keys: &TenantKeys) -> Result<Client, Refused> {
        let secret = keys.open(&place(self.row.id), &self.row.secret)?.text()?;
        let proof = match self.preset {
            Preset::Oidc | Preset::Google => Proof::Shared(secret),
            Preset::Apple => {
                Proof::Signed { team: self.settings.team.clone(), key: self.settings.key.clone(), pem: secret }
            }
        };
        Ok(Client {
            issuer: self.row.issuer.clone(),
            client_id: self.row.client_id.clone(),
            proof,
            scopes: self.preset.scopes(),
            form_post: self.preset == Preset::Apple || self.settings.form_post,
        })
    }

    /// Whether people of this mail domain must come by it.
    pub(super) fn claims(&self, domain: &str) -> bool {
        self.row.enabled && self.has_domain(domain)
    }

    pub(super) fn has_domain(&self, domain: &str) -> bool {
        self.row.domains.iter().any(|claimed| claimed == domain)
    }

    /// Whether an address at a domain is verified by whom the brand means when it names that domain. Google also verifies that mail
    /// reaches somebody at an address whose domain is not run there; whoever once read mail at one could come by it for ever.
    pub(super) fn vouches(&self, domain: &str, organisation: Option<&str>) -> bool {
        let needs_it = self.preset == Preset::Google && self.has_domain(domain);
        !needs_it || organisation.is_some_and(|theirs| theirs.eq_ignore_ascii_case(domain))
    }
}

/// Where a connection's secret lies.
pub(super) fn place(id: i64) -> Place {
    Place::new(SealedColumn::SsoConnections, id)
}

/// The domain of an address, as connections have theirs.
pub(super) fn domain(email: &str) -> Option<String> {
    let (_, domain) = email.trim().rsplit_once('@')?;
    HostName::from_setting(domain).ok().filter(|host| !host.is_address()).map(|host| host.to_string())
}

/// What an admin filled in.
#[derive(Clone, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    pub(super) preset: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) slug: String,
    #[serde(default)]
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) client_id: String,
    #[serde(default = "nothing")]
    pub(super) secret: Secret,
    #[serde(default)]
    pub(super) team: String,
    #[serde(default)]
    pub(super) key: String,
    #[serde(default)]
    pub(super) join: String,
    #[serde(default)]
    pub(super) domains: String,
    #[serde(default)]
    pub(super) form_post: Option<String>,
}

fn nothing() -> Secret {
    Secret::new(String::new())
}

/// A connection that could be stored, but for its id and its times.
pub(super) struct Draft {
    pub(super) preset: Preset,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// None keeps the one that is stored.
    pub(super) secret: Option<Secret>,
    pub(super) settings: Settings,
    pub(super) domains: Vec<String>,
}

impl Filled {
    /// Nothing filled in yet.
    pub(super) fn empty() -> Self {
        let none = String::new;
        Self {
            preset: none(),
            name: none(),
            slug: none(),
            issuer: none(),
            client_id: none(),
            secret: nothing(),
            team: none(),
            key: none(),
            join: none(),
            domains: none(),
            form_post: None,
        }
    }

    /// What is stored, to be changed; the secret is never shown again.
    pub(super) fn of(connection: &Connection) -> Self {
        let (row, settings) = (&connection.row, &connection.settings);
        Self {
            preset: row.preset.clone(),
            name: row.name.clone(),
            slug: row.slug.clone(),
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            secret: nothing(),
            team: settings.team.clone(),
            key: settings.key.clone(),
            join: settings.join.name().to_owned(),
            domains: row.domains.join("\n"),
            form_post: settings.form_post.then(|| "true".to_owned()),
        }
    }

    /// Whether it describes a connection. `kept` says that a secret is stored already.
    ///
    /// # Errors
    /// Every field that does not hold, with what to write instead.
    pub(super) fn check(&self, outbound: &Outbound, kept: bool) -> Result<Draft, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut refuse = |field: &str, detail: String| wrong.push(FieldError { field: field.to_owned(), detail });
        let preset = Preset::named(&self.preset).unwrap_or(Preset::Oidc);
        let (name, slug) = (self.name.trim(), self.slug.trim());
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            refuse(
                "name",
                format!("Write what the button shall say after “Continue with”, 1 to {NAME_CHARS_MAX} characters."),
            );
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !SLUG_BYTES.contains(&slug.len()) || !slug.bytes().all(plain) || RESERVED.contains(&slug) {
            refuse("slug", "Write 2 to 32 lower-case letters, digits and hyphens, such as acme.".to_owned());
        }
        let issuer = preset.issuer().unwrap_or(self.issuer.trim());
        if let Err(detail) = check_issuer(issuer, outbound) {
            refuse("issuer", detail);
        }
        let client_id = self.client_id.trim();
        if !(1..=CLIENT_BYTES_MAX).contains(&client_id.len()) || !client_id.bytes().all(|b| b.is_ascii_graphic()) {
            refuse("client_id", "Copy the client id from the provider; it has no spaces.".to_owned());
        }
        let given = !self.secret.expose().trim().is_empty();
        if let Err(detail) = self.check_secret(preset, given, kept) {
            refuse("secret", detail);
        }
        for (field, value, what) in [("team", &self.team, "team id"), ("key", &self.key, "key id")] {
            let good =
                (1..=32).contains(&value.trim().len()) && value.trim().bytes().all(|b| b.is_ascii_alphanumeric());
            if preset == Preset::Apple && !good {
                refuse(field, format!("Copy the {what} from Apple's developer pages: letters and digits."));
            }
        }
        let domains = self.read_domains().unwrap_or_else(|detail| {
            refuse("domains", detail);
            Vec::new()
        });
        let join =
            Join::ALL.into_iter().find(|(_, name, _)| *name == self.join).map_or(Join::Nobody, |(join, ..)| join);
        if join == Join::Domains && self.domains.trim().is_empty() {
            refuse("domains", "Name the domains whose people may join, or choose who else may.".to_owned());
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let settings = Settings {
            join,
            team: self.team.trim().to_owned(),
            key: self.key.trim().to_owned(),
            form_post: preset == Preset::Oidc && self.form_post.is_some(),
        };
        Ok(Draft {
            preset,
            name: name.to_owned(),
            slug: slug.to_owned(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            secret: given.then(|| self.secret.clone()),
            settings,
            domains,
        })
    }

    fn check_secret(&self, preset: Preset, given: bool, kept: bool) -> Result<(), String> {
        match (given, preset) {
            (false, _) if kept => Ok(()),
            (false, _) => Err("Copy the secret from the provider.".to_owned()),
            (true, _) if self.secret.expose().len() > SECRET_BYTES_MAX => {
                Err("This is too long to be a secret.".to_owned())
            }
            (true, Preset::Apple) => client::signing_key(&self.secret).map(drop).map_err(|error| error.to_string()),
            (true, _) => Ok(()),
        }
    }

    fn read_domains(&self) -> Result<Vec<String>, String> {
        let words = self.domains.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let mut domains = Vec::new();
        for word in words {
            let host = HostName::from_setting(word.trim_start_matches('@')).ok().filter(|host| !host.is_address());
            let host = host.filter(|host| host.as_str().contains('.'));
            let host = host.ok_or_else(|| {
                let shown: String = word.chars().take(60).collect();
                format!("{shown:?} is not a mail domain: write it like acme.example, one on each line.")
            })?;
            if !domains.contains(&host.to_string()) {
                domains.push(host.to_string());
            }
        }
        if domains.len() > DOMAINS_MAX {
            return Err(format!("Name {DOMAINS_MAX} domains at most."));
        }
        Ok(domains)
    }
}

/// Whether a text can be an issuer's identifier: an address without query or fragment that may be asked.
fn check_issuer(issuer: &str, outbound: &Outbound) -> Result<(), String> {
    if issuer.len() > ISSUER_BYTES_MAX || issuer.contains(['?', '#']) || issuer.chars().any(char::is_whitespace) {
        return Err("Copy the issuer's address: it begins with https:// and has no question mark.".to_owned());
    }
    outbound.check(issuer).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Reach;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\n-----END PRIVATE KEY-----\n";

    fn filled(change: impl FnOnce(&mut Filled)) -> Filled {
        let mut filled = Filled {
            preset: "oidc".to_owned(),
            name: "Acme".to_owned(),
            slug: "acme".to_owned(),
            issuer: "https://login.acme.example/realms/a".to_owned(),
            client_id: "client".to_owned(),
            secret: Secret::new("secret".to_owned()),
            team: String::new(),
            key: String::new(),
            join: "anyone".to_owned(),
            domains: "acme.example, Bücher.example\nacme.example".to_owned(),
            form_post: None,
        };
        change(&mut filled);
        filled
    }

    fn wrong(filled: &Filled, kept: bool) -> Vec<String> {
        let outbound = Outbound::new(Reach::Public);
        let faults = filled.check(&outbound, kept).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn forms() {
        type Change = fn(&mut Filled);
        let table: &[(Change, &[&str])] = &[
            (|_| {}, &[]),
            (|f| f.name = " ".into(), &["name"]),
            (|f| f.name = "a\nb".into(), &["name"]),
            (|f| f.name = "x".repeat(41), &["name"]),
            (|f| f.slug = "new".into(), &["slug"]),
            (|f| f.slug = "A".into(), &["slug"]),
            (|f| f.slug = "../x".into(), &["slug"]),
            (|f| f.issuer = "http://login.acme.example".into(), &["issuer"]),
            (|f| f.issuer = "https://10.0.0.1".into(), &["issuer"]),
            (|f| f.issuer = "https://127.0.0.1".into(), &["issuer"]),
            (|f| f.issuer = "https://a.example/?x".into(), &["issuer"]),
            (|f| f.issuer = String::new(), &["issuer"]),
            (|f| f.client_id = "a b".into(), &["client_id"]),
            (|f| f.secret = nothing(), &["secret"]),
            (|f| f.domains = "localhost".into(), &["domains"]),
            (|f| f.domains = "10.0.0.1".into(), &["domains"]),
            (|f| f.domains = "a_b.example".into(), &["domains"]),
            (|f| f.domains = (0..21).map(|n| format!("a{n}.example ")).collect(), &["domains"]),
            (|f| (f.join, f.domains) = ("domains".into(), String::new()), &["domains"]),
            // Google's issuer is what it is, whatever the form says.
            (|f| (f.preset, f.issuer) = ("google".into(), "https://evil.example".into()), &[]),
            (|f| f.preset = "apple".into(), &["secret", "team", "key"]),
            (
                |f| {
                    (f.preset, f.secret) = ("apple".into(), Secret::new(KEY.to_owned()));
                    (f.team, f.key) = ("TEAM123".into(), "KEY123".into());
                },
                &[],
            ),
        ];
        for (number, (change, expect)) in table.iter().enumerate() {
            assert_eq!(wrong(&filled(change), false), *expect, "{number}");
        }
        assert!(wrong(&filled(|f| f.secret = nothing()), true).is_empty(), "the stored secret stays");
        let outbound = Outbound::new(Reach::Public);
        let draft = filled(|f| f.preset = "google".into()).check(&outbound, false).ok().unwrap();
        assert_eq!(draft.issuer, "https://accounts.google.com");
        assert_eq!(draft.domains, ["acme.example", "xn--bcher-kva.example"]);
    }

    #[test]
    fn domains_of_addresses() {
        assert_eq!(domain(" Ann@Acme.Example ").as_deref(), Some("acme.example"));
        assert_eq!(domain("ann@bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(domain("a@b@acme.example").as_deref(), Some("acme.example"));
        assert_eq!((domain("ann"), domain("ann@"), domain("ann@[::1]")), (None, None, None));
    }
}
