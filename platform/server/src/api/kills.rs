//! The kill switch.

use super::{
    App, Tag,
    caller::{Caller, invalid},
    idempotency::once,
    refused::Refused,
    text::Text,
};
use crate::{
    identity::Operation,
    problem::Problem,
    trading::kill::{self, Press},
};
use marque_domain::kill::{Authority as By, Kill, KillMode, KillScope};
use poem_openapi::{Enum, Object, OpenApi, param::Header, payload::Json, types::Example};

pub(super) struct Kills;

/// What a kill switch stops.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Stops {
    /// Everything, at every brand.
    Platform,
    /// Everything of the brand.
    Tenant,
    /// An instrument, on all of the brand's accounts.
    Instrument,
    /// An account.
    Account,
    /// One strategy.
    Deployment,
}

/// What a kill switch does besides denying new orders.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "KillMode")]
enum Mode {
    /// Strategies stop and working orders are withdrawn. Open positions stay, with their stops.
    Stop,
    /// Open positions are closed as well.
    Close,
}

impl From<Mode> for KillMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Stop => Self::Stop,
            Mode::Close => Self::Close,
        }
    }
}

/// In whose name a kill switch is on.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Authority {
    /// The account's owner.
    Trader,
    /// Who works for the brand.
    Broker,
    /// Who runs the platform.
    Operator,
}

/// A kill switch that is on.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct KillSwitch {
    /// What it stops.
    stops: Stops,
    /// The account that it stops.
    account: Option<String>,
    /// The deployment that it stops.
    deployment: Option<String>,
    /// The instrument that it stops.
    instrument: Option<String>,
    /// How.
    mode: Mode,
    /// In whose name. Who is higher lets go of what who is lower pressed, never the other way round.
    in_the_name_of: Authority,
    /// Who pressed it.
    by: String,
    /// Why.
    reason: String,
    /// When, in market time.
    at: String,
}

impl KillSwitch {
    fn of(kill: &Kill, app: &App) -> Self {
        let (mut account, mut deployment, mut instrument) = (None, None, None);
        let stops = match kill.scope {
            KillScope::Platform => Stops::Platform,
            KillScope::Tenant => Stops::Tenant,
            KillScope::Instrument(id) => {
                instrument = Some(app.symbol(id));
                Stops::Instrument
            }
            KillScope::Account(id) => {
                account = Some(id.to_string());
                Stops::Account
            }
            KillScope::Deployment(id) => {
                deployment = Some(id.to_string());
                Stops::Deployment
            }
        };
        Self {
            stops,
            account,
            deployment,
            instrument,
            mode: match kill.mode {
                KillMode::Stop => Mode::Stop,
                KillMode::Close => Mode::Close,
            },
            in_the_name_of: match kill.authority {
                By::Trader => Authority::Trader,
                By::Broker => Authority::Broker,
                By::Operator => Authority::Operator,
            },
            by: kill.by.clone(),
            reason: kill.reason.clone(),
            at: kill.at.to_rfc3339(),
        }
    }
}

/// The kill switches that are on.
#[derive(Object)]
struct KillSwitches {
    /// The widest first. Empty while the desk recovers; it recovers before it trades.
    items: Vec<KillSwitch>,
}

/// A kill switch to be pressed. Names at most one of account, deployment and instrument; none stops the whole brand.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct NewKill {
    /// Stop this account.
    #[oai(skip_serializing_if_is_none)]
    account: Option<Text>,
    /// Stop this strategy.
    #[oai(skip_serializing_if_is_none)]
    deployment: Option<Text>,
    /// Stop this instrument, on all accounts.
    #[oai(skip_serializing_if_is_none)]
    instrument: Option<Text>,
    /// Stop only, or close as well.
    mode: Mode,
    /// Why, on one line of at most 200 characters.
    #[oai(skip_serializing_if_is_none)]
    reason: Option<Text>,
}

impl Example for NewKill {
    fn example() -> Self {
        Self {
            account: Some("acc_0r3v4k8m2n6p1".into()),
            deployment: None,
            instrument: None,
            mode: Mode::Stop,
            reason: Some("It trades faster than I can look".into()),
        }
    }
}

/// A kill switch to be released: named as it was pressed.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
struct Release {
    /// This account's.
    #[oai(skip_serializing_if_is_none)]
    account: Option<Text>,
    /// This strategy's.
    #[oai(skip_serializing_if_is_none)]
    deployment: Option<Text>,
    /// This instrument's.
    #[oai(skip_serializing_if_is_none)]
    instrument: Option<Text>,
}

impl Example for Release {
    fn example() -> Self {
        Self { account: Some("acc_0r3v4k8m2n6p1".into()), deployment: None, instrument: None }
    }
}

fn scope(
    caller: &Caller,
    account: Option<&Text>,
    deployment: Option<&Text>,
    instrument: Option<&Text>,
) -> Result<KillScope, Problem> {
    let known = |text: &Text| {
        let found = caller.app.0.instruments.values().find(|known| known.symbol == text.0).map(|known| known.id);
        found.ok_or_else(|| invalid("/instrument", "is not offered here; choose one from the list of instruments"))
    };
    let instrument = instrument.map(known).transpose()?;
    kill::scope_of(account.map(|text| text.0.as_str()), deployment.map(|text| text.0.as_str()), instrument)
}

#[OpenApi(tag = "Tag::Accounts")]
impl Kills {
    /// List kill switches
    ///
    /// Those that are on: over your own accounts and strategies, and over everything; all of the brand's for who works
    /// for it.
    #[oai(path = "/kill-switches", method = "get", operation_id = "list_kill_switches")]
    async fn list_kill_switches(&self, caller: Caller) -> Result<Json<KillSwitches>, Refused> {
        caller.who.may(Operation::ReadKills)?;
        let kills = kill::visible(&caller.who, &caller.desk().await?).await?;
        Ok(Json(KillSwitches { items: kills.iter().map(|kill| KillSwitch::of(kill, &caller.app)).collect() }))
    }

    /// Press a kill switch
    ///
    /// Strategies stop, working orders are withdrawn and new orders are denied, from the moment of the answer until a
    /// person releases it; `close` also closes what is open. Pressed again it changes nothing, or becomes stronger.
    #[oai(path = "/kill-switches", method = "post", operation_id = "press_kill_switch", transform = "once")]
    async fn press_kill_switch(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<NewKill>,
    ) -> Result<Json<KillSwitch>, Refused> {
        caller.who.may(Operation::PressKill)?;
        let NewKill { account, deployment, instrument, mode, reason } = wanted.0;
        let scope = scope(&caller, account.as_ref(), deployment.as_ref(), instrument.as_ref())?;
        let press = Press { scope, mode: mode.into(), reason: reason.map(|text| text.0).unwrap_or_default() };
        let on = kill::press(caller.asked(), &caller.who, press).await?;
        Ok(Json(KillSwitch::of(&on, &caller.app)))
    }

    /// Release kill switches
    ///
    /// New orders are taken again. Strategies stay stopped until they are started. A switch that somebody higher pressed
    /// stays on. Answers with those that are still on.
    #[oai(path = "/kill-switches/release", method = "post", operation_id = "release_kill_switch", transform = "once")]
    async fn release_kill_switch(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<Release>,
    ) -> Result<Json<KillSwitches>, Refused> {
        caller.who.may(Operation::ReleaseKill)?;
        let Release { account, deployment, instrument } = wanted.0;
        let scope = scope(&caller, account.as_ref(), deployment.as_ref(), instrument.as_ref())?;
        let released = kill::release(caller.asked(), &caller.who, scope).await?;
        let mut kills = kill::visible(&caller.who, &caller.desk().await?).await?;
        // What is shown of a desk may be a moment old.
        kills.retain(|kill| kill.scope != scope || !released.contains(&kill.authority));
        Ok(Json(KillSwitches { items: kills.iter().map(|kill| KillSwitch::of(kill, &caller.app)).collect() }))
    }
}
