//! When a failed attempt is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Exponential backoff with jitter and a bound on attempts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How many attempts may start, 1 to 100.
    pub max_attempts: u32,
    /// Seconds before the second attempt, 0 to 86400.
    pub initial_seconds: u32,
    /// The longest wait in seconds, 0 to 86400.
    pub max_seconds: u32,
    /// What each wait is of the one before, 1 to 10.
    pub multiplier: f64,
    /// How far a wait may stray, as a share of it, 0 to 1.
    pub jitter: f64,
}

// The numbers are checked to be finite at the border, so equality is an equivalence.
impl Eq for RetryPolicy {}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_seconds: 10,
            max_seconds: 3_600,
            multiplier: 2.0,
            jitter: 0.2,
        }
    }
}

/// A draw from 0 to 1, made by the caller, so that what decides stays without chance of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chance(f64);

impl Chance {
    /// The draw `share`, held within 0 and 1.
    pub fn new(share: f64) -> Self {
        Self(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 })
    }
}

impl RetryPolicy {
    /// How long to wait after the `failures`th failed attempt (from 1); `chance` places it within the jitter.
    pub fn backoff(&self, failures: u32, chance: Chance) -> Duration {
        let steps = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let longest = f64::from(self.max_seconds);
        let plain = (f64::from(self.initial_seconds) * self.multiplier.powi(steps)).min(longest);
        let strayed = plain * (1.0 + self.jitter * (2.0 * chance.0 - 1.0));
        Duration::try_from_secs_f64(strayed.clamp(0.0, longest)).unwrap_or(Duration::ZERO)
    }

    /// How long to wait when the robot said when to come back; never beyond `max_seconds`.
    pub fn asked_for(&self, seconds: u32) -> Duration {
        Duration::from_secs(u64::from(seconds.min(self.max_seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(policy: RetryPolicy, chance: f64) -> Vec<f64> {
        (1..=5)
            .map(|failures| policy.backoff(failures, Chance::new(chance)).as_secs_f64())
            .collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy {
            initial_seconds: 10,
            max_seconds: 50,
            jitter: 0.0,
            ..RetryPolicy::default()
        };
        assert_eq!(waits(policy, 0.7), [10.0, 20.0, 40.0, 50.0, 50.0]);
    }

    #[test]
    fn jitter_strays_to_both_sides_and_not_beyond_the_longest() {
        let policy = RetryPolicy {
            initial_seconds: 10,
            max_seconds: 25,
            jitter: 0.2,
            ..RetryPolicy::default()
        };
        assert_eq!(waits(policy, 0.0)[..2], [8.0, 16.0]);
        assert_eq!(waits(policy, 1.0)[..3], [12.0, 24.0, 25.0]);
    }

    #[test]
    fn the_greatest_numbers_do_not_overflow() {
        let policy = RetryPolicy {
            max_attempts: 100,
            initial_seconds: 86_400,
            max_seconds: 86_400,
            multiplier: 10.0,
            jitter: 1.0,
        };
        assert_eq!(policy.backoff(u32::MAX, Chance::new(1.0)).as_secs(), 86_400);
        assert_eq!(policy.asked_for(u32::MAX).as_secs(), 86_400);
    }

    #[test]
    fn no_wait_is_a_policy_too() {
        let policy = RetryPolicy {
            initial_seconds: 0,
            ..RetryPolicy::default()
        };
        assert_eq!(policy.backoff(7, Chance::new(0.3)), Duration::ZERO);
    }
}
