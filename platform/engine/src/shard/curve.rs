//! Whose equity curve gets its next point when.
//!
//! Each account that an instrument moves (by a position, or by a running strategy that may open one) is due once a minute of
//! the instrument's market. All at once would be a quote on which everything waits for the curves; so a round
//! begins each minute and a few accounts are taken after each quote. With very many accounts a round takes longer
//! than a minute and the curves get coarser; nothing else does.

use marque_domain::id::{AccountId, InstrumentId};
use std::{collections::BTreeMap, ops::Bound};

/// Points taken after one quote.
const POINTS_PER_QUOTE: usize = 16;

#[derive(Debug, Default)]
struct Round {
    /// How many reasons there are to follow each account.
    followed: BTreeMap<AccountId, u32>,
    last: Option<AccountId>,
    left: usize,
}

/// The rounds of all instruments.
#[derive(Debug, Default)]
pub(super) struct Curve {
    rounds: BTreeMap<InstrumentId, Round>,
}

impl Curve {
    /// One more reason to follow an account.
    pub fn follow(&mut self, instrument: InstrumentId, account: AccountId) {
        *self.rounds.entry(instrument).or_default().followed.entry(account).or_default() += 1;
    }

    /// One reason less.
    pub fn unfollow(&mut self, instrument: InstrumentId, account: AccountId) {
        let Some(round) = self.rounds.get_mut(&instrument) else { return };
        let Some(reasons) = round.followed.get_mut(&account) else { return };
        *reasons -= 1;
        if *reasons == 0 {
            round.followed.remove(&account);
        }
    }

    /// The accounts that an instrument moves, in the order of their ids.
    pub fn followed(&self, instrument: InstrumentId) -> impl Iterator<Item = AccountId> + '_ {
        self.rounds.get(&instrument).into_iter().flat_map(|round| round.followed.keys().copied())
    }

    /// Every account is due once more.
    pub fn begin_round(&mut self, instrument: InstrumentId) {
        if let Some(round) = self.rounds.get_mut(&instrument) {
            round.left = round.followed.len();
        }
    }

    /// Takes the next accounts of the round, in the order of their ids from where the last stopped.
    pub fn take(&mut self, instrument: InstrumentId, out: &mut Vec<AccountId>) {
        out.clear();
        let Some(round) = self.rounds.get_mut(&instrument).filter(|round| round.left > 0) else { return };
        let count = round.left.min(POINTS_PER_QUOTE).min(round.followed.len());
        let after = round.last.map_or(Bound::Unbounded, Bound::Excluded);
        out.extend(round.followed.range((after, Bound::Unbounded)).take(count).map(|(id, _)| *id));
        let from_start = count - out.len();
        out.extend(round.followed.keys().take(from_start));
        round.left -= count;
        // A round that is over begins anew with the first.
        round.last = out.last().copied().filter(|_| round.left > 0);
        if count == 0 {
            round.left = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(curve: &mut Curve) -> Vec<i64> {
        let mut out = Vec::new();
        curve.take(InstrumentId(1), &mut out);
        out.iter().map(|id| id.0).collect()
    }

    #[test]
    fn each_account_is_taken_once_a_round_a_few_at_a_time() {
        let mut curve = Curve::default();
        (1..=40).for_each(|id| curve.follow(InstrumentId(1), AccountId(id)));
        curve.follow(InstrumentId(1), AccountId(7));
        assert!(taken(&mut curve).is_empty(), "nothing is due before a minute has closed");
        curve.begin_round(InstrumentId(1));
        assert_eq!(taken(&mut curve), (1..=16).collect::<Vec<_>>());
        curve.unfollow(InstrumentId(1), AccountId(7));
        curve.unfollow(InstrumentId(1), AccountId(20));
        let rest: Vec<i64> = [taken(&mut curve), taken(&mut curve)].concat();
        assert_eq!(rest.iter().filter(|id| **id > 16).count(), 23, "{rest:?}");
        assert!(!rest.contains(&20));
        assert!(taken(&mut curve).is_empty());
        curve.unfollow(InstrumentId(1), AccountId(7));
        curve.begin_round(InstrumentId(1));
        assert!(!taken(&mut curve).contains(&7), "two reasons came and two have gone");
    }
}
