//! Sample data for every page: what the theme check renders and what a theme's author looks at.
//!
//! The figures are made up and fixed, so that a render is the same each time.

mod access;
mod admin;
mod audit;
mod backtest;
mod deployment;
mod desk;
mod join;
mod licences;
mod money;
mod releases;
mod security;
mod sso;

use self::desk::{
    ACCOUNT, curve, decisions, deployments, instruments, orders, plugin, positions, stats, strategies, trades,
};
use super::{
    AccountCard, AccountPage, ApiDocs, Brand, CostRow, Dashboard, DecisionPage, Deploy, ErrorPage, Fragment, Front,
    Link, OpenAccount, OrderRow, Page, Pager, Person, ProblemPage, ProblemRow, Problems, RuleCard, Setting, Shell,
    SignIn, SignInMore, UnknownHost, account_terms, fields_of,
    ticket::{self, TicketForm, TicketPage},
};
use crate::{
    identity::Role,
    problem::{Problem, ProblemCode},
    theme::{ThemeError, Themes},
};
use marque_domain::{
    account::{AccountStatus, MarginLevels, PositionMode},
    fixed::Money,
    instrument::{Currency, Instrument},
    plugin::PluginRef,
    tenant::{Interval, Plan, Quotas},
};
use marque_engine::venue::VenueModel;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

/// What sample pages say of the brand.
#[derive(Debug, Clone)]
pub struct Look {
    /// The brand.
    pub brand: Brand,
    /// Its promise.
    pub headline: String,
    /// What it does.
    pub intro: String,
    /// What it sells.
    pub plans: Vec<Plan>,
}

impl Look {
    /// A brand that nobody has.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            brand: Brand::new("Sample Markets", "Sample", "Sample Markets Ltd", RISK),
            headline: "Let your strategy trade. Keep your limits in sight.".to_owned(),
            intro: "Run automated strategies, see each decision as it is made, and know how far a limit is.".to_owned(),
            plans: plans(),
        }
    }
}

/// Every page and row with sample data.
#[must_use]
pub fn samples(look: &Look) -> Vec<Sample> {
    let brand = &look.brand;
    let shell = |title: &str, path: &str, signed_in: bool| shell(brand, title, path, signed_in);
    let account = account_page();
    let mut all = vec![
        Sample::page(
            "front",
            shell("Automated trading", "/", false),
            &Front::new(&look.headline, &look.intro, &look.plans, false),
        ),
        Sample::page("sign-in", shell("Sign in", "/sign-in", false), &SignIn::new("", "/dashboard", None)),
        Sample::page("sign-in-error", shell("Sign in", "/sign-in", false), &refused_sign_in()),
        Sample::page(
            "sign-in-asked",
            shell("Sign in", "/sign-in", false),
            &refused_sign_in().ask("What is seven plus four?", "token"),
        ),
        Sample::page("sign-in-wait", shell("Sign in", "/sign-in", false), &refused_sign_in().wait(Some(540))),
        Sample::page("sign-in-more", shell("One more step", "/sign-in/more", false), &SignInMore::second_factor(None)),
        Sample::page(
            "sign-in-more-wait",
            shell("Check your mail", "/sign-in/more", false),
            &SignInMore::mailed_code(Some(&too_often())),
        ),
        Sample::page("dashboard", shell("Accounts", "/dashboard", true), &dashboard()),
        Sample::page("dashboard-empty", shell("Accounts", "/dashboard", true), &empty_dashboard()),
        Sample::page("ticket", shell("New order", "/accounts/new", true), &ticket()),
        Sample::page("open-account", shell("Open an account", "/accounts/new", true), &open_account()),
        Sample::page("account", shell("Evaluation 100K", "/accounts/x", true), &account),
        Sample::page("account-empty", shell("Paper", "/accounts/x", true), &empty_account()),
        Sample::page("account-ended", shell("Evaluation 50K", "/accounts/x", true), &ended_account()),
        Sample::page("decision", shell("Decision", "/decisions/x", true), &decision_page(1)),
        Sample::page("decision-denied", shell("Decision", "/decisions/x", true), &decision_page(0)),
        Sample::page("deploy", shell("Run a strategy", "/accounts/x/deploy", true), &deploy()),
        Sample::page("api-docs", shell("API", "/api/docs", true), &api_docs()),
        Sample::page("problems", shell("Refusals", "/problems", false), &Problems { rows: vec![problem()] }),
        Sample::page("problem", shell("Refusal", "/problems/conflict", false), &problem_page()),
    ];
    all.extend(access::samples(&shell));
    all.extend(backtest::samples(&shell));
    all.extend(admin::samples(&shell));
    all.extend(releases::samples(&shell));
    all.extend(licences::samples(&shell));
    all.extend(deployment::samples(&shell));
    all.extend(sso::samples(&shell));
    all.extend(join::samples(&shell));
    all.extend(security::samples(&shell));
    all.extend(audit::samples(&shell));
    all.extend(money::samples(&shell));
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

/// Renders every sample in a theme; answers the template of each with what came of it.
#[must_use]
pub fn render_all(themes: &Themes, theme: &str) -> Vec<(&'static str, Result<String, ThemeError>)> {
    samples(&Look::sample()).iter().map(|sample| (sample.template, themes.render_sample(theme, sample))).collect()
}

/// A risk notice of the usual kind.
const RISK: &str = "Trading leveraged products carries a high level of risk and may not suit everyone. You can lose \
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
            .then(|| Person { email: "trader@example.com".to_owned(), role: Role::Trader.title().to_owned() }),
        nav: if signed_in {
            Shell::navigation(path, if path.starts_with("/admin") { Role::Owner } else { Role::Trader })
        } else {
            Vec::new()
        },
        csrf: "csrf-token".to_owned(),
        path: path.to_owned(),
        mode: None,
        banners: Vec::new(),
    }
}

/// Plans of the usual kinds: free, paid, without limits.
fn plans() -> Vec<Plan> {
    let plan = |code: &str, name: &str, summary: &str, price_minor, limits: [Option<u32>; 3], perks: &[&str]| Plan {
        code: code.to_owned(),
        name: name.to_owned(),
        summary: summary.to_owned(),
        price_minor,
        currency: Currency::USD,
        interval: Interval::Month,
        quotas: Quotas {
            trades_per_day: limits[0],
            instruments: limits[1],
            deployments: limits[2],
            fuel_per_day: None,
        },
        features: Vec::new(),
        perks: perks.iter().map(|perk| (*perk).to_owned()).collect(),
    };
    vec![
        plan(
            "starter",
            "Starter",
            "Try a strategy on a paper account.",
            0,
            [Some(10), Some(1), Some(1)],
            &["Paper account"],
        ),
        plan(
            "trader",
            "Trader",
            "For one trader with a few strategies.",
            2_900,
            [Some(50), Some(3), Some(5)],
            &["Paper and live accounts", "API access"],
        ),
        plan(
            "desk",
            "Desk",
            "For those who run many, on everything.",
            9_900,
            [None, None, None],
            &["Paper and live accounts", "API access", "Priority support"],
        ),
    ]
}

/// What a limit says.
fn too_often() -> Problem {
    let detail = "There were too many tries. Wait 9 minutes and try again.";
    Problem::new(ProblemCode::TooManyRequests, detail).retry_after_s(540)
}

fn refused_sign_in() -> SignIn {
    let text =
        "That e-mail and password do not belong together here. Check both, or ask your broker to reset the password.";
    SignIn::new("trader@example.com", "/dashboard", Some(text.to_owned()))
}

fn rule_card(rule: &PluginRef) -> RuleCard {
    RuleCard::new(&rule.name, &rule.settings, None)
}

fn account_page() -> AccountPage {
    let stats = stats("101284.50", "101267.50", "100890", Some("96890"));
    let rule = plugin("daily-loss", &json!({"percent": 4, "of": "balance at reset", "reset": "00:00", "zone": "UTC"}));
    let cap = plugin("exposure-cap", &json!({"lots": 5}));
    AccountPage {
        curve: curve(100_000, 101_267, 7),
        kill: money::panel(false),
        any_running: true,
        deployments: deployments(),
        strategies: strategies(),
        rules: vec![rule_card(&rule), rule_card(&cap)],
        terms: account_terms(PositionMode::Netting, 30, MarginLevels::default()),
        positions: positions(),
        decisions: decisions(),
        decisions_pager: Pager { newer: None, older: Some("?before=dec_x".to_owned()) },
        order_url: Some(format!("/accounts/{ACCOUNT}/order")),
        working: orders().into_iter().take(1).map(|o| OrderRow { id: format!("waiting-{}", o.id), ..o }).collect(),
        orders: orders(),
        trades: trades(),
        ..AccountPage::new(&ACCOUNT.to_string(), "Evaluation 100K", &AccountStatus::Active, stats, "UTC", "csrf-token")
    }
}

fn empty_account() -> AccountPage {
    let stats = stats("10000", "10000", "10000", None);
    let page = AccountPage::new(&ACCOUNT.to_string(), "Paper", &AccountStatus::Active, stats, "UTC", "csrf-token");
    AccountPage { strategies: strategies(), kill: money::panel(true), ..page }
}

fn ended_account() -> AccountPage {
    let status =
        AccountStatus::Failed("Equity fell to 47,488.10 and the daily loss rule's floor is 47,500.00.".to_owned());
    let stats = stats("47488.10", "47488.10", "50000", Some("47500"));
    let page = AccountPage::new(&ACCOUNT.to_string(), "Evaluation 50K", &status, stats, "UTC", "csrf-token");
    AccountPage { curve: curve(50_000, 47_488, 3), trades: trades(), decisions: decisions(), ..page }
}

fn dashboard() -> Dashboard {
    let card = |name: &str, status: &AccountStatus, stats, curve, running| {
        let card = AccountCard::new(&ACCOUNT.to_string(), name, status, stats, curve, running);
        AccountCard { owner: Some("trader@marque.example".to_owned()), ..card }
    };
    let held = AccountStatus::Held("The rule exposure-cap could not be asked.".to_owned());
    Dashboard {
        title: "All accounts",
        pager: Pager { newer: None, older: Some("/dashboard?after=1".to_owned()) },
        open: None,
        accounts: vec![
            card(
                "Evaluation 100K",
                &AccountStatus::Active,
                stats("101284.50", "101267.50", "100890", Some("96890")),
                curve(100_000, 101_267, 7),
                1,
            ),
            card(
                "Evaluation 25K",
                &held,
                stats("24310.40", "24102.15", "24800", Some("23808")),
                curve(25_000, 24_102, 3),
                2,
            ),
            card("Paper", &AccountStatus::Active, stats("10000", "10000", "10000", None), None, 0),
        ],
        recent: decisions(),
        zone: "UTC".to_owned(),
    }
}

fn ticket() -> TicketPage {
    let waiting = [("ord_0000000000001".to_owned(), "Buy 0.5 EURUSD limit 1.38500".to_owned())];
    let action = "/accounts/acc_0000000000001/order";
    let fields = ticket::new_order("limit", &["EURUSD".to_owned(), "XAUUSD".to_owned()], &waiting, &|_| String::new());
    TicketPage {
        account: Link::new("Evaluation", "/accounts/acc_0000000000001"),
        title: "New order".to_owned(),
        intro: "It passes the platform's checks and the account's rules before it is sent.".to_owned(),
        kinds: ticket::kinds(action, "limit"),
        facts: vec![Setting { label: "EURUSD".to_owned(), value: "1.38727 / 1.38735".to_owned() }],
        forms: vec![TicketForm::new(action.to_owned(), fields, "Place the order", "primary").with("kind", "limit")],
        error: Some("The limit at 1.39000 would trade at once: the price is 1.38727.".to_owned()),
        csrf: "csrf-token".to_owned(),
    }
}

fn open_account() -> OpenAccount {
    let rules = vec![rule_card(&plugin("daily-loss", &json!({ "amount": 5, "zone": "Europe/Prague" })))];
    let refused = "Give the account a name of 1 to 60 characters.".to_owned();
    let catalogue = instruments();
    let cost = |i: &Instrument| {
        let commission_per_lot = Money::whole(4);
        CostRow::of(i, &VenueModel { commission_per_lot, ..VenueModel::default() }, Currency::USD)
    };
    OpenAccount {
        name: OpenAccount::name_field(""),
        balance: stats("100000", "100000", "100000", None).balance,
        terms: account_terms(PositionMode::Hedging, 30, MarginLevels::default()),
        costs: catalogue.iter().map(cost).collect(),
        latency: Some("20 ms".to_owned()),
        rules,
        error: Some(refused),
        csrf: "csrf-token".to_owned(),
    }
}

fn empty_dashboard() -> Dashboard {
    Dashboard {
        title: "Your accounts",
        accounts: Vec::new(),
        pager: Pager { newer: None, older: None },
        open: Some("/accounts/new"),
        recent: Vec::new(),
        zone: "UTC".to_owned(),
    }
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
    let errors = BTreeMap::from([(
        "slow".to_owned(),
        "The slow average must be longer than the fast one: write 13 or more.".to_owned(),
    )]);
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

fn problem() -> ProblemRow {
    ProblemRow {
        href: "/problems/conflict".to_owned(),
        code: "conflict".to_owned(),
        title: "This is not possible in the present state".to_owned(),
        meaning: "The state of the resource does not allow this now.".to_owned(),
        status: 409,
        retry: false,
    }
}

fn problem_page() -> ProblemPage {
    ProblemPage { row: problem(), all: Link::new("All refusals", "/problems") }
}

fn api_docs() -> ApiDocs {
    ApiDocs { spec_url: "/api/v1/openapi.json".to_owned() }
}
