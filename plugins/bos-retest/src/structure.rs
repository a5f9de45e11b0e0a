//! Market structure on M5: bars built from M1, swings, and the break of one by a close.

use marque_plugin::{Bar, Price, Side};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Length of a structure bar in milliseconds.
const M5_MS: i64 = 300_000;
const M1_MS: i64 = 60_000;

/// What of a bar structure needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    open_at: i64,
    high: Price,
    low: Price,
    close: Price,
}

/// A swing that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The way it was broken.
    pub side: Side,
    /// The broken level.
    pub level: Price,
    /// Where the structure of the move ends: the extreme since the last swing on its other side, that swing included.
    pub origin: Price,
}

/// The structure so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct Structure {
    /// Bars on each side of a swing.
    wing: usize,
    /// The M5 bar that is being built.
    building: Option<Span>,
    /// The last closed bars, oldest first: as many as a swing needs.
    bars: VecDeque<Span>,
    /// The last swings that were not broken.
    high: Option<Price>,
    low: Option<Price>,
    /// The extremes since those swings stood.
    lowest: Option<Price>,
    highest: Option<Price>,
}

impl Structure {
    pub fn new(wing: u32) -> Self {
        Self {
            wing: wing as usize,
            building: None,
            bars: VecDeque::new(),
            high: None,
            low: None,
            lowest: None,
            highest: None,
        }
    }

    /// Takes an M1 bar; answers the break that the close of an M5 bar made.
    pub fn take(&mut self, bar: &Bar) -> Option<Break> {
        let open_at = bar.open_at - bar.open_at.rem_euclid(M5_MS);
        let mut broken = None;
        if self.building.is_some_and(|span| span.open_at != open_at) {
            // A gap in the minutes: the bar ended before it was full.
            broken = self.close();
        }
        let span = self.building.get_or_insert(Span { open_at, high: bar.high, low: bar.low, close: bar.close });
        span.high = span.high.max(bar.high);
        span.low = span.low.min(bar.low);
        span.close = bar.close;
        if bar.open_at + M1_MS == open_at + M5_MS {
            broken = self.close().or(broken);
        }
        broken
    }

    /// The M5 bar is closed: it may break a swing, and it may complete one.
    fn close(&mut self) -> Option<Break> {
        let span = self.building.take()?;
        self.lowest = Some(self.lowest.map_or(span.low, |low| low.min(span.low)));
        self.highest = Some(self.highest.map_or(span.high, |high| high.max(span.high)));
        let broken = self.broken_by(&span);
        self.bars.push_back(span);
        if self.bars.len() > 2 * self.wing + 1 {
            self.bars.pop_front();
        }
        self.swing();
        broken
    }

    fn broken_by(&mut self, span: &Span) -> Option<Break> {
        if let Some(level) = self.high.filter(|level| span.close > *level) {
            self.high = None;
            let origin = self.low.into_iter().chain(self.lowest).min()?;
            return Some(Break { side: Side::Buy, level, origin });
        }
        let level = self.low.filter(|level| span.close < *level)?;
        self.low = None;
        let origin = self.high.into_iter().chain(self.highest).max()?;
        Some(Break { side: Side::Sell, level, origin })
    }

    /// The bar in the middle is a swing when it stands out among its neighbours on both sides.
    fn swing(&mut self) {
        let Some(middle) = self.bars.get(self.wing).filter(|_| self.bars.len() == 2 * self.wing + 1).copied() else {
            return;
        };
        let others = || self.bars.iter().enumerate().filter(|(at, _)| *at != self.wing).map(|(_, bar)| bar);
        let (top, bottom) = (others().all(|bar| bar.high < middle.high), others().all(|bar| bar.low > middle.low));
        let since = || self.bars.iter().skip(self.wing);
        let (lowest, highest) = (since().map(|bar| bar.low).min(), since().map(|bar| bar.high).max());
        if top {
            (self.high, self.lowest) = (Some(middle.high), lowest);
        }
        if bottom {
            (self.low, self.highest) = (Some(middle.low), highest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An M5 bar as its five minutes.
    fn minutes(five: i64, high: i64, low: i64, close: i64) -> Vec<Bar> {
        let price = Price::whole;
        let bar = |minute: i64, high: i64, low: i64, close: i64| Bar {
            open_at: five * M5_MS + minute * M1_MS,
            open: price(close),
            high: price(high),
            low: price(low),
            close: price(close),
            spread: Price::ZERO,
            volume: 1,
        };
        vec![bar(0, high, low, low), bar(1, low, low, low), bar(3, low, low, low), bar(4, close, close, close)]
    }

    fn show(structure: &mut Structure, bars: &[(i64, i64, i64)]) -> Vec<(usize, Break)> {
        let mut breaks = Vec::new();
        for (at, (high, low, close)) in bars.iter().enumerate() {
            let taken = minutes(at as i64, *high, *low, *close).iter().filter_map(|bar| structure.take(bar)).last();
            breaks.extend(taken.map(|found| (at, found)));
        }
        breaks
    }

    #[test]
    fn a_close_beyond_a_swing_breaks_it_once() {
        // A swing high of 20 at the third bar with a wing of one, a low of 8 after it, a wick to 22 that closes below, and a
        // close at 21.
        let bars = [
            (15, 10, 14),
            (20, 12, 15),
            (16, 11, 12),
            (13, 8, 10),
            (15, 9, 14),
            (22, 12, 19),
            (23, 18, 21),
            (25, 20, 24),
        ];
        let breaks = show(&mut Structure::new(1), &bars);
        let broken =
            |level, origin| Break { side: Side::Buy, level: Price::whole(level), origin: Price::whole(origin) };
        assert_eq!(breaks, [(6, broken(20, 8))]);
    }

    #[test]
    fn a_break_downwards_is_the_mirror() {
        let up = [
            (15, 10, 14),
            (20, 12, 15),
            (16, 11, 12),
            (13, 8, 10),
            (15, 9, 14),
            (22, 12, 19),
            (23, 18, 21),
            (25, 20, 24),
        ];
        let down = up.map(|(high, low, close)| (-low, -high, -close));
        let mirrored = |found: (usize, Break)| (found.0, found.1.side.opposite(), -found.1.level, -found.1.origin);
        let wanted: Vec<_> = show(&mut Structure::new(1), &up).into_iter().map(mirrored).collect();
        let found: Vec<_> =
            show(&mut Structure::new(1), &down).into_iter().map(|(at, b)| (at, b.side, b.level, b.origin)).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_gap_ends_a_bar_that_was_not_full() {
        let mut structure = Structure::new(1);
        show(&mut structure, &[(15, 10, 14), (20, 12, 15), (16, 11, 12)]);
        // Minutes of the fourth bar without its last, and the market comes back a quarter of an hour later.
        let fourth = minutes(3, 25, 12, 24);
        assert!(fourth[..3].iter().all(|bar| structure.take(bar).is_none()));
        let last = Bar { close: Price::whole(24), ..fourth[2] };
        assert_eq!(structure.take(&last), None);
        let broken = structure.take(&minutes(6, 30, 20, 22)[0]);
        assert_eq!(broken.map(|b| (b.side, b.level)), Some((Side::Buy, Price::whole(20))));
    }
}
