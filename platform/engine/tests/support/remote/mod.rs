//! A remote venue and the network before it, with everything that can go wrong on it, as a pure function of a seed. Time is that
//! of the market. The house on the other side never forgets; what lies between it and us loses, delays, doubles and turns round.

pub mod house;
pub mod trial;

use house::{House, Reply};
use marque_domain::{
    bar::Quote,
    id::{OrderId, PositionId},
    order::{Order, OrderState, Position},
    ticket::{Levels, OrderKind, TimeInForce},
    time::Millis,
};
use marque_engine::{
    gate::Approved,
    port::{Venue, VenueReport},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

/// How long an answer to a request is waited for.
pub const TIMEOUT_MS: i64 = 5_000;

/// Numbers from a seed; the same on every machine.
#[derive(Debug, Clone, Copy)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x51_7C_C1_B7_27_22_0A_95)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1).unsigned_abs()) as i64
    }
}

/// What the client sees instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Reset,
    Status(u16),
    Garbage,
}

/// What travels.
#[derive(Debug, Clone)]
enum Parcel {
    ToVenue { call: u64, request: Box<Request> },
    ToClient { call: u64, reply: Result<Reply, Failure> },
    Stream { number: u64, report: VenueReport },
    Heartbeat { last: u64 },
}

#[derive(Debug, Clone)]
enum Request {
    Submit(Order),
    Cancel(OrderId),
    Amend(Order),
    Protect(PositionId, Levels),
    Query(OrderId),
}

/// Kinds of parcels, for rules about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Submit,
    SubmitReply,
    Query,
    QueryReply,
    Cancel,
    CancelReply,
    Stream,
    /// Only what tells of a fill.
    Fills,
}

/// What becomes of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Arrive(i64),
    Twice(i64, i64),
    Lost,
    /// Lost, and the client is told so.
    Fail(Failure),
    /// It arrives, and the client is told that it failed.
    ArriveAndFail(Failure),
}

/// The next parcels of a kind have this fate.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub on: On,
    pub skip: u32,
    pub times: u32,
    pub fate: Fate,
}

/// A request that waits for its reply.
struct Call {
    request: Request,
    until: Millis,
    session: u64,
}

/// Both sides and what is between them. It outlives the client, as a venue outlives our process.
pub struct World {
    pub now: Millis,
    /// The market's time when it was last seen.
    seen: Millis,
    pub house: House,
    pub rules: Vec<Rule>,
    /// Of a hundred parcels, to how many something happens by chance.
    pub rough: u64,
    /// Until when nothing gets through.
    pub down_until: Millis,
    dice: Dice,
    wire: BTreeMap<(Millis, u64), (u64, Parcel)>,
    sent: u64,
    calls: BTreeMap<u64, Call>,
    called: u64,
    session: u64,
    told: u64,
    expected: u64,
    was_down: bool,
    /// Client ids that were sent, and those that a question proved absent since.
    submitted: BTreeSet<OrderId>,
    absent: BTreeSet<OrderId>,
    /// Orders sent again without such a proof.
    pub blind: Vec<OrderId>,
    /// Everything that arrived anywhere, for comparing two runs.
    pub log: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Millis(0),
            seen: Millis(0),
            house: House::default(),
            rules: Vec::new(),
            rough: 0,
            down_until: Millis(0),
            dice: Dice::new(seed),
            wire: BTreeMap::new(),
            sent: 0,
            calls: BTreeMap::new(),
            called: 0,
            session: 0,
            told: 0,
            expected: 1,
            was_down: false,
            submitted: BTreeSet::new(),
            absent: BTreeSet::new(),
            blind: Vec::new(),
            log: Vec::new(),
        }
    }

    fn is_down(&self) -> bool {
        self.now < self.down_until
    }

    /// What a rule says of a parcel, or chance.
    fn fate(&mut self, kinds: &[On], may_fail: bool) -> Fate {
        if self.is_down() {
            return if may_fail { Fate::Fail(Failure::Reset) } else { Fate::Lost };
        }
        for rule in self.rules.iter_mut().filter(|rule| kinds.contains(&rule.on) && rule.times > 0) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return rule.fate;
        }
        if !self.dice.chance(self.rough) {
            return Fate::Arrive(0);
        }
        let soon = self.dice.between(0, 900);
        match self.dice.below(if may_fail { 7 } else { 4 }) {
            0 => Fate::Lost,
            1 => Fate::Arrive(soon),
            2 => Fate::Arrive(self.dice.between(900, 9_000)),
            3 => Fate::Twice(soon, self.dice.between(0, 20_000)),
            4 => Fate::Fail(self.failure()),
            5 => Fate::ArriveAndFail(self.failure()),
            _ => Fate::Arrive(self.dice.between(0, 50)),
        }
    }

    fn failure(&mut self) -> Failure {
        let all = [Failure::Reset, Failure::Status(500), Failure::Status(503), Failure::Status(429), Failure::Garbage];
        all[self.dice.below(all.len() as u64) as usize]
    }

    fn put(&mut self, delay: i64, parcel: Parcel) {
        self.sent += 1;
        self.wire.insert((self.now.plus(delay), self.sent), (self.session, parcel));
    }

    fn send(&mut self, kinds: &[On], call: Option<u64>, parcel: &Parcel) {
        let fails = |failure| call.map(|call| Parcel::ToClient { call, reply: Err(failure) });
        match self.fate(kinds, call.is_some()) {
            Fate::Arrive(delay) => self.put(delay, parcel.clone()),
            Fate::Twice(first, second) => {
                self.put(first, parcel.clone());
                self.put(second, parcel.clone());
            }
            Fate::Lost => {}
            Fate::Fail(failure) => fails(failure).into_iter().for_each(|told| self.put(0, told)),
            Fate::ArriveAndFail(failure) => {
                self.put(0, parcel.clone());
                fails(failure).into_iter().for_each(|told| self.put(0, told));
            }
        }
    }

    fn call(&mut self, request: Request) {
        self.called += 1;
        let call = self.called;
        let kind = match &request {
            Request::Submit(order) => {
                if !self.submitted.insert(order.id) && !self.absent.remove(&order.id) {
                    self.blind.push(order.id);
                }
                On::Submit
            }
            Request::Query(id) => {
                // An answer to an earlier question about the order is not wanted any more.
                self.calls.retain(|_, call| !matches!(&call.request, Request::Query(asked) if asked == id));
                On::Query
            }
            Request::Cancel(_) | Request::Amend(_) | Request::Protect(..) => On::Cancel,
        };
        let until = self.now.plus(TIMEOUT_MS);
        self.calls.insert(call, Call { request: request.clone(), until, session: self.session });
        self.send(&[kind], Some(call), &Parcel::ToVenue { call, request: Box::new(request) });
    }

    fn at_venue(&mut self, call: u64, request: Request) {
        self.log.push(format!("{} venue {request:?}", self.now.0));
        let (kind, reply) = match request {
            Request::Submit(order) => (On::SubmitReply, self.house.submit(&order)),
            Request::Cancel(id) => (On::CancelReply, self.house.cancel(id)),
            Request::Amend(order) => (On::CancelReply, self.house.amend(&order, call)),
            Request::Protect(position, levels) => (On::CancelReply, self.house.protect(position, levels, call)),
            Request::Query(id) => (On::QueryReply, Reply::Answer(self.house.query(id))),
        };
        self.send(&[kind], Some(call), &Parcel::ToClient { call, reply: Ok(reply) });
        self.spread_news();
    }

    /// What the house has to say goes onto the stream, numbered.
    fn spread_news(&mut self) {
        for report in core::mem::take(&mut self.house.news) {
            self.told += 1;
            let kinds: &[On] = match report {
                VenueReport::Filled { .. } | VenueReport::Exited { .. } => &[On::Stream, On::Fills],
                _ => &[On::Stream],
            };
            self.send(kinds, None, &Parcel::Stream { number: self.told, report });
        }
    }

    /// Delivers what has come by now.
    fn deliver(&mut self, reports: &mut Vec<VenueReport>) {
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (session, parcel) = entry.remove();
            match parcel {
                Parcel::ToVenue { call, request } => self.at_venue(call, *request),
                // The connection of a process that is gone.
                _ if session != self.session => {}
                Parcel::ToClient { call, reply } => self.replied(call, reply, reports),
                Parcel::Stream { number, report } => self.heard(number, Some(report), reports),
                Parcel::Heartbeat { last } => self.heard(last, None, reports),
            }
        }
        let late: Vec<u64> = self.calls.iter().filter(|(_, call)| call.until <= self.now).map(|(id, _)| *id).collect();
        for call in late {
            self.replied(call, Err(Failure::Reset), reports);
        }
    }

    fn replied(&mut self, call: u64, reply: Result<Reply, Failure>, reports: &mut Vec<VenueReport>) {
        // A second reply, or one to a call that was given up.
        let Some(call) = self.calls.remove(&call).filter(|call| call.session == self.session) else { return };
        self.log.push(format!("{} client {:?} {reply:?}", self.now.0, call.request));
        match (call.request, reply) {
            (Request::Submit(order), Ok(Reply::Done)) => reports.push(VenueReport::Acked { order: order.id }),
            (Request::Submit(order), Ok(Reply::Rejected(reason))) => {
                reports.push(VenueReport::Rejected { order: order.id, reason });
            }
            // Whatever is no definite answer is none: also that the order is there already.
            (Request::Submit(order), _) => reports.push(VenueReport::Lost { order: order.id }),
            (Request::Query(_), Ok(Reply::Answer(answer))) => {
                if let VenueReport::NotFound { order } = &answer {
                    self.absent.insert(*order);
                }
                reports.push(answer);
            }
            // A question that failed is asked again by the shard, and so is what it told and was not heard.
            (Request::Query(_) | Request::Cancel(_) | Request::Amend(_) | Request::Protect(..), _) => {}
        }
    }

    fn heard(&mut self, number: u64, report: Option<VenueReport>, reports: &mut Vec<VenueReport>) {
        let next = if report.is_some() { number } else { number + 1 };
        if next > self.expected {
            self.log.push(format!("{} gap before {number}", self.now.0));
            reports.push(VenueReport::Gap);
        }
        self.expected = self.expected.max(number + 1);
        if let Some(report) = report {
            self.log.push(format!("{} stream {report:?}", self.now.0));
            reports.push(report);
        }
    }

    /// The network has a clock of its own, which goes on whatever the market's does: a jump back, or a process that died with
    /// the time it had seen, stops no timer.
    fn advance(&mut self, market: Millis) {
        let passed = market.since(self.seen).max(1);
        self.seen = market;
        self.now = self.now.plus(passed);
    }

    fn pass(&mut self, now: Millis, quote: Option<&Quote>, reports: &mut Vec<VenueReport>) {
        self.advance(now);
        self.deliver(reports);
        if let Some(quote) = quote {
            self.house.quote(quote);
            self.spread_news();
        }
        if self.was_down && !self.is_down() {
            reports.push(VenueReport::Gap);
        }
        self.was_down = self.is_down();
        let last = self.told;
        self.send(&[], None, &Parcel::Heartbeat { last });
        self.deliver(reports);
    }
}

/// Our end of the line: an adapter as the port wants it. What it knows dies with it.
pub struct Client {
    world: Arc<Mutex<World>>,
    orders: BTreeMap<OrderId, (OrderKind, TimeInForce, Levels)>,
    over: BTreeSet<OrderId>,
    guards: BTreeMap<PositionId, Levels>,
}

impl Client {
    /// Connects anew: what was under way on an earlier connection is not heard of any more.
    pub fn connect(world: &Arc<Mutex<World>>) -> Self {
        {
            let mut world = world.lock().unwrap();
            world.session += 1;
            world.expected = world.told + 1;
            world.calls.clear();
        }
        Self { world: Arc::clone(world), orders: BTreeMap::new(), over: BTreeSet::new(), guards: BTreeMap::new() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn call(&self, request: Request) {
        self.world().call(request);
    }

    fn pass(&mut self, now: Millis, quote: Option<&Quote>, reports: &mut Vec<VenueReport>) {
        let before = reports.len();
        self.world().pass(now, quote, reports);
        for report in &reports[before..] {
            self.note(report);
        }
    }

    /// What the venue said of its own is not told to it again.
    fn note(&mut self, report: &VenueReport) {
        match report {
            VenueReport::Found { said, .. } => said.iter().for_each(|report| self.note(report)),
            VenueReport::Ended { order, .. } | VenueReport::Rejected { order, .. } => drop(self.over.insert(*order)),
            VenueReport::Trailed { order, stop } => {
                if let Some((OrderKind::TrailingStop { stop: level, .. }, ..)) = self.orders.get_mut(order) {
                    *level = *stop;
                }
            }
            VenueReport::Followed { position, stop_loss } => {
                self.guards.entry(*position).or_default().stop_loss = Some(*stop_loss);
            }
            _ => {}
        }
    }

    fn hand(&mut self, reports: &mut Vec<VenueReport>) {
        let now = self.world().now;
        let before = reports.len();
        self.world().deliver(reports);
        debug_assert!(now == self.world().now);
        for report in &reports[before..] {
            self.note(report);
        }
    }
}

const fn guards(position: &Position) -> Levels {
    Levels { stop_loss: position.stop_loss, take_profit: position.take_profit, trail: position.trail }
}

impl Venue for Client {
    fn is_remote(&self) -> bool {
        true
    }

    fn listen(&mut self, now: Millis, reports: &mut Vec<VenueReport>) {
        self.pass(now, None, reports);
    }

    fn submit(&mut self, order: &Approved, reports: &mut Vec<VenueReport>) {
        let order = order.order();
        self.orders.insert(order.id, (order.kind, order.time_in_force, order.levels()));
        self.call(Request::Submit(order.clone()));
        self.hand(reports);
    }

    fn query(&mut self, order: OrderId, reports: &mut Vec<VenueReport>) {
        self.call(Request::Query(order));
        self.hand(reports);
    }

    fn quote(&mut self, quote: &Quote, reports: &mut Vec<VenueReport>) {
        self.pass(quote.at, Some(quote), reports);
    }

    fn order(&mut self, order: &Order) {
        let terms = (order.kind, order.time_in_force, order.levels());
        match order.state {
            OrderState::Cancelled | OrderState::Rejected if !self.over.contains(&order.id) => {
                self.over.insert(order.id);
                self.call(Request::Cancel(order.id));
            }
            OrderState::Acked | OrderState::Partial
                if self.orders.insert(order.id, terms).is_some_and(|before| before != terms) =>
            {
                self.call(Request::Amend(order.clone()));
            }
            _ => {}
        }
    }

    fn position(&mut self, position: &Position) {
        let levels = guards(position);
        let before = self.guards.insert(position.id, levels).unwrap_or_default();
        if position.closed.is_none() && before != levels {
            self.call(Request::Protect(position.id, levels));
        }
    }

    fn restate(&mut self, order: &Order, position: Option<&Position>) {
        match order.state {
            OrderState::Cancelled | OrderState::Rejected => self.call(Request::Cancel(order.id)),
            OrderState::Acked | OrderState::Partial => self.call(Request::Amend(order.clone())),
            _ => {}
        }
        if let Some(position) = position {
            self.call(Request::Protect(position.id, guards(position)));
        }
    }
}
