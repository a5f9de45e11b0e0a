//! The risk gate: the only way from an intent to an order.
//!
//! Limits of the platform come first, then the account's rule plugins in their order, each seeing what the
//! one before left. A rule that cannot answer denies. Closing is never held back by a rule: it reduces risk.

use crate::{
    book,
    facts::Facts,
    market::Market,
    monitor::RuleBench,
    port::{AccountView, ExposureView, OrderView},
    state::{AccountState, State},
    venue::{entry_price, exit_price},
};
use marque_domain::{
    account::AccountStatus,
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::{Lots, Money, Price, SCALE},
    id::{DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::Instrument,
    order::{Order, OrderState, Origin, Purpose, Side},
    time::Millis,
};
use serde::Serialize;

/// Positions that an account may hold at once.
pub const POSITIONS_MAX: u32 = 200;

/// An order that passed every limit and rule. Only this module can make one: the field is private, and it
/// can be written out but not read in.
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

/// An order as far as the limits have shaped it.
#[derive(Debug, Clone, Copy)]
struct Draft {
    instrument: InstrumentId,
    side: Side,
    lots: Lots,
    purpose: Purpose,
    stop_loss: Option<Price>,
    take_profit: Option<Price>,
}

/// Decides an intent: the decision with all answers, and the order if it was approved. They get the next two ids.
pub(crate) fn decide(
    state: &State,
    account: &AccountState,
    market: &mut Market,
    rules: &mut RuleBench,
    request: &Request,
) -> (Decision, Option<Approved>) {
    let (at, last_id) = (market.now(), state.last_id);
    let mut answers = Vec::new();
    let drafted = match request.intent {
        Intent::Close { position } => draft_close(account, market, request, position),
        Intent::Open { instrument, side, lots, stop_loss, take_profit } => {
            let draft = Draft { instrument, side, lots, purpose: Purpose::Open, stop_loss, take_profit };
            unkilled(state, account, instrument, request.deployment)
                .and_then(|()| standing(state, account, at))
                .and_then(|()| draft_open(account, market, draft))
                .and_then(|d| ask_rules(account, market, rules, d, &mut answers))
        }
    };
    let order = drafted.as_ref().ok().map(|draft| Order {
        id: OrderId(last_id + 2),
        account: account.terms.id,
        deployment: request.deployment,
        instrument: draft.instrument,
        side: draft.side,
        lots: draft.lots,
        purpose: draft.purpose,
        origin: request.origin,
        stop_loss: draft.stop_loss,
        take_profit: draft.take_profit,
        state: OrderState::Intent,
        fill_price: None,
        reason: None,
        created_at: at,
        updated_at: at,
    });
    let outcome = match drafted {
        Ok(draft) => Outcome::Approved { order: OrderId(last_id + 2), lots: draft.lots },
        Err(denial) => Outcome::Denied(denial),
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
    (decision, order.map(Approved))
}

fn draft_close(account: &AccountState, market: &Market, request: &Request, id: PositionId) -> Result<Draft, Denial> {
    let position = account.position(id).filter(|_| !account.is_closing(id)).ok_or(Denial::PositionNotOpen)?;
    // A strategy closes only what it opened.
    if request.deployment.is_some() && position.deployment != request.deployment {
        return Err(Denial::PositionNotOpen);
    }
    market.last(position.instrument).ok_or(Denial::NoFreshQuote)?;
    Ok(Draft {
        instrument: position.instrument,
        side: position.side.opposite(),
        lots: position.lots,
        purpose: Purpose::Close(id),
        stop_loss: None,
        take_profit: None,
    })
}

fn draft_open(account: &AccountState, market: &mut Market, mut draft: Draft) -> Result<Draft, Denial> {
    let open = market.is_open(draft.instrument);
    let instrument = market.instrument(draft.instrument).ok_or(Denial::UnknownInstrument)?;
    if instrument.quote != account.terms.currency {
        return Err(Denial::CurrencyMismatch);
    }
    if !open {
        return Err(Denial::MarketClosed);
    }
    let quote = market.fresh(draft.instrument).ok_or(Denial::NoFreshQuote)?;
    draft.lots = shape_lots(draft.lots, instrument)?;
    let exit = exit_price(draft.side, quote);
    draft.stop_loss = shape_stop(draft.stop_loss, "stop-loss", draft.side, exit, instrument)?;
    draft.take_profit = shape_stop(draft.take_profit, "take-profit", draft.side.opposite(), exit, instrument)?;
    let price = entry_price(draft.side, quote);
    let needed =
        book::margin(draft.lots, price, account.terms.leverage, instrument).map_err(|_| Denial::NumberTooLarge)?;
    let free = book::equity(account, market).saturating_sub(book::margin_used(account, market));
    if needed > free {
        return Err(Denial::MarginTooSmall { needed, free });
    }
    Ok(draft)
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
    match &account.status {
        AccountStatus::Failed(reason) => return Err(Denial::AccountFailed { reason: reason.clone() }),
        AccountStatus::Held(reason) => return Err(Denial::AccountHeld { reason: reason.clone() }),
        AccountStatus::Active => {}
    }
    if account.orders.iter().any(|o| o.state == OrderState::Unknown) {
        return Err(Denial::AccountUncertain);
    }
    let trades = |limit: &u32| state.trades_of(account.terms.user, now) >= *limit;
    if let Some(limit) = account.terms.trades_per_day.filter(trades) {
        return Err(Denial::DailyTradeLimit { limit });
    }
    let opening = account.orders.iter().filter(|o| o.purpose == Purpose::Open).count();
    if account.positions.len() + opening >= POSITIONS_MAX as usize {
        return Err(Denial::TooManyPositions { limit: POSITIONS_MAX });
    }
    Ok(())
}

fn shape_lots(wanted: Lots, instrument: &Instrument) -> Result<Lots, Denial> {
    let lots = wanted.round_down_to(instrument.lot_step);
    if lots < instrument.lot_step {
        return Err(Denial::LotsTooSmall { wanted, minimum: instrument.lot_step });
    }
    if lots > instrument.lot_max {
        return Err(Denial::LotsTooLarge { wanted, maximum: instrument.lot_max });
    }
    Ok(lots)
}

/// Rounds a stop to the tick and checks that it lies where `side` loses: below the price for a buy.
fn shape_stop(
    level: Option<Price>,
    which: &str,
    side: Side,
    price: Price,
    instrument: &Instrument,
) -> Result<Option<Price>, Denial> {
    let Some(level) = level.map(|l| l.round_down_to(instrument.tick_size)) else { return Ok(None) };
    let right = level > Price::ZERO
        && match side {
            Side::Buy => level < price,
            Side::Sell => level > price,
        };
    if right { Ok(Some(level)) } else { Err(Denial::StopOnWrongSide { which: which.to_owned(), level, price }) }
}

/// Asks each rule of the account in its order; the lots can only shrink.
fn ask_rules(
    account: &AccountState,
    market: &Market,
    rules: &mut RuleBench,
    mut draft: Draft,
    answers: &mut Vec<RuleAnswer>,
) -> Result<Draft, Denial> {
    let instrument = market.instrument(draft.instrument).ok_or(Denial::UnknownInstrument)?;
    let quote = market.last(draft.instrument).ok_or(Denial::NoFreshQuote)?;
    let price = entry_price(draft.side, quote);
    let mut positions: Vec<ExposureView> = Vec::new();
    book::exposures(account, market, &mut positions);
    for (index, rule) in account.terms.rules.iter().enumerate() {
        let risk = |level: Price| book::profit(draft.side, level, price, draft.lots, instrument).ok();
        let order = OrderView {
            instrument: draft.instrument,
            side: draft.side,
            lots: draft.lots,
            price,
            stop_loss: draft.stop_loss,
            risk: draft.stop_loss.and_then(risk),
            value_per_point: Money::from_units(instrument.contract_size.saturating_mul(SCALE)),
        };
        let view = AccountView {
            now: market.now(),
            initial_balance: account.facts.capital,
            balance: account.balance,
            equity: book::equity(account, market),
            day: rules.day(account, market, index),
            positions: &positions,
            facts: Facts::of(account, index, market),
        };
        let verdict = rules.check(rule, &order, &view);
        answers.push(RuleAnswer { rule: rule.name.clone(), verdict: verdict.clone() });
        draft.lots = heed(&verdict, &rule.name, draft.lots, instrument)?;
    }
    Ok(draft)
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
