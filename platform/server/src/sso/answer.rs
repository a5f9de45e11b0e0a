//! What a browser brings back from an issuer, before anything of it is believed.

use super::Refused;
use poem::http::Uri;
use serde::Deserialize;

/// The longest of each parameter that is looked at. Codes of real issuers have up to about 2,000 characters.
const PARAMETER_BYTES_MAX: usize = 4_096;
/// Parameters that are looked at; more is no issuer's answer.
const PARAMETERS_MAX: usize = 32;

/// The parameters of an answer, each at most once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) state: String,
    pub(super) code: Option<String>,
    /// RFC 9207: who answers.
    pub(super) iss: Option<String>,
    pub(super) error: Option<String>,
    /// Apple's, at the first sign-in: the person's name as JSON. Nobody vouches for it.
    pub(super) user: Option<String>,
}

impl Answer {
    /// The names that are read. Everything else is ignored, as RFC 6749 asks.
    const NAMES: [&'static str; 5] = ["state", "code", "iss", "error", "user"];

    /// Reads a query or a form.
    ///
    /// # Errors
    /// [`Refused::Answer`] when a parameter stands there twice, is too long, or the state is missing.
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let mut answer = Self::default();
        let mut state = None;
        let pairs = openidconnect::url::form_urlencoded::parse(text.as_bytes());
        for (index, (name, value)) in pairs.enumerate() {
            let place = match name.as_ref() {
                "state" => &mut state,
                "code" => &mut answer.code,
                "iss" => &mut answer.iss,
                "error" => &mut answer.error,
                "user" => &mut answer.user,
                _ if index < PARAMETERS_MAX => continue,
                _ => return Err(Refused::Answer),
            };
            if value.len() > PARAMETER_BYTES_MAX || place.replace(value.into_owned()).is_some() {
                return Err(Refused::Answer);
            }
        }
        answer.state = state.ok_or(Refused::Answer)?;
        Ok(answer)
    }

    /// Of an address.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refused> {
        Self::read(uri.query().unwrap_or_default())
    }

    /// The same as a query.
    pub(super) fn query(&self) -> String {
        let mut query = openidconnect::url::form_urlencoded::Serializer::new(String::new());
        let values =
            [Some(&self.state), self.code.as_ref(), self.iss.as_ref(), self.error.as_ref(), self.user.as_ref()];
        for (name, value) in Self::NAMES.iter().zip(values) {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// The name in Apple's `user`, when it could be one.
    pub(super) fn name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct User {
            name: Name,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Name {
            #[serde(default)]
            first_name: String,
            #[serde(default)]
            last_name: String,
        }
        let user: User = serde_json::from_str(self.user.as_deref()?).ok()?;
        Some(format!("{} {}", user.name.first_name.trim(), user.name.last_name.trim()).trim().to_owned())
    }

    /// RFC 9207: an issuer that names itself in its answers must be the one that was asked, and one that promised to
    /// must do it. This stops an answer of one issuer from being taken to another.
    pub(super) fn check_issuer(&self, issuer: &str, promised: bool) -> Result<(), Refused> {
        match self.iss.as_deref() {
            Some(iss) if iss == issuer => Ok(()),
            None if !promised => Ok(()),
            _ => Err(Refused::OtherIssuer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers() {
        let read = |text: &str| Answer::read(text).ok().map(|answer| answer.query());
        let table = [
            ("state=s&code=c", Some("state=s&code=c")),
            ("code=c%2F%3D&state=s&session_state=x", Some("state=s&code=c%2F%3D")),
            ("state=s&error=access_denied&error_description=no", Some("state=s&error=access_denied")),
            ("state=s&code=c&iss=https%3A%2F%2Fi.example", Some("state=s&code=c&iss=https%3A%2F%2Fi.example")),
            ("code=c", None),
            ("", None),
            ("state=s&state=t&code=c", None),
            ("state=s&code=c&code=d", None),
            ("state=s&code=c&iss=a&iss=b", None),
        ];
        for (text, expect) in table {
            assert_eq!(read(text).as_deref(), expect, "{text}");
        }
        assert!(Answer::read(&format!("state=s&code={}", "c".repeat(PARAMETER_BYTES_MAX + 1))).is_err());
        assert!(Answer::read(&"x=1&".repeat(40)).is_err());
    }

    #[test]
    fn an_issuer_must_be_the_one_that_was_asked() {
        let with = |iss: Option<&str>| Answer { iss: iss.map(str::to_owned), ..Answer::default() };
        let asked = "https://a.example";
        for (iss, promised, good) in [
            (Some(asked), true, true),
            (Some(asked), false, true),
            (None, false, true),
            (None, true, false),
            (Some("https://b.example"), true, false),
            (Some("https://b.example"), false, false),
            (Some("https://a.example/"), true, false),
            (Some(""), false, false),
        ] {
            assert_eq!(with(iss).check_issuer(asked, promised).is_ok(), good, "{iss:?} {promised}");
        }
    }

    #[test]
    fn apples_name() {
        let name = |user: &str| Answer { user: Some(user.to_owned()), ..Answer::default() }.name();
        assert_eq!(name(r#"{"name":{"firstName":"Ann","lastName":"Lee"},"email":"x"}"#).as_deref(), Some("Ann Lee"));
        assert_eq!(name(r#"{"name":{"firstName":"Ann"}}"#).as_deref(), Some("Ann"));
        assert_eq!((name("[]"), name("{}"), name("")), (None, None, None));
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_and_read_again(text in "[a-z=&%0-9+]{0,60}") {
            if let Ok(answer) = Answer::read(&text) {
                prop_assert_eq!(Answer::read(&answer.query()).unwrap(), answer);
            }
        }
    }
}
