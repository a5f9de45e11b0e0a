//! A report as files: trades and equity as CSV, and one HTML page that needs nothing else.

use super::{
    figures::{figures, percent},
    plot::{Stands, falls, plot},
    report::Report,
    spec::{Kind, Spec},
};
use core::fmt::Write as _;
use marque_domain::fixed::SCALE;
use marque_engine::backtest::Trade;

/// Trades in the page, at most; the CSV has all.
const TRADES_SHOWN: usize = 1_000;

/// Trades as CSV (RFC 4180), in the order in which they were opened.
///
/// # Errors
/// When it cannot be written.
pub fn trades_csv(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "position",
        "side",
        "lots",
        "opened_at",
        "open_price",
        "closed_at",
        "close_price",
        "closed_by",
        "gross",
        "commission",
        "swap",
        "net",
    ])?;
    for trade in &report.outcome.trades {
        let exit = trade.closed;
        writer.write_record([
            trade.position.to_string(),
            trade.side.name().to_owned(),
            trade.lots.to_text(2),
            trade.opened_at.to_rfc3339(),
            trade.open_price.to_text(0),
            exit.map(|exit| exit.at.to_rfc3339()).unwrap_or_default(),
            exit.map(|exit| exit.price.to_text(0)).unwrap_or_default(),
            exit.map(|exit| exit.origin.name().to_owned()).unwrap_or_default(),
            exit.map(|exit| exit.gross.to_text(2)).unwrap_or_default(),
            trade.commission.to_text(2),
            trade.swap.to_text(2),
            trade.net().map(|net| net.to_text(2)).unwrap_or_default(),
        ])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Equity over time as CSV, in order of time.
///
/// # Errors
/// When it cannot be written.
pub fn equity_csv(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["time", "equity"])?;
    for (at, equity) in &report.outcome.curve {
        writer.write_record([at.to_rfc3339(), equity.to_text(2)])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Equity for drawing: times in milliseconds, amounts as floats.
#[must_use]
pub fn equity_points(report: &Report) -> Vec<(i64, f64)> {
    report.outcome.curve.iter().map(|(at, equity)| (at.0, equity.units() as f64 / SCALE as f64)).collect()
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:light-dark(#151a21,#eef1f5);--soft:light-dark(#5c6673,#98a3b1);--page:light-dark(#fff,#12161c);\
--line:light-dark(#e1e5eb,#2c3440);--accent:light-dark(#33415c,#a9b8d6);--down:light-dark(#b8232f,#ff8a87)}\
body{margin:0 auto;max-width:1080px;padding:32px 20px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
h1{margin:0 0 4px;font-size:26px}h2{margin:36px 0 10px;font-size:18px}p{margin:0 0 8px}.soft{color:var(--soft);font-size:13px}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));border:1px solid var(--line);overflow:hidden}\
.grid div{padding:14px 16px;box-shadow:1px 1px 0 var(--line)}.grid b{display:block;font-size:20px;font-variant-numeric:tabular-nums}\
svg{display:block;width:100%;border:1px solid var(--line)}.l{fill:none;stroke:var(--accent);stroke-width:1.6;vector-effect:non-scaling-stroke}\
.a{fill:var(--accent);opacity:.14}.fl{stroke:var(--down)}.fa{fill:var(--down)}\
table{width:100%;border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}th{text-align:left;color:var(--soft);font-weight:500}\
td,th{padding:6px 8px;border-bottom:1px solid var(--line)}.n{text-align:right}.x{overflow-x:auto}";

/// The report as one HTML page without scripts, which needs no other file.
#[must_use]
pub fn html(spec: &Spec, report: &Report, brand: &str) -> String {
    let mut out = String::with_capacity(64 * 1_024);
    let title = format!("{} on {} {}", spec.strategy.name, spec.symbol, spec.timeframe);
    add(
        &mut out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{STYLE}</style></head><body>\
             <h1>{0}</h1><p class=\"soft\">Backtest by {1}. {2} to {3}, {4} rows of {5}. Settings {6}</p>",
            escape(&title),
            escape(brand),
            report.data_span.0.to_rfc3339(),
            report.data_span.1.to_rfc3339(),
            report.data_rows,
            spec.source.name(),
            escape(if report.settings.is_empty() { &spec.strategy.settings } else { &report.settings }),
        ),
    );
    curves(&mut out, report);
    add(&mut out, format_args!("<h2>Figures</h2><div class=\"grid\">"));
    for row in figures(&report.statistics) {
        let value = row.number.map_or_else(|| "none".to_owned(), |number| number.text(spec.account.currency));
        let (name, text) = (row.words.name, row.words.text);
        add(&mut out, format_args!("<div>{name}<b>{}</b><span class=\"soft\">{text}</span></div>", escape(&value)));
    }
    add(&mut out, format_args!("</div>"));
    search(&mut out, spec, report);
    trades(&mut out, report);
    add(
        &mut out,
        format_args!(
            "<p class=\"soft\">Past results say nothing certain about future ones. Data {}, result {}.</p></body></html>\n",
            super::certificate::hex(&report.data_digest),
            super::certificate::hex(&report.result_digest),
        ),
    );
    out
}

fn curves(out: &mut String, report: &Report) {
    let points = equity_points(report);
    if let Some(drawn) = plot(&points, (1_000.0, 260.0), Stands::Up) {
        add(
            out,
            format_args!(
                "<h2>Equity</h2><p class=\"soft\">{:.2} to {:.2}</p><svg viewBox=\"0 0 1000 260\" \
                 preserveAspectRatio=\"none\" height=\"260\"><path class=\"a\" d=\"{}\"/><path class=\"l\" d=\"{}\"/></svg>",
                drawn.range.0, drawn.range.1, drawn.area, drawn.line
            ),
        );
    }
    if let Some(drawn) = plot(&falls(&points), (1_000.0, 110.0), Stands::Down) {
        add(
            out,
            format_args!(
                "<h2>Below the peak</h2><p class=\"soft\">At most {}</p><svg viewBox=\"0 0 1000 110\" \
                 preserveAspectRatio=\"none\" height=\"110\"><path class=\"a fa\" d=\"{}\"/><path class=\"l fl\" d=\"{}\"/></svg>",
                percent(drawn.range.0),
                drawn.area,
                drawn.line
            ),
        );
    }
}

fn search(out: &mut String, spec: &Spec, report: &Report) {
    let number = |number: Option<f64>| number.map_or_else(|| "none".to_owned(), |number| format!("{number:.2}"));
    if let Kind::Sweep { rank, .. } = &spec.kind {
        add(
            out,
            format_args!(
                "<h2>Settings tried</h2><p class=\"soft\">Best first, by {rank}. The more are tried, the more the best owes to \
                 chance.</p><div class=\"x\"><table><tr><th>Settings<th class=\"n\">Net profit<th class=\"n\">Sharpe<th \
                 class=\"n\">Deepest fall<th class=\"n\">Trades</tr>"
            ),
        );
        for row in &report.rows {
            let settings = escape(&row.settings);
            match &row.statistics {
                Some(figures) => add(
                    out,
                    format_args!(
                        "<tr><td>{settings}<td class=\"n\">{:.2}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
                        figures.net_profit,
                        number(figures.sharpe),
                        percent(-figures.drawdown.share),
                        figures.trades
                    ),
                ),
                None => {
                    let fault = escape(row.fault.as_deref().unwrap_or_default());
                    add(out, format_args!("<tr><td>{settings}<td colspan=\"4\">{fault}</tr>"));
                }
            }
        }
        add(out, format_args!("</table></div>"));
    }
    if !report.windows.is_empty() {
        add(
            out,
            format_args!(
                "<h2>Walk-forward</h2><div class=\"x\"><table><tr><th>Chosen on<th>Tried on<th>Settings<th \
                 class=\"n\">Earned where chosen<th class=\"n\">Earned where tried</tr>"
            ),
        );
        for window in &report.windows {
            let day = |at: marque_domain::time::Millis| at.to_rfc3339().get(..10).unwrap_or_default().to_owned();
            add(
                out,
                format_args!(
                    "<tr><td>{} to {}<td>to {}<td>{}<td class=\"n\">{:.2}<td class=\"n\">{:.2}</tr>",
                    day(window.chosen_from),
                    day(window.tried_from),
                    day(window.tried_to),
                    escape(&window.settings),
                    window.chosen.net_profit,
                    window.tried.net_profit
                ),
            );
        }
        add(out, format_args!("</table></div>"));
    }
}

fn trades(out: &mut String, report: &Report) {
    let all = &report.outcome.trades;
    let shown = all.len().min(TRADES_SHOWN);
    add(
        out,
        format_args!(
            "<h2>Trades</h2><p class=\"soft\">{shown} of {}. Times in UTC.</p><div class=\"x\"><table><tr><th>Opened<th>Side<th \
             class=\"n\">Lots<th class=\"n\">At<th>Closed<th class=\"n\">At<th>By<th class=\"n\">Net</tr>",
            all.len()
        ),
    );
    for trade in all.iter().take(TRADES_SHOWN) {
        add_trade(out, trade);
    }
    add(out, format_args!("</table></div>"));
}

fn add_trade(out: &mut String, trade: &Trade) {
    let (opened, side, lots, at) =
        (trade.opened_at.to_rfc3339(), trade.side.name(), trade.lots.to_text(2), trade.open_price.to_text(0));
    add(out, format_args!("<tr><td>{opened}<td>{side}<td class=\"n\">{lots}<td class=\"n\">{at}"));
    match (trade.closed, trade.net()) {
        (Some(exit), Some(net)) => add(
            out,
            format_args!(
                "<td>{}<td class=\"n\">{}<td>{}<td class=\"n\">{net:.2}</tr>",
                exit.at.to_rfc3339(),
                exit.price.to_text(0),
                exit.origin.name()
            ),
        ),
        _ => add(out, format_args!("<td colspan=\"4\">open at the end</tr>")),
    }
}

fn add(out: &mut String, text: core::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a String does not fail");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_somebody_wrote_is_markup() {
        assert_eq!(escape("<b a=\"1\">'&"), "&lt;b a=&quot;1&quot;&gt;&#39;&amp;");
    }
}
