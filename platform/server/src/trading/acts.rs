//! What of a desk's records belongs into the audit log, and who did it.

use crate::audit::{Act, Actor, Entry, Origin};
use marque_domain::{
    account::{AccountStatus, Deployment, DeploymentStatus},
    decision::{Decision, Intent, Outcome},
    id::DeploymentId,
    kill::KillScope,
    ledger::Transaction,
    order::{Order, Origin as By, Position},
    succession::{ShadowEnd, Switch, Way},
    time::Millis,
};
use marque_engine::{Record, state::State};
use serde_json::{Map, Value, json};

/// Somebody who asks a desk for something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

impl Asker {
    /// A command of the operator or a task of the server.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self { actor: Actor::System { name: name.to_owned() }, origin: Origin::default() }
    }
}

/// Orders or positions in one entry at most: so many fit into its details, whatever their numbers.
const TOGETHER_MAX: usize = 16;

/// The entries of a step's records, in their order. `asker` says who asked for what a record is about, if anybody did. What a kill
/// switch places and closes comes last and many in one entry: it may be thousands at once, in a hurry.
pub(super) fn entries<'a>(
    records: &[Record],
    asker: impl Fn(&Record) -> Option<&'a Asker>,
    state: &State,
    at: Millis,
) -> Vec<Entry> {
    let step = |record: &Record| Step { asker: asker(record), state, at };
    let (mut told, mut orders, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::OrderPlaced(order) if order.origin == By::KillSwitch => orders.push(order),
            Record::PositionClosed(position) if closer(position) == By::KillSwitch => positions.push(position),
            _ => told.extend(step(record).entry(record)),
        }
    }
    let switch = Step { asker: None, state, at };
    told.extend(orders.chunks(TOGETHER_MAX).map(|some| {
        let some = some.iter().map(|order| placed(order)).collect();
        switch.together(Act::OrderPlaced, ("order", "orders"), some)
    }));
    told.extend(positions.chunks(TOGETHER_MAX).map(|some| {
        let some = some.iter().map(|position| position_details(position)).collect();
        switch.together(Act::PositionClosed, ("position", "positions"), some)
    }));
    told
}

struct Step<'a> {
    asker: Option<&'a Asker>,
    state: &'a State,
    /// By the server's clock: market time may be years ago.
    at: Millis,
}

impl Step<'_> {
    fn entry(&self, record: &Record) -> Option<Entry> {
        let entry = match record {
            Record::AccountOpened { terms, .. } => {
                let details = json!({ "name": terms.name, "user": terms.user.to_string() });
                self.asked(Act::AccountOpened, terms.id.to_string(), details)
            }
            Record::AccountChanged { account, status, .. } => {
                self.by_itself(Act::AccountChanged, account.to_string(), account_status(status))
            }
            Record::Deployed(deployment) => {
                self.asked(Act::StrategyDeployed, deployment.id.to_string(), deployed(deployment))
            }
            Record::DeploymentChanged { deployment, status, .. } => self.deployment(*deployment, status),
            Record::Switched(switch) => self.switched(switch),
            Record::ShadowStarted { deployment, plugin, .. } => {
                let details = json!({ "digest": plugin.digest.to_string() });
                self.asked(Act::ShadowStarted, deployment.to_string(), details)
            }
            Record::ShadowEnded { deployment, end, .. } => self.shadow_ended(*deployment, end),
            Record::Decided(decision) => return self.refused(decision).or_else(|| self.changed(decision)),
            Record::OrderPlaced(order) => self.of(order.origin, order.deployment, Act::OrderPlaced, placed(order)),
            Record::PositionOpened(position) => {
                self.of(opener(position), position.deployment, Act::PositionOpened, position_details(position))
            }
            Record::PositionClosed(position) => {
                self.of(closer(position), position.deployment, Act::PositionClosed, position_details(position))
            }
            Record::MarginCalled { account, called, equity, bound, .. } => {
                let details = json!({ "called": called, "equity": equity.to_text(2), "margin": bound.to_text(2) });
                self.by_itself(Act::MarginCalled, account.to_string(), details)
            }
            Record::KillPressed(kill) => {
                let details = json!({
                    "stops": kill.scope.name(), "mode": kill.mode.name(), "in_the_name_of": kill.authority.name(),
                    "reason": kill.reason,
                });
                self.asked(Act::KillPressed, kill_target(kill.scope), details)
            }
            Record::KillReleased { scope, authority, .. } => {
                let details = json!({ "stops": scope.name(), "in_the_name_of": authority.name() });
                self.asked(Act::KillReleased, kill_target(*scope), details)
            }
            Record::Moved(moved) => return self.moved(moved),
            Record::Disputed(dispute) => {
                let details = json!({
                    "account": dispute.account.map(|account| account.to_string()), "kind": dispute.kind.name(),
                    "execution": dispute.execution.as_str(), "lots": dispute.lots.to_string(),
                    "price": dispute.price.to_string(), "booked": dispute.kind.is_booked(),
                });
                self.by_itself(Act::VenueDisputed, dispute.order.to_string(), details)
            }
            Record::Asked { account, order, asking, .. } if asking.is_given_up() => {
                let details = json!({ "account": account.to_string(), "questions": asking.tries });
                self.by_itself(Act::VenueSilent, order.to_string(), details)
            }
            Record::Faulted { .. }
            | Record::OrderMoved(_)
            | Record::PositionChanged(_)
            | Record::DayBegan { .. }
            | Record::DaysKept { .. }
            | Record::TradesLimited { .. }
            | Record::Assessed { .. }
            | Record::Routed { .. }
            | Record::Executed { .. }
            | Record::Asked { .. }
            | Record::Answered { .. } => return None,
        };
        Some(entry)
    }

    /// What only happens when somebody asks for it.
    fn asked(&self, act: Act, target: String, details: Value) -> Entry {
        self.make(self.asker.cloned().unwrap_or_else(|| Asker::system("trading desk")), act, target, details)
    }

    fn by_itself(&self, act: Act, target: String, details: Value) -> Entry {
        self.make(Asker::system("trading desk"), act, target, details)
    }

    fn deployment(&self, id: DeploymentId, status: &DeploymentStatus) -> Entry {
        let target = id.to_string();
        match status {
            DeploymentStatus::Running => self.asked(Act::StrategyStarted, target, Value::Null),
            DeploymentStatus::Stopped => self.asked(Act::StrategyStopped, target, Value::Null),
            DeploymentStatus::Quarantined(reason) => {
                self.by_itself(Act::StrategyQuarantined, target, json!({ "reason": reason }))
            }
            DeploymentStatus::Paused(reason) => self.asked(Act::StrategyPaused, target, json!({ "reason": reason })),
        }
    }

    fn switched(&self, switch: &Switch) -> Entry {
        let act = match switch.way {
            Way::Upgrade => Act::StrategyUpgraded,
            Way::Promotion => Act::ShadowPromoted,
            Way::RollBack => Act::StrategyRolledBack,
        };
        let details = json!({
            "strategy": switch.to.name, "from": switch.from.digest.to_string(), "to": switch.to.digest.to_string(),
            "state": switch.state.name(),
        });
        self.asked(act, switch.deployment.to_string(), details)
    }

    /// One that failed did so by itself; the others end with what somebody asked for.
    fn shadow_ended(&self, deployment: DeploymentId, end: &ShadowEnd) -> Entry {
        let (target, details) = (deployment.to_string(), json!({ "how": end.name(), "reason": end.reason() }));
        match end {
            ShadowEnd::Failed(_) => self.by_itself(Act::ShadowEnded, target, details),
            _ => self.asked(Act::ShadowEnded, target, details),
        }
    }

    /// Money that somebody moved. What trading earned and cost stands with its positions.
    fn moved(&self, moved: &Transaction) -> Option<Entry> {
        let memo = moved.memo()?;
        let details = json!({
            "account": moved.account().to_string(), "kind": moved.kind().name(), "amount": moved.cash().to_text(2),
            "reference": memo.reference, "note": memo.note,
        });
        Some(self.asked(Act::MoneyMoved, moved.id().to_string(), details))
    }

    /// A person's order that was refused. What strategies are refused stands in their decisions, by the thousand.
    fn refused(&self, decision: &Decision) -> Option<Entry> {
        match &decision.outcome {
            Outcome::Denied(denial) if decision.origin == By::Trader => {
                let details = json!({ "account": decision.account.to_string(), "reason": denial.to_string() });
                Some(self.asked(Act::OrderRefused, decision.id.to_string(), details))
            }
            _ => None,
        }
    }

    /// A person's change of an order or of what guards a position. What strategies change stands in their decisions.
    fn changed(&self, decision: &Decision) -> Option<Entry> {
        if decision.origin != By::Trader || matches!(decision.outcome, Outcome::Denied(_)) {
            return None;
        }
        let (act, target) = match decision.intent {
            Intent::Amend { order, .. } => (Act::OrderChanged, order.to_string()),
            Intent::Cancel { order } => (Act::OrderCancelled, order.to_string()),
            Intent::Protect { position, .. } => (Act::PositionGuarded, position.to_string()),
            _ => return None,
        };
        let details = json!({ "account": decision.account.to_string(), "decision": decision.id.to_string() });
        Some(self.asked(act, target, details))
    }

    /// Something that a person, a strategy or a rule caused.
    fn of(&self, origin: By, deployment: Option<DeploymentId>, act: Act, (target, details): (String, Value)) -> Entry {
        let asker = match origin {
            By::Trader => return self.asked(act, target, details),
            By::Strategy => {
                let name = deployment.and_then(|id| self.state.deployments.get(&id)).map(|d| d.plugin.name.as_str());
                format!("strategy {} {}", name.unwrap_or("?"), deployment.map_or_else(String::new, |id| id.to_string()))
            }
            By::Rule => "rule".to_owned(),
            By::StopLoss => "stop loss".to_owned(),
            By::TakeProfit => "take profit".to_owned(),
            By::KillSwitch => "kill switch".to_owned(),
            By::StopOut => "stop-out".to_owned(),
        };
        self.make(Asker::system(&asker), act, target, details)
    }

    /// What a kill switch did to several, each with the details that it would have alone.
    fn together(&self, act: Act, (one, all): (&str, &str), mut several: Vec<(String, Value)>) -> Entry {
        if several.len() == 1
            && let Some(alone) = several.pop()
        {
            return self.of(By::KillSwitch, None, act, alone);
        }
        let target = format!("{} {all}", several.len());
        let each = several.into_iter().map(|(id, mut details)| {
            if let Value::Object(details) = &mut details {
                details.insert(one.to_owned(), Value::String(id));
            }
            details
        });
        self.of(By::KillSwitch, None, act, (target, json!({ all: each.collect::<Vec<_>>() })))
    }

    fn make(&self, asker: Asker, act: Act, target: String, details: Value) -> Entry {
        let details = if let Value::Object(details) = details { details } else { Map::new() };
        Entry { at: self.at, actor: asker.actor, act, target, details, origin: asker.origin }
    }
}

/// What a kill switch stops, as the log names it.
fn kill_target(scope: KillScope) -> String {
    match scope {
        KillScope::Platform | KillScope::Tenant => String::new(),
        KillScope::Instrument(id) => format!("instrument {}", id.0),
        KillScope::Account(id) => id.to_string(),
        KillScope::Deployment(id) => id.to_string(),
    }
}

/// A position with a strategy is its strategy's; without one it is a person's.
const fn opener(position: &Position) -> By {
    if position.deployment.is_some() { By::Strategy } else { By::Trader }
}

/// Who or what closed a position.
fn closer(position: &Position) -> By {
    position.closed.as_ref().map_or(By::Rule, |closed| closed.origin)
}

fn account_status(status: &AccountStatus) -> Value {
    json!({ "status": status.name(), "reason": status.reason() })
}

fn deployed(deployment: &Deployment) -> Value {
    json!({
        "account": deployment.account.to_string(), "strategy": deployment.plugin.name,
        "instrument": deployment.instrument.0, "timeframe": deployment.timeframe.name(),
        "settings": deployment.plugin.settings,
    })
}

fn placed(order: &Order) -> (String, Value) {
    let details = json!({
        "account": order.account.to_string(), "instrument": order.instrument.0, "side": order.side.name(),
        "lots": order.lots.to_string(),
    });
    (order.id.to_string(), details)
}

fn position_details(position: &Position) -> (String, Value) {
    let closed = position.closed.as_ref();
    let details = json!({
        "account": position.account.to_string(), "instrument": position.instrument.0, "side": position.side.name(),
        "lots": position.lots.to_string(), "open_price": position.open_price.to_string(),
        "close_price": closed.map(|closed| closed.price.to_string()),
        "profit": closed.map(|closed| closed.profit.to_string()),
    });
    (position.id.to_string(), details)
}

#[cfg(test)]
#[path = "acts_tests.rs"]
mod tests;
