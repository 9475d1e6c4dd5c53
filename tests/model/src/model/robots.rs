//! What robots ask for and report, and what is matched with them.

use std::time::Duration;

use domain::{
    job::{Reason, StateName},
    robot::RobotState,
};

use super::{
    Answered, Model,
    job::{Job, Phase},
};
use crate::call::{Answer, Given, How, JobNumber, Profile, Refused, RobotNumber, RobotRow, Shown, Status, Sync, Told};

/// A robot is offline after so long a silence.
const OFFLINE_AFTER: Duration = Duration::from_mins(2);

/// When an idle robot syncs next with nothing in sight, and while work waits for it.
const IDLE_SYNC: Duration = Duration::from_secs(30);
const BUSY_SYNC: Duration = Duration::from_secs(5);

/// A robot.
#[derive(Clone, Debug)]
pub(crate) struct Robot {
    pub(crate) profile: Profile,
    pub(crate) drain: bool,
    seen: Duration,
    epoch: u64,
    last: Option<Sync>,
    free_slots: u32,
    expected: Option<Duration>,
    pub(super) assigned: Option<Duration>,
    /// What takes of its slots until its next sync: the job, the attempt, and whether the robot was told.
    pub(super) slots: Vec<(JobNumber, u32, bool)>,
    /// What the last sync gave it.
    pub(super) answered: Vec<(JobNumber, u32)>,
}

impl Robot {
    pub(crate) fn is_online(&self, now: Duration) -> bool {
        now < self.seen + OFFLINE_AFTER
    }

    pub(crate) fn fits(&self, number: RobotNumber, job: &Job) -> bool {
        self.profile.queues.contains(&job.ask.queue)
            && job.ask.robot.is_none_or(|robot| robot == number)
            && job
                .ask
                .capability
                .is_none_or(|wanted| self.profile.capability == Some(wanted))
    }

    fn takes_jobs(&self) -> bool {
        !self.drain && !self.last.as_ref().is_some_and(|sync| sync.draining)
    }

    pub(super) fn held(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("a robot has few slots")
    }

    pub(super) fn free(&self) -> u32 {
        let untold = self.slots.iter().filter(|(.., told)| !told).count();
        let said = self
            .free_slots
            .saturating_sub(u32::try_from(untold).expect("a robot has few slots"));
        if self.takes_jobs() {
            said.min(self.profile.max_jobs.saturating_sub(self.held()))
        } else {
            0
        }
    }

    pub(crate) fn could_take(&self) -> bool {
        self.takes_jobs() && self.held() < self.profile.max_jobs && (self.last.is_none() || self.free_slots > 0)
    }

    /// Whether it is expected within the shortest interval, and is not overdue by as much.
    pub(super) fn is_about_to_ask(&self, now: Duration) -> bool {
        self.expected
            .is_some_and(|at| at <= now + BUSY_SYNC && now <= at + BUSY_SYNC)
    }

    pub(crate) fn row(&self, number: RobotNumber, now: Duration) -> RobotRow {
        let busy = self.last.as_ref().is_some_and(|sync| !sync.running.is_empty()) || !self.slots.is_empty();
        let state = match (self.is_online(now), self.takes_jobs(), busy) {
            (false, ..) => RobotState::Offline,
            (_, false, _) => RobotState::Draining,
            (.., true) => RobotState::Busy,
            (.., false) => RobotState::Idle,
        };
        RobotRow {
            number,
            state,
            epoch: self.epoch,
            drain: self.drain,
        }
    }
}

impl Model {
    pub(super) fn register(&mut self, profile: &Profile) -> Answer {
        for queue in &profile.queues {
            self.queues.entry(*queue).or_default();
        }
        self.robots.push(Some(Robot {
            profile: profile.clone(),
            drain: false,
            seen: self.now,
            epoch: 0,
            last: None,
            free_slots: 0,
            expected: None,
            assigned: None,
            slots: Vec::new(),
            answered: Vec::new(),
        }));
        Answer::Registered(self.robots.len() - 1)
    }

    pub(super) fn open_session(&mut self, number: RobotNumber, holding: &[Shown]) -> Answered {
        let now = self.now;
        let robot = self.robot_mut(number)?;
        robot.epoch += 1;
        (robot.last, robot.free_slots, robot.expected, robot.seen) = (None, 0, None, now);
        robot.answered.clear();
        let epoch = robot.epoch;
        let is_held = |slot: &(JobNumber, u32, bool)| {
            holding
                .iter()
                .any(|shown| shown.right && (shown.job, shown.attempt) == (slot.0, slot.1))
        };
        let gone: Vec<_> = robot.slots.iter().filter(|slot| !is_held(slot)).copied().collect();
        self.lose(&gone, Reason::RobotRestarted);
        Ok(Answer::Opened(epoch))
    }

    pub(super) fn remove(&mut self, number: RobotNumber) -> Answered {
        let robot = self.robots[number].take().ok_or(Refused::NotFound)?;
        self.lose(&robot.slots, Reason::LeaseLost);
        Ok(Answer::Done)
    }

    fn lose(&mut self, slots: &[(JobNumber, u32, bool)], reason: Reason) {
        let now = self.now;
        for (job, attempt, _) in slots {
            if let Ok(job) = self.job_mut(*job)
                && job.is_held_by(&Shown {
                    job: job.number,
                    attempt: *attempt,
                    right: true,
                })
            {
                job.lose(reason, now);
            }
        }
    }

    pub(super) fn sync(&mut self, number: RobotNumber, sync: &Sync) -> Answered {
        let robot = self.robot_mut(number)?;
        if sync.epoch != robot.epoch || robot.epoch == 0 {
            return Err(Refused::Superseded);
        }
        let latest = robot.last.as_ref().map(|last| last.seq);
        if latest.is_some_and(|latest| sync.seq < latest) {
            return Err(Refused::Stale);
        }
        let leases = sync
            .running
            .iter()
            .map(|shown| self.renew(number, shown, sync.percent))
            .collect();
        if latest != Some(sync.seq) {
            self.hear(number, sync);
        }
        let drain = self.robot_mut(number)?.drain;
        Ok(Answer::Synced(Told {
            leases,
            assign: self.assignments(number),
            drain,
        }))
    }

    fn renew(
        &mut self,
        number: RobotNumber,
        shown: &Shown,
        percent: Option<u8>,
    ) -> (JobNumber, u32, Status, Option<Duration>) {
        let now = self.now;
        let lost = (shown.job, shown.attempt, Status::Lost, None);
        let Ok(queue) = self.job(shown.job).map(|job| job.ask.queue) else {
            return lost;
        };
        let lease = self.lease_of(queue);
        let Ok(job) = self.job_mut(shown.job) else { return lost };
        if job.hold.as_ref().is_none_or(|hold| hold.robot != number) || !job.renew(shown, lease, percent, now) {
            return lost;
        }
        let status = if job.cancel_requested.is_some() {
            Status::Cancel
        } else {
            Status::Renewed
        };
        (shown.job, shown.attempt, status, Some(job.lease_left(now)))
    }

    /// A new sync: takes down what the robot says, gives back slots, hands over what was reserved and finds more.
    fn hear(&mut self, number: RobotNumber, sync: &Sync) {
        let now = self.now;
        let Some(mut robot) = self.robots[number].clone() else {
            return;
        };
        (robot.last, robot.free_slots, robot.seen) = (Some(sync.clone()), sync.free_slots, now);
        robot.slots.retain(|(job, attempt, _)| {
            self.job(*job).is_ok_and(|it| {
                it.is_held_by(&Shown {
                    job: *job,
                    attempt: *attempt,
                    right: true,
                })
            })
        });
        self.hand_over(&mut robot);
        let candidates = self.candidates(|job| robot.free() > 0 && robot.fits(number, job));
        let lease = robot
            .slots
            .iter()
            .filter_map(|(job, ..)| Some(self.lease_of(self.job(*job).ok()?.ask.queue)))
            .min();
        let idle = if candidates.is_empty() { IDLE_SYNC } else { BUSY_SYNC };
        robot.expected = Some(now + lease.map_or(idle, |lease| idle.min(lease / 4)));
        let free = robot.free() as usize;
        let offered = candidates.into_iter().take(2 * free);
        let claimable: Vec<JobNumber> = offered
            .filter(|job| self.job(*job).is_ok_and(|job| !job.is_due(now)))
            .take(free)
            .collect();
        for job in claimable {
            self.give(job, number, &mut robot, true);
            robot.free_slots -= 1;
        }
        self.robots[number] = Some(robot);
    }

    fn hand_over(&mut self, robot: &mut Robot) {
        let now = self.now;
        let mut room = if robot.takes_jobs() { robot.free_slots } else { 0 };
        robot.answered.clear();
        for (number, attempt, told) in std::mem::take(&mut robot.slots) {
            let Ok(queue) = self.job(number).map(|job| job.ask.queue) else {
                continue;
            };
            let (lease, paused) = (self.lease_of(queue), self.is_paused(queue));
            let Ok(job) = self.job_mut(number) else { continue };
            if told || matches!(job.phase, Phase::Running { .. }) {
                robot.slots.push((number, attempt, true));
            } else if room > 0 && !paused {
                room -= 1;
                job.phase = Phase::Leased { ends: now + lease };
                robot.slots.push((number, attempt, true));
                robot.answered.push((number, attempt));
            } else {
                job.go(Phase::Ready { since: now }, Some(Reason::Released));
            }
        }
        robot.free_slots = room;
    }

    fn assignments(&self, number: RobotNumber) -> Vec<Given> {
        let answered = self.robots[number]
            .as_ref()
            .map(|robot| robot.answered.clone())
            .unwrap_or_default();
        let given = |(number, attempt): (JobNumber, u32)| {
            let job = self.job(number).ok().filter(|job| job.given == attempt)?;
            let mut checkpoints = std::collections::BTreeMap::new();
            for ((of, by, name), value) in &self.checkpoints {
                if *of == number && *by < attempt {
                    checkpoints.insert(*name, *value);
                }
            }
            Some(Given {
                job: number,
                attempt,
                ttl: job.lease_left(self.now),
                payload: job.ask.payload,
                checkpoints: checkpoints.into_iter().collect(),
            })
        };
        answered.into_iter().filter_map(given).collect()
    }

    pub(super) fn finish(&mut self, robot: RobotNumber, shown: &Shown, how: How, result: Option<u8>) -> Answered {
        let now = self.now;
        let job = self.job_mut(shown.job)?;
        let its_own = job.is_latest(shown);
        if its_own && job.hold.as_ref().is_some_and(|hold| hold.robot != robot) {
            return Err(Refused::WrongRobot);
        }
        if let Some(report) = job
            .reports
            .iter()
            .find(|report| shown.right && report.attempt == shown.attempt)
        {
            let same = report.said == (how, result);
            return if same {
                Ok(Answer::Ended(report.answer, true))
            } else {
                Err(Refused::OutcomeConflict)
            };
        }
        if job.is_over() || !its_own {
            return Err(Refused::LeaseLost);
        }
        Ok(Answer::Ended(job.finish(how, result, now), false))
    }

    pub(super) fn release(&mut self, robot: RobotNumber, shown: &Shown) -> Answered {
        let now = self.now;
        let job = self.job_mut(shown.job)?;
        let Some(hold) = job.hold.as_ref().filter(|_| job.is_latest(shown)) else {
            return Err(Refused::LeaseLost);
        };
        if hold.robot != robot {
            return Err(Refused::WrongRobot);
        }
        if hold.begun.is_some() {
            return Err(Refused::AlreadyStarted);
        }
        match job.phase {
            Phase::Leased { .. } => job.go(Phase::Ready { since: now }, Some(Reason::Released)),
            Phase::Ended { .. } => return Err(Refused::LeaseLost),
            _ => {}
        }
        Ok(Answer::State(StateName::Ready))
    }

    /// The attempt is the latest, nobody has reported its end, and the job goes on.
    fn may_note(&self, shown: &Shown) -> Result<(), Refused> {
        let job = self.job(shown.job)?;
        let reported = job.reports.iter().any(|report| report.attempt == shown.attempt);
        if job.is_over() || !job.is_latest(shown) || reported {
            Err(Refused::LeaseLost)
        } else {
            Ok(())
        }
    }

    pub(super) fn log(&mut self, shown: &Shown, seq: u32, text: u8) -> Answered {
        self.may_note(shown)?;
        let log = self.logs.entry((shown.job, shown.attempt)).or_default();
        match log.get(seq as usize) {
            Some(there) if *there != text => return Err(Refused::ChunkConflict),
            Some(_) => {}
            None if log.len() == seq as usize => log.push(text),
            None => {
                return Err(Refused::LogGap(
                    u32::try_from(log.len()).expect("a log of a run is short"),
                ));
            }
        }
        Ok(Answer::Done)
    }

    pub(super) fn checkpoint(&mut self, shown: &Shown, name: u8, value: u8) -> Answered {
        self.may_note(shown)?;
        self.checkpoints.insert((shown.job, shown.attempt, name), value);
        Ok(Answer::Done)
    }
}
