//! Requests that change something must come from this site's own pages: two independent checks.
//!
//! First what the browser says of the sender (`Sec-Fetch-Site`, `Origin`), then a token that only our pages know.
//! A form carries it in the field `csrf` (one with files, in its first part), a script in the header `X-CSRF-Token`. Its counterpart is the session's
//! own, or before there is one a cookie that only this host can set.

use crate::{
    edge::{Origin, host::Authority},
    problem::{Problem, ProblemCode},
    secrets::{NoRandomness, Token},
};
use poem::{
    FromRequest, Request, RequestBody,
    http::{HeaderMap, header},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The header that scripts carry the token in.
pub(super) const HEADER: &str = "x-csrf-token";
/// The field that forms carry it in.
const FIELD: &str = "csrf=";

/// The token for the forms of a page. Asking for it makes sure that the browser gets its counterpart.
#[derive(Debug, Clone)]
pub struct Csrf(pub String);

impl<'a> FromRequest<'a> for Csrf {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let token = request.data::<FormToken>().ok_or_else(|| Problem::internal(&OutsideLayer))?;
        token.asked.store(true, Ordering::Relaxed);
        Ok(Self(token.text.clone()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler asked for a form token on a route that is not behind `IdentityLayer`")]
struct OutsideLayer;

/// The token of this request's forms.
#[derive(Clone)]
pub(super) struct FormToken {
    text: String,
    /// Made for this request; its cookie is set when a page used it.
    fresh: bool,
    asked: Arc<AtomicBool>,
}

impl FormToken {
    /// A session's.
    pub(super) fn of_session(csrf: &str) -> Self {
        Self { text: csrf.to_owned(), fresh: false, asked: Arc::default() }
    }

    /// That of the cookie, or a new one.
    pub(super) fn before_session(cookie: Option<Token>) -> Result<Self, NoRandomness> {
        let fresh = cookie.is_none();
        let token = cookie.map_or_else(Token::new, Ok)?;
        Ok(Self { text: token.expose(), fresh, asked: Arc::default() })
    }

    /// The cookie to set, if a page needs one that the browser does not have.
    pub(super) fn cookie_to_set(&self) -> Option<&str> {
        (self.fresh && self.asked.load(Ordering::Relaxed)).then_some(self.text.as_str())
    }
}

/// Checks the sender and the token of a request with an unsafe method.
pub(super) fn check(origin: &Origin, headers: &HeaderMap, body: &[u8], expected: &FormToken) -> Result<(), Problem> {
    check_sender(origin, headers)?;
    let expected = Token::parse(&expected.text).filter(|_| !expected.fresh);
    match (expected, sent_token(headers, body)) {
        (Some(expected), Some(sent)) if expected.matches(sent) => Ok(()),
        _ => Err(Problem::new(ProblemCode::CsrfRefused, "Open the page again and send the form from there.")),
    }
}

fn check_sender(origin: &Origin, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || Err(Problem::new(ProblemCode::CsrfRefused, "Send the form from this site's own page."));
    // Older browsers send neither; then the token alone decides.
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "same-origin") {
        return refused();
    }
    let mut senders = headers.get_all(header::ORIGIN).iter();
    match (senders.next(), senders.next()) {
        (None, _) => Ok(()),
        (Some(sender), None) if sender.to_str().is_ok_and(|sender| is_own(sender, origin)) => Ok(()),
        _ => refused(),
    }
}

/// Whether `sender`, such as `https://aurora.example`, is where the request went.
fn is_own(sender: &str, origin: &Origin) -> bool {
    let Some((scheme, authority)) = sender.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => 443,
        "http" if !origin.secure => 80,
        _ => return false,
    };
    let Ok(Authority { host, port }) = Authority::parse(authority) else { return false };
    if host != origin.authority.host {
        return false;
    }
    // Behind a proxy the port that the browser used may not reach us.
    origin.proxied || (scheme == "http" && port.unwrap_or(default_port) == origin.authority.port.unwrap_or(80))
}

/// The one token that was sent. It has only characters that no form encodes, so nothing need be decoded.
fn sent_token<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    if let Some(header) = headers.get(HEADER) {
        return header.to_str().ok();
    }
    let form = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    if let Some(boundary) = boundary(form) {
        return of_parts(boundary, body);
    }
    if !form.split(';').next()?.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return None;
    }
    let mut fields = core::str::from_utf8(body).ok()?.split('&').filter_map(|pair| pair.strip_prefix(FIELD));
    let first = fields.next()?;
    if fields.next().is_some() { None } else { Some(first) }
}

/// What separates the parts of a form that carries files.
fn boundary(form: &str) -> Option<&str> {
    let (kind, parameters) = form.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut named = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim().trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The token of such a form, which must be its first part: every page of ours puts it there. Anything that is written
/// otherwise than browsers write it has no token.
fn of_parts<'a>(boundary: &str, body: &'a [u8]) -> Option<&'a str> {
    const HEAD: &[u8] = b"\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n";
    let part = body.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?.strip_prefix(HEAD)?;
    let end = part.windows(2).position(|end| end == b"\r\n")?;
    core::str::from_utf8(part.get(..end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a str)];

    fn origin(authority: &str, secure: bool, proxied: bool) -> Origin {
        Origin {
            client: "127.0.0.1".parse().unwrap(),
            authority: Authority::parse(authority).unwrap(),
            secure,
            proxied,
        }
    }

    #[test]
    fn senders() {
        let plain = origin("aurora.localhost:8080", false, false);
        let proxied = origin("aurora.example", true, true);
        let table: &[(&Origin, Headers<'_>, bool)] = &[
            (&plain, &[], true),
            (&plain, &[("sec-fetch-site", "same-origin")], true),
            (&plain, &[("sec-fetch-site", "same-origin"), ("origin", "http://aurora.localhost:8080")], true),
            (&plain, &[("origin", "http://aurora.localhost:8080")], true),
            (&plain, &[("origin", "http://AURORA.localhost.:8080")], true),
            (&plain, &[("sec-fetch-site", "same-site")], false),
            (&plain, &[("sec-fetch-site", "cross-site")], false),
            (&plain, &[("sec-fetch-site", "none")], false),
            (&plain, &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            (&plain, &[("sec-fetch-site", "same-origin"), ("origin", "http://borealis.localhost:8080")], false),
            (&plain, &[("origin", "null")], false),
            (&plain, &[("origin", "")], false),
            (&plain, &[("origin", "aurora.localhost:8080")], false),
            (&plain, &[("origin", "http://aurora.localhost")], false),
            (&plain, &[("origin", "http://aurora.localhost:3000")], false),
            (&plain, &[("origin", "https://aurora.localhost:8080")], false),
            (&plain, &[("origin", "http://borealis.localhost:8080")], false),
            (&plain, &[("origin", "http://aurora.localhost:8080.evil.example")], false),
            (&plain, &[("origin", "http://aurora.localhost:8080"), ("origin", "http://evil.example")], false),
            (&proxied, &[("origin", "https://aurora.example")], true),
            (&proxied, &[("origin", "https://aurora.example:8443")], true),
            (&proxied, &[("origin", "http://aurora.example")], false),
            (&proxied, &[("origin", "https://evil.example")], false),
        ];
        for (origin, headers, expect) in table {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(check_sender(origin, &map).is_ok(), *expect, "{headers:?}");
        }
    }

    #[test]
    fn tokens() {
        let here = origin("aurora.localhost", false, false);
        let token = Token::new().unwrap();
        let (own, other) = (token.expose(), Token::new().unwrap().expose());
        let stored = FormToken::before_session(Some(token)).unwrap();
        let form = "application/x-www-form-urlencoded";
        let table: &[(Option<&str>, &str, &str, bool)] = &[
            (Some(&own), "application/json", "{}", true),
            (Some(&other), "application/json", "{}", false),
            (Some(""), form, &format!("csrf={own}"), false),
            (None, form, &format!("csrf={own}"), true),
            (None, "Application/X-WWW-form-urlencoded; charset=utf-8", &format!("a=1&csrf={own}&b=2"), true),
            (None, form, &format!("csrf={other}"), false),
            (None, form, &format!("xcsrf={own}"), false),
            (None, form, &format!("csrf={own}&csrf={own}"), false),
            (None, form, "", false),
            (None, "text/plain", &format!("csrf={own}"), false),
            (None, "application/json", "{}", false),
        ];
        for (header, kind, body, expect) in table {
            let mut map = HeaderMap::new();
            map.append(header::CONTENT_TYPE, kind.parse().unwrap());
            if let Some(header) = header {
                map.append(HEADER, header.parse().unwrap());
            }
            assert_eq!(check(&here, &map, body.as_bytes(), &stored).is_ok(), *expect, "{header:?} {kind} {body}");
        }
        let parts =
            |token: &str| format!("--XyZ\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--XyZ\r\n");
        let behind = format!("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n{}", parts(&own));
        let table = [
            ("multipart/form-data; boundary=XyZ", parts(&own), true),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"XyZ\"", parts(&own), true),
            ("multipart/form-data; boundary=XyZ", parts(&other), false),
            ("multipart/form-data; boundary=XyZ", behind, false),
            ("multipart/form-data; boundary=other", parts(&own), false),
            ("multipart/form-data; boundary=", parts(&own), false),
            ("multipart/form-data", parts(&own), false),
            ("multipart/mixed; boundary=XyZ", parts(&own), false),
            ("multipart/form-data; boundary=XyZ", parts(&own).replace("csrf", "csrg"), false),
            ("multipart/form-data; boundary=XyZ", format!("csrf={own}"), false),
            ("multipart/form-data; boundary=XyZ", String::new(), false),
        ];
        for (kind, body, expect) in table {
            let mut map = HeaderMap::new();
            map.append(header::CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(check(&here, &map, body.as_bytes(), &stored).is_ok(), expect, "{kind} {body}");
        }
        // A token that was made for this very request was never given to anybody.
        let fresh = FormToken::before_session(None).unwrap();
        let mut map = HeaderMap::new();
        map.append(HEADER, fresh.text.parse().unwrap());
        assert!(check(&here, &map, b"", &fresh).is_err());
    }
}
