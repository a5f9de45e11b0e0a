//! The cookies of the server. `__Host-` makes browsers refuse them from another host, without TLS (except on
//! `*.localhost`), or with a narrower path: nobody beside this site can set them.

use crate::secrets::Token;
use poem::{
    Response,
    http::{HeaderMap, HeaderValue, header},
};

/// The session of who is signed in.
pub(super) const SESSION: &str = "__Host-marque";
/// The CSRF token of forms before there is a session.
pub(super) const FORM: &str = "__Host-marque-form";

/// A sign-in that waits for a second proof.
pub(super) const MORE: &str = "__Host-marque-more";

/// The browser that somebody signed in with before. It opens nothing.
pub(super) const DEVICE: &str = "__Host-marque-device";

/// The token in a cookie. One that stands there twice is not believed.
pub(crate) fn token(headers: &HeaderMap, name: &str) -> Option<Token> {
    value(headers, name).and_then(Token::parse)
}

/// The text of a cookie that stands there once.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let first = found.next()?;
    if found.next().is_some() { None } else { Some(first) }
}

/// Sets a cookie; without `max_age_s` it ends with the browser.
pub(crate) fn set(response: &mut Response, name: &str, value: &str, max_age_s: Option<i64>) {
    let age = max_age_s.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Takes a cookie back.
pub(crate) fn remove(response: &mut Response, name: &str) {
    set(response, name, "", Some(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let (a, b) = (Token::new().unwrap().expose(), Token::new().unwrap().expose());
        let table: &[(&[String], bool)] = &[
            (&[format!("{SESSION}={a}")], true),
            (&[format!("x=1; {SESSION}={a};y=2")], true),
            // HTTP/2 may split the header.
            (&["x=1".to_owned(), format!("{SESSION}={a}")], true),
            (&[], false),
            (&[format!("{FORM}={a}")], false),
            (&[format!("{SESSION}x={a}")], false),
            (&[format!("{SESSION}=")], false),
            (&[format!("{SESSION}={a}x")], false),
            (&[format!("{SESSION}={a}; {SESSION}={b}")], false),
            (&[format!("{SESSION}={a}"), format!("{SESSION}={a}")], false),
        ];
        for (cookies, expect) in table {
            let mut headers = HeaderMap::new();
            for cookie in *cookies {
                headers.append(header::COOKIE, cookie.parse().unwrap());
            }
            let found = token(&headers, SESSION).map(|t| t.expose());
            assert_eq!(found, expect.then(|| a.clone()), "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_is_hidden_from_scripts_and_other_sites() {
        let mut response = Response::default();
        set(&mut response, SESSION, "v", Some(60));
        let text = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(text, "__Host-marque=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
    }
}
