//! A rule's day follows its local clock: over ten years, one reset for each local day, whatever the clock does.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountTerms,
    decision::Verdict,
    id::{AccountId, UserId},
    plugin::PluginRef,
    time::{HOUR_MS, MINUTE_MS, Millis, Zone},
};
use marque_engine::{
    Command, Desk, Record, Shard,
    port::{
        AccountView, Assessment, DayReset, Fault, OrderView, PluginHost, RiskRule, Standing, Strategy, StrategyStart,
    },
    venue::SimulatedVenue,
};
use std::{collections::BTreeMap, sync::Arc};
use support::{Journal, NoHistory, START, instrument, plugin, quote, terms};

/// Zones and the minutes of their days: midnight, and times that clocks skip or show twice.
const DAYS: [(&str, u16); 6] = [
    ("Europe/Berlin", 0),
    ("America/New_York", 17 * 60),
    ("America/Santiago", 0),
    ("Asia/Beirut", 0),
    ("Europe/Berlin", 2 * 60 + 30),
    ("America/New_York", 60 + 30),
];
const YEARS: i64 = 10;

struct Days;

impl PluginHost for Days {
    fn strategy(&self, _: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        Err(Fault::Plugin("none here".into()))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let zone = rule.name.parse().map_err(|_| Fault::Plugin("no such zone".into()))?;
        Ok(Box::new(Day(DayReset { zone, minute: rule.settings.parse().unwrap() })))
    }
}

struct Day(DayReset);

impl RiskRule for Day {
    fn day_reset(&self) -> Option<&DayReset> {
        Some(&self.0)
    }

    fn check(&mut self, _: &OrderView, _: &AccountView<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict::Allow)
    }

    fn assess(&mut self, _: &AccountView<'_>) -> Result<Assessment, Fault> {
        Ok(Assessment {
            standing: Standing::Ok,
            reason: String::new(),
            floor: None,
            wake_below: None,
            wake_above: None,
            wake_at: None,
            objectives: Vec::new(),
            only: Vec::new(),
        })
    }
}

#[test]
fn ten_years_have_one_reset_for_each_local_day() {
    let shard = Shard::new(&[instrument()], Arc::new(Days), Box::new(NoHistory));
    let (mut desk, mut journal) = (Desk::new(shard, SimulatedVenue::default()), Journal::default());
    let Ok(()) = desk.quote(&quote(0, 0, 1), &mut journal);
    for (id, (zone, minute)) in (1..).zip(DAYS) {
        let terms =
            AccountTerms { id: AccountId(id), user: UserId(id), ..terms(vec![plugin(zone, &minute.to_string())]) };
        let Ok(answer) = desk.command(Command::OpenAccount(terms), &mut journal);
        answer.unwrap();
    }
    // A quote every half hour, so that each reset is seen at most that late.
    for turn in 1..=YEARS * 366 * 48 {
        let Ok(()) = desk.quote(&quote(turn * 30 * MINUTE_MS, turn % 7, 1), &mut journal);
    }
    let mut begun: BTreeMap<AccountId, Vec<(Millis, Millis)>> = BTreeMap::new();
    for record in &journal.records {
        if let Record::DayBegan { account, anchor, .. } = record {
            begun.entry(*account).or_default().push((anchor.began_at, anchor.next_at));
        }
    }
    for (id, (zone, minute)) in (1..).zip(DAYS) {
        let clock: Zone = zone.parse().unwrap();
        let days = &begun[&AccountId(id)];
        let dates: Vec<_> = days.iter().map(|(began, _)| clock.local(*began).date()).collect();
        for (pair, dates) in days.windows(2).zip(dates.windows(2)) {
            assert_eq!(pair[0].1, pair[1].0, "{zone}: a day begins when the one before ends");
            assert_eq!(
                dates[0].tomorrow().unwrap(),
                dates[1],
                "{zone} at minute {minute}: one reset for each local day"
            );
            let hours = pair[1].0.since(pair[0].0) / HOUR_MS;
            assert!((23..=25).contains(&hours), "{zone}: a day of {hours} hours");
        }
        let lasted = START.plus(YEARS * 366 * 48 * 30 * MINUTE_MS);
        let last = clock.last_daily(lasted, minute);
        assert_eq!(days.last().unwrap().0, last, "{zone}: to the last day");
    }
}
