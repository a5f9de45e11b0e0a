//! The pages that people see.
//!
//! Owns: which page answers which path, and what each shows. What figures and rows look like stands in
//! [`view`]; what may be done, in `identity`; how it is done, in `trading`.

mod access;
mod account;
mod actions;
mod admin;
mod audit;
mod backtests;
mod brand;
mod credentials;
mod decision;
mod deploy;
mod deployment;
mod join;
mod kill;
mod licences;
mod live;
mod mail;
mod money;
mod more;
mod open;
mod overview;
mod passkeys;
mod problems;
mod releases;
mod scene;
mod security;
mod ticket;
mod version;
pub mod view;

pub use brand::error_pages;
pub use scene::Scene;

use crate::{
    clock::Clock,
    identity::{
        Operation, RenderSignIn, SignInView,
        gate::{Pages, may, public},
    },
    theme::Themes,
    trading::Floor,
};
use poem::{EndpointExt as _, Request, endpoint::BoxEndpoint};
use std::sync::Arc;
use tokio::sync::Semaphore;
use view::SsoWay;

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

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// How the sign-in page is rendered.
    #[must_use]
    pub fn sign_in_page(&self) -> RenderSignIn {
        let portal = self.clone();
        Arc::new(move |request: &Request, view: &SignInView<'_>| {
            let ways = view.ways.iter().map(|way| SsoWay::new(&way.name, &format!("/sso/{}/begin", way.slug)));
            let page = view::SignIn::new(view.email, view.next, view.problem.map(|p| p.detail.clone()))
                .ways(ways.collect())
                .wait(view.problem.and_then(|problem| problem.retry_after_s));
            let page = match view.question {
                Some(question) => page.ask(&question.text, &question.token),
                None => page,
            };
            Scene::new(request, &portal, view.tenant.clone(), view.csrf.to_owned()).html("Sign in", &page)
        })
    }

    /// All pages, behind the edge and the identity layer.
    #[must_use]
    pub fn routes(&self) -> BoxEndpoint<'static> {
        pages(self.sign_in_page()).into_route().data(self.clone()).boxed()
    }
}

/// Every page with who may ask for it.
fn pages(sign_in: RenderSignIn) -> Pages {
    let pages = Pages::new()
        .at("/", public().get(brand::front))
        .at("/brand.css", public().get(brand::style))
        .at("/favicon.svg", public().get(brand::favicon))
        .at("/favicon.ico", public().get(brand::favicon))
        .at("/robots.txt", public().get(brand::robots))
        .at("/assets/:hash/*path", public().get(brand::asset))
        .at("/theme-mode", public().post(brand::theme_mode))
        .at("/api/docs", public().get(brand::api_docs))
        .at("/problems", public().get(problems::all))
        .at("/problems/:code", public().get(problems::one))
        .at("/dashboard", may(Operation::ReadAccounts).get(overview::dashboard))
        .at("/accounts/new", may(Operation::OpenAccount).get(open::show_form).post(open::send_form))
        .at("/accounts/:account", may(Operation::ReadAccounts).get(account::show_account))
        .at("/accounts/:account/live", may(Operation::StreamAccount).get(live::follow))
        .at("/accounts/:account/stop", may(Operation::StopDeployment).post(actions::stop_all))
        .at(
            "/accounts/:account/deploy",
            may(Operation::CreateDeployment).get(deploy::show_form).post(deploy::send_form),
        )
        .at("/deployments/:deployment/start", may(Operation::StartDeployment).post(actions::start))
        .at("/deployments/:deployment/stop", may(Operation::StopDeployment).post(actions::stop))
        .at("/positions/:position/close", may(Operation::ClosePosition).post(actions::close))
        .at("/decisions/:decision", may(Operation::ReadDecisions).get(decision::show_decision));
    let pages = ticket::pages(pages);
    let pages = access::pages(more::pages(crate::identity::pages(pages, sign_in)));
    let pages = backtests::pages(passkeys::pages(security::pages(pages)));
    let pages = credentials::pages(join::pages(crate::sso::pages(pages)));
    let pages = licences::pages(pages);
    deployment::pages(releases::pages(kill::pages(money::pages(audit::pages(mail::pages(admin::pages(pages)))))))
}

/// Every page with who may ask for it, for the tests that ask for each.
#[cfg(test)]
pub(crate) fn rows() -> Vec<crate::identity::gate::PageRow> {
    pages(Arc::new(|_, _| Ok(String::new()))).rows().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who may ask for which page, as a golden file.
    #[test]
    fn the_pages_and_who_may_ask_for_them() {
        let table: String = rows().iter().map(|(m, path, access)| format!("{m:4} {path} {access}\n")).collect();
        insta::assert_snapshot!(table);
    }
}
