//! What clients and operators ask for.

use std::{cmp::Reverse, time::Duration};

use domain::{
    explain::ObstacleCode,
    job::{OnConflict, Reason, Settlement, StateName},
};

use super::{
    Answered, Model, ids,
    job::{Job, Phase},
};
use crate::call::{Answer, Ask, Filter, JobNumber, Refused, Taken};

impl Model {
    pub(super) fn submit(&mut self, asks: &[Ask]) -> Answer {
        for ask in asks {
            self.queues.entry(ask.queue).or_default();
        }
        Answer::Submitted(
            asks.iter()
                .zip(0..)
                .map(|(ask, place)| self.take_in(ask, place))
                .collect(),
        )
    }

    /// Takes in the job at `place` of a request.
    fn take_in(&mut self, ask: &Ask, place: u64) -> Taken {
        if let Some((key, digest)) = &ask.idempotency {
            let same_key = |job: &&Job| job.ask.idempotency.as_ref().is_some_and(|(other, _)| other == key);
            if let Some(job) = self.jobs.iter().flatten().find(same_key) {
                let same = job.ask.idempotency.as_ref().is_some_and(|(_, other)| other == digest);
                return if same {
                    Taken::Replayed(job.number)
                } else {
                    Taken::Conflict(job.number)
                };
            }
        }
        if let Some((key, on_conflict)) = ask.dedup {
            let now = self.now;
            let holds_key = |job: &&mut Job| {
                !job.is_over() && job.ask.queue == ask.queue && job.ask.dedup.is_some_and(|(other, _)| other == key)
            };
            if let Some(holder) = self.jobs.iter_mut().flatten().find(holds_key) {
                let waits = matches!(holder.phase, Phase::Scheduled { .. } | Phase::Ready { .. });
                match on_conflict {
                    OnConflict::Reject => return Taken::Duplicate(holder.number),
                    OnConflict::Replace if waits => holder.end(StateName::Cancelled, Some(Reason::Replaced), now),
                    OnConflict::Replace | OnConflict::Return => return Taken::Returned(holder.number),
                }
            }
        }
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let created = self.now + Duration::from_micros(place);
        let run_at = ask.delay_seconds.map(|delay| self.now + seconds(delay));
        let deadline = ask.deadline_seconds.map(|soon| self.now + seconds(soon));
        Taken::Created(self.make_job(ask.clone(), created, run_at, deadline, None))
    }

    fn make_job(
        &mut self,
        ask: Ask,
        created: Duration,
        run_at: Option<Duration>,
        deadline: Option<Duration>,
        retry_of: Option<JobNumber>,
    ) -> JobNumber {
        let number = self.jobs.len();
        let id = ask
            .idempotency
            .as_ref()
            .map_or_else(|| ids::drawn(created, number), |(key, _)| ids::derived(key));
        let phase = run_at.map_or(Phase::Ready { since: created }, |until| Phase::Scheduled { until });
        let mut job = Job {
            number,
            ask,
            id,
            retry_of,
            created,
            deadline,
            queued: run_at.unwrap_or(created),
            phase,
            reason: None,
            hold: None,
            given: 0,
            started: 0,
            lost: 0,
            unstarted: 0,
            cancel_requested: None,
            percent: None,
            error: None,
            result: None,
            settled: None,
            reports: Vec::new(),
            steps: Vec::new(),
        };
        job.go(phase, None);
        self.jobs.push(Some(job));
        number
    }

    pub(super) fn cancel(&mut self, number: JobNumber) -> Answered {
        let now = self.now;
        let job = self.job_mut(number)?;
        match job.phase {
            Phase::Ended {
                state: StateName::Cancelled,
                ..
            } => {}
            Phase::Ended { .. } => return Err(Refused::Finished),
            Phase::Running { .. } => {
                job.cancel_requested.get_or_insert(now);
            }
            _ => {
                job.end(StateName::Cancelled, Some(Reason::CancelledByClient), now);
                job.cancel_requested = Some(now);
            }
        }
        Ok(Answer::State(job.state()))
    }

    pub(super) fn retry(&mut self, number: JobNumber, only_dead: bool) -> Answered {
        let job = self.job(number)?;
        if only_dead && !job.is_dead_letter() {
            return Err(Refused::NoDeadLetter);
        }
        if !job.is_over() || job.state() == StateName::Succeeded {
            return Err(Refused::NotReady);
        }
        let ask = Ask {
            dedup: None,
            idempotency: None,
            delay_seconds: None,
            ..job.ask.clone()
        };
        let deadline = job.deadline.filter(|deadline| *deadline > self.now);
        let made = self.make_job(ask, self.now, None, deadline, Some(number));
        let job = self.job_mut(number)?;
        if job.is_dead_letter() {
            job.settled = Some(Settlement::Requeued);
        }
        Ok(Answer::Made(made))
    }

    pub(super) fn settle(&mut self, number: JobNumber, settlement: Settlement) -> Answered {
        let job = self.job_mut(number)?;
        if !job.is_dead_letter() {
            return Err(Refused::NoDeadLetter);
        }
        job.settled = Some(settlement);
        Ok(Answer::State(job.state()))
    }

    pub(super) fn bulk_cancel(&mut self, filter: &Filter, dry_run: bool) -> Answer {
        let met = self.newest_first(|job| self.meets(filter, job));
        let mut changed = 0;
        for number in met.iter().filter(|_| !dry_run) {
            let asked_before = self
                .job(*number)
                .is_ok_and(|job| job.cancel_requested.is_some() || job.is_over());
            changed += u64::from(!asked_before && self.cancel(*number).is_ok());
        }
        Answer::Bulk(met.len() as u64, changed)
    }

    pub(super) fn bulk_retry(&mut self, filter: &Filter, dry_run: bool) -> Answer {
        let met = self.newest_first(|job| self.meets(filter, job));
        let mut changed = 0;
        for number in met.iter().filter(|_| !dry_run) {
            let dealt_with = self.job(*number).is_ok_and(|job| job.settled.is_some());
            changed += u64::from(!dealt_with && self.retry(*number, false).is_ok());
        }
        Answer::Bulk(met.len() as u64, changed)
    }

    pub(super) fn meets(&self, filter: &Filter, job: &Job) -> bool {
        let robot = filter.robot.filter(|robot| *robot < self.robots.len());
        filter.state.is_none_or(|state| job.state() == state)
            && filter.queue.is_none_or(|queue| job.ask.queue == queue)
            && filter.workflow.is_none_or(|workflow| job.ask.workflow == workflow)
            && robot.is_none_or(|robot| job.hold.as_ref().is_some_and(|hold| hold.robot == robot))
    }

    pub(super) fn newest_first(&self, meets: impl Fn(&Job) -> bool) -> Vec<JobNumber> {
        let mut met: Vec<&Job> = self.jobs.iter().flatten().filter(|job| meets(job)).collect();
        met.sort_by_key(|job| Reverse((job.created, job.id)));
        met.into_iter().map(|job| job.number).collect()
    }

    pub(super) fn explain(&self, number: JobNumber) -> Answered {
        let job = self.job(number)?;
        let mut reasons = vec![match job.phase {
            Phase::Scheduled { .. } => ObstacleCode::NotBefore,
            Phase::Ready { .. } => self.waits_for(job),
            Phase::Leased { .. } => ObstacleCode::WaitingForRobot,
            Phase::Running { .. } => ObstacleCode::Running,
            Phase::Ended { .. } => ObstacleCode::Finished,
        }];
        if self.is_paused(job.ask.queue) {
            match job.phase {
                Phase::Scheduled { .. } => reasons.push(ObstacleCode::QueuePaused),
                Phase::Ready { .. } => reasons.insert(0, ObstacleCode::QueuePaused),
                _ => {}
            }
        }
        Ok(Answer::Explained(reasons))
    }

    fn waits_for(&self, job: &Job) -> ObstacleCode {
        let serving = |(_, robot): &(usize, &super::Robot)| {
            robot.is_online(self.now) && robot.profile.queues.contains(&job.ask.queue)
        };
        let robots = self
            .robots
            .iter()
            .enumerate()
            .filter_map(|(number, robot)| Some((number, robot.as_ref()?)));
        let serving: Vec<_> = robots.filter(serving).collect();
        let mut fit = serving
            .iter()
            .filter(|(number, robot)| robot.fits(*number, job))
            .peekable();
        if serving.is_empty() {
            ObstacleCode::NoRobotOnline
        } else if fit.peek().is_none() {
            ObstacleCode::NoCapableRobot
        } else if fit.any(|(_, robot)| robot.could_take()) {
            ObstacleCode::WaitingForRobot
        } else {
            ObstacleCode::AllRobotsBusy
        }
    }
}
