//! The brand's front page and the sign-in page.

use super::{
    Page,
    component::{Field, FieldKind, words},
    sso::SsoWay,
};
use crate::{problem::Problem, tenants, trading::meter::millions};
use marque_domain::tenant::{Interval, Plan};
use serde::Serialize;

/// A line of what a plan gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// The line.
    pub text: String,
}

/// A plan on the front page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanCard {
    /// Its stable code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// For whom it is.
    pub summary: String,
    /// `29` or `29.50`, or `Free`.
    pub price: String,
    /// `USD`, or nothing when it is free.
    pub currency: String,
    /// `a month`, or nothing when it is free.
    pub per: &'static str,
    /// What it gives, quotas first.
    pub features: Vec<Feature>,
    /// Whether the page points to it.
    pub highlighted: bool,
}

impl PlanCard {
    /// A plan as the front page shows it.
    #[must_use]
    pub fn of(plan: &Plan, highlighted: bool) -> Self {
        let (whole, cents) = (plan.price_minor / 100, plan.price_minor.rem_euclid(100));
        let free = plan.price_minor == 0;
        let price = match (free, cents) {
            (true, _) => "Free".to_owned(),
            (_, 0) => whole.to_string(),
            _ => format!("{whole}.{cents:02}"),
        };
        let quota = |limit: Option<u32>, one: &str, many: &str, none: &str| match limit {
            Some(1) => format!("1 {one}"),
            Some(limit) => format!("{limit} {many}"),
            None => none.to_owned(),
        };
        let quotas = [
            quota(plan.quotas.trades_per_day, "trade a day", "trades a day", "Unlimited trades"),
            quota(plan.quotas.instruments, "instrument", "instruments", "All instruments"),
            quota(plan.quotas.deployments, "running strategy", "running strategies", "Unlimited strategies"),
        ];
        let fuel = plan.quotas.fuel_per_day.map(|fuel| format!("{} instructions a day", millions(fuel)));
        Self {
            code: plan.code.clone(),
            name: plan.name.clone(),
            summary: plan.summary.clone(),
            price,
            currency: if free { String::new() } else { plan.currency.code().to_owned() },
            per: match (free, plan.interval) {
                (true, _) => "",
                (_, Interval::Month) => "a month",
                (_, Interval::Year) => "a year",
            },
            features: quotas
                .into_iter()
                .chain(fuel)
                .chain(plan.features.iter().map(|code| feature_words(code)))
                .chain(plan.perks.iter().cloned())
                .map(|text| Feature { text })
                .collect(),
            highlighted,
        }
    }
}

/// A feature as the card names it.
fn feature_words(code: &str) -> String {
    let known = tenants::Feature::ALL.iter().find(|feature| feature.code() == code);
    known.map_or_else(|| words(code), |feature| feature.title().to_owned())
}

/// The brand's front page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Front {
    /// The brand's promise, in a few words.
    pub headline: String,
    /// What it does, in a sentence or two.
    pub intro: String,
    /// What it sells, cheapest first.
    pub plans: Vec<PlanCard>,
    /// Whether who looks is signed in.
    pub signed_in: bool,
}

impl Front {
    /// The front page. Of three or more plans the second is pointed to.
    pub fn new(headline: &str, intro: &str, plans: &[Plan], signed_in: bool) -> Self {
        let plans = plans.iter().enumerate().map(|(i, plan)| PlanCard::of(plan, plans.len() > 2 && i == 1)).collect();
        Self { headline: headline.to_owned(), intro: intro.to_owned(), plans, signed_in }
    }
}

impl Page for Front {
    const TEMPLATE: &'static str = "front";
}

/// The sign-in page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// The address.
    pub email: Field,
    /// The password.
    pub password: Field,
    /// Where to go afterwards: a path of this site.
    pub next: String,
    /// Why the last try failed and what to do; the same for a wrong address and a wrong password.
    pub error: Option<String>,
    /// Other sites that vouch for people.
    pub ways: Vec<SsoWay>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
    /// A question that must be answered with the next try: its token and the field for the answer.
    pub question: Option<SignInQuestion>,
}

/// A question on the sign-in page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInQuestion {
    /// What the form carries back.
    pub token: String,
    /// Where the answer is typed; its label asks.
    pub answer: Field,
}

impl SignIn {
    /// The form, with the address of the last try and why it failed.
    #[must_use]
    pub fn new(email: &str, next: &str, error: Option<String>) -> Self {
        Self {
            email: Field::new(FieldKind::Email, "email", "E-mail").value(email).autocomplete("username"),
            password: Field::new(FieldKind::Password, "password", "Password").autocomplete("current-password"),
            next: next.to_owned(),
            error,
            ways: Vec::new(),
            retry_s: None,
            question: None,
        }
    }

    /// With the seconds until another try is let through.
    #[must_use]
    pub const fn wait(mut self, retry_s: Option<u64>) -> Self {
        self.retry_s = retry_s;
        self
    }

    /// With a question, by its text and its token.
    #[must_use]
    pub fn ask(mut self, text: &str, token: &str) -> Self {
        let answer = Field::new(FieldKind::Text, "answer", text)
            .hint("It keeps programs that guess passwords slow.")
            .autocomplete("off");
        self.question = Some(SignInQuestion { token: token.to_owned(), answer });
        self
    }
}

impl SignIn {
    /// With buttons for other sites.
    #[must_use]
    pub fn ways(mut self, ways: Vec<SsoWay>) -> Self {
        self.ways = ways;
        self
    }
}

impl Page for SignIn {
    const TEMPLATE: &'static str = "sign-in";
}

/// The page that asks for a second proof before a sign-in is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInMore {
    /// What is asked for.
    pub title: &'static str,
    /// Where to find it.
    pub lead: String,
    /// Where the person types it.
    pub code: Field,
    /// Whether a passkey will do too.
    pub passkey: bool,
    /// Why the last try failed and what to do.
    pub error: Option<String>,
    /// Seconds until another try is let through.
    pub retry_s: Option<u64>,
}

impl SignInMore {
    /// Asks for a passkey, a code of the authenticator app, or a backup code.
    #[must_use]
    pub fn second_factor(problem: Option<&Problem>) -> Self {
        Self {
            title: "One more step",
            lead: "Open your authenticator app and enter the code it shows for this site, or use a passkey.".to_owned(),
            code: Field::new(FieldKind::Text, "code", "Code")
                .hint("Six digits from the app, or one of your backup codes.")
                .autocomplete("one-time-code"),
            passkey: true,
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }

    /// Asks for the code that was mailed.
    #[must_use]
    pub fn mailed_code(problem: Option<&Problem>) -> Self {
        Self {
            title: "Check your mail",
            lead: "This sign-in looks unusual, so we have mailed you a code. Enter it here within ten minutes."
                .to_owned(),
            code: Field::new(FieldKind::Text, "code", "Code")
                .hint("Six digits. If it does not come, look into the folder for unwanted mail.")
                .autocomplete("one-time-code"),
            passkey: false,
            error: problem.map(|problem| problem.detail.clone()),
            retry_s: problem.and_then(|problem| problem.retry_after_s),
        }
    }
}

impl Page for SignInMore {
    const TEMPLATE: &'static str = "sign-in-more";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(price_minor: i64, quotas: &str) -> PlanCard {
        let text = format!(
            "code='p'\nname='P'\nsummary='s'\nprice_minor={price_minor}\ncurrency='USD'\ninterval='month'\n\
             features=['decision-history']\nperks=['Priority support']\n[quotas]\n{quotas}"
        );
        PlanCard::of(&toml::from_str(&text).unwrap(), false)
    }

    #[test]
    fn prices_and_quotas_are_words() {
        let lines = |card: PlanCard| card.features.into_iter().map(|f| f.text).collect::<Vec<_>>();
        let free = plan(0, "trades_per_day = 10\ninstruments = 1\ndeployments = 1");
        assert_eq!((free.price.as_str(), free.per), ("Free", ""));
        assert_eq!(
            lines(free),
            ["10 trades a day", "1 instrument", "1 running strategy", "Decision history", "Priority support"]
        );
        let pro = plan(2_950, "");
        assert_eq!((pro.price.as_str(), pro.currency.as_str(), pro.per), ("29.50", "USD", "a month"));
        assert_eq!(lines(pro)[..3], ["Unlimited trades", "All instruments", "Unlimited strategies"]);
    }

    #[test]
    fn what_the_platform_sells_is_named_as_people_write_it() {
        for (code, shown) in [
            ("decision-history", "Decision history"),
            ("api-access", "API access"),
            ("backtests", "Backtests"),
            ("backtest-sweeps", "Backtests of many settings"),
        ] {
            assert_eq!(feature_words(code), shown);
        }
    }
}
