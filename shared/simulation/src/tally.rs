//! How often something went wrong around the store.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    plan::{Mishap, Plan},
    scheduler::Handle,
};

/// Draws mishaps, and counts them.
pub(crate) struct Mishaps {
    handle: Handle,
    plan: Plan,
    are_on: AtomicBool,
    counts: Mutex<[u64; Mishap::ALL.len()]>,
}

impl Mishaps {
    /// The mishaps of `plan`.
    pub(crate) fn new(handle: Handle, plan: Plan) -> Self {
        Self {
            handle,
            plan,
            are_on: AtomicBool::new(true),
            counts: Mutex::default(),
        }
    }

    /// Whether `mishap` happens now.
    pub(crate) fn happens(&self, mishap: Mishap) -> bool {
        let happens = self.are_on.load(Ordering::Relaxed) && self.handle.happens(self.plan.rate(mishap));
        if happens {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner)[mishap as usize] += 1;
        }
        happens
    }

    /// From now on nothing goes wrong.
    pub(crate) fn switch_off(&self) {
        self.are_on.store(false, Ordering::Relaxed);
    }

    /// How often `mishap` happened.
    pub(crate) fn of(&self, mishap: Mishap) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)[mishap as usize]
    }
}
