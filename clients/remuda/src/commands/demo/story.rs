//! A job's history, read as attempts: when each waited, ran, and how it ended.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::answers::Transition;

/// The states that nothing leads out of.
const ENDS: [&str; 4] = ["succeeded", "failed", "timed_out", "cancelled"];

/// The reasons by which an attempt that was under way is known to be lost.
const LOSSES: [&str; 3] = ["lease_lost", "robot_restarted", "poison"];

/// What robots' ids begin with.
const ROBOT_PREFIX: &str = "rob_";

/// Whether a job in this state is over.
pub(super) fn is_end(state: &str) -> bool {
    ENDS.contains(&state)
}

/// The attempts that began, by their numbers.
///
/// One that was first heard of by its report, when its lease was over already, never shows as running, but its report
/// says that it ran.
pub(super) fn started(history: &[Transition]) -> BTreeSet<u32> {
    let reported_late = |step: &Transition| {
        let waiting = matches!(step.from.as_deref(), Some("ready" | "scheduled"));
        let by_robot = step
            .actor
            .as_deref()
            .is_some_and(|actor| actor.starts_with(ROBOT_PREFIX));
        waiting && by_robot && is_end(&step.to)
    };
    history
        .iter()
        .filter(|step| step.to == "running" || reported_late(step))
        .map(|step| step.attempt)
        .collect()
}

/// The attempts that were under way when their robot was lost, by their numbers.
pub(super) fn lost(history: &[Transition]) -> BTreeSet<u32> {
    history
        .iter()
        .filter(|step| step.from.as_deref() == Some("running"))
        .filter(|step| step.reason.as_deref().is_some_and(|reason| LOSSES.contains(&reason)))
        .map(|step| step.attempt)
        .collect()
}

/// How often it came to an end; once is right.
pub(super) fn ends(history: &[Transition]) -> usize {
    history.iter().filter(|step| is_end(&step.to)).count()
}

/// How long it waited each time, from when it was ready to when a robot had it.
pub(super) fn waits(history: &[Transition]) -> Vec<SignedDuration> {
    spans(history, |from, to| from.to == "ready" && to.to == "leased")
}

/// How long it ran each time, however that ended.
pub(super) fn runs(history: &[Transition]) -> Vec<SignedDuration> {
    spans(history, |from, _| from.to == "running")
}

/// The state that it was in when it was cancelled, if it was.
pub(super) fn cancelled_from(history: &[Transition]) -> Option<&str> {
    history.iter().find(|step| step.to == "cancelled")?.from.as_deref()
}

fn spans(history: &[Transition], counts: impl Fn(&Transition, &Transition) -> bool) -> Vec<SignedDuration> {
    history
        .windows(2)
        .filter(|pair| counts(&pair[0], &pair[1]))
        .map(|pair| pair[1].at.duration_since(pair[0].at))
        .collect()
}
