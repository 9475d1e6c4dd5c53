//! The jobs and robots that are measured with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use domain::{
    JobId, JobSpec, KeyId, QueueName, RobotId, TenantName, Timestamp, WorkflowName,
    job::{Actor, Fence, Outcome},
    robot::Mode,
};
use queue::{ApiKey, Assignment, Engine, FinishReport, NewRobot, Submission, SyncRequest};

/// The size of a payload in bytes.
const PAYLOAD_BYTES: usize = 200;

pub(crate) fn tenant() -> TenantName {
    TenantName::default_tenant()
}

pub(crate) fn submissions(count: usize) -> Vec<Submission> {
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(PAYLOAD_BYTES - 11));
    vec![submission(payload); count]
}

/// A job that does nothing, with this payload.
pub(crate) fn submission(payload: String) -> Submission {
    Submission {
        spec: JobSpec::new(WorkflowName::parse("no-op").expect("a plain word is a name")),
        run_at: None,
        payload: Some(payload),
        idempotency: None,
    }
}

pub(crate) fn client() -> Actor {
    Actor::Key(KeyId::parse("key_bench").expect("a plain word makes an id"))
}

/// Submits `count` jobs, `batch` a call.
pub(crate) async fn submit(engine: &Engine, count: usize, batch: usize) -> anyhow::Result<()> {
    for _ in 0..count / batch {
        submit_these(engine, submissions(batch)).await?;
    }
    Ok(())
}

/// Submits these jobs by one call.
pub(crate) async fn submit_these(engine: &Engine, jobs: Vec<Submission>) -> anyhow::Result<()> {
    let answers = engine.submit(&tenant(), &client(), jobs).await?;
    anyhow::ensure!(answers.iter().all(Result::is_ok), "a submit was refused");
    Ok(())
}

/// A robot that works as fast as it can. A copy of it reports what the original was given.
#[derive(Clone)]
pub(crate) struct Worker {
    engine: Engine,
    id: RobotId,
    epoch: u64,
    seq: u64,
}

impl Worker {
    pub(crate) async fn register(engine: &Engine, slots: u32) -> anyhow::Result<Self> {
        let (id, key) = (engine.new_robot_id(), engine.new_key_id());
        let new = NewRobot {
            name: "bench".to_owned(),
            queues: vec![QueueName::default_queue()],
            capabilities: BTreeSet::new(),
            environment: None,
            max_jobs: slots,
            version: None,
            labels: BTreeMap::new(),
        };
        let key = ApiKey {
            id: key,
            tenant: tenant(),
            name: "bench".to_owned(),
            scopes: BTreeSet::new(),
            robot: Some(id.clone()),
            secret_sha256: String::new(),
            created_at: Timestamp::default(),
            expires_at: None,
        };
        engine.register(&tenant(), new, id.clone(), key).await?;
        let epoch = engine.open_session(&tenant(), &id, &[]).await?;
        Ok(Self {
            engine: engine.clone(),
            id,
            epoch,
            seq: 0,
        })
    }

    /// Claims up to `slots` jobs by one sync.
    pub(crate) async fn claim(&mut self, slots: u32) -> anyhow::Result<Vec<Assignment>> {
        self.seq += 1;
        let request = SyncRequest {
            epoch: self.epoch,
            seq: self.seq,
            mode: Mode::Idle,
            free_slots: slots,
            running: Vec::new(),
        };
        Ok(self.engine.sync(&tenant(), &self.id, request).await?.assign)
    }

    /// Finishes `jobs` by one call.
    pub(crate) async fn finish(&self, jobs: &[Assignment]) -> anyhow::Result<()> {
        let reports: Vec<(JobId, FinishReport)> = jobs.iter().map(|job| (job.job.id, done(job))).collect();
        for answer in self.engine.finish_many(&tenant(), &self.id, reports).await? {
            answer.context("a finish was refused")?;
        }
        Ok(())
    }
}

fn done(job: &Assignment) -> FinishReport {
    FinishReport {
        fence: Fence {
            attempt: job.attempt,
            token: job.token.clone(),
        },
        outcome: Outcome::Succeeded,
        result: None,
        digest: "done".to_owned(),
    }
}
