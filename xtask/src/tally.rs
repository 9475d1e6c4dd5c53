//! Counts of tests, read from what the runners say of a run.

use std::fmt;
use std::ops::Add;

/// How many tests passed, failed and were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// The counts in the first tag of a `JUnit` report, none if they are not there. What is left out is not in such a report.
    pub(crate) fn from_junit(report: &str) -> Option<Tally> {
        let start = report.find("<testsuites ")?;
        let tag = report[start..].split('>').next()?;
        let (tests, failures, errors) = (count(tag, "tests")?, count(tag, "failures")?, count(tag, "errors")?);
        Some(Tally {
            passed: tests.checked_sub(failures + errors)?,
            failed: failures + errors,
            skipped: 0,
        })
    }

    /// The counts in a line by which `cargo test` closes one of its programs, such as
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; …`; none if it is another line.
    pub(crate) fn from_line(line: &str) -> Option<Tally> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let number = |word| {
            let mut counts = counts.split("; ");
            counts.find_map(|it| it.strip_suffix(word)?.trim().parse().ok())
        };
        Some(Tally {
            passed: number("passed")?,
            failed: number("failed")?,
            skipped: number("ignored")?,
        })
    }
}

impl Add for Tally {
    type Output = Tally;

    fn add(self, other: Tally) -> Tally {
        Tally {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(out, ", {skipped} skipped"),
        }
    }
}

fn count(tag: &str, name: &str) -> Option<u64> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_junit_report_is_counted_by_its_first_tag() {
        let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="10" failures="2" errors="1" uuid="…" timestamp="…" time="0.5">
    <testsuite name="queue" tests="4" disabled="0" errors="0" failures="2">"#;
        let tally = Tally::from_junit(report).expect("is counted");
        assert_eq!(tally.to_string(), "7 passed, 3 failed");
        assert_eq!(Tally::from_junit("<testsuites name=\"cut"), None);
    }

    #[test]
    fn the_closing_lines_of_cargo_test_add_up() {
        let said = "running 2 tests\n\
            test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s\n";
        let sum = said
            .lines()
            .filter_map(Tally::from_line)
            .fold(Tally::default(), Tally::add);
        assert_eq!(sum.to_string(), "6 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Tally::from_line("test queue::a_late_report_is_refused ... ok"), None);
    }
}
