//! The second half of a run: nothing goes wrong any more, and everything has to come to an end.

use std::{sync::Arc, time::Duration};

use domain::{Job, JobId, TenantName, Timestamp, job::StateName};
use queue::{QueueChange, Swept};
use queue_conformance::{audit, kit::submission};

use crate::{operator, witness::SKEW_MAX, world::World};

/// How often it is looked whether all is over.
const LOOK: Duration = Duration::from_secs(10);

/// How late a timer may be handled: a period of the sweep, what it takes, and clocks that are apart.
const LATE_MAX: Duration = Duration::from_secs(60 + 20 + 2 * SKEW_MAX.as_secs());

/// What had begun while things went wrong has to be through after so long: the slowest answer.
const SETTLING: Duration = Duration::from_mins(3);

/// The longest that a job may wait for a robot that is idle and hears of it by itself alone.
const FOUND_MAX: Duration = Duration::from_secs(60 + 30 + 20);

/// Switches off all that goes wrong, sees everything to its end within `limit`, and holds it against what was answered.
pub(crate) async fn come_to_rest(world: &Arc<World>, limit: Duration) {
    calm(world).await;
    let begun_at = world.handle.now();
    loop {
        world.handle.sleep(LOOK).await;
        let now = world.handle.now();
        nothing_is_late(world, begun_at, now).await;
        if world.handle.is_over() {
            return;
        }
        if is_at_rest(world) {
            break;
        }
        if now.since(begun_at) > limit {
            return world
                .handle
                .violated(format!("L1: these do not end: {:#?}", unfinished(world)));
        }
    }
    a_job_is_found_without_a_hint(world).await;
    hold_to_what_was_answered(world).await;
    nothing_is_left(world).await;
}

/// Nothing goes wrong from now on; every robot works, every queue is open.
async fn calm(world: &Arc<World>) {
    world.handle.say(|| "-- from here on nothing goes wrong --".to_owned());
    world.faulty.switch_off();
    world.mishaps.switch_off();
    let bodies = std::mem::take(&mut world.book().bodies);
    bodies.into_iter().for_each(|body| world.handle.kill(body));
    let fleet = world.book().fleet.clone();
    for member in &fleet {
        operator::embody(world, member);
    }
    everybody_may_work(world).await;
    // What had begun before is through now, so that what is late is late by itself; it may have closed a queue once more.
    world.handle.sleep(SETTLING).await;
    everybody_may_work(world).await;
    world.witness.calm_begins();
}

/// Opens every queue, and has no robot drain.
async fn everybody_may_work(world: &World) {
    for tenant in world.tenants() {
        let open = QueueChange {
            paused: Some(false),
            strategy: None,
            lease_seconds: None,
        };
        for queue in world.queues() {
            let set = world.sound.set_queue(&tenant, &queue, open).await;
            set.expect("the store below has no faults");
        }
    }
    let fleet = world.book().fleet.clone();
    for member in fleet {
        // It may have been removed by a call whose answer was lost.
        let _ = world.sound.set_drain(&member.tenant, &member.id, false).await;
    }
}

/// L2: whatever is due is handled within one period of the sweep.
async fn nothing_is_late(world: &World, calm_since: Timestamp, now: Timestamp) {
    if now.since(calm_since) < LATE_MAX {
        return;
    }
    let due = world.witness.below().due(now - LATE_MAX, 1).await;
    if let Some(record) = due.expect("the store below has no faults").first() {
        world.handle.violated(format!(
            "L2: {} has been due since {:?}: {}",
            record.key, record.due_at, record.body
        ));
    }
}

/// L4: every job is over that some robot can run, every client was answered, and nobody holds anything.
fn is_at_rest(world: &World) -> bool {
    let answered = world.book().wanted.iter().all(|wanted| wanted.answered.is_some());
    answered && unfinished(world).is_empty() && {
        let seen = world.witness.seen();
        seen.robots.values().all(|robot| robot.holds.is_empty())
    }
}

fn unfinished(world: &World) -> Vec<Job> {
    let seen = world.witness.seen();
    let open = seen.jobs.values().filter(|job| !job.state.name().is_terminal());
    open.cloned().collect()
}

/// L3: hints may all be lost; a robot that is idle finds the job within its own interval or the dispatch's.
async fn a_job_is_found_without_a_hint(world: &World) {
    let (tenant, at) = (world.tenants().swap_remove(0), world.handle.now());
    let mut asked = submission(|_| {});
    asked.spec.queue = world.queues().swap_remove(0);
    // The sound operations send no hints.
    let submitted = world.sound.submit(&tenant, &crate::world::client(), vec![asked]).await;
    let job = match submitted.map(|mut answers| answers.pop()) {
        Ok(Some(Ok(submitted))) => submitted.job.job.id,
        other => {
            return world
                .handle
                .violated(format!("L3: a plain job was answered with {other:?}"));
        }
    };
    loop {
        world.handle.sleep(Duration::from_secs(1)).await;
        let state = state_of(world, &tenant, job).await;
        if state.is_some_and(|state| state != StateName::Ready) {
            break;
        }
        if world.handle.now().since(at) > FOUND_MAX {
            return world
                .handle
                .violated(format!("L3: {job} has been ready since {at} beside idle robots"));
        }
    }
    while !is_at_rest(world) && world.handle.now().since(at) < Duration::from_hours(2) {
        world.handle.sleep(LOOK).await;
    }
}

async fn state_of(world: &World, tenant: &TenantName, job: JobId) -> Option<StateName> {
    world
        .sound
        .job(tenant, job)
        .await
        .ok()
        .map(|view| view.job.state.name())
}

/// I1, I2, I6, I13: what was answered is so.
async fn hold_to_what_was_answered(world: &World) {
    let (wanted, cancelled, ended) = {
        let book = world.book();
        (book.wanted.clone(), book.cancelled.clone(), book.ended.clone())
    };
    for wanted in wanted {
        let Some(job) = wanted.answered else { continue };
        let state = state_of(world, &wanted.tenant, job).await;
        let was_removed = world.witness.seen().removed.contains_key(&job);
        if !was_removed && !state.is_some_and(StateName::is_terminal) {
            world
                .handle
                .violated(format!("I1: {job} was accepted and is {state:?}"));
        }
        if cancelled.contains(&job) && !was_removed && state != Some(StateName::Cancelled) {
            world
                .handle
                .violated(format!("I13: the cancel of {job} was answered, and it is {state:?}"));
        }
        let succeeded = ended
            .iter()
            .any(|((of, _), end)| *of == job && end.answer == StateName::Succeeded);
        if succeeded && !was_removed && state != Some(StateName::Succeeded) {
            world
                .handle
                .violated(format!("I6: the success of {job} was answered, and it is {state:?}"));
        }
    }
    for tenant in world.tenants() {
        for fault in audit::faults(&world.sound, &tenant).await {
            world.handle.violated(fault);
        }
        logs_are_whole(world, &tenant).await;
    }
}

/// I15: the log of every attempt is a prefix without a gap.
async fn logs_are_whole(world: &World, tenant: &TenantName) {
    for view in audit::all_jobs(&world.sound, tenant).await {
        let job = &view.job;
        for attempt in 1..=job.attempts.given {
            let length = world.sound.log_length(tenant, job.id, Some(attempt)).await;
            let Ok((_, length)) = length else { continue };
            let chunks = world.sound.log_chunks(tenant, job.id, attempt, 0, 1_000).await;
            let chunks = chunks.expect("the store below has no faults");
            let whole = chunks
                .iter()
                .zip(0_u32..)
                .all(|(chunk, seq)| chunk.as_slice() == format!("line {seq}\n").as_bytes());
            if chunks.len() != length as usize || !whole {
                world
                    .handle
                    .violated(format!("I15: the log of attempt {attempt} of {} has a gap", job.id));
            }
        }
    }
}

/// L4: an hour later there is nothing to do.
async fn nothing_is_left(world: &World) {
    world.handle.sleep(Duration::from_hours(1)).await;
    let swept = world.sound.sweep().await.expect("the store below has no faults");
    // Dedup keys are looked at each day, and what is over is removed some day.
    let nothing = Swept {
        rearmed: swept.rearmed,
        purged: swept.purged,
        more: swept.more,
        ..Swept::default()
    };
    let dispatched = world.sound.dispatch().await.expect("the store below has no faults");
    if swept != nothing || dispatched.assigned > 0 {
        world
            .handle
            .violated(format!("L4: there was something left: {swept:?}, {dispatched:?}"));
    }
}
