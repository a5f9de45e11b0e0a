//! From a report to what the page shows of it.

use super::{
    super::{
        component::{Link, settings_list},
        figure::{Clock, Direction, Figure, count, price_text},
    },
    Drawing, FigureCard, ReportView, Spot, TestTrade, TriedRow, WindowRow, rank_words,
};
use crate::backtest::{
    Report, Row, Spec, Window, equity_points,
    figures::{self, FigureRow, Number, percent},
    plot::{Plot, Stands, falls, plot},
};
use marque_domain::{fixed::Money, instrument::Currency, order::Origin};
use marque_engine::backtest::Trade;

/// Trades in the table; the file has all.
const TRADES_SHOWN: usize = 20;
/// Trades on the drawing of the price: the newest.
const SPOTS_TRADES: usize = 200;
/// Combinations on the page; the file and the API have all.
const ROWS_SHOWN: usize = 100;
/// Figures that stand first and large.
const LEADING: usize = 4;
/// The boxes that curves are drawn into.
const EQUITY_BOX: (f64, f64) = (1_000.0, 300.0);
const FALL_BOX: (f64, f64) = (1_000.0, 120.0);
const PRICE_BOX: (f64, f64) = (1_000.0, 320.0);

impl Drawing {
    fn of(drawn: Plot, write: impl Fn(f64) -> String, label: &str) -> Self {
        let (low, high) = (write(drawn.range.0), write(drawn.range.1));
        let label = format!("{label}: lowest {low}, highest {high}");
        Self { line: drawn.line, area: drawn.area, high, low, label }
    }
}

/// A figure's number as the page writes it.
pub(super) fn shown(number: Number, currency: Currency) -> Figure {
    let plain = |digits: String, unit: &str| Figure {
        sign: "",
        digits,
        unit: unit.to_owned(),
        direction: Direction::Plain,
        mark: "",
    };
    let share = |share: f64, sign: &'static str, direction, mark| Figure {
        sign,
        digits: format!("{:.2}", share.abs() * 100.0),
        unit: "%".to_owned(),
        direction,
        mark,
    };
    match number {
        Number::Change(amount) => Figure::change(amount, currency),
        Number::Cost(amount) => Figure::money(amount, currency),
        Number::ChangeShare(of) if of.abs() < 0.000_05 => share(0.0, "", Direction::Flat, ""),
        Number::ChangeShare(of) if of < 0.0 => share(of, "−", Direction::Down, "▼"),
        Number::ChangeShare(of) => share(of, "+", Direction::Up, "▲"),
        Number::Loss(of) if of < 0.000_05 => share(0.0, "", Direction::Plain, ""),
        Number::Loss(of) => share(of, "−", Direction::Plain, ""),
        Number::Share(of) => share(of, "", Direction::Plain, ""),
        Number::Ratio(ratio) => {
            Figure { sign: if ratio < 0.0 { "−" } else { "" }, ..plain(format!("{:.2}", ratio.abs()), "") }
        }
        Number::Count(count) => plain(count.to_string(), ""),
        Number::Span(ms) => plain(figures::span(ms), ""),
    }
}

fn card(row: FigureRow, currency: Currency) -> FigureCard {
    FigureCard {
        key: row.key,
        name: row.words.name,
        figure: row.number.map(|number| shown(number, currency)),
        text: row.words.text,
    }
}

impl ReportView {
    /// A report, without its certificate.
    #[must_use]
    pub fn of(id: &str, spec: &Spec, report: &Report, digits: usize, clock: &Clock) -> Self {
        let currency = spec.account.currency;
        let mut leading: Vec<FigureCard> =
            figures::figures(&report.statistics).into_iter().map(|row| card(row, currency)).collect();
        let figures = leading.split_off(LEADING.min(leading.len()));
        let points = equity_points(report);
        let amount = |value: f64| format!("{value:.0} {currency}");
        let (price, spots) = price(report, digits);
        let all = report.outcome.trades.len();
        let here = format!("/backtests/{id}");
        Self {
            leading,
            figures,
            equity: plot(&points, EQUITY_BOX, Stands::Up).map(|p| Drawing::of(p, amount, "Equity")),
            fall: plot(&falls(&points), FALL_BOX, Stands::Down).map(|p| Drawing::of(p, percent, "Below the peak")),
            price,
            digits,
            spots,
            chart_url: format!("{here}/chart.json"),
            chart_bars: report.chart.name().to_owned(),
            rows: report
                .rows
                .iter()
                .take(ROWS_SHOWN)
                .zip(1..)
                .map(|(row, place)| tried(row, place, currency))
                .collect(),
            rows_note: rows_note(spec, report.rows.len()),
            windows: report.windows.iter().map(|window| window_row(window, currency, clock)).collect(),
            windows_note: windows_note(&report.windows),
            trades: report
                .outcome
                .trades
                .iter()
                .rev()
                .take(TRADES_SHOWN)
                .map(|trade| trade_row(trade, currency, digits, clock))
                .collect(),
            trades_note: format!("{} of {all}, newest first", all.min(TRADES_SHOWN)),
            remarks: remarks(report),
            files: vec![
                Link::new("Trades (CSV)", format!("{here}/trades.csv")),
                Link::new("Equity (CSV)", format!("{here}/equity.csv")),
                Link::new("Report (HTML)", format!("{here}/report.html")),
            ],
            certificate: None,
        }
    }
}

/// The price as a line, with the beginnings and ends of trades on it.
fn price(report: &Report, digits: usize) -> (Option<Drawing>, Vec<Spot>) {
    let scale = marque_domain::fixed::SCALE as f64;
    let points: Vec<(i64, f64)> = report.candles.iter().map(|c| (c.at, c.close as f64 / scale)).collect();
    let Some(drawn) = plot(&points, PRICE_BOX, Stands::Up) else { return (None, Vec::new()) };
    let (first, last) = (points.first().map_or(0, |p| p.0), points.last().map_or(1, |p| p.0));
    let (low, high) = drawn.range;
    let place = |at: i64, price: i64, kind: &'static str| {
        let x = (at - first) as f64 / (last - first) as f64 * PRICE_BOX.0;
        let y = PRICE_BOX.1 - (price as f64 / scale - low) / (high - low).max(f64::EPSILON) * PRICE_BOX.1;
        (0.0..=PRICE_BOX.0).contains(&x).then(|| Spot {
            x: format!("{x:.1}"),
            y: format!("{:.1}", y.clamp(0.0, PRICE_BOX.1)),
            kind,
        })
    };
    let trades = report.outcome.trades.iter().rev().take(SPOTS_TRADES);
    let ends = |trade: &Trade| {
        let open = place(trade.opened_at.0, trade.open_price.units(), trade.side.name());
        let close = trade.closed.and_then(|exit| place(exit.at.0, exit.price.units(), "exit"));
        open.into_iter().chain(close)
    };
    let spots = trades.flat_map(ends).collect();
    (Some(Drawing::of(drawn, |value| format!("{value:.digits$}"), "Price")), spots)
}

fn tried(row: &Row, place: usize, currency: Currency) -> TriedRow {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "none".to_owned(), |ratio| format!("{ratio:.2}"));
    let of = row.statistics.as_ref();
    TriedRow {
        place,
        settings: settings_list(&row.settings, None),
        net: of.map(|s| Figure::change(s.net_profit, currency)),
        sharpe: ratio(of.and_then(|s| s.sharpe)),
        profit_factor: ratio(of.and_then(|s| s.profit_factor)),
        fall: of.map_or_else(String::new, |s| percent(-s.drawdown.share)),
        trades: of.map_or_else(String::new, |s| s.trades.to_string()),
        fault: row.fault.clone(),
    }
}

fn rows_note(spec: &Spec, rows: usize) -> String {
    let by = spec.kind.search().map_or("", |(_, rank)| rank_words(rank));
    let shown = if rows > ROWS_SHOWN { format!("the best {ROWS_SHOWN} of {rows}") } else { rows.to_string() };
    format!("{shown} combinations, ranked by: {by}")
}

fn window_row(window: &Window, currency: Currency, clock: &Clock) -> WindowRow {
    WindowRow {
        chosen_from: clock.show(window.chosen_from),
        tried_from: clock.show(window.tried_from),
        tried_to: clock.show(window.tried_to),
        settings: settings_list(&window.settings, None),
        chosen: Figure::change(window.chosen.net_profit, currency),
        tried: Figure::change(window.tried.net_profit, currency),
    }
}

fn windows_note(windows: &[Window]) -> String {
    let won = windows.iter().filter(|window| window.tried.net_profit > Money::ZERO).count();
    format!("{won} of {} earned where they were tried", count(windows.len(), "window", "windows"))
}

fn trade_row(trade: &Trade, currency: Currency, digits: usize, clock: &Clock) -> TestTrade {
    TestTrade {
        side: trade.side.into(),
        lots: trade.lots.to_text(2),
        opened_at: clock.show(trade.opened_at),
        open_price: price_text(trade.open_price, digits),
        closed_at: trade.closed.map(|exit| clock.show(exit.at)),
        close_price: trade.closed.map(|exit| price_text(exit.price, digits)),
        closed_by: trade.closed.map_or("", |exit| closer(exit.origin)),
        net: trade.net().map(|net| Figure::change(net, currency)),
    }
}

const fn closer(origin: Origin) -> &'static str {
    match origin {
        Origin::Strategy => "Strategy",
        Origin::StopLoss => "Stop-loss",
        Origin::TakeProfit => "Take-profit",
        Origin::Rule => "Rule",
        Origin::StopOut => "Margin",
        Origin::Trader | Origin::KillSwitch => "By hand",
    }
}

fn remarks(report: &Report) -> Vec<String> {
    let outcome = &report.outcome;
    let mut remarks = Vec::new();
    if outcome.refused > 0 {
        let orders = usize::try_from(outcome.refused).unwrap_or(usize::MAX);
        remarks.push(format!(
            "{} refused: the market was closed, or rules, margin or lot sizes did not allow them.",
            count(orders, "order was", "orders were")
        ));
    }
    if let Some(fault) = &outcome.first_fault {
        remarks.push(format!("The strategy failed {} times. The first time: {fault}", outcome.faults));
    }
    if outcome.trades_dropped > 0 {
        remarks.push(format!("{} later trades are not kept; the figures leave them out.", outcome.trades_dropped));
    }
    remarks
}
