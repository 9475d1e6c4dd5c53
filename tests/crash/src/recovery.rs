//! What comes after a crash, and what has to hold once it has come.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{
    JobId, QueueName, Robot,
    job::{Outcome, StateName},
    robot::Mode,
};
use queue::{LeaseStatus, Listed, NewRobot, QueueChange, Refusal, Store, Swept, SyncRequest};
use queue_conformance::{
    audit,
    kit::{Held, Kit, LEASE, new_robot, report},
};

use crate::scenario::{Before, Scenario, process};

/// The chance of the process that comes after.
const SEED: u64 = 3;

/// How long a round of everybody's work is.
const ROUND: Duration = Duration::from_secs(25);

/// In how many rounds everything has to come to its end. A lease takes three, and each job may be lost twice.
const ROUNDS_MAX: usize = 40;

/// How many records are looked for where there should be none.
const LEFT_MAX: usize = 10;

/// Longer than anything but a finished job is kept.
const LONG: Duration = Duration::from_hours(48);

/// Longer than any timer.
const VERY_LONG: Duration = Duration::from_hours(10 * 365 * 24);

/// When whoever made the call asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// At once, of another process.
    AtOnce,
    /// After every lease has run out and a sweep has come by.
    AfterTheSweep,
}

impl Return {
    /// Both.
    pub const ALL: [Self; 2] = [Self::AtOnce, Self::AfterTheSweep];
}

/// Goes on after a crash and gives everything that is not as it has to be, as sentences.
pub async fn recover(
    store: Arc<dyn Store>,
    scenario: &Scenario,
    before: &Before,
    elapsed: Duration,
    back: Return,
) -> Vec<String> {
    let kit = process(store, SEED, elapsed);
    let mut faults = Vec::new();
    if back == Return::AfterTheSweep {
        kit.pass_and_sweep(2 * LEASE).await;
        faults.extend(audit::faults(&kit.engine, &kit.tenant).await);
    }
    let answer = scenario.act(&kit, before).await;
    match (&answer, back) {
        // Who comes late may be told that it is too late, but never that something is broken.
        (Ok(()), _) | (Err(Refusal::Job(_) | Refusal::Sync(_) | Refusal::NotFound), Return::AfterTheSweep) => {}
        (Err(refusal), _) => faults.push(format!("asked again, it answered {refusal:?}")),
    }
    faults.extend(come_to_rest(&kit).await);
    faults.extend(audit::faults(&kit.engine, &kit.tenant).await);
    faults.extend(ends(&kit, scenario, before, answer.is_ok()).await);
    faults.extend(nothing_is_left(&kit).await);
    faults
}

/// Operators open what is shut, robots work, schedules fire, until every job is over and no robot holds anything.
async fn come_to_rest(kit: &Kit) -> Option<String> {
    open_everything(kit).await;
    for _ in 0..ROUNDS_MAX {
        kit.sweep().await;
        kit.engine.dispatch().await.expect("the store answers");
        for robot in audit::all_robots(&kit.engine, &kit.tenant).await {
            work(kit, &robot).await;
        }
        if is_at_rest(kit).await {
            return None;
        }
        kit.pass(ROUND);
    }
    let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
    let robots = audit::all_robots(&kit.engine, &kit.tenant).await;
    Some(format!("it does not come to rest: {jobs:?} {robots:?}"))
}

/// Nothing is paused, nobody drains, and there is one more robot, for every queue there is a job in.
async fn open_everything(kit: &Kit) {
    let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
    let mut queues: BTreeSet<QueueName> = jobs.into_iter().map(|view| view.job.spec.queue).collect();
    queues.insert(QueueName::default_queue());
    for name in &queues {
        let open = QueueChange {
            paused: Some(false),
            ..QueueChange::default()
        };
        let changed = kit.engine.set_queue(&kit.tenant, name, open).await;
        changed.expect("the store answers");
    }
    for robot in audit::all_robots(&kit.engine, &kit.tenant).await {
        let resumed = kit.engine.set_drain(&kit.tenant, &robot.id, false).await;
        resumed.expect("the robot is there");
    }
    kit.register(NewRobot {
        queues: queues.into_iter().collect(),
        ..new_robot()
    })
    .await;
}

/// A robot asks for work and does it. It knows of nothing that it was not given now: what it had before the crash it has
/// to lose by the lease.
async fn work(kit: &Kit, robot: &Robot) {
    let epoch = if robot.epoch == 0 {
        let session = kit.engine.open_session(&kit.tenant, &robot.id, &[]).await;
        session.expect("the robot is there")
    } else {
        robot.epoch
    };
    let seq = robot.seq.unwrap_or(0);
    let request = |seq: u64, free_slots: u32, running: &[Held]| SyncRequest {
        epoch,
        seq,
        mode: if running.is_empty() { Mode::Idle } else { Mode::Busy },
        free_slots,
        running: running.iter().map(listed).collect(),
    };
    let asked = request(seq + 1, robot.max_jobs, &[]);
    let answer = kit.engine.sync(&kit.tenant, &robot.id, asked).await;
    let answer = answer.expect("the sync is in turn");
    let held: Vec<Held> = answer.assign.iter().map(Held::from).collect();
    if held.is_empty() {
        return;
    }
    let answer = kit
        .engine
        .sync(&kit.tenant, &robot.id, request(seq + 2, 0, &held))
        .await;
    for (held, lease) in held.iter().zip(answer.expect("the sync is in turn").leases) {
        assert_eq!(lease.status, LeaseStatus::Renewed, "{held:?} was given just now");
        let report = report(held, Outcome::Succeeded, Some("1"));
        let done = kit.engine.finish(&kit.tenant, &robot.id, held.job, report).await;
        assert_eq!(done.expect("the report is taken").state, StateName::Succeeded);
    }
}

fn listed(held: &Held) -> Listed {
    Listed {
        job: held.job,
        fence: held.fence.clone(),
        progress: None,
    }
}

async fn is_at_rest(kit: &Kit) -> bool {
    let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
    let robots = audit::all_robots(&kit.engine, &kit.tenant).await;
    jobs.iter().all(|view| view.job.state.name().is_terminal()) && robots.iter().all(|robot| robot.holds.is_empty())
}

/// What was acknowledged is there, nothing is there twice, and what was over is what it was.
async fn ends(kit: &Kit, scenario: &Scenario, before: &Before, answered: bool) -> Vec<String> {
    let jobs = audit::all_jobs(&kit.engine, &kit.tenant).await;
    let found = |id: JobId| jobs.iter().map(|view| &view.job).find(|job| job.id == id);
    let mut faults = Vec::new();
    if !scenario.jobs.contains(&jobs.len()) {
        faults.push(format!("there are {} jobs, not {:?}", jobs.len(), scenario.jobs));
    }
    for job in &before.jobs {
        let was_over = job.state.name().is_terminal();
        match found(job.id) {
            None if was_over && scenario.purges => {}
            None => faults.push(format!("{} was acknowledged and is gone", job.id)),
            Some(now) if was_over && (&now.state, now.reason) != (&job.state, job.reason) => {
                faults.push(format!("{} was over as {job:?} and is {now:?}", job.id));
            }
            Some(_) => {}
        }
    }
    if let (Some(wanted), true) = (scenario.first_ends, answered) {
        let first = jobs.first().map(|view| view.job.state.name());
        if first != Some(wanted) {
            faults.push(format!("the first job is {first:?}, not {wanted}: {:?}", jobs.first()));
        }
    }
    let queues = kit
        .engine
        .queues(&kit.tenant, None, 200)
        .await
        .expect("the store answers");
    let listed = |name: &QueueName| queues.items.iter().any(|queue| queue.name == *name);
    let unlisted = jobs.iter().filter(|view| !listed(&view.job.spec.queue));
    faults.extend(unlisted.map(|view| format!("{} waits in a queue that is not there", view.job.id)));
    faults
}

/// Once all is over there is nothing to sweep, nothing to dispatch, and nothing in the indexes that they read.
async fn nothing_is_left(kit: &Kit) -> Vec<String> {
    let mut faults = Vec::new();
    kit.pass_and_sweep(LONG).await;
    let swept = kit.sweep().await;
    if swept != Swept::default() {
        faults.push(format!("there was something left to sweep: {swept:?}"));
    }
    let dispatched = kit.engine.dispatch().await.expect("the store answers");
    if dispatched.assigned + dispatched.conflicts > 0 {
        faults.push(format!("there was something left to dispatch: {dispatched:?}"));
    }
    let store = kit.engine.store();
    let due = store.due(kit.now() + VERY_LONG, LEFT_MAX).await;
    let due = due.expect("the store answers");
    faults.extend(due.iter().map(|record| format!("{} is still due", record.key)));
    let lanes = store.lanes("", LEFT_MAX).await.expect("the store answers");
    faults.extend(lanes.iter().map(|lane| format!("{} is not empty", lane.as_str())));
    faults
}
