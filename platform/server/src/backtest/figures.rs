//! The figures of a test as people read them: names, plain words, and how each number is written.

use marque_domain::{
    fixed::{Money, SCALE, round_div},
    instrument::Currency,
    time::{DAY_MS, HOUR_MS, MINUTE_MS},
};
use marque_engine::backtest::Statistics;

/// A figure's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An amount that was earned or lost.
    Change(Money),
    /// An amount that was paid or fallen, as a positive number.
    Cost(Money),
    /// A share that was earned or lost.
    ChangeShare(f64),
    /// A share, 0 to 1.
    Share(f64),
    /// A share that was lost, as a positive number.
    Loss(f64),
    /// A ratio.
    Ratio(f64),
    /// A count.
    Count(u64),
    /// A length of time, in milliseconds.
    Span(i64),
}

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FigureRow {
    /// Its stable name.
    pub key: &'static str,
    /// What it is called and what it says.
    pub words: Words,
    /// Its number; none when there is none to be had.
    pub number: Option<Number>,
}

/// Every figure, in the order in which they are read.
#[must_use]
pub fn figures(of: &Statistics) -> Vec<FigureRow> {
    let fall = of.drawdown;
    [
        ("net_profit", Some(Number::Change(of.net_profit))),
        ("total_return", of.total_return.map(Number::ChangeShare)),
        ("drawdown", Some(Number::Loss(fall.share))),
        ("sharpe", of.sharpe.map(Number::Ratio)),
        ("trades", Some(Number::Count(of.trades))),
        ("win_rate", of.win_rate.map(Number::Share)),
        ("profit_factor", of.profit_factor.map(Number::Ratio)),
        ("average_trade", of.average_trade.map(Number::Change)),
        ("expectancy", of.expectancy.map(Number::Ratio)),
        ("cagr", of.cagr.map(Number::ChangeShare)),
        ("sortino", of.sortino.map(Number::Ratio)),
        ("calmar", of.calmar.map(Number::Ratio)),
        ("drawdown_length", Some(Number::Span(fall.longest_ms))),
        ("exposure", of.exposure.map(Number::Share)),
        ("best_trade", of.best_trade.map(Number::Change)),
        ("worst_trade", of.worst_trade.map(Number::Change)),
        ("commission", Some(Number::Cost(of.commission))),
        ("swap", Some(Number::Change(of.swap))),
    ]
    .into_iter()
    .map(|(key, number)| FigureRow { key, words: words(key), number })
    .collect()
}

impl Number {
    /// As plain text.
    #[must_use]
    pub fn text(self, currency: Currency) -> String {
        match self {
            Self::Change(amount) | Self::Cost(amount) => format!("{:.2} {currency}", to_cents(amount)),
            Self::ChangeShare(share) | Self::Share(share) => percent(share),
            Self::Loss(share) => percent(-share),
            Self::Ratio(ratio) => format!("{ratio:.2}"),
            Self::Count(count) => count.to_string(),
            Self::Span(ms) => span(ms),
        }
    }
}

/// To two digits after the point: an average has more.
fn to_cents(amount: Money) -> Money {
    const CENT: i64 = SCALE / 100;
    let cents = round_div(i128::from(amount.units()), i128::from(CENT));
    cents.map_or(amount, |cents| Money::from_units(cents.saturating_mul(CENT)))
}

/// A share in percent, with two digits after the point; no minus before nothing.
#[must_use]
pub fn percent(share: f64) -> String {
    let text = format!("{:.2} %", share * 100.0);
    if text == "-0.00 %" { "0.00 %".to_owned() } else { text }
}

/// A length of time in its two largest units.
#[must_use]
pub fn span(ms: i64) -> String {
    let (days, hours, minutes) = (ms / DAY_MS, ms % DAY_MS / HOUR_MS, ms % HOUR_MS / MINUTE_MS);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A figure in words: what it is called, what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What it is called.
    pub name: &'static str,
    /// What it says, for a trader.
    pub text: &'static str,
}

macro_rules! words {
    ($($key:literal, $name:literal, $text:literal;)*) => {
        /// What each figure says in plain words.
        #[must_use]
        pub fn words(key: &str) -> Words {
            match key {
                $($key => Words { name: $name, text: $text },)*
                _ => Words { name: "", text: "" },
            }
        }

        /// The figures that have words.
        pub const KEYS: &[&str] = &[$($key,)*];
    };
}

words! {
    "net_profit", "Net profit", "What the account earned in all, after costs. Open positions count at their last price.";
    "total_return", "Return", "Net profit as a share of the money the test began with.";
    "cagr", "Yearly growth", "The steady yearly rate that leads from the beginning to the end (CAGR). Over a few weeks it says little.";
    "sharpe", "Sharpe", "Average daily return against how much it swings, per year. Above 1 is good, above 2 is rare for long.";
    "sortino", "Sortino", "As Sharpe, but only losing days count as swings.";
    "calmar", "Calmar", "Yearly growth against the deepest fall. Below 1 the fall was larger than a year's growth.";
    "drawdown", "Deepest fall", "The largest drop from a peak of equity to the low after it: the worst that a holder sat through.";
    "drawdown_length", "Longest under water", "The longest time from a peak until equity was back there.";
    "trades", "Trades", "Closed positions. With fewer than about 30, chance explains most of the other figures.";
    "win_rate", "Winners", "Share of trades that earned anything after costs. High is not good by itself: look at the average.";
    "profit_factor", "Profit factor", "What winners earned for each unit that losers lost. Above 1 earns.";
    "average_trade", "Average trade", "What one trade earned on average, after costs. It must stand well above what you pay to trade.";
    "expectancy", "Expectancy", "The average trade as a multiple of the average loser: what each unit at risk brought.";
    "best_trade", "Best trade", "If it is a large part of the profit, the rest is thin.";
    "worst_trade", "Worst trade", "The largest loss of one trade.";
    "exposure", "In the market", "Share of the time with an open position.";
    "commission", "Commission", "What trades were charged.";
    "swap", "Swap", "What holding positions overnight earned, or cost.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_words_and_numbers_read_well() {
        for key in KEYS {
            assert!(!words(key).name.is_empty() && !words(key).text.is_empty(), "{key}");
        }
        let table = [
            (Number::Change(Money::whole(-12)), "-12.00 USD"),
            (Number::Change(Money::from_units(-108_330_000)), "-1.08 USD"),
            (Number::Loss(0.0321), "-3.21 %"),
            (Number::Loss(0.0), "0.00 %"),
            (Number::Share(1.0), "100.00 %"),
            (Number::Ratio(1.234), "1.23"),
            (Number::Span(59_999), "0 min"),
            (Number::Span(90 * MINUTE_MS), "1 h 30 min"),
            (Number::Span(25 * HOUR_MS), "1 d 1 h"),
        ];
        for (number, text) in table {
            assert_eq!(number.text(Currency::USD), text);
        }
    }
}
