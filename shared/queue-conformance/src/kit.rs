//! What a test of the operations stands on: an engine on any store, a clock that stands still until it is moved, seeded
//! chance, and short words for what clients and robots do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    JobId, JobSpec, KeyId, QueueName, RobotId, TenantName, Timestamp, Word, WorkflowName,
    job::{Actor, ErrorKind, Fence, JobError, Outcome, Reason, StateName},
    robot::Mode,
};
use queue::{
    Answered, ApiKey, Assignment, Clock, Engine, Entropy, FinishReport, JobFilter, JobView, LeaseStatus, Listed,
    NewRobot, QueueChange, Refusal, Settings, Store, Submission, SubmitError, Submitted, SubmittedHow, Swept,
    SyncAnswer, SyncRequest, hints::NoHints,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The moment at which every test begins, in milliseconds since 1970.
const BEGINNING_MS: i64 = 1_790_000_000_000;

/// How long a lease of a queue nobody changed is.
pub const LEASE: Duration = Duration::from_mins(1);

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock {
    micros: AtomicI64,
}

impl TestClock {
    /// Moves the clock on by `time`.
    pub fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a test spans no more than some years");
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(Timestamp::from_millis(BEGINNING_MS).as_micros()),
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// A clock of another server: as far from the first as it is set.
struct SkewedClock {
    true_clock: Arc<TestClock>,
    behind: Duration,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.true_clock.now() - self.behind
    }
}

/// Chance that is the same for the same seed.
///
/// Draws count up in the bytes that order the ids made of them, so that jobs made in one millisecond have ids in the order in
/// which they were made.
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<(u32, StdRng)>,
}

impl SeededEntropy {
    /// The draws of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new((0, StdRng::seed_from_u64(seed))),
        }
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> [u8; 16] {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (drawn, generator) = &mut *state;
        *drawn += 1;
        let mut bytes: [u8; 16] = generator.random();
        bytes[..3].fill(0);
        bytes[3..7].copy_from_slice(&drawn.to_be_bytes());
        bytes
    }
}

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
        let mut robot = TestRobot {
            kit: self.clone(),
            id,
            epoch: 0,
            seq: AtomicU64::new(0),
        };
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
