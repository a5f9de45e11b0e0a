//! The risk gate: the only way from an intent to an order.
//!
//! Limits of the platform come first, then the account's rule plugins in their order, each seeing what the
//! one before left. A rule that cannot answer denies. Closing is never held back by a rule: it reduces risk. Nor is a
//! stop-loss that comes nearer; one that goes further away, or goes, passes the rules as the order would that opened it like that.

mod asked;
mod change;
mod shape;

use crate::{
    book,
    market::Market,
    monitor::{RULE_SILENT, RuleBench},
    state::{AccountState, State},
    venue::entry_price,
};
use asked::Scene;
use marque_domain::{
    account::AccountStatus,
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::{Lots, Money},
    id::{DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    order::{Order, OrderState, Origin, Position, Purpose, Side},
    ticket::{Levels, OrderKind, Ticket, TimeInForce},
    time::Millis,
};
use serde::Serialize;

/// Positions that an account may hold at once.
pub const POSITIONS_MAX: u32 = 200;
/// Orders of an account that may wait at once.
pub const WORKING_MAX: u32 = 200;

/// An order that passed every limit and rule. Only this module can make one: the field is private, and it
/// can be written out but not read in.
///
/// ```compile_fail,E0423
/// # use marque_domain::order::Order;
/// # use marque_engine::gate::Approved;
/// fn forge(order: Order) -> Approved {
///     Approved(order)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approved(Order);

impl Approved {
    /// The order.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.0
    }
}

/// Approves again an order that a query proved never to have reached the venue.
pub(crate) fn renew(order: &Order) -> Option<Approved> {
    (order.state == OrderState::Intent).then(|| Approved(order.clone()))
}

/// Who wants what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub deployment: Option<DeploymentId>,
    pub origin: Origin,
    pub intent: Intent,
}

impl Request {
    /// Whether the asker may touch what this deployment (or nobody's) opened: a strategy only its own.
    fn may_touch(&self, deployment: Option<DeploymentId>) -> bool {
        self.deployment.is_none() || self.deployment == deployment
    }
}

/// What the gate lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Granted {
    /// A new order.
    Order(Approved),
    /// A working order as it is from now on.
    Amended(Order),
    /// A working order is withdrawn.
    Withdrawn(OrderId),
    /// A position with the levels that it has from now on.
    Protected(Position),
}

/// An order as far as the limits have shaped it.
#[derive(Debug, Clone, Copy)]
struct Draft {
    instrument: InstrumentId,
    side: Side,
    lots: Lots,
    purpose: Purpose,
    kind: OrderKind,
    time_in_force: TimeInForce,
    expires_at: Option<Millis>,
    levels: Levels,
    oco: Option<OrderId>,
}

impl Draft {
    /// An order at the market that closes.
    const fn closing(position: &Position, lots: Lots, purpose: Purpose) -> Self {
        Self {
            instrument: position.instrument,
            side: position.side.opposite(),
            lots,
            purpose,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Gtc,
            expires_at: None,
            levels: Levels { stop_loss: None, take_profit: None, trail: None },
            oco: None,
        }
    }

    fn order(&self, id: OrderId, account: &AccountState, request: &Request, at: Millis) -> Order {
        Order {
            id,
            account: account.terms.id,
            deployment: request.deployment,
            instrument: self.instrument,
            side: self.side,
            lots: self.lots,
            purpose: self.purpose,
            origin: request.origin,
            kind: self.kind,
            time_in_force: self.time_in_force,
            expires_at: self.expires_at,
            stop_loss: self.levels.stop_loss,
            take_profit: self.levels.take_profit,
            trail: self.levels.trail,
            oco: self.oco,
            triggered: false,
            state: OrderState::Intent,
            filled: Lots::ZERO,
            fill_price: None,
            reason: None,
            created_at: at,
            updated_at: at,
        }
    }
}

/// One question to the gate, with all it may look at.
struct Hearing<'a> {
    state: &'a State,
    account: &'a AccountState,
    market: &'a mut Market,
    rules: &'a mut RuleBench,
    request: &'a Request,
    answers: Vec<RuleAnswer>,
}

/// Decides an intent: the decision with all answers, and what it lets through if it was approved. Decision and order get
/// the next two ids.
pub(crate) fn decide(
    state: &State,
    account: &AccountState,
    market: &mut Market,
    rules: &mut RuleBench,
    request: &Request,
) -> (Decision, Option<Granted>) {
    let (at, last_id) = (market.now(), state.last_id);
    let mut hearing = Hearing { state, account, market, rules, request, answers: Vec::new() };
    let granted = hearing.hear(OrderId(last_id + 2));
    let answers = hearing.answers;
    let outcome = match &granted {
        Ok(granted) => {
            let (order, lots) = match granted {
                Granted::Order(Approved(order)) | Granted::Amended(order) => (order.id, order.lots),
                Granted::Withdrawn(id) => (*id, account.order(*id).map_or(Lots::ZERO, |o| o.lots)),
                Granted::Protected(position) => (OrderId(position.id.0), position.lots),
            };
            Outcome::Approved { order, lots }
        }
        Err(denial) => Outcome::Denied(denial.clone()),
    };
    let decision = Decision {
        id: DecisionId(last_id + 1),
        account: account.terms.id,
        deployment: request.deployment,
        origin: request.origin,
        at,
        intent: request.intent,
        answers,
        outcome,
    };
    (decision, granted.ok())
}

impl Hearing<'_> {
    fn hear(&mut self, id: OrderId) -> Result<Granted, Denial> {
        let draft = match self.request.intent {
            Intent::Open { instrument, side, lots, stop_loss, take_profit } => {
                let levels = Levels { stop_loss, take_profit, trail: None };
                self.open(&Ticket::market(instrument, side, lots, levels))?
            }
            Intent::Place(ticket) => self.open(&ticket)?,
            Intent::Close { position } => self.close(position, None)?,
            Intent::Reduce { position, lots } => self.close(position, Some(lots))?,
            Intent::CloseBy { position, by } => self.close_by(position, by)?,
            Intent::Amend { order, to } => return self.amend(order, &to).map(Granted::Amended),
            Intent::Cancel { order } => return self.cancel(order).map(Granted::Withdrawn),
            Intent::Protect { position, levels } => return self.protect(position, levels).map(Granted::Protected),
        };
        let order = draft.order(id, self.account, self.request, self.market.now());
        Ok(Granted::Order(Approved(order)))
    }

    fn open(&mut self, ticket: &Ticket) -> Result<Draft, Denial> {
        unkilled(self.state, self.account, ticket.instrument, self.request.deployment)?;
        standing(self.state, self.account, self.market.now())?;
        self.heard()?;
        room(self.account, ticket.kind)?;
        let oco = ticket.oco.map(|other| self.pair(ticket, other)).transpose()?;
        let draft = self.draft(ticket, oco)?;
        self.ask_rules(draft)
    }

    /// Whether every rule of the account has said what it has to say of it. Where one did not, the account is held; this stands
    /// behind that, for the time before the first question.
    fn heard(&self) -> Result<(), Denial> {
        if self.rules.is_any_silent(self.account.terms.id) {
            return Err(Denial::AccountHeld { reason: RULE_SILENT.to_owned() });
        }
        Ok(())
    }

    /// Shapes a ticket to the instrument and checks it against market and margin. What the orders of `group` bind does
    /// not count: it trades instead of them.
    fn draft(&mut self, ticket: &Ticket, group: Option<OrderId>) -> Result<Draft, Denial> {
        let open = self.market.is_open(ticket.instrument);
        let now = self.market.now();
        let day_end =
            (ticket.time_in_force == TimeInForce::Day).then(|| self.market.day_end(ticket.instrument)).flatten();
        let instrument = self.market.instrument(ticket.instrument).ok_or(Denial::UnknownInstrument)?;
        let (from, to) = (instrument.quote, self.account.terms.currency);
        let rate = if open { self.market.fresh_rate(from, to) } else { self.market.rate(from, to) };
        let rate = rate.ok_or(Denial::NoConversionRate { from, to })?;
        // What is good beyond today may wait for the market to open.
        if !open
            && !matches!(
                (ticket.kind.is_pending(), ticket.time_in_force),
                (true, TimeInForce::Gtc | TimeInForce::Gtd(_))
            )
        {
            return Err(Denial::MarketClosed);
        }
        let quote = if open { self.market.fresh(ticket.instrument) } else { self.market.last(ticket.instrument) };
        let quote = quote.ok_or(Denial::NoFreshQuote)?;
        let expires_at = shape::expiry(ticket, now, day_end)?;
        let kind = shape::kind(ticket, quote, instrument)?;
        let lots = shape::lots(ticket.lots, instrument)?;
        let levels = shape::attached(ticket.levels, ticket.side, kind, quote, instrument)?;
        let price = kind.price().unwrap_or_else(|| entry_price(ticket.side, quote));
        let added = book::added_lots(self.account, ticket.instrument, ticket.side, lots);
        let needed = book::margin(added, price, self.account.terms.leverage, instrument, rate)
            .map_err(|_| Denial::NumberTooLarge)?;
        let bound = book::margin_used(self.account, self.market).saturating_add(book::margin_waiting(
            self.account,
            self.market,
            group,
        ));
        let free = book::equity(self.account, self.market).saturating_sub(bound);
        if needed > Money::ZERO && needed > free {
            return Err(Denial::MarginTooSmall { needed, free });
        }
        Ok(Draft {
            instrument: ticket.instrument,
            side: ticket.side,
            lots,
            purpose: Purpose::Open,
            kind,
            time_in_force: ticket.time_in_force,
            expires_at,
            levels,
            oco: group,
        })
    }

    /// The group of a pair. Both must wait: what trades at once, or has begun to, leaves nothing to choose between.
    fn pair(&self, ticket: &Ticket, other: OrderId) -> Result<OrderId, Denial> {
        let (kind, time) = (ticket.kind, ticket.time_in_force);
        if !kind.is_pending() || time.is_immediate() {
            let (kind, time_in_force) = (kind.name().to_owned(), time.name().to_owned());
            return Err(Denial::TimeInForceUnfit { kind, time_in_force });
        }
        let other = self.working(other)?;
        if other.filled.is_zero() { Ok(other.group()) } else { Err(Denial::OrderNotWorking) }
    }

    /// A working order that the asker may touch.
    fn working(&self, id: OrderId) -> Result<&Order, Denial> {
        let order = self.account.order(id).filter(|o| o.is_working() && self.request.may_touch(o.deployment));
        order.ok_or(Denial::OrderNotWorking)
    }

    /// An open position that nothing is closing yet and that the asker may touch.
    fn position(&self, id: PositionId) -> Result<&Position, Denial> {
        let position = self.account.position(id).filter(|p| self.request.may_touch(p.deployment));
        position.ok_or(Denial::PositionNotOpen)
    }

    /// Asks each rule of the account in its order; the lots can only shrink. What adds to a position is asked about together with
    /// it, and what is open stays open.
    fn ask_rules(&mut self, mut draft: Draft) -> Result<Draft, Denial> {
        let (account, market) = (self.account, &*self.market);
        let quote = market.last(draft.instrument).ok_or(Denial::NoFreshQuote)?;
        let held = account.netted(draft.instrument).filter(|p| p.side == draft.side);
        let open = held.map_or(Lots::ZERO, |p| p.lots);
        let mut scene = Scene::of(account, market, draft.instrument, held)?;
        // An account that is beyond a limit only because of what is open adds nothing to it.
        scene.equity = scene.equity.min(book::equity(account, market));
        for (index, rule) in account.terms.rules.iter().enumerate() {
            let verdict = match scene.ask(self.rules, (index, rule), &scene.order(&draft, held, quote)) {
                Verdict::Shrink(to) => Verdict::Shrink(to.saturating_sub(open).max(Lots::ZERO)),
                verdict => verdict,
            };
            self.answers.push(RuleAnswer { rule: rule.name.clone(), verdict: verdict.clone() });
            draft.lots = heed(&verdict, &rule.name, draft.lots, scene.instrument)?;
        }
        Ok(draft)
    }
}

/// Whether no kill switch is in the way of something new.
fn unkilled(
    state: &State,
    account: &AccountState,
    instrument: InstrumentId,
    deployment: Option<DeploymentId>,
) -> Result<(), Denial> {
    match state.kill_over(account.terms.id, instrument, deployment) {
        Some(kill) => Err(Denial::KillSwitch(kill.answer())),
        None => Ok(()),
    }
}

/// Whether the account may open anything at all.
fn standing(state: &State, account: &AccountState, now: Millis) -> Result<(), Denial> {
    active(account)?;
    if account.is_uncertain() {
        return Err(Denial::AccountUncertain);
    }
    let trades = |limit: &u32| state.trades_of(account.terms.user, now) >= *limit;
    if let Some(limit) = account.terms.trades_per_day.filter(trades) {
        return Err(Denial::DailyTradeLimit { limit });
    }
    Ok(())
}

/// Whether the account takes new risk.
fn active(account: &AccountState) -> Result<(), Denial> {
    match &account.status {
        AccountStatus::Failed(reason) => Err(Denial::AccountFailed { reason: reason.clone() }),
        AccountStatus::Held(reason) => Err(Denial::AccountHeld { reason: reason.clone() }),
        AccountStatus::Active => Ok(()),
    }
}

/// Whether one more position, and one more order of this kind, has its place.
fn room(account: &AccountState, kind: OrderKind) -> Result<(), Denial> {
    let opening = account.orders.iter().filter(|o| o.purpose == Purpose::Open).count();
    if account.positions.len() + opening >= POSITIONS_MAX as usize {
        return Err(Denial::TooManyPositions { limit: POSITIONS_MAX });
    }
    if kind.is_pending() && account.orders.len() >= WORKING_MAX as usize {
        return Err(Denial::TooManyWorkingOrders { limit: WORKING_MAX });
    }
    Ok(())
}

/// Whether a waiting order of which the price has come still fits the account, at the market's last quotes; the reason
/// for its owner when it does not.
pub(crate) fn still_fits(account: &AccountState, market: &Market, order: &Order, lots: Lots) -> Result<(), Denial> {
    if order.purpose != Purpose::Open {
        return Ok(());
    }
    active(account)?;
    let instrument = market.instrument(order.instrument).ok_or(Denial::UnknownInstrument)?;
    let quote = market.last(order.instrument).ok_or(Denial::NoFreshQuote)?;
    let added = book::added_lots(account, order.instrument, order.side, lots);
    let (from, to) = (instrument.quote, account.terms.currency);
    let rate = market.rate(from, to).ok_or(Denial::NoConversionRate { from, to })?;
    let needed = book::margin(added, entry_price(order.side, quote), account.terms.leverage, instrument, rate)
        .map_err(|_| Denial::NumberTooLarge)?;
    let free = book::equity(account, market).saturating_sub(book::margin_used(account, market));
    if needed > Money::ZERO && needed > free { Err(Denial::MarginTooSmall { needed, free }) } else { Ok(()) }
}

/// What a verdict leaves of the lots.
fn heed(verdict: &Verdict, rule: &str, lots: Lots, instrument: &Instrument) -> Result<Lots, Denial> {
    let refused = |reason: String| Denial::RuleRefused { rule: rule.to_owned(), reason };
    match verdict {
        Verdict::Allow => Ok(lots),
        Verdict::Refuse(reason) => Err(refused(reason.clone())),
        Verdict::Fault(_) => Err(Denial::RuleFailed { rule: rule.to_owned() }),
        Verdict::Shrink(to) => {
            let left = lots.min(to.round_down_to(instrument.lot_step));
            if left < instrument.lot_step {
                return Err(refused(format!(
                    "it leaves {to} lots, below the smallest order of {}",
                    instrument.lot_step
                )));
            }
            Ok(left)
        }
    }
}
