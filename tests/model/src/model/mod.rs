//! The contract as a handful of plain rules over plain maps, written from its text: no store, no versions, no indexes.

mod clients;
mod ids;
mod job;
mod matching;
mod robots;

use std::{collections::BTreeMap, time::Duration};

use domain::job::StateName;

use self::{
    job::{Job, Phase},
    robots::Robot,
};
use crate::call::{Answer, CALL_TAKES, Call, JobNumber, QUEUES, Refused, RobotNumber, View};

/// How long what is over is kept.
const RETENTION: Duration = Duration::from_hours(24 * 30);

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now: Duration,
    /// A job that was removed is `None`.
    jobs: Vec<Option<Job>>,
    /// A robot that was removed is `None`.
    robots: Vec<Option<Robot>>,
    /// By their place among the names.
    queues: BTreeMap<usize, Queue>,
    logs: BTreeMap<(JobNumber, u32), Vec<u8>>,
    /// By job, attempt and name.
    checkpoints: BTreeMap<(JobNumber, u32, u8), u8>,
}

#[derive(Clone, Debug)]
struct Queue {
    paused: bool,
    lease: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            paused: false,
            lease: Duration::from_mins(1),
        }
    }
}

type Answered = Result<Answer, Refused>;

impl Model {
    /// What the contract answers.
    pub fn call(&mut self, call: &Call) -> Answer {
        let answer = self.make(call).unwrap_or_else(Answer::Refused);
        self.now += CALL_TAKES;
        answer
    }

    fn make(&mut self, call: &Call) -> Answered {
        match call {
            Call::Submit(asks) => Ok(self.submit(asks)),
            Call::Cancel(job) => self.cancel(*job),
            Call::Retry(job) => self.retry(*job, false),
            Call::Requeue(job) => self.retry(*job, true),
            Call::Settle(job, settlement) => self.settle(*job, *settlement),
            Call::BulkCancel(filter, dry_run) => Ok(self.bulk_cancel(filter, *dry_run)),
            Call::BulkRetry(filter, dry_run) => Ok(self.bulk_retry(filter, *dry_run)),
            Call::SetQueue(queue, paused, lease_seconds) => {
                let queue = self.queues.entry(*queue).or_default();
                queue.paused = paused.unwrap_or(queue.paused);
                queue.lease = lease_seconds.map_or(queue.lease, |lease| Duration::from_secs(u64::from(lease)));
                Ok(Answer::Done)
            }
            Call::List(filter, _) => Ok(Answer::Jobs(self.newest_first(|job| self.meets(filter, job)))),
            Call::DeadLetters => Ok(Answer::Jobs(self.newest_first(Job::is_dead_letter))),
            Call::Explain(job) => self.explain(*job),
            Call::Stats => Ok(self.stats()),
            Call::Register(profile) => Ok(self.register(profile)),
            Call::OpenSession(robot, holding) => self.open_session(*robot, holding),
            Call::Sync(robot, sync) => self.sync(*robot, sync),
            Call::Finish(robot, shown, how, result) => self.finish(*robot, shown, *how, *result),
            Call::Release(robot, shown) => self.release(*robot, shown),
            Call::Log(_, shown, seq, text) => self.log(shown, *seq, *text),
            Call::Checkpoint(_, shown, name, value) => self.checkpoint(shown, *name, *value),
            Call::Drain(robot, drain) => {
                self.robot_mut(*robot)?.drain = *drain;
                Ok(Answer::Done)
            }
            Call::Remove(robot) => self.remove(*robot),
            Call::Dispatch => Ok(self.dispatch()),
            Call::Sweep => Ok(self.sweep()),
            Call::Pass(time) => {
                self.now += *time;
                Ok(Answer::Done)
            }
        }
    }

    /// Timers fire until none is due, and what has been over for long enough goes.
    fn sweep(&mut self) -> Answer {
        let (now, [mut ready, mut lost, mut retried, mut ended]) = (self.now, [0; 4]);
        for job in self.jobs.iter_mut().flatten() {
            // A job that became ready too late may have waited too long by then.
            while job.is_due(now) {
                let was_held = matches!(job.phase, Phase::Leased { .. } | Phase::Running { .. });
                job.tick(now);
                match job.state() {
                    StateName::Ready => (ready, lost) = (ready + 1, lost + u64::from(was_held)),
                    StateName::Scheduled => retried += 1,
                    _ => ended += 1,
                }
            }
        }
        for place in &mut self.jobs {
            let expired = |job: &Job| matches!(job.phase, Phase::Ended { at, .. } if at + RETENTION <= now);
            if place.as_ref().is_some_and(expired) {
                *place = None;
            }
        }
        Answer::Swept([ready, lost, retried, ended])
    }

    fn stats(&self) -> Answer {
        let count = |queue: usize, state| {
            let counted = |job: &&Job| job.ask.queue == queue && job.state() == state;
            self.jobs.iter().flatten().filter(counted).count() as u64
        };
        let states = [
            StateName::Scheduled,
            StateName::Ready,
            StateName::Leased,
            StateName::Running,
        ];
        let of = |queue: &usize| (QUEUES[*queue].to_owned(), states.map(|state| count(*queue, state)));
        Answer::Counted(self.queues.keys().map(of).collect())
    }

    /// Everything that anybody can see.
    pub fn view(&self) -> View {
        View {
            jobs: self.jobs.iter().flatten().map(Job::row).collect(),
            robots: self
                .robots
                .iter()
                .enumerate()
                .filter_map(|(number, robot)| Some(robot.as_ref()?.row(number, self.now)))
                .collect(),
        }
    }

    fn job(&self, number: JobNumber) -> Result<&Job, Refused> {
        self.jobs[number].as_ref().ok_or(Refused::NotFound)
    }

    fn job_mut(&mut self, number: JobNumber) -> Result<&mut Job, Refused> {
        self.jobs[number].as_mut().ok_or(Refused::NotFound)
    }

    fn robot_mut(&mut self, number: RobotNumber) -> Result<&mut Robot, Refused> {
        self.robots[number].as_mut().ok_or(Refused::NotFound)
    }

    fn lease_of(&self, queue: usize) -> Duration {
        self.queues.get(&queue).cloned().unwrap_or_default().lease
    }

    fn is_paused(&self, queue: usize) -> bool {
        self.queues.get(&queue).is_some_and(|queue| queue.paused)
    }
}
