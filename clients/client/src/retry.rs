//! Calls made again, for those that are safe to repeat.

use std::time::Duration;

use tracing::debug;

use crate::CallError;

/// How far the waits are spread, each way, so that many clients do not come back at the same moment.
const JITTER: f64 = 0.2;

/// Rules for repeating a call: how often at most, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often the call is made in all.
    pub tries_max: u32,
    /// The wait after the first failure; each further one doubles it.
    pub wait_first: Duration,
    /// No wait is longer, whatever the server asks for.
    pub wait_max: Duration,
}

impl Default for Retry {
    /// Five tries over some seven seconds when nobody answers.
    fn default() -> Retry {
        Retry {
            tries_max: 5,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// The wait after so many failures in a row: doubled each time, at least what the server asked for, at most
    /// `wait_max`; `chance` (0 to 1) spreads it by a fifth each way.
    pub fn wait_after(&self, failures: u32, asked_seconds: Option<u64>, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        let wait = self.wait_first.saturating_mul(1 << doublings).min(self.wait_max);
        let spread = wait.mul_f64(1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0));
        spread
            .max(Duration::from_secs(asked_seconds.unwrap_or(0)))
            .min(self.wait_max)
    }

    /// The first answer, or the first error that is not transient, or the last transient one; only for calls that are
    /// safe to repeat: reads, and writes that the server knows again.
    pub async fn run<T, Made>(&self, mut call: impl FnMut() -> Made) -> Result<T, CallError>
    where
        Made: Future<Output = Result<T, CallError>>,
    {
        let mut failures = 0;
        loop {
            let error = match call().await {
                Err(error) if error.is_transient() => error,
                done => return done,
            };
            failures += 1;
            if failures >= self.tries_max {
                return Err(error);
            }
            let wait = self.wait_after(failures, error.retry_after_seconds(), rand::random());
            debug!("{error}; again in {} ms", wait.as_millis());
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        tries_max: 3,
        wait_first: Duration::from_secs(1),
        wait_max: Duration::from_secs(10),
    };

    #[test]
    fn waits_double_up_to_their_bound() {
        let waits: Vec<u64> = (1..=6)
            .map(|failures| RETRY.wait_after(failures, None, 0.5).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(RETRY.wait_after(u32::MAX, None, 0.5).as_secs(), 10);
    }

    #[test]
    fn chance_spreads_a_wait_by_a_fifth_each_way() {
        assert_eq!(RETRY.wait_after(1, None, 0.0).as_millis(), 800);
        assert_eq!(RETRY.wait_after(1, None, 1.0).as_millis(), 1200);
    }

    #[test]
    fn the_servers_wish_is_honoured_within_the_bound() {
        assert_eq!(RETRY.wait_after(1, Some(5), 0.5).as_secs(), 5);
        assert_eq!(RETRY.wait_after(1, Some(3600), 0.5).as_secs(), 10);
    }
}
