//! A made-up trading day on one account: prices, orders, decisions.

use crate::portal::view::{
    Clock, Curve, DecisionRow, DeploymentRow, Desk, Distance, Figure, OrderRow, PositionRow, Stats, StrategyCard,
    TradeRow,
};
use marque_domain::{
    account::{Deployment, DeploymentStatus, EquityPoint},
    bar::Timeframe,
    calendar::CalendarId,
    decision::{Decision, Denial, Intent, Outcome, RuleAnswer, Verdict},
    fixed::{Lots, Money, Price},
    id::{AccountId, DecisionId, DeploymentId, InstrumentId, OrderId, PositionId},
    instrument::{Currency, Instrument},
    order::{Closed, Order, OrderState, Origin, Position, Purpose, Side},
    plugin::{PluginDigest, PluginRef},
    ticket::{OrderKind, TimeInForce},
    time::{MINUTE_MS, Millis, Zone},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// 1 May 2014, 14:03:12 UTC.
const NOW: Millis = Millis(1_398_952_992_000);
/// The end of that day.
const MIDNIGHT: Millis = Millis(1_398_988_800_000);
pub(super) const ACCOUNT: AccountId = AccountId(8_204_111_300_115_402);
const EURUSD: InstrumentId = InstrumentId(1);
const GOLD: InstrumentId = InstrumentId(2);
const EMA: DeploymentId = DeploymentId(8_204_111_300_115_403);
const BREAKOUT: DeploymentId = DeploymentId(8_204_111_300_115_404);

fn instrument(id: InstrumentId, symbol: &str, name: &str, tick: &str, calendar: CalendarId) -> Instrument {
    let number = |text: &str| text.parse().unwrap_or(Price::ZERO);
    Instrument {
        id,
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        tick_size: number(tick),
        pip: number(tick),
        lot_step: Lots::from_units(1_000_000),
        lot_max: Lots::whole(100),
        contract_size: 100_000,
        quote: Currency::USD,
        calendar,
        swap: None,
    }
}

pub(super) fn instruments() -> Vec<Instrument> {
    vec![
        instrument(EURUSD, "EURUSD", "Euro / US dollar", "0.00001", CalendarId::Forex),
        instrument(GOLD, "XAUUSD", "Gold / US dollar", "0.01", CalendarId::Metals),
    ]
}

fn desk() -> Desk {
    Desk {
        clock: Clock::new(Zone::utc()),
        currency: Currency::USD,
        instruments: instruments().into_iter().map(|i| (i.id, i)).collect(),
        strategies: BTreeMap::from([(EMA, "ema-cross".to_owned()), (BREAKOUT, "bos-retest".to_owned())]),
        csrf: "csrf-token".to_owned(),
    }
}

fn money(text: &str) -> Money {
    text.parse().unwrap_or(Money::ZERO)
}

fn price(text: &str) -> Price {
    text.parse().unwrap_or(Price::ZERO)
}

fn lots(text: &str) -> Lots {
    text.parse().unwrap_or(Lots::ZERO)
}

pub(super) fn stats(balance: &str, equity: &str, start: &str, floor: Option<&str>) -> Stats {
    let clock = Clock::new(Zone::utc());
    let (balance, equity, start) = (money(balance), money(equity), money(start));
    let day = equity.saturating_sub(start);
    let distance = floor.map(|floor| Distance {
        resets_at: Some(clock.show(MIDNIGHT)),
        ..Distance::of(equity, money(floor), start, Currency::USD, "daily-loss")
    });
    Stats {
        equity: Figure::money(equity, Currency::USD),
        balance: Figure::money(balance, Currency::USD),
        floating: Figure::change(equity.saturating_sub(balance), Currency::USD),
        day: Figure::change(day, Currency::USD),
        day_percent: Figure::percent(day, start),
        distance,
        at: clock.show(NOW),
    }
}

/// A curve that wanders by a small fixed recurrence from one amount to another.
pub(super) fn curve(from: i64, to: i64, seed: u64) -> Option<Curve> {
    const POINTS: i64 = 240;
    let mut state = seed;
    let mut wander = 0_i64;
    let points: Vec<EquityPoint> = (0..=POINTS)
        .map(|step| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let kick = i64::try_from(state >> 40).unwrap_or(0) % 241 - 120;
            wander = (wander + kick) * 24 / 25;
            // The wandering fades towards both ends, so that the curve meets its amounts.
            let fade = step.min(POINTS - step).min(30);
            let worth =
                from * 100 + (to - from) * 100 * step / POINTS + wander * fade * (to - from).abs().max(400) / 2_400;
            let worth = Money::from_units(worth * 1_000_000);
            EquityPoint {
                account: ACCOUNT,
                at: NOW.plus((step - POINTS) * 2 * MINUTE_MS),
                balance: worth,
                equity: worth,
            }
        })
        .collect();
    Curve::of(&points, Currency::USD)
}

pub(super) fn plugin(name: &str, settings: &Value) -> PluginRef {
    PluginRef { digest: PluginDigest([7; 32]), name: name.to_owned(), settings: settings.to_string() }
}

pub(super) fn deployments() -> Vec<DeploymentRow> {
    let deployment = |id, name: &str, instrument, timeframe, status, settings: Value| Deployment {
        id,
        account: ACCOUNT,
        plugin: plugin(name, &settings),
        instrument,
        timeframe,
        status,
        created_at: NOW,
    };
    let fault = "the call used more than its 20,000,000 units of fuel".to_owned();
    let settings = json!({"fast": 12, "slow": 26, "lots": "0.50"});
    let retest = json!({"retest_minutes": 30, "risk_percent": 0.5});
    [
        deployment(EMA, "ema-cross", EURUSD, Timeframe::M5, DeploymentStatus::Running, settings),
        deployment(BREAKOUT, "bos-retest", GOLD, Timeframe::M5, DeploymentStatus::Stopped, retest),
        deployment(DeploymentId(9), "scalper", EURUSD, Timeframe::M1, DeploymentStatus::Quarantined(fault), json!({})),
    ]
    .iter()
    .map(|deployment| DeploymentRow::of(deployment, &desk()))
    .collect()
}

fn position(
    id: i64,
    instrument: InstrumentId,
    side: Side,
    size: &str,
    open: &str,
    deployment: Option<DeploymentId>,
) -> Position {
    Position {
        id: PositionId(id),
        account: ACCOUNT,
        deployment,
        instrument,
        side,
        lots: lots(size),
        closed_lots: Lots::ZERO,
        realised: Money::ZERO,
        open_price: price(open),
        opened_at: NOW.plus(-47 * MINUTE_MS),
        stop_loss: Some(price(if instrument == GOLD { "1279.50" } else { "1.38520" })),
        take_profit: None,
        trail: None,
        closed: None,
    }
}

pub(super) fn positions() -> Vec<PositionRow> {
    let desk = desk();
    vec![
        PositionRow::of(
            &position(21, EURUSD, Side::Buy, "0.5", "1.38671", Some(EMA)),
            Some((price("1.38727"), money("28"))),
            &desk,
        ),
        PositionRow::of(
            &position(22, GOLD, Side::Buy, "0.2", "1286.40", Some(BREAKOUT)),
            Some((price("1284.15"), money("-45"))),
            &desk,
        ),
        PositionRow::of(&position(23, EURUSD, Side::Sell, "0.1", "1.38727", None), None, &desk),
    ]
}

pub(super) fn decisions() -> Vec<DecisionRow> {
    let open = |side, size: &str| Intent::Open {
        instrument: EURUSD,
        side,
        lots: lots(size),
        stop_loss: Some(price("1.38520")),
        take_profit: Some(price("1.39100")),
    };
    let answer = |verdict| {
        vec![
            RuleAnswer { rule: "daily-loss".to_owned(), verdict },
            RuleAnswer { rule: "exposure-cap".to_owned(), verdict: Verdict::Allow },
        ]
    };
    let approved = |size: &str| Outcome::Approved { order: OrderId(8_204_111_300_115_502), lots: lots(size) };
    let reason = "This order could lose 1,240.00 at its stop-loss and 890.50 is left today. Ask for at most 0.70 lots or wait for the reset at 00:00 UTC.";
    let refused = Outcome::Denied(Denial::RuleRefused { rule: "daily-loss".to_owned(), reason: reason.to_owned() });
    let story = |id: i64, ago: i64, intent, answers, outcome| Decision {
        id: DecisionId(8_204_111_300_115_600 + id),
        account: ACCOUNT,
        deployment: Some(EMA),
        origin: Origin::Strategy,
        at: NOW.plus(-ago * MINUTE_MS),
        intent,
        answers,
        outcome,
    };
    let closes = position(21, EURUSD, Side::Buy, "0.5", "1.38671", Some(EMA));
    let desk = desk();
    vec![
        DecisionRow::of(
            &story(1, 2, open(Side::Sell, "1.00"), answer(Verdict::Refuse(reason.to_owned())), refused),
            None,
            &desk,
        ),
        DecisionRow::of(
            &story(2, 47, open(Side::Buy, "0.80"), answer(Verdict::Shrink(lots("0.5"))), approved("0.5")),
            None,
            &desk,
        ),
        DecisionRow::of(
            &story(3, 95, Intent::Close { position: closes.id }, Vec::new(), approved("0.5")),
            Some(&closes),
            &desk,
        ),
        DecisionRow::of(
            &story(4, 260, open(Side::Buy, "0.50"), Vec::new(), Outcome::Denied(Denial::NoFreshQuote)),
            None,
            &desk,
        ),
    ]
}

pub(super) fn orders() -> Vec<OrderRow> {
    let order = |id: i64, side, purpose, state, fill: Option<&str>, reason: Option<&str>| Order {
        id: OrderId(8_204_111_300_115_500 + id),
        account: ACCOUNT,
        deployment: Some(EMA),
        instrument: EURUSD,
        side,
        lots: lots("0.5"),
        purpose,
        origin: Origin::Strategy,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        expires_at: None,
        stop_loss: None,
        take_profit: None,
        trail: None,
        oco: None,
        triggered: false,
        filled: if fill.is_some() { lots("0.5") } else { Lots::ZERO },
        state,
        fill_price: fill.map(price),
        reason: reason.map(str::to_owned),
        created_at: NOW,
        updated_at: NOW.plus(-id * 23 * MINUTE_MS),
    };
    [
        Order {
            kind: OrderKind::Limit { price: price("1.38500") },
            ..order(1, Side::Buy, Purpose::Open, OrderState::Acked, None, None)
        },
        order(2, Side::Buy, Purpose::Open, OrderState::Filled, Some("1.38671"), None),
        order(3, Side::Sell, Purpose::Close(PositionId(20)), OrderState::Filled, Some("1.38702"), None),
        order(4, Side::Sell, Purpose::Open, OrderState::Rejected, None, Some("The venue has no price for this size.")),
        order(5, Side::Buy, Purpose::Open, OrderState::Unknown, None, None),
    ]
    .iter()
    .map(|order| OrderRow::of(order, &desk()))
    .collect()
}

pub(super) fn trades() -> Vec<TradeRow> {
    let closed = |id: i64, side, size: &str, open: &str, close: &str, profit: &str, origin| Position {
        closed: Some(Closed { at: NOW.plus(-id * 41 * MINUTE_MS), price: price(close), profit: money(profit), origin }),
        ..position(id, EURUSD, side, size, open, Some(EMA))
    };
    [
        closed(5, Side::Buy, "0.5", "1.38640", "1.38702", "31", Origin::Strategy),
        closed(4, Side::Sell, "0.5", "1.38655", "1.38690", "-17.5", Origin::StopLoss),
        closed(3, Side::Buy, "1.2", "1.38510", "1.38645", "162", Origin::TakeProfit),
    ]
    .iter()
    .filter_map(|position| TradeRow::of(position, &desk()))
    .collect()
}

pub(super) fn strategies() -> Vec<StrategyCard> {
    let account = ACCOUNT.to_string();
    vec![
        StrategyCard::new(
            &account,
            "ema-cross",
            "Buys when a fast average crosses above a slow one, sells when it falls below.",
            true,
        ),
        StrategyCard::new(
            &account,
            "bos-retest",
            "Waits for a break of structure on M5 and enters on the retest on M1.",
            false,
        ),
    ]
}
