//! What a driver tells.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one call of a driver measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// How many jobs went through.
    pub jobs: u64,
    /// How long that took.
    pub seconds: f64,
    /// How long single calls, claims or waits took.
    #[serde(default)]
    pub latency: Option<Latency>,
    /// Jobs a second in ten equal parts of the time, one after the other.
    #[serde(default)]
    pub rates: Vec<f64>,
    /// How often an idle worker asks, in microseconds; 0 when it is woken.
    #[serde(default)]
    pub poll_us: u64,
    /// What was done, for a reader of the report.
    #[serde(default)]
    pub did: String,
    /// Why nothing was measured.
    #[serde(default)]
    pub skipped: Option<String>,
}

/// Percentiles, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half are no longer.
    pub p50_us: u64,
    /// Of a hundred, one is longer.
    pub p99_us: u64,
}

impl Figures {
    /// What is told of something that this contestant does not have.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self {
            skipped: Some(why.into()),
            ..Self::default()
        }
    }

    /// Jobs in a time.
    pub fn of(jobs: u64, time: Duration) -> Self {
        Self {
            jobs,
            seconds: time.as_secs_f64(),
            ..Self::default()
        }
    }

    /// Jobs a second; none when nothing was measured.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn rate(&self) -> Option<f64> {
        (self.skipped.is_none() && self.seconds > 0.0).then(|| self.jobs as f64 / self.seconds)
    }
}

impl Latency {
    /// The percentiles of some times in microseconds; none of none.
    pub fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        // Rounded up, so that few times show their longest.
        let at = |hundredths: usize| times[(last * hundredths).div_ceil(100)];
        Some(Self {
            p50_us: at(50),
            p99_us: at(99),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_times_show_their_middle_and_their_last_but_one() {
        let latency = Latency::of((0..=100).rev().collect()).expect("there are some");
        assert_eq!(latency, Latency { p50_us: 50, p99_us: 99 });
        assert_eq!(Latency::of(Vec::new()), None);
    }

    #[test]
    fn a_line_of_another_language_may_leave_out_what_it_did_not_measure() {
        let figures: Figures = serde_json::from_str(r#"{"jobs": 10, "seconds": 2}"#).expect("is read");
        assert_eq!(figures.rate(), Some(5.0));
        assert_eq!(Figures::skipped("no batches").rate(), None);
    }
}
