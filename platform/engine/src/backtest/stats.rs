//! The usual figures of a backtest, each with its formula and where it comes from. `FIGURES.md` has them in one table.
//!
//! Integers in. Sums of money stay integers; only ratios are floats, they are made here, at the end, for people to read and
//! to rank by, and nothing of the execution path ever sees one.
//!
//! **Returns** are simple and daily: `r = equity at the day's last quote / equity at that of the day before − 1`, the first
//! day's against the initial balance. A day is a UTC day from Monday to Friday; what a market shows on Saturday and Sunday
//! counts into the Monday after, so that the two hours of a Sunday evening are no day of their own. **Annualised** is with
//! 252 days a year. **Risk-free** is 0: an account for contracts for difference earns no interest. Standard deviations are of
//! samples (`n − 1`).
//!
//! Equity is looked at 4,000 times over a test, at each day's end, and at its beginning and end. What happens between two
//! looks, the drawdown does not see.

use super::outcome::{Outcome, Trade};
use marque_domain::{
    fixed::Money,
    time::{DAY_MS, Millis},
};
use serde::{Deserialize, Serialize};

/// Trading days in a year.
pub const DAYS_A_YEAR: f64 = 252.0;
/// A year of the Gregorian calendar on average, in milliseconds: 365.2425 days.
const YEAR_MS: f64 = 365.2425 * 86_400_000.0;
/// Shortest test that has a rate per year: from less, it would only be noise to a large power.
pub const CAGR_SPAN_MIN_MS: i64 = 7 * DAY_MS;

/// The figures. What cannot be computed is none, never zero: no trades, nothing that varies, no losses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Equity at the end less the initial balance.
    pub net_profit: Money,
    /// See [`total_return`].
    pub total_return: Option<f64>,
    /// See [`cagr`].
    pub cagr: Option<f64>,
    /// See [`sharpe`].
    pub sharpe: Option<f64>,
    /// See [`sortino`].
    pub sortino: Option<f64>,
    /// See [`calmar`].
    pub calmar: Option<f64>,
    /// See [`drawdown`].
    pub drawdown: Drawdown,
    /// Closed trades.
    pub trades: u64,
    /// See [`win_rate`].
    pub win_rate: Option<f64>,
    /// See [`profit_factor`].
    pub profit_factor: Option<f64>,
    /// See [`average_trade`].
    pub average_trade: Option<Money>,
    /// See [`expectancy`].
    pub expectancy: Option<f64>,
    /// What the best closed trade earned.
    pub best_trade: Option<Money>,
    /// What the worst closed trade earned.
    pub worst_trade: Option<Money>,
    /// See [`exposure`].
    pub exposure: Option<f64>,
    /// What all trades were charged, as a positive amount.
    pub commission: Money,
    /// What nights earned, or cost when negative.
    pub swap: Money,
}

/// The deepest fall from a peak of equity, and the longest time below one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// How far the deepest went below its peak, as a positive amount.
    pub amount: Money,
    /// The same as a share of the peak, 0 to 1; above 1 when equity went below zero.
    pub share: f64,
    /// When the deepest began: the last time at its peak.
    pub peak_at: Millis,
    /// When it was deepest.
    pub trough_at: Millis,
    /// When equity was back at its peak; none when it never was.
    pub recovered_at: Option<Millis>,
    /// The longest time from a peak until equity was back at it, or to the end of the test.
    pub longest_ms: i64,
}

/// A test as the figures see it.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// When the first quote came.
    pub began_at: Millis,
    /// When the last quote came.
    pub ended_at: Millis,
    /// What came of it.
    pub outcome: &'a Outcome,
}

impl<'a> Measured<'a> {
    /// An outcome, from its first look at equity to its last.
    #[must_use]
    pub fn of(outcome: &'a Outcome) -> Self {
        let times = || outcome.curve.iter().chain(&outcome.days).map(|(at, _)| *at);
        let began_at = times().min().unwrap_or(Millis(0));
        Self { began_at, ended_at: times().max().unwrap_or(began_at), outcome }
    }

    /// All figures.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let outcome = self.outcome;
        let returns = daily_returns(outcome.initial, &outcome.days);
        let nets: Vec<Money> = outcome.trades.iter().filter_map(Trade::net).collect();
        let drawdown = drawdown(outcome.initial, self.began_at, self.path());
        let cagr = cagr(outcome.initial, outcome.equity, self.ended_at.since(self.began_at));
        let sum = |pick: fn(&Trade) -> Money| {
            outcome.trades.iter().fold(Money::ZERO, |sum, trade| sum.saturating_add(pick(trade)))
        };
        Statistics {
            net_profit: outcome.equity.saturating_sub(outcome.initial),
            total_return: total_return(outcome.initial, outcome.equity),
            cagr,
            sharpe: sharpe(&returns),
            sortino: sortino(&returns),
            calmar: cagr.and_then(|cagr| calmar(cagr, drawdown.share)),
            drawdown,
            trades: nets.len() as u64,
            win_rate: win_rate(&nets),
            profit_factor: profit_factor(&nets),
            average_trade: average_trade(&nets),
            expectancy: expectancy(&nets),
            best_trade: nets.iter().max().copied(),
            worst_trade: nets.iter().min().copied(),
            exposure: exposure(&outcome.trades, self.began_at, self.ended_at),
            commission: sum(|trade| trade.commission),
            swap: sum(|trade| trade.swap),
        }
    }

    /// Every look at equity, in the order of time.
    fn path(&self) -> Vec<(Millis, Money)> {
        let mut path = [self.outcome.curve.as_slice(), &self.outcome.days].concat();
        // Stable: where a day's end is a spaced point too, both are the same look.
        path.sort_by_key(|(at, _)| *at);
        path.push((self.ended_at, self.outcome.equity));
        path
    }
}

/// Equity at the ends of days from Monday to Friday. Saturday and Sunday count into the Monday after; where the test ends on
/// one of them, they are its last day.
#[must_use]
pub fn trading_days(days: &[(Millis, Money)]) -> Vec<Money> {
    let last = days.len().saturating_sub(1);
    let counts = |index: usize, at: Millis| index == last || !is_weekend(at);
    days.iter().enumerate().filter(|(index, (at, _))| counts(*index, *at)).map(|(_, (_, equity))| *equity).collect()
}

/// 1970-01-01 was a Thursday.
const fn is_weekend(at: Millis) -> bool {
    matches!(at.0.div_euclid(DAY_MS).rem_euclid(7), 2 | 3)
}

/// Simple returns from day to day, the first against the initial balance. They end with a day that begins at nothing or
/// less: there is no return on it.
#[must_use]
pub fn daily_returns(initial: Money, days: &[(Millis, Money)]) -> Vec<f64> {
    let mut before = initial;
    let step = |equity: Money| {
        let from = core::mem::replace(&mut before, equity);
        (from > Money::ZERO).then(|| ratio(equity, from) - 1.0)
    };
    trading_days(days).into_iter().map_while(step).collect()
}

/// `final equity / initial balance − 1`. None without an initial balance.
#[must_use]
pub fn total_return(initial: Money, equity: Money) -> Option<f64> {
    (initial > Money::ZERO).then(|| ratio(equity, initial) - 1.0)
}

/// Compound annual growth rate: `(final equity / initial balance)^(1 / years) − 1`, a year of 365.2425 days of calendar
/// time. −1 when nothing is left. None for less than [`CAGR_SPAN_MIN_MS`].
///
/// The geometric mean rate of return: CFA Institute, *Global Investment Performance Standards*.
#[must_use]
pub fn cagr(initial: Money, equity: Money, span_ms: i64) -> Option<f64> {
    if initial <= Money::ZERO || span_ms < CAGR_SPAN_MIN_MS {
        return None;
    }
    let grown = ratio(equity, initial).max(0.0).powf(YEAR_MS / span_ms as f64) - 1.0;
    grown.is_finite().then_some(grown)
}

/// Sharpe ratio: `mean(r) / stdev(r) · √252` over daily returns, with a risk-free rate of 0. None for fewer than two days or
/// where returns do not vary.
///
/// W. F. Sharpe: *The Sharpe Ratio*, The Journal of Portfolio Management 21(1), 1994.
#[must_use]
pub fn sharpe(returns: &[f64]) -> Option<f64> {
    if returns.len() < 2 {
        return None;
    }
    let mean = mean(returns);
    let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
    let deviation = (squares / (returns.len() - 1) as f64).sqrt();
    over(mean, deviation)
}

/// Sortino ratio: `mean(r) / √(Σ min(r, 0)² / n) · √252` over daily returns, with a minimal acceptable return of 0. `n` counts
/// every day, not only those that lost. None for fewer than two days or where no day lost.
///
/// F. A. Sortino, R. van der Meer: *Downside Risk*, The Journal of Portfolio Management 17(4), 1991.
#[must_use]
pub fn sortino(returns: &[f64]) -> Option<f64> {
    if returns.len() < 2 {
        return None;
    }
    let squares: f64 = returns.iter().map(|r| r.min(0.0).powi(2)).sum();
    over(mean(returns), (squares / returns.len() as f64).sqrt())
}

/// Calmar ratio: compound annual growth rate over maximum drawdown, both of the whole test (the original takes 36 months).
/// None without a drawdown.
///
/// T. W. Young: *Calmar Ratio: A Smoother Tool*, Futures 20(1), 1991.
#[must_use]
pub fn calmar(cagr: f64, drawdown_share: f64) -> Option<f64> {
    (drawdown_share > 0.0).then(|| cagr / drawdown_share)
}

/// The deepest fall from a peak, by its share of the peak, over looks at equity in the order of time; the initial balance is
/// the first peak.
///
/// M. Magdon-Ismail, A. F. Atiya: *Maximum Drawdown*, Risk 17(10), 2004.
#[must_use]
pub fn drawdown(initial: Money, began_at: Millis, path: impl IntoIterator<Item = (Millis, Money)>) -> Drawdown {
    let mut deepest = Deepest { peak: initial, peak_at: began_at, fall: Money::ZERO, trough_at: began_at };
    let (mut peak, mut peak_at, mut now) = (initial, began_at, began_at);
    let (mut recovered_at, mut longest_ms, mut under) = (None, 0, false);
    for (at, equity) in path {
        now = at;
        if equity < peak {
            under = true;
            let fall = peak.saturating_sub(equity);
            if deepest.is_shallower(fall, peak) {
                (deepest, recovered_at) = (Deepest { peak, peak_at, fall, trough_at: at }, None);
            }
            continue;
        }
        if under {
            longest_ms = longest_ms.max(at.since(peak_at));
            if deepest.peak_at == peak_at && deepest.fall > Money::ZERO {
                recovered_at = Some(at);
            }
        }
        (peak, peak_at, under) = (equity, at, false);
    }
    if under {
        longest_ms = longest_ms.max(now.since(peak_at));
    }
    let share = if deepest.peak > Money::ZERO { ratio(deepest.fall, deepest.peak) } else { 0.0 };
    let Deepest { peak_at, fall: amount, trough_at, .. } = deepest;
    Drawdown { amount, share, peak_at, trough_at, recovered_at, longest_ms }
}

/// The deepest fall so far.
struct Deepest {
    peak: Money,
    peak_at: Millis,
    fall: Money,
    trough_at: Millis,
}

impl Deepest {
    /// By share, without dividing: `self.fall / self.peak < fall / peak`.
    fn is_shallower(&self, fall: Money, peak: Money) -> bool {
        let product = |a: Money, b: Money| i128::from(a.units()) * i128::from(b.units().max(0));
        product(self.fall, peak) < product(fall, self.peak)
    }
}

/// Share of closed trades that earned anything after costs. None without trades.
#[must_use]
pub fn win_rate(nets: &[Money]) -> Option<f64> {
    let won = nets.iter().filter(|net| **net > Money::ZERO).count();
    (!nets.is_empty()).then(|| won as f64 / nets.len() as f64)
}

/// Profit factor: what winning trades earned over what losing trades lost, after costs. None where none lost.
///
/// J. D. Schwager: *Schwager on Futures: Technical Analysis*, Wiley 1996.
#[must_use]
pub fn profit_factor(nets: &[Money]) -> Option<f64> {
    let (won, lost) = won_and_lost(nets);
    (lost > 0).then(|| won as f64 / lost as f64)
}

/// What a closed trade earned on average, after costs, cut to 1e-8. None without trades.
#[must_use]
pub fn average_trade(nets: &[Money]) -> Option<Money> {
    let sum: i128 = nets.iter().map(|net| i128::from(net.units())).sum();
    let average = sum.checked_div(nets.len() as i128)?;
    i64::try_from(average).ok().map(Money::from_units)
}

/// Expectancy: the average trade as a multiple of the average losing trade, which stands for what was at risk (1R). 0.2
/// says: each trade earned a fifth of what a losing one costs. None where none lost.
///
/// V. K. Tharp: *Trade Your Way to Financial Freedom*, McGraw-Hill 1998.
#[must_use]
pub fn expectancy(nets: &[Money]) -> Option<f64> {
    let losers = nets.iter().filter(|net| **net < Money::ZERO).count();
    let (won, lost) = won_and_lost(nets);
    let average = (won - lost) as f64 / nets.len() as f64;
    (losers > 0).then(|| average / (lost as f64 / losers as f64))
}

/// Share of the test's time with at least one open position. One that is open at the end, or was left behind, counts up to then.
#[must_use]
pub fn exposure(trades: &[Trade], began_at: Millis, ended_at: Millis) -> Option<f64> {
    let span = ended_at.since(began_at);
    let end = |trade: &Trade| trade.closed.map_or(trade.left_at.unwrap_or(ended_at), |exit| exit.at);
    let mut spans: Vec<(i64, i64)> = trades.iter().map(|trade| (trade.opened_at.0, end(trade).0)).collect();
    spans.sort_unstable();
    let (mut held, mut until) = (0, began_at.0);
    for (from, to) in spans {
        held += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    (span > 0).then(|| held as f64 / span as f64)
}

fn won_and_lost(nets: &[Money]) -> (i128, i128) {
    let sum = |sign: i128| nets.iter().map(|net| (i128::from(net.units()) * sign).max(0)).sum();
    (sum(1), sum(-1))
}

fn ratio(part: Money, whole: Money) -> f64 {
    part.units() as f64 / whole.units() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A daily ratio, annualised; none where what it is divided by is nothing. Returns that are all the same still differ from
/// their mean by a rounding error, which is no deviation.
fn over(mean: f64, deviation: f64) -> Option<f64> {
    (deviation > 1e-12).then(|| mean / deviation * DAYS_A_YEAR.sqrt())
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
