//! The invariants of one job, by the numbers of the list that names them.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    Event, Job, Rejection,
    job::{StateName, UNSTARTED_MAX},
};

use super::{
    steps::SKEW_MAX,
    walk::{Taken, Walk},
};
use crate::{
    story::{chance, succeeded, wrong},
    transitions::{EDGES, word},
};

/// What holds between two steps.
pub(crate) fn of_a_job(walk: &Walk) {
    the_history_tells_the_whole_life(&walk.job);
    the_budget_is_kept(&walk.job);
    the_latest_fence_is_the_only_one(walk);
    the_timer_is_when_it_says(walk);
    a_report_taken_is_answered_alike_for_ever(walk);
    the_stored_form_is_the_job(&walk.job);
}

/// What holds for a step.
pub(crate) fn of_a_step(walk: &Walk, taken: &Taken<'_>) {
    a_stale_fence_changes_nothing(walk, taken);
    let Ok(after) = taken.result else { return };
    let before = taken.before;
    only_the_edges_are_taken(before, after);
    what_is_over_stays_over(taken, after);
    attempts_only_rise(taken, after);
    a_cancel_is_not_forgotten(before, after);
    what_was_asked_never_changes(before, after);
}

/// I16: the history is without a gap and leads to the state; counting it gives the attempts.
fn the_history_tells_the_whole_life(job: &Job) {
    let history = &job.history;
    assert_eq!(history[0].from, None);
    assert_eq!(history.last().map(|step| step.to), Some(job.state.name()));
    assert_eq!(history.last().and_then(|step| step.reason), job.reason);
    let mut given = 0;
    for (step, seq) in history.iter().zip(1..) {
        given += u32::from(step.to == StateName::Leased);
        assert_eq!((step.seq, step.attempt), (seq, given));
    }
    for pair in history.windows(2) {
        assert_eq!(pair[1].from, Some(pair[0].to));
        assert!(pair[0].at <= pair[1].at + SKEW_MAX);
    }
    assert_eq!(job.attempts.given, given);
}

/// I8: started attempts stay within the budget, and leases that never start within theirs.
fn the_budget_is_kept(job: &Job) {
    let attempts = job.attempts;
    assert!(attempts.started <= job.spec.retry.max_attempts);
    assert!(attempts.started <= attempts.given);
    assert!(attempts.lost <= attempts.started);
    assert!(attempts.unstarted < UNSTARTED_MAX || job.state.name() == StateName::Failed);
    let open = matches!(
        job.state.name(),
        StateName::Scheduled | StateName::Ready | StateName::Leased
    );
    assert!(!open || job.attempts_left() > 0, "a job that waits has an attempt left");
}

/// I3 and I5: no fence is given twice, and the one on the job is the latest.
fn the_latest_fence_is_the_only_one(walk: &Walk) {
    let attempts: Vec<u32> = walk.given.iter().map(|fence| fence.attempt).collect();
    assert!(attempts.iter().copied().eq(1..=walk.job.attempts.given));
    assert_eq!(
        walk.job.state.last_hold().map(domain::job::Hold::fence).as_ref(),
        walk.given.last()
    );
}

/// I1 and I9: time alone brings up every unfinished job that no robot could take, then and not before.
fn the_timer_is_when_it_says(walk: &Walk) {
    let job = &walk.job;
    let tick = Event::Tick { chance: chance() };
    let Some(timer) = job.next_timer() else {
        assert!(job.state.name() == StateName::Ready || job.state.name().is_terminal());
        return assert_eq!(job.apply(&tick, walk.now), Err(Rejection::NothingDue));
    };
    let due = timer.max(walk.now);
    let after = job.apply(&tick, due).expect("the timer is due");
    assert_ne!(after.state.name(), job.state.name(), "at {due}");
    let early = timer - Duration::from_micros(1);
    assert_eq!(job.apply(&tick, early), Err(Rejection::NothingDue));
    assert_eq!((job.is_due(early), job.is_due(timer)), (false, true));
}

/// I14: the same report again gets the same answer, another one a conflict, and neither changes anything.
fn a_report_taken_is_answered_alike_for_ever(walk: &Walk) {
    for (fence, report, answer) in &walk.answered {
        let again = |report: domain::job::Report| {
            walk.job.apply(
                &Event::Finish {
                    fence: fence.clone(),
                    report,
                    chance: chance(),
                },
                walk.now,
            )
        };
        assert_eq!(again(report.clone()), Err(Rejection::Repeated(*answer)));
        let other = if report.digest == succeeded().digest {
            wrong()
        } else {
            succeeded()
        };
        assert_eq!(again(other), Err(Rejection::OutcomeConflict));
    }
    let reported: BTreeSet<u32> = walk.answered.iter().map(|(fence, ..)| fence.attempt).collect();
    assert_eq!(reported.len(), walk.answered.len(), "an attempt is reported once");
}

/// A job that is written and read is the same job.
fn the_stored_form_is_the_job(job: &Job) {
    let text = serde_json::to_string(job).expect("a job has text keys and finite numbers");
    assert_eq!(
        &serde_json::from_str::<Job>(&text).expect("what was written can be read"),
        job,
        "{text}"
    );
}

/// I4: whoever does not show the latest fence changes nothing and is told so.
fn a_stale_fence_changes_nothing(walk: &Walk, taken: &Taken<'_>) {
    let (Event::HandOver { fence, .. }
    | Event::Renew { fence, .. }
    | Event::Finish { fence, .. }
    | Event::Release { fence }
    | Event::Lose { fence, .. }) = taken.event
    else {
        return;
    };
    let current = taken.before.state.last_hold().is_some_and(|hold| hold.is(fence));
    let reported = walk.answered.iter().any(|(known, ..)| known == fence);
    let report_again = matches!(taken.event, Event::Finish { .. }) && reported;
    if !current && !report_again {
        assert_eq!(taken.result, &Err(Rejection::LeaseLost), "{fence:?}");
    }
}

/// I7: only the edges of the state graph are taken, and what came before in the history stays.
fn only_the_edges_are_taken(before: &Job, after: &Job) {
    assert!(after.history.starts_with(&before.history));
    for step in &after.history[before.history.len()..] {
        let edge = (step.from.expect("only the first comes from nowhere"), step.to);
        assert!(EDGES.contains(&edge), "{edge:?}");
    }
}

/// I6, and the first half of I13: nothing but dealing with it touches a job that is over.
fn what_is_over_stays_over(taken: &Taken<'_>, after: &Job) {
    let before = taken.before;
    if before.state.name().is_terminal() {
        assert_eq!(word(taken.event), "settle");
        let settled = Job {
            settled: after.settled,
            note: after.note.clone(),
            ..before.clone()
        };
        assert_eq!(&settled, after);
        assert!(before.settled.is_none() && after.settled.is_some());
    }
}

/// I5: a claim makes the next attempt, and nothing else does; a start burns one, once an attempt.
fn attempts_only_rise(taken: &Taken<'_>, after: &Job) {
    let (before, claimed) = (taken.before.attempts, matches!(taken.event, Event::Claim { .. }));
    assert_eq!(after.attempts.given, before.given + u32::from(claimed));
    let burnt = after.attempts.started - before.started;
    assert!(burnt <= 1 && after.attempts.lost >= before.lost);
    let begun = |job: &Job| job.state.last_hold().is_some_and(|hold| hold.started_at.is_some());
    assert_eq!(burnt == 1, begun(after) && !begun(taken.before));
}

/// I13: after a cancel a job runs on, succeeds or is cancelled; it never waits for another robot.
fn a_cancel_is_not_forgotten(before: &Job, after: &Job) {
    if before.cancel_requested_at.is_some() {
        assert_eq!(after.cancel_requested_at, before.cancel_requested_at);
        let state = after.state.name();
        assert!(
            matches!(state, StateName::Running | StateName::Succeeded | StateName::Cancelled),
            "{state}"
        );
    }
}

fn what_was_asked_never_changes(before: &Job, after: &Job) {
    let asked = |job: &Job| (job.id, job.tenant.clone(), job.spec.clone(), job.created_at, job.run_at);
    assert_eq!(asked(before), asked(after));
}
