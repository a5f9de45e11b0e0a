//! A market of two pairs with their own quotes, and an account of any currency in it.

use super::{Journal, NativeHost, NoHistory, instrument, terms};
use marque_domain::{
    account::AccountTerms,
    bar::Quote,
    decision::{Intent, Outcome},
    fixed::{Money, Price},
    id::{AccountId, InstrumentId},
    instrument::{Currency, Instrument},
    ledger::{
        Transaction, TransactionKind,
        reconcile::{Claim, LedgerAudit, Reconciliation},
    },
    order::Side,
    swap::{SwapTerms, TripleDay},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Shard,
    event::Record,
    venue::{SimulatedVenue, VenueModel},
};
use std::sync::Arc;

pub const EURUSD: InstrumentId = InstrumentId(1);
pub const USDJPY: InstrumentId = InstrumentId(2);
pub const ACCOUNT: AccountId = AccountId(1);

/// 6 May 2014, 12:00 UTC: a Tuesday.
pub const TUESDAY: i64 = 1_399_377_600_000;
pub const HOUR: i64 = 3_600_000;

pub fn price(text: &str) -> Price {
    text.parse().unwrap()
}

pub fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// `EURUSD` with these points a night, and `USDJPY` without swap.
pub fn instruments(long: i64, short: i64) -> [Instrument; 2] {
    let swap = SwapTerms {
        long: Price::from_units(long),
        short: Price::from_units(short),
        zone: "America/New_York".parse().unwrap(),
        minute: 17 * 60,
        triple: TripleDay::Wednesday,
        holidays: vec![(12, 25), (1, 1)],
    };
    let euro = Instrument { swap: (long != 0 || short != 0).then_some(swap), ..instrument() };
    let yen = Instrument {
        id: USDJPY,
        symbol: "USDJPY".into(),
        quote: "JPY".parse().unwrap(),
        tick_size: price("0.001"),
        pip: price("0.01"),
        ..instrument()
    };
    [euro, yen]
}

pub struct Bench {
    pub desk: Desk<SimulatedVenue>,
    pub journal: Journal,
    pub at: i64,
}

impl Bench {
    pub fn new(currency: Currency, instruments: &[Instrument]) -> Self {
        Self::of(AccountTerms { currency, ..terms(vec![]) }, instruments)
    }

    pub fn of(terms: AccountTerms, instruments: &[Instrument]) -> Self {
        let shard = Shard::new(instruments, Arc::new(NativeHost), Box::new(NoHistory));
        let desk = Desk::new(shard, SimulatedVenue::with_model(VenueModel::default(), instruments));
        let mut bench = Self { desk, journal: Journal::default(), at: TUESDAY };
        bench.desk.command(Command::OpenAccount(terms), &mut bench.journal).unwrap().unwrap();
        bench
    }

    pub fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        self.at += 1_000;
        let (at, bid, ask) = (Millis(self.at), price(bid), price(ask));
        self.desk.quote(&Quote { instrument, at, bid, ask }, &mut self.journal).unwrap();
    }

    pub fn trade(&mut self, instrument: InstrumentId, side: Side, lots: &str) -> Outcome {
        self.want(super::open(instrument, side, lots.parse().unwrap()))
    }

    pub fn want(&mut self, intent: Intent) -> Outcome {
        self.desk.command(Command::Want { account: ACCOUNT, intent }, &mut self.journal).unwrap().unwrap();
        let decided =
            self.journal.records.iter().rev().find_map(|r| if let Record::Decided(d) = r { Some(d) } else { None });
        decided.unwrap().outcome.clone()
    }

    pub fn close_all(&mut self) {
        let open: Vec<_> = self.account().positions.iter().map(|p| p.id).collect();
        for position in open {
            let intent = super::close(position);
            self.desk.command(Command::Want { account: ACCOUNT, intent }, &mut self.journal).unwrap().unwrap();
        }
    }

    pub fn account(&self) -> &marque_engine::state::AccountState {
        &self.desk.shard().state().accounts[&ACCOUNT]
    }

    pub fn moved(&self, kind: TransactionKind) -> Vec<&Transaction> {
        let moved = self.journal.records.iter().filter_map(|r| if let Record::Moved(m) = r { Some(m) } else { None });
        moved.filter(|m| m.kind() == kind).collect()
    }

    pub fn calls(&self) -> Vec<bool> {
        let called = self.journal.records.iter().filter_map(|r| match r {
            Record::MarginCalled { called, .. } => Some(*called),
            _ => None,
        });
        called.collect()
    }
}

/// Oracle O3 over all that was recorded.
pub fn audit(bench: &Bench) -> LedgerAudit {
    let mut sum = Reconciliation::default();
    for record in &bench.journal.records {
        if let Record::Moved(moved) = record {
            sum.take_transaction(moved);
        }
    }
    let account = bench.account();
    sum.finish([Claim { account: ACCOUNT, currency: account.terms.currency, balance: account.balance }])
}
