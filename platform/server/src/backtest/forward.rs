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
use marque_engine::backtest::{Outcome, Statistics, Trade, stats::Measured};
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
    let mut whole = nothing_yet(spec.account.balance);
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

/// Before the first try.
const fn nothing_yet(balance: Money) -> Outcome {
    Outcome {
        initial: balance,
        balance,
        equity: balance,
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
    }
}

/// Puts a try behind those before it. What it left open ends with it, and a day in which two tries meet is one day, that ends
/// where the later one leaves it.
fn stitch(whole: &mut Outcome, tried: Outcome) {
    let ended_at = Measured::of(&tried).ended_at;
    let left = |trade: Trade| match trade.closed {
        None => Trade { left_at: Some(ended_at), ..trade },
        Some(_) => trade,
    };
    let day = |(at, _): &(Millis, Money)| at.0.div_euclid(DAY_MS);
    if whole.days.last().map(day) == tried.days.first().map(day) {
        whole.days.pop();
    }
    // A try without quotes has no equity of its own.
    if tried.quotes > 0 {
        (whole.balance, whole.equity) = (tried.balance, tried.equity);
    }
    whole.quotes += tried.quotes;
    whole.bars += tried.bars;
    whole.trades.extend(tried.trades.into_iter().map(left));
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
    use marque_domain::{
        fixed::{Lots, Price},
        id::PositionId,
        order::Side,
        time::HOUR_MS,
    };

    const fn hour(number: i64) -> Millis {
        Millis(number * HOUR_MS)
    }

    /// A try with equity at these hours, and at the ends of its days.
    fn tried(curve: &[(i64, i64)], days: &[(i64, i64)]) -> Outcome {
        let points = |list: &[(i64, i64)]| list.iter().map(|(at, worth)| (hour(*at), Money::whole(*worth))).collect();
        let last = days.last().map_or(Money::ZERO, |(_, worth)| Money::whole(*worth));
        Outcome { quotes: 9, days: points(days), curve: points(curve), ..nothing_yet(last) }
    }

    #[test]
    fn what_a_try_left_open_ends_with_it() {
        let open = Trade {
            position: PositionId(1),
            side: Side::Buy,
            lots: Lots::whole(1),
            opened_at: hour(5),
            open_price: Price::whole(1),
            closed: None,
            left_at: None,
            commission: Money::ZERO,
            swap: Money::ZERO,
        };
        let first = Outcome { trades: vec![open], ..tried(&[(0, 100), (10, 101)], &[(10, 101)]) };
        let mut whole = nothing_yet(Money::whole(100));
        stitch(&mut whole, first);
        stitch(&mut whole, tried(&[(10, 101), (20, 101)], &[(20, 101)]));
        assert_eq!(whole.trades[0].left_at, Some(hour(10)));
        // Five hours of twenty, not fifteen.
        assert_eq!(Measured::of(&whole).statistics().exposure, Some(0.25));
    }

    #[test]
    fn a_day_in_which_two_tries_meet_is_one_day() {
        let mut whole = nothing_yet(Money::whole(100));
        stitch(&mut whole, tried(&[(0, 100)], &[(23, 101), (30, 102)]));
        stitch(&mut whole, tried(&[(31, 102)], &[(47, 103), (71, 104)]));
        stitch(&mut whole, tried(&[(72, 104)], &[(95, 105)]));
        let days: Vec<i64> = whole.days.iter().map(|(at, _)| at.0 / HOUR_MS).collect();
        assert_eq!(days, [23, 47, 71, 95]);
        assert_eq!(whole.equity, Money::whole(105));
        // A try in which nothing was recorded changes nothing.
        stitch(&mut whole, nothing_yet(Money::whole(105)));
        assert_eq!((whole.days.len(), whole.equity), (4, Money::whole(105)));
    }

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
