//! What a backtest came to: trades with what they cost, equity over time, and one way to write it as bytes.
//!
//! Integers only. Ratios are made of them in [`super::stats`], and never flow back.

use super::Summary;
use crate::{
    desk::Commit,
    event::{Effects, Record},
    shard::Shard,
};
use core::convert::Infallible;
use marque_domain::{
    decision::Outcome as Answer,
    fixed::{Lots, Money, Price},
    id::PositionId,
    ledger::TransactionKind,
    order::{Origin, Position, Side},
    time::Millis,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Trades that are kept: a strategy that makes more is told apart by its totals only.
pub const TRADES_MAX: usize = 200_000;
/// What the canonical bytes begin with: the version of how they are written.
const FORMAT: &[u8] = b"marque result 1\n";

/// A position from its opening to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The position.
    pub position: PositionId,
    /// Which way.
    pub side: Side,
    /// How much it was at its largest.
    pub lots: Lots,
    /// When it was opened.
    pub opened_at: Millis,
    /// At what price; of several fills the average by lots.
    pub open_price: Price,
    /// How it ended; none while it is open.
    pub closed: Option<Exit>,
    /// When it was left behind, open, by a test that goes on without it: a walk-forward carries nothing from one try to the
    /// next. Figures are made of it; it is no part of the canonical bytes, and not kept.
    #[serde(skip)]
    pub left_at: Option<Millis>,
    /// What it was charged, as a positive amount.
    pub commission: Money,
    /// What its nights earned, or cost when negative.
    pub swap: Money,
}

/// How a trade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When.
    pub at: Millis,
    /// At what price the last of it was closed.
    pub price: Price,
    /// What all of it earned by price alone.
    pub gross: Money,
    /// Who closed it.
    pub origin: Origin,
}

impl Trade {
    /// What a closed trade earned: by price, less commission, with swap.
    #[must_use]
    pub fn net(&self) -> Option<Money> {
        let gross = self.closed?.gross;
        Some(gross.saturating_sub(self.commission).saturating_add(self.swap))
    }
}

/// What a backtest came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What the account began with.
    pub initial: Money,
    /// Closed balance at the end.
    pub balance: Money,
    /// Equity at the end.
    pub equity: Money,
    /// Quotes gone through.
    pub quotes: u64,
    /// Bars of the strategy's timeframe that closed.
    pub bars: u64,
    /// Trades in the order in which they were opened, those that are open at the end included.
    pub trades: Vec<Trade>,
    /// Trades beyond [`TRADES_MAX`], which are not kept.
    pub trades_dropped: u64,
    /// Orders that were refused.
    pub refused: u64,
    /// Times that the strategy failed.
    pub faults: u64,
    /// What it said the first time: for people, and no part of the canonical bytes.
    pub first_fault: Option<String>,
    /// Times that the host stopped the strategy or a rule. It follows from the machine: no part of the canonical bytes, and
    /// not kept.
    #[serde(skip)]
    pub host_faults: u64,
    /// Time and equity at the last quote of each UTC day.
    pub days: Vec<(Millis, Money)>,
    /// Time and equity at evenly spaced quotes.
    pub curve: Vec<(Millis, Money)>,
}

impl Outcome {
    /// Hands its canonical bytes to `take`: a line that names the format, then every field in its order as big-endian 64-bit
    /// integers; a list as its length and its items; what may be missing as 0, or 1 and the value; sides and origins by
    /// their stable names with a length before them. Two outcomes have the same numbers exactly when their bytes are equal.
    pub fn canonical(&self, mut take: impl FnMut(&[u8])) {
        take(FORMAT);
        let mut out = Writer(&mut take);
        for money in [self.initial, self.balance, self.equity] {
            out.int(money.units());
        }
        out.count(self.quotes);
        out.count(self.bars);
        out.count(self.trades.len() as u64);
        self.trades.iter().for_each(|trade| out.trade(trade));
        for count in [self.trades_dropped, self.refused, self.faults] {
            out.count(count);
        }
        for points in [&self.days, &self.curve] {
            out.count(points.len() as u64);
            for (at, equity) in points {
                out.int(at.0);
                out.int(equity.units());
            }
        }
    }
}

struct Writer<'a>(&'a mut dyn FnMut(&[u8]));

impl Writer<'_> {
    fn int(&mut self, value: i64) {
        (self.0)(&value.to_be_bytes());
    }

    fn count(&mut self, value: u64) {
        (self.0)(&value.to_be_bytes());
    }

    fn name(&mut self, name: &str) {
        self.count(name.len() as u64);
        (self.0)(name.as_bytes());
    }

    fn trade(&mut self, trade: &Trade) {
        self.int(trade.position.0);
        self.name(trade.side.name());
        self.int(trade.lots.units());
        self.int(trade.opened_at.0);
        self.int(trade.open_price.units());
        self.count(u64::from(trade.closed.is_some()));
        if let Some(exit) = &trade.closed {
            self.int(exit.at.0);
            self.int(exit.price.units());
            self.int(exit.gross.units());
            self.name(exit.origin.name());
        }
        self.int(trade.commission.units());
        self.int(trade.swap.units());
    }
}

/// Gathers trades from the records of a backtest. It relies on one order of records: what a fill is charged follows the
/// position that it changed.
#[derive(Debug, Default)]
pub struct Recorder {
    trades: Vec<Trade>,
    place: HashMap<PositionId, usize>,
    /// The position of the last fill.
    last: Option<PositionId>,
    dropped: u64,
    refused: u64,
    faults: u64,
    first_fault: Option<String>,
}

impl Recorder {
    /// All that a backtest came to. `initial` is what the account began with.
    #[must_use]
    pub fn outcome(self, initial: Money, summary: Summary) -> Outcome {
        Outcome {
            initial,
            balance: summary.balance,
            equity: summary.equity,
            quotes: summary.quotes as u64,
            bars: summary.bars as u64,
            trades: self.trades,
            trades_dropped: self.dropped,
            refused: self.refused,
            faults: self.faults,
            first_fault: self.first_fault,
            host_faults: summary.host_faults,
            days: summary.days,
            curve: summary.curve,
        }
    }

    fn take(&mut self, record: &Record) {
        match record {
            Record::PositionOpened(position) => self.opened(position),
            Record::PositionChanged(position) | Record::PositionClosed(position) => self.changed(position),
            Record::Moved(moved) if moved.kind() == TransactionKind::Commission => {
                let charged = moved.cash().negated();
                self.of(self.last, |trade| trade.commission = trade.commission.saturating_add(charged));
            }
            Record::Moved(moved) if moved.kind() == TransactionKind::Swap => {
                let (position, earned) = (PositionId(moved.reference()), moved.cash());
                self.of(Some(position), |trade| trade.swap = trade.swap.saturating_add(earned));
            }
            Record::Decided(decision) if matches!(decision.outcome, Answer::Denied(_)) => self.refused += 1,
            Record::Faulted { fault, .. } => {
                self.faults += 1;
                self.first_fault.get_or_insert_with(|| fault.clone());
            }
            _ => {}
        }
    }

    fn opened(&mut self, position: &Position) {
        self.last = Some(position.id);
        if self.trades.len() >= TRADES_MAX {
            self.dropped += 1;
            return;
        }
        self.place.insert(position.id, self.trades.len());
        self.trades.push(Trade {
            position: position.id,
            side: position.side,
            lots: position.opened_lots(),
            opened_at: position.opened_at,
            open_price: position.open_price,
            closed: None,
            left_at: None,
            commission: Money::ZERO,
            swap: Money::ZERO,
        });
    }

    fn changed(&mut self, position: &Position) {
        self.last = Some(position.id);
        self.of(Some(position.id), |trade| {
            trade.lots = trade.lots.max(position.opened_lots());
            trade.open_price = position.open_price;
            trade.closed = position.closed.map(|closed| Exit {
                at: closed.at,
                price: closed.price,
                gross: closed.profit,
                origin: closed.origin,
            });
        });
    }

    fn of(&mut self, position: Option<PositionId>, change: impl FnOnce(&mut Trade)) {
        let place = position.and_then(|id| self.place.get(&id));
        if let Some(trade) = place.and_then(|place| self.trades.get_mut(*place)) {
            change(trade);
        }
    }
}

impl Commit for Recorder {
    type Error = Infallible;

    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        effects.records.iter().for_each(|record| self.take(record));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let exit = Exit { at: Millis(5), price: Price::whole(2), gross: Money::whole(9), origin: Origin::Strategy };
        let trade = Trade {
            position: PositionId(1),
            side: Side::Buy,
            lots: Lots::whole(1),
            opened_at: Millis(3),
            open_price: Price::whole(1),
            closed: Some(exit),
            left_at: None,
            commission: Money::whole(2),
            swap: Money::whole(1),
        };
        Outcome {
            initial: Money::whole(100),
            balance: Money::whole(108),
            equity: Money::whole(108),
            quotes: 7,
            bars: 2,
            trades: vec![trade],
            trades_dropped: 0,
            refused: 1,
            faults: 1,
            first_fault: None,
            host_faults: 0,
            days: vec![(Millis(9), Money::whole(108))],
            curve: vec![(Millis(3), Money::whole(100))],
        }
    }

    fn bytes(outcome: &Outcome) -> Vec<u8> {
        let mut all = Vec::new();
        outcome.canonical(|bytes| all.extend_from_slice(bytes));
        all
    }

    #[test]
    fn the_bytes_hold_every_number() {
        type Change = fn(&mut Outcome);
        let changes: &[Change] = &[
            |o| o.initial = Money::ZERO,
            |o| o.balance = Money::ZERO,
            |o| o.equity = Money::ZERO,
            |o| o.quotes += 1,
            |o| o.bars += 1,
            |o| o.trades.clear(),
            |o| o.trades[0].position.0 += 1,
            |o| o.trades[0].side = Side::Sell,
            |o| o.trades[0].lots = Lots::whole(2),
            |o| o.trades[0].opened_at = Millis(4),
            |o| o.trades[0].open_price = Price::whole(3),
            |o| o.trades[0].commission = Money::ZERO,
            |o| o.trades[0].swap = Money::ZERO,
            |o| o.trades[0].closed = None,
            |o| o.trades[0].closed.as_mut().unwrap().at = Millis(6),
            |o| o.trades[0].closed.as_mut().unwrap().price = Price::whole(3),
            |o| o.trades[0].closed.as_mut().unwrap().gross = Money::ZERO,
            |o| o.trades[0].closed.as_mut().unwrap().origin = Origin::StopLoss,
            |o| o.trades_dropped += 1,
            |o| o.refused += 1,
            |o| o.faults += 1,
            |o| o.days[0].0 = Millis(8),
            |o| o.days[0].1 = Money::ZERO,
            |o| o.curve[0].0 = Millis(8),
            |o| o.curve[0].1 = Money::ZERO,
            // What moves from one list to the other is told apart.
            |o| o.curve.append(&mut o.days),
        ];
        let plain = bytes(&outcome());
        for (number, change) in changes.iter().enumerate() {
            let mut other = outcome();
            change(&mut other);
            assert_ne!(bytes(&other), plain, "row {number}");
        }
        let told = Outcome { first_fault: Some("words".to_owned()), ..outcome() };
        assert_eq!(bytes(&told), plain, "words are no part of it");
        assert_eq!(outcome().trades[0].net(), Some(Money::whole(8)));
    }
}
