//! Clients: they want jobs, and ask until they are answered.

use std::{sync::Arc, time::Duration};

use domain::{
    JobId, JobSpec, TenantName, WorkflowName,
    job::{Dedup, OnConflict, OnLost, Priority},
};
use queue::{Idempotency, Refusal, Submission, SubmitError};
use queue_conformance::kit::words;

use crate::world::{Heard, Wanted, World, client};

/// How long a client waits before it asks again.
const AGAIN_SECONDS: std::ops::Range<u64> = 1..10;

/// Submits the jobs of one tenant, one after the other, each until it is answered.
pub(crate) async fn submit_all(world: Arc<World>, tenant: TenantName) {
    let pause = (world.plan.busy().as_secs() / world.plan.jobs.max(1)).max(2);
    for _ in 0..world.plan.jobs {
        world.handle.sleep(world.handle.seconds(0..pause)).await;
        let asked = new_job(&world);
        let place = {
            let mut book = world.book();
            book.wanted.push(Wanted {
                tenant: tenant.clone(),
                answered: None,
            });
            book.wanted.len() - 1
        };
        submit_until_answered(&world, &tenant, place, asked).await;
    }
}

async fn submit_until_answered(world: &Arc<World>, tenant: &TenantName, place: usize, asked: Submission) {
    loop {
        if let Some(job) = submit(world, tenant, &asked).await {
            world.book().wanted[place].answered = Some(job);
            if world.handle.happens(100) {
                // I2: once more is the same job, and something else under the same key is refused.
                submit_once_more(world, tenant, &asked, job).await;
            }
            return;
        }
        world.handle.sleep(world.handle.seconds(AGAIN_SECONDS)).await;
    }
}

/// Submits one job; `None` when that was not answered.
pub(crate) async fn submit(world: &World, tenant: &TenantName, asked: &Submission) -> Option<JobId> {
    match heard(world, tenant, asked).await {
        Heard::Done(Ok(job) | Err(SubmitError::Duplicate { job })) => Some(job),
        Heard::Done(Err(error)) => {
            world
                .handle
                .violated(format!("I2: a key that was used once is refused: {error}"));
            None
        }
        Heard::Refused(_) | Heard::Nothing => None,
    }
}

async fn heard(world: &World, tenant: &TenantName, asked: &Submission) -> Heard<Result<JobId, SubmitError>> {
    let (tenant, asked) = (tenant.clone(), asked.clone());
    let answer = world
        .servers
        .call(
            || "submit".to_owned(),
            move |engine| {
                let (tenant, asked) = (tenant.clone(), asked.clone());
                Box::pin(async move {
                    let mut answers = engine.submit(&tenant, &client(), vec![asked]).await?;
                    let answer = answers.pop().ok_or(Refusal::NotFound)?;
                    Ok(answer.map(|submitted| submitted.job.job.id))
                })
            },
        )
        .await;
    world.hear(answer)
}

async fn submit_once_more(world: &World, tenant: &TenantName, asked: &Submission, job: JobId) {
    // Once the job may have been removed the key may be used anew.
    let is_kept = |world: &World| !world.witness.seen().removed.contains_key(&job);
    if let Heard::Done(again) = heard(world, tenant, asked).await
        && is_kept(world)
        && asked.spec.dedup.is_none()
        && again != Ok(job)
    {
        world
            .handle
            .violated(format!("I2: the request of job {job} was answered with {again:?}"));
    }
    let mut other = asked.clone();
    if let Some(idempotency) = &mut other.idempotency {
        idempotency.digest.push_str(" otherwise");
    }
    if let Heard::Done(answer) = heard(world, tenant, &other).await
        && is_kept(world)
        && asked.spec.dedup.is_none()
        && answer != Err(SubmitError::IdempotencyConflict { job })
    {
        world.handle.violated(format!(
            "I2: another request under the key of job {job} was answered with {answer:?}"
        ));
    }
}

/// A job like any that people submit.
fn new_job(world: &World) -> Submission {
    let handle = &world.handle;
    let key = format!("key-{}", handle.number());
    let queues = world.queues();
    let mut spec = JobSpec::new(WorkflowName::parse("invoice-export").expect("a good name"));
    spec.queue = handle.pick(&queues).cloned().unwrap_or(spec.queue);
    spec.priority = Priority::new(u8::try_from(handle.draw(0..21)).unwrap_or(0)).expect("0 to 20");
    if handle.happens(200) {
        spec.requires.capabilities = words(&["browser"]);
    }
    if handle.happens(100) {
        spec.requires.environment = Some("prod".parse().expect("a good word"));
    }
    spec.retry.max_attempts = u32::try_from(handle.draw(1..5)).unwrap_or(1);
    spec.retry.initial_seconds = u32::try_from(handle.draw(0..60)).unwrap_or(1);
    spec.retry.max_seconds = 300;
    if handle.happens(150) {
        spec.on_lost = OnLost::Fail;
    }
    if handle.happens(200) {
        spec.timeouts.run_seconds = u32::try_from(handle.draw(5..90)).unwrap_or(5);
    }
    if handle.happens(100) {
        spec.timeouts.queue_seconds = Some(u32::try_from(handle.draw(5..600)).unwrap_or(5));
    }
    if handle.happens(100) {
        spec.deadline = Some(handle.now() + handle.seconds(10..1_200));
    }
    if handle.happens(150) {
        let on_conflict = [OnConflict::Return, OnConflict::Reject, OnConflict::Replace];
        let dedup_key = format!("dedup-{}", handle.draw(0..3));
        spec.dedup = Some(Dedup {
            key: dedup_key,
            on_conflict: handle.pick(&on_conflict).copied().unwrap_or(OnConflict::Return),
        });
    }
    Submission {
        run_at: run_at(world),
        payload: Some(format!("\"{key}\"")),
        idempotency: Some(Idempotency {
            digest: key.clone(),
            key,
        }),
        spec,
    }
}

/// Most jobs are for now, some for later, and a few for a day on which nobody is there.
fn run_at(world: &World) -> Option<domain::Timestamp> {
    let handle = &world.handle;
    if handle.happens(150) {
        return Some(handle.now() + handle.seconds(1..600));
    }
    let is_late = world.plan.holidays > 0 && handle.happens(50);
    is_late.then(|| handle.now() + Duration::from_hours(24))
}
