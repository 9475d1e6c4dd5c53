//! A job's history, read as attempts. Pure.

use std::collections::BTreeSet;

use crate::answers::Transition;

/// The states that nothing leads out of.
const ENDS: [&str; 4] = ["succeeded", "failed", "timed_out", "cancelled"];

/// The reasons by which an attempt that was under way is known to be lost.
const LOSSES: [&str; 3] = ["lease_lost", "robot_restarted", "poison"];

/// What robots' ids begin with.
const ROBOT_PREFIX: &str = "rob_";

/// Whether a job in this state is over.
pub(crate) fn is_end(state: &str) -> bool {
    ENDS.contains(&state)
}

/// The attempts that began, by their numbers.
///
/// One that was first heard of by its report never shows as running, but its report says that it ran.
pub(crate) fn started(history: &[Transition]) -> BTreeSet<u32> {
    let by_report = |step: &Transition| {
        let waiting = matches!(step.from.as_deref(), Some("ready" | "scheduled" | "leased"));
        let by_robot = step
            .actor
            .as_deref()
            .is_some_and(|actor| actor.starts_with(ROBOT_PREFIX));
        waiting && by_robot && is_end(&step.to)
    };
    let began = history.iter().filter(|step| step.to == "running" || by_report(step));
    began.map(|step| step.attempt).collect()
}

/// The attempts that were under way when their robot was lost, by their numbers.
pub(crate) fn lost(history: &[Transition]) -> BTreeSet<u32> {
    let by_loss = |step: &&Transition| step.reason.as_deref().is_some_and(|reason| LOSSES.contains(&reason));
    let running = history.iter().filter(|step| step.from.as_deref() == Some("running"));
    running.filter(by_loss).map(|step| step.attempt).collect()
}

/// The first thing that is wrong with it, as the history of a job in this state: a gap, steps that do not join, an attempt that is
/// not the next, or more than one end.
pub(crate) fn flaw(history: &[Transition], state: &str) -> Option<String> {
    let (mut before, mut attempt): (Option<&str>, u32) = (None, 0);
    for (step, seq) in history.iter().zip(1..) {
        if step.seq != seq || step.from.as_deref() != before {
            return Some(format!("step {seq} does not follow the one before: {step:?}"));
        }
        if before.is_some_and(is_end) {
            return Some(format!("step {seq} follows an end: {step:?}"));
        }
        if step.attempt != attempt + u32::from(step.to == "leased") {
            return Some(format!("step {seq} has not the next attempt: {step:?}"));
        }
        (before, attempt) = (Some(step.to.as_str()), step.attempt);
    }
    (before != Some(state)).then(|| format!("the job is {state}, and its history ends with {before:?}"))
}
