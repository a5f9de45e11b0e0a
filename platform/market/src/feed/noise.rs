//! Value noise over many time scales: a random walk that can be computed at any instant without its past.
//!
//! Each octave holds a random number at every multiple of its period and runs smoothly between them; the sum
//! of octaves whose heights grow with the root of their periods moves like a price. Only additions and
//! multiplications of IEEE 754 doubles and 64-bit integers occur, in a fixed order, so every machine computes
//! the same bits. After K. Perlin, "An image synthesizer", SIGGRAPH 1985, and B. Mandelbrot's midpoint walks.

/// Square root of two, by which heights grow when periods double.
const ROOT_2: f64 = core::f64::consts::SQRT_2;

/// A well-mixed number for (seed, place). The finaliser of SplitMix64; G. Steele et al., OOPSLA 2014.
pub(super) const fn mix(seed: u64, place: i64) -> u64 {
    let mut z = seed.wrapping_add(place.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in [−1, 1) from the upper 53 bits.
pub(super) const fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1_u64 << 52) as f64) - 1.0
}

/// One time scale. Remembers the cell it was asked about last; that saves work and changes no answer.
#[derive(Debug, Clone)]
pub(super) struct Octave {
    seed: u64,
    period_ms: i64,
    per_period: f64,
    shift_ms: i64,
    cell_from: i64,
    left: f64,
    step: f64,
}

impl Octave {
    pub(super) fn new(seed: u64, period_ms: i64) -> Self {
        // Shifted by a random part of the period, so that octaves do not turn together.
        let shift_ms = (mix(seed, -1) >> 1).cast_signed() % period_ms;
        Self {
            seed,
            period_ms,
            per_period: 1.0 / period_ms as f64,
            shift_ms,
            cell_from: i64::MIN,
            left: 0.0,
            step: 0.0,
        }
    }

    /// The noise at `at`, in [−1, 1].
    pub(super) fn at(&mut self, at: i64) -> f64 {
        let moved = at - self.shift_ms;
        if self.cell_from == i64::MIN || moved < self.cell_from || moved - self.cell_from >= self.period_ms {
            let cell = moved.div_euclid(self.period_ms);
            self.cell_from = cell * self.period_ms;
            self.left = unit(mix(self.seed, cell));
            self.step = unit(mix(self.seed, cell + 1)) - self.left;
        }
        let f = (moved - self.cell_from) as f64 * self.per_period;
        self.left + self.step * (f * f * (3.0 - 2.0 * f))
    }
}

/// Shortest period.
const PERIOD_MIN_MS: i64 = 250;
/// Octaves below this, up to 17 minutes, are the market of the moment, whose liveliness comes and goes.
const RIPPLES: i64 = 13;
/// All octaves: the longest period is 250 ms · 2^24, about 48 days.
const OCTAVES: i64 = 25;

/// A walk: octaves from a quarter of a second to 48 days, in two parts.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    ripples: Vec<(Octave, f64)>,
    tide: Vec<(Octave, f64)>,
}

impl Walk {
    /// A walk that moves about `daily` (a fraction, such as 0.005) in a day.
    pub(super) fn new(seed: u64, daily: f64) -> Self {
        // Measured once: with heights of one per root of a day, the walk's daily range is about this much.
        const RANGE_OF_UNIT_WALK: f64 = 2.0;
        let day_in_periods = 86_400_000.0 / PERIOD_MIN_MS as f64;
        let mut height = daily / RANGE_OF_UNIT_WALK / day_in_periods.sqrt();
        let (mut ripples, mut tide) = (vec![], vec![]);
        for octave in 0..OCTAVES {
            let noise = Octave::new(mix(seed, octave), PERIOD_MIN_MS << octave);
            if octave < RIPPLES { &mut ripples } else { &mut tide }.push((noise, height));
            height *= ROOT_2;
        }
        Self { ripples, tide }
    }

    /// The part that comes and goes within minutes.
    pub(super) fn ripples(&mut self, at: i64) -> f64 {
        sum(&mut self.ripples, at)
    }

    /// The part that moves over hours and weeks.
    pub(super) fn tide(&mut self, at: i64) -> f64 {
        sum(&mut self.tide, at)
    }
}

fn sum(octaves: &mut [(Octave, f64)], at: i64) -> f64 {
    octaves.iter_mut().fold(0.0, |sum, (octave, height)| sum + octave.at(at) * *height)
}
