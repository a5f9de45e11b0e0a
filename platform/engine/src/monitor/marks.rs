//! The best equity of each account as it is kept for a restart, without writing every account each time.
//!
//! An account is written when something happened to it. Of one that only followed the market, its best equity since then
//! follows from the best prices that were written since then, as it does in memory.

use super::{RuleBench, drivers, drivers::Shape};
use crate::{book, market::Market, state::AccountState};
use marque_domain::{
    fixed::{Money, Price},
    id::{AccountId, InstrumentId},
    order::Side,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The best equity of each rule's day, of some accounts.
pub(crate) type Peaks = Vec<(AccountId, Vec<Money>)>;

/// The best bid and the best ask that instruments had for a while.
pub(crate) type BestPrices = Vec<(InstrumentId, Price, Price)>;

/// Best equities, each as of a turn, and the best bid and ask of each turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeakMarks {
    turn: u32,
    peaks: BTreeMap<AccountId, (u32, Vec<Money>)>,
    best: BTreeMap<InstrumentId, Vec<(u32, Price, Price)>>,
}

impl PeakMarks {
    fn whole(peaks: BTreeMap<AccountId, Vec<Money>>) -> Self {
        let peaks = peaks.into_iter().map(|(id, peaks)| (id, (0, peaks))).collect();
        Self { peaks, ..Self::default() }
    }

    /// The next turn: best prices while it lasted, and accounts as they stand at its end.
    pub fn apply(&mut self, peaks: Peaks, best: BestPrices) {
        self.turn += 1;
        for (instrument, bid, ask) in best {
            self.best.entry(instrument).or_default().push((self.turn, bid, ask));
        }
        self.peaks.extend(peaks.into_iter().map(|(id, peaks)| (id, (self.turn, peaks))));
    }

    /// For each instrument, the best bid and ask from each turn to the last.
    fn suffixes(&self) -> BTreeMap<InstrumentId, Vec<(u32, Price, Price)>> {
        let suffix = |turns: &Vec<(u32, Price, Price)>| {
            let mut turns = turns.clone();
            let mut later = (Price::MIN, Price::MAX);
            for (_, bid, ask) in turns.iter_mut().rev() {
                later = (later.0.max(*bid), later.1.min(*ask));
                (*bid, *ask) = later;
            }
            turns
        };
        self.best.iter().map(|(instrument, turns)| (*instrument, suffix(turns))).collect()
    }
}

impl RuleBench {
    /// The best equity of each rule's day, of every account. What changes from now on is a change of this.
    pub fn peaks(&mut self, accounts: &BTreeMap<AccountId, AccountState>, market: &Market) -> PeakMarks {
        self.touched.clear();
        let _ = self.index.take_best();
        let ids: Vec<AccountId> = self.watched.keys().copied().collect();
        PeakMarks::whole(ids.into_iter().map(|id| self.peaks_of(id, accounts, market)).collect())
    }

    /// The accounts that something happened to since the last time, and the best prices since then.
    pub fn peaks_changed(
        &mut self,
        accounts: &BTreeMap<AccountId, AccountState>,
        market: &Market,
    ) -> (Peaks, BestPrices) {
        let touched = core::mem::take(&mut self.touched);
        let peaks = touched.into_iter().map(|id| self.peaks_of(id, accounts, market)).collect();
        (peaks, self.index.take_best())
    }

    fn peaks_of(
        &mut self,
        id: AccountId,
        accounts: &BTreeMap<AccountId, AccountState>,
        market: &Market,
    ) -> (AccountId, Vec<Money>) {
        if let Some(account) = accounts.get(&id) {
            self.settle(account, market);
        }
        (id, self.levels(id).iter().map(|level| level.peak).collect())
    }

    /// Puts peaks back, of accounts that were enrolled.
    pub fn restore_peaks(&mut self, marks: &PeakMarks, accounts: &BTreeMap<AccountId, AccountState>, market: &Market) {
        let suffixes = marks.suffixes();
        for (id, (turn, peaks)) in &marks.peaks {
            let Some(account) = accounts.get(id) else { continue };
            let since = since(*turn, account, market, &suffixes).unwrap_or(Money::MIN);
            let levels = self.watched.get_mut(id).into_iter().flat_map(|w| w.levels.iter_mut());
            levels.zip(peaks).for_each(|(level, peak)| level.peak = since.max(*peak));
        }
    }
}

/// The best equity that prices brought an account after a turn, when it follows from them.
fn since(
    turn: u32,
    account: &AccountState,
    market: &Market,
    suffixes: &BTreeMap<InstrumentId, Vec<(u32, Price, Price)>>,
) -> Option<Money> {
    let Some(Shape::Single(side, driver)) = drivers::shape(account, market) else { return None };
    let turns = suffixes.get(&driver.instrument)?;
    let (_, bid, ask) = turns.get(turns.partition_point(|(at, _, _)| *at <= turn))?;
    Some(book::equity_at(account, if side == Side::Buy { *bid } else { *ask }, market))
}
