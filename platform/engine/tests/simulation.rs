//! Seeded simulation of clock, venue, network, people and crashes. One seed is one life of a desk with its accounts: strategies,
//! rules, orders of every kind, money that people move, kill switches, weather on the line, a process that dies at any commit,
//! and a clock that jumps. After each the laws hold: O1, O2, O3, and that nothing that time brings comes twice. O4 begins with
//! payments, which there are none of yet; O6 needs the keys of the audit log and is asked of the running program.
//!
//! `XTASK_SOAK_SEEDS=N` runs N seeds (`cargo xtask soak --seeds N`), `XTASK_SIM_SEED=N` only that one, as a failure names it.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountTerms, Deployment, PositionMode},
    bar::Timeframe,
    decision::Intent,
    fixed::{Lots, Money, Price},
    id::{AccountId, DeploymentId, InstrumentId, OrderId, PositionId, UserId},
    kill::{Authority, Kill, KillMode, KillScope},
    ledger::{
        TransactionKind,
        movement::{Memo, Movement, MovementKind},
    },
    order::{OrderState, Purpose, Side},
    tenant::Quotas,
    ticket::{Amendment, Levels, OrderKind, Ticket, TimeInForce, Trail},
    time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis},
};
use marque_engine::{
    Command, Record,
    oracle::History,
    venue::{Slippage, Spread, VenueModel},
};
use std::{collections::BTreeMap, panic::AssertUnwindSafe};
use support::{
    START, deployment, plugin, quote,
    remote::{Dice, World, trial::Trial},
    terms,
};

const SEEDS: u64 = 200;
const SEEDS_SETTING: &str = "XTASK_SOAK_SEEDS";
const ONE_SEED_SETTING: &str = "XTASK_SIM_SEED";
const EURUSD: InstrumentId = InstrumentId(1);

fn points(points: i64) -> Price {
    Price::from_units(points * 1_000)
}

fn pick<T: Copy>(dice: &mut Dice, all: &[T]) -> T {
    all[dice.below(all.len() as u64) as usize]
}

/// The simulated venue on random terms.
fn model(dice: &mut Dice) -> VenueModel {
    VenueModel {
        commission_per_lot: "3.5".parse().unwrap(),
        spread: pick(dice, &[Spread::Quoted, Spread::Markup(points(4)), Spread::Minimum(points(12))]),
        slippage: pick(dice, &[Slippage::None, Slippage::Fixed(points(3)), Slippage::Random(points(9))]),
        latency_ms: pick(dice, &[0, 0, 700, 20_000]),
        liquidity: pick(dice, &[None, Some("0.5"), Some("1.13")]).map(|lots| lots.parse().unwrap()),
        seed: dice.below(u64::MAX),
    }
}

/// One life.
struct Life {
    dice: Dice,
    trial: Trial,
    accounts: i64,
    bid: i64,
    references: u32,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut world = World::new(seed.wrapping_add(77));
        let remote = seed.is_multiple_of(2);
        world.rough = if remote { pick(&mut dice, &[0, 5, 15, 30]) } else { 0 };
        world.house.halves = dice.chance(40);
        let model = (!remote).then(|| model(&mut dice));
        let accounts = dice.between(1, 3);
        let mut life = Self { trial: Trial::new(world, model), accounts, bid: 0, references: 0, dice };
        life.trial.quote(quote(0, 0, 1));
        for id in 1..=accounts {
            life.open(id, remote);
        }
        life
    }

    fn open(&mut self, id: i64, remote: bool) {
        let rules = match self.dice.below(4) {
            0 => vec![],
            1 => vec![plugin("floor", "5000")],
            2 => vec![plugin("daily-floor", "9000")],
            _ => vec![plugin("daily-floor", "9500"), plugin("floor", "8000")],
        };
        let modes = [PositionMode::Hedging, if remote { PositionMode::Hedging } else { PositionMode::Netting }];
        let terms = AccountTerms {
            id: AccountId(id),
            user: UserId(1 + id % 2),
            initial_balance: Money::whole(20_000),
            mode: pick(&mut self.dice, &modes),
            trades_per_day: pick(&mut self.dice, &[None, None, Some(12)]),
            ..terms(rules)
        };
        self.trial.command(Command::OpenAccount(terms)).unwrap().unwrap();
        for n in 0..self.dice.below(3) {
            let name = pick(&mut self.dice, &["clerk-both", "dice-ticks", "clerk-ticks"]);
            let faulty = if name == "dice-ticks" && self.dice.chance(30) { "!" } else { "" };
            let settings = format!("{} {}{faulty}", self.dice.below(1_000_000), self.dice.between(2, 9));
            let deployment = Deployment {
                id: DeploymentId(id * 1_000 + 5 + n as i64),
                account: AccountId(id),
                ..deployment(plugin(name, &settings), Timeframe::M1)
            };
            self.trial.command(Command::Deploy(deployment, Quotas::default()));
        }
    }

    fn step(&mut self) {
        match self.dice.below(100) {
            0..58 => self.quote(),
            58..62 => self.jump(),
            62..78 => self.trade(),
            78..83 => self.money(),
            83..85 => self.kill(),
            85..88 => self.release(),
            88..93 => {
                let commits = self.dice.between(1, 25) as usize;
                self.trial.die_in(commits);
            }
            93..95 => {
                let outage = self.dice.between(300, 600_000);
                let mut world = self.trial.world.lock().unwrap();
                world.down_until = world.now.plus(outage);
            }
            95..97 => {
                let mut world = self.trial.world.lock().unwrap();
                world.rough = pick(&mut self.dice, &[0, 5, 15, 30, 50]);
            }
            97..99 => {
                let ms = self.dice.between(0, 3_000);
                self.trial.listen(ms);
            }
            _ => self.restart_a_strategy(),
        }
    }

    /// The market moves: mostly a little and soon, now and then across a gap, crossed or locked.
    fn quote(&mut self) {
        let (gap, step) = (self.dice.between(50, 20_000), self.dice.between(-25, 25));
        self.bid += step * if step.abs() == 25 { 6 } else { 1 };
        let at = self.trial.now().plus(gap).since(START);
        let spread = self.dice.between(-1, 9);
        self.trial.quote(quote(at, self.bid, spread));
    }

    /// The clock of whoever sends quotes jumps.
    fn jump(&mut self) {
        let far = self.dice.chance(8);
        let jump =
            if far { 400 * DAY_MS } else { pick(&mut self.dice, &[-DAY_MS, -HOUR_MS, 5 * MINUTE_MS, 5 * MINUTE_MS]) };
        let at = self.trial.now().plus(jump).since(START);
        self.trial.quote(quote(at, self.bid, 2));
    }

    fn account(&mut self) -> AccountId {
        AccountId(self.dice.between(1, self.accounts))
    }

    fn trade(&mut self) {
        let account = self.account();
        if let Some(intent) = self.wish(account) {
            self.trial.command(Command::Want { account, intent });
        }
    }

    /// What a person wants: any order of any kind, or anything done to what is there.
    fn wish(&mut self, account: AccountId) -> Option<Intent> {
        let state = &self.trial.state().accounts[&account];
        let orders: Vec<OrderId> = state.orders.iter().map(|o| o.id).collect();
        let positions: Vec<PositionId> = state.positions.iter().map(|p| p.id).collect();
        let dice = &mut self.dice;
        let mut position = || (!positions.is_empty()).then(|| pick(dice, &positions));
        let (first, second) = (position(), position());
        let order = (!orders.is_empty()).then(|| pick(dice, &orders));
        let lots = Lots::from_units(1_000_000 * dice.between(1, 150));
        let near = |dice: &mut Dice, bid: i64| points(138_000 + bid + dice.between(-80, 80));
        Some(match dice.below(12) {
            0 => Intent::Close { position: first? },
            1 => Intent::Reduce { position: first?, lots },
            2 => Intent::CloseBy { position: first?, by: second? },
            3 => Intent::Cancel { order: order? },
            4 => {
                let kind = OrderKind::Limit { price: near(dice, self.bid) };
                let to = Amendment { kind, time_in_force: TimeInForce::Gtc, levels: Levels::default() };
                Intent::Amend { order: order?, to }
            }
            5 => {
                let (stop_loss, take_profit) = (Some(near(dice, self.bid)), Some(near(dice, self.bid)));
                let both = Levels { stop_loss, take_profit, trail: None };
                let one = Levels { stop_loss, take_profit: None, trail: None };
                Intent::Protect { position: first?, levels: if dice.chance(50) { both } else { one } }
            }
            _ => Intent::Place(ticket(
                dice,
                self.bid,
                self.trial.last.at,
                lots,
                order.filter(|_| self.references.is_multiple_of(3)),
            )),
        })
    }

    fn money(&mut self) {
        let account = self.account();
        // A reference comes again now and then.
        self.references += u32::from(self.dice.chance(80));
        let kind = pick(&mut self.dice, &MovementKind::ALL);
        let amount = Money::from_units(self.dice.between(-400_000, 900_000) * 1_000_000);
        let memo = Memo { reference: format!("r{}", self.references), note: String::new() };
        self.trial.command(Command::MoveMoney { account, movement: Movement { kind, amount, memo } });
    }

    fn kill(&mut self) {
        let account = self.account();
        let scope =
            pick(&mut self.dice, &[KillScope::Account(account), KillScope::Instrument(EURUSD), KillScope::Tenant]);
        let mode = pick(&mut self.dice, &[KillMode::Stop, KillMode::Close]);
        let (by, reason) = ("risk@x.example".to_owned(), "a drill".to_owned());
        self.trial.command(Command::Kill(Kill {
            scope,
            mode,
            authority: Authority::Broker,
            by,
            reason,
            at: Millis(0),
        }));
    }

    fn release(&mut self) {
        let on: Vec<KillScope> = self.trial.state().kills.keys().map(|(scope, _)| *scope).collect();
        for scope in on {
            self.trial.command(Command::Release {
                scope,
                authority: Authority::Operator,
                by: "risk@x.example".to_owned(),
            });
        }
    }

    fn restart_a_strategy(&mut self) {
        let all: Vec<DeploymentId> = self.trial.state().deployments.keys().copied().collect();
        if all.is_empty() {
            return;
        }
        let one = pick(&mut self.dice, &all);
        let command = if self.dice.chance(40) { Command::Stop(one) } else { Command::Start(one, Quotas::default()) };
        self.trial.command(command);
    }
}

fn ticket(dice: &mut Dice, bid: i64, at: Millis, lots: Lots, oco: Option<OrderId>) -> Ticket {
    let side = pick(dice, &[Side::Buy, Side::Sell]);
    let up = if side == Side::Buy { 1 } else { -1 };
    let (near, far) = (dice.between(12, 60), dice.between(0, 30));
    let off = |away: i64| points(138_000 + bid + up * away);
    let trail = Trail { distance: points(dice.between(12, 50)), step: points(dice.between(1, 9)) };
    let kind = match dice.below(7) {
        0 | 1 => OrderKind::Market,
        2 | 3 => OrderKind::Limit { price: off(-near) },
        4 => OrderKind::Stop { price: off(near) },
        5 => OrderKind::StopLimit { stop: off(near), limit: off(near + far - 15) },
        _ => OrderKind::TrailingStop { stop: off(near), trail },
    };
    let time_in_force = match dice.below(8) {
        0 => TimeInForce::Gtd(at.plus(dice.between(1, 400_000))),
        1 => TimeInForce::Day,
        2 => TimeInForce::Ioc,
        3 => TimeInForce::Fok,
        _ => TimeInForce::Gtc,
    };
    let entry = kind.price().unwrap_or(points(138_000 + bid)).units();
    let away = |away: i64| Price::from_units(entry + up * away * 1_000);
    let levels = Levels {
        stop_loss: dice.chance(50).then(|| away(-dice.between(20, 80))),
        take_profit: dice.chance(50).then(|| away(dice.between(20, 80))),
        trail: dice.chance(30).then_some(trail),
    };
    Ticket { instrument: EURUSD, side, lots, kind, time_in_force, levels, oco }
}

/// Everything that a seed left behind.
fn live(seed: u64) -> Trial {
    let mut life = Life::begin(seed);
    let steps = life.dice.between(80, 240);
    (0..steps).for_each(|_| life.step());
    life.trial.settle();
    life.trial
}

/// What a life leaves, to the byte: its records, and everything that went over the line.
fn bytes(trial: &Trial) -> (Vec<u8>, Vec<String>) {
    let records = postcard::to_stdvec(&trial.journal.records).unwrap();
    (records, trial.world.lock().unwrap().log.clone())
}

/// Nothing that ended comes back, but what a venue says that it traded.
fn ends_are_ends(records: &[Record]) {
    let mut ended: BTreeMap<OrderId, u32> = BTreeMap::new();
    let mut disputed: BTreeMap<OrderId, u32> = BTreeMap::new();
    for record in records {
        match record {
            Record::Disputed(dispute) => *disputed.entry(dispute.order).or_default() += 1,
            Record::OrderMoved(order) | Record::OrderPlaced(order) => match ended.get_mut(&order.id) {
                Some(moves) => {
                    *moves += 1;
                    let allowed = disputed.get(&order.id).copied().unwrap_or_default();
                    assert!(order.state.is_final() && *moves <= allowed, "{} came back: {order:?}", order.id);
                }
                None if order.state.is_final() => drop(ended.insert(order.id, 0)),
                None => {}
            },
            _ => {}
        }
    }
}

/// A clock that goes back, a restart and a return give nobody more orders than their day has.
fn days_have_their_orders(records: &[Record]) {
    let mut accounts: BTreeMap<AccountId, AccountTerms> = BTreeMap::new();
    let mut opened: BTreeMap<(UserId, i64), u32> = BTreeMap::new();
    for record in records {
        match record {
            Record::AccountOpened { terms, .. } => drop(accounts.insert(terms.id, terms.clone())),
            Record::OrderPlaced(order) if order.purpose == Purpose::Open => {
                let terms = &accounts[&order.account];
                let day = opened.entry((terms.user, order.created_at.0.div_euclid(DAY_MS))).or_default();
                assert!(terms.trades_per_day.is_none_or(|limit| *day < limit), "one too many: {order:?}");
                *day += 1;
            }
            _ => {}
        }
    }
}

fn observe(trial: &Trial, seen: &mut BTreeMap<&'static str, u64>) {
    let history = History::of(&trial.journal.records);
    let mut saw = |what, count: usize| *seen.entry(what).or_default() += count as u64;
    let count = |of: &dyn Fn(&Record) -> bool| trial.journal.records.iter().filter(|r| of(r)).count();
    saw("records", trial.journal.records.len());
    saw("deaths", trial.deaths as usize);
    saw("filled orders", history.orders.iter().filter(|o| o.state == OrderState::Filled).count());
    saw("expired orders", history.orders.iter().filter(|o| o.reason.as_deref() == Some("it expired")).count());
    saw("unknown orders", count(&|r| matches!(r, Record::OrderMoved(o) if o.state == OrderState::Unknown)));
    saw("questions", count(&|r| matches!(r, Record::Asked { asking, .. } if asking.tries > 0)));
    saw("executions", count(&|r| matches!(r, Record::Executed { .. })));
    saw("late fills", history.disputes.len());
    saw("days", count(&|r| matches!(r, Record::DayBegan { .. })));
    saw("nights", history.transactions.iter().filter(|t| t.kind() == TransactionKind::Swap).count());
    saw("movements", history.transactions.iter().filter(|t| t.memo().is_some()).count());
    saw("kills", count(&|r| matches!(r, Record::KillPressed(_))));
    saw("failed accounts", trial.state().accounts.values().filter(|a| a.status.name() == "failed").count());
}

#[test]
fn every_seed_keeps_the_laws_and_replays_to_the_byte() {
    let number = |setting: &str| std::env::var(setting).ok().and_then(|n| n.parse::<u64>().ok());
    let seeds: Vec<u64> = match number(ONE_SEED_SETTING) {
        Some(seed) => vec![seed],
        None => (0..number(SEEDS_SETTING).unwrap_or(SEEDS)).collect(),
    };
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in &seeds {
        let lived = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let trial = live(*seed);
            let broken = trial.broken();
            assert!(broken.is_empty(), "{broken:#?}");
            ends_are_ends(&trial.journal.records);
            days_have_their_orders(&trial.journal.records);
            assert!(bytes(&trial) == bytes(&live(*seed)), "it does not replay");
            observe(&trial, &mut seen);
        }));
        if let Err(fault) = lived {
            println!("seed {seed} failed; run it alone with {ONE_SEED_SETTING}={seed}");
            std::panic::resume_unwind(fault);
        }
    }
    println!("{} seeds: {seen:?}", seeds.len());
    if seeds.len() as u64 >= SEEDS {
        let never: Vec<&&str> = seen.iter().filter(|(_, count)| **count == 0).map(|(what, _)| what).collect();
        assert!(never.is_empty(), "the simulation tests nothing of {never:?}");
    }
}
