//! The rollover: what positions are charged and paid for each night that they are held.
//!
//! A night is charged at the first quote after the rollover, before anything else that the quote causes, to every position
//! that was open when its instrument rolled. It is booked at once, so equity holds it in the balance and nothing accrues
//! beside the ledger. What was charged last stands in the ledger itself, so a restart charges nothing twice and
//! forgets nothing.

use super::Shard;
use crate::{
    event::{Effects, Record},
    state::AccountState,
};
use marque_domain::{
    fixed::{Money, SCALE},
    id::{AccountId, TransactionId},
    instrument::Instrument,
    ledger::{Book, Transaction, TransactionKind},
    order::{Position, Side},
    time::Millis,
};

/// A night of a position.
struct Night {
    account: AccountId,
    position: i64,
    at: Millis,
    amount: Money,
}

impl Shard {
    /// Charges the nights that have passed.
    pub(super) fn roll_over(&mut self, fx: &mut Effects) {
        let now = self.market.now();
        if now < self.next_roll {
            return;
        }
        let mut nights: Vec<Night> = Vec::new();
        for account in self.state.accounts.values() {
            for position in &account.positions {
                self.nights_of(account, position, now, &mut nights);
            }
        }
        nights.sort_by_key(|night| (night.at, night.account, night.position));
        for Night { account, position, at, amount } in nights {
            let id = TransactionId(self.state.last_id + 1);
            let moved = Transaction::transfer(id, account, at, TransactionKind::Swap, position, Book::Venue, amount);
            self.emit(Record::Moved(moved), fx);
        }
        let next = self.market.instruments().filter_map(|i| i.swap.as_ref()).map(|swap| swap.next(now)).min();
        self.next_roll = next.unwrap_or(Millis(i64::MAX));
    }

    /// The nights of a position that have passed and were not charged. One that cannot be worked out yet (no quote to
    /// convert at) is charged with the first quote that lets it.
    fn nights_of(&self, account: &AccountState, position: &Position, now: Millis, nights: &mut Vec<Night>) {
        let Some(instrument) = self.market.instrument(position.instrument) else { return };
        let Some(swap) = &instrument.swap else { return };
        let charged = account.swaps.get(&position.id).copied().unwrap_or(position.opened_at);
        for (at, count) in swap.rollovers(charged, now) {
            if let Some(amount) = self.night(account, position, instrument, count) {
                nights.push(Night { account: account.terms.id, position: position.id.0, at, amount });
            }
        }
    }

    /// `swap · lots · contract size · nights`, in the account's currency, rounded once.
    fn night(&self, account: &AccountState, position: &Position, instrument: &Instrument, nights: u8) -> Option<Money> {
        let swap = instrument.swap.as_ref()?;
        let points = match position.side {
            Side::Buy => swap.long,
            Side::Sell => swap.short,
        };
        let quantity = i128::from(position.lots.units()) * i128::from(instrument.contract_size);
        let product = quantity.checked_mul(i128::from(points.units()))?.checked_mul(i128::from(nights))?;
        let rate = self.market.rate(instrument.quote, account.terms.currency)?;
        rate.convert(product, i128::from(SCALE)).ok()
    }
}
