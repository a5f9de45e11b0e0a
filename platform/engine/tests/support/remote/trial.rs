//! A desk that lives through crashes beside its venue, and what must be true of both when all is quiet again.

use super::{Client, World};
use crate::support::{NativeHost, NoHistory, START, instrument, mortal::Mortal};
use marque_domain::{
    bar::Quote,
    fixed::Price,
    id::{AccountId, DecisionId},
    instrument::Instrument,
    oracle::{self, Broken},
    order::{Order, OrderState, Position},
    swap::{SwapTerms, TripleDay},
    time::Millis,
};
use marque_engine::{
    Command, Desk, Record, Refusal, Shard,
    gate::Approved,
    oracle::History,
    port::{Venue, VenueReport},
    state::State,
    venue::{SimulatedVenue, VenueModel},
};
use std::sync::{Arc, Mutex};

/// Where a trial's orders go.
pub enum Place {
    Remote(Client),
    Simulated(Box<SimulatedVenue>),
}

impl Place {
    fn venue(&mut self) -> &mut dyn Venue {
        match self {
            Self::Remote(client) => client,
            Self::Simulated(venue) => venue.as_mut(),
        }
    }
}

impl Venue for Place {
    fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    fn listen(&mut self, now: Millis, reports: &mut Vec<VenueReport>) {
        self.venue().listen(now, reports);
    }

    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        self.venue().submit(order, reports);
    }

    fn query(&mut self, order: marque_domain::id::OrderId, reports: &mut Vec<VenueReport>) {
        self.venue().query(order, reports);
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        self.venue().quote(quote, reports);
    }

    fn order(&mut self, order: &Order) {
        self.venue().order(order);
    }

    fn position(&mut self, position: &Position) {
        self.venue().position(position);
    }

    fn restate(&mut self, order: &Order, position: Option<&Position>) {
        self.venue().restate(order, position);
    }
}

/// What somebody was told was done.
#[derive(Default)]
pub struct Told {
    pub decisions: Vec<DecisionId>,
    pub movements: Vec<(AccountId, String)>,
}

pub struct Trial {
    pub world: Arc<Mutex<World>>,
    pub journal: Mortal,
    pub deaths: u32,
    pub told: Told,
    pub last: Quote,
    model: Option<VenueModel>,
    desk: Desk<Place>,
}

/// Whether it is not known whether the venue has it.
const fn is_open(order: &Order) -> bool {
    matches!(order.state, OrderState::Intent | OrderState::Sending | OrderState::Unknown)
}

/// The instrument of a trial charges for its nights.
pub fn listed() -> Instrument {
    let swap = SwapTerms {
        long: Price::from_units(-70),
        short: Price::from_units(20),
        zone: "America/New_York".parse().unwrap(),
        minute: 17 * 60,
        triple: TripleDay::Wednesday,
        holidays: vec![],
    };
    Instrument { swap: Some(swap), ..instrument() }
}

impl Trial {
    /// At a remote venue in this world, or at the simulated one on these terms.
    pub fn new(world: World, model: Option<VenueModel>) -> Self {
        let world = Arc::new(Mutex::new(world));
        let desk = Self::desk_at(&world, model, Self::shard());
        let last = Quote { instrument: listed().id, at: START, bid: Price::ZERO, ask: Price::ZERO };
        Self { world, journal: Mortal::default(), deaths: 0, told: Told::default(), last, model, desk }
    }

    fn shard() -> Shard {
        Shard::new(&[listed()], Arc::new(NativeHost), Box::new(NoHistory))
    }

    fn desk_at(world: &Arc<Mutex<World>>, model: Option<VenueModel>, shard: Shard) -> Desk<Place> {
        let place = match model {
            None => Place::Remote(Client::connect(world)),
            Some(model) => {
                let mut venue = SimulatedVenue::with_model(model, &[listed()]);
                venue.restore(&shard);
                Place::Simulated(Box::new(venue))
            }
        };
        Desk::new(shard, place)
    }

    pub fn state(&self) -> &State {
        self.desk.shard().state()
    }

    pub fn now(&self) -> Millis {
        self.desk.shard().market().now()
    }

    /// The process is gone with all that was not committed; another one begins. It may die on its way, too.
    fn revive(&mut self) {
        loop {
            self.deaths += 1;
            let mut state = State::default();
            self.journal.records.iter().for_each(|record| state.apply(record));
            let mut shard = Self::shard();
            shard.restore(state, self.journal.mark.clone().unwrap_or_default());
            self.desk = Self::desk_at(&self.world, self.model, shard);
            if self.desk.recover(&mut self.journal).is_ok() {
                return;
            }
        }
    }

    pub fn quote(&mut self, quote: Quote) {
        self.last = quote;
        if self.desk.quote(&quote, &mut self.journal).is_err() {
            self.revive();
        }
    }

    /// The next quote so much later, at the same price.
    pub fn wait(&mut self, ms: i64) {
        self.quote(Quote { at: self.now().plus(ms), ..self.last });
    }

    pub fn listen(&mut self, ms: i64) {
        if self.desk.listen(self.now().plus(ms), &mut self.journal).is_err() {
            self.revive();
        }
    }

    /// None when the process died before it could answer: then nobody knows, but nobody was told either.
    pub fn command(&mut self, command: Command) -> Option<Result<(), Refusal>> {
        let before = self.journal.records.len();
        let Ok(answer) = self.desk.command(command.clone(), &mut self.journal) else {
            self.revive();
            return None;
        };
        if answer.is_ok() {
            let decided = self.journal.records[before..].iter().filter_map(|r| match r {
                Record::Decided(decision) => Some(decision.id),
                _ => None,
            });
            self.told.decisions.extend(decided);
            if let Command::MoveMoney { account, movement } = command {
                self.told.movements.push((account, movement.memo.reference));
            }
        }
        Some(answer)
    }

    /// The process dies at so many commits from now.
    pub fn die_in(&mut self, commits: usize) {
        self.journal.dies_at = self.journal.commits + commits;
    }

    fn is_quiet(&self) -> bool {
        self.state().accounts.values().all(|account| {
            account.orders.iter().all(|order| !is_open(order)) && account.routed.values().all(|r| r.asking.is_none())
        })
    }

    /// The weather clears and time passes until every question is answered.
    pub fn settle(&mut self) {
        self.journal.dies_at = 0;
        {
            let mut world = self.world.lock().unwrap();
            world.rules.clear();
            (world.rough, world.down_until, world.house.halves) = (0, Millis(0), false);
        }
        for step in 0..120 {
            self.wait(if step < 60 { 1_000 } else { 60_000 });
            if step > 30 && self.is_quiet() {
                return;
            }
        }
    }

    /// Everything that is wrong once all is quiet.
    pub fn broken(&self) -> Vec<Broken> {
        let history = History::of(&self.journal.records);
        let mut broken = history.broken();
        let decided = history.decisions.iter().map(|decision| decision.id);
        broken.extend(oracle::acknowledged(self.told.decisions.iter().copied(), decided));
        let moved = history.transactions.iter().filter_map(|t| Some((t.account(), t.memo()?.reference.clone())));
        broken.extend(oracle::acknowledged(self.told.movements.iter().cloned(), moved));
        assert_eq!(history.state(), self.state(), "the state is the fold of the records");
        if self.model.is_none() {
            let world = self.world.lock().unwrap();
            broken.extend(oracle::venue_equals_intents(&history.orders, &world.house.statement()));
            let open = self.state().accounts.values().flat_map(|a| &a.positions).map(|p| (p.id, p.side, p.lots));
            let theirs = world.house.positions.values().map(|p| (p.id, p.side, p.lots));
            broken.extend(oracle::positions_equal(open, theirs));
            assert_eq!(world.blind, [], "an order was sent again though no question had proved it absent");
            assert_eq!(history.impossible().collect::<Vec<_>>(), Vec::<&marque_engine::routed::Dispute>::new());
        }
        if !self.is_quiet() {
            let orders: Vec<&Order> =
                self.state().accounts.values().flat_map(|a| &a.orders).filter(|o| is_open(o)).collect();
            let routed = self.state().accounts.values().flat_map(|a| &a.routed);
            let waits: Vec<_> = routed.filter_map(|(id, r)| Some((*id, r.asking?))).collect();
            assert!(self.is_quiet(), "questions stay open though the venue can be reached: {waits:?} {orders:#?}");
        }
        broken
    }
}
