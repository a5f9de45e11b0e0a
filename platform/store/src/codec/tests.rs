//! What is written is read back the same, whatever it is.

use super::*;
use crate::entity::orders;
use marque_domain::{
    account::{AccountTerms, MarginLevels},
    decision::{Denial, Intent, RuleAnswer, Verdict},
    id::OrderId,
    instrument::Currency,
    order::{Order, OrderState, Purpose},
    ticket::{OrderKind, TimeInForce, Trail},
};
use proptest::{option, prelude::*, sample::select};

fn price() -> impl Strategy<Value = Option<Price>> {
    option::of(any::<i64>().prop_map(Price::from_units))
}

fn some_price() -> impl Strategy<Value = Price> {
    any::<i64>().prop_map(Price::from_units)
}

fn trail() -> impl Strategy<Value = Trail> {
    (some_price(), some_price()).prop_map(|(distance, step)| Trail { distance, step })
}

fn kind() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        Just(OrderKind::Market),
        some_price().prop_map(|price| OrderKind::Limit { price }),
        some_price().prop_map(|price| OrderKind::Stop { price }),
        (some_price(), some_price()).prop_map(|(stop, limit)| OrderKind::StopLimit { stop, limit }),
        (some_price(), trail()).prop_map(|(stop, trail)| OrderKind::TrailingStop { stop, trail }),
    ]
}

fn time() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        any::<i64>().prop_map(|at| TimeInForce::Gtd(Millis(at))),
        select(vec![TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::Day]),
    ]
}

prop_compose! {
    fn any_order()(
        id in any::<i64>(), deployment in option::of(any::<i64>()), instrument in any::<u32>(),
        side in select(SIDES.to_vec()), origin in select(Origin::ALL.to_vec()), lots in any::<i64>(),
        closes in (option::of(any::<i64>()), option::of(any::<i64>())), prices in (price(), price(), price()),
        kind in kind(), time in time(), trail in option::of(trail()), triggered in any::<bool>(), filled in any::<i64>(),
        state in select(OrderState::ALL.to_vec()), reason in option::of(any::<String>()), at in any::<[i64; 2]>(),
    ) -> Order {
        Order {
            id: OrderId(id),
            account: AccountId(1),
            deployment: deployment.map(DeploymentId),
            instrument: InstrumentId(instrument),
            side,
            lots: Lots::from_units(lots),
            purpose: match closes {
                (None, _) => Purpose::Open,
                (Some(id), None) => Purpose::Close(PositionId(id)),
                (Some(id), Some(by)) => Purpose::CloseBy { position: PositionId(id), by: PositionId(by) },
            },
            origin,
            kind,
            time_in_force: time,
            expires_at: if let TimeInForce::Gtd(at) = time { Some(at) } else { None },
            trail,
            oco: deployment.map(OrderId),
            triggered,
            filled: Lots::from_units(filled),
            stop_loss: prices.0,
            take_profit: prices.1,
            state,
            fill_price: prices.2,
            reason,
            created_at: Millis(at[0]),
            updated_at: Millis(at[1]),
        }
    }
}

prop_compose! {
    fn any_position()(order in any_order(), open in any::<i64>(), closed in option::of(any::<[i64; 3]>())) -> Position {
        Position {
            id: PositionId(order.id.0),
            account: order.account,
            deployment: order.deployment,
            instrument: order.instrument,
            side: order.side,
            lots: order.lots,
            closed_lots: order.filled,
            realised: Money::from_units(open),
            trail: order.trail,
            open_price: Price::from_units(open),
            opened_at: order.created_at,
            stop_loss: order.stop_loss,
            take_profit: order.take_profit,
            closed: closed.map(|[at, price, profit]| Closed {
                at: Millis(at),
                price: Price::from_units(price),
                profit: Money::from_units(profit),
                origin: order.origin,
            }),
        }
    }
}

prop_compose! {
    fn any_account()(
        ids in any::<[i64; 2]>(), name in any::<String>(), money in any::<[i64; 2]>(), trades in option::of(any::<u32>()),
        status in select(vec![0, 1, 2, 3]), reason in any::<String>(), settings in any::<String>(),
    ) -> Account {
        Account {
            terms: AccountTerms {
                id: AccountId(ids[0]),
                user: UserId(ids[1]),
                name,
                currency: Currency::EUR,
                initial_balance: Money::from_units(money[0]),
                leverage: 30,
                mode: marque_domain::account::PositionMode::Netting,
                margin: MarginLevels { call_bp: money[0], calm_bp: money[1], stop_out_bp: ids[0] },
                trades_per_day: trades,
                rules: vec![PluginRef { digest: PluginDigest([8; 32]), name: "daily-loss".to_owned(), settings }],
            },
            balance: Money::from_units(money[1]),
            status: match status {
                0 => AccountStatus::Active,
                1 => AccountStatus::Held(reason),
                _ => AccountStatus::Failed(reason),
            },
            opened_at: Millis(5),
        }
    }
}

prop_compose! {
    fn any_deployment()(
        id in any::<i64>(), timeframe in select(Timeframe::ALL.to_vec()), instrument in any::<u32>(),
        status in select(vec![0, 1, 2, 3]), reason in any::<String>(), settings in any::<String>(), digest in any::<[u8; 32]>(),
    ) -> Deployment {
        Deployment {
            id: DeploymentId(id),
            account: AccountId(1),
            plugin: PluginRef { digest: PluginDigest(digest), name: "ema-cross".to_owned(), settings },
            instrument: InstrumentId(instrument),
            timeframe,
            status: match status {
                0 => DeploymentStatus::Running,
                1 => DeploymentStatus::Stopped,
                3 => DeploymentStatus::Paused(reason),
                _ => DeploymentStatus::Quarantined(reason),
            },
            created_at: Millis(id),
        }
    }
}

proptest! {
    #[test]
    fn orders_come_back(order in any_order()) {
        prop_assert_eq!(super::order(order_row(1, &order)).unwrap(), order);
    }

    #[test]
    fn positions_come_back(position in any_position()) {
        prop_assert_eq!(super::position(position_row(1, &position)).unwrap(), position);
    }

    #[test]
    fn accounts_come_back(account in any_account()) {
        prop_assert_eq!(super::account(account_row(1, &account, Millis(9)).unwrap()).unwrap(), account);
    }

    #[test]
    fn deployments_come_back(deployment in any_deployment()) {
        prop_assert_eq!(super::deployment(deployment_row(1, &deployment, Millis(9))).unwrap(), deployment);
    }

    #[test]
    fn decisions_come_back(order in any_order(), approved in any::<bool>(), reason in any::<String>()) {
        let outcome = if approved {
            Outcome::Approved { order: order.id, lots: order.lots }
        } else {
            Outcome::Denied(Denial::RuleRefused { rule: "r".to_owned(), reason: reason.clone() })
        };
        let decision = Decision {
            id: DecisionId(order.id.0),
            account: order.account,
            deployment: order.deployment,
            origin: order.origin,
            at: order.created_at,
            intent: Intent::Open {
                instrument: order.instrument,
                side: order.side,
                lots: order.lots,
                stop_loss: order.stop_loss,
                take_profit: order.take_profit,
            },
            answers: vec![RuleAnswer { rule: "r".to_owned(), verdict: Verdict::Fault(reason) }],
            outcome,
        };
        let row = decision_row(1, &decision).unwrap();
        prop_assert_eq!(row.order_id.is_some(), approved);
        prop_assert_eq!(row.denial.is_some(), !approved);
        prop_assert_eq!(super::decision(row).unwrap(), decision);
    }
}

#[test]
fn nonsense_in_a_row_is_reported() {
    let order = || order_row(1, &plain_order());
    let broken = [
        orders::Model { side: "sideways".to_owned(), ..order() },
        orders::Model { state: "Filled".to_owned(), ..order() },
        orders::Model { origin: String::new(), ..order() },
        orders::Model { kind: "limit".to_owned(), limit_price: None, ..order() },
        orders::Model { kind: "iceberg".to_owned(), ..order() },
        orders::Model { time_in_force: "gtd".to_owned(), expires_at: None, ..order() },
        orders::Model { instrument_id: -1, ..order() },
        orders::Model { instrument_id: 1 << 40, ..order() },
    ];
    for row in broken {
        assert!(matches!(super::order(row), Err(StoreError::Corrupt { what: "order", .. })));
    }
    let half = positions::Model {
        closed_at: Some(1),
        ..position_row(
            1,
            &Position {
                id: PositionId(1),
                account: AccountId(1),
                deployment: None,
                instrument: InstrumentId(1),
                side: Side::Buy,
                lots: Lots::ZERO,
                closed_lots: Lots::ZERO,
                realised: Money::ZERO,
                open_price: Price::ZERO,
                opened_at: Millis(0),
                stop_loss: None,
                take_profit: None,
                trail: None,
                closed: None,
            },
        )
    };
    assert!(matches!(position(half), Err(StoreError::Corrupt { what: "position", .. })));
    assert!(book("petty cash").is_err());
}

fn plain_order() -> Order {
    Order {
        id: OrderId(1),
        account: AccountId(1),
        deployment: None,
        instrument: InstrumentId(1),
        side: Side::Buy,
        lots: Lots::ZERO,
        purpose: Purpose::Open,
        origin: Origin::Rule,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Gtc,
        expires_at: None,
        stop_loss: None,
        take_profit: None,
        trail: None,
        oco: None,
        triggered: false,
        filled: Lots::ZERO,
        state: OrderState::Intent,
        fill_price: None,
        reason: None,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}
