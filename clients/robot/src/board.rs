//! How far each attempt is: written by those that read its output, read when a sync is made up.
//!
//! Only the latest word of each is kept, so a command that reports progress in a tight loop fills no queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::{JobKey, Progress};

#[derive(Debug, Clone, Default)]
pub(crate) struct Board {
    latest: Arc<Mutex<BTreeMap<JobKey, Progress>>>,
}

impl Board {
    pub(crate) fn set(&self, key: &JobKey, progress: Progress) {
        self.lock().insert(key.clone(), progress);
    }

    /// Takes what was set since the last time.
    pub(crate) fn take(&self) -> BTreeMap<JobKey, Progress> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobKey, Progress>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
