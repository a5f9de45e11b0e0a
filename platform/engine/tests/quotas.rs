//! What a plan limits is counted over all accounts of its owner, and where it is decided: in the shard.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountTerms, Deployment},
    bar::Timeframe,
    decision::{Intent, Outcome},
    fixed::Money,
    id::{AccountId, DeploymentId, InstrumentId, UserId},
    order::Side,
    tenant::Quotas,
};
use marque_engine::{Command, Desk, Record, Refusal, Shard, venue::SimulatedVenue};
use std::sync::Arc;
use support::{Journal, NativeHost, NoHistory, deployment, instrument, plugin, quote, terms};

/// A desk with the accounts 1 and 2 of one person and 3 of another.
fn desk(trades_per_day: Option<u32>) -> (Desk<SimulatedVenue>, Journal) {
    let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
    let (mut desk, mut journal) = (Desk::new(shard, SimulatedVenue::new(Money::whole(3))), Journal::default());
    desk.quote(&quote(0, 0, 1), &mut journal).unwrap();
    for (id, user) in [(1, 1), (2, 1), (3, 2)] {
        let terms = AccountTerms { id: AccountId(id), user: UserId(user), trades_per_day, ..terms(vec![]) };
        desk.command(Command::OpenAccount(terms), &mut journal).unwrap().unwrap();
    }
    (desk, journal)
}

/// Orders a day are the person's, on whichever of their accounts; another person has their own.
#[test]
fn orders_a_day_count_over_all_accounts_of_a_person_and_follow_their_plan() {
    let (mut desk, mut journal) = desk(Some(2));
    let mut buy = |account: i64, desk: &mut Desk<SimulatedVenue>| {
        let intent = Intent::Open {
            instrument: InstrumentId(1),
            side: Side::Buy,
            lots: "0.1".parse().unwrap(),
            stop_loss: None,
            take_profit: None,
        };
        desk.command(Command::Want { account: AccountId(account), intent }, &mut journal).unwrap().unwrap();
        let decided = journal.records.iter().rev().find_map(|r| match r {
            Record::Decided(decision) => Some(decision.outcome.clone()),
            _ => None,
        });
        match decided.unwrap() {
            Outcome::Approved { .. } => "approved",
            Outcome::Denied(denial) => denial.code(),
        }
    };
    assert_eq!(
        [1, 2, 1, 2, 3].map(|account| buy(account, &mut desk)),
        ["approved", "approved", "daily_trade_limit", "daily_trade_limit", "approved"]
    );
    let limit = |per_day| Command::LimitTrades { user: UserId(1), per_day };
    desk.command(limit(Some(3)), &mut Journal::default()).unwrap().unwrap();
    assert_eq!([2, 1].map(|account| buy(account, &mut desk)), ["approved", "daily_trade_limit"]);
    desk.command(limit(None), &mut Journal::default()).unwrap().unwrap();
    assert_eq!(buy(1, &mut desk), "approved");
    // The same again is no fact.
    let mut quiet = Journal::default();
    desk.command(limit(None), &mut quiet).unwrap().unwrap();
    assert_eq!(quiet.records, []);
}

#[test]
fn strategies_and_their_instruments_are_counted_over_all_accounts_of_a_person() {
    let (mut desk, mut journal) = desk(None);
    let strategy = |id: i64, account: i64| Deployment {
        id: DeploymentId(id),
        account: AccountId(account),
        ..deployment(plugin("dice-bars", "1 8"), Timeframe::M1)
    };
    let quotas = |deployments| Quotas { deployments, ..Quotas::default() };
    let full = Err(Refusal::TooManyStrategies { limit: 2 });
    let table = [
        (Command::Deploy(strategy(11, 1), quotas(Some(2))), Ok(())),
        (Command::Deploy(strategy(12, 2), quotas(Some(2))), Ok(())),
        (Command::Deploy(strategy(13, 1), quotas(Some(2))), full.clone()),
        // Another person has their own quota.
        (Command::Deploy(strategy(14, 3), quotas(Some(2))), Ok(())),
        (Command::Stop(DeploymentId(11)), Ok(())),
        (Command::Deploy(strategy(15, 1), quotas(Some(2))), Ok(())),
        // What was stopped may not slip in again, and what runs is left as it is.
        (Command::Start(DeploymentId(11), quotas(Some(2))), full),
        (Command::Start(DeploymentId(15), quotas(Some(2))), Ok(())),
        (Command::Start(DeploymentId(11), quotas(None)), Ok(())),
        (
            Command::Deploy(strategy(16, 1), Quotas { instruments: Some(0), ..Quotas::default() }),
            Err(Refusal::TooManyInstruments { limit: 0 }),
        ),
        (Command::Deploy(strategy(17, 1), Quotas { instruments: Some(1), ..Quotas::default() }), Ok(())),
    ];
    for (command, answer) in table {
        let said = format!("{command:?}");
        assert_eq!(desk.command(command, &mut journal).unwrap(), answer, "{said}");
    }
}
