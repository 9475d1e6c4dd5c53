//! Which robot gets which job.

use std::{cmp::Reverse, time::Duration};

use domain::job::StateName;

use super::{Model, job::Job, robots::Robot};
use crate::call::{Answer, JobNumber, RobotNumber};

impl Model {
    /// Ready jobs of open queues that somebody of interest fits, the first to go first.
    pub(super) fn candidates(&self, fits: impl Fn(&Job) -> bool) -> Vec<JobNumber> {
        let ready = |job: &&Job| job.state() == StateName::Ready && !self.is_paused(job.ask.queue) && fits(job);
        let mut ready: Vec<&Job> = self.jobs.iter().flatten().filter(ready).collect();
        ready.sort_by_key(|job| (Reverse(job.ask.priority), job.queued, job.id));
        ready.into_iter().map(|job| job.number).collect()
    }

    pub(super) fn give(&mut self, number: JobNumber, to: RobotNumber, robot: &mut Robot, told: bool) {
        let now = self.now;
        let Some(lease) = self.jobs[number].as_ref().map(|job| self.lease_of(job.ask.queue)) else {
            return;
        };
        let Some(job) = self.jobs[number].as_mut() else { return };
        job.lease(to, lease, now);
        robot.slots.push((number, job.given, told));
        robot.assigned = Some(now);
        if told {
            robot.answered.push((number, job.given));
        }
    }

    /// Reserves ready jobs for robots that are about to ask, each for the least loaded that fits.
    pub(super) fn dispatch(&mut self) -> Answer {
        let now = self.now;
        let about = |robot: &Robot| robot.free() > 0 && robot.is_about_to_ask(now);
        let mut fleet: Vec<(RobotNumber, Robot, u32)> = self
            .robots
            .iter()
            .enumerate()
            .filter_map(|(number, robot)| Some((number, robot.clone().filter(about)?, 0)))
            .collect();
        let slots: u32 = fleet.iter().map(|(_, robot, _)| robot.free()).sum();
        let offered = self.candidates(|job| fleet.iter().any(|(number, robot, _)| robot.fits(*number, job)));
        let before: Vec<Option<Duration>> = fleet.iter().map(|(_, robot, _)| robot.assigned).collect();
        let mut assigned = 0;
        for number in offered.into_iter().take(slots as usize) {
            let Some(job) = self.jobs[number].as_ref().filter(|job| !job.is_due(now)) else {
                continue;
            };
            let load = |robot: &Robot| u64::from(robot.held()) * 1_000_000 / u64::from(robot.profile.max_jobs);
            let fit = fleet
                .iter()
                .enumerate()
                .filter(|(_, (to, robot, _))| robot.free() > 0 && robot.fits(*to, job));
            // The least loaded, then the one that was given least, then the one that waited longest, then the newest.
            let best =
                fit.min_by_key(|(place, (to, robot, given))| (load(robot), *given, before[*place], Reverse(*to)));
            let Some(place) = best.map(|(place, _)| place) else {
                continue;
            };
            let (to, mut robot, given) = fleet[place].clone();
            self.give(number, to, &mut robot, false);
            fleet[place] = (to, robot, given + 1);
            assigned += 1;
        }
        for (number, robot, _) in fleet {
            self.robots[number] = Some(robot);
        }
        Answer::Dispatched(assigned)
    }
}
