//! The form that starts a backtest.

use super::super::{
    Scene,
    account::instruments,
    brand::see_other,
    view::{BacktestForm, Deploy, Field, FieldKind, StrategyCard, fields_of, settings_from},
};
use crate::{
    backtest::{Grid, Kind, NewBacktest, Rank, Source, request},
    identity::{Operation, SignedIn},
    plugins::Described,
    problem::{Problem, ProblemCode},
};
use marque_domain::{
    bar::Timeframe,
    fixed::{FixedError, Money, Price},
    plugin::PluginKind,
    time::{DAY_MS, Millis},
};
use poem::{
    IntoResponse as _, Response, handler,
    http::StatusCode,
    web::{Form, Query},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Days that the form proposes for the made-up market.
const PROPOSED_DAYS: i64 = 14;

#[derive(Deserialize)]
pub(super) struct Chosen {
    strategy: Option<String>,
}

/// What stands in the form, and why it was refused.
#[derive(Default)]
struct Filled {
    answers: BTreeMap<String, String>,
    settings: Value,
    errors: BTreeMap<String, String>,
    error: Option<String>,
}

impl Filled {
    fn get(&self, name: &str) -> &str {
        self.answers.get(name).map_or("", |answer| answer.trim())
    }

    fn wrong(&mut self, name: &str, what: &str) {
        self.errors.insert(name.to_owned(), what.to_owned());
    }

    fn field(&self, kind: FieldKind, name: &str, label: &str) -> Field {
        Field::new(kind, name, label).value(self.get(name)).error(self.errors.get(name).cloned())
    }

    fn optional(&self, kind: FieldKind, name: &str, label: &str) -> Field {
        let mut field = self.field(kind, name, label);
        field.required = false;
        field
    }
}

#[handler]
pub(super) async fn show_form(scene: Scene, who: SignedIn, Query(chosen): Query<Chosen>) -> poem::Result<Response> {
    who.may(Operation::RunBacktest)?;
    let today = scene.portal.clock().now();
    let day = |at: Millis| at.to_rfc3339().get(..10).unwrap_or_default().to_owned();
    let (source, from, to) = match proposed(&scene) {
        Some((source, from, to)) => (source, from, to),
        None => (Source::Synthetic, today.plus(-PROPOSED_DAYS * DAY_MS), today),
    };
    let answers = [
        ("strategy", chosen.strategy.unwrap_or_default()),
        ("timeframe", "M5".to_owned()),
        ("source", source.name().to_owned()),
        ("from", day(from)),
        ("to", day(to)),
        ("rank", Rank::Sharpe.name().to_owned()),
    ];
    let answers = answers.map(|(name, value)| (name.to_owned(), value)).into();
    show(&scene, &who, Filled { answers, ..Filled::default() }, StatusCode::OK).await
}

/// The recording of the first instrument that has one, and its days.
fn proposed(scene: &Scene) -> Option<(Source, Millis, Millis)> {
    let history = &scene.portal.floor().backtests().market().history;
    let kinds = [
        (Source::Ticks, marque_market::history::Kind::Ticks),
        (Source::Minutes, marque_market::history::Kind::Minutes),
    ];
    let first = instruments(scene).into_iter().next()?;
    kinds.into_iter().find_map(|(source, kind)| {
        let held = history.holding(&first.symbol, kind).ok().flatten()?;
        Some((source, held.first, held.last.plus(DAY_MS)))
    })
}

#[handler]
pub(super) async fn send_form(
    scene: Scene,
    who: SignedIn,
    Form(answers): Form<BTreeMap<String, String>>,
) -> poem::Result<Response> {
    who.may(Operation::RunBacktest)?;
    let mut filled = Filled { answers, ..Filled::default() };
    let strategy = filled.get("strategy").to_owned();
    let Some(schema) = schema(&who, &strategy).await? else {
        return Err(Problem::new(ProblemCode::Invalid, "Choose one of the offered strategies.").into());
    };
    match settings_from(&schema, &filled.answers) {
        Ok(settings) => filled.settings = settings,
        Err(errors) => {
            filled.settings = given(&filled.answers);
            errors.into_iter().for_each(|error| drop(filled.errors.insert(error.name, error.message)));
        }
    }
    let wanted = understood(&mut filled);
    let Some(wanted) = wanted.filter(|_| filled.errors.is_empty()) else {
        filled.error = Some("Correct the fields that are marked.".to_owned());
        return show(&scene, &who, filled, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let place = scene.portal.floor().backtests();
    match request::start(place, &who, wanted, scene.portal.clock()).await {
        Ok(started) => Ok(see_other(&format!("/backtests/{}", started.id))),
        Err(problem) if problem.code.status().is_server_error() => Err(problem.into()),
        Err(problem) => {
            for error in &problem.errors {
                let name = error.field.trim_start_matches("settings").trim_start_matches('/');
                filled.errors.insert(name.to_owned(), error.detail.clone());
            }
            let told = problem.errors.is_empty();
            filled.error = Some(if told { problem.detail } else { "Correct the fields that are marked.".to_owned() });
            show(&scene, &who, filled, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

/// The backtest that the form asks for; none, and why, when it cannot be understood.
fn understood(filled: &mut Filled) -> Option<NewBacktest> {
    let day = |filled: &mut Filled, name: &str| {
        let at = Millis::from_rfc3339(&format!("{}T00:00:00Z", filled.get(name)));
        if at.is_none() {
            filled.wrong(name, "Write a day such as 2014-05-01.");
        }
        at
    };
    let (from, to) = (day(filled, "from"), day(filled, "to"));
    let balance = number::<Money>(filled, "balance");
    let commission_per_lot = number::<Money>(filled, "commission_per_lot");
    let (markup, slippage) = (number::<Price>(filled, "markup"), number::<Price>(filled, "slippage"));
    let source = Source::ALL.into_iter().find(|source| source.name() == filled.get("source"));
    let timeframe = filled.get("timeframe").parse::<Timeframe>().ok();
    if source.is_none() {
        filled.wrong("source", "Choose one of the list.");
    }
    if timeframe.is_none() {
        filled.wrong("timeframe", "Choose one of the list.");
    }
    let kind = kind(filled);
    Some(NewBacktest {
        strategy: filled.get("strategy").to_owned(),
        settings: filled.settings.clone(),
        symbol: filled.get("instrument").to_owned(),
        timeframe: timeframe?,
        source: source?,
        from: from?,
        to: to?,
        balance,
        leverage: None,
        commission_per_lot,
        markup,
        slippage,
        latency_ms: None,
        rules: !filled.get("rules").is_empty(),
        kind: kind?,
    })
}

/// A number that may be left out.
fn number<T: core::str::FromStr<Err = FixedError>>(filled: &mut Filled, name: &str) -> Option<T> {
    let text = filled.get(name).to_owned();
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse::<T>();
    if let Err(error) = &parsed {
        filled.wrong(name, &error.to_string());
    }
    parsed.ok()
}

fn kind(filled: &mut Filled) -> Option<Kind> {
    let lines: Vec<String> =
        filled.get("grid").lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let mut grid = Grid::new();
    for line in &lines {
        let Some((name, values)) = line.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            filled.wrong("grid", "Write a line for each setting, such as fast = 5, 10, 20.");
            return None;
        };
        let value = |text: &str| {
            let text = text.trim();
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        };
        grid.insert(name.trim().to_owned(), values.split(',').map(value).collect());
    }
    if grid.is_empty() {
        return Some(Kind::Single);
    }
    let rank: Rank = filled.get("rank").parse().unwrap_or(Rank::Sharpe);
    let mut days = |name: &str| {
        let text = filled.get(name).to_owned();
        let parsed = text.parse::<u32>().ok();
        if parsed.is_none() && !text.is_empty() {
            filled.wrong(name, "Write a whole number of days.");
        }
        parsed
    };
    match (days("choose_days"), days("try_days")) {
        (None, None) => Some(Kind::Sweep { grid, rank }),
        (Some(choose_days), Some(try_days)) => Some(Kind::Forward { grid, rank, choose_days, try_days }),
        _ => {
            filled.wrong("try_days", "To walk forward give both numbers of days; else leave both empty.");
            None
        }
    }
}

async fn show(scene: &Scene, who: &SignedIn, mut filled: Filled, status: StatusCode) -> poem::Result<Response> {
    let mut offered = strategies(scene, who).await?;
    if filled.get("strategy").is_empty() {
        let first = offered.first().map(|strategy| strategy.name.clone()).unwrap_or_default();
        filled.answers.insert("strategy".to_owned(), first);
    }
    let strategy = filled.get("strategy").to_owned();
    offered.iter_mut().for_each(|card| card.selected = card.name == strategy);
    let schema = schema(who, &strategy).await?;
    let mut instrument = Deploy::instrument_field(&instruments(scene), filled.get("instrument"));
    instrument.error = filled.errors.get("instrument").cloned();
    let mut rules = filled.optional(FieldKind::Checkbox, "rules", "The rules of an account here watch it");
    rules.checked = !filled.get("rules").is_empty();
    let days = |name, label| filled.optional(FieldKind::Number, name, label);
    let page = BacktestForm {
        settings: schema.map(|schema| fields_of(&schema, &filled.settings, &filled.errors)).unwrap_or_default(),
        market: vec![
            instrument,
            Deploy::timeframe_field(filled.get("timeframe")),
            BacktestForm::source_field(filled.get("source")),
            filled.field(FieldKind::Text, "from", "From").hint("A day in UTC, such as 2014-05-01."),
            filled.field(FieldKind::Text, "to", "To").hint("Up to before this day."),
        ],
        terms: vec![
            filled.optional(FieldKind::Text, "balance", "Balance").hint("As a new account here, if left out."),
            filled
                .optional(FieldKind::Text, "commission_per_lot", "Commission for a lot")
                .hint("As here, if left out."),
            filled
                .optional(FieldKind::Text, "markup", "Wider spread")
                .hint("Added to the recorded one, such as 0.00002; as here, if left out."),
            filled
                .optional(FieldKind::Text, "slippage", "Slippage")
                .hint("What orders at the market lose, such as 0.00001; as here, if left out."),
            rules,
        ],
        search: vec![
            filled
                .optional(FieldKind::Area, "grid", "Values to try")
                .hint("A line for each setting, such as fast = 5, 10, 20. Every combination is run, at most 1,000."),
            BacktestForm::rank_field(filled.get("rank")),
            days("choose_days", "Walk forward: choose on").hint("Days. Leave both empty to try all on the whole time."),
            days("try_days", "Then try on").hint("Days that the choice has never seen."),
        ],
        strategies: offered,
        strategy,
        recorded: recorded(scene),
        error: filled.error,
        csrf: scene.csrf.clone(),
    };
    let shown = scene.page("Test a strategy", &page)?;
    Ok(shown.with_status(status).into_response())
}

/// What is recorded of what is offered, a line each.
fn recorded(scene: &Scene) -> Vec<String> {
    let history = &scene.portal.floor().backtests().market().history;
    let clock = scene.clock();
    let mut lines = Vec::new();
    for instrument in instruments(scene) {
        for kind in marque_market::history::Kind::ALL {
            if let Ok(Some(held)) = history.holding(&instrument.symbol, kind) {
                let (first, last) = (clock.show(held.first).date, clock.show(held.last).date);
                lines.push(format!("{} {}: {first} to {last}", instrument.symbol, kind.name()));
            }
        }
    }
    lines
}

async fn strategies(scene: &Scene, who: &SignedIn) -> Result<Vec<StrategyCard>, Problem> {
    let offered = &scene.tenant.definition.plugins;
    let plugins = who.db().plugins().await?;
    let mut seen = std::collections::BTreeSet::new();
    let strategies = plugins.iter().filter(|p| {
        let here = p.enabled && p.plugin.kind == PluginKind::Strategy && offered.contains(&p.plugin.name);
        here && seen.insert(p.plugin.name.clone())
    });
    let card = |p: &marque_store::Plugin| {
        let name = p.plugin.name.clone();
        let href = format!("/backtests/new?strategy={name}");
        Ok(StrategyCard { summary: Described::read(p)?.summary, href, name, selected: false })
    };
    strategies.map(card).collect()
}

/// The settings schema of a strategy, if it is in the catalogue.
async fn schema(who: &SignedIn, strategy: &str) -> Result<Option<Value>, Problem> {
    let plugin = who.db().plugin_by_name(strategy).await?;
    plugin.map(|p| Described::read(&p).map(|d| d.settings_schema)).transpose()
}

/// The settings as they were typed, to be corrected.
fn given(form: &BTreeMap<String, String>) -> Value {
    let typed = form
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("setting.")?.to_owned(), Value::String(value.clone()))));
    Value::Object(typed.collect::<Map<_, _>>())
}
