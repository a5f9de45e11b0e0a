//! Walk-forward: settings are chosen on one stretch of the past and tried on the next, which they have never seen; again and
//! again through the recording. What the tries earned, one after the other, is the honest equity curve of choosing settings
//! this way.
//!
//! R. Pardo: *Design, Testing, and Optimization of Trading Systems*, Wiley 1992.
//!
//! Each try begins with the equity that the one before left. A position that is open at the end of a try counts at its price of
//! then and is not carried over; a strategy warms up anew in each stretch.

use super::{
    run::{RunError, Runner, Step},
    spec::Spec,
    sweep::{self, Grid, Rank},
};
use core::ops::ControlFlow;
use marque_domain::{
    fixed::Money,
    time::{DAY_MS, Millis},
};
use marque_engine::backtest::{Outcome, Statistics, stats::Measured};
use serde::{Deserialize, Serialize};

/// A window and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Where settings were chosen: from here …
    pub chosen_from: Millis,
    /// … to before here; and tried from here …
    pub tried_from: Millis,
    /// … to before here.
    pub tried_to: Millis,
    /// The settings that did best, as the text of a JSON object of those that were varied.
    pub settings: String,
    /// Their figures where they were chosen.
    pub chosen: Statistics,
    /// Their figures where they were tried.
    pub tried: Statistics,
}

/// A window in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Where the choice begins.
    pub chosen_from: Millis,
    /// Where it ends and the try begins.
    pub tried_from: Millis,
    /// Where the try ends.
    pub tried_to: Millis,
}

/// The windows between two instants: each begins `try_days` after the one before; the last try may be shorter.
#[must_use]
pub fn stretches(from: Millis, to: Millis, choose_days: u32, try_days: u32) -> Vec<Stretch> {
    let (choose, step) = (i64::from(choose_days) * DAY_MS, i64::from(try_days.max(1)) * DAY_MS);
    let begins = (0..super::spec::WINDOWS_MAX).zip(0_i64..).map(|(_, number)| from.plus(number * step));
    let stretch = |begin: Millis| Stretch {
        chosen_from: begin,
        tried_from: begin.plus(choose),
        tried_to: begin.plus(choose + step).min(to),
    };
    begins.map(stretch).take_while(|stretch| stretch.tried_from < to).collect()
}

/// Walks a spec forward. Answers the windows and the tries one after the other as one outcome.
///
/// # Errors
/// [`RunError`].
pub fn run(
    runner: &Runner<'_>,
    spec: &Spec,
    (grid, rank): (&Grid, Rank),
    stretches: &[Stretch],
) -> Result<(Vec<Window>, Outcome), RunError> {
    let mut windows = Vec::new();
    let mut whole = Outcome {
        initial: spec.account.balance,
        balance: spec.account.balance,
        equity: spec.account.balance,
        quotes: 0,
        bars: 0,
        trades: Vec::new(),
        trades_dropped: 0,
        refused: 0,
        faults: 0,
        first_fault: None,
        host_faults: 0,
        days: Vec::new(),
        curve: Vec::new(),
    };
    for stretch in stretches {
        if whole.equity <= Money::ZERO {
            // Nothing is left to try with.
            break;
        }
        let choice = (stretch.chosen_from, stretch.tried_from);
        let rows = sweep::run(runner, spec, (grid, rank), choice, spec.account.balance)?;
        let Some((best, row)) = rows.into_iter().next() else { break };
        let Some(chosen) = row.statistics else { break };
        let span = (stretch.tried_from, stretch.tried_to);
        let tried = runner.run(&spec.with_settings(&best), span, whole.equity, false)?;
        if (runner.watch)(Step::Done) == ControlFlow::Break(()) {
            return Err(RunError::Cancelled);
        }
        windows.push(Window {
            chosen_from: stretch.chosen_from,
            tried_from: stretch.tried_from,
            tried_to: stretch.tried_to,
            settings: row.settings,
            chosen,
            tried: Measured::of(&tried).statistics(),
        });
        stitch(&mut whole, tried);
    }
    Ok((windows, whole))
}

/// Puts a try behind those before it.
fn stitch(whole: &mut Outcome, tried: Outcome) {
    // A try without quotes has no equity of its own.
    if tried.quotes > 0 {
        (whole.balance, whole.equity) = (tried.balance, tried.equity);
    }
    whole.quotes += tried.quotes;
    whole.bars += tried.bars;
    whole.trades.extend(tried.trades);
    whole.trades_dropped += tried.trades_dropped;
    whole.refused += tried.refused;
    whole.faults += tried.faults;
    whole.host_faults += tried.host_faults;
    whole.first_fault = whole.first_fault.take().or(tried.first_fault);
    whole.days.extend(tried.days);
    whole.curve.extend(tried.curve);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_roll_and_tries_do_not_overlap() {
        let day = |number: i64| Millis(number * DAY_MS);
        let found = stretches(day(0), day(12), 5, 3);
        let want = [(0, 5, 8), (3, 8, 11), (6, 11, 12)];
        let shown: Vec<_> =
            found.iter().map(|s| (s.chosen_from.0 / DAY_MS, s.tried_from.0 / DAY_MS, s.tried_to.0 / DAY_MS)).collect();
        assert_eq!(shown, want);
        assert_eq!(stretches(day(0), day(5), 5, 3), []);
        assert!(stretches(day(0), day(100_000), 1, 1).len() <= super::super::spec::WINDOWS_MAX);
    }
}
