//! The few things a plugin may ask of its host; natively, a stand-in for unit tests.

#[cfg(target_arch = "wasm32")]
mod real {
    use crate::{
        Closure, DayTally, Execution, Facts, Instrument, Lots, Money, Objective, OrderTerms, Price, Room, Unit,
        WaitingOrder,
        bindings::{host, risk_rule::marque::plugin as rule, strategy::marque::plugin::limits},
        wire::{instrument_of, kind_of, side, time_of},
    };

    pub(crate) fn facts() -> Facts {
        let told = rule::account_facts::get_facts();
        Facts {
            opened_at: told.opened_at,
            peak_balance: Money::from_units(told.peak_balance),
            peak_day_balance: Money::from_units(told.peak_day_balance),
            deposited: Money::from_units(told.deposited),
            withdrawn: Money::from_units(told.withdrawn),
            trades_today: told.trades_today,
            trades_allowed: told.trades_allowed,
        }
    }

    pub(crate) fn days() -> Vec<DayTally> {
        let day = |told: rule::account_facts::DayTally| DayTally {
            began_at: told.began_at,
            ordered: told.ordered,
            opened: told.opened,
            opened_profit: Money::from_units(told.opened_profit),
            closed_profit: Money::from_units(told.closed_profit),
        };
        rule::account_facts::get_days().into_iter().map(day).collect()
    }

    pub(crate) fn executions() -> Vec<Execution> {
        let fill = |told: rule::account_facts::Execution| Execution {
            at: told.at,
            instrument: told.instrument,
            opening: told.opening,
        };
        rule::account_facts::get_executions().into_iter().map(fill).collect()
    }

    pub(crate) fn terms() -> Option<OrderTerms> {
        let told = rule::order_facts::get_terms()?;
        Some(OrderTerms { kind: kind_of(told.kind), time_in_force: time_of(told.time_in_force) })
    }

    pub(crate) fn waiting() -> Vec<WaitingOrder> {
        let order = |told: rule::order_facts::WaitingOrder| WaitingOrder {
            instrument: told.instrument,
            side: side(told.side),
            lots: Lots::from_units(told.lots),
            kind: kind_of(told.kind),
            stop_loss: told.stop_loss.map(Price::from_units),
            group: told.group,
        };
        rule::order_facts::get_waiting().into_iter().map(order).collect()
    }

    pub(crate) fn instrument(id: u32) -> Option<Instrument> {
        rule::market_facts::find_instrument(id).map(instrument_of)
    }

    pub(crate) fn next_closure(_now: i64, id: u32, least_ms: i64) -> Option<Closure> {
        let told = rule::market_facts::next_closure(id, least_ms)?;
        Some(Closure { begins_at: told.begins_at, ends_at: told.ends_at })
    }

    pub(crate) fn report(told: Objective) {
        rule::objectives::report(&rule::objectives::Objective {
            name: told.name.to_owned(),
            summary: told.summary,
            unit: match told.unit {
                Unit::Money => rule::objectives::Unit::Money,
                Unit::Percent => rule::objectives::Unit::Percent,
                Unit::Days => rule::objectives::Unit::Days,
            },
            have: told.have.units(),
            want: told.want.units(),
            reached: told.reached,
        });
    }

    pub(crate) fn only(instrument: u32) {
        rule::flattening::only(instrument);
    }

    pub(crate) fn room() -> Room {
        let told = limits::get_room();
        Room {
            floor: told.floor.map(Money::from_units),
            resets_at: told.resets_at,
            balance: Money::from_units(told.balance),
        }
    }

    pub(crate) fn log(event: u32, line: &str) {
        host::log(event, line);
    }

    pub(crate) fn random() -> u64 {
        host::random()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod real {
    use crate::{Closure, DayTally, Execution, Facts, Instrument, OrderTerms, Room, WaitingOrder, testing::Known};
    use std::cell::{Cell, RefCell};

    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::new(Known::default());
        static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        static SEED: Cell<u64> = const { Cell::new(0) };
    }

    pub(crate) fn log(_event: u32, line: &str) {
        LOG.with_borrow_mut(|log| log.push(line.to_owned()));
    }

    /// SplitMix64, as the host's: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    pub(crate) fn random() -> u64 {
        let state = SEED.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        SEED.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn set_known(known: Known) {
        KNOWN.set(known);
    }

    pub(crate) fn facts() -> Facts {
        KNOWN.with_borrow(|known| known.facts)
    }

    pub(crate) fn days() -> Vec<DayTally> {
        KNOWN.with_borrow(|known| known.days.clone())
    }

    pub(crate) fn executions() -> Vec<Execution> {
        KNOWN.with_borrow(|known| known.executions.clone())
    }

    pub(crate) fn terms() -> Option<OrderTerms> {
        KNOWN.with_borrow(|known| known.terms)
    }

    pub(crate) fn waiting() -> Vec<WaitingOrder> {
        KNOWN.with_borrow(|known| known.waiting.clone())
    }

    pub(crate) fn instrument(id: u32) -> Option<Instrument> {
        KNOWN.with_borrow(|known| known.instruments.iter().find(|(known, _)| *known == id).map(|(_, i)| i.clone()))
    }

    pub(crate) fn next_closure(now: i64, id: u32, least_ms: i64) -> Option<Closure> {
        let fits = |c: &&(u32, Closure)| c.0 == id && c.1.ends_at > now && c.1.ends_at - c.1.begins_at >= least_ms;
        KNOWN.with_borrow(|known| known.closures.iter().find(fits).map(|(_, closure)| *closure))
    }

    pub(crate) fn room() -> Room {
        KNOWN.with_borrow(|known| known.room)
    }

    pub(crate) fn take_log() -> Vec<String> {
        LOG.take()
    }

    pub(crate) fn set_seed(seed: u64) {
        SEED.set(seed);
    }
}

pub(crate) use real::*;
