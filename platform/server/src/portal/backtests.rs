//! Backtests: the list, the form, the report and its files; and the brand's public keys.

mod form;

use super::{
    Scene,
    brand::see_other,
    view::{
        BacktestList, BacktestPage, BacktestRow, Banner, CertificateView, Pager, ReportView, Setting, Tone,
        backtest_kind_words, digits_of, settings_list, status_badge,
    },
};
use crate::{
    audit::Act,
    backtest::{Report, Spec, certificate::Certificate, equity_csv, html, request, trades_csv},
    edge::Tenant,
    identity::{
        Operation, SignedIn,
        gate::{Pages, may, public},
    },
    problem::{Problem, ProblemCode},
    signing::{PublishedKeys, WELL_KNOWN},
};
use marque_domain::id::BacktestId;
use marque_store::{Backtest, BacktestReport, BacktestStatus, Page};
use poem::{
    IntoResponse as _, Response, handler,
    http::header,
    web::{Json, Path, Query},
};
use serde::Deserialize;
use serde_json::json;

/// Backtests on a page of the list.
const ROWS: u32 = 30;
/// How long the public keys may be kept by whoever fetched them.
const KEYS_FOR: &str = "public, max-age=300";

/// `/backtests` and [`WELL_KNOWN`].
pub(super) fn pages(pages: Pages) -> Pages {
    pages
        .at(WELL_KNOWN, public().get(keys))
        .at("/backtests", may(Operation::ReadBacktests).get(list))
        .at("/backtests/new", may(Operation::RunBacktest).get(form::show_form).post(form::send_form))
        .at("/backtests/:backtest", may(Operation::ReadBacktests).get(show))
        .at("/backtests/:backtest/cancel", may(Operation::CancelBacktest).post(cancel))
        .at("/backtests/:backtest/chart.json", may(Operation::ReadBacktests).get(chart))
        .at("/backtests/:backtest/trades.csv", may(Operation::ReadBacktests).get(trades_file))
        .at("/backtests/:backtest/equity.csv", may(Operation::ReadBacktests).get(equity_file))
        .at("/backtests/:backtest/report.html", may(Operation::ReadBacktests).get(report_file))
        .at("/backtests/:backtest/certificate.json", may(Operation::ReadBacktests).get(certificate_file))
}

#[derive(Deserialize)]
struct Older {
    before: Option<String>,
}

#[handler]
async fn list(scene: Scene, who: SignedIn, Query(older): Query<Older>) -> poem::Result<Response> {
    let whose = who.may(Operation::ReadBacktests)?;
    let after = older.before.map(|id| id.parse::<BacktestId>()).transpose().map_err(|_| Problem::not_found())?;
    let wanted = Page { after: after.map(|id| id.0), limit: ROWS };
    let found = who.db().backtests(whose, wanted).await.map_err(Problem::from)?;
    let clock = scene.clock();
    let row = |backtest: &Backtest| Ok::<_, Problem>(BacktestRow::of(backtest, &spec_of(backtest)?, &clock));
    let view = BacktestList {
        rows: found.items.iter().map(row).collect::<Result<_, _>>()?,
        start: who.may(Operation::RunBacktest).is_ok().then(|| "/backtests/new".to_owned()),
        pager: Pager {
            newer: after.map(|_| "/backtests".to_owned()),
            older: found.next.map(|last| format!("/backtests?before={}", BacktestId(last))),
        },
        zone: clock.name().to_owned(),
    };
    scene.page("Backtests", &view)
}

fn spec_of(backtest: &Backtest) -> Result<Spec, Problem> {
    serde_json::from_str(&backtest.spec).map_err(|error| Problem::internal(&error))
}

/// A backtest of a path, if it is within reach, with what came of it.
async fn find(who: &SignedIn, id: &str) -> Result<(Backtest, Spec, Option<BacktestReport>), Problem> {
    let whose = who.may(Operation::ReadBacktests)?;
    let id: BacktestId = id.parse().map_err(|_| Problem::not_found())?;
    let backtest = who.db().backtest(whose, id).await?;
    let report = who.db().backtest_report(whose, id).await?;
    let spec = spec_of(&backtest)?;
    Ok((backtest, spec, report))
}

#[handler]
async fn show(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (backtest, spec, found) = find(&who, &id).await?;
    let clock = scene.clock();
    let place = scene.portal.floor().backtests();
    let unfinished = !backtest.status.is_final();
    let mut settings = settings_list(&spec.strategy.settings, None);
    let report = match &found {
        Some(found) => {
            let report = Report::from_bytes(&found.report).map_err(|error| Problem::internal(&error))?;
            if !report.settings.is_empty() {
                settings = settings_list(&report.settings, None);
            }
            let digits = digits_of(place.market().catalogue.by_symbol(&spec.symbol));
            let mut view = ReportView::of(&backtest.id.to_string(), &spec, &report, digits, &clock);
            view.certificate = found.certificate.as_deref().and_then(|text| certified(&backtest, text));
            Some(view)
        }
        None => None,
    };
    let title = format!("{} on {} {}", spec.strategy.name, spec.symbol, spec.timeframe);
    let (from, to) = (clock.show(spec.from), clock.show(spec.to));
    let page = BacktestPage {
        id: backtest.id.to_string(),
        title: title.clone(),
        status: status_badge(backtest.status),
        about: format!("{} to {}, {}", from.date, to.date, source_words(&spec)),
        kind: backtest_kind_words(&backtest.kind),
        settings,
        banner: banner(&backtest),
        progress: unfinished.then(|| place.progress(who.db().tenant(), &backtest) / 10),
        cancel: (unfinished && who.may(Operation::CancelBacktest).is_ok())
            .then(|| format!("/backtests/{}/cancel", backtest.id)),
        report,
        zone: clock.name().to_owned(),
        csrf: scene.csrf.clone(),
    };
    scene.page(&title, &page)
}

fn source_words(spec: &Spec) -> &'static str {
    match spec.source {
        crate::backtest::Source::Ticks => "recorded quotes",
        crate::backtest::Source::Minutes => "recorded minutes",
        crate::backtest::Source::Synthetic => "the made-up market",
    }
}

fn banner(backtest: &Backtest) -> Option<Banner> {
    match backtest.status {
        BacktestStatus::Failed => {
            let fault = backtest.fault.clone().unwrap_or_default();
            Some(Banner::new(Tone::Bad, "It could not be tested", fault))
        }
        BacktestStatus::Cancelled => Some(Banner::new(
            Tone::Quiet,
            "Cancelled",
            "It was ended before it had a result. Start it again when you like.",
        )),
        BacktestStatus::Queued if backtest.cancel_asked => {
            Some(Banner::new(Tone::Quiet, "Cancelling", "It ends soon."))
        }
        _ => None,
    }
}

fn certified(backtest: &Backtest, text: &str) -> Option<CertificateView> {
    let certificate = Certificate::read(text).ok()?;
    let said = &certificate.statement;
    let short = |digest: &str| digest.get(..16).unwrap_or(digest).to_owned();
    let bind = |label: &str, value: String| Setting { label: label.to_owned(), value };
    Some(CertificateView {
        href: format!("/backtests/{}/certificate.json", backtest.id),
        binds: vec![
            bind("Plugin", short(&said.plugin)),
            bind("Contract", said.contract.clone()),
            bind("Engine", said.engine.clone()),
            bind("Prices", short(&said.data)),
            bind("Result", short(&said.result)),
            bind("Signed by", said.issuer.clone()),
        ],
        command: format!("marque verify certificate.json --plugin {}.wasm --data history", said.plugin_name),
    })
}

#[handler]
async fn cancel(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::CancelBacktest)?;
    let id: BacktestId = id.parse().map_err(|_| Problem::not_found())?;
    request::cancel(scene.portal.floor().backtests(), &who, whose, id).await?;
    Ok(see_other(&format!("/backtests/{id}")))
}

/// A finished backtest's report.
async fn finished(who: &SignedIn, id: &str) -> Result<(Backtest, Spec, Report, Option<String>), Problem> {
    let (backtest, spec, found) = find(who, id).await?;
    let none = || Problem::new(ProblemCode::Conflict, "This backtest has no report: wait until it is done.");
    let found = found.ok_or_else(none)?;
    let report = Report::from_bytes(&found.report).map_err(|error| Problem::internal(&error))?;
    Ok((backtest, spec, report, found.certificate))
}

/// Candles and trades for the chart, prices as numbers: it only draws them.
#[handler]
async fn chart(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (_, _, report, _) = finished(&who, &id).await?;
    let price = |units: i64| units as f64 / marque_domain::fixed::SCALE as f64;
    let candles: Vec<_> = report
        .candles
        .iter()
        .map(|c| json!([c.at / 1_000, price(c.open), price(c.high), price(c.low), price(c.close)]))
        .collect();
    let trades: Vec<_> = report
        .outcome
        .trades
        .iter()
        .rev()
        .take(1_000)
        .map(|trade| {
            let closed = trade.closed.map(|exit| json!([exit.at.0 / 1_000, price(exit.price.units())]));
            let net = trade.net().map(|net| price(net.units()));
            json!({ "side": trade.side.name(), "at": trade.opened_at.0 / 1_000, "price": price(trade.open_price.units()), "closed": closed, "net": net })
        })
        .collect();
    let equity: Vec<_> =
        report.outcome.curve.iter().map(|(at, equity)| json!([at.0 / 1_000, price(equity.units())])).collect();
    let body = json!({ "candles": candles, "trades": trades, "equity": equity });
    Ok(Json(body).with_header(header::CACHE_CONTROL, "private, max-age=300").into_response())
}

fn file(bytes: Vec<u8>, kind: &'static str, id: BacktestId, name: &str) -> Response {
    bytes
        .with_content_type(kind)
        .with_header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}-{name}\""))
        .with_header(header::CACHE_CONTROL, "no-store")
        .into_response()
}

/// Recorded before it leaves.
async fn exported(who: &SignedIn, id: BacktestId, what: &str) -> Result<(), Problem> {
    who.audit(Act::BacktestExported, id.to_string(), json!({ "as": what })).await
}

#[handler]
async fn trades_file(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (backtest, _, report, _) = finished(&who, &id).await?;
    let table = trades_csv(&report).map_err(|error| Problem::internal(&error))?;
    exported(&who, backtest.id, "trades.csv").await?;
    Ok(file(table, "text/csv; charset=utf-8; header=present", backtest.id, "trades.csv"))
}

#[handler]
async fn equity_file(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (backtest, _, report, _) = finished(&who, &id).await?;
    let table = equity_csv(&report).map_err(|error| Problem::internal(&error))?;
    exported(&who, backtest.id, "equity.csv").await?;
    Ok(file(table, "text/csv; charset=utf-8; header=present", backtest.id, "equity.csv"))
}

#[handler]
async fn report_file(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (backtest, spec, report, _) = finished(&who, &id).await?;
    exported(&who, backtest.id, "report.html").await?;
    let page = html(&spec, &report, &scene.tenant.definition.name);
    Ok(file(page.into_bytes(), "text/html; charset=utf-8", backtest.id, "report.html"))
}

#[handler]
async fn certificate_file(who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let (backtest, _, _, certificate) = finished(&who, &id).await?;
    let text = certificate.ok_or_else(|| request::uncertified(&backtest))?;
    exported(&who, backtest.id, "certificate.json").await?;
    Ok(file(text.into_bytes(), "application/json", backtest.id, "certificate.json"))
}

/// Anybody may have them: whoever checks a signature needs them.
#[handler]
async fn keys(tenant: Tenant) -> poem::Result<Response> {
    let keys = PublishedKeys::of(tenant.db()).await.map_err(Problem::from)?;
    Ok(Json(keys).with_header(header::CACHE_CONTROL, KEYS_FOR).into_response())
}
