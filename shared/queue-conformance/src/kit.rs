//! What a test of the operations stands on: an engine on any store, a clock that stands still until it is moved, seeded
//! chance, and short words for what clients and robots do.

mod robot;
mod time_and_chance;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{
    JobId, JobSpec, KeyId, QueueName, RobotId, TenantName, Timestamp, Word, WorkflowName,
    job::{Actor, Reason, StateName},
};
use queue::{
    ApiKey, Clock, Engine, JobFilter, JobView, NewRobot, QueueChange, Refusal, Settings, Store, Submission,
    SubmitError, Submitted, SubmittedHow, Swept, hints::NoHints,
};

use self::time_and_chance::SkewedClock;
pub use self::{
    robot::{Held, TestRobot, failed, report},
    time_and_chance::{SeededEntropy, TestClock},
};

/// How long a lease of a queue nobody changed is.
pub const LEASE: Duration = Duration::from_mins(1);

/// An engine on one store, and the clock that it reads.
#[derive(Clone)]
pub struct Kit {
    /// The operations under test.
    pub engine: Engine,
    /// The clock they read.
    pub clock: Arc<TestClock>,
    /// The tenant that a test works in unless it says otherwise.
    pub tenant: TenantName,
}

impl Kit {
    /// A kit on `store` with the default settings.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::seeded(store, 1)
    }

    /// A kit on `store` whose ids, tokens and draws come from `seed`.
    pub fn seeded(store: Arc<dyn Store>, seed: u64) -> Self {
        let (clock, entropy) = (Arc::new(TestClock::default()), Arc::new(SeededEntropy::new(seed)));
        let engine = Engine::new(store, Arc::new(NoHints), clock.clone(), entropy, Settings::default());
        Self {
            engine,
            clock,
            tenant: TenantName::default_tenant(),
        }
    }

    /// Another engine on the same store and clock, as another process would be: it remembers nothing and draws its own.
    #[must_use]
    pub fn beside(&self, seed: u64, settings: Settings) -> Self {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let engine = Engine::new(
            self.engine.store().clone(),
            Arc::new(NoHints),
            self.clock.clone(),
            entropy,
            settings,
        );
        Self { engine, ..self.clone() }
    }

    /// Another engine on the same store, whose clock is `behind` the one that this kit moves.
    #[must_use]
    pub fn behind(&self, seed: u64, behind: Duration) -> Self {
        let clock = SkewedClock {
            true_clock: self.clock.clone(),
            behind,
        };
        let (store, entropy) = (self.engine.store().clone(), Arc::new(SeededEntropy::new(seed)));
        let engine = Engine::new(store, Arc::new(NoHints), Arc::new(clock), entropy, Settings::default());
        Self { engine, ..self.clone() }
    }

    /// The same kit in another tenant.
    #[must_use]
    pub fn of_tenant(&self, name: &str) -> Self {
        Self {
            tenant: TenantName::parse(name).expect("a good name"),
            ..self.clone()
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    /// Moves the clock on and sweeps.
    pub async fn pass_and_sweep(&self, time: Duration) -> Swept {
        self.pass(time);
        self.sweep().await
    }

    /// Sweeps once.
    pub async fn sweep(&self) -> Swept {
        self.engine.sweep().await.expect("the store answers")
    }

    /// Submits one job and gives what was answered.
    pub async fn try_submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let mut answers = self.submit_many(vec![submission]).await;
        answers.pop().expect("one answer for one job")
    }

    /// Submits many jobs in one request.
    pub async fn submit_many(&self, submissions: Vec<Submission>) -> Vec<Result<Submitted, SubmitError>> {
        self.engine
            .submit(&self.tenant, &client(), submissions)
            .await
            .expect("the store answers")
    }

    /// Submits a job that must be new.
    pub async fn submit(&self, submission: Submission) -> JobId {
        let submitted = self.try_submit(submission).await.expect("the job is taken in");
        assert_eq!(submitted.how, SubmittedHow::Created);
        submitted.job.job.id
    }

    /// Submits a job of which only the spec is of interest.
    pub async fn submit_spec(&self, change: impl FnOnce(&mut JobSpec)) -> JobId {
        self.submit(submission(change)).await
    }

    /// Submits a job with the default of everything.
    pub async fn submit_plain(&self) -> JobId {
        self.submit_spec(|_| {}).await
    }

    /// The job as it is now.
    pub async fn job(&self, id: JobId) -> JobView {
        self.engine.job(&self.tenant, id).await.expect("the job is there")
    }

    /// The state of the job and why it is in it.
    pub async fn standing(&self, id: JobId) -> (StateName, Option<Reason>) {
        let job = self.job(id).await.job;
        (job.state.name(), job.reason)
    }

    /// The state of the job.
    pub async fn state(&self, id: JobId) -> StateName {
        self.standing(id).await.0
    }

    /// The words of the job's history: each state it came to.
    pub async fn path(&self, id: JobId) -> Vec<StateName> {
        let history = self.engine.history(&self.tenant, id).await.expect("the job is there");
        history.into_iter().map(|step| step.to).collect()
    }

    /// Cancels the job.
    pub async fn cancel(&self, id: JobId) -> Result<JobView, Refusal> {
        self.engine.cancel(&self.tenant, id, &client(), None).await
    }

    /// The ids of all jobs that meet `filter`, page by page.
    pub async fn list(&self, filter: &JobFilter, limit: usize) -> Vec<JobId> {
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .engine
                .jobs(&self.tenant, filter, after, limit)
                .await
                .expect("the store answers");
            assert!(page.items.len() <= limit, "a page holds no more than asked for");
            ids.extend(page.items.into_iter().map(|view| view.job.id));
            after = page.next;
            if after.is_none() {
                return ids;
            }
        }
    }

    /// The ids of the dead letters.
    pub async fn dead_letters(&self) -> Vec<JobId> {
        let page = self
            .engine
            .dead_letters(&self.tenant, None, 200)
            .await
            .expect("the store answers");
        page.items.into_iter().map(|view| view.job.id).collect()
    }

    /// Changes the queue `default`.
    pub async fn set_queue(&self, change: QueueChange) {
        let queue = QueueName::default_queue();
        self.engine
            .set_queue(&self.tenant, &queue, change)
            .await
            .expect("the queue is there");
    }

    /// A new robot of the queue `default` that may hold `max_jobs`, in its first session.
    pub async fn robot(&self, max_jobs: u32) -> TestRobot {
        self.robot_like(NewRobot {
            max_jobs,
            ..new_robot()
        })
        .await
    }

    /// A new robot in its first session.
    pub async fn robot_like(&self, new: NewRobot) -> TestRobot {
        let id = self.register(new).await;
        let mut robot = TestRobot::new(self.clone(), id);
        robot.open_session(&[]).await;
        robot
    }

    /// A new robot that has said nothing since.
    pub async fn register(&self, new: NewRobot) -> RobotId {
        let (id, key) = (self.engine.new_robot_id(), self.engine.new_key_id());
        let key = ApiKey {
            id: key,
            tenant: self.tenant.clone(),
            name: new.name.clone(),
            scopes: BTreeSet::new(),
            robot: Some(id.clone()),
            secret_sha256: "00".repeat(32),
            created_at: self.now(),
            expires_at: None,
        };
        self.engine
            .register(&self.tenant, new, id, key)
            .await
            .expect("the robot is new")
            .id
    }
}

/// The client of every test.
pub fn client() -> Actor {
    Actor::Key(KeyId::parse("key_client").expect("a good id"))
}

/// A job with the default of everything but what `change` changes.
pub fn submission(change: impl FnOnce(&mut JobSpec)) -> Submission {
    let mut spec = JobSpec::new(workflow("invoice-export"));
    // Most tests tell times exactly.
    spec.retry.jitter = 0.0;
    change(&mut spec);
    Submission {
        spec,
        run_at: None,
        payload: None,
        idempotency: None,
    }
}

/// `count` jobs with the default of everything.
pub fn submissions(count: usize) -> Vec<Submission> {
    std::iter::repeat_with(|| submission(|_| {})).take(count).collect()
}

/// A robot of the queue `default` that can hold one job.
pub fn new_robot() -> NewRobot {
    NewRobot {
        name: "robot".to_owned(),
        queues: vec![QueueName::default_queue()],
        capabilities: BTreeSet::new(),
        environment: None,
        max_jobs: 1,
        version: None,
        labels: BTreeMap::new(),
    }
}

/// A workflow by its name.
pub fn workflow(name: &str) -> WorkflowName {
    WorkflowName::parse(name).expect("a good name")
}

/// A queue by its name.
pub fn queue(name: &str) -> QueueName {
    QueueName::parse(name).expect("a good name")
}

/// Capabilities by their names.
pub fn words(names: &[&str]) -> BTreeSet<Word> {
    names
        .iter()
        .map(|name| Word::parse(name).expect("a good word"))
        .collect()
}

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
