//! The laws of orders: whatever is placed, changed and withdrawn, on whatever market and terms.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountTerms, PositionMode},
    bar::{Quote, Timeframe},
    fixed::{Lots, Money, Price},
    id::{AccountId, OrderId},
    order::{Order, OrderState, Purpose, Side},
    tenant::Quotas,
    ticket::OrderKind,
};
use marque_engine::{
    Command, Desk, Record,
    venue::{SimulatedVenue, Slippage, Spread, VenueModel},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::{
    deployment,
    mortal::{Mortal, desk, feed, outcome, revive},
    plugin, quote, terms,
};

fn models() -> impl Strategy<Value = VenueModel> {
    let points = |points: i64| Price::from_units(points * 1_000);
    let spread = prop::sample::select(vec![Spread::Quoted, Spread::Markup(points(4)), Spread::Minimum(points(12))]);
    let slippage = prop::sample::select(vec![Slippage::None, Slippage::Fixed(points(3)), Slippage::Random(points(9))]);
    let liquidity = prop::sample::select(vec![None, Some("0.5"), Some("1.13")]);
    let latency = prop::sample::select(vec![0, 0, 700, 20_000]);
    (spread, slippage, latency, liquidity, any::<u64>()).prop_map(|(spread, slippage, latency_ms, liquidity, seed)| {
        let liquidity = liquidity.map(|lots| lots.parse().unwrap());
        VenueModel { commission_per_lot: "3.5".parse().unwrap(), spread, slippage, latency_ms, liquidity, seed }
    })
}

fn modes() -> impl Strategy<Value = PositionMode> {
    prop::sample::select(vec![PositionMode::Hedging, PositionMode::Netting])
}

/// A walk with gaps in time and price, and quotes that are locked or crossed.
fn walks() -> impl Strategy<Value = Vec<Quote>> {
    prop::collection::vec((1..30_000_i64, -25..=25_i64, -1..20_i64), 20..400).prop_map(|steps| {
        let (mut at, mut bid) = (1, 0);
        let quotes = steps.into_iter().map(|(gap, step, spread)| {
            at += gap * if gap > 29_700 { 900 } else { 1 };
            bid += step * if step.abs() == 25 { 6 } else { 1 };
            quote(at, bid, spread)
        });
        quotes.collect()
    })
}

fn begin(desk: &mut Desk<SimulatedVenue>, journal: &mut Mortal, settings: &str, mode: PositionMode) -> Result<(), ()> {
    desk.quote(&quote(0, 0, 1), journal)?;
    let terms = AccountTerms { mode, initial_balance: Money::whole(20_000), ..terms(vec![plugin("floor", "5000")]) };
    desk.command(Command::OpenAccount(terms), journal)?.unwrap();
    let clerk = deployment(plugin("clerk-both", settings), Timeframe::M1);
    desk.command(Command::Deploy(clerk, Quotas::default()), journal)?.unwrap();
    Ok(())
}

/// Every state of every order, in their order.
fn histories(records: &[Record]) -> BTreeMap<OrderId, Vec<&Order>> {
    let mut histories: BTreeMap<OrderId, Vec<&Order>> = BTreeMap::new();
    for record in records {
        if let Record::OrderPlaced(order) | Record::OrderMoved(order) = record {
            histories.entry(order.id).or_default().push(order);
        }
    }
    histories
}

fn within_its_limit(kind: OrderKind, side: Side, price: Price) -> bool {
    kind.limit().is_none_or(|limit| if side == Side::Buy { price <= limit } else { price >= limit })
}

fn lives_are_lawful(records: &[Record]) {
    let mut of_group: BTreeMap<OrderId, BTreeSet<OrderId>> = BTreeMap::new();
    for (id, history) in histories(records) {
        let last = history.last().unwrap();
        let finals = history.iter().filter(|o| o.state.is_final()).count();
        assert!(finals <= 1, "{id} ended {finals} times");
        assert_eq!(finals == 1, last.state.is_final(), "{id} went on after its end");
        for (before, after) in history.iter().zip(history.iter().skip(1)) {
            assert!(after.filled >= before.filled && after.filled <= after.lots, "{before:?} {after:?}");
            assert_eq!(before.lots, after.lots);
        }
        assert_eq!(last.filled == last.lots, last.state == OrderState::Filled, "{last:?}");
        for order in &history {
            if let Some(price) = order.fill_price {
                assert!(within_its_limit(order.kind, order.side, price), "{order:?}");
            }
        }
        if last.filled > Lots::ZERO && last.purpose == Purpose::Open {
            of_group.entry(last.group()).or_default().insert(id);
        }
    }
    for (group, traded) in of_group {
        assert!(traded.len() == 1, "of the group of {group} traded {traded:?}");
    }
}

/// The lots that opened are those that were closed or are still open, and every posting is balanced.
fn books_are_balanced(records: &[Record], desk: &Desk<SimulatedVenue>) {
    let account = &desk.shard().state().accounts[&AccountId(1)];
    let mut cash: i128 = 0;
    for record in records {
        if let Record::Moved(moved) = record {
            let sum: i128 = moved.postings().iter().map(|p| i128::from(p.amount.units())).sum();
            assert_eq!(sum, 0);
            cash += i128::from(moved.cash().units());
        }
    }
    assert_eq!(cash, i128::from(account.balance.units()));
    let traded = |side: Side| -> i64 {
        let last = histories(records).into_values().filter_map(|h| h.last().copied());
        last.filter(|o| o.side == side && !matches!(o.purpose, Purpose::CloseBy { .. })).map(|o| o.filled.units()).sum()
    };
    let held: i64 =
        account.positions.iter().map(|p| if p.side == Side::Buy { p.lots.units() } else { -p.lots.units() }).sum();
    assert_eq!(traded(Side::Buy) - traded(Side::Sell), held, "what was bought and not sold is what is held");
    if account.terms.mode == PositionMode::Netting {
        assert!(account.positions.len() <= 1, "{:?}", account.positions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    #[test]
    fn orders_live_lawfully_and_books_balance(
        quotes in walks(), seed: u32, every in 1..6_u64, model in models(), mode in modes(),
    ) {
        let mut journal = Mortal::default();
        let mut desk = desk(model);
        begin(&mut desk, &mut journal, &format!("{seed} {every}"), mode).unwrap();
        feed(&mut desk, &mut journal, &quotes).unwrap();
        lives_are_lawful(&journal.records);
        books_are_balanced(&journal.records, &desk);
    }

    /// Killed at any commit and started again, the desk ends with the same orders, positions and ledger.
    #[test]
    fn a_kill_loses_and_doubles_no_order(
        quotes in walks(), seed: u32, every in 1..6_u64, model in models(), mode in modes(),
        kills in prop::collection::vec(1..25_usize, 1..6),
    ) {
        let settings = format!("{seed} {every}");
        let mut calm = Mortal::default();
        let mut undisturbed = desk(model);
        begin(&mut undisturbed, &mut calm, &settings, mode).unwrap();
        feed(&mut undisturbed, &mut calm, &quotes).unwrap();

        let mut journal = Mortal::default();
        let mut killed = desk(model);
        begin(&mut killed, &mut journal, &settings, mode).unwrap();
        for kill in kills {
            journal.dies_at = journal.commits + kill;
            if feed(&mut killed, &mut journal, &quotes).is_err() {
                killed = revive(model, &mut journal);
            }
        }
        journal.dies_at = 0;
        feed(&mut killed, &mut journal, &quotes).unwrap();
        let (left, right) = (outcome(&journal.records), outcome(&calm.records));
        for (index, (a, b)) in left.iter().zip(&right).enumerate() {
            prop_assert_eq!(a, b, "record {} of {} and {}", index, left.len(), right.len());
        }
        prop_assert_eq!(left.len(), right.len());
        prop_assert_eq!(killed.shard().state().accounts.clone(), undisturbed.shard().state().accounts.clone());
    }
}

#[test]
fn the_clerk_does_what_these_laws_are_about() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for seed in 0..40_u64 {
        let mut journal = Mortal::default();
        let model = VenueModel { liquidity: Some("0.5".parse().unwrap()), ..VenueModel::default() };
        let mut desk = desk(model);
        begin(&mut desk, &mut journal, &format!("{seed} 2"), PositionMode::Hedging).unwrap();
        let steps = (0..300_i64).map(|n| quote(n * 4_000, ((n * 37 + seed as i64 * 11) % 160) - 80, 8));
        feed(&mut desk, &mut journal, &steps.collect::<Vec<_>>()).unwrap();
        for order in histories(&journal.records).into_values().filter_map(|h| h.last().copied()) {
            seen.insert(order.state.name());
            if order.state == OrderState::Filled {
                seen.insert(order.kind.name());
            }
            if order.oco.is_some() && order.filled > Lots::ZERO {
                seen.insert("one of a pair");
            }
            seen.extend(matches!(order.purpose, Purpose::CloseBy { .. }).then_some("close by"));
        }
        let partly = |r: &&Record| matches!(r, Record::PositionChanged(p) if p.closed_lots > Lots::ZERO);
        seen.extend(journal.records.iter().find(partly).map(|_| "partly closed"));
    }
    let wanted = [
        "cancelled",
        "filled",
        "market",
        "limit",
        "stop",
        "stop_limit",
        "trailing_stop",
        "one of a pair",
        "close by",
        "partly closed",
    ];
    for wanted in wanted {
        assert!(seen.contains(wanted), "{wanted} never happened: the laws test nothing of it");
    }
}
