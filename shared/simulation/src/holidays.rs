//! Days on which the whole fleet is off: timers fall due that nobody sees at once, and what is over is removed.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::Timestamp;

/// Until when the fleet is off.
#[derive(Debug, Default)]
pub(crate) struct Holidays(AtomicI64);

impl Holidays {
    /// The fleet is off until then.
    pub(crate) fn begin(&self, until: Timestamp) {
        self.0.store(until.as_micros(), Ordering::Relaxed);
    }

    /// For how long the fleet is still off.
    pub(crate) fn left(&self, now: Timestamp) -> Duration {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed)).since(now)
    }
}
