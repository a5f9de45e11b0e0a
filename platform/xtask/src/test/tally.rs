//! Counts what test runners say at their end.

use std::{fmt, ops::AddAssign};

/// Tests that passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed, or never came to an end.
    pub failed: u64,
    /// Ignored or skipped.
    pub skipped: u64,
}

impl Tally {
    /// Tests that ran.
    pub const fn ran(&self) -> u64 {
        self.passed + self.failed
    }

    /// Reads libtest's `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`.
    /// What the reader's own filter leaves out is not skipped.
    pub fn of_libtest(line: &str) -> Option<Self> {
        let counts = line.trim_start().strip_prefix("test result: ")?.split_once(". ")?.1;
        let mut tally = Self::default();
        for part in counts.split("; ") {
            let Some((count, what)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match what {
                "passed" => tally.passed = count,
                "failed" => tally.failed = count,
                "ignored" => tally.skipped = count,
                _ => {}
            }
        }
        Some(tally)
    }

    /// Reads a closing line of our own test scripts: `3 passed, 0 failed`.
    pub fn of_script(line: &str) -> Option<Self> {
        let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
        Some(Self { passed: passed.parse().ok()?, failed: failed.parse().ok()?, skipped: 0 })
    }

    /// Reads the closing comments of node's TAP: `# pass 3`, `# fail 0`, `# cancelled 0`, `# skipped 0`, `# todo 0`.
    pub fn of_tap(tap: &str) -> Self {
        let count = |what: &str| {
            let lines = tap
                .lines()
                .rev()
                .filter_map(|line| line.strip_prefix("# ")?.strip_prefix(what)?.trim().parse::<u64>().ok());
            lines.take(1).sum::<u64>()
        };
        Self {
            passed: count("pass "),
            failed: count("fail ") + count("cancelled "),
            skipped: count("skipped ") + count("todo "),
        }
    }
}

impl Tally {
    /// The count when the run is over: tests that said they did without something move from passed to skipped, and a
    /// run that failed without naming a test (it crashed, or did not compile) has one failure.
    pub fn settled(self, did_without: u64, succeeded: bool) -> Self {
        let moved = did_without.min(self.passed);
        let unnamed = u64::from(!succeeded && self.failed == 0);
        Self { passed: self.passed - moved, failed: self.failed + unnamed, skipped: self.skipped + moved }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn libtest_results() {
        let table = [
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
                Some(tally(3, 0, 1)),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.10s",
                Some(tally(1, 2, 0)),
            ),
            ("test engine::says_test_result: ok", None),
            ("running 3 tests", None),
        ];
        for (line, want) in table {
            assert_eq!(Tally::of_libtest(line), want, "{line:?}");
        }
    }

    #[test]
    fn scripts() {
        assert_eq!(Tally::of_script("3 passed, 1 failed"), Some(tally(3, 1, 0)));
        for line in ["ok it passed, 1 failed (3 ms)", "3 passed", "", "3 passed, 1 failed, 2 skipped"] {
            assert_eq!(Tally::of_script(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_run_is_settled_at_its_end() {
        let table = [
            (tally(5, 0, 1), 0, true, tally(5, 0, 1)),
            (tally(5, 0, 1), 2, true, tally(3, 0, 3)),
            (tally(5, 1, 0), 0, false, tally(5, 1, 0)),
            (tally(5, 0, 0), 0, false, tally(5, 1, 0)),
            (tally(0, 0, 0), 3, false, tally(0, 1, 0)),
        ];
        for (counted, did_without, succeeded, want) in table {
            assert_eq!(counted.settled(did_without, succeeded), want);
        }
    }

    #[test]
    fn node_tap() {
        let tap = "TAP version 13\n# pass 99\nok 1 - a\n1..1\n# tests 7\n# suites 1\n# pass 3\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 0\n# duration_ms 5\n";
        assert_eq!(Tally::of_tap(tap), tally(3, 2, 2));
        assert_eq!(Tally::of_tap(""), tally(0, 0, 0));
    }

    #[test]
    fn the_closing_line() {
        let mut sum = tally(1, 0, 2);
        sum += tally(10, 3, 0);
        assert_eq!(sum.to_string(), "11 passed, 3 failed, 2 skipped");
        assert_eq!(sum.ran(), 14);
    }
}
