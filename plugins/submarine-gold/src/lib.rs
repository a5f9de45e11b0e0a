//! Submarine: waits below the surface while gold is dead or wild, and comes up for the breakout of a session's opening
//! range in between.
//!
//! **Trades** one range a session. From the session's first bar it notes the highest and lowest price for `range_minutes`.
//! Then it places a pair of which only one can trade: a stop order to buy `buffer_pips` above the range and one to sell as
//! far below it, each with a stop-loss of `stop_atr` average true ranges and a take-profit of `reward` times that. Both are
//! good until the session ends. Once a position is ahead by its risk, its stop-loss follows at the same distance.
//!
//! **Does not trade** outside the session; in the wrong regime: the ratio of the average true range over `fast_atr` bars to
//! that over `slow_atr` bars below `calm` (dead: breakouts fail) or above `storm` (wild: stops are jumped); when the range is
//! wider than `range_atr` average true ranges; when the spread is above `max_spread_pips`. A storm that begins while its
//! orders wait withdraws them. At the session's end it closes what it holds.
//!
//! **What it is not.** The name promises gold *multi-asset*: reading gold against the dollar, yields and silver. A deployment
//! has one instrument, and a strategy sees no other market, so none of that is here and nothing pretends to be. It would
//! need from the platform: deployments with several instruments, their bars joined by time in one run, history and orders
//! that name their instrument, and rules that see such orders; until then a deployment on each instrument is all there is.
//! Nothing in it is gold's own but its suggestions: it runs on any instrument with bars of up to an hour.
//!
//! **Settings:** as named above. Session hours are UTC all year: London's and New York's move by an hour in summer, so shift
//! them or choose hours that hold in both.

use marque_plugin::{
    About, Bar, Bracket, Context, Decimal, Hooks, Levels, Lots, OrderKind, OrderUpdate, Price, SCALE, Side, Start,
    Strategy, Ticket, TimeInForce, Trail, indicator::Atr,
};
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a trader sets.
#[derive(Debug, Clone, Serialize, marque_plugin::Settings)]
pub struct Settings {
    /// Size of each position.
    #[setting(above = 0, max = 1000, suggest = 0.1)]
    lots: Lots,
    /// Hour of the UTC day in which the session begins.
    #[setting(title = "Session begins", unit = "UTC hour", min = 0, max = 23, default = 7)]
    from_hour: u32,
    /// How long the session lasts.
    #[setting(title = "Session lasts", unit = "hours", min = 1, max = 23, default = 9)]
    session_hours: u32,
    /// How long the opening range is noted.
    #[setting(title = "Opening range", unit = "minutes", min = 5, max = 240, default = 30)]
    range_minutes: u32,
    /// The widest range that is traded.
    #[setting(title = "Widest range", unit = "average true ranges", above = 0, max = 100, default = 12)]
    range_atr: Decimal,
    /// How far beyond the range its orders wait.
    #[setting(title = "Buffer", unit = "pips", min = 0, max = 10000, default = 2)]
    buffer_pips: Decimal,
    /// Distance of the stop-loss.
    #[setting(title = "Stop-loss", unit = "average true ranges", above = 0, max = 100, default = 3)]
    stop_atr: Decimal,
    /// The take-profit as a multiple of the distance of the stop-loss.
    #[setting(title = "Reward", unit = "times the risk", above = 0, max = 20, default = 2)]
    reward: Decimal,
    /// Bars of the average true range of now.
    #[setting(title = "Fast range", unit = "bars", min = 2, max = 500, default = 14)]
    fast_atr: u32,
    /// Bars of the usual average true range; more than those of now.
    #[setting(title = "Slow range", unit = "bars", min = 3, max = 5000, default = 200)]
    slow_atr: u32,
    /// Fast over slow range below which the market is dead.
    #[setting(title = "Calm below", min = 0, max = 10, default = 0.6)]
    calm: Decimal,
    /// Fast over slow range above which the market is wild.
    #[setting(title = "Storm above", above = 0, max = 100, default = 2.5)]
    storm: Decimal,
    /// The widest spread at which its orders are placed.
    #[setting(title = "Widest spread", unit = "pips", min = 0, max = 10000, default = 6)]
    max_spread_pips: Decimal,
}

/// Where it is in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Dive {
    /// No session, or done with it.
    Below,
    /// The opening range so far.
    Ranging { high: Price, low: Price },
    /// The pair is asked for; the second waits for the id of the first.
    Surfacing { other: Second, risk: Price },
    /// Both wait, or one has traded with this risk.
    Up { risk: Price },
}

/// The second order of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Second {
    price: Price,
    until: i64,
}

/// The strategy and its whole state.
#[derive(Debug, Serialize, Deserialize)]
pub struct SubmarineGold {
    settings: Settings,
    fast: Atr,
    slow: Atr,
    /// When the session began that `dive` is about.
    session: i64,
    dive: Dive,
    /// Positions whose stop-loss follows already.
    followed: Vec<i64>,
}

/// How the market moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Regime {
    Dead,
    Fit,
    Wild,
}

impl SubmarineGold {
    /// When the session of this moment began, if there is one.
    fn session_of(&self, at: i64) -> Option<i64> {
        let from = i64::from(self.settings.from_hour) * HOUR_MS;
        let began = at - (at - from).rem_euclid(DAY_MS);
        (at < began + self.length_ms()).then_some(began)
    }

    fn length_ms(&self) -> i64 {
        i64::from(self.settings.session_hours) * HOUR_MS
    }

    fn regime(&self, fast: Price, slow: Price) -> Regime {
        let of_slow = |ratio: Decimal| slow.times(ratio.units(), SCALE);
        if fast < of_slow(self.settings.calm) {
            Regime::Dead
        } else if fast > of_slow(self.settings.storm) {
            Regime::Wild
        } else {
            Regime::Fit
        }
    }

    fn ticket(&self, side: Side, price: Price, risk: Price, until: i64) -> Ticket {
        let bracket = Bracket { stop: Some(risk), target: Some(risk.times(self.settings.reward.units(), SCALE)) };
        Ticket::new(side, self.settings.lots, OrderKind::Stop { price })
            .good(TimeInForce::Gtd(until))
            .guarded(bracket.around(side, price))
    }

    /// The range is noted: the first order of the pair, if the market is fit for it.
    fn surface(&mut self, ctx: &mut Context, high: Price, low: Price, fast: Price, regime: Regime) {
        let settings = &self.settings;
        let fits = regime == Regime::Fit
            && high - low <= fast.times(settings.range_atr.units(), SCALE)
            && ctx.ask() - ctx.bid() <= ctx.pips(settings.max_spread_pips);
        self.dive = Dive::Below;
        let (buffer, risk) = (ctx.pips(settings.buffer_pips), fast.times(settings.stop_atr.units(), SCALE));
        if !fits || risk < ctx.instrument().tick_size {
            return;
        }
        let until = self.session + self.length_ms();
        let spread = ctx.ask() - ctx.bid();
        self.dive = Dive::Surfacing { other: Second { price: low - buffer, until }, risk };
        ctx.place(self.ticket(Side::Buy, high + buffer + spread, risk, until));
    }

    /// A position that is ahead by its risk is guarded by a stop-loss that follows.
    fn follow(&mut self, ctx: &mut Context, risk: Price) {
        let ahead: Vec<_> = ctx
            .positions()
            .iter()
            .filter(|held| {
                let gain = if held.side == Side::Buy { ctx.bid() - held.price } else { held.price - ctx.ask() };
                gain >= risk && !self.followed.contains(&held.id)
            })
            .copied()
            .collect();
        for held in ahead {
            self.followed.push(held.id);
            let bracket = Bracket { stop: None, target: Some(risk.times(self.settings.reward.units(), SCALE)) };
            let levels = bracket.around(held.side, held.price);
            ctx.protect(held.id, Levels { trail: Some(Trail::by(risk)), ..levels });
        }
    }

    fn end(&mut self, ctx: &mut Context) {
        self.dive = Dive::Below;
        ctx.cancel_all();
        ctx.close_all();
    }
}

impl Strategy for SubmarineGold {
    type Settings = Settings;

    fn about() -> About {
        const SUMMARY: &str = "Breaks out of a session's opening range while volatility is neither dead nor wild.";
        About::strategy("submarine-gold", env!("CARGO_PKG_VERSION"), SUMMARY, Settings::SCHEMA)
            .with_hooks(Hooks::BARS.with_history(5_000))
    }

    fn new(settings: Settings, start: &Start) -> Result<Self, String> {
        if start.timeframe_ms > HOUR_MS {
            return Err("An opening range needs bars of at most an hour. Deploy it on shorter ones.".to_owned());
        }
        if settings.fast_atr >= settings.slow_atr {
            return Err("The fast range must be over fewer bars than the slow one.".to_owned());
        }
        if settings.calm >= settings.storm {
            return Err("Calm must end below where storm begins.".to_owned());
        }
        let (fast, slow) = (Atr::new(settings.fast_atr), Atr::new(settings.slow_atr));
        Ok(Self { settings, fast, slow, session: i64::MIN, dive: Dive::Below, followed: Vec::new() })
    }

    fn hooks(&self) -> Hooks {
        Hooks::BARS.with_history(self.settings.slow_atr)
    }

    fn on_bar(&mut self, ctx: &mut Context, bar: &Bar) {
        let (fast, slow) = (self.fast.next(bar), self.slow.next(bar));
        let (Some(fast), Some(slow)) = (fast, slow) else { return };
        let Some(began) = self.session_of(bar.open_at) else {
            return self.end(ctx);
        };
        if began != self.session {
            self.end(ctx);
            // Only a session that is seen from its first bar has an opening range.
            let fresh = bar.open_at - began < i64::from(self.settings.range_minutes) * MINUTE_MS;
            (self.session, self.followed) = (began, Vec::new());
            self.dive = if fresh { Dive::Ranging { high: bar.high, low: bar.low } } else { Dive::Below };
        }
        let regime = self.regime(fast, slow);
        match self.dive {
            Dive::Below => {}
            Dive::Ranging { high, low } => {
                let (high, low) = (high.max(bar.high), low.min(bar.low));
                self.dive = Dive::Ranging { high, low };
                if ctx.now() - began >= i64::from(self.settings.range_minutes) * MINUTE_MS {
                    self.surface(ctx, high, low, fast, regime);
                }
            }
            Dive::Surfacing { .. } | Dive::Up { .. } if regime == Regime::Wild && ctx.positions().is_empty() => {
                self.dive = Dive::Below;
                ctx.cancel_all();
            }
            Dive::Surfacing { .. } => {}
            Dive::Up { risk } => self.follow(ctx, risk),
        }
    }

    fn on_order_update(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let Dive::Surfacing { other, risk } = self.dive else { return };
        match update {
            OrderUpdate::Working(first) => {
                self.dive = Dive::Up { risk };
                let second = self.ticket(Side::Sell, other.price, risk, other.until);
                ctx.place(second.or(first.id));
            }
            // Half a pair is not its trade.
            OrderUpdate::Refused | OrderUpdate::Ended { .. } => self.dive = Dive::Below,
            _ => {}
        }
    }
}

marque_plugin::export_strategy!(SubmarineGold);

#[cfg(test)]
mod tests;
