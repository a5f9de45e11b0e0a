//! A plugin on the gate's market: the same engine, gate and venue as live, gone through several times in ways that must
//! not make a difference.

use super::{
    code::Code,
    market::{self, Market},
    report::{HookFuel, HookTime, Report},
    watched::{Decided, Diary, STATE, Treatment, Watch},
};
use crate::{cache::Compiled, inspect::digest, limits::Limits, sandbox::Shared};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::Timeframe,
    fixed::Money,
    id::{AccountId, DeploymentId, UserId},
    instrument::Currency,
    plugin::{PluginKind, PluginRef},
};
use marque_engine::{
    Effects, Shard,
    backtest::{self, Pace, Recording, Setup},
    desk::Commit,
    port::Fault,
    venue::VenueModel,
};
use std::{
    cell::Cell,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

const SEED: u64 = 0x6D61_7271_7565;
/// Calls after which a strategy is restored from its snapshot.
pub(super) const RENEW_CALLS: u32 = 37;
/// Calls after which one is asked for its snapshot in vain.
const ASK_CALLS: u32 = 3;
/// Places at which history is cut off: some at decisions, where a look ahead pays, the others spread.
const CUTS_AT_DECISIONS: usize = 8;
const CUTS_SPREAD: [usize; 3] = [4, 2, 1];
/// A hook that uses more than one part in so many of its fuel is near its limit.
pub(super) const NEAR: u64 = 2;

/// Nothing is kept: the diary has what is needed.
struct Nobody;

impl Commit for Nobody {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, _: &Effects) -> Result<(), Infallible> {
        Ok(())
    }
}

/// One component with settings, to be tried.
pub(super) struct Trial<'a> {
    pub shared: &'a Arc<Shared>,
    pub compiled: &'a Arc<Compiled>,
    pub settings: String,
    /// Fuel that may still be used.
    pub left: Cell<u64>,
}

impl Trial<'_> {
    /// Tries the plugin in every way and reports.
    pub(super) fn run(&self, report: &mut Report) {
        let market = Market::new(SEED);
        let whole = market::QUOTES;
        let mut live = self.go(&market, whole, Pace::Steps, Treatment::Kept);
        report.decisions = live.decisions.len() as u64;
        report.fuel = profile(&live, &self.shared.limits);
        if let Some(fault) = &live.fault {
            report.find(fault_code(&live), told(fault, &live.log));
            return;
        }
        let again = self.go(&market, whole, Pace::Steps, Treatment::Kept);
        if let Some(detail) = difference(&live.decisions, &again.decisions, i64::MAX) {
            report.find(Code::Nondeterministic, detail);
            return;
        }
        match self.compiled.description.kind {
            PluginKind::Strategy => self.strategy(&market, &mut live, report),
            PluginKind::RiskRule => {
                let asked_anew = self.go(&market, whole, Pace::Steps, Treatment::Renewed(1));
                if let Some(detail) = difference(&live.decisions, &asked_anew.decisions, i64::MAX) {
                    report.find(Code::Impure, detail);
                }
            }
        }
        for hook in report.fuel.clone() {
            if hook.max > hook.limit / NEAR {
                report.find(Code::FuelNear, format!("{}: {} of {}", hook.hook, hook.max, hook.limit));
            }
        }
    }

    /// What each hook costs on this machine, step by step as live.
    pub(super) fn bench(&self) -> Result<Vec<HookTime>, Fault> {
        let market = Market::new(SEED);
        let mut live = self.go(&market, market::QUOTES, Pace::Steps, Treatment::Kept);
        if let Some(fault) = live.fault {
            return Err(fault);
        }
        if self.compiled.description.kind == PluginKind::Strategy {
            let mut asked = self.go(&market, market::QUOTES, Pace::Steps, Treatment::Asked(ASK_CALLS));
            live.take_over(STATE, &mut asked);
        }
        let fuel = profile(&live, &self.shared.limits);
        let of = |fuel: HookFuel| {
            let nanos = live.nanos.get(fuel.hook.as_str()).map(Vec::as_slice).unwrap_or_default();
            HookTime { ns_p50: percentile(nanos, 50), ns_p99: percentile(nanos, 99), fuel }
        };
        Ok(fuel.into_iter().map(of).collect())
    }

    fn strategy(&self, market: &Market, live: &mut Diary, report: &mut Report) {
        if live.decisions.is_empty() {
            report.find(Code::NeverActed, "");
        }
        // First of all: in runs and after a cut it is asked at other times too, and one that minds would look like one that peeks.
        let mut asked = self.go(market, market::QUOTES, Pace::Steps, Treatment::Asked(ASK_CALLS));
        // Whoever never acts was asked only at the beginning, when there is little to say.
        live.take_over(STATE, &mut asked);
        report.fuel = profile(live, &self.shared.limits);
        if !keeps_its_ways(live, &asked, Code::SnapshotActs, report) {
            return;
        }
        // In runs it is handed what comes later as well; step by step it was not.
        let runs = self.go(market, market::QUOTES, Pace::Runs, Treatment::Kept);
        if let Some(detail) = ended_otherwise(live, &runs) {
            report.find(Code::LookAhead, detail);
            return;
        }
        for quotes in cuts(market, &live.decisions) {
            let cut = self.go(market, quotes, Pace::Runs, Treatment::Kept);
            if let Some(detail) = ended_otherwise(live, &cut) {
                report.find(Code::LookAhead, format!("Cut off after {quotes} quotes. {detail}"));
                return;
            }
        }
        let renewed = self.go(market, market::QUOTES, Pace::Steps, Treatment::Renewed(RENEW_CALLS));
        keeps_its_ways(live, &renewed, Code::StateLost, report);
    }

    /// Goes through the first `quotes` quotes of the market once.
    pub(super) fn go(&self, market: &Market, quotes: usize, pace: Pace, treatment: Treatment) -> Diary {
        let diary = Arc::new(Mutex::new(Diary { fuel_most: self.left.get(), ..Diary::default() }));
        let watch = Watch {
            shared: Arc::clone(self.shared),
            compiled: Arc::clone(self.compiled),
            treatment,
            diary: Arc::clone(&diary),
        };
        let recording = Recording::Ticks(market.until(quotes));
        let ran = backtest::run(&self.setup(), recording, pace, Arc::new(watch), &mut Nobody);
        let mut diary = std::mem::take(&mut *diary.lock().unwrap_or_else(PoisonError::into_inner));
        if let (Err(error), None) = (ran, &diary.fault) {
            diary.fail(Fault::Plugin(error.to_string()));
        }
        self.left.set(self.left.get().saturating_sub(diary.fuel_spent));
        diary
    }

    fn setup(&self) -> Setup {
        let description = &self.compiled.description;
        let plugin =
            PluginRef { digest: description.digest, name: description.name.clone(), settings: self.settings.clone() };
        let (strategy, rules) = match description.kind {
            PluginKind::Strategy => (plugin, Vec::new()),
            PluginKind::RiskRule => {
                let trader =
                    PluginRef { digest: digest(b""), name: "gate-trader".to_owned(), settings: "{}".to_owned() };
                (trader, vec![plugin])
            }
        };
        let (account, instrument) = (AccountId(1), market::instrument());
        Setup {
            deployment: Deployment {
                id: DeploymentId(1),
                account,
                plugin: strategy,
                instrument: instrument.id,
                timeframe: Timeframe::M1,
                status: DeploymentStatus::Running,
                created_at: market::START,
            },
            instrument,
            terms: AccountTerms {
                id: account,
                user: UserId(1),
                name: "Gate".to_owned(),
                currency: Currency::USD,
                initial_balance: Money::whole(100_000),
                leverage: 100,
                mode: PositionMode::Hedging,
                margin: MarginLevels::default(),
                trades_per_day: None,
                rules,
            },
            venue: VenueModel::default(),
        }
    }
}

/// Whether a strategy decided as it did before, however it was treated; when it did not, that is a finding.
fn keeps_its_ways(live: &Diary, other: &Diary, code: Code, report: &mut Report) -> bool {
    let differs = difference(&live.decisions, &other.decisions, i64::MAX);
    let fault = other.fault.as_ref().map(|fault| told(fault, &other.log));
    let detail = fault.or(differs);
    let same = detail.is_none();
    if let Some(detail) = detail {
        report.find(code, detail);
    }
    same
}

fn fault_code(diary: &Diary) -> Code {
    // Its settings are what it failed over.
    if diary.saw_nothing() { Code::DoesNotStart } else { Code::Fault }
}

pub(super) fn told(fault: &Fault, log: &[String]) -> String {
    log.iter().map(|line| format!("log: {line}\n")).chain([fault.to_string()]).collect()
}

/// Where history is cut off, in quotes.
fn cuts(market: &Market, decisions: &[Decided]) -> Vec<usize> {
    let stride = (decisions.len() / CUTS_AT_DECISIONS).max(1);
    let at_decisions = decisions.iter().step_by(stride).take(CUTS_AT_DECISIONS).map(|d| market.known_at(d.at));
    let spread = CUTS_SPREAD.iter().map(|part| market::QUOTES / (part + 1));
    let mut cuts: Vec<usize> = at_decisions.chain(spread).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// What differs between a whole run and another that may have ended earlier, up to where the other came.
fn ended_otherwise(live: &Diary, other: &Diary) -> Option<String> {
    match &other.fault {
        Some(fault) => Some(fault.to_string()),
        None => difference(&live.decisions, &other.decisions, other.until),
    }
}

/// The first decision up to `until` that differs.
pub(super) fn difference(one: &[Decided], other: &[Decided], until: i64) -> Option<String> {
    let known = |all: &[Decided]| all.iter().filter(|d| d.at <= until).cloned().collect::<Vec<_>>();
    let (one, other) = (known(one), known(other));
    let at = one.iter().zip(&other).position(|(a, b)| a != b).unwrap_or_else(|| one.len().min(other.len()));
    if at == one.len() && at == other.len() {
        return None;
    }
    let words = |decided: Option<&Decided>| {
        decided.map_or_else(|| "nothing".to_owned(), |d| format!("{} at {}", d.what, time_words(d.at)))
    };
    Some(format!("Decision {}: {} the first time, {} the other.", at + 1, words(one.get(at)), words(other.get(at))))
}

fn time_words(at: i64) -> String {
    let minutes = (at - market::START.0).div_euclid(60_000);
    format!("minute {minutes}")
}

/// What each hook used, event by event.
pub(super) fn profile(diary: &Diary, limits: &Limits) -> Vec<HookFuel> {
    let limit = |hook: &str| match hook {
        "check" | "assess" => limits.check_fuel,
        "on_tick" | "on_order_update" => limits.tick_fuel,
        "on_history" => limits.init_fuel,
        _ => limits.bar_fuel,
    };
    let of = |(hook, samples): (&&'static str, &Vec<u64>)| HookFuel {
        hook: (*hook).to_owned(),
        events: samples.len() as u64,
        p50: percentile(samples, 50),
        p99: percentile(samples, 99),
        max: percentile(samples, 100),
        limit: limit(hook),
    };
    diary.fuel.iter().map(of).collect()
}

/// The sample below which so many of a hundred lie; nothing of no samples.
fn percentile(samples: &[u64], percent: usize) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(all: &[(i64, &str)]) -> Vec<Decided> {
        all.iter().map(|(at, what)| Decided { at: *at, what: (*what).to_owned() }).collect()
    }

    #[test]
    fn what_differs_is_named_and_what_came_later_does_not_count() {
        let one = decided(&[(1, "buy"), (5, "sell"), (9, "buy")]);
        assert_eq!(difference(&one, &one, i64::MAX), None);
        assert_eq!(difference(&one, &decided(&[(1, "buy"), (5, "sell")]), 8), None);
        for (other, until) in [
            (decided(&[(1, "buy"), (5, "sell")]), 9),
            (decided(&[(1, "buy"), (5, "buy")]), 5),
            (decided(&[(1, "buy"), (6, "sell")]), 6),
            (decided(&[(0, "buy")]), 1),
            (decided(&[]), 1),
        ] {
            assert!(difference(&one, &other, until).is_some_and(|text| text.starts_with("Decision")), "{other:?}");
        }
    }

    #[test]
    fn a_profile_is_sorted_and_bounded_by_its_samples() {
        let mut diary = Diary::default();
        diary.fuel.insert("on_bar", (1..=100).rev().collect());
        let profile = profile(&diary, &Limits::default());
        let hook = &profile[0];
        assert_eq!((hook.events, hook.p50, hook.p99, hook.max), (100, 51, 100, 100));
        assert_eq!(hook.limit, Limits::default().bar_fuel);
    }

    #[test]
    fn a_plugin_that_saw_nothing_did_not_start() {
        assert_eq!(fault_code(&Diary::default()), Code::DoesNotStart);
        assert_eq!(fault_code(&Diary { until: 5, ..Diary::default() }), Code::Fault);
    }

    #[test]
    fn history_is_cut_at_decisions() {
        let market = Market::new(SEED);
        let minute = 60_000;
        let cut = cuts(&market, &decided(&[(market::START.0 + minute, "buy")]));
        assert!(cut.contains(&5), "the quote at which the first minute is known to be over: {cut:?}");
        assert_eq!(cut.len(), 4);
    }
}
