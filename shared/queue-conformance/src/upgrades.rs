//! What a store may hold when its schema is brought up to date, and that all of it is as it was and goes on.
//!
//! The servers that filled it go on too: an upgrade stops nobody.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    JobId, KeyId,
    job::{Dedup, ErrorKind, OnConflict, Outcome, Reason, Settlement, StateName},
};
use queue::{ApiKey, Idempotency, JobFilter, LeaseStatus, QueueChange, Submission, SubmittedHow};

use crate::{
    audit,
    kit::{Held, Kit, LEASE, TestRobot, client, failed, new_robot, queue, secs, submission, words},
};

/// The capability that no robot has until everything was looked at.
const RARE: &str = "mainframe";

/// By then what any version looks at by itself, which is each day, has been looked at.
const A_DAY_AND_MORE: Duration = Duration::from_hours(25);

/// What was left in a store.
pub struct Left {
    /// Every job of the tenant: its state, why it is in it, and the states it went through.
    jobs: Vec<(JobId, StateName, Option<Reason>, Vec<StateName>)>,
    dead_letters: Vec<JobId>,
    /// A submit that was answered, and the job that it made.
    answered: (Submission, JobId),
    /// A submit whose dedup key another job holds, and that job.
    held_back: (Submission, JobId),
    /// What a log, a checkpoint, a payload and a result are looked for in.
    done: Held,
    robot: TestRobot,
    running: Held,
    leased: Held,
    to_be_stopped: Held,
    lost: JobId,
    rare: JobId,
}

/// Fills an empty store with a job in each state, for each reason that has a form of its own, and with all else that there is.
pub async fn fill(kit: &Kit) -> Left {
    let lost = lose_a_job(kit).await;
    let robot = kit
        .robot_like(queue::NewRobot {
            max_jobs: 4,
            ..new_robot()
        })
        .await;
    let (answered, done) = succeed(kit, &robot).await;
    for kind in [ErrorKind::Business, ErrorKind::Business, ErrorKind::Application] {
        // The last one is tried again.
        kit.submit_plain().await;
        let held = robot.begin().await;
        robot.finish(&held, failed(kind), None).await.expect("it is taken");
    }
    let letters = kit.dead_letters().await;
    let (engine, by) = (&kit.engine, client());
    engine
        .settle_dead_letter(&kit.tenant, letters[0], Settlement::Resolved, &by, None)
        .await
        .expect("it is a dead letter");
    give_up_a_job(kit).await;
    let unwanted = kit.submit_plain().await;
    kit.cancel(unwanted).await.expect("it waits");

    kit.submit_plain().await;
    let to_be_stopped = robot.begin().await;
    kit.cancel(to_be_stopped.job).await.expect("it runs");
    kit.submit_plain().await;
    let running = begin_another(&robot, &[&to_be_stopped]).await;
    kit.submit_plain().await;
    let leased = take_another(&robot, &[&to_be_stopped, &running]).await;

    let held_back = leave_waiting(kit).await;
    let rare = kit
        .submit_spec(|spec| spec.requires.capabilities = words(&[RARE]))
        .await;
    kit.of_tenant("acme").submit_plain().await;
    make_key(kit).await;
    let mut jobs = Vec::new();
    for view in audit::all_jobs(&kit.engine, &kit.tenant).await {
        let job = view.job;
        jobs.push((job.id, job.state.name(), job.reason, kit.path(job.id).await));
    }
    let states: BTreeSet<StateName> = jobs.iter().map(|(_, state, ..)| *state).collect();
    assert_eq!(states, StateName::ALL.into_iter().collect(), "a job in each state");
    Left {
        jobs,
        dead_letters: kit.dead_letters().await,
        answered,
        held_back,
        done,
        robot,
        running,
        leased,
        to_be_stopped,
        lost,
        rare,
    }
}

/// A job whose robot was lost, in a queue of its own that is paused.
async fn lose_a_job(kit: &Kit) -> JobId {
    let robot = kit
        .robot_like(queue::NewRobot {
            queues: vec![queue("month-end")],
            ..new_robot()
        })
        .await;
    let job = kit.submit_spec(|spec| spec.queue = queue("month-end")).await;
    robot.begin().await;
    kit.pass_and_sweep(LEASE + secs(1)).await;
    assert_eq!(kit.standing(job).await, (StateName::Ready, Some(Reason::LeaseLost)));
    pause(kit, true).await;
    job
}

async fn pause(kit: &Kit, paused: bool) {
    let change = QueueChange {
        paused: Some(paused),
        ..QueueChange::default()
    };
    let month_end = queue("month-end");
    let set = kit.engine.set_queue(&kit.tenant, &month_end, change);
    set.await.expect("the queue is there");
}

/// A job with all that may lie beside one, by a request that may come again.
async fn succeed(kit: &Kit, robot: &TestRobot) -> ((Submission, JobId), Held) {
    let asked = Submission {
        payload: Some(format!("\"{}\"", "invoice ".repeat(500))),
        idempotency: Some(Idempotency {
            key: "order 17".to_owned(),
            digest: "17".to_owned(),
        }),
        ..submission(|_| {})
    };
    let id = kit.submit(asked.clone()).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "begun\n").await.expect("it is taken");
    robot.checkpoint(&held, "page", "3").await.expect("it is taken");
    let result = robot.finish(&held, Outcome::Succeeded, Some("{\"pages\":3}"));
    result.await.expect("it is taken");
    ((asked, id), held)
}

/// A job that no robot takes in time.
async fn give_up_a_job(kit: &Kit) {
    let job = kit
        .submit_spec(|spec| {
            spec.requires.capabilities = words(&[RARE]);
            spec.timeouts.queue_seconds = Some(1);
        })
        .await;
    kit.pass_and_sweep(secs(2)).await;
    assert_eq!(
        kit.standing(job).await,
        (StateName::TimedOut, Some(Reason::QueueTimeout))
    );
}

/// Jobs that wait, with and without a time that ends them; gives one that would be held back by another, and that one.
async fn leave_waiting(kit: &Kit) -> (Submission, JobId) {
    let in_an_hour = kit.now() + Duration::from_hours(1);
    let later = Submission {
        run_at: Some(in_an_hour),
        ..submission(|_| {})
    };
    kit.submit(later).await;
    kit.submit_spec(|spec| spec.deadline = Some(in_an_hour)).await;
    kit.submit_spec(|spec| spec.timeouts.queue_seconds = Some(3_600)).await;
    let alone = submission(|spec| {
        spec.dedup = Some(Dedup {
            key: "customer 17".to_owned(),
            on_conflict: OnConflict::Return,
        });
    });
    let holder = kit.submit(alone.clone()).await;
    (alone, holder)
}

async fn make_key(kit: &Kit) {
    let key = ApiKey {
        id: key_id(),
        tenant: kit.tenant.clone(),
        name: "desk".to_owned(),
        scopes: BTreeSet::new(),
        robot: None,
        secret_sha256: "00".repeat(32),
        created_at: kit.now(),
        expires_at: None,
    };
    kit.engine.create_key(key).await.expect("it is new");
}

fn key_id() -> KeyId {
    KeyId::parse("key_upgrade").expect("a good id")
}

/// One more job for a robot that has some.
async fn take_another(robot: &TestRobot, running: &[&Held]) -> Held {
    Held::from(&robot.sync(1, running).await.assign[0])
}

async fn begin_another(robot: &TestRobot, running: &[&Held]) -> Held {
    let held = take_another(robot, running).await;
    let all = [running, &[&held]].concat();
    robot.sync(0, &all).await;
    held
}

impl Left {
    /// Holds what is there against what was left: nothing is lost, and nothing is another one's.
    pub async fn is_as_it_was(&self, kit: &Kit) {
        for (id, state, reason, path) in &self.jobs {
            assert_eq!(kit.standing(*id).await, (*state, *reason), "{id}");
            assert_eq!(kit.path(*id).await, *path, "{id}");
        }
        let all: BTreeSet<JobId> = self.jobs.iter().map(|(id, ..)| *id).collect();
        let listed = kit.list(&JobFilter::default(), 3).await;
        assert_eq!(listed.len(), all.len());
        assert_eq!(listed.into_iter().collect::<BTreeSet<JobId>>(), all);
        assert_eq!(kit.dead_letters().await, self.dead_letters);

        let (asked, made) = &self.answered;
        let again = kit.try_submit(asked.clone()).await.expect("it is known");
        assert_eq!((again.how, again.job.job.id), (SubmittedHow::Replayed, *made));
        assert_eq!(again.job.payload, asked.payload);
        assert_eq!(again.job.result.as_deref(), Some("{\"pages\":3}"));
        let (asked, holder) = &self.held_back;
        let returned = kit.try_submit(asked.clone()).await.expect("it is answered");
        assert_eq!((returned.how, returned.job.job.id), (SubmittedHow::Returned, *holder));
        let log = kit.engine.log_chunks(&kit.tenant, self.done.job, 1, 0, 9).await;
        assert_eq!(log.expect("the job is there"), [b"begun\n"]);
        let key = kit.engine.find_key(&key_id()).await.expect("the store answers");
        assert_eq!(key.expect("it is there").name, "desk");
        let acme = kit.of_tenant("acme");
        assert_eq!(acme.list(&JobFilter::default(), 9).await.len(), 1);
    }

    /// Sees everything to its end, by the robots that were there before, and holds all of it to the rules.
    pub async fn goes_on_to_the_end(mut self, kit: &Kit) {
        let answer = self
            .robot
            .sync(0, &[&self.to_be_stopped, &self.running, &self.leased])
            .await;
        let told: Vec<LeaseStatus> = answer.leases.iter().map(|lease| lease.status).collect();
        assert_eq!(told, [LeaseStatus::Cancel, LeaseStatus::Renewed, LeaseStatus::Renewed]);
        let stopped = self.robot.finish(&self.to_be_stopped, Outcome::Cancelled, None).await;
        assert_eq!(stopped.expect("it is taken").state, StateName::Cancelled);
        for held in [&self.running, &self.leased] {
            assert_eq!(self.robot.succeed(held).await, StateName::Succeeded);
        }
        // The one that was to be tried again, the one whose robot was lost, and those that wait.
        pause(kit, false).await;
        let month_end = kit
            .robot_like(queue::NewRobot {
                queues: vec![queue("month-end")],
                ..new_robot()
            })
            .await;
        let again = month_end.begin().await;
        assert_eq!((again.job, again.fence.attempt), (self.lost, 2));
        month_end.succeed(&again).await;
        kit.pass_and_sweep(secs(30)).await;
        work_off(&self.robot).await;

        // What only the rare one can do is looked at and left where it is.
        kit.pass_and_sweep(A_DAY_AND_MORE).await;
        assert_eq!(kit.state(self.rare).await, StateName::Ready);
        self.robot.open_session(&[]).await;
        work_off(&self.robot).await;
        let unfinished = |job: &&queue::JobView| !job.job.state.name().is_terminal();
        let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
        let left: Vec<JobId> = jobs.iter().filter(unfinished).map(|view| view.job.id).collect();
        assert_eq!(left, [self.rare]);
        audit::hold(&kit.engine, &kit.tenant).await;
        audit::hold(&kit.engine, &kit.of_tenant("acme").tenant).await;

        let rare = kit
            .robot_like(queue::NewRobot {
                capabilities: words(&[RARE]),
                ..new_robot()
            })
            .await;
        work_off(&rare).await;
        assert_eq!(kit.state(self.rare).await, StateName::Succeeded);
        audit::hold(&kit.engine, &kit.tenant).await;
    }
}

/// Does whatever there is to do for `robot`.
async fn work_off(robot: &TestRobot) {
    while let [held] = robot.ask(1).await.as_slice() {
        assert_eq!(robot.renew(held).await, LeaseStatus::Renewed);
        assert_eq!(robot.succeed(held).await, StateName::Succeeded);
    }
}
