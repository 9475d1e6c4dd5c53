//! What an engine remembers of its own writes, to save a read.
//!
//! A robot that is remembered tells what its next sync has to read; that read has the robot as well, and the sync begins
//! anew if it is another. A job that is remembered is what the report of its end is decided on: a read that lies a while
//! back. The write names the version, so it is refused if anybody wrote since, and the report is decided anew on what there
//! is. What would be refused is never refused from memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Job, LeaseToken, Robot, Timestamp};

use crate::{codec::Stored, store::Key};

/// How many records of one kind are remembered. Those beyond are forgotten with all others: what is still needed is read.
const RECENT_MAX: usize = 10_000;

/// For how long anything is remembered. Far below the shortest retention, because the versions of an id that comes again
/// after its job was removed begin anew.
const RECENT_FOR: Duration = Duration::from_mins(5);

/// Values by key, each taken out when it is used.
pub(crate) struct Recent<T> {
    values: Mutex<HashMap<Key, (Timestamp, T)>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            values: Mutex::default(),
        }
    }
}

impl<T> Recent<T> {
    /// Remembers `value` from `now` on, in the place of what was remembered before.
    pub(crate) fn put(&self, key: Key, value: T, now: Timestamp) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= RECENT_MAX && !values.contains_key(&key) {
            values.clear();
        }
        values.insert(key, (now, value));
    }

    /// What is remembered, unless it is too old, and no more after that.
    pub(crate) fn take(&self, key: &Key, now: Timestamp) -> Option<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, value) = values.remove(key)?;
        (now.since(at) < RECENT_FOR).then_some(value)
    }
}

/// What one engine remembers of its writes.
#[derive(Default)]
pub(crate) struct Writes {
    /// Robots as their latest sync left them.
    pub(crate) robots: Recent<Stored<Robot>>,
    /// Jobs as they were leased or renewed: their end is reported next.
    pub(crate) held: Recent<Stored<Job>>,
    /// The last leases of jobs that are over, which no event undoes: their robot's next sync gives the slot back.
    pub(crate) over: Recent<LeaseToken>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;

    const NOW: Timestamp = Timestamp::from_micros(0);

    fn key(number: usize) -> Key {
        Key::common(Kind::Job, number.to_string())
    }

    #[test]
    fn what_is_taken_is_gone_and_there_is_an_end_to_it() {
        let recent = Recent::default();
        recent.put(key(0), 1, NOW);
        recent.put(key(0), 2, NOW);
        assert_eq!((recent.take(&key(0), NOW), recent.take(&key(0), NOW)), (Some(2), None));
        (0..=RECENT_MAX).for_each(|number| recent.put(key(number), number, NOW));
        assert_eq!(recent.take(&key(1), NOW), None);
        assert_eq!(recent.take(&key(RECENT_MAX), NOW), Some(RECENT_MAX));
    }

    #[test]
    fn what_is_old_is_not_remembered() {
        let recent = Recent::default();
        let forgotten_at = NOW + RECENT_FOR;
        let just_before = forgotten_at - Duration::from_micros(1);
        for (at, expected) in [(just_before, Some(7)), (forgotten_at, None)] {
            recent.put(key(0), 7, NOW);
            assert_eq!(recent.take(&key(0), at), expected);
        }
    }
}
