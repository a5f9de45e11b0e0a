//! Many accounts with open positions and a floor under each: what the equity monitor is measured with.
//!
//! One in ten holds both sides of the market, the others one; sizes differ, so that the floors lie from forty to some
//! thousand pips away and a market that moves ends a part of the accounts.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use marque_domain::{
    account::{AccountStatus, AccountTerms},
    bar::Quote,
    decision::{Intent, Verdict},
    fixed::{Lots, Money, SCALE},
    id::{AccountId, InstrumentId, OrderId, PositionId, TransactionId, UserId},
    instrument::Instrument,
    ledger::{Book, Transaction, TransactionKind},
    order::{Position, Side},
    plugin::{PluginDigest, PluginRef},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Effects, Record, Shard,
    desk::Commit,
    gate::Approved,
    port::{
        AccountView, Assessment, DayReset, Fault, HistorySource, OrderView, PluginHost, RiskRule, Standing, Strategy,
        StrategyStart, Venue, VenueReport,
    },
    state::State,
    venue::entry_price,
};

use crate::fixture;

/// What each account begins with, and the part of it below which it ends.
const BALANCE: i64 = 100_000;
const FLOOR: i64 = 90_000;

/// No bars from before.
pub struct NoPast;

impl HistorySource for NoPast {
    fn bars(&self, _: InstrumentId, _: marque_domain::bar::Timeframe, _: Millis, _: u32) -> [Vec<i64>; 7] {
        Default::default()
    }
}

/// The only plugin: equity must stay above the floor.
struct Floors;

impl PluginHost for Floors {
    fn strategy(&self, _: &StrategyStart<'_>) -> Result<Box<dyn Strategy>, Fault> {
        Err(Fault::Plugin("there are no strategies here".to_owned()))
    }

    fn rule(&self, _: &PluginRef) -> Result<Box<dyn RiskRule>, Fault> {
        Ok(Box::new(Floor))
    }
}

struct Floor;

impl RiskRule for Floor {
    fn day_reset(&self) -> Option<&DayReset> {
        None
    }

    fn check(&mut self, _: &OrderView, _: &AccountView<'_>) -> Result<Verdict, Fault> {
        Ok(Verdict::Allow)
    }

    fn assess(&mut self, account: &AccountView<'_>) -> Result<Assessment, Fault> {
        let floor = Money::whole(FLOOR);
        let standing = if account.equity <= floor { Standing::Fail } else { Standing::Ok };
        Ok(Assessment {
            standing,
            reason: String::new(),
            floor: Some(floor),
            wake_below: Some(floor),
            wake_above: None,
            wake_at: None,
            objectives: Vec::new(),
            only: Vec::new(),
        })
    }
}

/// Trades at the last quote and watches nothing: the monitor is measured, not the venue.
#[derive(Default)]
struct LastQuote(BTreeMap<InstrumentId, Quote>);

impl Venue for LastQuote {
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let order = order.order();
        if let Some(quote) = self.0.get(&order.instrument) {
            let price = entry_price(order.side, quote);
            reports.push(VenueReport::Filled {
                order: order.id,
                execution: None,
                lots: order.lots,
                price,
                commission: Money::ZERO,
            });
        }
    }

    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        reports.push(VenueReport::NotFound { order });
    }

    fn quote(&mut self, quote: &Quote, _: &mut Vec<VenueReport>) {
        self.0.insert(quote.instrument, *quote);
    }
}

/// Keeps which accounts ended, and after which quote.
#[derive(Default)]
struct Ends {
    quote: usize,
    ended: BTreeMap<AccountId, usize>,
    last: Vec<Record>,
}

impl Commit for Ends {
    type Error = Infallible;
    fn commit(&mut self, _: &mut Shard, effects: &Effects) -> Result<(), Infallible> {
        for record in &effects.records {
            if let Record::AccountChanged { account, status: AccountStatus::Failed(_), .. } = record {
                self.ended.insert(*account, self.quote);
            }
        }
        self.last.clone_from(&effects.records);
        Ok(())
    }
}

/// What an account holds: units of the base, long and short.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Bought.
    pub long: i64,
    /// Sold.
    pub short: i64,
}

/// So many accounts on a desk.
pub struct Population {
    desk: Desk<LastQuote>,
    ends: Ends,
    held: Vec<Held>,
    first: Quote,
    jumps: BTreeSet<usize>,
}

impl Population {
    /// Opens `count` accounts at the first quote, one in `hedged` of them with both sides, on these instruments in turn.
    ///
    /// # Errors
    /// When the engine refuses what it is given.
    pub fn new(count: usize, hedged: usize, instruments: &[Instrument], first: Quote) -> Result<Self> {
        let template = template(instruments, first)?;
        let held: Vec<Held> = (0..count).map(|index| held(index, hedged)).collect();
        let mut state = State::default();
        for ((index, held), instrument) in (0_i64..).zip(&held).zip(instruments.iter().cycle()) {
            let id = AccountId(index + 1);
            let terms = AccountTerms { id, user: UserId(id.0), ..terms() };
            let funded = TransactionId(index * 4 + 1);
            let (deposit, balance) = (TransactionKind::Deposit, Money::whole(BALANCE));
            let deposit = Transaction::transfer(funded, id, first.at, deposit, 0, Book::External, balance);
            state.apply(&Record::AccountOpened { terms, at: first.at });
            state.apply(&Record::Moved(deposit));
            for (turn, (side, units)) in (2_i64..).zip([(Side::Buy, held.long), (Side::Sell, held.short)]) {
                if units > 0 {
                    let lots = Lots::from_units(units * SCALE / instrument.contract_size);
                    let id = PositionId(index * 4 + turn);
                    let account = AccountId(index + 1);
                    let open_price = entry_price(side, &first);
                    let at = instrument.id;
                    let position = Position { id, account, instrument: at, side, lots, open_price, ..template.clone() };
                    state.apply(&Record::PositionOpened(position));
                }
            }
        }
        let mut desk = Desk::new(shard(instruments), LastQuote::default());
        let mut ends = Ends::default();
        for instrument in instruments {
            let Ok(()) = desk.quote(&Quote { instrument: instrument.id, ..first }, &mut ends);
        }
        let mark = desk.shard_mut().mark();
        desk.shard_mut().restore(state, mark);
        let Ok(()) = desk.recover(&mut ends);
        Ok(Self { desk, ends, held, first, jumps: BTreeSet::new() })
    }

    /// Takes a quote, which is the `index`th.
    pub fn quote(&mut self, index: usize, quote: &Quote) {
        self.ends.quote = index;
        let Ok(()) = self.desk.quote(quote, &mut self.ends);
    }

    /// Takes note whether the `index`th quote, which was the last, looks like a bad tick.
    pub fn look_back(&mut self, index: usize, quote: &Quote) {
        if self.desk.shard().market().jump(quote.instrument).is_some() {
            self.jumps.insert(index);
        }
    }

    /// Whether a breach at this quote waits for the price after it.
    pub fn jumped(&self, index: usize) -> bool {
        self.jumps.contains(&index)
    }

    /// Which accounts ended, and at which quote.
    pub const fn ended(&self) -> &BTreeMap<AccountId, usize> {
        &self.ends.ended
    }

    /// The accounts as a scan would hold them.
    pub fn columns(&self) -> Columns {
        let (bid, ask) = (self.first.bid.units(), self.first.ask.units());
        let base = |held: &Held| BALANCE * SCALE - held.long * ask + held.short * bid;
        Columns {
            base: self.held.iter().map(base).collect(),
            long: self.held.iter().map(|held| held.long).collect(),
            short: self.held.iter().map(|held| held.short).collect(),
            peak: vec![i64::MIN; self.held.len()],
            floor: FLOOR * SCALE,
        }
    }
}

/// Accounts as a structure of arrays. Positions are whole units of the base, so equity is exact.
pub struct Columns {
    base: Vec<i64>,
    long: Vec<i64>,
    short: Vec<i64>,
    peak: Vec<i64>,
    floor: i64,
}

impl Columns {
    /// Looks at every account; answers how many are at or below their floor.
    pub fn scan(&mut self, quote: &Quote) -> usize {
        let (bid, ask, floor) = (quote.bid.units(), quote.ask.units(), self.floor);
        let held = self.base.iter().zip(&self.long).zip(&self.short).zip(&mut self.peak);
        held.fold(0, |found, (((base, long), short), peak)| {
            let equity = base + long * bid - short * ask;
            *peak = equity.max(*peak);
            found + usize::from(equity <= floor)
        })
    }

    /// The first quote at which each account is at or below its floor: all of them, one after the other. A block of
    /// quotes is passed over when its worst prices together do not reach the floor.
    pub fn breaches(&self, quotes: &[Quote]) -> BTreeMap<AccountId, usize> {
        const BLOCK: usize = 512;
        let worst = |block: &[Quote]| {
            let bids = || block.iter().map(|q| q.bid.units());
            let asks = || block.iter().map(|q| q.ask.units());
            (bids().min().unwrap_or(i64::MAX), asks().max().unwrap_or(0))
        };
        let blocks: Vec<(i64, i64)> = quotes.chunks(BLOCK).map(worst).collect();
        let mut found = BTreeMap::new();
        for (id, ((base, long), short)) in (1_i64..).zip(self.base.iter().zip(&self.long).zip(&self.short)) {
            let breached = |bid: i64, ask: i64| base + long * bid - short * ask <= self.floor;
            let candidates = blocks.iter().enumerate().filter(|(_, (bid, ask))| breached(*bid, *ask));
            let first = candidates.map(|(block, _)| block * BLOCK).find_map(|from| {
                let block = quotes.get(from..quotes.len().min(from + BLOCK)).unwrap_or_default();
                block.iter().position(|q| breached(q.bid.units(), q.ask.units())).map(|at| from + at)
            });
            found.extend(first.map(|at| (AccountId(id), at)));
        }
        found
    }
}

fn shard(instruments: &[Instrument]) -> Shard {
    Shard::new(instruments, Arc::new(Floors), Box::new(NoPast))
}

fn terms() -> AccountTerms {
    let rule = PluginRef { digest: PluginDigest([1; 32]), name: "floor".to_owned(), settings: String::new() };
    AccountTerms { initial_balance: Money::whole(BALANCE), ..fixture::terms(vec![rule]) }
}

/// Sizes that differ by hundredths of a lot: from half a lot to 25 of 100,000, which is a leverage of 34.
fn held(index: usize, hedged: usize) -> Held {
    let turn = i64::try_from(index.wrapping_mul(2_654_435_761) % 2_451).unwrap_or(0);
    let units = 50_000 + turn * 1_000;
    match (index.is_multiple_of(hedged.max(2)), index % 4 < 2) {
        (true, true) => Held { long: units, short: units / 2 },
        (true, false) => Held { long: units / 2, short: units },
        (false, true) => Held { long: units, short: 0 },
        (false, false) => Held { long: 0, short: units },
    }
}

/// A position as the engine opens one.
fn template(instruments: &[Instrument], first: Quote) -> Result<Position> {
    let mut desk = Desk::new(shard(instruments), LastQuote::default());
    let mut ends = Ends::default();
    let Ok(()) = desk.quote(&first, &mut ends);
    let intent = Intent::Open {
        instrument: first.instrument,
        side: Side::Buy,
        lots: Lots::whole(1),
        stop_loss: None,
        take_profit: None,
    };
    for command in [Command::OpenAccount(terms()), Command::Want { account: AccountId(1), intent }] {
        let Ok(answer) = desk.command(command, &mut ends);
        answer.map_err(|refusal| anyhow!("{refusal}"))?;
    }
    let opened = |record: &Record| match record {
        Record::PositionOpened(position) => Some(position.clone()),
        _ => None,
    };
    ends.last.iter().find_map(opened).context("no position was opened")
}
