//! Between rows and the domain's nouns. A row that makes no sense is reported, never guessed at.

mod licensing;
mod mail;
mod order;
mod registry;
mod running;

pub(crate) use licensing::{event, event_row, salt, salt_row, seat, seat_row};
pub(crate) use mail::{mail, mail_row, one_time, one_time_row};
pub(crate) use order::{order, order_row};
pub(crate) use registry::{release, release_row};
pub(crate) use running::{
    amount, count, difference, difference_row, shadow, shadow_row, switch, switch_row, usage_row,
};

use crate::{
    entity::{
        accounts, decisions, deployments, equity_points, ledger_postings, ledger_transactions, plugins, positions,
        sessions, tenants, users,
    },
    error::StoreError,
    record::{
        Account, Concealed, NewPlugin, Plugin, Session, Tenant, TenantSpec, TokenHash, User, UserStatus,
        normalise_email,
    },
};
use core::str::FromStr;
use marque_domain::{
    account::{AccountStatus, Deployment, DeploymentStatus, EquityPoint},
    bar::Timeframe,
    decision::{Decision, Outcome},
    fixed::{Lots, Money, Price},
    id::{
        AccountId, DecisionId, DeploymentId, InstrumentId, PluginId, PositionId, SessionId, TenantId, TransactionId,
        UserId,
    },
    ledger::{Book, Transaction, TransactionKind, movement::Memo},
    order::{Closed, Origin, Position, Side},
    plugin::{Channel, PluginDigest, PluginKind, PluginRef},
    tenant::TenantStatus,
    time::Millis,
};
use serde::{Serialize, de::DeserializeOwned};

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];
const KINDS: [PluginKind; 2] = [PluginKind::Strategy, PluginKind::RiskRule];

type Decoded<T> = Result<T, StoreError>;

/// The value whose stable name is `text`.
fn named<T: Copy>(what: &'static str, all: &[T], name: impl Fn(T) -> &'static str, text: &str) -> Decoded<T> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| StoreError::corrupt(what, text))
}

fn parsed<T: FromStr<Err: ToString>>(what: &'static str, text: &str) -> Decoded<T> {
    text.parse().map_err(|fault: T::Err| StoreError::corrupt(what, fault.to_string()))
}

fn digest(what: &'static str, bytes: &[u8]) -> Decoded<PluginDigest> {
    bytes.try_into().map(PluginDigest).map_err(|_| StoreError::corrupt(what, "its digest is not 32 bytes"))
}

fn instrument(what: &'static str, id: i64) -> Decoded<InstrumentId> {
    u32::try_from(id).map(InstrumentId).map_err(|_| StoreError::corrupt(what, format!("instrument {id}")))
}

/// A value as JSON text.
pub(crate) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Decoded<String> {
    serde_json::to_string(value).map_err(|fault| StoreError::corrupt(what, fault))
}

/// A value from JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Decoded<T> {
    serde_json::from_str(text).map_err(|fault| StoreError::corrupt(what, fault))
}

const fn tenant_status(status: TenantStatus) -> &'static str {
    match status {
        TenantStatus::Active => "active",
        TenantStatus::Suspended => "suspended",
    }
}

pub(crate) fn tenant(row: tenants::Model, hosts: Vec<String>) -> Decoded<Tenant> {
    let spec = TenantSpec {
        slug: parsed("tenant", &row.slug)?,
        name: row.name,
        status: named("tenant", &[TenantStatus::Active, TenantStatus::Suspended], tenant_status, &row.status)?,
        theme: row.theme,
        definition: row.definition,
        hosts,
    };
    Ok(Tenant { id: TenantId(row.id), spec, created_at: Millis(row.created_at), updated_at: Millis(row.updated_at) })
}

pub(crate) fn tenant_row(spec: &TenantSpec, id: TenantId, created_at: Millis, updated_at: Millis) -> tenants::Model {
    tenants::Model {
        id: id.0,
        slug: spec.slug.to_string(),
        name: spec.name.clone(),
        status: tenant_status(spec.status).to_owned(),
        theme: spec.theme.clone(),
        definition: spec.definition.clone(),
        created_at: created_at.0,
        updated_at: updated_at.0,
    }
}

pub(crate) fn user(row: users::Model) -> Decoded<User> {
    Ok(User {
        id: UserId(row.id),
        email: row.email,
        display_name: row.display_name,
        password_hash: Concealed::new(row.password_hash),
        role: row.role,
        created_at: Millis(row.created_at),
        email_verified_at: row.email_verified_at.map(Millis),
        status: named("user", UserStatus::ALL, UserStatus::name, &row.status)?,
        plan: row.plan,
        failures: row.failures,
        failed_at: row.failed_at.map(Millis),
    })
}

pub(crate) fn user_row(user: &User, tenant_id: i64) -> users::Model {
    users::Model {
        tenant_id,
        id: user.id.0,
        email: normalise_email(&user.email),
        display_name: user.display_name.clone(),
        password_hash: user.password_hash.expose().to_owned(),
        role: user.role.clone(),
        created_at: user.created_at.0,
        email_verified_at: user.email_verified_at.map(|at| at.0),
        status: user.status.name().to_owned(),
        plan: user.plan.clone(),
        failures: user.failures,
        failed_at: user.failed_at.map(|at| at.0),
    }
}

pub(crate) fn session(row: sessions::Model) -> Decoded<Session> {
    let hash = row.token_hash.as_slice().try_into();
    Ok(Session {
        id: SessionId(row.id),
        token_hash: TokenHash(hash.map_err(|_| StoreError::corrupt("session", "its token hash is not 32 bytes"))?),
        user: UserId(row.user_id),
        csrf: Concealed::new(row.csrf),
        created_at: Millis(row.created_at),
        last_seen_at: Millis(row.last_seen_at),
        expires_at: Millis(row.expires_at),
        address: row.address,
        agent: row.agent,
        method: row.method,
        proved_at: Millis(row.proved_at),
        country: row.country,
        device: row.device_id,
    })
}

pub(crate) fn plugin(row: plugins::Model) -> Decoded<Plugin> {
    let plugin = NewPlugin {
        id: PluginId(row.id),
        name: row.name,
        version: row.version,
        kind: named("plugin", &KINDS, PluginKind::name, &row.kind)?,
        digest: digest("plugin", &row.digest)?,
        size: u64::try_from(row.size).map_err(|fault| StoreError::corrupt("plugin", fault))?,
        description: row.description,
    };
    let channel = named("plugin", &Channel::ALL, Channel::name, &row.channel)?;
    Ok(Plugin { plugin, channel, published: row.published, enabled: row.enabled, created_at: Millis(row.created_at) })
}

pub(crate) fn account(row: accounts::Model) -> Decoded<Account> {
    let reason = row.status_reason.unwrap_or_default();
    let status = match row.status.as_str() {
        "active" => AccountStatus::Active,
        "held" => AccountStatus::Held(reason),
        "failed" => AccountStatus::Failed(reason),
        other => return Err(StoreError::corrupt("account", format!("status {other}"))),
    };
    Ok(Account {
        terms: from_json("account", &row.terms)?,
        balance: Money::from_units(row.balance),
        status,
        opened_at: Millis(row.opened_at),
    })
}

pub(crate) fn account_row(tenant_id: i64, account: &Account, at: Millis) -> Decoded<accounts::Model> {
    let terms = &account.terms;
    Ok(accounts::Model {
        tenant_id,
        id: terms.id.0,
        user_id: terms.user.0,
        name: terms.name.clone(),
        currency: terms.currency.code().to_owned(),
        initial_balance: terms.initial_balance.units(),
        balance: account.balance.units(),
        leverage: terms.leverage,
        status: account.status.name().to_owned(),
        status_reason: account.status.reason().map(str::to_owned),
        terms: to_json("account", terms)?,
        opened_at: account.opened_at.0,
        updated_at: at.0,
    })
}

pub(crate) fn deployment(row: deployments::Model) -> Decoded<Deployment> {
    let status = match row.status.as_str() {
        "running" => DeploymentStatus::Running,
        "stopped" => DeploymentStatus::Stopped,
        "quarantined" => DeploymentStatus::Quarantined(row.status_reason.unwrap_or_default()),
        "paused" => DeploymentStatus::Paused(row.status_reason.unwrap_or_default()),
        other => return Err(StoreError::corrupt("deployment", format!("status {other}"))),
    };
    Ok(Deployment {
        id: DeploymentId(row.id),
        account: AccountId(row.account_id),
        plugin: PluginRef { digest: digest("deployment", &row.digest)?, name: row.plugin_name, settings: row.settings },
        instrument: instrument("deployment", row.instrument_id)?,
        timeframe: parsed::<Timeframe>("deployment", &row.timeframe)?,
        status,
        created_at: Millis(row.created_at),
    })
}

pub(crate) fn deployment_row(tenant_id: i64, deployment: &Deployment, at: Millis) -> deployments::Model {
    deployments::Model {
        tenant_id,
        id: deployment.id.0,
        account_id: deployment.account.0,
        plugin_name: deployment.plugin.name.clone(),
        digest: deployment.plugin.digest.0.to_vec(),
        settings: deployment.plugin.settings.clone(),
        instrument_id: i64::from(deployment.instrument.0),
        timeframe: deployment.timeframe.name().to_owned(),
        status: deployment.status.name().to_owned(),
        status_reason: deployment.status.reason().map(str::to_owned),
        created_at: deployment.created_at.0,
        updated_at: at.0,
    }
}

pub(crate) fn position(row: positions::Model) -> Decoded<Position> {
    let closed = match (row.closed_at, row.close_price, row.profit, row.close_origin) {
        (None, None, None, None) => None,
        (Some(at), Some(price), Some(profit), Some(origin)) => Some(Closed {
            at: Millis(at),
            price: Price::from_units(price),
            profit: Money::from_units(profit),
            origin: named("position", &Origin::ALL, Origin::name, &origin)?,
        }),
        _ => return Err(StoreError::corrupt("position", format!("{} is half closed", row.id))),
    };
    Ok(Position {
        id: PositionId(row.id),
        account: AccountId(row.account_id),
        deployment: row.deployment_id.map(DeploymentId),
        instrument: instrument("position", row.instrument_id)?,
        side: named("position", &SIDES, Side::name, &row.side)?,
        lots: Lots::from_units(row.lots),
        open_price: Price::from_units(row.open_price),
        closed_lots: Lots::from_units(row.closed_lots),
        realised: Money::from_units(row.realised),
        opened_at: Millis(row.opened_at),
        stop_loss: row.stop_loss.map(Price::from_units),
        take_profit: row.take_profit.map(Price::from_units),
        trail: order::trail(row.trail_distance, row.trail_step),
        closed,
    })
}

pub(crate) fn position_row(tenant_id: i64, position: &Position) -> positions::Model {
    let closed = position.closed.as_ref();
    positions::Model {
        tenant_id,
        id: position.id.0,
        account_id: position.account.0,
        deployment_id: position.deployment.map(|id| id.0),
        instrument_id: i64::from(position.instrument.0),
        side: position.side.name().to_owned(),
        lots: position.lots.units(),
        open_price: position.open_price.units(),
        opened_at: position.opened_at.0,
        stop_loss: position.stop_loss.map(Price::units),
        take_profit: position.take_profit.map(Price::units),
        closed_lots: position.closed_lots.units(),
        realised: position.realised.units(),
        trail_distance: position.trail.map(|t| t.distance.units()),
        trail_step: position.trail.map(|t| t.step.units()),
        closed_at: closed.map(|c| c.at.0),
        close_price: closed.map(|c| c.price.units()),
        profit: closed.map(|c| c.profit.units()),
        close_origin: closed.map(|c| c.origin.name().to_owned()),
    }
}

pub(crate) fn decision(row: decisions::Model) -> Decoded<Decision> {
    Ok(Decision {
        id: DecisionId(row.id),
        account: AccountId(row.account_id),
        deployment: row.deployment_id.map(DeploymentId),
        origin: named("decision", &Origin::ALL, Origin::name, &row.origin)?,
        at: Millis(row.at),
        intent: from_json("decision", &row.intent)?,
        answers: from_json("decision", &row.answers)?,
        outcome: from_json("decision", &row.outcome)?,
    })
}

pub(crate) fn decision_row(tenant_id: i64, decision: &Decision) -> Decoded<decisions::Model> {
    let (order_id, denial) = match &decision.outcome {
        Outcome::Approved { order, .. } => (Some(order.0), None),
        Outcome::Denied(denial) => (None, Some(denial.code().to_owned())),
    };
    Ok(decisions::Model {
        tenant_id,
        id: decision.id.0,
        account_id: decision.account.0,
        deployment_id: decision.deployment.map(|id| id.0),
        origin: decision.origin.name().to_owned(),
        at: decision.at.0,
        order_id,
        denial,
        intent: to_json("decision", &decision.intent)?,
        answers: to_json("decision", &decision.answers)?,
        outcome: to_json("decision", &decision.outcome)?,
    })
}

pub(crate) fn equity_point(row: &equity_points::Model) -> EquityPoint {
    EquityPoint {
        account: AccountId(row.account_id),
        at: Millis(row.at),
        balance: Money::from_units(row.balance),
        equity: Money::from_units(row.equity),
    }
}

pub(crate) const fn equity_row(tenant_id: i64, point: &EquityPoint) -> equity_points::Model {
    equity_points::Model {
        tenant_id,
        account_id: point.account.0,
        at: point.at.0,
        balance: point.balance.units(),
        equity: point.equity.units(),
    }
}

pub(crate) fn transaction_row(tenant_id: i64, transaction: &Transaction) -> ledger_transactions::Model {
    ledger_transactions::Model {
        tenant_id,
        id: transaction.id().0,
        account_id: transaction.account().0,
        at: transaction.at().0,
        kind: transaction.kind().name().to_owned(),
        reference: transaction.reference(),
        memo_reference: transaction.memo().map(|memo| memo.reference.clone()),
        note: transaction.memo().map(|memo| memo.note.clone()),
    }
}

/// A transaction from its head and its lines. One that [`Transaction::transfer`] cannot have made is reported.
pub(crate) fn transaction(row: ledger_transactions::Model, lines: &[ledger_postings::Model]) -> Decoded<Transaction> {
    let crooked =
        || StoreError::corrupt("ledger transaction", format!("the postings of {} are not two that balance", row.id));
    let [cash, other] = lines else { return Err(crooked()) };
    if cash.book != Book::Cash.name() || cash.amount.checked_add(other.amount) != Some(0) {
        return Err(crooked());
    }
    let (kind, other) = (transaction_kind(&row.kind)?, book(&other.book)?);
    let (id, account, at) = (TransactionId(row.id), AccountId(row.account_id), Millis(row.at));
    let moved = Transaction::transfer(id, account, at, kind, row.reference, other, Money::from_units(cash.amount));
    let memo = row.memo_reference.map(|reference| Memo { reference, note: row.note.unwrap_or_default() });
    Ok(moved.with_memo(memo))
}

pub(crate) fn transaction_kind(name: &str) -> Decoded<TransactionKind> {
    named("ledger transaction", &TransactionKind::ALL, TransactionKind::name, name)
}

pub(crate) fn posting_rows(tenant_id: i64, transaction: &Transaction) -> Vec<ledger_postings::Model> {
    let lines = (0_i64..).zip(transaction.postings());
    lines
        .map(|(line, posting)| ledger_postings::Model {
            tenant_id,
            transaction_id: transaction.id().0,
            line,
            account_id: transaction.account().0,
            book: posting.book.name().to_owned(),
            amount: posting.amount.units(),
        })
        .collect()
}

pub(crate) fn book(name: &str) -> Decoded<Book> {
    named("ledger posting", &Book::ALL, Book::name, name)
}

#[cfg(test)]
mod tests;
