//! What clients and robots know of a run, from the calls they made and the answers they heard.

use std::time::Duration;

use crate::{
    call::{Answer, Ask, Call, JobNumber, RobotNumber, Shown, Status, Sync, Taken},
    step::{Draft, InTurn, Named, Pick, Step, Wrong},
};

/// After so long whatever was over is removed, and an idempotency key may be used anew.
const RETENTION: Duration = Duration::from_hours(24 * 30);

/// What clients and robots know.
#[derive(Clone, Debug, Default)]
pub struct Book {
    jobs: usize,
    robots: Vec<Known>,
    leases: Vec<Lease>,
    /// Part of each idempotency key: a key is not used again once its job may have been removed.
    era: u32,
}

/// What is known of a robot.
#[derive(Clone, Debug, Default)]
struct Known {
    epoch: u64,
    seq: u64,
    last: Option<Sync>,
}

/// A lease that a robot was told of.
#[derive(Clone, Debug)]
struct Lease {
    robot: RobotNumber,
    job: JobNumber,
    attempt: u32,
    /// Whether the robot knows that it is over.
    over: bool,
}

impl Lease {
    fn shown(&self, right: bool) -> Shown {
        Shown {
            job: self.job,
            attempt: self.attempt,
            right,
        }
    }
}

impl Book {
    /// How many jobs were made.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// The call that `step` means now; `None` when there is nothing of the kind that it picks from.
    pub fn call(&self, step: &Step) -> Option<Call> {
        Some(match step {
            Step::Submit(drafts) => Call::Submit(drafts.iter().map(|draft| self.ask(draft)).collect()),
            Step::Cancel(job) => Call::Cancel(self.job(*job)?),
            Step::Retry(job) => Call::Retry(self.job(*job)?),
            Step::Requeue(job) => Call::Requeue(self.job(*job)?),
            Step::Settle(job, settlement) => Call::Settle(self.job(*job)?, *settlement),
            Step::BulkCancel(filter, dry_run) => Call::BulkCancel(filter.clone(), *dry_run),
            Step::BulkRetry(filter, dry_run) => Call::BulkRetry(filter.clone(), *dry_run),
            Step::SetQueue(queue, paused, lease) => Call::SetQueue(*queue, *paused, *lease),
            Step::List(filter, limit) => Call::List(filter.clone(), *limit),
            Step::DeadLetters => Call::DeadLetters,
            Step::Explain(job) => Call::Explain(self.job(*job)?),
            Step::Stats => Call::Stats,
            Step::Register(profile) => Call::Register(profile.clone()),
            Step::OpenSession(robot, named) => {
                let robot = self.robot(*robot)?;
                Call::OpenSession(robot, self.named(robot, *named))
            }
            Step::Sync {
                robot,
                turn,
                free_slots,
                draining,
                running,
                percent,
            } => {
                let robot = self.robot(*robot)?;
                let next = Sync {
                    epoch: self.robots[robot].epoch,
                    seq: self.robots[robot].seq + 1,
                    free_slots: *free_slots,
                    draining: *draining,
                    running: self.named(robot, *running),
                    percent: *percent,
                };
                Call::Sync(robot, self.in_turn(robot, *turn, next))
            }
            Step::Finish {
                lease,
                how,
                result,
                wrong,
            } => {
                let (robot, shown) = self.lease(*lease, *wrong)?;
                Call::Finish(robot, shown, *how, *result)
            }
            Step::Release { lease, wrong } => {
                let (robot, shown) = self.lease(*lease, *wrong)?;
                Call::Release(robot, shown)
            }
            Step::Log { lease, seq, text } => {
                let (robot, shown) = self.lease(*lease, Wrong::Nothing)?;
                Call::Log(robot, shown, *seq, *text)
            }
            Step::Checkpoint { lease, name, value } => {
                let (robot, shown) = self.lease(*lease, Wrong::Nothing)?;
                Call::Checkpoint(robot, shown, *name, *value)
            }
            Step::Drain(robot, drain) => Call::Drain(self.robot(*robot)?, *drain),
            Step::Remove(robot) => Call::Remove(self.robot(*robot)?),
            Step::Dispatch => Call::Dispatch,
            Step::Sweep => Call::Sweep,
            Step::Pass(time) => Call::Pass(*time),
        })
    }

    /// Takes down what `call` was answered with.
    pub fn hear(&mut self, call: &Call, answer: &Answer) {
        match (call, answer) {
            (_, Answer::Submitted(taken)) => {
                self.jobs += taken.iter().filter(|taken| matches!(taken, Taken::Created(_))).count();
            }
            (_, Answer::Made(_)) => self.jobs += 1,
            (Call::BulkRetry(_, false), Answer::Bulk(_, made)) => {
                self.jobs += usize::try_from(*made).expect("a run makes some hundred jobs");
            }
            (_, Answer::Registered(_)) => self.robots.push(Known::default()),
            (Call::OpenSession(robot, held), Answer::Opened(epoch)) => {
                self.robots[*robot] = Known {
                    epoch: *epoch,
                    seq: 0,
                    last: None,
                };
                for lease in self.leases.iter_mut().filter(|lease| lease.robot == *robot) {
                    lease.over |= !held
                        .iter()
                        .any(|shown| shown.job == lease.job && shown.attempt == lease.attempt);
                }
            }
            (Call::Sync(robot, sync), _) => self.hear_sync(*robot, sync, answer),
            (Call::Finish(_, shown, ..), Answer::Ended(..)) | (Call::Release(_, shown), Answer::State(_)) => {
                self.is_over(shown);
            }
            (Call::Pass(time), _) if *time > RETENTION => self.era += 1,
            _ => {}
        }
    }

    fn hear_sync(&mut self, robot: RobotNumber, sync: &Sync, answer: &Answer) {
        let known = &mut self.robots[robot];
        if sync.epoch == known.epoch && sync.seq > known.seq {
            known.seq = sync.seq;
            known.last = Some(sync.clone());
        }
        let Answer::Synced(told) = answer else { return };
        for (job, attempt, status, _) in &told.leases {
            if *status == Status::Lost {
                self.is_over(&Shown {
                    job: *job,
                    attempt: *attempt,
                    right: true,
                });
            }
        }
        for given in &told.assign {
            let known = |lease: &Lease| lease.job == given.job && lease.attempt == given.attempt;
            if !self.leases.iter().any(known) {
                self.leases.push(Lease {
                    robot,
                    job: given.job,
                    attempt: given.attempt,
                    over: false,
                });
            }
        }
    }

    fn is_over(&mut self, shown: &Shown) {
        for lease in &mut self.leases {
            lease.over |= lease.job == shown.job && lease.attempt == shown.attempt;
        }
    }

    fn ask(&self, draft: &Draft) -> Ask {
        Ask {
            queue: draft.queue,
            workflow: draft.workflow,
            priority: draft.priority,
            delay_seconds: draft.delay_seconds,
            deadline_seconds: draft.deadline_seconds,
            queue_seconds: draft.queue_seconds,
            run_seconds: draft.run_seconds,
            max_attempts: draft.max_attempts,
            backoff_seconds: draft.backoff_seconds,
            on_lost: draft.on_lost(),
            capability: draft.capability,
            robot: draft.robot.and_then(|robot| self.robot(robot)),
            dedup: draft.dedup.map(|(key, choice)| (key, Draft::on_conflict(choice))),
            idempotency: draft
                .idempotency
                .map(|(key, digest)| (format!("key-{key}-{}", self.era), digest)),
            payload: draft.payload,
        }
    }

    fn job(&self, pick: Pick) -> Option<JobNumber> {
        back(self.jobs, pick)
    }

    fn robot(&self, pick: Pick) -> Option<RobotNumber> {
        back(self.robots.len(), pick)
    }

    fn lease(&self, pick: Pick, wrong: Wrong) -> Option<(RobotNumber, Shown)> {
        let lease = &self.leases[back(self.leases.len(), pick)?];
        let robot = if wrong == Wrong::Robot {
            (lease.robot + 1) % self.robots.len()
        } else {
            lease.robot
        };
        Some((robot, lease.shown(wrong != Wrong::Token)))
    }

    fn named(&self, robot: RobotNumber, named: Named) -> Vec<Shown> {
        let mut own = self.leases.iter().filter(|lease| lease.robot == robot);
        match named {
            Named::None => Vec::new(),
            Named::Held => own.filter(|lease| !lease.over).map(|lease| lease.shown(true)).collect(),
            Named::Newest => own.next_back().map(|lease| lease.shown(true)).into_iter().collect(),
            Named::Ever => own.map(|lease| lease.shown(true)).collect(),
        }
    }

    fn in_turn(&self, robot: RobotNumber, turn: InTurn, next: Sync) -> Sync {
        let known = &self.robots[robot];
        match (turn, &known.last) {
            (InTurn::Again, Some(last)) => last.clone(),
            (InTurn::Stale, Some(last)) => Sync {
                seq: last.seq.saturating_sub(1),
                ..next
            },
            (InTurn::OldSession, _) => Sync {
                epoch: known.epoch.saturating_sub(1),
                ..next
            },
            _ => next,
        }
    }
}

/// The place that is `pick` back from the newest of `count`.
fn back(count: usize, pick: Pick) -> Option<usize> {
    (count > 0).then(|| count - 1 - pick % count)
}
