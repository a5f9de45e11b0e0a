//! View models: all that a page says, ready to be placed.
//!
//! This module owns words and figures: how money, prices, times and verdicts are written. Templates only
//! place them and the theme only colours them, so a figure reads the same on every page, in every theme and in
//! the live stream. It knows no request and no database: handlers give it the domain's nouns.
//!
//! # Pages and their forms
//! Every form posts `application/x-www-form-urlencoded` with the field `csrf`.
//!
//! | page | view | forms on it |
//! |---|---|---|
//! | `/` | [`Front`] | |
//! | `/sign-in` | [`SignIn`] | `POST /sign-in`: `email`, `password`, `next` |
//! | `/sign-in/more` | [`SignInMore`] | `POST` to the same path: `code` |
//! | `/register` | [`Register`] | `POST /register`: `name`, `email`, `password` |
//! | `/forgot` | [`Forgot`] | `POST /forgot`: `email` |
//! | `/reset?token=` | [`Reset`] | `POST /reset`: `token`, `password` |
//! | `/verify?token=`, `/security/email/confirm?token=` | [`ConfirmLink`] | `POST` to the same path: `token` |
//! | `/verify` | [`Unverified`] | `POST /verify/resend` |
//! | `/check-mail` and what forms above answer | [`Note`] | |
//! | `/security/password` | [`PasswordPage`] | `POST` to the same path: `password` |
//! | `/security/email` | [`EmailPage`] | `POST` to the same path: `email` |
//! | `/admin/audit` | [`AuditPage`] | `GET` to the same path: `act`, `person`, `from`, `until` |
//! | `/releases` | [`ReleasesPage`] | |
//! | `/releases/{id}` | [`ReleasePage`] | `POST /releases/{id}/approve`, `/refuse`, `/yank` |
//! | `/admin/mail` | [`MailPage`] | `POST /admin/mail/{id}/retry` |
//! | `/admin/ledger` | [`LedgerPage`] | |
//! | `/admin/kill` | [`KillsPage`] | `POST /admin/kill`: `what`, `id`, `reason`, `mode`; `POST /admin/kill/release`: `what`, `id` |
//! | `/accounts/{id}/money` | [`StatementPage`] | `POST` to the same path: `kind`, `amount`, `reference`, `note` |
//! | `/dashboard` | [`Dashboard`] | |
//! | `/accounts/new` | [`OpenAccount`] | `POST` to the same path: `name` |
//! | `/accounts/{id}` | [`AccountPage`] | `POST /accounts/{id}/stop` (all strategies), `POST /deployments/{id}/start`, `POST /deployments/{id}/stop`, `POST /positions/{id}/close`, `POST /accounts/{id}/kill`: `mode`, `reason`; `POST /accounts/{id}/release` |
//! | `/accounts/{id}/order` | [`ticket::TicketPage`] | `POST` to the same path: the fields of [`ticket::new_order`] |
//! | `/orders/{id}/change` | [`ticket::TicketPage`] | `POST` to the same path: the fields of [`ticket::changed_order`]; `POST /orders/{id}/cancel` |
//! | `/positions/{id}/guard` | [`ticket::TicketPage`] | `POST` to the same path: `stop_loss`, `take_profit`, `trail_distance`; `POST …/reduce`: `lots`; `POST …/close-by`: `by` |
//! | `/accounts/{id}/deploy?strategy={name}` | [`Deploy`] | `POST` to the same path: `strategy`, `instrument`, `timeframe`, `setting.{name}` for each setting |
//! | `/deployments/{id}` | [`DeploymentPage`] | `POST /deployments/{id}/upgrade`, `…/shadow`: `version`; `POST …/rollback`, `…/shadow/promote`, `…/shadow/drop` |
//! | `/deployments/{id}/version?version=` | [`VersionPage`] | `POST /deployments/{id}/upgrade`, `…/shadow`: `version`, `set_up`, `setting.{name}` for each setting |
//! | `/usage?days=` | [`UsagePage`] | |
//! | `/security/sessions` | [`SessionsPage`] | `POST /security/sessions/{id}/end`, `/security/sessions/end-others`, `/security/programs/{id}/end` |
//! | `/security/tokens` | [`TokensPage`] | `POST` to the same path: `name`, `scope.{name}`, `days`; `POST /security/tokens/{id}/end` |
//! | `/backtests`, `/backtests/{id}` | [`BacktestList`], [`BacktestPage`] | `POST /backtests/{id}/cancel` |
//! | `/backtests/new?strategy={name}` | [`BacktestForm`] | `POST` to the same path: `strategy`, `instrument`, `timeframe`, `source`, `from`, `to`, `balance`, `commission`, `markup`, `slippage`, `rules`, `setting.{name}`, `grid`, `rank`, `choose_days`, `try_days` |
//! | `/decisions/{id}` | [`DecisionPage`] | |
//! | `/api/docs` | [`ApiDocs`] | |
//! | `/admin` | [`AdminHome`] | |
//! | `/admin/sso`, `/admin/sso/new?preset={kind}`, `/admin/sso/{connection}` | [`SsoListPage`], [`SsoFormPage`] | `POST` to the form's path and its `/test`, `/enable`, `/disable` |
//! | `/security/sso` | [`SsoLinkPage`] | `POST /security/sso/link/{connection}`, `POST /security/sso/unlink`: `issuer`, `subject` |
//! | after `POST /sso/{connection}/begin`: `next` | [`SsoLeave`] | |
//! | `/problems`, `/problems/{code}` | [`Problems`], [`ProblemPage`] | |
//! | `/security` | [`SecurityPage`] | |
//! | `/security/app` | [`SecurityApp`], then [`BackupCodes`] | `POST` to the same path: `code`; `POST /security/app/remove` |
//! | `/security/passkeys` | [`SecurityPasskeys`], then [`BackupCodes`] | `POST` to the same path: `name`, `state`, `credential`; `POST …/{id}/name`, `POST …/{id}/remove` |
//! | `/security/codes` | [`SecurityCodes`], then [`BackupCodes`] | `POST` to the same path |
//! | `/confirm` | [`Confirm`] | `POST /confirm`: `password` or `code`, and `next` |
//! | `/admin/people` | [`People`] | `GET /admin/people`: `q`, `role`, `status` |
//! | `/admin/people/invite` | [`InvitePage`] | `POST` to the same path: `email`, `name`, `role`, `plan` |
//! | `/admin/people/{id}` | [`PersonPage`] | `POST` to the same path: `role`, `plan`; `POST …/invite`, `…/suspend`, `…/reinstate`, `…/reset-factor` |
//! | `/eas`, `/eas/{licence}` | [`EasPage`], [`LicencePage`] | `POST …/key`, `…/reissue`, `…/settings`: the product's settings, `…/seats/{activation}/release`; `POST /ea-files/{file}/download` |
//! | `/admin/eas`, `/admin/eas/{ea}` | [`VendorPage`], [`ProductPage`] | `POST /admin/eas`: `code`, `name`, `summary`, `plan.{code}`, `settings_schema`; `POST /admin/eas/{ea}` the same without `code`; `POST /admin/eas/{ea}/files`: `version`, `file`, `sealed`; `POST /admin/ea-files/{file}/remove`; `POST /admin/licences`: `policy`, `owner`; `POST /admin/licences/{licence}/{step}`: `reason`, `days`, `owner` |
//! | errors | [`ErrorPage`], [`UnknownHost`] | |
//! | every page | [`Shell`] | `POST /theme-mode`: `mode` (`auto`, `light`, `dark`), `return_to`; `POST /sign-out` |
//!
//! `/brand.css`, `/favicon.svg` and `/assets/{hash}/{path}` are served from [`crate::theme::Themes`].
//!
//! # The live stream
//! `GET /accounts/{id}/live` is a stream of server-sent events with two kinds of event, [`EquityEvent`] and
//! [`PatchEvent`]; their `data` is one line of JSON. A patch carries HTML that the page's own partial rendered,
//! so a row looks the same whether it came with the page or later.

mod access;
mod account;
mod admin;
mod audit;
mod backtest;
mod component;
mod decision;
mod deploy;
mod deployment;
mod error;
mod figure;
mod front;
mod join;
mod licences;
mod live;
mod money;
mod open;
mod people;
mod problem;
mod releases;
mod row;
pub mod sample;
mod schema;
mod security;
mod shell;
mod sso;
mod terms;
pub mod ticket;
mod vendor;
mod version;
mod worth;

pub use access::{SessionRow, SessionsPage, TokenRow, TokensPage};
pub use account::{AccountCard, AccountPage, Dashboard, Goal, LargestOrder, Room, RuleCard};
pub use admin::{AdminHome, AdminLink};
pub use audit::{AuditLine, AuditPage, details_in_words};
pub use backtest::{
    BacktestForm, BacktestList, BacktestPage, BacktestRow, CertificateView, ReportView,
    kind_words as backtest_kind_words, status_badge,
};
pub(super) use component::words;
pub use component::{Badge, Banner, Choice, Field, FieldKind, Link, Pager, Setting, Tab, Tone, settings_list};
pub use decision::{AnswerView, DecisionPage, DecisionRow, OutcomeView, Wish};
pub use deploy::{Deploy, StrategyCard};
pub use deployment::{ChangeRow, DeploymentPage, DifferenceRow, LogRow, ShadowPanel, UsagePage, UsageRow, UsageView};
pub use error::{ErrorPage, UnknownHost};
pub use figure::{Clock, Direction, Figure, When, bytes_words, count, digits_of, price_text};
pub use front::{Feature, Front, PlanCard, SignIn, SignInMore, SignInQuestion};
pub use join::{ConfirmLink, EmailPage, Forgot, MailPage, MailRow, Note, PasswordPage, Register, Reset, Unverified};
pub use licences::{
    EasPage, EventLine, FileLine, IncludedEa, LicenceLine, LicencePage, LicenceSteps, SeatLine, VersionLine,
    event_words, licence_badge, machine_words, program_words,
};
pub use live::{EquityEvent, PatchEvent, Placement};
pub use money::{
    KillPanel, KillRow, KillsPage, LedgerPage, MoneyForm, MoneyRow, StatementPage, kind_words, mode_badge,
};
pub use open::OpenAccount;
pub use people::{InvitePage, People, PeopleQuery, PersonContext, PersonPage, PersonRow};
pub use problem::{ProblemPage, ProblemRow, Problems};
pub use releases::{FindingView, ReleasePage, ReleaseRow, ReleasesPage};
pub use row::{DeploymentRow, Desk, OrderRow, PositionRow, SideView, TradeRow};
pub use schema::{SettingError, fields_of, settings_from};
pub use security::{
    BackupCodes, Confirm, ConfirmWith, PasskeyRow, SecurityApp, SecurityCodes, SecurityPage, SecurityPasskeys,
};
pub use shell::{ApiDocs, Brand, NavItem, Person, Shell};

pub use sso::{
    SsoConnectionRow, SsoFormPage, SsoIdentityRow, SsoLeave, SsoLinkPage, SsoListPage, SsoPresetCard, SsoWay,
};
pub use terms::{CostRow, account_terms};
pub use vendor::{LicenceQuery, PolicyLine, ProductFilled, ProductForm, ProductLine, ProductPage, VendorPage};
pub use version::{VersionCard, VersionPage};
pub use worth::{Curve, Distance, DistanceLevel, Stats};

use serde::Serialize;

/// The view of a whole page.
pub trait Page: Serialize {
    /// The template that places it.
    const TEMPLATE: &'static str;
}

/// The view of a part of a page that the live stream replaces.
pub trait Fragment: Serialize {
    /// The partial that places it.
    const TEMPLATE: &'static str;
}
