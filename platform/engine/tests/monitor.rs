//! The equity monitor against a scan of every account at every quote: the same rules are asked, at the same tick, with
//! the same equity and the same peak, and what follows is the same to the byte.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::{AccountStatus, AccountTerms},
    bar::Quote,
    decision::{Intent, Verdict},
    fixed::{Lots, Money, Price},
    id::{AccountId, InstrumentId, UserId},
    instrument::Instrument,
    order::Side,
    plugin::PluginRef,
    time::{HOUR_MS, Millis},
};
use marque_engine::{
    Command, Desk, Shard,
    port::{
        self, AccountView, Assessment, DayAnchor, DayReset, Fault, OrderView, PluginHost, RiskRule, Standing,
        StrategyStart,
    },
    venue::SimulatedVenue,
};
use proptest::prelude::*;
use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};
use support::{Journal, NoHistory, START, instrument, plugin, terms};

/// What a rule was asked: when, about how much, and what it was told of its day.
type Ask = (String, Millis, Money, Money, DayAnchor, usize);

/// Starts the rules below; each writes down what it is asked.
#[derive(Default)]
struct Listening(Arc<Mutex<Vec<Ask>>>);

impl PluginHost for Listening {
    fn strategy(&self, _: &StrategyStart<'_>) -> Result<Box<dyn port::Strategy>, Fault> {
        Err(Fault::Plugin("none here".into()))
    }

    fn rule(&self, rule: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        let reset = |minute| DayReset { zone: "Europe/Prague".parse().unwrap(), minute };
        let numbers: Vec<i64> = rule.settings.split(' ').map(|n| n.parse().unwrap()).collect();
        Ok(Box::new(Asked {
            name: rule.name.clone(),
            first: numbers[0],
            second: numbers.get(1).copied().unwrap_or_default(),
            reset: rule.name.contains("day").then(|| reset(numbers[0].rem_euclid(1_440) as u16)),
            asks: Arc::clone(&self.0),
        }))
    }
}

struct Asked {
    name: String,
    first: i64,
    second: i64,
    reset: Option<DayReset>,
    asks: Arc<Mutex<Vec<Ask>>>,
}

impl RiskRule for Asked {
    fn day_reset(&self) -> Option<&DayReset> {
        self.reset.as_ref()
    }

    fn check(&mut self, order: &OrderView, account: &AccountView<'_>) -> Result<Verdict, Fault> {
        self.note("check", account);
        let half = Lots::from_units(order.lots.units() / 2);
        Ok(if account.equity < account.day.peak_equity { Verdict::Shrink(half) } else { Verdict::Allow })
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        self.note("assess", account);
        let (equity, peak) = (account.equity, account.day.peak_equity);
        let away = |units: i64| Money::from_units(equity.units() + units);
        let share = |of: Money| of.basis_points(10_000 - self.second.rem_euclid(400)).unwrap();
        let mut answer = Assessment {
            standing: Standing::Ok,
            reason: String::new(),
            floor: None,
            wake_below: None,
            wake_above: None,
            wake_at: None,
            objectives: Vec::new(),
            only: Vec::new(),
        };
        match self.name.as_str() {
            // The account ends at a share of what it began with; nothing else ever wakes it.
            "static" => {
                let floor = share(account.initial_balance);
                answer.standing = if equity <= floor { Standing::Fail } else { Standing::Ok };
                (answer.floor, answer.wake_below) = (Some(floor), Some(floor));
            }
            // The floor follows the best equity of the day, which it must be told of exactly.
            "trail-day" => {
                let floor = share(peak);
                answer.standing = if equity <= floor { Standing::Flatten } else { Standing::Ok };
                (answer.floor, answer.wake_below) = (Some(floor), Some(floor));
                answer.wake_above = peak.checked_add(Money::from_units(1));
            }
            // Wants to hear of every step of its equity.
            "stairs" => {
                (answer.wake_below, answer.wake_above) = (Some(away(-self.second)), Some(away(self.second)));
            }
            // Names levels that are reached already, for as long as it lasts.
            "stuck-day" => {
                answer.wake_below = Some(share(account.initial_balance));
                answer.wake_at = Some(account.now.plus(self.second * 60_000));
            }
            // The others never answer.
            _ => return Err(Fault::Plugin("trapped".into())),
        }
        Ok(answer)
    }
}

impl Asked {
    fn note(&self, what: &str, account: &AccountView<'_>) {
        let ask = (
            format!("{what} {} {}", self.name, self.first),
            account.now,
            account.initial_balance,
            account.equity,
            account.day,
            account.positions.len(),
        );
        self.asks.lock().unwrap().push(ask);
    }
}

/// Three instruments: a currency pair, a metal, and one whose profits are rounded.
fn instruments() -> Vec<Instrument> {
    let odd = Instrument {
        id: InstrumentId(3),
        symbol: "ODD".into(),
        contract_size: 1,
        tick_size: Price::from_units(1),
        ..instrument()
    };
    vec![
        instrument(),
        Instrument { id: InstrumentId(2), symbol: "XAUUSD".into(), contract_size: 100, ..instrument() },
        odd,
    ]
}

/// Where each market begins.
const PRICES: [i64; 3] = [138_000_000, 130_000_000_000, 41_234_567];

/// A market's price so many steps away: about a tenth of a thousandth each, and a few of its smallest units.
fn price(instrument: usize, steps: i64) -> i64 {
    PRICES[instrument] + steps * (PRICES[instrument] / 10_000) + steps.rem_euclid(7) * 300
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Move {
    Quote { instrument: usize, gap: i64, step: i64, spread: i64 },
    Open { account: usize, instrument: usize, buy: bool, lots: i64, stop: Option<i64> },
    Close { account: usize, which: usize },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let quote = (0..3_usize, 0..20_000_i64, -9..=9_i64, -1..6_i64).prop_map(|(instrument, gap, step, spread)| {
        // Now and then a weekend, or a gap of a hundred steps.
        let gap = if gap % 97 == 0 { gap * 2_000 } else { gap };
        Move::Quote { instrument, gap, step: if gap % 89 == 1 { step * 40 } else { step }, spread }
    });
    let open = (0..ACCOUNTS, 0..3_usize, any::<bool>(), 1..120_i64, prop::option::weighted(0.3, 1..60_i64))
        .prop_map(|(account, instrument, buy, lots, stop)| Move::Open { account, instrument, buy, lots, stop });
    let close = (0..ACCOUNTS, 0..4_usize).prop_map(|(account, which)| Move::Close { account, which });
    prop::collection::vec(prop_oneof![12 => quote, 2 => open, 1 => close], 50..400)
}

const ACCOUNTS: usize = 7;

fn rules() -> impl Strategy<Value = Vec<PluginRef>> {
    let rule = (
        prop::sample::select(vec!["static", "static", "trail-day", "trail-day", "stairs", "stuck-day", "mute"]),
        0..1_440_i64,
    )
        .prop_flat_map(|(name, first)| {
            let second = if name == "stairs" { 1_000_000..90_000_000_000_i64 } else { 1..400 };
            second.prop_map(move |second| plugin(name, &format!("{first} {second}")))
        });
    prop::collection::vec(rule, 0..3)
}

/// A desk with its journal and what its rules were asked.
struct Half {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
    asks: Arc<Mutex<Vec<Ask>>>,
}

impl Half {
    fn new(rules: &[Vec<PluginRef>], scans: bool) -> Self {
        let host = Listening::default();
        let asks = Arc::clone(&host.0);
        let mut shard = Shard::new(&instruments(), Arc::new(host), Box::new(NoHistory));
        if scans {
            shard.scan_all();
        }
        let mut side =
            Self { desk: Desk::new(shard, SimulatedVenue::new(Money::whole(3))), journal: Journal::default(), asks };
        for market in 0..3 {
            side.quote(&quote(market, START, 0, 1));
        }
        for (index, rules) in rules.iter().enumerate() {
            let id = index as i64 + 1;
            // The balance tells accounts apart in what the rules are asked.
            let terms = AccountTerms {
                id: AccountId(id),
                user: UserId(id),
                initial_balance: Money::whole(20_000 + id),
                leverage: 500,
                ..terms(rules.clone())
            };
            side.command(Command::OpenAccount(terms));
        }
        side
    }

    fn quote(&mut self, quote: &Quote) {
        let Ok(()) = self.desk.quote(quote, &mut self.journal);
    }

    fn command(&mut self, command: Command) {
        let Ok(answer) = self.desk.command(command, &mut self.journal);
        answer.unwrap();
    }

    /// Accounts that are at or below the floor of a static rule and were let live.
    fn missed(&self) -> String {
        let mut missed = String::new();
        for (id, account) in &self.desk.shard().state().accounts {
            let equity = self.desk.shard().equity(*id).unwrap();
            for (rule, known) in account.terms.rules.iter().zip(&account.rules) {
                let floor = known.last.as_ref().and_then(|last| last.floor).filter(|_| rule.name == "static");
                let breached = floor.is_some_and(|floor| equity <= floor);
                // One that is held waits for the price after a jump.
                if breached && !account.positions.is_empty() && account.status == AccountStatus::Active {
                    write!(missed, "{id} has {equity} at a floor of {floor:?}; ").unwrap();
                }
            }
        }
        missed
    }
}

fn quote(market: usize, at: Millis, steps: i64, spread: i64) -> Quote {
    let bid = price(market, steps);
    let instrument = InstrumentId(u32::try_from(market).unwrap() + 1);
    let ask = bid + spread * (PRICES[market] / 50_000);
    Quote { instrument, at, bid: Price::from_units(bid), ask: Price::from_units(ask) }
}

/// Where each market stands, in steps.
struct World {
    now: Millis,
    steps: [i64; 3],
}

impl World {
    fn play(&mut self, side: &mut Half, event: &Move) {
        match event {
            Move::Quote { instrument, spread, .. } => {
                side.quote(&quote(*instrument, self.now, self.steps[*instrument], *spread));
            }
            Move::Open { account, instrument, buy, lots, stop } => {
                let sign = if *buy { -1 } else { 1 };
                let away = |steps: i64| Price::from_units(price(*instrument, self.steps[*instrument] + sign * steps));
                // About the same money in each market.
                let size = [1_000_000, 10_000_000, 3_000_000_000][*instrument];
                let intent = Intent::Open {
                    instrument: InstrumentId(u32::try_from(*instrument).unwrap() + 1),
                    side: if *buy { Side::Buy } else { Side::Sell },
                    lots: Lots::from_units(lots * size),
                    stop_loss: stop.map(|steps| away(steps + 7)),
                    take_profit: None,
                };
                side.command(Command::Want { account: AccountId(*account as i64 + 1), intent });
            }
            Move::Close { account, which } => {
                let account = AccountId(*account as i64 + 1);
                let positions = &side.desk.shard().state().accounts[&account].positions;
                if let Some(position) = positions.get(*which).map(|p| p.id) {
                    side.command(Command::Want { account, intent: Intent::Close { position } });
                }
            }
        }
    }

    fn advance(&mut self, event: &Move) {
        if let Move::Quote { instrument, gap, step, .. } = event {
            self.now = self.now.plus(*gap);
            self.steps[*instrument] = (self.steps[*instrument] + step).clamp(-4_000, 4_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_exactly_what_a_scan_finds(
        rules in prop::collection::vec(rules(), ACCOUNTS),
        moves in moves(),
    ) {
        let (mut indexed, mut scanning) = (Half::new(&rules, false), Half::new(&rules, true));
        let mut kept = indexed.desk.shard_mut().mark();
        let mut world = World { now: START.plus(HOUR_MS), steps: [0; 3] };
        for (at, event) in moves.iter().enumerate() {
            world.advance(event);
            world.play(&mut indexed, event);
            world.play(&mut scanning, event);
            let (found, wanted) = (std::mem::take(&mut *indexed.asks.lock().unwrap()), std::mem::take(&mut *scanning.asks.lock().unwrap()));
            prop_assert_eq!(found, wanted, "what rules were asked at move {} ({:?})", at, event);
            if at % 5 == 0 {
                kept.apply(indexed.desk.shard_mut().mark_change());
            }
            let missed = indexed.missed();
            prop_assert!(missed.is_empty(), "at move {}: {}", at, missed);
        }
        prop_assert_eq!(&indexed.journal.records, &scanning.journal.records);
        kept.apply(indexed.desk.shard_mut().mark_change());
        let wanted = scanning.desk.shard_mut().mark();
        prop_assert_eq!(indexed.desk.shard_mut().mark(), wanted.clone());
        // A restart from the whole mark of the beginning and the changes since then finds the very same.
        let mut restarted = Shard::new(&instruments(), Arc::new(Listening::default()), Box::new(NoHistory));
        restarted.restore(indexed.desk.shard().state().clone(), kept);
        prop_assert_eq!(restarted.mark(), wanted);
    }
}
