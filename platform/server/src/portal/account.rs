//! An account's page: what it is worth, what trades on it and why.

use super::{
    Scene,
    view::{
        AccountPage, Clock, Curve, DecisionRow, DeploymentRow, Desk, Distance, Figure, Goal, LargestOrder, OrderRow,
        Pager, PositionRow, Room, RuleCard, Stats, StrategyCard, TradeRow, account_terms, words,
    },
};
use crate::{
    identity::{Operation, SignedIn},
    plugins::{self, Described},
    problem::Problem,
    tenants::Feature,
    trading::{AccountNow, View, requests},
};
use marque_domain::{
    account::{AccountStatus, Deployment, DeploymentStatus},
    decision::{Decision, Intent},
    fixed::{Money, Price},
    id::AccountId,
    order::{Position, Side},
    plugin::{PluginKind, PluginRef},
};
use marque_store::{Account, Page, TenantDb, Whose};
use poem::{
    Response, handler,
    web::{Path, Query},
};
use serde::Deserialize;
use serde_json::Value;

/// Rows of each list on the page.
const ROWS: u32 = 25;
/// Points of the curve.
const POINTS: u32 = 600;

#[derive(Deserialize)]
struct Older {
    before: Option<String>,
}

#[handler]
pub(super) async fn show_account(
    scene: Scene,
    who: SignedIn,
    Path(id): Path<String>,
    Query(older): Query<Older>,
) -> poem::Result<Response> {
    let account = find(&who, Operation::ReadAccounts, &id).await?;
    if older.before.is_some() {
        requests::gate(&who, Feature::DecisionHistory).await?;
    }
    let db = who.db();
    let trading = scene.portal.floor().desk(db.tenant()).await.map_err(Problem::from)?;
    let view = trading.view();
    let source = RowSource::of(&scene, db, &account).await?;
    let (stats, status) = stats(&account, &view, &source.desk.clock);
    let mut page = AccountPage::new(
        &account.terms.id.to_string(),
        &account.terms.name,
        &status,
        stats,
        source.desk.clock.name(),
        &scene.csrf,
    );
    page.kill = super::kill::panel(&scene, &who, &view, account.terms.id);
    page.curve = curve(db, &account).await?;
    if let Some(now) = view.accounts.get(&account.terms.id) {
        let currency = account.terms.currency;
        page.goals = now.objectives.iter().map(Goal::of).collect();
        let room = |d: &marque_engine::shard::Distance| Room {
            rule: words(&d.rule),
            left: Figure::money(d.left.max(Money::ZERO), currency),
            floor: Figure::money(d.floor, currency),
        };
        page.limits = now.distances.iter().map(room).collect();
    }
    page.largest = largest(&scene, &source, &trading).await;
    page.any_running = source.any_running();
    page.deployments = source.deployment_rows();
    page.strategies = strategies(&scene, &who, account.terms.id).await?;
    let schemas = schemas(db).await?;
    let schema = |rule: &PluginRef| schemas.iter().find(|(name, _)| *name == rule.name).map(|(_, schema)| schema);
    let rules = account.terms.rules.iter();
    page.rules = rules.map(|rule| RuleCard::new(&rule.name, &rule.settings, schema(rule))).collect();
    page.terms = account_terms(account.terms.mode, account.terms.leverage, account.terms.margin);
    page.positions = source.positions(db, &view).await?;
    page.working = source.working(&view);
    page.order_url = who.may(Operation::PlaceOrder).is_ok().then(|| format!("/accounts/{}/order", account.terms.id));
    source.fill_lists(db, &mut page, older.before.as_deref()).await?;
    scene.page(&account.terms.name, &page)
}

/// The account of a path, if it is within reach.
pub(super) async fn find(who: &SignedIn, operation: Operation, id: &str) -> Result<Account, Problem> {
    let whose = who.may(operation)?;
    let id: AccountId = id.parse().map_err(|_| Problem::not_found())?;
    Ok(who.db().account(whose, id).await?)
}

/// The schemas of the catalogue's plugins, which name their settings. Those of older versions name them as well as any.
pub(super) async fn schemas(db: &TenantDb) -> Result<Vec<(String, Value)>, Problem> {
    let plugins = db.plugins().await?;
    plugins.iter().map(|p| Ok((p.plugin.name.clone(), Described::read(p)?.settings_schema))).collect()
}

/// The strategies that could be put on an account.
pub(super) async fn strategies(
    scene: &Scene,
    who: &SignedIn,
    account: AccountId,
) -> Result<Vec<StrategyCard>, Problem> {
    let offered = &scene.tenant.definition.plugins;
    let plugins = plugins::offered(who.db(), offered).await?;
    let strategies = plugins.iter().filter(|p| p.plugin.kind == PluginKind::Strategy);
    strategies
        .map(|p| Ok(StrategyCard::new(&account.to_string(), &p.plugin.name, &Described::read(p)?.summary, false)))
        .collect()
}

/// What an account is worth at this moment, and whether it may trade. While its desk recovers, what is stored.
pub(super) fn stats(account: &Account, view: &View, clock: &Clock) -> (Stats, AccountStatus) {
    let stored = AccountNow {
        balance: account.balance,
        equity: account.balance,
        free: account.balance,
        positions: Vec::new(),
        floating: Default::default(),
        orders: Vec::new(),
        status: account.status.clone(),
        distances: Vec::new(),
        objectives: Vec::new(),
        day_began: None,
    };
    let now = view.accounts.get(&account.terms.id).unwrap_or(&stored);
    let currency = account.terms.currency;
    let began = now.day_began.unwrap_or(account.terms.initial_balance);
    let day = now.equity.saturating_sub(began);
    let distance = now.distances.first().map(|nearest| {
        let mut distance = Distance::of(now.equity, nearest.floor, began, currency, &nearest.rule);
        distance.resets_at = nearest.resets_at.map(|at| clock.show(at));
        distance
    });
    let stats = Stats {
        equity: Figure::money(now.equity, currency),
        balance: Figure::money(now.balance, currency),
        floating: Figure::change(now.equity.saturating_sub(now.balance), currency),
        day: Figure::change(day, currency),
        day_percent: Figure::percent(day, began),
        distance,
        at: clock.show(view.now),
    };
    (stats, now.status.clone())
}

/// Pips to the stop of the order that the page speaks of: twenty, and where the spread is wide more than twice of it, in tens.
/// A stop within the spread would trigger at once.
fn stop_pips(spread: Price, pip: Price) -> i64 {
    let twice = spread.units().saturating_mul(2) / pip.units().max(1);
    (twice / 10 + 1).saturating_mul(10).max(20)
}

/// The largest next order in what the account trades, or else in the first instrument that is offered; none while the desk
/// cannot say.
pub(super) async fn largest(scene: &Scene, source: &RowSource, desk: &crate::trading::Desk) -> Option<LargestOrder> {
    let offered = instruments(scene);
    let traded = source.running().find_map(|d| offered.iter().find(|i| i.id == d.instrument));
    let instrument = traded.or(offered.first())?;
    let quote = *desk.view().quotes.get(&instrument.id)?;
    let pips = stop_pips(quote.ask.saturating_sub(quote.bid), instrument.pip);
    let away = Price::from_units(instrument.pip.units().saturating_mul(pips));
    let stop = quote.ask.saturating_sub(away);
    let (account, id) = (source.account, instrument.id);
    let found = desk.look(move |shard| shard.largest_order(account, id, Side::Buy, Some(stop))).await.ok()??;
    let shrunk = found.shrunk_by.as_ref().map(|rule| format!("{} shrinks larger orders.", words(rule)));
    Some(LargestOrder {
        lots: format!("{} lots", found.lots),
        symbol: instrument.symbol.clone(),
        stop: format!("with a stop {pips} pips away"),
        bound_by: shrunk.or_else(|| found.bound_by.as_ref().map(ToString::to_string)),
    })
}

/// The account's equity curve.
pub(super) async fn curve(db: &TenantDb, account: &Account) -> Result<Option<Curve>, Problem> {
    let mut points = db.equity(Whose::Account(account.terms.id), account.terms.id, Page::first(POINTS)).await?.items;
    points.reverse();
    Ok(Curve::of(&points, account.terms.currency))
}

/// What the rows of an account's lists are made from.
pub(super) struct RowSource {
    pub desk: Desk,
    account: AccountId,
    deployments: Vec<Deployment>,
}

impl RowSource {
    pub async fn of(scene: &Scene, db: &TenantDb, account: &Account) -> Result<Self, Problem> {
        let deployments = db.deployments(Whose::Account(account.terms.id), Page::first(200)).await?.items;
        let instruments = scene.portal.floor().instruments().into_iter().map(|i| (i.id, i)).collect();
        let strategies = deployments.iter().map(|d| (d.id, d.plugin.name.clone())).collect();
        let desk = Desk {
            clock: scene.clock(),
            currency: account.terms.currency,
            instruments,
            strategies,
            csrf: scene.csrf.clone(),
        };
        Ok(Self { desk, account: account.terms.id, deployments })
    }

    pub fn any_running(&self) -> bool {
        self.deployments.iter().any(|d| d.status == DeploymentStatus::Running)
    }

    pub fn running(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().filter(|d| d.status == DeploymentStatus::Running)
    }

    pub fn deployment_rows(&self) -> Vec<DeploymentRow> {
        self.deployments.iter().map(|d| DeploymentRow::of(d, &self.desk)).collect()
    }

    /// Open positions with what they would bring now; while the desk recovers, those that are stored.
    pub async fn positions(&self, db: &TenantDb, view: &View) -> Result<Vec<PositionRow>, Problem> {
        if let Some(rows) = self.positions_now(view) {
            return Ok(rows);
        }
        let mut open = db.positions(Whose::Account(self.account), Some(true), Page::first(200)).await?.items;
        open.reverse();
        Ok(open.iter().map(|p| PositionRow::of(p, None, &self.desk)).collect())
    }

    /// Orders that wait at the venue, newest first.
    pub fn working(&self, view: &View) -> Vec<OrderRow> {
        let orders = view.accounts.get(&self.account).map_or(&[][..], |now| &now.orders);
        orders.iter().rev().map(|o| OrderRow::waiting(o, &self.desk)).collect()
    }

    /// Open positions as the desk has them; none while it recovers.
    pub fn positions_now(&self, view: &View) -> Option<Vec<PositionRow>> {
        let open = &view.accounts.get(&self.account)?.positions;
        Some(open.iter().map(|p| PositionRow::of(p, worth(p, view), &self.desk)).collect())
    }

    /// A position, open or not, with what it would bring now when the desk knows.
    pub fn position_row(&self, position: &Position, view: &View) -> PositionRow {
        PositionRow::of(position, worth(position, view), &self.desk)
    }

    pub async fn decision(&self, db: &TenantDb, decision: &Decision) -> Result<DecisionRow, Problem> {
        let closes = match decision.intent {
            Intent::Close { position }
            | Intent::Reduce { position, .. }
            | Intent::CloseBy { position, .. }
            | Intent::Protect { position, .. } => db.position(Whose::Account(self.account), position).await.ok(),
            Intent::Open { .. } | Intent::Place(_) | Intent::Amend { .. } | Intent::Cancel { .. } => None,
        };
        Ok(DecisionRow::of(decision, closes.as_ref(), &self.desk))
    }

    async fn fill_lists(&self, db: &TenantDb, page: &mut AccountPage, before: Option<&str>) -> Result<(), Problem> {
        let whose = Whose::Account(self.account);
        let before =
            before.map(str::parse::<marque_domain::id::DecisionId>).transpose().map_err(|_| Problem::not_found())?;
        let wanted = Page { after: before.map(|id| id.0), limit: ROWS };
        let decisions = db.decisions(whose, None, wanted).await?;
        for decision in &decisions.items {
            page.decisions.push(self.decision(db, decision).await?);
        }
        let here = format!("/accounts/{}", self.account);
        page.decisions_pager = Pager {
            newer: before.map(|_| format!("{here}#decisions")),
            older: decisions.next.map(|id| format!("{here}?before={}#decisions", marque_domain::id::DecisionId(id))),
        };
        let orders = db.orders(whose, Page::first(ROWS)).await?.items;
        page.orders = orders.iter().map(|o| OrderRow::of(o, &self.desk)).collect();
        let mut closed = db.positions(whose, Some(false), Page::first(ROWS)).await?.items;
        closed.sort_by_key(|p| core::cmp::Reverse(p.closed.map(|c| c.at)));
        page.trades = closed.iter().filter_map(|p| TradeRow::of(p, &self.desk)).collect();
        Ok(())
    }
}

/// The price at which a position would close now, and what it would bring.
fn worth(position: &Position, view: &View) -> Option<(Price, Money)> {
    let quote = view.quotes.get(&position.instrument)?;
    let price = match position.side {
        Side::Buy => quote.bid,
        Side::Sell => quote.ask,
    };
    let floating = view.accounts.get(&position.account)?.floating.get(&position.id)?;
    Some((price, *floating))
}

/// Instruments to choose from.
pub(super) fn instruments(scene: &Scene) -> Vec<marque_domain::instrument::Instrument> {
    requests::tradable(scene.portal.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_stands_clear_of_the_spread() {
        for (spread, pip, pips) in [(0, 10, 20), (99, 10, 20), (100, 10, 30), (220, 10, 50), (5, 0, 20)] {
            assert_eq!(stop_pips(Price::from_units(spread), Price::from_units(pip)), pips, "{spread} of {pip}");
        }
    }
}
