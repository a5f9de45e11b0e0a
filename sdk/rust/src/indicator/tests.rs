use super::*;
use proptest::prelude::*;

fn price(units: i64) -> Price {
    Price::from_units(units)
}

fn bar(high: i64, low: i64, close: i64) -> Bar {
    let (high, low, close) = (Price::whole(high), Price::whole(low), Price::whole(close));
    Bar { open_at: 0, open: close, high, low, close, spread: Price::ZERO, volume: 1 }
}

/// The definition, over the last values.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn bands_and_range_are_those_of_the_textbook() {
    let mut bollinger = Bollinger::new(4, Decimal::whole(2));
    let bands: Vec<_> = [2, 4, 4, 6].map(|n| bollinger.next(Price::whole(n))).to_vec();
    // The mean of 2, 4, 4, 6 is 4; their deviation as a population is the root of 2.
    let away = Price::from_f64(2.0 * 2.0_f64.sqrt());
    let middle = Price::whole(4);
    assert_eq!(bands[..3], [None; 3]);
    assert_eq!(bands[3], Some(Bands { middle, upper: middle + away, lower: middle - away }));

    let mut atr = Atr::new(2);
    // Ranges 4, then 6 because the close before was 10: (4 + 6) / 2 by Wilder's smoothing.
    assert_eq!(atr.next(&bar(12, 8, 10)), None);
    assert_eq!(atr.next(&bar(16, 13, 14)), Some(Price::whole(5)));
}

#[test]
fn the_strength_index_lies_between_its_ends() {
    let run = |prices: &[i64]| {
        let mut rsi = Rsi::new(3);
        prices.iter().map(|n| rsi.next(Price::whole(*n))).last().flatten()
    };
    assert_eq!(run(&[1, 2, 3]), None, "two changes");
    assert_eq!(run(&[1, 2, 3, 4]), Some(Decimal::whole(100)));
    assert_eq!(run(&[4, 3, 2, 1]), Some(Decimal::ZERO));
    assert_eq!(run(&[4, 4, 4, 4]), Some(Decimal::whole(50)));
    // Gains 1, 2/3, 4/9 + 1/3 and losses 0, 1/3, 2/9: 100 · (7/9) / 1.
    assert_eq!(run(&[1, 2, 1, 2]), Some(Decimal::from_f64(700.0 / 9.0)));
}

#[test]
fn macd_speaks_when_both_averages_and_the_signal_had_their_time() {
    let mut macd = Macd::new(2, 4, 3);
    let values: Vec<_> = (0..8).map(|n| macd.next(Price::whole(n))).collect();
    assert_eq!(values.iter().position(Option::is_some), Some(6));
    let last = values[7].unwrap();
    assert_eq!(last.histogram, last.line - last.signal);
    assert!(last.line > Price::ZERO, "a rise: the fast one is ahead");
}

#[test]
fn periods_beyond_the_limits_are_held_at_them() {
    assert_eq!(Sma::new(0).next(Price::whole(7)), Some(Price::whole(7)));
    let mut long = Sma::new(u32::MAX);
    assert!((1..PERIOD_MAX).all(|_| long.next(Price::whole(1)).is_none()));
    assert_eq!(long.next(Price::whole(1)), Some(Price::whole(1)));
    assert!(Bollinger::new(0, Decimal::whole(2)).next(Price::whole(1)).is_none());
}

proptest! {
    #[test]
    fn windows_are_their_definitions(
        closes in prop::collection::vec(1_000_000_i64..1_000_000_000_000, 1..80), period in 2..20_u32,
    ) {
        let (mut sma, mut bollinger) = (Sma::new(period), Bollinger::new(period, Decimal::whole(2)));
        let mut donchian = Donchian::new(period);
        let values: Vec<f64> = closes.iter().map(|c| price(*c).to_f64()).collect();
        let size = period as usize;
        for (at, close) in closes.iter().enumerate() {
            let flat = Bar { high: price(*close), low: price(*close), close: price(*close), ..bar(0, 0, 0) };
            let (average, bands, channel) =
                (sma.next(price(*close)), bollinger.next(price(*close)), donchian.next(&flat));
            if at + 1 < size {
                prop_assert_eq!((average, bands, channel), (None, None, None));
                continue;
            }
            let window = &values[at + 1 - size..=at];
            let middle = mean(window);
            let deviation = mean(&window.iter().map(|v| (v - middle).powi(2)).collect::<Vec<_>>()).sqrt();
            let near = |got: Price, want: f64| (got.to_f64() - want).abs() < 1e-3 + want.abs() * 1e-6;
            prop_assert!(near(average.unwrap(), middle), "{average:?} {middle}");
            prop_assert!(near(bands.unwrap().upper, middle + 2.0 * deviation), "{bands:?} {deviation}");
            let ends = &closes[at + 1 - size..=at];
            let (high, low) = (price(*ends.iter().max().unwrap()), price(*ends.iter().min().unwrap()));
            prop_assert_eq!(channel, Some(Channel { high, low }));
        }
    }

    #[test]
    fn a_saved_indicator_continues_equally(closes in prop::collection::vec(any::<i64>(), 2..60), cut in 0.0..1.0_f64) {
        let mut whole = (Sma::new(5), Rsi::new(5), Atr::new(5), Bollinger::new(5, Decimal::whole(2)), Donchian::new(5));
        let step = |all: &mut (Sma, Rsi, Atr, Bollinger, Donchian), close: i64| {
            let (close, one) = (price(close), bar(0, 0, 0));
            let bar = Bar { high: close, low: close, close, ..one };
            (all.0.next(close), all.1.next(close), all.2.next(&bar), all.3.next(close), all.4.next(&bar))
        };
        let at = (closes.len() as f64 * cut) as usize;
        for close in &closes[..at] {
            step(&mut whole, *close);
        }
        let saved = postcard::to_stdvec(&whole).unwrap();
        let mut restored = postcard::from_bytes(&saved).unwrap();
        for close in &closes[at..] {
            prop_assert_eq!(step(&mut restored, *close), step(&mut whole, *close));
        }
    }
}
