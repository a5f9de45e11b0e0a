//! Sample data for every page: what the theme check renders and what a theme's author looks at.
//!
//! The figures are made up and fixed, so that a render is the same each time.

use super::{
    AccountCard, AccountPage, ApiDocs, Banner, Brand, Clock, Curve, Dashboard, DecisionPage, DecisionRow, Deploy,
    DeploymentRow, Desk, Distance, ErrorPage, Figure, Fragment, Front, Link, OrderRow, Page, Pager, Person, PositionRow,
    RuleCard, Shell, SignIn, Stats, StrategyCard, Tone, TradeRow, UnknownHost, fields_of,
};
use crate::theme::{ThemeError, Themes};
use marque_domain::{
    account::{AccountStatus, Deployment, DeploymentStatus, EquityPoint},
    bar::Timeframe,
    calendar::CalendarId,
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::{Currency, Instrument},
    order::{Closed, Order, OrderState, Origin, Position, Purpose, Side},
    plugin::{PluginDigest, PluginRef},
    tenant::{Interval, Plan, Quotas},
    time::{MINUTE_MS, Millis, Zone},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 1 May 2014, 14:03:12 UTC.
const NOW: Millis = Millis(1_398_952_992_000);
const ACCOUNT: AccountId = AccountId(8_204_111_300_115_402);
const EURUSD: InstrumentId = InstrumentId(1);
const GOLD: InstrumentId = InstrumentId(2);
const EMA: DeploymentId = DeploymentId(8_204_111_300_115_403);
const BREAKOUT: DeploymentId = DeploymentId(8_204_111_300_115_404);

/// A page with sample data.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What to call its file.
    pub name: &'static str,
    /// The template that places it.
    pub template: &'static str,
    /// What surrounds it; none for a page that stands alone.
    pub shell: Option<Shell>,
    /// Its view model.
    pub page: Value,
}

impl Sample {
    fn page<P: Page>(name: &'static str, shell: Shell, page: &P) -> Self {
        Self { name, template: P::TEMPLATE, shell: Some(shell), page: serde_json::to_value(page).unwrap_or_default() }
    }
}

/// Every page and row with sample data.
#[must_use]
pub fn samples(brand: &Brand) -> Vec<Sample> {
    let shell = |title: &str, path: &str, signed_in: bool| shell(brand, title, path, signed_in);
    let account = account_page();
    let mut all = vec![
        Sample::page("front", shell("Automated trading", "/", false), &front(&brand.name)),
        Sample::page("sign-in", shell("Sign in", "/sign-in", false), &SignIn::new("", "/dashboard", None)),
        Sample::page("sign-in-error", shell("Sign in", "/sign-in", false), &refused_sign_in()),
        Sample::page("dashboard", shell("Accounts", "/dashboard", true), &dashboard()),
        Sample::page("dashboard-empty", shell("Accounts", "/dashboard", true), &empty_dashboard()),
        Sample::page("account", shell("Evaluation 100K", "/accounts/x", true), &account),
        Sample::page("account-empty", shell("Paper", "/accounts/x", true), &empty_account()),
        Sample::page("account-ended", shell("Evaluation 50K", "/accounts/x", true), &ended_account()),
        Sample::page("decision", shell("Decision", "/decisions/x", true), &decision_page(1)),
        Sample::page("decision-denied", shell("Decision", "/decisions/x", true), &decision_page(0)),
        Sample::page("deploy", shell("Run a strategy", "/accounts/x/deploy", true), &deploy()),
        Sample::page("api-docs", shell("API", "/api/docs", true), &api_docs()),
    ];
    let reference = || Some("req_01h4k9qz7m".to_owned());
    for (name, status) in [("error-403", 403), ("error-404", 404), ("error-500", 500)] {
        all.push(Sample::page(name, shell("Error", "/x", true), &ErrorPage::of(status, reference())));
    }
    let limit = ErrorPage::too_many(42, Link::new("Back to sign in", "/sign-in"));
    all.push(Sample::page("error-429", shell("Too many tries", "/sign-in", false), &limit));
    all.push(alone("error-421", &UnknownHost { host: "unknown.example:8080".to_owned() }));
    all.push(alone("fragment-stats", &account.stats));
    all
}

/// Renders every sample in a theme, for a brand of the theme's own name.
#[must_use]
pub fn render_all(themes: &Themes, theme: &str) -> Vec<(&'static str, Result<String, ThemeError>)> {
    let brand = Brand::new("Sample Markets", "Sample Markets", "Sample Markets Ltd", RISK);
    samples(&brand).iter().map(|sample| (sample.name, themes.render_sample(theme, sample))).collect()
}

/// A risk notice of the usual kind.
pub const RISK: &str = "Trading leveraged products carries a high level of risk and may not suit everyone. You can lose \
     all that you put in. Past performance, simulated or real, does not foretell results. All accounts shown here \
     trade on a simulated venue.";

fn alone<F: Fragment>(name: &'static str, view: &F) -> Sample {
    Sample { name, template: F::TEMPLATE, shell: None, page: serde_json::to_value(view).unwrap_or_default() }
}

fn shell(brand: &Brand, title: &str, path: &str, signed_in: bool) -> Shell {
    Shell {
        lang: "en".to_owned(),
        title: title.to_owned(),
        brand: brand.clone(),
        brand_css: "/brand.css?v=0000000000000000".to_owned(),
        person: signed_in
            .then(|| Person { email: "trader@example.com".to_owned(), role: "trader".to_owned() }),
        nav: if signed_in { Shell::navigation(path) } else { Vec::new() },
        csrf: "csrf-token".to_owned(),
        path: path.to_owned(),
        mode: None,
        banners: Vec::new(),
    }
}

fn front(brand: &str) -> Front {
    let (headline, intro) = if brand.starts_with('B') {
        (
            "Every tick. Every rule. On the record.",
            "Deploy sandboxed strategies on live markets, watch the distance to every limit, and replay any verdict to \
             the byte.",
        )
    } else {
        (
            "Let your strategy trade. Keep your limits in sight.",
            "Run automated strategies on your account, see each decision as it is made, and know at any moment how far \
             you are from a limit.",
        )
    };
    let plan = |code: &str, name: &str, summary: &str, price_minor, limits: [Option<u32>; 3], features: &[&str]| Plan {
        code: code.to_owned(),
        name: name.to_owned(),
        summary: summary.to_owned(),
        price_minor,
        currency: Currency::USD,
        interval: Interval::Month,
        quotas: Quotas { trades_per_day: limits[0], instruments: limits[1], deployments: limits[2] },
        features: features.iter().map(|f| (*f).to_owned()).collect(),
    };
    let plans = [
        plan("starter", "Starter", "Try a strategy on a paper account.", 0, [Some(10), Some(1), Some(1)], &["paper-account"]),
        plan("trader", "Trader", "For one trader with a few strategies.", 2_900, [Some(50), Some(3), Some(5)], &[
            "paper-and-live-accounts",
            "API-access",
        ]),
        plan("desk", "Desk", "For those who run many, on everything.", 9_900, [None, None, None], &[
            "paper-and-live-accounts",
            "API-access",
            "priority-support",
        ]),
    ];
    Front::new(headline, intro, &plans, false)
}

fn refused_sign_in() -> SignIn {
    let text = "That e-mail and password do not belong together here. Check both, or ask your broker to reset the password.";
    SignIn::new("trader@example.com", "/dashboard", Some(text.to_owned()))
}

fn instrument(id: InstrumentId, symbol: &str, name: &str, tick: &str, calendar: CalendarId) -> Instrument {
    let number = |text: &str| text.parse().unwrap_or(Price::ZERO);
    Instrument {
        id,
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        tick_size: number(tick),
        pip: number(tick),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(100),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar,
    }
}

fn instruments() -> Vec<Instrument> {
    vec![
        instrument(EURUSD, "EURUSD", "Euro / US dollar", "0.00001", CalendarId::Forex),
        instrument(GOLD, "XAUUSD", "Gold / US dollar", "0.01", CalendarId::Metals),
    ]
}

fn desk() -> Desk {
    Desk {
        clock: Clock::new(Zone::utc()),
        currency: Currency::USD,
        instruments: instruments().into_iter().map(|i| (i.id, i)).collect(),
        strategies: BTreeMap::from([(EMA, "ema-cross".to_owned()), (BREAKOUT, "bos-retest".to_owned())]),
        csrf: "csrf-token".to_owned(),
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap_or(Money::ZERO)
}

fn price(text: &str) -> Price {
    text.parse().unwrap_or(Price::ZERO)
}

fn lots(text: &str) -> Lots {
    text.parse().unwrap_or(Lots::ZERO)
}

fn stats(balance: &str, equity: &str, start: &str, floor: Option<&str>) -> Stats {
    let clock = Clock::new(Zone::utc());
    let (balance, equity, start) = (money(balance), money(equity), money(start));
    let day = equity.saturating_sub(start);
    let distance = floor.map(|floor| Distance {
        resets_at: Some(clock.show(NOW.plus(597 * MINUTE_MS))),
        ..Distance::of(equity, money(floor), start, Currency::USD, "daily-loss")
    });
    Stats {
        equity: Figure::money(equity, Currency::USD),
        balance: Figure::money(balance, Currency::USD),
        floating: Figure::change(equity.saturating_sub(balance), Currency::USD),
        day: Figure::change(day, Currency::USD),
        day_percent: Figure::percent(day, start),
        distance,
        at: clock.show(NOW),
    }
}

/// A curve that wanders by a small fixed recurrence from one amount to another.
fn curve(from: i64, to: i64, seed: u64) -> Option<Curve> {
    const POINTS: i64 = 240;
    let mut state = seed;
    let mut wander = 0_i64;
    let points: Vec<EquityPoint> = (0..=POINTS)
        .map(|step| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kick = i64::try_from(state >> 40).unwrap_or(0) % 241 - 120;
            wander = (wander + kick) * 24 / 25;
            // The wandering fades towards both ends, so that the curve meets its amounts.
            let fade = step.min(POINTS - step).min(30);
            let worth = from * 100 + (to - from) * 100 * step / POINTS + wander * fade * (to - from).abs().max(400) / 2_400;
            let worth = Money::from_units(worth * 1_000_000);
            EquityPoint { account: ACCOUNT, at: NOW.plus((step - POINTS) * 2 * MINUTE_MS), balance: worth, equity: worth }
        })
        .collect();
    Curve::of(&points, Currency::USD)
}

fn plugin(name: &str, settings: &Value) -> PluginRef {
    PluginRef { digest: PluginDigest([7; 32]), name: name.to_owned(), settings: settings.to_string() }
}

fn deployments() -> Vec<DeploymentRow> {
    let deployment = |id, name: &str, instrument, timeframe, status, settings: Value| Deployment {
        id,
        account: ACCOUNT,
        plugin: plugin(name, &settings),
        instrument,
        timeframe,
        status,
        created_at: NOW,
    };
    let fault = "the call used more than its 20,000,000 units of fuel".to_owned();
    let settings = json!({"fast": 12, "slow": 26, "lots": "0.50"});
    let retest = json!({"retest_minutes": 30, "risk_percent": 0.5});
    [
        deployment(EMA, "ema-cross", EURUSD, Timeframe::M5, DeploymentStatus::Running, settings),
        deployment(BREAKOUT, "bos-retest", GOLD, Timeframe::M5, DeploymentStatus::Stopped, retest),
        deployment(DeploymentId(9), "scalper", EURUSD, Timeframe::M1, DeploymentStatus::Quarantined(fault), json!({})),
    ]
    .iter()
    .map(|deployment| DeploymentRow::of(deployment, &desk()))
    .collect()
}

fn position(id: i64, instrument: InstrumentId, side: Side, size: &str, open: &str, deployment: Option<DeploymentId>) -> Position {
    Position {
        id: PositionId(id),
        account: ACCOUNT,
        deployment,
        instrument,
        side,
        lots: lots(size),
        open_price: price(open),
        opened_at: NOW.plus(-47 * MINUTE_MS),
        stop_loss: Some(price(if instrument == GOLD { "1279.50" } else { "1.38520" })),
        take_profit: None,
        closed: None,
    }
}

fn positions() -> Vec<PositionRow> {
    let desk = desk();
    vec![
        PositionRow::of(&position(21, EURUSD, Side::Buy, "0.5", "1.38671", Some(EMA)), Some((price("1.38727"), money("28"))), &desk),
        PositionRow::of(&position(22, GOLD, Side::Buy, "0.2", "1286.40", Some(BREAKOUT)), Some((price("1284.15"), money("-45"))), &desk),
        PositionRow::of(&position(23, EURUSD, Side::Sell, "0.1", "1.38727", None), None, &desk),
    ]
}

fn decisions() -> Vec<DecisionRow> {
    let open = |side, size: &str| Intent::Open {
        instrument: EURUSD,
        side,
        lots: lots(size),
        stop_loss: Some(price("1.38520")),
        take_profit: Some(price("1.39100")),
    };
    let answer = |verdict| vec![RuleAnswer { rule: "daily-loss".to_owned(), verdict }, RuleAnswer { rule: "exposure-cap".to_owned(), verdict: Verdict::Allow }];
    let approved = |size: &str| Outcome::Approved { order: OrderId(8_204_111_300_115_502), lots: lots(size) };
    let reason = "This order could lose 1,240.00 at its stop-loss and 890.50 is left today. Ask for at most 0.70 lots or wait for the reset at 00:00 UTC.";
    let refused = Outcome::Denied(Denial::RuleRefused { rule: "daily-loss".to_owned(), reason: reason.to_owned() });
    let story = |id: i64, ago: i64, intent, answers, outcome| Decision {
        id: DecisionId(8_204_111_300_115_600 + id),
        account: ACCOUNT,
        deployment: Some(EMA),
        origin: Origin::Strategy,
        at: NOW.plus(-ago * MINUTE_MS),
        intent,
        answers,
        outcome,
    };
    let closes = position(21, EURUSD, Side::Buy, "0.5", "1.38671", Some(EMA));
    let desk = desk();
    vec![
        DecisionRow::of(&story(1, 2, open(Side::Sell, "1.00"), answer(Verdict::Refuse(reason.to_owned())), refused), None, &desk),
        DecisionRow::of(&story(2, 47, open(Side::Buy, "0.80"), answer(Verdict::Shrink(lots("0.5"))), approved("0.5")), None, &desk),
        DecisionRow::of(&story(3, 95, Intent::Close { position: closes.id }, Vec::new(), approved("0.5")), Some(&closes), &desk),
        DecisionRow::of(&story(4, 260, open(Side::Buy, "0.50"), Vec::new(), Outcome::Denied(Denial::NoFreshQuote)), None, &desk),
    ]
}

fn orders() -> Vec<OrderRow> {
    let order = |id: i64, side, purpose, state, fill: Option<&str>, reason: Option<&str>| Order {
        id: OrderId(8_204_111_300_115_500 + id),
        account: ACCOUNT,
        deployment: Some(EMA),
        instrument: EURUSD,
        side,
        lots: lots("0.5"),
        purpose,
        origin: Origin::Strategy,
        stop_loss: None,
        take_profit: None,
        state,
        fill_price: fill.map(price),
        reason: reason.map(str::to_owned),
        created_at: NOW,
        updated_at: NOW.plus(-id * 23 * MINUTE_MS),
    };
    [
        order(1, Side::Buy, Purpose::Open, OrderState::Acked, None, None),
        order(2, Side::Buy, Purpose::Open, OrderState::Filled, Some("1.38671"), None),
        order(3, Side::Sell, Purpose::Close(PositionId(20)), OrderState::Filled, Some("1.38702"), None),
        order(4, Side::Sell, Purpose::Open, OrderState::Rejected, None, Some("The venue has no price for this size.")),
        order(5, Side::Buy, Purpose::Open, OrderState::Unknown, None, None),
    ]
    .iter()
    .map(|order| OrderRow::of(order, &desk()))
    .collect()
}

fn trades() -> Vec<TradeRow> {
    let closed = |id: i64, side, size: &str, open: &str, close: &str, profit: &str, origin| Position {
        closed: Some(Closed { at: NOW.plus(-id * 41 * MINUTE_MS), price: price(close), profit: money(profit), origin }),
        ..position(id, EURUSD, side, size, open, Some(EMA))
    };
    [
        closed(5, Side::Buy, "0.5", "1.38640", "1.38702", "31", Origin::Strategy),
        closed(4, Side::Sell, "0.5", "1.38655", "1.38690", "-17.5", Origin::StopLoss),
        closed(3, Side::Buy, "1.2", "1.38510", "1.38645", "162", Origin::TakeProfit),
    ]
    .iter()
    .filter_map(|position| TradeRow::of(position, &desk()))
    .collect()
}

fn strategies() -> Vec<StrategyCard> {
    let account = ACCOUNT.to_string();
    vec![
        StrategyCard::new(&account, "ema-cross", "Buys when a fast average crosses above a slow one, sells when it falls below.", true),
        StrategyCard::new(&account, "bos-retest", "Waits for a break of structure on M5 and enters on the retest on M1.", false),
    ]
}

fn account_page() -> AccountPage {
    let stats = stats("101284.50", "101267.50", "100890", Some("96890"));
    let rule = plugin("daily-loss", &json!({"percent": 4, "of": "balance at reset", "reset": "00:00", "zone": "UTC"}));
    let cap = plugin("exposure-cap", &json!({"lots": 5}));
    AccountPage {
        curve: curve(100_000, 101_267, 7),
        any_running: true,
        deployments: deployments(),
        strategies: strategies(),
        rules: vec![RuleCard::of(&rule), RuleCard::of(&cap)],
        positions: positions(),
        decisions: decisions(),
        decisions_pager: Pager { newer: None, older: Some("?before=dec_x".to_owned()) },
        orders: orders(),
        trades: trades(),
        ..AccountPage::new(&ACCOUNT.to_string(), "Evaluation 100K", &AccountStatus::Active, stats, "UTC", "csrf-token")
    }
}

fn empty_account() -> AccountPage {
    let stats = stats("10000", "10000", "10000", None);
    let page = AccountPage::new(&ACCOUNT.to_string(), "Paper", &AccountStatus::Active, stats, "UTC", "csrf-token");
    AccountPage { strategies: strategies(), ..page }
}

fn ended_account() -> AccountPage {
    let status = AccountStatus::Failed("Equity fell to 47,488.10 and the daily loss rule's floor is 47,500.00.".to_owned());
    let stats = stats("47488.10", "47488.10", "50000", Some("47500"));
    let page = AccountPage::new(&ACCOUNT.to_string(), "Evaluation 50K", &status, stats, "UTC", "csrf-token");
    AccountPage { curve: curve(50_000, 47_488, 3), trades: trades(), decisions: decisions(), ..page }
}

fn dashboard() -> Dashboard {
    let card = |name: &str, status: &AccountStatus, stats, curve, running| {
        AccountCard::new(&ACCOUNT.to_string(), name, status, stats, curve, running)
    };
    let held = AccountStatus::Held("The rule exposure-cap could not be asked.".to_owned());
    Dashboard {
        accounts: vec![
            card("Evaluation 100K", &AccountStatus::Active, stats("101284.50", "101267.50", "100890", Some("96890")), curve(100_000, 101_267, 7), 1),
            card("Evaluation 25K", &held, stats("24310.40", "24102.15", "24800", Some("23808")), curve(25_000, 24_102, 3), 2),
            card("Paper", &AccountStatus::Active, stats("10000", "10000", "10000", None), None, 0),
        ],
        recent: decisions(),
        zone: "UTC".to_owned(),
    }
}

fn empty_dashboard() -> Dashboard {
    Dashboard { accounts: Vec::new(), recent: Vec::new(), zone: "UTC".to_owned() }
}

fn decision_page(index: usize) -> DecisionPage {
    let mut decisions = decisions();
    let decision = decisions.swap_remove(index.min(decisions.len().saturating_sub(1)));
    let order = decision.outcome.order.as_ref().and_then(|_| orders().into_iter().nth(1));
    DecisionPage { account: Link::new("Evaluation 100K", format!("/accounts/{ACCOUNT}")), decision, order }
}

fn deploy() -> Deploy {
    let schema = json!({
        "type": "object",
        "required": ["fast", "slow", "lots"],
        "properties": {
            "fast": {"type": "integer", "title": "Fast average", "description": "Bars of the quick line.", "default": 12, "minimum": 2, "maximum": 500},
            "slow": {"type": "integer", "title": "Slow average", "description": "Bars of the slow line.", "default": 26, "minimum": 3, "maximum": 1000},
            "lots": {"type": "string", "title": "Lots", "description": "Size of each order.", "default": "0.10"},
            "side": {"title": "Trade", "enum": ["both-ways", "long-only", "short-only"], "default": "both-ways"},
            "reverse": {"type": "boolean", "title": "Turn around at once when the lines cross back", "default": true}
        }
    });
    let errors = BTreeMap::from([("slow".to_owned(), "The slow average must be longer than the fast one: write 13 or more.".to_owned())]);
    Deploy {
        account: Link::new("Evaluation 100K", format!("/accounts/{ACCOUNT}")),
        action: format!("/accounts/{ACCOUNT}/deploy"),
        strategies: strategies(),
        strategy: "ema-cross".to_owned(),
        instrument: Deploy::instrument_field(&instruments(), "EURUSD"),
        timeframe: Deploy::timeframe_field("M5"),
        settings: fields_of(&schema, &json!({"slow": 9}), &errors),
        error: Some("One setting needs a change before this strategy can start.".to_owned()),
        csrf: "csrf-token".to_owned(),
    }
}

fn api_docs() -> ApiDocs {
    ApiDocs { spec_url: "/api/v1/openapi.json".to_owned(), accent: "#2f4bd6".to_owned() }
}

/// A banner of each tone, for a look at them side by side.
#[must_use]
pub fn banners() -> Vec<Banner> {
    [Tone::Quiet, Tone::Good, Tone::Warn, Tone::Bad].map(|tone| Banner::new(tone, "Title", "Text.")).into()
}
