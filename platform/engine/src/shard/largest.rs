//! The largest order that would be approved now: a question, answered by the gate itself, that changes nothing.

use super::Shard;
use crate::gate::{self, Request};
use marque_domain::{
    decision::{Denial, Intent, Outcome},
    fixed::{Lots, Price},
    id::{AccountId, InstrumentId},
    order::{Origin, Side},
};

/// The largest next order, and what stands in the way of a larger one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargestOrder {
    /// How much; nothing when none would be approved.
    pub lots: Lots,
    /// What a larger one would be denied for; none when the instrument's own largest order is approved whole.
    pub bound_by: Option<Denial>,
    /// The rule that shrinks what is larger, when that is what stands in the way.
    pub shrunk_by: Option<String>,
}

/// What the gate said of a size.
struct Answer {
    approved: Result<Lots, Denial>,
    shrunk_by: Option<String>,
}

impl Shard {
    /// The largest order at the market that this account's limits and rules would approve now, with this stop-loss.
    /// Found by bisection over the instrument's steps: what approves an order also approves a smaller one. None when the
    /// account or the instrument is not there.
    #[must_use]
    pub fn largest_order(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        side: Side,
        stop_loss: Option<Price>,
    ) -> Option<LargestOrder> {
        let (step, most) = self.market.instrument(instrument).map(|i| (i.lot_step.units(), i.lot_max.units()))?;
        self.state.accounts.get(&account)?;
        let lots = |steps: i64| Lots::from_units(steps.saturating_mul(step));
        let whole = self.would_approve(account, instrument, side, lots(most / step), stop_loss)?;
        let mut denial = match whole.approved {
            Ok(lots) => return Some(LargestOrder { lots, bound_by: None, shrunk_by: whole.shrunk_by }),
            Err(denial) => denial,
        };
        let (mut best, mut shrunk_by) = (Lots::ZERO, None);
        let (mut fits, mut fails) = (0, most / step);
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            let answer = self.would_approve(account, instrument, side, lots(middle), stop_loss)?;
            match answer.approved {
                Ok(lots) => (best, shrunk_by, fits) = (lots, answer.shrunk_by, middle),
                Err(why) => (denial, fails) = (why, middle),
            }
        }
        Some(LargestOrder { lots: best, bound_by: Some(denial), shrunk_by })
    }

    fn would_approve(
        &mut self,
        account: AccountId,
        instrument: InstrumentId,
        side: Side,
        lots: Lots,
        stop_loss: Option<Price>,
    ) -> Option<Answer> {
        let state = self.state.accounts.get(&account)?;
        let intent = Intent::Open { instrument, side, lots, stop_loss, take_profit: None };
        let request = Request { deployment: None, origin: Origin::Trader, intent };
        let (decision, _) = gate::decide(&self.state, state, &mut self.market, &mut self.rules, &request);
        let shrinks = |a: &marque_domain::decision::RuleAnswer| {
            matches!(a.verdict, marque_domain::decision::Verdict::Shrink(_)).then(|| a.rule.clone())
        };
        let shrunk_by = decision.answers.iter().rev().find_map(shrinks);
        let approved = match decision.outcome {
            Outcome::Approved { lots, .. } => Ok(lots),
            Outcome::Denied(denial) => Err(denial),
        };
        Some(Answer { approved, shrunk_by })
    }
}
