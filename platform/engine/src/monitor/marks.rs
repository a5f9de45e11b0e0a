//! The best equity of each account as it is kept for a restart, without writing every account each time.
//!
//! An account is written when something happened to it. Of one that only followed the market, its best equity since then
//! follows from the best prices that were written since then, as it does in memory.

use super::{RuleBench, drivers, drivers::Shape, extremes::Range};
use crate::{book, market::Market, state::AccountState};
use marque_domain::{
    fixed::{Money, Price},
    id::{AccountId, InstrumentId},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The best equity of each rule's day, of some accounts.
pub(crate) type Peaks = Vec<(AccountId, Vec<Money>)>;

/// The lowest and the highest bid that an instrument had with a spread for a while.
pub(crate) type Ranges = Vec<(InstrumentId, i64, Price, Price)>;

/// Such ranges by the turn in which they were quoted.
type Turns = BTreeMap<(InstrumentId, i64), Vec<(u32, Price, Price)>>;

/// Best equities, each as of a turn, and the prices of each turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeakMarks {
    turn: u32,
    peaks: BTreeMap<AccountId, (u32, Vec<Money>)>,
    ranges: Turns,
}

impl PeakMarks {
    fn whole(peaks: BTreeMap<AccountId, Vec<Money>>) -> Self {
        let peaks = peaks.into_iter().map(|(id, peaks)| (id, (0, peaks))).collect();
        Self { peaks, ..Self::default() }
    }

    /// The next turn: prices while it lasted, and accounts as they stand at its end.
    pub fn apply(&mut self, peaks: Peaks, ranges: Ranges) {
        self.turn += 1;
        for (instrument, spread, low, high) in ranges {
            self.ranges.entry((instrument, spread)).or_default().push((self.turn, low, high));
        }
        self.peaks.extend(peaks.into_iter().map(|(id, peaks)| (id, (self.turn, peaks))));
    }

    /// The ranges from each turn to the last.
    fn suffixes(&self) -> Turns {
        let mut suffixes = self.ranges.clone();
        for turns in suffixes.values_mut() {
            let mut later = (Price::MAX, Price::MIN);
            for (_, low, high) in turns.iter_mut().rev() {
                later = (later.0.min(*low), later.1.max(*high));
                (*low, *high) = later;
            }
        }
        suffixes
    }
}

impl RuleBench {
    /// The best equity of each rule's day, of every account. What changes from now on is a change of this.
    pub fn peaks(&mut self, accounts: &BTreeMap<AccountId, AccountState>, market: &Market) -> PeakMarks {
        self.touched.clear();
        let _ = self.index.take_ranges();
        let ids: Vec<AccountId> = self.watched.keys().copied().collect();
        PeakMarks::whole(ids.into_iter().map(|id| self.peaks_of(id, accounts, market)).collect())
    }

    /// The accounts that something happened to since the last time, and the prices since then.
    pub fn peaks_changed(&mut self, accounts: &BTreeMap<AccountId, AccountState>, market: &Market) -> (Peaks, Ranges) {
        let touched = core::mem::take(&mut self.touched);
        let peaks = touched.into_iter().map(|id| self.peaks_of(id, accounts, market)).collect();
        (peaks, self.index.take_ranges())
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
fn since(turn: u32, account: &AccountState, market: &Market, suffixes: &Turns) -> Option<Money> {
    let Some(Shape::Sum { follows: Some((instrument, follows)), .. }) = drivers::shape(account, market) else {
        return None;
    };
    let spreads = suffixes.range((instrument, i64::MIN)..=(instrument, i64::MAX));
    let ranges = spreads.filter_map(|((_, spread), turns)| {
        let (_, low, high) = turns.get(turns.partition_point(|(at, _, _)| *at <= turn))?;
        Some(Range { spread: *spread, low: *low, high: *high })
    });
    let worth = |(bid, ask)| book::equity_at(account, bid, ask, market);
    ranges.map(|range| worth(range.better(follows.rises()))).max()
}
