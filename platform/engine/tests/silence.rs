//! A rule that gives no answer holds its account, also across a restart: nothing new passes before every rule was asked and has
//! answered.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountStatus,
    decision::{Denial, Outcome, Verdict},
    fixed::Lots,
    id::{AccountId, InstrumentId},
    order::Side,
    plugin::PluginRef,
};
use marque_engine::{
    Command, Desk, Effects, Event, Record,
    port::{AccountView, Assessment, DayReset, Fault, OrderView, PluginHost, RiskRule, Strategy, StrategyStart},
    venue::{SimulatedVenue, VenueModel},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use support::{
    NativeHost, START,
    mortal::{Mortal, restored, revive_with},
    open, plugin, quote, terms,
};

const RULES: [&str; 2] = ["floor", "daily-floor"];

/// Starts native rules, of which those that are named do not assess. Asked about an order they answer all the same.
#[derive(Clone, Default)]
struct Moody(Arc<Mutex<BTreeSet<&'static str>>>);

impl Moody {
    fn silence(&self, rules: &[&'static str]) {
        *self.0.lock().unwrap() = rules.iter().copied().collect();
    }

    fn restart(&self, journal: &mut Mortal) -> Desk<SimulatedVenue> {
        revive_with(Arc::new(self.clone()), VenueModel::default(), journal)
    }
}

impl PluginHost for Moody {
    fn strategy(&self, start: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        NativeHost.strategy(start)
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let (name, code) = (rule.name.clone(), NativeHost.rule(rule)?);
        Ok(Box::new(Mood { name, code, silent: self.clone() }))
    }
}

struct Mood {
    name: String,
    code: Box<dyn RiskRule>,
    silent: Moody,
}

impl RiskRule for Mood {
    fn day_reset(&self) -> Option<&DayReset> {
        self.code.day_reset()
    }

    fn check(&mut self, _: &OrderView, _: &AccountView<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict::Allow)
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        if self.silent.0.lock().unwrap().contains(self.name.as_str()) {
            return Err(Fault::Host("stopped at its deadline".into()));
        }
        self.code.assess(account)
    }
}

/// An account with two rules, at a node whose rules are in this mood.
fn begin(host: &Moody) -> (Desk<SimulatedVenue>, Mortal) {
    let mut journal = Mortal::default();
    let mut desk = host.restart(&mut journal);
    desk.quote(&quote(0, 0, 1), &mut journal).unwrap();
    let rules = RULES.map(|name| plugin(name, "5000")).to_vec();
    desk.command(Command::OpenAccount(terms(rules)), &mut journal).unwrap().unwrap();
    (desk, journal)
}

fn buy() -> Command {
    Command::Want { account: AccountId(1), intent: open(InstrumentId(1), Side::Buy, Lots::from_units(1_000_000)) }
}

fn last_outcome(records: &[Record]) -> Outcome {
    let decided = records.iter().rev().find_map(|r| match r {
        Record::Decided(decision) => Some(decision.outcome.clone()),
        _ => None,
    });
    decided.unwrap()
}

fn is_held(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Denied(Denial::AccountHeld { .. }))
}

/// Whether an order is let through now.
fn passes(desk: &mut Desk<SimulatedVenue>, journal: &mut Mortal) -> bool {
    desk.command(buy(), journal).unwrap().unwrap();
    let outcome = last_outcome(&journal.records);
    let held = matches!(desk.shard().state().accounts[&AccountId(1)].status, AccountStatus::Held(_));
    assert_eq!(held, is_held(&outcome), "{outcome:?}");
    !held
}

#[test]
fn an_account_goes_on_after_a_restart_only_when_every_rule_answers() {
    let cases: [(&[&str], &[&str], bool); 6] = [
        (&[], &[], true),
        (&[], &["floor"], false),
        (&[], &["daily-floor"], false),
        (&["floor"], &["floor"], false),
        // Another one than before: who answers again does not speak for it.
        (&["floor"], &["daily-floor"], false),
        (&["floor", "daily-floor"], &[], true),
    ];
    for (before, after, passed) in cases {
        let host = Moody::default();
        host.silence(before);
        let (mut desk, mut journal) = begin(&host);
        assert_eq!(passes(&mut desk, &mut journal), before.is_empty(), "{before:?}");
        host.silence(after);
        let mut desk = host.restart(&mut journal);
        assert_eq!(passes(&mut desk, &mut journal), passed, "{before:?}, then {after:?}");
        // Whoever is silent is asked again every minute.
        host.silence(&[]);
        desk.quote(&quote(61_000, 0, 1), &mut journal).unwrap();
        assert!(passes(&mut desk, &mut journal), "{before:?}, then {after:?}, then nobody");
    }
}

/// The shard's own order of events asks them first; were it another one, an order would wait all the same.
#[test]
fn before_its_rules_were_asked_an_account_takes_nothing_new() {
    let host = Moody::default();
    let (mut desk, mut journal) = begin(&host);
    assert!(passes(&mut desk, &mut journal));
    let (mut shard, mut fx) = (restored(Arc::new(host), &journal), Effects::default());
    let now = START.plus(1_000);
    shard.step(now, Event::Command(buy()), &mut fx).unwrap();
    assert!(is_held(&last_outcome(&fx.records)), "{:?}", fx.records);
    shard.step(now, Event::Recovered, &mut fx).unwrap();
    shard.step(now, Event::Command(buy()), &mut fx).unwrap();
    assert!(matches!(last_outcome(&fx.records), Outcome::Approved { .. }), "{:?}", fx.records);
}
