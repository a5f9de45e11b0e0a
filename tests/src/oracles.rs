//! What must be true after any run, whatever failed in it. The numbers are those of the catalogue of tests: O2 venue orders
//! equal our intents · O3 the books add up · O6 the audit chain verifies. O1, that what was acknowledged is present, needs
//! to know what was acknowledged: `storm` holds its part of it. The checks themselves are `marque_domain::oracle`, shared with
//! the engine's simulations.

use marque_domain::{
    decision::Decision,
    fixed::Money,
    ledger::Book,
    oracle,
    order::{Order, Position},
};
use marque_store::{AuditFilter, AuditRow, Page, Store, TenantDb, Whose};
use marque_testkit::site::Site;

/// The database of a site, and the part of it that is Aurora's.
pub async fn aurora(site: &Site) -> (Store, TenantDb) {
    let sqlite = || format!("sqlite://{}", site.data().join("marque.db").display());
    let url = site.setting("MARQUE_DATABASE_URL").map_or_else(sqlite, str::to_owned);
    let store = Store::connect(&url).await.expect("the site's database");
    let tenant =
        store.system("read a test site").tenant_by_host("aurora.localhost").await.expect("a lookup").expect("aurora");
    let db = store.system("read a test site").tenant_db(tenant.id);
    (store, db)
}

/// Who did an act at Aurora and to what, as its audit log has it, newest first: `system marque plugin add: …`.
pub async fn recorded(site: &Site, act: &str) -> Vec<String> {
    let (store, db) = aurora(site).await;
    let filter = AuditFilter { act: Some(act.to_owned()), ..AuditFilter::default() };
    let rows = db.audit(&filter, Page::first(100)).await.expect("the log").items;
    store.close().await.expect("the database closes");
    let told = |AuditRow { entry, .. }| format!("{} {}: {}", entry.actor_kind, entry.actor_name, entry.target);
    rows.into_iter().map(told).collect()
}

/// All that trading left behind: what a person, a regulator or a court would compare.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub orders: Vec<Order>,
    pub positions: Vec<Position>,
    pub decisions: Vec<Decision>,
    pub books: Vec<Vec<(Book, Money)>>,
    /// Every movement of money, newest first, account by account.
    pub statements: Vec<String>,
}

/// Reads it from the database of a site that no server runs on.
pub async fn left(site: &Site) -> Left {
    let (store, db) = aurora(site).await;
    let mut left = Left { orders: vec![], positions: vec![], decisions: vec![], books: vec![], statements: vec![] };
    let mut page = Page::first(200);
    loop {
        let got = db.orders(Whose::Everyone, page).await.expect("orders");
        left.orders.extend(got.items);
        let Some(next) = got.next else { break };
        page.after = Some(next);
    }
    let mut page = Page::first(200);
    loop {
        let got = db.positions(Whose::Everyone, None, page).await.expect("positions");
        left.positions.extend(got.items);
        let Some(next) = got.next else { break };
        page.after = Some(next);
    }
    let mut page = Page::first(200);
    loop {
        let got = db.decisions(Whose::Everyone, None, page).await.expect("decisions");
        left.decisions.extend(got.items);
        let Some(next) = got.next else { break };
        page.after = Some(next);
    }
    for account in db.accounts(Whose::Everyone, Page::first(50)).await.expect("accounts").items {
        left.books.push(db.balances(Whose::Everyone, account.terms.id).await.expect("balances"));
        let mut page = Page::first(200);
        loop {
            let got = db.statement(Whose::Everyone, account.terms.id, page).await.expect("a statement");
            left.statements.extend(got.items.iter().map(|line| format!("{:?} {line:?}", account.terms.id)));
            let Some(next) = got.next else { break };
            page.after = Some(next);
        }
    }
    store.close().await.expect("the database closes");
    left
}

/// Asks all of them about a site that no server runs on, and answers what trading left behind.
pub async fn hold(site: &Site) -> Left {
    let left = left(site).await;
    orders_equal_intents(&left);
    for what in ["ledger", "audit"] {
        // Both end with an exit code other than 0 when anything is wrong.
        site.succeeds(&[what, "verify"]);
    }
    left
}

/// O2, our own side: each order once, and each explained by the decision that approved it.
fn orders_equal_intents(left: &Left) {
    let broken = oracle::orders_equal_intents(&left.orders, &left.decisions, &left.positions);
    let broken: Vec<String> = broken.iter().take(20).map(ToString::to_string).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
