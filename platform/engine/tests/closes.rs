//! Closes that a rule, the margin or a switch requires, at a venue with books of its own that does not make them.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod support;

use marque_domain::{
    account::AccountStatus,
    id::{OrderId, PositionId},
    kill::{Authority, Kill, KillMode, KillScope},
    order::{Order, OrderState, Origin, Purpose},
    time::Millis,
};
use marque_engine::{Command, Record, port::VenueReport, routed::ASKS_MAX};
use support::{
    START, close, plugin,
    scripted::{ACCOUNT, Bench, filled},
};

fn refused(order: OrderId) -> VenueReport {
    VenueReport::Rejected { order, reason: "the market is halted".into() }
}

fn lost(order: OrderId) -> VenueReport {
    VenueReport::Lost { order }
}

fn unknown(order: OrderId) -> VenueReport {
    VenueReport::NotFound { order }
}

fn press(bench: &mut Bench) {
    let (by, reason, scope) = ("trader".to_owned(), "a test".to_owned(), KillScope::Account(ACCOUNT));
    let (mode, authority) = (KillMode::Close, Authority::Trader);
    bench.command(Command::Kill(Kill { scope, mode, authority, by, reason, at: Millis(0) })).unwrap();
}

/// The order that closes what this order opened.
fn closing(bench: &Bench, held: OrderId) -> Option<OrderId> {
    let closes = |o: &&Order| o.purpose.closes(PositionId(held.0));
    bench.state().accounts[&ACCOUNT].orders.iter().find(closes).map(|o| o.id)
}

/// How many orders went to the venue.
fn sent(bench: &Bench) -> usize {
    bench.venue.script().submitted.len()
}

/// Who requires the close, and the bid at which they do.
struct Case {
    who: &'static str,
    rule: Option<(&'static str, &'static str)>,
    lots: &'static str,
    bid: i64,
    switch: bool,
}

const CASES: [Case; 4] = [
    Case { who: "a rule that fails it", rule: Some(("floor", "9900")), lots: "10", bid: -120, switch: false },
    Case { who: "a rule that wants it flat", rule: Some(("curfew", "1000")), lots: "10", bid: 0, switch: false },
    Case { who: "a switch", rule: None, lots: "10", bid: 0, switch: true },
    // 69,000 are bound, and half of that is left at 1,310 points.
    Case { who: "the margin", rule: None, lots: "50", bid: -1_320, switch: false },
];

impl Case {
    /// An account that holds a position which must be closed a second after the start, at a venue that answers so at once.
    fn begin(&self, says: fn(OrderId) -> VenueReport) -> (Bench, OrderId) {
        let mut bench = Bench::with_rules(self.rule.iter().map(|(name, with)| plugin(name, with)).collect());
        let held = bench.buy(self.lots);
        bench.say([filled(held, "held", self.lots)]);
        bench.venue.script().on_close = Some(says);
        bench.show(1_000, self.bid);
        if self.switch {
            press(&mut bench);
        }
        (bench, held)
    }

    /// Quotes that hardly move the price. Answers when an order went out.
    fn pass(&self, bench: &mut Bench, from_ms: i64, to_ms: i64) -> Vec<i64> {
        let mut times = Vec::new();
        for at in (from_ms..=to_ms).step_by(500) {
            let before = sent(bench);
            bench.show(at, self.bid - at / 500 % 2);
            times.extend((before..sent(bench)).map(|_| at));
        }
        times
    }
}

#[test]
fn a_venue_that_refuses_every_required_close_at_once_is_asked_at_growing_waits() {
    for case in CASES {
        let (mut bench, held) = case.begin(refused);
        assert_eq!(sent(&bench), 2, "{}: one, and nothing goes round", case.who);
        let times = case.pass(&mut bench, 1_500, 20_000);
        assert_eq!(times, [2_000, 4_000, 8_000, 16_000], "{}", case.who);
        // It trades again: what is required still is.
        bench.venue.script().on_close = None;
        assert_eq!(case.pass(&mut bench, 20_500, 32_000), [32_000], "{}", case.who);
        let last = closing(&bench, held).unwrap();
        bench.say([filled(last, "z", case.lots)]);
        assert_eq!((bench.held(held), closing(&bench, held)), (None, None), "{}", case.who);
        assert_eq!(case.pass(&mut bench, 32_500, 34_000), [0_i64; 0], "{}", case.who);
        bench.check();
    }
}

/// Who presses it anew means now.
#[test]
fn a_switch_that_is_pressed_again_does_not_wait() {
    let [_, _, case, _] = CASES;
    let (mut bench, _) = case.begin(refused);
    bench.show(1_500, 0);
    assert_eq!(sent(&bench), 2);
    press(&mut bench);
    assert_eq!(sent(&bench), 3);
    bench.check();
}

/// That the venue refused their owner's close says nothing of the one that a switch requires.
#[test]
fn a_switch_does_not_wait_for_a_close_that_its_owner_wanted() {
    let mut bench = Bench::new();
    let held = bench.buy("10");
    bench.say([filled(held, "held", "10")]);
    bench.show(1_000, 0);
    bench.want(close(PositionId(held.0)));
    let own = closing(&bench, held).unwrap();
    press(&mut bench);
    assert_eq!(closing(&bench, held), Some(own), "it is being closed");
    bench.say([refused(own)]);
    bench.show(1_500, 0);
    let order = bench.order(closing(&bench, held).unwrap());
    assert_eq!(order.origin, Origin::KillSwitch);
    bench.check();
}

/// A position that the venue does not close brings no money back: the next one may.
#[test]
fn a_refused_close_holds_up_no_stop_out() {
    let mut bench = Bench::new();
    let (large, small) = (bench.buy("40"), bench.buy("10"));
    bench.say([filled(large, "large", "40"), filled(small, "small", "10")]);
    bench.venue.script().on_close = Some(refused);
    let mut closes = Vec::new();
    // 69,000 are bound, and half of that is left at 1,310 points.
    for at in [1_000, 1_500, 2_000, 2_500, 3_000] {
        bench.show(at, -1_320 - at / 500 % 2);
        let sent = bench.venue.script().submitted.split_off(2);
        closes.extend(sent.into_iter().map(|id| (at, bench.order(id).purpose)));
    }
    let [large, small] = [large, small].map(|id| Purpose::Close(PositionId(id.0)));
    assert_eq!(closes, [(1_000, large), (1_500, small), (2_000, large), (2_500, small)]);
    bench.check();
}

/// What comes in late on an account that failed is closed at once, and does not hurry what waits; a part that trades shows that
/// the venue closes after all.
#[test]
fn each_position_waits_by_itself() {
    let mut bench = Bench::with_rules(vec![plugin("floor", "9900")]);
    let held = bench.buy("10");
    bench.say([filled(held, "held", "10")]);
    let late = bench.buy("1");
    bench.show(1_000, -120);
    assert!(matches!(bench.state().accounts[&ACCOUNT].status, AccountStatus::Failed(_)));
    let first = closing(&bench, held).unwrap();
    bench.say([refused(first), filled(late, "late", "0.5")]);
    assert_eq!(closing(&bench, held), None);
    assert!(closing(&bench, late).is_some());
    bench.show(2_000, -120);
    let second = closing(&bench, held).unwrap();
    bench.say([filled(second, "a", "4"), VenueReport::Ended { order: second, reason: "no more to be had".into() }]);
    assert_eq!(closing(&bench, held), None);
    bench.show(2_500, -120);
    assert_eq!(closing(&bench, held), None);
    bench.show(3_000, -120);
    let third = closing(&bench, held).unwrap();
    assert_eq!(bench.order(third).lots, support::scripted::lots("6"));
    bench.check();
}

/// Such a venue never says no. In one moment an order goes out again once; after two seconds nobody wants it any more.
#[test]
fn a_venue_that_loses_every_close_and_denies_it_in_one_breath_is_not_asked_for_ever() {
    let [case, ..] = CASES;
    let (mut bench, held) = case.begin(lost);
    bench.venue.script().on_query = Some(unknown);
    let first = closing(&bench, held).unwrap();
    let times = case.pass(&mut bench, 1_500, 4_500);
    assert_eq!((times.as_slice(), bench.order(first).state), (&[2_000, 3_000][..], OrderState::Cancelled));
    // Another one a second later: twice at once, and again while it is young.
    let times = case.pass(&mut bench, 5_000, 9_500);
    assert_eq!(times, [5_000, 5_000, 6_000, 7_000]);
    bench.check();
}

/// While it is in question nothing else may close the position, so nobody gives up; who must look is told once.
#[test]
fn a_close_of_unknown_fate_is_asked_about_until_somebody_answers() {
    let [case, ..] = CASES;
    let (mut bench, held) = case.begin(lost);
    let first = closing(&bench, held).unwrap();
    let asked = |bench: &Bench| bench.venue.script().asked.iter().filter(|id| **id == first).count();
    (0..4_000).for_each(|_| bench.pass(1_000));
    let before = asked(&bench);
    assert!(before > usize::from(ASKS_MAX), "{before}");
    (0..3_000).for_each(|_| bench.pass(1_000));
    assert_eq!(asked(&bench) - before, 10, "every five minutes");
    let given_up = |r: &&Record| matches!(r, Record::Asked { asking, .. } if asking.is_given_up());
    assert_eq!(bench.journal.records.iter().filter(given_up).count(), 1, "a person is told, once");
    assert!(bench.state().accounts[&ACCOUNT].is_uncertain());
    assert_eq!((sent(&bench), closing(&bench, held)), (2, Some(first)), "never a blind resend");
    // The venue never had it: the next one goes out a second later.
    bench.venue.script().on_close = None;
    bench.say([VenueReport::NotFound { order: first }]);
    assert_eq!(closing(&bench, held), None);
    bench.pass(1_000);
    let now = bench.desk.shard().market().now().since(START);
    bench.show(now, case.bid);
    let second = closing(&bench, held).unwrap();
    bench.say([filled(second, "z", case.lots)]);
    assert_eq!((bench.held(held), bench.state().accounts[&ACCOUNT].is_uncertain()), (None, false));
    bench.check();
}
