//! The first page of who is signed in: their accounts at a glance.

use super::{
    Scene,
    account::{RowSource, curve, stats},
    view::{AccountCard, Dashboard, DecisionRow, Pager},
};
use crate::{
    identity::{Operation, SignedIn},
    problem::Problem,
    trading::View,
};
use marque_domain::account::DeploymentStatus;
use marque_store::{Account, Page, Whose};
use poem::{Response, handler, web::Query};
use serde::Deserialize;

/// Accounts on the page.
const ACCOUNTS: u32 = 20;
/// Decisions on the page.
const DECISIONS: u32 = 8;

#[derive(Deserialize)]
struct From {
    after: Option<i64>,
}

#[handler]
pub(super) async fn dashboard(scene: Scene, who: SignedIn, Query(from): Query<From>) -> poem::Result<Response> {
    let whose = who.may(Operation::ReadAccounts)?;
    let view = scene.portal.floor().desk(who.db().tenant()).await.map_err(Problem::from)?.view();
    let page = Page { after: from.after, limit: ACCOUNTS };
    let accounts = who.db().accounts(whose, page).await.map_err(Problem::from)?;
    let everyones = whose == Whose::Everyone;
    let mut cards = Vec::with_capacity(accounts.items.len());
    for account in &accounts.items {
        let mut card = card(&scene, &who, account, &view).await?;
        if everyones {
            card.owner = Some(who.db().user(account.terms.user).await.map_err(Problem::from)?.email);
        }
        cards.push(card);
    }
    let recent = recent(&scene, &who, &accounts.items).await?;
    let dashboard = Dashboard {
        title: if everyones { "All accounts" } else { "Your accounts" },
        accounts: cards,
        pager: Pager {
            newer: from.after.map(|_| "/dashboard".to_owned()),
            older: accounts.next.map(|next| format!("/dashboard?after={next}")),
        },
        open: who.may(Operation::OpenAccount).is_ok().then_some("/accounts/new"),
        recent,
        zone: scene.clock().name().to_owned(),
    };
    scene.page("Accounts", &dashboard)
}

async fn card(scene: &Scene, who: &SignedIn, account: &Account, view: &View) -> Result<AccountCard, Problem> {
    let whose = Whose::Account(account.terms.id);
    let deployments = who.db().deployments(whose, Page::first(200)).await?.items;
    let running = deployments.iter().filter(|d| d.status == DeploymentStatus::Running).count();
    let (stats, status) = stats(account, view, &scene.clock());
    let curve = curve(who.db(), account).await?;
    Ok(AccountCard::new(&account.terms.id.to_string(), &account.terms.name, &status, stats, curve, running))
}

async fn recent(scene: &Scene, who: &SignedIn, accounts: &[Account]) -> Result<Vec<DecisionRow>, Problem> {
    let whose = who.may(Operation::ReadDecisions)?;
    let decisions = who.db().decisions(whose, None, Page::first(DECISIONS)).await?.items;
    let mut rows = Vec::with_capacity(decisions.len());
    for decision in &decisions {
        let Some(account) = accounts.iter().find(|a| a.terms.id == decision.account) else { continue };
        let source = RowSource::of(scene, who.db(), account).await?;
        rows.push(source.decision(who.db(), decision).await?);
    }
    Ok(rows)
}
