//! A cancel reaches the robot, waits for it no longer than its lease, and never turns into a second run.

use std::time::Duration;

use domain::{
    Rejection,
    job::{CANCEL_GRACE, Loss, Reason, State, StateName},
};

use crate::story::{LEASE, Story, at, failed, job, spec, stopped, succeeded, wrong};

/// A story whose job runs and is asked to stop.
fn cancelling() -> Story {
    let mut story = Story::of_attempts(3);
    story.start();
    assert_eq!(story.cancel(), Ok(StateName::Running));
    story
}

#[test]
fn a_job_that_nobody_runs_is_cancelled_at_once() {
    let scheduled = Story {
        job: job(spec(), Some(at(60))),
        now: at(0),
    };
    let ready = Story::of_attempts(3);
    let mut leased = Story::of_attempts(3);
    leased.claim();
    for mut story in [scheduled, ready, leased] {
        assert_eq!(story.cancel(), Ok(StateName::Cancelled));
        assert_eq!(story.job.reason, Some(Reason::CancelledByClient));
        assert_eq!(story.job.cancel_requested_at, Some(story.now));
        assert_eq!(story.job.note.as_deref(), Some("not needed"));
    }
}

#[test]
fn a_leased_job_that_was_cancelled_never_starts() {
    let mut story = Story::of_attempts(3);
    let fence = story.claim();
    story.cancel().expect("not started");
    assert_eq!(story.renew(&fence), Err(Rejection::LeaseLost));
    assert_eq!(story.finish(&fence, succeeded()), Err(Rejection::LeaseLost));
}

#[test]
fn a_running_job_is_asked_to_stop_and_goes_on_until_it_did() {
    let mut story = cancelling();
    assert_eq!(story.job.cancel_requested_at, Some(story.now));
    let fence = story.fence();
    assert_eq!(story.renew(&fence), Ok(StateName::Running));
    assert_eq!(story.finish(&fence, stopped()), Ok(StateName::Cancelled));
    assert_eq!(story.job.reason, Some(Reason::CancelledByClient));
}

#[test]
fn a_failure_after_a_cancel_ends_cancelled_and_is_not_retried() {
    for report in [failed(), wrong()] {
        let mut story = cancelling();
        let fence = story.fence();
        assert_eq!(story.finish(&fence, report), Ok(StateName::Cancelled));
        assert_eq!(story.job.reason, Some(Reason::CancelledByClient));
    }
}

#[test]
fn a_success_that_the_robot_reports_first_stands() {
    let mut story = cancelling();
    let fence = story.fence();
    assert_eq!(story.finish(&fence, succeeded()), Ok(StateName::Succeeded));
    assert_eq!(story.cancel(), Err(Rejection::Finished));
}

#[test]
fn a_robot_lost_after_a_cancel_ends_the_job_and_a_late_success_is_refused() {
    let mut silent = cancelling();
    let fence = silent.fence();
    assert_eq!(silent.time_out(), StateName::Cancelled);
    assert_eq!(silent.job.reason, Some(Reason::CancelledByClient));
    assert_eq!(silent.finish(&fence, succeeded()), Err(Rejection::LeaseLost));

    for loss in [Loss::Restarted, Loss::Removed] {
        let mut lost = cancelling();
        let fence = lost.fence();
        assert_eq!(lost.lose(&fence, loss), Ok(StateName::Cancelled));
        assert_eq!(lost.job.reason, Some(Reason::CancelledByClient));
    }
}

#[test]
fn a_robot_that_does_not_stop_is_not_waited_for_beyond_the_grace_and_one_lease() {
    let mut story = cancelling();
    let fence = story.fence();
    story.wait(10);
    let told_at = story.now;
    story.renew(&fence).expect("held");
    let State::Running {
        cancel_told_at,
        lease_ends,
        ..
    } = &story.job.state
    else {
        panic!("it runs")
    };
    assert_eq!(
        (*cancel_told_at, *lease_ends),
        (Some(told_at), told_at + CANCEL_GRACE + LEASE)
    );
    for _ in 0..20 {
        story.wait(4);
        story.renew(&fence).expect("it is told again and again");
    }
    assert_eq!(story.time_out(), StateName::Cancelled);
    assert_eq!(story.now.since(told_at), CANCEL_GRACE + LEASE);
    assert_eq!(CANCEL_GRACE, Duration::from_secs(30));
}

#[test]
fn a_cancel_asked_again_changes_nothing() {
    let mut story = cancelling();
    let asked_at = story.job.cancel_requested_at;
    story.wait(5);
    assert_eq!(story.cancel(), Err(Rejection::Repeated(StateName::Running)));
    assert_eq!(story.job.cancel_requested_at, asked_at);
    story.time_out();
    assert_eq!(story.cancel(), Err(Rejection::Repeated(StateName::Cancelled)));
}

#[test]
fn a_job_that_ended_otherwise_cannot_be_cancelled() {
    let mut story = Story::of_attempts(1);
    story.start_and_fail();
    assert_eq!(story.cancel(), Err(Rejection::Finished));
}

#[test]
fn a_waiting_job_is_replaced_and_one_with_a_robot_is_not() {
    let mut waiting = Story::of_attempts(3);
    assert_eq!(waiting.replace(), Ok(StateName::Cancelled));
    assert_eq!(waiting.job.reason, Some(Reason::Replaced));

    let mut leased = Story::of_attempts(3);
    let fence = leased.claim();
    assert_eq!(leased.replace(), Err(Rejection::AlreadyStarted));
    leased.renew(&fence).expect("held");
    assert_eq!(leased.replace(), Err(Rejection::AlreadyStarted));
    leased.finish(&fence, succeeded()).expect("held");
    assert_eq!(leased.replace(), Err(Rejection::Finished));
}

#[test]
fn a_dead_letter_is_dealt_with_once() {
    let mut failed = Story::of_attempts(1);
    failed.start_and_fail();
    assert!(failed.job.is_dead_letter());
    assert_eq!(failed.settle(), Ok(StateName::Failed));
    assert!(!failed.job.is_dead_letter());
    assert_eq!(failed.settle(), Err(Rejection::NoDeadLetter));

    let mut timed_out = Story::new(|spec| spec.timeouts.queue_seconds = Some(30));
    timed_out.time_out();
    assert_eq!(timed_out.settle(), Ok(StateName::TimedOut));

    let mut cancelled = cancelling();
    cancelled.time_out();
    assert_eq!(cancelled.settle(), Err(Rejection::NoDeadLetter));
    assert_eq!(Story::of_attempts(1).settle(), Err(Rejection::NoDeadLetter));
}
