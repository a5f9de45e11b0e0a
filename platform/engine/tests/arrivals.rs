//! Orders that are on their way to a venue with books of its own when what they were for ends: by a rule that fails or flattens
//! the account, with their strategy, with the other order of their pair. And closes that a rule requires and that come to nothing.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountStatus,
    bar::Timeframe,
    decision::{Intent, Outcome},
    fixed::Lots,
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId},
    order::{Order, OrderState, Side},
    tenant::Quotas,
    ticket::{Levels, OrderKind, Ticket, TimeInForce},
};
use marque_engine::{Command, Record, port::VenueReport, state::AccountState};
use support::{
    deployment, open, plugin, quote,
    remote::{Dice, Fate, On, Rule, World, trial::Trial},
    scripted::{ACCOUNT, Bench, filled, lots},
    terms,
};

/// Where the account of [`failing`] fails.
const LOW: i64 = -120;

fn account(bench: &Bench) -> &AccountState {
    &bench.state().accounts[&ACCOUNT]
}

fn has_failed(account: &AccountState) -> bool {
    matches!(account.status, AccountStatus::Failed(_))
}

fn acked(order: OrderId) -> VenueReport {
    VenueReport::Acked { order }
}

fn limit(side: Side, lots: Lots, points: i64, oco: Option<OrderId>) -> Intent {
    Intent::Place(Ticket {
        instrument: InstrumentId(1),
        side,
        lots,
        kind: OrderKind::Limit { price: quote(0, points, 0).bid },
        time_in_force: TimeInForce::Gtc,
        levels: Levels::default(),
        oco,
    })
}

fn placed(outcome: &Outcome) -> OrderId {
    let Outcome::Approved { order, .. } = outcome else { unreachable!("it was denied: {outcome:?}") };
    *order
}

/// How often an order went to the venue.
fn sent(bench: &Bench, order: OrderId) -> usize {
    bench.venue.script().submitted.iter().filter(|id| **id == order).count()
}

/// An account that holds a position and fails while another order is on its way. Answers the position's order and the other.
fn failing() -> (Bench, OrderId, OrderId) {
    let mut bench = Bench::with_rules(vec![plugin("floor", "9900")]);
    let held = bench.buy("10");
    bench.say([filled(held, "held", "10")]);
    let id = bench.buy("1");
    bench.show(1_000, LOW);
    assert!(has_failed(account(&bench)), "{:?}", account(&bench).status);
    assert_eq!(bench.order(id).state, OrderState::Sending, "whether it arrived is not known");
    assert!(account(&bench).is_closing(PositionId(held.0)));
    (bench, held, id)
}

#[test]
fn an_order_that_arrives_on_an_account_that_failed_is_withdrawn_and_what_traded_is_closed() {
    type Arrives = fn(&mut Bench, OrderId);
    let cases: [(&str, Arrives, OrderState, &str); 4] = [
        ("acknowledged", |b, id| b.say([acked(id)]), OrderState::Cancelled, "0"),
        (
            "found when it was asked about",
            |b, id| {
                b.say([VenueReport::Lost { order: id }]);
                let waits = Some(b.order(id).kind);
                b.say([VenueReport::Found { order: id, said: vec![], waits }]);
            },
            OrderState::Cancelled,
            "0",
        ),
        ("trading in part", |b, id| b.say([filled(id, "a", "0.2")]), OrderState::Cancelled, "0.2"),
        // The floor's rule halves what an account below its peak opens.
        ("traded", |b, id| b.say([filled(id, "a", "0.5")]), OrderState::Filled, "0.5"),
    ];
    for (how, arrives, state, traded) in cases {
        let (mut bench, _, id) = failing();
        arrives(&mut bench, id);
        let order = bench.order(id).clone();
        assert_eq!((order.state, order.filled), (state, lots(traded)), "{how}");
        let position = PositionId(id.0);
        assert_eq!(bench.held(id).is_some(), order.filled > Lots::ZERO, "{how}");
        assert_eq!(account(&bench).is_closing(position), order.filled > Lots::ZERO, "{how}: closed at once");
        if state == OrderState::Cancelled {
            // In question like every withdrawal, until the venue says that it is over.
            bench.pass(1_000);
            assert_eq!(bench.venue.script().asked.last(), Some(&id), "{how}");
        }
        bench.check();
    }
}

#[test]
fn an_order_that_never_arrived_is_not_sent_to_an_account_that_failed() {
    let (mut bench, _, id) = failing();
    bench.say([VenueReport::Lost { order: id }, VenueReport::NotFound { order: id }]);
    assert_eq!((bench.order(id).state, sent(&bench, id)), (OrderState::Cancelled, 1));
    bench.check();
}

/// A rule that wants everything closed for a while says so once more when something arrives.
#[test]
fn an_order_that_arrives_while_a_rule_wants_the_account_flat_is_withdrawn() {
    let mut bench = Bench::with_rules(vec![plugin("curfew", "1000")]);
    let (early, id) = (bench.buy("1"), bench.buy("1"));
    bench.say([acked(early)]);
    assert_eq!(bench.order(early).state, OrderState::Acked, "before it is late nobody minds");
    bench.show(1_500, 0);
    let states = [early, id].map(|order| bench.order(order).state);
    assert_eq!(states, [OrderState::Cancelled, OrderState::Sending]);
    bench.say([acked(id)]);
    assert_eq!(bench.order(id).state, OrderState::Cancelled);
    bench.check();
}

#[test]
fn an_order_that_arrives_after_its_strategy_was_stopped_is_withdrawn() {
    let mut bench = Bench::new();
    let deployed = deployment(plugin("dice-ticks", "3 1"), Timeframe::M1);
    bench.command(Command::Deploy(deployed, Quotas::default())).unwrap();
    let mut n = 0;
    while account(&bench).orders.is_empty() {
        n += 1;
        assert!(n < 50, "it wants nothing");
        bench.show(n * 500, 0);
    }
    let id = account(&bench).orders[0].id;
    bench.command(Command::Stop(DeploymentId(5))).unwrap();
    assert_eq!(bench.order(id).state, OrderState::Sending);
    bench.say([acked(id)]);
    assert_eq!(bench.order(id).state, OrderState::Cancelled);
    bench.check();
}

/// At most one of a pair trades, also when the other was still on its way.
#[test]
fn an_order_that_arrives_after_the_other_of_its_pair_traded_is_withdrawn() {
    let mut bench = Bench::new();
    let outcome = bench.want(limit(Side::Buy, lots("1"), -100, None));
    let first = placed(&outcome);
    bench.say([acked(first)]);
    let outcome = bench.want(limit(Side::Sell, lots("1"), 100, Some(first)));
    let second = placed(&outcome);
    bench.say([filled(first, "a", "0.5")]);
    assert_eq!(bench.order(second).state, OrderState::Sending);
    bench.say([acked(second)]);
    assert_eq!((bench.order(first).state, bench.order(second).state), (OrderState::Partial, OrderState::Cancelled));
    bench.check();
}

/// Nobody asks the rules of an account that has failed, so nobody else would close it.
#[test]
fn a_close_that_a_rule_requires_is_wanted_again_when_it_comes_to_nothing() {
    let (mut bench, held, _) = failing();
    let closing = |bench: &Bench| {
        let closes = |o: &&Order| o.purpose.closes(PositionId(held.0));
        account(bench).orders.iter().find(closes).map(|o| o.id)
    };
    let first = closing(&bench).unwrap();
    bench.say([VenueReport::Rejected { order: first, reason: "too many requests".into() }]);
    bench.show(1_500, LOW);
    assert_eq!(closing(&bench), None, "not at once");
    bench.show(2_000, LOW);
    let second = closing(&bench).unwrap();
    // Lost, and old when the venue says that it never had it. The wait is twice as long.
    bench.say([VenueReport::Lost { order: second }]);
    bench.pass(2_500);
    bench.say([VenueReport::NotFound { order: second }]);
    assert_eq!(bench.order(second).state, OrderState::Cancelled);
    bench.show(6_000, LOW);
    assert_eq!(closing(&bench), None);
    bench.show(6_500, LOW);
    let third = closing(&bench).unwrap();
    bench.say([filled(third, "z", "10")]);
    assert_eq!((bench.held(held), closing(&bench)), (None, None));
    bench.show(20_000, LOW);
    assert_eq!(closing(&bench), None);
    bench.check();
}

fn want(trial: &mut Trial, intent: Intent) {
    trial.command(Command::Want { account: AccountId(1), intent });
}

/// One life of an account that fails while orders are on their way, each as late as chance wants it.
fn live(seed: u64, dies_at: usize) -> Trial {
    let mut dice = Dice::new(seed);
    let late = Fate::Arrive(dice.between(1, 9_000));
    let mut world = World::new(seed);
    // The position's order arrives; the next two are late.
    world.rules = vec![Rule { on: On::Submit, skip: 1, times: 2, fate: late }];
    world.house.halves = dice.chance(40);
    let mut trial = Trial::new(world, None);
    let mut at = 0;
    let mut show = |trial: &mut Trial, bid: i64| {
        at += 500;
        trial.quote(quote(at, bid, 1));
    };
    show(&mut trial, 0);
    trial.command(Command::OpenAccount(terms(vec![plugin("floor", "9900")]))).unwrap().unwrap();
    if dies_at > 0 {
        trial.die_in(dies_at);
    }
    let buy = |lots: &str| open(InstrumentId(1), Side::Buy, lots.parse().unwrap());
    want(&mut trial, buy("10"));
    (0..3).for_each(|n| show(&mut trial, n));
    want(&mut trial, buy("1"));
    want(&mut trial, limit(Side::Buy, lots("1"), -400, None));
    // A fall, which the next quote confirms.
    (0..6).for_each(|n| show(&mut trial, -150 - n % 2));
    trial.world.lock().unwrap().rough = 10;
    (0..12).for_each(|n| show(&mut trial, -150 - n % 3));
    // Twice: a close that came to nothing last waits the longest, and meanwhile all is quiet.
    trial.settle();
    trial.settle();
    trial
}

#[test]
fn whatever_is_on_its_way_an_account_that_failed_ends_flat_here_and_at_the_venue() {
    let (mut failed, mut late) = (0, 0);
    for seed in 0..24 {
        for dies_at in 0..=8 {
            let trial = live(seed, dies_at);
            let which = format!("seed {seed}, death at commit {dies_at}");
            assert!(trial.broken().is_empty(), "{which}: {:#?}", trial.broken());
            let account = &trial.state().accounts[&AccountId(1)];
            if !has_failed(account) {
                // The first order died with the process.
                assert!(dies_at > 0, "{which}");
                continue;
            }
            failed += 1;
            assert!(account.positions.is_empty() && account.orders.is_empty(), "{which}: {account:#?}");
            let world = trial.world.lock().unwrap();
            assert!(world.house.positions.is_empty(), "{which}: {:#?}", world.house.positions);
            assert!(world.house.statement().iter().all(|order| !order.working), "{which}");
            let records = &trial.journal.records;
            let fails = |r: &Record| matches!(r, Record::AccountChanged { status: AccountStatus::Failed(_), .. });
            let after = records.iter().position(fails).unwrap_or(records.len());
            let opened = |r: &Record| matches!(r, Record::PositionOpened(_));
            late += usize::from(records[after..].iter().any(opened));
        }
    }
    assert!(failed > 100 && late > 10, "{failed} accounts failed, on {late} something traded afterwards");
}
