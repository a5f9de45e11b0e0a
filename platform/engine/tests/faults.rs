//! Faults of a remote venue, each at four places of an order's way. Whatever happens on the way, the venue's orders equal our
//! intents (O2), the books add up (O3), what was unknown is settled by asking and never by sending again.
//!
//! `XTASK_SOAK_FAULTS=N` runs every cell with N seeds: `cargo xtask soak --faults N`.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    decision::Intent,
    fixed::{Lots, Price},
    id::{AccountId, InstrumentId, OrderId, PositionId},
    order::Side,
    ticket::{Levels, OrderKind, Ticket, TimeInForce},
    time::SECOND_MS,
};
use marque_engine::{Command, Record, oracle::History};
use std::collections::BTreeMap;
use support::{
    quote,
    remote::{Dice, Failure, Fate, On, Rule, World, trial::Trial},
    terms,
};

const SEEDS_SETTING: &str = "XTASK_SOAK_FAULTS";
/// Seeds of each cell: other delays.
const SEEDS: u64 = 8;
/// Each cell is also run with the process dying at one of the first commits; 0 is a life without death.
const DEATHS: usize = 14;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Timeout,
    Reset,
    ServerError,
    TooManyRequests,
    Malformed,
    Duplicate,
    PartialFills,
    FillBeforeAck,
    CancelFillRace,
    Gap,
}

use Fault::{
    CancelFillRace, Duplicate, FillBeforeAck, Gap, Malformed, PartialFills, Reset, ServerError, Timeout,
    TooManyRequests,
};

const FAULTS: [Fault; 10] = [
    Timeout,
    Reset,
    ServerError,
    TooManyRequests,
    Malformed,
    Duplicate,
    PartialFills,
    FillBeforeAck,
    CancelFillRace,
    Gap,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The intent is committed, the request has not reached the venue.
    BeforeSend,
    /// The venue has the request; nothing came back.
    AfterSend,
    /// The venue replied; what it says after that, or when it is asked, is hit.
    AfterReply,
    /// The reply is committed; what is told or withdrawn after that is hit.
    AfterCommit,
}

use Place::{AfterCommit, AfterReply, AfterSend, BeforeSend};

const PLACES: [Place; 4] = [BeforeSend, AfterSend, AfterReply, AfterCommit];

/// What the client sees of a failed call; none when it sees nothing.
fn failure(fault: Fault) -> Option<Failure> {
    match fault {
        Reset => Some(Failure::Reset),
        ServerError => Some(Failure::Status(503)),
        TooManyRequests => Some(Failure::Status(429)),
        Malformed => Some(Failure::Garbage),
        _ => None,
    }
}

fn rule(on: On, fate: Fate) -> Rule {
    Rule { on, skip: 0, times: 1, fate }
}

/// Everything of a kind, for a long while.
fn all(on: On, fate: Fate) -> Rule {
    Rule { on, skip: 0, times: 6, fate }
}

/// What the network does in a cell.
fn rules(fault: Fault, place: Place, delay: i64) -> Vec<Rule> {
    let late = Fate::Arrive(delay);
    let fails = failure(fault).map_or(Fate::Lost, Fate::Fail);
    let arrives = failure(fault).map_or(Fate::Arrive(delay), Fate::ArriveAndFail);
    match (fault, place) {
        (Timeout | Reset | ServerError | TooManyRequests | Malformed, BeforeSend) => vec![rule(On::Submit, fails)],
        // The stream is slow, so that the question comes first.
        (Timeout | Reset | ServerError | TooManyRequests | Malformed, AfterSend) => {
            vec![rule(On::SubmitReply, fails), all(On::Stream, late)]
        }
        // The reply is lost and so are the first answers to the question.
        (Timeout | Reset | ServerError | TooManyRequests | Malformed, AfterReply) => {
            vec![rule(On::SubmitReply, fails), all(On::QueryReply, fails), all(On::Stream, Fate::Lost)]
        }
        // The withdrawal of a committed order is hit, on its way there and on its way back.
        (Timeout | Reset | ServerError | TooManyRequests | Malformed, AfterCommit) => {
            vec![rule(On::Cancel, arrives), rule(On::Cancel, fails), all(On::CancelReply, fails)]
        }
        (Duplicate, BeforeSend) => vec![all(On::Submit, Fate::Twice(0, delay))],
        (Duplicate, AfterSend) => vec![all(On::SubmitReply, Fate::Twice(0, delay))],
        (Duplicate, AfterReply) => vec![all(On::Stream, Fate::Twice(0, 0))],
        (Duplicate, AfterCommit) => vec![all(On::Stream, Fate::Twice(0, delay))],
        (PartialFills, BeforeSend) => vec![rule(On::Submit, late)],
        (PartialFills, AfterSend) => vec![rule(On::SubmitReply, Fate::Lost)],
        (PartialFills, AfterReply) => vec![all(On::Fills, Fate::Twice(delay, 0))],
        (PartialFills, AfterCommit) => vec![Rule { skip: 1, ..rule(On::Fills, Fate::Lost) }],
        (FillBeforeAck, BeforeSend) => vec![rule(On::Submit, late), rule(On::SubmitReply, late)],
        (FillBeforeAck, AfterSend) => vec![all(On::SubmitReply, Fate::Lost)],
        (FillBeforeAck, AfterReply) => vec![all(On::SubmitReply, late)],
        (FillBeforeAck, AfterCommit) => vec![all(On::SubmitReply, Fate::Arrive(4 * SECOND_MS))],
        (CancelFillRace, BeforeSend) => vec![all(On::Cancel, late)],
        (CancelFillRace, AfterSend) => vec![all(On::Cancel, late), all(On::CancelReply, Fate::Lost)],
        (CancelFillRace, AfterReply) => {
            vec![Rule { skip: 1, ..all(On::Fills, late) }, all(On::Cancel, Fate::Arrive(600))]
        }
        (CancelFillRace, AfterCommit) => {
            vec![Rule { skip: 1, ..all(On::Fills, Fate::Lost) }, all(On::Cancel, Fate::Lost)]
        }
        (Gap, _) => vec![],
    }
}

/// What happened in one life of a cell.
struct Lived {
    trial: Trial,
    market: Option<OrderId>,
    limit: Option<OrderId>,
}

fn want(trial: &mut Trial, intent: Intent) -> Option<OrderId> {
    let before = trial.journal.records.len();
    trial.command(Command::Want { account: AccountId(1), intent });
    trial.journal.records[before..].iter().find_map(|r| match r {
        Record::OrderPlaced(order) => Some(order.id),
        _ => None,
    })
}

fn lots(text: &str) -> Lots {
    text.parse().unwrap()
}

fn price(points: i64) -> Price {
    quote(0, points, 0).bid
}

/// An order at the market, one that waits, a withdrawal while its price comes, and a close: all that an order can live
/// through, with the fault on its way.
fn live(fault: Fault, place: Place, seed: u64, dies_at: usize) -> Lived {
    let mut dice = Dice::new(seed);
    let delay = if seed == 0 { 3 * SECOND_MS } else { dice.between(1, 9 * SECOND_MS) };
    let mut world = World::new(seed);
    world.rules = rules(fault, place, delay);
    world.house.halves = fault == PartialFills;
    let mut trial = Trial::new(world, None);
    let mut at = 0;
    let mut show = |trial: &mut Trial, bid: i64| {
        at += 500;
        trial.quote(quote(at, bid, 1));
    };
    let down = |trial: &Trial, ms: i64| {
        let mut world = trial.world.lock().unwrap();
        world.down_until = world.now.plus(ms);
    };
    show(&mut trial, 0);
    trial.command(Command::OpenAccount(terms(vec![]))).unwrap().unwrap();
    if dies_at > 0 {
        trial.die_in(dies_at);
    }
    if (fault, place) == (Gap, BeforeSend) {
        down(&trial, delay);
    }
    let guarded = Intent::Open {
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: lots("1"),
        stop_loss: Some(price(-300)),
        take_profit: Some(price(300)),
    };
    let market = want(&mut trial, guarded);
    if (fault, place) == (Gap, AfterSend) {
        down(&trial, delay);
    }
    (0..6).for_each(|n| show(&mut trial, n % 3));
    let limit = Ticket {
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: lots("0.5"),
        kind: OrderKind::Limit { price: price(-20) },
        time_in_force: TimeInForce::Gtc,
        levels: Levels::default(),
        oco: None,
    };
    let limit = want(&mut trial, Intent::Place(limit));
    if (fault, place) == (Gap, AfterReply) {
        down(&trial, delay);
    }
    (0..3).for_each(|_| show(&mut trial, 1));
    if (fault, place) == (Gap, AfterCommit) {
        down(&trial, delay);
    }
    if let Some(order) = limit {
        want(&mut trial, Intent::Cancel { order });
    }
    // Its price comes at once in the race; else it must not come, or a lost withdrawal would be one.
    (0..4).for_each(|_| show(&mut trial, if matches!(fault, CancelFillRace | Gap) { -40 } else { 2 }));
    (0..20).for_each(|_| show(&mut trial, 2));
    if let Some(order) = market {
        want(&mut trial, Intent::Close { position: PositionId(order.0) });
    }
    (0..10).for_each(|_| show(&mut trial, 3));
    trial.settle();
    Lived { trial, market, limit }
}

fn cell(fault: Fault, place: Place) -> BTreeMap<&'static str, usize> {
    let seeds = std::env::var(SEEDS_SETTING).ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..seeds {
        for dies_at in 0..=DEATHS {
            let lived = live(fault, place, seed, dies_at);
            let broken = lived.trial.broken();
            assert!(broken.is_empty(), "{fault:?} {place:?}, seed {seed}, death at commit {dies_at}: {broken:#?}");
            observe(&lived, dies_at, &mut seen);
        }
    }
    seen
}

/// Takes note of what happened, so that a cell in which nothing did is found.
fn observe(lived: &Lived, dies_at: usize, seen: &mut BTreeMap<&'static str, usize>) {
    let records = &lived.trial.journal.records;
    let history = History::of(records);
    let mut saw = |what, yes: bool| *seen.entry(what).or_default() += usize::from(yes);
    let unknown = |r: &Record| matches!(r, Record::OrderMoved(o) if o.state.name() == "unknown");
    saw("unknown", records.iter().any(unknown));
    saw("unknown without a death", dies_at == 0 && records.iter().any(unknown));
    saw("asked", records.iter().any(|r| matches!(r, Record::Asked { asking, .. } if asking.tries > 0)));
    saw("asked again", records.iter().any(|r| matches!(r, Record::Asked { asking, .. } if asking.tries > 1)));
    saw("answered", records.iter().any(|r| matches!(r, Record::Answered { .. })));
    saw("late fill", !history.disputes.is_empty());
    saw("death", lived.trial.deaths > 0);
    let order = |id: Option<OrderId>| id.and_then(|id| history.orders.iter().find(|o| o.id == id));
    saw("partly", records.iter().any(|r| matches!(r, Record::OrderMoved(o) if o.state.name() == "partial")));
    saw("filled", order(lived.market).is_some_and(|o| o.filled == o.lots));
    saw("withdrawn", order(lived.limit).is_some_and(|o| o.state.name() == "cancelled"));
    let world = lived.trial.world.lock().unwrap();
    saw("refused twice", world.house.orders.values().any(|held| held.refused_twice > 0));
}

#[test]
fn forty_cells_of_venue_faults_lose_nothing_and_double_nothing() {
    let mut cells = 0;
    for fault in FAULTS {
        for place in PLACES {
            let seen = cell(fault, place);
            let happened = |what: &str| seen.get(what).is_some_and(|count| *count > 0);
            let wanted: &[&str] = match (fault, place) {
                (Timeout | Reset | ServerError | TooManyRequests | Malformed, AfterReply) => {
                    &["unknown without a death", "asked again", "answered", "filled"]
                }
                (Timeout | Reset | ServerError | TooManyRequests | Malformed, AfterCommit) => {
                    &["withdrawn", "answered"]
                }
                (Timeout, BeforeSend) => &["unknown without a death", "asked", "answered"],
                (Reset | ServerError | TooManyRequests | Malformed, BeforeSend | AfterSend) => {
                    &["unknown without a death", "asked", "answered", "filled"]
                }
                (Duplicate, BeforeSend) => &["refused twice", "filled"],
                (PartialFills, _) => &["partly", "filled"],
                (CancelFillRace, _) => &["late fill", "withdrawn"],
                (Gap, _) => &["asked", "answered"],
                _ => &["filled"],
            };
            for what in wanted.iter().chain(&["death"]) {
                assert!(happened(what), "{fault:?} {place:?} tests nothing: no life with `{what}`; {seen:?}");
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 40);
}
