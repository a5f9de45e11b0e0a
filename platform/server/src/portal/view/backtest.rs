//! Backtests: the list, the form, the report.

mod report;

use super::{
    Page,
    component::{Badge, Banner, Field, FieldKind, Link, Pager, Setting, Tone},
    deploy::StrategyCard,
    figure::{Clock, Figure, When},
    row::SideView,
};
use crate::backtest::{
    Rank, Source, Spec,
    figures::{self, Number},
};
use marque_engine::backtest::Statistics;
use marque_store::{Backtest, BacktestStatus};
use serde::Serialize;

/// A backtest in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestRow {
    /// The strategy.
    pub strategy: String,
    /// On what.
    pub on: String,
    /// One run or many, in words.
    pub kind: &'static str,
    /// The report.
    pub href: String,
    /// Where it is.
    pub status: Badge,
    /// When it was asked for.
    pub at: When,
    /// What it earned, when it is done.
    pub net: Option<Figure>,
    /// Its deepest fall.
    pub fall: Option<Figure>,
    /// Its trades.
    pub trades: Option<String>,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestList {
    /// Newest first.
    pub rows: Vec<BacktestRow>,
    /// The way to a new one, for who may.
    pub start: Option<String>,
    /// Neighbouring pages.
    pub pager: Pager,
    /// The zone of its times.
    pub zone: String,
}

impl Page for BacktestList {
    const TEMPLATE: &'static str = "backtests";
}

/// The form that starts one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestForm {
    /// The strategies to choose from.
    pub strategies: Vec<StrategyCard>,
    /// The one being tested.
    pub strategy: String,
    /// What, on which bars, from which recording, from when to when.
    pub market: Vec<Field>,
    /// The strategy's settings.
    pub settings: Vec<Field>,
    /// The account and what trading costs.
    pub terms: Vec<Field>,
    /// Many settings instead of one.
    pub search: Vec<Field>,
    /// What is recorded, a line each.
    pub recorded: Vec<String>,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the form.
    pub csrf: String,
}

impl BacktestForm {
    /// The field that chooses a recording.
    #[must_use]
    pub fn source_field(chosen: &str) -> Field {
        let words = |source: Source| match source {
            Source::Ticks => "Recorded quotes",
            Source::Minutes => "Recorded minutes",
            Source::Synthetic => "The made-up market",
        };
        let choices = Source::ALL.map(|source| (source.name(), words(source)));
        Field::new(FieldKind::Select, "source", "Prices").value(chosen).choices(choices)
    }

    /// The field that chooses what settings are ranked by.
    #[must_use]
    pub fn rank_field(chosen: &str) -> Field {
        let choices = Rank::ALL.map(|rank| (rank.name(), rank_words(rank)));
        Field::new(FieldKind::Select, "rank", "Rank by").value(chosen).choices(choices)
    }
}

impl Page for BacktestForm {
    const TEMPLATE: &'static str = "backtest-form";
}

/// What settings are ranked by, in words.
#[must_use]
pub fn rank_words(rank: Rank) -> &'static str {
    match rank {
        Rank::Drawdown => "Smallest deepest fall",
        other => figures::words(other.name()).name,
    }
}

/// A figure with what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureCard {
    /// Its stable name.
    pub key: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// The number; none when there is none to be had.
    pub figure: Option<Figure>,
    /// What it says.
    pub text: &'static str,
}

/// A curve with what stands beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawing {
    /// The line as an SVG path.
    pub line: String,
    /// The area to the foot or the head.
    pub area: String,
    /// The largest value.
    pub high: String,
    /// The least.
    pub low: String,
    /// All of it in words.
    pub label: String,
}

/// Where a trade began or ended on the price chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spot {
    /// From the left.
    pub x: String,
    /// From the top.
    pub y: String,
    /// `buy`, `sell` or `exit`.
    pub kind: &'static str,
}

/// A trade in the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestTrade {
    /// Which way.
    pub side: SideView,
    /// How much.
    pub lots: String,
    /// When it was opened.
    pub opened_at: When,
    /// At what price.
    pub open_price: String,
    /// When it was closed.
    pub closed_at: Option<When>,
    /// At what price.
    pub close_price: Option<String>,
    /// Who closed it.
    pub closed_by: &'static str,
    /// What it earned after costs.
    pub net: Option<Figure>,
}

/// Settings that were tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriedRow {
    /// Its place, the best is 1.
    pub place: usize,
    /// The settings that were varied.
    pub settings: Vec<Setting>,
    /// What they earned.
    pub net: Option<Figure>,
    /// Sharpe ratio.
    pub sharpe: String,
    /// Profit factor.
    pub profit_factor: String,
    /// Deepest fall.
    pub fall: String,
    /// Trades.
    pub trades: String,
    /// Why there are no figures.
    pub fault: Option<String>,
}

/// A window of a walk-forward.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowRow {
    /// Where settings were chosen.
    pub chosen_from: When,
    /// Where they were tried, from …
    pub tried_from: When,
    /// … to before.
    pub tried_to: When,
    /// Those that were chosen.
    pub settings: Vec<Setting>,
    /// What they earned where they were chosen.
    pub chosen: Figure,
    /// What they earned where they were tried.
    pub tried: Figure,
}

/// The report, or how far it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BacktestPage {
    /// Its id.
    pub id: String,
    /// What was tested on what.
    pub title: String,
    /// Where it is.
    pub status: Badge,
    /// From when to when, on what, in one line.
    pub about: String,
    /// One run or many, in words.
    pub kind: &'static str,
    /// The settings; a sweep's best.
    pub settings: Vec<Setting>,
    /// What went wrong.
    pub banner: Option<Banner>,
    /// Percent that are done, while it waits or runs.
    pub progress: Option<u64>,
    /// Where it is cancelled, while it can be.
    pub cancel: Option<String>,
    /// What came of it.
    pub report: Option<ReportView>,
    /// The zone of its times.
    pub zone: String,
    /// The token of its forms.
    pub csrf: String,
}

impl Page for BacktestPage {
    const TEMPLATE: &'static str = "backtest";
}

/// What came of a backtest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportView {
    /// The figures that stand first.
    pub leading: Vec<FigureCard>,
    /// The others.
    pub figures: Vec<FigureCard>,
    /// Equity.
    pub equity: Option<Drawing>,
    /// How far it is below its peak.
    pub fall: Option<Drawing>,
    /// Price.
    pub price: Option<Drawing>,
    /// Digits after the point in its prices.
    pub digits: usize,
    /// Where trades began and ended on it.
    pub spots: Vec<Spot>,
    /// Candles and trades for the chart.
    pub chart_url: String,
    /// Its bars.
    pub chart_bars: String,
    /// Combinations, best first.
    pub rows: Vec<TriedRow>,
    /// How many there are, and what they are ranked by.
    pub rows_note: String,
    /// Windows, oldest first.
    pub windows: Vec<WindowRow>,
    /// How much of what was earned where settings were chosen was earned where they were tried.
    pub windows_note: String,
    /// Trades, newest first.
    pub trades: Vec<TestTrade>,
    /// How many there are.
    pub trades_note: String,
    /// Orders that were refused and faults, in words.
    pub remarks: Vec<String>,
    /// Files.
    pub files: Vec<Link>,
    /// The certificate, where there is one.
    pub certificate: Option<CertificateView>,
}

/// A certificate in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// Where the file is.
    pub href: String,
    /// What it binds: name and digest.
    pub binds: Vec<Setting>,
    /// The command that checks it.
    pub command: String,
}

/// Where a backtest is.
#[must_use]
pub fn status_badge(status: BacktestStatus) -> Badge {
    match status {
        BacktestStatus::Queued => Badge::new(Tone::Quiet, "Waiting"),
        BacktestStatus::Running => Badge::new(Tone::Accent, "Running"),
        BacktestStatus::Done => Badge::new(Tone::Good, "Done"),
        BacktestStatus::Failed => Badge::new(Tone::Bad, "Failed"),
        BacktestStatus::Cancelled => Badge::new(Tone::Quiet, "Cancelled"),
    }
}

/// One run or many, in words.
#[must_use]
pub fn kind_words(kind: &str) -> &'static str {
    match kind {
        "sweep" => "Many settings",
        "walk_forward" => "Walk-forward",
        _ => "One run",
    }
}

impl BacktestRow {
    /// A row.
    #[must_use]
    pub fn of(backtest: &Backtest, spec: &Spec, clock: &Clock) -> Self {
        let statistics: Option<Statistics> =
            backtest.summary.as_deref().and_then(|summary| serde_json::from_str(summary).ok());
        let statistics = statistics.as_ref();
        Self {
            strategy: spec.strategy.name.clone(),
            on: format!("{} {}", spec.symbol, spec.timeframe),
            kind: kind_words(&backtest.kind),
            href: format!("/backtests/{}", backtest.id),
            status: status_badge(backtest.status),
            at: clock.show(backtest.created_at),
            net: statistics.map(|s| Figure::change(s.net_profit, spec.account.currency)),
            fall: statistics.map(|s| report::shown(Number::Loss(s.drawdown.share), spec.account.currency)),
            trades: statistics.map(|s| s.trades.to_string()),
        }
    }
}
