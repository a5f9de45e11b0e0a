//! What a strategy is told, as a value: the same can be told to two releases of it.

use crate::{
    port::{Action, BarRun, Fault, Hooks, OrderUpdate, Strategy, TickRun},
    runner::single,
};
use core::fmt::Write as _;
use marque_domain::{
    bar::{Bar, Quote},
    fixed::Price,
    succession::Moment,
    ticket::{Levels, OrderKind, TimeInForce},
    time::Millis,
};

/// Characters of one decision in words.
const WORDS_MAX: usize = 500;

/// One event, as a strategy is told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told<'a> {
    /// The market moved.
    Tick(&'a Quote),
    /// A bar closed.
    Bar(&'a Bar),
    /// Something became of an order.
    Update(Millis, &'a OrderUpdate),
    /// Its timer is due.
    Timer(Millis),
}

impl Told<'_> {
    /// Tells a strategy.
    ///
    /// # Errors
    /// Its [`Fault`].
    pub fn tell(self, strategy: &mut dyn Strategy, actions: &mut Vec<Action>) -> Result<(), Fault> {
        match self {
            Self::Tick(quote) => {
                let column = core::slice::from_ref;
                let (at, bid, ask) = (quote.at.0, quote.bid.units(), quote.ask.units());
                let run = TickRun { at: column(&at), bid: column(&bid), ask: column(&ask) };
                strategy.on_ticks(run, actions).map(drop)
            }
            Self::Bar(bar) => single(bar, |run: BarRun<'_>| strategy.on_bars(run, actions)).map(drop),
            Self::Update(at, update) => strategy.on_order_update(at, update, actions),
            Self::Timer(at) => strategy.on_timer(at, actions),
        }
    }

    /// Whether a strategy with these hooks is told of it.
    pub const fn concerns(self, hooks: Hooks) -> bool {
        match self {
            Self::Tick(_) => hooks.ticks,
            Self::Bar(_) => hooks.bars,
            Self::Update(..) | Self::Timer(_) => true,
        }
    }

    /// Whether a strategy that rests after faults of the host need not be told. What became of its orders it must know at
    /// once, and its timer it set itself.
    pub const fn can_wait(self) -> bool {
        matches!(self, Self::Tick(_) | Self::Bar(_))
    }

    /// What kind of event it is.
    pub const fn moment(self) -> Moment {
        match self {
            Self::Tick(_) => Moment::Tick,
            Self::Bar(_) => Moment::Bar,
            Self::Update(..) => Moment::OrderUpdate,
            Self::Timer(_) => Moment::Timer,
        }
    }
}

/// Whether a wish is for an order. A timer is a strategy's own affair.
pub(crate) const fn is_decision(action: &Action) -> bool {
    !matches!(action, Action::SetTimer { .. })
}

/// What of `wishes` is not in `others`, each counted as often as it stands there.
pub(crate) fn beyond<'a>(wishes: &'a [Action], others: &[Action]) -> Vec<&'a Action> {
    let mut left: Vec<&Action> = others.iter().collect();
    let theirs = |wish: &&Action| match left.iter().position(|other| other == wish) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    wishes.iter().filter(|action| is_decision(action)).filter(theirs).collect()
}

/// The decisions among wishes, in words for people; nothing when there are none.
pub(crate) fn in_words(wishes: &[Action]) -> String {
    let mut words = String::new();
    for action in wishes.iter().filter(|action| is_decision(action)) {
        if !words.is_empty() {
            words.push_str("; ");
        }
        // Writing to a string cannot fail.
        let _ = write_action(&mut words, action);
        if words.len() > WORDS_MAX {
            break;
        }
    }
    shorten(&words)
}

/// Cut to what is kept of one decision.
pub(crate) fn shorten(words: &str) -> String {
    match words.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words.to_owned(),
    }
}

fn write_action(words: &mut String, action: &Action) -> core::fmt::Result {
    match action {
        Action::Open { side, lots, stop_loss, take_profit } => {
            write!(words, "{} {lots} at the market", side.name())?;
            write_levels(words, Levels { stop_loss: *stop_loss, take_profit: *take_profit, trail: None })
        }
        Action::Place { side, lots, kind, time_in_force, levels, oco } => {
            write!(words, "{} {lots}", side.name())?;
            write_kind(words, kind)?;
            write_time(words, *time_in_force)?;
            write_levels(words, *levels)?;
            oco.map_or(Ok(()), |other| write!(words, ", or else order {other}"))
        }
        Action::Close { position } => write!(words, "close position {position}"),
        Action::Reduce { position, lots } => write!(words, "close {lots} of position {position}"),
        Action::CloseBy { position, by } => write!(words, "close position {position} by {by}"),
        Action::Cancel { order } => write!(words, "withdraw order {order}"),
        Action::Amend { order, to } => write!(words, "change order {order} to {to:?}"),
        Action::Protect { position, levels } => {
            write!(words, "guard position {position}")?;
            write_levels(words, *levels)
        }
        Action::SetTimer { .. } => Ok(()),
    }
}

fn write_kind(words: &mut String, kind: &OrderKind) -> core::fmt::Result {
    match kind {
        OrderKind::Market => write!(words, " at the market"),
        OrderKind::Limit { price } => write!(words, " at {price} or better"),
        OrderKind::Stop { price } => write!(words, " once {price} is reached"),
        OrderKind::StopLimit { stop, limit } => write!(words, " at {limit} or better once {stop} is reached"),
        OrderKind::TrailingStop { stop, trail } => {
            write!(words, " once {stop} is reached, which follows at {}", trail.distance)
        }
    }
}

fn write_time(words: &mut String, time: TimeInForce) -> core::fmt::Result {
    match time {
        TimeInForce::Gtc => Ok(()),
        TimeInForce::Day => write!(words, ", today only"),
        TimeInForce::Gtd(until) => write!(words, ", until {}", until.to_rfc3339()),
        TimeInForce::Ioc => write!(words, ", at once or not at all"),
        TimeInForce::Fok => write!(words, ", at once and whole or not at all"),
    }
}

fn write_levels(words: &mut String, levels: Levels) -> core::fmt::Result {
    let mut level = |name: &str, price: Option<Price>| price.map_or(Ok(()), |p| write!(words, ", {name} {p}"));
    level("stop-loss", levels.stop_loss)?;
    level("take-profit", levels.take_profit)?;
    levels.trail.map_or(Ok(()), |trail| write!(words, ", stop-loss follows at {}", trail.distance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::{
        fixed::Lots,
        id::{OrderId, PositionId},
        order::Side,
        ticket::Trail,
    };

    fn open(side: Side, lots: i64) -> Action {
        Action::Open { side, lots: Lots::whole(lots), stop_loss: None, take_profit: None }
    }

    #[test]
    fn each_wish_is_counted_as_often_as_it_stands_there() {
        let (buy, sell) = (open(Side::Buy, 1), open(Side::Sell, 1));
        let timer = Action::SetTimer { at: Millis(1) };
        for (wishes, others, beyond_them) in [
            (vec![], vec![], vec![]),
            (vec![buy, timer], vec![buy], vec![]),
            (vec![buy, buy], vec![buy], vec![buy]),
            (vec![buy, sell], vec![sell, timer, buy], vec![]),
            (vec![timer], vec![sell], vec![]),
        ] {
            assert_eq!(beyond(&wishes, &others), beyond_them.iter().collect::<Vec<_>>(), "{wishes:?} {others:?}");
        }
    }

    #[test]
    fn decisions_are_told_in_words() {
        let price = |text: &str| text.parse::<Price>().unwrap_or(Price::ZERO);
        let levels = Levels {
            stop_loss: Some(price("1.1")),
            take_profit: None,
            trail: Some(Trail { distance: price("0.002"), step: price("0.0001") }),
        };
        let place = Action::Place {
            side: Side::Sell,
            lots: Lots::whole(2),
            kind: OrderKind::StopLimit { stop: price("1.2"), limit: price("1.19") },
            time_in_force: TimeInForce::Day,
            levels,
            oco: Some(OrderId(7)),
        };
        let wishes = [open(Side::Buy, 1), Action::SetTimer { at: Millis(3) }, place];
        let words = in_words(&wishes);
        assert!(words.starts_with("buy 1"), "{words}");
        assert!(words.contains("; sell 2"), "{words}");
        for part in
            ["at the market", "or better once", "today only", "stop-loss 1.1", "follows at 0.002", "or else order"]
        {
            assert!(words.contains(part), "{part} in {words}");
        }
        assert_eq!(in_words(&[Action::SetTimer { at: Millis(3) }]), "");
        let many = vec![Action::Close { position: PositionId(1) }; 256];
        assert!(in_words(&many).chars().count() <= WORDS_MAX + 1);
    }
}
