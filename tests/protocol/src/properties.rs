//! What must hold in every state, and what some path must come by.

use domain::{
    Job,
    job::{State, StateName},
};
use stateright::Property;

use crate::world::{Protocol, World};

/// Everything that is held against every state, and what has to be reached.
pub fn all() -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always("nothing happened that must not", |_, world: &World| {
            world.broken.is_none()
        }),
        Property::always(
            "I8: no more starts than max_attempts",
            |model: &Protocol, world: &World| {
                world
                    .jobs
                    .iter()
                    .all(|job| job.attempts.started <= model.limits.max_attempts)
            },
        ),
        Property::always("I10: no lease without a slot", |_, world: &World| {
            world.jobs.iter().all(|job| has_its_slot(world, job))
        }),
        Property::always("I10: no robot holds more than it may", |_, world: &World| {
            world.robots.iter().all(|robot| {
                let held = world
                    .jobs
                    .iter()
                    .filter(|job| job.state.hold().is_some_and(|hold| hold.robot == robot.id));
                held.count() <= robot.max_jobs as usize && robot.holds.len() <= robot.max_jobs as usize
            })
        }),
        Property::always("I1: what is unfinished is ready or has a timer", |_, world: &World| {
            let unfinished = |job: &&Job| !job.state.name().is_terminal();
            let is_found = |job: &Job| job.state.name() == StateName::Ready || job.next_timer().is_some();
            world.jobs.iter().filter(unfinished).all(is_found)
        }),
        Property::always("who clicks was told so by a job that ran", |_, world: &World| {
            let clicks = world.bodies.iter().filter_map(crate::body::Body::clicks);
            clicks
                .into_iter()
                .all(|(job, attempt)| has_started(&world.jobs[job], attempt))
        }),
        Property::always("I13: a cancelled job has no success", |_, world: &World| {
            let cancelled = |job: &&Job| job.state.name() == StateName::Cancelled;
            let no_success = |job: &Job| job.finishes.iter().all(|mark| mark.answer != StateName::Succeeded);
            world.jobs.iter().filter(cancelled).all(no_success)
        }),
    ];
    properties.extend(reached());
    properties
}

fn has_its_slot(world: &World, job: &Job) -> bool {
    let Some(hold) = job.state.hold() else { return true };
    let robot = world.robots.iter().find(|robot| robot.id == hold.robot);
    robot.is_some_and(|robot| {
        let mut slots = robot.holds.iter();
        slots.any(|slot| slot.job == job.id && slot.attempt == hold.attempt && slot.token == hold.token)
    })
}

/// Whether `attempt` began at some time, by the job's own record.
fn has_started(job: &Job, attempt: u32) -> bool {
    let later = job.attempts.given > attempt;
    let last = job
        .state
        .last_hold()
        .is_some_and(|hold| hold.attempt == attempt && hold.started_at.is_some());
    later || last
}

/// Every state of a job that can be reached here.
fn reached() -> Vec<Property<Protocol>> {
    macro_rules! state {
        ($name:literal, $state:ident) => {
            Property::sometimes($name, |_, world: &World| {
                world.jobs.iter().any(|job| job.state.name() == StateName::$state)
            })
        };
    }
    vec![
        state!("a job is scheduled", Scheduled),
        state!("a job is ready", Ready),
        state!("a job is leased", Leased),
        state!("a job is running", Running),
        state!("a job has succeeded", Succeeded),
        state!("a job has failed", Failed),
        state!("a job is cancelled", Cancelled),
        Property::sometimes("a job is poison", |_, world: &World| {
            world
                .jobs
                .iter()
                .any(|job| job.reason == Some(domain::job::Reason::Poison))
        }),
        Property::sometimes("all is over", |model: &Protocol, world: &World| {
            let ended = |job: &Job| matches!(job.state, State::Ended { .. });
            world.jobs.len() == model.limits.jobs && world.jobs.iter().all(ended)
        }),
    ]
}
