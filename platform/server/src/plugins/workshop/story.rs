//! A strategy's scenario: the strategy in the real sandbox, on the engine that trades live, told as a story of what it
//! did at which bar.

use super::{
    market::{MINUTE_MS, Minutes, START_MS, instrument},
    scenario::Expected,
};
use marque_domain::{
    account::{AccountTerms, Deployment, DeploymentStatus, MarginLevels, PositionMode},
    bar::Timeframe,
    decision::{Decision, Intent, Outcome},
    fixed::Money,
    id::{AccountId, DeploymentId, UserId},
    instrument::Currency,
    order::{Origin, Side},
    plugin::PluginRef,
    time::Millis,
};
use marque_engine::{
    Effects, Record, Shard,
    backtest::{self, Pace, Recording, Setup},
    desk::Commit,
    port::PluginHost,
    venue::VenueModel,
};
use std::{convert::Infallible, sync::Arc};

/// Something that happened, after so many bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happened {
    pub bar: usize,
    pub what: String,
}

/// Takes from the records what an author wants to see.
#[derive(Default)]
struct Story {
    happened: Vec<Happened>,
    log: Vec<String>,
    fault: Option<String>,
}

impl Commit for Story {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        for record in &effects.records {
            match record {
                Record::Decided(decision) => self.happened.push(decided(decision)),
                Record::PositionClosed(position) => {
                    let closed = position.closed.filter(|closed| closed.origin != Origin::Strategy);
                    self.happened.extend(closed.map(|closed| Happened {
                        bar: bar_at(closed.at),
                        what: closed.origin.name().replace('_', "-"),
                    }));
                }
                Record::Faulted { fault, .. } => self.fault = Some(fault.clone()),
                _ => {}
            }
        }
        self.log.extend(effects.logs.iter().map(|(_, at, line)| format!("bar {}: {line}", bar_at(*at))));
        Ok(())
    }
}

/// The bar that was under way at this time, from 1; a bar that has just closed is the one that counts.
fn bar_at(at: Millis) -> usize {
    let passed = at.0 - START_MS;
    let ended = passed % MINUTE_MS == 0;
    usize::try_from(passed / MINUTE_MS).unwrap_or_default() + usize::from(!ended)
}

fn decided(decision: &Decision) -> Happened {
    let mut what = match decision.intent {
        Intent::Open { side, lots, stop_loss, take_profit, .. } => {
            let side = if side == Side::Buy { "buy" } else { "sell" };
            let stop = stop_loss.map(|price| format!(" stop {price}")).unwrap_or_default();
            let target = take_profit.map(|price| format!(" target {price}")).unwrap_or_default();
            format!("{side} {lots}{stop}{target}")
        }
        Intent::Close { .. } => "close".to_owned(),
        other => format!("{other:?}"),
    };
    if let Outcome::Denied(denial) = &decision.outcome {
        what = format!("denied {}: {what}", denial.code());
    }
    Happened { bar: bar_at(decision.at), what }
}

/// Runs a strategy over minutes; answers the faults of the scenario, in words, and the story.
pub(super) fn play(
    host: Arc<dyn PluginHost>,
    plugin: PluginRef,
    minutes: &Minutes,
    expected: &[Expected],
) -> (Vec<String>, Vec<String>) {
    let mut story = Story::default();
    let ran = backtest::run(&setup(plugin), Recording::Minutes(minutes.run()), Pace::Steps, host, &mut story);
    let told: Vec<String> = story
        .happened
        .iter()
        .map(|happened| format!("bar {}: {}", happened.bar, happened.what))
        .chain(story.log.iter().map(|line| format!("log, {line}")))
        .collect();
    if let Err(error) = ran {
        return (vec![format!("It did not start: {error}. Correct `settings` of the scenario.")], told);
    }
    let mut faults: Vec<String> = story.fault.into_iter().map(|fault| format!("It failed: {fault}")).collect();
    let wanted: Vec<Happened> =
        expected.iter().map(|e| Happened { bar: e.bar, what: e.what.trim().to_owned() }).collect();
    faults.extend(first_difference(&wanted, &story.happened));
    (faults, told)
}

fn first_difference(wanted: &[Happened], happened: &[Happened]) -> Option<String> {
    let place = wanted.iter().zip(happened).position(|(a, b)| a != b).unwrap_or(wanted.len().min(happened.len()));
    let words = |one: &Happened| format!("\"{}\" at bar {}", one.what, one.bar);
    match (wanted.get(place), happened.get(place)) {
        (None, None) => None,
        (Some(wanted), Some(got)) => Some(format!("Expected {}, but it did {}.", words(wanted), words(got))),
        (Some(wanted), None) => Some(format!("Expected {}, but nothing more happened.", words(wanted))),
        (None, Some(got)) => Some(format!("It also did {}, which no [[expect]] names.", words(got))),
    }
}

fn setup(plugin: PluginRef) -> Setup {
    let (account, instrument) = (AccountId(1), instrument());
    Setup {
        deployment: Deployment {
            id: DeploymentId(1),
            account,
            plugin,
            instrument: instrument.id,
            timeframe: Timeframe::M1,
            status: DeploymentStatus::Running,
            created_at: Millis(START_MS),
        },
        instrument,
        terms: AccountTerms {
            id: account,
            user: UserId(1),
            name: "Scenario".to_owned(),
            currency: Currency::USD,
            initial_balance: Money::whole(100_000),
            leverage: 100,
            mode: PositionMode::Hedging,
            margin: MarginLevels::default(),
            trades_per_day: None,
            rules: Vec::new(),
        },
        venue: VenueModel::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_counts_once_it_has_closed() {
        for (ms, bar) in [(0, 0), (1, 1), (59_999, 1), (60_000, 1), (60_001, 2), (120_000, 2)] {
            assert_eq!(bar_at(Millis(START_MS + ms)), bar, "{ms}");
        }
    }

    #[test]
    fn the_first_difference_is_told() {
        let all = |list: &[(usize, &str)]| {
            list.iter().map(|(bar, what)| Happened { bar: *bar, what: (*what).to_owned() }).collect::<Vec<_>>()
        };
        let one = all(&[(1, "buy 1"), (2, "close")]);
        assert_eq!(first_difference(&one, &one), None);
        for (other, wanted) in [
            (all(&[(1, "buy 1")]), "nothing more happened"),
            (all(&[(1, "buy 2"), (2, "close")]), "but it did \"buy 2\" at bar 1"),
            (all(&[(1, "buy 1"), (2, "close"), (3, "buy 1")]), "also did \"buy 1\" at bar 3"),
        ] {
            let told = first_difference(&one, &other).unwrap();
            assert!(told.contains(wanted), "{told}");
        }
    }
}
