//! What must hold of everything a tenant has, at any moment at which nothing is under way.

use std::collections::BTreeMap;

use domain::{
    Job, JobId, Robot, TenantName,
    job::{StateName, Transition},
};
use queue::{
    Engine, JobFilter, JobView,
    store::{Key, Kind, Record},
};

/// How many records are read at a time.
const PAGE: usize = 200;

/// Looks at all jobs and robots of `tenant` and gives each thing that is not as it must be, as a sentence.
pub async fn faults(engine: &Engine, tenant: &TenantName) -> Vec<String> {
    let jobs = all_jobs(engine, tenant).await;
    let robots = all_robots(engine, tenant).await;
    let keys: Vec<Key> = jobs
        .iter()
        .map(|view| Key::new(Kind::Job, tenant, view.job.id.to_text()))
        .collect();
    let records = engine.store().load(&keys).await.expect("the store answers");
    let mut faults = Vec::new();
    for (view, record) in jobs.iter().zip(records) {
        faults.extend(of_history(&view.job, &history(engine, &view.job).await));
        faults.extend(of_budget(&view.job));
        faults.extend(of_record(&view.job, &record.expect("what is listed is there")));
    }
    faults.extend(of_leases(&jobs, &robots));
    faults.extend(of_counts(engine, tenant, &jobs).await);
    faults
}

/// Panics with all faults unless there is none.
pub async fn hold(engine: &Engine, tenant: &TenantName) {
    let faults = faults(engine, tenant).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every job of `tenant`, the oldest first.
pub async fn all_jobs(engine: &Engine, tenant: &TenantName) -> Vec<JobView> {
    let (mut jobs, mut after) = (Vec::new(), None);
    loop {
        let page = engine
            .jobs(tenant, &JobFilter::default(), after, PAGE)
            .await
            .expect("the store answers");
        jobs.extend(page.items);
        after = page.next;
        if after.is_none() {
            jobs.reverse();
            return jobs;
        }
    }
}

/// Every robot of `tenant`, the oldest first.
pub async fn all_robots(engine: &Engine, tenant: &TenantName) -> Vec<Robot> {
    let (mut robots, mut after) = (Vec::new(), None);
    loop {
        let page = engine.robots(tenant, after, PAGE).await.expect("the store answers");
        robots.extend(page.items);
        after = page.next;
        if after.is_none() {
            robots.reverse();
            return robots;
        }
    }
}

/// Every step of the job; the record has them all while they are few.
async fn history(engine: &Engine, job: &Job) -> Vec<Transition> {
    if job.history.first().is_some_and(|step| step.seq == 1) {
        return job.history.clone();
    }
    engine.history(&job.tenant, job.id).await.expect("the job is there")
}

/// I16 and I5: the history replays to the row, and attempts rise by one.
fn of_history(job: &Job, history: &[Transition]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut state, mut attempt) = (None, 0);
    for (step, seq) in history.iter().zip(1..) {
        let claims = u32::from(step.to == StateName::Leased);
        if step.seq != seq || step.from != state || step.attempt != attempt + claims {
            faults.push(format!(
                "I16: {}: step {seq} of its history does not follow: {step:?}",
                job.id
            ));
        }
        (state, attempt) = (Some(step.to), step.attempt);
    }
    if state != Some(job.state.name()) || attempt != job.attempts.given {
        faults.push(format!(
            "I16: {}: its history ends with {state:?} and attempt {attempt}: {job:?}",
            job.id
        ));
    }
    faults
}

/// I8: the budget.
pub fn of_budget(job: &Job) -> Option<String> {
    let attempts = &job.attempts;
    let kept = attempts.started <= job.spec.retry.max_attempts
        && attempts.started <= attempts.given
        && attempts.lost <= attempts.started
        && attempts.unstarted <= domain::job::UNSTARTED_MAX;
    (!kept).then(|| format!("I8: {}: it is beyond its budget: {attempts:?}", job.id))
}

/// I1: what is unfinished is in the index of its lane or in that of its next timer, and in both when it needs both.
pub fn of_record(job: &Job, record: &Record) -> Vec<String> {
    let terminal = job.state.name().is_terminal();
    let mut faults = Vec::new();
    let timer = job.next_timer();
    if record.due_at.is_some() != timer.is_some() || (record.due_at.is_none() && record.rank.is_none()) != terminal {
        faults.push(format!(
            "I1: {} is {} and due at {:?}",
            job.id,
            job.state.name(),
            record.due_at
        ));
    }
    if let Some((timer, due_at)) = timer.zip(record.due_at)
        && due_at > timer
    {
        faults.push(format!("I1: {} is due at {due_at}, after its timer at {timer}", job.id));
    }
    if record.rank.is_some() != (job.state.name() == StateName::Ready) {
        faults.push(format!(
            "I1: {} is {} and stands at {:?} in its lane",
            job.id,
            job.state.name(),
            record.rank
        ));
    }
    if record.expires_at.is_some() != terminal {
        faults.push(format!(
            "I1: {} is {} and expires at {:?}",
            job.id,
            job.state.name(),
            record.expires_at
        ));
    }
    faults
}

/// I10: who holds a lease has a slot reserved for it, and nobody holds more than it may.
fn of_leases(jobs: &[JobView], robots: &[Robot]) -> Vec<String> {
    let mut held: BTreeMap<_, u32> = BTreeMap::new();
    let mut faults = Vec::new();
    for job in jobs.iter().map(|view| &view.job) {
        let Some(hold) = job.state.hold() else { continue };
        *held.entry(&hold.robot).or_default() += 1;
        let Some(robot) = robots.iter().find(|robot| robot.id == hold.robot) else {
            faults.push(format!("I10: {} is leased to {}, who is not there", job.id, hold.robot));
            continue;
        };
        if !robot
            .holds
            .iter()
            .any(|slot| slot.job == job.id && slot.attempt == hold.attempt && slot.token == hold.token)
        {
            faults.push(format!(
                "I10: {} is leased to {}, who has no slot for it",
                job.id, robot.id
            ));
        }
        if !robot.fits(&job.spec.queue, &job.spec.requires) {
            faults.push(format!("I11: {} is leased to {}, who does not fit", job.id, robot.id));
        }
    }
    for robot in robots {
        let leases = held.get(&robot.id).copied().unwrap_or_default();
        if leases > robot.max_jobs || robot.holds.len() > robot.max_jobs as usize {
            faults.push(format!(
                "I10: {} holds {leases} jobs and may hold {}: {:?}",
                robot.id, robot.max_jobs, robot.holds
            ));
        }
    }
    faults
}

/// I16: counts by state equal rows by state.
async fn of_counts(engine: &Engine, tenant: &TenantName, jobs: &[JobView]) -> Vec<String> {
    let stats = engine.stats(tenant).await.expect("the store answers");
    let mut faults = Vec::new();
    let mut counted = 0;
    for queue in &stats.queues {
        let rows = |state: StateName| {
            let in_state =
                |view: &&JobView| view.job.state.name() == state && view.job.spec.queue.as_str() == queue.name;
            jobs.iter().filter(in_state).count() as u64
        };
        let counts = [
            (StateName::Scheduled, queue.scheduled),
            (StateName::Ready, queue.ready),
            (StateName::Leased, queue.leased),
            (StateName::Running, queue.running),
        ];
        counted += counts.iter().map(|(_, count)| count).sum::<u64>();
        let wrong = counts.into_iter().filter(|(state, count)| rows(*state) != *count);
        faults.extend(
            wrong.map(|(state, count)| format!("I16: {} counts {count} jobs {state}, not {}", queue.name, rows(state))),
        );
    }
    let unfinished = jobs.iter().filter(|view| !view.job.state.name().is_terminal()).count() as u64;
    if counted != unfinished {
        faults.push(format!(
            "I16: {counted} jobs are counted, and {unfinished} are unfinished"
        ));
    }
    faults
}

/// The ids of `jobs`, in their order.
pub fn ids(jobs: &[JobView]) -> Vec<JobId> {
    jobs.iter().map(|view| view.job.id).collect()
}
