//! What the workers have begun.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::Payload;

/// Counts the jobs that have begun, and keeps how long those waited that tell when they were submitted.
#[derive(Debug)]
pub struct Seen {
    begun: AtomicU64,
    wanted: u64,
    reached: Notify,
    waits_us: Mutex<Vec<u64>>,
}

impl Seen {
    /// Waits for `wanted` jobs.
    pub fn wanting(wanted: u64) -> Self {
        Self {
            begun: AtomicU64::new(0),
            wanted,
            reached: Notify::new(),
            waits_us: Mutex::new(Vec::new()),
        }
    }

    /// A job begins, submitted at this time.
    pub fn began(&self, at: u64) {
        if let Some(waited) = Payload::age_us(at)
            && let Ok(mut waits) = self.waits_us.lock()
        {
            waits.push(waited);
        }
        if self.begun.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.reached.notify_one();
        }
    }

    /// How many have begun.
    pub fn count(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Waits until all that are wanted have begun.
    pub async fn all(&self) {
        self.reached.notified().await;
    }

    /// How long jobs waited, in microseconds, in the order in which they began.
    pub fn waits_us(&self) -> Vec<u64> {
        self.waits_us.lock().map(|waits| waits.clone()).unwrap_or_default()
    }
}
