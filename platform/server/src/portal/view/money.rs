//! Statements, the books, and kill switches.

use super::{
    Page,
    component::{Badge, Banner, Field, FieldKind, Link, Pager, Tone},
    figure::{Clock, Figure, When},
};
use marque_domain::{
    instrument::Currency,
    kill::{Authority, Kill, KillMode},
    ledger::{
        Transaction, TransactionKind,
        movement::{MovementKind, REFERENCE_CHARS_MAX},
    },
};
use marque_store::StatementLine;
use serde::Serialize;

/// What a kind of movement is to a person.
#[must_use]
pub const fn kind_words(kind: TransactionKind) -> &'static str {
    match kind {
        TransactionKind::Deposit => "Deposit",
        TransactionKind::Profit => "Closed position",
        TransactionKind::Commission => "Commission",
        TransactionKind::Withdrawal => "Withdrawal",
        TransactionKind::Fee => "Fee",
        TransactionKind::Adjustment => "Adjustment",
        TransactionKind::Payout => "Payout",
        TransactionKind::Swap => "Swap",
    }
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoneyRow {
    /// Its id.
    pub id: String,
    /// When.
    pub at: When,
    /// Why.
    pub kind: &'static str,
    /// What it added; below zero when it took.
    pub amount: Figure,
    /// What it left.
    pub balance: Option<Figure>,
    /// Whose, on a list of several accounts.
    pub account: Option<Link>,
    /// What whoever asked for it called it; may be empty.
    pub reference: String,
    /// What they wrote to it; may be empty.
    pub note: String,
}

impl MoneyRow {
    /// A line of an account's statement.
    #[must_use]
    pub fn of(line: &StatementLine, currency: Currency, clock: &Clock) -> Self {
        let balance = Some(Figure::money(line.balance, currency));
        Self { balance, ..Self::bare(&line.moved, currency, clock) }
    }

    /// A line of the brand's books.
    #[must_use]
    pub fn of_brand(moved: &Transaction, currency: Currency, clock: &Clock) -> Self {
        let id = moved.account().to_string();
        let account = Some(Link::new(id.clone(), format!("/accounts/{id}/money")));
        Self { account, ..Self::bare(moved, currency, clock) }
    }

    fn bare(moved: &Transaction, currency: Currency, clock: &Clock) -> Self {
        Self {
            id: moved.id().to_string(),
            at: clock.show(moved.at()),
            kind: kind_words(moved.kind()),
            amount: Figure::change(moved.cash(), currency),
            balance: None,
            account: None,
            reference: moved.memo().map(|memo| memo.reference.clone()).unwrap_or_default(),
            note: moved.memo().map(|memo| memo.note.clone()).unwrap_or_default(),
        }
    }
}

/// The form that moves money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoneyForm {
    /// Kind, amount, reference and note.
    pub fields: Vec<Field>,
    /// Why the last answer was refused.
    pub error: Option<String>,
}

impl MoneyForm {
    /// The form, with what stands in it.
    #[must_use]
    pub fn new(kind: &str, amount: &str, reference: &str, note: &str, error: Option<String>) -> Self {
        let kinds = MovementKind::ALL.map(|kind| (kind.name(), kind_words(kind.transaction())));
        let mut why = Field::new(FieldKind::Text, "note", "Note").value(note).hint("The account's owner reads it.");
        why.required = false;
        let mut how_much = Field::new(FieldKind::Text, "amount", "Amount")
            .value(amount)
            .hint("Such as 250.00. Only an adjustment may be below zero.");
        how_much.autocomplete = Some("off");
        let named =
            format!("Your own name for it, up to {REFERENCE_CHARS_MAX} characters without spaces. It counts once.");
        let fields = vec![
            Field::new(FieldKind::Select, "kind", "What").value(kind).choices(kinds),
            how_much,
            Field::new(FieldKind::Text, "reference", "Reference").value(reference).hint(named),
            why,
        ];
        Self { fields, error }
    }
}

/// An account's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementPage {
    /// The account.
    pub account: Link,
    /// What it has.
    pub balance: Figure,
    /// What may leave it; absent while the desk recovers.
    pub available: Option<Figure>,
    /// What the form has just done.
    pub notice: Option<Banner>,
    /// The form that moves money, for who may.
    pub form: Option<MoneyForm>,
    /// Newest first.
    pub rows: Vec<MoneyRow>,
    /// Its neighbours.
    pub pager: Pager,
    /// The same as a file.
    pub csv: String,
    /// Where the form goes.
    pub action: String,
    /// The zone of its times.
    pub zone: String,
    /// The token of its form.
    pub csrf: String,
}

impl Page for StatementPage {
    const TEMPLATE: &'static str = "statement";
}

/// The brand's books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerPage {
    /// Whether they add up.
    pub verdict: Banner,
    /// What does not, in words.
    pub faults: Vec<String>,
    /// Newest first.
    pub rows: Vec<MoneyRow>,
    /// Its neighbours.
    pub pager: Pager,
    /// The zone of its times.
    pub zone: String,
}

impl Page for LedgerPage {
    const TEMPLATE: &'static str = "admin-ledger";
}

/// A kill switch that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KillRow {
    /// What it stops, in words.
    pub stops: String,
    /// Its id or symbol; may be empty.
    pub target: String,
    /// How.
    pub mode: Badge,
    /// Who pressed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in market time.
    pub at: When,
    /// What its release names: `account`, `deployment`, `instrument` or `tenant`.
    pub field: &'static str,
    /// What that field holds.
    pub value: String,
    /// Whether who looks may release it.
    pub may_release: bool,
}

/// What a switch does, in a word.
#[must_use]
pub fn mode_badge(mode: KillMode) -> Badge {
    match mode {
        KillMode::Stop => Badge::new(Tone::Warn, "Stopped"),
        KillMode::Close => Badge::new(Tone::Bad, "Stopped and closed"),
    }
}

/// Kill switches, for who runs the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KillsPage {
    /// What the form has just done.
    pub notice: Option<Banner>,
    /// Those that are on.
    pub rows: Vec<KillRow>,
    /// What to stop, which, and why.
    pub fields: Vec<Field>,
    /// Why the last answer was refused.
    pub error: Option<String>,
    /// Whether who looks may press.
    pub may_press: bool,
    /// The zone of its times.
    pub zone: String,
    /// The token of its forms.
    pub csrf: String,
}

impl KillsPage {
    /// The fields of the form, with what stands in them.
    #[must_use]
    pub fn form(what: &str, id: &str, reason: &str, symbols: &[String]) -> Vec<Field> {
        // Nothing is chosen beforehand: who presses in a hurry must not stop more than they meant to.
        let choices = [
            ("", "Choose what to stop"),
            ("account", "An account"),
            ("deployment", "A strategy"),
            ("instrument", "An instrument, on all accounts"),
            ("tenant", "Everything here: all accounts of the brand"),
        ];
        let mut which = Field::new(FieldKind::Text, "id", "Which").value(id).hint(format!(
            "The account's or strategy's id, such as acc_0r3v4k8m2n6p1, or the instrument: {}. Nothing for everything.",
            symbols.join(", ")
        ));
        which.required = false;
        let mut why = Field::new(FieldKind::Text, "reason", "Why").value(reason);
        why.hint = Some("Traders read it with every order that is denied.".to_owned());
        why.required = false;
        vec![Field::new(FieldKind::Select, "what", "What to stop").value(what).choices(choices), which, why]
    }
}

impl Page for KillsPage {
    const TEMPLATE: &'static str = "admin-kill";
}

/// The kill switch on an account's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KillPanel {
    /// That it is on: who pressed it, when and why.
    pub on: Option<Banner>,
    /// Where to press it, for who may.
    pub press_url: Option<String>,
    /// Where to release it, when it is on and who looks may.
    pub release_url: Option<String>,
}

impl KillPanel {
    /// The switch of an account. `own` is in whose name who looks presses; none for who may not.
    #[must_use]
    pub fn of(
        id: &str,
        on: Option<&Kill>,
        of_account: Option<Authority>,
        own: Option<Authority>,
        clock: &Clock,
    ) -> Self {
        let banner = on.map(|kill| {
            let when = clock.show(kill.at);
            let closed = if kill.mode == KillMode::Close { " What was open is being closed." } else { "" };
            Banner::new(
                Tone::Bad,
                format!("The kill switch is on for {}", kill.scope.words()),
                format!(
                    "{} pressed it at {}: {}.{closed} Nothing new is traded until it is released.",
                    kill.by,
                    format_args!("{} {} {}", when.date, when.time, when.zone),
                    kill.reason.trim_end_matches('.')
                ),
            )
        });
        let may_release = own.is_some_and(|own| of_account.is_some_and(|by| by <= own));
        Self {
            on: banner,
            press_url: own.map(|_| format!("/accounts/{id}/kill")),
            release_url: may_release.then(|| format!("/accounts/{id}/release")),
        }
    }
}
