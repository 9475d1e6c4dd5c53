//! What all who take part share: the servers, the time, and who was given what.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{JobId, LeaseToken, RobotId};
use queue::Engine;
use rand::{RngExt, rngs::StdRng};

use crate::kit::{Held, TestClock};

/// Which attempt, by its job and number.
type Attempt = (JobId, u32);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct World {
    engines: Arc<[Engine]>,
    pub(super) clock: Arc<TestClock>,
    is_calm: Arc<AtomicBool>,
    is_closed: Arc<AtomicBool>,
    given: Arc<Mutex<BTreeMap<Attempt, (RobotId, LeaseToken)>>>,
}

impl World {
    pub(super) fn new(engines: Vec<Engine>, clock: Arc<TestClock>) -> Self {
        Self {
            engines: engines.into(),
            clock,
            is_calm: Arc::default(),
            is_closed: Arc::default(),
            given: Arc::default(),
        }
    }

    /// Any of the servers: who calls again may come to another one.
    pub(super) fn server(&self, chance: &mut StdRng) -> &Engine {
        &self.engines[chance.random_range(0..self.engines.len())]
    }

    /// Whether faults are over, and with them whatever robots do wrong.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::SeqCst)
    }

    pub(super) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::SeqCst);
    }

    /// Whether all jobs have ended, so that whoever has nothing left goes home.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// Notes that `robot` was given this. I3, I5: an attempt is given to one robot, with one token, however often.
    pub(super) fn was_given(&self, robot: &RobotId, held: &Held) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = (robot.clone(), held.fence.token.clone());
        let first = given
            .entry((held.job, held.fence.attempt))
            .or_insert_with(|| ours.clone());
        assert_eq!(
            *first, ours,
            "I3: attempt {} of {} was given twice",
            held.fence.attempt, held.job
        );
    }
}
