//! Sample data for statements, the books and kill switches.

use super::{ACCOUNT, Sample, Shell};
use crate::portal::view::{
    Banner, Clock, Figure, KillPanel, KillRow, KillsPage, LedgerPage, Link, MoneyForm, MoneyRow, Pager, StatementPage,
    Tone, mode_badge,
};
use marque_domain::{
    fixed::Money,
    id::TransactionId,
    instrument::Currency,
    kill::{Authority, Kill, KillMode, KillScope},
    ledger::{Book, Transaction, TransactionKind, movement::Memo},
    time::{Millis, Zone},
};
use marque_store::StatementLine;

/// 1 May 2014, 14:03:12 UTC.
const NOW: Millis = Millis(1_398_952_992_000);

fn lines() -> Vec<StatementLine> {
    let line = |id, kind, book, amount: i64, balance: i64| {
        let moved = Transaction::transfer(TransactionId(id), ACCOUNT, NOW, kind, 0, book, Money::whole(amount));
        StatementLine { moved, balance: Money::whole(balance) }
    };
    let mut lines = vec![
        line(4, TransactionKind::Withdrawal, Book::External, -500, 100_480),
        line(3, TransactionKind::Commission, Book::Fees, -20, 100_980),
        line(2, TransactionKind::Profit, Book::Venue, 1_000, 101_000),
        line(1, TransactionKind::Deposit, Book::External, 100_000, 100_000),
    ];
    let memo = Memo { reference: "wire-2014-05-01-3".to_owned(), note: "To your bank".to_owned() };
    if let Some(first) = lines.first_mut() {
        first.moved = first.moved.clone().with_memo(Some(memo));
    }
    lines
}

fn statement(form: Option<MoneyForm>, rows: Vec<MoneyRow>) -> StatementPage {
    StatementPage {
        account: Link::new("Evaluation 100K", "/accounts/x"),
        balance: Figure::money(Money::whole(100_480), Currency::USD),
        available: Some(Figure::money(Money::whole(95_000), Currency::USD)),
        notice: form.is_some().then(|| Banner::new(Tone::Good, "Booked", "It stands on top of the statement.")),
        form,
        rows,
        pager: Pager { newer: None, older: Some("/accounts/x/money?before=txn_x".to_owned()) },
        csv: "/accounts/x/statement.csv".to_owned(),
        action: "/accounts/x/money".to_owned(),
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

fn ledger(whole: bool) -> LedgerPage {
    let clock = Clock::new(Zone::utc());
    let (tone, title) = if whole { (Tone::Good, "The books add up") } else { (Tone::Bad, "The books do not add up") };
    LedgerPage {
        verdict: Banner::new(tone, title, "4 transactions on 1 accounts."),
        faults: if whole {
            Vec::new()
        } else {
            vec!["transaction txn_x does not balance: its postings sum to 5".to_owned()]
        },
        rows: if whole {
            lines().iter().map(|line| MoneyRow::of_brand(&line.moved, Currency::USD, &clock)).collect()
        } else {
            Vec::new()
        },
        pager: Pager { newer: None, older: None },
        zone: "UTC".to_owned(),
    }
}

/// A switch that is on over an account.
pub(super) fn kill() -> Kill {
    Kill {
        scope: KillScope::Account(ACCOUNT),
        mode: KillMode::Close,
        authority: Authority::Trader,
        by: "trader@marque.example".to_owned(),
        reason: "It trades faster than I can look".to_owned(),
        at: NOW,
    }
}

/// The panel on an account's page, on or off.
pub(super) fn panel(on: bool) -> KillPanel {
    let (kill, by) = (kill(), Some(Authority::Trader));
    KillPanel::of(
        &ACCOUNT.to_string(),
        on.then_some(&kill),
        on.then_some(Authority::Trader),
        by,
        &Clock::new(Zone::utc()),
    )
}

fn kills(on: bool) -> KillsPage {
    let kill = kill();
    let row = KillRow {
        stops: kill.scope.words().to_owned(),
        target: ACCOUNT.to_string(),
        mode: mode_badge(kill.mode),
        by: kill.by,
        reason: kill.reason,
        at: Clock::new(Zone::utc()).show(kill.at),
        field: "account",
        value: ACCOUNT.to_string(),
        may_release: true,
    };
    KillsPage {
        notice: on.then(|| Banner::new(Tone::Good, "Pressed", "It stays on until somebody here releases it.")),
        rows: if on { vec![row] } else { Vec::new() },
        fields: KillsPage::form("", "", "", &["EURUSD".to_owned(), "XAUUSD".to_owned()]),
        error: (!on).then(|| "Choose one of the offered instruments.".to_owned()),
        may_press: true,
        zone: "UTC".to_owned(),
        csrf: "csrf-token".to_owned(),
    }
}

/// The pages of money and of the kill switch.
pub(super) fn samples(shell: &impl Fn(&str, &str, bool) -> Shell) -> Vec<Sample> {
    let clock = Clock::new(Zone::utc());
    let rows: Vec<MoneyRow> = lines().iter().map(|line| MoneyRow::of(line, Currency::USD, &clock)).collect();
    let refused = MoneyForm::new("withdrawal", "500", "wire-1", "", Some("500.00 is more than may leave.".to_owned()));
    let shell = |title: &str| shell(title, "/admin/ledger", true);
    vec![
        Sample::page("statement", shell("Statement"), &statement(Some(refused), rows)),
        Sample::page("statement-empty", shell("Statement"), &statement(None, Vec::new())),
        Sample::page("admin-ledger", shell("Ledger"), &ledger(true)),
        Sample::page("admin-ledger-faults", shell("Ledger"), &ledger(false)),
        Sample::page("admin-kill", shell("Kill switch"), &kills(true)),
        Sample::page("admin-kill-none", shell("Kill switch"), &kills(false)),
    ]
}
