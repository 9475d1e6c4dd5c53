//! A robot that keeps to the rules.

use domain::{RobotId, job::Outcome, robot::Mode};
use queue::{LeaseStatus, Listed, SyncAnswer, SyncRequest};
use queue_conformance::kit::Held;

/// How many jobs a robot may hold.
pub(super) const MAX_JOBS: u32 = 2;

/// A robot and what it knows.
pub(super) struct Robot {
    pub(super) id: RobotId,
    /// `None` until a session was opened.
    pub(super) epoch: Option<u64>,
    pub(super) seq: u64,
    /// A sync that was not answered.
    pub(super) open: Option<SyncRequest>,
    pub(super) working: Vec<Work>,
}

/// A job that a robot has.
pub(super) struct Work {
    pub(super) held: Held,
    pub(super) begun: bool,
    /// What is to be reported, until that is answered.
    pub(super) done: Option<Outcome>,
}

impl Robot {
    /// The sync that was not answered, if it is to be sent `again`, or a new one.
    pub(super) fn next_sync(&mut self, again: bool) -> Option<SyncRequest> {
        let epoch = self.epoch?;
        if let Some(open) = self.open.clone().filter(|_| again) {
            return Some(open);
        }
        self.seq += 1;
        let working = u32::try_from(self.working.len()).expect("a robot works on few jobs");
        let listed = |work: &Work| Listed {
            job: work.held.job,
            fence: work.held.fence.clone(),
            progress: None,
        };
        Some(SyncRequest {
            epoch,
            seq: self.seq,
            mode: if working == 0 { Mode::Idle } else { Mode::Busy },
            free_slots: MAX_JOBS.saturating_sub(working),
            running: self.working.iter().map(listed).collect(),
        })
    }

    pub(super) fn hear(&mut self, answer: &SyncAnswer) {
        for lease in &answer.leases {
            let of = |work: &Work| work.held.job == lease.job && work.held.fence.attempt == lease.attempt;
            match lease.status {
                LeaseStatus::Renewed => self
                    .working
                    .iter_mut()
                    .filter(|work| of(work))
                    .for_each(|work| work.begun = true),
                // A report that is on its way is sent all the same.
                LeaseStatus::Lost => self.working.retain(|work| !of(work) || work.done.is_some()),
                LeaseStatus::Cancel => {
                    let stopped = self.working.iter_mut().filter(|work| of(work) && work.done.is_none());
                    stopped.for_each(|work| work.done = Some(Outcome::Cancelled));
                }
            }
        }
        for given in &answer.assign {
            let held = Held::from(given);
            if !self.working.iter().any(|work| work.held == held) {
                self.working.push(Work {
                    held,
                    begun: false,
                    done: None,
                });
            }
        }
    }
}
