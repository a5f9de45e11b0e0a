//! Releases of the native strategies: the digest says which.

use super::plugin;
use marque_domain::{
    fixed::Lots,
    plugin::{PluginDigest, PluginRef},
    time::Millis,
};
use marque_engine::port::{Action, BarRun, Fault, Hooks, OrderUpdate, Room, Strategy, StrategyStart, TickRun};
use std::cell::Cell;

/// The first release, and another one of the same code.
pub const FIRST: u8 = 7;
pub const EQUAL: u8 = 8;
/// Wants one step more of everything that it opens.
pub const BOLDER: u8 = 9;
/// Takes no state of an earlier release.
pub const PROUD: u8 = 10;
/// Fails at every event.
pub const BROKEN: u8 = 11;
/// Cannot say its state.
pub const SILENT: u8 = 12;
/// Does not start at all.
pub const DEAD: u8 = 13;
/// Is stopped by the host whenever the market moves.
pub const LATE: u8 = 14;
/// Fails at every event, and then there is no room for another instance.
pub const CROWDED: u8 = 15;

/// Is stopped by the host at the first opened position that it is told of, once in a test.
pub const JOLTED: u8 = 16;

thread_local! {
    /// Whether it was. The instance that takes over must not know by itself.
    static STOPPED: Cell<bool> = const { Cell::new(false) };
}

/// A release of a strategy with its settings.
pub fn release(name: &str, settings: &str, digest: u8) -> PluginRef {
    PluginRef { digest: PluginDigest([digest; 32]), ..plugin(name, settings) }
}

pub fn of(start: &StrategyStart<'_>, code: Box<dyn Strategy>) -> Result<Box<dyn Strategy>, Fault> {
    let [digest, ..] = start.deployment.plugin.digest.0;
    match digest {
        FIRST | EQUAL => Ok(code),
        PROUD if start.restore.is_some() => Err(Fault::Plugin("this state is of another version".into())),
        CROWDED if start.restore.is_some() => Err(Fault::Host("there is no room".into())),
        DEAD => Err(Fault::Plugin("it does not start".into())),
        _ => Ok(Box::new(Release { digest, code })),
    }
}

struct Release {
    digest: u8,
    code: Box<dyn Strategy>,
}

impl Release {
    fn changed<T>(&self, answer: Result<T, Fault>, actions: &mut [Action]) -> Result<T, Fault> {
        if self.digest == BROKEN || self.digest == CROWDED {
            return Err(Fault::Plugin("it fails at everything".into()));
        }
        if self.digest == LATE {
            return Err(Fault::Host("Stopped at its deadline.".into()));
        }
        for action in actions {
            if let (BOLDER, Action::Open { lots, .. } | Action::Place { lots, .. }) = (self.digest, action) {
                *lots = lots.checked_add(Lots::from_units(1_000_000)).unwrap();
            }
        }
        answer
    }
}

impl Strategy for Release {
    fn hooks(&self) -> Hooks {
        self.code.hooks()
    }

    fn on_history(&mut self, bars: BarRun<'_>) -> Result<(), Fault> {
        self.code.on_history(bars)
    }

    fn on_bars(&mut self, bars: BarRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let answer = self.code.on_bars(bars, actions);
        self.changed(answer, actions)
    }

    fn on_ticks(&mut self, ticks: TickRun<'_>, actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let answer = self.code.on_ticks(ticks, actions);
        self.changed(answer, actions)
    }

    fn on_order_update(&mut self, at: Millis, update: &OrderUpdate, actions: &mut Vec<Action>) -> Result<(), Fault> {
        let opened = matches!(update, OrderUpdate::Opened { .. });
        if self.digest == JOLTED && opened && !STOPPED.with(|stopped| stopped.replace(true)) {
            return Err(Fault::Host("Stopped at its deadline.".into()));
        }
        self.code.on_order_update(at, update, actions)
    }

    fn on_timer(&mut self, at: Millis, actions: &mut Vec<Action>) -> Result<(), Fault> {
        self.code.on_timer(at, actions)
    }

    fn set_room(&mut self, room: Room) {
        self.code.set_room(room);
    }

    fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        if self.digest == SILENT {
            return Err(Fault::Plugin("it cannot say its state".into()));
        }
        self.code.snapshot()
    }
}
