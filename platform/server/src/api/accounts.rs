//! Trading accounts.

use super::{
    Tag,
    caller::Caller,
    idempotency::once,
    number,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::Text,
};
use crate::{
    identity::Operation,
    trading::{View, requests},
};
use marque_domain::{
    account::{self, AccountStatus as Stored, AccountTerms},
    fixed::Money,
    plugin::PluginRef,
    time::Millis,
};
use marque_store as store;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::{Any, Example},
};
use serde_json::Value;

pub(super) struct Accounts;

/// Whether an account may trade.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum AccountStatus {
    /// It may.
    Active,
    /// New orders are held; closing is allowed.
    Held,
    /// A rule failed it, for good.
    Failed,
}

/// How positions in one instrument live together.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum PositionMode {
    /// Each order that opens makes a position of its own, also against another.
    Hedging,
    /// At most one position in each instrument: what trades adds to it, reduces it or turns it.
    Netting,
}

impl From<account::PositionMode> for PositionMode {
    fn from(mode: account::PositionMode) -> Self {
        match mode {
            account::PositionMode::Hedging => Self::Hedging,
            account::PositionMode::Netting => Self::Netting,
        }
    }
}

/// The margin levels at which something happens: equity over the margin that is bound, in percent.
#[derive(Object)]
struct MarginLevels {
    /// Below it the account is called.
    call_percent: i64,
    /// From it on a called account is calm again.
    calm_percent: i64,
    /// At or below it positions are closed, the largest loser first.
    stop_out_percent: i64,
}

impl From<account::MarginLevels> for MarginLevels {
    fn from(levels: account::MarginLevels) -> Self {
        Self {
            call_percent: levels.call_bp / 100,
            calm_percent: levels.calm_bp / 100,
            stop_out_percent: levels.stop_out_bp / 100,
        }
    }
}

/// A plugin with the settings it runs under.
#[derive(Object)]
pub(super) struct BoundPlugin {
    /// Its name in the catalogue.
    name: String,
    /// The SHA-256 of its component.
    digest: String,
    /// Its settings.
    settings: Any<Value>,
}

impl From<&PluginRef> for BoundPlugin {
    fn from(plugin: &PluginRef) -> Self {
        Self {
            name: plugin.name.clone(),
            digest: plugin.digest.to_string(),
            settings: Any(serde_json::from_str(&plugin.settings).unwrap_or_default()),
        }
    }
}

/// A trading account.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Account {
    /// Its id, such as `acc_0r3v4k8m2n6p1`.
    id: String,
    /// Whose it is.
    user: String,
    /// What its owner calls it.
    name: String,
    /// The currency of its money.
    currency: String,
    /// What it was funded with.
    initial_balance: String,
    /// Closed balance.
    balance: String,
    /// Balance plus what open positions would bring now. Absent while the desk recovers.
    equity: Option<String>,
    /// Whether it may trade.
    status: AccountStatus,
    /// Why it may not.
    status_reason: Option<String>,
    /// Units of exposure per unit of margin.
    leverage: i64,
    /// How its positions in one instrument live together.
    position_mode: PositionMode,
    /// The margin levels at which it is called and closed.
    margin: MarginLevels,
    /// Orders that may open a position in a UTC day, on all accounts of its owner together; absent means no limit.
    trades_per_day: Option<u32>,
    /// The rules that watch it, in the order in which they are asked.
    rules: Vec<BoundPlugin>,
    /// When it was opened, in market time.
    opened_at: String,
}

impl Account {
    fn of(account: &store::Account, view: &View) -> Self {
        let equity = view.accounts.get(&account.terms.id).map(|now| now.equity);
        Self::show(&account.terms, account.balance, equity, &account.status, account.opened_at)
    }

    fn show(terms: &AccountTerms, balance: Money, equity: Option<Money>, status: &Stored, opened_at: Millis) -> Self {
        Self {
            id: terms.id.to_string(),
            user: terms.user.to_string(),
            name: terms.name.clone(),
            currency: terms.currency.to_string(),
            initial_balance: number::money(terms.initial_balance),
            balance: number::money(balance),
            equity: equity.map(number::money),
            status: match status {
                Stored::Active => AccountStatus::Active,
                Stored::Held(_) => AccountStatus::Held,
                Stored::Failed(_) => AccountStatus::Failed,
            },
            status_reason: status.reason().map(str::to_owned),
            leverage: terms.leverage,
            position_mode: terms.mode.into(),
            margin: terms.margin.into(),
            trades_per_day: terms.trades_per_day,
            rules: terms.rules.iter().map(BoundPlugin::from).collect(),
            opened_at: opened_at.to_rfc3339(),
        }
    }
}

/// An account to be opened.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct NewAccount {
    /// What its owner calls it: 1 to 60 printable characters.
    name: Text,
}

impl Example for NewAccount {
    fn example() -> Self {
        Self { name: "First steps".into() }
    }
}

#[OpenApi(tag = "Tag::Accounts")]
impl Accounts {
    /// List accounts
    ///
    /// A trader's own; an owner sees all of the brand's.
    #[oai(path = "/accounts", method = "get", operation_id = "list_accounts")]
    async fn list_accounts(
        &self,
        caller: Caller,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Account>, Refused> {
        let whose = caller.who.may(Operation::ReadAccounts)?;
        let list = List::new(caller.db().tenant(), "/accounts");
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let view = caller.desk().await?.view();
        Ok(list.answer(page, caller.db().accounts(whose, page).await?, |account| Account::of(&account, &view)))
    }

    /// Get an account
    #[oai(path = "/accounts/:account", method = "get", operation_id = "get_account")]
    async fn get_account(
        &self,
        caller: Caller,
        /// The account's id.
        account: Path<String>,
    ) -> Result<Json<Account>, Refused> {
        let account = caller.account(caller.who.may(Operation::ReadAccounts)?, &account.0).await?;
        Ok(Json(Account::of(&account, &caller.desk().await?.view())))
    }

    /// Open an account
    ///
    /// For the caller, on the brand's terms: currency, funding, leverage, position mode, margin levels and the rules that
    /// watch it. They are pinned: what the brand changes later holds for later accounts.
    #[oai(path = "/accounts", method = "post", operation_id = "open_account", transform = "once")]
    async fn open_account(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<NewAccount>,
    ) -> Result<Json<Account>, Refused> {
        caller.who.may(Operation::OpenAccount)?;
        let (definition, clock) = (&caller.tenant().definition, &caller.app.0.clock);
        let user = caller.who.user;
        let terms =
            requests::open_account(caller.asked(), caller.db(), definition, user, &wanted.0.name.0, clock).await?;
        let account = caller.db().account(store::Whose::User(user), terms.id).await?;
        Ok(Json(Account::of(&account, &caller.desk().await?.view())))
    }
}
