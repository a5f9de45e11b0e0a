//! What a long step shows: a bar or a spinner on a terminal, one line at its end everywhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A step under way.
pub struct Step {
    what: String,
    bar: ProgressBar,
    began: Instant,
    counted: bool,
}

impl Step {
    /// Begins a step, such as "Building the server".
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = ProgressBar::new_spinner().with_message(what.clone());
        bar.set_style(style("  {spinner} {msg} {elapsed:.dim}"));
        bar.enable_steady_tick(Duration::from_millis(100));
        if bar.is_hidden() {
            eprintln!("  … {what}");
        }
        Self { what, bar, began: Instant::now(), counted: false }
    }

    /// Says what is being worked on now.
    pub fn note(&self, note: &str) {
        let note: String = note.chars().take(60).collect();
        self.bar.set_message(format!("{}: {note}", self.what));
    }

    /// Says how far it is.
    pub fn count(&mut self, done: u64, total: u64) {
        if !self.counted {
            self.counted = true;
            self.bar.set_style(style("  {spinner} [{bar:24}] {pos}/{len} {msg} {elapsed:.dim}"));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Ends it well, with what came of it. Steps that cost nothing leave no line.
    pub fn done(self, outcome: &str) {
        self.bar.finish_and_clear();
        let took = self.began.elapsed();
        if took >= Duration::from_millis(700) {
            eprintln!("  ✓ {outcome} ({})", seconds(took));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("━╸ "))
}

/// A duration as a person says it: `0.4 s`, `42 s`, `3 min 05 s`.
pub fn seconds(took: Duration) -> String {
    let whole = took.as_secs();
    match whole {
        0..10 => format!("{:.1} s", took.as_secs_f64()),
        10..60 => format!("{whole} s"),
        _ => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        let table = [(400, "0.4 s"), (9_960, "10.0 s"), (42_000, "42 s"), (185_000, "3 min 05 s")];
        for (ms, want) in table {
            assert_eq!(seconds(Duration::from_millis(ms)), want);
        }
    }
}
