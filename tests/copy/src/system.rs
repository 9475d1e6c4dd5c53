//! A system in the midst of its work: jobs in every state, and all that can lie beside them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{
    JobId, KeyId, TenantName, Word,
    job::{Dedup, ErrorKind, OnConflict, Outcome, Priority, Settlement, StateName},
};
use queue::{ApiKey, Engine, Idempotency, JobFilter, QueueChange, Scope, Settings, Store, Submission, hints::NoHints};
use queue_conformance::kit::{
    Held, Kit, SeededEntropy, TestRobot, client, failed, new_robot, queue, secs, submission, words,
};

/// As large as a payload may be.
const PAYLOAD_BYTES: usize = 256 * 1024;

/// How often one job was given to a robot and given back: enough that its record does not hold all of its history.
const RELEASES: usize = 20;

/// A system with work under way.
pub struct System {
    /// What its operations are called by.
    pub kit: Kit,
    /// A robot that runs a job and was given another.
    pub robot: TestRobot,
    /// The job that the robot runs.
    pub running: Held,
    /// The job that the robot was given and has not begun.
    pub leased: Held,
    /// A job whose first attempt failed after it had written a checkpoint; it is ready again.
    pub resumable: JobId,
    /// A job with a long history.
    pub travelled: JobId,
    /// A key of people.
    pub key: ApiKey,
    /// The submission that made a job with an idempotency key, and the job.
    pub idempotent: (Submission, JobId),
    /// The submission that made a job with a dedup key, and the job, which is not finished.
    pub deduped: (Submission, JobId),
    /// The payload of the job that the robot runs.
    pub payload: String,
}

impl System {
    /// Fills `store`, which must be empty.
    pub async fn build(store: Arc<dyn Store>) -> Self {
        let kit = Kit::new(store);
        let key = key(&kit);
        kit.engine.create_key(key.clone()).await.expect("the key is new");
        finished(&kit).await;
        let travelled = travelled(&kit).await;
        let (robot, running, payload) = running(&kit).await;
        let leased = {
            kit.submit_plain().await;
            robot.sync(1, &[&running]).await.assign.first().map(Held::from)
        };
        let resumable = resumable(&kit).await;
        waiting(&kit).await;
        let idempotent = idempotent(&kit).await;
        let deduped = deduped(&kit).await;
        let other = kit.of_tenant("other");
        other.submit_plain().await;
        other.robot(1).await;
        Self {
            robot,
            running,
            leased: leased.expect("there is a job for the robot's second place"),
            resumable,
            travelled,
            key,
            idempotent,
            deduped,
            payload,
            kit,
        }
    }

    /// The same operations on `store`, by the same clock.
    pub fn moved_to(&self, store: Arc<dyn Store>) -> Kit {
        let (clock, entropy) = (self.kit.clock.clone(), Arc::new(SeededEntropy::new(2)));
        let engine = Engine::new(store, Arc::new(NoHints), clock, entropy, Settings::default());
        Kit {
            engine,
            ..self.kit.clone()
        }
    }

    /// The states in which there is a job of the first tenant.
    pub async fn states(&self) -> BTreeSet<&'static str> {
        let mut states = BTreeSet::new();
        for id in self.kit.list(&JobFilter::default(), 200).await {
            states.insert(self.kit.state(id).await.as_str());
        }
        states
    }
}

fn key(kit: &Kit) -> ApiKey {
    ApiKey {
        id: KeyId::parse("key_people").expect("a good id"),
        tenant: kit.tenant.clone(),
        name: "people".to_owned(),
        scopes: [Scope::JobsRead, Scope::JobsWrite].into(),
        robot: None,
        secret_sha256: "ab".repeat(32),
        created_at: kit.now(),
        expires_at: Some(kit.now() + Duration::from_hours(24)),
    }
}

/// Jobs that ended in every way, one with a result, one whose dead letter was dealt with.
async fn finished(kit: &Kit) {
    let robot = kit.robot(1).await;
    kit.submit_plain().await;
    let held = robot.begin().await;
    robot.log(&held, 0, "all is well\n").await.expect("the log is taken");
    let result = r#"{"said":"it is done \u0000 ☂"}"#;
    let done = robot.finish(&held, Outcome::Succeeded, Some(result)).await;
    assert_eq!(done.expect("the report is taken").state, StateName::Succeeded);

    for _ in 0..2 {
        kit.submit_spec(|spec| spec.retry.max_attempts = 1).await;
        let held = robot.begin().await;
        assert_eq!(robot.fail(&held).await, StateName::Failed);
    }
    let letter = kit.dead_letters().await[0];
    kit.engine
        .settle_dead_letter(&kit.tenant, letter, Settlement::Resolved, &client(), None)
        .await
        .expect("it is a dead letter");

    let late = kit.submit_spec(|spec| spec.deadline = Some(kit.now() + secs(5))).await;
    kit.pass_and_sweep(secs(6)).await;
    assert_eq!(kit.state(late).await, StateName::TimedOut);
    let unwanted = kit.submit_plain().await;
    kit.cancel(unwanted).await.expect("it can be cancelled");
}

/// A job with more transitions than its record holds.
async fn travelled(kit: &Kit) -> JobId {
    let robot = kit.robot(1).await;
    let job = kit.submit_plain().await;
    for _ in 0..RELEASES {
        let held = robot.take().await;
        robot.release(&held).await.expect("it has not begun");
    }
    let held = robot.begin().await;
    robot.succeed(&held).await;
    job
}

/// A robot for two jobs that runs one, with a log and a checkpoint, and its payload.
async fn running(kit: &Kit) -> (TestRobot, Held, String) {
    let payload = format!("\"{}\"", "p".repeat(PAYLOAD_BYTES - 2));
    kit.submit(Submission {
        payload: Some(payload.clone()),
        ..submission(|_| {})
    })
    .await;
    let mut new = new_robot();
    new.max_jobs = 2;
    let robot = kit.robot_like(new).await;
    let running = robot.begin().await;
    for (seq, chunk) in (0..).zip(["one\n", "two\n", "three\n"]) {
        robot.log(&running, seq, chunk).await.expect("the log is taken");
    }
    let kept = robot.checkpoint(&running, "page", "3").await;
    kept.expect("the checkpoint is taken");
    (robot, running, payload)
}

/// A job for a robot of its own kind whose first attempt failed, and which waits for its second.
async fn resumable(kit: &Kit) -> JobId {
    let mut new = new_robot();
    new.capabilities = words(&["browser"]);
    let robot = kit.robot_like(new).await;
    let job = kit
        .submit_spec(|spec| {
            spec.requires.capabilities = words(&["browser"]);
            spec.retry.initial_seconds = 0;
        })
        .await;
    let held = robot.begin().await;
    robot
        .checkpoint(&held, "row", "17")
        .await
        .expect("the checkpoint is taken");
    robot
        .finish(&held, failed(ErrorKind::Application), None)
        .await
        .expect("the report is taken");
    job
}

/// Jobs that nobody can take yet, in queues of their own.
async fn waiting(kit: &Kit) {
    kit.submit(Submission {
        run_at: Some(kit.now() + Duration::from_hours(1)),
        ..submission(|spec| spec.queue = queue("nightly"))
    })
    .await;
    for priority in 0..=20 {
        kit.submit_spec(|spec| {
            spec.queue = queue("later");
            spec.priority = Priority::new(priority).expect("0 to 20");
            spec.requires.capabilities = words(&["excel \"2016\"", "é/☂"]);
            spec.requires.environment = Some(Word::parse("prod").expect("a good word"));
        })
        .await;
    }
    let pause = QueueChange {
        paused: Some(true),
        ..QueueChange::default()
    };
    let paused = kit.engine.set_queue(&kit.tenant, &queue("later"), pause).await;
    paused.expect("the queue is there");
}

async fn idempotent(kit: &Kit) -> (Submission, JobId) {
    let again = Submission {
        idempotency: Some(Idempotency {
            key: "order 17".to_owned(),
            digest: "d".repeat(64),
        }),
        ..submission(|spec| spec.queue = queue("orders"))
    };
    let job = kit.submit(again.clone()).await;
    (again, job)
}

async fn deduped(kit: &Kit) -> (Submission, JobId) {
    let again = submission(|spec| {
        spec.queue = queue("orders");
        spec.dedup = Some(Dedup {
            key: "customer \"17\" \\ ☂".to_owned(),
            on_conflict: OnConflict::Return,
        });
    });
    let job = kit.submit(again.clone()).await;
    (again, job)
}

/// The tenant that has little.
pub fn other_tenant() -> TenantName {
    TenantName::parse("other").expect("a good name")
}
