//! When a worker that is not woken asks again.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

/// Asks each so often, or at once where an ask, or work, took longer.
pub struct Poll(Interval);

impl Poll {
    /// From now on each `period`.
    pub fn each(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        Self(ticks)
    }

    /// Waits until it is time to ask again.
    pub async fn next(&mut self) {
        self.0.tick().await;
    }
}
