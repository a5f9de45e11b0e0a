//! How the API shows backtests and what came of them.

use super::{market::Timeframe, number};
use crate::{
    backtest::{Rank, Row, Spec, Window},
    problem::Problem,
};
use marque_domain::{fixed::Money, time::Millis};
use marque_engine::backtest::{self, Statistics};
use marque_store::{Backtest as Stored, BacktestStatus};
use poem_openapi::{Enum, Object, types::Any};
use serde_json::Value;

/// Where a backtest is.
#[derive(Enum)]
#[oai(rename_all = "snake_case", rename = "BacktestStatus")]
pub(super) enum Status {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running,
    /// It has a report.
    Done,
    /// It has none, and `fault` says why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl From<BacktestStatus> for Status {
    fn from(status: BacktestStatus) -> Self {
        match status {
            BacktestStatus::Queued => Self::Queued,
            BacktestStatus::Running => Self::Running,
            BacktestStatus::Done => Self::Done,
            BacktestStatus::Failed => Self::Failed,
            BacktestStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// What combinations are ranked by.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum RankBy {
    /// What was earned.
    NetProfit,
    /// Sharpe ratio.
    Sharpe,
    /// Sortino ratio.
    Sortino,
    /// Calmar ratio.
    Calmar,
    /// Profit factor.
    ProfitFactor,
    /// Expectancy.
    Expectancy,
    /// The smallest maximum drawdown.
    Drawdown,
}

impl From<RankBy> for Rank {
    fn from(rank: RankBy) -> Self {
        match rank {
            RankBy::NetProfit => Self::NetProfit,
            RankBy::Sharpe => Self::Sharpe,
            RankBy::Sortino => Self::Sortino,
            RankBy::Calmar => Self::Calmar,
            RankBy::ProfitFactor => Self::ProfitFactor,
            RankBy::Expectancy => Self::Expectancy,
            RankBy::Drawdown => Self::Drawdown,
        }
    }
}

/// The figures of a test. What cannot be computed is absent. Shares and ratios are plain numbers, 0.05 is 5 %.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Figures {
    /// Equity at the end less the initial balance.
    net_profit: String,
    /// The same as a share of the initial balance.
    total_return: Option<f64>,
    /// Compound annual growth rate.
    cagr: Option<f64>,
    /// Sharpe ratio of daily returns, annualised with 252 days, without a risk-free rate.
    sharpe: Option<f64>,
    /// Sortino ratio, likewise.
    sortino: Option<f64>,
    /// Annual growth over maximum drawdown.
    calmar: Option<f64>,
    /// Maximum drawdown, as a positive amount.
    drawdown: String,
    /// The same as a share of the peak before it.
    drawdown_share: f64,
    /// The longest time below a peak, in milliseconds.
    drawdown_length_ms: i64,
    /// Closed trades.
    trades: u64,
    /// Share of trades that earned anything after costs.
    win_rate: Option<f64>,
    /// What winners earned over what losers lost.
    profit_factor: Option<f64>,
    /// What a trade earned on average, after costs.
    average_trade: Option<String>,
    /// The average trade as a multiple of the average loser.
    expectancy: Option<f64>,
    /// What the best trade earned.
    best_trade: Option<String>,
    /// What the worst trade earned.
    worst_trade: Option<String>,
    /// Share of time with an open position.
    exposure: Option<f64>,
    /// What trades were charged.
    commission: String,
    /// What nights earned, or cost.
    swap: String,
}

impl From<&Statistics> for Figures {
    fn from(of: &Statistics) -> Self {
        Self {
            net_profit: number::money(of.net_profit),
            total_return: of.total_return,
            cagr: of.cagr,
            sharpe: of.sharpe,
            sortino: of.sortino,
            calmar: of.calmar,
            drawdown: number::money(of.drawdown.amount),
            drawdown_share: of.drawdown.share,
            drawdown_length_ms: of.drawdown.longest_ms,
            trades: of.trades,
            win_rate: of.win_rate,
            profit_factor: of.profit_factor,
            average_trade: of.average_trade.map(number::money),
            expectancy: of.expectancy,
            best_trade: of.best_trade.map(number::money),
            worst_trade: of.worst_trade.map(number::money),
            exposure: of.exposure,
            commission: number::money(of.commission),
            swap: number::money(of.swap),
        }
    }
}

/// A backtest.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct Backtest {
    /// Its id: `bkt_…`.
    id: String,
    /// Whose.
    user: String,
    /// `single`, `sweep` or `walk_forward`.
    kind: String,
    /// Where it is.
    status: Status,
    /// How much of it is done, 0 to 1.
    progress: f64,
    /// Why it failed.
    fault: Option<String>,
    /// The strategy's name.
    strategy: String,
    /// The strategy's version.
    version: String,
    /// The strategy's settings.
    settings: Any<Value>,
    /// What it trades.
    instrument: String,
    /// The bars it sees.
    timeframe: Timeframe,
    /// `ticks`, `minutes` or `synthetic`.
    source: String,
    /// From this instant on.
    from: String,
    /// Up to before this one.
    to: String,
    /// What the account began with.
    balance: String,
    /// Its currency.
    currency: String,
    /// When it was asked for.
    created_at: String,
    /// When it ended.
    finished_at: Option<String>,
    /// Its figures, when it is done.
    figures: Option<Figures>,
}

impl Backtest {
    /// As it is stored, so many thousandths done.
    pub fn of(stored: &Stored, done: u64) -> Result<Self, Problem> {
        let spec: Spec = serde_json::from_str(&stored.spec).map_err(|error| Problem::internal(&error))?;
        let figures = stored.summary.as_deref().map(serde_json::from_str::<Statistics>).transpose();
        let figures = figures.map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            id: stored.id.to_string(),
            user: stored.user.to_string(),
            kind: stored.kind.clone(),
            status: stored.status.into(),
            progress: done as f64 / 1_000.0,
            fault: stored.fault.clone(),
            strategy: spec.strategy.name,
            version: spec.strategy.version,
            settings: Any(serde_json::from_str(&spec.strategy.settings).unwrap_or_default()),
            instrument: spec.symbol,
            timeframe: spec.timeframe.into(),
            source: spec.source.name().to_owned(),
            from: spec.from.to_rfc3339(),
            to: spec.to.to_rfc3339(),
            balance: number::money(spec.account.balance),
            currency: spec.account.currency.to_string(),
            created_at: stored.created_at.to_rfc3339(),
            finished_at: stored.finished_at.map(Millis::to_rfc3339),
            figures: figures.as_ref().map(Figures::from),
        })
    }
}

/// A trade of a backtest.
#[derive(Object)]
#[oai(rename = "BacktestTrade", skip_serializing_if_is_none)]
pub(super) struct Trade {
    /// The position.
    position: String,
    /// `buy` or `sell`.
    side: String,
    /// How much it was at its largest.
    lots: String,
    /// When it was opened.
    opened_at: String,
    /// At what price.
    open_price: String,
    /// When it was closed; absent while it is open.
    closed_at: Option<String>,
    /// At what price.
    close_price: Option<String>,
    /// Who closed it.
    closed_by: Option<String>,
    /// What it earned by price alone.
    gross: Option<String>,
    /// What it was charged.
    commission: String,
    /// What its nights earned, or cost.
    swap: String,
    /// What it earned after costs.
    net: Option<String>,
}

impl From<backtest::Trade> for Trade {
    fn from(trade: backtest::Trade) -> Self {
        Self {
            position: trade.position.to_string(),
            side: trade.side.name().to_owned(),
            lots: trade.lots.to_text(2),
            opened_at: trade.opened_at.to_rfc3339(),
            open_price: trade.open_price.to_text(0),
            closed_at: trade.closed.map(|exit| exit.at.to_rfc3339()),
            close_price: trade.closed.map(|exit| exit.price.to_text(0)),
            closed_by: trade.closed.map(|exit| exit.origin.name().to_owned()),
            gross: trade.closed.map(|exit| number::money(exit.gross)),
            commission: number::money(trade.commission),
            swap: number::money(trade.swap),
            net: trade.net().map(number::money),
        }
    }
}

/// Equity at an instant of a backtest.
#[derive(Object)]
#[oai(rename = "BacktestPoint")]
pub(super) struct Point {
    /// When.
    at: String,
    /// Equity.
    equity: String,
}

impl From<(Millis, Money)> for Point {
    fn from((at, equity): (Millis, Money)) -> Self {
        Self { at: at.to_rfc3339(), equity: number::money(equity) }
    }
}

/// Equity over time.
#[derive(Object)]
#[oai(rename = "BacktestEquity")]
pub(super) struct Equity {
    /// Oldest first.
    pub items: Vec<Point>,
}

/// Settings that were tried.
#[derive(Object)]
#[oai(rename = "BacktestCombination", skip_serializing_if_is_none)]
pub(super) struct Combination {
    /// Those that were varied.
    settings: Any<Value>,
    /// Their figures.
    figures: Option<Figures>,
    /// Why they have none.
    fault: Option<String>,
}

impl From<Row> for Combination {
    fn from(row: Row) -> Self {
        Self {
            settings: Any(serde_json::from_str(&row.settings).unwrap_or_default()),
            figures: row.statistics.as_ref().map(Figures::from),
            fault: row.fault,
        }
    }
}

/// All settings that were tried.
#[derive(Object)]
#[oai(rename = "BacktestCombinations")]
pub(super) struct Combinations {
    /// Best first.
    pub items: Vec<Combination>,
}

/// A window of a walk-forward.
#[derive(Object)]
#[oai(rename = "BacktestWindow")]
pub(super) struct WalkWindow {
    /// Settings were chosen from here on.
    chosen_from: String,
    /// And tried from here on.
    tried_from: String,
    /// Up to before here.
    tried_to: String,
    /// Those that were chosen.
    settings: Any<Value>,
    /// Their figures where they were chosen.
    chosen: Figures,
    /// Their figures where they were tried.
    tried: Figures,
}

impl From<Window> for WalkWindow {
    fn from(window: Window) -> Self {
        Self {
            chosen_from: window.chosen_from.to_rfc3339(),
            tried_from: window.tried_from.to_rfc3339(),
            tried_to: window.tried_to.to_rfc3339(),
            settings: Any(serde_json::from_str(&window.settings).unwrap_or_default()),
            chosen: Figures::from(&window.chosen),
            tried: Figures::from(&window.tried),
        }
    }
}

/// All windows.
#[derive(Object)]
#[oai(rename = "BacktestWindows")]
pub(super) struct Windows {
    /// Oldest first.
    pub items: Vec<WalkWindow>,
}
