//! Backtests: start, follow, cancel, and what came of them.

use super::{
    Tag,
    backtest_view::{Backtest, Combination, Combinations, Equity, Point, RankBy, Trade, WalkWindow, Windows},
    caller::{Caller, invalid},
    idempotency::once,
    market::Timeframe,
    number,
    page::{List, Listed},
    page_query::{Cursor, Limit},
    refused::Refused,
    text::{Decimal, Text},
};
use crate::{
    audit::Act,
    backtest::{Kind, NewBacktest, Report, Source, Spec, equity_csv, html, request, trades_csv},
    identity::Operation,
    problem::{Problem, ProblemCode},
};
use marque_domain::id::BacktestId;
use marque_store::{Backtest as Stored, PAGE_MAX, Paged, Whose};
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Header, Path, Query},
    payload::{Html, Json, PlainText},
    types::{Any, Example},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) struct Backtests;

/// Which recording a test runs on.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum DataSource {
    /// Imported quotes.
    Ticks,
    /// Imported bars of one minute.
    Minutes,
    /// Minutes of the made-up market.
    Synthetic,
}

impl From<DataSource> for Source {
    fn from(source: DataSource) -> Self {
        match source {
            DataSource::Ticks => Self::Ticks,
            DataSource::Minutes => Self::Minutes,
            DataSource::Synthetic => Self::Synthetic,
        }
    }
}

/// A search for good settings. With `choose_days` and `try_days` it walks forward.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct Search {
    /// By setting, the values to try: every combination is run.
    grid: Any<Value>,
    /// What they are ranked by.
    rank: RankBy,
    /// Days in which settings are chosen.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1"), maximum(value = "3650")))]
    choose_days: Option<u32>,
    /// Days in which the choice is tried.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1"), maximum(value = "3650")))]
    try_days: Option<u32>,
}

/// A backtest to be started.
#[derive(Object)]
#[oai(rename = "NewBacktest", deny_unknown_fields, example)]
struct Wanted {
    /// The strategy's name in the catalogue, such as `ema-cross`.
    strategy: Text,
    /// What it trades, such as `EURUSD`.
    instrument: Text,
    /// The bars it sees.
    timeframe: Timeframe,
    /// Its settings: a JSON object that its `settings_schema` accepts.
    settings: Any<Value>,
    /// Which recording.
    source: DataSource,
    /// From this instant on.
    from: Text,
    /// Up to before this one.
    to: Text,
    /// What the account begins with; the brand's own when left out.
    #[oai(skip_serializing_if_is_none)]
    balance: Option<Decimal>,
    /// Its leverage; the brand's own when left out.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "1"), maximum(value = "1000")))]
    leverage: Option<u32>,
    /// Charged for each lot of each fill; the venue's own when left out.
    #[oai(skip_serializing_if_is_none)]
    commission_per_lot: Option<Decimal>,
    /// What the venue adds to the recorded spread, as a price difference; the venue's own when left out.
    #[oai(skip_serializing_if_is_none)]
    markup: Option<Decimal>,
    /// What orders at the market lose, as a price difference; the venue's own when left out.
    #[oai(skip_serializing_if_is_none)]
    slippage: Option<Decimal>,
    /// Milliseconds after its approval from which on an order can trade; the venue's own when left out.
    #[oai(skip_serializing_if_is_none, validator(minimum(value = "0"), maximum(value = "60000")))]
    latency_ms: Option<u32>,
    /// Whether the brand's rules watch the account.
    #[oai(skip_serializing_if_is_none)]
    rules: Option<bool>,
    /// Tries many settings instead of one.
    #[oai(skip_serializing_if_is_none)]
    search: Option<Search>,
}

impl Example for Wanted {
    fn example() -> Self {
        Self {
            strategy: "ema-cross".into(),
            instrument: "EURUSD".into(),
            timeframe: Timeframe::M5,
            settings: Any(json!({ "fast": 12, "slow": 26, "lots": 0.1 })),
            source: DataSource::Synthetic,
            from: "2026-11-02T00:00:00Z".into(),
            to: "2026-11-07T00:00:00Z".into(),
            balance: None,
            leverage: None,
            commission_per_lot: None,
            markup: None,
            slippage: None,
            latency_ms: None,
            rules: None,
            search: None,
        }
    }
}

fn decimal<T: core::str::FromStr<Err = marque_domain::fixed::FixedError>>(
    field: &str,
    text: Option<Decimal>,
) -> Result<Option<T>, Problem> {
    text.map(|text| number::decimal(field, &text.0)).transpose()
}

fn kind(search: Option<Search>) -> Result<Kind, Problem> {
    let Some(search) = search else { return Ok(Kind::Single) };
    let grid: BTreeMap<String, Vec<Value>> = serde_json::from_value(search.grid.0).map_err(|_| {
        invalid(
            "/search/grid",
            "must be an object that has a list of values for each setting, such as {\"fast\": [5, 10]}",
        )
    })?;
    let rank = search.rank.into();
    match (search.choose_days, search.try_days) {
        (None, None) => Ok(Kind::Sweep { grid, rank }),
        (Some(choose_days), Some(try_days)) => Ok(Kind::Forward { grid, rank, choose_days, try_days }),
        _ => Err(invalid("/search/try_days", "give both choose_days and try_days, or neither")),
    }
}

impl Wanted {
    fn understood(self) -> Result<NewBacktest, Problem> {
        if !self.settings.0.is_object() {
            return Err(invalid("/settings", "must be a JSON object"));
        }
        let time = |field: &str, text: &str| {
            marque_domain::time::Millis::from_rfc3339(text)
                .ok_or_else(|| invalid(field, "must be a time as RFC 3339 writes it, such as 2026-11-20T12:00:00Z"))
        };
        Ok(NewBacktest {
            from: time("/from", &self.from.0)?,
            to: time("/to", &self.to.0)?,
            strategy: self.strategy.0,
            settings: self.settings.0,
            symbol: self.instrument.0,
            timeframe: self.timeframe.into(),
            source: self.source.into(),
            balance: decimal("/balance", self.balance)?,
            leverage: self.leverage.map(i64::from),
            commission_per_lot: decimal("/commission_per_lot", self.commission_per_lot)?,
            markup: decimal("/markup", self.markup)?,
            slippage: decimal("/slippage", self.slippage)?,
            latency_ms: self.latency_ms.map(i64::from),
            rules: self.rules.unwrap_or(false),
            kind: kind(self.search)?,
        })
    }
}

/// A file to be kept.
#[derive(ApiResponse)]
enum Csv {
    /// The table.
    #[oai(status = 200, content_type = "text/csv; charset=utf-8")]
    Table(PlainText<String>, #[oai(header = "Content-Disposition")] String),
}

/// A page to be kept.
#[derive(ApiResponse)]
enum Page {
    /// The page.
    #[oai(status = 200)]
    Html(Html<String>, #[oai(header = "Content-Disposition")] String),
}

impl Caller {
    async fn backtest(&self, whose: Whose, id: &str) -> Result<Stored, Problem> {
        let id: BacktestId = id.parse().map_err(|_| Problem::not_found())?;
        Ok(self.db().backtest(whose, id).await?)
    }

    /// A finished backtest with its report and certificate.
    async fn finished(&self, id: &str) -> Result<(Stored, Report, Option<String>), Problem> {
        let whose = self.who.may(Operation::ReadBacktests)?;
        let backtest = self.backtest(whose, id).await?;
        let found = self.db().backtest_report(whose, backtest.id).await?.ok_or_else(|| {
            let text = format!("This backtest is {} and has no report.", backtest.status.name());
            Problem::new(ProblemCode::Conflict, text)
        })?;
        let report = Report::from_bytes(&found.report).map_err(|error| Problem::internal(&error))?;
        Ok((backtest, report, found.certificate))
    }

    fn shown(&self, backtest: &Stored) -> Result<Backtest, Problem> {
        let done = self.floor().backtests().progress(self.db().tenant(), backtest);
        Backtest::of(backtest, done)
    }
}

fn attachment(id: BacktestId, what: &str) -> String {
    format!("attachment; filename=\"{id}-{what}\"")
}

fn text_of(table: Result<Vec<u8>, csv::Error>) -> Result<PlainText<String>, Problem> {
    let bytes = table.map_err(|error| Problem::internal(&error))?;
    String::from_utf8(bytes).map(PlainText).map_err(|error| Problem::internal(&error))
}

#[OpenApi(tag = "Tag::Backtests")]
impl Backtests {
    /// Start a backtest
    ///
    /// It waits for its turn and runs with the same engine and sandbox as live trading. Follow it until `status` is
    /// `done`.
    #[oai(path = "/backtests", method = "post", operation_id = "start_backtest", transform = "once")]
    async fn start_backtest(
        &self,
        caller: Caller,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
        wanted: Json<Wanted>,
    ) -> Result<Json<Backtest>, Refused> {
        caller.who.may(Operation::RunBacktest)?;
        let place = caller.floor().backtests();
        let started = request::start(place, &caller.who, wanted.0.understood()?, &caller.app.0.clock).await?;
        Ok(Json(caller.shown(&started)?))
    }

    /// List backtests
    ///
    /// A trader's own; who works for the brand sees all of it.
    #[oai(path = "/backtests", method = "get", operation_id = "list_backtests")]
    async fn list_backtests(
        &self,
        caller: Caller,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Backtest>, Refused> {
        let whose = caller.who.may(Operation::ReadBacktests)?;
        let list = List::new(caller.db().tenant(), "/backtests");
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let found = caller.db().backtests(whose, page).await?;
        let items = found.items.iter().map(|backtest| caller.shown(backtest)).collect::<Result<_, _>>()?;
        Ok(list.answer(page, Paged { items, next: found.next }, |shown| shown))
    }

    /// Get a backtest
    #[oai(path = "/backtests/:backtest", method = "get", operation_id = "get_backtest")]
    async fn get_backtest(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Json<Backtest>, Refused> {
        let whose = caller.who.may(Operation::ReadBacktests)?;
        Ok(Json(caller.shown(&caller.backtest(whose, &backtest.0).await?)?))
    }

    /// Cancel a backtest
    ///
    /// One that waits is cancelled at once, one that runs soon. One that has ended stays as it is.
    #[oai(path = "/backtests/:backtest/cancel", method = "post", operation_id = "cancel_backtest", transform = "once")]
    async fn cancel_backtest(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
        /// A text of your own that no other request has.
        #[oai(name = "Idempotency-Key", validator(pattern = "^[!-~]{1,255}$"))]
        _key: Header<String>,
        /// The session's `csrf_token`; a program sends none.
        #[oai(name = "X-CSRF-Token")]
        _csrf: Header<Option<String>>,
    ) -> Result<Json<Backtest>, Refused> {
        let whose = caller.who.may(Operation::CancelBacktest)?;
        let id = caller.backtest(whose, &backtest.0).await?.id;
        let cancelled = request::cancel(caller.floor().backtests(), &caller.who, whose, id).await?;
        Ok(Json(caller.shown(&cancelled)?))
    }

    /// List a backtest's trades
    ///
    /// Newest first.
    #[oai(path = "/backtests/:backtest/trades", method = "get", operation_id = "list_backtest_trades")]
    async fn list_backtest_trades(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
        /// Where the page begins: `next` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Entries of a page.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<Trade>, Refused> {
        let (backtest, report, _) = caller.finished(&backtest.0).await?;
        let list = List::new(caller.db().tenant(), format!("/backtests/{}/trades", backtest.id));
        let page = list.page(cursor.0.as_ref(), limit.0)?;
        let all = report.outcome.trades;
        let end = page.after.and_then(|after| usize::try_from(after).ok()).unwrap_or(all.len()).min(all.len());
        let begin = end.saturating_sub(page.limit.clamp(1, PAGE_MAX) as usize);
        let items = all.get(begin..end).unwrap_or_default().iter().rev().copied().collect();
        let next = if begin > 0 { i64::try_from(begin).ok() } else { None };
        Ok(list.answer(page, Paged { items, next }, Trade::from))
    }

    /// Get a backtest's equity
    ///
    /// Over time, oldest first: at most some 4,000 points.
    #[oai(path = "/backtests/:backtest/equity", method = "get", operation_id = "get_backtest_equity")]
    async fn get_backtest_equity(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Json<Equity>, Refused> {
        let (_, report, _) = caller.finished(&backtest.0).await?;
        Ok(Json(Equity { items: report.outcome.curve.into_iter().map(Point::from).collect() }))
    }

    /// List the settings that a backtest tried
    ///
    /// Best first, at most 1,000. Empty for a test of one.
    #[oai(path = "/backtests/:backtest/combinations", method = "get", operation_id = "list_backtest_combinations")]
    async fn list_backtest_combinations(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Json<Combinations>, Refused> {
        let (_, report, _) = caller.finished(&backtest.0).await?;
        Ok(Json(Combinations { items: report.rows.into_iter().map(Combination::from).collect() }))
    }

    /// List the windows of a walk-forward
    ///
    /// Oldest first, at most 60. Empty for another test.
    #[oai(path = "/backtests/:backtest/windows", method = "get", operation_id = "list_backtest_windows")]
    async fn list_backtest_windows(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Json<Windows>, Refused> {
        let (_, report, _) = caller.finished(&backtest.0).await?;
        Ok(Json(Windows { items: report.windows.into_iter().map(WalkWindow::from).collect() }))
    }

    /// Get a backtest's certificate
    ///
    /// Signed by the brand; check it with `marque verify`. A walk-forward has none.
    #[oai(path = "/backtests/:backtest/certificate", method = "get", operation_id = "get_backtest_certificate")]
    async fn get_backtest_certificate(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Json<Any<Value>>, Refused> {
        let (backtest, _, certificate) = caller.finished(&backtest.0).await?;
        let text = certificate.ok_or_else(|| request::uncertified(&backtest))?;
        Ok(Json(Any(serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?)))
    }

    /// Export a backtest's trades
    #[oai(path = "/backtests/:backtest/trades.csv", method = "get", operation_id = "export_backtest_trades")]
    async fn export_backtest_trades(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Csv, Refused> {
        let (backtest, report, _) = caller.finished(&backtest.0).await?;
        caller.exported(&backtest, "trades.csv").await?;
        Ok(Csv::Table(text_of(trades_csv(&report))?, attachment(backtest.id, "trades.csv")))
    }

    /// Export a backtest's equity
    #[oai(path = "/backtests/:backtest/equity.csv", method = "get", operation_id = "export_backtest_equity")]
    async fn export_backtest_equity(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Csv, Refused> {
        let (backtest, report, _) = caller.finished(&backtest.0).await?;
        caller.exported(&backtest, "equity.csv").await?;
        Ok(Csv::Table(text_of(equity_csv(&report))?, attachment(backtest.id, "equity.csv")))
    }

    /// Export a backtest's report
    ///
    /// As one HTML page that needs no other file.
    #[oai(path = "/backtests/:backtest/report.html", method = "get", operation_id = "export_backtest_report")]
    async fn export_backtest_report(
        &self,
        caller: Caller,
        /// The backtest's id.
        backtest: Path<String>,
    ) -> Result<Page, Refused> {
        let (backtest, report, _) = caller.finished(&backtest.0).await?;
        caller.exported(&backtest, "report.html").await?;
        let spec: Spec = serde_json::from_str(&backtest.spec).map_err(|error| Problem::internal(&error))?;
        let page = html(&spec, &report, &caller.tenant().definition.name);
        Ok(Page::Html(Html(page), attachment(backtest.id, "report.html")))
    }
}

impl Caller {
    /// Recorded before it leaves.
    async fn exported(&self, backtest: &Stored, what: &str) -> Result<(), Problem> {
        self.who.audit(Act::BacktestExported, backtest.id.to_string(), json!({ "as": what })).await
    }
}
