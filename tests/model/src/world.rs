//! The operations on a store: makes a call and gives the answer by numbers.

mod robots;
mod rows;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    JobId, JobSpec, LeaseToken, Rejection, RobotId, TenantName, Timestamp,
    job::{Dedup, Priority},
    robot::SyncRejection,
};
use queue::{
    Idempotency, JobFilter, JobView, NewRobot, QueueChange, Refusal, Store, Submission, SubmitError, Submitted,
    SubmittedHow,
};
use queue_conformance::{
    audit,
    kit::{Kit, client, new_robot, queue, submission, words, workflow},
};

use crate::call::{
    Answer, Ask, CALL_TAKES, CAPABILITIES, Call, Filter, JobNumber, Profile, QUEUES, Refused, RobotNumber, Taken,
    WORKFLOWS,
};

/// An engine on a store, and the numbers of what it made.
pub struct World {
    kit: Kit,
    began: Timestamp,
    jobs: Vec<JobId>,
    robots: Vec<RobotId>,
    tokens: BTreeMap<(JobNumber, u32), LeaseToken>,
}

type Answered = Result<Answer, Refusal>;

impl World {
    /// A world on `store`, fresh and empty, whose chance comes from `seed`.
    pub fn new(store: Arc<dyn Store>, seed: u64) -> Self {
        let kit = Kit::seeded(store, seed);
        let began = kit.now();
        Self {
            kit,
            began,
            jobs: Vec::new(),
            robots: Vec::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// What the calls are made on.
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// Makes `call`.
    pub async fn call(&mut self, call: &Call) -> Answer {
        let answer = self
            .make(call)
            .await
            .unwrap_or_else(|refusal| Answer::Refused(refused(&refusal)));
        self.kit.pass(CALL_TAKES);
        answer
    }

    async fn make(&mut self, call: &Call) -> Answered {
        let (engine, tenant) = (self.kit.engine.clone(), self.kit.tenant.clone());
        Ok(match call {
            Call::Submit(asks) => return self.submit(asks).await,
            Call::Cancel(job) => {
                let view = engine.cancel(&tenant, self.jobs[*job], &client(), None).await?;
                Answer::State(view.job.state.name())
            }
            Call::Retry(job) => {
                let made = engine.retry(&tenant, self.jobs[*job], &client()).await?;
                self.made(&made)
            }
            Call::Requeue(job) => {
                let made = engine
                    .requeue_dead_letter(&tenant, self.jobs[*job], &client(), None)
                    .await?;
                self.made(&made)
            }
            Call::Settle(job, settlement) => {
                let settled = engine
                    .settle_dead_letter(&tenant, self.jobs[*job], *settlement, &client(), None)
                    .await?;
                Answer::State(settled.job.state.name())
            }
            Call::BulkCancel(filter, dry_run) => {
                let done = engine
                    .bulk_cancel(&tenant, &self.filter(filter), &client(), *dry_run)
                    .await?;
                Answer::Bulk(done.matched, done.changed)
            }
            Call::BulkRetry(filter, dry_run) => {
                let done = engine
                    .bulk_retry(&tenant, &self.filter(filter), &client(), *dry_run)
                    .await?;
                self.meet_new_jobs().await;
                Answer::Bulk(done.matched, done.changed)
            }
            Call::SetQueue(name, paused, lease_seconds) => {
                let change = QueueChange {
                    paused: *paused,
                    strategy: None,
                    lease_seconds: *lease_seconds,
                };
                engine.set_queue(&tenant, &queue(QUEUES[*name]), change).await?;
                Answer::Done
            }
            Call::List(filter, limit) => Answer::Jobs(self.numbers(self.kit.list(&self.filter(filter), *limit).await)),
            Call::DeadLetters => Answer::Jobs(self.numbers(self.kit.dead_letters().await)),
            Call::Explain(job) => {
                let told = engine.explain(&tenant, self.jobs[*job]).await?;
                Answer::Explained(told.reasons.into_iter().map(|reason| reason.code).collect())
            }
            Call::Stats => {
                let counted = engine.stats(&tenant).await?.queues.into_iter();
                Answer::Counted(
                    counted
                        .map(|it| (it.name, [it.scheduled, it.ready, it.leased, it.running]))
                        .collect(),
                )
            }
            Call::Register(profile) => {
                self.robots.push(self.kit.register(registered(profile)).await);
                Answer::Registered(self.robots.len() - 1)
            }
            Call::Dispatch => Answer::Dispatched(engine.dispatch().await?.assigned),
            Call::Sweep => {
                let swept = engine.sweep().await?;
                Answer::Swept([swept.ready, swept.leases_lost, swept.retried, swept.ended])
            }
            Call::Pass(time) => {
                self.kit.pass(*time);
                Answer::Done
            }
            of_a_robot => return self.make_for_robot(of_a_robot).await,
        })
    }

    async fn submit(&mut self, asks: &[Ask]) -> Answered {
        let submissions = asks.iter().map(|ask| self.submission(ask)).collect();
        let answers = self.kit.engine.submit(&self.kit.tenant, &client(), submissions).await?;
        Ok(Answer::Submitted(
            answers.into_iter().map(|answer| self.taken(answer)).collect(),
        ))
    }

    fn taken(&mut self, answer: Result<Submitted, SubmitError>) -> Taken {
        match answer {
            Ok(Submitted {
                job,
                how: SubmittedHow::Created,
            }) => {
                self.jobs.push(job.job.id);
                Taken::Created(self.jobs.len() - 1)
            }
            Ok(Submitted {
                job,
                how: SubmittedHow::Replayed,
            }) => Taken::Replayed(self.number(job.job.id)),
            Ok(Submitted {
                job,
                how: SubmittedHow::Returned,
            }) => Taken::Returned(self.number(job.job.id)),
            Err(SubmitError::IdempotencyConflict { job }) => Taken::Conflict(self.number(job)),
            Err(SubmitError::Duplicate { job }) => Taken::Duplicate(self.number(job)),
        }
    }

    fn submission(&self, ask: &Ask) -> Submission {
        let now = self.kit.now();
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let change = |spec: &mut JobSpec| {
            spec.workflow = workflow(WORKFLOWS[ask.workflow]);
            spec.queue = queue(QUEUES[ask.queue]);
            spec.priority = Priority::new(ask.priority).expect("a step draws a good priority");
            spec.deadline = ask.deadline_seconds.map(|soon| now + seconds(soon));
            spec.timeouts.queue_seconds = ask.queue_seconds;
            spec.timeouts.run_seconds = ask.run_seconds;
            spec.retry.max_attempts = ask.max_attempts;
            spec.retry.initial_seconds = ask.backoff_seconds;
            spec.on_lost = ask.on_lost;
            spec.requires.capabilities = words(
                &ask.capability
                    .map(|it| CAPABILITIES[it])
                    .into_iter()
                    .collect::<Vec<_>>(),
            );
            spec.requires.robot = ask.robot.map(|robot| self.robots[robot].clone());
            spec.dedup = ask.dedup.map(|(key, on_conflict)| Dedup {
                key: key.to_string(),
                on_conflict,
            });
        };
        Submission {
            run_at: ask.delay_seconds.map(|delay| now + seconds(delay)),
            payload: ask.payload.map(|payload| payload.to_string()),
            idempotency: ask.idempotency.as_ref().map(|(key, digest)| Idempotency {
                key: key.clone(),
                digest: digest.to_string(),
            }),
            ..submission(change)
        }
    }

    fn filter(&self, filter: &Filter) -> JobFilter {
        JobFilter {
            state: filter.state,
            queue: filter.queue.map(|it| queue(QUEUES[it])),
            workflow: filter.workflow.map(|it| workflow(WORKFLOWS[it])),
            robot: filter.robot.and_then(|robot| self.robots.get(robot).cloned()),
            labels: BTreeMap::new(),
        }
    }

    fn made(&mut self, view: &JobView) -> Answer {
        self.jobs.push(view.job.id);
        Answer::Made(self.jobs.len() - 1)
    }

    /// Gives numbers to jobs that no answer told of, in the order in which they were made.
    async fn meet_new_jobs(&mut self) {
        for view in audit::all_jobs(&self.kit.engine, &self.kit.tenant).await {
            if !self.jobs.contains(&view.job.id) {
                self.jobs.push(view.job.id);
            }
        }
    }

    fn numbers(&self, ids: Vec<JobId>) -> Vec<JobNumber> {
        ids.into_iter().map(|id| self.number(id)).collect()
    }

    fn number(&self, id: JobId) -> JobNumber {
        self.jobs
            .iter()
            .position(|known| *known == id)
            .expect("the world made every job")
    }

    fn robot_number(&self, id: &RobotId) -> RobotNumber {
        self.robots
            .iter()
            .position(|known| known == id)
            .expect("the world registered every robot")
    }
}

/// The ids of jobs that requests with these idempotency keys make, by the order of which jobs of one moment go.
pub fn derived_ids(store: Arc<dyn Store>, keys: &[String]) -> impl Future<Output = Vec<JobId>> {
    let kit = Kit {
        tenant: TenantName::default_tenant(),
        ..Kit::new(store)
    };
    let keyed = |key: &String| Submission {
        idempotency: Some(Idempotency {
            key: key.clone(),
            digest: String::new(),
        }),
        ..submission(|_| {})
    };
    let submissions: Vec<Submission> = keys.iter().map(keyed).collect();
    async move {
        let answers = kit.submit_many(submissions).await;
        answers
            .into_iter()
            .map(|answer| answer.expect("each key is new").job.job.id)
            .collect()
    }
}

fn registered(profile: &Profile) -> NewRobot {
    NewRobot {
        queues: profile.queues.iter().map(|name| queue(QUEUES[*name])).collect(),
        capabilities: words(
            &profile
                .capability
                .map(|it| CAPABILITIES[it])
                .into_iter()
                .collect::<Vec<_>>(),
        ),
        max_jobs: profile.max_jobs,
        ..new_robot()
    }
}

fn digit(text: &str) -> u8 {
    text.parse().expect("the world writes small numbers only")
}

fn refused(refusal: &Refusal) -> Refused {
    match refusal {
        Refusal::NotFound => Refused::NotFound,
        Refusal::Job(Rejection::LeaseLost) => Refused::LeaseLost,
        Refusal::Job(Rejection::OutcomeConflict) => Refused::OutcomeConflict,
        Refusal::Job(Rejection::AlreadyStarted) => Refused::AlreadyStarted,
        Refusal::Job(Rejection::Finished) => Refused::Finished,
        Refusal::Job(Rejection::NotReady) => Refused::NotReady,
        Refusal::Job(Rejection::NoDeadLetter) => Refused::NoDeadLetter,
        Refusal::Sync(SyncRejection::SessionSuperseded) => Refused::Superseded,
        Refusal::Sync(SyncRejection::StaleSequence) => Refused::Stale,
        Refusal::WrongRobot => Refused::WrongRobot,
        Refusal::LogGap { next_seq } => Refused::LogGap(*next_seq),
        Refusal::ChunkConflict => Refused::ChunkConflict,
        other => Refused::Other(format!("{other:?}")),
    }
}
