//! The pages that people see.
//!
//! Owns: which page answers which path, and what each shows. What figures and rows look like stands in
//! [`view`]; what may be done, in `identity`; how it is done, in `trading`.

mod account;
mod actions;
mod brand;
mod decision;
mod deploy;
mod live;
mod overview;
mod scene;
pub mod view;

pub use brand::error_pages;
pub use scene::Scene;

use crate::{clock::Clock, identity::{RenderSignIn, SignInView}, theme::Themes, trading::Floor};
use poem::{EndpointExt as _, Request, Route, endpoint::BoxEndpoint, get, post};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Live streams at once.
const STREAMS_MAX: usize = 2_000;

/// What the pages need.
#[derive(Clone)]
pub struct Portal(Arc<Parts>);

struct Parts {
    themes: Arc<Themes>,
    floor: Arc<Floor>,
    clock: Clock,
    streams: Arc<Semaphore>,
}

impl Portal {
    /// Over themes and desks.
    #[must_use]
    pub fn new(themes: Arc<Themes>, floor: Arc<Floor>, clock: Clock) -> Self {
        Self(Arc::new(Parts { themes, floor, clock, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }))
    }

    /// The themes.
    #[must_use]
    pub fn themes(&self) -> &Arc<Themes> {
        &self.0.themes
    }

    /// The desks.
    #[must_use]
    pub fn floor(&self) -> &Arc<Floor> {
        &self.0.floor
    }

    /// How the sign-in page is rendered.
    #[must_use]
    pub fn sign_in_page(&self) -> RenderSignIn {
        let portal = self.clone();
        Arc::new(move |request: &Request, view: &SignInView<'_>| {
            let page = view::SignIn::new(view.email, view.next, view.problem.map(|p| p.detail.clone()));
            Scene::new(request, &portal, view.tenant.clone(), view.csrf.to_owned()).html("Sign in", &page)
        })
    }

    /// All pages, behind the edge and the identity layer.
    #[must_use]
    pub fn routes(&self) -> BoxEndpoint<'static> {
        let route = Route::new()
            .at("/", get(brand::front))
            .at("/brand.css", get(brand::style))
            .at("/favicon.svg", get(brand::favicon))
            .at("/favicon.ico", get(brand::favicon))
            .at("/robots.txt", get(brand::robots))
            .at("/assets/:hash/*path", get(brand::asset))
            .at("/theme-mode", post(brand::theme_mode))
            .at("/api/docs", get(brand::api_docs))
            .at("/dashboard", get(overview::dashboard))
            .at("/accounts/:account", get(account::page))
            .at("/accounts/:account/live", get(live::stream))
            .at("/accounts/:account/stop", post(actions::stop_all))
            .at("/accounts/:account/deploy", get(deploy::form).post(deploy::send))
            .at("/deployments/:deployment/start", post(actions::start))
            .at("/deployments/:deployment/stop", post(actions::stop))
            .at("/positions/:position/close", post(actions::close))
            .at("/decisions/:decision", get(decision::page));
        crate::identity::routes(route, self.sign_in_page()).data(self.clone()).boxed()
    }
}
