//! A venue with books of its own that says what a test says, and a desk before it.

use super::{Journal, NativeHost, NoHistory, instrument, open, quote, terms};
use marque_domain::{
    decision::{Intent, Outcome},
    execution::ExecutionId,
    fixed::{Lots, Money, Price},
    id::{AccountId, InstrumentId, OrderId, PositionId},
    order::{Order, Origin, Purpose, Side},
    plugin::PluginRef,
    time::Millis,
};
use marque_engine::{
    Command, Desk, Record, Refusal, Shard,
    gate::Approved,
    oracle::History,
    port::{Venue, VenueReport},
    routed::DisputeKind,
    state::State,
};
use std::sync::{Arc, Mutex, MutexGuard};

pub const ACCOUNT: AccountId = AccountId(1);

/// A venue that says what the test says, and remembers what it was told.
#[derive(Default)]
pub struct Script {
    pub says: Vec<VenueReport>,
    pub submitted: Vec<OrderId>,
    pub asked: Vec<OrderId>,
    pub told: Vec<OrderId>,
    pub restated: Vec<OrderId>,
    /// What it says at once to every order that closes.
    pub on_close: Option<fn(OrderId) -> VenueReport>,
    /// What it says at once to every question.
    pub on_query: Option<fn(OrderId) -> VenueReport>,
}

#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
}

impl Venue for Scripted {
    fn is_remote(&self) -> bool {
        true
    }
    fn listen(&mut self, _: Millis, reports: &mut Vec<VenueReport>) {
        reports.append(&mut self.script().says);
    }
    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let (order, mut script) = (order.order(), self.script());
        script.submitted.push(order.id);
        assert!(script.submitted.len() < 10_000, "the desk goes round and round");
        if order.purpose != Purpose::Open {
            reports.extend(script.on_close.map(|says| says(order.id)));
        }
    }
    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        let mut script = self.script();
        script.asked.push(order);
        reports.extend(script.on_query.map(|says| says(order)));
    }
    fn quote(&mut self, _: &marque_domain::bar::Quote, _: &mut Vec<VenueReport>) {}
    fn order(&mut self, order: &Order) {
        self.script().told.push(order.id);
    }
    fn restate(&mut self, order: &Order, _: Option<&marque_domain::order::Position>) {
        self.script().restated.push(order.id);
    }
}

pub struct Bench {
    pub venue: Scripted,
    pub desk: Desk<Scripted>,
    pub journal: Journal,
}

impl Bench {
    pub fn new() -> Self {
        Self::with_rules(vec![])
    }

    /// With an account that is bound to these rules.
    pub fn with_rules(rules: Vec<PluginRef>) -> Self {
        let shard = Shard::new(&[instrument()], Arc::new(NativeHost), Box::new(NoHistory));
        let venue = Scripted::default();
        let mut bench = Self { desk: Desk::new(shard, venue.clone()), venue, journal: Journal::default() };
        bench.show(0, 0);
        bench.command(Command::OpenAccount(terms(rules))).unwrap();
        bench
    }

    /// A quote, so many milliseconds after the start.
    pub fn show(&mut self, at_ms: i64, bid: i64) {
        self.desk.quote(&quote(at_ms, bid, 1), &mut self.journal).unwrap();
    }

    pub fn command(&mut self, command: Command) -> Result<(), Refusal> {
        self.desk.command(command, &mut self.journal).unwrap()
    }

    pub fn want(&mut self, intent: Intent) -> Outcome {
        self.command(Command::Want { account: ACCOUNT, intent }).unwrap();
        let decided = self.journal.records.iter().rev().find_map(|r| match r {
            Record::Decided(decision) => Some(decision.outcome.clone()),
            _ => None,
        });
        decided.unwrap()
    }

    /// Buys so much; it is on its way to the venue.
    pub fn buy(&mut self, lots: &str) -> OrderId {
        let outcome = self.want(open(InstrumentId(1), Side::Buy, lots.parse().unwrap()));
        let Outcome::Approved { order, .. } = outcome else { unreachable!("it was denied: {outcome:?}") };
        order
    }

    pub fn say(&mut self, reports: impl IntoIterator<Item = VenueReport>) {
        self.venue.script().says.extend(reports);
        self.pass(0);
    }

    pub fn pass(&mut self, ms: i64) {
        let now = self.desk.shard().market().now().plus(ms);
        self.desk.listen(now, &mut self.journal).unwrap();
    }

    pub fn state(&self) -> &State {
        self.desk.shard().state()
    }

    pub fn order(&self, id: OrderId) -> &Order {
        self.state().remembered(id).unwrap()
    }

    pub fn held(&self, id: OrderId) -> Option<Lots> {
        self.state().position(PositionId(id.0)).map(|p| p.lots)
    }

    pub fn disputes(&self) -> Vec<DisputeKind> {
        History::of(&self.journal.records).disputes.iter().map(|dispute| dispute.kind).collect()
    }

    /// The laws of one's own books hold, and a restart finds the same state.
    pub fn check(&self) {
        let history = History::of(&self.journal.records);
        assert_eq!(history.broken(), []);
        assert_eq!(history.state(), self.state());
        let bytes = postcard::to_stdvec(self.state()).unwrap();
        assert_eq!(&postcard::from_bytes::<State>(&bytes).unwrap(), self.state());
    }
}

pub fn lots(text: &str) -> Lots {
    text.parse().unwrap()
}

pub fn price() -> Price {
    quote(0, 1, 0).bid
}

pub fn filled(order: OrderId, execution: &str, lots: &str) -> VenueReport {
    let execution = Some(ExecutionId::new(execution).unwrap());
    VenueReport::Filled { order, execution, lots: lots.parse().unwrap(), price: price(), commission: Money::whole(1) }
}

pub fn exited(order: OrderId, execution: &str, part: &str) -> VenueReport {
    VenueReport::Exited {
        position: PositionId(order.0),
        execution: Some((ExecutionId::new(execution).unwrap(), lots(part))),
        origin: Origin::StopLoss,
        price: price(),
        commission: Money::ZERO,
    }
}

pub fn ended(order: OrderId) -> VenueReport {
    VenueReport::Ended { order, reason: "it was cancelled".into() }
}
