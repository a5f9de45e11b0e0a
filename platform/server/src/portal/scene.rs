//! What surrounds a page for who asks: brand, navigation, light or dark; and the way to render it.

use super::{
    Portal,
    view::{ApiDocs, Banner, Brand, Clock, Page, Person, Shell},
};
use crate::{
    edge::Tenant,
    identity::{Csrf, Role, SignedIn, cookie},
    problem::Problem,
    tenants::Definition,
    theme::{API_DOCS_POLICY, Mode, ThemeError, Themes},
};
use marque_domain::time::Millis;
use poem::{FromRequest, IntoResponse as _, Request, RequestBody, Response, http::header, web::Html};

/// The cookie in which a browser keeps light or dark.
pub(super) const MODE_COOKIE: &str = "__Host-marque-theme";

impl From<ThemeError> for Problem {
    fn from(error: ThemeError) -> Self {
        Self::internal(&error)
    }
}

/// The scene of one request.
#[derive(Clone)]
pub struct Scene {
    /// The brand's tenant.
    pub tenant: Tenant,
    /// The token of the page's forms.
    pub csrf: String,
    pub(super) portal: Portal,
    person: Option<Person>,
    role: Option<Role>,
    unverified: bool,
    path: String,
    mode: Option<Mode>,
}

impl Scene {
    pub(super) fn new(request: &Request, portal: &Portal, tenant: Tenant, csrf: String) -> Self {
        let who = request.data::<SignedIn>();
        let person = who.map(|who| Person { email: who.email.clone(), role: who.role.title().to_owned() });
        let role = who.map(|who| who.role);
        let unverified = who.is_some_and(|who| !who.verified);
        let chosen = cookie(request.headers(), MODE_COOKIE).and_then(Mode::named);
        let mode = chosen.or(tenant.definition.tokens.mode);
        Self {
            portal: portal.clone(),
            tenant,
            csrf,
            person,
            role,
            unverified,
            path: request.uri().path().to_owned(),
            mode,
        }
    }

    /// Whether somebody is signed in.
    #[must_use]
    pub const fn is_signed_in(&self) -> bool {
        self.person.is_some()
    }

    /// The clock that this brand's pages show.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(self.tenant.definition.time_zone.clone())
    }

    /// The server's time.
    #[must_use]
    pub fn clock_now(&self) -> Millis {
        self.portal.clock().now()
    }

    /// Renders a page.
    ///
    /// # Errors
    /// An internal problem when the theme cannot.
    pub fn html<P: Page>(&self, title: &str, page: &P) -> Result<String, Problem> {
        let definition = &self.tenant.definition;
        let themes = self.portal.themes();
        let mut shell = shell(themes, definition, title, &self.path)?;
        shell.nav = self.role.map_or_else(Vec::new, |role| Shell::navigation(&self.path, role));
        shell.person.clone_from(&self.person);
        shell.csrf.clone_from(&self.csrf);
        shell.mode = self.mode;
        if self.unverified && self.path != "/verify" {
            shell.banners.push(Banner::unverified());
        }
        Ok(themes.render(&definition.theme, &shell, page)?)
    }

    /// Answers with a page. It is for this browser alone.
    ///
    /// # Errors
    /// As [`Scene::html`].
    pub fn page<P: Page>(&self, title: &str, page: &P) -> poem::Result<Response> {
        let html = Html(self.html(title, page)?);
        let mut response = html.with_header(header::CACHE_CONTROL, "no-store").into_response();
        if P::TEMPLATE == ApiDocs::TEMPLATE {
            response
                .headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static(API_DOCS_POLICY));
        }
        Ok(response)
    }
}

/// The shell of a brand's page for nobody in particular.
pub(super) fn shell(themes: &Themes, definition: &Definition, title: &str, path: &str) -> Result<Shell, ThemeError> {
    let words = &definition.words;
    let (_, hash) = themes.brand_css(&definition.theme, &definition.tokens)?;
    Ok(Shell {
        lang: definition.locale.split('-').next().unwrap_or("en").to_owned(),
        title: title.to_owned(),
        brand: Brand::new(&definition.name, &words.logo, &words.legal_name, &words.risk_notice),
        brand_css: format!("/brand.css?v={hash}"),
        person: None,
        nav: Vec::new(),
        csrf: String::new(),
        path: path.to_owned(),
        mode: definition.tokens.mode,
        banners: Vec::new(),
    })
}

impl<'a> FromRequest<'a> for Scene {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let tenant = Tenant::from_request(request, body).await?;
        let portal = request.data::<Portal>().ok_or_else(|| Problem::internal(&NoPortal))?;
        // The form in the header of a signed-in page needs a token; a page for nobody needs no cookie for it.
        let csrf = Csrf::from_request(request, body).await?.0;
        Ok(Self::new(request, portal, tenant, csrf))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a page was asked for on a route without a `Portal`")]
struct NoPortal;
