//! One attempt in the book: how far it has come, and until when it is ours.

use std::time::{Duration, Instant};

use super::Exchange;
use crate::protocol::{Assignment, JobKey, Lease, LeaseAnswer, Progress};

/// How long the server is given to time out a job that this robot stopped for its run timeout, before the robot says so
/// itself: its sweep runs each minute.
const OVERRUN_PATIENCE: Duration = Duration::from_mins(3);

#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease_token: String,
    pub(super) lease_until: Instant,
    pub(super) lease_ttl: Duration,
    pub(super) progress: Option<Progress>,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Handed to this robot, not started; `listed` once a sync has named it as running.
    Assigned {
        assignment: Box<Assignment>,
        listed: bool,
    },
    Running,
    /// Told to stop because the server cancels it.
    Cancelling,
    /// Told to stop because it is no longer ours; `renewed` if the server said otherwise since.
    Abandoning {
        renewed: bool,
    },
    /// Stopped for its run timeout, its ending left to the server.
    Overrun {
        since: Instant,
    },
    /// Over; its finish is on its way.
    Reporting,
}

impl Held {
    pub(super) fn lease(&self, key: &JobKey) -> Lease {
        Lease {
            key: key.clone(),
            lease_token: self.lease_token.clone(),
        }
    }

    pub(super) fn extend(&mut self, lease: &LeaseAnswer, at: Exchange) {
        if let Some(ttl_ms) = lease.ttl_ms {
            self.lease_ttl = Duration::from_millis(ttl_ms);
            self.lease_until = at.first_sent + self.lease_ttl;
        }
    }

    pub(super) fn is_unlisted(&self) -> bool {
        matches!(self.phase, Phase::Assigned { listed: false, .. })
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Assigned { .. } | Phase::Running => Some(self.lease_until),
            Phase::Overrun { since } => Some(since + OVERRUN_PATIENCE),
            // Being stopped already, or over: the end of the lease changes nothing here.
            Phase::Cancelling | Phase::Abandoning { .. } | Phase::Reporting => None,
        }
    }
}
