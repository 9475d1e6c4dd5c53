//! Whether claims met each other lately.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// For how long a conflict is remembered.
const MEMORY: Duration = Duration::from_secs(2);

/// Remembers when a claim of this process last lost a job to another one. While that is fresh, claims step aside from the
/// head of the line: strict order is worth nothing to those who then get no job at all.
#[derive(Debug)]
pub(crate) struct Gate {
    began: Instant,
    /// Milliseconds from `began` until which claims step aside.
    crowded_until: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            crowded_until: AtomicU64::new(0),
        }
    }
}

impl Gate {
    /// A claim lost a job to another one.
    pub(crate) fn met(&self) {
        self.crowded_until.store(self.millis(MEMORY), Ordering::Relaxed);
    }

    /// Whether claims are to step aside.
    pub(crate) fn is_crowded(&self) -> bool {
        self.millis(Duration::ZERO) < self.crowded_until.load(Ordering::Relaxed)
    }

    fn millis(&self, on: Duration) -> u64 {
        u64::try_from((self.began.elapsed() + on).as_millis()).unwrap_or(u64::MAX)
    }
}
