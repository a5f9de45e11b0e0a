//! Money that people move: what is allowed, what is refused, and that the books add up whatever happens.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountStatus,
    fixed::{Lots, Money},
    id::{AccountId, InstrumentId},
    ledger::{
        TransactionKind,
        movement::{Memo, Movement, MovementDenial, MovementKind},
        reconcile::{Claim, LedgerAudit, Reconciliation},
    },
    order::Side,
    plugin::PluginRef,
};
use marque_engine::{Command, Desk, Refusal, Shard, event::Record, venue::SimulatedVenue};
use proptest::{collection::vec, prelude::*, sample::select};
use std::sync::Arc;
use support::{Journal, NativeHost, NoHistory, instrument, plugin, quote, terms};

const ACCOUNT: AccountId = AccountId(1);

struct Bench {
    desk: Desk<SimulatedVenue>,
    journal: Journal,
}

impl Bench {
    fn new() -> Self {
        Self::under(vec![])
    }

    fn under(rules: Vec<PluginRef>) -> Self {
        let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
        let mut bench =
            Self { desk: Desk::new(shard, SimulatedVenue::new(Money::whole(5))), journal: Journal::default() };
        bench.desk.quote(&quote(0, 0, 1), &mut bench.journal).unwrap();
        bench.command(Command::OpenAccount(terms(rules))).unwrap();
        bench
    }

    fn command(&mut self, command: Command) -> Result<(), Refusal> {
        self.desk.command(command, &mut self.journal).unwrap()
    }

    fn movement(&mut self, kind: MovementKind, amount: Money, reference: &str) -> Result<(), Refusal> {
        let memo = Memo { reference: reference.to_owned(), note: String::new() };
        self.command(Command::MoveMoney { account: ACCOUNT, movement: Movement { kind, amount, memo } })
    }

    fn buy(&mut self, lots: Lots) {
        let intent = support::open(InstrumentId(1), Side::Buy, lots);
        self.command(Command::Want { account: ACCOUNT, intent }).unwrap();
    }

    fn balance(&self) -> Money {
        self.desk.shard().state().accounts[&ACCOUNT].balance
    }

    /// Oracle O3 over all that was ever recorded.
    fn audit(&self) -> LedgerAudit {
        let mut sum = Reconciliation::default();
        for record in &self.journal.records {
            if let Record::Moved(moved) = record {
                sum.take_transaction(moved);
            }
        }
        let accounts = &self.desk.shard().state().accounts;
        sum.finish(accounts.values().map(|a| Claim {
            account: a.terms.id,
            currency: a.terms.currency,
            balance: a.balance,
        }))
    }
}

#[test]
fn a_withdrawal_leaves_the_margin_of_open_positions() {
    let mut bench = Bench::new();
    // 50 lots at 1.38 and leverage 100 bind 69,000 of 100,000.
    bench.buy(Lots::whole(50));
    let free = |bench: &Bench| {
        let shard = bench.desk.shard();
        let used = Money::from_units(50 * 100_000 * 138_001_000 / 100);
        shard.equity(ACCOUNT).unwrap().saturating_sub(used)
    };
    let left = free(&bench);
    let asked = left.round_down_to(Money::from_units(1_000_000)).saturating_add(Money::from_units(1_000_000));
    let refused = bench.movement(MovementKind::Withdrawal, asked, "w1").unwrap_err();
    let Refusal::Movement(MovementDenial::NotAvailable { available, balance, free: told, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((available, told, balance), (left, left, bench.balance()));
    bench.movement(MovementKind::Withdrawal, left.round_down_to(Money::from_units(1_000_000)), "w1").unwrap();
    assert!(free(&bench) >= Money::ZERO);
    assert_eq!(bench.audit().faults, []);
}

#[test]
fn a_reference_counts_once_and_names_one_movement() {
    let mut bench = Bench::new();
    bench.movement(MovementKind::Deposit, Money::whole(500), "wire-1").unwrap();
    let before = bench.journal.records.len();
    bench.movement(MovementKind::Deposit, Money::whole(500), "wire-1").unwrap();
    assert_eq!(bench.journal.records.len(), before, "asked again, it was done");
    for (kind, amount) in
        [(MovementKind::Deposit, 501), (MovementKind::Withdrawal, 500), (MovementKind::Adjustment, 500)]
    {
        let refused = bench.movement(kind, Money::whole(amount), "wire-1").unwrap_err();
        assert_eq!(
            refused,
            Refusal::Movement(MovementDenial::ReferenceTaken {
                reference: "wire-1".to_owned(),
                kind: TransactionKind::Deposit,
                amount: Money::whole(500),
            })
        );
    }
    assert_eq!(bench.balance(), Money::whole(100_500));
    assert_eq!(bench.movement(MovementKind::Fee, Money::whole(1), "f").err(), None);
    let unknown = Command::MoveMoney {
        account: AccountId(9),
        movement: Movement {
            kind: MovementKind::Deposit,
            amount: Money::whole(1),
            memo: Memo { reference: "x".to_owned(), note: String::new() },
        },
    };
    assert_eq!(bench.command(unknown), Err(Refusal::NoSuchAccount));
}

#[test]
fn of_a_hundred_withdrawals_that_fit_once_one_is_made() {
    let mut bench = Bench::new();
    let made =
        (0..100).filter(|n| bench.movement(MovementKind::Withdrawal, Money::whole(60_000), &format!("w{n}")).is_ok());
    assert_eq!(made.count(), 1);
    assert_eq!(bench.balance(), Money::whole(40_000));
    assert_eq!(bench.desk.shard().state().accounts[&ACCOUNT].funded, Money::whole(40_000));
}

/// A payout is of profit that is taken; what was given is withdrawn, and what is floating may be gone tomorrow.
#[test]
fn a_payout_is_of_profit_on_a_flat_book() {
    let mut bench = Bench::new();
    let code = |refused: Result<(), Refusal>| match refused {
        Err(Refusal::Movement(denial)) => denial.code(),
        other => panic!("{other:?}"),
    };
    let payout =
        |bench: &mut Bench, amount: i64, name: &str| bench.movement(MovementKind::Payout, Money::whole(amount), name);
    bench.movement(MovementKind::Deposit, Money::whole(5_000), "d").unwrap();
    assert_eq!(code(payout(&mut bench, 1, "p1")), "above_profit", "a deposit is no profit");
    bench.buy(Lots::whole(10));
    bench.desk.quote(&quote(1_000, 200, 1), &mut bench.journal).unwrap();
    assert_eq!(code(payout(&mut bench, 1, "p2")), "positions_open");
    let position = bench.desk.shard().state().accounts[&ACCOUNT].positions[0].id;
    bench.command(Command::Want { account: ACCOUNT, intent: support::close(position) }).unwrap();
    let profit = bench.balance().saturating_sub(Money::whole(105_000));
    assert!(profit > Money::whole(1_000), "{profit}");
    assert_eq!(code(payout(&mut bench, 2_000, "p3")), "above_profit");
    payout(&mut bench, 1_000, "p4").unwrap();
    payout(&mut bench, 1_000, "p4").unwrap();
    let left = bench.balance().saturating_sub(Money::whole(105_000));
    assert_eq!(profit.saturating_sub(left), Money::whole(1_000), "and asked again it is that one");
    assert_eq!(code(payout(&mut bench, 1_000, "p5")), "above_profit");
}

/// A floor moves with what leaves, but not always as far: nobody fails by taking out what is theirs.
#[test]
fn what_would_fail_the_account_at_once_does_not_leave() {
    // It fails at 95 % of its best equity, which was 100,000.
    let mut bench = Bench::under(vec![plugin("floor", "9500")]);
    bench.buy(Lots::whole(10));
    bench.desk.quote(&quote(1_000, -300, 1), &mut bench.journal).unwrap();
    let position = bench.desk.shard().state().accounts[&ACCOUNT].positions[0].id;
    bench.command(Command::Want { account: ACCOUNT, intent: support::close(position) }).unwrap();
    assert_eq!(bench.balance(), Money::whole(96_890));
    let below = |floor: &str, equity: i64| {
        let (rule, floor, equity) = ("floor".to_owned(), floor.parse().unwrap(), Money::whole(equity));
        Err(Refusal::Movement(MovementDenial::BelowFloor { rule, floor, equity }))
    };
    let before = bench.journal.records.len();
    for kind in [MovementKind::Withdrawal, MovementKind::Fee] {
        let (amount, floor, equity) = match kind {
            // Of 62,200 at best 59,090 remain.
            MovementKind::Withdrawal => (37_800, "59090", 59_090),
            // A charge moves no mark.
            _ => (2_000, "95000", 94_890),
        };
        assert_eq!(bench.movement(kind, Money::whole(amount), "m"), below(floor, equity));
    }
    assert_eq!(bench.journal.records.len(), before, "a refusal changes nothing");
    bench.movement(MovementKind::Withdrawal, Money::whole(37_799), "w").unwrap();
    assert_eq!(bench.desk.shard().state().accounts[&ACCOUNT].status, AccountStatus::Active);
    // Who takes everything has nothing left to lose.
    bench.movement(MovementKind::Withdrawal, Money::whole(59_091), "all").unwrap();
    assert_eq!((bench.balance(), bench.audit().faults), (Money::ZERO, vec![]));
}

/// Nobody knows whether the account would live on, so nothing leaves it; what comes in does.
#[test]
fn no_money_leaves_while_a_rule_gives_no_answer() {
    for rules in [vec![plugin("mute", "")], vec![plugin("floor", "9500"), plugin("mute", "")]] {
        let mut bench = Bench::under(rules);
        bench.movement(MovementKind::Deposit, Money::whole(1_000), "d").unwrap();
        let before = bench.journal.records.len();
        let silent = Err(Refusal::Movement(MovementDenial::RuleFailed { rule: "mute".to_owned() }));
        for (kind, amount) in [(MovementKind::Withdrawal, 10), (MovementKind::Fee, 10), (MovementKind::Adjustment, -10)]
        {
            assert_eq!(bench.movement(kind, Money::whole(amount), "m"), silent, "{kind:?}");
        }
        assert_eq!(bench.journal.records.len(), before, "a refusal changes nothing");
        // Who takes everything has nothing left to lose.
        bench.movement(MovementKind::Withdrawal, Money::whole(101_000), "all").unwrap();
        assert_eq!((bench.balance(), bench.audit().faults), (Money::ZERO, vec![]));
    }
}

#[test]
fn funding_is_what_was_neither_earned_nor_lost() {
    let mut bench = Bench::new();
    bench.buy(Lots::whole(1));
    bench.movement(MovementKind::Deposit, Money::whole(1_000), "d").unwrap();
    bench.movement(MovementKind::Withdrawal, Money::whole(300), "w").unwrap();
    bench.movement(MovementKind::Fee, Money::whole(50), "f").unwrap();
    bench.movement(MovementKind::Adjustment, Money::whole(-20), "a").unwrap();
    let account = &bench.desk.shard().state().accounts[&ACCOUNT];
    assert_eq!(account.funded, Money::whole(100_680));
    assert_eq!(account.balance, Money::whole(100_625), "a commission of 5 and a fee of 50 are costs");
}

#[derive(Debug, Clone)]
enum Step {
    Move(MovementKind, i64, u8),
    Buy(i64),
    Sell(i64),
    CloseAll,
    Quote(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (select(MovementKind::ALL.to_vec()), -20_000_000_i64..20_000_000, 0_u8..40)
            .prop_map(|(kind, cents, reference)| Step::Move(kind, cents, reference)),
        1 => (1_i64..3_000).prop_map(Step::Buy),
        1 => (1_i64..3_000).prop_map(Step::Sell),
        1 => Just(Step::CloseAll),
        3 => (-2_000_i64..2_000).prop_map(Step::Quote),
    ]
}

proptest! {
    /// Books balance under any history of trades and movements; all books together are nothing; only losses overdraw;
    /// the state folded from the records is the state.
    #[test]
    fn books_balance_under_any_history(steps in vec(step(), 1..120)) {
        let mut bench = Bench::new();
        for (at, step) in (1..).zip(&steps) {
            match step {
                Step::Move(kind, cents, reference) => {
                    let balance = bench.balance();
                    let amount = Money::from_units(cents * 1_000_000);
                    let answer = bench.movement(*kind, amount, &format!("r{reference}"));
                    if answer.is_err() {
                        prop_assert_eq!(bench.balance(), balance, "a refusal changes nothing");
                    }
                }
                Step::Buy(units) | Step::Sell(units) => {
                    let side = if matches!(step, Step::Buy(_)) { Side::Buy } else { Side::Sell };
                    let intent = support::open(InstrumentId(1), side, Lots::from_units(units * 1_000_000));
                    bench.command(Command::Want { account: ACCOUNT, intent }).unwrap();
                }
                Step::CloseAll => {
                    let open: Vec<_> =
                        bench.desk.shard().state().accounts[&ACCOUNT].positions.iter().map(|p| p.id).collect();
                    for position in open {
                        let intent = support::close(position);
                        bench.command(Command::Want { account: ACCOUNT, intent }).unwrap();
                    }
                }
                Step::Quote(bid) => bench.desk.quote(&quote(at * 1_000, *bid, 2), &mut bench.journal).unwrap(),
            }
        }
        let audit = bench.audit();
        prop_assert_eq!(audit.faults, vec![]);
        let all: i128 = bench.journal.records.iter().filter_map(|r| if let Record::Moved(m) = r { Some(m) } else { None })
            .flat_map(|m| m.postings().iter().map(|p| i128::from(p.amount.units()))).sum();
        prop_assert_eq!(all, 0);
        let mut folded = marque_engine::state::State::default();
        bench.journal.records.iter().for_each(|record| folded.apply(record));
        prop_assert_eq!(&folded, bench.desk.shard().state());
    }
}
