//! A fresh, migrated database per test, and things to put into it.

use marque_domain::{
    account::{AccountStatus, AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::Timeframe,
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, DeploymentId, InstrumentId, OrderId, PositionId, TenantId, TransactionId, UserId},
    instrument::Currency,
    ledger::{Book, Transaction, TransactionKind},
    order::{Order, OrderState, Origin, Position, Purpose, Side},
    plugin::{PluginDigest, PluginRef},
    tenant::TenantStatus,
    ticket::{OrderKind, TimeInForce, Trail},
    time::Millis,
};
use marque_store::{Account, CommitBatch, Concealed, Store, TenantDb, TenantSpec, User, UserStatus};
use marque_testkit::{Database, shared_postgres};
use sea_orm::ConnectionTrait as _;

pub const AURORA: TenantId = TenantId(101);
pub const BOREALIS: TenantId = TenantId(202);
pub const NOW: Millis = Millis(1_400_000_000_000);

pub struct Bench {
    pub store: Store,
    pub url: String,
    _keep: Keep,
}

pub enum Keep {
    Sqlite(#[expect(dead_code, reason = "removes the folder when dropped")] tempfile::TempDir),
    Postgres(#[expect(dead_code, reason = "names the database")] Database<'static>),
}

impl Bench {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("marque.db").display());
        Self::migrated(url, Keep::Sqlite(folder)).await
    }

    pub async fn postgres(test: &str) -> Option<Self> {
        let database = shared_postgres(test)?.database().unwrap();
        Some(Self::migrated(database.url(), Keep::Postgres(database)).await)
    }

    async fn migrated(url: String, keep: Keep) -> Self {
        marque_store::migrate(&url, None).await.unwrap();
        let store = Store::connect(&url).await.unwrap();
        let bench = Self { store, url, _keep: keep };
        for (id, slug) in [(AURORA, "aurora"), (BOREALIS, "borealis")] {
            bench.store.system("test").apply_tenant(&tenant_spec(slug), id, NOW).await.unwrap();
            bench.db(id).create_user(&user(1, "trader@x.example")).await.unwrap();
            bench.db(id).create_user(&user(2, "owner@x.example")).await.unwrap();
        }
        bench
    }

    pub fn db(&self, tenant: TenantId) -> TenantDb {
        self.store.system("test").tenant_db(tenant)
    }

    /// Runs SQL on a connection of its own, past the store. On PostgreSQL a tenant is named first, if given, as an
    /// attacker inside the server's role could.
    #[expect(clippy::disallowed_methods, reason = "plays the attacker who got past the store")]
    pub async fn raw(&self, tenant: Option<TenantId>, sql: &str) -> Result<u64, String> {
        let mut options = sea_orm::ConnectOptions::new(&self.url);
        // One connection, so that the tenant that is named stays named.
        options.max_connections(1).sqlx_logging(false);
        let db = sea_orm::Database::connect(options).await.unwrap();
        if let (Some(tenant), Keep::Postgres(_)) = (tenant, &self._keep) {
            let name = format!("SET marque.tenant = '{}'", tenant.0);
            db.execute_unprepared(&name).await.unwrap();
        }
        let done = db.execute_unprepared(sql).await.map(|done| done.rows_affected()).map_err(|fault| fault.to_string());
        db.close().await.unwrap();
        done
    }
}

pub fn tenant_spec(slug: &str) -> TenantSpec {
    TenantSpec {
        slug: slug.parse().unwrap(),
        name: slug.to_uppercase(),
        status: TenantStatus::Active,
        theme: "daybreak".to_owned(),
        definition: "{}".to_owned(),
        hosts: vec![format!("{slug}.localhost")],
    }
}

pub fn user(id: i64, email: &str) -> User {
    User {
        id: UserId(id),
        email: email.to_owned(),
        display_name: "A. Person".to_owned(),
        password_hash: Concealed::new("$argon2id$hash".to_owned()),
        role: "trader".to_owned(),
        created_at: NOW,
        email_verified_at: Some(NOW),
        status: UserStatus::Active,
        plan: None,
        failures: 0,
        failed_at: None,
    }
}

pub fn account(id: i64, user: i64, balance: i64) -> Account {
    Account {
        terms: AccountTerms {
            id: AccountId(id),
            user: UserId(user),
            name: "Challenge".to_owned(),
            currency: Currency::USD,
            initial_balance: Money::whole(10_000),
            leverage: 100,
            mode: PositionMode::Netting,
            margin: MarginLevels::default(),
            trades_per_day: Some(5),
            rules: vec![plugin_ref("daily-loss")],
        },
        balance: Money::whole(balance),
        status: AccountStatus::Active,
        opened_at: NOW,
    }
}

pub fn plugin_ref(name: &str) -> PluginRef {
    PluginRef { digest: PluginDigest([9; 32]), name: name.to_owned(), settings: "{}".to_owned() }
}

pub fn deployment(id: i64, account: i64) -> Deployment {
    Deployment {
        id: DeploymentId(id),
        account: AccountId(account),
        plugin: plugin_ref("ema-cross"),
        instrument: InstrumentId(3),
        timeframe: Timeframe::M5,
        status: DeploymentStatus::Running,
        created_at: NOW,
    }
}

pub fn position(id: i64, account: i64) -> Position {
    Position {
        id: PositionId(id),
        account: AccountId(account),
        deployment: None,
        instrument: InstrumentId(3),
        side: Side::Sell,
        lots: Lots::from_units(12_000_000),
        open_price: Price::from_units(139_123_000),
        closed_lots: Lots::from_units(3_000_000),
        realised: Money::from_units(-7),
        opened_at: NOW,
        stop_loss: Some(Price::from_units(139_500_000)),
        take_profit: None,
        trail: Some(Trail { distance: Price::from_units(377_000), step: Price::from_units(1_000) }),
        closed: None,
    }
}

pub fn order(id: i64, account: i64) -> Order {
    Order {
        id: OrderId(id),
        account: AccountId(account),
        deployment: None,
        instrument: InstrumentId(3),
        side: Side::Buy,
        lots: Lots::from_units(10_000_000),
        purpose: Purpose::Open,
        origin: Origin::Strategy,
        stop_loss: None,
        take_profit: Some(Price::from_units(140_000_000)),
        kind: OrderKind::StopLimit { stop: Price::from_units(139_000_000), limit: Price::from_units(139_100_000) },
        time_in_force: TimeInForce::Gtd(NOW.plus(60_000)),
        expires_at: Some(NOW.plus(60_000)),
        trail: None,
        oco: Some(OrderId(3)),
        triggered: false,
        filled: Lots::ZERO,
        state: OrderState::Intent,
        fill_price: None,
        reason: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn denied(id: i64, account: i64) -> Decision {
    Decision {
        id: DecisionId(id),
        account: AccountId(account),
        deployment: None,
        origin: Origin::Trader,
        at: NOW,
        intent: Intent::Close { position: PositionId(77) },
        answers: vec![RuleAnswer { rule: "daily-loss".to_owned(), verdict: Verdict::Refuse("enough".to_owned()) }],
        outcome: Outcome::Denied(Denial::PositionNotOpen),
    }
}

pub fn deposit(id: i64, account: i64, amount: i64) -> Transaction {
    let (account, amount) = (AccountId(account), Money::whole(amount));
    Transaction::transfer(TransactionId(id), account, NOW, TransactionKind::Deposit, 0, Book::External, amount)
}

/// A step that changes nothing but the journal.
pub fn step(seq: i64) -> CommitBatch {
    CommitBatch {
        shard: 7,
        seq,
        at: NOW,
        records: vec![1, 2, 3],
        mark: seq.to_be_bytes().to_vec(),
        ..CommitBatch::default()
    }
}

/// A first step that opens and funds account 10 of user 1 and account 20 of user 2.
pub fn opening() -> CommitBatch {
    CommitBatch {
        accounts: vec![account(10, 1, 10_000), account(20, 2, 10_000)],
        transactions: vec![deposit(1, 10, 10_000), deposit(2, 20, 10_000)],
        ..step(1)
    }
}
