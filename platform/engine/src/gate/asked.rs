//! What rules are asked about, as they see it: an order, or a position like the order that would open it again.
//!
//! What adds to a position on a netting account makes one position of both, and the levels that it brings guard the whole.
//! So rules are asked about the whole, on the account without the part that is open.

use super::Draft;
use crate::{
    book,
    convert::Rate,
    facts::Facts,
    market::Market,
    monitor::RuleBench,
    port::{AccountView, ExposureView, OrderView},
    state::AccountState,
    venue::{behind, entry_price, exit_price},
};
use marque_domain::{
    bar::Quote,
    decision::{Denial, Verdict},
    fixed::{Lots, Money, Price, SCALE},
    id::InstrumentId,
    instrument::Instrument,
    order::{Position, Side, average},
    plugin::PluginRef,
    ticket::{OrderKind, TimeInForce},
};

/// An account as all its rules see it when they are asked about one thing.
pub(super) struct Scene<'a> {
    account: &'a AccountState,
    market: &'a Market,
    pub instrument: &'a Instrument,
    rate: Rate,
    value_per_point: Money,
    /// What the account is worth.
    pub equity: Money,
    /// What it holds.
    positions: Vec<ExposureView>,
}

impl<'a> Scene<'a> {
    /// An account that is asked about something in an instrument, and that holds all that it does but `without`: that is what is
    /// asked about, or a part of it.
    pub fn of(
        account: &'a AccountState,
        market: &'a Market,
        instrument: InstrumentId,
        without: Option<&Position>,
    ) -> Result<Self, Denial> {
        let instrument = market.instrument(instrument).ok_or(Denial::UnknownInstrument)?;
        let (from, to) = (instrument.quote, account.terms.currency);
        let rate = market.rate(from, to).ok_or(Denial::NoConversionRate { from, to })?;
        let point = i128::from(instrument.contract_size) * i128::from(SCALE);
        let value_per_point = rate.convert(point, 1).map_err(|_| Denial::NumberTooLarge)?;
        let (mut equity, mut positions) = (book::equity(account, market), Vec::new());
        book::exposures(account, market, &mut positions);
        if let Some(place) = without.and_then(|held| account.positions.iter().position(|p| p.id == held.id)) {
            equity = equity.saturating_sub(positions.remove(place).profit);
        }
        Ok(Self { account, market, instrument, rate, value_per_point, equity, positions })
    }

    /// An order as rules see it: with the position of its side that it adds to, if there is one.
    pub fn order(&self, draft: &Draft, held: Option<&Position>, quote: &Quote) -> OrderView {
        let entry = draft.kind.price().unwrap_or_else(|| entry_price(draft.side, quote));
        let exit = draft.kind.price().unwrap_or_else(|| exit_price(draft.side, quote));
        // A trail without a stop-loss begins at its distance.
        let follows = |trail| behind(draft.side, exit, trail, self.instrument.tick_size);
        let stop_loss = draft.levels.stop_loss.or(draft.levels.trail.map(follows));
        let (lots, price, stop_loss) = match held {
            None => (draft.lots, entry, stop_loss),
            Some(held) => (
                held.lots.saturating_add(draft.lots),
                average((held.open_price, held.lots), (entry, draft.lots)),
                stop_loss.or(held.stop_loss),
            ),
        };
        OrderView {
            instrument: draft.instrument,
            side: draft.side,
            lots,
            price,
            stop_loss,
            risk: self.risk(draft.side, lots, price, stop_loss),
            value_per_point: self.value_per_point,
            kind: draft.kind,
            time_in_force: draft.time_in_force,
            group: draft.oco,
        }
    }

    /// A position as the order that would open it again, at the price at which it was opened.
    pub fn position(&self, position: &Position) -> OrderView {
        let Position { instrument, side, lots, open_price: price, stop_loss, .. } = *position;
        OrderView {
            instrument,
            side,
            lots,
            price,
            stop_loss,
            risk: self.risk(side, lots, price, stop_loss),
            value_per_point: self.value_per_point,
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Gtc,
            group: None,
        }
    }

    /// What is lost at a stop-loss; nothing where it would gain.
    fn risk(&self, side: Side, lots: Lots, price: Price, stop_loss: Option<Price>) -> Option<Money> {
        let lost = book::profit(side, stop_loss?, price, lots, self.instrument, self.rate).ok()?;
        Some(lost.max(Money::ZERO))
    }

    /// What one of the account's rules says of it.
    pub fn ask(&self, rules: &mut RuleBench, (index, rule): (usize, &PluginRef), order: &OrderView) -> Verdict {
        let view = AccountView {
            now: self.market.now(),
            initial_balance: self.account.facts.capital,
            balance: self.account.balance,
            equity: self.equity,
            day: rules.day(self.account, self.market, index),
            positions: &self.positions,
            facts: Facts::of(self.account, index, self.market),
        };
        rules.check(rule, order, &view)
    }
}

/// How many lots of a position a verdict leaves. Of one that a rule could not give nothing is known.
pub(super) fn leaves(verdict: &Verdict, lots: Lots) -> Lots {
    match verdict {
        Verdict::Allow | Verdict::Fault(_) => lots,
        Verdict::Shrink(to) => lots.min(*to).max(Lots::ZERO),
        Verdict::Refuse(_) => Lots::ZERO,
    }
}
