//! Figures worked out by hand, and those of another library.

use super::*;
use crate::backtest::outcome::Exit;
use marque_domain::{
    fixed::{Lots, Price},
    id::PositionId,
    order::{Origin, Side},
    time::HOUR_MS,
};
use proptest::prelude::*;

/// 2014-05-01, a Thursday.
const THURSDAY: i64 = 1_398_902_400_000;

fn near(got: Option<f64>, want: f64) {
    let got = got.unwrap_or_else(|| panic!("none instead of {want}"));
    assert!((got - want).abs() <= want.abs() * 1e-9 + 1e-12, "{got} instead of {want}");
}

fn money(list: &[i64]) -> Vec<Money> {
    list.iter().map(|amount| Money::whole(*amount)).collect()
}

/// Equity at 21:00 on consecutive days from Monday to Friday.
fn weekdays(equities: &[i64]) -> Vec<(Millis, Money)> {
    let days = (0..).map(|day| Millis(THURSDAY + day * DAY_MS + 21 * HOUR_MS)).filter(|at| !is_weekend(*at));
    days.zip(money(equities)).collect()
}

fn trade(opened_h: i64, closed_h: Option<i64>, gross: i64, commission: i64, swap: i64) -> Trade {
    Trade {
        position: PositionId(opened_h + 1),
        side: Side::Buy,
        lots: Lots::whole(1),
        opened_at: Millis(THURSDAY + opened_h * HOUR_MS),
        open_price: Price::whole(1),
        closed: closed_h.map(|hour| Exit {
            at: Millis(THURSDAY + hour * HOUR_MS),
            price: Price::whole(1),
            gross: Money::whole(gross),
            origin: Origin::Strategy,
        }),
        left_at: None,
        commission: Money::whole(commission),
        swap: Money::whole(swap),
    }
}

/// The series and the answers of PyPI `empyrical-reloaded` 0.7.1 (NumPy 2.4.6), run once:
/// `sharpe_ratio(r)`, `sortino_ratio(r)`, `max_drawdown(r)`, `cum_returns_final(r)` with their defaults, which are a
/// risk-free rate of 0 and 252 days.
#[test]
fn another_library_says_the_same() {
    let equities = [
        10_120, 10_085, 10_240, 10_190, 10_020, 9_905, 9_990, 10_130, 10_310, 10_295, 10_410, 10_380, 10_250, 10_475,
        10_600, 10_555, 10_530, 10_640, 10_720, 10_615, 10_690, 10_805,
    ];
    let (initial, days) = (Money::whole(10_000), weekdays(&equities));
    let returns = daily_returns(initial, &days);
    assert_eq!(returns.len(), 22);
    near(sharpe(&returns), 5.215090983490322);
    near(sortino(&returns), 9.853457567815225);
    near(Some(drawdown(initial, Millis(THURSDAY), days.clone()).share), 0.03271484374999981);
    near(total_return(initial, Money::whole(10_805)), 0.0804999999999998);
    near(sharpe(&[0.01, -0.02, 0.03]), 4.205259864302774);
    near(sortino(&[0.01, -0.02, 0.03]), 9.165151389911678);
}

#[test]
fn ratios_by_hand() {
    // Mean 0.02, deviations ±0.01: stdev √(0.0002/1) = 0.0141421356; 0.02/0.0141421356·√252.
    near(sharpe(&[0.01, 0.03]), 2.0_f64.sqrt() * 252.0_f64.sqrt());
    // Mean 0.005; downside √(0.01²/2).
    near(sortino(&[0.02, -0.01]), 0.005 / (0.0001_f64 / 2.0).sqrt() * 252.0_f64.sqrt());
    let year = 31_556_952_000;
    let growth: &[(i64, i64, i64, f64)] = &[
        (100, 200, year, 1.0),
        (100, 121, 2 * year, 0.1),
        (100, 50, year, -0.5),
        (100, 0, year, -1.0),
        (100, -40, year, -1.0),
    ];
    for (from, to, span, want) in growth {
        near(cagr(Money::whole(*from), Money::whole(*to), *span), *want);
    }
    near(calmar(0.3, 0.15), 2.0);
}

#[test]
fn what_cannot_be_computed_is_none() {
    for returns in [&[][..], &[0.01], &[0.01, 0.01], &[0.1, 0.1, 0.1]] {
        assert_eq!(sharpe(returns), None, "{returns:?}");
    }
    for returns in [&[][..], &[-0.01], &[0.0, 0.02]] {
        assert_eq!(sortino(returns), None, "{returns:?}");
    }
    assert_eq!(cagr(Money::whole(100), Money::whole(101), CAGR_SPAN_MIN_MS - 1), None);
    assert_eq!(cagr(Money::ZERO, Money::whole(101), CAGR_SPAN_MIN_MS), None);
    // Ten thousand times in a week is no number per year.
    assert_eq!(cagr(Money::from_units(1), Money::whole(10_000_000_000), CAGR_SPAN_MIN_MS), None);
    assert_eq!(total_return(Money::ZERO, Money::whole(1)), None);
    assert_eq!(calmar(0.3, 0.0), None);
    for nets in [&[][..], &[5], &[5, 0]] {
        let nets = money(nets);
        assert_eq!((profit_factor(&nets), expectancy(&nets)), (None, None), "{nets:?}");
    }
    assert_eq!((win_rate(&[]), average_trade(&[])), (None, None));
    assert_eq!(exposure(&[], Millis(0), Millis(0)), None);
}

#[test]
fn trades_by_hand() {
    // Two winners of 30 and 10, two losers of 15 and 5, one that broke even.
    let nets = money(&[30, -15, 10, 0, -5]);
    near(win_rate(&nets), 0.4);
    near(profit_factor(&nets), 2.0);
    assert_eq!(average_trade(&nets), Some(Money::whole(4)));
    // 4 a trade, 10 an average loser.
    near(expectancy(&nets), 0.4);
    let lost = money(&[-3]);
    near(profit_factor(&lost), 0.0);
    near(expectancy(&lost), -1.0);
    near(win_rate(&lost), 0.0);
}

#[test]
fn a_weekend_is_no_day_unless_the_test_ends_on_it() {
    let day = |number: i64, equity: i64| (Millis(THURSDAY + number * DAY_MS), Money::whole(equity));
    let week = [day(0, 1), day(1, 2), day(2, 3), day(3, 4), day(4, 5)];
    assert_eq!(trading_days(&week), money(&[1, 2, 5]));
    assert_eq!(trading_days(&week[..4]), money(&[1, 2, 4]));
    assert_eq!(trading_days(&[]), []);
    // Nothing is left on the second day: there is no return on nothing.
    assert_eq!(daily_returns(Money::whole(10), &weekdays(&[5, 0, 7])), [-0.5, -1.0]);
}

#[test]
fn drawdowns_by_hand() {
    let path = |equities: &[i64]| equities.iter().zip(1..).map(|(e, at)| (Millis(at), Money::whole(*e))).collect();
    let of = |equities: &[i64]| {
        let path: Vec<_> = path(equities);
        let d = drawdown(Money::whole(100), Millis(0), path);
        let amount = d.amount.units() / 100_000_000;
        (
            amount,
            (d.share * 1000.0).round() as i64,
            d.peak_at.0,
            d.trough_at.0,
            d.recovered_at.map(|m| m.0),
            d.longest_ms,
        )
    };
    // Amount, thousandths, peak, trough, recovery, longest.
    assert_eq!(of(&[]), (0, 0, 0, 0, None, 0));
    assert_eq!(of(&[100, 110, 120]), (0, 0, 0, 0, None, 0));
    assert_eq!(of(&[90, 100]), (10, 100, 0, 1, Some(2), 2));
    assert_eq!(of(&[120, 90, 96, 130]), (30, 250, 1, 2, Some(4), 3));
    // The deeper by share is the first, although the second is more money.
    assert_eq!(of(&[50, 100, 400, 320, 400]), (50, 500, 0, 1, Some(2), 2));
    // It never came back: the longest lasts to the end.
    assert_eq!(of(&[120, 110, 115, 60, 119]), (60, 500, 1, 4, None, 4));
    // Total loss, and beyond.
    assert_eq!(of(&[0]), (100, 1_000, 0, 1, None, 1));
    assert_eq!(of(&[-50]), (150, 1_500, 0, 1, None, 1));
}

#[test]
fn exposure_counts_time_once() {
    let at = |hour: i64| Millis(THURSDAY + hour * HOUR_MS);
    // 0–2 and 1–3 overlap; 8 to the end is open.
    let trades = [trade(0, Some(2), 1, 0, 0), trade(1, Some(3), 1, 0, 0), trade(8, None, 0, 0, 0)];
    near(exposure(&trades, at(0), at(10)), 0.5);
    near(exposure(&[], at(0), at(10)), 0.0);
    // Left behind at 4, while the test went on to 10.
    let left = Trade { left_at: Some(at(4)), ..trade(3, None, 0, 0, 0) };
    near(exposure(&[left], at(0), at(10)), 0.1);
}

#[test]
fn a_whole_test() {
    let trades = vec![trade(0, Some(24), 120, 10, -5), trade(24, Some(48), -60, 10, 0), trade(90, None, 0, 5, 2)];
    let days = weekdays(&[1_105, 1_035, 1_050]);
    let outcome = Outcome {
        initial: Money::whole(1_000),
        balance: Money::whole(1_032),
        equity: Money::whole(1_050),
        quotes: 10,
        bars: 3,
        trades,
        trades_dropped: 0,
        refused: 0,
        faults: 0,
        first_fault: None,
        host_faults: 0,
        curve: vec![(Millis(THURSDAY), Money::whole(1_000))],
        days,
    };
    let got = Measured::of(&outcome).statistics();
    assert_eq!(got.net_profit, Money::whole(50));
    assert_eq!((got.trades, got.commission, got.swap), (2, Money::whole(25), Money::whole(-3)));
    assert_eq!((got.best_trade, got.worst_trade), (Some(Money::whole(105)), Some(Money::whole(-70))));
    assert_eq!(got.average_trade, Some(Money::from_units(1_750_000_000)));
    near(got.profit_factor, 1.5);
    near(got.expectancy, 0.25);
    assert_eq!((got.drawdown.amount, got.cagr, got.calmar), (Money::whole(70), None, None));
    // Thursday 00:00 to Monday 21:00 are 117 hours; 48 of two trades and 27 of the open one.
    near(got.exposure, 75.0 / 117.0);
}

#[test]
fn no_trades_is_a_result_too() {
    let outcome = Outcome {
        initial: Money::whole(1_000),
        balance: Money::whole(1_000),
        equity: Money::whole(1_000),
        quotes: 0,
        bars: 0,
        trades: Vec::new(),
        trades_dropped: 0,
        refused: 0,
        faults: 0,
        first_fault: None,
        host_faults: 0,
        curve: Vec::new(),
        days: Vec::new(),
    };
    let got = Measured::of(&outcome).statistics();
    assert_eq!((got.trades, got.net_profit, got.sharpe, got.exposure), (0, Money::ZERO, None, None));
    assert_eq!((got.drawdown.amount, got.drawdown.longest_ms, got.total_return), (Money::ZERO, 0, Some(0.0)));
}

proptest! {
    #[test]
    fn any_history_has_figures_that_are_numbers(
        initial in 1..i64::MAX / 4,
        steps in prop::collection::vec(i64::MIN / 4..i64::MAX / 4, 0..40),
        nets in prop::collection::vec(any::<i64>(), 0..40),
    ) {
        let days: Vec<_> = steps.iter().zip(0..).map(|(e, day)| (Millis(THURSDAY + day * DAY_MS), Money::from_units(*e))).collect();
        let nets: Vec<Money> = nets.into_iter().map(Money::from_units).collect();
        let (initial, last) = (Money::from_units(initial), days.last().map_or(Money::ZERO, |d| d.1));
        let returns = daily_returns(initial, &days);
        let fall = drawdown(initial, Millis(THURSDAY), days.clone());
        let all = [sharpe(&returns), sortino(&returns), cagr(initial, last, 400 * DAY_MS), Some(fall.share), win_rate(&nets), profit_factor(&nets), expectancy(&nets)];
        prop_assert!(all.iter().flatten().all(|figure| figure.is_finite()), "{all:?}");
        prop_assert!(fall.amount >= Money::ZERO && fall.longest_ms >= 0);
        prop_assert!(fall.peak_at <= fall.trough_at && fall.recovered_at.is_none_or(|at| at > fall.trough_at));
    }
}
