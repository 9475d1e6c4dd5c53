//! A robot, and what it reports.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{
    JobId, RobotId,
    job::{ErrorKind, Fence, JobError, Outcome, StateName},
    robot::Mode,
};
use queue::{Answered, Assignment, FinishReport, LeaseStatus, Listed, Refusal, SyncAnswer, SyncRequest};

use super::Kit;

/// A robot that works by the rules, one call at a time.
pub struct TestRobot {
    kit: Kit,
    /// Its id.
    pub id: RobotId,
    /// Its session.
    pub epoch: u64,
    seq: AtomicU64,
}

/// A lease that a robot was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// What the robot has to show.
    pub fence: Fence,
}

impl From<&Assignment> for Held {
    fn from(given: &Assignment) -> Self {
        Self {
            job: given.job.id,
            fence: Fence {
                attempt: given.attempt,
                token: given.token.clone(),
            },
        }
    }
}

impl TestRobot {
    /// The robot `id`, before its first session.
    pub(super) fn new(kit: Kit, id: RobotId) -> Self {
        Self {
            kit,
            id,
            epoch: 0,
            seq: AtomicU64::new(0),
        }
    }

    /// Opens a new session that holds `holding`.
    pub async fn open_session(&mut self, holding: &[&Held]) {
        let holding: Vec<(JobId, Fence)> = holding.iter().map(|held| (held.job, held.fence.clone())).collect();
        let opened = self.kit.engine.open_session(&self.kit.tenant, &self.id, &holding).await;
        self.epoch = opened.expect("the robot is there");
        self.seq.store(0, Ordering::SeqCst);
    }

    /// The next sync of an idle robot with `free_slots`, which works on `running`.
    pub fn request(&self, free_slots: u32, running: &[&Held]) -> SyncRequest {
        let listed = |held: &&Held| Listed {
            job: held.job,
            fence: held.fence.clone(),
            progress: None,
        };
        SyncRequest {
            epoch: self.epoch,
            seq: self.seq.fetch_add(1, Ordering::SeqCst) + 1,
            mode: if running.is_empty() { Mode::Idle } else { Mode::Busy },
            free_slots,
            running: running.iter().map(listed).collect(),
        }
    }

    /// Sends a sync.
    pub async fn send(&self, request: SyncRequest) -> Result<SyncAnswer, Refusal> {
        self.kit.engine.sync(&self.kit.tenant, &self.id, request).await
    }

    /// The next sync, which must be answered.
    pub async fn sync(&self, free_slots: u32, running: &[&Held]) -> SyncAnswer {
        self.send(self.request(free_slots, running))
            .await
            .expect("the sync is in turn")
    }

    /// Asks for `free_slots` jobs and gives what it got.
    pub async fn ask(&self, free_slots: u32) -> Vec<Held> {
        self.sync(free_slots, &[]).await.assign.iter().map(Held::from).collect()
    }

    /// Asks for one job, which must come.
    pub async fn take(&self) -> Held {
        let mut given = self.ask(1).await;
        assert_eq!(given.len(), 1, "there is a job for {}", self.id);
        given.remove(0)
    }

    /// Says that it works on `held`, and gives what it is told.
    pub async fn renew(&self, held: &Held) -> LeaseStatus {
        self.sync(0, &[held]).await.leases[0].status
    }

    /// Takes a job and begins it.
    pub async fn begin(&self) -> Held {
        let held = self.take().await;
        assert_eq!(self.renew(&held).await, LeaseStatus::Renewed);
        held
    }

    /// Reports the end of an attempt.
    pub async fn finish(&self, held: &Held, outcome: Outcome, result: Option<&str>) -> Result<Answered, Refusal> {
        let report = report(held, outcome, result);
        self.kit
            .engine
            .finish(&self.kit.tenant, &self.id, held.job, report)
            .await
    }

    /// Reports a success, which must be taken.
    pub async fn succeed(&self, held: &Held) -> StateName {
        self.finish(held, Outcome::Succeeded, None)
            .await
            .expect("the report is taken")
            .state
    }

    /// Reports an application error, which must be taken.
    pub async fn fail(&self, held: &Held) -> StateName {
        self.finish(held, failed(ErrorKind::Application), None)
            .await
            .expect("the report is taken")
            .state
    }

    /// Gives the job back.
    pub async fn release(&self, held: &Held) -> Result<StateName, Refusal> {
        self.kit
            .engine
            .release(&self.kit.tenant, &self.id, held.job, held.fence.clone())
            .await
    }

    /// Sends a chunk of its log.
    pub async fn log(&self, held: &Held, seq: u32, chunk: &str) -> Result<(), Refusal> {
        let (engine, fence) = (&self.kit.engine, held.fence.clone());
        engine
            .append_log(
                &self.kit.tenant,
                &self.id,
                held.job,
                fence,
                seq,
                chunk.as_bytes().to_vec(),
            )
            .await
    }

    /// Keeps a checkpoint.
    pub async fn checkpoint(&self, held: &Held, name: &str, value: &str) -> Result<(), Refusal> {
        let name = name.parse().expect("a good name");
        let (engine, fence) = (&self.kit.engine, held.fence.clone());
        engine
            .put_checkpoint(&self.kit.tenant, &self.id, held.job, fence, name, value.to_owned())
            .await
    }
}

/// The report that `held` ended so.
pub fn report(held: &Held, outcome: Outcome, result: Option<&str>) -> FinishReport {
    let digest = format!("{outcome:?} {result:?}");
    FinishReport {
        fence: held.fence.clone(),
        outcome,
        result: result.map(str::to_owned),
        digest,
    }
}

/// A failure of this kind that leaves the time of the next attempt to the job.
pub fn failed(kind: ErrorKind) -> Outcome {
    let error = JobError {
        kind,
        code: None,
        message: "it broke".to_owned(),
    };
    Outcome::Failed {
        error,
        retry_after_seconds: None,
    }
}
