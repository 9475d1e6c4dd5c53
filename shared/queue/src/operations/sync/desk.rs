//! What one sync works on, and what it makes of it before anything is written.

use std::collections::BTreeMap;

use domain::{
    Event, Job, JobId, Queue, QueueName, Robot, Timestamp,
    job::{CANCEL_GRACE, State},
    robot::Reservation,
};

use super::{
    fence_of, lease_left, lease_of,
    messages::{LeaseAnswer, LeaseStatus, Listed, SyncRequest},
};
use crate::{codec::Stored, store::Lane};

/// What a sync works on.
pub(super) struct Desk {
    pub(super) now: Timestamp,
    pub(super) robot: Stored<Robot>,
    pub(super) queues: BTreeMap<QueueName, Queue>,
    pub(super) jobs: BTreeMap<JobId, Stored<Job>>,
    /// The jobs that this sync changed.
    pub(super) changed: Vec<JobId>,
    /// The jobs whose version has to move on, so that a claim that is under way fails.
    pub(super) fenced: Vec<JobId>,
    pub(super) leases: Vec<LeaseAnswer>,
    pub(super) given: Vec<Reservation>,
    /// The payloads that were read already.
    pub(super) payloads: BTreeMap<JobId, String>,
}

impl Desk {
    /// Whether the queue of `lane` gives out jobs.
    pub(super) fn is_open(&self, lane: &Lane) -> bool {
        let queue = QueueName::parse(lane.queue()).ok();
        let queue = queue.and_then(|name| self.queues.get(&name));
        queue.is_none_or(|queue| !queue.paused)
    }

    /// Renews what the robot says it works on.
    pub(super) fn renew(&mut self, request: &SyncRequest) {
        for listed in &request.running {
            let answer = self.renew_one(listed);
            self.leases.push(answer);
        }
    }

    fn renew_one(&mut self, listed: &Listed) -> LeaseAnswer {
        let (job, attempt) = (listed.job, listed.fence.attempt);
        let lost = LeaseAnswer {
            job,
            attempt,
            status: LeaseStatus::Lost,
            ttl: None,
            grace: None,
        };
        let Some(stored) = self.jobs.get(&job) else { return lost };
        if stored
            .value
            .state
            .hold()
            .is_none_or(|hold| hold.robot != self.robot.value.id)
        {
            return lost;
        }
        let event = Event::Renew {
            fence: listed.fence.clone(),
            lease: lease_of(&self.queues, &stored.value.spec.queue),
            progress: listed.progress.clone(),
        };
        let Ok(renewed) = stored.value.apply(&event, self.now) else {
            return lost;
        };
        let cancelling = renewed.cancel_requested_at.is_some();
        let answer = LeaseAnswer {
            status: if cancelling {
                LeaseStatus::Cancel
            } else {
                LeaseStatus::Renewed
            },
            ttl: Some(lease_left(&renewed, self.now)),
            grace: cancelling.then_some(CANCEL_GRACE),
            ..lost
        };
        if renewed != stored.value {
            let next = stored.with(renewed);
            self.jobs.insert(job, next);
            self.mark_changed(job);
        }
        answer
    }

    /// Takes down what the robot says of itself.
    pub(super) fn hear(&mut self, request: &SyncRequest) {
        let robot = &mut self.robot.value;
        robot.seq = Some(request.seq);
        robot.mode = request.mode;
        robot.free_slots = request.free_slots;
        robot.seen_at = Some(self.now);
    }

    /// Gives back the slots of jobs that the robot holds no more, and takes one for each that it holds.
    pub(super) fn reconcile(&mut self) {
        let holds = std::mem::take(&mut self.robot.value.holds);
        for hold in holds {
            match self.jobs.get(&hold.job).map(|job| &job.value) {
                Some(job) if job.state.hold().is_some_and(|now| now.is(&fence_of(&hold))) => {
                    self.robot.value.holds.push(hold);
                }
                _ => self.fence(&hold),
            }
        }
    }

    /// Sees to it that the first answer to this sync, which may still be on its way, gives no more than this one does.
    pub(super) fn settle_claims(&mut self) {
        for hold in self.robot.value.answered.clone() {
            self.fence(&hold);
        }
    }

    /// Lets a claim fail that reserved this slot and may still be on its way to the job.
    fn fence(&mut self, hold: &Reservation) {
        let under_way = |job: &Job| job.attempts.given < hold.attempt && !job.state.name().is_terminal();
        if self.jobs.get(&hold.job).is_some_and(|job| under_way(&job.value)) && !self.fenced.contains(&hold.job) {
            self.fenced.push(hold.job);
        }
    }

    /// Gives the robot what a dispatch reserved for it, as far as it has room and the queue is open; the rest goes back.
    pub(super) fn hand_over(&mut self) {
        let takes_jobs = self.robot.value.takes_jobs();
        let mut room = if takes_jobs { self.robot.value.free_slots } else { 0 };
        let holds = std::mem::take(&mut self.robot.value.holds);
        for mut hold in holds {
            let begun = self
                .jobs
                .get(&hold.job)
                .is_some_and(|job| matches!(job.value.state, State::Running { .. }));
            if hold.handed_over || begun {
                hold.handed_over = true;
                self.robot.value.holds.push(hold);
                continue;
            }
            let Some(job) = self.jobs.get(&hold.job) else { continue };
            let fence = fence_of(&hold);
            let paused = self.queues.get(&job.value.spec.queue).is_some_and(|queue| queue.paused);
            let taken = room > 0 && !paused;
            let event = if taken {
                Event::HandOver {
                    fence,
                    lease: lease_of(&self.queues, &job.value.spec.queue),
                }
            } else {
                Event::Release { fence }
            };
            let Ok(next) = job.value.apply(&event, self.now) else {
                continue;
            };
            let next = job.with(next);
            self.jobs.insert(hold.job, next);
            self.mark_changed(hold.job);
            if taken {
                room -= 1;
                hold.handed_over = true;
                self.given.push(hold.clone());
                self.robot.value.holds.push(hold);
            }
        }
        // What is handed over now takes of the slots the robot reported.
        self.robot.value.free_slots = room;
    }

    pub(super) fn settle_robot(&mut self, claimed: &[Stored<Job>]) {
        settle(&mut self.robot.value, &self.given, claimed);
    }

    fn mark_changed(&mut self, job: JobId) {
        if !self.changed.contains(&job) {
            self.changed.push(job);
        }
    }
}

/// Notes on the robot's record what this sync answers with.
pub(super) fn settle(robot: &mut Robot, given: &[Reservation], claimed: &[Stored<Job>]) {
    robot.answered = given.to_vec();
    for hold in &mut robot.holds {
        if claimed.iter().any(|job| job.value.id == hold.job) && !hold.handed_over {
            hold.handed_over = true;
            robot.answered.push(hold.clone());
        }
    }
    robot.free_slots = robot
        .free_slots
        .saturating_sub(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
}
